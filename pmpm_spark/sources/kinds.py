"""The delivered formats: for each `source.kind` its bronze tables, its stages to typed rows, and how it is loaded.

Everything after these stages is the same whatever was delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pmpm_spark.sources import cclf, common, rif, synpuf, tuva
from pmpm_spark.sources.bronze import BronzeLoad
from pmpm_spark.sources.lists import List
from pmpm_spark.stage import Stage
from pmpm_spark.table import Table

Loads = Callable[..., tuple[list[BronzeLoad], list[str]]]
"""Takes session, path, files known, batch, time and a folder for unpacking; gives what is new, and notices."""


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
    has_formats: bool = False
    """Whether `source.format` says how its tables are delivered; `loads` takes it then."""
    notices: Callable[[Any], list[str]] = lambda _: []
    """Takes how a table is read, after a run; what the reader of its figures should know."""


SOURCE_KINDS = {
    "rif": SourceKind(rif.BRONZE_TABLES, rif.ROWS, rif.STAGES, rif.new_loads),
    "cclf": SourceKind(cclf.BRONZE_TABLES, cclf.ROWS, cclf.STAGES, cclf.bronze_loads, unpaid=("pharmacy",)),
    "synpuf": SourceKind(
        synpuf.BRONZE_TABLES,
        synpuf.ROWS,
        synpuf.STAGES,
        synpuf.bronze_loads,
        unpaid=("pharmacy",),
        notices=synpuf.notices,
    ),
    "common": SourceKind(common.BRONZE_TABLES, common.ROWS, common.STAGES, common.bronze_loads, has_formats=True),
    "tuva": SourceKind(
        tuva.BRONZE_TABLES,
        tuva.ROWS,
        tuva.STAGES,
        tuva.bronze_loads,
        lists=(tuva.PROVIDER_ATTRIBUTION,),
        has_formats=True,
    ),
}
