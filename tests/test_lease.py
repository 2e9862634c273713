"""The lease of a warehouse that several machines reach: who has it, when it runs out, and what a run does without it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark import lease, pipeline
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import BusyError, InputError, LeaseLost
from pmpm_spark.lease import BEATS, BROKEN, LEASES, LEFT, TAKEN, Lease, leased
from pmpm_spark.loading import Loaded
from pmpm_spark.policy import Policy
from pmpm_spark.stage import Stage
from pmpm_spark.store import Store, empty
from pmpm_spark.table import Table, text
from pmpm_spark.warehouse import published

pytestmark = pytest.mark.delta

ONLY = Table(
    name="silver.only",
    grain="one row per id",
    key=("id",),
    columns=(text("id", "id"),),
    key_is_built_in=True,
)


@pytest.fixture
def warehouse(spark: SparkSession, engine: str, tmp_path: Path) -> Iterator[Warehouse]:
    """On Spark a schema of a catalog, as on a cluster; the embedded engine has folders alone."""
    if engine == "embedded":
        yield Warehouse(path=str(tmp_path / "warehouse"))
        return
    spark.sql(f"CREATE SCHEMA `lease_test` LOCATION '{tmp_path}'")
    yield Warehouse(schema="lease_test")
    spark.sql("DROP SCHEMA `lease_test` CASCADE")


@pytest.fixture
def of_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is taken for what several machines reach; its lock, which knows one process, is left out."""
    monkeypatch.setattr(lease, "is_local_folder", lambda warehouse: False)


def signs(spark: SparkSession, warehouse: Warehouse) -> list[str]:
    store = Store(spark, warehouse)
    newest = store.current_version(LEASES)
    return [] if newest is None else [row["status"] for row in store.delta.at(LEASES, newest).orderBy("at").collect()]


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    now = time.time()
    monkeypatch.setattr(lease.time, "time", lambda: now + seconds)


def test_one_run_has_the_warehouse_and_another_has_it_after_its_end(
    spark: SparkSession, warehouse: Warehouse, of_several_machines: None
) -> None:
    with leased(spark, warehouse) as confirm:
        confirm()
        with (
            pytest.raises(BusyError, match=r"has this warehouse; wait for its end.* --break-lease"),
            leased(spark, warehouse),
        ):
            pytest.fail("two at work")
        confirm()
    with leased(spark, warehouse) as confirm:
        confirm()
    assert signs(spark, warehouse) == [TAKEN, LEFT, TAKEN, LEFT], "who is refused writes nothing"


def test_a_run_that_fails_leaves_too(spark: SparkSession, warehouse: Warehouse, of_several_machines: None) -> None:
    with pytest.raises(InputError), leased(spark, warehouse):
        raise InputError("no such folder")
    assert signs(spark, warehouse) == [TAKEN, LEFT]


def test_after_ten_minutes_without_a_sign_another_run_takes_it_and_the_first_learns_of_it(
    spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Lease(spark, warehouse), Lease(spark, warehouse)
    first.take()
    later(monkeypatch, lease.EXPIRES - 30)
    with pytest.raises(BusyError, match=first.holder):
        second.take()
    later(monkeypatch, lease.EXPIRES + 30)
    first.confirm()  # nobody has taken it: it is still its own
    second.take()
    # the second's row has a true clock, so that at its own time it is alive
    monkeypatch.undo()
    with pytest.raises(LeaseLost, match="nothing is published"):
        first.confirm()
    first.leave()
    second.confirm()
    second.leave()


def test_a_heart_beats_while_the_run_is_at_work(
    spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    held = Lease(spark, warehouse)
    held.take()
    while BEATS not in signs(spark, warehouse):
        pass  # the test's own time limit ends this
    held.leave()
    found = signs(spark, warehouse)
    assert (found[0], found[-1]) == (TAKEN, LEFT)
    assert set(found[1:-1]) == {BEATS}


def test_a_broken_lease_is_the_breakers_and_the_other_learns_of_it(
    spark: SparkSession, warehouse: Warehouse, of_several_machines: None, caplog: pytest.LogCaptureFixture
) -> None:
    dead = Lease(spark, warehouse)
    dead.take()
    with leased(spark, warehouse, break_lease=True) as confirm:
        confirm()
        with pytest.raises(LeaseLost):
            dead.confirm()
    assert f"the lease of run {dead.holder} on " in caplog.text
    assert signs(spark, warehouse) == [TAKEN, BROKEN, TAKEN, LEFT]
    with pytest.raises(LeaseLost):
        dead.confirm()  # also when the breaker is gone
    dead.leave()


def test_two_that_begin_at_the_same_moment_are_both_refused(
    spark: SparkSession, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Lease(spark, warehouse), Lease(spark, warehouse)
    say = second._say

    def say_after_the_first(status: str, *who: str) -> None:
        monkeypatch.setattr(second, "_say", say)
        first.take()
        say(status, *who)

    monkeypatch.setattr(second, "_say", say_after_the_first)
    with pytest.raises(BusyError, match=first.holder):
        second.take()  # it saw nobody, then said that it takes, and by then the first had
    first.confirm()
    first.leave()
    assert signs(spark, warehouse) == [TAKEN, TAKEN, LEFT, LEFT]


def test_a_folder_of_this_machine_has_no_lease(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse = Warehouse(path=str(tmp_path / "warehouse"))
    with leased(spark, warehouse, break_lease=True) as confirm:
        confirm()
    assert signs(spark, warehouse) == []
    assert "a folder of this machine has no lease" in caplog.text


@pytest.fixture
def config(warehouse: Warehouse, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    stages = (Stage(ONLY, (), lambda: empty(spark, ONLY)),)
    monkeypatch.setattr(pipeline, "stages_of", lambda kind: stages)
    monkeypatch.setattr(pipeline, "STORED", (ONLY,))
    monkeypatch.setattr(pipeline, "load_sources", lambda *_: Loaded())
    return RunConfig(Source(kind="rif", path="claims"), warehouse, (2021,), (Policy("house"),), Reference())


def test_a_run_takes_the_lease_and_one_that_lost_it_publishes_nothing(
    spark: SparkSession, config: RunConfig, of_several_machines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pipeline.run(spark, config)
    other = Lease(spark, config.warehouse)
    other.take()
    with pytest.raises(BusyError):
        pipeline.run(spark, config)

    thief = Lease(spark, config.warehouse)

    def breaks_in(*_: object) -> Loaded:
        thief.take(break_others=True)
        return Loaded()

    with monkeypatch.context() as during:
        during.setattr(pipeline, "load_sources", breaks_in)
        with pytest.raises(LeaseLost):
            pipeline.run(spark, config, break_lease=True)
    assert published(spark, config).run.run_id == first.run_id
    second = pipeline.run(spark, config, break_lease=True)
    assert published(spark, config).run.run_id == second.run_id
    other.leave()
    thief.leave()
