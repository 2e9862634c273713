"""What `make test-cluster` decides by: which moments are drawn, when a moment is, which stages write a table. No cluster is needed."""

from __future__ import annotations

import json
import random

import pytest

from tests.cluster.executor_loss import Writing
from tests.cluster.moments import RECEIPT, Moment, Timeline, drawn

LINES = {"load": Timeline([2.0, 5.0], 6.0), "gold": Timeline([1.0], 4.0)}


def test_every_equal_part_of_the_time_has_its_moment() -> None:
    """Ten seconds in all, in five parts of two: three of the first job, whose time is six seconds, and two of the other."""
    for seed in range(200):
        found = [drawn(LINES, number, 5, random.Random(seed * 5 + number)) for number in range(5)]
        assert [moment.job for moment in found] == ["load", "load", "load", "gold", "gold"]
        at = [moment.seconds + ([0, *LINES[moment.job].tables])[moment.tables] for moment in found]
        assert all(low <= second < low + 2 for second, low in zip(at, (0, 2, 4, 0, 2), strict=True)), (seed, at)


def test_moments_of_one_seed_are_the_same_and_of_another_are_others() -> None:
    once, again, other = (
        [drawn(LINES, number, 5, random.Random(f"{seed} {number}")) for number in range(5)] for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


@pytest.mark.parametrize(
    ("said_at", "now", "is_now"),
    [
        ([], 99, False),  # it waits for the table, however long
        ([7], 8.4, False),
        ([7], 8.5, True),
        ([7, 7.5], 7.6, True),  # the next table came sooner than in the run that was timed
    ],
)
def test_a_moment_is_counted_from_the_table_before_it(said_at: list[float], now: float, is_now: bool) -> None:
    assert Moment("load", 1, 1.5).is_now(said_at, 0, now) is is_now


def test_before_the_first_table_it_is_counted_from_the_first_sign() -> None:
    assert not Moment("load", 0, 1.5).is_now([], 10, 11)
    assert Moment("load", 0, 1.5).is_now([], 10, 11.5)


def test_a_table_that_was_published_is_known_by_its_line() -> None:
    line = "12:11:08 20261127T120713648002Z-b4738e gold.pmpm_forecast                          1,072 rows     5.7 s"
    found = RECEIPT.search(line)
    assert found is not None
    assert found[1] == "gold.pmpm_forecast"
    assert (
        RECEIPT.search("12:11:08 20261127T12-b4738e gold.pmpm_forecast: brought back to the last finished run") is None
    )


def test_the_stages_of_a_table_are_those_of_the_jobs_that_write_it() -> None:
    execution = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"
    writes = "AppendDataExecV1 (1)\nArguments: DeltaTableV2(SparkSession@1,/tmp/warehouse/silver/members,None"
    reads = "Scan parquet (1)\nLocation: [/tmp/warehouse/silver/members, more]"
    events = [
        {"Event": execution, "executionId": 3, "physicalPlanDescription": writes},
        {"Event": execution, "executionId": 4, "physicalPlanDescription": reads},
        {"Event": "SparkListenerJobStart", "Stage IDs": [7, 8], "Properties": {"spark.sql.execution.id": "5", "spark.sql.execution.root.id": "3"}},
        {"Event": "SparkListenerJobStart", "Stage IDs": [9], "Properties": {"spark.sql.execution.id": "4"}},
        {"Event": "SparkListenerTaskStart", "Stage ID": 7},
    ]  # fmt: skip
    writing = Writing(("silver.members", "silver.claim_lines"))
    for event in events:
        writing.learn(json.dumps(event))
    assert writing.stages == {7: "silver.members", 8: "silver.members"}
