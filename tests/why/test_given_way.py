"""Every delivered record of a claim is a final line or says to what it gave way."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

from pyspark.sql import Row, SparkSession

from pmpm_spark.model import CLAIM_LINES
from pmpm_spark.reference import SERVICE_CATEGORIES, reference_rows
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.removed_claims import removed_claims
from pmpm_spark.why.given_way import given_way, given_way_section
from tests.tables import frame
from tests.why.people import day, member


def row(claim: str, at: int, outcome: str = "accepted", **told: Any) -> Row:
    """Line 1 of a claim, on line `at` of claims.csv."""
    return Row(
        claim_id=claim,
        line_number=told.get("number", 1),
        claim_version="1",
        claim_type=told.get("type", "professional"),
        service_thru=day(told.get("thru", "2021-05-03")),
        told_amount=Decimal(told.get("amount", "10.00")),
        outcome=outcome,
        reject_reasons=told.get("reasons", []),
        adjustment=told.get("adjustment", "original"),
        claim_group=told.get("group"),
        cancels_claim_id=told.get("removes"),
        _source_file="claims.csv",
        _source_row=at,
    )


def fates(*rows: Row, has_lines: bool = True) -> dict[int, tuple[str, str]]:
    return {of["_source_row"]: fate for of, fate in given_way(rows, has_lines)}


def test_a_version_names_the_claim_that_cancelled_or_replaced_it() -> None:
    assert fates(
        row("c1", 2, group="g"),
        row("c2", 3, group="g", adjustment="cancel", removes="c1"),
        row("c3", 4, group="g", adjustment="replacement"),
        row("c4", 5),
        row("c5", 6, adjustment="replacement", removes="c4"),
    ) == {
        2: ("CANCELLED", "by claim c2"),
        3: ("CANCEL", "removes claim c1"),
        5: ("REPLACED", "by claim c5"),
    }


def test_a_cancel_of_another_group_removes_nothing() -> None:
    cancel = row("c2", 3, group="h", adjustment="cancel", removes="c1")
    assert 2 not in fates(row("c1", 2, group="g"), cancel)
    assert fates(row("c1", 2), cancel)[2] == ("CANCELLED", "by claim c2")


def test_a_row_that_a_later_delivery_replaces_names_the_record_that_counts() -> None:
    rows = (
        row("c1", 2, "superseded"),
        row("c1", 3),
        row("c1", 4, "duplicate"),
        row("c2", 5, "superseded"),
        row("c3", 6, "rejected", reasons=["a", "b"]),
        row("c4", 7, "superseded"),
        row("c4", 8, adjustment="cancel"),
    )
    assert fates(*rows) == {
        2: ("REPLACED", "a later delivery counts: claims.csv line 3"),
        4: ("DUPLICATE", "the same stands in claims.csv line 3"),
        5: ("SUPERSEDED", "no delivery of the claim is final"),
        6: ("REJECTED", "a, b"),
        7: ("CANCELLED", "a later delivery counts: claims.csv line 8"),
        8: ("CANCEL", "removes claim c4"),
    }
    assert fates(*rows, has_lines=False)[2] == ("REPLACED", "a later delivery counts: claims.csv")


def test_people_are_told_an_institutional_claim_once_and_programs_every_row() -> None:
    rows = [row("c1", n, "superseded", type="inpatient", number=n) for n in (1, 2, 3)]
    rows += [row("c2", n, "superseded", number=n, amount=f"{n}.00") for n in (0, 5, 6)]
    rows.append(row("c3", 9, "superseded", thru="2021-06-01"))
    section = given_way_section(member(claim_rows=rows), lambda month: month == day("2021-05-01"))
    assert [told[-1] for told in section.rows] == [1, 2, 3, 0, 5, 6]
    assert [told[-1] for told in section.shown or ()] == [1, 5, 6]


def test_what_gave_way_and_the_final_lines_are_all_accepted_rows(spark: SparkSession) -> None:
    """Six hundred claims in groups, some without, whose versions cancel and replace each other as they like."""
    chance = random.Random(7)
    rows = []
    for at in range(600):
        kind = chance.choice(("original", "original", "cancel", "replacement"))
        block = at // 6 * 6
        removes = f"c{chance.randrange(block, block + 6)}" if kind != "original" and chance.random() < 0.8 else None
        group = chance.choice((f"g{block}", f"h{block}", None))
        rows.append(row(f"c{at}", at, adjustment=kind, removes=removes, group=group))
    names = ("claim_id", "line_number", "claim_version", "member_id", "claim_type", "service_thru", "adjustment")
    lines = [" | ".join([*names, "claim_group", "cancels_claim_id"])]
    for of in rows:
        told = (of["claim_id"], "1", "1", "m", "professional", "2021-05-03", of["adjustment"])
        lines.append(" | ".join([*told, of["claim_group"] or "-", of["cancels_claim_id"] or "-"]))
    categories = reference_rows(SERVICE_CATEGORIES)
    every = frame(spark, CLAIM_LINES, "\n".join(lines))
    final = final_claim_lines(every, removed_claims(every), service_categories=categories)
    stand = {of["claim_id"] for of in final.select("claim_id").collect()}
    gone = defaultdict(set)
    for of, (why, _) in given_way(rows, True):
        gone[why].add(of["claim_id"])
    assert {*gone} == {"CANCEL", "CANCELLED", "REPLACED"}
    assert stand == {of["claim_id"] for of in rows} - set().union(*gone.values())
