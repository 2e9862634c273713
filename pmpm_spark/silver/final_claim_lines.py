"""Final claim lines: what stands after cancels, each with the service category of its claim.

Silver nets by `claim_group`, `adjustment` and `cancels_claim_id` alone: the source says which versions belong
together and which one each removes, a cancel or what stands in its place; where it tells no group, the claim's id alone
says what is removed. An institutional claim has one category, from all its lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EMERGENCY = "emergency"
OTHER = "other"


def final_claim_lines(claim_lines: DataFrame, service_categories: DataFrame, emergency_codes: DataFrame) -> DataFrame:
    """The lines that nothing removes, with their category; a claim type without one is `other`."""
    standing = _standing(claim_lines)
    categories = service_categories.select("claim_type", "service_category")
    others = standing.where(F.col("claim_type") != "outpatient").join(F.broadcast(categories), "claim_type", how="left")
    categorised = others.withColumn("service_category", F.coalesce("service_category", F.lit(OTHER)))
    return categorised.unionByName(_outpatient(standing, emergency_codes))


def _standing(claim_lines: DataFrame) -> DataFrame:
    removed = (
        claim_lines.where("cancels_claim_id IS NOT NULL")
        .select(F.col("claim_group").alias("removing_group"), F.col("cancels_claim_id").alias("removed_id"))
        .distinct()
    )
    versions = claim_lines.where(F.col("adjustment") != "cancel")
    of_group = F.coalesce(F.col("claim_group") == F.col("removing_group"), F.lit(True))
    return versions.join(removed, (F.col("claim_id") == F.col("removed_id")) & of_group, how="left_anti")


def _outpatient(standing: DataFrame, emergency_codes: DataFrame) -> DataFrame:
    """Outpatient claims: emergency where any line has an emergency revenue code or HCPCS."""

    def codes(kind: str) -> DataFrame:
        chosen = emergency_codes.where(F.col("code_kind") == kind)
        return F.broadcast(chosen.select(F.col("code").alias(kind), F.lit(True).alias(f"is_{kind}")))

    lines = (
        standing.where(F.col("claim_type") == "outpatient")
        .join(codes("revenue_code"), "revenue_code", how="left")
        .join(codes("hcpcs"), "hcpcs", how="left")
    )
    whole_claim = Window.partitionBy("claim_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    is_emergency = F.max(F.coalesce("is_revenue_code", "is_hcpcs", F.lit(False))).over(whole_claim)
    category = F.when(is_emergency, EMERGENCY).otherwise("outpatient")
    return lines.withColumn("service_category", category).drop("is_revenue_code", "is_hcpcs")
