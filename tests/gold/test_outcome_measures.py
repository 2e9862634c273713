"""Outcome measures: the worked example of payment and outcomes section 5 row by row, and each inclusion and exclusion."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.policy import Attribution, Eligibility, Outcomes, Policy
from tests.outcomes import (
    H2,
    NURSING,
    PSYCHIATRIC,
    Made,
    Row,
    World,
    claim,
    emergency,
    make,
    observation,
    together,
)  # fmt: skip

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
def made(spark: SparkSession) -> Made:
    return make(spark, example())


def test_the_worked_example_hwr_like_row_by_row(made: Made) -> None:
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


def test_the_worked_example_pcr_like_row_by_row(made: Made) -> None:
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


def test_the_worked_example_rates_and_intervals(made: Made) -> None:
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


LONG = claim("x", "M1", "2022-02-01", "2022-02-05")


def faults(spark: SparkSession, kind: str, cases: list[tuple[str, World]]) -> list[str]:
    """Cases whose episode has another reason; those that are told the same of all are made together."""
    groups: dict[Any, list[int]] = {}
    for place, (_, world) in enumerate(cases):
        groups.setdefault((tuple(world.codes), world.told, world.last_told_day), []).append(place)
    found = []
    for places in groups.values():
        reasons = make(spark, together([cases[place][1] for place in places])).reasons(kind)
        by_case = {int(member.partition(":")[0]): why for (member, _), (why, _) in reasons.items()}
        assert len(by_case) == len(reasons) == len(places)
        found += [
            f"case {place}: {by_case[at]}, not {cases[place][0]}"
            for at, place in enumerate(places)
            if by_case[at] != cases[place][0]
        ]
    return found


def first_reason(spark: SparkSession, kind: str, world: World, policy: Policy | None = None) -> str:
    """Of the world's only (or first) episode of the kind."""
    found = make(spark, world, policy).reasons(kind)
    return found[min(found, key=lambda key: key[1])][0]


def one(**more: Any) -> World:
    """One acute stay of M1, 1 to 5 February 2022, with what a test says more."""
    claims = more.pop("claims", None) or [{**LONG, **more.pop("stay", {})}]
    return World(claims=claims, **more)


def span(first: str, last: str, member: str = "M1", **more: Any) -> Row:
    return {"member_id": member, "span_start": on(first), "span_end": on(last), **more}


ICD10 = {"claim_id": "x", "position": 1, "member_id": "M1", "code": "C50", "code_system": "ICD-10-CM"}
FIRST_LISTED_AFTER = [{**ICD10, "position": 0, "code": "I10"}, ICD10]
"""The principal diagnosis is another one."""


HWR_CASES = [
    ("INDEX", one()),
    ("STILL_PATIENT", one(stay={"discharge_status": "30"})),
    ("DIED", one(stay={"discharge_status": "20"})),
    ("DIED", one(stay={"discharge_status": "41"})),
    ("DIED", one(deaths={"M1": date(2022, 2, 5)})),
    ("INDEX", one(deaths={"M1": date(2022, 2, 6)}, spans=[span("2020-01-01", "2022-02-06")])),
    ("NO_PART_A", one(deaths={"M1": date(2022, 2, 7)}, spans=[span("2020-01-01", "2022-02-06")])),
    ("LEFT_AGAINST_ADVICE", one(stay={"discharge_status": "07"})),
    ("INDEX", one(stay={"discharge_status": "02"})),
    ("UNDER_65", one(births={"M1": date(1957, 2, 2)})),
    ("INDEX", one(births={"M1": date(1957, 2, 1)})),
    ("UNDER_65", one(births={"M1": None})),
    ("NOT_TOLD", one(told=(date(2020, 1, 1), date(2022, 2, 1)))),
    ("INDEX", one(told=(date(2020, 1, 1), date(2022, 3, 1)))),
    ("NOT_TOLD", one(last_told_day=date(2022, 3, 6))),
    ("INDEX", one(last_told_day=date(2022, 3, 7))),
    ("INDEX", one(spans=[span("2021-02-01", "2022-03-07")])),
    ("NO_PART_A", one(spans=[span("2021-02-02", "2022-03-07")])),
    ("NO_PART_A", one(spans=[span("2021-02-01", "2022-03-06")])),
    ("NO_PART_A", one(spans=[span("2021-02-01", "2021-08-31"), span("2021-09-02", "2022-03-07")])),
    ("INDEX", one(spans=[span("2021-02-01", "2021-08-31", has_part_b=False), span("2021-09-01", "2022-03-07")])),
    (
        "NO_PART_A",
        one(spans=[span("2021-02-01", "2021-08-31", has_part_a=False), span("2021-09-01", "2022-03-07")]),
    ),
    (
        "NO_PART_A",
        one(spans=[span("2020-01-01", "2022-02-28"), span("2022-03-01", "2023-03-07", in_medicare_advantage=True)]),
    ),
    ("NO_PART_A", one(uncovered=("M1",))),
    ("EXCLUDED_CONDITION", one(diagnoses=[ICD10], codes=[("excluded_condition_hwr", "ICD-10-CM", "C50")])),
    ("INDEX", one(diagnoses=[ICD10], codes=[("excluded_condition_hwr", "ICD-9-CM", "C50")])),
    ("INDEX", one(diagnoses=[ICD10], codes=[("excluded_condition_pcr", "ICD-10-CM", "C50")])),
    ("INDEX", one(diagnoses=FIRST_LISTED_AFTER, codes=[("excluded_condition_hwr", "ICD-10-CM", "C50")])),
    ("EXCLUDED_HOSPITAL", one(codes=[("excluded_hospital_hwr", "CCN", "410001")])),
    ("INDEX", one(codes=[("excluded_hospital_hwr", "CCN", "410002")])),
    ("MONTH_NOT_ELIGIBLE", one(not_eligible={("M1", date(2022, 2, 1))})),
    ("INDEX", one(not_eligible={("M1", date(2022, 1, 1))})),
]


def test_each_inclusion_and_exclusion_of_the_hwr_like_measure(spark: SparkSession) -> None:
    assert faults(spark, "hwr_like", HWR_CASES) == []


PREGNANCY = [{**ICD10, "code": "O80"}]
OF_PREGNANCY = [("excluded_condition_pcr", "ICD-10-CM", "O80")]
MANAGED = [span("2020-01-01", "2021-10-31"), span("2021-11-01", "2024-12-31", in_medicare_advantage=True)]


PCR_CASES = [
    ("INDEX", one()),
    ("INDEX", one(stay={"discharge_status": "07"})),
    ("AFTER_1_DECEMBER", one(claims=[claim("x", "M1", "2022-11-30", "2022-12-02")])),
    ("INDEX", one(claims=[claim("x", "M1", "2022-11-29", "2022-12-01")])),
    ("STILL_PATIENT", one(stay={"discharge_status": "30"})),
    ("DIED", one(stay={"discharge_status": "40"})),
    ("SAME_DAY", one(claims=[claim("x", "M1", "2022-02-05", "2022-02-05")])),
    ("UNDER_18", one(births={"M1": date(2004, 2, 6)})),
    ("INDEX", one(births={"M1": date(2004, 2, 5)})),
    ("NOT_TOLD", one(told=(date(2020, 1, 1), date(2022, 2, 1)))),
    ("INDEX", one(spans=[span("2021-02-05", "2022-03-07")])),
    ("INDEX", one(spans=[span("2021-03-22", "2022-03-07")])),
    ("NOT_ENROLLED", one(spans=[span("2021-03-23", "2022-03-07")])),
    ("NOT_ENROLLED", one(spans=[span("2021-02-05", "2022-03-06")])),
    ("INDEX", one(spans=[span("2021-02-05", "2021-06-30"), span("2021-08-15", "2022-03-07")])),
    ("NOT_ENROLLED", one(spans=[span("2021-02-05", "2021-06-30"), span("2021-08-16", "2022-03-07")])),
    (
        "NOT_ENROLLED",
        one(
            spans=[
                span("2021-02-05", "2021-06-30"),
                span("2021-07-02", "2021-08-31"),
                span("2021-09-02", "2022-03-07"),
            ]
        ),
    ),
    ("NOT_ENROLLED", one(spans=[span("2021-02-06", "2021-06-30"), span("2021-07-02", "2022-03-07")])),
    ("NOT_ENROLLED", one(spans=[span("2020-01-01", "2022-02-04"), span("2022-02-06", "2022-03-07")])),
    ("INDEX", one(spans=[span("2020-01-01", "2022-02-03"), span("2022-02-05", "2022-03-07")])),
    ("NOT_ENROLLED", one(spans=MANAGED)),
    ("NOT_ENROLLED", one(uncovered=("M1",))),
    ("EXCLUDED_CONDITION", one(diagnoses=PREGNANCY, codes=OF_PREGNANCY)),
    ("INDEX", one(diagnoses=PREGNANCY, codes=[("excluded_condition_hwr", "ICD-10-CM", "O80")])),
    ("MONTH_NOT_ELIGIBLE", one(not_eligible={("M1", date(2022, 2, 1))})),
]


def test_each_inclusion_and_exclusion_of_the_pcr_like_measure(spark: SparkSession) -> None:
    assert faults(spark, "pcr_like", PCR_CASES) == []


def with_outcomes(**settings: Any) -> Policy:
    return Policy("p", outcomes=Outcomes(**settings))


def test_the_pcr_like_measure_by_its_settings(spark: SparkSession) -> None:
    aged_65 = one(births={"M1": date(1957, 2, 5)})
    assert first_reason(spark, "pcr_like", aged_65, with_outcomes(pcr_max_age=64)) == "OVER_MAX_AGE"
    aged_64 = one(births={"M1": date(1957, 2, 6)})
    assert first_reason(spark, "pcr_like", aged_64, with_outcomes(pcr_max_age=64)) == "INDEX"
    gap = one(spans=[span("2021-02-05", "2021-06-30"), span("2021-07-02", "2022-03-07")])
    assert first_reason(spark, "pcr_like", gap, with_outcomes(pcr_gap_days=0)) == "NOT_ENROLLED"
    payer = Policy("p", Eligibility(part_a_b="none"))
    assert first_reason(spark, "pcr_like", one(spans=MANAGED), payer) == "INDEX"
    often = [claim(str(month), "M1", f"2022-0{month}-01", f"2022-0{month}-03") for month in (1, 4, 7)]
    for most, reason in ((3, "OUTLIER_MEMBER"), (4, "INDEX")):
        made = make(spark, World(often), with_outcomes(pcr_outlier_stays=most))
        assert {why for why, _ in made.reasons("pcr_like").values()} == {reason}
        assert {why for why, _ in made.reasons("hwr_like").values()} == {"INDEX"}


def test_without_parts_of_medicare_any_coverage_counts(spark: SparkSession) -> None:
    payer = Policy("p", Eligibility(part_a_b="none"))
    without_a = [span("2020-01-01", "2024-12-31", has_part_a=False)]
    assert first_reason(spark, "hwr_like", one(spans=without_a), payer) == "INDEX"
    assert first_reason(spark, "hwr_like", one(spans=[span("2021-06-01", "2024-12-31")]), payer) == "NO_PART_A"


def two(first: str, last: str, **more: Any) -> World:
    """The stay of M1 until 5 February 2022, and another."""
    return World([LONG, claim("y", "M1", first, last, **more)])


CHAINS: list[tuple[World, list[bool], list[bool]]] = [
    (two("2022-02-06", "2022-02-08"), [True, False], [False]),
    (two("2022-02-07", "2022-02-08"), [True, False], [True, False]),
    (two("2022-03-07", "2022-03-08"), [True, False], [True, False]),
    (two("2022-03-08", "2022-03-09"), [False, False], [False, False]),
    (two("2022-02-06", "2022-02-08", facility_ccn=H2), [False], [False]),
    (two("2022-02-05", "2022-02-08", facility_ccn=H2), [False], [False]),
    (two("2022-02-03", "2022-02-08", facility_ccn=H2), [False], [False]),
    (two("2022-02-05", "2022-02-08"), [False], [False]),
    (two("2022-02-20", "2022-02-22", facility_ccn=PSYCHIATRIC), [False], [False]),
    (two("2022-02-20", "2022-02-22", discharge_status="30"), [True, False], [True, False]),
    (two("2022-02-20", "2022-02-20"), [True, False], [True, False]),
]
"""A second stay, and whether each episode of either kind is readmitted."""


def test_what_is_one_episode_and_what_a_readmission(spark: SparkSession) -> None:
    made = make(spark, together([world for world, _, _ in CHAINS]))
    for kind, at in (("hwr_like", 1), ("pcr_like", 2)):
        reasons = made.reasons(kind)
        for place, case in enumerate(CHAINS):
            keys = sorted(key for key in reasons if key[0] == f"{place}:M1")
            assert [reasons[key][1] for key in keys] == case[at], (kind, place)


def test_only_the_next_episode_is_looked_at_and_a_planned_one_ends_the_search(spark: SparkSession) -> None:
    claims = [
        LONG,
        claim("y", "M1", "2022-02-10", "2022-02-12", drg="470"),
        claim("z", "M1", "2022-02-20", "2022-02-22"),
    ]
    unplanned = make(spark, World(claims))
    planned = make(spark, World(claims, codes=[("planned_drg", "MS-DRG", "470")]))
    for kind in ("hwr_like", "pcr_like"):
        assert [again for _, again in unplanned.reasons(kind).values()].count(True) == 2
        found = planned.reasons(kind)
        assert [found[key][1] for key in sorted(found)] == [False, True, False]


ALGORITHM = [
    ("planned_always_procedure", "ICD-10-PCS", "0FY00Z0"),
    ("planned_always_diagnosis", "ICD-10-CM", "Z5111"),
    ("planned_potential_procedure", "ICD-10-PCS", "0SR9019"),
    ("acute_diagnosis", "ICD-10-CM", "S72001A"),
]


PLANNED = [
    ("0FY00Z0", "S72001A", True),
    ("", "Z5111", True),
    ("0SR9019", "M1611", True),
    ("0SR9019", "S72001A", False),
    ("0SR9019", "", True),
    ("", "M1611", False),
]
"""A procedure and the principal diagnosis of a next stay, and whether it is planned."""


def test_the_algorithm_of_planned_readmissions_goes_before_drgs(spark: SparkSession) -> None:
    worlds = []
    for procedure, diagnosis, _ in PLANNED:
        of_claim = {"claim_id": "y", "position": 1, "member_id": "M1"}
        world = two("2022-02-20", "2022-02-22", drg="470")
        world.procedures = [{**of_claim, "code": procedure, "code_system": "ICD-10-PCS"}] if procedure else []
        world.diagnoses = [{**of_claim, "code": diagnosis, "code_system": "ICD-10-CM"}] if diagnosis else []
        world.codes = [*ALGORITHM, ("planned_drg", "MS-DRG", "470")]
        worlds.append(world)
    found = make(spark, together(worlds)).reasons("hwr_like")
    again = [found[f"{place}:M1", on("2022-02-01")] for place in range(len(PLANNED))]
    assert again == [("INDEX", not is_planned) for _, _, is_planned in PLANNED]


def test_code_sets_are_applied_where_every_set_of_the_measure_is_there(spark: SparkSession) -> None:
    conditions = [("excluded_condition_hwr", "ICD-10-CM", "C50"), ("excluded_hospital_hwr", "CCN", "419999")]

    def told(codes: list[tuple[str, str, str]]) -> tuple[str, str]:
        rows = make(spark, one(codes=codes)).measures.where("level = 'network'").collect()
        by_measure = {r["measure"]: r["code_sets"] for r in rows}
        assert by_measure["primary_care_visits"] == by_measure["ed_visits"] == "applied"
        return by_measure["readmissions_hwr_like"], by_measure["readmissions_pcr_like"]

    drgs = [("planned_drg", "MS-DRG", "470")]
    assert told(conditions) == ("not supplied", "not supplied")
    assert told([*conditions, *drgs]) == ("applied", "not supplied")
    assert told([*conditions, *ALGORITHM, *OF_PREGNANCY]) == ("applied", "applied")
    assert told([*conditions, *ALGORITHM[:3], *OF_PREGNANCY]) == ("not supplied", "not supplied")


def visit(member: str, day: str, npi: str = "D1", hcpcs: str = "99213", **more: Any) -> Row:
    texts = dict.fromkeys(("tin", "ccn", "specialty", "place_of_service"), "")
    flags = dict.fromkeys(("in_snf", "in_inpatient", "has_base_code"), False)
    told = {"member_id": member, "service_date": on(day), "npi": npi, "hcpcs": hcpcs, "line_kind": "professional"}
    return {**texts, **flags, "allowed_amount": Decimal(1), "visits": 1, **told, **more}


def test_follow_up_is_a_primary_care_service_on_day_1_to_14_of_a_discharge_alive(spark: SparkSession) -> None:
    stays = {
        "M1": ("01", ["2022-02-06"], True),
        "M2": ("01", ["2022-02-19"], True),
        "M3": ("01", ["2022-02-20", "2022-02-05"], False),
        "M4": ("01", [], False),
        "M5": ("20", ["2022-02-06"], None),
        "M6": ("30", ["2022-02-06"], None),
        "M7": ("07", ["2022-02-06"], None),
        "M8": ("02", ["2022-02-10"], True),
    }
    claims = [claim(m, m, "2022-02-01", "2022-02-05", discharge_status=s) for m, (s, _, _) in stays.items()]
    claims.append(claim("again", "M4", "2022-02-08", "2022-02-09"))  # in between: both stay in
    visits = [visit(member, day) for member, (_, days, _) in stays.items() for day in days]
    visits += [visit("M4", "2022-02-07", hcpcs="99283"), visit("M4", "2022-02-07", line_kind="other_outpatient")]
    seen = [is_seen for _, _, is_seen in stays.values() if is_seen is not None]
    made = make(spark, World(claims, visits=visits))
    assert made.figures()["N1", "followup_14_days"] == (seen.count(True), Decimal(len(seen) + 1))
    short = make(spark, World(claims, visits=visits, last_told_day=date(2022, 2, 18)))
    assert ("N1", "followup_14_days") not in short.figures()
    just = make(spark, World(claims, visits=visits, last_told_day=date(2022, 2, 19)))
    assert just.figures()["N1", "followup_14_days"] == (seen.count(True), Decimal(len(seen)))


def test_primary_care_visits_are_of_member_day_and_npi_in_the_policys_code_set(spark: SparkSession) -> None:
    visits = [
        visit("M1", "2022-03-01"),
        visit("M1", "2022-03-01", hcpcs="99214"),  # the same visit
        visit("M1", "2022-03-01", npi="D2"),
        visit("M1", "2022-03-02"),
        visit("M1", "2022-03-03", hcpcs="99283"),  # not in the set
        visit("M1", "2022-03-04", line_kind="other_outpatient"),
        visit("M1", "2022-03-05", npi="", line_kind="clinic"),
        visit("M1", "2022-04-01"),  # a month that does not count
        visit("M1", "2021-03-01"),  # another year
        visit("M2", "2022-03-01"),
    ]
    world = World([], visits=visits, not_eligible={("M1", date(2022, 4, 1))})
    assert make(spark, world).figures()["N1", "primary_care_visits"] == (5, Decimal(23))
    by_list = Policy("p", attribution=Attribution(method="roster"))
    assert make(spark, world, by_list).figures()["N1", "primary_care_visits"] == (5, Decimal(23))


def test_emergency_visits_are_persons_and_days_without_those_of_an_acute_stay(spark: SparkSession) -> None:
    claims = [
        LONG,
        emergency("a", "M1", "2022-01-31"),
        emergency("b", "M1", "2022-01-31"),  # the same day
        emergency("c", "M1", "2022-02-01"),  # the day of admission
        emergency("d", "M1", "2022-02-03"),
        emergency("e", "M1", "2022-02-05"),  # the day of discharge
        emergency("f", "M1", "2022-02-06"),
        emergency("g", "M2", "2022-02-03"),
        claim("h", "M2", "2022-05-01", "2022-05-04", facility_ccn=PSYCHIATRIC),
        emergency("i", "M2", "2022-05-02"),  # in no acute stay
        observation("j", "M2", "2022-06-01", "2022-06-03"),
        emergency("k", "M2", "2022-06-02"),
        claim("l", "M3", "2022-12-30", "2023-01-03"),
        emergency("m", "M3", "2022-12-30"),
        emergency("n", "M3", "2022-12-29", is_denied=True),
        emergency("o", "M2", "2022-07-01"),  # a month that does not count
    ]
    world = World(claims, not_eligible={("M2", date(2022, 7, 1))})
    assert make(spark, world).figures()["N1", "ed_visits"] == (5, Decimal(35))
    assert make(spark, world, with_outcomes(ed_admitted="include")).figures()["N1", "ed_visits"] == (9, Decimal(35))


def test_admissions_are_episodes_index_or_not_in_the_month_of_their_last_day(spark: SparkSession) -> None:
    claims = [
        claim("a", "M1", "2022-01-30", "2022-02-02"),  # ends in a month that does not count
        claim("b", "M1", "2022-03-01", "2022-03-03", facility_ccn=H2),
        claim("c", "M1", "2022-03-04", "2022-03-09"),  # a transfer
        claim("d", "M2", "2022-03-01", "2022-03-31", discharge_status="30"),
        claim("e", "M2", "2021-12-30", "2022-01-03"),
        claim("f", "M2", "2022-12-30", "2023-01-03"),  # of the year after
        claim("g", "M2", "2022-06-01", "2022-06-03", facility_ccn=NURSING),
    ]
    world = World(claims, not_eligible={("M1", date(2022, 2, 1))})
    made = make(spark, world, years=(2022,))
    assert made.figures()["N1", "acute_admissions"] == (3, Decimal(23))
    apart = World([LONG, claim("y", "M1", "2022-02-05", "2022-02-09")])
    assert make(spark, apart).figures()["N1", "acute_admissions"] == (1, Decimal(12))
    separate = make(spark, apart, with_outcomes(same_day_same_hospital="separate"))
    assert separate.figures()["N1", "acute_admissions"] == (2, Decimal(12))
    assert [again for _, again in separate.reasons("hwr_like").values()] == [False, False]  # day 0


def test_physicians_add_up_to_their_network_and_a_measure_without_a_denominator_has_no_row(spark: SparkSession) -> None:
    whose = {"M1": ("N1", "P1"), "M2": ("N1", "P2"), "M3": ("N2", "P1"), "M4": ("UNATTRIBUTED", "UNATTRIBUTED")}
    claims = [claim(m, m, "2022-02-01", "2022-02-05") for m in ("M1", "M2", "M4")]
    made = make(spark, World(claims, whose=whose, others=("M3",)))
    networks = made.figures()
    assert networks["N1", "readmissions_hwr_like"] == (0, Decimal(2))
    assert networks["UNATTRIBUTED", "readmissions_hwr_like"] == (0, Decimal(1))
    assert networks["N2", "acute_admissions"] == (0, Decimal(12))
    assert not {measure for network, measure in networks if network == "N2"} & {
        "readmissions_hwr_like", "readmissions_pcr_like", "followup_14_days",
    }  # fmt: skip
    rows = made.measures.collect()
    for row in rows:
        if row["level"] == "network":
            same = [r for r in rows if r["level"] == "physician" and r["network_id"] == row["network_id"]]
            same = [r for r in same if r["measure"] == row["measure"]]
            assert sum(r["numerator"] for r in same) == row["numerator"]
            assert sum(r["denominator"] for r in same) == row["denominator"]


def test_the_interval_of_a_count_and_the_flag_of_few_members(spark: SparkSession) -> None:
    members = [f"M{number:02}" for number in range(11)]
    claims = [claim(f"{m} {n}", m, f"2022-0{n}-01", f"2022-0{n}-02") for m in members for n in (1, 4, 7)][:30]
    rows = {r["measure"]: r for r in make(spark, World(claims, others=tuple(members))).measures.collect()}
    found = rows["acute_admissions"]
    assert (found["numerator"], found["denominator"]) == (30, Decimal(132))
    square, scale = 1.959964**2, 12000 / 132
    middle, reach = 30 + square / 2, 1.959964 * math.sqrt(30 + square / 4)
    assert found["rate"] == pytest.approx(30 * scale)
    assert (found["rate_low"], found["rate_high"]) == pytest.approx(
        ((middle - reach) * scale, (middle + reach) * scale)
    )
    assert not found["is_small_cell"]  # eleven members
    assert rows["readmissions_hwr_like"]["is_small_cell"]  # stays of ten of them
