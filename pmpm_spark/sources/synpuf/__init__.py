"""DE-SynPUF, CMS's public synthetic files of 2008 to 2010: recognised by their headings, mapped to the common model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pmpm_spark.intake import accepted, latest_row_fates
from pmpm_spark.model import CLAIM_ROWS, ENROLLMENT_ROWS
from pmpm_spark.sources.source_kind import SourceKind
from pmpm_spark.sources.synpuf import enrollment
from pmpm_spark.sources.synpuf.bronze import bronze_loads
from pmpm_spark.sources.synpuf.claims import all_claim_rows
from pmpm_spark.sources.synpuf.layout import BRONZE, CLAIM_KINDS
from pmpm_spark.stage import Stage
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["BRONZE_TABLES", "ROWS", "SOURCE", "STAGES", "bronze_loads", "notices"]

BRONZE_TABLES = tuple(BRONZE.values())
ROWS = (ENROLLMENT_ROWS, CLAIM_ROWS)


def all_enrollment_rows(beneficiary: DataFrame) -> DataFrame:
    """The rows of every summary, each with its fate: the latest row of a person and year counts."""
    typed = enrollment.enrollment_rows(beneficiary).drop(*enrollment.COUNTS)
    return latest_row_fates(typed, ("member_id", "reference_year"))


def notices(read: Callable[[Table], DataFrame]) -> list[str]:
    """What the yearly counts of months leave open."""
    rows = read(ENROLLMENT_ROWS)
    bounds = enrollment.month_bounds(read(BRONZE["beneficiary"]), accepted(rows)).orderBy("reference_year")
    return [
        f"{row['reference_year']}: {row['part_a']:,} months in Part A, {row['part_b']:,} in Part B, "
        f"{row['managed']:,} in Medicare Advantage; in both Parts outside it between {row['at_least']:,} and "
        f"{row['at_most']:,}, and {row['at_least']:,} as months are placed; of these, months after a death do not count"
        for row in bounds.collect()
    ]


STAGES = (
    Stage(ENROLLMENT_ROWS, (BRONZE["beneficiary"],), all_enrollment_rows),
    Stage(CLAIM_ROWS, (*[BRONZE[kind] for kind in CLAIM_KINDS], ENROLLMENT_ROWS), all_claim_rows),
)
SOURCE = SourceKind(BRONZE_TABLES, ROWS, STAGES, bronze_loads, unpaid=("pharmacy",), notices=notices)
