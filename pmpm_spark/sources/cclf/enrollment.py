"""CCLF8 records to enrollment rows.

CCLF8 has no month: a regular delivery dated in one month tells the month before, and who is listed is covered in it.
Run-out deliveries open no month. Of two deliveries that tell the same month the later date counts, wholly. A person
may be listed several times, once a hospice span; the first record carries the month. Buy-in: 1 Part A, 2 Part B,
3 both, A, B and C the same by state buy-in. People in Medicare Advantage are not listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import with_current_ids
from pmpm_spark.model.coverage_records import STATUS_NAMES
from pmpm_spark.model.intake import COVERED_RUN, ENROLLMENT_ROWS
from pmpm_spark.sources.cclf.cells import day, record, typed
from pmpm_spark.sources.cclf.fates import latest_first, with_file_date
from pmpm_spark.sources.cclf.layout import is_regular_column
from pmpm_spark.spark_versions import try_cast

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BUYIN_CODES = ("0", "1", "2", "3", "A", "B", "C")
PART_A_CODES = ("1", "3", "A", "C")
PART_B_CODES = ("2", "3", "B", "C")
PLAN = "MEDICARE"


def enrollment_rows(bronze: DataFrame, member_id_changes: DataFrame) -> DataFrame:
    """The records of CCLF8, each with the month that it tells and its fate."""
    row = record("cclf8")
    sex = row.told("BENE_SEX_CD")
    state, county = row.told("BENE_FIPS_STATE_CD"), row.told("BENE_FIPS_CNTY_CD")
    buyin = row.one_of("BENE_ENTLMT_BUYIN_IND", BUYIN_CODES)
    dual = row.told("BENE_DUAL_STUS_CD")
    statuses = {
        "has_part_a": F.coalesce(buyin.isin(*PART_A_CODES), F.lit(False)),
        "has_part_b": F.coalesce(buyin.isin(*PART_B_CODES), F.lit(False)),
        "in_medicare_advantage": F.lit(False),
        "medicare_is_secondary": F.lit(None).cast(T.BooleanType()),
        "resides_in_us": F.lit(None).cast(T.BooleanType()),
        "medicare_status_code": row.told("BENE_MDCR_STUS_CD"),
        "dual_status_code": F.when(F.length(dual) == 1, F.lpad(dual, 2, "0")).otherwise(dual),
        "payer": F.lit("Medicare"),
    }
    values = {
        "member_id": row.required("BENE_MBI_ID"),
        "birth_date": day(row, "BENE_DOB"),
        "sex": F.when(sex == "1", "M").when(sex == "2", "F").otherwise("U"),
        "death_date": day(row, "BENE_DEATH_DT"),
        "state": F.coalesce(row.told("GEO_USPS_STATE_CD"), state),
        "county_fips": F.concat(state, county),
        "original_entitlement_reason": row.told("BENE_ORGNL_ENTLMT_RSN_CD"),
        "plan_id": F.lit(PLAN),
        "is_entitled": F.coalesce(buyin != "0", F.lit(True)),
        "is_regular": is_regular_column(),
        **{name: statuses[name] for name in STATUS_NAMES},
    }
    current = with_current_ids(typed(row, "cclf8", bronze, values), member_id_changes)
    month = F.last_day(F.add_months("file_date", -1))
    told = with_file_date(current).withColumns(
        {"month_end": F.when(F.col("is_regular"), month), "recorded_on": F.col("file_date")}
    )
    return _with_fates(told).select(*ENROLLMENT_ROWS.column_names)


def _with_fates(rows: DataFrame) -> DataFrame:
    """A record counts where its delivery is the last that tells its month; the first of a person carries it."""
    last_told = (
        rows.where("is_regular AND NOT is_replaced")
        .groupBy("month_end")
        .agg(F.max(F.struct("file_date", "_source_file")).alias("last"))
        .select("month_end", F.col("last._source_file").alias("counted_file"))
    )
    of_person = Window.partitionBy("own_key", "_source_file", "member_id").orderBy("_source_row", *latest_first())
    whole = of_person.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = rows.join(F.broadcast(last_told), "month_end", how="left").withColumns(
        {
            "place": F.row_number().over(of_person),
            "first_hash": F.first("_line_hash").over(whole),
        }
    )
    is_former = F.col("is_replaced") | F.coalesce(F.col("counted_file") != F.col("_source_file"), F.lit(False))
    fate = (
        F.when(F.size("reject_reasons") > 0, "rejected")
        .when(is_former, "superseded")
        .when((F.col("place") > 1) & (F.col("_line_hash") == F.col("first_hash")), "duplicate")
        .otherwise("accepted")
    )
    settled = ranked.withColumn("outcome", fate)
    carries = (F.col("outcome") == "accepted") & (F.col("place") == 1) & F.col("is_regular") & F.col("is_entitled")
    run = F.struct(
        F.make_date(F.year("month_end"), F.month("month_end"), F.lit(1)).alias("coverage_start"),
        F.col("month_end").alias("coverage_end"),
        *[F.col(name) for name in STATUS_NAMES],
    )
    return settled.withColumns(
        {"coverage": F.when(carries, F.array(run)).cast(COVERED_RUN), "reference_year": _reference_year()}
    )


def _reference_year() -> Column:
    """The year of the month that the record tells; of a run-out, the year that its name tells."""
    of_name = try_cast(F.concat(F.lit("20"), F.regexp_extract("_source_file", r"\.ZC8[YR](\d\d)\.", 1)), "int")
    return F.coalesce(F.year("month_end"), of_name)
