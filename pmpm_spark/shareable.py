"""The gold tables of the last finished run as they may leave the warehouse: what report and export are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pmpm_spark.at_once import each
from pmpm_spark.cell_relations import SHOWN, Shown
from pmpm_spark.small_cells import Shareable, without_small_cells

if TYPE_CHECKING:
    from pmpm_spark.warehouse import Published


def shareable(warehouse: Published) -> Shareable:
    """Every table that may leave and that the run has, in the order of its key, without small cells."""
    there = [one for one in SHOWN if one.table.name in warehouse.run.versions]

    def rows_of(one: Shown) -> Callable[[], list[dict[str, Any]]]:
        def rows() -> list[dict[str, Any]]:
            found = [row.asDict() for row in warehouse.read(one.table).collect()]
            return sorted(found, key=lambda row: [str(row[name]) for name in one.table.key])

        return rows

    tables = each([rows_of(one) for one in there])
    return without_small_cells({one.name: rows for one, rows in zip(there, tables, strict=True)})
