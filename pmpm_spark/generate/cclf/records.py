"""Fixed-width records: each field in its place by the layout, blank where nothing is told."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.sources.cclf.layout import fields_of
from pmpm_spark.spark_versions import try_cast


def record(kind: str, cells: Mapping[str, Column | str]) -> Column:
    """One record as text: the cells given, left-justified, blanks in the other fields.

    Raises:
        KeyError: a cell is none of the kind's fields.
    """
    fields = fields_of(kind)
    strangers = set(cells) - {field.name for field in fields}
    if strangers:
        raise KeyError(f"{kind} has no field {', '.join(sorted(strangers))}")
    return F.concat(*[_field(cells.get(field.name, ""), field.length) for field in fields])


def number(value: Column, width: int) -> Column:
    """A whole number with leading zeros."""
    return F.lpad(value.cast("string"), width, "0")


def amount(cents: Column, width: int) -> Column:
    """CMS's picture -9(n).99, `width` characters in all: a sign position, digits with leading zeros, decimals."""
    sign = F.when(cents < 0, "-").otherwise(" ")
    return F.concat(sign, number(F.floor(F.abs(cents) / 100), width - 4), F.lit("."), number(F.abs(cents) % 100, 2))


def quantity(value: Column) -> Column:
    """A whole number as CMS's picture -9(18).9999."""
    return F.concat(F.lit(" "), number(value, 18), F.lit(".0000"))


def day(value: Column) -> Column:
    return value.cast("string")


def cents(cell: Column) -> Column:
    """Whole cents of a delivered amount; null where it is none."""
    return (try_cast(cell, "decimal(16,2)") * 100).cast("bigint")


def _field(value: Column | str, length: int) -> Column:
    if isinstance(value, str):
        return F.lit(value.ljust(length)[:length])
    return F.rpad(F.coalesce(value.cast("string"), F.lit("")), length, " ")
