"""The common model itself as the way in: tables named and shaped as silver's, for whoever can write them.

docs/common-model.md, made from these contracts, has each column; what is not told takes the value given there.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.model import CLAIM_CODE_ROWS, CLAIM_ROWS, ENROLLMENT_ROWS
from pmpm_spark.sources.bronze import BronzeLoad, KnownFile
from pmpm_spark.sources.common.claims import all_claim_rows, all_code_rows
from pmpm_spark.sources.common.enrollment import all_enrollment_rows
from pmpm_spark.sources.common.layout import BRONZE, TABLES
from pmpm_spark.sources.source_kind import SourceKind
from pmpm_spark.sources.tabular import table_loads
from pmpm_spark.stage import Stage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["BRONZE_TABLES", "ROWS", "SOURCE", "STAGES", "bronze_loads"]

BRONZE_TABLES = tuple(BRONZE.values())
ROWS = (ENROLLMENT_ROWS, CLAIM_CODE_ROWS, CLAIM_ROWS)


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


STAGES = (
    Stage(ENROLLMENT_ROWS, (BRONZE["members"], BRONZE["coverage_records"]), all_enrollment_rows),
    Stage(CLAIM_CODE_ROWS, (BRONZE["claim_diagnoses"], BRONZE["claim_procedures"]), all_code_rows),
    Stage(CLAIM_ROWS, (BRONZE["claim_lines"], CLAIM_CODE_ROWS, ENROLLMENT_ROWS), all_claim_rows),
)
SOURCE = SourceKind(BRONZE_TABLES, ROWS, STAGES, bronze_loads)
