"""The financial result of a contract's year: what it received, what care cost, and what is shared.

Definitions: payment-and-outcomes section 6. A formula reads the columns of its row as they stand, rounded half up:
dollars to cents, shares to six places. What is not given counts 0 in a sum, and its column is null.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.gold.capitation_variance import YEAR
from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import in_cents, more_places, per_member_month, ratio, share_of
from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import (
    FACTOR,
    MONEY,
    MONTHS_OF_MANY,
    SCORE,
    Table,
    column,
    count,
    day,
    flag,
    money,
    quotient,
    text,
    year,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FULL, PARTIAL, NO_CREDIBILITY = "FULL", "PARTIAL", "NONE"
EARNED, ALLOCATED = "earned", "allocated"
LIFE_YEARS = "life_years"
KEY = ("contract_id", "performance_year")

FINANCIAL_PERFORMANCE = Table(
    name="gold.financial_performance",
    grain="one row per contract and year with something due, posted or expected, of the last capitation run",
    key=KEY,
    columns=(
        text("contract_id", "contract"),
        year("performance_year", "calendar year"),
        text("network_id", "network of the contract"),
        text("line_of_business", "of the contract"),
        column("member_months", MONTHS_OF_MANY, "exposure due now"),
        money("allocated_amount", "due now"),
        money("withheld_amount", "withheld of it"),
        money(
            "withhold_returned",
            "part of withheld_amount that was paid after all, no more than it; null where not given",
        ),
        money("revenue_amount", "allocated_amount - withheld_amount + withhold_returned"),
        money("medical_paid_amount", "actual_amount of capitation_variance: counted dollars of the due months"),
        money("medical_amount", "the same, each month completed by the share of it that is paid so far"),
        money("administrative_cost", "as given"),
        money("quality_improvement_cost", "as given"),
        money("taxes_and_fees", "as given"),
        money("margin_amount", "revenue_amount - medical_amount - the three costs before"),
        column("margin_share", SCORE, "margin_amount / revenue_amount"),
        column(
            "mlr",
            SCORE,
            "medical loss ratio: (medical_amount + quality_improvement_cost) / (revenue_amount - taxes_and_fees), or "
            "by allocated_amount (finance.mlr_revenue); null where the divisor is not above 0",
        ),
        text(
            "credibility",
            f"{FULL}, {PARTIAL} or {NO_CREDIBILITY}, by the size that the line of business asks for; null where it has "
            "no rule",
        ),
        column("mlr_adjustment", SCORE, f"added to mlr for its size; 0 where {FULL}, null where {NO_CREDIBILITY}"),
        column("mlr_adjusted", SCORE, f"mlr + mlr_adjustment; null where {NO_CREDIBILITY}"),
        money("benchmark_amount", "benchmark_pmpm x member_months; null where the contract has none"),
        money("savings_amount", "benchmark_amount - medical_amount: below 0 is a loss"),
        column("savings_rate", SCORE, "savings_amount / benchmark_amount"),
        money("shared_savings_amount", "the network's share of savings, from the first dollar, up to the cap"),
        money("shared_losses_amount", "the network's share of losses, 0 or more"),
        quotient("medical_pmpm", "medical_amount per member month, US dollars, unrounded"),
        column("pmpm_growth", SCORE, "medical_pmpm / that of the year before - 1; null without a year before"),
        money("program_spending", "as given"),
        column("program_return", SCORE, "(savings_amount - program_spending) / program_spending"),
        money(
            "ffs_equivalent_amount",
            "completed dollars inside the contract's network, at what the claims paid; null where more than "
            "finance.encounter_share of its services are encounters of which nothing was paid",
        ),
        money("out_of_network_amount", "medical_amount - ffs_equivalent_amount"),
        money("delivery_cost", "as given"),
        money("margin_ffs_amount", "ffs_equivalent_amount - delivery_cost"),
        money("margin_pmpm_amount", "revenue_amount - out_of_network_amount - delivery_cost"),
        money(
            "pmpm_less_ffs_amount",
            "revenue_amount - medical_amount: margin_pmpm_amount - margin_ffs_amount, whatever the delivery cost",
        ),
        count("members", "members with a due month"),
        flag("is_small_cell", f"fewer than {SMALL_CELL} members"),
        text("policy", "policy whose dollars are counted"),
        day("as_of", "day as known on which it is due"),
    ),
    rules={
        "no_more_is_returned_than_withheld": "withhold_returned <= withheld_amount",
        "revenue_adds_up": "revenue_amount = allocated_amount - withheld_amount + coalesce(withhold_returned, 0)",
        "difference_is_exact": "pmpm_less_ffs_amount = margin_pmpm_amount - margin_ffs_amount",
        "adjusted_where_credible": "(mlr_adjusted IS NULL) = (mlr IS NULL OR mlr_adjustment IS NULL)",
        "shared_is_not_below_0": "shared_savings_amount >= 0 AND shared_losses_amount >= 0",
    },
    key_is_built_in=True,
)

_TERMS = (
    "line_of_business", "benchmark_pmpm", "minimum_savings_rate", "savings_share", "savings_cap", "minimum_loss_rate",
    "loss_share", "loss_cap",
)  # fmt: skip
_GIVEN = (
    "withhold_returned", "administrative_cost", "quality_improvement_cost", "taxes_and_fees", "program_spending",
    "delivery_cost",
)  # fmt: skip


def financial_performance(
    capitation_variance: DataFrame,
    capitation_due: DataFrame,
    contract_month_costs: DataFrame,
    contracts: DataFrame,
    contract_finance: DataFrame,
    mlr_credibility: DataFrame,
    *,
    mlr_revenue: str,
    deductible_factor: float,
    encounter_share: float,
) -> DataFrame:
    """The result of every contract and year of capitation_variance."""
    years = capitation_variance.where(F.col("period_type") == YEAR).select(
        *KEY, "network_id", "member_months", "allocated_amount", "actual_amount", "members", "policy", "as_of"
    )
    withheld = (
        capitation_due.where("is_due")
        .groupBy("contract_id", F.year("coverage_month").alias("performance_year"))
        .agg(F.sum("withhold_due").alias("withheld"))
    )
    given = contract_finance.select("contract_id", F.col("year").alias("performance_year"), *_GIVEN)
    rows = (
        years.join(withheld, list(KEY), how="left")
        .join(_costs_of_years(contract_month_costs), list(KEY), how="left")
        .join(F.broadcast(given), list(KEY), how="left")
        .join(F.broadcast(contracts.select("contract_id", *_TERMS)), "contract_id", how="left")
        .join(F.broadcast(_points(mlr_credibility)), "line_of_business", how="left")
    )
    result = _with_credibility(_with_result(rows, mlr_revenue), deductible_factor)
    compared = _with_fee_for_service(_with_savings(_with_growth(result)), encounter_share)
    return compared.withColumn("is_small_cell", F.col("members") < SMALL_CELL).select(
        *FINANCIAL_PERFORMANCE.column_names
    )


def _costs_of_years(contract_month_costs: DataFrame) -> DataFrame:
    """Completed dollars by contract and year, all and those inside the network: each month half up to cents."""
    factor, one = F.col("completion_factor").cast(FACTOR), F.lit(1).cast(FACTOR)
    shares = {
        "completed": ("amount", F.when(F.coalesce("is_completed", F.lit(False)), one).otherwise(factor)),
        "completed_inside": ("in_network_amount", factor),
    }
    in_months = contract_month_costs.groupBy("contract_id", "coverage_month").agg(
        *[
            F.round(F.sum(more_places(F.col(name)) / share), 2).cast(MONEY).alias(completed)
            for completed, (name, share) in shares.items()
        ],
        *[F.sum(name).alias(name) for name in ("in_network_services", "encounter_services")],
    )
    names = ("completed", "completed_inside", "in_network_services", "encounter_services")
    return in_months.groupBy("contract_id", F.year("coverage_month").alias("performance_year")).agg(
        *[F.sum(name).alias(name) for name in names]
    )


def _points(mlr_credibility: DataFrame) -> DataFrame:
    """The points of each line of business in their order, in member months."""
    months = F.when(F.col("unit") == LIFE_YEARS, F.col("size") * 12).otherwise(F.col("size"))
    point = F.struct(months.cast("decimal(18,6)").alias("months"), F.col("adjustment").alias("adjustment"))
    return mlr_credibility.groupBy("line_of_business").agg(F.array_sort(F.collect_list(point)).alias("points"))


def _given(name: str) -> Column:
    """An amount as it counts in a sum."""
    return F.coalesce(F.col(name), F.lit(0).cast(MONEY))


def _with_result(rows: DataFrame, mlr_revenue: str) -> DataFrame:
    """Revenue, medical cost, margin and loss ratio."""
    is_known = F.col("actual_amount").isNotNull()
    revenue = F.col("allocated_amount") - F.col("withheld_amount") + _given("withhold_returned")
    of = F.col("revenue_amount") if mlr_revenue == EARNED else F.col("allocated_amount")
    costs = ("administrative_cost", "quality_improvement_cost", "taxes_and_fees")
    margin = F.col("revenue_amount") - F.col("medical_amount")
    for name in costs:
        margin = margin - _given(name)
    divisor = (of - _given("taxes_and_fees")).cast(MONEY)
    counted = F.col("medical_amount") + _given("quality_improvement_cost")
    withheld = F.coalesce("withheld", F.lit(0)).cast(MONEY)
    is_given = F.col("withhold_returned").isNotNull()
    told = rows.withColumns(
        {
            "withheld_amount": withheld,
            "withhold_returned": F.when(is_given, F.least("withhold_returned", withheld)).cast(MONEY),
            "medical_paid_amount": F.col("actual_amount"),
            "medical_amount": F.when(is_known, F.coalesce("completed", F.lit(0))).cast(MONEY),
        }
    ).withColumn("revenue_amount", revenue.cast(MONEY))
    return told.withColumn("margin_amount", margin.cast(MONEY)).withColumns(
        {
            "margin_share": share_of(F.col("margin_amount"), F.col("revenue_amount")),
            "mlr": F.when(divisor > 0, share_of(counted, divisor)),
        }
    )


def _with_credibility(rows: DataFrame, deductible_factor: float) -> DataFrame:
    """What the size of the contract's year adds to its loss ratio.

    Below the first point nothing is credible; beyond the last everything is, and at it where it adds nothing. A
    deductible makes a commercial line less credible (45 CFR 158.232(c)).
    """
    size = F.col("member_months")
    below = F.filter("points", lambda point: point["months"] <= size)
    above = F.filter("points", lambda point: point["months"] > size)
    placed = rows.withColumns({"low": F.get(F.reverse(below), F.lit(0)), "high": F.get(above, F.lit(0))})
    low, high = F.col("low"), F.col("high")
    no_rule, is_small = F.col("points").isNull(), low.isNull()
    is_full = high.isNull() & ((low["months"] < size) | (low["adjustment"] == 0))
    credibility = (
        F.when(no_rule, F.lit(None).cast("string"))
        .when(is_small, NO_CREDIBILITY)
        .when(is_full, FULL)
        .otherwise(PARTIAL)
    )
    way = (size - low["months"]).cast("decimal(28,16)") / (high["months"] - low["months"]).cast(MONTHS_OF_MANY)
    step = (high["adjustment"] - low["adjustment"]).cast("decimal(7,6)") * way.cast("decimal(22,20)")
    between = low["adjustment"] + F.coalesce(step.cast("decimal(22,20)"), F.lit(0).cast("decimal(22,20)"))
    factor = F.lit(Decimal(str(deductible_factor))).cast("decimal(8,6)")
    base = F.when(F.col("line_of_business") == "commercial", between * factor).otherwise(between)
    adjustment = F.when(F.col("credibility") == FULL, F.lit(0).cast(SCORE)).when(
        F.col("credibility") == PARTIAL, F.round(base, 6).cast(SCORE)
    )
    return (
        placed.withColumn("credibility", credibility)
        .withColumn("mlr_adjustment", adjustment)
        .withColumn("mlr_adjusted", (F.col("mlr") + F.col("mlr_adjustment")).cast(SCORE))
    )


def _with_growth(rows: DataFrame) -> DataFrame:
    """Cost per member month, and its growth over the contract's year before."""
    in_order = Window.partitionBy("contract_id").orderBy("performance_year")
    told = rows.withColumn("medical_pmpm", per_member_month(F.col("medical_amount"), F.col("member_months")))
    beside = told.withColumns(
        {
            "year_before": F.lag("performance_year").over(in_order),
            "pmpm_before": F.lag("medical_pmpm").over(in_order),
        }
    )
    growth = ratio(F.col("medical_pmpm"), F.col("pmpm_before")) - 1
    is_next = F.col("year_before") == F.col("performance_year") - 1
    # six places are two of ten thousand times as much
    rounded = try_cast(in_cents(growth * 10_000) / F.lit(Decimal(10_000)), SCORE)
    return beside.withColumn("pmpm_growth", F.when(is_next & (F.abs(growth) < 1e6), rounded))


def _with_savings(rows: DataFrame) -> DataFrame:
    """Savings against the benchmark, what of them is shared, and what the program returned."""
    told = (
        rows.withColumn(
            "benchmark_amount", try_cast(F.round(F.col("benchmark_pmpm") * F.col("member_months"), 2), MONEY)
        )
        .withColumn("savings_amount", (F.col("benchmark_amount") - F.col("medical_amount")).cast(MONEY))
        .withColumn("savings_rate", share_of(F.col("savings_amount"), F.col("benchmark_amount")))
    )
    savings, rate, none = F.col("savings_amount"), F.col("savings_rate"), F.lit(0).cast(MONEY)

    def least(name: str) -> Column:
        return F.coalesce(F.col(name), F.lit(0).cast(SCORE))

    def shared(amount: Column, share: str, cap: str) -> Column:
        part = F.round(amount * least(share), 2).cast(MONEY)
        most = F.round(F.col("benchmark_amount") * F.col(cap), 2).cast(MONEY)
        return F.greatest(F.least(part, F.coalesce(most, part)), none)

    is_saved = (rate >= least("minimum_savings_rate")) & (rate > 0)
    is_lost = -rate >= least("minimum_loss_rate")
    spent = F.col("program_spending")
    return told.withColumns(
        {
            "shared_savings_amount": F.when(is_saved, shared(savings, "savings_share", "savings_cap"))
            .when(rate.isNotNull(), none)
            .cast(MONEY),
            "shared_losses_amount": F.when(is_lost, shared(-savings, "loss_share", "loss_cap"))
            .when(rate.isNotNull(), none)
            .cast(MONEY),
            "program_return": share_of(savings - spent, spent),
        }
    )


def _with_fee_for_service(rows: DataFrame, encounter_share: float) -> DataFrame:
    """What fee-for-service would have paid the network, and its margin under either way to be paid."""
    limit = F.lit(Decimal(str(encounter_share))).cast(SCORE)
    few = F.coalesce(F.col("encounter_services") <= F.col("in_network_services") * limit, F.lit(True))
    inside = F.when(F.col("medical_amount").isNotNull() & few, F.coalesce("completed_inside", F.lit(0))).cast(MONEY)
    told = rows.withColumn("ffs_equivalent_amount", inside).withColumn(
        "out_of_network_amount", (F.col("medical_amount") - F.col("ffs_equivalent_amount")).cast(MONEY)
    )
    revenue, cost = F.col("revenue_amount"), F.col("delivery_cost")
    return told.withColumns(
        {
            "margin_ffs_amount": (F.col("ffs_equivalent_amount") - cost).cast(MONEY),
            "margin_pmpm_amount": (revenue - F.col("out_of_network_amount") - cost).cast(MONEY),
            "pmpm_less_ffs_amount": (revenue - F.col("medical_amount")).cast(MONEY),
        }
    )
