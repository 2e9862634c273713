"""Who may import whom: the contracts of pyproject.toml hold, and would notice if they did not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHECK = "import sys; from importlinter.cli import lint_imports_command as check; sys.exit(check())"


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package in a folder."""
    # -P: without it the folder where the tests run could shadow the one that is checked
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); {CHECK}"
    command = [sys.executable, "-P", "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pmpm_spark", tmp_path / "pmpm_spark", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_goes_down() -> None:
    answer = checked(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("silver/added.py", "pmpm_spark.sources", "silver never knows a source"),
        ("silver/added.py", "pmpm_spark.gold", "silver never knows a source"),
        ("gold/added.py", "pmpm_spark.store", "transformations take and give DataFrames"),
        ("model/added.py", "pmpm_spark.silver", "a layer imports only lower ones"),
        ("sources/added.py", "pmpm_spark.silver", "a source maps its format"),
        ("errors.py", "pmpm_spark.table", "a layer imports only lower ones"),
    ],
)
def test_an_import_that_goes_up_is_found(copied: Path, module: str, imported: str, contract: str) -> None:
    with (copied / "pmpm_spark" / module).open("a") as file:
        file.write(f"\nimport {imported}\n")
    answer = checked(copied)
    assert answer.returncode != 0
    broken = " ".join(answer.stdout.split())
    assert contract in broken.partition("Broken contracts")[2]


def test_a_module_without_a_layer_is_found(copied: Path) -> None:
    (copied / "pmpm_spark" / "newcomer.py").touch()
    answer = checked(copied)
    assert answer.returncode != 0
    assert "newcomer" in answer.stdout
