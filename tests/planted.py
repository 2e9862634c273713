"""What the generator planted beside the costs, held against the tables of a run: plain Python on the generated files."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = Mapping[str, Any]
FEWEST = 20
"""Of fewer respondents chance says more than what is planted."""
FAR = 2.2
"""Times half an interval: 4.4 standard errors, which one of a hundred thousand means lies beyond."""
NOBODY = "UNATTRIBUTED"


def csv_rows(folder: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8") as lines:
            found += list(csv.DictReader(lines))
    return found


def answers_of(root: Path) -> list[dict[str, str]]:
    """The answers that can be taken: of one respondent on the scale, one of a person, wave and domain, the last."""
    found = {}
    for row in csv_rows(root / "survey_responses"):
        has_one = bool(row["member_id"]) != bool(row["physician_npi"])
        if row["wave"] and has_one and float(row["scale_low"]) <= float(row["score"]) <= float(row["scale_high"]):
            found[row["survey"], row["wave"], row["member_id"], row["physician_npi"], row["domain"]] = row
    return list(found.values())


def survey_faults(root: Path, scores: Sequence[Row], attribution: Iterable[Row]) -> list[str]:
    """Where `gold.experience_scores` of one policy is not what the list says, or far from what is planted."""
    whose = {(row["performance_year"], row["member_id"]): row for row in attribution}
    planted = {
        (row["survey"], row["domain"], row["wave"], row["network_id"] or NOBODY): float(row["mean_score"])
        for row in csv_rows(root / "_surveys")
    }
    drawn = _drawn_networks(root)
    people: dict[tuple[Any, ...], list[tuple[float, float, float | None]]] = defaultdict(list)
    physicians: dict[tuple[Any, ...], int] = defaultdict(int)
    for answer in answers_of(root):
        low, high = float(answer["scale_low"]), float(answer["scale_high"])
        value = 100 * (float(answer["score"]) - low) / (high - low)
        of = (answer["survey"], answer["domain"], answer["wave"])
        if answer["physician_npi"]:
            physicians[of] += 1
            continue
        year = int(answer["wave"][:4])
        told = whose.get((year, answer["member_id"]), {})
        belongs = drawn.get((year, answer["member_id"]))
        expected = None if belongs is None else planted[*of, belongs]
        network, physician = (told.get(name, NOBODY) for name in ("network_id", "physician_npi"))
        for npi in ("", physician):
            people[*of, network, npi].append((value, float(answer["weight"] or 1), expected))
    faults = []
    found = {_key(row): row for row in scores if row["respondent"] == "member"}
    if set(found) != set(people) or not found:
        faults.append(f"experience_scores: other rows: {sorted(set(found) ^ set(people))[:3]}")
    near = 0
    for key in found.keys() & people.keys():
        row, told_of = found[key], people[key]
        total = sum(weight for _, weight, _ in told_of)
        mean = sum(value * weight for value, weight, _ in told_of) / total
        if row["respondents"] != len(told_of) or abs(row["mean_score"] - mean) > 1e-4:
            faults.append(f"experience_scores {key}: {row['mean_score']} of {row['respondents']}, from the list {mean}")
        if len(told_of) >= FEWEST and all(expected is not None for *_, expected in told_of):
            expected = sum((expected or 0.0) * weight for _, weight, expected in told_of) / total
            near += 1
            if abs(mean - expected) > FAR * max(mean - row["mean_score_low"], row["mean_score_high"] - mean):
                faults.append(f"experience_scores {key}: {mean:.1f} is far from {expected:.1f}, which is planted")
    of_physicians = [row for row in scores if row["respondent"] == "provider"]
    for of, count in physicians.items():
        rows = [row for row in of_physicians if (row["survey"], row["domain"], row["wave"]) == of]
        if sum(row["respondents"] for row in rows) != count:
            faults.append(f"experience_scores {of}: not all {count} physicians")
        for row in rows:
            if row["network_id"] != NOBODY and row["respondents"] > 4 and row["mean_score_low"] is not None:
                expected, half = planted[*of, row["network_id"]], row["mean_score_high"] - row["mean_score"]
                near += 1
                if abs(row["mean_score"] - expected) > FAR * half:
                    faults.append(f"experience_scores {_key(row)}: {row['mean_score']:.1f}, planted {expected:.1f}")
    if near < len(physicians):
        faults.append("experience_scores: hardly a planted mean could be looked at")
    return faults


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("survey", "domain", "wave", "network_id", "physician_npi"))


def _drawn_networks(root: Path) -> dict[tuple[int, str], str]:
    """The network that each person was drawn to belong to, by year."""
    from pmpm_spark.generate.truth import NETWORKS

    ids = [*[network.network_id for network in NETWORKS], NOBODY]
    rows = pq.read_table(root / "_truth", columns=["member_id", "year", "network"]).to_pylist()
    return {(row["year"], row["member_id"]): ids[row["network"]] for row in rows}


def research_rows(folder: Path, kind: str) -> list[dict[str, str]]:
    """The rows of one kind of research file below a folder."""
    found: list[dict[str, str]] = []
    for path in sorted((folder / kind).glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found += list(csv.DictReader(lines, delimiter="|", quoting=csv.QUOTE_NONE))
    return found


def stays_of(bills: Iterable[Row]) -> list[dict[str, Any]]:
    """Stays by the words of payment-and-outcomes 5: bills of one hospital that share a day or an admission, or continue
    an interim bill by the next day. A bill that ends before it starts makes none."""
    by_hospital: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for bill in bills:
        first, last = _day(bill["CLM_ADMSN_DT"] or bill["CLM_FROM_DT"]), _day(bill["CLM_THRU_DT"])
        one = {"first": first, "last": last, "status": bill["PTNT_DSCHRG_STUS_CD"], "ccn": bill["PRVDR_NUM"]}
        if first <= last:
            by_hospital[bill["BENE_ID"], bill["PRVDR_NUM"]].append({**one, "member_id": bill["BENE_ID"]})
    stays = []
    for of_hospital in by_hospital.values():
        open_stay: dict[str, Any] | None = None
        for bill in sorted(of_hospital, key=lambda b: (b["first"], b["last"])):
            if open_stay and (
                bill["first"] <= open_stay["last"]
                or (open_stay["status"] == "30" and bill["first"] <= open_stay["last"] + timedelta(days=1))
            ):
                if bill["last"] > open_stay["last"]:
                    open_stay |= {"last": bill["last"], "status": bill["status"]}
            else:
                open_stay = dict(bill)
                stays.append(open_stay)
    return stays


def episodes_of(stays: Iterable[Row], definition: str) -> list[dict[str, Any]]:
    """Stays of a person in their order, chained: to another hospital by the next day, or to any (with observation)."""
    found: list[dict[str, Any]] = []
    for stay in sorted(stays, key=lambda s: (s["member_id"], s["first"], s["last"], s["ccn"])):
        before = found[-1] if found and found[-1]["member_id"] == stay["member_id"] else None
        gap = (stay["first"] - before["last"]).days if before else 99
        joins = (
            gap <= 1 if definition == "pcr_like" else gap < 0 or (gap <= 1 and before and before["ccn"] != stay["ccn"])
        )
        if before and joins:
            if stay["last"] >= before["last"]:
                before |= {"last": stay["last"], "status": stay["status"]}
            before["ccn"] = stay["ccn"]
        else:
            found.append({**stay, "drg": stay.get("drg", "")})
    return found


def _day(text: str) -> date:
    return datetime.strptime(text, "%d-%b-%Y").date()
