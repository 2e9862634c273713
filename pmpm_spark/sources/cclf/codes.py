"""Diagnoses and procedures of Part A claims (CCLF4, CCLF3), and the lists of them that a claim carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.intake import accepted
from pmpm_spark.model.intake import CLAIM_CODE_ROWS, CODED
from pmpm_spark.sources.cclf.cells import day, record, typed
from pmpm_spark.sources.cclf.fates import latest_record_fates

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DIAGNOSIS, PROCEDURE = "diagnosis", "procedure"
_SYSTEMS = {DIAGNOSIS: ("ICD-9-CM", "ICD-10-CM"), PROCEDURE: ("ICD-9-PCS", "ICD-10-PCS")}
_LISTED = "D"
"""CLM_PROD_TYPE_CD of a listed diagnosis; external causes stand after those."""


def code_rows(procedures: DataFrame, diagnoses: DataFrame) -> DataFrame:
    """The records of CCLF3 and CCLF4 with their fates."""
    return _code_rows("cclf3", PROCEDURE, procedures).unionByName(_code_rows("cclf4", DIAGNOSIS, diagnoses))


def _code_rows(kind: str, code_kind: str, bronze: DataFrame) -> DataFrame:
    row = record(kind)
    name = "CLM_PRCDR_CD" if code_kind == PROCEDURE else "CLM_DGNS_CD"
    listing = F.lit(_LISTED) if code_kind == PROCEDURE else F.coalesce(row.told("CLM_PROD_TYPE_CD"), F.lit(_LISTED))
    row.required("CLM_VAL_SQNC_NUM")
    values = {
        "claim_id": row.required("CUR_CLM_UNIQ_ID"),
        "code_kind": F.lit(code_kind),
        "listing": listing,
        "sequence": row.whole("CLM_VAL_SQNC_NUM"),
        "code": _plain(row.required(name)),
        "code_system": _system(row.told("DGNS_PRCDR_ICD_IND"), code_kind),
        "on": day(row, "CLM_PRCDR_PRFRM_DT") if code_kind == PROCEDURE else F.lit(None).cast("date"),
    }
    fated = latest_record_fates(typed(row, kind, bronze, values), ("claim_id", "listing", "sequence"))
    return fated.select(*CLAIM_CODE_ROWS.column_names)


def claim_codes(rows: DataFrame) -> DataFrame:
    """One row a claim: its diagnoses and its procedures in their order, positions from 1."""

    def listed(code_kind: str) -> Column:
        place = F.struct(
            (F.col("listing") != _LISTED).alias("is_after"), "listing", "sequence", "code", "code_system", "on"
        )
        # nulls are not collected; array_compact here would mix rows up on the embedded engine
        of_kind = F.sort_array(F.collect_list(F.when(F.col("code_kind") == code_kind, place)))
        return F.transform(
            of_kind, lambda c, at: _one((at + 1).cast("int"), c["code"], c["code_system"], c["on"])
        ).cast(CODED)

    return (
        accepted(rows)
        .groupBy("claim_id")
        .agg(listed(DIAGNOSIS).alias("diagnoses"), listed(PROCEDURE).alias("procedures"))
    )


def with_principal(diagnoses: str, principal: str, version: str) -> Column:
    """The diagnoses with the principal one at position 0, unless the list begins with it."""
    rest = F.coalesce(F.col(diagnoses), F.array().cast(CODED))
    code = _plain(F.col(principal))
    first = F.get(rest, F.lit(0))["code"]
    is_apart = code.isNotNull() & ~first.eqNullSafe(code)
    alone = F.array(_one(F.lit(0), code, _system(F.col(version), DIAGNOSIS), F.lit(None).cast("date"))).cast(CODED)
    return F.when(is_apart, F.concat(alone, rest)).otherwise(rest)


def listed_diagnoses(cells: Sequence[Column], version: Column) -> Column:
    """Diagnoses that stand side by side in a record."""
    told = F.array(
        *[
            _one(F.lit(n), _plain(cell), _system(version, DIAGNOSIS), F.lit(None).cast("date"))
            for n, cell in enumerate(cells, 1)
        ]
    )
    return F.filter(told.cast(CODED), lambda one: one["code"].isNotNull())


def _one(position: Column, code: Column, code_system: Column, on: Column) -> Column:
    return F.struct(position.alias("position"), code.alias("code"), code_system.alias("code_system"), on.alias("on"))


def _plain(code: Column) -> Column:
    return F.regexp_replace(code, r"\.", "")


def _system(version: Column, code_kind: str) -> Column:
    old, new = _SYSTEMS[code_kind]
    return F.when(version == "9", old).otherwise(new)
