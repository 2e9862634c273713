"""What the due months of a contract cost by month and category, what of it was inside its network, and the share paid.

Dollars inside the network are those of the claims, and not of the policy's steps: what fee-for-service has paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.capitation_cells import ACTUAL
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import FACTOR, MONEY, MONTHS_OF_MANY, Table, column, day, flag, money, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = ("contract_id", "coverage_month", "service_category")

CONTRACT_MONTH_COSTS = Table(
    name="silver.contract_month_costs",
    grain="one row per contract, month, and service category that due months cost something of, of the last run",
    key=_KEY,
    columns=(
        text("contract_id", "contract"),
        day("coverage_month", "first day of the month"),
        text("service_category", "first level, in the policy's total"),
        money("amount", "the policy's dollars of the due months, as in capitation_variance"),
        money("in_network_amount", "what was paid on their lines of the contract's network's roster, x exposure"),
        column("in_network_services", MONTHS_OF_MANY, "services on these lines"),
        column(
            "encounter_services",
            MONTHS_OF_MANY,
            "part of them of which nothing was paid or allowed: who gave them is paid by the month",
        ),
        column("completion_factor", FACTOR, "share already paid; 1 where there is none"),
        flag("is_completed", "amount is what will be paid: the policy completes its dollars itself"),
    ),
    rules={"factor_is_a_share": "completion_factor > 0 AND completion_factor <= 1"},
    key_is_built_in=True,
)


def contract_month_costs(
    capitation_due: DataFrame,
    cells: DataFrame,
    member_month_costs: DataFrame,
    claim_costs: DataFrame,
    completion_factors: DataFrame,
    *,
    policy: Policy,
    performance_years: Sequence[int],
    completion: str,
) -> DataFrame:
    """The costs of every contract's due months; `completion` is the method of a policy that completes nothing."""
    completes = policy.cost.completion != "none"
    counted = cells.where((F.col("side") == ACTUAL) & (F.col("service_category") != ""))
    nothing = F.lit(0).cast(MONTHS_OF_MANY)
    whole = counted.select(
        *_KEY,
        F.col("amount").cast(MONEY).alias("amount"),
        F.lit(0).cast(MONEY).alias("in_network_amount"),
        nothing.alias("in_network_services"),
        nothing.alias("encounter_services"),
    )
    inside = _in_network(capitation_due, member_month_costs, claim_costs, policy, performance_years)
    names = ("amount", "in_network_amount", "in_network_services", "encounter_services")
    sums = whole.unionByName(inside).groupBy(*_KEY).agg(*[F.sum(name).alias(name) for name in names])
    factors = completion_factors.where(
        (F.col("method") == (policy.cost.completion if completes else completion))
        & (F.col("claim_month") == policy.cost.claim_month)
    ).select("service_category", F.col("incurred_month").alias("coverage_month"), "completion_factor")
    factor = F.coalesce(F.col("completion_factor").cast(FACTOR), F.lit(1).cast(FACTOR))
    # a factor below the last digit told would be 0
    is_told = (factor > 0) & (factor <= 1)
    return sums.join(F.broadcast(factors), ["service_category", "coverage_month"], how="left").select(
        *_KEY,
        *[F.col(name).cast(CONTRACT_MONTH_COSTS.schema[name].dataType).alias(name) for name in names],
        F.when(is_told, factor).otherwise(F.lit(1).cast(FACTOR)).alias("completion_factor"),
        F.lit(completes).alias("is_completed"),
    )


def _in_network(
    capitation_due: DataFrame,
    member_month_costs: DataFrame,
    claim_costs: DataFrame,
    policy: Policy,
    performance_years: Sequence[int],
) -> DataFrame:
    """Paid dollars on lines of the contract's own network, of what the policy counts, half up by member, month and
    category."""
    of_member = ["member_id", "coverage_month", "service_category"]
    counted = (
        of_run(member_month_costs, [policy], performance_years)
        .where("exclusion_reason IS NULL AND in_total AND counted_lines > 0")
        .select(
            "member_id",
            F.col("member_month").alias("coverage_month"),
            "service_category",
            F.col("network_id").alias("own_network"),
        )
    )
    is_encounter = (F.col("paid_amount") == 0) & (F.coalesce(F.col("allowed_amount"), F.lit(0)) == 0)
    lines = (
        claim_costs.where(~F.col("is_denied"))
        .where(F.col("roster_network_id") != "")
        .select(
            "member_id",
            F.col(f"{policy.cost.claim_month}_month").alias("coverage_month"),
            "service_category",
            F.col("roster_network_id").alias("network_id"),
            F.col("paid_amount"),
            F.col("services").cast("decimal(12,0)").alias("services"),
            F.when(is_encounter, F.col("services")).otherwise(F.lit(0)).cast("decimal(12,0)").alias("encounters"),
        )
    )
    sums = lines.groupBy(*of_member, "network_id").agg(
        *[F.sum(name).alias(name) for name in ("paid_amount", "services", "encounters")]
    )
    due = capitation_due.where("is_due").select(
        "contract_id",
        "member_id",
        "coverage_month",
        "network_id",
        F.col("exposure").cast("decimal(7,6)").alias("share"),
    )
    rows = due.join(sums.hint("merge"), ["member_id", "coverage_month", "network_id"], how="inner").join(
        counted.hint("merge"), of_member, how="inner"
    )
    if policy.cost.basis == "reimbursed_to_network":
        rows = rows.where(F.col("network_id") == F.col("own_network"))
    share = F.col("share")
    return rows.select(
        *_KEY,
        F.lit(0).cast(MONEY).alias("amount"),
        F.round(F.col("paid_amount").cast(MONEY) * share, 2).cast(MONEY).alias("in_network_amount"),
        (F.col("services").cast("decimal(11,0)") * share).cast(MONTHS_OF_MANY).alias("in_network_services"),
        (F.col("encounters").cast("decimal(11,0)") * share).cast(MONTHS_OF_MANY).alias("encounter_services"),
    )
