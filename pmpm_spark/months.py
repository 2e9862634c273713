"""Calendar columns. A month is the DATE of its first day; a month number counts months since year 0."""

from __future__ import annotations

from datetime import date as day

from pyspark.sql import Column
from pyspark.sql import functions as F


def month_of(date: Column | str) -> Column:
    """First day of the date's month."""
    # not F.trunc: the embedded engine takes it by way of a timestamp that ends in 2262
    return F.make_date(F.year(date), F.month(date), F.lit(1))


def month_number(date: Column | str) -> Column:
    """Months since year 0: consecutive months differ by one, so that windows are plain arithmetic."""
    return F.year(date) * 12 + F.month(date) - 1


def number_of(date: day) -> int:
    """`month_number` of a day that is at hand."""
    return date.year * 12 + date.month - 1


def month_at(number: Column) -> Column:
    """First day of the month with this number (the other way round of `month_number`)."""
    return F.make_date(F.floor(number / 12).cast("int"), (number % 12 + 1).cast("int"), F.lit(1))


def last_day_of(date: Column | str) -> Column:
    return F.last_day(date)


def age_on(birth_date: Column, date: Column) -> Column:
    """Whole years of age on a day; null where the birth date is not told."""
    birthday_is_ahead = (F.month(date) * 100 + F.dayofmonth(date)) < (
        F.month(birth_date) * 100 + F.dayofmonth(birth_date)
    )
    return F.year(date) - F.year(birth_date) - birthday_is_ahead.cast("int")


def month_bits(first: Column, last: Column) -> Column:
    """A BIGINT with the bits from `first` to `last` set, both ends inclusive; 0 where none is.

    Positions outside 0 to 61 are cut off.
    """
    low = F.greatest(first, F.lit(0)).cast("int")
    high = F.least(last, F.lit(61)).cast("int")
    one = F.lit(1).cast("bigint")
    ones = F.call_function("shiftleft", one, high - low + 1) - 1
    return F.when(high >= low, F.call_function("shiftleft", ones, low)).otherwise(F.lit(0).cast("bigint"))


def months_from_to(first: Column, last: Column) -> Column:
    """Array of the month numbers from `first` to `last`, both inclusive; empty where last is before first."""
    none = F.array().cast("array<int>")
    return F.when(first <= last, F.sequence(first.cast("int"), last.cast("int"))).otherwise(none)
