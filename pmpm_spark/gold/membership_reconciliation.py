"""Member months as counted now, as each earlier payment run counted them, and as the payer lists and pays them.

Only months with a difference (payment-and-outcomes section 3).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.capitation_ledger import KEY, line_of
from pmpm_spark.gold.member_month_changes import EarlierRun
from pmpm_spark.months import last_day_of, month_number, number_of
from pmpm_spark.table import MONEY, MONTHS, Table, column, day, flag, money, small_frame, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

DIFFERENCES = ("PAYER_ONLY", "OURS_ONLY", "AMOUNT", "CHANGED")
"""In the order in which the first decides."""
COUNTED = T.StructType([T.StructField("posting_run", T.IntegerType()), T.StructField("exposure", MONTHS)])

MEMBERSHIP_RECONCILIATION = Table(
    name="gold.membership_reconciliation",
    grain="one row per contract, member and coverage month with a difference, as of the last payment run",
    key=("contract_id", "member_id", "coverage_month"),
    columns=(
        text("contract_id", "contract"),
        text("member_id", "pseudonymous member key"),
        day("coverage_month", "first day of the month"),
        day("as_of", "day as known on which it is counted"),
        column("exposure_now", MONTHS, "member months counted now; 0 = not due"),
        column(
            "counted_in_runs", T.ArrayType(COUNTED), "member months that each earlier run counted that could count it"
        ),
        flag("payer_listed", "the payer lists the month; null where it lists no month of the contract"),
        money("payer_amount", "what the payer says it paid; null where it says nothing"),
        money("ledger_amount", "posted in capitation_ledger so far, before what is withheld"),
        text(
            "difference",
            "PAYER_ONLY (on a list of the payer, not due), OURS_ONLY (due, not listed), AMOUNT (payer_amount is not "
            "ledger_amount), CHANGED (an earlier run counted it otherwise): the first that holds",
        ),
        text(
            "reason",
            "why it is not due (PAYER_ONLY); the last change (CHANGED); else why it is not posted, or the last line's",
        ),
    ),
    rules={"difference_is_known": f"difference IN ({', '.join(repr(name) for name in DIFFERENCES)})"},
    cluster_by=("member_id",),
)

_RUNS = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField(
            "runs",
            T.ArrayType(
                T.StructType([T.StructField("posting_run", T.IntegerType()), T.StructField("payable", T.IntegerType())])
            ),
        ),
    ]
)


def membership_reconciliation(
    due: DataFrame,
    changes: DataFrame,
    posted: DataFrame,
    unposted: DataFrame,
    payer_member_months: DataFrame,
    contract_members: DataFrame,
    *,
    earlier: Sequence[EarlierRun],
    payer_lists: Collection[str],
    as_of: date,
) -> DataFrame:
    """Every difference in membership by contract, member and month.

    `changes` and `posted` (`posted_so_far` of the ledger) are by the contracts' ids of now; `unposted` of this run
    alone; `payer_lists` names the contracts of which the payer lists a month.
    """
    of_contract: dict[str, list[dict[str, int]]] = {}
    for run in sorted(earlier, key=lambda one: one.posting_run):
        told = {"posting_run": run.posting_run, "payable": number_of(run.payable_through)}
        of_contract.setdefault(run.contract_id, []).append(told)
    runs = F.broadcast(small_frame(due.sparkSession, list(of_contract.items()), _RUNS))
    was_changed = changes.groupBy(*KEY).agg(F.lit(True).alias("was_changed"))
    counted = due.select(*KEY, "is_due", "exposure", "not_due_reason")
    months = _beside_the_payer(counted, payer_member_months, payer_lists)
    months = months.join(was_changed, list(KEY), how="left").join(
        _unknown_on_the_list(counted, contract_members, as_of), list(KEY), how="left"
    )
    told_of = months.where("payer_listed IS NOT NULL OR was_changed OR is_unknown")
    lines = posted.select(*KEY, F.col("posted").alias("ledger_amount"), "last_line")
    kept = unposted.select(*KEY, F.col("reason").alias("kept_reason"))
    found = told_of.join(lines, list(KEY), how="left").join(kept, list(KEY), how="left")
    found = found.withColumns(
        {
            "ledger_amount": F.coalesce("ledger_amount", F.lit(0).cast(MONEY)),
            "is_due": F.coalesce("is_due", F.lit(False)),
            "exposure_now": F.coalesce("exposure", F.lit(0).cast(MONTHS)),
        }
    )
    is_due, is_listed = F.col("is_due"), F.coalesce("payer_listed", F.lit(False))
    on_a_list = is_listed | F.coalesce("is_unknown", F.lit(False))
    difference = (
        F.when(~is_due & on_a_list, "PAYER_ONLY")
        .when(is_due & ~is_listed & F.col("payer_listed").isNotNull(), "OURS_ONLY")
        .when(is_due & is_listed & (F.col("payer_amount") != F.col("ledger_amount")), "AMOUNT")
        .when(F.col("was_changed"), "CHANGED")
    )
    differing = found.withColumn("difference", difference).where("difference IS NOT NULL")
    # lists and texts are looked into where a month differs, alone
    of_month = changes.groupBy(*KEY).agg(
        F.sort_array(F.collect_list(F.struct("posting_run", "exposure_before", "change"))).alias("changes")
    )
    last_change = F.element_at("changes", -1)["change"]
    reason = (
        F.when(F.col("difference") == "PAYER_ONLY", F.coalesce("not_due_reason", F.lit("NOT_TOLD")))
        .when(F.col("difference") == "CHANGED", last_change)
        .otherwise(F.coalesce("kept_reason", line_of("last_line")["reason"], last_change, F.lit("NEW_MONTH")))
    )
    with_runs = differing.join(of_month, list(KEY), how="left").join(runs, "contract_id", how="left")
    return with_runs.withColumns(
        {"as_of": F.lit(as_of), "reason": reason, "counted_in_runs": _counted_in_runs()}
    ).select(*MEMBERSHIP_RECONCILIATION.column_names)


def _beside_the_payer(counted: DataFrame, payer_member_months: DataFrame, payer_lists: Collection[str]) -> DataFrame:
    """The months that are due or not, and those that the payer lists; nothing of the payer where it lists none."""
    if not payer_lists:
        return counted.withColumns(
            {"payer_listed": F.lit(None).cast("boolean"), "payer_amount": F.lit(None).cast(MONEY)}
        )
    listed = payer_member_months.select(*KEY, F.col("amount").alias("payer_amount"), F.lit(True).alias("is_listed"))
    is_listed = F.coalesce("is_listed", F.lit(False))
    has_list = F.col("contract_id").isin(*payer_lists)
    return counted.join(listed, list(KEY), how="full").withColumn("payer_listed", F.when(has_list, is_listed))


def _unknown_on_the_list(counted: DataFrame, contract_members: DataFrame, as_of: date) -> DataFrame:
    """The months for which contract_members lists somebody whom no enrollment knows."""
    rows = contract_members.where(F.col("recorded_on").isNull() | (F.col("recorded_on") <= F.lit(as_of)))
    days = rows.select("contract_id", "member_id", "start_date", "end_date")
    unknown = counted.where("not_due_reason = 'UNKNOWN_MEMBER'").select(*KEY)
    on_list = unknown.join(days, ["contract_id", "member_id"], how="inner").where(
        (F.col("start_date") <= last_day_of("coverage_month")) & (F.col("end_date") >= F.col("coverage_month"))
    )
    return on_list.groupBy(*KEY).agg(F.lit(True).alias("is_unknown"))


def _counted_in_runs() -> Column:
    """What each run counted that could: what stood before the first change after it, else what is counted now."""
    number = month_number("coverage_month")
    changes = F.coalesce(
        "changes", F.array().cast("array<struct<posting_run:int,exposure_before:decimal(12,6),change:string>>")
    )
    could = F.filter(
        F.coalesce("runs", F.array().cast("array<struct<posting_run:int,payable:int>>")),
        lambda run: run["payable"] >= number,
    )

    def counted(run: Column) -> Column:
        later = F.filter(changes, lambda change: change["posting_run"] > run["posting_run"])
        exposure = F.coalesce(F.get(later, F.lit(0))["exposure_before"], F.col("exposure_now"))
        return F.struct(run["posting_run"].alias("posting_run"), exposure.cast(MONTHS).alias("exposure"))

    return F.transform(could, counted)
