"""Attribution: whose member it is, by the policy's method, and why nobody's (design section 3.3).

`plurality`: most allowed charges for primary care services on undenied professional lines; a network is one
candidate, every tax number outside one each. `roster`: as the payer supplies it. `mssp`, `reach`: as the programs do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.candidates import MEMBER_YEAR, listed
from pmpm_spark.silver.counted_services import by_clinicians, in_windows, of_types, windows_of, with_candidates
from pmpm_spark.silver.mssp import PHYSICIAN, longer_windows, mssp
from pmpm_spark.silver.plurality import plurality
from pmpm_spark.silver.reach import PRIMARY_CARE, alignment_windows, in_thirds, reach
from pmpm_spark.silver.standing import alignable, assignable, covered_members
from pmpm_spark.silver.union import of_policies
from pmpm_spark.table import MONEY, Table, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

UNATTRIBUTED = "UNATTRIBUTED"
IDS = ("network_id", "practice_tin", "physician_npi")
NO_PRIMARY_CARE = "NO_PRIMARY_CARE"
OUTSIDE_PLURALITY = "OUTSIDE_PLURALITY"
NO_PHYSICIAN_SERVICE = "NO_PHYSICIAN_SERVICE"
NOT_ON_ROSTER = "NOT_ON_ROSTER"
VOLUNTARY_OUTSIDE = "VOLUNTARY_OUTSIDE"

ATTRIBUTION = Table(
    name="silver.attribution",
    grain="one row per policy, performance year and member covered in it, or found by the method without",
    key=("policy", "performance_year", "member_id"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "year that the member is attributed for"),
        text("member_id", "pseudonymous member key"),
        text("network_id", "network; UNATTRIBUTED where none has the member"),
        text("practice_tin", "practice inside the network; UNATTRIBUTED where none"),
        text("physician_npi", "physician inside the network; UNATTRIBUTED where none"),
        text("method", "method that made the row"),
        money("measure_amount", "what the winner is measured by; null where the payer supplies it, or nobody wins"),
        text("runner_up_network_id", "second candidate; TIN: or CCN: and its id where it is outside every network"),
        money("runner_up_amount", "what the second candidate is measured by"),
        text("winner", "the winning candidate: a network, or TIN: or CCN: and its id"),
        text("step", "roster, plurality, voluntary, step_1, step_2, step_3, primary_care or other_specialist"),
        text("unattributed_reason", "why no network has the member; null where one has"),
        money("margin", "measure_amount - runner_up_amount; null where there is no second candidate"),
    ),
    rules={
        "network_is_told": "network_id IS NOT NULL",
        "reason_where_unattributed": "(network_id = 'UNATTRIBUTED') = (unattributed_reason IS NOT NULL)",
    },
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)


def attribution(
    primary_care_services: DataFrame,
    network_roster: DataFrame,
    member_attribution: DataFrame,
    primary_care_hcpcs: DataFrame,
    specialties: DataFrame,
    eta_hospitals: DataFrame,
    alignment_periods: DataFrame,
    providers: DataFrame,
    eligibility_spans: DataFrame,
    members: DataFrame,
    told_months: DataFrame,
    secondary_payer_months: DataFrame,
    other_initiatives: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """The members of every policy and performance year with their network, practice and physician."""
    years = performance_years
    periods = _periods(alignment_periods, years)

    def found_by(policy: Policy) -> DataFrame:
        found = winners(
            primary_care_services,
            network_roster,
            primary_care_hcpcs,
            specialties,
            eta_hospitals,
            alignment_periods,
            providers,
            policy=policy,
            performance_years=years,
        )
        return found.drop("candidates")

    def by_mssp(policy: Policy) -> DataFrame:
        standing = assignable(eligibility_spans, members, told_months, other_initiatives, policy, years)
        if not policy.attribution.voluntary:
            return _assigned(standing, found_by(policy))
        listed = _as_supplied(member_attribution, years)
        first_days = listed.withColumn("list_day", F.make_date("performance_year", F.lit(1), F.lit(1)))
        return _assigned(standing, found_by(policy), _with_standing_of_network(first_days, network_roster, policy))

    def by_reach(policy: Policy) -> DataFrame:
        standing = alignable(eligibility_spans, members, told_months, secondary_payer_months, periods, policy)
        if not policy.attribution.voluntary:
            return _assigned(standing, found_by(policy))
        first_days = _as_supplied(member_attribution, years).join(
            F.broadcast(periods.select("performance_year", F.col("first_month").alias("list_day"))),
            "performance_year",
            how="inner",
        )
        supplied = _with_standing_of_network(first_days, network_roster, policy)
        return _assigned(standing, found_by(policy), supplied.where("is_listed"))

    def by_plurality(policy: Policy) -> DataFrame:
        return _or_nobody(covered, found_by(policy), NO_PRIMARY_CARE)

    def by_roster(_: Policy) -> DataFrame:
        return _or_nobody(covered, _as_supplied(member_attribution, years), NOT_ON_ROSTER)

    covered = covered_members(eligibility_spans, told_months, years)
    methods = {"plurality": by_plurality, "roster": by_roster, "mssp": by_mssp, "reach": by_reach}

    def rows_of(policy: Policy) -> DataFrame:
        method = policy.attribution.method
        return _whole(methods[method](policy)).withColumns({"policy": F.lit(policy.label), "method": F.lit(method)})

    return of_policies(policies, rows_of)


def winners(
    primary_care_services: DataFrame,
    network_roster: DataFrame,
    primary_care_hcpcs: DataFrame,
    specialties: DataFrame,
    eta_hospitals: DataFrame,
    alignment_periods: DataFrame,
    providers: DataFrame,
    *,
    policy: Policy,
    performance_years: Sequence[int],
) -> DataFrame:
    """Each member and year that claims give to somebody, by a method of claims: `ranked`'s columns and the step."""
    years, method = performance_years, policy.attribution.method

    def lines_of(services: DataFrame, windows: Column, clinics: str) -> DataFrame:
        placed = in_windows(services, windows)
        counted = by_clinicians(
            placed, primary_care_hcpcs, eta_hospitals, specialties, providers, policy, clinics=clinics
        )
        return with_candidates(counted, network_roster, policy)

    if method == "plurality":
        return plurality(primary_care_services, primary_care_hcpcs, network_roster, policy, years)
    if method == "mssp":
        return mssp(lines_of(primary_care_services, windows_of(policy, years, longer_windows(years)), PHYSICIAN), years)
    windows = alignment_windows(_periods(alignment_periods, years))
    services = primary_care_services.join(F.broadcast(windows), how="cross")
    return reach(lines_of(services, F.col("windows"), PRIMARY_CARE))


def candidates(*tables: DataFrame, policy: Policy, performance_years: Sequence[int]) -> DataFrame:
    """Everybody whom claims name for a member and year, in order, with what measures each; tables as for `winners`."""
    rows = listed(winners(*tables, policy=policy, performance_years=performance_years))
    return rows.withColumn("amount", in_thirds(F.col("amount"))) if policy.attribution.method == "reach" else rows


def _periods(alignment_periods: DataFrame, performance_years: Sequence[int]) -> DataFrame:
    return alignment_periods.where((F.col("program") == "reach") & F.col("performance_year").isin(*performance_years))


def _whole(rows: DataFrame) -> DataFrame:
    """Ids that are not there are UNATTRIBUTED; a network of that very name has nobody."""
    ids = {name: F.when(F.col(name) != "", F.col(name)).otherwise(UNATTRIBUTED) for name in IDS}
    reason = F.when(ids["network_id"] == UNATTRIBUTED, F.coalesce("unattributed_reason", F.lit(OUTSIDE_PLURALITY)))
    margin = F.col("measure_amount") - F.col("runner_up_amount")
    return rows.withColumns({**ids, "unattributed_reason": reason, "margin": margin})


def _or_nobody(covered: DataFrame, found: DataFrame, not_found: str) -> DataFrame:
    """Whom the method finds, covered or not, and the covered members whom it does not."""
    reason = F.when(F.col("winner").isNull(), not_found).when(F.col("network_id").isNull(), OUTSIDE_PLURALITY)
    return covered.join(found, list(MEMBER_YEAR), how="full").withColumn("unattributed_reason", reason)


def _assigned(standing: DataFrame, found: DataFrame, supplied: DataFrame | None = None) -> DataFrame:
    """Covered members by their standing: the supplied network first, then the winner, where it `passes`.

    Whom the list gives to a network that takes no part is kept out of what claims decide.
    """
    joined = standing.join(found, list(MEMBER_YEAR), how="left")
    if supplied is None:
        none = F.lit(None).cast("string")
        joined = joined.withColumns({"is_listed": none.cast("boolean"), **{f"supplied_{name}": none for name in IDS}})
    else:
        joined = joined.join(supplied, list(MEMBER_YEAR), how="left")
    is_voluntary = F.coalesce("is_listed", F.lit(False)) & F.col("reason_if_supplied").isNull()
    stays_out = ~F.coalesce("is_listed", F.lit(True))
    reason = (
        F.when(is_voluntary, None)
        .when(F.col("reason").isNotNull(), F.col("reason"))
        .when(stays_out, VOLUNTARY_OUTSIDE)
        .when(F.col("winner").isNull(), NO_PRIMARY_CARE)
        .when(F.col("network_id").isNull(), OUTSIDE_PLURALITY)
        .when(~F.col("passes"), NO_PHYSICIAN_SERVICE)
    )
    claims_decide = ~is_voluntary & F.col("reason").isNull() & ~stays_out
    ids = {
        name: F.when(is_voluntary, F.col(f"supplied_{name}")).when(claims_decide & F.col("passes"), F.col(name))
        for name in IDS
    }
    decided = {
        name: F.when(claims_decide, F.col(name))
        for name in ("measure_amount", "runner_up_network_id", "runner_up_amount", "winner", "step")
    }
    decided |= {
        "winner": F.when(is_voluntary, F.col("supplied_network_id")).otherwise(decided["winner"]),
        "step": F.when(is_voluntary, "voluntary").otherwise(decided["step"]),
    }
    named = [value.alias(name) for name, value in (ids | decided).items()]
    return joined.select(*MEMBER_YEAR, *named, reason.alias("unattributed_reason"))


def _with_standing_of_network(supplied: DataFrame, network_roster: DataFrame, policy: Policy) -> DataFrame:
    """Supplied members with `is_listed`: their network takes part on `list_day`, or (`line_date`) in the year."""
    if policy.attribution.participants_as_of == "line_date":
        first, last = (
            F.make_date("performance_year", F.lit(1), F.lit(1)),
            F.make_date("performance_year", F.lit(12), F.lit(31)),
        )
    else:
        first, last = F.col("list_day"), F.col("list_day")
    networks = (
        of_types(network_roster, policy)
        .where("tin <> '' OR ccn <> ''")
        .groupBy("network_id")
        .agg(F.collect_list(F.struct("start_date", "end_date")).alias("listed"))
    )
    in_effect = F.filter("listed", lambda row: (row["start_date"] <= last) & (row["end_date"] >= first))
    return supplied.join(F.broadcast(networks), "network_id", how="left").select(
        *MEMBER_YEAR,
        *[F.col(name).alias(f"supplied_{name}") for name in IDS],
        F.coalesce(F.size(in_effect) > 0, F.lit(False)).alias("is_listed"),
    )


def _as_supplied(member_attribution: DataFrame, performance_years: Sequence[int]) -> DataFrame:
    """The payer's list: the network with most months of the year, then the lowest; in it the physician likewise."""
    fewest_last = (-F.bit_count("months")).alias("months_below_0")
    is_unnamed = (F.col("physician_npi") == "").alias("is_unnamed")
    physician = F.min(F.struct(fewest_last, is_unnamed, "physician_npi", "practice_tin")).alias("physician")
    network_months = (-F.bit_count(F.bit_or("months"))).alias("months_below_0")
    of_member = ("performance_year", "member_id")
    chosen = (
        member_attribution.where(F.col("performance_year").isin(*performance_years))
        .groupBy(*of_member, "network_id")
        .agg(network_months, physician)
        .groupBy(*of_member)
        .agg(F.min(F.struct("months_below_0", "network_id", "physician")).alias("first"))
        .select(*of_member, "first.network_id", "first.physician.*")
    )
    return chosen.select(
        "performance_year",
        "member_id",
        *IDS,
        F.lit(None).cast(MONEY).alias("measure_amount"),
        F.lit(None).cast("string").alias("runner_up_network_id"),
        F.lit(None).cast(MONEY).alias("runner_up_amount"),
        F.col("network_id").alias("winner"),
        F.lit("roster").alias("step"),
    )
