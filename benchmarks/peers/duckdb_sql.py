"""The reference job in DuckDB: one script of SQL, all cores, in memory, Parquet to Parquet.

python -m benchmarks.peers.duckdb_sql INPUT OUT FIRST_YEAR LAST_YEAR
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

SCRIPT = Path(__file__).with_suffix(".sql")


def run(source: str, out: str, first_year: int, last_year: int) -> None:
    """Write the eight tables below `out`."""
    Path(out).mkdir(parents=True)
    with duckdb.connect(config={"preserve_insertion_order": False}) as at:
        for name, value in {"input": source, "out": out, "first_year": first_year, "last_year": last_year}.items():
            at.execute(f"SET VARIABLE {name} = $1", [value])
        at.execute(SCRIPT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
