"""Logging to stderr, each line with the id of the run; stdout is for results. No line holds a member's data."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

RUN_ID: ContextVar[str] = ContextVar("run_id", default="-")


class _RunId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.run_id = RUN_ID.get()
        return True


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send the package's log to stderr, and what other packages say from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RunId())
    handler.setFormatter(logging.Formatter("%(asctime)s %(run_id)s %(message)s", "%H:%M:%S"))
    package = logging.getLogger("pmpm_spark")
    package.handlers = [handler]
    package.setLevel(level)
    package.propagate = False
