"""What the last finished run published of one member, and the records that it was delivered in.

Every table is read once, filtered by the member first; what is left is a member's few rows, put in order here. The
tables are read at the same time: on Spark most of a small read is waiting.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.at_once import each
from pmpm_spark.config import CSV
from pmpm_spark.errors import InputError
from pmpm_spark.intake import accepted
from pmpm_spark.model import (
    CLAIM_ROWS,
    ENROLLMENT_ROWS,
    FINAL_CLAIM_LINES,
    MEMBER_ID_CHANGES,
    OTHER_INITIATIVES,
)
from pmpm_spark.months import number_of
from pmpm_spark.runs import check_contracts
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.roster_match import line_ids, with_roster_network
from pmpm_spark.silver.roster_matches import ROSTER_MATCHES
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.sources.lists import OTHER_INITIATIVES_LIST
from pmpm_spark.table import Table
from pmpm_spark.why.records import Enrollment, Place, place_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

    from pmpm_spark.warehouse import Published

_PROVENANCE = ("_source_file", "_source_row")
TABLES = (
    ENROLLMENT_ROWS, CLAIM_ROWS, FINAL_CLAIM_LINES, ROSTER_MATCHES, CLAIM_COSTS, SECONDARY_PAYER_MONTHS, TOLD_MONTHS,
    MEMBER_MONTH_COSTS, TRUNCATED_COSTS, MEMBER_MONTHS, ATTRIBUTION, OTHER_INITIATIVES,
)  # fmt: skip
"""What is read of a member."""
HEADER = 0
"""The line number under which the record of a whole claim stands; lines begin at 1."""
LineKey = tuple[str, int, str | None]
"""Claim, line and version."""


@dataclass(frozen=True)
class Member:
    """One member: months, costs and attribution of the policies asked for, every final line, and the records behind.

    `places` has the record of each accepted claim line; `lines` have `roster_network_id`, empty where none;
    `claim_rows` are all that were delivered, whatever became of them.
    """

    member_id: str
    enrollment: Enrollment
    months: Sequence[Row]
    secondary: Mapping[int, str]
    lines: Sequence[Row]
    places: Mapping[LineKey, Place]
    claim_rows: Sequence[Row]
    has_lines: bool
    claim_costs: Decimal
    costs: Sequence[Row]
    truncated: Sequence[Row]
    attribution: Sequence[Row]
    initiatives: Sequence[Row] = ()

    def place(self, line: Row) -> Place | None:
        """The record of the line itself."""
        return self.places.get((line["claim_id"], line["line_number"], line["claim_version"]))

    def header(self, line: Row) -> Place | None:
        """The record that tells the claim's payment and payer: its header, where the source has one, else the line."""
        return self.places.get((line["claim_id"], HEADER, line["claim_version"])) or self.place(line)


def member_of(warehouse: Published, member_id: str, policies: Sequence[str]) -> Member:
    """The member under the current id.

    Raises:
        InputError: no enrollment record and no claim is of such a member.
        StageError: a table was made by another contract, as by a former version of this package.
    """
    check_contracts(TABLES, warehouse.run.contracts)
    current = _current_id(warehouse, member_id)
    found = members_of(warehouse, policies, F.col("member_id") == current)
    if current not in found:
        raise InputError("explain: no enrollment record and no claim of the last finished run is of this member")
    return found[current]


def members_of(warehouse: Published, policies: Sequence[str], chosen: Column) -> dict[str, Member]:
    """The members whose rows are `chosen`, by id: all who have an enrollment record or a claim."""
    is_asked = F.col("policy").isin(*policies)

    def of_policies(table: Table, *order: str) -> tuple[DataFrame, tuple[str, ...]]:
        return warehouse.read(table).where(is_asked), ("policy", *order)

    told = ("member_id", "plan_id", "recorded_on", "reference_year", "death_date", "coverage", *_PROVENANCE)
    frames: list[tuple[DataFrame, tuple[str, ...]]] = [
        (accepted(warehouse.read(ENROLLMENT_ROWS)).select(*told), ("reference_year", "recorded_on", *_PROVENANCE)),
        (_lines(warehouse, chosen), ("service_thru", "claim_id", "line_number")),
        (_claim_rows(warehouse), _PROVENANCE),
        (warehouse.read(CLAIM_COSTS).select("member_id", "paid_amount"), ()),
        (warehouse.read(SECONDARY_PAYER_MONTHS), ()),
        of_policies(MEMBER_MONTH_COSTS, "member_month", "service_category"),
        of_policies(TRUNCATED_COSTS, "member_month", "service_category"),
        of_policies(MEMBER_MONTHS, "member_month"),
        of_policies(ATTRIBUTION, "performance_year"),
        (_initiatives(warehouse), ("performance_year",)),
    ]
    reads = [partial(_rows, frame.where(chosen), order) for frame, order in frames]
    enrollment, lines, claim_rows, claim_costs, secondary, month_costs, truncated, months, attribution, initiatives = (
        each(reads, warehouse.store.at_once)
    )
    has_lines = json.loads(warehouse.run.settings)["source"]["format"] == CSV
    told_months = warehouse.read(TOLD_MONTHS).collect()
    first, last = (number_of(day) for day in told_months[0]) if told_months else (0, -1)
    return {
        member_id: Member(
            member_id=member_id,
            enrollment=Enrollment(enrollment.get(member_id, ()), has_lines, first, last),
            months=months.get(member_id, ()),
            secondary={number_of(row["member_month"]): row["basis"] for row in secondary.get(member_id, ())},
            lines=lines.get(member_id, ()),
            places=_places([r for r in claim_rows.get(member_id, ()) if r["outcome"] == "accepted"], has_lines),
            claim_rows=claim_rows.get(member_id, ()),
            has_lines=has_lines,
            claim_costs=sum((row["paid_amount"] for row in claim_costs.get(member_id, ())), Decimal(0)),
            costs=month_costs.get(member_id, ()),
            truncated=truncated.get(member_id, ()),
            attribution=attribution.get(member_id, ()),
            initiatives=initiatives.get(member_id, ()),
        )
        for member_id in enrollment.keys() | lines.keys() | claim_rows.keys()
    }


def _rows(frame: DataFrame, order: Sequence[str]) -> dict[str, list[Row]]:
    """The rows of each member, in order; what is null goes first."""
    of_members: dict[str, list[Row]] = defaultdict(list)
    for row in frame.collect():
        of_members[row["member_id"]].append(row)

    def place(row: Row) -> list[tuple[bool, Any]]:
        return [(row[name] is not None, row[name]) for name in order]

    return {member_id: sorted(rows, key=place) for member_id, rows in of_members.items()}


def _current_id(warehouse: Published, member_id: str) -> str:
    if MEMBER_ID_CHANGES.name not in warehouse.store.versions:
        return member_id
    changes = warehouse.read(MEMBER_ID_CHANGES).where(F.col("previous_id") == member_id).collect()
    return str(changes[0]["member_id"]) if changes else member_id


def _lines(warehouse: Published, chosen: Column) -> DataFrame:
    """Final lines with the network whose roster each matches."""
    names = (
        "member_id", "claim_id", "line_number", "claim_version", "claim_type", "service_category", "service_from",
        "service_thru", "paid_amount", "is_denied", "primary_payer_code",
    )  # fmt: skip
    own = warehouse.read(FINAL_CLAIM_LINES).where(chosen)
    lines = own.select(*names, *line_ids())
    return with_roster_network(lines, warehouse.read(ROSTER_MATCHES), "service_thru")


def _initiatives(warehouse: Published) -> DataFrame:
    """The list of those whom another initiative has, with the lines of its file."""
    changes = [warehouse.read(MEMBER_ID_CHANGES)] if MEMBER_ID_CHANGES.name in warehouse.store.versions else []
    return accepted(OTHER_INITIATIVES_LIST.rows(warehouse.read(OTHER_INITIATIVES_LIST.bronze), *changes))


def _claim_rows(warehouse: Published) -> DataFrame:
    """The records of lines and of headers, each with the numbers of its lines where it holds several, and its fate."""
    numbers = F.when(F.size("lines") > 0, F.transform("lines", lambda line: line["line_number"]))
    names = (
        "member_id", "claim_id", "line_number", "claim_version", "claim_type", "service_thru", "told_amount", "outcome",
        "reject_reasons", "adjustment", "claim_group", "cancels_claim_id",
    )  # fmt: skip
    return warehouse.read(CLAIM_ROWS).select(*names, numbers.alias("numbers"), *_PROVENANCE)


def _places(claim_rows: Sequence[Row], has_lines: bool) -> dict[LineKey, Place]:
    """The record of each line. A row that holds several lines is the record of each of them."""
    found: dict[LineKey, Place] = {}
    for row in claim_rows:
        for number in row["numbers"] or (None,):
            at = (row["line_number"] or HEADER) if number is None else number
            found[row["claim_id"], at, row["claim_version"]] = place_of(row, has_lines)
    return found
