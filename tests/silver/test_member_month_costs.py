"""What each month of a member cost, and what of it the policy counts."""

import pytest

from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS, member_month_costs
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from tests.tables import assert_table, frame

MONTHS = """
    policy | member_id | member_month | performance_year | enrollment_type | is_eligible | ineligible_reasons
    p      | m1        | 2021-03-01   | 2021             | ESRD            | true        | []
    p      | m1        | 2021-04-01   | 2021             | OTHER           | false       | MEDICARE_ADVANTAGE;MEDICARE_SECONDARY
    q      | m1        | 2021-04-01   | 2021             | ESRD            | true        | []
"""
WHOSE = """
    policy | performance_year | member_id | network_id
    p      | 2021             | m1        | A
    p      | 2020             | m1        | B
    q      | 2021             | m1        | B
"""


@pytest.fixture
def costs_are(spark):
    def check(costs, expected, **cost):
        built = member_month_costs(
            frame(spark, CLAIM_COSTS, costs),
            frame(spark, MEMBER_MONTHS, MONTHS),
            frame(spark, ATTRIBUTION, WHOSE),
            policies=[Policy("p", cost=Cost(**cost))],
            performance_years=[2021],
        )
        assert_table(built, MEMBER_MONTH_COSTS, spark, expected)

    return check


def test_lines_of_a_month_that_does_not_count_carry_its_first_reason_and_of_no_member_month_not_enrolled(costs_are):
    costs_are(
        """
        member_id | thru_month | from_month | service_category | roster_network_id | is_denied | claim_lines | services | paid_amount
        m1        | 2021-03-01 | 2021-03-01 | professional     | A                 | false     | 2           | 1        | 10.00
        m1        | 2021-04-01 | 2021-04-01 | professional     | A                 | false     | 3           | 2        | 20.00
        m1        | 2021-05-01 | 2021-05-01 | professional     | A                 | false     | 1           | 1        | 40.00
        stranger  | 2021-03-01 | 2021-03-01 | professional     | A                 | false     | 1           | 1        | 80.00
        m1        | 2020-03-01 | 2020-03-01 | professional     | A                 | false     | 1           | 1        | 99.00
        """,
        """
        member_id | member_month | network_id   | enrollment_type | exclusion_reason   | claim_lines | paid_amount | counted_lines | counted_services | counted_paid_amount | counted_amount
        m1        | 2021-03-01   | A            | ESRD            | -                  | 2           | 10.00       | 2             | 1                | 10.00               | 10.00
        m1        | 2021-04-01   | A            | OTHER           | MEDICARE_ADVANTAGE | 3           | 20.00       | 0             | 0                | 0.00                | 0.00
        m1        | 2021-05-01   | A            | -               | NOT_ENROLLED       | 1           | 40.00       | 0             | 0                | 0.00                | 0.00
        stranger  | 2021-03-01   | UNATTRIBUTED | -               | NOT_ENROLLED       | 1           | 80.00       | 0             | 0                | 0.00                | 0.00
        """,
    )


DENIED_AND_OWN = """
    member_id | thru_month | from_month | service_category | roster_network_id | is_denied | claim_lines | services | paid_amount | allowed_amount
    m1        | 2021-03-01 | 2021-03-01 | professional     | A                 | false     | 1           | 1        | 10.00       | 12.00
    m1        | 2021-03-01 | 2021-03-01 | professional     | B                 | false     | 2           | 1        | 20.00       | 25.00
    m1        | 2021-03-01 | 2021-03-01 | professional     | ''                | false     | 4           | 1        | 40.00       | 50.00
    m1        | 2021-03-01 | 2021-03-01 | professional     | A                 | true      | 8           | 1        | 80.00       | -
    m1        | 2021-03-01 | 2021-03-01 | pharmacy         | ''                | false     | 1           | 1        | 5.00        | -
"""


def test_on_total_cost_of_care_every_undenied_line_counts_and_the_networks_own_part_stands_beside(costs_are):
    costs_are(
        DENIED_AND_OWN,
        """
        service_category | in_total | claim_lines | paid_amount | allowed_amount | in_network_paid_amount | counted_paid_amount | counted_amount | denied_lines | denied_paid_amount
        professional     | true     | 7           | 70.00       | 87.00          | 10.00                  | 70.00               | 70.00          | 8            | 80.00
        pharmacy         | false    | 1           | 5.00        | -              | 0.00                   | 5.00                | 5.00           | 0            | 0.00
        """,
    )


def test_reimbursed_to_the_network_counts_lines_of_the_members_own_network_alone(costs_are):
    costs_are(
        DENIED_AND_OWN,
        """
        service_category | claim_lines | paid_amount | in_network_paid_amount | counted_lines | counted_services | counted_paid_amount | counted_amount
        professional     | 7           | 70.00       | 10.00                  | 1             | 1                | 10.00               | 10.00
        pharmacy         | 1           | 5.00        | 0.00                   | 0             | 0                | 0.00                | 0.00
        """,
        basis="reimbursed_to_network",
    )


def test_the_allowed_amount_counts_where_the_policy_says_so_and_pharmacy_is_in_total_where_it_includes_it(costs_are):
    costs_are(
        DENIED_AND_OWN.replace("| 5.00        | -", "| 5.00        | 6.00"),
        """
        service_category | in_total | counted_paid_amount | counted_amount
        professional     | true     | 70.00               | 87.00
        pharmacy         | true     | 5.00                | 6.00
        """,
        amount="allowed",
        include_pharmacy=True,
    )


ACROSS_MONTHS = """
    member_id | thru_month | from_month | service_category | roster_network_id | is_denied | claim_lines | services | paid_amount
    m1        | 2021-04-01 | 2021-03-01 | inpatient        | ''                | false     | 1           | 1        | 10.00
    m1        | 2021-01-01 | 2020-12-01 | inpatient        | ''                | false     | 1           | 1        | 20.00
"""


def test_a_claim_belongs_to_the_month_of_its_last_day(costs_are):
    costs_are(
        ACROSS_MONTHS,
        """
        member_month | paid_amount | exclusion_reason
        2021-04-01   | 10.00       | MEDICARE_ADVANTAGE
        2021-01-01   | 20.00       | NOT_ENROLLED
        """,
    )


def test_or_to_the_month_of_its_first_day_where_the_policy_says_so_and_then_to_that_year(costs_are):
    expected = "member_month | paid_amount | exclusion_reason\n2021-03-01 | 10.00 | -"
    costs_are(ACROSS_MONTHS, expected, claim_month="from")
