"""Members of the contracts as the payer lists them."""

from pmpm_spark.table import Table, day, text

CONTRACT_MEMBERS = Table(
    name="silver.contract_members",
    grain="one row per contract, member and first day",
    key=("contract_id", "member_id", "start_date"),
    columns=(
        text("contract_id", "contract"),
        text("member_id", "pseudonymous member key"),
        day("start_date", "first day on the list, inclusive"),
        day("end_date", "last day on the list, inclusive; 9999-12-31 while open"),
        day("recorded_on", "day from which the row is known; null where it always was"),
    ),
    rules={"listing_runs_forward": "end_date >= start_date"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)
