"""RIF beneficiary rows (one a person and year, twelve monthly columns each) to enrollment rows.

Codes: MDCR_ENTLMT_BUYIN 1 A only, 2 B only, 3 both, A, B and C the same by state buy-in (CMS, CCW code BUYIN); HMO other
than blank, 0 and 4 is a Medicare Advantage month (code HMOIND). Months of one year with equal statuses become one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.model.coverage_records import STATUS_NAMES
from pmpm_spark.model.intake import COVERED_RUN
from pmpm_spark.sources.cells import TypedRow, row_of, told
from pmpm_spark.sources.rif.layout import BRONZE, columns_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MONTH_WORDS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
BUYIN_CODES = ("0", "1", "2", "3", "A", "B", "C")
PART_A_CODES = ("1", "3", "A", "C")
PART_B_CODES = ("2", "3", "B", "C")
NOT_MANAGED_CODES = ("0", "4")
FOREIGN_STATES = ("54", "56", "57", "58", "59", "60", "61", "62")
"""SSA state codes outside the United States and its territories."""
PLAN = "MEDICARE"


def enrollment_rows(beneficiary: DataFrame, *, part_c: str) -> DataFrame:
    """One typed row per bronze row, with the reasons against it; `part_c` names the columns that tell Part C."""
    row = TypedRow()
    row.must(F.col("_unparsed").isNull(), "the number of fields is not that of the heading")
    months = F.array(*[_month(row, number, part_c) for number in range(1, 13)])
    sex = told("BENE_SEX_IDENT_CD")
    year = row.whole("RFRNC_YR")
    row.must(told("RFRNC_YR").isNotNull() & (year.isNull() | year.between(1966, 2100)), "RFRNC_YR is no year")
    typed = beneficiary.select(
        row.required("BENE_ID").alias("member_id"),
        row.rif_day("BENE_BIRTH_DT").alias("birth_date"),
        F.when(sex == "1", "M").when(sex == "2", "F").otherwise("U").alias("sex"),
        row.rif_day("DEATH_DT").alias("death_date"),
        told("STATE_CODE").alias("state"),
        told("FIPS_STATE_CNTY_DEC_CD").alias("county_fips"),
        told("BENE_ENTLMT_RSN_ORIG").alias("original_entitlement_reason"),
        year.alias("reference_year"),
        F.lit(PLAN).alias("plan_id"),
        months.alias("months"),
        F.lit(BRONZE["beneficiary"].name).alias("_bronze_table"),
        "_source_file",
        "_source_row",
        "_batch_id",
        "_line_hash",
        row.reasons().alias("reject_reasons"),
        F.coalesce("_unparsed", row_of(columns_of("beneficiary"))).alias("delivered_row"),
    )
    return typed.select(
        *[name for name in typed.columns if name not in ("months", "delivered_row")],
        F.when(F.size("reject_reasons") == 0, _runs(F.col("months"), F.col("reference_year")))
        .cast(COVERED_RUN)
        .alias("coverage"),
        F.when(F.size("reject_reasons") > 0, F.col("delivered_row")).alias("rejected_row"),
    )


def _month(row: TypedRow, number: int, part_c: str) -> Column:
    """The statuses of one month; null where the person is not enrolled in it."""
    word = MONTH_WORDS[number - 1]
    buyin = row.one_of(f"MDCR_ENTLMT_BUYIN_{number}_IND", BUYIN_CODES)
    contract, indicator = told(f"PTC_CNTRCT_{word}_ID"), told(f"HMO_{number}_IND")
    managed = {
        "hmo_indicator": ~indicator.isin(*NOT_MANAGED_CODES),
        "part_c_contract": contract.rlike("^[HRSE9][0-9]"),
    }[part_c]
    dual = told(f"META_DUAL_ELGBL_STUS_{word}_CD")
    statuses = {
        "has_part_a": buyin.isin(*PART_A_CODES),
        "has_part_b": buyin.isin(*PART_B_CODES),
        "in_medicare_advantage": F.coalesce(managed, F.lit(False)),
        "medicare_is_secondary": F.lit(None).cast(T.BooleanType()),
        "resides_in_us": F.coalesce(~told("STATE_CODE").isin(*FOREIGN_STATES), F.lit(True)),
        "medicare_status_code": told(f"MDCR_STUS_{word}_CD"),
        "dual_status_code": F.when(F.length(dual) == 1, F.lpad(dual, 2, "0")).otherwise(dual),
        "payer": F.lit("Medicare"),
    }
    enrolled = buyin.isNotNull() & (buyin != "0")
    return F.when(enrolled, F.struct(*[statuses[name].alias(name) for name in STATUS_NAMES]))


def _runs(months: Column, year: Column) -> Column:
    """The runs of consecutive months with equal statuses as dated spans; months not enrolled are in none."""
    places = F.array(*[F.lit(i) for i in range(12)])
    opens = F.filter(
        places,
        lambda i: F.get(months, i).isNotNull() & ((i == 0) | ~F.get(months, i - 1).eqNullSafe(F.get(months, i))),
    )
    closes = F.filter(
        places,
        lambda i: F.get(months, i).isNotNull() & ((i == 11) | ~F.get(months, i + 1).eqNullSafe(F.get(months, i))),
    )
    return F.zip_with(
        opens,
        closes,
        lambda first, last: F.struct(
            F.make_date(year, first + 1, F.lit(1)).alias("coverage_start"),
            F.last_day(F.make_date(year, last + 1, F.lit(1))).alias("coverage_end"),
            *[F.get(months, first)[name].alias(name) for name in STATUS_NAMES],
        ),
    )
