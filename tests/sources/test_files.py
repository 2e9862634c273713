"""What files there are, what each is known by, and each line with its number."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.sources import files as files_module
from pmpm_spark.sources.files import SourceFile, literal, numbered_lines, scan
from pmpm_spark.sources.packed import READ_IN_PARTS, unparted

pytestmark = pytest.mark.delta  # the embedded engine does not tell the file of a row


def by_name(files: tuple[SourceFile, ...]) -> dict[str, SourceFile]:
    return {file.name: file for file in files}


def numbered(spark, files) -> dict[str, list[tuple[int, str]]]:
    told: dict[str, list[tuple[int, str]]] = {}
    for row in numbered_lines(spark, files).collect():
        told.setdefault(row["_source_file"], []).append((row["_source_row"], row["value"]))
    return {name: sorted(lines) for name, lines in told.items()}


def test_a_folder_is_read_to_its_depth_and_gzip_as_plain(spark, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "b.csv").write_text("A|B\n1|2\n3|4\n")
    (tmp_path / "deep" / "er" / "a.csv.gz").write_bytes(gzip.compress(b"A|B\n5|6\n"))
    (tmp_path / "deep" / "empty.csv").write_text("A|B\n")
    (tmp_path / "_SUCCESS").write_text("")
    found = by_name(scan(spark, str(tmp_path)))
    assert {name: (f.heading, f.rows) for name, f in found.items()} == {
        "b.csv": (("A", "B"), 2),
        "deep/empty.csv": (("A", "B"), 0),
        "deep/er/a.csv.gz": (("A", "B"), 1),
    }
    assert list(found) == sorted(found)
    assert numbered(spark, tuple(found.values())) == {
        "b.csv": [(2, "1|2"), (3, "3|4")],
        "deep/er/a.csv.gz": [(2, "5|6")],
    }


def test_a_single_file_has_its_own_name(spark, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("A|B\n1|2\n")
    (tmp_path / "two.csv").write_text("A|B\n1|2\n")
    [file] = scan(spark, str(tmp_path / "one.csv"))
    assert (file.name, file.rows) == ("one.csv", 1)


def test_a_folder_named_with_a_closing_slash_or_odd_letters(spark, tmp_path: Path) -> None:
    odd = tmp_path / "my claims, 50% of 2021"
    odd.mkdir()
    (odd / "carrier 1.csv").write_text("A|B\n1|2\n")
    for asked in (str(odd), f"{odd}/"):
        files = scan(spark, asked)
        assert [f.name for f in files] == ["carrier 1.csv"]
        assert numbered(spark, files) == {"carrier 1.csv": [(2, "1|2")]}


def test_line_ends_marks_and_blank_lines(spark, tmp_path: Path) -> None:
    (tmp_path / "bom.csv").write_bytes("\ufeffA|B\n1|2\n".encode())
    (tmp_path / "crlf.csv").write_bytes(b"A|B|\r\n1|2|\r\n")
    (tmp_path / "open.csv").write_bytes(b"A|B\n\n1|2\n  \n3|4")
    found = by_name(scan(spark, str(tmp_path)))
    assert {name: (f.heading, f.rows) for name, f in found.items()} == {
        "bom.csv": (("A", "B"), 1),
        "crlf.csv": (("A", "B"), 1),
        "open.csv": (("A", "B"), 2),
    }
    told = numbered(spark, tuple(found.values()))
    assert told["open.csv"] == [(3, "1|2"), (5, "3|4")], "a line's number counts blank lines"
    assert told["bom.csv"] == [(2, "1|2")]
    assert [number for number, _ in told["crlf.csv"]] == [2]


def test_a_file_is_known_by_its_content_alone(spark, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("A|B\n1|2\n3|4\n")
    (tmp_path / "same.csv").write_text("A|B\n1|2\n3|4\n")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(b"A|B\n1|2\n3|4\n"))
    (tmp_path / "changed.csv").write_text("A|B\n1|2\n3|5\n")
    (tmp_path / "longer.csv").write_text("A|B\n1|2\n3|4\n3|4\n")
    known = {name: f.fingerprint for name, f in by_name(scan(spark, str(tmp_path))).items()}
    assert known["a.csv"] == known["same.csv"] == known["packed.csv.gz"]
    assert len(set(known.values())) == 3


def test_nothing_there(spark, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(InputError, match=r"missing: there is no such file or folder$"):
        scan(spark, missing)
    assert scan(spark, str(tmp_path)) == ()


def test_line_numbers_run_through_the_blocks_of_a_file(spark, engine: str, tmp_path: Path) -> None:
    lines = [f"{n}|{'x' * (5000 + n % 7)}" for n in range(2, 3001)]  # large enough to be read in parts by either engine
    (tmp_path / "big.csv").write_text("\n".join(["A|B", *lines]) + "\n")
    (tmp_path / "small.csv").write_text("A|B\n2|x\n")
    setting = "spark.sql.files.maxPartitionBytes"
    former = spark.conf.get(setting, "128m")
    spark.conf.set(setting, "4m")
    try:
        read = spark.read.text(str(tmp_path / "big.csv"))
        plan_parts = read.select(F.spark_partition_id()).distinct().count()
        files = scan(spark, str(tmp_path))
        told = numbered(spark, files)
    finally:
        spark.conf.set(setting, former)
    if engine == "spark":  # which thread of the embedded engine reads which part is chance
        assert plan_parts > 1, "the file is read in one block: the test shows nothing"
    assert by_name(files)["big.csv"].rows == 2999
    assert told["big.csv"] == [(n, line) for n, line in enumerate(lines, start=2)]
    assert told["small.csv"] == [(2, "2|x")]
    assert by_name(scan(spark, str(tmp_path)))["big.csv"].fingerprint == by_name(files)["big.csv"].fingerprint


@pytest.mark.parametrize("packed", [False, True])
def test_lines_that_end_in_crlf_keep_their_numbers_however_large_the_file(spark, tmp_path: Path, packed: bool) -> None:
    lines = [f"{n:07},{'x' * (n % 97)}" for n in range(1, 30_001)]
    content = "\r\n".join(("A,B", *lines, "")).encode()
    (tmp_path / "a.csv").write_bytes(gzip.compress(content) if packed else content)
    if packed:
        (tmp_path / "a.csv").rename(tmp_path / "a.csv.gz")
    files = scan(spark, str(tmp_path))
    assert [file.rows for file in files] == [30_000]
    read = numbered_lines(spark, files)
    is_at = F.col("_source_row") == F.substring("value", 1, 7).cast("bigint") + 1
    counted = read.agg(F.count_if(is_at), F.count(F.lit(1)), F.count_if(F.endswith("value", F.lit("\r")))).collect()
    assert tuple(counted[0]) == (30_000, 30_000, 0)


def test_a_large_plain_file_is_read_in_one_part_at_every_reading(spark, engine: str, tmp_path: Path) -> None:
    """From 1 MiB on the embedded engine parts a file, and some readings gave both parts one id: lines were lost."""
    for size in (READ_IN_PARTS - 8, READ_IN_PARTS, 2**20, 2**20 + 8, 12 * 2**20):
        (tmp_path / f"{size}.csv").write_bytes(b"abcdefg\n" * (size // 8))
        if engine == "embedded":
            planned = spark.read.text(literal(spark, str(unparted(tmp_path / f"{size}.csv"))))
            assert "file_groups={1 group" in planned._explain_string(), size
    files = scan(spark, str(tmp_path))
    assert {file.name: file.rows + 1 for file in files} == {file.name: int(file.name[:-4]) // 8 for file in files}


def test_a_name_is_no_pattern(spark, tmp_path: Path) -> None:
    """Engines read [1], * and ? in a path as a pattern, and %20 as a blank."""
    folder = tmp_path / "a b%20é"
    folder.mkdir()
    names = ["car1.csv", "car[1].csv", "q?*{a}.csv"]
    for n, name in enumerate(names):
        (folder / name).write_text(f"A|B\n{n}|x\n")
    files = scan(spark, str(folder))
    assert [file.name for file in files] == names
    assert numbered(spark, files) == {name: [(2, f"{n}|x")] for n, name in enumerate(names)}


@pytest.mark.parametrize("folder", ["plain", "a[1]%20", "{b} #é+", "k=v?*"])
def test_every_name_is_read_where_signs_of_patterns_and_percent_signs_meet(spark, tmp_path: Path, folder: str) -> None:
    """pysail decodes the percent signs of some patterns, and so finds nothing."""
    names = ["c%20[2].csv", "c%5B1%5D{x}.csv", "c %[a]?.csv", "100%.csv", "c#+é&=;'.csv", "back\\slash*.csv", "[c].csv"]
    (tmp_path / folder).mkdir()
    for n, name in enumerate(names):
        (tmp_path / folder / name).write_text(f"A|B\n{n}|x\n")
    files = scan(spark, str(tmp_path / folder))
    assert {file.name for file in files} == set(names)
    assert numbered(spark, files) == {name: [(2, f"{n}|x")] for n, name in enumerate(names)}


def test_a_name_that_no_engine_can_be_told_is_an_error(spark, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")).write_text("A|B\n1|2\n")
    with pytest.raises(InputError, match=r"\?\.csv: the name of the file, or of a folder, is not UTF-8: rename it$"):
        scan(spark, str(tmp_path))


def test_a_colon_in_a_name_is_read_or_told(spark, engine: str, tmp_path: Path) -> None:
    (tmp_path / "a:b.csv").write_text("A|B\n1|2\n")
    if engine == "embedded":
        assert [file.name for file in scan(spark, str(tmp_path))] == ["a:b.csv"]
    else:
        with pytest.raises(
            InputError, match=r"a:b\.csv: Spark reads no file or folder with a colon in its name: rename"
        ):
            scan(spark, str(tmp_path))


def test_a_file_of_which_the_engine_gives_no_line_is_an_error(
    spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that hold nothing give none, plain or packed."""
    (tmp_path / "a.csv").write_text("A|B\n1|2\n")
    (tmp_path / "nothing.csv").write_text("")
    (tmp_path / "nothing.csv.gz").write_bytes(gzip.compress(b""))
    assert [file.name for file in scan(spark, str(tmp_path))] == ["a.csv"]
    monkeypatch.setattr("pmpm_spark.sources.files._lines", lambda spark, paths: _no_lines(spark))
    with pytest.raises(InputError, match=r"/a\.csv: the engine gave no line of it: name it with letters"):
        scan(spark, str(tmp_path))


def _no_lines(spark):
    return spark.createDataFrame([], "path string, block bigint, line_id bigint, value string")


def test_parquet_is_told_from_text_with_what_reads_it(spark, tmp_path: Path) -> None:
    for name in ("delivered/claims/a.parquet", "table/part=1/a.parquet"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"PAR1 and so on\n")
    (tmp_path / "table" / "_delta_log").mkdir()
    with pytest.raises(InputError, match=r'a\.parquet: is Parquet, not text: .* with source\.format = "parquet"$'):
        scan(spark, str(tmp_path / "delivered"))
    with pytest.raises(InputError, match=r'a\.parquet: is Parquet, not text: .* with source\.format = "delta"$'):
        scan(spark, str(tmp_path / "table"))


def test_folders_behind_links_are_read_and_a_link_that_leads_back_is_not_followed_for_ever(
    spark, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_text("A|B\n1|x\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    assert [file.name for file in scan(spark, str(tmp_path / "in"))] == ["link/a.csv"]


def test_a_file_that_cannot_be_read_is_named(spark, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("A|B\n1|x\n")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"A|B\n" + os.urandom(5000))[:3000])
    with pytest.raises(InputError, match=r"cut\.csv\.gz: not readable as text, plain or gzip"):
        scan(spark, str(tmp_path))


def test_a_heading_stands_in_the_first_line(spark, tmp_path: Path) -> None:
    (tmp_path / "late.csv").write_text("\nA|B\n1|x\n")
    with pytest.raises(InputError, match=r"^late\.csv: its first line is blank; the heading must stand there$"):
        scan(spark, str(tmp_path))


def test_a_byte_order_mark_is_no_content(spark, tmp_path):
    """Both engines know the file by the same content, and by that of the file without the mark."""
    (tmp_path / "marked.csv").write_bytes(b"\xef\xbb\xbfid,name\n1,a\n")
    (tmp_path / "plain.csv").write_bytes(b"id,name\n1,a\n")
    marked, plain = scan(spark, str(tmp_path))
    assert marked.fingerprint == plain.fingerprint
    assert (marked.heading, marked.text_bytes) == (("id", "name"), 10)


class Lister:
    """An engine that is asked for the files of a path, and lists one."""

    def __init__(self, listed: str) -> None:
        self.listed = listed
        self.asked: list[str] = []
        self.read = self

    def format(self, _: str) -> Lister:
        return self

    def option(self, *_: str) -> Lister:
        return self

    def load(self, path: str) -> Lister:
        self.asked.append(path)
        return self

    def select(self, _: str) -> Lister:
        return self

    def collect(self) -> list[dict[str, str]]:
        return [{"path": self.listed}]


def test_files_of_a_volume_are_listed_by_the_engine_though_the_driver_sees_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Spark on Databricks reads `file:/Volumes/…` of no volume, and that is what the driver would call them."""
    monkeypatch.setattr(files_module, "is_embedded", lambda spark: False)
    (tmp_path / "a.csv").write_text("a\n", encoding="utf-8")
    lister = Lister("dbfs:/Volumes/c/s/landing/a.csv")
    assert files_module.paths_at(lister, str(tmp_path)) == [(tmp_path / "a.csv").as_uri()]
    monkeypatch.setattr(files_module, "Path", lambda _: tmp_path)  # as if the volume were mounted here
    assert files_module.paths_at(lister, "/Volumes/c/s/landing") == [lister.listed]
    assert lister.asked == ["/Volumes/c/s/landing"]
