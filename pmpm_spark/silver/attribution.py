"""Attribution: whose member it is, by the policy's method (design section 3.3).

`plurality`: most allowed charges for primary care services on undenied professional lines; a network is one
candidate, every tax number outside one each. `roster`: as the payer supplies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.months import month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.roster_match import NO_NETWORK, with_roster_network
from pmpm_spark.silver.union import of_policies
from pmpm_spark.table import MONEY, Table, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

UNATTRIBUTED = "UNATTRIBUTED"
OUTSIDE = "TIN:"
"""What stands before the tax number of a candidate outside every network."""

ATTRIBUTION = Table(
    name="silver.attribution",
    grain="one row per policy, performance year and member with a candidate",
    key=("policy", "performance_year", "member_id"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "year that the member is attributed for"),
        text("member_id", "pseudonymous member key"),
        text("network_id", "network; UNATTRIBUTED where the winner is outside every network"),
        text("practice_tin", "practice inside the network; UNATTRIBUTED where none"),
        text("physician_npi", "physician inside the network; UNATTRIBUTED where none"),
        text("method", "method that made the row"),
        money("measure_amount", "what the winner is measured by; null where the payer supplies it"),
        text("runner_up_network_id", "second candidate; TIN: and a tax number where it is outside every network"),
        money("runner_up_amount", "what the second candidate is measured by"),
        text("winner", "the winning candidate: a network, or TIN: and a tax number"),
    ),
    rules={"network_is_told": "network_id IS NOT NULL"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def attribution(
    primary_care_services: DataFrame,
    network_roster: DataFrame,
    member_attribution: DataFrame,
    primary_care_hcpcs: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The members of every policy and performance year with their network, practice and physician."""

    def rows_of(policy: Policy) -> DataFrame:
        if policy.attribution.method == "roster":
            rows = _as_supplied(member_attribution, performance_years)
        else:
            services = _counted_services(primary_care_services, primary_care_hcpcs, policy, performance_years)
            rows = _plurality(services, network_roster)
        return rows.withColumns({"policy": F.lit(policy.label), "method": F.lit(policy.attribution.method)})

    return of_policies(policies, rows_of)


def _as_supplied(member_attribution: DataFrame, performance_years: Sequence[int]) -> DataFrame:
    """The payer's list: the network with most months of the year, then the lowest; in it the physician likewise."""
    fewest_last = (-F.bit_count("months")).alias("months_below_0")
    is_unnamed = (F.col("physician_npi") == "").alias("is_unnamed")
    physician = F.min(F.struct(fewest_last, is_unnamed, "physician_npi", "practice_tin")).alias("physician")
    network_months = (-F.bit_count(F.bit_or("months"))).alias("months_below_0")
    of_member = ("performance_year", "member_id")
    chosen = (
        member_attribution.where(F.col("performance_year").isin(*performance_years))
        .groupBy(*of_member, "network_id")
        .agg(network_months, physician)
        .groupBy(*of_member)
        .agg(F.min(F.struct("months_below_0", "network_id", "physician")).alias("first"))
        .select(*of_member, "first.network_id", "first.physician.*")
    )
    return chosen.select(
        "performance_year",
        "member_id",
        "network_id",
        _or_unattributed("practice_tin"),
        _or_unattributed("physician_npi"),
        F.lit(None).cast(MONEY).alias("measure_amount"),
        F.lit(None).cast("string").alias("runner_up_network_id"),
        F.lit(None).cast(MONEY).alias("runner_up_amount"),
        F.col("network_id").alias("winner"),
    )


def _counted_services(
    services: DataFrame, primary_care_hcpcs: DataFrame, policy: Policy, performance_years: Sequence[int]
) -> DataFrame:
    """Professional services above 0 with a code of the year's set, once for each year whose window they lie in."""
    years = F.array(*[_window(policy, y) for y in performance_years])
    number = month_number("service_date")
    inside = F.filter(years, lambda y: (number >= y["first"]) & (number <= y["last"]))
    codes = primary_care_hcpcs.where(F.col("program") == "plurality").select("hcpcs", "first_year", "last_year")
    return (
        services.where((F.col("line_kind") == "professional") & (F.col("allowed_amount") > 0))
        .select("*", F.inline(inside))
        .join(F.broadcast(codes), "hcpcs", how="inner")
        .where(F.col("performance_year").between(F.col("first_year"), F.col("last_year")))
    )


def _window(policy: Policy, performance_year: int) -> Column:
    first, last = performance_year * 12, performance_year * 12 + 11
    if policy.attribution.window == "alignment_window":
        last -= policy.eligibility.lag_months
        first = last - policy.eligibility.window_months + 1
    return F.struct(
        F.lit(performance_year).alias("performance_year"), F.lit(first).alias("first"), F.lit(last).alias("last")
    )


def _plurality(services: DataFrame, network_roster: DataFrame) -> DataFrame:
    """Winner and runner-up of each member and year; practice and physician by the same measure inside the winner.

    Ties: latest day of service, then a network before a tax number, then the lowest id.
    """
    roster = network_roster.where("ccn = ''")  # a row with a facility on it matches no professional line
    matched = with_roster_network(services.withColumn("ccn", F.lit("")), roster, "service_date")
    is_outside = F.col("roster_network_id") == NO_NETWORK
    candidate = F.when(~is_outside, F.col("roster_network_id")).when(
        F.col("tin") != "", F.concat(F.lit(OUTSIDE), F.col("tin"))
    )
    member_year = ("performance_year", "member_id")
    totals = (
        matched.withColumns({"candidate": candidate, "is_outside": is_outside})
        .where("candidate IS NOT NULL")
        .repartition("member_id")
        .groupBy(*member_year, "candidate", "is_outside", "npi", "tin")
        .agg(F.sum("allowed_amount").alias("amount"), F.max("service_date").alias("latest"))
    )

    def of(*names: str) -> dict[str, Column]:
        """Sum and latest day over all rows that share these columns."""
        window = Window.partitionBy(*member_year, "candidate", *names).rowsBetween(
            Window.unboundedPreceding, Window.unboundedFollowing
        )
        prefix = names[0] if names else "candidate"
        return {
            f"{prefix}_amount": F.sum("amount").over(window),
            f"{prefix}_latest": F.max("latest").over(window),
        }

    measured = totals.withColumns({**of(), **of("npi"), **of("tin")})
    best = measured.groupBy(*member_year, "candidate", "is_outside").agg(
        F.max("candidate_amount").alias("amount"),
        F.max("candidate_latest").alias("latest"),
        _most("npi"),
        _most("tin"),
    )
    in_order = F.struct(
        (-F.col("amount")).alias("most"),
        (-F.unix_date("latest")).alias("newest"),
        "is_outside",
        "candidate",
        "npi",
        "tin",
        "amount",
    )
    ranked = best.groupBy(*member_year).agg(F.array_sort(F.collect_list(in_order)).alias("ranked"))
    winner, second = F.get("ranked", F.lit(0)), F.get("ranked", F.lit(1))
    inside = ~winner["is_outside"]
    return ranked.select(
        *member_year,
        F.when(inside, winner["candidate"]).otherwise(UNATTRIBUTED).alias("network_id"),
        F.when(inside, winner["tin"]).alias("practice_tin"),
        F.when(inside, winner["npi"]).alias("physician_npi"),
        winner["amount"].cast(MONEY).alias("measure_amount"),
        second["candidate"].alias("runner_up_network_id"),
        second["amount"].cast(MONEY).alias("runner_up_amount"),
        winner["candidate"].alias("winner"),
    ).withColumns(
        {"practice_tin": _or_unattributed("practice_tin"), "physician_npi": _or_unattributed("physician_npi")}
    )


def _most(name: str) -> Column:
    """The id with the largest sum; ties by latest day, then lowest id; null where none is told."""
    order = F.struct(-F.col(f"{name}_amount"), -F.unix_date(f"{name}_latest"), F.col(name))
    return F.min_by(name, F.when(F.col(name) != "", order)).alias(name)


def _or_unattributed(name: str) -> Column:
    return F.when(F.col(name) != "", F.col(name)).otherwise(UNATTRIBUTED).alias(name)
