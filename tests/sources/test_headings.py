"""Headings: what is missing comes first, and nothing that the layout does not know is shown."""

import pytest

from pmpm_spark.errors import InputError
from pmpm_spark.sources.headings import check_heading

COLUMNS, REQUIRED = ("member_id", "coverage_start", "plan_id"), ("member_id", "coverage_start")


def refused(*heading: str) -> str:
    with pytest.raises(InputError) as caught:
        check_heading("coverage", heading, "c.csv", COLUMNS, REQUIRED)
    return str(caught.value)


def test_a_first_line_that_is_no_heading_shows_no_cell() -> None:
    said = refused("M000123", "2021-01-01", "M000123")
    assert said == "c.csv: looks like a coverage file, but column member_id is missing"


def test_a_column_that_stands_twice_is_named_where_the_layout_knows_it() -> None:
    assert refused("member_id", "coverage_start", "a", "a") == "c.csv: a column stands twice in the heading"
    said = "c.csv: column plan_id stands twice in the heading"
    assert refused("a", "a", "plan_id", "member_id", "coverage_start", "plan_id") == said


def test_unknown_columns_are_told_of_a_heading() -> None:
    assert check_heading("coverage", ("x", "member_id", "coverage_start"), "c.csv", COLUMNS, REQUIRED) == ("x",)
