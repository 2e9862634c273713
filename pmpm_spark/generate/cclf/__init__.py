"""The generated claims and people as an ACO's monthly CCLF deliveries.

Made of the rows that the RIF files have: the same people, claims and money. What stands after netting is equal in both;
how it comes to stand there is each format's own (docs/generator.md).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pmpm_spark.errors import InputError
from pmpm_spark.generate.cclf.files import STAGED, local_folder, write_controls, write_records
from pmpm_spark.generate.cclf.ids import MOST_PEOPLE, MOST_YEARS, id_change_records
from pmpm_spark.generate.cclf.part_a import (
    CLAIM_TYPE,
    diagnosis_records,
    header_records,
    part_a_versions,
    procedure_records,
    revenue_center_records,
)
from pmpm_spark.generate.cclf.part_b import line_records
from pmpm_spark.generate.cclf.part_d import drug_records
from pmpm_spark.generate.cclf.people import people_records
from pmpm_spark.generate.cclf.schedule import Schedule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pmpm_spark.generate.draws import Draws

__all__ = ["check_room", "write_cclf"]

log = logging.getLogger(__name__)


def check_room(out: str, *, members: int, years: tuple[int, int]) -> None:
    """Look before the first job runs.

    Raises:
        InputError: a folder in an object store, or more people or years than claim numbers tell apart.
    """
    local_folder(out)
    if members > MOST_PEOPLE or years[1] - years[0] + 2 > MOST_YEARS:
        raise InputError(f"CCLF deliveries: at most {MOST_PEOPLE:,} members and {MOST_YEARS - 1} performance years")


def write_cclf(
    members: DataFrame,
    beneficiaries: DataFrame,
    claims: Mapping[str, DataFrame],
    out: str,
    draws: Draws,
    *,
    years: tuple[int, int],
) -> None:
    """Write the deliveries below a local folder.

    `members` has person and member_id; `beneficiaries` the beneficiary rows of all years, `claims` those of each kind.
    """
    folder, schedule = local_folder(out), Schedule(years[0] - 1, years[1])
    # four files are made of them
    staged = folder / STAGED / "part_a"
    for kind in CLAIM_TYPE:
        part_a_versions(claims[kind], draws, kind, schedule).write.mode("append").parquet(str(staged))
    part_a = members.sparkSession.read.parquet(str(staged))
    records = {
        "cclf1": header_records(part_a),
        "cclf2": revenue_center_records(part_a),
        "cclf3": procedure_records(part_a),
        "cclf4": diagnosis_records(part_a),
        "cclf5": line_records(claims["carrier"], draws, "carrier", schedule),
        "cclf6": line_records(claims["dme"], draws, "dme", schedule),
        "cclf7": drug_records(claims["pde"], draws, schedule),
        "cclf8": people_records(beneficiaries, draws, schedule),
        "cclf9": id_change_records(members, draws, schedule),
    }
    for kind, of_kind in records.items():
        write_records(of_kind, folder, kind, schedule)
        log.info("generated %s", kind)
    shutil.rmtree(folder / STAGED)
    write_controls(folder, schedule)
    log.info("generated %d deliveries", len(schedule.months))
