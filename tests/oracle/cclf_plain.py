"""CCLF deliveries recomputed in plain Python from the raw bytes, with nothing of the package: the figures that the
pipeline must reproduce.

By the delivered set's README: newest id, same version once, cancels subtracted (signed sums, no pairing), cancels of
what was not delivered left out, the latest Part D record of a key.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

Record = dict[str, str]
Money = dict[str, dict[str, Decimal]]

DELIVERY = re.compile(r"P\.\w+\.ACO\.ZC([YR])(\d\d)\.D(\d\d)(\d\d)(\d\d)\.T\d+")
TYPES = {
    "10": "home_health",
    "20": "snf",
    "30": "snf",
    "40": "outpatient",
    "50": "hospice",
    "60": "inpatient",
    "61": "inpatient",
}
PART_D_KEY = (
    "CLM_LINE_FROM_DT", "PRVDR_SRVC_ID_QLFYR_CD", "CLM_SRVC_PRVDR_GNRC_ID_NUM", "CLM_DSPNSNG_STUS_CD",
    "CLM_LINE_RX_SRVC_RFRNC_NUM", "CLM_LINE_RX_FILL_NUM",
)  # fmt: skip


@dataclass
class Figures:
    """Net paid by type and month, in all months and in member months; member months; counts of what stands."""

    net_paid: Money = field(default_factory=dict)
    net_paid_in_member_months: Money = field(default_factory=dict)
    member_months: dict[str, int] = field(default_factory=dict)
    final_claims: Counter[str] = field(default_factory=Counter)
    final_lines: Counter[str] = field(default_factory=Counter)


def read_layout(path: Path) -> dict[str, list[tuple[str, int, int]]]:
    layout = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            layout[row["file"]].append((row["field"], int(row["start"]) - 1, int(row["end"])))
    return layout


def records(folder: Path, layout: dict[str, list[tuple[str, int, int]]]) -> Iterator[tuple[str, str, str, Record]]:
    """Kind, Y or R, file date and fields of every record of every zip in the folder."""
    for path in sorted(folder.iterdir()):
        told = DELIVERY.fullmatch(path.name)
        if told is None:
            continue
        file_date = f"20{told[3]}-{told[4]}-{told[5]}"
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                kind = f"CCLF{name.split('.ZC')[1][0]}"
                for line in archive.read(name).decode("ascii").splitlines() if kind != "CCLF0" else ():
                    yield kind, told[1], file_date, {f: line[a:b].strip() for f, a, b in layout[kind]}


def figures(folder: Path, layout_file: Path) -> Figures:
    delivered = defaultdict(list)
    for kind, regular, file_date, record in records(folder, read_layout(layout_file)):
        delivered[kind].append((regular, file_date, record))
    current = _current_ids(delivered["CCLF9"])
    found = Figures()
    deaths, listed = _enrollment(delivered["CCLF8"], current)
    in_month = {
        (who, month)
        for (who, month), buyin in listed.items()
        if buyin & {"3", "C"} and not (who in deaths and deaths[who][:7] < month)
    }
    found.member_months = dict(sorted(Counter(month for _, month in in_month).items()))
    for claim_type, claim_id, who, month, amount in _standing(delivered, current):
        _add(found.net_paid, claim_type, month, amount)
        if (who, month) in in_month:
            _add(found.net_paid_in_member_months, claim_type, month, amount)
        del claim_id
    return found


def _add(sums: Money, claim_type: str, month: str, amount: Decimal) -> None:
    of_type = sums.setdefault(claim_type, {})
    of_type[month] = of_type.get(month, Decimal(0)) + amount


def _current_ids(changes: list[tuple[str, str, Record]]) -> dict[str, str]:
    newest: dict[str, tuple[str, str]] = {}
    for _, file_date, record in changes:
        told = (file_date, record["CRNT_NUM"])
        newest[record["PRVS_NUM"]] = max(newest.get(record["PRVS_NUM"], told), told)
    direct = {previous: now for previous, (_, now) in newest.items() if previous != now}
    resolved = {}
    for start in direct:
        end = start
        while end in direct:
            end = direct[end]
        resolved[start] = end
    return resolved


def _enrollment(
    rows: list[tuple[str, str, Record]], current: dict[str, str]
) -> tuple[dict[str, str], dict[tuple[str, str], set[str]]]:
    deaths: dict[str, tuple[str, str]] = {}
    listed = defaultdict(set)
    for regular, file_date, record in rows:
        who = current.get(record["BENE_MBI_ID"], record["BENE_MBI_ID"])
        if record["BENE_DEATH_DT"] not in ("", "1000-01-01", "9999-12-31"):
            told = (file_date, record["BENE_DEATH_DT"])
            deaths[who] = max(deaths.get(who, told), told)
        if regular == "Y":
            year, month = int(file_date[:4]), int(file_date[5:7])
            told_month = f"{year - (month == 1)}-{12 if month == 1 else month - 1:02d}"
            listed[who, told_month].add(record["BENE_ENTLMT_BUYIN_IND"])
    return {who: day for who, (_, day) in deaths.items()}, listed


def _standing(
    delivered: dict[str, list[tuple[str, str, Record]]], current: dict[str, str]
) -> Iterator[tuple[str, str, str, str, Decimal]]:
    """Type, claim, person, month and signed amount of every version that takes part."""

    def who(record: Record) -> str:
        return current.get(record["BENE_MBI_ID"], record["BENE_MBI_ID"])

    part_a = {r["CUR_CLM_UNIQ_ID"]: r for _, _, r in delivered["CCLF1"]}
    groups = defaultdict(list)
    for record in part_a.values():
        groups[record["CLM_BLG_PRVDR_OSCAR_NUM"], record["CLM_FROM_DT"], record["CLM_THRU_DT"], who(record)].append(
            record
        )
    for versions in groups.values():
        for record, sign in _signed(versions):
            if not record["CLM_MDCR_NPMT_RSN_CD"]:
                amount = sign * Decimal(record["CLM_PMT_AMT"])
                yield (
                    TYPES[record["CLM_TYPE_CD"]],
                    record["CUR_CLM_UNIQ_ID"],
                    who(record),
                    record["CLM_THRU_DT"][:7],
                    amount,
                )

    for kind, claim_type in (("CCLF5", "professional"), ("CCLF6", "dme")):
        lines = {(r["CUR_CLM_UNIQ_ID"], r["CLM_LINE_NUM"]): r for _, _, r in delivered[kind]}
        groups = defaultdict(list)
        for record in lines.values():
            groups[record["CLM_CNTL_NUM"], who(record), record["CLM_LINE_NUM"]].append(record)
        for versions in groups.values():
            for record, sign in _signed(versions):
                if record["CLM_CARR_PMT_DNL_CD"].lstrip("0") == "" and record["CLM_CARR_PMT_DNL_CD"]:
                    continue
                if record["CLM_PRCSG_IND_CD"] not in ("", "A", "O", "R", "S"):
                    continue
                amount = sign * Decimal(record["CLM_LINE_CVRD_PD_AMT"])
                last_day = record["CLM_LINE_THRU_DT"] or record["CLM_THRU_DT"]
                yield claim_type, record["CUR_CLM_UNIQ_ID"], who(record), last_day[:7], amount

    latest: dict[tuple[str, ...], tuple[tuple[str, str], Record]] = {}
    for _, _, record in delivered["CCLF7"]:
        key = tuple(record[name] for name in PART_D_KEY)
        order = (record["CLM_EFCTV_DT"], record["CUR_CLM_UNIQ_ID"])
        if key not in latest or latest[key][0] < order:
            latest[key] = (order, record)
    for _, record in latest.values():
        if record["CLM_ADJSMT_TYPE_CD"] != "1":
            amount = Decimal(record["CLM_LINE_BENE_PMT_AMT"])
            yield "pharmacy", record["CUR_CLM_UNIQ_ID"], who(record), record["CLM_LINE_FROM_DT"][:7], amount


def _signed(versions: list[Record]) -> Iterator[tuple[Record, int]]:
    """Each version once; a cancel minus, and not at all where what it cancels was not delivered."""
    others = [record for record in versions if record["CLM_ADJSMT_TYPE_CD"] != "1"]
    for record in versions:
        if record["CLM_ADJSMT_TYPE_CD"] != "1":
            yield record, 1
        elif any(_cancels(record, other) for other in others):
            yield record, -1


def _cancels(cancel: Record, other: Record) -> bool:
    if cancel.get("CLM_ORG_CNTL_NUM"):
        return cancel["CLM_ORG_CNTL_NUM"] == other["CLM_CNTL_NUM"]
    name = "CLM_PMT_AMT" if "CLM_PMT_AMT" in cancel else "CLM_LINE_CVRD_PD_AMT"
    return Decimal(cancel[name]) == Decimal(other[name])
