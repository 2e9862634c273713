"""The files of a CCLF delivery: their fields and places, and what their names tell.

CMS, Claim and Claim Line Feed File Data Elements Resource. Fixed width, blank padded, no heading but CCLF0's.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.sources.bronze import delivered_table
from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import Table

CONTROL = "cclf0"
KINDS = tuple(f"cclf{number}" for number in range(10))
"""CCLF0 counts the others; A headers, A revenue centers, A procedures, A diagnoses, B lines, DME lines, Part D,
people, changes of id."""
MEMBER = re.compile(r"(P\.\w+\.ACO\.ZC)([0-9A-Z])(([YR])\d\d\.D(\d{6})\.T\d+)(?:\.gz)?")
"""Name of one file: `P.A1001.ACO.ZC1Y22.D220515.T0000000`; Y regular, R run-out, D the file's date."""
_FILE_DATE = r"\.ZC[0-9A-Z]([YR])\d\d\.D(\d{6})\.T"


@dataclass(frozen=True)
class Field:
    """Where a field stands in its record: `start` counts from 1."""

    name: str
    start: int
    length: int


@dataclass(frozen=True)
class FileName:
    """What the name of a file tells."""

    delivery: str
    kind: str
    is_regular: bool
    file_date: date


def file_name(name: str) -> FileName | None:
    """What a name tells; None where it is no CCLF file's."""
    told = MEMBER.fullmatch(name)
    if told is None:
        return None
    stem, kind, rest, regular, day = told.groups()
    try:
        file_date = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError:
        return None
    return FileName(stem + rest, f"cclf{kind.lower()}", regular == "Y", file_date)


def told_month(file_date: date) -> date:
    """The month that a regular delivery tells: the one before its date."""
    number = file_date.year * 12 + file_date.month - 2
    return date(number // 12, number % 12 + 1, 1)


@lru_cache
def fields_of(kind: str) -> tuple[Field, ...]:
    return _layout()[kind]


@lru_cache
def record_length(kind: str) -> int:
    """Characters of a record."""
    last = fields_of(kind)[-1]
    return last.start + last.length - 1


@lru_cache
def _layout() -> dict[str, tuple[Field, ...]]:
    text_of = files("pmpm_spark.sources").joinpath("cclf_layout.csv").read_text(encoding="utf-8")
    layout: dict[str, list[Field]] = {}
    for row in csv.DictReader(text_of.splitlines()):
        start, end = int(row["start"]), int(row["end"])
        layout.setdefault(row["file"].lower(), []).append(Field(row["field"], start, end - start + 1))
    return {kind: tuple(fields) for kind, fields in layout.items()}


def bronze_table(kind: str) -> Table:
    """The contract of the bronze table of one kind of file: the fields as delivered, all text."""
    return delivered_table(kind, f"record of a {kind.upper()} file", (field.name for field in fields_of(kind)))


BRONZE = {kind: bronze_table(kind) for kind in KINDS}
"""The bronze table of each kind."""


def file_date_column() -> Column:
    """The file date that `_source_file` tells."""
    day = F.regexp_extract("_source_file", _FILE_DATE, 2)
    iso = F.concat(F.lit("20"), day.substr(1, 2), F.lit("-"), day.substr(3, 2), F.lit("-"), day.substr(5, 2))
    return try_cast(iso, "date")


def is_regular_column() -> Column:
    """Whether `_source_file` is of a regular delivery, not of a run-out."""
    return F.regexp_extract("_source_file", _FILE_DATE, 1) == "Y"
