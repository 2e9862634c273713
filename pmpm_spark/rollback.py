"""`pmpm rollback`: the tables as an earlier run left them, published as a run of its own.

Nothing is erased: the rollback can be taken back in the same way. What payment runs wrote stays, since a ledger is
never taken back; the next payment run posts what differs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pmpm_spark.config import RunConfig
from pmpm_spark.errors import ConfigError, InputError, PmpmError, StageError, is_engine_error
from pmpm_spark.lease import leased
from pmpm_spark.runs import Run, RunBook, bring_back, locked, new_run_id, restore_unfinished, started
from pmpm_spark.stages import CAPITATION, STORED
from pmpm_spark.store import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pmpm_spark.table import Table

log = logging.getLogger(__name__)

KEPT = frozenset(table.name for table in CAPITATION)
RESTORED = tuple(table for table in STORED if table.name not in KEPT)


@dataclass(frozen=True)
class RolledBack:
    """A finished rollback: the run that it wrote, the run whose tables count, and those that were brought back."""

    run_id: str
    to: str
    tables: tuple[str, ...]


def standing(run: Run, current: Run, config: RunConfig, now: datetime, store: Store) -> str:
    """Why a run cannot be gone back to; empty where it can. `store` is any of the warehouse."""
    if run.run_id == current.run_id:
        return "it is the run that counts"
    days = config.warehouse.retention_days
    if now - run.begun > timedelta(days=days):
        return f"it is older than warehouse.retention_days ({days})"
    for table in RESTORED:
        if table.name in run.contracts and not _can_be_read(store, table, run):
            return f"{table.name} had another contract then: go back with the version of pmpm that made it"
    return ""


def _can_be_read(store: Store, table: Table, run: Run) -> bool:
    """Whether the table can be read as it was then: it lacks no more than columns that are null."""
    try:
        return not store.difference(table, run.versions[table.name], run.contracts[table.name]).other
    except Exception as error:
        if not isinstance(error, StageError) and not is_engine_error(error):
            raise
        return False  # its files or its log are gone


def rollback(spark: SparkSession, config: RunConfig, run_id: str, *, break_lease: bool = False) -> RolledBack:
    """Publish the tables as a run left them.

    Raises:
        InputError: there is no such finished run.
        ConfigError: it cannot be gone back to.
        StageError: a file of its tables is gone; the tables are as they were.
        BusyError: another run is at work in the warehouse.
    """
    with locked(config.warehouse), leased(spark, config.warehouse, break_lease=break_lease) as confirm:
        book = RunBook(spark, config.warehouse)
        runs = book.finished()
        to = next((run for run in runs if run.run_id == run_id), None)
        if to is None:
            raise InputError(f"{run_id}: no finished run of this warehouse; `pmpm rollback` without a run lists them")
        current = runs[-1]
        store = Store(spark, config.warehouse, config.reference.path, dict(current.versions))
        reason = standing(to, current, config, datetime.now(UTC), store)
        if reason:
            raise ConfigError(f"run {run_id}: {reason}")
        bring_back(book, store, STORED)
        before = dict(store.versions)
        own, told = new_run_id(), to.told
        with started(book, store, STORED, own, before, told):
            tables = _restore(store, to)
        confirm()
        kept = {name: stored for name, stored in current.contracts.items() if name in KEPT}
        book.write(
            own,
            "finished",
            **told,
            inputs=json.dumps({"rollback": {"to": to.run_id}}),
            versions=store.versions,
            contracts={**{name: stored for name, stored in to.contracts.items() if name not in KEPT}, **kept},
            notices=to.notices,
        )
        return RolledBack(own, to.run_id, tuple(tables))


def _restore(store: Store, to: Run) -> Sequence[str]:
    for table in RESTORED:
        store.versions.pop(table.name, None)  # what was not there then is made anew when it is next published
    store.versions.update({name: version for name, version in to.versions.items() if name not in KEPT})
    try:
        return restore_unfinished(store, RESTORED)
    except PmpmError:
        raise
    except Exception as error:
        log.info("a table cannot be brought back (%s)", type(error).__name__)
        raise StageError(
            f"run {to.run_id}: a file of its tables is gone, as after VACUUM; the tables are as they were"
        ) from None
