"""Lay out what EMR reads from a bucket: the archive of the package, the jobs, and conf/emr with the bucket put in.

    python deploy/package.py build/package s3://bucket/folder

The folder given holds the wheel already (`make package` builds it). The archive is the wheel's content with the
packages of the report, as they stand in the environment that runs this: nothing is fetched, here or on the cluster.
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACEHOLDER = "s3://BUCKET/pmpm"
ARCHIVE = "pmpm_spark.zip"
REPORT = ("jinja2", "pygal")


def package(out: Path, folder: str) -> None:
    """Write everything beside the wheel; `folder` is where it will be uploaded to."""
    [wheel] = out.glob("*.whl")
    settled = {path: _settled(path, folder) for path in sorted((ROOT / "conf" / "emr").rglob("*")) if path.is_file()}
    for path, text in settled.items():
        target = out / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "jobs", out / "jobs", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    with zipfile.ZipFile(out / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        in_wheel = {f"pmpm_spark/{path.relative_to(ROOT)}": text for path, text in settled.items()}
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                archive.writestr(name, in_wheel.get(name) or content.read(name))
        for one in _with_what_they_need(REPORT):
            for name, path in _files(one):
                archive.write(path, name)


def _settled(path: Path, folder: str) -> str:
    return path.read_text(encoding="utf-8").replace(PLACEHOLDER, folder.rstrip("/"))


def _with_what_they_need(names: Iterable[str]) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        found[name] = distribution(name)
        for requirement in found[name].requires or ():
            needed, _, condition = requirement.partition(";")
            needed = re.split(r"[^\w.-]", needed.strip())[0].lower()
            if "extra" not in condition and (not condition or _is_installed(needed)):
                wanted.append(needed)
    return [found[name] for name in sorted(found)]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _files(one: Distribution) -> Iterator[tuple[str, str]]:
    """The package's files, by their names below site-packages; no programs, and nothing compiled by Python."""
    for file in one.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            yield str(file), str(file.locate())


if __name__ == "__main__":
    package(Path(sys.argv[1]), sys.argv[2])
