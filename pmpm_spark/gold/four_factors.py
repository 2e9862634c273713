"""What two sides differ by, where each is a sum of products of four kinds of factors: split exactly and free of order.

The terms are cells (enrollment types, rate cells) times service categories, and three of the kinds are the cell's share
of member months, services per member month and dollars per service. The kinds move from side a to side b one after the
other; the effect of a kind is the mean of what it moves over all orders (Shapley). Of a product of four factors, a
before and b after, that of factor i is (b_i - a_i) x [1/4 of the product of the three others before + 1/12 of each with
one after + 1/12 of each with two after + 1/4 of that after].

What one side lacks: a cell has share 0 there, and the other's use and price; a category has use 0 there, and the
other's price, so that all is use. Dollars without services have the other's use, or use 1 on both sides, so that all is
price. A side without any member month has the other's share of every cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.measures import ratio
from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

USE, COST_PER_SERVICE = "USE", "COST_PER_SERVICE"
SIDES = ("a", "b")
SHARE, USE_OF, PRICE = "share", "use", "price"
"""Kinds of factors that both splits have."""
_WEIGHTS = (1 / 4, 1 / 12, 1 / 12, 1 / 4)
"""Of orders in which so many of the three others are moved before."""


def by_side(rows: DataFrame, keys: tuple[str, ...], names: tuple[str, ...]) -> DataFrame:
    """The sums of each side in columns of its own; a side without a row has nulls."""
    return rows.groupBy(*keys).agg(
        *[F.sum(F.when(F.col("side") == s, F.col(name))).alias(f"{name}_{s}") for name in names for s in SIDES]
    )


def shares_uses_prices() -> dict[str, Column]:
    """Three factors of either side, of rows by cell and category.

    From columns of each side: `services` and `amount` (null where it has none), `cell_months` (0 where the side lacks
    the cell) and `member_months`.
    """
    made: dict[str, Column] = {}
    for s, other in (("a", "b"), ("b", "a")):
        services, amount = F.coalesce(f"services_{s}", F.lit(0)), F.coalesce(f"amount_{s}", F.lit(0).cast(MONEY))
        of_other = F.coalesce(f"services_{other}", F.lit(0))
        amount_of_other = F.coalesce(f"amount_{other}", F.lit(0).cast(MONEY))
        months, months_of_other = F.col(f"cell_months_{s}"), F.col(f"cell_months_{other}")
        lacks_cell, lacks_all = months == 0, (services == 0) & (amount == 0)
        has_no_services = (services == 0) & (amount != 0)
        other_has_no_services = (of_other == 0) & (amount_of_other != 0)
        use_of_other = F.when((of_other > 0) & (months_of_other > 0), ratio(of_other, months_of_other))
        use = (
            F.when(lacks_cell, F.when(other_has_no_services, F.lit(1.0)).otherwise(use_of_other))
            .when(has_no_services, F.coalesce(use_of_other, F.lit(1.0)))
            .when(lacks_all & other_has_no_services, F.lit(1.0))
            .otherwise(ratio(services, months))
        )
        price_of_other = F.when(of_other > 0, ratio(amount_of_other, of_other)).otherwise(
            ratio(amount_of_other, months_of_other)
        )
        own_price = (
            F.when(lacks_cell, price_of_other)
            .when(has_no_services, ratio(ratio(amount, months), F.coalesce(use_of_other, F.lit(1.0))))
            .when(lacks_all & other_has_no_services, F.lit(0.0))
            .when(lacks_all, price_of_other)
            .otherwise(ratio(amount, services))
        )
        share_of_other = ratio(months_of_other, F.col(f"member_months_{other}"))
        made[f"{SHARE}_{s}"] = F.coalesce(ratio(months, F.col(f"member_months_{s}")), share_of_other, F.lit(0.0))
        made[f"{USE_OF}_{s}"] = F.coalesce(use, F.lit(0.0))
        made[f"{PRICE}_{s}"] = F.coalesce(own_price, F.lit(0.0))
    return made


def effect(kind: str, kinds: Sequence[str]) -> Column:
    """What one of four kinds moves, of columns `<kind>_a` and `<kind>_b`."""
    others = [other for other in kinds if other != kind]
    weighed = []
    for at in product(SIDES, repeat=len(others)):
        factors = [F.col(f"{other}_{s}") for other, s in zip(others, at, strict=True)]
        weighed.append(reduce(lambda x, y: x * y, factors, F.lit(_WEIGHTS[at.count("b")])))
    return (F.col(f"{kind}_b") - F.col(f"{kind}_a")) * reduce(lambda x, y: x + y, weighed)


def _without_noise(amount: Column) -> Column:
    """A sum of doubles to the billionth: what is half a cent, or equal in size, then stands as that.

    Less than a tenth of a cent is 0, since its text may be 1e-7, which is no decimal everywhere.
    """
    exact = try_cast(amount.cast("string"), T.DecimalType(38, 18))
    told = F.when(F.abs(amount) < 0.001, F.lit(0)).otherwise(F.round(exact, 9))
    return told.cast(T.DecimalType(28, 9))


def parts_in_cents(effects: DataFrame, keys: tuple[str, ...], parts: Sequence[str], difference: Column) -> DataFrame:
    """One row per keys, part and service category (empty text of the first two parts) with its amount in cents.

    `effects` has keys, cell, service_category and the effect of each part in a column of its name; `difference` is the
    whole, of keys. Each part is rounded half up; what is left of the difference goes to the part largest in size, then
    the first. Sums of doubles are taken in the order of categories and cells.
    """
    place = F.col("place")
    exact = F.when(place == 0, F.col(parts[0]))
    for at, part in enumerate(parts[1:], 1):
        exact = exact.when(place == at, F.col(part))
    summed = (
        effects.withColumn("place", F.explode(F.array(*[F.lit(at) for at in range(len(parts))])))
        .withColumns(
            {
                "of_cell": F.struct("service_category", "cell", exact.alias("exact")),
                "category": F.when(place < 2, F.lit("")).otherwise(F.col("service_category")),
            }
        )
        .groupBy(*keys, "place", "category")
        .agg(F.array_sort(F.collect_list("of_cell")).alias("cells"))
        .withColumn("exact", F.aggregate("cells", F.lit(0.0), lambda so_far, cell: so_far + cell["exact"]))
        .withColumn("exact", _without_noise(F.col("exact")))
        .withColumn("cents", F.round("exact", 2).cast(MONEY))
        .withColumn("size", -F.abs("exact"))
    )
    # by size, then place: the first is the largest
    gathered = summed.groupBy(*keys).agg(
        F.array_sort(F.collect_list(F.struct("size", "place", "category", "cents"))).alias("parts"),
        F.sum("cents").alias("summed"),
    )
    one, left = F.col("one"), difference - F.col("summed")
    amount = one["cents"] + F.when(F.col("at") == 0, left).otherwise(F.lit(0).cast(MONEY))
    return gathered.select("*", F.posexplode("parts").alias("at", "one")).select(
        *keys,
        F.get(F.array(*[F.lit(part) for part in parts]), one["place"]).alias("part"),
        one["category"].alias("service_category"),
        amount.cast(MONEY).alias("amount"),
    )
