"""One truth in five formats: the same people and claims, delivered as research files, Tuva's tables, the common model and
DE-SynPUF's form, give the same figures wherever a format carries the fact. (CCLF: tests/test_generate_cclf.py.)"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.model import COVERAGE_RECORDS, FINAL_CLAIM_LINES, LOAD_AUDIT, MEMBERS
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.warehouse import Published, published
from tests.equality import FIGURES, KEYS, LISTS, Compared, generate_each, is_equal
from tests.loaded import Loads

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is several whole runs

MEMBERS_GENERATED, YEARS, SEED = 200, (2020, 2021), 7
WINDOW = Eligibility(exclude_medicare_secondary=False)
POLICIES = (
    Policy("window", WINDOW, Cost(include_pharmacy=True)),
    Policy("list", WINDOW, Cost(claim_month="from"), Attribution(method="roster")),
)
NOT_OF_TUVA = ("in_network_paid_amount",)
"""A roster row that names a CCN matches no claim there: the format has none."""


@pytest.fixture(scope="module")
def generated(loads: Loads, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("generated")
    return generate_each(
        loads, folder, ("rif", "common", "tuva", "synpuf"), members=MEMBERS_GENERATED, years=YEARS, seed=SEED
    )


@pytest.fixture(scope="module")
def ran(
    spark: SparkSession, loads: Loads, generated: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Compared]:
    found = {}
    for name, root in generated.items():
        lists = {of: str(generated["rif"] / of) for of in LISTS if (name, of) != ("tuva", "member_attribution")}
        source: dict[str, Any] = {"rif": {}, "synpuf": {}}.get(name, {"format": "parquet"})
        policies = (Policy("month", Eligibility(part_a_b="current_month")),) if name == "synpuf" else POLICIES
        told = Source(name, str(root if name == "rif" else root / name), **lists, **source)
        config = RunConfig(told, Warehouse(str(tmp_path_factory.mktemp(name))), YEARS, policies)
        load = loads.begin(config)
        result = run(spark, config, only=FINAL_CLAIM_LINES.name if name == "synpuf" else None)
        found[name] = Compared(config, result, None, load=load)
    return found


def tables(spark: SparkSession, of: Compared) -> Published:
    return published(spark, of.config)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("kind", ["common", "tuva"])
def test_each_format_gives_the_same_figures(kind: str, name: str, policy: Policy, ran: dict[str, Compared]) -> None:
    if (kind, name) == ("tuva", "excluded"):
        pytest.skip("Tuva has no denied line")

    def by_key(of: Compared) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {tuple(row[k] for k in KEYS[name]): row for row in of.of_policy(name, policy)}

    truth, told = by_key(ran["rif"]), by_key(ran[kind])
    assert truth
    if kind == "tuva" and name in ("network_pmpm_by_category", "network_pmpm_by_subcategory"):
        # the planted people go from one hospital to another on a day, and to a rehabilitation hospital: told by CCN alone
        chained = [key for key in truth.keys() | told.keys() if {UNATTRIBUTED, "inpatient"} <= set(key)]
        assert chained
        for key in chained:
            truth.pop(key, None)
            told.pop(key, None)
    but = set(NOT_OF_TUVA) if kind == "tuva" else set()
    assert but <= {figure for figures in FIGURES.values() for figure in figures}
    faults = [f"only one has {key}" for key in sorted(truth.keys() ^ told.keys(), key=str)]
    for key in truth.keys() & told.keys():
        for figure in truth[key].keys() - but:
            if not is_equal(truth[key][figure], told[key][figure]):
                faults.append(f"{key}: {figure} is {truth[key][figure]} of RIF, {told[key][figure]} of {kind}")
    assert not faults, f"{len(faults)} differences in {len(truth)} rows: {'; '.join(faults[:5])}"


def test_every_row_of_every_format_is_accounted_for(spark: SparkSession, ran: dict[str, Compared]) -> None:
    for name, of in ran.items():
        audit = tables(spark, of).read(LOAD_AUDIT).collect()
        assert sum(row["rows_read"] for row in audit) > 1000, name
        if name != "rif":  # what is wrong with the research files is not carried on
            assert sum(row["rejected"] + row["duplicate"] + row["superseded"] for row in audit) == 0, name


def test_denied_lines_of_the_common_model_stay_denied(spark: SparkSession, ran: dict[str, Compared]) -> None:
    def denied(of: str) -> Counter[tuple[Any, ...]]:
        lines = tables(spark, ran[of]).read(FINAL_CLAIM_LINES).where("is_denied")
        return Counter(map(tuple, lines.select("claim_id", "line_number", "paid_amount").collect()))

    assert denied("rif")
    assert denied("rif") == denied("common")


# --- DE-SynPUF's form: what a year and a person tell ---

CARRIED = {
    "inpatient": "paid_amount",
    "outpatient": "paid_amount",
    "professional": "paid_amount",
    "pharmacy": "allowed_amount",
}


def by_person(spark: SparkSession, of: Compared, claim_type: str, amount: str) -> dict[tuple[str, int], Decimal]:
    lines = tables(spark, of).read(FINAL_CLAIM_LINES).where(f"claim_type = '{claim_type}' AND NOT is_denied")
    sums = lines.groupBy("member_id", F.year("service_thru").alias("year")).agg(F.sum(amount).alias("amount"))
    return {(r["member_id"], r["year"]): r["amount"] for r in sums.collect() if r["amount"]}


@pytest.mark.parametrize("claim_type", CARRIED)
def test_payments_of_every_person_and_year_are_the_same_of_synpuf(
    claim_type: str, spark: SparkSession, ran: dict[str, Compared]
) -> None:
    truth, told = (by_person(spark, ran[of], claim_type, CARRIED[claim_type]) for of in ("rif", "synpuf"))
    assert truth
    assert told == truth


def test_months_of_every_person_and_year_are_as_many_of_synpuf(spark: SparkSession, ran: dict[str, Compared]) -> None:
    def months(of: Compared) -> dict[tuple[str, int], Counter[str]]:
        found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        for row in tables(spark, of).read(COVERAGE_RECORDS).collect():
            length = row["coverage_end"].month - row["coverage_start"].month + 1
            for name in ("has_part_a", "has_part_b", "in_medicare_advantage"):
                found[row["member_id"], row["coverage_start"].year][name] += length * bool(row[name])
        return {at: +counts for at, counts in found.items() if +counts}

    assert months(ran["rif"]) == months(ran["synpuf"])


def test_people_are_the_same_of_every_format(spark: SparkSession, ran: dict[str, Compared]) -> None:
    def people(of: str) -> set[tuple[Any, ...]]:
        read = tables(spark, ran[of]).read(MEMBERS)
        return set(map(tuple, read.select("member_id", "birth_date", "sex", "death_date").collect()))

    assert people("rif") == people("common") == people("tuva") == people("synpuf")
