"""What attribution reads instead of the claims."""

import pytest

from pmpm_spark.model import FINAL_CLAIM_LINES
from pmpm_spark.reference import PRIMARY_CARE_HCPCS
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES, primary_care_services
from tests.tables import assert_table, frame

CODES = "program | hcpcs | first_year | last_year\nplurality | 99213 | 2019 | 2023\nmssp | 99354 | 2019 | 2022"


@pytest.fixture
def services_are(spark):
    def check(lines, expected):
        built = primary_care_services(frame(spark, FINAL_CLAIM_LINES, lines), frame(spark, PRIMARY_CARE_HCPCS, CODES))
        assert_table(built, PRIMARY_CARE_SERVICES, spark, expected)

    return check


def test_undenied_professional_lines_with_a_code_of_any_set_add_up_by_day_provider_and_code(services_are):
    """Lines above zero give the amount; every line is a visit. What is not told is an empty text."""
    services_are(
        """
        claim_id | member_id | claim_type   | service_thru | hcpcs | billing_tin | rendering_npi | rendering_specialty | place_of_service | allowed_amount | is_denied
        c1       | m1        | professional | 2021-05-05   | 99213 | T1          | N1            | 08                  | 11               | 100.00         | false
        c2       | m1        | professional | 2021-05-05   | 99213 | T1          | N1            | 08                  | 11               | 50.00          | false
        c3       | m1        | professional | 2021-05-05   | 99213 | T1          | N1            | 08                  | 11               | -20.00         | false
        c4       | m1        | professional | 2021-05-06   | 99354 | -           | -             | -                   | -                | 0.00           | false
        c5       | m1        | professional | 2021-05-05   | 99213 | T1          | N1            | 08                  | 11               | 70.00          | true
        c6       | m1        | professional | 2021-05-05   | 80053 | T1          | N1            | 08                  | 11               | 70.00          | false
        c7       | m1        | dme          | 2021-05-05   | 99213 | T1          | N1            | 08                  | 11               | 70.00          | false
        """,
        """
        member_id | service_date | line_kind    | tin | npi | ccn | specialty | hcpcs | place_of_service | allowed_amount | visits
        m1        | 2021-05-05   | professional | T1  | N1  | ''  | 08        | 99213 | 11               | 150.00         | 3
        m1        | 2021-05-06   | professional | ''  | ''  | ''  | ''        | 99354 | ''               | 0.00           | 1
        """,
    )


def test_where_the_allowed_charge_is_not_told_it_is_what_plan_and_patient_paid(services_are):
    services_are(
        """
        claim_id | member_id | claim_type | bill_type | service_thru | hcpcs | paid_amount | patient_paid_amount | is_denied
        c1       | both      | outpatient | 131       | 2021-05-05   | 99213 | 80.00       | 20.00               | false
        c2       | plan      | outpatient | 131       | 2021-05-05   | 99213 | 80.00       | -                   | false
        """,
        "member_id | allowed_amount | told_amount\nboth | 100.00 | 0.00\nplan | 80.00 | 0.00",
    )


def test_what_lines_tell_of_their_allowed_amount_stands_beside_line_by_line(services_are):
    services_are(
        """
        claim_id | member_id | claim_type   | service_thru | hcpcs | billing_tin | allowed_amount | paid_amount | is_denied
        c1       | m1        | professional | 2021-05-05   | 99213 | T1          | 30.00          | 20.00       | false
        c2       | m1        | professional | 2021-05-05   | 99213 | T1          | -              | 20.00       | false
        c3       | m1        | professional | 2021-05-05   | 99213 | T1          | -5.00          | -4.00       | false
        """,
        "member_id | allowed_amount | told_amount | visits\nm1 | 50.00 | 30.00 | 3",
    )


def test_outpatient_lines_are_told_apart_by_bill_type_and_a_clinic_counts_whatever_its_code(services_are):
    services_are(
        """
        claim_id | member_id | claim_type | bill_type | revenue_code | service_thru | hcpcs | facility_ccn | paid_amount | is_denied
        c1       | fqhc      | outpatient | 771       | 0521         | 2021-05-05   | -     | C1           | 1.00        | false
        c2       | rhc       | outpatient | 0711      | 0521         | 2021-05-05   | 99213 | C1           | 1.00        | false
        c3       | cah       | outpatient | 851       | 0960         | 2021-05-05   | 99213 | C1           | 1.00        | false
        c4       | cah_other | outpatient | 851       | 0510         | 2021-05-05   | 99213 | C1           | 1.00        | false
        c5       | hospital  | outpatient | 131       | 0510         | 2021-05-05   | 99213 | C1           | 1.00        | false
        c6       | no_code   | outpatient | 131       | 0510         | 2021-05-05   | 80053 | C1           | 1.00        | false
        c7       | untold    | outpatient | -         | 0510         | 2021-05-05   | 99213 | C1           | 1.00        | false
        """,
        """
        member_id | line_kind        | ccn | hcpcs | visits
        fqhc      | clinic           | C1  | ''    | 0
        rhc       | clinic           | C1  | 99213 | 1
        cah       | cah              | C1  | 99213 | 1
        hospital  | other_outpatient | C1  | 99213 | 1
        """,
    )


def test_a_day_lies_in_a_stay_from_its_first_to_its_last_day(services_are):
    """Of two stays the longer holds its days after the shorter; a denied stay and an outpatient snf bill are none."""
    visits = "".join(
        f"\n{member}{day} | {member} | professional | - | 2021-05-{day} | 2021-05-{day} | 99213 | 1.00 | false"
        for member, days in {"in": ("09", "10", "15", "20", "21"), "snf": ("10", "21"), "denied": ("15",)}.items()
        for day in days
    )
    services_are(
        """
        claim_id | member_id | claim_type   | bill_type | service_from | service_thru | hcpcs | allowed_amount | is_denied
        s1       | in        | inpatient    | 111       | 2021-05-10   | 2021-05-20   | -     | -              | false
        s2       | in        | inpatient    | 111       | 2021-05-12   | 2021-05-13   | -     | -              | false
        s3       | snf       | snf          | 211       | 2021-05-10   | 2021-05-20   | -     | -              | false
        s4       | snf       | snf          | 221       | 2021-05-21   | 2021-05-25   | -     | -              | false
        s5       | denied    | inpatient    | 111       | 2021-05-10   | 2021-05-20   | -     | -              | true"""
        + visits,
        """
        member_id | service_date | in_inpatient | in_snf
        in        | 2021-05-09   | false        | false
        in        | 2021-05-10   | true         | false
        in        | 2021-05-15   | true         | false
        in        | 2021-05-20   | true         | false
        in        | 2021-05-21   | false        | false
        snf       | 2021-05-10   | false        | true
        snf       | 2021-05-21   | false        | false
        denied    | 2021-05-15   | false        | false
        """,
    )


def test_a_prolonged_service_has_its_base_code_where_another_of_the_set_stands_on_its_claim_and_day(services_are):
    services_are(
        """
        claim_id | line_number | member_id | claim_type   | service_thru | hcpcs | allowed_amount | is_denied
        c1       | 1           | with      | professional | 2021-05-05   | 99354 | 1.00           | false
        c1       | 2           | with      | professional | 2021-05-05   | 99213 | 1.00           | false
        c2       | 1           | alone     | professional | 2021-05-05   | 99354 | 1.00           | false
        c3       | 1           | alone     | professional | 2021-05-05   | 99213 | 1.00           | false
        c4       | 1           | day       | professional | 2021-05-05   | 99354 | 1.00           | false
        c4       | 2           | day       | professional | 2021-05-06   | 99213 | 1.00           | false
        """,
        """
        member_id | service_date | hcpcs | has_base_code
        with      | 2021-05-05   | 99354 | true
        with      | 2021-05-05   | 99213 | true
        alone     | 2021-05-05   | 99354 | false
        alone     | 2021-05-05   | 99213 | true
        day       | 2021-05-05   | 99354 | false
        day       | 2021-05-06   | 99213 | true
        """,
    )
