"""The commands and their arguments."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from pmpm_spark.cli import commands
from pmpm_spark.engine import ENGINES
from pmpm_spark.version import __version__

FORMATS = ("table", "csv", "json")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"pmpm: {message}; see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def add_config(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_engine(parser, "by default the configuration's")


def add_settings(parser: argparse.ArgumentParser, *, is_inner: bool = False) -> None:
    """`is_inner`: the command before it takes them too, whose values a default here would undo."""
    config, sets = (argparse.SUPPRESS,) * 2 if is_inner else (None, list[str]())
    parser.add_argument("--config", metavar="FILE", default=config, help="configuration of the deployment, TOML")
    parser.add_argument(
        "--set", action="append", default=sets, metavar="KEY=VALUE", dest="sets", help="change one setting for this run"
    )


def add_engine(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--engine", choices=ENGINES, help=f"spark, or the one without Java; {default}")


def add_writer(parser: argparse.ArgumentParser) -> None:
    """What a command takes that writes to the warehouse."""
    parser.add_argument(
        "--break-lease", action="store_true", help="take the warehouse from a run that is known to be dead"
    )


def add_made_anew(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rebuild", action="append", default=[], metavar="TABLE", help="make the stored table anew")
    parser.add_argument("--full", action="store_true", help="make also what would come out as it is")


def parser() -> Parser:
    """The whole command line."""
    root = Parser(prog="pmpm", description="Risk-adjusted per member per month cost from claims and enrollment.")
    root.add_argument("--version", action="version", version=f"pmpm {__version__}")
    of = root.add_subparsers(dest="name", required=True, parser_class=Parser, metavar="COMMAND")

    demo = of.add_parser("demo", help="the whole job on generated data in CMS's research-file format")
    demo.add_argument("--members", type=int, default=1000, help="people to generate (default 1,000)")
    demo.add_argument("--out", default="build/demo", metavar="DIR", help="where input and tables go")
    add_engine(demo, "by default that one, where it is installed")
    demo.set_defaults(command=commands.demo)

    run = of.add_parser("run", help="load what is new, run the stages, publish")
    add_config(run)
    add_writer(run)
    which = run.add_mutually_exclusive_group()
    which.add_argument("--only", metavar="TABLE", help="this table alone, from what was published")
    which.add_argument("--from", metavar="TABLE", dest="start", help="this table and all after it")
    add_made_anew(run)
    run.set_defaults(command=commands.run)

    load = of.add_parser("load", help="load what is new and build the common model, no more")
    add_config(load)
    add_writer(load)
    add_made_anew(load)
    load.set_defaults(command=commands.load)

    loads = of.add_parser("loads", help="what was loaded when, and what became of its rows")
    add_config(loads)
    loads.add_argument("--files", action="store_true", help="one row a file, not one a load")
    loads.add_argument("--format", choices=FORMATS, default="table")
    loads.set_defaults(command=commands.loads)

    show = of.add_parser("show", help="a gold table in the terminal")
    show.add_argument("table", metavar="TABLE")
    add_config(show)
    show.add_argument("--year", type=int, action="append", default=[], help="performance year")
    show.add_argument("--network", action="append", default=[], metavar="ID", help="network_id")
    show.add_argument("--policy", action="append", default=[], metavar="LABEL", help="policy label")
    show.add_argument("--format", choices=FORMATS, default="table")
    show.add_argument("--limit", type=int, default=None, metavar="ROWS", help="at most so many rows (table: 60)")
    show.set_defaults(command=commands.show)

    export = of.add_parser("export", help="gold tables as CSV and Parquet without small cells, with a manifest")
    add_config(export)
    export.add_argument("--out", required=True, metavar="DIR", help="where the files go")
    export.add_argument("--format", choices=("csv", "parquet"), help="one alone")
    export.set_defaults(command=commands.export)

    report = of.add_parser("report", help="one HTML file of a year: networks, any two compared, data quality, method")
    add_config(report)
    report.add_argument("--out", metavar="FILE", help="where it goes; by default the configuration's report.path")
    report.add_argument("--year", type=int, help="performance year; by default the run's last")
    report.add_argument("--policy", metavar="LABEL", help="by default the run's first")
    report.set_defaults(command=commands.report)

    explain = of.add_parser(
        "explain", help="each month and dollar of one member: counted, or why not; or a network's PMPM in its parts"
    )
    explain.add_argument("member_id", metavar="MEMBER_ID", nargs="?", help="a member; or give --network and --year")
    add_config(explain)
    explain.add_argument("--network", metavar="ID", help="network_id, instead of a member; with --year")
    explain.add_argument("--year", type=int, help="one performance year alone")
    explain.add_argument("--month", metavar="YYYY-MM", help="one month of a member alone")
    explain.add_argument("--policy", metavar="LABEL", help="one policy alone")
    explain.add_argument("--risk", action="store_true", help="the risk score of a member, down to each diagnosis")
    explain.add_argument("--format", choices=FORMATS, default="table")
    explain.set_defaults(command=commands.explain)

    compare = of.add_parser(
        "compare", help="two networks, practices or physicians, or one against all others: is the difference chance?"
    )
    compare.add_argument("one", metavar="ID")
    compare.add_argument("other", metavar="OTHER_ID", nargs="?", help="by default all others together")
    add_config(compare)
    compare.add_argument("--year", type=int, required=True, help="performance year")
    compare.add_argument(
        "--by", choices=("network", "practice", "physician"), default="network", help="what the ids are"
    )
    compare.add_argument("--policy", metavar="LABEL", help="one policy alone")
    compare.add_argument("--format", choices=FORMATS, default="table")
    compare.set_defaults(command=commands.compare)

    changes = of.add_parser("changes", help="what moved each network's PMPM since an earlier run, split exactly")
    add_config(changes)
    changes.add_argument(
        "--since",
        metavar="RUN",
        help="id of a run, or how it begins; by default what each run wrote of the one before",
    )
    changes.add_argument("--policy", metavar="LABEL", help="one policy alone")
    changes.add_argument("--year", type=int, help="one performance year alone")
    changes.add_argument("--network", metavar="ID", help="one network alone")
    changes.add_argument("--format", choices=FORMATS, default="table")
    changes.set_defaults(command=commands.changes)

    capitate = of.add_parser("capitate", help="post what contracts owe as known on a day, less what was posted before")
    add_config(capitate)
    add_writer(capitate)
    capitate.add_argument(
        "--as-of", required=True, metavar="YYYY-MM-DD", dest="as_of", help="the day as known on which"
    )
    capitate.set_defaults(command=commands.capitate)

    maintain = of.add_parser("maintain", help="put small files together, delete those that no run in retention needs")
    add_config(maintain)
    add_writer(maintain)
    maintain.set_defaults(command=commands.maintain)

    rollback = of.add_parser("rollback", help="the tables as an earlier run left them; without a run: which there are")
    rollback.add_argument("run_id", metavar="RUN_ID", nargs="?", help="a finished run; by default they are listed")
    add_config(rollback)
    add_writer(rollback)
    rollback.add_argument("--format", choices=FORMATS, default="table")
    rollback.set_defaults(command=commands.rollback)

    tables = of.add_parser("tables", help="the data dictionary, from the contracts")
    tables.add_argument("table", nargs="?", metavar="TABLE", help="one table alone")
    tables.add_argument("--write", metavar="DIR", help="write the dictionary and the lineage diagram there")
    tables.add_argument("--check", metavar="DIR", help="exit 1 where those files are not current")
    tables.set_defaults(command=commands.tables)

    add_policies(of.add_parser("policies", help="the policies, what one says and why, and what sets two apart"))

    generate = of.add_parser("generate", help="write synthetic claims and enrollment in a format of CMS")
    generate.add_argument("--members", type=int, required=True)
    generate.add_argument("--years", required=True, metavar="FIRST-LAST", help="performance years, as 2020-2022")
    generate.add_argument("--seed", type=int, default=1)
    generate.add_argument(
        "--format",
        choices=("rif", "cclf", "tuva", "common", "synpuf"),
        default="rif",
        dest="file_format",
        help="research files (the default), an ACO's monthly deliveries, Tuva's input layer, the common model, or the "
        "form of DE-SynPUF: all of the same people and claims",
    )
    generate.add_argument("--out", required=True, metavar="DIR")
    add_engine(generate, "by default spark")
    generate.set_defaults(command=commands.generate)

    doctor = of.add_parser("doctor", help="what this machine lacks, and the fix")
    doctor.add_argument(
        "--prefetch", action="store_true", help="fetch Delta's JARs now, for later starts without network"
    )
    add_engine(doctor, "by default what either needs")
    doctor.set_defaults(command=commands.doctor)
    return root


def add_policies(parser: argparse.ArgumentParser) -> None:
    """`policies` alone lists them; `show` and `diff` look into them, `impact` into what they made."""
    add_settings(parser)
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.set_defaults(command=commands.policies)
    of = parser.add_subparsers(dest="what", parser_class=Parser, metavar="show | diff | impact")

    show = of.add_parser("show", help="every setting, its value and its source")
    show.add_argument("policy", metavar="NAME_OR_FILE")
    show.set_defaults(command=commands.policies_show)

    diff = of.add_parser("diff", help="the settings that differ, with both values and sources")
    diff.add_argument("policies", nargs=2, metavar="NAME_OR_FILE")
    diff.set_defaults(command=commands.policies_diff)

    impact = of.add_parser("impact", help="months, dollars and PMPM moved by each rule that differs, in the last run")
    impact.add_argument("policies", nargs=2, metavar="LABEL")
    impact.add_argument("--year", type=int, required=True, help="performance year")
    impact.add_argument("--network", metavar="ID", help="members of this network alone: attribution moves figures, too")
    add_settings(impact, is_inner=True)
    add_engine(impact, "by default the configuration's")
    impact.set_defaults(command=commands.policies_impact)

    for inner in (show, diff, impact):  # suppressed: a default here would undo what stands before `show`
        inner.add_argument("--format", choices=FORMATS, default=argparse.SUPPRESS)
