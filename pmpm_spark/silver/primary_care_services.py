"""Primary care services: what attribution reads instead of the claims.

Lines that any method could count, by what its rules ask for: the kind of claim, who served, whether the person was in a
skilled nursing facility or hospital that day, whether a prolonged service has its base code (42 CFR 425.400(c)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.table import Table, count, day, flag, money, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_KEY = (
    "member_id",
    "service_date",
    "line_kind",
    "tin",
    "npi",
    "ccn",
    "specialty",
    "hcpcs",
    "place_of_service",
    "in_snf",
    "in_inpatient",
    "has_base_code",
)

PRIMARY_CARE_SERVICES = Table(
    name="silver.primary_care_services",
    grain="one row per member, day, kind of line, provider, code and setting",
    key=_KEY,
    columns=(
        text("member_id", "pseudonymous member key"),
        day("service_date", "last day of service"),
        text("line_kind", "professional, clinic (FQHC, RHC), cah (method II), other_outpatient (hospital)"),
        text("tin", "tax number of who bills; empty where not told"),
        text("npi", "NPI of who rendered it; empty where not told"),
        text("ccn", "facility; empty where there is none"),
        text("specialty", "CMS specialty of who rendered it; empty where not told"),
        text("hcpcs", "HCPCS code; empty where not told"),
        text("place_of_service", "place of service; empty where not told"),
        flag("in_snf", "the day lies in a skilled nursing stay"),
        flag("in_inpatient", "the day lies in an inpatient stay"),
        flag("has_base_code", "a code of the set that is no prolonged service stands on the claim that day"),
        money("allowed_amount", "charge of the lines above 0; where not told: paid and patient's share"),
        count("visits", "lines with a code of the set"),
        money("told_amount", "part of allowed_amount on lines that tell an allowed amount"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)

PROLONGED_SERVICES = ("99354", "99355")
CAH_REVENUE_CODES = ("096", "097", "098")
SNF_BILL_TYPES = ("18", "21")


def primary_care_services(final_claim_lines: DataFrame, primary_care_hcpcs: DataFrame) -> DataFrame:
    """Undenied lines with a code of any program's set, and every line of a clinic."""
    undenied = final_claim_lines.where(~F.col("is_denied"))
    codes = primary_care_hcpcs.select("hcpcs", F.lit(True).alias("is_primary_care")).distinct()
    facility_type = type_of_facility()
    revenue = F.substring("revenue_code", 1, 3)
    line_kind = (
        F.when(F.col("claim_type") == "professional", "professional")
        .when(F.col("claim_type") != "outpatient", None)
        .when(facility_type.isin("77", "71"), "clinic")
        .when((facility_type == "85") & revenue.isin(*CAH_REVENUE_CODES), "cah")
        .when(facility_type == "13", "other_outpatient")
    )
    lines = (
        undenied.withColumn("line_kind", line_kind)
        .where("line_kind IS NOT NULL")
        .join(F.broadcast(codes), "hcpcs", how="left")
        .where(F.coalesce("is_primary_care", F.lit(False)) | (F.col("line_kind") == "clinic"))
    )
    charge = F.coalesce(
        "allowed_amount", F.coalesce("paid_amount", F.lit(0)) + F.coalesce("patient_paid_amount", F.lit(0))
    )
    events = lines.select(
        "member_id",
        F.col("service_thru").alias("on"),
        F.lit(1).alias("is_line"),
        F.lit(None).cast("date").alias("snf_until"),
        F.lit(None).cast("date").alias("inpatient_until"),
        "claim_id",
        "line_kind",
        *[F.coalesce(source, F.lit("")).alias(name) for name, source in _texts().items()],
        charge.alias("charge"),
        F.col("allowed_amount").alias("told"),
        F.coalesce("is_primary_care", F.lit(False)).alias("is_primary_care"),
    )
    return _sums(_placed(events.unionByName(_stays(undenied, facility_type), allowMissingColumns=True)))


def _texts() -> dict[str, Column]:
    return {
        "tin": F.col("billing_tin"),
        "npi": F.col("rendering_npi"),
        "ccn": F.col("facility_ccn"),
        "specialty": F.col("rendering_specialty"),
        "hcpcs": F.col("hcpcs"),
        "place_of_service": F.col("place_of_service"),
    }


def _stays(undenied: DataFrame, facility_type: Column) -> DataFrame:
    """Inpatient and skilled nursing claims as events on their first day."""
    is_inpatient = F.col("claim_type") == "inpatient"
    is_snf = (F.col("claim_type") == "snf") & F.coalesce(facility_type.isin(*SNF_BILL_TYPES), F.lit(True))
    return (
        undenied.where(is_inpatient | is_snf)
        .select(
            "member_id",
            F.coalesce("service_from", "service_thru").alias("on"),
            F.lit(0).alias("is_line"),
            F.when(is_snf, F.col("service_thru")).alias("snf_until"),
            F.when(is_inpatient, F.col("service_thru")).alias("inpatient_until"),
        )
        .distinct()
    )


def _placed(events: DataFrame) -> DataFrame:
    """Lines with the stays that their day lies in: of all stays begun by then, the one that lasts longest decides."""
    by_then = (
        Window.partitionBy("member_id")
        .orderBy("on", "is_line")
        .rangeBetween(Window.unboundedPreceding, Window.currentRow)
    )
    on_claim = Window.partitionBy("member_id", "claim_id", "on").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    is_base = F.col("is_primary_care") & ~F.col("hcpcs").isin(*PROLONGED_SERVICES)
    placed = events.repartition("member_id").withColumns(
        {
            "in_snf": F.coalesce(F.max("snf_until").over(by_then) >= F.col("on"), F.lit(False)),
            "in_inpatient": F.coalesce(F.max("inpatient_until").over(by_then) >= F.col("on"), F.lit(False)),
        }
    )
    lines = placed.where("is_line = 1")
    return lines.withColumn("has_base_code", F.max(F.coalesce(is_base, F.lit(False))).over(on_claim))


def type_of_facility() -> Column:
    """Facility type and classification of a bill, two characters, whether or not a 0 stands before them."""
    return F.substring(F.regexp_replace("bill_type", "^0", ""), 1, 2)


def _sums(lines: DataFrame) -> DataFrame:
    named = lines.withColumnRenamed("on", "service_date")

    def above_zero(name: str) -> Column:
        return F.sum(F.when(F.col(name) > 0, F.col(name)).otherwise(F.lit(0)))

    return named.groupBy(*_KEY).agg(
        above_zero("charge").alias("allowed_amount"),
        F.count_if(F.col("is_primary_care")).alias("visits"),
        above_zero("told").alias("told_amount"),
    )
