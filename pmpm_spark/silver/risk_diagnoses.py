"""Risk diagnoses: what counts for risk adjustment, each code once a member and collection year, with the claim that
tells it first.

Claims that stand and are not denied count, by their type, bill type and procedures (CMS's filtering of encounter data);
so cancelled and replaced versions of a claim tell nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.policy import Policy
from pmpm_spark.silver.primary_care_services import type_of_facility
from pmpm_spark.silver.risk_profiles import ANY, computes
from pmpm_spark.table import Table, day, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

RISK_DIAGNOSES = Table(
    name="silver.risk_diagnoses",
    grain="one row per member, performance year and diagnosis code of the collection year; none where no policy of the "
    "run computes scores",
    key=("member_id", "performance_year", "code"),
    columns=(
        text("member_id", "pseudonymous member key"),
        year("performance_year", "payment year; the services are of the year before"),
        text("code", "ICD-10-CM code without a dot, in capitals"),
        day("service_thru", "last day of service of the first claim that tells it"),
        text("claim_id", "that claim; of several on the day the lowest id"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)

ICD_10 = "ICD-10-CM"
_PROCEDURES = T.StructType(
    [
        T.StructField("service_year", T.IntegerType()),
        T.StructField("codes", T.ArrayType(T.StringType())),
    ]
)


def risk_diagnoses(
    final_claim_lines: DataFrame,
    claim_diagnoses: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    hcc_procedures: Sequence[Sequence[Any]],
    hcc_bill_types: Sequence[Sequence[Any]],
) -> DataFrame:
    """One shuffle by member carries the lines that make their claim count and the diagnoses; they meet by claim."""
    years = [y - 1 for y in performance_years]
    line_years = sorted({*years, *[y - 1 for y in years]})  # a claim may begin in the year before
    procedures = _procedures(final_claim_lines.sparkSession, hcc_procedures, line_years)
    asked = F.lit(computes(policies))
    lines = (
        final_claim_lines.where(asked & F.year("service_thru").isin(*line_years) & ~F.col("is_denied"))
        .select(
            "member_id",
            "claim_id",
            F.col("hcpcs").alias("procedure"),
            F.year("service_thru").alias("service_year"),
            _asks(hcc_bill_types).alias("asks"),
        )
        .where("asks IS NOT NULL")
        .join(F.broadcast(procedures), ["service_year", "procedure"], how="left")
        .where("asks = 'no' OR is_eligible")
        .select(
            "member_id",
            "claim_id",
            F.lit(None).cast("date").alias("service_thru"),
            F.lit(None).cast("string").alias("code"),
            F.lit(True).alias("counts"),
        )
    )
    told = claim_diagnoses.where(asked & F.year("service_thru").isin(*years) & (F.col("code_system") == ICD_10)).select(
        "member_id", "claim_id", "service_thru", plain_code().alias("code"), F.lit(False).alias("counts")
    )
    claims = (
        lines.unionByName(told)
        .repartition("member_id")
        .groupBy("member_id", "claim_id")
        .agg(
            F.max("service_thru").alias("service_thru"),
            F.collect_set("code").alias("codes"),
            F.max("counts").alias("counts"),
        )
        .where("counts")
    )
    first = F.min(F.struct("service_thru", "claim_id"))
    return (
        claims.select("member_id", "claim_id", "service_thru", F.explode("codes").alias("code"))
        .groupBy("member_id", (F.year("service_thru") + 1).alias("performance_year"), "code")
        .agg(first.alias("first"))
        .select("member_id", "performance_year", "code", "first.*")
    )


def plain_code() -> Column:
    """The code in capitals, without dots and blanks."""
    return F.upper(F.regexp_replace("code", "[. ]", ""))


def _asks(bill_types: Sequence[Sequence[Any]]) -> Column:
    """Whether a line's claim asks for a procedure (yes, no), or does not count at all (null)."""
    bill, service = type_of_facility(), F.year("service_thru")
    asks = F.when(F.lit(False), "")
    for claim_type, of_bill, procedure, first, last, *_ in bill_types:
        meets = (F.col("claim_type") == claim_type) & service.between(first, last)
        asks = asks.when(meets if of_bill == ANY else meets & (bill == of_bill), procedure)
    return asks


def _procedures(spark: SparkSession, rows: Sequence[Sequence[Any]], years: Sequence[int]) -> DataFrame:
    """service_year, procedure, is_eligible: told by the year, as codes of a year stand in one list."""
    lists = [(y, sorted({row[0] for row in rows if row[1] <= y <= row[2]})) for y in years]
    return small_frame(spark, lists, _PROCEDURES).select(
        "service_year", F.explode("codes").alias("procedure"), F.lit(True).alias("is_eligible")
    )
