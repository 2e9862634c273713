"""`reach`: two weighted years, the tenth of primary care, and the months that stop."""

from collections import defaultdict
from dataclasses import replace
from datetime import date

import pytest

from pmpm_spark.model import MEMBERS
from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.reference import ALIGNMENT_PERIODS, reference_table
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import member_months
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from tests.attributions import attributed, covered, visits
from tests.tables import assert_table, frame, rows_of

REACH = Attribution("reach", participants_as_of="start_of_year")
STOPS = Eligibility(part_a_b="current_month", exclude_non_us=True, months_stop=True)
EARLIER, RECENT = "2020-06-30", "2020-07-01"
"""Days of the two alignment years of 2022."""
ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date
    A          | TA  | ''  | ''  | 1900-01-01 | 9999-12-31
    A          | TA2 | ''  | ''  | 1900-01-01 | 9999-12-31
    B          | TB  | NB  | ''  | 1900-01-01 | 9999-12-31
    B          | ''  | NX  | ''  | 1900-01-01 | 9999-12-31
    B          | ''  | ''  | CB  | 1900-01-01 | 9999-12-31
    B          | ''  | NB  | CC  | 1900-01-01 | 9999-12-31
"""


@pytest.fixture
def whose(spark):
    def check(services, expected, *, policy=REACH, years=(2022,), spans=None, **given):
        given.setdefault("network_roster", ROSTER)
        heading, *rows = rows_of(services)
        if "service_date" not in heading:
            services = "\n".join(" | ".join(row) for row in ([*heading, "service_date"], *[[*r, RECENT] for r in rows]))
        built = attributed(
            spark,
            [Policy("p", STOPS, attribution=policy)],
            years,
            primary_care_services=visits(services),
            eligibility_spans=spans or covered(*sorted({row[0] for row in rows})),
            **given,
        )
        assert_table(built, ATTRIBUTION, spark, expected)

    return check


def test_the_recent_year_weighs_double_and_the_measure_is_a_third_half_up(whose):
    """X has 300 of the earlier year alone, Y 160 of the recent one."""
    whose(
        f"""
        member_id | tin | allowed_amount | service_date
        toy       | X   | 300.00         | {EARLIER}
        toy       | Y   | 160.00         | {RECENT}
        days      | TA  | 3.00           | 2019-07-01
        days      | TA  | 0.01           | 2021-06-30
        days      | TA2 | 1.00           | 2019-06-30
        days      | TA2 | 1.00           | 2021-07-01
        """,
        """
        member_id | network_id   | winner | measure_amount | runner_up_network_id | runner_up_amount | margin | step
        toy       | UNATTRIBUTED | TIN:Y  | 106.67         | TIN:X                | 100.00           | 6.67   | primary_care
        days      | A            | A      | 1.01           | -                    | -                | -      | primary_care
        """,
    )


def test_2021_begins_in_april_with_the_list_of_april_and_years_that_end_in_june_2020(whose):
    whose(
        """
        member_id | tin | service_date
        first     | TA  | 2018-07-01
        last      | TA  | 2020-06-30
        before    | TA  | 2018-06-30
        after     | TA  | 2020-07-01
        joined    | TJ  | 2020-06-30
        left      | TL  | 2020-06-30
        """,
        """
        member_id | winner | measure_amount
        first     | A      | 33.33
        last      | A      | 66.67
        before    | -      | -
        after     | -      | -
        joined    | B      | 66.67
        left      | TIN:TL | 66.67
        """,
        years=(2021,),
        network_roster=ROSTER
        + "B | TJ | '' | '' | 2021-04-01 | 9999-12-31\nB | TL | '' | '' | 1900-01-01 | 2021-03-31",
    )


def test_primary_care_decides_from_a_tenth_of_all_candidates_charges_on(whose):
    """Exactly a tenth is enough; who is on neither list is in neither sum. Weighted: 5 of the recent year are 10."""
    whose(
        f"""
        member_id | tin | specialty | allowed_amount | service_date
        tenth     | TA  | 06        | 90.00          | {RECENT}
        tenth     | X   | 50        | 10.00          | {RECENT}
        under     | TA  | 06        | 90.10          | {RECENT}
        under     | X   | 50        | 9.90           | {RECENT}
        neither   | TA  | 06        | 90.00          | {RECENT}
        neither   | X   | 11        | 10.00          | {RECENT}
        neither   | X   | 02        | 500.00         | {RECENT}
        weighted  | TA  | 06        | 90.00          | {EARLIER}
        weighted  | X   | 11        | 5.00           | {RECENT}
        alone     | TA  | 06        | 1.00           | {RECENT}
        nobody    | TA  | 02        | 1.00           | {RECENT}
        """,
        """
        member_id | winner | step             | measure_amount | runner_up_network_id | unattributed_reason
        tenth     | TIN:X  | primary_care     | 6.67           | -                    | OUTSIDE_PLURALITY
        under     | A      | other_specialist | 60.07          | -                    | -
        neither   | TIN:X  | primary_care     | 6.67           | -                    | OUTSIDE_PLURALITY
        weighted  | TIN:X  | primary_care     | 3.33           | -                    | OUTSIDE_PLURALITY
        alone     | A      | other_specialist | 0.67           | -                    | -
        nobody    | -      | -                | -              | -                    | NO_PRIMARY_CARE
        """,
    )


def test_a_tie_goes_by_the_latest_service_of_the_deciding_group_and_no_physician_is_asked_for(whose):
    whose(
        """
        member_id | tin | specialty | service_date | allowed_amount
        latest    | TA  | 50        | 2020-08-01   | 100.00
        latest    | X   | 11        | 2020-07-01   | 100.00
        latest    | X   | 06        | 2021-06-01   | 100.00
        network   | X   | 11        | 2020-07-01   | 100.00
        network   | TA  | 11        | 2020-07-01   | 100.00
        lowest    | X2  | 11        | 2020-07-01   | 100.00
        lowest    | X10 | 11        | 2020-07-01   | 100.00
        """,
        """
        member_id | network_id   | winner  | runner_up_network_id
        latest    | A            | A       | TIN:X
        network   | A            | A       | TIN:X
        lowest    | UNATTRIBUTED | TIN:X10 | TIN:X2
        """,
    )


def test_a_line_needs_the_rows_npi_where_the_row_has_one_and_a_shared_id_is_the_lowest_networks(whose):
    services = """
        member_id | line_kind    | tin | ccn | npi
        with_npi  | professional | TB  | ''  | NB
        other_npi | professional | TB  | ''  | N1
        npi_alone | professional | X   | ''  | NX
        facility  | clinic       | ''  | CB  | N1
        of_npi    | cah          | ''  | CC  | NB
        not_npi   | cah          | ''  | CC  | N1
        shared    | professional | TS  | ''  | NS
        not_both  | professional | TS  | ''  | N1
    """
    roster = ROSTER + "C | TS | '' | '' | 1900-01-01 | 9999-12-31\nA | TS | NS | '' | 1900-01-01 | 9999-12-31"
    expected = """
        member_id | winner
        with_npi  | B
        other_npi | TIN:TB
        npi_alone | TIN:X
        facility  | B
        of_npi    | B
        not_npi   | CCN:CC
        shared    | {shared}
        not_both  | C
    """
    whose(services, expected.format(shared="A"), network_roster=roster)
    excluding = Attribution("reach", participants_as_of="start_of_year", shared_participants="exclude")
    whose(services, expected.format(shared="-"), network_roster=roster, policy=excluding)


def test_the_first_test_of_alignability_that_fails_is_the_reason(whose):
    """Both Parts in all 24 months and the first of the year; the others in that first month alone."""
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage | medicare_is_secondary | resides_in_us
        whole     | 2019-07-01 | 2021-06-30 | true       | true       | true                  | true                  | false
        whole     | 2022-01-01 | 2022-01-01 | true       | true       | -                     | -                     | -
        died      | 2015-01-01 | 9999-12-31 | true       | true       | false                 | false                 | true
        dies      | 2015-01-01 | 9999-12-31 | true       | true       | false                 | false                 | true
        late      | 2019-07-02 | 9999-12-31 | true       | true       | false                 | false                 | true
        gap       | 2015-01-01 | 2020-12-31 | true       | true       | false                 | false                 | true
        gap       | 2021-01-02 | 9999-12-31 | true       | true       | false                 | false                 | true
        one_part  | 2015-01-01 | 2020-12-31 | true       | true       | false                 | false                 | true
        one_part  | 2021-01-01 | 2021-01-31 | true       | false      | false                 | false                 | true
        one_part  | 2021-02-01 | 9999-12-31 | true       | true       | false                 | false                 | true
        not_first | 2015-01-01 | 2021-12-31 | true       | true       | false                 | false                 | true
        not_first | 2022-01-02 | 9999-12-31 | true       | true       | false                 | false                 | true
        managed   | 2015-01-01 | 2022-01-01 | true       | true       | true                  | true                  | false
        managed   | 2022-01-02 | 9999-12-31 | true       | true       | false                 | false                 | true
        secondary | 2015-01-01 | 9999-12-31 | true       | true       | false                 | true                  | false
        claim     | 2015-01-01 | 9999-12-31 | true       | true       | false                 | -                     | true
        other     | 2015-01-01 | 9999-12-31 | true       | true       | false                 | -                     | true
        abroad    | 2015-01-01 | 2022-01-31 | true       | true       | false                 | false                 | false
    """
    whose(
        "member_id\n" + "\n".join(sorted({row[0] for row in rows_of(spans)[1:]})),
        """
        member_id | network_id   | unattributed_reason
        whole     | A            | -
        died      | UNATTRIBUTED | DECEASED
        dies      | A            | -
        late      | UNATTRIBUTED | NOT_IN_PART_A_AND_B
        gap       | UNATTRIBUTED | NOT_IN_PART_A_AND_B
        one_part  | UNATTRIBUTED | NOT_IN_PART_A_AND_B
        not_first | UNATTRIBUTED | NOT_IN_PART_A_AND_B
        managed   | UNATTRIBUTED | MEDICARE_ADVANTAGE
        secondary | UNATTRIBUTED | MEDICARE_SECONDARY
        claim     | UNATTRIBUTED | MEDICARE_SECONDARY
        other     | A            | -
        abroad    | UNATTRIBUTED | NON_US_RESIDENT
        """,
        spans=spans,
        members="member_id | death_date\ndied | 2021-12-31\ndies | 2022-01-01",
        secondary_payer_months="""
        member_id | member_month | basis
        claim     | 2022-01-01   | claim
        other     | 2022-02-01   | claim
        other     | 2021-12-01   | claim
        """,
    )


def test_part_c_within_the_alignment_years_keeps_out_where_the_policy_asks_and_not_whom_the_list_gives(whose):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage
        once      | 2015-01-01 | 2021-03-31 | true       | true       | false
        once      | 2021-04-01 | 2021-04-30 | true       | true       | true
        once      | 2021-05-01 | 9999-12-31 | true       | true       | false
        given     | 2021-04-01 | 2021-04-30 | true       | true       | true
        given     | 2021-05-01 | 9999-12-31 | true       | true       | false
        later     | 2015-01-01 | 2021-06-30 | true       | true       | false
        later     | 2021-07-01 | 2021-09-30 | true       | true       | true
        later     | 2021-10-01 | 9999-12-31 | true       | true       | false
    """
    asks = Attribution(
        "reach", participants_as_of="start_of_year", voluntary=True, alignment_window_requires="a_and_b_without_part_c"
    )
    listed = "performance_year | member_id | network_id | months\n2022 | given | B | 4095"
    for policy, of_once in ((replace(asks, alignment_window_requires="a_and_b"), "-"), (asks, "MEDICARE_ADVANTAGE")):
        whose(
            "member_id\nonce\ngiven\nlater",
            f"""
            member_id | unattributed_reason
            once      | {of_once}
            given     | -
            later     | -
            """,
            policy=policy,
            spans=spans,
            member_attribution=listed,
        )


def test_a_supplied_network_that_takes_part_goes_first_and_asks_for_the_first_month_alone(whose):
    listed = """
        performance_year | member_id | network_id | physician_npi | practice_tin | months
        2022             | new       | B          | ''            | TB           | 4095
        2022             | managed   | B          | ''            | TB           | 4095
        2022             | no_part   | Z          | ''            | TB           | 4095
        2022             | too_late  | L          | ''            | TL           | 4095
    """
    whose(
        "member_id\nnew\nmanaged\nno_part\ntoo_late",
        """
        member_id | network_id   | practice_tin | winner | step         | unattributed_reason
        new       | B            | TB           | B      | voluntary    | -
        managed   | UNATTRIBUTED | UNATTRIBUTED | -      | -            | MEDICARE_ADVANTAGE
        no_part   | A            | TA           | A      | primary_care | -
        too_late  | A            | TA           | A      | primary_care | -
        """,
        policy=Attribution("reach", participants_as_of="start_of_year", voluntary=True),
        spans=covered("no_part", "too_late")
        .replace("has_part_b", "has_part_b | in_medicare_advantage")
        .replace("true | true", "true | true | false")
        + "\nnew | 2021-12-01 | 9999-12-31 | true | true | false\nmanaged | 2015-01-01 | 9999-12-31 | true | true | true",
        network_roster=ROSTER + "L | TL | '' | '' | 2022-01-02 | 9999-12-31",
        member_attribution=listed,
    )


# Months


@pytest.fixture
def months(spark):
    def build(spans, *, deaths="", secondary="", years=(2022,), rule=STOPS, method="reach"):
        built = member_months(
            frame(spark, ELIGIBILITY_SPANS, spans),
            frame(spark, MEMBERS, f"member_id | death_date\n{deaths}"),
            frame(spark, SECONDARY_PAYER_MONTHS, f"member_id | member_month | basis\n{secondary}"),
            frame(spark, TOLD_MONTHS, "first_month | last_month\n2015-01-01 | 2022-12-01"),
            reference_table(spark, ALIGNMENT_PERIODS),
            policies=[Policy("p", rule, attribution=Attribution(method))],
            performance_years=years,
        )
        fates = defaultdict(list)
        for row in built.orderBy("member_id", "member_month").collect():
            assert row["is_eligible"] == (row["ineligible_reasons"] == [])
            fates[row["member_id"]].append(" ".join(row["ineligible_reasons"]) or "counts")
        return dict(fates)

    return build


NOT_BOTH, ENDED = "NOT_IN_PART_A_AND_B", "ALIGNMENT_ENDED"


def test_the_first_month_that_fails_keeps_its_reason_and_ends_the_later_ones_even_when_status_returns(months):
    found = months(
        """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage | medicare_is_secondary | resides_in_us
        all       | 2015-01-01 | 9999-12-31 | true       | true       | false                 | false                 | true
        managed   | 2021-01-01 | 2022-02-28 | true       | true       | false                 | -                     | true
        managed   | 2022-03-01 | 2022-04-30 | true       | true       | true                  | -                     | true
        managed   | 2022-05-01 | 9999-12-31 | true       | true       | false                 | -                     | true
        gap       | 2022-01-01 | 2022-10-31 | true       | true       | false                 | false                 | true
        gap       | 2022-12-01 | 2022-12-31 | true       | true       | false                 | false                 | true
        one_part  | 2022-01-01 | 2022-12-31 | true       | false      | false                 | false                 | true
        abroad    | 2022-01-01 | 2022-11-30 | true       | true       | false                 | false                 | true
        abroad    | 2022-12-01 | 9999-12-31 | true       | true       | false                 | false                 | false
        died      | 2015-01-01 | 9999-12-31 | true       | true       | false                 | false                 | true
        named     | 2015-01-01 | 9999-12-31 | true       | true       | false                 | -                     | true
        """,
        deaths="died | 2022-09-30",
        secondary="named | 2022-11-01 | claim",
    )
    counts = ["counts"]
    assert found == {
        "all": counts * 12,
        "managed": [*counts * 2, "MEDICARE_ADVANTAGE", f"{ENDED} MEDICARE_ADVANTAGE", *[ENDED] * 8],
        "gap": [*counts * 10, f"NOT_ENROLLED {NOT_BOTH}", ENDED],
        "one_part": [NOT_BOTH, *[f"{ENDED} {NOT_BOTH}"] * 11],
        "abroad": [*counts * 11, "NON_US_RESIDENT"],
        "died": [*counts * 9, "DECEASED", *[f"{ENDED} DECEASED"] * 2],
        "named": [*counts * 10, "MEDICARE_SECONDARY", ENDED],
    }


def test_the_months_before_april_2021_are_of_no_performance_year_and_end_nothing(months):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b
        m         | 2021-02-01 | 9999-12-31 | true       | true
        never     | 2021-01-01 | 2021-03-31 | true       | true
    """
    before = "NOT_IN_PERFORMANCE_YEAR"
    untold = f"NOT_ENROLLED {NOT_BOTH}"
    assert months(spans, years=(2021, 2022)) == {
        "m": [f"{before} {untold}", before, before, *["counts"] * 9, *["counts"] * 12],
        "never": [before, before, before, untold, *[f"{ENDED} {untold}"] * 8],
    }


def test_months_stop_by_any_method_where_the_policy_says_so_and_then_the_year_is_whole(months):
    spans = "member_id | span_start | span_end | has_part_a | has_part_b\nm | 2021-01-01 | 2021-02-28 | true | true\n"
    spans += "m | 2021-04-01 | 2021-12-31 | true | true"
    untold = f"NOT_ENROLLED {NOT_BOTH}"
    assert months(spans, years=(2021,), method="plurality")["m"] == ["counts", "counts", untold, *[ENDED] * 9]
    goes_on = Eligibility(part_a_b="current_month")
    assert months(spans, years=(2021,), rule=goes_on)["m"] == ["counts", "counts", untold, *["counts"] * 9]


def test_the_periods_of_other_years_lie_likewise(spark):
    found = {row["performance_year"]: row for row in reference_table(spark, ALIGNMENT_PERIODS).collect()}
    for year in (2019, 2020, 2022, 2023, 2024, 2025):
        assert found[year]["earlier_first"] == date(year - 3, 7, 1)
        assert found[year]["earlier_last"] == date(year - 2, 6, 30)
        assert found[year]["recent_first"] == date(year - 2, 7, 1)
        assert found[year]["recent_last"] == date(year - 1, 6, 30)
        assert found[year]["first_month"] == date(year, 1, 1)
    assert set(found) == {2019, 2020, 2021, 2022, 2023, 2024, 2025}
