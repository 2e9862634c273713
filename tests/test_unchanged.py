"""A run leaves as it stands what would come out as it is: whatever changed before, every table is that of a run that made
all anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from pmpm_spark import changed, pipeline
from pmpm_spark.changed import CHANGED
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.generate import generate
from pmpm_spark.gold.restatement import RESTATEMENT
from pmpm_spark.maintenance import maintain
from pmpm_spark.pipeline import RunResult
from pmpm_spark.policy import Cost, Policy, Risk
from pmpm_spark.runs import RUNS
from pmpm_spark.stages import stages_of
from pmpm_spark.warehouse import published
from tests import prove
from tests.delivered import rewritten

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]

YEARS = (2021, 2022)
LISTS = ("network_roster", "providers", "risk_scores", "member_attribution", "survey_responses")
LATE = ("carrier", "pde", "beneficiary_2022")


@dataclass
class Twins:
    """Two warehouses of the same files: in one each run makes what changed, in the other everything."""

    spark: SparkSession
    root: Path
    monkeypatch: pytest.MonkeyPatch
    config: RunConfig
    number: int = 0
    done: list[str] = field(default_factory=list)

    @property
    def files(self) -> Path:
        return self.root / "files"

    def of(self, name: str) -> RunConfig:
        return replace(self.config, warehouse=Warehouse(str(self.root / name)))

    def run(self, what: str) -> RunResult:
        """Both, as of one moment; every row of every table is compared."""
        self.number += 1
        self.done.append(what)
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=self.number)
        for name, told in prove.clock(moment).items():
            self.monkeypatch.setattr(pipeline, name, told)
        result = pipeline.run(self.spark, self.of("by_change"))
        pipeline.run(self.spark, self.of("anew"), full=True)
        warehouses = [self.root / name for name in ("by_change", "anew")]
        for warehouse in warehouses:
            versions = dict(published(self.spark, self.of(warehouse.name)).run.versions)
            # what a run moved of the run that made it before, and whose rows it made anew
            for told_of_runs in (RUNS.name, RESTATEMENT.name, CHANGED.name):
                versions.pop(told_of_runs, None)
            prove.versions_of(warehouse).write_text(json.dumps(versions))
        tables, rows, faults = prove.differences(" > ".join(self.done), warehouses)
        assert faults == []
        assert (tables > 60, rows > 1_000) == (True, True)
        return result


@pytest.fixture
def twins(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Twins:
    whole, files = tmp_path / "whole", tmp_path / "files"
    generate(spark, str(whole), members=60, years=YEARS, seed=11)
    shutil.copytree(whole, files)
    for name in LATE:
        shutil.rmtree(files / name)
    source = Source("rif", str(files), **{name: str(files / name) for name in LISTS}, max_reject_share=1.0)
    (tmp_path / "reference").mkdir()
    return Twins(
        spark,
        tmp_path,
        monkeypatch,
        RunConfig(
            source, Warehouse(str(tmp_path)), YEARS, (Policy("house"),), Reference(path=str(tmp_path / "reference"))
        ),
    )


def test_deliveries_of_cclf_one_after_another_change_what_they_tell_of(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims are adjusted and cancelled by later deliveries, and ids change: what hangs together is made anew together."""
    monkeypatch.setattr(changed, "WORTH_ROWS", 0)
    monkeypatch.setattr(changed, "MOST", 1.0)
    generate(spark, str(tmp_path / "whole"), members=30, years=YEARS, seed=5, file_format="cclf")
    deliveries = sorted((tmp_path / "whole" / "cclf").iterdir())
    files = tmp_path / "files"
    files.mkdir()
    source = Source("cclf", str(files), **{name: str(tmp_path / "whole" / name) for name in LISTS})
    config = RunConfig(source, Warehouse(str(tmp_path)), YEARS, (Policy("house"),))
    twins = Twins(spark, tmp_path, monkeypatch, config)
    for path in deliveries[:-2]:
        shutil.copytree(path, files / path.name)
    twins.run("all but two")
    for path in deliveries[-2:]:
        shutil.copytree(path, files / path.name)
        twins.run(path.name)
        run = published(spark, twins.of("by_change"))
        found = {row[0] for row in run.read(CHANGED).select("found_in").distinct().collect()}
        assert {"intake.claim_rows by claim_id", "silver.final_claim_lines by member_id"} <= found


def few_late_lines(twins: Twins) -> None:
    """The first lines of a kind that was held back, as a file by itself, and one that is delivered again."""
    kind = sorted(name for name in (*LATE[:2], "outpatient"))[twins.number % 3]
    one = sorted((twins.root / "whole" / kind).iterdir())[0]
    place = count()
    rewritten(one, twins.files / kind / f"few-{twins.number}-{one.name}", lambda row: next(place) < 7)


def come(name: str) -> Callable[[Twins], None]:
    """Files that were held back."""
    return lambda twins: shutil.copytree(twins.root / "whole" / name, twins.files / name, dirs_exist_ok=True) and None


def a_file_twice(twins: Twins) -> None:
    one = sorted((twins.files / "outpatient").iterdir())[0]
    shutil.copy(one, one.with_name(f"again-{twins.number}-{one.name}"))


def another_roster(twins: Twins) -> None:
    """The first practice leaves."""
    without_the_first(twins.files / "network_roster")


def other_scores(twins: Twins) -> None:
    without_the_first(twins.files / "risk_scores")


def without_the_first(folder: Path) -> None:
    for path in folder.iterdir():
        place = count()
        rewritten(path, path, lambda row, at=place: next(at) > 0)


def another_rate(twins: Twins) -> None:
    """A reference table of the house's own."""
    shipped = Path(pipeline.__file__).parent / "reference" / "sequestration_rates.csv"
    lines = shipped.read_text().splitlines()
    own = Path(str(twins.config.reference.path)) / shipped.name
    own.write_text("\n".join([lines[0], *[line.replace("0.02", "0.03") for line in lines[1:]]]))


def another_rule(twins: Twins) -> None:
    cost = Cost(claim_month="from" if twins.config.policies[0].cost.claim_month == "thru" else "thru")
    twins.config = replace(twins.config, policies=(Policy("house", cost=cost), *twins.config.policies[1:]))


def another_policy(twins: Twins) -> None:
    more = Policy("computed", cost=Cost(truncation="percentile", truncation_percentile=90.0), risk=Risk("computed"))
    twins.config = replace(twins.config, policies=(twins.config.policies[0], more))


def maintenance(twins: Twins) -> None:
    for name in ("by_change", "anew"):
        maintain(twins.spark, twins.of(name))


CHANGES: dict[str, Callable[[Twins], None]] = {
    **{name: come(name) for name in LATE},
    **{
        change.__name__: change
        for change in (
            few_late_lines,
            a_file_twice,
            another_roster,
            other_scores,
            another_rate,
            another_policy,
            maintenance,
        )
    },
}


def test_after_any_changes_every_table_is_as_if_all_were_made_anew(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed, "WORTH_ROWS", 0)
    twins.run("first")
    few_late_lines(twins)
    twins.run("few late lines")
    for what in Random(5).sample(sorted(CHANGES), 3):
        CHANGES[what](twins)
        twins.run(what)
    again = pipeline.run(twins.spark, twins.of("by_change"))
    assert (again.receipts, len(again.unchanged)) == ((), len(stages_of("rif")))
    another_rule(twins)
    written = {receipt.table for receipt in twins.run("another rule").receipts}
    assert {"silver.member_month_costs", "gold.network_pmpm", RESTATEMENT.name} <= written
    of_no_policy = {stage.output.name for stage in stages_of("rif") if not {"policies"} & set(stage.settings)}
    assert not written & of_no_policy - {"silver.risk_scores", "ops.identities"}
