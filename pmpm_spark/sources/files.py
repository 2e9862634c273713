"""Delivered files as lines: what there is, what each is known by, and each line with its number.

A file is known by its content: rows, bytes and the sum of the hashes of its lines, from one distributed scan. Only that
summary, one row a file and block, comes to the driver.
"""

from __future__ import annotations

import gzip
import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.engine import is_embedded
from pmpm_spark.errors import InputError, is_engine_error
from pmpm_spark.frames import union_of
from pmpm_spark.measures import sum_of_hashes
from pmpm_spark.paths import is_local, is_volume, plain
from pmpm_spark.sources.packed import unparted
from pmpm_spark.table import Column, column, small_frame, text

NAMES = T.StructType([T.StructField(name, T.StringType()) for name in ("path", "_source_file")])
BOM = "\ufeff"
LINE_END = "\n"
"""Told to the engine: by itself the embedded one makes a blank line of a CRLF that lies across two of its reads."""
PARQUET_MARK = "PAR1"
"""What a Parquet file begins with."""

LINE_COLUMNS: tuple[Column, ...] = (
    text("_source_file", "file that the row was delivered in"),
    column("_source_row", T.LongType(), "line of that file, heading included"),
    text("_batch_id", "load that brought it"),
    column("_ingested_at", T.TimestampType(), "when it was loaded, UTC"),
    column("_line_hash", T.LongType(), "hash of the whole line"),
    text("_unparsed", "the whole line, where its number of fields is not that of the heading"),
)
"""What stands beside the delivered columns in every bronze table."""


@dataclass(frozen=True)
class SourceFile:
    """One delivered file. `rows` leaves out the heading and blank lines."""

    path: str
    name: str
    heading: tuple[str, ...]
    first_line: str
    rows: int
    text_bytes: int
    fingerprint: str

    @property
    def width(self) -> int:
        """The cells of the first line, with the blank ones at its end, which are not of the heading."""
        return len(_cells(self.first_line))


def scan(spark: SparkSession, path: str, setting: str = "source.format") -> tuple[SourceFile, ...]:
    """The files at or below a path, each with a heading, in the order of their names. `setting` is what says that they
    are text.

    Raises:
        InputError: there is nothing at the path.
    """
    return _scan(spark, [path], path, 1, setting)


def scan_records(spark: SparkSession, paths: Sequence[str]) -> tuple[SourceFile, ...]:
    """These files, none of which has a heading; a file without a line is not among them."""
    plain = [unquote(path) for path in paths]
    return _scan(spark, plain, posixpath.commonprefix(list(paths)), 0) if paths else ()


def _scan(
    spark: SparkSession, paths: list[str], asked: str, headings: int, setting: str = "source.format"
) -> tuple[SourceFile, ...]:
    listed = [file for path in paths for file in files_seen_at(path)]
    for file in listed:
        if begins_with(file, PARQUET_MARK):
            raise _is_parquet(str(file), setting)
    try:  # without Spark Connect the path is looked at as soon as it is named
        found = (
            _lines(spark, paths)
            .groupBy("path", "block")
            .agg(
                F.count(F.lit(1)).alias("lines"),
                F.count_if(F.trim("value") != "").alias("rows"),
                F.sum(F.octet_length("value")).alias("text_bytes"),
                sum_of_hashes(F.xxhash64("value")).alias("hash"),
                F.min_by("value", "line_id").alias("first_line"),
            )
            .collect()
        )
    except Exception as error:
        raise _unreadable(_culprit(spark, paths) or asked, error) from None
    by_path: dict[str, list[T.Row]] = {}
    for block in found:
        by_path.setdefault(block["path"], []).append(block)
    _check_all_were_read(listed, by_path)
    if is_embedded(spark):
        _check_none_was_parted(found)
    root = _root(asked, list(by_path))
    files = [
        _file(name, root, sorted(parts, key=lambda b: b["block"]), headings, setting) for name, parts in by_path.items()
    ]
    return tuple(sorted(files, key=lambda f: f.name))


def paths_at(spark: SparkSession, path: str) -> list[str]:
    """The URI of every file at or below a path, found by the driver where it can look there, else by the engine.

    Raises:
        InputError: there is nothing at the path.
    """
    if is_local(path) and (is_embedded(spark) or (Path(plain(path)).exists() and not is_volume(path))):
        return [file.as_uri() for file in _files_at(path)]
    try:
        found = (
            spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(path).select("path").collect()
        )
    except Exception as error:
        raise _unreadable(path, error) from None
    return sorted(row["path"] for row in found)


def _unreadable(path: str, error: Exception) -> Exception:
    """What to raise for an error met at a path."""
    if not is_engine_error(error):
        return error
    if "Relative path in absolute URI" in str(error):
        return InputError(f"{path}: Spark reads no file or folder with a colon in its name: rename it")
    if "PATH_NOT_FOUND" in str(error):
        return InputError(f"{path}: there is no such file or folder")
    return InputError(f"{path}: not readable as text, plain or gzip ({type(error).__name__})")


def numbered_lines(spark: SparkSession, files: Sequence[SourceFile], headings: int = 1) -> DataFrame:
    """Every line of the files but the heading and blank ones: `_source_file`, `_source_row` (the first line is 1),
    `value`. Without a heading (`headings` 0) the first line may begin with a byte order mark, which is not of it.

    Line ids rise inside a block of a file, so a line's number is its id less the block's first id, plus the lines of
    the blocks before it. The lookup has one row a block.
    """
    lines = _lines(spark, [unquote(f.path) for f in files])
    earlier = Window.partitionBy("path").orderBy("block").rowsBetween(Window.unboundedPreceding, -1)
    blocks = (
        lines.groupBy("path", "block")
        .agg(F.min("line_id").alias("first_id"), F.count(F.lit(1)).alias("lines"))
        .withColumn("lines_before", F.coalesce(F.sum("lines").over(earlier), F.lit(0)))
    )
    names = small_frame(spark, [(f.path, f.name) for f in files], NAMES)
    lookup = blocks.join(F.broadcast(names), "path", how="inner").select(
        "path", "block", "_source_file", (F.col("lines_before") - F.col("first_id") + 1).alias("shift")
    )
    numbered = lines.join(F.broadcast(lookup), ["path", "block"], how="inner")
    row = F.col("line_id") + F.col("shift")
    value = (
        F.col("value")
        if headings
        else F.when(row == 1, F.regexp_replace("value", f"^{BOM}", "")).otherwise(F.col("value"))
    )
    return numbered.select("_source_file", row.alias("_source_row"), value.alias("value")).where(
        (F.col("_source_row") > headings) & (F.trim("value") != "")
    )


def _lines(spark: SparkSession, paths: list[str]) -> DataFrame:
    """Each line with its file's URI, the part of the file that was read in one go, and an id that rises in it."""
    if is_embedded(spark):
        return _lines_by_file(spark, paths)
    return (
        spark.read.option("recursiveFileLookup", "true")
        .option("lineSep", LINE_END)
        .text([literal(spark, path) for path in paths])
        .select(
            F.col("_metadata.file_path").alias("path"),
            F.col("_metadata.file_block_start").alias("block"),
            F.monotonically_increasing_id().alias("line_id"),
            _without_return().alias("value"),
        )
    )


def _without_return() -> SparkColumn:
    """The line without the carriage return that a file of CRLF has before each end of a line."""
    text = F.col("value")
    return F.when(text.endswith("\r"), F.expr("substring(value, 1, length(value) - 1)")).otherwise(text)


def _lines_by_file(spark: SparkSession, paths: list[str]) -> DataFrame:
    """The same on the embedded engine, which does not say what file a line is from: each file is read by itself.

    The upper bits of its ids count the parts of a file; a file that it would part is given to it packed, in one.
    """
    line_id, text = F.monotonically_increasing_id(), _without_return()
    frames = [
        spark.read.option("lineSep", LINE_END)
        .text(literal(spark, str(unparted(file))))
        .select(
            F.lit(file.as_uri()).alias("path"),
            F.shiftright(line_id, 33).alias("block"),
            line_id.alias("line_id"),
            # Spark's reader takes the mark away: a file must be known by the same content on both
            F.when((line_id == 0) & F.startswith(text, F.lit(BOM)), F.substring(text, 2, 2**31 - 1))
            .otherwise(text)
            .alias("value"),
        )
        for path in paths
        for file in _files_at(path)
    ]
    if not frames:
        return spark.read.text(literal(spark, paths[0])).select(
            F.lit("").alias("path"), F.lit(0).alias("block"), line_id.alias("line_id"), "value"
        )
    while len(frames) > 1:  # in pairs: a chain of hundreds is deeper than a plan may be
        frames = [union_of(frames[at : at + 2]) for at in range(0, len(frames), 2)]
    return frames[0]


def literal(spark: SparkSession, path: str) -> str:
    """The path as the engine takes it for what it says: told as it is, either engine takes `[1]` or `*` for a pattern.

    The embedded engine decodes percent signs in some of the paths that it takes for patterns. It reads a URI rightly,
    and Spark reads none.
    """
    if is_embedded(spark):
        return Path(plain(path)).absolute().as_uri() if is_local(path) else path
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", path)


def files_seen_at(path: str) -> list[Path]:
    """The files at or below a path, where the driver can look there."""
    return _files_at(path) if is_local(path) and Path(plain(path)).exists() else []


def _check_all_were_read(listed: Sequence[Path], read: Iterable[str]) -> None:
    """An engine may pass over a file without a word.

    Raises:
        InputError: a file that holds something gave no line.
    """
    if not all(path.startswith("file:") for path in read):
        return  # what the driver sees under that path is of another file system
    given = {os.path.normpath(plain(unquote(path))) for path in read}
    for file in listed:
        if os.path.normpath(file) not in given and begins_with(file, ""):
            raise InputError(f"{file}: the engine gave no line of it: name it with letters, digits, _, - and dots")


def _check_none_was_parted(blocks: Iterable[T.Row]) -> None:
    """Lines of a file that the embedded engine parts have no numbers that can be relied on.

    Raises:
        InputError: it parted one.
    """
    for block in blocks:
        if block["block"]:
            raise InputError(f"{unquote(block['path'])}: the embedded engine reads it in parts: give it packed (.gz)")


def begins_with(file: Path, mark: str) -> bool:
    """Whether the file, unpacked, holds something that begins with the mark."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
            start = content.read(max(len(mark), 1))
    except (OSError, EOFError):
        return False  # what is wrong with it is found by reading it
    return bool(start) and start.startswith(mark.encode())


def _is_parquet(file: str, setting: str) -> InputError:
    is_of_delta = any((folder / "_delta_log").exists() for folder in Path(file).parents)
    told = f'{setting} = "{"delta" if is_of_delta else "parquet"}"'
    return InputError(f"{file}: is Parquet, not text: tables of it are read with {told}")


def _files_at(path: str) -> list[Path]:
    """The files at or below a path as Spark lists them: without those whose name, or folder, begins with _ or a dot.

    Raises:
        InputError: there is nothing at the path, or a name that cannot be told to an engine.
    """
    top = Path(plain(path)).absolute()
    if top.is_file():
        return [top]
    if not top.exists():
        raise InputError(f"{path}: there is no such file or folder")
    found: list[Path] = []
    seen = set()
    for folder, folders, files in os.walk(top, followlinks=True):
        folders[:] = [name for name in folders if name[0] not in "_."]
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        found += [Path(folder, name) for name in files if name[0] not in "_." and not name.endswith("._COPYING_")]
    nameless = [file for file in found if str(file).encode(errors="replace") != os.fsencode(file)]
    if nameless:
        shown = str(nameless[0]).encode(errors="replace").decode()
        raise InputError(f"{shown}: the name of the file, or of a folder, is not UTF-8: rename it")
    return sorted(found)


def _culprit(spark: SparkSession, paths: Sequence[str]) -> str | None:
    """The first file that cannot be read, where the driver can look for it."""
    for path in paths:
        for file in files_seen_at(path):
            try:
                _lines(spark, [str(file)]).agg(F.max("value")).collect()
            except Exception as error:
                if is_engine_error(error):
                    return str(file)
                raise
    return None


def _file(path: str, root: str, blocks: list[T.Row], headings: int, setting: str) -> SourceFile:
    lines = sum(int(b["lines"]) for b in blocks)
    rows = sum(int(b["rows"]) for b in blocks)
    text_bytes = sum(int(b["text_bytes"]) for b in blocks)
    digest = sum(int(b["hash"]) for b in blocks) % 2**64
    first_line = str(blocks[0]["first_line"]).removeprefix(BOM)
    heading = tuple(cell.strip().strip('"') for cell in _cells(first_line))
    while heading and heading[-1] == "":
        heading = heading[:-1]
    name = unquote(path[len(root) :] if path.startswith(root) else path)
    if first_line.startswith(PARQUET_MARK):
        raise _is_parquet(name, setting)
    if headings and rows and not first_line.strip():
        raise InputError(f"{name}: its first line is blank; the heading must stand there")
    return SourceFile(
        path, name, heading, first_line, rows - headings, text_bytes, f"{lines}-{text_bytes}-{digest:016x}"
    )


def _cells(first_line: str) -> list[str]:
    return first_line.rstrip("\r").split("|" if "|" in first_line else ",")


def _root(asked: str, paths: list[str]) -> str:
    """The part of the paths that is not in a file's name: up to the folder asked for, or the file's own folder."""
    wanted = quote(asked.rstrip("/"), safe="/:@=,+$!*'()&;~-._") + "/"
    for path in paths:
        at = path.find(wanted.removeprefix("file:").lstrip("."))
        if at >= 0:
            return path[: at + len(wanted.removeprefix("file:").lstrip("."))]
    common = posixpath.commonprefix(paths)
    return common[: common.rfind("/") + 1]
