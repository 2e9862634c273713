"""Two payment runs over generated contracts find what the generator planted, to the member, month, reason and cent; and
what is loaded between them is no more than what changed."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.capitation import CapitationResult, capitate
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.generate import CHANGES, LATER, RIF, generate
from pmpm_spark.generate.truth import PLANTED_OF_K1, PLANTED_OF_K2, STRANGER, payment_days
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED
from pmpm_spark.model import CLAIM_LINES, CONTRACT_MEMBERS, CONTRACT_RATES, LOAD_AUDIT, MEMBERS
from pmpm_spark.pipeline import RunResult, run
from pmpm_spark.policy import Policy
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.table import Table
from pmpm_spark.warehouse import published
from tests.partly import run_without_gold

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is several whole runs

MEMBERS_GENERATED, YEARS, SEED = 400, (2021, 2022), 3
FIRST, SECOND = payment_days(YEARS)
LISTS = (
    "network_roster", "providers", "risk_scores", "member_attribution", "contracts", "contract_rates",
    "contract_members", "contract_budget",
)  # fmt: skip


@dataclass
class Paid:
    """A warehouse after both payment runs, and the load between them."""

    spark: SparkSession
    config: RunConfig
    root: Path
    load: RunResult
    again: CapitationResult

    def rows(self, table: Table) -> list[dict[str, Any]]:
        return [row.asDict() for row in published(self.spark, self.config).read(table).collect()]


@pytest.fixture(scope="module", params=["rif", "common"])
def paid(request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Paid:
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    root = folder / "input"
    generate(spark, str(root), members=MEMBERS_GENERATED, years=YEARS, seed=SEED, file_format=kind)
    told: dict[str, Any] = {} if kind == RIF else {"format": "parquet"}
    told |= {name: str(root / name) for name in LISTS}
    first = Source(kind, str(root if kind == RIF else root / kind), **told)
    config = RunConfig(first, Warehouse(str(folder / "warehouse")), YEARS[1:], (Policy("default"),))
    run_without_gold(spark, config)
    capitate(spark, config, FIRST)
    later = root / LATER
    second = replace(
        first,
        path=str(later / RIF) if kind == RIF else first.path,
        contract_rates=str(later / "contract_rates"),
        contract_members=str(later / "contract_members"),
    )
    config = replace(config, source=second)
    load = run(spark, config, group="load")
    run(spark, config, only="silver.eligibility_spans")
    capitate(spark, config, SECOND)
    return Paid(spark, config, root, load, capitate(spark, config, SECOND))


def test_the_second_run_finds_what_is_planted_and_nothing_else(paid: Paid) -> None:
    planted = {
        (row["contract_id"], row["member_id"], row["coverage_month"], row["reason"], row["amount"], row["is_posted"])
        for path in (paid.root / CHANGES).glob("*.csv")
        for row in csv.DictReader(path.open())
    }
    reasons = {row[3] for row in planted}
    assert {"RETRO_ENROLLMENT", "RETRO_TERMINATION", "RATE_CHANGE"} <= reasons
    assert ({"DEATH", "RATE_CELL_CHANGE"} <= reasons) == (paid.config.source.kind == RIF)
    lines, kept = paid.rows(CAPITATION_LEDGER), paid.rows(CAPITATION_UNPOSTED)
    told = [(row, row["amount"], "true") for row in lines] + [(row, row["unposted_amount"], "false") for row in kept]
    found = {
        (row["contract_id"], row["member_id"], str(row["coverage_month"]), row["reason"], str(amount), is_posted)
        for row, amount, is_posted in told
        if row["posting_run"] == 2 and row["reason"] != "NEW_MONTH"
    }
    assert found == planted
    assert {row["reason"] for row in lines if row["posting_run"] == 1} == {"NEW_MONTH"}


def test_the_second_run_again_posts_nothing(paid: Paid) -> None:
    assert paid.again.posting_run is None
    assert max(row["posting_run"] for row in paid.rows(CAPITATION_LEDGER)) == 2


def test_whom_both_contracts_list_is_paid_once_and_who_is_nobody_not_at_all(paid: Paid) -> None:
    due = paid.rows(CAPITATION_DUE)
    two = {(row["contract_id"], row["coverage_month"].month) for row in due if row["not_due_reason"] == "TWO_CONTRACTS"}
    # listed by both from January: K1, the lower id; moved to K1: its row begins later
    assert two == {("K2", 1), ("K2", 2), ("K2", 3)}
    assert all(row["forgone_amount"] > 0 for row in due if row["not_due_reason"] == "TWO_CONTRACTS")
    assert {row["not_due_reason"] for row in due if row["member_id"] == STRANGER} == {"UNKNOWN_MEMBER"}
    joined = [row for row in due if row["contract_id"] == "K2" and 0 < row["exposure"] < 1]
    assert [(row["coverage_month"], row["exposure"]) for row in joined] == [
        (date(YEARS[1], 1, 1), Decimal("0.548387"))  # 17 of 31 days
    ]


def test_a_load_of_what_changed_leaves_the_rest_and_makes_what_a_whole_load_makes(paid: Paid) -> None:
    made = {receipt.table for receipt in paid.load.receipts}
    assert {"silver.contract_rates", "silver.contract_members", "silver.load_audit"} <= made
    assert not made & {"silver.claim_lines", "silver.contracts", "intake.claim_rows"}
    assert ("silver.members" in made) == (paid.config.source.kind == RIF)
    tables = (CONTRACT_RATES, CONTRACT_MEMBERS, MEMBERS, LOAD_AUDIT, CLAIM_LINES)
    before = {table.name: _as_set(paid, table) for table in tables}
    whole = run(paid.spark, paid.config, group="load", full=True)
    assert "silver.claim_lines" in {receipt.table for receipt in whole.receipts}
    assert {table.name: _as_set(paid, table) for table in tables} == before


def test_every_plant_has_somebody(paid: Paid) -> None:
    listed = [row for path in (paid.root / "contract_members").glob("*.csv") for row in csv.DictReader(path.open())]
    assert len(PLANTED_OF_K1) == len(PLANTED_OF_K2) == 4
    twice = {row["member_id"] for row in listed if row["contract_id"] == "K1"} & {
        row["member_id"] for row in listed if row["contract_id"] == "K2"
    }
    assert len(twice) == 2
    assert sum(row["recorded_on"] != "" for row in listed) == 3


def _as_set(paid: Paid, table: Table) -> set[str]:
    return {str(sorted(row.items())) for row in paid.rows(table)}
