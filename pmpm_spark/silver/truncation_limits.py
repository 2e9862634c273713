"""Truncation limits: up to which annualized cost a member's year counts, by performance year and enrollment type.

A member's year of one enrollment type costs, annualized, its dollars x 12 / its member months, in cents. The limit at a
percentile p is the smallest annualized cost that at least p% of the reference population do not exceed (nearest rank):
a cost that somebody had, the same on any cluster, and 0 at least. The reference population is every member with an
eligible month under the policy, in a network or in none, with or without claims; each weighs one.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.measures import in_cents, ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.cost_steps import EFFECTS
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONEY, MONTHS, Table, count, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_OF_TYPE = ("policy", "performance_year", "enrollment_type")
_KEY = ("policy", "performance_year", "member_id", "enrollment_type")

TRUNCATION_LIMITS = Table(
    name="silver.truncation_limits",
    grain="one row per policy that truncates, performance year and enrollment type with an eligible month",
    key=_OF_TYPE,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("enrollment_type", "enrollment type"),
        money("truncation_limit", "annualized cost that is counted at most; null where none is supplied"),
        count("members", "members of the reference population"),
    ),
    rules={"limit_is_not_below_zero": "truncation_limit >= 0"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)

BUCKET = 1000
"""US dollars: costs are counted by such steps first, then by the cent inside the one that holds the percentile."""
_PARTS = 1_000_000
"""A percentile has four decimals at most: a whole number of these parts."""


def annual_costs(member_months: DataFrame, member_month_costs: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """One row per policy, year, member and enrollment type with an eligible month: member_months, `amount` as it is
    before the truncation, `annualized` in cents. Both tables hold the rows of these policies alone."""
    zero = F.lit(0).cast(MONEY)
    months = member_months.where("is_eligible").select(*_KEY, F.col("exposure").alias("months"), zero.alias("amount"))
    costs = of_policies(policies, lambda policy: before_truncation(member_month_costs, policy)).select(
        *_KEY, F.lit(0).cast(MONTHS).alias("months"), "amount"
    )
    return (
        months.unionByName(costs)
        .groupBy(*_KEY)
        .agg(F.sum("months").cast(MONTHS).alias("member_months"), F.sum("amount").cast(MONEY).alias("amount"))
        .withColumn("annualized", in_cents(ratio(F.col("amount").cast("double") * 12, F.col("member_months"))))
    )


def before_truncation(member_month_costs: DataFrame, policy: Policy) -> DataFrame:
    """The policy's counted rows, with `amount`: its dollars without the steps after the truncation."""
    later = [name for step in policy.cost.after_truncation for name in EFFECTS.get(step, ())]
    amount = reduce(lambda left, name: left - F.col(name), later, F.col("counted_amount"))
    return member_month_costs.where(
        (F.col("policy") == policy.label) & F.col("exclusion_reason").isNull() & F.col("in_total")
    ).withColumn("amount", amount.cast(MONEY))


def truncation_limits(
    member_months: DataFrame,
    member_month_costs: DataFrame,
    supplied: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The limits of every policy that truncates: supplied ones, or those at its percentile."""

    by_percentile = [policy for policy in policies if policy.cost.truncation == "percentile"]
    supplied_to = [policy for policy in policies if policy.cost.truncation == "supplied"]
    people = of_run(member_months, supplied_to, performance_years).where("is_eligible")
    limits = (
        people.groupBy(*_OF_TYPE)
        .agg(F.count_distinct("member_id").alias("members"))
        .join(F.broadcast(supplied), ["performance_year", "enrollment_type"], how="left")
        .select(*_OF_TYPE, "truncation_limit", "members")
    )
    if not by_percentile:
        return limits
    months, costs = (of_run(part, by_percentile, performance_years) for part in (member_months, member_month_costs))
    return limits.unionByName(_at_percentile(annual_costs(months, costs, by_percentile), by_percentile))


def _at_percentile(costs: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """The nearest rank, found without sorting the population: first the bucket that holds it, then the cent."""
    bucketed = costs.withColumn("bucket", F.floor(F.col("annualized").cast("double") / BUCKET))
    buckets = bucketed.groupBy(*_OF_TYPE, "bucket").agg(F.count(F.lit(1)).alias("n"))
    whole = Window.partitionBy(*_OF_TYPE).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = buckets.withColumns({"members": F.sum("n").over(whole), "up_to_here": _up_to_here("bucket")}).withColumn(
        "rank", _rank(F.col("members"), policies)
    )
    holds = (F.col("up_to_here") >= F.col("rank")) & (F.col("up_to_here") - F.col("n") < F.col("rank"))
    within = ranked.where(holds).select(
        *_OF_TYPE, "bucket", "members", (F.col("rank") - F.col("up_to_here") + F.col("n")).alias("rank")
    )
    cents = (
        bucketed.join(F.broadcast(within), [*_OF_TYPE, "bucket"], how="inner")
        .groupBy(*_OF_TYPE, "annualized", "members", "rank")
        .agg(F.count(F.lit(1)).alias("n"))
        .withColumn("up_to_here", _up_to_here("annualized"))
    )
    limit = F.greatest(F.col("annualized"), F.lit(0).cast(MONEY))
    return cents.where(holds).select(*_OF_TYPE, limit.alias("truncation_limit"), "members")


def _up_to_here(order: str) -> Column:
    """People with so much or less. Its window holds some thousand rows, however many people there are."""
    so_far = Window.partitionBy(*_OF_TYPE).orderBy(order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return F.sum("n").over(so_far)


def _rank(members: Column, policies: Sequence[Policy]) -> Column:
    """The smallest whole number that is at least the policy's percentile of the members."""
    parts = F.lit(None).cast("bigint")
    for policy in policies:
        of_policy = int(Decimal(str(policy.cost.truncation_percentile)) * (_PARTS // 100))
        parts = F.when(F.col("policy") == policy.label, F.lit(of_policy).cast("bigint")).otherwise(parts)
    return F.ceil(members * parts / _PARTS)
