"""PMPM forecast by network: the next twelve months, with a band, and how wrong the same method was of months held back.

forecast = level x season x (1 + growth x months ahead, damped / 12), where
- level: the network's completed PMPM of the last 12 months that are learned from;
- season: of each month of the year, its share of the level of its 12 months, mean of the last two years, of all members
  of the policy, with the growth inside the 12 months taken out;
- growth: level / that of the 12 months before, less 1; of the network by credibility z, else of all members; z is the
  root of (member months / 24,000), at most 1 (CMS, instructions for the Medicare Advantage bid pricing tool);
- months ahead, damped: 5.5 (from the middle of the level's 12 months to their end) + the sum of 0.9 ^ j for j = 1 to h
  (damped trend: Gardner and McKenzie, Management Science 31/10, 1985).

Months with fewer than 3 months of run-out are not learned from: their completed dollars are mostly guessed. The band is
that of the errors on held back months, by Student's t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.measures import per_member_month, ratio
from pmpm_spark.months import month_at, month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONTHS, Table, column, count, day, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

AHEAD = 12
LEARNED = 24
"""Months that the method learns from: two years, for a season and a growth."""
LEAST_RUNOUT = 3
FULL_CREDIBILITY = 24_000
DAMPED = 0.9
MOST_AHEAD = 36
"""From a learned month on; what is told but not paid so long is no ground to forecast from."""
STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179)
"""Student's t by degrees of freedom, 1 to 12, 95% two-sided."""

PMPM_FORECAST = Table(
    name="gold.pmpm_forecast",
    grain=f"one row per policy, last performance year told, network and each of the {AHEAD} months after the last told "
    f"one; none where fewer than {LEARNED} months can be learned from",
    key=("policy", "performance_year", "network_id", "member_month"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "calendar year of the last told month"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        day("member_month", "month to come"),
        day("learned_until", "last month learned from"),
        column("member_months", MONTHS, f"eligible member months of the {AHEAD} months until then"),
        quotient("level_pmpm", "completed PMPM of these months, US dollars"),
        quotient("season", "what the month of the year is to its level, of all members; 1 is average"),
        quotient("growth", "growth of the level in a year, before damping"),
        quotient("forecast_pmpm", "PMPM to come when all is paid, US dollars"),
        quotient("forecast_pmpm_low", "lower end of the 95% band, not below 0; null where no month could be held back"),
        quotient("forecast_pmpm_high", "upper end of the 95% band"),
        count(
            "held_back_months",
            f"months with costs that the same method forecast without having seen them: the last {AHEAD}, or as many "
            f"as leave {LEARNED}",
        ),
        quotient(
            "mean_error", "mean of |forecast / completed - 1| over the held back months; null where there is none"
        ),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


def pmpm_forecast(
    network_pmpm_by_month: DataFrame, *, policies: Sequence[Policy], performance_years: Sequence[int]
) -> DataFrame:
    """The months to come of each network, by what was learned until the origin; its error from an earlier one."""
    months = of_run(network_pmpm_by_month, policies, performance_years).select(
        "policy",
        "network_id",
        month_number("member_month").alias("month"),
        "runout_months",
        "member_months",
        F.col("completed_amount").alias("amount"),
    )
    learned = months.join(F.broadcast(_origins(months)), "policy", how="inner").withColumn(
        "age", F.col("origin") - F.col("month")
    )
    in_reach = learned.where((F.col("age") >= 0) & (F.col("age") < LEARNED))
    forecast = (
        _levels(in_reach, ("policy", "is_test", "network_id"))
        .join(F.broadcast(_population(in_reach)), ["policy", "is_test"], how="inner")
        .withColumn("ahead", F.explode(F.sequence(F.lit(1), F.col("most_ahead"))))
        .withColumn("month", F.col("origin") + F.col("ahead"))
        .withColumn("season", _season())
        .withColumn("growth", _growth())
        .withColumn(
            "forecast_pmpm",
            F.col("recent") * F.col("season") * (F.lit(1.0) + F.col("growth") * _damped() / AHEAD),
        )
    )
    rows = _with_errors(forecast, months).where(~F.col("is_test") & (F.col("month") > F.col("last")))
    half = F.get(F.array(*[F.lit(t) for t in STUDENT_95]), F.col("held_back_months") - 1) * F.col("root_error")
    return rows.withColumn("half", F.col("forecast_pmpm") * half).select(
        "policy",
        F.floor(F.col("last") / 12).cast("int").alias("performance_year"),
        "network_id",
        month_at(F.col("month")).alias("member_month"),
        month_at(F.col("origin")).alias("learned_until"),
        "member_months",
        F.col("recent").alias("level_pmpm"),
        "season",
        "growth",
        "forecast_pmpm",
        F.when(F.col("half").isNotNull(), F.greatest(F.col("forecast_pmpm") - F.col("half"), F.lit(0.0))).alias(
            "forecast_pmpm_low"
        ),
        (F.col("forecast_pmpm") + F.col("half")).alias("forecast_pmpm_high"),
        F.col("held_back_months").cast("bigint").alias("held_back_months"),
        "mean_error",
    )


def _origins(months: DataFrame) -> DataFrame:
    """The last month learned from and how far to go, of the forecast and of its test, for each policy.

    Only an unbroken row of months teaches.
    """
    is_mature = F.col("runout_months").isNull() | (F.col("runout_months") >= LEAST_RUNOUT)
    mature = F.when(is_mature, F.col("month"))
    spans = months.groupBy("policy").agg(
        F.min("month").alias("first"),
        F.max("month").alias("last"),
        F.max(mature).alias("learned"),
        F.count_distinct("month").alias("told"),
    )
    usable = spans.where(
        (F.col("last") - F.col("first") + 1 == F.col("told")) & (F.col("learned") - F.col("first") + 1 >= LEARNED)
    )
    held = F.least(F.lit(AHEAD), F.col("learned") - F.col("first") + 1 - LEARNED)
    reach = F.least(F.lit(MOST_AHEAD), F.col("last") - F.col("learned") + AHEAD)
    learned = F.col("learned")
    with_test = usable.withColumn("held", held).withColumn("is_test", F.explode(F.array(F.lit(False), F.lit(True))))
    return with_test.where(~F.col("is_test") | (F.col("held") > 0)).select(
        "policy",
        "is_test",
        "last",
        F.when(F.col("is_test"), learned - F.col("held")).otherwise(learned).cast("int").alias("origin"),
        F.when(F.col("is_test"), F.col("held")).otherwise(reach).cast("int").alias("most_ahead"),
    )


def _levels(months: DataFrame, keys: tuple[str, ...]) -> DataFrame:
    """PMPM of the 12 recent months and of those before; a group that has none of the recent ones is left out."""
    is_recent = F.col("age") < AHEAD
    sums = months.groupBy(*keys).agg(
        *[
            F.sum(F.when(where, F.col(name))).alias(f"{when}_{name}")
            for when, where in (("recent", is_recent), ("before", ~is_recent))
            for name in ("amount", "member_months")
        ]
    )
    return sums.where("recent_member_months > 0").select(
        *keys,
        F.col("recent_member_months").cast(MONTHS).alias("member_months"),
        per_member_month(F.col("recent_amount"), F.col("recent_member_months")).alias("recent"),
        per_member_month(F.col("before_amount"), F.col("before_member_months")).alias("before"),
    )


def _population(months: DataFrame) -> DataFrame:
    """Of all members, by policy and origin: level and growth, and `pmpms`: of each month back from the origin."""
    keys = ("policy", "is_test", "origin", "last", "most_ahead")
    of_all = months.groupBy(*keys, "age").agg(
        F.sum("amount").alias("amount"), F.sum("member_months").alias("member_months")
    )
    pmpm = per_member_month(F.col("amount"), F.col("member_months")).alias("pmpm")
    sums = of_all.groupBy(*keys).agg(
        F.array_sort(F.collect_list(F.struct("age", pmpm))).alias("pmpms"),
        *[
            F.sum(F.when(where, F.col(name))).alias(f"{when}_{name}")
            for when, where in (("recent", F.col("age") < AHEAD), ("before", F.col("age") >= AHEAD))
            for name in ("amount", "member_months")
        ],
    )
    recent, before = (
        per_member_month(F.col(f"{when}_amount"), F.col(f"{when}_member_months")) for when in ("recent", "before")
    )
    return sums.select(
        *keys,
        "pmpms",
        recent.alias("all_recent"),
        before.alias("all_before"),
        (ratio(recent, before) - 1).alias("all_growth"),
    )


def _season() -> Column:
    """Of the month so far ahead: the same one of the year is so many places back from the origin, 0 to 11."""
    place = (F.lit(10 * AHEAD) - F.col("ahead")) % AHEAD
    recent, before = (F.get("pmpms", place + back)["pmpm"] for back in (0, AHEAD))
    share = (ratio(recent, F.col("all_recent")) + ratio(before, F.col("all_before"))) / 2
    return ratio(share, F.lit(1.0) + F.col("all_growth") * (F.lit(5.5) - place) / AHEAD)


def _growth() -> Column:
    own = ratio(F.col("recent"), F.col("before")) - 1
    credibility = F.least(F.lit(1.0), F.sqrt(F.col("member_months").cast("double") / FULL_CREDIBILITY))
    mixed = credibility * own + (F.lit(1.0) - credibility) * F.col("all_growth")
    return F.coalesce(mixed, F.col("all_growth"))


def _damped() -> Column:
    """Months from the middle of the level to the forecast month, each to come counting less than the one before."""
    sums, step, so_far = [], 1.0, 5.5
    for _ in range(MOST_AHEAD):
        step *= DAMPED
        so_far += step
        sums.append(F.lit(so_far))
    return F.get(F.array(*sums), F.col("ahead") - 1)


def _with_errors(forecast: DataFrame, months: DataFrame) -> DataFrame:
    """With held_back_months, mean_error and root_error of each network; of months in which it cost something."""
    actual = months.select(
        "policy",
        "network_id",
        "month",
        per_member_month(F.col("amount"), F.col("member_months")).alias("actual"),
    ).where("actual > 0")
    of_network = (
        Window.partitionBy("policy", "network_id")
        .orderBy("month", "is_test")
        .rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    )
    ahead, actual_pmpm = F.col("forecast_pmpm"), F.col("actual")
    is_held_back = (F.col("is_test") & actual_pmpm.isNotNull() & (ahead > 0)).alias("is_held_back")
    error, off = F.abs(ratio(ahead, actual_pmpm) - 1).alias("error"), (ratio(actual_pmpm, ahead) - 1).alias("off")
    gathered = F.collect_list(F.struct("month", is_held_back, error, off)).over(of_network)
    errors = F.aggregate("errors", F.lit(0.0), lambda so_far, one: so_far + one["error"])
    squares = F.aggregate("errors", F.lit(0.0), lambda so_far, one: so_far + one["off"] * one["off"])
    count_of = F.size("errors")
    return (
        forecast.join(actual, ["policy", "network_id", "month"], how="left")
        .withColumn("errors", F.filter(gathered, lambda one: one["is_held_back"]))
        .withColumns(
            {
                "held_back_months": count_of,
                "mean_error": F.when(count_of > 0, errors / count_of),
                "root_error": F.when(count_of > 0, F.sqrt(squares / count_of)),
            }
        )
    )
