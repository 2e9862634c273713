"""What each month of a member cost, and what of it the policy counts."""

import pytest

from pmpm_spark.policy import STEPS, Cost, Policy
from pmpm_spark.reference import SEQUESTRATION_RATES
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
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
RATES = """
    first_month | last_month | sequestration_rate
    2013-04-01  | 2021-02-01 | 0.02
    2021-03-01  | 2021-03-01 | 0.2
    2021-04-01  | 9999-12-01 | 0.01
"""


@pytest.fixture
def costs_are(spark):
    def check(costs, expected, *, factors="method", **cost):
        built = member_month_costs(
            frame(spark, CLAIM_COSTS, costs),
            frame(spark, MEMBER_MONTHS, MONTHS),
            frame(spark, ATTRIBUTION, WHOSE),
            frame(spark, SEQUESTRATION_RATES, RATES),
            frame(spark, COMPLETION_FACTORS, factors),
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


PARTS = """
    member_id | thru_month | from_month | service_category | roster_network_id | is_denied | claim_lines | services | paid_amount | pass_through_amount | ime_amount | dsh_amount | uncompensated_care_amount
    m1        | 2021-03-01 | 2021-03-01 | inpatient        | A                 | false     | 1           | 1        | 1000.00     | 40.00               | 30.00      | 20.00      | 10.00
    m1        | 2021-03-01 | 2021-03-01 | inpatient        | ''                | false     | 1           | 1        | 100.00      | -                   | 2.00       | -          | -
    m1        | 2021-03-01 | 2021-03-01 | inpatient        | A                 | true      | 1           | 1        | 7.00        | 1.00                | 1.00       | 1.00       | 1.00
    m1        | 2021-04-01 | 2021-04-01 | inpatient        | A                 | false     | 1           | 1        | 500.00      | 1.00                | 1.00       | 1.00       | 1.00
"""


def test_indirect_medical_education_disproportionate_share_and_uncompensated_care_are_left_out_of_what_counts(
    costs_are,
):
    """Of undenied lines in months that count: 30 + 20 + 10 + 2."""
    costs_are(
        PARTS,
        """
        member_month | counted_paid_amount | ime_dsh_uncompensated_effect | pass_through_effect | counted_amount
        2021-03-01   | 1100.00             | -62.00                       | 0.00                | 1038.00
        2021-04-01   | 0.00                | 0.00                         | 0.00                | 0.00
        """,
        exclude_ime_dsh_uncompensated=True,
    )


def test_pass_through_is_left_out_where_the_policy_does_not_include_it(costs_are):
    costs_are(
        PARTS,
        """
        member_month | counted_paid_amount | ime_dsh_uncompensated_effect | pass_through_effect | counted_amount
        2021-03-01   | 1100.00             | 0.00                         | -40.00              | 1060.00
        2021-04-01   | 0.00                | 0.00                         | 0.00                | 0.00
        """,
        include_pass_through=False,
    )


def test_what_is_excluded_is_excluded_of_the_networks_own_lines_where_these_alone_count(costs_are):
    costs_are(
        PARTS,
        "member_month | ime_dsh_uncompensated_effect | counted_amount\n"
        "2021-03-01 | -60.00 | 940.00\n2021-04-01 | 0.00 | 0.00",
        exclude_ime_dsh_uncompensated=True,
        basis="reimbursed_to_network",
    )


def test_sequestration_is_added_back_to_what_is_left_or_to_all_before_as_the_order_says(costs_are):
    """(1100 - 62) / 0.8 = 1297.50; 1100 / 0.8 - 62 = 1313."""
    costs_are(
        PARTS,
        "member_month | ime_dsh_uncompensated_effect | sequestration_effect | counted_amount\n"
        "2021-03-01 | -62.00 | 259.50 | 1297.50\n2021-04-01 | 0.00 | 0.00 | 0.00",
        exclude_ime_dsh_uncompensated=True,
        sequestration_add_back=True,
    )
    costs_are(
        PARTS,
        "member_month | ime_dsh_uncompensated_effect | sequestration_effect | counted_amount\n"
        "2021-03-01 | -62.00 | 275.00 | 1313.00\n2021-04-01 | 0.00 | 0.00 | 0.00",
        exclude_ime_dsh_uncompensated=True,
        sequestration_add_back=True,
        steps=("sequestration", "exclude", *STEPS[2:]),
    )


ACROSS_RATES = """
    member_id | thru_month | from_month | service_category | roster_network_id | is_denied | claim_lines | services | paid_amount | allowed_amount
    m1        | 2021-03-01 | 2021-03-01 | professional     | ''                | false     | 1           | 1        | 8.00        | 9.00
    m1        | 2021-03-01 | 2021-03-01 | professional     | A                 | false     | 2           | 1        | 0.01        | 9.00
    m1        | 2021-04-01 | 2021-03-01 | professional     | ''                | false     | 4           | 1        | 9.90        | 9.00
    m1        | 2021-03-01 | 2021-03-01 | pharmacy         | ''                | false     | 1           | 1        | 5.00        | 9.00
"""


def test_the_rate_is_that_of_the_last_day_of_service_whatever_month_the_claim_belongs_to_and_drugs_have_none(costs_are):
    """8.01 / 0.8 = 10.0125: 10.01; 9.90 / 0.99 = 10. Several rates of one month of first days stand in one row."""
    costs_are(
        ACROSS_RATES,
        """
        member_month | service_category | claim_lines | paid_amount | in_network_paid_amount | counted_paid_amount | sequestration_effect | counted_amount | allowed_amount
        2021-03-01   | professional     | 7           | 17.91       | 0.01                   | 17.91               | 2.10                 | 20.01          | 27.00
        2021-03-01   | pharmacy         | 1           | 5.00        | 0.00                   | 5.00                | 0.00                 | 5.00           | 9.00
        """,
        sequestration_add_back=True,
        claim_month="from",
        include_pharmacy=True,
    )


def test_an_allowed_amount_is_before_sequestration_and_nothing_is_added_back_to_it(costs_are):
    costs_are(
        ACROSS_RATES,
        """
        member_month | service_category | counted_paid_amount | allowed_effect | sequestration_effect | counted_amount
        2021-03-01   | professional     | 8.01                | 9.99           | 0.00                 | 18.00
        2021-03-01   | pharmacy         | 5.00                | 4.00           | 0.00                 | 9.00
        2021-04-01   | professional     | 0.00                | 0.00           | 0.00                 | 0.00
        """,
        sequestration_add_back=True,
        amount="allowed",
    )


def test_dollars_are_divided_by_the_share_already_paid_of_their_month_and_category_where_one_is_told(costs_are):
    """8.01 / 0.9 = 8.9; the policy takes the factors of its method and of its month of a claim alone."""
    costs_are(
        ACROSS_RATES,
        """
        member_month | service_category | completion_effect | counted_amount
        2021-03-01   | professional     | 0.89              | 8.90
        2021-03-01   | pharmacy         | 0.00              | 5.00
        2021-04-01   | professional     | 0.00              | 0.00
        """,
        factors="""
        method       | claim_month | service_category | incurred_month | completion_factor
        supplied     | thru        | professional     | 2021-03-01     | 0.9
        supplied     | thru        | professional     | 2021-04-01     | 0.5
        supplied     | from        | professional     | 2021-03-01     | 0.1
        chain_ladder | thru        | professional     | 2021-03-01     | 0.2
        supplied     | thru        | inpatient        | 2021-03-01     | 0.3
        """,
        completion="supplied",
    )
