"""A whole run over generated input finds what is planted beside the costs: what people say in surveys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.cli.summary import shown_rows
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.generate import generate
from pmpm_spark.gold.experience_scores import EXPERIENCE_SCORES
from pmpm_spark.model import LOAD_AUDIT, REJECTS, SURVEY_RESPONSES
from pmpm_spark.pipeline import RunResult, run
from pmpm_spark.policy import Attribution, Policy
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.table import Table
from pmpm_spark.warehouse import published
from tests.planted import answers_of, csv_rows, survey_faults

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is a whole run

YEARS = (2021, 2022)
POLICIES = (Policy("default"), Policy("list", attribution=Attribution(method="roster")))
LISTS = ("network_roster", "providers", "risk_scores", "member_attribution", "survey_responses")


@dataclass
class Ran:
    spark: SparkSession
    root: Path
    config: RunConfig
    result: RunResult

    def rows(self, table: Table, where: str = "true") -> list[dict[str, Any]]:
        return [row.asDict() for row in published(self.spark, self.config).read(table).where(where).collect()]


@pytest.fixture(scope="module")
def ran(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("planted")
    root = folder / "input"
    generate(spark, str(root), members=400, years=YEARS, seed=7)
    source = Source("rif", str(root), **{name: str(root / name) for name in LISTS})
    config = RunConfig(source, Warehouse(str(folder / "warehouse")), YEARS, POLICIES)
    return Ran(spark, root, config, run(spark, config))


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_the_scores_are_those_of_the_list_and_near_what_is_planted(ran: Ran, policy: str) -> None:
    of_policy = f"policy = '{policy}'"
    assert survey_faults(ran.root, ran.rows(EXPERIENCE_SCORES, of_policy), ran.rows(ATTRIBUTION, of_policy)) == []


def test_the_check_of_the_scores_sees_what_is_wrong(ran: Ran) -> None:
    of_policy = "policy = 'default'"
    scores, attribution = ran.rows(EXPERIENCE_SCORES, of_policy), ran.rows(ATTRIBUTION, of_policy)
    at = next(n for n, r in enumerate(scores) if r["respondents"] >= 20 and r["respondent"] == "member")
    wrong = [{**row, "mean_score": row["mean_score"] + (n == at)} for n, row in enumerate(scores)]
    assert len(survey_faults(ran.root, wrong, attribution)) == 1
    assert survey_faults(ran.root, scores[:at] + scores[at + 1 :], attribution)


def test_every_answer_is_accounted_for_and_what_is_wrong_says_why(ran: Ran) -> None:
    delivered = csv_rows(ran.root / "survey_responses")
    audit = [row for row in ran.rows(LOAD_AUDIT) if "survey_responses" in row["_bronze_table"]]
    counts = {n: sum(row[n] for row in audit) for n in ("rows_read", "rejected", "duplicate", "superseded", "accepted")}
    taken = answers_of(ran.root)
    assert counts == {
        "rows_read": len(delivered), "rejected": 4, "duplicate": 1, "superseded": 1, "accepted": len(taken),
    }  # fmt: skip
    reasons = sorted(
        reason for row in ran.rows(REJECTS, "_bronze_table LIKE '%survey%'") for reason in row["reject_reasons"]
    )
    assert reasons == [
        "member_id and physician_npi are both filled in",
        "neither member_id nor physician_npi is filled in",
        "score is off the scale",
        "wave is missing",
    ]
    assert len(ran.rows(SURVEY_RESPONSES)) == len(taken)


def test_the_run_says_how_many_answers_are_of_people_whom_nobody_knows(ran: Ran) -> None:
    (said,) = [notice for notice in ran.result.notices if "enrollment does not have" in notice]
    assert int(said.split()[0]) >= 2  # the stranger's two, and those of people without enrollment rows that can be read
    assert "UNATTRIBUTED" in said


def test_scores_can_be_shown(ran: Ran) -> None:
    found = shown_rows(
        lambda: published(ran.spark, ran.config), ran.config.warehouse, "experience_scores", years=[2022],
        networks=["A2001"], policies=["default"], at_most=5,
    )  # fmt: skip
    assert len(found.rows) == 5
    table = published(ran.spark, ran.config).read(EXPERIENCE_SCORES)
    assert table.where((F.col("level") == "physician") & (F.col("respondent") == "provider")).count() == 0


def test_the_groups_of_stages_can_run_one_after_the_other(ran: Ran, tmp_path: Path) -> None:
    config = replace(ran.config, warehouse=Warehouse(str(tmp_path / "warehouse")), policies=POLICIES[:1])
    said = {group: run(ran.spark, config, group=group).notices for group in ("load", "silver", "gold")}
    assert [group for group, told in said.items() if any("survey" in notice for notice in told)] == ["gold"]
