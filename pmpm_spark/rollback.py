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
from pmpm_spark.errors import ConfigError, InputError, PmpmError, StageError
from pmpm_spark.lease import leased
from pmpm_spark.runs import Run, RunBook, bring_back, locked, new_run_id, restore_unfinished, started
from pmpm_spark.stages import CAPITATION, STORED
from pmpm_spark.store import Store, contract_hash

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

KEPT = frozenset(table.name for table in CAPITATION)
RESTORED = tuple(table for table in STORED if table.name not in KEPT)


@dataclass(frozen=True)
class RolledBack:
    """A finished rollback: the run that it wrote, the run whose tables count, and those that were brought back."""

    run_id: str
    to: str
    tables: tuple[str, ...]


def standing(run: Run, current: Run, config: RunConfig, now: datetime) -> str:
    """Why a run cannot be gone back to; empty where it can."""
    if run.run_id == current.run_id:
        return "it is the run that counts"
    days = config.warehouse.retention_days
    if now - run.begun > timedelta(days=days):
        return f"it is older than warehouse.retention_days ({days})"
    known = {table.name: contract_hash(table) for table in RESTORED}
    other = sorted(name for name, stored in run.contracts.items() if known.get(name, stored) != stored)
    return f"{other[0]} had another contract then: go back with the version of pmpm that made it" if other else ""


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
        reason = standing(to, current, config, datetime.now(UTC))
        if reason:
            raise ConfigError(f"run {run_id}: {reason}")
        store = Store(spark, config.warehouse, config.reference.path, dict(current.versions))
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
