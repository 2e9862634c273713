"""The files of Spark properties, what is made of them, and what a start that failed says. No Spark is
started.
"""

import logging
import os
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pmpm_spark import jars, session
from pmpm_spark.errors import SetupError
from pmpm_spark.jars import delta_jars, fetch_delta_jars
from pmpm_spark.properties import find_conf, read_properties

DELTA = "io.delta:delta-spark_4.1_2.13:4.4.0"
OTHER = "io.delta:delta-spark_2.12:3.3.3"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "given.conf"
    file.write_text(text)
    return file


# --- the shipped files ---


@pytest.mark.parametrize("name", ["spark/local.conf", "spark/small.conf"])
def test_the_shipped_properties_hold_what_the_figures_and_the_privacy_need(name: str) -> None:
    properties = read_properties(find_conf(name))
    assert properties["spark.sql.session.timeZone"] == "UTC"
    assert properties["spark.sql.ansi.enabled"] == "true"
    assert properties["spark.log.level"] == "OFF"
    assert properties["spark.eventLog.enabled"] == "false"
    assert properties["spark.ui.enabled"] == "false"
    assert properties["spark.driver.bindAddress"] == "127.0.0.1"
    assert properties["spark.jars.packages"] == DELTA
    assert all(key.startswith("spark.") for key in properties)


def test_the_file_for_small_inputs_says_all_that_the_other_says_and_more() -> None:
    local, small = (read_properties(find_conf(f"spark/{name}.conf")) for name in ("local", "small"))
    differing = {key for key in local if small.get(key) != local[key]}
    assert differing == {"spark.sql.shuffle.partitions", "spark.databricks.delta.snapshotPartitions"}
    assert local["spark.sql.sources.parallelPartitionDiscovery.parallelism"] == "4", (
        "VACUUM would start 10,000 tasks a table"
    )
    assert set(small) - set(local) == {
        "spark.driver.extraJavaOptions",
        "spark.databricks.delta.stats.collect",
        "spark.sql.adaptive.enabled",
    }


def test_the_file_for_a_bucket_says_all_that_the_other_says_and_brings_the_s3_of_its_hadoop() -> None:
    local, s3 = (read_properties(find_conf(f"spark/{name}.conf")) for name in ("local", "s3"))
    assert {key for key in s3 if local.get(key) != s3[key]} == {"spark.jars.packages", "spark.jars.excludes"}
    assert set(local) == set(s3)
    delta, hadoop_aws = s3["spark.jars.packages"].split(",")
    jars = Path(str(find_spec("pyspark").origin)).parent / "jars"  # type: ignore[union-attr]
    [hadoop] = jars.glob("hadoop-client-api-*.jar")
    assert delta == DELTA
    assert hadoop_aws == f"org.apache.hadoop:hadoop-aws:{hadoop.stem.rpartition('-')[2]}"
    kept_out = s3["spark.jars.excludes"].split(",")
    assert "org.apache.hadoop:*" not in kept_out
    assert [name for name in kept_out if not name.startswith("org.apache.hadoop:")] == [
        name for name in local["spark.jars.excludes"].split(",") if not name.startswith("org.apache.hadoop:")
    ]


def test_a_missing_conf_file_is_named() -> None:
    with pytest.raises(SetupError, match=r"conf/spark/moon\.conf"):
        find_conf("spark/moon.conf")


# --- reading ---


def test_properties_are_read_as_spark_submit_reads_them(tmp_path: Path) -> None:
    text = """\
        # a comment
        ! another
        spark.a            one
        spark.b=two
        spark.c = three = four
        spark.d: five

        spark.options      -XX:+UseSerialGC -Dname=value
        spark.a            last\t
    """
    assert read_properties(written(tmp_path, text)) == {
        "spark.a": "last",
        "spark.b": "two",
        "spark.c": "three = four",
        "spark.d": "five",
        "spark.options": "-XX:+UseSerialGC -Dname=value",
    }


def test_a_line_without_a_value_is_an_error_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="line 2 is not"):
        read_properties(written(tmp_path, "spark.a 1\nspark.b\n"))


def test_a_properties_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"gone\.conf.*cannot be read"):
        read_properties(tmp_path / "gone.conf")


# --- Delta's JARs ---


@pytest.fixture(autouse=True)
def homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No JAR on the machine, no network, and no platform around."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(jars, "account_home", lambda: tmp_path / "account")

    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(jars.urllib.request, "urlopen", no_network)
    for name in session.PLATFORM_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def jar(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as content:
        content.writestr("META-INF/MANIFEST.MF", name)
    return folder / name


@pytest.mark.parametrize("ivy", ["home/.ivy2.5.2", "home/.ivy2", "account/.ivy2.5.2", "cache/pmpm-spark/ivy"])
def test_jars_are_found_in_every_folder_that_spark_has_used(tmp_path: Path, ivy: str) -> None:
    folder = tmp_path / ivy / "jars"
    wanted = (
        jar(folder, "io.delta_delta-spark_2.12-3.3.3.jar"),
        jar(folder, "io.delta_delta-storage-3.3.3.jar"),
    )
    jar(folder, "io.delta_delta-storage-4.0.0.jar")
    assert delta_jars({"spark.jars.packages": OTHER}) == wanted
    assert delta_jars({"spark.jars.packages": f"a:b:1,{OTHER}"}) == wanted
    assert delta_jars({"spark.jars.packages": DELTA}) == ()
    assert delta_jars({}) == ()


def test_a_jar_that_came_half_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".ivy2" / "jars"
    jar(folder, "io.delta_delta-spark_2.12-3.3.3.jar")
    assert delta_jars({"spark.jars.packages": OTHER}) == ()
    half = jar(folder, "io.delta_delta-storage-3.3.3.jar")
    half.write_bytes(half.read_bytes()[:40])
    assert delta_jars({"spark.jars.packages": OTHER}) == ()


def test_a_tested_jar_is_used_only_with_its_pinned_hash(tmp_path: Path) -> None:
    for artifact in jars.PINNED[DELTA]:
        jar(tmp_path / "home" / ".ivy2" / "jars", f"io.delta_{artifact}-4.4.0.jar")
    assert delta_jars({"spark.jars.packages": DELTA}) == ()


def answering(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    """A repository that gives every file the same content; the addresses asked for."""
    asked: list[str] = []

    class Answer:
        def __enter__(self) -> "Answer":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self) -> bytes:
            return content

    def urlopen(url: str, **_: Any) -> Answer:
        asked.append(url)
        return Answer()

    monkeypatch.setattr(jars.urllib.request, "urlopen", urlopen)
    return asked


def test_tested_jars_are_fetched_once_from_the_mirror_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"
    monkeypatch.setitem(jars.PINNED, DELTA, {"delta-spark_4.1_2.13": sha256, "delta-storage": sha256})
    asked = answering(monkeypatch, b"test")
    properties = {"spark.jars.packages": DELTA, "spark.jars.repositories": "https://mirror.example/maven/"}
    fetched = fetch_delta_jars(properties)
    assert [file.name for file in fetched] == [
        "io.delta_delta-spark_4.1_2.13-4.4.0.jar",
        "io.delta_delta-storage-4.4.0.jar",
    ]
    storage = "https://mirror.example/maven/io/delta/delta-storage/4.4.0/delta-storage-4.4.0.jar"
    assert len(asked) == 2 and asked[1] == storage

    assert fetch_delta_jars(properties) == fetched
    assert len(asked) == 2


def test_where_no_mirror_is_named_what_sparks_own_fetching_asks_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, b"something else")
    monkeypatch.delenv("DEFAULT_ARTIFACT_REPOSITORY", raising=False)
    fetch_delta_jars({"spark.jars.packages": DELTA})
    first = "/maven2/io/delta/delta-spark_4.1_2.13/4.4.0/delta-spark_4.1_2.13-4.4.0.jar"
    assert len(asked) == 1 and asked[0].startswith("https://") and asked[0].endswith(first)

    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", "https://company.example/all")
    fetch_delta_jars({"spark.jars.packages": DELTA})
    assert asked[1] == f"https://company.example/all{first.removeprefix('/maven2')}"


def test_a_file_that_is_not_the_pinned_one_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answering(monkeypatch, b"something else")
    with caplog.at_level(logging.INFO):
        assert fetch_delta_jars({"spark.jars.packages": DELTA}) == ()
    assert "not the pinned file" in caplog.text
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_without_a_network_spark_is_left_to_try_and_no_address_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = "https://user:secret@mirror.example/maven"
    with caplog.at_level(logging.INFO):
        assert fetch_delta_jars({"spark.jars.packages": DELTA, "spark.jars.repositories": secret}) == ()
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


def test_files_take_the_place_of_the_coordinate_and_other_packages_stay(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".ivy2" / "jars"
    files = [jar(folder, f"io.delta_{name}-3.3.3.jar") for name in ("delta-spark_2.12", "delta-storage")]
    properties = {"spark.jars.packages": f"{OTHER},a:b:1", "spark.jars": "/x.jar"}
    session._use_fetched_jars(properties)
    assert properties["spark.jars"] == f"/x.jar,{files[0]},{files[1]}"
    assert properties["spark.jars.packages"] == "a:b:1"


# --- the session ---


@pytest.mark.parametrize(
    ("name", "value", "given"),
    [
        ("PYSPARK_GATEWAY_PORT", "35001", True),
        ("DATABRICKS_RUNTIME_VERSION", "18.0", True),
        ("SPARK_REMOTE", "sc://somewhere", True),
        ("SPARK_REMOTE", "local[2]", False),
    ],
)
def test_a_session_that_a_platform_gives_is_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, given: bool
) -> None:
    monkeypatch.setenv(name, value)
    assert session.session_is_given() is given


class FakeSession:
    """The two things that check_session asks of a session."""

    def __init__(self, properties: dict[str, str], history: str) -> None:
        self.properties = properties
        self.history = history
        self.conf = self

    def get(self, key: str, default: str | None) -> str | None:
        return self.properties.get(key, default)

    def sql(self, _: str) -> None:
        raise RuntimeError(self.history)


GOOD = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
WITH_DELTA = "[DELTA_TABLE_ONLY_OPERATION] `/no/such/table` is not a Delta table."


def checked(changes: dict[str, str], history: str = WITH_DELTA) -> None:
    session.check_session(FakeSession(GOOD | changes, history))  # type: ignore[arg-type]


def test_a_session_with_utc_ansi_and_delta_passes() -> None:
    checked({})
    checked({"spark.sql.session.timeZone": "Etc/UTC"})


@pytest.mark.parametrize(
    ("changes", "history", "property_named"),
    [
        ({"spark.sql.session.timeZone": "Europe/Berlin"}, WITH_DELTA, "spark.sql.session.timeZone"),
        ({"spark.sql.ansi.enabled": "false"}, WITH_DELTA, "spark.sql.ansi.enabled"),
        (
            {},
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `HISTORY` cannot be found.",
            "spark.sql.extensions",
        ),
        ({}, "[DELTA_CONFIGURE_SPARK_SESSION_WITH_EXTENSION_AND_CATALOG] ...", "spark_catalog"),
        ({}, "Cannot find catalog plugin class for catalog 'spark_catalog'", "spark.jars.packages"),
    ],
)
def test_a_session_that_would_compute_something_else_is_refused_by_property(
    changes: dict[str, str], history: str, property_named: str
) -> None:
    with pytest.raises(SetupError, match=property_named) as refusal:
        checked(changes, history)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("[unresolved dependency: io.delta#delta-spark_4.1_2.13;4.4.0: not found]", "Maven Central"),
        ("Could not reserve enough space for 943718400KB object heap", "spark.driver.memory"),
        ("java.io.IOException: No space left on device", "disk is full"),
        ("NullPointerException: invalid null input: name", "/etc/passwd"),
        ("Error: Could not create the Java Virtual Machine.", "options"),
        ("something never seen", "pmpm doctor"),
    ],
)
def test_a_start_that_failed_is_one_line_with_a_fix_and_the_rest_in_a_file(
    tmp_path: Path, said: str, advice: str
) -> None:
    text = session._why_no_start(f"first line\n{said}", RuntimeError("gateway exited"), Path("local.conf"))
    assert advice in text
    assert "\n" not in text
    assert said in (tmp_path / "cache" / "pmpm-spark" / "last-start.log").read_text()


def test_what_is_written_while_the_engine_starts_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with session._held_back_output() as output:
        os.write(1, b"banner\n")
        os.write(2, b"WARNING: Using incubator modules\n")
    print("result")
    print("problem", file=sys.stderr)
    assert output.wait() == "banner\nWARNING: Using incubator modules"
    assert capfd.readouterr() == ("result\n", "problem\n")


def test_pyspark_does_not_log_the_text_of_a_failed_query() -> None:
    session._silence_query_loggers()
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        assert not logging.getLogger(name).isEnabledFor(logging.CRITICAL)
