"""One session for the whole test process, started when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("PMPM_SHARED", REPOSITORY.parent / "shared"))
LEFT_OUT: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("spark", "embedded"),
        default="spark",
        help="embedded: tests of transformations alone, on an engine without Java, for a quick look",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "shared" in item.keywords and not (SHARED / "data").is_dir():
            item.add_marker(pytest.mark.skip(reason="the shared data is not there (PMPM_SHARED)"))
            LEFT_OUT.append(item.nodeid)
        if "delta" in item.keywords and config.getoption("--engine") == "embedded":
            item.add_marker(pytest.mark.skip(reason="needs the store on Spark"))
            LEFT_OUT.append(item.nodeid)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{len(LEFT_OUT)} tests were left out")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real-format data; tests that use it are marked `shared`."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def spark(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.config.getoption("--engine") == "embedded":
        yield from _embedded()
        return
    from pmpm_spark.session import open_session

    session = open_session(str(REPOSITORY / "conf" / "spark" / "small.conf"), "pmpm tests")
    yield session
    session.stop()


def _embedded() -> Iterator[Any]:
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer(port=0)
    server.start(background=True)
    _, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.ansi.enabled", "true")
    yield session
    session.stop()
    server.stop()
