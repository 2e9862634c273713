"""Claim lines: every accepted version as received, and the final ones after cancels and replacements."""

from dataclasses import replace

from pyspark.sql import types as T

from pmpm_spark.table import TEXTS, Column, Table, column, day, flag, money, text

CLAIM_TYPES = ("inpatient", "outpatient", "professional", "snf", "home_health", "hospice", "dme", "pharmacy")
INSTITUTIONAL = ("inpatient", "outpatient", "snf", "home_health", "hospice")

LINE_COLUMNS: tuple[Column, ...] = (
    text("claim_id", "claim, as delivered"),
    column("line_number", T.IntegerType(), "line of the claim, 1 up"),
    text("claim_version", "version of the claim as the source tells it"),
    text("member_id", "pseudonymous member key"),
    text("claim_type", f"one of: {', '.join(CLAIM_TYPES)}"),
    day("service_from", "first day of service (claim's for institutional, line's for others)"),
    day("service_thru", "last day of service (claim's for institutional, line's for others)"),
    day("paid_on", "day it was processed for payment"),
    day("admission_date", "day of admission"),
    day("discharge_date", "day of discharge"),
    text("discharge_status", "patient discharge status code, two digits; 30 is still a patient"),
    text("drg", "diagnosis-related group"),
    text("bill_type", "facility type, classification and frequency, three characters"),
    text("revenue_code", "revenue center, four digits"),
    text("place_of_service", "place of service code, two digits"),
    text("hcpcs", "HCPCS code of the line"),
    column("modifiers", TEXTS, "HCPCS modifiers in their order"),
    text("billing_tin", "tax number of who bills"),
    text("billing_npi", "NPI of who bills: group, facility, supplier or pharmacy"),
    text("facility_ccn", "CMS certification number of the facility"),
    text("rendering_npi", "NPI of who rendered the service; the prescriber of a drug"),
    text("rendering_specialty", "CMS specialty code of who rendered it, two characters"),
    text("primary_payer_code", "payer that is primary to Medicare; null where Medicare is primary"),
    money(
        "paid_amount",
        "what the plan paid; an institutional claim's payment stands on its first readable line; null for drugs where "
        "the source does not tell it",
    ),
    money("allowed_amount", "contract price; null where the source does not carry it"),
    money("patient_paid_amount", "deductible and coinsurance; never in paid_amount"),
    money("pass_through_amount", "per diem pass-through, inside paid_amount"),
    money("ime_amount", "indirect medical education, operating and capital, inside paid_amount"),
    money("dsh_amount", "disproportionate share, operating and capital, inside paid_amount"),
    money("uncompensated_care_amount", "uncompensated care payment, inside paid_amount"),
    text("adjustment", "original, cancel or replacement"),
    text("claim_group", "versions that belong together; null where claim ids alone tell which one is removed"),
    day("effective_on", "day the version takes effect"),
    text("cancels_claim_id", "version of the group that this one removes: by a cancel, or by what stands in its place"),
    flag("is_denied", "not paid by decision; kept, never counted"),
)

CLAIM_LINES = Table(
    name="silver.claim_lines",
    grain="one row per claim, line and version, as accepted",
    key=("claim_id", "line_number", "claim_version"),
    columns=LINE_COLUMNS,
    rules={
        "claim_type_is_known": f"claim_type IN ({', '.join(repr(t) for t in CLAIM_TYPES)})",
        "adjustment_is_known": "adjustment IN ('original', 'cancel', 'replacement')",
        "member_is_told": "member_id IS NOT NULL",
        "thru_is_told": "service_thru IS NOT NULL",
        "service_runs_forward": "service_from IS NULL OR service_thru >= service_from",
        "denied_is_told": "is_denied IS NOT NULL",
        "paid_amount_is_told": "paid_amount IS NOT NULL OR claim_type = 'pharmacy'",
    },
    cluster_by=("member_id",),
    key_is_built_in=True,
)

FINAL_CLAIM_LINES = replace(
    CLAIM_LINES,
    name="silver.final_claim_lines",
    grain="one row per claim line that stands",
    key=("claim_id", "line_number"),
    columns=(
        *LINE_COLUMNS,
        text("service_category", "where the dollar belongs, first level"),
        text("service_category_2", "where the dollar belongs, second level"),
    ),
    rules={
        **CLAIM_LINES.rules,
        "category_is_told": "service_category IS NOT NULL",
        "category_2_is_told": "service_category_2 IS NOT NULL",
    },
    key_is_built_in=False,
)
