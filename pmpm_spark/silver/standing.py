"""Who may be attributed: everybody covered in the year, with the program's first reason why not.

Months are kept as the spans' first and last; a month is looked at on the day of the policy's `coverage_rule`. A month
without a record, or told neither Part A nor Part B, is no coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.months import month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.candidates import MEMBER_YEAR
from pmpm_spark.silver.counted_services import windows_of
from pmpm_spark.silver.looked_at import looked_at, with_neighbours
from pmpm_spark.silver.told_months import told_numbers

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def covered_members(
    eligibility_spans: DataFrame, told_months: DataFrame, performance_years: Sequence[int]
) -> DataFrame:
    """performance_year and member_id of who has a covered day in a told month of the year."""
    spans = eligibility_spans.join(F.broadcast(told_numbers(told_months)), how="cross")
    years = F.array(*[F.lit(year) for year in performance_years])
    near = F.filter(years, lambda year: _touches(year))
    return spans.select(F.explode(near).alias("performance_year"), "member_id").distinct()


def assignable(
    eligibility_spans: DataFrame,
    members: DataFrame,
    told_months: DataFrame,
    other_initiatives: DataFrame,
    policy: Policy,
    performance_years: Sequence[int],
) -> DataFrame:
    """`mssp` (42 CFR 425.401(a)): covered members with the first test of the window that they fail, up to the month of
    death; null where they may be assigned."""
    spans = _spans(eligibility_spans, members, told_months, policy)
    by_year = spans.select("*", F.inline(windows_of(policy, performance_years)))
    death = F.coalesce("death_number", "last")
    until = F.least("look_last", "last", death)
    is_covered = (F.greatest("look_first", "recent_first") <= until) & (F.col("has_a") | F.col("has_b"))
    is_both = F.col("has_a") & F.col("has_b")
    tests = by_year.groupBy(*MEMBER_YEAR).agg(
        F.bool_or(_touches(F.col("performance_year"))).alias("is_in_year"),
        F.bool_or(F.col("death_number") < F.col("recent_first")).alias("has_died"),
        F.bool_or(is_covered & is_both).alias("has_both"),
        F.bool_or(is_covered & ~is_both).alias("has_one"),
        F.bool_or(is_covered & F.col("is_managed")).alias("is_managed"),
        F.max(F.when(is_covered, F.struct(until.alias("month"), "is_abroad"))).alias("last_covered"),
    )
    others = other_initiatives.select(*MEMBER_YEAR, F.lit(True).alias("is_of_other"))
    reason = (
        F.when(F.col("has_died"), "DECEASED")
        .when(~F.col("has_both"), "NO_A_AND_B_MONTH")
        .when(F.col("has_one"), "A_ONLY_OR_B_ONLY")
        .when(F.col("is_managed"), "MEDICARE_ADVANTAGE")
        .when(F.col("is_of_other"), "OTHER_INITIATIVE")
        .when(F.col("last_covered.is_abroad"), "NON_US_RESIDENT")
    )
    told = tests.where("is_in_year").join(others, list(MEMBER_YEAR), how="left")
    return told.select(*MEMBER_YEAR, reason.alias("reason"), reason.alias("reason_if_supplied"))


def alignable(
    eligibility_spans: DataFrame,
    members: DataFrame,
    told_months: DataFrame,
    secondary_payer_months: DataFrame,
    alignment_periods: DataFrame,
    policy: Policy,
) -> DataFrame:
    """`reach`: covered members with the first test that they fail; `reason_if_supplied` is that of the year's first
    month alone, as supplied alignment asks no more. Null where they may be aligned.

    `alignment_periods` has the run's performance years. Both Parts are asked of every month of both alignment years; no
    Part C plan in any of them where `alignment_window_requires` says so.
    """
    numbers = {name: month_number(name) for name in ("earlier_first", "earlier_last", "recent_first", "recent_last")}
    periods = alignment_periods.select(
        "performance_year",
        *[value.alias(name) for name, value in numbers.items()],
        month_number("first_month").alias("first_number"),
    )
    spans = _spans(eligibility_spans, members, told_months, policy)
    by_year = spans.join(F.broadcast(periods), how="cross")
    is_both = F.col("has_a") & F.col("has_b")
    is_first = F.col("first_number").between(F.col("look_first"), F.col("look_last"))

    def months(first: str, last: str) -> Column:
        return F.greatest(F.col(last) - F.col(first) + 1, F.lit(0))

    def shared(part: str) -> Column:
        first, last = F.greatest("look_first", f"{part}_first"), F.least("look_last", f"{part}_last")
        return F.greatest(last - first + 1, F.lit(0))

    held = F.when(is_both, shared("earlier") + shared("recent")).otherwise(F.lit(0))
    looks_back = policy.attribution.alignment_window_requires == "a_and_b_without_part_c"
    was_managed = F.col("is_managed") & (shared("earlier") + shared("recent") > 0) & F.lit(looks_back)
    needed = months("earlier_first", "earlier_last") + months("recent_first", "recent_last")
    tests = by_year.groupBy(*MEMBER_YEAR, "first_number").agg(
        F.bool_or(_touches(F.col("performance_year"))).alias("is_in_year"),
        F.bool_or(F.col("death_number") < F.col("first_number")).alias("has_died"),
        (F.sum(held) == F.max(needed)).alias("has_period"),
        F.bool_or(is_first & is_both).alias("has_both"),
        F.bool_or(is_first & F.col("is_managed")).alias("is_managed"),
        F.bool_or(was_managed).alias("was_managed"),
        F.bool_or(is_first & F.col("is_secondary")).alias("is_secondary"),
        F.bool_or(is_first & F.col("is_abroad")).alias("is_abroad"),
    )
    by_claims = secondary_payer_months.where("basis = 'claim'").select(
        "member_id", month_number("member_month").alias("first_number"), F.lit(True).alias("claims_name_payer")
    )
    told = tests.where("is_in_year").join(by_claims, ["member_id", "first_number"], how="left")

    def reason(has_both: Column, is_managed: Column) -> Column:
        is_secondary = F.col("is_secondary") | F.coalesce("claims_name_payer", F.lit(False))
        return (
            F.when(F.col("has_died"), "DECEASED")
            .when(~has_both, "NOT_IN_PART_A_AND_B")
            .when(is_managed, "MEDICARE_ADVANTAGE")
            .when(is_secondary, "MEDICARE_SECONDARY")
            .when(F.col("is_abroad"), "NON_US_RESIDENT")
        )

    return told.select(
        *MEMBER_YEAR,
        reason(F.col("has_both") & F.col("has_period"), F.col("is_managed") | F.col("was_managed")).alias("reason"),
        reason(F.col("has_both"), F.col("is_managed")).alias("reason_if_supplied"),
    )


def _touches(year: Column) -> Column:
    """A day of the span lies in a told month of the year."""
    first = F.greatest(month_number("span_start"), F.col("told_first"), year * 12)
    return first <= F.least(month_number("span_end"), F.col("told_last"), year * 12 + 11)


def _spans(eligibility_spans: DataFrame, members: DataFrame, told_months: DataFrame, policy: Policy) -> DataFrame:
    """Spans with the told months that they speak for, what is true in them, and the month of death."""
    look_first, look_last = looked_at(policy.eligibility.coverage_rule)
    deaths = members.select("member_id", month_number("death_date").alias("death_number"))
    placed = (
        with_neighbours(eligibility_spans)
        .join(deaths, "member_id", how="left")
        .join(F.broadcast(told_numbers(told_months)), how="cross")
    )
    false = F.lit(False)
    return placed.select(
        "member_id",
        "span_start",
        "span_end",
        "told_first",
        "told_last",
        "death_number",
        F.greatest(look_first, "told_first").alias("look_first"),
        F.least(look_last, "told_last").alias("look_last"),
        F.coalesce("has_part_a", false).alias("has_a"),
        F.coalesce("has_part_b", false).alias("has_b"),
        F.coalesce("in_medicare_advantage", false).alias("is_managed"),
        F.coalesce("medicare_is_secondary", false).alias("is_secondary"),
        (~F.coalesce("resides_in_us", F.lit(True))).alias("is_abroad"),
    )
