"""docs/benchmarks.md and its chart, made of what was measured and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from benchmarks.chart import chart
from benchmarks.goals import Goal, Results, goals
from benchmarks.kept import Kept, all_kept
from benchmarks.subjects import NO_SIZE, SUBJECTS, WITHOUT_SIZE
from benchmarks.tables import TABLES

TEMPLATE = Path(__file__).with_name("page.md.jinja")
GB, MB = 1e9, 1e6
DEAREST = 8
NONE = "-"


def write_page(results_folder: Path, folder: Path) -> None:
    """Write benchmarks.md and benchmarks.svg into the folder."""
    kept = all_kept(results_folder)
    results = {at: one for at, one in kept.items() if one.runs}
    if not results:
        raise SystemExit(f"error: nothing is measured below {results_folder}: give sizes")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.svg").write_text(chart(results), encoding="utf-8")
    text = jinja2.Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701
    page = text.from_string(TEMPLATE.read_text(encoding="utf-8")).render(**_told(results), failed=_failed(kept))
    (folder / "benchmarks.md").write_text(page.rstrip("\n") + "\n", encoding="utf-8")


def _told(results: Results) -> dict[str, Any]:
    kept = list(results.values())
    sizes = sorted({size for size, _ in results if size != NO_SIZE})
    machines = {(one.told["machine"]["cores"], one.told["machine"]["memory_gib"]) for one in kept}
    return {
        "dates": sorted({one.told["date"] for one in kept}),
        "machines": sorted(machines),
        "versions": _versions(kept),
        "commits": sorted({one.told["versions"].get("commit", "") for one in kept} - {""}),
        "tables": TABLES,
        "sizes": [_of_size(results, size) for size in sizes],
        "spark": [_of_spark(one) for one in kept if "spark" in one.runs[0]],
        "dearest": [_dearest(one) for one in _largest_of_ours(results)],
        "without": [_row(results[NO_SIZE, s.name], s.title) for s in WITHOUT_SIZE if (NO_SIZE, s.name) in results],
        "goals": [_goal(one) for one in goals(results)],
    }


def _failed(kept: Results) -> list[str]:
    """Subjects that did not come to their end, a sentence each."""
    titles = {subject.name: subject.title for subject in SUBJECTS}
    return [
        f"{titles[one.subject]} ended with exit code {one.told['failed']} at {one.size:,} members"
        f" after {one.told['peak_memory'] / GB:.1f} GB."
        for one in kept.values()
        if not one.runs
    ]


def _versions(kept: list[Kept]) -> list[str]:
    found: dict[str, set[str]] = {}
    for one in kept:
        for name, version in one.told["versions"].items():
            found.setdefault(name, set()).add(version)
    return [f"{name} {' and '.join(sorted(of))}" for name, of in sorted(found.items()) if name != "commit"]


def _of_size(results: Results, size: int) -> dict[str, Any]:
    there = [(s, results[size, s.name]) for s in SUBJECTS if (size, s.name) in results]
    lines = max(one.told["claim_lines"] for _, one in there)
    base = results.get((size, "duckdb"))
    rows = []
    for subject, one in there:
        over = f"{one.median('cpu') / base.median('cpu'):.1f}" if base else NONE
        compared = one.told["compared"] or subject.kind == "floor"
        title = subject.title if compared else f"{subject.title} (its tables were not compared)"
        rows.append({**_row(one, title), "over": over})
    dates = {one.told["date"] for _, one in there}
    return {"members": f"{size:,}", "lines": f"{lines:,}", "rows": rows, "dates": sorted(dates)}


def _row(one: Kept, title: str) -> dict[str, str]:
    spread = sorted(run["cpu"] for run in one.runs)
    return {
        "title": title,
        "cpu": f"{one.median('cpu'):,.1f}",
        "spread": f"{spread[0]:,.1f} to {spread[-1]:,.1f}",
        "wall": f"{one.median('wall'):,.1f}",
        "memory": f"{one.median('peak_memory') / GB:.2f}",
        "written": f"{one.median('written_bytes') / MB:,.1f}" if one.median("written_bytes") else NONE,
        "n": str(len(one.runs)),
    }


def _of_spark(one: Kept) -> dict[str, str]:
    title = next((s.title for s in SUBJECTS if s.name == one.subject), one.subject)
    whole = {name: f"{one.median(name):,.0f}" for name in ("jobs", "stages", "tasks", "shuffle_records")}
    return {
        "members": f"{one.size:,}",
        "title": title,
        **whole,
        "shuffled": f"{one.median('shuffle_bytes') / MB:,.1f}",
        "spilled": f"{one.median('spilled_bytes') / MB:,.1f}",
        "executor_cpu": f"{one.median('executor_cpu'):,.1f}",
        "tables": str(_tables_written(one)),
    }


def _tables_written(one: Kept) -> int:
    """Of ours those that have rows."""
    return sum(r["rows"] > 0 for r in one.told["receipts"]) if "receipts" in one.told else len(TABLES)


def _largest_of_ours(results: Results) -> list[Kept]:
    """Ours at the largest size of each engine."""
    found: dict[str, Kept] = {}
    for one in results.values():
        if "receipts" in one.told and one.size >= found.get(one.subject, one).size:
            found[one.subject] = one
    return list(found.values())


def _dearest(one: Kept) -> dict[str, Any]:
    """Where the time of our run goes: seconds from start to publication, a table."""
    compared = {table.ours for table in TABLES}
    receipts = sorted(one.told["receipts"], key=lambda receipt: -receipt["seconds"])
    total = sum(receipt["seconds"] for receipt in receipts)
    of_compared = sum(receipt["seconds"] for receipt in receipts if receipt["table"] in compared)
    rows = [
        {
            "table": f"`{receipt['table']}`",
            "rows": f"{receipt['rows']:,}",
            "seconds": f"{receipt['seconds']:.1f}",
            "share": f"{receipt['seconds'] / total:.0%}",
        }
        for receipt in receipts[:DEAREST]
    ]
    title = next(s.title for s in SUBJECTS if s.name == one.subject)
    return {
        "title": title,
        "members": f"{one.size:,}",
        "rows": rows,
        "count": _tables_written(one),
        "compared": f"{of_compared / total:.0%}",
    }


def _goal(goal: Goal) -> dict[str, str]:
    found = NONE if goal.found is None else f"{goal.found:,.0f}" if goal.found >= 1_000 else f"{goal.found:.2f}"
    sign = "at least" if goal.is_least else "at most"
    return {"title": goal.title, "target": f"{sign} {goal.target:g}", "found": found, "verdict": goal.verdict}
