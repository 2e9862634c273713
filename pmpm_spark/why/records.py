"""The delivered records behind a member's figures: which enrollment record speaks for a day, which row told a line.

Coverage is read record by record and day by day, as the rules say it, and not by the spans that the run made of them: a
member has few records, and each day keeps the one that decides.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from pmpm_spark.intake import RECORDED_UNKNOWN
from pmpm_spark.silver.looked_at import PRORATED
from pmpm_spark.silver.member_months import WHOLE_MONTH_RULES

if TYPE_CHECKING:
    from pyspark.sql import Row

DAYS = {
    "first_of_month": "the first of the month",
    "mid_month": "the 15th",
    "last_day": "the last day of the month",
    "any_day": "any day of the month",
    "full_month": "every day of the month",
    PRORATED: "any day of the month",
}
"""On which day a coverage rule looks, in words."""


@dataclass(frozen=True)
class Place:
    """Where a record was delivered; the row is the line of the file, null where the source has no lines."""

    file: str
    row: int | None


@dataclass(frozen=True)
class Record:
    """A run of covered days that an enrollment record tells."""

    first: date
    last: date
    plan_id: str
    recorded_on: date
    has_a: bool
    has_b: bool
    is_managed: bool
    is_secondary: bool
    is_abroad: bool
    place: Place

    @property
    def is_both(self) -> bool:
        return self.has_a and self.has_b

    @property
    def parts(self) -> str:
        told = {(True, True): "Part A and B", (True, False): "Part A only", (False, True): "Part B only"}
        return told.get((self.has_a, self.has_b), "neither Part A nor Part B")


@dataclass(frozen=True)
class Month:
    """A month as a coverage rule sees it: the record that speaks for it (none: not covered), and all that are heard."""

    number: int
    speaks: Record | None
    heard: tuple[Record, ...]

    @property
    def is_both(self) -> bool:
        return self.speaks is not None and all(record.is_both for record in self.heard)


@dataclass(frozen=True)
class Enrollment:
    """The accepted enrollment rows of one member."""

    rows: Sequence[Row]
    has_lines: bool
    told_first: int
    told_last: int

    @cached_property
    def records(self) -> list[Record]:
        return [
            Record(
                run["coverage_start"],
                run["coverage_end"],
                row["plan_id"],
                row["recorded_on"],
                bool(run["has_part_a"]),
                bool(run["has_part_b"]),
                bool(run["in_medicare_advantage"]),
                bool(run["medicare_is_secondary"]),
                run["resides_in_us"] is False,
                self.place(row),
            )
            for row in self.rows
            for run in row["coverage"] or ()
        ]

    def place(self, row: Row) -> Place:
        return place_of(row, self.has_lines)

    @cached_property
    def death(self) -> tuple[date, Place] | None:
        """The death that was recorded last, and the last row that tells it: one of the person, where the source has
        such rows beside those of coverage."""
        told = [row for row in self.rows if row["death_date"] is not None]
        if not told:
            return None
        last = max((row["recorded_on"], row["death_date"]) for row in told)
        of_last = [row for row in told if (row["recorded_on"], row["death_date"]) == last]
        return last[1], self.place(max(of_last, key=_last_of_them))

    def of_day(self, day: date) -> Record | None:
        """Of the records that cover the day the one recorded last, then starting last, then of the lowest plan_id."""
        covering = [record for record in self.records if record.first <= day <= record.last]
        return min(covering, key=_first_of_them) if covering else None

    @cached_property
    def _months(self) -> dict[tuple[int, str], Month]:
        return {}

    def month(self, number: int, rule: str) -> Month:
        """The month as the coverage rule sees it."""
        at = (number, rule)
        if at not in self._months:
            self._months[at] = self._looked_at(number, rule)
        return self._months[at]

    def _looked_at(self, number: int, rule: str) -> Month:
        days = days_of(number)
        if rule in ("first_of_month", "mid_month", "last_day"):
            at = {"first_of_month": days[0], "mid_month": days[14], "last_day": days[-1]}[rule]
            speaks = self.of_day(at)
        else:
            by_day = [self.of_day(day) for day in days]
            covered = [record for record in by_day if record is not None]
            is_covered = len(covered) == len(days) if rule == "full_month" else bool(covered)
            speaks = covered[0] if is_covered else None
            if rule in WHOLE_MONTH_RULES:
                return Month(number, speaks, tuple(dict.fromkeys(covered)))
        return Month(number, speaks, () if speaks is None else (speaks,))

    def of_year_without(self, number: int) -> Place | None:
        """The record of the month's year, where there is one that tells whole years: it leaves the month out."""
        rows = [row for row in self.rows if row["reference_year"] == number // 12]
        whole = [row for row in rows if row["recorded_on"] == date.fromisoformat(RECORDED_UNKNOWN)]
        return self.place(whole[-1]) if whole else None


def _first_of_them(record: Record) -> tuple[int, int, str]:
    return -record.recorded_on.toordinal(), -record.first.toordinal(), record.plan_id


def _last_of_them(row: Row) -> tuple[bool, int, str, int]:
    return not row["coverage"], row["reference_year"] or 0, row["_source_file"], row["_source_row"]


def place_of(row: Row, has_lines: bool) -> Place:
    return Place(row["_source_file"], row["_source_row"] if has_lines else None)


def days_of(number: int) -> list[date]:
    first = first_day(number)
    return [first + timedelta(days=n) for n in range(monthrange(first.year, first.month)[1])]


def first_day(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def as_month(number: int) -> str:
    return f"{first_day(number):%Y-%m}"


def as_range(first: int, last: int) -> str:
    return as_month(first) if first == last else f"{as_month(first)} to {as_month(last)}"


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Consecutive month numbers as first and last."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
