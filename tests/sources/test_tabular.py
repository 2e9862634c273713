"""Tables as Parquet and Delta, read alike by both engines, and what is said of those that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.sources.tabular import InputTable, table_loads

pytestmark = pytest.mark.delta

SPANS = InputTable("test", "spans", ("member_id", "plan_id", "payer", "paid_amount"), ("member_id",), is_needed=True)


def read(spark: SparkSession, folder: Path | str, file_format: str = "parquet") -> list[tuple[str | None, ...]]:
    loads, _ = table_loads(spark, str(folder), (SPANS,), file_format, (), "batch", datetime.now(UTC))
    rows = loads[0].frame.select(*SPANS.columns).collect()
    return sorted((tuple(row) for row in rows), key=repr)


def refused(spark: SparkSession, folder: Path, file_format: str = "parquet") -> str:
    with pytest.raises(InputError) as caught:
        read(spark, folder, file_format)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(folder: Path, name: str, **columns: Sequence[object] | pa.Array) -> None:
    file = folder / "spans" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)


# --- what is read ---


def test_a_table_has_the_columns_of_all_its_files(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", member_id=["m"])
    write(tmp_path, "b.parquet", member_id=["n"], plan_id=["p"])
    assert read(spark, tmp_path) == [("m", None, None, None), ("n", "p", None, None)]


def test_partitions_are_text_and_one_without_a_value_is_null(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "payer=007/a.parquet", member_id=["m"])
    write(tmp_path, "payer=2021-01-01/b.parquet", member_id=["n"], plan_id=["p"])
    write(tmp_path, "payer=__HIVE_DEFAULT_PARTITION__/c.parquet", member_id=["o"])
    assert read(spark, tmp_path) == [
        ("m", None, "007", None),
        ("n", "p", "2021-01-01", None),
        ("o", None, None, None),
    ]


def test_folders_that_are_no_partitions_are_read_and_a_mixture_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "2020/a.parquet", member_id=["m"])
    write(tmp_path, "2021/deep/a.parquet", member_id=["n"])
    assert [row[0] for row in read(spark, tmp_path)] == ["m", "n"]
    write(tmp_path, "payer=007/a.parquet", member_id=["o"])
    assert "has files in folders of partitions (name=value) and others beside them" in refused(spark, tmp_path)


@pytest.mark.parametrize("folder", ["a[1]", "{b} é%20", "year=2021"])
def test_a_folder_is_no_pattern(spark: SparkSession, tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder, "payer=0 07/x[1]%20.parquet", member_id=["m"])
    write(tmp_path / "a1", "x.parquet", member_id=["of another folder"])
    assert read(spark, tmp_path / folder) == [("m", None, "0 07", None)]


def test_a_delta_table_in_an_oddly_named_folder_is_read_or_told(
    spark: SparkSession, engine: str, tmp_path: Path
) -> None:
    spark.createDataFrame([("m",)], "member_id string").write.format("delta").save(str(tmp_path / "a1" / "spans"))
    (tmp_path / "a1").rename(tmp_path / "a[1] b")
    if engine == "embedded":
        assert "the embedded engine reads no Delta table below such a name" in refused(
            spark, tmp_path / "a[1] b", "delta"
        )
    else:
        assert read(spark, tmp_path / "a[1] b", "delta") == [("m", None, None, None)]


def test_floating_numbers_are_written_as_people_do(spark: SparkSession, tmp_path: Path) -> None:
    """An id read as a floating number joins one read as text; an amount that is none is no 0."""
    numbers = [1.0, 1e7, 1e16, 0.1, 100.10, 2.675, 123456789012.125, 1e-7, 12e-5, -2.0, -0.0, None]
    told = ["1", "10000000", "10000000000000000", "0.1", "100.1", "2.675", "123456789012.125", "0", "0.00012", "-2", "0", None]  # fmt: skip
    ids = [str(n) for n in range(100, 100 + len(numbers))]
    write(tmp_path, "a.parquet", member_id=[float(n) for n in ids], paid_amount=numbers)
    assert read(spark, tmp_path) == [(n, None, None, t) for n, t in zip(ids, told, strict=True)]


@pytest.mark.parametrize("kind", ["double", "float"])
def test_what_is_no_plain_number_is_no_amount_and_no_id(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    odd = [float("nan"), float("inf"), float("-inf"), 1e30, -1e30]
    values = F.col("value").cast(kind)
    frame = spark.createDataFrame([(value,) for value in odd], "value double").select(
        values.alias("member_id"), values.alias("paid_amount")
    )
    frame.write.parquet(str(tmp_path / "spans"))
    assert read(spark, tmp_path) == [(None, None, None, "not a plain number")] * len(odd)


# --- what is refused ---


def test_columns_that_differ_only_in_case_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", member_id=["m"], MEMBER_ID=["n"])
    assert refused(spark, tmp_path).endswith(
        "spans has two columns of one name, or that differ only in case: rename or drop one"
    )


@pytest.mark.parametrize("other", [pa.array([1.5]), pa.array(["x"]), pa.array([1], pa.decimal128(12, 3))])
def test_files_that_differ_in_the_type_of_a_column_are_refused(
    spark: SparkSession, tmp_path: Path, other: pa.Array
) -> None:
    write(tmp_path, "a.parquet", member_id=["m"], paid_amount=pa.array([1], pa.int32()))
    write(tmp_path, "b.parquet", member_id=["m"], paid_amount=other)
    assert refused(spark, tmp_path) == (
        f"{tmp_path}: spans has files that differ in the type of a column: write it with one type in all of them"
    )


def test_a_type_that_the_engine_cannot_read_is_told(spark: SparkSession, engine: str, tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", member_id=["m"], paid_amount=pa.array([1], pa.timestamp("ns")))
    assert "spans has a column of a type that cannot be read: write text, numbers" in refused(spark, tmp_path)
    write(tmp_path / "dictionary", "a.parquet", member_id=pa.array(["m"]).dictionary_encode())
    if engine == "embedded":
        assert "and none as a dictionary" in refused(spark, tmp_path / "dictionary")
    else:
        assert read(spark, tmp_path / "dictionary") == [("m", None, None, None)]


def test_another_format_than_the_configuration_says_is_told_with_what_reads_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "spans.csv").write_text("member_id\nm\n")
    for file_format in ("parquet", "delta"):
        said = f'spans.csv: is not read with source.format = "{file_format}"; "csv" reads it'
        assert refused(spark, tmp_path / "text", file_format).endswith(said)
    (tmp_path / "inside" / "spans").mkdir(parents=True)
    (tmp_path / "inside" / "spans" / "a.csv").write_text("member_id\nm\n")
    said = 'a.csv: is no Parquet file: read such files with source.format = "csv"'
    assert refused(spark, tmp_path / "inside").endswith(said)
    write(tmp_path / "parquet", "a.parquet", member_id=["m"])
    said = 'a.parquet: is Parquet, not text: tables of it are read with source.format = "parquet"'
    assert refused(spark, tmp_path / "parquet", "csv").endswith(said)
    said = 'spans: is no Delta table; read its Parquet with source.format = "parquet"'
    assert refused(spark, tmp_path / "parquet", "delta").endswith(said)
    (tmp_path / "parquet" / "spans" / "_delta_log").mkdir()
    assert refused(spark, tmp_path / "parquet").endswith('is a Delta table: read it with source.format = "delta"')
    assert refused(spark, tmp_path / "nowhere").endswith("nowhere: there is no such file or folder")


def test_a_folder_that_holds_nothing_is_told(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "spans").mkdir()
    assert refused(spark, tmp_path) == f"{tmp_path}/spans: there is no file in this folder"
