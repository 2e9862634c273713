"""The financial result of contracts, as a payment run publishes it after allocated against actual."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import Finance
from pmpm_spark.contract_terms import MOST_OF_A_YEAR, MOST_PER_MONTH, Terms, beyond
from pmpm_spark.errors import InputError
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE
from pmpm_spark.gold.financial_performance import FINANCIAL_PERFORMANCE, KEY, financial_performance
from pmpm_spark.model import CONTRACT_FINANCE, CONTRACTS, FINANCE_AMOUNTS
from pmpm_spark.payment_run import PaymentRun
from pmpm_spark.reference import MLR_CREDIBILITY
from pmpm_spark.silver.capitation_cells import CAPITATION_CELLS
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.contract_month_costs import CONTRACT_MONTH_COSTS, contract_month_costs
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.store import Receipt, Store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)


def check_finance(store: Store, contracts: Sequence[Terms], due: DataFrame) -> None:
    """Every row of contract_finance is of a contract, and no amount is beyond what a contract can be about. What is
    returned of a withhold counts up to what is withheld so far; that there is more is said.

    Raises:
        InputError: names contract and year.
    """
    check_benchmarks(store.read(CONTRACTS))
    rows = store.read(CONTRACT_FINANCE).orderBy(*CONTRACT_FINANCE.key).collect()
    if not rows:
        return
    withheld = {
        (row["contract_id"], row["year"]): row["withheld"]
        for row in due.where("is_due")
        .groupBy("contract_id", F.year("coverage_month").alias("year"))
        .agg(F.sum("withhold_due").alias("withheld"))
        .collect()
    }
    by_id = {one.contract_id: one for one in contracts}
    for row in rows:
        key = (row["contract_id"], row["year"])
        where = f"contract_finance: contract {row['contract_id']}, {row['year']}"
        if row["contract_id"] not in by_id:
            raise InputError(f"contract_finance: {row['contract_id']} is not among contracts")
        for name in FINANCE_AMOUNTS:
            if (row[name] or 0) > MOST_OF_A_YEAR:
                raise InputError(f"{where}: {beyond(name, row[name], MOST_OF_A_YEAR)}")
        one = by_id[row["contract_id"]]
        if not one.start_date.year <= row["year"] <= one.end_date.year:
            log.warning("%s: wholly outside the contract, unused", where)
            continue
        returned = row["withhold_returned"] or 0
        if key not in withheld:
            log.warning("%s: nothing is due of the year yet, unused", where)
        elif returned > withheld[key]:
            log.warning(
                "%s: withhold_returned is %.2f, and %.2f is withheld so far: the other %.2f does not count yet",
                where, returned, withheld[key], returned - withheld[key],
            )  # fmt: skip


def check_benchmarks(contracts: DataFrame) -> None:
    """No benchmark is beyond what a member month can cost.

    Raises:
        InputError: names the contract.
    """
    above = contracts.where(F.col("benchmark_pmpm") > F.lit(MOST_PER_MONTH)).orderBy("contract_id")
    for row in above.select("contract_id", "benchmark_pmpm").limit(1).collect():
        said = beyond("benchmark_pmpm", row["benchmark_pmpm"], MOST_PER_MONTH)
        raise InputError(f"contracts: contract {row['contract_id']}: {said}")


def publish_finance(run: PaymentRun, finance: Finance) -> list[Receipt]:
    """Write the costs of contracts by month, and the result of their years."""
    store = run.store
    costs = contract_month_costs(
        store.read(CAPITATION_DUE),
        store.read(CAPITATION_CELLS),
        store.read(MEMBER_MONTH_COSTS),
        store.read(CLAIM_COSTS),
        store.read(COMPLETION_FACTORS),
        policy=run.policy,
        performance_years=run.years_computed,
        completion=finance.completion,
    )
    read = (CAPITATION_DUE, CAPITATION_CELLS, MEMBER_MONTH_COSTS, CLAIM_COSTS, COMPLETION_FACTORS)
    receipts = [store.publish(CONTRACT_MONTH_COSTS, costs, inputs=read)]
    result = financial_performance(
        store.read(CAPITATION_VARIANCE),
        store.read(CAPITATION_DUE),
        store.read(CONTRACT_MONTH_COSTS),
        store.read(CONTRACTS),
        store.read(CONTRACT_FINANCE),
        store.read(MLR_CREDIBILITY),
        mlr_revenue=finance.mlr_revenue,
        deductible_factor=finance.deductible_factor,
        encounter_share=finance.encounter_share,
    )
    read = (CAPITATION_VARIANCE, CAPITATION_DUE, CONTRACT_MONTH_COSTS, CONTRACTS, CONTRACT_FINANCE)
    receipts.append(store.publish(FINANCIAL_PERFORMANCE, result, inputs=read))
    _warn(store.read(FINANCIAL_PERFORMANCE))
    return receipts


def _warn(result: DataFrame) -> None:
    """What a reader of the result has to know of it."""
    lacking = result.where("medical_amount IS NOT NULL AND ffs_equivalent_amount IS NULL")
    for row in lacking.select(*KEY).orderBy(*KEY).collect():
        log.warning(
            "financial_performance: %s, %s: nothing was paid on too many services inside the network (encounters): "
            "what fee-for-service would have paid is not told",
            row["contract_id"], row["performance_year"],
        )  # fmt: skip
