"""What leaves the warehouse without giving a few people away: small cells and what would tell them by subtraction.

A count from 1 to 10 of members, months, stays, visits, services or lines is not shown, nor any figure of its row. Rows
add up to others (`cell_relations.py`), so more are left out until no subtraction and no combination of them brings a
figure back. A row that is left out under one policy is left out under all, as rows of two policies may be equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pmpm_spark.cell_relations import (
    GROWTH,
    IN_NETWORK,
    PEOPLE,
    POLICY,
    SHOWN,
    TOTALS,
    UNSCORED,
    Cell,
    Of,
    Row,
    Shown,
)
from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.table import Table

LEFT_OUT = "is_left_out"
WHOLE = "whole"
OWN_CELLS = (UNSCORED, IN_NETWORK, GROWTH)
"""Figures that are left out by themselves: members less scored members are a count of members, too, and growth tells
the year before."""


@dataclass(frozen=True)
class _Sum:
    """A whole and its parts under one policy, and the counts of the parts that add up to the whole's."""

    whole: Cell
    parts: tuple[Cell, ...]
    counts: tuple[Mapping[Cell, Any], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (self.whole, *self.parts)

    @property
    def signs(self) -> dict[Cell, int]:
        return {**dict.fromkeys(self.parts, 1), self.whole: -1}


@dataclass
class _Cells:
    """The cells of all tables: their counts, what they add up to, and which follow which."""

    counts: dict[Cell, list[Any]] = field(default_factory=dict)
    followers: dict[Cell, list[Cell]] = field(default_factory=dict)
    sums: list[_Sum] = field(default_factory=list)

    def size(self, cell: Cell) -> Any:
        return max(self.counts.get(cell, ()), default=0)


@dataclass(frozen=True)
class Shareable:
    """The tables as they may leave the warehouse, each row with `is_left_out`, and what was left out of each."""

    tables: Mapping[str, list[dict[str, Any]]]
    rows_left_out: Mapping[str, int]
    figures_left_out: Mapping[str, int]

    def rows(self, name: str, **where: Any) -> list[dict[str, Any]]:
        """The rows of a table with these values, whole or left out; none where the run has no such table."""
        return [row for row in self.tables.get(name, []) if all(row[k] == v for k, v in where.items())]


def without_small_cells(tables: Mapping[str, Sequence[Row]]) -> Shareable:
    """The tables that may leave the warehouse, by short name, without figures that tell of fewer than 11.

    `totals` of all networks by policy and year are added. Tables that are not among SHOWN are dropped.
    """
    shown = [one for one in SHOWN if one.name in tables]
    told = {one.name: list(tables[one.name]) for one in shown}
    totals = _totals(told.get("network_pmpm", []))
    left_out = cells_left_out(told, totals)
    rows_left_out, figures_left_out, published = {}, {}, {}
    for one in shown:
        rows = [_told(one, row, left_out) for row in told[one.name]]
        published[one.name] = rows
        rows_left_out[one.name] = sum(row[LEFT_OUT] for row in rows)
        figures_left_out[one.name] = sum(
            row[name] is None and old[name] is not None
            for row, old in zip(rows, told[one.name], strict=True)
            for name in one.figures
        )
    names = (*PEOPLE, "paid_amount", "counted_amount", UNSCORED)
    published[TOTALS] = [_total_told(row, names, left_out) for row in totals]
    return Shareable(published, rows_left_out, figures_left_out)


def parts_left_out(parts: Mapping[str, int]) -> set[str]:
    """The parts of a sum that are left out, with WHOLE where the sum must be, too; parts of 0 are told."""
    counts = {(name, ()): count for name, count in parts.items() if count}
    told = _Cells({cell: [count] for cell, count in counts.items()}, sums=[_Sum((WHOLE, ()), tuple(counts), (counts,))])
    left_out = _LeftOut(told)
    for cell, count in counts.items():
        if _is_small(count):
            left_out.add(cell)
    left_out.protect()
    return {name for name, _ in left_out.cells}


def cells_left_out(
    tables: Mapping[str, Sequence[Row]], totals: Sequence[Row], *, complementary: bool = True
) -> frozenset[Cell]:
    """Every cell that is left out: the small ones, those that follow them, and those that would give them away."""
    cells = _cells(tables, totals)
    left_out = _LeftOut(cells)
    for cell, counts in cells.counts.items():
        if any(_is_small(value) for value in counts):
            left_out.add(cell)
    if complementary:
        left_out.protect()
    return frozenset(left_out.cells)


def _is_small(value: Any) -> bool:
    return bool(0 < value < SMALL_CELL)


def _totals(networks: Sequence[Row]) -> list[dict[str, Any]]:
    """The sums of all networks by policy and year."""
    sums: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in networks:
        total = sums.setdefault((row[POLICY], row["performance_year"]), {})
        for name in (*PEOPLE, "paid_amount", "counted_amount", UNSCORED):
            total[name] = total.get(name, 0) + (row[name] or 0)
    return [{POLICY: policy, "performance_year": year, **total} for (policy, year), total in sums.items()]


def _cells(tables: Mapping[str, Sequence[Row]], totals: Sequence[Row]) -> _Cells:
    cells = _Cells()
    for row in totals:
        _add_counts(cells, (TOTALS, (row["performance_year"],)), row, PEOPLE)
    for one in SHOWN:
        rows = [{**row, **one.tells(row)} for row in tables.get(one.name, ())]
        for row in rows:
            _add_counts(cells, one.cell(row), row, (*one.counts, *one.tells(row)))
            for cell in one.followed(row):
                cells.followers.setdefault(cell, []).append(one.cell(row))
            cells.followers.setdefault(one.cell(row), []).extend(one.takes_along(row))
            for apart in one.apart:
                for cell in apart.of(row):
                    cells.followers.setdefault(cell, []).append(one.cell(row, apart.name))
        for column in _own_cells(one.table):
            for row in rows:
                counts = {UNSCORED: _unscored(row)} if column == UNSCORED else {}
                _add_counts(cells, one.cell(row, column), counts, tuple(counts))
                cells.followers.setdefault(one.cell(row), []).append(one.cell(row, column))
        for of in one.adds_up_to:
            cells.sums += _sums(one, rows, of)
            columns = [c for c in _own_cells(one.table) if _has_own_cell(of.table, c)]
            for column in columns:
                cells.sums += _sums(one, rows, of, column)
    for row in totals:
        counts = {UNSCORED: _unscored(row)}
        _add_counts(cells, (f"{TOTALS}.{UNSCORED}", (row["performance_year"],)), counts, (UNSCORED,))
    return cells


def _unscored(row: Row) -> int:
    return int(row["members"]) - int(row[UNSCORED] or 0)


def _own_cells(table: Table) -> tuple[str, ...]:
    return tuple(c for c in OWN_CELLS if c in table.column_names and "members" in table.column_names)


def _has_own_cell(table: str, column: str) -> bool:
    if table == TOTALS:
        return column == UNSCORED
    return any(one.name == table and column in _own_cells(one.table) for one in SHOWN)


def _add_counts(cells: _Cells, cell: Cell, row: Row, names: tuple[str, ...]) -> None:
    cells.counts.setdefault(cell, []).extend(row[name] for name in names if row[name] is not None)


def _sums(one: Shown, rows: Sequence[Row], of: Of, column: str = "") -> list[_Sum]:
    """One sum a policy and whole."""
    parts: dict[tuple[Any, Cell], list[Row]] = {}
    for row in rows:
        if all(row[name] == value for name, value in of.where):
            table, key = of.whole(row)
            whole = (f"{table}.{column}" if column else table), key
            parts.setdefault((row[POLICY], whole), []).append(row)
    found = []
    for (_, whole), of_whole in parts.items():
        if column == UNSCORED:
            counts: list[dict[Cell, Any]] = [{one.cell(r, column): _unscored(r) for r in of_whole}]
        else:
            counts = [{one.cell(r): r[name] for r in of_whole if r[name]} for name in of.counts if not column]
        cells = tuple(one.cell(row, column) for row in of_whole)
        found.append(_Sum(whole, cells, tuple(counts)))
    return found


class _LeftOut:
    """The cells that are left out so far, and the sums to be looked at again because of them."""

    def __init__(self, told: _Cells) -> None:
        self.cells: set[Cell] = set()
        self._told = told
        self._sums_of: dict[Cell, list[int]] = {}
        for place, one in enumerate(told.sums):
            for cell in one.cells:
                self._sums_of.setdefault(cell, []).append(place)
        self._again: dict[int, None] = {}

    def add(self, cell: Cell) -> None:
        """Leave out a cell and all that follow it."""
        waiting = [cell]
        while waiting:
            one = waiting.pop()
            if one not in self.cells:
                self.cells.add(one)
                self._again |= dict.fromkeys(self._sums_of.get(one, ()))
                waiting += self._told.followers.get(one, [])

    def protect(self) -> None:
        """Leave out more, the smallest first, until nothing that is left out can be brought back."""
        while True:
            while self._again:
                place = min(self._again)
                del self._again[place]
                one = self._told.sums[place]
                while not self._is_safe(one) and self._add_smallest([one]):
                    pass
            touched = [one for one in self._told.sums if any(cell in self.cells for cell in one.cells)]
            found = brought_back([{c: n for c, n in one.signs.items() if c in self.cells} for one in touched])
            if not any(self._add_near(cell, touched) for cell in found):
                return

    def _add_near(self, cell: Cell, sums: Sequence[_Sum]) -> bool:
        """Leave out the smallest cell of the sums that a cell is in, else of those that share cells with them."""
        reached, met = {cell}, -1
        while len(reached) > met:
            met = len(reached)
            near = [one for one in sums if any(c in reached for c in one.cells)]
            if self._add_smallest(near):
                return True
            reached |= {c for one in near for c in one.cells}
        return False

    def _is_safe(self, one: _Sum) -> bool:
        """Whether the sum, and what is known of its whole, tells nothing of its parts: each may be 11 or more."""
        hidden = [cell for cell in one.parts if cell in self.cells]
        if one.whole in self.cells and len(hidden) == len(one.parts):
            return True
        if not hidden:
            return one.whole not in self.cells
        if len(hidden) < 2:
            return False
        for counts in one.counts:
            values = [counts[cell] for cell in hidden if cell in counts]
            if values and sum(values) - (len(values) - 1) < SMALL_CELL:
                return False
        return True

    def _add_smallest(self, sums: Sequence[_Sum]) -> bool:
        """Leave out the smallest part that is still told, else the smallest whole."""
        parts = [cell for one in sums for cell in one.parts if cell not in self.cells]
        wholes = [one.whole for one in sums if one.whole not in self.cells]
        if parts or wholes:
            self.add(min(parts or wholes, key=lambda cell: (self._told.size(cell), _order(cell))))
        return bool(parts or wholes)


PRIME = 2**61 - 1
"""Sums are solved modulo it, which keeps the numbers short: the same cells follow as from fractions, but for an
accident of one in 2**61."""


def brought_back(sums: Iterable[Mapping[Cell, int]]) -> list[Cell]:
    """The unknown cells whose value follows from the sums together; each is given as the signed cells that it lacks."""
    rows = [one for one in sums if one]
    while True:  # a sum with two unknowns of its own tells nothing of any other
        often = Counter(cell for row in rows for cell in row)
        kept = [row for row in rows if sum(often[cell] == 1 for cell in row) < 2]
        if len(kept) == len(rows):
            break
        rows = kept
    solved: dict[Cell, dict[Cell, int]] = {}
    has: dict[Cell, set[Cell]] = {}  # by cell, whose rows in `solved` it stands in
    for row in rows:
        rest = {cell: sign % PRIME for cell, sign in row.items()}
        for cell in row:
            if cell in solved:
                _subtract(rest, solved[cell], rest[cell])
        if not rest:
            continue
        pivot = min(rest, key=lambda cell: len(has.get(cell, ())))
        share = pow(rest[pivot], -1, PRIME)
        rest = {cell: value * share % PRIME for cell, value in rest.items()}
        for one in has.pop(pivot, set()):
            before = set(solved[one])
            _subtract(solved[one], rest, solved[one][pivot])
            for cell in before - set(solved[one]) - {pivot}:
                has[cell].discard(one)
            for cell in set(solved[one]) - before:
                has.setdefault(cell, set()).add(one)
        solved[pivot] = rest
        for cell in rest:
            has.setdefault(cell, set()).add(pivot)
    return sorted((cell for cell, of in solved.items() if len(of) == 1), key=_order)


def _subtract(row: dict[Cell, int], other: Mapping[Cell, int], times: int) -> None:
    for cell, value in other.items():
        told = (row.get(cell, 0) - times * value) % PRIME
        if told:
            row[cell] = told
        else:
            row.pop(cell, None)


def _order(cell: Cell) -> tuple[Any, ...]:
    return cell[0], tuple(map(str, cell[1]))


def _told(one: Shown, row: Row, left_out: frozenset[Cell]) -> dict[str, Any]:
    is_left_out = one.cell(row) in left_out
    hidden = set(one.figures) if is_left_out else set(_hidden_alone(one, row, left_out))
    return {**{n: None if n in hidden else row[n] for n in one.table.column_names}, LEFT_OUT: is_left_out}


def _hidden_alone(one: Shown, row: Row, left_out: frozenset[Cell]) -> Iterator[str]:
    for column in _own_cells(one.table):
        if one.cell(row, column) in left_out:
            yield column
    for apart in one.apart:
        if one.cell(row, apart.name) in left_out:
            yield from apart.figures


def _total_told(row: dict[str, Any], names: tuple[str, ...], left_out: frozenset[Cell]) -> dict[str, Any]:
    key = (row["performance_year"],)
    if (TOTALS, key) in left_out:
        return {**row, **dict.fromkeys(names), LEFT_OUT: True}
    alone = {UNSCORED: None} if (f"{TOTALS}.{UNSCORED}", key) in left_out else {}
    return {**row, **alone, LEFT_OUT: False}
