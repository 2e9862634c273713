"""Network roster: which providers belong to a network, and when."""

from pmpm_spark.table import Table, day, text

NETWORK_ROSTER = Table(
    name="silver.network_roster",
    grain="one row per network, combination of ids and first day",
    key=("network_id", "tin", "npi", "ccn", "start_date"),
    columns=(
        text("network_id", "network"),
        text("tin", "tax number; empty where the row does not fill it in"),
        text("npi", "national provider identifier; empty where the row does not fill it in"),
        text("ccn", "CMS certification number; empty where the row does not fill it in"),
        day("start_date", "first day on the roster, inclusive; 1900-01-01 where it was always"),
        day("end_date", "last day on the roster, inclusive; 9999-12-31 while open"),
        text("network_name", "name of the network"),
        text("network_type", "MSSP, REACH or OTHER"),
    ),
    rules={
        "an_id_is_filled_in": "tin <> '' OR npi <> '' OR ccn <> ''",
        "roster_runs_forward": "end_date >= start_date",
        "network_type_is_known": "network_type IN ('MSSP', 'REACH', 'OTHER')",
    },
    key_is_built_in=True,
)
