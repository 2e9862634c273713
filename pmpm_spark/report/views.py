"""What a page is made of: facts, tables and charts, each with the gold table and column that its figures come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

LEFT_OUT_WORD = "left out"
DECIMALS = {"money": 2, "dollars": 0, "count": 0, "score": 3, "factor": 6, "rate": 1}
SIGNS = {"money": "$", "dollars": "$"}


@dataclass(frozen=True)
class Link:
    """A page of the report, by its name."""

    page: str
    text: str


@dataclass(frozen=True)
class Column:
    """A column of a table; `kind`: text, date, month, share, change, or one of DECIMALS."""

    label: str
    kind: str
    source: str


@dataclass(frozen=True)
class TableView:
    """Rows of values; None stands for what is not told, and `note` says more in a sentence."""

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    can_sort: bool = True
    is_wide: bool = False


@dataclass(frozen=True)
class ChartView:
    svg: str
    caption: str
    sources: Sequence[str]
    legend: Sequence[tuple[str, str]] = ()
    """Class in the sheet and meaning of each kind of mark."""


@dataclass(frozen=True)
class Fact:
    label: str
    value: Any
    kind: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Page:
    """One page: its name in links, what it is about, and its parts in their order."""

    name: str
    title: str
    lead: str = ""
    facts: Sequence[Fact] = ()
    parts: Sequence[Any] = field(default_factory=tuple)
    kind: str = "plain"


def shown(value: Any, kind: str, missing: str = LEFT_OUT_WORD) -> str:
    """A value as people read it."""
    if value is None:
        return missing
    if isinstance(value, Link):
        return value.text
    if isinstance(value, date):
        return f"{value:%Y-%m}" if kind == "month" else value.isoformat()
    if kind == "share" and not isinstance(value, str):
        return _signed(value, f"{abs(float(value)):.1%}")
    if kind == "change" and not isinstance(value, str):
        return f"{float(value):+.1%}".replace("-", "−")
    if kind not in DECIMALS or isinstance(value, str):
        return str(value)
    return _signed(value, f"{SIGNS.get(kind, '')}{abs(value):,.{DECIMALS[kind]}f}")


def _signed(value: Any, shown_of_it: str) -> str:
    """A minus before what is below 0, unless it is shown as 0."""
    is_negative = value < 0 and any(digit in "123456789" for digit in shown_of_it)
    return f"{'−' if is_negative else ''}{shown_of_it}"
