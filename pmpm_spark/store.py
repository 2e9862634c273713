"""The store: the only place that touches Delta and writes SQL.

A table is written by `publish`, which conforms, counts what breaks a rule in the same pass, keeps such rows from the
write, and audits before the table counts. Readers see the versions of the last finished run (`runs.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException
from pyspark.sql import Observation
from pyspark.sql import functions as F

from pmpm_spark.config import Warehouse
from pmpm_spark.errors import AuditError, StageError, is_engine_error
from pmpm_spark.reference import reference_table
from pmpm_spark.table import Table, conform, small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LAST_VERSION = "spark.databricks.delta.lastCommitVersionInSession"
REBUILD = "pmpm run --rebuild"
ABSENT = (
    "DELTA_TABLE_ONLY_OPERATION",
    "NOT_FOUND",
    "MISSING_TABLE",
    "PATH_DOES_NOT_EXIST",
    "MISSING_DELTA_TABLE",
    "NOT_A_DELTA_TABLE",
)
"""What the engine's conditions say where there is no such table."""
DEBUG_VARIABLE = "PMPM_DEBUG"
"""Set it to see the engine's own error. It may quote members' values: never in a shared log."""


@dataclass(frozen=True)
class Receipt:
    """What one publication left: the table, its Delta version, rows written and seconds, and the versions it read."""

    table: str
    version: int
    rows: int
    seconds: float
    inputs: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.table:<36} {self.rows:>12,} rows {self.seconds:>7.1f} s"


class Store:
    """Tables of one warehouse: below a folder, or in a schema of a catalog.

    `versions` are the Delta versions that count; a table that has none is made anew at its first publication.
    """

    def __init__(
        self,
        spark: SparkSession,
        warehouse: Warehouse,
        reference_path: str | None = None,
        versions: Mapping[str, int] | None = None,
    ) -> None:
        self.spark = spark
        self.warehouse = warehouse
        self.reference_path = reference_path
        self.versions: dict[str, int] = dict(versions or {})
        # SQL takes only an absolute path, or one with a scheme, for a path
        given = (warehouse.path or "").rstrip("/")
        self._root = given if ":" in given else str(Path(given).absolute())

    def name_of(self, table: Table) -> str:
        """The table's name in SQL, quoted."""
        if self.warehouse.path is not None:
            return f"delta.`{self._path(table).replace('`', '``')}`"
        parts = (self.warehouse.catalog, self.warehouse.schema, f"{table.layer}_{table.short_name}")
        return ".".join(_quoted(part) for part in parts if part is not None)

    def read(self, table: Table) -> DataFrame:
        """The table at the version that counts; a reference table from its file.

        Raises:
            StageError: the table was never published.
        """
        if table.layer == "reference":
            return reference_table(self.spark, table, self.reference_path)
        if table.name not in self.versions:
            raise StageError(f"{table.name}: not published yet in this warehouse; run `pmpm run` first")
        return self._at(table, self.versions[table.name])

    def publish(
        self,
        table: Table,
        frame: DataFrame,
        *,
        append: bool = False,
        slices: Mapping[str, Sequence[Any]] | None = None,
        inputs: Sequence[Table] = (),
    ) -> Receipt:
        """Write and audit; the table's whole content, or rows added, or the slices named by column and values.

        Raises:
            AuditError: rows break a rule or the key; the former version is back.
            StageError: the engine failed; the former version is back.
        """
        start = time.monotonic()
        if table.name not in self.versions:
            self.create(table)
        former = self.versions[table.name]
        try:
            rows = self._write(table, conform(frame, table), append, slices)
            self.versions[table.name] = self._last_version(table)
            if not table.key_is_built_in:
                self._audit_key(table, slices)
        except BaseException as error:
            newest = self.current_version(table)
            if newest is not None and newest != former:
                self.restore(table, former)
            if is_engine_error(error) and not os.environ.get(DEBUG_VARIABLE):
                raise StageError(
                    f"{table.name}: the engine failed ({engine_condition(error)}); nothing is published"
                ) from None
            raise
        read = {t.name: self.versions[t.name] for t in inputs if t.name in self.versions}
        return Receipt(table.name, self.versions[table.name], rows, time.monotonic() - start, read)

    def create(self, table: Table) -> None:
        """Make the table empty, with its constraints, comments and layout."""
        columns = ", ".join(
            f"{_quoted(c.name)} {c.type.simpleString()}{' NOT NULL' * (c.name in table.key)} COMMENT {_text(c.meaning)}"
            for c in table.columns
        )
        layout = ""
        if table.partition_by:
            layout = f" PARTITIONED BY ({', '.join(map(_quoted, table.partition_by))})"
        elif table.cluster_by:
            layout = f" CLUSTER BY ({', '.join(map(_quoted, table.cluster_by))})"
        # a rule holds where it is null; for Delta alone it would not
        properties = {f"delta.constraints.{name}": f"({rule}) IS NOT FALSE" for name, rule in table.rules.items()}
        told = ", ".join(f"{_text(key)} = {_text(value)}" for key, value in properties.items())
        said = f"TABLE {self.name_of(table)} ({columns}) USING delta{layout} COMMENT {_text(table.grain)}" + (
            f" TBLPROPERTIES ({told})" if told else ""
        )
        self._forget_last_version()
        try:  # not CREATE OR REPLACE: in a folder it keeps the rows of a table that stands there
            self.spark.sql(f"REPLACE {said}")
        except Exception as error:
            if not is_engine_error(error) or not _is_absent(error):
                raise
            self.spark.sql(f"CREATE {said}")
        self.versions[table.name] = self._last_version(table)

    def current_version(self, table: Table) -> int | None:
        """The newest Delta version, counted or not; None where the table does not stand.

        Raises:
            StageError: it stands, but cannot be read.
        """
        try:
            newest = self.spark.sql(f"DESCRIBE HISTORY {self.name_of(table)} LIMIT 1").select("version").collect()
        except Exception as error:
            if not is_engine_error(error):
                raise
            if _is_absent(error):
                return None
            raise StageError(f"{table.name}: its Delta log cannot be read ({engine_condition(error)})") from None
        return int(newest[0][0]) if newest else None

    def restore(self, table: Table, version: int) -> None:
        self._forget_last_version()
        self.spark.sql(f"RESTORE TABLE {self.name_of(table)} TO VERSION AS OF {int(version)}").collect()
        self.versions[table.name] = self._last_version(table)

    def _write(self, table: Table, frame: DataFrame, append: bool, slices: Mapping[str, Sequence[Any]] | None) -> int:
        """Write the rows that keep every rule and count those that do not, in one pass.

        Raises:
            AuditError: some row breaks a rule.
        """
        rules = table.audit_rules()
        seen = Observation()
        holds = {name: F.coalesce(F.expr(rule), F.lit(True)) for name, rule in rules.items()}
        broken = [F.count_if(~condition).alias(f"broken_{i}") for i, condition in enumerate(holds.values())]
        observed = frame.observe(seen, F.count(F.lit(1)).alias("rows"), *broken)
        for condition in holds.values():
            observed = observed.where(condition)
        self._forget_last_version()
        writer = observed.writeTo(self.name_of(table))
        if append:
            writer.append()
        else:
            writer.overwrite(F.lit(True) if slices is None else F.expr(_predicate(slices)))
        counts = seen.get
        faults = [f"{name} by {counts[f'broken_{i}']:,} rows" for i, name in enumerate(holds) if counts[f"broken_{i}"]]
        if faults:
            raise AuditError(f"{table.name}: rule broken: {'; '.join(faults)}; nothing is published")
        return int(counts["rows"])

    def _audit_key(self, table: Table, slices: Mapping[str, Sequence[Any]] | None) -> None:
        written = self._at(table, self.versions[table.name])
        if slices is not None:
            written = written.where(_predicate(slices))
        twice = written.groupBy(*table.key).agg(F.count(F.lit(1)).alias("n")).where("n > 1")
        found = twice.agg(F.count(F.lit(1)).alias("keys")).collect()[0]["keys"]
        if found:
            raise AuditError(
                f"{table.name}: {found:,} keys ({', '.join(table.key)}) stand more than once; nothing is published"
            )

    def _at(self, table: Table, version: int) -> DataFrame:
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        return reader.load(self._path(table)) if self.warehouse.path is not None else reader.table(self.name_of(table))

    def _path(self, table: Table) -> str:
        return f"{self._root}/{table.layer}/{table.short_name}"

    def _forget_last_version(self) -> None:
        """Before a commit: Delta makes none where nothing changes, and would tell that of another table."""
        self.spark.conf.unset(LAST_VERSION)

    def _last_version(self, table: Table) -> int:
        """The version that the commit to this table just made, or, where nothing had to change, the newest.

        Delta tells it without a look at the log; where it does not, the history does.
        """
        told = self.spark.conf.get(LAST_VERSION, None)
        if told is not None:
            return int(told)
        newest = self.current_version(table)
        if newest is None:
            raise StageError(f"{table.name}: {self.name_of(table)} holds no table though it is there; delete it")
        return newest


def contract_hash(table: Table) -> str:
    """Hash of what the stored table must be: columns, rules, key and layout."""
    said = [
        [(c.name, c.type.simpleString()) for c in table.columns],
        table.key,
        sorted(table.rules.items()),
        table.partition_by,
        table.cluster_by,
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def engine_condition(error: BaseException) -> str:
    """The engine's name for what went wrong. Its text may quote a member's values and is never shown."""
    if isinstance(error, PySparkException):
        condition = error.getCondition() if hasattr(error, "getCondition") else error.getErrorClass()
        return condition or type(error).__name__
    if hasattr(error, "java_exception"):
        return str(error.java_exception.getClass().getSimpleName())
    return type(error).__name__


def _is_absent(error: Exception) -> bool:
    """Whether the engine says that there is no such table."""
    return any(word in engine_condition(error) for word in ABSENT)


def _quoted(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_\-]+", name):
        raise StageError(f"{name!r} is no name of a table or column: letters, digits, _ and - only")
    return f"`{name}`"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _predicate(slices: Mapping[str, Sequence[Any]]) -> str:
    """The slices as SQL: `policy IN ('default') AND performance_year IN (2021)`."""
    parts = []
    for name, values in slices.items():
        told = ", ".join(str(int(v)) if isinstance(v, int) else _text(str(v)) for v in values)
        parts.append(f"{_quoted(name)} IN ({told})")
    return " AND ".join(parts)


def empty(spark: SparkSession, table: Table) -> DataFrame:
    return small_frame(spark, [], table.schema)
