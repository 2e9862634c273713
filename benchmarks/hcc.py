"""What risk scores from diagnoses cost: categories, factors and scores of many people; hccinfhir on some of them.

    python benchmarks/hcc.py [--members 1000000] [--codes 15] [--mapped 0.5] [--engine embedded] [--stages]

The people are drawn (V28: every age and segment of the community, new enrollees among them), each with so many
different codes, of which a share has a category. Ours reads them from Parquet and publishes silver.member_hccs,
risk_factors and risk_scores as a run does. CPU is that of the whole process tree, the session's start left out.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from events import logged, print_stages
from tree import cpu_seconds

from pmpm_spark.config import Warehouse
from pmpm_spark.model import SUPPLIED_RISK_SCORES
from pmpm_spark.reference import reference_rows
from pmpm_spark.reference.hcc import (
    HCC_AGE_CELLS,
    HCC_COEFFICIENTS,
    HCC_EDITS,
    HCC_HIERARCHIES,
    HCC_INTERACTIONS,
    HCC_MAPPINGS,
    HCC_NORMALIZATION,
)
from pmpm_spark.session import open_session
from pmpm_spark.silver.member_hccs import MEMBER_HCCS, member_hccs
from pmpm_spark.silver.risk_factors import RISK_FACTORS, risk_factors
from pmpm_spark.silver.risk_profiles import RISK_PROFILES, with_segment
from pmpm_spark.silver.risk_scores import RISK_SCORES, risk_scores
from pmpm_spark.store import Store
from pmpm_spark.table import small_frame

MODEL, YEAR = "V28", 2026
PEER_MODEL = "CMS-HCC Model V28"
DUAL = {"full": "02", "partial": "01", "none": "NA"}
BLOCK = 100_000
RULES: dict[str, Any] = {"performance_years": [YEAR], "hcc_blends": [(YEAR, "", MODEL, 1, "")]}


def codes_of_model() -> tuple[list[str], list[str]]:
    """Codes that have a category of the model, and codes that have one of other models alone."""
    rows = reference_rows(HCC_MAPPINGS)
    own = {code for model, code, _, first, last, _ in rows if model == MODEL and first <= YEAR <= last}
    return sorted(own), sorted({row[1] for row in rows} - {row[1] for row in rows if row[0] == MODEL})


def written(folder: Path, members: int, codes: int, mapped: float) -> None:
    """Profiles and diagnoses as Parquet, in blocks of members, as the stages before leave them."""
    draw = np.random.default_rng(1)
    own, others = (np.array(told) for told in codes_of_model())
    for name in ("profiles", "diagnoses"):
        (folder / name).mkdir(parents=True)
    days = np.datetime64(f"{YEAR - 1}-01-01")
    for start in range(0, members, BLOCK):
        n = min(BLOCK, members - start)
        ids = np.char.add("M", np.char.zfill(np.arange(start, start + n).astype(str), 10))
        profiles = {
            "member_id": ids,
            "performance_year": pa.array(np.full(n, YEAR, dtype=np.int32)),
            "model": [MODEL] * n,
            "share": pa.array([Decimal("1.000000")] * n, pa.decimal128(12, 6)),
            "part": ["*"] * n,
            "age": pa.array(draw.integers(30, 100, n), pa.int32()),
            "sex": draw.choice(["F", "M"], n),
            "original_entitlement_reason": draw.choice(["0", "0", "0", "1"], n),
            "dual_status": draw.choice(list(DUAL), n, p=[0.15, 0.1, 0.75]),
            "is_new_enrollee": draw.random(n) < 0.05,
            "is_institutional": np.zeros(n, dtype=bool),
            "graft_months": pa.nulls(n, pa.int32()),
        }
        pq.write_table(pa.table(profiles), folder / "profiles" / f"{start:09}.parquet")
        # a code stands once a member: distinct places in the list
        at = draw.integers(0, len(own), (n, 1)) + np.cumsum(draw.integers(1, len(others) // codes, (n, codes)), axis=1)
        told = np.where(draw.random((n, codes)) < mapped, own[at % len(own)], others[at % len(others)])
        lines = n * codes
        diagnoses = {
            "member_id": np.repeat(ids, codes),
            "performance_year": pa.array(np.full(lines, YEAR, dtype=np.int32)),
            "code": told.ravel(),
            "service_thru": pa.array(days + draw.integers(0, 365, lines)),
            "claim_id": np.char.add("-6000", draw.integers(10**8, 10**9, lines).astype(str)),
        }
        pq.write_table(pa.table(diagnoses), folder / "diagnoses" / f"{start:09}.parquet")


def computed(store: Store, folder: Path) -> dict[str, float]:
    """Seconds of each table."""
    spark = store.spark

    def rows_of(table: Any) -> list[tuple[Any, ...]]:
        return list(reference_rows(table))

    profiles = with_segment(spark.read.parquet(str(folder / "profiles"))).select(*RISK_PROFILES.column_names)
    diagnoses = spark.read.parquet(str(folder / "diagnoses"))
    hccs = member_hccs(
        diagnoses,
        profiles,
        hcc_mappings=rows_of(HCC_MAPPINGS),
        hcc_edits=rows_of(HCC_EDITS),
        hcc_hierarchies=rows_of(HCC_HIERARCHIES),
        **RULES,
    )
    seconds = {"member_hccs": store.publish(MEMBER_HCCS, hccs).seconds}
    factors = risk_factors(
        profiles,
        store.read(MEMBER_HCCS),
        hcc_age_cells=rows_of(HCC_AGE_CELLS),
        hcc_interactions=rows_of(HCC_INTERACTIONS),
        hcc_coefficients=rows_of(HCC_COEFFICIENTS),
        **RULES,
    )
    seconds["risk_factors"] = store.publish(RISK_FACTORS, factors).seconds
    supplied = small_frame(spark, [], SUPPLIED_RISK_SCORES.schema)
    scores = risk_scores(supplied, profiles, store.read(RISK_FACTORS), hcc_normalization=rows_of(HCC_NORMALIZATION))
    seconds["risk_scores"] = store.publish(RISK_SCORES, scores).seconds
    return seconds


def by_peer(folder: Path, people: int) -> tuple[float, dict[str, float]]:
    """CPU seconds of hccinfhir for the first people, and their scores."""
    from hccinfhir import HCCInFHIR

    scorer = HCCInFHIR(model_name=PEER_MODEL)
    first = sorted((folder / "profiles").iterdir())[0].name
    profiles = pq.read_table(folder / "profiles" / first).slice(0, people).to_pylist()
    codes: dict[str, list[str]] = defaultdict(list)
    lines = pq.read_table(folder / "diagnoses" / first, columns=["member_id", "code"]).to_pydict()
    for member_id, code in zip(lines["member_id"], lines["code"], strict=True):
        codes[member_id].append(code)
    start, found = time.process_time(), {}
    for one in profiles:
        found[one["member_id"]] = scorer.calculate_from_diagnosis(
            codes[one["member_id"]],
            age=one["age"],
            sex=one["sex"],
            dual_elgbl_cd=DUAL[one["dual_status"]],
            orec=one["original_entitlement_reason"],
            crec="0",
            new_enrollee=one["is_new_enrollee"],
        ).risk_score
    return time.process_time() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--codes", type=int, default=15)
    parser.add_argument("--mapped", type=float, default=0.5, help="share of the codes that have a category")
    parser.add_argument("--peer", type=int, default=2_000, help="people that hccinfhir scores, too")
    parser.add_argument("--engine", default="embedded", choices=("embedded", "spark"))
    parser.add_argument("--conf", default="conf/spark/local.conf", help="Spark properties")
    parser.add_argument("--stages", action="store_true", help="print what Spark's stages took")
    parser.add_argument("--out", type=Path, default=Path("build/hcc"))
    told = parser.parse_args()
    people = told.out / f"{told.members}x{told.codes}x{told.mapped}"
    if not people.exists():
        written(people, told.members, told.codes, told.mapped)
    properties = Path(told.conf)
    events = told.out.resolve() / "events"
    if told.stages:
        properties = logged(properties, events)
    spark = open_session(str(properties), "hcc", told.engine)
    warehouse = told.out / "warehouse"
    shutil.rmtree(warehouse, ignore_errors=True)
    store = Store(spark, Warehouse(path=str(warehouse.resolve())))
    start, cpu = time.monotonic(), cpu_seconds()
    seconds = computed(store, people)
    wall, used = time.monotonic() - start, cpu_seconds() - cpu
    rows = store.read(RISK_SCORES)
    first = rows.orderBy("member_id").limit(told.peer).select("member_id", "risk_score").collect()
    peer, expected = by_peer(people, told.peer)
    differ = sum(abs(float(row["risk_score"]) - max(expected[row["member_id"]], 0.0)) > 1e-9 for row in first)
    ours, theirs = used / told.members * 1000, peer / told.peer * 1000
    print(f"{told.engine}: {told.members:,} people of {told.codes} codes: {wall:.1f} s, {used:.1f} s of CPU", end="; ")
    print(", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()))
    print(f"a member: {ours:.3f} ms, hccinfhir {theirs:.3f} ms of CPU: {ours / theirs:.2f} of it", end="; ")
    print(f"{len(first):,} scores compared, {differ} differ")
    spark.stop()
    if told.stages:
        print_stages(events)


if __name__ == "__main__":
    main()
