"""Tuva's input layer: spans, claims by bill type, dollars that no plan's name loses, and what is not there."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.model import (
    CLAIM_DIAGNOSES,
    CLAIM_PROCEDURES,
    COVERAGE_RECORDS,
    FINAL_CLAIM_LINES,
    MEMBER_ATTRIBUTION,
    MEMBERS,
    REJECTS,
)
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.sources.births import BEFORE_BIRTH
from pmpm_spark.warehouse import Published, published
from tests.partly import run_without_gold
from tests.tables import rows_of

pytestmark = pytest.mark.delta

POLICY = Policy("p", Eligibility(part_a_b="none", coverage_rule="any_day"))
FILES = {
    "eligibility": """
        person_id | gender | birth_date | enrollment_start_date | enrollment_end_date | payer | payer_type         | plan
        ann       | female | 1950-01-01 | 2021-01-01            | 2021-12-31          | ACME  | medicare           | GOLD
        bob       | male   | 1960-01-01 | 2021-01-01            | 2021-03-31          | ACME  | commercial         |
        bob       | male   | 1960-01-01 | 2021-06-01            | 2021-08-31          | ACME  | medicare advantage | MA
        eve       |        | 1970-01-01 | 2021-05-01            | 2021-04-01          | ACME  | commercial         | X
        """,
    "medical_claim": """
        claim_id | claim_line_number | claim_type    | person_id | plan   | claim_start_date | claim_end_date | claim_line_end_date | bill_type_code | revenue_center_code | hcpcs_code | hcpcs_modifier_2 | paid_amount | allowed_amount | copayment_amount | diagnosis_code_type | diagnosis_code_1 | diagnosis_code_3 | procedure_code_type | procedure_code_1 | procedure_date_1 | rendering_npi
        H1       | 1                 | institutional | ann       | SILVER | 2021-01-28       | 2021-02-03     |                     | 111            | 120                 |            |                  | 5000.00     | 6000.00        | 100.00           | icd-10-cm           | A41.9            | E119             | icd-10-pcs          | 0DTJ4ZZ          | 2021-01-29       |
        H1       | 2                 | institutional | ann       | SILVER | 2021-01-28       | 2021-02-03     |                     | 111            | 250                 |            |                  | 500.00      |                |                  | icd-10-cm           | A41.9            | E119             | icd-10-pcs          | 0DTJ4ZZ          | 2021-01-29       |
        O1       | 1                 | institutional | ann       |        | 2021-03-01       | 2021-03-01     |                     | 131            | 0450                |            |                  | 300.00      | 300.00         |                  |                     |                  |                  |                     |                  |                  |
        S1       | 1                 | institutional | ann       | GOLD   | 2021-04-01       | 2021-04-20     |                     | 211            | 0120                |            |                  | 80.00       |                |                  |                     |                  |                  |                     |                  |                  |
        P1       | 1                 | professional  | ann       | GOLD   | 2021-05-30       | 2021-06-02     | 2021-05-31          |                |                     | 99213      | 25               | 70.00       | 90.00          |                  |                     |                  |                  |                     |                  |                  | 11
        P1       | 2                 | professional  | ann       | GOLD   | 2021-05-30       | 2021-06-02     |                     |                |                     | E0601      |                  | -20.00      |                |                  |                     |                  |                  |                     |                  |                  |
        P2       | 1                 | professional  | bob       | OTHER  | 2021-05-15       | 2021-05-15     |                     |                |                     | 99214      |                  | 40.00       |                |                  |                     |                  |                  |                     |                  |                  |
        B1       | 1                 | professional  | ann       | GOLD   | 1949-05-15       | 1949-05-15     |                     |                |                     | 99214      |                  | 1.00        |                |                  |                     |                  |                  |                     |                  |                  |
        """,
    "pharmacy_claim": """
        claim_id | claim_line_number | person_id | dispensing_date | paid_amount | allowed_amount | prescribing_provider_npi
        H1       | 1                 | ann       | 2021-02-10      | 12.00       | 15.00          | 11
        """,
    "provider_attribution": """
        person_id | year_month | payer_attributed_provider | payer_attributed_provider_practice | payer_attributed_provider_organization | custom_attributed_provider | custom_attributed_provider_organization
        ann       | 202101     | 11                        | T1                                 | N1                                     | 99                         | C9
        ann       | 2021-03    | 11                        | T1                                 | N1                                     |                            |
        ann       | 202102     | 12                        |                                    |                                        | 13                         | C1
        bob       | 202101     |                           |                                    |                                        |                            |
        bob       | 202113     | 11                        | T1                                 | N1                                     |                            |
        """,
}  # fmt: skip


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text("".join(f"{','.join(cells)}\n" for cells in rows_of(text)))


def ran(
    spark: SparkSession, path: Path, warehouse: Path, group: str | None = None, gold: bool = True
) -> tuple[Published, tuple[str, ...]]:
    told = Source("tuva", str(path), max_reject_share=1.0)
    config = RunConfig(told, Warehouse(str(warehouse)), (2021,), (POLICY,))
    notices = run(spark, config, group=group).notices if gold else run_without_gold(spark, config, NETWORK_PMPM)
    return published(spark, config), notices


@pytest.fixture(scope="module")
def by_hand(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    root = tmp_path_factory.mktemp("tuva")
    write(root / "in", FILES)
    return ran(spark, root / "in", root / "warehouse")[0]


def test_spans_become_coverage_with_payer_and_plan(by_hand: Published) -> None:
    names = ("member_id", "coverage_start", "coverage_end", "plan_id", "in_medicare_advantage", "has_part_a")
    assert sorted(map(tuple, by_hand.read(COVERAGE_RECORDS).select(*names).collect())) == [
        ("ann", date(2021, 1, 1), date(2021, 12, 31), "ACME GOLD", False, None),
        ("bob", date(2021, 1, 1), date(2021, 3, 31), "ACME", False, None),
        ("bob", date(2021, 6, 1), date(2021, 8, 31), "ACME MA", True, None),
    ]
    assert {row["member_id"]: row["sex"] for row in by_hand.read(MEMBERS).collect()} == {"ann": "F", "bob": "M"}


def test_claims_stand_by_bill_type_on_the_day_that_their_kind_goes_by(by_hand: Published) -> None:
    names = ("claim_id", "line_number", "service_category", "service_thru", "revenue_code", "hcpcs", "modifiers")
    amounts = ("paid_amount", "allowed_amount", "patient_paid_amount")
    read = by_hand.read(FINAL_CLAIM_LINES).select(*names, *[F.col(n).cast("string") for n in amounts])
    assert sorted(map(tuple, read.collect())) == [
        ("H1", 1, "inpatient", date(2021, 2, 3), "0120", None, [], "5000.00", "6000.00", "100.00"),
        ("H1", 2, "inpatient", date(2021, 2, 3), "0250", None, [], "500.00", None, "0.00"),
        ("O1", 1, "emergency", date(2021, 3, 1), "0450", None, [], "300.00", "300.00", "0.00"),
        ("P1", 1, "professional", date(2021, 5, 31), None, "99213", ["25"], "70.00", "90.00", "0.00"),
        ("P1", 2, "dme", date(2021, 6, 2), None, "E0601", [], "-20.00", None, "0.00"),
        ("P2", 1, "professional", date(2021, 5, 15), None, "99214", [], "40.00", None, "0.00"),
        ("RX:H1", 1, "pharmacy", date(2021, 2, 10), None, None, None, "12.00", "15.00", "0.00"),
        ("S1", 1, "skilled_nursing", date(2021, 4, 20), "0120", None, [], "80.00", None, "0.00"),
    ]
    diagnoses = by_hand.read(CLAIM_DIAGNOSES).select("claim_id", "position", "code", "code_system").collect()
    assert sorted(map(tuple, diagnoses)) == [("H1", 1, "A419", "ICD-10-CM"), ("H1", 3, "E119", "ICD-10-CM")]
    procedures = by_hand.read(CLAIM_PROCEDURES).select("claim_id", "code", "procedure_date").collect()
    assert list(map(tuple, procedures)) == [("H1", "0DTJ4ZZ", date(2021, 1, 29))]


def test_a_plan_that_differs_from_the_spans_loses_no_dollar(by_hand: Published) -> None:
    """Ann's claims name SILVER, GOLD and none: all count. Bob's of May does not: he is not covered then."""
    row = by_hand.read(NETWORK_PMPM).collect()[0]
    assert (row["members"], row["member_months"], row["paid_amount"]) == (2, Decimal(15), Decimal("5930.00"))


def test_bad_rows_are_rejected_with_their_reasons(by_hand: Published) -> None:
    found = Counter(reason for row in by_hand.read(REJECTS).collect() for reason in row["reject_reasons"])
    assert found == {
        "enrollment_end_date is before enrollment_start_date": 1,
        BEFORE_BIRTH: 1,
        "year_month is not YYYYMM": 1,
    }


def test_attribution_by_month_is_one_row_of_a_year_network_and_physician(by_hand: Published) -> None:
    """Its months as bits, January the lowest; the custom columns count where the payer's name no organization."""
    names = ("performance_year", "member_id", "network_id", "physician_npi", "practice_tin", "months")
    assert sorted(map(tuple, by_hand.read(MEMBER_ATTRIBUTION).select(*names).collect())) == [
        (2021, "ann", "C1", "13", "", 0b010),
        (2021, "ann", "N1", "11", "T1", 0b101),
    ]


def test_without_a_pharmacy_table_all_else_is_as_before(
    spark: SparkSession, tmp_path: Path, by_hand: Published
) -> None:
    write(tmp_path / "in", {name: text for name, text in FILES.items() if name != "pharmacy_claim"})
    warehouse, notices = ran(spark, tmp_path / "in", tmp_path / "warehouse", gold=False)
    assert any(notice.startswith("there is no pharmacy_claim: ") for notice in notices)
    lacking = "medical_claim: not told, as there is no such column: billing_tin (practices, and so plurality)"
    assert lacking in notices
    amount = warehouse.read(NETWORK_PMPM).collect()[0]["paid_amount"]
    assert amount == by_hand.read(NETWORK_PMPM).collect()[0]["paid_amount"]


def test_sources_of_data_number_their_claims_and_plans_apart(spark: SparkSession, tmp_path: Path) -> None:
    """Two spans of one start, and one claim number of two sources: all months, all dollars."""
    spans = """
        person_id | enrollment_start_date | enrollment_end_date | payer | plan | data_source
        ann       | 2021-01-01            | 2021-12-31          | A     | PPO  | one
        ann       | 2021-01-01            | 2021-03-31          | B     | PPO  | two
        """
    claims = """
        claim_id | claim_line_number | claim_type   | person_id | claim_start_date | claim_end_date | paid_amount | data_source
        1001     | 1                 | professional | ann       | 2021-02-01       | 2021-02-01     | 100.00      | one
        1001     | 1                 | professional | ann       | 2021-02-01       | 2021-02-01     | 70.00       | two
        """
    write(tmp_path / "in", {"eligibility": spans, "medical_claim": claims})
    warehouse, _ = ran(spark, tmp_path / "in", tmp_path / "warehouse", gold=False)
    row = warehouse.read(NETWORK_PMPM).collect()[0]
    assert (row["member_months"], str(row["paid_amount"])) == (12, "170.00")


def test_a_missing_table_and_a_missing_column_are_named(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in", {"medical_claim": FILES["medical_claim"]})
    with pytest.raises(InputError, match=r"there is no eligibility among the tables \(csv\)"):
        ran(spark, tmp_path / "in", tmp_path / "warehouse")
    write(tmp_path / "in", {"eligibility": FILES["eligibility"].replace("enrollment_end_date", "until")})
    with pytest.raises(InputError, match="column enrollment_end_date is missing"):
        ran(spark, tmp_path / "in", tmp_path / "warehouse")


def test_a_type_of_claim_that_nobody_knows_is_a_reject(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in", {**FILES, "medical_claim": FILES["medical_claim"].replace("professional ", "dental ")})
    warehouse, _ = ran(spark, tmp_path / "in", tmp_path / "warehouse", group="load")
    told = Counter(reason for row in warehouse.read(REJECTS).collect() for reason in row["reject_reasons"])
    assert told["claim_type is neither institutional nor professional"] == 4
