"""Readmissions: each episode that ends in a performance year, whether it is an index and why not, and what came of it.

Definitions: payment and outcomes, section 5, after CMS's hospital-wide readmission measure (HWR-like) and HEDIS's plan
all-cause readmissions (PCR-like). Observed, not risk-standardized; neither is a result of its measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.months import age_on, last_day_of, month_of
from pmpm_spark.policy import DAYS_BEFORE, Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.outcome_codes import CONDITION_HWR, CONDITION_PCR, HOSPITAL_HWR, HWR_LIKE, PCR_LIKE
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import Table, day, flag, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

STILL_PATIENT, DIED, LEFT_AGAINST_ADVICE = "STILL_PATIENT", "DIED", "LEFT_AGAINST_ADVICE"
NOT_TOLD, MONTH_NOT_ELIGIBLE, EXCLUDED_CONDITION = "NOT_TOLD", "MONTH_NOT_ELIGIBLE", "EXCLUDED_CONDITION"
REASONS = {
    HWR_LIKE: (
        STILL_PATIENT, DIED, LEFT_AGAINST_ADVICE, "UNDER_65", NOT_TOLD, "NO_PART_A", EXCLUDED_CONDITION,
        "EXCLUDED_HOSPITAL", MONTH_NOT_ELIGIBLE,
    ),
    PCR_LIKE: (
        "AFTER_1_DECEMBER", STILL_PATIENT, DIED, "SAME_DAY", "UNDER_18", "OVER_MAX_AGE", NOT_TOLD, "NOT_ENROLLED",
        EXCLUDED_CONDITION, MONTH_NOT_ELIGIBLE, "OUTLIER_MEMBER",
    ),
}  # fmt: skip
"""Why an episode is no index; the first that holds is told."""
DEAD, AGAINST_ADVICE = ("20", "40", "41", "42"), "07"
DAYS_AFTER = 30
FIRST_DAY_AFTER = {HWR_LIKE: 1, PCR_LIKE: 2}
"""The day after the last of an index from which on a next episode is a readmission."""
YOUNGEST_HWR, YOUNGEST_PCR = 65, 18

READMISSIONS = Table(
    name="silver.readmissions",
    grain="one row per policy, kind and hospital episode that ends in a performance year",
    key=("policy", "kind", "episode_id"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "calendar year of the last day"),
        text("kind", f"{HWR_LIKE} or {PCR_LIKE}"),
        text("episode_id", "as in hospital_episodes"),
        text("member_id", "pseudonymous member key"),
        text("network_id", "network of the year, or UNATTRIBUTED"),
        text("physician_npi", "physician of the year, or UNATTRIBUTED"),
        day("first_day", "first day"),
        day("last_day", "last day, inclusive"),
        flag("is_month_eligible", "the month of the last day counts under the policy"),
        text("not_index_reason", "the first reason why it is no index of the measure; null of an index"),
        flag("is_index", "its readmission is looked for"),
        flag(
            "is_readmitted", "the next episode starts within 30 days and is not planned; also told where it is no index"
        ),
        flag("is_discharged_alive", "neither still a patient, dead nor left against advice"),
        day("next_first_day", "first day of the member's next episode of the kind; null where none follows"),
        day("told_until", "last day that the source tells"),
    ),
    rules={"reason_where_no_index": "is_index = (not_index_reason IS NULL)"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def readmissions(
    hospital_episodes: DataFrame,
    eligibility_spans: DataFrame,
    members: DataFrame,
    told_months: DataFrame,
    member_months: DataFrame,
    attribution: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    last_told_day: date | None,
) -> DataFrame:
    """The episodes of every policy and performance year, judged.

    The source tells until `last_told_day`, else to the end of the last month that enrollment tells.
    """
    years = list(performance_years)
    until = last_day_of("last_month") if last_told_day is None else F.lit(last_told_day)
    told = told_months.select(until.alias("told_until"))
    people = members.select("member_id", "birth_date", "death_date")
    whose = of_run(attribution, policies, years).select(
        "policy", "performance_year", "member_id", "network_id", "physician_npi"
    )
    eligible = (
        of_run(member_months, policies, years)
        .where("is_eligible")
        .select("policy", "member_id", "member_month", F.lit(True).alias("is_eligible"))
    )
    in_years = hospital_episodes.withColumn("performance_year", F.year("last_day")).where(
        F.col("performance_year").isin(*years)
    )
    placed = in_years.join(people, "member_id", how="left").join(F.broadcast(told), how="cross")

    def rows_of(policy: Policy) -> DataFrame:
        of_policy = placed.where(F.col("same_day_same_hospital") == policy.outcomes.same_day_same_hospital)
        runs_hwr = covered_runs(eligibility_spans, _covers(HWR_LIKE, policy), "hwr")
        runs_pcr = covered_runs(eligibility_spans, _covers(PCR_LIKE, policy), "pcr")
        return (
            of_policy.join(runs_hwr, "member_id", how="left")
            .join(runs_pcr, "member_id", how="left")
            .withColumns({"policy": F.lit(policy.label), "member_month": month_of("last_day")})
            .withColumn("reason_but_month", _reason(policy))
        )

    return of_policies(policies, lambda policy: _outcome(rows_of(policy), eligible, whose, policy))


def _outcome(episodes: DataFrame, eligible: DataFrame, whose: DataFrame, policy: Policy) -> DataFrame:
    days_after = F.datediff("next_first_day", "last_day")
    earliest = F.when(F.col("kind") == HWR_LIKE, FIRST_DAY_AFTER[HWR_LIKE]).otherwise(FIRST_DAY_AFTER[PCR_LIKE])
    is_readmitted = (days_after >= earliest) & (days_after <= DAYS_AFTER) & ~F.col("next_is_planned")
    is_eligible = F.coalesce("is_eligible", F.lit(False))
    reason = F.coalesce("reason_but_month", F.when(~is_eligible, MONTH_NOT_ELIGIBLE))
    found = (
        episodes.join(eligible, ["policy", "member_id", "member_month"], how="left")
        .join(whose, ["policy", "performance_year", "member_id"], how="left")
        .withColumn("not_index_reason", reason)
    )
    if policy.outcomes.pcr_outlier_stays:
        of_year = Window.partitionBy("kind", "member_id", "performance_year").rowsBetween(
            Window.unboundedPreceding, Window.unboundedFollowing
        )
        indexes = F.sum(F.col("not_index_reason").isNull().cast("int")).over(of_year)
        is_outlier = (F.col("kind") == PCR_LIKE) & (indexes >= policy.outcomes.pcr_outlier_stays)
        found = found.withColumn("is_outlier", is_outlier).withColumn(
            "not_index_reason", F.coalesce("not_index_reason", F.when(F.col("is_outlier"), "OUTLIER_MEMBER"))
        )
    return found.select(
        "policy",
        "performance_year",
        "kind",
        "episode_id",
        "member_id",
        F.coalesce("network_id", F.lit(UNATTRIBUTED)).alias("network_id"),
        F.coalesce("physician_npi", F.lit(UNATTRIBUTED)).alias("physician_npi"),
        "first_day",
        "last_day",
        is_eligible.alias("is_month_eligible"),
        "not_index_reason",
        F.col("not_index_reason").isNull().alias("is_index"),
        F.coalesce(is_readmitted, F.lit(False)).alias("is_readmitted"),
        (~F.col("is_still_patient") & ~_died() & ~_left()).alias("is_discharged_alive"),
        "next_first_day",
        "told_until",
    )


def _died() -> Column:
    by_status = F.coalesce(F.col("discharge_status").isin(*DEAD), F.lit(False))
    return by_status | F.coalesce(F.col("death_date") <= F.col("last_day"), F.lit(False))


def _left() -> Column:
    return F.coalesce(F.col("discharge_status") == AGAINST_ADVICE, F.lit(False))


def _reason(policy: Policy) -> Column:
    """The first reason but the month's; null where none holds. A person whose birth date is not told is too young."""
    first, last = F.unix_date("first_day"), F.unix_date("last_day")
    until = F.least(last + DAYS_AFTER, F.coalesce(F.unix_date("death_date"), last + DAYS_AFTER))
    is_hwr = F.col("kind") == HWR_LIKE
    in_december = (F.month("last_day") == 12) & (F.dayofmonth("last_day") > 1)
    age_first, age_last = (age_on(F.col("birth_date"), F.col(on)) for on in ("first_day", "last_day"))
    year_before = F.unix_date(F.add_months("first_day", -12))
    condition = F.array_contains("code_sets", CONDITION_HWR), F.array_contains("code_sets", CONDITION_PCR)
    oldest = policy.outcomes.pcr_max_age
    over_age = (age_last > oldest) if oldest else F.lit(False)
    return (
        F.when(~is_hwr & in_december, "AFTER_1_DECEMBER")
        .when(F.col("is_still_patient"), STILL_PATIENT)
        .when(_died(), DIED)
        .when(is_hwr & _left(), LEFT_AGAINST_ADVICE)
        .when(~is_hwr & (first == last), "SAME_DAY")
        .when(is_hwr & (F.coalesce(age_first, F.lit(0)) < YOUNGEST_HWR), "UNDER_65")
        .when(~is_hwr & (F.coalesce(age_last, F.lit(0)) < YOUNGEST_PCR), "UNDER_18")
        .when(~is_hwr & over_age, "OVER_MAX_AGE")
        .when(F.date_add("last_day", DAYS_AFTER) > F.col("told_until"), NOT_TOLD)
        .when(is_hwr & ~is_covered_through("hwr", year_before, until), "NO_PART_A")
        .when(~is_hwr & ~_is_enrolled(last, until, policy.outcomes.pcr_gap_days), "NOT_ENROLLED")
        .when((is_hwr & condition[0]) | (~is_hwr & condition[1]), EXCLUDED_CONDITION)
        .when(is_hwr & F.array_contains("code_sets", HOSPITAL_HWR), "EXCLUDED_HOSPITAL")
    )


def _is_enrolled(last: Column, until: Column, most: int) -> Column:
    """Enrolled from the last day on without a gap, and in the 365 days before with one gap of at most `most` days."""
    return is_covered_through("pcr", last, until) & has_one_gap_at_most("pcr", last - DAYS_BEFORE, last - 1, most)


def _covers(kind: str, policy: Policy) -> Column:
    """The days of a span that count as covered for the measure."""
    managed = F.coalesce("in_medicare_advantage", F.lit(False))
    if kind == HWR_LIKE and policy.eligibility.part_a_b != "none":
        return F.coalesce("has_part_a", F.lit(False)) & ~managed
    # where a policy counts months in Medicare Advantage, the source has their claims
    has_claims = policy.eligibility.part_a_b == "none" or not policy.eligibility.exclude_medicare_advantage
    return F.lit(True) if has_claims else ~managed


def covered_runs(eligibility_spans: DataFrame, covers: Column, name: str) -> DataFrame:
    """A row a member: the first days of unbroken covered runs (`{name}_firsts`), and the days after their last ones
    (`{name}_afters`), as days since 1970. Spans do not overlap, so a day that is both joins two of them."""
    days = eligibility_spans.where(covers).select(
        "member_id", F.unix_date("span_start").alias("first"), (F.unix_date("span_end") + 1).alias("after")
    )
    told = days.groupBy("member_id").agg(
        F.collect_list("first").alias("firsts"), F.collect_list("after").alias("afters")
    )
    return told.select(
        "member_id",
        F.array_except("firsts", "afters").alias(f"{name}_firsts"),
        F.array_except("afters", "firsts").alias(f"{name}_afters"),
    )


def _days(name: str) -> Column:
    return F.coalesce(F.col(name), F.array().cast("array<int>"))


def _is_covered(name: str, on: Column) -> Column:
    begun = F.size(F.filter(_days(f"{name}_firsts"), lambda d: d <= on))
    return begun > F.size(F.filter(_days(f"{name}_afters"), lambda d: d <= on))


def is_covered_through(name: str, first: Column, last: Column) -> Column:
    """Every day from `first` to `last` is covered."""
    broken = F.filter(_days(f"{name}_afters"), lambda d: (d > first) & (d <= last))
    return _is_covered(name, first) & (F.size(broken) == 0)


def has_one_gap_at_most(name: str, first: Column, last: Column, most: int) -> Column:
    """From `first` to `last` there is no uncovered day, or one run of at most `most`."""
    begins = F.filter(_days(f"{name}_firsts"), lambda d: (d > first) & (d <= last))
    breaks = F.filter(_days(f"{name}_afters"), lambda d: (d > first) & (d <= last))
    ends_covered = _is_covered(name, last)
    gaps = F.size(begins) + F.when(ends_covered, 0).otherwise(1)
    gap_first = F.when(_is_covered(name, first), F.array_min(breaks)).otherwise(first)
    gap_last = F.when(ends_covered, F.array_min(begins) - 1).otherwise(last)
    return (gaps == 0) | ((gaps == 1) & (gap_last - gap_first + 1 <= most))
