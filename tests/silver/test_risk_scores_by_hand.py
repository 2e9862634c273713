"""Risk scores by hand: whose diagnoses count, who is scored how, categories, factors, sums, blends and roundings."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.model import CLAIM_DIAGNOSES, COVERAGE_RECORDS, FINAL_CLAIM_LINES, MEMBERS, SUPPLIED_RISK_SCORES
from pmpm_spark.policy import Policy, Risk
from pmpm_spark.reference import reference_rows
from pmpm_spark.reference.hcc import HCC_BLENDS, HCC_NORMALIZATION, HCC_TABLES
from pmpm_spark.risk_checks import check_models, risk_notices
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from pmpm_spark.silver.member_hccs import MEMBER_HCCS, member_hccs
from pmpm_spark.silver.member_years import chosen_scores
from pmpm_spark.silver.risk_diagnoses import RISK_DIAGNOSES, risk_diagnoses
from pmpm_spark.silver.risk_factors import RISK_FACTORS, risk_factors
from pmpm_spark.silver.risk_profiles import RISK_PROFILES, risk_profiles
from pmpm_spark.silver.risk_scores import RISK_SCORES, risk_scores
from pmpm_spark.silver.risk_scores_by_month import RISK_SCORES_BY_MONTH, risk_scores_by_month
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.store import Store
from pmpm_spark.table import conform
from tests.drawn_hcc import Person, by_package
from tests.tables import assert_table, frame

COMPUTED = (Policy("p", risk=Risk(scores="computed", by_month=True)),)
RULES = {table.short_name: reference_rows(table) for table in HCC_TABLES}


def rules(*names):
    return {f"hcc_{name}": RULES[f"hcc_{name}"] for name in names}


# --- published scores ---

PUBLISHED = """
    V28    | 70 | M | 0 | none | community     |                     | 0.396
    V28    | 67 | F | 0 | none | community     | E119                | 0.496
    V28    | 70 | F | 0 | none | community     | E119 I5022 N1830    | 1.336
    V28    | 72 | M | 0 | none | community     | E119 I509 J449      | 1.431
    V28    | 72 | F | 0 | full | community     | E119 I5022          | 1.281
    V28    | 62 | M | 1 | none | community     | E1122 N186 I120     | 1.463
    V28    | 82 | F | 0 | none | institutional | G309 L89159         | 0.862
    V28    | 67 | F | 0 | none | new           | E119                | 0.557
    V24    | 67 | F | 0 | none | community     | E119 I509           | 0.880
    V24    | 72 | M | 0 | none | community     | E1169 I509 J449     | 1.638
    V24    | 67 | M | 0 | none | community     |                     | 0.308
    V24    | 67 | M | 0 | none | community     | N183                | 0.308
"""


def test_the_published_scores_come_out_one_by_one(spark):
    people, expected = [], []
    for number, line in enumerate(PUBLISHED.strip().splitlines()):
        model, age, sex, reason, dual, kind, codes, score = [cell.strip() for cell in line.split("|")]
        is_new, is_institutional = kind == "new", kind == "institutional"
        person = Person(
            str(number), model, "*", int(age), sex, reason, dual, is_new, is_institutional, None, tuple(codes.split())
        )
        people.append(person)
        expected.append(float(score))
    scores = by_package(spark, people)
    assert [round(scores[person.member_id][0], 6) for person in people] == expected
    assert scores["2"][1] == {"38", "226", "329"}


GRAFTS = """
    ESRD V24 | 70 | F | 2 | none    | new       | 5  | 0.688 + 2.529         | 0.905 | 3.555
    ESRD V24 | 70 | F | 1 | full    | new       | 12 | 2.004 + 1.279         | 0.698 | 4.703
    ESRD V24 | 40 | M | 1 | partial | new       | 9  | 0.663 + 1.737         | 0.905 | 2.652
    ESRD V24 | 64 | M | 0 | none    | new       | 10 | 0.562 + 0.905         | 0.698 | 2.102
    ESRD V24 | 64 | M | 2 | none    | new       | 10 | 1.048 + 0.335         | 0.698 | 1.981
    ESRD V24 | 70 | F | 0 | partial | community | 10 | 0.359 + 0.905 + 0.162 | 1     | 1.426
    ESRD V21 | 64 | F | 0 | none    | new       | 4  | 0.520 + 2.562         | 1     | 3.082
"""


def test_the_sum_of_a_new_enrollee_with_a_graft_is_divided_and_rounded_and_takes_no_addition_for_partial_medicaid(
    spark,
):
    """Cell and months since the transplant (the ages of the cell: 64 and entitled by age is 65), over ACTADJ of the months,
    as CMS's E2423T1M; ESRD V21, and who is no new enrollee, is not divided."""
    people, expected = [], []
    for number, line in enumerate(GRAFTS.strip().splitlines()):
        model, age, sex, reason, dual, kind, months, _, _, score = [part.strip() for part in line.split("|")]
        who = (str(number), model, "graft", int(age), sex, reason, dual, kind == "new", False, int(months), ())
        people.append(Person(*who))
        expected.append(float(score))
    scores = by_package(spark, people)
    assert [scores[person.member_id][0] for person in people] == pytest.approx(expected, abs=1e-9)


# --- whose diagnoses count ---


@pytest.fixture
def diagnoses_are(spark):
    def check(lines, diagnoses, expected, policies=COMPUTED):
        built = risk_diagnoses(
            frame(spark, FINAL_CLAIM_LINES, lines),
            frame(spark, CLAIM_DIAGNOSES, diagnoses),
            policies=policies,
            performance_years=[2022],
            **rules("procedures", "bill_types"),
        )
        assert_table(built, RISK_DIAGNOSES, spark, expected)

    return check


def test_claims_count_by_their_type_bill_and_procedure_and_cancelled_or_denied_ones_do_not(diagnoses_are):
    """i: inpatient; o1: outpatient with an office visit, o2 without, o3 of a bill that never counts; p1: professional with
    a visit, p2 with a code that is not listed; s: a nursing facility; d: denied; gone: no line of it stands."""
    diagnoses_are(
        """
        claim_id | member_id | claim_type   | bill_type | hcpcs | service_thru | is_denied
        i        | m         | inpatient    | 111       | -     | 2021-05-05   | false
        o1       | m         | outpatient   | 0131      | A0001 | 2021-05-05   | false
        o1       | m         | outpatient   | 0131      | 99213 | 2021-05-05   | false
        o2       | m         | outpatient   | 131       | A0001 | 2021-05-05   | false
        o3       | m         | outpatient   | 221       | 99213 | 2021-05-05   | false
        p1       | m         | professional | -         | 99213 | 2021-05-05   | false
        p2       | m         | professional | -         | A0001 | 2021-05-05   | false
        s        | m         | snf          | 211       | 99213 | 2021-05-05   | false
        d        | m         | professional | -         | 99213 | 2021-05-05   | true
        """,
        """
        claim_id | position | member_id | code | code_system | service_thru
        i        | 1        | m         | I509 | ICD-10-CM   | 2021-05-05
        o1       | 1        | m         | E119 | ICD-10-CM   | 2021-05-05
        o2       | 1        | m         | A001 | ICD-10-CM   | 2021-05-05
        o3       | 1        | m         | A002 | ICD-10-CM   | 2021-05-05
        p1       | 1        | m         | J449 | ICD-10-CM   | 2021-05-05
        p2       | 1        | m         | A003 | ICD-10-CM   | 2021-05-05
        s        | 1        | m         | A004 | ICD-10-CM   | 2021-05-05
        d        | 1        | m         | A005 | ICD-10-CM   | 2021-05-05
        gone     | 1        | m         | A006 | ICD-10-CM   | 2021-05-05
        """,
        """
        member_id | performance_year | code | service_thru | claim_id
        m         | 2022             | I509 | 2021-05-05   | i
        m         | 2022             | E119 | 2021-05-05   | o1
        m         | 2022             | J449 | 2021-05-05   | p1
        """,
    )


def test_a_code_is_told_by_its_first_claim_of_the_collection_year_whatever_its_dots_and_case(diagnoses_are):
    """ICD-9, a code without a date and one of another year tell nothing; a claim that begins the year before counts."""
    diagnoses_are(
        """
        claim_id | member_id | claim_type   | bill_type | hcpcs | service_thru | is_denied
        b        | m         | professional | -         | 99213 | 2021-07-01   | false
        a        | m         | professional | -         | 99213 | 2021-03-01   | false
        c        | m         | professional | -         | 99213 | 2021-03-01   | false
        over     | m         | professional | -         | 99213 | 2020-12-31   | false
        old      | m         | professional | -         | 99213 | 2020-12-31   | false
        """,
        """
        claim_id | position | member_id | code  | code_system | service_thru
        b        | 1        | m         | E11.9 | ICD-10-CM   | 2021-07-01
        c        | 1        | m         | e119  | ICD-10-CM   | 2021-03-01
        a        | 1        | m         | E119  | ICD-10-CM   | 2021-03-01
        a        | 2        | m         | 25000 | ICD-9-CM    | 2021-03-01
        a        | 3        | m         | J449  | ICD-10-CM   | -
        over     | 1        | m         | I509  | ICD-10-CM   | 2021-01-02
        old      | 1        | m         | N186  | ICD-10-CM   | 2020-12-31
        """,
        """
        member_id | performance_year | code | service_thru | claim_id
        m         | 2022             | E119 | 2021-03-01   | a
        m         | 2022             | I509 | 2021-01-02   | over
        """,
    )


def test_a_code_told_a_thousand_times_in_ten_years_is_told_once_by_its_first_claim_of_the_collection_year(
    diagnoses_are,
):
    days = [
        (f"{year}-{n:03}", f"{year}-{1 + n // 9:02}-{1 + n % 9:02}") for year in range(2015, 2025) for n in range(100)
    ]
    lines = [f"{claim} | m | inpatient | 111 | {day} | false" for claim, day in days]
    told = [f"{claim} | 1 | m | I509 | ICD-10-CM | {day}" for claim, day in days]
    assert len(days) == 1000
    diagnoses_are(
        "claim_id | member_id | claim_type | bill_type | service_thru | is_denied\n" + "\n".join(lines),
        "claim_id | position | member_id | code | code_system | service_thru\n" + "\n".join(told),
        "member_id | performance_year | code | service_thru | claim_id\nm | 2022 | I509 | 2021-01-01 | 2021-000",
    )


def test_nothing_is_computed_where_no_policy_asks(diagnoses_are):
    line = (
        "claim_id | member_id | claim_type | bill_type | service_thru | is_denied\nc|m|inpatient|111|2021-01-01|false"
    )
    told = "claim_id | position | member_id | code | code_system | service_thru\nc|1|m|I509|ICD-10-CM|2021-01-01"
    diagnoses_are(line, told, "member_id", policies=(Policy("p"),))


# --- who is scored how ---


@pytest.fixture
def profiles_are(spark):
    def check(spans, members, expected, year=2022, told="first_month | last_month\n2020-01-01 | 2022-12-01"):
        built = risk_profiles(
            frame(spark, ELIGIBILITY_SPANS, spans) if isinstance(spans, str) else spans,
            frame(spark, MEMBERS, members),
            frame(spark, TOLD_MONTHS, told),
            policies=COMPUTED,
            performance_years=[year],
            **rules("blends"),
        )
        names = (
            "member_id",
            "model",
            "segment",
            "age",
            "original_entitlement_reason",
            "dual_status",
            "is_new_enrollee",
        )
        found = sorted(tuple(str(row[name]) for name in names) for row in built.select(*names).collect())
        wanted = sorted(tuple(cell.strip() for cell in line.split("|")) for line in expected.strip().splitlines())
        assert found == wanted

    return check


SPAN = "member_id | span_start | span_end | has_part_a | has_part_b | medicare_status_code | dual_status_code\n"


def test_a_person_is_scored_by_age_on_1_february_entitlement_medicaid_and_months_of_part_b(profiles_are):
    """a turns 65 on 1 February, b the day after; n has Part B from March of the year before; e is ESRD, d entered as
    disabled, which his status tells alone; w has no Part B at all, and f full Medicaid on the first covered day."""
    whole = "2020-01-01 | 9999-12-31 | true | true"
    profiles_are(
        SPAN
        + f"""
        a | {whole} | 10 | -
        b | {whole} | 20 | 03
        n | 2021-03-01 | 9999-12-31 | true | true | 10 | -
        e | {whole} | 11 | -
        d | {whole} | 20 | NA
        w | 2020-01-01 | 9999-12-31 | true | false | 10 | -
        f | 2020-01-01 | 2022-06-30 | true | true | 10 | 02
        f | 2022-07-01 | 9999-12-31 | true | true | 10 | -
        """,
        """
        member_id | birth_date | sex | death_date | original_entitlement_reason
        a         | 1957-02-01 | F   | -          | 0
        b         | 1957-02-02 | M   | -          | 1
        n         | 1956-06-01 | F   | 2022-03-01 | 0
        e         | 1950-01-01 | M   | -          | 2
        d         | 1980-01-01 | M   | -          | -
        w         | 1950-01-01 | M   | -          | -
        f         | 1940-01-01 | F   | -          | 0
        """,
        """
        a | V24      | CNA | 65 | 0 | none    | False
        b | V24      | CPD | 64 | 1 | partial | False
        n | V24      | NE  | 65 | 0 | none    | True
        e | ESRD V21 | DI  | 72 | 2 | none    | False
        d | V24      | CND | 42 | 1 | none    | False
        w | V24      | NE  | 72 | 0 | none    | True
        f | V24      | CFA | 82 | 0 | full    | False
        """,
    )


RECORDS = """
    member_id | coverage_start | coverage_end | plan_id | recorded_on | has_part_b | medicare_status_code | dual_status_code
    later     | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | true       | 10                   | 02
    later     | 2020-01-01     | 9999-12-31   | b       | 2022-03-01  | true       | 10                   | NA
    begins    | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | true       | 10                   | NA
    begins    | 2021-05-01     | 2022-04-30   | b       | 2021-06-01  | true       | 10                   | 03
    plan      | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | true       | 10                   | 02
    plan      | 2020-01-01     | 9999-12-31   | b       | 2021-06-01  | true       | 10                   | 03
    after     | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | true       | 10                   | 02
    after     | 2022-02-01     | 2022-12-31   | b       | 2022-06-01  | true       | 10                   | NA
    esrd      | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | true       | 10                   | 02
    esrd      | 2020-01-01     | 9999-12-31   | b       | 2022-06-01  | true       | 11                   | 04
"""


def test_of_records_that_disagree_on_dual_status_the_one_that_speaks_for_the_first_covered_day_counts(
    profiles_are, spark
):
    """The record recorded last; of those of one day the one that starts last, then of the lowest plan. A record that
    begins after the first covered day of the year says nothing of it."""
    profiles_are(
        eligibility_spans(frame(spark, COVERAGE_RECORDS, RECORDS)),
        "member_id | birth_date | sex\n"
        + "\n".join(f"{who} | 1950-01-01 | F" for who in ("later", "begins", "plan", "after", "esrd")),
        """
        later  | V24      | CNA | 72 | 0 | none    | False
        begins | V24      | CPA | 72 | 0 | partial | False
        plan   | V24      | CFA | 72 | 0 | full    | False
        after  | V24      | CFA | 72 | 0 | full    | False
        esrd   | ESRD V21 | DI  | 72 | 0 | full    | False
        """,
    )


def test_who_has_no_birth_date_no_known_sex_or_died_before_the_year_is_not_scored_whoever_is_0_or_120_is(profiles_are):
    whole = "2020-01-01 | 9999-12-31 | true | true | 10 | -"
    profiles_are(
        SPAN + "\n".join(f"{who} | {whole}" for who in ("nobirth", "nosex", "dead", "baby", "old", "unborn")),
        """
        member_id | birth_date | sex | death_date | original_entitlement_reason
        nobirth   | -          | F   | -          | 0
        nosex     | 1950-01-01 | U   | -          | 0
        dead      | 1950-01-01 | F   | 2021-12-31 | 0
        baby      | 2021-06-01 | F   | -          | 0
        old       | 1902-01-01 | F   | -          | 0
        unborn    | 2022-06-01 | F   | -          | 0
        """,
        """
        baby   | V24 | CND | 0   | 0 | none | False
        old    | V24 | CNA | 120 | 0 | none | False
        unborn | V24 | CND | 0   | 0 | none | False
        """,
    )


def test_a_year_whose_collection_year_is_not_told_has_no_scores_and_a_part_of_it_asks_for_that_part(profiles_are):
    members = "member_id | birth_date | sex\nm | 1950-01-01 | F"
    spans = SPAN + "m | 2021-10-01 | 9999-12-31 | true | true | 10 | -"
    profiles_are(spans, members, "", told="first_month | last_month\n2022-01-01 | 2022-12-01")
    profiles_are(
        spans,
        members,
        "m | V24 | CNA | 72 | 0 | none | False",
        told="first_month | last_month\n2021-10-01 | 2022-12-01",
    )


def test_two_models_score_a_year_that_cms_blends(profiles_are):
    profiles_are(
        SPAN + "m | 2023-01-01 | 9999-12-31 | true | true | 10 | -",
        "member_id | birth_date | sex\nm | 1950-01-01 | F",
        "m | V24 | CNA | 74 | 0 | none | False\nm | V28 | CNA | 74 | 0 | none | False",
        year=2024,
        told="first_month | last_month\n2023-01-01 | 2024-12-01",
    )


# --- categories, factors, scores ---

PROFILE = """
    member_id | performance_year | model | share | part | segment | age | sex | original_entitlement_reason | dual_status | is_new_enrollee | is_institutional
    m         | 2024             | V24   | 0.67  | *    | CNA     | 72  | M   | 0                           | none        | false           | false
    m         | 2024             | V28   | 0.33  | *    | CNA     | 72  | M   | 0                           | none        | false           | false
    x         | 2024             | V24   | 0.67  | *    | CND     | 40  | F   | 1                           | none        | false           | false
"""
TOLD = """
    member_id | performance_year | code | service_thru | claim_id
    m         | 2024             | E119 | 2023-01-05   | c1
    m         | 2024             | E1122| 2023-03-05   | c3
    m         | 2024             | E1121| 2023-03-05   | c2
    m         | 2024             | Z000 | 2023-03-05   | c2
    x         | 2024             | D66  | 2023-02-01   | c9
    x         | 2024             | F3481| 2023-02-01   | c9
    nobody    | 2024             | E119 | 2023-02-01   | c9
"""


@pytest.fixture
def hccs(spark):
    built = member_hccs(
        frame(spark, RISK_DIAGNOSES, TOLD),
        frame(spark, RISK_PROFILES, PROFILE),
        performance_years=[2024],
        **rules("mappings", "edits", "hierarchies", "blends"),
    )
    # as rows: the embedded engine takes what it grouped by for a key even after an inline, and sorts by no more
    return spark.createDataFrame(conform(built, MEMBER_HCCS).collect(), MEMBER_HCCS.schema)


def test_a_category_names_its_first_claim_and_what_drops_it_and_edits_go_by_age_and_sex(hccs, spark):
    """Diabetes with complications drops diabetes without. Haemophilia of a woman is another category (CMS: V24I0ED3); a
    code that is possible from 6 to 18 alone counts for nothing at 40."""
    assert_table(
        hccs,
        MEMBER_HCCS,
        spark,
        """
        member_id | performance_year | model | hcc | service_thru | code  | claim_id | dropped_by
        m         | 2024             | V24   | 18  | 2023-03-05   | E1121 | c2       | -
        m         | 2024             | V24   | 19  | 2023-01-05   | E119  | c1       | 18
        m         | 2024             | V28   | 37  | 2023-03-05   | E1121 | c2       | -
        m         | 2024             | V28   | 38  | 2023-01-05   | E119  | c1       | 37
        x         | 2024             | V24   | 48  | 2023-02-01   | D66   | c9       | -
        """,
    )


def test_factors_add_up_and_a_blend_is_the_mean_by_shares_each_model_normalized_and_rounded_by_itself(hccs, spark):
    """V24: 0.394 + 0.302 = 0.696; / 1.146 = 0.607, x 0.941 = 0.571. V28: 0.396 + 0.166 = 0.562; / 1.015 = 0.554, x 0.941 =
    0.521. Raw 0.67 x 0.696 + 0.33 x 0.562 = 0.65178; 0.590; 0.555. x: of his year V24 alone is given here."""
    profiles = frame(spark, RISK_PROFILES, PROFILE).where("member_id = 'm'")
    factors = risk_factors(
        profiles,
        hccs,
        performance_years=[2024],
        **rules("age_cells", "interactions", "coefficients", "blends"),
    )
    assert_table(
        factors.where(F.col("coefficient") != 0),
        RISK_FACTORS,
        spark,
        """
        member_id | performance_year | model | variable | kind        | coefficient
        m         | 2024             | V24   | M70_74   | demographic | 0.394
        m         | 2024             | V24   | HCC18    | condition   | 0.302
        m         | 2024             | V28   | M70_74   | demographic | 0.396
        m         | 2024             | V28   | HCC37    | condition   | 0.166
        """,
    )
    scores = risk_scores(
        frame(
            spark,
            SUPPLIED_RISK_SCORES,
            "member_id | performance_year | risk_score | model | source\nm|2024|9|own|payer",
        ),
        profiles,
        factors,
        **rules("normalization"),
    )
    assert_table(
        scores,
        RISK_SCORES,
        spark,
        """
        member_id | performance_year | origin   | risk_score | model                         | source   | normalized_score | payment_score
        m         | 2024             | supplied | 9          | own                           | payer    | -                | -
        m         | 2024             | computed | 0.65178    | CMS-HCC V24 67% + CMS-HCC V28 33% | computed | 0.590        | 0.555
        """,
    )


def test_cmss_example_of_a_payment_score_is_rounded_twice(spark):
    """0.396 / 1.067 = 0.371, x (1 - 0.059) = 0.349."""
    profile = PROFILE.splitlines()[1] + "\n m | 2026 | V28 | 1 | * | CNA | 70 | M | 0 | none | false | false"
    profiles = frame(spark, RISK_PROFILES, profile)
    no_hccs = frame(spark, MEMBER_HCCS, "member_id")
    factors = risk_factors(
        profiles,
        no_hccs,
        performance_years=[2026],
        **rules("age_cells", "interactions", "coefficients", "blends"),
    )
    supplied = frame(spark, SUPPLIED_RISK_SCORES, "member_id")
    row = risk_scores(supplied, profiles, factors, **rules("normalization")).collect()[0]
    wanted = (Decimal("0.396"), Decimal("0.371"), Decimal("0.349"))
    assert (row["risk_score"], row["normalized_score"], row["payment_score"]) == wanted
    assert row["model"] == "CMS-HCC V28"
    untold = risk_scores(supplied, profiles, factors, hcc_normalization=[]).collect()[0]
    assert (untold["risk_score"], untold["normalized_score"], untold["payment_score"]) == (wanted[0], None, None)


def test_a_score_grows_with_the_months_in_which_its_categories_are_told(hccs, spark):
    """Until February V24's HCC 19 alone (0.105), from March HCC 18 in its place (0.302)."""
    built = risk_scores_by_month(
        frame(spark, RISK_PROFILES, PROFILE).where("model = 'V24' AND member_id = 'm'").withColumn("share", F.lit(1)),
        hccs,
        policies=COMPUTED,
        performance_years=[2024],
        **rules("hierarchies", "age_cells", "interactions", "coefficients", "blends"),
    )
    ends = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    months = [
        f"m | 2024 | 2023-{month:02}-{last} | {'0.499' if month < 3 else '0.696'}"
        for month, last in enumerate(ends, start=1)
    ]
    heading = "member_id | performance_year | known_by | risk_score"
    assert_table(built, RISK_SCORES_BY_MONTH, spark, "\n".join([heading, *months]))


@pytest.mark.parametrize(
    ("scores", "of_both", "of_computed"),
    [("supplied", "1.5", None), ("computed", "0.7", "0.8"), ("supplied_else_computed", "1.5", "0.8")],
)
def test_a_policy_takes_the_scores_that_it_names(scores, of_both, of_computed, spark):
    told = """
        member_id | performance_year | origin   | risk_score
        both      | 2022             | supplied | 1.5
        both      | 2022             | computed | 0.7
        one       | 2022             | computed | 0.8
    """
    rows = chosen_scores(frame(spark, RISK_SCORES, told), [Policy("p", risk=Risk(scores=scores))]).collect()
    found = {row["member_id"]: row["risk_score"] for row in rows}
    assert found["both"] == Decimal(of_both)
    assert found["one"] == (None if of_computed is None else Decimal(of_computed))


# --- what a run is refused ---


def config_of(*years, path=None, **risk):
    policy = Policy("p", risk=Risk(**risk))
    config = RunConfig(Source("rif", "in"), Warehouse("w"), years, (policy,))
    return config if path is None else RunConfig(config.source, config.warehouse, years, (policy,), reference=path)


def test_a_year_without_a_model_is_named_only_where_a_policy_computes():
    check_models(config_of(2031))
    check_models(config_of(2019, 2026, scores="computed"))
    with pytest.raises(InputError, match="hcc_blends: part aged_disabled has no row for payment year 2031"):
        check_models(config_of(2022, 2031, scores="computed"))


@pytest.mark.parametrize(
    ("name", "row", "fault"),
    [
        ("mappings", "V24,E11.9,19,2020,2027,own", "E11.9, 19: diagnosis_code is no ICD-10-CM code"),
        ("mappings", "V24,E119,x9,2020,2027,own", "E119, x9: hcc is no number of a category"),
        ("hierarchies", "V24,abc,19,own", "abc, 19: hcc is no number of a category"),
        ("coefficients", "V24,CNA,HCC19,0.2,2021,2027,own", "V24, CNA, HCC19: years of two rows overlap in 2021"),
        ("coefficients", "V24,CNA,HCC19,NaN,2019,2027,own", "line 2: coefficient is no number"),
        ("coefficients", "V24,CNA,HCC19,1234567,2019,2027,own", "line 2: coefficient is no number"),
        ("coefficients", "V24,CNA,HCC19,0.2,2019,2027,own", None),
    ],
)
def test_a_folders_row_that_would_be_passed_over_or_counted_twice_is_named(name, row, fault, tmp_path):
    table = next(table for table in HCC_TABLES if table.short_name == f"hcc_{name}")
    (tmp_path / f"hcc_{name}.csv").write_text(",".join(table.column_names) + f"\n{row}\n")
    config = config_of(2022, path=Reference(str(tmp_path)), scores="computed")
    if fault is None:
        check_models(config)
        return
    with pytest.raises(InputError, match=re.escape(fault)):
        check_models(config)


def test_supplied_scores_have_no_months():
    with pytest.raises(ConfigError, match=r"risk\.by_month"):
        Risk(by_month=True)


def test_the_shares_of_every_year_and_part_add_up_to_1_and_every_model_of_a_blend_that_is_paid_has_its_tables():
    sums: dict[tuple[int, str], Decimal] = {}
    for year, part, _, share, _ in reference_rows(HCC_BLENDS):
        sums[year, part] = sums.get((year, part), Decimal(0)) + share
    assert set(sums.values()) == {Decimal(1)}
    check_models(config_of(*sorted({year for year, _ in sums}), scores="computed"))
    assert all(row[3] > 0 for row in reference_rows(HCC_NORMALIZATION))


# --- what the run says ---


def test_the_run_counts_who_and_what_is_scored_or_not_and_why(spark, tmp_path):
    """Of 2022: m, baby and old are scored, all but old told of entitlement or Medicare status; m was in Part C until
    October. s has no sex told, b no birth date, dead died, and who came has no month told. On 1 January m's records
    disagree on Medicaid, old's on his status. Of the diagnoses one is ICD-9, one malformed, one without a date, Z000 has no
    category, and N183 was a code of other years."""
    store = Store(spark, Warehouse(path=str(tmp_path)))
    whole = "2020-01-01 | 9999-12-31 | true | true | 10 | -"
    tables = [
        (
            ELIGIBILITY_SPANS,
            SPAN.strip()
            + " | in_medicare_advantage\nm | 2020-01-01 | 2021-10-31 | true | true | 10 | - | true\n"
            + "m | 2021-11-01 | 9999-12-31 | true | true | 10 | - | false\n"
            + "\n".join(f"{who} | {whole} | false" for who in ("s", "b", "dead", "baby", "old", "came")),
        ),
        (
            COVERAGE_RECORDS,
            """
            member_id | coverage_start | coverage_end | plan_id | recorded_on | medicare_status_code | dual_status_code
            m         | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | 10                   | 02
            m         | 2021-11-01     | 2022-04-30   | b       | 2021-06-01  | 10                   | NA
            old       | 2020-01-01     | 9999-12-31   | a       | 2021-06-01  | 10                   | NA
            old       | 2020-01-01     | 9999-12-31   | b       | 2021-06-01  | 20                   | -
            came      | 2020-01-01     | 2021-12-31   | a       | 2021-06-01  | 10                   | 02
            came      | 2020-01-01     | 9999-12-31   | b       | 2021-06-01  | 10                   | NA
            came      | 2022-02-01     | 9999-12-31   | c       | 2021-06-01  | 10                   | 02
        """,
        ),
        (
            MEMBERS,
            """
            member_id | birth_date | sex | death_date | original_entitlement_reason
            m         | 1950-01-01 | F   | -          | 0
            s         | 1950-01-01 | U   | -          | 0
            b         | -          | F   | -          | 0
            dead      | 1950-01-01 | F   | 2021-02-01 | 0
            baby      | 2021-09-01 | F   | -          | -
            old       | 1902-01-01 | F   | -          | -
            came      | 1950-01-01 | F   | -          | -
        """,
        ),
        (
            CLAIM_DIAGNOSES,
            """
            claim_id | position | member_id | code  | code_system | service_thru
            c        | 1        | m         | E119  | ICD-10-CM   | 2021-05-05
            c        | 2        | m         | N183  | ICD-10-CM   | 2021-05-05
            c        | 3        | m         | 25000 | ICD-9-CM    | 2021-05-05
            c        | 4        | m         | ?E1   | ICD-10-CM   | 2021-05-05
            c        | 5        | m         | E119  | ICD-10-CM   | -
        """,
        ),
        (
            RISK_DIAGNOSES,
            """
            member_id | performance_year | code | service_thru | claim_id
            m         | 2022             | E119 | 2021-05-05   | c
            m         | 2022             | N183 | 2021-05-05   | c
            m         | 2022             | Z000 | 2021-05-05   | c
        """,
        ),
        (MEMBER_HCCS, "member_id | performance_year | model | hcc\nm | 2022 | V24 | 19"),
        (
            RISK_PROFILES,
            PROFILE.splitlines()[1]
            + """
            m    | 2022 | V24 | 1 | * | CNA | 72  | F | 0 | none | false | false
            baby | 2022 | V24 | 1 | * | CND | 0   | F | 1 | none | true  | false
            old  | 2022 | V24 | 0.5 | * | CNA | 120 | F | 0 | none | true  | false
            old  | 2022 | V28 | 0.5 | * | CNA | 120 | F | 0 | none | true  | false
            """,
        ),
    ]
    for table, written in tables:
        store.publish(table, frame(spark, table, written))
    config = RunConfig(Source("rif", "in"), store.warehouse, (2022,), COMPUTED)
    assert risk_notices(store, config) == [
        "risk scores: 3 member-years are computed; long-term institutional status is not told, so all count as living in "
        "the community; 0 with Medicare status 11, 21 or 31 count as on dialysis, 2 as new enrollees",
        "risk scores: 4 member-years are not computed (1 without a birth date, 1 without a known sex, 1 dead before the "
        "year, 1 without a told month of the collection year)",
        "risk scores: 1 member-years are scored at age 0, 1 at 110 or over; their birth dates may be wrong",
        "risk scores: 1 of the member-years were in Part C in the collection year; where the source lacks the plan's claims "
        "they are scored almost by age and sex alone",
        "risk scores: original entitlement is not told for 2 of the member-years; 1 count as entitled by age, the others as "
        "their Medicare status says",
        "risk scores: on the first covered day of 1 member-years records disagree on Medicaid, of 1 on Medicare status; the "
        "record that speaks for the day counts, as for months",
        "risk scores: 4 diagnoses of the collection years (1 in ICD-9, 1 malformed), in 3 codes of a member and year on "
        "claims that count, 1 of them without a category in any year, true codes or unknown ones; categories that count: 1 "
        "of V24",
        "risk scores: 1 diagnoses without a date count for no year",
        "risk scores: 1 of these codes have a category in another payment year alone: they are told before they were "
        "valid, or after",
        "policy p: computed scores are divided by normalization_factors, which were published for scores of a program; "
        'with risk.normalization = "population" their own mean is 1',
    ]
    assert risk_notices(store, RunConfig(config.source, store.warehouse, (2022,), (Policy("p"),))) == []
