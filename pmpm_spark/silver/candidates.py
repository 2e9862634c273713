"""Who wins a member: candidates ranked by what they are measured by, with physician and practice inside the winner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.window import WindowSpec

MEMBER_YEAR = ("performance_year", "member_id")
CANDIDATE = (*MEMBER_YEAR, "candidate")
EARLIEST = 1_000_000
"""Where a date is not told, in days before 1970."""


def by_provider(lines: DataFrame, **sums: Column) -> DataFrame:
    """Sums of each member's lines by candidate, NPI and practice."""
    return (
        lines.repartition("member_id")
        .groupBy(*CANDIDATE, "is_outside", "npi", "practice")
        .agg(*[value.alias(name) for name, value in sums.items()])
    )


def over(*names: str) -> WindowSpec:
    """All rows that share these columns."""
    return Window.partitionBy(*names).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)


def ranked(measured: DataFrame, ties: Sequence[str] = ("latest",), kept: Sequence[str] = ()) -> DataFrame:
    """One row a member and year: network, practice, physician, measure, runner-up, winner, `kept` of the winner, and
    `candidates`: all of them in their order, which `listed` tells row by row.

    `measured` has a row for each candidate, NPI and practice, with `amount` (above 0) and `latest`; `ties` are dates
    and `kept` values of the candidate. Most first; ties by each of `ties`, latest first, then a network before who is
    outside, then the lowest id. Practice and physician have most of the amount inside the winner, each by itself; ties
    by latest day, then lowest id. A winner outside every network has none of the three: they are null.
    """

    def of(*names: str) -> dict[str, Column]:
        """Sum and latest day over all rows that share these columns."""
        prefix = names[0] if names else "candidate"
        return {
            f"{prefix}_amount": F.sum("amount").over(over(*CANDIDATE, *names)),
            f"{prefix}_latest": F.max("latest").over(over(*CANDIDATE, *names)),
        }

    sums = measured.withColumns({**of(), **of("npi"), **of("practice")})
    best = sums.groupBy(*CANDIDATE, "is_outside").agg(
        F.max("candidate_amount").alias("amount"),
        *[F.max(name).alias(name) for name in dict.fromkeys((*ties, *kept))],
        _most("npi"),
        _most("practice"),
    )
    in_order = F.struct(
        (-F.col("amount")).alias("most"),
        *[F.coalesce(-F.unix_date(name), F.lit(EARLIEST)).alias(f"newest_{name}") for name in ties],
        "is_outside",
        "candidate",
        "npi",
        "practice",
        "amount",
        *kept,
    )
    in_turn = best.groupBy(*MEMBER_YEAR).agg(F.array_sort(F.collect_list(in_order)).alias("ranked"))
    winner, second = F.get("ranked", F.lit(0)), F.get("ranked", F.lit(1))
    inside = ~winner["is_outside"]
    return in_turn.select(
        *MEMBER_YEAR,
        F.when(inside, winner["candidate"]).alias("network_id"),
        F.when(inside, winner["practice"]).alias("practice_tin"),
        F.when(inside, winner["npi"]).alias("physician_npi"),
        winner["amount"].cast(MONEY).alias("measure_amount"),
        second["candidate"].alias("runner_up_network_id"),
        second["amount"].cast(MONEY).alias("runner_up_amount"),
        winner["candidate"].alias("winner"),
        F.col("ranked").alias("candidates"),
        *[winner[name].alias(name) for name in kept],
    )


def listed(found: DataFrame) -> DataFrame:
    """One row a member, year and candidate of `ranked`: its place from 1, candidate, amount, the days that break a tie
    (latest, then_latest), and passes: false where it may not win."""
    placed = found.select(*MEMBER_YEAR, F.posexplode("candidates").alias("before", "one"))
    fields = found.select(F.inline("candidates")).columns
    newest = [F.col("one")[name] for name in fields if name.startswith("newest_")]
    days = [F.when(day != EARLIEST, F.date_from_unix_date(-day)) for day in newest]
    latest, then_latest = [*days, F.lit(None).cast("date")][:2]
    return placed.select(
        *MEMBER_YEAR,
        (F.col("before") + 1).alias("place"),
        F.col("one")["candidate"].alias("candidate"),
        F.col("one")["amount"].cast(MONEY).alias("amount"),
        latest.alias("latest"),
        then_latest.alias("then_latest"),
        (F.col("one")["passes"] if "passes" in fields else F.lit(True)).alias("passes"),
    )


def _most(name: str) -> Column:
    """The id with the largest sum; ties by latest day, then lowest id; null where none is told."""
    order = F.struct(-F.col(f"{name}_amount"), -F.unix_date(f"{name}_latest"), F.col(name))
    return F.min_by(name, F.when(F.col(name) != "", order)).alias(name)
