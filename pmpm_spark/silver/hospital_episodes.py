"""Hospital episodes: stays chained as each readmission measure chains them, with what follows each.

Definitions: payment and outcomes, section 5. HWR-like: acute stays; a transfer (another hospital by the next day,
whatever the status code says) and an overlap are one episode. PCR-like: acute stays and observation, any hospital, at
most a day apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.claim_costs import STILL_PATIENT
from pmpm_spark.silver.hospital_stays import ACUTE, SEPARATE, id_of, readings
from pmpm_spark.silver.outcome_codes import HWR_LIKE, PCR_LIKE, is_planned
from pmpm_spark.table import TEXTS, Table, column, count, day, flag, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HOSPITAL_EPISODES = Table(
    name="silver.hospital_episodes",
    grain="one row per reading of outcomes.same_day_same_hospital among the run's policies, kind and episode",
    key=("same_day_same_hospital", "kind", "episode_id"),
    columns=(
        text("same_day_same_hospital", "as in hospital_stays"),
        text("kind", f"{HWR_LIKE} or {PCR_LIKE}"),
        text("episode_id", "stay_id of its first stay; of observation made likewise"),
        text("member_id", "pseudonymous member key"),
        day("first_day", "first day"),
        day("last_day", "last day, inclusive"),
        count("stays", f"stays of the episode; of {PCR_LIKE} observation claims, too"),
        text("discharge_status", "of the stay that ends last"),
        flag("is_still_patient", "the stay that ends last tells no discharge"),
        text("facility_ccn", "hospital of the stay that ends last; empty where not told"),
        column("code_sets", TEXTS, "supplied code sets met by the stay that ends last"),
        flag("is_planned", "its first stay is planned, by the supplied code sets"),
        day("next_first_day", "first day of the member's next episode of the kind; null where none follows"),
        flag("next_is_planned", "the next episode is planned; null where none follows"),
    ),
    rules={
        "episode_runs_forward": "last_day >= first_day",
        "next_is_later": "next_first_day >= last_day",
    },
    cluster_by=("member_id",),
    key_is_built_in=True,
)

_OF_MEMBER = ("same_day_same_hospital", "kind", "member_id")
_ORDER = ("first_number", "last_number", "stay_id", "is_inpatient", "last_claim_id")


def hospital_episodes(
    hospital_stays: DataFrame,
    hospital_claims: DataFrame,
    *,
    policies: Sequence[Policy],
    outcome_code_sets: Sequence[Sequence[Any]],
) -> DataFrame:
    """The episodes of both kinds. Of stays that end on one day the one that starts later gives status and hospital."""
    stays = hospital_stays.where(F.col("setting") == ACUTE).select(
        "same_day_same_hospital",
        F.explode(F.array(F.lit(HWR_LIKE), F.lit(PCR_LIKE))).alias("kind"),
        *_facts(),
        "is_still_patient",
        "stay_id",
        F.lit(1).alias("is_inpatient"),
        "last_claim_id",
    )
    observed = hospital_claims.where("is_observation AND no_stay_reason IS NULL").select(
        F.explode(F.array(*[F.lit(reading) for reading in readings(policies)])).alias("same_day_same_hospital"),
        F.lit(PCR_LIKE).alias("kind"),
        *_facts(),
        F.coalesce(F.col("discharge_status") == STILL_PATIENT, F.lit(False)).alias("is_still_patient"),
        id_of(F.col("member_id"), F.col("facility_ccn"), F.col("first_day")).alias("stay_id"),
        F.lit(0).alias("is_inpatient"),
        F.col("claim_id").alias("last_claim_id"),
    )
    chained = _chained(stays.unionByName(observed))
    planned = is_planned(outcome_code_sets, F.col("code_sets"), F.year(F.date_from_unix_date("last_number")))
    first = F.struct(F.col("stay_id").alias("episode_id"), F.coalesce(planned, F.lit(False)).alias("is_planned"))
    last = F.struct("discharge_status", "is_still_patient", "facility_ccn", "code_sets")
    episodes = chained.groupBy(*_OF_MEMBER, "episode").agg(
        F.min("first_number").alias("first_number"),
        F.max("last_number").alias("last_number"),
        F.count(F.lit(1)).alias("stays"),
        F.min_by(first, F.struct(*_ORDER)).alias("first"),
        F.max_by(last, F.struct("last_number", "first_number", "is_inpatient", "stay_id", "last_claim_id")).alias(
            "last"
        ),
    )
    following = Window.partitionBy(*_OF_MEMBER).orderBy("first_number", "last_number")
    return episodes.select(
        *_OF_MEMBER,
        "first.episode_id",
        F.date_from_unix_date("first_number").alias("first_day"),
        F.date_from_unix_date("last_number").alias("last_day"),
        "stays",
        "last.discharge_status",
        "last.is_still_patient",
        "last.facility_ccn",
        "last.code_sets",
        "first.is_planned",
        F.date_from_unix_date(F.lead("first_number").over(following)).alias("next_first_day"),
        F.lead("first.is_planned").over(following).alias("next_is_planned"),
    )


def _facts() -> tuple[Any, ...]:
    return (
        "member_id",
        "facility_ccn",
        F.unix_date("first_day").alias("first_number"),
        F.unix_date("last_day").alias("last_number"),
        "discharge_status",
        "code_sets",
    )


def _chained(stays: DataFrame) -> DataFrame:
    """The stays with the number of their episode."""
    in_order = Window.partitionBy(*_OF_MEMBER).orderBy(*_ORDER)
    earlier = in_order.rowsBetween(Window.unboundedPreceding, -1)
    up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    reaches = F.max("last_number").over(earlier)
    is_elsewhere = F.lag("facility_ccn").over(in_order) != F.col("facility_ccn")
    days_later = (
        F.when(F.col("kind") == PCR_LIKE, 1)
        .when(is_elsewhere, 1)
        .when(F.col("same_day_same_hospital") == SEPARATE, -1)
        .otherwise(0)
    )
    opens_episode = reaches.isNull() | (F.col("first_number") > reaches + days_later)
    marked = stays.withColumn("opens_episode", opens_episode.cast("int"))
    return marked.withColumn("episode", F.sum("opens_episode").over(up_to_here))
