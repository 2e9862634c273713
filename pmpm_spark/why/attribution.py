"""Whose member it is: the candidates with their amounts, the step that decides, and the record where nobody may be.

The candidates are found anew, by attribution's own function on the member's own rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.model import MEMBER_ATTRIBUTION, NETWORK_ROSTER, PROVIDERS
from pmpm_spark.months import number_of
from pmpm_spark.policy import Policy
from pmpm_spark.program_checks import Periods, asked_months
from pmpm_spark.reference import ALIGNMENT_PERIODS, ETA_HOSPITALS, PRIMARY_CARE_HCPCS, SPECIALTIES
from pmpm_spark.silver.attribution import candidates
from pmpm_spark.silver.counted_services import year_window
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.why.member import Member
from pmpm_spark.why.months import Evidence, by_cause, death, heard, placed, secondary
from pmpm_spark.why.records import as_range, place_of
from pmpm_spark.why.rules import Rules
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pyspark.sql import Column, Row

    from pmpm_spark.warehouse import Published

CANDIDATE = ("policy", "performance_year", "place", "candidate", "amount", "latest", "then_latest")
_BY_CLAIMS = ("plurality", "mssp", "reach")
"""Methods that go by services; by `roster` the payer's list decides."""


def attribution_section(rules: Rules, periods: Periods, rows: Sequence[Row]) -> Section:
    names = (
        "policy", "performance_year", "network_id", "practice_tin", "physician_npi", "method", "step", "window",
        "measure_amount", "runner_up_network_id", "margin", "unattributed_reason",
    )  # fmt: skip
    told = []
    for row in rows:
        policy = rules[row["policy"]][0]
        by_claims = policy.attribution.method in _BY_CLAIMS
        window = as_range(*asked_months(policy, row["performance_year"], periods)) if by_claims else None
        known = {**row.asDict(), "window": window}
        told.append(tuple(known[name] for name in names))
    nothing = "not covered in any performance year that is asked for, and no candidate: UNATTRIBUTED"
    return Section("attribution", "Attribution", names, told, nothing)


def candidates_section(warehouse: Published, member: Member, rules: Rules, years: Sequence[int]) -> Section:
    """Every candidate in its place: the first has most. By the payer's list those that it names, by months."""
    names = (
        "policy", "performance_year", "place", "candidate", "measure_amount", "latest", "then_latest", "remark",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for row in candidates_of(warehouse, rules, years, F.col("member_id") == member.member_id):
        remark = {1: "winner", 2: "runner-up"}.get(row["place"])
        if row["place"] == 1 and not row["passes"]:
            remark = "has most, but no service of a physician"
        rows.append((*[row[name] for name in CANDIDATE], remark))
    rows += _listed(warehouse, member.member_id, rules, years)
    return Section("candidates", "Candidates", names, rows, "no service counts for anybody")


def candidates_of(warehouse: Published, rules: Rules, years: Sequence[int], chosen: Column) -> list[Row]:
    """CANDIDATE and member_id and passes of the `chosen` members, where claims name anybody."""
    services = warehouse.read(PRIMARY_CARE_SERVICES).where(chosen)
    if not services.select("member_id").limit(1).collect():
        return []  # to plan every policy's attribution takes far longer than this look
    others = [
        warehouse.read(table)
        for table in (NETWORK_ROSTER, PRIMARY_CARE_HCPCS, SPECIALTIES, ETA_HOSPITALS, ALIGNMENT_PERIODS, PROVIDERS)
    ]
    asked = [
        (policy, [year for year in own if year in years])
        for policy, own in rules.values()
        if policy.attribution.method in _BY_CLAIMS
    ]
    frames = [
        candidates(services, *others, policy=policy, performance_years=own).withColumn("policy", F.lit(policy.label))
        for policy, own in asked
        if own
    ]
    if not frames:
        return []
    rows = union_of(frames)
    return list(rows.orderBy("policy", "performance_year", "member_id", "place").collect())


def _listed(warehouse: Published, member_id: str, rules: Rules, years: Sequence[int]) -> list[tuple[Any, ...]]:
    """What the payer's list says, where it decides or goes first."""
    asking = {
        label: own
        for label, (policy, own) in rules.items()
        if policy.attribution.method == "roster" or policy.attribution.voluntary
    }
    if not asking:
        return []
    of_member = (F.col("member_id") == member_id) & F.col("performance_year").isin(*years)
    months = (-F.bit_count(F.bit_or("months"))).alias("months")
    told = warehouse.read(MEMBER_ATTRIBUTION).where(of_member).groupBy("performance_year", "network_id").agg(months)
    rows = told.orderBy("performance_year", "months", "network_id").collect()
    found = []
    for label, own in asking.items():
        for year in own:
            of_year = [row for row in rows if row["performance_year"] == year]
            for place, row in enumerate(of_year, start=1):
                remark = f"on the payer's list for {-row['months']} months"
                found.append((label, year, place, row["network_id"], None, None, None, remark))
    return found


def standing_section(member: Member, rules: Rules, periods: Periods, rows: Sequence[Row]) -> Section:
    """The record behind each reason of enrollment why nobody may have the member."""
    found = []
    for row in rows:
        policy = rules[row["policy"]][0]
        if policy.attribution.method in ("mssp", "reach") and row["unattributed_reason"]:
            found += [
                (row["policy"], row["performance_year"], row["unattributed_reason"], what, *placed(place))
                for what, place in _standing(member, policy, row, periods)
            ]
    names = ("policy", "performance_year", "reason", "because", "file", "row")
    return Section("standing", "Why nobody may have the member", names, found)


def _standing(member: Member, policy: Policy, row: Row, periods: Periods) -> list[Evidence]:
    enrollment, reason = member.enrollment, row["unattributed_reason"]
    rule, year = policy.eligibility.coverage_rule, row["performance_year"]
    if reason == "DECEASED":
        return death(member)
    if reason == "OTHER_INITIATIVE":
        of_year = [row for row in member.initiatives if row["performance_year"] == year]
        return [(row["initiative"] or "on the list", place_of(row, has_lines=True)) for row in of_year]
    if policy.attribution.method == "mssp":
        window = year_window(policy, year)
        last = min(window["last"], enrollment.told_last)
        if enrollment.death:
            last = min(last, number_of(enrollment.death[0]))
        months = [enrollment.month(n, rule) for n in range(max(window["first"], enrollment.told_first), last + 1)]
        covered = [month for month in months if month.speaks and (month.speaks.has_a or month.speaks.has_b)]
        failing = {
            "NO_A_AND_B_MONTH": months,
            "A_ONLY_OR_B_ONLY": [month for month in covered if month.speaks and not month.speaks.is_both],
        }.get(reason, [])
        if failing:
            return [(f"{told}: {what}", place) for told, what, place in by_cause(member, failing, rule)]
        abroad = covered[-1:] if reason == "NON_US_RESIDENT" else []
    else:
        period = periods["reach", year]
        first = number_of(period["first_month"])
        if reason == "NOT_IN_PART_A_AND_B":
            numbers = [*range(number_of(period["earlier_first"]), number_of(period["recent_last"]) + 1), first]
            months = [enrollment.month(number, rule) for number in dict.fromkeys(numbers)]
            failing = [month for month in months if not month.is_both]
            return [(f"{told}: {what}", place) for told, what, place in by_cause(member, failing, rule)]
        covered = abroad = [enrollment.month(first, rule)]
        if reason == "MEDICARE_ADVANTAGE" and policy.attribution.alignment_window_requires != "a_and_b":
            aligned = range(number_of(period["earlier_first"]), number_of(period["recent_last"]) + 1)
            covered = [*covered, *(enrollment.month(number, rule) for number in aligned)]
    tests = {
        "MEDICARE_ADVANTAGE": [
            e for month in covered for e in heard(month, lambda r: r.is_managed, "in a Part C plan")
        ],
        "MEDICARE_SECONDARY": [e for month in covered for e in secondary(member, month)],
        "NON_US_RESIDENT": [e for month in abroad for e in heard(month, lambda r: r.is_abroad, "lives abroad")],
    }
    return list(dict.fromkeys(tests.get(reason, [])))


def first_months(periods: Periods) -> dict[tuple[str, int], date]:
    return {at: row["first_month"] for at, row in periods.items()}
