"""The difference of two adjusted PMPM, split exactly and free of order (Shapley) into what it comes from.

A side is the sum, over enrollment types and service categories, of share of member months x services per member month x
dollars per service x 1 / normalized risk. Its four kinds of factors move from side A to side B one after the other; the
effect of a kind is the mean of what it moves over all orders. Of a product of four factors, a before and b after, that
of factor i is (b_i - a_i) x [1/4 of the product of the three others before + 1/12 of each with one after + 1/12 of each
with two after + 1/4 of that after].

What one side lacks: an enrollment type has share 0 there, and the other's use and price; a category has use 0 there,
and the other's price, so that all is use. Dollars without services have the other's use, or use 1 on both sides, so
that all is price.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.measures import in_cents, ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ENROLLMENT_MIX, RISK, USE, COST_PER_SERVICE = "ENROLLMENT_MIX", "RISK", "USE", "COST_PER_SERVICE"
PARTS = (ENROLLMENT_MIX, RISK, USE, COST_PER_SERVICE)
"""In this order a cent left over goes to the first of equal size."""
SIDES = ("a", "b")
_RISK = "normalized_risk_score"
_KINDS = ("share", "use", "price", "lift")
_EFFECTS = ("mix", "use", "price", "risk")
_WEIGHTS = (1 / 4, 1 / 12, 1 / 12, 1 / 4)
"""Of orders in which so many of the three others are moved before."""


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
    both = _by_side(sides, keys, ("member_months", "pmpm", _RISK)).where("member_months_a > 0 AND member_months_b > 0")
    typed = _by_side(months, (*keys, "enrollment_type"), ("member_months",))
    of_types = typed.select(
        *keys, "enrollment_type", *[F.coalesce(f"member_months_{s}", F.lit(0)).alias(f"of_type_{s}") for s in SIDES]
    )
    cells = (
        _by_side(costs, (*keys, "enrollment_type", "service_category"), ("services", "amount"))
        .join(of_types, [*keys, "enrollment_type"], how="inner")
        .join(both, list(keys), how="inner")
        .withColumn("is_adjusted", reduce(lambda x, y: x & y, [F.col(f"{_RISK}_{s}").isNotNull() for s in SIDES]))
    )
    effects = cells.withColumns(_factors()).select(
        *keys,
        "service_category",
        "enrollment_type",
        "is_adjusted",
        *[F.col(f"adjusted_{s}") for s in SIDES],
        *[_effect(kind).alias(name) for kind, name in zip(_KINDS, _EFFECTS, strict=True)],
    )
    return _in_cents(effects, keys)


def _by_side(rows: DataFrame, keys: tuple[str, ...], names: tuple[str, ...]) -> DataFrame:
    """The sums of each side in columns of its own; a side without a row has nulls."""
    return rows.groupBy(*keys).agg(
        *[F.sum(F.when(F.col("side") == s, F.col(name))).alias(f"{name}_{s}") for name in names for s in SIDES]
    )


def _factors() -> dict[str, Column]:
    """The four factors of either side, and its adjusted PMPM."""
    made: dict[str, Column] = {}
    for s, other in (("a", "b"), ("b", "a")):
        services, amount = F.coalesce(f"services_{s}", F.lit(0)), F.coalesce(f"amount_{s}", F.lit(0).cast(MONEY))
        of_other = F.coalesce(f"services_{other}", F.lit(0))
        amount_of_other = F.coalesce(f"amount_{other}", F.lit(0).cast(MONEY))
        months, months_of_other = F.col(f"of_type_{s}"), F.col(f"of_type_{other}")
        lacks_type, lacks_all = months == 0, (services == 0) & (amount == 0)
        has_no_services = (services == 0) & (amount != 0)
        other_has_no_services = (of_other == 0) & (amount_of_other != 0)
        use_of_other = F.when((of_other > 0) & (months_of_other > 0), ratio(of_other, months_of_other))
        use = (
            F.when(lacks_type, F.when(other_has_no_services, F.lit(1.0)).otherwise(use_of_other))
            .when(has_no_services, F.coalesce(use_of_other, F.lit(1.0)))
            .when(lacks_all & other_has_no_services, F.lit(1.0))
            .otherwise(ratio(services, months))
        )
        price_of_other = F.when(of_other > 0, ratio(amount_of_other, of_other)).otherwise(
            ratio(amount_of_other, months_of_other)
        )
        made[f"share_{s}"] = ratio(months, F.col(f"member_months_{s}"))
        made[f"use_{s}"] = F.coalesce(use, F.lit(0.0))
        own_price = (
            F.when(lacks_type, price_of_other)
            .when(has_no_services, ratio(ratio(amount, months), F.coalesce(use_of_other, F.lit(1.0))))
            .when(lacks_all & other_has_no_services, F.lit(0.0))
            .when(lacks_all, price_of_other)
            .otherwise(ratio(amount, services))
        )
        made[f"price_{s}"] = F.coalesce(own_price, F.lit(0.0))
        risk = F.col(f"{_RISK}_{s}")
        made[f"lift_{s}"] = F.when(F.col("is_adjusted"), ratio(F.lit(1.0), risk)).otherwise(F.lit(1.0))
        made[f"adjusted_{s}"] = F.when(F.col("is_adjusted"), ratio(F.col(f"pmpm_{s}"), risk)).otherwise(
            F.col(f"pmpm_{s}")
        )
    return made


def _effect(kind: str) -> Column:
    others = [other for other in _KINDS if other != kind]
    weighed = []
    for at in product(SIDES, repeat=len(others)):
        factors = [F.col(f"{other}_{s}") for other, s in zip(others, at, strict=True)]
        weighed.append(reduce(lambda x, y: x * y, factors, F.lit(_WEIGHTS[at.count("b")])))
    return (F.col(f"{kind}_b") - F.col(f"{kind}_a")) * reduce(lambda x, y: x + y, weighed)


def _in_cents(effects: DataFrame, keys: tuple[str, ...]) -> DataFrame:
    """Each part half up to cents; what is left of the difference goes to the part largest in size, then the first.

    Sums of doubles are taken in the order of categories and types.
    """
    of_all = (*keys, "is_adjusted", "adjusted_a", "adjusted_b")
    place = F.col("place")
    exact = F.when(place == 0, F.col("mix")).when(place == 1, F.col("risk")).when(place == 2, F.col("use"))
    parts = (
        effects.withColumn("place", F.explode(F.array(*[F.lit(at) for at in range(len(PARTS))])))
        .withColumns(
            {
                "cell": F.struct("service_category", "enrollment_type", exact.otherwise(F.col("price")).alias("exact")),
                "category": F.when(place < 2, F.lit("")).otherwise(F.col("service_category")),
            }
        )
        .groupBy(*of_all, "place", "category")
        .agg(F.array_sort(F.collect_list("cell")).alias("cells"))
        .withColumn("exact", F.aggregate("cells", F.lit(0.0), lambda so_far, cell: so_far + cell["exact"]))
        .withColumn("cents", in_cents(F.col("exact")))
        .withColumn("size", -F.abs("exact"))
    )
    # by size, then place: the first is the largest
    gathered = parts.groupBy(*of_all).agg(
        F.array_sort(F.collect_list(F.struct("size", "place", "category", "cents"))).alias("parts"),
        F.sum("cents").alias("summed"),
    )
    difference = in_cents(F.col("adjusted_b") - F.col("adjusted_a"))
    one, left = F.col("one"), difference - F.col("summed")
    amount = one["cents"] + F.when(F.col("at") == 0, left).otherwise(F.lit(0).cast(MONEY))
    return gathered.select("*", F.posexplode("parts").alias("at", "one")).select(
        *of_all,
        F.get(F.array(*[F.lit(part) for part in PARTS]), one["place"]).alias("part"),
        one["category"].alias("service_category"),
        amount.cast(MONEY).alias("amount"),
    )
