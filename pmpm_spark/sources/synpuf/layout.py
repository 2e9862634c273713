"""The kinds of DE-SynPUF files and their columns.

CMS 2008-2010 Data Entrepreneurs' Synthetic Public Use File: comma-separated, quoted heading, dates YYYYMMDD. The year
of a beneficiary summary stands in its file's name alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from pmpm_spark.sources.bronze import delivered_table
from pmpm_spark.table import Table

SLOTS = 13
"""Lines of one row of a carrier claim."""
CODE_SLOTS = 45
"""HCPCS codes of one row of an institutional claim."""
PERSON = "DESYNPUF_ID"


def _numbered(stem: str, last: int) -> tuple[str, ...]:
    return tuple(f"{stem}_{n}" for n in range(1, last + 1))


_CHRONIC = (
    "ALZHDMTA", "CHF", "CHRNKIDN", "CNCR", "COPD", "DEPRESSN", "DIABETES", "ISCHMCHT", "OSTEOPRS", "RA_OA", "STRKETIA",
)  # fmt: skip
_CODES = (*_numbered("ICD9_DGNS_CD", 10), *_numbered("ICD9_PRCDR_CD", 6))
_CLAIM = (
    PERSON, "CLM_ID", "SEGMENT", "CLM_FROM_DT", "CLM_THRU_DT", "PRVDR_NUM", "CLM_PMT_AMT", "NCH_PRMRY_PYR_CLM_PD_AMT",
    "AT_PHYSN_NPI", "OP_PHYSN_NPI", "OT_PHYSN_NPI",
)  # fmt: skip
_OF_LINE = (
    "PRF_PHYSN_NPI", "TAX_NUM", "HCPCS_CD", "LINE_NCH_PMT_AMT", "LINE_BENE_PTB_DDCTBL_AMT",
    "LINE_BENE_PRMRY_PYR_PD_AMT", "LINE_COINSRNC_AMT", "LINE_ALOWD_CHRG_AMT", "LINE_PRCSG_IND_CD", "LINE_ICD9_DGNS_CD",
)  # fmt: skip
COLUMNS: dict[str, tuple[str, ...]] = {
    "beneficiary": (
        PERSON, "BENE_BIRTH_DT", "BENE_DEATH_DT", "BENE_SEX_IDENT_CD", "BENE_RACE_CD", "BENE_ESRD_IND", "SP_STATE_CODE",
        "BENE_COUNTY_CD", "BENE_HI_CVRAGE_TOT_MONS", "BENE_SMI_CVRAGE_TOT_MONS", "BENE_HMO_CVRAGE_TOT_MONS",
        "PLAN_CVRG_MOS_NUM", *[f"SP_{name}" for name in _CHRONIC],
        *[f"{stem}_{part}" for part in ("IP", "OP", "CAR") for stem in ("MEDREIMB", "BENRES", "PPPYMT")],
    ),
    "inpatient": (
        *_CLAIM, "CLM_ADMSN_DT", "ADMTNG_ICD9_DGNS_CD", "CLM_PASS_THRU_PER_DIEM_AMT", "NCH_BENE_IP_DDCTBL_AMT",
        "NCH_BENE_PTA_COINSRNC_LBLTY_AM", "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM", "CLM_UTLZTN_DAY_CNT", "NCH_BENE_DSCHRG_DT",
        "CLM_DRG_CD", *_CODES, *_numbered("HCPCS_CD", CODE_SLOTS),
    ),
    "outpatient": (
        *_CLAIM, "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM", *_CODES, "NCH_BENE_PTB_DDCTBL_AMT", "NCH_BENE_PTB_COINSRNC_AMT",
        "ADMTNG_ICD9_DGNS_CD", *_numbered("HCPCS_CD", CODE_SLOTS),
    ),
    "carrier": (
        PERSON, "CLM_ID", "CLM_FROM_DT", "CLM_THRU_DT", *_numbered("ICD9_DGNS_CD", 8),
        *[name for stem in _OF_LINE for name in _numbered(stem, SLOTS)],
    ),
    "pde": (
        PERSON, "PDE_ID", "SRVC_DT", "PROD_SRVC_ID", "QTY_DSPNSD_NUM", "DAYS_SUPLY_NUM", "PTNT_PAY_AMT",
        "TOT_RX_CST_AMT",
    ),
}  # fmt: skip
SIGNATURES = {
    "beneficiary": "BENE_HI_CVRAGE_TOT_MONS",
    "inpatient": "CLM_PASS_THRU_PER_DIEM_AMT",
    "outpatient": "NCH_BENE_PTB_COINSRNC_AMT",
    "carrier": "LINE_NCH_PMT_AMT_1",
    "pde": "PDE_ID",
}
"""The column that only this kind has."""
REQUIRED: dict[str, tuple[str, ...]] = {
    "beneficiary": (PERSON, "BENE_BIRTH_DT", "BENE_DEATH_DT", *COLUMNS["beneficiary"][8:11]),
    "inpatient": (PERSON, "CLM_ID", "SEGMENT", "CLM_FROM_DT", "CLM_THRU_DT", "CLM_PMT_AMT", "CLM_UTLZTN_DAY_CNT"),
    "outpatient": (PERSON, "CLM_ID", "SEGMENT", "CLM_FROM_DT", "CLM_THRU_DT", "CLM_PMT_AMT"),
    "carrier": (PERSON, "CLM_ID", "CLM_FROM_DT", "CLM_THRU_DT"),
    "pde": (PERSON, "PDE_ID", "SRVC_DT", "TOT_RX_CST_AMT", "PTNT_PAY_AMT"),
}
YEAR_IN_NAME = r"(20\d\d)_Beneficiary_Summary"


def kind_of(heading: Iterable[str]) -> str | None:
    names = set(heading)
    return next((kind for kind, signature in SIGNATURES.items() if signature in names), None)


def bronze_table(kind: str) -> Table:
    return delivered_table(f"synpuf_{kind}", f"row of a {kind} file", COLUMNS[kind])


BRONZE = {kind: bronze_table(kind) for kind in SIGNATURES}
"""The bronze table of each kind."""
CLAIM_KINDS = ("inpatient", "outpatient", "carrier", "pde")
