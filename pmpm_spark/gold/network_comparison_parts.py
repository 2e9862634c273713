"""Where the difference of two networks comes from: enrollment mix, risk, and use and price of each service category."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.network_comparison import ALL_OTHERS
from pmpm_spark.gold.split_difference import PARTS, costs_and_months, split_difference
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Table, flag, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_YEAR = ("policy", "performance_year")
_PAIR = (*_YEAR, "network_id", "other_network_id")

NETWORK_COMPARISON_PARTS = Table(
    name="gold.network_comparison_parts",
    grain="one row per pair of network_comparison, part of the difference and service category",
    key=(*_PAIR, "part", "service_category"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network"),
        text("other_network_id", f"the network that it is compared with, or {ALL_OTHERS}"),
        text("part", f"{', '.join(PARTS)}: Shapley values, exactly additive and free of order"),
        text("service_category", "first-level service category; empty text of enrollment mix and risk"),
        money("amount", "what the part adds to the difference; all parts add up to it, half up to cents"),
        flag("is_small_cell", "of network_comparison"),
    ),
    partition_by=_YEAR,
    slice_by=_YEAR,
)


def network_comparison_parts(
    network_comparison: DataFrame,
    member_years: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The split of every pair; side b is the network, a the other."""
    costs, months = costs_and_months(member_years, member_month_costs, truncated_costs, policies, performance_years)
    pairs = of_run(network_comparison, policies, performance_years)
    names = ("member_months", "pmpm", "normalized_risk_score")
    own, other = (
        pairs.select(*_PAIR, *[F.col(f"{prefix}{name}").alias(name) for name in names], F.lit(side).alias("side"))
        for prefix, side in (("", "b"), ("other_", "a"))
    )
    split = split_difference(_of_sides(costs, pairs), _of_sides(months, pairs), own.unionByName(other), _PAIR)
    small = pairs.select(*_PAIR, "is_small_cell")
    return split.join(F.broadcast(small), list(_PAIR), how="inner").select(
        *_PAIR, "part", "service_category", "amount", "is_small_cell"
    )


def _of_sides(rows: DataFrame, pairs: DataFrame) -> DataFrame:
    """The rows of networks once for each pair and side that they are in."""
    figures = [name for name in rows.columns if name not in (*_YEAR, "network_id")]
    wanted = pairs.select(*_PAIR)
    of_networks = rows.where(F.col("network_id") != UNATTRIBUTED)
    of_others = of_networks.withColumnRenamed("network_id", "other_network_id")
    against_all = wanted.where(F.col("other_network_id") == ALL_OTHERS)
    others = of_networks.withColumnRenamed("network_id", "of_network").join(
        F.broadcast(against_all), list(_YEAR), how="inner"
    )
    parts = (
        ("b", of_networks.join(F.broadcast(wanted), [*_YEAR, "network_id"], how="inner")),
        ("a", of_others.join(F.broadcast(wanted), [*_YEAR, "other_network_id"], how="inner")),
        ("a", others.where(F.col("of_network") != F.col("network_id"))),
    )
    sides = [part.select(*_PAIR, F.lit(side).alias("side"), *figures) for side, part in parts]
    return reduce(lambda one, more: one.unionByName(more), sides)
