"""The capitation ledger without its members: what was posted of each coverage month and year, by reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.capitation_ledger import REASONS, current_id
from pmpm_spark.gold.capitation_variance import PERIOD, periods
from pmpm_spark.spark_versions import word_for
from pmpm_spark.table import MONEY, Table, count, day, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CAPITATION_LEDGER_BY_REASON = Table(
    name="gold.capitation_ledger_by_reason",
    grain="one row per contract, year or month that is paid, and reason with a line in capitation_ledger",
    key=(*PERIOD, "reason"),
    columns=(
        text("contract_id", "contract, as it is called now"),
        text("period_type", "as in capitation_variance; months add up to their year in lines and amounts"),
        day("period", "first day of the year or month that is paid"),
        text("reason", f"why lines were posted: {', '.join(REASONS)}"),
        text("network_id", "network of the contract"),
        count("members", "members with a line"),
        count("lines", "lines of all payment runs so far"),
        money("amount", "posted; all reasons add up to posted_amount of capitation_variance"),
        money("withhold_amount", "of it withheld"),
        money("net_amount", "amount - withhold_amount"),
        year("performance_year", "calendar year of the period"),
        text("policy", "policy of the last capitation run"),
    ),
    key_is_built_in=True,
)
_SUMS = ("amount", "withhold_amount", "net_amount")


def capitation_ledger_by_reason(
    capitation_ledger: DataFrame, *, now: Mapping[str, str], networks: Mapping[str, str], policy: str
) -> DataFrame:
    """Lines of all payment runs; `now` has the id that each former contract has, `networks` the network of each."""
    sums = [F.sum(name).cast(MONEY).alias(name) for name in _SUMS]
    lines = capitation_ledger.withColumns(
        {"contract_id": current_id(now), "at": F.explode(periods("coverage_month"))}
    ).groupBy(
        "contract_id",
        F.col("at.period_type").alias("period_type"),
        F.col("at.period").alias("period"),
        "reason",
    )
    told = lines.agg(F.count_distinct("member_id").alias("members"), F.count(F.lit(1)).alias("lines"), *sums)
    return told.select(
        *PERIOD,
        "reason",
        word_for(networks, F.col("contract_id")).alias("network_id"),
        "members",
        "lines",
        *_SUMS,
        F.year("period").alias("performance_year"),
        F.lit(policy).alias("policy"),
    )
