"""One Spark for all test processes: a local Spark Connect server that each of them reaches as a client.

It is half the time of a Spark in every process: the JVM warms up once, and a plan goes to it in one message. Spark in the
process itself is what `spark-submit` has, and is tested in processes of their own (tests/test_jobs.py).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from pmpm_spark.jars import PACKAGES, fetch_delta_jars
from pmpm_spark.java import find_java
from pmpm_spark.properties import find_conf, read_properties
from tests.processes import environment

REMOTE = "PMPM_TEST_REMOTE"
"""The variable that tells the test processes where the server is."""
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
PATIENCE = 180


def submit_command(properties: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """spark-submit with a file of properties and Delta's JARs, and the environment that it needs."""
    jars = ",".join(map(str, fetch_delta_jars(read_properties(properties))))
    own = environment(
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", JAVA_HOME=str(find_java().home)
    )
    # spark-submit itself is looked for on the PATH that it will use
    program = shutil.which("spark-submit", path=own["PATH"]) or "spark-submit"
    return [program, "--properties-file", str(properties), "--conf", f"{PACKAGES}=", "--jars", jars, *options], own


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Start it, and tell the processes that come after where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    properties = Path(os.environ.get("PMPM_TEST_CONF", find_conf("spark/small.conf")))
    command, own = submit_command(
        properties,
        *("--driver-memory", "6g", "--class", SERVER),
        *(
            "--conf",
            f"spark.connect.grpc.binding.port={port}",
            "--conf",
            "spark.connect.grpc.binding.address=127.0.0.1",
        ),
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
