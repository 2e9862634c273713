"""RIF beneficiary rows (one a person and year, twelve monthly columns each) to enrollment rows.

Codes: MDCR_ENTLMT_BUYIN 1 A only, 2 B only, 3 both, A, B and C the same by state buy-in (CMS, CCW code BUYIN); HMO
other than blank, 0 and 4 is a Medicare Advantage month (code HMOIND). Months of one year with equal statuses become
one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import RECORDED_UNKNOWN
from pmpm_spark.model.coverage_records import STATUS_NAMES
from pmpm_spark.model.intake import COVERED_RUN
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.monthly import runs_of_months
from pmpm_spark.sources.rif.layout import BRONZE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MONTH_WORDS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
BUYIN_CODES = ("0", "1", "2", "3", "A", "B", "C")
PART_A_CODES = ("1", "3", "A", "C")
PART_B_CODES = ("2", "3", "B", "C")
NOT_MANAGED_CODES = ("0", "4")
CONTRACT = "^[A-Z9][0-9]"
"""A contract of Part C, as H1234; N, 0 and * stand for none. CMS's synthetic files have Y contracts."""
FOREIGN_STATES = ("54", "56", "57", "58", "59", "60", "61", "62")
"""SSA state codes outside the United States and its territories."""
PLAN = "MEDICARE"


def enrollment_rows(beneficiary: DataFrame, *, part_c: str) -> DataFrame:
    """One typed row per bronze row, with the reasons against it; `part_c` names the columns that tell Part C."""
    row = TypedRow()
    months = F.array(*[_month(row, number, part_c) for number in range(1, 13)])
    sex = row.told("BENE_SEX_IDENT_CD")
    year = row.whole("RFRNC_YR")
    row.must(row.told("RFRNC_YR").isNotNull() & (year.isNull() | year.between(1966, 2100)), "RFRNC_YR is no year")
    typed = {
        "member_id": row.required("BENE_ID"),
        "birth_date": row.rif_day("BENE_BIRTH_DT"),
        "sex": F.when(sex == "1", "M").when(sex == "2", "F").otherwise("U"),
        "death_date": row.rif_day("DEATH_DT"),
        "state": row.told("STATE_CODE"),
        "county_fips": row.told("FIPS_STATE_CNTY_DEC_CD"),
        "original_entitlement_reason": row.told("BENE_ENTLMT_RSN_ORIG"),
        "reference_year": year,
    }
    is_good = F.size("reject_reasons") == 0
    judged = row.over(beneficiary).withColumn("months", months)
    return judged.select(
        *[value.alias(name) for name, value in typed.items()],
        F.lit(PLAN).alias("plan_id"),
        F.to_date(F.lit(RECORDED_UNKNOWN)).alias("recorded_on"),
        F.lit(BRONZE["beneficiary"].name).alias("_bronze_table"),
        "_source_file",
        "_source_row",
        "_batch_id",
        "_line_hash",
        "reject_reasons",
        "rejected_row",
        F.when(is_good, runs_of_months(F.col("months"), typed["reference_year"])).cast(COVERED_RUN).alias("coverage"),
    )


def _month(row: TypedRow, number: int, part_c: str) -> Column:
    """The statuses of one month; null where the person is not enrolled in it."""
    word = MONTH_WORDS[number - 1]
    buyin = row.one_of(f"MDCR_ENTLMT_BUYIN_{number}_IND", BUYIN_CODES)
    contract, indicator = row.told(f"PTC_CNTRCT_{word}_ID"), row.told(f"HMO_{number}_IND")
    managed = {
        "hmo_indicator": ~indicator.isin(*NOT_MANAGED_CODES),
        "part_c_contract": contract.rlike(CONTRACT),
    }[part_c]
    dual = row.told(f"META_DUAL_ELGBL_STUS_{word}_CD")
    statuses = {
        "has_part_a": buyin.isin(*PART_A_CODES),
        "has_part_b": buyin.isin(*PART_B_CODES),
        "in_medicare_advantage": F.coalesce(managed, F.lit(False)),
        "medicare_is_secondary": F.lit(None).cast(T.BooleanType()),
        "resides_in_us": F.coalesce(~row.told("STATE_CODE").isin(*FOREIGN_STATES), F.lit(True)),
        "medicare_status_code": row.told(f"MDCR_STUS_{word}_CD"),
        "dual_status_code": F.when(F.length(dual) == 1, F.lpad(dual, 2, "0")).otherwise(dual),
        "payer": F.lit("Medicare"),
    }
    enrolled = buyin.isNotNull() & (buyin != "0")
    return F.when(enrolled, F.struct(*[statuses[name].alias(name) for name in STATUS_NAMES]))
