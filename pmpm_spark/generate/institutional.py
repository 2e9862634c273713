"""Generated claims of institutions: inpatient, outpatient, skilled nursing, home health and hospice.

The payment stands in the header and is repeated on every row. A claim frame has a row per claim with the columns below;
`institutional_rows` makes the delivered rows of it.
    service_from, service_thru, processed_on, pay (whole cents), lines (how many revenue lines), ccn, npi,
    facility_type, classification, frequency, discharge_status, and what a kind adds
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.claims import (
    PART_A,
    PART_B,
    claim_id,
    claim_key,
    delivered_lines,
    deliveries,
    diagnosis,
    events,
    has_bad_row,
    is_covered,
    numbered,
    primary_payer,
    processed_on,
    whole,
)
from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.enrollment import STATE
from pmpm_spark.generate.providers import (
    AGENCIES,
    HOSPICES,
    HOSPITALS,
    NURSING_HOMES,
    facility_ccn,
    facility_npi,
    npi_of,
)
from pmpm_spark.generate.rif import money, rif_day, rif_rows
from pmpm_spark.generate.truth import OUTSIDE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

HOME_FACILITY_SHARE = 0.7
"""How often a member of a network is treated in the network's own facility, where chance would not bring them."""
STAYS, VISITS, EPISODES = 0.30, 2.2, 0.09
"""Inpatient stays, outpatient claims and home health episodes of a person-year at risk 1."""
STAY_DOLLARS, NURSING_DAY_DOLLARS, EPISODE_DOLLARS, HOSPICE_DAY_DOLLARS = 13_500, 520, 2_900, 185
_DAYS = (1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 8, 9, 10, 12, 14, 18, 25)
_DRGS = (("871", 1.8), ("291", 1.3), ("470", 1.9), ("190", 1.1), ("683", 0.9), ("690", 0.8), ("392", 0.7), ("247", 2.0))
_PROCEDURES = {"470": "0SR90JZ", "247": "027034Z"}
"""What is done in a stay with one of these DRGs: a hip is replaced, a stent placed."""
_DRG_MEAN = sum(weight for _, weight in _DRGS) / len(_DRGS)
_PER_DIEM = (0, 2_500, 6_000)
"""Cents of pass-through for a covered day, by hospital."""

# name, out of 100, facility type, classification, dollars, revenue codes, HCPCS codes that go with them
_VISITS = (
    ("emergency", 17, "1", "3", 900, ("0450", "0450", "0456", "0300", "0981"), ("99283", "99284", "99282", "80053")),
    ("clinic", 26, "1", "3", 190, ("0510", "0510", "0300", "0730"), ("G0463", "G0463", "85025", "93005")),
    ("laboratory", 20, "1", "3", 60, ("0300", "0301", "0305"), ("80053", "83036", "85025")),
    ("imaging", 16, "1", "3", 480, ("0320", "0350", "0610"), ("71046", "74177", "70551")),
    ("surgery", 6, "1", "3", 3_600, ("0360", "0490", "0250"), ("66984", "45378", "J3010")),
    ("therapy", 8, "1", "3", 700, ("0420", "0430", "0440"), ("97110", "97530", "92507")),
    ("health center", 4, "7", "7", 180, ("0521", "0521", "0900"), ("G0467", "99213", "G0467")),
    ("critical access", 3, "8", "5", 330, ("0960", "0300", "0971"), ("99213", "80053", "99214")),
)  # fmt: skip
_DIALYSIS = ("dialysis", 0, "7", "2", 2_400, ("0821", "0821", "0634"), ("90999", "90999", "J0887"))


def stays(member_years: DataFrame, draws: Draws) -> DataFrame:
    """One row per hospital stay, before it is billed."""
    key = claim_key()
    numbers = numbered(draws, "inpatient", STAYS * F.col("need") * F.col("luck"))
    happened = events(member_years, draws, "inpatient", numbers, covered=PART_A)
    days = draws.one_of(_DAYS, "days in hospital", *key).cast("int")
    planned_end = F.date_add("happened_on", days)
    dies_there = F.col("death_date").between(F.col("happened_on"), planned_end)
    drg = draws.below(len(_DRGS), "drg", *key)
    weight = lookup([weight / _DRG_MEAN for _, weight in _DRGS], drg)
    return happened.select(
        *happened.columns,
        F.when(dies_there, F.col("death_date")).otherwise(planned_end).alias("discharged_on"),
        F.when(dies_there, "20")
        .otherwise(draws.weighted({"01": 62, "03": 18, "06": 20}, "discharge", *key))
        .alias("discharge"),
        lookup([code for code, _ in _DRGS], drg).alias("drg"),
        whole(STAY_DOLLARS * 100 * weight * draws.lognormal(0.45, "stay", *key) * F.col("price")).alias("stay_pay"),
        draws.chance(0.6, "through emergency", *key).alias("is_emergency"),
        _facility(draws, "inpatient", HOSPITALS, 2).alias("hospital"),
    )


def inpatient_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """A third of the stays of nine days and more is billed twice: an interim bill (status 30), then the final one."""
    stay = stays(member_years, draws)
    admitted, discharged = F.col("happened_on"), F.col("discharged_on")
    length = F.datediff(discharged, admitted)
    middle = F.date_add(admitted, F.floor(length / 2).cast("int"))
    is_interim = (length >= 9) & draws.chance(0.34, "interim bill", *claim_key())
    bills = F.when(
        is_interim,
        F.array(
            _bill(1, admitted, middle, F.lit("30"), "2", 0.6),
            _bill(2, F.date_add(middle, 1), discharged, F.col("discharge"), "4", 0.4),
        ),
    ).otherwise(F.array(_bill(0, admitted, discharged, F.col("discharge"), "1", 1.0)))
    billed = stay.select(*stay.columns, F.explode(bills).alias("bill"))
    thru = F.col("bill.service_thru")
    claims = billed.select(
        *stay.columns,
        "bill.*",
        (processed_on(draws, "inpatient", thru)).alias("processed_on"),
        whole(F.col("stay_pay") * F.col("bill.part_share")).alias("pay"),
        (draws.below(4, "inpatient lines", *claim_key()) + 4).alias("lines"),
        facility_ccn("4100", F.col("hospital")).alias("ccn"),
        facility_npi("4100", F.col("hospital")).alias("npi"),
        F.lit("1").alias("facility_type"),
        F.lit("1").alias("classification"),
    )
    return inpatient_bills(claims, draws)


def inpatient_bills(claims: DataFrame, draws: Draws) -> DataFrame:
    """The delivered rows of stays: a row each with the columns of `stays`, those of a claim, and `part`, which bill of
    the stay it is (0 the only one, 1 interim, 2 final)."""
    pay, hospital = F.col("pay"), F.col("hospital")
    days = F.datediff("service_thru", "service_from") + F.when(F.col("part") == 1, 1).otherwise(0)
    is_teaching = hospital % 4 == 1

    def part_of_pay(share: float) -> Column:
        return F.when(is_teaching, whole(pay * share)).otherwise(0)

    line, lines = F.col("line"), F.col("lines")
    has_procedure = F.col("drg").isin(*_PROCEDURES)
    procedure = F.coalesce(*[F.when(F.col("drg") == drg, F.lit(code)) for drg, code in _PROCEDURES.items()])
    cells: dict[str, Column | str] = {
        "CLM_ADMSN_DT": rif_day(F.col("happened_on")),
        "ICD_PRCDR_CD1": procedure,
        "ICD_PRCDR_VRSN_CD1": F.when(has_procedure, "0"),
        "PRCDR_DT1": F.when(has_procedure, rif_day(F.col("service_from"))),
        "NCH_BENE_DSCHRG_DT": F.when(F.col("part") != 1, rif_day(F.col("discharged_on"))),
        "NCH_PTNT_STATUS_IND_CD": F.when(F.col("discharge_status") == "20", "B")
        .when(F.col("discharge_status") == "30", "C")
        .otherwise("A"),
        "CLM_IP_ADMSN_TYPE_CD": F.when(F.col("is_emergency"), "1").otherwise("3"),
        "CLM_SRC_IP_ADMSN_CD": "1",
        "CLM_UTLZTN_DAY_CNT": F.greatest(days, F.lit(1)),
        "CLM_PASS_THRU_PER_DIEM_AMT": money(lookup(_PER_DIEM, hospital % len(_PER_DIEM))),
        "NCH_BENE_IP_DDCTBL_AMT": F.when(F.col("part") == 2, "0.00").otherwise("1364.00"),
        "NCH_BENE_PTA_COINSRNC_LBLTY_AM": "0.00",
        "CLM_DRG_CD": F.col("drg"),
        "IME_OP_CLM_VAL_AMT": money(part_of_pay(0.06)),
        "DSH_OP_CLM_VAL_AMT": money(part_of_pay(0.09)),
        "CLM_PPS_CPTL_IME_AMT": money(part_of_pay(0.005)),
        "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT": money(part_of_pay(0.004)),
        "CLM_UNCOMPD_CARE_PMT_AMT": money(part_of_pay(0.02)),
        "CLM_TOT_PPS_CPTL_AMT": "0",
        "ADMTG_DGNS_CD": F.col("principal"),
        "ADMTG_DGNS_VRSN_CD": "0",
        "REV_CNTR": F.when(line == lines, "0001")
        .when(line == 1, "0120")
        .when((line == 2) & F.col("is_emergency"), "0450")
        .otherwise(
            draws.one_of(("0250", "0270", "0300", "0320", "0360", "0636"), "inpatient revenue", *claim_key(), line)
        ),
        "HCPCS_CD": F.when((line == 2) & F.col("is_emergency"), "99285"),
    }
    return institutional_rows(claims, draws, "inpatient", "60", cells, part=F.col("part"))


def outpatient_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """Emergency visits, clinics, tests, surgery, series of therapy over a month, dialysis, health centers."""
    key = claim_key()
    numbers = numbered(draws, "outpatient", VISITS * F.col("need") * F.col("luck"))
    happened = events(member_years, draws, "outpatient", numbers, covered=PART_B, carry=("renal_from",))
    kinds = (*_VISITS, _DIALYSIS)
    drawn = draws.one_of([i for i, v in enumerate(_VISITS) for _ in range(v[1])], "kind of visit", *key)
    on_dialysis = (F.col("renal_from") <= F.col("year") * 12) & draws.chance(0.5, "dialysis", *key)
    placed = happened.select(
        *happened.columns,
        F.when(on_dialysis, F.lit(len(_VISITS)).cast("bigint")).otherwise(drawn).alias("visit"),
        _facility(draws, "outpatient", HOSPITALS, 2).alias("hospital"),
        draws.below(30, "series", *key).cast("int").alias("series_days"),
    )
    visit = F.col("visit")
    is_series = visit.isin(5, len(_VISITS))
    thru = F.when(is_series, F.date_add("happened_on", F.col("series_days"))).otherwise(F.col("happened_on"))
    dollars = lookup([v[4] * 100 for v in kinds], visit)
    claims = placed.select(
        *placed.columns,
        F.col("happened_on").alias("service_from"),
        thru.alias("service_thru"),
        processed_on(draws, "outpatient", thru).alias("processed_on"),
        whole(dollars * draws.lognormal(0.8, "visit", *key) * F.col("price")).alias("pay"),
        (draws.below(2, "outpatient lines", *key) + 2).alias("lines"),
        facility_ccn("4100", F.col("hospital")).alias("ccn"),
        facility_npi("4100", F.col("hospital")).alias("npi"),
        lookup([v[2] for v in kinds], visit).alias("facility_type"),
        lookup([v[3] for v in kinds], visit).alias("classification"),
        F.lit("1").alias("frequency"),
        F.lit("01").alias("discharge_status"),
    )
    line, lines = F.col("line"), F.col("lines")
    width = 5
    codes = [(v[5] * width)[:width] for v in kinds]
    hcpcs = [(v[6] * width)[:width] for v in kinds]
    # the first line says what the visit was, later ones what else was done
    at = visit * width + F.when(line == 1, draws.below(2, "visit code", *key)).otherwise(
        draws.below(width, "visit line", *key, line)
    )
    is_total = line == lines
    pay_of_line = F.when(is_total, F.col("pay")).otherwise(whole(F.col("pay") / (lines - 1)))
    cells: dict[str, Column | str] = {
        "NCH_BENE_PTB_DDCTBL_AMT": "0.00",
        "NCH_BENE_PTB_COINSRNC_AMT": money(whole(F.col("pay") / 4), zero="0.00"),
        "CLM_OP_PRVDR_PMT_AMT": money(F.col("pay")),
        "CLM_OP_BENE_PMT_AMT": "0",
        "REV_CNTR": F.when(is_total, "0001").otherwise(lookup([c for some in codes for c in some], at)),
        "REV_CNTR_DT": rif_day(F.col("service_from")),
        "HCPCS_CD": F.when(~is_total, lookup([c for some in hcpcs for c in some], at)),
        "REV_CNTR_PMT_AMT_AMT": money(pay_of_line, zero="0.00"),
        "REV_CNTR_STUS_IND_CD": "4",
    }
    return institutional_rows(claims, draws, "outpatient", "40", cells)


def snf_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """Skilled nursing after a stay that ended with discharge status 03."""
    key = claim_key()
    after = stays(member_years, draws).where((F.col("discharge") == "03") & is_covered(F.col("discharged_on"), PART_A))
    days = (draws.below(33, "nursing days", *key) + 8).cast("int")
    thru = F.least(F.date_add("discharged_on", days), F.coalesce("death_date", F.date_add("discharged_on", days)))
    home = _facility(draws, "snf", NURSING_HOMES, 1)
    claims = after.select(
        *after.columns,
        F.col("discharged_on").alias("service_from"),
        thru.alias("service_thru"),
        processed_on(draws, "snf", thru).alias("processed_on"),
        whole(NURSING_DAY_DOLLARS * 100 * days * F.col("price")).alias("pay"),
        (draws.below(4, "snf lines", *key) + 3).alias("lines"),
        facility_ccn("4150", home).alias("ccn"),
        facility_npi("4150", home).alias("npi"),
        F.lit("2").alias("facility_type"),
        F.lit("1").alias("classification"),
        F.lit("1").alias("frequency"),
        F.lit("01").alias("discharge_status"),
    )
    line, lines = F.col("line"), F.col("lines")
    cells: dict[str, Column | str] = {
        "CLM_ADMSN_DT": rif_day(F.col("service_from")),
        "NCH_BENE_DSCHRG_DT": rif_day(F.col("service_thru")),
        "CLM_UTLZTN_DAY_CNT": F.datediff("service_thru", "service_from"),
        "NCH_BENE_IP_DDCTBL_AMT": "0.00",
        "NCH_BENE_PTA_COINSRNC_LBLTY_AM": "0.00",
        "CLM_PPS_CPTL_IME_AMT": "0",
        "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT": "0",
        "REV_CNTR": F.when(line == lines, "0001")
        .when(line == 1, "0022")
        .otherwise(draws.one_of(("0120", "0250", "0420", "0430"), "snf revenue", *key, line)),
    }
    return institutional_rows(claims, draws, "snf", "20", cells)


def hha_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """Home health episodes of 30 or 60 days, many of them over the end of a month or a year."""
    key = claim_key()
    numbers = numbered(draws, "hha", EPISODES * F.col("need") * F.col("luck"))
    happened = events(member_years, draws, "hha", numbers, covered=PART_B)
    days = draws.one_of((29, 29, 59), "episode days", *key).cast("int")
    planned = F.date_add("happened_on", days)
    thru = F.when(F.col("death_date").between(F.col("happened_on"), planned), F.col("death_date")).otherwise(planned)
    agency = _facility(draws, "hha", AGENCIES, 1)
    claims = happened.select(
        *happened.columns,
        F.col("happened_on").alias("service_from"),
        thru.alias("service_thru"),
        processed_on(draws, "hha", thru).alias("processed_on"),
        whole(EPISODE_DOLLARS * 100 * draws.lognormal(0.4, "episode", *key) * F.col("price")).alias("pay"),
        (draws.below(6, "hha lines", *key) + 4).alias("lines"),
        facility_ccn("4170", agency).alias("ccn"),
        facility_npi("4170", agency).alias("npi"),
        F.lit("3").alias("facility_type"),
        F.lit("3").alias("classification"),
        F.lit("9").alias("frequency"),
        F.lit("01").alias("discharge_status"),
    )
    line, lines = F.col("line"), F.col("lines")
    cells: dict[str, Column | str] = {
        "CLM_ADMSN_DT": rif_day(F.col("service_from")),
        "CLM_HHA_TOT_VISIT_CNT": lines - 1,
        "REV_CNTR": F.when(line == lines, "0001").otherwise(
            draws.one_of(("0551", "0421", "0571", "0431", "0583"), "hha revenue", *key, line)
        ),
        "REV_CNTR_DT": rif_day(F.col("service_from")),
        "HCPCS_CD": F.when(line < lines, draws.one_of(("G0299", "G0151", "G0156"), "hha code", *key, line)),
    }
    return institutional_rows(claims, draws, "hha", "10", cells)


def hospice_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """Monthly hospice bills up to the day of death, for four in nine of the dead."""
    person, death = F.col("person"), F.col("death_date")
    days_before = draws.below(110, "hospice days", person).cast("int") + 5
    dying = member_years.where((F.year(death) == F.col("year")) & draws.chance(0.45, "hospice", person)).select(
        *member_years.columns, F.date_sub(death, days_before).alias("starts_on")
    )
    months_back = F.sequence(
        F.lit(0), F.floor(F.months_between(F.trunc(death, "month"), F.trunc("starts_on", "month"))).cast("int")
    )
    monthly = dying.select(*dying.columns, F.explode(months_back).alias("back"))
    month = F.add_months(F.trunc(death, "month"), -F.col("back"))
    service_from = F.greatest(month, F.col("starts_on"))
    service_thru = F.least(F.last_day(month), death)
    billed = monthly.select(
        *monthly.columns,
        (F.col("back") + 1).cast("bigint").alias("n"),
        service_from.alias("service_from"),
        service_thru.alias("service_thru"),
    ).where(is_covered(F.col("service_from"), PART_A) & (F.year("service_from") == F.col("year")))
    days = F.datediff("service_thru", "service_from") + 1
    home = _facility(draws, "hospice", HOSPICES, 1, stays_the_same=True)
    is_last = F.col("back") == 0
    claims = billed.select(
        *billed.columns,
        processed_on(draws, "hospice", F.col("service_thru")).alias("processed_on"),
        whole(HOSPICE_DAY_DOLLARS * 100 * days * F.col("price") * F.col("need") / F.col("risk")).alias("pay"),
        (draws.below(4, "hospice lines", *claim_key()) + 3).alias("lines"),
        facility_ccn("4115", home).alias("ccn"),
        facility_npi("4115", home).alias("npi"),
        F.lit("8").alias("facility_type"),
        F.lit("1").alias("classification"),
        F.when(is_last, "4").otherwise("3").alias("frequency"),
        F.when(is_last, "20").otherwise("30").alias("discharge_status"),
    )
    line, lines = F.col("line"), F.col("lines")
    cells: dict[str, Column | str] = {
        "CLM_UTLZTN_DAY_CNT": F.datediff("service_thru", "service_from") + 1,
        "CLM_HOSPC_START_DT_ID": rif_day(F.col("starts_on")),
        "NCH_PTNT_STATUS_IND_CD": F.when(is_last, "B").otherwise("C"),
        "REV_CNTR": F.when(line == lines, "0001").otherwise(
            draws.one_of(("0651", "0657", "0550", "0652"), "hospice revenue", *claim_key(), line)
        ),
        "REV_CNTR_DT": rif_day(F.col("service_from")),
        "HCPCS_CD": F.when(line < lines, draws.one_of(("G0155", "G0156", "G0299"), "hospice code", *claim_key(), line)),
    }
    return institutional_rows(claims, draws, "hospice", "50", cells)


_DIGIT = {"inpatient": 1, "outpatient": 2, "snf": 3, "hha": 4, "hospice": 5}
_RECORD = {"inpatient": "V", "outpatient": "W", "snf": "V", "hha": "W", "hospice": "V"}


def institutional_rows(
    claims: DataFrame,
    draws: Draws,
    kind: str,
    claim_type: str,
    cells: Mapping[str, Column | str],
    *,
    part: Column | None = None,
) -> DataFrame:
    """The delivered rows of a kind's claims: versions, denials, primary payers, lines, repeated and unreadable rows."""
    key = claim_key()
    known = claims.select(
        *claims.columns,
        primary_payer(draws, kind, F.col("service_thru")).alias("payer"),
        diagnosis(draws, f"{kind} diagnosis", *key).alias("principal"),
        diagnosis(draws, f"{kind} second diagnosis", *key).alias("second"),
        # 2% are denied; the payment stays on them, so that counting them would show
        F.when(
            draws.chance(0.02, f"{kind} denied", *key), draws.one_of(("B", "N", "P", "R"), f"{kind} denial", *key)
        ).otherwise(" ").alias("non_payment"),
        claim_id(_DIGIT[kind], part).alias("claim_id"),
    )  # fmt: skip
    delivered = deliveries(known, draws, kind)
    versions = delivered.select(
        *[name for name in delivered.columns if name not in ("pay", "lines", "share", "more_lines")],
        whole(F.col("pay") * F.col("share")).alias("pay"),
        (F.col("lines") + F.col("more_lines")).alias("lines"),
    )
    rows = delivered_lines(versions, draws, kind, F.col("lines"))
    pay, line = F.col("pay"), F.col("line")
    is_medicare_first = F.col("payer").isin(" ", "C", "M", "N")
    charge = whole(pay * 2.8)
    is_outpatient = kind == "outpatient"
    common: dict[str, Column | str] = {
        "DML_IND": F.col("dml"),
        "BENE_ID": F.when(has_bad_row(107) & (line == 2), "").otherwise(F.col("member_id"))
        if is_outpatient
        else F.col("member_id"),
        "CLM_ID": F.col("claim_id"),
        "CLM_GRP_ID": F.col("claim_id"),
        "FINAL_ACTION": F.col("final_action"),
        "NCH_NEAR_LINE_REC_IDENT_CD": _RECORD[kind],
        "NCH_CLM_TYPE_CD": claim_type,
        # the last day of service before the first
        "CLM_FROM_DT": rif_day(
            F.when(has_bad_row(108), F.date_add("service_thru", 3)).otherwise(F.col("service_from"))
            if is_outpatient
            else F.col("service_from")
        ),
        "CLM_THRU_DT": rif_day(F.col("service_thru")),
        "NCH_WKLY_PROC_DT": rif_day(F.col("processed_on")),
        "CLAIM_QUERY_CODE": "3",
        "PRVDR_NUM": F.col("ccn"),
        "CLM_FAC_TYPE_CD": F.col("facility_type"),
        "CLM_SRVC_CLSFCTN_TYPE_CD": F.col("classification"),
        "CLM_FREQ_CD": F.col("frequency"),
        "CLM_MDCR_NON_PMT_RSN_CD": F.col("non_payment"),
        # an amount that is no number, on the first line alone: the claim's payment stands on the next one
        "CLM_PMT_AMT": F.when(has_bad_row(109) & (line == 1), "N/A").otherwise(money(pay))
        if is_outpatient
        else money(pay),
        "NCH_PRMRY_PYR_CLM_PD_AMT": money(F.when(is_medicare_first, 0).otherwise(whole(pay / 2))),
        "NCH_PRMRY_PYR_CD": F.col("payer"),
        "PRVDR_STATE_CD": STATE,
        "ORG_NPI_NUM": F.col("npi"),
        "AT_PHYSN_NPI": npi_of(F.col("practice"), F.col("place")),
        "RNDRNG_PHYSN_NPI": npi_of(F.col("practice"), F.col("place")),
        "PTNT_DSCHRG_STUS_CD": F.col("discharge_status"),
        "CLM_TOT_CHRG_AMT": money(charge),
        "PRNCPAL_DGNS_CD": F.col("principal"),
        "PRNCPAL_DGNS_VRSN_CD": "0",
        "ICD_DGNS_CD1": F.col("principal"),
        "ICD_DGNS_VRSN_CD1": "0",
        "ICD_DGNS_CD2": F.col("second"),
        "ICD_DGNS_VRSN_CD2": "0",
        "FI_DOC_CLM_CNTL_NUM": F.col("claim_id"),
        "CLM_LINE_NUM": line,
        "REV_CNTR_UNIT_CNT": "1",
        "REV_CNTR_TOT_CHRG_AMT": money(
            F.when(line == F.col("lines"), charge).otherwise(whole(charge / F.col("lines")))
        ),
        "REV_CNTR_NCVRD_CHRG_AMT": "0.00",
    }
    # the claim's amounts count on its first readable line
    is_second = has_bad_row(109) if is_outpatient else F.lit(False)
    place = line - F.when(is_second, 1).otherwise(0)
    return rif_rows(rows, kind, {**common, **cells}, stands=F.col("stands"), place=place)


def _facility(draws: Draws, kind: str, count: int, own: int, *, stays_the_same: bool = False) -> Column:
    """The facility: mostly the network's own, of which it has `own`, else any; one for all of a person if it stays."""
    key = (F.col("person"),) if stays_the_same else claim_key()
    any_one = draws.below(count, f"{kind} facility", *key)
    network = F.col("network")
    goes_home = (network < OUTSIDE) & draws.chance(HOME_FACILITY_SHARE, f"{kind} at home", *key)
    return F.when(goes_home, network * own + any_one % own).otherwise(any_one)


def _bill(part: int, first_day: Column, last_day: Column, status: Column, frequency: str, share: float) -> Column:
    return F.struct(
        F.lit(part).alias("part"),
        first_day.alias("service_from"),
        last_day.alias("service_thru"),
        status.alias("discharge_status"),
        F.lit(frequency).alias("frequency"),
        F.lit(share).alias("part_share"),
    )
