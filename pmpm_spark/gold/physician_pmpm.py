"""PMPM by physician inside a network and year, raw, risk-adjusted and shrunken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.credibility import CREDIBILITY_COLUMNS, square_sums, with_credibility
from pmpm_spark.gold.pmpm import PMPM_COLUMNS, pmpm_by
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Table, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PHYSICIAN_PMPM = Table(
    name="gold.physician_pmpm",
    grain="one row per policy, performance year, network and physician with an eligible month",
    key=("policy", "performance_year", "network_id", "physician_npi"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("physician_npi", "NPI of the physician; UNATTRIBUTED where none"),
        text("physician_name", "name of the physician, where the directory has it"),
        *PMPM_COLUMNS,
        *CREDIBILITY_COLUMNS,
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def physician_pmpm(
    member_years: DataFrame,
    providers: DataFrame,
    normalization_factors: DataFrame,
    risk_means: DataFrame,
    network_pmpm: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Member years by network and physician, with how much of its own figure to believe."""
    rows = pmpm_by(
        ("network_id", "physician_npi"),
        member_years,
        normalization_factors,
        risk_means,
        policies,
        performance_years,
        square_sums(),
    )
    names = providers.select(F.col("npi").alias("physician_npi"), F.col("name").alias("physician_name"))
    believed = with_credibility(rows, "physician_npi", of_run(network_pmpm, policies, performance_years))
    return believed.join(names, "physician_npi", how="left")
