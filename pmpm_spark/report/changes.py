"""What moved a network's figure since the run before, step by step."""

from __future__ import annotations

from typing import Any

from pmpm_spark.gold.restatement import NOT_SPLIT, PARTS, SAID
from pmpm_spark.report.about import NO_FIGURE, Row, Year, listed, or_dash
from pmpm_spark.report.charts import cents, waterfall
from pmpm_spark.report.views import ChartView, Column, TableView, shown
from pmpm_spark.small_cells import LEFT_OUT

SOURCE = "gold.restatement"
REST = "Left out as small"
HIDDEN = "Left out: a part of it tells of fewer than 11, or what it would give away does."


def changes(year: Year, row: Row, name: str) -> list[Any]:
    """Nothing where no run before made the policy and year."""
    everything = year.this_year("restatement", row["network_id"])
    if not everything:
        return []
    told = {r["part"]: r for r in everything if not r[LEFT_OUT]}
    head = "Since the run before"
    if not told:
        return [head, (HIDDEN,)]
    first = next(iter(told.values()))
    if NOT_SPLIT in told:
        return [head, (f"Not split: {first['reason']}.",)]
    is_adjusted = first["adjusted_pmpm_then"] is not None and first["adjusted_pmpm_now"] is not None
    figure = "adjusted_pmpm" if is_adjusted else "pmpm"
    then, now = first[f"{figure}_then"], first[f"{figure}_now"]
    steps = [
        (
            SAID[part].capitalize(),
            told[part]["pmpm_change"],
            or_dash(told[part]["adjusted_pmpm_change"]),
            told[part]["members"],
        )
        for part in PARTS
        if part in told
    ]
    hidden = len(everything) - len(told)
    if hidden:
        raw = first["pmpm_now"] - first["pmpm_then"] - sum(step[1] for step in steps)
        rest = now - then - sum(told[part][f"{figure}_change"] for part in told)
        steps.append((REST, raw, rest if is_adjusted else NO_FIGURE, None))
    labels = [label for label, *_ in steps]
    values = [float(adjusted if is_adjusted else raw) for _, raw, adjusted, _ in steps]
    called = "Adjusted PMPM" if is_adjusted else "PMPM"
    caption = f"{called}, from {shown(then, 'money')} to {shown(now, 'money')}"
    svg = waterfall(f"{name}-since", caption, listed(labels, values, places=2), labels, values, "All together", cents)
    sources = [f"{SOURCE}.{figure}_{of}" for of in ("then", "change", "now")]
    chart = ChartView(svg, caption, sources, (("peers", "a part"), ("own", "all together")))
    named = (
        Column("What changed", "text", f"{SOURCE}.part"),
        Column("Adds to PMPM", "money", f"{SOURCE}.pmpm_change"),
        Column("Adds to adjusted PMPM", "money", f"{SOURCE}.adjusted_pmpm_change"),
        Column("Members", "count", f"{SOURCE}.members"),
    )
    note = f"Against run {first['since_run_id']}. All parts add up, to the cent; none of the data's depends on the order of the others (Shapley)."
    if first["reason"]:
        note += f" {first['reason'][0].upper()}{first['reason'][1:]}."
    if hidden:
        note += f" {hidden} are left out as small, and told together."
    return [head, chart, TableView(f"{name}-since-table", "What moved the figures", named, steps, note, can_sort=False)]
