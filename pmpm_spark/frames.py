"""Several frames as one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def union_of(frames: Iterable[DataFrame]) -> DataFrame:
    """All rows of the frames, of which there is at least one, columns by name."""
    return reduce(lambda left, right: left.unionByName(right), frames)
