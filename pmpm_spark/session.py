"""The Spark session: the platform's where there is one, else a local one from a file of Spark properties.

On Databricks, under spark-submit and with Spark Connect the session is taken as it is and only checked. On a
single machine it is started here: Java is found, Delta's JARs are used from where Spark keeps them, and what
the engine prints while it starts is held back, because the same lines come every time; when the start fails
they are kept in a file and the error says in one line what to do.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pmpm_spark.embedded import open_embedded
from pmpm_spark.engine import EMBEDDED, PLATFORM_VARIABLES, SPARK
from pmpm_spark.errors import SetupError
from pmpm_spark.jars import IVY_FOLDER, PACKAGES, delta_package, fetch_delta_jars, ivy_folder
from pmpm_spark.java import cache_dir, ensure_java
from pmpm_spark.properties import DEFAULT_PROPERTIES, find_conf, read_properties

if TYPE_CHECKING:  # so that `pmpm doctor` can say that PySpark is missing
    from pyspark.sql import SparkSession

__all__ = ["check_session", "find_conf", "open_session", "session_is_given"]

log = logging.getLogger(__name__)

_QUERY_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_DELTA_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
_DELTA_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
_OUT_OF_MEMORY = "java.lang.OutOfMemoryError"


def open_session(properties_file: str | None = None, app_name: str = "pmpm", engine: str = SPARK) -> SparkSession:
    """The session that is there, else a local one with the file's properties, by default local.conf's; or, where
    asked for, the embedded engine's.

    Raises: SetupError when the session cannot be started or lacks what the job needs.
    """
    if engine == EMBEDDED:
        _silence_query_loggers()
        return open_embedded()
    if importlib.util.find_spec("pyspark") is None:
        raise SetupError('PySpark is not installed: pip install "pmpm-spark[local]"')
    from pyspark.sql import SparkSession

    _silence_query_loggers()
    # a Connect client's session is not found again by its builder
    spark = SparkSession.getActiveSession() or (
        SparkSession.builder.getOrCreate() if session_is_given() else _local_session(properties_file, app_name)
    )
    check_session(spark)
    return spark


def session_is_given() -> bool:
    """Whether a platform, spark-submit, Spark Connect or the caller has a session already."""
    if any(os.environ.get(name) for name in PLATFORM_VARIABLES):
        return not os.environ.get("SPARK_REMOTE", "").startswith("local")  # its server is started from here
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() is not None


def check_session(spark: SparkSession) -> None:
    """See that the session computes as the figures need it.

    Raises: SetupError naming the property when the time zone is not UTC, ANSI is off or Delta is not there.
    """
    zone = spark.conf.get("spark.sql.session.timeZone", None)
    if zone not in ("UTC", "Etc/UTC"):
        raise SetupError(f"spark.sql.session.timeZone is {zone}: set it to UTC, as in conf/spark/local.conf")
    ansi = spark.conf.get("spark.sql.ansi.enabled", None)
    if ansi is None or ansi.lower() != "true":
        raise SetupError(f"spark.sql.ansi.enabled is {ansi}: set it to true, as in conf/spark/local.conf")
    missing = _missing_delta_property(spark)
    if missing:
        raise SetupError(f"Delta is not in this Spark session: set {missing}, as in conf/spark/local.conf")


def _local_session(properties_file: str | None, app_name: str) -> SparkSession:
    from pyspark.sql import SparkSession

    path = Path(properties_file) if properties_file else find_conf(DEFAULT_PROPERTIES)
    properties = read_properties(path)
    ensure_java()
    # Spark otherwise looks up the machine's own name, which has no address in some containers
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    _use_fetched_jars(properties)
    if os.environ.get("SPARK_REMOTE"):
        properties.pop("spark.master", None)  # a local Connect server is told its master by this variable

    builder = SparkSession.builder.appName(app_name)
    for key, value in properties.items():
        builder = builder.config(key, value)
    with _held_back_output() as output:
        try:
            return builder.getOrCreate()
        except Exception as error:
            problem = error
    reason = _why_no_start(output.wait(), problem, path)
    raise SetupError(reason)


def _use_fetched_jars(properties: dict[str, str]) -> None:
    """Put files in the place of Delta's coordinate, so that Spark need fetch nothing."""
    package = delta_package(properties)
    if package is None:
        return
    properties[IVY_FOLDER] = str(ivy_folder(properties))
    jars = fetch_delta_jars(properties)
    if not jars:
        log.info("Spark fetches Delta's JARs from Maven Central; this happens once and takes up to a minute")
        return
    others = [name for name in properties.pop(PACKAGES).split(",") if name.strip() != package]
    if others:
        properties[PACKAGES] = ",".join(others)
    given = [name for name in properties.get("spark.jars", "").split(",") if name]
    properties["spark.jars"] = ",".join([*given, *map(str, jars)])


class _HeldBack:
    """What was written to stdout and stderr meanwhile, by the JVM too.

    The JVM keeps the pipe for its life. What it writes later is dropped as well, since it may quote values,
    but for the one thing that Python does not learn in another way.
    """

    def __init__(self, reading: int) -> None:
        self.lines: deque[str] = deque(maxlen=1000)
        self.is_over = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(reading,), name="engine-output", daemon=True)
        self.reader.start()

    def wait(self) -> str:
        """The text, once the JVM has ended or two seconds have passed."""
        self.reader.join(timeout=2)
        return "\n".join(self.lines)

    def _read(self, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace") as output:
            for line in output:
                self.lines.append(line.rstrip())
                if self.is_over.is_set() and _OUT_OF_MEMORY in line:
                    log.error("the engine ran out of memory: raise spark.driver.memory in its properties file")


@contextlib.contextmanager
def _held_back_output() -> Iterator[_HeldBack]:
    """Gather what is written to stdout and stderr instead of showing it."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    output = _HeldBack(reading)
    for number in saved:
        os.dup2(writing, number)
    os.close(writing)
    try:
        yield output
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in saved.items():
            os.dup2(original, number)
            os.close(original)
        output.is_over.set()


def _why_no_start(output: str, problem: Exception, properties_file: Path) -> str:
    """One line for a start that failed; the engine's own words go to a file. No data has been read yet."""
    text = f"{output}\n{problem}\n"
    kept = cache_dir() / "last-start.log"
    with contextlib.suppress(OSError):
        kept.write_text(text, encoding="utf-8")
    causes = {
        r"download failed|unresolved dependency|Server access error": (
            f"Delta's JARs cannot be fetched; open the way to Maven Central or name a mirror as "
            f"spark.jars.repositories in {properties_file}, and see `pmpm doctor`"
        ),
        r"Could not reserve enough space|insufficient memory|Invalid maximum heap|Cannot allocate memory": (
            f"there is too little memory for the engine; lower spark.driver.memory in {properties_file}"
        ),
        r"No space left on device": f"the disk is full; free some of {tempfile.gettempdir()} or of your home",
        r"Unrecognized VM option|Could not create the Java Virtual Machine": (
            f"Java refuses one of its options in {properties_file}"
        ),
        r"invalid null input: name": "this user has no name; run as one that stands in /etc/passwd",
        r"UnsupportedClassVersionError": "this Java is too old; `pmpm doctor` says which one is used",
        r"BindException|Can't assign requested address": (
            "the engine cannot listen on this machine; set spark.driver.host and spark.driver.bindAddress"
        ),
    }
    for pattern, reason in causes.items():
        if re.search(pattern, text, re.IGNORECASE):
            return f"Spark did not start: {reason} (what it said is in {kept})"
    return f"Spark did not start: run `pmpm doctor` (what Spark said is in {kept})"


def _missing_delta_property(spark: SparkSession) -> str | None:
    """Ask for the history of a table that does not exist: without Delta, something else is missing first."""
    try:
        spark.sql("DESCRIBE HISTORY delta.`/no/such/table`").collect()
    except Exception as error:
        text = str(error)
        if "plugin class" in text or "DATA_SOURCE_NOT_FOUND" in text:
            return f"spark.jars.packages (or spark.jars) for {_DELTA_CATALOG}"
        if "`HISTORY`" in text:  # taken for the name of a table
            return f"spark.sql.extensions to {_DELTA_EXTENSION}"
        if "DELTA_CONFIGURE_SPARK_SESSION" in text:
            return f"spark.sql.catalog.spark_catalog to {_DELTA_CATALOG}"
    return None


def _silence_query_loggers() -> None:
    """PySpark logs a failed query's text and error by itself, values included, before it raises them."""
    logging.getLogger("py4j").setLevel(logging.ERROR)
    from pmpm_spark.spark_versions import silence_loggers  # not above: `pmpm doctor` can say that PySpark is missing

    silence_loggers(_QUERY_LOGGERS)
