"""Cells of delivered text to typed columns; what cannot be typed becomes a reason, never an error.

A reason names the column as delivered and what is wrong with it; it never holds the value.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.table import MONEY

_MONTH_NAMES = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_RIF_DATE = "^[0-9]{2}-[A-Za-z]{3}-[0-9]{4}$"
_ISO_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def told(name: str) -> Column:
    """The cell's text trimmed; null where nothing is told."""
    trimmed = F.trim(F.col(name))
    return F.when(trimmed != "", trimmed)


def iso_date(cell: Column) -> Column:
    return F.when(cell.rlike(_ISO_DATE), cell.try_cast(T.DateType()))


def rif_date(cell: Column) -> Column:
    """`08-Jul-2014` in any case; null where it is no such day."""
    at = F.position(F.upper(F.substring(cell, 4, 3)), F.lit(_MONTH_NAMES))
    month = F.lpad(F.floor((at + 2) / 3).cast("string"), 2, "0")
    iso = F.concat_ws("-", F.substring(cell, 8, 4), month, F.substring(cell, 1, 2))
    return F.when(cell.rlike(_RIF_DATE) & (at % 3 == 1), iso.try_cast(T.DateType()))


class TypedRow:
    """Types the cells of one kind of row and keeps the reasons why a row cannot be taken."""

    def __init__(self) -> None:
        self._reasons: list[Column] = []

    def must(self, holds: Column, reason: str) -> None:
        """The row is rejected for `reason` where `holds` is false; where it is null it is not judged."""
        self._reasons.append(F.when(~F.coalesce(holds, F.lit(True)), F.lit(reason)))

    def required(self, name: str) -> Column:
        cell = told(name)
        self.must(cell.isNotNull(), f"{name} is missing")
        return cell

    def amount(self, name: str) -> Column:
        """US dollars; nothing told is 0."""
        return F.coalesce(self._typed(name, told(name).try_cast(MONEY), "an amount"), F.lit(0).cast(MONEY))

    def whole(self, name: str) -> Column:
        return self._typed(name, told(name).try_cast(T.IntegerType()), "a whole number")

    def decimal(self, name: str, kind: T.DecimalType) -> Column:
        return self._typed(name, told(name).try_cast(kind), "a number")

    def rif_day(self, name: str) -> Column:
        return self._typed(name, rif_date(told(name)), "a date")

    def iso_day(self, name: str) -> Column:
        return self._typed(name, iso_date(told(name)), "a date")

    def one_of(self, name: str, codes: tuple[str, ...]) -> Column:
        cell = told(name)
        self.must(cell.isin(*codes), f"{name} is not one of its codes")
        return cell

    def reasons(self) -> Column:
        """Every reason that holds; an empty array where the row is good."""
        return F.array_compact(F.array(*self._reasons))

    def _typed(self, name: str, typed: Column, what: str) -> Column:
        self.must(told(name).isNull() | typed.isNotNull(), f"{name} is not {what}")
        return typed


def row_of(names: tuple[str, ...]) -> Column:
    """The row as delivered, cells that are told, as JSON: for `rejects` alone."""
    return F.to_json(F.struct(*[F.col(name) for name in names]))
