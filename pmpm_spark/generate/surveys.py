"""Answers to two surveys, of members and of primary care physicians, whose means by network and wave are planted.

A member answers on 0 to 10, a physician on 1 to 5: a whole number next to the planted mean, as much up as down. So the
mean of many is what is planted (`truth.SURVEYS`) of the networks that they belong to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.frames import union_of
from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.providers import network_of, npi_of, tin_of
from pmpm_spark.generate.truth import (
    MEMBERS_ANSWER,
    MOST_STEPS,
    NETWORKS,
    OUTSIDE,
    PHYSICIANS,
    PHYSICIANS_ANSWER,
    STRANGER,
    SURVEYS,
    WAVES,
    Survey,
    practice_count,
    wave_of,
)
from pmpm_spark.table import small_frame

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COLUMNS = (
    "survey", "wave", "member_id", "physician_npi", "domain", "question", "surveyed_on", "practice_tin", "score",
    "scale_low", "scale_high", "weight",
)  # fmt: skip
_SCALES = {"member": (0, 10, (-2, -1, 0, 1, 2)), "provider": (1, 5, (-1, 0, 1))}
"""Lowest and highest answer, and by how much one is above or below the mean."""


def survey_responses(
    spark: SparkSession, member_years: DataFrame, draws: Draws, *, members: int, years: tuple[int, int], files: int
) -> DataFrame:
    """The list: everybody's answers, and among them rows that cannot be taken or are of nobody."""
    waves = [(year, month) for year in range(years[0], years[1] + 1) for month in WAVES]
    parts = [
        _of_members(member_years, draws, survey, number, waves)
        if survey.respondent == "member"
        else _of_physicians(spark, draws, survey, number, waves, members=members, years=years)
        for number, survey in enumerate(SURVEYS)
    ]
    return union_of([*parts, _faulty(spark, years[1])]).repartition(files, "member_id")


def planted(spark: SparkSession, *, years: tuple[int, int]) -> DataFrame:
    """What is true: the mean of each survey, domain, wave and network (empty for none), on 0 to 100."""
    ids = [*[n.network_id for n in NETWORKS], ""]
    rows = [
        [
            survey.survey,
            survey.respondent,
            survey.domain,
            wave_of(year, month),
            ids[network],
            survey.planted(network, at),
        ]
        for survey in SURVEYS
        for at, (year, month) in enumerate((y, m) for y in range(years[0], years[1] + 1) for m in WAVES)
        for network in range(OUTSIDE + 1)
    ]
    names = ("survey", "respondent", "domain", "wave", "network_id")
    schema = T.StructType([T.StructField(name, T.StringType()) for name in names])
    return small_frame(spark, rows, schema.add("mean_score", T.LongType()))


def _of_members(
    member_years: DataFrame, draws: Draws, survey: Survey, number: int, waves: list[tuple[int, str]]
) -> DataFrame:
    """A third of the members who are covered and alive in the wave's month."""
    asked = _in_waves(member_years, waves)
    day = F.make_date(F.col("year").cast("int"), F.col("month").cast("int"), F.lit(1))
    is_there = F.substr(F.col("cover"), F.col("month").cast("int"), F.lit(1)) != "-"
    is_alive = F.col("death_date").isNull() | (F.col("death_date") > day)
    key = (F.col("person"), F.col("at"))
    answering = asked.where(
        F.col("is_enrolled") & is_there & is_alive & draws.chance(MEMBERS_ANSWER, "answers a survey", *key)
    )
    weight = F.when(draws.chance(0.3, "survey weight", *key), "1.5")
    return _answers(answering, draws, survey, number, F.col("person"), member_id=F.col("member_id"), weight=weight)


def _of_physicians(
    spark: SparkSession,
    draws: Draws,
    survey: Survey,
    number: int,
    waves: list[tuple[int, str]],
    *,
    members: int,
    years: tuple[int, int],
) -> DataFrame:
    """Most physicians of the practices, half of whom tell the tax number under which they answer."""
    everybody = spark.range(0, practice_count(members) * PHYSICIANS, 1, 1).select(
        F.col("id").alias("person"),
        F.floor(F.col("id") / PHYSICIANS).alias("practice"),
        (F.col("id") % PHYSICIANS).alias("place"),
    )
    of_years = everybody.select(
        "*", F.explode(F.array(*[F.lit(year).cast("bigint") for year in sorted({y for y, _ in waves})])).alias("year")
    )
    practice, place = F.col("practice"), F.col("place")
    placed = of_years.withColumn("network", network_of(practice, place, F.col("year"), years))
    key = (F.col("person"), F.col("at"))
    asked = _in_waves(placed, waves)
    answering = asked.where(draws.chance(PHYSICIANS_ANSWER, "a physician answers", *key))
    day = F.concat(F.col("year").cast("string"), F.lit("-"), F.col("month"), F.lit("-15"))
    tin = F.when(draws.chance(0.5, "tells tax number", *key), tin_of(practice))
    return _answers(
        answering, draws, survey, number, F.col("person"), physician_npi=npi_of(practice, place), surveyed_on=day,
        practice_tin=tin,
    )  # fmt: skip


def _in_waves(rows: DataFrame, waves: list[tuple[int, str]]) -> DataFrame:
    """A row for each wave of the row's year: its month, and its number `at` among all waves."""
    first = waves[0][0]
    months = F.array(*[F.struct(F.lit(n).alias("n"), F.lit(month).alias("month")) for n, month in enumerate(WAVES)])
    of_year = rows.where(F.col("year").between(first, waves[-1][0])).select("*", F.explode(months).alias("of_wave"))
    at = (F.col("year") - first) * len(WAVES) + F.col("of_wave.n")
    return of_year.select("*", F.col("of_wave.month").alias("month"), at.cast("bigint").alias("at")).drop("of_wave")


def _answers(asked: DataFrame, draws: Draws, survey: Survey, number: int, person: Column, **told: Column) -> DataFrame:
    """The rows of the list: an answer of everybody, around the mean of the network."""
    low, high, around = _SCALES[survey.respondent]
    key = (person, F.col("at"), F.lit(number))
    steps = F.least(F.col("at"), F.lit(MOST_STEPS).cast("bigint"))
    mean = lookup(list(survey.scores), F.col("network")) + lookup(list(survey.steps), F.col("network")) * steps
    expected = F.lit(float(low)) + mean.cast("double") * ((high - low) / 100)
    score = draws.count(expected, f"{survey.respondent} score", *key) + draws.one_of(
        around, f"{survey.respondent} above or below", *key
    )
    values = {
        "survey": F.lit(survey.survey),
        "wave": F.concat(F.col("year").cast("string"), F.lit("-"), F.col("month")),
        "domain": F.lit(survey.domain),
        "score": score,
        "scale_low": F.lit(low),
        "scale_high": F.lit(high),
        **told,
    }
    nothing = F.lit(None)
    return asked.select(*[values.get(name, nothing).cast("string").alias(name) for name in COLUMNS])


def _faulty(spark: SparkSession, year: int) -> DataFrame:
    """Somebody whom nobody knows, who answers twice; and a row for each thing that is rejected."""
    wave = wave_of(year, WAVES[-1])
    head: dict[str, str | None] = {
        "survey": SURVEYS[0].survey,
        "domain": SURVEYS[0].domain,
        "wave": wave,
        "member_id": STRANGER,
    }
    head |= {"scale_low": "0", "scale_high": "10", "score": "5"}
    rows = [
        head,
        head,  # once more: a duplicate
        head | {"domain": SURVEYS[1].domain},
        head | {"domain": SURVEYS[1].domain, "score": "6"},  # the one that counts
        head | {"score": "11"},
        head | {"wave": None},
        head | {"member_id": None},
        head | {"physician_npi": "9900000000"},
    ]
    schema = T.StructType([T.StructField(name, T.StringType()) for name in COLUMNS])
    return small_frame(spark, [[row.get(name) for name in COLUMNS] for row in rows], schema)
