"""What cannot pass under Spark Connect is one list, which the page on platforms tells and the tests keep to."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmpm_spark.properties import find_conf
from tests.own_driver import OWN_DRIVER, OWN_DRIVER_OF_TRIALS, why_own_driver
from tests.processes import submit_command

ROOT = Path(__file__).resolve().parent.parent


def test_what_is_named_is_there_and_the_page_tells_it() -> None:
    page = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    for where in (*OWN_DRIVER, *OWN_DRIVER_OF_TRIALS):
        assert (ROOT / where).exists()
        assert f"| `{where}" in page


def test_a_test_that_is_not_named_starts_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match=r"^tests/test_own_driver\.py::test_a_test.* starts a driver: name it in"):
        submit_command(find_conf("spark/small.conf"))
    assert why_own_driver("tests/test_jobs.py::test_x") == OWN_DRIVER["tests/test_jobs.py"]
