"""The environment of a process that a test starts, and the command of spark-submit: what this process's own engine has set is not handed on."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pmpm_spark.jars import PACKAGES, fetch_delta_jars
from pmpm_spark.java import find_java
from pmpm_spark.properties import read_properties
from tests.own_driver import check_own_driver

ROOT = Path(__file__).resolve().parent.parent
LATE_OPTIMIZING = " ".join(
    f"-XX:Tier4{name}={times}"
    for name, times in (
        ("InvocationThreshold", 50_000),
        ("MinInvocationThreshold", 20_000),
        ("CompileThreshold", 100_000),
        ("BackEdgeThreshold", 400_000),
    )
)
NOT_COMPILED = f"""
spark.driver.extraJavaOptions -XX:+UseSerialGC {LATE_OPTIMIZING}
spark.sql.codegen.wholeStage  false
spark.sql.codegen.factoryMode NO_CODEGEN
"""
WITHOUT_COMPILING = tuple(
    word
    for name, value in (line.split(maxsplit=1) for line in NOT_COMPILED.strip().splitlines())
    for word in ("--conf", f"{name}={value}")
)
"""Properties, and options of spark-submit: plans are interpreted, and Java optimizes what ran ten times as often as by default. Tests have
few rows and many plans: compiling takes longer than running. With Spark's own compiling run tests/prove.py and its every
table."""
OTHER_DELTA = "PMPM_TEST_DELTA"
"""The variable with the coordinate of the Delta of another version of Spark, which Spark then fetches (tests/versions)."""
OF_THE_SESSION = ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_LOCAL_REMOTE", "PMPM_DEBUG")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OF_THE_SESSION}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def tried_properties() -> Path:
    """The Spark properties that tests run with: conf/spark/small.conf, or those of another version (tests/versions)."""
    return Path(os.environ.get("PMPM_TEST_CONF", ROOT / "conf" / "spark" / "small.conf"))


def interpreted(folder: Path) -> Path:
    """The properties that tests run with, and those of plans that are interpreted, as a file in the folder."""
    made = folder / "interpreted.conf"
    made.write_text(tried_properties().read_text(encoding="utf-8") + NOT_COMPILED, encoding="utf-8")
    return made


def submit_command(properties: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """spark-submit with a file of properties and Delta's JARs, and the environment that it needs."""
    check_own_driver()
    other = os.environ.get(OTHER_DELTA)
    jars = ",".join(map(str, () if other else fetch_delta_jars(read_properties(properties))))
    delta = ("--conf", f"{PACKAGES}={other}") if other else ("--conf", f"{PACKAGES}=", "--jars", jars)
    own = environment(
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", JAVA_HOME=str(find_java().home)
    )
    # spark-submit itself is looked for on the PATH that it will use
    program = shutil.which("spark-submit", path=own["PATH"]) or "spark-submit"
    return [program, "--properties-file", str(properties), *delta, *options], own
