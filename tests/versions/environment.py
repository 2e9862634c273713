"""An environment for each version of Spark, below build/versions: all of constraints.txt but PySpark, which is that version's."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pmpm_spark.properties import read_properties
from tests.processes import ROOT

HERE = Path(__file__).parent
OWN = ("pyspark", "delta-spark")
"""Packages that are not those of constraints.txt; Delta's JARs are all that is needed of it."""


@dataclass(frozen=True)
class Version:
    """A line of Spark, and the artifact of the Delta that fits it."""

    name: str
    delta: str

    @property
    def spark(self) -> str:
        """The release, as its file pins it; of the default constraints.txt's."""
        text = (HERE / f"{self.name}.txt").read_text(encoding="utf-8") if not self.is_default else _constraints()
        found = re.search(r"^pyspark==(\S+)", text, re.MULTILINE)
        if not found:
            raise LookupError(f"no pyspark is pinned for Spark {self.name}")
        return found[1]

    @property
    def is_default(self) -> bool:
        return not (HERE / f"{self.name}.txt").is_file()

    @property
    def folder(self) -> Path:
        return ROOT / "build" / "versions" / self.name

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.is_default else self.folder / "venv" / "bin" / "python"

    @property
    def properties(self) -> Path:
        return self.folder / "spark.conf"

    def prepare(self) -> None:
        """Make the environment, where it is not there as it is pinned, and its Spark properties."""
        self.folder.mkdir(parents=True, exist_ok=True)
        given = read_properties(ROOT / "conf" / "spark" / "small.conf")
        given["spark.jars.packages"] = self.delta
        self.properties.write_text("".join(f"{key} {value}\n" for key, value in given.items()), encoding="utf-8")
        if self.is_default:
            return
        wanted = self._requirements()
        stamp = hashlib.sha256(wanted.encode()).hexdigest()
        ready = self.folder / "ready"
        if ready.is_file() and ready.read_text() == stamp:
            return
        print(f"Spark {self.spark}: preparing {self.folder / 'venv'}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder / "venv")], check=True)
        file = self.folder / "requirements.txt"
        tools = self.folder / "build-tools.txt"
        file.write_text(wanted, encoding="utf-8")
        tools.write_text(_blocks(wanted, lambda name: name in ("setuptools", "wheel")), encoding="utf-8")
        for requirements in (tools, file):  # PySpark comes as a source archive, which setuptools builds
            pinned = ("--require-hashes", "--no-deps", "--no-build-isolation", "-r", str(requirements))
            pip = (str(self.python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *pinned)
            subprocess.run(pip, check=True)
        ready.write_text(stamp)

    def _requirements(self) -> str:
        return _blocks(_constraints(), lambda name: name not in OWN) + (HERE / f"{self.name}.txt").read_text(
            encoding="utf-8"
        )


VERSIONS = (
    Version("3.5", "io.delta:delta-spark_2.12:3.3.3"),
    Version("4.0", "io.delta:delta-spark_4.0_2.13:4.4.0"),
    Version("4.1", "io.delta:delta-spark_4.1_2.13:4.4.0"),
    Version("4.2", "io.delta:delta-spark_4.2_2.13:4.4.0"),
)


def _constraints() -> str:
    return (ROOT / "constraints.txt").read_text(encoding="utf-8")


def _blocks(text: str, is_wanted: Callable[[str], bool]) -> str:
    """The requirements, each with the lines of its hashes, whose package is wanted."""
    blocks = re.findall(r"^\S+==.*(?:\n +--hash.*)*\n", text, re.MULTILINE)
    return "".join(block for block in blocks if is_wanted(block.partition("==")[0]))
