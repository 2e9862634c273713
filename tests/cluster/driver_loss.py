"""The driver killed at a random moment of a job, what readers see then, and the same job once more."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.house import JOBS, House
from tests.cluster.moments import RECEIPT, Moment, Timeline
from tests.cluster.standalone import Cluster, Submitted
from tests.digests import Digest, differing

LOOK_EVERY = 0.02
STARTED, FINISHED = 1, 2
"""Signs in the book of runs by which a run is further than when nothing had begun."""


@dataclass(frozen=True)
class Trial:
    """What was found after a kill, and after the rerun. Tables are named where they are not as they should be."""

    moment: Moment
    ahead: int
    seen_otherwise: list[str]
    code: int
    rerun_otherwise: list[str]
    left_ahead: list[str]
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.code == 0 and not (self.seen_otherwise or self.rerun_otherwise or self.left_ahead)


class TooLateError(Exception):
    """The run had finished before it could be killed."""


def watched(house: House, job: Submitted, signs: int) -> Timeline:
    """The timeline of a job at work, watched until it ends; `signs` stood in the book before."""
    at: dict[int, float] = {}
    is_over = False
    while not is_over:
        is_over = not job.is_at_work  # and then one look more
        found = house.signs()
        at |= {sign: time.monotonic() for sign in (STARTED, FINISHED) if sign not in at and found >= signs + sign}
        time.sleep(LOOK_EVERY)
    started, finished = at[STARTED], at[FINISHED]
    return Timeline([moment - started for moment in published_at(job)], finished - started)


def published_at(job: Submitted) -> list[float]:
    return [at for at, line in list(job.lines) if RECEIPT.search(line)]


def kill_at(house: House, job: Submitted, moment: Moment, signs: int) -> None:
    """Kill the driver of a job at work.

    Raises:
        TooLateError: it had finished.
    """
    started = 0.0
    while job.is_at_work:
        now = time.monotonic()
        if not started and house.signs() >= signs + STARTED:
            started = now
        if started and moment.is_now(published_at(job), started, now):
            job.kill()
            break
        time.sleep(LOOK_EVERY)
    code = job.wait()
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{moment}: the job failed by itself: {job.said[-2000:]}")
    if house.signs() >= signs + FINISHED:
        raise TooLateError


def trial(cluster: Cluster, house: House, config: Path, moment: Moment, states: Mapping[str, Digest]) -> Trial:
    """Kill, read, run again, read. `states` are what stood after each job, and before the first as `first`."""
    names = list(states)
    before = names[names.index(moment.job) - 1]
    house.put_back(before)
    script, begun, signs = JOBS[moment.job], time.monotonic(), house.signs()
    job = cluster.submit(script, "--full", "--config", str(config))
    kill_at(house, job, moment, signs)
    seen, ahead = differing(house.digest(config), states[before]), len(house.ahead(config))
    again = cluster.submit(script, "--full", "--config", str(config))
    code = again.wait()
    cluster.forget()
    after, left = differing(house.digest(config), states[moment.job]), house.ahead(config)
    return Trial(moment, ahead, seen, code, after, left, time.monotonic() - begun)
