"""The tables of the Tuva input layer and the columns that are read of them; others are passed over."""

from __future__ import annotations

from pmpm_spark.sources.tabular import InputTable

CODES = 25
"""Diagnoses, and procedures, of one row."""
_FILE = ("data_source", "file_name", "file_date", "ingest_datetime")


def _numbered(stem: str, last: int) -> tuple[str, ...]:
    return tuple(f"{stem}_{n}" for n in range(1, last + 1))


ATTRIBUTION_REQUIRED = ("person_id", "year_month")
_PROVIDER = ("attributed_provider", "attributed_provider_practice", "attributed_provider_organization")
ATTRIBUTION_COLUMNS = (
    *ATTRIBUTION_REQUIRED, "member_id", "payer", "plan",
    *[f"{whose}_{name}" for whose in ("payer", "custom") for name in (*_PROVIDER, "attributed_provider_lob")],
    *_FILE,
)  # fmt: skip
TABLES = (
    InputTable(
        "tuva",
        "eligibility",
        (
            "person_id", "member_id", "subscriber_id", "gender", "race", "birth_date", "death_date", "death_flag",
            "enrollment_start_date", "enrollment_end_date", "payer", "payer_type", "plan",
            "original_reason_entitlement_code", "dual_status_code", "medicare_status_code", "state", "fips_county_code",
            "zip_code", "medicare_entitlement_buyin_indicator", *_FILE,
        ),
        ("person_id", "enrollment_start_date", "enrollment_end_date"),
        is_needed=True,
        feeds={
            "medicare_entitlement_buyin_indicator": "Part A and B",
            "payer_type": "Medicare Advantage",
            "birth_date": "age",
            "death_date": "deaths",
        },
    ),
    InputTable(
        "tuva",
        "medical_claim",
        (
            "claim_id", "claim_line_number", "claim_type", "person_id", "member_id", "payer", "plan",
            "claim_start_date", "claim_end_date", "claim_line_start_date", "claim_line_end_date", "admission_date",
            "discharge_date", "admit_source_code", "admit_type_code", "discharge_disposition_code",
            "place_of_service_code", "bill_type_code", "drg_code_type", "drg_code", "revenue_center_code",
            "service_unit_quantity", "hcpcs_code",
            *_numbered("hcpcs_modifier", 5), "rendering_npi", "rendering_tin", "billing_npi", "billing_tin",
            "facility_npi", "paid_date", "paid_amount", "allowed_amount", "charge_amount", "coinsurance_amount",
            "copayment_amount", "deductible_amount", "total_cost_amount", "diagnosis_code_type",
            *_numbered("diagnosis_code", CODES), "procedure_code_type", *_numbered("procedure_code", CODES),
            *_numbered("procedure_date", CODES), "in_network_flag", *_FILE,
        ),
        (
            "claim_id", "claim_line_number", "claim_type", "person_id", "claim_start_date", "claim_end_date",
            "paid_amount",
        ),
        feeds={
            "bill_type_code": "inpatient, skilled nursing, home health and hospice",
            "revenue_center_code": "emergency visits",
            "hcpcs_code": "primary care, and so plurality",
            "billing_tin": "practices, and so plurality",
            "rendering_npi": "physicians",
            "diagnosis_code_1": "diagnoses",
        },
    ),
    InputTable(
        "tuva",
        "pharmacy_claim",
        (
            "claim_id", "claim_line_number", "person_id", "member_id", "payer", "plan", "prescribing_provider_npi",
            "dispensing_provider_npi", "dispensing_date", "ndc_code", "quantity", "days_supply", "refills", "paid_date",
            "paid_amount", "allowed_amount", "charge_amount", "coinsurance_amount", "copayment_amount",
            "deductible_amount", "in_network_flag", *_FILE,
        ),
        ("claim_id", "claim_line_number", "person_id", "dispensing_date", "paid_amount"),
    ),
    InputTable("tuva", "provider_attribution", ATTRIBUTION_COLUMNS, ATTRIBUTION_REQUIRED),
)  # fmt: skip
BRONZE = {table.name: table.bronze for table in TABLES}
