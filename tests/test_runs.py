"""Runs: nothing counts before the last row of a run is written, and what an unfinished one left is taken back.

The stages here are two small ones, so that a run takes seconds; the real job stands in test_jobs.py.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark import pipeline, recipes, runs
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import AuditError, BusyError, ConfigError, InputError, StageError
from pmpm_spark.loading import Loaded
from pmpm_spark.policy import Eligibility, Policy, Risk
from pmpm_spark.runs import RUNS, RunBook, locked, new_run_id
from pmpm_spark.stage import Stage
from pmpm_spark.store import Store
from pmpm_spark.table import Table, count, text, year
from pmpm_spark.warehouse import published
from tests.processes import environment

pytestmark = pytest.mark.delta

FIRST = Table(
    name="silver.first",
    grain="one row per id",
    key=("id",),
    columns=(text("id", "id"), count("n", "number")),
    rules={"n_is_positive": "n > 0"},
    key_is_built_in=True,
)
SECOND = Table(
    name="gold.second",
    grain="one row per policy, year and id",
    key=("policy", "performance_year", "id"),
    columns=(text("policy", "policy"), year("performance_year", "year"), text("id", "id"), count("n", "number")),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


class World:
    """What the stages find outside, and what happens to them."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.rows = [("a", 1), ("b", 2)]
        self.happens: BaseException | None = None

    def first(self) -> DataFrame:
        return self.spark.createDataFrame(self.rows, FIRST.schema)

    def second(self, first: DataFrame, *, policies: list[Policy], performance_years: list[int]) -> DataFrame:
        if self.happens is not None:
            raise self.happens
        years = F.explode(F.array(*[F.lit(y) for y in performance_years]))
        labels = F.explode(F.array(*[F.lit(p.label) for p in policies]))
        return first.withColumn("performance_year", years).withColumn("policy", labels)


@pytest.fixture
def world(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(spark)
    stages = (Stage(FIRST, (), made.first), Stage(SECOND, (FIRST,), made.second, ("policies", "performance_years")))
    use(monkeypatch, stages)
    monkeypatch.setattr(pipeline, "load_sources", lambda *_: Loaded(notices=["one notice"], files=3))
    # what the first stage finds outside is to it what a file is to a source
    monkeypatch.setattr(recipes, "code_fingerprint", lambda: repr(made.rows))
    return made


def use(monkeypatch: pytest.MonkeyPatch, stages: tuple[Stage, ...]) -> None:
    monkeypatch.setattr(pipeline, "stages_of", lambda kind: stages)
    monkeypatch.setattr(pipeline, "STORED", tuple(stage.output for stage in stages))
    groups = {"load": stages[:1], "silver": (), "gold": stages[1:]}
    monkeypatch.setattr(pipeline, "groups_of", lambda kind: groups)


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    source = Source(kind="rif", path="claims")
    return RunConfig(source, Warehouse(path=str(tmp_path / "warehouse")), (2021,), (Policy("house"),), Reference())


def second(spark: SparkSession, config: RunConfig) -> set[tuple[str, int, str, int]]:
    """What readers see of the last table."""
    return {tuple(row) for row in published(spark, config).read(SECOND).collect()}


def book(spark: SparkSession, config: RunConfig) -> list[tuple[str, str]]:
    store = Store(spark, config.warehouse)
    newest = store.current_version(RUNS)
    assert newest is not None
    store.versions[RUNS.name] = newest
    return [(row["run_id"], row["status"]) for row in store.read(RUNS).orderBy("at").collect()]


BEFORE = {("house", 2021, "a", 1), ("house", 2021, "b", 2)}


def test_a_run_is_published_whole_with_its_receipts_and_a_rerun_doubles_nothing(
    world: World, config: RunConfig
) -> None:
    spark = world.spark
    with pytest.raises(InputError, match="no run has finished in this warehouse; run `pmpm run` first"):
        published(spark, config)
    result = pipeline.run(spark, config)
    assert [(r.table, r.rows, dict(r.inputs)) for r in result.receipts] == [
        ("silver.first", 2, {}),
        ("gold.second", 2, {"silver.first": result.receipts[0].version}),
    ]
    assert result.notices == ("one notice",)
    assert book(spark, config) == [(result.run_id, "started"), (result.run_id, "finished")]
    assert second(spark, config) == BEFORE

    found = published(spark, config)
    row = RunBook(spark, config.warehouse)._store.read(RUNS).where("status = 'finished'").collect()[0]
    assert row["versions"] == {r.table: r.version for r in result.receipts} == found.run.versions
    assert [(r["table"], r["version"], r["rows"]) for r in row["receipts"]] == [
        (r.table, r.version, r.rows) for r in result.receipts
    ]
    assert all(r["seconds"] > 0 for r in row["receipts"])
    assert row["receipts"][1]["inputs"] == {"silver.first": result.receipts[0].version}
    assert (row["policies"], row["policy_hashes"]) == (["house"], [config.policies[0].content_hash])
    settings = json.loads(row["settings"])
    assert settings["performance_years"] == [2021]
    assert settings["source"]["path"] == "claims"
    assert settings["policies"][0]["eligibility"]["window_months"] == 24
    inputs = json.loads(row["inputs"])
    assert inputs["files_loaded"] == 3
    assert len(inputs["reference"]) == 16
    assert row["notices"] == ["one notice"]
    assert set(row["contracts"]) == {"silver.first", "gold.second"}

    again = pipeline.run(spark, config)
    assert again.run_id > result.run_id
    assert second(spark, config) == BEFORE
    assert published(spark, config).read(SECOND).count() == 2
    assert published(spark, config).run.run_id == again.run_id


def test_a_run_replaces_its_own_policies_and_years_and_leaves_others(world: World, config: RunConfig) -> None:
    spark = world.spark
    pipeline.run(spark, replace(config, performance_years=(2020, 2021)))
    world.rows = [("c", 3)]
    pipeline.run(spark, config)
    kept = {("house", 2020, "a", 1), ("house", 2020, "b", 2)}
    assert second(spark, config) == {*kept, ("house", 2021, "c", 3)}
    world.rows = [("d", 4)]
    pipeline.run(spark, replace(config, policies=(Policy("other"),)), only="second")
    assert second(spark, config) == {*kept, ("house", 2021, "c", 3), ("other", 2021, "c", 3)}
    pipeline.run(spark, config, start="second")
    assert second(spark, config) == {*kept, ("house", 2021, "c", 3), ("other", 2021, "c", 3)}
    result = pipeline.run(spark, config, group="load")
    assert [receipt.table for receipt in result.receipts] == ["silver.first"]
    pipeline.run(spark, config, group="gold")
    assert second(spark, config) == {*kept, ("house", 2021, "d", 4), ("other", 2021, "c", 3)}


def test_a_stage_alone_needs_what_it_reads(world: World, config: RunConfig) -> None:
    with pytest.raises(StageError, match=r"silver\.first: not published yet"):
        pipeline.run(world.spark, config, only="second")
    with pytest.raises(ConfigError, match="no table third"):
        pipeline.run(world.spark, config, only="third")
    with pytest.raises(ConfigError, match="--rebuild third: there is no such table"):
        pipeline.run(world.spark, config, rebuild=["third"])


def test_what_no_policy_asks_for_is_left_empty_and_what_one_asked_for_before_is_taken_away(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = replace(config, policies=(Policy("house", risk=Risk(scores="computed")),))

    def asked(policies: Sequence[Policy]) -> bool:
        return any(policy.risk.scores == "computed" for policy in policies)

    def build() -> DataFrame:
        return world.first().where(F.lit(wanted))

    use(monkeypatch, (Stage(FIRST, (), build, asked=asked),))
    wanted = False
    first = pipeline.run(world.spark, config).receipts
    again = pipeline.run(world.spark, config, full=True).receipts
    assert [(r.version, r.rows) for r in again] == [(first[0].version, 0)], "nothing is written"
    wanted = True
    assert [r.rows for r in pipeline.run(world.spark, asking).receipts] == [2]
    wanted = False
    assert [r.rows for r in pipeline.run(world.spark, config).receipts] == [0]
    assert published(world.spark, config).read(FIRST).count() == 0


def test_a_run_that_fails_leaves_what_was_published(world: World, config: RunConfig) -> None:
    spark = world.spark
    good = pipeline.run(spark, config)
    world.rows = [("c", 3)]
    for error in (AuditError("no"), InputError("no"), ValueError("a fault of the package")):
        world.happens = error
        with pytest.raises(type(error)):
            pipeline.run(spark, config)
        assert second(spark, config) == BEFORE
        assert [status for _, status in book(spark, config)][-2:] == ["started", "failed"]
    world.rows, world.happens = [("c", 0)], None
    with pytest.raises(AuditError, match=r"silver\.first: rule broken: n_is_positive by 1 rows; nothing is published"):
        pipeline.run(spark, config)
    assert published(spark, config).run.run_id == good.run_id
    # also who reads the newest version past the book finds the published rows
    newest = spark.read.format("delta").load(f"{config.warehouse.path}/silver/first")
    assert {row["id"] for row in newest.collect()} == {"a", "b"}


def test_a_failed_run_says_how_many_tables_it_brought_back_where_there_are_any(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    monkeypatch.setattr(runs.log, "info", lambda text, *told: messages.append(text % told))

    def said() -> list[str]:
        messages.clear()
        with pytest.raises(InputError):
            pipeline.run(world.spark, config)
        return [message for message in messages if "brought back" in message]

    world.happens = InputError("no")
    assert said() == []  # nothing was finished before
    world.happens = None
    pipeline.run(world.spark, config)
    world.rows, world.happens = [("c", 3)], InputError("no")
    assert said() == ["1 tables brought back to the last finished run"]


def test_what_an_unfinished_run_left_is_taken_back_at_the_next_start(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A driver that dies writes no last row and restores nothing."""
    spark = world.spark
    pipeline.run(spark, config)
    world.rows, world.happens = [("c", 3)], SystemExit("the driver is gone")
    with monkeypatch.context() as dying:
        dying.setattr(runs, "restore_unfinished", lambda *_: [])
        with pytest.raises(SystemExit):
            pipeline.run(spark, config)
    assert second(spark, config) == BEFORE
    left = spark.read.format("delta").load(f"{config.warehouse.path}/silver/first")
    assert [row["id"] for row in left.collect()] == ["c"]

    world.happens = None
    logging.getLogger("pmpm_spark").propagate = True
    with caplog.at_level(logging.INFO, logger="pmpm_spark"):
        pipeline.run(spark, config, only="second")
    assert "silver.first: brought back to the last finished run" in caplog.messages
    assert second(spark, config) == BEFORE


def test_a_first_run_that_dies_leaves_nothing_to_read_and_nothing_doubled(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark = world.spark
    world.happens = SystemExit("the driver is gone")
    with monkeypatch.context() as dying:
        dying.setattr(runs, "restore_unfinished", lambda *_: [])
        with pytest.raises(SystemExit):
            pipeline.run(spark, config)
    with pytest.raises(InputError, match="no run has finished"):
        published(spark, config)
    world.happens, world.rows = None, [("c", 3)]
    pipeline.run(spark, config)
    assert second(spark, config) == {("house", 2021, "c", 3)}


def test_a_rebuild_makes_a_table_anew_and_a_failed_one_leaves_it_as_it_was(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark = world.spark
    pipeline.run(spark, config)
    wider = replace(FIRST, columns=(*FIRST.columns, count("more", "more")))
    stages = (
        Stage(wider, (), lambda: world.first().withColumn("more", F.lit(7))),
        Stage(SECOND, (wider,), world.second, ("policies", "performance_years")),
    )
    use(monkeypatch, stages)
    world.happens = AuditError("no")
    with pytest.raises(AuditError):
        pipeline.run(spark, config, rebuild=["silver.first"])
    assert second(spark, config) == BEFORE
    restored = spark.read.format("delta").load(f"{config.warehouse.path}/silver/first")
    assert restored.columns == ["id", "n"]

    world.happens = None
    pipeline.run(spark, config, rebuild=["silver.first"])
    assert published(spark, config).read(wider).columns == ["id", "n", "more"]
    assert second(spark, config) == BEFORE
    pipeline.run(spark, config)


def test_a_second_run_at_once_is_refused(world: World, config: RunConfig, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(config.warehouse), pytest.raises(BusyError) as caught:
        pipeline.run(world.spark, config)
    assert caught.value.exit_code == 2
    assert str(caught.value) == f"{config.warehouse.path}: another run is at work in this warehouse; wait for its end"
    pipeline.run(world.spark, config)


HOLDER = """
import sys, time
from pmpm_spark.config import Warehouse
from pmpm_spark.runs import locked
with locked(Warehouse(path=sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(config: RunConfig) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the warehouse."""
    command = [sys.executable, "-c", HOLDER, str(config.warehouse.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_lock_ends_with_its_process_however_it_ends(holder: subprocess.Popen[str], config: RunConfig) -> None:
    with pytest.raises(BusyError), locked(config.warehouse):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    with locked(config.warehouse):
        pass


def test_a_catalogs_schema_is_locked_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    schema, other = Warehouse(catalog="main", schema="pmpm"), Warehouse(catalog="main", schema="pmpm2")
    with locked(schema), locked(other), pytest.raises(BusyError), locked(schema):
        pass


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match=r"not writable \(.+\); choose another warehouse.path") as caught,
        locked(Warehouse(path=str(tmp_path / "file" / "warehouse"))),
    ):
        pass
    assert caught.value.exit_code == 2


def test_run_ids_stand_in_the_order_of_their_starts() -> None:
    ids: list[Any] = [new_run_id() for _ in range(5)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 5


def with_rules(config: RunConfig, *years: int, **eligibility: Any) -> RunConfig:
    policy = Policy("house", eligibility=Eligibility(**eligibility))
    return replace(config, policies=(policy,), performance_years=years)


def test_one_name_never_stands_for_two_sets_of_rules(world: World, config: RunConfig) -> None:
    pipeline.run(world.spark, with_rules(config, 2021, 2022))
    changed = with_rules(config, 2022, part_a_b="none")
    with pytest.raises(ConfigError, match="policy house 2021: its rules are not those that these rows were made by"):
        pipeline.run(world.spark, changed)
    assert {row[1] for row in second(world.spark, config)} == {2021, 2022}
    pipeline.run(world.spark, replace(changed, performance_years=(2021, 2022)))  # none of the former rows stays
    pipeline.run(world.spark, replace(changed, performance_years=(2022,)))


def test_years_that_new_files_were_not_counted_in_are_named(world: World, config: RunConfig) -> None:
    pipeline.run(world.spark, with_rules(config, 2020, 2021))
    result = pipeline.run(world.spark, with_rules(config, 2021))
    assert "computed before these files came, and not anew: house 2020" in result.notices


def test_a_rebuild_loses_nothing_that_the_run_does_not_make(world: World, config: RunConfig) -> None:
    both = with_rules(config, 2021, 2022)
    pipeline.run(world.spark, both)
    with pytest.raises(ConfigError, match=r"--rebuild silver\.first: this run does not make it"):
        pipeline.run(world.spark, both, only="second", rebuild=["silver.first"])
    with pytest.raises(ConfigError, match=r"--rebuild bronze\.source_files: it alone says which files were loaded"):
        pipeline.run(world.spark, both, rebuild=["bronze.source_files"])
    with pytest.raises(ConfigError, match="--rebuild would lose what this run does not make: add house 2022"):
        pipeline.run(world.spark, with_rules(config, 2021), rebuild=["gold.second"])
    assert {row[1] for row in second(world.spark, config)} == {2021, 2022}
    pipeline.run(world.spark, both, rebuild=["gold.second"])
    assert {row[1] for row in second(world.spark, config)} == {2021, 2022}


def test_what_would_come_out_as_it_is_stands_and_what_changed_is_made_anew(world: World, config: RunConfig) -> None:
    spark = world.spark
    first = pipeline.run(spark, config)
    again = pipeline.run(spark, config)
    assert (again.receipts, again.unchanged) == ((), ("silver.first", "gold.second"))
    assert published(spark, config).run.versions == {r.table: r.version for r in first.receipts}
    assert [r.table for r in pipeline.run(spark, config, full=True).receipts] == ["silver.first", "gold.second"]
    other = replace(config, policies=(Policy("house", eligibility=Eligibility(window_months=12)),))
    assert [r.table for r in pipeline.run(spark, other).receipts] == ["gold.second"]
    assert [r.table for r in pipeline.run(spark, other, rebuild=["silver.first"]).receipts] == [
        "silver.first",
        "gold.second",
    ]
    assert [r.table for r in pipeline.run(spark, other, only="first").receipts] == ["silver.first"]
    assert [r.table for r in pipeline.run(spark, other).receipts] == ["gold.second"], "it reads what was made anew"
    world.rows = [("c", 3)]
    assert len(pipeline.run(spark, other).receipts) == 2
    assert second(spark, other) == {("house", 2021, "c", 3)}


def test_what_was_taken_back_after_a_run_that_was_cut_off_stands_as_it_stood(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark, rows = world.spark, world.rows
    first = pipeline.run(spark, config)
    world.rows, world.happens = [("c", 3)], SystemExit("the driver is gone")
    with monkeypatch.context() as dying:
        dying.setattr(runs, "restore_unfinished", lambda *_: [])
        with pytest.raises(SystemExit):
            pipeline.run(spark, config)
    world.rows, world.happens = rows, None
    for _ in range(2):  # the run that takes it back, and one that finds it in the book
        again = pipeline.run(spark, config)
        assert (again.receipts, again.unchanged) == ((), ("silver.first", "gold.second"))
    before = {receipt.table: receipt.version for receipt in first.receipts}
    assert published(spark, config).run.versions["silver.first"] > before["silver.first"]
    assert second(spark, config) == BEFORE


def test_a_run_that_leaves_a_table_stands_for_it(world: World, config: RunConfig, tmp_path: Path) -> None:
    pipeline.run(world.spark, config)
    (tmp_path / "reference").mkdir()
    shipped = Path(pipeline.__file__).parent / "reference" / "eta_hospitals.csv"
    (tmp_path / "reference" / shipped.name).write_text(shipped.read_text())
    config = replace(config, reference=Reference(path=str(tmp_path / "reference")))
    again = pipeline.run(world.spark, config)
    assert again.receipts == (), "no stage reads these hospitals"
    book = RunBook(world.spark, config.warehouse)
    known = book.references({SECOND.name})
    assert known == {("house", 2021): json.loads(book.finished()[-1].inputs)["reference"]}
    assert len({json.loads(run.inputs)["reference"] for run in book.finished()}) == 2


def test_what_is_asked_of_a_table_is_asked_also_where_it_stands_as_it_stood(
    world: World, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.run(world.spark, config)

    def refuse(*_: object) -> None:
        raise AuditError("no factor for a year of this run")

    monkeypatch.setattr(pipeline, "RISK_SCORES", FIRST)
    monkeypatch.setattr(pipeline, "check_factors", refuse)
    with pytest.raises(AuditError, match="no factor"):
        pipeline.run(world.spark, config)
