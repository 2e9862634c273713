"""Delivered files written anew: some of their rows, as they are or changed."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rewritten(
    path: Path, to: Path, kept: Callable[[Row], bool], change: Callable[[Row], None] = lambda row: None
) -> None:
    """A delivered file with some of its rows, changed or not, under another name."""
    packed = path.name.endswith(".gz")
    text = (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).decode()
    separator = "|" if "|" in text.partition("\n")[0] else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    out = io.StringIO()
    writer = csv.DictWriter(out, reader.fieldnames or (), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    for row in reader:
        if kept(row):
            change(row)
            writer.writerow(row)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(gzip.compress(out.getvalue().encode()) if packed else out.getvalue().encode())
