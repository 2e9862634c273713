"""Which version of a claim a cancel removes (CMS, CCLF Information Packet, sections 3.2, 3.3 and 5).

A cancel removes one version of its natural key, not the key: the one whose control number it names, or where it names
none, one of its amount; of several the first that took effect, and each version at most once. The order of effective
dates between a cancel and what replaces the original does not matter. A cancel of what was not delivered removes
nothing, though what replaces that may be there. Part D records replace one another instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from pmpm_spark.intake import own_row_key
from pmpm_spark.model.intake import UNMATCHED_CANCEL
from pmpm_spark.sources.cclf.fates import rejected_too
from pmpm_spark.spark_versions import array_position

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CANCEL = "cancel"
MATCHES = ("control_number", "told_amount")
"""What a cancel and the version that it removes share: the number, or where a cancel names none, the amount."""


def net_key() -> Column:
    """The claim group of an accepted row; a key of its own for any other, which takes no part."""
    return F.when(F.col("outcome") == "accepted", F.col("claim_group")).otherwise(own_row_key())


def with_cancelled(versions: DataFrame) -> DataFrame:
    """The versions with `cancels_claim_id`; a cancel that finds none to remove is rejected.

    `control_number` is a version's own, or the one that a cancel names.
    """
    is_cancel = F.col("adjustment") == CANCEL
    group = Window.partitionBy("net_key").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    told = F.struct("effective_on", "claim_id", *MATCHES)
    keyed = versions.withColumn("net_key", net_key())
    rows = keyed.withColumns(
        {
            "others": F.sort_array(F.array_compact(F.collect_list(F.when(~is_cancel, told)).over(group))),
            "cancels_claim_id": F.lit(None).cast("string"),
        }
    )
    for match in MATCHES:
        names_one = F.col("control_number").isNotNull()
        looks = is_cancel & (names_one if match == "control_number" else ~names_one)
        among = Window.partitionBy("net_key", "looks", match).orderBy("effective_on", "claim_id")
        rows = (
            rows.withColumns({"looks": looks, "taken": F.array_compact(F.collect_list("cancels_claim_id").over(group))})
            .withColumn("place", F.row_number().over(among))
            .withColumn("cancels_claim_id", F.coalesce("cancels_claim_id", F.when(F.col("looks"), _free(match))))
        )
    rows = rows.drop("net_key", "others", "looks", "taken", "place")
    return rejected_too(rows, is_cancel & F.col("cancels_claim_id").isNull(), UNMATCHED_CANCEL)


def _free(match: str) -> Column:
    """Of the versions that no cancel has taken and that agree, the one in this cancel's place."""
    wanted, taken = F.col(match), F.col("taken")
    free = F.filter(
        F.col("others"), lambda v: (v[match] == wanted) & (array_position(taken, v["claim_id"]) == F.lit(0))
    )
    return F.get(free, F.col("place") - 1)["claim_id"]


def with_replaced(records: DataFrame) -> DataFrame:
    """Part D records with `cancels_claim_id`: each removes the one before it. A deletion of nothing is rejected."""
    order = ("effective_on", "claim_id")
    in_order = Window.partitionBy("net_key").orderBy(*order)
    group = Window.partitionBy("net_key").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    keyed = records.withColumn("net_key", net_key())
    is_cancel = F.col("adjustment") == CANCEL
    rows = keyed.withColumns(
        {"cancels_claim_id": F.lag("claim_id").over(in_order), "fills": F.count_if(~is_cancel).over(group)}
    )
    return rejected_too(rows, is_cancel & (F.col("fills") == 0), UNMATCHED_CANCEL).drop("net_key", "fills")
