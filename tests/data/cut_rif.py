"""Cut tests/data/rif out of the shared set: 40 whole people, and what the lists beside the claims say of them.

    python tests/data/cut_rif.py [FOLDER OF THE WHOLE SET]

By default the folder is rif below the shared data (PMPM_SHARED, see tests/conftest.py). Every row of a chosen person
is kept as it was delivered, in its order, in all files and years; nothing is changed. The same input gives the same
bytes. `totals.json` is counted here from the cut files, in plain Python: the tests hold the package against it.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "rif"

# Few rows each, and together: every type of claim; each network by roster and by plurality; members who change
# network; deaths in 2019-2023, and a claim after one; months in Part A alone; who turns 65 within the years, and who
# leaves; no risk score; disabled, ESRD, dual; emergency visits, stays of several bills, pass-through.
PEOPLE = (
    "-1000006", "-1000023", "-1000036", "-1000059", "-1000081", "-1000099", "-1000105", "-1000107", "-1000130",
    "-1000151", "-1000156", "-1000162", "-1000200", "-1000202", "-1000218", "-1000235", "-1000254", "-1000262",
    "-1000266", "-1000287", "-1000304", "-1000316", "-1000325", "-1000359", "-1000388", "-1000400", "-1000407",
    "-1000417", "-1000418", "-1000427", "-1000435", "-1000444", "-1000463", "-1000476", "-1000488", "-1000506",
    "-1000512", "-1000514", "-1000518", "-1000522",
)  # fmt: skip
CLAIMS = ("inpatient", "outpatient", "snf", "hha", "hospice", "carrier", "dme", "pde")
BY_MEMBER = ("risk_scores", "member_attribution")
NPI_COLUMNS = ("ORG_NPI_NUM", "PRF_PHYSN_NPI", "RNDRNG_PHYSN_NPI", "PRVDR_NPI", "SRVC_PRVDR_ID", "PRSCRBR_ID")


def main() -> None:
    shared = Path(os.environ.get("PMPM_SHARED", HERE.parent.parent.parent / "shared"))
    whole = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data" / "rif"
    OUT.mkdir(exist_ok=True)
    npis: set[str] = set()
    for path in sorted(whole.glob("*.csv.gz")):
        npis |= cut_claims(path, OUT / path.name)
    for name in BY_MEMBER:
        npis |= cut_list(whole / f"{name}.csv", OUT / f"{name}.csv", "member_id", set(PEOPLE))
    roster = (whole / "network_roster.csv").read_bytes()
    (OUT / "network_roster.csv").write_bytes(roster)
    cut_list(whole / "providers.csv", OUT / "providers.csv", "npi", npis)
    (OUT / "totals.json").write_text(json.dumps(totals(), indent=2) + "\n", encoding="utf-8")


def cut_claims(source: Path, target: Path) -> set[str]:
    """Write the chosen people's lines, and return the NPIs that stand on them."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        heading = file.readline()
        names = heading.rstrip("\n").split("|")
        person = names.index("BENE_ID")
        kept = [line for line in file if line.split("|")[person] in PEOPLE]
    # without the time of day and the file's name in its header, a gzip of equal text has equal bytes
    packed = gzip.compress("".join([heading, *kept]).encode(), compresslevel=9, mtime=0)
    target.write_bytes(packed)
    places = [names.index(name) for name in NPI_COLUMNS if name in names]
    return {line.rstrip("\n").split("|")[place].strip() for line in kept for place in places}


def cut_list(source: Path, target: Path, column: str, wanted: set[str]) -> set[str]:
    """Write the rows whose `column` is wanted, and return the NPIs of physicians on them."""
    with source.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if row[column] in wanted]
        names = list(reader.fieldnames or ())
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return {row["physician_npi"] for row in rows if row.get("physician_npi")}


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        names = file.readline().rstrip("\n").split("|")
        for line in file:
            yield dict(zip(names, (cell.strip() for cell in line.rstrip("\n").split("|")), strict=True))


def totals() -> dict[str, Any]:
    """Rows, claims and dollars by type of file, and months in Part A and B by year."""
    counted: dict[str, Any] = {"people": len(PEOPLE), "claims": {kind: claim_totals(kind) for kind in CLAIMS}}
    rows, months = {}, {}
    for path in sorted(OUT.glob("beneficiary_*.csv.gz")):
        year = path.name[12:16]
        people = list(rows_of(path))
        rows[year] = len(people)
        months[year] = sum(row[f"MDCR_ENTLMT_BUYIN_{i}_IND"] in ("3", "C") for row in people for i in range(1, 13))
    counted["beneficiary_rows"] = rows
    counted["months_in_part_a_and_b"] = months
    counted["deaths"] = sum(bool(row["DEATH_DT"]) for path in OUT.glob("benef*") for row in rows_of(path))
    return counted


def claim_totals(kind: str) -> dict[str, Any]:
    rows = list(rows_of(OUT / f"{kind}.csv.gz"))
    if kind == "pde":
        paid = sum(Decimal(row["CVRD_D_PLAN_PD_AMT"] or 0) for row in rows)
        return {"rows": len(rows), "claims": len({row["PDE_ID"] for row in rows}), "paid": f"{paid:.2f}"}
    header = {row["CLM_ID"]: row for row in reversed(rows)}  # the first row of each claim stays
    paid = sum(Decimal(row["CLM_PMT_AMT"] or 0) for row in header.values())
    told = {"rows": len(rows), "claims": len(header), "paid": f"{paid:.2f}"}
    if kind == "inpatient":
        extra = sum(
            Decimal(row["CLM_PASS_THRU_PER_DIEM_AMT"] or 0) * Decimal(row["CLM_UTLZTN_DAY_CNT"] or 0)
            for row in header.values()
        )
        told["pass_through"] = f"{extra:.2f}"
    return told


if __name__ == "__main__":
    main()
