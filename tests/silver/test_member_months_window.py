"""The Part A and B window, the told months, and what a month says of its person."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from pmpm_spark.model import MEMBERS
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.reference import ALIGNMENT_PERIODS, reference_table
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import MEMBER_MONTHS, member_months
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.table import conform
from tests.tables import frame

NOT_BOTH = "NOT_IN_PART_A_AND_B"
NO_COVERAGE = f"NOT_ENROLLED {NOT_BOTH}"
ALL_COUNT, NONE_COUNTS = ["counts"] * 12, [NOT_BOTH] * 12


@pytest.fixture
def months(spark):
    def build(spans, *, members="", told="2018-01-01 | 2022-12-01", years=(2021,), policies=None, **rule):
        built = member_months(
            frame(spark, ELIGIBILITY_SPANS, spans),
            frame(spark, MEMBERS, f"member_id | birth_date | death_date\n{members}"),
            frame(spark, SECONDARY_PAYER_MONTHS, "member_id | member_month | basis"),
            frame(spark, TOLD_MONTHS, f"first_month | last_month\n{told}"),
            reference_table(spark, ALIGNMENT_PERIODS),
            policies=policies or [Policy("p", eligibility=Eligibility(**rule))],
            performance_years=years,
        )
        return conform(built, MEMBER_MONTHS).orderBy("policy", "member_id", "member_month").collect()

    return build


def year_of(rows) -> dict[str, list[str]]:
    fates = defaultdict(list)
    for row in rows:
        fates[row.member_id].append(" ".join(row.ineligible_reasons) or "counts")
    return dict(fates)


def a_only_in(month: str) -> str:
    """Rows of a member named as the month: Part A alone in it, both Parts in all other told months."""
    first = date.fromisoformat(f"{month}-01")
    next_first = (first + timedelta(days=31)).replace(day=1)
    one_day = timedelta(days=1)
    return f"""
        {month} | 2018-01-01 | {first - one_day} | true | true
        {month} | {first} | {next_first - one_day} | true | false
        {month} | {next_first} | 2022-12-31 | true | true"""


HEADING = "member_id | span_start | span_end | has_part_a | has_part_b"


def test_the_two_years_that_end_with_december_of_the_year_are_tested_and_nothing_beside_them(months):
    spans = HEADING + "".join(a_only_in(month) for month in ("2019-12", "2020-01", "2021-12", "2022-01"))
    assert year_of(months(spans)) == {
        "2019-12": ALL_COUNT,
        "2020-01": NONE_COUNTS,
        "2021-12": NONE_COUNTS,
        "2022-01": ALL_COUNT,
    }


def test_a_shorter_window_tests_fewer_months_and_a_longer_one_more(months):
    spans = HEADING + "".join(a_only_in(month) for month in ("2018-12", "2019-01", "2020-12", "2021-01"))
    policies = [Policy(f"{n}", eligibility=Eligibility(window_months=n)) for n in (12, 36)]
    fails = {(row.policy, row.member_id) for row in months(spans, policies=policies) if not row.is_eligible}
    assert fails == {("12", "2021-01"), ("36", "2019-01"), ("36", "2020-12"), ("36", "2021-01")}


def test_with_a_lag_the_window_ends_earlier_and_the_month_itself_must_be_in_both_too(months):
    """24 months, lag 6, for 2021: July 2019 to June 2021."""
    spans = HEADING + "".join(a_only_in(month) for month in ("2019-06", "2019-07", "2021-06", "2021-09"))
    assert year_of(months(spans, lag_months=6)) == {
        "2019-06": ALL_COUNT,
        "2019-07": NONE_COUNTS,
        "2021-06": NONE_COUNTS,
        "2021-09": ["counts"] * 8 + [NOT_BOTH] + ["counts"] * 3,
    }


def test_a_lag_may_put_the_whole_window_before_the_year(months):
    """12 months, lag 18, for 2021: July 2019 to June 2020."""
    spans = HEADING + "".join(a_only_in(month) for month in ("2019-06", "2019-07", "2020-06", "2020-07"))
    built = months(spans, window_months=12, lag_months=18)
    assert year_of(built) == {
        "2019-06": ALL_COUNT,
        "2019-07": NONE_COUNTS,
        "2020-06": NONE_COUNTS,
        "2020-07": ALL_COUNT,
    }


def test_current_month_tests_each_month_alone_and_none_tests_no_month(months):
    spans = HEADING + a_only_in("2020-12") + a_only_in("2021-03")
    by_month = {"2020-12": ALL_COUNT, "2021-03": ["counts"] * 2 + [NOT_BOTH] + ["counts"] * 9}
    assert year_of(months(spans, part_a_b="current_month")) == by_month
    assert year_of(months(spans, part_a_b="none")) == {"2020-12": ALL_COUNT, "2021-03": ALL_COUNT}


def test_one_part_alone_or_parts_that_are_not_told_are_not_both(months):
    built = months(
        f"""{HEADING}
        a_only | 2018-01-01 | 2022-12-31 | true  | false
        b_only | 2018-01-01 | 2022-12-31 | false | true
        untold | 2018-01-01 | 2022-12-31 | -     | -
        """
    )
    assert year_of(built) == {"a_only": NONE_COUNTS, "b_only": NONE_COUNTS, "untold": NONE_COUNTS}


def test_the_window_is_tested_up_to_the_month_of_death_and_months_before_entitlement_are_not_in_both(months):
    built = months(
        f"""{HEADING}
        dies     | 2018-01-01 | 2021-03-05 | true | true
        gap      | 2018-01-01 | 2021-02-28 | true | true
        newcomer | 2020-02-01 | 2022-12-31 | true | true
        """,
        members="""
        dies | 1940-01-01 | 2021-03-05
        gap  | 1940-01-01 | 2021-03-05
        """,
    )
    assert year_of(built) == {
        "dies": ["counts"] * 3 + ["DECEASED"] * 9,
        "gap": [NOT_BOTH] * 2 + [NO_COVERAGE] + ["DECEASED"] * 9,
        "newcomer": NONE_COUNTS,
    }


def test_months_that_the_source_does_not_tell_are_no_member_months_and_are_not_tested(months):
    """Told from July 2020 to September 2021: nine months in 2021, and a window of fifteen."""
    built = months(
        f"""{HEADING}
        told     | 2020-07-01 | 2021-09-30 | true | true
        one_late | 2020-08-01 | 2021-09-30 | true | true
        """,
        told="2020-07-01 | 2021-09-01",
    )
    assert year_of(built) == {"told": ["counts"] * 9, "one_late": [NOT_BOTH] * 9}


def test_open_coverage_reaches_to_the_last_told_month_and_days_outside_make_no_rows(months):
    built = months(
        f"""{HEADING}
        open  | 2018-01-01 | 9999-12-31 | true | true
        later | 2021-11-01 | 2021-12-31 | true | true
        """,
        told="2018-01-01 | 2021-10-01",
    )
    assert year_of(built) == {"open": ["counts"] * 10}


def test_several_years_and_policies_come_in_one_frame_each_month_in_its_year(months):
    policies = [Policy("a"), Policy("b", eligibility=Eligibility(part_a_b="none"))]
    rows = months(f"{HEADING}\nm | 2021-01-01 | 2022-12-31 | true | true", years=(2021, 2022), policies=policies)
    counted = defaultdict(int)
    for row in rows:
        assert row.member_month.year == row.performance_year
        assert row.member_month.day == 1
        assert row.exposure == Decimal(1)
        counted[row.policy, row.performance_year, row.is_eligible] += 1
    assert counted == {
        ("a", 2021, False): 12,  # the window begins in 2020
        ("a", 2022, True): 12,
        ("b", 2021, True): 12,
        ("b", 2022, True): 12,
    }


def test_enrollment_type_follows_the_status_code_and_for_the_aged_the_dual_code(months):
    codes = """
        11  | - | ESRD
        21  | 02 | ESRD
        31  | - | ESRD
        20  | 02 | DISABLED
        10  | 01 | AGED_DUAL AGED_NON_DUAL
        10  | 02 | AGED_DUAL
        10  | 03 | AGED_DUAL AGED_NON_DUAL
        10  | 04 | AGED_DUAL
        10  | 05 | AGED_DUAL AGED_NON_DUAL
        10  | 06 | AGED_DUAL AGED_NON_DUAL
        10  | 07 | AGED_NON_DUAL
        10  | 08 | AGED_DUAL
        10  | 09 | AGED_NON_DUAL
        10  | NA | AGED_NON_DUAL
        10  | 00 | AGED_NON_DUAL
        10  | - | AGED_NON_DUAL
        00  | 02 | OTHER
        -   | - | OTHER
    """
    cases = [[cell.strip() for cell in line.split("|")] for line in codes.strip().splitlines()]
    spans = "member_id | span_start | span_end | medicare_status_code | dual_status_code\n" + "\n".join(
        f"{status} {dual} | 2021-01-01 | 2021-12-31 | {status} | {dual}" for status, dual, _ in cases
    )
    # the second word, where there is one, is the type under the setting `full`
    policies = [Policy(d, eligibility=Eligibility(part_a_b="none", dual=d)) for d in ("any", "full")]
    rows = [row for row in months(spans, policies=policies) if row.member_month.month == 7]
    assert {(r.policy, r.member_id): r.enrollment_type for r in rows} == {
        (policy, f"{status} {dual}"): types.split()[at]
        for status, dual, types in cases
        for policy, at in (("any", 0), ("full", -1))
    }


def test_age_is_whole_years_on_the_first_of_the_month_and_untold_without_a_birth_date(months):
    rows = months(
        f"""{HEADING}
        on_first | 2021-01-01 | 2021-12-31 | true | true
        on_2nd   | 2021-01-01 | 2021-12-31 | true | true
        leap_day | 2021-01-01 | 2021-12-31 | true | true
        untold   | 2021-01-01 | 2021-12-31 | true | true
        unknown  | 2021-01-01 | 2021-12-31 | true | true
        """,
        members="""
        on_first | 1956-03-01 | -
        on_2nd   | 1956-03-02 | -
        leap_day | 1956-02-29 | -
        untold   | -          | -
        """,
    )
    ages = defaultdict(list)
    for row in rows:
        ages[row.member_id].append(row.age)
    assert {member: told[1:4] for member, told in ages.items()} == {  # February, March, April
        "on_first": [64, 65, 65],
        "on_2nd": [64, 64, 65],
        "leap_day": [64, 65, 65],
        "untold": [None, None, None],
        "unknown": [None, None, None],
    }
