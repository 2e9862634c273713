"""Member months as the payer lists and pays them, to be compared with those that are due."""

from pmpm_spark.table import Table, day, money, text

PAYER_MEMBER_MONTHS = Table(
    name="silver.payer_member_months",
    grain="one row per contract, member and coverage month on the payer's list",
    key=("contract_id", "member_id", "coverage_month"),
    columns=(
        text("contract_id", "contract"),
        text("member_id", "pseudonymous member key"),
        day("coverage_month", "first day of the month"),
        money("amount", "what the payer says it paid, before what is withheld; null where it says nothing"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)
