"""The main job: load what is new, run the stages, check that nothing leaks, publish.

Everything that a run writes counts from the moment its row in the book says finished; until then readers see the run
before.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pmpm_spark.at_once import in_turn
from pmpm_spark.changed import Changes
from pmpm_spark.checks import (
    birth_notices,
    check_allowed_amounts,
    check_caps,
    check_carried,
    check_categories,
    check_factors,
    check_paid_months,
    check_parts_of_payments,
    check_rejects,
    check_risk_means,
    check_supplied,
    run_notices,
    uncounted_years,
)
from pmpm_spark.config import RunConfig
from pmpm_spark.errors import ConfigError, StageError
from pmpm_spark.gold.experience_scores import EXPERIENCE_SCORES
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.restatement import RESTATEMENT
from pmpm_spark.identities import IDENTITIES
from pmpm_spark.lease import leased
from pmpm_spark.loading import load_sources
from pmpm_spark.model import LOAD_AUDIT, MEMBERS, REJECTS, SOURCE_FILES
from pmpm_spark.outcome_checks import check_outcome_codes
from pmpm_spark.program_checks import check_code_sets
from pmpm_spark.recipes import recipe
from pmpm_spark.reference import NORMALIZATION_FACTORS, reference_fingerprint, reference_fingerprints, reference_rows
from pmpm_spark.restate import publish_restatement
from pmpm_spark.risk_checks import check_models
from pmpm_spark.runs import (
    Maker,
    Run,
    RunBook,
    bring_back,
    contract_hashes,
    locked,
    new_run_id,
    started,
)
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.claim_lags import CLAIM_LAGS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.stage import Stage, chosen
from pmpm_spark.stages import LIST_BRONZE, STORED, built, groups_of, stages_of
from pmpm_spark.store import Receipt, Store, versions_of
from pmpm_spark.survey_checks import survey_notices
from pmpm_spark.table import Table
from pmpm_spark.upgrade import Used, planned

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Told before each stage: how many are done, how many there are, the table to come."""


@dataclass(frozen=True)
class RunResult:
    """What a finished run left: its id, the receipt of every table written, what it said in plain words, and the tables
    that stand as they stood."""

    run_id: str
    receipts: tuple[Receipt, ...]
    notices: tuple[str, ...]
    unchanged: tuple[str, ...] = ()


def run(
    spark: SparkSession,
    config: RunConfig,
    *,
    only: str | None = None,
    start: str | None = None,
    group: str | None = None,
    rebuild: Sequence[str] = (),
    full: bool = False,
    break_lease: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Run the main job and publish; or the stages that `only`, `start` or `group` choose, from what was published.

    `group` is load, silver or gold. New files are loaded by the whole job and by the group load. A table that would
    come out as it is stands as it is, unless it is chosen by `only` or `start`, or all are made anew with `full`.
    `break_lease` takes a warehouse of several machines from a run that is known to be dead.

    Raises:
        ConfigError, InputError: exit 2, nothing is published.
        StageError, AuditError: exit 1, nothing is published.
        BusyError: another run is at work in the warehouse.
        LeaseLost: another run took it meanwhile, nothing is published.
    """
    check_carried(config)
    check_code_sets(config)
    check_supplied(config)
    check_categories(config)
    check_caps(config)
    check_models(config)
    check_outcome_codes(config)
    kind = config.source.kind
    stages = chosen(groups_of(kind)[group] if group else stages_of(kind), only, start)
    loads = only is None and start is None and group in (None, "load")
    names = {table.name for table in STORED}
    if SOURCE_FILES.name in rebuild:
        raise ConfigError(f"--rebuild {SOURCE_FILES.name}: it alone says which files were loaded; rebuild their tables")
    unknown = [name for name in rebuild if name not in names]
    if unknown:
        raise ConfigError(f"--rebuild {unknown[0]}: there is no such table; `pmpm tables` lists them")
    made = _made_by(stages) | ({t.name for t in STORED if t.layer == "bronze"} if loads else set())
    unmade = [name for name in rebuild if name not in made]
    if unmade:
        raise ConfigError(f"--rebuild {unmade[0]}: this run does not make it; leave out --only, --from or the group")
    with locked(config.warehouse), leased(spark, config.warehouse, break_lease=break_lease) as confirm:
        anew = full or only is not None or start is not None
        return _run_locked(spark, config, stages, loads, rebuild, anew, confirm, progress)


def _run_locked(
    spark: SparkSession,
    config: RunConfig,
    stages: tuple[Stage, ...],
    loads: bool,
    rebuild: Sequence[str],
    anew: bool,
    confirm: Callable[[], None],
    progress: Progress | None,
) -> RunResult:
    book = RunBook(spark, config.warehouse)
    last = book.last_finished()
    versions = dict(last.versions) if last else {}
    contracts = dict(last.contracts) if last else {}
    stale = _check_slices(book, config, stages, rebuild)
    store = Store(spark, config.warehouse, config.reference.path, versions, contracts)
    bring_back(book, store, STORED)
    upgrade = planned(store, _used(stages, config.source.kind, loads, _told(stale)), rebuild)
    before = dict(store.versions)
    for name in rebuild:
        store.versions.pop(name, None)
    run_id = new_run_id()
    told: dict[str, Any] = {
        "policies": [policy.label for policy in config.policies],
        "policy_hashes": [policy.content_hash for policy in config.policies],
        "settings": settings_text(config),
    }
    with started(book, store, STORED, run_id, before, told):
        upgraded = upgrade.done(store)
        inputs: dict[str, Any] = {
            "reference": reference_fingerprint(config.reference.path),
            "reference_tables": reference_fingerprints(config.reference.path),
        }
        recipes = _recipes(store, config, stages, inputs["reference_tables"])
        made = {} if anew else _made_by_these(book, recipes, before)
        is_other = bool(rebuild or upgrade.anew or upgrade.altered)  # versions tell nothing of rows then
        changes = _changes(store, config, {} if is_other else before, run_id)
        receipts, notices, files = _work(store, config, stages, loads, run_id, made, changes, progress)
        inputs |= {"recipes": recipes, **({"files_loaded": files} if loads else {}), **upgrade.said}
        notices += upgraded
        if any(receipt.table == NETWORK_PMPM.name for receipt in receipts):
            receipts.append(_restated(store, book, config, run_id, inputs))
        if stale and inputs.get("files_loaded"):
            notices.append(f"computed before these files came, and not anew: {_told(stale)}")
            log.warning("%s", notices[-1])
    confirm()
    book.write(
        run_id,
        "finished",
        **told,
        inputs=json.dumps(inputs, sort_keys=True),
        versions=store.versions,
        contracts={**contracts, **contract_hashes(store, STORED)},
        receipts=receipts,
        notices=notices,
    )
    written = {receipt.table for receipt in receipts}
    unchanged = tuple(stage.output.name for stage in stages if stage.output.name not in written)
    return RunResult(run_id, tuple(receipts), tuple(notices), unchanged)


def _used(stages: Sequence[Stage], kind: str, loads: bool, left: str) -> Used:
    """What a run does with the tables that it uses; `left` are the policies and years that it does not make."""
    named = {table.name: table for table in STORED}
    made = {name: named[name] for name in _made_by(stages)} | ({t.name: t for t in LIST_BRONZE} if loads else {})
    delivered, inputs = SOURCE_KINDS[kind].bronze, [table for stage in stages for table in stage.inputs]
    reads = {table.name for table in inputs} | ({t.name for t in (*delivered, SOURCE_FILES)} if loads else set())
    return Used(
        made=tuple(made.values()),
        delivered=[table for table in delivered if table.name in reads],
        kept=[SOURCE_FILES] if SOURCE_FILES.name in reads else [],
        read=[t for t in inputs if t.name not in made and t not in delivered and t is not SOURCE_FILES],
        slices_left=left,
    )


def _made_by(stages: Sequence[Stage]) -> set[str]:
    """What a run of these stages can make: where it makes the networks' figures it says what it moved of them."""
    names = {stage.output.name for stage in stages}
    return names | ({RESTATEMENT.name} if NETWORK_PMPM.name in names else set())


def _restated(store: Store, book: RunBook, config: RunConfig, run_id: str, inputs: Mapping[str, Any]) -> Receipt:
    run = Run(run_id, store.versions, store.contracts, (), "")
    now = {
        (policy.label, year): Maker(run, policy, inputs["reference"], inputs["reference_tables"])
        for policy in config.policies
        for year in config.performance_years
    }
    receipt = publish_restatement(store, book.makers(NETWORK_PMPM), now, slices_of(config))
    log.info("%s", receipt)
    return receipt


Slices = Mapping[tuple[str, int], str]
"""Policy and year, with the content hash of the rules that its rows were made by."""


def _check_slices(book: RunBook, config: RunConfig, stages: tuple[Stage, ...], rebuild: Sequence[str]) -> Slices:
    """One name never stands for two sets of rules; what a run leaves of other policies and years is returned.

    Raises:
        ConfigError: a policy's rules are not those of its stored rows, which would stay; or a rebuild would lose rows.
    """
    sliced = {table.name for table in STORED if table.slice_by}
    makes = _made_by(stages) & sliced
    stored = book.slices(sliced)
    ours = {(policy.label, year) for policy in config.policies for year in config.performance_years}
    left = {at: content for at, content in stored.items() if at not in ours}
    hashes = {policy.label: policy.content_hash for policy in config.policies}
    stays = left if makes == sliced else stored
    others = {(label, year): h for (label, year), h in stays.items() if hashes.get(label, h) != h}
    if makes and others:
        raise ConfigError(
            f"policy {_told(others)}: its rules are not those that these rows were made by; run all stages for these "
            "years too, or give the policy another name"
        )
    if left and makes & set(rebuild):
        raise ConfigError(f"--rebuild would lose what this run does not make: add {_told(left)}")
    return left


def _told(slices: Slices) -> str:
    """`default 2021, 2022; mine 2021`."""
    years: dict[str, list[str]] = {}
    for label, year in sorted(slices):
        years.setdefault(label, []).append(str(year))
    return "; ".join(f"{label} {', '.join(of_label)}" for label, of_label in years.items())


def _work(
    store: Store,
    config: RunConfig,
    stages: tuple[Stage, ...],
    loads: bool,
    run_id: str,
    made: Mapping[str, Receipt],
    changes: Changes,
    progress: Progress | None,
) -> tuple[list[Receipt], list[str], int]:
    """Load and publish; receipts of what was made, notices, and how many files were new."""
    receipts: list[Receipt] = []
    notices: list[str] = []
    files = 0
    factors = {int(row[0]) for row in reference_rows(NORMALIZATION_FACTORS, config.reference.path)}
    if loads:
        if progress:
            progress(0, len(stages) + 1, "loading")
        loaded = load_sources(store, config.source, run_id, datetime.now(UTC))
        receipts += loaded.receipts
        notices += loaded.notices
        files = loaded.files
    tasks = {
        stage.output.name: (
            [table.name for table in stage.inputs],
            partial(_publish, store, config, stage, made, changes),
        )
        for stage in stages
    }
    with closing(in_turn(tasks, store.at_once)) as published:  # closed: nothing is at work when tables are restored
        for done, stage in enumerate(stages):
            if progress:
                progress(done + int(loads), len(stages) + int(loads), stage.output.name)
            receipt = next(published)
            if receipt is not made.get(receipt.table):
                receipts.append(receipt)
            # also of what stands as it stood: what is asked of it may be asked otherwise now
            if stage.output is LOAD_AUDIT:
                check_rejects(store, config, _rejects_of(store, stages, changes))
            if stage.output is RISK_SCORES:
                check_factors(store, config, factors)
            if stage.output is CLAIM_COSTS:
                check_allowed_amounts(store, config)
                check_parts_of_payments(store, config)
            if stage.output is CLAIM_LAGS:
                check_paid_months(store, config)
            if stage.output is MEMBER_YEARS:
                check_risk_means(store, config)
    if progress:
        progress(len(stages) + int(loads), len(stages) + int(loads), "")
    if any(stage.output is MEMBERS for stage in stages):
        notices += birth_notices(store, config)
    if any(stage.output is MEMBER_YEARS for stage in stages):
        notices += run_notices(store, config)
    if any(stage.output is EXPERIENCE_SCORES for stage in stages):
        notices += survey_notices(store, config)
    if any(stage.output is IDENTITIES for stage in stages):
        notices += uncounted_years(store, config)
    for notice in notices:
        log.warning("%s", notice)
    return receipts, notices, files


def _recipes(store: Store, config: RunConfig, stages: Sequence[Stage], reference: Mapping[str, str]) -> dict[str, str]:
    setting = partial(setting_of, config)
    return {stage.output.name: recipe(stage, store.engine, setting, reference) for stage in stages}


def _made_by_these(book: RunBook, recipes: Mapping[str, str], now: Mapping[str, int]) -> dict[str, Receipt]:
    """The receipts of tables that were last published by the recipe that they have now."""
    former = book.recipes()
    return {name: receipt for name, receipt in book.made(now).items() if recipes.get(name, "") == former[name] != ""}


def _rejects_of(store: Store, stages: Sequence[Stage], changes: Changes) -> Callable[[], DataFrame] | None:
    """The rejected rows, before they are published; what they are made of is what their counts are made of."""
    stage = next((one for one in stages if one.output is REJECTS), None)
    if stage is None:
        return None
    return partial(changes.build, stage, store.read)


def _changes(store: Store, config: RunConfig, before: Mapping[str, int], run_id: str) -> Changes:
    def build(stage: Stage, read: Callable[[Table], DataFrame]) -> DataFrame:
        return built(stage, read, partial(setting_of, config), config.reference.path)

    return Changes(store, before, run_id, slices_of(config), build)


def _publish(store: Store, config: RunConfig, stage: Stage, made: Mapping[str, Receipt], changes: Changes) -> Receipt:
    former = made.get(stage.output.name)
    as_now = (store.versions.get(stage.output.name), versions_of(stage.inputs, store.versions))
    if former is not None and (former.version, former.inputs) == as_now:
        return former
    if not stage.asked(config.policies):
        left = store.left_empty(stage.output, stage.inputs)
        if left is not None:
            log.info("%s", left)
            return left
    receipt = changes.publish(stage, changes.patch(stage, former))
    log.info("%s", receipt)
    return receipt


def slices_of(config: RunConfig) -> dict[str, list[Any]]:
    """The part of a policy's tables that a run replaces: its own policies and years."""
    return {
        "policy": [policy.label for policy in config.policies],
        "performance_year": list(config.performance_years),
    }


def setting_of(config: RunConfig, name: str) -> Any:
    """The value of a stage's setting."""
    values = {
        "policies": config.policies,
        "performance_years": config.performance_years,
        "part_c": config.source.part_c,
        "last_told_day": config.source.last_told_day,
    }
    if name not in values:
        raise StageError(f"no setting {name}")
    return values[name]


def settings_text(config: RunConfig) -> str:
    """The configuration as JSON, for the book of runs."""
    return json.dumps(asdict(config), sort_keys=True, default=str)
