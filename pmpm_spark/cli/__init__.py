"""The command line: `pmpm`. Results go to stdout, everything else to stderr.

Exit codes: 0 done; 1 a stage failed; 2 bad usage, configuration or input, said in one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pmpm_spark.cli.parser import parser
from pmpm_spark.delta_text import engine_condition
from pmpm_spark.errors import PmpmError, is_engine_error
from pmpm_spark.logs import log_to_stderr
from pmpm_spark.store import DEBUG_VARIABLE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    arguments = parser().parse_args(argv)
    log_to_stderr()
    return guarded(lambda: int(arguments.command(arguments)))


def guarded(work: Callable[[], int]) -> int:
    """The exit code of the work; an error becomes one line that shows no member's data."""
    try:
        return work()
    except PmpmError as error:
        return _failed(error, str(error), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("pmpm: stopped; the tables are as the last finished run left them", file=sys.stderr)
        return 130
    except Exception as error:
        if is_engine_error(error):
            return _failed(error, f"the engine failed ({engine_condition(error)}){_where(error)}", 1)
        return _failed(
            error, f"unexpected fault ({type(error).__name__}){_where(error)}; set {DEBUG_VARIABLE}=1 for more", 1
        )


def _failed(error: BaseException, message: str, code: int) -> int:
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    print(f"pmpm: {message}", file=sys.stderr)
    return code


def _where(error: BaseException) -> str:
    """The last line of this package that the error passed; its text may hold values and is not shown."""
    at, here = error.__traceback__, ""
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        if "pmpm_spark" in name:
            here = f" at {Path(name).name}:{at.tb_lineno}"
        at = at.tb_next
    return here
