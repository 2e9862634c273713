"""Rows of several policies in one frame, and those of a run taken out of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.policy import Policy

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def of_policies(policies: Sequence[Policy], rows_of: Callable[[Policy], DataFrame]) -> DataFrame:
    return union_of([rows_of(policy) for policy in policies])


def ids(*names: str) -> list[Column]:
    """These ids made anew, which are trimmed already: a stored column keeps its comment, and the embedded engine groups
    no union of columns whose comments differ."""
    return [F.trim(name).alias(name) for name in names]


def of_run(frame: DataFrame, policies: Sequence[Policy], performance_years: Sequence[int]) -> DataFrame:
    """The rows of this run's policies and years."""
    labels = [policy.label for policy in policies]
    return frame.where(F.col("policy").isin(*labels) & F.col("performance_year").isin(*performance_years))
