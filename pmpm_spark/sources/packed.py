"""Big text files packed for the embedded engine, which reads a plain one in parts whose order it does not keep.

A packed file it reads from first to last, so that every line has its number. The copies live as long as the process.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

READ_IN_PARTS = 2**19
"""Bytes from which on a plain file is packed. The engine parts a file of 1 MiB and more, and which of its threads reads
which part is chance: in one reading in some thirty the ids of two readings do not agree, and lines were lost."""
COMPRESSED = (".gz", ".bz2", ".zst", ".xz")
_FOLDER = "pmpm-packed-"
_folders: list[tempfile.TemporaryDirectory[str]] = []


def unparted(file: Path) -> Path:
    """The file, or where it is large and plain a packed copy of it."""
    if file.suffix in COMPRESSED or file.stat().st_size < READ_IN_PARTS:
        return file
    told = file.stat()
    key = sha256(f"{file}|{told.st_size}|{told.st_mtime_ns}".encode()).hexdigest()[:32]
    packed = _folder() / f"{key}.gz"
    if not packed.exists():
        part = packed.with_suffix(".part")
        with file.open("rb") as plain, gzip.open(part, "wb", compresslevel=1) as target:
            shutil.copyfileobj(plain, target, 2**20)
        part.rename(packed)
    return packed


def _folder() -> Path:
    if not _folders:
        _remove_left_over(Path(tempfile.gettempdir()))
        _folders.append(tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-"))
    return Path(_folders[0].name)


def _remove_left_over(where: Path) -> None:
    """Copies of processes that were killed."""
    for folder in where.glob(f"{_FOLDER}*"):
        told = re.fullmatch(rf"{_FOLDER}(\d+)-.*", folder.name)
        if told and not _is_alive(int(told[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
