"""Delta tables on the embedded engine. Only the store uses this.

pysail writes and reads them and holds their constraints; it has no history, no restore and no observation of a write.
For these there is the `deltalake` package, and the commit itself tells its version and rows.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.at_once import CORES
from pmpm_spark.config import Warehouse
from pmpm_spark.delta_text import (
    CONSTRAINT,
    Alteration,
    Layout,
    Written,
    definition,
    engine_condition,
    folder_of,
    is_local_folder,
    layout_of,
    literal,
    newest_commit,
    quoted,
)
from pmpm_spark.errors import ConfigError, StageError, is_engine_error
from pmpm_spark.paths import plain
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


WRITER_OF_CONSTRAINTS = 3
"""The writer version of Delta's protocol that knows constraints."""


class DeltaEmbedded:
    """Tables below a folder of this machine."""

    at_once = CORES

    def __init__(self, spark: SparkSession, warehouse: Warehouse) -> None:
        if not is_local_folder(warehouse):
            raise ConfigError('engine = "embedded" needs a folder of this machine as warehouse.path')
        self.spark = spark
        self._warehouse = warehouse
        self._beside = Path(tempfile.mkdtemp(prefix="pmpm-"))
        atexit.register(shutil.rmtree, self._beside, ignore_errors=True)
        self._linking = threading.Lock()
        self._root = self._plain(folder_of(warehouse))

    def create(self, table: Table) -> int:
        # it takes a name for a table, not a path; the name is gone when the table stands
        name = quoted(f"made_now_{table.layer}_{table.short_name}")
        layout = f" PARTITIONED BY ({', '.join(map(quoted, table.partition_by))})" if table.partition_by else ""
        layout += f" LOCATION {literal(self._folder(table))}"
        self.spark.sql(f"CREATE OR REPLACE TABLE {name} {definition(table, layout, self._warehouse)}").collect()
        self.spark.sql(f"DROP TABLE {name}").collect()
        return self._last_commit(table)[0]

    def refuse_others(self, table: Table) -> None:
        """A folder of this machine is the warehouse's alone."""

    def write(self, table: Table, frame: DataFrame, append: bool, where: str | None) -> Written:
        """Write; the engine refuses the whole where a row breaks a rule, and only then such rows are counted.

        A slice must hold all rows: what stands outside it is as it was before.
        """
        # pysail pushes the check of a constraint below the frame's last filter, to rows that are not written: a step
        # between the two keeps it where it belongs
        writer = frame.repartition(CORES).write.format("delta").mode("append" if append else "overwrite")
        if where is not None and not append:
            writer = writer.option("replaceWhere", where)
        before, _ = self._last_commit(table)
        try:
            writer.save(self._folder(table))
        except Exception as error:
            broken = _broken(frame, table) if is_engine_error(error) else {}
            if not any(broken.values()):
                raise
            return Written(before, 0, broken)
        version, commit = self._last_commit(table)
        if version == before:
            return Written(before, 0, {})  # nothing to change, no commit
        if where is not None and self._rows_outside(table, before, where) != self._rows_outside(table, version, where):
            raise StageError(f"{table.name}: the engine failed (rows outside their slice); nothing is published")
        return Written(version, _rows_written(commit), {})

    def _plain(self, folder: str) -> str:
        """The folder, or a link to it where its name in a URL differs: pysail makes tables below the URL.s name."""
        path = Path(plain(folder))
        if quote(str(path)) == str(path):
            return str(path)
        path.mkdir(parents=True, exist_ok=True)
        link = self._beside / "warehouse"
        link.symlink_to(path.absolute())
        return str(link)

    def _rows_outside(self, table: Table, version: int, where: str) -> int:
        return self.at(table, version).where(f"NOT ({where})").count()

    def newest(self, table: Table) -> int | None:
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return int(self._log(table).version())
        except TableNotFoundError:
            return None
        except DeltaError as error:
            raise StageError(f"{table.name}: its Delta log cannot be read ({engine_condition(error)})") from None

    def restore(self, table: Table, version: int) -> int:
        log = self._log(table)
        if log.version() != version:
            log.restore(version)
        return int(self._log(table).version())

    def put_together(self, table: Table, version: int) -> int:
        """Nothing: its tables are written whole by each run, in as many files as there are cores."""
        return version

    def delete_unneeded(self, table: Table, hours: int) -> int:
        self._log(table).vacuum(retention_hours=hours, dry_run=False)
        return int(self._log(table).version())

    def at(self, table: Table, version: int) -> DataFrame:
        folder = Path(self._folder(table))
        checkpoints = [int(path.name.split(".")[0]) for path in folder.glob("_delta_log/*.checkpoint*.parquet")]
        if table.is_read_while_written or max(checkpoints, default=-1) > version:
            # pysail finds no commit of a version that a later checkpoint covers: it is shown a log that ends there
            return self.spark.read.format("delta").load(str(self._log_until(folder, version)))
        return self.spark.read.format("delta").option("versionAsOf", version).load(str(folder))

    def schema(self, table: Table, version: int) -> T.StructType:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            told = DeltaTable(self._folder(table), version=version).schema()
        except DeltaError as error:
            raise StageError(f"{table.name}: its Delta log cannot be read ({engine_condition(error)})") from None
        return T.StructType.fromJson(json.loads(told.to_json()))

    def layout(self, table: Table) -> Layout:
        told = self._log(table).metadata()
        return layout_of(told.configuration, told.partition_columns)

    def alter(self, table: Table, change: Alteration) -> int:
        """By the `deltalake` package: the engine alters no table. Each step is a version."""
        from deltalake import Schema

        if change.added:
            fields = [T.StructField(c.name, c.type, True, {"comment": c.meaning}) for c in change.added]
            self._log(table).alter.add_columns(Schema.from_json(T.StructType(fields).json()).fields)
        for name in change.gone:
            self._log(table).alter.drop_constraint(name)
        if change.ruled:
            self._constrain(table, change.ruled)
        if change.properties:
            self._log(table).alter.set_table_properties(dict(change.properties))
        return int(self._log(table).version())

    def _constrain(self, table: Table, rules: Mapping[str, str]) -> None:
        """Constraints as they are told: `add_constraint` writes them in words of its own, without their parentheses."""
        if self._log(table).protocol().min_writer_version < WRITER_OF_CONSTRAINTS:
            self._log(table).alter.add_constraint(dict.fromkeys(list(rules)[:1], "true"))  # what raises the protocol
        told = {f"{CONSTRAINT}{name}": rule for name, rule in rules.items()}
        self._log(table).alter.set_table_properties(told, raise_if_not_exists=False)

    def is_empty(self, table: Table, version: int) -> bool:
        from deltalake import DeltaTable

        return not DeltaTable(self._folder(table), version=version).file_uris()

    def _log_until(self, folder: Path, version: int) -> Path:
        """A folder of links to the table's files and to its log as it was at a version."""
        seen = self._beside / f"{folder.parent.name}.{folder.name}.{version}"
        with self._linking:
            if not seen.exists():
                log = seen / "_delta_log"
                log.mkdir(parents=True)
                for file in (folder / "_delta_log").iterdir():
                    if file.name[:20].isdigit() and int(file.name[:20]) <= version:
                        (log / file.name).symlink_to(file.resolve())
            for entry in folder.iterdir():
                if entry.name != "_delta_log" and not (seen / entry.name).exists():
                    (seen / entry.name).symlink_to(entry.resolve())
        return seen

    def _folder(self, table: Table) -> str:
        return f"{self._root}/{table.layer}/{table.short_name}"

    def _log(self, table: Table) -> Any:
        from deltalake import DeltaTable

        return DeltaTable(self._folder(table))

    def _last_commit(self, table: Table) -> tuple[int, Path]:
        """The newest version of a table that stands, and its file in the log."""
        commit = newest_commit(self._folder(table))
        if commit is None:
            raise StageError(f"{table.name}: {self._folder(table)} holds no table though it is there; delete it")
        return int(commit.stem), commit


def _rows_written(commit: Path) -> int:
    with commit.open(encoding="utf-8") as actions:
        told = json.loads(next(line for line in actions if line.startswith('{"commitInfo"')))
    return int(told["commitInfo"]["operationMetrics"]["numOutputRows"])


def _broken(frame: DataFrame, table: Table) -> dict[str, int]:
    """How many rows break each rule."""
    rules = table.audit_rules()
    breaks = [F.count_if(~F.coalesce(F.expr(rule), F.lit(True))).alias(name) for name, rule in rules.items()]
    counted = frame.agg(*breaks).collect()[0]
    return {name: int(counted[name]) for name in rules}
