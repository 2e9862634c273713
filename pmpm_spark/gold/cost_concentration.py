"""Cost concentration: what part of a network's cost its dearest 1% and 5% of members are, and in which categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.high_cost_members import TOP_PERCENTS
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONEY, Table, count, flag, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NETWORK = ("policy", "performance_year", "network_id")
_TOP = (*_NETWORK, "top_percent")

COST_CONCENTRATION = Table(
    name="gold.cost_concentration",
    grain="one row per policy, performance year, network, share of its members (1%, 5%) and service category in total",
    key=(*_TOP, "service_category"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        year("top_percent", "1 or 5: the dearest members, that many percent of the network's, rounded up"),
        text("service_category", "first-level service category, in the policy's total"),
        count("members", "members of the top"),
        money("counted_amount", "the policy's dollars of the top in the category"),
        money("network_counted_amount", "those of all the network's members in the category"),
        quotient("share_of_category", "counted_amount / network_counted_amount"),
        money("top_counted_amount", "the top's dollars in all categories, on every row"),
        quotient("share_of_top", "counted_amount / top_counted_amount: where the top's cost is"),
        money("total_counted_amount", "the network's dollars in all categories, on every row"),
        quotient("share_of_network", "top_counted_amount / total_counted_amount, on every row"),
        flag("is_small_cell", f"the top is fewer than {SMALL_CELL} members"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


def cost_concentration(
    high_cost_members: DataFrame,
    network_pmpm: DataFrame,
    network_pmpm_by_category: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Every category in a network's total has its row, also where the top has no cost in it."""
    member = ("policy", "performance_year", "member_id")
    tops = F.array(*[F.lit(percent) for percent in TOP_PERCENTS])
    top = of_run(high_cost_members, policies, performance_years).select(
        *member,
        "network_id",
        "counted_amount",
        F.explode(F.filter(tops, lambda percent: percent >= F.col("top_percent"))).alias("top_percent"),
    )
    counted = of_run(member_month_costs, policies, performance_years).where(
        "exclusion_reason IS NULL AND in_total AND counted_lines > 0"
    )
    truncated = of_run(truncated_costs, policies, performance_years)
    of_member = (*member, "service_category", "counted_amount")
    by_category = (
        counted.select(*of_member)
        .unionByName(truncated.select(*of_member))
        .join(top.drop("counted_amount"), list(member), how="inner")
        .groupBy(*_TOP, "service_category")
        .agg(F.sum("counted_amount").alias("counted_amount"))
    )
    whole = top.groupBy(*_TOP).agg(
        F.count(F.lit(1)).alias("members"), F.sum("counted_amount").alias("top_counted_amount")
    )
    networks = of_run(network_pmpm, policies, performance_years).select(
        *_NETWORK, F.col("counted_amount").alias("total_counted_amount")
    )
    categories = of_run(network_pmpm_by_category, policies, performance_years).where("in_total")
    amount = F.coalesce("counted_amount", F.lit(0).cast(MONEY))
    return (
        categories.select(*_NETWORK, "service_category", F.col("counted_amount").alias("network_counted_amount"))
        .join(F.broadcast(networks), list(_NETWORK), how="left")
        .join(F.broadcast(whole), list(_NETWORK), how="inner")
        .join(by_category, [*_TOP, "service_category"], how="left")
        .withColumn("counted_amount", amount)
        .withColumns(
            {
                "share_of_category": ratio(F.col("counted_amount"), F.col("network_counted_amount")),
                "share_of_top": ratio(F.col("counted_amount"), F.col("top_counted_amount")),
                "share_of_network": ratio(F.col("top_counted_amount"), F.col("total_counted_amount")),
                "is_small_cell": F.col("members") < SMALL_CELL,
            }
        )
    )
