"""Attribution over written or generated tables: what a test does not give is empty, or the shipped reference table."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.model import MEMBER_ATTRIBUTION, MEMBERS, NETWORK_ROSTER, PROVIDERS
from pmpm_spark.policy import Policy
from pmpm_spark.reference import (
    ALIGNMENT_PERIODS,
    ETA_HOSPITALS,
    PRIMARY_CARE_HCPCS,
    SPECIALTIES,
    reference_table,
)
from pmpm_spark.silver.attribution import attribution
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.table import Table
from tests.tables import frame

INPUTS: tuple[Table, ...] = (
    PRIMARY_CARE_SERVICES,
    NETWORK_ROSTER,
    MEMBER_ATTRIBUTION,
    PRIMARY_CARE_HCPCS,
    SPECIALTIES,
    ETA_HOSPITALS,
    ALIGNMENT_PERIODS,
    PROVIDERS,
    ELIGIBILITY_SPANS,
    MEMBERS,
    TOLD_MONTHS,
    SECONDARY_PAYER_MONTHS,
)


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
