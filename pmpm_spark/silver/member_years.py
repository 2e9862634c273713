"""Member years: the eligible months and counted dollars of a member's year, with whose it is and how sick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONEY, MONTHS, SCORE, Table, column, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = ("policy", "performance_year", "member_id", "enrollment_type")

MEMBER_YEARS = Table(
    name="silver.member_years",
    grain="one row per policy, performance year, member and enrollment type with an eligible month",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("member_id", "pseudonymous member key"),
        text("enrollment_type", "enrollment type of the months"),
        text("network_id", "network, or UNATTRIBUTED"),
        text("practice_tin", "practice, or UNATTRIBUTED"),
        text("physician_npi", "physician, or UNATTRIBUTED"),
        column("member_months", MONTHS, "eligible member months"),
        money("paid_amount", "what was paid, of what the policy counts"),
        money("counted_amount", "the policy's dollars after its steps"),
        column("risk_score", SCORE, "raw score of the member's year; null where there is none"),
        money("in_network_paid_amount", "part of the paid dollars on lines of the member's own network's roster"),
    ),
    rules={"months_are_there": "member_months > 0"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def member_years(
    member_months: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame,
    attribution: DataFrame,
    risk_scores: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """One aggregation over months and costs, both starting from the member; then whose it is, and the score."""
    zero = F.lit(0).cast(MONEY)
    months = (
        of_run(member_months, policies, performance_years)
        .where("is_eligible")
        .select(
            *_KEY,
            F.col("exposure").alias("member_months"),
            zero.alias("paid_amount"),
            zero.alias("counted_amount"),
            zero.alias("in_network_paid_amount"),
        )
    )
    costs = (
        of_run(member_month_costs, policies, performance_years)
        .where("exclusion_reason IS NULL AND in_total")
        .select(
            *_KEY,
            F.lit(0).cast(MONTHS).alias("member_months"),
            F.col("counted_paid_amount").alias("paid_amount"),
            "counted_amount",
            "in_network_paid_amount",
        )
    )
    truncated = of_run(truncated_costs, policies, performance_years).select(
        *_KEY,
        F.lit(0).cast(MONTHS).alias("member_months"),
        zero.alias("paid_amount"),
        "counted_amount",
        zero.alias("in_network_paid_amount"),
    )
    sums = (
        months.unionByName(costs)
        .unionByName(truncated)
        .groupBy(*_KEY)
        .agg(*[F.sum(name).alias(name) for name in months.columns if name not in _KEY])
    )
    whose = of_run(attribution, policies, performance_years).select(
        "policy", "performance_year", "member_id", "network_id", "practice_tin", "physician_npi"
    )
    scores = chosen_scores(risk_scores, policies)
    return (
        sums.join(whose, ["policy", "performance_year", "member_id"], how="left")
        .join(scores, ["policy", "performance_year", "member_id"], how="left")
        .fillna({"network_id": UNATTRIBUTED, "practice_tin": UNATTRIBUTED, "physician_npi": UNATTRIBUTED})
    )


ORIGINS = {"supplied": ("supplied",), "computed": ("computed",), "supplied_else_computed": ("supplied", "computed")}
"""Where a policy takes its scores from, the first that has one."""


def chosen_scores(risk_scores: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """The score of each policy, member and year."""
    member_year = ("performance_year", "member_id")
    both = risk_scores.groupBy(*member_year).agg(
        *[
            F.max(F.when(F.col("origin") == origin, F.col("risk_score"))).alias(origin)
            for origin in ORIGINS["supplied_else_computed"]
        ]
    )

    def rows_of(policy: Policy) -> DataFrame:
        score = F.coalesce(*ORIGINS[policy.risk.scores])
        return both.select(F.lit(policy.label).alias("policy"), *member_year, score.alias("risk_score"))

    return of_policies(policies, rows_of)
