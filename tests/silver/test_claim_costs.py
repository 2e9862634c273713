"""Costs by member, months, category, roster network and denial; what is one service."""

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from pmpm_spark.model import FINAL_CLAIM_LINES, NETWORK_ROSTER
from pmpm_spark.silver.claim_costs import CLAIM_COSTS, claim_costs
from pmpm_spark.silver.roster_matches import roster_matches
from tests.tables import assert_table, frame

ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date
    A          | T1  | ''  | ''  | 2021-01-01 | 2021-06-30
    A          | ''  | ''  | C1  | 2021-01-01 | 2021-12-31
    B          | ''  | N2  | ''  | 2021-01-01 | 2021-12-31
"""


@pytest.fixture
def costs_are(spark):
    def check(lines, expected):
        final = frame(spark, FINAL_CLAIM_LINES, lines)
        built = claim_costs(final, roster_matches(final, frame(spark, NETWORK_ROSTER, ROSTER)))
        assert_table(built, CLAIM_COSTS, spark, expected)

    return check


def test_lines_add_up_by_the_months_of_first_and_last_day_the_network_on_the_last_and_denial(costs_are):
    costs_are(
        """
        claim_id | line_number | member_id | claim_type   | service_category | is_denied | service_from | service_thru | billing_tin | paid_amount | allowed_amount | ime_amount
        c1       | 1           | m1        | professional | professional     | false     | 2021-06-30   | 2021-06-30   | T1          | 10.00       | 12.00          | 1.00
        c1       | 2           | m1        | professional | professional     | false     | 2021-06-01   | 2021-06-01   | T1          | 20.00       | 24.00          | 1.00
        c2       | 1           | m1        | professional | professional     | false     | 2021-06-30   | 2021-07-01   | T1          | 40.00       | 48.00          | 1.00
        c3       | 1           | m1        | professional | professional     | true      | 2021-06-30   | 2021-06-30   | T1          | 80.00       | -              | 1.00
        c4       | 1           | m1        | professional | professional     | false     | -            | 2021-06-30   | -           | -5.00       | -              | 0.00
        c4       | 2           | m1        | professional | professional     | false     | -            | 2021-06-30   | -           | 9.00        | 9.00           | 0.00
        """,
        """
        member_id | thru_month | from_month | roster_network_id | is_denied | claim_lines | services | paid_amount | allowed_amount | ime_amount
        m1        | 2021-06-01 | 2021-06-01 | A                 | false     | 2           | 2        | 30.00       | 36.00          | 2.00
        m1        | 2021-07-01 | 2021-06-01 | ''                | false     | 1           | 1        | 40.00       | 48.00          | 1.00
        m1        | 2021-06-01 | 2021-06-01 | A                 | true      | 1           | 1        | 80.00       | -              | 1.00
        m1        | 2021-06-01 | 2021-06-01 | ''                | false     | 2           | 2        | 4.00        | -              | 0.00
        """,
    )


def test_the_network_is_that_of_the_facility_or_of_who_bills_on_an_institutional_claim(costs_are):
    costs_are(
        """
        claim_id | line_number | member_id | claim_type | service_category | is_denied | service_thru | facility_ccn | billing_npi | rendering_npi | paid_amount
        c1       | 1           | m1        | outpatient | outpatient       | false     | 2021-06-30   | C1           | N9          | N2            | 10.00
        c2       | 1           | m1        | outpatient | outpatient       | false     | 2021-06-30   | C9           | N2          | -             | 20.00
        c3       | 1           | m1        | outpatient | outpatient       | false     | 2021-06-30   | C1           | N2          | -             | 40.00
        c4       | 1           | m1        | pharmacy   | pharmacy         | false     | 2021-06-30   | -            | N2          | N9            | 80.00
        """,
        """
        roster_network_id | service_category | paid_amount | services
        A                 | outpatient       | 50.00       | 2
        B                 | outpatient       | 20.00       | 1
        B                 | pharmacy         | 80.00       | 1
        """,
    )


def test_who_is_paid_is_the_facility_else_the_practice_else_the_npi_that_stands_for_it_and_no_line_makes_two_services(
    costs_are,
):
    """c5 names two practices: it is one claim, of the first. Nobody is paid for what is denied."""
    costs_are(
        """
        claim_id | line_number | member_id | claim_type   | service_category | is_denied | service_thru | facility_ccn | billing_tin | billing_npi | rendering_npi | paid_amount
        c1       | 1           | m1        | professional | professional     | false     | 2021-05-05   | C9           | T9          | N8          | N9            | 1.00
        c2       | 1           | m1        | inpatient    | inpatient        | false     | 2021-05-05   | C9           | T9          | N8          | N9            | 2.00
        c3       | 1           | m1        | outpatient   | outpatient       | false     | 2021-05-05   | -            | -           | N8          | N9            | 4.00
        c4       | 1           | m1        | dme          | dme              | false     | 2021-05-05   | -            | -           | -           | -             | 8.00
        c5       | 1           | m1        | hospice      | hospice          | false     | 2021-05-05   | -            | T8          | -           | -             | 16.00
        c5       | 2           | m1        | hospice      | hospice          | false     | 2021-05-05   | -            | T7          | -           | -             | 0.00
        c6       | 1           | m1        | dme          | dme              | true      | 2021-05-05   | -            | T9          | -           | -             | 32.00
        """,
        """
        service_category | is_denied | destination | claim_lines | services | paid_amount
        professional     | false     | tin T9      | 1           | 1        | 1.00
        inpatient        | false     | ccn C9      | 1           | 1        | 2.00
        outpatient       | false     | npi N8      | 1           | 1        | 4.00
        dme              | false     | ''          | 1           | 1        | 8.00
        hospice          | false     | tin T7      | 2           | 1        | 16.00
        dme              | true      | ''          | 1           | 1        | 32.00
        """,
    )


def test_an_outpatient_home_health_or_hospice_claim_is_one_service_and_any_other_line_one_each(costs_are):
    kinds = ("outpatient", "home_health", "hospice", "dme", "pharmacy", "other")
    lines = (
        "claim_id | line_number | member_id | claim_type | service_category | is_denied | service_thru | paid_amount"
    )
    for kind in kinds:
        lines += "".join(f"\n{kind} | {n} | m1 | {kind} | {kind} | false | 2021-05-05 | 1.00" for n in (1, 2, 3))
    costs_are(
        lines,
        """
        service_category | claim_lines | services | paid_amount
        outpatient       | 3           | 1        | 3.00
        home_health      | 3           | 1        | 3.00
        hospice          | 3           | 1        | 3.00
        dme              | 3           | 3        | 3.00
        pharmacy         | 3           | 3        | 3.00
        other            | 3           | 3        | 3.00
        """,
    )


def test_interim_bills_of_one_facility_are_one_stay_in_the_month_in_which_it_ends(costs_are):
    """They share a day, or the next follows the day after one that is still a patient (30)."""
    costs_are(
        """
        claim_id | line_number | member_id | claim_type | service_category | is_denied | service_from | service_thru | discharge_status | facility_ccn | paid_amount
        c1       | 1           | chained   | inpatient  | inpatient        | false     | 2021-03-10   | 2021-03-31   | 30               | C5           | 1.00
        c2       | 1           | chained   | inpatient  | inpatient        | false     | 2021-04-01   | 2021-04-30   | 30               | C5           | 2.00
        c3       | 1           | chained   | inpatient  | inpatient        | false     | 2021-05-01   | 2021-05-04   | 01               | C5           | 4.00
        d1       | 1           | home      | inpatient  | inpatient        | false     | 2021-03-10   | 2021-03-31   | 01               | C5           | 1.00
        d2       | 1           | home      | inpatient  | inpatient        | false     | 2021-04-01   | 2021-04-30   | 01               | C5           | 2.00
        e1       | 1           | moved     | inpatient  | inpatient        | false     | 2021-03-10   | 2021-03-31   | 30               | C5           | 1.00
        e2       | 1           | moved     | inpatient  | inpatient        | false     | 2021-04-01   | 2021-04-30   | 01               | C6           | 2.00
        f1       | 1           | same_day  | snf        | skilled_nursing  | false     | 2021-03-10   | 2021-03-31   | 01               | C5           | 1.00
        f2       | 1           | same_day  | snf        | skilled_nursing  | false     | 2021-03-31   | 2021-04-30   | 01               | C5           | 2.00
        g1       | 1           | gap       | inpatient  | inpatient        | false     | 2021-03-10   | 2021-03-30   | 30               | C5           | 1.00
        g2       | 1           | gap       | inpatient  | inpatient        | false     | 2021-04-01   | 2021-04-30   | 01               | C5           | 2.00
        """,
        """
        member_id | thru_month | services | paid_amount
        chained   | 2021-03-01 | 0        | 1.00
        chained   | 2021-04-01 | 0        | 2.00
        chained   | 2021-05-01 | 1        | 4.00
        home      | 2021-03-01 | 1        | 1.00
        home      | 2021-04-01 | 1        | 2.00
        moved     | 2021-03-01 | 1        | 1.00
        moved     | 2021-04-01 | 1        | 2.00
        same_day  | 2021-03-01 | 0        | 1.00
        same_day  | 2021-04-01 | 1        | 2.00
        gap       | 2021-03-01 | 1        | 1.00
        gap       | 2021-04-01 | 1        | 2.00
        """,
    )


def test_a_stay_reaches_from_admission_to_discharge_and_a_denied_claim_is_no_part_of_a_paid_one(costs_are):
    costs_are(
        """
        claim_id | line_number | member_id | claim_type | service_category | is_denied | admission_date | service_from | service_thru | discharge_date | paid_amount
        c1       | 1           | bills     | inpatient  | inpatient        | false     | 2021-03-10     | 2021-03-10   | 2021-03-20   | -              | 1.00
        c2       | 1           | bills     | inpatient  | inpatient        | false     | 2021-03-10     | 2021-04-05   | 2021-04-09   | 2021-04-09     | 2.00
        d1       | 1           | denied    | inpatient  | inpatient        | true      | -              | 2021-03-10   | 2021-03-20   | -              | 1.00
        d2       | 1           | denied    | inpatient  | inpatient        | false     | -              | 2021-03-10   | 2021-03-20   | -              | 2.00
        """,
        """
        member_id | thru_month | is_denied | services
        bills     | 2021-03-01 | false     | 0
        bills     | 2021-04-01 | false     | 1
        denied    | 2021-03-01 | true      | 1
        denied    | 2021-03-01 | false     | 1
        """,
    )


def test_emergency_claims_of_one_person_and_day_are_one_visit_wherever_they_were(costs_are):
    costs_are(
        """
        claim_id | line_number | member_id | claim_type | service_category | is_denied | service_thru | facility_ccn | paid_amount
        c1       | 1           | m1        | outpatient | emergency        | false     | 2021-03-10   | C8           | 1.00
        c1       | 2           | m1        | outpatient | emergency        | false     | 2021-03-10   | C8           | 0.00
        c2       | 1           | m1        | outpatient | emergency        | false     | 2021-03-10   | C9           | 2.00
        c3       | 1           | m1        | outpatient | emergency        | false     | 2021-03-11   | C9           | 4.00
        c4       | 1           | m2        | outpatient | emergency        | false     | 2021-03-10   | C9           | 8.00
        """,
        """
        member_id | destination | claim_lines | services | paid_amount
        m1        | ccn C8      | 2           | 1        | 1.00
        m1        | ccn C9      | 2           | 1        | 6.00
        m2        | ccn C9      | 1           | 1        | 8.00
        """,
    )


def random_bills(draw: random.Random, members: int) -> list[dict]:
    bills = []
    for number in range(members):
        for place in range(draw.randint(1, 7)):
            kind = draw.choice(("inpatient", "inpatient", "snf", "outpatient"))
            first = date(2021, 1, 28) + timedelta(days=draw.randint(0, 40))
            last = first if kind == "outpatient" else first + timedelta(days=draw.randint(0, 9))
            emergency = kind == "outpatient" and draw.random() < 0.7
            bills.append(
                {
                    "claim_id": f"c{number}-{place}",
                    "member_id": f"m{number}",
                    "claim_type": kind,
                    "service_category": "emergency" if emergency else kind,
                    "is_denied": draw.random() < 0.1,
                    "service_from": first,
                    "service_thru": last,
                    "discharge_status": draw.choice(("30", "01", None)),
                    "facility_ccn": draw.choice(("C7", "C8")),
                    "lines": draw.randint(1, 3),
                }
            )
    return bills


def counted_by_hand(bills: list[dict]) -> dict[tuple, int]:
    """Stays by joining any two bills that belong together until nothing changes; visits by person and day."""
    services = defaultdict(int)
    stays: list[list[dict]] = []
    visits = set()

    def follow(one: dict, other: dict) -> bool:
        early, late = sorted((one, other), key=lambda bill: bill["service_from"])
        still = timedelta(days=1 if early["discharge_status"] == "30" else 0)
        either = early["service_from"] == late["service_from"]
        return either or late["service_from"] <= early["service_thru"] + still

    def key(bill: dict) -> tuple:
        return bill["member_id"], bill["service_thru"].replace(day=1), bill["service_category"], bill["is_denied"]

    of = ("member_id", "claim_type", "is_denied", "facility_ccn")
    for bill in bills:
        if bill["claim_type"] in ("inpatient", "snf"):
            alike = [s for s in stays if all(s[0][n] == bill[n] for n in of) and any(follow(b, bill) for b in s)]
            stays = [s for s in stays if not any(s is one for one in alike)]
            stays.append([bill, *[b for stay in alike for b in stay]])
        elif bill["service_category"] == "emergency":
            visits.add((*key(bill), bill["service_thru"]))
        else:
            services[key(bill)] += 1
    for stay in stays:
        services[key(max(stay, key=lambda bill: bill["service_thru"]))] += 1
    for visit in visits:
        services[visit[:4]] += 1
    return dict(services)


def test_stays_and_visits_of_hundreds_of_members_are_those_counted_by_hand(spark):
    bills = random_bills(random.Random(17), 500)
    names = [c.name for c in FINAL_CLAIM_LINES.columns]
    rows = [
        tuple({**bill, "line_number": n, "paid_amount": Decimal(1)}.get(name) for name in names)
        for bill in bills
        for n in range(1, bill["lines"] + 1)
    ]
    final = spark.createDataFrame(rows, FINAL_CLAIM_LINES.schema)
    built = claim_costs(final, roster_matches(final, frame(spark, NETWORK_ROSTER, ROSTER)))
    found, lines = defaultdict(int), 0
    for row in built.collect():
        found[row.member_id, row.thru_month, row.service_category, row.is_denied] += row.services
        lines += row.claim_lines
        assert row.paid_amount == row.claim_lines
    assert lines == len(rows)
    assert {key: count for key, count in found.items() if count} == counted_by_hand(bills)
