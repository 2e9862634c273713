"""PMPM by network and month."""

import pytest

from pmpm_spark.gold.network_pmpm_by_month import NETWORK_PMPM_BY_MONTH, network_pmpm_by_month
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
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
        frame(spark, COMPLETION_FACTORS, "method"),
        policies=[Policy("p")],
        performance_years=[2021, 2022],
    )
    assert_table(
        built,
        NETWORK_PMPM_BY_MONTH,
        spark,
        """
        policy | network_id   | member_month | performance_year | members | member_months | paid_amount | counted_amount | pmpm | runout_months | completed_amount | completed_pmpm | completed_pmpm_low
        p      | A            | 2021-12-01   | 2021             | 2       | 1.5           | 30.00       | 33.00          | 22.0 | -             | 33.00            | 22.0           | -
        p      | UNATTRIBUTED | 2021-12-01   | 2021             | 1       | 1             | 0.00        | 0.00           | 0.0  | -             | 0.00             | 0.0            | -
        p      | B            | 2022-01-01   | 2022             | 1       | 1             | 0.00        | 0.00           | 0.0  | -             | 0.00             | 0.0            | -
        """,
    )


def test_what_is_still_to_be_paid_is_added_by_category_with_a_band_that_is_wide_for_few_dollars(spark):
    """January: 50 / 0.5 + 80 / 0.8 = 200. Squared error of professional: 100 x 100 / 0.5 + 100 x 100 x 0.01 = 20,100,
    so 95% are 200 +- 1.959964 x 141.774. December has no factor: it is complete. Policy q has completed already: of its
    100 dollars 50 were paid; r completes by factors that tell no error."""
    member = "member_id | member_month | performance_year"
    by_chain, supplied = Cost(completion="chain_ladder"), Cost(completion="supplied")
    rows = network_pmpm_by_month(
        frame(
            spark,
            MEMBER_MONTHS,
            f"""
            policy | {member}                  | exposure | is_eligible
            p      | m1 | 2021-12-01 | 2021    | 1        | true
            p      | m1 | 2022-01-01 | 2022    | 1        | true
            p      | m2 | 2022-01-01 | 2022    | 1        | true
            q      | m1 | 2022-01-01 | 2022    | 1        | true
            r      | m1 | 2022-01-01 | 2022    | 1        | true
            """,
        ),
        frame(
            spark,
            MEMBER_MONTH_COSTS,
            f"""
            policy | {member}               | network_id | service_category | in_total | counted_paid_amount | counted_amount
            p      | m1 | 2021-12-01 | 2021 | A          | inpatient        | true     | 7.00                | 7.00
            p      | m1 | 2022-01-01 | 2022 | A          | professional     | true     | 30.00               | 30.00
            p      | m2 | 2022-01-01 | 2022 | A          | professional     | true     | 20.00               | 20.00
            p      | m2 | 2022-01-01 | 2022 | A          | inpatient        | true     | 80.00               | 80.00
            q      | m1 | 2022-01-01 | 2022 | A          | professional     | true     | 50.00               | 100.00
            r      | m1 | 2022-01-01 | 2022 | A          | professional     | true     | 50.00               | 90.00
            """,
        ),
        frame(spark, TRUNCATED_COSTS, "policy"),
        frame(
            spark,
            ATTRIBUTION,
            """
            policy | member_id | performance_year | network_id
            p      | m1        | 2021             | A
            p      | m1        | 2022             | A
            p      | m2        | 2022             | A
            q      | m1        | 2022             | A
            r      | m1        | 2022             | A
            """,
        ),
        frame(
            spark,
            COMPLETION_FACTORS,
            """
            method       | claim_month | service_category | incurred_month | runout_months | completion_factor | process_variance | estimate_variance
            chain_ladder | thru        | professional     | 2022-01-01     | 1             | 0.5               | 100              | 0.01
            chain_ladder | thru        | inpatient        | 2022-01-01     | 1             | 0.8               | 0                | 0
            chain_ladder | from        | professional     | 2022-01-01     | 1             | 0.1               | 9                | 9
            supplied     | thru        | professional     | 2022-01-01     | 1             | 0.9               | -                | -
            """,
        ),
        policies=[Policy("p"), Policy("q", cost=by_chain), Policy("r", cost=supplied)],
        performance_years=[2021, 2022],
    ).collect()
    found = {(row.policy, row.member_month.month): row for row in rows}
    assert {at: (row.runout_months, row.completed_amount, row.completed_pmpm) for at, row in found.items()} == {
        ("p", 12): (2, 7, 7.0),
        ("p", 1): (1, 200, 100.0),
        ("q", 1): (1, 100, 100.0),
        ("r", 1): (1, 90, 90.0),
    }
    bands = {at: (row.completed_pmpm_low, row.completed_pmpm_high) for at, row in found.items()}
    half = 1.959964 * 20_100**0.5
    assert bands["p", 1] == (0.0, pytest.approx((200 + half) / 2))
    assert bands["q", 1] == (0.0, pytest.approx(100 + half))
    assert (bands["p", 12], bands["r", 1]) == ((7.0, 7.0), (None, None))
