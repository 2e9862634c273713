"""Each two networks of a year, and each against all others: whose members cost more, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.bootstrap import NORMAL_95, interval, p_value
from pmpm_spark.gold.network_replicates import OF_SIDE, observed_columns
from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Column, Table, column, flag, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

ALL_OTHERS = "ALL_OTHERS"
_YEAR = ("policy", "performance_year")


def _side(of: str, prefix: str) -> tuple[Column, ...]:
    return (
        *observed_columns(of, prefix),
        quotient(f"{prefix}figure", f"what is compared of {of}: its adjusted PMPM, raw where is_adjusted is false"),
        quotient(f"{prefix}figure_low", f"lower limit of the figure's 95% interval of {of}, of the bootstrap"),
        quotient(f"{prefix}figure_high", f"upper limit of the figure's 95% interval of {of}, of the bootstrap"),
    )


NETWORK_COMPARISON = Table(
    name="gold.network_comparison",
    grain="one row per policy, performance year and two networks, the first in the order of ids first; and one per "
    "network against all other networks together (ALL_OTHERS). Members of no network take no part",
    key=(*_YEAR, "network_id", "other_network_id"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network"),
        text("other_network_id", f"the network that it is compared with, or {ALL_OTHERS}"),
        *_side("the network", ""),
        *_side("the other", "other_"),
        flag("is_adjusted", "both have a risk score; else raw PMPM are compared"),
        quotient("difference", "figure less other_figure, US dollars per member month"),
        quotient("difference_low", "lower limit of its 95% interval, of the bootstrap"),
        quotient("difference_high", "upper limit of its 95% interval, of the bootstrap"),
        quotient("p_value", "two-sided p-value of the bootstrap for no difference"),
        quotient("delta_low", "lower limit of its 95% interval by the delta method"),
        quotient("delta_high", "upper limit of its 95% interval by the delta method"),
        column("replicates", T.IntegerType(), "replicates that have a figure on both sides"),
        flag("is_small_cell", f"fewer than {SMALL_CELL} members on a side; then there is no interval"),
    ),
    partition_by=_YEAR,
    slice_by=_YEAR,
)


def network_comparison(
    network_replicates: DataFrame, *, policies: Sequence[Policy], performance_years: Sequence[int]
) -> DataFrame:
    """Every pair of networks, and every network against all others."""
    networks = of_run(network_replicates, policies, performance_years)
    mine, others = _side_of(networks, ""), _side_of(networks, "other_")
    pairs = mine.join(others, list(_YEAR), how="inner").where(F.col("network_id") < F.col("other_network_id"))
    return differences(pairs.unionByName(against_all_others(networks)))


def against_all_others(replicates: DataFrame) -> DataFrame:
    """Each network with all others together as its other side; none where there is no other."""
    names = [F.col(f"others_{name}").alias(f"other_{name}") for name in OF_SIDE]
    other = F.lit(ALL_OTHERS).alias("other_network_id")
    return replicates.where(F.col("others_members") > 0).select(*_YEAR, "network_id", *OF_SIDE, other, *names)


def _side_of(replicates: DataFrame, prefix: str) -> DataFrame:
    return replicates.select(*_YEAR, *[F.col(name).alias(f"{prefix}{name}") for name in ("network_id", *OF_SIDE)])


def differences(pairs: DataFrame) -> DataFrame:
    """The columns of the contract for rows with both sides' columns of `network_replicates`."""
    is_adjusted = F.col("normalized_risk_score").isNotNull() & F.col("other_normalized_risk_score").isNotNull()
    is_small = F.least("members", "other_members") < SMALL_CELL
    chosen = pairs.withColumns({"is_adjusted": is_adjusted, "is_small_cell": is_small})
    sides: dict[str, SparkColumn] = {}
    for prefix in ("", "other_"):
        raw, risk = F.col(f"{prefix}pmpm"), F.col(f"{prefix}normalized_risk_score")
        sides[f"{prefix}figure"] = F.when(F.col("is_adjusted"), raw / risk).otherwise(raw)
        for name, of_raw, of_adjusted in (
            ("variance", "raw_variance", "adjusted_variance"),
            ("drawn", "raw", "adjusted"),
        ):
            adjusted = F.when(F.col("is_adjusted"), F.col(f"{prefix}{of_adjusted}"))
            sides[f"{prefix}{name}"] = adjusted.otherwise(F.col(f"{prefix}{of_raw}"))
    both = chosen.withColumns(sides)
    apart = F.transform("drawn", lambda own, place: own - F.get(F.col("other_drawn"), place))
    ordered = {
        name: F.when(~F.col("is_small_cell"), F.array_sort(F.filter(drawn, lambda one: one.isNotNull())))
        for name, drawn in (("difference", apart), ("figure", F.col("drawn")), ("other_figure", F.col("other_drawn")))
    }
    sorted_ = both.withColumns({f"{name}_drawn": drawn for name, drawn in ordered.items()})
    limits = {name: interval(F.col(f"{name}_drawn")) for name in ordered}
    difference = F.col("figure") - F.col("other_figure")
    away = F.when(~F.col("is_small_cell"), NORMAL_95 * F.sqrt(F.col("variance") + F.col("other_variance")))
    return sorted_.withColumns(
        {
            **{f"{name}_low": low for name, (low, _) in limits.items()},
            **{f"{name}_high": high for name, (_, high) in limits.items()},
            "difference": difference,
            "p_value": F.when(~F.col("is_small_cell"), p_value(F.col("difference_drawn"))),
            "delta_low": difference - away,
            "delta_high": difference + away,
            "replicates": F.when(F.col("is_small_cell"), 0).otherwise(F.size("difference_drawn")).cast("int"),
        }
    ).select(*NETWORK_COMPARISON.column_names)
