"""Allocated against actual by contract, year and month: what was due for the members, and what they cost.

Definitions: payment-and-outcomes section 4. What it is compared with is the contract's budget, of which a month has a
twelfth, else the same months a year before. Months add up to their year in every amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.contract_terms import Budget, Terms
from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import per_member_month
from pmpm_spark.policy import Policy
from pmpm_spark.silver.capitation_cells import (
    ACTUAL,
    BUDGET,
    COMPARATOR,
    NONE,
    PRIOR_YEAR,
    Compared,
    in_total,
)
from pmpm_spark.table import (
    MONEY,
    MONTHS_OF_MANY,
    Table,
    column,
    count,
    day,
    flag,
    money,
    quotient,
    small_frame,
    text,
    year,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

YEAR, MONTH = "year", "month"
PERIOD = ("contract_id", "period_type", "period")

CAPITATION_VARIANCE = Table(
    name="gold.capitation_variance",
    grain="one row per contract and year or month with something due, posted or expected, of the last capitation run",
    key=PERIOD,
    columns=(
        text("contract_id", "contract"),
        text("period_type", f"{YEAR} or {MONTH}; months add up to their year"),
        day("period", "first day of the year or month"),
        text("network_id", "network of the contract"),
        column("member_months", MONTHS_OF_MANY, "exposure due now"),
        money("allocated_amount", "due now"),
        money("posted_amount", "of it posted so far in capitation_ledger"),
        money("unposted_amount", "of it kept back by the contract's limit (capitation_unposted)"),
        money(
            "actual_amount",
            "the policy's counted dollars of the due member months, x exposure where the contract prorates; null where "
            "the policy has no costs of the year",
        ),
        money("deviation_amount", "actual_amount - allocated_amount: positive where it cost more"),
        quotient("deviation_pmpm", "deviation_amount per member month, US dollars, unrounded"),
        text(
            "comparator",
            f"what actual_amount is split against: {BUDGET}, {PRIOR_YEAR}, or {NONE} (then it is not split)",
        ),
        money("comparator_amount", "dollars of the budget, a month's a twelfth, or of the same months a year before"),
        flag("is_alert", "deviation_amount is more than capitation.alert_share of allocated_amount, either sign"),
        year("performance_year", "calendar year of the period"),
        count("members", "members with a due month"),
        flag("is_small_cell", f"fewer than {SMALL_CELL} members"),
        text("policy", "policy whose dollars are counted"),
        day("as_of", "day as known on which it is due"),
    ),
    rules={
        "posted_and_unposted_are_all": "allocated_amount = posted_amount + unposted_amount",
        "deviation_is_the_difference": "deviation_amount = actual_amount - allocated_amount",
        "compared_where_told": f"(comparator = '{NONE}') = (comparator_amount IS NULL)",
    },
    key_is_built_in=True,
)

_EXPECTED = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("coverage_month", T.DateType()),
        T.StructField("amount", MONEY),
    ]
)
_SETTLED = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("comparator", T.StringType()),
    ]
)
_NETWORK = T.StructType([T.StructField("contract_id", T.StringType()), T.StructField("network_id", T.StringType())])
_AMOUNTS = ("due_amount", "posted", "unposted", "actual", "expected")


def budget_of_months(
    contracts: Sequence[Terms], budget: Sequence[Budget], compared: Compared, policy: Policy
) -> list[tuple[str, date, Decimal]]:
    """Dollars of the budget by contract and month: a twelfth of the year, half up on the running sum, so that months
    add up to their year."""
    whole: dict[tuple[str, int], Fraction] = {}
    for row in in_total(budget, policy):
        key = (row.contract_id, row.year)
        whole[key] = whole.get(key, Fraction(0)) + row.amount
    rows = []
    for one, of_year in compared.by_budget(contracts):
        of_all, so_far = whole.get((one.contract_id, of_year), Fraction(0)), Decimal(0)
        for place, month in enumerate(compared.months(one, of_year), 1):
            until = _cents(of_all * place / 12)
            rows.append((one.contract_id, month, until - so_far))
            so_far = until
    return rows


def _cents(amount: Fraction) -> Decimal:
    """Half up to cents, of what is not below 0."""
    return Decimal(floor(amount * 100 + Fraction(1, 2))) / 100


def capitation_variance(
    capitation_due: DataFrame,
    posted: DataFrame,
    unposted: DataFrame,
    cells: DataFrame,
    *,
    contracts: Sequence[Terms],
    budget: Sequence[Budget],
    compared: Compared,
    policy: Policy,
    as_of: date,
    alert_share: float,
) -> DataFrame:
    """Allocated, posted, actual and expected of every contract, month and year.

    `posted` and `unposted` have contract_id (as it is now), coverage_month and amount.
    """
    spark = capitation_due.sparkSession
    due = capitation_due.where("is_due")
    month = F.col("coverage_month").alias("month")
    expected = small_frame(spark, budget_of_months(contracts, budget, compared, policy), _EXPECTED)

    def amounts(frame: DataFrame, name: str, amount: str) -> DataFrame:
        zero = F.lit(0).cast(MONEY)
        told = [(F.col(amount) if one == name else zero).cast(MONEY).alias(one) for one in _AMOUNTS]
        nobody = (F.lit(0).cast("bigint").alias("member_rows"), F.lit(0).cast(MONTHS_OF_MANY).alias("member_months"))
        return frame.select("contract_id", month, *nobody, *told)

    of_due = due.select(
        "contract_id",
        month,
        F.lit(1).cast("bigint").alias("member_rows"),
        F.col("exposure").cast(MONTHS_OF_MANY).alias("member_months"),
        *[(F.col(one) if one == "due_amount" else F.lit(0)).cast(MONEY).alias(one) for one in _AMOUNTS],
    )
    parts = (
        amounts(posted.where("amount <> 0"), "posted", "amount"),
        amounts(unposted, "unposted", "amount"),
        amounts(cells.where(F.col("side") == ACTUAL), "actual", "amount"),
        amounts(cells.where(F.col("side") == COMPARATOR), "expected", "amount"),
        amounts(expected, "expected", "amount"),
    )
    rows = of_due
    for part in parts:
        rows = rows.unionByName(part)
    sums = [F.sum(name).alias(name) for name in ("member_rows", "member_months", *_AMOUNTS)]
    by_month = rows.groupBy("contract_id", "month").agg(*sums)
    by_period = by_month.withColumn("at", F.explode(periods("month"))).groupBy(
        "contract_id", F.col("at.period_type").alias("period_type"), F.col("at.period").alias("period")
    )
    told = by_period.agg(*sums).withColumn("performance_year", F.year("period"))
    people = (
        due.groupBy("contract_id", F.year("coverage_month").alias("performance_year"), "member_id")
        .agg(F.lit(YEAR).alias("period_type"))
        .groupBy("contract_id", "performance_year", "period_type")
        .agg(F.count(F.lit(1)).alias("members_of_year"))
    )
    settled = [(*key, comparator) for key, comparator in compared.comparator.items()]
    networks = [(one.contract_id, one.network_id) for one in contracts]
    whole = (
        told.join(people, ["contract_id", "performance_year", "period_type"], how="left")
        .join(F.broadcast(small_frame(spark, settled, _SETTLED)), ["contract_id", "performance_year"], how="left")
        .join(F.broadcast(small_frame(spark, networks, _NETWORK)), "contract_id", how="left")
    )
    actual = F.when(F.col("performance_year").isin(*compared.years_computed), F.col("actual"))
    deviation = (actual - F.col("due_amount")).cast(MONEY)
    comparator = F.coalesce("comparator", F.lit(NONE))
    limit = F.col("due_amount") * F.lit(Decimal(str(alert_share))).cast("decimal(12,6)")
    members = F.coalesce("members_of_year", F.col("member_rows"))  # a member has one row a month
    return whole.select(
        *PERIOD,
        "network_id",
        "member_months",
        F.col("due_amount").alias("allocated_amount"),
        F.col("posted").alias("posted_amount"),
        F.col("unposted").alias("unposted_amount"),
        actual.cast(MONEY).alias("actual_amount"),
        deviation.alias("deviation_amount"),
        per_member_month(deviation, F.col("member_months")).alias("deviation_pmpm"),
        comparator.alias("comparator"),
        F.when(comparator != NONE, F.col("expected")).cast(MONEY).alias("comparator_amount"),
        F.coalesce(F.abs(deviation) > limit, F.lit(False)).alias("is_alert"),
        "performance_year",
        members.alias("members"),
        (members < SMALL_CELL).alias("is_small_cell"),
        F.lit(policy.label).alias("policy"),
        F.lit(as_of).alias("as_of"),
    )


def periods(month: str) -> Column:
    """The month and the year that a month is in, each with its first day."""
    first = F.make_date(F.year(month), F.lit(1), F.lit(1))
    of_year = F.struct(F.lit(YEAR).alias("period_type"), first.alias("period"))
    return F.array(of_year, F.struct(F.lit(MONTH).alias("period_type"), F.col(month).alias("period")))
