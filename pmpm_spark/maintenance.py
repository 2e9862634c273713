"""`pmpm maintain`: small files are put together, and files deleted that no run within the retention needs.

OPTIMIZE makes a new version of a table. It must enter the book of runs: readers go by the versions there, and VACUUM
deletes the files of those that OPTIMIZE replaced. So both are done here, under the lock and the lease, as a run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmpm_spark.config import RunConfig
from pmpm_spark.errors import InputError
from pmpm_spark.lease import LEASES, leased
from pmpm_spark.runs import RUNS, RunBook, bring_back, locked, new_run_id, restore_unfinished, started
from pmpm_spark.stages import STORED
from pmpm_spark.store import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Maintained:
    """A finished maintenance: the run that it wrote, the tables that it went over, and those with a new version."""

    run_id: str
    tables: tuple[str, ...]
    put_together: tuple[str, ...]


def maintain(spark: SparkSession, config: RunConfig, *, break_lease: bool = False) -> Maintained:
    """OPTIMIZE and VACUUM every table that counts, and publish the versions that this makes.

    A table that somebody else has changed is brought back to the last finished run first.

    Raises:
        InputError: no run has finished.
        BusyError: another run is at work in the warehouse.
    """
    with locked(config.warehouse), leased(spark, config.warehouse, break_lease=break_lease) as confirm:
        book = RunBook(spark, config.warehouse)
        last = book.last_finished()
        if last is None:
            raise InputError("no run has finished in this warehouse; run `pmpm run` first")
        store = Store(spark, config.warehouse, config.reference.path, dict(last.versions), last.contracts)
        bring_back(book, store, STORED)
        before = dict(store.versions)
        run_id = new_run_id()
        tables = [table for table in STORED if table.name in store.versions]
        with started(book, store, STORED, run_id, before, last.told):
            restore_unfinished(store, tables)
            # VACUUM makes versions as well. What counts for readers until the row stands was replaced only now, and is
            # younger than all that it deletes.
            changed = tuple(table.name for table in tables if store.put_together(table))
            for table in tables:
                store.delete_unneeded(table)
        confirm()
        book.write(
            run_id,
            "finished",
            **last.told,
            inputs=json.dumps({"maintenance": {"put_together": changed}}),
            versions=store.versions,
            contracts=last.contracts,
            notices=last.notices,
        )
        for kept in (RUNS, LEASES):
            if store.current_version(kept) is not None:
                store.delete_unneeded(kept)
        return Maintained(run_id, tuple(table.name for table in tables), changed)
