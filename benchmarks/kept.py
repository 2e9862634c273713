"""What was measured, kept as JSON: one file a size and subject, with every run of the last command that measured it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.inputs import ROOT

PACKAGES = ("pmpm-spark", "pyspark", "delta-spark", "pysail", "duckdb", "polars", "pyarrow")


@dataclass(frozen=True)
class Kept:
    """The runs of one subject at one size, in their order."""

    size: int
    subject: str
    runs: list[dict[str, Any]]
    told: dict[str, Any]
    """When, with which versions, on what; rows of the input; receipts of ours."""

    def median(self, name: str) -> float:
        """Of all runs; a figure of Spark by its name, too."""
        return float(statistics.median(run.get(name, run.get("spark", {}).get(name, 0)) for run in self.runs))


def machine() -> dict[str, Any]:
    """Cores and memory, no more."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory / 2**30)}


def versions() -> dict[str, str]:
    """Of the packages, and the commit of the code where there is one."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    return {**found, **({"commit": commit} if commit else {})}


def keep(folder: Path, one: Kept) -> None:
    """Write it in the place of what an earlier command left."""
    file = folder / str(one.size) / f"{one.subject}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {"size": one.size, "subject": one.subject, "told": one.told, "runs": one.runs}
    file.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def all_kept(folder: Path) -> dict[tuple[int, str], Kept]:
    """Everything that was measured, by size and subject."""
    read = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*/*.json"))]
    return {(one["size"], one["subject"]): Kept(**one) for one in read}
