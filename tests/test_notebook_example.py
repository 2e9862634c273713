"""The example in docs/notebook.md runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import pmpm_spark

REPOSITORY = Path(__file__).resolve().parent.parent
RIF = REPOSITORY / "tests" / "data" / "rif"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "notebook.md").read_text(encoding="utf-8"), re.S)


def test_every_public_name_is_there() -> None:
    assert all(hasattr(pmpm_spark, name) for name in pmpm_spark.__all__)


def test_the_transformations_of_the_example_give_what_it_says(spark: Any) -> None:
    names: dict[str, Any] = {"spark": spark}
    for block in blocks()[:2]:
        exec(block, names)
    assert names["by_policy"]["default", "ann"] == 12


@pytest.mark.delta
def test_the_whole_job_of_the_example_runs(spark: Any, tmp_path: Path) -> None:
    lists = ("network_roster", "providers", "risk_scores", "member_attribution")
    names = {
        "spark": spark,
        "warehouse_path": str(tmp_path),
        "input_settings": [
            f"source.path={RIF}",
            *[f"source.{name}={RIF / name}.csv" for name in lists],
            "performance_years=[2021]",
        ],
    }
    exec(blocks()[2], names)
    assert {row["network_id"] for row in names["networks"].collect()} >= {"UNATTRIBUTED"}
