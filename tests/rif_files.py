"""Small files in the layout of CMS's research files, written from what a test tells; other cells are blank."""

from __future__ import annotations

import csv
from decimal import Decimal
from functools import cache
from pathlib import Path

LAYOUT = Path(__file__).parent.parent / "pmpm_spark" / "sources" / "rif_layout.csv"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
ALL_YEAR = "333333333333"
NOBODY = "            "


@cache
def heading(kind: str) -> tuple[str, ...]:
    with LAYOUT.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return tuple(row["column"] for row in sorted(rows, key=lambda row: int(row["position"])))


def line(kind: str, values: dict[str, str]) -> str:
    unknown = set(values) - set(heading(kind))
    assert not unknown, f"{kind} has no column {unknown}"
    return "|".join(values.get(column, "") for column in heading(kind))


def write(folder: Path, name: str, kind: str, *lines: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["|".join(heading(kind)), *lines]) + "\n", encoding="utf-8")
    return path


def enrolled(
    member: str,
    year: int,
    buy_in: str = ALL_YEAR,
    *,
    hmo: str = NOBODY,
    contract: str = "",
    status: str = "10",
    dual: str = "NA",
    **more: str,
) -> str:
    """A row of the enrollment file; `buy_in` and `hmo` have one character a month, a space for blank."""
    values = {"DML_IND": "INSERT", "BENE_ID": member, "RFRNC_YR": str(year), "STATE_CODE": "41", **more}
    values.setdefault("BENE_BIRTH_DT", "15-Mar-1940")
    for number, name in enumerate(MONTHS, start=1):
        values[f"MDCR_ENTLMT_BUYIN_{number}_IND"] = buy_in[number - 1]
        values[f"HMO_{number}_IND"] = hmo[number - 1]
        values[f"PTC_CNTRCT_{name}_ID"] = contract
        values[f"MDCR_STUS_{name}_CD"] = status
        values[f"META_DUAL_ELGBL_STUS_{name}_CD"] = dual
    return line("beneficiary", values)


def claim(
    kind: str, claim_id: str, member: str, start: str, thru: str, paid: str, *, number: int = 1, **more: str
) -> str:
    """A row of a claim file. On carrier and DME rows the header's amount is one that must not be read."""
    values = {"DML_IND": "INSERT", "FINAL_ACTION": "F", "BENE_ID": member}
    if kind == "pde":
        values |= {"PDE_ID": claim_id, "SRVC_DT": thru, "PD_DT": thru, "CVRD_D_PLAN_PD_AMT": paid}
        return line(kind, values | more)
    values |= {
        "CLM_ID": claim_id,
        "CLM_FROM_DT": start,
        "CLM_THRU_DT": thru,
        "NCH_WKLY_PROC_DT": "31-Dec-2021",
    }
    if kind in ("carrier", "dme"):
        values |= {
            "CLM_PMT_AMT": "77777.77",
            "LINE_NUM": str(number),
            "LINE_1ST_EXPNS_DT": start,
            "LINE_LAST_EXPNS_DT": thru,
            "LINE_NCH_PMT_AMT": paid,
            "LINE_PRCSG_IND_CD": "A",
            "CARR_CLM_PMT_DNL_CD": "1",
            "LINE_BENE_PRMRY_PYR_CD": " ",
        }
    else:
        values |= {
            "CLM_PMT_AMT": paid,
            "CLM_LINE_NUM": str(number),
            "CLM_MDCR_NON_PMT_RSN_CD": " ",
            "NCH_PRMRY_PYR_CD": " ",
            "PTNT_DSCHRG_STUS_CD": "1",
        }
    return line(kind, values | more)


def visit(claim_id: str, member: str, day: str, allowed: str, tin: str, npi: str, **more: str) -> str:
    """A primary care line; four fifths of what is allowed is paid."""
    paid = str((Decimal(allowed) * Decimal("0.8")).quantize(Decimal("0.01")))
    columns = {"HCPCS_CD": "99213", "LINE_ALOWD_CHRG_AMT": allowed, "TAX_NUM": tin, "PRF_PHYSN_NPI": npi}
    return claim("carrier", claim_id, member, day, day, paid, **(columns | more))
