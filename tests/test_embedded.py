"""The embedded engine's own faults, each with the way around it that the package takes.

A test here fails where the way around is gone, or where the engine got another fault in its place.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.config import Warehouse, load_config
from pmpm_spark.errors import ConfigError, SetupError
from pmpm_spark.measures import in_cents, ratio
from pmpm_spark.months import month_of
from pmpm_spark.session import open_session
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.sources import packed
from pmpm_spark.sources.cclf.codes import claim_codes
from pmpm_spark.sources.files import numbered_lines, scan
from pmpm_spark.store import Store
from pmpm_spark.table import Table, money, quotient, text
from tests.tables import frame

AMOUNTS = Table(
    name="silver.amounts",
    grain="one row per id",
    key=("id",),
    columns=(text("id", "id"), money("amount", "amount")),
    rules={"amount_is_told": "amount IS NOT NULL"},
)


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    return Store(spark, Warehouse(str(tmp_path / "warehouse")))


def test_a_constraint_judges_the_rows_that_are_written_and_no_others(store: Store) -> None:
    """pysail pushes the check below the frame's last filter."""
    raw = frame(store.spark, AMOUNTS, "id | amount\na | 1.00\nb | -\nc | 2.00")
    path = f"{store.warehouse.path}/raw"
    raw.write.format("delta").save(path)
    told = store.spark.read.format("delta").load(path).where(F.col("id") != "b")
    assert store.publish(AMOUNTS, told).rows == 2


def test_the_codes_of_many_claims_stay_with_their_claims(spark: SparkSession) -> None:
    """pysail's array_compact gives a list that an aggregation made to other rows, from some ten thousand rows on."""
    claims = 30_000
    code = F.concat(F.lit("C"), F.col("claim_id"))
    rows = spark.range(3 * claims).select(
        (F.col("id") % claims).cast("string").alias("claim_id"),
        F.lit("diagnosis").alias("code_kind"),
        F.lit("D").alias("listing"),
        (F.floor(F.col("id") / claims) + 1).cast("int").alias("sequence"),
        F.lit("ICD-10-CM").alias("code_system"),
        F.lit(None).cast("date").alias("on"),
        F.lit("accepted").alias("outcome"),
    )
    listed = claim_codes(rows.withColumn("code", code)).select("claim_id", F.inline("diagnoses"))
    wrong = F.count_if(F.col("code") != code)
    assert listed.agg(F.count(F.lit(1)), wrong).collect()[0] == (3 * claims, 0)


def test_every_version_of_a_long_log_is_read(store: Store) -> None:
    """pysail finds no commit of a version that a later checkpoint covers."""
    versions = [
        store.publish(AMOUNTS, frame(store.spark, AMOUNTS, f"id | amount\na{n} | {n}")).version for n in range(23)
    ]
    assert list(Path(f"{store.warehouse.path}/silver/amounts/_delta_log").glob("*.checkpoint.parquet")) != []
    for n, version in enumerate(versions):
        assert [row["id"] for row in store.delta.at(AMOUNTS, version).collect()] == [f"a{n}"]


def test_amounts_of_fifteen_digits_are_exact(store: Store) -> None:
    """A column of one value is taken from the file's statistics, which pysail reads as a DOUBLE: 15 digits are safe."""
    store.publish(AMOUNTS, frame(store.spark, AMOUNTS, "id | amount\na | 9999999999999.99"))
    assert [str(row["amount"]) for row in store.read(AMOUNTS).collect()] == ["9999999999999.99"]


def test_a_filter_above_a_bitwise_not_keeps_the_rows_it_should(store: Store) -> None:
    """Pushed below the projection of a bitwise not, a filter of pysail's has kept other rows."""
    spark = store.spark
    bits = spark.range(0, 4096, 1, 2).select("id", (F.col("id") % 16).cast("bigint").alias("bits"))
    path = f"{store.warehouse.path}/bits"
    bits.write.format("delta").save(path)
    held = (
        spark.read.format("delta")
        .load(path)
        .select("id", F.lit(15).cast("bigint").bitwiseAND(F.bitwise_not("bits")).alias("held"))
        .select("id", F.bit_count("held").alias("months"))
        .where((F.col("months") >= 3) & (F.col("id") % 2 == 0))
    )
    expected = [n for n in range(4096) if bin(15 & ~(n % 16)).count("1") >= 3 and n % 2 == 0]
    assert sorted(row["id"] for row in held.collect()) == expected


def test_rows_of_two_columns_are_grouped_where_their_comments_differ(store: Store) -> None:
    """pysail does not group a union of two stored columns where another is left out; `month_of` leaves comments behind."""
    rows = "is_denied | thru_month | from_month | paid_amount\nfalse | 2021-02-01 | 2021-01-01 | 1"
    store.publish(CLAIM_COSTS, frame(store.spark, CLAIM_COSTS, rows).fillna(""))
    parts = [
        store.read(CLAIM_COSTS).select("member_id", month_of(name).alias("month"), "paid_amount")
        for name in ("thru_month", "from_month")
    ]
    sums = parts[0].unionByName(parts[1]).groupBy("month").agg(F.sum("paid_amount"))
    assert len(sums.collect()) == 2


def test_months_reach_the_open_end(spark: SparkSession) -> None:
    """F.trunc goes by way of a timestamp that ends in 2262."""
    told = spark.range(1).select(month_of(F.to_date(F.lit("9999-12-31"))).cast("string").alias("month")).collect()
    assert told[0]["month"] == "9999-12-01"


def test_quotients_and_cents(spark: SparkSession) -> None:
    """try_divide takes no DOUBLE, and rounding goes by the binary value."""
    one = spark.range(1).select(F.lit(2.01).alias("amount"), F.lit(2.0).alias("by"), F.lit(0.0).alias("zero"))
    row = one.select(
        in_cents(ratio(F.col("amount"), F.col("by"))).cast("string").alias("cents"),
        ratio(F.col("amount"), F.col("zero")).alias("nothing"),
        in_cents(F.lit(1e-7)).cast("string").alias("tiny"),
    ).collect()[0]
    assert (row["cents"], row["nothing"], row["tiny"]) == ("1.01", None, "0.00")


def test_a_large_plain_file_is_read_in_one_part_whatever_else_is_read(spark: SparkSession, tmp_path: Path) -> None:
    """Two parts of a plain file change places in one reading of twenty, where other files are read beside it."""
    lines = [f"{n}|{'x' * 6000}" for n in range(2, 3001)]
    (tmp_path / "big.csv").write_text("\n".join(["A|B", *lines]) + "\n")
    (tmp_path / "small.csv").write_text("A|B\n2|x\n")
    read = numbered_lines(spark, scan(spark, str(tmp_path)))
    is_wrong = F.split("value", r"\|")[0].try_cast("int") != F.col("_source_row")
    for _ in range(40):
        assert read.agg(F.count_if(F.coalesce(is_wrong, F.lit(True))).alias("n")).collect()[0]["n"] == 0


def test_packed_copies_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, gone = tmp_path / f"pmpm-packed-{os.getpid()}-a", tmp_path / f"pmpm-packed-{ended.pid}-b"
    for folder in (mine, gone):
        folder.mkdir()
    packed._remove_left_over(tmp_path)
    assert (mine.exists(), gone.exists()) == (True, False)


def test_a_second_session_is_the_first(spark: SparkSession) -> None:
    assert open_session(engine="embedded") is spark


def test_its_warehouse_is_a_folder_of_this_machine(spark: SparkSession) -> None:
    for elsewhere in (Warehouse(schema="s"), Warehouse(path="s3://bucket/pmpm")):
        with pytest.raises(ConfigError, match='engine = "embedded" needs a folder of this machine'):
            Store(spark, elsewhere)


def test_without_its_packages_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from pmpm_spark import embedded

    monkeypatch.setattr(embedded, "NEEDED", ("no_such_package", "pyarrow"))
    with pytest.raises(SetupError, match=r'lacks no_such_package: pip install "pmpm-spark\[embedded\]"'):
        open_session(engine="embedded")


def test_the_engine_is_one_of_two() -> None:
    with pytest.raises(ConfigError, match="engine"):
        load_config(
            None, ['source.kind="rif"', "source.path=x", "warehouse.path=y", "performance_years=[2021]", "engine=duck"]
        )


def test_rows_made_of_grouped_ones_are_told_apart_by_a_sum_and_not_by_distinct(spark: SparkSession) -> None:
    """pysail takes what was grouped by for a key even after an inline: it leaves a distinct out, and sorts by no more."""
    told = spark.createDataFrame([("a", 2), ("a", 1), ("b", 3)], "id string, n int")
    rows = told.groupBy("id").agg(F.collect_list(F.struct("n")).alias("rows")).select("id", F.inline("rows"))
    assert sorted(tuple(row) for row in rows.groupBy("id").agg(F.sum("n")).collect()) == [("a", 3), ("b", 3)]
    assert [row["id"] for row in rows.groupBy("id").agg(F.max("n")).sort("id").collect()] == ["a", "b"]


def test_a_number_that_is_alone_in_its_file_is_read_to_the_last_digit(store: Store) -> None:
    """pysail takes a column of one value from the statistics of the log, and reads their numbers a digit off."""
    pmpms = Table(
        name="silver.pmpms", grain="one row per id", key=("id",), columns=(text("id", "id"), quotient("pmpm", "PMPM"))
    )
    exact = 919.6474474474473
    store.publish(pmpms, store.spark.createDataFrame([("a", exact)], pmpms.schema))
    assert store.read(pmpms).collect()[0]["pmpm"] == exact
    plain = f"{store.warehouse.path}/plain"
    store.read(pmpms).write.format("delta").save(plain)
    assert store.spark.read.format("delta").load(plain).collect()[0]["pmpm"] != exact, "the fault is mended"
