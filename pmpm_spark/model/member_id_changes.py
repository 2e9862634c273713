"""Ids that a member was known by before."""

from pmpm_spark.table import Table, text

MEMBER_ID_CHANGES = Table(
    name="silver.member_id_changes",
    grain="one row per id that is in use no more",
    key=("previous_id",),
    columns=(
        text("previous_id", "id as it was"),
        text("member_id", "current id of the same person, at the end of all changes"),
    ),
    rules={"it_is_a_change": "previous_id <> member_id"},
)
