"""The steps from what was paid to the policy's dollars, in the policy's order, each with its effect in cents.

A step takes a row's dollars as the steps before it left them, and is rounded half up to cents once, on the row of a
member, month and service category: every table above adds up the same cents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.measures import in_cents, ratio
from pmpm_spark.months import month_at, month_number, months_from_to
from pmpm_spark.policy import Cost
from pmpm_spark.table import MONEY, SCORE, Column, money

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

PHARMACY = "pharmacy"
ALLOWED, TRUNCATED = "allowed_effect", "truncated_effect"
EFFECTS: dict[str, tuple[str, ...]] = {
    "exclude": ("pass_through_effect", "ime_dsh_uncompensated_effect"),
    "sequestration": ("sequestration_effect",),
    "complete": ("completion_effect",),
    "truncate": (TRUNCATED,),
}
"""The effects of each step of `cost.steps`; the others only say per what the dollars are truncated."""
ROW_EFFECTS = (ALLOWED, *[name for step, names in EFFECTS.items() if step != "truncate" for name in names])
EFFECT_COLUMNS: dict[str, Column] = {
    ALLOWED: money(ALLOWED, "step ALLOWED: the allowed amount instead of the paid one"),
    "pass_through_effect": money("pass_through_effect", "step PASS_THROUGH: pass-through left out"),
    "ime_dsh_uncompensated_effect": money(
        "ime_dsh_uncompensated_effect",
        "step IME_DSH_UNCOMPENSATED: indirect medical education, disproportionate share, uncompensated care left out",
    ),
    "sequestration_effect": money("sequestration_effect", "step SEQUESTRATION: what it withheld, added back"),
    "completion_effect": money("completion_effect", "step COMPLETION: what is still to be paid, added"),
    TRUNCATED: money(TRUNCATED, "step TRUNCATED: what is above the limit of the member's year, left out"),
}
LAST_MONTH = 2200 * 12
"""Rates without an end are taken until the year 2200."""


def reason_of(effect: str) -> str:
    """The step's name in gold.excluded."""
    return effect.removesuffix("_effect").upper()


def in_order_of(cost: Cost) -> tuple[str, ...]:
    """The columns of effects in the policy's order."""
    return (ALLOWED, *[name for step in cost.steps for name in EFFECTS.get(step, ())])


def months_of_rates(sequestration_rates: DataFrame) -> DataFrame:
    """One row per month of service: thru_month, sequestration_rate; of two rates for a month the higher."""
    last = F.least(month_number("last_month"), F.lit(LAST_MONTH))
    months = sequestration_rates.select(
        F.explode(months_from_to(month_number("first_month"), last)).alias("month"), "sequestration_rate"
    )
    return (
        months.groupBy("month")
        .agg(F.max("sequestration_rate").alias("sequestration_rate"))
        .select(month_at(F.col("month")).alias("thru_month"), "sequestration_rate")
    )


def stepped(rows: DataFrame, cost: Cost) -> DataFrame:
    """The rows with the effect of every step but the truncation, and `counted_amount` after them.

    `rows` has counted_paid_amount, `basis_amount` (paid or allowed), `pass_through`, `ime_dsh_uncompensated`,
    service_category, and, where the policy asks for them, sequestration_rate and completion_factor (null is none).
    """
    amount = F.col("basis_amount")
    zero = F.lit(0).cast(MONEY)
    told = rows.withColumns(
        {
            ALLOWED: (amount - F.col("counted_paid_amount")).cast(MONEY),
            "pass_through_effect": zero if cost.include_pass_through else -F.col("pass_through"),
            "ime_dsh_uncompensated_effect": (
                -F.col("ime_dsh_uncompensated") if cost.exclude_ime_dsh_uncompensated else zero
            ),
            "counted_amount": amount,
        }
    )
    for step in cost.steps:
        if step == "exclude":
            left = F.col("counted_amount") + F.col("pass_through_effect") + F.col("ime_dsh_uncompensated_effect")
            told = told.withColumn("counted_amount", left.cast(MONEY))
        elif step in EFFECTS and step != "truncate":
            (effect,) = EFFECTS[step]
            share = _share_paid(step, cost)
            told = told.withColumn(effect, zero if share is None else _grown(F.col("counted_amount"), share))
            if share is not None:
                told = told.withColumn("counted_amount", (F.col("counted_amount") + F.col(effect)).cast(MONEY))
    return told


def _share_paid(step: str, cost: Cost) -> SparkColumn | None:
    """What share of the dollars stands in the row; the step divides by it. None where the policy leaves it out."""
    if step == "sequestration":
        # an allowed amount is before the cut; drugs are cut in what the plan gets, not in what it pays
        cut = F.when(F.col("service_category") != PHARMACY, F.col("sequestration_rate"))
        applies = cost.sequestration_add_back and cost.amount == "paid"
        return F.lit(1).cast(SCORE) - F.coalesce(cut, F.lit(0).cast(SCORE)) if applies else None
    return F.coalesce(F.col("completion_factor").cast("double"), F.lit(1.0)) if cost.completion != "none" else None


def _grown(amount: SparkColumn, share: SparkColumn) -> SparkColumn:
    """What amount / share, in cents, is above the amount."""
    return (in_cents(ratio(amount, share)) - amount).cast(MONEY)
