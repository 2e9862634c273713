"""Truncated costs: what the truncation takes from the rows of member_month_costs, for member years above the limit.

A member's year of one enrollment type counts up to limit x member months / 12, half up to cents. What is left out is
spread over the year's months and categories in proportion to their dollars, so that months and categories add up to the
network; of the running sum, so that no cent is lost. A step that comes after the truncation takes of a truncated row
the same share as of the whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.measures import in_cents, ratio
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.cost_steps import EFFECT_COLUMNS, EFFECTS, TRUNCATED
from pmpm_spark.silver.truncation_limits import annual_costs, before_truncation
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONEY, Table, day, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_YEAR = ("policy", "performance_year", "member_id", "enrollment_type")
CHANGED_EFFECTS = (TRUNCATED, "sequestration_effect", "completion_effect")

TRUNCATED_COSTS = Table(
    name="silver.truncated_costs",
    grain="one row per policy that truncates, member, month and service category of a member year above the limit",
    key=("policy", "member_id", "member_month", "service_category"),
    columns=(
        text("policy", "policy that made the row"),
        text("member_id", "pseudonymous member key"),
        day("member_month", "first day of the month"),
        text("service_category", "first-level service category"),
        year("performance_year", "calendar year of the month"),
        text("network_id", "the member's network, or UNATTRIBUTED"),
        text("enrollment_type", "of the month"),
        *[EFFECT_COLUMNS[name] for name in CHANGED_EFFECTS],
        money("counted_amount", "what is added to counted_amount of member_month_costs: mostly less than 0"),
    ),
    rules={"steps_add_up": f"counted_amount = {' + '.join(CHANGED_EFFECTS)}"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


def truncates(policies: Sequence[Policy]) -> bool:
    """A policy of the run counts costs up to a limit alone."""
    return bool(truncating(policies))


def truncating(policies: Sequence[Policy]) -> list[Policy]:
    """The policies that count costs up to a limit alone."""
    return [policy for policy in policies if policy.cost.truncation != "none"]


def truncated_costs(
    member_months: DataFrame,
    member_month_costs: DataFrame,
    truncation_limits: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The changes by row, of every policy that truncates."""
    cut = truncating(policies)
    months, costs = (of_run(part, cut, performance_years) for part in (member_months, member_month_costs))
    if not cut:
        effects = [F.lit(0).cast(MONEY).alias(name) for name in CHANGED_EFFECTS]
        none = costs.where(F.lit(False))
        return none.select(*[c.name for c in TRUNCATED_COSTS.columns if c.name not in CHANGED_EFFECTS], *effects)
    limits = truncation_limits.select("policy", "performance_year", "enrollment_type", "truncation_limit")
    kept = in_cents(F.col("truncation_limit").cast("double") * F.col("member_months").cast("double") / 12)
    above = (
        annual_costs(months, costs, cut)
        .join(F.broadcast(limits), ["policy", "performance_year", "enrollment_type"], how="inner")
        .where(F.col("annualized") > F.col("truncation_limit"))
        .select(*_YEAR, F.col("amount").alias("amount_of_year"), kept.alias("kept_of_year"))
    )

    def of_policy(policy: Policy) -> DataFrame:
        rows = before_truncation(costs, policy).join(above, list(_YEAR), how="inner")
        in_order = Window.partitionBy(*_YEAR).orderBy("member_month", "service_category")
        earlier = in_order.rowsBetween(Window.unboundedPreceding, -1)
        up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
        summed = rows.withColumns(
            {
                "up_to_here": F.sum("amount").over(up_to_here),
                "earlier": F.coalesce(F.sum("amount").over(earlier), F.lit(0)),
            }
        )
        truncated = summed.withColumn("kept", (_kept("up_to_here") - _kept("earlier")).cast(MONEY))
        return _after(truncated, policy.cost)

    return of_policies(cut, of_policy)


def _kept(so_far: str) -> Column:
    """The part of the year's kept dollars that belongs to a running sum."""
    shared = F.col(so_far).cast("double") * F.col("kept_of_year").cast("double")
    return in_cents(ratio(shared, F.col("amount_of_year")))


def _after(rows: DataFrame, cost: Cost) -> DataFrame:
    """The later steps on what is left of each row: `amount` without, `kept` with the truncation, step by step."""
    later = [name for step in cost.after_truncation for name in EFFECTS.get(step, ())]
    told = rows.select(
        *[c.name for c in TRUNCATED_COSTS.columns if c.name not in (*CHANGED_EFFECTS, "counted_amount")],
        *[F.col(name).alias(f"{name}_whole") for name in later],
        "amount",
        "kept",
        (F.col("kept") - F.col("amount")).cast(MONEY).alias(TRUNCATED),
        *[F.lit(0).cast(MONEY).alias(name) for name in CHANGED_EFFECTS if name != TRUNCATED],
    )
    for name in later:
        whole, taken = F.col(f"{name}_whole"), F.col(f"{name}_whole")
        if name in CHANGED_EFFECTS:  # what is excluded is excluded in full
            share = ratio(whole.cast("double") * F.col("kept").cast("double"), F.col("amount"))
            taken = F.coalesce(in_cents(share), F.lit(0).cast(MONEY))
            told = told.withColumn(name, (taken - whole).cast(MONEY))
            taken = whole + F.col(name)
        told = told.withColumns(
            {"kept": (F.col("kept") + taken).cast(MONEY), "amount": (F.col("amount") + whole).cast(MONEY)}
        )
    changed = told.withColumn("counted_amount", (F.col("kept") - F.col("amount")).cast(MONEY))
    return changed.select(*TRUNCATED_COSTS.column_names)
