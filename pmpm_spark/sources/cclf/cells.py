"""What the typing of every kind of CCLF record shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.sources.cclf.layout import BRONZE, record_length
from pmpm_spark.sources.cells import TypedRow

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NO_DATES = ("1000-01-01", "9999-12-31")
PROVENANCE = ("_source_file", "_source_row", "_batch_id", "_line_hash", "reject_reasons", "rejected_row", "row_as_read")
"""What goes with every typed row to its fate."""


def record(kind: str) -> TypedRow:
    return TypedRow(f"the record is not {record_length(kind)} characters of text")


def day(row: TypedRow, name: str) -> Column:
    """The day; null where the cell holds none of CMS's days that mean no date."""
    told = row.iso_day(name, beside=NO_DATES)
    return F.when(~told.cast("string").isin(*NO_DATES), told)


def typed(row: TypedRow, kind: str, bronze: DataFrame, values: dict[str, Column]) -> DataFrame:
    """The typed values of the records of one kind with what their fates need."""
    return row.over(bronze).select(
        *[value.alias(name) for name, value in values.items()],
        F.lit(BRONZE[kind].name).alias("_bronze_table"),
        *PROVENANCE,
    )
