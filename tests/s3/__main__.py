"""The demo's whole job with its input and its tables in a bucket, beside the same in a folder: every row of every table equal.

    python -m tests.s3 [--members N] [--out DIR] [--server PROGRAM]

Spark works in a bucket of a local server of the S3 API, the embedded engine in a folder (job.py says what they do).
deltalake and DuckDB compare the tables that each step left, and what the reading commands said is compared as text.
Exit code 1 where anything differs or fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pmpm_spark.cli.render import Rows, as_table
from pmpm_spark.properties import read_properties
from tests.processes import NOT_COMPILED, ROOT, environment
from tests.s3.job import FIRST, ROLLBACK, YEARS
from tests.s3.place import Place, differences
from tests.s3.server import BUCKET, S3, s3_server


def compared(folder: Place, bucket: Place) -> tuple[list[tuple[Any, ...]], list[str]]:
    """The rows of the table, and what differs."""
    done = {place.name: {step["name"]: step for step in _steps(place)} for place in (folder, bucket)}
    lines: list[tuple[Any, ...]] = []
    faults: list[str] = []
    for name, step in done[bucket.name].items():
        told: tuple[int, int] | tuple[None, None] = (None, None)
        found: list[str] = []
        if name in done[folder.name]:
            tables, rows, found = differences((folder, done[folder.name][name]["versions"]), (bucket, step["versions"]))
            told = (tables, rows)
            found += [] if rows else ["there is no row to compare"]
        if name == ROLLBACK:
            found += _not_as_first(bucket, done[bucket.name])
        lines.append((name, round(step["seconds"]), *told, len(found)))
        faults += [f"{name}: {fault}" for fault in found]
    missing = [name for name in done[folder.name] if name not in done[bucket.name]]
    faults += [f"{name}: not reached in the bucket" for name in missing]
    return lines, faults + _other_words(folder, bucket)


def _not_as_first(bucket: Place, steps: dict[str, Any]) -> list[str]:
    """After the rollback every table that it takes back has the rows of the first run."""
    from pmpm_spark.rollback import KEPT

    first, now = (
        {name: version for name, version in steps[step]["versions"].items() if name not in KEPT}
        for step in (FIRST, ROLLBACK)
    )
    now = {name: version for name, version in now.items() if name in first}
    return differences((bucket, first), (bucket, now))[2]


def _steps(place: Place) -> list[dict[str, Any]]:
    return list(json.loads(place.done.read_text(encoding="utf-8"))) if place.done.exists() else []


def _other_words(folder: Place, bucket: Place) -> list[str]:
    """The commands that say other things of the bucket than of the folder."""
    said = [place.notes / f"{place.name}-said.json" for place in (folder, bucket)]
    if not all(map(Path.exists, said)):
        return ["nothing was read again"]
    one, other = (json.loads(file.read_text(encoding="utf-8")) for file in said)
    return [f"pmpm {command}: says other things of the bucket" for command in one if one[command] != other[command]]


def _properties(server: S3) -> str:
    """conf/spark/s3.conf with what pays for small inputs, and this server in the place of AWS's."""
    s3, small = (read_properties(ROOT / "conf" / "spark" / f"{name}.conf") for name in ("s3", "small"))
    of_s3 = {name: s3[name] for name in ("spark.jars.packages", "spark.jars.excludes")}
    given = {**s3, **small, **of_s3, **server.properties()}
    return "".join(f"{name} {value}\n" for name, value in given.items()) + NOT_COMPILED


def _start_job(place: Place, *endpoint: str) -> subprocess.Popen[bytes]:
    told = ("-m", "tests.s3.job", place.name, place.root, place.engine, str(place.notes), *endpoint)
    return subprocess.Popen([sys.executable, *told], env=environment(), cwd=ROOT)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.s3", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "s3")
    parser.add_argument("--server", type=Path, default=ROOT / "build" / "s3-server" / "bin" / "moto_server")
    told = parser.parse_args(arguments)
    out: Path = told.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server ends, too
    log = out / "server.log"
    with s3_server(told.server, log) as server:
        (out / "spark.conf").write_text(_properties(server), encoding="utf-8")
        size = ("--members", str(told.members), "--years", f"{YEARS[0]}-{YEARS[1]}", "--seed", "7")
        generate = ("-m", "pmpm_spark", "generate", "--engine", "embedded", *size, "--out", str(out / "generated"))
        subprocess.run([sys.executable, *generate], env=environment(), cwd=ROOT, check=True)
        folder = Place("folder", str(out / "folder"), "embedded", out)
        bucket = Place("bucket", f"s3a://{BUCKET}", "spark", out, server.storage_options())
        started = [_start_job(folder), _start_job(bucket, server.endpoint)]
        try:
            jobs = [process.wait() == 0 for process in started]
        finally:
            for process in started:
                process.terminate()
        lines, faults = compared(folder, bucket)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(as_table(Rows(("step", "seconds", "tables", "rows", "differences"), lines)))
    requests = log.read_bytes().count(b"HTTP/1.1")
    print(
        f"{told.members} people, {requests:,} requests to the S3 server: {len(faults)} differences{'' if all(jobs) else ', and a job that failed'}"
    )
    return 0 if all(jobs) and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
