"""What is generated from contracts and stages is current in docs/."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmpm_spark.cli.docs import (
    COMMON_MODEL_FILE,
    DICTIONARY_FILE,
    LINEAGE_FILE,
    common_model,
    dictionary,
    lineage,
    stale_files,
    write_files,
)
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.stages import ALL_TABLES, stages_of

DOCS = Path(__file__).parent.parent / "docs"


def test_the_data_dictionary_and_the_lineage_are_current() -> None:
    assert stale_files(DOCS) == [], "run `make docs`"


@pytest.mark.parametrize("name", [DICTIONARY_FILE, LINEAGE_FILE, COMMON_MODEL_FILE])
def test_a_file_that_is_not_current_or_missing_is_found(tmp_path: Path, name: str) -> None:
    written = write_files(tmp_path)
    assert stale_files(tmp_path) == []
    path = tmp_path / name
    assert path in written
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert stale_files(tmp_path) == [path]
    path.unlink()
    assert stale_files(tmp_path) == [path]


def test_the_page_on_the_common_model_says_how_cents_are_rounded_and_what_open_coverage_needs() -> None:
    told = " ".join(common_model().split())
    assert "rounded half up to the cent, on each line by itself" in told
    assert "set `source.data_through`" in told


def test_every_table_is_told_and_every_stage_drawn() -> None:
    told, drawn = dictionary(), lineage()
    for table in ALL_TABLES:
        assert f"## {table.name}\n" in told
    for stage in [stage for kind in SOURCE_KINDS for stage in stages_of(kind)]:
        for given in stage.reads:
            assert f"{given.name.replace('.', '_')} --> {stage.output.name.replace('.', '_')}" in drawn
