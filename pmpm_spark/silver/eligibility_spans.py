"""Eligibility spans: unbroken covered days with equal status, overlaps resolved.

Overlaps are found and resolved on spans, which are few, before any month is made. Where records overlap, the one
recorded last wins the day, then the one starting last, then the lowest plan_id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.model.coverage_records import STATUS_NAMES, STATUSES
from pmpm_spark.table import Table, day, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ELIGIBILITY_SPANS = Table(
    name="silver.eligibility_spans",
    grain="one row per member and unbroken run of covered days with equal status",
    key=("member_id", "span_start"),
    columns=(
        text("member_id", "pseudonymous member key"),
        day("span_start", "first covered day, inclusive"),
        day("span_end", "last covered day, inclusive; 9999-12-31 while open"),
        *STATUSES,
    ),
    rules={"span_runs_forward": "span_end >= span_start"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)


def eligibility_spans(coverage_records: DataFrame) -> DataFrame:
    """Resolve overlapping records and join those that touch and say the same.

    Records that share a day stand in one island; most islands are a single record. Inside an island every first day and
    every day after a last one begins a piece, and the winning record of each piece gives its statuses.
    """
    in_order = Window.partitionBy("member_id").orderBy("first_day", "last_day", "plan_id", "recorded_on")
    earlier = in_order.rowsBetween(Window.unboundedPreceding, -1)
    up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)

    records = coverage_records.select(
        "member_id",
        "plan_id",
        "recorded_on",
        F.unix_date("coverage_start").alias("first_day"),
        F.unix_date("coverage_end").alias("last_day"),
        F.struct(*STATUS_NAMES).alias("status"),
    )
    covered_until = F.max("last_day").over(earlier)
    opens_island = covered_until.isNull() | (F.col("first_day") > covered_until)
    marked = records.withColumn("opens_island", opens_island.cast("int"))
    islands = marked.withColumn("island", F.sum("opens_island").over(up_to_here))
    # the lowest of these structs is the winner of a day
    claim = F.struct(
        (-F.unix_date("recorded_on")).alias("recorded_last"),
        (-F.col("first_day")).alias("starts_last"),
        F.col("plan_id"),
        F.col("first_day"),
        F.col("last_day"),
        F.to_json("status").alias("tie"),
        F.col("status"),
    )
    gathered = islands.groupBy("member_id", "island").agg(F.collect_list(claim).alias("claims"))
    claims = F.col("claims")
    pieces = F.when(F.size(claims) == 1, F.transform(claims, _whole)).otherwise(_pieces(claims))
    return _joined(gathered.select("member_id", F.inline(pieces)))


def _whole(claim: Column) -> Column:
    return F.struct(*[claim[name].alias(name) for name in ("first_day", "last_day", "status")])


def _pieces(claims: Column) -> Column:
    """The days of an island, parted wherever a record begins or ends, each with its winner's statuses."""
    firsts = F.transform(claims, lambda c: c["first_day"])
    after_lasts = F.transform(claims, lambda c: c["last_day"] + 1)
    cuts = F.array_sort(F.array_distinct(F.concat(firsts, after_lasts)))
    begins = F.slice(cuts, F.lit(1), F.size(cuts) - 1)
    ends = F.slice(cuts, F.lit(2), F.size(cuts) - 1)

    def piece(begin: Column, at: Column) -> Column:
        covering = F.filter(claims, lambda c: (c["first_day"] <= begin) & (c["last_day"] >= begin))
        return F.struct(
            begin.alias("first_day"),
            (F.get(ends, at) - 1).alias("last_day"),
            # the struct's JSON text makes the order total; equal text is equal status
            F.array_min(
                F.transform(
                    covering,
                    lambda c: F.struct(
                        c["recorded_last"], c["starts_last"], c["plan_id"], c["tie"], c["status"].alias("status")
                    ),
                )
            )["status"].alias("status"),
        )

    return F.transform(begins, piece)


def _joined(pieces: DataFrame) -> DataFrame:
    """Pieces that touch and have equal statuses become one span."""
    in_order = Window.partitionBy("member_id").orderBy("first_day")
    up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    touches = F.lag("last_day").over(in_order) + 1 == F.col("first_day")
    says_the_same = F.lag("status").over(in_order).eqNullSafe(F.col("status"))
    opens_span = ~F.coalesce(touches & says_the_same, F.lit(False))
    marked = pieces.withColumn("opens_span", opens_span.cast("int"))
    numbered = marked.withColumn("span_number", F.sum("opens_span").over(up_to_here))
    spans = numbered.groupBy("member_id", "span_number").agg(
        F.min("first_day").alias("first_day"),
        F.max("last_day").alias("last_day"),
        F.min_by("status", "first_day").alias("status"),
    )
    return spans.select(
        "member_id",
        F.date_from_unix_date("first_day").alias("span_start"),
        F.date_from_unix_date("last_day").alias("span_end"),
        "status.*",
    )
