"""A schema of a catalog as the warehouse: the same tables as in a folder, beside other people's, and nothing of theirs changed.

The whole job and a payment run over generated people, in a schema whose name is a word of SQL. The folder beside it is made by the embedded engine, in a
process of its own, while Spark works. The session's own catalog keeps names in memory.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from pmpm_spark.capitation import capitate
from pmpm_spark.cli import main
from pmpm_spark.config import load_config
from pmpm_spark.errors import ConfigError, InputError, StageError
from pmpm_spark.generate.truth import payment_days
from pmpm_spark.lease import leased
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.pipeline import run
from pmpm_spark.runs import RUNS, RunBook
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.store import Store
from pmpm_spark.warehouse import published
from tests.configured import write_config
from tests.digests import Digest, differing, digest_of
from tests.processes import environment

pytestmark = pytest.mark.delta

SCHEMA, OTHER = "order", "select"
"""Words that SQL takes for names in quotes alone."""
YEARS = (2021, 2022)
THEIRS = ("claims", "silver_plans", "gold_views")
"""Names of others' tables in the same schema; two begin as ours do."""


@dataclass
class House:
    """Two warehouses of the same input, and the folders of the tables in the schemas."""

    root: Path

    def config(self, warehouse: str, name: str) -> Path:
        source, path = self.root / "input", self.root / f"{name}.toml"
        return write_config(path, files=source, beside=source, warehouse=warehouse, years=YEARS)

    @property
    def in_folder(self) -> Path:
        return self.config(f'path = "{self.root / "warehouse"}"', "folder")

    @property
    def in_schema(self) -> Path:
        return self.config(f'schema = "{SCHEMA}"', "schema")

    def schema_digest(self, spark: SparkSession) -> Digest:
        counted = published(spark, load_config(str(self.in_schema))).run.versions
        return {name: digest_of(self.root / SCHEMA / name.replace(".", "_"), at) for name, at in counted.items()}

    def folder_digest(self, spark: SparkSession) -> Digest:
        counted = published(spark, load_config(str(self.in_folder))).run.versions
        return {name: digest_of(self.root / "warehouse" / name.replace(".", "/"), at) for name, at in counted.items()}

    def newest(self) -> dict[str, int]:
        """The newest version of every Delta table in the schema, ours and theirs."""
        logs = sorted((self.root / SCHEMA).glob("*/_delta_log"))
        return {log.parent.name: DeltaTable(str(log.parent)).version() for log in logs}


def pmpm(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pmpm_spark", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment())


def ended_well(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    assert process.returncode == 0, said[-2000:]


def make_theirs(spark: SparkSession) -> None:
    rows = spark.range(3)
    rows.write.format("parquet").saveAsTable(f"`{SCHEMA}`.{THEIRS[0]}")
    rows.write.format("delta").saveAsTable(f"`{SCHEMA}`.{THEIRS[1]}")
    spark.sql(f"CREATE TABLE `{SCHEMA}`.{THEIRS[2]} (id BIGINT) USING delta")


@pytest.fixture(scope="module")
def house(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Both warehouses, after the whole job and a payment run."""
    house = House(tmp_path_factory.mktemp("catalog"))
    source = str(house.root / "input")
    ended_well(
        pmpm(
            "generate",
            "--members",
            "40",
            "--years",
            "2021-2022",
            "--seed",
            "7",
            "--out",
            source,
            "--engine",
            "embedded",
        )
    )
    beside = ("--engine", "embedded", "--config", str(house.in_folder))
    in_folder = pmpm("run", *beside)
    day = payment_days(YEARS)[0]
    with ExitStack() as after:
        for schema in (SCHEMA, OTHER):
            spark.sql(f"CREATE SCHEMA `{schema}` LOCATION '{house.root / schema}'")
            after.callback(spark.sql, f"DROP SCHEMA IF EXISTS `{schema}` CASCADE")
        make_theirs(spark)
        config = load_config(str(house.in_schema))
        run(spark, config)
        capitate(spark, config, day)
        ended_well(in_folder)
        ended_well(pmpm("capitate", "--as-of", day.isoformat(), *beside))
        yield house


def test_a_schema_holds_the_rows_of_a_folder_in_every_table(house: House, spark: SparkSession) -> None:
    found, wanted = house.schema_digest(spark), house.folder_digest(spark)
    assert len(found) > 80
    assert sum(rows for rows, _ in found.values()) > 1000
    assert differing(found, wanted) == []


@pytest.mark.parametrize("table", ["network_pmpm", "excluded", "capitation_ledger_by_reason"])
def test_what_is_shown_is_the_same(
    table: str, house: House, capsys: pytest.CaptureFixture[str], spark: SparkSession
) -> None:
    said = []
    for config in (house.in_schema, house.in_folder):
        assert main(["show", table, "--config", str(config), "--format", "csv"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0].count("\n") > 2
    assert said[0] == said[1]


def test_others_tables_of_the_schema_are_as_they_were(house: House, spark: SparkSession) -> None:
    assert [spark.table(f"`{SCHEMA}`.{name}").count() for name in THEIRS] == [3, 3, 0]
    assert [house.newest()[name] for name in THEIRS[1:]] == [0, 0]


def test_a_second_warehouse_beside_it_has_its_own_tables_book_and_lease(house: House, spark: SparkSession) -> None:
    """A run by hand, with a table of one row that the first warehouse has with more."""
    before, newest = house.schema_digest(spark), house.newest()
    path = house.config(f'schema = "{OTHER}"', "other")
    config = load_config(str(path))
    with pytest.raises(InputError, match=rf"^{OTHER}: no run has finished in this warehouse"):
        published(spark, config)
    roster = published(spark, load_config(str(house.in_schema))).read(NETWORK_ROSTER)
    store = Store(spark, config.warehouse)
    with leased(spark, config.warehouse) as confirm:
        receipt = store.publish(
            NETWORK_ROSTER, roster.where("network_id = 'A2001'").orderBy(*NETWORK_ROSTER.key).limit(1)
        )
        confirm()
        RunBook(spark, config.warehouse).write("1", "finished", versions=store.versions, receipts=(receipt,))
    assert published(spark, config).read(NETWORK_ROSTER).count() == 1
    assert len(list((house.root / OTHER).glob("*/_delta_log"))) == 3  # the table, the book, the lease
    assert house.schema_digest(spark) == before
    assert house.newest() == newest
    spark.sql(f"DROP SCHEMA `{OTHER}` CASCADE")
    assert published(spark, load_config(str(house.in_schema))).read(NETWORK_ROSTER).count() > 1


def test_a_table_of_somebody_else_under_our_name_is_refused_and_kept(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA `theirs` LOCATION '{tmp_path}'")
    try:
        config = load_config(
            None,
            ('source.kind="rif"', f'source.path="{tmp_path}"', "performance_years=[2021]", 'warehouse.schema="theirs"'),
        )
        store = Store(spark, config.warehouse)
        spark.range(3).write.format("delta").saveAsTable("theirs.silver_claim_costs")
        spark.range(3).write.format("parquet").saveAsTable("theirs.ops_runs")
        for table in (CLAIM_COSTS, RUNS):
            name = table.name.replace(".", "_")
            with pytest.raises(StageError, match=rf"^{table.name}: theirs\.{name} is there and was not made by a run"):
                store.create(table)
            assert spark.table(f"theirs.{name}").count() == 3
        spark.sql("DROP TABLE theirs.silver_claim_costs")
        store.create(CLAIM_COSTS)
        Store(spark, config.warehouse).create(CLAIM_COSTS)  # what a first run left that was killed is ours
    finally:
        spark.sql("DROP SCHEMA `theirs` CASCADE")


@pytest.mark.parametrize(
    "named", ['warehouse.schema="not_there"', 'warehouse.schema="not-there"', 'warehouse.schema="table"']
)
def test_a_schema_that_is_not_there_is_named(spark: SparkSession, named: str, tmp_path: Path) -> None:
    config = load_config(None, ('source.kind="rif"', f'source.path="{tmp_path}"', "performance_years=[2021]", named))
    with pytest.raises(
        ConfigError, match=rf"^warehouse\.schema: there is no schema {config.warehouse.schema}; make it"
    ):
        run(spark, config)


FAULTY = ("a b", "a`b", "a'b", 'a"b', "a.b", "a;b", "", "ä", "a/b", "a\nb")


@pytest.mark.parametrize("name", FAULTY)
@pytest.mark.parametrize("key", ["schema", "catalog"])
def test_a_name_that_is_none_is_refused_with_the_configuration(name: str, key: str, tmp_path: Path) -> None:
    other = 'schema = "s"\n' if key == "catalog" else ""
    path = tmp_path / "config.toml"
    told = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    path.write_text(
        f'performance_years = [2021]\n[source]\nkind = "rif"\npath = "claims"\n[warehouse]\n{other}{key} = "{told}"\n'
    )
    with pytest.raises(ConfigError, match=rf"warehouse\.{key}: only letters, digits, _ and - are allowed") as caught:
        load_config(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["in.`x`", "a b", "in..x", "in.", "s3://bucket/in", "/data/in"])
def test_a_source_in_a_catalog_has_a_name_too(name: str) -> None:
    sets = (
        'source.kind="common"',
        'source.format="catalog"',
        f'source.path="{name}"',
        "performance_years=[2021]",
        'warehouse.schema="s"',
    )
    with pytest.raises(ConfigError, match=r"source\.path: name a schema, or catalog\.schema"):
        load_config(None, sets)
