"""High-cost members: the 5% of each network's members with the most dollars of the policy, and who is of the 1%.

Rows of members: in the warehouse alone, never in a report or an export.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import MONTHS, SCORE, Table, column, count, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_KEY = ("policy", "performance_year", "member_id")
_NETWORK = ("policy", "performance_year", "network_id")
TOP_PERCENTS = (1, 5)
"""Shares of a network's members, rounded up to whole members."""
BUCKET = 1000
"""US dollars: members are counted by such steps first, and ordered only in the steps that hold the top."""

HIGH_COST_MEMBERS = Table(
    name="silver.high_cost_members",
    grain=f"one row per policy, performance year and member of the top {TOP_PERCENTS[-1]}% of a network by cost",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("member_id", "pseudonymous member key"),
        text("network_id", "network, or UNATTRIBUTED"),
        text("practice_tin", "practice, or UNATTRIBUTED"),
        text("physician_npi", "physician, or UNATTRIBUTED"),
        year("top_percent", "smallest of 1 and 5 (percent) whose top the member is of"),
        count("cost_rank", "1 for the network's dearest member; of equal costs the lower member_id first"),
        count("network_members", "members of the network with an eligible month"),
        column("member_months", MONTHS, "eligible member months"),
        money("paid_amount", "what was paid, of what the policy counts"),
        money("counted_amount", "the policy's dollars after its steps, by which members are ranked"),
        column("risk_score", SCORE, "raw score of the member's year; null where there is none"),
    ),
    rules={"is_of_the_top": f"top_percent IN ({', '.join(map(str, TOP_PERCENTS))})"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)


def high_cost_members(
    member_years: DataFrame, *, policies: Sequence[Policy], performance_years: Sequence[int]
) -> DataFrame:
    """The top of each network, found without sorting its members: first the steps of cost that hold it."""
    people = (
        of_run(member_years, policies, performance_years)
        .groupBy(*_KEY, "network_id", "practice_tin", "physician_npi")
        .agg(
            *[F.sum(name).alias(name) for name in ("member_months", "paid_amount", "counted_amount")],
            F.max("risk_score").alias("risk_score"),
        )
        .withColumn("bucket", F.floor(F.col("counted_amount").cast("double") / BUCKET))
    )
    whole = Window.partitionBy(*_NETWORK).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    dearer = Window.partitionBy(*_NETWORK).orderBy(F.desc("bucket")).rowsBetween(Window.unboundedPreceding, -1)
    steps = (
        people.groupBy(*_NETWORK, "bucket")
        .agg(F.count(F.lit(1)).alias("n"))
        .withColumns(
            {
                "network_members": F.sum("n").over(whole),
                "in_dearer": F.coalesce(F.sum("n").over(dearer), F.lit(0)),
            }
        )
        .where(F.col("in_dearer") < _top(TOP_PERCENTS[-1]))
        .drop("n")
    )
    in_step = (
        Window.partitionBy(*_NETWORK, "bucket")
        .orderBy(F.desc("counted_amount"), "member_id")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    percent = F.lit(TOP_PERCENTS[-1])
    for smaller in reversed(TOP_PERCENTS[:-1]):
        percent = F.when(F.col("cost_rank") <= _top(smaller), F.lit(smaller)).otherwise(percent)
    return (
        people.join(F.broadcast(steps), [*_NETWORK, "bucket"], how="inner")
        .withColumn("cost_rank", F.row_number().over(in_step) + F.col("in_dearer"))
        .where(F.col("cost_rank") <= _top(TOP_PERCENTS[-1]))
        .withColumn("top_percent", percent)
    )


def _top(percent: int) -> Column:
    """How many of a network's members are its top."""
    return F.ceil(F.col("network_members") * percent / 100)
