"""What each command does. Everything that computes is elsewhere."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.cli.progress import progress
from pmpm_spark.config import RunConfig, load_config
from pmpm_spark.embedded import missing_packages
from pmpm_spark.engine import EMBEDDED, ENGINES, SPARK
from pmpm_spark.errors import ConfigError
from pmpm_spark.paths import is_local, plain
from pmpm_spark.profiles import SMALL_PROPERTIES, properties_for
from pmpm_spark.properties import DEFAULT_PROPERTIES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEMO_YEARS = (2020, 2022)
DEMO_SEED = 7
DEMO_NOTE = "demo.toml"
DEMO_MEMBER = "-2000000032"
"""A generated person with months that do not count, for different reasons."""


def run(arguments: argparse.Namespace) -> int:
    return run_and_tell(arguments, only=arguments.only, start=arguments.start)


def load(arguments: argparse.Namespace) -> int:
    """Load what is new and build the common model, no more."""
    return run_and_tell(arguments, group="load")


def loads(arguments: argparse.Namespace) -> int:
    from pmpm_spark.cli.loads import loads as loads_of
    from pmpm_spark.cli.render import rendered
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    warehouse = published(_session(SMALL_PROPERTIES, config.engine), config)
    print(rendered(loads_of(warehouse, by_file=arguments.files), arguments.format))
    return 0


def run_and_tell(
    arguments: argparse.Namespace,
    *,
    group: str | None = None,
    only: str | None = None,
    start: str | None = None,
) -> int:
    """Run the job and print the summary."""
    config = _config(arguments)
    return _run(
        _session_for_run(config),
        config,
        group=group,
        only=only,
        start=start,
        rebuild=arguments.rebuild,
        full=arguments.full,
        break_lease=arguments.break_lease,
    )


def _run(
    spark: SparkSession,
    config: RunConfig,
    *,
    group: str | None = None,
    only: str | None = None,
    start: str | None = None,
    rebuild: list[str] | None = None,
    full: bool = False,
    break_lease: bool = False,
) -> int:
    from pmpm_spark import pipeline
    from pmpm_spark.cli.summary import summary, unchanged_told
    from pmpm_spark.warehouse import published

    result = pipeline.run(
        spark,
        config,
        only=only,
        start=start,
        group=group,
        rebuild=rebuild or [],
        full=full,
        break_lease=break_lease,
        progress=progress(),
    )
    if group in (None, "gold") and only is None:
        print(summary(published(spark, config), config, result))
    else:
        written = ", ".join(receipt.table for receipt in result.receipts) or "no table written"
        print(f"run {result.run_id} is published: {written}{unchanged_told(result)}")
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """Generate people once, run the whole job over them, pay two contracts, and say where the result is."""
    from pmpm_spark.cli.payments import pay_three_times
    from pmpm_spark.generate import SURVEYS
    from pmpm_spark.generate import generate as generate_input

    out = _here("demo", arguments.out, "folder")
    if arguments.members < 1:
        raise ConfigError("--members must be at least 1")
    source, note = out / f"input-{arguments.members}", out / DEMO_NOTE
    engine = arguments.engine or (SPARK if missing_packages() else EMBEDDED)
    spark = _session(SMALL_PROPERTIES, engine)
    if not (source / "finished").is_file() or not (source / SURVEYS).is_dir():
        print(f"generating {arguments.members:,} people in {source}", file=sys.stderr)
        _empty(source)
        generate_input(spark, str(source), members=arguments.members, years=DEMO_YEARS, seed=DEMO_SEED)
        (source / "finished").write_text("", encoding="utf-8")
    page, warehouse = out / f"report-{arguments.members}.html", out / f"warehouse-{arguments.members}"
    _empty(warehouse)  # the payment runs of a demo before would stand in the way of the first one
    note.write_text(_demo_config(source, warehouse, page, engine), encoding="utf-8")
    config = load_config(str(note))
    code = _run(spark, config)
    posted = pay_three_times(spark, config, str(source))
    print(f"\nContracts K1 and K2: two payment runs, and what was told late between them\n{posted}")
    note.write_text(_demo_config(source, warehouse, page, engine, is_later=True), encoding="utf-8")
    print(f"\nThe tables are in {warehouse} (Delta). Look further with:")
    print(f"  pmpm show network_pmpm --config {note} --year {DEMO_YEARS[1]}")
    print(f"  pmpm show physician_pmpm --config {note} --year {DEMO_YEARS[1]}")
    print(f"  pmpm show excluded --config {note}")
    print(f"  pmpm explain {DEMO_MEMBER} --config {note}")
    print(f"  pmpm show capitation_ledger_by_reason --config {note}")
    print(f"  pmpm show capitation_variance --config {note}")
    print(f"  pmpm show financial_performance --config {note}")
    print(f"  pmpm show outcome_measures --config {note} --year {DEMO_YEARS[1]}")
    print(f"  pmpm show experience_scores --config {note} --year {DEMO_YEARS[1]}")
    print(f"  pmpm export --config {note} --out {out / 'export'}")
    _tell_report(spark, config, page)
    return code


def _tell_report(spark: SparkSession, config: RunConfig, page: Path) -> None:
    """Write the report and say where it is, or how to install what it needs."""
    from pmpm_spark.cli.report import write_report
    from pmpm_spark.report import EXTRA, missing_packages
    from pmpm_spark.warehouse import published

    if missing_packages():
        print(f"For the report: {EXTRA}, then pmpm report --config {page.parent / DEMO_NOTE}")
    else:
        print(f"The report, to open in a browser: {write_report(published(spark, config), page)}")


def _demo_config(source: Path, warehouse: Path, page: Path, engine: str, *, is_later: bool = False) -> str:
    """`is_later`: with the lists of contracts as they were delivered last."""
    from pmpm_spark.cli.payments import LATER_LISTS
    from pmpm_spark.generate import LATER

    lists = (
        "network_roster", "providers", "risk_scores", "member_attribution", "contracts", "contract_budget",
        "contract_finance", "survey_responses",
    )  # fmt: skip
    folders = {name: source / name for name in lists}
    folders |= {name: (source / LATER if is_later else source) / name for name in LATER_LISTS}
    lines = [
        "# The demo's configuration, written by `pmpm demo`.",
        f"performance_years = [{', '.join(str(y) for y in range(DEMO_YEARS[0], DEMO_YEARS[1] + 1))}]",
        'policy = "conf/policies/default.toml"',
        f'engine = "{engine}"',
        "",
        "[source]",
        'kind = "rif"',
        f'path = "{source}"',
        *[f'{name} = "{folder}"' for name, folder in folders.items()],
        "",
        "[warehouse]",
        f'path = "{warehouse}"',
        "",
        "[report]",
        f'path = "{page}"',
    ]
    return "\n".join(lines) + "\n"


def _here(command: str, path: str, what: str) -> Path:
    """The file or folder of this machine that a command writes.

    Raises:
        ConfigError: it is in an object store.
    """
    if not is_local(path):
        raise ConfigError(f"{command}: {path} is in an object store; name a {what} of this machine, and copy it there")
    return Path(plain(path))


def _empty(folder: Path) -> None:
    """Take away what an interrupted generation left."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def show(arguments: argparse.Namespace) -> int:
    from pmpm_spark.cli.render import rendered
    from pmpm_spark.cli.summary import shown_rows
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    at_most = arguments.limit if arguments.limit is not None else (60 if arguments.format == "table" else None)
    found = shown_rows(
        lambda: published(_session(SMALL_PROPERTIES, config.engine), config),
        config.warehouse,
        arguments.table,
        years=arguments.year,
        networks=arguments.network,
        policies=arguments.policy,
        at_most=at_most,
    )
    if not found.rows:
        print(f"no row of {arguments.table} fits", file=sys.stderr)
    print(rendered(found, arguments.format))
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Gold tables without small cells, as files."""
    from pmpm_spark.export import FORMATS
    from pmpm_spark.export import export as export_to
    from pmpm_spark.runs import RunBook
    from pmpm_spark.shareable import shareable
    from pmpm_spark.stages import GOLD
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    out = _here("export", arguments.out, "folder")
    spark = _session(SMALL_PROPERTIES, config.engine)
    warehouse = published(spark, config)
    hashes = RunBook(spark, config.warehouse).slices({table.name for table in GOLD})
    manifest = export_to(
        shareable(warehouse),
        out,
        run_id=warehouse.run.run_id,
        engine=warehouse.store.engine,
        policy_hashes=hashes,
        formats=(arguments.format,) if arguments.format else FORMATS,
    )
    print(manifest)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """The report of a year and policy of the last finished run, as one HTML file."""
    from pmpm_spark.cli.report import write_report
    from pmpm_spark.report import check_packages
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    path = arguments.out or config.report.path
    if path is None:
        raise ConfigError("report: name a file with --out, or in the configuration as report.path")
    here = _here("report", path, "file")
    check_packages()
    warehouse = published(_session(SMALL_PROPERTIES, config.engine), config)
    print(write_report(warehouse, here, policy=arguments.policy, year=arguments.year))
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """A member's months and dollars or risk score, or a network's PMPM in its parts."""
    from pmpm_spark.cli.explain import explained, network_explained, risk_explained
    from pmpm_spark.warehouse import published

    if (arguments.member_id is None) == (arguments.network is None):
        raise ConfigError("explain: give MEMBER_ID, or --network and --year")
    if arguments.network is not None and (arguments.year is None or arguments.month is not None):
        raise ConfigError("explain: --network goes with --year and without --month")
    if arguments.risk and (arguments.member_id is None or arguments.month is not None or arguments.policy is not None):
        raise ConfigError("explain: --risk goes with MEMBER_ID, --year and --format alone: a score is of a year")
    if arguments.month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", arguments.month):
        raise ConfigError("--month: write YYYY-MM")
    config = _config(arguments)
    warehouse = published(_session(SMALL_PROPERTIES, config.engine), config)
    asked = {"policy": arguments.policy, "form": arguments.format}
    if arguments.risk:
        print(risk_explained(warehouse, arguments.member_id, year=arguments.year, form=arguments.format))
    elif arguments.network is not None:
        print(network_explained(warehouse, arguments.network, arguments.year, **asked))
    else:
        print(explained(warehouse, arguments.member_id, arguments.month, year=arguments.year, **asked))
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Two networks, practices or physicians, or one against all others."""
    from pmpm_spark.cli.compare import compared
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    warehouse = published(_session(SMALL_PROPERTIES, config.engine), config)
    asked = {"policy": arguments.policy, "form": arguments.format}
    print(compared(warehouse, arguments.by, arguments.one, arguments.other, arguments.year, **asked))
    return 0


def changes(arguments: argparse.Namespace) -> int:
    """What moved each network's PMPM since a run."""
    from pmpm_spark.cli.changes import as_stored, changed_rows, for_people, sentences
    from pmpm_spark.cli.render import rendered
    from pmpm_spark.runs import RunBook
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    spark = _session(SMALL_PROPERTIES, config.engine)
    warehouse, book = published(spark, config), RunBook(spark, config.warehouse)
    asked = {"policy": arguments.policy, "year": arguments.year, "network": arguments.network}
    rows = changed_rows(warehouse, book, arguments.since, **asked)
    if arguments.format == "table":
        print(rendered(for_people(rows), "table"))
        print("\n".join(["", *sentences(rows)]))
    else:
        print(rendered(as_stored(rows), arguments.format))
    return 0


def capitate(arguments: argparse.Namespace) -> int:
    """One payment run, what it posted of each contract, and how its membership differs."""
    from datetime import date

    from pmpm_spark.capitation import capitate as capitate_as_of
    from pmpm_spark.cli.render import Rows, as_table
    from pmpm_spark.cli.summary import membership_told

    try:
        as_of = date.fromisoformat(arguments.as_of)
    except ValueError:
        raise ConfigError("--as-of: write YYYY-MM-DD") from None
    config = _config(arguments)
    spark = _session_for_run(config)
    result = capitate_as_of(spark, config, as_of, break_lease=arguments.break_lease)
    names = ("contract_id", "due_amount", "lines", "amount", "unposted_amount")
    print(as_table(Rows(names, [tuple(getattr(one, name) for name in names) for one in result.contracts])))
    for counted in result.membership:
        print(membership_told(counted))
    print()
    years = (
        "contract_id",
        "year",
        "allocated_amount",
        "actual_amount",
        "deviation_amount",
        "comparator",
        "comparator_amount",
    )
    print(as_table(Rows(years, [tuple(getattr(one, name) for name in years) for one in result.years])))
    for one in result.years:
        if one.is_alert or one.alert_months:
            print(f"alert: {one.alert_said}")
    told = "nothing changed, nothing is posted" if result.posting_run is None else f"posting run {result.posting_run}"
    print(f"as of {result.as_of}: {told}; run {result.run_id} is published")
    return 0


def maintain(arguments: argparse.Namespace) -> int:
    """OPTIMIZE and VACUUM, as a run of the book."""
    from pmpm_spark.maintenance import maintain as maintain_tables

    config = _config(arguments)
    spark = _session(SMALL_PROPERTIES, config.engine)
    done = maintain_tables(spark, config, break_lease=arguments.break_lease)
    print(
        f"run {done.run_id} is published: {len(done.tables)} tables maintained, {len(done.put_together)} put together"
    )
    return 0


def rollback(arguments: argparse.Namespace) -> int:
    """Go back to an earlier run, or list those that there are."""
    from pmpm_spark.cli.loads import runs as runs_of
    from pmpm_spark.cli.render import rendered
    from pmpm_spark.rollback import rollback as roll_back

    config = _config(arguments)
    spark = _session(SMALL_PROPERTIES, config.engine)
    if arguments.run_id is None:
        print(rendered(runs_of(spark, config), arguments.format))
        return 0
    done = roll_back(spark, config, arguments.run_id, break_lease=arguments.break_lease)
    print(f"run {done.run_id} is published: {len(done.tables)} tables as run {done.to} left them")
    return 0


def tables(arguments: argparse.Namespace) -> int:
    from pmpm_spark.cli.docs import dictionary, dictionary_of, stale_files, write_files

    if arguments.write:
        for path in write_files(Path(arguments.write)):
            print(path)
        return 0
    if arguments.check:
        stale = stale_files(Path(arguments.check))
        for path in stale:
            print(f"pmpm: {path} is not current; run `pmpm tables --write {arguments.check}`", file=sys.stderr)
        return 1 if stale else 0
    print(dictionary_of(arguments.table) if arguments.table else dictionary())
    return 0


def policies(arguments: argparse.Namespace) -> int:
    """The policies that there are, by name, hash and file."""
    from pmpm_spark.cli.policies import policies_listed
    from pmpm_spark.cli.render import rendered

    print(rendered(policies_listed(arguments.config, arguments.sets), arguments.format))
    return 0


def policies_show(arguments: argparse.Namespace) -> int:
    """Every setting of one policy."""
    from pmpm_spark.cli.policies import policy_shown
    from pmpm_spark.cli.render import rendered

    _takes_no_config(arguments)
    print(rendered(policy_shown(arguments.policy), arguments.format))
    return 0


def policies_diff(arguments: argparse.Namespace) -> int:
    """What sets two policies apart."""
    from pmpm_spark.cli.policies import policies_compared
    from pmpm_spark.cli.render import rendered

    _takes_no_config(arguments)
    one, other = arguments.policies
    found = policies_compared(one, other)
    if found.rows or arguments.format != "table":
        print(rendered(found, arguments.format))
    else:
        print(f"{one} and {other}: no setting differs")
    return 0


def policies_impact(arguments: argparse.Namespace) -> int:
    """What each rule that sets two policies apart moves."""
    from pmpm_spark.cli.impact import impact_rows
    from pmpm_spark.cli.render import rendered
    from pmpm_spark.warehouse import published

    config = _config(arguments)
    one, other = arguments.policies
    warehouse = published(_session(SMALL_PROPERTIES, config.engine), config)
    found = impact_rows(warehouse, one, other, performance_year=arguments.year, network_id=arguments.network)
    print(rendered(found, arguments.format))
    return 0


def _takes_no_config(arguments: argparse.Namespace) -> None:
    if arguments.config is not None or arguments.sets:
        raise ConfigError(f"policies {arguments.what} takes no --config and no --set: name a policy or its file")


def generate(arguments: argparse.Namespace) -> int:
    from pmpm_spark.generate import generate as generate_input

    years = re.fullmatch(r"(\d{4})-(\d{4})", arguments.years)
    if not years or int(years[1]) > int(years[2]):
        raise ConfigError("--years: write FIRST-LAST, as 2020-2022")
    if arguments.members < 1:
        raise ConfigError("--members must be at least 1")
    properties = SMALL_PROPERTIES if arguments.members <= 20_000 else DEFAULT_PROPERTIES
    spark = _session(properties, arguments.engine or SPARK)
    span = (int(years[1]), int(years[2]))
    generate_input(
        spark,
        arguments.out,
        members=arguments.members,
        years=span,
        seed=arguments.seed,
        file_format=arguments.file_format,
    )
    print(arguments.out)
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    from pmpm_spark import doctor as health

    if arguments.prefetch:
        health.prefetch()
    found = health.checks(engines=(arguments.engine,) if arguments.engine else ENGINES)
    for check in found:
        print(
            f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.found}"
            + ("" if check.ok else f"\n      fix: {check.fix}")
        )
    return 0 if all(check.ok for check in found) else 1


def _config(arguments: argparse.Namespace) -> RunConfig:
    return load_config(arguments.config, arguments.sets, arguments.engine)


def _session_for_run(config: RunConfig) -> SparkSession:
    """Spark's properties go by the size of the input; the embedded engine has none, and nothing is looked through."""
    properties = DEFAULT_PROPERTIES if config.engine == EMBEDDED else properties_for(config.source)
    return _session(properties, config.engine)


def _session(properties: str, engine: str) -> SparkSession:
    import os

    from pmpm_spark.session import find_conf, open_session

    own = os.environ.get("PMPM_SPARK_PROPERTIES")
    return open_session(own or str(find_conf(properties)), "pmpm", engine)
