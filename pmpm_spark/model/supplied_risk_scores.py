"""Supplied risk scores: one raw score a member and performance year."""

from pyspark.sql import types as T

from pmpm_spark.table import SCORE, Table, column, text

SUPPLIED_RISK_SCORES = Table(
    name="silver.supplied_risk_scores",
    grain="one row per member and performance year",
    key=("member_id", "performance_year"),
    columns=(
        text("member_id", "pseudonymous member key"),
        column("performance_year", T.IntegerType(), "year that the score is for"),
        column("risk_score", SCORE, "raw score, before normalization"),
        text("model", "model that made it"),
        text("source", "where it comes from"),
    ),
    rules={"score_is_not_negative": "risk_score >= 0"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)
