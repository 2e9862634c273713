"""PMPM, lines and services by network, year and both levels of service category.

The steps from what was paid to the policy's dollars are taken, and rounded, by the first level. What they left of a
member's month and category is shared out over its second levels here, so that no figure of the first level moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.measures import in_cents, per_1000, per_member_month, ratio
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.cost_steps import ALLOWED, EFFECTS
from pmpm_spark.silver.service_categories import LEVELS
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONEY, MONTHS, Table, column, count, flag, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_NETWORK = ("policy", "performance_year", "network_id")
_ROW = ("policy", "member_id", "member_month", "service_category")
_BEFORE_GROWTH = (ALLOWED, *EFFECTS["exclude"])
"""The effects that are told for each line; all later ones grow or cut a row as a whole."""
_COUNTS = ("claim_lines", "services", "paid_amount", "counted_amount")

NETWORK_PMPM_BY_SUBCATEGORY = Table(
    name="gold.network_pmpm_by_subcategory",
    grain="one row per policy, performance year, network and both levels of service category, with counted lines",
    key=(*_NETWORK, *LEVELS),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("service_category", "first-level service category"),
        text("service_category_2", "second-level service category"),
        flag("in_total", "the category is in the network's total"),
        column("member_months", MONTHS, "the network's eligible member months, on every row"),
        count("claim_lines", "counted lines"),
        count("services", "counted stays, visits, claims, fills or lines, each under one second level"),
        money("paid_amount", "what was paid in eligible months"),
        quotient("pmpm", "the policy's dollars per member month, US dollars, unrounded"),
        quotient("lines_per_1000", "claim_lines x 12,000 / member_months"),
        quotient("services_per_1000", "services x 12,000 / member_months"),
        money("counted_amount", "the policy's dollars after its steps"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_pmpm_by_subcategory(
    network_pmpm_by_category: DataFrame,
    claim_costs: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The rows of a network and category add up to its row in network_pmpm_by_category, to the cent.

    What rounding to cents leaves over stands with the second level that has most dollars. Policies that put claims in
    the same month share a pass over the costs.
    """
    rows = _counted_rows(
        of_run(member_month_costs, policies, performance_years), of_run(truncated_costs, policies, performance_years)
    )

    def by(claim_month: str) -> DataFrame:
        month = F.col(f"{claim_month}_month").alias("member_month")
        lines = claim_costs.where(~F.col("is_denied")).select("*", month)
        of_month = [policy for policy in policies if policy.cost.claim_month == claim_month]
        whose = rows.where(F.col("policy").isin(*[policy.label for policy in of_month]))
        met = lines.join(whose, ["member_id", "member_month", "service_category"], how="inner")
        on_basis = _chosen(
            of_month,
            lambda cost: cost.basis == "reimbursed_to_network",
            F.col("roster_network_id") == F.col("network_id"),
            F.lit(True),
        )
        return met.where(on_basis).select(
            *_NETWORK,
            *LEVELS,
            "claim_lines",
            "services",
            "paid_amount",
            _share(_kept(of_month)).alias("counted_amount"),
        )

    months = sorted({policy.cost.claim_month for policy in policies})
    parts = union_of([by(month) for month in months])
    sums = parts.groupBy(*_NETWORK, *LEVELS).agg(*[F.sum(name).alias(name) for name in _COUNTS])
    categories = of_run(network_pmpm_by_category, policies, performance_years).select(
        *_NETWORK, "service_category", "in_total", "member_months", F.col("counted_amount").alias("of_category")
    )
    told = _with_what_is_left(sums.join(categories, [*_NETWORK, "service_category"], how="inner"))
    member_months = F.col("member_months")
    return told.withColumns(
        {
            "pmpm": per_member_month(F.col("counted_amount"), member_months),
            "lines_per_1000": per_1000(F.col("claim_lines"), member_months),
            "services_per_1000": per_1000(F.col("services"), member_months),
        }
    )


def _counted_rows(costs: DataFrame, truncated_costs: DataFrame) -> DataFrame:
    """What counts of each member's month and category: `all_kept` after exclusions, `all_counted` after all steps."""
    truncated = truncated_costs.select(*_ROW, F.col("counted_amount").alias("truncated"))
    kept = reduce(lambda left, name: left + F.col(name), _BEFORE_GROWTH, F.col("counted_paid_amount"))
    return (
        costs.where("exclusion_reason IS NULL AND counted_lines > 0")
        .join(truncated, list(_ROW), how="left")
        .select(
            *_ROW,
            "performance_year",
            "network_id",
            kept.cast(MONEY).alias("all_kept"),
            (F.col("counted_amount") + F.coalesce("truncated", F.lit(0).cast(MONEY))).cast(MONEY).alias("all_counted"),
        )
    )


def _kept(policies: Sequence[Policy]) -> Column:
    """What the policy's exclusions leave of the paid or allowed amount."""
    zero = F.lit(0).cast(MONEY)

    def told(name: str) -> Column:
        return F.coalesce(name, zero)

    left_out = told("ime_amount") + told("dsh_amount") + told("uncompensated_care_amount")
    amount = _chosen(policies, lambda cost: cost.amount == "allowed", told("allowed_amount"), F.col("paid_amount"))
    pass_through = _chosen(policies, lambda cost: not cost.include_pass_through, told("pass_through_amount"), zero)
    ime_dsh = _chosen(policies, lambda cost: cost.exclude_ime_dsh_uncompensated, left_out, zero)
    return (amount - pass_through - ime_dsh).cast(MONEY)


def _chosen(policies: Sequence[Policy], wants: Callable[[Cost], bool], then: Column, otherwise: Column) -> Column:
    """One column for the policies that want it, another for the rest."""
    labels = [policy.label for policy in policies if wants(policy.cost)]
    return F.when(F.col("policy").isin(*labels), then).otherwise(otherwise) if labels else otherwise


def _share(kept: Column) -> Column:
    """The part of the row's dollars after all steps that goes with what is kept here, half up to cents."""
    all_kept, all_counted = F.col("all_kept"), F.col("all_counted")
    share = in_cents(ratio(kept.cast("double") * all_counted.cast("double"), all_kept))
    return F.when(all_kept == all_counted, kept).otherwise(F.coalesce(share, F.lit(0).cast(MONEY)))


def _with_what_is_left(sums: DataFrame) -> DataFrame:
    """The sums with the rest of the category's dollars in the row that has most of them, then the first by name."""
    category = Window.partitionBy(*_NETWORK, "service_category")
    all_rows = category.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    place = F.row_number().over(category.orderBy(F.desc(F.abs("counted_amount")), "service_category_2"))
    left = F.col("of_category") - F.sum("counted_amount").over(all_rows)
    counted = F.col("counted_amount") + F.when(F.col("place") == 1, F.col("left")).otherwise(F.lit(0).cast(MONEY))
    placed = sums.withColumns({"place": place, "left": left})
    return placed.withColumn("counted_amount", counted.cast(MONEY))
