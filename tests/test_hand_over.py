"""One warehouse, two engines: each reads, continues and restores what the other wrote.

The other engine works in a process of its own, as a person would who changes `engine` between two runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.config import Warehouse
from pmpm_spark.errors import AuditError
from pmpm_spark.session import open_session
from pmpm_spark.store import Store
from pmpm_spark.table import TEXTS, Table, column, day, money, quotient, text, year
from tests.processes import ROOT, environment
from tests.tables import frame

MONTHS = Table(
    name="silver.months",
    grain="one row per policy, year and member",
    key=("policy", "performance_year", "member_id"),
    columns=(
        text("policy", "policy"),
        year("performance_year", "year"),
        text("member_id", "member"),
        day("member_month", "month"),
        money("paid_amount", "paid"),
        quotient("pmpm", "quotient"),
        column("reasons", TEXTS, "reasons"),
    ),
    rules={"paid_is_not_negative": "paid_amount >= 0"},
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
)
PEOPLE = Table(
    name="silver.people", grain="one row per id", key=("id",), columns=(text("id", "id"),), cluster_by=("id",)
)
HEADING = "policy | performance_year | member_id | member_month | paid_amount | pmpm | reasons\n"
LABEL = "default*3fa91c"
FIRST = f"""
    {LABEL}   | 2020 | a | 2020-01-01 | 1.25 | 0.1 | []
    {LABEL}   | 2021 | a | 9999-12-01 | 2.50 | -   | DECEASED;OTHER
    it's 100% | 2021 | b | 1899-12-01 | -    | 1e300 | -
"""
SECOND = f"{LABEL} | 2021 | c | 2021-02-01 | 9999999999999.99 | 0.30000000000000004 | X\n"
THIRD = "it's 100% | 2021 | d | 2021-03-01 | 0.01 | 3 | Y"


def months(spark: SparkSession, written: str) -> DataFrame:
    return frame(spark, MONTHS, HEADING + written)


def rows(store: Store) -> list[str]:
    return sorted(repr(tuple(row)) for row in store.read(MONTHS).collect())


def newest(spark: SparkSession, folder: str) -> Store:
    store = Store(spark, Warehouse(folder))
    for table in (MONTHS, PEOPLE):
        version = store.current_version(table)
        assert version is not None
        store.versions[table.name] = version
    return store


def begin(spark: SparkSession, folder: str) -> None:
    store = Store(spark, Warehouse(folder))
    store.publish(MONTHS, months(spark, FIRST))
    store.publish(PEOPLE, frame(spark, PEOPLE, "id\nx"))


def go_on(spark: SparkSession, folder: str) -> None:
    """A slice replaced, a row added, a fault taken back, and one table brought back by hand."""
    store = newest(spark, folder)
    slices = {"policy": [LABEL], "performance_year": [2021]}
    assert store.publish(MONTHS, months(spark, SECOND), slices=slices).rows == 1
    with pytest.raises(AuditError, match="paid_is_not_negative by 1 rows"):
        store.publish(MONTHS, months(spark, SECOND.replace("| 9", "| -9")), append=True)
    before = store.versions[PEOPLE.name]
    store.publish(PEOPLE, frame(spark, PEOPLE, "id\ny"), append=True)
    store.restore(PEOPLE, before)
    store.publish(PEOPLE, frame(spark, PEOPLE, "id\nz"), append=True)


def end(spark: SparkSession, folder: str) -> None:
    store = newest(spark, folder)
    store.publish(MONTHS, months(spark, THIRD), append=True)
    before = store.versions[PEOPLE.name]
    store.publish(PEOPLE, frame(spark, PEOPLE, "id\nw"), append=True)
    store.restore(PEOPLE, before)


STEPS = {"begin": begin, "go_on": go_on, "end": end}


def on_the_other(engine: str, step: str, folder: str) -> None:
    other = {"spark": "embedded", "embedded": "spark"}[engine]
    command = [sys.executable, "-m", "tests.test_hand_over", other, step, folder]
    answer = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-3000:]


def test_a_warehouse_goes_from_one_engine_to_the_other_and_back(
    spark: SparkSession, engine: str, tmp_path: Path
) -> None:
    folder = str(tmp_path / "warehouse")
    begin(spark, folder)
    on_the_other(engine, "go_on", folder)
    end(spark, folder)
    found = newest(spark, folder)
    kept = [line for line in FIRST.splitlines() if not (LABEL in line and "| 2021 |" in line)]
    expected = months(spark, "\n".join([*kept, SECOND, THIRD]))
    assert rows(found) == sorted(repr(tuple(row)) for row in expected.collect())
    assert len(rows(found)) == 4
    assert sorted(row["id"] for row in found.read(PEOPLE).collect()) == ["x", "z"]


if __name__ == "__main__":
    with_engine, wanted, where = sys.argv[1:]
    STEPS[wanted](open_session(str(ROOT / "conf" / "spark" / "small.conf"), "pmpm tests", with_engine), where)
