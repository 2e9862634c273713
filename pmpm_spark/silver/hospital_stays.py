"""Hospital stays: the inpatient claims of one member and hospital that belong together, with an id that never changes.

Definitions: payment and outcomes, section 5. Claims are one stay when they share a day or an admission date, or when
the earlier says still a patient (30) and the later starts by the next day: so interim bills, repeated bills, and back
in the same hospital on the day of discharge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.claim_costs import STILL_PATIENT
from pmpm_spark.silver.outcome_codes import PROCEDURE_SETS
from pmpm_spark.table import TEXTS, Table, column, count, day, flag, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ACUTE, NOT_ACUTE = "acute", "not_acute"
MERGE, SEPARATE = "merge", "separate"

HOSPITAL_STAYS = Table(
    name="silver.hospital_stays",
    grain="one row per reading of outcomes.same_day_same_hospital among the run's policies, and stay",
    key=("same_day_same_hospital", "stay_id"),
    columns=(
        text("same_day_same_hospital", f"{MERGE}, or {SEPARATE}: back on the day of discharge is a stay of its own"),
        text("stay_id", "first 32 hex digits of SHA-256 of member_id|facility_ccn|first day"),
        text("member_id", "pseudonymous member key"),
        text("facility_ccn", "CMS certification number of the hospital; empty where not told"),
        text("setting", f"{ACUTE} (short-term and critical access hospitals, and no number told) or {NOT_ACUTE}"),
        day("first_day", "first day of the stay"),
        day("last_day", "last day of the stay, inclusive"),
        text("discharge_status", "of the claim that ends last, then of the highest claim_id"),
        flag("is_still_patient", "the last claim says 30: no discharge is told"),
        text("drg", "of the claim that ends last"),
        text("last_claim_id", "the claim that ends last"),
        count("claims", "claims of the stay"),
        column("code_sets", TEXTS, "supplied code sets met by the last claim, or by a procedure of any"),
    ),
    rules={"stay_runs_forward": "last_day >= first_day"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)

_OF_HOSPITAL = ("member_id", "facility_ccn")


def hospital_stays(hospital_claims: DataFrame, *, policies: Sequence[Policy]) -> DataFrame:
    """The stays, once for each reading that a policy asks for."""
    claims = hospital_claims.where("is_stay AND no_stay_reason IS NULL").select(
        *_OF_HOSPITAL,
        "claim_id",
        F.unix_date("first_day").alias("first_day"),
        F.unix_date("last_day").alias("last_day"),
        "discharge_status",
        F.coalesce(F.col("discharge_status") == STILL_PATIENT, F.lit(False)).alias("is_still_patient"),
        "drg",
        "code_sets",
    )
    of_reading = [_stays(claims, reading) for reading in readings(policies)]
    return of_reading[0] if len(of_reading) == 1 else of_reading[0].unionByName(of_reading[1])


def readings(policies: Sequence[Policy]) -> tuple[str, ...]:
    """The values of outcomes.same_day_same_hospital among the policies."""
    return tuple(sorted({policy.outcomes.same_day_same_hospital for policy in policies}))


def _stays(claims: DataFrame, reading: str) -> DataFrame:
    in_order = Window.partitionBy(*_OF_HOSPITAL).orderBy("first_day", "last_day", "claim_id")
    earlier = in_order.rowsBetween(Window.unboundedPreceding, -1)
    up_to_here = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    # the last first day with which a later claim still belongs to this one
    reach = F.col("last_day") + F.when(F.col("is_still_patient"), 1).otherwise(0 if reading == MERGE else -1)
    reaches = F.max(reach).over(earlier)
    starts_alike = F.coalesce(F.lag("first_day").over(in_order) == F.col("first_day"), F.lit(False))
    opens_stay = reaches.isNull() | ((F.col("first_day") > reaches) & ~starts_alike)
    numbered = claims.withColumn("opens_stay", opens_stay.cast("int")).withColumn(
        "stay", F.sum("opens_stay").over(up_to_here)
    )
    last = F.struct(
        "discharge_status", "is_still_patient", "drg", F.col("claim_id").alias("last_claim_id"), "code_sets"
    )
    stays = numbered.groupBy(*_OF_HOSPITAL, "stay").agg(
        F.min("first_day").alias("first_number"),
        F.max("last_day").alias("last_number"),
        F.count(F.lit(1)).alias("claims"),
        F.max_by(last, F.struct("last_day", "claim_id")).alias("last"),
        F.flatten(F.collect_list("code_sets")).alias("of_any_claim"),
    )
    first_day = F.date_from_unix_date("first_number")
    of_procedures = F.filter("of_any_claim", lambda name: name.isin(*PROCEDURE_SETS))
    return stays.select(
        F.lit(reading).alias("same_day_same_hospital"),
        id_of(F.col("member_id"), F.col("facility_ccn"), first_day).alias("stay_id"),
        *_OF_HOSPITAL,
        F.when(is_acute(F.col("facility_ccn")), ACUTE).otherwise(NOT_ACUTE).alias("setting"),
        first_day.alias("first_day"),
        F.date_from_unix_date("last_number").alias("last_day"),
        *[
            F.col(f"last.{name}").alias(name)
            for name in ("discharge_status", "is_still_patient", "drg", "last_claim_id")
        ],
        "claims",
        F.array_sort(F.array_distinct(F.concat(F.col("last.code_sets"), of_procedures))).alias("code_sets"),
    )


def id_of(member_id: Column, facility_ccn: Column, first_day: Column) -> Column:
    """The id of a stay: of what it is, so that it is the same in every run."""
    told = F.concat_ws("|", member_id, facility_ccn, first_day.cast("string"))
    return F.substring(F.sha2(told, 256), 1, 32)


def is_acute(facility_ccn: Column) -> Column:
    """Short-term hospitals end in 0001 to 0879, critical access hospitals in 1300 to 1399, with a digit third: a letter
    there is a unit or a swing bed. A facility without a number counts as acute."""
    last_four = F.substring(facility_ccn, -4, 4)
    is_number = facility_ccn.rlike("^..[0-9]") & last_four.rlike("^[0-9]{4}$")
    return (facility_ccn == "") | (is_number & (last_four.between("0001", "0879") | last_four.between("1300", "1399")))
