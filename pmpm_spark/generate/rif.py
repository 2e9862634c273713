"""Writes frames as delivered files: RIF (pipe-separated, gzip, the columns CMS delivers) and plain comma-separated
lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.paths import is_local, plain
from pmpm_spark.sources.rif.layout import columns_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# a blank stays a blank, and nothing told is nothing: neither quotes nor trimming
_CSV: dict[str, Any] = {
    "header": True,
    "nullValue": "",
    "emptyValue": "",
    "ignoreLeadingWhiteSpace": False,
    "ignoreTrailingWhiteSpace": False,
}


STANDS, PLACE = MARKS = ("_stands", "_place")
"""What is known of a row and delivered with none: whether it counts where other versions and copies of it are
delivered, and its number among the readable rows of its claim."""


def rif_rows(
    frame: DataFrame, kind: str, cells: Mapping[str, Column | str], *, stands: Column, place: Column | None = None
) -> DataFrame:
    """The frame as rows of one kind of RIF file: the cells given, nothing in the other columns; and `MARKS`.

    Raises:
        KeyError: a cell is none of the kind's columns.
    """
    columns = columns_of(kind)
    strangers = set(cells) - set(columns)
    if strangers:
        raise KeyError(f"{kind} has no column {', '.join(sorted(strangers))}")
    nothing = F.lit(None).cast("string")
    delivered = [(_text(cells[name]) if name in cells else nothing).alias(name) for name in columns]
    number = F.lit(1) if place is None else place
    return frame.select(*delivered, stands.alias(STANDS), number.cast("bigint").alias(PLACE))


def write_rif(rows: DataFrame, folder: str, *, files: int) -> None:
    _write(rows.drop(*MARKS), folder, files=files, sep="|", compression="gzip")


def write_list(rows: DataFrame, folder: str, *, files: int = 1, adds: bool = False) -> None:
    _write(rows, folder, files=files, adds=adds, sep=",")


def write_table(rows: DataFrame, folder: str, *, files: int, adds: bool = False) -> None:
    rows.coalesce(files).write.mode("append" if adds else "error").parquet(folder)


def must_be_empty(out: str) -> None:
    """Look before the first job runs; a folder that this machine cannot see is judged by the engine when it writes.

    Raises:
        InputError: `out` is a file, or a folder with something in it.
    """
    if not is_local(out):
        return
    local = Path(plain(out))
    if local.is_file():
        raise InputError(f"{out} is a file: name a folder for the generated files")
    if local.is_dir() and any(local.iterdir()):
        raise InputError(f"{out} is not empty: name a new folder for the generated files, or empty it")


def money(cents: Column, *, zero: str = "0") -> Column:
    """Whole cents as delivered; zero is often written without its cents."""
    dollars = cents.cast("decimal(16,0)") * F.lit("0.01").cast("decimal(3,2)")
    return F.when(cents == 0, zero).otherwise(dollars.cast("decimal(18,2)").cast("string"))


def rif_day(day: Column) -> Column:
    return F.date_format(day, "dd-MMM-yyyy")


def _text(value: Column | str) -> Column:
    return F.lit(value).cast("string")  # what is a column stays one


def _write(rows: DataFrame, folder: str, *, files: int, adds: bool = False, **options: Any) -> None:
    mode = "append" if adds else "error"
    try:
        rows.coalesce(files).write.options(**_CSV, **options).mode(mode).csv(folder)
    except AnalysisException as error:
        if "PATH_ALREADY_EXISTS" in str(error):
            raise InputError(f"{folder} is there already: name a new folder for the generated files") from None
        raise
