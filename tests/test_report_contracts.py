"""The report's pages of contracts: what they say, where there is nothing to say it of, and what is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.report import report
from pmpm_spark.report.charts import waterfall
from pmpm_spark.small_cells import without_small_cells
from tests.browser import NO_BROWSER, Reader, chromium, open_browser, read_as_people_do
from tests.test_report import ABOUT, drawn, many

Rows = list[dict[str, Any]]
STEPS = {
    ("MEMBERSHIP", ""): "10338.11",
    ("CELL_MIX", ""): "55723.14",
    ("USE", "inpatient"): "-19823.98",
    ("USE", "professional"): "9122.94",
    ("USE", "dme"): "2996.90",
    ("COST_PER_SERVICE", "inpatient"): "-3489.43",
    ("COST_PER_SERVICE", "professional"): "4672.32",
    ("COST_PER_SERVICE", "dme"): "0.00",
}
"""The worked example of payment-and-outcomes section 4."""


def row(table: str, **told: Any) -> dict[str, Any]:
    names = next(one.table.column_names for one in SHOWN if one.name == table)
    head = {
        "policy": "one",
        "performance_year": 2022,
        "contract_id": "C1",
        "network_id": "N000",
        "is_small_cell": False,
    }
    assert set(told) <= set(names)
    return {name: {**head, **told}.get(name) for name in names}


def contract(**year: Any) -> dict[str, Rows]:
    """A contract's year and two of its months, the steps to it, and what the ledger changed."""
    tables: dict[str, Rows] = {
        "capitation_variance": [],
        "capitation_variance_split": [],
        "capitation_ledger_by_reason": [],
    }
    periods = (("year", date(2022, 1, 1), 1), ("month", date(2022, 1, 1), 2), ("month", date(2022, 2, 1), 2))
    for kind, first, share in periods:
        allocated, actual = Decimal(510_000) / share, Decimal(551_540) / share
        figures = {
            "member_months": Decimal(1020) / share, "members": 90, "allocated_amount": allocated,
            "posted_amount": allocated - 500, "unposted_amount": Decimal(500), "actual_amount": actual,
            "deviation_amount": actual - allocated, "deviation_pmpm": float(actual - allocated) / 1020 * share,
            "comparator": "budget", "comparator_amount": Decimal(492_000) / share, "is_alert": True,
            "as_of": date(2022, 3, 5),
        }  # fmt: skip
        at = {"period_type": kind, "period": first}
        tables["capitation_variance"].append(row("capitation_variance", **at, **(figures | year)))
        for (effect, category), amount in STEPS.items() if kind == "year" else ():
            of = {"effect": effect, "service_category": category, "amount": Decimal(amount)}
            services = {"services": 700 if category else None}
            tables["capitation_variance_split"].append(row("capitation_variance_split", **at, **of, **services))
    for kind, first, reason, lines in (
        ("year", date(2022, 1, 1), "NEW_MONTH", 900), ("month", date(2022, 1, 1), "NEW_MONTH", 450),
        ("month", date(2022, 2, 1), "NEW_MONTH", 450), ("year", date(2022, 1, 1), "DEATH", 52),
        ("month", date(2022, 1, 1), "DEATH", 20), ("month", date(2022, 2, 1), "DEATH", 32),
    ):  # fmt: skip
        of = {"period_type": kind, "period": first, "reason": reason, "members": lines, "lines": lines}
        amount = {"amount": Decimal(-100 * lines), "withhold_amount": Decimal(-10 * lines)}
        tables["capitation_ledger_by_reason"].append(row("capitation_ledger_by_reason", **of, **amount))
    return tables


def html_of(tables: dict[str, Rows]) -> str:
    empty = {name: [] for name in tables} | many(networks=2, physicians=2)
    return report(without_small_cells(empty | tables), ABOUT)


def page(html: str, name: str) -> str:
    found = re.search(rf'<section class="page" id="{name}".*?</section>', html, re.DOTALL)
    assert found, name
    return found[0]


def table(html: str, name: str) -> list[list[str]]:
    """The cells of a table's body, as they are read."""
    found = re.search(rf'<table id="{name}".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert found, name
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    return [
        [unescape(re.sub(r"<[^>]+>", "", c)) for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", r, re.DOTALL)]
        for r in rows
    ]


def without(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


def test_a_contract_has_a_page_with_its_year_its_months_the_steps_and_what_was_changed() -> None:
    html = html_of(contract())
    figures = ["1,020", "$510,000", "$509,500", "$500", "$551,540", "$41,540", "$40.73"]
    assert table(html, "contracts-table") == [["C1", "N000", *figures, "yes"]]
    assert '<a href="#contracts">Contracts</a>' in html
    assert '<a href="#contract-1">' not in html.partition("<main")[0]
    of_c1 = page(html, "contract-1")
    assert "It cost $41,540 (8.1%) more than was allocated: an alert." in without(of_c1)
    assert "known on 2022-03-05" in of_c1
    months = table(of_c1, "contract-1-months")
    assert [line[0] for line in months] == ["2022-01", "2022-02"]
    assert months[0][1:] == ["510", "$255,000", "$254,500", "$500", "$275,770", "$20,770", "$40.73", "yes"]
    assert table(of_c1, "contract-1-split") == [
        ["Number of members", "–", "$10,338.11"],
        ["Which rate cells they are in", "–", "$55,723.14"],
        ["Use of services", "dme", "$2,996.90"],
        ["Use of services", "inpatient", "−$19,823.98"],
        ["Use of services", "professional", "$9,122.94"],
        ["Cost of a service", "dme", "$0.00"],
        ["Cost of a service", "inpatient", "−$3,489.43"],
        ["Cost of a service", "professional", "$4,672.32"],
    ]
    assert "Against the budget: from $492,000 expected to $551,540 actual" in of_c1
    assert table(of_c1, "contract-1-changes") == [
        ["all of 2022", "Death", "52", "52", "−$5,200.00", "−$520.00"],
        ["2022-01", "Death", "20", "20", "−$2,000.00", "−$200.00"],
        ["2022-02", "Death", "32", "32", "−$3,200.00", "−$320.00"],
    ]
    assert "neither a budget" not in of_c1
    assert 'id="contract-1-chart"' in of_c1
    assert "2022-01: $255,000; 2022-02: $255,000. Actual: 2022-01: $275,770; 2022-02: $275,770" in of_c1


def test_without_budget_and_year_before_the_page_says_that_nothing_is_split() -> None:
    tables = contract(comparator="none", comparator_amount=None)
    of_c1 = page(html_of({**tables, "capitation_variance_split": []}), "contract-1")
    assert "There is neither a budget of the year nor a year before" in of_c1
    assert "contract-1-waterfall" not in of_c1
    assert table(of_c1, "contract-1-months")[0][4:6] == ["$500", "$275,770"][:2]


def test_where_the_policy_has_no_costs_the_page_says_so_and_does_not_call_it_small() -> None:
    nothing = dict.fromkeys(("actual_amount", "deviation_amount", "deviation_pmpm", "comparator_amount"))
    tables = contract(comparator="none", is_alert=False, **nothing)
    of_c1 = page(html_of({**tables, "capitation_variance_split": []}), "contract-1")
    assert "The policy has no costs of the year." in of_c1
    assert table(of_c1, "contract-1-months")[0][5:] == ["not computed", "not computed", "not computed", "no"]


def test_without_a_contract_and_for_another_policy_there_is_no_page() -> None:
    assert "#contracts" not in html_of({})
    others = {name: [{**r, "policy": "other"} for r in rows] for name, rows in contract().items()}
    assert "#contracts" not in html_of(others)


def test_few_people_services_and_lines_are_left_out_and_cannot_be_found_by_subtraction() -> None:
    tables = contract()
    for one in tables["capitation_variance_split"]:
        if one["service_category"] == "dme":
            one["services"] = 7
    for one in tables["capitation_ledger_by_reason"]:
        if (one["reason"], one["period"].month, one["period_type"]) == ("DEATH", 1, "month"):
            one |= {"lines": 3, "amount": Decimal("-303.03")}
    of_c1 = page(html_of(tables), "contract-1")
    split = table(of_c1, "contract-1-split")
    assert [line for line in split if line[1] == "dme"] == []
    assert split[-1] == ["Others, left out as small", "–", "$2,996.90"]
    assert sum(Decimal(re.sub(r"[$,]", "", line[2]).replace("−", "-")) for line in split) == Decimal("59540.00")
    changes = table(of_c1, "contract-1-changes")
    assert [line[0] for line in changes] == ["all of 2022"]
    assert "303.03" not in of_c1
    few = contract(members=9)
    assert "left out: they, or what they would give away" in page(html_of(few), "contract-1")
    assert table(html_of(few), "contracts-table")[0][2:] == ["left out"] * 8


@pytest.mark.parametrize("steps", [(10.0, -25.0, 5.0), (-10.0, 25.0), (-5.0, -5.0), (0.0,), (3.0, 4.0)])
def test_each_bar_of_a_waterfall_begins_where_the_one_before_ends(steps: Sequence[float]) -> None:
    svg = waterfall("w", "steps", "words", [f"s{n}" for n in range(len(steps))], steps, "sum")
    bars = sorted(
        (float(y), float(x), float(width), label)
        for x, y, width, label in re.findall(
            r'<rect[^>]*?x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="[\d.]+"[^>]*?><title>(\w+): ', svg
        )
    )
    ends: dict[str, tuple[float, float]] = {}
    for _, x, width, label in bars:
        low, high = ends.get(label, (x, x + width))
        ends[label] = (min(low, x), max(high, x + width))
    at, scale = 0.0, None
    assert set(ends) == {f"s{n}" for n, step in enumerate(steps) if step} | ({"sum"} if sum(steps) else set())
    for n, step in enumerate(steps):
        if step:
            width = (ends[f"s{n}"][1] - ends[f"s{n}"][0]) / abs(step)
            scale = scale or width
            assert width == pytest.approx(scale, rel=0.05)
        at += step
    for n in range(len(steps) - 1):
        one, other = ends[f"s{n}"], ends[f"s{n + 1}"]
        end = one[1] if steps[n] > 0 else one[0]
        start = other[0] if steps[n + 1] > 0 else other[1]
        assert end == pytest.approx(start, abs=0.5)
    assert "nothing" not in svg


def test_a_browser_reads_the_pages_of_contracts_without_a_fault(tmp_path: Path) -> None:
    if chromium() is None:
        pytest.skip(NO_BROWSER)
    path = tmp_path / "report.html"
    path.write_text(html_of(contract()), encoding="utf-8")
    with open_browser() as browser:
        read_as_people_do(browser, path)
        reader = Reader(browser, path)
        reader.go("contract-1")
        assert reader.column("contract-1-split", 2)[:2] == ["$10,338.11", "$55,723.14"]
        assert reader.faults == []


def test_hostile_ids_of_contracts_are_text() -> None:
    tables = drawn()
    for name in ("capitation_variance", "capitation_variance_split", "capitation_ledger_by_reason"):
        for one in tables[name]:
            one["contract_id"] = f"<script>alert(9)</script>{one['contract_id']}"
    html = report(without_small_cells(tables), replace(ABOUT, performance_year=2022))
    assert "<script>alert(9)" not in html
    assert "&lt;script&gt;alert(9)" in html
