"""RIF claim rows to the common model's claim rows; payment rules per claim type.

Institutional claims carry the payment in the header, repeated on every row; inpatient adds pass-through per diem x
covered days, which is not inside CLM_PMT_AMT. Carrier and DME lines carry their own payment. Part D: what the plan
paid for covered drugs. Denied: payment denial code 0, line processing indicator other than blank, A, R, S, any
non-payment reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.model.claim_lines import LINE_COLUMNS
from pmpm_spark.model.intake import CODED
from pmpm_spark.sources.cells import TypedRow, rif_date, trimmed
from pmpm_spark.sources.rif.layout import BRONZE, INSTITUTIONAL_KINDS, columns_of
from pmpm_spark.table import MONEY, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CLAIM_TYPE = {
    "inpatient": "inpatient",
    "outpatient": "outpatient",
    "snf": "snf",
    "hha": "home_health",
    "hospice": "hospice",
    "carrier": "professional",
    "dme": "dme",
    "pde": "pharmacy",
}
PAID_INDICATORS = ("A", "R", "S")
"""Line processing indicators that do not deny; blank does not either."""
DENIED_CLAIM = "0"
PHARMACY_PREFIX = "PDE:"
"""PDE_ID and CLM_ID are numbered apart and overlap."""
CELLS = T.StructType([T.StructField(name, T.StringType()) for name in ("codes", "versions", "days")])
"""Cells of diagnoses or procedures as delivered."""
_DIAGNOSIS_SYSTEMS = ("ICD-9-CM", "ICD-10-CM")
_PROCEDURE_SYSTEMS = ("ICD-9-PCS", "ICD-10-PCS")


def claim_rows(kind: str, bronze: DataFrame) -> DataFrame:
    """One typed row per bronze row of one kind, with the reasons against it and what orders its versions."""
    row = TypedRow()
    if kind in INSTITUTIONAL_KINDS:
        values: Mapping[str, Column | None] = _institutional(kind, row)
    elif kind == "pde":
        values = _pharmacy(row)
    else:
        values = _line(kind, row)
    diagnoses, procedures = _cells(kind, row, "ICD_DGNS"), _cells(kind, row, "ICD_PRCDR")
    is_update, final_action = row.told("DML_IND") == "UPDATE", row.told("FINAL_ACTION")
    return row.over(bronze).select(
        *[_value(values.get(c.name), c.type).alias(c.name) for c in LINE_COLUMNS],
        diagnoses.alias("diagnoses"),
        procedures.alias("procedures"),
        F.lit(BRONZE[kind].name).alias("_bronze_table"),
        "_source_file",
        "_source_row",
        "_batch_id",
        "_line_hash",
        is_update.alias("is_update"),
        F.coalesce(final_action != "N", F.lit(True)).alias("is_final_action"),
        F.lit(kind in INSTITUTIONAL_KINDS).alias("amounts_are_claims"),
        "reject_reasons",
        "rejected_row",
    )


def claim_id_in(bronze: Table) -> Column:
    """The claim id of a row as delivered; null where none is told."""
    if bronze is BRONZE["pde"]:
        return F.concat(F.lit(PHARMACY_PREFIX), trimmed("PDE_ID"))
    return trimmed("CLM_ID")


def _value(value: Column | None, data_type: T.DataType) -> Column:
    return F.lit(None).cast(data_type) if value is None else value


def _institutional(kind: str, row: TypedRow) -> dict[str, Column | None]:
    has = set(columns_of(kind))
    zero = F.lit(0).cast(MONEY)

    def amount(*names: str) -> Column:
        parts = [row.amount(name) for name in names if name in has]
        added = zero
        for part in parts:
            added = added + part
        return added.cast(MONEY)

    def optional(name: str) -> Column | None:
        return row.told(name) if name in has else None

    pass_through = zero
    if kind == "inpatient":
        days = F.coalesce(row.whole("CLM_UTLZTN_DAY_CNT"), F.lit(0))
        pass_through = (row.amount("CLM_PASS_THRU_PER_DIEM_AMT") * days).cast(MONEY)
    service_from, service_thru = row.rif_day("CLM_FROM_DT"), row.rif_day("CLM_THRU_DT")
    modifiers = F.array_compact(F.array(*[row.told(n) for n in ("HCPCS_1ST_MDFR_CD", "HCPCS_2ND_MDFR_CD") if n in has]))
    revenue = row.told("REV_CNTR")
    bill_type = F.concat(
        *[F.coalesce(row.told(n), F.lit("")) for n in ("CLM_FAC_TYPE_CD", "CLM_SRVC_CLSFCTN_TYPE_CD", "CLM_FREQ_CD")]
    )
    return {
        **_common(row, row.required("CLM_ID"), "CLM_LINE_NUM", "NCH_WKLY_PROC_DT"),
        "claim_type": F.lit(CLAIM_TYPE[kind]),
        **row.service_days(service_from, service_thru, "CLM_THRU_DT"),
        "admission_date": row.rif_day("CLM_ADMSN_DT") if "CLM_ADMSN_DT" in has else None,
        "discharge_date": row.rif_day("NCH_BENE_DSCHRG_DT") if "NCH_BENE_DSCHRG_DT" in has else None,
        "discharge_status": optional("PTNT_DSCHRG_STUS_CD"),
        "drg": optional("CLM_DRG_CD"),
        "bill_type": F.when(bill_type != "", bill_type),
        "revenue_code": F.when(F.length(revenue) < 4, F.lpad(revenue, 4, "0")).otherwise(revenue),
        "hcpcs": row.told("HCPCS_CD"),
        "modifiers": modifiers if "HCPCS_1ST_MDFR_CD" in has else None,
        "billing_npi": row.told("ORG_NPI_NUM"),
        "facility_ccn": row.told("PRVDR_NUM"),
        "rendering_npi": row.told("RNDRNG_PHYSN_NPI"),
        "primary_payer_code": row.told("NCH_PRMRY_PYR_CD"),
        "paid_amount": (row.amount("CLM_PMT_AMT") + pass_through).cast(MONEY),
        "patient_paid_amount": amount(
            "NCH_BENE_IP_DDCTBL_AMT",
            "NCH_BENE_PTA_COINSRNC_LBLTY_AM",
            "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM",
            "NCH_BENE_PTB_DDCTBL_AMT",
            "NCH_BENE_PTB_COINSRNC_AMT",
        ),
        "pass_through_amount": pass_through,
        "ime_amount": amount("IME_OP_CLM_VAL_AMT", "CLM_PPS_CPTL_IME_AMT"),
        "dsh_amount": amount("DSH_OP_CLM_VAL_AMT", "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT"),
        "uncompensated_care_amount": amount("CLM_UNCOMPD_CARE_PMT_AMT"),
        "is_denied": row.told("CLM_MDCR_NON_PMT_RSN_CD").isNotNull(),
    }


def _line(kind: str, row: TypedRow) -> dict[str, Column]:
    service_from = F.coalesce(row.rif_day("LINE_1ST_EXPNS_DT"), row.rif_day("CLM_FROM_DT"))
    service_thru = F.coalesce(row.rif_day("LINE_LAST_EXPNS_DT"), row.rif_day("CLM_THRU_DT"))
    modifier_names = [n for n in columns_of(kind) if n.startswith("HCPCS_") and n.endswith("_MDFR_CD")]
    indicator, denial = row.told("LINE_PRCSG_IND_CD"), row.told("CARR_CLM_PMT_DNL_CD")
    specialty = row.told("PRVDR_SPCLTY")
    if kind == "carrier":
        billing_npi = F.coalesce(row.told("CARR_CLM_BLG_NPI_NUM"), row.told("ORG_NPI_NUM"))
        rendering_npi = row.told("PRF_PHYSN_NPI")
    else:
        billing_npi = rendering_npi = row.told("PRVDR_NPI")
    return {
        **_common(row, row.required("CLM_ID"), "LINE_NUM", "NCH_WKLY_PROC_DT"),
        "claim_type": F.lit(CLAIM_TYPE[kind]),
        **row.service_days(service_from, service_thru, "LINE_LAST_EXPNS_DT", "CLM_THRU_DT"),
        "place_of_service": row.told("LINE_PLACE_OF_SRVC_CD"),
        "hcpcs": row.told("HCPCS_CD"),
        "modifiers": F.array_compact(F.array(*[row.told(n) for n in sorted(modifier_names)])),
        "billing_tin": row.told("TAX_NUM"),
        "billing_npi": billing_npi,
        "rendering_npi": rendering_npi,
        "rendering_specialty": F.when(F.length(specialty) == 1, F.lpad(specialty, 2, "0")).otherwise(specialty),
        "primary_payer_code": row.told("LINE_BENE_PRMRY_PYR_CD"),
        "paid_amount": row.amount("LINE_NCH_PMT_AMT"),
        "allowed_amount": row.amount("LINE_ALOWD_CHRG_AMT"),
        "patient_paid_amount": (row.amount("LINE_BENE_PTB_DDCTBL_AMT") + row.amount("LINE_COINSRNC_AMT")).cast(MONEY),
        "is_denied": F.coalesce(denial == DENIED_CLAIM, F.lit(False))
        | F.coalesce(~indicator.isin(*PAID_INDICATORS), F.lit(False)),
    }


def _pharmacy(row: TypedRow) -> dict[str, Column]:
    filled_on = row.rif_day("SRVC_DT")
    return {
        **_common(row, F.concat(F.lit(PHARMACY_PREFIX), row.required("PDE_ID")), None, "PD_DT"),
        "claim_type": F.lit("pharmacy"),
        **row.service_days(filled_on, filled_on, "SRVC_DT"),
        "billing_npi": F.when(row.told("SRVC_PRVDR_ID_QLFYR_CD") == "01", row.told("SRVC_PRVDR_ID")),
        "rendering_npi": F.when(row.told("PRSCRBR_ID_QLFYR_CD") == "01", row.told("PRSCRBR_ID")),
        "paid_amount": row.amount("CVRD_D_PLAN_PD_AMT"),
        "allowed_amount": row.amount("TOT_RX_CST_AMT"),
        "patient_paid_amount": row.amount("PTNT_PAY_AMT"),
        "is_denied": F.lit(False),
    }


def _common(row: TypedRow, claim_id: Column, line_name: str | None, processed_name: str) -> dict[str, Column]:
    """Who, which claim and line. A research file holds final claims, so every claim is a group of its own."""
    processed_on = row.rif_day(processed_name)
    if line_name is None:
        line_number = F.lit(1)
    else:
        row.required(line_name)
        line_number = row.whole(line_name)
    return {
        "claim_id": claim_id,
        "line_number": line_number,
        "claim_version": F.coalesce(processed_on.cast("string"), F.lit("not dated")),
        "member_id": row.required("BENE_ID"),
        "paid_on": processed_on,
        "adjustment": F.lit("original"),
        "claim_group": claim_id,
        "effective_on": processed_on,
    }


def _cells(kind: str, row: TypedRow, stem: str) -> Column:
    """The cells of the claim's diagnoses or procedures, as delivered: codes, versions and days, each joined by `|`.

    They stand on every row of a claim; `with_codes` types them on the one row that keeps them.
    """
    columns = columns_of(kind)
    places = [n for n in range(1, 26) if f"{stem}_CD{n}" in columns]
    principal = ["PRNCPAL_DGNS"] if stem == "ICD_DGNS" else []
    names = {
        "codes": [*[f"{p}_CD" for p in principal], *[f"{stem}_CD{n}" for n in places]],
        "versions": [*[f"{p}_VRSN_CD" for p in principal], *[f"{stem}_VRSN_CD{n}" for n in places]],
        "days": [f"PRCDR_DT{n}" for n in places] if stem == "ICD_PRCDR" else [],
    }
    if not places:
        return F.lit(None).cast(CELLS)
    joined = [
        F.concat_ws("|", *[F.coalesce(F.col(name), F.lit("")) for name in group]).alias(key)
        for key, group in names.items()
    ]
    return row.as_delivered(f"{stem} cells", F.struct(*joined)).cast(CELLS)


def with_codes(claim_rows: DataFrame) -> DataFrame:
    """Diagnoses and procedures typed, where a row still holds their cells.

    The first diagnosis cell is the principal one: position 0, and only where the list does not begin with it.
    """
    return claim_rows.withColumns(
        {
            "diagnoses": _coded("diagnoses", 0, _DIAGNOSIS_SYSTEMS),
            "procedures": _coded("procedures", 1, _PROCEDURE_SYSTEMS),
        }
    )


def _coded(name: str, first: int, systems: tuple[str, str]) -> Column:
    codes, versions, days = (F.split(F.col(name)[part], r"\|", -1) for part in ("codes", "versions", "days"))
    old, new = systems

    def one(cell: Column, at: Column) -> Column:
        code = F.regexp_replace(F.trim(cell), r"\.", "")
        repeats = (at + first == 0) & (F.trim(cell) == F.trim(F.get(codes, F.lit(1))))
        system = F.when(F.trim(F.get(versions, at)) == "9", old).otherwise(new)
        on = rif_date(F.trim(F.get(days, at)))
        told = F.struct((at + first).alias("position"), code.alias("code"), system.alias("code_system"), on.alias("on"))
        return F.when((code != "") & ~F.coalesce(repeats, F.lit(False)), told)

    typed = F.array_compact(F.transform(codes, one))
    return F.when(F.col(name).isNotNull(), typed).cast(CODED)
