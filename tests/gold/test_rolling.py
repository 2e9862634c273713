"""PMPM over the year to date and twelve months, beside the period a year before as it stood a year ago."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_pmpm_by_month import NETWORK_PMPM_BY_MONTH
from pmpm_spark.gold.network_pmpm_rolling import NETWORK_PMPM_ROLLING, network_pmpm_rolling
from pmpm_spark.model import FINAL_CLAIM_LINES
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.table import conform
from tests.tables import assert_table, frame


def test_the_prior_period_stands_as_it_did_a_year_ago_and_risk_of_two_years_is_weighted_by_months(spark):
    """The newest payment is of January 2023, so of 2021 what was paid until January 2022 was known: 300 of December's
    2,000 dollars came later. Twelve months to January 2022 have 10 member months of risk 1 and 5 of risk 2."""
    rows = network_pmpm_rolling(
        frame(
            spark,
            NETWORK_PMPM_BY_MONTH,
            """
            policy | network_id | member_month | performance_year | members | member_months | counted_amount | runout_months
            p      | A          | 2021-01-01   | 2021             | 10      | 10            | 1000.00        | 24
            p      | A          | 2021-12-01   | 2021             | 10      | 10            | 2000.00        | 13
            p      | A          | 2022-01-01   | 2022             | 5       | 5             | 400.00         | 12
            p      | A          | 2022-12-01   | 2022             | 5       | 5             | 600.00         | 1
            p      | A          | 2020-12-01   | 2020             | 99      | 99            | 9999.00        | 25
            """,
        ),
        frame(
            spark,
            NETWORK_PMPM,
            """
            policy | network_id | performance_year | normalized_risk_score
            p      | A          | 2021             | 1.0
            p      | A          | 2022             | 2.0
            p      | A          | 2020             | 7.0
            """,
        ),
        frame(
            spark,
            MEMBER_MONTH_COSTS,
            """
            policy | member_id | member_month | performance_year | service_category | network_id | exclusion_reason | in_total | paid_amount | counted_amount
            p      | m1        | 2021-12-01   | 2021             | inpatient        | A          | -                | true     | 2000.00     | 2000.00
            p      | m1        | 2021-12-01   | 2021             | pharmacy         | A          | -                | false    | 70.00       | 70.00
            p      | m2        | 2021-12-01   | 2021             | inpatient        | A          | DECEASED         | true     | 80.00       | 0.00
            """,
        ),
        frame(
            spark,
            FINAL_CLAIM_LINES,
            """
            member_id | service_category | is_denied | service_from | service_thru | paid_on    | paid_amount
            m1        | inpatient        | false     | 2021-12-01   | 2021-12-09   | 2022-01-31 | 1700.00
            m1        | inpatient        | false     | -            | 2021-12-09   | 2022-02-01 | 300.00
            m1        | inpatient        | true      | 2021-12-01   | 2021-12-09   | 2022-03-01 | 5.00
            m1        | pharmacy         | false     | 2021-12-01   | 2021-12-09   | 2022-03-01 | 70.00
            m2        | inpatient        | false     | 2021-12-01   | 2021-12-09   | 2022-03-01 | 80.00
            m1        | inpatient        | false     | 2021-12-01   | 2021-12-09   | -          | 8.00
            """,
        ),
        policies=[Policy("p")],
        performance_years=[2021, 2022],
    )
    built = conform(rows, NETWORK_PMPM_ROLLING)
    spans = built.groupBy("span").count().collect()
    assert {row[0]: row[1] for row in spans} == {"YEAR_TO_DATE": 24, "ROLLING_12": 13}
    assert_table(
        built.where("member_month IN ('2021-12-01', '2022-01-01', '2022-12-01')"),
        NETWORK_PMPM_ROLLING,
        spark,
        """
        span         | member_month | performance_year | members | member_months | counted_amount | pmpm  | normalized_risk_score | adjusted_pmpm | runout_months | prior_cut    | prior_member_months | prior_counted_amount | prior_late_amount | prior_pmpm | prior_adjusted_pmpm | is_small_cell
        YEAR_TO_DATE | 2021-12-01   | 2021             | 10      | 20            | 3000.00        | 150.0 | 1.0                   | 150.0         | 13            | -            | -                   | -                    | -                 | -          | -                   | true
        ROLLING_12   | 2021-12-01   | 2021             | 10      | 20            | 3000.00        | 150.0 | 1.0                   | 150.0         | 13            | -            | -                   | -                    | -                 | -          | -                   | true
        YEAR_TO_DATE | 2022-01-01   | 2022             | 5       | 5             | 400.00         | 80.0  | 2.0                   | 40.0          | 12            | SAME_RUNOUT  | 10                  | 1000.00              | 0.00              | 100.0      | 100.0               | true
        ROLLING_12   | 2022-01-01   | 2022             | 10      | 15            | 2400.00        | 160.0 | 1.3333333333333333    | 120.0         | 12            | -            | -                   | -                    | -                 | -          | -                   | true
        YEAR_TO_DATE | 2022-12-01   | 2022             | 5       | 10            | 1000.00        | 100.0 | 2.0                   | 50.0          | 1             | SAME_RUNOUT  | 20                  | 2700.00              | 300.00            | 135.0      | 135.0               | true
        ROLLING_12   | 2022-12-01   | 2022             | 5       | 10            | 1000.00        | 100.0 | 2.0                   | 50.0          | 1             | SAME_RUNOUT  | 20                  | 2700.00              | 300.00            | 135.0      | 135.0               | true
        """,
    )
    last = built.where("member_month = '2022-12-01' AND span = 'ROLLING_12'").collect()[0]
    assert (last["pmpm_change"], last["adjusted_pmpm_change"]) == pytest.approx((100 / 135 - 1, 50 / 135 - 1))


YEARS = (2020, 2021, 2022)
CATEGORIES = ("inpatient", "professional", "pharmacy")
POLICIES = (
    Policy("plain"),
    Policy("from", cost=Cost(claim_month="from", include_pharmacy=True)),
    Policy("share", cost=Cost(basis="reimbursed_to_network")),
    Policy("completing", cost=Cost(completion="chain_ladder")),
)
NEWEST = 2022 * 12 + 10
"""November 2022, while enrollment is told to December."""


def month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def number(day: date) -> int:
    return day.year * 12 + day.month - 1


def generated():
    """Lines of 150 members; rows of each policy made of them in plain Python: the half of a row is counted by `share`."""
    draw = random.Random(5)
    lines = []
    for member in range(150):
        for _ in range(draw.randint(1, 25)):
            first = draw.randint(2020 * 12, 2022 * 12 + 11)
            last = first + (draw.random() < 0.2)
            paid_in = min(last + int(draw.expovariate(0.2)), NEWEST) if last <= NEWEST else None
            paid_on = None if paid_in is None or draw.random() < 0.05 else month(paid_in)
            cents = Decimal(draw.randint(-2000, 90_000)) / 100
            kind = draw.choice(CATEGORIES)
            lines.append((f"m{member}", kind, draw.random() < 0.1, month(first), month(last), paid_on, cents))
    costs = {}
    for policy in POLICIES:
        sums: dict[tuple, Decimal] = defaultdict(Decimal)
        for member, kind, is_denied, first, last, _, paid in lines:
            at = first if policy.cost.claim_month == "from" else last
            if not is_denied and at.year in YEARS:
                sums[member, at, kind] += paid
        for (member, at, kind), paid in sums.items():
            in_total = policy.cost.include_pharmacy or kind != "pharmacy"
            reason = "DECEASED" if draw.random() < 0.1 else None
            counted = paid / 2 if policy.name == "share" else paid
            counted = counted.quantize(Decimal("0.01"))
            network = "AB"[int(member[1:]) % 2]
            costs[policy.name, member, at, kind] = (
                network,
                reason,
                in_total,
                paid,
                counted if not reason else Decimal(0),
            )
    months = {}
    for policy in POLICIES:
        for network in "AB":
            for at in range(2020 * 12 + 3, 2022 * 12 + 12):
                if draw.random() < 0.9:
                    counted = sum(
                        (
                            row[4]
                            for (name, _, day, _), row in costs.items()
                            if (name, row[0], number(day)) == (policy.name, network, at) and row[2] and not row[1]
                        ),
                        Decimal(0),
                    )
                    months[policy.name, network, at] = (draw.randint(1, 90), counted)
    risks = {
        (p.name, n, y): draw.uniform(0.5, 2) for p in POLICIES for n in "AB" for y in YEARS if (n, y) != ("B", 2020)
    }
    return lines, costs, months, risks


def cents(exact: float) -> Decimal:
    return Decimal(f"{exact:.10f}").quantize(Decimal("0.01"), "ROUND_HALF_UP")


def late_of(policy: Policy, lines, costs) -> dict[tuple, Decimal]:
    paid_late: dict[tuple, Decimal] = defaultdict(Decimal)
    for member, kind, is_denied, first, last, paid_on, paid in lines:
        at = first if policy.cost.claim_month == "from" else last
        if not is_denied and paid_on and number(paid_on) > NEWEST - 12 >= number(first):
            paid_late[member, at, kind] += paid
    late: dict[tuple, Decimal] = defaultdict(Decimal)
    for (member, at, kind), amount in paid_late.items():
        network, reason, in_total, paid, counted = costs.get((policy.name, member, at, kind), (None,) * 5)
        if network and in_total and not reason:
            share = amount if counted == paid else cents(float(counted) * float(amount) / float(paid)) if paid else 0
            late[network, number(at)] += share
    return late


def test_every_period_of_every_policy_is_what_its_months_and_claims_give(spark):
    lines, costs, months, risks = generated()
    run = {"policies": POLICIES, "performance_years": YEARS}

    def rows(table, told):
        at = [c.name for c in table.columns]
        return spark.createDataFrame(
            [tuple(row.get(name) for name in at) for row in told], frame(spark, table, at[0]).schema
        )

    by_month = [
        {
            "policy": policy, "network_id": network, "member_month": month(at), "performance_year": at // 12,
            "members": exposure, "member_months": Decimal(exposure), "counted_amount": counted,
            "runout_months": NEWEST - at,
        }
        for (policy, network, at), (exposure, counted) in months.items()
    ]  # fmt: skip
    networks = [
        {"policy": policy, "network_id": n, "performance_year": y, "normalized_risk_score": risk}
        for (policy, n, y), risk in risks.items()
    ]
    by_row = [
        {
            "policy": policy, "member_id": member, "member_month": at, "performance_year": at.year,
            "service_category": kind, "network_id": network, "exclusion_reason": reason, "in_total": in_total,
            "paid_amount": paid, "counted_amount": counted,
        }
        for (policy, member, at, kind), (network, reason, in_total, paid, counted) in costs.items()
    ]  # fmt: skip
    names = ("member_id", "service_category", "is_denied", "service_from", "service_thru", "paid_on", "paid_amount")
    final = [dict(zip(names, line, strict=True)) for line in lines]
    built = network_pmpm_rolling(
        rows(NETWORK_PMPM_BY_MONTH, by_month),
        rows(NETWORK_PMPM, networks),
        rows(MEMBER_MONTH_COSTS, by_row),
        rows(FINAL_CLAIM_LINES, final),
        **run,
    )
    found = {
        (row["policy"], row["network_id"], row["span"], number(row["member_month"])): row
        for row in conform(built, NETWORK_PMPM_ROLLING).collect()
    }
    expected, cuts = 0, 0
    for policy in POLICIES:
        late = late_of(policy, lines, costs)
        first = min(at for name, _, at in months if name == policy.name)
        last = max(at for name, _, at in months if name == policy.name)
        for network in "AB":
            own = {at: row for (name, n, at), row in months.items() if (name, n) == (policy.name, network)}
            for until in range(2020 * 12, last + 1):
                for span in ("YEAR_TO_DATE", "ROLLING_12"):
                    start = until - (until % 12 if span == "YEAR_TO_DATE" else 11)
                    of = [at for at in own if start <= at <= until]
                    if not of or (span == "ROLLING_12" and start < first):
                        continue
                    expected += 1
                    row = found[policy.name, network, span, until]
                    exposure = sum(own[at][0] for at in of)
                    counted = sum(own[at][1] for at in of)
                    assert (row["member_months"], row["counted_amount"]) == (exposure, counted)
                    assert row["members"] == max(own[at][0] for at in of)
                    assert row["pmpm"] == pytest.approx(float(counted) / exposure)
                    told = [risks.get((policy.name, network, at // 12)) for at in of]
                    if None in told:
                        assert row["adjusted_pmpm"] is None
                    else:
                        risk = sum(own[at][0] * r for at, r in zip(of, told, strict=True)) / exposure
                        assert row["adjusted_pmpm"] == pytest.approx(float(counted) / exposure / risk)
                    if start - 12 < first:
                        assert row["prior_cut"] is None and row["prior_pmpm"] is None
                        continue
                    before = [at for at in own if start - 12 <= at <= until - 12]
                    if policy.name == "completing":
                        left_out = Decimal(0)
                    else:
                        left_out = sum(
                            (own[at][1] if at > NEWEST - 12 else late[network, at] for at in before), Decimal(0)
                        )
                    cuts += left_out != 0
                    assert row["prior_cut"] == ("COMPLETED" if policy.name == "completing" else "SAME_RUNOUT")
                    assert row["prior_late_amount"] == left_out
                    assert row["prior_counted_amount"] == sum((own[at][1] for at in before), Decimal(0)) - left_out
                    assert row["prior_member_months"] == sum(own[at][0] for at in before)
    assert len(found) == expected and cuts > 50


def test_without_paid_dates_the_prior_period_is_whole_and_the_row_says_so(spark):
    names = "policy | network_id | member_month | performance_year | members | member_months | counted_amount"
    built = network_pmpm_rolling(
        frame(spark, NETWORK_PMPM_BY_MONTH, f"{names}\np|A|2021-01-01|2021|1|1|5.00\np|A|2022-01-01|2022|1|1|4.00"),
        frame(spark, NETWORK_PMPM, "policy"),
        frame(spark, MEMBER_MONTH_COSTS, "policy"),
        frame(spark, FINAL_CLAIM_LINES, "member_id"),
        policies=[Policy("p")],
        performance_years=[2021, 2022],
    )
    row = built.where("span = 'YEAR_TO_DATE' AND member_month = '2022-01-01'").collect()[0]
    assert (row["prior_cut"], row["prior_pmpm"], row["prior_late_amount"]) == ("NO_PAID_DATES", 5.0, 0)
    assert (row["runout_months"], row["adjusted_pmpm"]) == (None, None)
