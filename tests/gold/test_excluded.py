"""Every month and dollar that does not count stands under its first reason."""

from pmpm_spark.gold.excluded import EXCLUDED, excluded
from pmpm_spark.policy import Policy
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from tests.tables import assert_table, frame


def excluded_is(spark, months, costs, expected, *, truncated="policy"):
    built = excluded(
        frame(spark, MEMBER_MONTHS, months),
        frame(spark, MEMBER_MONTH_COSTS, costs),
        frame(spark, TRUNCATED_COSTS, truncated),
        policies=[Policy("p")],
        performance_years=[2021],
    )
    assert_table(built, EXCLUDED, spark, expected)


def test_a_month_is_excluded_once_under_its_first_reason(spark):
    excluded_is(
        spark,
        """
        policy | performance_year | exposure | is_eligible | ineligible_reasons
        p      | 2021             | 1        | true        | []
        p      | 2021             | 1        | false       | NOT_ENROLLED;NOT_IN_PART_A_AND_B
        p      | 2021             | 1        | false       | NOT_IN_PART_A_AND_B;MEDICARE_SECONDARY
        p      | 2021             | 0.25     | false       | NOT_IN_PART_A_AND_B
        p      | 2022             | 1        | false       | DECEASED
        q      | 2021             | 1        | false       | DECEASED
        """,
        "policy",
        """
        policy | performance_year | kind  | reason              | member_months | claim_lines | paid_amount
        p      | 2021             | month | NOT_ENROLLED        | 1             | -           | -
        p      | 2021             | month | NOT_IN_PART_A_AND_B | 1.25          | -           | -
        """,
    )


def test_a_dollar_is_excluded_as_pharmacy_then_denied_then_by_its_month_then_out_of_network(spark):
    excluded_is(
        spark,
        "policy",
        """
        policy | performance_year | service_category | in_total | exclusion_reason | claim_lines | paid_amount | denied_lines | denied_paid_amount | counted_lines | counted_paid_amount | counted_amount
        p      | 2021             | pharmacy         | false    | DECEASED         | 1           | 1.00        | 1            | 2.00               | 0             | 0.00                | 0.00
        p      | 2021             | pharmacy         | false    | -                | 1           | 4.00        | 0            | 0.00               | 1             | 4.00                | 4.00
        p      | 2021             | professional     | true     | DECEASED         | 2           | 8.00        | 3            | 16.00              | 0             | 0.00                | 0.00
        p      | 2021             | professional     | true     | -                | 5           | 96.00       | 1            | 128.00             | 3             | 64.00               | 64.00
        p      | 2021             | inpatient        | true     | -                | 1           | 256.00      | 0            | 0.00               | 1             | 256.00              | 256.00
        """,
        """
        kind   | reason         | member_months | claim_lines | paid_amount
        dollar | PHARMACY       | -             | 3           | 7.00
        dollar | DENIED         | -             | 4           | 144.00
        dollar | DECEASED       | -             | 2           | 8.00
        dollar | OUT_OF_NETWORK | -             | 2           | 32.00
        """,
    )


def test_each_step_tells_its_effect_on_what_counts_in_total(spark):
    """What the truncation changes of a later step is part of that step. A step without an effect has no row."""
    excluded_is(
        spark,
        "policy",
        """
        policy | performance_year | service_category | in_total | exclusion_reason | claim_lines | paid_amount | denied_lines | denied_paid_amount | counted_lines | counted_paid_amount | allowed_effect | ime_dsh_uncompensated_effect | pass_through_effect | sequestration_effect | completion_effect
        p      | 2021             | inpatient        | true     | -                | 1           | 80.00       | 0            | 0.00               | 1             | 80.00               | 20.00          | -3.00                        | -0.50               | 0.00                 | 4.00
        p      | 2021             | dme              | true     | -                | 1           | 8.00        | 0            | 0.00               | 1             | 8.00                | -1.00          | 0.00                         | 0.00                | 0.00                 | 1.00
        p      | 2021             | pharmacy         | false    | -                | 0           | 0.00        | 0            | 0.00               | 0             | 0.00                | 5.00           | 0.00                         | 0.00                | 0.00                 | 7.00
        """,
        """
        kind   | reason                | member_months | claim_lines | paid_amount
        step   | ALLOWED               | -             | -           | 19.00
        step   | PASS_THROUGH          | -             | -           | -0.50
        step   | IME_DSH_UNCOMPENSATED | -             | -           | -3.00
        step   | COMPLETION            | -             | -           | 2.00
        step   | TRUNCATED             | -             | -           | -60.00
        dollar | PHARMACY              | -             | 0           | 0.00
        """,
        truncated="""
        policy | performance_year | truncated_effect | sequestration_effect | completion_effect
        p      | 2021             | -40.00           | 0.00                 | -2.00
        p      | 2021             | -20.00           | 0.00                 | -1.00
        q      | 2021             | -99.00           | 0.00                 | -99.00
        """,
    )
