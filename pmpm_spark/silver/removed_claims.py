"""Removed claims: which claims others remove, by a cancel or by what stands in their place.

A table of its own, though small: a join with it is planned by its size, where one with the same rows picked out of all
lines would be planned by theirs, and send every line over the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.table import Table, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REMOVED_CLAIMS = Table(
    name="silver.removed_claims",
    grain="one row per claim that another one removes, and group that tells so",
    key=("claim_id", "claim_group"),
    columns=(
        text("claim_id", "claim that is removed"),
        text("claim_group", "group of what removes it, the claim's own where it tells one; empty where none is told"),
    ),
    key_is_built_in=True,
)


def removed_claims(claim_lines: DataFrame) -> DataFrame:
    """What any version, itself removed or not, says that it removes."""
    removing = claim_lines.where("cancels_claim_id IS NOT NULL")
    group = F.coalesce("claim_group", F.lit("")).alias("claim_group")
    return removing.select(F.col("cancels_claim_id").alias("claim_id"), group).distinct()
