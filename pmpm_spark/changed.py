"""What changed, by claim or by member: of a stage whose rows are those of one of them, only theirs are made anew.

A claim or member of a table has changed where new files tell of it, where an input's was made anew, or, where a table
was written whole, where the rows that carry its id are not what they were (one fingerprint an id). What stands of the
others is kept as it is (decision 120). The ids that a run finds are kept as a table, until a later run finds others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.delta_text import slice_predicate
from pmpm_spark.frames import union_of
from pmpm_spark.measures import sum_of_hashes
from pmpm_spark.stage import CLAIM, MEMBER, Stage
from pmpm_spark.store import Receipt, Store, versions_of
from pmpm_spark.table import Table, conform, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

log = logging.getLogger(__name__)

CHANGED = Table(
    name="ops.changed",
    grain="one row per claim or member that the last run that made some anew, alone, found changed in a table",
    key=("found_in", "claim_id", "member_id"),
    columns=(
        text(
            "found_in",
            "tables that they were found in and the id: `silver.claim_lines by claim_id`; of one that does not tell "
            "the id also the table that it is asked for",
        ),
        text("claim_id", "claim; empty where it tells a member"),
        text("member_id", "member; empty where it tells a claim"),
    ),
    key_is_built_in=True,
    is_read_while_written=True,
)

WORTH_ROWS = 20_000
"""A table of fewer rows is made anew as quickly as it is looked through."""
MOST = 0.3
"""Where more of a table's rows are of changed ids than this share, all is made anew."""
TINY = 100_000
"""So many ids fit in memory beside each part of a table."""


@dataclass(frozen=True)
class Ids:
    """Claims or members that changed: one column, each once."""

    unit: str
    frame: DataFrame
    count: int

    def of(self, rows: DataFrame, unit: Column | None = None) -> DataFrame:
        """The rows that carry one of the ids."""
        return self._met(rows, unit, "left_semi")

    def others(self, rows: DataFrame) -> DataFrame:
        return self._met(rows, None, "left_anti")

    def _met(self, rows: DataFrame, unit: Column | None, how: str) -> DataFrame:
        ids = self.frame.withColumnRenamed(self.unit, "changed_id")
        beside = F.broadcast(ids) if self.count <= TINY else ids
        return rows.join(beside, (F.col(self.unit) if unit is None else unit) == F.col("changed_id"), how=how)


@dataclass(frozen=True)
class Patch:
    """What makes a stage's table: `frame` is added to it, or replaces it; None where it is what it was."""

    frame: DataFrame | None
    is_added: bool
    rows: int
    """Rows that stay beside those that are added."""


@dataclass
class Changes:
    """Of one run: the versions before it, and what it found changed since."""

    store: Store
    before: Mapping[str, int]
    batch_id: str
    slices: Mapping[str, Sequence[Any]]
    build: Callable[[Stage, Callable[[Table], DataFrame]], DataFrame]
    _kept: dict[str, Ids] = field(default_factory=dict)
    """What was found, by how CHANGED names it."""
    _patched: dict[str, Ids] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def patch(self, stage: Stage, former: Receipt | None) -> Patch | None:
        """How the table can be made of what stands and of the ids that changed; None where it is made whole."""
        if stage.by is None or former is None or former.rows < WORTH_ROWS:
            return None
        if former.version != self.before.get(former.table) or former.inputs != versions_of(stage.inputs, self.before):
            return None
        now = versions_of(stage.inputs, self.store.versions)
        moved = [t for t in stage.inputs if t.layer != "reference" and now[t.name] != former.inputs[t.name]]
        if not all(self._tells(stage, table) for table in moved):
            return None
        if not moved:
            return Patch(None, True, former.rows)
        with self._lock:
            ids = self._ids(stage, moved)
            brings_rows = any(table.layer == "bronze" for table in moved)  # also of no id
            patch = self._patch(stage, former, ids) if ids.count or brings_rows else Patch(None, True, former.rows)
            if patch is not None:
                self._patched[stage.output.name] = ids
                log.info(
                    "%s: for %s changed %ss alone", stage.output.name, f"{ids.count:,}", stage.by.removesuffix("_id")
                )
        return patch

    def publish(self, stage: Stage, patch: Patch | None) -> Receipt:
        """Make the table as the patch says, or whole where there is none."""
        if patch is None:
            patch = Patch(self.build(stage, self.store.read), False, 0)
        if patch.frame is None:
            return self.store.left_as_it_is(stage.output, patch.rows, stage.inputs)
        return self.store.publish(
            stage.output,
            patch.frame,
            append=patch.is_added,
            slices=self.slices if stage.output.slice_by else None,
            inputs=stage.inputs,
            rows_beside=patch.rows,
        )

    def _tells(self, stage: Stage, table: Table) -> bool:
        """Whether the table's rows can be told by the stage's id, now and before."""
        tells = stage.by in table.column_names or table.layer == "bronze" or table.name in stage.touched
        return table.name in self.before and tells

    def _patch(self, stage: Stage, former: Receipt, ids: Ids) -> Patch | None:
        stands = self.store.delta.at(stage.output, former.version)
        if stage.output.slice_by:
            stands = stands.where(slice_predicate(self.slices))
        hits = ids.of(stands.select(ids.unit)).count()
        if hits > MOST * former.rows:
            return None
        made = self.build(stage, lambda table: self.rows_of(stage, table, ids))
        if not hits:
            return Patch(made, True, former.rows)
        # each side as the contract has it: the embedded engine writes no union of two types that a later step makes one
        return Patch(ids.others(stands).unionByName(conform(made, stage.output)), False, 0)

    def rows_of(self, stage: Stage, table: Table, ids: Ids) -> DataFrame:
        """The rows of an input that the changed ids are made of; all of one that does not tell the id."""
        rows = self.store.read(table)
        if table.layer == "bronze":
            # what cannot be told by a claim is made of its own row alone
            is_new = F.col("_batch_id") == self.batch_id
            of_ids = ids.of(rows.where(~is_new), stage.id_in(table))
            return rows.where(is_new).unionByName(of_ids)
        return ids.of(rows) if ids.unit in table.column_names else rows

    def _ids(self, stage: Stage, moved: Sequence[Table]) -> Ids:
        """The ids that changed in any of these inputs."""
        found = [self._changed_in(stage, table) for table in moved]
        if len(found) == 1:
            return found[0]
        label = " + ".join(table.name for table in moved)
        return self._ids_of(label, str(stage.by), union_of([ids.frame for ids in found]))

    def _changed_in(self, stage: Stage, table: Table) -> Ids:
        unit, patched = str(stage.by), self._patched.get(table.name)
        if patched is not None and patched.unit == unit:
            return patched
        if table.name in stage.touched:
            others = [self.store.read(one) for one in stage.inputs if one.name != table.name]
            frame = stage.touched[table.name](self._other_rows(table), *others)
            return self._ids_of(f"{table.name} for {stage.output.name}", unit, frame)
        if patched is not None:
            both = [rows.select(patched.unit, unit) for rows in self._then_and_now(table)]
            frame = union_of([patched.of(rows).select(unit) for rows in both])
        elif table.layer == "bronze":
            new = self.store.read(table).where(F.col("_batch_id") == self.batch_id)
            frame = new.select(stage.id_in(table).alias(unit))
        else:
            frame = self._of_other_rows(table, unit)
        return self._ids_of(table.name, unit, frame)

    def _then_and_now(self, table: Table) -> tuple[DataFrame, DataFrame]:
        """The table's rows before the run, and those that it has left."""
        return self.store.delta.at(table, self.before[table.name]), self.store.read(table)

    def _other_rows(self, table: Table) -> DataFrame:
        """The rows that it had and has no more, and those that it has now and had not."""
        then, now = (rows.select(*table.column_names) for rows in self._then_and_now(table))
        sides = [rows.withColumn("side", F.lit(side)) for rows, side in ((then, -1), (now, 1))]
        both = union_of(sides).groupBy(*table.column_names).agg(F.sum("side").alias("sides"))
        return both.where("sides <> 0").drop("sides")

    def _of_other_rows(self, table: Table, unit: str) -> DataFrame:
        """The ids whose rows are not those that they were."""

        def prints(rows: DataFrame, name: str) -> DataFrame:
            hashes = sum_of_hashes(F.xxhash64(*table.column_names)).alias(f"hash_{name}")
            return rows.groupBy(unit).agg(F.count(F.lit(1)).alias(f"rows_{name}"), hashes)

        then, now = self._then_and_now(table)
        both = prints(then, "then").join(prints(now, "now"), unit, how="full")
        are_same = (F.col("rows_then") == F.col("rows_now")) & (F.col("hash_then") == F.col("hash_now"))
        return both.where(~F.coalesce(are_same, F.lit(False))).select(unit)

    def _ids_of(self, found_in: str, unit: str, frame: DataFrame) -> Ids:
        """The ids, written once: who asks for them again does not find them anew."""
        label = f"{found_in} by {unit}"
        if label not in self._kept:
            other = MEMBER if unit == CLAIM else CLAIM
            rows = frame.where(F.col(unit).isNotNull()).distinct()
            told = rows.select(F.lit(label).alias("found_in"), unit, F.lit("").alias(other))
            if not self._kept:
                self.store.versions.pop(CHANGED.name, None)  # made anew: nothing of it is kept from run to run
            receipt = self.store.publish(CHANGED, told, append=True)
            kept = self.store.read(CHANGED).where(F.col("found_in") == label).select(unit)
            self._kept[label] = Ids(unit, kept, receipt.rows)
        return self._kept[label]
