"""All networks: ranked, and in a table to sort."""

from __future__ import annotations

from typing import Any

from pmpm_spark.report.about import FIGURES, IN_NETWORK, LEAKAGE, Year, bases, columns, listed, name_of, page_of
from pmpm_spark.report.charts import Series, bars
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
        said = "Adjusted PMPM, lowest first"
        svg = bars("ranked", said, listed(labels, values), labels, [Series(said, values)])
        parts.append(ChartView(svg, said, ("gold.network_pmpm.adjusted_pmpm",)))
    return Page("networks", "Networks", "Who costs what, raw and for like patients.", parts=parts)
