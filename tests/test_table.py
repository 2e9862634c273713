"""Contracts: a faulty one cannot be written, and every one that stands is whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyspark.sql import types as T

from pmpm_spark.stages import ALL_TABLES
from pmpm_spark.table import Table, money, text

GOOD: dict[str, Any] = {
    "name": "silver.visits",
    "grain": "one row per visit",
    "key": ("id",),
    "columns": (text("id", "id"), money("paid_amount", "paid")),
}
SQL_WORDS = {
    *("AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "BETWEEN", "LIKE", "DATE", "CASE", "WHEN", "THEN"),
    *("ELSE", "END", "SIZE", "ABS", "COALESCE", "LENGTH", "TRUNC", "CAST", "AS", "DAY", "MONTH", "YEAR", "ROUND"),
    *("ARRAY_SIZE", "CARDINALITY", "LAST_DAY", "INT", "DECIMAL", "RLIKE", "FLOOR"),
}


def test_a_good_contract() -> None:
    table = Table(**GOOD, rules={"paid_is_told": "paid_amount IS NOT NULL"})
    assert (table.layer, table.short_name, table.column_names) == ("silver", "visits", ("id", "paid_amount"))
    assert [field.nullable for field in table.schema] == [False, True]
    assert table.audit_rules() == {"id_is_told": "id IS NOT NULL", "paid_is_told": "paid_amount IS NOT NULL"}
    assert table.columns[1].meaning == "paid, US dollars"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": "visits"}, "name must be layer.table"),
        ({"name": "copper.visits"}, "name must be layer.table"),
        ({"name": "silver."}, "name must be layer.table"),
        ({"columns": (text("id", "id"), text("id", "id"))}, "a column name stands twice"),
        ({"key": ("nobody",)}, "nobody is not among its columns"),
        ({"partition_by": ("nobody",)}, "nobody is not among its columns"),
        ({"cluster_by": ("nobody",)}, "nobody is not among its columns"),
        ({"slice_by": ("nobody",)}, "nobody is not among its columns"),
        ({"partition_by": ("id",), "cluster_by": ("id",)}, "not both"),
    ],
)
def test_a_faulty_contract_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Table(**{**GOOD, **changed})


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda t: t.name)
def test_every_contract_is_whole(table: Table) -> None:
    assert table.key, "a table has a key"
    assert table.grain.startswith("one row")
    for told in table.columns:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", told.name)
        assert told.meaning.strip()
        if told.name.endswith("_amount") and told.meaning != "as delivered":
            assert told.type == T.DecimalType(18, 2), f"{told.name}: money is DECIMAL(18,2)"


@pytest.mark.parametrize("table", [t for t in ALL_TABLES if t.rules], ids=lambda t: t.name)
def test_every_rule_names_columns_that_there_are(table: Table) -> None:
    for name, rule in table.rules.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        without_texts = re.sub(r"'[^']*'", "", rule)
        words = {word for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", without_texts) if word.upper() not in SQL_WORDS}
        assert words, f"{name} tests no column"
        assert words <= set(table.column_names), f"{name}: {words - set(table.column_names)}"


def test_tables_of_a_policy_are_laid_out_and_replaced_by_policy_and_year() -> None:
    of_policies = [t for t in ALL_TABLES if "policy" in t.key]
    assert of_policies
    for table in of_policies:
        assert table.slice_by == ("policy", "performance_year"), table.name
        assert table.partition_by == ("policy", "performance_year"), table.name


def test_a_rule_is_not_taken_twice_under_the_name_of_a_key() -> None:
    for table in ALL_TABLES:
        assert len(table.audit_rules()) == len(table.key) + len(table.rules), table.name
