"""Named tables as a source delivers them: comma-separated files, Parquet, Delta, or tables of a catalog, to bronze
rows.

A table is what it is now: where the content of any of its files has changed, has come or is gone, all of it replaces
what was loaded of it before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import CATALOG, CSV
from pmpm_spark.delta_text import engine_condition, quoted
from pmpm_spark.errors import InputError, is_engine_error
from pmpm_spark.measures import sum_of_hashes
from pmpm_spark.sources.bronze import BronzeLoad, KnownFile, delivered_table
from pmpm_spark.sources.comma import comma_rows
from pmpm_spark.sources.files import SourceFile, scan
from pmpm_spark.sources.headings import check_heading, some
from pmpm_spark.sources.stored import FORMAT_SETTING, check_names, stored_table, why_unreadable
from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BETWEEN = ";"
"""Between the elements of a list, where it stands in one cell."""
_UNTOLD = "\x00"
IDS = r"(^|_)(id|npi|tin)$"
"""The columns that hold ids, by their names."""
SMALL, WIDEST = 1e-3, 1e18
"""Below the first the embedded engine writes a floating number with an exponent; above the second a whole number may
not fit."""
NO_PLAIN_NUMBER = "not a plain number"


@dataclass(frozen=True)
class InputTable:
    """One table of a source: its name, the columns that are read, those that must be there, and whether it must be.

    `feeds` has, for columns whose lack is easily missed, what nobody knows without them.
    """

    source: str
    name: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    is_needed: bool = False
    feeds: Mapping[str, str] = field(default_factory=dict)

    @property
    def bronze(self) -> Table:
        return delivered_table(f"{self.source}_{self.name}", f"row of {self.name}", self.columns)


@dataclass(frozen=True)
class Part:
    """Files of one table that are read together, and what makes bronze rows of them."""

    files: tuple[SourceFile, ...]
    rows: Callable[[], DataFrame]


@dataclass(frozen=True)
class Batch:
    """The load that bronze rows belong to."""

    batch_id: str
    ingested_at: datetime


def table_loads(
    spark: SparkSession,
    path: str,
    tables: Sequence[InputTable],
    file_format: str,
    known: Collection[KnownFile],
    batch_id: str,
    ingested_at: datetime,
) -> tuple[list[BronzeLoad], list[str]]:
    """The tables that are not what they were, whole, and notices in plain words.

    Raises:
        InputError: a table that must be there, or was there before, is missing, or a column of one.
    """
    batch = Batch(batch_id, ingested_at)
    if file_format == CSV:
        there, notices = _of_files(spark, path, tables, batch)
    else:
        there, notices = _of_tables(spark, path, tables, file_format, batch)
    loads: list[BronzeLoad] = []
    absent: list[str] = []
    same: list[str] = []
    gone: list[str] = []
    for table in tables:
        parts = there.get(table.name, [])
        before = {file.fingerprint: file.name for file in known if file.table == table.bronze.name}
        now = {file.fingerprint: file.name for part in parts for file in part.files}
        if not parts and (table.is_needed or before):
            was_there = ", and it was read before; put it back (an empty one, if it shall be empty)" if before else ""
            raise InputError(f"{path}: there is no {table.name} among the tables ({file_format}){was_there}")
        if not parts:
            absent.append(table.name)
        elif now.keys() == before.keys():
            same += now.values()
        else:
            gone += sorted(set(before.values()) - set(now.values()))
            notices += _untold(table, parts)
            loads += [BronzeLoad(table.bronze, p.rows(), p.files, replaces=at == 0) for at, p in enumerate(parts)]
    if same:
        notices.append(f"loaded before, nothing new: {some(same)}")
    if gone:
        notices.append(f"gone since the last run, and their rows with them: {some(gone)}")
    if absent:
        notices.append(f"there is no {', no '.join(absent)}: what they would tell is not told")
    return loads, notices


def _untold(table: InputTable, parts: Sequence[Part]) -> list[str]:
    there = {name for part in parts for file in part.files for name in file.heading}
    lacking = [f"{name} ({what})" for name, what in table.feeds.items() if name not in there]
    return [f"{table.name}: not told, as there is no such column: {', '.join(lacking)}"] if lacking else []


There = tuple[dict[str, list[Part]], list[str]]
"""The parts of each table that is there, and notices."""


def _of_files(spark: SparkSession, path: str, tables: Sequence[InputTable], batch: Batch) -> There:
    """Comma-separated files, each of the table that its name, or its folder's, begins with; equal files are one."""
    notices: list[str] = []
    groups: dict[tuple[str, tuple[str, ...]], dict[str, SourceFile]] = {}
    others = []
    by_name = {table.name: table for table in tables}
    for file in scan(spark, path):
        table = by_name.get(_table_name(file.name, by_name))
        if table is None:
            others.append(file.name)
            continue
        notices += _check(table, file.heading, file.name)
        if not any(name == table.name and file.fingerprint in files for (name, _), files in groups.items()):
            groups.setdefault((table.name, file.heading), {})[file.fingerprint] = file
    if others:
        notices.append(f"of no table of this source, and not read: {some(others)}")
    there: dict[str, list[Part]] = {}
    for (name, _), group in sorted(groups.items()):
        files, columns = tuple(group.values()), by_name[name].columns
        rows = partial(comma_rows, spark, files, columns, batch.batch_id, batch.ingested_at)
        there.setdefault(name, []).append(Part(files, rows))
    return there, notices


def _table_name(file_name: str, names: Collection[str]) -> str:
    first = file_name.split("/")[0].lower()
    return next((n for n in sorted(names, key=len, reverse=True) if re.match(rf"{n}(?![a-z])", first)), "")


def _check(table: InputTable, heading: Sequence[str], where: str) -> list[str]:
    unknown = check_heading(table.name, heading, where, table.columns, table.required)
    return [f"{where}: {len(unknown)} unknown columns passed over: {', '.join(unknown[:5])}"] if unknown else []


def _of_tables(spark: SparkSession, path: str, tables: Sequence[InputTable], file_format: str, batch: Batch) -> There:
    there: dict[str, list[Part]] = {}
    notices = []
    for table in tables:
        frame = table_at(spark, path, table.name, file_format)
        if frame is None:
            continue
        notices += _check(table, frame.columns, table.name)
        there[table.name] = [table_part(frame, table, path, batch)]
    return there, notices


def table_part(frame: DataFrame, table: InputTable, path: str, batch: Batch) -> Part:
    """A table that is at hand, as what it is known by and the bronze rows of it."""
    rows = _as_text(frame, table).withColumn("_line_hash", _hash_of(table))
    file = _summary(rows, path, table, frame.columns)
    return Part((file,), partial(_bronze_rows, rows, table, batch))


def table_at(
    spark: SparkSession, path: str, name: str, file_format: str, setting: str = FORMAT_SETTING
) -> DataFrame | None:
    """The table as it is; None where there is none. `setting` is what says the format.

    Raises:
        InputError: it is there and cannot be read.
    """
    try:
        if file_format == CATALOG:
            full = ".".join(quoted(part) for part in (*path.split("."), name))
            frame = spark.table(full) if spark.catalog.tableExists(full) else None
        else:
            frame = stored_table(spark, path, name, file_format, setting)
        columns = frame.columns if frame is not None else []  # the engine looks now
    except Exception as error:
        if not is_engine_error(error):
            raise
        if "NOT_FOUND" in engine_condition(error) and file_format != CATALOG:
            return None
        raise InputError(f"{path}: {name} {why_unreadable(error, file_format, setting)}") from None
    check_names(f"{path}: {name}", columns)
    return frame


def _as_text(frame: DataFrame, table: InputTable) -> DataFrame:
    """The columns that are read, as text; those that are not there, null.

    Raises:
        InputError: a column holds something that is no plain value.
    """
    types = {field.name: field.dataType for field in frame.schema.fields}
    return frame.select(*[_text(table.name, name, types.get(name)).alias(name) for name in table.columns])


def _text(table_name: str, name: str, data_type: T.DataType | None) -> Column:
    if data_type is None:
        return F.lit(None).cast("string")
    if isinstance(data_type, T.ArrayType) and not isinstance(data_type.elementType, T.ArrayType | T.StructType):
        return F.concat_ws(BETWEEN, F.col(name).cast("array<string>"))
    if isinstance(data_type, T.ArrayType | T.MapType | T.StructType | T.BinaryType):
        raise InputError(f"{table_name}: column {name} is {data_type.simpleString()}; a plain value is wanted")
    if isinstance(data_type, T.DoubleType | T.FloatType):
        return _number_text(F.col(name), is_id=re.search(IDS, name) is not None)
    if isinstance(data_type, T.TimestampType | T.TimestampNTZType):
        midnight = F.date_format(name, "HH:mm:ss") == "00:00:00"
        return F.when(midnight, F.to_date(name).cast("string")).otherwise(F.col(name).cast("string"))
    return F.col(name).cast("string")


def _number_text(number: Column, is_id: bool) -> Column:
    """A floating number as people write it: 1, not 1.0, and 10000000, not 1.0E7, with up to six decimals.

    What cannot be written so (infinite, not a number, of more than 18 digits) is rejected as an amount, and not taken
    for 0; an id that is none is not told. Engines differ in how they write floating numbers, and in how they round
    large ones to decimals: hence a whole number by itself, and others by their shortest text.
    """
    whole = try_cast(number, T.LongType())
    decimal = F.coalesce(
        F.when(F.abs(number) < SMALL, try_cast(number.cast(T.DoubleType()), T.DecimalType(28, 6))),
        try_cast(number.cast("string"), T.DecimalType(28, 6)),
    )
    is_plain = F.abs(number) < WIDEST  # false of what is not a number: it counts as above all
    shortened = F.regexp_replace(decimal.cast("string"), "[.]?0+$", "")
    text = F.when(whole.cast(T.DoubleType()) == number, whole.cast("string")).otherwise(shortened)
    otherwise = F.lit(None).cast("string") if is_id else F.when(number.isNotNull(), F.lit(NO_PLAIN_NUMBER))
    return F.when(is_plain, text).otherwise(otherwise)


def _whole_row(table: InputTable) -> Column:
    return F.concat_ws("\x1f", *[F.coalesce(F.col(name), F.lit(_UNTOLD)) for name in table.columns])


def _hash_of(table: InputTable) -> Column:
    return F.xxhash64(_whole_row(table))


def _summary(rows: DataFrame, path: str, table: InputTable, heading: Sequence[str]) -> SourceFile:
    """What the table is known by, from one scan."""
    told = rows.agg(
        F.count(F.lit(1)).alias("rows"),
        F.sum(F.octet_length(_whole_row(table))).alias("text_bytes"),
        sum_of_hashes(F.col("_line_hash")).alias("hash"),
    ).collect()[0]
    digest = int(told["hash"] or 0) % 2**64
    rows_read, text_bytes = int(told["rows"]), int(told["text_bytes"] or 0)
    fingerprint = f"{rows_read}-{text_bytes}-{digest:016x}"
    return SourceFile(f"{path}/{table.name}", table.name, tuple(heading), "", rows_read, text_bytes, fingerprint)


def _bronze_rows(rows: DataFrame, table: InputTable, batch: Batch) -> DataFrame:
    """A row of a table has no line: it is numbered as it was read."""
    return rows.select(
        *table.columns,
        F.lit(table.name).alias("_source_file"),
        (F.monotonically_increasing_id() + 1).cast(T.LongType()).alias("_source_row"),
        F.lit(batch.batch_id).alias("_batch_id"),
        F.lit(batch.ingested_at).cast(T.TimestampType()).alias("_ingested_at"),
        "_line_hash",
        F.lit(None).cast("string").alias("_unparsed"),
    )
