"""Proof that both engines make the same tables: every row of every table, exactly, over many inputs and policies.

    python -m tests.prove [--part K/N] [--out DIR]

Each engine runs the whole job in a process of its own over the same files, with the same run id and moment, so that
nothing but the engine differs; then DuckDB compares the Delta tables that they left. Nothing is rounded and no column
is left out. The first part also hands one warehouse from Spark to the embedded engine and back, with more files each
time, and compares it with one that stayed on Spark. `--part 3/8` takes every eighth case from the third on. Exit code 1
where a row differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pmpm_spark.config import RunConfig, Source, Warehouse, load_policy
from pmpm_spark.policy import (
    COVERAGE_RULES,
    NETWORK_TYPES,
    STEPS,
    WINDOWS,
    Attribution,
    Cost,
    Eligibility,
    Policy,
    Risk,
)
from tests.conftest import SHARED
from tests.processes import ROOT, environment
from tests.same_rows import only_in_one
from tests.sources import test_common, test_tuva

ENGINES = ("spark", "embedded")
LISTS = ("network_roster", "providers", "risk_scores", "member_attribution")
GENERATED = 32
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
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
        "months_stop": (False, True),
    },
    "cost": {
        "basis": ("total_cost_of_care", "reimbursed_to_network"),
        "claim_month": ("thru", "from"),
        "include_pharmacy": (False, True),
        "exclude_ime_dsh_uncompensated": (False, True),
        "include_pass_through": (True, False),
        "sequestration_add_back": (False, True),
        "completion": ("none", "chain_ladder"),
        "truncation": ("none", "percentile"),
        "truncation_percentile": (99.0, 90.0),
        "steps": (
            STEPS,
            ("sequestration", "exclude", "annualize", "truncate", "complete", "weight"),
            ("annualize", "truncate", "complete", "sequestration", "exclude", "weight"),
        ),
    },
    "attribution": {
        "method": ("plurality", "roster", "mssp"),
        "window": WINDOWS,
        "participants_as_of": ("line_date", "start_of_year"),
        "shared_participants": ("lowest_network_id", "exclude"),
        "code_year": ("performance", "service"),
        "voluntary": (False, True),
        "snf_exclusion": ("place_or_stay", "place"),
        "specialty_fallback": (True, False),
        "network_types": (NETWORK_TYPES, ("MSSP", "OTHER")),
        "alignment_window_requires": ("a_and_b", "a_and_b_without_part_c"),
        "min_charge": (0.0, 25.0),
    },
    "risk": {
        "weighting": ("members", "member_months"),
        "normalization": ("table", "population"),
        "by_enrollment_type": (False, True),
        "scores": ("supplied", "computed", "supplied_else_computed"),
        "by_month": (False, True),
    },
}
UNTOLD_BY_SYNPUF: dict[str, Any] = {"exclude_ime_dsh_uncompensated": False, "completion": "none"}


@dataclass(frozen=True)
class Case:
    """One input and the policies that it is run under. `members` is 0 for files that are there already, or that `write`
    writes into a folder."""

    name: str
    years: tuple[int, ...]
    policies: tuple[Policy, ...]
    members: int = 0
    seed: int = 0
    files: str = ""
    lists: dict[str, str] = field(default_factory=dict)
    kind: str = "rif"
    write: Callable[[Path], None] | None = None


def cases() -> list[Case]:
    """The demo's input, the shared set, the cut of it, and generated people; every value of every setting occurs."""
    default = Policy("default")
    programs = (load_policy("mssp"), load_policy("reach"))
    found = [Case("demo", (2020, 2021, 2022), (default, *programs, *drawn(1, 2)), members=1000, seed=7)]
    rif, cut = SHARED / "data" / "rif", ROOT / "tests" / "data" / "rif"
    for name, folder, policies in (
        ("shared", rif, (*eight(), *programs, *drawn(2, 2))),
        ("cut", cut, (default, *programs, *drawn(3, 3))),
    ):
        if folder.is_dir():
            lists = {kind: str(folder / f"{kind}.csv") for kind in LISTS}
            years = (2019, 2020, 2021, 2022, 2023)
            found.append(Case(name, years, policies, files=str(folder), lists=lists))
    for name, folder in (("cclf", SHARED / "data" / "cclf"), ("cclf-cut", ROOT / "tests" / "data" / "cclf")):
        if folder.is_dir():
            roster = {"network_roster": str(cut / "network_roster.csv")}
            months = Policy("months", Eligibility(part_a_b="current_month", exclude_medicare_secondary=False))
            computed = replace(months, name="computed", risk=Risk(scores="computed", by_month=True))
            found.append(
                Case(
                    name,
                    (2022, 2023),
                    (default, months, computed, *programs),
                    files=str(folder),
                    lists=roster,
                    kind="cclf",
                )
            )
    commercial = Policy("commercial", Eligibility(coverage_rule="prorated", part_a_b="none"))
    sample = SHARED / "data" / "synpuf" / "sample_1"
    if sample.is_dir():
        # these files tell neither the parts of a payment nor when it was made, and of their years there are neither codes
        # of the programs nor models of risk
        carried = [
            replace(p, cost=replace(p.cost, **UNTOLD_BY_SYNPUF), attribution=Attribution(), risk=Risk())
            for p in drawn(4, 1)
        ]
        found.append(Case("synpuf", (2008, 2009), (default, *carried), files=str(sample), kind="synpuf"))
    for kind, by_hand in (("common", test_common), ("tuva", test_tuva)):
        found.append(Case(kind, (2021,), (commercial,), kind=kind, write=partial(by_hand.write, files=by_hand.FILES)))
    for number in range(GENERATED):
        years = ((2021,), (2020, 2021), (2022, 2023))[number % 3]
        policies = (*drawn(100 + number, 2), programs[1])
        found.append(Case(f"generated-{number:02}", years, policies, members=30 + 7 * number, seed=500 + number))
    return found


def eight() -> tuple[Policy, ...]:
    """Method, window and month of a claim in every combination."""
    return tuple(
        Policy(
            f"{method}-{part_a_b}-{claim_month}",
            Eligibility(part_a_b=part_a_b),
            Cost(claim_month=claim_month),
            Attribution(method),
        )
        for method, part_a_b, claim_month in product(
            ("plurality", "roster"), ("full_window", "current_month"), ("thru", "from")
        )
    )


def drawn(seed: int, how_many: int) -> tuple[Policy, ...]:
    """Policies with every setting drawn."""
    draw = random.Random(seed)
    policies = []
    for number in range(how_many):
        told = {
            part: {name: draw.choice(values) for name, values in settings.items()}
            for part, settings in SETTINGS.items()
        }
        told["risk"]["by_enrollment_type"] &= told["risk"]["normalization"] != "table"
        told["risk"]["by_month"] &= told["risk"]["scores"] != "supplied"
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
    """Run every case on one engine."""
    from pmpm_spark.generate import generate

    spark = opened(engine)
    for case in chosen:
        files, lists = Path(case.files), case.lists
        if case.members:
            files = out / "input" / case.name
            lists = {name: str(files / name) for name in (*LISTS, "survey_responses")}
            if not files.exists():
                span = (min(case.years), max(case.years))
                generate(spark, str(files), members=case.members, years=span, seed=case.seed)
        if case.write is not None:
            files = out / "input" / case.name
            case.write(files)
        source = Source(case.kind, str(files), **lists, max_reject_share=1.0)
        run_one(spark, out / engine / case.name, source, case.years, case.policies)


def opened(engine: str) -> Any:
    from pmpm_spark.session import open_session

    return open_session(str(ROOT / "conf" / "spark" / "small.conf"), "pmpm prove", engine)


def run_one(
    spark: Any,
    warehouse: Path,
    source: Source,
    years: tuple[int, ...],
    policies: tuple[Policy, ...],
    number: int = 0,
) -> None:
    """One run, the warehouse's `number`-th; the versions of its tables go to a file beside it."""
    from pmpm_spark import pipeline

    start = time.monotonic()
    moment = MOMENT + timedelta(days=number)
    for name, said in clock(moment).items():
        setattr(pipeline, name, said)
    config = RunConfig(source, Warehouse(str(warehouse)), years, policies)
    result = pipeline.run(spark, config)
    versions = {receipt.table: receipt.version for receipt in result.receipts}
    told = versions_of(warehouse)
    told.write_text(json.dumps({**(json.loads(told.read_text()) if told.exists() else {}), **versions}))
    print(
        f"{warehouse.parent.name:<10} {warehouse.name:<14} {time.monotonic() - start:6.1f} s",
        file=sys.stderr,
        flush=True,
    )


def clock(moment: datetime) -> dict[str, Any]:
    """What the pipeline reads run id and moment from, by name, so that two runs have the same."""
    return {
        "new_run_id": lambda: f"{moment:%Y%m%d}T000000000000Z-000000",
        "datetime": SimpleNamespace(now=lambda _: moment),
    }


def versions_of(warehouse: Path) -> Path:
    return warehouse.with_name(f"{warehouse.name}.json")


HAND_OVER = {
    1: ("spark", (("alone", 1), ("alone", 2), ("alone", 3), ("together", 1))),
    2: ("embedded", (("together", 2),)),
    3: ("spark", (("together", 3),)),
}
"""Which engine makes which run of which warehouse, in the order of the processes."""


def hand_over(step: int, out: Path) -> None:
    """One process of the hand-over: each run finds more files than the one before, a slice anew, and a policy more."""
    engine, runs = HAND_OVER[step]
    years, policies = (2021, 2022), drawn(4, 3)
    root, folder = out / "input" / "hand-over", out / "hand-over"
    folder.mkdir(parents=True, exist_ok=True)
    lists = {name: str(ROOT / "tests" / "data" / "rif" / f"{name}.csv") for name in LISTS}
    kept_back = {1: ("carrier.csv.gz", "beneficiary_2022.csv.gz"), 2: ("carrier.csv.gz",), 3: ()}
    spark = opened(engine)
    for name, number in runs:
        files = root / str(number)
        if not files.exists():
            files.mkdir(parents=True)
            for file in (ROOT / "tests" / "data" / "rif").glob("*.csv.gz"):
                if file.name not in kept_back[number]:
                    shutil.copy(file, files)
        run_one(spark, folder / name, Source("rif", str(files), **lists), years[-number:], policies[:number], number)


def differences(name: str, warehouses: Sequence[Path]) -> tuple[int, int, list[str]]:
    """Tables and rows compared, and what differs."""
    from deltalake import DeltaTable

    left, right = (json.loads(versions_of(warehouse).read_text(encoding="utf-8")) for warehouse in warehouses)
    faults, rows = [], 0
    if set(left) != set(right):
        faults.append(f"{name}: other tables: {set(left) ^ set(right)}")
    names = sorted(set(left) & set(right))
    for table in names:
        one, other = (
            DeltaTable(str(warehouse / table.replace(".", "/")), version=versions[table]).to_pyarrow_table()
            for warehouse, versions in zip(warehouses, (left, right), strict=True)
        )
        rows += len(one)
        for found, label in zip(only_in_one(one, other), warehouses, strict=True):
            if found:
                faults.append(f"{name} {table}: {found} rows are only in {label}")
    return len(names), rows, faults


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", default="1/1", metavar="K/N", help="every N-th case from the K-th on")
    parser.add_argument("--case", metavar="NAME", help="the case of this name alone")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "prove")
    parser.add_argument("--engine", choices=ENGINES, help="run the cases on one engine alone, and compare nothing")
    parser.add_argument("--step", type=int, choices=HAND_OVER, help="one process of the hand-over, and compare nothing")
    told = parser.parse_args(arguments)
    part, parts = map(int, told.part.split("/"))
    chosen = [case for case in cases()[part - 1 :: parts] if told.case in (None, case.name)]
    if told.engine:
        run_all(told.engine, chosen, told.out)
        return 0
    if told.step:
        hand_over(told.step, told.out)
        return 0
    shutil.rmtree(told.out, ignore_errors=True)
    for engine in reversed(ENGINES):
        (told.out / engine).mkdir(parents=True)
        name = ["--case", told.case] if told.case else []
        _process("--engine", engine, "--part", told.part, *name, "--out", str(told.out))
    compared = [(case.name, [told.out / engine / case.name for engine in ENGINES]) for case in chosen]
    if part == 1 and told.case in (None, "hand-over"):
        for step in HAND_OVER:
            _process("--step", str(step), "--out", str(told.out))
        compared.append(("hand-over", [told.out / "hand-over" / name for name in ("alone", "together")]))
    tables = rows = 0
    faults: list[str] = []
    for name, warehouses in compared:
        of_case = differences(name, warehouses)
        tables, rows = tables + of_case[0], rows + of_case[1]
        faults += of_case[2]
    for fault in faults:
        print(fault, file=sys.stderr)
    policies = len({json.dumps(asdict(policy)) for case in chosen for policy in case.policies})
    print(
        f"{len(compared)} inputs, {policies} policies, {tables} tables, {rows:,} rows compared: {len(faults)} differences"
    )
    return 1 if faults or not rows else 0


def _process(*arguments: str) -> None:
    command = [sys.executable, "-m", "tests.prove", *arguments]
    subprocess.run(command, env=environment(), cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
