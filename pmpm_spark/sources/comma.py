"""Comma-separated files with a heading to bronze rows, all text: columns in any order, cells in quotes or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.sources.bronze import add_provenance
from pmpm_spark.sources.files import SourceFile, numbered_lines

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_CELL = r',("(?:[^"]|"")*"|[^,"]*)'
"""A comma and a cell: in quotes, where a quote stands twice, or without any."""
PART = 16
"""Cells of a line that are handled together (sources/rif/bronze.py has why)."""


def comma_rows(
    spark: SparkSession,
    files: Sequence[SourceFile],
    columns: Sequence[str],
    batch_id: str,
    ingested_at: datetime,
    told: Mapping[str, str] | None = None,
) -> DataFrame:
    """The bronze rows of files with one and the same heading. `told` has what stands in a column on every row."""
    of_width: dict[int, list[SourceFile]] = {}
    for file in files:
        of_width.setdefault(file.width, []).append(file)
    frames = [_rows_of_width(spark, group, columns, batch_id, ingested_at, told or {}) for group in of_width.values()]
    return union_of(frames)


def _rows_of_width(
    spark: SparkSession,
    files: Sequence[SourceFile],
    columns: Sequence[str],
    batch_id: str,
    ingested_at: datetime,
    told: Mapping[str, str],
) -> DataFrame:
    """The rows of files whose first lines have as many cells. Where these end in blank ones, a row may have them
    too or leave them out."""
    heading, width = files[0].heading, files[0].width
    # a comma before every cell makes each match one; what no match takes is a quote out of its place
    line = F.concat(F.lit(","), "value")
    is_whole = (F.regexp_replace(line, _CELL, "") == "") & F.size("cells").isin(len(heading), width)
    parsed = (
        numbered_lines(spark, files)
        .withColumn("cells", F.regexp_extract_all(line, F.lit(_CELL), F.lit(1)))
        .withColumn("cells", F.when(is_whole, F.col("cells")))
    )
    parts = [F.slice("cells", first + 1, PART).alias(f"cells_{first}") for first in range(0, len(heading), PART)]
    parted = parsed.select("_source_file", "_source_row", "value", F.col("cells").isNull().alias("is_unparsed"), *parts)
    places = {name: at for at, name in enumerate(heading)}

    def cell(name: str) -> Column:
        if name in places:
            place = places[name]
            return _unquoted(F.element_at(f"cells_{place - place % PART}", place % PART + 1))
        return F.lit(told.get(name)).cast("string")

    delivered = [cell(name).alias(name) for name in columns]
    return add_provenance(parted, delivered, F.col("is_unparsed"), batch_id, ingested_at)


def _unquoted(cell: Column) -> Column:
    inner = F.regexp_replace(cell.substr(F.lit(2), F.length(cell) - 2), '""', '"')
    return F.when(cell.startswith('"'), inner).otherwise(cell)
