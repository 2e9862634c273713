"""One warehouse and its input, below a folder or in a bucket, and what its tables hold, read by neither engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.configured import write_config
from tests.same_rows import only_in_one


@dataclass(frozen=True)
class Place:
    """`root` is a folder of this machine, or `s3a://bucket`; `notes` the folder of this machine for what is said."""

    name: str
    root: str
    engine: str
    notes: Path
    storage_options: Mapping[str, str] | None = None

    @property
    def input(self) -> str:
        return f"{self.root}/input"

    @property
    def warehouse(self) -> str:
        return f"{self.root}/warehouse"

    @property
    def config(self) -> Path:
        return self.notes / f"{self.name}.toml"

    @property
    def done(self) -> Path:
        """What its job left: steps with their seconds, and the versions after each."""
        return self.notes / f"{self.name}.json"

    def write_config(self, years: tuple[int, ...]) -> None:
        write_config(
            self.config,
            files=self.input,
            beside=self.input,
            warehouse=f'path = "{self.warehouse}"',
            years=years,
            engine=self.engine,
        )

    def rows(self, table: str, version: int | None = None) -> Any:
        """The table's rows at a version, by default the newest, as Arrow's."""
        from deltalake import DeltaTable

        where = f"{self.warehouse}/{table.replace('.', '/')}".replace("s3a://", "s3://")
        options = dict(self.storage_options) if self.storage_options else None
        return DeltaTable(where, version=version, storage_options=options).to_pyarrow_table()

    def last_run(self) -> dict[str, Any]:
        """The row of the last finished run in the book."""
        book = self.rows("ops.runs").to_pylist()
        return max((row for row in book if row["status"] == "finished"), key=lambda row: row["run_id"])

    def versions(self) -> dict[str, int]:
        """The versions that it published."""
        return dict(self.last_run()["versions"])


def differences(
    one: tuple[Place, Mapping[str, int]], other: tuple[Place, Mapping[str, int]]
) -> tuple[int, int, list[str]]:
    """Tables and rows compared at these versions, every column of every row, and what differs."""
    left, right = one[1], other[1]
    faults = [f"only one of them has {name}" for name in sorted(set(left) ^ set(right))]
    names = sorted(set(left) & set(right))
    rows = 0
    for name in names:
        first, second = one[0].rows(name, left[name]), other[0].rows(name, right[name])
        rows += len(first)
        faults += _other_rows(name, first, second)
    return len(names), rows, faults


def _other_rows(table: str, first: Any, second: Any) -> list[str]:
    if first.column_names != second.column_names:
        return [f"{table}: other columns"]
    alone = zip(("one", "other"), only_in_one(first, second), strict=True)
    return [f"{table}: {count} rows are only in the {name}" for name, count in alone if count]
