"""The kinds of RIF files, their columns, and how a kind is recognised by its heading.

CMS Research Identifiable Files as the Beneficiary FHIR Data server exports them: pipe-separated, a heading, one row a
line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from pmpm_spark.sources import headings
from pmpm_spark.sources.bronze import delivered_table
from pmpm_spark.table import Table

SIGNATURES = {
    "beneficiary": "MDCR_ENTLMT_BUYIN_1_IND",
    "inpatient": "CLM_PASS_THRU_PER_DIEM_AMT",
    "outpatient": "CLM_OP_PRVDR_PMT_AMT",
    "snf": "NCH_QLFYD_STAY_FROM_DT",
    "hha": "CLM_HHA_TOT_VISIT_CNT",
    "hospice": "CLM_HOSPC_START_DT_ID",
    "carrier": "CARR_PRFRNG_PIN_NUM",
    "dme": "DMERC_LINE_SUPPLR_TYPE_CD",
    "pde": "PDE_ID",
}
"""The column that only this kind has."""
HISTORY_SIGNATURE = "EFCTV_BGN_DT"
"""Files of former beneficiary records: known, and not used."""

_REQUIRED = {
    "beneficiary": ("BENE_ID", "RFRNC_YR", "BENE_BIRTH_DT", "BENE_SEX_IDENT_CD", "DEATH_DT"),
    "institutional": ("BENE_ID", "CLM_ID", "CLM_FROM_DT", "CLM_THRU_DT", "CLM_PMT_AMT", "CLM_LINE_NUM"),
    "lines": ("BENE_ID", "CLM_ID", "LINE_NUM", "LINE_NCH_PMT_AMT", "LINE_LAST_EXPNS_DT", "CLM_THRU_DT"),
    "pde": ("BENE_ID", "PDE_ID", "SRVC_DT", "CVRD_D_PLAN_PD_AMT"),
}
INSTITUTIONAL_KINDS = ("inpatient", "outpatient", "snf", "hha", "hospice")
LINE_KINDS = ("carrier", "dme")
CLAIM_KINDS = (*INSTITUTIONAL_KINDS, *LINE_KINDS, "pde")


@lru_cache
def columns_of(kind: str) -> tuple[str, ...]:
    """The columns of one kind of file, in the order that CMS delivers them."""
    return _layout()[kind]


@lru_cache
def _layout() -> dict[str, tuple[str, ...]]:
    text_of = files("pmpm_spark.sources").joinpath("rif_layout.csv").read_text(encoding="utf-8")
    layout: dict[str, list[str]] = {}
    for row in csv.DictReader(text_of.splitlines()):
        layout.setdefault(row["kind"], []).append(row["column"])
    return {kind: tuple(columns) for kind, columns in layout.items()}


def required_columns(kind: str) -> tuple[str, ...]:
    group = "institutional" if kind in INSTITUTIONAL_KINDS else "lines" if kind in LINE_KINDS else kind
    months = tuple(f"MDCR_ENTLMT_BUYIN_{i}_IND" for i in range(1, 13)) if kind == "beneficiary" else ()
    return (*_REQUIRED[group], *months)


def kind_of(heading: Iterable[str]) -> str | None:
    """The kind of file with this heading; `history` for former beneficiary records; None for anything else."""
    names = set(heading)
    for kind, signature in SIGNATURES.items():
        if signature in names:
            return kind
    return "history" if HISTORY_SIGNATURE in names and "BENE_ID" in names else None


def check_heading(kind: str, heading: tuple[str, ...], file_name: str) -> tuple[str, ...]:
    """The columns of the heading that the layout does not know.

    Raises:
        InputError: a column that the mapping needs is missing, or a column stands twice.
    """
    return headings.check_heading(kind, heading, file_name, columns_of(kind), required_columns(kind))


def bronze_table(kind: str) -> Table:
    """The contract of the bronze table of one kind: the columns as delivered, all text."""
    return delivered_table(f"rif_{kind}", f"row of a {kind} file", columns_of(kind))


BRONZE = {kind: bronze_table(kind) for kind in SIGNATURES}
"""The bronze table of each kind."""
