"""The layout of CCLF files and their names, without an engine."""

from datetime import date

import pytest

from pmpm_spark.sources.cclf.deliveries import untold_months
from pmpm_spark.sources.cclf.layout import BRONZE, KINDS, fields_of, file_name, record_length, told_month

LENGTHS = (70, 437, 199, 114, 112, 388, 247, 195, 549, 55)


def test_every_record_is_filled_by_its_fields_without_a_gap() -> None:
    assert tuple(record_length(kind) for kind in KINDS) == LENGTHS
    for kind in KINDS:
        at = 1
        for field in fields_of(kind):
            assert (field.start, field.length > 0) == (at, True), (kind, field.name)
            at += field.length
        names = [field.name for field in fields_of(kind)]
        assert len(set(names)) == len(names), kind
        assert BRONZE[kind].column_names[: len(names)] == tuple(names)


@pytest.mark.parametrize(
    ("name", "kind", "is_regular", "file_date"),
    [
        ("P.A1001.ACO.ZC1Y22.D220515.T0000000", "cclf1", True, date(2022, 5, 15)),
        ("P.A1001.ACO.ZC8R23.D240215.T1234567.gz", "cclf8", False, date(2024, 2, 15)),
        ("P.D0001.ACO.ZCAY22.D220515.T0000000", "cclfa", True, date(2022, 5, 15)),
    ],
)
def test_a_name_tells_delivery_kind_and_date(name: str, kind: str, is_regular: bool, file_date: date) -> None:
    told = file_name(name)
    assert told is not None
    assert (told.kind, told.is_regular, told.file_date) == (kind, is_regular, file_date)
    assert told.delivery == name.removesuffix(".gz").replace(f"ZC{kind[-1].upper()}", "ZC")


@pytest.mark.parametrize(
    "name",
    [
        "P.A1001.ACO.ZCY22.D220515.T0000000",  # the delivery itself
        "P.A1001.ACO.ZC1Y22.D221315.T0000000",  # no such day
        "P.A1001.ACO.ZC1W22.D220515.T0000000",
        "layout.csv",
    ],
)
def test_other_names_are_none_of_a_cclf_file(name: str) -> None:
    assert file_name(name) is None


def test_the_month_told_is_the_one_before() -> None:
    assert told_month(date(2022, 5, 1)) == date(2022, 4, 1)
    assert told_month(date(2024, 1, 31)) == date(2023, 12, 1)


def test_the_months_between_that_nobody_tells() -> None:
    told = {date(2022, 11, 1), date(2022, 12, 1), date(2023, 3, 1)}
    assert list(untold_months(told)) == [date(2023, 1, 1), date(2023, 2, 1)]
    assert list(untold_months(set())) == []
