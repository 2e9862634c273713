"""What a run checks and says: the reasons of a refused load, and notices that explain empty figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.checks import birth_notices, check_rejects, other_categories, run_notices, uncounted_years
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.identities import IDENTITIES
from pmpm_spark.model import (
    CONTRACTS,
    COVERAGE_RECORDS,
    ENROLLMENT_ROWS,
    FINAL_CLAIM_LINES,
    LOAD_AUDIT,
    MEMBER_ATTRIBUTION,
    NETWORK_ROSTER,
    REJECTS,
)
from pmpm_spark.model.intake import UNMATCHED_LINE
from pmpm_spark.policy import Attribution, Policy
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.store import Store, empty
from tests.tables import frame

pytestmark = pytest.mark.delta

REASONS = {
    "paid_amount is not an amount": 4,
    "claim_id is missing": 1,
    "line_number is missing": 1,
    "member_id is missing": 3,
    UNMATCHED_LINE: 9,
}


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> Store:
    return Store(spark, Warehouse(path=str(tmp_path)))


def config_of(store: Store, *policies: Policy, **source: float) -> RunConfig:
    return RunConfig(Source("common", "in", **source), store.warehouse, (2021, 2022), policies or (Policy("default"),))


def test_a_refused_load_names_the_most_frequent_faults_with_their_counts(store: Store) -> None:
    """Lines that wait for their claim are no faults of the file."""
    told = {"_source_file": "claim_lines.csv", "rows_read": 18, "rejected": 16, "rejected_by_reason": REASONS}
    key = {"_bronze_table": "bronze.common_claim_lines", "_batch_id": "b"}
    row = tuple({**told, **key}.get(name) for name in LOAD_AUDIT.column_names)
    store.publish(LOAD_AUDIT, store.spark.createDataFrame([row], LOAD_AUDIT.schema))
    with pytest.raises(InputError) as caught:
        check_rejects(store, config_of(store))
    assert str(caught.value) == (
        "claim_lines.csv: 7 of 18 rows are rejected (4: paid_amount is not an amount; 3: member_id is missing; "
        "1: claim_id is missing), more than source.max_reject_share = 0.05 allows; nothing is published"
    )
    check_rejects(store, config_of(store, max_reject_share=0.4))
    rejects = frame(
        store.spark,
        REJECTS,
        f"""
        _bronze_table             | _source_file    | _source_row | _batch_id | reject_reasons
        bronze.common_claim_lines | claim_lines.csv | 9           | b         | member_id is missing;claim_id is missing
        bronze.common_claim_lines | claim_lines.csv | 4           | b         | {UNMATCHED_LINE}
        bronze.common_claim_lines | claim_lines.csv | 12          | b         | {UNMATCHED_LINE};member_id is missing
        bronze.common_claim_lines | claim_lines.csv | 2           | earlier   | member_id is missing
        bronze.common_claim_lines | other.csv       | 2           | b         | member_id is missing
        bronze.contract_rates     | claim_lines.csv | 3           | b         | rate is missing
        """,
    )
    with pytest.raises(InputError, match=r"^claim_lines\.csv: 7 of 18 rows are rejected, lines 9, 12 and others \(4: "):
        check_rejects(store, config_of(store), lambda: rejects)


NOBODYS = "no network_roster: nobody is anybody's, every member stands under UNATTRIBUTED (policy default, other)"


def test_without_a_roster_the_run_says_that_everybody_is_unattributed_by_plurality(store: Store) -> None:
    tables = (
        TOLD_MONTHS, LOAD_AUDIT, NETWORK_ROSTER, MEMBER_ATTRIBUTION, COVERAGE_RECORDS, MEMBER_YEARS, CLAIM_COSTS,
        CONTRACTS,
    )  # fmt: skip
    for table in tables:
        store.publish(table, empty(store.spark, table))
    listed = Policy("listed", attribution=Attribution("roster"))
    config = config_of(store, Policy("default"), listed, Policy("other"))
    assert NOBODYS in run_notices(store, config)
    assert not any("roster" in notice for notice in run_notices(store, replace(config, policies=(listed,))))
    days = "1900-01-01 | 9999-12-31"
    roster = f"network_id | tin | npi | ccn | start_date | end_date\nN1 | 111 | '' | '' | {days}"
    store.publish(NETWORK_ROSTER, frame(store.spark, NETWORK_ROSTER, roster))
    contracts = "contract_id | network_id\nC1 | N1\nC2 | N2"
    store.publish(CONTRACTS, frame(store.spark, CONTRACTS, contracts + "\nC3 | N1").fillna({"withhold_share": 0}))
    notices = run_notices(store, config)
    assert NOBODYS not in notices
    assert [notice for notice in notices if notice.startswith("contract ")] == [
        "contract C2: network N2 is on no network_roster: all cost is outside it"
    ]


def test_a_death_before_the_birth_is_told_with_its_line(store: Store) -> None:
    head = "member_id | birth_date | death_date | _source_file | _source_row | outcome | _bronze_table | _batch_id"
    rows = "\n".join(f"m{n} | 1950-01-01 | 1900-01-01 | members.csv | {n} | accepted | t | b" for n in range(2, 8))
    alive = "m8 | 1950-01-01 | - | members.csv | 8 | accepted | t | b"
    store.publish(ENROLLMENT_ROWS, frame(store.spark, ENROLLMENT_ROWS, f"{head}\n{alive}"))
    assert birth_notices(store, config_of(store)) == []
    store.publish(ENROLLMENT_ROWS, frame(store.spark, ENROLLMENT_ROWS, f"{head}\n{alive}\n{rows}"))
    told = ", ".join(f"members.csv line {n}" for n in range(2, 7))
    assert birth_notices(store, config_of(store)) == [
        f"members: 6 with a death before the birth, which is not used ({told} and others)"
    ]


def test_what_no_rule_puts_into_a_second_level_is_told_with_its_codes_but_for_those_of_few_members(
    store: Store,
) -> None:
    """33 lines of 1,000: 22 of one code and 11 members, 11 of another and 10; a code in a named category is not told."""
    costs = """
        member_id | claim_type   | thru_month | from_month | service_category | service_category_2 | roster_network_id | is_denied | destination | claim_lines
        m         | professional | 2021-01-01 | 2021-01-01 | professional     | other              | ''                | false     | ''          | 33
        m         | professional | 2021-01-01 | 2021-01-01 | professional     | lab                | ''                | false     | ''          | 967
    """
    heading = "claim_id | line_number | claim_version | member_id | claim_type | adjustment | service_thru | is_denied | paid_amount | service_category | service_category_2 | place_of_service | hcpcs"

    def line(number: int, member: int, second: str, place: str, hcpcs: str) -> str:
        told = f"m{member} | professional | original | 2021-01-01 | false | 1 | professional | {second} | {place} | {hcpcs}"
        return f"c | {number} | 1 | {told}"

    rows = [line(n, n % 11, "other", "99", "93000") for n in range(22)]
    rows += [line(100 + n, n % 10, "other", "-", "93306") for n in range(11)]
    rows += [line(200 + n, n, "lab", "81", "80053") for n in range(40)]

    def publish(costs: str, rows: list[str]) -> list[str]:
        store.publish(CLAIM_COSTS, frame(store.spark, CLAIM_COSTS, costs))
        store.publish(FINAL_CLAIM_LINES, frame(store.spark, FINAL_CLAIM_LINES, "\n".join([heading, *rows])))
        return other_categories(store)

    said = "3.3% of the final claim lines are other at the second level of service categories"
    assert publish(costs, rows) == [f"{said}: most often professional place 99 HCPCS 93000 (67% of them)"]
    assert publish(costs, rows[22:]) == [f"{said}; every code of them is of few members"]
    assert publish(costs.replace("| other  ", "| clinic "), rows[33:]) == []


def test_a_year_of_which_no_month_counts_is_told_with_the_reason_of_most(store: Store) -> None:
    """What to set is said where Part A and B is the reason; years that count, or have no month, and other runs' are not
    told."""
    sums = """
        policy  | performance_year | identity | counted | excluded | everything
        default | 2021             | months   | 0       | 3600     | 3600
        default | 2021             | dollars  | 0       | 5        | 5
        default | 2022             | months   | 0       | 10.5     | 10.5
        other   | 2021             | months   | 1       | 9        | 10
        other   | 2022             | months   | 0       | 0        | 0
        former  | 2021             | months   | 0       | 7        | 7
    """
    excluded = """
        policy  | performance_year | kind   | reason              | member_months | paid_amount
        default | 2021             | month  | NOT_ENROLLED        | 600           | -
        default | 2021             | month  | NOT_IN_PART_A_AND_B | 3000          | -
        default | 2021             | dollar | PHARMACY            | -             | 5
        default | 2022             | month  | MEDICARE_ADVANTAGE  | 6             | -
        default | 2022             | month  | NOT_IN_PART_A_AND_B | 4.5           | -
        other   | 2021             | month  | NOT_ENROLLED        | 9             | -
        former  | 2021             | month  | NOT_ENROLLED        | 7             | -
    """
    store.publish(IDENTITIES, frame(store.spark, IDENTITIES, sums))
    store.publish(EXCLUDED, frame(store.spark, EXCLUDED, excluded))
    assert uncounted_years(store, config_of(store, Policy("default"), Policy("other"))) == [
        "default 2021: none of 3,600 member months counts, most for NOT_IN_PART_A_AND_B; a source without Part A and B "
        'wants eligibility.part_a_b = "none"',
        "default 2022: none of 10.50 member months counts, most for MEDICARE_ADVANTAGE",
    ]
