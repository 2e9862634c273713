"""What a contract expects its members to use and cost, by rate cell and service category."""

from pyspark.sql import types as T

from pmpm_spark.table import SCORE, Table, column, money, text, year

CONTRACT_BUDGET = Table(
    name="silver.contract_budget",
    grain="one row per contract, year, rate cell and service category",
    key=("contract_id", "year", "enrollment_type", "age_band", "sex", "service_category"),
    columns=(
        text("contract_id", "contract"),
        year("year", "calendar year"),
        text("enrollment_type", "as in contract_rates"),
        text("age_band", "as in contract_rates"),
        text("sex", "as in contract_rates"),
        text("service_category", "first level, as in network_pmpm_by_category"),
        column("member_months", T.DecimalType(18, 6), "member months of the cell"),
        column("services_per_1000", SCORE, "services per 1,000 members and year"),
        money("cost_per_service", "per service"),
    ),
    key_is_built_in=True,
)
