"""Rows as a source types them, before their fate is settled."""

from pmpm_spark import intake
from pmpm_spark.model import CLAIM_ROWS, ENROLLMENT_ROWS
from pmpm_spark.table import Table, flag, text
from tests.tables import frame, rows_of

_WORKING = (
    text("_line_hash", "line"),
    flag("is_update", ""),
    flag("is_final_action", ""),
    flag("amounts_are_claims", ""),
)
_NO_FATE = ("outcome",)
TYPED_CLAIMS = Table(
    name="intake.typed_claims",
    grain="a row as a source types it",
    key=(),
    columns=(*[c for c in CLAIM_ROWS.columns if c.name not in _NO_FATE], *_WORKING),
)
TYPED_ENROLLMENT = Table(
    name="intake.typed_enrollment",
    grain="a row as a source types it",
    key=(),
    columns=(*[c for c in ENROLLMENT_ROWS.columns if c.name not in _NO_FATE], _WORKING[0]),
)


def fates(spark, written: str):
    """Claim rows with their fates; what is not written is a good, final line of one file and load."""
    heading, *rows = rows_of(written)
    usual = {
        "_bronze_table": "bronze.t",
        "_source_file": "f1",
        "_batch_id": "b1",
        "reject_reasons": "[]",
        "is_final_action": "true",
        "amounts_are_claims": "false",
        "line_number": "1",
        "paid_amount": "1.00",
    }
    usual = {name: value for name, value in usual.items() if name not in heading}
    lines = [[*heading, "_source_row", *usual]]
    for place, row in enumerate(rows, start=2):
        lines.append([*row, str(place), *usual.values()])
    if "_line_hash" not in heading:
        lines = [[*line, "_line_hash" if n == 0 else f"hash {n}"] for n, line in enumerate(lines)]
    return intake.claim_fates(frame(spark, TYPED_CLAIMS, "\n".join(" | ".join(line) for line in lines)))
