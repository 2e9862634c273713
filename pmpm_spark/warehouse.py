"""Reading what the last finished run published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmpm_spark.config import RunConfig
from pmpm_spark.delta_text import schema_of
from pmpm_spark.errors import InputError
from pmpm_spark.runs import Run, RunBook
from pmpm_spark.store import Store
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Published:
    """The tables of the last finished run, at the versions that it published."""

    store: Store
    run: Run

    def read(self, table: Table) -> DataFrame:
        return self.store.read(table)


def published(spark: SparkSession, config: RunConfig) -> Published:
    """The last finished run of the configured warehouse.

    Raises:
        InputError: no run has finished there.
    """
    run = RunBook(spark, config.warehouse).last_finished()
    if run is None:
        where = config.warehouse.path or schema_of(config.warehouse)
        raise InputError(f"{where}: no run has finished in this warehouse; run `pmpm run` first")
    store = Store(spark, config.warehouse, config.reference.path, run.versions, run.contracts)
    return Published(store, run)
