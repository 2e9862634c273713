"""Member attribution as the payer supplies it: member to network and physician, by year."""

from pyspark.sql import types as T

from pmpm_spark.table import Table, column, day, text

MEMBER_ATTRIBUTION = Table(
    name="silver.member_attribution",
    grain="one row per performance year, member, network and physician",
    key=("performance_year", "member_id", "network_id", "physician_npi"),
    columns=(
        column("performance_year", T.IntegerType(), "year that the member is attributed for"),
        text("member_id", "pseudonymous member key"),
        text("network_id", "network"),
        text("physician_npi", "physician's NPI; empty where the payer names none"),
        text("practice_tin", "practice's tax number; empty where the payer names none"),
        day("file_date", "day of the list; of several lists of one network and year the newest counts, wholly"),
        day("start_date", "first day that the list tells of; null where it tells none"),
        day("end_date", "last day that the list tells of; null where it tells none"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)
