"""Configurations are read strictly: what is wrong is said in one line that names the file and the key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pmpm_spark.config import RunConfig, Warehouse, load_config
from pmpm_spark.errors import ConfigError

GOOD = """
performance_years = [2021, 2022]
policy = "default"
[source]
kind = "rif"
path = "claims"
[warehouse]
path = "tables"
"""


def loaded(tmp_path: Path, content: str = GOOD, *sets: str) -> RunConfig:
    path = tmp_path / "config.toml"
    path.write_text(content, encoding="utf-8")
    return load_config(str(path), sets)


def refused(tmp_path: Path, content: str = GOOD, *sets: str) -> str:
    """What is said of a configuration that must not be taken: one line."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, content, *sets)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_file(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert config.performance_years == (2021, 2022)
    assert (config.source.kind, config.source.path, config.source.part_c) == ("rif", "claims", "hmo_indicator")
    assert config.warehouse == Warehouse(path="tables")
    assert [policy.label for policy in config.policies] == ["default"]
    assert config.reference.path is None


def test_the_configuration_that_is_shipped_can_be_read() -> None:
    config = load_config(str(Path(__file__).parent.parent / "conf" / "local.toml"))
    assert config.policies[0].name == "default"


def test_everything_can_be_said_by_set_alone() -> None:
    sets = ["performance_years=2021", "policy=default", "source.kind=rif", "source.path=in", "warehouse.path=out"]
    config = load_config(None, sets)
    assert (config.performance_years, config.source.path, config.warehouse.path) == ((2021,), "in", "out")


@pytest.mark.parametrize(
    ("given", "changed", "told"),
    [
        ('path = "claims"', 'path = "claims"\nnetwork_rooster = "r"', "unknown key source.network_rooster"),
        ("performance_years", "performance_year", "unknown key performance_year "),
        ('path = "claims"', "", "source.path is missing"),
        ('[source]\nkind = "rif"\npath = "claims"', "", "source is missing"),
        ('[source]\nkind = "rif"\npath = "claims"', "source = 1", "source is a table: write [source]"),
        ('"claims"', "7", "source.path must be text in quotes"),
        ("[2021, 2022]", '["2021"]', "performance_years must be a list of a whole number"),
        ("[2021, 2022]", "[true]", "performance_years must be a list of a whole number"),
        ("[2021, 2022]", "[]", "performance_years is empty"),
        ("[2021, 2022]", "[2021, 2021]", "performance_years names a year twice"),
        ("[2021, 2022]", "[21]", "performance_years: 21 is no year"),
        ('"rif"', '"riff"', 'source.kind = "riff" is unknown (one of: rif, cclf, synpuf, common, tuva)'),
        ('"default"', '"no/such.toml"', "policy: there is no file no/such.toml"),
        ('"default"', "[]", "policy: give at least one"),
        ('"default"', '["default", "default"]', "none twice"),
        ('"tables"', '"tables"\nschema = "s"', "warehouse: give path, or schema"),
        ('path = "tables"', "", "warehouse: give path, or schema"),
        ('path = "tables"', 'path = "tables"\ncatalog = "main"', "warehouse: give path, or schema"),
        ('path = "tables"', 'schema = "a; DROP"', "warehouse.schema: only letters"),
        ("[source]", "[source", "not readable as TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, given: str, changed: str, told: str) -> None:
    assert given in GOOD
    message = refused(tmp_path, GOOD.replace(given, changed, 1))
    assert told in message


def test_the_file_that_is_missing_or_misspelt_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file"):
        load_config(str(tmp_path / "nowhere.toml"))
    assert "config.toml" in refused(tmp_path, GOOD + "colour = 1\n")


@pytest.mark.parametrize("said", ["2021-07-31", '"2021-07-31"'])
def test_a_day_may_stand_in_quotes_or_not(tmp_path: Path, said: str) -> None:
    in_file = loaded(tmp_path, GOOD.replace("[source]", f"[source]\ndata_through = {said}"))
    by_set = loaded(tmp_path, GOOD, f"source.data_through={said}")
    assert in_file.source.last_told_day == by_set.source.last_told_day == date(2021, 7, 31)


@pytest.mark.parametrize("said", ["2021-02-30", '"31.07.2021"', "soon", ""])
def test_what_is_no_day_is_refused(tmp_path: Path, said: str) -> None:
    assert "source.data_through" in refused(tmp_path, GOOD, f"source.data_through={said}")


@pytest.mark.parametrize("said", ["1", "1.0"])
def test_a_number_may_be_whole(tmp_path: Path, said: str) -> None:
    in_file = loaded(tmp_path, GOOD.replace("[source]", f"[source]\nmax_reject_share = {said}"))
    by_set = loaded(tmp_path, GOOD, f"source.max_reject_share={said}")
    assert [repr(config.source.max_reject_share) for config in (in_file, by_set)] == ["1.0", "1.0"]


@pytest.mark.parametrize("said", ["true", '"1"', "[1]"])
def test_what_is_no_number_is_refused(tmp_path: Path, said: str) -> None:
    assert "source.max_reject_share must be a number" in refused(tmp_path, GOOD, f"source.max_reject_share={said}")


def test_set_takes_toml_values_and_plain_text(tmp_path: Path) -> None:
    config = loaded(tmp_path, GOOD, "performance_years=[2020]", "source.path=/a b/c=d", 'source.providers="p.csv"')
    assert config.performance_years == (2020,)
    assert (config.source.path, config.source.providers) == ("/a b/c=d", "p.csv")
    assert loaded(tmp_path, GOOD, "source.path=x", "source.path=y").source.path == "y"


def test_set_changes_one_setting_of_the_policy(tmp_path: Path) -> None:
    config = loaded(tmp_path, GOOD, 'policy.attribution.method="roster"', "policy.cost.include_pharmacy=true")
    policy = config.policies[0]
    assert (policy.attribution.method, policy.cost.include_pharmacy) == ("roster", True)
    assert policy.attribution.window == "performance_year"
    assert policy.label.startswith("default*")
    assert loaded(tmp_path, GOOD, "policy.attribution.method=roster").policies[0].attribution.method == "roster"


def test_set_may_name_another_policy_and_change_it(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\n', encoding="utf-8")
    config = loaded(tmp_path, GOOD, f'policy=["default", "{own}"]', "policy.cost.claim_month=from")
    assert [policy.name for policy in config.policies] == ["default", "own"]
    assert {policy.cost.claim_month for policy in config.policies} == {"from"}


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("source.path", "write dotted.key=value"),
        ("=x", "write dotted.key=value"),
        ("source..path=x", "write dotted.key=value"),
        ("source.pth=x", "unknown key source.pth"),
        ("source.kind.x=1", "kind is no table"),
        ("policy.cost.basiss=x", "unknown key cost.basiss"),
        ("policy.eligibility.lag_months=no", "eligibility.lag_months must be a whole number"),
        ("policy.eligibility.window_months=61", "eligibility.window_months is 61"),
        ("policy.cost.amount=billed", 'cost.amount = "billed" is unknown'),
        ("policy.is_changed=true", "unknown key is_changed"),
    ],
)
def test_a_set_that_cannot_be_is_refused(tmp_path: Path, assignment: str, told: str) -> None:
    assert told in refused(tmp_path, GOOD, assignment)


@pytest.mark.parametrize("key", ["source.password", "fs.s3a.access_key", "warehouse.Token", "client_secret.id"])
def test_a_secret_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    message = refused(tmp_path, GOOD, f"{key}=hunter2")
    assert "secrets do not belong in a configuration" in message
    assert "hunter2" not in message


def test_no_configuration_at_all_is_said() -> None:
    with pytest.raises(ConfigError, match="give --config FILE"):
        load_config(None)
