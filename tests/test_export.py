"""What is exported: suppressed, harmless in a spreadsheet, described by a manifest, and the same bytes every time."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.errors import ConfigError
from pmpm_spark.export import export
from pmpm_spark.small_cells import Shareable, without_small_cells
from tests.published import drawn_tables

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")
HASHES = {("one", 2022): "abc", ("one", 2021): "abc"}


def drawn() -> Shareable:
    tables = drawn_tables(1)
    for place, row in enumerate(tables["network_pmpm"]):
        row["network_name"] = FORMULAS[(place // 2) % len(FORMULAS)]
    tables["high_cost_members"] = [{"member_id": "m1"}]
    return without_small_cells(tables)


def test_the_manifest_describes_every_file_and_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    found = drawn()
    paths = [export(found, tmp_path / n, run_id="r", engine="e", policy_hashes=HASHES) for n in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    manifest = json.loads(paths[0].read_text())
    assert manifest["policies"][0] == {"policy": "one", "performance_year": 2021, "content_hash": "abc"}
    assert [told["table"] for told in manifest["tables"]] == [one.table.name for one in SHOWN]
    names = {file["file"] for told in manifest["tables"] for file in told["files"]}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {*names, "manifest.json"}
    for told in manifest["tables"]:
        for file in told["files"]:
            content = (tmp_path / "a" / file["file"]).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        rows = list(csv.DictReader((tmp_path / "a" / told["files"][0]["file"]).open(newline="")))
        assert len(rows) == told["rows"]
        assert sum(row["is_left_out"] == "true" for row in rows) == told["rows_left_out"]
        in_parquet = pq.read_table(tmp_path / "a" / told["files"][1]["file"])
        assert in_parquet.column_names == [column["name"] for column in told["columns"]]
        assert in_parquet.num_rows == told["rows"]


def test_no_text_is_a_formula_in_a_spreadsheet_and_what_is_left_out_is_empty(tmp_path: Path) -> None:
    found = drawn()
    export(found, tmp_path, run_id="r", engine="e", policy_hashes=HASHES, formats=("csv",))
    rows = list(csv.DictReader((tmp_path / "network_pmpm.csv").open(newline="")))
    for row, told in zip(rows, found.tables["network_pmpm"], strict=True):
        assert row["network_name"] == f"'{told['network_name']}"
        assert (row["members"] == "") == told["is_left_out"]
    assert not list(tmp_path.glob("*.parquet"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="not writable"):
        export(drawn(), tmp_path / "file", run_id="r", engine="e", policy_hashes={})
