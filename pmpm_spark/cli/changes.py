"""`pmpm changes`: what moved each network's PMPM since a run, as a table and in a sentence a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pmpm_spark.cli.render import Rows
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.restatement import NOT_SPLIT, PARTS, RESTATEMENT, SAID
from pmpm_spark.restate import restated

if TYPE_CHECKING:
    from pmpm_spark.policy import Policy
    from pmpm_spark.runs import RunBook
    from pmpm_spark.warehouse import Published

THEN, NOW = "THEN", "NOW"
ASKED = "restating-asked-"
"""Begins the name of the folder that is used while the command runs."""
MOST_RUNS = 5
"""So many runs are named where one is not found."""

Row = Mapping[str, Any]


def changed_rows(
    warehouse: Published,
    book: RunBook,
    since: str | None,
    *,
    policy: str | None = None,
    year: int | None = None,
    network: str | None = None,
) -> list[Row]:
    """The rows of gold.restatement: as the last runs wrote them, or with `since` made now against that run.

    Raises:
        ConfigError: no finished run begins so.
        InputError: no row fits.
    """
    rows: Sequence[Row]
    if since is None:
        rows = [row.asDict() for row in warehouse.read(RESTATEMENT).collect()]
        nothing = "no run has restated it: an earlier run must have made the policy and year; see --since"
    else:
        run_id = _run_named(book, since)
        then, now = book.makers(NETWORK_PMPM, until=run_id), book.makers(NETWORK_PMPM)
        asked = {
            at: maker
            for at, maker in now.items()
            if at in then
            and then[at].run.run_id != maker.run.run_id
            and policy in (None, at[0])
            and (year in (None, at[1]) or at[1] == _growth_since(maker.policy))
        }
        rows = restated(warehouse.store, {at: then[at] for at in asked}, asked, ASKED)
        nothing = f"no policy and year of run {run_id} was made anew since"
    wanted = {"policy": policy, "performance_year": year, "network_id": network}
    fitting = [row for row in rows if all(value in (None, row[name]) for name, value in wanted.items())]
    if not fitting:
        told = ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)
        raise InputError(f"changes: {nothing}{f' ({told})' if told else ''}")
    places = {part: place for place, part in enumerate((*PARTS, NOT_SPLIT))}
    return sorted(
        fitting, key=lambda row: (row["policy"], row["performance_year"], row["network_id"], places[row["part"]])
    )


def _growth_since(policy: Policy) -> int | None:
    """The year that a cap on the growth of risk looks at."""
    return policy.risk.cap_reference_year if policy.risk.cap != "none" else None


def _run_named(book: RunBook, since: str) -> str:
    runs = [run.run_id for run in book.finished()]
    found = [run_id for run_id in runs if run_id.startswith(since)]
    if len(found) != 1:
        which = "no finished run begins so" if not found else f"{len(found)} runs begin so"
        raise ConfigError(f"--since {since}: {which}; the last ones are {', '.join(runs[-MOST_RUNS:])}")
    return found[0]


def for_people(rows: Sequence[Row]) -> Rows:
    """Of each network what it was, each part, and what it is: each column adds up."""
    told: list[tuple[Any, ...]] = []
    for key, of_network in _by_network(rows):
        first = of_network[0]
        told += [
            (*key, THEN, first["pmpm_then"], first["adjusted_pmpm_then"], None, None),
            *[
                (*key, row["part"], row["pmpm_change"], row["adjusted_pmpm_change"], row["members"], row["reason"])
                for row in of_network
            ],
            (*key, NOW, first["pmpm_now"], first["adjusted_pmpm_now"], None, None),
        ]
    names = ("policy", "performance_year", "network_id", "part", "pmpm", "adjusted_pmpm", "members", "reason")
    return Rows(names, told)


def as_stored(rows: Sequence[Row]) -> Rows:
    names = RESTATEMENT.column_names
    return Rows(names, [tuple(row[name] for name in names) for row in rows])


def sentences(rows: Sequence[Row]) -> list[str]:
    return [_sentence(*key, of_network) for key, of_network in _by_network(rows)]


def _by_network(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, int, str], list[Row]]]:
    for key, of_network in groupby(rows, lambda row: (row["policy"], row["performance_year"], row["network_id"])):
        yield key, list(of_network)


def _sentence(policy: str, year: int, network: str, rows: Sequence[Row]) -> str:
    first = rows[0]
    is_adjusted = first["adjusted_pmpm_then"] is not None and first["adjusted_pmpm_now"] is not None
    name, prefix = ("adjusted PMPM", "adjusted_") if is_adjusted else ("PMPM", "")
    then, now = first[f"{prefix}pmpm_then"], first[f"{prefix}pmpm_now"]
    start = f"Policy {policy}, {year}: {network}'s {name}"
    if then is None or now is None:
        which, figure = (f"is {_said(now)}", now) if then is None else (f"was {_said(then)}", then)
        return f"{start} {which}: {first['reason']}." if figure is not None else f"{start}: {first['reason']}."
    since = f"{start} was {_said(then)} in run {first['since_run_id']} and is {_said(now)}"
    if then == now and not any(row[f"{prefix}pmpm_change"] for row in rows):
        return f"{since}: nothing moved it."
    if first["part"] == NOT_SPLIT:
        return f"{since}, {_signed(now - then)}; not split: {first['reason']}."
    changes = [(row["part"], row[f"{prefix}pmpm_change"]) for row in rows if row[f"{prefix}pmpm_change"]]
    moved = sorted(changes, key=lambda change: -abs(change[1]))
    return f"{since}, {_signed(now - then)}: {', '.join(f'{SAID[part]} {_signed(by)}' for part, by in moved)}."


def _said(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(amount):,.2f}"
