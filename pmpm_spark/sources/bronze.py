"""What a source hands over for loading: bronze rows and the files they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.sources.files import LINE_COLUMNS, SourceFile
from pmpm_spark.table import Table, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class BronzeLoad:
    """New rows of one bronze table and the files that hold them; or, where it `replaces`, all that the table holds."""

    table: Table
    frame: DataFrame
    files: tuple[SourceFile, ...]
    replaces: bool = False


class KnownFile(NamedTuple):
    """A file that was loaded before."""

    table: str
    name: str
    batch_id: str
    fingerprint: str


def delivered_table(name: str, a_row: str, columns: Iterable[str]) -> Table:
    """The contract of delivered rows: the columns as delivered, all text, and where each row comes from."""
    return Table(
        name=f"bronze.{name}",
        grain=f"one row per {a_row}",
        key=("_source_file", "_source_row", "_batch_id"),
        columns=(*[text(column, "as delivered") for column in columns], *LINE_COLUMNS),
        key_is_built_in=True,
    )


def add_provenance(
    lines: DataFrame, delivered: list[Column], is_unparsed: Column, batch_id: str, ingested_at: datetime
) -> DataFrame:
    """The delivered columns with where each row comes from; the whole line where it could not be parted."""
    return lines.select(
        *delivered,
        "_source_file",
        F.col("_source_row").cast(T.LongType()).alias("_source_row"),
        F.lit(batch_id).alias("_batch_id"),
        F.lit(ingested_at).cast(T.TimestampType()).alias("_ingested_at"),
        F.xxhash64("value").alias("_line_hash"),
        F.when(is_unparsed, F.col("value")).alias("_unparsed"),
    )
