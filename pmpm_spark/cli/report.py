"""Writing the report: what it tells of the run besides gold tables, without what would give a few people away."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.model.intake import OUTCOMES
from pmpm_spark.policy import Policy, policy_of_run
from pmpm_spark.report import report
from pmpm_spark.report.about import About
from pmpm_spark.shareable import shareable
from pmpm_spark.small_cells import WHOLE, parts_left_out

if TYPE_CHECKING:
    from pmpm_spark.runs import Run
    from pmpm_spark.warehouse import Published

SMALL_NUMBER = re.compile(r"(?<![\w.,%-])(?:[1-9]|10)(?![\w.,%-])|\d%")
"""A number from 1 to 10 that stands by itself, or a share."""
NOTICES_LEFT_OUT = "{} more that tell small numbers or shares stand in ops.runs alone"


def write_report(warehouse: Published, path: Path, *, policy: str | None = None, year: int | None = None) -> Path:
    """Write the report of a policy and year, by default the run's first policy and last year.

    Raises:
        ConfigError: the run has no such policy or year, or the file cannot be written.
        InputError: the run has no gold table.
        SetupError: what the report is made with is not installed.
    """
    rules = _policy(warehouse.run, policy)
    tables = shareable(warehouse)
    told = {row["performance_year"] for row in tables.rows("network_pmpm", policy=rules.label)}
    if not told:
        raise InputError(f"report: no network has a row of policy {rules.label}; run `pmpm run` first")
    chosen = max(told) if year is None else year
    if chosen not in told:
        raise ConfigError(f"report: the run has no year {chosen} (it has {', '.join(map(str, sorted(told)))})")
    about = About(
        policy=rules,
        policy_hash=rules.content_hash,
        performance_year=chosen,
        run_id=warehouse.run.run_id,
        engine=warehouse.store.engine,
        notices=_notices(warehouse.run),
        loads=_loads(warehouse),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report(tables, about), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: not writable ({error.strerror}); choose another file with --out") from None
    return path


def _policy(run: Run, label: str | None) -> Policy:
    rules = [policy_of_run(said) for said in json.loads(run.settings)["policies"]]
    found = next((one for one in rules if label in (None, one.label)), None)
    if found is None:
        raise ConfigError(f"report: the last run has no policy {label} (it has {', '.join(r.label for r in rules)})")
    return found


def _notices(run: Run) -> list[str]:
    told = [notice for notice in run.notices if not SMALL_NUMBER.search(notice)]
    left_out = len(run.notices) - len(told)
    return told + ([NOTICES_LEFT_OUT.format(left_out)] if left_out else [])


def _loads(warehouse: Published) -> list[dict[str, Any]]:
    """Rows read and their fates by kind of file; few rows of a fate are left out, with what would tell them."""
    found: dict[str, dict[str, Any]] = {}
    for row in warehouse.read(LOAD_AUDIT).select("_bronze_table", "rows_read", *OUTCOMES).collect():
        kind = found.setdefault(row["_bronze_table"], dict.fromkeys(("files", "rows_read", *OUTCOMES), 0))
        kind["files"] += 1
        for name in ("rows_read", *OUTCOMES):
            kind[name] += row[name]
    loads = []
    for name, told in sorted(found.items()):
        hidden = parts_left_out({fate: told[fate] for fate in OUTCOMES})
        loads.append({"kind": name, **told, **dict.fromkeys("rows_read" if one == WHOLE else one for one in hidden)})
    return loads
