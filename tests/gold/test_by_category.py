"""Lines, services and PMPM by network and service category."""

from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY, network_pmpm_by_category
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from tests.tables import assert_table, frame

NETWORKS = """
    policy | performance_year | network_id | member_months
    p      | 2021             | A          | 24
    p      | 2021             | B          | 12
"""
TRUNCATED = """
    policy | performance_year | network_id | member_month | service_category | counted_amount
    p      | 2021             | A          | 2021-01-01   | inpatient        | -8.00
    q      | 2021             | A          | 2021-01-01   | inpatient        | -99.00
"""
COSTS = """
    policy | performance_year | network_id | member_month | service_category | in_total | exclusion_reason | counted_lines | counted_services | counted_paid_amount | counted_amount
    p      | 2021             | A          | 2021-01-01   | inpatient        | true     | -                | 3             | 1                | 200.00              | 248.00
    p      | 2021             | A          | 2021-02-01   | inpatient        | true     | -                | 1             | 0                | 40.00               | 48.00
    p      | 2021             | A          | 2021-02-01   | dme              | true     | -                | 0             | 0                | 0.00                | 0.00
    p      | 2021             | A          | 2021-02-01   | hospice          | true     | DECEASED         | 0             | 0                | 0.00                | 0.00
    p      | 2021             | A          | 2021-01-01   | pharmacy         | {0}    | -                | 6             | 6                | 12.00               | 12.00
"""


def test_rates_are_over_the_networks_months_and_pharmacy_always_has_a_row_outside_the_total(spark):
    """1 stay in 24 months is 500 a 1,000 years; a category of which nothing counts has no row."""
    built = network_pmpm_by_category(
        frame(spark, NETWORK_PMPM, NETWORKS),
        frame(spark, MEMBER_MONTH_COSTS, COSTS.format("false")),
        frame(spark, TRUNCATED_COSTS, TRUNCATED),
        policies=[Policy("p")],
        performance_years=[2021],
    )
    assert_table(
        built,
        NETWORK_PMPM_BY_CATEGORY,
        spark,
        """
        network_id | service_category | in_total | member_months | claim_lines | services | paid_amount | counted_amount | pmpm | lines_per_1000 | services_per_1000
        A          | inpatient        | true     | 24            | 4           | 1        | 240.00      | 288.00         | 12.0 | 2000.0         | 500.0
        A          | pharmacy         | false    | 24            | 6           | 6        | 12.00       | 12.00          | 0.5  | 3000.0         | 3000.0
        B          | pharmacy         | false    | 12            | 0           | 0        | 0.00        | 0.00           | 0.0  | 0.0            | 0.0
        """,
    )


def test_pharmacy_is_in_the_total_of_a_policy_that_includes_it(spark):
    built = network_pmpm_by_category(
        frame(spark, NETWORK_PMPM, NETWORKS),
        frame(spark, MEMBER_MONTH_COSTS, COSTS.format("true")),
        frame(spark, TRUNCATED_COSTS, "policy"),
        policies=[Policy("p", cost=Cost(include_pharmacy=True))],
        performance_years=[2021],
    )
    assert_table(
        built.where("service_category = 'pharmacy'"),
        NETWORK_PMPM_BY_CATEGORY,
        spark,
        "network_id | in_total | claim_lines\nA | true | 6\nB | true | 0",
    )
