"""Which services count for whom: window, code set, clinician and participant list, by the policy's method.

`plurality` counts professional lines of anybody; `mssp` and `reach` ask for a counting clinician, count clinics and
hospitals that bill for physicians too, and know conditions of place on some codes (42 CFR 425.400, 425.402).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.months import month_number
from pmpm_spark.policy import Policy
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES, PROLONGED_SERVICES
from pmpm_spark.silver.roster_match import programs_rows, with_roster_networks
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

OUTSIDE_TIN, OUTSIDE_CCN = "TIN:", "CCN:"
"""What stands before the id of a candidate outside every network."""

CLINIC_VISIT = "G0463"
"""A hospital's own code for a visit: of no physician, but where the hospital is paid for its physicians (ETA)."""
NURSING_FACILITY_VISITS = ("99304", "99318")
HOME_VISITS = ("99341", "99350")
ADVANCE_CARE_PLANNING = ("99497", "99498")
AT_HOME, IN_SNF, IN_HOSPITAL = ("12",), ("31",), ("21", "51", "61")
"""Places of service."""


def year_window(policy: Policy, performance_year: int, longer: int = 0) -> dict[str, int]:
    """First and last month number of the services that count; `recent_first` is after `longer` months more."""
    first, last = performance_year * 12, performance_year * 12 + 11
    if policy.attribution.window == "alignment_window":
        last -= policy.eligibility.lag_months
        first = last - policy.eligibility.window_months + 1
    elif policy.attribution.window == "prospective":
        first, last = first - 15, first - 4
    return {"performance_year": performance_year, "first": first - longer, "recent_first": first, "last": last}


def windows_of(policy: Policy, performance_years: Sequence[int], longer: dict[int, int] | None = None) -> Column:
    """Array with the window of each performance year, and the day whose participant list is the year's."""
    more = longer or {}

    def window(year: int) -> Column:
        numbers = year_window(policy, year, more.get(year, 0))
        named = [F.lit(number).alias(name) for name, number in numbers.items()]
        return F.struct(*named, F.lit(date(year, 1, 1)).alias("list_day"))

    return F.array(*[window(year) for year in performance_years])


def in_windows(services: DataFrame, windows: Column) -> DataFrame:
    """Services once for each year whose window they lie in, with the window; `is_recent` from `recent_first` on."""
    number = month_number("service_date")
    inside = F.filter(windows, lambda w: (number >= w["first"]) & (number <= w["last"]))
    placed = services.select(*PRIMARY_CARE_SERVICES.column_names, F.inline(inside))
    return placed.withColumn("is_recent", month_number("service_date") >= F.col("recent_first"))


def in_code_set(lines: DataFrame, primary_care_hcpcs: DataFrame, policy: Policy) -> DataFrame:
    """The lines with `in_set`: the code is of the method's set of the year."""
    year = F.col("performance_year") if policy.attribution.code_year == "performance" else F.year("service_date")
    sets = primary_care_hcpcs.where(F.col("program") == policy.attribution.method)
    return _with_years(lines, sets, "hcpcs", year, "in_set")


def _with_years(lines: DataFrame, table: DataFrame, key: str, year: Column, name: str) -> DataFrame:
    """The lines with a flag: a row of the table with their key is in effect that year."""
    years = table.groupBy(key).agg(F.collect_list(F.struct("first_year", "last_year")).alias("years"))
    told = F.filter("years", lambda y: (y["first_year"] <= year) & (y["last_year"] >= year))
    joined = lines.join(F.broadcast(years), key, how="left")
    return joined.withColumn(name, F.coalesce(F.size(told) > 0, F.lit(False))).drop("years")


def by_clinicians(
    lines: DataFrame,
    primary_care_hcpcs: DataFrame,
    eta_hospitals: DataFrame,
    specialties: DataFrame,
    providers: DataFrame,
    policy: Policy,
    *,
    clinics: str,
) -> DataFrame:
    """Lines that `mssp` and `reach` count, with `clinician` (a step of specialties) and `amount`, above `min_charge`.

    What a clinic gives is given by a clinician of the kind `clinics`.
    """
    year = F.col("performance_year")
    placed = _with_years(in_code_set(lines, primary_care_hcpcs, policy), eta_hospitals, "ccn", year, "is_eta")
    kind, code = F.col("line_kind"), F.col("hcpcs")
    is_professional, is_clinic = kind == "professional", kind == "clinic"
    in_set = F.col("in_set")
    can_count = (
        F.when(is_clinic, in_set | (year >= 2019))
        .when(kind == "other_outpatient", in_set & F.col("is_eta"))
        .otherwise(in_set & (code != CLINIC_VISIT))
    )
    amount = F.when(is_professional, F.col("told_amount")).otherwise(F.col("allowed_amount"))
    charge = F.lit(Decimal(str(policy.attribution.min_charge))).cast(MONEY)
    counted = placed.withColumn("amount", amount).where(
        can_count & ~_misplaced(year, policy) & (F.col("amount") > charge)
    )
    own = F.trim("specialty")
    padded = F.when(F.length(own) == 1, F.concat(F.lit("0"), own)).otherwise(own)
    falls_back = F.lit(policy.attribution.specialty_fallback)
    supplied = providers.select("npi", F.trim("specialty").alias("supplied_specialty"))
    named = counted.join(supplied.where(F.length("supplied_specialty") == 2), "npi", how="left").withColumn(
        "specialty_code", F.when(own != "", padded).when(falls_back, F.col("supplied_specialty"))
    )
    of_method = specialties.where(F.col("program") == policy.attribution.method)
    steps = of_method.groupBy("specialty_code").agg(F.min("step").alias("listed"))
    listed = named.join(F.broadcast(steps), "specialty_code", how="left")
    clinician = F.when(is_clinic, clinics).otherwise(F.col("listed"))
    return listed.withColumn("clinician", clinician).where("clinician IS NOT NULL")


def _misplaced(year: Column, policy: Policy) -> Column:
    """The code does not count at its place, or not without its base code. Years are performance years."""
    kind, code, place = F.col("line_kind"), F.col("hcpcs"), F.col("place_of_service")
    asks_stays = F.lit(policy.attribution.snf_exclusion == "place_or_stay")
    in_snf = place.isin(*IN_SNF) | (F.col("in_snf") & (year >= 2019) & asks_stays)
    in_hospital = place.isin(*IN_HOSPITAL) | F.col("in_inpatient")
    nursing = code.between(*NURSING_FACILITY_VISITS) & kind.isin("professional", "clinic")
    home = code.between(*HOME_VISITS) & (kind == "professional")
    return (
        (nursing & in_snf & (year >= 2017))
        | (home & ~place.isin(*AT_HOME) & year.between(2019, 2022))
        | (code.isin(*PROLONGED_SERVICES) & ~F.col("has_base_code"))
        | (code.isin(*ADVANCE_CARE_PLANNING) & in_hospital & (year >= 2021))
    )


def of_types(network_roster: DataFrame, policy: Policy) -> DataFrame:
    """The rows of the networks that compete."""
    kind = F.coalesce("network_type", F.lit("OTHER"))
    return network_roster.where(kind.isin(*policy.attribution.network_types))


def with_candidates(lines: DataFrame, network_roster: DataFrame, policy: Policy) -> DataFrame:
    """Lines that somebody stands for: `candidate` (a network, or an id outside every network), `is_outside`, and the
    `practice` (tax number, else facility).

    A line on two networks' lists is its lowest network's, or nobody's (`shared_participants`); one without the id that
    its kind needs is nobody's.
    """
    is_listed_by_line = policy.attribution.participants_as_of == "line_date"
    dated = lines.withColumns(
        {
            "listed_on": F.col("service_date" if is_listed_by_line else "list_day"),
            "line_tin": F.col("tin"),
            "line_npi": F.col("npi"),
            "line_ccn": F.col("ccn"),
            **_ids_asked(policy.attribution.method),
        }
    )
    roster = of_types(network_roster, policy)
    if policy.attribution.method == "plurality":
        roster = roster.where("ccn = ''")  # a row with a facility on it matches no professional line
    else:
        roster = programs_rows(roster, policy.attribution.method)
    matched = with_roster_networks(dated, roster, "listed_on").withColumns(
        {"npi": F.col("line_npi"), "practice": _practice(), "networks": F.size("roster_networks")}
    )
    if policy.attribution.shared_participants == "exclude":
        matched = matched.where("networks < 2")
    is_outside = F.col("networks") == 0
    is_professional = F.col("line_kind") == "professional"
    outside = F.when(is_professional & (F.col("line_tin") != ""), F.concat(F.lit(OUTSIDE_TIN), F.col("line_tin"))).when(
        ~is_professional & (F.col("line_ccn") != ""), F.concat(F.lit(OUTSIDE_CCN), F.col("line_ccn"))
    )
    candidate = F.when(is_outside, outside).otherwise(F.array_min("roster_networks"))
    return matched.withColumns({"candidate": candidate, "is_outside": is_outside}).where("candidate IS NOT NULL")


def _practice() -> Column:
    return F.when((F.col("line_tin") != "") | (F.col("line_kind") == "professional"), F.col("line_tin")).otherwise(
        F.col("line_ccn")
    )


def _ids_asked(method: str) -> dict[str, Column]:
    """The ids by which a line meets the roster: `plurality` by tax number and NPI; a professional line of the programs
    by its tax number, an institutional one by its facility, with the NPI under `reach` alone."""
    none, is_professional = F.lit(""), F.col("line_kind") == "professional"
    if method == "plurality":
        return {"ccn": none}
    return {
        "tin": F.when(is_professional, F.col("tin")).otherwise(none),
        "ccn": F.when(is_professional, none).otherwise(F.col("ccn")),
        "npi": F.col("npi") if method == "reach" else none,
    }
