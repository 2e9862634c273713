"""The lists that go beside generated claims by person: risk scores, and the payer's own attribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.enrollment import NOT_ENROLLED
from pmpm_spark.generate.people import one_in
from pmpm_spark.generate.providers import npi_of
from pmpm_spark.generate.truth import NETWORKS, OUTSIDE, SCORE_LEVEL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MISSING_SCORES = 0.03


def risk_scores(member_years: DataFrame, draws: Draws, *, years: tuple[int, int]) -> DataFrame:
    """One row per person and performance year, 3% missing: the year's risk with noise, three decimals."""
    person, year = F.col("person"), F.col("year")
    thousandths = F.floor(F.col("risk") * draws.lognormal(0.12, "score", person, year) * SCORE_LEVEL * 1_000)
    score = thousandths.cast("decimal(12,0)") * F.lit("0.001").cast("decimal(4,3)")
    scored = _of_performance_years(member_years, years).where(~draws.chance(MISSING_SCORES, "no score", person, year))
    return scored.select(
        "member_id",
        year.alias("performance_year"),
        score.cast("decimal(12,3)").alias("risk_score"),
        F.lit("CMS-HCC V24").alias("model"),
        F.lit("generated").alias("source"),
    )


def member_attribution(member_years: DataFrame, draws: Draws, *, years: tuple[int, int]) -> DataFrame:
    """The payer's list: who belongs to a network, without 3% of them; some without a physician, some in two
    networks."""
    person, year, network = F.col("person"), F.col("year"), F.col("network")
    also = F.when(one_in(100, 31, person), F.array(network, (network + 1) % len(NETWORKS))).otherwise(F.array(network))
    listed = _of_performance_years(member_years, years).where(
        (network < OUTSIDE) & ~draws.chance(0.03, "not listed", person, year)
    )
    return listed.select(
        *[name for name in listed.columns if name != "network"], F.explode(also).alias("network")
    ).select(
        year.alias("performance_year"),
        "member_id",
        lookup([n.network_id for n in NETWORKS], network).alias("network_id"),
        F.when(~draws.chance(0.02, "no physician", person, year), npi_of(F.col("practice"), F.col("place"))).alias(
            "physician_npi"
        ),
    )


def _of_performance_years(member_years: DataFrame, years: tuple[int, int]) -> DataFrame:
    return member_years.where(F.col("year").between(*years) & F.col("is_enrolled") & (F.col("cover") != NOT_ENROLLED))
