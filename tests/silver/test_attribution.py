"""Whose member it is: plurality and the payer's list, tie by tie (design section 3.3)."""

import pytest

from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from tests.attributions import attributed
from tests.tables import assert_table, rows_of

CODES = """
    program   | hcpcs | first_year | last_year
    plurality | 99213 | 2019       | 2023
    plurality | G2211 | 2022       | 2023
    mssp      | G0101 | 2019       | 2023
"""
ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date
    NET_A      | TA  | ''  | ''  | 1900-01-01 | 9999-12-31
    NET_B      | TB  | ''  | ''  | 1900-01-01 | 9999-12-31
"""


def services(written: str) -> str:
    """The written columns with what they leave out: a professional line of an office visit."""
    heading, *rows = rows_of(written)
    usual = {"line_kind": "professional", "hcpcs": "99213", "npi": "N1", "service_date": "2021-05-05"}
    more = {name: value for name, value in usual.items() if name not in heading}
    lines = [[*heading, *more], *[[*row, *more.values()] for row in rows]]
    return "\n".join(" | ".join(line) for line in lines)


@pytest.fixture
def whose(spark):
    def check(lines, expected, *, roster=ROSTER, years=(2021,), listed="", policy=None, spans=None):
        built = attributed(
            spark,
            [policy or Policy("p")],
            years,
            primary_care_services=services(lines),
            network_roster=roster,
            member_attribution=listed or "member_id",
            primary_care_hcpcs=CODES,
            eligibility_spans=spans or "member_id",
        )
        assert_table(built, ATTRIBUTION, spark, expected)

    return check


def test_the_candidate_with_most_allowed_charges_wins_and_a_network_adds_up_all_its_practices(whose):
    whose(
        """
        member_id | tin | npi | allowed_amount
        m1        | TA1 | N1  | 60.00
        m1        | TA2 | N2  | 50.00
        m1        | TB  | N3  | 100.00
        """,
        """
        member_id | network_id | practice_tin | physician_npi | measure_amount | runner_up_network_id | runner_up_amount | winner
        m1        | NET_A      | TA1          | N1            | 110.00         | NET_B                | 100.00           | NET_A
        """,
        roster="""
        network_id | tin | npi | ccn | start_date | end_date
        NET_A      | TA1 | ''  | ''  | 1900-01-01 | 9999-12-31
        NET_A      | TA2 | ''  | ''  | 1900-01-01 | 9999-12-31
        NET_B      | TB  | ''  | ''  | 1900-01-01 | 9999-12-31
        """,
    )


def test_every_tax_number_outside_the_networks_is_a_candidate_of_its_own_and_its_members_are_unattributed(whose):
    whose(
        """
        member_id | tin | allowed_amount
        outside   | X1  | 100.01
        outside   | TA  | 100.00
        inside    | X1  | 60.00
        inside    | X2  | 60.00
        inside    | TA  | 100.00
        """,
        """
        member_id | network_id   | practice_tin | physician_npi | measure_amount | runner_up_network_id | winner
        outside   | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED  | 100.01         | NET_A                | TIN:X1
        inside    | NET_A        | TA           | N1            | 100.00         | TIN:X1               | NET_A
        """,
    )


def test_a_tie_goes_to_the_latest_service_then_a_network_before_a_tax_number_then_the_lowest_network_id(whose):
    whose(
        """
        member_id | tin | allowed_amount | service_date
        latest    | TA  | 100.00         | 2021-06-01
        latest    | X1  | 90.00          | 2021-01-01
        latest    | X1  | 10.00          | 2021-06-02
        network   | TB  | 100.00         | 2021-06-01
        network   | 000 | 100.00         | 2021-06-01
        lowest    | TB  | 100.00         | 2021-06-01
        lowest    | TA  | 100.00         | 2021-06-01
        tins      | X2  | 100.00         | 2021-06-01
        tins      | X10 | 100.00         | 2021-06-01
        """,
        """
        member_id | network_id   | winner
        latest    | UNATTRIBUTED | TIN:X1
        network   | NET_B        | NET_B
        lowest    | NET_A        | NET_A
        tins      | UNATTRIBUTED | TIN:X10
        """,
    )


def test_physician_and_practice_have_most_inside_the_network_each_by_itself_ties_by_latest_then_lowest(whose):
    """What a physician did outside the winning network does not count; a blank NPI is nobody."""
    whose(
        """
        member_id | tin | npi | allowed_amount | service_date
        by_itself | TA1 | N1  | 40.00          | 2021-05-05
        by_itself | TA2 | N2  | 30.00          | 2021-05-05
        by_itself | TA2 | N3  | 30.00          | 2021-05-06
        outside   | TA1 | N2  | 40.00          | 2021-05-05
        outside   | TA1 | N1  | 30.00          | 2021-05-05
        outside   | X1  | N1  | 30.00          | 2021-05-05
        latest    | TA1 | N1  | 40.00          | 2021-05-05
        latest    | TA1 | N2  | 40.00          | 2021-05-06
        lowest    | TA1 | N2  | 40.00          | 2021-05-05
        lowest    | TA1 | N10 | 40.00          | 2021-05-05
        nobody    | TA1 | ''  | 90.00          | 2021-05-05
        nobody    | TA1 | N5  | 10.00          | 2021-05-05
        none      | TA1 | ''  | 90.00          | 2021-05-05
        """,
        """
        member_id | network_id | practice_tin | physician_npi
        by_itself | NET_A      | TA2          | N1
        outside   | NET_A      | TA1          | N2
        latest    | NET_A      | TA1          | N2
        lowest    | NET_A      | TA1          | N10
        nobody    | NET_A      | TA1          | N5
        none      | NET_A      | TA1          | UNATTRIBUTED
        """,
        roster="""
        network_id | tin | npi | ccn | start_date | end_date
        NET_A      | TA1 | ''  | ''  | 1900-01-01 | 9999-12-31
        NET_A      | TA2 | ''  | ''  | 1900-01-01 | 9999-12-31
        """,
    )


def test_only_professional_lines_above_zero_with_a_code_of_the_year_count(whose):
    whose(
        """
        member_id | tin | allowed_amount | hcpcs | line_kind
        zero      | TA  | 0.00           | 99213 | professional
        clinic    | TA  | 100.00         | 99213 | clinic
        no_code   | TA  | 100.00         | 99281 | professional
        not_yet   | TA  | 100.00         | G2211 | professional
        program   | TA  | 100.00         | G0101 | professional
        counts    | TA  | 0.01           | 99213 | professional
        counts    | TB  | 0.00           | 99213 | professional
        """,
        """
        member_id | network_id | measure_amount | runner_up_network_id
        counts    | NET_A      | 0.01           | -
        """,
    )


def test_services_of_the_performance_year_count_from_its_first_to_its_last_day(whose):
    lines = """
        member_id | tin | allowed_amount | service_date | hcpcs
        m1        | TA  | 1.00           | 2020-12-31   | 99213
        m1        | TA  | 2.00           | 2021-01-01   | 99213
        m1        | TA  | 4.00           | 2021-12-31   | 99213
        m1        | TA  | 8.00           | 2022-01-01   | G2211
    """
    whose(
        lines,
        """
        performance_year | member_id | measure_amount
        2021             | m1        | 6.00
        2022             | m1        | 8.00
        """,
        years=(2021, 2022),
    )


def test_services_of_the_alignment_window_count_where_the_policy_says_so(whose):
    """24 months, lag 6, for 2021: July 2019 to June 2021; the codes are those of the performance year."""
    policy = Policy("p", Eligibility(lag_months=6), attribution=Attribution(window="alignment_window"))
    lines = """
        member_id | tin | allowed_amount | service_date
        m1        | TA  | 1.00           | 2019-06-30
        m1        | TA  | 2.00           | 2019-07-01
        m1        | TA  | 4.00           | 2021-06-30
        m1        | TA  | 8.00           | 2021-07-01
    """
    whose(lines, "member_id | performance_year | measure_amount\nm1 | 2021 | 6.00", policy=policy)


def test_a_line_belongs_to_the_network_whose_roster_is_in_effect_on_its_day_and_rows_with_a_facility_match_none(
    whose,
):
    whose(
        """
        member_id | tin | npi | allowed_amount | service_date
        moved     | T1  | N1  | 40.00          | 2021-06-30
        moved     | T1  | N1  | 60.00          | 2021-07-01
        facility  | T2  | N2  | 60.00          | 2021-07-01
        shared    | T3  | N3  | 60.00          | 2021-07-01
        by_npi    | T4  | N4  | 60.00          | 2021-07-01
        by_npi    | T4  | N5  | 70.00          | 2021-07-01
        """,
        """
        member_id | network_id   | winner | measure_amount | runner_up_network_id
        moved     | NET_B        | NET_B  | 60.00          | NET_A
        facility  | UNATTRIBUTED | TIN:T2 | 60.00          | -
        shared    | NET_A        | NET_A  | 60.00          | -
        by_npi    | UNATTRIBUTED | TIN:T4 | 70.00          | NET_B
        """,
        roster="""
        network_id | tin | npi | ccn | start_date | end_date
        NET_A      | T1  | ''  | ''  | 1900-01-01 | 2021-06-30
        NET_B      | T1  | ''  | ''  | 2021-07-01 | 9999-12-31
        NET_A      | T2  | ''  | C2  | 1900-01-01 | 9999-12-31
        NET_B      | T3  | ''  | ''  | 1900-01-01 | 9999-12-31
        NET_A      | T3  | N3  | ''  | 1900-01-01 | 9999-12-31
        NET_B      | T4  | N4  | ''  | 1900-01-01 | 9999-12-31
        """,
    )


def test_the_payers_list_is_taken_as_supplied_and_of_two_networks_the_one_with_most_months_then_the_lowest_has_the_member(
    whose,
):
    whose(
        "member_id | tin | allowed_amount\nm1 | TA | 100.00",
        """
        member_id | performance_year | network_id | physician_npi | practice_tin | method | measure_amount | runner_up_amount
        m1        | 2021             | NET_B      | N7            | T7           | roster | -              | -
        two       | 2021             | NET_A      | N2            | UNATTRIBUTED | roster | -              | -
        moved     | 2021             | NET_B      | N9            | UNATTRIBUTED | roster | -              | -
        blank     | 2021             | NET_A      | UNATTRIBUTED  | UNATTRIBUTED | roster | -              | -
        doctors   | 2021             | NET_A      | N1            | UNATTRIBUTED | roster | -              | -
        """,
        listed="""
        performance_year | member_id | network_id | physician_npi | practice_tin | months
        2021             | m1        | NET_B      | N7            | T7           | 4095
        2020             | m1        | NET_A      | N7            | T7           | 4095
        2021             | two       | NET_B      | N1            | ''           | 4095
        2021             | two       | NET_A      | N2            | ''           | 4095
        2021             | moved     | NET_A      | N1            | ''           | 7
        2021             | moved     | NET_B      | N2            | ''           | 24
        2021             | moved     | NET_B      | N1            | ''           | 96
        2021             | moved     | NET_B      | N9            | ''           | 3968
        2021             | blank     | NET_A      | ''            | ''           | 4095
        2021             | doctors   | NET_A      | N2            | ''           | 4095
        2021             | doctors   | NET_A      | N1            | ''           | 4095
        """,
        policy=Policy("p", attribution=Attribution("roster")),
    )


def test_whom_the_method_finds_for_no_network_has_the_reason_and_who_is_covered_has_a_row(whose):
    """The services of a member who is not covered in the year still make a row, as ever."""
    spans = "member_id | span_start | span_end\nnothing | 2021-12-31 | 2022-01-01\nwon | 2021-01-01 | 2021-01-01"
    whose(
        """
        member_id | tin | allowed_amount
        won       | TA  | 100.00
        won       | X1  | 40.00
        outside   | X1  | 100.00
        """,
        """
        member_id | network_id   | step      | winner | margin | unattributed_reason
        won       | NET_A        | plurality | NET_A  | 60.00  | -
        outside   | UNATTRIBUTED | plurality | TIN:X1 | -      | OUTSIDE_PLURALITY
        nothing   | UNATTRIBUTED | -         | -      | -      | NO_PRIMARY_CARE
        """,
        spans=spans,
    )
    whose(
        "member_id | tin | allowed_amount\nwon | TA | 100.00",
        """
        member_id | network_id   | step   | winner       | unattributed_reason
        won       | NET_B        | roster | NET_B        | -
        nothing   | UNATTRIBUTED | -      | -            | NOT_ON_ROSTER
        named     | UNATTRIBUTED | roster | UNATTRIBUTED | OUTSIDE_PLURALITY
        """,
        spans=spans,
        listed="""
        performance_year | member_id | network_id   | months
        2021             | won       | NET_B        | 4095
        2021             | named     | UNATTRIBUTED | 4095
        """,
        policy=Policy("p", attribution=Attribution("roster")),
    )


def test_the_roster_of_the_years_first_day_and_ids_on_two_rosters_may_be_asked_for_by_plurality_too(whose):
    roster = """
        network_id | tin | npi | ccn | start_date | end_date
        NET_A      | T1  | ''  | ''  | 1900-01-01 | 2021-02-28
        NET_B      | T1  | ''  | ''  | 2021-03-01 | 9999-12-31
        NET_A      | T2  | ''  | ''  | 1900-01-01 | 9999-12-31
        NET_B      | T2  | N2  | ''  | 1900-01-01 | 9999-12-31
    """
    whose(
        "member_id | tin | npi | allowed_amount\nmoved | T1 | N1 | 1.00\nshared | T2 | N2 | 1.00\none | T2 | N1 | 1.00",
        "member_id | winner\nmoved | NET_A\none | NET_A",
        roster=roster,
        policy=Policy("p", attribution=Attribution(participants_as_of="start_of_year", shared_participants="exclude")),
    )
