"""Risk scores by month: what the diagnoses known by the end of each month of the collection year make of a score.

The last month's is the score of the payment year. A policy asks for them by `risk.by_month`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.member_hccs import with_drops
from pmpm_spark.silver.risk_factors import counted_hccs, factors, raw_score
from pmpm_spark.silver.risk_profiles import models_of
from pmpm_spark.table import SCORE, Table, column, day, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MEMBER_MODEL = ("member_id", "performance_year", "model")
_KEY = (*_MEMBER_MODEL, "known_by")

RISK_SCORES_BY_MONTH = Table(
    name="silver.risk_scores_by_month",
    grain="one row per member, performance year and month of the collection year; none where no policy of the run asks",
    key=("member_id", "performance_year", "known_by"),
    columns=(
        text("member_id", "pseudonymous member key"),
        year("performance_year", "payment year that the score is for"),
        day("known_by", "last day of the month whose diagnoses, and earlier ones of the year, count"),
        column("risk_score", SCORE, "raw score, of several models the mean by their shares"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)


def scores_by_month(policies: Sequence[Policy]) -> bool:
    """A policy of the run asks for scores by month."""
    return any(policy.risk.by_month for policy in policies)


def risk_scores_by_month(
    risk_profiles: DataFrame,
    member_hccs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    hcc_hierarchies: Sequence[Sequence[Any]],
    hcc_age_cells: Sequence[Sequence[Any]],
    hcc_interactions: Sequence[Sequence[Any]],
    hcc_coefficients: Sequence[Sequence[Any]],
    hcc_blends: Sequence[Sequence[Any]],
) -> DataFrame:
    """Each category stands from its first claim's month on; hierarchies and factors are found anew for each month."""
    asked = F.lit(scores_by_month(policies))
    models = models_of(hcc_blends, performance_years)
    known_by = F.last_day(F.make_date(F.col("performance_year") - 1, F.col("month"), F.lit(1))).alias("known_by")

    def in_months(rows: DataFrame, first: Any) -> DataFrame:
        months = rows.where(asked).withColumn("month", F.explode(F.sequence(first, F.lit(12))))
        return months.select("*", known_by).drop("month")

    told = in_months(member_hccs.select(*_MEMBER_MODEL, "hcc", "service_thru"), F.month("service_thru"))
    counted = counted_hccs(with_drops(told.select(*_KEY, "hcc"), _KEY, hcc_hierarchies, models), _KEY)
    people = in_months(risk_profiles, F.lit(1)).join(counted, list(_KEY), how="left")
    found = factors(
        people, (*_KEY, "share"), performance_years, hcc_age_cells, hcc_interactions, hcc_coefficients, hcc_blends
    )
    of_models = found.groupBy(*_KEY, "share").agg(raw_score().alias("raw"))
    blended = F.sum(F.col("raw") * F.col("share"))
    by_month = of_models.groupBy("member_id", "performance_year", "known_by").agg(blended.alias("risk_score"))
    return by_month.withColumn("risk_score", F.greatest(F.col("risk_score"), F.lit(0)).cast(SCORE))
