"""Every reason of a month names the record that it rests on. No engine is at work."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.why.months import months_section, reasons_section
from tests.why.people import line, member, month, record, run

WHOLE_2021 = run("2021-01-01", "2021-12-31")
BOTH_YEARS = (record(2, run("2019-01-01", "2020-12-31")), record(3, WHOLE_2021))


def because(of: Any, rule: Eligibility | Policy, firsts: dict[Any, date] | None = None) -> list[tuple[Any, ...]]:
    """Month, reason, because, file and row of every reason."""
    policy = rule if isinstance(rule, Policy) else Policy("p", rule)
    rows = reasons_section(of, {"p": policy}, firsts or {}, of.months).rows
    return [(f"{row[1]:%Y-%m}", *row[2:]) for row in rows]


def test_the_window_is_named_with_the_months_that_fail_and_the_record_of_each() -> None:
    of = member(
        [
            record(2, run("2019-11-01", "2019-12-31"), year=2019),
            record(3, run("2020-03-01", "2020-04-30", "A"), run("2020-05-01", "2020-12-31"), year=2020),
            record(4, WHOLE_2021, year=2021),
        ],
        months=[month("2021-06", "NOT_IN_PART_A_AND_B")],
    )
    window = "window 2020-01 to 2021-12, fails in"
    assert because(of, Eligibility()) == [
        (
            "2021-06",
            "NOT_IN_PART_A_AND_B",
            f"{window} 2020-01 to 2020-02: not covered on the first of the month",
            "enrollment.csv",
            3,
        ),
        ("2021-06", "NOT_IN_PART_A_AND_B", f"{window} 2020-03 to 2020-04: Part A only", "enrollment.csv", 3),
    ]


def test_months_that_the_source_does_not_tell_and_those_after_death_are_not_of_the_window() -> None:
    of = member(
        [record(2, run("2020-07-01", "2021-03-31", "B"), death="2021-02-10")],
        months=[month("2021-01", "NOT_IN_PART_A_AND_B"), month("2021-03", "DECEASED")],
        told=(2020 * 12 + 8, 2021 * 12 + 11),
    )
    assert because(of, Eligibility()) == [
        (
            "2021-01",
            "NOT_IN_PART_A_AND_B",
            "window 2020-01 to 2021-12, fails in 2020-09 to 2021-02: Part B only",
            "enrollment.csv",
            2,
        ),
        ("2021-03", "DECEASED", "died 2021-02-10", "enrollment.csv", 2),
    ]


def test_with_a_lag_the_month_itself_is_told_beside_the_window() -> None:
    records = [record(2, run("2018-01-01", "2020-12-31")), record(3, run("2021-01-01", "2021-12-31", "A"))]
    of = member(records, months=[month("2021-02", "NOT_IN_PART_A_AND_B")])
    assert because(of, Eligibility(lag_months=12)) == [
        ("2021-02", "NOT_IN_PART_A_AND_B", "the month itself: Part A only", "enrollment.csv", 3)
    ]


def test_the_record_recorded_last_then_starting_last_then_of_the_lowest_plan_speaks() -> None:
    both, parts = run("2021-01-01", "2021-12-31"), run("2021-01-01", "2021-12-31", "A")
    later_start = run("2021-01-15", "2021-12-31", "A")
    rule = Eligibility(part_a_b="current_month")

    def speaks(*records: Any) -> list[Any]:
        of = member(records, months=[month("2021-02", "NOT_IN_PART_A_AND_B")])
        return [row[4] for row in because(of, rule)]

    assert speaks(record(2, both, on="2021-03-01"), record(3, parts, on="2021-04-01")) == [3]
    assert speaks(record(2, later_start), record(3, both)) == [2]
    assert speaks(record(2, both, plan="Q"), record(3, parts, plan="P")) == [3]


@pytest.mark.parametrize(
    ("rule", "reason", "row"),
    [
        ("first_of_month", "MEDICARE_ADVANTAGE", 2),
        ("any_day", "MEDICARE_ADVANTAGE", 2),
        ("mid_month", "NON_US_RESIDENT", 3),
        ("last_day", "NOT_ENROLLED", None),
        ("full_month", "MEDICARE_ADVANTAGE", 2),
        ("prorated", "MEDICARE_ADVANTAGE", 2),
    ],
)
def test_the_record_of_the_day_that_the_coverage_rule_looks_at_is_named(
    rule: str, reason: str, row: int | None
) -> None:
    """Part C to the 10th, abroad from the 11th to the 20th (in a full month to the 30th), nobody after."""
    end = "2021-06-30" if rule == "full_month" else "2021-06-20"
    records = [
        record(2, run("2021-01-01", "2021-06-10", managed=True)),
        record(3, run("2021-06-11", end, us=False)),
    ]
    of = member(records, months=[month("2021-06", reason)])
    found = because(of, Eligibility(coverage_rule=rule, exclude_non_us=True))
    assert [(told[1], told[4]) for told in found] == [(reason, row)]


def test_a_month_without_a_record_names_the_record_of_its_year_that_leaves_it_out() -> None:
    of = member([record(7, run("2021-04-01", "2021-12-31"), year=2021)], months=[month("2021-01", "NOT_ENROLLED")])
    assert because(of, Eligibility(part_a_b="none")) == [
        ("2021-01", "NOT_ENROLLED", "not covered on the first of the month", "enrollment.csv", 7)
    ]


def test_every_claim_that_names_another_payer_is_told_once_where_claims_tell_it() -> None:
    lines = [
        line("c1", "2021-05-03", "10", payer="D"),
        line("c1", "2021-05-03", "10", payer="D", number=2),
        line("c2", "2021-05-30", "10", payer="A"),
        line("c3", "2021-05-30", "10", payer="A", denied=True),
        line("c4", "2021-05-30", "10", payer="A", type="pharmacy"),
        line("c5", "2021-05-30", "10", payer="C"),
        line("c6", "2021-06-01", "10", payer="A"),
    ]
    months = [month("2021-05", "MEDICARE_SECONDARY")]
    of = member(BOTH_YEARS, lines, months, secondary={2021 * 12 + 4: "claim"})
    assert because(of, Eligibility()) == [
        ("2021-05", "MEDICARE_SECONDARY", "claim c1 of 2021-05 names payer D", "claims.csv", 2),
        ("2021-05", "MEDICARE_SECONDARY", "claim c2 of 2021-05 names payer A", "claims.csv", 4),
    ]


def test_where_enrollment_tells_the_payer_its_record_is_named() -> None:
    records = [record(2, run("2019-01-01", "2021-12-31", secondary=True))]
    of = member(records, months=[month("2021-05", "MEDICARE_SECONDARY")], secondary={2021 * 12 + 4: "enrollment"})
    assert because(of, Eligibility()) == [
        ("2021-05", "MEDICARE_SECONDARY", "another payer is primary", "enrollment.csv", 2)
    ]


def test_an_ended_alignment_names_the_month_that_ended_it_and_its_reasons() -> None:
    reach = Policy("p", Eligibility(part_a_b="current_month", months_stop=True), attribution=Attribution("reach"))
    records = [record(2, run("2021-01-01", "2021-12-31", managed=True))]
    months = [
        month("2021-03", "NOT_IN_PERFORMANCE_YEAR", "MEDICARE_ADVANTAGE"),
        month("2021-04"),
        month("2021-05", "MEDICARE_ADVANTAGE"),
        month("2021-06", "ALIGNMENT_ENDED"),
    ]
    found = because(member(records, months=months), reach, {("reach", 2021): date(2021, 4, 1)})
    assert [(told[0], told[2]) for told in found] == [
        ("2021-03", "the program's year begins 2021-04 (reference.alignment_periods)"),
        ("2021-03", "in a Part C plan"),
        ("2021-05", "in a Part C plan"),
        ("2021-06", "ended in 2021-05: MEDICARE_ADVANTAGE"),
    ]


def test_a_month_that_counts_names_the_record_that_speaks_for_it() -> None:
    of = member(BOTH_YEARS, months=[month("2020-12"), month("2021-01")])
    rows = months_section(of, {"p": Policy("p")}, of.months).rows
    assert [row[-2:] for row in rows] == [("enrollment.csv", 2), ("enrollment.csv", 3)]
