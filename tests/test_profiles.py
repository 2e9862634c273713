"""A small input gets the Spark properties for small inputs; what is not looked at, or is large, those for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmpm_spark.config import Source
from pmpm_spark.profiles import MOST_BYTES, SMALL_PROPERTIES, TEXT_OVER_PACKED, properties_for
from pmpm_spark.properties import DEFAULT_PROPERTIES, find_conf


def of_size(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)  # takes no room


@pytest.mark.parametrize(
    ("names", "size", "expected"),
    [
        (("carrier/a.csv",), 1_000, SMALL_PROPERTIES),
        (("carrier/a.csv",), TEXT_OVER_PACKED * MOST_BYTES, SMALL_PROPERTIES),
        (("carrier/a.csv",), TEXT_OVER_PACKED * MOST_BYTES + 8, DEFAULT_PROPERTIES),
        (("carrier/a.csv.gz", "pde/b.csv.gz"), MOST_BYTES // 2, SMALL_PROPERTIES),
        (("carrier/a.csv.gz", "pde/b.csv.gz"), MOST_BYTES // 2 + 1, DEFAULT_PROPERTIES),
        (("lines/a.parquet",), MOST_BYTES + 1, DEFAULT_PROPERTIES),
    ],
)
def test_text_weighs_what_it_would_packed(names: tuple[str, ...], size: int, expected: str, tmp_path: Path) -> None:
    for name in names:
        of_size(tmp_path / name, size)
    assert properties_for(Source("rif", str(tmp_path))) == expected
    assert find_conf(expected).is_file()


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    of_size(tmp_path / "delivery.zip", MOST_BYTES + 1)
    assert properties_for(Source("cclf", str(tmp_path / "delivery.zip"))) == DEFAULT_PROPERTIES
    of_size(tmp_path / "delivery.zip", 1)
    assert properties_for(Source("cclf", f"file:{tmp_path}/delivery.zip")) == SMALL_PROPERTIES


@pytest.mark.parametrize(
    "source",
    [Source("rif", "s3a://bucket/in"), Source("common", "main.claims", format="catalog")],
    ids=lambda s: s.path,
)
def test_what_is_not_on_this_machine_is_not_looked_at(source: Source) -> None:
    assert properties_for(source) == DEFAULT_PROPERTIES
