"""A server of the S3 API on this machine, for as long as a test needs it. It asks for no key that opens anything."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

BUCKET = "pmpm"
KEY = "not-a-key"
REGION = "us-east-1"
PATIENCE = 60


@dataclass(frozen=True)
class S3:
    """A running server with one bucket."""

    endpoint: str

    @cached_property
    def client(self) -> Any:
        import botocore.session

        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=KEY,
        )

    def properties(self) -> dict[str, str]:
        """What Spark must be told to reach this server and not AWS's."""
        return {
            "spark.hadoop.fs.s3a.endpoint": self.endpoint,
            "spark.hadoop.fs.s3a.endpoint.region": REGION,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
            "spark.hadoop.fs.s3a.access.key": KEY,
            "spark.hadoop.fs.s3a.secret.key": KEY,
        }

    def storage_options(self) -> dict[str, str]:
        """The same for deltalake, which reads what Spark wrote."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_ALLOW_HTTP": "true",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        }

    def upload(self, top: Path, prefix: str, folder: Path) -> None:
        """The files of a folder below `top`, under the names that they have there."""
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                key = f"{prefix}/{file.relative_to(top)}"
                self.client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())


@contextmanager
def s3_server(program: Path, log: Path) -> Iterator[S3]:
    """Start `moto_server` and make the bucket; it ends with the block. Each request is a line of the log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [str(program.resolve()), "-H", "127.0.0.1", "-p", str(port)],
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        _wait(port, process)
        server = S3(f"http://127.0.0.1:{port}")
        server.client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(PATIENCE * 10):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"the S3 server does not listen on port {port} (exit code {process.poll()})")
