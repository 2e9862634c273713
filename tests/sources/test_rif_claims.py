"""What a claim row pays, when, to whom and whether it was denied, by type of claim."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pmpm_spark.frames import union_of
from pmpm_spark.intake import claim_fates
from pmpm_spark.model.intake import CLAIM_ROWS
from pmpm_spark.sources.rif import of_settled
from pmpm_spark.sources.rif.claims import claim_rows
from pmpm_spark.sources.rif.layout import INSTITUTIONAL_KINDS
from pmpm_spark.table import conform
from tests.rif_files import claim, line
from tests.sources.frames import bronze

TEN, TWENTY = "10-Mar-2021", "20-Mar-2021"


def typed(spark, kind: str, *lines: str) -> list[dict[str, Any]]:
    """The rows as typed, in the order given, before fates are settled."""
    rows = [r.asDict(recursive=True) for r in claim_rows(kind, bronze(spark, kind, *lines)).collect()]
    return sorted(rows, key=lambda r: r["_source_row"])


def settled(spark, **lines: list[str]) -> list[dict[str, Any]]:
    """The rows of one or more kinds with their fates, conformed to the contract."""
    frames = [claim_rows(kind, bronze(spark, kind, *told, file=f"{kind}.csv")) for kind, told in lines.items()]
    fates = of_settled(claim_fates(union_of(frames)))
    rows = [r.asDict(recursive=True) for r in conform(fates, CLAIM_ROWS).collect()]
    return sorted(rows, key=lambda r: (r["_source_file"], r["_source_row"]))


def column(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    return [row[names[0]] if len(names) == 1 else tuple(row[n] for n in names) for row in rows]


def stay(claim_id: str, paid: str, *, kind: str = "inpatient", number: int = 1, **more: str) -> str:
    return claim(kind, claim_id, "m1", TEN, TWENTY, paid, number=number, **more)


def test_pass_through_is_paid_beside_inpatient_claims_for_each_covered_day(spark) -> None:
    rows = typed(
        spark,
        "inpatient",
        stay("c1", "9000.00", CLM_PASS_THRU_PER_DIEM_AMT="10", CLM_UTLZTN_DAY_CNT="10"),
        stay("c2", "9000.00", CLM_PASS_THRU_PER_DIEM_AMT="10.25", CLM_UTLZTN_DAY_CNT="3"),
        stay("c3", "9000.00", CLM_PASS_THRU_PER_DIEM_AMT="10", CLM_UTLZTN_DAY_CNT=" "),
        stay("c4", "9000.00"),
    )
    assert column(rows, "paid_amount", "pass_through_amount") == [
        (Decimal("9100.00"), Decimal("100.00")),
        (Decimal("9030.75"), Decimal("30.75")),
        (Decimal("9000.00"), Decimal("0.00")),
        (Decimal("9000.00"), Decimal("0.00")),
    ]


def test_other_institutional_claims_pay_their_header(spark) -> None:
    types = {"outpatient": "outpatient", "snf": "snf", "hha": "home_health", "hospice": "hospice"}
    days = {"snf": {"CLM_UTLZTN_DAY_CNT": "10"}, "hospice": {"CLM_UTLZTN_DAY_CNT": "10"}}
    rows = settled(spark, **{kind: [stay(kind, "123.45", kind=kind, **days.get(kind, {}))] for kind in types})
    assert {row["claim_id"]: row["claim_type"] for row in rows} == types
    assert set(column(rows, "paid_amount", "pass_through_amount")) == {(Decimal("123.45"), Decimal(0))}


def test_the_header_counts_once_on_the_first_readable_line(spark) -> None:
    rows = settled(
        spark,
        inpatient=[
            stay("c1", "500.00", number=1, CLM_ADMSN_DT="bad"),
            stay("c1", "500.00", number=3, CLM_PASS_THRU_PER_DIEM_AMT="5", CLM_UTLZTN_DAY_CNT="2"),
            stay("c1", "500.00", number=2, CLM_PASS_THRU_PER_DIEM_AMT="5", CLM_UTLZTN_DAY_CNT="2"),
        ],
        hospice=[stay("c2", "70.00", kind="hospice", number=n) for n in (1, 2)],
    )
    told = {(r["claim_id"], r["line_number"]): (r["outcome"], r["paid_amount"]) for r in rows}
    assert told[("c1", 1)][0] == "rejected"
    assert told[("c1", 2)] == ("accepted", Decimal("510.00"))
    assert told[("c1", 3)] == ("accepted", Decimal("0.00"))
    assert told[("c2", 1)] == ("accepted", Decimal("70.00"))
    assert told[("c2", 2)] == ("accepted", Decimal("0.00"))


def test_carrier_and_equipment_lines_pay_their_own(spark) -> None:
    # claim() writes 77,777.77 as the header's amount of these kinds: a sum over rows must not see it
    more = {"LINE_ALOWD_CHRG_AMT": "100", "LINE_BENE_PTB_DDCTBL_AMT": "15.5", "LINE_COINSRNC_AMT": "4.5"}
    rows = settled(
        spark,
        carrier=[claim("carrier", "c1", "m1", TEN, TEN, "80.00", number=n, **more) for n in (1, 2)],
        dme=[claim("dme", "d1", "m1", TEN, TEN, "20.00", number=n) for n in (1, 2)],
    )
    assert column(rows, "claim_type", "line_number", "paid_amount", "allowed_amount", "patient_paid_amount") == [
        ("professional", 1, Decimal("80.00"), Decimal("100.00"), Decimal("20.00")),
        ("professional", 2, Decimal("80.00"), Decimal("100.00"), Decimal("20.00")),
        ("dme", 1, Decimal("20.00"), Decimal("0.00"), Decimal("0.00")),
        ("dme", 2, Decimal("20.00"), Decimal("0.00"), Decimal("0.00")),
    ]


def test_drug_events(spark) -> None:
    event = claim("pde", "77", "m1", TEN, TEN, "30.10", TOT_RX_CST_AMT="55.00", PTNT_PAY_AMT="12.00",
                  SRVC_PRVDR_ID_QLFYR_CD="01", SRVC_PRVDR_ID="1999999991",
                  PRSCRBR_ID_QLFYR_CD="06", PRSCRBR_ID="DEA7")  # fmt: skip
    other = claim("pde", "78", "m1", TEN, TEN, "0", SRVC_PRVDR_ID_QLFYR_CD="07", SRVC_PRVDR_ID="1999999991",
                  PRSCRBR_ID_QLFYR_CD="01", PRSCRBR_ID="1888888881")  # fmt: skip
    first, second = typed(spark, "pde", event, other)
    assert (first["claim_id"], first["line_number"], first["claim_type"]) == ("PDE:77", 1, "pharmacy")
    assert (first["paid_amount"], first["allowed_amount"], first["patient_paid_amount"]) == (
        Decimal("30.10"),
        Decimal("55.00"),
        Decimal("12.00"),
    )
    assert (first["service_from"], first["service_thru"], first["is_denied"]) == (date(2021, 3, 10),) * 2 + (False,)
    assert (first["billing_npi"], first["rendering_npi"]) == ("1999999991", None)
    assert (second["billing_npi"], second["rendering_npi"]) == (None, "1888888881")


def test_a_drug_event_and_a_claim_of_one_number_are_two_things(spark) -> None:
    rows = settled(
        spark,
        carrier=[claim("carrier", "77", "m1", TEN, TEN, "80.00")],
        pde=[claim("pde", "77", "m1", TEN, TEN, "30.00")],
    )
    assert sorted(column(rows, "claim_id", "outcome", "paid_amount")) == [
        ("77", "accepted", Decimal("80.00")),
        ("PDE:77", "accepted", Decimal("30.00")),
    ]


def test_a_non_payment_reason_denies_an_institutional_claim(spark) -> None:
    reasons = {"": False, " ": False, "A": True, "P": True, "0": True}
    told = {
        kind: [stay(f"{kind} {reason}", "1", kind=kind, CLM_MDCR_NON_PMT_RSN_CD=reason) for reason in reasons]
        for kind in INSTITUTIONAL_KINDS
    }
    rows = settled(spark, **told)
    assert len(rows) == len(INSTITUTIONAL_KINDS) * len(reasons)
    for row in rows:
        assert row["is_denied"] == reasons[row["claim_id"].partition(" ")[2]], row["claim_id"]


LINE_DENIALS = {"": False, " ": False, "A": False, "R": False, "S": False, "C": True, "D": True, "I": True, "0": True}


@pytest.mark.parametrize("kind", ["carrier", "dme"])
def test_line_processing_indicators(spark, kind: str) -> None:
    lines = [
        claim(kind, "c1", "m1", TEN, TEN, "1", number=n, LINE_PRCSG_IND_CD=code)
        for n, code in enumerate(LINE_DENIALS, start=1)
    ]
    assert dict(zip(LINE_DENIALS, column(typed(spark, kind, *lines), "is_denied"), strict=True)) == LINE_DENIALS


@pytest.mark.parametrize("kind", ["carrier", "dme"])
def test_payment_denial_code_0_denies_whatever_the_line_says(spark, kind: str) -> None:
    codes = {"0": True, "1": False, "": False, "D": False, "9": False}
    lines = [
        claim(kind, "c1", "m1", TEN, TEN, "1", number=n, CARR_CLM_PMT_DNL_CD=code)
        for n, code in enumerate(codes, start=1)
    ]
    assert dict(zip(codes, column(typed(spark, kind, *lines), "is_denied"), strict=True)) == codes


def test_primary_payer(spark) -> None:
    rows = settled(
        spark,
        inpatient=[stay("c1", "1", NCH_PRMRY_PYR_CD="E"), stay("c2", "1", NCH_PRMRY_PYR_CD=" ")],
        carrier=[
            claim("carrier", "c3", "m1", TEN, TEN, "1", number=1, LINE_BENE_PRMRY_PYR_CD="A"),
            claim("carrier", "c3", "m1", TEN, TEN, "1", number=2),
        ],
    )
    told = {(r["claim_id"], r["line_number"]): r["primary_payer_code"] for r in rows}
    assert told == {("c1", 1): "E", ("c2", 1): None, ("c3", 1): "A", ("c3", 2): None}


def test_days_of_a_line_fall_back_on_the_claims(spark) -> None:
    blank = {"LINE_1ST_EXPNS_DT": "", "LINE_LAST_EXPNS_DT": " "}
    claims_days = {"CLM_FROM_DT": "01-Mar-2021", "CLM_THRU_DT": "31-Mar-2021"}
    rows = typed(
        spark,
        "carrier",
        claim("carrier", "own", "m1", TEN, TWENTY, "1", **claims_days),
        claim("carrier", "claims", "m1", "", "", "1", **blank, **claims_days),
        claim("carrier", "half", "m1", "", "", "1", LINE_LAST_EXPNS_DT=TEN, CLM_THRU_DT="31-Mar-2021"),
        claim("carrier", "none", "m1", "", "", "1", **blank, CLM_FROM_DT="01-Mar-2021"),
    )
    assert column(rows, "service_from", "service_thru", "reject_reasons") == [
        (date(2021, 3, 10), date(2021, 3, 20), []),
        (date(2021, 3, 1), date(2021, 3, 31), []),
        (None, date(2021, 3, 10), []),
        (date(2021, 3, 1), None, ["LINE_LAST_EXPNS_DT is missing"]),
    ]


def test_days_of_institutional_claims(spark) -> None:
    rows = typed(
        spark,
        "inpatient",
        stay("c1", "1", CLM_ADMSN_DT="09-MAR-2021", NCH_BENE_DSCHRG_DT="20-mar-2021", NCH_WKLY_PROC_DT="02-Apr-2021"),
        stay("c2", "1", CLM_FROM_DT=""),
        stay("c3", "1", CLM_THRU_DT=""),
        stay("c4", "1", CLM_FROM_DT="21-Mar-2021"),
    )
    assert column(rows, "admission_date", "service_from", "service_thru", "discharge_date")[:2] == [
        (date(2021, 3, 9), date(2021, 3, 10), date(2021, 3, 20), date(2021, 3, 20)),
        (None, None, date(2021, 3, 20), None),
    ]
    assert rows[0]["paid_on"] == date(2021, 4, 2)
    assert column(rows, "reject_reasons") == [
        [],
        [],
        ["CLM_THRU_DT is missing"],
        ["the last day of service is before the first"],
    ]


def test_what_rejects_a_claim_row(spark) -> None:
    good = {"CLM_FROM_DT": TEN}
    rows = typed(
        spark,
        "carrier",
        claim("carrier", "c1", "m1", TEN, TEN, "1e400", **good),
        claim("carrier", "c1", "m1", TEN, TEN, "twelve", BENE_ID=" ", LINE_NUM="one"),
        claim("carrier", " ", "m1", TEN, TEN, "1", LINE_NUM=""),
        claim("carrier", "c1", "m1", TEN, TEN, "1", NCH_WKLY_PROC_DT="00-Jan-2021"),
        claim("carrier", "c1", "m1", TEN, TEN, ""),
    )
    assert [sorted(reasons) for reasons in column(rows, "reject_reasons")] == [
        ["LINE_NCH_PMT_AMT is not an amount"],
        ["BENE_ID is missing", "LINE_NCH_PMT_AMT is not an amount", "LINE_NUM is not a whole number"],
        ["CLM_ID is missing", "LINE_NUM is missing"],
        ["NCH_WKLY_PROC_DT is not a date"],
        [],
    ]
    assert rows[4]["paid_amount"] == 0


def test_who_gave_billed_and_where(spark) -> None:
    [doctor] = typed(spark, "carrier", claim("carrier", "c1", "m1", TEN, TEN, "1", TAX_NUM="111", PRF_PHYSN_NPI="9001",
                     CARR_CLM_BLG_NPI_NUM="", ORG_NPI_NUM="9500", PRVDR_SPCLTY="1", HCPCS_CD="99213",
                     HCPCS_1ST_MDFR_CD="25", HCPCS_2ND_MDFR_CD=" ", LINE_PLACE_OF_SRVC_CD="11"))  # fmt: skip
    [supplier] = typed(spark, "dme", claim("dme", "d1", "m1", TEN, TEN, "1", TAX_NUM="222", PRVDR_NPI="9002"))
    [hospital] = typed(spark, "outpatient", claim("outpatient", "o1", "m1", TEN, TEN, "1", PRVDR_NUM="410001",
                       ORG_NPI_NUM="9003", REV_CNTR="450", CLM_FAC_TYPE_CD="1", CLM_SRVC_CLSFCTN_TYPE_CD="3",
                       CLM_FREQ_CD="1", PTNT_DSCHRG_STUS_CD="30"))  # fmt: skip
    ids = ("billing_tin", "billing_npi", "rendering_npi", "facility_ccn")
    assert column([doctor, supplier, hospital], *ids) == [
        ("111", "9500", "9001", None),
        ("222", "9002", "9002", None),
        (None, "9003", None, "410001"),
    ]
    assert (doctor["rendering_specialty"], doctor["hcpcs"], doctor["modifiers"]) == ("01", "99213", ["25"])
    assert doctor["place_of_service"] == "11"
    assert (hospital["revenue_code"], hospital["bill_type"], hospital["discharge_status"]) == ("0450", "131", "30")


def test_diagnoses_stand_once_a_claim_with_the_principal_one_first(spark) -> None:
    codes = {"PRNCPAL_DGNS_CD": "I50.9", "PRNCPAL_DGNS_VRSN_CD": "0", "ICD_DGNS_CD1": "E119", "ICD_DGNS_VRSN_CD1": "0",
             "ICD_DGNS_CD2": " ", "ICD_DGNS_CD3": "4280", "ICD_DGNS_VRSN_CD3": "9"}  # fmt: skip
    same = {"PRNCPAL_DGNS_CD": "E119", "PRNCPAL_DGNS_VRSN_CD": "0", "ICD_DGNS_CD1": "E119", "ICD_DGNS_VRSN_CD1": "0"}
    rows = settled(
        spark,
        inpatient=[stay("c1", "1", number=n, **codes) for n in (1, 2)],
        carrier=[claim("carrier", "c2", "m1", TEN, TEN, "1", **same)],
        dme=[claim("dme", "c3", "m1", TEN, TEN, "1")],
    )
    told = {
        (r["claim_id"], r["line_number"]): r["diagnoses"]
        and [(d["position"], d["code"], d["code_system"]) for d in r["diagnoses"]]
        for r in rows
    }
    assert told == {
        ("c1", 1): [(0, "I509", "ICD-10-CM"), (1, "E119", "ICD-10-CM"), (3, "4280", "ICD-9-CM")],
        ("c1", 2): None,
        ("c2", 1): [(1, "E119", "ICD-10-CM")],
        ("c3", 1): [],
    }


def test_procedures_have_their_days(spark) -> None:
    codes = {"ICD_PRCDR_CD1": "0DTJ4ZZ", "ICD_PRCDR_VRSN_CD1": "0", "PRCDR_DT1": "11-Mar-2021",
             "ICD_PRCDR_CD2": "4701", "ICD_PRCDR_VRSN_CD2": "9", "PRCDR_DT2": "bad"}  # fmt: skip
    rows = settled(spark, inpatient=[stay("c1", "1", **codes)], hospice=[stay("c2", "1", kind="hospice")])
    told = {r["claim_id"]: r["procedures"] for r in rows}
    assert [tuple(p.values()) for p in told["c1"]] == [
        (1, "0DTJ4ZZ", "ICD-10-PCS", date(2021, 3, 11)),
        (2, "4701", "ICD-9-PCS", None),
    ]
    assert not told["c2"]


def test_a_later_delivery_replaces_the_whole_claim(spark) -> None:
    def delivered(day: str, indicator: str, number: int, paid: str, **more: str) -> str:
        told = {"NCH_WKLY_PROC_DT": day, "DML_IND": indicator, **more}
        return claim("carrier", "c1", "m1", TEN, TEN, paid, number=number, **told)

    april, may = "01-Apr-2021", "01-May-2021"
    lines = [
        delivered(april, "INSERT", 1, "10"),
        delivered(april, "INSERT", 2, "20"),
        delivered(may, "INSERT", 1, "11"),
        delivered(may, "UPDATE", 1, "12"),
        delivered(may, "UPDATE", 1, "12"),
    ]
    told = [(r["outcome"], r["paid_amount"]) for r in settled(spark, carrier=lines)]
    assert told == [
        ("superseded", Decimal(10)),
        ("superseded", Decimal(20)),
        ("superseded", Decimal(11)),
        ("duplicate", Decimal(12)),
        ("accepted", Decimal(12)),
    ]
    no_more = [*lines, delivered("02-May-2021", "UPDATE", 1, "13", FINAL_ACTION="N")]
    assert [r["outcome"] for r in settled(spark, carrier=no_more)] == ["superseded"] * 6


def test_a_row_that_was_not_parted_is_kept_whole(spark) -> None:
    short = line("hha", {"BENE_ID": "m1"}).removesuffix("|")
    long = line("hha", {"BENE_ID": "m1"}) + "|one too many"
    rows = typed(spark, "hha", short, long)
    assert column(rows, "rejected_row") == [short, long]
    for row in rows:
        assert "the number of fields is not that of the heading" in row["reject_reasons"]
