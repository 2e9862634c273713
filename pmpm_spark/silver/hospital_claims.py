"""Hospital claims: what makes hospital stays, observation stays and emergency visits, one row a claim.

One scan of the claims; everything that follows reads this. Definitions: payment and outcomes, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.silver.final_claim_lines import EMERGENCY
from pmpm_spark.silver.outcome_codes import OBSERVATION, is_observation, sets_told
from pmpm_spark.table import TEXTS, Table, column, day, flag, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

END_BEFORE_START = "END_BEFORE_START"
STAY_BILLS = ("11", "41")
"""Types of bill of an inpatient stay, without the frequency; a blank one counts."""

HOSPITAL_CLAIMS = Table(
    name="silver.hospital_claims",
    grain="one row per undenied claim and last day of service of a hospital stay, of observation or an emergency",
    key=("claim_id", "service_thru"),
    columns=(
        text("claim_id", "claim"),
        day("service_thru", "last day of service: the day of an emergency visit"),
        text("member_id", "pseudonymous member key"),
        flag("is_stay", "inpatient with type of bill 11x, 41x or none"),
        flag("is_observation", "outpatient with a line of observation"),
        flag("is_emergency", "has a line of the category emergency"),
        text("facility_ccn", "CMS certification number; empty where not told"),
        day("first_day", "day of admission, else the first day of service, else the last"),
        day("last_day", "day of discharge, else the last day of service"),
        text("discharge_status", "patient discharge status code, two digits: one of one digit has its leading zero"),
        text("drg", "diagnosis-related group"),
        column("code_sets", TEXTS, "supplied code sets that its principal diagnosis, procedures, DRG or hospital meet"),
        text("no_stay_reason", f"{END_BEFORE_START}: no stay is made of it; null where one is, or an emergency alone"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)

_CLAIM = ("claim_id", "service_thru")


def hospital_claims(
    final_claim_lines: DataFrame,
    claim_diagnoses: DataFrame,
    claim_procedures: DataFrame,
    codes: DataFrame,
    *,
    outcome_code_sets: Sequence[Sequence[Any]],
) -> DataFrame:
    """The claims with their days and the code sets they meet. `codes` are the code sets as a frame.

    A claim that ends before it starts makes no stay; it is kept with its reason.
    """
    bill = F.coalesce("bill_type", F.lit(""))
    is_stay = (F.col("claim_type") == "inpatient") & ((bill == "") | F.substring(bill, 1, 2).isin(*STAY_BILLS))
    observed = (F.col("claim_type") == "outpatient") & is_observation(outcome_code_sets)
    lines = final_claim_lines.where(~F.col("is_denied")).select(
        *_CLAIM,
        "member_id",
        is_stay.alias("is_stay"),
        observed.alias("is_observation"),
        (F.col("service_category") == EMERGENCY).alias("is_emergency"),
        F.coalesce("facility_ccn", F.lit("")).alias("facility_ccn"),
        F.coalesce("admission_date", "service_from", "service_thru").alias("first_day"),
        F.coalesce("discharge_date", "service_thru").alias("last_day"),
        _two_digits("discharge_status").alias("discharge_status"),
        "drg",
    )
    claims = (
        lines.where(F.col("is_stay") | F.col("is_observation") | F.col("is_emergency"))
        .groupBy(*_CLAIM)
        .agg(
            F.min("member_id").alias("member_id"),
            *[F.max(name).alias(name) for name in ("is_stay", "is_observation", "is_emergency")],
            F.max("facility_ccn").alias("facility_ccn"),
            F.min("first_day").alias("first_day"),
            *[F.max(name).alias(name) for name in ("last_day", "discharge_status", "drg")],
        )
    )
    makes_stay = F.col("is_stay") | F.col("is_observation")
    reason = F.when(makes_stay & (F.col("last_day") < F.col("first_day")), END_BEFORE_START)
    met = _with_code_sets(claims, claim_diagnoses, claim_procedures, codes, outcome_code_sets)
    return met.withColumn("no_stay_reason", reason)


def _two_digits(status: str) -> Column:
    """A status that lost its leading zero on its way, as in a spreadsheet, gets it back."""
    return F.when(F.col(status).rlike("^[0-9]$"), F.concat(F.lit("0"), F.col(status))).otherwise(F.col(status))


def _with_code_sets(
    claims: DataFrame,
    claim_diagnoses: DataFrame,
    claim_procedures: DataFrame,
    codes: DataFrame,
    outcome_code_sets: Sequence[Sequence[Any]],
) -> DataFrame:
    """The claims with `code_sets`, by name. Diagnoses and procedures are read only for a set of them."""
    rows = [row for row in outcome_code_sets if row[0] != OBSERVATION]
    if not sets_told(rows):
        return claims.withColumn("code_sets", F.array().cast(TEXTS))
    systems = {str(row[1]) for row in rows}
    placed = claims.where("is_stay OR is_observation")
    of_claim = placed.select("claim_id", F.year("last_day").alias("year"))
    found = []
    if systems & {"ICD-10-CM", "ICD-9-CM"}:
        principal = claim_diagnoses.groupBy("claim_id").agg(
            F.min_by(F.struct("code_system", "code"), "position").alias("d")
        )
        found.append(of_claim.join(principal.select("claim_id", "d.*"), "claim_id", how="inner"))
    if systems & {"ICD-10-PCS", "ICD-9-PCS"}:
        procedures = claim_procedures.select("claim_id", "code_system", "code")
        found.append(of_claim.join(procedures, "claim_id", how="inner"))
    for system, code in (("MS-DRG", "drg"), ("CCN", "facility_ccn")):
        if system in systems:
            found.append(_of_claim(placed, system, F.col(code)))
    names = ("claim_id", "year", "code_system", "code")
    every = union_of([part.select(*names) for part in found])
    supplied = codes.where(F.col("code_set") != OBSERVATION).select(
        "code_set", "code_system", "code", "first_year", "last_year"
    )
    met = (
        every.join(F.broadcast(supplied), ["code_system", "code"], how="inner")
        .where("year BETWEEN first_year AND last_year")
        .groupBy("claim_id")
        .agg(F.array_sort(F.collect_set("code_set")).alias("code_sets"))
    )
    return claims.join(met, "claim_id", how="left").withColumn(
        "code_sets", F.coalesce("code_sets", F.array().cast(TEXTS))
    )


def _of_claim(claims: DataFrame, system: str, code: Column) -> DataFrame:
    return claims.select(
        "claim_id", F.year("last_day").alias("year"), F.lit(system).alias("code_system"), code.alias("code")
    )
