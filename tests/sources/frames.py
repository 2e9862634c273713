"""Delivered lines as bronze rows, without files: for tests of what the rows mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pmpm_spark.sources.rif.layout import BRONZE
from tests.rif_files import heading

LOADED_AT = datetime(2024, 1, 1, tzinfo=UTC)


def bronze(spark: SparkSession, kind: str, *lines: str, file: str = "f.csv", batch: str = "b1") -> DataFrame:
    """One bronze row a line, the first on row 2; a line of another length is not parted."""
    rows: list[tuple[Any, ...]] = []
    for number, line in enumerate(lines, start=2):
        cells = line.split("|")
        is_whole = len(cells) == len(heading(kind))
        told = cells if is_whole else [None] * len(heading(kind))
        rows.append((*told, file, number, batch, LOADED_AT, hash_of(line), None if is_whole else line))
    table = BRONZE[kind]
    assert table.column_names[: len(heading(kind))] == heading(kind)
    return spark.createDataFrame(rows, T.StructType([T.StructField(c.name, c.type) for c in table.columns]))


def hash_of(line: str) -> int:
    """Equal for equal lines, and the same in every process."""
    return int.from_bytes(line.encode()[-7:], "big") ^ sum(i * b for i, b in enumerate(line.encode()))
