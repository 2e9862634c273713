"""The episodes, index stays and readmissions that the generator planted are those that a run finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.generate import EPISODES
from pmpm_spark.generate.stays import PEOPLE, planted_member_id
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.silver.readmissions import READMISSIONS
from pmpm_spark.warehouse import published
from tests.loaded import Loads
from tests.planted import csv_rows

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]

MEMBERS, YEARS = 30, (2021, 2022)
SETS = "code_set,code_system,code,first_year,last_year,source\nplanned_drg,MS-DRG,470,2000,2099,own\n"


@pytest.fixture(scope="module")
def root(loads: Loads) -> Path:
    return loads.files(MEMBERS, YEARS, 5)


@pytest.mark.parametrize("planned", [False, True], ids=["nothing is planned", "470 is planned"])
def test_a_run_finds_the_planted_readmissions(
    spark: SparkSession, loads: Loads, root: Path, tmp_path: Path, planned: bool
) -> None:
    names = ("network_roster", "providers", "risk_scores", "member_attribution")
    source = Source("rif", str(root), **{name: str(root / name) for name in names})
    reference = Reference(str(tmp_path / "reference")) if planned else Reference()
    if planned:
        (tmp_path / "reference").mkdir()
        (tmp_path / "reference" / "outcome_code_sets.csv").write_text(SETS)
    policy = Policy("p", Eligibility(part_a_b="current_month"))
    config = RunConfig(source, Warehouse(str(tmp_path / "warehouse")), YEARS[1:], (policy,), reference)
    loads.begin(config)
    run(spark, config)
    ids = [planted_member_id(MEMBERS, n) for n in range(len(PEOPLE))]
    rows = published(spark, config).read(READMISSIONS).where(f"member_id IN ({', '.join(map(repr, ids))})").collect()
    found = {
        (r["kind"], r["member_id"], str(r["first_day"]), str(r["last_day"]), r["not_index_reason"] or "",
         r["is_index"] and r["is_readmitted"])
        for r in rows
    }  # fmt: skip
    is_readmitted = "is_readmitted_with_planned" if planned else "is_readmitted"
    wanted = {
        (r["definition"], r["member_id"], r["first_day"], r["last_day"], r["not_index_reason"],
         r[is_readmitted] == "true")
        for r in csv_rows(root / EPISODES)
    }  # fmt: skip
    assert found == wanted
    assert sum(row[-1] for row in found) == (7 if planned else 9)
