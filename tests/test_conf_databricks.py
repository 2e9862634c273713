"""conf/databricks without a workspace: the bundle against Databricks' own models, and every task up to its work."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from pmpm_spark.cli import job
from pmpm_spark.config import CSV, load_config
from pmpm_spark.sources.lists import LISTS
from tests.as_submitted import ROOT, Started, entry_points, start_entry_point, start_file

FOLDER = ROOT / "conf" / "databricks"
BUNDLE: dict[str, Any] = yaml.safe_load((FOLDER / "databricks.yml").read_text(encoding="utf-8"))
RESOURCES = sorted(path for pattern in BUNDLE["include"] for path in FOLDER.glob(pattern))
TARGETS = sorted(BUNDLE["targets"])
AS_OF = "2022-02-05"
AT_RUN_TIME = {"job.start_time.iso_date": AS_OF}
"""What Databricks puts in the place of {{…}}."""
PACKAGES = {"report": ("jinja2", "pygal")}


def given(target: str) -> dict[str, Any]:
    """What stands for each `${…}` in a target."""
    values: dict[str, Any] = {
        "bundle.name": BUNDLE["bundle"]["name"],
        "bundle.target": target,
        "workspace.file_path": str(ROOT),  # the folder that holds all that sync.paths names
    }
    for name, said in BUNDLE["variables"].items():
        value = BUNDLE["targets"][target]["variables"].get(name, said.get("default"))
        if value is not None:
            values[f"var.{name}"] = value
    return values


def resolved(tree: Any, values: dict[str, Any]) -> Any:
    """The tree with every `${…}` replaced; a KeyError names one that nothing declares."""
    if isinstance(tree, dict):
        return {key: resolved(value, values) for key, value in tree.items()}
    if isinstance(tree, list):
        return [resolved(value, values) for value in tree]
    if not isinstance(tree, str):
        return tree
    whole = re.fullmatch(r"\$\{([\w.]+)\}", tree)
    if whole:
        return copy.deepcopy(values[whole[1]])
    return re.sub(r"\$\{([\w.]+)\}", lambda found: str(values[found[1]]), tree)


def jobs(target: str) -> dict[str, dict[str, Any]]:
    """Every job of the bundle, as the target has it."""
    found: dict[str, dict[str, Any]] = {}
    for path in RESOURCES:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert list(said) == ["resources"], path
        assert list(said["resources"]) == ["jobs"], path
        for name, one in said["resources"]["jobs"].items():
            assert name not in found, f"{name} stands twice"
            found[name] = resolved(one, given(target))
    return found


def tasks(target: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for name, one in jobs(target).items():
        for task in one["tasks"]:
            yield name, one, task


def arguments(one: dict[str, Any], said: list[str]) -> list[str]:
    """The parameters as Databricks gives them when a run starts."""
    values = dict(AT_RUN_TIME)
    for parameter in one.get("parameters", ()):
        values[f"job.parameters.{parameter['name']}"] = filled(parameter["default"], AT_RUN_TIME)
    return [filled(text, values) for text in said]


def filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{\{([\w.]+)\}\}", lambda found: values[found[1]], text)


def started(monkeypatch: pytest.MonkeyPatch, one: dict[str, Any], task: dict[str, Any]) -> Started:
    if "python_wheel_task" in task:
        said = task["python_wheel_task"]
        return start_entry_point(monkeypatch, said["entry_point"], arguments(one, said["parameters"]))
    said = task["spark_python_task"]
    return start_file(monkeypatch, at(said["python_file"]), arguments(one, said["parameters"]))


def at(relative: str) -> Path:
    """A path as seen from the files of resources."""
    return (FOLDER / "resources" / relative).resolve()


def test_every_file_of_the_folder_is_of_the_bundle() -> None:
    read = {FOLDER / "databricks.yml", *RESOURCES, *(FOLDER / f"{target}.toml" for target in TARGETS)}
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == read


def test_the_bundle_has_a_development_and_a_production_target() -> None:
    assert set(BUNDLE) == {"bundle", "include", "sync", "artifacts", "variables", "targets"}
    assert {name: said["mode"] for name, said in BUNDLE["targets"].items()} == {
        "dev": "development",
        "prod": "production",
    }
    assert [name for name, said in BUNDLE["targets"].items() if said.get("default")] == ["dev"]
    production = BUNDLE["targets"]["prod"]
    assert production["run_as"] == {"service_principal_name": "${var.service_principal}"}
    assert production["workspace"]["root_path"].startswith("/Workspace/Shared/")


def test_what_is_uploaded_and_built_is_there() -> None:
    uploaded = [(FOLDER / path).resolve() for path in BUNDLE["sync"]["paths"]]
    assert uploaded == [FOLDER, ROOT / "jobs"]
    wheel = BUNDLE["artifacts"]["wheel"]
    assert (FOLDER / wheel["path"]).resolve() == ROOT
    assert wheel["build"] == "make build"
    assert re.search(r"^build:.*\n\t.*-m build", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_every_variable_is_declared_described_and_has_a_value(target: str) -> None:
    assert all(said.get("description") for said in BUNDLE["variables"].values())
    assert {f"var.{name}" for name in BUNDLE["variables"]} <= set(given(target)), "a variable without a value"
    assert set(BUNDLE["targets"][target]["variables"]) <= set(BUNDLE["variables"])
    resolved(BUNDLE["targets"][target], given(target))
    with pytest.raises(KeyError, match=r"var\.nowhere"):
        resolved({"a": ["${var.nowhere}"]}, given(target))


@pytest.mark.parametrize("target", TARGETS)
def test_every_job_is_one_of_databricks_models_and_goes_back_to_the_same(target: str) -> None:
    for name, one in jobs(target).items():
        assert Job.from_dict(one).as_dict() == one, name


def test_the_models_refuse_a_field_that_there_is_not_at_any_depth() -> None:
    broken = jobs("dev")["refresh_classic"]
    broken["job_clusters"][0]["new_cluster"]["num_worker"] = 8
    with pytest.raises(ValueError, match="num_worker"):
        Job.from_dict(broken)


@pytest.mark.parametrize("target", TARGETS)
def test_every_job_runs_once_at_a_time_and_tells_somebody_of_its_failure(target: str) -> None:
    for name, one in jobs(target).items():
        assert one["max_concurrent_runs"] == 1, name
        assert one["queue"] == {"enabled": True}, name
        assert one["email_notifications"]["on_failure"] == [given(target)["var.alerts_to"]], name


def test_there_are_a_schedule_and_a_file_arrival_trigger_and_no_job_has_both() -> None:
    found = jobs("prod")
    assert {name for name, one in found.items() if "schedule" in one} == {"refresh", "payments", "maintenance"}
    for name in ("refresh", "payments", "maintenance"):
        assert len(found[name]["schedule"]["quartz_cron_expression"].split()) == 6
        assert found[name]["schedule"]["timezone_id"] == "UTC"
    arrival = found["arrivals"]["trigger"]["file_arrival"]
    assert "schedule" not in found["arrivals"]
    assert arrival["url"] == f"{load_config(str(FOLDER / 'prod.toml')).source.path}/"
    assert min(arrival["min_time_between_triggers_seconds"], arrival["wait_after_last_change_seconds"]) >= 60


@pytest.mark.parametrize("target", TARGETS)
def test_every_task_has_its_compute_and_the_wheel(target: str) -> None:
    kinds = set()
    for name, one, task in tasks(target):
        where = f"{name}.{task['task_key']}"
        kind = "wheel" if "python_wheel_task" in task else "file"
        assert ("python_wheel_task" in task) + ("spark_python_task" in task) == 1, where
        if "environment_key" in task:
            environments = {e["environment_key"]: e["spec"] for e in one["environments"]}
            spec = environments[task["environment_key"]]
            assert "libraries" not in task, f"{where}: serverless takes none"
            assert "client" not in spec, f"{where}: deprecated"
            kinds.add((kind, "serverless"))
            brought = spec["dependencies"]
        else:
            clusters = {c["job_cluster_key"] for c in one["job_clusters"]}
            assert task["job_cluster_key"] in clusters, where
            kinds.add((kind, "classic"))
            brought = [library.get("whl") or library["pypi"]["package"] for library in task["libraries"]]
        wheels = [text for text in brought if text.endswith(".whl")]
        assert [at(text) for text in wheels] == [ROOT / "dist" / "*.whl"], where
        packages = PACKAGES.get(task["task_key"], ())
        assert tuple(re.split(r"[<>=]", text)[0] for text in brought if text not in wheels) == packages, where
    assert {("wheel", "serverless"), ("file", "serverless"), ("file", "classic")} <= kinds


@pytest.mark.parametrize("target", TARGETS)
def test_every_entry_point_and_file_is_there_and_takes_its_parameters(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, list[str]] = {}
    for name, one, task in tasks(target):
        if "python_wheel_task" in task:
            assert task["python_wheel_task"]["package_name"] == "pmpm_spark"
            assert task["python_wheel_task"]["entry_point"] in entry_points()
        else:
            assert at(task["spark_python_task"]["python_file"]).parent == ROOT / "jobs"
        begun = started(monkeypatch, one, task)
        said.setdefault(name, []).append(begun.command)
        assert begun.config.warehouse.catalog == given(target)["var.catalog"]
        if begun.command == "capitate":
            assert date.fromisoformat(begun.arguments.as_of) == date(2022, 2, 5)
    assert said == {
        "arrivals": ["load"],
        "refresh": ["run", "report"],
        "payments": ["load", "run", "capitate"],
        "maintenance": ["maintain"],
        "refresh_classic": ["load", "silver", "gold", "report"],
        "payments_classic": ["run", "capitate"],
    }


def test_a_task_with_a_parameter_that_its_job_does_not_know_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        start_entry_point(monkeypatch, "pmpm-load", ["--config", "a.toml", "--as-of", AS_OF])
    assert left.value.code == 2
    assert "--as-of" in capsys.readouterr().err


def test_what_writes_is_tried_again_later_than_a_lease_runs_out() -> None:
    for name, one, task in tasks("prod"):
        writes = task["task_key"] != "report"
        assert task.get("max_retries", 0) == (2 if writes else 0), f"{name}.{task['task_key']}"
        assert not writes or task["min_retry_interval_millis"] > 600_000
        assert "timeout_seconds" not in one


def test_a_job_that_fails_leaves_with_its_code_and_one_that_does_not_leaves_by_its_end() -> None:
    job.leave(0)
    with pytest.raises(SystemExit) as left:
        job.leave(2)
    assert left.value.code == 2


@pytest.mark.parametrize("target", TARGETS)
def test_names_and_volumes_are_those_of_the_target(target: str) -> None:
    config, values = load_config(str(FOLDER / f"{target}.toml")), given(target)
    names = (values["var.catalog"], values["var.schema"])
    assert (config.warehouse.catalog, config.warehouse.schema) == names
    assert config.engine == "spark"
    landing, reports = (f"/Volumes/{names[0]}/{names[1]}/{volume}/" for volume in ("landing", "reports"))
    files = [config.source.path, *(getattr(config.source, one.setting) for one in LISTS)]
    assert all(path.startswith(landing) for path in files if path is not None)
    assert config.source.format == CSV
    assert config.report.path is not None
    assert config.report.path.startswith(reports)


def test_a_cluster_computes_as_the_session_is_checked_for() -> None:
    properties = BUNDLE["variables"]["cluster"]["default"]["spark_conf"]
    assert properties["spark.sql.session.timeZone"] == "UTC"
    assert properties["spark.sql.ansi.enabled"] == "true"
