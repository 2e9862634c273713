"""Whether two sides have the same tables: row for row, to the cent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from benchmarks.tables import POLICY, TABLES, Compared

NEAR = 1e-9
"""How far two quotients may differ, as a share of the larger."""
MEMORY = "6GB"


def differences(left: Path, right: Path, scratch: Path) -> list[str]:
    """What of the tables of two sides is not the same, a line a table; none where all are equal.

    A side is a warehouse of ours, or a folder of a peer's Parquet.
    """
    return list(_differences(left, right, scratch))


def _differences(left: Path, right: Path, scratch: Path) -> Iterator[str]:
    config: dict[str, Any] = {"memory_limit": MEMORY, "temp_directory": str(scratch), "preserve_insertion_order": False}
    for table in TABLES:
        with duckdb.connect(config=config) as at:
            _view(at, "ours", left, table)
            _view(at, "theirs", right, table)
            yield from (f"{table.name}: {problem}" for problem in _of_table(at, table))


def _view(at: duckdb.DuckDBPyConnection, name: str, side: Path, table: Compared) -> None:
    """The columns that are compared, as a view."""
    delta = side / table.ours.replace(".", "/")
    if delta.is_dir():
        at.register(f"{name}_stored", DeltaTable(str(delta)).to_pyarrow_dataset())
        where = f"policy = '{POLICY}' AND {table.where}"
        at.execute(f"CREATE VIEW {name} AS SELECT {table.chosen} FROM {name}_stored WHERE {where}")
        return
    found = side / f"{table.name}.parquet"
    files = f"{found}/*.parquet" if found.is_dir() else str(found)
    at.execute(f"CREATE VIEW {name} AS FROM read_parquet('{files}', hive_partitioning = false)")


def _of_table(at: duckdb.DuckDBPyConnection, table: Compared) -> Iterator[str]:
    counts = [_count(at, f"SELECT count(*) FROM {side}") for side in ("ours", "theirs")]
    if counts[0] != counts[1]:
        yield f"{counts[1]:,} rows in the place of {counts[0]:,}"
        return
    # of as many rows on both sides, none missing on one side says that they are the same
    years = at.execute("SELECT DISTINCT performance_year FROM ours").fetchall() if table.is_large else [(None,)]
    for (year,) in years:
        of_year = "" if year is None else f"WHERE performance_year = {year}"
        sides = [_typed(table, side, of_year) for side in ("ours", "theirs")]
        missing = _count(at, f"SELECT count(*) FROM ({sides[0]} EXCEPT ALL {sides[1]})")
        if missing:
            yield f"{missing:,} rows{f' of {year}' if year else ''} differ"
    if table.quotients:
        yield from _quotients(at, table)


def _typed(table: Compared, side: str, where: str) -> str:
    """The exact columns of a side, amounts in cents, whatever its types."""
    cells = [f"CAST({name} AS {_kind(name)}) AS {name}" for name in table.exact]
    return f"SELECT {', '.join(cells)} FROM {side} {where}"


def _kind(name: str) -> str:
    if name.endswith("_amount"):
        return "DECIMAL(18, 2)"
    if name == "member_months":
        return "DECIMAL(18, 6)"
    if name.startswith(("is_", "in_total")):
        return "BOOLEAN"
    if name == "member_month":
        return "DATE"
    whole = ("performance_year", "members", "scored_members", "claim_lines", "denied_lines")
    return "BIGINT" if name in whole else "VARCHAR"


def _quotients(at: duckdb.DuckDBPyConnection, table: Compared) -> Iterator[str]:
    names = ", ".join([*table.key, *table.quotients])
    sides = [
        at.execute(f"SELECT {names} FROM {side} ORDER BY {', '.join(table.key)}").fetchall()
        for side in ("ours", "theirs")
    ]
    at_key = len(table.key)
    for place, name in enumerate(table.quotients, start=at_key):
        far = sum(not _is_near(ours[place], theirs[place]) for ours, theirs in zip(*sides, strict=True))
        if far:
            yield f"{name} differs in {far:,} rows"


def _is_near(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=NEAR)


def _count(at: duckdb.DuckDBPyConnection, query: str) -> int:
    row = at.execute(query).fetchone()
    assert row is not None
    return int(row[0])
