"""`pmpm policies`: no engine is started, and what is shown is what the files say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pmpm_spark import session
from pmpm_spark.cli import main
from pmpm_spark.config import load_policy

ROOT = Path(__file__).parent.parent
OWN = """
name = "own"
description = "ours"
[cost]
claim_month = "from"
amount = "allowed"
[sources]
"cost.amount" = "contract 7"
"""
CONFIG = """
performance_years = 2021
policy = ["default", "{own}"]
[source]
kind = "rif"
path = "claims"
[warehouse]
path = "tables"
"""


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an engine was started")

    monkeypatch.setattr(session, "open_session", refuse)
    monkeypatch.chdir(ROOT)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.fixture
def config(tmp_path: Path, own: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(own=own), encoding="utf-8")
    return path


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(("policies", *argv)) == 0
    out = capsys.readouterr()
    assert out.err == ""
    return out.out


def rows(capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, str]]:
    return json.loads(told(capsys, *argv, "--format", "json"))


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What is said of a command that is not taken: one line."""
    try:
        code = main(("policies", *argv))
    except SystemExit as leaves:
        code = int(leaves.code or 0)
    out = capsys.readouterr()
    assert (code, out.out, out.err.count("\n")) == (2, "", 1)
    return out.err


def test_the_shipped_policies_are_listed_with_hash_description_and_file(capsys: pytest.CaptureFixture[str]) -> None:
    listed = rows(capsys)
    assert [row["policy"] for row in listed] == [path.stem for path in sorted((ROOT / "conf/policies").glob("*.toml"))]
    by_name = {row["policy"]: row for row in listed}
    for name in ("default", "commercial"):
        policy = load_policy(name)
        assert by_name[name] == {
            "policy": name,
            "content_hash": policy.content_hash[:12],
            "description": policy.description,
            "file": f"conf/policies/{name}.toml",
        }


def test_a_configurations_policies_are_listed_besides_and_none_twice(
    capsys: pytest.CaptureFixture[str], config: Path, own: Path
) -> None:
    shipped, listed = rows(capsys), rows(capsys, "--config", str(config))
    assert listed[:-1] == shipped
    assert (listed[-1]["policy"], listed[-1]["description"], listed[-1]["file"]) == ("own", "ours", str(own))


def test_what_a_run_would_change_is_listed_under_the_label_that_its_rows_would_carry(
    capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    listed = rows(capsys, "--config", str(config), "--set", "policy.cost.include_pharmacy=true")
    changed = [row for row in listed if "*" in row["policy"]]
    assert [row["policy"].split("*")[0] for row in changed] == ["default", "own"]
    for row in changed:
        assert row["policy"].split("*")[1] == row["content_hash"][:6]
    assert "default" in [row["policy"] for row in listed]


def test_show_has_every_setting_with_value_and_source(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    shown = {row["setting"]: (row["value"], row["source"]) for row in rows(capsys, "show", str(own))}
    default = load_policy("default")
    assert list(shown) == [setting.key for setting in default.settings]
    assert shown["cost.amount"] == ("allowed", "contract 7")
    assert shown["cost.claim_month"] == ("from", "not told")
    assert shown["cost.include_pharmacy"] == ("false", default.sources["cost.include_pharmacy"])
    assert shown["eligibility.window_months"] == ("24", default.sources["eligibility.window_months"])


def test_show_is_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "show", "commercial").splitlines()
    heading, _, *settings = lines
    assert heading.split() == ["setting", "value", "source"]
    at = [heading.index(name) for name in ("value", "source")]
    assert len(settings) == len(load_policy("commercial").settings)
    for line, setting in zip(settings, load_policy("commercial").settings, strict=True):
        assert line[: at[0]].strip() == setting.key
        assert line[at[1] :] == setting.source


def test_diff_has_the_settings_that_differ_and_no_other(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    default = load_policy("default").sources
    assert rows(capsys, "diff", "default", str(own)) == [
        {
            "setting": "cost.amount",
            "default": "paid",
            str(own): "allowed",
            "source of default": default["cost.amount"],
            f"source of {own}": "contract 7",
        },
        {
            "setting": "cost.claim_month",
            "default": "thru",
            str(own): "from",
            "source of default": default["cost.claim_month"],
            f"source of {own}": "not told",
        },
    ]


def test_diff_of_the_shipped_two_as_comma_separated(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(csv.DictReader(told(capsys, "diff", "default", "commercial", "--format", "csv").splitlines()))
    differing = {row["setting"]: (row["default"], row["commercial"]) for row in found}
    assert differing == {
        "eligibility.coverage_rule": ("first_of_month", "prorated"),
        "eligibility.part_a_b": ("full_window", "none"),
        "eligibility.exclude_medicare_advantage": ("true", "false"),
        "eligibility.exclude_medicare_secondary": ("true", "false"),
        "cost.include_pharmacy": ("false", "true"),
        "risk.weighting": ("members", "member_months"),
        "risk.normalization": ("table", "population"),
        "outcomes.pcr_max_age": ("0", "64"),
    }


def test_diff_says_so_where_nothing_differs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    twin = tmp_path / "twin.toml"
    twin.write_text('name = "twin"\n[sources]\n"cost.amount" = "another"\n', encoding="utf-8")
    assert told(capsys, "diff", "default", str(twin)) == f"default and {twin}: no setting differs\n"
    assert rows(capsys, "diff", "default", str(twin)) == []


def test_the_form_may_be_said_before_or_after(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--format", "csv", "show", "default") == told(capsys, "show", "default", "--format", "csv")
    assert told(capsys, "show", "default") != told(capsys, "show", "default", "--format", "csv")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("show",), "required: NAME_OR_FILE"),
        (("show", "defualt"), "there is no file defualt, and no shipped policy of that name"),
        (("diff", "default"), "required: NAME_OR_FILE"),
        (("diff", "default", "no/such.toml"), "there is no file no/such.toml"),
        (("shw", "default"), "invalid choice: 'shw'"),
        (("--config", "no/such.toml"), "no/such.toml: there is no such file"),
        (("--config", "conf/local.toml", "show", "default"), "policies show takes no --config"),
        (("--set", "policy.cost.amount=allowed", "diff", "default", "default"), "policies diff takes no --config"),
        (("--format", "xml"), "invalid choice: 'xml'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, *argv)


def test_a_policy_file_with_a_fault_is_named(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    own.write_text(OWN + '"cost.colour" = "x"\n', encoding="utf-8")
    assert f"{own}: sources names cost.colour, which is no setting" in refused(capsys, "show", str(own))


def test_the_readme_shows_what_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"$ pmpm policies\n{told(capsys)}\n" in readme
    monkeypatch.chdir(tmp_path)
    ours = next(block for block in readme.split("```") if block.startswith('toml\nname = "ours"'))
    Path("ours.toml").write_text(ours.removeprefix("toml\n"), encoding="utf-8")
    command = ("diff", "default", "ours.toml")
    assert f"$ pmpm policies {' '.join(command)}\n{told(capsys, *command)}```" in readme
