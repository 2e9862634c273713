"""Runs that stop where a test has what it reads: gold is a fourth of a small run. With gold and its report, payments:
tests/test_capitation.py and tests/test_capitation_guide.py; on Spark tests/test_catalog.py."""

from __future__ import annotations

from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig
from pmpm_spark.pipeline import run
from pmpm_spark.table import Table


def run_without_gold(spark: SparkSession, config: RunConfig, *but: Table) -> tuple[str, ...]:
    """What a payment run reads, and these tables of gold; what was said."""
    said = [notice for group in ("load", "silver") for notice in run(spark, config, group=group).notices]
    for table in but:
        said += run(spark, config, only=table.name).notices
    return tuple(said)
