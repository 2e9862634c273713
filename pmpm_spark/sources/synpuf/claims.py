"""DE-SynPUF claim rows to the common model's claim rows.

Inpatient: CLM_PMT_AMT and pass-through per diem x covered days; with it the payments of a person and year add up to
MEDREIMB_IP of the beneficiary summary. A claim may go on in a second row (SEGMENT 2), which repeats the claim and has
no dates. A carrier row holds up to thirteen lines. Of drugs it is not told what the plan paid: that is null, the
total drug cost is the allowed amount. Which payer was first is told by no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from pmpm_spark.intake import claim_fates
from pmpm_spark.model.intake import CLAIM_ROWS, LINE
from pmpm_spark.sources.births import not_before_birth
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.codes import listed_codes
from pmpm_spark.sources.rif.claims import PAID_INDICATORS, PHARMACY_PREFIX
from pmpm_spark.sources.synpuf.layout import BRONZE, CODE_SLOTS, PERSON, SLOTS
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NO_VERSION = "as delivered"


def all_claim_rows(
    inpatient: DataFrame, outpatient: DataFrame, carrier: DataFrame, pde: DataFrame, enrollment_rows: DataFrame
) -> DataFrame:
    """The claim rows of every kind, each with its fate."""
    institutional = _institutional("inpatient", inpatient).unionByName(_institutional("outpatient", outpatient))
    rows = _with_claims_days(institutional).unionByName(_carrier(carrier)).unionByName(_pharmacy(pde))
    return claim_fates(not_before_birth(rows, enrollment_rows))


def _institutional(kind: str, bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    row.required("SEGMENT")
    segment, paid, pass_through = row.whole("SEGMENT"), row.amount("CLM_PMT_AMT"), F.lit(0).cast(MONEY)
    patient_paid = ["NCH_BENE_BLOOD_DDCTBL_LBLTY_AM"]
    own: dict[str, Column] = {}
    if kind == "inpatient":
        days = F.coalesce(row.whole("CLM_UTLZTN_DAY_CNT"), F.lit(0))
        pass_through = (row.amount("CLM_PASS_THRU_PER_DIEM_AMT") * days).cast(MONEY)
        patient_paid += ["NCH_BENE_IP_DDCTBL_AMT", "NCH_BENE_PTA_COINSRNC_LBLTY_AM"]
        own = {
            "admission_date": row.compact_day("CLM_ADMSN_DT"),
            "discharge_date": row.compact_day("NCH_BENE_DSCHRG_DT"),
            "drg": row.told("CLM_DRG_CD"),
        }
    else:
        patient_paid += ["NCH_BENE_PTB_DDCTBL_AMT", "NCH_BENE_PTB_COINSRNC_AMT"]
    values = {
        **_common(row, row.required("CLM_ID"), (segment - 1) * CODE_SLOTS + 1),
        "claim_type": F.lit(kind),
        "service_from": row.compact_day("CLM_FROM_DT"),
        "service_thru": row.compact_day("CLM_THRU_DT"),
        **own,
        "facility_ccn": row.told("PRVDR_NUM"),
        "paid_amount": (paid + pass_through).cast(MONEY),
        "patient_paid_amount": _sum([row.amount(name) for name in patient_paid]),
        "pass_through_amount": pass_through,
        "is_denied": F.lit(False),
        "diagnoses": _coded(row, "ICD9_DGNS_CD", 10, "ICD-9-CM"),
        "procedures": _coded(row, "ICD9_PRCDR_CD", 6, "ICD-9-PCS"),
        "lines": _codes_as_lines([row.told(f"HCPCS_CD_{n}") for n in range(1, CODE_SLOTS + 1)], segment),
        "amounts_are_claims": F.lit(True),
    }
    return _typed(row, kind, bronze, values)


def _with_claims_days(rows: DataFrame) -> DataFrame:
    """A segment without days has those of its claim; who has none then is rejected."""
    of_claim = Window.partitionBy("claim_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    days = ("service_from", "service_thru")
    dated = rows.withColumns({name: F.coalesce(name, F.max(name).over(of_claim)) for name in days})
    faults = {
        "CLM_THRU_DT is missing": F.col("service_thru").isNull(),
        "the last day of service is before the first": F.col("service_from") > F.col("service_thru"),
    }
    return _rejected_for(dated, faults)


def _rejected_for(rows: DataFrame, faults: Mapping[str, Column]) -> DataFrame:
    told = F.array_compact(F.array(*[F.when(fault, F.lit(reason)) for reason, fault in faults.items()]))
    is_read = F.size("reject_reasons") == 0
    judged = rows.withColumn("reject_reasons", F.when(is_read, told).otherwise(F.col("reject_reasons")))
    return judged.withColumn("rejected_row", F.when(F.size("reject_reasons") > 0, F.col("row_as_read")))


def _carrier(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    service_from, service_thru = row.compact_day("CLM_FROM_DT"), row.compact_day("CLM_THRU_DT")
    slots = [_slot(row, n) for n in range(1, SLOTS + 1)]
    lines = F.array_compact(F.array(*[F.when(is_used, line) for is_used, line in slots]))
    values = {
        **_common(row, row.required("CLM_ID"), F.lit(1)),
        "claim_type": F.lit("professional"),
        **row.service_days(service_from, service_thru, "CLM_THRU_DT"),
        "paid_amount": _sum([row.amount(f"LINE_NCH_PMT_AMT_{n}") for n in range(1, SLOTS + 1)]),
        "is_denied": F.lit(False),
        "diagnoses": _coded(row, "ICD9_DGNS_CD", 8, "ICD-9-CM"),
        "lines": lines,
        "amounts_are_claims": F.lit(False),
    }
    return _typed(row, "carrier", bronze, values)


def _slot(row: TypedRow, n: int) -> tuple[Column, Column]:
    """Whether a line stands in the slot, and the line."""
    paid, allowed = row.amount(f"LINE_NCH_PMT_AMT_{n}"), row.amount(f"LINE_ALOWD_CHRG_AMT_{n}")
    hcpcs, indicator = row.told(f"HCPCS_CD_{n}"), row.told(f"LINE_PRCSG_IND_CD_{n}")
    patient = [row.amount(f"LINE_BENE_PTB_DDCTBL_AMT_{n}"), row.amount(f"LINE_COINSRNC_AMT_{n}")]
    told = {
        "line_number": F.lit(n),
        "hcpcs": hcpcs,
        "rendering_npi": row.told(f"PRF_PHYSN_NPI_{n}"),
        "billing_tin": row.told(f"TAX_NUM_{n}"),
        "paid_amount": paid,
        "allowed_amount": allowed,
        "patient_paid_amount": _sum(patient),
        "is_denied": F.coalesce(~indicator.isin(*PAID_INDICATORS), F.lit(False)),
    }
    line = F.struct(*[told[name].alias(name) for name in LINE.names])
    is_used = hcpcs.isNotNull() | indicator.isNotNull() | (paid != 0) | (allowed != 0)
    return (is_used | F.lit(n == 1)), line


def _pharmacy(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    filled_on = row.compact_day("SRVC_DT")
    values = {
        **_common(row, F.concat(F.lit(PHARMACY_PREFIX), row.required("PDE_ID")), F.lit(1)),
        "claim_type": F.lit("pharmacy"),
        **row.service_days(filled_on, filled_on, "SRVC_DT"),
        "allowed_amount": row.amount("TOT_RX_CST_AMT"),
        "patient_paid_amount": row.amount("PTNT_PAY_AMT"),
        "is_denied": F.lit(False),
        "amounts_are_claims": F.lit(False),
    }
    return _typed(row, "pde", bronze, values)


def _common(row: TypedRow, claim_id: Column, line_number: Column) -> dict[str, Column]:
    """Whose, which claim and line. A public use file holds final claims, so every claim is a group of its own."""
    return {
        "claim_id": claim_id,
        "line_number": line_number,
        "claim_version": F.lit(_NO_VERSION),
        "member_id": row.required(PERSON),
        "adjustment": F.lit("original"),
        "claim_group": claim_id,
    }


def _typed(row: TypedRow, kind: str, bronze: DataFrame, values: Mapping[str, Column]) -> DataFrame:
    final = {"is_update": F.lit(False), "is_final_action": F.lit(True)}
    beside = (*final, "amounts_are_claims")
    return row.rows(bronze, BRONZE[kind], CLAIM_ROWS, {**values, **final}, beside)


def _sum(amounts: list[Column]) -> Column:
    total = F.lit(0).cast(MONEY)
    for amount in amounts:
        total = (total + amount).cast(MONEY)
    return total


def _coded(row: TypedRow, stem: str, last: int, system: str) -> Column:
    return listed_codes([row.told(f"{stem}_{n}") for n in range(1, last + 1)], [], F.lit(system))


def _codes_as_lines(codes: list[Column], segment: Column) -> Column:
    """A line for each HCPCS code of an institutional row; the claim's amounts stand on the first."""
    types = {field.name: field.dataType for field in LINE.fields}
    lines = []
    for place, code in enumerate(codes, 1):
        told = {"line_number": (segment - 1) * CODE_SLOTS + place, "hcpcs": code}
        cells = [told.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in types.items()]
        lines.append(F.when(code.isNotNull(), F.struct(*cells)))
    return F.array_compact(F.array(*lines))
