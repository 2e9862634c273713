"""Every dollar counts, or has the first reason why not; together they are all that there is. No engine is at work."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row

from pmpm_spark.errors import StageError
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.why.dollars import dollars_of, dollars_section, steps_section, totals_section
from pmpm_spark.why.member import _places
from pmpm_spark.why.records import Place
from tests.why.people import cost, day, line, member, month

LINES = (
    line("c1", "2021-05-03", "80.00", network="N1"),
    line("c2", "2021-05-04", "40.00", network="N2"),
    line("c3", "2021-05-05", "30.00", denied=True),
    line("c4", "2021-06-01", "20.00", network="N1"),
    line("c5", "2021-06-02", None, type="pharmacy", denied=True),
    line("c6", "2021-07-02", "5.00"),
    line("c7", "2022-01-02", "7.00", first="2021-05-30", network="N1"),
    line("c8", "2020-12-31", "3.00"),
)
MONTHS = (month("2021-05"), month("2021-06", "MEDICARE_ADVANTAGE", "MEDICARE_SECONDARY"))
WHOSE = [Row(policy="p", performance_year=2021, network_id="N1")]
ALL = Decimal("185.00")


def everything(_: Any) -> bool:
    return True


def reasons(policy: Cost, *costs: Row) -> dict[str, str | None]:
    of = member((), LINES, MONTHS, attribution=WHOSE, costs=costs)
    found = dollars_of(of, {"p": (Policy("p", cost=policy), (2021,))})
    assert sum(dollar.paid_amount for dollar in found) == ALL
    return {dollar.line["claim_id"]: dollar.reason for dollar in found}


def test_a_dollar_has_the_first_reason_as_excluded_has_it() -> None:
    assert reasons(Cost(), cost("2021-05", "professional", "120.00")) == {
        "c1": None,
        "c2": None,
        "c3": "DENIED",
        "c4": "MEDICARE_ADVANTAGE",
        "c5": "PHARMACY",
        "c6": "NOT_ENROLLED",
        "c7": "OUTSIDE_YEARS",
        "c8": "OUTSIDE_YEARS",
    }


def test_by_the_month_of_the_first_day_a_dollar_may_fall_into_another_year() -> None:
    found = reasons(Cost(claim_month="from"), cost("2021-05", "professional", "127.00"))
    assert (found["c7"], found["c8"]) == (None, "OUTSIDE_YEARS")


def test_on_the_basis_of_the_network_what_others_were_paid_does_not_count() -> None:
    found = reasons(Cost(basis="reimbursed_to_network"), cost("2021-05", "professional", "80.00"))
    assert (found["c1"], found["c2"]) == (None, "OUT_OF_NETWORK")


def test_pharmacy_in_the_total_is_judged_like_every_other_line() -> None:
    assert reasons(Cost(include_pharmacy=True), cost("2021-05", "professional", "120.00"))["c5"] == "DENIED"


def test_counted_and_not_counted_are_all_of_the_members_dollars() -> None:
    of = member((), LINES, MONTHS, attribution=WHOSE, costs=[cost("2021-05", "professional", "120.00")])
    dollars = dollars_of(of, {"p": (Policy("p"), (2021,))})
    assert [row[1:] for row in totals_section(dollars, everything).rows] == [
        ("COUNTED", 2, Decimal("120.00")),
        ("DENIED", 1, Decimal("30.00")),
        ("MEDICARE_ADVANTAGE", 1, Decimal("20.00")),
        ("NOT_ENROLLED", 1, Decimal("5.00")),
        ("OUTSIDE_YEARS", 2, Decimal("10.00")),
        ("PHARMACY", 1, Decimal(0)),
        ("ALL", 8, ALL),
    ]
    in_may = totals_section(dollars, lambda at: at == day("2021-05-01")).rows
    assert in_may[-1][1:] == ("ALL", 3, Decimal("150.00"))


def test_a_dollar_names_its_claim_line_and_record() -> None:
    of = member((), LINES, MONTHS, attribution=WHOSE, costs=[cost("2021-05", "professional", "120.00")])
    section = dollars_section(of, dollars_of(of, {"p": (Policy("p"), (2021,))}), everything)
    told = [dict(zip(section.names, row, strict=True)) for row in section.rows]
    names = ("claim_id", "line_number", "counts", "file", "row")
    assert [tuple(row[name] for name in names) for row in told[:3]] == [
        ("c1", 1, True, "claims.csv", 2),
        ("c2", 1, True, "claims.csv", 3),
        ("c3", 1, False, "claims.csv", 4),
    ]


def test_a_payment_is_told_by_the_header_of_its_claim_where_the_source_has_one() -> None:
    def row(number: int | None, at: int, *numbers: int) -> Row:
        told = {"claim_id": "c1", "line_number": number, "claim_version": "1", "numbers": list(numbers) or None}
        return Row(**told, _source_file="claims", _source_row=at)

    paid, center, alone = line("c1", "2021-05-03", "80.00"), line("c1", "2021-05-03", "0.00", number=2), LINES[1]
    of = replace(member(), places=_places([row(None, 1), row(1, 7), row(2, 8)], has_lines=True))
    assert (of.header(paid), of.place(center), of.header(alone)) == (Place("claims", 1), Place("claims", 8), None)
    several = _places([row(1, 3, 1, 2, 3)], has_lines=False)
    assert several == {("c1", number, "1"): Place("claims", None) for number in (1, 2, 3)}


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"claim_costs": "185.01"}, "do not add up to silver.claim_costs"),
        ({"costs": [cost("2021-05", "professional", "119.99")]}, "policy p was computed from other claims"),
        ({"costs": [cost("2021-05", "professional", "120.00"), cost("2021-05", "dme", "1.00")]}, "from other claims"),
    ],
)
def test_dollars_that_are_not_those_of_the_run_are_refused_without_a_figure(told: dict[str, Any], what: str) -> None:
    of = member((), LINES, MONTHS, attribution=WHOSE, **{"costs": [cost("2021-05", "professional", "120.00")], **told})
    with pytest.raises(StageError, match=what) as refused:
        dollars_of(of, {"p": (Policy("p"), (2021,))})
    assert not re.search(r"\d", str(refused.value))


def test_the_steps_lead_from_what_was_paid_to_what_is_counted_in_the_policys_order() -> None:
    truncated = Row(
        policy="p",
        member_month=day("2021-05-01"),
        performance_year=2021,
        truncated_effect=Decimal("-50.00"),
        sequestration_effect=Decimal("-1.00"),
        completion_effect=Decimal("0.00"),
        counted_amount=Decimal("-51.00"),
    )
    of = member(
        costs=[cost("2021-05", "professional", "120.00", sequestration="2.45"), cost("2021-06", "dme", "10.00")],
        truncated=[truncated],
    )
    steps = ("annualize", "truncate", "exclude", "sequestration", "complete", "weight")
    policy = Policy("p", cost=Cost(steps=steps, sequestration_add_back=True, truncation="supplied"))
    assert [row[1:] for row in steps_section(of, {"p": policy}, everything).rows] == [
        (2021, "PAID", Decimal("130.00")),
        (2021, "TRUNCATED", Decimal("-50.00")),
        (2021, "SEQUESTRATION", Decimal("1.45")),
        (2021, "COUNTED", Decimal("81.45")),
    ]
    without = member(costs=[cost("2021-05", "professional", "120.00")])
    assert not steps_section(without, {"p": Policy("p")}, everything).rows
