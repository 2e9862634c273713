"""Amount columns: rates come last and from sums, never from other rates."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.table import MONEY

MONTHS_PER_1000_YEARS = 12_000


def per_member_month(amount: Column, member_months: Column) -> Column:
    """Amount per member month, US dollars, unrounded; null where there is no member month."""
    return F.try_divide(amount.cast("double"), member_months.cast("double"))


def per_1000(count: Column, member_months: Column) -> Column:
    """Count per 1,000 member years: count x 12,000 / member months; null where there is no member month."""
    return F.try_divide(count.cast("double") * MONTHS_PER_1000_YEARS, member_months.cast("double"))


def in_cents(amount: Column) -> Column:
    """A quotient of dollars rounded half up to cents."""
    return F.round(amount, 2).cast(MONEY)


def total(amount: str | Column) -> Column:
    """Sum of money, 0 where there is no row, null rows counting as 0."""
    return F.coalesce(F.sum(amount), F.lit(0)).cast(MONEY)
