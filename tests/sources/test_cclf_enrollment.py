"""Which months CCLF8 tells, and what of its people."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.intake import coverage_records, members
from pmpm_spark.model import COVERAGE_RECORDS, ENROLLMENT_ROWS, MEMBER_ID_CHANGES, MEMBERS
from pmpm_spark.sources.cclf.enrollment import enrollment_rows
from pmpm_spark.table import conform
from tests.cclf_files import person
from tests.sources.cclf_frames import bronze
from tests.tables import frame


class Enrolled:
    """Enrollment rows of CCLF8 records by file date, regular ones and run-outs."""

    def __init__(
        self,
        spark: SparkSession,
        *deliveries: tuple[str, list[str]],
        run_out: tuple[str, list[str]] | None = None,
        changes: str = "",
    ) -> None:
        delivered = bronze(spark, "CCLF8", *deliveries)
        if run_out is not None:
            delivered = delivered.unionByName(bronze(spark, "CCLF8", run_out, regular="R"))
        ids = frame(spark, MEMBER_ID_CHANGES, f"previous_id | member_id\n{changes}")
        self.rows = conform(enrollment_rows(delivered, ids), ENROLLMENT_ROWS)

    def covered(self) -> list[tuple[str, str, str]]:
        found = conform(coverage_records(self.rows), COVERAGE_RECORDS).collect()
        return sorted((r["member_id"], str(r["coverage_start"]), str(r["coverage_end"])) for r in found)

    def told(self, *names: str) -> list[tuple[Any, ...]]:
        found = conform(members(self.rows), MEMBERS).select("member_id", *names).collect()
        return sorted(tuple(str(cell) for cell in row) for row in found)

    def outcomes(self) -> list[str]:
        found = self.rows.orderBy("_source_file", "_source_row").select("outcome").collect()
        return [row[0] for row in found]


def test_a_regular_delivery_tells_the_month_before_its_date(spark: SparkSession) -> None:
    """January's delivery tells December of the year before; a leap year's February has 29 days."""
    found = Enrolled(spark, ("240115", [person("M1")]), ("240301", [person("M1"), person("M2")]))
    assert found.covered() == [
        ("M1", "2023-12-01", "2023-12-31"),
        ("M1", "2024-02-01", "2024-02-29"),
        ("M2", "2024-02-01", "2024-02-29"),
    ]
    recorded = {
        (str(r[0]), str(r[1])) for r in coverage_records(found.rows).select("coverage_start", "recorded_on").collect()
    }
    assert recorded == {("2023-12-01", "2024-01-15"), ("2024-02-01", "2024-03-01")}


def test_a_run_out_delivery_opens_no_month_and_tells_a_death(spark: SparkSession) -> None:
    found = Enrolled(
        spark,
        ("240115", [person("M1")]),
        run_out=("240215", [person("M1", BENE_DEATH_DT="2023-12-20"), person("M9")]),
    )
    assert found.covered() == [("M1", "2023-12-01", "2023-12-31")]
    assert found.told("death_date") == [("M1", "2023-12-20"), ("M9", "None")]


def test_a_person_listed_several_times_is_covered_once(spark: SparkSession) -> None:
    """Once a hospice span, under a former id and the current one, or twice the same."""
    spans = [person("M1", BENE_RNG_BGN_DT="2022-01-01"), person("M1", BENE_RNG_BGN_DT="2022-03-01")]
    found = Enrolled(spark, ("220515", [*spans, spans[0], person("OLD"), person("NEW")]), changes="OLD | NEW")
    assert found.covered() == [("M1", "2022-04-01", "2022-04-30"), ("NEW", "2022-04-01", "2022-04-30")]
    assert found.outcomes() == ["accepted", "accepted", "duplicate", "accepted", "accepted"]


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("1", (True, False)), ("2", (False, True)), ("3", (True, True)), ("A", (True, False)), ("B", (False, True)),
        ("C", (True, True)), ("", (False, False)), ("0", None),
    ],
)  # fmt: skip
def test_the_buy_in_code_tells_parts_a_and_b(spark: SparkSession, code: str, parts: tuple[bool, bool] | None) -> None:
    """Who is listed with no code is covered by neither; 0 is not entitled."""
    found = coverage_records(Enrolled(spark, ("220515", [person("M1", code)])).rows).collect()
    assert [(r["has_part_a"], r["has_part_b"]) for r in found] == ([] if parts is None else [parts])


def test_the_last_delivery_that_tells_a_death_and_a_residence_counts(spark: SparkSession) -> None:
    """A corrected death may be earlier; a delivery that tells none takes nothing back."""
    found = Enrolled(
        spark,
        ("220415", [person("M1", BENE_DEATH_DT="2022-03-30", GEO_USPS_STATE_CD="RI")]),
        ("220515", [person("M1", BENE_DEATH_DT="2022-03-10", GEO_USPS_STATE_CD="MA")]),
        ("220615", [person("M1", GEO_USPS_STATE_CD="CT", BENE_FIPS_STATE_CD="09", BENE_FIPS_CNTY_CD="001")]),
    )
    assert found.told("death_date", "state", "county_fips", "sex", "birth_date") == [
        ("M1", "2022-03-10", "CT", "09001", "F", "1940-03-15")
    ]


def test_what_means_no_date_is_none_and_a_bad_one_is_a_reject(spark: SparkSession) -> None:
    found = Enrolled(
        spark,
        ("220515", [
            person("M1", BENE_DEATH_DT="1000-01-01"),
            person("M2", BENE_DEATH_DT="9999-12-31"),
            person("M3", BENE_DEATH_DT="2022-02-31"),
            person("M4", "Z"),
            person(""),
        ]),
    )  # fmt: skip
    assert found.told("death_date") == [("M1", "None"), ("M2", "None")]
    assert found.outcomes() == ["accepted", "accepted", "rejected", "rejected", "rejected"]
