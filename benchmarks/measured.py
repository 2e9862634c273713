"""What the benchmarks measure: CPU of the process tree, and what Spark's stages took."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from pathlib import Path


def cpu_seconds() -> float:
    """Of this process and all below it."""
    below: dict[int, list[int]] = defaultdict(list)
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(stat.parent.name), stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        below[int(rest[1])].append(pid)
        used[pid] = (int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK")
    tree, total = [os.getpid()], 0.0
    while tree:
        pid = tree.pop()
        total += used.get(pid, 0.0)
        tree += below[pid]
    return total


def logged(properties: Path, events: Path) -> Path:
    """The same Spark properties, with an event log in the folder, made anew."""
    shutil.rmtree(events, ignore_errors=True)
    events.mkdir(parents=True)
    told = {"enabled": "true", "compress": "false", "dir": f"file://{events}"}
    kept = [line for line in properties.read_text().splitlines() if not line.startswith("spark.eventLog")]
    own = events.with_suffix(".conf")
    own.write_text("\n".join([*kept, *[f"spark.eventLog.{name} {value}" for name, value in told.items()], ""]))
    return own


def print_stages(folder: Path) -> None:
    """CPU, shuffle and result bytes of Spark's stages, the dearest first."""
    total: dict[str, float] = defaultdict(float)
    stages = []
    for file in folder.rglob("*"):
        if not file.is_file() or "appstatus" in file.name:
            continue
        with file.open() as lines:
            for line in lines:
                event = json.loads(line)
                if event["Event"] != "SparkListenerStageCompleted":
                    continue
                info = event["Stage Info"]
                told = {a["Name"].removeprefix("internal.metrics."): a.get("Value", 0) for a in info["Accumulables"]}
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
