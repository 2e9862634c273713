"""The lists of which tests run where name tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import LONGEST_FIRST, REPOSITORY, TOGETHER
from tests.one_engine import LONG, ONCE, ONLY_SPARK


@pytest.mark.parametrize("where", [*ONLY_SPARK, *ONCE, *LONG])
def test_a_name_is_that_of_a_test(where: str) -> None:
    path, _, name = where.partition("::")
    at = REPOSITORY / path
    assert at.exists()
    if name:
        assert re.search(rf"^def {re.escape(name.partition('[')[0])}", at.read_text(encoding="utf-8"), re.M)


def test_files_that_begin_early_or_together_are_there() -> None:
    stems = {path.stem for path in (REPOSITORY / "tests").rglob("test_*.py")}
    for group in TOGETHER:
        assert set(group) <= stems
    for name in LONGEST_FIRST:
        assert any(stem.startswith(name) for stem in stems), name
