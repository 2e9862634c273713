"""Scores of surveys by hand, and hundreds of drawn answers against plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from math import exp, floor, lgamma, pi, sqrt
from statistics import mean, stdev
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark.gold.experience_scores import EXPERIENCE_SCORES, experience_scores, t_975
from pmpm_spark.model import NETWORK_ROSTER, SURVEY_RESPONSES
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import ATTRIBUTION, UNATTRIBUTED
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.table import Table, conform
from tests.tables import assert_table, frame

POLICY = Policy("p")
ANSWER: dict[str, Any] = {
    "survey": "S", "wave": "2021-1", "member_id": "", "physician_npi": "", "domain": "care", "question": "",
    "performance_year": 2021, "surveyed_on": date(2021, 12, 31), "practice_tin": "", "scale_low": 0, "scale_high": 10,
    "weight": 1,
}  # fmt: skip


def rows_of(spark: SparkSession, table: Table, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """A frame typed by the contract; what a row does not tell is null."""
    names = {c.name: str(c.type) for c in table.columns}
    assert all(set(row) <= set(names) for row in rows)
    values = [
        tuple(
            Decimal(row[n]) if names[n].startswith("Decimal") and row.get(n) is not None else row.get(n) for n in names
        )
        for row in rows
    ]
    from pyspark.sql import types as T

    return spark.createDataFrame(values, T.StructType([T.StructField(c.name, c.type) for c in table.columns]))


def built(
    spark: SparkSession,
    answers: Sequence[dict[str, Any]],
    attribution: str | Sequence[dict[str, Any]] = (),
    roster: str = "network_id | tin | npi | ccn | start_date | end_date",
    services: str = "service_date | tin | npi",
    policies: Sequence[Policy] = (POLICY,),
    years: Sequence[int] = (2020, 2021, 2022),
) -> DataFrame:
    whose = (
        frame(spark, ATTRIBUTION, attribution)
        if isinstance(attribution, str)
        else rows_of(spark, ATTRIBUTION, attribution)
    )
    return experience_scores(
        rows_of(spark, SURVEY_RESPONSES, [ANSWER | answer for answer in answers]),
        whose,
        frame(spark, NETWORK_ROSTER, roster),
        frame(spark, PRIMARY_CARE_SERVICES, services),
        policies=policies,
        performance_years=years,
    )


def table_of(found: DataFrame, *, level: str = "network") -> dict[tuple[Any, ...], Any]:
    rows = conform(found, EXPERIENCE_SCORES).where(F.col("level") == level).collect()
    by_key = {tuple(row[name] for name in EXPERIENCE_SCORES.key): row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


WHOSE = """
    policy | performance_year | member_id | network_id   | physician_npi
    p      | 2021             | m1        | N1           | 11
    p      | 2021             | m2        | N1           | 11
    p      | 2021             | m3        | N1           | 12
    p      | 2021             | m4        | N2           | UNATTRIBUTED
    p      | 2021             | m5        | UNATTRIBUTED | UNATTRIBUTED
    p      | 2022             | m1        | N2           | 21
    other  | 2021             | m1        | N9           | 91
"""


def test_members_count_for_their_network_and_physician_of_the_year(spark: SparkSession) -> None:
    scores = {"m1": 8, "m2": 10, "m3": 6, "m4": 5, "m5": 4, "nobody": 2}
    answers = [{"member_id": member, "score": score} for member, score in scores.items()]
    answers.append({"member_id": "m1", "score": 9, "wave": "2022-1", "performance_year": 2022})
    # N1: 80, 100, 60 of 100; deviation 20, its error 20 / root of 3, t of 2 degrees 4.302653
    assert_table(
        built(spark, answers, WHOSE),
        EXPERIENCE_SCORES,
        spark,
        """
        performance_year | network_id   | physician_npi | level     | wave   | responses | respondents | mean_score | is_small_cell
        2021             | N1           | ''            | network   | 2021-1 | 3         | 3           | 80         | true
        2021             | N1           | 11            | physician | 2021-1 | 2         | 2           | 90         | true
        2021             | N1           | 12            | physician | 2021-1 | 1         | 1           | 60         | true
        2021             | N2           | ''            | network   | 2021-1 | 1         | 1           | 50         | true
        2021             | N2           | UNATTRIBUTED  | physician | 2021-1 | 1         | 1           | 50         | true
        2021             | UNATTRIBUTED | ''            | network   | 2021-1 | 2         | 2           | 30         | true
        2021             | UNATTRIBUTED | UNATTRIBUTED  | physician | 2021-1 | 2         | 2           | 30         | true
        2022             | N2           | ''            | network   | 2022-1 | 1         | 1           | 90         | true
        2022             | N2           | 21            | physician | 2022-1 | 1         | 1           | 90         | true
        """,
    )
    found = table_of(built(spark, answers, WHOSE))
    three = found["p", 2021, "N1", "", "S", "member", "care", "2021-1"]
    assert three["mean_score_low"] == pytest.approx(80 - 4.302653 * 20 / sqrt(3))
    assert three["mean_score_high"] == 100  # 129.7: no score is above its scale
    assert (three["prior_wave"], three["change"]) == (None, None)


def test_one_respondent_and_equal_answers_have_no_interval(spark: SparkSession) -> None:
    answers = [
        {"member_id": "m1", "score": 7},
        *[{"member_id": f"m{n}", "score": 10, "domain": "access"} for n in (1, 2, 3)],
    ]
    found = table_of(built(spark, answers, WHOSE))
    for domain, n, score in (("care", 1, 70), ("access", 3, 100)):
        row = found["p", 2021, "N1", "", "S", "member", domain, "2021-1"]
        assert (row["respondents"], row["mean_score"]) == (n, score)
        assert (row["mean_score_low"], row["mean_score_high"]) == (None, None)


def test_a_wave_is_held_against_the_one_before_of_the_same_row(spark: SparkSession) -> None:
    before = [{"member_id": f"m{n}", "score": s, "wave": "2021-1"} for n, s in ((1, 6), (2, 7), (3, 8))]
    now = [{"member_id": f"m{n}", "score": s, "wave": "2021-3"} for n, s in ((1, 9), (2, 9), (3, 6))]
    other = [{"member_id": "m4", "score": 3, "wave": "2021-2"}]  # another network's wave lies between
    found = table_of(built(spark, [*before, *now, *other], WHOSE))
    row = found["p", 2021, "N1", "", "S", "member", "care", "2021-3"]
    # variances of the means: 100 / 3 and 300 / 3; Welch 133.33^2 / (33.33^2 / 2 + 100^2 / 2) = 3.2: t of 3 degrees
    assert (row["prior_wave"], row["change"]) == ("2021-1", pytest.approx(10))
    assert row["change_high"] - row["change"] == pytest.approx(3.182446 * sqrt(400 / 3))
    assert row["change"] - row["change_low"] == pytest.approx(3.182446 * sqrt(400 / 3))
    assert found["p", 2021, "N2", "", "S", "member", "care", "2021-2"]["prior_wave"] is None


def test_a_change_has_no_interval_where_one_wave_has_none(spark: SparkSession) -> None:
    answers = [{"member_id": "m1", "score": 6, "wave": "2021-1"}]
    answers += [{"member_id": f"m{n}", "score": 6 + n, "wave": "2021-2"} for n in (1, 2, 3)]
    row = table_of(built(spark, answers, WHOSE))["p", 2021, "N1", "", "S", "member", "care", "2021-2"]
    assert (row["change"], row["change_low"], row["change_high"]) == (pytest.approx(20), None, None)


def test_questions_of_a_domain_are_one_respondent(spark: SparkSession) -> None:
    """m1 answers 4 of 1-5 and 9 of 0-10: 75 and 90 of 100, 82.5; by their weights of 2 and 1, 80."""
    answers = [
        {"member_id": "m1", "question": "a", "score": 4, "scale_low": 1, "scale_high": 5, "weight": 2},
        {"member_id": "m1", "question": "b", "score": 9},
        {"member_id": "m2", "question": "a", "score": 5, "weight": "0.5"},
    ]
    row = table_of(built(spark, answers, WHOSE))["p", 2021, "N1", "", "S", "member", "care", "2021-1"]
    assert (row["responses"], row["respondents"]) == (3, 2)
    assert row["mean_score"] == pytest.approx((1.5 * 80 + 0.5 * 50) / 2)  # m1 weighs 1.5, the mean of 2 and 1
    # 2 / 1 x ((1.5 x 7.5)^2 + (0.5 x 22.5)^2) / 2^2
    assert row["mean_score_low"] == pytest.approx(max(0, 72.5 - 12.706205 * sqrt(2 * 2 * 11.25**2 / 4)))


ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date
    N1         | t1  | ''  | ''  | 2019-01-01 | 2021-06-30
    N2         | t1  | ''  | ''  | 2021-07-01 | 9999-12-31
    N3         | t3  | 93  | ''  | 2019-01-01 | 9999-12-31
    N4         | ''  | 94  | ''  | 2019-01-01 | 9999-12-31
    N5         | t5  | ''  | ''  | 2019-01-01 | 9999-12-31
    N4         | t5  | ''  | ''  | 2019-01-01 | 9999-12-31
"""
SERVICES = """
    service_date | tin | npi
    2021-03-01   | t1  | 91
    2020-03-01   | t5  | 91
    2021-03-01   | t5  | 95
    2021-03-01   | t9  | 96
"""


@pytest.mark.parametrize(
    ("npi", "tin", "day", "network"),
    [
        ("91", "", "2021-06-30", "N1"),  # by the tax number that he billed under in the year
        ("91", "", "2021-07-01", "N2"),  # which is another network's the day after
        ("91", "t5", "2021-07-01", "N4"),  # the one that is told counts alone; two networks have it, the lowest is his
        ("93", "", "2021-01-01", "N3"),  # by his own row, whose tax number he does not tell
        ("93", "t9", "2021-01-01", UNATTRIBUTED),  # under another one he is not on it
        ("94", "t9", "2021-01-01", "N4"),  # a row without one has him under any
        ("96", "", "2021-01-01", UNATTRIBUTED),
        ("unknown", "", "2021-01-01", UNATTRIBUTED),
    ],
)
def test_physicians_count_for_the_network_whose_roster_has_them_on_the_day(
    spark: SparkSession, npi: str, tin: str, day: str, network: str
) -> None:
    answer = {"physician_npi": npi, "practice_tin": tin, "surveyed_on": date.fromisoformat(day), "score": 5}
    found = conform(built(spark, [answer], roster=ROSTER, services=SERVICES), EXPERIENCE_SCORES).collect()
    (row,) = found  # of a physician's own answer there is no row of physicians
    assert (row["network_id"], row["physician_npi"], row["respondent"], row["level"]) == (
        network, "", "provider", "network",
    )  # fmt: skip
    assert (row["respondents"], row["mean_score"]) == (1, 50)


def test_members_and_physicians_of_one_survey_stay_apart_and_every_policy_has_its_rows(spark: SparkSession) -> None:
    answers = [{"member_id": "m1", "score": 8}, {"physician_npi": "91", "score": 2}]
    rows = built(spark, answers, WHOSE, ROSTER, SERVICES, policies=(POLICY, Policy("other")), years=(2021,))
    found = {key[0:3] + key[5:6]: row["mean_score"] for key, row in table_of(rows).items()}
    assert found == {
        ("p", 2021, "N1", "member"): 80,
        ("other", 2021, "N9", "member"): 80,
        ("p", 2021, "N2", "provider"): 20,
        ("other", 2021, "N2", "provider"): 20,
    }


def test_years_outside_the_run_have_no_rows(spark: SparkSession) -> None:
    answers = [{"member_id": "m1", "score": 8}]
    assert built(spark, answers, WHOSE, years=(2022,)).count() == 0
    assert built(spark, [], WHOSE).count() == 0


@cache
def _t(freedom: int) -> float:
    """Where the integral of the density of Student's t reaches 97.5%, by bisection."""
    share = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(freedom * pi)

    def below(end: float) -> float:
        steps = 4_000
        width = end / steps
        heights = [share * (1 + (n * width) ** 2 / freedom) ** (-(freedom + 1) / 2) for n in range(steps + 1)]
        return 0.5 + width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))

    low, high = 1.9, 13.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < 0.975 else (low, middle)
    return low


def test_the_quantiles_are_those_of_student(spark: SparkSession) -> None:
    degrees = [1, 2, 3, 5, 10, 17, 29, 30, 31, 40, 100, 1_000]
    frame_of = spark.createDataFrame([(n,) for n in degrees], "n bigint")
    found = {row["n"]: row["t"] for row in frame_of.select("n", t_975(F.col("n")).alias("t")).collect()}
    assert found == {n: pytest.approx(_t(n), abs=3e-6) for n in degrees}
    assert spark.createDataFrame([(0,)], "n bigint").select(t_975(F.col("n")).alias("t")).collect()[0]["t"] is None


def drawn(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Hundreds of answers of a few waves, with weights and scales of all kinds, and whose the members are."""
    draw = random.Random(seed)
    attribution = [
        {
            "policy": policy, "performance_year": year, "member_id": f"m{n}",
            "network_id": draw.choice(("N1", "N2", UNATTRIBUTED)), "physician_npi": draw.choice(("1", "2", UNATTRIBUTED)),
        }
        for policy in ("p", "q") for year in (2020, 2021) for n in range(80) if draw.random() < 0.9
    ]  # fmt: skip
    answers, seen = [], set()
    for _ in range(900):
        low = draw.choice((0, 1, -2))
        high = low + draw.choice((1, 4, 10, 6))
        year = draw.choice((2020, 2021))
        key = (
            f"m{draw.randrange(90)}",
            f"{year}-{draw.choice('123')}",
            draw.choice(("care", "access")),
            draw.choice("ab"),
        )
        if key not in seen:
            seen.add(key)
            answers.append({
                "member_id": key[0], "wave": key[1], "domain": key[2], "question": key[3], "performance_year": year,
                "scale_low": low, "scale_high": high, "score": draw.randint(low, high),
                "weight": draw.choice(("1", "1", "0.25", "13.5")),
            })  # fmt: skip
    return answers, attribution


def test_drawn_answers_equal_plain_python(spark: SparkSession) -> None:
    answers, attribution = drawn(11)
    found = conform(
        built(spark, answers, attribution, policies=(Policy("p"), Policy("q")), years=(2020, 2021)), EXPERIENCE_SCORES
    ).collect()
    whose = {(a["policy"], a["performance_year"], a["member_id"]): a for a in attribution}
    people: dict[tuple[Any, ...], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        value = 100 * (answer["score"] - answer["scale_low"]) / (answer["scale_high"] - answer["scale_low"])
        for policy in ("p", "q"):
            told = whose.get((policy, answer["performance_year"], answer["member_id"]), {})
            network, physician = (told.get(name, UNATTRIBUTED) for name in ("network_id", "physician_npi"))
            for npi in ("", physician):
                key = (policy, network, npi, answer["domain"], answer["wave"])
                people[key][answer["member_id"]].append((value, float(answer["weight"])))
    wanted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for key, of in people.items():
        values = [sum(v * w for v, w in told) / sum(w for _, w in told) for told in of.values()]
        weights = [mean(w for _, w in told) for told in of.values()]
        n, total = len(values), sum(weights)
        score = sum(v * w for v, w in zip(values, weights, strict=True)) / total
        squares = sum((w * (v - score)) ** 2 for v, w in zip(values, weights, strict=True))
        variance = None if n < 2 or squares < 1e-9 else n / (n - 1) * squares / total**2
        wanted[key] = (n, sum(map(len, of.values())), score, variance)
    assert {(r["policy"], r["network_id"], r["physician_npi"], r["domain"], r["wave"]) for r in found} == set(wanted)
    with_change = 0
    for row in found:
        key = (row["policy"], row["network_id"], row["physician_npi"], row["domain"], row["wave"])
        n, responses, score, variance = wanted[key]
        assert (row["respondents"], row["responses"]) == (n, responses)
        assert row["is_small_cell"] == (n < 11)
        assert row["mean_score"] == pytest.approx(score, abs=1e-5)
        if variance is None:
            assert row["mean_score_low"] is row["mean_score_high"] is None
        else:
            half = _t(n - 1) * sqrt(variance)
            assert row["mean_score_low"] == pytest.approx(max(0, score - half), abs=2e-3)
            assert row["mean_score_high"] == pytest.approx(min(100, score + half), abs=2e-3)
        earlier = sorted(k for k in wanted if k[:4] == key[:4] and k[4] < key[4])
        if not earlier:
            assert (row["prior_wave"], row["change"]) == (None, None)
            continue
        then_n, _, then_score, then_variance = wanted[earlier[-1]]
        assert (row["prior_wave"], row["change"]) == (earlier[-1][4], pytest.approx(score - then_score, abs=1e-5))
        if variance is None or then_variance is None:
            assert row["change_low"] is None
        else:
            both = variance + then_variance
            freedom = both**2 / (variance**2 / (n - 1) + then_variance**2 / (then_n - 1))
            half = _t(floor(freedom + 1e-9)) * sqrt(both)
            assert row["change_high"] - row["change"] == pytest.approx(half, rel=1e-4)
            with_change += 1
    assert with_change > 40
    # without weights the error is the plain one
    plain = [a | {"weight": "1"} for a in answers if a["question"] == "a"]
    row = table_of(built(spark, plain, attribution, years=(2020, 2021)))[
        "p", 2021, "N1", "", "S", "member", "care", "2021-2"
    ]
    of_row = [
        100 * (a["score"] - a["scale_low"]) / (a["scale_high"] - a["scale_low"])
        for a in plain
        if a["domain"] == "care"
        and a["wave"] == "2021-2"
        and whose.get(("p", 2021, a["member_id"]), {}).get("network_id") == "N1"
    ]
    half = _t(len(of_row) - 1) * stdev(of_row) / sqrt(len(of_row))
    assert (row["mean_score"], row["mean_score_high"]) == (
        pytest.approx(mean(of_row), abs=1e-5), pytest.approx(mean(of_row) + half, abs=1e-3),
    )  # fmt: skip


def test_respondents_of_all_networks_are_all_who_answered(spark: SparkSession) -> None:
    answers, attribution = drawn(5)
    rows = conform(built(spark, answers, attribution, years=(2020, 2021)), EXPERIENCE_SCORES).collect()
    for level in ("network", "physician"):
        assert sum(row["responses"] for row in rows if row["level"] == level) == len(answers)
