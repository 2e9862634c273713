"""What an answer is made of: headed tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    """One table of an answer: its name for programs, its heading for people, columns and rows.

    `nothing` is said where there is no row. Programs get every row. People get `shown` of them, where that is told, and
    read in `left_out` what the others are; `policies` may be `merged`: rows that differ only in the policy are told
    once, or `apart`: each policy has a table of its own, of `at_most` so many rows; and rows of consecutive months are
    told as one where `in_ranges`.
    """

    name: str
    heading: str
    names: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    nothing: str = "none"
    policies: str = "beside"
    in_ranges: bool = False
    at_most: int | None = None
    shown: Sequence[tuple[Any, ...]] | None = None
    left_out: str = ""


MOST_NAMED = 10


def some_of(names: Collection[str]) -> str:
    """What there is, for who named what there is not: the first ten in order, or none."""
    return (", ".join(sorted(names)[:MOST_NAMED]) + ", ..." * (len(names) > MOST_NAMED)) or "none"
