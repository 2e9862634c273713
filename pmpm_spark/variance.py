"""Allocated against actual, as a payment run publishes it after its ledger: budgets are checked, splits add up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.contract_terms import Budget, Terms, check_budget
from pmpm_spark.errors import AuditError, InputError
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED, under_current_ids
from pmpm_spark.gold.capitation_ledger_by_reason import CAPITATION_LEDGER_BY_REASON, capitation_ledger_by_reason
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE, PERIOD, YEAR, capitation_variance
from pmpm_spark.gold.capitation_variance_split import CAPITATION_VARIANCE_SPLIT, capitation_variance_split
from pmpm_spark.model import CONTRACT_BUDGET
from pmpm_spark.payment_run import PaymentRun
from pmpm_spark.policy import Policy
from pmpm_spark.reference import SERVICE_CATEGORIES
from pmpm_spark.silver.capitation_cells import (
    ACTUAL,
    CAPITATION_CELLS,
    Compared,
    capitation_cells,
    compared_with,
    without_cell,
)
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.cost_steps import PHARMACY
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.service_categories import OTHER
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.store import Receipt, Store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class YearOfContract:
    """A contract's year, allocated against actual; amounts of actual are None where the policy has no costs of it."""

    contract_id: str
    year: int
    allocated_amount: Decimal
    actual_amount: Decimal | None
    deviation_amount: Decimal | None
    comparator: str
    comparator_amount: Decimal | None
    is_alert: bool
    alert_months: int

    @property
    def alert_said(self) -> str:
        """What is out of line: the year, so many of its months, or both."""
        said = []
        if self.is_alert and self.deviation_amount is not None:
            share = f" ({abs(self.deviation_amount) / self.allocated_amount:.1%})" if self.allocated_amount else ""
            way = "above" if self.deviation_amount > 0 else "below"
            said.append(f"actual is {abs(self.deviation_amount):,.2f}{share} {way} allocated")
        if self.alert_months:
            said.append(f"{self.alert_months} {'month' if self.alert_months == 1 else 'months'} out of line")
        return f"{self.contract_id}, {self.year}: {'; '.join(said)}"


def checked_budget(store: Store, contracts: Sequence[Terms], due: DataFrame) -> list[Budget]:
    """The budgets, in which every due month of their years has a cell.

    Raises:
        InputError: names contract, cell and month.
    """
    names = CONTRACT_BUDGET.column_names
    rows = store.read(CONTRACT_BUDGET).orderBy(*CONTRACT_BUDGET.key).collect()
    by_id = {one.contract_id: one for one in contracts}
    told = store.read(SERVICE_CATEGORIES).select("service_category").distinct().collect()
    categories = {OTHER, *[row["service_category"] for row in told]}
    budget: list[Budget] = []
    for row in (Budget(**{name: one[name] for name in names}) for one in rows):
        where = f"contract_budget: contract {row.contract_id}, cell {row.cell}, {row.year}-01"
        if row.contract_id not in by_id:
            raise InputError(f"contract_budget: {row.contract_id} is not among contracts")
        if row.service_category not in categories:
            known = ", ".join(sorted(categories))
            raise InputError(f"{where}: no service category {row.service_category} (one of: {known})")
        one = by_id[row.contract_id]
        if one.start_date.year <= row.year <= one.end_date.year:
            budget.append(row)
        else:
            log.warning("%s: wholly outside the contract, unused", where)
    check_budget(budget)
    if budget:
        for gap in without_cell(due, budget).orderBy("contract_id", "coverage_month", "member_cell").limit(1).collect():
            raise InputError(
                f"contract_budget: contract {gap['contract_id']}, cell {gap['member_cell']}, "
                f"{gap['coverage_month']:%Y-%m}: no cell of the budget holds a due month; add one"
            )
    return budget


def publish_variance(
    run: PaymentRun, budget: Sequence[Budget], *, alert_share: float, posting_run: int
) -> tuple[list[Receipt], list[YearOfContract]]:
    """Write what is allocated, actual and expected, and its split; `posting_run` is the one whose unposted counts.

    Raises:
        AuditError: the split does not add up to the difference.
    """
    store, contracts, policy, now = run.store, run.contracts, run.policy, run.now
    due = store.read(CAPITATION_DUE)
    due_years = due.where("is_due").select("contract_id", F.year("coverage_month").alias("year")).distinct().collect()
    compared = compared_with(
        contracts,
        {(row["contract_id"], row["year"]) for row in due_years},
        budget,
        years_computed=run.years_computed,
        first_told=run.first_told,
        last_payable=run.last_payable,
    )
    truncated = store.read(TRUNCATED_COSTS) if TRUNCATED_COSTS.name in store.versions else None
    cells = capitation_cells(
        due,
        store.read(MEMBER_MONTHS),
        store.read(MEMBER_MONTH_COSTS),
        truncated,
        contracts=contracts,
        rates=run.rates,
        budget=budget,
        compared=compared,
        policy=policy,
    )
    read = (CAPITATION_DUE, MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS, CONTRACT_BUDGET)
    receipts = [store.publish(CAPITATION_CELLS, cells, inputs=read)]
    by_month = ("contract_id", "coverage_month")
    ledger = under_current_ids(store.read(CAPITATION_LEDGER), now)
    unposted = store.read(CAPITATION_UNPOSTED).where(F.col("posting_run") == posting_run)
    variance = capitation_variance(
        due,
        ledger.groupBy(*by_month).agg(F.sum("amount").alias("amount")),
        unposted.groupBy(*by_month).agg(F.sum("unposted_amount").alias("amount")),
        store.read(CAPITATION_CELLS),
        contracts=contracts,
        budget=budget,
        compared=compared,
        policy=policy,
        as_of=run.as_of,
        alert_share=alert_share,
    )
    read = (CAPITATION_DUE, CAPITATION_LEDGER, CAPITATION_UNPOSTED, CAPITATION_CELLS, CONTRACT_BUDGET)
    receipts.append(store.publish(CAPITATION_VARIANCE, variance, inputs=read))
    split = capitation_variance_split(
        store.read(CAPITATION_VARIANCE),
        store.read(CAPITATION_CELLS),
        contracts=contracts,
        budget=budget,
        compared=compared,
        policy=policy,
    )
    receipts.append(
        store.publish(CAPITATION_VARIANCE_SPLIT, split, inputs=(CAPITATION_VARIANCE, CAPITATION_CELLS, CONTRACT_BUDGET))
    )
    told = capitation_ledger_by_reason(
        store.read(CAPITATION_LEDGER),
        now=now,
        networks={one.contract_id: one.network_id for one in contracts},
        policy=policy.label,
    )
    receipts.append(store.publish(CAPITATION_LEDGER_BY_REASON, told, inputs=(CAPITATION_LEDGER,)))
    _check_adds_up(store.read(CAPITATION_VARIANCE), store.read(CAPITATION_VARIANCE_SPLIT))
    _warn(contracts, budget, compared, store.read(CAPITATION_CELLS), policy)
    years = _years(store.read(CAPITATION_VARIANCE))
    for one in years:
        if one.actual_amount is None:
            log.warning(
                "capitation_variance: %s, %s: policy %s has no costs of the year; add it to performance_years",
                one.contract_id, one.year, policy.label,
            )  # fmt: skip
    return receipts, years


def _check_adds_up(variance: DataFrame, split: DataFrame) -> None:
    """What the effects add up to is actual - comparator, to the cent, and nothing is split that is not compared.

    Raises:
        AuditError: with the number of periods that differ.
    """
    whole = variance.select(
        *PERIOD, F.coalesce(F.col("comparator_amount") - F.col("actual_amount"), F.lit(0)).alias("amount")
    )
    parts = split.select(*PERIOD, "amount")
    money = [frame.select(*PERIOD, F.col("amount").cast("decimal(18,2)").alias("amount")) for frame in (whole, parts)]
    sums = money[0].unionByName(money[1]).groupBy(*PERIOD).agg(F.sum("amount").alias("amount"))
    differ = sums.where("amount <> 0").agg(F.count(F.lit(1)).alias("n")).collect()[0]["n"]
    if differ:
        raise AuditError(
            f"capitation_variance_split: the effects of {differ:,} periods do not add up; nothing is posted"
        )


def _warn(
    contracts: Sequence[Terms], budget: Sequence[Budget], compared: Compared, cells: DataFrame, policy: Policy
) -> None:
    """What a reader of the variance has to know of it."""
    for one, year in compared.by_budget(contracts):
        runs = sum(
            (one.start_date.year, one.start_date.month) <= (year, month) <= (one.end_date.year, one.end_date.month)
            for month in range(1, 13)
        )
        if runs < 12:
            log.warning(
                "contract_budget: %s, %s: the contract runs %s months of it, and as many twelfths of the budget count",
                one.contract_id, year, runs,
            )  # fmt: skip
    if not policy.cost.include_pharmacy and any(row.service_category == PHARMACY for row in budget):
        log.warning("contract_budget: pharmacy is not in the total of policy %s, unused", policy.label)
    sums = (
        cells.where((F.col("side") == ACTUAL) & (F.col("service_category") == ""))
        .groupBy("contract_id", F.year("coverage_month").alias("year"))
        .agg(F.sum("uncounted_months").alias("uncounted"), F.sum("member_months").alias("due"))
    )
    for row in sums.where("uncounted > 0").orderBy("contract_id", "year").collect():
        log.warning(
            "capitation_variance: %s, %s: policy %s does not count %.2f of %.2f due member months, and actual_amount "
            "has no dollars of them",
            row["contract_id"], row["year"], policy.label, row["uncounted"], row["due"],
        )  # fmt: skip


def _years(variance: DataFrame) -> list[YearOfContract]:
    """The contracts' years in their order."""
    alerts: dict[tuple[str, int], int] = {}
    years: list[Any] = []
    for row in variance.orderBy(*PERIOD).collect():
        if row["period_type"] == YEAR:
            years.append(row)
        elif row["is_alert"]:
            key = (row["contract_id"], row["performance_year"])
            alerts[key] = alerts.get(key, 0) + 1
    same = ("contract_id", "allocated_amount", "actual_amount", "deviation_amount", "comparator", "comparator_amount")
    return [
        YearOfContract(
            **{name: row[name] for name in same},
            year=row["performance_year"],
            is_alert=row["is_alert"],
            alert_months=alerts.get((row["contract_id"], row["performance_year"]), 0),
        )
        for row in years
    ]
