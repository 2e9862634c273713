"""The demo and the Spark half of the tests on each version of Spark, as a table.

    python -m tests.versions [--versions 3.5 4.2] [--commits N] [TESTS ...]

`--commits` takes one version beside the default, another with each number of commits. Every version has its own
environment (environment.py) and Spark in each of two test processes. The demo's figures are held against
tests/check_demo.py. Exit code 1 where something fails, or no test ran.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from pmpm_spark.cli.render import Rows, as_table
from tests.processes import OTHER_DELTA, ROOT, environment
from tests.versions.environment import VERSIONS, Version

DEFAULT = next(version for version in VERSIONS if version.is_default)
OTHERS = tuple(version for version in VERSIONS if not version.is_default)
SIDE_BY_SIDE = ("--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--own-spark")
"""Two test processes, each with Spark in itself, as `spark-submit` has it; `make test` has a server for both."""


@dataclass(frozen=True)
class Result:
    """What one version did; `demo` says what is wrong with its figures, or how many were compared."""

    version: Version
    demo: str
    demo_is_right: bool
    passed: int
    failed: int
    left_out: int
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.demo_is_right and not self.failed and self.passed > 0


def demo(version: Version, members: int) -> tuple[bool, str]:
    """Whether the demo's figures are those of the independent computation, and what was said of them."""
    out = version.folder / "demo"
    command = (str(version.python), "-m", "pmpm_spark", "demo", "--engine", "spark", "--members", str(members))
    if not _answer(version, "demo.log", *command, "--out", str(out)):
        return False, f"stopped: {version.folder / 'demo.log'}"
    is_right = _answer(
        version, "check.log", str(version.python), str(ROOT / "tests" / "check_demo.py"), str(out / "demo.toml")
    )
    lines = (version.folder / "check.log").read_text(encoding="utf-8").strip().splitlines()
    return is_right, "right" if is_right else f"wrong: {lines[0] if lines else ''}"


def tests(version: Version, chosen: Sequence[str]) -> tuple[int, int, int]:
    """How many tests passed, failed and were left out; what failed stands in tests.log."""
    report = version.folder / "tests.xml"
    report.unlink(missing_ok=True)
    command = (str(version.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--engine", "spark", *SIDE_BY_SIDE)
    _answer(version, "tests.log", *command, f"--junitxml={report}", *chosen)
    if not report.is_file():
        return 0, 1, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    count = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in suites:
        for name in count:
            count[name] += int(suite.get(name, "0"))
    failed = count["failures"] + count["errors"]
    return count["tests"] - failed - count["skipped"], failed, count["skipped"]


def _answer(version: Version, log: str, *command: str) -> bool:
    """Whether a program of the version's environment ended well; what it says goes to a file."""
    properties = str(version.properties)
    path = f"{version.python.parent}{os.pathsep}{os.environ['PATH']}"
    own = environment(PMPM_TEST_CONF=properties, PMPM_SPARK_PROPERTIES=properties, PATH=path)
    if not version.is_default:
        own[OTHER_DELTA] = version.delta
    with (version.folder / log).open("wb") as said:
        return not subprocess.run(
            command, stdout=said, stderr=subprocess.STDOUT, env=own, cwd=ROOT, check=False
        ).returncode


def chosen_by(commits: int) -> Version:
    """The version that is tried beside the default after so many commits."""
    return OTHERS[commits % len(OTHERS)]


HEADING = ("Spark", "Delta", "demo", "passed", "failed", "left out", "seconds")


def table_of(results: Sequence[Result]) -> str:
    rows = [
        (
            one.version.spark,
            one.version.delta,
            (one.demo if one.demo_is_right or not one.demo else "WRONG") or "-",
            one.passed,
            one.failed,
            one.left_out,
            round(one.seconds),
        )
        for one in results
    ]
    return as_table(Rows(HEADING, rows))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=(__doc__ or "").split("\n")[0])
    names = [version.name for version in VERSIONS]
    parser.add_argument("--versions", nargs="+", choices=names, default=names)
    parser.add_argument("--commits", type=int, help="one version beside the default, by the number of commits")
    parser.add_argument("--members", type=int, default=1000, help="people of the demo; 0: no demo")
    parser.add_argument("tests", nargs="*", help="files of tests; by default all")
    told = parser.parse_args(arguments)
    chosen = [version for version in VERSIONS if version.name in told.versions]
    if told.commits is not None:
        chosen = [chosen_by(told.commits)]
    results = []
    for version in chosen:
        version.prepare()
        start = time.monotonic()
        is_right, said = demo(version, told.members) if told.members else (True, "")
        passed, failed, left_out = tests(version, told.tests)
        results.append(Result(version, said, is_right, passed, failed, left_out, time.monotonic() - start))
        print(table_of(results[-1:]), file=sys.stderr, flush=True)
        if not is_right:
            print(f"Spark {version.spark}: the demo is {said}", file=sys.stderr, flush=True)
    print(table_of(results))
    return 0 if all(result.is_right for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
