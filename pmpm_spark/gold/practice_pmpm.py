"""PMPM by practice inside a network and year, raw, risk-adjusted and shrunken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pmpm_spark.gold.credibility import CREDIBILITY_COLUMNS, square_sums, with_credibility
from pmpm_spark.gold.pmpm import PMPM_COLUMNS, pmpm_by
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Table, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PRACTICE_PMPM = Table(
    name="gold.practice_pmpm",
    grain="one row per policy, performance year, network and practice with an eligible month",
    key=("policy", "performance_year", "network_id", "practice_tin"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("practice_tin", "tax number of the practice; UNATTRIBUTED where none"),
        *PMPM_COLUMNS,
        *CREDIBILITY_COLUMNS,
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def practice_pmpm(
    member_years: DataFrame,
    normalization_factors: DataFrame,
    risk_means: DataFrame,
    network_pmpm: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Member years by network and practice, with how much of its own figure to believe."""
    rows = pmpm_by(
        ("network_id", "practice_tin"),
        member_years,
        normalization_factors,
        risk_means,
        policies,
        performance_years,
        square_sums(),
    )
    return with_credibility(rows, "practice_tin", of_run(network_pmpm, policies, performance_years))
