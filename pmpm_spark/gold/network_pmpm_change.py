"""Why a network's adjusted PMPM is another one than a year before: enrollment mix, risk, use and price.

As it is paid, or completed where the policy completes: a year that is not paid yet shows less use. For a young year see
network_pmpm_rolling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.split_difference import PARTS, costs_and_months, split_difference
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Table, column, flag, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEYS = ("policy", "performance_year", "network_id")

NETWORK_PMPM_CHANGE = Table(
    name="gold.network_pmpm_change",
    grain="one row per policy, performance year, network, part of the change and service category, where the run has "
    "the network's year before, too",
    key=(*_KEYS, "part", "service_category"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year; the change is that from the year before"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("part", f"{', '.join(PARTS)}: Shapley values, exactly additive and free of order"),
        text("service_category", "first-level service category; empty text of enrollment mix and risk"),
        money("amount", "what the part adds to the adjusted PMPM; all parts add up to its change in cents"),
        quotient("prior_adjusted_pmpm", "adjusted PMPM of the year before, US dollars; raw where is_adjusted is false"),
        quotient("adjusted_pmpm", "that of the year"),
        flag("is_adjusted", "both years have a risk score; else the change is that of the raw PMPM, and risk adds 0"),
        column("member_months", T.DecimalType(12, 6), "the network's eligible member months of the year"),
        flag("is_small_cell", "of the year or the one before"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


def network_pmpm_change(
    network_pmpm: DataFrame,
    member_years: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The split of every network and year of which the run has the year before; a is that, b the year."""
    costs, months = costs_and_months(member_years, member_month_costs, truncated_costs, policies, performance_years)
    networks = of_run(network_pmpm, policies, performance_years).select(
        *_KEYS, "member_months", "pmpm", "normalized_risk_score", "is_small_cell"
    )
    split = split_difference(_both(costs), _both(months), _both(networks), _KEYS)
    small = (
        _both(networks)
        .groupBy(*_KEYS)
        .agg(
            F.max(F.when(F.col("side") == "b", F.col("member_months"))).alias("member_months"),
            F.max("is_small_cell").alias("is_small_cell"),
        )
    )
    return split.join(F.broadcast(small), list(_KEYS), how="inner").select(
        *_KEYS,
        "part",
        "service_category",
        "amount",
        F.col("adjusted_a").alias("prior_adjusted_pmpm"),
        F.col("adjusted_b").alias("adjusted_pmpm"),
        "is_adjusted",
        "member_months",
        "is_small_cell",
    )


def _both(rows: DataFrame) -> DataFrame:
    """Each row as the year itself (b) and as the year before the next one (a)."""
    is_before = F.explode(F.array(F.lit(0), F.lit(1))).alias("is_before")
    names = [name for name in rows.columns if name != "performance_year"]
    return rows.select(*names, "performance_year", is_before).select(
        *names,
        (F.col("performance_year") + F.col("is_before")).alias("performance_year"),
        F.when(F.col("is_before") == 1, F.lit("a")).otherwise(F.lit("b")).alias("side"),
    )
