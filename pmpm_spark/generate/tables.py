"""The generated claims and people as tables: the common model's, and Tuva's input layer made of these.

The rows of the research files are mapped as the source `rif` maps its files, so that all formats tell of one truth.
What a format does not carry is left out of it: Tuva has no denied line, no CCN, no specialty and no first payer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pmpm_spark import intake
from pmpm_spark.frames import union_of
from pmpm_spark.generate.rif import PLACE, STANDS
from pmpm_spark.model.claim_lines import INSTITUTIONAL
from pmpm_spark.sources.rif import of_settled
from pmpm_spark.sources.rif.claims import PHARMACY_PREFIX, claim_rows
from pmpm_spark.sources.rif.enrollment import enrollment_rows
from pmpm_spark.sources.rif.layout import CLAIM_KINDS, INSTITUTIONAL_KINDS, columns_of
from pmpm_spark.sources.tuva.layout import CODES
from pmpm_spark.sources.tuva.layout import TABLES as TUVA_TABLES
from pmpm_spark.table import MONEY

Save = Callable[[DataFrame, str], DataFrame]
"""Writes a frame under a name and reads it back."""
DATA_SOURCE = "generated"
MODIFIERS = 5
MONTHS_PER_YEAR = 12


def common_tables(beneficiaries: DataFrame, claims: Mapping[str, DataFrame], save: Save) -> dict[str, DataFrame]:
    """The tables of the common model, of the beneficiary rows of all years and the claim rows of each kind."""
    enrolled = save(
        _standing(enrollment_rows(_as_bronze(beneficiaries, "beneficiary"), part_c="hmo_indicator")), "enrollment"
    )
    rows = save(
        union_of([_claims(kind, claims[kind]) for kind in CLAIM_KINDS]),
        "claims",
    )
    return {
        "members": intake.members(enrolled),
        "coverage_records": intake.coverage_records(enrolled),
        "claim_lines": intake.claim_lines(rows),
        "claim_diagnoses": intake.claim_diagnoses(rows).drop("service_thru", "claim_type", "on"),
        "claim_procedures": intake.claim_procedures(rows),
    }


def _claims(kind: str, rows: DataFrame) -> DataFrame:
    """The rows of one kind that count, mapped; a claim's codes, and an institutional one's amounts, on its first."""
    told = _standing(claim_rows(kind, _as_bronze(rows, kind)))
    is_first = F.col("_source_row") == 1
    zero = F.lit(0).cast(MONEY)
    amounts = {name: F.when(is_first, F.col(name)).otherwise(zero) for name in intake.FIRST_LINE_AMOUNTS}
    codes = {name: F.when(is_first, F.col(name)) for name in ("diagnoses", "procedures")}
    return of_settled(told.withColumns({**(amounts if kind in INSTITUTIONAL_KINDS else {}), **codes}))


def _standing(typed: DataFrame) -> DataFrame:
    # not filtered here: an engine would judge every row twice, to choose it and to map it
    return typed.withColumn("outcome", F.when(F.size("reject_reasons") > 0, "rejected").otherwise("accepted"))


def _as_bronze(rows: DataFrame, kind: str) -> DataFrame:
    """The rows that count, as if they stood in a file, numbered by their place in their claim."""
    return rows.where(STANDS).select(
        *columns_of(kind),
        F.lit(kind).alias("_source_file"),
        F.col(PLACE).alias("_source_row"),
        F.lit(DATA_SOURCE).alias("_batch_id"),
        F.lit(0).cast("bigint").alias("_line_hash"),
        F.lit(None).cast("string").alias("_unparsed"),
    )


def tuva_tables(common: Mapping[str, DataFrame], member_attribution: DataFrame) -> dict[str, DataFrame]:
    """Tuva's tables, of those of the common model and the payer's list."""
    lines = common["claim_lines"].where("NOT is_denied")
    return {
        "eligibility": _shaped("eligibility", _eligibility(common["coverage_records"], common["members"])),
        "medical_claim": _shaped(
            "medical_claim",
            _medical(
                lines.where("claim_type <> 'pharmacy'"),
                _side_by_side(common["claim_diagnoses"], "diagnosis"),
                _side_by_side(common["claim_procedures"], "procedure", "procedure_date"),
            ),
        ),
        "pharmacy_claim": _shaped("pharmacy_claim", _pharmacy(lines.where("claim_type = 'pharmacy'"))),
        "provider_attribution": _shaped("provider_attribution", _attributed(member_attribution)),
    }


def _shaped(name: str, frame: DataFrame) -> DataFrame:
    """The frame with the table's columns in their order, null where nothing is told."""
    columns = next(table.columns for table in TUVA_TABLES if table.name == name)
    of_all = {"data_source": F.lit(DATA_SOURCE), "person_id": F.col("member_id")}
    told = {**{n: F.col(n) for n in frame.columns}, **of_all}
    return frame.select(*[told.get(n, F.lit(None).cast("string")).alias(n) for n in columns])


def _eligibility(coverage_records: DataFrame, members: DataFrame) -> DataFrame:
    described = coverage_records.join(members, "member_id", how="left")
    has_a, has_b = (F.coalesce(name, F.lit(False)) for name in ("has_part_a", "has_part_b"))
    buyin = F.when(has_a & has_b, "3").when(has_a, "1").when(has_b, "2").otherwise("0")
    gender = F.when(F.col("sex") == "F", "female").when(F.col("sex") == "M", "male").otherwise("unknown")
    return described.select(
        "member_id",
        gender.alias("gender"),
        "birth_date",
        "death_date",
        F.col("death_date").isNotNull().cast("int").alias("death_flag"),
        F.col("coverage_start").alias("enrollment_start_date"),
        F.col("coverage_end").alias("enrollment_end_date"),
        F.lower("payer").alias("payer"),
        F.when(F.col("in_medicare_advantage"), "medicare advantage").otherwise("medicare").alias("payer_type"),
        F.lower("plan_id").alias("plan"),
        F.col("original_entitlement_reason").alias("original_reason_entitlement_code"),
        "dual_status_code",
        "medicare_status_code",
        "state",
        F.col("county_fips").alias("fips_county_code"),
        buyin.alias("medicare_entitlement_buyin_indicator"),
    )


def _side_by_side(codes: DataFrame, what: str, day: str | None = None) -> DataFrame:
    """One row a claim: its codes in their order, in numbered columns."""
    days = F.col(day) if day else F.lit(None).cast("date")
    one = F.struct("position", "code", "code_system", days.alias("on"))
    listed = codes.groupBy("claim_id").agg(F.sort_array(F.collect_list(one)).alias("codes"))
    cells: dict[str, Column] = {f"{what}_code_type": F.lower(F.get("codes", F.lit(0))["code_system"])}
    for n in range(1, CODES + 1):
        cells[f"{what}_code_{n}"] = F.get("codes", F.lit(n - 1))["code"]
        if day:
            cells[f"{what}_date_{n}"] = F.get("codes", F.lit(n - 1))["on"]
    return listed.select("claim_id", *[cell.alias(name) for name, cell in cells.items()])


def _of_any_line() -> list[Column]:
    return [
        F.col("line_number").alias("claim_line_number"),
        F.col("member_id"),
        F.col("paid_on").alias("paid_date"),
        F.col("paid_amount"),
        F.col("allowed_amount"),
        F.col("patient_paid_amount").alias("coinsurance_amount"),
    ]


def _medical(lines: DataFrame, diagnoses: DataFrame, procedures: DataFrame) -> DataFrame:
    is_institutional = F.col("claim_type").isin(*INSTITUTIONAL)
    modifiers = {f"hcpcs_modifier_{n}": F.get("modifiers", F.lit(n - 1)) for n in range(1, MODIFIERS + 1)}
    told = lines.select(
        "claim_id",
        *_of_any_line(),
        F.when(is_institutional, "institutional").otherwise("professional").alias("claim_type"),
        F.col("service_from").alias("claim_start_date"),
        F.col("service_thru").alias("claim_end_date"),
        F.col("service_from").alias("claim_line_start_date"),
        F.col("service_thru").alias("claim_line_end_date"),
        "admission_date",
        "discharge_date",
        F.col("discharge_status").alias("discharge_disposition_code"),
        F.col("place_of_service").alias("place_of_service_code"),
        F.col("bill_type").alias("bill_type_code"),
        F.col("drg").alias("drg_code"),
        F.col("revenue_code").alias("revenue_center_code"),
        F.col("hcpcs").alias("hcpcs_code"),
        *[cell.alias(name) for name, cell in modifiers.items()],
        "rendering_npi",
        "billing_npi",
        "billing_tin",
        F.when(is_institutional, F.col("billing_npi")).alias("facility_npi"),
    )
    return reduce(lambda left, right: left.join(right, "claim_id", how="left"), (diagnoses, procedures), told)


def _pharmacy(lines: DataFrame) -> DataFrame:
    return lines.select(
        F.replace(F.col("claim_id"), F.lit(PHARMACY_PREFIX), F.lit("")).alias("claim_id"),
        *_of_any_line(),
        F.col("rendering_npi").alias("prescribing_provider_npi"),
        F.col("billing_npi").alias("dispensing_provider_npi"),
        F.col("service_thru").alias("dispensing_date"),
    )


def _attributed(member_attribution: DataFrame) -> DataFrame:
    """A row a month of each that the list names for a year."""
    month = F.explode(F.sequence(F.lit(1), F.lit(MONTHS_PER_YEAR)))
    return member_attribution.select(
        "member_id",
        month.alias("month"),
        F.col("performance_year").alias("year"),
        F.col("physician_npi").alias("payer_attributed_provider"),
        F.col("network_id").alias("payer_attributed_provider_organization"),
    ).withColumn("year_month", (F.col("year") * 100 + F.col("month")).cast("string"))
