"""Coverage records: enrollment as received, before overlaps are resolved."""

from pmpm_spark.table import Column, Table, day, flag, text

STATUSES: tuple[Column, ...] = (
    flag("has_part_a", "Part A (or the payer's medical coverage); null where the payer has no Parts"),
    flag("has_part_b", "Part B (or the payer's medical coverage); null where the payer has no Parts"),
    flag("in_medicare_advantage", "in a Part C plan; null where not told"),
    flag("medicare_is_secondary", "another payer is primary; null where the source does not tell it by month"),
    flag("resides_in_us", "lives in the United States or its territories; null where not told"),
    text("medicare_status_code", "10 aged, 11 aged with ESRD, 20 disabled, 21 disabled with ESRD, 31 ESRD only"),
    text("dual_status_code", "Medicaid dual status, two characters; null where not told"),
    text("payer", "who bears the cost"),
)
"""What can be true of a covered day."""
STATUS_NAMES: tuple[str, ...] = tuple(c.name for c in STATUSES)

COVERAGE_RECORDS = Table(
    name="silver.coverage_records",
    grain="one row per member, first covered day, plan and day it was recorded",
    key=("member_id", "coverage_start", "plan_id", "recorded_on"),
    columns=(
        text("member_id", "pseudonymous member key"),
        day("coverage_start", "first covered day, inclusive"),
        text("plan_id", "plan that bears the cost"),
        day("recorded_on", "when the payer recorded it; 1900-01-01 where the source does not tell"),
        day("coverage_end", "last covered day, inclusive; 9999-12-31 while open"),
        *STATUSES,
    ),
    rules={"coverage_runs_forward": "coverage_end >= coverage_start"},
    cluster_by=("member_id",),
)
