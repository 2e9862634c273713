"""Restating: two runs of one warehouse compared, each read at the versions that it published.

What was made by other reference tables or settings is made anew over the tables of then, in a folder below the
warehouse that is removed. Nothing here fails a run: what cannot be computed is told as a reason.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pmpm_spark.config import Warehouse
from pmpm_spark.delta_text import engine_condition, folder_of, is_local_folder
from pmpm_spark.errors import StageError, is_engine_error
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.restatement import RESTATEMENT
from pmpm_spark.paths import plain
from pmpm_spark.policy import Policy
from pmpm_spark.reference import (
    SEQUESTRATION_RATES,
    TRUNCATION_LIMITS_SUPPLIED,
    reference_fingerprint,
    reference_fingerprints,
)
from pmpm_spark.restated import References, divisors, sums_of
from pmpm_spark.restated_split import Figures, Published, Sums, Ways, gives, network_rows
from pmpm_spark.restated_sums import Read
from pmpm_spark.runs import Maker
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.silver.union import of_run
from pmpm_spark.stage import Stage
from pmpm_spark.stages import STAGES, built
from pmpm_spark.store import Receipt, Store, empty
from pmpm_spark.table import Table, small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

Slice = tuple[str, int]
"""A policy's label and a year."""
Rows = list[dict[str, Any]]
NEEDED = (
    MEMBER_YEARS, MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS, ATTRIBUTION, RISK_SCORES, CLAIM_COSTS,
    COMPLETION_FACTORS, NETWORK_PMPM,
)  # fmt: skip
"""What a restatement reads of either run."""
SCRATCH = "restating-run-"
OTHER_FIGURES = "the silver tables of the run {when} do not give its figures"
GONE_TABLES = "the tables of run {run} cannot be read as they were ({what})"
NOT_PUBLISHED = "; nothing is published"
NO_FOLDER = (
    "other reference tables or settings: the stages are made anew only where the warehouse is a folder of this machine"
)
OTHER_TABLES = "the reference tables are not those of the run now; use its configuration"


def publish_restatement(
    store: Store, makers: Mapping[Slice, Maker], now: Mapping[Slice, Maker], slices: Mapping[str, Sequence[Any]]
) -> Receipt:
    """Write what this run restates: `now` says by what its policies and years were made, `makers` the runs before."""
    start = time.monotonic()
    both = {at: makers[at] for at in now if at in makers}
    if not both:
        left = store.left_empty(RESTATEMENT, ())
        if left is not None:
            return left
    rows = restated(store, both, now, SCRATCH) if both else []
    frame = small_frame(store.spark, [[row[c.name] for c in RESTATEMENT.columns] for row in rows], RESTATEMENT.schema)
    receipt = store.publish(RESTATEMENT, frame if rows else empty(store.spark, RESTATEMENT), slices=slices)
    return replace(receipt, seconds=time.monotonic() - start)


def restated(store: Store, then: Mapping[Slice, Maker], now: Mapping[Slice, Maker], prefix: str) -> Rows:
    """The rows of gold.restatement from the runs `then` to the runs `now`, each at the versions that it published."""
    rows: Rows = []
    with _scratch(store, prefix) as scratch:
        for comparison in _comparisons(store, then, now, scratch):
            rows += comparison.rows()
    return sorted(rows, key=lambda row: (row["policy"], row["performance_year"], row["network_id"]))


@contextmanager
def _scratch(store: Store, prefix: str) -> Iterator[Store | None]:
    """Tables that are kept for a while, where the warehouse is a folder of this machine; else None."""
    if not is_local_folder(store.warehouse):
        yield None
        return
    below = Path(plain(folder_of(store.warehouse)))
    if prefix == SCRATCH:  # the warehouse is held: what is there is of a run that was killed
        for left in below.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
    folder = below / f"{prefix}{uuid4().hex}"
    try:
        yield Store(store.spark, Warehouse(path=str(folder)), store.reference_path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _comparisons(
    store: Store, then: Mapping[Slice, Maker], now: Mapping[Slice, Maker], scratch: Store | None
) -> list[_Comparison]:
    """The policies and years that are compared with one run and differ from it in the same way are split together."""
    found: dict[tuple[str, str, frozenset[str], bool], list[Slice]] = {}
    for at, former in then.items():
        tables = _changed_tables(former, now[at])
        by_settings = former.policy.content_hash != now[at].policy.content_hash
        found.setdefault((former.run.run_id, now[at].run.run_id, tables, by_settings), []).append(at)
    return [
        _Comparison(
            store, scratch, {at: then[at] for at in slices}, {at: now[at] for at in slices}, tables, by_settings
        )
        for (_, _, tables, by_settings), slices in found.items()
    ]


def _changed_tables(then: Maker, now: Maker) -> frozenset[str]:
    """The reference tables that differ and that a figure may rest on; all of these where it is not known which."""
    if then.reference == now.reference:
        return frozenset()
    names = reached_by_reference()
    if not then.tables or not now.tables:
        return names
    return frozenset(name for name in names if then.tables.get(name) != now.tables.get(name))


@dataclass
class _Comparison:
    """Some policies and years that one run made now, with one run before."""

    store: Store
    scratch: Store | None
    then: Mapping[Slice, Maker]
    now: Mapping[Slice, Maker]
    tables: frozenset[str]
    """Reference tables that differ."""
    by_settings: bool
    figures: dict[str, dict[tuple[str, int, str], Published]] = field(default_factory=dict)
    """Of each network: then, now, by_reference, by_settings."""

    @property
    def policies(self) -> list[Policy]:
        return list({label: self.now[label, year].policy for label, year in self.now}.values())

    @property
    def years(self) -> list[int]:
        return sorted({year for _, year in self.now})

    @property
    def _then_run(self) -> str:
        return next(iter(self.then.values())).run.run_id

    def _read(self, makers: Mapping[Slice, Maker]) -> Read:
        run = next(iter(makers.values())).run
        store = self.store
        return Store(store.spark, store.warehouse, store.reference_path, run.versions, run.contracts).read

    def rows(self) -> Rows:
        then, now = self._read(self.then), self._read(self.now)
        self.figures["now"] = self._figures(now)
        why_not: Mapping[Slice, str] | str
        sums: Mapping[str, Sums] = {}
        try:
            self.figures["then"] = self._figures(then)
            self._check_reference()
            rules = References(
                self.store.read(SEQUESTRATION_RATES),
                self.store.read(TRUNCATION_LIMITS_SUPPLIED),
                divisors(self.store.reference_path),
            )
            before = self._by_rules_of_now(then)
            sums = sums_of(before, now, self.policies, self.years, references=rules, keep=self._keep)
            why_not = self._faults(sums)
        except _NotComputedError as error:
            why_not = str(error)
        except Exception as error:
            if not isinstance(error, StageError) and not is_engine_error(error):
                raise
            why_not = GONE_TABLES.format(run=self._then_run, what=_condition(error))
        if isinstance(why_not, str):
            log.warning("%s: not split: %s", RESTATEMENT.name, why_not)
            sums, why_not = {}, dict.fromkeys(self.now, why_not)
        return [row for at in self.now for row in self._rows_of(at, sums, why_not.get(at, ""))]

    def _check_reference(self) -> None:
        """What prices the months of both runs are the tables that the run now was made by."""
        folder = self.store.reference_path
        whole, each = reference_fingerprint(folder), reference_fingerprints(folder)
        for maker in self.now.values():
            at_hand = replace(maker, reference=whole, tables=each)
            if maker.reference is not None and _changed_tables(maker, at_hand):
                raise _NotComputedError(OTHER_TABLES)

    def _rows_of(self, at: Slice, sums: Mapping[str, Sums], why_not: str) -> Rows:
        label, year = at
        told: Rows = []
        then, now = (self.figures.get(when, {}) for when in ("then", "now"))
        for network in sorted({n for of in (then, now) for (p, y, n) in of if (p, y) == at}):
            key = (label, year, network)
            ways = Ways(
                then.get(key),
                now.get(key),
                self._after("by_reference", key),
                self._after("by_settings", key),
                then_is_read="then" in self.figures,
            )
            run_id = self.then[at].run.run_id
            own = None if why_not else sums.get(label)
            told += network_rows(own, year, network, ways, run_id, self.now[at].policy, why_not)
        return told

    def _after(self, rules: str, key: tuple[str, int, str]) -> Figures | None:
        if rules not in self.figures:
            return None
        found = self.figures[rules].get(key)
        return Figures(Fraction(0), Fraction(0), None) if found is None else found.figures

    def _figures(self, read: Read) -> dict[tuple[str, int, str], Published]:
        names = ("members", "member_months", "counted_amount", "normalized_risk_score")
        rows = of_run(read(NETWORK_PMPM), self.policies, self.years).select(
            "policy", "performance_year", "network_id", *names
        )
        return {
            (row[0], row[1], row[2]): Published(
                Figures(
                    Fraction(row["member_months"]),
                    Fraction(row["counted_amount"]),
                    None if row["normalized_risk_score"] is None else Fraction(row["normalized_risk_score"]),
                ),
                row["members"],
            )
            for row in rows.collect()
        }

    def _faults(self, sums: Mapping[str, Sums]) -> dict[Slice, str]:
        """Where the tables do not give what was published, which no split would add up to."""
        faults: dict[Slice, str] = {}
        before = next(name for name in ("by_settings", "by_reference", "then") if name in self.figures)
        for side, when in ((0, before), (1, "now")):
            for (label, year, network), published in self.figures[when].items():
                is_compared = (label, year) in self.now and year in sums[label].years
                if is_compared and not gives(sums[label], year, network, published.figures, side):
                    faults.setdefault((label, year), OTHER_FIGURES.format(when=("then", "now")[side]))
        return faults

    def _by_rules_of_now(self, then: Read) -> Read:
        """The tables of then; by other reference tables or settings made anew."""
        if not (self.tables or self.by_settings):
            return then
        if self.scratch is None:
            raise _NotComputedError(NO_FOLDER)
        made = _Anew(then, Store(self.scratch.spark, self.scratch.warehouse, self.store.reference_path))
        if self.tables:
            policies = list({label: self.then[label, year].policy for label, year in self.then}.values())
            made.make(touched_stages(self.tables), policies, self.years)
            self.figures["by_reference"] = self._figures(made.read)
        if self.by_settings:
            made.make(touched_stages(by_settings=True), self.policies, self.years)
            self.figures["by_settings"] = self._figures(made.read)
        return made.read

    def _keep(self, table: Table, frame: DataFrame) -> DataFrame:
        """The frame written and read back, where there is a place for it: it is read several times."""
        if self.scratch is None:
            return frame
        self.scratch.versions.pop(table.name, None)
        self.scratch.publish(table, frame)
        return self.scratch.read(table)


def _condition(error: BaseException) -> str:
    """What failed, without what a run adds to it."""
    return str(error).removesuffix(NOT_PUBLISHED) if isinstance(error, StageError) else engine_condition(error)


class _NotComputedError(Exception):
    """What cannot be computed here."""


@dataclass
class _Anew:
    """Tables of then, but those that were made anew."""

    then: Read
    anew: Store

    def read(self, table: Table) -> DataFrame:
        return self.anew.read(table) if table.name in self.anew.versions else self.then(table)

    def make(self, stages: Sequence[Stage], policies: Sequence[Policy], years: Sequence[int]) -> None:
        asked: dict[str, Any] = {"policies": tuple(policies), "performance_years": tuple(years)}
        for stage in stages:
            if not stage.asked(policies) and self.anew.left_empty(stage.output, ()) is not None:
                continue
            frame = built(stage, self._input, asked.__getitem__, self.anew.reference_path)
            self.anew.publish(stage.output, frame)

    def _input(self, table: Table) -> DataFrame:
        return self.anew.read(table) if table.layer == "reference" else self.read(table)


def _needed_stages() -> tuple[Stage, ...]:
    """Those that make what a restatement reads, and what that is made from."""
    needed = {table.name for table in NEEDED}
    for stage in reversed(STAGES):
        if stage.output.name in needed:
            needed |= {table.name for table in stage.inputs}
    return tuple(stage for stage in STAGES if stage.output.name in needed)


def reached_by_reference() -> frozenset[str]:
    """Short names of the reference tables that a network's figures may rest on."""
    return frozenset(t.short_name for stage in _needed_stages() for t in stage.reads if t.layer == "reference")


def touched_stages(tables: Collection[str] = (), *, by_settings: bool = False) -> tuple[Stage, ...]:
    """The stages that reference tables or settings reach, of those that a restatement needs, in their order."""
    touched: set[str] = set()
    for stage in _needed_stages():
        is_reached = (
            any(table.layer == "reference" and table.short_name in tables for table in stage.reads)
            or (by_settings and "policies" in stage.settings)
            or any(table.name in touched for table in stage.inputs)
        )
        if is_reached:
            touched.add(stage.output.name)
    return tuple(stage for stage in STAGES if stage.output.name in touched)
