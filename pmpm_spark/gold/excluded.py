"""Excluded: every month and dollar that does not count, under its first failing reason.

Eligible months + excluded months = all member months. Counted dollars + excluded dollars = net claim dollars of
the years' months, denied and pharmacy included, to the cent. Steps tell how counted_amount differs from paid_amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.policy import Policy
from pmpm_spark.silver.cost_steps import ROW_EFFECTS, reason_of
from pmpm_spark.silver.truncated_costs import CHANGED_EFFECTS
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONEY, MONTHS, Table, column, count, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

EXCLUDED = Table(
    name="gold.excluded",
    grain="one row per policy, performance year, kind and reason",
    key=("policy", "performance_year", "kind", "reason"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("kind", "month, dollar or step"),
        text("reason", "first reason that excludes it, or the step's name"),
        column("member_months", MONTHS, "excluded member months; null for dollar and step"),
        count("claim_lines", "excluded final claim lines; null for month and step"),
        money("paid_amount", "excluded paid amount, or the step's effect; null for month"),
    ),
    rules={"kind_is_known": "kind IN ('month', 'dollar', 'step')"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)

_GRAIN = ("policy", "performance_year", "kind", "reason")


def excluded(
    member_months: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Months, dollars and steps by reason."""
    costs = of_run(member_month_costs, policies, performance_years)
    months = of_run(member_months, policies, performance_years)
    counted = costs.where("in_total AND exclusion_reason IS NULL")
    truncated = of_run(truncated_costs, policies, performance_years)
    parts = (_months(months), _dollars(costs), _steps(counted, ROW_EFFECTS), _steps(truncated, CHANGED_EFFECTS))
    rows = union_of(parts)
    return rows.groupBy(*_GRAIN).agg(
        F.sum("member_months").alias("member_months"),
        F.sum("claim_lines").alias("claim_lines"),
        F.sum("paid_amount").alias("paid_amount"),
    )


def _months(member_months: DataFrame) -> DataFrame:
    return member_months.where("NOT is_eligible").select(
        "policy",
        "performance_year",
        F.lit("month").alias("kind"),
        F.get("ineligible_reasons", F.lit(0)).alias("reason"),
        F.col("exposure").alias("member_months"),
        F.lit(None).cast("bigint").alias("claim_lines"),
        F.lit(None).cast(MONEY).alias("paid_amount"),
    )


def _dollars(costs: DataFrame) -> DataFrame:
    """Up to three parts of a month's category: pharmacy or denied lines, the month's reason, out of network."""

    def part(reason: Column, where: Column, lines: Column, paid: Column) -> Column:
        told = F.struct(reason.alias("reason"), lines.alias("claim_lines"), paid.alias("paid_amount"))
        return F.when(where, told)

    in_total, counts = F.col("in_total"), F.col("exclusion_reason").isNull()
    undenied, denied = F.col("claim_lines"), F.col("denied_lines")
    paid, denied_paid = F.col("paid_amount"), F.col("denied_paid_amount")
    uncounted = F.col("claim_lines") - F.col("counted_lines")
    parts = F.array_compact(
        F.array(
            part(F.lit("PHARMACY"), ~in_total, undenied + denied, paid + denied_paid),
            part(F.lit("DENIED"), in_total & (denied > 0), denied, denied_paid),
            part(F.col("exclusion_reason"), in_total & ~counts & (undenied > 0), undenied, paid),
            part(
                F.lit("OUT_OF_NETWORK"),
                in_total & counts & (uncounted > 0),
                uncounted,
                paid - F.col("counted_paid_amount"),
            ),
        )
    )
    return costs.select(
        "policy",
        "performance_year",
        F.lit("dollar").alias("kind"),
        F.lit(None).cast(MONTHS).alias("member_months"),
        F.inline(parts),
    )


def _steps(costs: DataFrame, effects: Sequence[str]) -> DataFrame:
    """The effect of each step that has one. A step that cancels out over all rows keeps its row, with 0."""

    def step(effect: str) -> Column:
        told = F.struct(F.lit(reason_of(effect)).alias("reason"), F.col(effect).alias("paid_amount"))
        return F.when(F.col(effect) != 0, told)

    steps = [step(effect) for effect in effects]
    return costs.select("policy", "performance_year", F.inline(F.array_compact(F.array(*steps)))).select(
        "policy",
        "performance_year",
        F.lit("step").alias("kind"),
        "reason",
        F.lit(None).cast(MONTHS).alias("member_months"),
        F.lit(None).cast("bigint").alias("claim_lines"),
        "paid_amount",
    )
