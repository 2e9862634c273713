"""The tables of the common model as input: silver's own columns; which must be there, and what the others are by
default."""

from __future__ import annotations

from pmpm_spark.model import CLAIM_DIAGNOSES, CLAIM_PROCEDURES, COVERAGE_RECORDS, MEMBERS
from pmpm_spark.model.claim_lines import LINE_COLUMNS
from pmpm_spark.sources.tabular import InputTable

_OF_CLAIM = ("service_thru", "claim_type")
"""A code's claim tells these."""

TABLES = (
    InputTable("common", "members", MEMBERS.column_names, ("member_id",)),
    InputTable(
        "common", "coverage_records", COVERAGE_RECORDS.column_names, ("member_id", "coverage_start"), is_needed=True
    ),
    InputTable(
        "common",
        "claim_lines",
        tuple(c.name for c in LINE_COLUMNS),
        ("claim_id", "line_number", "member_id", "claim_type", "service_thru", "paid_amount"),
    ),
    InputTable(
        "common",
        "claim_diagnoses",
        tuple(name for name in CLAIM_DIAGNOSES.column_names if name not in _OF_CLAIM),
        ("claim_id", "position", "code"),
    ),
    InputTable("common", "claim_procedures", CLAIM_PROCEDURES.column_names, ("claim_id", "position", "code")),
)
BRONZE = {table.name: table.bronze for table in TABLES}
DEFAULTS = {
    "members.sex": "U",
    "coverage_records.coverage_end": "9999-12-31",
    "coverage_records.plan_id": "PLAN",
    "coverage_records.recorded_on": "1900-01-01",
    "claim_lines.service_from": "service_thru",
    "claim_lines.claim_version": "as delivered",
    "claim_lines.adjustment": "original",
    "claim_lines.is_denied": "false",
    "claim_lines.patient_paid_amount": "0.00",
    "claim_lines.pass_through_amount": "0.00",
    "claim_lines.ime_amount": "0.00",
    "claim_lines.dsh_amount": "0.00",
    "claim_lines.uncompensated_care_amount": "0.00",
    "claim_diagnoses.code_system": "ICD-10-CM",
    "claim_procedures.code_system": "ICD-10-PCS",
}
"""What a column that is not told, or an empty cell of it, stands for; every other one is null."""
