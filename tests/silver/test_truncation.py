"""Up to which annualized cost a member's year counts, and what is left out of each of its months and categories."""

import pytest

from pmpm_spark.policy import Cost, Policy
from pmpm_spark.reference import TRUNCATION_LIMITS_SUPPLIED
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS, truncated_costs
from pmpm_spark.silver.truncation_limits import TRUNCATION_LIMITS, truncation_limits
from tests.tables import assert_table, frame


def months_of(*people):
    """Member months of (member, months, enrollment type), as text."""
    heading = "policy | member_id | member_month | performance_year | enrollment_type | exposure | is_eligible"
    rows = [
        f"p | {member} | 2021-{month:02}-01 | 2021 | {kind} | 1 | true"
        for member, months, kind in people
        for month in range(1, months + 1)
    ]
    return "\n".join([heading, *rows])


def costs_of(*rows):
    """Counted rows of (member, month, category, amount, enrollment type), as text."""
    heading = (
        "policy | member_id | member_month | performance_year | network_id | service_category | enrollment_type | "
        "in_total | exclusion_reason | counted_paid_amount | counted_amount | completion_effect | sequestration_effect | "
        "pass_through_effect | ime_dsh_uncompensated_effect"
    )
    told = [
        f"p | {member} | 2021-{month:02}-01 | 2021 | A | {category} | {kind} | true | - | {amount} | {amount} | 0 | 0 | 0 | 0"
        for member, month, category, amount, kind in rows
    ]
    return "\n".join([heading, *told])


@pytest.fixture
def limits_are(spark):
    def check(months, costs, expected, *, supplied="performance_year", **cost):
        built = truncation_limits(
            frame(spark, MEMBER_MONTHS, months),
            frame(spark, MEMBER_MONTH_COSTS, costs),
            frame(spark, TRUNCATION_LIMITS_SUPPLIED, supplied),
            policies=[Policy("p", cost=Cost(**cost))],
            performance_years=[2021],
        )
        assert_table(built, TRUNCATION_LIMITS, spark, expected)

    return check


TEN = [(f"m{n}", 12, "ESRD") for n in range(10)]
THEIR_COSTS = [(f"m{n}", 1, "inpatient", 2500 * n, "ESRD") for n in range(1, 10)]
"""Nine members of 2,500 to 22,500, and one without any claim."""


@pytest.mark.parametrize(
    ("percentile", "limit"),
    [(10.0, "0.00"), (10.0001, "2500.00"), (90.0, "20000.00"), (99.0, "22500.00"), (100.0, "22500.00")],
)
def test_the_limit_is_the_smallest_annualized_cost_that_so_many_percent_do_not_exceed(limits_are, percentile, limit):
    """A member without claims is one of the population."""
    limits_are(
        months_of(*TEN),
        costs_of(*THEIR_COSTS),
        f"policy | performance_year | enrollment_type | truncation_limit | members\np | 2021 | ESRD | {limit} | 10",
        truncation="percentile",
        truncation_percentile=percentile,
    )


def test_each_enrollment_type_has_its_limit_of_costs_per_year_whatever_part_of_it_its_members_are_in(limits_are):
    """m1: 100.01 in 3 months of ESRD is 400.04 a year, 50 in 1 month as dual 600. What does not count is no cost."""
    excluded = "\np | m2 | 2021-02-01 | 2021 | A | dme | ESRD | true | DECEASED | 0 | 7777 | 0 | 0 | 0 | 0"
    pharmacy = "\np | m2 | 2021-02-01 | 2021 | A | pharmacy | ESRD | false | - | 0 | 7777 | 0 | 0 | 0 | 0"
    costs = costs_of(
        ("m1", 1, "dme", "100.01", "ESRD"), ("m1", 4, "dme", "50", "AGED_DUAL"), ("m2", 1, "inpatient", "9", "ESRD")
    )
    limits_are(
        months_of(("m1", 3, "ESRD"), ("m2", 12, "ESRD"), ("m1", 1, "AGED_DUAL")),
        costs + excluded + pharmacy,
        """
        enrollment_type | truncation_limit | members
        ESRD            | 400.04           | 2
        AGED_DUAL       | 600.00           | 1
        """,
        truncation="percentile",
    )


def test_supplied_limits_are_taken_as_they_are_and_a_type_without_one_has_none(limits_are):
    limits_are(
        months_of(("m1", 3, "ESRD"), ("m2", 12, "ESRD"), ("m1", 1, "OTHER")),
        costs_of(),
        "enrollment_type | truncation_limit | members\nESRD | 5.00 | 2\nOTHER | - | 1",
        truncation="supplied",
        supplied="performance_year | enrollment_type | truncation_limit\n2021 | ESRD | 5.00\n2020 | OTHER | 7.00",
    )


def test_a_policy_that_does_not_truncate_has_no_limit(limits_are):
    limits_are(months_of(*TEN), costs_of(*THEIR_COSTS), "policy | members")


@pytest.fixture
def truncated_are(spark):
    def check(months, costs, limits, expected, **cost):
        built = truncated_costs(
            frame(spark, MEMBER_MONTHS, months),
            frame(spark, MEMBER_MONTH_COSTS, costs),
            frame(spark, TRUNCATION_LIMITS, limits),
            policies=[Policy("other"), Policy("p", cost=Cost(truncation="supplied", **cost))],
            performance_years=[2021],
        )
        assert_table(built, TRUNCATED_COSTS, spark, expected)

    return check


LIMITS = """
    policy | performance_year | enrollment_type | truncation_limit
    p      | 2021             | ESRD            | 120.00
    p      | 2021             | OTHER           | -
    other  | 2021             | ESRD            | 1.00
"""


def test_what_is_above_the_limit_is_left_out_of_the_years_rows_in_proportion_and_to_the_cent(truncated_are):
    """m1 has 6 months: 60 of 100.02 count. Of the running sums 33.34, 66.68, 100.02 there count 20, 40, 60. m2 costs
    120 a year, no cent too much; m3 is of a type without a limit."""
    truncated_are(
        months_of(("m1", 6, "ESRD"), ("m2", 12, "ESRD"), ("m3", 1, "OTHER")),
        costs_of(
            ("m1", 2, "inpatient", "33.34", "ESRD"),
            ("m1", 2, "dme", "33.34", "ESRD"),
            ("m1", 5, "dme", "33.34", "ESRD"),
            ("m2", 1, "dme", "120.00", "ESRD"),
            ("m3", 1, "dme", "999.00", "OTHER"),
        ),
        LIMITS,
        """
        member_id | member_month | service_category | network_id | enrollment_type | truncated_effect | completion_effect | counted_amount
        m1        | 2021-02-01   | dme              | A          | ESRD            | -13.34           | 0.00              | -13.34
        m1        | 2021-02-01   | inpatient        | A          | ESRD            | -13.34           | 0.00              | -13.34
        m1        | 2021-05-01   | dme              | A          | ESRD            | -13.34           | 0.00              | -13.34
        """,
    )


def test_no_cent_is_lost_where_shares_are_no_whole_cents_and_a_row_may_be_below_zero(truncated_are):
    """10 of 21 count (one month of 120 a year): of 7 it is 3.33, of 14 6.67, of 22 10.48, of 21 again 10."""
    truncated_are(
        months_of(("m1", 1, "ESRD")),
        costs_of(
            ("m1", 1, "a", "7", "ESRD"),
            ("m1", 1, "b", "7", "ESRD"),
            ("m1", 1, "c", "8", "ESRD"),
            ("m1", 1, "d", "-1", "ESRD"),
        ),
        LIMITS,
        "service_category | truncated_effect\na | -3.67\nb | -3.66\nc | -4.19\nd | 0.52",
    )


def test_a_step_after_the_truncation_takes_of_what_is_left_the_share_that_it_took_of_all(truncated_are):
    """100 before the truncation, 30 of completion after it; 10 of the 100 count: 3 of completion."""
    costs = costs_of(("m1", 1, "dme", "100", "ESRD")).replace("| 100 | 100 | 0", "| 100 | 130 | 30")
    truncated_are(
        months_of(("m1", 1, "ESRD")),
        costs,
        LIMITS,
        "truncated_effect | completion_effect | counted_amount\n-90.00 | -27.00 | -117.00",
        steps=("exclude", "sequestration", "annualize", "truncate", "complete", "weight"),
    )


def test_what_is_excluded_after_the_truncation_is_excluded_in_full_and_changes_what_is_completed(truncated_are):
    """100 truncated to 10, less 4: 6 of 96 are left, and so of the 48 of completion 3."""
    costs = costs_of(("m1", 1, "dme", "100", "ESRD")).replace(
        "| 100 | 100 | 0 | 0 | 0 | 0", "| 100 | 144 | 48 | 0 | -4 | 0"
    )
    truncated_are(
        months_of(("m1", 1, "ESRD")),
        costs,
        LIMITS,
        "truncated_effect | completion_effect | counted_amount\n-90.00 | -45.00 | -135.00",
        steps=("annualize", "truncate", "exclude", "sequestration", "complete", "weight"),
    )


def test_where_no_policy_truncates_there_is_no_row(spark):
    built = truncated_costs(
        frame(spark, MEMBER_MONTHS, months_of(*TEN)),
        frame(spark, MEMBER_MONTH_COSTS, costs_of(*THEIR_COSTS)),
        frame(spark, TRUNCATION_LIMITS, LIMITS),
        policies=[Policy("p")],
        performance_years=[2021],
    )
    assert_table(built, TRUNCATED_COSTS, spark, "policy | member_id | counted_amount")
