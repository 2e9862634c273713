"""What was loaded when, and what became of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.cli.render import Rows
from pmpm_spark.model import LOAD_AUDIT, SOURCE_FILES

if TYPE_CHECKING:
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
