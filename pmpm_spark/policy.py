"""A policy: the five rules that make a PMPM, as frozen values read from `conf/policies/*.toml`.

Which months count, which month a claim belongs to, which dollars, whose member it is, and which risk. Every gold row
names the policy that made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pmpm_spark.errors import ConfigError
from pmpm_spark.settings import read_settings

COVERAGE_RULES = ("first_of_month", "any_day", "mid_month", "last_day", "full_month", "prorated")
MOST_WINDOW_MONTHS = 60
"""The alignment window is kept as bits of a BIGINT, one a month."""


def one_of(*values: str) -> dict[str, Any]:
    return {"values": values}


@dataclass(frozen=True)
class Eligibility:
    """Which months count (design section 3.1)."""

    coverage_rule: str = field(default="first_of_month", metadata=one_of(*COVERAGE_RULES))
    part_a_b: str = field(default="full_window", metadata=one_of("full_window", "current_month", "none"))
    window_months: int = 24
    lag_months: int = 0
    exclude_medicare_advantage: bool = True
    exclude_medicare_secondary: bool = True
    exclude_non_us: bool = False
    dual: str = field(default="any", metadata=one_of("any", "full"))

    def __post_init__(self) -> None:
        if not 1 <= self.window_months <= MOST_WINDOW_MONTHS:
            raise ConfigError(
                f"eligibility.window_months is {self.window_months}: give a number from 1 to {MOST_WINDOW_MONTHS}"
            )
        if not 0 <= self.lag_months <= MOST_WINDOW_MONTHS:
            raise ConfigError(
                f"eligibility.lag_months is {self.lag_months}: give a number from 0 to {MOST_WINDOW_MONTHS}"
            )


@dataclass(frozen=True)
class Cost:
    """Which dollars, and in which month (design section 3.2)."""

    amount: str = field(default="paid", metadata=one_of("paid", "allowed"))
    basis: str = field(default="total_cost_of_care", metadata=one_of("total_cost_of_care", "reimbursed_to_network"))
    claim_month: str = field(default="thru", metadata=one_of("thru", "from"))
    include_pharmacy: bool = False


@dataclass(frozen=True)
class Attribution:
    """Whose member it is (design section 3.3)."""

    method: str = field(default="plurality", metadata=one_of("plurality", "roster"))
    window: str = field(default="performance_year", metadata=one_of("performance_year", "alignment_window"))


@dataclass(frozen=True)
class Risk:
    """Which risk (design section 3.4)."""

    scores: str = field(default="supplied", metadata=one_of("supplied"))
    weighting: str = field(default="members", metadata=one_of("members", "member_months"))
    normalization: str = field(default="table", metadata=one_of("table", "population"))


@dataclass(frozen=True)
class Policy:
    """The rules of one policy file. `label` is what gold rows carry."""

    name: str
    eligibility: Eligibility = Eligibility()
    cost: Cost = Cost()
    attribution: Attribution = Attribution()
    risk: Risk = Risk()
    is_changed: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError("policy.name is empty: gold rows carry it")

    @property
    def content_hash(self) -> str:
        """Hash of what the policy says, whatever the order of its lines."""
        said = {key: value for key, value in asdict(self).items() if key not in ("name", "is_changed")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """The policy's name; where a run changed a setting: name, `*` and six digits of the content's hash."""
        return f"{self.name}*{self.content_hash[:6]}" if self.is_changed else self.name


def policy_from(said: Mapping[str, Any], where: str, changes: Mapping[str, Any] | None = None) -> Policy:
    """A policy from the content of its file and the changes of one run.

    Raises:
        ConfigError: an unknown key, a value that its key does not take, or no name.
    """
    original = read_settings(Policy, said, where, hidden=("is_changed",))
    if not changes:
        return original
    merged: dict[str, Any] = {key: dict(value) if isinstance(value, Mapping) else value for key, value in said.items()}
    for section, values in changes.items():
        if isinstance(values, Mapping):
            merged[section] = {**merged.get(section, {}), **values}
        else:
            merged[section] = values
    changed = read_settings(Policy, merged, f"{where} with --set", hidden=("is_changed",))
    if changed.content_hash == original.content_hash:
        return changed
    return Policy(changed.name, changed.eligibility, changed.cost, changed.attribution, changed.risk, is_changed=True)
