"""Rows of medical_claim and pharmacy_claim to the common model's claim rows.

The type of an institutional claim is that of its bill type: 11 inpatient, 18, 21 and 28 skilled nursing, 32 to 34
home health, 81 and 82 hospice, all else outpatient. A professional line is equipment where its HCPCS code is of that
part of level II (A42 to A89, E, K, L). An institutional claim's month is that of its own last day, a professional
line's of the line's. Dollars are taken as they stand on each line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.intake import latest_row_fates
from pmpm_spark.model import CLAIM_ROWS
from pmpm_spark.sources.births import not_before_birth
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.codes import codes_on_first_line, listed_codes
from pmpm_spark.sources.tuva.layout import BRONZE, CODES
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

INSTITUTIONAL, PROFESSIONAL = "institutional", "professional"
BILL_TYPES = {
    "inpatient": ("11",),
    "snf": ("18", "21", "28"),
    "home_health": ("32", "33", "34"),
    "hospice": ("81", "82"),
}
"""The first two characters of a bill type, by the claim type that they tell; any other is outpatient."""
EQUIPMENT = "^([EKL][0-9]{4}|A(4[2-9]|[5-8][0-9])[0-9]{2})$"
PHARMACY_PREFIX = "RX:"
"""Medical and pharmacy claims are numbered apart."""
_DAYS = ("claim_end_date", "claim_line_end_date", "claim_start_date", "claim_line_start_date")
"""What may tell the last day of service."""
_NO_VERSION = "as delivered"
_DIAGNOSIS_SYSTEMS = {"icd-9-cm": "ICD-9-CM", "icd-10-cm": "ICD-10-CM"}
_PROCEDURE_SYSTEMS = {"icd-9-pcs": "ICD-9-PCS", "icd-10-pcs": "ICD-10-PCS"}


def all_claim_rows(medical_claim: DataFrame, pharmacy_claim: DataFrame, enrollment_rows: DataFrame) -> DataFrame:
    """The claim lines, each with its fate; a claim's codes stand on its first line that counts."""
    typed = _medical(medical_claim).unionByName(_pharmacy(pharmacy_claim))
    settled = latest_row_fates(not_before_birth(typed, enrollment_rows), ("claim_id", "line_number"))
    return codes_on_first_line(settled).select(*CLAIM_ROWS.column_names)


def _medical(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    claim_type, hcpcs = F.lower(row.required("claim_type")), row.told("hcpcs_code")
    row.must(claim_type.isin(INSTITUTIONAL, PROFESSIONAL), f"claim_type is neither {INSTITUTIONAL} nor {PROFESSIONAL}")
    is_institutional = claim_type == INSTITUTIONAL
    bill_type, revenue = row.told("bill_type_code"), row.told("revenue_center_code")
    of_claim = {name: row.iso_day(f"claim_{name}_date") for name in ("start", "end")}
    of_line = {name: F.coalesce(row.iso_day(f"claim_line_{name}_date"), of_claim[name]) for name in ("start", "end")}
    days = {name: F.when(is_institutional, of_claim[name]).otherwise(of_line[name]) for name in ("start", "end")}
    service_thru = F.coalesce(days["end"], days["start"])
    institutional = F.coalesce(
        *[F.when(F.substring(bill_type, 1, 2).isin(*codes), F.lit(name)) for name, codes in BILL_TYPES.items()],
        F.lit("outpatient"),
    )
    professional = F.when(hcpcs.rlike(EQUIPMENT), "dme").otherwise("professional")
    values = {
        **_common(row, _claim_id(row)),
        "claim_type": F.when(is_institutional, institutional).otherwise(professional),
        **row.service_days(F.coalesce(days["start"], service_thru), service_thru, *_DAYS),
        "admission_date": row.iso_day("admission_date"),
        "discharge_date": row.iso_day("discharge_date"),
        "discharge_status": row.told("discharge_disposition_code"),
        "drg": row.told("drg_code"),
        "bill_type": bill_type,
        "revenue_code": F.when(F.length(revenue) < 4, F.lpad(revenue, 4, "0")).otherwise(revenue),
        "place_of_service": row.told("place_of_service_code"),
        "hcpcs": hcpcs,
        "modifiers": F.array_compact(F.array(*[row.told(f"hcpcs_modifier_{n}") for n in range(1, 6)])),
        "billing_tin": F.coalesce(row.told("billing_tin"), row.told("rendering_tin")),
        "billing_npi": F.when(
            is_institutional, F.coalesce(row.told("facility_npi"), row.told("billing_npi"))
        ).otherwise(row.told("billing_npi")),
        "rendering_npi": F.coalesce(row.told("rendering_npi"), F.when(professional == "dme", row.told("billing_npi"))),
        "allowed_amount": row.amount_told("allowed_amount"),
        "diagnoses": listed_codes(
            [row.told(f"diagnosis_code_{n}") for n in range(1, CODES + 1)],
            [],
            _system(row, "diagnosis_code_type", _DIAGNOSIS_SYSTEMS),
        ),
        "procedures": listed_codes(
            [row.told(f"procedure_code_{n}") for n in range(1, CODES + 1)],
            [row.iso_day(f"procedure_date_{n}") for n in range(1, CODES + 1)],
            _system(row, "procedure_code_type", _PROCEDURE_SYSTEMS),
        ),
    }
    return row.rows(bronze, BRONZE["medical_claim"], CLAIM_ROWS, values)


def _pharmacy(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    filled_on = row.iso_day("dispensing_date")
    values = {
        **_common(row, F.concat(F.lit(PHARMACY_PREFIX), _claim_id(row))),
        "claim_type": F.lit("pharmacy"),
        **row.service_days(filled_on, filled_on, "dispensing_date"),
        "billing_npi": row.told("dispensing_provider_npi"),
        "rendering_npi": row.told("prescribing_provider_npi"),
        "allowed_amount": row.amount_told("allowed_amount"),
    }
    return row.rows(bronze, BRONZE["pharmacy_claim"], CLAIM_ROWS, values)


def _claim_id(row: TypedRow) -> Column:
    """Data sources number their claims apart."""
    return F.concat_ws(":", row.told("data_source"), row.required("claim_id"))


def _common(row: TypedRow, claim_id: Column) -> dict[str, Column]:
    row.required("claim_line_number")
    paid = row.amount("paid_amount")
    patient = [row.amount(f"{name}_amount") for name in ("coinsurance", "copayment", "deductible")]
    return {
        "claim_id": claim_id,
        "line_number": row.whole("claim_line_number"),
        "claim_version": F.lit(_NO_VERSION),
        "member_id": row.required("person_id"),
        "paid_on": row.iso_day("paid_date"),
        "paid_amount": paid,
        "told_amount": paid,
        "patient_paid_amount": (patient[0] + patient[1] + patient[2]).cast(MONEY),
        **{f"{name}_amount": F.lit(None).cast(MONEY) for name in ("pass_through", "ime", "dsh", "uncompensated_care")},
        "adjustment": F.lit("original"),
        "claim_group": claim_id,
        "is_denied": F.lit(False),
    }


def _system(row: TypedRow, name: str, systems: Mapping[str, str]) -> Column:
    told = F.lower(row.told(name))
    newest = list(systems.values())[-1]
    return F.coalesce(*[F.when(told == key, F.lit(value)) for key, value in systems.items()], F.lit(newest))
