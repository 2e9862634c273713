"""What Spark's event log tells of one application, whole and by stage; and the properties that make Spark keep one."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SUMS = {
    "shuffle.write.bytesWritten": "shuffle_bytes",
    "shuffle.write.recordsWritten": "shuffle_records",
    "diskBytesSpilled": "spilled_bytes",
}
"""Spark's metrics of a stage, and what we call their sums."""


def logged(properties: Path, events: Path, more: Mapping[str, str] | None = None) -> Path:
    """The same Spark properties and some more, with an event log in the folder, made anew."""
    shutil.rmtree(events, ignore_errors=True)
    events.mkdir(parents=True)
    told = {"enabled": "true", "compress": "false", "dir": f"file://{events}"}
    given = properties.read_text().splitlines()
    kept = [line for line in given if not line.startswith(("spark.eventLog", *[f"{name} " for name in more or {}]))]
    own = events.with_suffix(".conf")
    added = {**{f"spark.eventLog.{name}": value for name, value in told.items()}, **(more or {})}
    own.write_text("\n".join([*kept, *[f"{name} {value}" for name, value in added.items()], ""]))
    return own


def spark_figures(folder: Path) -> dict[str, float]:
    """Jobs, stages, tasks, bytes and records written to shuffles, bytes spilled to disk, CPU seconds in tasks."""
    found: dict[str, float] = dict.fromkeys(("jobs", "stages", "tasks", "executor_cpu", *SUMS.values()), 0)
    for event in events_of(folder):
        if event["Event"] == "SparkListenerJobStart":
            found["jobs"] += 1
        elif event["Event"] == "SparkListenerStageCompleted":
            told = _metrics(event["Stage Info"])
            found["stages"] += 1
            found["tasks"] += event["Stage Info"]["Number of Tasks"]
            found["executor_cpu"] += int(told.get("executorCpuTime", 0)) / 1e9
            for name, ours in SUMS.items():
                found[ours] += int(told.get(name, 0))
    found["executor_cpu"] = round(found["executor_cpu"], 1)
    return found


def print_stages(folder: Path) -> None:
    """CPU, shuffle and result bytes of Spark's stages, the dearest first."""
    total: dict[str, float] = defaultdict(float)
    stages = []
    for event in events_of(folder):
        if event["Event"] != "SparkListenerStageCompleted":
            continue
        info = event["Stage Info"]
        told = _metrics(info)
        figures = {
            "cpu": int(told.get("executorCpuTime", 0)) / 1e9,
            "shuffled": int(told.get("shuffle.write.bytesWritten", 0)) / 1e6,
            "results": int(told.get("resultSize", 0)) / 1e6,
        }
        stages.append((figures, info["Stage ID"], info["Number of Tasks"], info["Stage Name"][:60]))
        for name, value in figures.items():
            total[name] += value
    for figures, number, tasks, name in sorted(stages, key=lambda stage: -stage[0]["cpu"])[:12]:
        told = ", ".join(f"{key} {value:.1f}" for key, value in figures.items())
        print(f"  stage {number} of {tasks} tasks: {told}; {name}")
    print("  " + ", ".join(f"{key} {value:.1f}" for key, value in total.items()) + " (s, MB, MB) in tasks")


def events_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Every event of the logs below the folder, in the order of each."""
    for file in folder.rglob("*"):
        if file.is_file() and "appstatus" not in file.name and not file.name.endswith(".crc"):
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)


def _metrics(stage: dict[str, Any]) -> dict[str, Any]:
    return {a["Name"].removeprefix("internal.metrics."): a.get("Value", 0) for a in stage["Accumulables"]}
