"""`pmpm policies`: which there are, what one says and by which source, and what sets two apart. No engine is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pmpm_spark.cli.render import Rows
from pmpm_spark.config import load_policy, policies_named, shipped_policies
from pmpm_spark.policy import Policy

HASH_DIGITS = 12


def policies_listed(config: str | None, sets: Sequence[str] = ()) -> Rows:
    """The shipped policies, then what the configuration names besides them, as a run would take it.

    Raises:
        ConfigError: the configuration or a policy cannot be read.
    """
    found = [(path, load_policy(str(path))) for path in shipped_policies().values()]
    if config is not None or sets:
        found += policies_named(config, sets)
    rows = {(path.resolve(), policy.label): _listed(path, policy) for path, policy in found}
    return Rows(("policy", "content_hash", "description", "file"), tuple(rows.values()))


def _listed(path: Path, policy: Policy) -> tuple[str, ...]:
    return policy.label, policy.content_hash[:HASH_DIGITS], policy.description, str(_from_here(path))


def _from_here(path: Path) -> Path:
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def policy_shown(name: str) -> Rows:
    """Every setting of a policy with its value and its source.

    Raises:
        ConfigError: there is no such policy, or it cannot be read.
    """
    settings = load_policy(name).settings
    return Rows(("setting", "value", "source"), tuple((s.key, as_said(s.value), s.source) for s in settings))


def policies_compared(one: str, other: str) -> Rows:
    """The settings whose values differ between two policies, with both values and sources.

    Raises:
        ConfigError: there is no such policy, or it cannot be read.
    """
    names = ("setting", one, other, f"source of {one}", f"source of {other}")
    pairs = zip(load_policy(one).settings, load_policy(other).settings, strict=True)
    return Rows(
        names,
        tuple((a.key, as_said(a.value), as_said(b.value), a.source, b.source) for a, b in pairs if a.value != b.value),
    )


def as_said(value: Any) -> str:
    """A value as a policy file writes it, but for the quotes."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
