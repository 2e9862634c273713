"""CCLF deliveries that are not as they should be: each fault named in one line, or its rows set aside, none lost."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.model import COVERAGE_RECORDS, LOAD_AUDIT, MEMBER_ID_CHANGES, REJECTS
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Policy, policy_from
from pmpm_spark.sources.cclf import bronze_loads
from pmpm_spark.warehouse import published
from tests.cclf_files import (
    change,
    deliver,
    fill,
    header,
    lay_out,
    line,
    members,
    name_of,
    packed,
    person,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MAY, JUNE = "220515", "220615"


class Ran:
    """A load of what lies in a folder, and what was published by it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        source = Source("cclf", str(folder), max_reject_share=1.0)
        self.config = RunConfig(source, Warehouse(str(folder.parent / "warehouse")), (2022,), (Policy("p"),))
        self.notices = run(spark, self.config, group="load").notices
        self.warehouse = published(spark, self.config)

    def rejects(self) -> list[tuple[str, int, list[str]]]:
        found = self.warehouse.read(REJECTS).collect()
        return sorted((r["_source_file"], r["_source_row"], list(r["reject_reasons"])) for r in found)

    def counts(self, kind: str, day: str = MAY) -> tuple[int, ...]:
        """Rows read, accepted, rejected, duplicate and superseded of one file, over all loads."""
        names = ("rows_read", "accepted", "rejected", "duplicate", "superseded")
        found = self.warehouse.read(LOAD_AUDIT).where(f"_source_file = '{name_of(day, kind[-1])}'").collect()
        return tuple(sum(row[name] for row in found) for name in names)

    def covered(self) -> set[tuple[str, str]]:
        found = self.warehouse.read(COVERAGE_RECORDS).collect()
        return {(row["member_id"], f"{row['coverage_start']:%Y-%m}") for row in found}


def refused(spark: SparkSession, folder: Path) -> str:
    with pytest.raises(InputError) as error:
        bronze_loads(spark, str(folder), (), "b", NOW, Path(mkdtemp()) / "unpacked")
    assert "\n" not in str(error.value)
    return str(error.value)


def without(files: Mapping[str, bytes], kind: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if f".ZC{kind[-1]}" not in name}


def test_a_zip_with_a_missing_member_is_named_with_the_file(spark: SparkSession, tmp_path: Path) -> None:
    files = members(MAY, {"CCLF5": [line("CCLF5", "1", 1, "M1", "1.00")] * 2})
    packed(tmp_path / "in", MAY, without(files, "CCLF5"))
    told = refused(spark, tmp_path / "in")
    assert told.startswith(f"{name_of(MAY)}: CCLF5 is missing, CCLF0 counts 2 records")
    packed(tmp_path / "in", MAY, without(files, "CCLF0"))
    assert "CCLF0, which counts the other files, is missing" in refused(spark, tmp_path / "in")


@pytest.mark.parametrize("length", [0, 10, 700])
def test_a_corrupt_zip_is_named(spark: SparkSession, tmp_path: Path, length: int) -> None:
    path = deliver(tmp_path / "in", MAY)
    path.write_bytes(path.read_bytes()[:length])
    assert refused(spark, tmp_path / "in").startswith(f"{name_of(MAY)}: the zip cannot be read")


def test_a_corrupt_gzip_file_is_named(spark: SparkSession, tmp_path: Path) -> None:
    lay_out(tmp_path / "in", members(MAY, {}), zipped=True)
    path = tmp_path / "in" / f"{name_of(MAY, '8')}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    assert refused(spark, tmp_path / "in").startswith(f"{path.name}: the gzip file cannot be read")


@pytest.mark.parametrize("told", [1, 3])
def test_a_count_that_does_not_agree_names_the_file(spark: SparkSession, tmp_path: Path, told: int) -> None:
    files = members(MAY, {"CCLF6": [line("CCLF6", "1", 1, "M1", "1.00")] * 2})
    control = name_of(MAY, "0")
    files[control] = files[control].replace(b"          2|  247", f"          {told}|  247".encode())
    packed(tmp_path / "in", MAY, files)
    assert refused(spark, tmp_path / "in").startswith(f"{name_of(MAY, '6')}: holds 2 records, CCLF0 counts {told}")


def test_a_layout_of_another_length_is_named(spark: SparkSession, tmp_path: Path) -> None:
    files = members(MAY, {})
    control = name_of(MAY, "0")
    files[control] = files[control].replace(b"|  549", b"|  560")
    packed(tmp_path / "in", MAY, files)
    assert "CCLF8 has records of 560 characters, this version reads 549" in refused(spark, tmp_path / "in")


def test_a_control_file_of_another_form_is_named(spark: SparkSession, tmp_path: Path) -> None:
    files = members(MAY, {}) | {name_of(MAY, "0"): b"heading\nnothing like it\n"}
    packed(tmp_path / "in", MAY, files)
    assert refused(spark, tmp_path / "in").startswith(f"{name_of(MAY, '0')}: a line is not that of a CCLF0 file")


def test_an_empty_delivery_is_named(spark: SparkSession, tmp_path: Path) -> None:
    """Its files may be empty, but a delivery that lists nobody tells no month."""
    deliver(tmp_path / "in", MAY, {"CCLF8": []})
    assert refused(spark, tmp_path / "in").startswith(f"{name_of(MAY)}: CCLF8 lists nobody")


def test_a_folder_without_deliveries_is_named(spark: SparkSession, tmp_path: Path) -> None:
    lay_out(tmp_path / "in", {"README.md": b"nothing\n", "P.A1001.ACO.ZC1Y22.D221315.T0000000": b"no such day\n"})
    assert refused(spark, tmp_path / "in") == f"{tmp_path / 'in'}: there is no CCLF delivery"
    assert "there is no such file" in refused(spark, tmp_path / "nowhere")


def test_a_file_that_stands_there_twice_with_different_content_is_named(spark: SparkSession, tmp_path: Path) -> None:
    deliver(tmp_path / "in" / "a", MAY)
    deliver(tmp_path / "in" / "b", MAY, {"CCLF8": [person("M2")]})
    assert refused(spark, tmp_path / "in").startswith(
        f"{name_of(MAY, '8')}: stands there twice, with different content"
    )


@pytest.fixture(scope="module")
def dirty(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One plain delivery with a fault in most records; the comments give the rows."""
    whole = header("1", "M1", "1.00")
    files = members(
        MAY,
        {
            "CCLF1": [
                whole,  # 1, after a byte order mark
                whole[:-1],  # 2, too short
                whole + " ",  # 3, too long
                header("2", "M1", "1.00").replace("M1 ", "M\x00 "),  # 4, a NUL
                header("3", "M1", "1.00", CLM_THRU_DT="2022-02-31"),  # 5
                header("4", "M1", "", "9"),  # 6, a code that is none
                header("5", "", "1.00"),  # 7, of nobody
                header("6", "M1", "1.00", CLM_THRU_DT="2022-04-01"),  # 8, runs backward
                header("7", "M1", "2.00") + "\r",  # 9, fine
            ],
            "CCLF5": [
                line("CCLF5", "8", 1, "M1", "1e400"),  # 1
                line("CCLF5", "9", 1, "M1", "x" * 10_000_000),  # 2, a field of 10 MB
                line("CCLF5", "9", 2, "M1", "3.00") + "y",  # 3, too long
                line("CCLF5", "9", 3, "M1", "4.00"),  # 4, fine
            ],
            "CCLF7": [fill("10", "M1", "1.00")],
            "CCLF8": [person(who) for who in ("M1", "A", "1", "5")],
            "CCLF9": [
                *(change("A", "B"), change("B", "C"), change("C", "A"), change("X", "A")),  # 1 to 4, a circle
                *(change("1", "2"), change("2", "3"), change("5", "5")),  # fine
            ],
        },
    )
    first, drugs = name_of(MAY, "1"), name_of(MAY, "7")
    files[first] = b"\xef\xbb\xbf" + files[first]
    files[drugs] = files[drugs].replace(b"M1 ", b"M\xff ")
    folder = tmp_path_factory.mktemp("dirty")
    lay_out(folder / "in", files)
    return Ran(spark, folder / "in")


def test_every_bad_record_is_a_reject_with_file_row_and_reason(dirty: Ran) -> None:
    """Wrong length, NUL, no UTF-8, 31 February, 1e400, 10 MB; a byte order mark and a carriage return harm nothing."""
    first, lines, drugs, ids = (name_of(MAY, kind) for kind in "1579")
    circle = "the chain of ids goes in a circle, or on for more than eight changes"
    assert dirty.rejects() == [
        (first, 2, ["the record is not 437 characters of text"]),
        (first, 3, ["the record is not 437 characters of text"]),
        (first, 4, ["the record is not 437 characters of text"]),
        (first, 5, ["CLM_THRU_DT is not a date"]),
        (first, 6, ["CLM_ADJSMT_TYPE_CD is not one of its codes"]),
        (first, 7, ["BENE_MBI_ID is missing"]),
        (first, 8, ["the last day of service is before the first"]),
        (lines, 1, ["CLM_LINE_CVRD_PD_AMT is not an amount", "CLM_LINE_ALOWD_CHRG_AMT is not an amount"]),
        (lines, 2, ["the record is not 388 characters of text"]),
        (lines, 3, ["the record is not 388 characters of text"]),
        (drugs, 1, ["the record is not 195 characters of text"]),
        *[(ids, row, [circle]) for row in (1, 2, 3, 4)],
    ]


def test_changes_of_ids_are_followed_but_for_those_that_go_in_a_circle_or_lead_into_one(dirty: Ran) -> None:
    """An id that is its own is no change."""
    changes = {tuple(row) for row in dirty.warehouse.read(MEMBER_ID_CHANGES).collect()}
    assert changes == {("1", "3"), ("2", "3")}
    assert dirty.covered() == {(who, "2022-04") for who in ("M1", "A", "3", "5")}


def test_every_row_of_a_bad_delivery_is_accounted_for(dirty: Ran) -> None:
    assert dirty.counts("CCLF1") == (9, 2, 7, 0, 0)
    assert dirty.counts("CCLF5") == (4, 1, 3, 0, 0)
    assert dirty.counts("CCLF7") == (1, 0, 1, 0, 0)
    assert dirty.counts("CCLF8") == (4, 4, 0, 0, 0)


def test_plain_gzipped_and_zipped_files_are_the_same_delivery_under_whatever_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = members(MAY, {"CCLF1": [header("1", "M1", "1.00")]})
    lay_out(tmp_path / "in" / "deep", files)
    assert Ran(spark, tmp_path / "in").counts("CCLF1") == (1, 1, 0, 0, 0)
    shutil.rmtree(tmp_path / "in")
    lay_out(tmp_path / "in", files, zipped=True)
    assert gzip.decompress((tmp_path / "in" / f"{name_of(MAY, '1')}.gz").read_bytes()) == files[name_of(MAY, "1")]
    packed(tmp_path / "in", MAY, files).rename(tmp_path / "in" / "under another name.zip")
    packed(tmp_path / "in", JUNE, {name.replace(MAY, JUNE): content for name, content in files.items()})
    again = Ran(spark, tmp_path / "in")
    assert again.counts("CCLF1") == (1, 1, 0, 0, 0)
    assert again.covered() == {("M1", "2022-04")}
    assert f"{name_of(MAY)} and 1 more: loaded before, nothing new" in again.notices


def test_of_two_deliveries_that_disagree_the_later_date_counts(spark: SparkSession, tmp_path: Path) -> None:
    """Both tell April: who is listed in the earlier one alone is not covered."""
    deliver(tmp_path / "in", "220502", {"CCLF8": [person("M1"), person("M2")], "CCLF1": [header("1", "M1", "1.00")]})
    deliver(tmp_path / "in", MAY, {"CCLF8": [person("M1", "1")], "CCLF1": [header("1", "M1", "2.00")]})
    found = Ran(spark, tmp_path / "in")
    assert found.covered() == {("M1", "2022-04")}
    assert [r["has_part_b"] for r in found.warehouse.read(COVERAGE_RECORDS).collect()] == [False]
    assert found.counts("CCLF8", "220502") == (2, 0, 0, 0, 2)
    assert found.counts("CCLF1", "220502") == (1, 0, 0, 0, 1)


def test_a_replaced_file_of_the_same_name_counts_from_then_on(spark: SparkSession, tmp_path: Path) -> None:
    old = {"CCLF8": [person("M1"), person("M2")], "CCLF1": [header("1", "M1", "1.00"), header("2", "M2", "1.00")]}
    deliver(tmp_path / "in", MAY, old)
    Ran(spark, tmp_path / "in")
    deliver(tmp_path / "in", MAY, {"CCLF8": [person("M1")], "CCLF1": [header("1", "M1", "3.00")]})
    found = Ran(spark, tmp_path / "in")
    assert f"{name_of(MAY)}: was loaded with other content before; what it holds now counts" in found.notices
    assert found.covered() == {("M1", "2022-04")}
    assert found.counts("CCLF8") == (3, 1, 0, 0, 2)
    assert found.counts("CCLF1") == (3, 1, 0, 0, 2)
    deliver(tmp_path / "in", MAY, old)
    back = Ran(spark, tmp_path / "in")
    assert back.covered() == {("M1", "2022-04"), ("M2", "2022-04")}
    assert back.counts("CCLF1") == (5, 2, 0, 0, 3)


def test_a_month_that_no_delivery_tells_is_named(spark: SparkSession, tmp_path: Path) -> None:
    for day in ("220315", MAY, "220815"):
        deliver(tmp_path / "in", day, {"CCLF1": [header(day, "M1", "1.00")]})
    deliver(tmp_path / "in", "220715", {"CCLF1": [header("9", "M1", "1.00")]}, regular="R")
    found = Ran(spark, tmp_path / "in")
    told = [notice for notice in found.notices if "no delivery tells" in notice]
    assert told == [
        f"{month}: no delivery tells this month; nobody is covered in it" for month in ("2022-03", "2022-05", "2022-06")
    ]
    assert found.covered() == {("M1", month) for month in ("2022-02", "2022-04", "2022-07")}


def test_too_many_rejects_in_a_file_stop_the_run_before_anything_is_published(
    spark: SparkSession, tmp_path: Path
) -> None:
    """More than the share; cancels that wait for what they cancel are no fault of the file."""
    fine = [header(str(n), "M1", "1.00", CLM_FROM_DT=f"2022-03-{n}") for n in range(10, 29)]
    bad = header("1", "M1", "1.00", CLM_THRU_DT="2022-02-31")
    waiting = [header(f"9{n}", "M9", "1.00", "1", CLM_FROM_DT=f"2022-03-{n}") for n in range(10, 29)]
    deliver(tmp_path / "in", MAY, {"CCLF1": [*fine, bad, *waiting]})
    source = Source("cclf", str(tmp_path / "in"))
    config = RunConfig(source, Warehouse(str(tmp_path / "warehouse")), (2022,), (Policy("p"),))
    run(spark, config, group="load")  # 1 of 39

    deliver(tmp_path / "in", MAY, {"CCLF1": [*fine, bad, bad]})
    with pytest.raises(InputError) as error:
        run(spark, config, group="load")
    assert str(error.value) == (
        f"{name_of(MAY, '1')}: 2 of 21 rows are rejected, lines 20, 21 (2: CLM_THRU_DT is not a date), more than "
        "source.max_reject_share = 0.05 allows; nothing is published"
    )
    audit = published(spark, config).read(LOAD_AUDIT).where(f"_source_file = '{name_of(MAY, '1')}'").collect()
    assert [row["rows_read"] for row in audit] == [39]


def test_a_policy_that_counts_drugs_is_refused_as_what_was_paid_for_them_is_not_told(
    spark: SparkSession, tmp_path: Path
) -> None:
    policy = policy_from({"name": "p", "cost": {"include_pharmacy": True}}, "p", {})
    config = RunConfig(Source("cclf", "nowhere"), Warehouse(str(tmp_path / "warehouse")), (2022,), (policy,))
    with pytest.raises(ConfigError, match="include_pharmacy counts what was paid for pharmacy, which source"):
        run(spark, config)
    assert not (tmp_path / "warehouse").exists()


def test_what_is_no_cclf_file_is_passed_over_and_named(spark: SparkSession, tmp_path: Path) -> None:
    deliver(tmp_path / "in", MAY)
    lay_out(tmp_path / "in", {"layout.csv": b"a\n", name_of(MAY, "A"): b"not used\n"})
    loads, notices = bronze_loads(spark, str(tmp_path / "in"), (), "b", NOW, tmp_path / "unpacked")
    assert {f"{name_of(MAY, 'A')}: not used", "layout.csv: no CCLF file, passed over"} <= set(notices)
    held: dict[str, Any] = {load.table.name: len(load.files) for load in loads}
    assert held == {f"bronze.cclf{n}": 1 for n in range(10)}
