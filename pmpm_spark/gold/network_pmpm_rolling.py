"""PMPM by network over the year to date and over twelve months, beside the same months a year before, as they stood a
year ago.

A young year looks cheap because much of it is not paid yet. So the prior period is cut at the same run-out: claims of
it that were paid later after its end than the newest payment is after this one's are left out. Both ends lie twelve
months apart, so that this is one day for all periods: what was paid until twelve months before the newest month of
payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import in_cents, per_member_month, ratio
from pmpm_spark.months import month_at, month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONEY, MONTHS, Table, column, count, day, flag, money, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

YEAR_TO_DATE, ROLLING_12 = "YEAR_TO_DATE", "ROLLING_12"
_KEY = ("policy", "network_id", "span", "member_month")

NETWORK_PMPM_ROLLING = Table(
    name="gold.network_pmpm_rolling",
    grain="one row per policy, network, span and told month of the run's years, where the network has an eligible "
    "month in the period; twelve months only where the run's years have them all",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("span", f"{YEAR_TO_DATE}: from January; {ROLLING_12}: twelve months"),
        day("member_month", "last month of the period"),
        year("performance_year", "calendar year of that month"),
        count("members", "most members for whom a month of the period counts"),
        column("member_months", MONTHS, "eligible member months of the period"),
        money("counted_amount", "the policy's dollars after its steps"),
        quotient("pmpm", "counted_amount per member month, US dollars, unrounded"),
        quotient(
            "normalized_risk_score",
            "that of network_pmpm for the year; of two years by their member months; null where one has none",
        ),
        quotient("adjusted_pmpm", "counted_amount / normalized_risk_score per member month, US dollars, unrounded"),
        column(
            "runout_months",
            T.IntegerType(),
            "months from the last of the period to the newest month of payment; null where no payment tells when",
        ),
        text(
            "prior_cut",
            "the prior period is that of a year before: SAME_RUNOUT, without what was paid later after its end; "
            "COMPLETED, whole, as the policy completes both; NO_PAID_DATES, whole, as no payment tells when; "
            "null where the run's years do not have it",
        ),
        column("prior_member_months", MONTHS, "eligible member months of the prior period"),
        money("prior_counted_amount", "its dollars after the cut"),
        money("prior_late_amount", "its dollars that the cut leaves out"),
        quotient("prior_pmpm", "prior_counted_amount per member month, US dollars, unrounded"),
        quotient("prior_normalized_risk_score", "as normalized_risk_score"),
        quotient("prior_adjusted_pmpm", "as adjusted_pmpm, of prior_counted_amount"),
        quotient("pmpm_change", "pmpm / prior_pmpm, less 1"),
        quotient("adjusted_pmpm_change", "adjusted_pmpm / prior_adjusted_pmpm, less 1"),
        flag("is_small_cell", f"fewer than {SMALL_CELL} members"),
    ),
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def network_pmpm_rolling(
    network_pmpm_by_month: DataFrame,
    network_pmpm: DataFrame,
    member_month_costs: DataFrame,
    final_claim_lines: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Months added up by the periods that they are in, now and a year later; then the quotients.

    Late dollars are those of the month's claims that the policy counts; where it counts other dollars than what was
    paid, of each member, month and category the share that was paid late. What a truncation takes stays as it is.
    """
    months = of_run(network_pmpm_by_month, policies, performance_years)
    newest = months.agg(F.max(month_number("member_month") + F.col("runout_months")).alias("newest"))
    costs = of_run(member_month_costs, policies, performance_years).where("exclusion_reason IS NULL AND in_total")
    late = _late(final_claim_lines.crossJoin(F.broadcast(newest)), costs, policies)
    risks = of_run(network_pmpm, policies, performance_years).select(
        "policy", "network_id", "performance_year", "normalized_risk_score"
    )
    told = months.groupBy("policy").agg(
        F.min(month_number("member_month")).alias("first"), F.max(month_number("member_month")).alias("last")
    )
    of_months = (
        months.join(F.broadcast(risks), ["policy", "network_id", "performance_year"], how="left")
        .join(late, ["policy", "network_id", "member_month"], how="left")
        .join(F.broadcast(told), "policy", how="inner")
        .crossJoin(F.broadcast(newest))
        .withColumn("month", month_number("member_month"))
        .withColumn("late_amount", _late_of_month(policies))
    )
    sums = _periods(of_months, performance_years)
    return sums.select(*_KEY, *_figures(policies))


def _late(lines: DataFrame, costs: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """late: what was paid, later than a year before the newest payment, of claims of the months until then."""
    cut = F.col("newest") - 12
    first_day = F.coalesce("service_from", "service_thru")
    paid_late = (
        lines.where(~F.col("is_denied") & (month_number("paid_on") > cut) & (month_number(first_day) <= cut))
        .select(
            "member_id",
            "service_category",
            month_number("service_thru").alias("thru"),
            month_number(first_day).alias("from"),
            F.coalesce("paid_amount", F.lit(0).cast(MONEY)).alias("late_paid"),
        )
        .groupBy("member_id", "service_category", "thru", "from")
        .agg(F.sum("late_paid").cast(MONEY).alias("late_paid"))
    )

    def of_policy(policy: Policy) -> DataFrame:
        by_month = paid_late.groupBy(
            "member_id", "service_category", month_at(F.col(policy.cost.claim_month)).alias("member_month")
        ).agg(F.sum("late_paid").cast(MONEY).alias("late_paid"))
        keys = ["member_id", "service_category", "member_month"]
        counted, paid, late_paid = (F.col(name) for name in ("counted_amount", "paid_amount", "late_paid"))
        shared = in_cents(ratio(counted.cast("double") * late_paid.cast("double"), paid))
        late = F.when(counted == paid, late_paid).otherwise(shared)
        return (
            costs.where(F.col("policy") == policy.label)
            .join(by_month, keys, how="inner")
            .groupBy("policy", "network_id", "member_month")
            .agg(F.sum(late).cast(MONEY).alias("late"))
        )

    return of_policies(policies, of_policy)


def _completes(policies: Sequence[Policy]) -> Column:
    return F.col("policy").isin(*[policy.label for policy in policies if policy.cost.completion != "none"])


def _late_of_month(policies: Sequence[Policy]) -> Column:
    """All of a month that was not over then; nothing where both periods are completed."""
    was_to_come = F.coalesce(F.col("month") > F.col("newest") - 12, F.lit(False))
    of_month = F.when(was_to_come, F.col("counted_amount")).otherwise(F.coalesce("late", F.lit(0).cast(MONEY)))
    return F.when(_completes(policies), F.lit(0).cast(MONEY)).otherwise(of_month).cast(MONEY)


def _periods(months: DataFrame, performance_years: Sequence[int]) -> DataFrame:
    """Sums by period: of its own months, and of those of the period a year before (`prior_`)."""
    ahead = months.withColumn("age", F.explode(F.sequence(F.lit(0), F.lit(23)))).withColumn(
        "until", F.col("month") + F.col("age")
    )
    spans = ahead.withColumn("span", F.explode(F.array(F.lit(YEAR_TO_DATE), F.lit(ROLLING_12))))
    width = F.when(F.col("span") == YEAR_TO_DATE, F.col("until") % 12).otherwise(F.lit(11))
    until_year, own_year = F.floor(F.col("until") / 12).cast("int"), F.col("performance_year")
    start = F.col("until") - F.col("width")
    is_of_run = until_year.isin(*performance_years) & F.floor(start / 12).cast("int").isin(*performance_years)
    is_told = (F.col("until") <= F.col("last")) & ((F.col("span") == YEAR_TO_DATE) | (start >= F.col("first")))
    age = F.col("age")
    parts = (
        spans.withColumn("width", width)
        .where(is_of_run & is_told)
        .withColumns({"is_own": age <= F.col("width"), "is_prior": (age >= 12) & (age <= F.col("width") + 12)})
        .where("is_own OR is_prior")
    )

    def of_period(name: str, where: Column, back: int) -> list[Column]:
        in_last_year = where & (own_year == until_year - back)
        months, risk = F.col("member_months"), F.col("normalized_risk_score")
        return [
            F.sum(F.when(where, months)).alias(f"{name}months"),
            F.sum(F.when(where, F.col("counted_amount"))).cast(MONEY).alias(f"{name}counted"),
            F.sum(F.when(where, F.col("late_amount"))).cast(MONEY).alias(f"{name}late"),
            F.coalesce(F.sum(F.when(in_last_year, months)), F.lit(0)).alias(f"{name}months_of_last_year"),
            F.max(F.when(in_last_year, risk)).alias(f"{name}risk_of_last_year"),
            F.max(F.when(where & ~in_last_year, risk)).alias(f"{name}risk_before"),
        ]

    is_own, is_prior = F.col("is_own"), F.col("is_prior")
    sums = parts.groupBy("policy", "network_id", "span", "until").agg(
        F.max(F.when(is_own, F.col("members"))).alias("members"),
        F.max("first").alias("first"),
        F.max("newest").alias("newest"),
        F.max("width").alias("width"),
        *of_period("own_", is_own, 0),
        *of_period("prior_", is_prior, 1),
    )
    return (
        sums.where("own_months > 0")
        .withColumn("member_month", month_at(F.col("until")))
        .withColumn("has_prior", _has_prior(performance_years))
    )


def _has_prior(performance_years: Sequence[int]) -> Column:
    start = F.col("until") - F.col("width") - 12
    years = [F.floor(month / 12).cast("int") for month in (start, F.col("until") - 12)]
    return (start >= F.col("first")) & years[0].isin(*performance_years) & years[1].isin(*performance_years)


def _risk(name: str) -> Column:
    """The year's normalized risk; of two years the mean by member months."""
    last, before = F.col(f"{name}risk_of_last_year"), F.col(f"{name}risk_before")
    months = F.col(f"{name}months").cast("double")
    of_last = F.col(f"{name}months_of_last_year").cast("double")
    both = (of_last * last + (months - of_last) * before) / months
    return F.when(of_last == months, last).when(of_last == 0, before).when(months > 0, both)


def _figures(policies: Sequence[Policy]) -> list[Column]:
    def adjusted(amount: Column, name: str) -> Column:
        return per_member_month(ratio(amount, _risk(name)), F.col(f"{name}months"))

    has_prior = F.col("has_prior")
    kind = F.when(_completes(policies), F.lit("COMPLETED")).when(F.col("newest").isNull(), F.lit("NO_PAID_DATES"))
    counted, months = F.col("own_counted"), F.col("own_months")
    known = (F.col("prior_counted") - F.col("prior_late")).cast(MONEY)
    pmpm, prior_pmpm = per_member_month(counted, months), per_member_month(known, F.col("prior_months"))
    own_adjusted, prior_adjusted = adjusted(counted, "own_"), adjusted(known, "prior_")
    of_prior = {
        "prior_cut": kind.otherwise(F.lit("SAME_RUNOUT")),
        "prior_member_months": F.coalesce("prior_months", F.lit(0)),
        "prior_counted_amount": F.coalesce(known, F.lit(0).cast(MONEY)),
        "prior_late_amount": F.coalesce("prior_late", F.lit(0).cast(MONEY)),
        "prior_pmpm": prior_pmpm,
        "prior_normalized_risk_score": _risk("prior_"),
        "prior_adjusted_pmpm": prior_adjusted,
        "pmpm_change": ratio(pmpm, prior_pmpm) - 1,
        "adjusted_pmpm_change": ratio(own_adjusted, prior_adjusted) - 1,
    }
    return [
        F.floor(F.col("until") / 12).cast("int").alias("performance_year"),
        F.col("members"),
        months.alias("member_months"),
        counted.alias("counted_amount"),
        pmpm.alias("pmpm"),
        _risk("own_").alias("normalized_risk_score"),
        own_adjusted.alias("adjusted_pmpm"),
        (F.col("newest") - F.col("until")).cast("int").alias("runout_months"),
        *[F.when(has_prior, value).alias(name) for name, value in of_prior.items()],
        (F.col("members") < SMALL_CELL).alias("is_small_cell"),
    ]
