"""What a Delta table holds, in two numbers: read without either engine, so that tables of any size are compared at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
from deltalake import DeltaTable

OF_THE_RUN = ("_batch_id", "_ingested_at", "since_run_id", "run_id")
"""Columns that name a run or its moment; every other column is compared."""

Digest = Mapping[str, tuple[int, int]]
"""Of each table that counts its rows, and the sum of the hashes of its rows: a row twice, or another, is another sum."""


def digest_of(folder: Path, version: int) -> tuple[int, int]:
    """The rows of one table, and the sum of their hashes."""
    rows = DeltaTable(str(folder), version=version).to_pyarrow_table()
    told = ", ".join(f'"{name}"' for name in sorted(rows.column_names) if name not in OF_THE_RUN)
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        found = connection.execute(f"SELECT count(*), coalesce(sum(hash(row({told}))), 0) FROM rows").fetchall()[0]
    return int(found[0]), int(found[1])


def differing(found: Digest, wanted: Digest) -> list[str]:
    """The tables whose rows are not those that they should be."""
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
