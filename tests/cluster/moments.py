"""Random moments of a run, told by how far it has come, so that they are met again on a slower or quicker machine."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RECEIPT = re.compile(r"\b(\w+\.\w+) +[\d,]+ rows +[\d.]+ s$")
"""What a run says of a table that it published."""


@dataclass(frozen=True)
class Timeline:
    """Seconds from a run's first sign in the book to each table that it published, and to its last sign."""

    tables: Sequence[float]
    end: float


@dataclass(frozen=True)
class Moment:
    """So many seconds after a job has published so many tables."""

    job: str
    tables: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.job}: {self.tables} tables + {self.seconds:.1f} s"

    def is_now(self, said_at: Sequence[float], started: float, now: float) -> bool:
        """`said_at` are the times at which tables were published, `started` is the first sign."""
        if len(said_at) < self.tables:
            return False
        since = started if self.tables == 0 else said_at[self.tables - 1]
        return now >= since + self.seconds or len(said_at) > self.tables


def drawn(timelines: Mapping[str, Timeline], number: int, of: int, draw: random.Random) -> Moment:
    """A moment of the `number`-th of `of` equal parts of the time that all jobs take together, each as likely as another."""
    total = sum(line.end for line in timelines.values())
    at = (number + draw.random()) / of * total
    for job, line in timelines.items():
        if at < line.end:
            before = [second for second in line.tables if second <= at]
            return Moment(job, len(before), at - (before[-1] if before else 0))
        at -= line.end
    raise ValueError(f"part {number} of {of}: the parts are counted from 0")
