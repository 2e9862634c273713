"""Procedures of institutional claims, in their order."""

from pyspark.sql import types as T

from pmpm_spark.table import Table, column, day, text

CLAIM_PROCEDURES = Table(
    name="silver.claim_procedures",
    grain="one row per claim and position of a procedure",
    key=("claim_id", "position"),
    columns=(
        text("claim_id", "claim"),
        column("position", T.IntegerType(), "1 up as listed"),
        text("member_id", "pseudonymous member key"),
        text("code", "procedure code without a dot"),
        text("code_system", "ICD-10-PCS or ICD-9-PCS"),
        day("procedure_date", "day of the procedure; null where not told"),
    ),
    rules={"code_is_told": "code IS NOT NULL"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)
