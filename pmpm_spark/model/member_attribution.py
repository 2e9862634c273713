"""Member attribution as the payer supplies it: member to network and physician, by year."""

from pyspark.sql import types as T

from pmpm_spark.table import Table, column, count, day, text

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
        day("file_date", "day of the newest list that counts for a month; null where it tells none"),
        day("start_date", "first day that the list tells of; null where it tells none"),
        day("end_date", "last day that the list tells of; null where it tells none"),
        count("months", "months of the year that this network's newest list for them has, as bits, January the lowest"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)
