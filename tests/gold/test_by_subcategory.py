"""Lines, services and dollars by network and both levels of service category."""

from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY
from pmpm_spark.gold.network_pmpm_by_subcategory import NETWORK_PMPM_BY_SUBCATEGORY, network_pmpm_by_subcategory
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from tests.tables import assert_table, frame

ROWS = """
    policy | performance_year | member_id | member_month | service_category | network_id | exclusion_reason | counted_lines | counted_paid_amount | allowed_effect | pass_through_effect | ime_dsh_uncompensated_effect | counted_amount
    p      | 2021             | m1        | 2021-01-01   | professional     | A          | -                | 4             | 100.00              | 0.00           | 0.00                | 0.00                         | 110.00
    p      | 2021             | m1        | 2021-02-01   | professional     | A          | -                | 1             | 7.00                | 0.00           | 0.00                | 0.00                         | 7.00
    p      | 2021             | m2        | 2021-01-01   | professional     | B          | -                | 1             | 5.00                | 0.00           | 0.00                | 0.00                         | 5.00
    p      | 2021             | m1        | 2021-03-01   | professional     | A          | DECEASED         | 0             | 0.00                | 0.00           | 0.00                | 0.00                         | 0.00
    q      | 2021             | m1        | 2021-01-01   | professional     | A          | -                | 4             | 999.00              | 0.00           | 0.00                | 0.00                         | 999.00
"""
COSTS = """
    member_id | thru_month | from_month | service_category | service_category_2 | roster_network_id | is_denied | destination | claim_lines | services | paid_amount
    m1        | 2021-01-01 | 2020-12-01 | professional     | lab                | A                 | false     | x           | 1           | 1        | 33.33
    m1        | 2021-01-01 | 2020-12-01 | professional     | lab                | ''                | false     | y           | 1           | 1        | 0.01
    m1        | 2021-01-01 | 2020-12-01 | professional     | other              | A                 | false     | x           | 2           | 2        | 66.66
    m1        | 2021-01-01 | 2020-12-01 | professional     | other              | A                 | true      | x           | 2           | 2        | 50.00
    m1        | 2021-02-01 | 2021-02-01 | professional     | lab                | B                 | false     | x           | 1           | 1        | 7.00
    m1        | 2021-03-01 | 2021-03-01 | professional     | lab                | A                 | false     | x           | 1           | 1        | 8.00
    m1        | 2021-01-01 | 2021-01-01 | dme              | dme                | A                 | false     | x           | 1           | 1        | 9.00
    m2        | 2021-01-01 | 2021-01-01 | professional     | lab                | B                 | false     | x           | 1           | 1        | 5.00
"""
CATEGORIES = """
    policy | performance_year | network_id | service_category | in_total | member_months | counted_amount
    p      | 2021             | A          | professional     | true     | 24            | 97.00
    p      | 2021             | A          | pharmacy         | false    | 24            | 0.00
    p      | 2021             | B          | professional     | true     | 12            | 5.00
    q      | 2021             | A          | professional     | true     | 24            | 999.00
"""


def built(spark, policy, rows=ROWS, truncated="policy", categories=CATEGORIES):
    return network_pmpm_by_subcategory(
        frame(spark, NETWORK_PMPM_BY_CATEGORY, categories),
        frame(spark, CLAIM_COSTS, COSTS),
        frame(spark, MEMBER_MONTH_COSTS, rows),
        frame(spark, TRUNCATED_COSTS, truncated),
        policies=[policy],
        performance_years=[2021],
    )


def test_the_policys_dollars_of_a_month_are_shared_by_what_each_line_cost_and_the_rest_stands_with_the_most(spark):
    """Of m1's January 110 less 20 are counted for 100 that were paid: 33.33, 0.01 and 66.66 become 30.00, 0.01, 59.99."""
    truncated = """
        policy | performance_year | member_id | member_month | service_category | network_id | counted_amount
        p      | 2021             | m1        | 2021-01-01   | professional     | A          | -20.00
    """
    assert_table(
        built(spark, Policy("p"), truncated=truncated),
        NETWORK_PMPM_BY_SUBCATEGORY,
        spark,
        """
        network_id | service_category | service_category_2 | in_total | member_months | claim_lines | services | paid_amount | counted_amount | services_per_1000 | pmpm
        A          | professional     | lab                | true     | 24            | 3           | 3        | 40.34       | 37.01          | 1500.0            | 1.5420833333333333
        A          | professional     | other              | true     | 24            | 2           | 2        | 66.66       | 59.99          | 1000.0            | 2.4995833333333333
        B          | professional     | lab                | true     | 12            | 1           | 1        | 5.00        | 5.00           | 1000.0            | 0.4166666666666667
        """,
    )


def test_what_was_paid_to_others_stands_under_no_second_level_of_a_policy_that_counts_the_networks_own(spark):
    rows = (
        ROWS.replace("100.00 ", "99.99  ")
        .replace("110.00", "99.99")
        .replace("| 1             | 7.00", "| 0             | 0.00")
    )
    assert_table(
        built(
            spark,
            Policy("p", cost=Cost(basis="reimbursed_to_network")),
            rows=rows,
            categories=CATEGORIES.replace("97.00", "99.99"),
        ),
        NETWORK_PMPM_BY_SUBCATEGORY,
        spark,
        """
        network_id | service_category_2 | claim_lines | paid_amount | counted_amount
        A          | lab                | 1           | 33.33       | 33.33
        A          | other              | 2           | 66.66       | 66.66
        B          | lab                | 1           | 5.00        | 5.00
        """,
    )
