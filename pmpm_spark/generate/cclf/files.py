"""Records to the files of deliveries, named as CMS names them: a folder for each delivery, in it CCLF0 to CCLF9.

The engine writes the records in parts, one for each delivery; the driver gives the parts their names. So the folder
must be one that this machine sees.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.errors import InputError
from pmpm_spark.generate.cclf.schedule import Schedule
from pmpm_spark.paths import is_local, plain
from pmpm_spark.sources.cclf.layout import CONTROL, KINDS, record_length

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STAGED = "_staged"
"""The folder of what is on its way to its name; it is gone at the end."""
DESCRIPTIONS = {
    "cclf1": "Part A Claims Header File",
    "cclf2": "Part A Claims Revenue Center Detail File",
    "cclf3": "Part A Procedure Code File",
    "cclf4": "Part A Diagnosis Code File",
    "cclf5": "Part B Physicians File",
    "cclf6": "Part B DME File",
    "cclf7": "Part D File",
    "cclf8": "Beneficiary Demographics File",
    "cclf9": "Beneficiary XREF File",
}
_HEADING = f"{'File Number':<13}|{'File Description':<20}|{'Total Records Count':<20}|{'Record Length':<13}"


def local_folder(out: str) -> Path:
    """The folder to write to.

    Raises:
        InputError: it is in an object store.
    """
    if not is_local(out):
        raise InputError(f"{out}: CCLF deliveries are written to a folder of this machine alone")
    return Path(plain(out))


def write_records(records: DataFrame, folder: Path, kind: str, schedule: Schedule) -> None:
    """One file of a kind in every delivery, its records in the order of their text; without a record an empty one.

    Raises:
        InputError: the engine parted the records of one delivery.
    """
    staged = folder / STAGED / kind
    in_order = records.select("record", "delivery").repartition("delivery").sortWithinPartitions("delivery", "record")
    in_order.write.partitionBy("delivery").text(str(staged))
    for month in schedule.months:
        parts = sorted((staged / f"delivery={month}").glob("*.txt"))
        if len(parts) > 1:
            raise InputError(f"{kind}: the engine wrote a delivery in {len(parts)} parts; generate fewer members")
        file = folder / schedule.name(month) / schedule.name(month, kind)
        file.parent.mkdir(parents=True, exist_ok=True)
        if parts:
            parts[0].replace(file)
        else:
            file.touch()
    shutil.rmtree(staged, ignore_errors=True)


def write_controls(folder: Path, schedule: Schedule) -> None:
    """CCLF0 of every delivery: how many records of what length the other files have, by their size."""
    for month in schedule.months:
        lines = [_HEADING]
        for kind in KINDS[1:]:
            length = record_length(kind)
            size = (folder / schedule.name(month) / schedule.name(month, kind)).stat().st_size
            records = size // (length + 1)
            lines.append(f"{kind.upper():<7}|{DESCRIPTIONS[kind]:<43}|{records:>11}|{length:>5} ")
        control = folder / schedule.name(month) / schedule.name(month, CONTROL)
        control.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")
