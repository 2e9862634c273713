"""Gold tables are an interface: a change needs its line in the changelog, and columns come only at the end.

After a change that is meant and named there: `python tests/test_gold_contracts.py` writes the snapshot anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pmpm_spark.stages import CAPITATION, GOLD

SNAPSHOT = Path(__file__).parent / "data" / "gold_contracts.json"
CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"

Contracts = dict[str, list[list[str]]]
"""Name and type of each column, by table."""


def contracts() -> Contracts:
    return {
        t.name: [[c.name, c.type.simpleString()] for c in t.columns] for t in (*GOLD, *CAPITATION) if t.layer == "gold"
    }


def snapshot() -> Contracts:
    told: Contracts = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return told


def unreleased(changelog: str) -> str:
    """What the changelog says of changes that are not released."""
    found = re.search(r"^## \[Unreleased\]$(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    assert found, "CHANGELOG.md has no Unreleased section"
    return found[1]


def unnamed_changes(before: Contracts, now: Contracts, changelog: str) -> list[str]:
    """Tables that are not as they were and that the changelog does not name."""
    named = unreleased(changelog)
    changed = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    return [name for name in changed if not re.search(rf"\b{name.partition('.')[2]}\b", named)]


def broken_promises(before: Contracts, now: Contracts) -> list[str]:
    """Tables that lost a column, renamed, moved or retyped one, or are gone."""
    return [name for name, columns in before.items() if now.get(name, [])[: len(columns)] != columns]


def test_a_change_of_a_gold_contract_is_named_in_the_changelog() -> None:
    assert unnamed_changes(snapshot(), contracts(), CHANGELOG.read_text(encoding="utf-8")) == []


def test_columns_are_only_added_at_the_end() -> None:
    assert broken_promises(snapshot(), contracts()) == []


NOTES = "## [Unreleased]\n- `a_table`: column c\n## [1.0.0]\n- `b_table`\n"
BEFORE: Contracts = {"gold.a_table": [["x", "string"], ["y", "int"]]}


@pytest.mark.parametrize(
    ("now", "is_kept"),
    [
        ([["x", "string"], ["y", "int"]], True),
        ([["x", "string"], ["y", "int"], ["z", "int"]], True),
        ([["x", "string"]], False),
        ([["z", "int"], ["x", "string"], ["y", "int"]], False),
        ([["x", "string"], ["y", "bigint"]], False),
    ],
)
def test_what_breaks_the_promise(now: list[list[str]], is_kept: bool) -> None:
    assert (broken_promises(BEFORE, {"gold.a_table": now}) == []) == is_kept


def test_a_change_that_the_changelog_does_not_name_is_found() -> None:
    added = [["x", "string"], ["y", "int"], ["z", "int"]]
    assert unnamed_changes(BEFORE, {"gold.a_table": added}, NOTES) == []
    assert unnamed_changes({"gold.b_table": []}, {"gold.b_table": added}, NOTES) == ["gold.b_table"]
    assert unnamed_changes({}, {"gold.a": added}, NOTES) == ["gold.a"]


if __name__ == "__main__":
    lines = [f" {json.dumps(name)}: {json.dumps(columns)}" for name, columns in contracts().items()]
    SNAPSHOT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
