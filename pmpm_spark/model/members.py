"""Members: one person each, with what does not change from month to month."""

from pmpm_spark.table import Table, day, text

MEMBERS = Table(
    name="silver.members",
    grain="one row per member",
    key=("member_id",),
    columns=(
        text("member_id", "pseudonymous member key, as delivered"),
        day("birth_date", "date of birth"),
        text("sex", "F, M, or U where it is not told"),
        day("death_date", "date of death; null while alive"),
        text("state", "state of residence as delivered, latest told"),
        text("county_fips", "FIPS code of state and county, latest told"),
        text("original_entitlement_reason", "0 age, 1 disability, 2 ESRD, 3 both; null where not told"),
    ),
    rules={"sex_is_known_code": "sex IN ('F', 'M', 'U')"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)
