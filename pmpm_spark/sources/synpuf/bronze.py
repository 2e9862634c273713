"""DE-SynPUF files to bronze rows: as read, all text."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.errors import InputError
from pmpm_spark.sources.bronze import BronzeLoad, KnownFile
from pmpm_spark.sources.comma import comma_rows
from pmpm_spark.sources.files import SourceFile, scan
from pmpm_spark.sources.headings import check_heading, some
from pmpm_spark.sources.synpuf.layout import BRONZE, CLAIM_KINDS, COLUMNS, REQUIRED, YEAR_IN_NAME, kind_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def bronze_loads(
    spark: SparkSession,
    path: str,
    known: Collection[KnownFile],
    batch_id: str,
    ingested_at: datetime,
    scratch: Path,  # nothing is unpacked
) -> tuple[list[BronzeLoad], list[str]]:
    """What is new at the path, a load for each kind and heading, and notices in plain words.

    Raises:
        InputError: nothing there, no beneficiary summary, or a file whose layout or year is unknown.
    """
    notices: list[str] = []
    groups: dict[tuple[str, tuple[str, ...]], list[SourceFile]] = {}
    seen = {(file.table, file.fingerprint) for file in known}
    kinds, others, before = set(), [], []
    for file in scan(spark, path):
        kind = kind_of(file.heading)
        if kind is None:
            others.append(file.name)
            continue
        if kind == "beneficiary" and not re.search(YEAR_IN_NAME, file.name):
            raise InputError(
                f"{file.name}: its name must tell the year, as in 2008_Beneficiary_Summary; no column does"
            )
        unknown = check_heading(f"DE-SynPUF {kind}", file.heading, file.name, COLUMNS[kind], REQUIRED[kind])
        if unknown:
            notices.append(f"{file.name}: {len(unknown)} unknown columns passed over: {', '.join(unknown[:5])}")
        kinds.add(kind)
        # the year is in the name: the same content under the name of another year is another file
        year = re.search(YEAR_IN_NAME, file.name)
        print_of = f"{year[1]}-{file.fingerprint}" if year else file.fingerprint
        if (BRONZE[kind].name, print_of) in seen:
            before.append(file.name)
            continue
        seen.add((BRONZE[kind].name, print_of))
        groups.setdefault((kind, file.heading), []).append(replace(file, fingerprint=print_of))
    if "beneficiary" not in kinds:
        raise InputError(f"{path}: there is no beneficiary summary among the DE-SynPUF files")
    absent = [k for k in CLAIM_KINDS if k not in kinds and not any(BRONZE[k].name == file.table for file in known)]
    if absent:
        notices.append(f"there is no {', no '.join(absent)} file: these cost nothing")
    if others:
        notices.append(f"no DE-SynPUF files, and not read as such: {some(others)}")
    if before:
        notices.append(f"loaded before, nothing new: {some(before)}")
    loads = [
        BronzeLoad(BRONZE[kind], comma_rows(spark, group, COLUMNS[kind], batch_id, ingested_at), tuple(group))
        for (kind, _), group in sorted(groups.items())
    ]
    return loads, notices
