"""What a stage's plan on Spark would do with large tables: what it shuffles and by what, and which columns it scans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

AS_IF_LARGE = {
    "spark.sql.autoBroadcastJoinThreshold": "-1",  # broadcast only what the code says is tiny
    "spark.sql.adaptive.enabled": "false",  # the whole plan at once
}


@dataclass(frozen=True)
class Planned:
    """`shuffles`: the columns that rows are shuffled by, one entry a shuffle. `scans`: per scan its table and columns.

    `broadcast`: the tables of which every scan is handed to all tasks.
    """

    shuffles: tuple[tuple[str, ...], ...]
    scans: tuple[tuple[str, tuple[str, ...]], ...]
    broadcast: frozenset[str]


@contextmanager
def as_if_large(spark: SparkSession, small: int = -1) -> Iterator[None]:
    """`small`: tables of no more bytes are broadcast, too."""
    former = {name: spark.conf.get(name) for name in AS_IF_LARGE}
    for name, value in {**AS_IF_LARGE, "spark.sql.autoBroadcastJoinThreshold": str(small)}.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in former.items():
            spark.conf.set(name, value)


def empty(spark: SparkSession, table: Table, folder: Path) -> DataFrame:
    """The table without a row, from files: its columns are scanned as those of a stored table."""
    (folder / table.name).mkdir(exist_ok=True)
    return spark.read.schema(table.schema).parquet(str(folder / table.name))


def planned(frame: DataFrame) -> Planned:
    """Read from the plan that Spark prints: a tree of numbered nodes, then a paragraph on each."""
    with redirect_stdout(StringIO()) as told:
        frame.explain(mode="formatted")
    tree, *details = re.split(r"\n\n+(?=\(\d+\) )", told.getvalue())
    shuffles, scans, held = [], [], set()
    handed = _below_a_broadcast(tree)
    for detail in details:
        node = re.match(r"\((\d+)\) (Exchange|Scan parquet)", detail)
        if node is None:
            continue
        if node[2] == "Exchange":
            shuffles.append(_keys(detail))
            continue
        table = re.search(r"Location: \S+ \[[^\]]*/([\w.]+)\]", detail)
        columns = re.search(r"ReadSchema: struct<(.*)>", detail)
        assert table and columns, detail
        scans.append((table[1], tuple(sorted(re.findall(r"(?:^|,)(\w+):", columns[1])))))
        if int(node[1]) not in handed:
            held.add(table[1])
    broadcast = frozenset(table for table, _ in scans) - held
    return Planned(tuple(sorted(shuffles)), tuple(sorted(scans)), broadcast)


def _below_a_broadcast(tree: str) -> set[int]:
    """The numbers of the nodes whose rows go to every task."""
    found, path = set(), []
    for line in tree.splitlines():
        node = re.match(r"([\s:+-]*)(?:\* )?(\w[^(]*)\((\d+)\)", line)
        if node is None:
            continue
        depth = len(node[1])
        path = [(at, name) for at, name in path if at < depth]
        if any(name.startswith("BroadcastExchange") for _, name in path):
            found.add(int(node[3]))
        path.append((depth, node[2]))
    return found


def _keys(detail: str) -> tuple[str, ...]:
    by = re.search(r"hashpartitioning\((.*), \d+\)", detail)
    if by is None:
        other = re.search(r"Arguments: (\w+)", detail)
        assert other, detail
        return (other[1],)
    names = re.sub(r"#\d+L?", "", by[1])
    return tuple(sorted(re.split(r", (?![^(]*\))", names)))  # Spark keeps no order of a distinct's columns
