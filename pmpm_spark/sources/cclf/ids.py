"""CCLF9, changes of Medicare Beneficiary Identifiers, followed to the current one.

Every delivery repeats all changes so far: of several that name the same previous id the latest file counts. Chains
come step by step or all to the newest; they are followed by doubling, so that three joins follow eight changes of
one person's id. What has not ended then goes in a circle, or is longer than any real chain, and is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.intake import accepted
from pmpm_spark.sources.cclf.cells import record, typed
from pmpm_spark.sources.cclf.fates import latest_record_fates, rejected_too
from pmpm_spark.sources.cclf.layout import BRONZE, CONTROL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DOUBLINGS = 3
CYCLE = "the chain of ids goes in a circle, or on for more than eight changes"


def id_change_rows(changes: DataFrame) -> DataFrame:
    """The records of CCLF9 with `member_id`, the current id at the end of the chain, and their fates."""
    row = record("cclf9")
    values = {"previous_id": row.required("PRVS_NUM"), "current_id": row.required("CRNT_NUM")}
    fated = latest_record_fates(typed(row, "cclf9", changes, values), ("previous_id",))
    steps = (
        accepted(fated).where("previous_id != current_id").select("previous_id", F.col("current_id").alias("member_id"))
    )
    ends = steps
    for _ in range(DOUBLINGS):
        onward = ends.select(F.col("previous_id").alias("member_id"), F.col("member_id").alias("further_id"))
        ends = (
            ends.join(F.broadcast(onward), "member_id", how="left")
            .withColumn("member_id", F.coalesce("further_id", "member_id"))
            .select("previous_id", "member_id")
        )
    still = steps.select(F.col("previous_id").alias("member_id"), F.lit(True).alias("goes_on"))
    followed = ends.join(F.broadcast(still), "member_id", how="left")
    rows = fated.join(F.broadcast(followed), "previous_id", how="left")
    judged = rejected_too(rows, F.col("goes_on"), CYCLE)
    return judged.withColumn("member_id", F.when(F.col("outcome") == "accepted", F.col("member_id")))


def other_rows(control: DataFrame, changes: DataFrame) -> DataFrame:
    """What CCLF0 and CCLF9 deliver, with fates. CCLF0 was held against the files before anything was loaded."""
    counts = control.select(
        F.lit(None).cast("string").alias("previous_id"),
        F.lit(None).cast("string").alias("member_id"),
        F.lit(BRONZE[CONTROL].name).alias("_bronze_table"),
        "_source_file",
        "_source_row",
        "_batch_id",
        F.lit("accepted").alias("outcome"),
        F.array().cast("array<string>").alias("reject_reasons"),
        F.lit(None).cast("string").alias("rejected_row"),
    )
    return counts.unionByName(id_change_rows(changes).select(*counts.columns))


def member_id_changes(other_rows: DataFrame) -> DataFrame:
    """The previous ids that are in use no more, each with the current id of its person."""
    return (
        accepted(other_rows)
        .where("previous_id IS NOT NULL AND member_id IS NOT NULL")
        .select("previous_id", "member_id")
    )
