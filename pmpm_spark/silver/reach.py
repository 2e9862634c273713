"""`reach`: alignment by two years of services, the earlier weighing 1/3, the recent 2/3.

Primary care clinicians decide where they have at least a tenth of all charges, else the other specialists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.months import month_number
from pmpm_spark.silver.candidates import MEMBER_YEAR, by_provider, over, ranked
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PRIMARY_CARE = "primary-care"
"""Step of reference.specialties; whoever stands there besides is another specialist."""
WEIGHTS = (1, 2)
"""Of the earlier and the recent year. Sums are compared whole and divided by 3 at the end."""


def alignment_windows(alignment_periods: DataFrame) -> DataFrame:
    """One row: `windows`, an array as `windows_of` has it."""
    numbers = {
        "first": month_number("earlier_first"),
        "recent_first": month_number("recent_first"),
        "last": month_number("recent_last"),
    }
    window = F.struct(
        "performance_year",
        *[value.alias(name) for name, value in numbers.items()],
        F.col("first_month").alias("list_day"),
    )
    return alignment_periods.agg(F.collect_list(window).alias("windows"))


def reach(lines: DataFrame) -> DataFrame:
    """Each member and year with a winner: `ranked`'s columns, the step, and that every winner `passes`.

    `lines` have clinician, candidate and amount. Ties: latest day among the services of the group that decides.
    """
    is_primary = F.col("clinician") == PRIMARY_CARE
    earlier, recent = WEIGHTS
    weighted = F.col("amount") * F.when(F.col("is_recent"), recent).otherwise(earlier)
    sums = by_provider(
        lines,
        primary_amount=F.sum(F.when(is_primary, weighted)),
        primary_latest=F.max(F.when(is_primary, F.col("service_date"))),
        other_amount=F.sum(F.when(~is_primary, weighted)),
        other_latest=F.max(F.when(~is_primary, F.col("service_date"))),
    )

    def total(name: str) -> Column:
        return F.coalesce(F.sum(name).over(over(*MEMBER_YEAR)), F.lit(0))

    primary_decides = F.col("step") == "primary_care"
    step = F.when(
        10 * F.col("primary_total") >= F.col("primary_total") + F.col("other_total"), "primary_care"
    ).otherwise("other_specialist")
    measured = (
        sums.withColumns({"primary_total": total("primary_amount"), "other_total": total("other_amount")})
        .withColumn("step", step)
        .withColumns(
            {
                "amount": F.when(primary_decides, F.col("primary_amount")).otherwise(F.col("other_amount")),
                "latest": F.when(primary_decides, F.col("primary_latest")).otherwise(F.col("other_latest")),
            }
        )
    )
    found = ranked(measured.where("amount > 0"), kept=("step",))
    measures = {name: in_thirds(F.col(name)) for name in ("measure_amount", "runner_up_amount")}
    return found.withColumns({**measures, "passes": F.lit(True)})


def in_thirds(amount: Column) -> Column:
    """A weighted sum as an amount of one year, half up to cents."""
    return F.round(amount / sum(WEIGHTS), 2).cast(MONEY)
