"""Attribution over written or generated tables: what a test does not give is empty, or the shipped reference table."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.policy import Policy
from pmpm_spark.reference import reference_table
from pmpm_spark.silver.attribution import ATTRIBUTION, attribution
from pmpm_spark.stages import STAGES
from pmpm_spark.table import Table
from tests.tables import frame, rows_of

INPUTS = next(stage.inputs for stage in STAGES if stage.output is ATTRIBUTION)

USUAL = {
    "service_date": "2021-05-05", "line_kind": "professional", "tin": "TA", "npi": "N1", "ccn": "''",
    "specialty": "11", "hcpcs": "99213", "place_of_service": "11", "in_snf": "false", "in_inpatient": "false",
    "has_base_code": "true", "allowed_amount": "100.00",
}  # fmt: skip


def visits(written: str) -> str:
    """Services with what they leave out: an office visit at a family doctor of TA on 5 May 2021, for 100."""
    heading, *rows = rows_of(written)
    more = {name: value for name, value in USUAL.items() if name not in heading}
    whole = [[*heading, *more, "told_amount"]]
    for row in rows:
        told = dict(zip([*heading, *more], [*row, *more.values()], strict=True))
        whole.append([*told.values(), told["allowed_amount"]])
    return "\n".join(" | ".join(cells) for cells in whole)


def covered(*members: str) -> str:
    """Part A and B all the time."""
    rows = [f"{member} | 2015-01-01 | 9999-12-31 | true | true" for member in members]
    return "\n".join(["member_id | span_start | span_end | has_part_a | has_part_b", *rows])


def attributed(
    spark: SparkSession, policies: Sequence[Policy], years: Sequence[int], **given: str | Sequence[tuple]
) -> DataFrame:
    """The attribution; each table by its short name, as written text or as rows of its contract."""
    given.setdefault("told_months", "first_month | last_month\n2010-01-01 | 2030-12-01")
    unknown = given.keys() - {table.short_name for table in INPUTS}
    assert not unknown, unknown
    frames = [_input(spark, table, given.get(table.short_name)) for table in INPUTS]
    return attribution(*frames, policies=policies, performance_years=years)


def _input(spark: SparkSession, table: Table, given: str | Sequence[tuple] | None) -> DataFrame:
    if isinstance(given, str):
        return frame(spark, table, given)
    if given is not None:
        return spark.createDataFrame(list(given), table.schema)
    return reference_table(spark, table) if table.layer == "reference" else frame(spark, table, table.key[0])
