"""Final claim lines: what stands after cancels, each with both levels of its service category.

Silver nets by `claim_group`, `adjustment` and `cancels_claim_id` alone: the source says which versions belong
together and which one each removes, a cancel or what stands in its place; where it tells no group, the claim's id alone
says what is removed. An institutional claim has one category, from all its lines; any other line its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.model.claim_lines import INSTITUTIONAL
from pmpm_spark.silver.service_categories import LEVELS, first_rule, level_of, rules_in_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EMERGENCY = "emergency"


def final_claim_lines(
    claim_lines: DataFrame, removed_claims: DataFrame, *, service_categories: Sequence[Sequence[object]]
) -> DataFrame:
    """The lines that nothing removes, with their category; a line that meets no rule is `other`.

    Of the rules that the lines of an institutional claim meet, the one with the lowest priority gives the category of
    all of them: the payment stands on one line, often not the one that says what was done.
    """
    rules = rules_in_order(service_categories)
    judged = _standing(claim_lines, removed_claims).withColumn("rule", first_rule(rules))
    is_institutional = F.col("claim_type").isin(*INSTITUTIONAL)
    whole_claim = Window.partitionBy("claim_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    of_claim = judged.where(is_institutional).withColumn("rule", F.min("rule").over(whole_claim))
    of_line = judged.where(~is_institutional)
    levels = {level: level_of(F.col("rule"), rules, level) for level in LEVELS}
    return of_line.unionByName(of_claim).withColumns(levels).drop("rule")


def _standing(claim_lines: DataFrame, removed_claims: DataFrame) -> DataFrame:
    versions = claim_lines.where(F.col("adjustment") != "cancel")
    removed = removed_claims.select(F.col("claim_id").alias("removed_id"), F.col("claim_group").alias("removing_group"))
    untold = (F.col("removing_group") == "") | F.col("claim_group").isNull()
    is_removed = (F.col("claim_id") == F.col("removed_id")) & (
        untold | (F.col("claim_group") == F.col("removing_group"))
    )
    return versions.join(removed, is_removed, how="left_anti")
