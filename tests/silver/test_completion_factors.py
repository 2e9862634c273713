"""The triangle of payments, and what share of a month's cost is paid so far."""

from datetime import date
from decimal import Decimal

import pytest

from pmpm_spark.model import FINAL_CLAIM_LINES
from pmpm_spark.reference import COMPLETION_FACTORS_SUPPLIED
from pmpm_spark.silver.claim_lags import CLAIM_LAGS, claim_lags
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS, completion_factors
from pmpm_spark.table import conform
from tests.tables import assert_table, frame

TOY = [[600, 250, 70, 30, 20], [580, 260, 65, 28], [620, 240, 75], [610, 255], [640]]
"""Paid by month of service and months until payment (domain 5.5)."""

MACK = [
    [357848, 766940, 610542, 482940, 527326, 574398, 146342, 139950, 227229, 67948],
    [352118, 884021, 933894, 1183289, 445745, 320996, 527804, 266172, 425046],
    [290507, 1001799, 926219, 1016654, 750816, 146923, 495992, 280405],
    [310608, 1108250, 776189, 1562400, 272482, 352053, 206286],
    [443160, 693190, 991983, 769488, 504851, 470639],
    [396132, 937085, 847498, 805037, 705960],
    [440832, 847631, 1131398, 1063269],
    [359480, 1061648, 1443370],
    [376686, 986608],
    [344014],
]
"""Mack, ASTIN Bulletin 23/2 (1993), table 1 (of Taylor and Ashe), each year as a month."""
MACK_ERRORS = [75_535, 121_699, 133_549, 261_406, 411_010, 558_317, 875_328, 971_258, 1_363_155]
"""Standard errors of its years 2 to 10, table 3."""


def triangle(spark, rows, *, category="professional"):
    """Claim lags of a triangle whose first month of service is January 2021."""
    cells = [
        (category, month(i), month(i), month(i + lag), Decimal(paid))
        for i, paid_by_lag in enumerate(rows)
        for lag, paid in enumerate(paid_by_lag)
    ]
    return spark.createDataFrame(cells, CLAIM_LAGS.schema)


def month(number):
    return date(2021 + number // 12, number % 12 + 1, 1)


def estimated(spark, lags):
    """Rows of the chain ladder by month of service, for claims in the month of their last day."""
    none = frame(spark, COMPLETION_FACTORS_SUPPLIED, "service_category")
    rows = conform(completion_factors(lags, none), COMPLETION_FACTORS).where("claim_month = 'thru'").collect()
    assert {row.method for row in rows} <= {"chain_ladder"}
    return {row.incurred_month: row for row in rows}


def test_the_published_toy_triangle_gives_its_factors_and_its_outstanding_claims_of_585_08(spark):
    found = estimated(spark, triangle(spark, TOY))
    rows = [found[month(i)] for i in reversed(range(5))]  # by run-out: 0 for May, 4 for January
    assert [row.runout_months for row in rows] == [0, 1, 2, 3, 4]
    assert [round(row.age_to_age, 6) for row in rows[:4]] == [1.417012, 1.082353, 1.031781, 1.021053]
    assert [row.months_of_service for row in rows] == [4, 3, 2, 1, None]
    assert rows[4].age_to_age is None
    assert [round(row.completion_factor, 6) for row in rows] == [0.618902, 0.876992, 0.949215, 0.979381, 1]
    ultimates = [float(row.paid_amount) / row.completion_factor for row in rows]
    assert [round(ultimate, 2) for ultimate in ultimates] == [1034.09, 986.33, 985.02, 952.64, 970]
    assert round(sum(ultimates) - float(sum(row.paid_amount for row in rows)), 2) == 585.08
    assert {row.back_test_error for row in rows} == {None}  # nothing is known of 12 months of payment ago


def test_the_errors_that_mack_published_but_for_the_step_that_one_month_alone_has_taken(spark):
    """His spread of the last step is the least of three made of those before; here it is none, and added by hand."""
    found = estimated(spark, triangle(spark, MACK))
    sums = [[sum(row[: at + 1]) for at in range(len(row))] for row in MACK]

    def spread(step):
        both = [(row[step], row[step + 1]) for row in sums if len(row) > step + 1]
        grows = sum(after for _, after in both) / sum(before for before, _ in both)
        return sum(b * (after / b - grows) ** 2 for b, after in both) / (len(both) - 1)

    last = min(spread(7) ** 2 / spread(6), spread(6), spread(7)) / (sums[0][9] / sums[0][8]) ** 2
    errors = []
    for row in sorted(found.values(), key=lambda row: row.incurred_month)[1:]:
        completed = float(row.paid_amount) / row.completion_factor
        share = row.process_variance / float(row.paid_amount) + row.estimate_variance
        share += last * (1 / (completed * sums[0][8] / sums[0][9]) + 1 / sums[0][8])
        errors.append(completed * share**0.5)
    assert [round(error) for error in errors] == pytest.approx(MACK_ERRORS, abs=1)


def test_repaid_dollars_and_months_that_nothing_was_paid_for_make_no_share_above_one_and_no_nothing(spark):
    """100 of which 10 are repaid; another category has a month of 0, then 5."""
    repaid = triangle(spark, [[100, -10], [50]])
    assert estimated(spark, repaid)[month(1)].completion_factor == 1
    nothing = triangle(spark, [[0, 5], [7]])
    row = estimated(spark, nothing)[month(1)]
    assert (row.age_to_age, row.completion_factor) == (1, 1)


def test_a_payment_dated_before_its_service_is_of_the_same_month_and_old_months_have_no_row(spark):
    """A month is as good as paid after 36 months; its later payments are part of the last step."""
    lags = frame(
        spark,
        CLAIM_LAGS,
        """
        service_category | thru_month | from_month | paid_month | paid_amount
        dme              | 2021-02-01 | 2021-02-01 | 2021-01-01 | 100.00
        dme              | 2021-02-01 | 2021-02-01 | 2025-02-01 | 25.00
        dme              | 2025-02-01 | 2025-02-01 | 2025-02-01 | 40.00
        dme              | 2025-09-01 | 2025-09-01 | 2025-02-01 | 99.00
        """,
    )
    found = estimated(spark, lags)
    assert set(found) == {date(2025, 2, 1)}
    assert found[date(2025, 2, 1)].completion_factor == 0.8


def test_the_error_of_a_year_ago_compares_what_was_completed_then_with_what_is_known_now(spark):
    """Three months of service. A year ago January and February 2021 were known: 100 + 100 and 100, so a month of
    run-out 0 was completed to 200. Now February has 100 + 50 and all later steps are 1: 200 / 150 - 1."""
    paid = [[100, 100], [100, 50]]
    lags = triangle(spark, paid).unionByName(
        frame(
            spark,
            CLAIM_LAGS,
            """
            service_category | thru_month | from_month | paid_month | paid_amount
            professional     | 2022-02-01 | 2022-02-01 | 2022-02-01 | 30.00
            """,
        )
    )
    found = estimated(spark, lags)
    now = found[date(2022, 2, 1)]
    assert (now.runout_months, now.paid_amount, now.months_of_service) == (0, 30, 2)
    assert now.completion_factor == pytest.approx(200 / 350)
    assert now.back_test_error == pytest.approx(200 / 150 - 1)
    # January 2021 had run-out 1 a year ago, 13 now; no month has run-out 1 now
    assert {m: row.back_test_error for m, row in found.items() if m.year == 2021} == {month(0): None, month(1): None}


def test_supplied_factors_go_by_category_and_months_of_run_out_to_the_newest_month_of_payment(spark):
    lags = frame(
        spark,
        CLAIM_LAGS,
        """
        service_category | thru_month | from_month | paid_month | paid_amount
        inpatient        | 2021-03-01 | 2021-02-01 | 2021-04-01 | 10.00
        inpatient        | 2021-03-01 | 2021-02-01 | 2021-05-01 | 5.00
        inpatient        | 2021-05-01 | 2021-05-01 | 2021-05-01 | 1.00
        dme              | 2021-05-01 | 2021-05-01 | 2021-06-01 | 2.00
        """,
    )
    supplied = frame(
        spark,
        COMPLETION_FACTORS_SUPPLIED,
        """
        service_category | runout_months | completion_factor
        inpatient        | 3             | 0.9871668312
        inpatient        | 4             | 0.5
        inpatient        | 2             | 0.25
        """,
    )
    assert_table(
        completion_factors(lags, supplied).where("method = 'supplied'"),
        COMPLETION_FACTORS,
        spark,
        """
        claim_month | service_category | incurred_month | runout_months | completion_factor | paid_amount | age_to_age
        thru        | inpatient        | 2021-03-01     | 3             | 0.9871668312      | 15.00       | -
        from        | inpatient        | 2021-02-01     | 4             | 0.5               | 15.00       | -
        """,
    )


LINES = """
    claim_id | line_number | service_category | is_denied | service_from | service_thru | paid_on    | paid_amount
    c1       | 1           | inpatient        | false     | 2021-02-27   | 2021-03-02   | 2021-04-30 | 10.00
    c2       | 1           | inpatient        | false     | 2021-02-01   | 2021-03-31   | 2021-04-01 | 5.00
    c3       | 1           | inpatient        | false     | -            | 2021-03-31   | 2021-04-01 | 1.00
    c4       | 1           | inpatient        | true      | 2021-02-01   | 2021-03-31   | 2021-04-01 | 99.00
    c5       | 1           | inpatient        | false     | 2021-02-01   | 2021-03-31   | -          | 99.00
"""


def test_undenied_lines_that_tell_when_they_were_paid_add_up_by_months_of_service_and_of_payment(spark):
    lines = frame(spark, FINAL_CLAIM_LINES, LINES)
    assert_table(
        claim_lags(lines),
        CLAIM_LAGS,
        spark,
        """
        service_category | thru_month | from_month | paid_month | paid_amount
        inpatient        | 2021-03-01 | 2021-02-01 | 2021-04-01 | 15.00
        inpatient        | 2021-03-01 | 2021-03-01 | 2021-04-01 | 1.00
        """,
    )
