"""What differs between the versions of Spark that the package runs on, 3.5 to 4.2; nowhere else is one asked for.

Features are looked for, not version numbers: a platform's 3.5 may have what came with 4.0 in open source.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from pyspark.errors import PySparkException
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T


def try_cast(value: Column, kind: T.DataType | str) -> Column:
    """The value as another type, null where it cannot be."""
    if hasattr(type(value), "try_cast"):
        return value.try_cast(kind)
    return try_cast_in_sql(value, kind)


def try_cast_in_sql(value: Column, kind: T.DataType | str) -> Column:
    """The same where it is in SQL alone, as in 3.5: there a value can only be named, as the variable of a lambda."""
    name = kind if isinstance(kind, str) else kind.simpleString()
    return F.call_function("transform", F.array(value), F.expr(f"one -> try_cast(one AS {name})"))[0]


def array_position(values: Column, wanted: Column) -> Column:
    """The place of the first such value, 1 up; 0 where there is none. The function of 3.5 takes a literal alone."""
    if hasattr(Column, "try_cast"):  # of 4.0, as is the other
        return F.array_position(values, wanted)
    return F.call_function("array_position", values, wanted)


def word_for(words: Mapping[str, str], key: Column) -> Column:
    """The word that stands for the key; null where none does. A client of 3.5 takes no column in brackets."""
    return F.element_at(F.create_map(*[F.lit(told) for pair in words.items() for told in pair]), key)


def condition_of(error: PySparkException) -> str | None:
    """The engine's name for what went wrong; `getErrorClass` until 3.5."""
    name = "getCondition" if hasattr(error, "getCondition") else "getErrorClass"
    found = getattr(error, name)()
    return None if found is None else str(found)


def silence_loggers(names: Sequence[str]) -> None:
    """Turn off loggers that PySpark keeps apart from Python's own; 3.5 has none."""
    try:
        from pyspark.logger import PySparkLogger
    except ImportError:
        return
    for name in names:
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL + 1)
