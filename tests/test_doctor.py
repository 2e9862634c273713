"""What `pmpm doctor` sees and advises. No Java and no Spark are started."""

from pathlib import Path

import pytest

from pmpm_spark import doctor, jars, java
from pmpm_spark.doctor import Check, checks

GOOD_JAVA = java.Candidate(Path("/j/bin/java"), "JAVA_HOME", 17, Path("/j"), has_vector_module=True)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which all is well, but for the JARs, which are not fetched yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(jars, "account_home", lambda: tmp_path)
    monkeypatch.setattr(doctor, "account_home", lambda: tmp_path)
    monkeypatch.setattr(java, "candidates", lambda: iter([GOOD_JAVA]))
    monkeypatch.setattr(doctor, "_available_memory", lambda: 8 * 1024**3)
    monkeypatch.setattr(doctor, "_installed", {"pyspark": "4.1.4", "delta-spark": "4.4.0"}.get)


def check(name: str, folder: Path | None = None) -> Check:
    return next(found for found in checks(folder) if found.name.startswith(name))


def test_a_machine_that_can_run_the_job_passes_every_check(tmp_path: Path) -> None:
    assert [found for found in checks(tmp_path) if not found.ok] == []
    names = {found.name for found in checks(tmp_path)}
    assert {"Python", "Java", "bash", "user", "PySpark", "Delta", "memory", "folder (warehouse)"} <= names


def test_every_failed_check_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(java, "candidates", lambda: iter([]))
    monkeypatch.setattr(doctor, "_installed", lambda package: None)
    monkeypatch.setattr(doctor, "_available_memory", lambda: 0)
    monkeypatch.setattr(doctor, "DISK_NEEDED", 10**30)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    failed = [found for found in checks(tmp_path) if not found.ok]
    assert len(failed) >= 6
    assert all(found.fix and "\n" not in found.fix + found.found for found in failed)


def test_java_is_named_with_its_version_and_where_it_is_from() -> None:
    found = check("Java")
    assert found.ok
    assert "17" in found.found and "JAVA_HOME" in found.found and "/j" in found.found


def test_without_java_the_embedded_engine_still_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(java, "candidates", lambda: iter([]))
    assert check("Java").fix.endswith("or do without it: --engine embedded")
    assert all(found.ok for found in checks(tmp_path, engines=("embedded",)))
    assert check("embedded engine").ok


def test_without_its_packages_the_embedded_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "missing_packages", lambda: ["pysail"])
    found = check("embedded engine")
    assert not found.ok
    assert (found.found, found.fix.split(",")[0]) == ("lacks pysail", 'pip install "pmpm-spark[embedded]"')
    assert all(seen.name != "embedded engine" for seen in checks(engines=("spark",)))


def test_a_java_that_was_passed_over_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    old = java.Candidate(Path("/o/bin/java"), "java on the PATH", 11, Path("/o"), has_vector_module=True)
    monkeypatch.setattr(java, "candidates", lambda: iter([old, GOOD_JAVA]))
    assert "passed over: java on the PATH (Java 11)" in check("Java").found
    monkeypatch.setattr(java, "candidates", lambda: iter([old]))
    assert not check("Java").ok
    assert "apt-get install" in check("Java").fix


@pytest.mark.parametrize("version", ["3.4.1", "4.3.0"])
def test_a_pyspark_without_a_delta_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda package: version)
    assert not check("PySpark").ok


def test_a_delta_built_for_another_spark_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda package: "4.0.5")
    found = check("Delta")
    assert not found.ok
    assert "is for Spark 4.1, PySpark is 4.0.5" in found.found


def test_jars_that_are_not_here_yet_are_no_fault_but_can_be_fetched_now() -> None:
    found = check("Delta")
    assert found.ok
    assert "not on this machine yet" in found.found
    assert "--prefetch" in found.fix


def test_a_pom_without_its_jar_in_the_maven_folder_is_found(tmp_path: Path) -> None:
    folder = tmp_path / ".m2/repository/io/delta/delta-storage/4.4.0"
    folder.mkdir(parents=True)
    (folder / "delta-storage-4.4.0.pom").write_text("<project/>")
    found = check("Maven")
    assert not found.ok
    assert str(folder) in found.fix

    (folder / "delta-storage-4.4.0.jar").touch()
    assert not any(found.name.startswith("Maven") for found in checks())


def test_the_warehouse_need_not_exist_yet(tmp_path: Path) -> None:
    assert check("folder (warehouse)", tmp_path / "not" / "made" / "yet").ok


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: Path(path) != tmp_path)
    found = check("folder (warehouse)", tmp_path)
    assert not found.ok
    assert str(tmp_path) in found.found


def test_less_memory_than_the_engine_may_take_is_said_with_both_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_available_memory", lambda: 3 * 1024**3)
    found = check("memory")
    assert not found.ok
    assert "3.0 GB" in found.found and "4.0 GB" in found.found
    assert "spark.driver.memory" in found.fix


def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    files = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   8388608 kB\n",
        "/sys/fs/cgroup/memory.max": f"{2 * 1024**3}\n",
        "/sys/fs/cgroup/memory.current": f"{1024**3}\n",
    }
    monkeypatch.setattr(doctor.Path, "read_text", lambda path: files[str(path)])
    assert doctor._available_memory() == 1024**3
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert doctor._available_memory() == 8 * 1024**3


def test_prefetch_gives_the_jars_and_starts_no_spark_when_they_came(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    came = (tmp_path / "a.jar",)
    monkeypatch.setattr(doctor, "fetch_delta_jars", lambda properties: came)
    monkeypatch.setattr(doctor, "open_session", lambda **_: pytest.fail("Spark was started"))
    assert doctor.prefetch() == came
