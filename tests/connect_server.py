"""One Spark for all test processes: a local Spark Connect server that each of them reaches as a client.

It is half the time of a Spark in every process: the JVM warms up once, and a plan goes to it in one message. Spark in the
process itself is what `spark-submit` has, and is tested in processes of their own (tests/test_jobs.py).
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

from tests.processes import WITHOUT_COMPILING, submit_command, tried_properties

REMOTE = "PMPM_TEST_REMOTE"
"""The variable that tells the test processes where the server is."""
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
PATIENCE = 180


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Start it, and tell the processes that come after where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, own = submit_command(
        tried_properties(),
        *("--driver-memory", "6g", "--class", SERVER),
        *WITHOUT_COMPILING,
        *("--conf", f"spark.connect.grpc.binding.port={port}"),
        *("--conf", "spark.connect.grpc.binding.address=127.0.0.1"),
    )
    os.environ[REMOTE] = f"sc://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as said:
        return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=own, cwd=folder)


def wait_for_server() -> str:
    """Its address, once it listens."""
    remote = os.environ[REMOTE]
    port = int(remote.rpartition(":")[2])
    for _ in range(PATIENCE):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return remote
        except OSError:
            time.sleep(1)
    raise TimeoutError(f"the Spark Connect server of the tests does not listen after {PATIENCE} seconds")
