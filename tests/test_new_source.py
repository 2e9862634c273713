"""The example in docs/new-source.md runs as it is printed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark import sources
from pmpm_spark.config import SOURCES, RunConfig, Source, Warehouse, load_config
from pmpm_spark.errors import ConfigError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.model import LOAD_AUDIT, REJECTS
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.warehouse import published

PAGE = Path(__file__).resolve().parent.parent / "docs" / "new-source.md"

pytestmark = pytest.mark.delta


def test_the_example_is_a_source_of_forty_lines(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann all year, Bob to June 15; a bill of Bob's in May, one in July that no month counts, one without a day."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[0]
    names = code[code.index("PEOPLE = ") :]
    assert len([line for line in names.splitlines() if line.strip()]) <= 40
    package: dict[str, Any] = {}
    exec(code, package)
    monkeypatch.setitem(SOURCE_KINDS, "clinic", package["SOURCE"])
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "people.csv").write_text(
        "person,born,since,until\nann,1950-01-01,2021-01-01,\nbob,,2021-01-01,2021-06-15\n"
    )
    (folder / "bills.csv").write_text(
        "bill,person,day,fee\n1,ann,2021-02-03,100.10\n2,bob,2021-05-05,50\n3,bob,2021-07-05,7\n4,bob,May,9\n"
    )
    source = Source("clinic", str(folder), data_through="2021-12-31", max_reject_share=1.0)
    config = RunConfig(source, Warehouse(str(tmp_path / "w")), (2021,), (Policy("p", Eligibility(part_a_b="none")),))
    run(spark, config)
    warehouse = published(spark, config)
    row = warehouse.read(NETWORK_PMPM).collect()[0]
    assert (row["members"], row["member_months"], row["paid_amount"]) == (2, Decimal(18), Decimal("150.10"))
    assert [list(r["reject_reasons"]) for r in warehouse.read(REJECTS).collect()] == [["day is not a date"]]
    assert sum(r["rows_read"] for r in warehouse.read(LOAD_AUDIT).collect()) == 6


def test_a_source_is_a_package_that_the_configuration_names() -> None:
    packages = {file.parent.name for file in Path(sources.__file__).parent.glob("*/__init__.py")}
    assert set(SOURCES) == packages == set(SOURCE_KINDS)
    config = ["source.kind=nobody", "source.path=in", "warehouse.path=w", "performance_years=[2021]"]
    with pytest.raises(ConfigError, match=", ".join(SOURCES)):
        load_config(None, config)
