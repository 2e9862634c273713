"""Contracts: what a table promises (grain, key, columns with meanings, rules), as types and text only.

A contract holds no expression, so it can be read and checked before a session exists. Rules are SQL text: one text
serves the Delta CHECK constraint and the audit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import types as T

from pmpm_spark.errors import StageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MONEY = T.DecimalType(18, 2)
"""US dollars. Sums of doubles change with the partitioning, sums of decimals do not."""
SCORE = T.DecimalType(12, 6)
"""A risk score, or a share."""
MONTHS = T.DecimalType(12, 6)
"""Member months: whole, or the covered fraction where a policy prorates."""
MONTHS_OF_MANY = T.DecimalType(18, 6)
"""Sums of member months: a national one is more than a member month's type holds."""
FACTOR = T.DecimalType(14, 10)
"""A published yearly divisor of risk scores."""
TEXTS = T.ArrayType(T.StringType())

LAYERS = ("reference", "bronze", "intake", "silver", "gold", "ops")


@dataclass(frozen=True)
class Column:
    """One column of a contract. `meaning` carries the unit and becomes the Delta column comment."""

    name: str
    type: T.DataType
    meaning: str


def column(name: str, data_type: T.DataType, meaning: str) -> Column:
    return Column(name, data_type, meaning)


def text(name: str, meaning: str) -> Column:
    return Column(name, T.StringType(), meaning)


def day(name: str, meaning: str) -> Column:
    return Column(name, T.DateType(), meaning)


def money(name: str, meaning: str) -> Column:
    return Column(name, MONEY, f"{meaning}, US dollars")


def count(name: str, meaning: str) -> Column:
    return Column(name, T.LongType(), meaning)


def year(name: str, meaning: str) -> Column:
    return Column(name, T.IntegerType(), meaning)


def flag(name: str, meaning: str) -> Column:
    return Column(name, T.BooleanType(), meaning)


def quotient(name: str, meaning: str) -> Column:
    return Column(name, T.DoubleType(), meaning)


@dataclass(frozen=True)
class Table:
    """The promise of one table.

    `key` columns are never null and name a row; `rules` are SQL texts that hold (true or null) on every row.
    `slice_by` names the columns by whose values a run replaces its own part of the table and leaves the rest.
    `key_is_built_in`: the last step groups or row-numbers by the key, so the audit need not count it again (a test
    proves the step). `is_read_while_written`: a run adds to it while others of its steps read what it added before.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    slice_by: tuple[str, ...] = ()
    key_is_built_in: bool = False
    is_read_while_written: bool = False

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        layer, _, short = self.name.partition(".")
        if layer not in LAYERS or not short:
            raise ValueError(f"table {self.name}: name must be layer.table, with a layer of {', '.join(LAYERS)}")
        if len(names) != len(set(names)):
            raise ValueError(f"table {self.name}: a column name stands twice")
        for group in (self.key, self.partition_by, self.cluster_by, self.slice_by):
            missing = [name for name in group if name not in names]
            if missing:
                raise ValueError(f"table {self.name}: {', '.join(missing)} is not among its columns")
        if self.partition_by and self.cluster_by:
            raise ValueError(f"table {self.name}: partition_by or cluster_by, not both")

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[2]

    @property
    def has_members(self) -> bool:
        """Whether a row tells of a single member: it stays in the warehouse, never in a report or an export."""
        return "member_id" in self.column_names

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    @property
    def schema(self) -> T.StructType:
        return T.StructType([T.StructField(c.name, c.type, c.name not in self.key) for c in self.columns])

    def audit_rules(self) -> dict[str, str]:
        """Every rule that a row must keep, the key's among them, as SQL text by name."""
        keys = {f"{name}_is_told": f"{name} IS NOT NULL" for name in self.key}
        return {**keys, **self.rules}


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """The frame with the contract's columns in the contract's order and types.

    Only numbers change type (a sum of decimals is wider than its column); anything else is a fault of the stage.

    Raises:
        StageError: a column is missing, or has another type.
    """
    from pyspark.sql import functions as F

    given = {f.name: f.dataType for f in frame.schema.fields}
    chosen: list[Any] = []
    for wanted in table.columns:
        if wanted.name not in given:
            raise StageError(f"{table.name}: column {wanted.name} is missing from what the stage built")
        found = given[wanted.name]
        if _same(found, wanted.type):
            chosen.append(wanted.name)
        elif isinstance(found, T.NullType) or (
            isinstance(found, T.NumericType) and isinstance(wanted.type, T.NumericType)
        ):
            chosen.append(F.col(wanted.name).cast(wanted.type).alias(wanted.name))
        else:
            raise StageError(
                f"{table.name}: column {wanted.name} is {found.simpleString()}, its contract says "
                f"{wanted.type.simpleString()}"
            )
    as_it_is = all(isinstance(c, str) for c in chosen) and list(given) == [c.name for c in table.columns]
    return frame if as_it_is else frame.select(*chosen)  # each column that is named is a call to the JVM


def small_frame(spark: SparkSession, rows: Sequence[Sequence[Any]], schema: T.StructType) -> DataFrame:
    """A few rows told by the package itself, as one literal: no task of it runs in Python.

    For reference rows, names of files and the book of runs; never for members' data.
    """
    from pyspark.sql import functions as F

    names = [field.name for field in schema.fields]
    told = json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=_as_json)
    literal = F.from_json(F.lit(told), T.ArrayType(schema), {"timestampFormat": "yyyy-MM-dd HH:mm:ss.SSSSSS"})
    return spark.range(0, 1, 1, 1).select(F.inline(literal))


def _as_json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else str(value)


def _same(found: T.DataType, wanted: T.DataType) -> bool:
    """Equal types, whatever they say of nulls inside arrays and structs."""
    return found.simpleString() == wanted.simpleString()
