"""The whole set of deliveries: every figure that is known of it, by the pipeline and by the plain recomputation."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.pipeline import RunResult, run
from pmpm_spark.policy import policy_from
from tests.oracle.cclf_plain import figures

pytestmark = pytest.mark.shared

POLICY = {
    "name": "cclf",
    "eligibility": {"part_a_b": "current_month", "exclude_medicare_secondary": False},
}
YEARS = (2019, 2020, 2021, 2022, 2023)


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "cclf"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return told


@pytest.fixture(scope="module")
def published(spark: SparkSession, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    warehouse = tmp_path_factory.mktemp("cclf")
    policy = policy_from(POLICY, "cclf", {})
    result = run(spark, RunConfig(Source("cclf", str(folder)), Warehouse(str(warehouse)), YEARS, (policy,)))
    return warehouse, result


def rows(published: tuple[Path, RunResult], name: str) -> list[dict[str, Any]]:
    warehouse, result = published
    versions = {receipt.table: receipt.version for receipt in result.receipts}
    table = DeltaTable(str(warehouse / name.replace(".", "/")), version=versions[name])
    return list(table.to_pyarrow_table().to_pylist())


def amounts(sums: dict[str, dict[str, Decimal]]) -> dict[str, dict[str, str]]:
    return {claim_type: {month: str(amount) for month, amount in of.items()} for claim_type, of in sums.items()}


def test_the_plain_recomputation_finds_every_known_figure(folder: Path, expected: dict[str, Any]) -> None:
    found = figures(folder, folder / "layout.csv")
    assert amounts(found.net_paid) == expected["net_paid"]
    assert amounts(found.net_paid_in_member_months) == expected["net_paid_in_member_months"]
    assert found.member_months == {month: told["member_months"] for month, told in expected["member_months"].items()}


def test_the_pipeline_finds_every_known_figure(published: tuple[Path, RunResult], expected: dict[str, Any]) -> None:
    counted = {
        (row["member_id"], f"{row['member_month']:%Y-%m}")
        for row in rows(published, "silver.member_months")
        if row["is_eligible"]
    }
    net: dict[str, dict[str, Decimal]] = {}
    in_months: dict[str, dict[str, Decimal]] = {}
    claims, lines = set(), Counter()
    for row in rows(published, "silver.final_claim_lines"):
        if row["is_denied"]:
            continue
        claim_type, month = row["claim_type"], f"{row['service_thru']:%Y-%m}"
        amount = row["patient_paid_amount" if claim_type == "pharmacy" else "paid_amount"]
        sums = [net, in_months] if (row["member_id"], month) in counted else [net]
        for of in sums:
            of.setdefault(claim_type, {}).setdefault(month, Decimal(0))
            of[claim_type][month] += amount
        claims.add((claim_type, row["claim_id"]))
        lines[claim_type] += 1
    member_months = Counter(month for _, month in counted)
    assert member_months == {month: told["member_months"] for month, told in expected["member_months"].items()}
    assert amounts(net) == expected["net_paid"]
    assert amounts(in_months) == expected["net_paid_in_member_months"]
    assert Counter(claim_type for claim_type, _ in claims) == expected["totals"]["final_claims_by_type"]
    by_line = {kind: expected["totals"]["final_lines_by_type"][kind] for kind in ("professional", "dme", "pharmacy")}
    assert {kind: lines[kind] for kind in by_line} == by_line


def test_what_counts_and_what_does_not_are_all_the_money(
    published: tuple[Path, RunResult], expected: dict[str, Any]
) -> None:
    """Pharmacy has no plan payment; a denied line is in neither figure of the set."""
    networks = sum(row["paid_amount"] for row in rows(published, "gold.network_pmpm"))
    months = sum(row["member_months"] for row in rows(published, "gold.network_pmpm"))
    assert networks == Decimal(expected["totals"]["net_paid_parts_a_and_b_in_member_months"])
    assert months == expected["totals"]["member_months"]
    excluded = {
        row["reason"]: row["paid_amount"]
        for row in rows(published, "gold.excluded")
        if row["kind"] == "dollar" and row["reason"] not in ("DENIED", "PHARMACY")
    }
    of_years = sum(
        (Decimal(amount) for kind, of in expected["net_paid"].items() if kind != "pharmacy" for amount in of.values()),
        Decimal(0),
    )
    by_year_reason = [row for row in rows(published, "gold.excluded") if row["kind"] == "dollar"]
    left_out = sum(row["paid_amount"] for row in by_year_reason if row["reason"] in excluded)
    assert networks + left_out == of_years


def test_every_delivered_row_and_amount_is_accounted_for(
    published: tuple[Path, RunResult], expected: dict[str, Any]
) -> None:
    audit = rows(published, "silver.load_audit")
    delivered = {
        (f"bronze.{kind.lower()}", delivery["name"].replace(".ZC", f".ZC{kind[-1]}")): count
        for delivery in expected["deliveries"]
        for kind, count in delivery["records"].items()
    }
    read = {
        (r["_bronze_table"], r["_source_file"]): r["rows_read"] for r in audit if r["_bronze_table"] != "bronze.cclf0"
    }
    assert read == delivered
    rejected = Counter()
    for row in audit:
        rejected[row["_bronze_table"]] += row["rejected"]
        assert sum(count for _, count in row["rejected_by_reason"] or ()) == row["rejected"]
    mess = expected["mess"]
    assert rejected["bronze.cclf1"] == mess["part_a_cancels_without_original"]
    assert rejected["bronze.cclf7"] == mess["part_d_cancels_without_original"]
    again = sum(row["duplicate"] for row in audit if row["_bronze_table"][-1] in "1567")
    assert again == mess["rows_of_twice_delivered_claims_cclf1_5_6_7"]
