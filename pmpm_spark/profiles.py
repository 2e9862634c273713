"""Which of our files of Spark properties a run on one machine gets: by the size of what was delivered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pmpm_spark.config import CATALOG, Source
from pmpm_spark.paths import is_local, plain
from pmpm_spark.properties import DEFAULT_PROPERTIES

SMALL_PROPERTIES = "spark/small.conf"
MOST_BYTES = 300 * 2**20
"""Packed bytes of some 70,000 members with every kind of claim; from about 100,000 on `local.conf` is faster."""
PACKED = (".gz", ".zip", ".parquet")
TEXT_OVER_PACKED = 8


def properties_for(source: Source) -> str:
    """`spark/small.conf` for a small input in a folder of this machine, else `spark/local.conf`."""
    if source.format == CATALOG or not is_local(source.path):
        return DEFAULT_PROPERTIES
    so_far = 0.0
    for file in _files(Path(plain(source.path))):
        size = file.stat().st_size
        so_far += size if file.name.endswith(PACKED) else size / TEXT_OVER_PACKED
        if so_far > MOST_BYTES:
            return DEFAULT_PROPERTIES
    return SMALL_PROPERTIES


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names if Path(folder, name).is_file())
