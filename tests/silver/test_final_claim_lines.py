"""What stands after cancels, and where each dollar belongs."""

import pytest

from pmpm_spark.model import CLAIM_LINES, FINAL_CLAIM_LINES
from pmpm_spark.model.claim_lines import CLAIM_TYPES
from pmpm_spark.reference import SERVICE_CATEGORIES, reference_rows
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.removed_claims import REMOVED_CLAIMS, removed_claims
from tests.tables import assert_table, frame


@pytest.fixture
def final_are(spark):
    def check(lines, expected):
        every = frame(spark, CLAIM_LINES, lines)
        rules = reference_rows(SERVICE_CATEGORIES)
        built = final_claim_lines(every, removed_claims(every), service_categories=rules)
        assert_table(built, FINAL_CLAIM_LINES, spark, expected)

    return check


def test_a_cancel_removes_the_claim_that_it_names_in_its_group_and_itself(final_are):
    """A replacement stands; a claim of the same id in another group is not the one that was cancelled."""
    final_are(
        """
        claim_id | line_number | claim_group | claim_type   | adjustment  | cancels_claim_id | paid_amount
        c1       | 1           | g1          | professional | original    | -                | 100.00
        c1       | 2           | g1          | professional | original    | -                | 50.00
        c2       | 1           | g1          | professional | cancel      | c1               | -100.00
        c2       | 2           | g1          | professional | cancel      | c1               | -50.00
        c3       | 1           | g1          | professional | replacement | -                | 90.00
        c4       | 1           | g2          | professional | original    | -                | 7.00
        c5       | 1           | g3          | professional | cancel      | c4               | -7.00
        c6       | 1           | -           | professional | original    | -                | 8.00
        """,
        """
        claim_id | line_number | paid_amount
        c3       | 1           | 90.00
        c4       | 1           | 7.00
        c6       | 1           | 8.00
        """,
    )


def test_what_is_removed_stands_once_with_the_group_of_what_removes_it(spark):
    lines = """
        claim_id | line_number | claim_group | adjustment  | cancels_claim_id
        c1       | 1           | g1          | original    | -
        c2       | 1           | g1          | cancel      | c1
        c2       | 2           | g1          | cancel      | c1
        c3       | 1           | g1          | replacement | c2
        d2       | 1           | -           | replacement | d1
    """
    expected = """
        claim_id | claim_group
        c1       | g1
        c2       | g1
        d1       | ''
    """
    assert_table(removed_claims(frame(spark, CLAIM_LINES, lines)), REMOVED_CLAIMS, spark, expected)


def test_where_no_group_is_told_the_id_alone_says_what_is_removed(final_are):
    """A chain: c2 cancels c1, c3 stands for it, c4 replaces c3; d2 tells a group and d1, which it removes, none."""
    final_are(
        """
        claim_id | line_number | claim_group | claim_type   | adjustment  | cancels_claim_id | paid_amount
        c1       | 1           | -           | professional | original    | -                | 100.00
        c2       | 1           | -           | professional | cancel      | c1               | 100.00
        c3       | 1           | -           | professional | replacement | c1               | 70.00
        c4       | 1           | -           | professional | replacement | c3               | 60.00
        d1       | 1           | -           | professional | original    | -                | 5.00
        d2       | 1           | g1          | professional | replacement | d1               | 4.00
        """,
        """
        claim_id | line_number | paid_amount
        c4       | 1           | 60.00
        d2       | 1           | 4.00
        """,
    )


def test_each_claim_type_has_its_category_and_one_without_is_other(final_are):
    lines = "claim_id | line_number | claim_type | adjustment | hcpcs\n"
    # an emergency code on anything but an outpatient claim changes nothing of the first level
    kinds = [kind for kind in (*CLAIM_TYPES, "dental") if kind != "outpatient"]
    lines += "\n".join(f"{kind} | 1 | {kind} | original | 99283" for kind in kinds)
    final_are(
        lines,
        """
        claim_id     | service_category | service_category_2
        inpatient    | inpatient        | acute inpatient
        professional | professional     | emergency department
        snf          | skilled_nursing  | skilled nursing
        home_health  | home_health      | home health
        hospice      | hospice          | outpatient hospice
        dme          | dme              | durable medical equipment
        pharmacy     | pharmacy         | pharmacy
        dental       | other            | other
        """,
    )


def test_an_outpatient_claim_is_emergency_on_all_lines_if_one_has_an_emergency_revenue_code_or_hcpcs(final_are):
    cases = """
        revenue first | 0450 | -     | emergency
        revenue last  | 0459 | -     | emergency
        professional  | 0981 | -     | emergency
        after         | 0460 | -     | outpatient
        before        | 0449 | -     | outpatient
        visit first   | 0510 | 99281 | emergency
        visit last    | 0510 | 99285 | emergency
        after visit   | 0510 | 99286 | outpatient
        type b first  | -    | G0380 | emergency
        type b last   | -    | G0384 | emergency
        after type b  | -    | G0385 | outpatient
        no code       | -    | -     | outpatient
    """
    rows = [[cell.strip() for cell in line.split("|")] for line in cases.strip().splitlines()]
    lines = "claim_id | line_number | claim_type | adjustment | revenue_code | hcpcs"
    for name, revenue, hcpcs, _ in rows:
        lines += f"\n{name} | 1 | outpatient | original | 0300 | 80053"
        lines += f"\n{name} | 2 | outpatient | original | {revenue} | {hcpcs}"
    expected = "claim_id | line_number | service_category"
    for name, *_, category in rows:
        expected += f"\n{name} | 1 | {category}\n{name} | 2 | {category}"
    final_are(lines, expected)


def test_denied_lines_and_negative_amounts_are_kept_with_their_category(final_are):
    final_are(
        """
        claim_id | line_number | claim_type | adjustment | is_denied | paid_amount
        c1       | 1           | dme        | original   | true      | 5.00
        c2       | 1           | dme        | original   | false     | -5.00
        """,
        """
        claim_id | is_denied | paid_amount | service_category
        c1       | true      | 5.00        | dme
        c2       | false     | -5.00       | dme
        """,
    )
