"""The tables that a run starts from, published by the package's own store from the generated common model.

    python -m benchmarks.loaded CONFIG

`pmpm load` makes the same tables by way of text, judging every row; here nothing is judged, since nothing is wrong with
what is generated, so that a million members need little memory. tests/test_benchmarks.py compares both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig, load_config
from pmpm_spark.model import (
    CLAIM_DIAGNOSES,
    CLAIM_LINES,
    CLAIM_PROCEDURES,
    COVERAGE_RECORDS,
    LOAD_AUDIT,
    MEMBERS,
    NETWORK_ROSTER,
    PROVIDERS,
    REJECTS,
    SUPPLIED_RISK_SCORES,
)
from pmpm_spark.runs import RunBook, contract_hashes, new_run_id
from pmpm_spark.session import open_session
from pmpm_spark.silver.removed_claims import REMOVED_CLAIMS, removed_claims
from pmpm_spark.sources.lists import LISTS
from pmpm_spark.stages import STORED
from pmpm_spark.store import Store, empty

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pmpm_spark.table import Table

AMOUNTS = ("pass_through_amount", "ime_amount", "dsh_amount", "uncompensated_care_amount", "patient_paid_amount")
DEFAULTS = {
    **{name: f"coalesce({name}, 0)" for name in AMOUNTS},
    "modifiers": "coalesce(modifiers, cast(array() AS array<string>))",
    **{name: f"coalesce({name}, '')" for name in ("tin", "npi", "ccn")},
    "start_date": "coalesce(start_date, DATE '1900-01-01')",
    "end_date": "coalesce(end_date, DATE '9999-12-31')",
}
"""What a cell that is not told stands for."""
OF_COMMON = (MEMBERS, COVERAGE_RECORDS, CLAIM_LINES, CLAIM_PROCEDURES)


def load(config: RunConfig) -> None:
    """Publish the tables and write the book of runs."""
    spark = open_session(None, "loaded", config.engine)
    store = Store(spark, config.warehouse)
    folder = Path(config.source.path).parent

    places = (
        *[(table, f"common/{table.short_name}") for table in OF_COMMON],
        (CLAIM_DIAGNOSES, "dated_diagnoses"),
        (NETWORK_ROSTER, "lists/network_roster"),
        (PROVIDERS, "lists/providers"),
        (SUPPLIED_RISK_SCORES, "lists/risk_scores"),
    )
    for table, below in places:
        store.publish(table, _shaped(spark.read.parquet(f"{folder}/{below}"), table))
    store.publish(REMOVED_CLAIMS, removed_claims(store.read(CLAIM_LINES)))
    for table in (*[the_list.silver for the_list in LISTS], REJECTS, LOAD_AUDIT):
        if table.name not in store.versions:
            store.publish(table, empty(spark, table))
    RunBook(spark, config.warehouse).write(
        new_run_id(), "finished", versions=store.versions, contracts=contract_hashes(store, STORED)
    )


def _shaped(frame: DataFrame, table: Table) -> DataFrame:
    """The table's columns in their order, with the defaults."""
    return frame.select(*[F.expr(DEFAULTS.get(c.name, c.name)).alias(c.name) for c in table.columns])


if __name__ == "__main__":
    load(load_config(sys.argv[1]))
