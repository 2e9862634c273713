"""What was loaded when, and what became of its rows; which runs finished, and which of them can be gone back to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.cli.render import Rows
from pmpm_spark.errors import InputError
from pmpm_spark.model import LOAD_AUDIT, SOURCE_FILES
from pmpm_spark.rollback import standing
from pmpm_spark.runs import RunBook
from pmpm_spark.store import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pmpm_spark.config import RunConfig
    from pmpm_spark.warehouse import Published

COUNTS = ("rows_read", "accepted", "rejected", "duplicate", "superseded", "amount_read", "paid_amount_accepted")


def loads(warehouse: Published, *, by_file: bool) -> Rows:
    """One row a load, or one a file: when, how many files, and the counts of the last finished run."""
    when = warehouse.read(SOURCE_FILES).select("_bronze_table", "_source_file", "_batch_id", "_ingested_at")
    audit = warehouse.read(LOAD_AUDIT).join(when, ["_bronze_table", "_source_file", "_batch_id"], how="inner")
    at = F.date_format("_ingested_at", "yyyy-MM-dd HH:mm:ss").alias("loaded_at")
    if by_file:
        rows = audit.select(at, F.col("_source_file").alias("file"), *COUNTS).orderBy("loaded_at", "file")
    else:
        sums = [F.sum(name).alias(name) for name in COUNTS]
        by_load = audit.groupBy("_batch_id", "_ingested_at").agg(F.count(F.lit(1)).alias("files"), *sums)
        rows = by_load.select(at, F.col("_batch_id").alias("load"), "files", *COUNTS).orderBy("load")
    return Rows(tuple(rows.columns), rows.collect())


def runs(spark: SparkSession, config: RunConfig) -> Rows:
    """One row a finished run, the last one last: when it began, its policies and years, why not to go back to it."""
    found = RunBook(spark, config.warehouse).finished()
    if not found:
        raise InputError("no run has finished in this warehouse; run `pmpm run` first")
    now, store = datetime.now(UTC), Store(spark, config.warehouse)
    rows = [
        (
            run.run_id,
            f"{run.begun:%Y-%m-%d %H:%M:%S}",
            run.what,
            ", ".join(run.policies),
            ", ".join(map(str, json.loads(run.settings)["performance_years"])),
            standing(run, found[-1], config, now, store) or "-",
        )
        for run in found
    ]
    return Rows(("run_id", "begun_utc", "what", "policies", "years", "why_not"), rows)
