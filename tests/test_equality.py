"""The whole pipeline equals an independent recomputation from the same raw files, to the cent and the month."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy
from tests.equality import KEYS, LISTS, Compared, assert_equal_tables, load_counts, run_and_recompute

pytestmark = pytest.mark.delta

YEARS = (2019, 2020, 2021, 2022, 2023)
EIGHT = tuple(
    Policy(
        f"{method}-{part_a_b}-{claim_month}",
        eligibility=Eligibility(part_a_b=part_a_b),
        cost=Cost(claim_month=claim_month),
        attribution=Attribution(method=method),
    )
    for method, part_a_b, claim_month in product(
        ("plurality", "roster"), ("full_window", "current_month"), ("thru", "from")
    )
)


def names(policies: tuple[Policy, ...]) -> list[str]:
    return [policy.name for policy in policies]


@pytest.fixture(scope="module")
def whole_set(spark: SparkSession, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    rif = shared_data / "rif"
    lists = {name: rif / f"{name}.csv" for name in LISTS}
    return run_and_recompute(spark, rif, lists, tmp_path_factory.mktemp("whole_set"), YEARS, EIGHT)


@pytest.mark.shared
@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("policy", EIGHT, ids=names(EIGHT))
def test_the_whole_set(whole_set: Compared, policy: Policy, table: str) -> None:
    assert_equal_tables(whole_set, table, policy)


@pytest.mark.shared
def test_every_row_of_the_whole_set_has_the_same_fate(whole_set: Compared) -> None:
    ours, theirs = load_counts(whole_set)
    assert ours == theirs
