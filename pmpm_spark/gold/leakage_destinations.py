"""Leakage destinations: to whom the counted dollars of a network's members went outside its own roster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Table, count, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = ("policy", "performance_year", "network_id", "service_category", "destination", "roster_network_id")

LEAKAGE_DESTINATIONS = Table(
    name="gold.leakage_destinations",
    grain="one row per policy, performance year, network, service category, destination and network of its roster row",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network whose members they are; never UNATTRIBUTED"),
        text("service_category", "first-level service category, in the policy's total"),
        text("destination", "who was paid: ccn, tin or npi, a blank and the number; empty where none is told"),
        text("roster_network_id", "other network whose roster the lines match; empty where none"),
        count("claim_lines", "counted lines"),
        count("services", "counted stays, visits, claims, fills or lines"),
        money("paid_amount", "what was paid, of what the policy counts"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def leakage_destinations(
    claim_costs: DataFrame,
    member_month_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The sums of a network's members add up to its paid_amount less its in_network_paid_amount.

    A policy that counts the network's own lines alone has no leakage. Policies that put claims in the same month share
    a pass over the costs.
    """
    counted = (
        of_run(member_month_costs, policies, performance_years)
        .where("exclusion_reason IS NULL AND in_total AND counted_lines > 0")
        .where(F.col("network_id") != UNATTRIBUTED)
        .select("policy", "performance_year", "member_id", "member_month", "service_category", "network_id")
    )

    def by(claim_month: str) -> DataFrame:
        labels = [
            policy.label
            for policy in policies
            if policy.cost.claim_month == claim_month and policy.cost.basis == "total_cost_of_care"
        ]
        lines = claim_costs.where(~F.col("is_denied")).select(
            "member_id",
            F.col(f"{claim_month}_month").alias("member_month"),
            "service_category",
            "destination",
            "roster_network_id",
            "claim_lines",
            "services",
            "paid_amount",
        )
        whose = counted.where(F.col("policy").isin(*labels))
        rows = lines.join(whose, ["member_id", "member_month", "service_category"], how="inner")
        return rows.where(F.col("roster_network_id") != F.col("network_id")).drop("member_id", "member_month")

    months = sorted({policy.cost.claim_month for policy in policies})
    rows = union_of([by(month) for month in months])
    return rows.groupBy(*_KEY).agg(*[F.sum(name).alias(name) for name in ("claim_lines", "services", "paid_amount")])
