"""What a payment run knows before it pays: contracts and rates, the runs before it, and which months are payable."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig
from pmpm_spark.contract_terms import Rate, Terms, check_rates, current_ids
from pmpm_spark.errors import InputError
from pmpm_spark.frames import union_of
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, Former, posted_so_far, under_current_ids
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES, EarlierRun
from pmpm_spark.model import (
    CONTRACT_MEMBERS,
    CONTRACT_RATES,
    CONTRACTS,
    COVERAGE_RECORDS,
    MEMBERS,
    PAYER_MEMBER_MONTHS,
)
from pmpm_spark.months import month_number, number_of
from pmpm_spark.policy import Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS
from pmpm_spark.runs import CAPITATION_RUNS
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.capitation_due import capitation_due
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.silver.union import ids
from pmpm_spark.store import Store
from pmpm_spark.strict_lists import check_strict_lists
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

LIST, ATTRIBUTED = "list", "attributed"
"""Whose months a contract pays."""


@dataclass(frozen=True)
class PaymentRun:
    """One payment run. Month numbers are inclusive; `now` has the id of a contract by each that it had before."""

    store: Store
    as_of: date
    policy: Policy
    overlap: str
    contracts: Sequence[Terms]
    rates: Sequence[Rate]
    listed: frozenset[str]
    payer_lists: frozenset[str]
    history: Sequence[Any]
    now: Mapping[str, str]
    first_told: int
    last_payable: int

    @property
    def posting_run(self) -> int:
        return self.history[-1]["posting_run"] + 1 if self.history else 1

    def pays_for(self, contract_id: str) -> str:
        return LIST if contract_id in self.listed else ATTRIBUTED

    @property
    def runs_before(self) -> list[EarlierRun]:
        return [EarlierRun(self._now(row), row["posting_run"], row["payable_through"]) for row in self.history]

    @property
    def former(self) -> dict[str, Former]:
        """What each contract's run before knew of it."""
        return {
            self._now(row): Former(row["payable_through"], self._now(row) in self.changed_terms) for row in self.history
        }

    @property
    def changed_terms(self) -> set[str]:
        """The contracts whose terms are not those of their run before."""
        before = self._terms_before
        return {one.contract_id for one in self.contracts if before.get(one.contract_id, one.told) != one.told}

    @property
    def _terms_before(self) -> dict[str, str]:
        return {self._now(row): row["terms"] for row in self.history}

    def _now(self, row: Any) -> str:
        return self.now.get(row["contract_id"], row["contract_id"])

    @cached_property
    def years_computed(self) -> list[int]:
        """The performance years of which the policy has member months."""
        months = self.store.read(MEMBER_MONTHS).where(F.col("policy") == self.policy.label)
        return sorted(row["performance_year"] for row in months.select("performance_year").distinct().collect())

    def posted(self) -> DataFrame:
        return posted_so_far(self.store.read(CAPITATION_LEDGER), self.now)

    def changes_so_far(self) -> DataFrame:
        return under_current_ids(self.store.read(MEMBER_MONTH_CHANGES), self.now)

    def due_now(self, counted_before: DataFrame) -> DataFrame:
        """What is due; `counted_before` is what the run before wrote of it."""
        return self._due(self.contracts, counted_before)

    def due_by_former_terms(self, counted_before: DataFrame) -> DataFrame | None:
        """What would be due by the terms of the run before, on today's data; None where no terms changed.

        All contracts stand: one whose terms are the same competes for a month as it did.
        """
        changed, before = self.changed_terms, self._terms_before
        if not changed:
            return None
        terms = [one.as_told(before[one.contract_id]) if one.contract_id in changed else one for one in self.contracts]
        return self._due(terms, counted_before)

    def _due(self, terms: Sequence[Terms], counted_before: DataFrame) -> DataFrame:
        read, month = self.store.read, month_number("coverage_month")
        payer_months = read(PAYER_MEMBER_MONTHS)
        looked_at = _first_and_last(
            self.posted(),
            counted_before.where("is_due"),
            self.changes_so_far(),
            payer_months.where((month >= self.first_told) & (month <= self.last_payable)),
        )
        return capitation_due(
            self._spans(),
            read(MEMBERS),
            read(MEMBER_MONTHS),
            read(ATTRIBUTION),
            read(RISK_SCORES),
            read(NORMALIZATION_FACTORS),
            read(CONTRACT_MEMBERS),
            looked_at,
            contracts=terms,
            rates=self.rates,
            listed=self.listed,
            policy=self.policy,
            as_of=self.as_of,
            first_told=self.first_told,
            last_payable=self.last_payable,
            overlap="one" if self.overlap == "error" else self.overlap,
        )

    def _spans(self) -> DataFrame:
        """The spans of what was recorded by that day; those of the run, where nothing came later."""
        records = self.store.read(COVERAGE_RECORDS)
        newest = records.agg(F.max("recorded_on").alias("newest")).collect()[0]["newest"]
        if newest is None or newest <= self.as_of:
            return self.store.read(ELIGIBILITY_SPANS)
        return eligibility_spans(records.where(F.col("recorded_on") <= F.lit(self.as_of)))


def planned(store: Store, config: RunConfig, as_of: date) -> PaymentRun:
    """The payment run of a day.

    Raises:
        InputError: a list cannot be paid by, a later day was posted already, or nothing can be due.
    """
    check_strict_lists(store, config.source.formats)
    contracts, rates = _contracts(store)
    history = store.read(CAPITATION_RUNS).orderBy("posting_run").collect()
    if as_of > date.today():
        raise InputError(f"--as-of {as_of}: a day that has not come yet; nothing can be known on it")
    if history and as_of < history[-1]["as_of"]:
        raise InputError(f"--as-of {as_of}: a later day was posted already ({history[-1]['as_of']})")
    months = store.read(TOLD_MONTHS).collect()
    if not months:
        raise InputError("enrollment tells no month: nothing can be due")
    listed = _listed(store, CONTRACT_MEMBERS, contracts)
    _check_lists_stand(contracts, listed, history)
    return PaymentRun(
        store,
        as_of,
        config.policies[0],
        config.capitation.overlap,
        contracts,
        rates,
        listed,
        _listed(store, PAYER_MEMBER_MONTHS, contracts),
        history,
        current_contracts(contracts, history),
        number_of(months[0]["first_month"]),
        min(last_payable_month(as_of, config.capitation.pay), number_of(months[0]["last_month"])),
    )


def _contracts(store: Store) -> tuple[list[Terms], list[Rate]]:
    """The contracts and rates, none of which was rejected or replaced unseen."""
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


def _listed(store: Store, table: Table, contracts: Sequence[Terms]) -> frozenset[str]:
    """The contracts of which a list has a row.

    Raises:
        InputError: one is no contract.
    """
    listed = frozenset(row["contract_id"] for row in store.read(table).select("contract_id").distinct().collect())
    unknown = sorted(listed - {one.contract_id for one in contracts})
    if unknown:
        raise InputError(f"{table.short_name}: {unknown[0]} is not among contracts")
    return listed


def _check_lists_stand(contracts: Sequence[Terms], listed: Collection[str], history: Sequence[Any]) -> None:
    """A contract that was paid by its list has a list still: without one it would pay for whom nobody listed.

    Raises:
        InputError: names the contract.
    """
    last = {row["contract_id"]: row["pays_for"] for row in history}
    for one in contracts:
        if one.contract_id not in listed and last.get(one.contract_id) == LIST:
            raise InputError(
                f"contract_members: contract {one.contract_id} was paid by its list, and no row is left of it; bring "
                "the list, or give the contract a new id (and its previous_contract_id) to pay for attributed members"
            )


def _first_and_last(*months: DataFrame) -> DataFrame:
    """The first and last month by contract and member of those that are looked at whether a list has them or not:
    posted or counted before, or told by the payer."""
    parts = [
        rows.select(*ids("contract_id", "member_id"), month_number("coverage_month").cast("int").alias("number"))
        for rows in months
    ]
    return (
        union_of(parts)
        .groupBy("contract_id", "member_id")
        .agg(F.min("number").alias("posted_first"), F.max("number").alias("posted_last"))
    )


def current_contracts(contracts: Sequence[Terms], history: Sequence[Any]) -> dict[str, str]:
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


def last_payable_month(as_of: date, pay: str) -> int:
    is_over = (as_of + timedelta(days=1)).day == 1
    return number_of(as_of) if pay == "in_advance" or is_over else number_of(as_of) - 1
