"""Amount columns: rates come last and from sums, never from other rates."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import MONEY, SCORE

MONTHS_PER_1000_YEARS = 12_000


def ratio(dividend: Column, divisor: Column) -> Column:
    """Quotient as DOUBLE; null where the divisor is 0. (try_divide takes no DOUBLE on the embedded engine.)"""
    by = divisor.cast("double")
    return F.when(by != 0, dividend.cast("double") / by)


def per_member_month(amount: Column, member_months: Column) -> Column:
    """Amount per member month, US dollars, unrounded; null where there is no member month."""
    return ratio(amount, member_months)


def per_1000(count: Column, member_months: Column) -> Column:
    """Count per 1,000 member years: count x 12,000 / member months; null where there is no member month."""
    return ratio(count.cast("double") * MONTHS_PER_1000_YEARS, member_months)


def in_cents(amount: Column) -> Column:
    """A quotient of dollars rounded half up to cents.

    By its shortest decimal text: the binary value of 1.005 lies below it, and engines differ in whether they see that.
    Less than a tenth of a cent is 0, since its text may be 1e-7, which is no decimal everywhere.
    """
    exact = try_cast(amount.cast("string"), T.DecimalType(38, 18))
    return F.when(F.abs(amount) < 0.001, F.lit(0).cast(MONEY)).otherwise(F.round(exact, 2).cast(MONEY))


def share_of(dividend: Column, divisor: Column) -> Column:
    """Quotient of dollars as a share, half up to six places; null where the divisor is 0, or from a million on.

    In decimals: the double nearest to a quotient may lie below the half that it is.
    """
    by = divisor.cast(MONEY)
    return try_cast(F.round(more_places(dividend) / F.when(by != 0, by), 6), SCORE)


def more_places(dividend: Column) -> Column:
    """Dollars with so many places that their quotient has more than it is rounded to: the embedded engine gives a
    quotient of decimals four places more than its dividend, and cuts the rest off."""
    return dividend.cast(T.DecimalType(24, 8))


def total(amount: str | Column) -> Column:
    """Sum of money, 0 where there is no row, null rows counting as 0."""
    return F.coalesce(F.sum(amount), F.lit(0)).cast(MONEY)


def sum_of_hashes(hashes: Column) -> Column:
    """Exact sum of 64-bit hashes, which many rows give whatever their order."""
    return F.sum(hashes.cast(T.DecimalType(20, 0)))
