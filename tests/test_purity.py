"""The DataFrame API only: a syntax tree shows what would not run under Spark Connect or on serverless."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("pmpm_spark", "jobs")

REFUSED_NAMES = {
    "rdd": "RDD",
    "sparkContext": "the Spark context",
    "SparkContext": "the Spark context",
    "SQLContext": "the SQL context",
    "_jvm": "the JVM behind PySpark",
    "_jdf": "the JVM behind PySpark",
    "_jsc": "the JVM behind PySpark",
    "_jsparkSession": "the JVM behind PySpark",
    "persist": "caching: publish the table and read it back",
    "unpersist": "caching: publish the table and read it back",
    "cacheTable": "caching: publish the table and read it back",
    "udf": "a Python UDF: use column functions",
    "udtf": "a Python UDF: use column functions",
    "pandas_udf": "a Python UDF: use column functions",
    "arrow_udf": "a Python UDF: use column functions",
    "applyInPandas": "a Python UDF: use column functions",
    "applyInArrow": "a Python UDF: use column functions",
    "mapInPandas": "a Python UDF: use column functions",
    "mapInArrow": "a Python UDF: use column functions",
    "foreachPartition": "a Python UDF: use column functions",
    "toPandas": "data on the driver",
    "toLocalIterator": "data on the driver",
    "createTempView": "a view",
    "createOrReplaceTempView": "a view",
    "createGlobalTempView": "a view",
    "createOrReplaceGlobalTempView": "a view",
    "inferSchema": "an inferred schema: use the contract's",
    "forPath": "delta.tables, which does not work under Spark Connect",
    "forName": "delta.tables, which does not work under Spark Connect",
}
FUNCTION_MODULES = ("pyspark.sql.functions", "pyspark.sql.window", "pyspark.sql.Window")


def refusals(source: str) -> list[str]:
    """What a module may not hold, one line each."""
    tree = ast.parse(source)
    found = [f"line {line}: {what}" for line, what in (*_refused_names(tree), *_at_import(tree))]
    return sorted(set(found))


def _refused_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Name):
            names = [node.id]
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
            modules = [getattr(node, "module", None), *[alias.name for alias in node.names]]
            if "delta.tables" in modules:
                yield node.lineno, "delta.tables does not work under Spark Connect"
        elif isinstance(node, ast.keyword):
            names = [node.arg or ""]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # as an option's name, or by getattr
            names = [node.value]
            if node.value.lstrip().upper().startswith("CACHE "):
                yield node.lineno, "caching: publish the table and read it back"
        for name in names:
            if name in REFUSED_NAMES:
                yield node.lineno, f"{name} is {REFUSED_NAMES[name]}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "cache" and ast.unparse(node.func.value) != "functools":
                yield node.lineno, "cache is caching: publish the table and read it back"
            if ast.unparse(node.func).endswith("conf.set"):
                yield node.lineno, "conf.set: session properties belong in conf/spark"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            asked = ast.unparse(node.args[1])
            if re.search(r"\b(Column|DataFrame|SparkSession)\b", asked):
                yield (
                    node.lineno,
                    f"isinstance {asked}: until 4.0 a client's classes are others; F.lit takes a column too",
                )


def _at_import(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls of PySpark's functions and windows that run at import, before a session exists."""
    names = set(_function_names(tree))
    for call in _calls_at_import(tree.body):
        first = ast.unparse(call.func).split(".")[0].split("(")[0]
        if first in names or ast.unparse(call.func).startswith(FUNCTION_MODULES):
            yield call.lineno, f"{ast.unparse(call.func)} is called at import: there is no session yet"


def _function_names(tree: ast.Module) -> Iterator[str]:
    """The names under which the module knows PySpark's functions, their module, or Window."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if node.module in FUNCTION_MODULES or f"{node.module}.{alias.name}" in FUNCTION_MODULES:
                    yield alias.asname or alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in FUNCTION_MODULES and alias.asname:
                    yield alias.asname


def _calls_at_import(nodes: list[ast.stmt] | list[ast.expr]) -> Iterator[ast.Call]:
    """Every call but those in bodies of functions; decorators and defaults do run at import."""
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += node.decorator_list + node.args.defaults
            waiting += [default for default in node.args.kw_defaults if default]
        elif isinstance(node, ast.Lambda):
            waiting += node.args.defaults
        else:
            waiting += list(ast.iter_child_nodes(node))


@pytest.mark.parametrize(
    "bad",
    [
        "def f(frame): return frame.rdd.map(len)",
        "def f(spark): return spark.sparkContext.parallelize([1])",
        "from pyspark import SparkContext",
        "def f(spark): spark._jvm.System.exit(0)",
        "def f(spark): return getattr(spark, '_jvm')",
        "def f(frame): return frame.cache()",
        "from pyspark.sql import Column\ndef f(x): return isinstance(x, Column)",
        "from pyspark.sql import Column\ndef f(x): return isinstance(x, (str, Column))",
        "def f(frame): return frame.select('a').cache().count()",
        "def f(frame): return frame.persist()",
        "def f(spark): spark.sql('CACHE TABLE x')",
        "from pyspark.sql.functions import udf",
        "from pyspark.sql import functions as F\ndef f(): return F.udf(len)",
        "from pyspark.sql import functions as F\n@F.pandas_udf('int')\ndef f(x): return x",
        "def f(frame): return frame.groupBy('a').applyInPandas(len, 'a int')",
        "def f(frame): return frame.mapInPandas(len, 'a int')",
        "def f(frame): frame.createGlobalTempView('x')",
        "def f(frame): frame.createOrReplaceTempView('x')",
        "def f(spark): return spark.read.csv('x', inferSchema=True)",
        "def f(spark): return spark.read.option('inferSchema', 'true').csv('x')",
        "def f(frame): return frame.toPandas()",
        "def f(spark): spark.conf.set('spark.sql.ansi.enabled', 'false')",
        "from delta.tables import DeltaTable",
        "import delta.tables",
        "def f(DeltaTable, spark): return DeltaTable.forPath(spark, 'x')",
        "from pyspark.sql import functions as F\nA = F.col('a')",
        "from pyspark.sql import functions as F\nA = [F.col('a').cast('int') for _ in range(2)]",
        "from pyspark.sql import functions as F\nclass A:\n    a = F.lit(1)",
        "from pyspark.sql import functions as F\ndef f(a=F.lit(1)): return a",
        "from pyspark.sql import functions as F\ndef f(*, a=F.lit(1)): return a",
        "from pyspark.sql.functions import col as column\nA = column('a')",
        "from pyspark.sql import Window\nW = Window.partitionBy('a').orderBy('b')",
        "from pyspark.sql.window import Window as W\nA = W.partitionBy('a')",
        "import pyspark.sql.functions\nA = pyspark.sql.functions.col('a')",
        "import pyspark.sql.functions as F\nif True:\n    A = F.col('a')",
    ],
)
def test_what_must_not_be_written_is_found(bad: str) -> None:
    assert refusals(bad)


@pytest.mark.parametrize(
    "good",
    [
        "from pyspark.sql import functions as F\ndef f(frame): return frame.select(F.col('a'))",
        "from pyspark.sql import functions as F\nLATER = lambda: F.col('a')",
        "from pyspark.sql import functions as F\ndef f():\n    def g(): return F.col('a')\n    return g",
        "from pyspark.sql import Window\ndef f(): return Window.partitionBy('a')",
        "from pyspark.sql import types as T\nA = T.StringType()",
        "import functools\n@functools.cache\ndef f(): return 1",
        "import functools\nf = functools.cache(len)",
        "def f(spark): return spark.conf.get('spark.sql.ansi.enabled')",
        "def f(frame):\n    '''Neither cache() nor rdd is used.'''\n    return frame.count()",
        "def cache_dir(): return 'x'\nA = cache_dir()",
    ],
)
def test_what_may_be_written_passes(good: str) -> None:
    assert refusals(good) == []


def test_the_package_and_the_jobs_use_the_dataframe_api_only() -> None:
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 30, "the package was not found where it should be"
    found = [f"{file.relative_to(ROOT)}: {line}" for file in files for line in refusals(file.read_text())]
    assert not found, "\n".join(found)
