"""The demo's payments: three runs over the two generated contracts, the second after what is delivered late."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.cli.progress import progress
from pmpm_spark.cli.render import Rows, as_table
from pmpm_spark.errors import InputError
from pmpm_spark.generate import LATER, RIF
from pmpm_spark.generate.truth import payment_days
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.sources.files import paths_at
from pmpm_spark.warehouse import published

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pmpm_spark.config import RunConfig

LATER_LISTS = ("contract_rates", "contract_members")
"""The lists that change in the later delivery."""


def pay_three_times(spark: SparkSession, config: RunConfig, folder: str) -> str:
    """What was posted, by run, contract and reason; `folder` is where the generated input stands."""
    from pmpm_spark.capitation import capitate
    from pmpm_spark.pipeline import run

    first, second = payment_days((config.performance_years[0], config.performance_years[-1]))
    capitate(spark, config, first)
    later = f"{folder}/{LATER}"
    delivered = replace(
        config.source,
        path=_late_files(spark, f"{later}/{RIF}") or config.source.path,
        contract_rates=f"{later}/contract_rates",
        contract_members=f"{later}/contract_members",
    )
    config_later = replace(config, source=delivered)
    run(spark, config_later, group="load", progress=progress())
    run(spark, config_later, only=ELIGIBILITY_SPANS.name, progress=progress())
    capitate(spark, config_later, second)
    again = capitate(spark, config_later, second)
    told = "posts nothing" if again.posting_run is None else f"posts {sum(one.lines for one in again.contracts)} lines"
    return f"{_posted(spark, config)}\n{second} again: {told}{_kept_back(spark, config, second)}"


def _late_files(spark: SparkSession, folder: str) -> str | None:
    """The folder of what is told late of people; None where it is not there, since of few nothing is."""
    try:
        return folder if paths_at(spark, folder) else None
    except InputError:
        return None


def _posted(spark: SparkSession, config: RunConfig) -> str:
    lines = published(spark, config).read(CAPITATION_LEDGER)
    of = ("posting_run", "as_of", "contract_id", "reason")
    sums = lines.groupBy(*of).agg(
        F.count(F.lit(1)).alias("lines"),
        F.sum("amount").alias("amount"),
        F.sum("withhold_amount").alias("withhold_amount"),
        F.sum("net_amount").alias("net_amount"),
    )
    names = ("as_of", "contract_id", "reason", "lines", "amount", "withhold_amount", "net_amount")
    rows = sums.orderBy("posting_run", "contract_id", (F.col("reason") != "NEW_MONTH").cast("int"), "reason").collect()
    return as_table(Rows(names, [tuple(row[name] for name in names) for row in rows]))


def _kept_back(spark: SparkSession, config: RunConfig, as_of: date) -> str:
    """What stands beyond the contracts' limits."""
    kept = published(spark, config).read(CAPITATION_UNPOSTED).where(F.col("as_of") == F.lit(as_of))
    said = kept.groupBy("contract_id").agg(F.count(F.lit(1)).alias("n"), F.sum("unposted_amount").alias("amount"))
    return "".join(
        f"; {row['contract_id']} keeps back {row['amount']:,} beyond its limit (months: {row['n']})"
        for row in said.orderBy("contract_id").collect()
    )
