"""The Tuva input layer: eligibility, medical_claim, pharmacy_claim and provider_attribution.

Columns and their meanings: Tuva's input layer (models/input_layer). Its claims are net already, so every claim is a
group of its own. A claim is nobody's plan's: whatever plan it names, its dollars stand with the person.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.intake import latest_row_fates
from pmpm_spark.model import CLAIM_ROWS, ENROLLMENT_ROWS
from pmpm_spark.sources.bronze import BronzeLoad, KnownFile
from pmpm_spark.sources.source_kind import SourceKind
from pmpm_spark.sources.tabular import table_loads
from pmpm_spark.sources.tuva.attribution import PROVIDER_ATTRIBUTION
from pmpm_spark.sources.tuva.claims import all_claim_rows
from pmpm_spark.sources.tuva.eligibility import enrollment_rows
from pmpm_spark.sources.tuva.layout import BRONZE, TABLES
from pmpm_spark.stage import Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["BRONZE_TABLES", "PROVIDER_ATTRIBUTION", "ROWS", "SOURCE", "STAGES", "bronze_loads"]

BRONZE_TABLES = tuple(BRONZE.values())
ROWS = (ENROLLMENT_ROWS, CLAIM_ROWS)


def bronze_loads(
    spark: SparkSession,
    path: str,
    known: Collection[KnownFile],
    batch_id: str,
    ingested_at: datetime,
    scratch: Path,  # nothing is unpacked
    file_format: str,
) -> tuple[list[BronzeLoad], list[str]]:
    """What is new at the path."""
    return table_loads(spark, path, TABLES, file_format, known, batch_id, ingested_at)


def all_enrollment_rows(eligibility: DataFrame) -> DataFrame:
    """The spans, each with its fate: of one person, start, plan and day of recording the row read last counts."""
    key = ("member_id", "span_start", "plan_id", "recorded_on")
    return latest_row_fates(enrollment_rows(eligibility), key).drop("span_start")


STAGES = (
    Stage(ENROLLMENT_ROWS, (BRONZE["eligibility"],), all_enrollment_rows),
    Stage(CLAIM_ROWS, (BRONZE["medical_claim"], BRONZE["pharmacy_claim"], ENROLLMENT_ROWS), all_claim_rows),
)
SOURCE = SourceKind(BRONZE_TABLES, ROWS, STAGES, bronze_loads, lists=(PROVIDER_ATTRIBUTION,))
