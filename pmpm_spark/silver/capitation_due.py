"""What is due: every month of every contract and member, paid or not, and why not.

Rules: payment-and-outcomes section 1. Days of a month are kept as bits: those enrolled, those on the contract's list
and those of the contract meet in one number, and coverage_rule reads it. One exchange by member carries spans and
lists, which are few; months are made after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.contract_terms import Rate, Terms, as_rows, rates_of_kinds
from pmpm_spark.months import age_on, last_day_of, month_at, month_bits, month_number, months_from_to
from pmpm_spark.policy import Policy
from pmpm_spark.silver.member_months import ENROLLMENT_TYPES, enrollment_type_of
from pmpm_spark.silver.member_years import chosen_scores
from pmpm_spark.silver.union import ids
from pmpm_spark.table import FACTOR, MONEY, MONTHS, SCORE, TEXTS, Table, column, day, flag, money, small_frame, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CAPITATION_DUE = Table(
    name="silver.capitation_due",
    grain="one row per contract, member and coverage month of the last capitation run, due or not",
    key=("contract_id", "member_id", "coverage_month"),
    columns=(
        text("contract_id", "contract"),
        text("member_id", "pseudonymous member key"),
        day("coverage_month", "first day of the month"),
        text("network_id", "network of the contract"),
        flag("is_due", "the month is due"),
        text("not_due_reason", "why it is not; null where it is"),
        text("enrollment_type", "the rate row's; null where nothing is due"),
        text("age_band", "the rate row's"),
        text("sex", "the rate row's"),
        money("rate", "per member month"),
        flag("risk_adjusted", "the rate is multiplied by the normalized score"),
        column("normalized_risk_score", SCORE, "score over the year's factor; 1 where not risk-adjusted or unscored"),
        flag("is_scored", "the member has a score for the year"),
        column(
            "exposure", MONTHS, "member months: 1, or covered days / days where the contract prorates; 0 if not due"
        ),
        money("due_amount", "rate x score x exposure, half up"),
        money("withhold_due", "due_amount x the contract's withhold share, half up"),
        money("forgone_amount", "what it would have been where another contract is paid for the month, else 0"),
        text("member_cell", "enrollment type, age and sex that a rate was looked for"),
    ),
    rules={
        "reason_where_not_due": "is_due = (not_due_reason IS NULL)",
        "nothing_where_not_due": "is_due OR (due_amount = 0 AND exposure = 0)",
    },
    cluster_by=("member_id",),
)

_RATE = T.StructType(
    [
        T.StructField("first_day", T.IntegerType()),
        T.StructField("last_day", T.IntegerType()),
        T.StructField("enrollment_type", T.StringType()),
        T.StructField("age_band", T.StringType()),
        T.StructField("age_first", T.IntegerType()),
        T.StructField("age_last", T.IntegerType()),
        T.StructField("sex", T.StringType()),
        T.StructField("rate", MONEY),
        T.StructField("risk_adjusted", T.BooleanType()),
    ]
)
_TERMS = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("network_id", T.StringType()),
        T.StructField("coverage_rule", T.StringType()),
        T.StructField("month_reasons", TEXTS),
        T.StructField("start_day", T.IntegerType()),
        T.StructField("end_day", T.IntegerType()),
        T.StructField("first_number", T.IntegerType()),
        T.StructField("last_number", T.IntegerType()),
        T.StructField("withhold_share", SCORE),
    ]
)
_RATES_OF_KIND = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("person_type", T.StringType()),
        T.StructField("person_sex", T.StringType()),
        T.StructField("rates", T.ArrayType(_RATE)),
    ]
)
_LISTING = "array<struct<contract_id:string,first_day:int,last_day:int,has_list:boolean>>"
SEXES = ("F", "M", "U")
NEVER, ALWAYS_FIRST = 1, 0
"""First and last day of a listing that lists nobody: of who was posted or counted before, or is told by the payer."""


def capitation_due(
    eligibility_spans: DataFrame,
    members: DataFrame,
    member_months: DataFrame,
    attribution: DataFrame,
    risk_scores: DataFrame,
    normalization_factors: DataFrame,
    contract_members: DataFrame,
    posted: DataFrame,
    *,
    contracts: Sequence[Terms],
    rates: Sequence[Rate],
    listed: Collection[str],
    policy: Policy,
    as_of: date,
    first_told: int,
    last_payable: int,
    overlap: str = "one",
) -> DataFrame:
    """What is due as known on a day, by contract, member and month.

    `posted` has contract_id (as it is now), member_id and the first and last month number that are looked at whatever
    the list says (posted or counted before, or on the payer's list of months); `listed` the contracts with rows in
    contract_members: the others pay for the members attributed to their network.
    """
    spark = eligibility_spans.sparkSession
    terms = F.broadcast(small_frame(spark, as_rows(contracts), _TERMS))
    listings = _listings(contract_members, attribution, posted, contracts, listed, policy, as_of)
    spans = eligibility_spans.groupBy("member_id").agg(
        F.sort_array(
            F.collect_list(
                F.struct(
                    F.unix_date("span_start").alias("first_day"),
                    F.unix_date("span_end").alias("last_day"),
                    "medicare_status_code",
                    "dual_status_code",
                )
            )
        ).alias("spans")
    )
    people = members.select("member_id", "birth_date", "sex", month_number("death_date").alias("death_number"))
    joined = listings.join(spans, "member_id", how="left").join(
        people.withColumn("is_known", F.lit(True)), "member_id", how="left"
    )
    scores = chosen_scores(risk_scores, [policy]).where("risk_score IS NOT NULL")
    of_member = scores.groupBy("member_id").agg(
        F.sort_array(F.collect_list(F.struct("performance_year", "risk_score"))).alias("scores")
    )
    joined = joined.join(of_member, "member_id", how="left")
    told_reasons = sorted({reason for one in contracts for reason in one.month_reasons})
    if told_reasons:
        failing = member_months.where(F.col("policy") == policy.label).select(
            "member_id",
            month_number("member_month").alias("number"),
            F.array_intersect("ineligible_reasons", F.array(*[F.lit(r) for r in told_reasons])).alias("reasons"),
        )
        of_months = (
            failing.where(F.size("reasons") > 0)
            .groupBy("member_id")
            .agg(F.sort_array(F.collect_list(F.struct("number", "reasons"))).alias("failing"))
        )
        joined = joined.join(of_months, "member_id", how="left")
    months = _months(joined, terms, first_told, last_payable)
    judged = _judged(months, bool(told_reasons), policy, first_told, last_payable)
    of_kinds = small_frame(spark, rates_of_kinds(rates, ENROLLMENT_TYPES, SEXES), _RATES_OF_KIND)
    priced = _priced(judged, of_kinds, normalization_factors)
    return _one_contract(priced, overlap).select(*CAPITATION_DUE.column_names)


def _listings(
    contract_members: DataFrame,
    attribution: DataFrame,
    posted: DataFrame,
    contracts: Sequence[Terms],
    listed: Collection[str],
    policy: Policy,
    as_of: date,
) -> DataFrame:
    """One row a member: the days on each contract's list, and the months that the ledger has."""
    none = F.lit(None).cast("int")
    told = [one.contract_id for one in contracts]
    on_list = contract_members.where(
        F.col("contract_id").isin(told) & (F.col("recorded_on").isNull() | (F.col("recorded_on") <= F.lit(as_of)))
    ).select(
        *ids("member_id", "contract_id"),
        F.unix_date("start_date").alias("first_day"),
        F.unix_date("end_date").alias("last_day"),
        F.lit(True).alias("has_list"),
        none.alias("posted_first"),
        none.alias("posted_last"),
    )
    of_ledger = posted.select(
        *ids("member_id", "contract_id"),
        F.lit(NEVER).alias("first_day"),
        F.lit(ALWAYS_FIRST).alias("last_day"),
        F.lit(False).alias("has_list"),
        F.col("posted_first").cast("int").alias("posted_first"),
        F.col("posted_last").cast("int").alias("posted_last"),
    )
    rows = on_list.unionByName(of_ledger)
    for one in contracts:
        if one.contract_id in listed:
            continue
        of_year = attribution.where((F.col("policy") == policy.label) & (F.col("network_id") == one.network_id))
        attributed = of_year.select(
            *ids("member_id"),
            F.lit(one.contract_id).alias("contract_id"),
            F.unix_date(F.make_date("performance_year", F.lit(1), F.lit(1))).alias("first_day"),
            F.unix_date(F.make_date("performance_year", F.lit(12), F.lit(31))).alias("last_day"),
            F.lit(False).alias("has_list"),
            none.alias("posted_first"),
            none.alias("posted_last"),
        )
        rows = rows.unionByName(attributed)
    fields = ("contract_id", "first_day", "last_day", "has_list", "posted_first", "posted_last")
    return rows.groupBy("member_id").agg(F.sort_array(F.collect_list(F.struct(*fields))).alias("listings"))


def _months(joined: DataFrame, terms: DataFrame, first_told: int, last_payable: int) -> DataFrame:
    """A row per contract, member and month that may be due or is looked at all the same."""
    contract_ids = F.array_distinct(F.transform("listings", lambda one: one["contract_id"]))
    by_contract = joined.withColumn("contract_id", F.explode(contract_ids)).join(terms, "contract_id", how="inner")
    own = F.filter("listings", lambda one: one["contract_id"] == F.col("contract_id"))
    with_own = by_contract.withColumns({"own": own, "has_rivals": F.size(contract_ids) > 1}).drop("listings")
    posted_first = F.array_min(F.transform("own", lambda one: F.coalesce(one["posted_first"], F.lit(10**6))))
    posted_last = F.array_max(F.transform("own", lambda one: F.coalesce(one["posted_last"], F.lit(-1))))
    first = F.least(F.greatest(F.col("first_number"), F.lit(first_told)), posted_first)
    last = F.greatest(F.least(F.col("last_number"), F.lit(last_payable)), posted_last)
    return with_own.withColumn("number", F.explode(months_from_to(first, last)))


def _days(array: str, first: Column, days: Column) -> Column:
    """The days of a month that lie in one of the runs, as bits, the first the lowest."""
    none = F.lit(0).cast("bigint")

    def run(one: Column) -> Column:
        return month_bits(one["first_day"] - first, F.least(one["last_day"] - first, days - 1))

    return F.coalesce(F.aggregate(array, none, lambda so_far, one: so_far.bitwiseOR(run(one))), none)


def _holds(covered: Column) -> Column:
    """Whether the contract's coverage_rule holds on these days."""
    one = F.lit(1).cast("bigint")
    rule, all_days = F.col("coverage_rule"), F.call_function("shiftleft", one, F.col("days").cast("int")) - 1

    def on(place: Column) -> Column:
        return F.call_function("shiftright", covered, place.cast("int")).bitwiseAND(one) == 1

    return (
        F.when(rule == "first_of_month", on(F.lit(0)))
        .when(rule == "mid_month", on(F.lit(14)))
        .when(rule == "last_day", on(F.col("days") - 1))
        .when(rule == "full_month", covered == all_days)
        .otherwise(covered != 0)
    )


def _judged(months: DataFrame, has_reasons: bool, policy: Policy, first_told: int, last_payable: int) -> DataFrame:
    """Each month with the first reason why it is not due, its exposure and the statuses of the day looked at."""
    dated = months.withColumn("coverage_month", month_at(F.col("number")))
    dated = dated.withColumns(
        {
            "days": F.dayofmonth(last_day_of("coverage_month")),
            "first_day": F.unix_date("coverage_month"),
        }
    )
    days, first = F.col("days"), F.col("first_day")
    in_days = dated.withColumns(
        {
            "enrolled": _days("spans", first, days),
            "on_list": _days("own", first, days),
            "in_contract": month_bits(F.col("start_day") - first, F.least(F.col("end_day") - first, days - 1)),
        }
    )
    met = in_days.withColumn("met", F.col("enrolled").bitwiseAND(F.col("on_list")))
    met = met.withColumn("covered", F.col("met").bitwiseAND(F.col("in_contract")))
    lowest = F.bit_count(F.col("covered").bitwiseAND(-F.col("covered")) - 1)
    rule = F.col("coverage_rule")
    place = (
        F.when(rule == "first_of_month", F.lit(0))
        .when(rule == "mid_month", F.lit(14))
        .when(rule == "last_day", days - 1)
        .otherwise(lowest.cast("int"))
    )
    placed = met.withColumn("looked_at", first + place)
    looked_at = F.col("looked_at")
    span = F.get(F.filter("spans", lambda s: (s["first_day"] <= looked_at) & (s["last_day"] >= looked_at)), F.lit(0))
    listed_here = F.filter("own", lambda one: (one["first_day"] < first + days) & (one["last_day"] >= first))
    spanned = placed.withColumns({"span": span, "listed_here": listed_here})
    fails = (
        F.when(F.col("is_known").isNull(), "UNKNOWN_MEMBER")
        .when((F.col("number") < first_told) | (F.col("number") > last_payable), "NOT_TOLD")
        .when(F.coalesce(F.col("number") > F.col("death_number"), F.lit(False)), "DECEASED")
        .when(~_holds(F.col("enrolled")), "NOT_ENROLLED")
        .when(~_holds(F.col("met")), "NOT_LISTED")
        .when(~_holds(F.col("covered")), "OUTSIDE_CONTRACT")
    )
    if has_reasons:
        of_month = F.get(F.filter("failing", lambda one: one["number"] == F.col("number")), F.lit(0))["reasons"]
        failing = F.get(F.array_intersect(F.coalesce(of_month, F.array().cast(TEXTS)), "month_reasons"), F.lit(0))
        fails = F.coalesce(fails, failing)
    share = F.round(F.bit_count("covered").cast("decimal(18,6)") / days, 6).cast(MONTHS)
    return spanned.withColumns(
        {
            "not_due_reason": fails,
            "medicare_status_code": F.col("span")["medicare_status_code"],
            "dual_status_code": F.col("span")["dual_status_code"],
            "exposure": F.when(rule == "prorated", share).otherwise(F.lit(1).cast(MONTHS)),
            "age": age_on(F.col("birth_date"), F.col("coverage_month")),
            "has_list": F.exists("own", lambda one: one["has_list"]),
            "listed_since": F.array_max(F.transform("listed_here", lambda one: one["first_day"])),
            "person_sex": F.coalesce("sex", F.lit("U")),
        }
    ).withColumn("person_type", enrollment_type_of(policy.eligibility.dual, F.col("span").isNotNull()))


def _priced(judged: DataFrame, rates_of_kinds: DataFrame, normalization_factors: DataFrame) -> DataFrame:
    """Each month with its rate row, score and amounts, due or not."""
    rate_day, age = F.greatest("first_day", "start_day"), F.col("age")
    of_kind = judged.join(F.broadcast(rates_of_kinds), ["contract_id", "person_type", "person_sex"], how="left")

    def fits(rate: Column) -> Column:
        in_band = F.coalesce((rate["age_first"] <= age) & (rate["age_last"] >= age), F.lit(False))
        return (rate["first_day"] <= rate_day) & (rate["last_day"] >= rate_day) & ((rate["age_band"] == "*") | in_band)

    row = F.get(F.filter("rates", fits), F.lit(0))
    of_year = F.get(F.filter("scores", lambda s: s["performance_year"] == F.year("coverage_month")), F.lit(0))[
        "risk_score"
    ]
    found = of_kind.withColumns({"row": row, "raw": of_year, "year": F.year("coverage_month")})
    factors = normalization_factors.select(
        F.col("performance_year").alias("year"), F.col("normalization_factor").cast(FACTOR).alias("factor")
    )
    with_factor = found.join(F.broadcast(factors), "year", how="left")
    adjusts = F.coalesce(F.col("row")["risk_adjusted"], F.lit(False))
    normalized = F.round(F.col("raw").cast(SCORE) / F.col("factor"), 6).cast(SCORE)
    one = F.lit(1).cast(SCORE)
    # a score without a factor of its year leaves the month without an amount: it is refused, not paid at 1
    score = F.when(~adjusts | F.col("raw").isNull(), one).otherwise(normalized)
    scored = with_factor.withColumn("score", score)
    exact = F.col("row")["rate"].cast("decimal(12,2)") * F.col("score") * F.col("exposure").cast("decimal(7,6)")
    return scored.withColumns(
        {
            "amount": F.round(exact, 2).cast(MONEY),
            "has_score": F.col("raw").isNotNull(),
            "member_cell": F.concat_ws(
                " x ", "person_type", F.coalesce(F.col("age").cast("string"), F.lit("unknown age")), "person_sex"
            ),
        }
    )


def _one_contract(priced: DataFrame, overlap: str) -> DataFrame:
    """Of two contracts with one member month one is paid, unless `overlap` is both.

    Few members have two contracts: the months of the others are not sorted.
    """
    by_month = Window.partitionBy("member_id", "coverage_month", "competes").orderBy(
        F.desc("has_list"), F.desc_nulls_last("listed_since"), "contract_id"
    )
    ranked = priced.withColumn("competes", F.col("not_due_reason").isNull())
    if overlap == "both":
        ranked = ranked.withColumn("place", F.lit(1))
    else:
        alone, rivals = ranked.where("NOT has_rivals"), ranked.where("has_rivals")
        ranked = alone.withColumn("place", F.lit(1)).unionByName(
            rivals.withColumn("place", F.row_number().over(by_month))
        )
    loses = F.col("competes") & (F.col("place") > 1)
    is_due = F.col("competes") & ~loses
    zero, row = F.lit(0).cast(MONEY), F.col("row")
    settled = ranked.withColumns({"loses": loses, "is_due": is_due})
    due = F.when(F.col("is_due"), F.col("amount")).otherwise(zero)
    return settled.select(
        "contract_id",
        "member_id",
        "coverage_month",
        "network_id",
        "is_due",
        F.when(F.col("loses"), "TWO_CONTRACTS").otherwise(F.col("not_due_reason")).alias("not_due_reason"),
        *[F.when(F.col("is_due"), row[name]).alias(name) for name in ("enrollment_type", "age_band", "sex", "rate")],
        F.when(F.col("is_due"), row["risk_adjusted"]).alias("risk_adjusted"),
        F.when(F.col("is_due"), F.col("score")).alias("normalized_risk_score"),
        F.when(F.col("is_due"), F.col("has_score")).alias("is_scored"),
        F.when(F.col("is_due"), F.col("exposure")).otherwise(F.lit(0).cast(MONTHS)).cast(MONTHS).alias("exposure"),
        due.cast(MONEY).alias("due_amount"),
        F.round(F.coalesce(due, zero) * F.col("withhold_share"), 2).cast(MONEY).alias("withhold_due"),
        F.when(F.col("loses"), F.coalesce("amount", zero)).otherwise(zero).cast(MONEY).alias("forgone_amount"),
        "member_cell",
    )
