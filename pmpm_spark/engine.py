"""Which engine a session runs on: Spark, the engine of record, or the embedded one.

No transformation asks. What does, because the embedded engine lacks something there: opening a session, the store,
and reading delivered lines.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK, EMBEDDED = "spark", "embedded"
ENGINES = (SPARK, EMBEDDED)
PLATFORM_VARIABLES = (
    "PYSPARK_GATEWAY_PORT",  # spark-submit
    "DATABRICKS_RUNTIME_VERSION",
    "SPARK_REMOTE",  # Spark Connect
    "SPARK_CONNECT_MODE_ENABLED",
)
"""One of them is set where somebody else has opened, or will give, a Spark session."""

_embedded_sessions: set[str] = set()


def mark_embedded(spark: SparkSession) -> None:
    """Note that a session is the embedded engine's; the session's opener does."""
    _embedded_sessions.add(_session_id(spark))


def is_embedded(spark: SparkSession) -> bool:
    return _session_id(spark) in _embedded_sessions


def engine_name(spark: SparkSession) -> str:
    """The engine and its version, for receipts and people: `spark 4.1.4`, `embedded 0.7.2`."""
    if is_embedded(spark):
        return f"{EMBEDDED} {importlib.metadata.version('pysail')}"
    return f"{SPARK} {spark.version}"


def _session_id(spark: SparkSession) -> str:
    """Spark Connect names its sessions, and the embedded engine is always reached by it; another has no such name."""
    return str(getattr(spark, "session_id", ""))
