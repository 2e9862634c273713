"""The programs' policies beside the default over research files: one run, each member's attribution recomputed in plain
Python from the published tables, and nothing leaks."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from pmpm_spark.cli import main
from pmpm_spark.cli.explain import explained
from pmpm_spark.config import RunConfig, Source, Warehouse, load_policy
from pmpm_spark.identities import IDENTITIES
from pmpm_spark.model import MEMBER_ATTRIBUTION, MEMBERS, NETWORK_ROSTER, PROVIDERS
from pmpm_spark.pipeline import run
from pmpm_spark.reference import PRIMARY_CARE_HCPCS, reference_rows
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.warehouse import Published, published
from tests.equality import LISTS
from tests.impacts import impact
from tests.oracle import programs_plain as plain

pytestmark = pytest.mark.delta

FILES = Path(__file__).parent / "data" / "rif"
YEARS = (2019, 2020, 2021, 2022, 2023)
POLICIES = ("default", "mssp", "reach")
FIGURES = (
    "network_id", "practice_tin", "physician_npi", "measure_amount", "runner_up_network_id", "runner_up_amount", "winner",
    "step", "unattributed_reason", "margin",
)  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    lists = {name: str(FILES / f"{name}.csv") for name in LISTS}
    source = Source("rif", str(FILES), max_reject_share=1.0, **lists)
    policies = tuple(load_policy(name) for name in POLICIES)
    return RunConfig(source, Warehouse(str(tmp_path_factory.mktemp("programs"))), YEARS, policies)


@pytest.fixture(scope="module")
def ran(spark: SparkSession, config: RunConfig) -> Published:
    run(spark, config)
    return published(spark, config)


def recomputed(ran: Published) -> dict[tuple[str, int, str], tuple[Any, ...]]:
    """Every member's attribution by the plain rules, from the published tables."""
    tables = (
        PRIMARY_CARE_SERVICES, NETWORK_ROSTER, PROVIDERS, ELIGIBILITY_SPANS, MEMBERS, SECONDARY_PAYER_MONTHS,
        MEMBER_ATTRIBUTION,
    )  # fmt: skip
    rows = {table.short_name: [row.asDict() for row in ran.read(table).collect()] for table in tables}
    codes = {row["hcpcs"] for row in rows["primary_care_services"]}
    hcpcs = [dict(zip(PRIMARY_CARE_HCPCS.column_names, row, strict=True)) for row in reference_rows(PRIMARY_CARE_HCPCS)]
    told = plain.Tables(
        rows["primary_care_services"],
        rows["network_roster"],
        [row for row in hcpcs if row["hcpcs"] in codes],
        [],
        rows["providers"],
        rows["eligibility_spans"],
        rows["members"],
        rows["secondary_payer_months"],
        rows["member_attribution"],
        tuple(ran.read(TOLD_MONTHS).collect()[0]),
    )
    found = {}
    for name in POLICIES:
        rule = load_policy(name).attribution
        rules = plain.Rules(
            rule.method, rule.window, rule.participants_as_of == "line_date", rule.shared_participants == "exclude"
        )
        for year in YEARS:
            found.update({(name, year, member): row for member, row in plain.attributed(rules, year, told).items()})
    return found


def test_every_member_of_every_policy_is_where_the_plain_rules_put_it(ran: Published) -> None:
    rows = ran.read(ATTRIBUTION).select("policy", "performance_year", "member_id", *FIGURES).collect()
    found = {tuple(row[:3]): tuple(row[3:]) for row in rows}
    expected = recomputed(ran)
    differing = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
    assert not differing, [len(differing), *[(found.get(key), expected.get(key)) for key in differing[:5]]]
    attributed = Counter((key[0], row[7]) for key, row in found.items() if row[8] is None)
    assert {policy for policy, _ in attributed} == set(POLICIES)


def test_everybody_with_a_member_month_has_one_row_of_each_policy(ran: Published) -> None:
    def people(frame: Any) -> set[tuple[Any, ...]]:
        return set(map(tuple, frame.select("policy", "performance_year", "member_id").distinct().collect()))

    rows = ran.read(ATTRIBUTION)
    assert people(ran.read(MEMBER_MONTHS)) <= people(rows)
    assert people(rows.where("policy <> 'default'")) <= people(ran.read(MEMBER_MONTHS))
    assert rows.where("unattributed_reason IS NULL AND network_id = 'UNATTRIBUTED'").count() == 0


def test_a_member_is_explained_with_step_runner_up_and_margin_or_the_reason(ran: Published) -> None:
    def line_of(where: str) -> tuple[str, Row]:
        row = (
            ran.read(ATTRIBUTION).where(f"policy = 'mssp' AND {where}").orderBy("performance_year", "member_id").first()
        )
        assert row is not None
        lines = explained(ran, row["member_id"], None).splitlines()
        return next(line for line in lines if line.split()[:2] == ["mssp", str(row["performance_year"])]), row

    line, row = line_of("margin IS NOT NULL")
    for told in (row["step"], row["runner_up_network_id"], f"{row['margin']:,.2f}"):
        assert told in line.split()
    line, row = line_of("unattributed_reason = 'NO_PRIMARY_CARE'")
    assert line.split()[-1] == "NO_PRIMARY_CARE"


def test_months_of_reach_stop_for_the_year_and_nothing_leaks(ran: Published) -> None:
    months = ran.read(MEMBER_MONTHS).where("policy = 'reach'").orderBy("member_id", "member_month").collect()
    ended = set()
    for row in months:
        at = (row["member_id"], row["performance_year"])
        if row["ineligible_reasons"][:1] == ["NOT_IN_PERFORMANCE_YEAR"]:
            assert f"{row['member_month']:%Y-%m}" in ("2021-01", "2021-02", "2021-03")
        else:
            assert (row["ineligible_reasons"][:1] == ["ALIGNMENT_ENDED"]) == (at in ended)
            if not row["is_eligible"]:
                ended.add(at)
    assert ended
    sums = ran.read(IDENTITIES).where("counted + excluded <> everything").count()
    assert sums == 0


@pytest.mark.parametrize(("one", "other"), [*combinations(POLICIES, 2)])
def test_what_each_rule_moves_adds_up_to_the_published_figures_of_everybody_and_of_a_network(
    ran: Published, one: str, other: str
) -> None:
    moves = Counter(
        rule
        for year in (2021, 2022)
        for network in (None, "UNATTRIBUTED")
        for rule, figures in impact(ran, one, other, year, network).items()
        if any(figures)
    )
    rules = {rule.partition(",")[0] for rule in moves}
    assert {"attribution.method", "eligibility.months_stop" if other == "reach" else "eligibility.part_a_b"} <= rules


CONFIG = """
performance_years = [2021]
policy = "default"
engine = "{engine}"
[source]
kind = "rif"
path = "nowhere"
[warehouse]
path = "{warehouse}"
"""


def test_the_command_shows_the_impact_or_says_in_one_line_what_is_not_there(
    ran: Published, config: RunConfig, engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "config.toml"
    note.write_text(CONFIG.format(engine=engine, warehouse=config.warehouse.path), encoding="utf-8")

    def said(*argv: str, code: int = 0) -> str:
        assert main(("policies", "impact", *argv, "--config", str(note))) == code
        out = capsys.readouterr()
        assert (out.out == "") == (code != 0)
        return out.out or out.err.splitlines()[-1]

    rows = json.loads(said("default", "reach", "--year", "2021", "--format", "json"))
    assert [rows[0]["rule"], rows[-1]["rule"]] == ["default", "reach"]
    by_rule = {row["rule"]: row for row in rows}
    stop = by_rule["eligibility.months_stop"]
    assert (stop["default"], stop["reach"], stop["member_months"][0]) == ("false", "true", "-")
    assert said("default", "reach", "--year", "2021").splitlines()[0].split() == list(rows[0])
    for argv, told in {
        ("default", "ours", "--year", "2021"): 'run both with `pmpm run --set \'policy=["default", "ours"]\'`',
        ("default", "default", "--year", "2021"): "default is named twice",
        ("default", "reach", "--year", "2031"): "run it with `pmpm run --set performance_years=[2031]`",
        (
            "default",
            "reach",
            "--year",
            "2021",
            "--network",
            "X",
        ): "neither policy has an eligible month of network X in 2021",
    }.items():
        assert told in said(*argv, code=2)
