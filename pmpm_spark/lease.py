"""The lease: at most one run writes to a warehouse that several machines reach, a schema or an object store.

A run adds rows to `ops.leases`: that it takes the warehouse, every two minutes that it has it, and that it leaves.
Another run that finds such a sign of the last ten minutes is refused. Rows are only added, so that no writer waits for
another; two that begin at the same moment see each other, and both go.

It guards against mistakes and proves nothing: a driver that stood still for ten minutes may wake beside its successor,
clocks may differ, and on S3 one driver's commit may be lost to another's (docs/decisions/0108).
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import Warehouse
from pmpm_spark.delta_text import is_local_folder
from pmpm_spark.errors import BusyError, LeaseLost
from pmpm_spark.store import UNKNOWN, Store
from pmpm_spark.table import Table, column, small_frame, text
from pmpm_spark.upgrade import bring_to_contract

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

EXPIRES = 600
"""Seconds after its last sign from which a holder counts as dead."""
BEAT = 120
"""Seconds from sign to sign."""
LOOKS_BACK = 86_400

TAKEN, BEATS, LEFT, BROKEN = "taken", "beats", "left", "broken"

LEASES = Table(
    name="ops.leases",
    grain="one row per sign of a run that writes to a warehouse of several machines",
    key=("holder", "at", "status"),
    columns=(
        text("holder", "the run's hold, a random id"),
        text("host", "machine of its driver"),
        text("status", "taken, beats (still at work), left, or broken (by another run's --break-lease)"),
        column("at", T.TimestampType(), "when, UTC, by the clock of the machine that wrote the row"),
    ),
    rules={"status_is_known": "status IN ('taken', 'beats', 'left', 'broken')"},
    key_is_built_in=True,
)


@dataclass(frozen=True)
class Holder:
    """A holder's last sign; `at` is in seconds of the epoch."""

    name: str
    host: str
    at: int

    def __str__(self) -> str:
        return f"{self.name} on {self.host}, last seen {datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M} UTC"


class Lease:
    """One run's hold on a warehouse."""

    def __init__(self, spark: SparkSession, warehouse: Warehouse) -> None:
        self.holder = uuid4().hex[:12]
        self._store = Store(spark, warehouse)
        self._is_over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)

    def take(self, *, break_others: bool = False) -> None:
        """Take the warehouse, where break_others is set also from a run that seems to be alive.

        Raises:
            BusyError: another run has it.
        """
        newest = self._store.current_version(LEASES)
        if newest is None:
            self._store.create(LEASES)
        else:
            self._store.versions[LEASES.name], self._store.contracts[LEASES.name] = newest, UNKNOWN
            bring_to_contract(self._store, LEASES)
        for other in self._others():
            if not break_others:
                raise _busy(other)
            log.warning("the lease of run %s is broken", other)
            self._say(BROKEN, other.name, other.host)
        self._say(TAKEN)
        for other in self._others():
            self._say(LEFT)
            raise _busy(other)
        self._heart.start()

    def confirm(self) -> None:
        """See that the warehouse is still this run's.

        Raises:
            LeaseLost: the lease was broken, or another run took the warehouse after ten minutes without a sign.
        """
        if self.holder not in {holder.name for holder in self._alive(LOOKS_BACK)} or self._others():
            raise LeaseLost(
                "the lease of this run was broken, or ran out and another run has the warehouse: nothing is published; "
                "run it again when the other has ended"
            )

    def leave(self) -> None:
        """Say that the run has ended, however it ended. Where that fails, the lease runs out."""
        self._is_over.set()
        self._heart.join()
        with _said_if_it_fails():
            self._say(LEFT)

    def _beat(self) -> None:
        while not self._is_over.wait(BEAT):
            with _said_if_it_fails():
                self._say(BEATS)

    def _others(self) -> list[Holder]:
        return [holder for holder in self._alive(EXPIRES) if holder.name != self.holder]

    def _alive(self, seconds: int) -> list[Holder]:
        """Who gave a sign in the last seconds, and has neither left nor been broken."""
        newest = self._store.current_version(LEASES)
        if newest is None:
            return []
        now = int(time.time())
        is_over = F.col("status").isin(LEFT, BROKEN)
        recent = self._store.delta.at(LEASES, newest).where(F.col("at") > F.timestamp_seconds(F.lit(now - LOOKS_BACK)))
        signs = recent.groupBy("holder").agg(
            F.max("host").alias("host"),
            F.max(F.unix_seconds("at")).alias("seconds"),
            F.count_if(is_over).alias("ends"),
        )
        found = signs.where((F.col("ends") == 0) & (F.col("seconds") > now - seconds)).collect()
        return sorted((Holder(row["holder"], row["host"], row["seconds"]) for row in found), key=lambda h: h.name)

    def _say(self, status: str, holder: str | None = None, host: str | None = None) -> None:
        """Add a row, by the store's writer and not by its `publish`, which would take back what another has added."""
        row = (holder or self.holder, host or socket.gethostname(), status, datetime.now(UTC))
        frame = small_frame(self._store.spark, [row], LEASES.schema)
        self._store.delta.write(LEASES, frame, append=True, where=None)


@contextlib.contextmanager
def leased(spark: SparkSession, warehouse: Warehouse, *, break_lease: bool = False) -> Iterator[Callable[[], None]]:
    """Hold the warehouse for one run; what is given confirms that it is still held, and is asked before publishing.

    A folder of this machine is held by the operating system's lock alone (`runs.locked`).

    Raises:
        BusyError: another run has it.
    """
    if is_local_folder(warehouse):
        if break_lease:
            log.warning("--break-lease: a folder of this machine has no lease, and its lock ends with its run")
        yield lambda: None
        return
    lease = Lease(spark, warehouse)
    lease.take(break_others=break_lease)
    try:
        yield lease.confirm
    finally:
        lease.leave()


def _busy(other: Holder) -> BusyError:
    return BusyError(
        f"run {other} has this warehouse; wait for its end, or where you know that it is dead for ten minutes, or take "
        "the warehouse at once with --break-lease"
    )


@contextlib.contextmanager
def _said_if_it_fails() -> Iterator[None]:
    """A sign that cannot be given stops no run: it is seen at the end whether the warehouse is still held."""
    try:
        yield
    except Exception as error:
        log.warning("the lease: a sign could not be given (%s)", type(error).__name__)
