"""The store: a table counts only after it kept its contract; what did not is not there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import Warehouse
from pmpm_spark.errors import AuditError, StageError
from pmpm_spark.reference import NORMALIZATION_FACTORS
from pmpm_spark.store import Store, contract_hash, empty
from pmpm_spark.table import Column, Table, column, money, text, year
from tests.tables import frame

pytestmark = pytest.mark.delta

VISITS = Table(
    name="silver.visits",
    grain="one row per member's visit",
    key=("member_id", "performance_year"),
    columns=(
        text("member_id", 'the member\'s id; a back\\slash and "quotes" change nothing'),
        year("performance_year", "year"),
        money("paid_amount", "paid"),
    ),
    rules={"paid_is_not_negative": "paid_amount >= 0", "id_is_not_empty": "member_id <> ''"},
    partition_by=("performance_year",),
)
OTHERS = Table(
    name="gold.others",
    grain="one row per id",
    key=("id",),
    columns=(text("id", "id"),),
    cluster_by=("id",),
    key_is_built_in=True,
)
SECRET = "CANARY0042"


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    return Store(spark, Warehouse(path=str(tmp_path / "warehouse")))


def visits(store: Store, written: str) -> DataFrame:
    return frame(store.spark, VISITS, "member_id | performance_year | paid_amount\n" + written)


def rows(store: Store, table: Table = VISITS) -> list[tuple[Any, ...]]:
    return sorted(tuple(str(cell) for cell in row) for row in store.read(table).collect())


FIRST = """
    a | 2020 | 1.00
    a | 2021 | 2.00
    b | 2021 | 3.00
"""
FIRST_ROWS = [("a", "2020", "1.00"), ("a", "2021", "2.00"), ("b", "2021", "3.00")]


def test_a_table_is_made_with_its_constraints_comments_and_layout(store: Store) -> None:
    store.create(VISITS)
    store.create(OTHERS)
    made = DeltaTable(f"{store.warehouse.path}/silver/visits")  # read without either engine
    told = made.metadata()
    assert told.partition_columns == ["performance_year"]
    assert told.description == "one row per member's visit"
    assert told.configuration["delta.constraints.paid_is_not_negative"] == "(paid_amount >= 0) IS NOT FALSE"
    assert told.configuration["delta.constraints.id_is_not_empty"] == "(member_id <> '') IS NOT FALSE"
    columns = {field.name: field for field in made.schema().fields}
    assert list(columns) == list(VISITS.column_names)
    assert columns["member_id"].metadata["comment"] == VISITS.columns[0].meaning
    assert [name for name, field in columns.items() if not field.nullable] == ["member_id", "performance_year"]
    # in a folder that either engine writes there is no clustering
    assert "clustering" not in (DeltaTable(f"{store.warehouse.path}/gold/others").protocol().writer_features or [])
    assert rows(store) == []


def test_delta_itself_refuses_a_row_that_breaks_a_rule(store: Store) -> None:
    """The constraint is real: it also guards against whoever writes past the store."""
    store.create(VISITS)
    before = store.current_version(VISITS)
    path = f"{store.warehouse.path}/silver/visits"
    for bad in (f"{SECRET} | 2021 | -1", "- | 2021 | 1"):
        with pytest.raises(Exception, match=r"(?i)constraint|not null"):
            visits(store, bad).write.format("delta").mode("append").save(path)
    assert store.current_version(VISITS) == before


def test_a_receipt_tells_table_version_rows_seconds_and_inputs(store: Store) -> None:
    others = store.publish(OTHERS, frame(store.spark, OTHERS, "id\nx\ny"))
    receipt = store.publish(VISITS, visits(store, FIRST), inputs=(OTHERS, NORMALIZATION_FACTORS))
    assert rows(store) == FIRST_ROWS
    assert (receipt.table, receipt.rows) == ("silver.visits", 3)
    assert receipt.version == store.versions["silver.visits"] == store.current_version(VISITS)
    assert receipt.inputs == {"gold.others": others.version}
    assert receipt.seconds > 0
    assert "silver.visits" in str(receipt)
    assert "3 rows" in str(receipt)


BROKEN = {
    f"x | 2021 | 5\n{SECRET} | 2021 | -0.01\n'' | 2021 | -7\n- | 2021 | 5": (
        "rule broken: member_id_is_told by 1 rows; paid_is_not_negative by 2 rows; id_is_not_empty by 1 rows"
    ),
    f"{SECRET} | 2021 | 1\n{SECRET} | 2021 | 2": "1 keys (member_id, performance_year) stand more than once",
}


def test_a_broken_rule_or_key_is_told_without_a_row_and_the_former_version_is_back(store: Store) -> None:
    store.publish(VISITS, visits(store, FIRST))
    for bad, told in BROKEN.items():
        with pytest.raises(AuditError) as caught:
            store.publish(VISITS, visits(store, bad))
        assert str(caught.value) == f"silver.visits: {told}; nothing is published"
        assert rows(store) == FIRST_ROWS
        # whoever reads the newest version finds the former rows too
        newest = store.spark.read.format("delta").load(f"{store.warehouse.path}/silver/visits")
        assert newest.count() == 3


def test_a_rule_that_is_null_is_kept(store: Store) -> None:
    assert store.publish(VISITS, visits(store, "a | 2021 | -")).rows == 1


def test_a_key_that_is_built_in_is_not_counted_again(store: Store) -> None:
    assert store.publish(OTHERS, frame(store.spark, OTHERS, "id\nx\nx")).rows == 2


def test_what_the_engine_says_of_a_failure_is_not_passed_on(
    store: Store, engine: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its text quotes the value; the table, and the kind of error, are all that is told."""
    store.publish(VISITS, visits(store, FIRST))
    failing = visits(store, f"{SECRET} | 2021 | 1").withColumn(
        "performance_year", F.col("member_id").cast(T.IntegerType())
    )
    with pytest.raises(StageError) as caught:
        store.publish(VISITS, failing)
    kinds = (
        ("CAST_INVALID_INPUT", "SparkException") if engine == "spark" else ("SparkRuntimeException",)
    )  # 3.5: wrapped
    told = [f"silver.visits: the engine failed ({kind}); nothing is published" for kind in kinds]
    assert str(caught.value) in told
    assert caught.value.__suppress_context__
    assert SECRET not in "".join(capfd.readouterr())
    assert rows(store) == FIRST_ROWS


def test_a_constraint_that_fires_all_the_same_shows_no_row(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store.publish(VISITS, visits(store, FIRST))
    monkeypatch.setattr(Table, "audit_rules", lambda _: {})
    with pytest.raises(StageError) as caught:
        store.publish(VISITS, visits(store, f"{SECRET} | 2021 | -1"))
    assert str(caught.value).startswith("silver.visits: the engine failed (")
    assert SECRET not in str(caught.value) + "".join(capfd.readouterr())
    assert rows(store) == FIRST_ROWS


def test_an_error_of_the_package_or_an_interruption_restores_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.publish(VISITS, visits(store, FIRST))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "_audit_key", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.publish(VISITS, visits(store, "z | 2021 | 1"))
    assert rows(store) == FIRST_ROWS


def test_a_column_that_is_missing_or_of_another_type_is_a_fault_of_the_stage(store: Store) -> None:
    good = visits(store, FIRST)
    with pytest.raises(StageError, match=r"silver\.visits: column paid_amount is missing"):
        store.publish(VISITS, good.drop("paid_amount"))
    with pytest.raises(StageError, match="column performance_year is string, its contract says int"):
        store.publish(VISITS, good.withColumn("performance_year", F.lit("2021")))
    # numbers become the contract's, and columns beside it are left out
    wider = good.withColumn("paid_amount", F.lit(1).cast("decimal(28,2)")).withColumn("more", F.lit(1))
    assert store.publish(VISITS, wider).rows == 3


def test_slices_are_replaced_exactly_and_others_stay(store: Store) -> None:
    store.publish(VISITS, visits(store, FIRST), slices={"performance_year": [2020, 2021]})
    receipt = store.publish(VISITS, visits(store, "c | 2021 | 9.00"), slices={"performance_year": [2021, 2022]})
    assert receipt.rows == 1
    assert rows(store) == [("a", "2020", "1.00"), ("c", "2021", "9.00")]
    with pytest.raises(StageError, match=r"silver\.visits: the engine failed"):  # a row outside its slice
        store.publish(VISITS, visits(store, "d | 2019 | 9.00"), slices={"performance_year": [2021]})
    assert rows(store) == [("a", "2020", "1.00"), ("c", "2021", "9.00")]
    store.publish(VISITS, empty(store.spark, VISITS), slices={"performance_year": [2021]})
    assert rows(store) == [("a", "2020", "1.00")]


def test_the_name_of_a_policy_is_a_text_in_a_slice(store: Store) -> None:
    by_policy = Table(
        name="gold.by_policy", grain="one row per policy", key=("policy",), columns=(text("policy", "policy"),)
    )
    odd = "o'clock\\*' OR true --"
    both = store.spark.createDataFrame([(odd,), ("default",)], by_policy.schema)
    store.publish(by_policy, both)
    store.publish(by_policy, both.where(F.col("policy") == odd), slices={"policy": [odd]})
    assert sorted(row[0] for row in store.read(by_policy).collect()) == ["default", odd]


def test_rows_are_appended_and_the_key_is_that_of_all_rows(store: Store) -> None:
    store.publish(VISITS, visits(store, FIRST), append=True)
    receipt = store.publish(VISITS, visits(store, "c | 2021 | 4.00"), append=True)
    assert receipt.rows == 1
    assert rows(store) == [*FIRST_ROWS, ("c", "2021", "4.00")]
    with pytest.raises(AuditError, match="1 keys"):
        store.publish(VISITS, visits(store, "c | 2021 | 5.00"), append=True)
    assert rows(store) == [*FIRST_ROWS, ("c", "2021", "4.00")]


@pytest.fixture
def with_statistics(spark: SparkSession) -> Iterator[None]:
    """As conf/spark/local.conf has it: then Delta makes no commit where nothing changes."""
    spark.conf.set("spark.databricks.delta.stats.collect", "true")
    yield
    spark.conf.set("spark.databricks.delta.stats.collect", "false")


@pytest.mark.usefixtures("with_statistics")
def test_nothing_appended_or_replaced_leaves_the_tables_own_version(store: Store) -> None:
    store.publish(VISITS, visits(store, FIRST))
    for written in ("id\nx", "id\ny", "id\nz", "id\nz"):
        store.publish(OTHERS, frame(store.spark, OTHERS, written))
    appended = store.publish(VISITS, empty(store.spark, VISITS), append=True)
    assert appended.version == store.current_version(VISITS)
    assert rows(store) == FIRST_ROWS
    store.publish(OTHERS, frame(store.spark, OTHERS, "id\nz"))
    replaced = store.publish(VISITS, empty(store.spark, VISITS), slices={"performance_year": [1999]})
    assert replaced.version == store.current_version(VISITS)
    store.publish(OTHERS, frame(store.spark, OTHERS, "id\nz"))
    store.restore(VISITS, replaced.version)
    assert rows(store) == FIRST_ROWS


def test_a_former_version_can_be_restored(store: Store) -> None:
    first = store.publish(VISITS, visits(store, FIRST))
    store.publish(VISITS, visits(store, "z | 2021 | 1.00"))
    assert rows(store) == [("z", "2021", "1.00")]
    store.restore(VISITS, first.version)
    assert rows(store) == FIRST_ROWS


def test_a_version_is_as_another_where_the_same_rows_stand_in_it(store: Store) -> None:
    first = store.publish(VISITS, visits(store, FIRST)).version
    assert store.is_as_at(VISITS, first)
    again = store.publish(VISITS, visits(store, FIRST)).version
    assert again != first and store.is_as_at(VISITS, first)
    store.publish(VISITS, visits(store, FIRST.replace("3.00", "4.00")))
    assert not store.is_as_at(VISITS, first) and not store.is_as_at(VISITS, None)
    shutil.rmtree(Path(store.warehouse.path or "") / "silver" / "visits" / "performance_year=2021")
    assert not store.is_as_at(VISITS, first)  # its files are gone


def test_a_table_of_a_first_run_that_never_finished_is_made_anew(store: Store) -> None:
    """The next run knows no version of it: what lies there must not count, whatever its columns."""
    store.publish(VISITS, visits(store, FIRST))
    store.publish(OTHERS, frame(store.spark, OTHERS, "id\nx"))
    next_run = Store(store.spark, store.warehouse)
    next_run.publish(VISITS, visits(store, "c | 2021 | 9.00"), append=True)
    assert rows(next_run) == [("c", "2021", "9.00")]
    wider = Table(**{**vars(OTHERS), "columns": (text("id", "id"), text("more", "more")), "cluster_by": ()})
    next_run.publish(wider, frame(store.spark, wider, "id | more\ny | z"))
    assert rows(next_run, wider) == [("y", "z")]
    store.restore(OTHERS, 1)
    assert rows(store, OTHERS) == [("x",)]


def test_a_folder_whose_very_first_commit_was_cut_off_is_named(store: Store) -> None:
    """Delta neither makes nor replaces a table there."""
    folder = Path(f"{store.warehouse.path}/silver/visits")
    (folder / "_delta_log").mkdir(parents=True)
    with pytest.raises(StageError) as caught:
        store.publish(VISITS, visits(store, FIRST))
    assert str(caught.value) == f"silver.visits: delta.`{folder}` holds no table though it is there; delete it"


def test_readers_see_the_version_that_counts_and_not_the_newest(store: Store) -> None:
    store.publish(VISITS, visits(store, FIRST))
    reader = Store(store.spark, store.warehouse, versions=store.versions)
    store.publish(VISITS, visits(store, "z | 2021 | 1.00"))
    assert rows(reader) == FIRST_ROWS


def test_a_table_that_was_never_published_cannot_be_read(store: Store) -> None:
    with pytest.raises(StageError, match=r"silver\.visits: not published yet in this warehouse; run `pmpm run` first"):
        store.read(VISITS)
    assert store.current_version(VISITS) is None


def test_a_reference_table_comes_from_its_file(store: Store, tmp_path: Path) -> None:
    own = tmp_path / "reference"
    own.mkdir()
    (own / "normalization_factors.csv").write_text("performance_year,normalization_factor,source\n2031,2.5,mine\n")
    with_own = Store(store.spark, store.warehouse, str(own))
    read = with_own.read(NORMALIZATION_FACTORS).collect()
    told = {row["performance_year"]: str(row["normalization_factor"]) for row in read}
    assert told[2031] == "2.5000000000"
    assert 2021 in told


def test_a_table_whose_log_cannot_be_read_is_said_to_be_there(store: Store) -> None:
    store.publish(OTHERS, frame(store.spark, OTHERS, "id\nx"))
    log = Path(f"{store.warehouse.path}/gold/others/_delta_log")
    shutil.rmtree(log)
    log.mkdir()
    (log / "00000000000000000000.json").write_text("no JSON\n")
    with pytest.raises(StageError, match=r"gold\.others: its Delta log cannot be read \("):
        Store(store.spark, store.warehouse).current_version(OTHERS)


def test_the_folder_of_a_warehouse_may_have_any_name(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, Warehouse(path=str(tmp_path / "it's a back`tick, ünd so on")))
    store.publish(OTHERS, frame(spark, OTHERS, "id\nx"))
    assert rows(store, OTHERS) == [("x",)]


def test_a_warehouse_may_be_a_schema_of_a_catalog(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS `store_test` LOCATION '{tmp_path}'")
    store = Store(spark, Warehouse(schema="store_test"))
    try:
        assert store.current_version(VISITS) is None
        store.publish(VISITS, visits(store, FIRST))
        store.publish(VISITS, visits(store, "c | 2021 | 9.00"), slices={"performance_year": [2021]})
        assert rows(store) == [("a", "2020", "1.00"), ("c", "2021", "9.00")]
        assert spark.table("`store_test`.silver_visits").count() == 2
        store.publish(OTHERS, frame(spark, OTHERS, "id\nx"))
        detail = spark.sql("DESCRIBE DETAIL `store_test`.gold_others").collect()[0]
        assert detail["clusteringColumns"] == ["id"]
    finally:
        spark.sql("DROP SCHEMA `store_test` CASCADE")


def test_a_name_that_could_be_more_than_a_name_is_refused(store: Store) -> None:
    odd = Table(name="gold.odd", grain="one row", key=("a` b",), columns=(text("a` b", "id"),))
    with pytest.raises(StageError, match="'a` b' is no name of a table or column"):
        store.create(odd)


def changed(**what: Any) -> Table:
    return Table(**{**{name: getattr(VISITS, name) for name in VISITS.__dataclass_fields__}, **what})


def with_column(extra: Column) -> tuple[Column, ...]:
    return (*VISITS.columns, extra)


@pytest.mark.parametrize(
    "other",
    [
        changed(columns=with_column(text("more", "more"))),
        changed(columns=(*VISITS.columns[:2], column("paid_amount", T.DecimalType(20, 2), "paid"))),
        changed(rules={"paid_is_not_negative": "paid_amount > 0"}),
        changed(key=("member_id",)),
        changed(partition_by=()),
        changed(partition_by=(), cluster_by=("member_id",)),
    ],
)
def test_another_contract_has_another_hash(other: Table) -> None:
    assert contract_hash(other) != contract_hash(VISITS)


def test_words_alone_do_not_change_the_hash() -> None:
    renamed = tuple(Column(c.name, c.type, "other words") for c in VISITS.columns)
    turned = dict(reversed(VISITS.rules.items()))
    assert contract_hash(changed(columns=renamed, grain="one row", rules=turned)) == contract_hash(VISITS)


def test_a_table_that_is_to_have_no_row_is_made_and_left_alone_but_where_it_has_rows(store: Store) -> None:
    first = store.left_empty(VISITS, ())
    assert first is not None
    assert (first.rows, rows(store)) == (0, [])
    again = store.left_empty(VISITS, ())
    assert again is not None
    assert again.version == first.version, "nothing is written"
    store.publish(VISITS, visits(store, FIRST))
    assert store.left_empty(VISITS, ()) is None
    assert rows(store) == FIRST_ROWS
    emptied = store.publish(VISITS, visits(store, ""))
    last = store.left_empty(VISITS, ())
    assert last is not None
    assert last.version == emptied.version
