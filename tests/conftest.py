"""One session for the whole test process, started when the first test asks for it. Processes side by side share a Spark, but for
`--own-spark`."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.browser import NO_BROWSER
from tests.connect_server import REMOTE, start_server, wait_for_server
from tests.loaded import Loads
from tests.one_engine import is_long, reason_to_leave_out
from tests.one_version import reason_to_leave_out_on
from tests.processes import interpreted, tried_properties

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("PMPM_SHARED", REPOSITORY.parent / "shared"))
NOT_THERE = "the shared data is not there (PMPM_SHARED)"

LONGEST_FIRST = (
    "test_jobs", "test_catalog", "test_equality", "test_unchanged", "test_capitation_recomputed", "test_one_truth", "test_capitation", "test_common",
    "test_payments", "test_planted", "test_cclf_order", "test_programs_by_hand", "test_store", "test_generate", "test_comparison",
    "test_finance_guide",
)  # fmt: skip
"""Files that take minutes: begun first, so that no process waits at the end for the other."""
TOGETHER = (
    ("test_equality", "test_dollars", "test_programs_run", "test_risk_run", "test_outcomes_recomputed"),
    ("test_one_truth", "test_generate_cclf"),
    ("test_planted_outcomes", "test_planted_stays"),
)
"""Files that begin with the same loads (tests/loaded.py): one process takes them."""


class FilesTogether(LoadFileScheduling):  # type: ignore[misc]
    """A process takes a file, and with it those that begin as it does."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        stem = Path(file).stem
        return next((group[0] for group in TOGETHER if stem in group), file)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("spark", "embedded"),
        default="spark",
        help="the engine that the tests run on; tests/one_engine.py lists what runs on one alone",
    )
    parser.addoption(
        "--own-spark",
        action="store_true",
        help="of several test processes each has Spark in itself, where otherwise they share a server",
    )


def pytest_configure(config: pytest.Config) -> None:
    has_processes = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if has_processes and config.getoption("--engine") == "spark" and not config.getoption("--own-spark"):
        folder = tempfile.TemporaryDirectory(prefix="pmpm-tests-")
        server = start_server(Path(folder.name))

        def stop() -> None:
            server.terminate()
            server.wait()
            folder.cleanup()
            os.environ.pop(REMOTE, None)

        config.add_cleanup(stop)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return FilesTogether(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    for item in items:
        if "shared" in item.keywords and not (SHARED / "data").is_dir():
            item.add_marker(pytest.mark.skip(reason=NOT_THERE))
        if is_long(item.nodeid):
            item.add_marker("long")
        why = reason_to_leave_out(item.nodeid, config.getoption("--engine")) or reason_to_leave_out_on(
            version("pyspark"), item.nodeid
        )
        if why is not None:
            item.add_marker(pytest.mark.skip(reason=why))


def _place(item: pytest.Item) -> int:
    stem = item.path.stem
    return next((at for at, name in enumerate(LONGEST_FIRST) if stem.startswith(name)), len(LONGEST_FIRST))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    # from the reports: where the tests run in several processes, this one has not marked them
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    left_out = sum(NOT_THERE in reason for reason in reasons)
    unread = sum(NO_BROWSER in reason for reason in reasons)
    terminalreporter.write_line(f"{left_out} tests were left out: {NOT_THERE}")
    terminalreporter.write_line(f"{unread} tests were left out: {NO_BROWSER}")
    terminalreporter.write_line(
        f"{len(reasons) - left_out - unread} tests are of the other engine, or another Spark, alone (tests/one_engine.py, one_version.py)"
    )


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real-format data; tests that use it are marked `shared`."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--engine"))


@pytest.fixture(scope="session")
def loads(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Loads:
    return Loads(spark, tmp_path_factory.mktemp("loads"))


@pytest.fixture(scope="session")
def spark(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pmpm_spark.session import open_session

    with pytest.MonkeyPatch.context() as opening:
        properties = tried_properties()
        if engine == "spark" and REMOTE in os.environ:
            opening.setenv("SPARK_REMOTE", wait_for_server())
        elif engine == "spark":
            properties = interpreted(tmp_path_factory.mktemp("spark"))
        session = open_session(str(properties), "pmpm tests", engine)
    gc.freeze()  # what the packages hold is not looked through again and again
    gc.set_threshold(50_000, 20, 20)
    yield session
    session.stop()
