"""The generated claims and people in the form of DE-SynPUF: yearly counts of months, rows of slots.

Of the common model's tables. The format has inpatient, outpatient and carrier claims and drug events alone, no denied
institutional claim, and of drugs no payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.months import month_number, months_from_to
from pmpm_spark.sources.rif.claims import PHARMACY_PREFIX
from pmpm_spark.sources.synpuf.layout import CODE_SLOTS, COLUMNS, PERSON, SLOTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ESRD = ("11", "21", "31")


def file_name(kind: str, year: int | None = None) -> str:
    """As CMS names its files; of a year, or of all."""
    return {
        "beneficiary": f"DE1_0_{year}_Beneficiary_Summary_File_Sample_1",
        "inpatient": "DE1_0_2008_to_2010_Inpatient_Claims_Sample_1",
        "outpatient": "DE1_0_2008_to_2010_Outpatient_Claims_Sample_1",
        "carrier": "DE1_0_2008_to_2010_Carrier_Claims_Sample_1A",
        "pde": "DE1_0_2008_to_2010_Prescription_Drug_Events_Sample_1",
    }[kind]


def synpuf_files(common: Mapping[str, DataFrame], years: range) -> dict[str, DataFrame]:
    """The files by name, as text."""
    lines = common["claim_lines"]
    summaries = _summaries(common["coverage_records"], common["members"], years)
    return {
        **{file_name("beneficiary", year): summaries.where(F.col("year") == year).drop("year") for year in years},
        file_name("inpatient"): _institutional("inpatient", lines),
        file_name("outpatient"): _institutional("outpatient", lines),
        file_name("carrier"): _carrier(lines),
        file_name("pde"): _drugs(lines),
    }


def _day(day: str | Column) -> Column:
    return F.date_format(day, "yyyyMMdd")


def _file(frame: DataFrame, kind: str, cells: Mapping[str, Column], *beside: str) -> DataFrame:
    nothing = F.lit(None).cast("string")
    told = [cells[n].cast("string").alias(n) if n in cells else nothing.alias(n) for n in COLUMNS[kind]]
    return frame.select(*beside, *told)


def _summaries(coverage_records: DataFrame, members: DataFrame, years: range) -> DataFrame:
    months = months_from_to(
        F.greatest(month_number("coverage_start"), F.lit(years[0] * 12)),
        F.least(month_number("coverage_end"), F.lit(years[-1] * 12 + 11)),
    )
    by_month = coverage_records.withColumn("number", F.explode(months))
    flags = {"HI": "has_part_a", "SMI": "has_part_b", "HMO": "in_medicare_advantage"}
    counted = (
        by_month.groupBy("member_id", F.floor(F.col("number") / 12).cast("int").alias("year"), "number")
        .agg(
            *[F.max(F.coalesce(flag, F.lit(False))).cast("int").alias(name) for name, flag in flags.items()],
            F.max(F.col("medicare_status_code").isin(*_ESRD).cast("int")).alias("esrd"),
        )
        .groupBy("member_id", "year")
        .agg(*[F.sum(name).alias(name) for name in flags], F.max("esrd").alias("esrd"))
    )
    described = counted.join(members, "member_id", how="left")
    is_of_year = F.year("death_date") == F.col("year")
    cells = {
        PERSON: F.col("member_id"),
        "BENE_BIRTH_DT": _day("birth_date"),
        "BENE_DEATH_DT": F.when(is_of_year, _day("death_date")),
        "BENE_SEX_IDENT_CD": F.when(F.col("sex") == "M", "1").when(F.col("sex") == "F", "2"),
        "BENE_ESRD_IND": F.when(F.col("esrd") == 1, "Y").otherwise("0"),
        "SP_STATE_CODE": F.col("state"),
        **{f"BENE_{name}_CVRAGE_TOT_MONS": F.col(name) for name in flags},
    }
    return _file(described, "beneficiary", cells, "year")


def _institutional(kind: str, lines: DataFrame) -> DataFrame:
    of_kind = lines.where((F.col("claim_type") == kind) & ~F.col("is_denied"))
    code = F.when(F.col("hcpcs").isNotNull(), F.struct("line_number", "hcpcs"))
    names = ("member_id", "service_from", "service_thru", "facility_ccn", "admission_date", "discharge_date", "drg")
    claims = of_kind.groupBy("claim_id").agg(
        *[F.max(name).alias(name) for name in names],
        F.sum("paid_amount").alias("paid"),
        F.sum("pass_through_amount").alias("pass_through"),
        F.sum("patient_paid_amount").alias("patient"),
        F.sort_array(F.collect_list(code)).alias("codes"),
    )
    cells: dict[str, Column] = {
        PERSON: F.col("member_id"),
        "CLM_ID": F.col("claim_id"),
        "SEGMENT": F.lit(1),
        "CLM_FROM_DT": _day("service_from"),
        "CLM_THRU_DT": _day("service_thru"),
        "PRVDR_NUM": F.col("facility_ccn"),
        "CLM_PMT_AMT": F.col("paid") - F.col("pass_through"),
        **{f"HCPCS_CD_{n}": F.get("codes", F.lit(n - 1))["hcpcs"] for n in range(1, CODE_SLOTS + 1)},
    }
    if kind == "inpatient":
        cells |= {
            "CLM_ADMSN_DT": _day("admission_date"),
            "NCH_BENE_DSCHRG_DT": _day("discharge_date"),
            "CLM_DRG_CD": F.col("drg"),
            "CLM_PASS_THRU_PER_DIEM_AMT": F.col("pass_through"),
            "CLM_UTLZTN_DAY_CNT": F.lit(1),
            "NCH_BENE_IP_DDCTBL_AMT": F.col("patient"),
        }
    else:
        cells["NCH_BENE_PTB_COINSRNC_AMT"] = F.col("patient")
    return _file(claims, kind, cells)


def _carrier(lines: DataFrame) -> DataFrame:
    """Thirteen lines of the same days a row; more of a claim stand in rows of numbers of their own."""
    told = lines.where("claim_type = 'professional'")
    names = (
        "line_number", "hcpcs", "rendering_npi", "billing_tin", "paid_amount", "allowed_amount", "patient_paid_amount",
        "is_denied",
    )  # fmt: skip
    part = F.floor((F.col("line_number") - 1) / SLOTS).cast("int")
    claims = told.groupBy("claim_id", part.alias("part"), "member_id", "service_from", "service_thru").agg(
        F.sort_array(F.collect_list(F.struct(*names))).alias("lines")
    )

    def slot(n: int, name: str) -> Column:
        return F.get("lines", F.lit(n - 1))[name]

    days = (_day("service_from"), _day("service_thru"))
    number = F.concat_ws("-", "claim_id", F.when(F.col("part") > 0, F.col("part")), *days)
    cells: dict[str, Column] = {
        PERSON: F.col("member_id"),
        "CLM_ID": number,
        "CLM_FROM_DT": _day("service_from"),
        "CLM_THRU_DT": _day("service_thru"),
    }
    for n in range(1, SLOTS + 1):
        cells |= {
            f"HCPCS_CD_{n}": slot(n, "hcpcs"),
            f"PRF_PHYSN_NPI_{n}": slot(n, "rendering_npi"),
            f"TAX_NUM_{n}": slot(n, "billing_tin"),
            f"LINE_NCH_PMT_AMT_{n}": slot(n, "paid_amount"),
            f"LINE_ALOWD_CHRG_AMT_{n}": slot(n, "allowed_amount"),
            f"LINE_COINSRNC_AMT_{n}": slot(n, "patient_paid_amount"),
            f"LINE_PRCSG_IND_CD_{n}": F.when(slot(n, "is_denied"), "C").when(slot(n, "line_number").isNotNull(), "A"),
        }
    return _file(claims, "carrier", cells)


def _drugs(lines: DataFrame) -> DataFrame:
    cells = {
        PERSON: F.col("member_id"),
        "PDE_ID": F.replace(F.col("claim_id"), F.lit(PHARMACY_PREFIX), F.lit("")),
        "SRVC_DT": _day("service_thru"),
        "PTNT_PAY_AMT": F.col("patient_paid_amount"),
        "TOT_RX_CST_AMT": F.col("allowed_amount"),
    }
    return _file(lines.where("claim_type = 'pharmacy'"), "pde", cells)
