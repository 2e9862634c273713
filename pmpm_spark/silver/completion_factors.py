"""Completion factors: what share of a month's cost is paid so far, by service category and months of run-out.

Run-out is counted from the month of service to the newest month of payment that the claims tell. Supplied factors are
taken as they are. Estimated ones are those of the chain ladder: paid amounts by month of service and months until
payment, cumulated; from each run-out to the next the sum of all months of service that have both, next / this
(volume-weighted); a factor is 1 / the product of these from its run-out on.

How far what is completed may be off is Mack's standard error (ASTIN Bulletin 23/2, 1993, theorem 3): the spread of a
step is the sum over its months of service of this x (next / this - age to age) squared, over the months less one; the
squared relative error of a month that was paid C is process_variance / C + estimate_variance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.measures import ratio
from pmpm_spark.months import month_at, month_number
from pmpm_spark.table import MONEY, Table, column, count, day, money, quotient, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MOST_RUNOUT = 36
"""Payments later than so many months are taken as of this one: what is paid then is all."""
BACK_TEST_MONTHS = 12
_SERIES = ("claim_month", "service_category")
_KEY = ("method", *_SERIES, "incurred_month")
_STEPS = "array<struct<runout:int,age_to_age:double,months:bigint,process:double,estimate:double,weighs:double>>"

COMPLETION_FACTORS = Table(
    name="silver.completion_factors",
    grain=f"one row per method, month of a claim, service category and month of service with up to {MOST_RUNOUT} "
    "months of run-out",
    key=_KEY,
    columns=(
        text("method", "supplied or chain_ladder, as cost.completion"),
        text("claim_month", "thru or from, as cost.claim_month"),
        text("service_category", "first-level service category"),
        day("incurred_month", "month of service"),
        column("runout_months", T.IntegerType(), "months from the month of service to the newest month of payment"),
        quotient("completion_factor", "share already paid, above 0 and up to 1"),
        money("paid_amount", "paid so far, of all members"),
        quotient("age_to_age", "paid at the next run-out / paid at this one; null where none has both"),
        count("months_of_service", "months of service that age_to_age is taken from"),
        quotient(
            "back_test_error",
            f"of the month that had this run-out {BACK_TEST_MONTHS} months of payment ago: completed by what was known "
            "then / completed by what is known now, less 1; null where there is no such month",
        ),
        quotient(
            "process_variance",
            "squared relative error that dollars have by their own chance, x the dollars paid so far, US "
            "dollars; 0 for steps that one month of service alone has taken; null where supplied",
        ),
        quotient(
            "estimate_variance",
            "squared relative error that the age-to-age factors themselves give; null where supplied",
        ),
    ),
    rules={"factor_is_a_share": "completion_factor > 0 AND completion_factor <= 1"},
)


def completion_factors(claim_lags: DataFrame, supplied: DataFrame) -> DataFrame:
    """The supplied factors, and those that the chain ladder estimates, for both months of a claim."""
    newest = claim_lags.agg(month_number(F.max("paid_month")).alias("newest")).where("newest IS NOT NULL")
    payments = _payments(claim_lags).crossJoin(F.broadcast(newest))
    return chain_ladder(payments).unionByName(_supplied(payments, supplied), allowMissingColumns=True)


def _payments(claim_lags: DataFrame) -> DataFrame:
    both = [
        F.struct(F.lit(of).alias("claim_month"), month_number(f"{of}_month").alias("incurred"))
        for of in ("thru", "from")
    ]
    of_both = claim_lags.select(
        "service_category",
        F.explode(F.array(*both)).alias("at"),
        month_number("paid_month").alias("paid"),
        "paid_amount",
    )
    return (
        of_both.select("at.*", "service_category", F.greatest("paid", "at.incurred").alias("paid_in"), "paid_amount")
        .groupBy(*_SERIES, "incurred", "paid_in")
        .agg(F.sum("paid_amount").cast(MONEY).alias("paid_amount"))
    )


def _runout(until: Column) -> Column:
    return (until - F.col("incurred")).cast("int")


def _least_runout(until: Column) -> Column:
    return F.least(_runout(until), F.lit(MOST_RUNOUT))


def _is_step_of_payment(runout: Column) -> Column:
    return (runout + 1 >= F.col("lag")) & (runout < F.col("reached"))


def _age_to_age() -> Column:
    """1 where nothing was paid that could grow."""
    return F.when(F.col("this") > 0, ratio(F.col("next"), F.col("this"))).otherwise(F.lit(1.0))


def _spread() -> Column:
    """Mack's variance of a step, US dollars; 0 where one month alone has taken it."""
    grown = F.filter("of_months", lambda month: month["this"] > 0)
    squares = F.aggregate(grown, F.lit(0.0), lambda so_far, month: so_far + _square(month, F.col("age_to_age")))
    return F.when(F.col("months") > 1, squares / (F.col("months") - 1)).otherwise(F.lit(0.0))


def _square(month: Column, age_to_age: Column) -> Column:
    off = month["next"] / month["this"] - age_to_age
    return month["this"] * off * off


def _variances() -> list[Column]:
    """What a step adds to the squared relative error, and what the part of all later steps weighs beside it."""
    grows, volume = F.col("age_to_age"), F.col("this").cast("double")
    of_step = F.when(grows > 0, F.col("spread") / (grows * grows)).otherwise(F.lit(0.0))
    return [
        of_step.alias("process"),
        F.when(volume > 0, of_step / volume).otherwise(F.lit(0.0)).alias("estimate"),
        F.when(grows > 0, F.lit(1.0) / grows).otherwise(F.lit(1.0)).alias("weighs"),
    ]


def _supplied(payments: DataFrame, supplied: DataFrame) -> DataFrame:
    """The factors of the run-outs that months of service have."""
    months = payments.groupBy(*_SERIES, "incurred", "newest").agg(F.sum("paid_amount").alias("paid_amount"))
    return (
        months.withColumn("runout_months", _runout(F.col("newest")))
        .join(
            F.broadcast(supplied.select("service_category", "runout_months", "completion_factor")),
            ["service_category", "runout_months"],
            how="inner",
        )
        .select(
            F.lit("supplied").alias("method"),
            *_SERIES,
            month_at(F.col("incurred")).alias("incurred_month"),
            "runout_months",
            F.col("completion_factor").cast("double").alias("completion_factor"),
            "paid_amount",
        )
    )


def chain_ladder(payments: DataFrame, back: int = BACK_TEST_MONTHS) -> DataFrame:
    """Factors from all payments, each beside the error of those from the payments up to `back` months before.

    `payments` has claim_month, service_category, incurred, paid_in and newest (numbers of months), paid_amount.
    """
    days = F.explode(F.array(F.col("newest"), F.col("newest") - back))
    known = payments.withColumn("until", days).where("paid_in <= until AND incurred <= until")
    of_now = F.col("until") == F.col("newest")
    completed = ratio(F.col("paid_amount"), F.col("completion_factor"))

    def now(value: Column | str) -> Column:
        return F.max(F.when(of_now, value))

    names = (
        "runout_months",
        "completion_factor",
        "paid_amount",
        "age_to_age",
        "months_of_service",
        "process_variance",
        "estimate_variance",
    )
    months = (
        _ladder(known)
        .groupBy(*_SERIES, "incurred")
        .agg(
            *[now(F.col(name)).alias(name) for name in names],
            now(completed).alias("completed_now"),
            F.max(F.when(~of_now, completed)).alias("completed_then"),
        )
    )
    # the month that had this one's run-out then is as many months older
    at_that_runout = Window.partitionBy(*_SERIES).orderBy("incurred").rangeBetween(-back, -back)
    error = ratio(F.col("completed_then"), F.col("completed_now")) - 1
    return (
        months.withColumn("error", error)
        .withColumn("back_test_error", F.max("error").over(at_that_runout))
        .where(F.col("runout_months") <= MOST_RUNOUT)
        .select(
            F.lit("chain_ladder").alias("method"),
            *_SERIES,
            month_at(F.col("incurred")).alias("incurred_month"),
            *names,
            "back_test_error",
        )
    )


def _ladder(payments: DataFrame) -> DataFrame:
    """One row per series, day that payments are known until, and month of service: its run-out, paid so far, and the
    factor of that run-out."""
    series = (*_SERIES, "newest", "until")
    known = payments.select(
        *series,
        "incurred",
        "paid_amount",
        _runout(F.col("until")).alias("runout_months"),
        _least_runout(F.col("until")).alias("reached"),
        _least_runout(F.col("paid_in")).alias("lag"),
    )
    # a payment is part of each sum from its own run-out on, and of the next one's already a run-out before
    parts = known.select(
        *series,
        "incurred",
        "lag",
        "paid_amount",
        F.explode(F.filter(F.sequence(F.lit(0), F.lit(MOST_RUNOUT)), _is_step_of_payment)).alias("runout"),
    )
    months_of_steps = parts.groupBy(*series, "runout", "incurred").agg(
        F.sum("paid_amount").alias("next"),
        F.coalesce(F.sum(F.when(F.col("lag") <= F.col("runout"), F.col("paid_amount"))), F.lit(0)).alias("this"),
    )
    # in the order of the months: a sum of doubles depends on it
    amounts = [F.col(name).cast("double").alias(name) for name in ("this", "next")]
    month = F.struct("incurred", *amounts)
    steps = (
        months_of_steps.groupBy(*series, "runout")
        .agg(
            F.sum("next").alias("next"),
            F.sum("this").alias("this"),
            F.count(F.lit(1)).alias("months"),
            F.array_sort(F.collect_list(month)).alias("of_months"),
        )
        .withColumn("age_to_age", _age_to_age())
        .withColumn("spread", _spread())
        .select(*series, F.struct("runout", "age_to_age", "months", *_variances()).alias("step"))
    )
    ladders = steps.groupBy(*series).agg(F.array_sort(F.collect_list("step")).alias("steps"))
    months = known.groupBy(*series, "incurred", "runout_months", "reached").agg(
        F.sum("paid_amount").alias("paid_amount")
    )
    laddered = months.join(F.broadcast(ladders), list(series), how="left").withColumn(
        "steps", F.coalesce("steps", F.array().cast(_STEPS))
    )
    to_come = F.filter("steps", lambda step: step["runout"] >= F.col("reached"))
    grows = F.aggregate(to_come, F.lit(1.0), lambda so_far, step: so_far * step["age_to_age"])
    first = F.get(F.filter("steps", lambda step: step["runout"] == F.col("reached")), F.lit(0))
    # from the last step back: what comes after a step weighs less by its growth
    process = F.aggregate(F.reverse(to_come), F.lit(0.0), lambda after, step: step["process"] + after * step["weighs"])
    estimate = F.aggregate(to_come, F.lit(0.0), lambda so_far, step: so_far + step["estimate"])
    return laddered.select(
        *series,
        "incurred",
        "runout_months",
        "paid_amount",
        process.alias("process_variance"),
        estimate.alias("estimate_variance"),
        # repaid dollars would make a share above 1: what is paid is all then
        F.when(grows > 1, ratio(F.lit(1.0), grows)).otherwise(F.lit(1.0)).alias("completion_factor"),
        first["age_to_age"].alias("age_to_age"),
        first["months"].alias("months_of_service"),
    )
