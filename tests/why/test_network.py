"""The parts of a network's PMPM give it again, under every kind of step and risk; two networks written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.errors import StageError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM, network_pmpm
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY, network_pmpm_by_category
from pmpm_spark.gold.practice_pmpm import PRACTICE_PMPM, practice_pmpm
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.policy import Cost, Policy, Risk
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS, reference_table
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.table import conform
from pmpm_spark.why.network import network_sections
from tests.tables import frame

YEARS = (2020, 2021)
POLICIES = (
    Policy("plain"),
    Policy("typed", risk=Risk(weighting="member_months", normalization="population", by_enrollment_type=True)),
    Policy("capped", cost=Cost(truncation="supplied"), risk=Risk(cap="growth", cap_reference_year=2020)),
)
PEOPLE = """
    member_id | performance_year | enrollment_type | network_id | practice_tin | member_months | risk_score | paid_amount | counted_amount | in_network_paid_amount
    a         | 2020             | AGED_DUAL       | A          | T1           | 12            | 1.0        | 100.00      | 101.00         | 0.00
    a         | 2021             | AGED_DUAL       | A          | T1           | 5             | 1.5        | 60.00       | 50.00          | 0.00
    a         | 2021             | ESRD            | A          | T1           | 7             | 1.5        | 40.00       | 45.00          | 0.00
    b         | 2021             | ESRD            | A          | T2           | 2.5           | 2.25       | 0.00        | 0.00           | 0.00
    c         | 2021             | AGED_DUAL       | A          | T2           | 12            | -          | 10.00       | 10.00          | 0.00
    d         | 2021             | ESRD            | B          | T3           | 12            | 0.75       | 7.00        | 7.00           | 0.00
"""
COSTS = """
    member_id | performance_year | service_category | network_id | in_total | counted_lines | counted_services | counted_paid_amount | counted_amount | allowed_effect | pass_through_effect | ime_dsh_uncompensated_effect | sequestration_effect | completion_effect
    a         | 2020             | dme              | A          | true     | 1             | 1                | 100.00              | 101.00         | 0.00           | 0.00                | 0.00                         | 1.00                 | 0.00
    a         | 2021             | dme              | A          | true     | 1             | 1                | 60.00               | 55.00          | 0.00           | -5.00               | 0.00                         | 0.00                 | 0.00
    a         | 2021             | inpatient        | A          | true     | 1             | 1                | 40.00               | 60.00          | 0.00           | 0.00                | 0.00                         | 0.00                 | 20.00
    c         | 2021             | dme              | A          | true     | 1             | 1                | 10.00               | 10.00          | 0.00           | 0.00                | 0.00                         | 0.00                 | 0.00
    a         | 2021             | pharmacy         | A          | false    | 1             | 1                | 9.00                | 9.00           | 0.00           | 0.00                | 0.00                         | 0.00                 | 0.00
    d         | 2021             | dme              | B          | true     | 1             | 1                | 7.00                | 7.00           | 0.00           | 0.00                | 0.00                         | 0.00                 | 0.00
"""
TRUNCATED = """
    member_id | performance_year | service_category | network_id | truncated_effect | sequestration_effect | completion_effect | counted_amount
    a         | 2021             | inpatient        | A          | -19.00           | 0.00                 | -1.00             | -20.00
"""


@dataclass(frozen=True)
class House:
    """Stands in for what a run published."""

    tables: dict[str, DataFrame]

    @property
    def store(self) -> House:
        return self

    reference_path: None = None

    def read(self, table: Any) -> DataFrame:
        return self.tables[table.name]


def of_policies(spark: SparkSession, table: Any, written: str) -> DataFrame:
    rows = written.strip().splitlines()
    told = [f"policy | {rows[0]}", *[f"{policy.name} | {row}" for policy in POLICIES for row in rows[1:]]]
    return frame(spark, table, "\n".join(told))


@pytest.fixture(scope="module")
def house(spark: SparkSession) -> House:
    run = {"policies": POLICIES, "performance_years": YEARS}
    people, costs = of_policies(spark, MEMBER_YEARS, PEOPLE), of_policies(spark, MEMBER_MONTH_COSTS, COSTS)
    truncated = of_policies(spark, TRUNCATED_COSTS, TRUNCATED)
    factors, means = reference_table(spark, NORMALIZATION_FACTORS), reference_table(spark, RISK_MEANS)
    roster = frame(spark, NETWORK_ROSTER, "network_id | start_date | end_date")
    networks = conform(network_pmpm(people, roster, factors, means, **run), NETWORK_PMPM)
    held = spark.createDataFrame(networks.collect(), NETWORK_PMPM.schema)
    made = {
        NETWORK_PMPM.name: held,
        NETWORK_PMPM_BY_CATEGORY.name: network_pmpm_by_category(held, costs, truncated, **run),
        PRACTICE_PMPM.name: practice_pmpm(people, factors, means, held, **run),
        MEMBER_YEARS.name: people,
        MEMBER_MONTH_COSTS.name: costs,
        TRUNCATED_COSTS.name: truncated,
    }
    return House(made)


def parts_of(house: Any, policy: Policy) -> dict[str, Any]:
    (parts, _) = network_sections(house, "A", 2021, {policy.label: (policy, YEARS)})
    return {row[1]: row[2] for row in parts.rows}


def of_kinds(parts: dict[str, Any], name: str) -> list[float]:
    return [float(value) for part, value in parts.items() if part.startswith(f"{name} ")]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_shown_parts_give_the_shown_pmpm(house: House, policy: Policy) -> None:
    parts = parts_of(house, policy)
    months, counted = sum(of_kinds(parts, "member_months")), sum(of_kinds(parts, "counted_amount"))
    steps = {part: value for part, value in parts.items() if part.startswith("step ")}
    assert (parts["members"], months, counted) == (3, 26.5, 105.0)
    assert steps == {
        "step PASS_THROUGH": Decimal("-5.00"),
        "step COMPLETION": Decimal("19.00"),
        "step TRUNCATED": Decimal("-19.00"),
    }
    assert float(parts["paid_amount"]) + sum(map(float, steps.values())) == counted
    risk = float(parts["score_sum"]) / float(parts["score_weights"])
    normalized = risk / float(parts["normalization_factor"])
    if policy.name == "typed":
        normalized = sum(of_kinds(parts, "normalized_scores")) / sum(of_kinds(parts, "score_weights"))
        scores, means = of_kinds(parts, "score_sum"), of_kinds(parts, "score_mean")
        assert of_kinds(parts, "normalized_scores") == pytest.approx(
            [s / m for s, m in zip(scores, means, strict=True)]
        )
    if policy.name == "capped":
        assert parts["uncapped_risk_score"] == pytest.approx(normalized, rel=1e-9)
        normalized = min(normalized, 1.03 * parts["normalized_risk_score 2020"])
        assert normalized < parts["uncapped_risk_score"]
    redone = {
        "pmpm": counted / months,
        "risk_score": risk,
        "normalized_risk_score": normalized,
        "adjusted_amount": round(counted / normalized, 2),
        "adjusted_pmpm": counted / normalized / months,
    }
    assert {name: float(parts[name]) for name in redone} == pytest.approx(redone, rel=1e-9)


def test_practices_stand_below_their_network_most_member_months_first(house: House) -> None:
    (_, practices) = network_sections(house, "A", 2021, {"plain": (POLICIES[0], YEARS)})
    assert {len(row) for row in practices.rows} == {len(practices.names)}
    assert [row[1:4] for row in practices.rows] == [("T2", 2, Decimal("14.500000")), ("T1", 1, Decimal("12.000000"))]


def test_parts_that_are_not_those_of_the_figure_are_refused(house: House) -> None:
    less = {**house.tables, MEMBER_YEARS.name: house.read(MEMBER_YEARS).where("member_id <> 'b'")}
    with pytest.raises(StageError, match="parts of policy plain in 2021 do not add up"):
        parts_of(House(less), POLICIES[0])
