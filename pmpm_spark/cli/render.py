"""Rows as a table for people, as CSV or as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Rows:
    """Named columns and their rows; `more` says that some rows were left out."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    more: bool = False


def rendered(found: Rows, form: str) -> str:
    return {"table": as_table, "csv": as_csv, "json": as_json}[form](found)


def as_table(found: Rows) -> str:
    """Aligned columns, numbers to the right, amounts and rates with two decimals and thousands apart."""
    cells = [[_for_people(value) for value in row] for row in found.rows]
    widths = [
        max(len(name), *(len(row[i]) for row in cells)) if cells else len(name) for i, name in enumerate(found.names)
    ]
    to_right = [any(_is_number(row[i]) for row in found.rows) for i in range(len(found.names))]

    def line(values: Sequence[str]) -> str:
        placed = [v.rjust(w) if right else v.ljust(w) for v, w, right in zip(values, widths, to_right, strict=True)]
        return "  ".join(placed).rstrip()

    lines = [line(found.names), line(["-" * width for width in widths]), *[line(row) for row in cells]]
    if found.more:
        lines.append("... more rows: use --limit, or --format csv")
    return "\n".join(lines)


def as_csv(found: Rows) -> str:
    """Comma-separated; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(found.names)
    for row in found.rows:
        writer.writerow([_safe(value) for value in row])
    return out.getvalue().rstrip("\n")


def as_json(found: Rows) -> str:
    """A list of objects; amounts and months as text of their exact value."""
    return json.dumps([dict(zip(found.names, map(_plain, row), strict=True)) for row in found.rows], indent=1)


def _for_people(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,.2f}" if value.as_tuple().exponent != -10 else f"{value:.6f}"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 10 else f"{value:,.4f}"
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _safe(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | date | datetime) else value
