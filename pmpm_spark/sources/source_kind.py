"""What a source tells of itself: its tables, its stages to typed rows, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pmpm_spark.sources.bronze import BronzeLoad
from pmpm_spark.sources.lists import List
from pmpm_spark.stage import Stage
from pmpm_spark.table import Table

Loads = Callable[..., tuple[list[BronzeLoad], list[str]]]
"""Takes session, path, files known, batch, time and a folder for unpacking, and `file_format` where `source.format` is
for the source; gives what is new, and notices."""


@dataclass(frozen=True)
class SourceKind:
    """One format. `rows` are the intake tables that hold its delivered rows with their fates; `unpaid` the claim types
    of which it does not tell what was paid."""

    bronze: tuple[Table, ...]
    rows: tuple[Table, ...]
    stages: tuple[Stage, ...]
    loads: Loads
    unpaid: tuple[str, ...] = ()
    lists: tuple[List, ...] = ()
    """Lists that the format brings itself, besides those that the configuration names."""
    notices: Callable[[Any], list[str]] = lambda _: []
    """Takes how a table is read, after a run; what the reader of its figures should know."""
