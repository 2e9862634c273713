"""The report's section of surveys: what it says of each wave, and what is left out of it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.report import report
from pmpm_spark.small_cells import without_small_cells
from tests.test_report import ABOUT, many

HEADING = "What members and physicians say"


def row(wave: str, count: int, score: float, **told: Any) -> dict[str, Any]:
    names = next(one.table.column_names for one in SHOWN if one.name == "experience_scores")
    own = {
        "policy": "one", "performance_year": int(wave[:4]), "network_id": "N000", "physician_npi": "", "survey": "CG",
        "respondent": "member", "domain": "access", "wave": wave, "level": "network", "responses": count,
        "respondents": count, "mean_score": score, "mean_score_low": score - 2, "mean_score_high": score + 2,
        "is_small_cell": count < 11,
    }  # fmt: skip
    assert set(told) <= set(names)
    return {name: {**own, **told}.get(name) for name in names}


def page(rows: list[dict[str, Any]]) -> str:
    tables = {**many(2, 3), "experience_scores": rows}
    html = report(without_small_cells(tables), ABOUT)
    found = re.search(r'<section[^>]*id="network-1".*?</section>', html, re.DOTALL)
    other = re.search(r'<section[^>]*id="network-2".*?</section>', html, re.DOTALL)
    assert found is not None and other is not None
    return (found if "N000" in found[0] else other)[0]


def cells(html: str, table: str) -> list[list[str]]:
    found = re.search(rf'<table[^>]*id="{table}".*?</table>', html, re.DOTALL) or re.search(
        rf'id="{table}".*?</table>', html, re.DOTALL
    )
    assert found is not None
    body = found[0].split("<tbody>")[1]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [
        [unescape(re.sub("<.*?>", "", c)).strip() for c in re.findall(r"<t[dh].*?</t[dh]>", r, re.DOTALL)] for r in rows
    ]


def experience_of(html: str) -> list[list[str]]:
    name = re.search(r'id="(network-\d-experience)"', html)
    assert name is not None
    return cells(html, name[1])


def test_each_wave_with_its_interval_its_change_and_the_other_networks() -> None:
    before = {"prior_wave": "2021-10", "prior_year": 2021, "change": -1.25, "change_low": -4.0, "change_high": 1.5}
    physicians = [
        row("2022-10", n, 70.0, physician_npi=npi, level="physician") for npi, n in (("1N00000000", 40), ("8", 60))
    ]
    html = page([
        row("2021-10", 90, 72.5), row("2022-10", 100, 71.25, **before), *physicians,
        row("2022-10", 50, 60.0, network_id="N001"),
        row("2022-10", 30, 55.0, respondent="provider", domain="engagement", mean_score_low=None, mean_score_high=None),
    ])  # fmt: skip
    assert HEADING in html
    assert experience_of(html) == [
        ["Members", "CG", "access", "2021-10", "90", "72.5", "70.5", "74.5", "–", "–", "–", "–"],
        ["Members", "CG", "access", "2022-10", "100", "71.2", "69.2", "73.2", "60.0", "−1.2", "−4.0", "1.5"],
        ["Physicians", "CG", "engagement", "2022-10", "30", "55.0", "–", "–", "–", "–", "–", "–"],
    ]
    assert "Members, CG: access, by wave" in html
    assert "Physicians, CG: engagement, by wave" not in html  # one wave is no line


def test_small_waves_and_the_changes_that_would_tell_them_are_left_out() -> None:
    before = {"prior_wave": "2021-10", "prior_year": 2021, "change": -1.25, "change_low": -4.0, "change_high": 1.5}
    html = page([row("2021-10", 7, 72.5), row("2022-10", 100, 71.25, **before)])
    out = "left out"
    assert experience_of(html) == [
        ["Members", "CG", "access", "2021-10", out, out, out, out, "–", out, out, out],
        ["Members", "CG", "access", "2022-10", "100", "71.2", "69.2", "73.2", "–", out, out, out],
    ]
    assert "1 of 2 rows are left out as small." in html
    assert "72.5" not in html


def test_there_is_no_section_where_nobody_was_asked_in_the_year() -> None:
    assert HEADING not in page([])
    assert HEADING not in page([row("2021-10", 90, 72.5)])
