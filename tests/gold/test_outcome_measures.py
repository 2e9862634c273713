"""Outcome measures: the worked example of payment and outcomes section 5 row by row, and each inclusion and exclusion."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from tests.outcomes import H2, World, claim, make, observation

JAN_TO_DEC = Decimal(72)
"""Six members, twelve months each."""


def example() -> World:
    return World(
        claims=[
            claim("1", "M1", "2022-02-01", "2022-02-05"),
            claim("2", "M1", "2022-02-20", "2022-02-24"),
            claim("3", "M2", "2022-03-01", "2022-03-04", discharge_status="02"),
            claim("4", "M2", "2022-03-04", "2022-03-10", facility_ccn=H2),
            claim("5", "M2", "2022-04-09", "2022-04-12"),
            claim("6a", "M3", "2022-05-01", "2022-05-31", bill_type="112", discharge_status="30"),
            claim("6b", "M3", "2022-06-01", "2022-06-08", bill_type="114"),
            claim("7", "M3", "2022-07-09", "2022-07-11"),
            claim("8", "M4", "2022-08-01", "2022-08-01"),
            claim("9", "M4", "2022-08-10", "2022-08-15", discharge_status="20"),
            observation("10", "M5", "2022-09-01", "2022-09-03"),
            claim("11", "M5", "2022-09-20", "2022-09-22"),
            claim("12", "M6", "2022-10-01", "2022-10-04"),
        ],
        births={"M6": date(1962, 1, 1)},
        deaths={"M4": date(2022, 8, 15)},
    )


def on(text: str) -> date:
    return date.fromisoformat(text)


@pytest.fixture(scope="module")
def made(spark: SparkSession):  # type: ignore[no-untyped-def]
    return make(spark, example())


def test_the_worked_example_hwr_like_row_by_row(made) -> None:  # type: ignore[no-untyped-def]
    assert made.reasons("hwr_like") == {
        ("M1", on("2022-02-01")): ("INDEX", True),
        ("M1", on("2022-02-20")): ("INDEX", False),
        ("M2", on("2022-03-01")): ("INDEX", True),
        ("M2", on("2022-04-09")): ("INDEX", False),
        ("M3", on("2022-05-01")): ("INDEX", False),
        ("M3", on("2022-07-09")): ("INDEX", False),
        ("M4", on("2022-08-01")): ("INDEX", True),
        ("M4", on("2022-08-10")): ("DIED", False),
        ("M5", on("2022-09-20")): ("INDEX", False),
        ("M6", on("2022-10-01")): ("UNDER_65", False),
    }


def test_the_worked_example_pcr_like_row_by_row(made) -> None:  # type: ignore[no-untyped-def]
    assert made.reasons("pcr_like") == {
        ("M1", on("2022-02-01")): ("INDEX", True),
        ("M1", on("2022-02-20")): ("INDEX", False),
        ("M2", on("2022-03-01")): ("INDEX", True),
        ("M2", on("2022-04-09")): ("INDEX", False),
        ("M3", on("2022-05-01")): ("INDEX", False),
        ("M3", on("2022-07-09")): ("INDEX", False),
        ("M4", on("2022-08-01")): ("SAME_DAY", True),
        ("M4", on("2022-08-10")): ("DIED", False),
        ("M5", on("2022-09-01")): ("INDEX", True),
        ("M5", on("2022-09-20")): ("INDEX", False),
        ("M6", on("2022-10-01")): ("INDEX", False),
    }


def test_the_worked_example_rates_and_intervals(made) -> None:  # type: ignore[no-untyped-def]
    rows = {r["measure"]: r for r in made.measures.where("level = 'network'").collect()}
    hwr, pcr = rows["readmissions_hwr_like"], rows["readmissions_pcr_like"]
    assert (hwr["numerator"], hwr["denominator"], hwr["rate"], hwr["unit"]) == (3, Decimal(8), 0.375, "share")
    assert (round(hwr["rate_low"], 6), round(hwr["rate_high"], 6)) == (0.136844, 0.694258)
    assert (pcr["numerator"], pcr["denominator"], round(pcr["rate"], 6)) == (3, Decimal(9), 0.333333)
    assert (round(pcr["rate_low"], 6), round(pcr["rate_high"], 6)) == (0.120584, 0.645798)
    admissions = rows["acute_admissions"]
    assert (admissions["numerator"], admissions["denominator"], admissions["unit"]) == (10, JAN_TO_DEC, "per_1000")
    assert {r["code_sets"] for r in (hwr, pcr)} == {"not supplied"}
    assert admissions["code_sets"] == "applied"
    assert all(r["is_small_cell"] for r in rows.values())
