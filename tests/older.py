"""Warehouses as a former version of the package left them: a table is stored anew by another contract."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import SparkSession

from pmpm_spark.config import Warehouse
from pmpm_spark.runs import RunBook, new_run_id
from pmpm_spark.store import Store, contract_hash
from pmpm_spark.table import Column, Table


def without(table: Table, *columns: str) -> Table:
    """The contract without these columns, and the rules that name them."""
    return replace(
        table,
        key=tuple(name for name in table.key if name not in columns),
        columns=tuple(column for column in table.columns if column.name not in columns),
        rules={name: rule for name, rule in table.rules.items() if not any(column in rule for column in columns)},
    )


def retyped(table: Table, column: Column) -> Table:
    """The contract with another column in the place of the one of its name."""
    return replace(table, columns=tuple(column if c.name == column.name else c for c in table.columns))


def stored_as(spark: SparkSession, warehouse: Warehouse, older: Table) -> None:
    """Store the table's rows by an older contract, and write the book of runs as a run by that would have."""
    book = RunBook(spark, warehouse)
    last = book.last_finished()
    assert last is not None
    store = Store(spark, warehouse, versions=last.versions)
    at = store.delta.at(older, last.versions[older.name])
    rows = at.select(*[at[c.name].cast(c.type).alias(c.name) for c in older.columns]).collect()
    store.versions.pop(older.name)
    store.publish(older, spark.createDataFrame(rows, older.schema))
    contracts = {**last.contracts, older.name: contract_hash(older)}
    told = {**last.told, "inputs": last.inputs, "notices": last.notices}
    book.write(new_run_id(), "finished", **told, versions=store.versions, contracts=contracts)
