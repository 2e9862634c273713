"""Claim lags: what was paid, by the months of service and the month of payment; the triangle that factors come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.months import month_of
from pmpm_spark.table import MONEY, Table, day, money, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = ("service_category", "thru_month", "from_month", "paid_month")

CLAIM_LAGS = Table(
    name="silver.claim_lags",
    grain="one row per service category, months of service and month of payment",
    key=_KEY,
    columns=(
        text("service_category", "first-level service category"),
        day("thru_month", "month of the last day of service"),
        day("from_month", "month of the first day of service; of the last where no first is told"),
        day("paid_month", "month of payment"),
        money("paid_amount", "what the plan paid on undenied final lines of all members"),
    ),
    key_is_built_in=True,
)


def claim_lags(final_claim_lines: DataFrame) -> DataFrame:
    """One aggregate of the undenied lines that tell when they were paid; of all years, as old ones teach the new."""
    lines = final_claim_lines.where(~F.col("is_denied") & F.col("paid_on").isNotNull())
    return (
        lines.select(
            "service_category",
            month_of("service_thru").alias("thru_month"),
            month_of(F.coalesce("service_from", "service_thru")).alias("from_month"),
            month_of("paid_on").alias("paid_month"),
            F.coalesce("paid_amount", F.lit(0).cast(MONEY)).alias("paid_amount"),
        )
        .groupBy(*_KEY)
        .agg(F.sum("paid_amount").alias("paid_amount"))
    )
