"""When things are delivered: one delivery for each month of the years generated, then three of run-out.

A delivery is known here by its month, 12 x year + month - 1: the one in which its records were loaded. Its files are
dated the 15th of the next month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F

RUN_OUT_MONTHS = 3
ACO = "A1001"


@dataclass(frozen=True)
class Schedule:
    """The deliveries from January of the first to December of the last year, and the run-out."""

    first_year: int
    last_year: int

    @property
    def first_month(self) -> int:
        return self.first_year * 12

    @property
    def last_regular(self) -> int:
        return self.last_year * 12 + 11

    @property
    def last_month(self) -> int:
        return self.last_regular + RUN_OUT_MONTHS

    @property
    def months(self) -> range:
        return range(self.first_month, self.last_month + 1)

    @property
    def last_load_day(self) -> date:
        """Nothing is loaded later: what would be comes in the last delivery."""
        return _first_day(self.last_month + 1) - timedelta(days=3)

    def months_from(self, month: Column) -> Column:
        """An array of the deliveries from one on."""
        return F.sequence(month.cast("bigint"), F.lit(self.last_month).cast("bigint"))

    def name(self, month: int, kind: str = "") -> str:
        """The name of a delivery, or of its file of one kind: `P.A1001.ACO.ZC1Y22.D220515.T0000000`."""
        is_regular = month <= self.last_regular
        year = month // 12 if is_regular else self.last_year
        dated = _first_day(month + 1).replace(day=15)
        letter = "Y" if is_regular else "R"
        return f"P.{ACO}.ACO.ZC{kind.removeprefix('cclf')}{letter}{year % 100:02d}.D{dated:%y%m%d}.T0000000"


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
