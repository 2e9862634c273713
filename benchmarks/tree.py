"""A command measured whole: wall, CPU and peak memory of its process and of every process below it, on Linux.

Processes that outlive their parents (Python ends before its JVM) become children of this one, so that none is missed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER
EVERY_SECONDS = 0.1
GRACE_SECONDS = 30
"""What is still at work so long after the command has ended is killed."""
PAGE = os.sysconf("SC_PAGE_SIZE")
PARENT, USER, SYSTEM, RESIDENT, STACK = 1, 11, 12, 21, 25
"""Places in /proc/PID/stat after the name: parent, ticks of CPU, pages resident, where the stack begins."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """One run of a command. Seconds; the most bytes that all its processes had resident together."""

    exit_code: int
    wall: float
    cpu: float
    peak_memory: int


def measured(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Measured:
    """Run the command to its end, with what it says in `log`. This process must have no other children."""
    if sys.platform != "linux":
        raise SystemExit("error: benchmarks measure process trees by /proc: run them on Linux")
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    log.parent.mkdir(parents=True, exist_ok=True)
    opened = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    start = time.monotonic()
    main = os.posix_spawn(
        command[0],
        list(command),
        {**os.environ, **(env or {})},
        file_actions=[opened, (os.POSIX_SPAWN_DUP2, 1, 2)],
        setsid=True,
    )
    with contextlib.suppress(OSError):  # where memory runs out this is what ends, not the benchmark
        Path(f"/proc/{main}/oom_score_adj").write_text("1000")
    code, wall, cpu, peak = None, 0.0, 0.0, 0
    while True:
        peak = max(peak, _resident())
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            cpu += usage.ru_utime + usage.ru_stime
            if pid == main:
                code, wall = os.waitstatus_to_exitcode(status), time.monotonic() - start
            continue
        if code is not None and time.monotonic() - start > wall + GRACE_SECONDS:
            for left in _below():
                os.kill(left, signal.SIGKILL)
        time.sleep(EVERY_SECONDS)
    assert code is not None
    return Measured(code, wall, cpu, peak)


def cpu_seconds() -> float:
    """Of this process and all below it that are still at work."""
    own = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(stat[USER]) + int(stat[SYSTEM]) for stat in (own, *_below().values())) / TICKS


def _below() -> dict[int, list[str]]:
    """Every process below this one, with what /proc/PID/stat says from its state on."""
    children: dict[int, list[int]] = defaultdict(list)
    told: dict[int, list[str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(stat.parent.name), stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        children[int(rest[PARENT])].append(pid)
        told[pid] = rest
    found, tree = {}, children[os.getpid()]
    while tree:
        pid = tree.pop()
        found[pid] = told[pid]
        tree = tree + children[pid]
    return found


def _resident() -> int:
    """Resident bytes of all of them together.

    A process that has been forked and not yet become another program has its parent's memory, not as much again: it
    stands at the same address, which is drawn anew for every program. Of these the largest counts.
    """
    largest: dict[str, int] = defaultdict(int)
    for pid, rest in _below().items():
        program = rest[STACK] if rest[STACK] != "0" else str(pid)
        largest[program] = max(largest[program], int(rest[RESIDENT]) * PAGE)
    return sum(largest.values())
