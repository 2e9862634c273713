"""What Spark's event log tells of one application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SUMS = {
    "shuffle.write.bytesWritten": "shuffle_bytes",
    "shuffle.write.recordsWritten": "shuffle_records",
    "diskBytesSpilled": "spilled_bytes",
}
"""Spark's metrics of a stage, and what we call their sums."""


def spark_figures(folder: Path) -> dict[str, float]:
    """Jobs, stages, tasks, bytes and records written to shuffles, bytes spilled to disk, CPU seconds in tasks."""
    found: dict[str, float] = dict.fromkeys(("jobs", "stages", "tasks", "executor_cpu", *SUMS.values()), 0)
    for file in folder.rglob("*"):
        if file.is_file() and "appstatus" not in file.name and not file.name.endswith(".crc"):
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    _add(found, json.loads(line))
    found["executor_cpu"] = round(found["executor_cpu"], 1)
    return found


def _add(found: dict[str, float], event: dict[str, Any]) -> None:
    if event["Event"] == "SparkListenerJobStart":
        found["jobs"] += 1
    elif event["Event"] == "SparkListenerStageCompleted":
        info = event["Stage Info"]
        told = {a["Name"].removeprefix("internal.metrics."): a.get("Value", 0) for a in info["Accumulables"]}
        found["stages"] += 1
        found["tasks"] += info["Number of Tasks"]
        found["executor_cpu"] += int(told.get("executorCpuTime", 0)) / 1e9
        for name, ours in SUMS.items():
            found[ours] += int(told.get(name, 0))
