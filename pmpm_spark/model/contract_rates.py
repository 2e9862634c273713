"""Rates of the contracts, by rate cell and day."""

from pmpm_spark.table import Table, day, flag, money, text

CONTRACT_RATES = Table(
    name="silver.contract_rates",
    grain="one row per contract, first day and rate cell",
    key=("contract_id", "effective_from", "enrollment_type", "age_band", "sex"),
    columns=(
        text("contract_id", "contract"),
        day("effective_from", "first day of the rate, inclusive"),
        day("effective_to", "last day of the rate, inclusive; 9999-12-31 while open"),
        text("enrollment_type", "ESRD, DISABLED, AGED_DUAL, AGED_NON_DUAL, OTHER, or * for any"),
        text("age_band", "whole years on the first of the month: 65-74 (both ends counted), 85+, or * for any"),
        text("sex", "F, M, U, or * for any"),
        money("rate", "per member month"),
        flag("risk_adjusted", "the rate is multiplied by the member's normalized score"),
    ),
    rules={"rate_is_not_negative": "rate >= 0", "rate_runs_forward": "effective_to >= effective_from"},
    key_is_built_in=True,
)
