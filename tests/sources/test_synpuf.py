"""DE-SynPUF: what months are placed, claims in rows of slots and segments, and CMS's own totals person by person."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from csv import DictReader
from datetime import date
from decimal import Decimal
from gzip import open as gzip_open
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.model import (
    CLAIM_DIAGNOSES,
    CLAIM_LINES,
    COVERAGE_RECORDS,
    FINAL_CLAIM_LINES,
    LOAD_AUDIT,
    MEMBERS,
    REJECTS,
)
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.sources.births import BEFORE_BIRTH
from pmpm_spark.sources.synpuf.layout import COLUMNS
from pmpm_spark.warehouse import Published, published
from tests.partly import run_without_gold

pytestmark = pytest.mark.delta

SUMMARY = "DE1_0_{}_Beneficiary_Summary_File_Sample_1.csv"
CLAIMS = "DE1_0_2008_to_2010_{}_Claims_Sample_1.csv"
MONTH = Policy("month", Eligibility(part_a_b="current_month"))
Row = dict[str, str]


def write(folder: Path, name: str, kind: str, rows: list[Row]) -> None:
    """A file in CMS's form: quoted heading, nothing quoted below it."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = COLUMNS[kind]
    unknown = {name for row in rows for name in row} - set(columns)
    assert not unknown
    lines = [",".join(f'"{name}"' for name in columns), *[",".join(r.get(n, "") for n in columns) for r in rows]]
    (folder / name).write_text("\n".join(lines) + "\n")


def person(member: str, part_a: object, part_b: object, managed: object, **more: str) -> Row:
    counts = {"HI": part_a, "SMI": part_b, "HMO": managed}
    told = {f"BENE_{name}_CVRAGE_TOT_MONS": str(count) for name, count in counts.items()}
    return {"DESYNPUF_ID": member, "BENE_BIRTH_DT": "19400101", "BENE_SEX_IDENT_CD": "2", **told, **more}


def ran(
    spark: SparkSession, folder: Path, warehouse: Path, *years: int, group: str | None = None, gold: bool = True
) -> tuple[Published, tuple[str, ...]]:
    config = RunConfig(Source("synpuf", str(folder), max_reject_share=1.0), Warehouse(str(warehouse)), years, (MONTH,))
    notices = run(spark, config, group=group).notices if gold else run_without_gold(spark, config)
    return published(spark, config), notices


# --- by hand ---


@pytest.fixture(scope="module")
def by_hand(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Published, tuple[str, ...]]:
    """One of each: who dies, who joins, who is in Medicare Advantage; a second segment; two lines and eleven slots."""
    root = tmp_path_factory.mktemp("synpuf")
    people = [
        person("whole", 12, 12, 0),
        person("joined", 5, 3, 0),
        person("died", 6, 6, 2, BENE_DEATH_DT="20080601"),
        person("odd", 9, 9, 0, BENE_DEATH_DT="20080401"),
        person("managed", 12, 12, 7, BENE_ESRD_IND="Y"),
        person("young", 12, 12, 0, BENE_BIRTH_DT="19600101", BENE_SEX_IDENT_CD="1"),
        person("minus", -1, 12, 0),
        person("many", 13, 12, 0),
    ]
    write(root / "in", SUMMARY.format(2008), "beneficiary", people)
    stay = {"DESYNPUF_ID": "whole", "CLM_ID": "1", "SEGMENT": "1", "CLM_FROM_DT": "20080401", "CLM_THRU_DT": "20080405"}
    paid = {"CLM_PMT_AMT": "4000.00", "CLM_PASS_THRU_PER_DIEM_AMT": "10.00", "CLM_UTLZTN_DAY_CNT": "4"}
    more = {"CLM_DRG_CD": "201", "ICD9_DGNS_CD_1": "1970", "ICD9_DGNS_CD_3": "4019", "ICD9_PRCDR_CD_1": "9904"}
    second = {"DESYNPUF_ID": "whole", "CLM_ID": "1", "SEGMENT": "2", **paid}
    no_days = {"DESYNPUF_ID": "whole", "CLM_ID": "9", "SEGMENT": "1", "CLM_PMT_AMT": "1.00"}
    early = {**stay, "CLM_ID": "8", "CLM_FROM_DT": "19390101", "CLM_THRU_DT": "19391231", "CLM_PMT_AMT": "7.00"}
    write(root / "in", CLAIMS.format("Inpatient"), "inpatient", [{**stay, **paid, **more}, second, no_days, early])
    visit = {**stay, "CLM_ID": "2", "CLM_PMT_AMT": "90.00", "HCPCS_CD_2": "99283", "HCPCS_CD_5": "80053"}
    dollars = {**visit, "CLM_ID": "3", "CLM_PMT_AMT": "$90.00"}
    write(root / "in", CLAIMS.format("Outpatient"), "outpatient", [visit, dollars])
    lines = {
        "HCPCS_CD_1": "99213", "LINE_NCH_PMT_AMT_1": "50.00", "LINE_ALOWD_CHRG_AMT_1": "60.00",
        "LINE_COINSRNC_AMT_1": "10.00", "LINE_PRCSG_IND_CD_1": "A", "PRF_PHYSN_NPI_1": "11", "TAX_NUM_1": "T1",
        "HCPCS_CD_4": "36415", "LINE_NCH_PMT_AMT_4": "3.00", "LINE_ALOWD_CHRG_AMT_4": "3.00", "LINE_PRCSG_IND_CD_4": "C",
        "PRF_PHYSN_NPI_4": "12", "TAX_NUM_4": "T2", "LINE_NCH_PMT_AMT_5": "0.00",
    }  # fmt: skip
    days = {"CLM_FROM_DT": "20080501", "CLM_THRU_DT": "20080501"}
    claim = {"DESYNPUF_ID": "whole", "CLM_ID": "4", **days, "ICD9_DGNS_CD_2": "V700", **lines}
    formats = [{**claim, "CLM_ID": n, "CLM_THRU_DT": told} for n, told in (("5", "2008-05-01"), ("6", "05/01/2008"))]
    write(root / "in", "DE1_0_2008_to_2010_Carrier_Claims_Sample_1A.csv", "carrier", [claim, *formats])
    fill = {"DESYNPUF_ID": "whole", "PDE_ID": "1", "SRVC_DT": "20080601", "TOT_RX_CST_AMT": "80", "PTNT_PAY_AMT": "20"}
    write(root / "in", "DE1_0_2008_to_2010_Prescription_Drug_Events_Sample_1.csv", "pde", [fill])
    return ran(spark, root / "in", root / "warehouse", 2008)


def test_counted_months_stand_last_in_the_year_or_up_to_the_death(by_hand: tuple[Published, Any]) -> None:
    found = defaultdict(set)
    for row in by_hand[0].read(COVERAGE_RECORDS).collect():
        months = range(row["coverage_start"].month, row["coverage_end"].month + 1)
        flags = {"a": row["has_part_a"], "b": row["has_part_b"], "c": row["in_medicare_advantage"]}
        for name, is_on in flags.items():
            if is_on:
                found[row["member_id"], name].update(months)
    assert {at: (min(months), max(months)) for at, months in found.items()} == {
        ("whole", "a"): (1, 12), ("whole", "b"): (1, 12),
        ("joined", "a"): (8, 12), ("joined", "b"): (10, 12),
        ("died", "a"): (1, 6), ("died", "b"): (1, 6), ("died", "c"): (5, 6),
        ("odd", "a"): (1, 9), ("odd", "b"): (1, 9),
        ("managed", "a"): (1, 12), ("managed", "b"): (1, 12), ("managed", "c"): (6, 12),
        ("young", "a"): (1, 12), ("young", "b"): (1, 12),
    }  # fmt: skip


def test_the_run_tells_what_the_counts_leave_open(by_hand: tuple[Published, tuple[str, ...]]) -> None:
    """Both Parts 12 + 3 + 6 + 9 + 12 + 12 months; at least without 2 and 7 of them, at most without the 7, as who died had
    room for the 2 in other months of the year."""
    told = [notice for notice in by_hand[1] if "in Part A" in notice]
    assert told == [
        "2008: 56 months in Part A, 54 in Part B, 9 in Medicare Advantage; in both Parts outside it between 45 and 47, "
        "and 45 as months are placed; of these, months after a death do not count"
    ]


def test_status_is_by_age_and_renal_disease(by_hand: tuple[Published, Any]) -> None:
    codes = {r["member_id"]: r["medicare_status_code"] for r in by_hand[0].read(COVERAGE_RECORDS).collect()}
    assert (codes["whole"], codes["young"], codes["managed"]) == ("10", "20", "11")
    sexes = {row["member_id"]: row["sex"] for row in by_hand[0].read(MEMBERS).collect()}
    assert (sexes["whole"], sexes["young"]) == ("F", "M")


def test_claims_stand_with_their_lines_and_their_money_once(by_hand: tuple[Published, Any]) -> None:
    names = ("claim_id", "line_number", "service_category", "hcpcs", "rendering_npi", "billing_tin", "is_denied")
    amounts = ("paid_amount", "allowed_amount", "patient_paid_amount")
    rows = by_hand[0].read(FINAL_CLAIM_LINES).select(*names, *[F.col(n).cast("string") for n in amounts]).collect()
    assert sorted(map(tuple, rows)) == [
        ("1", 1, "inpatient", None, None, None, False, "4040.00", None, "0.00"),
        ("1", 46, "inpatient", None, None, None, False, "0.00", None, "0.00"),
        ("2", 2, "emergency", "99283", None, None, False, "90.00", None, "0.00"),
        ("2", 5, "emergency", "80053", None, None, False, "0.00", None, "0.00"),
        ("4", 1, "professional", "99213", "11", "T1", False, "50.00", "60.00", "10.00"),
        ("4", 4, "professional", "36415", "12", "T2", True, "3.00", "3.00", "0.00"),
        ("PDE:1", 1, "pharmacy", None, None, None, False, None, "80.00", "20.00"),
    ]
    codes = by_hand[0].read(CLAIM_DIAGNOSES).select("claim_id", "position", "code", "code_system").collect()
    assert sorted(map(tuple, codes)) == [
        ("1", 1, "1970", "ICD-9-CM"), ("1", 3, "4019", "ICD-9-CM"), ("4", 2, "V700", "ICD-9-CM"),
    ]  # fmt: skip


def test_what_cannot_be_taken_is_rejected_with_its_reason_and_nothing_is_lost(by_hand: tuple[Published, Any]) -> None:
    reasons = Counter(r for row in by_hand[0].read(REJECTS).collect() for r in row["reject_reasons"])
    assert reasons == {
        "BENE_HI_CVRAGE_TOT_MONS is no number of months from 0 to 12": 2,
        "CLM_THRU_DT is missing": 1,  # a stay without days
        BEFORE_BIRTH: 1,
        "CLM_PMT_AMT is not an amount": 1,
        "CLM_THRU_DT is not a date": 2,  # days in other forms
    }
    audit = by_hand[0].read(LOAD_AUDIT).collect()
    assert sum(row["rows_read"] for row in audit) == 18
    assert sum(row["amount_read"] for row in audit) == Decimal("4297.00")


def test_a_summary_whose_name_tells_no_year_is_named(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in", "people.csv", "beneficiary", [person("m", 12, 12, 0)])
    with pytest.raises(InputError, match=r"people\.csv: its name must tell the year"):
        ran(spark, tmp_path / "in", tmp_path / "warehouse", 2008)


def test_a_folder_without_a_summary_is_named(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in", CLAIMS.format("Inpatient"), "inpatient", [])
    with pytest.raises(InputError, match="there is no beneficiary summary among the DE-SynPUF files"):
        ran(spark, tmp_path / "in", tmp_path / "warehouse", 2008)


def test_a_missing_column_is_named(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in", SUMMARY.format(2008), "beneficiary", [person("m", 12, 12, 0)])
    file = tmp_path / "in" / SUMMARY.format(2008)
    file.write_text(file.read_text().replace("BENE_SMI_CVRAGE_TOT_MONS", "OTHER"))
    with pytest.raises(InputError, match="column BENE_SMI_CVRAGE_TOT_MONS is missing"):
        ran(spark, tmp_path / "in", tmp_path / "warehouse", 2008)


# --- many generated people ---


def test_the_counts_of_hundreds_of_people_hold_and_eligible_months_are_the_fewest_possible(
    spark: SparkSession, tmp_path: Path
) -> None:
    draw = random.Random(5)
    people = {}
    for number in range(600):
        told = tuple(draw.choice((0, 12, 12, draw.randint(0, 12))) for _ in range(3))
        death = date(2008, draw.randint(1, 12), 1) if draw.random() < 0.2 else None
        people[f"m{number}"] = (*told, death)
    rows = [
        person(who, a, b, c, BENE_DEATH_DT=f"{death:%Y%m%d}" if death else "")
        for who, (a, b, c, death) in people.items()
    ]
    write(tmp_path / "in", SUMMARY.format(2008), "beneficiary", rows)
    warehouse, _ = ran(spark, tmp_path / "in", tmp_path / "warehouse", 2008, gold=False)
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for row in warehouse.read(COVERAGE_RECORDS).collect():
        months = row["coverage_end"].month - row["coverage_start"].month + 1
        for name in ("has_part_a", "has_part_b", "in_medicare_advantage"):
            held[row["member_id"]][name] += months * row[name]
    assert {who: (h["has_part_a"], h["has_part_b"], h["in_medicare_advantage"]) for who, h in held.items()} == {
        who: told[:3] for who, told in people.items() if any(told[:3])
    }
    eligible = warehouse.read(MEMBER_MONTHS).where("is_eligible").groupBy("member_id").count().collect()
    found = {row["member_id"]: row["count"] for row in eligible}
    for who, (a, b, c, death) in people.items():
        if death is None:  # months after a death do not count, however they are placed
            assert found.get(who, 0) == max(0, min(a, b) - c), who


# --- CMS's files ---


def read_summary(folder: Path, year: int) -> list[Row]:
    with gzip_open(folder / f"{SUMMARY.format(year)}.gz", "rt") as file:
        return list(DictReader(file))


@pytest.mark.shared
@pytest.mark.timeout(900)
def test_inpatient_payments_equal_cmss_own_total_for_every_person_and_year(
    spark: SparkSession, shared_data: Path, tmp_path: Path
) -> None:
    folder, years = shared_data / "synpuf" / "sample_1", (2008, 2009, 2010)
    warehouse, notices = ran(spark, folder, tmp_path / "warehouse", *years, gold=False)
    paid: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for row in warehouse.read(FINAL_CLAIM_LINES).select("member_id", "service_thru", "paid_amount").collect():
        paid[row["member_id"], row["service_thru"].year] += row["paid_amount"]
    compared, totals = 0, []
    for year in years:
        people = read_summary(folder, year)
        told = {row["DESYNPUF_ID"]: Decimal(row["MEDREIMB_IP"]) for row in people}
        assert {who: paid[who, year] for who in told} == told
        compared += len(told)
        totals.append(sum(told.values()))
    assert (compared, totals) == (29_566, [Decimal("21979910"), Decimal("22408000"), Decimal("12147630")])
    assert sum(row["rejected"] for row in warehouse.read(LOAD_AUDIT).collect()) == 0
    assert any(notice.startswith("2009: 110,509 months in Part A, 109,100 in Part B, 31,894") for notice in notices)


@pytest.mark.shared
@pytest.mark.timeout(900)
def test_outpatient_payments_equal_cmss_own_total_where_the_cut_file_is_whole(
    spark: SparkSession, shared_data: Path, tmp_path: Path
) -> None:
    folder, whole_below = shared_data / "synpuf" / "outpatient_cut", "286D3555B1415C68"
    warehouse, _ = ran(spark, folder, tmp_path / "warehouse", 2008, group="load")
    lines = warehouse.read(CLAIM_LINES).where(F.year("service_thru") == 2008)
    sums = lines.groupBy("member_id", "claim_type").agg(F.sum("paid_amount").alias("paid")).collect()
    paid = {(row["member_id"], row["claim_type"]): row["paid"] for row in sums}
    people = read_summary(folder, 2008)
    for kind, column, among in (
        ("inpatient", "MEDREIMB_IP", people),
        ("outpatient", "MEDREIMB_OP", [row for row in people if row["DESYNPUF_ID"] < whole_below]),
    ):
        told = {row["DESYNPUF_ID"]: Decimal(row[column]) for row in among}
        assert {who: paid.get((who, kind), Decimal()) for who in told} == told
    assert len([row for row in people if row["DESYNPUF_ID"] < whole_below]) == 1_596
