"""Each month of a member: counted, or every reason why not, with the record behind each reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pmpm_spark.months import number_of
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.silver.member_months import ALIGNMENT_ENDED, NOT_IN_PERFORMANCE_YEAR
from pmpm_spark.silver.secondary_payer_months import PRIMARY_PAYERS
from pmpm_spark.why.member import Member
from pmpm_spark.why.records import DAYS, Month, Place, Record, as_month, as_range, runs
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pyspark.sql import Row

Evidence = tuple[str, Place | None]
"""What a record says, and where it was delivered; None where there is no record."""


def months_section(member: Member, policies: Mapping[str, Policy], months: Sequence[Row]) -> Section:
    """Each month with what it weighs (1, or its covered share where the policy prorates) and the record that speaks
    for it."""
    names = (
        "policy", "member_month", "counts", "enrollment_type", "part_a", "part_b", "part_c", "exposure", "reasons",
        "file", "row",
    )  # fmt: skip
    rows = []
    for row in months:
        rule = policies[row["policy"]].eligibility.coverage_rule
        speaks = member.enrollment.month(number_of(row["member_month"]), rule).speaks
        told = (
            row["policy"],
            row["member_month"],
            row["is_eligible"],
            row["enrollment_type"],
            row["has_part_a"],
            row["has_part_b"],
            row["in_medicare_advantage"],
            row["exposure"],
            ", ".join(row["ineligible_reasons"]) or None,
        )
        rows.append((*told, *placed(None if speaks is None else speaks.place)))
    nothing = "no member month: not covered in any performance year that is asked for"
    return Section("months", "Months", names, rows, nothing, "merged", in_ranges=True)


def reasons_section(
    member: Member, policies: Mapping[str, Policy], firsts: Mapping[tuple[str, int], date], months: Sequence[Row]
) -> Section:
    """Every reason of every month that does not count, and each record that it rests on."""
    ends = _ends(member.months, policies, firsts)
    rows = []
    for row in months:
        policy = policies[row["policy"]]
        for reason in row["ineligible_reasons"]:
            for what, place in _evidence(member, policy, row, reason, firsts, ends):
                rows.append((row["policy"], row["member_month"], reason, what, *placed(place)))
    names = ("policy", "member_month", "reason", "because", "file", "row")
    return Section("reasons", "Why months do not count", names, rows, "every month counts", "merged", in_ranges=True)


def placed(place: Place | None) -> tuple[str | None, int | None]:
    return (None, None) if place is None else (place.file, place.row)


def _evidence(
    member: Member,
    policy: Policy,
    row: Row,
    reason: str,
    firsts: Mapping[tuple[str, int], date],
    ends: Mapping[tuple[str, int], Row],
) -> list[Evidence]:
    number, rule = number_of(row["member_month"]), policy.eligibility
    month = member.enrollment.month(number, rule.coverage_rule)
    of_year = (row["policy"], row["performance_year"])
    if reason == NOT_IN_PERFORMANCE_YEAR:
        first = firsts[policy.attribution.method, row["performance_year"]]
        return [(f"the program's year begins {first:%Y-%m} (reference.alignment_periods)", None)]
    if reason == ALIGNMENT_ENDED:
        ended = ends[of_year]
        return [(f"ended in {ended['member_month']:%Y-%m}: {', '.join(ended['ineligible_reasons'])}", None)]
    if reason == "NOT_IN_PART_A_AND_B" and rule.part_a_b == "full_window":
        return _window(member, rule, row)
    tests: dict[str, Callable[[], Iterable[Evidence]]] = {
        "DECEASED": lambda: death(member),
        "NOT_ENROLLED": lambda: [uncovered(member, month, rule.coverage_rule)],
        "NOT_IN_PART_A_AND_B": lambda: not_both(member, month, rule.coverage_rule),
        "MEDICARE_ADVANTAGE": lambda: heard(month, lambda r: r.is_managed, "in a Part C plan"),
        "MEDICARE_SECONDARY": lambda: secondary(member, month),
        "NON_US_RESIDENT": lambda: heard(month, lambda r: r.is_abroad, "lives abroad"),
    }
    return list(tests[reason]())


def _ends(
    months: Sequence[Row], policies: Mapping[str, Policy], firsts: Mapping[tuple[str, int], date]
) -> dict[tuple[str, int], Row]:
    """The month that ended the alignment of each policy and year."""
    found: dict[tuple[str, int], Row] = {}
    for row in months:
        policy, year = policies[row["policy"]], row["performance_year"]
        first = firsts.get((policy.attribution.method, year))
        is_before = first is not None and row["member_month"] < first
        if policy.eligibility.months_stop and not row["is_eligible"] and not is_before:
            found.setdefault((row["policy"], year), row)
    return found


def _window(member: Member, rule: Eligibility, row: Row) -> list[Evidence]:
    """The months of the alignment window, up to the month of death, that are not in both Parts, by record; with a lag
    the month itself, too."""
    enrollment, year_last = member.enrollment, row["performance_year"] * 12 + 11
    last = year_last - rule.lag_months
    first = last - rule.window_months + 1
    death_at = number_of(enrollment.death[0]) if enrollment.death else last
    tested = range(max(first, enrollment.told_first), min(last, enrollment.told_last, death_at) + 1)
    months = [enrollment.month(number, rule.coverage_rule) for number in tested]
    failing = [month for month in months if not month.is_both]
    window = f"window {as_range(first, last)}"
    found = [
        (f"{window}, fails in {told}: {what}", place)
        for told, what, place in by_cause(member, failing, rule.coverage_rule)
    ]
    own = enrollment.month(number_of(row["member_month"]), rule.coverage_rule)
    if rule.lag_months > 0 and not own.is_both:
        found += [(f"the month itself: {what}", place) for what, place in not_both(member, own, rule.coverage_rule)]
    return found


def by_cause(member: Member, failing: Sequence[Month], coverage_rule: str) -> list[tuple[str, str, Place | None]]:
    """Months that are not in both Parts as ranges, one for each unbroken run with one cause and one record."""
    numbers: dict[Evidence, set[int]] = {}
    for month in failing:
        for cause in not_both(member, month, coverage_rule):
            numbers.setdefault(cause, set()).add(month.number)
    found = [(first, last, *cause) for cause, of_cause in numbers.items() for first, last in runs(of_cause)]
    return [(as_range(first, last), what, place) for first, last, what, place in sorted(found, key=lambda f: f[:3])]


def death(member: Member) -> list[Evidence]:
    if member.enrollment.death is None:
        return []
    day, place = member.enrollment.death
    return [(f"died {day}", place)]


def uncovered(member: Member, month: Month, coverage_rule: str) -> Evidence:
    """No record speaks for the month; the record of its year, where one tells whole years, leaves it out."""
    if month.heard:
        return f"not covered on {DAYS[coverage_rule]}", month.heard[0].place
    of_year = member.enrollment.of_year_without(month.number)
    what = "no enrollment record covers" if of_year is None else "not covered on"
    return f"{what} {DAYS[coverage_rule]}", of_year


def not_both(member: Member, month: Month, coverage_rule: str) -> list[Evidence]:
    if month.speaks is None:
        return [uncovered(member, month, coverage_rule)]
    return [(record.parts, record.place) for record in month.heard if not record.is_both]


def heard(month: Month, fails: Callable[[Record], bool], what: str) -> list[Evidence]:
    return [(what, place) for place in dict.fromkeys(record.place for record in month.heard if fails(record))]


def secondary(member: Member, month: Month) -> list[Evidence]:
    """The enrollment record that says so, or each claim of the month that names another payer."""
    found = heard(month, lambda record: record.is_secondary, "another payer is primary")
    if member.secondary.get(month.number) != "claim":
        return found
    claims: dict[tuple[Any, ...], Evidence] = {}
    for line in member.lines:
        names_payer = (
            not line["is_denied"]
            and line["claim_type"] != "pharmacy"
            and line["primary_payer_code"] in PRIMARY_PAYERS
            and number_of(line["service_thru"]) == month.number
        )
        if names_payer:
            payer = f"claim {line['claim_id']} of {as_month(month.number)} names payer {line['primary_payer_code']}"
            claims.setdefault((line["claim_id"], line["primary_payer_code"]), (payer, member.header(line)))
    return [*found, *claims.values()]
