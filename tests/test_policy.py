"""A policy's label says whether this run changed what its file says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from pmpm_spark.config import load_policy, policies_named, policy_file, shipped_policies
from pmpm_spark.errors import ConfigError
from pmpm_spark.policy import SOURCE_IS_RUN, SOURCE_UNTOLD, STEPS, Cost, Policy, policy_from

ROOT = Path(__file__).parent.parent
SHIPPED = sorted((ROOT / "conf" / "policies").glob("*.toml"))
HASH_OF_DEFAULT = "c11d51cb0bdbdcb75acabd9ef14b0d0c3d8c9fbe3088499a2952b2907a040079"
"""Stored rows are known by it: it changes with the rules of `default` and with nothing else."""

SAID: dict[str, Any] = {"name": "house", "cost": {"amount": "paid", "claim_month": "from"}}


def test_the_label_is_the_name_as_long_as_nothing_is_changed() -> None:
    assert policy_from(SAID, "file").label == "house"
    assert policy_from(SAID, "file", {"cost": {"claim_month": "from"}}).label == "house"


def test_a_changed_setting_shows_in_the_label_as_six_digits_of_the_content() -> None:
    changed = policy_from(SAID, "file", {"cost": {"claim_month": "thru"}})
    assert re.fullmatch(r"house\*[0-9a-f]{6}", changed.label)
    assert changed.label == f"house*{changed.content_hash[:6]}"
    other = policy_from(SAID, "file", {"cost": {"amount": "allowed"}})
    assert other.label != changed.label
    assert other.cost.claim_month == "from"


def test_the_hash_is_of_the_content_and_not_of_its_order_or_name() -> None:
    turned = {"cost": {"claim_month": "from", "amount": "paid"}, "name": "house"}
    assert policy_from(turned, "file").content_hash == policy_from(SAID, "file").content_hash
    renamed = {**SAID, "name": "other"}
    assert policy_from(renamed, "file").content_hash == policy_from(SAID, "file").content_hash
    written_out = {**SAID, "attribution": {"method": "plurality"}}
    assert policy_from(written_out, "file").content_hash == policy_from(SAID, "file").content_hash
    assert policy_from({"name": "house"}, "file").content_hash != policy_from(SAID, "file").content_hash


def test_a_policy_needs_its_name() -> None:
    with pytest.raises(ConfigError, match="file: name is missing"):
        policy_from({}, "file")


def test_a_fault_of_the_run_is_not_said_of_the_file() -> None:
    with pytest.raises(ConfigError, match=r"file with --set: unknown key cost\.colour"):
        policy_from(SAID, "file", {"cost": {"colour": "red"}})


def test_the_shipped_policy_writes_out_every_setting_with_its_default() -> None:
    shipped = load_policy("conf/policies/default.toml")
    assert shipped == Policy("default")
    said = (Path(__file__).parent.parent / "conf" / "policies" / "default.toml").read_text(encoding="utf-8")
    for section in (shipped.eligibility, shipped.cost, shipped.attribution, shipped.risk, shipped.outcomes):
        for setting in vars(section):
            assert re.search(rf"^{setting} = ", said, re.MULTILINE), setting


def test_a_policy_file_is_found_by_its_short_name() -> None:
    assert load_policy("default") == load_policy("conf/policies/default.toml")


@pytest.mark.parametrize("months", [0, 61])
def test_the_window_has_its_limits(months: int) -> None:
    with pytest.raises(ConfigError, match=f"window_months is {months}"):
        policy_from({"name": "x", "eligibility": {"window_months": months}}, "file")


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ({"steps": ["exclude", "weigh"]}, "cost.steps names weigh, which is no step (one of: exclude, sequestration, "),
        ({"steps": list(STEPS[:-1])}, "cost.steps is exclude, sequestration, complete, annualize, truncate: name each"),
        (
            {"steps": [*STEPS, "exclude"]},
            "cost.steps is exclude, sequestration, complete, annualize, truncate, weight, ",
        ),
        ({"steps": []}, "cost.steps is : name each of exclude"),
        (
            {"steps": ["truncate", "annualize", "exclude", "sequestration", "complete", "weight"]},
            "cost.steps: annualize",
        ),
        (
            {"steps": ["weight", "annualize", "truncate", "exclude", "sequestration", "complete"]},
            "cost.steps: annualize",
        ),
        ({"truncation_percentile": 0}, "cost.truncation_percentile is 0.0: give a number above 0 up to 100"),
        ({"truncation_percentile": 100.5}, "cost.truncation_percentile is 100.5: give a number"),
        ({"truncation_percentile": 99.00001}, "cost.truncation_percentile is 99.00001: give a number"),
        ({"completion": "some"}, 'file: cost.completion = "some" is unknown (one of: none, supplied, chain_ladder)'),
    ],
)
def test_steps_and_percentiles_that_cannot_be_taken_are_named_in_one_line(cost: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_from({"name": "x", "cost": cost}, "file")
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("risk", "told"),
    [
        ({"by_enrollment_type": True}, "risk.by_enrollment_type: the table has one factor a year; set "),
        ({"cap": "growth"}, "risk.cap is growth: risk.cap_reference_year says since which year"),
        ({"cap_percent": 100}, "risk.cap_percent is 100.0: give a number from 0 to below 100"),
        ({"cap_percent": -1}, "risk.cap_percent is -1.0: give a number"),
    ],
)
def test_rules_of_risk_that_cannot_be_taken_are_named_in_one_line(risk: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_from({"name": "x", "risk": risk}, "file")
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("attribution", "told"),
    [
        ({"min_charge": -0.01}, "attribution.min_charge is -0.01: give dollars and cents from 0 to 1,000,000"),
        ({"min_charge": 0.001}, "attribution.min_charge is 0.001: give dollars"),
        ({"min_charge": float("inf")}, "attribution.min_charge is inf: give dollars"),
        ({"network_types": ["ACO"]}, "attribution.network_types names ACO: give some of MSSP, REACH, OTHER"),
        ({"network_types": []}, "attribution.network_types names nothing: give some of MSSP"),
    ],
)
def test_rules_of_attribution_that_cannot_be_taken_are_named_in_one_line(
    attribution: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_from({"name": "x", "attribution": attribution}, "file")
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_the_order_of_the_types_of_networks_changes_no_hash() -> None:
    told = [
        policy_from({"name": "x", "attribution": {"network_types": types}}, "file").content_hash
        for types in (["MSSP", "OTHER"], ["OTHER", "MSSP"], ["OTHER", "MSSP", "OTHER"])
    ]
    assert len(set(told)) == 1


def test_what_comes_after_the_truncation_is_nothing_where_a_policy_does_not_truncate() -> None:
    steps = ("annualize", "truncate", "complete", "exclude", "weight", "sequestration")
    assert Cost(steps=steps).after_truncation == ()
    assert Cost(truncation="supplied", steps=steps).after_truncation == steps[2:]


# --- sources


def sources_of(policy: Policy) -> dict[str, str]:
    return {setting.key: setting.source for setting in policy.settings}


def test_every_default_has_its_source() -> None:
    assert [key for key, source in sources_of(Policy("plain")).items() if source == SOURCE_UNTOLD] == []


def test_the_default_policy_tells_every_setting_and_the_sources_of_the_defaults() -> None:
    shipped = load_policy("default")
    assert shipped.sources == sources_of(Policy("plain"))
    assert shipped.description


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_tells_the_source_of_each_key_that_it_sets_and_of_no_other(path: Path) -> None:
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    keys = {
        f"{part}.{key}" for part, rules in said.items() if isinstance(rules, dict) for key in rules if part != "sources"
    }
    assert set(said["sources"]) == keys
    assert said["name"] == path.stem
    assert said["description"].strip()


def test_the_files_own_source_goes_before_that_of_the_default() -> None:
    told = policy_from({**SAID, "sources": {"cost.amount": "contract 7"}}, "file")
    assert sources_of(told)["cost.amount"] == "contract 7"
    assert sources_of(told)["cost.basis"] == sources_of(Policy("plain"))["cost.basis"]


def test_the_source_of_a_default_does_not_speak_for_another_value() -> None:
    assert sources_of(policy_from(SAID, "file"))["cost.claim_month"] == SOURCE_UNTOLD


def test_a_source_may_stand_under_its_key_in_quotes_or_not() -> None:
    quoted = policy_from(tomllib.loads('name = "x"\n[sources]\n"cost.amount" = "contract"'), "file")
    plain = policy_from(tomllib.loads('name = "x"\n[sources]\ncost.amount = "contract"'), "file")
    assert quoted.sources == plain.sources == {"cost.amount": "contract"}


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ({"cost.colour": "x"}, "own.toml: sources names cost.colour, which is no setting (known here: eligibility."),
        ({"cost": "x"}, "own.toml: sources names cost, which is no setting"),
        ({"name": "x"}, "own.toml: sources names name, which is no setting"),
        ({"cost.amount": 7}, "own.toml: sources.cost.amount must be text in quotes"),
        ({"cost.amount": " "}, "own.toml: sources.cost.amount must be text in quotes"),
        ({"cost.amount": "x", "cost": {"amount": "y"}}, "own.toml: sources names cost.amount twice"),
        ("x", "own.toml: sources is a table: write [sources]"),
    ],
)
def test_a_source_that_cannot_be_taken_is_named(sources: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_from({**SAID, "sources": sources}, "own.toml")
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_a_setting_that_the_run_changed_has_the_run_as_its_source() -> None:
    told = {**SAID, "sources": {"cost.amount": "contract 7", "cost.claim_month": "contract 8"}}
    changed = policy_from(told, "file", {"cost": {"amount": "allowed"}})
    assert changed.label == f"house*{changed.content_hash[:6]}"
    assert sources_of(changed)["cost.amount"] == SOURCE_IS_RUN
    assert sources_of(changed)["cost.claim_month"] == "contract 8"


def test_sources_and_description_are_no_rules() -> None:
    assert load_policy("default").content_hash == Policy("plain").content_hash == HASH_OF_DEFAULT
    told = {**SAID, "description": "ours", "sources": {"cost.amount": "contract 7"}}
    assert policy_from(told, "file") == policy_from(SAID, "file")
    assert policy_from(told, "file").content_hash == policy_from(SAID, "file").content_hash


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ({"pcr_max_age": 17}, "outcomes.pcr_max_age is 17: give 0 for none, or years from 18 to 130"),
        ({"pcr_gap_days": 366}, "outcomes.pcr_gap_days is 366: give days from 0 to 365"),
        ({"pcr_gap_days": -1}, "outcomes.pcr_gap_days is -1: give days"),
        ({"pcr_outlier_stays": 1}, "outcomes.pcr_outlier_stays is 1: give 0 for none, or a number from 2"),
        ({"ed_admitted": "some"}, 'file: outcomes.ed_admitted = "some" is unknown (one of: exclude, include)'),
    ],
)
def test_rules_of_outcomes_that_cannot_be_taken_are_named_in_one_line(outcomes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_from({"name": "x", "outcomes": outcomes}, "file")
    assert str(caught.value).startswith(told)


# --- files


def test_each_shipped_policy_is_found_by_its_name_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(shipped_policies()) == {path.stem for path in SHIPPED} >= {"default", "commercial"}
    for path in SHIPPED:
        for name in (path.stem, path.name, f"conf/policies/{path.name}"):
            assert policy_file(name) == path
        assert load_policy(path.stem).label == path.stem


def test_the_file_of_a_path_goes_before_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path("conf/policies/default.toml")
    own.parent.mkdir(parents=True)
    own.write_text('name = "ours"\n', encoding="utf-8")
    assert load_policy(str(own)).name == "ours"
    assert load_policy("default").name == "default"


def test_a_policy_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(
        ConfigError, match=r"there is no file comercial, and no shipped policy of that name \(commercial, "
    ):
        load_policy("comercial")


def test_a_run_may_take_several_shipped_policies_by_name() -> None:
    sets = ['policy=["default", "commercial"]', "performance_years=2021", "source.kind=rif", "source.path=in"]
    named = policies_named(None, [*sets, "warehouse.path=out", "policy.cost.claim_month=from"])
    assert [path.stem for path, _ in named] == ["default", "commercial"]
    assert [policy.name for _, policy in named] == ["default", "commercial"]
    assert all("*" in policy.label for _, policy in named)


def test_the_wheel_brings_the_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = pytest.importorskip("hatchling.build")
    monkeypatch.chdir(ROOT)
    names = ZipFile(tmp_path / build.build_wheel(str(tmp_path))).namelist()
    assert {f"pmpm_spark/conf/policies/{path.name}" for path in SHIPPED} <= set(names)


def test_the_commercial_policy_is_a_payers_without_parts() -> None:
    policy = load_policy("commercial")
    eligibility, cost = policy.eligibility, policy.cost
    assert (eligibility.part_a_b, eligibility.coverage_rule) == ("none", "prorated")
    assert not eligibility.exclude_medicare_advantage
    assert not eligibility.exclude_medicare_secondary
    assert (cost.include_pharmacy, policy.risk.normalization) == (True, "population")
