"""PMPM, lines and services by network, year and service category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.measures import per_1000, per_member_month
from pmpm_spark.policy import Policy
from pmpm_spark.silver.cost_steps import PHARMACY
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONEY, MONTHS, Table, column, count, flag, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NETWORK_PMPM_BY_CATEGORY = Table(
    name="gold.network_pmpm_by_category",
    grain="one row per policy, performance year, network and service category with lines; pharmacy always",
    key=("policy", "performance_year", "network_id", "service_category"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("service_category", "first-level service category"),
        flag("in_total", "the category is in the network's total"),
        column("member_months", MONTHS, "the network's eligible member months, on every row"),
        count("claim_lines", "counted lines"),
        count("services", "counted stays, visits, claims, fills or lines"),
        money("paid_amount", "what was paid in eligible months"),
        quotient("pmpm", "the policy's dollars per member month, US dollars, unrounded"),
        quotient("lines_per_1000", "claim_lines x 12,000 / member_months"),
        quotient("services_per_1000", "services x 12,000 / member_months"),
        money("counted_amount", "the policy's dollars after its steps"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_pmpm_by_category(
    network_pmpm: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Counted costs of each network by category; the rows in total add up to the network.

    Pharmacy outside the total is shown beside it, by the policy's basis and month like every other category.
    """
    network = ("policy", "performance_year", "network_id")
    grain = (*network, "service_category", "in_total")
    zero = F.lit(0).cast(MONEY)
    costs = (
        of_run(member_month_costs, policies, performance_years)
        .where("exclusion_reason IS NULL AND counted_lines > 0")
        .select(
            *grain,
            F.col("counted_lines").alias("claim_lines"),
            F.col("counted_services").alias("services"),
            F.col("counted_paid_amount").alias("paid_amount"),
            "counted_amount",
        )
    )
    truncated = of_run(truncated_costs, policies, performance_years).select(
        *network,
        "service_category",
        F.lit(True).alias("in_total"),
        F.lit(0).alias("claim_lines"),
        F.lit(0).alias("services"),
        zero.alias("paid_amount"),
        "counted_amount",
    )
    networks = of_run(network_pmpm, policies, performance_years).select(*network, "member_months")
    includes = F.col("policy").isin(*[p.label for p in policies if p.cost.include_pharmacy])
    always = networks.select(
        *network,
        F.lit(PHARMACY).alias("service_category"),
        includes.alias("in_total"),
        F.lit(0).alias("claim_lines"),
        F.lit(0).alias("services"),
        zero.alias("paid_amount"),
        zero.alias("counted_amount"),
    )
    sums = (
        costs.unionByName(truncated)
        .unionByName(always)
        .groupBy(*grain)
        .agg(*[F.sum(name).alias(name) for name in ("claim_lines", "services", "paid_amount", "counted_amount")])
    )
    months = F.col("member_months")
    return sums.join(networks, list(network), how="inner").withColumns(
        {
            "pmpm": per_member_month(F.col("counted_amount"), months),
            "lines_per_1000": per_1000(F.col("claim_lines"), months),
            "services_per_1000": per_1000(F.col("services"), months),
        }
    )
