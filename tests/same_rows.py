"""Two Arrow tables compared by DuckDB, row for row: every column, exactly, and a row told twice is not a row told once."""

from __future__ import annotations

from typing import Any


def only_in_one(first: Any, second: Any) -> tuple[int, int]:
    """How many rows the first has alone, and the second."""
    import duckdb

    columns = ", ".join(f'"{column}"' for column in first.column_names)
    with duckdb.connect() as connection:
        connection.register("one", first)
        connection.register("other", second)

        def alone(mine: str, theirs: str) -> int:
            only = f"(SELECT {columns} FROM {mine} EXCEPT ALL SELECT {columns} FROM {theirs})"
            return int(connection.execute(f"SELECT count(*) FROM {only}").fetchall()[0][0])

        return alone("one", "other"), alone("other", "one")
