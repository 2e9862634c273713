"""An answer for people and for programs. No engine is at work."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pytest

from pmpm_spark.cli.sections import rendered_sections
from pmpm_spark.why.section import Section

MONTHS = Section(
    "months",
    "Months",
    ("policy", "member_month", "counts", "reasons"),
    [
        (policy, date(2021, number, 1), number != 3 or policy == "b", None if number != 3 or policy == "b" else "X")
        for policy in ("a", "b")
        for number in (1, 2, 3, 4, 6)
    ],
    policies="merged",
    in_ranges=True,
)
PARTS = Section(
    "parts",
    "PMPM",
    ("policy", "part", "value"),
    [
        ("a", "members", 1200),
        ("a", "member_months", Decimal("14400.500000")),
        ("a", "paid_amount", Decimal("1000000.10")),
        ("a", "pmpm", 69.44444444),
        ("b", "members", 7),
        ("b", "pmpm", None),
    ],
    policies="apart",
    at_most=3,
)


def test_months_that_say_the_same_are_told_as_a_range_and_policies_that_do_together() -> None:
    assert rendered_sections([MONTHS], "table").splitlines()[3:] == [
        "a       2021-01 to 2021-02  yes     -",
        "a       2021-03             no      X",
        "a       2021-04             yes     -",
        "a, b    2021-06             yes     -",
        "b       2021-01 to 2021-04  yes     -",
    ]


def test_policies_apart_have_a_table_each_with_values_of_their_own_kind() -> None:
    assert rendered_sections([PARTS], "table").splitlines() == [
        "PMPM, policy a",
        "part           value",
        "-------------  ------------",
        "members               1,200",
        "member_months      14,400.5",
        "paid_amount    1,000,000.10",
        "... more: --format csv",
        "",
        "PMPM, policy b",
        "part     value",
        "-------  -----",
        "members      7",
        "pmpm         -",
    ]


def test_programs_get_every_row_and_every_digit() -> None:
    told = json.loads(rendered_sections([MONTHS, PARTS], "json"))
    assert {name: len(rows) for name, rows in told.items()} == {"months": 10, "parts": 6}
    assert told["months"][0] == {"policy": "a", "member_month": "2021-01-01", "counts": True, "reasons": None}
    rows = list(csv.DictReader(io.StringIO(rendered_sections([MONTHS, PARTS], "csv"))))
    assert [row["section"] for row in rows] == ["months"] * 10 + ["parts"] * 6
    assert rows[10] == {
        "section": "parts", "policy": "a", "member_month": "", "counts": "", "reasons": "", "part": "members",
        "value": "1200",
    }  # fmt: skip
    assert rows[13]["value"] == "69.44444444"


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_section_without_rows_says_so_to_people(form: str) -> None:
    told = rendered_sections([Section("x", "Of X", ("policy",), (), "there is none")], form)
    assert told == {"table": "Of X\nthere is none", "csv": "section,policy", "json": '{\n "x": []\n}'}[form]
