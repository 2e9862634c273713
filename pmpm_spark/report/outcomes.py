"""How patients fare: the outcome measures of a network, and all networks' readmissions beside their adjusted PMPM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmpm_spark.gold.outcome_measures import NETWORK, NOT_SUPPLIED
from pmpm_spark.report.about import NO_FIGURE, Row, Year, name_of
from pmpm_spark.report.charts import points
from pmpm_spark.report.views import ChartView, Column, TableView, shown
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.small_cells import LEFT_OUT

SOURCE = "gold.outcome_measures"
READMISSIONS = "readmissions_hwr_like"
CALLED = {
    READMISSIONS: "Readmitted within 30 days (HWR-like)",
    "readmissions_pcr_like": "Readmitted within 30 days (PCR-like)",
    "followup_14_days": "Seen by primary care within 14 days of discharge",
    "acute_admissions": "Acute admissions",
    "ed_visits": "Emergency visits",
    "primary_care_visits": "Primary care visits",
}
"""The measures in the order of the table."""
UNITS = {"share": "of discharges", "per_1000": "a year for 1,000 members"}
OBSERVED = (
    "Observed rates with 95% intervals, not risk-standardized: neither CMS's nor a HEDIS result (docs/outcomes.md)."
)


def outcomes(year: Year, row: Row, name: str) -> list[Any]:
    own = {r["measure"]: r for r in _of_network(year, row["network_id"])}
    if not own:
        return []
    others = _others(year, row["network_id"])
    named = (
        Column("Measure", "text", f"{SOURCE}.measure"),
        Column("Rate", "text", f"{SOURCE}.rate"),
        Column("From", "text", f"{SOURCE}.rate_low"),
        Column("To", "text", f"{SOURCE}.rate_high"),
        Column("Unit", "text", f"{SOURCE}.unit"),
        Column("Events", "count", f"{SOURCE}.numerator"),
        Column("Other networks", "text", f"{SOURCE}, sum of numerator ÷ sum of denominator of the other networks told"),
    )
    rows = []
    for measure, called in CALLED.items():
        if measure in own:
            r = own[measure]
            rates = [_rate(r[column], r["unit"]) for column in ("rate", "rate_low", "rate_high")]
            other = _rate(others[measure], r["unit"]) if measure in others else NO_FIGURE
            rows.append((called, *rates, UNITS[r["unit"]], r["numerator"], other))
    lacking = any(r["code_sets"] == NOT_SUPPLIED for r in own.values())
    note = f"{OBSERVED} Code sets of planned stays and excluded conditions are not supplied." if lacking else OBSERVED
    return ["How patients fare", TableView(f"{name}-outcomes", "Outcomes", named, rows, note, is_wide=True)]


def quadrant(year: Year) -> list[ChartView]:
    """Each network by readmissions and adjusted PMPM, with the lines of all that are told; none where two are not."""
    told: list[tuple[Row, Row]] = []
    for network in year.networks():
        own = {r["measure"]: r for r in _of_network(year, network["network_id"])}.get(READMISSIONS)
        if network["network_id"] != UNATTRIBUTED and network["adjusted_pmpm"] is not None and own and not own[LEFT_OUT]:
            told.append((network, own))
    if len(told) < 2:
        return []
    dots = [(name_of(n), (100 * float(r["rate"]), float(n["adjusted_pmpm"]))) for n, r in told]
    rate = 100 * sum(r["numerator"] for _, r in told) / float(sum(r["denominator"] for _, r in told))
    months = sum(float(n["member_months"]) for n, _ in told)
    cost = sum(float(n["adjusted_pmpm"]) * float(n["member_months"]) for n, _ in told) / months
    most = (max(x for _, (x, _) in dots), max(y for _, (_, y) in dots))
    said = "Adjusted PMPM against readmissions"
    words = "; ".join(f"{label}: {share:.1f}%, ${pmpm:,.0f}" for label, (share, pmpm) in dots)
    curves = [[(0.0, cost), (most[0], cost)], [(rate, 0.0), (rate, most[1])]]
    axes = ("readmitted within 30 days, %", "adjusted PMPM")
    svg = points("quadrant", said, words, dots, curves, axes)
    legend = (("own", "a network"), ("limit", f"all of them: {rate:.1f}% readmitted, ${cost:,.0f}; below both is best"))
    return [ChartView(svg, f"{said} (HWR-like)", (f"{SOURCE}.rate", "gold.network_pmpm.adjusted_pmpm"), legend)]


def _of_network(year: Year, network_id: str) -> Sequence[Row]:
    return [r for r in year.this_year("outcome_measures", network_id) if r["level"] == NETWORK]


def _others(year: Year, network_id: str) -> dict[str, float]:
    """Each measure of all other networks that are told, together."""
    sums: dict[str, tuple[float, float, str]] = {}
    for network in year.other_networks(network_id):
        for r in _of_network(year, network["network_id"]):
            if not r[LEFT_OUT]:
                events, of, _ = sums.get(r["measure"], (0.0, 0.0, ""))
                sums[r["measure"]] = (events + r["numerator"], of + float(r["denominator"]), r["unit"])
    return {
        measure: events / of * (12_000 if unit == "per_1000" else 1)
        for measure, (events, of, unit) in sums.items()
        if of
    }


def _rate(value: Any, unit: str) -> str | None:
    return None if value is None else shown(value, "share" if unit == "share" else "rate")
