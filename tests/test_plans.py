"""What each stage's plan on Spark shuffles and scans where nothing is small enough to be broadcast by itself.

`tests/data/plans.txt` is what they are today; a plan that changes is a decision. `python -m tests.test_plans` writes it anew.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from pmpm_spark.model import CLAIM_LINES, FINAL_CLAIM_LINES
from pmpm_spark.policy import Cost, Policy, Risk
from pmpm_spark.reference import REFERENCE_TABLES
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.stages import STAGES, built
from tests.plans import Planned, as_if_large, empty, planned

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pmpm_spark.stage import Stage

WRITTEN = Path(__file__).parent / "data" / "plans.txt"
OF_MEASURED_ROWS = {"silver.completion_factors": ("reference.completion_factors",)}
"""Supplied rows that stand beside measured ones: appended, not joined."""
BY_NAME = {stage.output.name: stage for stage in STAGES}
SETTINGS: dict[str, Any] = {
    "policies": (
        Policy(
            "default", cost=Cost(truncation="percentile"), risk=Risk(scores="supplied_else_computed", by_month=True)
        ),
    ),
    "performance_years": (2021, 2022),
    "part_c": False,
    "last_told_day": date(2022, 12, 31),
}


def plan_of(spark: SparkSession, stage: Stage, folder: Path) -> Planned:
    return planned(built(stage, lambda table: empty(spark, table, folder), SETTINGS.__getitem__, None))


def plans(spark: SparkSession, folder: Path) -> dict[str, Planned]:
    with as_if_large(spark):
        return {stage.output.name: plan_of(spark, stage, folder) for stage in STAGES}


def as_text(made: dict[str, Planned]) -> str:
    lines = []
    for name, plan in made.items():
        lines.append(name)
        lines += [f"  shuffles by {', '.join(keys)}" for keys in plan.shuffles]
        lines += [f"  scans {table}: {', '.join(columns) or 'no column'}" for table, columns in plan.scans]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Planned]:
    return plans(spark, tmp_path_factory.mktemp("plans"))


def test_every_stage_shuffles_and_scans_what_is_written(made: dict[str, Planned]) -> None:
    assert as_text(made).splitlines() == WRITTEN.read_text(encoding="utf-8").splitlines()


def test_months_are_resolved_by_one_shuffle_a_table_by_member(made: dict[str, Planned]) -> None:
    """Spans, members and months of another payer meet by member; months are exploded after it and never shuffled."""
    assert made[ELIGIBILITY_SPANS.name].shuffles == (("member_id",),)
    assert made[MEMBER_MONTHS.name].shuffles == (("member_id",),) * 3


def test_reference_tables_that_are_joined_are_handed_to_every_task(made: dict[str, Planned]) -> None:
    reference = {table.name for table in REFERENCE_TABLES}
    for name, plan in made.items():
        read = {table for table, _ in plan.scans if table in reference}
        assert read - set(OF_MEASURED_ROWS.get(name, ())) <= plan.broadcast, name


def test_costs_of_months_shuffle_months_and_costs_once(made: dict[str, Planned]) -> None:
    by_month = [keys for keys in made[MEMBER_MONTH_COSTS.name].shuffles if "member_month" in keys]
    assert by_month == [("member_id", "member_month", "performance_year")] * 2


SMALL = 100_000


def test_claim_lines_stay_where_they_are_while_what_is_removed_and_who_is_on_a_roster_is_small(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Lines of more bytes than are broadcast; of their claims, the institutional ones alone are shuffled, once each."""
    told = {"claim_id": F.sha2(F.col("id").cast("string"), 256), "member_id": F.md5(F.col("id").cast("string"))}
    lines = spark.range(5000).select(
        *[told.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in FINAL_CLAIM_LINES.columns]
    )
    for table in (CLAIM_LINES, FINAL_CLAIM_LINES):
        path = tmp_path / table.name
        lines.select(*table.column_names).write.parquet(str(path))
        assert sum(file.stat().st_size for file in path.glob("*.parquet")) > 3 * SMALL
    with as_if_large(spark, SMALL):
        final, costs = (plan_of(spark, BY_NAME[t.name], tmp_path) for t in (FINAL_CLAIM_LINES, CLAIM_COSTS))
    assert (final.broadcast, final.shuffles) == ({"silver.removed_claims"}, (("claim_id",),))
    assert costs.broadcast == {"silver.roster_matches"}
    by_ids, by_key = ("ccn", "npi", "tin"), tuple(sorted(CLAIM_COSTS.key))
    assert set(costs.shuffles) == {by_ids, by_key, ("member_id",)}
    assert costs.shuffles.count(by_key) == 1


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    from pmpm_spark.session import open_session

    with TemporaryDirectory() as there:
        WRITTEN.write_text(as_text(plans(open_session(), Path(there))), encoding="utf-8")
