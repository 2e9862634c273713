"""CCLF7: fills, with what the beneficiary paid alone. A deletion has no drug and no amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.cclf.ids import claim_number
from pmpm_spark.generate.cclf.records import amount, cents, day, number, quantity, record
from pmpm_spark.generate.cclf.schedule import Schedule
from pmpm_spark.generate.cclf.versions import CANCEL, delivered, is_unmatched, told_versions, with_drug_steps
from pmpm_spark.generate.claims import whole
from pmpm_spark.generate.draws import Draws
from pmpm_spark.sources.cells import rif_date

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DIGIT = 8
_TEXTS = {
    "drug": "PROD_SRVC_ID",
    "pharmacy_kind": "SRVC_PRVDR_ID_QLFYR_CD",
    "pharmacy": "SRVC_PRVDR_ID",
    "prescriber_kind": "PRSCRBR_ID_QLFYR_CD",
    "prescriber": "PRSCRBR_ID",
    "fill": "FILL_NUM",
    "quantity": "QTY_DSPNSD_NUM",
    "days": "DAYS_SUPLY_NUM",
}


def drug_records(rows: DataFrame, draws: Draws, schedule: Schedule) -> DataFrame:
    readable = rows.where(rif_date(F.col("SRVC_DT")).isNotNull()).select(
        *rows.columns,
        F.col("PDE_ID").alias("claim_id"),
        (F.col("DML_IND") == "UPDATE").cast("int").alias("is_update"),
        (F.col("FINAL_ACTION") != "N").alias("is_final"),
        rif_date(F.col("PD_DT")).alias("processed_on"),
        F.lit(1).alias("line"),
    )
    facts = {
        "member_id": F.col("BENE_ID"),
        "filled_on": rif_date(F.col("SRVC_DT")),
        "patient": cents(F.col("PTNT_PAY_AMT")),
        **{name: F.col(column) for name, column in _TEXTS.items()},
    }
    claims = told_versions(readable, facts, {"line": F.col("line")})
    versions = delivered(with_drug_steps(claims, draws), draws, "drugs", schedule)
    fact, step, claim_id = F.col("facts"), F.col("step"), F.col("claim_id")
    is_deletion = step["adjustment"] == CANCEL
    event = F.concat(F.substr(claim_id, F.lit(4), F.lit(7)), F.substr(claim_id, F.lit(12), F.lit(4)))
    cells: dict[str, Column | str] = {
        "CUR_CLM_UNIQ_ID": claim_number(_DIGIT, claim_id, step["version"]),
        "BENE_MBI_ID": F.col("mbi"),
        "CLM_LINE_NDC_CD": F.when(~is_deletion, fact["drug"]),
        "CLM_TYPE_CD": "01",
        "CLM_LINE_FROM_DT": day(fact["filled_on"]),
        "PRVDR_SRVC_ID_QLFYR_CD": fact["pharmacy_kind"],
        "CLM_SRVC_PRVDR_GNRC_ID_NUM": fact["pharmacy"],
        "CLM_DAW_PROD_SLCTN_CD": "0",
        "CLM_LINE_SRVC_UNIT_QTY": quantity(fact["quantity"]),
        "CLM_LINE_DAYS_SUPLY_QTY": number(fact["days"], 9),
        "PRVDR_PRSBNG_ID_QLFYR_CD": fact["prescriber_kind"],
        "CLM_PRSBNG_PRVDR_GNRC_ID_NUM": fact["prescriber"],
        "CLM_LINE_BENE_PMT_AMT": amount(F.when(is_deletion, 0).otherwise(whole(fact["patient"] * step["share"])), 13),
        "CLM_ADJSMT_TYPE_CD": step["adjustment"],
        "CLM_EFCTV_DT": day(F.col("effective_on")),
        "CLM_IDR_LD_DT": day(F.col("loaded_on")),
        "CLM_LINE_RX_SRVC_RFRNC_NUM": F.concat(F.when(is_unmatched(), "9").otherwise("0"), event),
        "CLM_LINE_RX_FILL_NUM": fact["fill"],
        "CLM_PHRMCY_SRVC_TYPE_CD": "01",
    }
    return versions.select("delivery", record("cclf7", cells).alias("record"))
