"""What moved a network's figure since the run before, as the report tells it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.gold.restatement import NOT_SPLIT, PARTS
from pmpm_spark.report.about import Year
from pmpm_spark.report.changes import HIDDEN, REST, changes
from pmpm_spark.report.views import ChartView, TableView
from pmpm_spark.small_cells import without_small_cells

MOVED = {"CLAIMS": ("5.00", "6.00", 100), "ENROLLMENT": ("-2.00", "-2.50", 40), "RISK": ("0.00", "-1.00", 300)}


def parts(moved: dict[str, tuple[str, str, int]], **told: Any) -> list[dict[str, Any]]:
    """The rows of a network whose PMPM was 100, and its adjusted one 90."""
    raw, adjusted = (sum(Decimal(of[at]) for of in moved.values()) for at in (0, 1))
    table = next(one.table for one in SHOWN if one.name == "restatement")
    head = {"policy": "p", "performance_year": 2022, "network_id": "A", "since_run_id": "r1", "is_small_cell": False}
    head |= {"pmpm_then": Decimal(100), "pmpm_now": 100 + raw}
    head |= {"adjusted_pmpm_then": Decimal(90), "adjusted_pmpm_now": 90 + adjusted}
    rows = []
    for part in PARTS:
        change, of_adjusted, members = moved.get(part, ("0.00", "0.00", 0))
        own = {"part": part, "pmpm_change": Decimal(change), "adjusted_pmpm_change": Decimal(of_adjusted)}
        rows.append({**dict.fromkeys(table.column_names), **head, **own, "members": members, **told})
    return rows


def told(rows: list[dict[str, Any]]) -> list[Any]:
    found = without_small_cells({"restatement": rows})
    return changes(Year(found, "p", 2022), {"network_id": "A"}, "network-1")


def test_each_part_is_a_step_from_what_it_was_to_what_it_is() -> None:
    head, chart, table = told(parts(MOVED))
    assert head == "Since the run before"
    assert isinstance(chart, ChartView) and isinstance(table, TableView)
    assert chart.caption == "Adjusted PMPM, from $90.00 to $92.50"
    assert "Late and adjusted claims: $6.00; Retroactive enrollment: −$2.50" in chart.svg
    assert table.rows[:2] == [
        ("Late and adjusted claims", Decimal("5.00"), Decimal("6.00"), 100),
        ("Retroactive enrollment", Decimal("-2.00"), Decimal("-2.50"), 40),
    ]
    assert len(table.rows) == len(PARTS)
    assert "Against run r1" in table.note


def test_parts_that_touch_few_are_told_together() -> None:
    _, _, table = told(parts({**MOVED, "ATTRIBUTION": ("3.00", "3.25", 4)}))
    assert table.rows[-1] == (REST, Decimal("1.00"), Decimal("0.75"), None)
    assert [row[0] for row in table.rows] == [
        "Late and adjusted claims", "Risk scores", "Reference tables", "Settings", REST,
    ]  # fmt: skip
    assert "2 are left out as small, and told together" in table.note


def test_what_nothing_can_hide_is_left_out_and_what_is_not_split_says_why() -> None:
    assert told(parts({"CLAIMS": ("5.00", "6.00", 4)})) == ["Since the run before", (HIDDEN,)]
    row = {**parts(MOVED)[0], "part": NOT_SPLIT, "members": 400, "reason": "the tables of then are gone"}
    assert told([row]) == ["Since the run before", ("Not split: the tables of then are gone.",)]
    assert told([]) == []


def test_without_a_score_the_raw_figure_is_told() -> None:
    none = {"adjusted_pmpm_then": None, "adjusted_pmpm_change": None, "reason": "one run tells no risk score"}
    _, chart, table = told(parts(MOVED, **none))
    assert chart.caption == "PMPM, from $100.00 to $103.00"
    assert table.rows[0] == ("Late and adjusted claims", Decimal("5.00"), "–", 100)
    assert "One run tells no risk score" in table.note
