"""The CCLF deliveries at a path: each whole, and counted as its own CCLF0 counts it.

A delivery is a zip, or its files in a folder, plain or gzipped. Zips are unpacked by the driver; the engine reads the
files.
"""

from __future__ import annotations

import codecs
import gzip
import io
import posixpath
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import unquote

from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.months import number_of
from pmpm_spark.paths import is_local, plain
from pmpm_spark.sources.cclf.layout import CONTROL, KINDS, file_name, record_length
from pmpm_spark.sources.files import SourceFile, numbered_lines, paths_at, scan_records

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ZIP = re.compile(r"P\.\w+\.ACO\.ZC[YR]\d\d\.D\d{6}\.T\d+(\.zip)?")
_CHUNK = 1 << 20
AGAIN = "ask for the delivery anew"


@dataclass(frozen=True)
class Delivery:
    """The files of one delivery by kind, CCLF0 to CCLF9; a file without a record is there with no row."""

    name: str
    is_regular: bool
    file_date: date
    files: dict[str, SourceFile] = field(default_factory=dict)

    @property
    def content(self) -> frozenset[tuple[str, str]]:
        """What the delivery is known by: the content of its files, whatever its name."""
        return frozenset((kind, file.fingerprint) for kind, file in self.files.items())


def deliveries(spark: SparkSession, path: str, scratch: Path) -> tuple[list[Delivery], list[str]]:
    """The deliveries at or below a path in the order of their dates, and notices on what else is there.

    Raises:
        InputError: nothing there, a zip that cannot be read, a file missing, or counts that do not agree.
    """
    paths, notices = _members(paths_at(spark, path), scratch)
    found: dict[str, Delivery] = {}
    for file in scan_records(spark, paths):
        _add(found, file)
    for name in sorted({_base(path) for path in paths}):
        _add(found, SourceFile(name, name, (), "", 0, 0, "0-0-0"), is_empty=True)
    if not found:
        raise InputError(f"{path}: there is no CCLF delivery")
    controls = [delivery.files[CONTROL] for delivery in found.values() if CONTROL in delivery.files]
    counts = _counts(spark, [file for file in controls if file.rows])
    for delivery in found.values():
        _check(delivery, counts)
    return sorted(found.values(), key=lambda d: (d.file_date, d.name)), notices


def _base(path: str) -> str:
    return posixpath.basename(unquote(path)).removesuffix(".gz")


def _add(found: dict[str, Delivery], file: SourceFile, *, is_empty: bool = False) -> None:
    """Put a file in its delivery; of equal files of one name the first."""
    name = _base(file.path)
    told = file_name(name)
    if told is None or told.kind not in KINDS:
        return
    delivery = found.setdefault(told.delivery, Delivery(told.delivery, told.is_regular, told.file_date))
    known = delivery.files.get(told.kind)
    if known is None:
        delivery.files[told.kind] = replace(file, name=name)
    elif not is_empty and known.fingerprint != file.fingerprint:
        raise InputError(f"{name}: stands there twice, with different content; leave the one that counts")


def _members(paths: Sequence[str], scratch: Path) -> tuple[list[str], list[str]]:
    """The files of deliveries among these paths, those of zips unpacked, and notices on the others."""
    members: list[str] = []
    notices: list[str] = []
    for number, path in enumerate(paths):
        name = posixpath.basename(unquote(path))
        told = file_name(name)
        if told is not None and told.kind in KINDS:
            members.append(_as_text(path, scratch / str(number)))
        elif told is not None:
            notices.append(f"{name}: not used")
        elif not is_local(path):
            if _ZIP.fullmatch(name):
                raise InputError(f"{name}: a zip in an object store cannot be opened from here; unpack it there first")
            notices.append(f"{name}: no CCLF file, passed over")
        elif _ZIP.fullmatch(name) or zipfile.is_zipfile(_local(path)):
            unpacked, others = _unpacked(_local(path), scratch / str(number))
            members += unpacked
            notices += others
        else:
            notices.append(f"{name}: no CCLF file, passed over")
    return members, notices


def _local(path: str) -> Path:
    return Path(unquote(plain(path)))


def _unpacked(path: Path, folder: Path) -> tuple[list[str], list[str]]:
    """The files of a zip, written to a folder."""
    members: list[str] = []
    notices: list[str] = []
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = posixpath.basename(entry.filename)
                told = file_name(name)
                if told is None or told.kind not in KINDS:
                    notices.append(f"{path.name}: {name}: not used")
                    continue
                with archive.open(entry) as packed:
                    members.append(_copy(packed, folder / name))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError):
        raise InputError(f"{path.name}: the zip cannot be read; {AGAIN}") from None
    if not members:
        raise InputError(f"{path.name}: there is no CCLF file in the zip; {AGAIN}")
    return members, notices


def _as_text(path: str, folder: Path) -> str:
    """The path, or that of a copy where the file holds bytes that are no UTF-8."""
    if not is_local(path):
        return path
    local = _local(path)
    try:
        with _opened(local) as file:
            decoder = codecs.getincrementaldecoder("utf-8")()
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
            return path
    except UnicodeDecodeError:
        folder.mkdir(parents=True)
        with _opened(local) as file:
            return _copy(file, folder / local.name.removesuffix(".gz"))
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise InputError(f"{local.name}: the gzip file cannot be read; {AGAIN}") from None


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _copy(packed: IO[bytes], to: Path) -> str:
    """The URI of a copy in UTF-8. A byte that is none becomes one replacement character: fields keep their places."""
    lines = io.TextIOWrapper(packed, encoding="utf-8", errors="replace", newline="")
    with lines, to.open("w", encoding="utf-8", newline="") as file:
        shutil.copyfileobj(lines, file, _CHUNK)
    return to.absolute().as_uri()


Counts = dict[tuple[str, str], tuple[int, int]]
"""Records and record length by CCLF0 file and kind."""


def _counts(spark: SparkSession, controls: Sequence[SourceFile]) -> Counts:
    if not controls:
        return {}
    lines = numbered_lines(spark, controls).select("_source_file", F.rtrim("value").alias("value")).collect()
    counts: Counts = {}
    for line in lines:
        cells = [cell.strip() for cell in line["value"].split("|")]
        if len(cells) < 4 or not (cells[2].isdigit() and cells[3].isdigit()):
            raise InputError(f"{line['_source_file']}: a line is not that of a CCLF0 file; {AGAIN}")
        counts[line["_source_file"], cells[0].lower()] = (int(cells[2]), int(cells[3]))
    return counts


def _check(delivery: Delivery, counts: Counts) -> None:
    """Every file is there, and holds as many records as CCLF0 says.

    Raises:
        InputError: names the file.
    """
    control = delivery.files.get(CONTROL)
    if control is None or not control.rows:
        raise InputError(f"{delivery.name}: CCLF0, which counts the other files, is missing or empty; {AGAIN}")
    for kind in KINDS[1:]:
        if (control.name, kind) not in counts:
            raise InputError(f"{control.name}: tells nothing of {kind.upper()}; {AGAIN}")
        records, length = counts[control.name, kind]
        file = delivery.files.get(kind)
        if file is None:
            raise InputError(f"{delivery.name}: {kind.upper()} is missing, CCLF0 counts {records:,} records; {AGAIN}")
        if file.rows != records:
            raise InputError(f"{file.name}: holds {file.rows:,} records, CCLF0 counts {records:,}; {AGAIN}")
        if records and length != record_length(kind):
            raise InputError(
                f"{control.name}: {kind.upper()} has records of {length} characters, this version reads "
                f"{record_length(kind)}; the layout has changed"
            )
    if not delivery.files["cclf8"].rows:
        raise InputError(f"{delivery.name}: CCLF8 lists nobody, so that it tells no month; {AGAIN}")
    delivery.files[CONTROL] = replace(control, rows=control.rows - 1)


def untold_months(told: set[date]) -> Iterator[date]:
    """The months between the first and the last told that no delivery tells."""
    if told:
        first, last = min(told), max(told)
        for number in range(number_of(first), number_of(last)):
            month = date(number // 12, number % 12 + 1, 1)
            if month not in told:
                yield month
