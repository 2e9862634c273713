"""The steps from what was paid to the policy's dollars in plain Python, member by member; nothing of the package but
what a policy says.

Amounts are Decimal. A quotient is a float, rounded half up to cents as people write it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from pmpm_spark.policy import Cost

ZERO = Decimal(0)
MOST_RUNOUT = 36

MemberYear = tuple[int, str, str]
"""Performance year, member, enrollment type."""


@dataclass(frozen=True)
class Line:
    """One counted line, or several of equal month, category and rate."""

    of: MemberYear
    month: date
    category: str
    rate: Decimal
    paid: Decimal
    amount: Decimal
    pass_through: Decimal
    left_out: Decimal
    """Indirect medical education, disproportionate share and uncompensated care."""


@dataclass
class Dollars:
    """Counted dollars by member year, effects by year and step, limits by year and enrollment type."""

    counted: dict[MemberYear, Decimal]
    effects: dict[tuple[int, str], Decimal]
    limits: dict[tuple[int, str], Decimal | None]


def cents(amount: float) -> Decimal:
    """Half up, of the number as people write it."""
    return Decimal(repr(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def dollars(
    cost: Cost,
    lines: Iterable[Line],
    exposures: Mapping[MemberYear, Decimal],
    factors: Mapping[tuple[str, date], float],
    supplied_limits: Mapping[tuple[int, str], Decimal],
) -> Dollars:
    """`factors` are the policy's by category and month of service; `exposures` the eligible months of everybody."""
    sums: dict[tuple, list[Decimal]] = defaultdict(lambda: [ZERO] * 4)
    for line in lines:
        told = (line.paid, line.amount, line.pass_through, line.left_out)
        at = (line.of, line.month, line.category, line.rate if cost.sequestration_add_back else ZERO)
        sums[at] = [a + b for a, b in zip(sums[at], told, strict=True)]
    effects: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    before: dict[MemberYear, dict[tuple, Decimal]] = defaultdict(dict)
    later: dict[MemberYear, dict[tuple, list[tuple[str, Decimal]]]] = defaultdict(dict)
    for (of, month, category, rate), (paid, amount, passed, left) in sums.items():
        effects[of[0], "ALLOWED"] += amount - paid
        taken: list[tuple[str, Decimal]] = []
        is_later, counted, at_truncation = False, amount, amount
        for step in cost.steps:
            if step == "truncate" and cost.truncation != "none":
                is_later, at_truncation = True, counted
            now = []
            if step == "exclude" and not cost.include_pass_through:
                now.append(("PASS_THROUGH", -passed))
            if step == "exclude" and cost.exclude_ime_dsh_uncompensated:
                now.append(("IME_DSH_UNCOMPENSATED", -left))
            if step == "sequestration" and cost.sequestration_add_back and cost.amount == "paid":
                share = 1 - rate if category != "pharmacy" else Decimal(1)
                now.append(("SEQUESTRATION", cents(float(counted) / float(share)) - counted))
            if step == "complete" and cost.completion != "none":
                now.append(("COMPLETION", cents(float(counted) / factors.get((category, month), 1.0)) - counted))
            for name, effect in now:
                effects[of[0], name] += effect
                counted += effect
                if is_later:
                    taken.append((name, effect))
        row = (month, category)
        before[of][row] = before[of].get(row, ZERO) + (at_truncation if is_later else counted)
        earlier = later[of].get(row, [(name, ZERO) for name, _ in taken])
        later[of][row] = [(name, a + b) for (name, a), (_, b) in zip(earlier, taken, strict=True)]
    limits = _limits(cost, exposures, before, supplied_limits)
    counted_of = {}
    for of, exposure in exposures.items():
        rows, limit = sorted(before[of].items()), limits.get((of[0], of[2]))
        whole = sum((amount for _, amount in rows), ZERO)
        if limit is None or cents(float(whole) * 12 / float(exposure)) <= limit:
            counted_of[of] = whole + sum((effect for steps in later[of].values() for _, effect in steps), ZERO)
            continue
        kept_of_year = cents(float(limit) * float(exposure) / 12)
        effects[of[0], "TRUNCATED"] += kept_of_year - whole
        counted_of[of], so_far, kept_so_far = ZERO, ZERO, ZERO
        for row, amount in rows:
            so_far += amount
            up_to = cents(float(so_far) * float(kept_of_year) / float(whole))
            kept, kept_so_far = up_to - kept_so_far, up_to
            for name, effect in later[of][row]:
                now_taken = effect
                if name in ("SEQUESTRATION", "COMPLETION"):
                    now_taken = cents(float(effect) * float(kept) / float(amount)) if amount else ZERO
                    effects[of[0], name] += now_taken - effect
                kept, amount = kept + now_taken, amount + effect
            counted_of[of] += kept
    return Dollars(counted_of, {at: effect for at, effect in effects.items() if effect}, limits)


def _limits(
    cost: Cost,
    exposures: Mapping[MemberYear, Decimal],
    before: Mapping[MemberYear, Mapping[tuple, Decimal]],
    supplied: Mapping[tuple[int, str], Decimal],
) -> dict[tuple[int, str], Decimal | None]:
    """The nearest rank in the sorted costs of everybody; one without any cost is one of them."""
    if cost.truncation == "none":
        return {}
    of_type = defaultdict(list)
    for of, exposure in exposures.items():
        whole = sum(before.get(of, {}).values(), ZERO)
        of_type[of[0], of[2]].append(cents(float(whole) * 12 / float(exposure)))
    if cost.truncation == "supplied":
        return {at: supplied.get(at) for at in of_type}
    place = Decimal(str(cost.truncation_percentile)) / 100
    return {at: max(sorted(costs)[math.ceil(place * len(costs)) - 1], ZERO) for at, costs in of_type.items()}


Payment = tuple[str, date, date, Decimal]
"""Service category, month of service, month of payment, amount."""


def chain_ladder(payments: Iterable[Payment]) -> dict[tuple[str, date], float]:
    """The share already paid, by category and month of service, of all with up to 36 months of run-out."""
    triangles: dict[str, dict[int, list[Decimal]]] = defaultdict(
        lambda: defaultdict(lambda: [ZERO] * (MOST_RUNOUT + 1))
    )
    listed = list(payments)
    newest = max(_number(paid_in) for _, _, paid_in, _ in listed)
    for category, incurred, paid_in, amount in listed:
        if _number(incurred) <= newest:
            lag = min(max(_number(paid_in) - _number(incurred), 0), MOST_RUNOUT)
            triangles[category][_number(incurred)][lag] += amount
    found = {}
    for category, months in triangles.items():
        cumulated = {
            month: [sum(paid[: lag + 1], ZERO) for lag in range(min(newest - month, MOST_RUNOUT) + 1)]
            for month, paid in months.items()
        }
        grows = []
        for lag in range(MOST_RUNOUT):
            both = [row for row in cumulated.values() if len(row) > lag + 1]
            this, following = sum((row[lag] for row in both), ZERO), sum((row[lag + 1] for row in both), ZERO)
            grows.append(float(following) / float(this) if this > 0 else 1.0)
        for month in months:
            if newest - month <= MOST_RUNOUT:
                still = math.prod(grows[newest - month :], start=1.0)
                found[category, date(month // 12, month % 12 + 1, 1)] = 1.0 / still if still > 1 else 1.0
    return found


def _number(month: date) -> int:
    return month.year * 12 + month.month - 1
