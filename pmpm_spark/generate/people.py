"""The generated people: who they are, when and how they are covered, how ill they are, whose patients they are.

A month is a number here, 12 x year + month - 1. What a month of a person is stands as one letter in `cover`:
F Part A and B; D the same in a demonstration that is fee-for-service (HMO code 4); M Medicare Advantage; A Part A only;
B Part B only; - not enrolled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.providers import drawn_practice, network_of
from pmpm_spark.generate.truth import (
    BLOCK,
    NETWORK_PRACTICES,
    NETWORKS,
    OUTSIDE,
    PHYSICIAN_COST,
    PHYSICIAN_RISK,
    PHYSICIANS,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NEVER = 999_999
"""A month that does not come."""
CONDITIONS = {
    "E119": 0.22,
    "I5022": 0.10,
    "J449": 0.11,
    "N184": 0.03,
    "I4891": 0.11,
    "E1122": 0.07,
    "F331": 0.06,
    "C50911": 0.02,
    "I739": 0.08,
    "M069": 0.04,
    "G20": 0.01,
    "D649": 0.08,
}
"""Diagnoses and how common each is at risk 1."""
TIE_EVERY = 40
"""One person in 40 has two equal primary care visits a year, to two practices."""
NO_ENROLLMENT_EVERY = 150
"""One person in 150 has claims and no enrollment."""


def one_in(every: int, place: int, person: Column) -> Column:
    """Rare traits go by the person's number, so that even a small set has some."""
    return person % every == place


def people(spark: SparkSession, draws: Draws, *, members: int, years: tuple[int, int], files: int) -> DataFrame:
    """One row per person. People of one file are neighbours and stay together through everything made from them."""
    first, last = years[0] - 1, years[1]
    window_start, window_months = first * 12, (last - first + 1) * 12
    person = F.col("person")

    def month(name: str) -> Column:
        return draws.below(window_months, name, person) + window_start

    ids = spark.range(0, members, 1, files).select(F.col("id").alias("person"))
    home = drawn_practice(draws, members, "practice", person, F.lit(0))
    home_place = draws.below(PHYSICIANS, "place", person, F.lit(0))
    kinds = {"aged": 785, "joining": 80, "disabled": 115, "renal": 20}
    born = ids.select(
        "person",
        F.when(one_in(97, 5, person), F.concat(F.lit("000"), F.lpad(person.cast("string"), 8, "0")))
        .otherwise(F.concat(F.lit("-2"), F.lpad(person.cast("string"), 9, "0")))
        .alias("member_id"),
        draws.weighted(kinds, "kind of person", person).alias("kind"),
        home.alias("home"),
        home_place.alias("home_place"),
    )
    kind = F.col("kind")
    # the product of two draws: many of 65 to 75, few of 95
    years_over_65 = F.floor(draws.below(31, "age", person) * draws.below(31, "age again", person) / 30)
    age_days = F.when(kind == "aged", (65 + years_over_65) * 365.25 + draws.below(365, "birthday", person)).otherwise(
        (30 + draws.below(34, "age", person)) * 365.25 + draws.below(365, "birthday", person)
    )
    days_in = draws.below((last - first + 1) * 365 - 60, "joins", person) + 30
    window_day = F.make_date(F.lit(first), F.lit(1), F.lit(1))
    birth_date = F.when(kind == "joining", F.add_months(F.date_add(window_day, days_in.cast("int")), -780)).otherwise(
        F.date_sub(window_day, F.floor(age_days).cast("int"))
    )
    is_dual = draws.chance(F.when(kind.isin("disabled", "renal"), 0.45).otherwise(0.16), "dual", person)
    dual_codes = {"02": 50, "01": 12, "03": 10, "04": 8, "05": 2, "06": 6, "08": 12}
    kind_risk = F.when(kind == "renal", 3.0).when(kind == "disabled", 1.1).otherwise(0.9)
    in_block = F.col("home") % BLOCK
    home_network = F.least(F.floor(in_block / NETWORK_PRACTICES), F.lit(OUTSIDE))
    square = in_block % NETWORK_PRACTICES
    placed = born.select(
        "person",
        "member_id",
        "kind",
        birth_date.alias("birth_date"),
        is_dual.alias("is_dual"),
        draws.weighted(dual_codes, "dual code", person).alias("dual_code"),
        (
            draws.lognormal(0.6, "risk", person)
            * F.when(is_dual, kind_risk * 1.35).otherwise(kind_risk)
            * lookup([*[n.risk for n in NETWORKS], 1.0], home_network)
            * lookup(PHYSICIAN_RISK, (square + 2 * F.col("home_place")) % 3)
        ).alias("base_risk"),
    )
    dies = draws.chance(F.least(F.lit(0.04 * (last - first + 1)) * F.col("base_risk"), F.lit(0.7)), "dies", person)
    death_day = draws.below((last - first + 1) * 365, "day of death", person).cast("int")
    turns_65 = month_of(F.add_months("birth_date", 780))
    demographics = placed.select(
        *placed.columns,
        turns_65.alias("turns_65"),
        F.when(dies & (kind != "joining"), F.date_add(window_day, death_day)).alias("death_date"),
        draws.weighted({"1": 45, "2": 55}, "sex", person).alias("sex"),
        draws.weighted({"1": 80, "2": 10, "4": 3, "5": 7}, "race", person).alias("race"),
        draws.below(5, "county", person).alias("county"),
        F.filter(
            F.sequence(F.lit(0), F.lit(len(CONDITIONS) - 1)),
            lambda c: draws.chance(
                F.least(lookup(list(CONDITIONS.values()), c) * F.col("base_risk"), F.lit(0.9)), "condition", person, c
            ),
        ).alias("conditions"),
        draws.chance(0.75, "has Part D", person).alias("has_part_d"),
    )
    dies_in = month_of(F.col("death_date"))
    # one dead person in five is carried on for a while, as files correct late
    lingers = F.when(draws.chance(0.2, "lingers", person), draws.below(3, "lingering", person) + 1).otherwise(0)
    advantage = draws.below(1_000, "advantage", person)
    some_year, some_month = draws.below(last - first + 1, "advantage year", person) + first, month("advantage month")
    gap_from, payer_from = month("gap"), month("other payer")
    return demographics.select(
        *demographics.columns,
        F.when(kind == "joining", F.col("turns_65")).otherwise(0).alias("starts"),
        F.least(
            dies_in + lingers, F.when(one_in(100, 41, person), month("leaves")).otherwise(NEVER)
        ).alias("ends"),
        F.when(one_in(40, 9, person), gap_from).otherwise(NEVER).alias("gap_from"),
        (gap_from + draws.below(5, "gap length", person)).alias("gap_to"),
        F.when(one_in(100, 17, person), NEVER)
        .when(draws.chance(0.025, "late to Part B", person), month("Part B"))
        .otherwise(-1)
        .alias("a_only_to"),
        one_in(150, 27, person).alias("is_b_only"),
        one_in(100, 33, person).alias("is_in_demonstration"),
        F.when(advantage < 80, 0).when(advantage < 150, some_year * 12).when(advantage < 190, some_month)
        .otherwise(NEVER).alias("advantage_from"),
        F.when(advantage < 150, NEVER).otherwise(F.floor(some_month / 12) * 12 + 11).alias("advantage_to"),
        draws.weighted({"C": 80, "1": 15, "A": 5}, "advantage code", person).alias("advantage_code"),
        F.when(kind == "renal", 0).when(draws.chance(0.02, "kidneys", person), month("kidneys fail"))
        .otherwise(NEVER).alias("renal_from"),
        F.when(F.col("is_dual"), F.when(draws.chance(0.3, "dual later", person), month("dual from")).otherwise(0))
        .otherwise(NEVER).alias("dual_from"),
        F.when(draws.chance(0.2, "dual ends", person), month("dual to")).otherwise(NEVER).alias("dual_to"),
        F.when(draws.chance(0.04, "has another payer", person), payer_from).otherwise(NEVER).alias("payer_from"),
        (payer_from + 2 + draws.below(10, "other payer's months", person)).alias("payer_to"),
        draws.one_of(tuple("ABDEFGHILW"), "other payer's code", person).alias("payer_code"),
        one_in(100, 61, person).alias("is_abroad"),
        (~one_in(NO_ENROLLMENT_EVERY, 13, person)).alias("is_enrolled"),
        one_in(TIE_EVERY, 21, person).alias("has_tie"),
    )  # fmt: skip


def member_years(people: DataFrame, draws: Draws, *, members: int, years: tuple[int, int]) -> DataFrame:
    """One row per person and year up to the year of death, the year before the first performance year included."""
    first, last = years[0] - 1, years[1]
    person, year = F.col("person"), F.col("year")
    each = people.select(
        *people.columns, F.explode(F.sequence(F.lit(first).cast("bigint"), F.lit(last).cast("bigint"))).alias("year")
    ).where(F.col("death_date").isNull() | (F.year("death_date") >= F.col("year")))
    # whose patient somebody is holds until the next change
    changed_in = F.coalesce(
        F.array_max(
            F.filter(
                F.sequence(F.lit(first + 1).cast("bigint"), year),
                lambda y: (y <= year) & draws.chance(0.08, "changes practice", person, y),
            )
        ),
        F.lit(0).cast("bigint"),
    )
    assigned = each.select(
        *each.columns, F.when(year > first, changed_in).otherwise(F.lit(0).cast("bigint")).alias("since")
    )
    since = F.col("since")
    with_practice = assigned.select(
        *each.columns,
        drawn_practice(draws, members, "practice", person, since).alias("practice"),
        draws.below(PHYSICIANS, "place", person, since).alias("place"),
    )
    practice, place = F.col("practice"), F.col("place")
    square = practice % BLOCK % NETWORK_PRACTICES
    network = network_of(practice, place, year, years)
    cover = F.array_join(F.transform(F.sequence(F.lit(0), F.lit(11)), lambda m: _cover(year * 12 + m)), "")
    risk = (
        F.col("base_risk")
        * lookup([1 + 0.03 * i for i in range(last - first + 1)], year - first)
        * draws.lognormal(0.2, "risk of the year", person, year)
    )
    told = with_practice.select(
        *each.columns,
        "practice",
        "place",
        network.alias("network"),
        lookup(PHYSICIAN_COST, (square + place) % 3).alias("physician_cost"),
        cover.alias("cover"),
        risk.alias("risk"),
        draws.lognormal(0.7, "luck of the year", person, year).alias("luck"),
    )
    return told.select(
        *[name for name in told.columns if name != "physician_cost"],
        (lookup([*[n.price for n in NETWORKS], 1.0], F.col("network")) * F.col("physician_cost")).alias("price"),
        (lookup([*[n.use for n in NETWORKS], 1.0], F.col("network")) * F.col("risk")).alias("need"),
    )


def month_of(day: Column) -> Column:
    return (F.year(day) * 12 + F.month(day) - 1).cast("bigint")


def has_month(first: str, last: str, month: Column) -> Column:
    return (month >= F.col(first)) & (month <= F.col(last))


def _cover(month: Column) -> Column:
    return (
        F.when((month < F.col("starts")) | (month > F.col("ends")) | has_month("gap_from", "gap_to", month), "-")
        .when(has_month("advantage_from", "advantage_to", month), "M")
        .when(month <= F.col("a_only_to"), "A")
        .when(F.col("is_b_only"), "B")
        .when(F.col("is_in_demonstration"), "D")
        .otherwise("F")
    )
