"""Intake: every bronze row typed, with its fate, and the proof that none was lost.

A source types its rows into these contracts. What becomes of a row is told beside it: `accepted`, `rejected` (with
every reason), `duplicate` (the same line stands once more) or `superseded` (a later delivery of the same thing counts).
"""

from pyspark.sql import types as T

from pmpm_spark.model.claim_lines import LINE_COLUMNS
from pmpm_spark.model.coverage_records import STATUSES
from pmpm_spark.model.members import MEMBERS
from pmpm_spark.table import MONEY, TEXTS, Column, Table, column, count, day, money, text, year

OUTCOMES = ("accepted", "rejected", "duplicate", "superseded")
UNMATCHED_CANCEL = "a cancel of nothing that was delivered"
UNMATCHED_LINE = "the claim of this line was not delivered, or is rejected"
UNMATCHED = (UNMATCHED_CANCEL, UNMATCHED_LINE)
"""Reasons that a later delivery may lift: they say nothing against the file."""

PROVENANCE: tuple[Column, ...] = (
    text("_bronze_table", "bronze table that the row stands in"),
    text("_source_file", "file that it was delivered in"),
    column("_source_row", T.LongType(), "line of that file, heading included"),
    text("_batch_id", "load that brought it"),
)
FATE: tuple[Column, ...] = (
    text("outcome", f"one of: {', '.join(OUTCOMES)}"),
    column("reject_reasons", TEXTS, "why it was rejected, every reason; empty otherwise"),
    text("rejected_row", "the row itself, where it was rejected"),
)
_FATE_RULES = {
    "outcome_is_known": f"outcome IN ({', '.join(repr(o) for o in OUTCOMES)})",
    "rejects_have_reasons": "(outcome = 'rejected') = (size(reject_reasons) > 0)",
}

CODED = T.ArrayType(
    T.StructType(
        [
            T.StructField("position", T.IntegerType()),
            T.StructField("code", T.StringType()),
            T.StructField("code_system", T.StringType()),
            T.StructField("on", T.DateType()),
        ]
    )
)
"""Diagnoses or procedures of a claim; `on` is the day of a procedure."""

LINE = T.StructType(
    [
        T.StructField("line_number", T.IntegerType()),
        T.StructField("hcpcs", T.StringType()),
        T.StructField("rendering_npi", T.StringType()),
        T.StructField("billing_tin", T.StringType()),
        T.StructField("paid_amount", MONEY),
        T.StructField("allowed_amount", MONEY),
        T.StructField("patient_paid_amount", MONEY),
        T.StructField("is_denied", T.BooleanType()),
    ]
)
LINES = T.ArrayType(LINE)
"""Lines that stand in one row. What is null is the row's own, and so are all its other facts; the row's own amounts
stand on the first of its lines."""

CLAIM_ROWS = Table(
    name="intake.claim_rows",
    grain="one row per bronze row of a claim file",
    key=("_bronze_table", "_source_file", "_source_row", "_batch_id"),
    columns=(
        *LINE_COLUMNS,
        column("diagnoses", CODED, "diagnoses of the claim, on its first readable line"),
        column("procedures", CODED, "procedures of the claim, on its first readable line"),
        column("lines", LINES, "lines of the row, where a row holds several; null where the row is one"),
        *PROVENANCE,
        *FATE,
        money(
            "told_amount", "the amount that the row itself tells: paid, or where there is none the patient's payment"
        ),
    ),
    rules=_FATE_RULES,
    cluster_by=("member_id",),
    key_is_built_in=True,
)

CLAIM_CODE_ROWS = Table(
    name="intake.claim_code_rows",
    grain="one row per bronze row of a file of diagnoses or procedures",
    key=("_bronze_table", "_source_file", "_source_row", "_batch_id"),
    columns=(
        text("claim_id", "claim, as delivered"),
        text("code_kind", "diagnosis or procedure"),
        text("listing", "which list of the claim it stands in, as delivered"),
        column("sequence", T.IntegerType(), "place in that list"),
        text("code", "code without a dot"),
        text("code_system", "ICD-10-CM, ICD-9-CM, ICD-10-PCS or ICD-9-PCS"),
        day("on", "day of a procedure"),
        *PROVENANCE,
        *FATE,
    ),
    rules=_FATE_RULES,
    key_is_built_in=True,
)

OTHER_ROWS = Table(
    name="intake.other_rows",
    grain="one row per bronze row that tells neither claims nor enrollment: counts of a delivery, changes of an id",
    key=("_bronze_table", "_source_file", "_source_row", "_batch_id"),
    columns=(
        text("previous_id", "id as it was; null where the row tells no change"),
        text("member_id", "current id of the same person; null where nothing has changed"),
        *PROVENANCE,
        *FATE,
    ),
    rules=_FATE_RULES,
    key_is_built_in=True,
)

LIST_ROWS = Table(
    name="intake.list_rows",
    grain="one row per bronze row of a list",
    key=("_bronze_table", "_source_file", "_source_row", "_batch_id"),
    columns=(*PROVENANCE, *FATE),
    rules=_FATE_RULES,
    key_is_built_in=True,
)

COVERED_RUN = T.ArrayType(
    T.StructType(
        [
            T.StructField("coverage_start", T.DateType()),
            T.StructField("coverage_end", T.DateType()),
            *[T.StructField(c.name, c.type) for c in STATUSES],
        ]
    )
)
"""Unbroken runs of covered days with equal statuses."""

ENROLLMENT_ROWS = Table(
    name="intake.enrollment_rows",
    grain="one row per bronze row of an enrollment file",
    key=("_bronze_table", "_source_file", "_source_row", "_batch_id"),
    columns=(
        *MEMBERS.columns,
        year("reference_year", "year that the row tells"),
        text("plan_id", "plan that bears the cost"),
        column("coverage", COVERED_RUN, "unbroken runs of covered days with equal statuses"),
        *PROVENANCE,
        *FATE,
        day("recorded_on", "when the payer recorded it; 1900-01-01 where the source does not tell"),
    ),
    rules=_FATE_RULES,
    cluster_by=("member_id",),
    key_is_built_in=True,
)

SOURCE_FILES = Table(
    name="bronze.source_files",
    grain="one row per file loaded",
    key=("_bronze_table", "_source_file", "_batch_id"),
    columns=(
        *[c for c in PROVENANCE if c.name != "_source_row"],
        text("fingerprint", "what the file is known by: its rows, bytes and the hash of its lines"),
        count("rows_read", "rows in the file, heading not counted"),
        count("text_bytes", "bytes of its text"),
        column("_ingested_at", T.TimestampType(), "when it was loaded, UTC"),
    ),
    key_is_built_in=True,
)

LOAD_AUDIT = Table(
    name="silver.load_audit",
    grain="one row per file loaded",
    key=("_bronze_table", "_source_file", "_batch_id"),
    columns=(
        *[c for c in PROVENANCE if c.name != "_source_row"],
        count("rows_read", "rows in the file, heading not counted"),
        count("accepted", "rows that stand in silver"),
        count("rejected", "rows set aside with their reasons"),
        count("duplicate", "rows that stand once more"),
        count("superseded", "rows that a later delivery replaces"),
        money("paid_amount_accepted", "amount that the accepted rows tell"),
        money("amount_read", "amount that all rows tell, where it can be read"),
        money("amount_rejected", "amount of the rejected rows"),
        money("amount_duplicate", "amount of the rows that stand once more"),
        money("amount_superseded", "amount of the rows that a later delivery replaces"),
        column(
            "rejected_by_reason", T.MapType(T.StringType(), T.LongType()), "rejected rows by reason; a row may have two"
        ),
    ),
    rules={
        "no_row_is_lost": "rows_read = accepted + rejected + duplicate + superseded",
        "no_amount_is_lost": (
            "amount_read = paid_amount_accepted + amount_rejected + amount_duplicate + amount_superseded"
        ),
    },
    key_is_built_in=True,
)

REJECTS = Table(
    name="silver.rejects",
    grain="one row per rejected bronze row",
    key=("_bronze_table", "_source_file", "_source_row", "_batch_id"),
    columns=(
        *PROVENANCE,
        column("reject_reasons", TEXTS, "every reason"),
        text("rejected_row", "the row itself: member data"),
    ),
    rules={"a_reason_is_told": "size(reject_reasons) > 0"},
    key_is_built_in=True,
)
