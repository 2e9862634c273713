"""Restating: two runs of one warehouse compared, each read at the versions that it published.

What was made by other reference tables or settings is made anew over the tables of then, in a folder below the
warehouse that is removed. Nothing here fails a run: what cannot be computed is told as a reason.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpm_spark.config import Warehouse
from pmpm_spark.delta_text import engine_condition, folder_of, is_local_folder
from pmpm_spark.errors import StageError, is_engine_error
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.restatement import RESTATEMENT
from pmpm_spark.paths import plain
from pmpm_spark.policy import Policy
from pmpm_spark.reference import (
    NORMALIZATION_FACTORS,
    RISK_MEANS,
    SEQUESTRATION_RATES,
    TRUNCATION_LIMITS_SUPPLIED,
    reference_rows,
)
from pmpm_spark.restated_split import Divisors, Figures, Published, Sums, Ways, YearSums, gives, network_rows
from pmpm_spark.restated_sums import (
    ALL_MIXTURES,
    RESTATED_MEMBERS,
    SIDES,
    Read,
    cut_sums,
    depends_on_network,
    mixed_costs,
    mixed_months,
    mixture_of,
    moved_members,
    moved_months,
    moved_sums,
    network_sums,
    priced,
    restated_members,
    typed_sums,
)
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
from pmpm_spark.stages import STAGES
from pmpm_spark.store import Receipt, Store, empty
from pmpm_spark.table import Table, small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

Slice = tuple[str, int]
"""A policy's label and a year."""
Rows = list[dict[str, Any]]
Cuts = dict[tuple[str, tuple[str, str]], Any]
"""By mixture and pair of networks."""
NEEDED = (
    MEMBER_YEARS, MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS, ATTRIBUTION, RISK_SCORES, CLAIM_COSTS,
    COMPLETION_FACTORS, NETWORK_PMPM,
)  # fmt: skip
"""What a restatement reads of either run."""
SCRATCH = "restating-"
OTHER_FIGURES = "the silver tables of the run {when} do not give its figures"
NO_FOLDER = (
    "other reference tables or settings: the stages are made anew only where the warehouse is a folder of this machine"
)


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
    folder = below / f"{prefix}{id(store):x}"
    try:
        yield Store(store.spark, Warehouse(path=str(folder)), store.reference_path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _comparisons(
    store: Store, then: Mapping[Slice, Maker], now: Mapping[Slice, Maker], scratch: Store | None
) -> list[_Comparison]:
    """The policies and years that are compared with one run and differ from it in the same way are split together."""
    found: dict[tuple[str, str, bool, bool], list[Slice]] = {}
    for at, former in then.items():
        by_reference = former.reference != now[at].reference
        by_settings = former.policy.content_hash != now[at].policy.content_hash
        found.setdefault((former.run.run_id, now[at].run.run_id, by_reference, by_settings), []).append(at)
    return [
        _Comparison(
            store, scratch, {at: then[at] for at in slices}, {at: now[at] for at in slices}, by_reference, by_settings
        )
        for (_, _, by_reference, by_settings), slices in found.items()
    ]


@dataclass
class _Comparison:
    """Some policies and years that one run made now, with one run before."""

    store: Store
    scratch: Store | None
    then: Mapping[Slice, Maker]
    now: Mapping[Slice, Maker]
    by_reference: bool
    by_settings: bool
    figures: dict[str, dict[tuple[str, int, str], Published]] = field(default_factory=dict)
    """Of each network: then, now, by_reference, by_settings."""

    @property
    def policies(self) -> list[Policy]:
        return list({label: self.now[label, year].policy for label, year in self.now}.values())

    @property
    def years(self) -> list[int]:
        return sorted({year for _, year in self.now})

    def _read(self, makers: Mapping[Slice, Maker]) -> Read:
        run = next(iter(makers.values())).run
        return Store(self.store.spark, self.store.warehouse, self.store.reference_path, run.versions).read

    def rows(self) -> Rows:
        then, now = self._read(self.then), self._read(self.now)
        self.figures["now"] = self._figures(now)
        why_not: Mapping[Slice, str] | str
        sums: Mapping[str, Sums] = {}
        try:
            self.figures["then"] = self._figures(then)
            sums = self._sums(self._by_rules_of_now(then), now)
            why_not = self._faults(sums)
        except (StageError, _NotComputedError) as error:
            why_not = str(error)
        except Exception as error:
            if not is_engine_error(error):
                raise
            run_id = next(iter(self.then.values())).run.run_id
            why_not = f"the tables of run {run_id} cannot be read as they were ({engine_condition(error)})"
        if isinstance(why_not, str):
            log.warning("%s: not split: %s", RESTATEMENT.name, why_not)
            sums, why_not = {}, dict.fromkeys(self.now, why_not)
        return [row for at in self.now for row in self._rows_of(at, sums, why_not.get(at, ""))]

    def _rows_of(self, at: Slice, sums: Mapping[str, Sums], why_not: str) -> Rows:
        label, year = at
        told: Rows = []
        then, now = (self.figures.get(when, {}) for when in ("then", "now"))
        for network in sorted({n for of in (then, now) for (p, y, n) in of if (p, y) == at}):
            key = (label, year, network)
            ways = Ways(then.get(key), now.get(key), self._after("by_reference", key), self._after("by_settings", key))
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
        if not (self.by_reference or self.by_settings):
            return then
        if self.scratch is None:
            raise _NotComputedError(NO_FOLDER)
        made = _Anew(then, Store(self.scratch.spark, self.scratch.warehouse, self.store.reference_path))
        if self.by_reference:
            policies = list({label: self.then[label, year].policy for label, year in self.then}.values())
            made.make(touched_stages(by_reference=True, by_settings=False), policies, self.years)
            self.figures["by_reference"] = self._figures(made.read)
        if self.by_settings:
            made.make(touched_stages(by_reference=False, by_settings=True), self.policies, self.years)
            self.figures["by_settings"] = self._figures(made.read)
        return made.read

    def _keep(self, table: Table, frame: DataFrame) -> DataFrame:
        """The frame written and read back, where there is a place for it: it is read several times."""
        if self.scratch is None:
            return frame
        self.scratch.versions.pop(table.name, None)
        self.scratch.publish(table, frame)
        return self.scratch.read(table)

    def _sums(self, then: Read, now: Read) -> dict[str, Sums]:
        policies, years = self.policies, self.years
        members = self._keep(RESTATED_MEMBERS, restated_members(then, now, policies, years))
        told = [row.asDict() for row in network_sums(members, policies).collect()]
        by_type = [policy for policy in policies if policy.risk.by_enrollment_type]
        typed = typed_sums(then, now, members, by_type, years).collect() if by_type else []
        moved: list[dict[str, Any]] = []
        cuts: dict[Slice, Cuts] = {}
        truncating = [policy for policy in policies if policy.cost.truncation != "none"]
        if any(row["moved"] for row in told) or truncating:
            moved, cuts = self._priced((then, now), members, policies, truncating)
        divisors = _divisors(self.store.reference_path)

        def of(rows: Iterable[Any], at: Slice) -> list[Any]:
            return [row for row in rows if (row["policy"], row["performance_year"]) == at]

        found = {}
        for policy in policies:
            by_year = {}
            for year in years:
                at = (policy.label, year)
                by_year[year] = YearSums(
                    {_networks(row): row for row in of(told, at)},
                    {_networks(row): row for row in of(moved, at)},
                    cuts.get(at, {}),
                    {(row["enrollment_type"], _networks(row)): row.asDict() for row in of(typed, at)},
                )
            found[policy.label] = Sums(policy, by_year, divisors)
        return found

    def _priced(
        self, sides: tuple[Read, Read], members: DataFrame, policies: list[Policy], truncating: list[Policy]
    ) -> tuple[list[dict[str, Any]], dict[Slice, Cuts]]:
        """The dollars of months that one run alone counts, and what the truncation takes of mixtures."""
        years = self.years
        rates = self.store.read(SEQUESTRATION_RATES)
        moved = moved_members(members, policies)
        months = moved_months(moved, policies)
        by_network = [policy for policy in policies if depends_on_network(policy)]
        costs = {}
        for claims in SIDES:
            for networks in SIDES:
                asked = policies if claims == networks else by_network
                if asked:
                    costs[claims, networks] = priced(
                        sides[claims], moved, months, rates, asked, years, networks=networks
                    )
        rows = [row.asDict() for row in moved_sums(moved, months, costs, policies).collect()]
        cuts: dict[Slice, Cuts] = {}
        for policy in truncating:
            mixtures = sorted(
                {mixture_of(policy, m.claims, m.months, m.networks) for m in ALL_MIXTURES if not m.is_published},
                key=str,
            )
            mixtures = [mixture for mixture in mixtures if not mixture.is_published]
            found = cut_sums(
                mixed_months(sides, policy, mixtures, years),
                self._keep(_MIXED_COSTS, mixed_costs(sides, months, costs, policy, mixtures, years)),
                self.store.read(TRUNCATION_LIMITS_SUPPLIED),
                members,
                policy,
                mixtures,
                years,
                self._keep,
            )
            for row in found.collect():
                of_year = cuts.setdefault((policy.label, row["performance_year"]), {})
                of_year[row["mixture"], _networks(row)] = row["cut"]
        return rows, cuts


class _NotComputedError(Exception):
    """What cannot be computed here."""


_MIXED_COSTS = Table(
    name="silver.mixed_costs",
    grain="one row per mixture, member, month and service category",
    key=MEMBER_MONTH_COSTS.key,
    columns=tuple(
        c
        for c in MEMBER_MONTH_COSTS.columns
        if c.name in (*MEMBER_MONTH_COSTS.key, "performance_year", "network_id", "enrollment_type", "exclusion_reason")
        or c.name in ("in_total", "counted_amount")
        or c.name.endswith("_effect")
    ),
    key_is_built_in=True,
)


@dataclass
class _Anew:
    """Tables of then, but those that were made anew."""

    then: Read
    anew: Store

    def read(self, table: Table) -> DataFrame:
        return self.anew.read(table) if table.name in self.anew.versions else self.then(table)

    def make(self, stages: Sequence[Stage], policies: Sequence[Policy], years: Sequence[int]) -> None:
        asked = {"policies": tuple(policies), "performance_years": tuple(years)}
        for stage in stages:
            settings: dict[str, Any] = {name: asked[name] for name in stage.settings}
            settings |= {t.short_name: reference_rows(t, self.anew.reference_path) for t in stage.rules}
            frames = [self._input(table) for table in stage.inputs]
            self.anew.publish(stage.output, stage.build(*frames, **settings))

    def _input(self, table: Table) -> DataFrame:
        return self.anew.read(table) if table.layer == "reference" else self.read(table)


def touched_stages(*, by_reference: bool, by_settings: bool) -> tuple[Stage, ...]:
    """The stages that reference tables or settings reach, of those that a restatement needs, in their order."""
    needed: set[str] = {table.name for table in NEEDED}
    for stage in reversed(STAGES):
        if stage.output.name in needed:
            needed |= {table.name for table in stage.inputs}
    touched: set[str] = set()
    for stage in STAGES:
        is_reached = (
            (by_reference and any(table.layer == "reference" for table in stage.reads))
            or (by_settings and "policies" in stage.settings)
            or any(table.name in touched for table in stage.inputs)
        )
        if stage.output.name in needed and is_reached:
            touched.add(stage.output.name)
    return tuple(stage for stage in STAGES if stage.output.name in touched)


def _networks(row: Any) -> tuple[str, str]:
    return row["network_0"], row["network_1"]


def _divisors(folder: str | None) -> Divisors:
    factors = {row[0]: Fraction(row[1]) for row in reference_rows(NORMALIZATION_FACTORS, folder)}
    means = {(row[0], row[1]): Fraction(row[2]) for row in reference_rows(RISK_MEANS, folder)}
    return Divisors(factors, means)
