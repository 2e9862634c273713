"""Months in which another payer is primary to Medicare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.months import month_at, month_number, month_of, months_from_to
from pmpm_spark.table import Table, day, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SECONDARY_PAYER_MONTHS = Table(
    name="silver.secondary_payer_months",
    grain="one row per member and month in which another payer is primary",
    key=("member_id", "member_month"),
    columns=(
        text("member_id", "pseudonymous member key"),
        day("member_month", "first day of the month"),
        text("basis", "enrollment where the source tells it by month, else claim"),
    ),
    rules={"basis_is_known": "basis IN ('enrollment', 'claim')"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)

PRIMARY_PAYERS = ("A", "B", "D", "E", "F", "G", "H", "I", "L", "W")
"""Codes of payers before Medicare; C, M, N and blank mean that Medicare is primary (CCW code NCH_PRMRY_PYR_CD)."""


def secondary_payer_months(
    final_claim_lines: DataFrame, eligibility_spans: DataFrame, told_months: DataFrame
) -> DataFrame:
    """Months told by enrollment; for members whose enrollment tells none, months of claims that name another payer.

    A claim's month is that of its last day of service: a final, undenied line that is not pharmacy.
    """
    tells = eligibility_spans.where("medicare_is_secondary IS NOT NULL")
    first = month_number(F.greatest("span_start", "first_month"))
    last = month_number(F.least("span_end", F.last_day("last_month")))
    from_enrollment = (
        tells.where("medicare_is_secondary")
        .join(F.broadcast(told_months), how="cross")
        .select("member_id", F.explode(months_from_to(first, last)).alias("number"))
        .select("member_id", month_at(F.col("number")).alias("member_month"))
        .distinct()
        .withColumn("basis", F.lit("enrollment"))
    )
    names_payer = (
        ~F.col("is_denied") & (F.col("claim_type") != "pharmacy") & F.col("primary_payer_code").isin(*PRIMARY_PAYERS)
    )
    from_claims = (
        final_claim_lines.where(names_payer)
        .select("member_id", month_of("service_thru").alias("member_month"))
        .distinct()
        .join(tells.select("member_id").distinct(), "member_id", how="left_anti")
        .withColumn("basis", F.lit("claim"))
    )
    return from_enrollment.unionByName(from_claims)
