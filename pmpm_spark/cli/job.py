"""What the entry points of clusters share: those of spark-submit (`jobs/`), and those of the wheel, as `pmpm-run`.

A job ends by itself where all went well: Databricks takes every SystemExit for a failure, and what the entry point of a
wheel returns for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pmpm_spark.cli import guarded, main
from pmpm_spark.cli.commands import run_and_tell
from pmpm_spark.cli.parser import Parser, add_config, add_made_anew, add_writer
from pmpm_spark.logs import log_to_stderr


def run_job(description: str, *, group: str | None, argv: Sequence[str] | None = None) -> int:
    """Run one group of stages, or all, as `pmpm run` does; the exit code."""
    parser = Parser(description=description)
    add_config(parser)
    add_writer(parser)
    add_made_anew(parser)
    arguments = parser.parse_args(argv)
    log_to_stderr()
    return int(guarded(lambda: run_and_tell(arguments, group=group)))


def leave(code: int) -> None:
    """End the process where the code is not 0."""
    if code:
        raise SystemExit(code)


def command(name: str) -> None:
    """A command of `pmpm` as a job of its own."""
    leave(main([name, *sys.argv[1:]]))


def load() -> None:
    command("load")


def run() -> None:
    command("run")


def capitate() -> None:
    command("capitate")


def maintain() -> None:
    command("maintain")


def report() -> None:
    command("report")
