"""The demo's whole job in one place: a file that comes late, a rollback, everything read again, payments, maintenance.

    python -m tests.s3.job NAME ROOT ENGINE NOTES [ENDPOINT]

Run ids and moments are the same in every place, since some columns hold them. What each step left goes to a file of
`NOTES`; a step that fails ends the job with exit code 1.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pmpm_spark import capitation, maintenance, pipeline, rollback
from pmpm_spark.cli import main as pmpm
from pmpm_spark.cli.payments import pay_three_times
from pmpm_spark.config import load_config
from pmpm_spark.errors import LeaseLost, PmpmError
from pmpm_spark.lease import Lease
from pmpm_spark.session import open_session
from pmpm_spark.stages import GOLD
from tests import test_hand_over
from tests.s3.place import Place
from tests.s3.server import BUCKET, S3

YEARS = (2021, 2022)
LATE = "outpatient"
"""The folder of files that come after the first run."""
READ = (
    ("loads", "--files"),
    ("rollback",),
    ("report", "--out", "OUT.html"),
    ("export", "--out", "OUT-export"),
)


STEPS = TABLES, FIRST, LEASE, REFUSED, RERUN, ROLLBACK, AGAIN, PAYMENTS, MAINTENANCE = (
    "tables by themselves",
    "first run, a file missing",
    "lease held, broken, lost",
    "refused in one line",
    "rerun with the late file",
    "rollback to the first run",
    "read again",
    "three payment runs",
    "maintenance",
)


class StepError(Exception):
    """A step did not do what it has to."""


@dataclass(frozen=True)
class Said:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass
class Job:
    """The steps of one place; `server` where it is a bucket."""

    place: Place
    spark: Any
    server: S3 | None
    generated: Path
    steps: list[dict[str, Any]] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], object]) -> None:
        start = time.monotonic()
        _set_clock(name)
        work()
        seconds = time.monotonic() - start
        versions = self.place.versions() if name != TABLES else {}
        self.steps.append({"name": name, "seconds": seconds, "versions": versions})
        self.place.done.write_text(json.dumps(self.steps), encoding="utf-8")
        print(f"{self.place.name}: {name}, {seconds:.0f} s", file=sys.stderr, flush=True)

    def run(self, command: str, *arguments: str) -> Said:
        """A command of `pmpm`, in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = pmpm([command, *arguments, "--config", str(self.place.config)])
        return Said(code, out.getvalue(), err.getvalue())

    def ended_well(self, command: str, *arguments: str) -> Said:
        said = self.run(command, *arguments)
        if said.code:
            raise StepError(f"pmpm {command}: exit code {said.code}, {said.err.strip()[-500:]}")
        return said

    def bring(self, *names: str) -> None:
        """Deliver folders of the generated input."""
        for name in names:
            if self.server:
                self.server.upload(self.generated, "input", self.generated / name)
            else:
                shutil.copytree(self.generated / name, Path(self.place.input) / name)

    def whole(self) -> None:
        delivered = sorted(path.name for path in self.generated.iterdir() if path.is_dir())
        self.bring(*[name for name in delivered if name != LATE])
        if self.server:
            self.step(TABLES, self.tables)
        self.step(FIRST, lambda: self.ended_well("run"))
        first = self.place.last_run()["run_id"]
        if self.server:
            self.step(LEASE, self.lease)
            self.step(REFUSED, self.refused)
        else:
            self.step(LEASE, lambda: self.ended_well("load"))  # so that both have the same runs
        self.bring(LATE)
        self.step(RERUN, lambda: self.ended_well("run"))
        self.step(ROLLBACK, lambda: self.ended_well("rollback", first))
        self.step(AGAIN, self.read)
        config = load_config(str(self.place.config))
        self.step(PAYMENTS, lambda: pay_three_times(self.spark, config, self.place.input))
        self.step(MAINTENANCE, lambda: self.ended_well("maintain"))

    def tables(self) -> None:
        """What the store does with a table: added to, a slice replaced, a fault taken back, put together, emptied of files
        that no longer count, and an earlier version brought back."""
        folder = f"{self.place.root}/tables"
        for step in (test_hand_over.begin, test_hand_over.go_on, test_hand_over.end):
            step(self.spark, folder)
        store = test_hand_over.newest(self.spark, folder)
        rows = test_hand_over.rows(store)
        store.put_together(test_hand_over.MONTHS)
        store.delete_unneeded(test_hand_over.MONTHS)
        if len(rows) != 4 or test_hand_over.rows(store) != rows:
            raise StepError("a table that was put together and emptied of old files has other rows")
        people = sorted(row["id"] for row in store.read(test_hand_over.PEOPLE).collect())
        if people != ["x", "z"]:
            raise StepError(f"rows were added and taken back, and {people} are left")

    def lease(self) -> None:
        """Another run holds the warehouse: refused, until its lease is broken."""
        before = self.place.versions()
        other = Lease(self.spark, load_config(str(self.place.config)).warehouse)
        other.take()
        refused = self.run("run")
        if refused.code != 2 or other.holder not in refused.err:
            raise StepError(f"a run beside another: exit code {refused.code}, {refused.err.strip()[-300:]}")
        if self.place.versions() != before:
            raise StepError("the refused run published something")
        said = self.ended_well("load", "--break-lease")
        if "is broken" not in said.err:
            raise StepError("a lease was broken without a word")
        try:
            other.confirm()
        except LeaseLost:
            return
        finally:
            other.leave()
        raise StepError("a run whose lease was broken would publish")

    def refused(self) -> None:
        """What writes files of this machine says so where it is told of a bucket."""
        for command, name in (("report", "report.html"), ("export", "export")):
            said = self.run(command, "--out", f"s3a://{BUCKET}/{name}")
            if said.code != 2 or said.err.count("\n") != 1 or f"s3a://{BUCKET}/{name}" not in said.err:
                raise StepError(f"{command} to a bucket: exit code {said.code}, {said.err.strip()[-300:]}")

    def read(self) -> None:
        """What the reading commands say, without the name of the place."""
        out = str(self.place.notes / self.place.name)
        told = {}
        stored = self.place.versions()
        shown = [("show", table.short_name, "--format", "csv") for table in GOLD if table.name in stored]
        for command, *arguments in (*READ, *shown):
            said = self.ended_well(command, *[word.replace("OUT", out) for word in arguments])
            told[" ".join((command, *arguments))] = said.out.replace(out, "OUT")
        (self.place.notes / f"{self.place.name}-said.json").write_text(json.dumps(told), encoding="utf-8")


def _set_clock(step: str) -> None:
    """Each step has its hour of yesterday, and every run of it its second."""
    base = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    told = iter(range(1, 1000))

    def moment() -> datetime:
        return base + timedelta(hours=STEPS.index(step), seconds=next(told))

    for module in (capitation, maintenance, pipeline, rollback):
        module.new_run_id = lambda: f"{moment():%Y%m%dT%H%M%S}000000Z-000000"  # type: ignore[attr-defined]
    pipeline.datetime = SimpleNamespace(now=lambda _: moment())  # type: ignore[assignment,misc]


def main(name: str, root: str, engine: str, notes: str, endpoint: str = "") -> int:
    server = S3(endpoint) if endpoint else None
    place = Place(name, root, engine, Path(notes), server.storage_options() if server else None)
    place.write_config(YEARS)
    spark = open_session(str(place.notes / "spark.conf"), "pmpm s3", engine)
    job = Job(place, spark, server, place.notes / "generated")
    try:
        job.whole()
    except (StepError, PmpmError) as error:
        print(f"{name}: after {job.steps[-1]['name'] if job.steps else 'nothing'}: {error}", file=sys.stderr)
        return 1
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
