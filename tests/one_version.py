"""The tests that cannot pass on a version of Spark, and why. What is not named here passes on each (`make test-matrix`)."""

from __future__ import annotations

OF_THE_DEFAULT = {
    "tests/test_session_conf.py::test_the_file_for_a_bucket": "conf/spark/s3.conf is of the default's Hadoop",
    "tests/test_plans.py": "plans are compared as the default writes them",
}
NOT_ON: dict[str, dict[str, str]] = {
    "3.5": {
        **OF_THE_DEFAULT,
        "tests/test_session_conf.py::test_pyspark_does_not_log": "PySpark 3.5 has no loggers of its own",
        "tests/sources/test_tabular.py::test_a_type_that_the_engine_cannot_read_is_told": (
            "Spark 3.5 gives this error no condition to know it by"
        ),
    },
    "4.0": {**OF_THE_DEFAULT},
    "4.2": {**OF_THE_DEFAULT},
}
"""By the line of Spark, where a test's id begins."""


def reason_to_leave_out_on(version: str, node_id: str) -> str | None:
    """Why a test does not run on the version of PySpark; None where it does."""
    line = ".".join(version.split(".")[:2])
    return next((why for where, why in NOT_ON.get(line, {}).items() if node_id.startswith(where)), None)
