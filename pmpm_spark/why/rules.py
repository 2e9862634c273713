"""Which policies and years stand in the warehouse, with the rules that their rows were made by."""

from __future__ import annotations

from collections.abc import Mapping

from pmpm_spark.errors import InputError
from pmpm_spark.policy import Policy
from pmpm_spark.reference import reference_fingerprint
from pmpm_spark.runs import RunBook
from pmpm_spark.stages import STORED
from pmpm_spark.warehouse import Published

Rules = Mapping[str, tuple[Policy, tuple[int, ...]]]
"""By the policy's label: its rules, and the performance years that it stands for."""

_SLICED = frozenset(table.name for table in STORED if table.slice_by)


def rules_of(
    warehouse: Published, policy: str | None = None, year: int | None = None, command: str = "explain"
) -> Rules:
    """All of them, or those asked for.

    Raises:
        InputError: there is no such policy or year.
    """
    standing = RunBook(warehouse.store.spark, warehouse.store.warehouse).rules(_SLICED)
    labels = dict.fromkeys(label for label, _ in standing)
    if policy is not None and policy not in labels:
        raise InputError(f"{command}: no policy {policy} is published (one of: {', '.join(labels) or 'none'})")
    chosen = {at: rules for at, rules in standing.items() if policy in (None, at[0])}
    if year is not None and year not in {at[1] for at in chosen}:
        told = ", ".join(str(y) for y in sorted({at[1] for at in chosen}))
        raise InputError(f"{command}: no year {year} is published (one of: {told or 'none'})")
    found = {}
    for label in dict.fromkeys(at[0] for at in chosen):
        years = tuple(sorted(y for (of, y) in chosen if of == label))
        if year is None or year in years:
            found[label] = (chosen[label, year or years[-1]], years)
    return found


def other_reference(warehouse: Published, rules: Rules) -> str | None:
    """What to say where policies and years were made by other reference tables than those that stand now."""
    made_by = RunBook(warehouse.store.spark, warehouse.store.warehouse).references(_SLICED)
    now = reference_fingerprint(warehouse.store.reference_path)
    others = [label for label, (_, years) in rules.items() if {made_by[label, year] for year in years} - {now, None}]
    if not others:
        return None
    return (
        f"the reference tables are other than those of the run that made {', '.join(others)}: candidates, periods and "
        "rates may differ from it; set [reference] path as it was, or run `pmpm run` again"
    )
