"""What the programs' methods ask of a run, and what it says of their lists and lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.config import Reference, RunConfig, Source, Warehouse, load_policy
from pmpm_spark.errors import InputError
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.policy import Attribution, Policy
from pmpm_spark.program_checks import check_code_sets, program_notices
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.store import Store
from tests.tables import frame


def config_of(
    *policies: Policy, years: tuple[int, ...] = (2021,), path: str = "w", folder: str | None = None
) -> RunConfig:
    return RunConfig(Source("rif", "in"), Warehouse(path), years, policies, Reference(folder))


def refused(*policies: Policy, years: tuple[int, ...], folder: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        check_code_sets(config_of(*policies, years=years, folder=folder))
    return str(caught.value)


def test_a_year_without_a_code_set_or_an_alignment_period_is_refused_with_table_program_and_year() -> None:
    mssp, reach = load_policy("mssp"), load_policy("reach")
    more = "which policy {0} asks for; add it in a folder named in [reference] path"
    assert refused(mssp, years=(2025, 2026)) == (
        f"primary_care_hcpcs: program mssp has no row for 2026, {more.format('mssp')}"
    )
    assert refused(mssp, reach, years=(2018,)) == (
        f"alignment_periods: program reach has no row for 2018, {more.format('reach')}"
    )
    check_code_sets(config_of(mssp, years=(2016, 2025)))
    check_code_sets(config_of(reach, years=(2019, 2025)))
    check_code_sets(config_of(Policy("default"), Policy("list", attribution=Attribution("roster")), years=(2008,)))


def test_codes_by_the_year_of_service_are_asked_for_in_the_years_of_the_window() -> None:
    by_service = Policy("ahead", attribution=Attribution("mssp", "prospective", code_year="service"))
    assert refused(by_service, years=(2017,)).startswith("primary_care_hcpcs: program mssp has no row for 2015, ")
    check_code_sets(config_of(by_service, years=(2018,)))
    two_years = Policy("aligned", attribution=Attribution("reach", code_year="service"))
    check_code_sets(config_of(two_years, years=(2019,)))


def test_a_year_may_be_supplied(tmp_path: Path) -> None:
    codes = "program,hcpcs,first_year,last_year,source\nmssp,99213,2026,2026,ours\nreach,99213,2026,2026,ours\n"
    (tmp_path / "primary_care_hcpcs.csv").write_text(codes)
    check_code_sets(config_of(load_policy("mssp"), years=(2026,), folder=str(tmp_path)))
    assert refused(load_policy("reach"), years=(2026,), folder=str(tmp_path)).startswith("alignment_periods: ")
    names = "program,performance_year,earlier_first,earlier_last,recent_first,recent_last,first_month,source\n"
    row = "reach,2026,2023-07-01,2024-06-30,2024-07-01,2025-06-30,2026-01-01,ours\n"
    (tmp_path / "alignment_periods.csv").write_text(names + row)
    check_code_sets(config_of(load_policy("reach"), years=(2026,), folder=str(tmp_path)))
    (tmp_path / "alignment_periods.csv").write_text(names + row.replace("2023-07-01", "July"))
    assert refused(load_policy("reach"), years=(2026,), folder=str(tmp_path)).endswith(
        "alignment_periods.csv line 2: earlier_first is no date (YYYY-MM-DD)"
    )


ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date
    A          | T1  | N1  | ''  | 1900-01-01 | 9999-12-31
    B          | T1  | N2  | ''  | 1900-01-01 | 2021-03-31
    C          | T2  | ''  | ''  | 1900-01-01 | 2021-03-31
    B          | T2  | N1  | ''  | 1900-01-01 | 2020-12-31
    A          | T2  | N3  | ''  | 2021-01-01 | 9999-12-31
    A          | ''  | ''  | C1  | 1900-01-01 | 9999-12-31
    B          | ''  | ''  | C1  | 2021-01-02 | 9999-12-31
    B          | ''  | N8  | ''  | 1900-01-01 | 9999-12-31
    A          | ''  | N9  | ''  | 1900-01-01 | 9999-12-31
"""
SERVICES = """
    member_id | line_kind        | tin | ccn | allowed_amount
    m1        | professional     | T1  | ''  | 1.00
    m2        | professional     | ''  | C1  | 1.00
    m3        | clinic           | ''  | C1  | 1.00
    m4        | clinic           | T1  | ''  | 1.00
    m5        | cah              | T1  | ''  | 1.00
    m6        | other_outpatient | T1  | ''  | 1.00
    m7        | cah              | T1  | C1  | 0.00
    m8        | other_outpatient | T1  | CE  | 0.00
    m9        | other_outpatient | T1  | C1  | 0.00
    m0        | professional     | T1  | ''  | 0.00
"""


@pytest.mark.delta
def test_ids_on_two_lists_rows_that_match_nothing_and_lines_that_are_nobodys_are_told(
    spark: SparkSession, tmp_path: Path
) -> None:
    """On the day of the list: C1 is shared the day after, T2's N1 the year before."""
    store = Store(spark, Warehouse(str(tmp_path / "w")))
    store.publish(NETWORK_ROSTER, frame(spark, NETWORK_ROSTER, ROSTER))
    key = {"npi": "N1", "specialty": "11", "hcpcs": "99213"}
    heading, *rows = [line.strip() for line in SERVICES.strip().splitlines()]
    more = {**key, "service_date": "2021-05-05", "place_of_service": "11"}
    more |= dict.fromkeys(("in_snf", "in_inpatient", "has_base_code"), "false")
    written = [f"{heading} | {' | '.join(more)}", *[f"{row} | {' | '.join(more.values())}" for row in rows]]
    store.publish(PRIMARY_CARE_SERVICES, frame(spark, PRIMARY_CARE_SERVICES, "\n".join(written)))
    (tmp_path / "eta_hospitals.csv").write_text("ccn,first_year,last_year\nCE,2021,2021\n")
    by_line = Policy("by line", attribution=Attribution("mssp"))

    def notices(*policies: Policy) -> list[str]:
        return program_notices(store, config_of(*policies, path=str(tmp_path / "w"), folder=str(tmp_path)))

    assert notices(Policy("default")) == []
    assert notices(load_policy("mssp"), load_policy("reach")) == [
        "policy mssp: 2 participants stand on two networks' lists, and their lines are left out: "
        "TIN T1 (A, B), TIN T2 (A, C)",
        # the list of reach is that of April 2021
        "policy reach: 1 participants stand on two networks' lists, and their lines go to the lowest network_id: "
        "CCN C1 (A, B)",
        "policy mssp, reach: roster rows with an NPI alone match no line: NPI N8, NPI N9",
        "policy mssp, reach: 3 primary care services without the tax number or facility that bills them are nobody's",
        "policy mssp, reach: 2 services of critical access or ETA hospitals carry no charge and do not count; "
        "their claims may carry it on the first line",
    ]
    of_other_types = Policy("of others", attribution=Attribution("mssp", network_types=("MSSP",)))
    assert not any("two networks" in notice for notice in notices(of_other_types)), "all networks are OTHER here"
    assert notices(by_line)[0] == (
        "policy by line: 3 participants stand on two networks' lists, and their lines go to the lowest network_id: "
        "CCN C1 (A, B), TIN T1 (A, B), TIN T2 (A, B, C)"
    )
