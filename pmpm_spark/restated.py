"""Two runs' tables as the sums that a restatement is valued from, taken from the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from pmpm_spark.policy import Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS, reference_rows
from pmpm_spark.restated_split import Divisors, Networks, Sums, YearSums
from pmpm_spark.restated_sums import (
    ALL_MIXTURES,
    RESTATED_MEMBERS,
    SIDES,
    Priced,
    Read,
    cut_sums,
    depends_on_network,
    mixed_costs,
    mixed_months,
    mixture_of,
    moved_members,
    moved_months,
    moved_sums,
    network_sums,
    priced,
    restated_members,
    typed_sums,
)
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.truncated_costs import truncating
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Keep = Callable[[Table, "DataFrame"], "DataFrame"]
"""Writes a frame that is read several times and reads it back, or gives it as it is."""
Cuts = dict[tuple[str, int], dict[tuple[str, Networks], Any]]
"""By policy and year, then by mixture and pair of networks."""


@dataclass(frozen=True)
class References:
    """The reference tables that dollars and scores of both runs are worked out by."""

    sequestration_rates: DataFrame
    truncation_limits: DataFrame
    divisors: Divisors


def divisors(folder: str | None) -> Divisors:
    factors = {row[0]: Fraction(row[1]) for row in reference_rows(NORMALIZATION_FACTORS, folder)}
    means = {(row[0], row[1]): Fraction(row[2]) for row in reference_rows(RISK_MEANS, folder)}
    return Divisors(factors, means)


def sums_of(
    then: Read, now: Read, policies: Sequence[Policy], years: Sequence[int], *, references: References, keep: Keep
) -> dict[str, Sums]:
    """The sums of each policy, by its label."""
    members = keep(RESTATED_MEMBERS, restated_members(then, now, policies, years))
    told = [row.asDict() for row in network_sums(members, policies).collect()]
    by_type = [policy for policy in policies if policy.risk.by_enrollment_type]
    typed = [r.asDict() for r in typed_sums(then, now, members, by_type, years).collect()] if by_type else []
    cut = truncating(policies)
    moved: list[dict[str, Any]] = []
    cuts: Cuts = {}
    if any(row["moved"] for row in told) or cut:
        months = moved_months(moved_members(members, policies), policies)
        costs = _priced((then, now), moved_members(members, policies), months, references, policies, years)
        moved = [
            row.asDict() for row in moved_sums(moved_members(members, policies), months, costs, policies).collect()
        ]
        for policy in cut:
            cuts |= _cuts((then, now), members, months, costs, references, policy, years, keep)

    def of_year(policy: Policy, year: int) -> YearSums:
        def own(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
            return [row for row in rows if (row["policy"], row["performance_year"]) == (policy.label, year)]

        return YearSums(
            {_networks(row): row for row in own(told)},
            {_networks(row): row for row in own(moved)},
            cuts.get((policy.label, year), {}),
            {(row["enrollment_type"], _networks(row)): row for row in own(typed)},
        )

    return {
        policy.label: Sums(policy, {year: of_year(policy, year) for year in years}, references.divisors)
        for policy in policies
    }


def _priced(
    sides: tuple[Read, Read],
    moved: DataFrame,
    months: DataFrame,
    references: References,
    policies: Sequence[Policy],
    years: Sequence[int],
) -> Priced:
    """The dollars of months that the runs count differently, by either run's claims and, where it matters, networks."""
    by_network = [policy for policy in policies if depends_on_network(policy)]
    rates = references.sequestration_rates
    asked = {(c, n): policies if c == n else by_network for c, n in product(SIDES, SIDES)}
    return {
        (claims, networks): priced(sides[claims], moved, months, rates, which, years, networks=networks)
        for (claims, networks), which in asked.items()
        if which
    }


def _cuts(
    sides: tuple[Read, Read],
    members: DataFrame,
    months: DataFrame,
    costs: Priced,
    references: References,
    policy: Policy,
    years: Sequence[int],
    keep: Keep,
) -> Cuts:
    """What the truncation takes of what neither run published."""
    asked = {mixture_of(policy, m.claims, m.months, m.networks) for m in ALL_MIXTURES if not m.is_published}
    mixtures = sorted((mixture for mixture in asked if not mixture.is_published), key=str)
    rows = keep(_MIXED_COSTS, mixed_costs(sides, months, costs, policy, mixtures, years))
    of_months = mixed_months(sides, policy, mixtures, years)
    supplied = references.truncation_limits
    found: Cuts = {}
    for row in cut_sums(of_months, rows, supplied, members, policy, mixtures, years, keep).collect():
        of_year = found.setdefault((policy.label, row["performance_year"]), {})
        of_year[row["mixture"], _networks(row)] = row["cut"]
    return found


def _networks(row: Any) -> Networks:
    return row["network_0"], row["network_1"]


_MIXED_COSTS = Table(
    name="silver.mixed_costs",
    grain="one row per mixture, member, month and service category",
    key=MEMBER_MONTH_COSTS.key,
    columns=tuple(
        c
        for c in MEMBER_MONTH_COSTS.columns
        if c.name in (*MEMBER_MONTH_COSTS.key, "performance_year", "network_id", "enrollment_type", "exclusion_reason")
        or c.name in ("in_total", "counted_amount")
        or c.name.endswith("_effect")
    ),
    key_is_built_in=True,
)
