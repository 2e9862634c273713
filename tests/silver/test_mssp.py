"""`mssp`: which lines count, for whom, in which step (42 CFR 425.400 to 425.402)."""

from dataclasses import replace
from datetime import date

import pytest

from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from tests.attributions import USUAL, attributed, covered, visits
from tests.tables import assert_table, rows_of

MSSP = Attribution("mssp", "retrospective", participants_as_of="start_of_year", shared_participants="exclude")
ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date
    A          | TA  | ''  | ''  | 1900-01-01 | 9999-12-31
    A          | TA2 | ''  | ''  | 1900-01-01 | 9999-12-31
    A          | ''  | ''  | CA  | 1900-01-01 | 9999-12-31
    B          | TB  | NB  | ''  | 1900-01-01 | 9999-12-31
    B          | ''  | NX  | ''  | 1900-01-01 | 9999-12-31
"""


@pytest.fixture
def whose(spark):
    def check(services, expected, *, policy=MSSP, years=(2021,), spans=None, **given):
        given.setdefault("network_roster", ROSTER)
        members = {row[0] for row in rows_of(services)[1:]}
        built = attributed(
            spark,
            [Policy("p", Eligibility(part_a_b="current_month"), attribution=policy)],
            years,
            primary_care_services=visits(services),
            eligibility_spans=spans or covered(*sorted(members)),
            **given,
        )
        assert_table(built, ATTRIBUTION, spark, expected)

    return check


def test_most_charges_win_and_a_tie_goes_to_the_latest_then_to_a_network(whose):
    whose(
        """
        member_id | tin | allowed_amount | service_date
        most      | TA  | 60.00          | 2021-05-05
        most      | TA2 | 40.00          | 2021-05-05
        most      | X   | 60.00          | 2021-05-06
        most      | Y   | 60.00          | 2021-05-07
        later     | TA  | 100.00         | 2021-05-05
        later     | X   | 100.00         | 2021-05-06
        same_day  | TA  | 100.00         | 2021-05-05
        same_day  | TB  | 100.00         | 2021-05-05
        same_day  | X   | 100.00         | 2021-05-05
        """,
        """
        member_id | network_id   | practice_tin | physician_npi | winner | measure_amount | runner_up_network_id | margin | step   | unattributed_reason
        most      | A            | TA           | N1            | A      | 100.00         | TIN:Y                | 40.00  | step_1 | -
        later     | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED  | TIN:X  | 100.00         | A                    | 0.00   | step_1 | OUTSIDE_PLURALITY
        same_day  | A            | TA           | N1            | A      | 100.00         | B                    | 0.00   | step_1 | -
        """,
    )


def test_a_tie_in_step_1_goes_by_the_latest_primary_care_and_then_by_the_latest_specialist_of_the_candidate(whose):
    whose(
        """
        member_id | tin | specialty | service_date | allowed_amount
        first     | TA  | 11        | 2021-05-06   | 100.00
        first     | X   | 11        | 2021-05-05   | 100.00
        first     | X   | 06        | 2021-06-06   | 500.00
        second    | TA  | 11        | 2021-05-05   | 100.00
        second    | TA  | 06        | 2021-06-05   | 1.00
        second    | X   | 11        | 2021-05-05   | 100.00
        second    | X   | 06        | 2021-06-06   | 1.00
        none      | TA  | 11        | 2021-05-05   | 100.00
        none      | X   | 11        | 2021-05-05   | 100.00
        none      | X   | 06        | 2021-01-01   | 1.00
        """,
        "member_id | winner\nfirst | A\nsecond | TIN:X\nnone | TIN:X",
    )


def test_one_service_of_a_primary_care_clinician_anywhere_makes_it_step_1(whose):
    whose(
        """
        member_id | tin | specialty | allowed_amount
        toy       | TA  | 06        | 500.00
        toy       | X   | 97        | 1.00
        second    | TA  | 06        | 500.00
        second    | X   | 06        | 1.00
        nothing   | TA  | 06        | 500.00
        nothing   | X   | 97        | 0.00
        nobody    | TA  | 02        | 500.00
        """,
        """
        member_id | network_id   | winner | measure_amount | runner_up_network_id | step   | unattributed_reason
        toy       | UNATTRIBUTED | TIN:X  | 1.00           | -                    | step_1 | OUTSIDE_PLURALITY
        second    | A            | A      | 500.00         | TIN:X                | step_2 | -
        nothing   | A            | A      | 500.00         | -                    | step_2 | -
        nobody    | UNATTRIBUTED | -      | -              | -                    | -      | NO_PRIMARY_CARE
        """,
    )


def test_a_network_without_a_physician_does_not_get_the_member_and_nobody_inherits_it(whose):
    """A specialist passes the pre-step in step 1, too; outside the networks nobody is asked for one."""
    whose(
        """
        member_id  | tin | specialty | allowed_amount
        toy        | TA  | 50        | 300.00
        toy        | TB  | 08        | 200.00
        specialist | TA  | 50        | 300.00
        specialist | TA2 | 06        | 1.00
        clinic     | TA  | 50        | 300.00
        outside    | X   | 50        | 300.00
        """,
        """
        member_id  | network_id   | physician_npi | winner | runner_up_network_id | margin | unattributed_reason
        toy        | UNATTRIBUTED | UNATTRIBUTED  | A      | B                    | 100.00 | NO_PHYSICIAN_SERVICE
        specialist | A            | N1            | A      | -                    | -      | -
        clinic     | UNATTRIBUTED | UNATTRIBUTED  | A      | -                    | -      | NO_PHYSICIAN_SERVICE
        outside    | UNATTRIBUTED | UNATTRIBUTED  | TIN:X  | -                    | -      | OUTSIDE_PLURALITY
        """,
    )


def test_physician_and_practice_are_found_each_by_itself_among_the_lines_that_decided(whose):
    """A nurse practitioner can be it; a specialist of step 2 cannot in step 1; a clinic without tax number is its CCN."""
    whose(
        """
        member_id | line_kind    | tin | ccn | npi | specialty | allowed_amount | service_date
        itself    | professional | TA  | ''  | N1  | 11        | 40.00          | 2021-05-05
        itself    | professional | TA2 | ''  | N2  | 50        | 30.00          | 2021-05-05
        itself    | professional | TA2 | ''  | N3  | 50        | 30.00          | 2021-05-05
        itself    | professional | TA  | ''  | N9  | 06        | 900.00         | 2021-05-05
        nurse     | professional | TA  | ''  | N2  | 50        | 40.00          | 2021-05-05
        nurse     | professional | TA  | ''  | N1  | 11        | 30.00          | 2021-05-05
        nurse     | professional | TA  | ''  | ''  | 11        | 90.00          | 2021-05-05
        clinic    | clinic       | ''  | CA  | N1  | ''        | 40.00          | 2021-05-05
        billed    | clinic       | TQ  | CA  | N1  | ''        | 40.00          | 2021-05-05
        latest    | professional | TA  | ''  | N1  | 11        | 40.00          | 2021-05-05
        latest    | professional | TA2 | ''  | N2  | 11        | 40.00          | 2021-05-06
        """,
        """
        member_id | network_id | practice_tin | physician_npi
        itself    | A          | TA2          | N1
        nurse     | A          | TA           | N2
        clinic    | A          | CA           | N1
        billed    | A          | TQ           | N1
        latest    | A          | TA2          | N2
        """,
    )


def test_each_kind_of_claim_has_its_own_condition_and_nothing_else_counts(whose):
    """Clinics count any line and are a physician's; hospitals count only where they are supplied for the year."""
    whose(
        """
        member_id    | line_kind        | ccn | hcpcs | specialty | tin
        professional | professional     | ''  | 99213 | 11        | TA
        g0463        | professional     | ''  | G0463 | 11        | TA
        no_code      | professional     | ''  | 80053 | 11        | TA
        clinic       | clinic           | CA  | ''    | ''        | ''
        cah          | cah              | CA  | 99213 | 11        | ''
        cah_g0463    | cah              | CA  | G0463 | 11        | ''
        cah_nobody   | cah              | CA  | 99213 | ''        | ''
        eta          | other_outpatient | CE  | 99213 | 11        | ''
        eta_g0463    | other_outpatient | CE  | G0463 | 11        | ''
        eta_no_code  | other_outpatient | CE  | 80053 | 11        | ''
        eta_before   | other_outpatient | CF  | 99213 | 11        | ''
        hospital     | other_outpatient | CA  | 99213 | 11        | TA
        """,
        """
        member_id    | winner | step
        professional | A      | step_1
        g0463        | -      | -
        no_code      | -      | -
        clinic       | A      | step_1
        cah          | A      | step_1
        cah_g0463    | -      | -
        cah_nobody   | -      | -
        eta          | CCN:CE | step_1
        eta_g0463    | CCN:CE | step_1
        eta_no_code  | -      | -
        eta_before   | -      | -
        hospital     | -      | -
        """,
        eta_hospitals="ccn | first_year | last_year\nCE | 2021 | 2021\nCF | 2019 | 2020",
    )


def test_a_clinics_line_needs_a_code_of_the_set_before_2019(whose):
    whose(
        """
        member_id | line_kind | ccn | hcpcs | service_date | specialty
        none      | clinic    | CA  | ''    | 2018-05-05   | ''
        coded     | clinic    | CA  | 99213 | 2018-05-05   | ''
        later     | clinic    | CA  | ''    | 2019-05-05   | ''
        """,
        """
        performance_year | member_id | winner
        2018             | none      | -
        2018             | coded     | A
        2018             | later     | -
        2019             | none      | -
        2019             | coded     | -
        2019             | later     | A
        """,
        years=(2018, 2019),
    )


def test_the_charge_of_a_professional_line_is_the_allowed_amount_and_only_above_zero(spark):
    """Where a source tells none of it, what plan and patient paid stands for it in institutional lines alone."""
    services = """
        member_id | line_kind    | ccn | tin | allowed_amount | told_amount
        paid      | professional | ''  | TA  | 80.00          | 0.00
        clinic    | clinic       | CA  | ''  | 80.00          | 0.00
        zero      | clinic       | CA  | ''  | 0.00           | 0.00
    """
    heading, *rows = rows_of(services)
    more = {name: value for name, value in USUAL.items() if name not in heading}
    written = "\n".join(" | ".join(line) for line in ([*heading, *more], *[[*row, *more.values()] for row in rows]))
    built = attributed(
        spark,
        [Policy("p", attribution=MSSP)],
        (2021,),
        primary_care_services=written,
        network_roster=ROSTER,
        eligibility_spans=covered("paid", "clinic", "zero"),
    )
    assert_table(built, ATTRIBUTION, spark, "member_id | measure_amount\npaid | -\nclinic | 80.00\nzero | -")


def test_codes_count_in_their_performance_years_wherever_the_service_lies(whose):
    """99439 from 2021; 99354 to 2022. Ahead of the year the services are of the years before."""
    services = """
        member_id | hcpcs | service_date
        m1        | 99439 | 2020-10-01
        m2        | 99439 | 2019-10-01
        m3        | 99354 | 2021-10-01
        m4        | 99213 | 2019-09-30
        m5        | 99213 | 2020-09-30
        m6        | 99213 | 2020-10-01
    """
    ahead = Attribution("mssp", "prospective", participants_as_of="start_of_year", shared_participants="exclude")
    by_service = Attribution("mssp", "prospective", code_year="service", participants_as_of="start_of_year")
    found = """
        performance_year | member_id | winner
        2021 | m1 | -
        2021 | m2 | {m2}
        2021 | m3 | -
        2021 | m4 | -
        2021 | m5 | A
        2021 | m6 | -
        2023 | m1 | -
        2023 | m2 | -
        2023 | m3 | {m3}
        2023 | m4 | -
        2023 | m5 | -
        2023 | m6 | -
    """
    whose(services, found.format(m2="A", m3="-"), policy=ahead, years=(2021, 2023))
    whose(services, found.format(m2="-", m3="A"), policy=by_service, years=(2021, 2023))


def test_conditions_of_place_on_codes_hold_in_their_years_and_kinds(whose):
    """Nursing visits in a SNF, home visits anywhere but at home to 2022, prolonged services without their base code,
    advance care planning in a hospital from 2021."""
    whose(
        """
        member_id   | hcpcs | place_of_service | in_snf | in_inpatient | has_base_code | line_kind    | ccn | service_date
        n31         | 99304 | 31               | false  | false        | true          | professional | ''  | 2021-05-05
        n32         | 99304 | 32               | false  | false        | true          | professional | ''  | 2021-05-05
        n_stay      | 99318 | 32               | true   | false        | true          | professional | ''  | 2021-05-05
        n_clinic    | 99310 | 31               | false  | false        | true          | clinic       | CA  | 2021-05-05
        n_cah       | 99310 | 31               | true   | false        | true          | cah          | CA  | 2021-05-05
        n_2018      | 99304 | 32               | true   | false        | true          | professional | ''  | 2018-05-05
        n31_2018    | 99304 | 31               | false  | false        | true          | professional | ''  | 2018-05-05
        n31_2016    | 99304 | 31               | true   | false        | true          | professional | ''  | 2016-05-05
        visit_31    | 99213 | 31               | true   | false        | true          | professional | ''  | 2021-05-05
        home        | 99341 | 12               | false  | false        | true          | professional | ''  | 2021-05-05
        not_home    | 99350 | 13               | false  | false        | true          | professional | ''  | 2022-05-05
        home_2023   | 99350 | 13               | false  | false        | true          | professional | ''  | 2023-05-05
        home_2018   | 99350 | 13               | false  | false        | true          | professional | ''  | 2018-05-05
        home_cah    | 99350 | 13               | false  | false        | true          | cah          | CA  | 2021-05-05
        alone       | 99354 | 11               | false  | false        | false         | professional | ''  | 2021-05-05
        with_base   | 99355 | 11               | false  | false        | true          | professional | ''  | 2021-05-05
        plan_21     | 99497 | 21               | false  | false        | true          | professional | ''  | 2021-05-05
        plan_stay   | 99498 | 11               | false  | true         | true          | professional | ''  | 2021-05-05
        plan_2020   | 99497 | 21               | false  | true         | true          | professional | ''  | 2020-05-05
        plan_office | 99497 | 11               | true   | false        | true          | professional | ''  | 2021-05-05
        """,
        "performance_year | member_id | winner\n"
        + "\n".join(
            f"{year} | {member} | {'A' if member in counts and its == year else '-'}"
            for year in (2016, 2018, 2020, 2021, 2022, 2023)
            for member, its in PLACED.items()
            for counts in [COUNTS]
        ),
        years=(2016, 2018, 2020, 2021, 2022, 2023),
    )


PLACED = {
    "n31": 2021, "n32": 2021, "n_stay": 2021, "n_clinic": 2021, "n_cah": 2021, "n_2018": 2018, "n31_2018": 2018,
    "n31_2016": 2016, "visit_31": 2021, "home": 2021, "not_home": 2022, "home_2023": 2023, "home_2018": 2018,
    "home_cah": 2021, "alone": 2021, "with_base": 2021, "plan_21": 2021, "plan_stay": 2021, "plan_2020": 2020,
    "plan_office": 2021,
}  # fmt: skip
"""The year of each line above."""
COUNTS = {
    "n32", "n_cah", "n_2018", "n31_2016", "visit_31", "home", "home_2023", "home_2018", "home_cah", "with_base",
    "plan_2020", "plan_office",
}  # fmt: skip


def test_the_specialty_is_the_lines_own_else_that_of_the_npi_in_the_directory(whose):
    whose(
        """
        member_id | specialty | npi
        padded    | 8         | N0
        own       | 02        | N1
        blank     | ''        | N1
        text      | ''        | N2
        short     | ''        | N3
        unknown   | ''        | N4
        """,
        "member_id | winner\npadded | A\nown | -\nblank | A\ntext | -\nshort | -\nunknown | -",
        providers="npi | specialty\nN1 | 11\nN2 | Family practice\nN3 | 8",
    )


def test_a_line_is_the_networks_of_its_tax_number_or_facility_whatever_npi_stands_on_the_row(whose):
    """An NPI alone matches nothing; a line without the id that its kind needs is nobody's."""
    whose(
        """
        member_id   | line_kind    | tin | ccn | npi
        other_npi   | professional | TB  | ''  | N7
        npi_alone   | professional | X   | ''  | NX
        no_tin      | professional | ''  | CA  | N1
        ccn         | clinic       | TB  | CA  | N1
        no_ccn      | clinic       | TA  | ''  | N1
        outside     | clinic       | TA  | CX  | N1
        """,
        """
        member_id | winner | practice_tin
        other_npi | B      | TB
        npi_alone | TIN:X  | UNATTRIBUTED
        no_tin    | -      | UNATTRIBUTED
        ccn       | A      | TB
        no_ccn    | -      | UNATTRIBUTED
        outside   | CCN:CX | UNATTRIBUTED
        """,
    )


def test_the_list_of_the_year_is_that_of_its_first_day_and_an_id_on_two_lists_is_left_out(whose):
    roster = """
        network_id | tin | npi | ccn | start_date | end_date
        A          | T1  | ''  | ''  | 2021-01-02 | 9999-12-31
        A          | T2  | ''  | ''  | 1900-01-01 | 2021-01-01
        A          | T3  | ''  | ''  | 1900-01-01 | 9999-12-31
        B          | T3  | N9  | ''  | 1900-01-01 | 2021-03-31
        B          | ''  | ''  | C3  | 1900-01-01 | 9999-12-31
        A          | ''  | ''  | C3  | 1900-01-01 | 9999-12-31
    """
    services = """
        member_id | tin | line_kind    | ccn
        joined    | T1  | professional | ''
        left      | T2  | professional | ''
        shared    | T3  | professional | ''
        facility  | ''  | clinic       | C3
    """
    expected = """
        member_id | winner   | unattributed_reason
        joined    | {joined} | {joined_reason}
        left      | {left}   | {left_reason}
        shared    | {shared} | {shared_reason}
        facility  | {facility} | {facility_reason}
    """
    outside = "OUTSIDE_PLURALITY"
    whose(
        services,
        expected.format(
            joined="TIN:T1", joined_reason=outside, left="A", left_reason="-", shared="-",
            shared_reason="NO_PRIMARY_CARE", facility="-", facility_reason="NO_PRIMARY_CARE",
        ),
        network_roster=roster,
    )  # fmt: skip
    whose(
        services,
        expected.format(
            joined="A", joined_reason="-", left="TIN:T2", left_reason=outside, shared="A", shared_reason="-",
            facility="A", facility_reason="-",
        ),
        network_roster=roster,
        policy=Attribution("mssp", "retrospective"),
    )  # fmt: skip


def test_the_first_test_of_assignability_that_fails_is_the_reason(whose):
    """Months of the window up to that of death, each by its first day; neither Part is no coverage."""
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage | resides_in_us
        died      | 2015-01-01 | 9999-12-31 | true       | true       | false                 | true
        lived_on  | 2015-01-01 | 9999-12-31 | true       | true       | false                 | true
        none      | 2021-03-02 | 2021-03-31 | true       | true       | false                 | true
        neither   | 2021-01-01 | 2021-06-30 | false      | false      | false                 | true
        untold    | 2021-01-01 | 2021-06-30 | -          | -          | -                     | -
        a_only    | 2015-01-01 | 2021-11-30 | true       | true       | true                  | true
        a_only    | 2021-12-01 | 9999-12-31 | true       | false      | false                 | true
        gap       | 2015-01-01 | 2021-03-31 | true       | true       | false                 | -
        gap       | 2021-06-01 | 2021-09-30 | false      | false      | true                  | false
        managed   | 2015-01-01 | 2021-06-15 | true       | true       | false                 | false
        managed   | 2021-06-16 | 2021-07-01 | true       | true       | true                  | false
        mid_month | 2015-01-01 | 2021-06-01 | true       | true       | false                 | true
        mid_month | 2021-06-02 | 2021-06-30 | true       | true       | true                  | true
        abroad    | 2015-01-01 | 2021-06-30 | true       | true       | false                 | true
        abroad    | 2021-07-01 | 2021-08-31 | true       | true       | false                 | false
        returned  | 2015-01-01 | 2021-06-30 | true       | true       | false                 | false
        returned  | 2021-07-01 | 9999-12-31 | true       | true       | false                 | true
        dies_home | 2015-01-01 | 2021-06-30 | true       | true       | false                 | true
        dies_home | 2021-07-01 | 9999-12-31 | false      | true       | true                  | false
        not_here  | 2015-01-01 | 2020-12-31 | true       | true       | false                 | true
    """
    members = {row[0] for row in rows_of(spans)[1:]}
    whose(
        "member_id\n" + "\n".join(sorted(members)),
        """
        member_id | network_id   | unattributed_reason
        died      | UNATTRIBUTED | DECEASED
        lived_on  | A            | -
        none      | UNATTRIBUTED | NO_A_AND_B_MONTH
        neither   | UNATTRIBUTED | NO_A_AND_B_MONTH
        untold    | UNATTRIBUTED | NO_A_AND_B_MONTH
        a_only    | UNATTRIBUTED | A_ONLY_OR_B_ONLY
        gap       | A            | -
        managed   | UNATTRIBUTED | MEDICARE_ADVANTAGE
        mid_month | A            | -
        abroad    | UNATTRIBUTED | NON_US_RESIDENT
        returned  | A            | -
        dies_home | A            | -
        """,
        spans=spans,
        members="member_id | death_date\ndied | 2020-12-31\nlived_on | 2021-01-01\ndies_home | 2021-06-01",
    )


def test_ahead_of_the_year_the_tests_look_at_the_window_and_not_at_the_year(whose):
    ahead = Attribution("mssp", "prospective", participants_as_of="start_of_year", shared_participants="exclude")
    whose(
        "member_id | service_date\nm | 2020-05-05\nlater | 2020-05-05\ndied | 2020-05-05",
        """
        member_id | network_id   | unattributed_reason
        m         | A            | -
        later     | UNATTRIBUTED | NO_A_AND_B_MONTH
        died      | UNATTRIBUTED | DECEASED
        """,
        policy=ahead,
        spans="""
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage
        m         | 2019-10-01 | 2020-09-30 | true       | true       | false
        m         | 2020-10-01 | 9999-12-31 | true       | true       | true
        later     | 2020-10-01 | 9999-12-31 | true       | true       | false
        died      | 2015-01-01 | 9999-12-31 | true       | true       | false
        """,
        members="member_id | death_date\ndied | 2019-09-30",
    )


def test_from_2025_who_has_a_physician_in_no_network_goes_by_24_months_where_a_network_had_one(whose):
    """The network needs a non-physician in the 12 months and a physician in the 24; every candidate competes by all
    charges, and who wins without both is not given the member."""
    services = """
        member_id | tin | specialty | service_date | allowed_amount
        third     | TA  | 50        | 2025-05-05   | 10.00
        third     | TA  | 06        | 2024-01-01   | 100.00
        third     | X   | 11        | 2025-05-05   | 109.00
        outside   | TA  | 50        | 2025-05-05   | 10.00
        outside   | TA  | 06        | 2024-01-01   | 100.00
        outside   | X   | 06        | 2024-05-05   | 111.00
        too_early | TA  | 50        | 2025-05-05   | 10.00
        too_early | TA  | 06        | 2023-12-31   | 100.00
        seen      | TA  | 50        | 2025-05-05   | 10.00
        seen      | TA  | 11        | 2024-05-05   | 10.00
        seen      | TB  | 06        | 2025-05-05   | 1.00
        no_nurse  | TA  | 50        | 2024-05-05   | 10.00
        no_nurse  | TA  | 11        | 2024-05-05   | 10.00
        no_nurse  | TB  | 50        | 2025-05-05   | 1.00
        other     | TA  | 50        | 2025-05-05   | 10.00
        other     | TA  | 11        | 2024-05-05   | 10.00
        other     | TB  | 11        | 2024-05-05   | 30.00
    """
    whose(
        services,
        """
        member_id | network_id   | winner | step   | measure_amount | runner_up_amount | unattributed_reason
        third     | A            | A      | step_3 | 110.00         | 109.00           | -
        outside   | UNATTRIBUTED | TIN:X  | step_3 | 111.00         | 110.00           | OUTSIDE_PLURALITY
        too_early | UNATTRIBUTED | A      | step_1 | 10.00          | -                | NO_PHYSICIAN_SERVICE
        seen      | UNATTRIBUTED | A      | step_1 | 10.00          | -                | NO_PHYSICIAN_SERVICE
        no_nurse  | UNATTRIBUTED | B      | step_1 | 1.00           | -                | NO_PHYSICIAN_SERVICE
        other     | UNATTRIBUTED | B      | step_3 | 30.00          | 20.00            | NO_PHYSICIAN_SERVICE
        """,
        years=(2025,),
    )


def test_a_supplied_network_goes_first_for_who_may_be_assigned_and_one_outside_keeps_the_member_out(whose):
    voluntary = Attribution(
        "mssp", "retrospective", participants_as_of="start_of_year", shared_participants="exclude", voluntary=True
    )
    services = "member_id\nlisted\nout\nclaims\nnot_able\nlast_year"
    listed = """
        performance_year | member_id | network_id | physician_npi | practice_tin | months
        2021             | listed    | B          | N5            | ''           | 4095
        2021             | out       | Z          | ''            | ''           | 4095
        2021             | not_able  | B          | N5            | TB           | 4095
        2020             | last_year | B          | N5            | TB           | 4095
    """
    spans = covered("listed", "out", "claims", "last_year") + "\nnot_able | 2021-01-01 | 9999-12-31 | true | false"
    expected = """
        member_id | network_id   | practice_tin | physician_npi | winner | step      | measure_amount | unattributed_reason
        listed    | B            | UNATTRIBUTED | N5            | B      | voluntary | -              | -
        out       | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED  | -      | -         | -              | VOLUNTARY_OUTSIDE
        claims    | A            | TA           | N1            | A      | step_1    | 100.00         | -
        not_able  | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED  | -      | -         | -              | NO_A_AND_B_MONTH
        last_year | A            | TA           | N1            | A      | step_1    | 100.00         | -
    """
    whose(services, expected, policy=voluntary, spans=spans, member_attribution=listed)
    off = "member_id | winner\nlisted | A\nout | A\nclaims | A\nnot_able | -\nlast_year | A"
    whose(services, off, spans=spans, member_attribution=listed)


def test_who_is_in_another_initiative_that_year_is_nobodys_after_the_test_of_part_c_and_before_that_of_residence(whose):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b | in_medicare_advantage | resides_in_us
        elsewhere | 2021-01-01 | 2021-12-31 | true       | true       | false                 | false
        managed   | 2021-01-01 | 2021-12-31 | true       | true       | true                  | true
        last_year | 2021-01-01 | 2021-12-31 | true       | true       | false                 | true
    """
    listed = "performance_year | member_id\n2021 | elsewhere\n2021 | managed\n2020 | last_year"
    expected = """
        member_id | network_id   | unattributed_reason
        elsewhere | UNATTRIBUTED | OTHER_INITIATIVE
        managed   | UNATTRIBUTED | MEDICARE_ADVANTAGE
        last_year | A            | -
    """
    whose("member_id\nelsewhere\nmanaged\nlast_year", expected, spans=spans, other_initiatives=listed)


def test_settings_say_which_visits_whose_specialty_which_networks_and_what_charge_count(whose):
    """One member for each setting, in one group of lines; each policy differs from the first by one setting."""
    services = """
        member_id | hcpcs | in_snf | specialty | tin | allowed_amount
        stay      | 99304 | true   | 11        | TA  | 100.00
        directory | 99213 | false  | ''        | TA  | 100.00
        of_b      | 99213 | false  | 11        | TB  | 100.00
        small     | 99213 | false  | 11        | TA  | 10.00
    """
    usual = "member_id | winner\nstay | -\ndirectory | A\nof_b | B\nsmall | A"
    given = {
        "providers": "npi | specialty\nN1 | 11",
        "network_roster": """
            network_id | network_type | tin | npi | ccn | start_date | end_date
            A          | MSSP         | TA  | ''  | ''  | 1900-01-01 | 9999-12-31
            B          | REACH        | TB  | ''  | ''  | 1900-01-01 | 9999-12-31
        """,
    }
    for setting, expected in (
        ({}, usual),
        ({"snf_exclusion": "place"}, usual.replace("stay | -", "stay | A")),
        ({"specialty_fallback": False}, usual.replace("directory | A", "directory | -")),
        ({"network_types": ("MSSP", "OTHER")}, usual.replace("of_b | B", "of_b | TIN:TB")),
        ({"min_charge": 10.0}, usual.replace("small | A", "small | -")),
        ({"min_charge": 9.99}, usual),
    ):
        whose(services, expected, policy=replace(MSSP, **setting), **given)


def test_every_member_covered_in_a_told_month_of_the_year_has_a_row_and_nobody_else(whose):
    spans = """
        member_id | span_start | span_end   | has_part_a | has_part_b
        one_day   | 2021-12-31 | 2021-12-31 | true       | true
        before    | 2020-01-01 | 2020-12-31 | true       | true
        untold    | 2021-01-01 | 2021-01-31 | true       | true
    """
    whose(
        "member_id\nbefore\nnot_there",
        "member_id | network_id   | unattributed_reason\none_day | UNATTRIBUTED | NO_A_AND_B_MONTH",
        spans=spans,
        told_months=[(date(2021, 2, 1), date(2021, 12, 1))],
    )
