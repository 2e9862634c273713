"""PMPM by network and month."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.measures import per_member_month
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONEY, MONTHS, Table, column, count, day, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NETWORK_PMPM_BY_MONTH = Table(
    name="gold.network_pmpm_by_month",
    grain="one row per policy, network and month with an eligible member",
    key=("policy", "network_id", "member_month"),
    columns=(
        text("policy", "policy that made the row"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        day("member_month", "first day of the month"),
        year("performance_year", "calendar year of the month"),
        count("members", "members for whom the month counts"),
        column("member_months", MONTHS, "eligible member months"),
        money("paid_amount", "what was paid, of what the policy counts"),
        quotient("pmpm", "the policy's dollars per member month, US dollars, unrounded"),
        money("counted_amount", "the policy's dollars after its steps"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_pmpm_by_month(
    member_months: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    attribution: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Eligible months and counted dollars, month by month."""
    grain = ("policy", "network_id", "member_month", "performance_year")
    zero = F.lit(0).cast(MONEY)
    whose = of_run(attribution, policies, performance_years).select(
        "policy", "performance_year", "member_id", "network_id"
    )
    months = (
        of_run(member_months, policies, performance_years)
        .where("is_eligible")
        .join(whose, ["policy", "performance_year", "member_id"], how="left")
        .fillna({"network_id": UNATTRIBUTED})
        .select(
            *grain,
            F.lit(1).alias("members"),
            F.col("exposure").alias("member_months"),
            zero.alias("paid_amount"),
            zero.alias("counted_amount"),
        )
    )
    costs = (
        of_run(member_month_costs, policies, performance_years)
        .where("exclusion_reason IS NULL AND in_total")
        .select(
            *grain,
            F.lit(0).alias("members"),
            F.lit(0).cast(MONTHS).alias("member_months"),
            F.col("counted_paid_amount").alias("paid_amount"),
            "counted_amount",
        )
    )
    truncated = of_run(truncated_costs, policies, performance_years).select(
        *grain,
        F.lit(0).alias("members"),
        F.lit(0).cast(MONTHS).alias("member_months"),
        zero.alias("paid_amount"),
        "counted_amount",
    )
    sums = (
        months.unionByName(costs)
        .unionByName(truncated)
        .groupBy(*grain)
        .agg(*[F.sum(name).alias(name) for name in ("members", "member_months", "paid_amount", "counted_amount")])
    )
    return sums.withColumn("pmpm", per_member_month(F.col("counted_amount"), F.col("member_months")))
