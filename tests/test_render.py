"""Rows for people: a column has as many decimals in every row, by its kind; other programs get every digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row

from pmpm_spark.cli.render import Rows, as_csv, as_json, as_table


def shown(name: str, *values: Any) -> list[str]:
    """The cells of one column."""
    rows = Rows((name, "end"), [(value, "|") for value in values])
    return [line.split("|")[0].strip() for line in as_table(rows).splitlines()[2:]]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("pmpm", [0.0, 1.2556, 11.3, 1234.5, None], ["0.00", "1.26", "11.30", "1,234.50", "-"]),
        ("lines_per_1000", [0.5, 12000.0], ["0.50", "12,000.00"]),
        ("normalized_risk_score", [0.9, 12.34567], ["0.9000", "12.3457"]),
        ("paid_amount", [Decimal("5.10"), 0], ["5.10", "0.00"]),
        ("counted_amount", [0], ["0.00"]),
        ("normalization_factor", [Decimal("1.1127651982")], ["1.112765"]),
        ("member_months", [Decimal("1012.000000"), Decimal("7.000000"), None], ["1,012", "7", "-"]),
        ("member_months", [Decimal("1012.000000"), Decimal("7.548387")], ["1,012.00", "7.55"]),
        ("member_months", [0], ["0"]),
        ("exposure", [Decimal("1.000000")], ["1"]),
        ("exposure", [Decimal("1.000000"), Decimal("0.548387")], ["1.000000", "0.548387"]),
        ("performance_year", [2021, 2022], ["2021", "2022"]),
        ("is_small_cell", [True, False], ["yes", "no"]),
        ("network_id", ["N1", None], ["N1", "-"]),
        ("mlr", [Decimal("1.622345"), None], ["1.6223", "-"]),
        ("savings_rate", [Decimal("-0.034567")], ["-0.0346"]),
        ("pmpm_growth", [Decimal("0.050000")], ["0.0500"]),
    ],
)
def test_a_column_has_the_decimals_of_its_kind(name: str, values: list[Any], told: list[str]) -> None:
    assert shown(name, *values) == told


def test_other_programs_get_every_digit() -> None:
    rows = Rows(("pmpm", "member_months"), [(1.25561234, Decimal("7.000000"))])
    assert as_csv(rows).splitlines()[1] == "1.25561234,7.000000"
    assert '"pmpm": 1.25561234' in as_json(rows)
    assert '"member_months": "7.000000"' in as_json(rows)


def test_a_list_inside_a_cell_is_read_by_people_and_by_programs() -> None:
    counted = [Row(posting_run=1, exposure=Decimal("1.000000")), Row(posting_run=2, exposure=Decimal("0.548387"))]
    rows = Rows(("member_id", "counted_in_runs"), [("Ben", counted), ("Dee", []), ("Cal", None)])
    assert [line.split(maxsplit=1)[1] for line in as_table(rows).splitlines()[2:]] == ["1: 1, 2: 0.548387", "-", "-"]
    assert as_csv(rows).splitlines()[1:] == ['Ben,"1: 1, 2: 0.548387"', "Dee,", "Cal,"]
    told = [{"posting_run": 1, "exposure": "1.000000"}, {"posting_run": 2, "exposure": "0.548387"}]
    assert [row["counted_in_runs"] for row in json.loads(as_json(rows))] == [told, [], None]


def test_a_list_of_texts_is_told_without_quotes() -> None:
    rows = Rows(("also_changed", "end"), [(["RATE_CHANGE", "RISK_UPDATE"], 1)])
    assert as_csv(rows).splitlines()[1] == '"RATE_CHANGE, RISK_UPDATE",1'
