"""conf/emr without an account: every request against AWS's own models, and a package that holds what the requests name."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from pmpm_spark.config import load_config
from tests.as_submitted import ROOT, Started, start_file

FOLDER = ROOT / "conf" / "emr"
REQUESTS = {
    "cluster.json": ("emr", "RunJobFlow"),
    **{f"steps/{name}.json": ("emr", "AddJobFlowSteps") for name in ("arrivals", "refresh", "payments", "maintenance")},
    "serverless/application.json": ("emr-serverless", "CreateApplication"),
    **{
        f"serverless/{name}.json": ("emr-serverless", "StartJobRun") for name in ("load", "run", "capitate", "maintain")
    },
}
CONFIGURATIONS = ("glue.toml", "s3.toml")
TO = "s3://payer-data/pmpm"
ARCHIVE = f"{TO}/pmpm_spark.zip#pmpm"
AS_OF = "2022-02-05"


def request(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return said


def operation(name: str) -> OperationModel:
    service, action = REQUESTS[name]
    return botocore.session.get_session().get_service_model(service).operation_model(action)


def faults(said: dict[str, Any], of: OperationModel) -> str:
    """What AWS's model finds in a request; the client itself makes the token that tells two equal requests apart."""
    complete = {**dict.fromkeys(of.idempotent_members, "token"), **said}
    report = ParamValidator().validate(complete, of.input_shape).generate_report()
    return "; ".join([*filter(None, [report]), *unknown_values(said, of.input_shape)])


def unknown_values(said: Any, shape: Shape) -> Iterator[str]:
    """Values that are not among those a field may have: botocore leaves them to the service."""
    if isinstance(shape, StructureShape):
        for key, value in said.items():
            if key in shape.members:
                yield from unknown_values(value, shape.members[key])
    elif isinstance(shape, ListShape):
        for value in said:
            yield from unknown_values(value, shape.member)
    elif isinstance(shape, MapShape):
        for value in said.values():
            yield from unknown_values(value, shape.value)
    elif isinstance(shape, StringShape) and shape.enum and said not in shape.enum:
        yield f"{said} is none of {', '.join(shape.enum)}"


def properties(said: list[dict[str, Any]], classification: str) -> dict[str, str]:
    [found] = [
        {key.lower(): value for key, value in one.items()}["properties"]
        for one in said
        if classification in one.values()
    ]
    return dict(found)


def cluster_properties(folder: Path = FOLDER) -> dict[str, str]:
    return properties(request("cluster.json", folder)["Configurations"], "spark-defaults")


def serverless_properties(folder: Path = FOLDER) -> dict[str, str]:
    return properties(request("serverless/application.json", folder)["runtimeConfiguration"], "spark-defaults")


def steps(folder: Path = FOLDER) -> dict[str, list[list[str]]]:
    """The words of every step, by the file that it stands in."""
    return {
        name.removeprefix("steps/").removesuffix(".json"): [
            step["HadoopJarStep"]["Args"] for step in request(name, folder)["Steps"]
        ]
        for name in REQUESTS
        if name.startswith("steps/")
    }


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make package` lays out, with this environment."""
    out = tmp_path_factory.mktemp("package") / "out"
    command = ["make", "package", "READY=", f"BIN={Path(sys.executable).parent}", f"PACKAGE={out}", f"TO={TO}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"aws s3 cp --recursive {out} {TO}" in done.stdout
    return out


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a driver works in, where the archive is unpacked as `pmpm`."""
    folder = tmp_path_factory.mktemp("driver")
    with zipfile.ZipFile(package / "pmpm_spark.zip") as archive:
        archive.extractall(folder / "pmpm")
    return folder


def test_every_file_of_the_folder_is_a_request_a_configuration_or_the_reports() -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {*REQUESTS, *CONFIGURATIONS, "report.sh"}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_is_one_that_aws_knows(name: str) -> None:
    assert faults(request(name), operation(name)) == ""


def test_the_models_find_what_is_wrong_in_a_request() -> None:
    cluster = request("cluster.json")
    cluster["StepConcurrency"] = 1
    cluster["Instances"]["InstanceGroups"][0]["InstanceRole"] = "PRIMARY"
    del cluster["Instances"]["InstanceGroups"][1]["InstanceCount"]
    found = faults(cluster, operation("cluster.json"))
    for word in ('"StepConcurrency"', "PRIMARY is none of MASTER", '"InstanceCount"'):
        assert word in found
    run = request("serverless/run.json")
    run["jobDriver"]["sparkSubmit"]["entryPointArguments"] = "--config"
    assert "entryPointArguments" in faults(run, operation("serverless/run.json"))


def test_one_run_at_a_time() -> None:
    cluster = request("cluster.json")
    assert cluster["StepConcurrencyLevel"] == 1
    assert cluster_properties()["spark.yarn.maxAppAttempts"] == "1"
    assert request("serverless/application.json")["schedulerConfiguration"]["maxConcurrentRuns"] == 1
    for name in REQUESTS:
        if name.startswith("steps/"):
            assert {step["ActionOnFailure"] for step in request(name)["Steps"]} == {"CANCEL_AND_WAIT"}
        if "jobDriver" in request(name):
            assert "retryPolicy" not in request(name), "a second attempt would meet the lease of the first"


@pytest.mark.parametrize("said", [cluster_properties, serverless_properties], ids=["cluster", "serverless"])
def test_spark_computes_as_the_session_is_checked_for_and_logs_no_value(said: Any) -> None:
    found = said()
    assert found["spark.sql.session.timeZone"] == "UTC"
    assert found["spark.sql.ansi.enabled"] == "true"
    assert found["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    assert found["spark.sql.catalog.spark_catalog"] == "org.apache.spark.sql.delta.catalog.DeltaCatalog"
    assert found["spark.log.level"] == "OFF"
    assert found["spark.executorEnv.PYSPARK_PYTHON"] == "python3.11"
    assert "spark.jars.packages" not in found, "the platform brings Delta"


def test_both_take_the_catalog_of_glue_and_the_delta_of_the_platform() -> None:
    glue = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"
    cluster = request("cluster.json")["Configurations"]
    assert properties(cluster, "spark-hive-site") == {"hive.metastore.client.factory.class": glue}
    assert properties(cluster, "delta-defaults") == {"delta.enabled": "true"}
    serverless = serverless_properties()
    assert serverless["spark.hadoop.hive.metastore.client.factory.class"] == glue
    assert all(jar.startswith("/usr/share/aws/delta/lib/") for jar in serverless["spark.jars"].split(","))
    assert request("cluster.json")["ReleaseLabel"] == request("serverless/application.json")["releaseLabel"]


def test_the_package_holds_what_the_requests_name(package: Path) -> None:
    named = set()
    for path in (package / "conf").rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert "s3://BUCKET" not in text.replace("bash report.sh s3://BUCKET", ""), path
        named |= set(re.findall(rf'{TO}/([^"#\s]*\.\w+)', text))
    assert named == {
        "pmpm_spark.zip", "conf/emr/report.sh",
        *(f"jobs/{name}.py" for name in ("run_load", "run_pipeline", "run_capitation", "run_maintenance")),
    }  # fmt: skip
    assert [name for name in sorted(named) if not (package / name).is_file()] == []
    assert (package / "jobs" / "run_report.py").is_file()
    assert [path.name for path in package.glob("*.whl")] != []


@pytest.fixture(scope="module")
def python_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the driver's Python finds: the archive, where the settings say, and of other packages Spark's alone."""
    folder = tmp_path_factory.mktemp("spark")
    for name in ("pyspark", "py4j"):
        [place] = importlib.import_module(name).__path__
        (folder / name).symlink_to(place)
    return f"{cluster_properties()['spark.yarn.appMasterEnv.PYTHONPATH']}:{folder}"


def test_the_archive_has_the_package_the_report_and_the_bucket(unpacked: Path, python_path: str) -> None:
    program = (
        "import sys; from pmpm_spark.cli import main; import jinja2, markupsafe, pygal; "
        "assert all('pmpm/' in m.__file__ for m in (jinja2, markupsafe, pygal)); "
        "sys.exit(main(['policies', '--config', 'pmpm/pmpm_spark/conf/emr/glue.toml']))"
    )
    command = [sys.executable, "-S", "-c", program]
    own = {"PYTHONPATH": python_path, "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=unpacked, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "default" in done.stdout
    config = load_config(str(unpacked / "pmpm/pmpm_spark/conf/emr/glue.toml"))
    assert config.source.path == f"{TO}/landing/claims"


def test_both_platforms_take_the_archive_to_the_driver(package: Path) -> None:
    cluster, serverless = cluster_properties(package / "conf/emr"), serverless_properties(package / "conf/emr")
    assert cluster["spark.yarn.dist.archives"] == serverless["spark.archives"] == ARCHIVE
    assert cluster["spark.yarn.appMasterEnv.PYTHONPATH"] == "pmpm"
    assert serverless["spark.emr-serverless.driverEnv.PYTHONPATH"] == "pmpm"


def begun(monkeypatch: pytest.MonkeyPatch, package: Path, unpacked: Path, job: str, words: list[str]) -> Started:
    """A job as the driver starts it: a file of the package, in the folder with the unpacked archive."""
    monkeypatch.chdir(unpacked)
    file = package / job.removeprefix(f"{TO}/")
    return start_file(monkeypatch, file, [word.replace("AS_OF", AS_OF) for word in words])


def test_every_step_starts_its_job(package: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, list[str]] = {}
    for name, of_file in steps(package / "conf/emr").items():
        for words in of_file:
            if words[0] != "spark-submit":
                assert words == [
                    "bash",
                    "-c",
                    f"aws s3 cp --quiet {TO}/conf/emr/report.sh report.sh && bash report.sh {TO}",
                ]
                found.setdefault(name, []).append("report.sh")
                continue
            assert words[:3] == ["spark-submit", "--deploy-mode", "cluster"]
            started = begun(monkeypatch, package, unpacked, words[3], words[4:])
            assert started.config.warehouse.schema == "pmpm"
            found.setdefault(name, []).append(started.command)
            if started.command == "capitate":
                assert date.fromisoformat(started.arguments.as_of) == date(2022, 2, 5)
    assert found == {
        "arrivals": ["load"],
        "refresh": ["run", "report.sh"],
        "payments": ["run", "capitate"],
        "maintenance": ["maintain"],
    }


def test_every_serverless_run_starts_its_job(package: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("load", "run", "capitate", "maintain"):
        driver = request(f"serverless/{name}.json", package / "conf/emr")["jobDriver"]["sparkSubmit"]
        started = begun(monkeypatch, package, unpacked, driver["entryPoint"], driver["entryPointArguments"])
        assert started.command == name
        assert started.config.source.path == f"{TO}/landing/claims"


AWS = """
import shutil, sys
assert sys.argv[1:4] == ["s3", "cp", "--quiet"], sys.argv
shutil.copyfile(*(word.replace(TO, BUCKET) for word in sys.argv[4:]))
"""
SPARK_SUBMIT = """
import json, os, pathlib, subprocess, sys
words = sys.argv[1:]
path = os.environ["PYTHONPATH"] + ":" + SPARK
seen = subprocess.run([sys.executable, "-S", "-c", "import pmpm_spark.report as r, pygal; print(r.__file__)"],
                      env={"PYTHONPATH": path}, capture_output=True, text=True, check=True).stdout
pathlib.Path(BUCKET, "seen.json").write_text(json.dumps([words, os.getcwd(), seen]))
pathlib.Path(words[words.index("--out") + 1]).write_text("the report")
"""


def test_the_report_is_written_on_the_primary_node_and_copied_to_the_bucket(
    package: Path, python_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an `aws` that copies from and to a folder, and a `spark-submit` that notes its words and finds the packages."""
    programs, bucket = tmp_path / "bin", tmp_path / "bucket"
    programs.mkdir()
    (bucket / "reports").mkdir(parents=True)
    (bucket / "pmpm_spark.zip").write_bytes((package / "pmpm_spark.zip").read_bytes())
    known = f"TO, BUCKET, SPARK = {TO!r}, {str(bucket)!r}, {python_path.partition(':')[2]!r}"
    for name, does in (("aws", AWS), ("spark-submit", SPARK_SUBMIT)):
        (programs / name).write_text(f"#!{sys.executable}\n{known}\n{does}", encoding="utf-8")
        (programs / name).chmod(0o755)
    (programs / "python3.11").symlink_to(sys.executable)
    own = {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    command = ["bash", str(package / "conf/emr/report.sh"), TO]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (bucket / "reports" / "pmpm.html").read_text() == "the report"
    words, folder, seen = json.loads((bucket / "seen.json").read_text())
    assert seen.startswith(("pmpm/", f"{folder}/pmpm/"))
    assert words[:3] == ["--deploy-mode", "client", f"{TO}/jobs/run_report.py"]
    started = begun(monkeypatch, package, Path(folder), words[2], words[3:])
    assert (started.command, started.arguments.out) == ("report", "pmpm.html")
    assert started.config.warehouse.schema == "pmpm"


def test_the_configurations_differ_in_their_warehouse_alone() -> None:
    glue, s3 = (load_config(str(FOLDER / name)) for name in CONFIGURATIONS)
    assert (glue.source, glue.policies, glue.performance_years) == (s3.source, s3.policies, s3.performance_years)
    assert (glue.warehouse.catalog, glue.warehouse.schema, glue.warehouse.path) == (None, "pmpm", None)
    assert s3.warehouse.path == "s3://BUCKET/pmpm/warehouse"
