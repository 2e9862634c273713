"""Rows of several policies in one frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pmpm_spark.policy import Policy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def of_policies(policies: Sequence[Policy], rows_of: Callable[[Policy], DataFrame]) -> DataFrame:
    return reduce(lambda left, right: left.unionByName(right), [rows_of(policy) for policy in policies])
