"""Deliveries in any order, a few at a time or all at once, give the same tables; and those are what a plain recomputation
finds."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.model import CLAIM_DIAGNOSES, COVERAGE_RECORDS, LOAD_AUDIT, MEMBERS, REJECTS
from pmpm_spark.model.claim_lines import FINAL_CLAIM_LINES
from pmpm_spark.pipeline import run
from pmpm_spark.policy import policy_from
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.stages import GOLD
from pmpm_spark.table import Table
from pmpm_spark.warehouse import Published, published
from tests.cclf_files import LAYOUT
from tests.oracle.cclf_plain import figures

CUT = Path(__file__).parent / "data" / "cclf"
DELIVERIES = sorted(path for path in CUT.iterdir() if path.name.startswith("P."))
POLICY = {"name": "cclf", "eligibility": {"part_a_b": "current_month", "exclude_medicare_secondary": False}}
SAME: tuple[Table, ...] = (*GOLD, MEMBER_MONTHS, FINAL_CLAIM_LINES, COVERAGE_RECORDS, MEMBERS, CLAIM_DIAGNOSES)


def config(folder: Path) -> RunConfig:
    lists = {"member_attribution": str(folder / "lists" / "member_attribution.csv")}
    source = Source("cclf", str(folder / "in"), **lists)
    return RunConfig(source, Warehouse(str(folder / "warehouse")), (2023,), (policy_from(POLICY, "cclf", {}),))


def write_list(folder: Path) -> None:
    (folder / "lists").mkdir(parents=True)
    rows = "performance_year,member_id,network_id\n2023,1S00E00AG13,N1\n"
    (folder / "lists" / "member_attribution.csv").write_text(rows)


def by_deliveries(spark: SparkSession, folder: Path, groups: list[list[Path]]) -> Published:
    """Drop each group of deliveries into the folder and load; then run all."""
    write_list(folder)
    (folder / "in").mkdir()
    for group in groups[:-1]:
        for path in group:
            shutil.copy(path, folder / "in")
        run(spark, config(folder), group="load")
    for path in groups[-1]:
        shutil.copy(path, folder / "in")
    run(spark, config(folder))
    return published(spark, config(folder))


@pytest.fixture(scope="module")
def at_once(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return by_deliveries(spark, tmp_path_factory.mktemp("at_once"), [DELIVERIES])


def held(warehouse: Published, table: Table) -> Counter[str]:
    return Counter(repr(tuple(row)) for row in warehouse.read(table).collect())


def test_deliveries_one_after_the_other_in_any_order_give_the_same_tables(
    spark: SparkSession, tmp_path: Path, at_once: Published
) -> None:
    order = random.Random(1).sample(DELIVERIES, len(DELIVERIES))
    one_by_one = by_deliveries(spark, tmp_path, [order[:1], order[1:3], order[3:]])
    for table in SAME:
        assert held(one_by_one, table) == held(at_once, table), table.name
    counts = ("_source_file", "rows_read", "accepted", "rejected", "duplicate", "superseded", "amount_read")
    audits = [
        sorted(map(tuple, warehouse.read(LOAD_AUDIT).select(*counts).collect())) for warehouse in (one_by_one, at_once)
    ]
    assert audits[0] == audits[1]


def test_the_figures_are_those_of_a_plain_recomputation(at_once: Published) -> None:
    told = figures(CUT, LAYOUT)
    lines = at_once.read(FINAL_CLAIM_LINES).where("NOT is_denied").collect()
    net: dict[str, dict[str, Decimal]] = {}
    for row in lines:
        amount = row["patient_paid_amount" if row["claim_type"] == "pharmacy" else "paid_amount"]
        of_type = net.setdefault(row["claim_type"], {})
        month = f"{row['service_thru']:%Y-%m}"
        of_type[month] = of_type.get(month, Decimal(0)) + amount
    assert net == told.net_paid
    months = at_once.read(MEMBER_MONTHS).where("is_eligible").collect()
    assert Counter(f"{row['member_month']:%Y-%m}" for row in months) == told.member_months


def test_the_cut_holds_what_makes_netting_hard(at_once: Published) -> None:
    """Else the tests above would prove little."""
    audit = at_once.read(LOAD_AUDIT).groupBy().sum("rejected", "duplicate").collect()[0]
    assert all(count > 0 for count in audit), audit
    assert at_once.read(REJECTS).count() == audit[0]
    removed: Any = at_once.read(FINAL_CLAIM_LINES).where("adjustment = 'replacement'").count()
    assert removed > 0


def test_a_list_may_name_a_person_by_a_former_id(at_once: Published) -> None:
    from pmpm_spark.model import MEMBER_ATTRIBUTION, MEMBER_ID_CHANGES

    changes = {row["previous_id"]: row["member_id"] for row in at_once.read(MEMBER_ID_CHANGES).collect()}
    listed = [row["member_id"] for row in at_once.read(MEMBER_ATTRIBUTION).collect()]
    assert listed == [changes["1S00E00AG13"]]


def test_the_loads_are_told_with_their_counts(at_once: Published) -> None:
    from pmpm_spark.cli.loads import loads

    by_load = loads(at_once, by_file=False)
    told = [dict(zip(by_load.names, row, strict=True)) for row in by_load.rows]
    assert [row["files"] for row in told] == [10 * len(DELIVERIES) + 1]  # and the list
    by_file = loads(at_once, by_file=True)
    files = [dict(zip(by_file.names, row, strict=True)) for row in by_file.rows]
    assert len(files) == told[0]["files"]
    for name in ("rows_read", "accepted", "rejected", "duplicate", "superseded", "amount_read"):
        assert sum(row[name] for row in files) == told[0][name], name
