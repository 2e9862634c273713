"""Delivered records of a member's claims that do not count: what gave way, and to which record.

Versions are judged by the columns that silver nets by: a version is removed by what names its claim in its group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pmpm_spark.model.claim_lines import INSTITUTIONAL
from pmpm_spark.why.member import Member
from pmpm_spark.why.months import placed
from pmpm_spark.why.records import Place, place_of
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pyspark.sql import Row

CANCELLED, REPLACED, CANCEL = "CANCELLED", "REPLACED", "CANCEL"
Fate = tuple[str, str]
"""Why a record does not count, and what it rests on."""


def given_way_section(member: Member, shown: Callable[[date], bool]) -> Section:
    """Each record of a claim that is no dollar. A record without a day of service is always told."""
    names = (
        "claim_id", "line_number", "claim_version", "service_thru", "told_amount", "gave_way", "because", "file", "row",
    )  # fmt: skip
    rows, for_people, seen = [], [], set()
    for row, fate in given_way(member.claim_rows, member.has_lines):
        if row["service_thru"] is not None and not shown(row["service_thru"].replace(day=1)):
            continue
        own = [row[name] for name in names[:5]]
        told = (*own, *fate, *placed(place_of(row, member.has_lines)))
        rows.append(told)
        # an institutional claim repeats its amount on each of its lines
        of_claim = (own[0], *own[2:], *fate) if row["claim_type"] in INSTITUTIONAL else told
        if row["told_amount"] and of_claim not in seen:
            for_people.append(told)
            seen.add(of_claim)
    return Section(
        "given_way",
        "Records of claims that gave way",
        names,
        rows,
        shown=for_people or rows,
        left_out=" (of 0.00, and further lines of a claim)",
    )


def given_way(claim_rows: Sequence[Row], has_lines: bool) -> list[tuple[Row, Fate]]:
    """The rows that stand in no final line, each with its fate; their order is kept."""
    accepted = [row for row in claim_rows if row["outcome"] == "accepted"]
    removing: dict[str, list[Row]] = {}
    for row in accepted:
        if row["cancels_claim_id"] is not None:
            removing.setdefault(row["cancels_claim_id"], []).append(row)
    standing: dict[tuple[Any, ...], Row] = {}
    for row in accepted:
        for key in ((row["claim_id"],), (row["claim_id"], row["line_number"])):
            standing.setdefault(key, row)

    def fate(row: Row) -> Fate | None:
        if row["outcome"] == "accepted":
            return _of_version(row, removing.get(row["claim_id"], ()))
        if row["outcome"] == "rejected":
            return "REJECTED", ", ".join(row["reject_reasons"])
        stays = standing.get((row["claim_id"], row["line_number"])) or standing.get((row["claim_id"],))
        return _of_row(row, stays, has_lines)

    told = [(row, fate(row)) for row in claim_rows]
    return [(row, found) for row, found in told if found is not None]


def _of_version(row: Row, removing: Iterable[Row]) -> Fate | None:
    if row["adjustment"] == "cancel":
        return CANCEL, f"removes claim {row['cancels_claim_id'] or row['claim_id']}"
    groups = (row["claim_group"], None)
    by = [r for r in removing if row["claim_group"] is None or r["claim_group"] in groups]
    if not by:
        return None
    cancels = [r for r in by if r["adjustment"] == "cancel"]
    return (CANCELLED if cancels else REPLACED), f"by claim {(cancels or by)[0]['claim_id']}"


def _of_row(row: Row, stays: Row | None, has_lines: bool) -> Fate:
    """A duplicate or superseded row: what stays of its claim, where anything does."""
    if stays is None:
        return row["outcome"].upper(), "no delivery of the claim is final"
    at = _said(place_of(stays, has_lines))
    if row["outcome"] == "duplicate":
        return "DUPLICATE", f"the same stands in {at}"
    fate = CANCELLED if stays["adjustment"] == "cancel" else REPLACED
    return fate, f"a later delivery counts: {at}"


def _said(place: Place) -> str:
    return place.file if place.row is None else f"{place.file} line {place.row}"
