"""From which month to which the source tells enrollment."""

from datetime import date

import pytest

from pmpm_spark.model import COVERAGE_RECORDS
from pmpm_spark.silver.told_months import TOLD_MONTHS, told_months
from tests.tables import assert_table, frame

RECORDS = """
    member_id | coverage_start | coverage_end
    m1        | 2020-02-15     | 2020-12-31
    m2        | 2020-03-01     | 2021-10-04
    m3        | 2021-01-01     | 9999-12-31
"""


@pytest.mark.parametrize(
    ("records", "last_told_day", "expected"),
    [
        pytest.param(RECORDS, None, "2020-02-01 | 2021-10-01", id="open coverage tells nothing of the last month"),
        pytest.param(
            RECORDS + "m4 | 2021-11-30 | 9999-12-31",
            None,
            "2020-02-01 | 2021-11-01",
            id="but its first day tells that month",
        ),
        pytest.param(RECORDS, date(2021, 6, 30), "2020-02-01 | 2021-06-01", id="the setting decides, earlier"),
        pytest.param(RECORDS, date(2022, 1, 1), "2020-02-01 | 2022-01-01", id="or later"),
        pytest.param("member_id", None, "", id="no enrollment tells no month"),
    ],
)
def test_told_months_reach_from_the_first_covered_day_to_the_last_or_to_the_setting(
    spark, records, last_told_day, expected
):
    built = told_months(frame(spark, COVERAGE_RECORDS, records), last_told_day=last_told_day)
    assert_table(built, TOLD_MONTHS, spark, f"first_month | last_month\n{expected}")
