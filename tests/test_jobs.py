"""The life of one warehouse: computed group by group, a driver that is killed, the run after it by spark-submit, a rerun.

Its input is the delivery of tests/dirty.py, whose figures were worked out by hand and whose canaries may be seen nowhere but
in the tables: not in what a run says, not in Spark's event log, not in the book of runs. Each run is a process of its own;
the tests read what it left. The last run is computed by the other engine, and every table of both is compared row by row.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from pmpm_spark.cli import main
from pmpm_spark.config import load_config
from pmpm_spark.gold.restatement import RESTATEMENT
from pmpm_spark.sources.rif.layout import BRONZE
from pmpm_spark.stages import stored_by
from pmpm_spark.store import Store
from pmpm_spark.table import Table
from pmpm_spark.warehouse import Published, published
from tests import dirty, panel
from tests.processes import WITHOUT_COMPILING, environment, interpreted, submit_command

pytestmark = pytest.mark.delta

ROOT = Path(__file__).parent.parent
LATE_FILE = "outpatient.csv"
LATE = BRONZE["outpatient"]
WITHOUT_LATE_FILE = [("N1", "2", "23.000000", "620.00", "1", "413.33"), *dirty.NETWORKS[1:]]

# as on a cluster: Delta's statistics of the columns and the event log are on; the log is plain text
EVENT_LOG = {"spark.eventLog.enabled": "true", "spark.eventLog.compress": "false"}

Answer = subprocess.CompletedProcess[str]


@dataclass
class House:
    """A warehouse and its input."""

    root: Path
    config: Path

    @property
    def events(self) -> Path:
        return self.root / "events"

    def warehouse(self, spark: SparkSession) -> Published:
        return published(spark, load_config(str(self.config)))

    def job(self, name: str) -> Answer:
        """A script of jobs as a plain program, on the engine that starts at once."""
        command = [sys.executable, str(ROOT / "jobs" / name), "--engine", "embedded", "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=self.root, check=False)

    def submit(self, job: str) -> Answer:
        """As CONTRIBUTING.md says; the options of compiling only make a short job shorter."""
        command, own = submit_command(
            ROOT / "conf" / "spark" / "local.conf",
            *WITHOUT_COMPILING,
            *[word for name, value in EVENT_LOG.items() for word in ("--conf", f"{name}={value}")],
            *("--conf", f"spark.eventLog.dir=file://{self.events}"),
            *(str(ROOT / "jobs" / job), "--config", str(self.config)),
        )
        # spark-submit sends what Python says on stderr to its own stdout
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=own,
            cwd=self.root,
            check=False,
        )

    def rows(self, spark: SparkSession) -> dict[str, Counter[str]]:
        """The rows of every table that the last finished run published, as they stand in its files; but for the
        restatement, which tells what was there before the run."""
        versions = self.warehouse(spark).run.versions
        tables = [table for table in stored_by("rif") if table is not RESTATEMENT]
        return {table.name: self._rows(table, versions[table.name]) for table in tables}

    def _rows(self, table: Table, version: int) -> Counter[str]:
        folder = self.root / "warehouse" / table.layer / table.short_name
        return Counter(map(repr, DeltaTable(str(folder), version=version).to_pyarrow_table().to_pylist()))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("house")
    dirty.write_delivery(root / "claims")
    (root / "claims" / LATE_FILE).rename(root / LATE_FILE)
    dirty.write_lists(root / "lists")
    (root / "events").mkdir()
    return House(root, panel.write_config(root, root / "lists", root / "warehouse", root / "claims"))


@pytest.fixture(scope="module")
def in_groups(house: House) -> dict[str, Answer]:
    """The three groups of stages, one job after the other."""
    return {job: house.job(job) for job in ("run_load.py", "run_silver.py", "run_gold.py")}


def test_the_jobs_of_the_groups_make_the_figures_together(
    in_groups: dict[str, Answer], house: House, spark: SparkSession
) -> None:
    assert {job: answer.returncode for job, answer in in_groups.items()} == dict.fromkeys(in_groups, 0), [
        answer.stderr[-2000:] for answer in in_groups.values()
    ]
    assert "silver.claim_lines" in in_groups["run_load.py"].stderr
    assert "silver.member_years" not in in_groups["run_load.py"].stderr
    assert "networks by adjusted PMPM" in in_groups["run_gold.py"].stdout
    assert dirty.figures(house.warehouse(spark)) == WITHOUT_LATE_FILE
    assert dirty.left_out(house.warehouse(spark)) == dirty.LEFT_OUT


@pytest.fixture(scope="module")
def killed(in_groups: dict[str, Answer], house: House) -> str:
    """One more file comes; the driver dies when it stands in bronze and nothing else knows of it. What it said."""
    (house.root / LATE_FILE).rename(house.root / "claims" / LATE_FILE)
    command = [sys.executable, "-m", "pmpm_spark", "run", "--config", str(house.config)]
    own = environment(PMPM_SPARK_PROPERTIES=str(interpreted(house.root)))
    said = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=own, cwd=house.root, start_new_session=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if LATE.name in line:
                os.killpg(process.pid, signal.SIGKILL)  # with its JVM
    assert process.returncode == -signal.SIGKILL, said
    return "".join(said)


def test_after_a_kill_readers_still_see_the_run_before(
    killed: str, house: House, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert LATE.name in killed
    bronze = spark.read.format("delta").load(f"{house.root}/warehouse/bronze/{LATE.short_name}")
    assert bronze.count() == 2, "the driver was to die after this table was written"
    assert house.warehouse(spark).read(LATE).count() == 0
    assert dirty.figures(house.warehouse(spark)) == WITHOUT_LATE_FILE
    assert main(["show", "network_pmpm", "--config", str(house.config), "--network", "N1", "--format", "csv"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert dict(zip(heading.split(","), row.split(","), strict=True))["paid_amount"] == "620.00"


@pytest.fixture(scope="module")
def finished(killed: str, house: House) -> Answer:
    return house.submit("run_pipeline.py")


def test_the_run_after_a_kill_ends_with_the_figures_of_a_clean_one(
    finished: Answer, house: House, spark: SparkSession
) -> None:
    assert finished.returncode == 0, finished.stdout[-2000:]
    assert f"{LATE.name}: brought back to the last finished run" in finished.stdout
    assert dirty.figures(house.warehouse(spark)) == dirty.NETWORKS
    assert dirty.left_out(house.warehouse(spark)) == dirty.LEFT_OUT
    assert "loaded before, nothing new: " in finished.stdout
    assert dirty.fates(house.warehouse(spark)) == dirty.FATES, "each file stands once"


def test_no_canary_is_seen_outside_the_tables(killed: str, finished: Answer, house: House, spark: SparkSession) -> None:
    """spark-submit sends all that is said to stdout."""
    assert "gold.network_pmpm" in finished.stdout
    assert dirty.canaries_in(killed + finished.stdout) == []
    book = spark.read.format("delta").load(f"{house.root}/warehouse/ops/runs").collect()
    assert {row["status"] for row in book} == {"started", "finished"}
    assert dirty.canaries_in(repr(book)) == []


def test_no_canary_is_seen_in_the_event_log(finished: Answer, house: House) -> None:
    files = [path for path in house.events.rglob("*") if path.is_file() and not path.name.startswith("appstatus")]
    events = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert events.count('"Event":"SparkListenerTaskEnd"') > 100, "the event log is not what this test takes it for"
    assert "network_pmpm" in events
    assert dirty.canaries_in(events) == []


@pytest.fixture(scope="module")
def before_rerun(finished: Answer, house: House, spark: SparkSession) -> dict[str, Counter[str]]:
    return house.rows(spark)


@pytest.fixture(scope="module")
def rerun(before_rerun: dict[str, Counter[str]], house: House) -> Answer:
    """The same once more, on the other engine."""
    return house.job("run_pipeline.py")


def test_a_rerun_on_the_other_engine_changes_no_row_of_any_table(
    rerun: Answer, before_rerun: dict[str, Counter[str]], house: House, spark: SparkSession
) -> None:
    assert rerun.returncode == 0, rerun.stderr[-2000:]
    assert "networks by adjusted PMPM" in rerun.stdout
    after = house.rows(spark)
    assert sum(rows.total() for rows in after.values()) > 200
    for table, rows in after.items():
        assert rows == before_rerun[table], table


def test_at_the_end_no_table_stands_ahead_of_what_was_published(
    rerun: Answer, house: House, spark: SparkSession
) -> None:
    found = published(spark, load_config(str(house.config)))
    store = Store(spark, load_config(str(house.config)).warehouse)
    ahead = {t.name for t in stored_by("rif") if store.current_version(t) != found.run.versions[t.name]}
    assert ahead == set()
