"""Member month costs: what each month of each member cost by category, and what of it the policy counts.

Months that do not count, and lines that were denied, stand here too: what is not counted carries its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_policies
from pmpm_spark.table import MONEY, Table, count, day, flag, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PHARMACY = "pharmacy"
NOT_ENROLLED = "NOT_ENROLLED"

MEMBER_MONTH_COSTS = Table(
    name="silver.member_month_costs",
    grain="one row per policy, member, month and service category with any final claim line",
    key=("policy", "member_id", "member_month", "service_category"),
    columns=(
        text("policy", "policy that made the row"),
        text("member_id", "pseudonymous member key"),
        day("member_month", "first day of the month that the policy puts the claims in"),
        text("service_category", "first-level service category"),
        count("claim_lines", "undenied lines"),
        money("paid_amount", "what the plan paid on undenied lines"),
        money("allowed_amount", "contract price of undenied lines; null where a line carries none"),
        money("in_network_paid_amount", "part of paid_amount on lines of the member's own network's roster"),
        year("performance_year", "calendar year of the month"),
        text("network_id", "the member's network, or UNATTRIBUTED"),
        text("enrollment_type", "of the month; null where the person has no such member month"),
        text("exclusion_reason", "the month's deciding reason; null where the month counts"),
        flag("in_total", "the category is in the policy's total"),
        count("services", "stays, visits, claims, fills or lines, undenied"),
        count("denied_lines", "denied lines"),
        money("denied_paid_amount", "paid amount on denied lines"),
        count("counted_lines", "part of claim_lines that the policy counts, where the category is in total"),
        count("counted_services", "part of services that the policy counts"),
        money("counted_paid_amount", "part of paid_amount that the policy counts, where the category is in total"),
        money("counted_amount", "the policy's dollars: paid or allowed, of what it counts"),
    ),
    rules={"nothing_counts_in_an_excluded_month": "exclusion_reason IS NULL OR counted_paid_amount = 0"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


def member_month_costs(
    claim_costs: DataFrame,
    member_months: DataFrame,
    attribution: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The costs of every policy and performance year."""
    return of_policies(
        policies, lambda policy: _of_policy(claim_costs, member_months, attribution, policy, performance_years)
    )


def _of_policy(
    claim_costs: DataFrame,
    member_months: DataFrame,
    attribution: DataFrame,
    policy: Policy,
    performance_years: Sequence[int],
) -> DataFrame:
    month = F.col(f"{policy.cost.claim_month}_month")
    costs = claim_costs.withColumns({"member_month": month, "performance_year": F.year(month)}).where(
        F.col("performance_year").isin(*performance_years)
    )
    networks = _of(attribution, policy, performance_years).select("performance_year", "member_id", "network_id")
    whose = costs.join(networks, ["performance_year", "member_id"], how="left").withColumn(
        "network_id", F.coalesce("network_id", F.lit(UNATTRIBUTED))
    )
    stands = ~F.col("is_denied")
    is_own = F.col("roster_network_id") == F.col("network_id")
    in_total = F.lit(policy.cost.include_pharmacy) | (F.col("service_category") != PHARMACY)
    on_basis = is_own if policy.cost.basis == "reimbursed_to_network" else F.lit(True)
    counts = stands & on_basis
    lacks_allowed = F.count_if(stands & F.col("allowed_amount").isNull()) > 0
    amount = F.col("paid_amount" if policy.cost.amount == "paid" else "allowed_amount")
    zero = F.lit(0).cast(MONEY)

    def total(where: Column, of: Column) -> Column:
        return F.coalesce(F.sum(F.when(where, of)), zero).cast(MONEY)

    by_month = whose.groupBy("performance_year", "member_id", "member_month", "service_category", "network_id").agg(
        F.coalesce(F.sum(F.when(stands, F.col("claim_lines"))), F.lit(0)).alias("claim_lines"),
        F.coalesce(F.sum(F.when(stands, F.col("services"))), F.lit(0)).alias("services"),
        total(stands, F.col("paid_amount")).alias("paid_amount"),
        F.when(~lacks_allowed, total(stands, F.col("allowed_amount"))).alias("allowed_amount"),
        total(stands & is_own, F.col("paid_amount")).alias("in_network_paid_amount"),
        F.coalesce(F.sum(F.when(~stands, F.col("claim_lines"))), F.lit(0)).alias("denied_lines"),
        total(~stands, F.col("paid_amount")).alias("denied_paid_amount"),
        F.coalesce(F.sum(F.when(counts, F.col("claim_lines"))), F.lit(0)).alias("would_count_lines"),
        F.coalesce(F.sum(F.when(counts, F.col("services"))), F.lit(0)).alias("would_count_services"),
        total(counts, F.col("paid_amount")).alias("would_count_paid"),
        total(counts, amount).alias("would_count"),
    )
    months = _of(member_months, policy, performance_years).select(
        "performance_year",
        "member_id",
        "member_month",
        "enrollment_type",
        F.lit(True).alias("is_member_month"),
        F.get("ineligible_reasons", F.lit(0)).alias("first_reason"),
    )
    joined = by_month.join(months, ["performance_year", "member_id", "member_month"], how="left")
    reason = F.when(F.col("is_member_month"), F.col("first_reason")).otherwise(NOT_ENROLLED)
    judged = joined.withColumn("exclusion_reason", reason)
    counted = F.col("exclusion_reason").isNull()
    return judged.withColumns(
        {
            "policy": F.lit(policy.label),
            "in_total": in_total,
            "counted_lines": F.when(counted, F.col("would_count_lines")).otherwise(F.lit(0)),
            "counted_services": F.when(counted, F.col("would_count_services")).otherwise(F.lit(0)),
            "counted_paid_amount": F.when(counted, F.col("would_count_paid")).otherwise(zero),
            "counted_amount": F.when(counted, F.col("would_count")).otherwise(zero),
        }
    )


def _of(frame: DataFrame, policy: Policy, performance_years: Sequence[int]) -> DataFrame:
    return frame.where((F.col("policy") == policy.label) & F.col("performance_year").isin(*performance_years))
