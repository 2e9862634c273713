"""Diagnoses and procedures that stand side by side in a row, and the one row of a claim that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from pmpm_spark.model.intake import CODED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def listed_codes(codes: Sequence[Column], days: Sequence[Column], system: Column) -> Column:
    """Codes with their places from 1, without dots; a place without a code is left out."""
    told = [
        F.struct(
            F.lit(place).alias("position"),
            F.regexp_replace(code, r"\.", "").alias("code"),
            system.alias("code_system"),
            (days[place - 1] if days else F.lit(None).cast("date")).alias("on"),
        )
        for place, code in enumerate(codes, 1)
    ]
    return F.filter(F.array(*told).cast(CODED), lambda one: one["code"].isNotNull())


def codes_on_first_line(rows: DataFrame) -> DataFrame:
    """Claim rows with `diagnoses` and `procedures` on the first accepted line of a claim alone."""
    is_accepted = F.col("outcome") == "accepted"
    of_claim = Window.partitionBy("claim_id", is_accepted).orderBy("line_number", "claim_version")
    placed = rows.withColumn("is_first", is_accepted & (F.row_number().over(of_claim) == 1))
    kept = {name: F.when(F.col("is_first"), F.col(name)) for name in ("diagnoses", "procedures")}
    return placed.withColumns(kept).drop("is_first")
