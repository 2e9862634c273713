"""Nothing leaks: what counts and what is excluded add up to all there is, in months and in cents, asserted in every
run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.frames import union_of
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import Table, column, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

QUANTITY = T.DecimalType(24, 6)

IDENTITIES = Table(
    name="ops.identities",
    grain="one row per policy, performance year and identity",
    key=("policy", "performance_year", "identity"),
    columns=(
        text("policy", "policy"),
        year("performance_year", "performance year"),
        text(
            "identity",
            "months: counted + excluded = all; dollars: the same; steps: counted = paid + steps; leakage: paid in the "
            "members' own networks + outside = paid for members of networks; subcategories: paid by second level of "
            "service category = by first; subcategories_counted: the policy's dollars likewise; concentration: the "
            "dollars of each network's dearest 5% of members by category = by member",
        ),
        column(
            "counted",
            QUANTITY,
            "what counts, the counted amount, what was paid in network, by second level, by category",
        ),
        column("excluded", QUANTITY, "what is excluded, the effect of the steps taken away, or what was paid outside"),
        column(
            "everything",
            QUANTITY,
            "all member months; net claim dollars; what was paid; the sum by first level, by member",
        ),
    ),
    rules={"nothing_leaks": "counted + excluded = everything"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)

_GRAIN = ("policy", "performance_year", "identity")


def identities(
    member_months: DataFrame,
    claim_costs: DataFrame,
    network_pmpm: DataFrame,
    excluded: DataFrame,
    leakage_destinations: DataFrame,
    network_pmpm_by_category: DataFrame,
    network_pmpm_by_subcategory: DataFrame,
    high_cost_members: DataFrame,
    cost_concentration: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The seven identities of every policy and year; each side is summed from its own table."""

    def side(frame: DataFrame, identity: str, **of: Column) -> DataFrame:
        zero = F.lit(0).cast(QUANTITY)
        told = {name: of.get(name, zero) for name in ("counted", "excluded", "everything")}
        return frame.select(
            "policy",
            "performance_year",
            F.lit(identity).alias("identity"),
            *[value.cast(QUANTITY).alias(name) for name, value in told.items()],
        )

    networks = of_run(network_pmpm, policies, performance_years)
    left_out = of_run(excluded, policies, performance_years)
    months = of_run(member_months, policies, performance_years)

    def claims_of(policy: Policy) -> DataFrame:
        claim_year = F.year(f"{policy.cost.claim_month}_month")
        rows = claim_costs.withColumns({"policy": F.lit(policy.label), "performance_year": claim_year})
        return rows.where(F.col("performance_year").isin(*performance_years))

    sides = [
        side(networks, "months", counted=F.col("member_months")),
        side(left_out.where("kind = 'month'"), "months", excluded=F.col("member_months")),
        side(months, "months", everything=F.col("exposure")),
        side(networks, "dollars", counted=F.col("paid_amount")),
        side(left_out.where("kind = 'dollar'"), "dollars", excluded=F.col("paid_amount")),
        side(of_policies(policies, claims_of), "dollars", everything=F.col("paid_amount")),
        side(networks, "steps", counted=F.col("counted_amount"), everything=F.col("paid_amount")),
        side(left_out.where("kind = 'step'"), "steps", excluded=-F.col("paid_amount")),
    ]
    attributed = networks.where(F.col("network_id") != UNATTRIBUTED)
    paid = {"counted": F.col("in_network_paid_amount"), "everything": F.col("paid_amount")}
    outside = of_run(leakage_destinations, policies, performance_years)
    sides += [
        side(attributed, "leakage", **paid),
        side(outside, "leakage", excluded=F.col("paid_amount")),
    ]
    by_first, by_second = (
        of_run(table, policies, performance_years) for table in (network_pmpm_by_category, network_pmpm_by_subcategory)
    )
    for identity, amount in (("subcategories", "paid_amount"), ("subcategories_counted", "counted_amount")):
        sides += [
            side(by_second, identity, counted=F.col(amount)),
            side(by_first, identity, everything=F.col(amount)),
        ]
    dearest, by_category = (
        of_run(table, policies, performance_years) for table in (high_cost_members, cost_concentration)
    )
    sides += [
        side(dearest, "concentration", everything=F.col("counted_amount")),
        side(by_category.where("top_percent = 5"), "concentration", counted=F.col("counted_amount")),
    ]
    rows = union_of(sides)
    return rows.groupBy(*_GRAIN).agg(*[F.sum(name).alias(name) for name in ("counted", "excluded", "everything")])
