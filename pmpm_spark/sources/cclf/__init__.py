"""CMS Claim and Claim Line Feed (CCLF): an ACO's monthly deliveries, netted by CMS's own rules.

Which versions of a claim belong together, and which one a cancel removes, is settled here; nothing later knows it.
"""

from __future__ import annotations

from pmpm_spark.model import CLAIM_CODE_ROWS, CLAIM_ROWS, ENROLLMENT_ROWS, MEMBER_ID_CHANGES, OTHER_ROWS
from pmpm_spark.sources.cclf.bronze import bronze_loads
from pmpm_spark.sources.cclf.claims import claim_rows
from pmpm_spark.sources.cclf.codes import code_rows
from pmpm_spark.sources.cclf.enrollment import enrollment_rows
from pmpm_spark.sources.cclf.ids import member_id_changes, other_rows
from pmpm_spark.sources.cclf.layout import BRONZE
from pmpm_spark.sources.source_kind import SourceKind
from pmpm_spark.stage import Stage

__all__ = ["BRONZE_TABLES", "ROWS", "SOURCE", "STAGES", "bronze_loads"]

BRONZE_TABLES = tuple(BRONZE.values())
ROWS = (ENROLLMENT_ROWS, CLAIM_ROWS, CLAIM_CODE_ROWS, OTHER_ROWS)

STAGES = (
    Stage(OTHER_ROWS, (BRONZE["cclf0"], BRONZE["cclf9"]), other_rows),
    Stage(MEMBER_ID_CHANGES, (OTHER_ROWS,), member_id_changes),
    Stage(ENROLLMENT_ROWS, (BRONZE["cclf8"], MEMBER_ID_CHANGES), enrollment_rows),
    Stage(CLAIM_CODE_ROWS, (BRONZE["cclf3"], BRONZE["cclf4"]), code_rows),
    Stage(
        CLAIM_ROWS,
        (*[BRONZE[f"cclf{n}"] for n in (1, 2, 5, 6, 7)], CLAIM_CODE_ROWS, MEMBER_ID_CHANGES),
        claim_rows,
    ),
)
SOURCE = SourceKind(BRONZE_TABLES, ROWS, STAGES, bronze_loads, unpaid=("pharmacy",))
