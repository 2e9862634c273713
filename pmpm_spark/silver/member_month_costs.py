"""Member month costs: what each month of each member cost by category, and what of it the policy counts.

Months that do not count, and lines that were denied, stand here too: what is not counted carries its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.cost_steps import EFFECT_COLUMNS, PHARMACY, ROW_EFFECTS, months_of_rates, stepped
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONEY, Table, count, day, flag, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

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
        money("counted_amount", "the policy's dollars after all steps but the truncation, of what it counts"),
        *[EFFECT_COLUMNS[name] for name in ROW_EFFECTS],
    ),
    rules={
        "nothing_counts_in_an_excluded_month": "exclusion_reason IS NULL OR counted_paid_amount = 0",
        "steps_add_up": f"counted_amount = counted_paid_amount + {' + '.join(ROW_EFFECTS)}",
    },
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


_GRAIN = ("performance_year", "member_id", "member_month", "service_category", "network_id")
_SUMS = (
    "claim_lines",
    "services",
    "paid_amount",
    "in_network_paid_amount",
    "denied_lines",
    "denied_paid_amount",
    "counted_lines",
    "counted_services",
    "counted_paid_amount",
    "counted_amount",
    *ROW_EFFECTS,
)
_TYPES = {column.name: column.type for column in MEMBER_MONTH_COSTS.columns}


def member_month_costs(
    claim_costs: DataFrame,
    member_months: DataFrame,
    attribution: DataFrame,
    sequestration_rates: DataFrame,
    completion_factors: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The costs of every policy and performance year."""

    def of_policy(policy: Policy) -> DataFrame:
        by_month = _by_month(claim_costs, attribution, sequestration_rates, policy, performance_years)
        judged = _judged(by_month, of_run(member_months, [policy], performance_years), policy)
        rows = stepped(_with_completion(judged, completion_factors, policy), policy.cost)
        of_grain = _by_category(rows) if _has_months_of_rates(policy) else rows
        return of_grain.select(*MEMBER_MONTH_COSTS.column_names)

    return of_policies(policies, of_policy)


def _has_months_of_rates(policy: Policy) -> bool:
    """A rate goes by the last day of service: a month of first days may hold several."""
    return policy.cost.sequestration_add_back and policy.cost.claim_month == "from"


def _by_month(
    claim_costs: DataFrame,
    attribution: DataFrame,
    sequestration_rates: DataFrame,
    policy: Policy,
    performance_years: Sequence[int],
) -> DataFrame:
    """Sums by member, month and category (and rate of sequestration): undenied, denied, and what would count."""
    month = F.col(f"{policy.cost.claim_month}_month")
    costs = claim_costs.withColumns({"member_month": month, "performance_year": F.year(month)}).where(
        F.col("performance_year").isin(*performance_years)
    )
    grain: tuple[str, ...] = _GRAIN
    if policy.cost.sequestration_add_back:
        costs = costs.join(F.broadcast(months_of_rates(sequestration_rates)), "thru_month", how="left")
        grain = (*_GRAIN, "sequestration_rate")
    networks = of_run(attribution, [policy], performance_years).select("performance_year", "member_id", "network_id")
    whose = costs.join(networks, ["performance_year", "member_id"], how="left").withColumn(
        "network_id", F.coalesce("network_id", F.lit(UNATTRIBUTED))
    )
    stands = ~F.col("is_denied")
    is_own = F.col("roster_network_id") == F.col("network_id")
    on_basis = is_own if policy.cost.basis == "reimbursed_to_network" else F.lit(True)
    counts = stands & on_basis
    lacks_allowed = F.count_if(stands & F.col("allowed_amount").isNull()) > 0

    def total(where: Column, *names: str) -> Column:
        sums = [F.coalesce(F.sum(F.when(where, F.col(name))), F.lit(0).cast(MONEY)) for name in names]
        return reduce(lambda left, right: left + right, sums).cast(MONEY)

    def number(where: Column, name: str) -> Column:
        return F.coalesce(F.sum(F.when(where, F.col(name))), F.lit(0))

    return whose.groupBy(*grain).agg(
        number(stands, "claim_lines").alias("claim_lines"),
        number(stands, "services").alias("services"),
        total(stands, "paid_amount").alias("paid_amount"),
        F.when(~lacks_allowed, total(stands, "allowed_amount")).alias("allowed_amount"),
        total(stands & is_own, "paid_amount").alias("in_network_paid_amount"),
        number(~stands, "claim_lines").alias("denied_lines"),
        total(~stands, "paid_amount").alias("denied_paid_amount"),
        number(counts, "claim_lines").alias("counted_lines"),
        number(counts, "services").alias("counted_services"),
        total(counts, "paid_amount").alias("counted_paid_amount"),
        total(counts, f"{policy.cost.amount}_amount").alias("basis_amount"),
        total(counts, "pass_through_amount").alias("pass_through"),
        total(counts, "ime_amount", "dsh_amount", "uncompensated_care_amount").alias("ime_dsh_uncompensated"),
    )


def _judged(by_month: DataFrame, member_months: DataFrame, policy: Policy) -> DataFrame:
    """With the month's deciding reason; nothing counts where there is one."""
    months = member_months.select(
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
    counts = F.col("exclusion_reason").isNull()
    zero = F.lit(0).cast(MONEY)
    amounts = ("counted_paid_amount", "basis_amount", "pass_through", "ime_dsh_uncompensated")
    return judged.withColumns(
        {
            "policy": F.lit(policy.label),
            "in_total": F.lit(policy.cost.include_pharmacy) | (F.col("service_category") != PHARMACY),
            **{name: F.when(counts, F.col(name)).otherwise(F.lit(0)) for name in ("counted_lines", "counted_services")},
            **{name: F.when(counts, F.col(name)).otherwise(zero) for name in amounts},
        }
    )


def _with_completion(rows: DataFrame, completion_factors: DataFrame, policy: Policy) -> DataFrame:
    """With the share already paid of what was incurred in the row's month and category."""
    if policy.cost.completion == "none":
        return rows
    is_of_policy = (F.col("method") == policy.cost.completion) & (F.col("claim_month") == policy.cost.claim_month)
    factors = completion_factors.where(is_of_policy).select(
        "service_category", F.col("incurred_month").alias("member_month"), "completion_factor"
    )
    return rows.join(F.broadcast(factors), ["service_category", "member_month"], how="left")


def _by_category(rows: DataFrame) -> DataFrame:
    """The rows of several rates of sequestration as one."""
    lacks_allowed = F.count_if(F.col("allowed_amount").isNull()) > 0
    return rows.groupBy("policy", *_GRAIN, "enrollment_type", "exclusion_reason", "in_total").agg(
        *[F.sum(name).cast(_TYPES[name]).alias(name) for name in _SUMS],
        F.when(~lacks_allowed, F.sum("allowed_amount")).cast(MONEY).alias("allowed_amount"),
    )
