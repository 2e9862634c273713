"""Tables that stand in folders as Parquet or Delta, read alike by both engines.

Told the folder alone, Spark takes the columns of one file for those of all, passes over folders that are no partitions,
and makes a number of the partition `payer=007`; the embedded engine does none of it.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import CSV, DELTA, PARQUET
from pmpm_spark.delta_text import engine_condition
from pmpm_spark.engine import is_embedded
from pmpm_spark.errors import InputError
from pmpm_spark.paths import is_local, plain
from pmpm_spark.sources.files import PARQUET_MARK, begins_with, files_seen_at, literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The value of a partition whose rows have none."""
_DELTA_NAMES = r"[A-Za-z0-9_\-./+&=:;,'@!($)]+"
"""Paths of which the embedded engine finds a Delta table's log."""
_ONE_NAME = "has two columns of one name, or that differ only in case: rename or drop one"
_MIXED = "has files in folders of partitions (name=value) and others beside them: keep one of the two"
_REASONS = {
    r"merge schema|MERGE_SCHEMA|DATA_TYPE_MISMATCH": (
        "has files that differ in the type of a column: write it with one type in all of them"
    ),
    r"PARQUET_TYPE_ILLEGAL|UNSUPPORTED_|to Spark data type|PRECISION_EXCEEDS": (
        "has a column of a type that cannot be read: write text, numbers, decimals of up to 38 digits, dates or "
        "timestamps in microseconds, and none as a dictionary"
    ),
    r"COLUMN_ALREADY_EXISTS|duplicate column names": _ONE_NAME,
    r"mixed partition values": _MIXED,
}


FORMAT_SETTING = "source.format"


def stored_table(
    spark: SparkSession, path: str, name: str, file_format: str, setting: str = FORMAT_SETTING
) -> DataFrame | None:
    """The table of a folder below the path; None where there is none. `setting` is what says the format.

    Raises:
        InputError: what is there is of another format, or cannot be read by this engine.
    """
    folder = os.path.normpath(Path(plain(path)).absolute()) if is_local(path) else path.rstrip("/")
    for place in (f"{folder}/{name}", *([f"{folder}/{name}.parquet"] if file_format == PARQUET else [])):
        if is_local(path) and not Path(place).exists():
            continue
        if is_local(path):
            _check_format(place, file_format, setting)
        return _parquet(spark, place) if file_format == PARQUET else _delta(spark, place)
    if is_local(path):
        _look_for_another_format(Path(folder), name, file_format, setting)
    return None


def why_unreadable(error: Exception, file_format: str, setting: str = FORMAT_SETTING) -> str:
    """What is wrong with a table, in plain words where the cause is known, without a word of the engine's text."""
    for pattern, reason in _REASONS.items():
        if re.search(pattern, str(error)):
            return reason
    return f'cannot be read with {setting} = "{file_format}" ({engine_condition(error)})'


def check_names(where: str, columns: Iterable[str]) -> None:
    """See that no two columns are one to an engine that takes upper and lower case for the same.

    Raises:
        InputError: two are. No name is shown: what made the table may have taken a row for its heading.
    """
    names = [column.lower() for column in columns]
    if len(set(names)) < len(names):
        raise InputError(f"{where} {_ONE_NAME}")


def _check_format(place: str, file_format: str, setting: str) -> None:
    """See that a place holds what the configuration says, and nothing else.

    Raises:
        InputError: it does not.
    """
    has_log = Path(place, "_delta_log").exists()
    files = files_seen_at(place)
    others = [file for file in files if not begins_with(file, PARQUET_MARK)]
    if file_format == PARQUET and has_log:  # with files of former versions
        raise InputError(f'{place}: is a Delta table: read it with {setting} = "{DELTA}"')
    if file_format == DELTA and not has_log:
        advice = f'; read its Parquet with {setting} = "{PARQUET}"' if files and not others else ""
        raise InputError(f"{place}: is no Delta table{advice}")
    if file_format == PARQUET and not files:
        raise InputError(f"{place}: there is no file in this folder")
    if file_format == PARQUET and others:
        advice = f': read such files with {setting} = "{CSV}"' if _is_csv(others[0]) else "; take it away"
        raise InputError(f"{others[0]}: is no Parquet file{advice}")


def _look_for_another_format(folder: Path, name: str, file_format: str, setting: str) -> None:
    """A table that is not there in one format may be there in another, which must not be passed over.

    Raises:
        InputError: it is, or there is no such folder.
    """
    if not folder.exists():
        raise InputError(f"{folder}: there is no such file or folder")
    for file in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        if re.match(rf"{re.escape(name)}(?![a-z])", file.name.lower()):
            told = CSV if _is_csv(file) else PARQUET if file.suffix == ".parquet" else None
            if told not in (None, file_format):
                raise InputError(f'{file}: is not read with {setting} = "{file_format}"; "{told}" reads it')


def _is_csv(file: Path) -> bool:
    return re.search(r"\.csv(\.gz)?$", file.name.lower()) is not None


def _delta(spark: SparkSession, place: str) -> DataFrame:
    if is_embedded(spark) and not re.fullmatch(_DELTA_NAMES, place):
        raise InputError(
            f"{place}: the embedded engine reads no Delta table below such a name: leave out blanks, brackets, percent "
            'signs and letters with accents, or take engine = "spark"'
        )
    return spark.read.format(DELTA).load(place)


def _parquet(spark: SparkSession, place: str) -> DataFrame:
    """The columns of all files, and those of its partitions as text."""
    told = literal(spark, place)
    frame = spark.read.option("mergeSchema", "true").option("recursiveFileLookup", "true").parquet(told)
    partitions = _partitions(place, frame.inputFiles())
    if not partitions:
        return frame
    # the embedded engine has them among the columns already
    delivered = frame.columns[: -len(partitions)] if is_embedded(spark) else frame.columns
    check_names(f"{place}:", (*delivered, *partitions))
    fields = [field for field in frame.schema.fields if field.name not in partitions]
    schema = T.StructType([*fields, *[T.StructField(name, T.StringType()) for name in partitions]])
    values = [F.when(F.col(name) != _NO_VALUE, F.col(name)).alias(name) for name in partitions]
    return spark.read.schema(schema).parquet(told).select(*[field.name for field in fields], *values)


def _partitions(place: str, files: Iterable[str]) -> tuple[str, ...]:
    """The columns that stand in the names of the folders between a place and its files.

    Raises:
        InputError: not in those of every file.
    """
    top = re.sub(r"^\w+:/*|^/", "", place)
    folders = [posixpath.dirname(unquote(file).partition(f"/{top}/")[2]) for file in files]
    if not any("=" in folder for folder in folders):
        return ()
    found = {tuple(part.split("=")[0] for part in folder.split("/")) for folder in folders}
    if len(found) > 1 or not all("=" in part for folder in folders for part in folder.split("/")):
        raise InputError(f"{place}: {_MIXED}")
    return found.pop()
