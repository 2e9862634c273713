"""PMPM by network and month, as it is paid and as it will be when all is paid.

What is still to be paid of a month is estimated by the completion factors of the policy's method, by those of the chain
ladder where it has none, category by category. The band is Mack's 95%: with U completed and C paid of a category, the
squared error is U x U x (process_variance / C + estimate_variance), so that a network of few dollars has a wide one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.measures import in_cents, per_member_month, ratio
from pmpm_spark.months import month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONEY, MONTHS, Table, column, count, day, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NORMAL_95 = 1.959964
"""Half the width of a 95% band, in standard errors."""

NETWORK_PMPM_BY_MONTH = Table(
    name="gold.network_pmpm_by_month",
    grain="one row per policy, network and month with an eligible member",
    key=("policy", "network_id", "member_month"),
    columns=(
        text("policy", "policy that made the row"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        day("member_month", "first day of the month"),
        year("performance_year", "calendar year of the month"),
        count("members", "members for whom the month counts"),
        column("member_months", MONTHS, "eligible member months"),
        money("paid_amount", "what was paid, of what the policy counts"),
        quotient("pmpm", "the policy's dollars per member month, US dollars, unrounded"),
        money("counted_amount", "the policy's dollars after its steps"),
        column(
            "runout_months",
            T.IntegerType(),
            "months from this one to the newest month of payment; null where no payment tells when it was",
        ),
        money("completed_amount", "counted_amount with what is still to be paid; as it is where no payment tells when"),
        quotient("completed_pmpm", "completed_amount per member month, US dollars, unrounded"),
        quotient(
            "completed_pmpm_low",
            "lower end of the 95% band, not below 0; null where no payment tells when, or factors are supplied",
        ),
        quotient("completed_pmpm_high", "upper end of the 95% band"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_pmpm_by_month(
    member_months: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    attribution: DataFrame,
    completion_factors: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Eligible months and counted dollars, month by month, and what will have been paid of them.

    A truncated amount is completed as it stands.
    """
    grain = ("policy", "network_id", "member_month", "performance_year")
    zero = F.lit(0).cast(MONEY)
    whose = of_run(attribution, policies, performance_years).select(
        "policy", "performance_year", "member_id", "network_id"
    )
    months = (
        of_run(member_months, policies, performance_years)
        .where("is_eligible")
        .join(whose, ["policy", "performance_year", "member_id"], how="left")
        .fillna({"network_id": UNATTRIBUTED})
        .select(
            *grain,
            F.lit("").alias("service_category"),
            F.lit(1).alias("members"),
            F.col("exposure").alias("member_months"),
            zero.alias("paid_amount"),
            zero.alias("counted_amount"),
        )
    )
    costs = (
        of_run(member_month_costs, policies, performance_years)
        .where("exclusion_reason IS NULL AND in_total")
        .select(
            *grain,
            "service_category",
            F.lit(0).alias("members"),
            F.lit(0).cast(MONTHS).alias("member_months"),
            F.col("counted_paid_amount").alias("paid_amount"),
            "counted_amount",
        )
    )
    truncated = of_run(truncated_costs, policies, performance_years).select(
        *grain,
        "service_category",
        F.lit(0).alias("members"),
        F.lit(0).cast(MONTHS).alias("member_months"),
        zero.alias("paid_amount"),
        "counted_amount",
    )
    sums = ("members", "member_months", "paid_amount", "counted_amount")
    by_category = (
        months.unionByName(costs)
        .unionByName(truncated)
        .groupBy(*grain, "service_category")
        .agg(*[F.sum(name).alias(name) for name in sums])
    )
    completed = _completed(by_category, completion_factors, policies)
    # in the order of the categories: a sum of doubles depends on it
    squares = F.array_sort(F.collect_list(F.struct("service_category", "squared_error")))
    rows = completed.groupBy(*grain).agg(
        *[F.sum(name).alias(name) for name in (*sums, "completed_amount")], squares.alias("squares")
    )
    error = F.sqrt(F.aggregate("squares", F.lit(0.0), lambda so_far, one: so_far + one["squared_error"]))
    newest = completion_factors.agg(F.max(month_number("incurred_month") + F.col("runout_months")).alias("newest"))
    exposure = F.col("member_months")
    completed_pmpm = per_member_month(F.col("completed_amount"), exposure)
    is_supplied = F.col("policy").isin(*[p.label for p in policies if p.cost.completion == "supplied"])
    has_band = F.col("newest").isNotNull() & ~is_supplied
    half = F.when(has_band, per_member_month(error * NORMAL_95, exposure))
    return rows.crossJoin(F.broadcast(newest)).select(
        *grain,
        *sums,
        "completed_amount",
        (F.col("newest") - month_number("member_month")).cast("int").alias("runout_months"),
        per_member_month(F.col("counted_amount"), exposure).alias("pmpm"),
        completed_pmpm.alias("completed_pmpm"),
        F.when(half.isNotNull(), F.greatest(completed_pmpm - half, F.lit(0.0))).alias("completed_pmpm_low"),
        (completed_pmpm + half).alias("completed_pmpm_high"),
    )


def _completed(rows: DataFrame, completion_factors: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """With completed_amount and its squared error; a month of no factor is complete."""

    def factors_of(policy: Policy) -> DataFrame:
        method = "chain_ladder" if policy.cost.completion == "none" else policy.cost.completion
        return completion_factors.where(
            (F.col("method") == method) & (F.col("claim_month") == policy.cost.claim_month)
        ).select(
            F.lit(policy.label).alias("policy"),
            "service_category",
            F.col("incurred_month").alias("member_month"),
            "completion_factor",
            "process_variance",
            "estimate_variance",
        )

    keys = ["policy", "service_category", "member_month"]
    factor, counted = F.col("completion_factor"), F.col("counted_amount")
    is_whole = factor.isNull() | F.col("policy").isin(*[p.label for p in policies if p.cost.completion != "none"])
    amount = F.when(is_whole, counted).otherwise(in_cents(ratio(counted, factor))).cast(MONEY)
    whole = F.col("completed_amount").cast("double")
    square = whole * F.col("process_variance") / factor + whole * whole * F.col("estimate_variance")
    return (
        rows.join(F.broadcast(of_policies(policies, factors_of)), keys, how="left")
        .withColumn("completed_amount", amount)
        .withColumn("squared_error", F.when(factor.isNull() | (square < 0), F.lit(0.0)).otherwise(square))
    )
