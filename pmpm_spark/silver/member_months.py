"""Member months: every told month of every person and performance year with any coverage, counted or not, and why not.

Rules: design section 3.1. Months are kept as bits while windows are tested and made last, so that no month is ever
shuffled: one exchange by member carries the spans, which are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.model.coverage_records import STATUS_NAMES, STATUSES
from pmpm_spark.months import age_on, last_day_of, month_at, month_bits, month_number, months_from_to
from pmpm_spark.policy import Policy
from pmpm_spark.silver.looked_at import PRORATED, looked_at, with_neighbours
from pmpm_spark.silver.told_months import told_numbers
from pmpm_spark.silver.union import of_policies
from pmpm_spark.table import MONTHS, TEXTS, Table, column, day, flag, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ENROLLMENT_TYPES = ("ESRD", "DISABLED", "AGED_DUAL", "AGED_NON_DUAL", "OTHER")

MEMBER_MONTHS = Table(
    name="silver.member_months",
    grain="one row per policy, member and told month of a performance year with any coverage",
    key=("policy", "member_id", "member_month"),
    columns=(
        text("policy", "policy that made the row"),
        text("member_id", "pseudonymous member key"),
        day("member_month", "first day of the month"),
        year("performance_year", "calendar year of the month"),
        *STATUSES,
        text("enrollment_type", f"one of: {', '.join(ENROLLMENT_TYPES)}"),
        column(
            "age", year("age", "").type, "whole years on the first of the month; null where the birth date is not told"
        ),
        column(
            "exposure",
            MONTHS,
            "member months that the month weighs: 1, or where the policy prorates covered days / days, half up",
        ),
        flag("is_eligible", "the month counts"),
        column("ineligible_reasons", TEXTS, "every reason why it does not, the deciding one first"),
    ),
    rules={
        "reasons_where_not_eligible": "is_eligible = (size(ineligible_reasons) = 0)",
        "exposure_is_a_share": "exposure > 0 AND exposure <= 1",
        "month_is_of_its_year": "year(member_month) = performance_year AND day(member_month) = 1",
    },
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)

NOT_IN_PERFORMANCE_YEAR = "NOT_IN_PERFORMANCE_YEAR"
ALIGNMENT_ENDED = "ALIGNMENT_ENDED"
ESRD_CODES = ("11", "21", "31")
NO_STATUS = "00"
WHOLE_MONTH_RULES = ("full_month", PRORATED)
"""Rules under which every covered day of a month speaks, not the looked-at day alone."""
DUAL_CODES = {"any": ("01", "02", "03", "04", "05", "06", "08"), "full": ("02", "04", "08")}


def member_months(
    eligibility_spans: DataFrame,
    members: DataFrame,
    secondary_payer_months: DataFrame,
    told_months: DataFrame,
    alignment_periods: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The months of every policy and performance year."""
    # what enrollment tells stands in the spans, day by day: only the looked-at day decides there
    secondary = (
        secondary_payer_months.where("basis = 'claim'")
        .groupBy("member_id")
        .agg(F.collect_list(month_number("member_month")).alias("secondary_numbers"))
    )
    people = members.select("member_id", "birth_date", month_number("death_date").alias("death_number"))
    spans = (
        with_neighbours(eligibility_spans)
        .join(people, "member_id", how="left")
        .join(secondary, "member_id", how="left")
        .join(F.broadcast(told_numbers(told_months)), how="cross")
    )

    def rows_of(policy: Policy) -> DataFrame:
        judged = _of_policy(spans, policy, performance_years)
        return _stopped(judged, alignment_periods, policy) if policy.eligibility.months_stop else judged

    return of_policies(policies, rows_of)


def _of_policy(spans: DataFrame, policy: Policy, performance_years: Sequence[int]) -> DataFrame:
    rule = policy.eligibility
    look_first, look_last = looked_at(rule.coverage_rule)
    dated = spans.withColumns(
        {
            "touch_first": F.greatest(month_number("span_start"), "told_first"),
            "touch_last": F.least(month_number("span_end"), "told_last"),
            "look_first": F.greatest(look_first, "told_first"),
            "look_last": F.least(look_last, "told_last"),
            "is_both": F.coalesce(F.col("has_part_a") & F.col("has_part_b"), F.lit(False)),
            "is_managed": F.coalesce("in_medicare_advantage", F.lit(False)),
            "is_secondary": F.coalesce("medicare_is_secondary", F.lit(False)),
        }
    )
    windows = F.array(*[_year_window(policy, y) for y in performance_years])
    near = F.filter(
        windows,
        lambda w: (F.col("touch_last") >= w["window_first"]) & (F.col("touch_first") <= w["year_last"]),
    )
    by_year = dated.withColumn("w", F.explode(near)).select("*", "w.*").drop("w")

    of_member_year = Window.partitionBy("member_id", "performance_year")
    whole = of_member_year.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)

    def bits(first: str, last: str, origin: str, where: Column | None = None) -> Column:
        marked = month_bits(F.col(first) - F.col(origin), F.col(last) - F.col(origin))
        return F.bit_or(marked if where is None else F.when(where, marked).otherwise(F.lit(0).cast("bigint"))).over(
            whole
        )

    told = by_year.withColumns(
        {
            "touched_bits": bits("touch_first", "touch_last", "year_first"),
            "covered_bits": bits("look_first", "look_last", "year_first"),
            "both_bits": bits("look_first", "look_last", "window_first", F.col("is_both")),
            "not_both_bits": bits("touch_first", "touch_last", "window_first", ~F.col("is_both")),
            "not_both_year_bits": bits("touch_first", "touch_last", "year_first", ~F.col("is_both")),
            "managed_bits": bits("touch_first", "touch_last", "year_first", F.col("is_managed")),
            "secondary_bits": bits("touch_first", "touch_last", "year_first", F.col("is_secondary")),
            "place": F.row_number().over(of_member_year.orderBy("span_start")),
        }
    )
    if rule.coverage_rule == PRORATED:
        told = told.withColumn("end_months", F.flatten(F.collect_list(_end_months()).over(whole)))
    last_told_of_year = F.least("year_last", "told_last")
    told_bits = month_bits(
        F.greatest("year_first", "told_first") - F.col("year_first"), last_told_of_year - F.col("year_first")
    )
    counted_year = told.where(F.col("touched_bits").bitwiseAND(told_bits) != 0)

    all_numbers = months_from_to(F.greatest("year_first", "told_first"), last_told_of_year)
    uncovered = F.filter(all_numbers, lambda n: ~_is_bit("covered_bits", n - F.col("year_first")))
    covered = months_from_to(F.greatest("look_first", "year_first"), F.least(F.col("look_last"), last_told_of_year))
    # each span makes the months that it covers; the first one also those that none covers
    none = F.array().cast("array<int>")
    numbers = F.concat(covered, F.when(F.col("place") == 1, uncovered).otherwise(none))
    months = counted_year.withColumn("number", F.explode(numbers))
    placed = months.withColumns(
        {
            "is_covered": _is_bit("covered_bits", F.col("number") - F.col("year_first")),
            "member_month": month_at(F.col("number")),
        }
    )
    return _judged(placed, policy)


def _stopped(judged: DataFrame, alignment_periods: DataFrame, policy: Policy) -> DataFrame:
    """The first month of the program's year that fails ends the alignment: it keeps its reasons, and no later month
    counts. Months before the program's first of the year do not count, and end nothing."""
    of_method = alignment_periods.where(F.col("program") == policy.attribution.method)
    firsts = of_method.select("performance_year", "first_month")
    of_year = judged.join(F.broadcast(firsts), "performance_year", how="left")
    is_before = F.coalesce(F.col("member_month") < F.col("first_month"), F.lit(False))
    member_year = Window.partitionBy("member_id", "performance_year").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    ends = F.min(F.when(~F.col("is_eligible") & ~is_before, F.col("member_month"))).over(member_year)
    told = of_year.withColumns({"is_before": is_before, "ends": ends})
    also = F.when(F.col("is_before"), NOT_IN_PERFORMANCE_YEAR).when(
        F.col("member_month") > F.col("ends"), ALIGNMENT_ENDED
    )
    reasons = F.concat(F.array_compact(F.array(also)), "ineligible_reasons")
    return told.withColumns({"ineligible_reasons": reasons, "is_eligible": F.size(reasons) == 0}).drop(
        "first_month", "is_before", "ends"
    )


def _year_window(policy: Policy, performance_year: int) -> Column:
    """Month numbers of one performance year and of its alignment window."""
    rule = policy.eligibility
    first = performance_year * 12
    window_last = first + 11 - rule.lag_months
    numbers = {
        "performance_year": performance_year,
        "year_first": first,
        "year_last": first + 11,
        "window_first": min(window_last - rule.window_months + 1, first),
        "needed_first": window_last - rule.window_months + 1,
        "needed_last": window_last,
    }
    return F.struct(*[F.lit(number).alias(name) for name, number in numbers.items()])


def _is_bit(bits: str, place: Column) -> Column:
    return F.call_function("shiftright", F.col(bits), place.cast("int")).bitwiseAND(F.lit(1).cast("bigint")) == 1


def _judged(months: DataFrame, policy: Policy) -> DataFrame:
    """Each month with every reason that fails it."""
    rule = policy.eligibility
    place = F.col("number") - F.col("year_first")
    looks_at_whole_month = rule.coverage_rule in WHOLE_MONTH_RULES
    is_covered = F.col("is_covered")
    is_both = is_covered & F.col("is_both")
    is_managed = is_covered & F.col("is_managed")
    is_secondary = is_covered & F.col("is_secondary")
    if looks_at_whole_month:
        is_both = is_covered & F.col("is_both") & ~_is_bit("not_both_year_bits", place)
        is_managed = is_covered & _is_bit("managed_bits", place)
        is_secondary = is_covered & _is_bit("secondary_bits", place)
    claims_name_payer = F.coalesce(F.array_contains("secondary_numbers", F.col("number")), F.lit(False))
    has_died = F.coalesce(F.col("number") > F.col("death_number"), F.lit(False))
    # in the order in which the first one decides
    fails: dict[str, Column | None] = {
        "NOT_ENROLLED": ~is_covered,
        "NOT_IN_PART_A_AND_B": _not_both(policy, is_both, looks_at_whole_month),
        "MEDICARE_ADVANTAGE": is_managed if rule.exclude_medicare_advantage else None,
        "MEDICARE_SECONDARY": (is_secondary | claims_name_payer) if rule.exclude_medicare_secondary else None,
        "NON_US_RESIDENT": (is_covered & ~F.coalesce("resides_in_us", F.lit(True))) if rule.exclude_non_us else None,
    }
    living = F.array_compact(
        F.array(*[F.when(fails_it, name) for name, fails_it in fails.items() if fails_it is not None])
    )
    reasons = F.when(has_died, F.array(F.lit("DECEASED"))).otherwise(living)
    judged = months.withColumn("ineligible_reasons", reasons)
    told = {name: F.when(is_covered, F.col(name)) for name in STATUS_NAMES}
    return judged.select(
        F.lit(policy.label).alias("policy"),
        "member_id",
        "member_month",
        "performance_year",
        *[told[name].alias(name) for name in STATUS_NAMES],
        enrollment_type_of(rule.dual, is_covered).alias("enrollment_type"),
        age_on(F.col("birth_date"), F.col("member_month")).alias("age"),
        (_share_covered(is_covered) if rule.coverage_rule == PRORATED else F.lit(1)).cast(MONTHS).alias("exposure"),
        (F.size("ineligible_reasons") == 0).alias("is_eligible"),
        "ineligible_reasons",
    )


def _end_months() -> Column:
    """The first and the last month of a span, each with how many of its days are covered; one where they are one."""
    start, end = F.col("span_start"), F.col("span_end")
    first, last = month_number(start), month_number(end)

    def covered(number: Column, days: Column) -> Column:
        return F.struct(number.alias("number"), days.cast("bigint").alias("days"))

    in_first = covered(first, F.datediff(F.least(end, last_day_of(start)), start) + 1)
    return F.when(first == last, F.array(in_first)).otherwise(F.array(in_first, covered(last, F.dayofmonth(end))))


def _share_covered(is_covered: Column) -> Column:
    """Covered days / days of the month. Where no span begins or ends in it, it is covered whole; a month that is not
    covered at all is excluded whole."""
    of_month = F.filter("end_months", lambda part: part["number"] == F.col("number"))
    days = F.aggregate(of_month, F.lit(0).cast("bigint"), lambda total, part: total + part["days"])
    share = days.cast("decimal(18,6)") / F.dayofmonth(last_day_of("member_month"))
    return F.when(is_covered & (F.size(of_month) > 0), F.round(share, 6)).otherwise(F.lit(1))


def _not_both(policy: Policy, is_both: Column, looks_at_whole_month: bool) -> Column | None:
    """Not in Part A and B in every told month of the window, up to the month of death; or in this month."""
    rule = policy.eligibility
    if rule.part_a_b == "none":
        return None
    if rule.part_a_b == "current_month":
        return ~is_both
    death = F.coalesce("death_number", F.col("needed_last"))
    needed = month_bits(
        F.greatest("needed_first", "told_first") - F.col("window_first"),
        F.least("needed_last", "told_last", death) - F.col("window_first"),
    )
    held = F.col("both_bits")
    if looks_at_whole_month:
        held = held.bitwiseAND(F.bitwise_not("not_both_bits"))
    fails_window = held.bitwiseAND(needed) != needed
    return fails_window | ~is_both if rule.lag_months > 0 else fails_window


def enrollment_type_of(dual: str, is_covered: Column) -> Column:
    """The enrollment type by medicare_status_code and dual_status_code of the day looked at."""
    status = F.col("medicare_status_code")
    is_dual = F.coalesce(F.col("dual_status_code").isin(*DUAL_CODES[dual]), F.lit(False))
    return (
        F.when(~is_covered | status.isNull() | (status == NO_STATUS), "OTHER")
        .when(status.isin(*ESRD_CODES), "ESRD")
        .when(status == "20", "DISABLED")
        .when((status == "10") & is_dual, "AGED_DUAL")
        .otherwise("AGED_NON_DUAL")
    )
