"""Outcomes beside the cost: readmissions in two definitions kept apart, admissions, emergency and primary care visits,
follow-up; by network and by physician, on the member months of the PMPM.

Definitions: payment and outcomes, section 5. Rates are observed: not risk-standardized, and no HEDIS result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import MONTHS_PER_1000_YEARS, per_1000, ratio
from pmpm_spark.months import month_of
from pmpm_spark.policy import Policy
from pmpm_spark.silver.outcome_codes import HWR_LIKE, PCR_LIKE, lacking
from pmpm_spark.silver.union import of_policies, of_run
from pmpm_spark.table import MONTHS_OF_MANY, Table, column, count, flag, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

HWR, PCR, FOLLOW_UP = "readmissions_hwr_like", "readmissions_pcr_like", "followup_14_days"
ADMISSIONS, ED_VISITS, PRIMARY_CARE = "acute_admissions", "ed_visits", "primary_care_visits"
PER_1000 = (ADMISSIONS, ED_VISITS, PRIMARY_CARE)
MEASURES = (HWR, PCR, *PER_1000, FOLLOW_UP)
NETWORK, PHYSICIAN = "network", "physician"
APPLIED, NOT_SUPPLIED = "applied", "not supplied"
FOLLOW_UP_DAYS = 14
Z = 1.959964
"""Of an interval that holds the true rate 95 times in 100."""

OUTCOME_MEASURES = Table(
    name="gold.outcome_measures",
    grain="one row per policy, performance year, network, physician (empty text: the whole network) and measure",
    key=("policy", "performance_year", "network_id", "physician_npi", "measure"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network; UNATTRIBUTED for members of none"),
        text("physician_npi", "NPI of the physician, UNATTRIBUTED where none; empty text on the network's row"),
        text("measure", f"one of: {', '.join(MEASURES)}; observed, not risk-standardized, no HEDIS result"),
        text("level", f"{NETWORK} or {PHYSICIAN}"),
        count("numerator", "stays readmitted or followed up; admissions or visits"),
        column("denominator", MONTHS_OF_MANY, "index stays or discharges; of unit per_1000 eligible member months"),
        quotient("rate", "numerator / denominator; of unit per_1000 x 12,000, so per 1,000 member years; unrounded"),
        quotient("rate_low", "lower end of the 95% interval: Wilson's of a share, the score interval of a count"),
        quotient("rate_high", "upper end of the 95% interval"),
        text("unit", "share or per_1000"),
        text(
            "code_sets",
            f"{APPLIED}, or {NOT_SUPPLIED}: a code set that the measure names is lacking (docs/outcomes.md)",
        ),
        flag("is_small_cell", f"fewer than {SMALL_CELL} members in the denominator"),
    ),
    rules={
        "denominator_is_above_zero": "denominator > 0",
        "rate_is_in_its_interval": "rate BETWEEN rate_low AND rate_high",
    },
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)

_WHOSE = ("policy", "performance_year", "member_id", "network_id", "physician_npi")
VISIT_LINES = ("professional", "clinic", "cah")
"""Kinds of primary care lines that are a visit; a hospital's own part of one is billed beside the physician's."""


def outcome_measures(
    readmissions: DataFrame,
    hospital_episodes: DataFrame,
    hospital_claims: DataFrame,
    primary_care_services: DataFrame,
    member_months: DataFrame,
    member_years: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    outcome_code_sets: Sequence[Sequence[Any]],
    primary_care_hcpcs: Sequence[Sequence[Any]],
) -> DataFrame:
    """Sums by member and measure, then by physician and network, with rates and intervals last.

    An event belongs to the month of its last day, and counts where that month is eligible.
    """
    years = list(performance_years)
    of_years = of_run(member_years, policies, years)
    whose = of_years.groupBy(*_WHOSE).agg(F.sum("member_months").alias("member_months"))
    exposed = whose.select(
        *_WHOSE,
        F.explode(F.array(*[F.lit(measure) for measure in PER_1000])).alias("measure"),
        F.lit(0).cast("bigint").alias("numerator"),
        F.col("member_months").cast(MONTHS_OF_MANY).alias("denominator"),
    )
    eligible = (
        of_run(member_months, policies, years)
        .where("is_eligible")
        .select("policy", "performance_year", "member_id", "member_month")
    )

    def events_of(policy: Policy) -> DataFrame:
        visits = _primary_care_visits(primary_care_services, primary_care_hcpcs, policy)
        seen = visits.select("member_id", F.col("service_date").alias("on"), F.lit(PRIMARY_CARE).alias("measure"))
        emergencies = _emergency_visits(hospital_claims, hospital_episodes, policy)
        events = seen.unionByName(emergencies).where(F.year("on").isin(*years))
        return events.withColumns({"policy": F.lit(policy.label), "member_month": month_of("on")})

    events = (
        of_policies(policies, events_of)
        .groupBy("policy", "member_id", "member_month", "measure")
        .agg(F.count(F.lit(1)).alias("numerator"))
        .join(eligible, ["policy", "member_id", "member_month"], how="inner")
        .join(
            whose.select(*_WHOSE), ["policy", "performance_year", "member_id"], how="inner"
        )  # who has an eligible month has a member year
        .select(*_WHOSE, "measure", "numerator", F.lit(0).cast(MONTHS_OF_MANY).alias("denominator"))
    )
    stays = of_policies(
        policies,
        lambda policy: _stays(
            of_run(readmissions, [policy], years),
            _primary_care_visits(primary_care_services, primary_care_hcpcs, policy),
        ),
    )
    by_member = (
        exposed.unionByName(events)
        .unionByName(stays)
        .groupBy(*_WHOSE, "measure")
        .agg(F.sum("numerator").alias("numerator"), F.sum("denominator").alias("denominator"))
    )
    sums = _by_level(by_member)
    return _with_rates(sums).withColumns(
        {
            "code_sets": _code_sets(policies, years, outcome_code_sets, primary_care_hcpcs),
            "is_small_cell": F.col("members") < SMALL_CELL,
        }
    )


def _primary_care_visits(
    primary_care_services: DataFrame, primary_care_hcpcs: Sequence[Sequence[Any]], policy: Policy
) -> DataFrame:
    """One row a member, day and NPI of who rendered a service of the policy's code set of the day's year."""
    program = program_of(policy)
    spans: dict[tuple[int, int], list[str]] = {}
    for row in primary_care_hcpcs:
        if row[0] == program:
            spans.setdefault((row[2], row[3]), []).append(row[1])
    in_set = F.lit(False)
    for (first, last), codes in sorted(spans.items()):
        in_set = in_set | (F.col("hcpcs").isin(*codes) & F.year("service_date").between(first, last))
    visits = primary_care_services.where(in_set & F.col("line_kind").isin(*VISIT_LINES))
    return visits.groupBy("member_id", "service_date", "npi").agg(F.count(F.lit(1)).alias("lines"))


def program_of(policy: Policy) -> str:
    """Whose primary care code set the policy uses; a list of members has none of its own and takes plurality's."""
    return "plurality" if policy.attribution.method == "roster" else policy.attribution.method


def _emergency_visits(hospital_claims: DataFrame, hospital_episodes: DataFrame, policy: Policy) -> DataFrame:
    """One row a member and day of an emergency, but for days inside an acute episode, both ends counted."""
    days = (
        hospital_claims.where("is_emergency")
        .groupBy("member_id", F.col("service_thru").alias("on"))
        .agg(F.lit(ED_VISITS).alias("measure"))
    )
    if policy.outcomes.ed_admitted == "include":
        return days.select("member_id", "on", "measure")
    reading = F.col("same_day_same_hospital") == policy.outcomes.same_day_same_hospital
    inpatient = (
        hospital_episodes.where(reading & (F.col("kind") == HWR_LIKE))
        .groupBy("member_id")
        .agg(F.collect_list("first_day").alias("firsts"), F.collect_list("last_day").alias("lasts"))
    )
    placed = days.join(inpatient, "member_id", how="left")
    # episodes do not overlap: more have begun by a day than have ended before it where one is under way
    begun = F.size(F.filter("firsts", lambda d: d <= F.col("on")))
    ended = F.size(F.filter("lasts", lambda d: d < F.col("on")))
    return placed.where(F.col("firsts").isNull() | (begun == ended)).select("member_id", "on", "measure")


def _stays(readmissions: DataFrame, visits: DataFrame) -> DataFrame:
    """Episodes as they count for the measures of stays, each with what it adds to numerator and denominator."""
    seen = visits.groupBy("member_id").agg(F.collect_list("service_date").alias("seen_on"))
    placed = readmissions.where("is_month_eligible").join(seen, "member_id", how="left")
    until = F.date_add("last_day", FOLLOW_UP_DAYS)
    is_seen = F.size(F.filter("seen_on", lambda d: (d > F.col("last_day")) & (d <= until))) > 0
    is_hwr, is_pcr = F.col("kind") == HWR_LIKE, F.col("kind") == PCR_LIKE
    one, yes = F.lit(1).cast("bigint"), F.col("is_readmitted").cast("bigint")
    followed = F.coalesce(is_seen, F.lit(False)).cast("bigint")
    can_be_followed = is_hwr & F.col("is_discharged_alive") & (until <= F.col("told_until"))
    parts = {
        HWR: (is_hwr & F.col("is_index"), yes, 1),
        PCR: (is_pcr & F.col("is_index"), yes, 1),
        ADMISSIONS: (is_hwr, one, 0),
        FOLLOW_UP: (can_be_followed, followed, 1),
    }
    facts = placed.select(
        *_WHOSE,
        *[counts.alias(f"counts_{name}") for name, (counts, _, _) in parts.items()],
        *[numerator.alias(f"numerator_{name}") for name, (_, numerator, _) in parts.items()],
    )
    told = F.array(
        *[
            F.struct(
                F.lit(name).alias("measure"),
                F.col(f"counts_{name}").alias("counts"),
                F.col(f"numerator_{name}").alias("numerator"),
                F.lit(denominator).cast(MONTHS_OF_MANY).alias("denominator"),
            )
            for name, (_, _, denominator) in parts.items()
        ]
    )
    return facts.select(*_WHOSE, F.inline(told)).where("counts").select(*_WHOSE, "measure", "numerator", "denominator")


def _by_level(by_member: DataFrame) -> DataFrame:
    """Sums by physician, and by network under the physician of empty text."""
    levels = F.array(F.col("physician_npi"), F.lit(""))
    placed = by_member.select(
        "policy",
        "performance_year",
        "network_id",
        F.explode(levels).alias("physician_npi"),
        "measure",
        "numerator",
        "denominator",
    )
    sums = placed.groupBy("policy", "performance_year", "network_id", "physician_npi", "measure").agg(
        F.sum("numerator").alias("numerator"),
        F.sum("denominator").alias("denominator"),
        F.count_if(F.col("denominator") > 0).alias("members"),
    )
    return sums.where("denominator > 0").withColumn(
        "level", F.when(F.col("physician_npi") == "", NETWORK).otherwise(PHYSICIAN)
    )


def _with_rates(sums: DataFrame) -> DataFrame:
    """Rate and interval: Wilson's of a share, the score interval of a count per 1,000."""
    is_count = F.col("measure").isin(*PER_1000)
    x, n = F.col("numerator").cast("double"), F.col("denominator").cast("double")
    p, square = x / n, Z * Z
    centre, half = p + square / (2 * n), Z * F.sqrt(p * (1 - p) / n + square / (4 * n * n))
    middle, reach = x + square / 2, Z * F.sqrt(x + square / 4)
    scale = MONTHS_PER_1000_YEARS / n

    def end(sign: int) -> Column:
        of_share = (centre + sign * half) / (1 + square / n)
        told = F.when(is_count, (middle + sign * reach) * scale).otherwise(of_share)
        rate = F.col("rate")  # the ends of 0 and of 1 are the rate itself, but for a binary digit
        return F.least(told, rate) if sign < 0 else F.greatest(told, rate)

    by_unit = F.when(is_count, per_1000(F.col("numerator"), F.col("denominator"))).otherwise(
        ratio(F.col("numerator"), F.col("denominator"))
    )
    rated = sums.withColumns({"rate": by_unit, "unit": F.when(is_count, "per_1000").otherwise("share")})
    return rated.withColumns({"rate_low": end(-1), "rate_high": end(1)})


def _code_sets(
    policies: Sequence[Policy],
    years: Sequence[int],
    outcome_code_sets: Sequence[Sequence[Any]],
    primary_care_hcpcs: Sequence[Sequence[Any]],
) -> Column:
    """Whether every code set that the measure names is there in the year."""
    found = F.lit(False)
    for kind, measure in ((HWR_LIKE, HWR), (PCR_LIKE, PCR)):
        short = [y for y in years if lacking(outcome_code_sets, kind, y)]
        if short:
            found = found | ((F.col("measure") == measure) & F.col("performance_year").isin(*short))
    for policy in policies:
        short = [y for y in years if not has_primary_care_set(primary_care_hcpcs, policy, y)]
        if short:
            of_policy = (F.col("policy") == policy.label) & F.col("performance_year").isin(*short)
            found = found | (of_policy & F.col("measure").isin(PRIMARY_CARE, FOLLOW_UP))
    return F.when(found, NOT_SUPPLIED).otherwise(APPLIED)


def has_primary_care_set(primary_care_hcpcs: Sequence[Sequence[Any]], policy: Policy, year: int) -> bool:
    return any(row[0] == program_of(policy) and row[2] <= year <= row[3] for row in primary_care_hcpcs)
