"""What the difference of actual and expected cost of a contract comes from: members, their cells, use and prices.

A side is the sum, over rate cells and service categories, of member months x share of the cell x services per member
month x dollars per service (payment-and-outcomes section 4); how it is split: `four_factors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.contract_terms import Budget, Terms
from pmpm_spark.gold.capitation_variance import MONTH, PERIOD, YEAR, periods
from pmpm_spark.gold.four_factors import (
    COST_PER_SERVICE,
    PRICE,
    SHARE,
    SIDES,
    USE,
    USE_OF,
    by_side,
    effect,
    parts_in_cents,
    shares_uses_prices,
)
from pmpm_spark.policy import Policy
from pmpm_spark.silver.capitation_cells import ACTUAL, BUDGET, NONE, Compared, in_total
from pmpm_spark.table import MONEY, Table, count, day, money, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MEMBERSHIP, CELL_MIX = "MEMBERSHIP", "CELL_MIX"
_EFFECTS = {MEMBERSHIP: "members", CELL_MIX: SHARE, USE: USE_OF, COST_PER_SERVICE: PRICE}
EFFECTS = tuple(_EFFECTS)
"""In this order a cent left over goes to the first of equal size."""
_BEFORE, _AFTER = SIDES
_FIGURES = ("member_months", "services", "amount")

CAPITATION_VARIANCE_SPLIT = Table(
    name="gold.capitation_variance_split",
    grain="one row per contract, year or month with a comparator, effect and service category",
    key=(*PERIOD, "effect", "service_category"),
    columns=(
        text("contract_id", "contract"),
        text("period_type", "as in capitation_variance"),
        day("period", "first day of the year or month"),
        text("effect", f"{', '.join(EFFECTS)}: Shapley values, exactly additive and free of order"),
        text("service_category", f"first level; empty text of {MEMBERSHIP} and {CELL_MIX}"),
        money(
            "amount",
            "what the effect adds to actual_amount - comparator_amount of capitation_variance; all add up to it",
        ),
        year("performance_year", "calendar year of the period"),
        count("services", "services of the due months that the policy counts; null where no category is told"),
        count("comparator_services", "of the year before; null of a budget"),
        text("policy", "policy whose dollars are counted"),
        text("network_id", "network of the contract"),
    ),
    key_is_built_in=True,
)

_BUDGET_CELL = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("cell", T.StringType()),
        T.StructField("service_category", T.StringType()),
        *[T.StructField(name, T.DoubleType()) for name in _FIGURES],
    ]
)
_PERIOD_OF_BUDGET = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("period_type", T.StringType()),
        T.StructField("period", T.DateType()),
        T.StructField("months", T.IntegerType()),
    ]
)


def capitation_variance_split(
    capitation_variance: DataFrame,
    cells: DataFrame,
    *,
    contracts: Sequence[Terms],
    budget: Sequence[Budget],
    compared: Compared,
    policy: Policy,
) -> DataFrame:
    """The split of every period that is compared with something; side b is actual, a the comparator."""
    told = cells.withColumn("at", F.explode(periods("coverage_month"))).groupBy(
        "contract_id",
        F.col("at.period_type").alias("period_type"),
        F.col("at.period").alias("period"),
        F.when(F.col("side") == ACTUAL, _AFTER).otherwise(_BEFORE).alias("side"),
        "cell",
        "service_category",
    )
    of_cells = told.agg(*[F.sum(name).alias(name) for name in _FIGURES])
    names = (*PERIOD, "side", "cell", "service_category")
    sides = of_cells.select(*names, *[F.col(name).cast("double").alias(name) for name in _FIGURES]).unionByName(
        _expected(cells.sparkSession, contracts, budget, compared, policy).select(*names, *_FIGURES)
    )
    months = _with_totals(by_side(sides.where("service_category = ''"), (*PERIOD, "cell"), ("member_months",)))
    costs = by_side(
        sides.where("service_category <> ''"), (*PERIOD, "cell", "service_category"), ("services", "amount")
    )
    compared_periods = capitation_variance.where(F.col("comparator") != NONE).select(
        *PERIOD,
        (F.col("actual_amount") - F.col("comparator_amount")).cast(MONEY).alias("difference"),
        "performance_year",
        "policy",
        "network_id",
    )
    terms = costs.join(months, [*PERIOD, "cell"], how="inner").join(
        F.broadcast(compared_periods), list(PERIOD), how="inner"
    )
    whole = (*PERIOD, "difference", "performance_year", "policy", "network_id")
    effects = terms.withColumns(shares_uses_prices()).select(
        *whole,
        "cell",
        "service_category",
        *[effect(kind, tuple(_EFFECTS.values())).alias(name) for name, kind in _EFFECTS.items()],
    )
    parts = parts_in_cents(effects, whole, EFFECTS, F.col("difference"))
    used = by_side(of_cells.where("service_category <> ''"), (*PERIOD, "service_category"), ("services",))
    return parts.join(used, [*PERIOD, "service_category"], how="left").select(
        *PERIOD,
        F.col("part").alias("effect"),
        "service_category",
        "amount",
        "performance_year",
        F.ceil("services_b").cast("bigint").alias("services"),
        F.ceil("services_a").cast("bigint").alias("comparator_services"),
        "policy",
        "network_id",
    )


def _with_totals(cells: DataFrame) -> DataFrame:
    """Each cell's months beside those of all cells of its period, summed in their order."""
    names = [f"member_months_{s}" for s in SIDES]
    of_period = cells.groupBy(*PERIOD).agg(
        F.array_sort(
            F.collect_list(
                F.struct(
                    "cell", *[F.coalesce(name, F.lit(0.0)).alias(name.replace("member", "cell")) for name in names]
                )
            )
        ).alias("cells")
    )

    def total(name: str) -> Column:
        return F.aggregate("cells", F.lit(0.0), lambda so_far, one: so_far + one[name])

    totals = {s: total(f"cell_months_{s}") for s in SIDES}
    summed = of_period.select(
        "*",
        *[totals[s].alias(f"member_months_{s}") for s in SIDES],
        *[totals[s].alias(f"members_{s}") for s in SIDES],
    )
    return summed.select(*[name for name in summed.columns if name != "cells"], F.inline("cells"))


def _expected(
    spark: SparkSession, contracts: Sequence[Terms], budget: Sequence[Budget], compared: Compared, policy: Policy
) -> DataFrame:
    """The budget's cells of every period: as many twelfths of the year as it has months."""
    rows: list[tuple[Any, ...]] = []
    for row in in_total(budget, policy):
        if compared.comparator.get((row.contract_id, row.year)) == BUDGET:
            figures = (0.0, float(row.services), float(row.amount))
            rows.append((row.contract_id, row.year, row.cell, row.service_category, *figures))
    months = {(row.contract_id, row.year, row.cell): float(row.member_months) for row in budget}
    rows += [(*key, "", number, 0.0, 0.0) for key, number in months.items()]
    at: list[tuple[Any, ...]] = []
    for one, of_year in compared.by_budget(contracts):
        told = compared.months(one, of_year)
        at.append((one.contract_id, of_year, YEAR, told[0].replace(month=1), len(told)))
        at += [(one.contract_id, of_year, MONTH, month, 1) for month in told]
    share = F.col("months").cast("double") / 12
    return (
        small_frame(spark, rows, _BUDGET_CELL)
        .join(F.broadcast(small_frame(spark, at, _PERIOD_OF_BUDGET)), ["contract_id", "performance_year"], how="inner")
        .withColumns({name: F.col(name) * share for name in _FIGURES})
        .withColumn("side", F.lit(_BEFORE))
    )
