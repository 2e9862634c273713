"""Odd shapes: whether one task has far more to do than others, what comes to the driver, and whether the figures hold.

    python -m benchmarks.skew [--members 3000] [--shapes large_practice ten_years] [--out build/skew]

Each shape is the benchmark's input, changed: one practice bills three lines in ten; one member has 100,000 lines; nine
rows in ten of the rosters are one network's; ten years of history. Ours runs on Spark as on a cluster: 16 tasks a
shuffle whatever their size, where one machine would put small ones together. Its tables must be the embedded engine's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from benchmarks.equal import differences
from benchmarks.events import events_of
from benchmarks.inputs import ROOT, Input, generated
from benchmarks.subjects import BY_NAME
from pmpm_spark.cli.render import Rows, as_table

TASKS = 16
AS_ON_A_CLUSTER = {
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": str(TASKS),
    "spark.sql.adaptive.coalescePartitions.enabled": "false",
}
LEAST_SECONDS = 1.0
"""A stage whose longest task takes less CPU is not looked at: what starts a task is most of it."""
AT_MOST = 5.0
DRIVER_MB = 1000
LINES_OF_ONE = 100_000
LONG_AGO = 2013


@dataclass(frozen=True)
class Found:
    """What Spark did with a shape. Seconds are CPU."""

    shape: str
    share: str
    stages: int
    worst: float
    worst_seconds: float
    worst_stage: str
    driver_mb: float

    @property
    def is_even(self) -> bool:
        return self.worst <= AT_MOST and self.driver_mb <= DRIVER_MB


def large_practice(at: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """Three lines in ten are billed by the practice that bills most."""
    _changed(
        at,
        folder / "common" / "claim_lines",
        "SELECT * REPLACE (CASE WHEN hash(claim_id) % 100 < 30 THEN (SELECT mode(billing_tin) FROM old) "
        "ELSE billing_tin END AS billing_tin) FROM old",
    )
    return _largest(at, folder / "common" / "claim_lines", "billing_tin", "of lines")


def large_member(at: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """One member has 100,000 lines: claims of others, once more, as the member's own."""
    _changed(
        at,
        folder / "common" / "claim_lines",
        "SELECT * FROM old UNION ALL SELECT * REPLACE (claim_id || 'M' AS claim_id, "
        "cancels_claim_id || 'M' AS cancels_claim_id, claim_group || 'M' AS claim_group, "
        "(SELECT min(member_id) FROM old) AS member_id) FROM "
        f"(SELECT * FROM old ORDER BY hash(claim_id), claim_id, line_number LIMIT {LINES_OF_ONE})",
    )
    return _largest(at, folder / "common" / "claim_lines", "member_id", "of lines")


def large_network(at: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """Nine rows in ten of the rosters are one network's."""
    _changed(
        at,
        folder / "lists" / "network_roster",
        "SELECT DISTINCT * REPLACE (o.network_id AS network_id, o.network_name AS network_name, "
        "o.network_type AS network_type) FROM (SELECT * FROM old WHERE hash(tin, npi, ccn) % 10 < 9) r, "
        "(SELECT network_id, network_name, network_type FROM old ORDER BY network_id LIMIT 1) o "
        "UNION SELECT * FROM old WHERE NOT hash(tin, npi, ccn) % 10 < 9",
    )
    return _largest(at, folder / "lists" / "network_roster", "network_id", "of roster")


def ten_years(at: duckdb.DuckDBPyConnection, folder: Path) -> str:
    """Ten years of enrollment and claims, of which three are performance years."""
    lines = f"'{folder}/common/claim_lines/*.parquet'"
    [(years,)] = at.execute(f"SELECT count(DISTINCT year(service_thru)) FROM {lines}").fetchall()
    return f"{years} years of claims"


SHAPES: dict[str, Callable[[duckdb.DuckDBPyConnection, Path], str]] = {
    shape.__name__: shape for shape in (large_practice, large_member, large_network, ten_years)
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skew", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--members", type=int, default=3000)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--out", type=Path, default=Path("build/skew"))
    told = parser.parse_args(arguments)
    os.chdir(ROOT)
    found = [tried(name, told.members, told.out.resolve()) for name in told.shapes]
    heading = ("shape", "share", "stages looked at", "most over median", "CPU s of it", "stage", "MB to the driver")
    rows = [
        (o.shape, o.share, o.stages, f"{o.worst:.1f}", f"{o.worst_seconds:.1f}", o.worst_stage, f"{o.driver_mb:.0f}")
        for o in found
    ]
    print(as_table(Rows(heading, rows)))
    return 0 if all(one.is_even for one in found) else 1


def tried(name: str, members: int, out: Path) -> Found:
    """Run a shape on both engines, compare, and look at Spark's tasks.

    Raises:
        SystemExit: a run failed, or the engines' tables differ.
    """
    given, share = _shaped(name, members, out)
    given.load()
    for engine in ("embedded", "spark"):
        _run(given, out, name, engine)
    wrong = differences(out / name / "embedded", out / name / "spark", out / "scratch")
    if wrong:
        raise SystemExit(f"error: {name}: the engines' tables differ: {'; '.join(wrong)}")
    found = replace(looked_at(name, out / name / "events"), share=share)
    print(f"{name}: {found.stages} stages, most over median {found.worst:.1f}", file=sys.stderr, flush=True)
    return found


def looked_at(name: str, events: Path) -> Found:
    """The most uneven stage among those with work enough, and the most that a stage's tasks sent to the driver."""
    seconds: dict[tuple[int, int], list[float]] = defaultdict(list)
    names: dict[int, str] = {}
    sent: dict[int, int] = defaultdict(int)
    for event in events_of(events):
        if event["Event"] == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            told = event["Task Metrics"]
            at = (event["Stage ID"], event["Stage Attempt ID"])
            seconds[at].append(told["Executor CPU Time"] / 1e9)
            sent[event["Stage ID"]] += told["Result Size"]
        elif event["Event"] == "SparkListenerStageCompleted":
            info = event["Stage Info"]
            names[info["Stage ID"]] = f"{info['Stage ID']} of {info['Number of Tasks']} tasks"
    to_driver = max(sent.values(), default=0)
    heavy = {at: tasks for at, tasks in seconds.items() if len(tasks) >= TASKS and max(tasks) >= LEAST_SECONDS}
    worst = max(heavy, key=lambda at: max(heavy[at]) / statistics.median(heavy[at]), default=None)
    if worst is None:
        return Found(name, "", 0, 0.0, 0.0, "-", to_driver / 1e6)
    tasks = heavy[worst]
    over = max(tasks) / statistics.median(tasks)
    return Found(name, "", len(heavy), over, max(tasks), names.get(worst[0], "-"), to_driver / 1e6)


def _shaped(name: str, members: int, out: Path) -> tuple[Input, str]:
    """The input of a shape, made anew, and what is said of it."""
    if name == ten_years.__name__:
        given = generated(members, out / "long", first_year=LONG_AGO)
    else:
        base = generated(members, out)
        folder = out / name / "input"
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(base.folder, folder, ignore=shutil.ignore_patterns("loaded*"))
        given = Input(members, folder)
    with duckdb.connect() as at:
        return given, SHAPES[name](at, given.folder)


def _changed(at: duckdb.DuckDBPyConnection, folder: Path, query: str) -> None:
    """The Parquet of a folder by what the query makes of it."""
    at.execute(f"CREATE OR REPLACE TABLE old AS FROM '{folder}/*.parquet'")
    at.execute(f"CREATE OR REPLACE TABLE new AS {query}")
    shutil.rmtree(folder)
    folder.mkdir()
    at.execute(f"COPY new TO '{folder}/changed.parquet' (FORMAT parquet, COMPRESSION zstd)")
    at.execute("DROP TABLE old; DROP TABLE new")


def _largest(at: duckdb.DuckDBPyConnection, folder: Path, column: str, what: str) -> str:
    """The share of the rows that have the column's most frequent value."""
    counts = f"SELECT count(*) AS n FROM '{folder}/*.parquet' GROUP BY {column}"
    [(share,)] = at.execute(f"SELECT max(n) / sum(n) FROM ({counts})").fetchall()
    return f"{share:.0%} {what}"


def _run(given: Input, out: Path, name: str, engine: str) -> None:
    """One run of ours, from the loaded tables."""
    tables, events = out / name / engine, out / name / "events"
    for folder in (tables, events):
        shutil.rmtree(folder, ignore_errors=True)
    tables.parent.mkdir(parents=True, exist_ok=True)
    command = BY_NAME[engine].command(given, tables, events)
    if engine == "spark":
        command += [f"{key}={value}" for key, value in AS_ON_A_CLUSTER.items()]
    log = out / name / f"{engine}.log"
    with log.open("wb") as said:
        code = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=False).returncode  # noqa: S603
    if code:
        raise SystemExit(f"error: {name} on {engine} ended with {code}: see {log}")


if __name__ == "__main__":
    sys.exit(main())
