"""Member months that a payment run counts otherwise than the run before (payment-and-outcomes section 3).

With the months as they are counted now, the changes tell what each earlier run counted: what stood before the first
change after it, or what is counted now where there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.capitation_ledger import KEY
from pmpm_spark.months import month_number, number_of
from pmpm_spark.table import MONTHS, Table, column, day, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHANGES = ("DEATH", "CONTRACT_CHANGE", "RETRO_TERMINATION", "RETRO_ENROLLMENT")
"""In the order in which the first decides."""

MEMBER_MONTH_CHANGES = Table(
    name="gold.member_month_changes",
    grain="one row per contract, posting run, member and coverage month that it counts otherwise than the run before",
    key=("contract_id", "posting_run", "member_id", "coverage_month"),
    columns=(
        text("contract_id", "contract, as it was called then"),
        year("posting_run", "payment run that counts it otherwise, as in capitation_ledger"),
        text("member_id", "pseudonymous member key"),
        day("coverage_month", "first day of the month"),
        column("exposure_before", MONTHS, "member months counted by the run before; 0 = not due"),
        column("exposure_now", MONTHS, "member months counted by this run; 0 = not due"),
        text("reason_before", "why it was not due, as in silver.capitation_due; null where it was"),
        text("reason_now", "why it is not due; null where it is"),
        text("change", f"what changed: {', '.join(CHANGES)}"),
    ),
    rules={
        "something_changed": "exposure_before <> exposure_now",
        "reason_where_not_due": "(exposure_now = 0) = (reason_now IS NOT NULL)",
        "change_is_known": f"change IN ({', '.join(repr(name) for name in CHANGES)})",
    },
    cluster_by=("member_id",),
)

_BEFORE = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("payable_before", T.IntegerType()),
        T.StructField("is_changed", T.BooleanType()),
    ]
)


@dataclass(frozen=True)
class EarlierRun:
    """A payment run of a contract, by the id that the contract has now, and the last month that was payable."""

    contract_id: str
    posting_run: int
    payable_through: date


def member_month_changes(
    due: DataFrame,
    due_before: DataFrame,
    former_due: DataFrame | None,
    *,
    earlier: Sequence[EarlierRun],
    is_changed: Collection[str],
    posting_run: int,
) -> DataFrame:
    """Every month that an earlier run could count and that is counted otherwise now, within the limit or not.

    `due_before` is silver.capitation_due of the run before, by the contracts' ids of now; `former_due` that of today's
    data under the former terms of the contracts in `is_changed`. A month that becomes payable is no change.
    """
    payable: dict[str, int] = {}
    for run in earlier:
        payable[run.contract_id] = max(payable.get(run.contract_id, -1), number_of(run.payable_through))
    rows = [(contract_id, number, contract_id in is_changed) for contract_id, number in payable.items()]
    known = F.broadcast(small_frame(due.sparkSession, rows, _BEFORE))
    before = due_before.select(
        *KEY, F.col("exposure").alias("exposure_then"), F.col("not_due_reason").alias("reason_then"),
        F.lit(True).alias("was_there"),
    )  # fmt: skip
    now = due.select(
        *KEY, F.col("exposure").alias("exposure_now"), F.col("not_due_reason").alias("reason_now")
    )  # fmt: skip
    found = now.join(known, "contract_id", how="inner").where(month_number("coverage_month") <= F.col("payable_before"))
    found = found.join(before, list(KEY), how="left").withColumns(
        {
            "exposure_before": F.coalesce("exposure_then", F.lit(0).cast(MONTHS)),
            # who stood in no list, attribution or ledger had no row
            "reason_before": F.when(F.col("was_there"), F.col("reason_then")).otherwise("NOT_LISTED"),
        }
    )
    changed = found.where("exposure_before <> exposure_now")
    if former_due is None:
        changed = changed.withColumn("by_former_terms", F.lit(False))
    else:
        of_former = former_due.select(*KEY, F.col("exposure").alias("former_exposure"))
        equal = F.coalesce("former_exposure", F.lit(0).cast(MONTHS)) == F.col("exposure_before")
        changed = changed.join(of_former, list(KEY), how="left").withColumn(
            "by_former_terms", F.col("is_changed") & equal
        )
    died = F.col("reason_now").eqNullSafe(F.lit("DECEASED"))
    rose = F.col("reason_before").eqNullSafe(F.lit("DECEASED")) & (F.col("exposure_now") > 0)
    change = (
        F.when(died | rose, "DEATH")
        .when(F.col("by_former_terms"), "CONTRACT_CHANGE")
        .when(F.col("exposure_now") < F.col("exposure_before"), "RETRO_TERMINATION")
        .otherwise("RETRO_ENROLLMENT")
    )
    return changed.withColumns({"posting_run": F.lit(posting_run), "change": change}).select(
        *MEMBER_MONTH_CHANGES.column_names
    )
