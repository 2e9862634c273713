"""`mssp`: assignment in steps by where primary care was given (42 CFR 425.400 to 425.402).

Step 1: a member with any service of a step 1 clinician (primary care physician, nurse practitioner, clinical nurse
specialist, physician assistant) goes by those clinicians' charges. Step 2: a member with none, by those of the listed
specialists. Pre-step: a network that wins needs a service of a physician, of either kind. Step 3, from 2025: who has
a physician in no network goes by all their charges of 24 months.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.silver.candidates import CANDIDATE, MEMBER_YEAR, by_provider, over, ranked

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PHYSICIAN, NON_PHYSICIAN, SPECIALIST = "1-physician", "1-non-physician", "2-specialist"
"""Steps of reference.specialties."""
KEPT = ("passes", "step", "is_seen")
STEP_3_FROM = 2025
MORE_MONTHS = 12
"""By so many months the window of step 3 is longer."""


def longer_windows(performance_years: Sequence[int]) -> dict[int, int]:
    """The years with a step 3, each with the months that its services are looked for before the window."""
    return {year: MORE_MONTHS for year in performance_years if year >= STEP_3_FROM}


def mssp(lines: DataFrame, performance_years: Sequence[int]) -> DataFrame:
    """Each member and year with a winner: `ranked`'s columns, the step, and `passes`: the winner passed the pre-step.

    `lines` have clinician, candidate and amount; those before the window are not `is_recent`.
    """
    first = _steps_1_and_2(lines.where("is_recent"))
    if not longer_windows(performance_years):
        return first.drop("is_seen")
    last = _step_3(lines.where(F.col("performance_year") >= STEP_3_FROM))
    seen = first.where("is_seen").select(*MEMBER_YEAR)
    third = last.join(seen, list(MEMBER_YEAR), how="left_anti")
    rest = first.join(third.select(*MEMBER_YEAR), list(MEMBER_YEAR), how="left_anti")
    return rest.drop("is_seen").unionByName(third)


def _dates() -> dict[str, Column]:
    """Latest day of a step 1 and of a step 2 service."""
    is_first = F.col("clinician").isin(PHYSICIAN, NON_PHYSICIAN)
    return {
        "first_latest": F.max(F.when(is_first, F.col("service_date"))),
        "second_latest": F.max(F.when(~is_first, F.col("service_date"))),
    }


def _steps_1_and_2(lines: DataFrame) -> DataFrame:
    """Also `is_seen`: some network passed the pre-step."""
    is_first = F.col("clinician").isin(PHYSICIAN, NON_PHYSICIAN)
    sums = by_provider(
        lines,
        first_amount=F.sum(F.when(is_first, F.col("amount"))),
        second_amount=F.sum(F.when(~is_first, F.col("amount"))),
        has_physician=F.bool_or(F.col("clinician") != NON_PHYSICIAN),
        **_dates(),
    )
    goes_first = F.col("step") == "step_1"
    member_year, candidate = over(*MEMBER_YEAR), over(*CANDIDATE)
    has_first = F.count("first_amount").over(member_year) > 0
    measured = sums.withColumns(
        {
            "step": F.when(has_first, "step_1").otherwise("step_2"),
            "passes": F.bool_or("has_physician").over(candidate),
            "is_seen": F.bool_or(F.col("has_physician") & ~F.col("is_outside")).over(member_year),
            "first_date": F.max("first_latest").over(candidate),
            "second_date": F.max("second_latest").over(candidate),
        }
    ).withColumns(
        {
            "amount": F.when(goes_first, F.col("first_amount")).otherwise(F.col("second_amount")),
            "latest": F.when(goes_first, F.col("first_latest")).otherwise(F.col("second_latest")),
        }
    )
    return ranked(measured.where("amount > 0"), ("first_date", "second_date"), KEPT)


def _step_3(lines: DataFrame) -> DataFrame:
    """Members whom some network may take: one of its non-physicians saw them in the window, one of its physicians in
    the longer one. All charges of all clinicians count, of every candidate."""
    is_physician = F.col("clinician") != NON_PHYSICIAN
    sums = by_provider(
        lines,
        amount=F.sum("amount"),
        latest=F.max("service_date"),
        has_physician=F.bool_or(is_physician),
        has_other=F.bool_or(~is_physician & F.col("is_recent")),
        **_dates(),
    )
    candidate = over(*CANDIDATE)
    judged = sums.withColumns(
        {
            "passes": F.bool_or("has_physician").over(candidate) & F.bool_or("has_other").over(candidate),
            "first_date": F.max("first_latest").over(candidate),
            "second_date": F.max("second_latest").over(candidate),
        }
    ).withColumn("is_taken", F.bool_or(F.col("passes") & ~F.col("is_outside")).over(over(*MEMBER_YEAR)))
    told = judged.where("is_taken").withColumns({"step": F.lit("step_3"), "is_seen": F.lit(False)})
    return ranked(told, ("first_date", "second_date"), KEPT).drop("is_seen")
