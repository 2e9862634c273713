"""Going back to an earlier run: what counts then, what stays, and which run cannot be gone back to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark import pipeline, recipes, rollback
from pmpm_spark.cli import loads
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import ConfigError, InputError, StageError
from pmpm_spark.loading import Loaded
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.runs import Run, RunBook
from pmpm_spark.stage import Stage
from pmpm_spark.store import Store
from pmpm_spark.table import Table, text, year
from pmpm_spark.warehouse import published

pytestmark = pytest.mark.delta

IDS = Table(name="silver.ids", grain="one row per id", key=("id",), columns=(text("id", "id"),), key_is_built_in=True)
BY_POLICY = Table(
    name="gold.by_policy",
    grain="one row per policy, year and id",
    key=("policy", "performance_year", "id"),
    columns=(text("policy", "policy"), year("performance_year", "year"), text("id", "id")),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)
PAID = Table(name="gold.paid", grain="one row per id", key=("id",), columns=(text("id", "id"),), key_is_built_in=True)
TABLES = (IDS, BY_POLICY, PAID)


class World:
    """One warehouse; a run makes three tables of the ids that there are then, one of which stands for a payment run's."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        self.ids: list[str] = []
        self.config = RunConfig(
            Source(kind="rif", path="claims"), Warehouse(path=str(folder)), (2021,), (Policy("house"),), Reference()
        )

    def made(self) -> DataFrame:
        return self.spark.createDataFrame([(one,) for one in self.ids], IDS.schema)

    def by_policy(self, ids: DataFrame, *, policies: list[Policy], performance_years: list[int]) -> DataFrame:
        return ids.select(
            F.lit(policies[0].label).alias("policy"), F.lit(performance_years[0]).alias("performance_year"), "id"
        )

    def run(self, *ids: str, config: RunConfig | None = None) -> str:
        self.ids = list(ids)
        return pipeline.run(self.spark, config or self.config).run_id

    def back(self, run_id: str) -> rollback.RolledBack:
        return rollback.rollback(self.spark, self.config, run_id)

    def read(self, table: Table) -> list[str]:
        return sorted(row["id"] for row in published(self.spark, self.config).read(table).collect())

    def seen(self) -> dict[str, list[str]]:
        return {table.short_name: self.read(table) for table in TABLES}


@pytest.fixture
def world(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(spark, tmp_path / "warehouse")
    stages = (
        Stage(IDS, (), made.made),
        Stage(BY_POLICY, (IDS,), made.by_policy, ("policies", "performance_years")),
        Stage(PAID, (IDS,), lambda ids: ids),
    )
    monkeypatch.setattr(pipeline, "stages_of", lambda kind: stages)
    monkeypatch.setattr(pipeline, "STORED", TABLES)
    monkeypatch.setattr(pipeline, "load_sources", lambda *_: Loaded())
    monkeypatch.setattr(recipes, "code_fingerprint", lambda: repr(made.ids))  # as if it were read from a file
    monkeypatch.setattr(rollback, "STORED", TABLES)
    monkeypatch.setattr(rollback, "RESTORED", TABLES[:2])
    monkeypatch.setattr(rollback, "KEPT", frozenset({PAID.name}))
    return made


def test_there_and_back_and_the_next_run_goes_on_from_there(world: World) -> None:
    first = world.run("a")
    second = world.run("a", "b")
    done = world.back(first)
    assert (done.to, set(done.tables)) == (first, {IDS.name, BY_POLICY.name})
    assert (world.read(IDS), world.read(BY_POLICY)) == (["a"], ["a"])
    assert published(world.spark, world.config).run.run_id == done.run_id
    assert world.back(second).to == second
    assert (world.read(IDS), world.read(BY_POLICY)) == (["a", "b"], ["a", "b"])
    world.run("c")
    assert world.seen() == {"ids": ["c"], "by_policy": ["c"], "paid": ["c"]}
    told = loads.runs(world.spark, world.config)
    assert [row[2:] for row in told.rows] == [
        ("run", "house", "2021", "-"),
        ("run", "house", "2021", "-"),
        (f"rollback to {first}", "house", "2021", "-"),
        (f"rollback to {second}", "house", "2021", "-"),
        ("run", "house", "2021", "it is the run that counts"),
    ]
    assert [row[0] for row in told.rows][:2] == [first, second]


def test_what_payment_runs_wrote_stays(world: World) -> None:
    first = world.run("a")
    world.run("b")
    world.back(first)
    assert world.seen() == {"ids": ["a"], "by_policy": ["a"], "paid": ["b"]}
    assert {table.name for table in TABLES} == set(published(world.spark, world.config).run.contracts)


def test_the_rules_that_count_are_those_of_the_run_gone_back_to(world: World) -> None:
    other = replace(world.config, policies=(Policy("house", eligibility=Eligibility(exclude_non_us=True)),))
    at = ("house", 2021)
    hashes = {name: config.policies[0].content_hash for name, config in (("ours", world.config), ("other", other))}
    assert hashes["ours"] != hashes["other"]
    first = world.run("a")
    second = world.run("b", config=other)

    def stored() -> str:
        return RunBook(world.spark, world.config.warehouse).slices({BY_POLICY.name})[at]

    assert stored() == hashes["other"]
    world.back(first)
    assert stored() == hashes["ours"]
    assert published(world.spark, world.config).run.policy_hashes == (hashes["ours"],)
    world.back(second)
    assert stored() == hashes["other"]
    made = RunBook(world.spark, world.config.warehouse).made()
    versions = published(world.spark, world.config).run.versions
    assert (made[IDS.name].version, made[BY_POLICY.name].version) == (versions[IDS.name], versions[BY_POLICY.name])
    assert made[BY_POLICY.name].inputs == {IDS.name: versions[IDS.name]}, "the version that holds the same rows now"
    assert pipeline.run(world.spark, other).receipts == ()


def test_a_run_that_cannot_be_gone_back_to_is_told_with_the_reason(world: World) -> None:
    first, second = world.run("a"), world.run("b")
    with pytest.raises(InputError, match="20200101: no finished run of this warehouse; `pmpm rollback` without a run"):
        world.back("20200101")
    with pytest.raises(ConfigError, match=f"run {second}: it is the run that counts"):
        world.back(second)
    old, current = RunBook(world.spark, world.config.warehouse).finished()
    store = Store(world.spark, world.config.warehouse)

    def standing(run: Run, config: RunConfig, now: datetime) -> str:
        return rollback.standing(run, current, config, now, store)

    week = old.begun + timedelta(days=7)
    assert standing(old, world.config, week) == ""
    late = week + timedelta(seconds=1)
    assert standing(old, world.config, late) == "it is older than warehouse.retention_days (7)"
    longer = replace(world.config, warehouse=replace(world.config.warehouse, retention_days=8))
    assert standing(old, longer, late) == ""
    ledger = replace(old, contracts={**old.contracts, PAID.name: "0"})
    assert standing(ledger, world.config, week) == "", "it stays as it is now"
    assert world.read(IDS) == ["b"]
    assert first != second


def test_a_table_that_was_not_there_then_is_made_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(pipeline, "stages_of", lambda kind: (Stage(IDS, (), world.made),))
        first = world.run("a")
    world.run("b")
    world.back(first)
    with pytest.raises(StageError, match=r"gold\.by_policy: not published yet"):
        world.read(BY_POLICY)
    world.run("c")
    assert world.seen() == {"ids": ["c"], "by_policy": ["c"], "paid": ["c"]}


def test_a_file_that_is_gone_is_told_and_the_tables_are_as_they_were(world: World) -> None:
    first = world.run("a")
    files = set((world.folder / "silver" / "ids").rglob("*.parquet"))
    world.run("b")
    for file in files:
        file.unlink()
    with pytest.raises(StageError, match=f"run {first}: a file of its tables is gone, as after VACUUM"):
        world.back(first)
    assert world.seen() == {"ids": ["b"], "by_policy": ["b"], "paid": ["b"]}
    world.run("c")
    assert world.seen() == {"ids": ["c"], "by_policy": ["c"], "paid": ["c"]}


def test_a_rollback_that_is_cut_off_leaves_the_tables_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.run("a")
    second = world.run("b")
    restore = Store.restore

    def cut_off(store: Store, table: Table, version: int) -> None:
        restore(store, table, version)
        monkeypatch.setattr(Store, "restore", restore)
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "restore", cut_off)
    with pytest.raises(KeyboardInterrupt):
        world.back(first)
    assert published(world.spark, world.config).run.run_id == second
    assert world.seen() == {"ids": ["b"], "by_policy": ["b"], "paid": ["b"]}
    newest = Store(world.spark, world.config.warehouse)
    version = newest.current_version(IDS)
    assert version is not None
    assert [row["id"] for row in newest.delta.at(IDS, version).collect()] == ["b"], "brought back"


def test_files_are_kept_as_long_as_the_configuration_says(spark: SparkSession, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    def properties(days: int) -> dict[str, str]:
        warehouse = Warehouse(path=str(tmp_path / str(days)), retention_days=days)
        Store(spark, warehouse).create(IDS)
        kept = DeltaTable(f"{warehouse.path}/silver/ids").metadata().configuration
        return {name: value for name, value in kept.items() if "Retention" in name}

    assert properties(7) == {}
    assert properties(20) == {"delta.deletedFileRetentionDuration": "interval 20 days"}
    assert properties(90) == {
        "delta.deletedFileRetentionDuration": "interval 90 days",
        "delta.logRetentionDuration": "interval 90 days",
    }
    with pytest.raises(ConfigError, match=r"warehouse\.retention_days: a number of days from 1 to 3650"):
        Warehouse(path="w", retention_days=0)
