"""Who is measured, and by which command. Every subject is a process of its own, its start included."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.inputs import FIRST_YEAR, LAST_YEAR, Input

LOG = "_delta_log"
NO_SIZE = 0
"""The size under which the subjects stand that have none."""


@dataclass(frozen=True)
class Subject:
    """One line of the table: `command` is told the input, where to write, and where Spark's event log goes.

    `kind`: ours (a warehouse), peer (Parquet), floor or other (nothing to compare).
    """

    name: str
    title: str
    kind: str
    command: Callable[[Input, Path, Path], list[str]]
    uses_spark: bool = False


def _peer(module: str, with_events: bool = False) -> Callable[[Input, Path, Path], list[str]]:
    def command(given: Input, out: Path, events: Path) -> list[str]:
        told = [str(given.folder), str(out), str(FIRST_YEAR), str(LAST_YEAR)]
        return [sys.executable, "-m", f"benchmarks.peers.{module}", *told, *([str(events)] if with_events else [])]

    return command


def _ours(engine: str) -> Callable[[Input, Path, Path], list[str]]:
    def command(given: Input, out: Path, events: Path) -> list[str]:
        config = out.with_suffix(".toml")
        config.write_text(given.config(out, engine), encoding="utf-8")
        _copied(given.warehouse, out)
        told = [str(config), *([str(events)] if engine == "spark" else [])]
        return [sys.executable, "-m", "benchmarks.ours", *told]

    return command


def _copied(loaded: Path, out: Path) -> None:
    """The loaded tables, for one run: data files, which no engine changes, by links, and the logs as copies."""

    def copy(source: str, target: str) -> Any:
        is_data = source.endswith(".parquet") and LOG not in Path(source).parts
        return Path(target).hardlink_to(source) if is_data else shutil.copy2(source, target)

    shutil.copytree(loaded, out, copy_function=copy)


def _scan(given: Input, out: Path, events: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.peers.column_scan", str(given.folder)]


def _demo(given: Input, out: Path, events: Path) -> list[str]:
    return [sys.executable, "-m", "pmpm_spark", "demo", "--out", str(out)]


def _bare(given: Input, out: Path, events: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.bare_session", str(out)]


SUBJECTS = (
    Subject("floor", "column scan (the floor)", "floor", _scan),
    Subject("duckdb", "DuckDB", "peer", _peer("duckdb_sql")),
    Subject("polars", "Polars", "peer", _peer("polars_frames")),
    Subject("embedded", "pmpm, embedded engine", "ours", _ours("embedded")),
    Subject("spark", "pmpm, Spark", "ours", _ours("spark"), uses_spark=True),
    Subject("plain", "PySpark, as most write it", "peer", _peer("plain_pyspark", with_events=True), uses_spark=True),
)
WITHOUT_SIZE = (
    Subject("bare", "bare Spark session, one Delta table", "other", _bare),
    Subject("demo", "`make demo`", "other", _demo),
)
BY_NAME = {subject.name: subject for subject in (*SUBJECTS, *WITHOUT_SIZE)}
