"""CCLF5 and CCLF6: physicians' and equipment lines, netted line by line under their claim's control number.

CCLF6 tells no tax number of the supplier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.cclf.ids import claim_number
from pmpm_spark.generate.cclf.records import amount, cents, day, number, quantity, record
from pmpm_spark.generate.cclf.schedule import Schedule
from pmpm_spark.generate.cclf.versions import ORIGINAL, delivered, is_unmatched, told_versions, with_steps
from pmpm_spark.generate.claims import whole
from pmpm_spark.generate.draws import Draws
from pmpm_spark.generate.rif import money
from pmpm_spark.sources.cells import rif_date

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DIGIT = {"carrier": 6, "dme": 7}


def line_records(rows: DataFrame, draws: Draws, kind: str, schedule: Schedule) -> DataFrame:
    """The records of one kind, of its RIF rows."""
    text = {
        "hcpcs": "HCPCS_CD",
        "payer": "LINE_BENE_PRMRY_PYR_CD",
        "indicator": "LINE_PRCSG_IND_CD",
        "specialty": "PRVDR_SPCLTY",
        "place": "LINE_PLACE_OF_SRVC_CD",
        "diagnosis": "LINE_ICD_DGNS_CD",
        "tin": "TAX_NUM",
        "npi": "PRF_PHYSN_NPI" if kind == "carrier" else "PRVDR_NPI",
        "referring": "RFR_PHYSN_NPI",
    }
    last_day = F.col("LINE_LAST_EXPNS_DT")
    is_readable = cents(F.col("LINE_NCH_PMT_AMT")).isNotNull() & (
        (F.trim(last_day) == "") | rif_date(last_day).isNotNull()
    )
    readable = rows.where(is_readable).select(
        *[F.col(name) for name in rows.columns if name != "CLM_ID"],
        F.col("CLM_ID").alias("claim_id"),
        (F.col("DML_IND") == "UPDATE").cast("int").alias("is_update"),
        (F.col("FINAL_ACTION") != "N").alias("is_final"),
        rif_date(F.col("NCH_WKLY_PROC_DT")).alias("processed_on"),
        F.col("LINE_NUM").cast("int").alias("line"),
    )
    facts = {
        "member_id": F.col("BENE_ID"),
        "service_from": rif_date(F.col("CLM_FROM_DT")),
        "service_thru": rif_date(F.col("CLM_THRU_DT")),
        "denial": F.col("CARR_CLM_PMT_DNL_CD"),
        "diagnosis_1": F.col("ICD_DGNS_CD1"),
        "diagnosis_2": F.col("ICD_DGNS_CD2"),
    }
    lines = {
        "line": F.col("line"),
        "first_day": rif_date(F.col("LINE_1ST_EXPNS_DT")),
        "last_day": rif_date(last_day),
        "pay": cents(F.col("LINE_NCH_PMT_AMT")),
        "allowed": cents(F.col("LINE_ALOWD_CHRG_AMT")),
        **{name: F.trim(F.col(column)) for name, column in text.items()},
    }
    claims = told_versions(readable, facts, lines)
    # what replaces a line is another original under the same control number
    steps = with_steps(claims, draws, kind, schedule, adjustment=ORIGINAL, has_twins=False)
    versions = delivered(steps, draws, kind, schedule)
    lined = versions.select(*versions.columns, F.explode("lines").alias("of_line"))
    cells = _carrier_cells() if kind == "carrier" else _equipment_cells()
    record_kind = "cclf5" if kind == "carrier" else "cclf6"
    return lined.select("delivery", record(record_kind, {**_cells(_DIGIT[kind]), **cells}).alias("record"))


def _cells(digit: int) -> dict[str, Column | str]:
    """What both kinds tell."""
    fact, line, step = F.col("facts"), F.col("of_line"), F.col("step")
    claim_id = F.col("claim_id")
    control = F.concat(F.when(is_unmatched(), "X").otherwise(""), F.substr(claim_id, F.lit(2)))
    return {
        "CUR_CLM_UNIQ_ID": claim_number(digit, claim_id, step["version"]),
        "CLM_LINE_NUM": number(line["line"], 10),
        "BENE_MBI_ID": F.col("mbi"),
        "CLM_FROM_DT": day(fact["service_from"]),
        "CLM_THRU_DT": day(fact["service_thru"]),
        "CLM_POS_CD": line["place"],
        "CLM_LINE_FROM_DT": day(line["first_day"]),
        "CLM_LINE_THRU_DT": day(line["last_day"]),
        "CLM_LINE_HCPCS_CD": line["hcpcs"],
        "CLM_CARR_PMT_DNL_CD": fact["denial"],
        # a blank does not deny a research file's line; of these files CMS says that all but A, O, R and S does
        "CLM_PRCSG_IND_CD": F.when(line["indicator"] == "", "A").otherwise(line["indicator"]),
        "CLM_ADJSMT_TYPE_CD": step["adjustment"],
        "CLM_EFCTV_DT": day(F.col("effective_on")),
        "CLM_IDR_LD_DT": day(F.col("loaded_on")),
        "CLM_CNTL_NUM": control,
        "CLM_DISP_CD": "01",
    }


def _carrier_cells() -> dict[str, Column | str]:
    fact, line = F.col("facts"), F.col("of_line")
    return {
        "CLM_TYPE_CD": "71",
        "RNDRG_PRVDR_FIPS_ST_CD": "44",
        "CLM_PRVDR_SPCLTY_CD": line["specialty"],
        "CLM_FED_TYPE_SRVC_CD": "1",
        "CLM_LINE_CVRD_PD_AMT": money(_paid(), zero="0.00"),
        "CLM_LINE_PRMRY_PYR_CD": line["payer"],
        "CLM_LINE_DGNS_CD": line["diagnosis"],
        "CLM_RNDRG_PRVDR_TAX_NUM": line["tin"],
        "RNDRG_PRVDR_NPI_NUM": line["npi"],
        "CLM_LINE_ALOWD_CHRG_AMT": money(_allowed(), zero="0.00"),
        "CLM_LINE_SRVC_UNIT_QTY": quantity(F.lit(1)),
        "CLM_DGNS_1_CD": fact["diagnosis_1"],
        "CLM_DGNS_2_CD": fact["diagnosis_2"],
        "DGNS_PRCDR_ICD_IND": "0",
        "CLM_RNDRG_PRVDR_NPI_NUM": line["npi"],
        "CLM_RFRG_PRVDR_NPI_NUM": line["referring"],
        "CLM_CNTRCTR_NUM": "00524",
    }


def _equipment_cells() -> dict[str, Column | str]:
    line = F.col("of_line")
    return {
        "CLM_TYPE_CD": "82",
        "CLM_FED_TYPE_SRVC_CD": "P",
        "CLM_LINE_CVRD_PD_AMT": amount(_paid(), 15),
        "CLM_PRMRY_PYR_CD": line["payer"],
        "PAYTO_PRVDR_NPI_NUM": line["npi"],
        "ORDRG_PRVDR_NPI_NUM": line["referring"],
        "CLM_LINE_ALOWD_CHRG_AMT": amount(_allowed(), 17),
        "CLM_BLG_PRVDR_NPI_NUM": line["npi"],
        "CLM_RFRG_PRVDR_NPI_NUM": line["referring"],
    }


def _paid() -> Column:
    return whole(F.col("of_line.pay") * F.col("step.share"))


def _allowed() -> Column:
    return whole(F.col("of_line.allowed") * F.col("step.share"))
