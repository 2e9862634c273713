"""What computed risk scores ask of a run, and what a run says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import RunConfig
from pmpm_spark.errors import InputError
from pmpm_spark.model import CLAIM_DIAGNOSES, MEMBERS
from pmpm_spark.reference import reference_rows
from pmpm_spark.reference.hcc import (
    HCC_BLENDS,
    HCC_COEFFICIENTS,
    HCC_MAPPINGS,
    HCC_NORMALIZATION,
    HCC_PROCEDURES,
)
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_hccs import MEMBER_HCCS
from pmpm_spark.silver.risk_diagnoses import ICD_10, RISK_DIAGNOSES, plain_code
from pmpm_spark.silver.risk_profiles import AGED_DISABLED, DIALYSIS, ESRD, RISK_PROFILES, computes, models_of
from pmpm_spark.silver.risk_scores import COMPUTED, RISK_SCORES
from pmpm_spark.table import Table, small_frame

if TYPE_CHECKING:
    from pmpm_spark.store import Store

WELL_FORMED = "^[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}$"
"""An ICD-10-CM code without its dot."""


def check_models(config: RunConfig) -> None:
    """Every year that a policy wants scores of has its models, with all their tables.

    Raises:
        InputError: names the table, the model and the year.
    """
    if not computes(config.policies):
        return
    blends = reference_rows(HCC_BLENDS, config.reference.path)
    by_model = [
        (HCC_MAPPINGS, _years_of(HCC_MAPPINGS, config)),
        (HCC_COEFFICIENTS, _years_of(HCC_COEFFICIENTS, config)),
    ]
    procedures = reference_rows(HCC_PROCEDURES, config.reference.path)
    for year in config.performance_years:
        for part in (AGED_DISABLED, ESRD):
            models = [row[2] for row in blends if (row[0], row[1]) == (year, part) and row[3] > 0]
            if not models:
                raise InputError(_no_rows(HCC_BLENDS, f"part {part}", year))
            for table, told in by_model:
                for model in models:
                    if (model, year) not in told:
                        raise InputError(_no_rows(table, f"model {model}", year))
        if not any(row[1] <= year - 1 <= row[2] for row in procedures):
            raise InputError(_no_rows(HCC_PROCEDURES, f"year of service {year - 1}", year))


def _years_of(table: Table, config: RunConfig) -> set[tuple[str, int]]:
    model, first, last = (table.column_names.index(name) for name in ("model", "first_year", "last_year"))
    spans = {(row[model], row[first], row[last]) for row in reference_rows(table, config.reference.path)}
    return {(name, year) for name, begins, ends in spans for year in range(begins, ends + 1)}


def _no_rows(table: Table, of: str, year: int) -> str:
    return (
        f"{table.short_name}: {of} has no row for payment year {year}, whose risk scores a policy computes; add it "
        "in a folder named in [reference] path"
    )


def risk_notices(store: Store, config: RunConfig) -> list[str]:
    """How many people and diagnoses were scored, and which were not, and why."""
    if not computes(config.policies):
        return []
    return [*_people(store, config), *_diagnoses(store, config), *_factors(config)]


def _people(store: Store, config: RunConfig) -> list[str]:
    years = F.array(*[F.lit(year) for year in config.performance_years])
    covered = (
        store.read(ELIGIBILITY_SPANS)
        .select("member_id", F.year("span_start").alias("first"), F.year("span_end").alias("last"))
        .withColumn("performance_year", F.explode(years))
        .where(F.col("performance_year").between(F.col("first"), F.col("last")))
        .select("member_id", "performance_year")
        .distinct()
    )
    has_died = F.year("death_date") < F.col("performance_year")
    no_birth, no_sex = F.col("birth_date").isNull(), F.coalesce(~F.col("sex").isin("F", "M"), F.lit(True))
    profiles = store.read(RISK_PROFILES)
    scored = store.read(RISK_SCORES).where(F.col("origin") == COMPUTED)
    scored = scored.select("member_id", "performance_year", F.lit(True).alias("is_scored"))
    living = (
        covered.join(
            store.read(MEMBERS).select("member_id", "birth_date", "sex", "death_date"), "member_id", how="left"
        )
        .where(~F.coalesce(has_died, F.lit(False)))
        .join(scored, ["member_id", "performance_year"], how="left")
    )
    row = living.agg(
        F.count_if(F.col("is_scored")).alias("scored"),
        F.count_if(F.col("is_scored").isNull()).alias("unscored"),
        F.count_if(no_birth).alias("no_birth"),
        F.count_if(no_sex).alias("no_sex"),
    ).collect()[0]
    of_profiles = profiles.agg(
        F.count_if(F.col("part") == DIALYSIS).alias("dialysis"), F.count_if("is_new_enrollee").alias("new")
    ).collect()[0]
    said = [
        f"risk scores: {row['scored']:,} member-years are computed; long-term institutional status is not told, so all "
        f"count as living in the community; {of_profiles['dialysis']:,} with Medicare status 11, 21 or 31 count as on "
        f"dialysis, {of_profiles['new']:,} as new enrollees"
    ]
    if row["unscored"]:
        told = _told([("without a birth date", row["no_birth"]), ("without a known sex", row["no_sex"])])
        said.append(
            f"risk scores: {row['unscored']:,} member-years are not computed{told}; the others have no month of the "
            "collection year told"
        )
    return said


def _diagnoses(store: Store, config: RunConfig) -> list[str]:
    years = [year - 1 for year in config.performance_years]
    of_years = F.year("service_thru").isin(*years)
    is_icd_10 = F.col("code_system") == ICD_10
    row = (
        store.read(CLAIM_DIAGNOSES)
        .agg(
            F.count_if(of_years).alias("told"),
            F.count_if(F.col("service_thru").isNull()).alias("undated"),
            F.count_if(of_years & ~is_icd_10).alias("icd_9"),
            F.count_if(of_years & is_icd_10 & ~plain_code().rlike(WELL_FORMED)).alias("malformed"),
        )
        .collect()[0]
    )
    codes = store.read(RISK_DIAGNOSES)
    other_year = small_frame(codes.sparkSession, _codes_of_other_years(config), _CODES).select(
        "performance_year", F.explode("codes").alias("code")
    )
    counted = codes.count()
    too_early = codes.join(F.broadcast(other_year), ["performance_year", "code"], how="left_semi").count()
    by_model = store.read(MEMBER_HCCS).where("dropped_by IS NULL").groupBy("model").count().orderBy("model").collect()
    made = ", ".join(f"{row['count']:,} of {row['model']}" for row in by_model) or "none"
    left_out = _told([("in ICD-9", row["icd_9"]), ("malformed", row["malformed"])])
    said = [
        f"risk scores: {row['told']:,} diagnoses of the collection years{left_out}, in {counted:,} codes of a member "
        f"and year on claims that count; categories that count: {made}"
    ]
    if row["undated"]:
        said.append(f"risk scores: {row['undated']:,} diagnoses without a date count for no year")
    if too_early:
        said.append(
            f"risk scores: {too_early:,} of these codes have a category in another payment year alone: they are told "
            "before they were valid, or after"
        )
    return said


def _codes_of_other_years(config: RunConfig) -> list[tuple[int, list[str]]]:
    """By payment year: codes that the year's models map in other years and not in it."""
    blends = reference_rows(HCC_BLENDS, config.reference.path)
    rows = reference_rows(HCC_MAPPINGS, config.reference.path)
    found = []
    for year in config.performance_years:
        models = models_of(blends, [year])
        of_models = [row for row in rows if row[0] in models]
        here = {row[1] for row in of_models if row[3] <= year <= row[4]}
        found.append((year, sorted({row[1] for row in of_models} - here)))
    return found


_CODES = T.StructType(
    [T.StructField("performance_year", T.IntegerType()), T.StructField("codes", T.ArrayType(T.StringType()))]
)


def _factors(config: RunConfig) -> list[str]:
    rows = reference_rows(HCC_BLENDS, config.reference.path)
    told = {(row[0], row[2]) for row in reference_rows(HCC_NORMALIZATION, config.reference.path)}
    models = sorted((model, year) for year in config.performance_years for model in models_of(rows, [year]))
    missing = [f"{model} {year}" for model, year in models if (model, year) not in told]
    said = []
    if missing:
        said.append(
            f"risk scores: hcc_normalization has no factor for {', '.join(missing)}; normalized and payment scores are "
            "null there, raw ones are not"
        )
    by_table = [p.label for p in config.policies if p.risk.scores != "supplied" and p.risk.normalization == "table"]
    if by_table:
        said.append(
            f"policy {', '.join(by_table)}: computed scores are divided by normalization_factors, which were published "
            'for scores of a program; with risk.normalization = "population" their own mean is 1'
        )
    return said


def _told(counts: Sequence[tuple[str, Any]]) -> str:
    named = [f"{count:,} {what}" for what, count in counts if count]
    return f" ({', '.join(named)})" if named else ""
