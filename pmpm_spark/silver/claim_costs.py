"""Claim costs: what the final lines of a member cost, by month, both levels of category, roster network, denial and who
was paid.

It stands between claims and policies: a policy reads this, never the claims, so that ten policies cost one scan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.model.claim_lines import INSTITUTIONAL
from pmpm_spark.months import month_of
from pmpm_spark.silver.final_claim_lines import EMERGENCY
from pmpm_spark.silver.roster_match import line_ids, with_roster_network
from pmpm_spark.silver.service_categories import LEVELS
from pmpm_spark.table import MONEY, Table, count, day, flag, money, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_KEY = (
    "member_id",
    "claim_type",
    "thru_month",
    "from_month",
    *LEVELS,
    "roster_network_id",
    "is_denied",
    "destination",
)
AMOUNTS = (
    "paid_amount",
    "allowed_amount",
    "pass_through_amount",
    "ime_amount",
    "dsh_amount",
    "uncompensated_care_amount",
)

CLAIM_COSTS = Table(
    name="silver.claim_costs",
    grain="one row per member, claim type, months of service, categories, roster network, denial and destination",
    key=_KEY,
    columns=(
        text("member_id", "pseudonymous member key"),
        text("claim_type", "as on the lines"),
        day("thru_month", "month of the last day of service"),
        day("from_month", "month of the first day of service; of the last where no first is told"),
        text("service_category", "first-level service category"),
        text("service_category_2", "second-level service category"),
        text("roster_network_id", "network whose roster the lines match; empty where none"),
        flag("is_denied", "lines that were not paid by decision"),
        text(
            "destination",
            "who bills: ccn, tin or npi, a blank and the number; empty where none is told or it is denied",
        ),
        count("claim_lines", "final claim lines"),
        count("services", "stays, visits, claims, fills or lines, by category"),
        money("paid_amount", "what the plan paid; 0 where the source does not tell it"),
        money("allowed_amount", "contract price; null where a line carries none"),
        money("pass_through_amount", "pass-through, inside paid_amount"),
        money("ime_amount", "indirect medical education, inside paid_amount"),
        money("dsh_amount", "disproportionate share, inside paid_amount"),
        money("uncompensated_care_amount", "uncompensated care, inside paid_amount"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)

STILL_PATIENT = "30"
STAYS = ("inpatient", "snf")


def claim_costs(final_claim_lines: DataFrame, roster_matches: DataFrame) -> DataFrame:
    """Sum the final lines; count a stay, visit, claim, fill or line once as a service."""
    lines = final_claim_lines.select(
        "member_id",
        "claim_id",
        "claim_type",
        *LEVELS,
        "is_denied",
        "service_thru",
        month_of("service_thru").alias("thru_month"),
        month_of(F.coalesce("service_from", "service_thru")).alias("from_month"),
        F.coalesce("facility_ccn", F.lit("")).alias("facility_ccn"),
        F.unix_date(F.coalesce("admission_date", "service_from", "service_thru")).alias("first_day"),
        F.unix_date(F.coalesce("discharge_date", "service_thru")).alias("last_day"),
        F.coalesce(F.col("discharge_status") == STILL_PATIENT, F.lit(False)).alias("is_still_patient"),
        F.coalesce("paid_amount", F.lit(0).cast(MONEY)).alias("paid_amount"),
        *[F.col(name) for name in AMOUNTS if name != "paid_amount"],
        *line_ids(),
    )
    matched = with_roster_network(lines, roster_matches, "service_thru").withColumn("destination", _destination())
    is_institutional = F.col("claim_type").isin(*INSTITUTIONAL)
    by_line = matched.where(~is_institutional).groupBy(*_KEY)
    by_claim = _institutional_claims(matched.where(is_institutional)).groupBy(*_KEY)
    each = F.count(F.lit(1))
    lines_are_services = by_line.agg(each.alias("claim_lines"), each.alias("services"), *_sums())
    sums = [F.sum(name).alias(name) for name in ("claim_lines", "services")]
    return lines_are_services.unionByName(by_claim.agg(*sums, *_sums()))  # no key is in both: it tells the claim type


def _destination() -> Column:
    """The facility of an institutional claim, else the practice or supplier, else the NPI that stands for it."""
    told = [F.when(F.col(name) != "", F.concat_ws(" ", F.lit(name), F.col(name))) for name in ("ccn", "tin", "npi")]
    return F.when(F.col("is_denied"), F.lit("")).otherwise(F.coalesce(*told, F.lit("")))


def _sums() -> list[Column]:
    """Sums of the amounts; an allowed amount that one row lacks is lacking in the sum."""
    sums = [F.sum(name).alias(name) for name in AMOUNTS if name != "allowed_amount"]
    lacks = F.count_if(F.col("allowed_amount").isNull()) > 0
    return [*sums, F.when(~lacks, F.sum("allowed_amount")).alias("allowed_amount")]


def _institutional_claims(lines: DataFrame) -> DataFrame:
    """One row a claim, with `services` 1 where the claim stands for a stay, a visit or itself."""
    claim_key = ("claim_id", *_KEY[:-1], "service_thru", "facility_ccn")
    claims = (
        lines.repartition("member_id")
        .groupBy(*claim_key)
        .agg(
            F.count(F.lit(1)).alias("claim_lines"),
            F.min("destination").alias("destination"),
            F.min("first_day").alias("first_day"),
            F.max("last_day").alias("last_day"),
            F.max("is_still_patient").alias("is_still_patient"),
            *_sums(),
        )
    )
    # most stand for themselves: only the others are put in order
    meets_others = F.col("claim_type").isin(*STAYS) | (F.col("service_category") == EMERGENCY)
    alone = claims.where(~meets_others).withColumn("services", F.lit(1))
    return _stays_and_visits(claims.where(meets_others)).unionByName(alone)


def _stays_and_visits(claims: DataFrame) -> DataFrame:
    """The claims with `services` 1 for one of each stay, and of each visit to an emergency room.

    Inpatient and snf: claims of one member and facility that share a day, or follow by the next day a bill that says
    still a patient, are one stay, counted with the claim that ends last. Emergency: one visit a person and day. What
    is counted has the second level of the claim that it is counted with.
    """
    stay_of = ("member_id", "claim_type", "is_denied", "facility_ccn")
    in_order = Window.partitionBy(*stay_of).orderBy("first_day", "last_day", "claim_id")
    earlier = in_order.rowsBetween(Window.unboundedPreceding, -1)
    up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    reaches = F.max(F.col("last_day") + F.col("is_still_patient").cast("int")).over(earlier)
    opens_stay = reaches.isNull() | (F.col("first_day") > reaches)
    numbered = claims.withColumn("opens_stay", opens_stay.cast("int")).withColumn(
        "stay", F.sum("opens_stay").over(up_to_here)
    )
    last_of_stay = Window.partitionBy(*stay_of, "stay").orderBy(F.desc("last_day"), F.desc("claim_id"))
    first_of_day = Window.partitionBy("member_id", "service_category", "is_denied", "service_thru").orderBy("claim_id")
    place = F.when(F.col("claim_type").isin(*STAYS), F.row_number().over(last_of_stay)).otherwise(
        F.row_number().over(first_of_day)
    )
    counted = numbered.withColumn("services", (place == 1).cast("int"))
    return counted.drop("opens_stay", "stay")
