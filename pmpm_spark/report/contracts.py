"""Contracts: allocated against actual, what the difference comes from, and what was changed after the month was paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmpm_spark.gold.capitation_variance import MONTH, YEAR
from pmpm_spark.gold.capitation_variance_split import EFFECTS
from pmpm_spark.report.about import NO_FIGURE, Row, Year, apart, listed, number
from pmpm_spark.report.charts import Series, lines, waterfall
from pmpm_spark.report.network import said_category
from pmpm_spark.report.views import ChartView, Column, Fact, Link, Page, TableView, shown
from pmpm_spark.silver.capitation_cells import BUDGET, NONE, PRIOR_YEAR
from pmpm_spark.small_cells import LEFT_OUT

SOURCE, SPLIT, LEDGER, RESULT = (
    f"gold.{name}"
    for name in (
        "capitation_variance", "capitation_variance_split", "capitation_ledger_by_reason", "financial_performance",
    )
)  # fmt: skip
FIGURES = (
    ("member_months", "Member months", "count"),
    ("allocated_amount", "Allocated", "dollars"),
    ("posted_amount", "Posted so far", "dollars"),
    ("unposted_amount", "Kept back by the limit", "dollars"),
    ("actual_amount", "Actual cost", "dollars"),
    ("deviation_amount", "Actual less allocated", "dollars"),
    ("deviation_pmpm", "Per member month", "money"),
)
OF_PEOPLE = {
    "MEMBERSHIP": "Number of members",
    "CELL_MIX": "Which rate cells they are in",
    "USE": "Use of services",
    "COST_PER_SERVICE": "Cost of a service",
}
SHORT = {**OF_PEOPLE, "CELL_MIX": "Rate cells", "USE": "Use", "COST_PER_SERVICE": "Price"}
"""The same beside a bar, which has little room."""
COMPARATORS = {BUDGET: "the budget", PRIOR_YEAR: "the same months of the year before", NONE: "nothing"}
REASONS = {
    "DEATH": "Death",
    "CONTRACT_CHANGE": "Terms of the contract",
    "RETRO_TERMINATION": "Coverage ended earlier",
    "RETRO_ENROLLMENT": "Coverage that was not known",
    "RATE_CELL_CHANGE": "Another rate cell",
    "RATE_CHANGE": "Another rate",
    "RISK_UPDATE": "Another risk score",
}
"""Why a month that was paid is changed; NEW_MONTH is no change."""
NOT_SPLIT = (
    "There is neither a budget of the year nor a year before in which something was due: what the difference comes from "
    "is not told."
)
NOT_KNOWN, REST = "not computed", "Others, left out as small"
NOT_GIVEN, NO_RULE = "not given", "no rule"
MARGIN = (
    ("revenue_amount", "Revenue", "dollars"),
    ("medical_paid_amount", "Medical, paid", "dollars"),
    ("medical_amount", "Medical, completed", "dollars"),
    ("administrative_cost", "Administration", "dollars"),
    ("quality_improvement_cost", "Quality improvement", "dollars"),
    ("taxes_and_fees", "Taxes and fees", "dollars"),
    ("margin_amount", "Margin", "dollars"),
    ("margin_share", "of revenue", "share"),
)
RATIOS = (
    ("mlr", "Loss ratio", "share"),
    ("credibility", "Credibility", "text"),
    ("mlr_adjusted", "Loss ratio, adjusted", "share"),
    ("medical_pmpm", "Medical per member month", "money"),
    ("pmpm_growth", "over the year before", "change"),
)
SAVINGS = (
    ("benchmark_amount", "Benchmark", "dollars"),
    ("savings_amount", "Savings", "dollars"),
    ("savings_rate", "of the benchmark", "share"),
    ("shared_savings_amount", "Shared savings", "dollars"),
    ("shared_losses_amount", "Shared losses", "dollars"),
    ("program_spending", "Program spending", "dollars"),
    ("program_return", "Its return", "share"),
)
GIVEN = ("administrative_cost", "quality_improvement_cost", "taxes_and_fees", "program_spending", "delivery_cost")


def contracts(year: Year) -> list[Page]:
    """A page with all contracts of the year and one of each; none where nobody is paid by contract."""
    rows = [row for row in year.rows("capitation_variance") if row["period_type"] == YEAR]
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: str(row["contract_id"]))
    named = [
        Column("Contract", "text", f"{SOURCE}.contract_id"),
        Column("Network", "text", f"{SOURCE}.network_id"),
        *_columns(FIGURES),
        Column("Alert", "text", f"{SOURCE}.is_alert"),
    ]
    told = [
        (Link(_page_of(place), str(row["contract_id"])), row["network_id"], *_figures(row), _alert(row))
        for place, row in enumerate(rows)
    ]
    note = (
        f"As known on {rows[0]['as_of']}. Actual cost is what the policy counts in the months that are due; a due month that the "
        "policy does not count has no cost here."
    )
    table = TableView("contracts-table", f"Contracts of {year.year}", named, told, note, is_wide=True)
    lead = "What was due by contract, a fixed amount per member and month, against what the members cost."
    return [
        Page("contracts", "Contracts", lead, parts=(table,)),
        *[_contract(year, row, _page_of(place)) for place, row in enumerate(rows)],
    ]


def _page_of(place: int) -> str:
    return f"contract-{place + 1}"


def _contract(year: Year, row: Row, name: str) -> Page:
    title = str(row["contract_id"])
    if row[LEFT_OUT]:
        lead = "The figures of this contract are left out: they, or what they would give away, tell of fewer than 11."
        return Page(name, title, lead, kind="contract")
    facts = [
        Fact(label, value, kind, f"{SOURCE}.{column}")
        for (column, label, kind), value in zip(FIGURES, _figures(row), strict=True)
    ]
    of_contract = {"contract_id": row["contract_id"]}
    months = sorted(
        (r for r in year.rows("capitation_variance", **of_contract) if r["period_type"] == MONTH),
        key=lambda r: r["period"],
    )
    parts = [*_by_month(months, row, name), *_split(year, row, name), *_finance(year, row, name)]
    parts += _changes(year, row, name)
    return Page(name, title, _lead(year, row), facts, parts, "contract")


def _lead(year: Year, row: Row) -> str:
    """The year in a sentence."""
    head = f"Contract with network {apart(row['network_id'])}, {year.year}, as known on {row['as_of']}."
    deviation, allocated = row["deviation_amount"], row["allocated_amount"]
    if deviation is None:
        return f"{head} The policy has no costs of the year."
    if not deviation:
        return f"{head} It cost what was allocated."
    share = f" ({abs(deviation) / allocated:.1%})" if allocated else ""
    way = "more" if deviation > 0 else "less"
    alert = ": an alert" if row["is_alert"] else ""
    return f"{head} It cost {shown(abs(deviation), 'dollars')}{share} {way} than was allocated{alert}."


def _by_month(months: Sequence[Row], row: Row, name: str) -> list[Any]:
    if not months:
        return []
    named = [
        Column("Month", "month", f"{SOURCE}.period"),
        *_columns(FIGURES),
        Column("Alert", "text", f"{SOURCE}.is_alert"),
    ]
    rows = [(r["period"], *_figures(r), _alert(r)) for r in months]
    table = TableView(f"{name}-months", "By month", named, rows, can_sort=False, is_wide=True)
    labels = [f"{r['period']:%Y-%m}" for r in months]
    allocated, actual = ([number(r[column]) for r in months] for column in ("allocated_amount", "actual_amount"))
    parts: list[Any] = ["Allocated against actual"]
    if any(value is not None for value in (*allocated, *actual)):
        said = f"Allocated and actual cost of {row['contract_id']} by month"
        words = f"Allocated: {listed(labels, allocated)}. Actual: {listed(labels, actual)}"
        series = [Series("allocated", allocated, kind="peers"), Series("actual", actual)]
        svg = lines(f"{name}-chart", said, words, labels, series)
        legend = (("own", "actual cost"), ("peers", "allocated"))
        sources = (f"{SOURCE}.allocated_amount", f"{SOURCE}.actual_amount")
        parts.append(ChartView(svg, "Allocated against actual, by month", sources, legend))
    return [*parts, table]


def _split(year: Year, row: Row, name: str) -> list[Any]:
    """From what was expected to what it cost, step by step."""
    parts: list[Any] = ["What the difference comes from"]
    if row["comparator"] == NONE:
        return [*parts, (NOT_SPLIT,)]
    everything = [
        r for r in year.rows("capitation_variance_split", contract_id=row["contract_id"]) if r["period_type"] == YEAR
    ]
    difference = row["actual_amount"] - row["comparator_amount"]
    told = sorted(
        (r for r in everything if not r[LEFT_OUT]),
        key=lambda r: (EFFECTS.index(r["effect"]), r["service_category"]),
    )
    steps = [
        (OF_PEOPLE[r["effect"]], said_category(r) if r["service_category"] else NO_FIGURE, r["amount"]) for r in told
    ]
    labels = [SHORT[r["effect"]] + (f": {said_category(r)}" if r["service_category"] else "") for r in told]
    rest, hidden = difference - sum(r["amount"] for r in told), len(everything) - len(told)
    if hidden:
        steps.append((REST, NO_FIGURE, rest))
        labels.append(REST)
    ends = (
        f"from {shown(row['comparator_amount'], 'dollars')} expected to {shown(row['actual_amount'], 'dollars')} actual"
    )
    caption = f"Against {COMPARATORS[row['comparator']]}: {ends}"
    named = (
        Column("What changed", "text", f"{SPLIT}.effect"),
        Column("Service category", "text", f"{SPLIT}.service_category"),
        Column("Adds to the cost", "money", f"{SPLIT}.amount"),
    )
    note = "All steps add up to the difference, to the cent; none depends on the order of the others (Shapley)."
    if hidden:
        note += f" {hidden} are left out as small, and told together."
    values = [float(amount) for *_, amount in steps]
    svg = waterfall(f"{name}-waterfall", caption, listed(labels, values), labels, values, "All together")
    sources = (f"{SPLIT}.amount", f"{SOURCE}.comparator_amount", f"{SOURCE}.actual_amount")
    legend = (("peers", "a step"), ("own", "all together"))
    chart = ChartView(svg, f"Step by step {ends}", sources, legend)
    return [*parts, chart, TableView(f"{name}-split", caption, named, steps, note)]


def _finance(year: Year, row: Row, name: str) -> list[Any]:
    """What the year brought, and what fee-for-service would have left beside it."""
    rows = year.rows("financial_performance", contract_id=row["contract_id"])
    if not rows:
        return []
    head, result = "The financial result", rows[0]
    if result[LEFT_OUT]:
        return [head, ("Left out: it tells of fewer than 11, or what it would give away does.",)]
    tables = [
        TableView(
            f"{name}-{key}",
            caption,
            [Column(label, kind, f"{RESULT}.{column}") for column, label, kind in figures],
            [[_result(result, column) for column, *_ in figures]],
            note,
            can_sort=False,
            is_wide=True,
        )
        for key, caption, figures, note in (
            ("margin", "Revenue, medical cost and margin", MARGIN, _of_revenue(result)),
            ("ratios", "Loss ratio and cost per member month", RATIOS, _of_credibility(result)),
            ("savings", "Savings against the benchmark", SAVINGS, ""),
        )
    ]
    return [head, *tables, _beside(result, name)]


def _beside(result: Row, name: str) -> TableView:
    """The network's margin under fee-for-service and by the member month, of the same members and services."""
    ways = (
        ("Fee-for-service", "ffs_equivalent_amount", None, "delivery_cost", "margin_ffs_amount"),
        ("Member month", "revenue_amount", "out_of_network_amount", "delivery_cost", "margin_pmpm_amount"),
        ("Difference", None, None, None, "pmpm_less_ffs_amount"),
    )
    named = (
        Column("Paid by", "text", RESULT),
        Column("Received", "dollars", f"{RESULT}.revenue_amount, ffs_equivalent_amount"),
        Column("Owed to others", "dollars", f"{RESULT}.out_of_network_amount"),
        Column("Own cost of the services", "dollars", f"{RESULT}.delivery_cost"),
        Column("Left", "dollars", f"{RESULT}.margin_ffs_amount, margin_pmpm_amount, pmpm_less_ffs_amount"),
    )
    rows = [
        (way, *[NO_FIGURE if column is None else _result(result, column) for column in columns])
        for way, *columns in ways
    ]
    note = "The difference is revenue less medical cost, completed, whatever the network's own cost is."
    if result["medical_amount"] is not None and result["ffs_equivalent_amount"] is None:
        note += (
            " What fee-for-service would have paid is not computed: on too many services inside the network nothing was "
            "paid (encounters)."
        )
    return TableView(f"{name}-beside", "The same care, paid by the service", named, rows, note, can_sort=False)


def _result(result: Row, column: str) -> Any:
    """A figure of the result, or why there is none."""
    if result[column] is not None:
        return result[column]
    if column in GIVEN:
        return NOT_GIVEN
    if column == "credibility":
        return NO_RULE
    lacks_cost = column in ("margin_ffs_amount", "margin_pmpm_amount") and result["delivery_cost"] is None
    return NO_FIGURE if lacks_cost or column in ("pmpm_growth", "program_return") else NOT_KNOWN


def _of_revenue(result: Row) -> str:
    allocated, withheld = (shown(result[c], "dollars") for c in ("allocated_amount", "withheld_amount"))
    returned = result["withhold_returned"]
    told = "nothing is given as returned" if returned is None else f"{shown(returned, 'dollars')} was returned"
    return f"Revenue: {allocated} allocated, of which {withheld} was withheld; {told}."


def _of_credibility(result: Row) -> str:
    line = result["line_of_business"]
    if result["credibility"] is None:
        return "The contract's line of business has no rule of credibility."
    if result["credibility"] == "NONE":
        return f"Too few member months for a loss ratio to be credible ({line})."
    added = shown(result["mlr_adjustment"], "share")
    return f"For its size {added} is added to the loss ratio ({line})."


def _changes(year: Year, row: Row, name: str) -> list[Any]:
    """What the ledger changed of months that were paid before, by month and reason, and of the whole year."""
    everything = [
        r for r in year.rows("capitation_ledger_by_reason", contract_id=row["contract_id"]) if r["reason"] in REASONS
    ]
    if not everything:
        return ["Changes of months already paid", ("The ledger has no change of a month that was paid before.",)]
    told = sorted(
        (r for r in everything if not r[LEFT_OUT]),
        key=lambda r: (r["period_type"] == MONTH, r["period"], list(REASONS).index(r["reason"])),
    )
    named = (
        Column("Paid for", "text", f"{LEDGER}.period"),
        Column("Why", "text", f"{LEDGER}.reason"),
        Column("Members", "count", f"{LEDGER}.members"),
        Column("Lines", "count", f"{LEDGER}.lines"),
        Column("Amount", "money", f"{LEDGER}.amount"),
        Column("Withheld of it", "money", f"{LEDGER}.withhold_amount"),
    )
    rows = [
        (
            f"{r['period']:%Y-%m}" if r["period_type"] == MONTH else f"all of {year.year}",
            REASONS[r["reason"]],
            r["members"],
            r["lines"],
            r["amount"],
            r["withhold_amount"],
        )
        for r in told
    ]
    left_out = len(everything) - len(told)
    note = f"{left_out} of {len(everything)} rows are left out: fewer than 11 lines, or a figure that would give such away."
    caption = "What the ledger changed later, by coverage month and reason"
    table = TableView(f"{name}-changes", caption, named, rows, note if left_out else "", is_wide=True)
    return ["Changes of months already paid", table]


def _columns(figures: Sequence[tuple[str, str, str]]) -> list[Column]:
    return [Column(label, kind, f"{SOURCE}.{name}") for name, label, kind in figures]


def _figures(row: Row) -> list[Any]:
    """The figures of a row; what the policy has no costs for is said, and is not left out as small."""
    if row[LEFT_OUT]:
        return [None] * len(FIGURES)
    return [
        (NOT_KNOWN if row["actual_amount"] is None else NO_FIGURE) if row[name] is None else row[name]
        for name, *_ in FIGURES
    ]


def _alert(row: Row) -> Any:
    return None if row[LEFT_OUT] else "yes" if row["is_alert"] else "no"
