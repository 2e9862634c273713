"""What each of several changes moves, exactly additive and free of order (Shapley), and parts rounded to their total.

A change's share is the mean of what it moves over all orders in which the changes can be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import factorial, floor


def shares(values: Sequence[Fraction]) -> list[Fraction]:
    """The share of each change, whose sum is `values[-1] - values[0]`.

    `values[made]` is the figure once the changes whose bits are set in `made` are made: 2 ** changes of them.
    """
    changes = len(values).bit_length() - 1
    if len(values) != 1 << changes:
        raise ValueError(f"{len(values)} values are not those of every set of changes")
    orders = [factorial(before) * factorial(changes - before - 1) for before in range(changes)]

    def share(change: int) -> Fraction:
        bit = 1 << change
        without = [made for made in range(len(values)) if not made & bit]
        moved = (orders[made.bit_count()] * (values[made | bit] - values[made]) for made in without)
        return sum(moved, Fraction(0)) / factorial(changes)

    return [share(change) for change in range(changes)]


def rounded(parts: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers that add up to `total`, each less than one from its part: the largest remainders are rounded up.

    `total` is the sum of the parts, or the difference of two figures of which each was rounded by itself. Of equal
    remainders the first goes up first.
    """
    whole = [floor(part) for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda at: whole[at] - parts[at])
    for at in by_remainder[: total - sum(whole)]:
        whole[at] += 1
    return whole
