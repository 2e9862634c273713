"""Bringing stored tables to the contracts of this version of the package: altered, made anew, or refused.

What is looked at is the stored table itself. Where old rows can stand as they are (nullable columns at the end, rules
that they keep) the table is altered and no row written; else a run that makes all its rows makes it anew, and nothing
else touches it. A table that a run does not use is left as it is (decision 119).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pyspark.sql import functions as F

from pmpm_spark.contract_change import layout_differs, rules_differ
from pmpm_spark.delta_text import Alteration, constraints, engine_condition, properties
from pmpm_spark.errors import StageError, is_engine_error
from pmpm_spark.store import DEBUG_VARIABLE, REBUILD, UNKNOWN, Store, contract_hash
from pmpm_spark.table import Table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Used:
    """What a run does with the tables that it uses."""

    made: Sequence[Table] = ()
    """It makes all their rows, or of those with slices the policies and years that it is asked for."""
    delivered: Sequence[Table] = ()
    """It adds rows of files to them, or reads them; a rebuild reads the files again."""
    kept: Sequence[Table] = ()
    """It adds rows to them; what stands there no run can make again."""
    read: Sequence[Table] = ()
    """It reads them, and another run makes them."""
    slices_left: str = ""
    """Policies and years that stand in tables with slices and that it does not make."""


@dataclass(frozen=True)
class Upgrade:
    """What brings the tables that a run uses to their contracts: those that it makes anew, and what is altered."""

    anew: tuple[str, ...] = ()
    altered: Mapping[str, Alteration] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def done(self, store: Store) -> list[str]:
        """Alter tables, and forget those that are made anew; what is to be said. It is taken back with the run."""
        for name, alteration in self.altered.items():
            _alter(store, self.tables[name], alteration)
            log.info("%s: brought to its contract (%s)", name, _told(alteration))
        for name in self.anew:
            store.versions.pop(name)
            log.info("%s: another version of pmpm made it; it is made anew", name)
        return list(self.notices)

    @property
    def said(self) -> dict[str, dict[str, str]]:
        """The same for the book of runs, by table."""
        told = dict.fromkeys(self.anew, "made anew") | {name: _told(one) for name, one in self.altered.items()}
        return {"upgraded": told} if told else {}


def planned(store: Store, used: Used, rebuild: Collection[str] = ()) -> Upgrade:
    """What is to be done before the run, which makes what it `rebuild`s anew anyhow. Nothing is written here.

    Raises:
        StageError: a table can neither stand nor be made anew by this run; it says what differs and what to do.
    """
    anew: list[str] = []
    altered: dict[str, Alteration] = {}
    notices: list[str] = []

    def stale(group: Sequence[Table]) -> list[Table]:
        return [table for table in group if _is_stale(store, table) and table.name not in rebuild]

    for table in stale(used.made):
        if not (table.slice_by and used.slices_left):
            anew.append(table.name)
            continue
        altered[table.name] = _alteration(
            store, table, f"made anew it would lose what this run does not make: add {used.slices_left}"
        )
        if altered[table.name].added:
            notices.append(f"{_named(table, altered[table.name])} null of {used.slices_left}: run them to fill it")
    for table in stale(used.delivered):
        again = f"{REBUILD} {table.name}"
        altered[table.name] = _alteration(
            store, table, f"rebuild it with `{again}`, which reads all of its files again: they must be there"
        )
        if altered[table.name].added:
            notices.append(
                f"{_named(table, altered[table.name])} null of files loaded before; `{again}` reads them again"
            )
    for table in stale(used.kept):
        altered[table.name] = _alteration(store, table, NEVER_AGAIN)
    for table in stale(used.read):
        if table.name not in {*anew, *altered}:
            lacks = _alteration(store, table, "run `pmpm run` first, which makes it anew").added
            if lacks:
                raise StageError(
                    f"{table.name}: column {lacks[0].name} is missing; run `pmpm run` first, which makes it anew"
                )
    tables = {table.name: table for group in (used.made, used.delivered, used.kept) for table in group}
    return Upgrade(tuple(anew), altered, tables, tuple(notices))


NEVER_AGAIN = (
    "no run can make its rows again, so it is left as it is; go on with the version of pmpm that made it "
    "(docs/operations.md, Upgrades)"
)


def bring_to_contract(store: Store, table: Table) -> None:
    """Alter a table that is read and written by itself, at its newest version, where it differs.

    Raises:
        StageError: old rows cannot stand as they are.
    """
    alteration = _alteration(store, table, NEVER_AGAIN)
    if alteration != Alteration():
        _alter(store, table, alteration)
        log.info("%s: brought to its contract (%s)", table.name, _told(alteration))
    store.contracts.pop(table.name, None)


def _is_stale(store: Store, table: Table) -> bool:
    stored = store.contracts.get(table.name)
    return table.name in store.versions and stored not in (None, contract_hash(table))


def _alteration(store: Store, table: Table, else_do: str) -> Alteration:
    """What brings the table to its contract.

    Raises:
        StageError: old rows cannot stand as they are; it ends with what to do.
    """
    found = store.difference(table, store.versions[table.name], store.contracts.get(table.name))
    layout = store.delta.layout(table)
    other = found.other or layout_differs(table, layout.partition_by)
    gone, ruled = rules_differ(constraints(table), layout.rules)
    if not other and ruled:
        other = _broken(store, table, ruled)
    if other:
        raise StageError(f"{table.name}: {other}; {else_do}")
    is_same = not (found.added or gone or ruled)
    if is_same and (not table.cluster_by or store.contracts.get(table.name) == UNKNOWN):
        return Alteration()
    return Alteration(found.added, gone, ruled, properties(table, store.warehouse))


def _broken(store: Store, table: Table, rules: Mapping[str, str]) -> str:
    """The first rule of these that stored rows break; empty where they keep all."""
    counts = [F.count_if(~F.expr(rule)).alias(name) for name, rule in rules.items()]
    with _told_if_the_engine_fails(table):
        found = store.read(table).agg(*counts).collect()[0]
    return next((f"{found[name]:,} rows break the rule {name}" for name in rules if found[name]), "")


def _alter(store: Store, table: Table, alteration: Alteration) -> None:
    if store.current_version(table) != store.versions[table.name]:
        store.restore(table, store.versions[table.name])
    with _told_if_the_engine_fails(table):
        store.versions[table.name] = store.delta.alter(table, alteration)
    store.contracts.pop(table.name, None)


@contextmanager
def _told_if_the_engine_fails(table: Table) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_engine_error(error) or os.environ.get(DEBUG_VARIABLE):
            raise
        raise StageError(
            f"{table.name}: the engine failed while its contract was changed ({engine_condition(error)}); the table is "
            "as it was"
        ) from None


def _told(alteration: Alteration) -> str:
    names = ", ".join(column.name for column in alteration.added)
    rules = ", ".join(dict.fromkeys([*alteration.gone, *alteration.ruled]))
    parts = [f"{what} {of}" for what, of in (("columns", names), ("rules", rules)) if of]
    return "; ".join(parts) or "its layout"


def _named(table: Table, alteration: Alteration) -> str:
    names = [column.name for column in alteration.added]
    verb = "is" if len(names) == 1 else "are"
    return f"{table.name}: {', '.join(names)} {verb}"
