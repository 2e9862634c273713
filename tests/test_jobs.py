"""The life of one warehouse: loaded and computed by spark-submit, a driver that is killed, the run after it, a rerun.

The figures at the beginning and at the end are those worked out by hand in tests/panel.py. Each run is a process of its
own; the tests read what it left.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.cli import main
from pmpm_spark.config import load_config
from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.jars import PACKAGES, fetch_delta_jars
from pmpm_spark.java import find_java
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.properties import find_conf, read_properties
from pmpm_spark.sources.rif.layout import BRONZE
from pmpm_spark.stages import stored_by
from pmpm_spark.store import Store
from pmpm_spark.warehouse import published
from tests import panel
from tests.processes import environment

pytestmark = pytest.mark.delta

ROOT = Path(__file__).parent.parent
LATE_FILE = "outpatient.csv"
LATE = BRONZE["outpatient"]
WITHOUT_LATE_FILE = [("N1", 1, "12.000000", "1120.00", "1120.00", 1, 1.5, "746.67"), *panel.NETWORKS[1:]]

Answer = subprocess.CompletedProcess[str]


@dataclass
class House:
    """A warehouse and its input."""

    root: Path
    config: Path

    def environment(self, **more: str) -> dict[str, str]:
        return environment(PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more)

    def submit(self, job: str) -> Answer:
        """As CONTRIBUTING.md says; the options of Java only make a short job shorter."""
        local = read_properties(find_conf("spark/local.conf"))
        jars = ",".join(map(str, fetch_delta_jars(local)))
        command = [
            "spark-submit", "--properties-file", str(ROOT / "conf" / "spark" / "local.conf"),
            "--conf", f"{PACKAGES}=", "--jars", jars,
            "--driver-java-options", "-XX:+UseSerialGC",
            str(ROOT / "jobs" / job), "--config", str(self.config),
        ]  # fmt: skip
        own = self.environment(JAVA_HOME=str(find_java().home))
        # spark-submit itself is looked for on the PATH that it will use
        command[0] = shutil.which(command[0], path=own["PATH"]) or command[0]
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

    def figures(self, spark: SparkSession) -> list[tuple[Any, ...]]:
        names = (
            "network_id", "members", "member_months", "paid_amount", "in_network_paid_amount", "scored_members",
            "normalized_risk_score", "adjusted_amount",
        )  # fmt: skip
        read = published(spark, load_config(str(self.config))).read(NETWORK_PMPM)
        texts = ("member_months", "paid_amount", "in_network_paid_amount", "adjusted_amount")
        cells = [F.col(name).cast("string") if name in texts else F.round(name, 12).alias(name) for name in names[1:]]
        return [tuple(row) for row in read.orderBy("network_id").select("network_id", *cells).collect()]

    def left_out(self, spark: SparkSession) -> list[tuple[Any, ...]]:
        read = published(spark, load_config(str(self.config))).read(EXCLUDED)
        amounts = [F.col(name).cast("string") for name in ("member_months", "paid_amount")]
        return [tuple(row) for row in read.orderBy("kind", "reason").select("kind", "reason", *amounts).collect()]

    def counts(self, spark: SparkSession) -> dict[str, int]:
        """Rows of every table that the last finished run published."""
        found = published(spark, load_config(str(self.config)))
        return {table.name: found.read(table).count() for table in stored_by("rif")}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("house")
    panel.write_files(root / "claims")
    (root / "claims" / LATE_FILE).rename(root / LATE_FILE)
    panel.write_lists(root / "lists")
    return House(root, panel.write_config(root, root / "lists", root / "warehouse", root / "claims"))


@pytest.fixture(scope="module")
def submitted(house: House) -> dict[str, Answer]:
    """The three groups of stages, one job after the other."""
    return {job: house.submit(job) for job in ("run_load.py", "run_silver.py", "run_gold.py")}


def test_the_jobs_of_the_groups_make_the_figures_together(
    submitted: dict[str, Answer], house: House, spark: SparkSession
) -> None:
    assert {job: answer.returncode for job, answer in submitted.items()} == dict.fromkeys(submitted, 0), [
        answer.stdout[-2000:] for answer in submitted.values()
    ]
    assert "silver.claim_lines" in submitted["run_load.py"].stdout
    assert "silver.member_years" not in submitted["run_load.py"].stdout
    assert "networks by adjusted PMPM" in submitted["run_gold.py"].stdout
    assert house.figures(spark) == WITHOUT_LATE_FILE
    assert house.left_out(spark) == panel.LEFT_OUT


@pytest.fixture(scope="module")
def killed(submitted: dict[str, Answer], house: House) -> str:
    """One more file comes; the driver dies when it stands in bronze and nothing else knows of it. What it said."""
    (house.root / LATE_FILE).rename(house.root / "claims" / LATE_FILE)
    command = [sys.executable, "-m", "pmpm_spark", "run", "--config", str(house.config)]
    own = house.environment(PMPM_SPARK_PROPERTIES=str(ROOT / "conf" / "spark" / "small.conf"))
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
    assert published(spark, load_config(str(house.config))).read(LATE).count() == 0
    assert house.figures(spark) == WITHOUT_LATE_FILE
    assert main(["show", "network_pmpm", "--config", str(house.config), "--network", "N1", "--format", "csv"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert dict(zip(heading.split(","), row.split(","), strict=True))["paid_amount"] == "1120.00"


@pytest.fixture(scope="module")
def finished(killed: str, house: House) -> Answer:
    return house.submit("run_pipeline.py")


def test_the_run_after_a_kill_ends_with_the_figures_of_a_clean_one(
    finished: Answer, house: House, spark: SparkSession
) -> None:
    assert finished.returncode == 0, finished.stdout[-2000:]
    assert f"{LATE.name}: brought back to the last finished run" in finished.stdout
    assert house.figures(spark) == panel.NETWORKS
    assert house.left_out(spark) == panel.LEFT_OUT
    assert "loaded before, nothing new: " in finished.stdout
    audit = published(spark, load_config(str(house.config))).read(LOAD_AUDIT).collect()
    rows_read = {
        row["_source_file"]: row["rows_read"] for row in audit if row["_bronze_table"].startswith("bronze.rif_")
    }
    assert len(audit) == len(rows_read) + 3, "each file stands once"
    assert rows_read == {
        "beneficiary.csv": 3, "carrier.csv": 5, "dme.csv": 1, "hha.csv": 1, "hospice.csv": 1, "inpatient.csv": 3,
        "outpatient.csv": 2, "pde.csv": 1,
    }  # fmt: skip


@pytest.fixture(scope="module")
def before_rerun(finished: Answer, house: House, spark: SparkSession) -> dict[str, int]:
    return house.counts(spark)


@pytest.fixture(scope="module")
def rerun(before_rerun: dict[str, int], house: House) -> Answer:
    """Rules and figures once more, by Spark Connect: a local server that the session starts."""
    again = ["run", "--from", "member_months", "--config", str(house.config)]
    command = [sys.executable, "-m", "pmpm_spark", *again]
    own = house.environment(SPARK_REMOTE="local[2]", PMPM_SPARK_PROPERTIES=str(ROOT / "conf" / "spark" / "small.conf"))
    return subprocess.run(command, capture_output=True, text=True, env=own, cwd=house.root, check=False)


def test_a_rerun_by_spark_connect_changes_no_figure_and_doubles_no_row(
    rerun: Answer, before_rerun: dict[str, int], house: House, spark: SparkSession
) -> None:
    assert rerun.returncode == 0, rerun.stderr[-2000:]
    assert "networks by adjusted PMPM" in rerun.stdout
    assert house.figures(spark) == panel.NETWORKS
    assert house.left_out(spark) == panel.LEFT_OUT
    assert house.counts(spark) == before_rerun


def test_at_the_end_no_table_stands_ahead_of_what_was_published(
    rerun: Answer, house: House, spark: SparkSession
) -> None:
    found = published(spark, load_config(str(house.config)))
    store = Store(spark, load_config(str(house.config)).warehouse)
    ahead = {t.name for t in stored_by("rif") if store.current_version(t) != found.run.versions[t.name]}
    assert ahead == set()
