"""A standalone Spark cluster on this machine: a master, workers of one core each, and jobs given to it by spark-submit.

Everything listens on 127.0.0.1 alone, and ends with the `with` block that it began in.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.processes import ROOT, WITHOUT_COMPILING, submit_command

PROPERTIES = ROOT / "conf" / "spark" / "small.conf"
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Jobs of a few minutes gain nothing from Java's second compiler."""
PATIENCE = 120
EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"


class Submitted:
    """A job at work: what it said, line by line, with the moment of each on the monotonic clock."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.begun = time.monotonic()
        self.lines: list[tuple[float, str]] = []
        # a session of its own: spark-submit, the driver's JVM and its Python are killed as one
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip()))

    @property
    def is_at_work(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def wait(self) -> int:
        code = self.process.wait()
        self._reader.join()
        return code

    def kill(self) -> None:
        """SIGKILL, to all of the driver at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()


class Cluster:
    """Where the master listens, where workers and event logs keep their files, and the wheel that jobs import."""

    def __init__(self, folder: Path, master: str, site: Path) -> None:
        self.work, self.events = folder / "work", folder / "events"
        self.events.mkdir(parents=True, exist_ok=True)
        self._master, self._site, self._folder = master, site, folder
        self.submitted: list[Submitted] = []

    def forget(self) -> None:
        """Delete what workers keep of applications that have ended."""
        for folder in self.work.glob("*/*"):
            shutil.rmtree(folder, ignore_errors=True)

    def submit(self, job: str, *arguments: str, events: str | None = None) -> Submitted:
        """spark-submit in client mode, as an edge node does; with an event log in the folder of that name."""
        properties = {
            "spark.driver.extraJavaOptions": JAVA_OPTIONS,
            "spark.executor.extraJavaOptions": JAVA_OPTIONS,
            "spark.executor.memory": "1g",
        }
        if events is not None:
            log = self.events / events
            log.mkdir(parents=True, exist_ok=True)
            told = {"enabled": "true", "compress": "false", "rolling.enabled": "false", "dir": f"file://{log}"}
            properties |= {f"spark.eventLog.{key}": value for key, value in told.items()}
        command, own = submit_command(
            PROPERTIES,
            *("--master", self._master, "--driver-memory", "2g"),
            *WITHOUT_COMPILING,
            *[word for key, value in properties.items() for word in ("--conf", f"{key}={value}")],
            *(str(ROOT / "jobs" / job), *arguments),
        )
        own |= {"PYTHONPATH": str(self._site), "SPARK_LOCAL_IP": "127.0.0.1"}
        self.submitted.append(Submitted(command, own, self._folder))
        return self.submitted[-1]


@contextmanager
def cluster(folder: Path, site: Path, workers: int = 2) -> Iterator[Cluster]:
    """Start a master and workers; stop them at the end, whatever happened."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    port, ui = _free_port(), _free_port()
    master = f"spark://127.0.0.1:{port}"
    begun: list[subprocess.Popen[bytes]] = []
    try:
        begun.append(_daemon("master.Master", ("--port", str(port), "--webui-port", str(ui)), logs / "master"))
        for number in range(1, workers + 1):
            options = ("--cores", "1", "--memory", "1g", "--webui-port", "0")
            work = folder / "work" / str(number)
            work.mkdir(parents=True, exist_ok=True)
            begun.append(
                _daemon("worker.Worker", (*options, "--work-dir", str(work), master), logs / f"worker-{number}")
            )
        _wait_for(lambda: (logs / "master").read_text().count("Registering worker"), workers, logs)
        standing = Cluster(folder, master, site)
        try:
            yield standing
        finally:
            for job in standing.submitted:
                if job.is_at_work:
                    job.kill()
    finally:
        for process in reversed(begun):
            process.terminate()
        for process in begun:
            process.wait()


def executors(application: str) -> dict[str, int]:
    """The process of each executor of an application, by the executor's id."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if EXECUTOR in words and application in words:
            found[words[words.index("--executor-id") + 1]] = int(entry.name)
    return found


def application_of(log: Path) -> str | None:
    """The id of the application whose event log stands in the folder."""
    names = sorted(re.sub(r"\.inprogress$", "", path.name) for path in log.iterdir())
    return names[-1] if names else None


def _daemon(name: str, options: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """A daemon of Spark's, as its own scripts start it."""
    command, own = submit_command(PROPERTIES)
    program = Path(command[0]).with_name("spark-class")
    with log.open("wb") as said:
        return subprocess.Popen(
            [str(program), f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1", *options],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=own | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "512m"},
        )


def _wait_for(count: object, wanted: int, logs: Path) -> None:
    assert callable(count)
    for _ in range(PATIENCE * 5):
        if count() >= wanted:
            return
        time.sleep(0.2)
    raise TimeoutError(f"the cluster does not stand after {PATIENCE} seconds; its logs are in {logs}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
