"""The first page: headline figures, and what of all months and dollars counts."""

from __future__ import annotations

from typing import Any

from pmpm_spark.cell_relations import TOTALS
from pmpm_spark.report.about import NO_FIGURE, Row, Year, apart, listed, name_of
from pmpm_spark.report.charts import Series, bars, counted, short_dollars
from pmpm_spark.report.views import ChartView, Column, Fact, Page, TableView
from pmpm_spark.silver.attribution import UNATTRIBUTED

REASONS = {
    "DECEASED": "after the month of death",
    "NOT_ENROLLED": "not covered",
    "NOT_IN_PART_A_AND_B": "not always in Part A and B",
    "MEDICARE_ADVANTAGE": "in Medicare Advantage",
    "MEDICARE_SECONDARY": "another payer first",
    "NON_US_RESIDENT": "lives abroad",
    "ALIGNMENT_ENDED": "after eligibility ended",
    "NOT_IN_PERFORMANCE_YEAR": "before the program began",
    "PHARMACY": "drugs, told apart",
    "DENIED": "denied claims",
    "OUT_OF_NETWORK": "paid outside the network",
}
_SUM = "gold.network_pmpm, sum of {} over all networks of the year"
_QUOTIENT = "gold.network_pmpm, sum of counted_amount ÷ sum of member_months"


def summary(year: Year) -> Page:
    totals = {row["performance_year"]: row for row in year.found.rows(TOTALS, policy=year.policy)}
    total = totals.get(year.year, {})
    networks = [row for row in year.networks() if row["network_id"] != UNATTRIBUTED]
    facts = (
        Fact("Members", total.get("members"), "count", _SUM.format("members")),
        Fact("Member months that count", total.get("member_months"), "count", _SUM.format("member_months")),
        Fact("Paid for them", total.get("paid_amount"), "dollars", _SUM.format("paid_amount")),
        Fact("PMPM", _pmpm(total), "money", _QUOTIENT),
        Fact("Networks", len(networks), "count", "gold.network_pmpm.network_id"),
    )
    columns = (
        Column("Year", "text", "gold.network_pmpm.performance_year"),
        Column("Members", "count", _SUM.format("members")),
        Column("Member months", "count", _SUM.format("member_months")),
        Column("Paid", "dollars", _SUM.format("paid_amount")),
        Column("PMPM", "money", _QUOTIENT),
    )
    rows = [
        (str(of), row["members"], row["member_months"], row["paid_amount"], _pmpm(row))
        for of, row in sorted(totals.items())
    ]
    by_year = TableView("by-year", "All networks together, by year", columns, rows, can_sort=False)
    parts = (by_year, *_left(year, total))
    return Page("summary", f"Summary of {year.year}", _lead(year, networks), facts, parts, "summary")


def _lead(year: Year, networks: list[dict[str, Any]]) -> str:
    lead = f"What members cost per month in {year.year}, by the rules of policy {year.policy}."
    told = [row for row in networks if row["adjusted_pmpm"] is not None]
    if len(told) < 2:
        return lead
    low, high = told[0], told[-1]
    return (
        f"{lead} For like patients {apart(name_of(low))} costs least, ${low['adjusted_pmpm']:,.2f} per member per month, and "
        f"{apart(name_of(high))} most, ${high['adjusted_pmpm']:,.2f}; small panels differ by chance, too: see Compare two."
    )


def _pmpm(total: Row) -> float | None:
    if total.get("counted_amount") is None or not total.get("member_months"):
        return None
    return float(total["counted_amount"]) / float(total["member_months"])


def _left(year: Year, total: Row) -> list[Any]:
    """Months and dollars counted, and excluded by reason."""
    months = {row["reason"]: row["member_months"] for row in year.rows("excluded", kind="month")}
    dollars = {row["reason"]: row["paid_amount"] for row in year.rows("excluded", kind="dollar")}
    source = "gold.excluded.{}, kind {}; counted: gold.network_pmpm.{}"
    columns = (
        Column("Reason", "text", "gold.excluded.reason"),
        Column("Member months", "count", source.format("member_months", "month", "member_months")),
        Column("Dollars", "dollars", source.format("paid_amount", "dollar", "paid_amount")),
    )
    rows = [("counted", total.get("member_months"), total.get("paid_amount"))]
    rows += [
        (said_reason(reason), months.get(reason, NO_FIGURE), dollars.get(reason, NO_FIGURE))
        for reason in sorted({*months, *dollars})
    ]
    parts: list[Any] = [
        TableView(
            "what-counts",
            "Member months and dollars, counted and excluded by the first reason",
            columns,
            rows,
            "Counted and excluded add up to all there is, to the cent; every run asserts it.",
            can_sort=False,
        ),
        *_bars("months", "Member months that do not count", months, "gold.excluded.member_months, kind month"),
        *_bars("dollars", "Dollars that do not count", dollars, "gold.excluded.paid_amount, kind dollar"),
    ]
    steps = [(said_reason(row["reason"]), row["paid_amount"]) for row in year.rows("excluded", kind="step")]
    if steps:
        named = (
            Column("Step", "text", "gold.excluded.reason"),
            Column("Effect", "dollars", "gold.excluded.paid_amount, kind step"),
        )
        parts.append(TableView("steps", "From what was paid to the policy's dollars", named, steps, can_sort=False))
    return parts


def said_reason(reason: str) -> str:
    return REASONS.get(reason, reason.lower().replace("_", " "))


def _bars(name: str, said: str, by_reason: dict[str, Any], source: str) -> list[ChartView]:
    told = sorted(((float(value), reason) for reason, value in by_reason.items() if value is not None), reverse=True)
    if not told:
        return []
    labels, values = [said_reason(reason) for _, reason in told], [value for value, _ in told]
    words = listed(labels, values, name == "dollars")
    form = short_dollars if name == "dollars" else counted
    svg = bars(f"excluded-{name}", said, words, labels, [Series(said, values)], form)
    return [ChartView(svg, said, (source,))]
