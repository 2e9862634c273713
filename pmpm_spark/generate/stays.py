"""Hospital stays whose place in measures of readmission is known: people of their own, with nothing else to them.

Each of PEOPLE shows one rule, by day of the last performance year. What becomes of their stays (`STAYS`) and of the
episodes made of these (`EPISODES`) is written down, not computed. They belong to nobody: no visit attributes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.generate.draws import Draws
from pmpm_spark.generate.enrollment import beneficiary_rows
from pmpm_spark.generate.institutional import inpatient_bills, institutional_rows
from pmpm_spark.generate.people import NEVER
from pmpm_spark.generate.rif import rif_day
from pmpm_spark.table import small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROOM = 200
"""Their numbers follow those of all others, from a multiple of it on: no rare trait goes by them."""
FIRST, SECOND, REHABILITATION = "410011", "410012", "413025"
"""Two acute hospitals of no network, and one that is not acute."""
PLANNED_DRG, DRG = "470", "291"
"""A hip is replaced; a heart fails."""
HWR, PCR = "hwr_like", "pcr_like"


@dataclass(frozen=True)
class Bill:
    """A hospital's bill: days as month and day, `admitted` where it is not the first of them."""

    first: str
    last: str
    ccn: str = FIRST
    status: str = "01"
    drg: str = DRG
    part: int = 0
    admitted: str = ""
    is_observation: bool = False


@dataclass(frozen=True)
class Person:
    """One person: what is shown, the bills, and from and to when there is somebody to bill for."""

    shows: str
    bills: tuple[Bill, ...]
    age: int = 75
    dies: str = ""
    joins_late: bool = False


PEOPLE = (
    Person("readmitted within 30 days", (Bill("02-01", "02-05"), Bill("02-20", "02-24"))),
    Person(
        "a transfer on the same day, and a readmission on day 30",
        (Bill("03-01", "03-04", status="02"), Bill("03-04", "03-10", SECOND), Bill("04-09", "04-12")),
    ),
    Person(
        "an interim bill and its last, and a stay on day 31",
        (
            Bill("05-01", "05-31", status="30", part=1),
            Bill("06-01", "06-08", part=2, admitted="05-01"),
            Bill("07-09", "07-11"),
        ),
    ),
    Person(
        "a stay of a day, and death in the next",
        (Bill("08-01", "08-01"), Bill("08-10", "08-15", status="20")),
        dies="08-15",
    ),
    Person("observation first", (Bill("09-01", "09-03", is_observation=True), Bill("09-20", "09-22"))),
    Person("under 65", (Bill("10-01", "10-04"),), age=60),
    Person("a planned stay follows", (Bill("06-01", "06-05"), Bill("06-20", "06-23", SECOND, drg=PLANNED_DRG))),
    Person("left against advice", (Bill("04-01", "04-03", status="07"), Bill("04-10", "04-12"))),
    Person("back at the same hospital on the day", (Bill("03-01", "03-05"), Bill("03-05", "03-09"))),
    Person("an interim bill without its last", (Bill("11-01", "11-15", status="30", part=1),)),
    Person("two stays overlap", (Bill("05-01", "05-10"), Bill("05-08", "05-12", SECOND))),
    Person("discharged before admitted", (Bill("05-01", "05-05", admitted="05-10"),)),
    Person("no coverage the year before", (Bill("03-01", "03-04"),), joins_late=True),
    Person("rehabilitation is no acute stay", (Bill("02-01", "02-05"), Bill("02-05", "02-20", REHABILITATION))),
)

STAYS = (
    (0, FIRST, "02-01", "02-05", "01"),
    (0, FIRST, "02-20", "02-24", "01"),
    (1, FIRST, "03-01", "03-04", "02"),
    (1, SECOND, "03-04", "03-10", "01"),
    (1, FIRST, "04-09", "04-12", "01"),
    (2, FIRST, "05-01", "06-08", "01"),
    (2, FIRST, "07-09", "07-11", "01"),
    (3, FIRST, "08-01", "08-01", "01"),
    (3, FIRST, "08-10", "08-15", "20"),
    (4, FIRST, "09-20", "09-22", "01"),
    (5, FIRST, "10-01", "10-04", "01"),
    (6, FIRST, "06-01", "06-05", "01"),
    (6, SECOND, "06-20", "06-23", "01"),
    (7, FIRST, "04-01", "04-03", "07"),
    (7, FIRST, "04-10", "04-12", "01"),
    (8, FIRST, "03-01", "03-09", "01"),
    (9, FIRST, "11-01", "11-15", "30"),
    (10, FIRST, "05-01", "05-10", "01"),
    (10, SECOND, "05-08", "05-12", "01"),
    (12, FIRST, "03-01", "03-04", "01"),
    (13, FIRST, "02-01", "02-05", "01"),
    (13, REHABILITATION, "02-05", "02-20", "01"),
)
"""Person, hospital, first and last day, status. Whoever was discharged before being admitted has none."""

INDEX, READMITTED, READMITTED_UNLESS_PLANNED = "index", "readmitted", "readmitted unless 470 is planned"
EPISODES = (
    (HWR, 0, "02-01", "02-05", READMITTED),
    (HWR, 0, "02-20", "02-24", INDEX),
    (HWR, 1, "03-01", "03-10", READMITTED),
    (HWR, 1, "04-09", "04-12", INDEX),
    (HWR, 2, "05-01", "06-08", INDEX),
    (HWR, 2, "07-09", "07-11", INDEX),
    (HWR, 3, "08-01", "08-01", READMITTED),
    (HWR, 3, "08-10", "08-15", "DIED"),
    (HWR, 4, "09-20", "09-22", INDEX),
    (HWR, 5, "10-01", "10-04", "UNDER_65"),
    (HWR, 6, "06-01", "06-05", READMITTED_UNLESS_PLANNED),
    (HWR, 6, "06-20", "06-23", INDEX),
    (HWR, 7, "04-01", "04-03", "LEFT_AGAINST_ADVICE"),
    (HWR, 7, "04-10", "04-12", INDEX),
    (HWR, 8, "03-01", "03-09", INDEX),
    (HWR, 9, "11-01", "11-15", "STILL_PATIENT"),
    (HWR, 10, "05-01", "05-12", INDEX),
    (HWR, 12, "03-01", "03-04", "NO_PART_A"),
    (HWR, 13, "02-01", "02-05", INDEX),
    (PCR, 0, "02-01", "02-05", READMITTED),
    (PCR, 0, "02-20", "02-24", INDEX),
    (PCR, 1, "03-01", "03-10", READMITTED),
    (PCR, 1, "04-09", "04-12", INDEX),
    (PCR, 2, "05-01", "06-08", INDEX),
    (PCR, 2, "07-09", "07-11", INDEX),
    (PCR, 3, "08-01", "08-01", "SAME_DAY"),
    (PCR, 3, "08-10", "08-15", "DIED"),
    (PCR, 4, "09-01", "09-03", READMITTED),
    (PCR, 4, "09-20", "09-22", INDEX),
    (PCR, 5, "10-01", "10-04", INDEX),
    (PCR, 6, "06-01", "06-05", READMITTED_UNLESS_PLANNED),
    (PCR, 6, "06-20", "06-23", INDEX),
    (PCR, 7, "04-01", "04-03", READMITTED),
    (PCR, 7, "04-10", "04-12", INDEX),
    (PCR, 8, "03-01", "03-09", INDEX),
    (PCR, 9, "11-01", "11-15", "STILL_PATIENT"),
    (PCR, 10, "05-01", "05-12", INDEX),
    (PCR, 12, "03-01", "03-04", "NOT_ENROLLED"),
    (PCR, 13, "02-01", "02-05", INDEX),
)
"""Definition, person, first and last day; whether it is an index and readmitted, or why it is no index."""


class _Steady(Draws):
    """Nothing happens by chance: no other version, denial or copy of a bill, the last of what can be chosen from."""

    def below(self, limit: int | Column, name: str, *ids: Column) -> Column:
        return (F.lit(limit) - 1).cast("bigint")

    def chance(self, probability: float | Column, name: str, *ids: Column) -> Column:
        return F.lit(False)


def planted_member_id(members: int, person: int) -> str:
    return f"-2{_number(members, person):09d}"


def planted_people(spark: SparkSession, *, members: int) -> DataFrame:
    """person and member_id."""
    rows = [[_number(members, n), planted_member_id(members, n)] for n in range(len(PEOPLE))]
    schema = T.StructType([T.StructField("person", T.LongType()), T.StructField("member_id", T.StringType())])
    return small_frame(spark, rows, schema)


def planted_beneficiaries(spark: SparkSession, *, members: int, years: tuple[int, int]) -> DataFrame:
    """Their beneficiary rows of all years."""
    rows = []
    for n, person in enumerate(PEOPLE):
        for year in range(years[1] if person.joins_late else years[0] - 1, years[1] + 1):
            dies = _day(years[1], person.dies) if person.dies else None
            covered = dies.month if dies and year == years[1] else 12
            rows.append(
                {
                    **_known(members, n, years[1] if dies else None),
                    "year": year,
                    "kind": "aged" if person.age >= 65 else "disabled",
                    "birth_date": date(years[1] - person.age, 1, 15),
                    "turns_65": (years[1] - person.age + 65) * 12,
                    "cover": "F" * covered + "-" * (12 - covered),
                }
            )
    nothing = F.lit(False)
    member_years = _frame(spark, rows).withColumns(
        {
            "sex": F.when(F.col("person") % 2 == 0, "1").otherwise("2"),
            "race": F.lit("1"),
            "county": F.lit(0).cast("bigint"),
            "is_dual": nothing,
            "dual_code": F.lit("02"),
            "has_part_d": nothing,
            "is_abroad": nothing,
            "is_enrolled": F.lit(True),
            "advantage_code": F.lit("C"),
            **{name: F.lit(NEVER).cast("bigint") for name in ("renal_from", "dual_from", "dual_to")},
        }
    )
    return beneficiary_rows(member_years, _Steady(0))


def planted_claims(spark: SparkSession, *, members: int, years: tuple[int, int]) -> dict[str, DataFrame]:
    """The rows of their bills: inpatient, and outpatient of observation."""
    year = years[1]
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for n, person in enumerate(PEOPLE):
        for at, bill in enumerate(person.bills):
            first, last = _day(year, bill.first), _day(year, bill.last)
            rows[bill.is_observation].append(
                {
                    **_known(members, n, year if person.dies else None),
                    "year": year,
                    # the bills of a stay are parts of one event; the first event of a year has rows that cannot be read
                    "n": 2 + at - (bill.part == 2),
                    "part": bill.part,
                    "service_from": first,
                    "service_thru": last,
                    "happened_on": _day(year, bill.admitted) if bill.admitted else first,
                    "discharged_on": last,
                    "processed_on": last + timedelta(days=32 - last.weekday()),
                    "ccn": bill.ccn,
                    "discharge_status": bill.status,
                    "frequency": {0: "1", 1: "2", 2: "4"}[bill.part],
                    "drg": bill.drg,
                    "pay": 900_000 if bill.drg == DRG else 1_400_000,
                }
            )
    inpatient = _as_claims(_frame(spark, rows[False]), "1", "1")
    stays = inpatient.withColumns({"hospital": F.lit(2).cast("bigint"), "is_emergency": F.lit(False)})
    observation = _as_claims(_frame(spark, rows[True]).withColumn("pay", F.lit(120_000).cast("bigint")), "1", "3")
    is_total = F.col("line") == F.col("lines")
    cells: dict[str, Column | str] = {
        "REV_CNTR": F.when(is_total, "0001").otherwise("0762"),
        "REV_CNTR_DT": rif_day(F.col("service_from")),
        "HCPCS_CD": F.when(~is_total, "G0378"),
        "REV_CNTR_STUS_IND_CD": "4",
    }
    draws = _Steady(0)
    return {
        "inpatient": inpatient_bills(stays, draws),
        "outpatient": institutional_rows(observation, draws, "outpatient", "40", cells),
    }


def known_stays(spark: SparkSession, *, members: int, years: tuple[int, int]) -> DataFrame:
    """The stays that the bills make."""
    names = ("member_id", "facility_ccn", "first_day", "last_day", "discharge_status")
    rows = [
        [planted_member_id(members, n), ccn, *[_day(years[1], d).isoformat() for d in (first, last)], status]
        for n, ccn, first, last, status in STAYS
    ]
    return small_frame(spark, rows, T.StructType([T.StructField(name, T.StringType()) for name in names]))


def known_episodes(spark: SparkSession, *, members: int, years: tuple[int, int]) -> DataFrame:
    """What each definition of a readmission makes of them: `not_index_reason` is empty for an index; readmitted, and so
    where DRG 470 is supplied as planned."""
    names = ("definition", "member_id", "shows", "first_day", "last_day", "not_index_reason")
    rows = []
    for definition, n, first, last, answer in EPISODES:
        is_index = answer in (INDEX, READMITTED, READMITTED_UNLESS_PLANNED)
        days = [_day(years[1], day).isoformat() for day in (first, last)]
        head = [definition, planted_member_id(members, n), PEOPLE[n].shows, *days, "" if is_index else answer]
        rows.append([*head, answer in (READMITTED, READMITTED_UNLESS_PLANNED), answer == READMITTED])
    schema = T.StructType([T.StructField(name, T.StringType()) for name in names])
    for name in ("is_readmitted", "is_readmitted_with_planned"):
        schema = schema.add(name, T.BooleanType())
    return small_frame(spark, rows, schema)


def _number(members: int, person: int) -> int:
    return (members // ROOM + 1) * ROOM + person


def _day(year: int, month_and_day: str) -> date:
    return date.fromisoformat(f"{year}-{month_and_day}")


def _known(members: int, person: int, dies_in: int | None) -> dict[str, Any]:
    """What is known of a person on every row."""
    dies = PEOPLE[person].dies
    return {
        "person": _number(members, person),
        "member_id": planted_member_id(members, person),
        "death_date": _day(dies_in, dies) if dies_in else None,
    }


_TYPES: dict[type, T.DataType] = {int: T.LongType(), str: T.StringType(), date: T.DateType()}


def _frame(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """The rows as told, each column of the type of its first value."""
    names = list(rows[0])
    told = {name: next((row[name] for row in rows if row[name] is not None), date.min) for name in names}
    schema = T.StructType([T.StructField(name, _TYPES[type(value)]) for name, value in told.items()])
    return small_frame(spark, [[row[name] for name in names] for row in rows], schema)


def _as_claims(bills: DataFrame, facility_type: str, classification: str) -> DataFrame:
    """With what every claim frame of an institution has (`institutional`)."""
    none = F.lit(0).cast("bigint")
    return bills.withColumns(
        {
            "lines": F.lit(2).cast("bigint"),
            "npi": F.concat(F.lit("96"), F.col("ccn"), F.lit("00")),
            "facility_type": F.lit(facility_type),
            "classification": F.lit(classification),
            "conditions": F.array(F.lit(1)),
            "practice": none,
            "place": none,
            "payer_from": F.lit(NEVER).cast("bigint"),
            "payer_to": F.lit(NEVER).cast("bigint"),
            "payer_code": F.lit("A"),
        }
    )
