"""What a job does with its arguments when a platform starts it: it is started as the platform does, up to its work."""

from __future__ import annotations

import argparse
import importlib
import runpy
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pmpm_spark.cli import commands, job
from pmpm_spark.config import RunConfig, load_config

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Started:
    """The command that the job would have carried out, and with what."""

    command: str
    arguments: argparse.Namespace

    @property
    def config(self) -> RunConfig:
        return load_config(self.arguments.config, self.arguments.sets, self.arguments.engine)


def entry_points() -> dict[str, str]:
    """The programs that the wheel brings, as pyproject.toml says."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"])


def start_entry_point(monkeypatch: pytest.MonkeyPatch, name: str, arguments: Sequence[str]) -> Started:
    """As a wheel's entry point: its function is called, and what it returns is nothing."""
    module, function = entry_points()[name].split(":")
    work = getattr(importlib.import_module(module), function)
    return _started(monkeypatch, work, [name, *arguments])


def start_file(monkeypatch: pytest.MonkeyPatch, path: Path, arguments: Sequence[str]) -> Started:
    """As a Python file."""
    return _started(monkeypatch, lambda: runpy.run_path(str(path), run_name="__main__"), [str(path), *arguments])


def _started(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], argv: list[str]) -> Started:
    seen: list[Started] = []

    def note(name: str) -> Callable[..., int]:
        def noted(arguments: argparse.Namespace, group: str | None = None, **_: object) -> int:
            seen.append(Started(group or name, arguments))
            return 0

        return noted

    with monkeypatch.context() as during:
        for name in ("load", "run", "capitate", "report", "maintain"):
            during.setattr(commands, name, note(name))
        during.setattr(job, "run_and_tell", note("run"))
        during.setattr(sys, "argv", argv)
        work()  # a SystemExit, whatever its code, is a failure for Databricks, and so it is for the test
    [started] = seen
    return started
