"""Claim lines and the codes of their claims to the common model's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import latest_row_fates, own_row_key
from pmpm_spark.model import CLAIM_CODE_ROWS, CLAIM_ROWS
from pmpm_spark.model.claim_lines import CLAIM_TYPES, LINE_COLUMNS
from pmpm_spark.model.intake import UNMATCHED_CANCEL
from pmpm_spark.sources.births import not_before_birth
from pmpm_spark.sources.cclf.codes import DIAGNOSIS, PROCEDURE, claim_codes
from pmpm_spark.sources.cclf.fates import rejected_too
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.sources.codes import codes_on_first_line
from pmpm_spark.sources.common.layout import BRONZE, DEFAULTS
from pmpm_spark.sources.tabular import BETWEEN
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ADJUSTMENTS = ("original", "cancel", "replacement")
_NO_DAY, _VERSION_WIDTH = "0000-00-00", 20


def all_claim_rows(claim_lines: DataFrame, code_rows: DataFrame, enrollment_rows: DataFrame) -> DataFrame:
    """The claim lines, each with its fate; a claim's codes stand on its first line that counts."""
    judged = not_before_birth(_lines(claim_lines), enrollment_rows)
    settled = _netted(latest_row_fates(judged, ("claim_id", "line_number", "claim_version")))
    coded = settled.drop("diagnoses", "procedures").join(claim_codes(code_rows), "claim_id", how="left")
    return codes_on_first_line(coded).select(*CLAIM_ROWS.column_names)


def _netted(settled: DataFrame) -> DataFrame:
    """The newest version of a claim id counts; a cancel for which there is no claim to remove is rejected.

    The newest takes effect last, or was paid last, or has the highest version.
    """
    told = [F.coalesce(F.col(name).cast("string"), F.lit(_NO_DAY)) for name in ("effective_on", "paid_on")]
    order = F.concat(*told, F.lpad("claim_version", _VERSION_WIDTH, "0"), "claim_version")
    version_at = 2 * len(_NO_DAY) + _VERSION_WIDTH + 1
    is_accepted, is_cancel = F.col("outcome") == "accepted", F.col("adjustment") == "cancel"
    whole = (Window.unboundedPreceding, Window.unboundedFollowing)
    of_claim = Window.partitionBy("claim_id", "own_key").rowsBetween(*whole)
    about = Window.partitionBy("about", "own_key").rowsBetween(*whole)
    keyed = settled.withColumns(
        {
            "own_key": F.when(~is_accepted, own_row_key()),
            "about": F.when(is_cancel, F.coalesce("cancels_claim_id", "claim_id")).otherwise(F.col("claim_id")),
        }
    )
    newest = F.substr(F.max(order).over(of_claim), F.lit(version_at))
    judged = keyed.withColumns({"newest": newest, "removable": F.count_if(~is_cancel).over(about)})
    rejected = rejected_too(judged, is_cancel & (F.col("removable") == 0), UNMATCHED_CANCEL)
    is_older = (F.col("outcome") == "accepted") & (F.col("claim_version") != F.col("newest"))
    # the older versions of its own id are superseded already
    removes = F.when(F.col("cancels_claim_id") != F.col("claim_id"), F.col("cancels_claim_id"))
    return rejected.withColumns(
        {
            "outcome": F.when(is_older, "superseded").otherwise(F.col("outcome")),
            "cancels_claim_id": removes,
        }
    ).drop("own_key", "about", "newest", "removable")


def _lines(bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    values = {c.name: _cell(row, c.name, c.type) for c in LINE_COLUMNS}
    for name in ("claim_id", "line_number", "member_id", "claim_type"):
        row.required(name)
    row.one_of("claim_type", CLAIM_TYPES)
    row.one_of("adjustment", ADJUSTMENTS)
    service_thru = values["service_thru"]
    paid, claim_type = values["paid_amount"], values["claim_type"]
    row.must(row.told("paid_amount").isNotNull() | (claim_type == "pharmacy"), "paid_amount is missing")
    values |= row.service_days(F.coalesce(values["service_from"], service_thru), service_thru, "service_thru")
    values["told_amount"] = F.coalesce(paid, values["patient_paid_amount"])
    return row.rows(bronze, BRONZE["claim_lines"], CLAIM_ROWS, values)


def _cell(row: TypedRow, name: str, kind: T.DataType) -> Column:
    if isinstance(kind, T.ArrayType):
        told = F.split(row.told(name), BETWEEN)
        return F.coalesce(told, F.array().cast(kind))
    typers: dict[T.DataType, Callable[[str], Column]] = {
        T.DateType(): row.iso_day,
        MONEY: row.amount_told,
        T.IntegerType(): row.whole,
        T.BooleanType(): row.flag,
    }
    typed = typers.get(kind, row.told)(name)
    default = DEFAULTS.get(f"claim_lines.{name}")
    if default is None or name == "service_from":  # it stands for another column
        return typed
    return F.coalesce(typed, F.lit(default).cast(kind))


def all_code_rows(claim_diagnoses: DataFrame, claim_procedures: DataFrame) -> DataFrame:
    """Diagnoses and procedures, each with its fate: the row of a claim and position that was loaded last."""
    both = ((DIAGNOSIS, "claim_diagnoses", claim_diagnoses), (PROCEDURE, "claim_procedures", claim_procedures))
    parts = [_codes(code_kind, name, bronze) for code_kind, name, bronze in both]
    return parts[0].unionByName(parts[1])


def _codes(code_kind: str, table_name: str, bronze: DataFrame) -> DataFrame:
    row = TypedRow()
    row.required("position")
    values = {
        "claim_id": row.required("claim_id"),
        "code_kind": F.lit(code_kind),
        "listing": F.lit("D"),
        "sequence": row.whole("position"),
        "code": F.regexp_replace(row.required("code"), r"\.", ""),
        "code_system": F.coalesce(row.told("code_system"), F.lit(DEFAULTS[f"{table_name}.code_system"])),
        "on": row.iso_day("procedure_date") if code_kind == PROCEDURE else F.lit(None).cast("date"),
    }
    typed = row.rows(bronze, BRONZE[table_name], CLAIM_CODE_ROWS, values)
    return latest_row_fates(typed, ("claim_id", "sequence")).select(*CLAIM_CODE_ROWS.column_names)
