"""docs/operations.md: every command, setting, query and figure of the page is one that there is."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.cli.parser import parser
from pmpm_spark.config import RunConfig, load_config
from pmpm_spark.runs import RUNS

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
TYPED = [line.strip() for line in re.findall(r"^    (pmpm .*)$", PAGE, re.M)]
NAMED = re.findall(r"`(pmpm [^`…]+)`", PAGE)
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.S)
ROOT_PARSER = parser()
(OF_COMMANDS,) = [action for action in ROOT_PARSER._actions if isinstance(action, argparse._SubParsersAction)]


@pytest.mark.parametrize("line", TYPED)
def test_every_command_that_one_types_is_taken(line: str, tmp_path: Path) -> None:
    words = ROOT_PARSER.parse_args(shlex.split(line, comments=True)[1:])
    if getattr(words, "sets", None):
        config = tmp_path / "my.toml"
        config.write_text('performance_years = [2022]\n[source]\nkind = "rif"\npath = "x"\n[warehouse]\npath = "w"\n')
        (said,) = words.sets
        years = tuple(json.loads(said.removeprefix("performance_years=")))
        assert load_config(str(config), words.sets).performance_years == years


def test_every_command_and_option_that_is_named_is_there() -> None:
    assert len(NAMED) > 5
    for line in NAMED:
        words = shlex.split(line)[1:]
        if words[0].startswith("-"):
            continue
        options = {name for action in OF_COMMANDS.choices[words[0]]._actions for name in action.option_strings}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_the_page_names_every_command_of_operations() -> None:
    assert {"load", "run", "capitate", "report", "maintain", "rollback", "loads", "doctor"} <= {
        line.split()[1] for line in (*TYPED, *NAMED)
    }


def test_every_setting_that_is_named_is_there() -> None:
    groups = {
        f.name: {inner.name for inner in dataclasses.fields(default)}
        for f in dataclasses.fields(RunConfig)
        if dataclasses.is_dataclass(default := _value_of(f.name))
    }
    named = re.findall(r"`(source|warehouse|capitation|finance|reference)\.(\w+)", PAGE)
    assert len(named) > 2
    assert [(group, name) for group, name in named if name not in groups[group]] == []


def _value_of(name: str) -> object:
    from pmpm_spark.config import Source, Warehouse
    from pmpm_spark.policy import Policy

    return getattr(RunConfig(Source("rif", "x"), Warehouse(path="w"), (2022,), (Policy("p"),)), name)


def test_the_queries_of_the_book_answer(spark: SparkSession) -> None:
    receipts = [
        {"table": name, "version": 1, "rows": 2, "seconds": 1.5, "inputs": {}, "engine": "spark"} for name in "ab"
    ]
    told = {
        "run_id": "r", "status": "finished", "at": datetime(2026, 1, 1, tzinfo=UTC), "receipts": receipts,
        "inputs": '{"upgraded": {"gold.x": "columns y"}}',
    }  # fmt: skip
    spark.createDataFrame([tuple(told.get(c) for c in RUNS.column_names)], RUNS.schema).createOrReplaceTempView(
        "ops_runs"
    )
    seconds, upgraded = (spark.sql(query).collect() for query in QUERIES)
    assert [tuple(row) for row in seconds] == [("r", 3.0, 4)]
    assert [(row["run_id"], json.loads(row["upgraded"])) for row in upgraded] == [("r", {"gold.x": "columns y"})]
    (last,) = re.findall(r"`(SELECT max\(at\).*?)`", PAGE)
    assert spark.sql(last).collect()[0][0] is not None


def test_sizes_are_the_measured_bytes_scaled_up() -> None:
    def measured(row: str) -> list[float]:
        (cells,) = re.findall(rf"^\| {re.escape(row)} \| ([^|]+) \|", PAGE, re.M)
        return [float(cell.replace(",", "")) for cell in cells.split("/")]

    (text,), (whole,) = measured("delivered, plain text"), measured("warehouse, all tables once")
    _, intake, silver, gold = measured("of it bronze / intake / silver / gold")
    (shuffled,), (largest,) = (
        measured("shuffled by Spark, all stages"),
        measured("shuffled by Spark, the largest stage"),
    )
    two_runs = whole + intake + silver + gold

    def told(cell: str) -> float:
        number, unit = cell.split()
        return float(number) * {"GB": 1e9, "TB": 1e12}[unit]

    for members in (1, 10, 65):
        (line,) = re.findall(rf"^\| {members} million \| (.*) \|$", PAGE, re.M)
        cells = [cell.strip() for cell in line.split("|")]
        people = members * 1e6
        of_shuffles = [told(cell.strip()) for cell in cells[2].split("/")]
        for said, expected in zip(
            [told(cells[0]), told(cells[1]), *of_shuffles], [text, two_runs, shuffled, largest], strict=True
        ):
            assert said == pytest.approx(expected * people, rel=0.04)
        assert float(cells[3].replace(",", "")) == pytest.approx(largest * people / 128e6, rel=0.04)


def test_the_example_of_cost_is_what_its_formula_gives() -> None:
    (example,) = re.findall(r"For example (.*)$", PAGE, re.M)
    seconds, lines, fewer_seconds, fewer_lines, cores = map(
        float, re.findall(r"[\d.]+", example.split(":")[0].replace(",", ""))
    )
    c = (seconds - fewer_seconds) * cores / ((lines - fewer_lines) * 1e6)
    assert f"{c:g} core seconds a line" in example
    assert f"fixed {seconds - lines * 1e6 * c / cores:.0f} s" in example
