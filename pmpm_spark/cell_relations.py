"""What rows that leave the warehouse tell of each other: what adds up to what, and which figures give others away.

`small_cells.py` says what is therefore left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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

POLICY = "policy"
TOTALS, EVERYTHING, ALL_NETWORKS = "totals", "everything", "network_comparison.all_networks"
"""The sums of a year over all rows by network; those of all that is excluded, by kind; and those of the networks alone,
without members of none, which a network's row against all others tells."""
UNSCORED, IN_NETWORK = "scored_members", "in_network_paid_amount"
GROWTH = "pmpm_growth"
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

    def whole(self, row: Row) -> Cell:
        return self.table, tuple(row[name] for name in self.by)


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
        yield from (of.whole(row) for of in self.goes_with)
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
PEOPLE, _SERVICES = ("members", "member_months"), ("claim_lines", "services")
_OF_NETWORK = Of("network_pmpm", _NETWORK)
_OF_CATEGORY = Of("network_pmpm_by_category", (*_NETWORK, "service_category"))

RELATIONS: Mapping[str, Relations] = {
    "network_pmpm": Relations((Of(TOTALS, _YEAR, PEOPLE),), takes_along=_sum_of_networks),
    "practice_pmpm": Relations((Of("network_pmpm", _NETWORK, PEOPLE),)),
    "physician_pmpm": Relations((Of("network_pmpm", _NETWORK, PEOPLE),)),
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
