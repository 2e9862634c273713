"""What a PMPM would be with some of what it is made from as it was then and the rest as it is now, and what each moves.

Valued in fractions from the sums of `restated_sums`: a network's dollars, member months and risk under every mixture of
claims, enrollment, attribution and risk. The parts are Shapley values: exactly additive, and free of order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import floor
from typing import Any

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.gold.restatement import (
    ATTRIBUTION,
    CLAIMS,
    ENROLLMENT,
    NOT_SPLIT,
    OF_DATA,
    PARTS,
    REFERENCE_TABLES,
    RISK,
    SETTINGS,
)
from pmpm_spark.gold.risk import ALL_TYPES
from pmpm_spark.policy import Policy
from pmpm_spark.restated_sums import Mixture, mixture_of
from pmpm_spark.shapley import rounded, shares

Networks = tuple[str, str]
"""Whose members they were then, and are now."""
Row = Mapping[str, Any]
NEW = "the network had no member month then"
GONE = "the network has no member month now"
NO_SCORE = "one run tells no risk score: the adjusted PMPM is not split"


@dataclass(frozen=True)
class Figures:
    """A network's year: member months, dollars and normalized risk; null where no score is told."""

    months: Fraction
    dollars: Fraction
    risk: Fraction | None

    @property
    def pmpm(self) -> Fraction:
        """Of no month it is taken as 0."""
        return self.dollars / self.months if self.months else Fraction(0)

    @property
    def adjusted(self) -> Fraction:
        """Without a score that of average risk."""
        return self.pmpm / self.risk if self.risk else self.pmpm


@dataclass(frozen=True)
class Divisors:
    """What scores are divided by, where tables tell it: by year, and by year and enrollment type."""

    factors: Mapping[int, Fraction] = field(default_factory=dict)
    means: Mapping[tuple[int, str], Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class YearSums:
    """The sums of one policy and year, by pair of networks."""

    by_networks: Mapping[Networks, Row]
    priced: Mapping[Networks, Row] = field(default_factory=dict)
    cuts: Mapping[tuple[str, Networks], Decimal] = field(default_factory=dict)
    typed: Mapping[tuple[str, Networks], Row] = field(default_factory=dict)
    """By enrollment type."""

    @cached_property
    def networks(self) -> list[str]:
        return sorted({network for pair in self.by_networks for network in pair})

    @cached_property
    def pairs(self) -> Mapping[tuple[int, str], list[Networks]]:
        """By then or now and network, the pairs that it is of."""
        found: dict[tuple[int, str], list[Networks]] = defaultdict(list)
        for pair in self.by_networks:
            for side, network in enumerate(pair):
                found[side, network].append(pair)
        return found

    @cached_property
    def types(self) -> list[str]:
        return sorted({kind for kind, _ in self.typed})

    def rows(self, side: int, network: str, enrollment_type: str | None = None) -> list[Row]:
        pairs = self.pairs.get((side, network), [])
        if enrollment_type is None:
            return [self.by_networks[pair] for pair in pairs]
        return [self.typed[enrollment_type, pair] for pair in pairs if (enrollment_type, pair) in self.typed]


@dataclass(frozen=True)
class Sums:
    """The sums of all years of a policy: a cap on growth looks at another year."""

    policy: Policy
    years: Mapping[int, YearSums]
    divisors: Divisors
    populations: dict[tuple[int, str, str | None], Fraction | None] = field(default_factory=dict)
    """Worked out so far."""

    def figures(self, year: int, network: str, claims: int, months: int, networks: int, scores: int) -> Figures:
        """As it would be: each of the four as it was then (0) or is now (1)."""
        of_year = self.years[year]
        pairs = of_year.pairs.get((networks, network), [])
        member_months = sum((_exact(of_year.by_networks[pair][f"months_{months}"]) for pair in pairs), Fraction(0))
        dollars = sum((self._dollars(of_year, pair, claims, months, networks) for pair in pairs), Fraction(0))
        return Figures(member_months, dollars, self._risk(year, network, months, networks, scores))

    def _dollars(self, year: YearSums, pair: Networks, claims: int, months: int, networks: int) -> Fraction:
        row = year.by_networks[pair]
        whole = _exact(row[f"amount_{claims}"])
        mixture = mixture_of(self.policy, claims, months, networks)
        if mixture.is_published:
            return whole
        priced = year.priced.get(pair, {})
        own = Mixture(claims, claims, claims)
        moved = _exact(priced.get(f"priced_{mixture}")) - _exact(priced.get(f"priced_{own}"))
        if self.policy.cost.truncation == "none":
            return whole + moved
        cut = year.cuts.get((str(mixture), pair), Decimal(0))
        return whole - _exact(row[f"cut_{claims}"]) + moved + _exact(cut)

    def _risk(self, year: int, network: str, months: int, networks: int, scores: int) -> Fraction | None:
        """As in gold.risk: the mean score over what is average, and under the cap."""
        risk = self.policy.risk
        own = self._uncapped(year, network, months, networks, scores)
        if own is None or risk.cap == "none" or year <= risk.cap_reference_year:
            return own
        if risk.cap_reference_year not in self.years:
            return own
        reference = self._uncapped(risk.cap_reference_year, network, months, networks, scores)
        if reference is None:
            return own
        limit = Fraction(str(risk.cap_percent)) / 100
        capped = min(own, reference * (1 + limit))
        return max(capped, reference * (1 - limit)) if risk.cap == "both" else capped

    def _uncapped(self, year: int, network: str, months: int, networks: int, scores: int) -> Fraction | None:
        of_year, mixture, risk = self.years[year], f"{months}{scores}", self.policy.risk
        if risk.by_enrollment_type:
            return self._typed(year, network, networks, mixture)
        if risk.normalization == "table":
            divisor = self.divisors.factors.get(year)
        elif risk.normalization == "supplied":
            divisor = self.divisors.means.get((year, ALL_TYPES))
        else:
            divisor = self._population(year, mixture)
        mean = self._mean(of_year.rows(networks, network), mixture)
        return mean / divisor if mean is not None and divisor else None

    def _typed(self, year: int, network: str, networks: int, mixture: str) -> Fraction | None:
        """Each score over the mean of its type."""
        of_year = self.years[year]
        total, weights = Fraction(0), Fraction(0)
        for enrollment_type in of_year.types:
            scores, weight = self._parts(of_year.rows(networks, network, enrollment_type), mixture)
            if not weight:
                continue
            if self.policy.risk.normalization == "supplied":
                mean = self.divisors.means.get((year, enrollment_type))
            else:
                mean = self._population(year, mixture, enrollment_type)
            if not mean:
                return None
            total, weights = total + scores / mean, weights + weight
        return total / weights if weights else None

    def _population(self, year: int, mixture: str, enrollment_type: str | None = None) -> Fraction | None:
        """The mean of everybody, or of a type."""
        key = (year, mixture, enrollment_type)
        if key not in self.populations:
            of_year = self.years[year]
            rows = list(of_year.by_networks.values())
            if enrollment_type is not None:
                rows = [row for (kind, _), row in of_year.typed.items() if kind == enrollment_type]
            self.populations[key] = self._mean(rows, mixture)
        return self.populations[key]

    def _mean(self, rows: Sequence[Row], mixture: str) -> Fraction | None:
        scores, weights = self._parts(rows, mixture)
        return scores / weights if weights else None

    def _parts(self, rows: Sequence[Row], mixture: str) -> tuple[Fraction, Fraction]:
        by_months = self.policy.risk.weighting == "member_months"
        names = ("score_months", "scored_months") if by_months else ("score", "scored")
        scores, weights = (sum((_exact(row[f"{name}_{mixture}"]) for row in rows), Fraction(0)) for name in names)
        return scores, weights


@dataclass(frozen=True)
class Published:
    """What a run published of a network's year."""

    figures: Figures
    members: int


@dataclass(frozen=True)
class Ways:
    """From the run then to the run now. `by_reference`: the data and rules of then by the reference tables of now;
    `by_settings`: the data of then by the rules of now. Null where nothing there differs."""

    then: Published | None
    now: Published | None
    by_reference: Figures | None = None
    by_settings: Figures | None = None
    then_is_read: bool = True
    """False where nothing of the run then can be read."""


def network_rows(
    sums: Sums | None, year: int, network: str, ways: Ways, since_run_id: str, policy: Policy, why_not: str = ""
) -> list[dict[str, Any]]:
    """The rows of gold.restatement of one network; `sums` is None where it cannot be split, and `why_not` says why."""
    then, now = ways.then, ways.now
    whole = {
        "policy": policy.label,
        "performance_year": year,
        "network_id": network,
        "since_run_id": since_run_id,
        **_told("then", then),
        **_told("now", now),
        "is_small_cell": any(one is not None and one.members < SMALL_CELL for one in (then, now)),
    }
    if then is None or now is None:
        people = max(one.members for one in (then, now) if one is not None)
        reason = GONE if then is not None else NEW if ways.then_is_read else why_not
        return [_part(whole, NOT_SPLIT, None, None, people, reason)]
    has_scores = then.figures.risk is not None and now.figures.risk is not None
    pmpm = _cents(now.figures.pmpm) - _cents(then.figures.pmpm)
    adjusted = _cents(now.figures.adjusted) - _cents(then.figures.adjusted) if has_scores else None
    if sums is None:
        return [_part(whole, NOT_SPLIT, pmpm, adjusted, max(then.members, now.members), why_not)]
    raw_parts, adjusted_parts = _parts(sums, year, network, ways, then.figures, now.figures)
    raw = rounded([part * 100 for part in raw_parts], pmpm)
    risked: Sequence[int | None] = [None] * len(PARTS)
    if adjusted is not None:
        risked = rounded([part * 100 for part in adjusted_parts], adjusted)
    touched = _touched(sums.years[year], network, ways, then.members)
    return [
        _part(whole, part, moved, of_adjusted, touched[part], None if has_scores else NO_SCORE)
        for part, moved, of_adjusted in zip(PARTS, raw, risked, strict=True)
    ]


def _parts(
    sums: Sums, year: int, network: str, ways: Ways, then: Figures, now: Figures
) -> tuple[list[Fraction], list[Fraction]]:
    """What each part moves, raw and adjusted: first the rules over the data of then, then the data under them."""
    steps = [then]
    for figures in (ways.by_reference, ways.by_settings):
        steps.append(figures if figures is not None else steps[-1])
    values = [sums.figures(year, network, *[made >> at & 1 for at in range(len(OF_DATA))]) for made in range(16)]
    values[0], values[-1] = steps[-1], now  # as published: quotients of doubles
    return _moved([f.pmpm for f in values], [f.pmpm for f in steps]), _moved(
        [f.adjusted for f in values], [f.adjusted for f in steps]
    )


def _moved(values: Sequence[Fraction], steps: Sequence[Fraction]) -> list[Fraction]:
    """In the order of PARTS."""
    return [*shares(values), *[after - before for before, after in pairwise(steps)]]


def gives(sums: Sums, year: int, network: str, figures: Figures, side: int) -> bool:
    """Whether the sums of one run's tables give the figures that it published."""
    made = sums.figures(year, network, side, side, side, side)
    if (made.months, made.dollars, made.risk is None) != (figures.months, figures.dollars, figures.risk is None):
        return False
    if made.risk is None or figures.risk is None:
        return True
    return abs(made.risk - figures.risk) <= figures.risk / 10**9


def _touched(year: YearSums, network: str, ways: Ways, members_then: int) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for pair, row in year.by_networks.items():
        if network in pair:
            for part in (CLAIMS, ENROLLMENT, ATTRIBUTION, RISK):
                found[part] += int(row[f"touched_{part}"])
            found[CLAIMS] += int(year.priced.get(pair, {}).get(f"touched_{CLAIMS}", 0))
    found[REFERENCE_TABLES] = members_then if ways.by_reference is not None else 0
    found[SETTINGS] = members_then if ways.by_settings is not None else 0
    return {part: found[part] for part in PARTS}


def _told(when: str, one: Published | None) -> dict[str, Any]:
    pmpm = adjusted = None
    if one is not None:
        pmpm = _dollars(_cents(one.figures.pmpm))
        adjusted = None if one.figures.risk is None else _dollars(_cents(one.figures.adjusted))
    return {f"pmpm_{when}": pmpm, f"adjusted_pmpm_{when}": adjusted}


def _part(
    whole: Mapping[str, Any], part: str, pmpm: int | None, adjusted: int | None, members: int, reason: str | None
) -> dict[str, Any]:
    changes = {"pmpm_change": _dollars(pmpm), "adjusted_pmpm_change": _dollars(adjusted)}
    return {**whole, "part": part, **changes, "members": members, "reason": reason}


def _cents(dollars: Fraction) -> int:
    """Half up."""
    return floor(dollars * 100 + Fraction(1, 2))


def _dollars(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)


def _exact(value: Any) -> Fraction:
    return Fraction(0) if value is None else Fraction(value)
