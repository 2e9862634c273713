"""A policy's label says whether this run changed what its file says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark.config import load_policy
from pmpm_spark.errors import ConfigError
from pmpm_spark.policy import Policy, policy_from

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
    for section in (shipped.eligibility, shipped.cost, shipped.attribution, shipped.risk):
        for setting in vars(section):
            assert re.search(rf"^{setting} = ", said, re.MULTILINE), setting


def test_a_policy_file_is_found_by_its_short_name() -> None:
    assert load_policy("default") == load_policy("conf/policies/default.toml")


@pytest.mark.parametrize("months", [0, 61])
def test_the_window_has_its_limits(months: int) -> None:
    with pytest.raises(ConfigError, match=f"window_months is {months}"):
        policy_from({"name": "x", "eligibility": {"window_months": months}}, "file")
