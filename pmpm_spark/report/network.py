"""The page of one network: over time, what the money buys, how patients fare, what people say, its physicians and practices, and where
members go besides."""

from __future__ import annotations

from typing import Any

from pmpm_spark.report.about import FIGURES, LEAKAGE, NO_FIGURE, Row, Year, bases, listed, name_of, page_of
from pmpm_spark.report.changes import changes
from pmpm_spark.report.charts import Series, bars
from pmpm_spark.report.experience import experience
from pmpm_spark.report.outcomes import outcomes
from pmpm_spark.report.panels import physicians, practices
from pmpm_spark.report.trend import trend
from pmpm_spark.report.views import ChartView, Column, Fact, Page, TableView
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.small_cells import LEFT_OUT

MOST_DESTINATIONS = 15
DEAREST = 5


def network(year: Year, row: Row, place: int) -> Page:
    name = page_of(place)
    if row[LEFT_OUT]:
        lead = "The figures of this network are left out: they, or what they would give away, tell of fewer than 11."
        return Page(name, name_of(row), lead, kind="network")
    kind = f", {row['network_type']}" if row["network_type"] else ""
    facts = [Fact(label, row[column], kind, f"gold.network_pmpm.{column}") for column, label, kind in FIGURES]
    _, leakage = bases(row)
    if leakage != NO_FIGURE:
        facts.append(Fact("Leakage", leakage, "share", LEAKAGE))
    of = (year, row, name)
    parts = [*trend(*of), *changes(*of), *_categories(*of), *_dearest(*of), *outcomes(*of), *experience(*of)]
    if row["network_id"] != UNATTRIBUTED:
        parts += [*physicians(*of), *practices(*of), *_leakage(*of)]
    return Page(name, name_of(row), f"{row['network_id']}{kind}, {year.year}.", facts, parts, "network")


def said_category(row: Row) -> str:
    return str(row["service_category"]).replace("_", " ")


def _categories(year: Year, row: Row, name: str) -> list[Any]:
    """Each category beside all other networks whose figure is told."""
    own = year.this_year("network_pmpm_by_category", row["network_id"])
    if not own:
        return []
    peers = _peers(year, row["network_id"])
    own = sorted(own, key=lambda r: (r["pmpm"] is None, -(r["pmpm"] or 0), r["service_category"]))
    source = "gold.network_pmpm_by_category"
    named = (
        Column("Service category", "text", f"{source}.service_category"),
        Column("PMPM", "money", f"{source}.pmpm"),
        Column("Peers", "money", f"{source}, sum of counted_amount ÷ sum of member_months of the other networks told"),
        Column("Services per 1,000", "rate", f"{source}.services_per_1000"),
        Column(
            "Peers", "rate", f"{source}, sum of services × 12,000 ÷ sum of member_months of the other networks told"
        ),
        Column("Cost of a service", "dollars", f"{source}, counted_amount ÷ services"),
    )
    rows = []
    for r in own:
        pmpm, services = peers.get(r["service_category"], (None, None))
        cost = float(r["counted_amount"]) / r["services"] if r["services"] else None
        said = said_category(r) + ("" if r["in_total"] else " (not in total)")
        rows.append((said, r["pmpm"], pmpm, r["services_per_1000"], services, cost))
    told = [r for r in rows if r[1] is not None]
    labels = [r[0] for r in told]
    series = [Series("This network", [r[1] for r in told]), Series("Peers", [r[2] for r in told], kind="peers")]
    said = "PMPM by service category, beside peers"
    svg = bars(f"{name}-categories", said, listed(labels, series[0].values), labels, series)
    return [
        "What the money buys",
        TableView(f"{name}-categories-table", "By service category, beside peers", named, rows),
        ChartView(svg, said, (f"{source}.pmpm",), (("own", "this network"), ("peers", "peers"))),
    ]


def _peers(year: Year, network_id: str) -> dict[str, tuple[float, float]]:
    """PMPM and services per 1,000 of all other networks together; one whose figure is left out is in neither part."""
    months = {
        r["network_id"]: r["member_months"]
        for r in year.networks()
        if not r[LEFT_OUT] and r["network_id"] not in (network_id, UNATTRIBUTED)
    }
    by_category: dict[str, dict[str, Row]] = {}
    for other in months:
        for r in year.this_year("network_pmpm_by_category", other):
            by_category.setdefault(r["service_category"], {})[other] = r
    found = {}
    for category, of in by_category.items():
        of_months = {n: m for n, m in months.items() if n not in of or not of[n][LEFT_OUT]}
        total = float(sum(of_months.values()))
        if total:
            dollars = sum(float(of[n]["counted_amount"]) for n in of_months if n in of)
            services = sum(of[n]["services"] for n in of_months if n in of)
            found[category] = (dollars / total, services * 12_000 / total)
    return found


def _dearest(year: Year, row: Row, name: str) -> list[Any]:
    """Where the cost of the dearest members is; nobody is named."""
    rows = [
        r
        for r in year.this_year("cost_concentration", row["network_id"])
        if not r[LEFT_OUT] and r["top_percent"] == DEAREST and r["counted_amount"]
    ]
    if not rows:
        return []
    source = "gold.cost_concentration"
    named = (
        Column("Service category", "text", f"{source}.service_category"),
        Column("Their dollars", "dollars", f"{source}.counted_amount"),
        Column("Part of all their cost", "share", f"{source}.share_of_top"),
        Column("Part of the network's in the category", "share", f"{source}.share_of_category"),
    )
    told = [
        (said_category(r), r["counted_amount"], r["share_of_top"], r["share_of_category"])
        for r in sorted(rows, key=lambda r: (-r["counted_amount"], r["service_category"]))
    ]
    caption = f"The dearest {DEAREST}% of members are {rows[0]['share_of_network']:.0%} of the cost; where it is"
    return [TableView(f"{name}-dearest", caption, named, told)]


def _leakage(year: Year, row: Row, name: str) -> list[Any]:
    everything = year.this_year("leakage_destinations", row["network_id"])
    told = [r for r in everything if not r[LEFT_OUT]]
    if not told:
        return []
    names = {r["network_id"]: name_of(r) for r in year.networks()}
    source = "gold.leakage_destinations"
    named = (
        Column("Paid to", "text", f"{source}.destination"),
        Column("Network it belongs to", "text", f"{source}.roster_network_id"),
        Column("Service category", "text", f"{source}.service_category"),
        Column("Services", "count", f"{source}.services"),
        Column("Paid", "dollars", f"{source}.paid_amount"),
    )
    first = sorted(told, key=lambda r: (-r["paid_amount"], r["destination"], r["service_category"]))
    rows = [
        (
            r["destination"] or "not told",
            names.get(r["roster_network_id"], r["roster_network_id"]) or "of no network",
            said_category(r),
            r["services"],
            r["paid_amount"],
        )
        for r in first[:MOST_DESTINATIONS]
    ]
    note = f"The {len(rows)} largest of {len(told)} that are told; {len(everything) - len(told)} more are left out as small."
    caption = "Paid to others for the network's members"
    return ["Where members go besides", TableView(f"{name}-leakage", caption, named, rows, note, is_wide=True)]
