"""What the steps go by: limit, factor and rate, as the run took them. No engine is at work."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import Row

from pmpm_spark.policy import Cost, Policy
from pmpm_spark.why.dollars import dollars_of
from pmpm_spark.why.rates import Rates, rates_section
from tests.why.people import cost, day, line, member, month

TYPE = "AGED_NON_DUAL"


def everything(_: date) -> bool:
    return True


def typed(row: Row) -> Row:
    return Row(**row.asDict(), enrollment_type=TYPE)


@pytest.mark.parametrize(
    ("cost_rules", "kind"),
    [
        (Cost(truncation="supplied"), "supplied"),
        (Cost(truncation="percentile", truncation_percentile=99.0), "percentile 99.0 of 1,200 members"),
    ],
)
def test_a_truncated_year_shows_its_limit_and_the_annualized_cost_that_is_above(cost_rules: Cost, kind: str) -> None:
    """100.01 in three months is 400.04 a year; a month that does not count weighs nothing."""
    months = [month("2021-05"), month("2021-06"), month("2021-07"), month("2021-08", "DECEASED")]
    truncated = Row(
        policy="p",
        performance_year=2021,
        member_month=day("2021-05-01"),
        enrollment_type=TYPE,
        truncated_effect=Decimal("-25.01"),
    )
    limit = Row(
        policy="p",
        performance_year=2021,
        enrollment_type=TYPE,
        truncation_limit=Decimal("300.00"),
        members=1200,
    )
    of = member(
        months=months,
        costs=[typed(cost("2021-05", "dme", "99.01")), typed(cost("2021-06", "dme", "1.00"))],
        truncated=[truncated],
    )
    policies = {"p": Policy("p", cost=cost_rules)}
    section = rates_section(of, policies, (), Rates(limits=[limit]), everything)
    because = f"limit {kind}; annualized 400.04 of 100.01 in 3.000000 months"
    assert section.rows == [("p", 2021, "TRUNCATED", TYPE, Decimal("300.00"), because)]
    none = rates_section(of, policies, (), Rates(limits=[limit]), lambda at: at == day("2021-06-01"))
    assert none.rows == []


def test_the_annualized_cost_is_that_before_the_steps_after_the_truncation() -> None:
    row = Row(
        policy="p",
        performance_year=2021,
        member_month=day("2021-05-01"),
        enrollment_type=TYPE,
        truncated_effect=Decimal("-1.00"),
    )
    limit = Row(policy="p", performance_year=2021, enrollment_type=TYPE, truncation_limit=Decimal("5.00"), members=1)
    of = member(
        months=[month("2021-05")], costs=[typed(cost("2021-05", "dme", "10.00", sequestration="2.00"))], truncated=[row]
    )
    for steps, amount in (
        (("exclude", "sequestration", "complete", "annualize", "truncate", "weight"), "144.00 of 12.00"),
        (("annualize", "truncate", "exclude", "sequestration", "complete", "weight"), "120.00 of 10.00"),
    ):
        policy = Policy("p", cost=Cost(steps=steps, truncation="supplied", sequestration_add_back=True))
        (told,) = rates_section(of, {"p": policy}, (), Rates(limits=[limit]), everything).rows
        assert f"annualized {amount} in" in told[-1]


def test_the_sequestration_shows_the_rate_of_each_month_of_service_and_the_completion_its_factor() -> None:
    lines = [
        line("c1", "2021-05-03", "98.00"),
        line("c2", "2021-06-03", "49.00"),
        line("c3", "2022-02-01", "99.00", first="2021-06-30"),
        line("c4", "2021-06-03", "10.00", type="pharmacy"),
    ]
    counted = [
        cost("2021-05", "professional", "98.00", sequestration="2.00"),
        cost("2021-06", "professional", "148.00", sequestration="2.00", completion="9.00"),
        cost("2021-06", "pharmacy", "10.00"),
    ]
    of = member((), lines, [month("2021-05"), month("2021-06")], costs=counted)
    rules = Cost(claim_month="from", include_pharmacy=True, sequestration_add_back=True, completion="supplied")
    policy = Policy("p", cost=rules)
    counts = dollars_of(of, {"p": (policy, (2021,))})
    rates = Rates(
        factors=[
            Row(
                method=method,
                claim_month="from",
                service_category="professional",
                incurred_month=day("2021-06-01"),
                runout_months=3,
                completion_factor=factor,
            )
            for method, factor in (("supplied", 0.94), ("chain_ladder", 0.5))
        ],
        sequestration=[
            {"first_month": day(first), "last_month": day(last), "sequestration_rate": Decimal(rate)}
            for first, last, rate in (("2021-01-01", "2021-12-01", "0.02"), ("2022-01-01", "2200-12-01", "0.01"))
        ],
    )
    assert rates_section(of, {"p": policy}, counts, rates, everything).rows == [
        ("p", 2021, "SEQUESTRATION", "served 2021-05 to 2021-06", Decimal("0.02"), "withheld: paid / (1 - rate)"),
        ("p", 2021, "SEQUESTRATION", "served 2022-02", Decimal("0.01"), "withheld: paid / (1 - rate)"),
        ("p", 2021, "COMPLETION", "professional 2021-06", 0.94, "supplied; 3 months of run-out: amount / factor"),
    ]
