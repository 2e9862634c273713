"""What leaves the warehouse without giving a few people away: small cells and what would tell them by subtraction.

A count from 1 to 10 of members, months, stays, visits, services or lines is not shown, nor any figure of its row. Rows
add up to others, so more are left out until no subtraction and no combination of them brings a figure back. A row that
is left out under one policy is left out under all, as rows of two policies may be equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from pyspark.sql import types as T

from pmpm_spark.gold.capitation_variance import MONTH, PERIOD, YEAR
from pmpm_spark.gold.experience_scores import EXPERIENCE_SCORES, NETWORK, PHYSICIAN
from pmpm_spark.gold.four_factors import USE
from pmpm_spark.gold.network_comparison import ALL_OTHERS
from pmpm_spark.gold.network_replicates import NETWORK_REPLICATES
from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.gold.restatement import RISK
from pmpm_spark.months import number_of
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.stages import CAPITATION, GOLD
from pmpm_spark.table import MONTHS, MONTHS_OF_MANY, Table

Row = Mapping[str, Any]
Cell = tuple[str, tuple[Any, ...]]
"""A table and a row's key without its policy; or `table.column` and the key, for a figure with a cell of its own."""

POLICY, LEFT_OUT = "policy", "is_left_out"
TOTALS, EVERYTHING, ALL_NETWORKS = "totals", "everything", "network_comparison.all_networks"
"""The sums of a year over all rows by network; those of all that is excluded, by kind; and those of the networks alone,
without members of none, which a network's row against all others tells."""
WHOLE = "whole"
UNSCORED, IN_NETWORK = "scored_members", "in_network_paid_amount"
GROWTH = "pmpm_growth"
OWN_CELLS = (UNSCORED, IN_NETWORK, GROWTH)
"""Figures that are left out by themselves: members less scored members are a count of members, too, and growth tells
the year before."""
NOT_OF_PEOPLE = (
    "held_back_months", "margin_share", "mlr", "mlr_adjustment", "mlr_adjusted", "savings_rate", GROWTH,
    "program_return",
)  # fmt: skip
"""Columns of the type of a count or of member months that are none."""
KEPT = (
    "network_name", "network_type", "physician_name", "in_total", "performance_year", "learned_until", POLICY,
    "network_id", "comparator", "as_of", "level", "prior_wave", "prior_year", "unit", "code_sets",
    "since_run_id",
)  # fmt: skip
"""What is told of a row that is left out, besides its key."""


@dataclass(frozen=True)
class Of:
    """The row of another table that a row belongs to: by which of its columns, in the order of the other's key."""

    table: str
    by: tuple[str, ...]
    counts: tuple[str, ...] = ()
    """Counts that add up to the other row's; amounts always do."""
    where: tuple[tuple[str, Any], ...] = ()
    """Columns and values of the rows that add up to it; the others are no parts."""


@dataclass(frozen=True)
class Apart:
    """Figures of a row that tell another row's as well: they are left out by themselves where that one is."""

    name: str
    figures: tuple[str, ...]
    of: Callable[[Row], Iterable[Cell]]


@dataclass(frozen=True)
class Relations:
    """What the rows of a table tell of other rows.

    `adds_up_to`: rows of which they are the parts. `goes_with`: rows whose figures theirs repeat or tell; `also` those
    of other years and months. `takes_along`: sums over all networks, which are told where every part is. `apart`:
    figures that tell of other rows, of a row that can be told without them.
    """

    adds_up_to: tuple[Of, ...] = ()
    goes_with: tuple[Of, ...] = ()
    also: Callable[[Row], Iterable[Cell]] = lambda row: ()
    takes_along: Callable[[Row], Iterable[Cell]] = lambda row: ()
    apart: tuple[Apart, ...] = ()
    tells: Callable[[Row], Mapping[str, Any]] = lambda row: {}
    """Counts that a row tells without a column of theirs."""


@dataclass(frozen=True)
class Shown(Relations):
    """A table that leaves the warehouse."""

    table: Table = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.table.short_name

    @property
    def counts(self) -> tuple[str, ...]:
        return tuple(
            c.name
            for c in self.table.columns
            if (isinstance(c.type, T.LongType) or c.type in (MONTHS, MONTHS_OF_MANY)) and c.name not in NOT_OF_PEOPLE
        )

    @property
    def figures(self) -> tuple[str, ...]:
        return tuple(name for name in self.table.column_names if name not in (*self.table.key, *KEPT))

    def cell(self, row: Row, column: str = "") -> Cell:
        key = tuple(row[name] for name in self.table.key if name != POLICY)
        return (f"{self.name}.{column}" if column else self.name), key

    def followed(self, row: Row) -> Iterator[Cell]:
        """The cells with which the row is left out."""
        yield from (_whole(of, row) for of in self.goes_with)
        yield from self.also(row)


def _months(row: Row, last: int, length: int) -> Iterator[Cell]:
    """The cells of a network's months, as many as told until one."""
    for number in range(last - length + 1, last + 1):
        yield "network_pmpm_by_month", (row["network_id"], date(number // 12, number % 12 + 1, 1))


def _of_span(row: Row) -> Iterator[Cell]:
    """The months of a period and of the same period a year before, and the year before, whose risk is told."""
    last = number_of(row["member_month"])
    length = row["member_month"].month if row["span"] == "YEAR_TO_DATE" else 12
    yield from _months(row, last, length)
    yield from _months(row, last - 12, length)
    yield "network_pmpm", (row["performance_year"] - 1, row["network_id"])


def _of_level(row: Row) -> Iterator[Cell]:
    """The twelve months that a forecast starts from."""
    return _months(row, number_of(row["learned_until"]), 12)


def _of_year_before(row: Row) -> Iterator[Cell]:
    """The network, and its category, of the year before."""
    network = (row["performance_year"] - 1, row["network_id"])
    yield "network_pmpm", network
    yield "network_pmpm_by_category", (*network, row["service_category"])


def _of_other(row: Row) -> Iterator[Cell]:
    """The other network; of all others together, what all networks amount to."""
    if row["other_network_id"] == ALL_OTHERS:
        yield ALL_NETWORKS, (row["performance_year"],)
    else:
        yield "network_pmpm", (row["performance_year"], row["other_network_id"])


def _of_other_category(row: Row) -> Iterator[Cell]:
    """The category of either network; of all others together, what all networks have of it."""
    yield from _of_other(row)
    year, category = row["performance_year"], row["service_category"]
    yield "network_pmpm_by_category", (year, row["network_id"], category)
    if row["other_network_id"] == ALL_OTHERS:
        yield f"{ALL_NETWORKS}.by_category", (year, category)
    else:
        yield "network_pmpm_by_category", (year, row["other_network_id"], category)


def _sum_of_networks(row: Row) -> Iterator[Cell]:
    if row["network_id"] != UNATTRIBUTED:
        yield ALL_NETWORKS, (row["performance_year"],)


def _sum_of_category(row: Row) -> Iterator[Cell]:
    if row["network_id"] != UNATTRIBUTED:
        yield f"{ALL_NETWORKS}.by_category", (row["performance_year"], row["service_category"])


CONTRACT_MONTH, CONTRACT_YEAR = "capitation_variance.of_month", "capitation_variance.of_year"
"""What the ledger posted of a contract's month, and what its months amount to: told by its rows of month and year."""
_LINES_OF_YEAR = "capitation_ledger_by_reason.of_year"
_OF_EFFECTS, _SERVICES_OF_YEAR = "capitation_variance_split.of_category", "capitation_variance_split.of_year"


def _own_sum(row: Row) -> Iterator[Cell]:
    """The sum that a contract's row tells."""
    if row["period_type"] == YEAR:
        yield CONTRACT_YEAR, (row["contract_id"], row["performance_year"])
    else:
        yield CONTRACT_MONTH, (row["contract_id"], row["period"])


def _of_contract(row: Row) -> Iterator[Cell]:
    """With its own sum goes a contract's row, and its month with that of the network."""
    yield from _own_sum(row)
    if row["period_type"] == MONTH:
        yield "network_pmpm_by_month", (row["network_id"], row["period"])


def _sums_of_category(row: Row) -> Iterator[Cell]:
    """What both effects of a category tell: its services, and those of the year."""
    category = row["service_category"]
    if category:
        yield _OF_EFFECTS, (*[row[name] for name in PERIOD], category)
        if row["period_type"] == YEAR:
            yield _SERVICES_OF_YEAR, (row["contract_id"], row["performance_year"], category)


def _of_effect(row: Row) -> Iterator[Cell]:
    """With what both effects of a category tell, and with the same of the year before, whose services it tells too."""
    yield from _sums_of_category(row)
    if row["service_category"]:
        before = row["period"].replace(year=row["period"].year - 1)
        yield _OF_EFFECTS, (row["contract_id"], row["period_type"], before, row["service_category"])


def _of_result(row: Row) -> Iterator[Cell]:
    """The sum that a contract's year tells."""
    yield CONTRACT_YEAR, (row["contract_id"], row["performance_year"])


def _growth_after(row: Row) -> Iterator[Cell]:
    yield f"financial_performance.{GROWTH}", (row["contract_id"], row["performance_year"] + 1)


def _sum_of_reason(row: Row) -> Iterator[Cell]:
    if row["period_type"] == YEAR:
        yield _LINES_OF_YEAR, (row["contract_id"], row["performance_year"], row["reason"])


def _of_reason(row: Row) -> Iterator[Cell]:
    """With what was posted of the period, and with the lines of the year."""
    yield from _own_sum(row)
    yield from _sum_of_reason(row)


_ALL_WHO_ANSWERED = "experience_scores.of_network"
"""All answers of a network to a survey, domain and wave: what its own row tells, and its physicians' rows add up to."""
_OF_WAVE = ("performance_year", "network_id", "survey", "respondent", "domain", "wave")


def _own_answers(row: Row) -> Iterator[Cell]:
    if row["level"] == NETWORK:
        yield _ALL_WHO_ANSWERED, tuple(row[name] for name in _OF_WAVE)


def _of_prior_wave(row: Row) -> Iterator[Cell]:
    """The same row of the wave before, whose mean is this one's less the change."""
    if row["prior_wave"] is not None:
        before = {**row, "wave": row["prior_wave"], "performance_year": row["prior_year"]}
        yield "experience_scores", tuple(before[name] for name in EXPERIENCE_SCORES.key if name != POLICY)


_OUTCOME = "outcome_measures.of_network"
"""What the physicians of a network amount to in a measure: told by the network's row."""
WITHOUT, OF_FEW = "without", "of_few"


def _sum_of_outcome(row: Row) -> Iterator[Cell]:
    if row["level"] == NETWORK:
        yield _OUTCOME, (row["performance_year"], row["network_id"], row["measure"])


def _of_outcome(row: Row) -> Iterator[Cell]:
    """With its own sum goes a network's row, and a physician's with the months that it repeats."""
    yield from _sum_of_outcome(row)
    if row["level"] == PHYSICIAN:
        yield "physician_pmpm", (row["performance_year"], row["network_id"], row["physician_npi"])


def _told_by_outcome(row: Row) -> dict[str, Any]:
    """Stays that are not in the numerator of a share; and whether the row is of fewer than 11 members, as one."""
    without = row["denominator"] - row["numerator"] if row["unit"] == "share" else None
    return {WITHOUT: without, OF_FEW: int(row["is_small_cell"])}


_RESTATED, _RESTATED_ADJUSTED = "restatement.pmpm_change", "restatement.adjusted_pmpm_change"
TOUCHES, TOUCHES_ADJUSTED = "touches", "touches_adjusted"


def _of_restated(row: Row) -> Iterator[Cell]:
    """The whole change of the network's PMPM, raw and adjusted, which each of its rows tells."""
    for whole in (_RESTATED, _RESTATED_ADJUSTED):
        yield whole, (row["performance_year"], row["network_id"])


def _told_by_restated(row: Row) -> dict[str, Any]:
    """Whether the row is of fewer than 11 members, as one; and which whole it can hide others in, as a count that is
    not small: a part that touches nobody is known to be 0, and so is what risk moves of a raw PMPM."""

    def hides(change: Any) -> int:
        return SMALL_CELL if change or (row["members"] and row["part"] != RISK) else 0

    adjusted = SMALL_CELL if row["adjusted_pmpm_change"] or row["members"] else 0
    return {OF_FEW: int(row["is_small_cell"]), TOUCHES: hides(row["pmpm_change"]), TOUCHES_ADJUSTED: adjusted}


_OF_MONTHS = (("period_type", MONTH),)
_YEAR, _NETWORK = ("performance_year",), ("performance_year", "network_id")
_PEOPLE, _SERVICES = ("members", "member_months"), ("claim_lines", "services")
_OF_NETWORK = Of("network_pmpm", _NETWORK)
_OF_CATEGORY = Of("network_pmpm_by_category", (*_NETWORK, "service_category"))

RELATIONS: Mapping[str, Relations] = {
    "network_pmpm": Relations((Of(TOTALS, _YEAR, _PEOPLE),), takes_along=_sum_of_networks),
    "practice_pmpm": Relations((Of("network_pmpm", _NETWORK, _PEOPLE),)),
    "physician_pmpm": Relations((Of("network_pmpm", _NETWORK, _PEOPLE),)),
    "network_pmpm_by_month": Relations((Of("network_pmpm", _NETWORK, ("member_months",)),)),
    "network_pmpm_rolling": Relations((), (_OF_NETWORK,), _of_span),
    "pmpm_forecast": Relations((), (_OF_NETWORK,), _of_level),
    "network_pmpm_change": Relations(
        (Of("network_pmpm_change.adjusted_pmpm", _NETWORK),), (_OF_NETWORK, _OF_CATEGORY), _of_year_before
    ),
    "network_comparison": Relations((), (_OF_NETWORK,), _of_other),
    "network_comparison_parts": Relations(
        (Of("network_comparison.difference", (*_NETWORK, "other_network_id")),), (_OF_NETWORK,), _of_other_category
    ),
    "network_pmpm_by_category": Relations(
        (Of("network_pmpm", _NETWORK, where=(("in_total", True),)),), (_OF_NETWORK,), takes_along=_sum_of_category
    ),
    "network_pmpm_by_subcategory": Relations((replace(_OF_CATEGORY, counts=_SERVICES),), (_OF_NETWORK,)),
    "cost_concentration": Relations(
        (Of("cost_concentration.top_counted_amount", (*_NETWORK, "top_percent")),), (_OF_NETWORK, _OF_CATEGORY)
    ),
    "leakage_destinations": Relations((Of(f"network_pmpm.{IN_NETWORK}", _NETWORK),)),
    "network_risk_by_month": Relations((), (_OF_NETWORK, Of(f"network_pmpm.{UNSCORED}", _NETWORK))),
    "capitation_variance": Relations(
        (Of(CONTRACT_YEAR, ("contract_id", *_YEAR), ("member_months",), _OF_MONTHS),),
        (_OF_NETWORK,),
        _of_contract,
        _own_sum,
    ),
    "capitation_variance_split": Relations(
        (
            Of("capitation_variance.difference", PERIOD),
            Of(
                _SERVICES_OF_YEAR,
                ("contract_id", *_YEAR, "service_category"),
                ("services", "comparator_services"),
                (*_OF_MONTHS, ("effect", USE)),
            ),
        ),
        (Of("capitation_variance", PERIOD), _OF_NETWORK, _OF_CATEGORY),
        _of_effect,
        _sums_of_category,
    ),
    "capitation_ledger_by_reason": Relations(
        (
            Of(_LINES_OF_YEAR, ("contract_id", *_YEAR, "reason"), ("lines",), _OF_MONTHS),
            Of(CONTRACT_MONTH, ("contract_id", "period"), where=_OF_MONTHS),
            Of(CONTRACT_YEAR, ("contract_id", *_YEAR), where=(("period_type", YEAR),)),
        ),
        also=_of_reason,
        takes_along=_sum_of_reason,
    ),
    "experience_scores": Relations(
        (Of(_ALL_WHO_ANSWERED, _OF_WAVE, ("responses", "respondents"), (("level", PHYSICIAN),)),),
        also=_own_answers,
        takes_along=_own_answers,
        apart=(Apart("change", ("change", "change_low", "change_high"), _of_prior_wave),),
    ),
    "outcome_measures": Relations(
        (
            Of(
                _OUTCOME,
                (*_NETWORK, "measure"),
                ("numerator", "denominator", WITHOUT),
                (("level", PHYSICIAN),),
            ),
        ),
        (_OF_NETWORK,),
        _of_outcome,
        _sum_of_outcome,
        tells=_told_by_outcome,
    ),
    "financial_performance": Relations((), (_OF_NETWORK,), _of_result, _growth_after),
    "restatement": Relations(
        (
            Of(_RESTATED, _NETWORK, where=((TOUCHES, SMALL_CELL),)),
            Of(_RESTATED_ADJUSTED, _NETWORK, where=((TOUCHES_ADJUSTED, SMALL_CELL),)),
        ),
        (_OF_NETWORK,),
        _of_restated,
        tells=_told_by_restated,
    ),
    "excluded": Relations((Of(EVERYTHING, ("performance_year", "kind"), ("member_months", "claim_lines")),)),
}
SHOWN: tuple[Shown, ...] = tuple(
    Shown(**vars(RELATIONS[table.short_name]), table=table)
    for table in (*GOLD, *CAPITATION)
    if table.short_name in RELATIONS
)
"""Every table that may leave the warehouse. One whose relations are not told here stays."""
STAYS = (NETWORK_REPLICATES,)
"""What other tables are made from and nobody is to read."""


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
    names = (*_PEOPLE, "paid_amount", "counted_amount", UNSCORED)
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
        for name in (*_PEOPLE, "paid_amount", "counted_amount", UNSCORED):
            total[name] = total.get(name, 0) + (row[name] or 0)
    return [{POLICY: policy, "performance_year": year, **total} for (policy, year), total in sums.items()]


def _cells(tables: Mapping[str, Sequence[Row]], totals: Sequence[Row]) -> _Cells:
    cells = _Cells()
    for row in totals:
        _add_counts(cells, (TOTALS, (row["performance_year"],)), row, _PEOPLE)
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


def _whole(of: Of, row: Row) -> Cell:
    return of.table, tuple(row[name] for name in of.by)


def _add_counts(cells: _Cells, cell: Cell, row: Row, names: tuple[str, ...]) -> None:
    cells.counts.setdefault(cell, []).extend(row[name] for name in names if row[name] is not None)


def _sums(one: Shown, rows: Sequence[Row], of: Of, column: str = "") -> list[_Sum]:
    """One sum a policy and whole."""
    parts: dict[tuple[Any, Cell], list[Row]] = {}
    for row in rows:
        if all(row[name] == value for name, value in of.where):
            table, key = _whole(of, row)
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
