"""What due months cost inside a contract's network, by hand: whose lines, which months, and how they are rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.capitation_cells import CAPITATION_CELLS
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.contract_month_costs import CONTRACT_MONTH_COSTS, contract_month_costs
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.table import conform
from tests.tables import frame

DUE = """
contract_id | member_id | coverage_month | network_id | is_due | exposure
C1          | ann       | 2022-01-01     | N1         | true   | 1
C1          | ben       | 2022-01-01     | N1         | true   | 0.322581
C1          | cal       | 2022-01-01     | N1         | false  | 0
C1          | ann       | 2022-02-01     | N1         | true   | 1
C2          | dee       | 2022-01-01     | N2         | true   | 1
"""
CELLS = """
contract_id | side       | coverage_month | cell | service_category | amount
C1          | actual     | 2022-01-01     | a    | dme              | 300.00
C1          | actual     | 2022-01-01     | b    | dme              | 12.00
C1          | actual     | 2022-01-01     | a    | inpatient        | 7000.00
C1          | actual     | 2022-01-01     | a    | ''               | 0.00
C1          | comparator | 2022-01-01     | a    | dme              | 99.00
C2          | actual     | 2022-01-01     | a    | dme              | 5.00
"""
COUNTED = """
policy | performance_year | member_id | member_month | service_category | network_id   | exclusion_reason | in_total | counted_lines
p      | 2022             | ann       | 2022-01-01   | dme              | N1           | -                | true     | 2
p      | 2022             | ann       | 2022-01-01   | inpatient        | N1           | -                | true     | 1
p      | 2022             | ann       | 2022-01-01   | pharmacy         | N1           | -                | false    | 0
p      | 2022             | ben       | 2022-01-01   | dme              | UNATTRIBUTED | -                | true     | 1
p      | 2022             | cal       | 2022-01-01   | dme              | N1           | -                | true     | 1
p      | 2022             | ann       | 2022-02-01   | dme              | N1           | DECEASED         | true     | 0
p      | 2022             | dee       | 2022-01-01   | dme              | N1           | -                | true     | 1
other  | 2022             | dee       | 2022-01-01   | dme              | N1           | -                | true     | 1
"""
LINES = """
member_id | thru_month | from_month | service_category | roster_network_id | is_denied | destination | services | paid_amount | allowed_amount
ann       | 2022-01-01 | 2022-01-01 | dme              | N1                | false     | tin 1       | 3        | 100.00      | -
ann       | 2022-01-01 | 2022-01-01 | dme              | N1                | false     | tin 2       | 1        | 0.00        | -
ann       | 2022-01-01 | 2022-01-01 | dme              | N1                | false     | tin 3       | 1        | 0.00        | 80.00
ann       | 2022-01-01 | 2022-01-01 | dme              | N1                | true      | ''          | 1        | 999.00      | -
ann       | 2022-01-01 | 2022-01-01 | dme              | N2                | false     | tin 9       | 1        | 200.00      | -
ann       | 2022-01-01 | 2022-01-01 | inpatient        | ''                | false     | ccn 9       | 1        | 7000.00     | -
ann       | 2022-01-01 | 2022-01-01 | pharmacy         | N1                | false     | tin 1       | 1        | 40.00       | -
ann       | 2022-02-01 | 2022-01-01 | dme              | N1                | false     | tin 1       | 1        | 60.00       | -
ben       | 2022-01-01 | 2022-01-01 | dme              | N1                | false     | tin 1       | 2        | 100.01      | -
cal       | 2022-01-01 | 2022-01-01 | dme              | N1                | false     | tin 1       | 1        | 30.00       | -
dee       | 2022-01-01 | 2022-01-01 | dme              | N1                | false     | tin 1       | 1        | 5.00        | -
"""
FACTORS = """
method       | claim_month | service_category | incurred_month | completion_factor
chain_ladder | thru        | dme              | 2022-01-01     | 0.8
supplied     | thru        | dme              | 2022-01-01     | 0.5
chain_ladder | from        | dme              | 2022-01-01     | 0.3
chain_ladder | thru        | dme              | 2022-02-01     | 0.1
"""


def built(spark: SparkSession, cost: Cost, completion: str = "chain_ladder") -> dict[tuple[str, str], dict[str, Any]]:
    rows = contract_month_costs(
        frame(spark, CAPITATION_DUE, DUE),
        frame(spark, CAPITATION_CELLS, CELLS),
        frame(spark, MEMBER_MONTH_COSTS, COUNTED),
        frame(spark, CLAIM_COSTS, LINES),
        frame(spark, COMPLETION_FACTORS, FACTORS),
        policy=Policy("p", cost=cost),
        performance_years=[2022],
        completion=completion,
    )
    found = [row.asDict() for row in conform(rows, CONTRACT_MONTH_COSTS).collect()]
    assert {row["coverage_month"].isoformat() for row in found} == {"2022-01-01"}
    by_key = {(row["contract_id"], row["service_category"]): row for row in found}
    assert len(by_key) == len(found)
    return by_key


def test_inside_are_undenied_counted_lines_of_the_contracts_own_network_in_due_months(spark: SparkSession) -> None:
    """Ann's 100.00 + 0 + 0, and 0.322581 of Ben's 100.01 = 32.26; Dee's contract is N2's, and her line N1's."""
    rows = built(spark, Cost())
    assert set(rows) == {("C1", "dme"), ("C1", "inpatient"), ("C2", "dme")}
    told = {key: (row["amount"], row["in_network_amount"]) for key, row in rows.items()}
    assert told == {
        ("C1", "dme"): (Decimal("312.00"), Decimal("132.26")),
        ("C1", "inpatient"): (Decimal("7000.00"), Decimal("0.00")),
        ("C2", "dme"): (Decimal("5.00"), Decimal("0.00")),
    }


def test_an_encounter_is_a_service_that_nothing_was_paid_or_allowed_for(spark: SparkSession) -> None:
    row = built(spark, Cost())["C1", "dme"]
    assert row["in_network_services"] == Decimal("5.645162")  # 3 + 1 + 1 of Ann, 2 x 0.322581 of Ben
    assert row["encounter_services"] == Decimal("1.000000")


@pytest.mark.parametrize(
    ("cost", "completion", "factor"),
    [
        (Cost(), "chain_ladder", "0.8"),
        (Cost(), "supplied", "0.5"),
        (Cost(), "none", "1"),
        (Cost(completion="chain_ladder"), "supplied", "0.8"),
        (Cost(claim_month="from"), "chain_ladder", "0.3"),
    ],
    ids=["chain ladder", "supplied", "none", "the policy completes", "by the first day"],
)
def test_the_share_paid_is_that_of_the_month_and_category_by_the_method_of_a_policy_that_completes(
    spark: SparkSession, cost: Cost, completion: str, factor: str
) -> None:
    rows = built(spark, cost, completion)
    assert rows["C1", "dme"]["completion_factor"] == Decimal(factor)
    # its amount is completed already, what was paid inside is not
    assert rows["C1", "dme"]["is_completed"] == (cost.completion != "none")
    assert rows["C1", "inpatient"]["completion_factor"] == 1


def test_a_policy_that_counts_the_members_own_network_has_no_other_inside(spark: SparkSession) -> None:
    """Ben is nobody's: what N1 did for him is not counted."""
    assert built(spark, Cost(basis="reimbursed_to_network"))["C1", "dme"]["in_network_amount"] == Decimal("100.00")


def test_by_first_days_a_line_is_in_the_month_that_it_began_in(spark: SparkSession) -> None:
    assert built(spark, Cost(claim_month="from"))["C1", "dme"]["in_network_amount"] == Decimal("192.26")
