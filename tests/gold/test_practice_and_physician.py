"""Practices and physicians stand inside their network, and add up to it."""

from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.physician_pmpm import PHYSICIAN_PMPM, physician_pmpm
from pmpm_spark.gold.practice_pmpm import PRACTICE_PMPM, practice_pmpm
from pmpm_spark.model import PROVIDERS
from pmpm_spark.policy import Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from tests.tables import assert_table, frame

YEARS = """
    policy | performance_year | member_id | enrollment_type | network_id | practice_tin | physician_npi | member_months | paid_amount | in_network_paid_amount | counted_amount | risk_score
    p      | 2021             | m1        | ESRD            | A          | T1           | N1            | 10            | 100.00      | 40.00                  | 100.00         | 2.000000
    p      | 2021             | m2        | DISABLED        | A          | T1           | N2            | 5             | 100.00      | 0.00                   | 50.00          | 4.000000
    p      | 2021             | m3        | ESRD            | A          | T2           | N1            | 10            | 200.00      | 7.00                   | 200.00         | -
    p      | 2021             | m4        | ESRD            | B          | T1           | N1            | 1             | 9.00        | 9.00                   | 9.00           | -
    p      | 2021             | m5        | ESRD            | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED | 2           | 8.00        | 0.00                   | 8.00           | -
    q      | 2021             | m1        | ESRD            | A          | T1           | N1            | 12            | 100.00      | 40.00                  | 100.00         | 2.000000
"""
FACTORS = "performance_year | normalization_factor\n2021 | 2.0"


def test_a_physician_has_a_row_in_each_network_that_its_members_are_in_named_where_the_directory_has_it(spark):
    built = physician_pmpm(
        frame(spark, MEMBER_YEARS, YEARS),
        frame(spark, PROVIDERS, "npi | name\nN1 | Ada Lovelace\nN3 | Nobody's"),
        frame(spark, NORMALIZATION_FACTORS, FACTORS),
        frame(spark, RISK_MEANS, "source"),
        frame(spark, NETWORK_PMPM, "policy"),
        policies=[Policy("p")],
        performance_years=[2021],
    )
    assert_table(
        built,
        PHYSICIAN_PMPM,
        spark,
        """
        policy | network_id   | physician_npi | physician_name | members | member_months | paid_amount | in_network_paid_amount | counted_amount | pmpm | scored_members | risk_score | normalized_risk_score | adjusted_amount | adjusted_pmpm | is_small_cell
        p      | A            | N1            | Ada Lovelace   | 2       | 20            | 300.00      | 47.00                  | 300.00         | 15.0 | 1              | 2.0        | 1.0                   | 300.00          | 15.0          | true
        p      | A            | N2            | -              | 1       | 5             | 100.00      | 0.00                   | 50.00          | 10.0 | 1              | 4.0        | 2.0                   | 25.00           | 5.0           | true
        p      | B            | N1            | Ada Lovelace   | 1       | 1             | 9.00        | 9.00                   | 9.00           | 9.0  | 0              | -          | -                     | -               | -             | true
        p      | UNATTRIBUTED | UNATTRIBUTED  | -              | 1       | 2             | 8.00        | 0.00                   | 8.00           | 4.0  | 0              | -          | -                     | -               | -             | true
        """,
    )


def test_a_practice_has_a_row_in_each_network_that_its_members_are_in(spark):
    built = practice_pmpm(
        frame(spark, MEMBER_YEARS, YEARS),
        frame(spark, NORMALIZATION_FACTORS, FACTORS),
        frame(spark, RISK_MEANS, "source"),
        frame(spark, NETWORK_PMPM, "policy"),
        policies=[Policy("p")],
        performance_years=[2021],
    )
    assert_table(
        built,
        PRACTICE_PMPM,
        spark,
        """
        policy | network_id   | practice_tin | members | member_months | paid_amount | counted_amount | pmpm | risk_score | adjusted_amount | adjusted_pmpm
        p      | A            | T1           | 2       | 15            | 200.00      | 150.00         | 10.0 | 3.0        | 100.00          | 6.666666666666667
        p      | A            | T2           | 1       | 10            | 200.00      | 200.00         | 20.0 | -          | -               | -
        p      | B            | T1           | 1       | 1             | 9.00        | 9.00           | 9.0  | -          | -               | -
        p      | UNATTRIBUTED | UNATTRIBUTED | 1       | 2             | 8.00        | 8.00           | 4.0  | -          | -               | -
        """,
    )
