"""The input, the warehouse and its former states, and what is in them: rows and a hash of every table that counts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from pmpm_spark.config import load_config
from pmpm_spark.runs import RUNS
from pmpm_spark.stages import stored_by
from pmpm_spark.warehouse import published
from tests.configured import write_config
from tests.digests import Digest, digest_of
from tests.processes import ROOT, environment

YEARS = (2021, 2022)
JOBS = {"load": "run_load.py", "silver": "run_silver.py", "gold": "run_gold.py"}
LATE = "outpatient"
"""The claims that come after the first run: what is killed loads them, so that figures before and after differ."""


class House:
    """One folder with everything in it; `spark` is a session of the embedded engine, which reads as everybody does."""

    def __init__(self, root: Path, site: Path, spark: Any) -> None:
        self.root, self.site, self.spark = root, site, spark
        self.input, self.first = root / "input", root / "first"
        self.warehouse, self.states = root / "warehouse", root / "states"

    def generate(self, members: int) -> None:
        from pmpm_spark.generate import generate

        generate(self.spark, str(self.input), members=members, years=YEARS, seed=7)
        shutil.copytree(self.input, self.first, ignore=shutil.ignore_patterns(LATE, "planted"))

    def config(self, source: Path, warehouse: Path, name: str) -> Path:
        return write_config(
            self.root / f"{name}.toml",
            files=source,
            beside=self.input,
            warehouse=f'path = "{warehouse}"',
            years=YEARS,
        )

    def run_embedded(self, job: str, config: Path) -> None:
        """A job on the other engine, which needs no cluster: the reference."""
        command = [sys.executable, str(ROOT / "jobs" / job), "--engine", "embedded", "--config", str(config)]
        own = environment(PYTHONPATH=str(self.site))
        answer = subprocess.run(command, capture_output=True, text=True, env=own, cwd=self.root, check=False)
        if answer.returncode:
            raise RuntimeError(f"{job} on the embedded engine: exit code {answer.returncode}: {answer.stderr[-2000:]}")

    def keep(self, state: str) -> None:
        shutil.rmtree(self.states / state, ignore_errors=True)
        shutil.copytree(self.warehouse, self.states / state)

    def put_back(self, state: str) -> None:
        shutil.rmtree(self.warehouse, ignore_errors=True)
        shutil.copytree(self.states / state, self.warehouse)

    def versions(self, config: Path) -> Mapping[str, int]:
        """What a reader sees: the version of each table by the last finished run."""
        return published(self.spark, load_config(str(config))).run.versions

    def digest(self, config: Path) -> Digest:
        """What a reader finds in every table."""
        warehouse = Path(str(load_config(str(config)).warehouse.path))
        return {name: digest_of(warehouse / name.replace(".", "/"), at) for name, at in self.versions(config).items()}

    def ahead(self, config: Path) -> list[str]:
        """Tables whose newest version is not the one that counts: what an unfinished run left."""
        counted = self.versions(config)
        warehouse = Path(str(load_config(str(config)).warehouse.path))
        tables = {table.name: warehouse / table.layer / table.short_name for table in stored_by("rif")}
        return [
            name
            for name, folder in tables.items()
            if (folder / "_delta_log").is_dir() and DeltaTable(str(folder)).version() != counted.get(name)
        ]

    def signs(self) -> int:
        """How many rows the book of runs was given, by its commits."""
        return len(list((self.warehouse / RUNS.layer / RUNS.short_name / "_delta_log").glob("[0-9]*.json")))
