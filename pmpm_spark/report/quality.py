"""What was delivered, what could not be used, and what the figures do not cover."""

from __future__ import annotations

from typing import Any

from pmpm_spark.cell_relations import TOTALS
from pmpm_spark.report.about import About, Row, Year
from pmpm_spark.report.views import Column, Fact, Page, TableView
from pmpm_spark.silver.attribution import UNATTRIBUTED

FATES = (
    ("files", "Files"),
    ("rows_read", "Rows read"),
    ("accepted", "Accepted"),
    ("rejected", "Rejected"),
    ("duplicate", "Twice"),
    ("superseded", "Superseded"),
)


def quality(year: Year, about: About) -> Page:
    nobody: Row = next((r for r in year.networks() if r["network_id"] == UNATTRIBUTED), {})
    total: Row = next(iter(year.rows(TOTALS)), {})
    scored = total.get("scored_members")
    unscored = None if scored is None else total["members"] - scored
    source = "gold.network_pmpm.{}, UNATTRIBUTED"
    facts = [
        Fact("Members without a risk score", unscored, "count", "gold.network_pmpm, sum of members − scored_members"),
        Fact("Members of no network", nobody.get("members", 0), "count", source.format("members")),
        Fact("Their member months", nobody.get("member_months", 0), "count", source.format("member_months")),
        Fact("Dollars paid for them", nobody.get("paid_amount", 0), "dollars", source.format("paid_amount")),
    ]
    parts: list[Any] = [*_loads(about), _small_cells(year)]
    if about.notices:
        parts += ["What the run said", tuple(about.notices)]
    lead = "What was delivered, what could not be used, and what the figures do not cover."
    return Page("quality", "Data quality", lead, facts, parts)


def _loads(about: About) -> list[TableView]:
    if not about.loads:
        return []
    named = [Column("Kind of file", "text", "silver.load_audit._bronze_table")]
    named += [Column(said, "count", f"silver.load_audit.{name}") for name, said in FATES]
    rows = [(load["kind"].removeprefix("bronze."), *[load[name] for name, _ in FATES]) for load in about.loads]
    note = "Rows read = accepted + rejected + twice + superseded, file by file; silver.rejects has the reasons."
    caption = "What was delivered, and what became of its rows"
    return [TableView("loads", caption, named, rows, note, is_wide=True)]


def _small_cells(year: Year) -> TableView:
    found = year.found
    rows = [
        (f"gold.{name}", len(found.tables[name]), count, found.figures_left_out[name])
        for name, count in found.rows_left_out.items()
    ]
    named = (
        Column("Table", "text", "the gold tables of the run"),
        Column("Rows", "count", "rows of the table, all policies and years"),
        Column("Rows left out", "count", "rows whose figures are left out of report and export"),
        Column("Figures left out", "count", "figures of those rows, and single ones"),
    )
    note = "Rows of 1 to 10 members, months, stays, visits, services or lines, and what would give one away."
    return TableView("small-cells", "What is left out to protect members", named, rows, note, is_wide=True)
