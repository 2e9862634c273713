"""Service categories: both levels of a claim line, by the rule of reference.service_categories that it meets first.

The rules are data. Here stands only how a cell is read and what it is compared with, as one expression over the line:
a rule that asks for nothing ends those of its claim type, and what meets none is `other`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.model.claim_lines import CLAIM_TYPES

if TYPE_CHECKING:
    from pyspark.sql import Column

OTHER = "other"
ANYTHING = "*"
LEVELS = ("service_category", "service_category_2")
CONDITIONS = ("bill_type", "revenue_code", "place_of_service", "drg", "hcpcs", "ccn")
"""What a rule may ask for, in the order of the reference table's columns."""


class Rule(NamedTuple):
    """A row of reference.service_categories."""

    claim_type: str
    priority: int
    bill_type: str
    revenue_code: str
    place_of_service: str
    drg: str
    hcpcs: str
    ccn: str
    service_category: str
    service_category_2: str
    source: str

    @property
    def asks_for(self) -> dict[str, str]:
        """The cells that ask for something."""
        return {name: getattr(self, name) for name in CONDITIONS if getattr(self, name) != ANYTHING}


class Codes(NamedTuple):
    """What a cell asks for: whole codes, beginnings of codes, and ranges, both ends inclusive, compared as text."""

    whole: tuple[str, ...]
    beginnings: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]


def rules_in_order(service_categories: Iterable[Sequence[object]]) -> tuple[Rule, ...]:
    """The rows as rules, those of a claim type together and by their priority."""
    rules = [Rule(*row) for row in service_categories]  # type: ignore[arg-type]
    return tuple(sorted(rules, key=lambda rule: (rule.claim_type, rule.priority)))


def codes_of(cell: str) -> Codes:
    """The codes of a cell that asks for something.

    Raises:
        InputError: a part is no code, no beginning of one and no range.
    """
    whole, beginnings, ranges = [], [], []
    for part in cell.split():
        first, dash, last = part.partition("-")
        if dash and first.isalnum() and last.isalnum() and len(first) == len(last) and first <= last:
            ranges.append((first, last))
        elif re.fullmatch(r"\w+\*", part):
            beginnings.append(part.removesuffix(ANYTHING))
        elif part.isalnum():
            whole.append(part)
        else:
            raise InputError(
                f"service_categories: {part!r} is none of: a code, the beginning of codes and *, FIRST-LAST of a range"
            )
    return Codes(tuple(whole), tuple(beginnings), tuple(ranges))


def check_rules(rules: Iterable[Rule]) -> None:
    """Every rule is of a claim type that there is, and its cells can be read.

    Raises:
        InputError: names the rule and what is wrong.
    """
    for rule in rules:
        if rule.claim_type not in CLAIM_TYPES:
            raise InputError(
                f"service_categories: claim_type {rule.claim_type} of priority {rule.priority} is none of: "
                f"{', '.join(CLAIM_TYPES)}"
            )
        for cell in rule.asks_for.values():
            codes_of(cell)


def first_rule(rules: Sequence[Rule]) -> Column:
    """The place, 1 up, of the first of the rules in order that the line meets; null where it meets none."""
    numbered = list(enumerate(rules, start=1))
    of_type = [
        (claim_type, _first_of_type(list(group)))
        for claim_type, group in groupby(numbered, key=lambda pair: pair[1].claim_type)
    ]
    return _cases(
        [(F.col("claim_type") == claim_type, place) for claim_type, place in of_type], F.lit(None).cast("int")
    )


def _first_of_type(rules: Sequence[tuple[int, Rule]]) -> Column:
    cases: list[tuple[Column, Column]] = []
    for place, rule in rules:
        if not rule.asks_for:
            return _cases(cases, F.lit(place))
        met = [_is_any_of(_of_line(name), codes_of(cell)) for name, cell in rule.asks_for.items()]
        cases.append((reduce(lambda left, right: left & right, met), F.lit(place)))
    return _cases(cases, F.lit(None).cast("int"))


def level_of(place: Column, rules: Sequence[Rule], level: str) -> Column:
    """The category that the rule at a place gives on one of the levels; `other` where the place is null."""
    places: dict[str, list[int]] = {}
    for number, rule in enumerate(rules, start=1):
        places.setdefault(getattr(rule, level), []).append(number)
    return _cases([(place.isin(*numbers), F.lit(name)) for name, numbers in places.items()], F.lit(OTHER))


def _of_line(condition: str) -> Column:
    """What of the line a condition is compared with."""
    return F.substring("facility_ccn", 3, 4) if condition == "ccn" else F.col(condition)


def _is_any_of(code: Column, codes: Codes) -> Column:
    tests = [code.isin(*codes.whole)] if codes.whole else []
    tests += [code.startswith(beginning) for beginning in codes.beginnings]
    tests += [code.between(first, last) for first, last in codes.ranges]
    return reduce(lambda left, right: left | right, tests)


def _cases(cases: Sequence[tuple[Column, Column]], otherwise: Column) -> Column:
    """CASE WHEN … ELSE …; the last alone where there is no case."""
    if not cases:
        return otherwise
    (condition, value), *others = cases
    return reduce(lambda so_far, case: so_far.when(*case), others, F.when(condition, value)).otherwise(otherwise)
