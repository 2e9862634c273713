"""Risk scores: those supplied, and those computed from the claims' diagnoses, beside each other; a policy chooses.

Three things are called normalization, and are kept apart. Here: CMS's, raw over the model's factor, and less the coding
intensity for payment. In gold: a policy's yearly factor, or the mean of its reference population.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.silver.risk_factors import PLACES, raw_score
from pmpm_spark.silver.risk_profiles import ANY
from pmpm_spark.table import FACTOR, SCORE, Table, column, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_KEY = ("member_id", "performance_year")
SUPPLIED, COMPUTED = "supplied", "computed"

RISK_SCORES = Table(
    name="silver.risk_scores",
    grain="one row per member, performance year and origin",
    key=(*_KEY, "origin"),
    columns=(
        text("member_id", "pseudonymous member key"),
        year("performance_year", "year that the score is for"),
        text("origin", "supplied, or computed from the diagnoses of the year before"),
        column("risk_score", SCORE, "raw score, before any normalization; of several models the mean by their shares"),
        text("model", "model that made it; of several each with its share"),
        text("source", "where it comes from"),
        column("normalized_score", SCORE, "raw over CMS's normalization factor; null where supplied"),
        column("payment_score", SCORE, "normalized, less CMS's coding intensity adjustment; null where supplied"),
    ),
    rules={"score_is_not_negative": "risk_score >= 0", "origin_is_known": "origin IN ('supplied', 'computed')"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)


def risk_scores(
    supplied_risk_scores: DataFrame,
    risk_profiles: DataFrame,
    risk_factors: DataFrame,
    *,
    hcc_normalization: Sequence[Sequence[Any]],
) -> DataFrame:
    """One sum of factors by member, year and model, then one over the models."""
    none = F.lit(None).cast(SCORE)
    supplied = supplied_risk_scores.select(
        *_KEY,
        F.lit(SUPPLIED).alias("origin"),
        "risk_score",
        "model",
        "source",
        none.alias("normalized_score"),
        none.alias("payment_score"),
    )
    rates = small_frame(risk_factors.sparkSession, [row[:5] for row in hcc_normalization], _RATES)
    by_model = risk_factors.groupBy(*_KEY, "model").agg(raw_score().alias("raw"))
    scored = risk_profiles.select(*_KEY, "model", "part", "share").join(by_model, [*_KEY, "model"], how="inner")
    for_part = F.coalesce(F.col("rate_of_part"), F.col("rate_of_all"))
    own = rates.where(F.col("part") != ANY).select(
        "performance_year", "model", "part", F.struct("factor", "intensity").alias("rate_of_part")
    )
    of_all = rates.where(F.col("part") == ANY).select(
        "performance_year", "model", F.struct("factor", "intensity").alias("rate_of_all")
    )
    rated = (
        scored.join(F.broadcast(own), ["performance_year", "model", "part"], how="left")
        .join(F.broadcast(of_all), ["performance_year", "model"], how="left")
        .withColumn("rate", for_part)
    )
    normalized = F.round(F.greatest(F.col("raw"), F.lit(0).cast(SCORE)) / F.col("rate.factor"), PLACES).cast(SCORE)
    payment = F.round(F.col("normalized") * (1 - F.col("rate.intensity")), PLACES).cast(SCORE)
    of_models = rated.withColumn("normalized", normalized).withColumn("payment", payment)

    def blended(name: str) -> Column:
        """Null where a model of the blend has none."""
        return F.when(F.count(name) == F.count(F.lit(1)), F.sum(F.col(name) * F.col("share")))

    told = F.sort_array(F.collect_list(F.struct("model", "share")))
    names = F.transform(
        told,
        lambda one: F.concat(
            F.lit("CMS-HCC "),
            one["model"],
            F.when(one["share"] == 1, "").otherwise(
                F.concat(F.lit(" "), F.round(one["share"] * 100, 0).cast("int").cast("string"), F.lit("%"))
            ),
        ),
    )
    computed = of_models.groupBy(*_KEY).agg(
        blended("raw").alias("raw"),
        F.round(blended("normalized"), PLACES).alias("normalized_score"),
        F.round(blended("payment"), PLACES).alias("payment_score"),
        F.array_join(names, " + ").alias("model"),
    )
    raw = F.greatest(F.col("raw"), F.lit(0)).cast(SCORE)
    return supplied.unionByName(
        computed.select(
            *_KEY,
            F.lit(COMPUTED).alias("origin"),
            raw.alias("risk_score"),
            "model",
            F.lit(COMPUTED).alias("source"),
            F.col("normalized_score").cast(SCORE).alias("normalized_score"),
            F.col("payment_score").cast(SCORE).alias("payment_score"),
        )
    )


_RATES = T.StructType(
    [
        T.StructField("model", T.StringType()),
        T.StructField("part", T.StringType()),
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("factor", FACTOR),
        T.StructField("intensity", SCORE),
    ]
)
