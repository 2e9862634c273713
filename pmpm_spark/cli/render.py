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

from pmpm_spark.formulas import harmless

CENTS = 2
"""Decimals of amounts, of rates, and of every number that is none of those below."""
DECIMALS_OF_FRACTIONS = {"member_months": CENTS, **dict.fromkeys(("exposure", "exposure_before", "exposure_now"), 6)}
"""Months have none where all that are shown are whole."""
_OF_OTHERS = ("prior_normalized_risk_score", "other_normalized_risk_score", "others_normalized_risk_score")
_SCORES = ("risk_score", "normalized_risk_score", "uncapped_risk_score", "back_test_error", "p_value", *_OF_OTHERS)
_COEFFICIENTS = ("coefficient", "share", "normalized_score", "payment_score")
_FACTORS = ("normalization_factor", "completion_factor", "age_to_age", "sequestration_rate")
_SHARES = (
    "margin_share", "mlr", "mlr_adjustment", "mlr_adjusted", "savings_rate", "pmpm_growth", "program_return",
    "share_of_category", "share_of_top", "share_of_network", "credibility", "season", "growth", "mean_error",
    "rate", "rate_low", "rate_high",
)  # fmt: skip
_PLACES = {_SCORES: 4, _COEFFICIENTS: 3, _FACTORS: 6, _SHARES: 4}
DECIMALS = {**DECIMALS_OF_FRACTIONS, **{name: places for names, places in _PLACES.items() for name in names}}


@dataclass(frozen=True)
class Rows:
    """Named columns and their rows; `more` says that some rows were left out."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    more: bool = False


def rendered(found: Rows, form: str) -> str:
    return {"table": as_table, "csv": as_csv, "json": as_json}[form](found)


def as_table(found: Rows) -> str:
    """Aligned columns, numbers to the right and with as many decimals in all rows, thousands apart."""
    places = [_decimals(name, [row[i] for row in found.rows]) for i, name in enumerate(found.names)]
    cells = [[_for_people(value, decimals) for value, decimals in zip(row, places, strict=True)] for row in found.rows]
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
    """A list of objects; amounts and months as text of their exact value, a list inside a cell as a list."""
    return json.dumps([dict(zip(found.names, map(_plain, row), strict=True)) for row in found.rows], indent=1)


def _decimals(name: str, values: Sequence[Any]) -> int | None:
    """How many decimals the numbers of a column have, by its kind; None for counts, years and what is no number."""
    told = [value for value in values if _is_number(value)]
    if name in DECIMALS_OF_FRACTIONS and all(value == int(value) for value in told):
        return 0
    if name in DECIMALS:
        return DECIMALS[name]
    has_cents = name.endswith("_amount") or any(isinstance(value, Decimal | float) for value in told)
    return CENTS if has_cents else None


def _for_people(value: Any, decimals: int | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return _told(value) or "-"
    return f"{value:,.{decimals}f}" if decimals is not None and _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _told(value: Any) -> str:
    """A list as `one, other`, what has fields inside it as `one: other`, and a number without zeros at its end."""
    if isinstance(value, list):
        return ", ".join(_told(one) for one in value)
    if isinstance(value, tuple):
        return ": ".join(_told(one) for one in value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "-" if value is None else str(value)


def _safe(value: Any) -> Any:
    return "" if value is None else harmless(_told(value) if isinstance(value, list) else value)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple):  # the engine's row
        names = value.__fields__  # type: ignore[attr-defined]
        return {name: _plain(one) for name, one in zip(names, value, strict=True)}
    return str(value) if isinstance(value, Decimal | date | datetime) else value
