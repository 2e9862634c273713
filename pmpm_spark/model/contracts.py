"""Contracts that pay a fixed amount per enrolled member and month."""

from pyspark.sql import types as T

from pmpm_spark.table import SCORE, Table, column, day, money, text

CONTRACTS = Table(
    name="silver.contracts",
    grain="one row per contract",
    key=("contract_id",),
    columns=(
        text("contract_id", "contract"),
        text("contract_name", "name; a change of it changes nothing that is due"),
        text("network_id", "network that is paid"),
        text("line_of_business", "commercial, medicare_advantage, part_d, medicaid or aco"),
        day("start_date", "first day, inclusive"),
        day("end_date", "last day, inclusive; 9999-12-31 while open"),
        text("coverage_rule", "which days of a month make it due (design 3.1)"),
        text("month_reasons", "reasons of the policy for which a month is not due either, ; between; null = none"),
        column("retro_limit_months", T.IntegerType(), "months back that may still be posted; null = no limit"),
        column("withhold_share", SCORE, "share of what is due that is withheld"),
        money("benchmark_pmpm", "expected cost per member per month"),
        column("minimum_savings_rate", SCORE, "share of the benchmark below which no savings are shared"),
        column("savings_share", SCORE, "network's share of savings"),
        column("savings_cap", SCORE, "most of the benchmark that the network's savings may be"),
        column("minimum_loss_rate", SCORE, "share of the benchmark below which no losses are shared"),
        column("loss_share", SCORE, "network's share of losses"),
        column("loss_cap", SCORE, "most of the benchmark that the network's losses may be"),
        text("previous_contract_id", "id that the contract had before; what was posted under it counts as posted"),
    ),
    rules={
        "contract_runs_forward": "end_date >= start_date",
        "withhold_is_a_share": "withhold_share >= 0 AND withhold_share <= 1",
    },
    key_is_built_in=True,
)
