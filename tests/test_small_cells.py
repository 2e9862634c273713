"""Nobody reads a few people out of what leaves the warehouse: an attacker solves all that is published at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pmpm_spark import small_cells
from pmpm_spark.cell_relations import KEPT, SHOWN, STAYS
from pmpm_spark.gold.restatement import PARTS
from pmpm_spark.small_cells import LEFT_OUT, brought_back, cells_left_out, without_small_cells
from pmpm_spark.stages import CAPITATION, GOLD
from tests.published import POLICIES, drawn_tables, found_out


@pytest.mark.parametrize("seed", range(5))
def test_no_combination_of_published_figures_brings_one_back(seed: int) -> None:
    published = without_small_cells(drawn_tables(seed))
    assert found_out(published.tables) == set()
    assert sum(published.rows_left_out.values()) > 0


def test_the_attacker_finds_what_is_left_out_where_nothing_more_than_small_cells_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bare(tables: Any, totals: Any) -> frozenset[Any]:
        return cells_left_out(tables, totals, complementary=False)

    monkeypatch.setattr(small_cells, "cells_left_out", bare)
    found = [found_out(without_small_cells(drawn_tables(seed)).tables) for seed in range(2)]
    tables = {table for of_seed in found for _, table, _, _ in of_seed}
    assert all(found)
    assert {
        "network_pmpm",
        "practice_pmpm",
        "physician_pmpm",
        "network_pmpm_by_month",
        "network_pmpm_by_category",
    } <= tables
    assert {"network_pmpm_by_subcategory", "leakage_destinations"} <= tables
    assert {"capitation_variance", "capitation_variance_split", "capitation_ledger_by_reason"} <= tables
    assert "experience_scores" in tables
    assert "outcome_measures" in tables


@pytest.mark.parametrize("seed", range(3))
def test_no_published_count_is_from_1_to_10_and_what_is_not_left_out_is_as_it_was(seed: int) -> None:
    tables = drawn_tables(seed)
    published = without_small_cells(tables)
    for one in SHOWN:
        for old, row in zip(tables[one.name], published.tables[one.name], strict=True):
            told = {name: value for name, value in row.items() if value is not None and name != LEFT_OUT}
            assert told.items() <= old.items()
            assert not any(0 < told[name] < 11 for name in one.counts if name in told)
            if row[LEFT_OUT]:
                assert set(told) <= {*one.table.key, *KEPT}
    assert all(row["members"] == 0 or row["members"] > 10 for row in published.tables["totals"] if not row[LEFT_OUT])


def test_the_order_of_rows_changes_nothing_and_policies_leave_out_the_same_rows() -> None:
    tables = drawn_tables(5)
    once = without_small_cells(tables)
    again = without_small_cells({name: rows[::-1] for name, rows in tables.items()})
    for one in SHOWN:
        assert once.tables[one.name] == again.tables[one.name][::-1]
        by_policy = [
            [tuple(r[k] for k in one.table.key if k != "policy") for r in once.rows(one.name, policy=p) if r[LEFT_OUT]]
            for p in POLICIES
        ]
        assert sorted(by_policy[0], key=str) == sorted(by_policy[1], key=str)


def test_one_small_practice_of_three_takes_the_next_smallest_with_it() -> None:
    def people(table: str, count: int, **key: str) -> dict[str, Any]:
        row = dict.fromkeys(next(one.table.column_names for one in SHOWN if one.name == table), 1.0)
        amounts = {
            "paid_amount": Decimal(count),
            "in_network_paid_amount": Decimal(count),
            "counted_amount": Decimal(count),
        }
        counts = {"members": count, "member_months": count * 12, "scored_members": count, **amounts}
        return {**row, "policy": "p", "performance_year": 2022, "network_id": "A", **key, **counts}

    practices = [people("practice_pmpm", n, practice_tin=f"T{n}") for n in (5, 40, 60)]
    published = without_small_cells({"network_pmpm": [people("network_pmpm", 105)], "practice_pmpm": practices})
    assert [row["members"] for row in published.tables["practice_pmpm"]] == [None, None, 60]
    assert [row["members"] for row in published.tables["network_pmpm"]] == [105]
    assert published.rows_left_out == {"network_pmpm": 0, "practice_pmpm": 2}


def _answers(count: int, wave: str, **told: Any) -> dict[str, Any]:
    row = dict.fromkeys(next(one.table.column_names for one in SHOWN if one.name == "experience_scores"))
    key = {"policy": "p", "performance_year": 2022, "network_id": "A", "physician_npi": "", "level": "network"}
    of = {"survey": "S", "respondent": "member", "domain": "care", "wave": wave, "responses": count}
    return {**row, **key, **of, "respondents": count, "mean_score": 70.0, **told}


def test_a_change_is_left_out_where_the_wave_before_is_and_the_rest_of_the_row_is_told() -> None:
    before = {"prior_year": 2022, "change": 1.5, "change_low": 1.0, "change_high": 2.0}
    rows = [_answers(5, "1"), _answers(40, "2", prior_wave="1", **before), _answers(50, "3", prior_wave="2", **before)]
    told = without_small_cells({"experience_scores": rows}).tables["experience_scores"]
    figures = ("mean_score", "prior_wave", "change", "change_low")
    assert [tuple(row[name] for name in figures) for row in told] == [
        (None, None, None, None), (70.0, "1", None, None), (70.0, "2", 1.5, 1.0),
    ]  # fmt: skip
    assert [row[LEFT_OUT] for row in told] == [True, False, False]


def test_two_small_physicians_hide_each_other_and_one_takes_the_network_or_the_next_with_it() -> None:
    def parts(*counts: int) -> list[Any]:
        rows = [_answers(sum(counts), "1")]
        rows += [_answers(n, "1", physician_npi=f"P{k}", level="physician") for k, n in enumerate(counts)]
        return [
            row["respondents"] for row in without_small_cells({"experience_scores": rows}).tables["experience_scores"]
        ]

    assert parts(9, 8, 40) == [57, None, None, 40]
    assert parts(9, 30, 40) == [79, None, None, 40]
    assert parts(9, 40) == [49, None, None]
    assert parts(3, 4) == [None, None, None]


def test_two_sums_together_bring_back_what_neither_does_alone() -> None:
    a, b, c, d = (("t", (name,)) for name in "abcd")
    assert brought_back([{a: 1, b: 1}, {a: 1, b: 1, c: 1}]) == [c]
    assert brought_back([{a: 1, b: 1}, {b: 1, c: 1}, {a: 1, c: 1}]) == [a, b, c]
    assert brought_back([{a: 1, b: 1}, {b: 1, c: 1}, {a: 1, c: -1}]) == []
    assert brought_back([{a: 1, b: 1, c: 1}, {c: 1, d: 1}]) == []


def test_every_gold_table_is_shown_with_what_it_adds_up_to_unless_it_tells_of_members_or_is_for_none_to_read() -> None:
    gold = [t for t in (*GOLD, *CAPITATION) if t.layer == "gold"]
    assert {one.name for one in SHOWN} == {t.short_name for t in gold if not t.has_members and t not in STAYS}


def test_the_growth_of_a_contract_goes_with_the_year_before_that_it_tells() -> None:
    table = next(one.table for one in SHOWN if one.name == "financial_performance")

    def of_year(year: int, members: int) -> dict[str, Any]:
        told = {"policy": "p", "contract_id": "C1", "performance_year": year, "network_id": "A"}
        counts = {"members": members, "member_months": members * 12, "pmpm_growth": Decimal("0.1"), "medical_pmpm": 9.0}
        return {**dict.fromkeys(table.column_names), **told, **counts}

    published = without_small_cells({"financial_performance": [of_year(2021, 9), of_year(2022, 40), of_year(2023, 40)]})
    rows = published.tables["financial_performance"]
    assert [(row["members"], row["medical_pmpm"], row["pmpm_growth"]) for row in rows] == [
        (None, None, None),
        (40, 9.0, None),
        (40, 9.0, Decimal("0.1")),
    ]


def _restated(**members: int) -> list[dict[str, Any]]:
    """A network of 500 whose parts touch so many; each moves as many cents, risk the adjusted PMPM alone."""
    table = next(one.table for one in SHOWN if one.name == "restatement")
    whole = Decimal(sum(members.values()))
    head = {"policy": "p", "performance_year": 2022, "network_id": "A", "since_run_id": "r", "is_small_cell": False}
    head |= {"pmpm_then": Decimal(0), "pmpm_now": whole - members.get("RISK", 0)}
    head |= {"adjusted_pmpm_then": Decimal(0), "adjusted_pmpm_now": whole, "reason": None}
    return [
        {
            **dict.fromkeys(table.column_names), **head, "part": part, "members": members.get(part, 0),
            "pmpm_change": Decimal(0 if part == "RISK" else members.get(part, 0)),
            "adjusted_pmpm_change": Decimal(members.get(part, 0)),
        }
        for part in PARTS
    ]  # fmt: skip


def _told_parts(rows: list[dict[str, Any]]) -> set[str]:
    told = without_small_cells({"restatement": rows}).tables["restatement"]
    return {row["part"] for row in told if not row[LEFT_OUT]}


def test_a_part_of_a_restatement_that_touches_few_is_hidden_behind_another_that_touches_somebody() -> None:
    everything = set(PARTS)
    assert _told_parts(_restated(CLAIMS=100, ENROLLMENT=30)) == everything
    assert _told_parts(_restated(CLAIMS=100, ENROLLMENT=30, ATTRIBUTION=4)) == everything - {
        "ATTRIBUTION",
        "ENROLLMENT",
    }
    assert _told_parts(_restated(CLAIMS=100, ENROLLMENT=6, ATTRIBUTION=4)) == everything - {"ATTRIBUTION", "ENROLLMENT"}


def test_where_nothing_can_hide_a_part_of_a_restatement_no_row_tells_the_change() -> None:
    assert _told_parts(_restated(CLAIMS=4)) == set()
    assert _told_parts(_restated(CLAIMS=4, RISK=20)) == set(), "risk moves nothing of a raw PMPM: it hides no claim"
    small = [{**row, "is_small_cell": True} for row in _restated(CLAIMS=400, RISK=300)]
    assert _told_parts(small) == set()
