"""CMS's own sample files, read where they lie: every row arrives and has its fate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark.sources.rif import all_claim_rows, all_enrollment_rows
from pmpm_spark.sources.rif.bronze import bronze_loads
from pmpm_spark.sources.rif.layout import BRONZE, CLAIM_KINDS
from tests.sources.frames import LOADED_AT

pytestmark = [pytest.mark.shared, pytest.mark.delta]

BENEFICIARY = BRONZE["beneficiary"].name


@dataclass(frozen=True)
class Taken:
    """What became of a folder: rows that each file holds, typed rows with their fates, notices."""

    held: dict[str, int]
    claims: list[dict[str, Any]]
    enrollment: list[dict[str, Any]]
    notices: list[str]

    def fates(self) -> dict[str, dict[str, int]]:
        found: dict[str, Counter[str]] = {name: Counter() for name in self.held}
        for row in (*self.claims, *self.enrollment):
            found[row["_source_file"]][row["outcome"]] += 1
        return {name: dict(counts) for name, counts in found.items()}


def taken(spark, folder: Path) -> Taken:
    loads, notices = bronze_loads(spark, str(folder), (), "b1", LOADED_AT)
    frames: dict[str, list[Any]] = {name: [] for name in (t.name for t in BRONZE.values())}
    for load in loads:
        frames[load.table.name].append(load.frame)

    def bronze(kind: str) -> Any:
        table = BRONZE[kind]
        parts = frames[table.name] or [spark.createDataFrame([], table.schema)]
        return reduce(lambda a, b: a.unionByName(b), parts)

    claims = all_claim_rows(*[bronze(kind) for kind in CLAIM_KINDS])
    enrollment = all_enrollment_rows(bronze("beneficiary"), part_c="hmo_indicator")
    return Taken(
        {file.name: file.rows for load in loads for file in load.files},
        [row.asDict(recursive=True) for row in claims.collect()],
        [row.asDict(recursive=True) for row in enrollment.collect()],
        notices,
    )


@pytest.fixture(scope="module")
def synthea(spark, shared_data: Path) -> Taken:
    return taken(spark, shared_data / "rif_cms_samples" / "synthea")


@pytest.fixture(scope="module")
def static(spark, shared_data: Path) -> Taken:
    return taken(spark, shared_data / "rif_cms_samples" / "static")


def test_synthea_is_accepted_whole(synthea: Taken) -> None:
    assert synthea.fates() == {name: {"accepted": rows} for name, rows in synthea.held.items()}


def test_synthea_people_and_claims(synthea: Taken) -> None:
    claims = {row["claim_id"]: row["claim_type"] for row in synthea.claims}
    events = [claim for claim, claim_type in claims.items() if claim_type == "pharmacy"]
    assert (len(claims) - len(events), len(events)) == (89, 18)
    assert len({row["member_id"] for row in synthea.enrollment}) == 3
    assert {row["member_id"] for row in synthea.claims} <= {row["member_id"] for row in synthea.enrollment}


def test_synthea_dollars_count_each_claim_once(synthea: Taken) -> None:
    paid: dict[str, Decimal] = {}
    for row in synthea.claims:
        paid[row["claim_type"]] = paid.get(row["claim_type"], Decimal(0)) + row["paid_amount"]
    assert {name: str(amount) for name, amount in paid.items()} == {
        "professional": "112165.91", "dme": "0.00", "home_health": "7289.59", "hospice": "5314.33",
        "inpatient": "36396.46", "outpatient": "132056.09", "pharmacy": "34.13", "snf": "32052.84",
    }  # fmt: skip


def test_a_file_delivered_twice_under_two_names_is_loaded_once(synthea: Taken) -> None:
    assert "beneficiary_2018.csv" in synthea.held
    assert "beneficiary_2019.csv" not in synthea.held
    assert any("nothing new: beneficiary_2019.csv" in notice for notice in synthea.notices)
    years = Counter(row["reference_year"] for row in synthea.enrollment)
    # the year is that of the rows: no file tells 2018
    assert years == dict.fromkeys([*range(2011, 2018), 2019, 2020, 2021], 3)


def test_synthea_codes_that_lost_their_zero_and_a_year_that_ends_in_may(synthea: Taken) -> None:
    runs = [run for row in synthea.enrollment for run in row["coverage"]]
    duals = {run["dual_status_code"] for run in runs}
    assert all(code is None or len(code) == 2 for code in duals)
    assert max(run["coverage_end"] for run in runs).isoformat() == "2021-05-31"


def test_static_loses_no_row(static: Taken) -> None:
    assert {name: sum(fates.values()) for name, fates in static.fates().items()} == static.held
    assert static.fates() == {
        "sample-a-bcarrier-multiple-lines.txt": {"accepted": 6, "superseded": 1},
        "sample-a-bcarrier.txt": {"accepted": 1},
        # its field too many is not empty
        "sample-u-bcarrier.txt": {"rejected": 1},
        **{f"sample-a-{kind}.txt": {"accepted": 1} for kind in ("dme", "hha", "hospice", "outpatient", "pde", "snf")},
        "sample-a-inpatient.txt": {"accepted": 1},
        # the same claim once more, in a file that stands before it
        "sample-a-inpatient-with-four-character-drg-code.txt": {"superseded": 1},
        "sample-a-snf-with-four-character-drg-code.txt": {"superseded": 1},
        # one row a person and year: the file with the later name counts
        "sample-a-beneficiaries.txt": {"accepted": 1},
        "sample-a-beneficiaries-with-backslash.txt": {"superseded": 1},
        "sample-a-multiple-entries-same-bene.txt": {"accepted": 5, "superseded": 1},
        "sample-u-beneficiaries.txt": {"superseded": 1},
        "sample-u-with-8-months.txt": {"superseded": 1},
        "sample-u-with-9-months.txt": {"accepted": 1},
        # the year is blank, 0 or 3
        "sample-a-beneficiaries-without-reference-year.txt": {"rejected": 1},
        "sample-hicn-mult-bene-beneficiaries.txt": {"accepted": 7, "rejected": 3},
        "sample-u-unchanged-beneficiaries.txt": {"rejected": 1},
    }


def test_static_reasons(static: Taken) -> None:
    reasons = Counter(reason for row in (*static.enrollment, *static.claims) for reason in row["reject_reasons"])
    assert reasons["RFRNC_YR is no year"] == 5
    assert reasons["the number of fields is not that of the heading"] == 1
    assert all(row["rejected_row"] for row in static.claims if row["outcome"] == "rejected")


def test_static_claims_are_denied_and_second_to_other_payers(static: Taken) -> None:
    told = {
        row["claim_type"]: (row["is_denied"], row["primary_payer_code"])
        for row in static.claims
        if row["outcome"] == "accepted"
    }
    assert {name for name, (is_denied, _) in told.items() if is_denied} == {
        "inpatient", "outpatient", "hospice", "home_health", "snf",
    }  # fmt: skip
    assert {payer for _, payer in told.values()} == {"A", "E", None}
    assert told["pharmacy"] == (False, None)


def test_static_lines_of_one_claim_are_paid_once_each(static: Taken) -> None:
    lines = [row for row in static.claims if row["claim_type"] == "professional" and row["outcome"] == "accepted"]
    assert sorted(row["line_number"] for row in lines) == [1, 2, 3, 4, 5, 6, 7]
    # 199.99 is the claim's, repeated on each row
    assert {str(row["paid_amount"]) for row in lines} == {"37.50"}


def test_static_managed_care_months(static: Taken) -> None:
    managed = {
        row["reference_year"]
        for row in static.enrollment
        if row["outcome"] == "accepted" and any(run["in_medicare_advantage"] for run in row["coverage"])
    }
    assert managed
