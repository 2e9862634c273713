"""The figures of each network and of all others in every replicate of the bootstrap: what comparisons are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.bootstrap import (
    MOMENTS,
    OBSERVED,
    REPLICATES,
    SUMS,
    adjusted_figure,
    drawn_units,
    mean_score,
    panel_key,
    raw_figure,
    replicate_sums,
    variance,
)
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONTHS, Column, Table, column, count, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

_YEAR = ("policy", "performance_year")
_FIGURES = T.ArrayType(T.DoubleType())


def observed_columns(of: str, prefix: str) -> tuple[Column, ...]:
    """What was observed of one side."""
    return (
        count(f"{prefix}members", f"members of {of} with at least one eligible month"),
        column(f"{prefix}member_months", MONTHS, f"eligible member months of {of}"),
        quotient(f"{prefix}pmpm", f"PMPM of {of}, US dollars"),
        quotient(f"{prefix}normalized_risk_score", f"normalized risk of {of}; null where nobody is scored"),
    )


def _side(of: str, prefix: str) -> tuple[Column, ...]:
    return (
        *observed_columns(of, prefix),
        quotient(f"{prefix}raw_variance", f"variance of the PMPM of {of} by the delta method, squared US dollars"),
        quotient(f"{prefix}adjusted_variance", f"variance of the adjusted PMPM of {of} by the delta method"),
        column(f"{prefix}raw", _FIGURES, f"PMPM of {of} in each of {REPLICATES} replicates, US dollars"),
        column(f"{prefix}adjusted", _FIGURES, f"adjusted PMPM of {of} in each of them; null where nobody is scored"),
    )


NETWORK_REPLICATES = Table(
    name="gold.network_replicates",
    grain="one row per policy, performance year and network with an eligible month; members of no network take no part",
    key=(*_YEAR, "network_id"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network"),
        *_side("the network", ""),
        *_side("all other networks together", "others_"),
    ),
    partition_by=_YEAR,
    slice_by=_YEAR,
    key_is_built_in=True,
)
_COUNTS = ("members", "member_months")
OF_SIDE = tuple(c.name for c in _side("", ""))


def network_replicates(
    member_years: DataFrame, network_pmpm: DataFrame, *, policies: Sequence[Policy], performance_years: Sequence[int]
) -> DataFrame:
    """The bootstrap of every network of a year."""
    networks = of_run(network_pmpm, policies, performance_years).where(F.col("network_id") != UNATTRIBUTED)
    years = of_run(member_years, policies, performance_years)
    of_panels = replicates(years, networks.withColumn("panel", F.col("network_id")), ("network_id",), policies)
    return of_panels.withColumnRenamed("panel", "network_id")


def replicates(
    member_years: DataFrame, rows: DataFrame, keys: tuple[str, ...], policies: Sequence[Policy]
) -> DataFrame:
    """One row per policy, year and panel of `rows` (see `drawn_units`), with the columns of the contract."""
    of_year = Window.partitionBy(*_YEAR).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    panels = (
        rows.groupBy(*_YEAR, "panel")
        .agg(*[F.sum(name).alias(name) for name in _COUNTS])
        .withColumns({f"others_{name}": F.sum(name).over(of_year) - F.col(name) for name in _COUNTS})
        .withColumn("at", panel_key())
    )
    added = (*SUMS, "units", *MOMENTS)
    of_panels = replicate_sums(drawn_units(member_years, rows, keys, policies)).join(
        F.broadcast(panels), "at", how="inner"
    )
    of_side = [f"{prefix}{name}" for prefix in ("", "others_") for name in (*_COUNTS, *added)]
    own = F.struct("panel", *_COUNTS, *[f"others_{name}" for name in _COUNTS], *added)
    together = of_panels.groupBy(*_YEAR, "replicate").agg(
        F.collect_list(own).alias("panels"), *[F.sum(name).alias(f"all_{name}") for name in added]
    )
    sums = (
        together.withColumn("own", F.explode("panels"))
        .select(*_YEAR, "replicate", "own.*", *[f"all_{name}" for name in added])
        .withColumns({f"others_{name}": F.col(f"all_{name}") - F.col(name) for name in added})
    )
    figures = F.struct(
        "replicate",
        *[
            figure(prefix).alias(f"{prefix}{name}")
            for prefix in ("", "others_")
            for name, figure in (("raw", raw_figure), ("adjusted", adjusted_figure))
        ],
    )
    is_observed = F.col("replicate") == OBSERVED
    gathered = sums.groupBy(*_YEAR, "panel").agg(
        F.array_sort(F.collect_list(F.when(~is_observed, figures))).alias("drawn"),
        *[F.max(F.when(is_observed, F.col(name))).alias(name) for name in of_side],
    )
    made: dict[str, SparkColumn] = {}
    for prefix in ("", "others_"):
        made[f"{prefix}pmpm"] = raw_figure(prefix)
        made[f"{prefix}normalized_risk_score"] = mean_score(prefix)
        made[f"{prefix}raw_variance"] = variance(False, prefix)
        made[f"{prefix}adjusted_variance"] = variance(True, prefix)
        for name in ("raw", "adjusted"):
            made[f"{prefix}{name}"] = F.col(f"drawn.{prefix}{name}")
    names = [f"{prefix}{name}" for prefix in ("", "others_") for name in OF_SIDE]
    return gathered.withColumns(made).select(*_YEAR, "panel", *names)
