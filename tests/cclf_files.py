"""Small CCLF deliveries, written from what a test tells; other fields are blank."""

from __future__ import annotations

import csv
import gzip
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

LAYOUT = Path(__file__).parent.parent / "pmpm_spark" / "sources" / "cclf_layout.csv"
KINDS = tuple(f"CCLF{n}" for n in range(10))
Records = Mapping[str, Sequence[str]]


@cache
def fields(kind: str) -> tuple[tuple[str, int, int, str], ...]:
    with LAYOUT.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == kind]
    return tuple((row["field"], int(row["start"]) - 1, int(row["end"]), row["type"]) for row in rows)


def length(kind: str) -> int:
    return fields(kind)[-1][2]


def record(kind: str, values: Mapping[str, str]) -> str:
    """One record: digits with leading zeros, signed amounts behind their sign's place, text to the left."""
    unknown = set(values) - {name for name, *_ in fields(kind)}
    assert not unknown, f"{kind} has no field {unknown}"
    cells = []
    for name, start, end, picture in fields(kind):
        value, width = values.get(name, ""), end - start
        if value and picture.startswith("9"):
            value = value.zfill(width)
        elif value and picture.startswith("-9"):
            value = ("-" if value.startswith("-") else " ") + value.lstrip("-").zfill(width - 1)
        cells.append(value.ljust(width))
    return "".join(cells)


def header(claim: str, member: str, paid: str, adjustment: str = "0", **more: str) -> str:
    """CCLF1: an outpatient claim of 10 April 2022 of provider 410001."""
    told = {
        "CUR_CLM_UNIQ_ID": claim, "BENE_MBI_ID": member, "CLM_PMT_AMT": paid, "CLM_ADJSMT_TYPE_CD": adjustment,
        "CLM_TYPE_CD": "40", "CLM_FROM_DT": "2022-04-10", "CLM_THRU_DT": "2022-04-10",
        "CLM_BLG_PRVDR_OSCAR_NUM": "410001", "PRVDR_OSCAR_NUM": "410001", "CLM_EFCTV_DT": "2022-04-20",
        "CLM_CNTL_NUM": f"N{claim}",
    }  # fmt: skip
    return record("CCLF1", told | more)


def center(claim: str, number: int, **more: str) -> str:
    """CCLF2: a revenue center line."""
    told = {"CUR_CLM_UNIQ_ID": claim, "CLM_LINE_NUM": str(number), "CLM_LINE_PROD_REV_CTR_CD": "0510"}
    return record("CCLF2", told | more)


def line(kind: str, claim: str, number: int, member: str, paid: str, adjustment: str = "0", **more: str) -> str:
    """CCLF5 or CCLF6: a line of 10 April 2022 under control number N1."""
    told = {
        "CUR_CLM_UNIQ_ID": claim, "CLM_LINE_NUM": str(number), "BENE_MBI_ID": member, "CLM_LINE_CVRD_PD_AMT": paid,
        "CLM_LINE_ALOWD_CHRG_AMT": paid, "CLM_ADJSMT_TYPE_CD": adjustment, "CLM_LINE_FROM_DT": "2022-04-10",
        "CLM_LINE_THRU_DT": "2022-04-10", "CLM_EFCTV_DT": "2022-04-20", "CLM_CNTL_NUM": "N1",
        "CLM_CARR_PMT_DNL_CD": "1", "CLM_PRCSG_IND_CD": "A",
    }  # fmt: skip
    return record(kind, told | more)


def fill(claim: str, member: str, paid: str, adjustment: str = "0", **more: str) -> str:
    """CCLF7: prescription 1 filled on 10 April 2022."""
    told = {
        "CUR_CLM_UNIQ_ID": claim, "BENE_MBI_ID": member, "CLM_LINE_BENE_PMT_AMT": paid,
        "CLM_ADJSMT_TYPE_CD": adjustment, "CLM_LINE_FROM_DT": "2022-04-10", "CLM_EFCTV_DT": "2022-04-20",
        "PRVDR_SRVC_ID_QLFYR_CD": "01", "CLM_SRVC_PRVDR_GNRC_ID_NUM": "1234567890",
        "CLM_LINE_RX_SRVC_RFRNC_NUM": "1", "CLM_LINE_RX_FILL_NUM": "0",
    }  # fmt: skip
    return record("CCLF7", told | more)


def person(member: str, buyin: str = "3", **more: str) -> str:
    """CCLF8: a person born in 1940."""
    told = {
        "BENE_MBI_ID": member, "BENE_ENTLMT_BUYIN_IND": buyin, "BENE_DOB": "1940-03-15", "BENE_SEX_CD": "2",
        "BENE_MDCR_STUS_CD": "10", "BENE_DUAL_STUS_CD": "NA",
    }  # fmt: skip
    return record("CCLF8", told | more)


def change(previous: str, current: str, **more: str) -> str:
    """CCLF9: a change of id."""
    return record("CCLF9", {"HICN_MBI_XREF_IND": "M", "PRVS_NUM": previous, "CRNT_NUM": current} | more)


def control(records: Records) -> str:
    """CCLF0 for these records."""
    rows = ["File Number  |File Description    |Total Records Count |Record Length"]
    for kind in KINDS[1:]:
        count = str(len(records.get(kind, ())))
        rows.append(f"{kind:<7}|{'file':<43}|{count:>11}|{length(kind):>5} ")
    return "\n".join(rows) + "\n"


def name_of(day: str, kind: str = "", regular: str = "Y") -> str:
    """A delivery's name, or that of one of its files, for a file date as 220515."""
    year = f"{int(day[:2]) - (day[2:4] == '01'):02d}"
    return f"P.A1001.ACO.ZC{kind}{regular}{year}.D{day}.T0000000"


def members(day: str, records: Records, regular: str = "Y") -> dict[str, bytes]:
    """The files of a delivery by name; a person is listed where none is told."""
    told = {"CCLF8": [person("M1")], **records}
    files = {name_of(day, kind[-1], regular): "".join(f"{r}\n" for r in told.get(kind, ())) for kind in KINDS[1:]}
    files[name_of(day, "0", regular)] = control(told)
    return {name: text.encode() for name, text in sorted(files.items())}


def packed(folder: Path, day: str, files: Mapping[str, bytes], regular: str = "Y") -> Path:
    """A zip without extension, as CMS sends it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(day, regular=regular)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def deliver(folder: Path, day: str, records: Records | None = None, regular: str = "Y") -> Path:
    return packed(folder, day, members(day, records or {}, regular), regular)


def lay_out(folder: Path, files: Mapping[str, bytes], *, zipped: bool = False) -> Path:
    """The files of a delivery in a folder, plain or each gzipped."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / (name + ".gz" if zipped else name)).write_bytes(gzip.compress(content) if zipped else content)
    return folder
