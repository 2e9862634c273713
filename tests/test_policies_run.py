"""The shipped policies over generated tables of a payer: one run by their names, each with figures and hash of its own."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.cli.report import write_report
from pmpm_spark.config import RunConfig, load_config, load_policy
from pmpm_spark.errors import ConfigError
from pmpm_spark.export import export
from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY
from pmpm_spark.pipeline import run
from pmpm_spark.runs import RUNS, RunBook
from pmpm_spark.shareable import shareable
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.stages import CAPITATION
from pmpm_spark.table import Table
from pmpm_spark.warehouse import Published, published
from tests.equality import LISTS, generate_each
from tests.impacts import impact
from tests.loaded import Loads

pytestmark = pytest.mark.delta

YEARS = (2020, 2021)
POLICIES = ("default", "commercial")
CONFIG = """
performance_years = {years}
policy = {policies}
[source]
kind = "common"
format = "parquet"
path = "{path}"
{lists}
[warehouse]
path = "{warehouse}"
"""


@pytest.fixture(scope="module")
def config(loads: Loads, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    root = tmp_path_factory.mktemp("policies")
    made = generate_each(loads, root, ("common",), members=80, years=YEARS, seed=7)["common"]
    written = root / "config.toml"
    written.write_text(
        CONFIG.format(
            years=list(YEARS),
            policies=json.dumps(POLICIES),
            path=made / "common",
            lists="\n".join(f'{name} = "{made / name}"' for name in LISTS),
            warehouse=root / "warehouse",
        ),
        encoding="utf-8",
    )
    return load_config(str(written))


@pytest.fixture(scope="module")
def ran(spark: SparkSession, config: RunConfig) -> Published:
    run(spark, config)
    return published(spark, config)


def rows(ran: Published, table: Table, policy: str) -> list[Row]:
    found = ran.read(table).where(f"policy = '{policy}'").collect()
    assert found, f"{table.name} has no row of {policy}"
    return found


def test_the_book_of_runs_carries_the_hash_and_the_sources_of_each_policy(
    spark: SparkSession, config: RunConfig, ran: Published
) -> None:
    told = RunBook(spark, config.warehouse)._store.read(RUNS).where("status = 'finished'").collect()
    assert [(row["policies"], row["policy_hashes"]) for row in told] == [
        (list(POLICIES), [load_policy(name).content_hash for name in POLICIES])
    ]
    said = json.loads(told[0]["settings"])["policies"]
    assert [policy["sources"] for policy in said] == [load_policy(name).sources for name in POLICIES]


def test_no_month_of_the_commercial_policy_is_excluded_by_a_rule_of_medicare(ran: Published) -> None:
    reasons = {name: {row["reason"] for row in rows(ran, EXCLUDED, name)} for name in POLICIES}
    of_medicare = {"NOT_IN_PART_A_AND_B", "MEDICARE_ADVANTAGE", "MEDICARE_SECONDARY"}
    assert of_medicare <= reasons["default"]
    assert not of_medicare & reasons["commercial"]
    assert "PHARMACY" in reasons["default"] - reasons["commercial"]


def test_pharmacy_is_in_the_total_of_the_commercial_policy_alone(ran: Published) -> None:
    def in_total(policy: str) -> set[bool]:
        found = rows(ran, NETWORK_PMPM_BY_CATEGORY, policy)
        return {row["in_total"] for row in found if row["service_category"] == "pharmacy"}

    assert (in_total("default"), in_total("commercial")) == ({False}, {True})


def test_the_commercial_policy_counts_more_months_and_finds_the_networks_by_tax_number(ran: Published) -> None:
    def months(policy: str) -> Decimal:
        return sum((row["member_months"] for row in rows(ran, NETWORK_PMPM, policy)), Decimal(0))

    assert months("commercial") > months("default") > 0
    networks = {row["network_id"] for row in rows(ran, NETWORK_PMPM, "commercial")} - {UNATTRIBUTED}
    assert len(networks) > 1


def test_the_factor_of_the_commercial_policy_is_the_mean_of_its_own_population(ran: Published) -> None:
    for year in YEARS:
        scored = [
            row
            for row in rows(ran, MEMBER_YEARS, "commercial")
            if row["performance_year"] == year and row["risk_score"] is not None
        ]
        months = sum(row["member_months"] for row in scored)
        mean = sum(row["risk_score"] * row["member_months"] for row in scored) / months
        factors = {
            row["normalization_factor"]
            for row in rows(ran, NETWORK_PMPM, "commercial")
            if row["performance_year"] == year
        }
        assert [float(factor) for factor in factors] == pytest.approx([float(mean)], abs=1e-6)


@pytest.mark.parametrize("year", YEARS)
def test_what_prorated_months_and_pharmacy_move_adds_up_to_the_figures_of_both(ran: Published, year: int) -> None:
    for one, other in (POLICIES, POLICIES[::-1]):
        found = impact(ran, one, other, year)
        assert found["eligibility.coverage_rule"][0] == 0, "who is covered on a day is covered all month here"
        assert found["cost.include_pharmacy"][0] == 0 and found["cost.include_pharmacy"][1] != 0
        assert found["risk.normalization"] == (None, None, None)


def test_the_report_is_of_the_policy_and_year_asked_for_and_the_export_of_all(ran: Published, tmp_path: Path) -> None:
    first = write_report(ran, tmp_path / "a" / "first.html").read_text(encoding="utf-8")
    assert f"PMPM report {YEARS[1]}, policy default" in first
    assert ran.run.run_id in first
    other = write_report(ran, tmp_path / "other.html", policy="commercial", year=YEARS[0]).read_text(encoding="utf-8")
    assert f"PMPM report {YEARS[0]}, policy commercial" in other
    with pytest.raises(ConfigError, match=r"no policy mssp \(it has default, commercial\)"):
        write_report(ran, tmp_path / "x.html", policy="mssp")
    with pytest.raises(ConfigError, match=r"no year 1999 \(it has 2020, 2021\)"):
        write_report(ran, tmp_path / "x.html", year=1999)
    with pytest.raises(ConfigError, match="not writable"):
        write_report(ran, tmp_path)
    manifest = export(shareable(ran), tmp_path / "export", run_id="r", engine="e", policy_hashes={})
    told = {table["table"]: table["rows"] for table in json.loads(manifest.read_text())["tables"]}
    assert set(told) == {one.table.name for one in SHOWN if one.table not in CAPITATION}
    assert told[NETWORK_PMPM.name] == ran.read(NETWORK_PMPM).count()
