"""CCLF8: who is listed in each delivery.

A person is listed in the months of Part A or B outside Medicare Advantage, after death to the end of the year. A fifth
of the deaths is told one or two deliveries late. The run-out lists the people of the last month again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.cclf.ids import id_at, person_of
from pmpm_spark.generate.cclf.records import day, number, record
from pmpm_spark.generate.cclf.schedule import RUN_OUT_MONTHS, Schedule
from pmpm_spark.generate.draws import Draws
from pmpm_spark.generate.enrollment import MONTH_WORDS
from pmpm_spark.generate.people import month_of, one_in
from pmpm_spark.sources.cells import rif_date

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOT_MANAGED = ("0", "4")
LATE_DEATHS = 0.2
SPANS_EVERY = 40
"""One person in 40 stands twice in each delivery: once for each hospice span."""
BLANK_COUNTY_EVERY = 33


def people_records(beneficiaries: DataFrame, draws: Draws, schedule: Schedule) -> DataFrame:
    """The records of the RIF rows of all years; of a corrected person and year the correction counts."""
    key = ("BENE_ID", "RFRNC_YR")
    counted = beneficiaries.groupBy(*key).agg(F.max("DML_IND").alias("DML_IND"))
    rows = beneficiaries.join(counted, [*key, "DML_IND"], how="left_semi").where(
        rif_date(F.col("BENE_BIRTH_DT")).isNotNull()
    )
    year, death = F.col("RFRNC_YR").cast("bigint"), rif_date(F.col("DEATH_DT"))
    months = F.array(*[_month(place) for place in range(12)])
    place = F.explode(F.sequence(F.lit(0), F.lit(11)))
    person = person_of(F.col("BENE_ID"))
    monthly = rows.select(
        person.alias("person"),
        F.col("BENE_ID").alias("member_id"),
        *("BENE_BIRTH_DT", "BENE_SEX_IDENT_CD", "BENE_RACE_CD", "BENE_ENTLMT_RSN_ORIG", "AGE"),
        year.alias("year"),
        death.alias("death_date"),
        months.alias("months"),
        place.alias("place"),
    )
    # the dead stay listed as they were in the month of death
    told_place = F.least(F.col("place"), F.coalesce(F.month("death_date") - 1, F.lit(11)))
    of_month = monthly.select(*monthly.columns, F.get("months", told_place).alias("month"))
    is_listed = F.col("month.buyin").isin("1", "2", "3", "A", "B", "C") & F.col("month.hmo").isin(*NOT_MANAGED)
    own = F.col("year") * 12 + F.col("place")
    repeated = F.sequence(own, own + RUN_OUT_MONTHS)
    listed = of_month.where(is_listed).select(
        *of_month.columns,
        F.explode(F.when(own == schedule.last_regular, repeated).otherwise(F.array(own))).alias("delivery"),
        F.explode(_spans(draws, schedule)).alias("span"),
    )
    return listed.select("delivery", record("cclf8", _cells(draws, schedule)).alias("record"))


def _month(place: int) -> Column:
    word = MONTH_WORDS[place]
    return F.struct(
        F.col(f"MDCR_ENTLMT_BUYIN_{place + 1}_IND").alias("buyin"),
        F.col(f"HMO_{place + 1}_IND").alias("hmo"),
        F.col(f"MDCR_STUS_{word}_CD").alias("status"),
        F.col(f"META_DUAL_ELGBL_STUS_{word}_CD").alias("dual"),
        F.col(f"FIPS_STATE_CNTY_{word}_CD").alias("fips"),
    )


def _spans(draws: Draws, schedule: Schedule) -> Column:
    """Days on which a hospice span begins, as days since the first month; one that is none for everybody else."""
    person = F.col("person")
    begins = draws.below(300, "hospice span", person).cast("int")
    return F.when(one_in(SPANS_EVERY, 7, person), F.array(begins, begins + 45)).otherwise(F.array(F.lit(-1)))


def _cells(draws: Draws, schedule: Schedule) -> dict[str, Column | str]:
    person, delivery, month = F.col("person"), F.col("delivery"), F.col("month")
    late = F.when(
        draws.chance(LATE_DEATHS, "death told late", person), draws.below(2, "deliveries late", person) + 1
    ).otherwise(0)
    # told while the dead are still listed
    told_in = F.least(month_of(F.col("death_date")) + late, F.col("year") * 12 + 11)
    span_from = F.date_add(F.lit(f"{schedule.first_year}-01-01").cast("date"), F.col("span"))
    has_span = F.col("span") >= 0
    is_blank = one_in(BLANK_COUNTY_EVERY, 4, person) | month["fips"].isNull()
    return {
        "BENE_MBI_ID": id_at(draws, schedule, person, F.col("member_id"), delivery),
        "BENE_FIPS_STATE_CD": "44",
        "BENE_FIPS_CNTY_CD": F.when(~is_blank, F.substr(month["fips"], F.lit(3), F.lit(3))),
        "BENE_ZIP_CD": F.when(is_blank, "00000").otherwise("02903"),
        "BENE_DOB": day(rif_date(F.col("BENE_BIRTH_DT"))),
        "BENE_SEX_CD": F.col("BENE_SEX_IDENT_CD"),
        "BENE_RACE_CD": F.col("BENE_RACE_CD"),
        "BENE_AGE": number(F.col("AGE"), 3),
        "BENE_MDCR_STUS_CD": month["status"],
        "BENE_DUAL_STUS_CD": month["dual"],
        "BENE_DEATH_DT": F.when(delivery >= told_in, day(F.col("death_date"))),
        "BENE_RNG_BGN_DT": F.when(has_span, day(span_from)),
        "BENE_RNG_END_DT": F.when(has_span, day(F.date_add(span_from, 30))),
        "BENE_ORGNL_ENTLMT_RSN_CD": F.col("BENE_ENTLMT_RSN_ORIG"),
        "BENE_ENTLMT_BUYIN_IND": month["buyin"],
        "GEO_USPS_STATE_CD": "RI",
        "GEO_ZIP5_CD": F.when(is_blank, "00000").otherwise("02903"),
    }
