"""What decides a table's rows beside the tables that it is made from: its recipe, as a hash.

Code, engine, contract, settings and reference tables are in it. A table whose recipe and whose input tables are what
they were when it was last made would come out as it is, so a run leaves it as it stands (decision 118).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pmpm_spark.policy import Policy
from pmpm_spark.stage import Stage
from pmpm_spark.store import contract_hash


@lru_cache
def code_fingerprint() -> str:
    """Hash of the package's own modules: after an upgrade every table is made anew."""
    told = hashlib.sha256()
    for name, module in sorted(_modules(files("pmpm_spark"), "")):
        told.update(f"{name}\n".encode())
        told.update(module.read_bytes())
    return told.hexdigest()[:16]


def _modules(folder: Traversable, below: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        name = f"{below}{entry.name}"
        if entry.is_dir():
            found += _modules(entry, f"{name}/")
        elif name.endswith(".py"):
            found.append((name, entry))
    return found


def recipe(stage: Stage, engine: str, setting: Callable[[str], Any], reference: Mapping[str, str]) -> str:
    """The recipe of a stage's table; `reference` has the fingerprint of each reference table by its short name."""
    told = {
        "code": code_fingerprint(),
        "engine": engine,
        "contract": contract_hash(stage.output),
        "settings": {name: _said(setting(name)) for name in stage.settings},
        "is_asked": stage.asked(setting("policies")),
        "reference": {t.short_name: reference[t.short_name] for t in stage.reads if t.layer == "reference"},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _said(value: Any) -> Any:
    if isinstance(value, Policy):
        return [value.label, value.content_hash]
    return [_said(one) for one in value] if isinstance(value, tuple) else value
