"""The capitation ledger: every change of what is due as one signed line with its reason, never rewritten.

What a month is due less what earlier payment runs posted (payment-and-outcomes section 2). Months beyond the
contract's limit stand in capitation_unposted instead, so that both add up to what is due now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.contract_terms import Terms
from pmpm_spark.months import month_number, number_of
from pmpm_spark.table import MONEY, MONTHS, SCORE, TEXTS, Table, column, day, flag, money, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

REASONS = (
    "NEW_MONTH",
    "DEATH",
    "CONTRACT_CHANGE",
    "RETRO_TERMINATION",
    "RETRO_ENROLLMENT",
    "RATE_CELL_CHANGE",
    "RATE_CHANGE",
    "RISK_UPDATE",
)
"""In the order in which the first decides; what none of them explains is a CONTRACT_CHANGE."""
KEY = ("contract_id", "member_id", "coverage_month")
_BETWEEN = "\t"
"""Lower than what a cell is made of."""
_LAST = ("reason", "enrollment_type", "age_band", "sex", "rate", "risk_adjusted", "normalized_risk_score", "exposure")

CAPITATION_LEDGER = Table(
    name="gold.capitation_ledger",
    grain="one row per contract, posting run, member and coverage month that changed",
    key=("contract_id", "posting_run", "member_id", "coverage_month"),
    columns=(
        text("contract_id", "contract"),
        year("posting_run", "number of the payment run, 1 up; one for all contracts of a run"),
        text("member_id", "pseudonymous member key"),
        day("coverage_month", "first day of the month that is paid"),
        day("as_of", "day as known on which it was posted"),
        text("network_id", "network of the contract"),
        text("reason", f"why the amount changed: {', '.join(REASONS)}"),
        column("also_changed", TEXTS, "further reasons that hold"),
        text("enrollment_type", "the rate row's; of the last line where nothing is due now"),
        text("age_band", "the rate row's; likewise"),
        text("sex", "the rate row's; likewise"),
        money("rate", "per member month; likewise"),
        flag("risk_adjusted", "the rate is multiplied by the score; likewise"),
        column("normalized_risk_score", SCORE, "score over the year's factor, 1 where none; likewise"),
        flag("is_scored", "the member has a score for the year; null where nothing is due"),
        column("exposure", MONTHS, "member months due now"),
        money("due_amount", "due now"),
        money("posted_before", "posted by earlier runs"),
        money("amount", "posted by this run: due_amount - posted_before"),
        money("withhold_amount", "of it withheld: withhold due now less that posted before"),
        money("net_amount", "amount - withhold_amount"),
        text("policy", "policy that months, attribution and scores come from"),
        text("run_id", "run that posted it"),
    ),
    rules={
        "amount_is_the_change": "amount = due_amount - posted_before",
        "net_is_the_rest": "net_amount = amount - withhold_amount",
        "something_changed": "amount <> 0 OR withhold_amount <> 0",
    },
    cluster_by=("member_id",),
)

CAPITATION_UNPOSTED = Table(
    name="gold.capitation_unposted",
    grain="one row per contract, posting run, member and month beyond the limit that differs from what is posted",
    key=("contract_id", "posting_run", "member_id", "coverage_month"),
    columns=(
        text("contract_id", "contract"),
        year("posting_run", "payment run that listed it; each lists all anew"),
        text("member_id", "pseudonymous member key"),
        day("coverage_month", "first day of the month"),
        day("as_of", "day as known on which it was listed"),
        text("reason", "as in capitation_ledger"),
        money("due_amount", "due now"),
        money("posted_amount", "posted so far"),
        money("unposted_amount", "due_amount - posted_amount: what the limit keeps from being posted"),
        money("unposted_withhold", "withhold due now less that posted so far"),
    ),
    rules={"unposted_is_the_rest": "unposted_amount = due_amount - posted_amount"},
    cluster_by=("member_id",),
)

_FORMER = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("limit_months", T.IntegerType()),
        T.StructField("payable_before", T.IntegerType()),
        T.StructField("is_changed", T.BooleanType()),
    ]
)


@dataclass(frozen=True)
class Former:
    """What the payment run before knew of a contract: its last payable month, and whether its terms were others."""

    payable_through: date
    is_changed: bool = False


def current_id(now: Mapping[str, str]) -> Column:
    """The contract as it is called now: `now` has its id by each that it had."""
    contract_id = F.col("contract_id")
    return F.coalesce(*[F.when(contract_id == former, current) for former, current in now.items()], contract_id)


def under_current_ids(rows: DataFrame, now: Mapping[str, str]) -> DataFrame:
    return rows.withColumn("contract_id", current_id(now))


def posted_so_far(ledger: DataFrame, now: Mapping[str, str]) -> DataFrame:
    """Sums and `last_line` by contract as it is called now, member and month.

    The last line is the highest text of its run and what it tells (`line_of`): engines are slow at the highest row.
    """
    told = [F.coalesce(F.col(name).cast("string"), F.lit("")) for name in _LAST]
    return (
        under_current_ids(ledger, now)
        .groupBy(*KEY)
        .agg(
            F.sum("amount").cast(MONEY).alias("posted"),
            F.sum("withhold_amount").cast(MONEY).alias("withheld"),
            F.max(F.concat_ws(_BETWEEN, F.format_string("%09d", "posting_run"), *told)).alias("last_line"),
        )
    )


def line_of(last_line: str) -> Column:
    """The fields of a last line; null where there is none."""
    types = {one.name: one.type for one in CAPITATION_LEDGER.columns}
    parts = F.split(last_line, _BETWEEN)
    told = [
        F.when(parts[place] != "", parts[place]).cast(types[name]).alias(name) for place, name in enumerate(_LAST, 1)
    ]
    return F.when(F.col(last_line).isNotNull(), F.struct(*told))


def capitation_changes(
    due: DataFrame,
    posted: DataFrame,
    former_due: DataFrame | None,
    *,
    contracts: Sequence[Terms],
    former: Mapping[str, Former],
    posting_run: int,
    as_of: date,
    policy: str,
    run_id: str,
) -> DataFrame:
    """Every month whose due differs from what is posted: the ledger's columns, unposted's, and is_open.

    `former_due` has due_amount and withhold_due of today's data under the former terms, where terms changed.
    """
    spark = due.sparkSession
    rows = [
        (
            one.contract_id,
            one.retro_limit_months,
            number_of(former[one.contract_id].payable_through) if one.contract_id in former else -1,
            one.contract_id in former and former[one.contract_id].is_changed,
        )
        for one in contracts
    ]
    terms = F.broadcast(small_frame(spark, rows, _FORMER))
    zero = F.lit(0).cast(MONEY)
    found = due.join(posted, list(KEY), how="left").join(terms, "contract_id", how="inner")
    if former_due is None:
        found = found.withColumn("by_former_terms", F.lit(False))
    else:
        of_former = former_due.select(
            *KEY, F.col("due_amount").alias("former_amount"), F.col("withhold_due").alias("former_withhold")
        )
        equal = (F.coalesce("former_amount", zero) == F.coalesce("posted", zero)) & (
            F.coalesce("former_withhold", zero) == F.coalesce("withheld", zero)
        )
        found = found.join(of_former, list(KEY), how="left").withColumn("by_former_terms", F.col("is_changed") & equal)
    amounts = (
        found.withColumns(
            {
                "had_line": F.col("last_line").isNotNull(),
                "posted_before": F.coalesce("posted", zero),
                "amount": (F.col("due_amount") - F.coalesce("posted", zero)).cast(MONEY),
                "withhold_amount": (F.col("withhold_due") - F.coalesce("withheld", zero)).cast(MONEY),
            }
        )
        .where("amount <> 0 OR withhold_amount <> 0")
        .withColumn("last", line_of("last_line"))
    )
    holds = _reasons(amounts)
    told = F.array_compact(F.array(*[F.when(condition, name) for name, condition in holds.items()]))
    number = month_number("coverage_month")
    reasoned = amounts.withColumns(
        {
            "told": told,
            "is_open": F.coalesce(F.lit(number_of(as_of)) - number <= F.col("limit_months"), F.lit(True)),
        }
    )
    kept = {name: F.when(F.col("is_due"), F.col(name)).otherwise(F.col("last")[name]) for name in _LAST[1:-1]}
    return reasoned.select(
        *KEY,
        F.lit(posting_run).alias("posting_run"),
        F.lit(as_of).alias("as_of"),
        "network_id",
        F.coalesce(F.get("told", F.lit(0)), F.lit("CONTRACT_CHANGE")).alias("reason"),
        F.slice("told", 2, len(REASONS)).alias("also_changed"),
        *[value.alias(name) for name, value in kept.items()],
        "is_scored",
        "exposure",
        "due_amount",
        "posted_before",
        "amount",
        "withhold_amount",
        (F.col("amount") - F.col("withhold_amount")).cast(MONEY).alias("net_amount"),
        F.lit(policy).alias("policy"),
        F.lit(run_id).alias("run_id"),
        "is_open",
        F.col("posted_before").alias("posted_amount"),
        F.col("amount").alias("unposted_amount"),
        F.col("withhold_amount").alias("unposted_withhold"),
    )


def _reasons(rows: DataFrame) -> dict[str, Column]:
    """Each reason with whether it holds. Of the ways in which a month comes or goes only the first is told."""
    last, is_due, had_line = F.col("last"), F.col("is_due"), F.col("had_line")
    exposure_before = F.coalesce(last["exposure"], F.lit(0).cast(MONTHS))
    is_new = ~had_line & (month_number("coverage_month") > F.col("payable_before"))
    died = F.coalesce(F.col("not_due_reason") == "DECEASED", F.lit(False))
    was_death = F.coalesce(last["reason"] == "DEATH", F.lit(False))
    death = (~is_due & died) | (is_due & was_death)
    both_due = is_due & had_line & (exposure_before > 0)
    same_cell = F.lit(True)
    for name in ("enrollment_type", "age_band", "sex"):
        same_cell = same_cell & F.col(name).eqNullSafe(last[name])
    same_rate = F.col("rate").eqNullSafe(last["rate"]) & F.col("risk_adjusted").eqNullSafe(last["risk_adjusted"])
    same_score = F.col("normalized_risk_score").eqNullSafe(last["normalized_risk_score"])
    return {
        "NEW_MONTH": is_new,
        "DEATH": ~is_new & death,
        "CONTRACT_CHANGE": ~is_new & ~death & F.col("by_former_terms"),
        "RETRO_TERMINATION": ~is_new & ~death & (F.col("exposure") < exposure_before),
        "RETRO_ENROLLMENT": ~is_new & ~death & (F.col("exposure") > exposure_before),
        "RATE_CELL_CHANGE": both_due & ~same_cell,
        "RATE_CHANGE": both_due & same_cell & ~same_rate,
        "RISK_UPDATE": both_due & ~same_score,
    }
