"""What a run says of its survey responses: whom nobody knows, and what no year of the run takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig
from pmpm_spark.gold.experience_scores import EXPERIENCE_SCORES, NETWORK
from pmpm_spark.model import MEMBERS, SURVEY_RESPONSES
from pmpm_spark.model.survey_responses import PROVIDER
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.union import of_run

if TYPE_CHECKING:
    from pmpm_spark.store import Store


def survey_notices(store: Store, config: RunConfig) -> list[str]:
    """To be said once `EXPERIENCE_SCORES` is made; nothing where there is no survey."""
    of_years = F.col("performance_year").isin(*config.performance_years)
    responses = store.read(SURVEY_RESPONSES)
    counted = responses.agg(
        F.count(F.lit(1)).alias("everything"),
        F.count_if(of_years).alias("of_years"),
        F.count_if(of_years & (F.col("physician_npi") == "")).alias("of_members"),
    ).collect()[0]
    if not counted["everything"]:
        return []
    notices = []
    outside = counted["everything"] - counted["of_years"]
    if outside:
        of_all = f"{outside:,} of {counted['everything']:,}"
        notices.append(f"{of_all} survey responses are of no performance year of the run")
    of_members = responses.where(of_years & (F.col("physician_npi") == ""))
    strangers = of_members.join(store.read(MEMBERS).select("member_id"), "member_id", how="left_anti").count()
    if strangers:
        notices.append(
            f"{strangers:,} of {counted['of_members']:,} survey responses of members are of ids that enrollment does "
            f"not have; they count under {UNATTRIBUTED} alone"
        )
    rows = of_run(store.read(EXPERIENCE_SCORES), config.policies[:1], config.performance_years)
    of_physicians = rows.where((F.col("respondent") == PROVIDER) & (F.col("level") == NETWORK))
    nowhere = F.when(F.col("network_id") == UNATTRIBUTED, F.col("responses"))
    found = of_physicians.agg(F.sum("responses").alias("all"), F.sum(nowhere).alias("nowhere")).collect()[0]
    if found["nowhere"]:
        notices.append(
            f"{found['nowhere']:,} of {found['all']:,} survey responses of physicians are of nobody on a network's "
            f"roster on the day; they count under {UNATTRIBUTED} alone"
        )
    return notices
