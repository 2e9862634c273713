"""The main job on a real cluster of this machine, which loses executors and drivers.

    python -m tests.cluster [--members 100] [--kills 20] [--seed 1] [--out build/cluster] [--continue]

1. A standalone master and two workers of one core each. The wheel is built, installed into a folder of its own, and the scripts of jobs/ are given to the cluster by
   spark-submit. The whole job, then, when more claims have come, loading, silver and gold as a job each.
2. In each of the three an executor is killed in the middle of each of the tables that take longest.
3. The driver is killed at random moments of the three, one in each equal part of the time that they take together; between kill and rerun
   somebody reads.

Every row of every table is compared with what the embedded engine makes of the same files in a warehouse of its own, after each job: with the figures that `make demo` shows.
`--continue` goes on where the kills of drivers ended, with what the former start left in the folder.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from pmpm_spark.cli.render import Rows, as_table
from pmpm_spark.session import open_session
from pmpm_spark.stages import groups_of
from tests.cluster.driver_loss import TooLateError, Trial, trial, watched
from tests.cluster.executor_loss import Killed, costs, kill_executors
from tests.cluster.house import JOBS, House
from tests.cluster.moments import RECEIPT, Timeline, drawn
from tests.cluster.standalone import Cluster, Submitted, cluster
from tests.digests import Digest, differing
from tests.processes import ROOT, environment

FIRST = "first"
HEAVY = 2
"""So many tables of each job lose an executor: those that take longest."""
ATTEMPTS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--kills", type=int, default=20, help="of drivers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "cluster")
    parser.add_argument("--continue", action="store_true", dest="goes_on", help="the kills of drivers that are left")
    told = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # also then nothing is left at work
    out = told.out.absolute()
    if not told.goes_on:
        shutil.rmtree(out, ignore_errors=True)
        (out / "states").mkdir(parents=True)
    site = out / "site"
    house = House(out, site, open_session(engine="embedded"))
    start = time.monotonic()
    if not told.goes_on:
        _install(site, out)
        house.generate(told.members)
    with cluster(out, site) as standing:
        if not told.goes_on:
            _figures_and_executors(standing, house)
        code = _drivers(standing, house, told.kills, told.seed)
    _say(f"{time.monotonic() - start:.0f} s")
    return code


def _install(site: Path, out: Path) -> None:
    """The wheel as it is built, into a folder that a job's PYTHONPATH names."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    build = (sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out / "dist"))
    subprocess.run([*build, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    wheel = next((out / "dist").glob("*.whl"))
    subprocess.run([*pip, "install", "--no-index", "--no-deps", "--target", str(site), str(wheel)], check=True)
    where = (sys.executable, "-c", "import pmpm_spark; print(pmpm_spark.__file__)")
    own = environment(PYTHONPATH=str(site))
    found = subprocess.run(where, check=True, capture_output=True, text=True, env=own, cwd=out).stdout.strip()
    if not Path(found).is_relative_to(site):
        raise RuntimeError(f"jobs would import {found}, not the wheel in {site}")


def _configs(house: House) -> tuple[Path, Path]:
    """What the first run reads, and what all after it."""
    first = house.config(house.first, house.warehouse, "first")
    return first, house.config(house.input, house.warehouse, "all")


def _figures_and_executors(standing: Cluster, house: House) -> None:
    """The whole job, then one by one with executors lost; every state is compared with the other engine's and kept."""
    first, config = _configs(house)
    beside = house.root / "embedded"
    of_embedded = {FIRST: house.config(house.first, beside, "embedded-first")}
    of_embedded |= dict.fromkeys(JOBS, house.config(house.input, beside, "embedded-all"))
    wanted: dict[str, Digest] = {}
    for state, script in {FIRST: "run_pipeline.py", **JOBS}.items():
        house.run_embedded(script, of_embedded[state])
        wanted[state] = house.digest(of_embedded[state])

    job = standing.submit("run_pipeline.py", "--config", str(first))
    _must_end_well(job, "the whole job")
    found = house.digest(first)
    _must_be_equal(found, wanted[FIRST], "the whole job")
    _say(
        f"the whole job: {len(found)} tables, {sum(rows for rows, _ in found.values()):,} rows, each as on the other engine"
    )
    house.keep(FIRST)
    seconds = {m[1]: float(line.split()[-2]) for _, line in job.lines if (m := RECEIPT.search(line))}

    timelines, lost, before = {}, list[Killed](), FIRST
    for name, script in JOBS.items():
        tables = [stage.output.name for stage in groups_of("rif")[name]]
        left = sorted(tables, key=lambda table: -seconds.get(table, 0))[:HEAVY]
        for attempt in range(ATTEMPTS):
            house.put_back(before)
            signs, of_job = house.signs(), f"executors-{name}-{attempt}"
            job = standing.submit(script, "--full", "--config", str(config), events=of_job)
            with ThreadPoolExecutor(1) as beside_it:
                watching = beside_it.submit(watched, house, job, signs)
                killed = kill_executors(standing, job, of_job, left)
                line = watching.result()
            _must_end_well(job, f"{name} with executors lost")
            costs(standing.events / of_job, killed)
            found = house.digest(config)
            _must_be_equal(found, wanted[name], f"{name} with executors lost")
            lost += [one for one in killed if one.lost_tasks]
            left = [table for table in left if table not in {one.table for one in lost}]
            if not left:
                break
        if left:
            raise RuntimeError(f"{name}: no executor could be killed while it wrote {', '.join(left)}")
        house.keep(name)
        timelines[name] = asdict(line)
        before = name
    (house.root / "timelines.json").write_text(json.dumps(timelines))
    heading = ("table", "executor", "stage", "tasks lost", "stages repeated")
    rows = [(one.table, one.executor, one.stage, one.lost_tasks, one.repeated_stages) for one in lost]
    _say(as_table(Rows(heading, rows)))
    _say(f"{len(lost)} executors killed in the middle of a stage: figures equal after every job")


def _drivers(standing: Cluster, house: House, kills: int, seed: int) -> int:
    """Kill drivers, one in each part of the time that the three jobs take; 0 where every rerun ended as it should."""
    _, config = _configs(house)
    told = json.loads((house.root / "timelines.json").read_text())
    timelines = {name: Timeline(**line) for name, line in told.items()}
    states: dict[str, Digest] = {}
    for state in (FIRST, *JOBS):
        house.put_back(state)
        states[state] = house.digest(config)
    kept = house.root / "kills.json"
    done = json.loads(kept.read_text()) if kept.exists() else []
    for number in range(len(done), kills):
        draw = random.Random(f"{seed} {number}")
        one = _one_kill(standing, house, config, timelines, states, number, kills, draw)
        done.append(_row(number, one))
        kept.write_text(json.dumps(done))
        _say(" ".join(map(str, done[-1])) + f" {one.seconds:.0f} s")
    heading = ("kill", "moment", "tables ahead", "readers between", "rerun", "right")
    _say(as_table(Rows(heading, [tuple(row) for row in done])))
    right = sum(row[-1] == "yes" for row in done)
    _say(f"seed {seed}: the driver killed at {len(done)} random moments, {right} of {len(done)} as it should be")
    return 0 if right == len(done) == kills else 1


def _one_kill(
    standing: Cluster,
    house: House,
    config: Path,
    timelines: dict[str, Timeline],
    states: dict[str, Digest],
    number: int,
    kills: int,
    draw: random.Random,
) -> Trial:
    for _ in range(ATTEMPTS):
        moment = drawn(timelines, number, kills, draw)
        try:
            return trial(standing, house, config, moment, states)
        except TooLateError:
            _say(f"{moment}: the run had finished before; another moment of this part is drawn")
    raise RuntimeError(f"kill {number}: the run finished before each of {ATTEMPTS} moments")


def _row(number: int, one: Trial) -> list[str]:
    seen = "the former run" if not one.seen_otherwise else f"otherwise: {', '.join(one.seen_otherwise)}"
    faults = [*one.rerun_otherwise, *[f"{name} stands ahead" for name in one.left_ahead]]
    rerun = f"exit code {one.code}" if one.code else f"otherwise: {', '.join(faults)}" if faults else "equal"
    return [str(number + 1), str(one.moment), str(one.ahead), seen, rerun, "yes" if one.is_right else "NO"]


def _must_end_well(job: Submitted, what: str) -> None:
    code = job.wait()
    if code:
        raise RuntimeError(f"{what}: exit code {code}: {job.said[-3000:]}")


def _must_be_equal(found: Digest, wanted: Digest, what: str) -> None:
    faults = differing(found, wanted)
    if faults or not found:
        raise RuntimeError(f"{what}: other rows than on the embedded engine in {', '.join(faults) or 'no table'}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
