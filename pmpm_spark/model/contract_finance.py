"""What a contract's year received and spent beside claims, as the parties tell it."""

from pmpm_spark.table import Table, money, text, year

FINANCE_AMOUNTS = (
    "withhold_returned", "administrative_cost", "quality_improvement_cost", "taxes_and_fees", "program_spending",
    "delivery_cost",
)  # fmt: skip

CONTRACT_FINANCE = Table(
    name="silver.contract_finance",
    grain="one row per contract and year; an amount that is not given is null",
    key=("contract_id", "year"),
    columns=(
        text("contract_id", "contract"),
        year("year", "calendar year"),
        money("withhold_returned", "part of what was withheld of the year that was paid after all"),
        money("administrative_cost", "administration, without quality improvement, taxes and fees"),
        money("quality_improvement_cost", "improvement of health care quality, as the loss ratio counts it"),
        money("taxes_and_fees", "taxes, licensing and regulatory fees"),
        money("program_spending", "spent on the program that is to save"),
        money("delivery_cost", "the network's own cost of the services that it gave"),
    ),
    key_is_built_in=True,
)
