"""Recorded risk by network and month of the collection year: how a network's mean score grows as diagnoses are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.measures import ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import Table, count, day, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = ("policy", "performance_year", "network_id", "known_by")

NETWORK_RISK_BY_MONTH = Table(
    name="gold.network_risk_by_month",
    grain="one row per policy with risk.by_month, performance year, network and month of the collection year",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "payment year that the scores are for"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        day("known_by", "last day of the month whose diagnoses, and earlier ones of the collection year, count"),
        count("scored_members", "members with an eligible month of the performance year and a computed score"),
        quotient("risk_score", "mean raw score of the scored members"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_risk_by_month(
    member_years: DataFrame,
    risk_scores_by_month: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """A member is one of its network's, whatever the enrollment types of its months."""
    asking = [policy for policy in policies if policy.risk.by_month]
    whose = (
        of_run(member_years, policies, performance_years)
        .where(F.col("policy").isin(*[policy.label for policy in asking]))
        .groupBy("policy", "performance_year", "member_id")
        .agg(F.min("network_id").alias("network_id"))
    )
    return (
        whose.join(risk_scores_by_month, ["performance_year", "member_id"], how="inner")
        .groupBy(*_KEY)
        .agg(F.count("risk_score").alias("scored_members"), F.sum("risk_score").alias("scores"))
        .select(*_KEY, "scored_members", ratio(F.col("scores"), F.col("scored_members")).alias("risk_score"))
    )
