"""Executors killed in the middle of the stages that write a table, and what Spark's event log says that it cost.

Which stages write which table stands in the event log of the driver, which tasks are at work in the executors' own logs.
Both are followed while the job runs.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tests.cluster.standalone import Cluster, Submitted, application_of, executors

TASK = re.compile(r"(Running|Finished) task \S+ in stage (\d+)\.\d+ \(TID (\d+)\)")
ROOT_OF, OF = "spark.sql.execution.root.id", "spark.sql.execution.id"
LOOK_EVERY = 0.02


@dataclass
class Killed:
    """An executor that was killed while a task of the table's stage ran in it."""

    table: str
    executor: str
    stage: int
    lost_tasks: int = 0
    """Tasks at work that were lost with it."""
    repeated_stages: int = 0
    """Stages that were done anew, as what they had shuffled was lost with it."""


class Following:
    """A growing file, read as far as it is whole lines."""

    def __init__(self, path: Path) -> None:
        self.file: TextIO = path.open(encoding="utf-8", errors="replace")
        self.rest = ""

    def lines(self) -> list[str]:
        *whole, self.rest = (self.rest + self.file.read()).split("\n")
        return whole


@dataclass
class Writing:
    """Which stages write which table, from the events so far."""

    targets: Sequence[str]
    table_of_execution: dict[str, str] = field(default_factory=dict)
    stages: dict[int, str] = field(default_factory=dict)

    def learn(self, line: str) -> None:
        if "SQLExecutionStart" not in line and '"SparkListenerJobStart"' not in line:
            return
        event: dict[str, Any] = json.loads(line)
        if event["Event"].endswith("SQLExecutionStart"):
            head = event["physicalPlanDescription"][:2000]
            for table in self.targets:
                if "ExecV1" in head and f"/{table.replace('.', '/')}," in head:
                    self.table_of_execution[str(event["executionId"])] = table
        elif event["Event"] == "SparkListenerJobStart":
            told = event["Properties"]
            table = self.table_of_execution.get(told.get(ROOT_OF, told.get(OF)))
            if table is not None:
                self.stages |= dict.fromkeys(event["Stage IDs"], table)


def kill_executors(cluster: Cluster, job: Submitted, name: str, tables: Sequence[str]) -> list[Killed]:
    """Until the job ends, kill an executor once in the middle of each table; those that were killed."""
    log = cluster.events / name
    writing, killed = Writing(tables), list[Killed]()
    events: Following | None = None
    logs: dict[Path, Following] = {}
    running: dict[str, dict[str, int]] = {}
    gone: set[str] = set()
    while job.is_at_work:
        application = application_of(log)
        if application is not None:
            events = events or Following(next(log.iterdir()))
            for line in events.lines():
                writing.learn(line)
            for path in cluster.work.glob(f"*/{application}/*/stderr"):
                logs.setdefault(path, Following(path))
            for path, file in logs.items():
                if path.parent.name in gone:
                    continue
                at_work = running.setdefault(path.parent.name, {})
                for found in TASK.finditer("\n".join(file.lines())):
                    if found[1] == "Running":
                        at_work[found[3]] = int(found[2])
                    else:
                        at_work.pop(found[3], None)
            one = _to_kill(running, writing, {k.table for k in killed})
            if one is not None:
                process = executors(application).get(one.executor)
                if process is not None:
                    os.kill(process, signal.SIGKILL)
                    killed.append(one)
                    gone.add(one.executor)
                running.pop(one.executor)
        time.sleep(LOOK_EVERY)
    job.wait()
    return killed


def _to_kill(running: dict[str, dict[str, int]], writing: Writing, done: set[str]) -> Killed | None:
    for executor, tasks in running.items():
        for stage in tasks.values():
            table = writing.stages.get(stage)
            if table is not None and table not in done:
                return Killed(table, executor, stage)
    return None


def costs(log: Path, killed: Sequence[Killed]) -> None:
    """Fill in what each loss cost, from the event log of the job that has ended."""
    lost: dict[str, int] = {}
    removed_at: list[tuple[int, str]] = []
    repeated_at: list[int] = []
    for line in next(log.iterdir()).read_text(encoding="utf-8").splitlines():
        if '"SparkListenerTaskEnd"' in line and '"ExecutorLostFailure"' in line:
            executor = json.loads(line)["Task Info"]["Executor ID"]
            lost[executor] = lost.get(executor, 0) + 1
        elif '"SparkListenerExecutorRemoved"' in line:
            event = json.loads(line)
            removed_at.append((event["Timestamp"], event["Executor ID"]))
        elif '"SparkListenerStageSubmitted"' in line:
            info = json.loads(line)["Stage Info"]
            if info["Stage Attempt ID"] > 0:
                repeated_at.append(info.get("Submission Time", 0))
    ends = {executor: at for at, executor in removed_at}
    for one, following in zip(killed, [*killed[1:], None], strict=True):
        begin = ends.get(one.executor, 0)
        end = ends.get(following.executor, 2**62) if following is not None else 2**62
        one.lost_tasks = lost.get(one.executor, 0)
        one.repeated_stages = sum(begin <= at < end for at in repeated_at)
