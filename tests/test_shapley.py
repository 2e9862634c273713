"""Shares of a difference: free of order, exactly additive; and parts rounded so that they add up."""

from fractions import Fraction
from itertools import permutations
from random import Random

import pytest

from pmpm_spark.shapley import rounded, shares


def by_orders(values: list[Fraction]) -> list[Fraction]:
    """The definition: the mean over all orders of what each change moves when its turn comes."""
    changes = len(values).bit_length() - 1
    orders = list(permutations(range(changes)))
    moved = [Fraction(0)] * changes
    for order in orders:
        made = 0
        for change in order:
            moved[change] += values[made | 1 << change] - values[made]
            made |= 1 << change
    return [whole / len(orders) for whole in moved]


def test_two_changes_that_need_each_other_share_in_halves():
    assert shares([Fraction(n) for n in (0, 0, 0, 1)]) == [Fraction(1, 2)] * 2
    assert shares([Fraction(n) for n in (0, 1, 1, 1)]) == [Fraction(1, 2)] * 2


def test_a_change_alone_has_all_of_the_difference_and_no_change_none():
    assert shares([Fraction(7), Fraction(3)]) == [Fraction(-4)]
    assert shares([Fraction(7)]) == []


def test_a_change_that_moves_nothing_has_nothing():
    values = [Fraction(n) for n in (1, 4, 1, 4, 2, 9, 2, 9)]
    assert shares(values)[1] == 0


@pytest.mark.parametrize("changes", range(6))
def test_shares_are_the_means_over_all_orders_and_add_up_exactly(changes):
    random = Random(changes)
    for _ in range(5):
        values = [Fraction(random.randint(-999, 999), random.randint(1, 99)) for _ in range(1 << changes)]
        found = shares(values)
        assert found == by_orders(values)
        assert sum(found, Fraction(0)) == values[-1] - values[0]


def test_values_that_are_not_of_every_set_of_changes_are_refused():
    with pytest.raises(ValueError, match="3 values"):
        shares([Fraction(0)] * 3)


def test_the_largest_remainders_are_rounded_up_and_the_first_of_equal_ones():
    assert rounded([Fraction(1, 3), Fraction(1, 2), Fraction(7, 6)], 2) == [0, 1, 1]
    assert rounded([Fraction(1, 2), Fraction(1, 2)], 1) == [1, 0]
    assert rounded([Fraction(-1, 2), Fraction(-1, 2)], -1) == [0, -1]
    assert rounded([], 0) == []


def test_rounded_parts_add_up_to_the_difference_of_two_rounded_figures_and_each_stays_within_one():
    random = Random(3)
    for _ in range(2000):
        first = Fraction(random.randint(-400, 400), random.randint(1, 12))
        parts = [Fraction(random.randint(-400, 400), random.randint(1, 12)) for _ in range(random.randint(1, 5))]
        last = first + sum(parts)
        total = round_half_up(last) - round_half_up(first)
        found = rounded(parts, total)
        assert sum(found) == total
        assert all(abs(whole - part) < 1 for whole, part in zip(found, parts, strict=True))


def test_a_part_of_nothing_stays_nothing():
    assert rounded([Fraction(0), Fraction(9, 10), Fraction(0)], 1) == [0, 1, 0]


def round_half_up(figure: Fraction) -> int:
    return (2 * figure.numerator + figure.denominator) // (2 * figure.denominator)
