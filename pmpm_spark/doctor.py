"""What `pmpm doctor` looks at: whether this machine can run the job, in plain words, with the fix for what
cannot.
"""

import importlib.metadata
import os
import pwd
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pmpm_spark import java
from pmpm_spark.embedded import EXTRA, missing_packages
from pmpm_spark.engine import EMBEDDED, ENGINES, SPARK
from pmpm_spark.errors import SetupError
from pmpm_spark.jars import account_home, delta_jars, delta_package, fetch_delta_jars
from pmpm_spark.properties import DEFAULT_PROPERTIES, find_conf, read_properties
from pmpm_spark.session import open_session, session_is_given

DISK_NEEDED = 2 * 1024**3  # bytes: the JARs, a demo's warehouse and what Spark spills
SUPPORTED_SPARK = ("3.5", "4.0", "4.1", "4.2")
LOCAL_EXTRA = 'pip install "pmpm-spark[local]"'


@dataclass(frozen=True)
class Check:
    """One thing looked at. `fix` is empty where nothing need be done; it may advise where all is well too."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def checks(folder: Path | None = None, engines: Sequence[str] = ENGINES) -> list[Check]:
    """Every check that the engines need; `folder` is where the warehouse will be, by default the current one."""
    found = [_python(), _spark()]
    if EMBEDDED in engines:
        found.append(_embedded())
    if SPARK in engines:
        try:
            properties = read_properties(find_conf(DEFAULT_PROPERTIES))
        except SetupError as error:
            return [*found, Check("Spark properties", False, str(error), "install the package again")]
        machine = [_java(), _bash(), _account(), _memory(properties)]
        found += [*machine, _delta(properties), *_half_filled_maven(properties)]
    return [*found, *_folders(folder or Path.cwd())]


def prefetch() -> tuple[Path, ...]:
    """Bring Delta's JARs to this machine once; later starts use the files and need no network.

    Raises: SetupError when they cannot be fetched.
    """
    properties = read_properties(find_conf(DEFAULT_PROPERTIES))
    jars = fetch_delta_jars(properties)
    if not jars and not session_is_given():
        open_session(app_name="pmpm prefetch").stop()  # Spark fetches what is not pinned
        jars = delta_jars(properties)
    return jars


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    fix = "" if sys.version_info >= (3, 11) else "install Python 3.11 or later"
    return Check("Python", not fix, f"{version} ({sys.executable})", fix)


def _java() -> Check:
    passed_over: list[str] = []
    for candidate in java.candidates():
        if candidate.usable:
            try:
                home = java.find_java().home
            except SetupError as error:
                return Check("Java", False, str(error), "give this user a folder to write to")
            found = f"{candidate.version}, from {candidate.source}, JAVA_HOME={home}"
            return Check("Java", True, "; ".join([found, *passed_over]))
        what = f"Java {candidate.version}" if candidate.version else "does not start"
        passed_over.append(f"passed over: {candidate.source} ({what})")
    return Check("Java", False, "; ".join(passed_over) or "none", f"{java.FIX}, or do without it: --engine {EMBEDDED}")


def _bash() -> Check:
    bash = shutil.which("bash")
    return Check("bash", bash is not None, bash or "none", "" if bash else "install bash: Spark starts with it")


def _account() -> Check:
    """Spark's file system asks for the user's name, which some containers do not have."""
    try:
        return Check("user", True, pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        fix = "run as a user that stands in /etc/passwd"
        return Check("user", False, f"number {os.getuid()}, without a name", fix)


def _spark() -> Check:
    version = _installed("pyspark")
    if version is None:
        return Check("PySpark", False, "not installed", LOCAL_EXTRA)
    if _minor(version) not in SUPPORTED_SPARK:
        return Check("PySpark", False, f"{version}, for which there is no Delta", LOCAL_EXTRA)
    return Check("PySpark", True, version)


def _embedded() -> Check:
    missing = missing_packages()
    if missing:
        found = f"lacks {', '.join(missing)}"
        return Check("embedded engine", False, found, f"{EXTRA}, or do without it: --engine {SPARK}")
    versions = ", ".join(f"{package} {_installed(package)}" for package in ("pysail", "deltalake"))
    return Check("embedded engine", True, versions)


def _delta(properties: dict[str, str]) -> Check:
    """The JARs: of the right Spark, and here."""
    package = delta_package(properties) or "no Delta in conf/spark/local.conf"
    built_for = re.search(r"io\.delta:delta-spark_(\d+\.\d+)_[^:]+:", package)
    spark = _installed("pyspark")
    if spark and built_for and built_for[1] != _minor(spark):
        fix = f"name the JAR for Spark {_minor(spark)} as spark.jars.packages, or {LOCAL_EXTRA}"
        return Check("Delta", False, f"{package} is for Spark {built_for[1]}, PySpark is {spark}", fix)
    jars = delta_jars(properties)
    if jars:
        return Check("Delta", True, f"{package}, in {jars[0].parent}")
    advice = "the first start fetches it from Maven Central (13 MB); `pmpm doctor --prefetch` does it now"
    return Check("Delta", True, f"{package}, not on this machine yet", advice)


def _half_filled_maven(properties: dict[str, str]) -> Iterator[Check]:
    """A POM in ~/.m2 without its JAR makes Spark's fetching fail, although Maven Central has the file."""
    repository = account_home() / ".m2" / "repository" / "io" / "delta"
    version = (delta_package(properties) or "").rpartition(":")[2]
    for pom in sorted(repository.glob(f"*/{version}/*.pom")):
        if "<packaging>pom</packaging>" in pom.read_text(errors="replace") or pom.with_suffix(".jar").exists():
            continue
        found = f"{pom} stands there without its JAR, so Spark cannot fetch it"
        yield Check("Maven's folder", bool(delta_jars(properties)), found, f"remove the folder {pom.parent}")


def _folders(warehouse: Path) -> Iterator[Check]:
    """Where files are written: the warehouse, what Spark spills, what is fetched once."""
    folders = {
        "warehouse": warehouse,
        "temporary files": Path(tempfile.gettempdir()),
        "cache": java.cache_dir(),
    }
    for use, wanted in folders.items():
        folder = next(parent for parent in (wanted.absolute(), *wanted.absolute().parents) if parent.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Check(f"folder ({use})", False, f"{folder} cannot be written", "choose another or change its owner")
            continue
        free = shutil.disk_usage(folder).free
        fix = "" if free >= DISK_NEEDED else f"free at least {_gigabytes(DISK_NEEDED)} there"
        yield Check(f"folder ({use})", not fix, f"{folder}, {_gigabytes(free)} free", fix)


def _memory(properties: dict[str, str]) -> Check:
    """Whether what spark.driver.memory allows is there."""
    available = _available_memory()
    if available is None:
        return Check("memory", True, "not known on this system")
    size = re.fullmatch(r"(\d+)([kmgt]?)b?", properties.get("spark.driver.memory", "1g").lower())
    wanted = int(size[1]) * 1024 ** " kmgt".index(size[2] or "m") if size else 0
    found = f"{_gigabytes(available)} available, the engine may take {_gigabytes(wanted)}"
    if available >= wanted:
        return Check("memory", True, found)
    fix = "close other programs, or lower spark.driver.memory in conf/spark/local.conf"
    return Check("memory", False, found, fix)


def _available_memory() -> int | None:
    """Bytes that can be had: the machine's, or less where a container sets a limit."""
    try:
        machine = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    if machine is None:
        return None
    available = int(machine[1]) * 1024
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
    except OSError:
        return available
    return min(available, int(limit) - int(used)) if limit.isdigit() else available


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _gigabytes(size: int) -> str:
    return f"{size / 1024**3:.1f} GB"
