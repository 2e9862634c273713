"""CCLF1 to CCLF4: headers, revenue centers, procedures and diagnoses of institutional claims.

The layout has no pass-through per diem: it is part of CLM_PMT_AMT, so that the payment is that of the other format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.cclf.ids import claim_number
from pmpm_spark.generate.cclf.records import amount, cents, day, number, quantity, record
from pmpm_spark.generate.cclf.schedule import Schedule
from pmpm_spark.generate.cclf.versions import (
    ADJUSTMENT,
    CANCEL,
    delivered,
    is_unmatched,
    told_versions,
    with_steps,
)
from pmpm_spark.generate.claims import whole
from pmpm_spark.generate.draws import Draws
from pmpm_spark.sources.cells import rif_date
from pmpm_spark.sources.rif.layout import columns_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CLAIM_TYPE = {"inpatient": "60", "outpatient": "40", "snf": "20", "hha": "10", "hospice": "50"}
_DIGIT = {"inpatient": 1, "outpatient": 2, "snf": 3, "hha": 4, "hospice": 5}
NO_FACILITY = "419999"
"""A billing facility that no other claim has: a cancel of its claim matches nothing."""
_TEXTS = {
    "ccn": "PRVDR_NUM",
    "npi": "ORG_NPI_NUM",
    "attending": "AT_PHYSN_NPI",
    "facility_type": "CLM_FAC_TYPE_CD",
    "classification": "CLM_SRVC_CLSFCTN_TYPE_CD",
    "frequency": "CLM_FREQ_CD",
    "principal": "PRNCPAL_DGNS_CD",
    "admitting": "ADMTG_DGNS_CD",
    "non_payment": "CLM_MDCR_NON_PMT_RSN_CD",
    "payer": "NCH_PRMRY_PYR_CD",
    "status": "PTNT_DSCHRG_STUS_CD",
    "drg": "CLM_DRG_CD",
    "admission_type": "CLM_IP_ADMSN_TYPE_CD",
    "admission_source": "CLM_SRC_IP_ADMSN_CD",
    "diagnosis_1": "ICD_DGNS_CD1",
    "diagnosis_2": "ICD_DGNS_CD2",
    "procedure": "ICD_PRCDR_CD1",
}
_AMOUNTS = {
    "charge": "CLM_TOT_CHRG_AMT",
    "capital_ime": "CLM_PPS_CPTL_IME_AMT",
    "operating_ime": "IME_OP_CLM_VAL_AMT",
    "capital_dsh": "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT",
    "operating_dsh": "DSH_OP_CLM_VAL_AMT",
    "uncompensated": "CLM_UNCOMPD_CARE_PMT_AMT",
}


def part_a_versions(rows: DataFrame, draws: Draws, kind: str, schedule: Schedule) -> DataFrame:
    """The delivered versions of one kind of institutional claim, of its RIF rows."""
    has = set(columns_of(kind))

    def text(name: str) -> Column:
        return F.trim(F.col(name)) if name in has else F.lit(None).cast("string")

    def money(name: str) -> Column:
        return F.coalesce(cents(F.col(name)), F.lit(0)) if name in has else F.lit(0).cast("bigint")

    pass_through = F.lit(0).cast("bigint")
    if kind == "inpatient":
        pass_through = money("CLM_PASS_THRU_PER_DIEM_AMT") * F.col("CLM_UTLZTN_DAY_CNT").cast("bigint")
    service_from, service_thru = rif_date(F.col("CLM_FROM_DT")), rif_date(F.col("CLM_THRU_DT"))
    is_readable = (F.trim("BENE_ID") != "") & (service_from <= service_thru) & cents(F.col("CLM_PMT_AMT")).isNotNull()
    readable = rows.where(is_readable).select(
        *[F.col(name) for name in rows.columns if name != "CLM_ID"],
        F.col("CLM_ID").alias("claim_id"),
        (F.col("DML_IND") == "UPDATE").cast("int").alias("is_update"),
        (F.col("FINAL_ACTION") != "N").alias("is_final"),
        rif_date(F.col("NCH_WKLY_PROC_DT")).alias("processed_on"),
        F.col("CLM_LINE_NUM").cast("int").alias("line"),
    )
    facts = {
        "member_id": F.col("BENE_ID"),
        "service_from": service_from,
        "service_thru": service_thru,
        "pay": cents(F.col("CLM_PMT_AMT")) + pass_through,
        "procedure_on": rif_date(F.col("PRCDR_DT1")) if "PRCDR_DT1" in has else F.lit(None).cast("date"),
        **{name: text(column) for name, column in _TEXTS.items()},
        **{name: money(column) for name, column in _AMOUNTS.items()},
    }
    lines = {
        "line": F.col("line"),
        "revenue": text("REV_CNTR"),
        "hcpcs": text("HCPCS_CD"),
        "on": rif_date(F.col("REV_CNTR_DT")) if "REV_CNTR_DT" in has else F.lit(None).cast("date"),
        "paid": money("REV_CNTR_PMT_AMT_AMT"),
    }
    claims = told_versions(readable, facts, lines)
    steps = with_steps(claims, draws, kind, schedule, adjustment=ADJUSTMENT, has_twins=True)
    digit, claim_id, step = _DIGIT[kind], F.col("claim_id"), F.col("step")
    versions = delivered(steps, draws, kind, schedule)
    return versions.select(
        *versions.columns,
        F.lit(CLAIM_TYPE[kind]).alias("claim_type"),
        claim_number(digit, claim_id, step["version"], is_twin=step["is_twin"]).alias("number"),
    )


def header_records(versions: DataFrame) -> DataFrame:
    """CCLF1. The control number of what a cancel removes stands on it."""
    fact, step = F.col("facts"), F.col("step")
    root = F.concat(F.substr(F.col("claim_id"), F.lit(2)), F.when(step["is_twin"], "T").otherwise(""))
    is_cancel = step["adjustment"] == CANCEL
    billed_by = F.when(is_unmatched(), NO_FACILITY).otherwise(fact["ccn"])
    cells: dict[str, Column | str] = {
        **_claim_cells(),
        "CLM_FROM_DT": day(fact["service_from"]),
        "CLM_THRU_DT": day(fact["service_thru"]),
        "CLM_BILL_FAC_TYPE_CD": fact["facility_type"],
        "CLM_BILL_CLSFCTN_CD": fact["classification"],
        "PRNCPL_DGNS_CD": fact["principal"],
        "ADMTG_DGNS_CD": fact["admitting"],
        "CLM_MDCR_NPMT_RSN_CD": fact["non_payment"],
        "CLM_PMT_AMT": amount(whole(fact["pay"] * step["share"]), 17),
        "CLM_NCH_PRMRY_PYR_CD": fact["payer"],
        "PRVDR_FAC_FIPS_ST_CD": "44",
        "BENE_PTNT_STUS_CD": fact["status"],
        "DGNS_DRG_CD": fact["drg"],
        "FAC_PRVDR_NPI_NUM": fact["npi"],
        "ATNDG_PRVDR_NPI_NUM": fact["attending"],
        "CLM_ADJSMT_TYPE_CD": step["adjustment"],
        "CLM_EFCTV_DT": day(F.col("effective_on")),
        "CLM_IDR_LD_DT": day(F.col("loaded_on")),
        "CLM_ADMSN_TYPE_CD": fact["admission_type"],
        "CLM_ADMSN_SRC_CD": fact["admission_source"],
        "CLM_BILL_FREQ_CD": fact["frequency"],
        "CLM_QUERY_CD": "3",
        "DGNS_PRCDR_ICD_IND": "0",
        "CLM_MDCR_INSTNL_TOT_CHRG_AMT": amount(fact["charge"], 15),
        "CLM_MDCR_IP_PPS_CPTL_IME_AMT": amount(fact["capital_ime"], 15),
        "CLM_OPRTNL_IME_AMT": amount(fact["operating_ime"], 22),
        "CLM_MDCR_IP_PPS_DSPRPRTNT_AMT": amount(fact["capital_dsh"], 15),
        "CLM_HIPPS_UNCOMPD_CARE_AMT": amount(fact["uncompensated"], 15),
        "CLM_OPRTNL_DSPRPRTNT_AMT": amount(fact["operating_dsh"], 22),
        "CLM_BLG_PRVDR_OSCAR_NUM": billed_by,
        "CLM_BLG_PRVDR_NPI_NUM": fact["npi"],
        "CLM_ATNDG_PRVDR_NPI_NUM": fact["attending"],
        "CLM_CNTL_NUM": F.concat(root, F.lit("V"), step["version"].cast("string")),
        "CLM_ORG_CNTL_NUM": F.when(is_cancel, F.concat(root, F.lit("V0"))),
    }
    return _records(versions, "cclf1", cells)


def revenue_center_records(versions: DataFrame) -> DataFrame:
    """CCLF2. What comes without a version to cancel comes without lines."""
    lined = versions.where(~is_unmatched()).select(*versions.columns, F.explode("lines").alias("center"))
    fact, center = F.col("facts"), F.col("center")
    on = F.coalesce(center["on"], fact["service_from"])
    cells: dict[str, Column | str] = {
        **_claim_cells(),
        "CLM_LINE_NUM": number(center["line"], 10),
        "CLM_LINE_FROM_DT": day(on),
        "CLM_LINE_THRU_DT": day(on),
        "CLM_LINE_PROD_REV_CTR_CD": center["revenue"],
        "CLM_LINE_INSTNL_REV_CTR_DT": day(center["on"]),
        "CLM_LINE_HCPCS_CD": center["hcpcs"],
        "CLM_FROM_DT": day(fact["service_from"]),
        "CLM_THRU_DT": day(fact["service_thru"]),
        "CLM_LINE_SRVC_UNIT_QTY": quantity(F.lit(1)),
        "CLM_LINE_CVRD_PD_AMT": amount(whole(center["paid"] * F.col("step.share")), 17),
        "CLM_FAC_PRVDR_OSCAR_NUM": fact["ccn"],
    }
    return _records(lined, "cclf2", cells)


def procedure_records(versions: DataFrame) -> DataFrame:
    """CCLF3."""
    fact = F.col("facts")
    cells: dict[str, Column | str] = {
        **_claim_cells(),
        **_code_cells(),
        "CLM_VAL_SQNC_NUM": "01",
        "CLM_PRCDR_CD": fact["procedure"],
        "CLM_PRCDR_PRFRM_DT": day(fact["procedure_on"]),
    }
    return _records(versions.where(fact["procedure"].isNotNull() & ~is_unmatched()), "cclf3", cells)


def diagnosis_records(versions: DataFrame) -> DataFrame:
    """CCLF4."""
    codes = F.array(F.col("facts.diagnosis_1"), F.col("facts.diagnosis_2"))
    coded = versions.where(~is_unmatched()).select(*versions.columns, F.posexplode(codes).alias("place", "code"))
    cells: dict[str, Column | str] = {
        **_claim_cells(),
        **_code_cells(),
        "CLM_PROD_TYPE_CD": "D",
        "CLM_VAL_SQNC_NUM": number(F.col("place") + 1, 2),
        "CLM_DGNS_CD": F.col("code"),
    }
    return _records(coded.where("code IS NOT NULL"), "cclf4", cells)


def _claim_cells() -> dict[str, Column | str]:
    return {
        "CUR_CLM_UNIQ_ID": F.col("number"),
        "PRVDR_OSCAR_NUM": F.col("facts.ccn"),
        "BENE_MBI_ID": F.col("mbi"),
        "CLM_TYPE_CD": F.col("claim_type"),
    }


def _code_cells() -> dict[str, Column | str]:
    return {
        "CLM_FROM_DT": day(F.col("facts.service_from")),
        "CLM_THRU_DT": day(F.col("facts.service_thru")),
        "DGNS_PRCDR_ICD_IND": "0",
        "CLM_BLG_PRVDR_OSCAR_NUM": F.col("facts.ccn"),
    }


def _records(versions: DataFrame, kind: str, cells: Mapping[str, Column | str]) -> DataFrame:
    return versions.select("delivery", record(kind, cells).alias("record"))
