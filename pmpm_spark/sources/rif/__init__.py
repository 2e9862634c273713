"""CMS Research Identifiable Files (RIF): recognised by their headings, loaded as read, mapped to the common model."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.intake import claim_fates, latest_row_fates
from pmpm_spark.model import CLAIM_ROWS, ENROLLMENT_ROWS
from pmpm_spark.model.intake import LINES
from pmpm_spark.sources.bronze import BronzeLoad, KnownFile
from pmpm_spark.sources.rif.bronze import bronze_loads
from pmpm_spark.sources.rif.claims import claim_id_in, claim_rows, with_codes
from pmpm_spark.sources.rif.enrollment import enrollment_rows
from pmpm_spark.sources.rif.layout import BRONZE, CLAIM_KINDS
from pmpm_spark.sources.source_kind import SourceKind
from pmpm_spark.stage import CLAIM, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["BRONZE_TABLES", "ROWS", "SOURCE", "STAGES", "bronze_loads", "new_loads"]

BRONZE_TABLES = tuple(BRONZE.values())
ROWS = (ENROLLMENT_ROWS, CLAIM_ROWS)


def new_loads(
    spark: SparkSession,
    path: str,
    known: Collection[KnownFile],
    batch_id: str,
    ingested_at: datetime,
    scratch: Path,  # nothing is unpacked
) -> tuple[list[BronzeLoad], list[str]]:
    """What is new at the path."""
    return bronze_loads(spark, path, {(file.table, file.fingerprint) for file in known}, batch_id, ingested_at)


def all_claim_rows(*bronze: DataFrame) -> DataFrame:
    """The claim rows of every kind, each with its fate."""
    typed = [claim_rows(kind, frame) for kind, frame in zip(CLAIM_KINDS, bronze, strict=True)]
    return of_settled(claim_fates(union_of(typed)))


def of_settled(rows: DataFrame) -> DataFrame:
    """The rows with the codes of their claims. Each row is one line."""
    return with_codes(rows).withColumn("lines", F.lit(None).cast(LINES))


def all_enrollment_rows(beneficiary: DataFrame, *, part_c: str) -> DataFrame:
    """The enrollment rows of every year, each with its fate: the latest row of a person and year counts."""
    return latest_row_fates(enrollment_rows(beneficiary, part_c=part_c), ("member_id", "reference_year"))


STAGES = (
    Stage(ENROLLMENT_ROWS, (BRONZE["beneficiary"],), all_enrollment_rows, settings=("part_c",)),
    Stage(CLAIM_ROWS, tuple(BRONZE[kind] for kind in CLAIM_KINDS), all_claim_rows, by=CLAIM, id_in=claim_id_in),
)
SOURCE = SourceKind(BRONZE_TABLES, ROWS, STAGES, new_loads)
