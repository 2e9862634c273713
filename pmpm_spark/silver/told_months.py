"""Told months: from which month to which the source tells enrollment. Months outside are no member months."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.months import month_number, month_of
from pmpm_spark.table import Table, day

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OPEN_ENDED = "9999-12-31"

TOLD_MONTHS = Table(
    name="silver.told_months",
    grain="one row for the source",
    key=("first_month", "last_month"),
    columns=(
        day("first_month", "first month that enrollment tells"),
        day("last_month", "last month that enrollment tells, or the month of source.data_through"),
    ),
    key_is_built_in=True,
)


def told_months(coverage_records: DataFrame, *, last_told_day: date | None) -> DataFrame:
    """The first and last month that anybody is covered in; `last_told_day` replaces the last.

    A record that is still open tells nothing of the last month; its first day does.
    """
    tells_until = F.when(F.col("coverage_end") < F.to_date(F.lit(OPEN_ENDED)), F.col("coverage_end")).otherwise(
        F.col("coverage_start")
    )
    last_day = F.max(tells_until) if last_told_day is None else F.lit(last_told_day)
    told = coverage_records.agg(F.min("coverage_start").alias("first_day"), last_day.alias("last_day"))
    return told.where("first_day IS NOT NULL").select(
        month_of("first_day").alias("first_month"), month_of("last_day").alias("last_month")
    )


def told_numbers(told_months: DataFrame) -> DataFrame:
    """The numbers of the first and last month, to stand beside each span: told_first, told_last."""
    return told_months.select(
        month_number("first_month").alias("told_first"), month_number("last_month").alias("told_last")
    )
