"""The comparison of `make test-s3` sees every row that is not in both places."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from tests.s3.place import Place, differences

TABLE = "silver.months"


def stored(folder: Path, name: str, rows: list[tuple[str, int | None]]) -> Place:
    place = Place(name, str(folder / name), "embedded", folder)
    table = pa.table({"member_id": [row[0] for row in rows], "months": pa.array([row[1] for row in rows], pa.int32())})
    write_deltalake(f"{place.warehouse}/silver/months", table)
    return place


def test_rows_in_another_order_are_no_difference_and_a_row_told_twice_is_one(tmp_path: Path) -> None:
    one = stored(tmp_path, "one", [("a", 1), ("b", None), ("b", None)])
    other = stored(tmp_path, "other", [("b", None), ("a", 1), ("b", None)])
    third = stored(tmp_path, "third", [("a", 1), ("b", None), ("a", 1)])
    at = {TABLE: 0}
    assert differences((one, at), (other, at)) == (1, 3, [])
    assert differences((one, at), (third, at)) == (
        1,
        3,
        [f"{TABLE}: 1 rows are only in the one", f"{TABLE}: 1 rows are only in the other"],
    )


def test_a_table_that_one_place_has_alone_is_a_difference(tmp_path: Path) -> None:
    one = stored(tmp_path, "one", [("a", 1)])
    assert differences((one, {TABLE: 0}), (one, {})) == (0, 0, [f"only one of them has {TABLE}"])


def test_versions_of_one_place_are_compared(tmp_path: Path) -> None:
    one = stored(tmp_path, "one", [("a", 1)])
    write_deltalake(
        f"{one.warehouse}/silver/months",
        pa.table({"member_id": ["b"], "months": pa.array([1], pa.int32())}),
        mode="append",
    )
    assert differences((one, {TABLE: 0}), (one, {TABLE: 1}))[2] == [f"{TABLE}: 1 rows are only in the other"]
    assert one.rows(TABLE).num_rows == 2
