"""The input of the benchmark: the package's own generated people in the common model, kept on disk for the next run.

What `pmpm generate --format common` writes has no cancel and no replacement, so that nothing would have to be netted:
three claims in a hundred get one here. The lists become Parquet, typed, so that nobody measures how CSV is read.
Above `MOST_GENERATED` people they stand there several times, each time under other ids.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pmpm_spark.engine import PLATFORM_VARIABLES

ROOT = Path(__file__).resolve().parent.parent
FIRST_YEAR, LAST_YEAR, SEED = 2020, 2022, 7
YEARS = tuple(range(FIRST_YEAR, LAST_YEAR + 1))
LISTS = {
    "network_roster": "network_id, network_name, network_type, tin, npi, ccn, start_date::DATE AS start_date, "
    "end_date::DATE AS end_date",
    "providers": "npi, name, specialty, taxonomy",
    "risk_scores": "member_id, performance_year::INTEGER AS performance_year, "
    "risk_score::DECIMAL(12, 6) AS risk_score, model, source",
}
REFERENCE = {
    "primary_care_hcpcs": "program, hcpcs, first_year::INTEGER AS first_year, last_year::INTEGER AS last_year",
    "normalization_factors": "performance_year::INTEGER AS performance_year, "
    "normalization_factor::DOUBLE AS normalization_factor",
}
MOST_GENERATED = 50_000
"""A larger input is these people again and again, which is sooner written than more people are generated."""
IDS = (
    *("member_id", "claim_id", "claim_group", "cancels_claim_id"),
    *("billing_tin", "billing_npi", "facility_ccn", "rendering_npi", "tin", "npi", "ccn"),
)
"""What tells one copy from the others: people, claims and whoever bills them, so that nobody serves more people than
before. The networks stay, and grow, as they do where more people are generated."""
COMMON = ("members", "coverage_records", "claim_lines", "claim_diagnoses", "claim_procedures")
BY_SIZE = "FILE_SIZE_BYTES '64MB'"
MEMORY = "8GB"
AMOUNTS = (
    "paid_amount",
    "allowed_amount",
    "patient_paid_amount",
    "pass_through_amount",
    "ime_amount",
    "dsh_amount",
    "uncompensated_care_amount",
)
WITH_CANCELS = f"""
SELECT * FROM lines
UNION ALL
SELECT * REPLACE (
    claim_id || 'C' AS claim_id, 'cancel' AS adjustment, claim_id AS cancels_claim_id,
    {", ".join(f"-{name} AS {name}" for name in AMOUNTS)}
) FROM lines WHERE hash(claim_id) % 100 = 0
UNION ALL
SELECT * REPLACE (
    claim_id || 'R' AS claim_id, 'replacement' AS adjustment, claim_id AS cancels_claim_id,
    {", ".join(f"(({name} * 9)::DECIMAL(18, 2) / 10)::DECIMAL(18, 2) AS {name}" for name in AMOUNTS)}
) FROM lines WHERE hash(claim_id) % 100 IN (1, 2)
"""
"""One claim in a hundred is cancelled, two are replaced at nine tenths of their money."""


DATED_DIAGNOSES = """
SELECT d.*, f.told.service_thru AS service_thru, f.told.claim_type AS claim_type
FROM diagnoses d LEFT JOIN (
    SELECT claim_id, arg_min({service_thru: service_thru, claim_type: claim_type}, line_number) AS told
    FROM lines GROUP BY claim_id
) f ON f.claim_id = d.claim_id
"""
"""Our table of diagnoses also has the day and type of their claims, which `pmpm load` finds."""


@dataclass(frozen=True)
class Input:
    """Where the input of one size stands."""

    members: int
    folder: Path

    @property
    def warehouse(self) -> Path:
        """Our tables, loaded: bronze and the common model."""
        return self.folder / "loaded"

    def config(self, warehouse: Path, engine: str) -> str:
        """The TOML of a run over this input."""
        lists = "\n".join(f'{name} = "{self.folder}/lists/{name}"' for name in LISTS)
        formats = "\n".join(f'{name} = "parquet"' for name in LISTS)
        return (
            f'engine = "{engine}"\nperformance_years = {list(YEARS)}\npolicy = "conf/policies/default.toml"\n\n'
            f'[source]\nkind = "common"\nformat = "parquet"\npath = "{self.folder}/common"\n{lists}\n\n'
            f'[source.formats]\n{formats}\n\n[warehouse]\npath = "{warehouse}"\n'
        )

    def load(self) -> None:
        """Fill our warehouse, where it is not filled yet."""
        done = self.folder / "loaded.done"
        if done.is_file():
            return
        print(f"loading {self.members:,} members", file=sys.stderr)
        shutil.rmtree(self.warehouse, ignore_errors=True)
        config = self.folder / "load.toml"
        config.write_text(self.config(self.warehouse, "embedded"), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "benchmarks.loaded", str(config)], cwd=ROOT, check=True)  # noqa: S603
        done.write_text("", encoding="utf-8")

    def claim_lines(self) -> int:
        """Rows of claim_lines."""
        with duckdb.connect() as at:
            query = f"SELECT count(*) FROM '{self.folder}/common/claim_lines/*.parquet'"
            return int(at.execute(query).fetchall()[0][0])


def generated(members: int, below: Path, first_year: int = FIRST_YEAR, most: int = MOST_GENERATED) -> Input:
    """The input of a size, written where it does not stand. Above `most` a size is a multiple of it."""
    folder = below.resolve() / f"input-{members}"
    if not (folder / "finished").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        if members > most:
            if members % most:
                raise SystemExit(f"error: {members:,} members: above {most:,} give a multiple of it")
            _multiply(generated(most, below, first_year), members // most, folder)
        else:
            _generate(members, below, first_year, folder)
        (folder / "finished").write_text("", encoding="utf-8")
    return Input(members, folder)


def _generate(members: int, below: Path, first_year: int, folder: Path) -> None:
    raw = below.resolve() / f"raw-{members}"
    shutil.rmtree(raw, ignore_errors=True)
    print(f"generating {members:,} members", file=sys.stderr)
    years = f"{first_year}-{LAST_YEAR}"
    told = {"--members": str(members), "--years": years, "--seed": str(SEED), "--out": str(raw)}
    options = [word for option in told.items() for word in option]
    command = [sys.executable, "-m", "pmpm_spark", "generate", "--format", "common", "--engine", "embedded"]
    own = {name: value for name, value in os.environ.items() if name not in PLATFORM_VARIABLES}
    done = subprocess.run([*command, *options], cwd=ROOT, env=own, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"error: {members:,} members cannot be generated: {done.stderr.strip()[-500:]}")
    _prepare(raw, folder)
    shutil.rmtree(raw)


def _prepare(raw: Path, folder: Path) -> None:
    for name in COMMON:
        if name != "claim_lines":
            shutil.copytree(raw / "common" / name, folder / "common" / name)
    for below in ("common/claim_lines", "dated_diagnoses", *[f"lists/{name}" for name in LISTS], "reference"):
        (folder / below).mkdir(parents=True)
    with _duckdb(folder) as at:
        at.execute(f"CREATE VIEW lines AS FROM '{raw}/common/claim_lines/*.parquet'")
        at.execute(f"CREATE VIEW diagnoses AS FROM '{raw}/common/claim_diagnoses/*.parquet'")
        _write(at, WITH_CANCELS, folder / "common" / "claim_lines", BY_SIZE)
        _write(at, DATED_DIAGNOSES, folder / "dated_diagnoses", BY_SIZE)
        for name, columns in LISTS.items():
            csv = f"read_csv('{raw}/{name}/*.csv', all_varchar = true, header = true)"
            _write(at, f"SELECT {columns} FROM {csv}", folder / "lists" / name / "list.parquet")
        for name, columns in REFERENCE.items():
            csv = f"read_csv('{ROOT}/pmpm_spark/reference/{name}.csv', all_varchar = true, header = true)"
            _write(at, f"SELECT {columns} FROM {csv}", folder / "reference" / f"{name}.parquet")


def _multiply(base: Input, copies: int, folder: Path) -> None:
    """The base's tables as many times as told, one copy after the other, each with its own ids."""
    shutil.copytree(base.folder / "reference", folder / "reference")
    with _duckdb(folder) as at:
        for table in (*[f"common/{name}" for name in COMMON], "dated_diagnoses", *[f"lists/{name}" for name in LISTS]):
            (folder / table).mkdir(parents=True)
            query = _copies(at, f"'{base.folder}/{table}/*.parquet'", copies)
            _write(at, query, folder / table, BY_SIZE)


def _copies(at: duckdb.DuckDBPyConnection, files: str, copies: int) -> str:
    """The query for a table's rows as many times as told."""
    ids = [name for name, *_ in at.execute(f"DESCRIBE FROM {files}").fetchall() if name in IDS]

    def one(copy: int) -> str:
        own = ", ".join(f"{name} || '.{copy}' AS {name}" for name in ids)
        return f"SELECT * REPLACE ({own}) FROM {files}"

    return " UNION ALL ".join(map(one, range(copies)))


def _duckdb(folder: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(folder / "scratch")})


def _write(at: duckdb.DuckDBPyConnection, query: str, out: Path, more: str = "") -> None:
    options = ", ".join(filter(None, ["FORMAT parquet, COMPRESSION zstd", more]))
    at.execute(f"COPY ({query}) TO '{out}' ({options})")
