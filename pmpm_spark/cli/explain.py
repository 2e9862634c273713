"""Why: each month and dollar of one member, counted or not, and whose member it is; or a network's PMPM in its parts.

The first shows member data, to who asks for it.
"""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING

from pmpm_spark.cli.sections import rendered_sections
from pmpm_spark.errors import InputError
from pmpm_spark.reference import alignment_periods
from pmpm_spark.why.attribution import (
    attribution_section,
    candidates_section,
    first_months,
    standing_section,
)
from pmpm_spark.why.dollars import dollars_of, dollars_section, steps_section, totals_section
from pmpm_spark.why.given_way import given_way_section
from pmpm_spark.why.member import member_of
from pmpm_spark.why.months import months_section, reasons_section
from pmpm_spark.why.network import network_sections
from pmpm_spark.why.rates import rates_of, rates_section
from pmpm_spark.why.risk import risk_sections
from pmpm_spark.why.rules import other_reference, rules_of
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pmpm_spark.warehouse import Published

_ONLY_WITH_ROWS = ("standing", "reasons", "given_way", "steps", "rates")
"""Sections that say nothing where they have no row."""


def explained(
    warehouse: Published,
    member_id: str,
    month: str | None = None,
    *,
    year: int | None = None,
    policy: str | None = None,
    form: str = "table",
) -> str:
    """Attribution, months and dollars of one member with the records behind, as the last finished run has them.

    Raises:
        InputError: no such member, policy or year; or nothing of the member in the month.
    """
    return rendered_sections(member_sections(warehouse, member_id, month, year, policy), form)


def member_sections(
    warehouse: Published, member_id: str, month: str | None = None, year: int | None = None, policy: str | None = None
) -> list[Section]:
    rules = rules_of(warehouse, policy, year)
    said = other_reference(warehouse, rules)
    if said is not None:
        print(f"pmpm: {said}", file=sys.stderr)
    policies = {label: rule for label, (rule, _) in rules.items()}
    member = member_of(warehouse, member_id, list(rules))
    day = None if month is None else date.fromisoformat(f"{month}-01")

    def shown(of: date) -> bool:
        return day in (None, of) and year in (None, of.year)

    months = [row for row in member.months if shown(row["member_month"])]
    dollars = dollars_of(member, rules)
    if day is not None and not months and not any(shown(dollar.month) for dollar in dollars):
        raise InputError("explain: the last finished run has no month and no cost of this member in this month")
    all_years = {y for _, years in rules.values() for y in years}
    years = sorted(y for y in all_years if year in (None, y) and (day is None or day.year == y))
    periods = alignment_periods(warehouse.store.reference_path)
    whose = [row for row in member.attribution if row["performance_year"] in years]
    sections = [
        attribution_section(rules, periods, whose),
        candidates_section(warehouse, member, rules, years),
        standing_section(member, rules, periods, whose),
        months_section(member, policies, months),
        reasons_section(member, policies, first_months(periods), months),
        dollars_section(member, dollars, shown),
        given_way_section(member, shown),
        totals_section(dollars, shown),
        steps_section(member, policies, shown),
        rates_section(member, policies, dollars, rates_of(warehouse, member, policies), shown),
    ]
    return [section for section in sections if section.rows or section.name not in _ONLY_WITH_ROWS]


def network_explained(
    warehouse: Published, network_id: str, year: int, *, policy: str | None = None, form: str = "table"
) -> str:
    """The parts of a network's PMPM, and its practices.

    Raises:
        InputError: no such network, policy or year.
    """
    return rendered_sections(network_sections(warehouse, network_id, year, rules_of(warehouse, policy, year)), form)


def risk_explained(warehouse: Published, member_id: str, *, year: int | None = None, form: str = "table") -> str:
    """A member's risk score, down to each diagnosis.

    Raises:
        InputError: the run has no score of the member (in the year).
    """
    return rendered_sections(risk_sections(warehouse, member_id, year), form)
