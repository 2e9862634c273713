"""PMPM by network and month."""

from pmpm_spark.gold.network_pmpm_by_month import NETWORK_PMPM_BY_MONTH, network_pmpm_by_month
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from tests.tables import assert_table, frame


def test_each_month_has_its_eligible_members_and_their_counted_dollars_in_total_by_the_years_network(spark):
    """A month whose members cost nothing has a row; a month without an eligible member has none. What the truncation
    takes is taken here, too."""
    built = network_pmpm_by_month(
        frame(
            spark,
            MEMBER_MONTHS,
            """
            policy | member_id | member_month | performance_year | exposure | is_eligible
            p      | m1        | 2021-12-01   | 2021             | 1        | true
            p      | m2        | 2021-12-01   | 2021             | 0.5      | true
            p      | m3        | 2021-12-01   | 2021             | 1        | true
            p      | m1        | 2022-01-01   | 2022             | 1        | true
            p      | m2        | 2022-01-01   | 2022             | 1        | false
            p      | m1        | 2022-02-01   | 2022             | 1        | false
            q      | m1        | 2021-12-01   | 2021             | 1        | true
            """,
        ),
        frame(
            spark,
            MEMBER_MONTH_COSTS,
            """
            policy | member_id | member_month | performance_year | network_id | exclusion_reason | in_total | counted_paid_amount | counted_amount
            p      | m1        | 2021-12-01   | 2021             | A          | -                | true     | 10.00               | 15.00
            p      | m1        | 2021-12-01   | 2021             | A          | -                | false    | 99.00               | 99.00
            p      | m2        | 2021-12-01   | 2021             | A          | -                | true     | 20.00               | 22.00
            p      | m2        | 2022-01-01   | 2022             | A          | DECEASED         | true     | 0.00                | 0.00
            """,
        ),
        frame(
            spark,
            TRUNCATED_COSTS,
            """
            policy | member_id | member_month | performance_year | network_id | counted_amount
            p      | m1        | 2021-12-01   | 2021             | A          | -4.00
            p      | m1        | 2021-12-01   | 2020             | A          | -99.00
            q      | m1        | 2021-12-01   | 2021             | A          | -99.00
            """,
        ),
        frame(
            spark,
            ATTRIBUTION,
            """
            policy | member_id | performance_year | network_id
            p      | m1        | 2021             | A
            p      | m2        | 2021             | A
            p      | m1        | 2022             | B
            """,
        ),
        policies=[Policy("p")],
        performance_years=[2021, 2022],
    )
    assert_table(
        built,
        NETWORK_PMPM_BY_MONTH,
        spark,
        """
        policy | network_id   | member_month | performance_year | members | member_months | paid_amount | counted_amount | pmpm
        p      | A            | 2021-12-01   | 2021             | 2       | 1.5           | 30.00       | 33.00          | 22.0
        p      | UNATTRIBUTED | 2021-12-01   | 2021             | 1       | 1             | 0.00        | 0.00           | 0.0
        p      | B            | 2022-01-01   | 2022             | 1       | 1             | 0.00        | 0.00           | 0.0
        """,
    )
