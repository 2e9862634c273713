"""Payment runs over a warehouse of a former version: the books are never made anew, and no line is posted twice."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.errors import StageError
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE
from pmpm_spark.runs import CAPITATION_RUNS, RunBook
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.table import count, text
from tests.older import retyped, stored_as, without
from tests.payer import Payer

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]

YEAR = "2023-01-01,2023-12-31"
FIRST, SECOND = date(2023, 3, 31), date(2023, 4, 30)
POSTED = [(1, f"{month:02}", "NEW_MONTH", "100.00") for month in (1, 2, 3)]


@pytest.fixture
def payer(spark: SparkSession, engine: str, tmp_path: Path) -> Payer:
    """Three months of one member are posted."""
    made = Payer(
        spark,
        tmp_path,
        engine,
        coverage="m | 2023-01-01 | 2023-12-31 | P1 | 2023-01-01 | false | 10\n",
        people="m | 1950-01-01 | F | -\n",
        lists={
            "contracts": f"K1,Lists,N1,{YEAR},,,0,\n",
            "contract_rates": "K1,2023-01-01,,100.00\n",
            "contract_members": "K1,m,2023-01-01,,2023-01-01\n",
        },
    )
    made.load()
    made.pay(FIRST)
    assert made.lines("K1", "m") == POSTED
    return made


def test_books_of_a_former_contract_are_brought_to_it_and_the_next_run_posts_what_is_new(payer: Payer) -> None:
    warehouse = payer.config.warehouse
    former = without(CAPITATION_RUNS, "pays_for")
    stored_as(payer.spark, warehouse, former)
    stored_as(payer.spark, warehouse, retyped(CAPITATION_VARIANCE, text("members", "members")))
    assert payer.read(CAPITATION_LEDGER).count() == 3
    payer.pay(SECOND)
    assert payer.lines("K1", "m") == [*POSTED, (2, "04", "NEW_MONTH", "100.00")]
    told = payer.read(CAPITATION_RUNS).orderBy("posting_run").collect()
    assert [(row["posting_run"], row["pays_for"]) for row in told] == [(1, None), (2, "list")]
    row = RunBook(payer.spark, warehouse)._finished_rows()[-1]
    assert json.loads(row["inputs"])["upgraded"] == {
        CAPITATION_RUNS.name: "columns pays_for; rules pays_for_is_known",
        CAPITATION_VARIANCE.name: "made anew",
    }
    assert payer.read(CAPITATION_VARIANCE).schema.simpleString() == CAPITATION_VARIANCE.schema.simpleString()


def test_books_that_cannot_be_brought_to_their_contract_stop_payment_and_stand(payer: Payer) -> None:
    warehouse = payer.config.warehouse
    stored_as(payer.spark, warehouse, retyped(CAPITATION_LEDGER, count("amount", "amount")))
    with pytest.raises(StageError) as caught:
        payer.pay(SECOND)
    assert str(caught.value) == (
        "gold.capitation_ledger: column amount is bigint, its contract says decimal(18,2); no run can make its rows "
        "again, so it is left as it is; go on with the version of pmpm that made it (docs/operations.md, Upgrades)"
    )
    last = RunBook(payer.spark, warehouse).last_finished()
    assert last is not None
    assert last.what == "payment run", "nothing was written since"


def test_nobody_is_paid_by_a_column_that_the_run_has_not_filled_yet(payer: Payer) -> None:
    stored_as(payer.spark, payer.config.warehouse, without(MEMBER_MONTHS, MEMBER_MONTHS.column_names[-1]))
    with pytest.raises(StageError, match=r"^silver\.member_months: column \w+ is missing; run `pmpm run` first, which"):
        payer.pay(SECOND)
    assert payer.lines("K1", "m") == POSTED
