"""The demo's figures against an independent computation: DuckDB on the demo's raw files, deltalake on its tables. And the
planted differences of its networks lie inside their intervals, its payment runs find every planted change, and the
scores of its surveys are those of the list and near what is planted.

make demo && .venv/bin/python tests/check_demo.py
"""

from __future__ import annotations

import csv
import os
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from deltalake import DeltaTable  # noqa: E402

from pmpm_spark.reference import NORMALIZATION_FACTORS, PRIMARY_CARE_HCPCS, reference_rows  # noqa: E402
from tests.oracle.rif_duckdb import OracleSettings, check_identities, recompute  # noqa: E402
from tests.planted import survey_faults  # noqa: E402

KEYS = {
    "network_pmpm": ("performance_year", "network_id"),
    "practice_pmpm": ("performance_year", "network_id", "practice_tin"),
    "physician_pmpm": ("performance_year", "network_id", "physician_npi"),
    "excluded": ("performance_year", "kind", "reason"),
}
EXACT = ("members", "member_months", "paid_amount", "counted_amount", "in_network_paid_amount", "adjusted_amount")
NEAR = ("pmpm", "adjusted_pmpm", "normalized_risk_score")


def main(note: Path) -> int:
    config = tomllib.loads(note.read_text(encoding="utf-8"))
    source, warehouse = config["source"], Path(config["warehouse"]["path"])
    expected = recompute(
        source["path"],
        network_roster=source["network_roster"],
        risk_scores=source["risk_scores"],
        member_attribution=source["member_attribution"],
        factors={int(row[0]): Decimal(row[1]) for row in reference_rows(NORMALIZATION_FACTORS)},
        primary_care_hcpcs=str(REPOSITORY / "pmpm_spark" / "reference" / f"{PRIMARY_CARE_HCPCS.short_name}.csv"),
        settings=OracleSettings(performance_years=tuple(config["performance_years"])),
    )
    check_identities(expected)
    faults = []
    compared = 0
    for name, key in KEYS.items():
        found = _by_key(DeltaTable(str(warehouse / "gold" / name)).to_pyarrow_table().to_pylist(), key)
        wanted = _by_key(expected[name], key)
        if set(found) != set(wanted):
            faults.append(f"{name}: other rows: {sorted(set(found) ^ set(wanted))[:3]}")
            continue
        compared += len(found)
        faults += [f"{name} {row}: {fault}" for row in wanted for fault in _differences(found[row], wanted[row])]
    faults += _planted(warehouse, max(config["performance_years"]))
    faults += _changes(warehouse, Path(source["path"]) / "_changes")
    tables = [warehouse / "gold" / "experience_scores", warehouse / "silver" / "attribution"]
    scores, attribution = (DeltaTable(str(table)).to_pyarrow_table().to_pylist() for table in tables)
    faults += survey_faults(Path(source["path"]), scores, attribution)
    faults += _episodes(warehouse, Path(source["path"]) / "_episodes", config["performance_years"])
    faults += _finances(warehouse, Path(source["contract_finance"]))
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    print(
        f"{compared} rows of {len(KEYS)} gold tables compared with the independent computation, {len(faults)} differences"
    )
    return 1 if faults or not compared else 0


PLANTED = {
    ("A2001", "A2002"): 1 - 1.3225,
    ("A2001", "D3002"): 0.0,
    ("A2001", "P4001"): 1 - 0.81,
    ("D3001", "D3002"): 0.0,
}
"""What the generator makes one network dearer than another, as a share of the first (docs/generator.md). D3001 costs 22%
more a month than D3002, and all of it is risk."""


def _planted(warehouse: Path, year: int) -> list[str]:
    """The planted differences that do not lie inside their intervals."""
    table = DeltaTable(str(warehouse / "gold" / "network_comparison")).to_pyarrow_table()
    key = ("performance_year", "network_id", "other_network_id")
    found = _by_key(table.to_pylist(), key)
    faults = []
    for pair, share in PLANTED.items():
        row = found[(year, *pair)]
        truth = share * row["figure"]
        if not row["difference_low"] <= truth <= row["difference_high"]:
            faults.append(
                f"{' less '.join(pair)}: {truth:.2f} is planted, the interval is {row['difference_low']:.2f} to "
                f"{row['difference_high']:.2f}"
            )
    return faults


def _changes(warehouse: Path, planted: Path) -> list[str]:
    """What the second payment run posted, or kept back, of months before it, and what is planted (docs/generator.md)."""
    rows = [row for path in sorted(planted.glob("*.csv")) for row in csv.DictReader(path.open(encoding="utf-8"))]
    names = ("contract_id", "member_id", "coverage_month", "reason")
    wanted = {(*[row[n] for n in names], Decimal(row["amount"]), row["is_posted"] == "true") for row in rows}
    ledger, unposted = (
        DeltaTable(str(warehouse / "gold" / name)).to_pyarrow_table().to_pylist()
        for name in ("capitation_ledger", "capitation_unposted")
    )
    told = [(row, row["amount"], True) for row in ledger] + [(row, row["unposted_amount"], False) for row in unposted]
    found = {
        (row["contract_id"], row["member_id"], row["coverage_month"].isoformat(), row["reason"], amount, is_posted)
        for row, amount, is_posted in told
        if row["posting_run"] == 2 and row["reason"] != "NEW_MONTH"
    }
    faults = [f"planted and not found: {row[2:]}" for row in wanted - found]
    faults += [f"found and not planted: {row[2:]}" for row in found - wanted]
    if {row["reason"] for row in ledger if row["posting_run"] == 1} != {"NEW_MONTH"}:
        faults.append("the first payment run posts something else than new months")
    if not wanted or max(row["posting_run"] for row in ledger) != 2:
        faults.append("nothing is planted, or there are not two payment runs that post")
    return faults


def _episodes(warehouse: Path, planted: Path, years: list[int]) -> list[str]:
    """Episodes of the planted people, why each is no index, and whether it is readmitted."""
    told = [row for path in sorted(planted.glob("*.csv")) for row in csv.DictReader(path.open(encoding="utf-8"))]
    names = ("definition", "member_id", "first_day", "last_day", "not_index_reason")
    wanted = {
        (*[row[n] for n in names], row["is_readmitted"] == "true") for row in told if int(row["last_day"][:4]) in years
    }
    rows = DeltaTable(str(warehouse / "silver" / "readmissions")).to_pyarrow_table().to_pylist()
    people = {row["member_id"] for row in told}
    found = {
        (r["kind"], r["member_id"], r["first_day"].isoformat(), r["last_day"].isoformat(), r["not_index_reason"] or "",
         r["is_index"] and r["is_readmitted"])
        for r in rows if r["member_id"] in people
    }  # fmt: skip
    # the month of a planted episode may not count under the demo's policy, which the plants say nothing of
    uncounted = {row[:4] for row in found if row[4] == "MONTH_NOT_ELIGIBLE"}
    faults = [f"planted episode, not found: {row[2:]}" for row in wanted - found if row[:4] not in uncounted]
    faults += [f"episode, not planted: {row[2:]}" for row in found - wanted if row[:4] not in uncounted]
    return faults if wanted else ["no episode is planted"]


def _finances(warehouse: Path, planted: Path) -> list[str]:
    """The result of each contract's year, from what is due, what is planted, and the actual of its variance."""
    told = [row for path in sorted(planted.glob("*.csv")) for row in csv.DictReader(path.open(encoding="utf-8"))]
    tables = {
        name: DeltaTable(str(warehouse / layer / name)).to_pyarrow_table().to_pylist()
        for layer, name in (("gold", "financial_performance"), ("silver", "capitation_due"))
    }
    found = _by_key(tables["financial_performance"], ("contract_id", "performance_year"))
    faults = [] if told else ["no contract's finances are planted"]
    for row in told:
        one = found[row["contract_id"], int(row["year"])]
        given = {name: Decimal(text or 0) for name, text in row.items() if name not in ("contract_id", "year")}
        due = [r for r in tables["capitation_due"] if r["contract_id"] == row["contract_id"] and r["is_due"]]
        revenue = sum(r["due_amount"] - r["withhold_due"] for r in due) + given["withhold_returned"]
        costs = sum(given[name] for name in ("administrative_cost", "quality_improvement_cost", "taxes_and_fees"))
        wanted = {
            "revenue_amount": revenue,
            "margin_amount": revenue - one["medical_amount"] - costs,
            "pmpm_less_ffs_amount": revenue - one["medical_amount"],
            **{name: Decimal(text) if text else None for name, text in row.items() if name in one and name in given},
        }
        faults += [
            f"{row['contract_id']}: {name} is {one[name]}, independently {value}"
            for name, value in wanted.items()
            if not _equal(one[name], value)
        ]
    return faults


def _by_key(rows: list[dict[str, Any]], key: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in key): row for row in rows}


def _differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    faults = []
    for name in EXACT:
        if name in wanted and name in found and not _equal(found[name], wanted[name]):
            faults.append(f"{name} is {found[name]}, independently {wanted[name]}")
    for name in NEAR:
        if name in wanted and not _near(found[name], wanted[name]):
            faults.append(f"{name} is {found[name]}, independently {wanted[name]}")
    return faults


def _equal(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return Decimal(found) == Decimal(wanted)


def _near(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return abs(float(found) - float(wanted)) <= 1e-9 * max(1.0, abs(float(wanted)))


if __name__ == "__main__":
    exit_code = main(Path(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY / "build" / "demo" / "demo.toml"))
    sys.stdout.flush()
    os._exit(exit_code)  # two native libraries' threads can abort the interpreter while it closes down
