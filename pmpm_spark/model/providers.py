"""Providers: the directory behind the names in reports."""

from pmpm_spark.table import Table, text

PROVIDERS = Table(
    name="silver.providers",
    grain="one row per NPI",
    key=("npi",),
    columns=(
        text("npi", "national provider identifier"),
        text("name", "name as supplied"),
        text("specialty", "CMS specialty code or text as supplied"),
        text("taxonomy", "provider taxonomy code"),
    ),
    key_is_built_in=True,
)
