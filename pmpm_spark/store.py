"""The store: the only place that touches Delta. What each engine does for it stands in `delta_spark.py` and
`delta_embedded.py`.

A table is written by `publish`, which conforms, counts what breaks a rule in the same pass, keeps such rows from the
write, and audits before the table counts. Readers see the versions of the last finished run (`runs.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.config import Warehouse
from pmpm_spark.contract_change import Difference, columns_differ
from pmpm_spark.delta_embedded import DeltaEmbedded
from pmpm_spark.delta_spark import DeltaOnSpark
from pmpm_spark.delta_text import DELTA_KEEPS_FILES, Delta, engine_condition, slice_predicate
from pmpm_spark.engine import engine_name, is_embedded
from pmpm_spark.errors import AuditError, StageError, is_engine_error
from pmpm_spark.measures import sum_of_hashes
from pmpm_spark.reference import reference_table
from pmpm_spark.table import Table, conform, small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

REBUILD = "pmpm run --rebuild"
UNKNOWN = ""
"""The contract of a table of which no book tells it."""
DEBUG_VARIABLE = "PMPM_DEBUG"
"""Set it to see the engine's own error. It may quote members' values: never in a shared log."""


@dataclass(frozen=True)
class Receipt:
    """What one publication left: the table, its Delta version, rows written and seconds, the versions it read, and the
    engine that made it."""

    table: str
    version: int
    rows: int
    seconds: float
    inputs: Mapping[str, int]
    engine: str = ""

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
        contracts: Mapping[str, str] | None = None,
    ) -> None:
        self.spark = spark
        self.warehouse = warehouse
        self.reference_path = reference_path
        self.versions: dict[str, int] = dict(versions or {})
        self.contracts: dict[str, str] = dict(contracts or {})
        """The hash of the contract that each table was stored under, where it may not be the one that it has now."""
        self._differences: dict[tuple[str, str], Difference] = {}
        self._ours = frozenset(self.versions)
        """Tables that a run of this warehouse made, also those that are made anew."""
        self.engine = engine_name(spark)
        self.delta: Delta = (DeltaEmbedded if is_embedded(spark) else DeltaOnSpark)(spark, warehouse)

    @property
    def at_once(self) -> int:
        """How many tables may be published at the same time."""
        return self.delta.at_once

    def read(self, table: Table) -> DataFrame:
        """The table at the version that counts; a reference table from its file.

        Columns that its contract had not yet are null.

        Raises:
            StageError: the table was never published, or by a contract that this one cannot be read as.
        """
        if table.layer == "reference":
            return reference_table(self.spark, table, self.reference_path)
        if table.name not in self.versions:
            raise StageError(f"{table.name}: not published yet in this warehouse; run `pmpm run` first")
        found = self.difference(table, self.versions[table.name], self.contracts.get(table.name))
        if found.other:
            is_book = self.contracts.get(table.name) == UNKNOWN
            do = "use that one" if is_book else "run `pmpm run` first (of payments `pmpm capitate`)"
            raise StageError(f"{table.name}: {found.other}: another version of pmpm made it; {do}")
        stored = self.delta.at(table, self.versions[table.name])
        if not found.added:
            return stored
        return stored.select("*", *[F.lit(None).cast(c.type).alias(c.name) for c in found.added])

    def difference(self, table: Table, version: int, contract: str | None) -> Difference:
        """How the columns of a version that was stored under the contract of a hash differ from the contract now."""
        if contract is None or contract == contract_hash(table):
            return Difference()
        if contract == UNKNOWN:
            return columns_differ(table, self.delta.schema(table, version))
        at = (table.name, contract)
        if at not in self._differences:
            self._differences[at] = columns_differ(table, self.delta.schema(table, version))
        return self._differences[at]

    def is_as_at(self, table: Table, version: int | None) -> bool:
        """Whether the rows that count are those of a version: the same one, or one that held the same rows."""
        if version is None or version == self.versions[table.name]:
            return version is not None
        sums = (F.count(F.lit(1)).alias("rows"), sum_of_hashes(F.xxhash64(*table.column_names)).alias("hash"))
        try:
            then = self.delta.at(table, version).agg(*sums).collect()
        except Exception as error:
            if not is_engine_error(error):
                raise
            return False  # its files are gone
        return then == self.read(table).agg(*sums).collect()

    def publish(
        self,
        table: Table,
        frame: DataFrame,
        *,
        append: bool = False,
        slices: Mapping[str, Sequence[Any]] | None = None,
        inputs: Sequence[Table] = (),
        rows_beside: int = 0,
    ) -> Receipt:
        """Write and audit; the table's whole content, or rows added, or the slices named by column and values.

        The receipt tells the rows written, and `rows_beside` that stand beside those that are added.

        Raises:
            AuditError: rows break a rule or the key; the former version is back.
            StageError: the engine failed; the former version is back.
        """
        start = time.monotonic()
        is_new = table.name not in self.versions
        if is_new:
            self.create(table)
        former = self.versions[table.name]
        try:
            where = None if slices is None else slice_predicate(slices)
            # into an empty table rows are added: to replace none takes Spark a look at the log more
            written = self.delta.write(table, conform(frame, table), append or is_new, where)
            self.versions[table.name] = written.version
            faults = [f"{name} by {count:,} rows" for name, count in written.broken.items() if count]
            if faults:
                raise AuditError(f"{table.name}: rule broken: {'; '.join(faults)}; nothing is published")
            if not table.key_is_built_in:
                self._audit_key(table, where)
        except BaseException as error:
            newest = self.current_version(table)
            if newest is not None and newest != former:
                self.restore(table, former)
            if is_engine_error(error) and not os.environ.get(DEBUG_VARIABLE):
                raise StageError(
                    f"{table.name}: the engine failed ({engine_condition(error)}); nothing is published"
                ) from None
            raise
        return self._receipt(table, written.version, written.rows + rows_beside, start, inputs)

    def left_empty(self, table: Table, inputs: Sequence[Table]) -> Receipt | None:
        """The receipt of a table that is to have no row: made where it does not stand, left alone where it is empty.

        None where it has rows.
        """
        start = time.monotonic()
        if table.name not in self.versions:
            self.create(table)
        elif not self.delta.is_empty(table, self.versions[table.name]):
            return None
        return self._receipt(table, self.versions[table.name], 0, start, inputs)

    def left_as_it_is(self, table: Table, rows: int, inputs: Sequence[Table]) -> Receipt:
        """The receipt of a table that would come out with the rows that it has."""
        return self._receipt(table, self.versions[table.name], rows, time.monotonic(), inputs)

    def _receipt(self, table: Table, version: int, rows: int, start: float, inputs: Sequence[Table]) -> Receipt:
        read = versions_of(inputs, self.versions)
        return Receipt(table.name, version, rows, time.monotonic() - start, read, self.engine)

    def create(self, table: Table) -> None:
        """Make the table empty, with its constraints, comments and layout.

        Raises:
            StageError: somebody else's table has its name.
        """
        if table.name not in self._ours:
            self.delta.refuse_others(table)
        self.versions[table.name] = self.delta.create(table)
        self.contracts.pop(table.name, None)

    def current_version(self, table: Table) -> int | None:
        """The newest Delta version, counted or not; None where the table does not stand.

        Raises:
            StageError: it stands, but cannot be read.
        """
        return self.delta.newest(table)

    def restore(self, table: Table, version: int) -> None:
        self.versions[table.name] = self.delta.restore(table, version)

    def put_together(self, table: Table) -> bool:
        """Make few files of many, with the same rows; whether there were many."""
        former = self.versions[table.name]
        self.versions[table.name] = self.delta.put_together(table, former)
        return self.versions[table.name] != former

    def delete_unneeded(self, table: Table) -> None:
        """Delete files that have not been of the newest version for as long as the warehouse keeps them."""
        hours = 24 * max(self.warehouse.retention_days, DELTA_KEEPS_FILES)
        self.versions[table.name] = self.delta.delete_unneeded(table, hours)

    def _audit_key(self, table: Table, where: str | None) -> None:
        written = self.delta.at(table, self.versions[table.name])
        if where is not None:
            written = written.where(where)
        twice = written.groupBy(*table.key).agg(F.count(F.lit(1)).alias("n")).where("n > 1")
        found = twice.agg(F.count(F.lit(1)).alias("keys")).collect()[0]["keys"]
        if found:
            raise AuditError(
                f"{table.name}: {found:,} keys ({', '.join(table.key)}) stand more than once; nothing is published"
            )


def versions_of(tables: Sequence[Table], versions: Mapping[str, int]) -> dict[str, int]:
    """The versions of these tables, of those that have one."""
    return {table.name: versions[table.name] for table in tables if table.name in versions}


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


def empty(spark: SparkSession, table: Table) -> DataFrame:
    return small_frame(spark, [], table.schema)
