"""A network over time: months with what is still to come of them, a forecast, and years beside each other."""

from __future__ import annotations

from typing import Any

from pmpm_spark.report.about import FIGURES, NO_FIGURE, PARTS, Row, Year, columns, listed, name_of, number, or_dash
from pmpm_spark.report.charts import Series, lines
from pmpm_spark.report.views import ChartView, Column, TableView
from pmpm_spark.small_cells import LEFT_OUT

SPANS = {"YEAR_TO_DATE": "Year to date", "ROLLING_12": "Twelve months"}
CUTS = {
    "SAME_RUNOUT": "The period a year before is told as it stood a year ago, so that a young year does not look cheap.",
    "NO_PAID_DATES": "No payment tells when it was: a young year looks cheaper than it will be.",
}


def trend(year: Year, row: Row, name: str) -> list[Any]:
    months = sorted(year.of_network("network_pmpm_by_month", row["network_id"]), key=lambda r: r["member_month"])
    if not months:
        return []
    of = (year, row, name)
    return ["Over time", *_by_year(*of), _chart(*of, months), *_rolling(*of), *_change(*of)]


def _chart(year: Year, row: Row, name: str, months: list[dict[str, Any]]) -> ChartView:
    ahead = sorted(year.of_network("pmpm_forecast", row["network_id"]), key=lambda r: r["member_month"])
    ahead = [r for r in ahead if not r[LEFT_OUT] and r["member_month"] > months[-1]["member_month"]]
    labels = [f"{r['member_month']:%Y-%m}" for r in (*months, *ahead)]
    paid = [number(r["pmpm"]) for r in months]
    after, before = [None] * len(ahead), [None] * len(months)
    series = []
    sources, legend = ["gold.network_pmpm_by_month.pmpm"], [("own", "as paid so far")]
    completed = [number(r.get("completed_pmpm")) for r in months]
    if any(c is not None and p is not None and abs(c - p) >= 0.005 for c, p in zip(completed, paid, strict=True)):
        series.append(Series("when all is paid", [*completed, *after], kind="peers"))
        low, high = ([number(r.get(f"completed_pmpm_{end}")) for r in months] for end in ("low", "high"))
        series += [Series("its 95% band", [*side, *after], kind="limit") for side in (low, high)]
        sources += ["gold.network_pmpm_by_month.completed_pmpm, completed_pmpm_low, completed_pmpm_high"]
        legend += [("peers", "when all is paid"), ("limit", "95% band")]
    if ahead:
        told = [number(r["forecast_pmpm"]) for r in ahead]
        series.append(Series("forecast", [*before, *told], kind="peers"))
        low, high = ([number(r[f"forecast_pmpm_{end}"]) for r in ahead] for end in ("low", "high"))
        series += [Series("its 95% band", [*before, *side], kind="limit") for side in (low, high)]
        sources += ["gold.pmpm_forecast.forecast_pmpm, forecast_pmpm_low, forecast_pmpm_high"]
        error = ahead[0]["mean_error"]
        missed = "" if error is None else f"; on months held back it missed by {error:.0%}"
        legend = [*legend[:1], ("peers", f"when all is paid, and forecast{missed}"), ("limit", "95% band")]
    series.append(Series("as paid so far", [*paid, *after]))
    said = f"PMPM of {name_of(row)} by month"
    svg = lines(f"{name}-trend", said, listed(labels, [*paid, *after]), labels, series)
    return ChartView(svg, "PMPM by month, before risk adjustment", sources, legend)


def _by_year(year: Year, row: Row, name: str) -> list[TableView]:
    rows = sorted(year.of_network("network_pmpm", row["network_id"]), key=lambda r: r["performance_year"])
    named = [Column("Year", "text", "gold.network_pmpm.performance_year"), *columns("network_pmpm", FIGURES)]
    told = [(str(r["performance_year"]), *[r[column] for column, _, _ in FIGURES]) for r in rows]
    return [TableView(f"{name}-years", "By year", named, told, can_sort=False)]


def _rolling(year: Year, row: Row, name: str) -> list[TableView]:
    """The newest period of each span."""
    rows = [r for r in year.this_year("network_pmpm_rolling", row["network_id"]) if not r[LEFT_OUT]]
    newest = {
        span: max((r for r in rows if r["span"] == span), key=lambda r: r["member_month"], default=None)
        for span in SPANS
    }
    found = [r for r in newest.values() if r is not None]
    if not found:
        return []
    source = "gold.network_pmpm_rolling"
    named = (
        Column("Period", "text", f"{source}.span"),
        Column("Until", "month", f"{source}.member_month"),
        Column("PMPM", "money", f"{source}.pmpm"),
        Column("A year before", "money", f"{source}.prior_pmpm"),
        Column("Change", "change", f"{source}.pmpm_change"),
        Column("Adjusted PMPM", "money", f"{source}.adjusted_pmpm"),
        Column("Change", "change", f"{source}.adjusted_pmpm_change"),
    )
    cells = ("prior_pmpm", "pmpm_change", "adjusted_pmpm", "adjusted_pmpm_change")
    told = [
        (
            SPANS[r["span"]],
            r["member_month"],
            r["pmpm"],
            *[or_dash(r[column]) for column in cells],
        )
        for r in found
    ]
    note = CUTS.get(str(found[-1]["prior_cut"]), "")
    return [TableView(f"{name}-rolling", "Against the same months a year before", named, told, note, can_sort=False)]


def _change(year: Year, row: Row, name: str) -> list[TableView]:
    """What the change from the year before comes from, the largest first."""
    everything = year.this_year("network_pmpm_change", row["network_id"])
    told = [r for r in everything if not r[LEFT_OUT]]
    if not told:
        return []
    source = "gold.network_pmpm_change"
    named = (
        Column("What changed", "text", f"{source}.part"),
        Column("Service category", "text", f"{source}.service_category"),
        Column("Adds to adjusted PMPM", "money", f"{source}.amount"),
    )
    rows = [
        (PARTS.get(r["part"], r["part"]), r["service_category"].replace("_", " ") or NO_FIGURE, r["amount"])
        for r in sorted(told, key=lambda r: (-abs(r["amount"]), r["part"], r["service_category"]))
    ]
    before, now = told[0]["prior_adjusted_pmpm"], told[0]["adjusted_pmpm"]
    caption = f"Why it went from ${before:,.2f} to ${now:,.2f} per member per month"
    left_out = len(everything) - len(told)
    note = "All parts add up to the change, to the cent." + (f" {left_out} are left out as small." if left_out else "")
    return [TableView(f"{name}-change", caption, named, rows, note)]
