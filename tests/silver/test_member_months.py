"""Which months count, rule by rule, on people whose year is checked by hand (design section 3.1)."""

from collections import defaultdict
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
RULES = ("first_of_month", "any_day", "mid_month", "last_day", "full_month")


@pytest.fixture
def months(spark):
    def build(spans, *, members="", secondary="", told="2019-01-01 | 2022-12-01", years=(2021,), policies=None, **rule):
        chosen = policies or [Policy("p", eligibility=Eligibility(**rule))]
        built = member_months(
            frame(spark, ELIGIBILITY_SPANS, spans),
            frame(spark, MEMBERS, f"member_id | birth_date | death_date\n{members}"),
            frame(spark, SECONDARY_PAYER_MONTHS, f"member_id | member_month | basis\n{secondary}"),
            frame(spark, TOLD_MONTHS, f"first_month | last_month\n{told}"),
            reference_table(spark, ALIGNMENT_PERIODS),
            policies=chosen,
            performance_years=years,
        )
        return conform(built, MEMBER_MONTHS).orderBy("policy", "member_id", "member_month").collect()

    return build


def year_of(rows) -> dict[str, list[str]]:
    """Each member's months in order: `counts`, or the reasons why not. Under several policies: `policy member`."""
    fates = defaultdict(list)
    for row in rows:
        assert row.is_eligible == (row.ineligible_reasons == [])
        name = row.member_id if row.policy == "p" else f"{row.policy} {row.member_id}"
        fates[name].append(" ".join(row.ineligible_reasons) or "counts")
    return dict(fates)


def test_the_month_of_death_counts_and_later_months_are_deceased_and_nothing_else(months):
    """Who dies six months into the year counts six, on the first or the last day of the sixth month."""
    built = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b
        on_first  | 2019-01-01 | 2022-12-31 | true       | true
        on_last   | 2019-01-01 | 2022-12-31 | true       | true
        ends_too  | 2019-01-01 | 2021-06-10 | true       | true
        earlier   | 2019-01-01 | 2022-12-31 | true       | true
        next_year | 2019-01-01 | 2022-12-31 | true       | true
        """,
        members="""
        on_first  | 1950-01-01 | 2021-06-01
        on_last   | 1950-01-01 | 2021-06-30
        ends_too  | 1950-01-01 | 2021-06-10
        earlier   | 1950-01-01 | 2020-12-31
        next_year | 1950-01-01 | 2022-01-01
        """,
    )
    half_a_year = ["counts"] * 6 + ["DECEASED"] * 6
    assert year_of(built) == {
        "on_first": half_a_year,
        "on_last": half_a_year,
        "ends_too": half_a_year,
        "earlier": ["DECEASED"] * 12,
        "next_year": ["counts"] * 12,
    }


def test_a_month_without_coverage_is_not_enrolled_and_has_no_statuses(months):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | medicare_status_code
        gap       | 2019-01-01 | 2021-03-31 | true       | true       | 10
        gap       | 2021-05-01 | 2022-12-31 | true       | true       | 10
    """
    rows = months(spans, part_a_b="none")
    assert year_of(rows) == {"gap": ["counts"] * 3 + ["NOT_ENROLLED"] + ["counts"] * 8}
    april = rows[3]
    assert (april.has_part_a, april.medicare_status_code, april.enrollment_type) == (None, None, "OTHER")
    assert year_of(months(spans, part_a_b="current_month"))["gap"][2:5] == ["counts", NO_COVERAGE, "counts"]


def test_a_gap_anywhere_in_the_window_takes_every_month_of_the_year(months):
    built = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b
        gap       | 2019-01-01 | 2020-01-31 | true       | true
        gap       | 2020-03-01 | 2022-12-31 | true       | true
        """
    )
    assert year_of(built) == {"gap": [NOT_BOTH] * 12}


def test_who_is_covered_on_one_day_of_the_year_has_all_its_told_months_and_who_is_not_has_none(months):
    built = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b
        one_day   | 2021-12-31 | 2021-12-31 | true       | true
        before    | 2020-01-01 | 2020-12-31 | true       | true
        after     | 2022-01-01 | 9999-12-31 | true       | true
        """,
        part_a_b="none",
    )
    assert year_of(built) == {"one_day": ["NOT_ENROLLED"] * 12}


def test_published_cases_of_coverage_rules(months):
    """Thirteen told months: a person with a gap from June 16 to August 9 and still covered, and one covered in 2022.

    The first is the example of a published page on member months (thetuvaproject.com, any day: 12).
    """
    built = months(
        """
        member_id | span_start | span_end
        A1234     | 2022-01-01 | 2022-06-15
        A1234     | 2022-08-10 | 9999-12-31
        B2468     | 2022-01-01 | 2022-12-31
        """,
        told="2022-01-01 | 2023-01-01",
        years=(2022, 2023),
        policies=[Policy(rule, eligibility=Eligibility(coverage_rule=rule, part_a_b="none")) for rule in RULES],
    )
    counted = {name: fates.count("counts") for name, fates in year_of(built).items()}
    assert counted == {
        "any_day A1234": 12,
        "mid_month A1234": 12,
        "first_of_month A1234": 11,
        "last_day A1234": 11,
        "full_month A1234": 10,
        **{f"{rule} B2468": 12 for rule in RULES},
    }


def test_a_prorated_month_weighs_its_share_of_covered_days(months):
    """The same person: June 15 of 30 days, July none, August 22 of 31; and 17 of 31 days of January 2022. What is not
    covered at all is excluded as a whole month; a part covered and excluded weighs its part."""
    built = months(
        """
        member_id | span_start | span_end   | in_medicare_advantage
        A1234     | 2022-01-01 | 2022-06-15 | false
        A1234     | 2022-08-10 | 9999-12-31 | false
        joined    | 2022-01-15 | 2022-01-31 | false
        three     | 2022-02-01 | 2022-02-02 | false
        three     | 2022-02-10 | 2022-02-10 | false
        three     | 2022-02-25 | 2022-02-28 | false
        managed   | 2022-03-01 | 2022-03-10 | false
        managed   | 2022-03-11 | 2022-03-20 | true
        """,
        told="2022-01-01 | 2023-01-01",
        years=(2022, 2023),
        policies=[Policy("p", eligibility=Eligibility(coverage_rule="prorated", part_a_b="none"))],
    )
    weighs = {(row.member_id, f"{row.member_month:%Y-%m}"): str(row.exposure) for row in built}
    counted = defaultdict(Decimal)
    for row in built:
        counted[row.member_id] += 0 if row.ineligible_reasons else row.exposure
    assert round(counted["A1234"], 4) == Decimal("11.2097")
    assert [weighs["A1234", month] for month in ("2022-05", "2022-06", "2022-07", "2022-08", "2023-01")] == [
        "1.000000", "0.500000", "1.000000", "0.709677", "1.000000",
    ]  # fmt: skip
    assert counted["joined"] == Decimal("0.548387")
    assert (counted["three"], weighs["three", "2022-02"]) == (Decimal("0.250000"), "0.250000")
    assert (counted["managed"], weighs["managed", "2022-03"]) == (0, "0.645161")


def test_each_coverage_rule_on_both_sides_of_its_day(months):
    """May 2021 is the month looked at; it has 31 days."""
    built = months(
        """
        member_id | span_start | span_end
        1 to 14   | 2021-05-01 | 2021-05-14
        1 to 15   | 2021-05-01 | 2021-05-15
        15 to 31  | 2021-05-15 | 2021-05-31
        16 to 31  | 2021-05-16 | 2021-05-31
        2 to 31   | 2021-05-02 | 2021-05-31
        1 to 30   | 2021-05-01 | 2021-05-30
        1 to 31   | 2021-05-01 | 2021-05-31
        two parts | 2021-05-01 | 2021-05-15
        two parts | 2021-05-17 | 2021-05-31
        """,
        policies=[Policy(rule, eligibility=Eligibility(coverage_rule=rule, part_a_b="none")) for rule in RULES],
    )
    counted_in_may = defaultdict(list)
    for name, fates in year_of(built).items():
        rule, member = name.split(" ", 1)
        assert set(fates[:4] + fates[5:]) == {"NOT_ENROLLED"}
        if fates[4] == "counts":
            counted_in_may[member].append(rule)
    assert counted_in_may == {
        "1 to 14": ["any_day", "first_of_month"],
        "1 to 15": ["any_day", "first_of_month", "mid_month"],
        "15 to 31": ["any_day", "last_day", "mid_month"],
        "16 to 31": ["any_day", "last_day"],
        "2 to 31": ["any_day", "last_day", "mid_month"],
        "1 to 30": ["any_day", "first_of_month", "mid_month"],
        "1 to 31": ["any_day", "first_of_month", "full_month", "last_day", "mid_month"],
        "two parts": ["any_day", "first_of_month", "last_day", "mid_month"],
    }


def test_a_months_statuses_are_those_of_the_day_its_coverage_rule_looks_at(months):
    """May: in Part C on the first 14 days; June: without Part A from the 2nd on, July: covered from the 10th on."""
    built = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage
        m         | 2021-05-01 | 2021-05-14 | true       | true       | true
        m         | 2021-05-15 | 2021-06-01 | true       | true       | false
        m         | 2021-06-02 | 2021-06-30 | false      | true       | false
        m         | 2021-07-10 | 2021-07-31 | true       | true       | false
        """,
        policies=[
            Policy(rule, eligibility=Eligibility(coverage_rule=rule, part_a_b="current_month")) for rule in RULES
        ],
    )
    assert {name: fates[4:7] for name, fates in year_of(built).items()} == {
        "first_of_month m": ["MEDICARE_ADVANTAGE", "counts", NO_COVERAGE],
        "any_day m": ["MEDICARE_ADVANTAGE", "counts", "counts"],
        "mid_month m": ["counts", NOT_BOTH, "counts"],
        "last_day m": ["counts", NOT_BOTH, "counts"],
        # any day in Part C fails the whole month, and both Parts must be there on every day
        "full_month m": ["MEDICARE_ADVANTAGE", NOT_BOTH, NO_COVERAGE],
    }


def test_a_day_in_part_c_or_with_another_payer_later_in_the_month_fails_full_month_alone(months):
    """The months of the table of secondary payers that come from enrollment add nothing to the looked-at day."""
    built = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b | medicare_is_secondary | in_medicare_advantage
        m         | 2021-01-01 | 2021-05-09 | true       | true       | false                 | false
        m         | 2021-05-10 | 2021-12-31 | true       | true       | true                  | false
        c         | 2021-01-01 | 2021-05-09 | true       | true       | false                 | false
        c         | 2021-05-10 | 2021-12-31 | true       | true       | false                 | true
        """,
        secondary="m | 2021-05-01 | enrollment\nm | 2021-06-01 | enrollment",
        told="2021-01-01 | 2021-12-01",
        policies=[Policy(rule, Eligibility(coverage_rule=rule)) for rule in ("first_of_month", "full_month")],
    )
    assert {name: fates[3:6] for name, fates in year_of(built).items()} == {
        "first_of_month m": ["counts", "counts", "MEDICARE_SECONDARY"],
        "first_of_month c": ["counts", "counts", "MEDICARE_ADVANTAGE"],
        "full_month m": ["counts", "MEDICARE_SECONDARY", "MEDICARE_SECONDARY"],
        "full_month c": ["counts", "MEDICARE_ADVANTAGE", "MEDICARE_ADVANTAGE"],
    }


def test_medicare_advantage_fails_its_month_unless_the_policy_lets_it_count_and_untold_is_not_managed(months):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage
        m         | 2019-01-01 | 2021-06-30 | true       | true       | -
        m         | 2021-07-01 | 2022-12-31 | true       | true       | true
    """
    assert year_of(months(spans)) == {"m": ["counts"] * 6 + ["MEDICARE_ADVANTAGE"] * 6}
    assert year_of(months(spans, exclude_medicare_advantage=False)) == {"m": ["counts"] * 12}


def test_a_month_for_which_a_claim_names_another_payer_is_secondary_unless_the_policy_lets_it_count(months):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b
        m         | 2019-01-01 | 2022-12-31 | true       | true
    """
    named = "m | 2021-01-01 | claim\nm | 2021-12-01 | claim\nm | 2020-06-01 | claim"
    assert year_of(months(spans, secondary=named)) == {
        "m": ["MEDICARE_SECONDARY"] + ["counts"] * 10 + ["MEDICARE_SECONDARY"]
    }
    assert year_of(months(spans, secondary=named, exclude_medicare_secondary=False)) == {"m": ["counts"] * 12}


def test_months_abroad_count_unless_the_policy_excludes_them_and_untold_is_at_home(months):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | resides_in_us
        m         | 2019-01-01 | 2021-09-30 | true       | true       | -
        m         | 2021-10-01 | 2022-12-31 | true       | true       | false
    """
    assert year_of(months(spans)) == {"m": ["counts"] * 12}
    assert year_of(months(spans, exclude_non_us=True)) == {"m": ["counts"] * 9 + ["NON_US_RESIDENT"] * 3}


def test_every_reason_that_holds_is_told_in_the_order_that_decides(months):
    built = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage | resides_in_us
        m         | 2021-01-01 | 2021-06-30 | true       | false      | true                  | false
        """,
        secondary="m | 2021-02-01 | claim\nm | 2021-07-01 | claim\nm | 2021-12-01 | claim",
        members="m | 1950-01-01 | 2021-08-08",
        exclude_non_us=True,
    )
    living = f"{NOT_BOTH} MEDICARE_ADVANTAGE NON_US_RESIDENT"
    assert year_of(built)["m"] == [
        living,
        f"{NOT_BOTH} MEDICARE_ADVANTAGE MEDICARE_SECONDARY NON_US_RESIDENT",
        *[living] * 4,
        f"{NO_COVERAGE} MEDICARE_SECONDARY",
        NO_COVERAGE,
        *["DECEASED"] * 4,
    ]
