"""The pipelines of `make bench` make our tables, the comparison would notice if they did not, and the page is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from benchmarks.bench import written_bytes
from benchmarks.equal import differences
from benchmarks.events import spark_figures
from benchmarks.goals import Goal, goals
from benchmarks.inputs import FIRST_YEAR, LAST_YEAR, ROOT, Input, generated
from benchmarks.kept import Kept, all_kept, keep
from benchmarks.loaded import load
from benchmarks.ours import FIRST_TABLE
from benchmarks.page import write_page
from benchmarks.peers import duckdb_sql, plain_pyspark, polars_frames
from benchmarks.skew import SHAPES, looked_at
from benchmarks.tables import TABLES
from pmpm_spark.config import load_config
from pmpm_spark.pipeline import run

MEMBERS = 300
MONTHS = [{"table": "silver.member_months", "rows": 36, "seconds": 1.0}]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return generated(MEMBERS, tmp_path_factory.mktemp("benchmarks"))


def configured(given: Input, warehouse: Path) -> str:
    path = warehouse.with_suffix(".toml")
    path.write_text(given.config(warehouse, "embedded"), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def ours(spark: SparkSession, given: Input) -> Path:
    config = load_config(configured(given, given.warehouse))
    load(config)
    run(spark, config, start=FIRST_TABLE)
    return given.warehouse


@pytest.fixture(scope="module")
def by_duckdb(given: Input) -> Path:
    out = given.folder / "duckdb"
    duckdb_sql.run(str(given.folder), str(out), FIRST_YEAR, LAST_YEAR)
    return out


@pytest.mark.delta
def test_the_tables_of_duckdb_are_ours(ours: Path, by_duckdb: Path) -> None:
    assert differences(ours, by_duckdb, ours / "scratch") == []


@pytest.mark.delta
def test_the_tables_of_polars_are_ours(ours: Path, given: Input) -> None:
    out = given.folder / "polars"
    polars_frames.run(str(given.folder), str(out), FIRST_YEAR, LAST_YEAR)
    assert differences(ours, out, ours / "scratch") == []


@pytest.mark.delta
def test_the_tables_of_plain_pyspark_are_ours(spark: SparkSession, ours: Path, given: Input) -> None:
    out = given.folder / "plain"
    plain_pyspark.run(spark, str(given.folder), str(out), FIRST_YEAR, LAST_YEAR)
    assert differences(ours, out, ours / "scratch") == []


@pytest.mark.delta
def test_what_is_loaded_is_what_pmpm_load_makes(spark: SparkSession, ours: Path, given: Input) -> None:
    other = given.folder / "by-load"
    run(spark, load_config(configured(given, other)), group="load")
    for table in sorted((other / "silver").iterdir()):
        if table.name == "load_audit":
            continue  # it tells of files
        with duckdb.connect() as at:
            for name, warehouse in (("theirs", other), ("mine", ours)):
                stored = DeltaTable(str(warehouse / "silver" / table.name)).to_pyarrow_dataset()
                at.register(name, stored)
            for one, two in (("theirs", "mine"), ("mine", "theirs")):
                missing = at.execute(f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {two})").fetchall()
                assert missing == [(0,)], f"{table.name}: rows of {one} that are not among {two}"


def test_something_is_netted_and_every_table_has_rows(given: Input, by_duckdb: Path) -> None:
    lines = f"'{given.folder}/common/claim_lines/*.parquet'"
    kinds = dict(duckdb.sql(f"SELECT adjustment, count(*) FROM {lines} GROUP BY 1").fetchall())
    assert set(kinds) == {"original", "cancel", "replacement"}
    for table in TABLES:
        assert duckdb.sql(f"SELECT count(*) FROM '{by_duckdb}/{table.name}.parquet'").fetchall()[0][0] > 0


@pytest.mark.parametrize(
    ("table", "change", "told"),
    [
        ("member_month_costs", "paid_amount + 0.01 AS paid_amount", "rows of 2020 differ"),
        ("member_months", "NULL::VARCHAR AS exclusion_reason", "rows of 2020 differ"),
        ("network_pmpm", "pmpm * (1 + 1e-8) AS pmpm", "pmpm differs in"),
        ("excluded", "member_months + 1 AS member_months", "rows differ"),
    ],
)
def test_a_cent_a_reason_or_a_quotient_that_differs_is_noticed(
    by_duckdb: Path, tmp_path: Path, table: str, change: str, told: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(by_duckdb, other)
    changed = f"SELECT * REPLACE ({change}) FROM '{by_duckdb}/{table}.parquet'"
    duckdb.sql(f"COPY ({changed}) TO '{other}/{table}.parquet'")
    found = differences(by_duckdb, other, tmp_path)
    assert [line for line in found if not line.startswith(table)] == []
    assert any(told in line for line in found)


def test_a_row_that_is_missing_is_noticed(by_duckdb: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(by_duckdb, other)
    duckdb.sql(f"COPY (FROM '{by_duckdb}/attribution.parquet' OFFSET 1) TO '{other}/attribution.parquet'")
    (line,) = differences(by_duckdb, other, tmp_path)
    assert line.startswith("attribution: ") and "rows in the place of" in line


HOLD = "import time; held = bytearray(300_000_000); time.sleep(1)"
OUTLIVES = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {HOLD!r}]); sys.exit(3)"
FORKS = "import os, time; held = bytearray(300_000_000); os.fork(); time.sleep(1)"
MEASURE = """
import sys
from pathlib import Path
from benchmarks.tree import measured
run = measured([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2]))
print(run.exit_code, run.peak_memory)
"""


def of_tree(program: str, log: Path) -> tuple[int, int]:
    """Exit code and peak memory of a program as they are measured, in a process that has no other children."""
    command = [sys.executable, "-c", MEASURE, program, str(log)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    code, peak = answer.stdout.split()
    return int(code), int(peak)


def test_a_process_that_outlives_its_parent_is_measured(tmp_path: Path) -> None:
    code, peak = of_tree(OUTLIVES, tmp_path / "log")
    assert (code, peak > 300_000_000) == (3, True)


def test_a_process_that_was_forked_counts_once(tmp_path: Path) -> None:
    code, peak = of_tree(FORKS, tmp_path / "log")
    assert (code, 300_000_000 < peak < 500_000_000) == (0, True)


def test_a_large_input_is_a_small_one_under_other_ids(tmp_path: Path) -> None:
    once, thrice = generated(40, tmp_path), generated(120, tmp_path, most=40)
    asked = {
        "common/members": "count(*), count(DISTINCT member_id)",
        "common/claim_lines": (
            "count(*), count(DISTINCT member_id), count(DISTINCT claim_id), count(DISTINCT cancels_claim_id), "
            "count(DISTINCT billing_tin), count(DISTINCT rendering_npi), sum(paid_amount)"
        ),
        "dated_diagnoses": "count(*), count(DISTINCT claim_id)",
        "lists/network_roster": "count(*), count(DISTINCT tin), count(DISTINCT npi)",
        "lists/risk_scores": "count(*), count(DISTINCT member_id), sum(risk_score)",
    }
    with duckdb.connect() as at:
        for table, what in asked.items():
            small, large = (
                at.execute(f"SELECT {what} FROM '{given.folder}/{table}/*.parquet'").fetchall()[0]
                for given in (once, thrice)
            )
            assert min(small) > 0 and large == tuple(3 * value for value in small), table
        of_members = [
            at.execute(
                f"SELECT count(*) FROM '{given.folder}/common/claim_lines/*.parquet' SEMI JOIN "
                f"'{given.folder}/common/members/*.parquet' USING (member_id)"
            ).fetchall()[0][0]
            for given in (once, thrice)
        ]
    assert of_members[1] == 3 * of_members[0] > 0
    with pytest.raises(SystemExit, match="above 40 give a multiple of it"):
        generated(50, tmp_path, most=40)


def test_what_a_run_wrote_is_without_what_it_was_given(tmp_path: Path) -> None:
    given, tables = tmp_path / "given.parquet", tmp_path / "tables"
    given.write_bytes(b"x" * 1_000)
    (tables / "one").mkdir(parents=True)
    (tables / "one" / "given.parquet").hardlink_to(given)
    (tables / "one" / "own.parquet").write_bytes(b"y" * 30)
    assert written_bytes(tables) == 30


def test_the_event_log_is_summed(tmp_path: Path) -> None:
    def stage(tasks: int, **told: int) -> dict[str, object]:
        names = {
            "bytes": "shuffle.write.bytesWritten",
            "records": "shuffle.write.recordsWritten",
            "disk": "diskBytesSpilled",
        }
        accumulables = [{"Name": f"internal.metrics.{names[n]}", "Value": v} for n, v in told.items()]
        return {
            "Event": "SparkListenerStageCompleted",
            "Stage Info": {"Number of Tasks": tasks, "Accumulables": accumulables},
        }

    events = [
        {"Event": "SparkListenerJobStart"},
        stage(2, bytes=100, records=7),
        stage(4, bytes=1, disk=5),
        {"Event": "SparkListenerJobStart"},
        {"Event": "SparkListenerTaskEnd"},
    ]
    (tmp_path / "app").write_text("\n".join(json.dumps(event) for event in events))
    assert spark_figures(tmp_path) == {
        "jobs": 2, "stages": 2, "tasks": 6, "shuffle_bytes": 101, "shuffle_records": 7, "spilled_bytes": 5, "executor_cpu": 0,
    }  # fmt: skip


def kept(size: int, subject: str, *cpu: float, **more: object) -> Kept:
    runs = [{"cpu": one, "wall": one, "peak_memory": 1e9} for one in cpu]
    told = {
        "date": "2026-01-01",
        "versions": {"duckdb": "2"},
        "machine": {"cores": 2, "memory_gib": 24},
        "compared": True,
        "claim_lines": 5,
    }
    return Kept(size, subject, runs, {**told, **more})


def test_a_goal_is_met_not_met_or_not_measured() -> None:
    results = {
        (one.size, one.subject): one
        for one in (
            kept(200_000, "duckdb", 10, 90, 20),
            kept(200_000, "embedded", 40),
            kept(200_000, "spark", 81, receipts=MONTHS),
        )
    }
    told = {goal.title: goal for goal in goals(results)}
    of_embedded = told["CPU over DuckDB's, embedded, 200,000 members"]
    assert (of_embedded.found, of_embedded.verdict) == (2.0, "met")
    assert told["CPU over DuckDB's, Spark, 200,000 members"].verdict == "not met"
    assert told["CPU over DuckDB's, Spark, 1,000,000 members"].verdict == "not measured"
    assert Goal("at least", 4, 3.9, is_least=True).verdict == "not met"


def test_the_page_is_made_of_all_parts_and_says_what_failed(tmp_path: Path) -> None:
    results = tmp_path / "results"
    keep(results, kept(1_000, "duckdb", 1, 2, 3))
    keep(results, kept(1_000, "embedded", 6, receipts=MONTHS))
    keep(results, kept(1_000, "polars", failed=-9, peak_memory=2e9))
    assert set(all_kept(results)) == {(1_000, "duckdb"), (1_000, "embedded"), (1_000, "polars")}
    write_page(results, tmp_path)
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| DuckDB | 2.0 | 1.0 to 3.0 | 1.0 |" in page
    assert "| pmpm, embedded engine | 6.0 | 6.0 to 6.0 | 3.0 |" in page
    assert "Polars ended with exit code -9 at 1,000 members after 2.0 GB." in page
    assert "<script" not in (tmp_path / "benchmarks.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(("shape", "share"), [("large_practice", 0.3), ("large_member", 0.45), ("large_network", 0.8)])
def test_an_odd_shape_is_as_odd_as_it_is_told(given: Input, tmp_path: Path, shape: str, share: float) -> None:
    folder = tmp_path / "input"
    shutil.copytree(given.folder, folder, ignore=shutil.ignore_patterns("loaded*", "duckdb", "polars", "plain"))
    what = {"large_practice": "billing_tin", "large_member": "member_id", "large_network": "network_id"}[shape]
    place = "lists/network_roster" if shape == "large_network" else "common/claim_lines"
    with duckdb.connect() as at:
        told = SHAPES[shape](at, folder)
        files = f"'{folder}/{place}/*.parquet'"
        counts = at.execute(f"SELECT count(*) AS n FROM {files} GROUP BY {what} ORDER BY n DESC").fetchall()
        keys = f"SELECT count(*), count(DISTINCT (claim_id, line_number)) FROM '{folder}/common/claim_lines/*.parquet'"
        [(lines, distinct)] = at.execute(keys).fetchall()
    largest = counts[0][0] / sum(n for (n,) in counts)
    assert largest >= share and told.startswith(f"{largest:.0%} of ")
    assert lines == distinct


def ended(stage: int, seconds: float, result: int) -> dict[str, object]:
    metrics = {"Executor CPU Time": int(seconds * 1e9), "Result Size": result}
    return {"Event": "SparkListenerTaskEnd", "Stage ID": stage, "Stage Attempt ID": 0, "Task Metrics": metrics}


def test_the_most_uneven_stage_is_found_among_those_with_work(tmp_path: Path) -> None:
    info = {"Stage ID": 3, "Number of Tasks": 16, "Accumulables": []}
    events = [
        *[ended(1, 0.01 if n else 0.9, 1_000_000) for n in range(16)],  # uneven, but nothing to do
        *[ended(2, 2.0 if n else 4.0, 10) for n in range(16)],
        *[ended(3, 1.0 if n else 6.0, 10) for n in range(16)],
        *[ended(4, 9.0 if n else 99.0, 10) for n in range(4)],  # of few tasks the median says little
        {"Event": "SparkListenerStageCompleted", "Stage Info": info},
    ]
    (tmp_path / "log").write_text("".join(json.dumps(event) + "\n" for event in events))
    found = looked_at("shape", tmp_path)
    assert (found.stages, found.worst, found.worst_stage, found.driver_mb) == (2, 6.0, "3 of 16 tasks", 16.0)
    assert not found.is_even
