"""What a payment run reads: the groups of a run but for gold, a fourth of the work. With gold and its report:
tests/test_capitation.py and tests/test_capitation_guide.py; on Spark tests/test_catalog.py."""

from __future__ import annotations

from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig
from pmpm_spark.pipeline import run


def make_payable(spark: SparkSession, config: RunConfig) -> None:
    for group in ("load", "silver"):
        run(spark, config, group=group)
