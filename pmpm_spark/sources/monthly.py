"""Twelve monthly statuses of a year to dated runs, for sources that tell enrollment by month."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.model.coverage_records import STATUS_NAMES


def runs_of_months(months: Column, year: Column) -> Column:
    """The runs of consecutive months with equal statuses as dated spans; months not enrolled are in none."""
    places = F.array(*[F.lit(i) for i in range(12)])
    opens = F.filter(
        places,
        lambda i: F.get(months, i).isNotNull() & ((i == 0) | ~F.get(months, i - 1).eqNullSafe(F.get(months, i))),
    )
    closes = F.filter(
        places,
        lambda i: F.get(months, i).isNotNull() & ((i == 11) | ~F.get(months, i + 1).eqNullSafe(F.get(months, i))),
    )
    return F.transform(
        opens,
        lambda first, at: F.struct(
            F.make_date(year, first + 1, F.lit(1)).alias("coverage_start"),
            F.last_day(F.make_date(year, F.get(closes, at) + 1, F.lit(1))).alias("coverage_end"),
            *[F.get(months, first)[name].alias(name) for name in STATUS_NAMES],
        ),
    )
