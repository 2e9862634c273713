"""Whole runs over generated people, of whom something is told late: what each run says that it moved of the one before."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.cli import main
from pmpm_spark.cli.changes import changed_rows, for_people, sentences
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.generate import generate
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.restatement import NOT_SPLIT, OF_DATA, PARTS, RESTATEMENT
from pmpm_spark.pipeline import RunResult, run
from pmpm_spark.policy import Cost, Policy, Risk
from pmpm_spark.restate import OTHER_TABLES
from pmpm_spark.runs import RunBook
from pmpm_spark.warehouse import Published, published
from tests.delivered import rewritten

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]

YEARS = (2021, 2022)
LISTS = ("network_roster", "providers", "risk_scores", "member_attribution")
CUT = Policy(
    "cut",
    cost=Cost(truncation="percentile", truncation_percentile=90.0, claim_month="from", sequestration_add_back=True),
    risk=Risk(normalization="population", by_enrollment_type=True, cap="both", cap_reference_year=2021),
)
Row = dict[str, Any]


@dataclass
class House:
    """A warehouse after three runs: what was known first, what was told late, and other rules over the same."""

    spark: SparkSession
    config: RunConfig
    root: Path
    runs: list[RunResult]
    told: list[list[Row]]
    """What each run wrote."""

    @property
    def warehouse(self) -> Published:
        return published(self.spark, self.config)

    @property
    def book(self) -> RunBook:
        return RunBook(self.spark, self.config.warehouse)

    def figures(self, at: int) -> dict[tuple[str, int, str], Row]:
        """What a run published of each network."""
        makers = self.book.makers(NETWORK_PMPM, until=self.runs[at].run_id)
        version = next(iter(makers.values())).run.versions[NETWORK_PMPM.name]
        rows = self.warehouse.store.delta.at(NETWORK_PMPM, version).collect()
        return {(row["policy"], row["performance_year"], row["network_id"]): row.asDict() for row in rows}


@pytest.fixture(scope="module")
def house(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("restated")
    whole, given = root / "whole", root / "given"
    generate(spark, str(whole), members=150, years=YEARS, seed=5)
    shutil.rmtree(whole / "planted", ignore_errors=True)
    shutil.copytree(whole, given)
    random = Random(5)
    late = set()
    for path in sorted(given.glob("carrier/*")):
        rewritten(whole / "carrier" / path.name, path, lambda row: _is_early(random, row["CLM_ID"], late))
        rewritten(
            whole / "carrier" / path.name,
            root / "late" / "carrier" / f"late-{path.name}",
            lambda row: row["CLM_ID"] in late,
        )
    for path in sorted(given.glob("beneficiary_2022/*")):
        rewritten(
            whole / "beneficiary_2022" / path.name,
            path,
            lambda row: random.random() < 0.95,
            lambda row: _shorter(random, row),
        )
    shutil.copytree(whole / "beneficiary_2022", root / "late" / "beneficiary_2022_again")
    for path in sorted(given.glob("risk_scores/*")):
        rewritten(whole / "risk_scores" / path.name, path, lambda row: True, lambda row: _lower(random, row))
    lists = {name: str(given / name) for name in LISTS}
    config = RunConfig(
        Source("rif", str(given), **lists),
        Warehouse(str(root / "warehouse")),
        YEARS,
        (Policy("plain"), CUT),
        Reference(),
    )
    runs, told = [], []

    def one_more(config: RunConfig) -> None:
        runs.append(run(spark, config))
        told.append([row.asDict() for row in published(spark, config).read(RESTATEMENT).collect()])

    one_more(config)
    shutil.copytree(root / "late", given, dirs_exist_ok=True)
    shutil.rmtree(given / "risk_scores")
    shutil.copytree(whole / "risk_scores", given / "risk_scores")
    one_more(config)
    reference = root / "reference"
    reference.mkdir()
    (reference / "normalization_factors.csv").write_text(
        "performance_year,normalization_factor,source\n2021,1.2,test\n2022,1.3,test\n"
    )
    cut = replace(CUT, cost=replace(CUT.cost, truncation_percentile=99.0))
    config = replace(config, policies=(Policy("plain"), cut), reference=Reference(str(reference)))
    one_more(config)
    return House(spark, config, root, runs, told)


def _is_early(random: Random, claim: str, late: set[str]) -> bool:
    if random.random() < 0.15:
        late.add(claim)
    return claim not in late


def _shorter(random: Random, row: Row) -> None:
    """Coverage that is told to end in June, for some."""
    if random.random() < 0.1:
        row |= {name: "0" for name in row if name.startswith("MDCR_ENTLMT_BUYIN_") and int(name.split("_")[3]) > 6}


def _lower(random: Random, row: Row) -> None:
    if random.random() < 0.2:
        row["risk_score"] = str(Decimal(row["risk_score"]) / 2)


def cents(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def check_sums(rows: list[Row], before: dict[Any, Row], after: dict[Any, Row]) -> None:
    """Then and now are what the runs published, and the parts add up to the difference."""
    networks = {(row["policy"], row["performance_year"], row["network_id"]) for row in rows}
    assert networks == before.keys() | after.keys()
    for key in networks:
        of_network = [row for row in rows if (row["policy"], row["performance_year"], row["network_id"]) == key]
        for name in ("pmpm", "adjusted_pmpm"):
            then, now = (cents(at[key][name]) if key in at else None for at in (before, after))
            assert {(row[f"{name}_then"], row[f"{name}_now"]) for row in of_network} == {(then, now)}
            if then is not None and now is not None:
                assert sum(row[f"{name}_change"] for row in of_network) == now - then


def moved(rows: list[Row], policy: str) -> set[str]:
    return {
        row["part"] for row in rows if row["policy"] == policy and (row["pmpm_change"] or row["adjusted_pmpm_change"])
    }


def test_the_first_run_restates_nothing_and_the_second_what_was_told_late(house: House) -> None:
    assert house.told[0] == []
    check_sums(house.told[1], house.figures(0), house.figures(1))
    assert {row["since_run_id"] for row in house.told[1]} == {house.runs[0].run_id}
    for policy in ("plain", "cut"):
        assert moved(house.told[1], policy) == set(OF_DATA), policy
    assert {row["reason"] for row in house.told[1] if row["part"] != NOT_SPLIT} == {None}


def test_other_rules_over_the_same_data_are_of_reference_tables_and_settings_alone(house: House) -> None:
    check_sums(house.told[2], house.figures(1), house.figures(2))
    assert moved(house.told[2], "plain") == {"REFERENCE_TABLES"}
    assert moved(house.told[2], "cut") == {"SETTINGS"}


def test_against_any_run_the_parts_add_up_and_nothing_is_left_in_the_warehouse(house: House) -> None:
    rows = [dict(row) for row in changed_rows(house.warehouse, house.book, house.runs[0].run_id)]
    check_sums(rows, house.figures(0), house.figures(2))
    assert moved(rows, "plain") == {*OF_DATA, "REFERENCE_TABLES"}
    assert moved(rows, "cut") == {*OF_DATA, "SETTINGS"}
    assert sorted(path.name for path in (house.root / "warehouse").iterdir() if path.is_dir()) == [
        "bronze", "gold", "intake", "ops", "silver",
    ]  # fmt: skip


def test_without_since_it_is_what_the_run_wrote_and_each_network_has_its_sentence(house: House) -> None:
    rows = changed_rows(house.warehouse, house.book, None, policy="cut", year=2022)
    wanted = [row for row in house.told[2] if (row["policy"], row["performance_year"]) == ("cut", 2022)]
    assert sorted(map(repr, map(dict, rows))) == sorted(map(repr, wanted))
    said, shown = sentences(rows), for_people(rows)
    networks = {row["network_id"] for row in rows}
    assert len(said) == len(networks)
    assert len(shown.rows) == len(networks) * (len(PARTS) + 2)
    first = said[0]
    assert first.startswith("Policy cut, 2022: A2001's adjusted PMPM was $")
    assert f"in run {house.runs[1].run_id} and is $" in first
    assert any("settings " in one for one in said)
    assert not any("claims" in one for one in said)


def test_the_command_prints_the_table_and_the_sentences(
    house: House, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house.root / "asked.toml"
    config.write_text(
        f'performance_years = [2022]\npolicy = "conf/policies/default.toml"\n[source]\nkind = "rif"\npath = "x"\n'
        f'[warehouse]\npath = "{house.root}/warehouse"\n[reference]\npath = "{house.root}/reference"\n'
    )
    asked = ["changes", "--config", str(config), "--engine", engine, "--year", "2022", "--network", "A2001"]
    assert main([*asked, "--policy", "plain", "--since", house.runs[1].run_id]) == 0
    told = capsys.readouterr().out
    assert [line.split()[3] for line in told.splitlines()[2:10]] == ["THEN", *PARTS, "NOW"]
    assert "Policy plain, 2022: A2001's adjusted PMPM was $" in told
    assert "reference tables " in told
    assert main([*asked, "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == ",".join(RESTATEMENT.column_names)


def test_a_run_that_is_none_and_a_network_that_is_none_are_named(house: House) -> None:
    with pytest.raises(ConfigError, match="--since 1999: no finished run begins so; the last ones are 2"):
        changed_rows(house.warehouse, house.book, "1999")
    with pytest.raises(ConfigError, match="--since 2: 3 runs begin so"):
        changed_rows(house.warehouse, house.book, "2")
    with pytest.raises(InputError, match=r"changes: no run has restated it: .* \(network_id X\)"):
        changed_rows(house.warehouse, house.book, None, network="X")
    with pytest.raises(InputError, match="was made anew since"):
        changed_rows(house.warehouse, house.book, house.runs[2].run_id)


def test_with_other_reference_tables_at_hand_than_the_run_was_made_by_nothing_is_split(house: House) -> None:
    asked = published(house.spark, replace(house.config, reference=Reference()))
    rows = [dict(row) for row in changed_rows(asked, house.book, house.runs[1].run_id)]
    check_sums(rows, house.figures(1), house.figures(2))
    assert {row["reason"] for row in rows} == {OTHER_TABLES}


def test_where_the_tables_of_then_are_gone_the_whole_difference_stands_with_the_reason(house: House) -> None:
    """As after a vacuum: the last test, for it takes what the others read."""
    before = house.figures(0)
    version = house.book.makers(NETWORK_PMPM, until=house.runs[0].run_id)["plain", 2021].run.versions
    from deltalake import DeltaTable

    folder = house.root / "warehouse" / "silver" / "claim_costs"
    kept = set(DeltaTable(str(folder)).file_uris())
    for file in DeltaTable(str(folder), version=version["silver.claim_costs"]).file_uris():
        if file not in kept:
            Path(file.removeprefix("file://")).unlink()
    rows = [dict(row) for row in changed_rows(house.warehouse, house.book, house.runs[0].run_id)]
    check_sums(rows, before, house.figures(2))
    assert {row["part"] for row in rows} == {NOT_SPLIT}
    assert f"the tables of run {house.runs[0].run_id} cannot be read as they were" in rows[0]["reason"]
