"""The yearly beneficiary files: one row per person and year with twelve columns for each monthly status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.people import one_in
from pmpm_spark.generate.rif import rif_day, rif_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MONTH_WORDS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
NOT_ENROLLED = "-" * 12
STATE = "41"
ABROAD = "56"
"""SSA state codes: Rhode Island, and one outside the United States."""
_COUNTIES = ("41000", "41010", "41020", "41030", "41050")
_FIPS = ("44001", "44003", "44005", "44007", "44009")


def beneficiary_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """One row per enrolled person of one year's `member_years`, two where a correction follows in the same file."""
    person, year, cover = F.col("person"), F.col("year"), F.col("cover")
    is_corrected = draws.chance(0.01, "corrected enrollment", person, year)
    delivered = member_years.where(F.col("is_enrolled") & (cover != NOT_ENROLLED)).select(
        *member_years.columns,
        is_corrected.alias("is_corrected"),
        F.explode(F.when(is_corrected, F.array(F.lit(1), F.lit(2))).otherwise(F.array(F.lit(2)))).alias("delivery"),
    )
    rows = delivered.select(*delivered.columns, F.transform(F.sequence(F.lit(1), F.lit(12)), _month).alias("months"))
    months = F.col("months")
    cells: dict[str, Column | str] = {
        "DML_IND": F.when((F.col("delivery") == 2) & F.col("is_corrected"), "UPDATE").otherwise("INSERT"),
        "BENE_ID": F.col("member_id"),
        "STATE_CODE": F.when(F.col("is_abroad"), ABROAD).otherwise(STATE),
        "BENE_COUNTY_CD": lookup(_COUNTIES, F.col("county")),
        # a day that does not exist: this row, and with it the person's year, is rejected
        "BENE_BIRTH_DT": F.when(has_impossible_birthday(person, year), "31-Feb-1940").otherwise(
            rif_day(F.col("birth_date"))
        ),
        "BENE_SEX_IDENT_CD": F.col("sex"),
        "BENE_RACE_CD": F.col("race"),
        "RTI_RACE_CD": F.col("race"),
        "BENE_ENTLMT_RSN_ORIG": lookup(("0", "1", "2"), _reason()),
        "BENE_ENTLMT_RSN_CURR": F.when(F.col("turns_65") <= year * 12, "0").otherwise(
            lookup(("0", "1", "2"), _reason())
        ),
        "BENE_ESRD_IND": F.when(F.col("renal_from") <= year * 12 + 11, "Y").otherwise("0"),
        "BENE_MDCR_STATUS_CD": _status(year * 12 + 11),
        "DEATH_DT": F.when(F.year("death_date") == year, rif_day(F.col("death_date"))),
        "V_DOD_SW": F.when(F.year("death_date") == year, "V"),
        "RFRNC_YR": year,
        "A_MO_CNT": _count(cover, "-B"),
        "B_MO_CNT": _count(cover, "-A"),
        "BUYIN_MO_CNT": _count(cover, "-"),
        "HMO_MO_CNT": _count(cover, "-ABDF"),
        "PLAN_CVRG_MO_CNT": F.when(F.col("has_part_d"), _count(cover, "-")).otherwise("0"),
        "DUAL_MO_CNT": F.size(F.filter(months, lambda m: ~m["dual"].isin("NA", "00", "99"))),
        "ENRL_SRC": "CME",
        "EFIVEPCT": " ",
        "CRNT_BIC": "A",
        "AGE": year - F.year("birth_date"),
    }
    for number, word in enumerate(MONTH_WORDS, start=1):
        month = F.get(months, F.lit(number - 1))
        cells |= {
            f"MDCR_ENTLMT_BUYIN_{number}_IND": month["buyin"],
            f"HMO_{number}_IND": month["hmo"],
            f"PTC_CNTRCT_{word}_ID": month["contract"],
            f"PTC_PBP_{word}_ID": F.when(month["contract"].startswith("H"), "001"),
            f"PTD_CNTRCT_{word}_ID": month["drug_plan"],
            f"MDCR_STUS_{word}_CD": month["status"],
            f"META_DUAL_ELGBL_STUS_{word}_CD": month["dual"],
            f"FIPS_STATE_CNTY_{word}_CD": month["fips"],
        }
    # of two rows of a person and year the later one counts: their order in the file is part of the input
    in_order = rows.sortWithinPartitions("person", "delivery")
    return rif_rows(in_order, "beneficiary", cells, stands=F.col("delivery") == 2)


def has_impossible_birthday(person: Column, year: Column) -> Column:
    return one_in(200, 53, person) & (year % 2 == 0)


def _month(number: Column) -> Column:
    """The statuses of one month as delivered."""
    month = F.col("year") * 12 + number - 1
    letter = F.substr(F.col("cover"), number, F.lit(1))
    is_enrolled = letter != "-"
    is_dual = (month >= F.col("dual_from")) & (month <= F.col("dual_to")) & F.col("is_dual")
    # a correction replaces a row that said: no Part B, no Medicaid
    is_first = F.col("delivery") == 1
    by_state = is_dual & F.col("dual_code").isin("01", "02", "04")
    has_both = letter.isin("F", "D", "M")
    buyin = (
        F.when(~is_enrolled, F.when(F.col("person") % 2 == 0, "0").otherwise(""))
        .when((letter == "A") | is_first, F.when(by_state, "A").otherwise("1"))
        .when(letter == "B", F.when(by_state, "B").otherwise("2"))
        .when(has_both, F.when(by_state, "C").otherwise("3"))
    )
    hmo = F.when(letter == "M", F.col("advantage_code")).when(letter == "D", "4").when(is_enrolled, "0")
    contract = F.when(letter == "M", F.concat(F.lit("H100"), (F.col("person") % 7).cast("string")))
    # leading zeros are lost in some files
    code = F.when(F.col("person") % 10 == 4, F.substr(F.col("dual_code"), F.lit(2), F.lit(1))).otherwise(
        F.col("dual_code")
    )
    not_dual = F.when(F.col("person") % 20 == 7, "00").when(F.col("person") % 100 == 1, "99").otherwise("NA")
    return F.struct(
        buyin.alias("buyin"),
        hmo.alias("hmo"),
        contract.when(is_enrolled, "N").alias("contract"),
        F.when(is_enrolled & F.col("has_part_d"), F.concat(F.lit("Z000"), (F.col("person") % 9).cast("string")))
        .alias("drug_plan"),
        F.when(is_enrolled, _status(month)).alias("status"),
        F.when(is_enrolled, F.when(is_dual & ~is_first, code).otherwise(not_dual)).alias("dual"),
        F.when(is_enrolled & ~F.col("is_abroad"), lookup(_FIPS, F.col("county"))).alias("fips"),
    )  # fmt: skip


def _status(month: Column) -> Column:
    """Medicare status: 10 aged, 11 aged with ESRD, 20 disabled, 21 disabled with ESRD, 31 ESRD only."""
    is_renal = month >= F.col("renal_from")
    return (
        F.when(month >= F.col("turns_65"), F.when(is_renal, "11").otherwise("10"))
        .when(F.col("kind") == "renal", "31")
        .otherwise(F.when(is_renal, "21").otherwise("20"))
    )


def _reason() -> Column:
    """Original reason of entitlement: 0 age, 1 disability, 2 ESRD."""
    return F.when(F.col("kind") == "disabled", 1).when(F.col("kind") == "renal", 2).otherwise(0)


def _count(cover: Column, letters: str) -> Column:
    """Months that are none of the letters."""
    return F.length(F.translate(cover, letters, "")).cast("string")
