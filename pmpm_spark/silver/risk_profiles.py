"""Risk profiles: what a risk model asks of a person beside the diagnoses, for each performance year.

The payment year is the performance year, the collection year is the one before. Age is that on 1 February; the statuses
are those of the first covered day of the year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.months import age_on, month_bits, month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.member_months import DUAL_CODES, ESRD_CODES
from pmpm_spark.silver.told_months import told_numbers
from pmpm_spark.spark_versions import word_for
from pmpm_spark.table import SCORE, Table, column, flag, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RISK_PROFILES = Table(
    name="silver.risk_profiles",
    grain="one row per member covered in a performance year and model that scores them; none where no policy of the "
    "run computes scores",
    key=("member_id", "performance_year", "model"),
    columns=(
        text("member_id", "pseudonymous member key"),
        year("performance_year", "payment year"),
        text("model", "model, as V24 or ESRD V24"),
        column("share", SCORE, "weight of the model's score in the year's"),
        text("part", "dialysis, graft, transplant, or * of all others: whose normalization factor counts"),
        text("segment", "CMS's prefix of the coefficients, as CNA: community, non-dual, aged"),
        year("age", "whole years on 1 February of the payment year"),
        text("sex", "F or M"),
        text("original_entitlement_reason", "0 age, 1 disability, 2 ESRD, 3 both"),
        text("dual_status", "full, partial or none"),
        flag("is_new_enrollee", "fewer months of Part B in the collection year than it was told for"),
        flag("is_institutional", "long-term institutional; false where the source does not tell"),
        year("graft_months", "months since a kidney transplant; null where there is none, or the source does not tell"),
    ),
    rules={"age_is_not_negative": "age >= 0", "sex_is_told": "sex IN ('F', 'M')"},
    key_is_built_in=True,
)

ANY = "*"
AGED_DISABLED, ESRD = "aged_disabled", "esrd"
DIALYSIS, GRAFT, TRANSPLANT = "dialysis", "graft", "transplant"
TRANSPLANT_SEGMENT = "TRANSPLANT"
REASON_OF_STATUS = {"20": "1", "21": "3", "31": "2"}
"""Original entitlement by the Medicare status, where it is not told."""
AGED = 65
_BLEND = T.StructType(
    [
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("of", T.StringType()),
        T.StructField("model", T.StringType()),
        T.StructField("share", SCORE),
    ]
)


def computes(policies: Sequence[Policy]) -> bool:
    """A policy of the run asks for computed scores."""
    return any(policy.risk.scores != "supplied" for policy in policies)


def models_of(hcc_blends: Sequence[Sequence[Any]], performance_years: Sequence[int]) -> list[str]:
    """The models that score the years."""
    return sorted({row[2] for row in hcc_blends if row[0] in set(performance_years) and row[3] > 0})


def risk_profiles(
    eligibility_spans: DataFrame,
    members: DataFrame,
    told_months: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    hcc_blends: Sequence[Sequence[Any]],
) -> DataFrame:
    """One row per model of the year's blend. Who has no birth date, no known sex, or died before the year has none."""
    years = F.array(*[F.lit(y) for y in performance_years])
    first, last = month_number("span_start"), month_number("span_end")
    spans = (
        eligibility_spans.where(F.lit(computes(policies)))
        .join(F.broadcast(told_numbers(told_months)), how="cross")
        .withColumns({"first": F.greatest(first, "told_first"), "last": F.least(last, "told_last")})
    )
    # a span speaks of a year where it covers a day of it, or of the year before
    of_years = spans.withColumn("performance_year", F.explode(years)).where(
        (F.year("span_start") <= F.col("performance_year")) & (F.year("span_end") >= F.col("performance_year") - 1)
    )
    collection = (F.col("performance_year") - 1) * 12
    part_b = F.coalesce("has_part_b", F.lit(True))
    b_bits = F.when(part_b, month_bits(F.col("first") - collection, F.least(F.col("last") - collection, F.lit(11))))
    told_bits = month_bits(F.col("told_first") - collection, F.least(F.col("told_last") - collection, F.lit(11)))
    in_year = F.year("span_end") >= F.col("performance_year")
    first_told = F.min(F.when(in_year, F.struct("span_start", "medicare_status_code", "dual_status_code")))
    sums = of_years.groupBy("member_id", "performance_year").agg(
        F.coalesce(F.bit_or(b_bits), F.lit(0).cast("bigint")).alias("b_bits"),
        F.max(told_bits).alias("told_bits"),
        first_told.alias("at_first"),
    )
    people = members.select("member_id", "birth_date", "sex", "death_date", "original_entitlement_reason")
    status = F.col("at_first.medicare_status_code")
    by_status = word_for(REASON_OF_STATUS, status)
    is_alive = F.coalesce(F.year("death_date") >= F.col("performance_year"), F.lit(True))
    known = (
        sums.where("at_first IS NOT NULL AND told_bits <> 0")
        .join(people, "member_id", how="inner")
        .where(F.col("birth_date").isNotNull() & F.col("sex").isin("F", "M") & is_alive)
    )
    february = F.make_date("performance_year", F.lit(2), F.lit(1))
    is_esrd = F.coalesce(status.isin(*ESRD_CODES), F.lit(False))
    person = known.select(
        "member_id",
        "performance_year",
        F.greatest(age_on(F.col("birth_date"), february), F.lit(0)).alias("age"),
        "sex",
        F.coalesce("original_entitlement_reason", by_status, F.lit("0")).alias("original_entitlement_reason"),
        medicaid_of(F.col("at_first.dual_status_code")).alias("dual_status"),
        (F.col("b_bits").bitwiseAND(F.col("told_bits")) != F.col("told_bits")).alias("is_new_enrollee"),
        F.lit(False).alias("is_institutional"),
        F.lit(None).cast("int").alias("graft_months"),
        F.when(is_esrd, DIALYSIS).otherwise(ANY).alias("part"),
        F.when(is_esrd, ESRD).otherwise(AGED_DISABLED).alias("of"),
    )
    wanted = [row[:4] for row in hcc_blends if row[0] in set(performance_years) and row[3] > 0]
    blends = small_frame(eligibility_spans.sparkSession, wanted, _BLEND)
    return with_segment(person.join(F.broadcast(blends), ["performance_year", "of"], how="inner"))


def medicaid_of(dual_status_code: Column) -> Column:
    """full, partial or none."""
    is_full, is_any = (dual_status_code.isin(*DUAL_CODES[which]) for which in ("full", "any"))
    return F.when(is_full, "full").when(is_any, "partial").otherwise("none")


def with_segment(people: DataFrame) -> DataFrame:
    """The segment whose coefficients score the person. In the months of a transplant nothing but it counts."""
    is_aged = F.col("age") >= AGED
    new, institutional = F.col("is_new_enrollee"), F.col("is_institutional")
    letter = word_for({"full": "F", "partial": "P", "none": "N"}, F.col("dual_status"))
    community = F.concat(F.lit("C"), letter, F.when(is_aged, "A").otherwise("D"))
    graft = F.concat(F.when(F.col("dual_status") == "full", "GF").otherwise("GNP"), F.when(is_aged, "A").otherwise("N"))
    in_v21 = F.col("model") == "ESRD V21"
    segment = (
        F.when(F.col("part") == TRANSPLANT, TRANSPLANT_SEGMENT)
        .when(F.col("part") == DIALYSIS, F.when(new, "DNE").otherwise("DI"))
        .when(F.col("part") == GRAFT, F.when(institutional, "GI").when(new, "GNE").when(in_v21, "GC").otherwise(graft))
        .when(institutional, "INS")
        .when(new, "NE")
        .otherwise(community)
    )
    return people.withColumn("segment", segment)
