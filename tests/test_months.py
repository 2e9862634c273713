"""Calendar columns against Python's own calendar."""

from calendar import monthrange
from datetime import date, timedelta

import pytest
from pyspark.sql import functions as F

from pmpm_spark.months import age_on, last_day_of, month_at, month_bits, month_number, month_of, months_from_to


def test_month_columns_agree_with_the_calendar_on_every_day_of_five_years_and_at_the_open_end(spark):
    days = [date(2019, 1, 1) + timedelta(days=n) for n in range(5 * 365 + 1)] + [date(9999, 12, 31)]
    told = spark.createDataFrame([(day,) for day in days], "day date").select(
        "day",
        month_of("day").alias("first"),
        last_day_of("day").alias("last"),
        month_number("day").alias("number"),
        month_at(month_number("day")).alias("back"),
    )
    assert {tuple(row) for row in told.collect()} == {
        (
            day,
            day.replace(day=1),
            day.replace(day=monthrange(day.year, day.month)[1]),
            day.year * 12 + day.month - 1,
            day.replace(day=1),
        )
        for day in days
    }


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        pytest.param("1956-03-01", "2021-02-28", 64, id="the day before the birthday"),
        pytest.param("1956-03-01", "2021-03-01", 65, id="the birthday"),
        pytest.param("1956-02-29", "2021-02-28", 64, id="born on February 29: not yet on the 28th"),
        pytest.param("1956-02-29", "2021-03-01", 65, id="but on March 1"),
        pytest.param("1956-02-29", "2020-02-29", 64, id="and on the day itself"),
        pytest.param("1956-12-31", "2021-01-01", 64, id="across the new year"),
        pytest.param("2021-05-05", "2021-06-01", 0, id="in the first year"),
        pytest.param(None, "2021-06-01", None, id="not told"),
    ],
)
def test_age_is_in_whole_years(spark, born, on, age):
    row = spark.range(1).select(age_on(F.lit(born).cast("date"), F.lit(on).cast("date")).alias("age")).first()
    assert row.age == age


def test_month_bits_are_set_from_first_to_last_inclusive_and_cut_off_outside(spark):
    cases = {
        (0, 0): {0},
        (3, 5): {3, 4, 5},
        (-4, 1): {0, 1},
        (60, 61): {60, 61},
        (60, 99): {60, 61},
        (0, 61): set(range(62)),
        (5, 4): set(),
        (-9, -1): set(),
        (62, 70): set(),
    }
    ends = spark.createDataFrame(list(cases), "first int, last int")
    rows = ends.select("first", "last", month_bits(F.col("first"), F.col("last")).alias("bits")).collect()
    assert {(row.first, row.last): row.bits for row in rows} == {
        ends: sum(1 << place for place in places) for ends, places in cases.items()
    }


def test_months_from_to_hold_both_ends_and_none_where_the_last_is_before_the_first(spark):
    ends = spark.createDataFrame([(3, 5), (3, 3), (4, 3)], "first int, last int")
    rows = ends.select("first", "last", months_from_to(F.col("first"), F.col("last")).alias("numbers")).collect()
    assert {(row[0], row[1]): row.numbers for row in rows} == {(3, 5): [3, 4, 5], (3, 3): [3], (4, 3): []}
