"""The environment of a process that a test starts: what this process's own engine has set is not handed on."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OF_THE_SESSION = ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_LOCAL_REMOTE", "PMPM_DEBUG")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OF_THE_SESSION}
    return {**kept, "PYTHONPATH": str(ROOT), **more}
