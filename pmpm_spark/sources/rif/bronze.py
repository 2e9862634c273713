"""RIF files to bronze rows: as read, all text, one row for every line but the heading."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.sources.bronze import BronzeLoad, add_provenance
from pmpm_spark.sources.files import SourceFile, numbered_lines, scan
from pmpm_spark.sources.headings import some
from pmpm_spark.sources.rif.layout import BRONZE, CLAIM_KINDS, check_heading, columns_of, kind_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


LONGEST_LINE = 100_000
"""Characters; the longest kind has 300 cells."""
PART = 16
"""Cells of a line that are handled together."""


def bronze_loads(
    spark: SparkSession, path: str, known: Collection[tuple[str, str]], batch_id: str, ingested_at: datetime
) -> tuple[list[BronzeLoad], list[str]]:
    """What is new at the path, a load for each kind and heading, and notices in plain words.

    `known` holds the bronze table and fingerprint of what was loaded before.

    Raises:
        InputError: nothing there, no enrollment file, or a file whose layout is unknown.
    """
    notices: list[str] = []
    groups: dict[tuple[str, tuple[str, ...]], list[SourceFile]] = {}
    seen = set(known)
    there: set[tuple[str, str]] = set()
    kinds = set()
    others, before = [], []
    for file in scan(spark, path):
        if "|" not in file.first_line:
            others.append(file.name)
            continue
        kind = kind_of(file.heading)
        if kind is None:
            raise InputError(f"{file.name}: unknown column layout: the heading fits no kind of RIF file")
        if kind == "history":
            notices.append(f"{file.name}: former beneficiary records, not used")
            continue
        unknown = check_heading(kind, file.heading, file.name)
        if unknown:
            notices.append(f"{file.name}: {len(unknown)} unknown columns passed over: {', '.join(unknown[:5])}")
        kinds.add(kind)
        there.add((BRONZE[kind].name, file.fingerprint))
        if (BRONZE[kind].name, file.fingerprint) in seen:
            before.append(file.name)
            continue
        seen.add((BRONZE[kind].name, file.fingerprint))
        groups.setdefault((kind, file.heading), []).append(file)
    if "beneficiary" not in kinds:
        raise InputError(f"{path}: there is no enrollment (beneficiary) file among the RIF files")
    absent = [kind for kind in CLAIM_KINDS if kind not in kinds and not any(BRONZE[kind].name == t for t, _ in known)]
    if absent:
        notices.append(f"there is no {', no '.join(absent)} file: these cost nothing")
    if others:
        notices.append(f"no RIF files, and not read as such: {some(others)}")
    if before:
        notices.append(f"loaded before, nothing new: {some(before)}")
    ours = {table.name for table in BRONZE.values()}
    gone = sum(file[0] in ours and file not in there for file in set(known))
    if gone:
        notices.append(f"{gone} files that were loaded before are not there any more; their rows stand")
    loads = [
        BronzeLoad(BRONZE[kind], _bronze_rows(spark, kind, heading, group, batch_id, ingested_at), tuple(group))
        for (kind, heading), group in sorted(groups.items())
    ]
    return loads, notices


def _bronze_rows(
    spark: SparkSession,
    kind: str,
    heading: tuple[str, ...],
    group: list[SourceFile],
    batch_id: str,
    ingested_at: datetime,
) -> DataFrame:
    width = len(heading)
    # a longer line is no line of these files: its cells would cost an engine more memory than there may be
    cells = F.split(F.when(F.length("value") <= LONGEST_LINE, F.col("value")), "[|]", -1)
    split = numbered_lines(spark, group).withColumn("cells", cells)
    # one field too many that is empty is a separator that closes the line; any other number of fields is a fault
    is_whole = (F.size("cells") == width) | ((F.size("cells") == width + 1) & (F.element_at("cells", -1) == ""))
    whole = split.select(
        "_source_file",
        "_source_row",
        "value",
        F.when(is_whole, F.col("cells")).alias("cells"),
    )
    # a cell is taken from a few beside it: an engine that works by columns sets room aside, for each cell that
    # it takes from all 300, for all 300 of every line
    parts = [F.slice("cells", first + 1, PART).alias(f"cells_{first}") for first in range(0, width, PART)]
    parted = whole.select("_source_file", "_source_row", "value", F.col("cells").isNull().alias("is_unparsed"), *parts)
    places = {name: at for at, name in enumerate(heading)}
    delivered = [
        (_cell(places[name]) if name in places else F.lit(None).cast("string")).alias(name) for name in columns_of(kind)
    ]
    return add_provenance(parted, delivered, F.col("is_unparsed"), batch_id, ingested_at)


def _cell(place: int) -> Column:
    return F.element_at(f"cells_{place - place % PART}", place % PART + 1)
