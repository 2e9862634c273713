"""The tests that cannot pass on a session of Spark Connect, and why: they start a driver of their own, beside the server
that other tests share. What is not named here passes on a client's session (`pytest -n`), and starts no driver."""

from __future__ import annotations

import os

OWN_DRIVER = {
    "tests/test_jobs.py": "spark-submit, a driver that is killed, and Spark's event log: what a driver does for itself",
}
"""Where a test's id begins."""
OWN_DRIVER_OF_TRIALS = {
    "tests/cluster": "a cluster that loses executors and drivers",
    "tests/s3": "the S3 client is the server's when it starts",
    "tests/versions": "each version in the driver itself",
    "benchmarks": "CPU, memory and event log of the process that computes",
}
"""Trials that are no tests of pytest (`make test-cluster`, `test-s3`, `test-matrix`, `bench`)."""


def why_own_driver(test: str) -> str | None:
    """Why a test has a driver of its own; None where it may have none."""
    return next((why for where, why in OWN_DRIVER.items() if test.startswith(where)), None)


def check_own_driver() -> None:
    """Asked before a driver is started: by a test it must be one that is named here.

    Raises:
        AssertionError: it is not.
    """
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if test is not None and why_own_driver(test) is None:
        raise AssertionError(f"{test} starts a driver: name it in tests/own_driver.py with what no client can do")
