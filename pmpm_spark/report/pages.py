"""The pages of the report, made of what may leave the warehouse and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pmpm_spark.policy import Policy
from pmpm_spark.report.charts import Series, bars, counted, lines, points
from pmpm_spark.report.views import ChartView, Column, Fact, Link, Page, TableView
from pmpm_spark.report.words import GLOSSARY, rules_in_words
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.small_cells import LEFT_OUT, TOTALS, Shareable

Row = Mapping[str, Any]
MOST_DESTINATIONS = 15
NO_NETWORK = "No network"
REASONS = {
    "DECEASED": "after the month of death",
    "NOT_ENROLLED": "not covered",
    "NOT_IN_PART_A_AND_B": "not in Part A and B throughout",
    "MEDICARE_ADVANTAGE": "in Medicare Advantage",
    "MEDICARE_SECONDARY": "another payer first",
    "NON_US_RESIDENT": "lives abroad",
    "ALIGNMENT_ENDED": "after eligibility ended",
    "NOT_IN_PERFORMANCE_YEAR": "before the program began",
    "PHARMACY": "drugs, told apart",
    "DENIED": "denied claims",
    "OUT_OF_NETWORK": "paid outside the network",
}


@dataclass(frozen=True)
class About:
    """What is told of the run besides its gold tables."""

    policy: Policy
    policy_hash: str
    performance_year: int
    run_id: str
    engine: str
    notices: Sequence[str] = ()
    loads: Sequence[Row] = field(default_factory=tuple)


@dataclass(frozen=True)
class Year:
    """The rows of one policy and year."""

    found: Shareable
    policy: str
    year: int

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        return self.found.rows(table, policy=self.policy, performance_year=self.year, **where)

    def networks(self) -> list[dict[str, Any]]:
        """Lowest adjusted PMPM first, what is left out last."""
        return sorted(self.rows("network_pmpm"), key=_rank)


def pages(found: Shareable, about: About) -> list[Page]:
    year = Year(found, about.policy.label, about.performance_year)
    networks = year.networks()
    return [
        _summary(year, about),
        _networks(year),
        *[_network(year, row, place) for place, row in enumerate(networks)],
        Page("compare", "Compare two", "Any two networks of the year, side by side.", kind="compare"),
        _quality(year, about),
        _method(year, about),
        Page("glossary", "Glossary", "The terms of this report, for whom PMPM is new.", parts=(GLOSSARY,)),
    ]


def comparison(found: Shareable, about: About) -> dict[str, Any]:
    """What the page's script compares."""
    year = Year(found, about.policy.label, about.performance_year)
    categories = year.rows("network_pmpm_by_category")
    networks = {
        row["network_id"]: {
            "name": name_of(row),
            "members": row["members"],
            **{name: _number(row[name]) for name in ("member_months", "pmpm", "adjusted_pmpm")},
            "risk": _number(row["normalized_risk_score"]),
            "categories": {
                c["service_category"]: {"pmpm": c["pmpm"], "per_1000": c["services_per_1000"]}
                for c in categories
                if c["network_id"] == row["network_id"]
            },
        }
        for row in year.networks()
    }
    return {
        "networks": networks,
        "categories": sorted({row["service_category"] for row in categories}),
        "pairs": {},
    }


def name_of(row: Row) -> str:
    if row["network_id"] == UNATTRIBUTED:
        return NO_NETWORK
    return str(row["network_name"] or row["network_id"])


def _page_of(place: int) -> str:
    return f"network-{place + 1}"


def _rank(row: Row) -> tuple[Any, ...]:
    figure = row["adjusted_pmpm"] if row["adjusted_pmpm"] is not None else row["pmpm"]
    return figure is None, figure or 0, row["network_id"]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _summary(year: Year, about: About) -> Page:
    totals = {row["performance_year"]: row for row in year.found.rows(TOTALS, policy=year.policy)}
    total = totals.get(year.year, {})
    told = [row for row in year.networks() if row["adjusted_pmpm"] is not None and row["network_id"] != UNATTRIBUTED]
    lead = f"What members cost per month in {year.year}, by the rules of policy {year.policy}."
    if len(told) > 1:
        low, high = told[0], told[-1]
        lead += (
            f" For like patients {name_of(low)} costs least, ${low['adjusted_pmpm']:,.2f} per member per month, and "
            f"{name_of(high)} most, ${high['adjusted_pmpm']:,.2f}."
        )
    of_total = "gold.network_pmpm, sum of {} over all networks of the year"
    facts = (
        Fact("Members", total.get("members"), "count", of_total.format("members")),
        Fact("Member months that count", total.get("member_months"), "count", of_total.format("member_months")),
        Fact("Paid for them", total.get("paid_amount"), "dollars", of_total.format("paid_amount")),
        Fact("PMPM", _pmpm(total), "money", "gold.network_pmpm, sum of counted_amount ÷ sum of member_months"),
        Fact("Networks", len([r for r in year.networks() if r["network_id"] != UNATTRIBUTED]), "count", "gold.network_pmpm.network_id"),
    )
    by_year = TableView(
        "by-year",
        "By year",
        (
            Column("Year", "text", "gold.network_pmpm.performance_year"),
            Column("Members", "count", of_total.format("members")),
            Column("Member months", "count", of_total.format("member_months")),
            Column("Paid", "dollars", of_total.format("paid_amount")),
            Column("PMPM", "money", "gold.network_pmpm, sum of counted_amount ÷ sum of member_months"),
        ),
        [
            (str(of), row["members"], row["member_months"], row["paid_amount"], _pmpm(row))
            for of, row in sorted(totals.items())
        ],
        can_sort=False,
    )
    return Page("summary", f"Summary of {year.year}", lead, facts, (*_what_counts(year, total), by_year), "summary")


def _pmpm(total: Row) -> float | None:
    if total.get("counted_amount") is None or not total.get("member_months"):
        return None
    return float(total["counted_amount"]) / float(total["member_months"])


def _what_counts(year: Year, total: Row) -> list[Any]:
    """Months and dollars counted, and excluded by reason."""
    months = {row["reason"]: row["member_months"] for row in year.rows("excluded", kind="month")}
    dollars = {row["reason"]: row["paid_amount"] for row in year.rows("excluded", kind="dollar")}
    reasons = sorted({*months, *dollars})
    rows = [("counted", total.get("member_months"), total.get("paid_amount"))]
    rows += [(_reason(r), months.get(r, "–"), dollars.get(r, "–")) for r in reasons]
    table = TableView(
        "what-counts",
        "Member months and dollars, counted and excluded by their first reason",
        (
            Column("Reason", "text", "gold.excluded.reason"),
            Column("Member months", "count", "gold.excluded.member_months, kind month; counted: gold.network_pmpm.member_months"),
            Column("Dollars", "dollars", "gold.excluded.paid_amount, kind dollar; counted: gold.network_pmpm.paid_amount"),
        ),
        rows,
        can_sort=False,
        note="Counted and excluded add up to all there is, to the cent; every run asserts it.",
    )
    parts: list[Any] = [table]
    for name, said, by_reason, source in (
        ("months", "Member months that do not count", months, "gold.excluded.member_months, kind month"),
        ("dollars", "Dollars that do not count", dollars, "gold.excluded.paid_amount, kind dollar"),
    ):
        told = sorted(((float(v), r) for r, v in by_reason.items() if v is not None), reverse=True)
        if told:
            labels, values = [_reason(r) for _, r in told], [v for v, _ in told]
            form = {"form": counted} if name == "months" else {}
            svg = bars(f"excluded-{name}", said, _listed(labels, values, name == "dollars"), labels, [Series(said, values)], **form)
            parts.append(ChartView(svg, said, (source,)))
    steps = [(_reason(row["reason"]), row["paid_amount"]) for row in year.rows("excluded", kind="step")]
    if steps:
        columns = (Column("Step", "text", "gold.excluded.reason"), Column("Effect", "dollars", "gold.excluded.paid_amount, kind step"))
        parts.append(TableView("steps", "From what was paid to the policy's dollars", columns, steps, can_sort=False))
    return parts


def _reason(reason: str) -> str:
    return REASONS.get(reason, reason.lower().replace("_", " "))


def _listed(labels: Iterable[str], values: Iterable[float | None], is_money: bool = True) -> str:
    """The figures of a chart in words, for those who do not see it."""
    sign = "$" if is_money else ""
    return "; ".join(f"{label}: {sign}{value:,.0f}" for label, value in zip(labels, values, strict=True) if value is not None)


_FIGURES = (
    ("members", "Members", "count"),
    ("member_months", "Member months", "count"),
    ("pmpm", "PMPM", "money"),
    ("normalized_risk_score", "Normalized risk", "score"),
    ("adjusted_pmpm", "Adjusted PMPM", "money"),
)


def _columns(table: str, names: Sequence[tuple[str, str, str]]) -> list[Column]:
    return [Column(label, kind, f"gold.{table}.{name}") for name, label, kind in names]


def _networks(year: Year) -> Page:
    networks = year.networks()
    columns = [Column("Network", "text", "gold.network_pmpm.network_name"), *_columns("network_pmpm", _FIGURES)]
    columns += [
        Column("PMPM, reimbursed to the network", "money", "gold.network_pmpm, in_network_paid_amount ÷ member_months"),
        Column("Leakage", "share", "gold.network_pmpm, 1 − in_network_paid_amount ÷ paid_amount"),
    ]
    rows = [
        (Link(_page_of(place), name_of(row)), *[row[name] for name, _, _ in _FIGURES], *_bases(row))
        for place, row in enumerate(networks)
    ]
    table = TableView(
        "networks-table",
        f"Networks of {year.year}; press a heading to sort",
        columns,
        rows,
        "Adjusted PMPM is what a network would cost if its members were of average risk. Each network has a page of its own.",
    )
    told = [row for row in networks if row["adjusted_pmpm"] is not None]
    parts: list[Any] = []
    if told:
        labels, values = [name_of(row) for row in told], [float(row["adjusted_pmpm"]) for row in told]
        said = "Adjusted PMPM, lowest first"
        svg = bars("ranked", said, _listed(labels, values), labels, [Series(said, values)])
        parts.append(ChartView(svg, said, ("gold.network_pmpm.adjusted_pmpm",)))
    return Page("networks", "Networks", "Who costs what, raw and for like patients.", parts=(*parts, table), kind="wide")


def _bases(row: Row) -> tuple[float | None, float | None]:
    """What the network's own roster was paid per member month, and the share that went elsewhere."""
    inside, paid, months = row["in_network_paid_amount"], row["paid_amount"], row["member_months"]
    if inside is None or not months or row["network_id"] == UNATTRIBUTED:
        return None, None
    return float(inside) / float(months), float(1 - inside / paid) if paid else None


def _network(year: Year, row: Row, place: int) -> Page:
    network = row["network_id"]
    title, name = name_of(row), _page_of(place)
    if row[LEFT_OUT]:
        lead = "The figures of this network are left out: they, or what they would give away, tell of fewer than 11."
        return Page(name, title, lead, kind="network")
    kind = f", {row['network_type']}" if row["network_type"] else ""
    facts = [Fact(label, row[n], k, f"gold.network_pmpm.{n}") for n, label, k in _FIGURES]
    inside, leakage = _bases(row)
    if leakage is not None:
        facts.append(Fact("Leakage", leakage, "share", "gold.network_pmpm, 1 − in_network_paid_amount ÷ paid_amount"))
    parts = [
        *_trend(year, row, name),
        *_categories(year, row, name),
        *_physicians(year, row, name),
        *_practices(year, network, name),
        *_leakage(year, network, name),
    ]
    return Page(name, title, f"{network}{kind}, {year.year}.", facts, parts, "network")


def _trend(year: Year, row: Row, name: str) -> list[Any]:
    network = row["network_id"]
    months = sorted(year.found.rows("network_pmpm_by_month", policy=year.policy, network_id=network), key=lambda r: r["member_month"])
    if not months:
        return []
    labels = [f"{month['member_month']:%Y-%m}" for month in months]
    values = [_number(month["pmpm"]) for month in months]
    svg = lines(f"{name}-trend", f"PMPM of {name_of(row)} by month", _listed(labels, values), labels, [Series("PMPM", values)])
    by_year = [r for r in year.found.rows("network_pmpm", policy=year.policy, network_id=network)]
    columns = [Column("Year", "text", "gold.network_pmpm.performance_year"), *_columns("network_pmpm", _FIGURES)]
    rows = [(str(r["performance_year"]), *[r[n] for n, _, _ in _FIGURES]) for r in sorted(by_year, key=lambda r: r["performance_year"])]
    return [
        "Over time",
        ChartView(svg, "PMPM by month, before risk adjustment", ("gold.network_pmpm_by_month.pmpm",)),
        TableView(f"{name}-years", "By year", columns, rows, can_sort=False),
    ]


def _categories(year: Year, row: Row, name: str) -> list[Any]:
    """Each category beside all other networks whose figure is told."""
    own = [r for r in year.rows("network_pmpm_by_category", network_id=row["network_id"])]
    if not own:
        return []
    peers = _peers(year, row["network_id"])
    own.sort(key=lambda r: (r["pmpm"] is None, -(r["pmpm"] or 0), r["service_category"]))
    source = "gold.network_pmpm_by_category"
    columns = (
        Column("Service category", "text", f"{source}.service_category"),
        Column("PMPM", "money", f"{source}.pmpm"),
        Column("Peers", "money", f"{source}, sum of counted_amount ÷ sum of member_months over the other networks told"),
        Column("Services per 1,000", "rate", f"{source}.services_per_1000"),
        Column("Peers", "rate", f"{source}, sum of services × 12,000 ÷ sum of member_months over the other networks told"),
        Column("Cost of a service", "dollars", f"{source}, counted_amount ÷ services"),
    )
    rows = []
    for r in own:
        pmpm, services = peers.get(r["service_category"], (None, None))
        each = float(r["counted_amount"]) / r["services"] if r["services"] else None
        said = r["service_category"].replace("_", " ") + ("" if r["in_total"] else " (not in the total)")
        rows.append((said, r["pmpm"], pmpm, r["services_per_1000"], services, each if r["services"] != 0 else "–"))
    told = [r for r in rows if r[1] is not None]
    labels = [r[0] for r in told]
    series = [Series("This network", [r[1] for r in told]), Series("Peers", [r[2] for r in told], kind="peers")]
    said = "PMPM by service category, beside peers"
    svg = bars(f"{name}-categories", said, _listed(labels, series[0].values), labels, series)
    legend = (("own", "this network"), ("peers", "peers"))
    return [
        "What the money buys",
        ChartView(svg, said, (f"{source}.pmpm",), legend),
        TableView(f"{name}-categories-table", "By service category, beside peers", columns, rows),
    ]


def _peers(year: Year, network: str) -> dict[str, tuple[float, float]]:
    """PMPM and services per 1,000 of all other networks together; a network whose figure is left out is in neither part."""
    months = {
        r["network_id"]: r["member_months"]
        for r in year.networks()
        if not r[LEFT_OUT] and r["network_id"] not in (network, UNATTRIBUTED)
    }
    by_category: dict[str, dict[str, Row]] = {}
    for r in year.rows("network_pmpm_by_category"):
        by_category.setdefault(r["service_category"], {})[r["network_id"]] = r
    found = {}
    for category, of in by_category.items():
        of_months = {n: m for n, m in months.items() if n not in of or not of[n][LEFT_OUT]}
        total = float(sum(of_months.values()))
        if total:
            dollars = sum(float(of[n]["counted_amount"]) for n in of_months if n in of)
            services = sum(of[n]["services"] for n in of_months if n in of)
            found[category] = (dollars / total, services * 12_000 / total)
    return found


def _physicians(year: Year, row: Row, name: str) -> list[Any]:
    everyone = year.rows("physician_pmpm", network_id=row["network_id"])
    told = [r for r in everyone if not r[LEFT_OUT]]
    if not everyone:
        return []
    heading = "Physicians"
    table = TableView(
        f"{name}-physicians",
        "Physicians",
        [Column("Physician", "text", "gold.physician_pmpm.physician_name, physician_npi"), *_columns("physician_pmpm", _FIGURES)],
        [(_physician(r), *[r[n] for n, _, _ in _FIGURES]) for r in sorted(told, key=lambda r: (-r["members"], r["physician_npi"]))],
        _left_out_note(len(everyone) - len(told), "physician"),
    )
    dots = [
        (_physician(r), (float(r["member_months"]), float(r["adjusted_pmpm"])))
        for r in told
        if r["adjusted_pmpm"] is not None and r["physician_npi"] != UNATTRIBUTED
    ]
    if len(dots) < 2:
        return [heading, table]
    said = "Adjusted PMPM of each physician by the size of the panel"
    middle = [_number(row["adjusted_pmpm"])] * 2
    ends = [min(at for _, (at, _) in dots), max(at for _, (at, _) in dots)]
    curves = [list(zip(ends, middle, strict=True))] if middle[0] is not None else []
    words = "; ".join(f"{label}: {months:,.0f} months, ${pmpm:,.0f}" for label, (months, pmpm) in dots[:20])
    svg = points(f"{name}-funnel", said, words, dots, curves, ("member months", "adjusted PMPM"))
    legend = (("own", "a physician"), ("limit", "the network"))
    sources = ("gold.physician_pmpm.adjusted_pmpm", "gold.physician_pmpm.member_months", "gold.network_pmpm.adjusted_pmpm")
    return [heading, ChartView(svg, said, sources, legend), table]


def _physician(row: Row) -> str:
    if row["physician_npi"] == UNATTRIBUTED:
        return "No physician"
    return str(row["physician_name"] or row["physician_npi"])


def _left_out_note(count: int, thing: str) -> str:
    if not count:
        return ""
    things = f"{thing} is" if count == 1 else f"{thing}s are"
    return f"{count} {things} left out: fewer than 11 members, or a figure that would give such a one away."


def _practices(year: Year, network: str, name: str) -> list[Any]:
    everyone = year.rows("practice_pmpm", network_id=network)
    told = [r for r in everyone if not r[LEFT_OUT]]
    if not told:
        return []
    columns = [Column("Practice (TIN)", "text", "gold.practice_pmpm.practice_tin"), *_columns("practice_pmpm", _FIGURES)]
    rows = [(r["practice_tin"], *[r[n] for n, _, _ in _FIGURES]) for r in sorted(told, key=lambda r: -r["members"])]
    return [TableView(f"{name}-practices", "Practices", columns, rows, _left_out_note(len(everyone) - len(told), "practice"))]


def _leakage(year: Year, network: str, name: str) -> list[Any]:
    everything = year.rows("leakage_destinations", network_id=network)
    told = [r for r in everything if not r[LEFT_OUT]]
    if not told:
        return []
    names = {r["network_id"]: name_of(r) for r in year.networks()}
    source = "gold.leakage_destinations"
    columns = (
        Column("Paid to", "text", f"{source}.destination"),
        Column("Network it belongs to", "text", f"{source}.roster_network_id"),
        Column("Service category", "text", f"{source}.service_category"),
        Column("Services", "count", f"{source}.services"),
        Column("Paid", "dollars", f"{source}.paid_amount"),
    )
    first = sorted(told, key=lambda r: (-r["paid_amount"], r["destination"], r["service_category"]))[:MOST_DESTINATIONS]
    rows = [
        (
            r["destination"] or "not told",
            names.get(r["roster_network_id"], r["roster_network_id"]) or "–",
            r["service_category"].replace("_", " "),
            r["services"],
            r["paid_amount"],
        )
        for r in first
    ]
    note = f"The {len(first)} largest of {len(told)} that are told; {len(everything) - len(told)} more are left out as small."
    return [
        "Where members go besides",
        TableView(f"{name}-leakage", "Paid to others for the network's members", columns, rows, note),
    ]


def _quality(year: Year, about: About) -> Page:
    nobody = next((r for r in year.networks() if r["network_id"] == UNATTRIBUTED), None)
    total: Row = next((r for r in year.rows(TOTALS)), {})
    unscored = None if total.get("scored_members") is None else total["members"] - total["scored_members"]
    facts = [
        Fact("Members without a risk score", unscored, "count", "gold.network_pmpm, sum of members − sum of scored_members"),
        Fact("Members of no network", nobody["members"] if nobody else 0, "count", "gold.network_pmpm.members, UNATTRIBUTED"),
        Fact("Their member months", nobody["member_months"] if nobody else 0, "count", "gold.network_pmpm.member_months, UNATTRIBUTED"),
        Fact("Dollars of members of no network", nobody["paid_amount"] if nobody else 0, "dollars", "gold.network_pmpm.paid_amount, UNATTRIBUTED"),
    ]
    parts: list[Any] = []
    if about.loads:
        names = ("files", "rows_read", "accepted", "rejected", "duplicate", "superseded")
        labels = ("Files", "Rows read", "Accepted", "Rejected", "Twice", "Superseded")
        columns = [Column("Kind of file", "text", "silver.load_audit._bronze_table")]
        columns += [Column(said, "count", f"silver.load_audit.{name}") for name, said in zip(names, labels, strict=True)]
        rows = [(load["kind"], *[load[name] for name in names]) for load in about.loads]
        note = "For every file rows read = accepted + rejected + twice + superseded. silver.rejects has each rejected row with its reasons."
        parts.append(TableView("loads", "What was delivered, and what became of its rows", columns, rows, note))
    left_out = [
        (f"gold.{name}", len(year.found.tables[name]), count, year.found.figures_left_out[name])
        for name, count in year.found.rows_left_out.items()
    ]
    columns = [
        Column("Table", "text", "the gold tables of the run"),
        Column("Rows", "count", "rows of the table, all policies and years"),
        Column("Rows left out", "count", "rows without figures in report and export"),
        Column("Figures left out", "count", "figures of those rows and single ones"),
    ]
    note = "Rows of 1 to 10 members, months, stays, visits, services or lines, and those that would give one away by subtraction."
    parts.append(TableView("small-cells", "What is left out to protect members", columns, left_out, note))
    if about.notices:
        parts += ["What the run said", [("Notice", notice) for notice in about.notices]]
    lead = "What was delivered, what could not be used, and what the figures do not cover."
    return Page("quality", "Data quality", lead, facts, parts)


def _method(year: Year, about: About) -> Page:
    factors = sorted(
        {
            (row["performance_year"], row["normalization"], row["normalization_factor"])
            for row in year.found.rows("network_pmpm", policy=year.policy)
            if row["normalization_factor"] is not None
        },
        key=str,
    )
    parts: list[Any] = ["The rules of this report", rules_in_words(about.policy)]
    if factors:
        columns = (
            Column("Year", "text", "gold.network_pmpm.performance_year"),
            Column("Kind", "text", "gold.network_pmpm.normalization"),
            Column("Factor", "factor", "gold.network_pmpm.normalization_factor"),
        )
        rows = [(str(of), kind, factor) for of, kind, factor in factors]
        parts += ["The factors used", TableView("factors", "Divisors of risk scores", columns, rows, can_sort=False)]
    parts += ["Both cost bases", _both_bases(year)]
    settings = TableView(
        "settings",
        f"Every setting of policy {about.policy.label}",
        (Column("Setting", "text", "ops.runs.settings"), Column("Value", "text", "ops.runs.settings"), Column("Source", "text", "the policy file")),
        [(s.key, _as_said(s.value), s.source) for s in about.policy.settings],
        can_sort=False,
    )
    lead = "A PMPM is five rules multiplied: which months count, which month a claim belongs to, which dollars, whose member, which risk."
    return Page("method", "Method", lead, parts=(*parts, "Every setting", settings))


def _both_bases(year: Year) -> TableView:
    columns = (
        Column("Network", "text", "gold.network_pmpm.network_name"),
        Column("Total cost of care, PMPM", "money", "gold.network_pmpm, paid_amount ÷ member_months"),
        Column("Reimbursed to the network, PMPM", "money", "gold.network_pmpm, in_network_paid_amount ÷ member_months"),
        Column("Leakage", "share", "gold.network_pmpm, 1 − in_network_paid_amount ÷ paid_amount"),
    )
    rows = [
        (Link(_page_of(place), name_of(r)), float(r["paid_amount"]) / float(r["member_months"]) if r["member_months"] else None, *_bases(r))
        for place, r in enumerate(year.networks())
        if r["network_id"] != UNATTRIBUTED
    ]
    return TableView("bases", "All that was paid for the members, and what the network's own providers were paid", columns, rows)


def _as_said(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
