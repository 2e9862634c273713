"""Contracts and rates at hand: few by nature, read strictly before a month is paid by them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import Any, TypeVar

from pmpm_spark.errors import InputError

ANY = "*"
OLDEST = 999
MOST_PER_MONTH = Decimal(1_000_000)
"""US dollars per member month: a rate or benchmark above it is a slip, and sums of it would not fit their columns."""
MOST_OF_A_YEAR = Decimal(10**12)
"""US dollars of a contract's year, likewise."""


@dataclass(frozen=True)
class Terms:
    """What of a contract decides what is due and what is withheld."""

    contract_id: str
    network_id: str
    start_date: date
    end_date: date
    coverage_rule: str = "first_of_month"
    month_reasons: tuple[str, ...] = ()
    retro_limit_months: int | None = None
    withhold_share: Decimal = Decimal(0)
    previous_contract_id: str | None = None

    @property
    def told(self) -> str:
        """The terms whose change is a contract change, as JSON: not the id, not the limit."""
        said = {
            "network_id": self.network_id,
            "start_date": self.start_date.isoformat(),
            "end_date": self.end_date.isoformat(),
            "coverage_rule": self.coverage_rule,
            "month_reasons": sorted(self.month_reasons),
            "withhold_share": f"{self.withhold_share:.6f}",
        }
        return json.dumps(said, sort_keys=True)

    def as_told(self, told: str) -> Terms:
        """The same contract with former terms."""
        said = json.loads(told)
        return Terms(
            self.contract_id,
            said["network_id"],
            date.fromisoformat(said["start_date"]),
            date.fromisoformat(said["end_date"]),
            said["coverage_rule"],
            tuple(said["month_reasons"]),
            self.retro_limit_months,
            Decimal(said["withhold_share"]),
            self.previous_contract_id,
        )


class Cell:
    """A rate cell: enrollment type, age band and sex, each a word or `*`."""

    enrollment_type: str
    age_band: str
    sex: str

    @property
    def ages(self) -> tuple[int, int]:
        if self.age_band == ANY:
            return 0, OLDEST
        first, _, last = self.age_band.removesuffix("+").partition("-")
        return int(first), int(last) if last else OLDEST

    @property
    def named(self) -> tuple[bool, bool, bool]:
        return self.enrollment_type != ANY, self.age_band != ANY, self.sex != ANY

    @property
    def cell(self) -> str:
        return f"{self.enrollment_type} x {self.age_band} x {self.sex}"


@dataclass(frozen=True)
class Rate(Cell):
    """One row of contract_rates."""

    contract_id: str
    effective_from: date
    effective_to: date
    enrollment_type: str
    age_band: str
    sex: str
    rate: Decimal
    risk_adjusted: bool


@dataclass(frozen=True)
class Budget(Cell):
    """One row of contract_budget."""

    contract_id: str
    year: int
    enrollment_type: str
    age_band: str
    sex: str
    service_category: str
    member_months: Decimal
    services_per_1000: Decimal
    cost_per_service: Decimal

    @property
    def services(self) -> Fraction:
        """Of the cell's whole year."""
        return Fraction(self.services_per_1000) * Fraction(self.member_months) / 12_000

    @property
    def amount(self) -> Fraction:
        """Dollars of the cell's whole year."""
        return self.services * Fraction(self.cost_per_service)


AnyCell = TypeVar("AnyCell", bound=Cell)


def most_specific_first(cells: Sequence[AnyCell]) -> list[AnyCell]:
    """A named enrollment type before `*`, then a named age band, then a named sex: the first that matches pays.

    Of rows that name the same parts no two hold one member on one day.
    """
    return sorted(cells, key=lambda one: (*[not part for part in one.named], one.cell))


def beyond(name: str, amount: Decimal, most: Decimal) -> str:
    """What is said of an amount that is too large."""
    return f"{name} {amount:.2f} is above {most:,}; correct the list"


def check_rates(rates: Sequence[Rate]) -> None:
    """No two rows of a contract pay for one cell and day, and no rate is beyond what can be paid.

    Raises:
        InputError: names contract, cell and the first month of both.
    """
    for rate in rates:
        if rate.rate > MOST_PER_MONTH:
            raise InputError(
                f"contract_rates: contract {rate.contract_id}, cell {rate.cell}, {rate.effective_from:%Y-%m}: "
                f"{beyond('rate', rate.rate, MOST_PER_MONTH)}"
            )
    by_kind: dict[tuple[Any, ...], list[Rate]] = {}
    for rate in rates:
        by_kind.setdefault((rate.contract_id, rate.named, rate.enrollment_type, rate.sex), []).append(rate)
    for alike in by_kind.values():
        for one, other in combinations(alike, 2):
            first = max(one.effective_from, other.effective_from)
            meets = first <= min(one.effective_to, other.effective_to)
            if meets and max(one.ages[0], other.ages[0]) <= min(one.ages[1], other.ages[1]):
                raise InputError(
                    f"contract_rates: contract {one.contract_id}, cell {one.cell}, {first:%Y-%m}: two rates overlap; "
                    "end one before the other begins"
                )


def check_budget(budget: Sequence[Budget]) -> None:
    """Each cell of a contract's year has one number of member months and an amount that is possible, and no two cells
    hold one member.

    Raises:
        InputError: names contract, cell and the first month.
    """
    cells: dict[tuple[str, int, str], Budget] = {}
    for row in budget:
        first = cells.setdefault((row.contract_id, row.year, row.cell), row)
        if first.member_months != row.member_months:
            raise InputError(
                f"{_place_of(row)}: member_months are {first.member_months.normalize():f} of {first.service_category} "
                f"and {row.member_months.normalize():f} of {row.service_category}; give a cell one number"
            )
        if row.amount > MOST_OF_A_YEAR:
            raise InputError(
                f"{_place_of(row)}: {row.service_category} costs more than {MOST_OF_A_YEAR:,} a year; correct the list"
            )
    by_kind: dict[tuple[Any, ...], list[Budget]] = {}
    for row in cells.values():
        by_kind.setdefault((row.contract_id, row.year, row.named, row.enrollment_type, row.sex), []).append(row)
    for alike in by_kind.values():
        for one, other in combinations(alike, 2):
            if max(one.ages[0], other.ages[0]) <= min(one.ages[1], other.ages[1]):
                raise InputError(f"{_place_of(one)}: overlaps with cell {other.cell}; cut one of them")


def _place_of(row: Budget) -> str:
    return f"contract_budget: contract {row.contract_id}, cell {row.cell}, {row.year}-01"


def current_ids(contracts: Sequence[Terms]) -> dict[str, str]:
    """The id that a contract has now, by every id that it had before.

    Raises:
        InputError: a former id is still a contract, or two contracts name it.
    """
    now: dict[str, str] = {}
    ids = {terms.contract_id for terms in contracts}
    for terms in contracts:
        former = terms.previous_contract_id
        if former is None:
            continue
        if former in ids:
            raise InputError(
                f"contracts: {former} is the previous id of {terms.contract_id}, and a contract of its own"
            )
        if former in now:
            raise InputError(f"contracts: {former} is the previous id of two contracts")
        now[former] = terms.contract_id
    return now


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(days=1)


def rates_of_kinds(rates: Sequence[Rate], kinds: Sequence[str], sexes: Sequence[str]) -> list[tuple[Any, ...]]:
    """By contract, enrollment type and sex the rates that may be theirs, the most specific first; columns as
    silver.capitation_due reads them."""

    def as_told(rate: Rate) -> Mapping[str, Any]:
        return {
            "first_day": _days(rate.effective_from),
            "last_day": _days(rate.effective_to),
            "enrollment_type": rate.enrollment_type,
            "age_band": rate.age_band,
            "age_first": None if rate.age_band == ANY else rate.ages[0],
            "age_last": None if rate.age_band == ANY else rate.ages[1],
            "sex": rate.sex,
            "rate": f"{rate.rate:.2f}",
            "risk_adjusted": rate.risk_adjusted,
        }

    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for rate in most_specific_first(rates):
        for kind in kinds if rate.enrollment_type == ANY else [rate.enrollment_type]:
            for sex in sexes if rate.sex == ANY else [rate.sex]:
                found.setdefault((rate.contract_id, kind, sex), []).append(as_told(rate))
    return [(*key, of_kind) for key, of_kind in found.items()]


def as_rows(contracts: Sequence[Terms]) -> list[tuple[Any, ...]]:
    """The contracts, columns as silver.capitation_due reads them."""
    return [
        (
            terms.contract_id,
            terms.network_id,
            terms.coverage_rule,
            list(terms.month_reasons),
            _days(terms.start_date),
            _days(terms.end_date),
            terms.start_date.year * 12 + terms.start_date.month - 1,
            terms.end_date.year * 12 + terms.end_date.month - 1,
            f"{terms.withhold_share:.6f}",
        )
        for terms in contracts
    ]
