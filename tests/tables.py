"""Tables written as text, typed by their contracts, and frames compared."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pmpm_spark.table import Table, conform


def frame(spark: SparkSession, table: Table, written: str) -> DataFrame:
    """Rows of a table from `a | b` lines under a heading line. `-` is null, `''` an empty text, `x;y` an array.

    Columns that are not written are null.
    """
    names, *rows = rows_of(written)
    types = {c.name: c.type for c in table.columns}
    unknown = [name for name in names if name not in types]
    assert not unknown, f"{table.name} has no column {unknown}"
    values = []
    for cells in rows:
        told = dict(zip(names, cells, strict=True))
        values.append(tuple(typed(told.get(c.name, "-"), c.type) for c in table.columns))
    schema = T.StructType([T.StructField(c.name, c.type) for c in table.columns])
    return spark.createDataFrame(values, schema)


def rows_of(written: str) -> list[list[str]]:
    lines = [line.strip() for line in written.strip().splitlines() if line.strip()]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def typed(cell: str, data_type: T.DataType) -> Any:
    if cell == "-":
        return None
    if cell == "''":
        return ""
    if isinstance(data_type, T.DateType):
        return date.fromisoformat(cell)
    if isinstance(data_type, T.TimestampType):
        return datetime.fromisoformat(cell)
    if isinstance(data_type, T.DecimalType):
        return Decimal(cell)
    if isinstance(data_type, T.IntegerType | T.LongType):
        return int(cell)
    if isinstance(data_type, T.DoubleType):
        return float(cell)
    if isinstance(data_type, T.BooleanType):
        return {"true": True, "false": False}[cell]
    if isinstance(data_type, T.ArrayType):
        return [] if cell == "[]" else [typed(part.strip(), data_type.elementType) for part in cell.split(";")]
    return cell


def assert_table(built: DataFrame, table: Table, spark: SparkSession, expected: str) -> None:
    """The built rows, conformed to the contract, are those written, on the columns that are written."""
    names = rows_of(expected)[0]
    assert_df_equality(
        conform(built, table).select(*names),
        frame(spark, table, expected).select(*names),
        ignore_row_order=True,
        ignore_nullable=True,
    )
