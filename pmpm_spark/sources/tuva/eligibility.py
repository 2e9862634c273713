"""Rows of eligibility (one a span) to enrollment rows.

Tuva's standard columns tell no Part A and B; where medicare_entitlement_buyin_indicator is there, as its CCLF
connector leaves it, it does (3 and C both, 1 and A Part A, 2 and B Part B). Else a policy with part_a_b = "none" is
the one to take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import RECORDED_UNKNOWN
from pmpm_spark.model.coverage_records import STATUS_NAMES
from pmpm_spark.model.intake import ENROLLMENT_ROWS
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.tuva.layout import BRONZE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OPEN = "9999-12-31"
NO_PLAN = "PLAN"
PART_A_CODES, PART_B_CODES = ("1", "3", "A", "C"), ("2", "3", "B", "C")
MEDICARE_ADVANTAGE = ("medicare advantage", "medicare part c")


def enrollment_rows(bronze: DataFrame) -> DataFrame:
    """One typed row per bronze row, with the reasons against it; `span_start` beside what the contract has."""
    row = TypedRow()
    row.required("enrollment_start_date")
    start = row.iso_day("enrollment_start_date")
    end = F.coalesce(row.iso_day("enrollment_end_date"), F.to_date(F.lit(OPEN)))
    row.must(end >= start, "enrollment_end_date is before enrollment_start_date")
    gender, buyin = F.lower(row.told("gender")), row.told("medicare_entitlement_buyin_indicator")
    payer, payer_type, dual = row.told("payer"), F.lower(row.told("payer_type")), row.told("dual_status_code")
    statuses = {
        "has_part_a": buyin.isin(*PART_A_CODES),
        "has_part_b": buyin.isin(*PART_B_CODES),
        "in_medicare_advantage": payer_type.isin(*MEDICARE_ADVANTAGE),
        "medicare_is_secondary": F.lit(None).cast(T.BooleanType()),
        "resides_in_us": F.lit(None).cast(T.BooleanType()),
        "medicare_status_code": row.told("medicare_status_code"),
        "dual_status_code": F.when(F.length(dual) == 1, F.lpad(dual, 2, "0")).otherwise(dual),
        "payer": payer,
    }
    run = F.struct(
        start.alias("coverage_start"), end.alias("coverage_end"), *[statuses[n].alias(n) for n in STATUS_NAMES]
    )
    values = {
        "member_id": row.required("person_id"),
        "span_start": start,
        "birth_date": row.iso_day("birth_date"),
        "sex": F.when(gender.isin("f", "female"), "F").when(gender.isin("m", "male"), "M").otherwise("U"),
        "death_date": row.iso_day("death_date"),
        "state": row.told("state"),
        "county_fips": row.told("fips_county_code"),
        "original_entitlement_reason": row.told("original_reason_entitlement_code"),
        "reference_year": F.year(start),
        "plan_id": F.coalesce(F.nullif(F.concat_ws(" ", payer, row.told("plan")), F.lit("")), F.lit(NO_PLAN)),
        "recorded_on": F.coalesce(row.iso_day("file_date"), F.to_date(F.lit(RECORDED_UNKNOWN))),
    }
    values["coverage"] = F.when(F.size("reject_reasons") == 0, F.array(run))
    return row.rows(bronze, BRONZE["eligibility"], ENROLLMENT_ROWS, values, beside=("span_start",))
