"""What both engines' Delta tables have in common: names, definitions and slices as SQL text, and what a write left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import types as T

from pmpm_spark.config import Warehouse
from pmpm_spark.errors import StageError
from pmpm_spark.paths import is_local, plain
from pmpm_spark.spark_versions import condition_of
from pmpm_spark.table import Column, Table

DELTA_KEEPS_FILES, DELTA_KEEPS_LOG = 7, 30
"""Days that Delta keeps what no longer counts where a table does not say."""
CONSTRAINT = "delta.constraints."
OURS = "pmpm.table"
"""The property by which a catalog tells a table of ours from somebody else's of the same name."""


@dataclass(frozen=True)
class Written:
    """What a write left: the version, the rows of the frame, and how many of them broke each rule."""

    version: int
    rows: int
    broken: Mapping[str, int]


@dataclass(frozen=True)
class Layout:
    """A stored table's constraints as SQL text by name, and the columns that it is partitioned by."""

    rules: Mapping[str, str]
    partition_by: tuple[str, ...]


@dataclass(frozen=True)
class Alteration:
    """What brings a stored table to its contract without a row being written."""

    added: tuple[Column, ...] = ()
    gone: tuple[str, ...] = ()
    ruled: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


class Delta(Protocol):
    """Delta tables of one warehouse on one engine. A version is a number of the table's own log."""

    at_once: int
    """How many tables may be written at the same time."""

    def create(self, table: Table) -> int:
        """Make the table empty, with its constraints, comments and layout; the version."""

    def refuse_others(self, table: Table) -> None:
        """A StageError where what stands in the table's place is somebody else's."""

    def write(self, table: Table, frame: DataFrame, append: bool, where: str | None) -> Written:
        """Add the rows, or put them in the place of all, or of those that `where` names. Rows that break a rule are
        counted; whether others were written then is not promised."""

    def newest(self, table: Table) -> int | None:
        """The newest version; None where the table does not stand. A StageError where it cannot be read."""

    def restore(self, table: Table, version: int) -> int:
        """Make a version's content the newest; the version that this makes."""

    def put_together(self, table: Table, version: int) -> int:
        """Make few files of many, where the engine can; the version that this makes, or the one given."""

    def delete_unneeded(self, table: Table, hours: int) -> int:
        """Delete files that have not been of the newest version for so long; the version, which may be a new one."""

    def at(self, table: Table, version: int) -> DataFrame: ...

    def schema(self, table: Table, version: int) -> T.StructType:
        """The columns of a version, with which of them may be null."""

    def layout(self, table: Table) -> Layout:
        """The constraints and partitions of the newest version."""

    def alter(self, table: Table, change: Alteration) -> int:
        """Add nullable columns, take constraints away and add others, and set the properties that the contract has
        besides; the version that this makes. Old rows must keep the new constraints: not every engine looks."""

    def is_empty(self, table: Table, version: int) -> bool: ...


def is_local_folder(warehouse: Warehouse) -> bool:
    """Whether tables stand in a folder of this machine, which either engine may write.

    Such tables are not clustered: nothing there would run the OPTIMIZE that clusters, and the embedded engine refuses
    tables with that feature.
    """
    return warehouse.path is not None and is_local(warehouse.path)


def folder_of(warehouse: Warehouse) -> str:
    """The folder of all tables. SQL takes only an absolute path, or one with a scheme, for a path."""
    given = (warehouse.path or "").rstrip("/")
    return given if ":" in given else str(Path(given).absolute())


def place_of(table: Table, warehouse: Warehouse) -> str:
    """Where the table stands, as people name it: its folder, or its name in the catalog."""
    if warehouse.path is not None:
        return f"{folder_of(warehouse)}/{table.layer}/{table.short_name}"
    return f"{schema_of(warehouse)}.{table.layer}_{table.short_name}"


def schema_of(warehouse: Warehouse) -> str:
    """The schema as people name it: `main.pmpm`, or `pmpm` in the session's own catalog."""
    return ".".join(part for part in (warehouse.catalog, warehouse.schema) if part is not None)


def definition(table: Table, layout: str, warehouse: Warehouse) -> str:
    """Columns, layout, comment, constraints and retention, as they follow a name in CREATE TABLE."""
    columns = ", ".join(
        f"{quoted(c.name)} {c.type.simpleString()}{' NOT NULL' * (c.name in table.key)} COMMENT {literal(c.meaning)}"
        for c in table.columns
    )
    told = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in _all_properties(table, warehouse).items())
    return f"({columns}) USING delta{layout} COMMENT {literal(table.grain)}" + (
        f" TBLPROPERTIES ({told})" if told else ""
    )


def _all_properties(table: Table, warehouse: Warehouse) -> dict[str, str]:
    rules = {f"{CONSTRAINT}{name}": rule for name, rule in constraints(table).items()}
    return rules | properties(table, warehouse)


def constraints(table: Table) -> dict[str, str]:
    """The rules by name as Delta is to hold them. A rule holds where it is null; for Delta alone it would not."""
    return {name: f"({rule}) IS NOT FALSE" for name, rule in table.rules.items()}


def layout_of(configuration: Mapping[str, str], partition_by: Sequence[str]) -> Layout:
    """The layout as a table's properties tell it."""
    rules = {name.removeprefix(CONSTRAINT): text for name, text in configuration.items() if name.startswith(CONSTRAINT)}
    return Layout(rules, tuple(partition_by))


def properties(table: Table, warehouse: Warehouse) -> dict[str, str]:
    """What Delta is told of a table beside its constraints."""
    told = {}
    if any(isinstance(c.type, T.DoubleType) for c in table.columns):
        # the embedded engine takes a number that is alone in its file from the log, a last digit off
        kinds = (T.StringType, T.DateType, T.IntegerType, T.LongType, T.DecimalType)
        columns_told = (c for c in table.columns if isinstance(c.type, kinds))
        told_in_log = [c.name for c in columns_told if c.name not in table.partition_by]
        told["delta.dataSkippingStatsColumns"] = ",".join(told_in_log)
    told |= _retention(warehouse.retention_days)
    if warehouse.path is None:
        told[OURS] = table.name
    return told


def _retention(days: int) -> dict[str, str]:
    """What keeps Delta from deleting what an earlier run needs, where that is longer than Delta's own time."""
    of = {"delta.deletedFileRetentionDuration": DELTA_KEEPS_FILES, "delta.logRetentionDuration": DELTA_KEEPS_LOG}
    return {name: f"interval {days} days" for name, kept in of.items() if days > kept}


def slice_predicate(slices: Mapping[str, Sequence[Any]]) -> str:
    """The slices as SQL: `policy IN ('default') AND performance_year IN (2021)`."""
    parts = []
    for name, values in slices.items():
        told = ", ".join(str(int(v)) if isinstance(v, int) else literal(str(v)) for v in values)
        parts.append(f"{quoted(name)} IN ({told})")
    return " AND ".join(parts)


def quoted(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_\-]+", name):
        raise StageError(f"{name!r} is no name of a table or column: letters, digits, _ and - only")
    return f"`{name}`"


def newest_commit(folder: str) -> Path | None:
    """The file of the newest version in a table's log, by the names of the commits: quicker than to read it."""
    commits = (path for path in Path(plain(folder), "_delta_log").glob("[0-9]*.json") if path.stem.isdigit())
    return max(commits, key=lambda path: path.name, default=None)


def literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def engine_condition(error: BaseException) -> str:
    """The engine's name for what went wrong. Its text may quote a member's values and is never shown."""
    if isinstance(error, PySparkException):
        return condition_of(error) or type(error).__name__
    if hasattr(error, "java_exception"):
        return str(error.java_exception.getClass().getSimpleName())
    return type(error).__name__
