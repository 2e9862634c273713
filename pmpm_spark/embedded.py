"""The embedded engine: pysail, which runs the same DataFrame code in this process, without Java.

It speaks Spark Connect to this process alone. Official figures come from Spark; what both compute is proved equal.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

from pmpm_spark.engine import PLATFORM_VARIABLES, is_embedded, mark_embedded
from pmpm_spark.errors import SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEEDED = ("pysail", "deltalake", "pyarrow", "pandas", "grpc", "google.rpc")
EXTRA = 'pip install "pmpm-spark[embedded]"'

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.python.sql.dataFrameDebugging.enabled": "false",  # else a look at the call stack for each column
}

SERVER_SETTINGS = {
    "RUST_LOG": "off",  # its own log would quote members' values, as Spark's does
}

_servers: list[Any] = []
"""Kept for the life of the process: a session ends with its server."""


def missing_packages() -> list[str]:
    """What the embedded engine needs and is not installed."""
    return [name for name in NEEDED if not _is_there(name)]


def open_embedded() -> SparkSession:
    """The embedded engine's session of this process; a new one answers within a second or two.

    Raises:
        SetupError: it is not installed, or another engine has this process already.
    """
    missing = missing_packages()
    if missing:
        raise SetupError(f'the embedded engine lacks {", ".join(missing)}: {EXTRA}, or choose engine = "spark"')
    for name, value in SERVER_SETTINGS.items():
        os.environ.setdefault(name, value)
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession() if _servers else None
    if active is not None and is_embedded(active):
        return active
    if any(os.environ.get(name) for name in PLATFORM_VARIABLES) and not _servers:
        raise SetupError('a platform has given a Spark session: here the engine is "spark"')
    if getattr(SparkSession, "_instantiatedSession", None) is not None:
        raise SetupError("this process has a Spark session already: run the embedded engine in a process of its own")
    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    _servers.append(server)
    _, port = server.listening_address
    builder = SparkSession.builder.remote(f"sc://127.0.0.1:{port}")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    mark_embedded(spark)
    return spark


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it would be in is not there
        return False
