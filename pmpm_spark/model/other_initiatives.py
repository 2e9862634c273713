"""Members of another shared savings initiative, as CMS tells the ACO: nobody's by the rules of `mssp`."""

from pmpm_spark.table import Table, text, year

OTHER_INITIATIVES = Table(
    name="silver.other_initiatives",
    grain="one row per performance year and member whom another shared savings initiative has",
    key=("performance_year", "member_id"),
    columns=(
        year("performance_year", "year in which it has the member"),
        text("member_id", "pseudonymous member key"),
        text("initiative", "its name; null where the list tells none"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)
