"""The layout of research files, without an engine: kinds by heading, required columns, the bronze contracts."""

import pytest

from pmpm_spark.errors import InputError
from pmpm_spark.sources.files import LINE_COLUMNS
from pmpm_spark.sources.rif.layout import (
    BRONZE,
    CLAIM_KINDS,
    SIGNATURES,
    check_heading,
    columns_of,
    kind_of,
    required_columns,
)
from tests import rif_files

WIDTHS = {
    "beneficiary": 210, "carrier": 100, "dme": 95, "hha": 132, "hospice": 130, "inpatient": 275, "outpatient": 234,
    "pde": 41, "snf": 230,
}  # fmt: skip
"""Columns of each kind of file, counted in CMS's own."""


def test_every_kind_has_its_columns_once() -> None:
    assert {kind: len(columns_of(kind)) for kind in SIGNATURES} == WIDTHS
    for kind in SIGNATURES:
        assert len(set(columns_of(kind))) == len(columns_of(kind)), kind
        assert columns_of(kind) == rif_files.heading(kind)


@pytest.mark.parametrize("kind", SIGNATURES)
def test_a_kind_is_known_by_its_heading_in_any_order(kind: str) -> None:
    assert kind_of(columns_of(kind)) == kind
    assert kind_of(reversed(columns_of(kind))) == kind
    others = [other for other in SIGNATURES if SIGNATURES[other] in columns_of(kind)]
    assert others == [kind], "the signature of another kind stands in this one"


def test_what_is_no_kind() -> None:
    assert kind_of(("BENE_ID", "CLM_ID", "something")) is None
    assert kind_of(()) is None
    assert kind_of(("BENE_ID", "EFCTV_BGN_DT", "EFCTV_END_DT")) == "history"


@pytest.mark.parametrize("kind", SIGNATURES)
def test_required_columns_are_columns_of_the_kind(kind: str) -> None:
    assert set(required_columns(kind)) <= set(columns_of(kind))


@pytest.mark.parametrize("kind", SIGNATURES)
def test_each_required_column_is_asked_for_by_name(kind: str) -> None:
    for name in required_columns(kind):
        heading = tuple(c for c in columns_of(kind) if c != name)
        with pytest.raises(InputError, match=rf"^f\.csv: looks like a {kind} file, but column {name} is missing$"):
            check_heading(kind, heading, "f.csv")


def test_all_twelve_monthly_columns_are_required() -> None:
    assert {f"MDCR_ENTLMT_BUYIN_{i}_IND" for i in range(1, 13)} <= set(required_columns("beneficiary"))


def test_a_column_twice_and_columns_unknown() -> None:
    heading = columns_of("pde")
    with pytest.raises(InputError, match=r"column PDE_ID stands twice"):
        check_heading("pde", (*heading, "PDE_ID"), "f.csv")
    assert check_heading("pde", (*heading, "NEW_1", "NEW_2"), "f.csv") == ("NEW_1", "NEW_2")
    assert check_heading("pde", heading, "f.csv") == ()


def test_bronze_keeps_every_column_as_text_and_where_it_came_from() -> None:
    assert set(CLAIM_KINDS) | {"beneficiary"} == set(BRONZE)
    for kind, table in BRONZE.items():
        assert table.name == f"bronze.rif_{kind}"
        assert table.column_names == (*columns_of(kind), *[c.name for c in LINE_COLUMNS])
        assert {c.type.simpleString() for c in table.columns if c.name in columns_of(kind)} == {"string"}


def test_september_has_four_letters() -> None:
    assert "PTC_CNTRCT_SEPT_ID" in columns_of("beneficiary")
    assert "PTC_CNTRCT_SEP_ID" not in columns_of("beneficiary")
