"""What the programs' methods of attribution ask of a run, and what it says of them. Provider ids are no member data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig
from pmpm_spark.errors import InputError
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.months import number_of
from pmpm_spark.policy import Policy
from pmpm_spark.reference import (
    ALIGNMENT_PERIODS,
    ETA_HOSPITALS,
    PRIMARY_CARE_HCPCS,
    alignment_periods,
    reference_rows,
)
from pmpm_spark.silver.counted_services import of_types, year_window
from pmpm_spark.silver.mssp import longer_windows
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.silver.roster_match import programs_rows, shared_participants
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import Row

    from pmpm_spark.store import Store

Periods = Mapping[tuple[str, int], Mapping[str, Any]]
"""reference.alignment_periods by program and year."""
PROGRAMS = ("mssp", "reach")
"""Methods that ask for reference rows of their years, and read the roster in their own way."""
MOST_IDS = 20
"""So many provider ids are named in a notice."""


def code_set_years(config: RunConfig, method: str) -> set[int]:
    """The years that the method has a primary care code set of."""
    sets = [row for row in reference_rows(PRIMARY_CARE_HCPCS, config.reference.path) if row[0] == method]
    return {year for row in sets for year in range(int(row[2]), int(row[3]) + 1)}


def check_code_sets(config: RunConfig) -> None:
    """The programs' reference tables tell every year that their policies ask for.

    Raises:
        InputError: names the table, the program and the year.
    """
    periods = alignment_periods(config.reference.path)
    for policy in config.policies:
        method = policy.attribution.method
        if method not in PROGRAMS:
            continue
        told = code_set_years(config, method)
        for year in config.performance_years:
            if method == "reach" and (method, year) not in periods:
                raise InputError(_no_rows(ALIGNMENT_PERIODS, policy, year))
            first, last = asked_months(policy, year, periods)
            by_service = policy.attribution.code_year == "service"
            asked = range(first // 12, last // 12 + 1) if by_service else (year,)
            for code_year in asked:
                if code_year not in told:
                    raise InputError(_no_rows(PRIMARY_CARE_HCPCS, policy, code_year))


def _no_rows(table: Table, policy: Policy, year: int) -> str:
    return (
        f"{table.short_name}: program {policy.attribution.method} has no row for {year}, which policy {policy.label} "
        "asks for; add it in a folder named in [reference] path"
    )


def asked_months(policy: Policy, year: int, periods: Periods) -> tuple[int, int]:
    """First and last month number of the services that a policy asks for, which goes by claims."""
    method = policy.attribution.method
    if method == "reach":
        period = periods[method, year]
        return number_of(period["earlier_first"]), number_of(period["recent_last"])
    longer = longer_windows([year]).get(year, 0) if method == "mssp" else 0
    window = year_window(policy, year, longer)
    return window["first"], window["last"]


def program_notices(store: Store, config: RunConfig) -> list[str]:
    """Participants that two networks have, rows that match nothing, and services that are nobody's."""
    policies = [policy for policy in config.policies if policy.attribution.method in PROGRAMS]
    if not policies:
        return []
    labels = ", ".join(policy.label for policy in policies)
    roster = store.read(NETWORK_ROSTER)
    notices = []
    for policy in policies:
        rows = programs_rows(of_types(roster, policy), policy.attribution.method)
        if policy.attribution.participants_as_of == "start_of_year":
            days = _list_days(config, policy)
            in_effect = [F.lit(day).between(F.col("start_date"), F.col("end_date")) for day in days]
            rows = rows.where(reduce(lambda left, right: left | right, in_effect))
        shared = shared_participants(rows).orderBy("tin", "ccn", "npi").collect()
        if shared:
            excluded = policy.attribution.shared_participants == "exclude"
            fate = "are left out" if excluded else "go to the lowest network_id"
            named = [f"{_id_of(row)} ({', '.join(row['networks'])})" for row in shared]
            notices.append(
                f"policy {policy.label}: {len(shared):,} participants stand on two networks' lists, and their lines "
                f"{fate}: {_some(named)}"
            )
    alone = roster.where("tin = '' AND ccn = ''").select("npi").distinct().orderBy("npi").collect()
    if alone:
        named = [f"NPI {row['npi']}" for row in alone]
        notices.append(f"policy {labels}: roster rows with an NPI alone match no line: {_some(named)}")
    is_professional, kind = F.col("line_kind") == "professional", F.col("line_kind")
    has_no_id = F.when(is_professional, F.col("tin") == "").otherwise(kind.isin("clinic", "cah") & (F.col("ccn") == ""))
    hospitals = [row[0] for row in reference_rows(ETA_HOSPITALS, config.reference.path)]
    has_no_charge = (kind == "cah") | ((kind == "other_outpatient") & F.col("ccn").isin(*hospitals))
    counts = store.read(PRIMARY_CARE_SERVICES).agg(
        F.count_if(has_no_id).alias("nobodys"), F.count_if(has_no_charge & (F.col("allowed_amount") == 0)).alias("free")
    )
    for row in counts.collect():
        if row["nobodys"]:
            notices.append(
                f"policy {labels}: {row['nobodys']:,} primary care services without the tax number or facility that "
                "bills them are nobody's"
            )
        if row["free"]:
            notices.append(
                f"policy {labels}: {row['free']:,} services of critical access or ETA hospitals carry no charge and "
                "do not count; their claims may carry it on the first line"
            )
    return notices


def _list_days(config: RunConfig, policy: Policy) -> list[date]:
    """The days whose participant lists count."""
    method = policy.attribution.method
    periods = alignment_periods(config.reference.path) if method == "reach" else {}
    of_years = [(year, periods.get((method, year))) for year in config.performance_years]
    return [period["first_month"] if period else date(year, 1, 1) for year, period in of_years]


def _id_of(row: Row) -> str:
    named = [f"{name.upper()} {row[name]}" for name in ("tin", "ccn", "npi") if row[name]]
    return " ".join(named)


def _some(named: Sequence[str]) -> str:
    more = f" and {len(named) - MOST_IDS:,} more" if len(named) > MOST_IDS else ""
    return ", ".join(named[:MOST_IDS]) + more
