"""The code sets of the outcome measures: which there are, which a year has, and what a measure lacks.

None but the codes of observation is shipped: CMS's algorithm of planned readmissions and the conditions and hospitals
that a measure leaves out are supplied in `outcome_code_sets.csv` of the folder [reference], each with its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

OBSERVATION = "observation"
ALWAYS_PROCEDURE, ALWAYS_DIAGNOSIS = "planned_always_procedure", "planned_always_diagnosis"
POTENTIAL_PROCEDURE, ACUTE_DIAGNOSIS = "planned_potential_procedure", "acute_diagnosis"
PLANNED_DRG = "planned_drg"
CONDITION_HWR, CONDITION_PCR = "excluded_condition_hwr", "excluded_condition_pcr"
HOSPITAL_HWR = "excluded_hospital_hwr"

ALGORITHM = (ALWAYS_PROCEDURE, ALWAYS_DIAGNOSIS, POTENTIAL_PROCEDURE, ACUTE_DIAGNOSIS)
"""The four sets of CMS's algorithm of planned readmissions; it is applied in years that have all of them."""
PROCEDURE_SETS = (ALWAYS_PROCEDURE, POTENTIAL_PROCEDURE)
"""Any procedure of a stay speaks; of diagnoses, DRGs and hospitals those of the claim that ends last."""
CODE_SETS = (OBSERVATION, *ALGORITHM, PLANNED_DRG, CONDITION_HWR, CONDITION_PCR, HOSPITAL_HWR)

_DIAGNOSES, _PROCEDURES = ("ICD-10-CM", "ICD-9-CM"), ("ICD-10-PCS", "ICD-9-PCS")
SYSTEMS: dict[str, tuple[str, ...]] = {
    OBSERVATION: ("REVENUE", "HCPCS"),
    **dict.fromkeys(PROCEDURE_SETS, _PROCEDURES),
    **dict.fromkeys((ALWAYS_DIAGNOSIS, ACUTE_DIAGNOSIS, CONDITION_HWR, CONDITION_PCR), _DIAGNOSES),
    PLANNED_DRG: ("MS-DRG",),
    HOSPITAL_HWR: ("CCN",),
}
"""The code systems that the codes of a set may be of."""

HWR_LIKE, PCR_LIKE = "hwr_like", "pcr_like"
NEEDS = {HWR_LIKE: (CONDITION_HWR, HOSPITAL_HWR), PCR_LIKE: (CONDITION_PCR,)}
"""What a readmission measure needs beside planned readmissions."""

Rows = Sequence[Sequence[Any]]
"""Rows of reference.outcome_code_sets."""


def sets_told(outcome_code_sets: Rows) -> set[str]:
    """The sets that have a row, of whatever year."""
    return {str(row[0]) for row in outcome_code_sets}


def has_set(outcome_code_sets: Rows, name: str, year: int) -> bool:
    """Whether the set has a code of the year."""
    return any(row[0] == name and row[3] <= year <= row[4] for row in outcome_code_sets)


def lacking(outcome_code_sets: Rows, kind: str, year: int) -> tuple[str, ...]:
    """The sets that a readmission measure lacks in a year; `planned` where it has neither the algorithm nor DRGs."""

    def has(name: str) -> bool:
        return has_set(outcome_code_sets, name, year)

    planned = all(has(name) for name in ALGORITHM) or has(PLANNED_DRG)
    return (*(() if planned else ("planned",)), *[name for name in NEEDS[kind] if not has(name)])


def is_observation(outcome_code_sets: Rows) -> Column:
    """The line is one of observation, by its revenue or HCPCS code."""
    found = F.lit(False)
    for name, system, code, first, last, _ in outcome_code_sets:
        field = {"REVENUE": "revenue_code", "HCPCS": "hcpcs"}.get(system)
        if name == OBSERVATION and field is not None:
            found = found | ((F.col(field) == code) & F.year("service_thru").between(first, last))
    return F.coalesce(found, F.lit(False))


def is_planned(outcome_code_sets: Rows, code_sets: Column, year: Column) -> Column:
    """The stay is planned: by CMS's algorithm in years that have it, else by its DRG; never where neither is supplied.

    Planned are an always planned procedure or diagnosis, and a potentially planned procedure without an acute one.
    """
    names = sets_told(outcome_code_sets)

    def meets(name: str) -> Column:
        return F.array_contains(code_sets, F.lit(name)) if name in names else F.lit(False)

    by_drg = meets(PLANNED_DRG)
    if not names.issuperset(ALGORITHM):
        return by_drg
    told = [row for row in outcome_code_sets if row[0] in ALGORITHM]
    span = range(max(min(row[3] for row in told), 1990), min(max(row[4] for row in told), 2100) + 1)
    years = [y for y in span if all(has_set(told, name, y) for name in ALGORITHM)]
    by_algorithm = (
        meets(ALWAYS_PROCEDURE) | meets(ALWAYS_DIAGNOSIS) | (meets(POTENTIAL_PROCEDURE) & ~meets(ACUTE_DIAGNOSIS))
    )
    return F.when(year.isin(*years), by_algorithm).otherwise(by_drg)
