"""The difference of two adjusted PMPM, split exactly and free of order (Shapley) into what it comes from.

A side is the sum, over enrollment types and service categories, of share of member months x services per member month x
dollars per service x 1 / normalized risk; how it is split, and what becomes of what one side lacks: `four_factors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.four_factors import (
    COST_PER_SERVICE,
    PRICE,
    SHARE,
    SIDES,
    USE,
    USE_OF,
    by_side,
    effect,
    parts_in_cents,
    shares_uses_prices,
)
from pmpm_spark.measures import in_cents, ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ENROLLMENT_MIX, RISK = "ENROLLMENT_MIX", "RISK"
PARTS = (ENROLLMENT_MIX, RISK, USE, COST_PER_SERVICE)
"""In this order a cent left over goes to the first of equal size."""
_RISK = "normalized_risk_score"
_KINDS = {ENROLLMENT_MIX: SHARE, RISK: "lift", USE: USE_OF, COST_PER_SERVICE: PRICE}


def costs_and_months(
    member_years: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> tuple[DataFrame, DataFrame]:
    """What the networks' years are split by: services and dollars of each enrollment type and service category, and the
    member months of each type."""
    typed = ("policy", "performance_year", "network_id", "enrollment_type")
    counted = (
        of_run(member_month_costs, policies, performance_years)
        .where("exclusion_reason IS NULL AND in_total")
        .select(*typed, "service_category", F.col("counted_services").alias("services"), "counted_amount")
    )
    truncated = of_run(truncated_costs, policies, performance_years).select(
        *typed, "service_category", F.lit(0).cast("bigint").alias("services"), "counted_amount"
    )
    costs = (
        counted.unionByName(truncated)
        .groupBy(*typed, "service_category")
        .agg(F.sum("services").alias("services"), F.sum("counted_amount").alias("amount"))
    )
    months = (
        of_run(member_years, policies, performance_years)
        .groupBy(*typed)
        .agg(F.sum("member_months").alias("member_months"))
    )
    return costs, months


def split_difference(costs: DataFrame, months: DataFrame, sides: DataFrame, keys: tuple[str, ...]) -> DataFrame:
    """One row per `keys`, part and service category (empty text of enrollment mix and risk) with its amount in cents.

    `costs` has keys, side (a, b), enrollment_type, service_category, services and amount; `months` keys, side,
    enrollment_type and member_months; `sides` keys, side, member_months, pmpm and normalized_risk_score. Without a
    score on either side the difference is that of the raw PMPM (is_adjusted false). Keys of one side alone are left
    out.
    """
    both = by_side(sides, keys, ("member_months", "pmpm", _RISK)).where("member_months_a > 0 AND member_months_b > 0")
    typed = by_side(months, (*keys, "enrollment_type"), ("member_months",))
    of_types = typed.select(
        *keys, "enrollment_type", *[F.coalesce(f"member_months_{s}", F.lit(0)).alias(f"cell_months_{s}") for s in SIDES]
    )
    cells = (
        by_side(costs, (*keys, "enrollment_type", "service_category"), ("services", "amount"))
        .join(of_types, [*keys, "enrollment_type"], how="inner")
        .join(both, list(keys), how="inner")
        .withColumn("is_adjusted", reduce(lambda x, y: x & y, [F.col(f"{_RISK}_{s}").isNotNull() for s in SIDES]))
    )
    whole = ("is_adjusted", *[f"adjusted_{s}" for s in SIDES])
    effects = cells.withColumns({**shares_uses_prices(), **_lifts()}).select(
        *keys,
        *whole,
        "service_category",
        F.col("enrollment_type").alias("cell"),
        *[effect(kind, tuple(_KINDS.values())).alias(part) for part, kind in _KINDS.items()],
    )
    return parts_in_cents(effects, (*keys, *whole), PARTS, in_cents(F.col("adjusted_b") - F.col("adjusted_a")))


def _lifts() -> dict[str, Column]:
    """What risk makes of either side, and its adjusted PMPM."""
    made: dict[str, Column] = {}
    for s in SIDES:
        risk = F.col(f"{_RISK}_{s}")
        made[f"lift_{s}"] = F.when(F.col("is_adjusted"), ratio(F.lit(1.0), risk)).otherwise(F.lit(1.0))
        made[f"adjusted_{s}"] = F.when(F.col("is_adjusted"), ratio(F.col(f"pmpm_{s}"), risk)).otherwise(
            F.col(f"pmpm_{s}")
        )
    return made
