"""Members and coverage records to enrollment rows: each coverage record is one run of days, and a member stands with
it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import accepted, latest_row_fates
from pmpm_spark.model import ENROLLMENT_ROWS, MEMBERS
from pmpm_spark.model.coverage_records import STATUS_NAMES, STATUSES
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.common.layout import BRONZE, DEFAULTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_FACTS = tuple(c.name for c in MEMBERS.columns if c.name != "member_id")


def all_enrollment_rows(members: DataFrame, coverage_records: DataFrame) -> DataFrame:
    """The rows of both tables with their fates."""
    people = latest_row_fates(_members(members), ("member_id",))
    records = latest_row_fates(_coverage(coverage_records), ("member_id", "coverage_start", "plan_id", "recorded_on"))
    facts = accepted(people).select("member_id", *_FACTS)
    described = (
        records.drop(*_FACTS).join(facts, "member_id", how="left").withColumn("sex", F.coalesce("sex", _default("sex")))
    )
    names = ENROLLMENT_ROWS.column_names
    return people.select(*names).unionByName(described.select(*names))


def _default(name: str) -> Column:
    return F.lit(next(value for key, value in DEFAULTS.items() if key.split(".")[1] == name))


def _members(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    sex = F.upper(row.told("sex"))
    row.must(sex.isin("F", "M", "U"), "sex is not one of F, M, U")
    values = {
        "member_id": row.required("member_id"),
        "birth_date": row.iso_day("birth_date"),
        "sex": F.coalesce(sex, _default("sex")),
        "death_date": row.iso_day("death_date"),
        **{n: row.told(n) for n in ("state", "county_fips", "original_entitlement_reason")},
        "reference_year": F.lit(0),  # what a record tells of its person is the person's
        "plan_id": _default("plan_id"),
        "recorded_on": F.to_date(_default("recorded_on")),
    }
    return row.rows(bronze, BRONZE["members"], ENROLLMENT_ROWS, values)


def _coverage(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    row.required("coverage_start")
    start = row.iso_day("coverage_start")
    end = F.coalesce(row.iso_day("coverage_end"), F.to_date(_default("coverage_end")))
    row.must(end >= start, "coverage_end is before coverage_start")
    statuses = {c.name: row.flag(c.name) if c.type == T.BooleanType() else row.told(c.name) for c in STATUSES}
    run = F.struct(
        start.alias("coverage_start"), end.alias("coverage_end"), *[statuses[n].alias(n) for n in STATUS_NAMES]
    )
    values = {
        "member_id": row.required("member_id"),
        "coverage_start": start,
        "reference_year": F.year(start),
        "plan_id": F.coalesce(row.told("plan_id"), statuses["payer"], _default("plan_id")),
        "recorded_on": F.coalesce(row.iso_day("recorded_on"), F.to_date(_default("recorded_on"))),
    }
    values["coverage"] = F.when(F.size("reject_reasons") == 0, F.array(run))
    return row.rows(bronze, BRONZE["coverage_records"], ENROLLMENT_ROWS, values, beside=("coverage_start",))
