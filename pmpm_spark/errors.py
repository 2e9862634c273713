"""Every error that is raised on purpose, and the exit code of the command that meets it.

A message is one line, says what and where and what to do, and never shows a member's row or an engine's error
text.
"""

from typing import ClassVar


class PmpmError(Exception):
    """The base of all: the command line shows its message without a traceback and leaves with its exit
    code.
    """

    exit_code: ClassVar[int] = 1


class ConfigError(PmpmError):
    """Raised when a configuration or policy file, or a --set, has an unknown, missing or impossible value."""

    exit_code = 2


class InputError(PmpmError):
    """Raised when an input folder or file is missing, or its layout or content cannot be what it should
    be.
    """

    exit_code = 2


class SetupError(PmpmError):
    """Raised when the machine or the session lacks what the job needs: Java, Delta, a Spark property,
    memory.
    """

    exit_code = 2


class BusyError(PmpmError):
    """Raised when another run holds the warehouse's lock or lease."""

    exit_code = 2


class LeaseLost(PmpmError):  # noqa: N818 - it is what happened
    """Raised when a run is about to publish and no longer has the warehouse."""


class AuditError(PmpmError):
    """Raised when a table just written breaks its contract, its key or one of its rules."""


class StageError(PmpmError):
    """Raised when the engine fails while a stage's table is computed or written."""


def is_engine_error(error: BaseException) -> bool:
    """Whether the engine raised it: as PySpark's error or, for what PySpark has no error of its own, as Java's."""
    from pyspark.errors import PySparkException

    return isinstance(error, PySparkException) or hasattr(error, "java_exception")
