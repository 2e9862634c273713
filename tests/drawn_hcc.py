"""Random people with diagnoses, scored by the package and by hccinfhir, an independent implementation.

`python -m tests.drawn_hcc 50000` compares so many of every model, and prints what differs.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hccinfhir.defaults import dx_to_cc_default
from hccinfhir.model_calculate import calculate_raf
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.reference import reference_rows
from pmpm_spark.reference.hcc import (
    HCC_AGE_CELLS,
    HCC_COEFFICIENTS,
    HCC_EDITS,
    HCC_HIERARCHIES,
    HCC_INTERACTIONS,
    HCC_MAPPINGS,
)
from pmpm_spark.session import open_session
from pmpm_spark.silver.member_hccs import member_hccs
from pmpm_spark.silver.risk_diagnoses import RISK_DIAGNOSES
from pmpm_spark.silver.risk_factors import raw_score, risk_factors
from pmpm_spark.silver.risk_profiles import ANY, DIALYSIS, GRAFT, RISK_PROFILES, TRANSPLANT, with_segment
from pmpm_spark.table import Table
from tests.processes import ROOT

MODELS = {"V22": "CMS-HCC Model V22", "V24": "CMS-HCC Model V24", "V28": "CMS-HCC Model V28"}
ESRD_MODELS = {"ESRD V21": "CMS-HCC ESRD Model V21", "ESRD V24": "CMS-HCC ESRD Model V24"}
NAMES = {**MODELS, **ESRD_MODELS}
DUAL = {"full": "02", "partial": "01", "none": "NA"}
YEARS = {"V22": 2022, "V24": 2026, "V28": 2026, "ESRD V21": 2022, "ESRD V24": 2026}
"""hccinfhir's tables are those of payment year 2026; of V22 and ESRD V21 the last year that the package has."""


@dataclass(frozen=True)
class Person:
    member_id: str
    model: str
    part: str
    age: int
    sex: str
    reason: str
    dual: str
    is_new: bool
    is_institutional: bool
    graft_months: int | None
    codes: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        return {
            "member_id": self.member_id,
            "performance_year": YEARS[self.model],
            "model": self.model,
            "part": self.part,
            "age": self.age,
            "sex": self.sex,
            "original_entitlement_reason": self.reason,
            "dual_status": self.dual,
            "is_new_enrollee": self.is_new,
            "is_institutional": self.is_institutional,
            "graft_months": self.graft_months,
        }


def drawn(count: int, seed: int, models: Iterable[str] = tuple(NAMES)) -> list[Person]:
    """`count` people of each model: every segment, age and sex; codes that map, and some that do not."""
    draw = random.Random(seed)
    theirs: dict[str, set[str]] = {of_model: set() for of_model in NAMES.values()}
    for code, of_model in dx_to_cc_default:
        theirs.get(of_model, set()).add(code)
    ours: dict[str, Counter[str]] = {model: Counter() for model in NAMES}
    for model, code, _, first, last, _ in reference_rows(HCC_MAPPINGS):
        ours[model][code] += first <= YEARS[model] <= last
    edited = {(row[0], row[1]) for row in reference_rows(HCC_EDITS)}
    codes = {
        model: sorted(
            code
            for code, categories in ours[model].items()
            # hccinfhir edits one of the two categories of a code, CMS's software both
            if categories and code in theirs[NAMES[model]] and not (categories > 1 and (model, code) in edited)
        )
        for model in models
    }
    return [_person(draw, model, number, codes[model]) for model in models for number in range(count)]


def is_known_fault(person: Person, hccs: frozenset[str]) -> bool:
    """Where hccinfhir looks a coefficient up by a name that CMS's tables do not have, or by another rule than CMS's macros.

    V22: diabetes with heart failure (GDIABETESMELLIT). ESRD: a transplant's months; new enrollees with a graft (G_NEF65),
    or on dialysis and of 85 and over (NEF85_GT), of 64 (CMS: as 65), or disabled before 65 (CMS: whatever the age);
    LTI_GE65, which is of grafts, on dialysis. ESRD V21: the community's graft (GC) and Medicaid in an institution (GI);
    nonaged, which is CMS's disabled.
    """
    new_on_dialysis = person.part == DIALYSIS and person.is_new
    in_v21 = person.model == "ESRD V21"
    return (
        (person.model == "V22" and "85" in hccs and bool(hccs & {"17", "18", "19"}))
        or person.part == TRANSPLANT
        or (person.part == GRAFT and (in_v21 or (person.is_new and not person.is_institutional)))
        or (new_on_dialysis and (person.age >= 85 or person.age == 64 or (person.age < 65 and person.reason == "1")))
        or (person.part == DIALYSIS and person.is_institutional)
        or (in_v21 and person.age < 65 and person.reason == "0")
    )


NOT_OF_ESRD = frozenset({"138"})
"""A category of the kidney: CMS's macros and hccinfhir differ in it, and its coefficient is 0."""


def _person(draw: random.Random, model: str, number: int, codes: Sequence[str]) -> Person:
    age = draw.choice(
        [0, 17, 18, 34, 35, 44, 49, 54, 59, 63, 64, 64, 65, 66, 67, 68, 69, 94, 95, 120, *range(20, 100, 2)]
    )
    part = draw.choice([DIALYSIS, DIALYSIS, GRAFT, TRANSPLANT]) if model in ESRD_MODELS else ANY
    months = {GRAFT: draw.choice([4, 9, 10, 30]), TRANSPLANT: draw.choice([1, 2, 3])}.get(part)
    kind = draw.choice(["community"] * 4 + ["new", "institutional"])
    told = [draw.choice(codes) for _ in range(draw.choice([0, 1, 2, 3, 5, 8, 15]))]
    told += draw.sample(["Z0000", "A000", "D66", "J449", "F3481", "I5022", "E119", "N1830", "C50911"], 2)
    return Person(
        member_id=f"{model}-{number}",
        model=model,
        part=part,
        age=age,
        sex=draw.choice("FM"),
        reason=draw.choice("0123" if part != ANY else "0001"),
        dual=draw.choice(tuple(DUAL)),
        is_new=kind == "new",
        is_institutional=kind == "institutional",
        graft_months=months,
        codes=tuple(dict.fromkeys(told)),
    )


Scores = Mapping[str, tuple[float, frozenset[str]]]


def by_peer(people: Iterable[Person]) -> Scores:
    """The raw score and the categories that count, by member."""
    found = {}
    for person in people:
        is_esrd = person.part in (DIALYSIS, GRAFT)
        told = calculate_raf(
            list(person.codes),
            NAMES[person.model],  # type: ignore[arg-type]
            age=person.age,
            sex=person.sex,
            dual_elgbl_cd=DUAL[person.dual],
            orec=person.reason,
            crec="2" if is_esrd else "0",
            new_enrollee=person.is_new,
            lti=person.is_institutional,
            graft_months=person.graft_months,
        )
        found[person.member_id] = (told.risk_score, frozenset(told.hcc_list))
    return found


def typed(spark: SparkSession, table: Table, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    schema = T.StructType([T.StructField(c.name, c.type) for c in table.columns])
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], schema)


def by_package(
    spark: SparkSession, people: Sequence[Person], folder: str | None = None, without: tuple[str, str] | None = None
) -> Scores:
    """The same by the package; `without` leaves a model's coefficient out."""

    def rows_of(table: Table) -> list[tuple[Any, ...]]:
        return reference_rows(table, folder)

    rules = {
        "performance_years": sorted(set(YEARS.values())),
        "hcc_blends": [(year, "", model, 1, "") for model, year in YEARS.items()],
    }
    profiles = with_segment(typed(spark, RISK_PROFILES, [person.row() for person in people]).drop("segment"))
    told = [
        {"member_id": person.member_id, "performance_year": YEARS[person.model], "code": code, "claim_id": "c"}
        for person in people
        for code in person.codes
    ]
    hccs = member_hccs(
        typed(spark, RISK_DIAGNOSES, told),
        profiles,
        hcc_mappings=rows_of(HCC_MAPPINGS),
        hcc_edits=rows_of(HCC_EDITS),
        hcc_hierarchies=rows_of(HCC_HIERARCHIES),
        **rules,  # type: ignore[arg-type]
    )
    told_factors = risk_factors(
        profiles,
        hccs,
        hcc_age_cells=rows_of(HCC_AGE_CELLS),
        hcc_interactions=rows_of(HCC_INTERACTIONS),
        hcc_coefficients=[row for row in rows_of(HCC_COEFFICIENTS) if (row[0], row[2]) != without],
        **rules,  # type: ignore[arg-type]
    )
    sums = told_factors.groupBy("member_id").agg(raw_score().alias("raw")).collect()
    counted = hccs.where("dropped_by IS NULL").groupBy("member_id").agg(F.collect_set("hcc").alias("hccs")).collect()
    raw = {row["member_id"]: float(row["raw"]) for row in sums}
    sets = {row["member_id"]: frozenset(row["hccs"]) for row in counted}
    return {p.member_id: (raw.get(p.member_id, 0.0), sets.get(p.member_id, frozenset())) for p in people}


def differences(people: Iterable[Person], ours: Scores, theirs: Scores) -> list[str]:
    found = []
    for person in people:
        (score, hccs), (other, others) = ours[person.member_id], theirs[person.member_id]
        if person.model in ESRD_MODELS:
            hccs, others = hccs - NOT_OF_ESRD, others - NOT_OF_ESRD
        is_same_score = is_known_fault(person, hccs) or abs(score - other) <= 1e-9
        if hccs != others or not is_same_score:
            found.append(f"{person}: {score} of {sorted(hccs)}, hccinfhir {other} of {sorted(others)}")
    return found


if __name__ == "__main__":
    sought, engine = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "embedded"
    folder = sys.argv[3] if len(sys.argv) > 3 else None
    session = open_session(str(ROOT / "conf" / "spark" / "small.conf"), "pmpm tests", engine)
    for one in NAMES:
        drawn_people = drawn(sought, 1, [one])
        started = time.process_time()
        expected = by_peer(drawn_people)
        seconds = time.process_time() - started
        faults = differences(drawn_people, by_package(session, drawn_people, folder), expected)
        print(f"{one}: {len(drawn_people):,} people, {len(faults)} differ; hccinfhir took {seconds:.1f} s of CPU")
        for fault in faults[:5]:
            print(f"  {fault}")
