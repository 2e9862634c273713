"""CCLF claim records to the common model's claim rows.

Part A: the payment stands in the header (CCLF1, CLM_PMT_AMT); amounts of revenue centers need not add up to it, so the
first readable line (CCLF2) carries the header's payment and the others 0. A claim without a readable line is a line
itself. Part B and DME carry their own line amounts. Part D carries the beneficiary's payment alone. Denied: any
non-payment reason; payment denial code 0 (the whole claim); line processing indicator other than blank, A, O, R, S.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.intake import with_current_ids
from pmpm_spark.model.claim_lines import LINE_COLUMNS
from pmpm_spark.model.intake import CLAIM_ROWS, LINES, UNMATCHED_LINE
from pmpm_spark.sources.cclf.cells import day, record, typed
from pmpm_spark.sources.cclf.codes import claim_codes, listed_diagnoses, with_principal
from pmpm_spark.sources.cclf.fates import latest_record_fates, rejected_too
from pmpm_spark.sources.cclf.netting import with_cancelled, with_replaced
from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CLAIM_TYPE = {
    "10": "home_health",
    "20": "snf",
    "30": "snf",
    "40": "outpatient",
    "50": "hospice",
    "60": "inpatient",
    "61": "inpatient",
}
"""CLM_TYPE_CD of Part A."""
ADJUSTMENT = {"0": "original", "1": "cancel", "2": "replacement"}
"""CLM_ADJSMT_TYPE_CD."""
PAID_INDICATORS = ("A", "O", "R", "S")
DENIED_CLAIMS = ("0", "00")
PART_D_KEY = (
    "CLM_LINE_FROM_DT",
    "PRVDR_SRVC_ID_QLFYR_CD",
    "CLM_SRVC_PRVDR_GNRC_ID_NUM",
    "CLM_DSPNSNG_STUS_CD",
    "CLM_LINE_RX_SRVC_RFRNC_NUM",
    "CLM_LINE_RX_FILL_NUM",
)
NPI_QUALIFIER = "01"
_CODES = ("diagnoses", "procedures")
_NAMES = tuple(name for name in CLAIM_ROWS.column_names if name != "lines")
_TYPES: dict[str, T.DataType] = {
    **{c.name: c.type for c in LINE_COLUMNS},
    "principal_diagnosis": T.StringType(),
    "icd_version": T.StringType(),
}
_OF_LINE = ("line_number", "revenue_code", "hcpcs", "modifiers")
"""What a revenue center tells; all else of its line is the header's."""
_FATE = (
    "_bronze_table",
    "_source_file",
    "_source_row",
    "_batch_id",
    "outcome",
    "reject_reasons",
    "rejected_row",
    "row_as_read",
    "told_amount",
)
_HEADER_AMOUNTS = ("paid_amount", "pass_through_amount", "ime_amount", "dsh_amount", "uncompensated_care_amount")


def claim_rows(
    headers: DataFrame,
    centers: DataFrame,
    part_b: DataFrame,
    dme: DataFrame,
    part_d: DataFrame,
    code_rows: DataFrame,
    member_id_changes: DataFrame,
) -> DataFrame:
    """The claim records of every kind, each with its fate, under the current id of its person."""
    of_all = [
        _institutional(_headers(headers, member_id_changes), _centers(centers), code_rows),
        _with_first_diagnoses(_lines("cclf5", part_b, member_id_changes)),
        _lines("cclf6", dme, member_id_changes),
        _drugs(part_d, member_id_changes),
    ]
    every = of_all[0].unionByName(of_all[1]).unionByName(of_all[2]).unionByName(of_all[3])
    return every.withColumn("lines", F.lit(None).cast(LINES))  # each row is one line


def _headers(bronze: DataFrame, member_id_changes: DataFrame) -> DataFrame:
    row = record("cclf1")
    service_from, service_thru = day(row, "CLM_FROM_DT"), day(row, "CLM_THRU_DT")
    bill_type = F.concat(
        *[
            F.coalesce(row.told(name), F.lit(""))
            for name in ("CLM_BILL_FAC_TYPE_CD", "CLM_BILL_CLSFCTN_CD", "CLM_BILL_FREQ_CD")
        ]
    )
    claim_type = _coded(row, "CLM_TYPE_CD", CLAIM_TYPE)
    paid = row.amount("CLM_PMT_AMT")
    values = {
        **_empty(),
        **_version(row),
        "claim_type": claim_type,
        **row.service_days(service_from, service_thru, "CLM_THRU_DT"),
        "discharge_status": row.told("BENE_PTNT_STUS_CD"),
        "drg": row.told("DGNS_DRG_CD"),
        "bill_type": F.when(bill_type != "", bill_type),
        "billing_npi": F.coalesce(row.told("FAC_PRVDR_NPI_NUM"), row.told("CLM_BLG_PRVDR_NPI_NUM")),
        "facility_ccn": F.coalesce(row.told("PRVDR_OSCAR_NUM"), row.told("CLM_BLG_PRVDR_OSCAR_NUM")),
        "primary_payer_code": row.told("CLM_NCH_PRMRY_PYR_CD"),
        "paid_amount": paid,
        "pass_through_amount": F.lit(0).cast(MONEY),
        "ime_amount": (row.amount("CLM_MDCR_IP_PPS_CPTL_IME_AMT") + row.amount("CLM_OPRTNL_IME_AMT")).cast(MONEY),
        "dsh_amount": (row.amount("CLM_MDCR_IP_PPS_DSPRPRTNT_AMT") + row.amount("CLM_OPRTNL_DSPRPRTNT_AMT")).cast(
            MONEY
        ),
        "uncompensated_care_amount": row.amount("CLM_HIPPS_UNCOMPD_CARE_AMT"),
        "is_denied": row.told("CLM_MDCR_NPMT_RSN_CD").isNotNull(),
        "told_amount": paid,
        "billed_by": row.told("CLM_BLG_PRVDR_OSCAR_NUM"),
        "principal_diagnosis": row.told("PRNCPL_DGNS_CD"),
        "icd_version": row.told("DGNS_PRCDR_ICD_IND"),
        "control_number": F.when(row.told("CLM_ADJSMT_TYPE_CD") == "1", row.told("CLM_ORG_CNTL_NUM")).otherwise(
            row.told("CLM_CNTL_NUM")
        ),
    }
    current = with_current_ids(typed(row, "cclf1", bronze, values), member_id_changes)
    grouped = current.withColumn("claim_group", _group("A", "billed_by", "service_from", "service_thru", "member_id"))
    return with_cancelled(latest_record_fates(grouped, ("claim_id",)))


def _centers(bronze: DataFrame) -> DataFrame:
    row = record("cclf2")
    row.required("CLM_LINE_NUM")
    revenue = row.told("CLM_LINE_PROD_REV_CTR_CD")
    values = {
        "claim_id": row.required("CUR_CLM_UNIQ_ID"),
        "line_number": row.whole("CLM_LINE_NUM"),
        "revenue_code": F.when(F.length(revenue) < 4, F.lpad(revenue, 4, "0")).otherwise(revenue),
        "hcpcs": row.told("CLM_LINE_HCPCS_CD"),
        "modifiers": _modifiers(row),
        "told_amount": F.lit(0).cast(MONEY),
    }
    return latest_record_fates(typed(row, "cclf2", bronze, values), ("claim_id", "line_number"))


def _institutional(headers: DataFrame, centers: DataFrame, code_rows: DataFrame) -> DataFrame:
    """Headers and their lines, brought together by one window over the claim."""
    facts = [name for name in _TYPES if name not in _OF_LINE and name != "claim_id"]
    headers_alone = headers.select("claim_id", *_nothing(*_OF_LINE), *facts, *_FATE, F.lit(True).alias("is_header"))
    lines_alone = centers.select("claim_id", *_OF_LINE, *_nothing(*facts), *_FATE, F.lit(False).alias("is_header"))
    is_accepted = F.col("outcome") == "accepted"
    key = F.when(is_accepted, F.col("claim_id")).otherwise(
        F.concat_ws(
            "|", F.lit("alone"), "_bronze_table", "_source_file", F.col("_source_row").cast("string"), "_batch_id"
        )
    )
    whole_claim = Window.partitionBy("claim_key").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    both = headers_alone.unionByName(lines_alone).withColumn("claim_key", key)
    header = F.max(F.when(F.col("is_header"), F.struct(*facts))).over(whole_claim)
    first_line = F.min(F.when(~F.col("is_header"), F.col("line_number"))).over(whole_claim)
    beside = both.withColumns({"header": header, "first_line": first_line})
    judged = rejected_too(beside, ~F.col("is_header") & F.col("header").isNull(), UNMATCHED_LINE)

    stands = F.col("outcome") == "accepted"
    carries = stands & F.coalesce(F.col("line_number") == F.col("first_line"), F.col("first_line").isNull())
    zero = F.lit(0).cast(MONEY)
    told = {name: F.when(stands, F.col("header")[name]).otherwise(F.col(name)) for name in facts}
    amounts = {name: F.when(stands & ~carries, zero).otherwise(told[name]) for name in _HEADER_AMOUNTS}
    is_line_itself = F.col("is_header") & stands & F.col("first_line").isNull()
    placed = judged.withColumns(
        {
            **told,
            **amounts,
            "line_number": F.when(is_line_itself, 1).otherwise(F.col("line_number")),
            "carries": carries,
        }
    )
    coded = placed.join(claim_codes(code_rows), "claim_id", how="left")
    diagnoses = with_principal("diagnoses", "principal_diagnosis", "icd_version")
    return coded.withColumns(
        {
            "diagnoses": F.when(F.col("carries"), diagnoses),
            "procedures": F.when(F.col("carries"), F.col("procedures")),
        }
    ).select(*_NAMES)


def _lines(kind: str, bronze: DataFrame, member_id_changes: DataFrame) -> DataFrame:
    """Part B and DME lines, netted line by line under their claim's control number."""
    row = record(kind)
    row.required("CLM_LINE_NUM")
    service_from = F.coalesce(day(row, "CLM_LINE_FROM_DT"), day(row, "CLM_FROM_DT"))
    service_thru = F.coalesce(day(row, "CLM_LINE_THRU_DT"), day(row, "CLM_THRU_DT"))
    indicator, paid = row.told("CLM_PRCSG_IND_CD"), row.amount("CLM_LINE_CVRD_PD_AMT")
    values = {
        **_empty(),
        **_version(row),
        "line_number": row.whole("CLM_LINE_NUM"),
        "claim_type": F.lit("professional" if kind == "cclf5" else "dme"),
        **row.service_days(service_from, service_thru, "CLM_LINE_THRU_DT", "CLM_THRU_DT"),
        "place_of_service": row.told("CLM_POS_CD"),
        "hcpcs": row.told("CLM_LINE_HCPCS_CD"),
        "paid_amount": paid,
        "allowed_amount": row.amount("CLM_LINE_ALOWD_CHRG_AMT"),
        "is_denied": F.coalesce(row.told("CLM_CARR_PMT_DNL_CD").isin(*DENIED_CLAIMS), F.lit(False))
        | F.coalesce(~indicator.isin(*PAID_INDICATORS), F.lit(False)),
        "told_amount": paid,
        "control": row.required("CLM_CNTL_NUM"),
        "control_number": F.lit(None).cast("string"),
        **(_physician(row) if kind == "cclf5" else _supplier(row)),
    }
    current = with_current_ids(typed(row, kind, bronze, values), member_id_changes)
    grouped = current.withColumn("claim_group", _group(kind[-1], "control", "member_id", "line_number"))
    return with_cancelled(latest_record_fates(grouped, ("claim_id", "line_number"))).select(*_NAMES)


def _physician(row: TypedRow) -> dict[str, Column]:
    specialty = row.told("CLM_PRVDR_SPCLTY_CD")
    rendering = F.coalesce(row.told("RNDRG_PRVDR_NPI_NUM"), row.told("CLM_RNDRG_PRVDR_NPI_NUM"))
    return {
        "modifiers": _modifiers(row),
        "billing_tin": row.told("CLM_RNDRG_PRVDR_TAX_NUM"),
        "rendering_npi": rendering,
        "rendering_specialty": F.when(F.length(specialty) == 1, F.lpad(specialty, 2, "0")).otherwise(specialty),
        "primary_payer_code": row.told("CLM_LINE_PRMRY_PYR_CD"),
        "diagnoses": listed_diagnoses(
            [row.told(f"CLM_DGNS_{n}_CD") for n in range(1, 13)], row.told("DGNS_PRCDR_ICD_IND")
        ),
    }


def _supplier(row: TypedRow) -> dict[str, Column]:
    npi = F.coalesce(row.told("PAYTO_PRVDR_NPI_NUM"), row.told("CLM_BLG_PRVDR_NPI_NUM"))
    return {"billing_npi": npi, "rendering_npi": npi, "primary_payer_code": row.told("CLM_PRMRY_PYR_CD")}


def _drugs(bronze: DataFrame, member_id_changes: DataFrame) -> DataFrame:
    """Part D records: of each natural key the one that takes effect last stands, and none where it is a deletion."""
    row = record("cclf7")
    filled_on, patient_paid = day(row, "CLM_LINE_FROM_DT"), row.amount("CLM_LINE_BENE_PMT_AMT")
    values = {
        **_empty(),
        **_version(row),
        "line_number": F.lit(1),
        "claim_type": F.lit("pharmacy"),
        **row.service_days(filled_on, filled_on, "CLM_LINE_FROM_DT"),
        "billing_npi": F.when(
            row.told("PRVDR_SRVC_ID_QLFYR_CD") == NPI_QUALIFIER, row.told("CLM_SRVC_PRVDR_GNRC_ID_NUM")
        ),
        "rendering_npi": F.when(
            row.told("PRVDR_PRSBNG_ID_QLFYR_CD") == NPI_QUALIFIER, row.told("CLM_PRSBNG_PRVDR_GNRC_ID_NUM")
        ),
        "paid_amount": F.lit(None).cast(MONEY),
        "patient_paid_amount": patient_paid,
        "claim_group": F.concat_ws("|", F.lit("D"), *[F.coalesce(row.told(name), F.lit("")) for name in PART_D_KEY]),
        "is_denied": F.lit(False),
        "told_amount": patient_paid,
    }
    current = with_current_ids(typed(row, "cclf7", bronze, values), member_id_changes)
    return with_replaced(latest_record_fates(current, ("claim_id",))).select(*_NAMES)


def _with_first_diagnoses(lines: DataFrame) -> DataFrame:
    """Diagnoses on the first readable line of a claim alone."""
    line = F.when(F.col("outcome") == "accepted", F.col("line_number"))
    of_claim = Window.partitionBy("claim_id", F.col("outcome") == "accepted").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    marked = lines.withColumn("first_line", F.min(line).over(of_claim))
    return marked.withColumn("diagnoses", F.when(line == F.col("first_line"), F.col("diagnoses"))).drop("first_line")


def _empty() -> dict[str, Column]:
    return {c.name: F.lit(None).cast(c.type) for c in CLAIM_ROWS.columns if c.name in _TYPES or c.name in _CODES}


def _nothing(*names: str) -> list[Column]:
    return [F.lit(None).cast(_TYPES[name]).alias(name) for name in names]


def _version(row: TypedRow) -> dict[str, Column]:
    """Whose, which claim, and which version of it."""
    effective_on = day(row, "CLM_EFCTV_DT")
    row.required("CLM_EFCTV_DT")
    return {
        "claim_id": row.required("CUR_CLM_UNIQ_ID"),
        "claim_version": effective_on.cast("string"),
        "member_id": row.required("BENE_MBI_ID"),
        "paid_on": effective_on,
        "effective_on": effective_on,
        "adjustment": _coded(row, "CLM_ADJSMT_TYPE_CD", ADJUSTMENT),
    }


def _coded(row: TypedRow, name: str, meanings: dict[str, str]) -> Column:
    row.required(name)
    code = row.one_of(name, tuple(meanings))
    return F.coalesce(*[F.when(code == key, F.lit(meaning)) for key, meaning in meanings.items()])


def _modifiers(row: TypedRow) -> Column:
    return F.array_compact(F.array(*[row.told(f"HCPCS_{n}_MDFR_CD") for n in range(1, 6)]))


def _group(part: str, *names: str) -> Column:
    """The natural key as text."""
    return F.concat_ws("|", F.lit(part), *[F.coalesce(F.col(name).cast("string"), F.lit("")) for name in names])
