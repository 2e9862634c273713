"""Months in which another payer is primary, from enrollment or from claims."""

import pytest

from pmpm_spark.model import FINAL_CLAIM_LINES
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS, secondary_payer_months
from pmpm_spark.silver.told_months import TOLD_MONTHS
from tests.tables import assert_table, frame


@pytest.fixture
def months_are(spark):
    def check(expected, *, lines="member_id", spans="member_id"):
        built = secondary_payer_months(
            frame(spark, FINAL_CLAIM_LINES, lines),
            frame(spark, ELIGIBILITY_SPANS, spans),
            frame(spark, TOLD_MONTHS, "first_month | last_month\n2021-01-01 | 2021-06-01"),
        )
        assert_table(built, SECONDARY_PAYER_MONTHS, spark, f"member_id | member_month | basis\n{expected}")

    return check


def test_an_undenied_line_that_is_not_pharmacy_names_another_payer_in_the_month_of_its_last_day(months_are):
    months_are(
        """
        m1 | 2021-04-01 | claim
        m2 | 2021-04-01 | claim
        """,
        lines="""
        member_id | claim_type   | service_from | service_thru | primary_payer_code | is_denied
        m1        | inpatient    | 2021-03-31   | 2021-04-01   | A                  | false
        m1        | professional | 2021-04-30   | 2021-04-30   | B                  | false
        m2        | dme          | 2021-04-30   | 2021-04-30   | W                  | false
        denied    | professional | 2021-04-01   | 2021-04-01   | A                  | true
        drug      | pharmacy     | 2021-04-01   | 2021-04-01   | A                  | false
        """,
    )


def test_of_the_payer_codes_c_m_n_and_blank_leave_medicare_primary(months_are):
    codes = "ABCDEFGHILMNWZ"
    lines = "".join(f"\n{code} | outpatient | 2021-04-01 | {code} | false" for code in codes)
    heading = "member_id | claim_type | service_thru | primary_payer_code | is_denied"
    lines += "\nblank | outpatient | 2021-04-01 | - | false"
    expected = "\n".join(f"{code} | 2021-04-01 | claim" for code in codes if code not in "CMNZ")
    months_are(expected, lines=heading + lines)


def test_a_member_whose_enrollment_tells_the_payer_is_told_by_enrollment_alone_in_told_months(months_are):
    months_are(
        """
        tells  | 2021-01-01 | enrollment
        tells  | 2021-02-01 | enrollment
        opened | 2021-05-01 | enrollment
        opened | 2021-06-01 | enrollment
        untold | 2021-04-01 | claim
        """,
        spans="""
        member_id | span_start | span_end   | medicare_is_secondary
        tells     | 2020-11-01 | 2021-01-15 | true
        tells     | 2021-01-16 | 2021-02-01 | true
        tells     | 2021-02-02 | 2021-12-31 | false
        opened    | 2021-05-31 | 9999-12-31 | true
        never     | 2021-01-01 | 2021-12-31 | false
        untold    | 2021-01-01 | 2021-12-31 | -
        """,
        lines="""
        member_id | claim_type | service_thru | primary_payer_code | is_denied
        tells     | outpatient | 2021-04-01   | A                  | false
        never     | outpatient | 2021-04-01   | A                  | false
        untold    | outpatient | 2021-04-01   | A                  | false
        """,
    )
