"""CCLF deliveries to bronze rows: as read, all text, one row for every record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.sources.bronze import BronzeLoad, KnownFile, add_provenance
from pmpm_spark.sources.cclf.deliveries import Delivery, deliveries, untold_months
from pmpm_spark.sources.cclf.layout import BRONZE, CONTROL, KINDS, fields_of, file_name, record_length, told_month
from pmpm_spark.sources.files import SourceFile, numbered_lines
from pmpm_spark.table import small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NOT_CARRIED = (
    "CCLF carries no allowed or patient amount of institutional claims, and of drugs the beneficiary's payment alone: "
    "what the plan paid for them is null and adds nothing to sums; what the beneficiary paid is patient_paid_amount"
)
_NO_TEXT = "[\ufffd\\x00]"
"""Characters in the place of bytes that are no text."""


def bronze_loads(
    spark: SparkSession,
    path: str,
    known: Collection[KnownFile],
    batch_id: str,
    ingested_at: datetime,
    scratch: Path,
) -> tuple[list[BronzeLoad], list[str]]:
    """The deliveries at the path that are new, a load for each kind of file, and notices in plain words.

    Raises:
        InputError: nothing there, or a delivery that is not whole.
    """
    at_path, notices = deliveries(spark, path, scratch)
    contents = _known_contents(known)
    seen = set(contents.values())
    again: list[str] = []
    new: list[Delivery] = []
    for delivery in at_path:
        if delivery.content in seen:
            again.append(delivery.name)
            continue
        if delivery.name in contents:
            notices.append(f"{delivery.name}: was loaded with other content before; what it holds now counts")
        seen.add(delivery.content)
        new.append(delivery)
    if again:
        others = f" and {len(again) - 1} more" if len(again) > 1 else ""
        notices.append(f"{again[0]}{others}: loaded before, nothing new")
    told = {told_month(d.file_date) for d in new if d.is_regular}
    told |= {told_month(n.file_date) for n in (file_name(file.name) for file in known) if n and n.is_regular}
    notices += [
        f"{month:%Y-%m}: no delivery tells this month; nobody is covered in it" for month in untold_months(told)
    ]
    if new:
        notices.append(NOT_CARRIED)
    loads = []
    for kind in KINDS if new else ():
        files = tuple(delivery.files[kind] for delivery in new)
        loads.append(BronzeLoad(BRONZE[kind], _bronze_rows(spark, kind, files, batch_id, ingested_at), files))
    return loads, notices


def _known_contents(known: Collection[KnownFile]) -> dict[str, frozenset[tuple[str, str]]]:
    """The content that counts of each delivery loaded before, by its name: the one loaded last."""
    parts: dict[str, dict[str, set[tuple[str, str]]]] = {}
    for file in known:
        told = file_name(file.name)
        if told is not None and told.kind in BRONZE and file.table == BRONZE[told.kind].name:
            by_batch = parts.setdefault(told.delivery, {})
            by_batch.setdefault(file.batch_id, set()).add((told.kind, file.fingerprint))
    return {name: frozenset(by_batch[max(by_batch)]) for name, by_batch in parts.items()}


def _bronze_rows(
    spark: SparkSession, kind: str, files: Sequence[SourceFile], batch_id: str, ingested_at: datetime
) -> DataFrame:
    table = BRONZE[kind]
    with_rows = [file for file in files if file.rows]
    if not with_rows:
        return small_frame(spark, [], table.schema)
    lines = numbered_lines(spark, with_rows, headings=int(kind == CONTROL))
    record = lines.withColumn("value", F.regexp_replace("value", "\\r$", ""))
    is_whole = (F.length("value") == record_length(kind)) & ~F.col("value").rlike(_NO_TEXT)
    whole = record.withColumn("record", F.when(is_whole, F.col("value")))
    delivered = [F.substring("record", f.start, f.length).alias(f.name) for f in fields_of(kind)]
    return add_provenance(whole, delivered, F.col("record").isNull(), batch_id, ingested_at)
