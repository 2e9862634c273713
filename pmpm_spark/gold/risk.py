"""Risk of a group: the mean score of its members, over what is average.

What is average is the year's factor from the table, the mean of the reference population (every member with an eligible
month under the policy, attributed or not), or a supplied mean; each for all members, or by enrollment type. By
enrollment type each score is divided by the mean of its type first, and a member is one of each of their types. Growth
since a reference year may be capped, by the network's own score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.measures import ratio
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_policies
from pmpm_spark.spark_versions import word_for

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_YEAR = ("policy", "performance_year")
ALL_TYPES = "ALL"
"""The enrollment type of a supplied mean of all members."""


def with_risk(
    sums: DataFrame,
    keys: tuple[str, ...],
    years: DataFrame,
    factors: DataFrame,
    means: DataFrame,
    policies: Sequence[Policy],
) -> DataFrame:
    """The sums by `keys` (with `score_sums`) with risk_score, normalization_factor, normalized_risk_score (and
    uncapped_risk_score) and normalization.

    `years` are the member years that they are sums of; `keys` begin with network_id.
    """
    rows = _normalized(sums, keys, years, factors, means, policies)
    capping = [policy for policy in policies if policy.risk.cap != "none"]
    uncapped = F.col("normalized_risk_score")
    if not capping:
        return rows.withColumn("uncapped_risk_score", uncapped)
    by_network = _normalized(network_sums(years), ("network_id",), years, factors, means, policies)
    ratios = of_policies(capping, lambda policy: _capped_share(by_network, policy))
    share = F.coalesce("capped_share", F.lit(1.0))
    return (
        rows.join(F.broadcast(ratios), [*_YEAR, "network_id"], how="left")
        .withColumn("uncapped_risk_score", uncapped)
        .withColumn("normalized_risk_score", uncapped * share)
        .drop("capped_share")
    )


def people_of(years: DataFrame, grain: tuple[str, ...]) -> DataFrame:
    """One row per member: a member of two enrollment types is one member with one score."""
    return years.groupBy(*grain, "member_id").agg(
        F.sum("member_months").alias("member_months"), F.max("risk_score").alias("risk_score")
    )


def network_sums(years: DataFrame) -> DataFrame:
    grain = (*_YEAR, "network_id")
    return people_of(years, grain).groupBy(*grain).agg(*score_sums())


def score_sums() -> list[Column]:
    """Sums over members, from which the mean score comes, plain or weighted by member months."""
    months = F.col("member_months")
    return [
        F.count("risk_score").alias("scored_members"),
        F.sum("risk_score").alias("score_sum"),
        F.sum(F.col("risk_score") * months).alias("score_months"),
        F.sum(F.when(F.col("risk_score").isNotNull(), months)).alias("scored_months"),
    ]


def _mean_score(policies: Sequence[Policy]) -> Column:
    by_months = F.col("policy").isin(*[p.label for p in policies if p.risk.weighting == "member_months"])
    weighted = ratio(F.col("score_months"), F.col("scored_months"))
    return F.when(by_months, weighted).otherwise(ratio(F.col("score_sum"), F.col("scored_members")))


def _normalized(
    sums: DataFrame,
    keys: tuple[str, ...],
    years: DataFrame,
    factors: DataFrame,
    means: DataFrame,
    policies: Sequence[Policy],
) -> DataFrame:
    """The mean score over its divisor, before any cap."""
    divisors = _divisors(years, factors, means, policies)
    scored = sums.join(F.broadcast(divisors), list(_YEAR), how="left").withColumn("risk_score", _mean_score(policies))
    factor = F.when(F.col("risk_score").isNotNull(), F.col("normalization_factor"))
    kind = word_for({policy.label: _kind(policy) for policy in policies}, F.col("policy"))
    rows = scored.withColumns(
        {
            "normalization_factor": factor,
            "normalized_risk_score": ratio(F.col("risk_score"), factor),
            "normalization": F.when(F.col("risk_score").isNotNull(), kind),
        }
    )
    by_type = [policy for policy in policies if policy.risk.by_enrollment_type]
    if not by_type:
        return rows
    typed = _normalized_by_type(years, keys, means, by_type)
    normalized = F.coalesce("typed_score", "normalized_risk_score")
    return (
        rows.join(typed, [*_YEAR, *keys], how="left")
        .withColumn("normalized_risk_score", normalized)
        .withColumn("normalization_factor", F.coalesce("normalization_factor", ratio(F.col("risk_score"), normalized)))
        .drop("typed_score")
    )


def _kind(policy: Policy) -> str:
    risk = policy.risk
    by_type = " by enrollment type" if risk.by_enrollment_type else ""
    capped = {"none": "", "growth": ", growth capped", "both": ", growth and decline capped"}[risk.cap]
    return f"{risk.normalization}{by_type}{capped}"


def _divisors(years: DataFrame, factors: DataFrame, means: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """The divisor of all scores of a policy and year; none by enrollment type."""

    def of_policy(policy: Policy) -> DataFrame:
        if policy.risk.normalization == "table":
            rows = factors.select("performance_year", "normalization_factor")
        elif policy.risk.normalization == "supplied":
            of_all = means.where(F.col("enrollment_type") == ALL_TYPES)
            rows = of_all.select("performance_year", F.col("mean_risk_score").alias("normalization_factor"))
        else:
            people = people_of(years.where(F.col("policy") == policy.label), _YEAR)
            sums = people.groupBy(*_YEAR).agg(*score_sums())
            rows = sums.select("performance_year", _mean_score([policy]).alias("normalization_factor"))
        return rows.where(F.lit(not policy.risk.by_enrollment_type)).select(
            F.lit(policy.label).alias("policy"), "performance_year", F.col("normalization_factor").cast("double")
        )

    return of_policies(policies, of_policy)


def _normalized_by_type(
    years: DataFrame, keys: tuple[str, ...], means: DataFrame, policies: Sequence[Policy]
) -> DataFrame:
    """typed_score by policy, year and keys: sum of (scores of a type / mean of the type) over all weights."""

    def of_policy(policy: Policy) -> DataFrame:
        weight = F.col("member_months") if policy.risk.weighting == "member_months" else F.lit(1)
        scored = years.where((F.col("policy") == policy.label) & F.col("risk_score").isNotNull())
        sums = [F.sum(F.col("risk_score") * weight).alias("scores"), F.sum(weight).alias("weights")]
        of_type = scored.groupBy(*_YEAR, "enrollment_type").agg(*sums)
        population = of_type.select(
            "performance_year", "enrollment_type", ratio(F.col("scores"), F.col("weights")).alias("mean")
        )
        told = means.select(
            "performance_year", "enrollment_type", F.col("mean_risk_score").cast("double").alias("mean")
        )
        chosen = told if policy.risk.normalization == "supplied" else population
        parts = (
            scored.groupBy(*_YEAR, *keys, "enrollment_type")
            .agg(*sums)
            .join(F.broadcast(chosen), ["performance_year", "enrollment_type"], how="left")
        )
        # in the order of the types: a sum of doubles depends on it
        part = F.struct("enrollment_type", ratio(F.col("scores"), F.col("mean")).alias("normalized"))
        gathered = parts.groupBy(*_YEAR, *keys).agg(
            F.array_sort(F.collect_list(part)).alias("parts"), F.sum("weights").alias("weights")
        )
        total = F.aggregate("parts", F.lit(0.0), lambda so_far, one: so_far + one["normalized"])
        return gathered.select(*_YEAR, *keys, ratio(total, F.col("weights")).alias("typed_score"))

    return of_policies(policies, of_policy)


def _capped_share(by_network: DataFrame, policy: Policy) -> DataFrame:
    """What part of a network's normalized score stands under the cap; a network without a reference year has none."""
    risk = policy.risk
    rows = by_network.where(F.col("policy") == policy.label)
    reference = rows.where(F.col("performance_year") == risk.cap_reference_year).select(
        "network_id", F.col("normalized_risk_score").alias("reference")
    )
    score, limit = F.col("normalized_risk_score"), risk.cap_percent / 100
    capped = F.least(score, F.col("reference") * (1 + limit))
    if risk.cap == "both":
        capped = F.greatest(capped, F.col("reference") * (1 - limit))
    return (
        rows.where(F.col("performance_year") > risk.cap_reference_year)
        .join(F.broadcast(reference), "network_id", how="inner")
        .select(*_YEAR, "network_id", ratio(capped, score).alias("capped_share"))
    )
