"""What the spark-submit entry points share: parse, load the configuration, run, say what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from pmpm_spark.cli import guarded
from pmpm_spark.cli.commands import run_and_tell
from pmpm_spark.cli.parser import Parser, add_config
from pmpm_spark.logs import log_to_stderr


def run_job(description: str, *, group: str | None, argv: Sequence[str] | None = None) -> int:
    """Run one group of stages, or all, as `pmpm run` does; the exit code."""
    parser = Parser(description=description)
    add_config(parser)
    parser.add_argument("--rebuild", action="append", default=[], metavar="TABLE", help="make the stored table anew")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    return int(guarded(lambda: run_and_tell(arguments, group=group)))
