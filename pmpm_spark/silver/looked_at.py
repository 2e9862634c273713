"""Which months a span speaks for: those whose looked-at day, the policy's `coverage_rule`, lies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.months import last_day_of, month_number

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PRORATED = "prorated"


def with_neighbours(spans: DataFrame) -> DataFrame:
    """Spans with the end of the one before, and the ends of the run of touching spans that they stand in."""
    in_order = Window.partitionBy("member_id").orderBy("span_start")
    up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    previous_end = F.lag("span_end").over(in_order)
    opens_run = F.coalesce(F.datediff("span_start", previous_end) > 1, F.lit(True))
    marked = spans.withColumns({"previous_end": previous_end, "opens_run": opens_run.cast("int")})
    numbered = marked.withColumn("run", F.sum("opens_run").over(up_to_here))
    whole_run = Window.partitionBy("member_id", "run").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return numbered.withColumn("run_end", F.max("span_end").over(whole_run)).drop("opens_run", "run")


def looked_at(coverage_rule: str) -> tuple[Column, Column]:
    """First and last month number whose looked-at day lies in the span."""
    start, end = F.col("span_start"), F.col("span_end")
    first, last = month_number(start), month_number(end)
    starts_on_first = (F.dayofmonth(start) == 1).cast("int")
    ends_on_last = (end == last_day_of(end)).cast("int")
    run_ends_on_last = (F.col("run_end") == last_day_of("run_end")).cast("int")
    shares_month = F.coalesce((month_number("previous_end") == first).cast("int"), F.lit(0))
    return {
        "first_of_month": (first + 1 - starts_on_first, last),
        "mid_month": (first + (F.dayofmonth(start) > 15).cast("int"), last - (F.dayofmonth(end) < 15).cast("int")),
        "last_day": (first, last - 1 + ends_on_last),
        "any_day": (first + shares_month, last),
        PRORATED: (first + shares_month, last),
        # the first of the month lies in the span, and the run of touching spans lasts to the month's end
        "full_month": (first + 1 - starts_on_first, F.least(last, month_number("run_end") - 1 + run_ends_on_last)),
    }[coverage_rule]
