"""Diagnoses of the claims, in their order."""

from pyspark.sql import types as T

from pmpm_spark.table import Table, column, day, text

CLAIM_DIAGNOSES = Table(
    name="silver.claim_diagnoses",
    grain="one row per claim and position of a diagnosis",
    key=("claim_id", "position"),
    columns=(
        text("claim_id", "claim"),
        column("position", T.IntegerType(), "0 principal where it differs from the first listed; 1 up as listed"),
        text("member_id", "pseudonymous member key"),
        text("code", "diagnosis code without a dot"),
        text("code_system", "ICD-10-CM or ICD-9-CM"),
        day("service_thru", "last day of service of the claim"),
        text("claim_type", "type of the claim"),
    ),
    rules={"code_is_told": "code IS NOT NULL"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)
