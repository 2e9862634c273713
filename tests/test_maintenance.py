"""Maintenance: the same rows in fewer files, and what readers and earlier runs need is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark import maintenance, pipeline, recipes
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.delta_embedded import DeltaEmbedded
from pmpm_spark.errors import InputError
from pmpm_spark.lease import LEASES
from pmpm_spark.loading import Loaded
from pmpm_spark.policy import Policy
from pmpm_spark.runs import RUNS, RunBook
from pmpm_spark.stage import Stage
from pmpm_spark.store import Store
from pmpm_spark.table import Table, text
from pmpm_spark.warehouse import published

pytestmark = pytest.mark.delta

IDS = Table(name="silver.ids", grain="one row per id", key=("id",), columns=(text("id", "id"),), key_is_built_in=True)
DAY = 86_400


class World:
    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder / "silver" / "ids"
        self.ids = ["a"]
        self.config = RunConfig(
            Source(kind="rif", path="claims"), Warehouse(path=str(folder)), (2021,), (Policy("house"),), Reference()
        )

    def made(self) -> DataFrame:
        return self.spark.createDataFrame([(one,) for one in self.ids], IDS.schema).repartition(4, "id")

    def run(self, *ids: str) -> str:
        self.ids = list(ids)
        return pipeline.run(self.spark, self.config).run_id

    def read(self) -> list[str]:
        return sorted(row["id"] for row in published(self.spark, self.config).read(IDS).collect())

    def files(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.parquet")}


@pytest.fixture
def world(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(spark, tmp_path / "warehouse")
    monkeypatch.setattr(pipeline, "stages_of", lambda kind: (Stage(IDS, (), made.made),))
    monkeypatch.setattr(pipeline, "load_sources", lambda *_: Loaded())
    monkeypatch.setattr(recipes, "code_fingerprint", lambda: repr(made.ids))  # as if it were read from a file
    for module in (pipeline, maintenance):
        monkeypatch.setattr(module, "STORED", (IDS,))
    return made


def test_the_versions_that_maintenance_makes_are_those_that_count(world: World, engine: str) -> None:
    with pytest.raises(InputError, match="no run has finished"):
        maintenance.maintain(world.spark, world.config)
    world.run(*"abcdefgh")
    before = published(world.spark, world.config).run
    done = maintenance.maintain(world.spark, world.config)
    after = published(world.spark, world.config).run
    assert (after.run_id, after.what, after.contracts) == (done.run_id, "maintenance", before.contracts)
    assert done.tables == (IDS.name,)
    assert done.put_together == ((IDS.name,) if engine == "spark" else ())
    assert after.versions[IDS.name] > before.versions[IDS.name] or engine == "embedded"
    assert after.versions[IDS.name] == Store(world.spark, world.config.warehouse).current_version(IDS)
    assert world.read() == list("abcdefgh")
    world.run("z")
    assert world.read() == ["z"]


def test_what_somebody_else_made_of_a_table_is_brought_back_first(world: World) -> None:
    world.run("a")
    store = Store(world.spark, world.config.warehouse, versions=published(world.spark, world.config).run.versions)
    world.ids = ["x"]
    store.publish(IDS, world.made())
    maintenance.maintain(world.spark, world.config)
    assert world.read() == ["a"]


def test_files_are_deleted_when_they_have_not_counted_for_as_long_as_they_are_kept(world: World) -> None:
    world.run("a")
    first = world.files()
    world.run("b")
    second = world.files() - first
    aged(world.folder, days=6)
    maintenance.maintain(world.spark, world.config)
    assert world.files() == first | second
    aged(world.folder, days=8)
    world.config = replace(world.config, warehouse=replace(world.config.warehouse, retention_days=20))
    maintenance.maintain(world.spark, world.config)
    assert world.files() == first | second, "the configuration keeps them for longer"
    world.config = replace(world.config, warehouse=replace(world.config.warehouse, retention_days=1))
    maintenance.maintain(world.spark, world.config)
    assert world.files() == second
    assert world.read() == ["b"]
    found = published(world.spark, world.config).run.versions[IDS.name]
    assert found == Store(world.spark, world.config.warehouse).current_version(IDS), "the deletion's own versions, too"


def aged(table: Path, *, days: int) -> None:
    """As if what no longer counts had stopped to so many days ago."""
    for commit in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines()]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] = int((time.time() - days * DAY) * 1000)
        commit.write_text("".join(json.dumps(action) + "\n" for action in actions), encoding="utf-8")


def test_the_books_are_maintained_last(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run("a")
    Store(world.spark, world.config.warehouse).create(LEASES)
    seen: list[tuple[str, int, str]] = []
    delete = DeltaEmbedded.delete_unneeded

    def noted(delta: DeltaEmbedded, table: Table, hours: int) -> int:
        last = RunBook(world.spark, world.config.warehouse).last_finished()
        assert last is not None
        seen.append((table.name, hours, last.what))
        return delete(delta, table, hours)

    monkeypatch.setattr(DeltaEmbedded, "delete_unneeded", noted)
    maintenance.maintain(world.spark, world.config)
    assert seen == [(IDS.name, 168, "run"), (RUNS.name, 168, "maintenance"), (LEASES.name, 168, "maintenance")]
    done = published(world.spark, world.config).run
    assert done.versions[IDS.name] == Store(world.spark, world.config.warehouse).current_version(IDS)
