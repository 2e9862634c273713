"""The report: nothing in it is left out elsewhere, names are text, and it stays small and quick. A browser reads it, too."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.cli.report import SMALL_NUMBER
from pmpm_spark.policy import Policy
from pmpm_spark.report import report
from pmpm_spark.report.about import About
from pmpm_spark.report.charts import Series, bars
from pmpm_spark.report.views import shown
from pmpm_spark.small_cells import Shareable, parts_left_out, without_small_cells
from tests.browser import NO_BROWSER, Reader, chromium, open_browser, read_as_people_do, take_pictures
from tests.published import drawn_tables

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "مستشفى \u202eالملك",
    "N" * 400,
    "{{ 7 * 7 }} {% raw %} &amp; <!--",
    "${alert(3)} \u2028 ]]>",
)
ABOUT = About(Policy("one"), "abc", 2022, "run", "engine", ("a notice <b>",), ())


def drawn(seed: int = 4) -> dict[str, list[dict[str, Any]]]:
    tables = drawn_tables(seed)
    for name, column in (("network_pmpm", "network_name"), ("physician_pmpm", "physician_name")):
        for place, row in enumerate(tables[name]):
            row[column] = HOSTILE[(place // 2) % len(HOSTILE)]
    for row in tables["leakage_destinations"]:
        row["destination"] = HOSTILE[0]
    return tables


def text_of(found: Shareable) -> str:
    return report(found, ABOUT)


def test_the_same_tables_give_the_same_file_which_asks_for_nothing() -> None:
    found = without_small_cells(drawn())
    once = text_of(found)
    assert once == text_of(found)
    assert "default-src 'none'" in once
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!#)", once)
    assert "url(" not in once
    assert "@import" not in once


def test_names_are_text_in_cells_links_charts_and_data() -> None:
    html = text_of(without_small_cells(drawn()))
    assert not re.search(r"<(?!script type=\"application/json\"|script>\"use strict\")script", html)
    assert html.count("<script") == 2
    assert "<img" not in html
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    assert {n["name"] for n in json.loads(data[1])["networks"].values()} & set(HOSTILE)


def test_a_figure_that_is_left_out_stands_nowhere_in_the_file() -> None:
    tables = drawn()
    marks = iter(range(71_000_001, 79_000_000, 7))
    for one in SHOWN:
        for row in tables[one.name]:
            for name in ("paid_amount", "counted_amount", "adjusted_amount"):
                if name in row and row[name] is not None:
                    row[name] = Decimal(next(marks))
    found = without_small_cells(tables)
    html = text_of(found).replace(",", "")
    hidden = [
        old[name]
        for one in SHOWN
        for old, row in zip(tables[one.name], found.tables[one.name], strict=True)
        for name in ("paid_amount", "counted_amount", "adjusted_amount")
        if name in row and row[name] is None
    ]
    told = [r["paid_amount"] for r in found.rows("network_pmpm", policy="one", performance_year=2022) if r["members"]]
    assert len(hidden) > 50
    assert not [value for value in hidden if str(value) in html]
    assert told


def test_fifty_networks_and_two_thousand_physicians_stay_below_three_megabytes() -> None:
    found = without_small_cells(many(networks=50, physicians=40))
    html = text_of(found)
    assert len(html.encode("utf-8")) < 3_000_000


def many(networks: int, physicians: int) -> dict[str, list[dict[str, Any]]]:
    """Networks of equal physicians of 20 members and more, so that nothing is left out."""
    draw = random.Random(1)
    tables = drawn_tables(0)
    shapes = {name: dict(rows[0]) for name, rows in tables.items() if rows}
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in tables}
    categories = [f"category {n}" for n in range(10)]
    for network in (f"N{n:03}" for n in range(networks)):
        panels = [draw.randint(20, 200) for _ in range(physicians)]

        def add(table: str, members: int, network: str = network, **own: Any) -> None:
            paid = Decimal(members * draw.randint(5_000, 9_000))
            counts = {"members": members, "member_months": members * 12, "scored_members": members}
            counts |= {"claim_lines": members * 20, "services": members * 11}
            amounts = {"paid_amount": paid, "counted_amount": paid, "in_network_paid_amount": paid / 2}
            rates = {"pmpm": float(paid) / members / 12, "adjusted_pmpm": float(paid) / members / 12.5}
            row = shapes[table] | {"policy": "one", "performance_year": 2022, "network_id": network} | own
            made[table].append(row | {k: v for k, v in (counts | amounts | rates).items() if k in row})

        add("network_pmpm", sum(panels), network_name=f"Network of the long name {network}")
        for place, members in enumerate(panels):
            add("physician_pmpm", members, physician_npi=f"1{network}{place:05}", physician_name=f"DR NAME {place}")
        for place in range(10):
            add("practice_pmpm", sum(panels) // 10, practice_tin=f"99{place:07}")
        for month in range(1, 37):
            at = shapes["network_pmpm_by_month"]["member_month"].replace(
                year=2020 + (month - 1) // 12, month=(month - 1) % 12 + 1
            )
            add("network_pmpm_by_month", sum(panels), member_month=at)
        for category in categories:
            add("network_pmpm_by_category", sum(panels), service_category=category, in_total=True)
            for place in range(6):
                add("leakage_destinations", 30, service_category=category, destination=f"tin 98000{place:04}")
        for other in (f"N{n:03}" for n in range(int(network[1:]) + 1, networks)):
            add(
                "network_comparison",
                sum(panels),
                other_network_id=other,
                other_members=100,
                other_member_months=1200,
                is_adjusted=True,
            )
            for part in ("ENROLLMENT_MIX", "RISK", *["USE"] * 10, *["COST_PER_SERVICE"] * 10):
                of = {
                    "part": part,
                    "service_category": draw.choice(categories),
                    "amount": Decimal(draw.randint(-9999, 9999)) / 100,
                }
                add("network_comparison_parts", sum(panels), other_network_id=other, **of)
    return made


def test_a_drawing_is_named_described_and_without_script_or_style() -> None:
    svg = bars(
        "x", "title <1>", "words & more", [HOSTILE[0], HOSTILE[4]], [Series("s", [1.0, 2.0], [(0.5, 4.0), (1.0, 3.0)])]
    )
    assert svg.startswith('<svg id="x" class="chart"')
    assert '<title id="x-title">title &lt;1&gt;</title>' in svg
    assert "words &amp; more" in svg
    assert "<script" not in svg
    assert "<style" not in svg


def test_a_value_is_shown_as_people_read_it() -> None:
    told = [
        (None, "money"),
        (Decimal("-1234.5"), "money"),
        (0.123, "share"),
        (Decimal("-0.0346"), "share"),
        (-0.0001, "share"),
        (1234, "count"),
        (-0.001, "money"),
        (0.05, "change"),
    ]
    assert [shown(value, kind) for value, kind in told] == [
        "left out",
        "−$1,234.50",
        "12.3%",
        "−3.5%",
        "0.0%",
        "1,234",
        "$0.00",
        "+5.0%",
    ]


def test_parts_that_tell_of_few_rows_take_others_with_them() -> None:
    assert parts_left_out({"accepted": 900, "rejected": 3, "duplicate": 0, "superseded": 50}) == {
        "rejected",
        "superseded",
    }
    assert parts_left_out({"accepted": 900, "rejected": 11}) == set()
    assert parts_left_out({"accepted": 0, "rejected": 4}) == {"rejected", "whole"}


def test_a_notice_of_a_small_number_or_a_share_is_not_shown() -> None:
    assert SMALL_NUMBER.search("2 members stand on two lists")
    assert SMALL_NUMBER.search("97.4% of the members have a risk score")
    assert not SMALL_NUMBER.search("126 of 96,424 rows of 2022-01 are rejected by rule 1.2")


def test_two_networks_are_compared_by_what_was_computed_in_either_direction(tmp_path: Path) -> None:
    if chromium() is None:
        pytest.skip(NO_BROWSER)
    found = without_small_cells(many(networks=3, physicians=2))
    of = found.rows("network_comparison", network_id="N000", other_network_id="N001")[0]
    compared = [{**of, "difference_low": -10.0, "difference_high": 25.5, "figure_low": 300.0, "figure_high": 700.0}]
    part = {**of, "part": "USE", "service_category": "skilled_nursing", "amount": Decimal("3.25")}
    risk = {**of, "part": "RISK", "service_category": "", "amount": Decimal("-8.00")}
    tables = {**found.tables, "network_comparison": compared, "network_comparison_parts": [part, risk]}
    path = tmp_path / "report.html"
    path.write_text(text_of(replace(found, tables=tables)), encoding="utf-8")
    with open_browser() as browser:
        reader = Reader(browser, path)
        reader.go("compare")

        def told(one: str, other: str) -> tuple[str, list[str]]:
            reader.page.locator("#one").select_option(one)
            reader.page.locator("#other").select_option(other)
            return reader.page.inner_text("#verdict"), reader.column("drivers", 1)

        there, back = told("N000", "N001"), told("N001", "N000")
        assert "between −$10.00 and $25.50: it may be chance" in there[0]
        assert "between −$25.50 and $10.00: it may be chance" in back[0]
        assert (there[1], back[1]) == (["–", "$3.25", "–"], ["–", "−$3.25", "–"])
        assert reader.column("drivers", 0) == ["Risk of the members", "skilled nursing", "all together"]
        assert reader.column("drivers", 3)[:2] == ["$8.00", "−$3.25"]
        assert "no interval" in told("N000", "N002")[0]
        assert "95% intervals" in reader.page.locator("#networks").inner_html()
        assert "($300 to $700)" in reader.page.locator("#networks svg.chart desc").text_content()
        assert reader.faults == []


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if chromium() is None:
        pytest.skip(NO_BROWSER)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(text_of(without_small_cells(drawn())), encoding="utf-8")
    return path


def test_a_browser_reads_sorts_and_compares_hostile_names_without_a_fault(pictured: Path) -> None:
    with open_browser() as browser:
        read_as_people_do(browser, pictured)
        assert take_pictures(browser, pictured, pictured.parent / "pictures") == []
        reader = Reader(browser, pictured)
        reader.go("networks")
        assert len(set(HOSTILE) & set(reader.column("networks-table", 0))) > 2
        options = reader.page.eval_on_selector_all("#one option", "options => options.map(option => option.text)")
        assert len(set(HOSTILE) & set(options)) > 2
        assert reader.faults == []
