"""Ids of the deliveries: beneficiary ids that change, claim numbers, and the changes as CCLF9 tells them.

A person's newest id is the member id of the other formats, so that the lists beside the claims are the same. One in
30 has a former id, one in 90 two: such a chain comes step by step for some and all to the newest id for others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.cclf.records import day, record
from pmpm_spark.generate.cclf.schedule import Schedule
from pmpm_spark.generate.draws import Draws
from pmpm_spark.generate.people import one_in

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CHANGES_EVERY, TWICE_EVERY = 30, 90
PLACE = 11
VERSIONS = 3
"""Claim numbers of one bill: its original, what removes it, what replaces it."""
UNMATCHED = 9
"""The version of a cancel whose original never comes."""
TWIN_FROM = 500
"""Another original of a claim's natural key is numbered from here; institutions bill no event so high."""
MOST_PEOPLE, MOST_YEARS = 10_000_000, 10
"""How many a claim number of 13 digits can tell apart."""


def person_of(member_id: Column) -> Column:
    return F.substr(member_id, F.lit(3)).cast("bigint")


def person_of_claim(claim_id: Column) -> Column:
    return F.substr(claim_id, F.lit(3), F.lit(8)).cast("bigint")


def claim_number(digit: int, claim_id: Column, version: Column, *, is_twin: Column | None = None) -> Column:
    """CUR_CLM_UNIQ_ID: 13 digits from kind, person, year, event, bill and version."""
    event = F.substr(claim_id, F.lit(13), F.lit(3)).cast("int")
    bill = F.substr(claim_id, F.lit(16), F.lit(1)).cast("int")
    if is_twin is not None:
        event = event + F.when(is_twin, TWIN_FROM).otherwise(0)
    return F.concat(
        F.lit(str(digit)),
        F.substr(claim_id, F.lit(4), F.lit(7)),
        F.substr(claim_id, F.lit(12), F.lit(1)),
        F.lpad(event.cast("string"), 3, "0"),
        F.when(version == UNMATCHED, version).otherwise(bill * VERSIONS + version).cast("string"),
    )


def first_change(draws: Draws, schedule: Schedule, person: Column) -> Column:
    """The month from which the second id counts."""
    span = schedule.last_regular - schedule.first_month - 11
    return draws.below(span, "new id", person) + schedule.first_month + 3


def second_change(draws: Draws, schedule: Schedule, person: Column) -> Column:
    return first_change(draws, schedule, person) + draws.below(5, "newer id", person) + 2


def id_at(draws: Draws, schedule: Schedule, person: Column, member_id: Column, month: Column) -> Column:
    """The id in use in a month."""
    changes, twice = one_in(CHANGES_EVERY, PLACE, person), one_in(TWICE_EVERY, PLACE, person)
    return (
        F.when(changes & (month < first_change(draws, schedule, person)), _former(person, "A"))
        .when(twice & (month < second_change(draws, schedule, person)), _former(person, "B"))
        .otherwise(member_id)
    )


def id_change_records(members: DataFrame, draws: Draws, schedule: Schedule) -> DataFrame:
    """CCLF9: in each delivery all changes so far."""
    person, month = F.col("person"), F.col("delivery")
    first, second = first_change(draws, schedule, person), second_change(draws, schedule, person)
    twice = one_in(TWICE_EVERY, PLACE, person)
    changed = members.where(one_in(CHANGES_EVERY, PLACE, person)).select(
        "person",
        "member_id",
        first.alias("first"),
        second.alias("second"),
        twice.alias("twice"),
        (F.floor(person / TWICE_EVERY) % 2 == 0).alias("by_step"),
        F.explode(schedule.months_from(first)).alias("delivery"),
    )
    middle = _former(person, "B")
    knows_both = F.col("twice") & (month >= F.col("second"))
    next_id = (
        F.when(~F.col("twice"), F.col("member_id"))
        .when(F.col("by_step") | ~knows_both, middle)
        .otherwise(F.col("member_id"))
    )
    told = F.array(
        F.struct(_former(person, "A").alias("previous"), next_id.alias("current"), F.col("first").alias("since")),
        F.struct(
            F.when(knows_both, middle).alias("previous"),
            F.col("member_id").alias("current"),
            F.col("second").alias("since"),
        ),
    )
    steps = changed.select("delivery", F.explode(told).alias("change")).where("change.previous IS NOT NULL")
    since = F.col("change.since")
    changed_on = F.make_date(F.floor(since / 12).cast("int"), (since % 12 + 1).cast("int"), F.lit(1))
    cells: dict[str, Column | str] = {
        "HICN_MBI_XREF_IND": "M",
        "CRNT_NUM": F.col("change.current"),
        "PRVS_NUM": F.col("change.previous"),
        "PRVS_ID_EFCTV_DT": "2018-04-01",
        "PRVS_ID_OBSLT_DT": day(F.date_sub(changed_on, 1)),
    }
    return steps.select("delivery", record("cclf9", cells).alias("record"))


def _former(person: Column, letter: str) -> Column:
    return F.concat(F.lit("1S"), F.lpad(person.cast("string"), 8, "0"), F.lit(letter))
