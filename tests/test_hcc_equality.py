"""Thousands of random people of every model, segment, age and sex have the score and the categories of hccinfhir."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from tests.drawn_hcc import NAMES, by_package, by_peer, differences, drawn, is_known_fault

MEMBERS = 1000


def test_scores_and_categories_of_random_people_equal_those_of_an_independent_implementation(
    spark: SparkSession,
) -> None:
    people = drawn(MEMBERS, seed=3)
    ours, theirs = by_package(spark, people), by_peer(people)
    assert differences(people, ours, theirs) == []
    compared = [person for person in people if not is_known_fault(person, ours[person.member_id][1])]
    segments = {model: sum(person.model == model for person in compared) for model in NAMES}
    assert min(segments.values()) > MEMBERS / 4, segments
    assert sum(score > 0 for score, _ in ours.values()) > len(people) * 0.9


@pytest.mark.parametrize(("model", "fault"), [("V24", "HCC18"), ("V28", "HCC226")])
def test_a_wrong_coefficient_would_be_seen(model: str, fault: str, spark: SparkSession) -> None:
    people = drawn(300, seed=4, models=[model])
    ours, theirs = by_package(spark, people, without=(model, fault)), by_peer(people)
    assert differences(people, ours, theirs)
