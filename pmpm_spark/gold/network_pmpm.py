"""PMPM by network and year, raw and risk-adjusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.pmpm import PMPM_COLUMNS, network_names, pmpm_by
from pmpm_spark.policy import Policy
from pmpm_spark.table import Table, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NETWORK_PMPM = Table(
    name="gold.network_pmpm",
    grain="one row per policy, performance year and network with an eligible month",
    key=("policy", "performance_year", "network_id"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("network_name", "name of the network"),
        text("network_type", "MSSP, REACH or OTHER"),
        *PMPM_COLUMNS,
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_pmpm(
    member_years: DataFrame,
    network_roster: DataFrame,
    normalization_factors: DataFrame,
    risk_means: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Member years by network; a network without an eligible month has no row."""
    rows = pmpm_by(("network_id",), member_years, normalization_factors, risk_means, policies, performance_years)
    return rows.join(F.broadcast(network_names(network_roster)), "network_id", how="left")
