"""A member's year: eligible months and counted dollars, whose it is, how sick."""

import pytest

from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS, member_years
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from tests.tables import assert_table, frame


@pytest.fixture
def years_are(spark):
    def check(months, costs, expected, *, truncated="policy", whose="policy", scores="member_id"):
        built = member_years(
            frame(spark, MEMBER_MONTHS, months),
            frame(spark, MEMBER_MONTH_COSTS, costs),
            frame(spark, TRUNCATED_COSTS, truncated),
            frame(spark, ATTRIBUTION, whose),
            frame(spark, RISK_SCORES, scores),
            policies=[Policy("p")],
            performance_years=[2021],
        )
        assert_table(built, MEMBER_YEARS, spark, expected)

    return check


def test_eligible_months_add_up_by_enrollment_type_with_the_counted_dollars_in_total(years_are):
    """A member without claims is still exposure; pharmacy out of total and excluded months add nothing."""
    years_are(
        """
        policy | member_id | performance_year | enrollment_type | exposure | is_eligible
        p      | m1        | 2021             | AGED_DUAL       | 1        | true
        p      | m1        | 2021             | AGED_DUAL       | 0.709677 | true
        p      | m1        | 2021             | ESRD            | 1        | true
        p      | m1        | 2021             | ESRD            | 1        | false
        p      | healthy   | 2021             | ESRD            | 1        | true
        p      | never     | 2021             | ESRD            | 1        | false
        p      | m1        | 2020             | ESRD            | 1        | true
        q      | m1        | 2021             | ESRD            | 1        | true
        """,
        """
        policy | member_id | performance_year | enrollment_type | exclusion_reason | in_total | counted_paid_amount | counted_amount | in_network_paid_amount
        p      | m1        | 2021             | AGED_DUAL       | -                | true     | 10.00               | 11.00          | 3.00
        p      | m1        | 2021             | AGED_DUAL       | -                | true     | 20.00               | 22.00          | 4.00
        p      | m1        | 2021             | ESRD            | -                | true     | 40.00               | 44.00          | 0.00
        p      | m1        | 2021             | ESRD            | -                | false    | 80.00               | 88.00          | 0.00
        p      | m1        | 2021             | ESRD            | DECEASED         | true     | 0.00                | 0.00           | 9.00
        q      | m1        | 2021             | ESRD            | -                | true     | 99.00               | 99.00          | 0.00
        """,
        """
        policy | performance_year | member_id | enrollment_type | member_months | paid_amount | counted_amount | in_network_paid_amount
        p      | 2021             | m1        | AGED_DUAL       | 1.709677      | 30.00       | 33.00          | 7.00
        p      | 2021             | m1        | ESRD            | 1             | 40.00       | 41.00          | 0.00
        p      | 2021             | healthy   | ESRD            | 1             | 0.00        | 0.00           | 0.00
        """,
        truncated="""
        policy | performance_year | member_id | enrollment_type | counted_amount
        p      | 2021             | m1        | ESRD            | -1.00
        p      | 2021             | m1        | ESRD            | -2.00
        p      | 2020             | m1        | ESRD            | -99.00
        q      | 2021             | m1        | ESRD            | -99.00
        """,
    )


def test_the_years_network_and_score_go_with_the_member_and_who_has_none_is_unattributed_and_unscored(years_are):
    years_are(
        """
        policy | member_id | performance_year | enrollment_type | exposure | is_eligible
        p      | m1        | 2021             | AGED_DUAL       | 1        | true
        p      | m2        | 2021             | AGED_DUAL       | 1        | true
        """,
        "policy",
        """
        member_id | network_id   | practice_tin | physician_npi | risk_score
        m1        | A            | T1           | N1            | 1.500000
        m2        | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED  | -
        """,
        whose="""
        policy | performance_year | member_id | network_id | practice_tin | physician_npi
        p      | 2021             | m1        | A          | T1           | N1
        p      | 2020             | m2        | A          | T1           | N1
        q      | 2021             | m2        | A          | T1           | N1
        """,
        scores="""
        member_id | performance_year | origin   | risk_score
        m1        | 2021             | supplied | 1.500000
        m1        | 2021             | computed | 7.000000
        m1        | 2020             | supplied | 9.000000
        m2        | 2022             | supplied | 9.000000
        """,
    )
