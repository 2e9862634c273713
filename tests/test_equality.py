"""The whole pipeline equals an independent recomputation from the same raw files, to the cent and the month.

Three inputs: a cut of 40 people, the whole set it was cut from, and generated files, in which every rule is at work.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy, Risk
from tests.equality import (
    FACTORS,
    HCPCS,
    KEYS,
    LISTS,
    Compared,
    assert_equal_tables,
    csv_rows,
    load_counts,
    run_and_recompute,
)
from tests.loaded import Loads
from tests.prove import eight

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is a whole run

CUT = Path(__file__).resolve().parent / "data" / "rif"
REASONS = {
    "DECEASED", "NOT_ENROLLED", "NOT_IN_PART_A_AND_B", "MEDICARE_ADVANTAGE", "MEDICARE_SECONDARY", "NON_US_RESIDENT",
}  # fmt: skip
YEARS = (2019, 2020, 2021, 2022, 2023)
EIGHT = eight()
DEFAULT = EIGHT[0]
OTHER_SETTINGS = (
    Policy(
        "in-network",
        Eligibility(part_a_b="current_month", coverage_rule="mid_month", exclude_non_us=True),
        Cost(basis="reimbursed_to_network", claim_month="from", include_pharmacy=True),
        risk=Risk(weighting="member_months"),
    ),
    Policy(
        "ahead",
        Eligibility(lag_months=6, coverage_rule="any_day"),
        attribution=Attribution(window="alignment_window"),
        risk=Risk(normalization="population"),
    ),
    Policy(
        "one-year",
        Eligibility(window_months=12, coverage_rule="full_month"),
        Cost(basis="reimbursed_to_network"),
        Attribution(method="roster"),
        Risk(weighting="member_months", normalization="population"),
    ),
    Policy(
        "everybody",
        Eligibility(
            part_a_b="none",
            coverage_rule="last_day",
            exclude_medicare_advantage=False,
            exclude_medicare_secondary=False,
        ),
        Cost(include_pharmacy=True),
    ),
)
ON_CUT = (DEFAULT, *OTHER_SETTINGS, EIGHT[-1])
ON_GENERATED = (DEFAULT, OTHER_SETTINGS[1], OTHER_SETTINGS[0])
BY_CONTRACT = (replace(DEFAULT, name="by-contract"),)  # a new name: a policy's other years would stay


def names(policies: tuple[Policy, ...]) -> list[str]:
    return [policy.name for policy in policies]


def lists_in(folder: Path, suffix: str = ".csv") -> dict[str, Path]:
    return {name: folder / f"{name}{suffix}" for name in LISTS}


@pytest.fixture(scope="module")
def whole_set(
    spark: SparkSession, loads: Loads, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Compared:
    rif = shared_data / "rif"
    warehouse = tmp_path_factory.mktemp("whole")
    return run_and_recompute(spark, rif, lists_in(rif), warehouse, YEARS, EIGHT, loads=loads)


@pytest.fixture(scope="module")
def cut(spark: SparkSession, loads: Loads, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    warehouse = tmp_path_factory.mktemp("cut")
    return run_and_recompute(spark, CUT, lists_in(CUT), warehouse, YEARS, ON_CUT, loads=loads)


@pytest.fixture(scope="module")
def cut_by_contract(spark: SparkSession, cut: Compared) -> Compared:
    """Another run in the same warehouse: the files are known, and what Part C is read from is another column."""
    warehouse = Path(str(cut.config.warehouse.path))
    return run_and_recompute(spark, CUT, lists_in(CUT), warehouse, (2021,), BY_CONTRACT, "part_c_contract")


@pytest.fixture(scope="module")
def generated(spark: SparkSession, loads: Loads, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    warehouse, years = tmp_path_factory.mktemp("generated"), (2021, 2022)
    files = loads.files(350, years, 11)
    return run_and_recompute(spark, files, lists_in(files, ""), warehouse, years, ON_GENERATED, loads=loads)


@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("policy", ON_CUT, ids=names(ON_CUT))
def test_the_cut(cut: Compared, policy: Policy, table: str) -> None:
    assert_equal_tables(cut, table, policy)


@pytest.mark.shared
@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("policy", EIGHT, ids=names(EIGHT))
def test_the_whole_set(whole_set: Compared, policy: Policy, table: str) -> None:
    assert_equal_tables(whole_set, table, policy)


@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("policy", BY_CONTRACT, ids=names(BY_CONTRACT))
def test_the_cut_with_part_c_by_contract(cut_by_contract: Compared, policy: Policy, table: str) -> None:
    assert_equal_tables(cut_by_contract, table, policy)


@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize("policy", ON_GENERATED, ids=names(ON_GENERATED))
def test_generated_files(generated: Compared, policy: Policy, table: str) -> None:
    assert_equal_tables(generated, table, policy)


def test_every_row_of_the_cut_has_the_same_fate(cut: Compared) -> None:
    ours, theirs = load_counts(cut)
    assert ours == theirs


@pytest.mark.shared
def test_every_row_of_the_whole_set_has_the_same_fate(whole_set: Compared) -> None:
    ours, theirs = load_counts(whole_set)
    assert ours == theirs


def test_every_row_of_generated_files_has_the_same_fate(generated: Compared) -> None:
    ours, theirs = load_counts(generated)
    assert ours == theirs


def test_every_rule_is_at_work_in_what_was_compared(generated: Compared) -> None:
    excluded = [row for policy in ON_GENERATED for row in generated.recomputed(policy)["excluded"]]
    assert {row["reason"] for row in excluded if row["kind"] == "month"} == REASONS
    assert {row["reason"] for row in excluded if row["kind"] == "dollar"} == {
        *REASONS,
        "PHARMACY",
        "DENIED",
        "OUT_OF_NETWORK",
    }
    counts = generated.recomputed(DEFAULT)["load_counts"]
    for outcome in ("accepted", "rejected", "duplicate", "superseded"):
        assert sum(row[outcome] for row in counts) > 0, outcome


def test_part_c_by_contract_is_at_work(cut_by_contract: Compared) -> None:
    by_contract = cut_by_contract.recomputed(BY_CONTRACT[0])["excluded"]
    assert "MEDICARE_ADVANTAGE" in {row["reason"] for row in by_contract}


def test_the_cut_adds_up_to_the_totals_counted_when_it_was_made(cut: Compared) -> None:
    told = json.loads((CUT / "totals.json").read_text(encoding="utf-8"))
    assert loaded_totals(cut) == {kind: (t["rows"], t["claims"], money(t)) for kind, t in told["claims"].items()}
    months = {
        (row["member_id"], row["member_month"])
        for row in cut.table(
            "silver.member_months", ("policy", "member_id", "member_month", "has_part_a", "has_part_b")
        )
        if row["policy"] == DEFAULT.label and row["has_part_a"] and row["has_part_b"]
    }
    by_year = {str(year): sum(month.year == year for _, month in months) for year in YEARS}
    assert by_year == {year: n for year, n in told["months_in_part_a_and_b"].items() if int(year) in YEARS}


@pytest.mark.shared
def test_the_whole_set_adds_up_to_its_published_totals(whole_set: Compared) -> None:
    published = {
        "inpatient": (3_685, 808, "8901169.86"),  # with 11,500.00 of pass-through
        "outpatient": (27_004, 12_779, "12634841.30"),
        "snf": (1_238, 110, "1626963.93"),
        "hha": (420, 31, "240890.29"),
        "hospice": (1_542, 144, "1464804.18"),
        "carrier": (59_817, 4_530, "4761549.81"),
        "dme": (4_268, 1_856, "6197.72"),
        "pde": (26_524, 26_524, "1213408.30"),
    }
    assert loaded_totals(whole_set) == published


def test_the_comparison_sees_a_cent_a_month_and_a_missing_row(cut: Compared) -> None:
    cut.recomputed(DEFAULT)

    def with_fault(table: str, at: int, **figures: Any) -> Compared:
        wrong = replace(cut, computed={DEFAULT.label: deepcopy(cut.computed[DEFAULT.label])})
        rows = wrong.computed[DEFAULT.label][table]
        rows[at] |= figures
        return wrong

    first = cut.computed[DEFAULT.label]["network_pmpm"][0]
    one_cent, one_month = first["paid_amount"] + Decimal("0.01"), first["member_months"] + 1
    for table, figures in (
        ("network_pmpm", {"paid_amount": one_cent}),
        ("network_pmpm", {"member_months": one_month}),
        ("network_pmpm", {"pmpm": first["pmpm"] * (1 + 1e-11)}),
        ("network_pmpm", {"risk_score": None}),
        ("network_pmpm", {"network_id": "Z9999"}),
        ("member_months", {"reasons": ["DECEASED"], "is_eligible": False}),
        ("attribution", {"physician_npi": "1"}),
        ("excluded", {"reason": "DECEASED?"}),
    ):
        with pytest.raises(AssertionError, match="differences in"):
            assert_equal_tables(with_fault(table, 0, **figures), table, DEFAULT)


def test_names_of_physicians_are_the_directorys(cut: Compared) -> None:
    names_of = {row["npi"]: row["name"] for row in csv_rows(CUT / "providers.csv")}
    rows = cut.table("gold.physician_pmpm", ("physician_npi", "physician_name"))
    assert len(rows) > 20
    for row in rows:
        assert row["physician_name"] == names_of.get(row["physician_npi"])


def test_the_shipped_factors_are_those_published() -> None:
    shipped = csv_rows(HCPCS.parent / "normalization_factors.csv")
    assert {int(r["performance_year"]): r["normalization_factor"] for r in shipped} == {
        year: str(factor) for year, factor in FACTORS.items()
    }


@pytest.mark.shared
def test_shipped_primary_care_codes_are_the_shared_ones(shared_data: Path) -> None:
    shared = {
        (r["hcpcs"], r["first_year"], r["last_year"])
        for r in csv_rows(shared_data / "reference" / "primary_care_hcpcs.csv")
    }
    shipped = {(r["hcpcs"], r["first_year"], r["last_year"]) for r in csv_rows(HCPCS) if r["program"] == "plurality"}
    assert shipped == shared


KINDS = {
    "inpatient": "inpatient", "outpatient": "outpatient", "snf": "snf", "home_health": "hha", "hospice": "hospice",
    "professional": "carrier", "dme": "dme", "pharmacy": "pde",
}  # fmt: skip


def loaded_totals(compared: Compared) -> dict[str, tuple[int, int, str]]:
    """Lines, claims and dollars of the common model by kind of file."""
    lines = compared.table("silver.claim_lines", ("claim_type", "claim_id", "paid_amount"))
    found = {}
    for claim_type, kind in KINDS.items():
        of_type = [line for line in lines if line["claim_type"] == claim_type]
        claims = {line["claim_id"] for line in of_type}
        found[kind] = (len(of_type), len(claims), f"{sum(line['paid_amount'] for line in of_type):.2f}")
    return found


def money(told: dict[str, Any]) -> str:
    return f"{Decimal(told['paid']) + Decimal(told.get('pass_through', 0)):.2f}"
