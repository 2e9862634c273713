"""What computed risk scores ask of a run, and what a run says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import RunConfig
from pmpm_spark.errors import InputError
from pmpm_spark.model import CLAIM_DIAGNOSES, COVERAGE_RECORDS, MEMBERS
from pmpm_spark.reference import reference_rows
from pmpm_spark.reference.hcc import (
    HCC_BLENDS,
    HCC_COEFFICIENTS,
    HCC_EDITS,
    HCC_MAPPINGS,
    HCC_NORMALIZATION,
    HCC_PROCEDURES,
    HCC_TABLES,
)
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_hccs import MEMBER_HCCS
from pmpm_spark.silver.risk_diagnoses import ICD_10, RISK_DIAGNOSES, plain_code
from pmpm_spark.silver.risk_profiles import (
    AGED_DISABLED,
    ANY,
    DIALYSIS,
    ESRD,
    RISK_PROFILES,
    computes,
    medicaid_of,
    models_of,
)
from pmpm_spark.table import Table, small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pmpm_spark.store import Store

WELL_FORMED = "^[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}$"
"""An ICD-10-CM code without its dot."""
VERY_OLD = 110
"""From this age on a run names the ages that it scores: a wrong birth date is likelier."""


def check_models(config: RunConfig) -> None:
    """Every year that a policy wants scores of has its models, with all their tables.

    Raises:
        InputError: names the table, the model and the year.
    """
    if not computes(config.policies):
        return
    if config.reference.path is not None:
        for table in (table for table in HCC_TABLES if table is not HCC_PROCEDURES):
            _check_rows(table, reference_rows(table, config.reference.path))
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


def _check_rows(table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Codes and categories as they are compared, and no two rows of one thing in one year.

    Raises:
        InputError: names the table and the row.
    """
    names = table.column_names
    of_thing = [names.index(name) for name in table.key if name != "first_year"]
    last_of: dict[tuple[Any, ...], int] = {}
    for row in sorted(rows, key=lambda row: row[names.index("first_year")] if "first_year" in names else 0):
        told = dict(zip(names, row, strict=True))
        thing = tuple(row[index] for index in of_thing)
        at = f"{table.short_name}: {', '.join(str(cell) for cell in thing)}"
        if "diagnosis_code" in told and not re.match(WELL_FORMED, told["diagnosis_code"]):
            raise InputError(f"{at}: diagnosis_code is no ICD-10-CM code in capitals without a dot")
        for name in ("hcc", "dropped_hcc"):
            if name in told and not (told[name].isdecimal() or (table is HCC_EDITS and told[name] == ANY)):
                raise InputError(f"{at}: {name} is no number of a category")
        if "first_year" in told:
            if told["first_year"] <= last_of.get(thing, 0):
                raise InputError(f"{at}: years of two rows overlap in {told['first_year']}")
            last_of[thing] = told["last_year"]


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
    is_scored, reason = F.col("age").isNotNull(), F.col("told_reason")
    has_died = F.coalesce(F.year("death_date") < F.col("performance_year"), F.lit(False))
    no_birth, no_sex = F.col("birth_date").isNull(), F.coalesce(~F.col("sex").isin("F", "M"), F.lit(True))
    counted = {
        "scored": is_scored,
        "dialysis": F.col("is_on_dialysis"),
        "new": F.col("is_new"),
        "unscored": ~is_scored,
        "no_birth": ~is_scored & no_birth,
        "no_sex": ~is_scored & no_sex,
        "dead": ~is_scored & has_died,
        "no_month": ~is_scored & ~has_died & ~no_birth & ~no_sex,
        "at_0": F.col("age") == 0,
        "very_old": F.col("age") >= VERY_OLD,
        "in_part_c": is_scored & F.col("was_in_part_c"),
        "no_reason": is_scored & reason.isNull(),
        "by_age": is_scored & reason.isNull() & (F.col("reason") == "0"),
    }
    n = _member_years(store, config).agg(*[F.count_if(says).alias(name) for name, says in counted.items()]).collect()[0]
    said = [
        f"risk scores: {n['scored']:,} member-years are computed; long-term institutional status is not told, so all "
        f"count as living in the community; {n['dialysis']:,} with Medicare status 11, 21 or 31 count as on "
        f"dialysis, {n['new']:,} as new enrollees"
    ]
    if n["unscored"]:
        reasons = [
            ("without a birth date", n["no_birth"]),
            ("without a known sex", n["no_sex"]),
            ("dead before the year", n["dead"]),
            ("without a told month of the collection year", n["no_month"]),
        ]
        said.append(f"risk scores: {n['unscored']:,} member-years are not computed{_told(reasons)}")
    if n["at_0"] or n["very_old"]:
        said.append(
            f"risk scores: {n['at_0']:,} member-years are scored at age 0, {n['very_old']:,} at {VERY_OLD} or over; "
            "their birth dates may be wrong"
        )
    if n["in_part_c"]:
        said.append(
            f"risk scores: {n['in_part_c']:,} of the member-years were in Part C in the collection year; where the "
            "source lacks the plan's claims they are scored almost by age and sex alone"
        )
    if n["no_reason"]:
        said.append(
            f"risk scores: original entitlement is not told for {n['no_reason']:,} of the member-years; "
            f"{n['by_age']:,} count as entitled by age, the others as their Medicare status says"
        )
    return [*said, *_disagreements(store, config)]


def _member_years(store: Store, config: RunConfig) -> DataFrame:
    """Covered years of members: what is told of them, and how they are scored; age is null where they are not."""
    years = F.array(*[F.lit(year) for year in config.performance_years])
    covers_year = F.col("performance_year").between(F.col("first"), F.col("last"))
    covers_year_before = (F.col("performance_year") - 1).between(F.col("first"), F.col("last"))
    covered = (
        store.read(ELIGIBILITY_SPANS)
        .select(
            "member_id",
            F.year("span_start").alias("first"),
            F.year("span_end").alias("last"),
            F.coalesce("in_medicare_advantage", F.lit(False)).alias("in_part_c"),
        )
        .withColumn("performance_year", F.explode(years))
        .where(covers_year | covers_year_before)
        .groupBy("member_id", "performance_year")
        .agg(
            F.max(covers_year).alias("is_covered"),
            F.max(covers_year_before & F.col("in_part_c")).alias("was_in_part_c"),
        )
        .where("is_covered")
    )
    people = store.read(MEMBERS).select(
        "member_id", "birth_date", "sex", "death_date", F.col("original_entitlement_reason").alias("told_reason")
    )
    scored = (
        store.read(RISK_PROFILES)
        .groupBy("member_id", "performance_year")
        .agg(
            F.max("age").alias("age"),
            F.max("original_entitlement_reason").alias("reason"),
            F.max(F.col("part") == DIALYSIS).alias("is_on_dialysis"),
            F.max("is_new_enrollee").alias("is_new"),
        )
    )
    return covered.join(people, "member_id", how="left").join(scored, ["member_id", "performance_year"], how="left")


def _disagreements(store: Store, config: RunConfig) -> list[str]:
    """Member-years on whose first covered day, which decides, records disagree."""
    years = F.array(*[F.lit(year) for year in config.performance_years])
    in_year = F.col("performance_year").between(F.year("coverage_start"), F.year("coverage_end"))
    starts = F.greatest(F.col("coverage_start"), F.make_date("performance_year", F.lit(1), F.lit(1)))
    of_days = (
        store.read(COVERAGE_RECORDS)
        .withColumn("performance_year", F.explode(years))
        .where(in_year)
        .select(
            "member_id",
            "performance_year",
            starts.alias("first_day"),
            medicaid_of(F.col("dual_status_code")).alias("medicaid"),
            F.coalesce("medicare_status_code", F.lit("")).alias("status"),
        )
        .groupBy("member_id", "performance_year", "first_day")
        .agg(
            (F.min("medicaid") != F.max("medicaid")).alias("dual_differs"),
            (F.min("status") != F.max("status")).alias("status_differs"),
        )
    )
    first = F.min(F.struct("first_day", "dual_differs", "status_differs")).alias("first")
    n = (
        of_days.groupBy("member_id", "performance_year")
        .agg(first)
        .agg(F.count_if("first.dual_differs").alias("dual"), F.count_if("first.status_differs").alias("status"))
        .collect()[0]
    )
    if not (n["dual"] or n["status"]):
        return []
    return [
        f"risk scores: on the first covered day of {n['dual']:,} member-years records disagree on Medicaid, of "
        f"{n['status']:,} on Medicare status; the record that speaks for the day counts, as for months"
    ]


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
    with_category = small_frame(codes.sparkSession, _codes_of_years(config), _CODES).select(
        "performance_year", "is_of_year", F.explode("codes").alias("code")
    )
    of_codes = (
        codes.select("performance_year", "code")
        .join(F.broadcast(with_category), ["performance_year", "code"], how="left")
        .agg(
            F.count(F.lit(1)).alias("all"),
            F.count_if(F.col("is_of_year").isNull()).alias("none"),
            F.count_if(~F.col("is_of_year")).alias("of_other_year"),
        )
        .collect()[0]
    )
    by_model = store.read(MEMBER_HCCS).where("dropped_by IS NULL").groupBy("model").count().orderBy("model").collect()
    made = ", ".join(f"{row['count']:,} of {row['model']}" for row in by_model) or "none"
    left_out = _told([("in ICD-9", row["icd_9"]), ("malformed", row["malformed"])])
    said = [
        f"risk scores: {row['told']:,} diagnoses of the collection years{left_out}, in {of_codes['all']:,} codes of a "
        f"member and year on claims that count, {of_codes['none']:,} of them without a category in any year, true "
        f"codes or unknown ones; categories that count: {made}"
    ]
    if row["undated"]:
        said.append(f"risk scores: {row['undated']:,} diagnoses without a date count for no year")
    if of_codes["of_other_year"]:
        said.append(
            f"risk scores: {of_codes['of_other_year']:,} of these codes have a category in another payment year alone: "
            "they are told before they were valid, or after"
        )
    return said


def _codes_of_years(config: RunConfig) -> list[tuple[int, bool, list[str]]]:
    """By payment year: the codes that its models map in the year, and those that they map in other years alone."""
    blends = reference_rows(HCC_BLENDS, config.reference.path)
    rows = reference_rows(HCC_MAPPINGS, config.reference.path)
    found = []
    for year in config.performance_years:
        models = models_of(blends, [year])
        of_models = [row for row in rows if row[0] in models]
        here = {row[1] for row in of_models if row[3] <= year <= row[4]}
        found += [(year, True, sorted(here)), (year, False, sorted({row[1] for row in of_models} - here))]
    return found


_CODES = T.StructType(
    [
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("is_of_year", T.BooleanType()),
        T.StructField("codes", T.ArrayType(T.StringType())),
    ]
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
