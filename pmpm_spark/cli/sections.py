"""An answer of several headed tables, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from pmpm_spark.cli.render import Rows, as_csv, as_json, as_table
from pmpm_spark.months import number_of
from pmpm_spark.why.records import as_range, runs
from pmpm_spark.why.section import Section

POLICY, MONTH, VALUE = "policy", "member_month", "value"
NO_LINES = "(no row: a table has no lines)"


def rendered_sections(sections: Sequence[Section], form: str) -> str:
    return {"table": _for_people, "csv": _as_csv, "json": _as_json}[form](sections)


def _for_people(sections: Sequence[Section]) -> str:
    return "\n\n".join(f"{part.heading}\n{_table(part)}" for section in sections for part in _parts(section))


def _parts(section: Section) -> list[Section]:
    """A section by policy, where each has a table of its own; the policy then stands in the heading."""
    if section.policies != "apart" or not section.rows:
        return [section]
    at = section.names.index(POLICY)
    names = (*section.names[:at], *section.names[at + 1 :])
    found = []
    for policy in dict.fromkeys(row[at] for row in section.rows):
        rows = [(*row[:at], *row[at + 1 :]) for row in section.rows if row[at] == policy]
        found.append(replace(section, heading=f"{section.heading}, policy {policy}", names=names, rows=rows))
    return found


def _table(section: Section) -> str:
    if not section.rows:
        return section.nothing
    rows = list((section.rows if section.shown is None else section.shown)[: section.at_most])
    is_part = len(rows) < len(section.rows)
    if section.in_ranges:
        rows = _in_ranges(section.names, rows)
    if section.policies == "merged":
        rows = _of_policies(section.names, rows)
    told = [tuple(_cell(name, value) for name, value in zip(section.names, row, strict=True)) for row in rows]
    table = as_table(Rows(section.names, _to_right(section.names, told)))
    said = [table]
    if is_part:
        said.append(f"... more{section.left_out}: --format csv")
    if _has_tables(section.names, rows):
        said.append(NO_LINES)
    return "\n".join(said)


def _has_tables(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether a record stands in a table, which has no lines."""
    if "file" not in names:
        return False
    return any(row[names.index("file")] is not None and row[names.index("row")] is None for row in rows)


def _in_ranges(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of consecutive months that say the same as one, at the place of the first."""
    at = names.index(MONTH)
    months: dict[tuple[Any, ...], list[date]] = {}
    for row in rows:
        months.setdefault((*row[:at], *row[at + 1 :]), []).append(row[at])
    order = {row: place for place, row in reversed(list(enumerate(rows)))}
    found = []
    for rest, of_rest in months.items():
        for first, last in runs({number_of(month) for month in of_rest}):
            month = next(m for m in of_rest if number_of(m) == first)
            found.append((order[(*rest[:at], month, *rest[at:])], (*rest[:at], as_range(first, last), *rest[at:])))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _of_policies(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows that say the same under several policies as one, at the place of the first."""
    at = names.index(POLICY)
    policies: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        policies.setdefault((*row[:at], *row[at + 1 :]), []).append(row[at])
    return [(*rest[:at], ", ".join(dict.fromkeys(of)), *rest[at:]) for rest, of in policies.items()]


def _cell(name: str, value: Any) -> Any:
    if name == MONTH and isinstance(value, date):
        return f"{value:%Y-%m}"
    return _figure(value) if name == VALUE else value


def _figure(value: Any) -> Any:
    """A value of its own kind, in a column of several: a quotient with six decimals, an amount in cents."""
    if isinstance(value, float):
        return f"{value:,.6f}"
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return f"{value:,}" if exponent == -2 else f"{value.normalize():,f}"
    return f"{value:,}" if isinstance(value, int) else value


def _to_right(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Figures that are text already, as wide as the widest."""
    if VALUE not in names:
        return list(rows)
    at = names.index(VALUE)
    told = ["-" if row[at] is None else str(row[at]) for row in rows]
    width = max(len(VALUE), *map(len, told))
    return [(*row[:at], text.rjust(width), *row[at + 1 :]) for row, text in zip(rows, told, strict=True)]


def _as_csv(sections: Sequence[Section]) -> str:
    """One table of all sections: the section's name, then every column that any has; empty where it has none."""
    names = tuple(dict.fromkeys(name for section in sections for name in section.names))
    rows = []
    for section in sections:
        for row in section.rows:
            told = dict(zip(section.names, row, strict=True))
            rows.append((section.name, *[told.get(name) for name in names]))
    return as_csv(Rows(("section", *names), rows))


def _as_json(sections: Sequence[Section]) -> str:
    """An object with a list of objects for each section."""
    told = {section.name: json.loads(as_json(Rows(section.names, section.rows))) for section in sections}
    return json.dumps(told, indent=1)
