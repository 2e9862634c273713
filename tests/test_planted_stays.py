"""The planted stays: what the generator says of them is what the bills make by the definitions, told once more here."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark.generate import EPISODES, PLANTED, STAYS
from pmpm_spark.generate.stays import PEOPLE, planted_member_id
from tests.loaded import Loads
from tests.planted import csv_rows, episodes_of, research_rows, stays_of

MEMBERS, YEARS = 30, (2021, 2022)
LAST_TOLD = date(2022, 12, 31)


@pytest.fixture(scope="module")
def root(loads: Loads) -> Path:
    return loads.files(MEMBERS, YEARS, 5)


def bills(root: Path, kind: str = "inpatient") -> list[dict[str, str]]:
    """One row a bill: its first line."""
    return [row for row in research_rows(root / PLANTED, kind) if row["CLM_LINE_NUM"] == "1"]


def test_the_known_stays_are_those_of_the_bills(root: Path) -> None:
    found = {
        (s["member_id"], s["ccn"], s["first"].isoformat(), s["last"].isoformat(), s["status"])
        for s in stays_of(bills(root))
    }
    names = ("member_id", "facility_ccn", "first_day", "last_day", "discharge_status")
    assert found == {tuple(row[name] for name in names) for row in csv_rows(root / STAYS)}
    assert len(found) == 22


def people(root: Path) -> dict[str, dict[str, Any]]:
    """Birth, death and the first year of coverage, from the beneficiary files."""
    found: dict[str, dict[str, Any]] = {}
    for year in range(YEARS[0] - 1, YEARS[1] + 1):
        for row in research_rows(root / PLANTED, f"beneficiary_{year}"):
            of = found.setdefault(row["BENE_ID"], {"since": year, "died": row["DEATH_DT"]})
            of["born"] = int(row["BENE_BIRTH_DT"][-4:])
            of["died"] = row["DEATH_DT"]
    return found


def reason(episode: dict[str, Any], person: dict[str, Any], definition: str) -> str:
    """Why it is no index, the first that holds; all people are covered in full from January of their first year."""
    age = episode["first"].year - person["born"]  # all are born in January
    asked = {
        "STILL_PATIENT": episode["status"] == "30",
        "DIED": episode["status"] == "20",
        "LEFT_AGAINST_ADVICE": episode["status"] == "07" and definition == "hwr_like",
        "SAME_DAY": episode["first"] == episode["last"] and definition == "pcr_like",
        "UNDER_65": age < 65 and definition == "hwr_like",
        "NOT_TOLD": episode["last"] + timedelta(days=30) > LAST_TOLD,
        "NO_PART_A" if definition == "hwr_like" else "NOT_ENROLLED": person["since"] == YEARS[1],
    }
    return next((name for name, holds in asked.items() if holds), "")


@pytest.mark.parametrize("definition", ["hwr_like", "pcr_like"])
def test_the_known_episodes_are_those_that_the_definition_makes_of_the_stays(root: Path, definition: str) -> None:
    known = people(root)
    drgs = {(row["BENE_ID"], row["CLM_FROM_DT"]): row["CLM_DRG_CD"] for row in bills(root)}
    stays = [s for s in stays_of(bills(root)) if s["ccn"][2:] < "0880"]
    if definition == "pcr_like":
        seen = [row for row in research_rows(root / PLANTED, "outpatient") if row["REV_CNTR"] == "0762"]
        assert [row["HCPCS_CD"] for row in seen] == ["G0378"]
        stays += stays_of([{**row, "CLM_ADMSN_DT": ""} for row in seen])
    episodes = episodes_of(stays, definition)
    found = []
    for at, one in enumerate(episodes):
        why = reason(one, known[one["member_id"]], definition)
        after = (
            episodes[at + 1] if at + 1 < len(episodes) and episodes[at + 1]["member_id"] == one["member_id"] else None
        )
        nearest = 1 if definition == "hwr_like" else 2
        returns = not why and after is not None and nearest <= (after["first"] - one["last"]).days <= 30
        first = f"{after['first']:%d-%b-%Y}" if after else ""
        is_planned = returns and drgs.get((one["member_id"], first)) == "470"
        found.append((one["member_id"], str(one["first"]), str(one["last"]), why, returns, returns and not is_planned))
    names = ("member_id", "first_day", "last_day", "not_index_reason")
    wanted = [
        (*[row[name] for name in names], row["is_readmitted"] == "true", row["is_readmitted_with_planned"] == "true")
        for row in csv_rows(root / EPISODES)
        if row["definition"] == definition
    ]
    assert sorted(found) == sorted(wanted)


def test_what_the_planted_people_add_up_to(root: Path) -> None:
    """Index stays, readmissions, and those where DRG 470 is planned."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in csv_rows(root / EPISODES):
        sums[row["definition"], "episodes"] += 1
        sums[row["definition"], "index"] += row["not_index_reason"] == ""
        sums[row["definition"], "readmitted"] += row["is_readmitted"] == "true"
        sums[row["definition"], "unplanned"] += row["is_readmitted_with_planned"] == "true"
    assert {name: sums["hwr_like", name] for name in ("episodes", "index", "readmitted", "unplanned")} == {
        "episodes": 19, "index": 14, "readmitted": 4, "unplanned": 3,
    }  # fmt: skip
    assert {name: sums["pcr_like", name] for name in ("episodes", "index", "readmitted", "unplanned")} == {
        "episodes": 20, "index": 16, "readmitted": 5, "unplanned": 4,
    }  # fmt: skip


def test_planted_people_have_ids_of_their_own_and_every_bill_stands_once(root: Path) -> None:
    ids = {planted_member_id(MEMBERS, n) for n in range(len(PEOPLE))}
    others = {row["BENE_ID"] for row in research_rows(root, "beneficiary_2022")}
    assert len(ids) == len(PEOPLE)
    assert not ids & others
    assert {row["BENE_ID"] for row in bills(root)} | {row["BENE_ID"] for row in bills(root, "outpatient")} == ids
    assert set(people(root)) == ids
    claims = [row["CLM_ID"] for kind in ("inpatient", "outpatient") for row in bills(root, kind)]
    of_others = {row["CLM_ID"] for kind in ("inpatient", "outpatient") for row in research_rows(root, kind)}
    assert len(claims) == len(set(claims)) == sum(len(person.bills) for person in PEOPLE)
    assert not set(claims) & of_others
    for kind in ("inpatient", "outpatient"):
        for row in bills(root, kind):
            assert (row["DML_IND"], row["FINAL_ACTION"], row["CLM_MDCR_NON_PMT_RSN_CD"].strip()) == ("INSERT", "F", "")
