"""Configurations over generated people in the form of research files, as a trial writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LISTS = (
    "network_roster", "providers", "risk_scores", "member_attribution", "contracts", "contract_rates",
    "contract_members", "contract_budget", "contract_finance", "survey_responses",
)  # fmt: skip
"""Every list that is generated beside the files."""


def write_config(
    path: Path,
    *,
    files: Path | str,
    beside: Path | str,
    warehouse: str,
    years: Sequence[int],
    engine: str | None = None,
) -> Path:
    """`files` are the claims, the lists folders of `beside`; `warehouse` is the line that says where the tables are."""
    lines = [
        f"performance_years = {list(years)}",
        'policy = "default"',
        *([f'engine = "{engine}"'] if engine else []),
        "[source]",
        'kind = "rif"',
        f'path = "{files}"',
        *[f'{name} = "{beside}/{name}"' for name in LISTS],
        "[warehouse]",
        warehouse,
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
