"""Hospital stays: which claims are one stay, what they are called, and what becomes of bad input."""

from __future__ import annotations

import hashlib
import random
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.model import CLAIM_DIAGNOSES, CLAIM_PROCEDURES, FINAL_CLAIM_LINES
from pmpm_spark.policy import Outcomes, Policy
from pmpm_spark.reference import OUTCOME_CODE_SETS, reference_rows
from pmpm_spark.silver.hospital_claims import HOSPITAL_CLAIMS, hospital_claims
from pmpm_spark.silver.hospital_stays import HOSPITAL_STAYS, hospital_stays
from tests.outcomes import H1, H2, NURSING, PSYCHIATRIC, Row, as_frame, claim, emergency, observation, stored

MERGE, SEPARATE = Policy("m"), Policy("s", outcomes=Outcomes(same_day_same_hospital="separate"))


def claims_of(spark: SparkSession, lines: list[Row]) -> Any:
    none = [as_frame(spark, table, []) for table in (CLAIM_DIAGNOSES, CLAIM_PROCEDURES, OUTCOME_CODE_SETS)]
    built = hospital_claims(
        as_frame(spark, FINAL_CLAIM_LINES, lines), *none, outcome_code_sets=reference_rows(OUTCOME_CODE_SETS)
    )
    return stored(spark, HOSPITAL_CLAIMS, built)


def stays_of(spark: SparkSession, lines: list[Row], policy: Policy = MERGE) -> list[tuple[str, str, str, str, int]]:
    """First and last day, hospital, status and number of claims of each stay."""
    built = stored(spark, HOSPITAL_STAYS, hospital_stays(claims_of(spark, lines), policies=(policy,)))
    rows = built.orderBy("first_day", "last_day", "facility_ccn").collect()
    names = ("first_day", "last_day", "facility_ccn", "discharge_status", "claims")
    return [tuple(r[n].isoformat() if n.endswith("day") else r[n] for n in names) for r in rows]  # type: ignore[misc]


def test_claims_that_share_a_day_are_one_stay_and_the_last_one_gives_the_status(spark: SparkSession) -> None:
    lines = [
        claim("a", "M1", "2022-01-01", "2022-01-10", discharge_status="02"),
        claim("b", "M1", "2022-01-05", "2022-01-07", discharge_status="20"),
        claim("c", "M1", "2022-01-10", "2022-01-12", discharge_status="03"),
        claim("d", "M1", "2022-01-13", "2022-01-14"),
    ]
    assert stays_of(spark, lines) == [
        ("2022-01-01", "2022-01-12", H1, "03", 3),
        ("2022-01-13", "2022-01-14", H1, "01", 1),
    ]


def test_of_two_claims_that_end_on_one_day_the_highest_id_gives_the_status(spark: SparkSession) -> None:
    lines = [
        claim("b", "M1", "2022-01-01", "2022-01-10", discharge_status="02"),
        claim("a", "M1", "2022-01-01", "2022-01-10", discharge_status="06"),
    ]
    assert stays_of(spark, lines) == [("2022-01-01", "2022-01-10", H1, "02", 2)]


def test_a_status_of_one_digit_has_its_leading_zero(spark: SparkSession) -> None:
    told = {"a": "7", "b": "07", "c": "20", "d": "0", "e": "", "f": "7X"}
    lines = [
        claim(name, "M1", f"2022-0{place}-01", f"2022-0{place}-03", discharge_status=status)
        for place, (name, status) in enumerate(told.items(), start=1)
    ]
    found = {row["claim_id"]: row["discharge_status"] for row in claims_of(spark, lines).collect()}
    assert found == {**told, "a": "07", "d": "00"}


def test_back_in_one_hospital_on_the_day_of_discharge_is_one_stay_or_by_the_setting_two(spark: SparkSession) -> None:
    lines = [
        claim("a", "M1", "2022-01-01", "2022-01-05"),
        claim("b", "M1", "2022-01-05", "2022-01-09"),
        claim("c", "M1", "2022-01-09", "2022-01-11", facility_ccn=H2),
    ]
    elsewhere = ("2022-01-09", "2022-01-11", H2, "01", 1)
    assert stays_of(spark, lines) == [("2022-01-01", "2022-01-09", H1, "01", 2), elsewhere]
    assert stays_of(spark, lines, SEPARATE) == [
        ("2022-01-01", "2022-01-05", H1, "01", 1),
        ("2022-01-05", "2022-01-09", H1, "01", 1),
        elsewhere,
    ]


def test_apart_too_an_overlap_of_days_an_interim_bill_and_one_admission_are_one_stay(spark: SparkSession) -> None:
    overlap = [claim("a", "M1", "2022-01-01", "2022-01-05"), claim("b", "M1", "2022-01-04", "2022-01-09")]
    interim = [
        claim("c", "M2", "2022-01-01", "2022-01-31", discharge_status="30"),
        claim("d", "M2", "2022-01-31", "2022-02-03"),
    ]
    admission = [claim("e", "M3", "2022-01-01", "2022-01-01"), claim("f", "M3", "2022-01-01", "2022-01-04")]
    assert [s[-1] for s in stays_of(spark, [*overlap, *interim, *admission], SEPARATE)] == [2, 2, 2]


def test_interim_bills_are_chained_by_the_next_day_and_one_without_its_last_is_still_a_patient(
    spark: SparkSession,
) -> None:
    still: Row = {"discharge_status": "30"}
    lines = [
        claim("a", "M1", "2022-01-01", "2022-01-31", bill_type="112", **still),
        claim("b", "M1", "2022-02-01", "2022-02-28", bill_type="113", **still),
        claim("c", "M1", "2022-03-02", "2022-03-04", bill_type="114"),
    ]
    assert stays_of(spark, lines) == [
        ("2022-01-01", "2022-02-28", H1, "30", 2),
        ("2022-03-02", "2022-03-04", H1, "01", 1),
    ]
    built = hospital_stays(claims_of(spark, lines), policies=(MERGE,))
    assert {(r["claims"], r["is_still_patient"]) for r in built.collect()} == {(2, True), (1, False)}


def test_an_end_before_the_start_makes_no_stay_and_is_listed(spark: SparkSession) -> None:
    lines = [
        claim("a", "M1", "2022-01-05", "2022-01-04"),
        claim("b", "M1", "2022-01-04", "2022-01-06"),
        observation("c", "M2", "2022-01-05", "2022-01-04"),
    ]
    assert stays_of(spark, lines) == [("2022-01-04", "2022-01-06", H1, "01", 1)]
    listed = claims_of(spark, lines).where("no_stay_reason = 'END_BEFORE_START'").collect()
    assert {r["claim_id"] for r in listed} == {"a", "c"}


def test_days_are_of_admission_and_discharge_else_of_service(spark: SparkSession) -> None:
    def without(claim_id: str, *names: str) -> Row:
        row = claim(claim_id, claim_id, "2022-01-01", "2022-01-09")
        row |= {"service_from": date(2022, 1, 3), "service_thru": date(2022, 1, 7)}
        return {**row, **dict.fromkeys(names)}

    lines = [
        without("a"),
        without("b", "admission_date"),
        without("c", "discharge_date"),
        without("d", "admission_date", "discharge_date", "service_from"),
    ]
    assert sorted(s[:2] for s in stays_of(spark, lines)) == [
        ("2022-01-01", "2022-01-07"),
        ("2022-01-01", "2022-01-09"),
        ("2022-01-03", "2022-01-09"),
        ("2022-01-07", "2022-01-07"),
    ]


def test_which_claims_make_a_stay(spark: SparkSession) -> None:
    lines = [
        claim("a", "M1", "2022-01-01", "2022-01-02"),
        claim("b", "M2", "2022-01-01", "2022-01-02", bill_type="411"),
        claim("c", "M3", "2022-01-01", "2022-01-02", bill_type=None),
        claim("d", "M4", "2022-01-01", "2022-01-02", bill_type="121"),
        claim("e", "M5", "2022-01-01", "2022-01-02", is_denied=True),
        claim("f", "M6", "2022-01-01", "2022-01-02", claim_type="snf", bill_type="211"),
        observation("g", "M7", "2022-01-01", "2022-01-02"),
        observation("h", "M8", "2022-01-01", "2022-01-02", revenue_code="0510", hcpcs="G0378"),
        observation("i", "M9", "2022-01-01", "2022-01-02", revenue_code="0510"),
        emergency("j", "M9", "2022-01-03"),
    ]
    found = claims_of(spark, lines).collect()
    assert {r["claim_id"] for r in found if r["is_stay"]} == {"a", "b", "c"}
    assert {r["claim_id"] for r in found if r["is_observation"]} == {"g", "h"}
    assert {r["claim_id"] for r in found if r["is_emergency"]} == {"j"}
    assert len(stays_of(spark, lines)) == 3


@pytest.mark.parametrize(
    ("ccn", "setting"),
    [
        ("410001", "acute"), ("410879", "acute"), ("411300", "acute"), ("411399", "acute"), ("", "acute"),
        ("410880", "not_acute"), ("410000", "not_acute"), ("411400", "not_acute"), (PSYCHIATRIC, "not_acute"),
        (NURSING, "not_acute"), ("41S001", "not_acute"), ("41Z300", "not_acute"), ("41T012", "not_acute"),
    ],
)  # fmt: skip
def test_what_is_an_acute_hospital(spark: SparkSession, ccn: str, setting: str) -> None:
    claims = claims_of(spark, [claim("a", "M1", "2022-01-01", "2022-01-02", facility_ccn=ccn or None)])
    assert [r["setting"] for r in hospital_stays(claims, policies=(MERGE,)).collect()] == [setting]


def test_the_id_is_of_member_hospital_and_first_day_alone(spark: SparkSession) -> None:
    lines = [claim("a", "M1", "2022-01-01", "2022-01-05")]
    later = [*lines, claim("z", "M1", "2022-01-04", "2022-01-09", discharge_status="20")]
    expected = hashlib.sha256(f"M1|{H1}|2022-01-01".encode()).hexdigest()[:32]
    for told in (lines, later):
        built = hospital_stays(claims_of(spark, told), policies=(MERGE,))
        assert [r["stay_id"] for r in built.collect()] == [expected]
    blank = hospital_stays(
        claims_of(spark, [claim("a", "M1", "2022-01-01", "2022-01-05", facility_ccn=None)]), policies=(MERGE,)
    )
    assert [r["stay_id"] for r in blank.collect()] == [hashlib.sha256(b"M1||2022-01-01").hexdigest()[:32]]


def plainly(lines: list[Row], merge: bool) -> set[tuple[str, str, date, date, frozenset[str]]]:
    """Stays by joining every two claims that belong together, until nothing is joined any more."""
    groups: list[list[Row]] = []
    for line in lines:
        near = [g for g in groups if any(_one_stay(line, other, merge) for other in g)]
        groups = [g for g in groups if g not in near] + [[line, *(one for g in near for one in g)]]
    return {
        (
            g[0]["member_id"],
            g[0]["facility_ccn"],
            min(c["admission_date"] for c in g),
            max(c["discharge_date"] for c in g),
            frozenset(c["claim_id"] for c in g),
        )
        for g in groups
    }


def _one_stay(one: Row, other: Row, merge: bool) -> bool:
    if (one["member_id"], one["facility_ccn"]) != (other["member_id"], other["facility_ccn"]):
        return False
    first, second = sorted((one, other), key=lambda c: (c["admission_date"], c["discharge_date"], c["claim_id"]))
    days = (second["admission_date"] - first["discharge_date"]).days
    if first["admission_date"] == second["admission_date"]:
        return True
    if first["discharge_status"] == "30" and days <= 1:
        return True
    return days <= 0 if merge else days < 0


@pytest.mark.parametrize("policy", [MERGE, SEPARATE], ids=lambda p: p.outcomes.same_day_same_hospital)
def test_generated_claims_make_the_stays_that_pairs_of_them_make(spark: SparkSession, policy: Policy) -> None:
    draw = random.Random(11)
    lines = []
    for member in range(300):
        for _ in range(draw.randint(1, 9)):
            first = date(2022, 1, 1) + timedelta(days=draw.randint(0, 60))
            last = first + timedelta(days=draw.choice((0, 1, 3, 8, 20)))
            status = draw.choice(("01", "01", "30"))
            more = {"facility_ccn": draw.choice((H1, H1, H2, "")), "discharge_status": status}
            lines.append(claim(f"C{len(lines):05}", f"M{member}", first.isoformat(), last.isoformat(), **more))
    expected = plainly(lines, policy.outcomes.same_day_same_hospital == "merge")
    built = stored(spark, HOSPITAL_STAYS, hospital_stays(claims_of(spark, lines), policies=(policy,)))
    found = {(r["member_id"], r["facility_ccn"], r["first_day"], r["last_day"], r["claims"]) for r in built.collect()}
    assert found == {(*stay[:4], len(stay[4])) for stay in expected}
    assert len(expected) > 600
