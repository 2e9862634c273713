"""A delivery in which much is wrong, with the fate of every row, and the figures of the good ones, worked out by hand.

Ids, names and dates in it, in good rows and bad, occur nowhere else: they are the canaries, and none may be seen outside
the tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.warehouse import Published
from tests import panel
from tests.rif_files import claim, enrolled, heading, visit, write

ONE, TWO, THREE, FOUR, NINE = (f"CNRYMEMBER{n}" for n in (1, 2, 3, 4, 9))
CANARIES = (
    "CNRY",  # in every id and name
    *("17-Sep-1931", "17-SEP-1931", "1931-09-17"),  # births
    *("23-Nov-2021", "23-NOV-2021", "2021-11-23"),  # a death
    *("19-Oct-2021", "2021-10-19", "31-Feb-2021"),  # services
)
BORN = {"BENE_BIRTH_DT": "17-Sep-1931"}
FIELDS = "the number of fields is not that of the heading"


def write_delivery(folder: Path) -> None:
    """Claims and enrollment with a fault in most lines; the comments give the fate of each."""
    january_to_november = "33333333333 "
    people = [
        enrolled(ONE, 2021, **BORN),
        enrolled(TWO, 2021, january_to_november, DEATH_DT="23-Nov-2021", **BORN),
        enrolled(THREE, 2021, **BORN),
        enrolled(FOUR, 2021, BENE_BIRTH_DT="31-Feb-2021"),  # rejected
        enrolled(FOUR, 2021, "Z33333333333", **BORN),  # rejected
        enrolled(FOUR, 20211, **BORN),  # rejected
        enrolled(THREE, 2021, **BORN),  # duplicate
        enrolled(FOUR, 2021, **BORN)[:60],  # rejected: the file ends here
    ]
    folder.mkdir(parents=True)
    marked = "\ufeff" + "\n".join(["|".join(heading("beneficiary")), *people])
    (folder / "beneficiary.csv").write_text(marked, encoding="utf-8")

    day = "19-Oct-2021"
    lines = [
        visit("CNRYCLAIM1", ONE, day, "100", "111", "9001"),
        visit("CNRYCLAIM1", ONE, day, "70", "111", "9001", NCH_WKLY_PROC_DT="01-Nov-2021"),  # superseded
        visit("CNRYCLAIM2", TWO, day, "50", "111", "9001"),
        visit("CNRYCLAIM3", ONE, day, "10", "111", "9001", LINE_NCH_PMT_AMT="CNRYAMOUNT"),  # rejected
        visit("CNRYCLAIM4", ONE, "31-Feb-2021", "10", "111", "9001"),  # rejected
        claim("carrier", "CNRYCLAIM5", ONE, day, "18-Oct-2021", "10"),  # rejected
        visit("", ONE, day, "10", "111", "9001"),  # rejected
        visit("CNRYCLAIM6", NINE, day, "31.25", "111", "9001"),  # accepted, of nobody enrolled
        visit("CNRYCLAIM7", "", day, "10", "111", "9001", LINE_NUM="one", LINE_ALOWD_CHRG_AMT="1O"),  # rejected
        visit("CNRYCLAIM8", ONE, day, "10", "111", "9001")[:200],  # rejected: the file ends here
    ]
    windows = "\r\n".join(["|".join(heading("carrier")), *lines])
    (folder / "carrier.csv").write_bytes(windows.encode())

    bills = [
        claim("outpatient", "CNRYCLAIM10", ONE, day, day, "200") + "|",  # a separator may close the line
        claim("outpatient", "CNRYCLAIM11", ONE, day, day, "200") + "|CNRYFIELD",  # rejected
    ]
    write(folder, "outpatient.csv", "outpatient", *bills)
    write(folder, "hospice.csv", "hospice")
    (folder / "snf.csv").write_bytes(b"")
    stay = claim("inpatient", "CNRYCLAIM20", ONE, day, "20-Oct-2021", "500")
    write(folder, "inpatient.csv", "inpatient", stay)
    write(folder, "sent again/stays.csv", "inpatient", stay)
    write(folder, "pde.csv", "pde", claim("pde", "CNRYCLAIM30", ONE, "", "", "5"))  # rejected
    (folder / "README.txt").write_text("CNRYREADME is no claim\n")


def write_lists(folder: Path) -> None:
    """Rosters that name nobody, scores that are none, and a heading in an order of its own."""
    panel.write_lists(folder)
    roster = [
        "\ufeffnetwork_id,network_name,network_type,tin,npi,ccn,start_date,end_date,remark",
        "N1,First,MSSP,111,,,,,CNRYREMARK",
        "N2,Names nobody,MSSP,999999999,,,2014-01-01,,",
        "N3,Names nothing,MSSP,,,,,,",  # rejected
        "N4,No day,MSSP,222,,,2021-02-30,,",  # rejected
        "",
    ]
    (folder / "network_roster.csv").write_bytes("\r\n".join(roster).encode())
    (folder / "providers.csv").write_text(
        'name,npi,specialty,taxonomy\n"CNRYNAME, Jane",9001,08,\nCNRYNAME John,,08,\nCNRYNAME\n'  # two rejected
    )
    scores = f"{ONE},2021,1.2\n{TWO},2021,CNRYSCORE\n{THREE},2021,-1\n"  # two rejected
    (folder / "risk_scores.csv").write_text("member_id,performance_year,risk_score\n" + scores)
    (folder / "member_attribution.csv").write_text(
        "performance_year,member_id,network_id\n2021,CNRYNOBODY,N1\n2021,,N1\n"  # the second rejected
    )


FATES = {
    "beneficiary.csv": (8, 3, 4, 1, 0),
    "carrier.csv": (10, 3, 6, 0, 1),
    "hospice.csv": (0, 0, 0, 0, 0),
    "inpatient.csv": (1, 1, 0, 0, 0),
    "outpatient.csv": (2, 1, 1, 0, 0),
    "pde.csv": (1, 0, 1, 0, 0),
    "network_roster.csv": (4, 2, 2, 0, 0),
    "providers.csv": (3, 1, 2, 0, 0),
    "risk_scores.csv": (3, 1, 2, 0, 0),
    "member_attribution.csv": (2, 1, 1, 0, 0),
}
"""Rows read, accepted, rejected, duplicate, superseded."""
NETWORKS = [
    ("N1", "2", "23.000000", "820.00", "1", "546.67"),
    ("UNATTRIBUTED", "1", "12.000000", "0.00", "0", "None"),
]
"""ONE: 80 + 200 + 500 in 12 months, risk 1.2 / 0.8; TWO: 40 in the 11 months to the death; THREE: nothing."""
LEFT_OUT = [
    ("dollar", "NOT_ENROLLED", "None", "25.00"),
    ("month", "DECEASED", "1.000000", "None"),
]


def canaries_in(where: str) -> list[str]:
    return [canary for canary in CANARIES if canary in where]


def fates(warehouse: Published) -> dict[str, tuple[Any, ...]]:
    names = ("_source_file", "rows_read", "accepted", "rejected", "duplicate", "superseded")
    return {row["_source_file"]: tuple(row)[1:] for row in warehouse.read(LOAD_AUDIT).select(*names).collect()}


def figures(warehouse: Published) -> list[tuple[str, ...]]:
    names = ("network_id", "members", "member_months", "paid_amount", "scored_members", "adjusted_amount")
    read = warehouse.read(NETWORK_PMPM).orderBy("network_id")
    return [tuple(str(cell) for cell in row) for row in read.select(*names).collect()]


def left_out(warehouse: Published) -> list[tuple[str, ...]]:
    names = ("kind", "reason", "member_months", "paid_amount")
    read = warehouse.read(EXCLUDED).orderBy("kind", "reason")
    return [tuple(str(cell) for cell in row) for row in read.select(*names).collect()]
