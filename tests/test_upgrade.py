"""A table of a former contract is brought to the one of now, made anew, or refused; whatever happens no row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark import pipeline, recipes, rollback, runs, upgrade
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.delta_text import Alteration
from pmpm_spark.errors import AuditError, ConfigError, StageError
from pmpm_spark.lease import LEASES, LEFT, TAKEN, Lease
from pmpm_spark.loading import Loaded
from pmpm_spark.policy import Policy
from pmpm_spark.runs import RUNS, RunBook, check_contracts
from pmpm_spark.stage import Stage
from pmpm_spark.store import UNKNOWN, Store, contract_hash
from pmpm_spark.table import TEXTS, Table, column, count, day, flag, money, quotient, text, year
from pmpm_spark.upgrade import Upgrade, Used, planned
from pmpm_spark.warehouse import published
from tests.older import retyped, without
from tests.tables import frame

pytestmark = pytest.mark.delta

PAID = Table(
    name="gold.paid",
    grain="one row per id",
    key=("id",),
    columns=(
        text("id", "id"),
        money("amount", "paid"),
        text("pays_for", "what it's for: list, or attributed"),
        quotient("share", "share"),
        day("paid_on", "day"),
        flag("is_late", "late"),
        column("reasons", TEXTS, "reasons"),
        column("versions", T.MapType(T.StringType(), T.LongType()), "versions"),
        column("at", T.TimestampType(), "when"),
    ),
    rules={
        "amount_is_positive": "amount > 0",
        "pays_for_is_known": "pays_for IN ('list', 'attributed') OR amount < 0",
    },
    key_is_built_in=True,
)
NEW = PAID.column_names[2:]
FORMER = without(PAID, *NEW)


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    return Store(spark, Warehouse(path=str(tmp_path / "warehouse")))


def of_former(store: Store, former: Table, rows: str) -> Store:
    """The warehouse as a version of now finds it, with a table that a former one made."""
    store.publish(former, frame(store.spark, former, f"{' | '.join(former.column_names)}\n{rows}"))
    return Store(store.spark, store.warehouse, None, store.versions, {former.name: contract_hash(former)})


def rows(store: Store, table: Table = PAID) -> list[tuple[str, ...]]:
    return sorted(tuple(str(cell) for cell in row) for row in store.read(table).collect())


def paid(store: Store, text: str) -> DataFrame:
    told = frame(store.spark, PAID, f"id | amount | pays_for\n{text}")
    return told.select(*[told[c.name] if c.name in told.columns else F.lit(None).alias(c.name) for c in PAID.columns])


NOTHING = ("None",) * (len(NEW) - 1)


def test_columns_that_are_new_are_null_in_old_rows_and_kept_to_their_rules_in_new_ones(store: Store) -> None:
    of_former(store, FORMER, "a | 1.00\nb | 2.00")
    made = Store(store.spark, store.warehouse, None, store.versions, {PAID.name: contract_hash(FORMER)})
    before = [("a", "1.00", "None", *NOTHING), ("b", "2.00", "None", *NOTHING)]
    assert rows(made) == before, "readers need no migration"
    assert made.read(PAID).schema.simpleString() == PAID.schema.simpleString()
    found = planned(made, Used(kept=[PAID]))
    assert made.current_version(PAID) == store.versions[PAID.name], "a plan writes nothing"
    assert (found.done(made), made.contracts) == ([], {})
    assert found.said == {"upgraded": {PAID.name: f"columns {', '.join(NEW)}; rules pays_for_is_known"}}
    assert rows(made) == before
    assert made.versions[PAID.name] == made.current_version(PAID)

    told = DeltaTable(f"{store.warehouse.path}/gold/paid")
    fresh = Store(store.spark, Warehouse(path=f"{store.warehouse.path}2"))
    fresh.create(PAID)
    new = DeltaTable(f"{fresh.warehouse.path}/gold/paid")
    assert told.schema() == new.schema(), "columns, types and comments as in a table that is made now"
    blanks = str.maketrans("", "", " ")
    configurations = [
        {name: text.translate(blanks) for name, text in one.metadata().configuration.items()} for one in (told, new)
    ]
    assert configurations[0] == configurations[1], "constraints and other properties, too"
    assert told.protocol().min_writer_version == new.protocol().min_writer_version

    made.publish(PAID, paid(made, "c | 3.00 | list"), append=True)
    with pytest.raises(AuditError, match="pays_for_is_known by 1 rows"):
        made.publish(PAID, paid(made, "d | 3.00 | nobody"), append=True)
    with pytest.raises(Exception, match=r"(?i)constraint"):
        paid(made, "d | 3.00 | nobody").write.format("delta").mode("append").save(f"{store.warehouse.path}/gold/paid")
    assert rows(made) == [*before, ("c", "3.00", "list", *NOTHING)]
    earlier = Store(store.spark, store.warehouse, None, store.versions, {PAID.name: contract_hash(FORMER)})
    assert rows(earlier) == before, "an earlier run is read as null, too"


def test_a_table_that_has_no_constraint_yet_is_given_one(store: Store) -> None:
    bare = replace(PAID, rules={}, columns=PAID.columns[:3])
    ruled = replace(PAID, columns=PAID.columns[:3])
    made = of_former(store, bare, "a | 1.00 | list")
    planned(made, Used(kept=[ruled])).done(made)
    told = DeltaTable(f"{store.warehouse.path}/gold/paid")
    assert told.protocol().min_writer_version == 3
    assert len([name for name in told.metadata().configuration if name.startswith("delta.constraints.")]) == 2
    with pytest.raises(AuditError, match="amount_is_positive by 1 rows"):
        made.publish(ruled, frame(store.spark, ruled, "id | amount | pays_for\nb | -1.00 | list"), append=True)
    assert len(rows(made, ruled)) == 1


OTHER = {
    "a type": (retyped(FORMER, text("amount", "paid")), "column amount is string, its contract says decimal(18,2)"),
    "a column too many": (
        replace(FORMER, columns=(*FORMER.columns, text("more", "more"))),
        "column more is not in its contract",
    ),
    "a column in between": (without(PAID, "amount"), "its columns stand in another order"),
    "a key that is new": (
        replace(without(PAID, "id"), key=("pays_for",)),
        "column pays_for is part of its key, and in its contract it is not so",
    ),
    "a key's column": (without(PAID, "id"), "column id of its key is missing"),
    "a partition": (
        replace(FORMER, partition_by=("amount",)),
        "it is partitioned by amount, its contract says nothing",
    ),
}


@pytest.mark.parametrize("what", OTHER)
def test_what_old_rows_cannot_stand_for_is_made_anew_or_refused_and_never_read(store: Store, what: str) -> None:
    former, told = OTHER[what]
    store.create(former)
    made = Store(store.spark, store.warehouse, None, store.versions, {PAID.name: contract_hash(former)})
    if what != "a partition":  # which readers do not see
        with pytest.raises(StageError) as caught:
            made.read(PAID)
        assert (
            str(caught.value)
            == f"gold.paid: {told}: another version of pmpm made it; run `pmpm run` first (of payments `pmpm capitate`)"
        )
    refused = {
        "kept": "no run can make its rows again, so it is left as it is; go on with the version of pmpm that made it "
        "(docs/operations.md, Upgrades)",
        "delivered": "rebuild it with `pmpm run --rebuild gold.paid`, which reads all of its files again: they must be "
        "there",
        "read": "run `pmpm run` first, which makes it anew",
    }
    for use, ends in refused.items():
        with pytest.raises(StageError) as caught:
            planned(made, Used(**{use: [PAID]}))  # type: ignore[arg-type]
        assert str(caught.value) == f"gold.paid: {told}; {ends}"
        assert planned(made, Used(**{use: [PAID]}), [PAID.name]) == Upgrade(tables=ANY_TABLES if use != "read" else {})  # type: ignore[arg-type]
    assert planned(made, Used(made=[PAID])).anew == (PAID.name,)
    sliced = replace(PAID, slice_by=("id",))
    assert planned(made, Used(made=[sliced])).anew == (PAID.name,)
    with pytest.raises(StageError, match=r"made anew it would lose what this run does not make: add house 2020$"):
        planned(made, Used(made=[sliced], slices_left="house 2020"))
    assert made.current_version(PAID) == store.versions[PAID.name], "nothing is written"


ANY_TABLES = {PAID.name: PAID}


def test_what_a_run_reads_and_another_makes_is_not_read_as_null(store: Store) -> None:
    made = of_former(store, FORMER, "a | 1.00")
    with pytest.raises(StageError) as caught:
        planned(made, Used(read=[PAID]))
    assert str(caught.value) == ("gold.paid: column pays_for is missing; run `pmpm run` first, which makes it anew")
    assert planned(made, Used()) == Upgrade(), "what a run does not use is left alone"
    with pytest.raises(StageError, match=r"^gold\.paid: another version of pmpm made it; run `pmpm run` first$"):
        check_contracts([PAID], made.contracts)


def test_files_that_were_loaded_before_are_named_where_a_column_is_new(store: Store) -> None:
    made = of_former(store, FORMER, "a | 1.00")
    (told,) = planned(made, Used(delivered=[PAID])).done(made)
    assert told == (
        f"gold.paid: {', '.join(NEW)} are null of files loaded before; `pmpm run --rebuild gold.paid` reads them again"
    )


def test_a_column_of_files_may_stand_among_others(store: Store) -> None:
    files = Table(
        name="bronze.files", grain="one row per line", key=("line",), columns=(text("a", "a"), text("line", "l"))
    )
    wider = replace(files, columns=(text("a", "a"), text("b", "b"), text("line", "l")))
    made = of_former(store, files, "a1 | 1")
    planned(made, Used(delivered=[wider])).done(made)
    made.publish(wider, frame(store.spark, wider, "a | b | line\na2 | b2 | 2"), append=True)
    found = sorted((row["a"], row["b"], row["line"]) for row in made.read(wider).collect())
    assert found == [("a1", None, "1"), ("a2", "b2", "2")]


def test_a_rule_is_loosened_and_one_that_old_rows_break_is_refused(store: Store) -> None:
    strict = replace(FORMER, rules={"amount_is_positive": "amount > 0"})
    loose, none = replace(FORMER, rules={"amount_is_positive": "amount >= 0"}), replace(FORMER, rules={})
    made = of_former(store, strict, "a | 1.00\nb | 2.00")
    found = planned(made, Used(kept=[loose]))
    found.done(made)
    assert found.said == {"upgraded": {PAID.name: "rules amount_is_positive"}}
    made.publish(loose, frame(store.spark, loose, "id | amount\nc | 0.00"), append=True)
    made.contracts[PAID.name] = contract_hash(loose)
    with pytest.raises(StageError, match="1 rows break the rule amount_is_positive; no run can make its rows again"):
        planned(made, Used(kept=[strict]))
    planned(made, Used(kept=[none])).done(made)
    made.publish(none, frame(store.spark, none, "id | amount\nd | -1.00"), append=True)
    assert [row[1] for row in rows(made, none)] == ["1.00", "2.00", "0.00", "-1.00"]


def test_the_book_of_runs_and_the_leases_are_brought_to_their_contracts_by_who_writes_them(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse(path=str(tmp_path / "warehouse"))
    former = replace(without(RUNS, "notices"), rules={"status_is_known": "status IN ('started', 'finished')"})
    with monkeypatch.context() as before:
        before.setattr(runs, "RUNS", former)
        RunBook(spark, warehouse).write("1", "finished", versions={"a": 1})
    book = RunBook(spark, warehouse)
    last = book.last_finished()
    assert last is not None
    assert (last.run_id, last.versions, last.notices) == ("1", {"a": 1}, ()), "readers read the older book"
    book.write("2", "failed", notices=["x"])
    book.write("3", "finished", notices=["y"])
    assert [(run.run_id, run.notices) for run in RunBook(spark, warehouse).finished()] == [("1", ()), ("3", ("y",))]
    version = Store(spark, warehouse).current_version(RUNS)
    RunBook(spark, warehouse).write("4", "started")
    assert Store(spark, warehouse).current_version(RUNS) == (version or 0) + 1, "a row, and nothing to bring"

    Store(spark, warehouse).create(replace(LEASES, rules={"status_is_known": "status IN ('taken', 'broken')"}))
    lease = Lease(spark, warehouse)
    lease.take()
    lease.leave()
    newest = Store(spark, warehouse)
    at = newest.current_version(LEASES)
    assert at is not None
    assert {row["status"] for row in newest.delta.at(LEASES, at).collect()} == {TAKEN, LEFT}


def test_a_book_of_a_later_version_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    warehouse = Warehouse(path=str(tmp_path / "warehouse"))
    later = replace(RUNS, columns=(*RUNS.columns, text("more", "more")))
    Store(spark, warehouse).create(later)
    told = r"^ops\.runs: column more is not in its contract"
    with pytest.raises(StageError, match=f"{told}: another version of pmpm made it; use that one$"):
        RunBook(spark, warehouse).last_finished()
    with pytest.raises(StageError, match=told):
        RunBook(spark, warehouse).write("1", "started")


FIRST = Table(
    name="silver.first",
    grain="one row per id",
    key=("id",),
    columns=(text("id", "id"), count("n", "number"), count("more", "more")),
    key_is_built_in=True,
)
SECOND = Table(
    name="gold.second",
    grain="one row per policy, year and id",
    key=("policy", "performance_year", "id"),
    columns=(
        text("policy", "policy"), year("performance_year", "year"), text("id", "id"), count("n", "number"),
        count("more", "more"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)  # fmt: skip


class World:
    """A warehouse whose run makes two tables, under contracts that change."""

    def __init__(self, spark: SparkSession, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spark, self.monkeypatch = spark, monkeypatch
        self.config = RunConfig(
            Source(kind="rif", path="claims"), Warehouse(path=str(folder)), (2021,), (Policy("house"),), Reference()
        )
        self.happens: BaseException | None = None
        monkeypatch.setattr(pipeline, "load_sources", lambda *_: Loaded())

    def package(self, first: Table, second: Table) -> None:
        """The version of the package whose contracts these are."""

        def made() -> DataFrame:
            rows = [("a", 1, 7), ("b", 2, 8)]
            told = self.spark.createDataFrame(rows, FIRST.schema)
            return told.select(*[told[c.name].cast(c.type).alias(c.name) for c in first.columns])

        def by_policy(of: DataFrame, *, policies: list[Policy], performance_years: list[int]) -> DataFrame:
            if self.happens is not None:
                raise self.happens
            years = F.explode(F.array(*[F.lit(y) for y in performance_years]))
            told = of.withColumn("performance_year", years).withColumn("policy", F.lit(policies[0].label))
            return told.select(*[told[c.name].cast(c.type).alias(c.name) for c in second.columns])

        stages = (Stage(first, (), made), Stage(second, (first,), by_policy, ("policies", "performance_years")))
        self.monkeypatch.setattr(pipeline, "stages_of", lambda kind: stages)
        groups = {"load": stages[:1], "silver": (), "gold": stages[1:]}
        self.monkeypatch.setattr(pipeline, "groups_of", lambda kind: groups)
        self.monkeypatch.setattr(pipeline, "STORED", (first, second))
        self.monkeypatch.setattr(rollback, "STORED", (first, second))
        self.monkeypatch.setattr(rollback, "RESTORED", (first, second))
        self.monkeypatch.setattr(recipes, "code_fingerprint", lambda: repr((first, second)))

    def run(self, *years: int, **told: Any) -> str:
        return pipeline.run(self.spark, replace(self.config, performance_years=years or (2021,)), **told).run_id

    def rows(self, table: Table) -> set[tuple[Any, ...]]:
        return {tuple(row) for row in published(self.spark, self.config).read(table).collect()}

    def said(self) -> Any:
        (row,) = RunBook(self.spark, self.config.warehouse)._finished_rows()[-1:]
        return pipeline.json.loads(row["inputs"]).get("upgraded")


@pytest.fixture
def world(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(spark, tmp_path / "warehouse", monkeypatch)
    made.package(without(FIRST, "more"), without(SECOND, "more"))
    return made


OF_2020 = {("house", 2020, "a", 1, None), ("house", 2020, "b", 2, None)}
OF_2021 = {("house", 2021, "a", 1, None), ("house", 2021, "b", 2, None)}
MORE_OF_2021 = {("house", 2021, "a", 1, 7), ("house", 2021, "b", 2, 8)}


def test_a_run_makes_anew_what_it_makes_and_keeps_years_that_it_does_not(world: World) -> None:
    world.run(2020, 2021)
    world.package(FIRST, SECOND)
    assert world.rows(FIRST) == {("a", 1, None), ("b", 2, None)}, "readers before the first run of the new version"
    assert world.rows(SECOND) == OF_2020 | OF_2021
    with pytest.raises(StageError, match=r"^silver\.first: column more is missing; run `pmpm run` first"):
        world.run(2021, group="gold")
    assert world.rows(SECOND) == OF_2020 | OF_2021
    done = pipeline.run(world.spark, world.config)
    assert world.rows(FIRST) == {("a", 1, 7), ("b", 2, 8)}
    assert world.rows(SECOND) == OF_2020 | MORE_OF_2021
    assert world.said() == {"silver.first": "made anew", "gold.second": "columns more"}
    assert "gold.second: more is null of house 2020: run them to fill it" in done.notices
    again = pipeline.run(world.spark, world.config)
    assert (again.receipts, world.said()) == ((), None)
    world.run(2020, 2021)
    assert len(world.rows(SECOND) & OF_2020) == 0


def test_a_run_leaves_alone_what_it_does_not_use(world: World) -> None:
    world.run(2020, 2021)
    world.package(FIRST, retyped(SECOND, text("n", "number")))
    world.run(group="load")
    assert world.said() == {"silver.first": "made anew"}
    with pytest.raises(StageError, match=r"gold\.second: column n is bigint.* would lose .* add house 2020$"):
        world.run(2021)
    world.run(2020, 2021)
    assert {row[3] for row in world.rows(retyped(SECOND, text("n", "number")))} == {"1", "2"}


def test_a_migration_that_fails_or_is_cut_off_is_taken_back_and_made_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run(2020, 2021)
    path = f"{world.config.warehouse.path}/gold/second"
    world.package(FIRST, SECOND)
    world.happens = AuditError("no")
    with pytest.raises(AuditError):
        world.run()
    assert world.spark.read.format("delta").load(path).columns == ["policy", "performance_year", "id", "n"]
    assert world.rows(SECOND) == OF_2020 | OF_2021

    world.happens = SystemExit("the driver is gone")
    with monkeypatch.context() as dying:
        dying.setattr(runs, "restore_unfinished", lambda *_: [])
        with pytest.raises(SystemExit):
            world.run()
    assert world.spark.read.format("delta").load(path).columns[-1] == "more", "altered, and not counted"
    assert world.rows(SECOND) == OF_2020 | OF_2021
    world.happens = None
    world.run()
    assert world.rows(SECOND) == OF_2020 | MORE_OF_2021


def test_an_alteration_that_is_cut_off_between_its_steps_goes_on(store: Store) -> None:
    """The book of runs and the leases have no run that would take it back."""
    made = of_former(store, FORMER, "a | 1.00")
    made.delta.alter(PAID, Alteration(added=PAID.columns[2:]))
    at = made.current_version(PAID)
    assert at is not None
    next_one = Store(store.spark, store.warehouse, None, {PAID.name: at}, {PAID.name: UNKNOWN})
    upgrade.bring_to_contract(next_one, PAID)
    assert rows(next_one) == [("a", "1.00", "None", *NOTHING)]
    with pytest.raises(AuditError, match="pays_for_is_known"):
        next_one.publish(PAID, paid(next_one, "d | 3.00 | nobody"), append=True)


def test_in_a_schema_a_table_is_altered_with_its_clustering(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA `upgrade_test` LOCATION '{tmp_path}'")
    clustered = replace(PAID, cluster_by=("id",))
    try:
        made = of_former(Store(spark, Warehouse(schema="upgrade_test")), FORMER, "a | 1.00")
        planned(made, Used(kept=[clustered])).done(made)
        assert rows(made, clustered) == [("a", "1.00", "None", *NOTHING)]
        (told,) = spark.sql(f"DESCRIBE DETAIL {made.delta.name_of(PAID)}").collect()  # type: ignore[attr-defined]
        assert told["clusteringColumns"] == ["id"]
        assert set(made.delta.layout(PAID).rules) == set(PAID.rules)
        with pytest.raises(AuditError, match="pays_for_is_known by 1 rows"):
            made.publish(clustered, paid(made, "d | 3.00 | nobody"), append=True)
    finally:
        spark.sql("DROP SCHEMA `upgrade_test` CASCADE")


def test_a_run_before_the_migration_can_be_gone_back_to_and_the_next_run_migrates_again(world: World) -> None:
    first = world.run(2020, 2021)
    world.package(FIRST, SECOND)
    second = world.run()
    rollback.rollback(world.spark, world.config, first)
    assert world.rows(SECOND) == OF_2020 | OF_2021
    assert world.rows(FIRST) == {("a", 1, None), ("b", 2, None)}
    world.run()
    assert world.rows(SECOND) == OF_2020 | MORE_OF_2021
    assert world.said() == {"silver.first": "made anew", "gold.second": "columns more"}
    rollback.rollback(world.spark, world.config, second)
    assert world.rows(SECOND) == OF_2020 | MORE_OF_2021
    world.package(retyped(FIRST, text("n", "number")), SECOND)
    with pytest.raises(ConfigError, match=r"silver\.first had another contract then: go back with the version of pmpm"):
        rollback.rollback(world.spark, world.config, first)
