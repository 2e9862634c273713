"""Scores computed over research files of real people's shape: against scores that another implementation made of the same
people, and what the run and `pmpm explain --risk` say of them."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hccinfhir.model_calculate import calculate_raf
from pyspark.sql import SparkSession

from pmpm_spark.cli.explain import risk_explained
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.gold.network_risk_by_month import NETWORK_RISK_BY_MONTH
from pmpm_spark.model import CLAIM_DIAGNOSES
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Policy, Risk
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.risk_factors import RISK_FACTORS
from pmpm_spark.silver.risk_profiles import RISK_PROFILES
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.warehouse import Published, published
from tests.drawn_hcc import DUAL
from tests.equality import LISTS
from tests.loaded import Loads

pytestmark = pytest.mark.delta

FILES = Path(__file__).parent / "data" / "rif"
YEARS = (2020, 2021, 2022, 2023)
"""Of V24 alone, as the supplied scores are."""
COMPUTED = Policy("computed", risk=Risk(scores="computed", by_month=True))
EITHER = Policy(
    "either", risk=Risk(scores="supplied_else_computed", normalization="population", by_enrollment_type=True)
)


@pytest.fixture(scope="module")
def ran(
    spark: SparkSession, loads: Loads, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Published, tuple[str, ...]]:
    lists = {name: str(FILES / f"{name}.csv") for name in LISTS}
    source = Source("rif", str(FILES), max_reject_share=1.0, **lists)
    config = RunConfig(source, Warehouse(str(tmp_path_factory.mktemp("risk"))), YEARS, (COMPUTED, EITHER))
    loads.begin(config)
    notices = run(spark, config).notices
    return published(spark, config), notices


def scores_of(warehouse: Published, origin: str) -> dict[tuple[str, int], Decimal]:
    rows = warehouse.read(RISK_SCORES).where(f"origin = '{origin}'").collect()
    return {(row["member_id"], row["performance_year"]): row["risk_score"] for row in rows}


def test_computed_scores_are_the_supplied_ones_but_where_those_were_made_by_other_rules(
    ran: tuple[Published, tuple[str, ...]],
) -> None:
    """The supplied scores count every diagnosis, whatever its claim and procedure, and score ESRD by V24."""
    warehouse, _ = ran
    supplied, computed = scores_of(warehouse, "supplied"), scores_of(warehouse, "computed")
    profiles = {(row["member_id"], row["performance_year"]): row for row in warehouse.read(RISK_PROFILES).collect()}
    codes: dict[tuple[str, int], set[str]] = {}
    for row in warehouse.read(CLAIM_DIAGNOSES).where("code_system = 'ICD-10-CM'").collect():
        codes.setdefault((row["member_id"], row["service_thru"].year + 1), set()).add(row["code"])
    found: Counter[str] = Counter()
    for at, score in supplied.items():
        if at not in computed:
            continue
        who = profiles[at]
        if computed[at] == score:
            found["equal"] += 1
        elif who["part"] != "*" or who["is_new_enrollee"]:
            found["ESRD or new enrollee"] += 1
        else:
            unfiltered = calculate_raf(
                sorted(codes.get(at, ())),
                "CMS-HCC Model V24",
                age=who["age"],
                sex=who["sex"],
                dual_elgbl_cd=DUAL[who["dual_status"]],
                orec=who["original_entitlement_reason"],
            )
            found["not filtered" if abs(unfiltered.risk_score - float(score)) < 1e-6 else "unexplained"] += 1
    assert found["unexplained"] == 0, found
    assert found["equal"] > 0.7 * found.total(), found
    assert found["not filtered"] > 0, found


def test_the_factors_of_every_member_year_make_its_score(ran: tuple[Published, tuple[str, ...]]) -> None:
    warehouse, _ = ran
    sums: Counter[tuple[str, int]] = Counter()
    for row in warehouse.read(RISK_FACTORS).collect():
        sums[row["member_id"], row["performance_year"]] += row["coefficient"]
    assert dict(sums) == scores_of(warehouse, "computed")


def test_each_policy_has_the_scores_that_it_asks_for(ran: tuple[Published, tuple[str, ...]]) -> None:
    warehouse, _ = ran
    supplied, computed = scores_of(warehouse, "supplied"), scores_of(warehouse, "computed")
    for row in warehouse.read(MEMBER_YEARS).collect():
        at = (row["member_id"], row["performance_year"])
        wanted = computed.get(at) if row["policy"] == "computed" else supplied.get(at, computed.get(at))
        assert row["risk_score"] == wanted, at


def test_the_last_month_of_the_collection_year_has_the_years_score(ran: tuple[Published, tuple[str, ...]]) -> None:
    warehouse, _ = ran
    computed = scores_of(warehouse, "computed")
    rows = warehouse.read(NETWORK_RISK_BY_MONTH).where("known_by = '2021-12-31'").collect()
    assert rows
    years = warehouse.read(MEMBER_YEARS).where("policy = 'computed' AND performance_year = 2022").collect()
    members = {row["member_id"]: row["network_id"] for row in years}
    for row in rows:
        own = [
            computed[m, 2022]
            for m, network in members.items()
            if network == row["network_id"] and (m, 2022) in computed
        ]
        assert row["scored_members"] == len(own)
        assert row["risk_score"] == pytest.approx(float(sum(own)) / len(own), abs=1e-9)


def test_the_run_says_how_many_were_scored_and_what_no_source_tells(ran: tuple[Published, tuple[str, ...]]) -> None:
    warehouse, notices = ran
    said = "\n".join(notices)
    assert f"risk scores: {len(scores_of(warehouse, 'computed')):,} member-years are computed" in said
    assert "long-term institutional status is not told" in said
    assert "count as on dialysis" in said
    assert "diagnoses of the collection years" in said


def test_a_score_is_explained_down_to_the_diagnosis_and_its_claim(ran: tuple[Published, tuple[str, ...]]) -> None:
    warehouse, _ = ran
    factor = warehouse.read(RISK_FACTORS).where("kind = 'condition' AND coefficient > 0").orderBy("member_id").first()
    assert factor is not None
    told = risk_explained(warehouse, factor["member_id"], year=factor["performance_year"], form="csv")
    rows = list(csv.DictReader(told.splitlines()))
    category = next(row for row in rows if row["section"] == "hccs" and f"HCC{row['hcc']}" == factor["variable"])
    assert category["code"]
    assert category["claim_id"]
    assert Decimal(category["coefficient"]) == factor["coefficient"]
    total = next(Decimal(row["coefficient"]) for row in rows if row["kind"] == "sum")
    score = next(Decimal(row["risk_score"]) for row in rows if row["origin"] == "computed")
    assert total == score
    with pytest.raises(InputError, match="no risk score of this member"):
        risk_explained(warehouse, "nobody")
