"""All networks: ranked, in a table to sort, and what they cost beside how their patients fare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmpm_spark.report.about import FIGURES, IN_NETWORK, LEAKAGE, Year, bases, columns, listed, name_of, page_of
from pmpm_spark.report.charts import Series, bars, dollars
from pmpm_spark.report.comparison import intervals
from pmpm_spark.report.outcomes import quadrant
from pmpm_spark.report.views import ChartView, Column, Link, Page, TableView


def networks(year: Year) -> Page:
    ranked = year.networks()
    named = [
        Column("Network", "text", "gold.network_pmpm.network_name"),
        *columns("network_pmpm", FIGURES),
        Column("PMPM reimbursed to the network", "money", IN_NETWORK),
        Column("Leakage", "share", LEAKAGE),
    ]
    rows = [
        (Link(page_of(place), name_of(row)), *[row[name] for name, _, _ in FIGURES], *bases(row))
        for place, row in enumerate(ranked)
    ]
    note = "Adjusted PMPM is what a network would cost if its members were of average risk. Each has a page of its own."
    table = TableView(
        "networks-table", f"Networks of {year.year}: press a heading to sort", named, rows, note, is_wide=True
    )
    told = [row for row in ranked if row["adjusted_pmpm"] is not None]
    parts: list[Any] = [table]
    if told:
        labels, values = [name_of(row) for row in told], [float(row["adjusted_pmpm"]) for row in told]
        of_networks = intervals(year)
        ends = [of_networks.get(row["network_id"]) for row in told]
        said = "Adjusted PMPM, lowest first"
        sources = ["gold.network_pmpm.adjusted_pmpm"]
        if any(ends):
            said += "; the lines are 95% intervals"
            sources += ["gold.network_comparison.figure_low", "gold.network_comparison.figure_high"]
        svg = bars("ranked", said, _listed(labels, values, ends), labels, [Series(said, values, ends)])
        parts.append(ChartView(svg, said, tuple(sources)))
    parts += quadrant(year)
    return Page("networks", "Networks", "Who costs what, raw and for like patients.", parts=parts)


def _listed(labels: list[str], values: list[float], ends: Sequence[tuple[float, float] | None]) -> str:
    named = [
        f"{label} ({dollars(end[0])} to {dollars(end[1])})" if end else label
        for label, end in zip(labels, ends, strict=True)
    ]
    return listed(named, values)
