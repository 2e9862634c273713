"""What becomes of a delivered CCLF record, whatever the order in which deliveries came.

The same record may be delivered again, in a regular and in a run-out delivery: the one of the latest file date counts,
an equal one beside it is a duplicate, another superseded. A delivery that came again under its own name with other
content replaces the former one wholly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from pmpm_spark.sources.cclf.layout import file_date_column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WORKING = ("own_key", "file_date", "is_replaced")


def latest_record_fates(typed: DataFrame, key: tuple[str, ...]) -> DataFrame:
    """The typed records with their `outcome`; `own_key` is told where a record stands alone, `file_date` with all."""
    dated = with_file_date(typed)
    last_first = Window.partitionBy("own_key", *key).orderBy(*latest_first())
    of_key = last_first.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = dated.withColumns(
        {"place": F.row_number().over(last_first), "counted_hash": F.first("_line_hash").over(of_key)}
    )
    fate = (
        F.when(F.size("reject_reasons") > 0, "rejected")
        .when(F.col("is_replaced"), "superseded")
        .when(F.col("place") == 1, "accepted")
        .when(F.col("_line_hash") == F.col("counted_hash"), "duplicate")
        .otherwise("superseded")
    )
    return ranked.withColumn("outcome", fate).drop("place", "counted_hash")


def with_file_date(typed: DataFrame) -> DataFrame:
    """Each record with the date of its file, and a key of its own where no other record may settle its fate."""
    counted = typed.groupBy("_source_file").agg(F.max("_batch_id").alias("counted_batch"))
    joined = typed.join(F.broadcast(counted), "_source_file", how="left")
    is_replaced = F.col("_batch_id") != F.col("counted_batch")
    alone = F.concat_ws("|", "_bronze_table", "_source_file", F.col("_source_row").cast("string"), "_batch_id")
    return joined.withColumns(
        {
            "is_replaced": is_replaced,
            "file_date": file_date_column(),
            "own_key": F.when(is_replaced | (F.size("reject_reasons") > 0), alone),
        }
    ).drop("counted_batch")


def latest_first() -> list[Column]:
    return [F.desc("file_date"), F.desc("_source_file"), F.desc("_source_row"), F.desc("_batch_id")]


def rejected_too(rows: DataFrame, breaks: Column, reason: str) -> DataFrame:
    """Accepted rows that break a rule which is seen only beside other rows are rejected for it."""
    at_fault = (F.col("outcome") == "accepted") & F.coalesce(breaks, F.lit(False))
    marked = rows.withColumn("at_fault", at_fault)
    return marked.withColumns(
        {
            "outcome": F.when(F.col("at_fault"), "rejected").otherwise(F.col("outcome")),
            "reject_reasons": F.when(F.col("at_fault"), F.array(F.lit(reason))).otherwise(F.col("reject_reasons")),
            "rejected_row": F.when(F.col("at_fault"), F.col("row_as_read")).otherwise(F.col("rejected_row")),
        }
    ).drop("at_fault")
