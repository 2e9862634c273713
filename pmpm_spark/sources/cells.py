"""Cells of delivered text to typed columns; what cannot be typed becomes a reason, never an error.

A reason names the column as delivered and what is wrong with it; it never holds the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import MONEY, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PROVENANCE = ("_source_file", "_source_row", "_batch_id", "_line_hash")
KEPT = (*PROVENANCE, "_unparsed")
"""Bronze columns that go through to the rows' fates."""
_FATE = ("_bronze_table", *PROVENANCE, "outcome", "reject_reasons", "rejected_row")

_MONTH_NAMES = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
YEAR = "(18[5-9][0-9]|19[0-9]{2}|[2-9][0-9]{3})"
"""A year from 1850 on: nobody who was born before it is a member, and what says an earlier one is no date."""
_RIF_DATE = f"^[0-9]{{2}}-[A-Za-z]{{3}}-{YEAR}$"
_WHOLE = "^[+-]?[0-9]+$"
_DECIMAL = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)$"
_ISO_DATE = f"^{YEAR}-[0-9]{{2}}-[0-9]{{2}}$"
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_COMPACT_DATE = f"^{YEAR}[0-9]{{4}}$"


def _number(cell: Column, pattern: str, kind: T.DataType) -> Column:
    """A number as people write it; engines differ in what else they take for one (1e5, control characters)."""
    return F.when(cell.rlike(pattern), try_cast(cell, kind))


def iso_date(cell: Column, beside: Sequence[str] = ()) -> Column:
    """`2014-07-08`; null where it is no such day. `beside` are days before 1850 that stand for something."""
    pattern = "|".join([_ISO_DATE, *[f"^{day}$" for day in beside]])
    return F.when(cell.rlike(pattern), try_cast(cell, T.DateType()))


def compact_date(cell: Column) -> Column:
    """`20140708`; null where it is no such day."""
    iso = F.concat_ws("-", F.substring(cell, 1, 4), F.substring(cell, 5, 2), F.substring(cell, 7, 2))
    return F.when(cell.rlike(_COMPACT_DATE), try_cast(iso, T.DateType()))


def rif_date(cell: Column) -> Column:
    """`08-Jul-2014` in any case; null where it is no such day."""
    at = F.position(F.upper(F.substring(cell, 4, 3)), F.lit(_MONTH_NAMES))
    month = F.lpad(F.floor((at + 2) / 3).cast("string"), 2, "0")
    iso = F.concat_ws("-", F.substring(cell, 8, 4), month, F.substring(cell, 1, 2))
    return F.when(cell.rlike(_RIF_DATE) & (at % 3 == 1), try_cast(iso, T.DateType()))


class TypedRow:
    """Types the cells of one kind of row and keeps the reasons why a row cannot be taken.

    Works in steps, so that each cell is trimmed, typed and judged once however often it is used: `over` first selects
    the cells that are asked for, trimmed, then what is typed of them, then the reasons.
    """

    def __init__(self, unparsed: str = "the number of fields is not that of the heading") -> None:
        self._unparsed = unparsed
        self._cells: dict[str, None] = {}
        self._as_delivered: dict[str, Column] = {}
        self._typed: dict[str, Column] = {}
        self._reasons: list[Column] = []

    def told(self, name: str) -> Column:
        """The cell's text trimmed; null where nothing is told."""
        self._cells[name] = None
        return F.col(name)

    def as_delivered(self, alias: str, cells: Column) -> Column:
        """Something made of untouched cells, to be typed later and only where it is used."""
        self._as_delivered[alias] = cells
        return F.col(alias)

    def must(self, holds: Column, reason: str) -> None:
        """The row is rejected for `reason` where `holds` is false; where it is null it is not judged."""
        self._reasons.append(F.when(~F.coalesce(holds, F.lit(True)), F.lit(reason)))

    def required(self, name: str) -> Column:
        self.must(self.told(name).isNotNull(), f"{name} is missing")
        return F.col(name)

    def amount(self, name: str) -> Column:
        """US dollars; nothing told is 0."""
        return F.coalesce(self.amount_told(name), F.lit(0).cast(MONEY))

    def amount_told(self, name: str) -> Column:
        """US dollars; null where nothing is told."""
        return self._as(name, "an amount", lambda c: _number(c, _DECIMAL, MONEY))

    def flag(self, name: str) -> Column:
        """True or false in any usual spelling; null where nothing is told."""
        cell = F.lower(self.told(name))
        self.must(cell.isin(*_TRUE, *_FALSE), f"{name} is neither true nor false")
        return cell.isin(*_TRUE)

    def whole(self, name: str) -> Column:
        return self._as(name, "a whole number", lambda c: _number(c, _WHOLE, T.IntegerType()))

    def decimal(self, name: str, kind: T.DecimalType) -> Column:
        return self._as(name, "a number", lambda c: _number(c, _DECIMAL, kind))

    def rif_day(self, name: str) -> Column:
        return self._as(name, "a date", rif_date)

    def iso_day(self, name: str, beside: Sequence[str] = ()) -> Column:
        """`beside` are days before 1850 that stand for something, as for no date."""
        return self._as(name, "a date", lambda cell: iso_date(cell, beside))

    def compact_day(self, name: str) -> Column:
        return self._as(name, "a date", compact_date)

    def service_days(self, service_from: Column, service_thru: Column, *thru_names: str) -> dict[str, Column]:
        """First and last day of service; the last must be told and not before the first.

        `thru_names` are the cells that the last may be told by, the one to name where none does first. A cell that
        holds no date is a reason by itself: the day is not missing then, too.
        """
        holds_no_date = [self._is_faulty(name) for name in thru_names]
        self.must(reduce(or_, holds_no_date, service_thru.isNotNull()), f"{thru_names[0]} is missing")
        self.must(service_from <= service_thru, "the last day of service is before the first")
        return {"service_from": service_from, "service_thru": service_thru}

    def one_of(self, name: str, codes: tuple[str, ...]) -> Column:
        self.must(self.told(name).isin(*codes), f"{name} is not one of its codes")
        return F.col(name)

    def over(self, bronze: DataFrame) -> DataFrame:
        """The bronze rows with the cells asked for, what is typed of them, `reject_reasons`, `rejected_row` and
        `row_as_read`, from which a later step that rejects makes one.

        A rejected row is kept as the cells that the mapping reads, or as the whole line where it could not be parted;
        the rest of it stands in bronze under its file and row.
        """
        cells = bronze.select(
            *KEPT,
            *[trimmed(name).alias(name) for name in self._cells],
            *[value.alias(name) for name, value in self._as_delivered.items()],
        )
        typed = cells.select("*", *[value.alias(name) for name, value in self._typed.items()])
        # of a line that could not be parted nothing else can be said
        is_whole = F.col("_unparsed").isNull()
        reasons = F.when(is_whole, F.array_compact(F.array(*self._reasons))).otherwise(F.array(F.lit(self._unparsed)))
        judged = typed.withColumn("reject_reasons", reasons)
        as_told = F.to_json(F.struct(*self._cells))
        as_read = judged.withColumn("row_as_read", F.coalesce("_unparsed", as_told))
        return as_read.withColumn("rejected_row", F.when(F.size("reject_reasons") > 0, F.col("row_as_read")))

    def rows(
        self,
        bronze: DataFrame,
        delivered: Table,
        table: Table,
        values: Mapping[str, Column],
        beside: Sequence[str] = (),
    ) -> DataFrame:
        """A row of the intake table per bronze row of `delivered`, its fate still open: what `values` tells of the
        contract's columns, null for the others; and what `beside` names of them."""
        own = [c for c in table.columns if c.name not in _FATE]
        return self.over(bronze).select(
            *[values.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in own],
            *[values[name].alias(name) for name in beside],
            F.lit(delivered.name).alias("_bronze_table"),
            *PROVENANCE,
            "reject_reasons",
            "rejected_row",
            "row_as_read",
        )

    def _as(self, name: str, what: str, typed: Callable[[Column], Column]) -> Column:
        alias = f"{name} as {what}"
        if alias not in self._typed:
            self._typed[alias] = typed(self.told(name))
            self.must(~self._is_faulty(name, what), f"{name} is not {what}")
        return F.col(f"`{alias}`")

    def _is_faulty(self, name: str, what: str = "a date") -> Column:
        """Whether the cell is told and cannot be typed."""
        return F.col(name).isNotNull() & F.col(f"`{name} as {what}`").isNull()


def trimmed(name: str) -> Column:
    """The cell's text without blanks around it; null where nothing is told."""
    trimmed = F.trim(F.col(name))
    return F.when(trimmed != "", trimmed)
