"""What the tables by network, practice and physician share: sums of member years, then the quotients.

normalized risk = mean score / factor; adjusted cost = cost / normalized risk, at the aggregate, never per person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.risk import score_sums, with_risk
from pmpm_spark.measures import in_cents, per_member_month, ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_run
from pmpm_spark.table import FACTOR, MONTHS, Column, column, count, flag, money, quotient, text

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

SMALL_CELL = 11
"""Rows on fewer members are flagged: CMS shows no count from 1 to 10."""

PMPM_COLUMNS: tuple[Column, ...] = (
    count("members", "members with at least one eligible month"),
    column("member_months", MONTHS, "eligible member months"),
    money("paid_amount", "what was paid, of what the policy counts"),
    money("in_network_paid_amount", "part of it on lines of the network's own roster"),
    money("counted_amount", "the policy's dollars after its steps"),
    quotient("pmpm", "counted_amount per member month, US dollars, unrounded"),
    count("scored_members", "members with a risk score"),
    quotient("risk_score", "mean raw score of the scored members; null where none is"),
    column(
        "normalization_factor",
        FACTOR,
        "divisor of raw scores (by enrollment type what all types together amount to); null where no score is told",
    ),
    quotient("normalized_risk_score", "risk_score / normalization_factor, after the cap; 1.0 is average"),
    money("adjusted_amount", "counted_amount / normalized_risk_score, half up to cents"),
    quotient("adjusted_pmpm", "counted_amount / normalized_risk_score per member month, US dollars, unrounded"),
    flag("is_small_cell", f"fewer than {SMALL_CELL} members"),
    text("normalization", "what scores are divided by, and whether growth is capped; null where no score is told"),
    quotient("uncapped_risk_score", "normalized_risk_score before the cap"),
)
SUMS = ("member_months", "paid_amount", "in_network_paid_amount", "counted_amount")


def pmpm_by(
    keys: tuple[str, ...],
    member_years: DataFrame,
    normalization_factors: DataFrame,
    risk_means: DataFrame,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    more_sums: Sequence[SparkColumn] = (),
) -> DataFrame:
    """PMPM raw and risk-adjusted by `keys`, every eligible month and counted dollar in exactly one row.

    `more_sums` are summed over the members of a row.
    """
    grain = ("policy", "performance_year", *keys)
    years = of_run(member_years, policies, performance_years)
    people = years.groupBy(*grain, "member_id").agg(
        *[F.sum(name).alias(name) for name in SUMS], F.max("risk_score").alias("risk_score")
    )
    sums = people.groupBy(*grain).agg(
        F.count(F.lit(1)).alias("members"), *[F.sum(name).alias(name) for name in SUMS], *score_sums(), *more_sums
    )
    rows = with_risk(sums, keys, years, normalization_factors, risk_means, policies)
    adjusted = ratio(F.col("counted_amount"), F.col("normalized_risk_score"))
    return rows.withColumns(
        {
            "pmpm": per_member_month(F.col("counted_amount"), F.col("member_months")),
            "adjusted_amount": in_cents(adjusted),
            "adjusted_pmpm": per_member_month(adjusted, F.col("member_months")),
            "is_small_cell": F.col("members") < SMALL_CELL,
        }
    )


def network_names(network_roster: DataFrame) -> DataFrame:
    """One name and type a network: those of its roster row that starts last."""
    described = F.struct("network_name", "network_type")
    order = F.struct("start_date", "end_date", "tin", "npi", "ccn")
    return network_roster.groupBy("network_id").agg(F.max_by(described, order).alias("d")).select("network_id", "d.*")
