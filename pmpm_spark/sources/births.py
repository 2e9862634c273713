"""A claim of a time before its person was born is nobody's: it is rejected, with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.intake import members

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BEFORE_BIRTH = "the service is before the person's birth"


def not_before_birth(claim_rows: DataFrame, enrollment_rows: DataFrame) -> DataFrame:
    """Typed claim rows, those that end before their member's birth rejected. Needs `row_as_read`."""
    births = members(enrollment_rows).select("member_id", F.col("birth_date").alias("born_on"))
    joined = claim_rows.join(births, "member_id", how="left")
    reason = F.array(F.lit(BEFORE_BIRTH))
    is_early = F.coalesce(F.col("service_thru") < F.col("born_on"), F.lit(False))
    reasons = F.when(is_early, F.concat("reject_reasons", reason)).otherwise(F.col("reject_reasons"))
    judged = joined.withColumn("reject_reasons", reasons)
    rejected_row = F.when(F.size("reject_reasons") > 0, F.col("row_as_read"))
    return judged.withColumn("rejected_row", rejected_row).drop("born_on")
