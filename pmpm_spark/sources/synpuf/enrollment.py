"""DE-SynPUF beneficiary summaries to enrollment rows.

A summary tells how many months of the year a person was in Part A, in Part B and in a Medicare Advantage plan, and
not which. Months are placed so that all three counts hold: each kind stands in the last months of the year, or up to
the month of death where that leaves room. So the months in both Parts outside Medicare Advantage are the fewest that
the counts allow (docs/decisions/0031).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import RECORDED_UNKNOWN
from pmpm_spark.model.coverage_records import STATUS_NAMES
from pmpm_spark.model.intake import COVERED_RUN, ENROLLMENT_ROWS
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.monthly import runs_of_months
from pmpm_spark.sources.synpuf.layout import BRONZE, PERSON, YEAR_IN_NAME

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COUNTS = {
    "part_a": "BENE_HI_CVRAGE_TOT_MONS",
    "part_b": "BENE_SMI_CVRAGE_TOT_MONS",
    "managed": "BENE_HMO_CVRAGE_TOT_MONS",
}
AGED = 65
PLAN = "MEDICARE"


def enrollment_rows(beneficiary: DataFrame) -> DataFrame:
    """One typed row per bronze row, with the reasons against it, and its three counts beside it."""
    row = TypedRow()
    sex, has_esrd = row.told("BENE_SEX_IDENT_CD"), row.told("BENE_ESRD_IND") == "Y"
    birth_date = row.compact_day("BENE_BIRTH_DT")
    year = F.regexp_extract("_source_file", YEAR_IN_NAME, 1).cast("int")
    counts = {}
    for name, column in COUNTS.items():
        row.required(column)
        counts[name] = row.whole(column)
        row.must(counts[name].between(0, 12), f"{column} is no number of months from 0 to 12")
    values = {
        "member_id": row.required(PERSON),
        "birth_date": birth_date,
        "sex": F.when(sex == "1", "M").when(sex == "2", "F").otherwise("U"),
        "death_date": row.compact_day("BENE_DEATH_DT"),
        "state": row.told("SP_STATE_CODE"),
        "reference_year": year,
        "plan_id": F.lit(PLAN),
        "recorded_on": F.to_date(F.lit(RECORDED_UNKNOWN)),
        # not told: by age and renal disease, the only other way into Medicare
        "status": F.concat(
            F.when(F.coalesce(year - F.year(birth_date), F.lit(AGED)) > AGED - 1, "1").otherwise("2"),
            F.when(has_esrd, "1").otherwise("0"),
        ),
        **counts,
    }
    typed = row.rows(beneficiary, BRONZE["beneficiary"], ENROLLMENT_ROWS, values, beside=("status", *COUNTS))
    placed = typed.withColumns({"last": _last_month(), "is_good": F.size("reject_reasons") == 0})
    months = F.array(*[_month(F.lit(number)) for number in range(1, 13)])
    runs = placed.withColumn("months", F.when(F.col("is_good"), months))
    coverage = F.when(F.col("is_good"), runs_of_months(F.col("months"), F.col("reference_year"))).cast(COVERED_RUN)
    return runs.withColumn("coverage", coverage).drop("last", "is_good", "months", "status")


def _last_month() -> Column:
    """The month that the counted ones end with: that of a death in the year, if they fit before it; else December."""
    death = F.when(F.year("death_date") == F.col("reference_year"), F.month("death_date"))
    return F.greatest(F.coalesce(death, F.lit(12)), *COUNTS)


def _month(number: Column) -> Column:
    """The statuses of one month; null where none of the counts reaches it."""
    has = {name: (number <= F.col("last")) & (number > F.col("last") - F.col(name)) for name in COUNTS}
    statuses = {
        "has_part_a": has["part_a"],
        "has_part_b": has["part_b"],
        "in_medicare_advantage": has["managed"],
        "medicare_is_secondary": F.lit(None).cast(T.BooleanType()),
        "resides_in_us": F.lit(None).cast(T.BooleanType()),
        "medicare_status_code": F.col("status"),
        "dual_status_code": F.lit(None).cast(T.StringType()),
        "payer": F.lit("Medicare"),
    }
    enrolled = has["part_a"] | has["part_b"] | has["managed"]
    return F.when(enrolled, F.struct(*[statuses[name].alias(name) for name in STATUS_NAMES]))


def month_bounds(beneficiary: DataFrame, accepted: DataFrame) -> DataFrame:
    """By year: people, months of each count, and the fewest and most months in both Parts outside Medicare Advantage.

    `accepted` has the enrollment rows that count.
    """
    at = ["_source_file", "_source_row", "_batch_id"]
    rows = (
        enrollment_rows(beneficiary).select("reference_year", *COUNTS, *at).join(accepted.select(*at), at, how="semi")
    )
    both = F.least("part_a", "part_b")
    least = F.greatest(both - F.col("managed"), F.lit(0))
    most = F.least(both, 12 - F.col("managed"))
    return rows.groupBy("reference_year").agg(
        F.count(F.lit(1)).alias("people"),
        *[F.sum(name).alias(name) for name in COUNTS],
        F.sum(least).alias("at_least"),
        F.sum(most).alias("at_most"),
    )
