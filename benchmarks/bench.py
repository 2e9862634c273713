"""`make bench`: our job beside others on the same input, checked to be equal, measured in turn, and told in the docs.

    python -m benchmarks.bench [--sizes 2000 50000] [--only duckdb embedded] [--repeats 3] [--page docs]

Sizes are members. Each subject runs once a round, in turn, so that what else the machine does meets all alike. What was
measured stays in `--results` as JSON, and the page is made of all that stands there: sizes and subjects may be measured
by several commands. A subject whose tables are not ours ends the command, and its runs are not kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from benchmarks.equal import differences
from benchmarks.events import spark_figures
from benchmarks.inputs import ROOT, Input, generated
from benchmarks.kept import Kept, keep, machine, versions
from benchmarks.page import write_page
from benchmarks.subjects import BY_NAME, NO_SIZE, SUBJECTS, WITHOUT_SIZE, Subject
from benchmarks.tree import measured

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[2_000], help="members")
    parser.add_argument("--only", nargs="*", choices=sorted(BY_NAME), help="these alone")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="rounds (default 3)")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="input and tables")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), help="what was measured, as JSON")
    parser.add_argument("--page", type=Path, default=Path("docs"), help="folder of benchmarks.md and its chart")
    told = parser.parse_args()
    os.chdir(ROOT)
    chosen = list(BY_NAME) if told.only is None else told.only
    out, kept = told.out.resolve(), told.results
    for size in told.sizes:
        _measure_all([s for s in SUBJECTS if s.name in chosen], _loaded(size, out), out, kept, told.repeats)
    without = [subject for subject in WITHOUT_SIZE if subject.name in chosen]
    _measure_all(without, Input(NO_SIZE, out), out, kept, told.repeats)
    write_page(kept, told.page)
    print(f"written: {told.page}/benchmarks.md")


def _loaded(size: int, out: Path) -> Input:
    """The input with our tables loaded, both made once."""
    given = generated(size, out)
    given.load()
    return given


def _measure_all(subjects: list[Subject], given: Input, out: Path, kept: Path, repeats: int) -> None:
    """Rounds of all subjects; what a round found is kept when it has ended."""
    results: dict[str, Kept] = {}
    for turn in range(repeats):
        for subject in subjects:
            if turn and not results[subject.name].runs:
                continue  # it did not come to its end
            tables = _tables(given, out) / subject.name
            run = _once(subject, given, tables, out)
            told = results.setdefault(subject.name, Kept(given.members, subject.name, [], _circumstances(given)))
            _tell(given, subject, f"{turn + 1}/{repeats}", run)
            if run["exit_code"]:
                told.told.update(failed=run["exit_code"], peak_memory=run["peak_memory"])
                shutil.rmtree(tables, ignore_errors=True)
                continue
            told.runs.append(run)
            if subject.kind == "ours":
                told.told["receipts"] = _receipts(tables)
        if turn == 0:
            _compare(subjects, _tables(given, out), results)
        for one in results.values():
            keep(kept, one)


def _tables(given: Input, out: Path) -> Path:
    return out / f"tables-{given.members}"


def _circumstances(given: Input) -> dict[str, Any]:
    lines = {"claim_lines": given.claim_lines()} if given.members else {}
    date = datetime.now(UTC).date().isoformat()
    return {"date": date, "versions": versions(), "machine": machine(), "compared": False, **lines}


def _tell(given: Input, subject: Subject, turn: str, run: dict[str, Any]) -> None:
    ended = f", ended with exit code {run['exit_code']}" if run["exit_code"] else ""
    print(
        f"{given.members:>9,} {subject.name:<9} {turn}: CPU {run['cpu']:.1f} s, wall {run['wall']:.1f} s, "
        f"{run['peak_memory'] / 1e9:.2f} GB{ended}",
        flush=True,
    )


def _once(subject: Subject, given: Input, tables: Path, out: Path) -> dict[str, Any]:
    """One run with what it took. A peer may fail, as where memory runs out; ours may not."""
    events, log = tables.parent / f"{subject.name}-events", out / "logs" / f"{given.members}-{subject.name}.log"
    for folder in (tables, events):
        shutil.rmtree(folder, ignore_errors=True)
    events.mkdir(parents=True)
    tables.parent.mkdir(parents=True, exist_ok=True)
    command = subject.command(given, tables, events)
    run = measured(command, log, _java() if subject.uses_spark else None)
    if run.exit_code and subject.kind != "peer":
        raise SystemExit(f"error: {subject.name} of {given.members:,} members ended with {run.exit_code}: see {log}")
    told = asdict(run) | ({"spark": spark_figures(events)} if subject.uses_spark else {})
    told["written_bytes"] = written_bytes(tables)
    if subject.uses_spark and not run.exit_code and not told["spark"]["jobs"]:
        raise SystemExit(f"error: {subject.name} has left no event log below {events}")
    return told


def written_bytes(tables: Path) -> int:
    """Bytes of what a run left, without the loaded tables, which stand there as links."""
    files = [file.stat() for file in tables.rglob("*") if file.is_file()]
    return sum(file.st_size for file in files if file.st_nlink == 1)


def _compare(subjects: list[Subject], tables: Path, results: dict[str, Kept]) -> None:
    """All with the first that stands there, ours before peers; it may be of an earlier command."""
    with_tables = [s for s in sorted(SUBJECTS, key=lambda s: s.kind != "ours") if (tables / s.name).is_dir()]
    for subject in [s for s in subjects if s in with_tables]:
        base = with_tables[0] if subject is not with_tables[0] else with_tables[-1]
        if base is subject:
            continue  # nothing stands beside it
        found = differences(tables / base.name, tables / subject.name, tables / "scratch")
        if found:
            raise SystemExit(
                f"error: the tables of {subject.name} are not those of {base.name}: {'; '.join(found)} "
                f"(where the code has changed since {base.name} ran, measure both)"
            )
        results[subject.name].told["compared"] = True
        print(f"          the tables of {subject.name} are those of {base.name}", flush=True)


def _receipts(warehouse: Path) -> list[dict[str, Any]]:
    """Tables that the last run wrote, with rows and seconds."""
    book = DeltaTable(str(warehouse / "ops" / "runs")).to_pyarrow_dataset().to_table()
    last = max((row for row in book.to_pylist() if row["status"] == "finished"), key=lambda row: row["run_id"])
    return [{name: one[name] for name in ("table", "rows", "seconds")} for one in last["receipts"]]


def _java() -> dict[str, str]:
    """The Java that ours finds, for the others too."""
    command = [sys.executable, "-m", "pmpm_spark.java"]
    home = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
    return {"JAVA_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1"}


if __name__ == "__main__":
    main()
