"""How far chance alone moves a figure: a bootstrap over members, and the delta method beside it.

A panel is a network, a practice or a physician, or all others. Its members are drawn anew REPLICATES times: in each
replicate a member, with all months of the year, counts as often as a hash of member and replicate says, Poisson(1)
distributed (Chamandy and others, Estimating uncertainty for massive data streams, 2012). No row is moved: replicates
are summed where the member's row lies, and the answer is the same on any cluster. Of a panel of more than GROUPS
members, GROUPS random groups of them are drawn instead, a member's group being a hash of the id: dollars of a group
vary as those of its members together do, and the work no longer grows with the panel.

All sums are of whole numbers (cents, millionths of months, hundred-millionths of scores), so that no order of rows
moves them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.measures import ratio
from pmpm_spark.policy import Policy

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

REPLICATES = 1039
"""At least 1,000, and so many that the limits of 95% are replicates themselves: the 26th from either end."""
GROUPS = 1024
NORMAL_95 = 1.959963984540054
"""Two-sided 95% of the normal distribution."""
OBSERVED = 0
"""The replicate in which every member counts once."""

SUMS = ("cents", "parts", "score", "weight")
"""Dollars in cents, member months in millionths, normalized scores by weight in hundred-millionths, and that
weight (members or member months) in millionths."""
CENTS, PARTS, SCORES = 100, 1_000_000, 100_000_000
_YEAR = ("policy", "performance_year")
_WHOLE = T.DecimalType(19, 0)
_RANGE = 2**32


def drawn_units(
    member_years: DataFrame, rows: DataFrame, keys: tuple[str, ...], policies: Sequence[Policy]
) -> DataFrame:
    """One row per panel (`at`) and member, or group of members of a large panel (`unit`, a hash), with SUMS.

    `rows` has policy, performance_year, `keys`, panel and, as `pmpm_by` makes them, members, risk_score and
    normalized_risk_score; member years of other keys are left out.
    """
    by_months = F.col("policy").isin(*[p.label for p in policies if p.risk.weighting == "member_months"])
    people = member_years.groupBy(*_YEAR, *keys, "member_id").agg(
        F.sum("counted_amount").alias("amount"),
        F.sum("member_months").alias("months"),
        F.max("risk_score").alias("risk_score"),
    )
    whole = Window.partitionBy(*_YEAR, "panel").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    panels = rows.select(
        *_YEAR,
        *keys,
        "panel",
        ratio(F.col("normalized_risk_score"), F.col("risk_score")).alias("by_factor"),
        (F.sum("members").over(whole) > GROUPS).alias("is_large"),
    )
    is_scored = F.col("risk_score").isNotNull() & F.col("by_factor").isNotNull()
    weight = F.when(is_scored, F.when(by_months, F.col("months")).otherwise(F.lit(1).cast(T.DecimalType(12, 6))))
    normalized = F.col("risk_score").cast("double") * weight.cast("double") * F.col("by_factor")
    score = F.floor(normalized * SCORES + 0.5)
    group = F.pmod(F.xxhash64("member_id"), F.lit(GROUPS)).cast("string")
    return (
        people.join(F.broadcast(panels), [*_YEAR, *keys], how="inner")
        .select(
            *_YEAR,
            "panel",
            F.when(F.col("is_large"), F.concat(F.col("panel"), F.lit("/"), group))
            .otherwise(F.col("member_id"))
            .alias("unit"),
            (F.col("amount") * CENTS).cast("bigint").alias("cents"),
            (F.col("months") * PARTS).cast("bigint").alias("parts"),
            F.coalesce(score.cast("bigint"), F.lit(0).cast("bigint")).alias("score"),
            F.coalesce((weight * PARTS).cast("bigint"), F.lit(0).cast("bigint")).alias("weight"),
        )
        .groupBy(*_YEAR, "panel", "unit")
        .agg(*[F.sum(name).alias(name) for name in SUMS])
        .select(panel_key().alias("at"), F.xxhash64("unit").alias("unit"), *SUMS)
    )


def panel_key() -> Column:
    """A panel of a policy and year as one whole number: rows are many, and short."""
    return F.xxhash64(*_YEAR, "panel")


def replicate_sums(units: DataFrame) -> DataFrame:
    """One row per panel and replicate with SUMS.

    Replicate 0 is what was observed; it alone has the number of units, and MOMENTS: sums of products of a unit's SUMS.
    """
    replicate = F.explode(F.sequence(F.lit(OBSERVED), F.lit(REPLICATES))).alias("replicate")
    drawn = drawn_number()
    is_observed = F.col("replicate") == OBSERVED
    products = [F.col(a).cast(_WHOLE) * F.col(b).cast(_WHOLE) for a, b in _PAIRS]
    return (
        units.select("at", "unit", *SUMS, replicate)
        .withColumn("times", F.when(is_observed, F.lit(1).cast("bigint")).otherwise(poisson(drawn)))
        .groupBy("at", "replicate")
        .agg(
            *[F.sum(F.col(name) * F.col("times")).alias(name) for name in SUMS],
            F.count(F.when(is_observed, F.lit(1))).alias("units"),
            *[F.sum(F.when(is_observed, product)).alias(name) for name, product in zip(MOMENTS, products, strict=True)],
        )
    )


def drawn_number() -> Column:
    """Of a unit and a replicate: as good as drawn by chance from 0 to 2**32 - 1."""
    return F.shiftrightunsigned(F.xxhash64("unit", "replicate"), 32)


def poisson(drawn: Column) -> Column:
    """A whole number from 0 to 2**32 - 1 as a Poisson(1) number: how many of the limits it reaches."""
    first, *more = POISSON_LIMITS
    found = F.when(drawn < first, 0)
    for times, limit in enumerate(more, start=1):
        found = found.when(drawn < limit, times)
    return found.otherwise(len(POISSON_LIMITS)).cast("bigint")


def _poisson_limits() -> tuple[int, ...]:
    shares = [math.exp(-1) / math.factorial(times) for times in range(13)]
    return tuple(
        round(sum(shares[: n + 1]) * _RANGE) for n in range(12) if sum(shares[: n + 1]) * _RANGE < _RANGE - 0.5
    )


POISSON_LIMITS = _poisson_limits()
_PAIRS = tuple((a, b) for at, a in enumerate(SUMS) for b in SUMS[at:])
MOMENTS = tuple(f"{a}_{b}" for a, b in _PAIRS)


def raw_figure(prefix: str = "") -> Column:
    """PMPM of the sums, US dollars."""
    cents, parts = F.col(f"{prefix}cents"), F.col(f"{prefix}parts")
    return ratio(cents, parts) * (PARTS / CENTS)


def mean_score(prefix: str = "") -> Column:
    """Mean normalized score of the sums; null where nobody is scored."""
    return ratio(F.col(f"{prefix}score"), F.col(f"{prefix}weight")) * (PARTS / SCORES)


def adjusted_figure(prefix: str = "") -> Column:
    return ratio(raw_figure(prefix), mean_score(prefix))


def variance(is_adjusted: bool, prefix: str = "") -> Column:
    """Variance of a figure by the delta method, squared US dollars, from SUMS and MOMENTS.

    The influence of a unit on cents x weight / (parts x score) is the figure x (its share of cents - of parts - of
    score + of weight); squares summed, x n / (n - 1).
    """
    signs = {"cents": 1, "parts": -1, "score": -1, "weight": 1} if is_adjusted else {"cents": 1, "parts": -1}
    shares = {name: ratio(F.lit(float(sign)), F.col(f"{prefix}{name}")) for name, sign in signs.items()}
    terms = [
        F.col(f"{prefix}{a}_{b}").cast("double") * shares[a] * shares[b] * (1.0 if a == b else 2.0)
        for a, b in _PAIRS
        if a in signs and b in signs
    ]
    figure = adjusted_figure(prefix) if is_adjusted else raw_figure(prefix)
    units = F.col(f"{prefix}units")
    squares = figure * figure * reduce(add, terms) * ratio(units, units - 1)
    return F.when(squares > 0, squares).otherwise(F.lit(0.0))


def interval(ordered: Column) -> tuple[Column, Column]:
    """The limits of 95% of ascending replicates: as many replicates lie outside either, 2.5% of them and one more."""
    drawn = F.size(ordered)
    outside = F.floor((drawn + 1) * 0.025).cast("int")
    return F.get(ordered, outside - 1), F.get(ordered, drawn - outside)


def p_value(ordered: Column) -> Column:
    """Two-sided: twice the smaller share of the replicates on either side of 0, the observed one counted with them."""
    below = F.size(F.filter(ordered, lambda one: one <= 0))
    above = F.size(F.filter(ordered, lambda one: one >= 0))
    return F.least(F.lit(1.0), ratio((F.least(below, above) + 1) * 2, F.size(ordered) + 1))
