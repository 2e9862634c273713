"""The programs' policies beside the default over research files: one run, each member's attribution recomputed in plain
Python from the published tables, and nothing leaks."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from pmpm_spark.cli import main
from pmpm_spark.cli.explain import explained, network_explained
from pmpm_spark.config import RunConfig, Source, Warehouse, load_policy
from pmpm_spark.errors import InputError
from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.identities import IDENTITIES
from pmpm_spark.model import MEMBER_ATTRIBUTION, MEMBERS, NETWORK_ROSTER, OTHER_INITIATIVES, PROVIDERS
from pmpm_spark.pipeline import run
from pmpm_spark.reference import PRIMARY_CARE_HCPCS, alignment_periods, reference_rows
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.warehouse import Published, published
from pmpm_spark.why.attribution import candidates_of, first_months, standing_section
from pmpm_spark.why.dollars import OUTSIDE_YEARS, dollars_of
from pmpm_spark.why.member import members_of
from pmpm_spark.why.months import reasons_section
from pmpm_spark.why.rules import rules_of
from tests.equality import LISTS
from tests.impacts import impact
from tests.loaded import Loads
from tests.oracle import programs_plain as plain

pytestmark = pytest.mark.delta

FILES = Path(__file__).parent / "data" / "rif"
YEARS = (2019, 2020, 2021, 2022, 2023)
POLICIES = ("default", "mssp", "reach")
OF_ENROLLMENT = (
    "DECEASED", "NO_A_AND_B_MONTH", "A_ONLY_OR_B_ONLY", "NOT_IN_PART_A_AND_B", "MEDICARE_ADVANTAGE", "MEDICARE_SECONDARY",
    "NON_US_RESIDENT", "OTHER_INITIATIVE",
)  # fmt: skip
"""Reasons of attribution that rest on a record."""
FIGURES = (
    "network_id", "practice_tin", "physician_npi", "measure_amount", "runner_up_network_id", "runner_up_amount", "winner",
    "step", "unattributed_reason", "margin",
)  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    lists = {name: str(FILES / f"{name}.csv") for name in LISTS}
    elsewhere = tmp_path_factory.mktemp("lists") / "other_initiatives.csv"
    with (FILES / "member_attribution.csv").open(encoding="utf-8") as rows:
        told = [line.split(",")[:2] for line in rows]
    elsewhere.write_text("\n".join(",".join(row) for row in (told[0], *told[1::5])))  # every fifth
    lists["other_initiatives"] = str(elsewhere)
    source = Source("rif", str(FILES), max_reject_share=1.0, **lists)
    policies = tuple(load_policy(name) for name in POLICIES)
    return RunConfig(source, Warehouse(str(tmp_path_factory.mktemp("programs"))), YEARS, policies)


@pytest.fixture(scope="module")
def ran(spark: SparkSession, loads: Loads, config: RunConfig) -> Published:
    loads.begin(config, but=("other_initiatives",))
    run(spark, config)
    return published(spark, config)


def recomputed(ran: Published) -> dict[tuple[str, int, str], tuple[Any, ...]]:
    """Every member's attribution by the plain rules, from the published tables."""
    tables = (
        PRIMARY_CARE_SERVICES, NETWORK_ROSTER, PROVIDERS, ELIGIBILITY_SPANS, MEMBERS, SECONDARY_PAYER_MONTHS,
        MEMBER_ATTRIBUTION, OTHER_INITIATIVES,
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
        rows["other_initiatives"],
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
    assert {key[0] for key, row in found.items() if row[8] == "OTHER_INITIATIVE"} == {"mssp"}
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
        lines = explained(ran, row["member_id"], year=row["performance_year"], policy="mssp").splitlines()
        return next(line for line in lines if line.split()[:2] == ["mssp", str(row["performance_year"])]), row

    line, row = line_of("margin IS NOT NULL")
    for told in (row["step"], row["runner_up_network_id"], f"{row['margin']:,.2f}"):
        assert told in line.split()
    line, row = line_of("unattributed_reason = 'NO_PRIMARY_CARE'")
    assert line.split()[-1] == "NO_PRIMARY_CARE"


def test_every_candidate_is_explained_and_the_first_two_are_those_published(ran: Published) -> None:
    rules = rules_of(ran)
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in candidates_of(ran, rules, YEARS, F.lit(True)):
        found[row["policy"], row["performance_year"], row["member_id"]].append(row)
    decided = 0
    for row in ran.read(ATTRIBUTION).collect():
        named = found.pop((row["policy"], row["performance_year"], row["member_id"]), [])
        assert [one["place"] for one in named] == list(range(1, len(named) + 1))
        assert [-one["amount"] for one in named] == sorted(-one["amount"] for one in named)
        if row["winner"] is not None:
            second = named[1] if len(named) > 1 else {"candidate": None, "amount": None}
            assert (named[0]["candidate"], named[0]["amount"]) == (row["winner"], row["measure_amount"])
            assert (second["candidate"], second["amount"]) == (row["runner_up_network_id"], row["runner_up_amount"])
            assert row["unattributed_reason"] != "NO_PHYSICIAN_SERVICE" or not named[0]["passes"]
            decided += 1
        elif row["unattributed_reason"] == "NO_PRIMARY_CARE":
            assert named == []
    assert decided > 20
    assert all(key[0] == "reach" or key[0] == "mssp" for key in found), "of who is not covered nobody has a row"


def test_every_reason_has_its_record_and_months_and_cents_are_those_of_the_run(ran: Published) -> None:
    """Over all members and policies at once; what a member is told adds up to what the run reports."""
    rules = rules_of(ran)
    policies = {label: rule for label, (rule, _) in rules.items()}
    periods = alignment_periods(ran.store.reference_path)
    months: Counter[Any] = Counter()
    cents: dict[Any, Decimal] = defaultdict(Decimal)
    for member in members_of(ran, list(rules), F.lit(True)).values():
        section = reasons_section(member, policies, first_months(periods), member.months)
        told = defaultdict(list)
        for policy, month, reason, because, file, line in section.rows:
            told[policy, month, reason].append((because, file, line))
        for row in member.months:
            for reason in row["ineligible_reasons"]:
                records = told.pop((row["policy"], row["member_month"], reason))
                derived = reason in ("ALIGNMENT_ENDED", "NOT_IN_PERFORMANCE_YEAR")
                assert all(derived or file is not None or "no enrollment record" in what for what, file, _ in records)
            if not row["is_eligible"]:
                months[row["policy"], row["performance_year"], row["ineligible_reasons"][0]] += 1
        assert not told
        for row in member.attribution:
            if row["policy"] != "default" and row["unattributed_reason"] in OF_ENROLLMENT:
                behind = standing_section(member, rules, periods, [row]).rows
                assert behind
                if row["unattributed_reason"] == "OTHER_INITIATIVE":
                    assert {told[4] for told in behind} == {"other_initiatives.csv"}
                    assert all(told[5] > 1 for told in behind)
        for dollar in dollars_of(member, rules):
            assert dollar.paid_amount == 0 or member.place(dollar.line) is not None
            if dollar.reason not in (None, OUTSIDE_YEARS):
                cents[dollar.policy, dollar.month.year, dollar.reason] += dollar.paid_amount
    rows = ran.read(EXCLUDED).where("kind <> 'step'").collect()
    key = ("policy", "performance_year", "reason")
    published = {tuple(row[k] for k in key): row["member_months"] for row in rows if row["kind"] == "month"}
    assert months == published
    paid = {tuple(row[k] for k in key): row["paid_amount"] for row in rows if row["kind"] == "dollar"}
    assert dict(cents) == paid
    assert len(published) > 8


def test_a_network_is_shown_in_parts_that_give_its_pmpm(ran: Published) -> None:
    told = json.loads(network_explained(ran, "A1001", 2021, form="json"))
    for policy in POLICIES:
        parts = {row["part"]: Decimal(str(row["value"])) for row in told["parts"] if row["policy"] == policy}

        def total(name: str, parts: dict[str, Decimal] = parts) -> Decimal:
            return sum((value for part, value in parts.items() if part.startswith(f"{name} ")), Decimal(0))

        assert total("member_months") == parts["member_months"] > 0
        assert total("counted_amount") == parts["counted_amount"] == parts["paid_amount"]
        risk = parts["score_sum"] / parts["score_weights"] / parts["normalization_factor"]
        redone = {
            "pmpm": total("counted_amount") / total("member_months"),
            "normalized_risk_score": risk,
            "adjusted_pmpm": total("counted_amount") / total("member_months") / risk,
        }
        for name, value in redone.items():
            assert float(parts[name]) == pytest.approx(float(value), rel=1e-9), (policy, name)
        practices = [row for row in told["practices"] if row["policy"] == policy]
        assert sum(Decimal(row["counted_amount"]) for row in practices) == parts["counted_amount"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"member_id": "nobody at all"}, "no enrollment record and no claim"),
        ({"member_id": "nobody at all", "year": 2018}, "no year 2018 is published .one of: 2019, 2020"),
        ({"member_id": "nobody at all", "policy": "x"}, "no policy x is published .one of: default, mssp, reach"),
        ({"network_id": "A9", "year": 2021}, "no network A9 is published in 2021 .one of: A1001"),
        ({"network_id": "A1001", "year": 2030}, "no year 2030"),
        ({"network_id": "A1001", "year": 2021, "policy": "x"}, "no policy x"),
    ],
)
def test_what_is_not_published_is_one_line(ran: Published, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        network_explained(ran, **asked) if "network_id" in asked else explained(ran, **asked)
    assert "\n" not in str(refused.value)
    assert "nobody at all" not in str(refused.value)


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
