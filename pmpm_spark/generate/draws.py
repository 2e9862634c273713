"""Random draws without a random generator: each is a hash of the seed, the draw's name and the ids it belongs to.

So a draw is the same whatever the engine, the number of cores and the order of rows. Arithmetic on draws keeps to whole
numbers and to + - * / of doubles, which every engine computes alike; logarithms and the like are tabulated here once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import exp
from statistics import NormalDist

from pyspark.sql import Column
from pyspark.sql import functions as F

_MILLION = 1_000_000
_QUANTILES = 200


class Draws:
    """The draws of one seed. `name` tells draws of the same ids apart; `ids` are whole numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def below(self, limit: int | Column, name: str, *ids: Column) -> Column:
        """A whole number from 0 to limit - 1, all equally likely."""
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        key = F.lit(int.from_bytes(digest[:8], "big", signed=True)).cast("bigint")
        # an INT and a BIGINT of the same value have different hashes
        hashed = F.xxhash64(key, *[i.cast("bigint") for i in ids])
        return F.pmod(hashed, F.lit(limit).cast("bigint"))

    def chance(self, probability: float | Column, name: str, *ids: Column) -> Column:
        """True with the probability given."""
        return self.below(_MILLION, name, *ids) < probability * _MILLION

    def count(self, expected: Column, name: str, *ids: Column) -> Column:
        """A whole number whose mean is exactly `expected`: the number below it or the one above."""
        whole = F.floor(expected)
        return whole + self.chance(expected - whole, name, *ids).cast("bigint")

    def one_of(self, values: Sequence[str] | Sequence[float], name: str, *ids: Column) -> Column:
        """One of the values, all equally likely."""
        return lookup(values, self.below(len(values), name, *ids))

    def weighted(self, weights: Mapping[str, int], name: str, *ids: Column) -> Column:
        """One of the texts, as likely as its weight."""
        return self.one_of([value for value, weight in weights.items() for _ in range(weight)], name, *ids)

    def lognormal(self, sigma: float, name: str, *ids: Column) -> Column:
        """A heavy-tailed factor whose mean is 1."""
        return self.one_of(lognormal_table(sigma), name, *ids)


def lookup(values: Sequence[str] | Sequence[float], place: Column) -> Column:
    """The value at a place, from 0: one literal however long the list."""
    listed = F.split(F.lit(";".join(str(value) for value in values)), ";")
    if isinstance(values[0], int):
        listed = listed.cast("array<bigint>")
    elif isinstance(values[0], float):
        listed = listed.cast("array<double>")
    return F.get(listed, place.cast("int"))


def lognormal_table(sigma: float) -> list[float]:
    """The lognormal distribution as equally likely values with mean 1."""
    normal = NormalDist()
    values = [exp(sigma * normal.inv_cdf((i + 0.5) / _QUANTILES)) for i in range(_QUANTILES)]
    mean = sum(values) / _QUANTILES
    return [round(value / mean, 6) for value in values]
