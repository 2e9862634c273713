"""What the versions of Spark have in different ways is the same here, and each version that is tried is pinned and fits."""

from __future__ import annotations

import re

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from pmpm_spark.doctor import SUPPORTED_SPARK
from pmpm_spark.spark_versions import try_cast, try_cast_in_sql, word_for
from tests.one_version import NOT_ON, reason_to_leave_out_on
from tests.processes import ROOT
from tests.versions.__main__ import OTHERS, chosen_by
from tests.versions.environment import VERSIONS, Version

WORDS = ("2021-02-28", "2021-02-30", "17", "-3", "3000000000", "1.25", "1e400", "", " 5 ", "x", None)


@pytest.mark.parametrize("kind", ["date", "int", "bigint", "double", "decimal(38,18)", "decimal(3,2)"])
def test_a_cast_that_may_fail_is_the_same_in_sql(spark: SparkSession, kind: str) -> None:
    words = spark.createDataFrame([(word,) for word in WORDS], "word string")
    value: Column = F.col("word")
    rows = words.select(try_cast(value, kind).alias("one"), try_cast_in_sql(value, kind).alias("other")).collect()
    assert [repr(row["one"]) for row in rows] == [repr(row["other"]) for row in rows]
    assert any(row["one"] is not None for row in rows)
    assert any(row["one"] is None for row in rows)


def test_a_word_stands_for_a_key_and_none_for_another(spark: SparkSession) -> None:
    keys = spark.createDataFrame([(key,) for key in ("a", "b", None, "x")], "key string")
    found = keys.select("key", word_for({"a": "one", "b": "two"}, F.col("key")).alias("word")).collect()
    assert {row["key"]: row["word"] for row in found} == {"a": "one", "b": "two", None: None, "x": None}


def test_every_supported_version_is_tried_and_no_other() -> None:
    assert tuple(version.name for version in VERSIONS) == SUPPORTED_SPARK
    assert len([version for version in VERSIONS if version.is_default]) == 1


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_the_pinned_spark_is_of_the_line_and_the_delta_is_made_for_it(version: Version) -> None:
    assert version.spark.startswith(f"{version.name}.")
    artifact = re.fullmatch(r"io\.delta:delta-spark_(?:(\d\.\d)_)?2\.1[23]:(\d+\.\d+\.\d+)", version.delta)
    assert artifact is not None
    # Delta 3.3 is made for Spark 3.5 and names no Spark
    assert (artifact[1] or {"3.3": "3.5"}[artifact[2].rpartition(".")[0]]) == version.name


def test_in_as_many_commits_as_there_are_versions_each_is_taken_once() -> None:
    taken = [chosen_by(commits) for commits in range(100, 100 + len(OTHERS))]
    assert sorted(version.name for version in taken) == sorted(version.name for version in OTHERS)


def test_what_cannot_pass_on_a_version_names_a_file_that_is_there_and_is_left_out_on_that_version_alone() -> None:
    for line, reasons in NOT_ON.items():
        assert line in SUPPORTED_SPARK
        for where, why in reasons.items():
            assert (ROOT / where.partition("::")[0]).exists(), where
            assert why
            assert reason_to_leave_out_on(f"{line}.7", where) == why
            assert reason_to_leave_out_on("9.9.9", where) is None
