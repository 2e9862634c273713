"""What the outcome measures ask of a run, and what it says of them. No line names a member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig
from pmpm_spark.errors import InputError
from pmpm_spark.gold.outcome_measures import HWR, NOT_SUPPLIED, PCR, has_primary_care_set
from pmpm_spark.model import CLAIM_PROCEDURES
from pmpm_spark.reference import OUTCOME_CODE_SETS, PRIMARY_CARE_HCPCS, reference_rows
from pmpm_spark.silver.hospital_claims import HOSPITAL_CLAIMS
from pmpm_spark.silver.outcome_codes import (
    ALGORITHM,
    CODE_SETS,
    HWR_LIKE,
    PCR_LIKE,
    PROCEDURE_SETS,
    SYSTEMS,
    lacking,
    sets_told,
)

if TYPE_CHECKING:
    from pmpm_spark.store import Store


def check_outcome_codes(config: RunConfig) -> None:
    """The supplied code sets can be used: known names, each with a code system of its own, the algorithm whole.

    Raises:
        InputError: names the set and what is wrong with it.
    """
    rows = reference_rows(OUTCOME_CODE_SETS, config.reference.path)
    for name, system, code, *_ in rows:
        if name not in CODE_SETS:
            raise InputError(f"outcome_code_sets: code_set {name} is unknown (one of: {', '.join(CODE_SETS)})")
        if system not in SYSTEMS[name]:
            raise InputError(
                f"outcome_code_sets: {name} has code {code} of {system}; it takes {', '.join(SYSTEMS[name])}"
            )
    told = sets_told(rows)
    if told & set(ALGORITHM) and not told.issuperset(ALGORITHM):
        missing = [name for name in ALGORITHM if name not in told]
        raise InputError(
            f"outcome_code_sets: {missing[0]} has no row; the algorithm of planned readmissions is applied whole: add "
            f"{', '.join(ALGORITHM)}, or give planned_drg alone"
        )


def outcome_notices(store: Store, config: RunConfig) -> list[str]:
    """Measures that lack a code set, claims that make no stay, and procedures that are asked for and not told."""
    return [*_lacking(config), *_no_stays(store), *_procedures(store, config)]


def _lacking(config: RunConfig) -> list[str]:
    rows = reference_rows(OUTCOME_CODE_SETS, config.reference.path)
    years = config.performance_years
    notices = []
    for kind, measure in ((HWR_LIKE, HWR), (PCR_LIKE, PCR)):
        short = {year: lacking(rows, kind, year) for year in years}
        for names in dict.fromkeys(names for names in short.values() if names):
            of = ", ".join(str(year) for year, lacks in short.items() if lacks == names)
            notices.append(
                f"{measure} {of}: code sets that are {NOT_SUPPLIED}: {', '.join(names)}; no readmission is taken for "
                "planned and no stay left out by a set that is not there (docs/outcomes.md)"
            )
    hcpcs = reference_rows(PRIMARY_CARE_HCPCS, config.reference.path)
    for policy in config.policies:
        without = [str(year) for year in years if not has_primary_care_set(hcpcs, policy, year)]
        if without:
            notices.append(
                f"primary_care_visits, followup_14_days: policy {policy.label} has no primary care code set of "
                f"{', '.join(without)}, so there is no visit"
            )
    return notices


def _no_stays(store: Store) -> list[str]:
    if HOSPITAL_CLAIMS.name not in store.versions:
        return []
    claims = store.read(HOSPITAL_CLAIMS).where("no_stay_reason IS NOT NULL")
    found = claims.agg(F.count(F.lit(1)).alias("n")).collect()[0]["n"]
    if not found:
        return []
    return [f"{found:,} hospital claims end before they start and make no stay; silver.hospital_claims has them"]


def _procedures(store: Store, config: RunConfig) -> list[str]:
    told = sets_told(reference_rows(OUTCOME_CODE_SETS, config.reference.path))
    if told.isdisjoint(PROCEDURE_SETS) or CLAIM_PROCEDURES.name not in store.versions:
        return []
    if store.read(CLAIM_PROCEDURES).limit(1).collect():
        return []
    return ["planned readmissions go by procedures, but the source tells none: few are found"]
