"""Loading: new files to bronze, each once, with a count that proves that every row arrived."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpm_spark.at_once import in_turn
from pmpm_spark.config import TABULAR, Source, Warehouse
from pmpm_spark.delta_text import folder_of, is_local_folder
from pmpm_spark.errors import AuditError, ConfigError, InputError
from pmpm_spark.model import SOURCE_FILES
from pmpm_spark.paths import plain
from pmpm_spark.sources.bronze import BronzeLoad, KnownFile
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.sources.lists import LISTS, list_files, list_load
from pmpm_spark.store import Receipt, Store, empty
from pmpm_spark.table import small_frame

if TYPE_CHECKING:
    from pyspark.sql import Row

log = logging.getLogger(__name__)

UNPACKED = "unpacked-"


@dataclass
class Loaded:
    """What loading left: receipts, notices in plain words, and how many files were new."""

    receipts: list[Receipt] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    files: int = 0


def load_sources(store: Store, source: Source, batch_id: str, ingested_at: datetime) -> Loaded:
    """Add the files that are not known yet to bronze, replace the lists that changed, and keep the register of files.

    Raises:
        InputError: something named is missing or has a layout that cannot be read.
        ConfigError: the warehouse holds files of another kind of source.
        AuditError: fewer or more rows arrived than the files hold.
    """
    with _scratch(store.warehouse, batch_id) as scratch:
        return _load(store, source, batch_id, ingested_at, scratch)


@contextmanager
def _scratch(warehouse: Warehouse, batch_id: str) -> Iterator[Path]:
    """A folder for unpacked files, made by who needs it: below the warehouse where that is one, so that every engine
    that writes there can read it."""
    if is_local_folder(warehouse):
        below = Path(plain(folder_of(warehouse)))
        for left in below.glob(f"{UNPACKED}*"):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        folder = below / f"{UNPACKED}{batch_id}"
    else:
        folder = Path(tempfile.mkdtemp(prefix=UNPACKED))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(store: Store, source: Source, batch_id: str, ingested_at: datetime, scratch: Path) -> Loaded:
    loaded = Loaded()
    spark = store.spark
    register = store.read(SOURCE_FILES).collect() if SOURCE_FILES.name in store.versions else []
    # what stands in no bronze table, since it is rebuilt, was not loaded
    rebuilt = [row for row in register if row["_bronze_table"] not in store.versions]
    register = [row for row in register if row["_bronze_table"] in store.versions]
    files_before = [
        KnownFile(r["_bronze_table"], r["_source_file"], r["_batch_id"], r["fingerprint"]) for r in register
    ]
    known = {(file.table, file.fingerprint) for file in files_before}
    kind = SOURCE_KINDS[source.kind]
    of_others = {table.name for name, other in SOURCE_KINDS.items() if name != source.kind for table in other.bronze}
    if any(file.table in of_others for file in files_before):
        raise ConfigError(
            f"the warehouse holds files of another source.kind than {source.kind}: choose another warehouse"
        )

    told: dict[str, Any] = {"file_format": source.format} if source.kind in TABULAR else {}
    loads, notices = kind.loads(spark, source.path, files_before, batch_id, ingested_at, scratch, **told)
    loaded.notices += notices
    _check_rebuilt(rebuilt, loads)
    for the_list in LISTS:
        path, theirs = getattr(source, the_list.setting), source.columns_of(the_list.setting)
        file_format = getattr(source.formats, the_list.setting)
        files, notices = list_files(spark, the_list, path, theirs, file_format) if path is not None else ((), [])
        loaded.notices += notices
        table = the_list.bronze
        now = {file.fingerprint for file in files}
        if table.name not in store.versions or now != {f for name, f in known if name == table.name}:
            loads.append(list_load(spark, the_list, files, batch_id, ingested_at, theirs, file_format))

    for table in kind.bronze:
        if table.name not in store.versions and not any(load.table is table for load in loads):
            store.publish(table, empty(spark, table))
    names = [load.table.name for load in loads]
    tasks = {
        str(place): (
            [str(other) for other in range(place) if names[other] == load.table.name],  # one table, one writer
            partial(_publish, store, load),
        )
        for place, load in enumerate(loads)
    }
    loaded.receipts += in_turn(tasks, store.at_once)
    loaded.files += sum(len(load.files) for load in loads)
    if loads or SOURCE_FILES.name not in store.versions:
        _keep_register(store, register, loads, batch_id, ingested_at, loaded)
    return loaded


def _check_rebuilt(rebuilt: Sequence[Row], loads: Sequence[BronzeLoad]) -> None:
    """A rebuild reads every file again that was loaded before; lists are what they are now.

    Raises:
        InputError: a file is not there any more.
    """
    lists = {the_list.bronze.name for the_list in LISTS}
    came = {(load.table.name, file.fingerprint) for load in loads for file in load.files}
    gone = [row for row in rebuilt if row["_bronze_table"] not in lists]
    gone = [row for row in gone if (row["_bronze_table"], row["fingerprint"]) not in came]
    if gone:
        raise InputError(
            f"--rebuild {gone[0]['_bronze_table']}: {len(gone):,} files that it was loaded from are not there as they "
            f"were ({gone[0]['_source_file']}): their rows would be lost; bring them back"
        )


def _publish(store: Store, load: BronzeLoad) -> Receipt:
    receipt = store.publish(load.table, load.frame, append=not load.replaces)
    expected = sum(file.rows for file in load.files)
    if receipt.rows != expected:
        raise AuditError(f"{load.table.name}: {receipt.rows:,} rows arrived, the files hold {expected:,}")
    log.info("%s", receipt)
    return receipt


def _keep_register(
    store: Store,
    register: Sequence[Row],
    loads: Sequence[BronzeLoad],
    batch_id: str,
    ingested_at: datetime,
    loaded: Loaded,
) -> None:
    """Write the register of files anew: what stays, and what came. One row a file."""
    replaced = {load.table.name for load in loads if load.replaces}
    rows: list[tuple[Any, ...]] = [
        tuple(row[name] for name in SOURCE_FILES.column_names)
        for row in register
        if row["_bronze_table"] not in replaced
    ]
    for load in loads:
        for file in load.files:
            told = (load.table.name, file.name, batch_id, file.fingerprint, file.rows, file.text_bytes, ingested_at)
            rows.append(told)
    frame = small_frame(store.spark, rows, SOURCE_FILES.schema)
    loaded.receipts.append(store.publish(SOURCE_FILES, frame))
