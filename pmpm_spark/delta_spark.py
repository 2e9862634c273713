"""Delta tables on Spark: making, writing, naming of versions, restoring. Only the store uses this.

SQL is written here and in `delta_embedded.py` and nowhere else; the `delta.tables` API does not work under Connect.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import Observation
from pyspark.sql import functions as F

from pmpm_spark.at_once import CORES
from pmpm_spark.config import Warehouse
from pmpm_spark.delta_text import (
    OURS,
    Alteration,
    Layout,
    Written,
    definition,
    engine_condition,
    is_local_folder,
    layout_of,
    literal,
    newest_commit,
    place_of,
    quoted,
    schema_of,
)
from pmpm_spark.errors import ConfigError, StageError, is_engine_error
from pmpm_spark.paths import plain
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import types as T

ABSENT = (
    "DELTA_TABLE_ONLY_OPERATION",
    "NOT_FOUND",
    "MISSING_TABLE",
    "PATH_DOES_NOT_EXIST",
    "MISSING_DELTA_TABLE",
    "NOT_A_DELTA_TABLE",
)
"""What the engine's conditions say where there is no such table."""
NO_SCHEMA = ("SCHEMA_NOT_FOUND", "NO_SUCH_DATABASE", "NO_SUCH_NAMESPACE", "CATALOG_NOT_FOUND")


class DeltaOnSpark:
    """Tables below a folder, or in a schema of a catalog."""

    at_once = CORES

    def __init__(self, spark: SparkSession, warehouse: Warehouse) -> None:
        self.spark = spark
        self.warehouse = warehouse

    def name_of(self, table: Table) -> str:
        """The table's name in SQL, quoted."""
        if self.warehouse.path is not None:
            return f"delta.`{self._folder(table).replace('`', '``')}`"
        parts = (self.warehouse.catalog, self.warehouse.schema, f"{table.layer}_{table.short_name}")
        return ".".join(quoted(part) for part in parts if part is not None)

    def create(self, table: Table) -> int:
        layout = ""
        if table.partition_by:
            layout = f" PARTITIONED BY ({', '.join(map(quoted, table.partition_by))})"
        elif self._is_clustered(table):
            layout = f" {_cluster_by(table)}"
        said = f"TABLE {self.name_of(table)} {definition(table, layout, self.warehouse)}"
        if is_local_folder(self.warehouse) and not Path(plain(self._folder(table))).exists():
            self.spark.sql(f"CREATE {said}")
            return self._version_now(table)
        try:  # not CREATE OR REPLACE: in a folder it keeps the rows of a table that stands there
            self.spark.sql(f"REPLACE {said}")
        except Exception as error:
            if not is_engine_error(error) or not _is_absent(error):
                raise
            self._create_in_catalog(said)
        return self._version_now(table)

    def refuse_others(self, table: Table) -> None:
        """A table or view of a catalog that does not say that it is ours is somebody's: to make ours would end it.

        Raises:
            StageError: names it.
        """
        if self.warehouse.path is not None:
            return
        try:
            told = self.spark.sql(f"SHOW TBLPROPERTIES {self.name_of(table)}").collect()
        except Exception as error:
            if is_engine_error(error) and _is_absent(error):
                return
            raise
        if (OURS, table.name) not in {(row["key"], row["value"]) for row in told}:
            raise StageError(
                f"{table.name}: {self._folder(table)} is there and was not made by a run of this warehouse; choose "
                "another warehouse.schema, or drop it"
            )

    def newest(self, table: Table) -> int | None:
        """The newest version, counted or not; None where the table does not stand.

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

    def restore(self, table: Table, version: int) -> int:
        self.spark.sql(f"RESTORE TABLE {self.name_of(table)} TO VERSION AS OF {int(version)}").collect()
        return self._version_now(table)

    def put_together(self, table: Table, version: int) -> int:
        """On Databricks and in open source alike OPTIMIZE also clusters what is to be clustered."""
        self.spark.sql(f"OPTIMIZE {self.name_of(table)}").collect()
        return self._version_now(table)

    def delete_unneeded(self, table: Table, hours: int) -> int:
        self.spark.sql(f"VACUUM {self.name_of(table)} RETAIN {int(hours)} HOURS").collect()
        return self._version_now(table)

    def at(self, table: Table, version: int) -> DataFrame:
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        if self.warehouse.path is None:
            return reader.table(self.name_of(table))
        return reader.load(self._folder(table))

    def schema(self, table: Table, version: int) -> T.StructType:
        return self.at(table, version).schema

    def layout(self, table: Table) -> Layout:
        told = self.spark.sql(f"DESCRIBE DETAIL {self.name_of(table)}").select("properties", "partitionColumns")
        properties, partition_by = told.collect()[0]
        return layout_of(properties, partition_by)

    def alter(self, table: Table, change: Alteration) -> int:
        alter = f"ALTER TABLE {self.name_of(table)}"
        if change.added:
            told = (f"{quoted(c.name)} {c.type.simpleString()} COMMENT {literal(c.meaning)}" for c in change.added)
            self.spark.sql(f"{alter} ADD COLUMNS ({', '.join(told)})")
        for name in change.gone:
            self.spark.sql(f"{alter} DROP CONSTRAINT {quoted(name)}")
        for name, rule in change.ruled.items():
            self.spark.sql(f"{alter} ADD CONSTRAINT {quoted(name)} CHECK ({rule})")
        if change.properties:
            told = (f"{literal(key)} = {literal(value)}" for key, value in change.properties.items())
            self.spark.sql(f"{alter} SET TBLPROPERTIES ({', '.join(told)})")
        if self._is_clustered(table):
            self.spark.sql(f"{alter} {_cluster_by(table)}")
        return self._version_now(table)

    def is_empty(self, table: Table, version: int) -> bool:
        return self.at(table, version).isEmpty()

    def write(self, table: Table, frame: DataFrame, append: bool, where: str | None) -> Written:
        """Write the rows that keep every rule and count those that do not, in one pass."""
        rules = table.audit_rules()
        seen = Observation()
        holds = {name: F.coalesce(F.expr(rule), F.lit(True)) for name, rule in rules.items()}
        broken = [F.count_if(~condition).alias(f"broken_{i}") for i, condition in enumerate(holds.values())]
        observed = frame.observe(seen, F.count(F.lit(1)).alias("rows"), *broken)
        for condition in holds.values():
            observed = observed.where(condition)
        writer = observed.writeTo(self.name_of(table))
        if append:
            writer.append()
        else:
            writer.overwrite(F.lit(True) if where is None else F.expr(where))
            if where is None and self._is_clustered(table):  # an overwrite of the whole forgets it
                self.spark.sql(f"ALTER TABLE {self.name_of(table)} {_cluster_by(table)}")
        counts = seen.get
        return Written(
            self._version_now(table),
            int(counts["rows"]),
            {name: int(counts[f"broken_{i}"]) for i, name in enumerate(holds)},
        )

    def _create_in_catalog(self, said: str) -> None:
        try:
            self.spark.sql(f"CREATE {said}")
        except Exception as error:
            if not is_engine_error(error) or not any(word in engine_condition(error) for word in NO_SCHEMA):
                raise
            name = schema_of(self.warehouse)
            raise ConfigError(
                f"warehouse.schema: there is no schema {name}; make it with CREATE SCHEMA, or name another"
            ) from None

    def _is_clustered(self, table: Table) -> bool:
        return bool(table.cluster_by) and not is_local_folder(self.warehouse)

    def _folder(self, table: Table) -> str:
        return place_of(table, self.warehouse)

    def _version_now(self, table: Table) -> int:
        """The version after a commit. A run has the warehouse to itself, so the newest is the run's own."""
        if is_local_folder(self.warehouse):
            commit = newest_commit(self._folder(table))
            newest = int(commit.stem) if commit else None
        else:
            newest = self.newest(table)
        if newest is None:
            raise StageError(f"{table.name}: {self.name_of(table)} holds no table though it is there; delete it")
        return newest


def _cluster_by(table: Table) -> str:
    return f"CLUSTER BY ({', '.join(map(quoted, table.cluster_by))})"


def _is_absent(error: Exception) -> bool:
    """Whether the engine says that there is no such table."""
    return any(word in engine_condition(error) for word in ABSENT)
