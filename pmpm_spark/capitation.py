"""`pmpm capitate`: one payment run over the tables of the last finished run, published as any run is.

What it writes counts when its row in the book says finished: a run that is killed leaves no half of a posting.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig
from pmpm_spark.contract_terms import Terms
from pmpm_spark.errors import AuditError, ConfigError, InputError
from pmpm_spark.finance import check_finance, publish_finance
from pmpm_spark.gold.capitation_ledger import (
    CAPITATION_LEDGER,
    CAPITATION_UNPOSTED,
    KEY,
    capitation_changes,
    under_current_ids,
)
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES, member_month_changes
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION, membership_reconciliation
from pmpm_spark.lease import leased
from pmpm_spark.model import (
    CONTRACT_BUDGET,
    CONTRACT_FINANCE,
    CONTRACT_MEMBERS,
    CONTRACT_RATES,
    CONTRACTS,
    COVERAGE_RECORDS,
    MEMBER_ATTRIBUTION,
    MEMBERS,
    NETWORK_ROSTER,
    PAYER_MEMBER_MONTHS,
    SUPPLIED_RISK_SCORES,
)
from pmpm_spark.payment_run import PaymentRun, planned
from pmpm_spark.policy import Policy
from pmpm_spark.runs import (
    CAPITATION_RUNS,
    Run,
    RunBook,
    bring_back,
    contract_hashes,
    locked,
    new_run_id,
    started,
)
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.stages import CAPITATION, STORED
from pmpm_spark.store import Receipt, Store
from pmpm_spark.table import small_frame
from pmpm_spark.upgrade import Used
from pmpm_spark.upgrade import planned as planned_upgrade
from pmpm_spark.variance import YearOfContract, checked_budget, publish_variance

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

READ = (
    CONTRACTS, CONTRACT_RATES, CONTRACT_MEMBERS, COVERAGE_RECORDS, ELIGIBILITY_SPANS, MEMBERS, MEMBER_MONTHS,
    ATTRIBUTION, RISK_SCORES, TOLD_MONTHS, PAYER_MEMBER_MONTHS, CONTRACT_BUDGET, MEMBER_MONTH_COSTS,
    CONTRACT_FINANCE, CLAIM_COSTS, COMPLETION_FACTORS,
)  # fmt: skip


FOLLOWS = (
    (ELIGIBILITY_SPANS, COVERAGE_RECORDS),
    (RISK_SCORES, SUPPLIED_RISK_SCORES),
    (ATTRIBUTION, MEMBER_ATTRIBUTION),
    (ATTRIBUTION, NETWORK_ROSTER),
)
"""What decides who is paid for and how much, with what a load between two runs may bring of it."""
APPENDED = (CAPITATION_LEDGER, CAPITATION_UNPOSTED, MEMBER_MONTH_CHANGES)
"""What a payment run adds to, and leaves as it is where nothing is new."""
BOOKS = (CAPITATION_DUE, *APPENDED, CAPITATION_RUNS)
"""What no later payment run can make again: what was posted, and what was counted then."""
USED = Used(made=[table for table in CAPITATION if table not in BOOKS], kept=BOOKS, read=READ)


@dataclass(frozen=True)
class Posted:
    """What a payment run posted of one contract."""

    contract_id: str
    due_amount: Decimal
    lines: int
    amount: Decimal
    unposted_amount: Decimal


@dataclass(frozen=True)
class Counted:
    """The member months of one contract: due now, counted otherwise than by the run before, and with a difference."""

    contract_id: str
    member_months: Decimal
    changed: int
    has_payer_list: bool
    differences: Mapping[str, int]


@dataclass(frozen=True)
class CapitationResult:
    """A finished payment run; `posting_run` is None where nothing changed and nothing was written to the ledger."""

    run_id: str
    posting_run: int | None
    as_of: date
    contracts: tuple[Posted, ...]
    membership: tuple[Counted, ...] = ()
    years: tuple[YearOfContract, ...] = ()


def capitate(spark: SparkSession, config: RunConfig, as_of: date, *, break_lease: bool = False) -> CapitationResult:
    """Post what is due as known on a day less what was posted before.

    Raises:
        ConfigError, InputError: exit 2, nothing is posted for any contract.
        AuditError: exit 1, nothing is posted.
        BusyError: another run is at work in the warehouse.
        LeaseLost: another run took it meanwhile, nothing is posted.
    """
    with locked(config.warehouse), leased(spark, config.warehouse, break_lease=break_lease) as confirm:
        book = RunBook(spark, config.warehouse)
        last = book.last_finished()
        if last is None:
            raise InputError("no run has finished in this warehouse; run `pmpm run` first")
        store = Store(spark, config.warehouse, config.reference.path, dict(last.versions), last.contracts)
        missing = [table.name for table in READ if table.name not in store.versions]
        if missing:
            raise InputError(f"{missing[0]}: not published yet in this warehouse; run `pmpm run` first")
        _check_policy(config.policies[0], last)
        bring_back(book, store, STORED)
        upgrade = planned_upgrade(store, USED)
        before = dict(store.versions)
        run_id = new_run_id()
        with started(book, store, STORED, run_id, before, last.told):
            upgrade.done(store)
            receipts, result = _work(store, config, as_of, run_id, book.made(before))
        confirm()
        paid = {"as_of": as_of.isoformat(), "posting_run": result.posting_run}
        book.write(
            run_id,
            "finished",
            **last.told,
            inputs=json.dumps({"capitation": paid, **upgrade.said}),
            versions=store.versions,
            contracts={**last.contracts, **contract_hashes(store, STORED)},
            receipts=receipts,
            notices=last.notices,
        )
        return result


def _check_policy(policy: Policy, last: Run) -> None:
    """The run's tables were made by this policy, by the rules that it has now.

    Raises:
        ConfigError: they were not.
    """
    if policy.label not in last.policies:
        raise ConfigError(f"policy {policy.label}: not of the last finished run ({', '.join(last.policies)})")
    if policy.content_hash != dict(zip(last.policies, last.policy_hashes, strict=True))[policy.label]:
        raise ConfigError(
            f"policy {policy.label}: its rules were changed since the last finished run; run `pmpm run` first"
        )


def _check_follows(store: Store, made: Mapping[str, Receipt], pays_for_attributed: bool) -> None:
    """Spans, scores and attribution were made of what is loaded now: what came since would be paid late or never.

    Raises:
        InputError: names the table that is older than what it is made from.
    """
    for table, loaded in FOLLOWS:
        if (table is ATTRIBUTION and not pays_for_attributed) or table.name not in made:
            continue
        if not store.is_as_at(loaded, made[table.name].inputs.get(loaded.name)):
            raise InputError(
                f"{loaded.name} was loaded since {table.name} was made; `pmpm run`, or `pmpm run --only {table.name}`, "
                "before paying"
            )


def _work(
    store: Store, config: RunConfig, as_of: date, run_id: str, made: Mapping[str, Receipt]
) -> tuple[list[Receipt], CapitationResult]:
    for table in BOOKS:
        if table.name not in store.versions:
            store.create(table)
    stood = dict(store.versions)
    run = planned(store, config, as_of)
    _check_follows(store, made, any(one.contract_id not in run.listed for one in run.contracts))
    counted_before = under_current_ids(store.read(CAPITATION_DUE), run.now)
    receipts = [store.publish(CAPITATION_DUE, run.due_now(counted_before), inputs=READ)]
    due = store.read(CAPITATION_DUE)
    check_due(due, run.overlap)
    budget = checked_budget(store, run.contracts, due)
    check_finance(store, run.contracts, due)
    receipts += _publish_ledger(run, due, counted_before, run_id)
    of_run = F.col("posting_run") == run.posting_run
    sums = _sums(due, store.read(CAPITATION_LEDGER).where(of_run), store.read(CAPITATION_UNPOSTED).where(of_run))
    found = tuple(sums.get(o.contract_id, Posted(o.contract_id, *_NOTHING)) for o in run.contracts)
    posting_run: int | None = run.posting_run
    changed_months = receipts[-1].rows
    if _repeats(run, found, changed_months):
        # the same day with nothing new: the books stay as they are
        for table in APPENDED:
            store.restore(table, stood[table.name])
        receipts, posting_run = receipts[:1], None
    else:
        receipts.append(_publish_run(run, found, run_id))
    latest = posting_run or run.posting_run - 1
    reconciled = membership_reconciliation(
        due,
        run.changes_so_far(),
        run.posted(),
        store.read(CAPITATION_UNPOSTED).where(F.col("posting_run") == latest),
        store.read(PAYER_MEMBER_MONTHS),
        store.read(CONTRACT_MEMBERS),
        earlier=[before for before in run.runs_before if before.posting_run < latest],
        payer_lists=run.payer_lists,
        as_of=as_of,
    )
    receipts.append(store.publish(MEMBERSHIP_RECONCILIATION, reconciled))
    of_changes = store.read(MEMBER_MONTH_CHANGES).where(of_run)
    counted = _counted(due, of_changes, store.read(MEMBERSHIP_RECONCILIATION), run.contracts, run.payer_lists)
    written, years = publish_variance(run, budget, alert_share=config.capitation.alert_share, posting_run=latest)
    written += publish_finance(run, config.finance)
    return [*receipts, *written], CapitationResult(run_id, posting_run, as_of, found, counted, tuple(years))


def _publish_ledger(run: PaymentRun, due: DataFrame, counted_before: DataFrame, run_id: str) -> list[Receipt]:
    """Lines, what is kept back, and months counted otherwise; last of all that they add up is asserted."""
    store, former_due = run.store, run.due_by_former_terms(counted_before)
    changes = capitation_changes(
        due,
        run.posted(),
        former_due,
        contracts=run.contracts,
        former=run.former,
        posting_run=run.posting_run,
        as_of=run.as_of,
        policy=run.policy.label,
        run_id=run_id,
    )
    of_months = member_month_changes(
        due,
        counted_before,
        former_due,
        earlier=run.runs_before,
        is_changed=run.changed_terms,
        posting_run=run.posting_run,
    )
    receipts = [
        store.publish(CAPITATION_LEDGER, changes.where("is_open").drop("is_open"), append=True),
        store.publish(CAPITATION_UNPOSTED, changes.where("NOT is_open").drop("is_open"), append=True),
        store.publish(MEMBER_MONTH_CHANGES, of_months, append=True),
    ]
    kept = store.read(CAPITATION_UNPOSTED).where(F.col("posting_run") == run.posting_run)
    _check_adds_up(due, run.posted(), kept)
    return receipts


def _repeats(run: PaymentRun, found: Sequence[Posted], changed_months: int) -> bool:
    """The day of the run before, with no line, no month counted otherwise, and nothing else kept back."""
    is_same_day = bool(run.history) and run.history[-1]["as_of"] == run.as_of
    if not is_same_day or changed_months or any(one.lines for one in found):
        return False
    unposted, number = run.store.read(CAPITATION_UNPOSTED), F.col("posting_run")
    return _same(unposted.where(number == run.posting_run - 1), unposted.where(number == run.posting_run))


def _publish_run(run: PaymentRun, found: Sequence[Posted], run_id: str) -> Receipt:
    through = date(run.last_payable // 12, run.last_payable % 12 + 1, 1)
    rows = [
        (
            run.posting_run, one.contract_id, run.as_of, through, one.told, one.previous_contract_id,
            posted.lines, str(posted.amount), str(posted.unposted_amount), run_id, run.pays_for(one.contract_id),
        )
        for one, posted in zip(run.contracts, found, strict=True)
    ]  # fmt: skip
    return run.store.publish(CAPITATION_RUNS, small_frame(run.store.spark, rows, CAPITATION_RUNS.schema), append=True)


_NOTHING = (Decimal(0), 0, Decimal(0), Decimal(0))


def check_due(due: DataFrame, overlap: str) -> None:
    """Every due month has its rate.

    Raises:
        InputError: names contract, cell and month.
    """
    unpaid = due.where("is_due AND rate IS NULL")
    for row in unpaid.orderBy("contract_id", "coverage_month", "member_cell").limit(1).collect():
        raise InputError(
            f"contract_rates: contract {row['contract_id']}, cell {row['member_cell']}, {row['coverage_month']:%Y-%m}: "
            "no rate; add a row that covers it"
        )
    unscaled = due.where("is_due AND risk_adjusted AND is_scored AND normalized_risk_score IS NULL")
    for row in unscaled.orderBy("contract_id", "coverage_month").limit(1).collect():
        raise InputError(
            f"normalization_factors: contract {row['contract_id']}, {row['coverage_month']:%Y-%m}: the rate is "
            f"risk-adjusted, and there is no factor for {row['coverage_month']:%Y}; add it in reference.path"
        )
    if overlap == "error":
        for row in (
            due.where("not_due_reason = 'TWO_CONTRACTS'").orderBy("contract_id", "coverage_month").limit(1).collect()
        ):
            raise InputError(
                f"contract {row['contract_id']}, {row['coverage_month']:%Y-%m}: a member is in two contracts; "
                'correct the lists, or set capitation.overlap = "one"'
            )


def _check_adds_up(due: DataFrame, posted: DataFrame, unposted: DataFrame) -> None:
    """Ledger so far + unposted now = due now, for every contract, member and month; withhold likewise.

    Raises:
        AuditError: with the number of months that differ.
    """
    so_far = posted.select(*KEY, F.col("posted").alias("amount"), F.col("withheld"))
    kept = unposted.select(*KEY, F.col("unposted_amount").alias("amount"), F.col("unposted_withhold").alias("withheld"))
    owed = due.select(*KEY, (-F.col("due_amount")).alias("amount"), (-F.col("withhold_due")).alias("withheld"))
    money = [F.col(name).cast("decimal(18,2)").alias(name) for name in ("amount", "withheld")]
    parts = [frame.select(*KEY, *money) for frame in (so_far, kept, owed)]
    sums = (
        parts[0]
        .unionByName(parts[1])
        .unionByName(parts[2])
        .groupBy(*KEY)
        .agg(F.sum("amount").alias("amount"), F.sum("withheld").alias("withheld"))
    )
    differ = sums.where("amount <> 0 OR withheld <> 0").agg(F.count(F.lit(1)).alias("n")).collect()[0]["n"]
    if differ:
        raise AuditError(f"capitation_ledger: {differ:,} months do not add up to what is due; nothing is posted")


def _sums(due: DataFrame, lines: DataFrame, unposted: DataFrame) -> dict[str, Posted]:
    owed = {r["contract_id"]: r["s"] for r in due.groupBy("contract_id").agg(F.sum("due_amount").alias("s")).collect()}
    of_lines = lines.groupBy("contract_id").agg(F.sum("amount").alias("s"), F.count(F.lit(1)).alias("n")).collect()
    posted = {r["contract_id"]: (r["n"], r["s"]) for r in of_lines}
    of_kept = unposted.groupBy("contract_id").agg(F.sum("unposted_amount").alias("s")).collect()
    kept = {r["contract_id"]: r["s"] for r in of_kept}
    none = Decimal(0)
    return {key: Posted(key, amount, *posted.get(key, (0, none)), kept.get(key, none)) for key, amount in owed.items()}


def _counted(
    due: DataFrame,
    changes: DataFrame,
    reconciliation: DataFrame,
    contracts: Sequence[Terms],
    payer_lists: Collection[str],
) -> tuple[Counted, ...]:
    """How many months each contract has: due, counted otherwise by this run, and by kind of difference."""
    of_due = due.groupBy("contract_id").agg(F.sum("exposure").alias("n")).collect()
    of_changes = changes.groupBy("contract_id").agg(F.count(F.lit(1)).alias("n")).collect()
    of_kinds = reconciliation.groupBy("contract_id", "difference").agg(F.count(F.lit(1)).alias("n")).collect()
    months = {row["contract_id"]: row["n"] for row in of_due}
    changed = {row["contract_id"]: row["n"] for row in of_changes}
    return tuple(
        Counted(
            one.contract_id,
            months.get(one.contract_id, Decimal(0)),
            changed.get(one.contract_id, 0),
            one.contract_id in payer_lists,
            {row["difference"]: row["n"] for row in of_kinds if row["contract_id"] == one.contract_id},
        )
        for one in contracts
    )


def _same(one: DataFrame, other: DataFrame) -> bool:
    names = (*KEY, "due_amount", "posted_amount", "unposted_withhold")
    left, right = one.select(*names), other.select(*names)
    return left.exceptAll(right).limit(1).count() == 0 and right.exceptAll(left).limit(1).count() == 0
