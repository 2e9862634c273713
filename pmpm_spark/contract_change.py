"""How a stored table's columns differ from its contract, and what of it old rows can take as they are.

Nullable columns at the end, in bronze anywhere, are such a thing: old rows read null there. Anything else is another
table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import types as T

from pmpm_spark.table import Column, Table


@dataclass(frozen=True)
class Difference:
    """Columns that the stored table lacks and old rows read as null; or, where it is told, what else differs."""

    added: tuple[Column, ...] = ()
    other: str = ""


def columns_differ(table: Table, stored: T.StructType) -> Difference:
    """The stored table's columns beside those of its contract."""
    wanted = {column.name: column for column in table.columns}
    for field in stored.fields:
        if field.name not in wanted:
            return Difference(other=f"column {field.name} is not in its contract")
        has, says = field.dataType.simpleString(), wanted[field.name].type.simpleString()
        if has != says:
            return Difference(other=f"column {field.name} is {has}, its contract says {says}")
        if field.nullable == (field.name in table.key):
            is_key = "is no part of its key" if field.nullable else "is part of its key"
            return Difference(other=f"column {field.name} {is_key}, and in its contract it is not so")
    there = stored.fieldNames()
    added = tuple(column for column in table.columns if column.name not in there)
    for column in added:
        if column.name in table.key:
            return Difference(other=f"column {column.name} of its key is missing")
    # bronze has the columns of its files where these have them, and is read by their names
    if table.layer != "bronze" and [*there, *[column.name for column in added]] != list(table.column_names):
        return Difference(other="its columns stand in another order")
    return Difference(added)


def layout_differs(table: Table, partition_by: Sequence[str]) -> str:
    """What differs in how its files are parted; empty where nothing does."""
    if tuple(partition_by) == table.partition_by:
        return ""
    told = [", ".join(names) or "nothing" for names in (partition_by, table.partition_by)]
    return f"it is partitioned by {told[0]}, its contract says {told[1]}"


def rules_differ(wanted: Mapping[str, str], stored: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The constraints that are to go, and those that are to come, by name; one that is told otherwise is both."""
    has = {name.lower(): _without_blanks(text) for name, text in stored.items()}
    says = {name.lower(): _without_blanks(text) for name, text in wanted.items()}
    gone = tuple(name for name in stored if has[name.lower()] != says.get(name.lower()))
    return gone, {name: text for name, text in wanted.items() if has.get(name.lower()) != says[name.lower()]}


def _without_blanks(text: str) -> str:
    """The text without blanks outside of its literals: Spark sets its own."""
    parts = re.split(r"('(?:[^'\\]|\\.)*')", text)
    return "".join(part if part.startswith("'") else re.sub(r"\s+", "", part) for part in parts)
