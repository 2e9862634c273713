"""Proof that both engines make the same tables: every row of every table, exactly, over many inputs and policies.

    python -m tests.prove [--part K/N] [--out DIR]

Each engine runs the whole job in a process of its own over the same files, with the same run id and moment, so that
nothing but the engine differs; then DuckDB compares the Delta tables that they left. Nothing is rounded and no column
is left out. `--part 3/8` takes every eighth case from the third on. Exit code 1 where a row differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pmpm_spark.policy import COVERAGE_RULES, Attribution, Cost, Eligibility, Policy, Risk
from tests.conftest import SHARED
from tests.processes import ROOT, environment

ENGINES = ("spark", "embedded")
LISTS = ("network_roster", "providers", "risk_scores", "member_attribution")
GENERATED = 32
RUN_ID, MOMENT = "20260101T000000000000Z-000000", datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS: dict[str, dict[str, tuple[Any, ...]]] = {
    "eligibility": {
        "coverage_rule": COVERAGE_RULES,
        "part_a_b": ("full_window", "current_month", "none"),
        "window_months": (24, 12, 36),
        "lag_months": (0, 6),
        "exclude_medicare_advantage": (True, False),
        "exclude_medicare_secondary": (True, False),
        "exclude_non_us": (False, True),
        "dual": ("any", "full"),
    },
    "cost": {
        "basis": ("total_cost_of_care", "reimbursed_to_network"),
        "claim_month": ("thru", "from"),
        "include_pharmacy": (False, True),
    },
    "attribution": {"method": ("plurality", "roster"), "window": ("performance_year", "alignment_window")},
    "risk": {"weighting": ("members", "member_months"), "normalization": ("table", "population")},
}


@dataclass(frozen=True)
class Case:
    """One input and the policies that it is run under. `members` is 0 for files that are there already."""

    name: str
    years: tuple[int, ...]
    policies: tuple[Policy, ...]
    members: int = 0
    seed: int = 0
    files: str = ""
    lists: dict[str, str] = field(default_factory=dict)


def cases() -> list[Case]:
    """The demo's input, the shared set, the cut of it, and generated people; every value of every setting occurs."""
    default = Policy("default")
    found = [Case("demo", (2020, 2021, 2022), (default, *drawn(1, 2)), members=1000, seed=7)]
    rif, cut = SHARED / "data" / "rif", ROOT / "tests" / "data" / "rif"
    for name, folder, seed in (("shared", rif, 2), ("cut", cut, 3)):
        if folder.is_dir():
            lists = {kind: str(folder / f"{kind}.csv") for kind in LISTS}
            years = (2019, 2020, 2021, 2022, 2023)
            found.append(Case(name, years, (default, *drawn(seed, 3)), files=str(folder), lists=lists))
    for number in range(GENERATED):
        years = ((2021,), (2020, 2021), (2022, 2023))[number % 3]
        policies = drawn(100 + number, 2)
        found.append(Case(f"generated-{number:02}", years, policies, members=30 + 7 * number, seed=500 + number))
    return found


def drawn(seed: int, how_many: int) -> tuple[Policy, ...]:
    """Policies with every setting drawn."""
    draw = random.Random(seed)
    policies = []
    for number in range(how_many):
        told = {
            part: {name: draw.choice(values) for name, values in settings.items()}
            for part, settings in SETTINGS.items()
        }
        policies.append(
            Policy(
                f"drawn-{seed}-{number}",
                Eligibility(**told["eligibility"]),
                Cost(**told["cost"]),
                Attribution(**told["attribution"]),
                Risk(**told["risk"]),
            )
        )
    return tuple(policies)


def run_all(engine: str, chosen: Sequence[Case], out: Path) -> None:
    """Run every case on one engine; the versions of its tables go to a file beside its warehouse."""
    from pmpm_spark import pipeline
    from pmpm_spark.config import RunConfig, Source, Warehouse
    from pmpm_spark.generate import generate
    from pmpm_spark.session import open_session

    pipeline.new_run_id = lambda: RUN_ID
    pipeline.datetime = SimpleNamespace(now=lambda _: MOMENT)  # type: ignore[assignment,misc]
    spark = open_session(str(ROOT / "conf" / "spark" / "small.conf"), "pmpm prove", engine)
    for case in chosen:
        start = time.monotonic()
        files, lists = Path(case.files), case.lists
        if case.members:
            files = out / "input" / case.name
            lists = {name: str(files / name) for name in LISTS}
            if not files.exists():
                span = (min(case.years), max(case.years))
                generate(spark, str(files), members=case.members, years=span, seed=case.seed)
        warehouse = out / engine / case.name
        config = RunConfig(Source("rif", str(files), **lists), Warehouse(str(warehouse)), case.years, case.policies)
        result = pipeline.run(spark, config)
        versions = {receipt.table: receipt.version for receipt in result.receipts}
        (out / engine / f"{case.name}.json").write_text(json.dumps(versions), encoding="utf-8")
        print(f"{engine:<10} {case.name:<14} {time.monotonic() - start:6.1f} s", file=sys.stderr, flush=True)


def differences(case: Case, out: Path) -> tuple[int, int, list[str]]:
    """Tables and rows compared, and what differs."""
    import duckdb
    from deltalake import DeltaTable

    versions = {
        engine: json.loads((out / engine / f"{case.name}.json").read_text(encoding="utf-8")) for engine in ENGINES
    }
    faults, rows = [], 0
    if set(versions["spark"]) != set(versions["embedded"]):
        faults.append(f"{case.name}: other tables: {set(versions['spark']) ^ set(versions['embedded'])}")
    names = sorted(set(versions["spark"]) & set(versions["embedded"]))
    for name in names:
        folder = name.replace(".", "/")
        spark, embedded = (
            DeltaTable(str(out / engine / case.name / folder), version=versions[engine][name]).to_pyarrow_table()
            for engine in ENGINES
        )
        rows += len(spark)
        columns = ", ".join(f'"{column}"' for column in spark.column_names)
        connection = duckdb.connect()
        connection.register("s", spark)
        connection.register("e", embedded)
        for side, other in (("s", "e"), ("e", "s")):
            only = f"(SELECT {columns} FROM {side} EXCEPT ALL SELECT {columns} FROM {other})"
            found = connection.sql(f"SELECT count(*) FROM {only}").fetchone()[0]
            if found:
                faults.append(f"{case.name} {name}: {found} rows are only in {'spark' if side == 's' else 'embedded'}")
        connection.close()
    return len(names), rows, faults


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", default="1/1", metavar="K/N", help="every N-th case from the K-th on")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "prove")
    parser.add_argument("--engine", choices=ENGINES, help="run the cases on one engine alone, and compare nothing")
    told = parser.parse_args(arguments)
    part, parts = map(int, told.part.split("/"))
    chosen = cases()[part - 1 :: parts]
    if told.engine:
        run_all(told.engine, chosen, told.out)
        return 0
    shutil.rmtree(told.out, ignore_errors=True)
    for engine in reversed(ENGINES):
        (told.out / engine).mkdir(parents=True)
        command = [sys.executable, "-m", "tests.prove", "--engine", engine, "--part", told.part, "--out", str(told.out)]
        subprocess.run(command, env=environment(), cwd=ROOT, check=True)
    tables = rows = 0
    faults: list[str] = []
    for case in chosen:
        of_case = differences(case, told.out)
        tables, rows = tables + of_case[0], rows + of_case[1]
        faults += of_case[2]
    for fault in faults:
        print(fault, file=sys.stderr)
    policies = len({json.dumps(asdict(policy)) for case in chosen for policy in case.policies})
    print(
        f"{len(chosen)} inputs, {policies} policies, {tables} tables, {rows:,} rows compared: {len(faults)} differences"
    )
    return 1 if faults or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
