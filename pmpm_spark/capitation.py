"""`pmpm capitate`: one payment run over the tables of the last finished run, published as any run is.

What it writes counts when its row in the book says finished: a run that is killed leaves no half of a posting.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig
from pmpm_spark.contract_terms import Rate, Terms, check_rates, current_ids
from pmpm_spark.errors import AuditError, ConfigError, InputError, StageError
from pmpm_spark.finance import check_finance, publish_finance
from pmpm_spark.gold.capitation_ledger import (
    CAPITATION_LEDGER,
    CAPITATION_UNPOSTED,
    KEY,
    Former,
    capitation_changes,
    posted_so_far,
    under_current_ids,
)
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES, EarlierRun, member_month_changes
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION, membership_reconciliation
from pmpm_spark.model import (
    CONTRACT_BUDGET,
    CONTRACT_FINANCE,
    CONTRACT_MEMBERS,
    CONTRACT_RATES,
    CONTRACTS,
    COVERAGE_RECORDS,
    LOAD_AUDIT,
    MEMBERS,
    PAYER_MEMBER_MONTHS,
)
from pmpm_spark.months import month_number, number_of
from pmpm_spark.reference import NORMALIZATION_FACTORS
from pmpm_spark.runs import (
    CAPITATION_RUNS,
    RunBook,
    bring_back,
    check_contracts,
    contract_hashes,
    locked,
    new_run_id,
    started,
)
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.capitation_due import CAPITATION_DUE, capitation_due
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.silver.union import ids
from pmpm_spark.stages import STORED
from pmpm_spark.store import Receipt, Store
from pmpm_spark.table import Table, small_frame
from pmpm_spark.variance import YearOfContract, checked_budget, publish_variance

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

READ = (
    CONTRACTS, CONTRACT_RATES, CONTRACT_MEMBERS, COVERAGE_RECORDS, ELIGIBILITY_SPANS, MEMBERS, MEMBER_MONTHS,
    ATTRIBUTION, RISK_SCORES, TOLD_MONTHS, PAYER_MEMBER_MONTHS, CONTRACT_BUDGET, MEMBER_MONTH_COSTS,
    CONTRACT_FINANCE, CLAIM_COSTS, COMPLETION_FACTORS,
)  # fmt: skip
STRICT = ("bronze.contracts", "bronze.contract_rates", "bronze.contract_budget", "bronze.contract_finance")
"""Lists of which no row may be rejected or superseded before money is paid by them, or compared with them."""


APPENDED = (CAPITATION_LEDGER, CAPITATION_UNPOSTED, MEMBER_MONTH_CHANGES)
"""What a payment run adds to, and leaves as it is where nothing is new."""


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


def capitate(spark: SparkSession, config: RunConfig, as_of: date) -> CapitationResult:
    """Post what is due as known on a day less what was posted before.

    Raises:
        ConfigError, InputError: exit 2, nothing is posted for any contract.
        StageError, AuditError: exit 1, nothing is posted.
        BusyError: another run is at work in the warehouse.
    """
    with locked(config.warehouse):
        book = RunBook(spark, config.warehouse)
        last = book.last_finished()
        if last is None:
            raise InputError("no run has finished in this warehouse; run `pmpm run` first")
        check_contracts(STORED, last.contracts, ())
        store = Store(spark, config.warehouse, config.reference.path, dict(last.versions))
        missing = [table.name for table in READ if table.name not in store.versions]
        if missing:
            raise StageError(f"{missing[0]}: not published yet in this warehouse; run `pmpm run` first")
        label = config.policies[0].label
        if label not in last.policies:
            raise ConfigError(f"policy {label}: not of the last finished run ({', '.join(last.policies)})")
        bring_back(book, store, STORED)
        before = dict(store.versions)
        run_id = new_run_id()
        told: dict[str, Any] = {"policies": last.policies, "settings": last.settings}
        with started(book, store, STORED, run_id, before, told):
            receipts, result = _work(store, config, as_of, run_id)
        book.write(
            run_id,
            "finished",
            **told,
            policy_hashes=[policy.content_hash for policy in config.policies],
            inputs=json.dumps({"capitation": {"as_of": as_of.isoformat(), "posting_run": result.posting_run}}),
            versions=store.versions,
            contracts={**last.contracts, **contract_hashes(store, STORED)},
            receipts=receipts,
            notices=last.notices,
        )
        return result


def _work(store: Store, config: RunConfig, as_of: date, run_id: str) -> tuple[list[Receipt], CapitationResult]:
    spark, policy = store.spark, config.policies[0]
    contracts, rates = _contracts(store)
    for table in (CAPITATION_DUE, *APPENDED, CAPITATION_RUNS):
        if table.name not in store.versions:
            store.create(table)
    stood = dict(store.versions)
    history = store.read(CAPITATION_RUNS).orderBy("posting_run").collect()
    now = _current(contracts, history)
    former, terms_before = _former(history, now)
    if history and as_of < history[-1]["as_of"]:
        raise InputError(f"--as-of {as_of}: a later day was posted already ({history[-1]['as_of']})")
    posting_run = history[-1]["posting_run"] + 1 if history else 1
    ledger = store.read(CAPITATION_LEDGER)
    posted = posted_so_far(ledger, now)
    months = store.read(TOLD_MONTHS).collect()
    if not months:
        raise InputError("enrollment tells no month: nothing can be due")
    last_payable = min(_last_payable(as_of, config.capitation.pay), number_of(months[0]["last_month"]))
    listed, payer_lists = (_listed(store, table, contracts) for table in (CONTRACT_MEMBERS, PAYER_MEMBER_MONTHS))
    members_listed, payer_months = store.read(CONTRACT_MEMBERS), store.read(PAYER_MEMBER_MONTHS)
    runs_before = [
        EarlierRun(now.get(row["contract_id"], row["contract_id"]), row["posting_run"], row["payable_through"])
        for row in history
    ]
    due_before = under_current_ids(store.read(CAPITATION_DUE), now)
    first_told = number_of(months[0]["first_month"])
    month = month_number("coverage_month")
    looked_at = _first_and_last(
        posted,
        due_before.where("is_due"),
        under_current_ids(store.read(MEMBER_MONTH_CHANGES), now),
        payer_months.where((month >= first_told) & (month <= last_payable)),
    )

    def due_under(terms: Sequence[Terms]) -> DataFrame:
        return capitation_due(
            _spans(store, as_of),
            store.read(MEMBERS),
            store.read(MEMBER_MONTHS),
            store.read(ATTRIBUTION),
            store.read(RISK_SCORES),
            store.read(NORMALIZATION_FACTORS),
            members_listed,
            looked_at,
            contracts=terms,
            rates=rates,
            listed=listed,
            policy=policy,
            as_of=as_of,
            first_told=first_told,
            last_payable=last_payable,
            overlap="one" if config.capitation.overlap == "error" else config.capitation.overlap,
        )

    receipts = [store.publish(CAPITATION_DUE, due_under(contracts), inputs=READ)]
    due = store.read(CAPITATION_DUE)
    _check_due(due, config.capitation.overlap)
    budget = checked_budget(store, contracts, due)
    check_finance(store, contracts, due)
    is_changed = {o.contract_id for o in contracts if terms_before.get(o.contract_id, o.told) != o.told}
    # all of them: a contract whose terms stand competes for a month as it did
    as_before = [
        one.as_told(terms_before[one.contract_id]) if one.contract_id in is_changed else one for one in contracts
    ]
    changes = capitation_changes(
        due,
        posted,
        due_under(as_before) if is_changed else None,
        contracts=contracts,
        former={key: Former(through, key in is_changed) for key, through in former.items()},
        posting_run=posting_run,
        as_of=as_of,
        policy=policy.label,
        run_id=run_id,
    )
    receipts.append(store.publish(CAPITATION_LEDGER, changes.where("is_open").drop("is_open"), append=True))
    unposted_before = store.read(CAPITATION_UNPOSTED)
    receipts.append(store.publish(CAPITATION_UNPOSTED, changes.where("NOT is_open").drop("is_open"), append=True))
    of_months = member_month_changes(
        due,
        due_before,
        due_under(as_before) if is_changed else None,
        earlier=runs_before,
        is_changed=is_changed,
        posting_run=posting_run,
    )
    receipts.append(store.publish(MEMBER_MONTH_CHANGES, of_months, append=True))
    of_run = F.col("posting_run") == posting_run
    _check_adds_up(due, store.read(CAPITATION_LEDGER), store.read(CAPITATION_UNPOSTED).where(of_run), now)
    sums = _sums(due, store.read(CAPITATION_LEDGER).where(of_run), store.read(CAPITATION_UNPOSTED).where(of_run))
    found = tuple(sums.get(o.contract_id, Posted(o.contract_id, *_NOTHING)) for o in contracts)
    nothing_new = not receipts[-1].rows and not any(one.lines for one in found)
    repeats = bool(history) and history[-1]["as_of"] == as_of and nothing_new
    if repeats:
        unposted_then = unposted_before.where(F.col("posting_run") == posting_run - 1)
        repeats = _same(unposted_then, store.read(CAPITATION_UNPOSTED).where(of_run))
    if repeats:
        # the same day with nothing new: the books stay as they are
        for table in APPENDED:
            store.restore(table, stood[table.name])
        receipts = receipts[:1]
    else:
        through = date(last_payable // 12, last_payable % 12 + 1, 1)
        by_id = {one.contract_id: one for one in found}
        rows = [
            (
                posting_run, one.contract_id, as_of, through, one.told, one.previous_contract_id,
                by_id[one.contract_id].lines, str(by_id[one.contract_id].amount),
                str(by_id[one.contract_id].unposted_amount), run_id,
            )
            for one in contracts
        ]  # fmt: skip
        receipts.append(store.publish(CAPITATION_RUNS, small_frame(spark, rows, CAPITATION_RUNS.schema), append=True))
    number = posting_run - 1 if repeats else posting_run
    reconciled = membership_reconciliation(
        due,
        under_current_ids(store.read(MEMBER_MONTH_CHANGES), now),
        posted_so_far(store.read(CAPITATION_LEDGER), now),
        store.read(CAPITATION_UNPOSTED).where(F.col("posting_run") == number),
        payer_months,
        members_listed,
        earlier=[run for run in runs_before if run.posting_run < number],
        payer_lists=payer_lists,
        as_of=as_of,
    )
    receipts.append(store.publish(MEMBERSHIP_RECONCILIATION, reconciled))
    of_changes = store.read(MEMBER_MONTH_CHANGES).where(of_run)
    counted = _counted(due, of_changes, store.read(MEMBERSHIP_RECONCILIATION), contracts, payer_lists)
    written, years = publish_variance(
        store,
        contracts,
        rates,
        budget,
        policy=policy,
        as_of=as_of,
        alert_share=config.capitation.alert_share,
        posting_run=number,
        now=now,
        first_told=first_told,
        last_payable=last_payable,
    )
    written += publish_finance(store, policy=policy, finance=config.finance)
    posted_as = None if repeats else posting_run
    return [*receipts, *written], CapitationResult(run_id, posted_as, as_of, found, counted, tuple(years))


_NOTHING = (Decimal(0), 0, Decimal(0), Decimal(0))


def _contracts(store: Store) -> tuple[list[Terms], list[Rate]]:
    """The contracts and rates, none of which was rejected or replaced unseen."""
    audit = store.read(LOAD_AUDIT).where(
        F.col("_bronze_table").isin(*STRICT) & ((F.col("rejected") + F.col("superseded")) > 0)
    )
    for row in audit.orderBy("_source_file").limit(1).collect():
        why = "; ".join(sorted(row["rejected_by_reason"])) or "two rows of one key"
        raise InputError(
            f"{row['_source_file']}: {row['rejected'] + row['superseded']} rows cannot be paid by ({why}); "
            "correct the list"
        )
    contracts = [
        Terms(
            row["contract_id"],
            row["network_id"],
            row["start_date"],
            row["end_date"],
            row["coverage_rule"],
            tuple((row["month_reasons"] or "").split(";")) if row["month_reasons"] else (),
            row["retro_limit_months"],
            row["withhold_share"],
            row["previous_contract_id"],
        )
        for row in store.read(CONTRACTS).orderBy("contract_id").collect()
    ]
    if not contracts:
        raise InputError("there is no contract: name source.contracts and run `pmpm run`")
    names = [c.name for c in CONTRACT_RATES.columns if c.name != "contract_id"]
    rates = [
        Rate(row["contract_id"], **{name: row[name] for name in names})
        for row in store.read(CONTRACT_RATES).orderBy(*CONTRACT_RATES.key).collect()
    ]
    by_id = {one.contract_id: one for one in contracts}
    for rate in rates:
        if rate.contract_id not in by_id:
            raise InputError(f"contract_rates: {rate.contract_id} is not among contracts")
        one = by_id[rate.contract_id]
        if rate.effective_to < one.start_date or rate.effective_from > one.end_date:
            log.warning("contract_rates: %s, cell %s: wholly outside the contract, unused", rate.contract_id, rate.cell)
    check_rates(rates)
    return contracts, rates


def _listed(store: Store, table: Table, contracts: Sequence[Terms]) -> set[str]:
    """The contracts of which a list has a row.

    Raises:
        InputError: one is no contract.
    """
    listed = {row["contract_id"] for row in store.read(table).select("contract_id").distinct().collect()}
    unknown = sorted(listed - {one.contract_id for one in contracts})
    if unknown:
        raise InputError(f"{table.short_name}: {unknown[0]} is not among contracts")
    return listed


def _first_and_last(*months: DataFrame) -> DataFrame:
    """The first and last month by contract and member of those that are looked at whether a list has them or not:
    posted or counted before, or told by the payer."""
    parts = [
        rows.select(*ids("contract_id", "member_id"), month_number("coverage_month").cast("int").alias("number"))
        for rows in months
    ]
    return (
        reduce(lambda left, right: left.unionByName(right), parts)
        .groupBy("contract_id", "member_id")
        .agg(F.min("number").alias("posted_first"), F.max("number").alias("posted_last"))
    )


def _current(contracts: Sequence[Terms], history: Sequence[Any]) -> dict[str, str]:
    """The id that each former contract has now.

    Raises:
        InputError: a contract that was paid is gone.
    """
    now = current_ids(contracts)
    there = {one.contract_id for one in contracts}
    earlier = {row["previous_contract_id"]: row["contract_id"] for row in history if row["previous_contract_id"]}
    for row in history:
        paid = row["contract_id"]
        chain = [paid]
        while chain[-1] not in there and (chain[-1] in now or chain[-1] in earlier) and len(chain) <= len(history) + 1:
            chain.append(now.get(chain[-1]) or earlier[chain[-1]])
        if chain[-1] not in there:
            raise InputError(f"contracts: {paid} was paid and is gone; keep it and close it by its end_date")
        if chain[-1] != paid:
            now[paid] = chain[-1]
    return now


def _former(history: Sequence[Any], now: Mapping[str, str]) -> tuple[dict[str, date], dict[str, str]]:
    """The last payable month and the terms of each contract's run before."""
    through: dict[str, date] = {}
    terms: dict[str, str] = {}
    for row in history:
        contract_id = now.get(row["contract_id"], row["contract_id"])
        through[contract_id], terms[contract_id] = row["payable_through"], row["terms"]
    return through, terms


def _last_payable(as_of: date, pay: str) -> int:
    is_over = (as_of + timedelta(days=1)).day == 1
    return number_of(as_of) if pay == "in_advance" or is_over else number_of(as_of) - 1


def _spans(store: Store, as_of: date) -> DataFrame:
    """The spans of what was recorded by that day; those of the run, where nothing came later."""
    records = store.read(COVERAGE_RECORDS)
    newest = records.agg(F.max("recorded_on").alias("newest")).collect()[0]["newest"]
    if newest is None or newest <= as_of:
        return store.read(ELIGIBILITY_SPANS)
    return eligibility_spans(records.where(F.col("recorded_on") <= F.lit(as_of)))


def _check_due(due: DataFrame, overlap: str) -> None:
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
    for row in unscaled.limit(1).collect():
        raise InputError(f"{row['coverage_month']:%Y}: scores, but no normalization factor for the year")
    if overlap == "error":
        for row in (
            due.where("not_due_reason = 'TWO_CONTRACTS'").orderBy("contract_id", "coverage_month").limit(1).collect()
        ):
            raise InputError(
                f"contract {row['contract_id']}, {row['coverage_month']:%Y-%m}: a member is in two contracts; "
                'correct the lists, or set capitation.overlap = "one"'
            )


def _check_adds_up(due: DataFrame, ledger: DataFrame, unposted: DataFrame, now: Mapping[str, str]) -> None:
    """Ledger so far + unposted now = due now, for every contract, member and month; withhold likewise.

    Raises:
        AuditError: with the number of months that differ.
    """
    posted = posted_so_far(ledger, now).select(*KEY, F.col("posted").alias("amount"), F.col("withheld"))
    kept = unposted.select(*KEY, F.col("unposted_amount").alias("amount"), F.col("unposted_withhold").alias("withheld"))
    owed = due.select(*KEY, (-F.col("due_amount")).alias("amount"), (-F.col("withhold_due")).alias("withheld"))
    money = [F.col(name).cast("decimal(18,2)").alias(name) for name in ("amount", "withheld")]
    parts = [frame.select(*KEY, *money) for frame in (posted, kept, owed)]
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
