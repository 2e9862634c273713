"""The rules, the factors and both cost bases: what a figure means."""

from __future__ import annotations

from typing import Any

from pmpm_spark.report.about import IN_NETWORK, LEAKAGE, About, Year, bases, name_of, page_of
from pmpm_spark.report.views import Column, Link, Page, TableView
from pmpm_spark.report.words import rules_in_words
from pmpm_spark.silver.attribution import UNATTRIBUTED


def method(year: Year, about: About) -> Page:
    parts: list[Any] = ["The rules of this report", rules_in_words(about.policy)]
    parts += ["Factors and cost bases", *_factors(year), _both_bases(year)]
    settings = TableView(
        "settings",
        f"Every setting of policy {about.policy.label}",
        (
            Column("Setting", "text", "ops.runs.settings"),
            Column("Value", "text", "ops.runs.settings"),
            Column("Source", "text", "the policy file, or the default's own source"),
        ),
        [(setting.key, _as_said(setting.value), setting.source) for setting in about.policy.settings],
        can_sort=False,
        is_wide=True,
    )
    lead = (
        "A PMPM is five rules multiplied: which months count, which month a claim belongs to, which dollars, whose "
        "member, which risk."
    )
    return Page("method", "Method", lead, parts=(*parts, "Every setting", settings))


def _factors(year: Year) -> list[TableView]:
    told = {
        (row["performance_year"], row["normalization"], row["normalization_factor"])
        for row in year.found.rows("network_pmpm", policy=year.policy)
        if row["normalization_factor"] is not None
    }
    named = (
        Column("Year", "text", "gold.network_pmpm.performance_year"),
        Column("Kind", "text", "gold.network_pmpm.normalization"),
        Column("Factor", "factor", "gold.network_pmpm.normalization_factor"),
    )
    rows = [(str(of), kind, factor) for of, kind, factor in sorted(told, key=str)]
    return [TableView("factors", "What risk scores are divided by", named, rows, can_sort=False)] if rows else []


def _both_bases(year: Year) -> TableView:
    named = (
        Column("Network", "text", "gold.network_pmpm.network_name"),
        Column("Total cost of care, PMPM", "money", "gold.network_pmpm, paid_amount ÷ member_months"),
        Column("Reimbursed to the network, PMPM", "money", IN_NETWORK),
        Column("Leakage", "share", LEAKAGE),
    )
    rows = []
    for place, row in enumerate(year.networks()):
        if row["network_id"] != UNATTRIBUTED:
            total = float(row["paid_amount"]) / float(row["member_months"]) if row["member_months"] else None
            rows.append((Link(page_of(place), name_of(row)), total, *bases(row)))
    caption = "All that was paid for the members, and what the network's own providers were paid"
    return TableView("bases", caption, named, rows)


def _as_said(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
