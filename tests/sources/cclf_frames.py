"""CCLF records as bronze rows, without files: for tests of what the records mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import claim_lines
from pmpm_spark.model import CLAIM_LINES, CLAIM_ROWS, MEMBER_ID_CHANGES
from pmpm_spark.reference import SERVICE_CATEGORIES, reference_rows
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.removed_claims import removed_claims
from pmpm_spark.sources.cclf.claims import claim_rows
from pmpm_spark.sources.cclf.codes import code_rows
from pmpm_spark.sources.cclf.ids import member_id_changes, other_rows
from pmpm_spark.sources.cclf.layout import BRONZE
from pmpm_spark.table import conform
from tests.cclf_files import fields, length, name_of
from tests.sources.frames import hash_of

LOADED_AT = datetime(2024, 1, 1, tzinfo=UTC)
Delivered = dict[str, list[str]]


def bronze(
    spark: SparkSession, kind: str, *deliveries: tuple[str, list[str]], batch: str = "b1", regular: str = "Y"
) -> DataFrame:
    """One bronze row a record of each delivery, told by its file date; a record of another length is not parted."""
    rows: list[tuple[Any, ...]] = []
    for day, records in deliveries:
        for number, text in enumerate(records, start=1):
            whole = len(text) == length(kind)
            told = [text[a:b] if whole else None for _, a, b, _ in fields(kind)]
            name = name_of(day, kind[-1], regular)
            rows.append((*told, name, number, batch, LOADED_AT, hash_of(text), None if whole else text))
    table = BRONZE[kind.lower()]
    return spark.createDataFrame(rows, T.StructType([T.StructField(c.name, c.type) for c in table.columns]))


class Netted:
    """Claim rows of records, and the lines that stand of them."""

    def __init__(
        self, spark: SparkSession, day: str = "220515", **delivered: list[str] | list[tuple[str, list[str]]]
    ) -> None:
        def frame(kind: str) -> DataFrame:
            told: Any = delivered.get(kind.lower(), [])
            deliveries = told if told and isinstance(told[0], tuple) else [(day, told)]
            return bronze(spark, kind, *deliveries)

        told = member_id_changes(other_rows(frame("CCLF0"), frame("CCLF9"))).collect() if "cclf9" in delivered else []
        changes = spark.createDataFrame(told, MEMBER_ID_CHANGES.schema)  # a published table, as in a run
        codes = code_rows(frame("CCLF3"), frame("CCLF4"))
        parts = [frame(kind) for kind in ("CCLF1", "CCLF2", "CCLF5", "CCLF6", "CCLF7")]
        built = conform(claim_rows(*parts, codes, changes), CLAIM_ROWS)
        self.rows = spark.createDataFrame(built.collect(), built.schema)  # computed once, whatever a test asks of it
        self.lines = conform(claim_lines(self.rows), CLAIM_LINES)
        removed, categories = removed_claims(self.lines), reference_rows(SERVICE_CATEGORIES)
        self.final = final_claim_lines(self.lines, removed, service_categories=categories)

    def standing(self, amount: str = "paid_amount") -> list[tuple[Any, ...]]:
        """Claim, line and amount of what stands and is not denied."""
        kept = self.final.where("NOT is_denied").select("claim_id", "line_number", amount)
        return sorted((r[0].lstrip("0"), r[1], str(r[2])) for r in kept.collect())

    def fates(self) -> list[tuple[Any, ...]]:
        """Claim, line, outcome and reasons of every row."""
        told = self.rows.select("claim_id", "line_number", "outcome", F.concat_ws(";", "reject_reasons").alias("why"))
        return sorted(((r[0] or "").lstrip("0"), r[1] or 0, r[2], r[3]) for r in told.collect())
