"""The physicians and practices of a network: how far each is to be believed, and who truly differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pmpm_spark.report.about import FIGURES, Row, Year, columns, number, or_dash
from pmpm_spark.report.charts import Point, points
from pmpm_spark.report.views import ChartView, Column, TableView
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.small_cells import LEFT_OUT

MOST_IN_WORDS = 20


def physicians(year: Year, row: Row, name: str) -> list[Any]:
    everyone = year.this_year("physician_pmpm", row["network_id"])
    if not everyone:
        return []
    named = Column("Physician", "text", "gold.physician_pmpm.physician_name, physician_npi")
    table = _table(f"{name}-physicians", "Physicians", "physician", named, everyone, _physician)
    return ["Physicians and practices", table, *_funnel(row, name, everyone)]


def practices(year: Year, row: Row, name: str) -> list[Any]:
    everyone = year.this_year("practice_pmpm", row["network_id"])
    named = Column("Practice (TIN)", "text", "gold.practice_pmpm.practice_tin")
    table = _table(f"{name}-practices", "Practices", "practice", named, everyone, _practice)
    return [table] if table.rows else []


def _physician(row: Row) -> str:
    if row["physician_npi"] == UNATTRIBUTED:
        return "No physician"
    return str(row["physician_name"] or row["physician_npi"])


def _practice(row: Row) -> str:
    return "No practice" if row["practice_tin"] == UNATTRIBUTED else str(row["practice_tin"])


def _table(
    name: str, caption: str, thing: str, named: Column, everyone: Sequence[Row], called: Callable[[Row], str]
) -> TableView:
    told = sorted((r for r in everyone if not r[LEFT_OUT]), key=lambda r: (-r["members"], called(r)))
    source = f"gold.{thing}_pmpm"
    more: list[Column] = []
    if told and "credible_adjusted_pmpm" in told[0]:
        more = [
            Column("Credible PMPM", "money", f"{source}.credible_adjusted_pmpm"),
            Column("Differs from its network", "text", f"{source}.is_outlier"),
        ]
    rows = [(called(r), *[r[column] for column, _, _ in FIGURES], *(_believed(r) if more else ())) for r in told]
    return TableView(
        name,
        caption,
        [named, *columns(f"{thing}_pmpm", FIGURES), *more],
        rows,
        _note(len(everyone) - len(told), thing),
        is_wide=True,
    )


def _believed(row: Row) -> tuple[Any, str]:
    """The shrunken figure, and whether the own one lies outside the funnel."""
    figure = row["credible_adjusted_pmpm"]
    if not row["is_outlier"]:
        return or_dash(figure), "no"
    return figure, "yes, higher" if row["adjusted_pmpm"] > row["reference_pmpm"] else "yes, lower"


def _note(count: int, thing: str) -> str:
    if not count:
        return ""
    things = f"{thing} is" if count == 1 else f"{thing}s are"
    return f"{count} {things} left out: fewer than 11 members, or a figure that would give such a one away."


def _funnel(row: Row, name: str, everyone: Sequence[Row]) -> list[ChartView]:
    told = [
        r for r in everyone if not r[LEFT_OUT] and r["adjusted_pmpm"] is not None and r["physician_npi"] != UNATTRIBUTED
    ]
    if len(told) < 2:
        return []
    dots = [(_physician(r), (float(r["member_months"]), float(r["adjusted_pmpm"]))) for r in told]
    ends = [min(at for _, (at, _) in dots), max(at for _, (at, _) in dots)]
    middle = number(row["adjusted_pmpm"])
    curves: list[list[Point]] = [] if middle is None else [[(at, middle) for at in ends]]
    for side in ("funnel_lower", "funnel_upper"):
        limit = sorted((float(r["member_months"]), float(r[side])) for r in told if r.get(side) is not None)
        curves += [limit] if len(limit) > 1 else []
    said = "Adjusted PMPM of each physician, by the size of the panel"
    words = "; ".join(f"{label}: {months:,.0f} months, ${pmpm:,.0f}" for label, (months, pmpm) in dots[:MOST_IN_WORDS])
    svg = points(f"{name}-funnel", said, words, dots, curves, ("member months", "adjusted PMPM"))
    sources = ["gold.physician_pmpm.adjusted_pmpm, member_months", "gold.network_pmpm.adjusted_pmpm"]
    legend = [("own", "a physician"), ("limit", "the network")]
    if len(curves) > 1:
        sources.append("gold.physician_pmpm.funnel_lower, funnel_upper")
        legend[1] = ("limit", "the network, and limits of what chance does (99.8%)")
    return [ChartView(svg, said, sources, legend)]
