"""Comma-separated files to bronze rows."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pmpm_spark.sources.comma import comma_rows
from pmpm_spark.sources.files import scan

pytestmark = pytest.mark.delta


def test_blank_cells_at_the_end_of_a_heading_may_stand_in_its_rows_too(spark, tmp_path: Path) -> None:
    """A row has the cells of its own file's first line, or of its heading; any other number is a reject."""
    (tmp_path / "blank.csv").write_text("id,amount,,\n1,10,,\n2,20\n3,30,\n4,40,,,\n")
    (tmp_path / "plain.csv").write_text("id,amount\n5,50\n6,60,,\n")
    rows = comma_rows(spark, scan(spark, str(tmp_path)), ("id", "amount"), "batch", datetime.now(UTC)).collect()
    assert {row["id"]: row["amount"] for row in rows if row["_unparsed"] is None} == {"1": "10", "2": "20", "5": "50"}
    assert {row["_unparsed"] for row in rows} == {None, "3,30,", "4,40,,,", "6,60,,"}
