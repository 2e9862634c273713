"""The report's outcomes: a network's table, the networks' quadrant, and what is left out of both."""

from __future__ import annotations

from typing import Any

import pytest

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.report import report
from pmpm_spark.small_cells import without_small_cells
from tests.test_report import ABOUT, many
from tests.test_report_experience import cells

NAMES = next(one.table.column_names for one in SHOWN if one.name == "outcome_measures")


def row(network: str, measure: str, events: int, of: float, **told: Any) -> dict[str, Any]:
    is_share = measure not in ("acute_admissions", "ed_visits", "primary_care_visits")
    rate = events / of * (1 if is_share else 12_000)
    own = {
        "policy": "one", "performance_year": 2022, "network_id": network, "physician_npi": "", "level": "network",
        "measure": measure, "numerator": events, "denominator": of, "rate": rate, "rate_low": rate * 0.9,
        "rate_high": rate * 1.1, "unit": "share" if is_share else "per_1000", "code_sets": "applied",
        "is_small_cell": False,
    }  # fmt: skip
    assert set(told) <= set(NAMES)
    return {name: {**own, **told}.get(name) for name in NAMES}


def html_of(rows: list[dict[str, Any]]) -> str:
    return report(without_small_cells({**many(2, 3), "outcome_measures": rows}), ABOUT)


def table_of(html: str, network: str) -> list[list[str]]:
    for place in ("1", "2"):
        if network in html.split(f'id="network-{place}"')[1].split("</section>")[0]:
            return cells(html, f"network-{place}-outcomes")
    raise AssertionError(network)


def test_each_measure_with_its_interval_and_that_of_the_other_networks() -> None:
    html = html_of([
        row("N000", "readmissions_hwr_like", 30, 200), row("N000", "acute_admissions", 40, 3_000),
        row("N001", "readmissions_hwr_like", 40, 160), row("N001", "acute_admissions", 50, 2_000),
        row("N000", "readmissions_hwr_like", 20, 100, level="physician", physician_npi="1N00000000"),
    ])  # fmt: skip
    # 30 of 200, and 40 of 160; 40 x 12,000 / 3,000, and 50 x 12,000 / 2,000
    assert table_of(html, "N000") == [
        ["Readmitted within 30 days (HWR-like)", "15.0%", "13.5%", "16.5%", "of discharges", "30", "25.0%"],
        ["Acute admissions", "160.0", "144.0", "176.0", "a year for 1,000 members", "40", "300.0"],
    ]
    assert "not risk-standardized" in html
    assert "are not supplied" not in html


def test_the_quadrant_has_every_network_and_the_lines_of_all() -> None:
    html = html_of([row("N000", "readmissions_hwr_like", 30, 200), row("N001", "readmissions_hwr_like", 40, 160)])
    chart = html.split('id="quadrant"')[1].split("</svg>")[0]
    assert "15.0%" in chart
    assert "25.0%" in chart
    assert f"all of them: {70 / 360:.1%} readmitted" in html


@pytest.mark.parametrize("few", [7, 3])
def test_small_counts_are_in_neither(few: int) -> None:
    html = html_of([row("N000", "readmissions_hwr_like", few, 200), row("N001", "readmissions_hwr_like", 40, 160)])
    assert table_of(html, "N000")[0][1:4] == ["left out"] * 3
    assert 'id="quadrant"' not in html


def test_what_is_not_supplied_is_said() -> None:
    told = {"code_sets": "not supplied"}
    assert "are not supplied" in html_of([row("N000", "readmissions_hwr_like", 30, 200, **told)])


def test_without_outcomes_there_is_no_section() -> None:
    assert "How patients fare" not in html_of([])
