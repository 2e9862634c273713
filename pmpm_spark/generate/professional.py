"""Generated claims paid by the line: physicians' primary care, specialists, equipment; and drugs.

Each line carries its own payment, and the header's is their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.claims import (
    DRUGS,
    PART_B,
    claim_id,
    claim_key,
    delivered_lines,
    deliveries,
    diagnosis,
    events,
    has_bad_row,
    numbered,
    primary_payer,
    processed_on,
    whole,
)
from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.enrollment import STATE
from pmpm_spark.generate.providers import (
    GROUP_PLACES,
    GROUP_SPECIALTIES,
    GROUPS,
    SUPPLIERS,
    drawn_practice,
    group_npi,
    group_tin,
    npi_of,
    specialty_of,
    supplier_tin,
    tin_of,
)
from pmpm_spark.generate.rif import money, rif_day, rif_rows
from pmpm_spark.generate.truth import BLOCK, NETWORK_PRACTICES, OUTSIDE, PHYSICIANS, practice_count

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

VISITS, SPECIALIST_CLAIMS, EQUIPMENT_CLAIMS, FILLS = 4.2, 2.6, 0.7, 5.0
"""Claims of a person-year at risk 1."""
FIRST_SPECIALIST_CLAIM = 500
"""In a person's year, specialists' claims are numbered from here."""
HOME_VISIT_SHARE, HOME_PHYSICIAN_SHARE = 0.82, 0.85
"""Primary care at the own practice, and there with the own physician."""
PAID_SHARE = 0.8

# HCPCS, weight, allowed cents; all of them primary care services
_PRIMARY_CARE = (
    ("99213", 30, 9_200),
    ("99214", 40, 13_000),
    ("99215", 8, 18_300),
    ("99203", 4, 11_400),
    ("G0439", 8, 13_500),
    ("99490", 4, 6_200),
    ("99495", 2, 20_900),
    ("99309", 2, 9_400),
    ("99349", 1, 13_100),
    ("G2012", 1, 1_500),
)
_BESIDE_A_VISIT = (("36415", 300), ("G0444", 0), ("93000", 1_700), ("81002", 350), ("90686", 2_000))
"""On the further lines of a visit; G0444 is primary care that costs nothing."""
# six codes for each specialty of a group, in the order of GROUP_SPECIALTIES
_SPECIALIST = (
    ("93000", 1_700), ("93306", 21_000), ("99214", 13_000), ("93015", 7_200), ("78452", 43_000), ("99213", 9_200),
    ("20610", 6_500), ("73562", 4_000), ("99213", 9_200), ("97110", 3_000), ("29881", 58_000), ("27447", 90_000),
    ("45378", 38_000), ("43239", 40_000), ("99214", 13_000), ("88305", 7_300), ("91110", 60_000), ("76700", 12_000),
    ("92014", 12_500), ("66984", 62_000), ("92134", 4_200), ("92083", 6_400), ("67028", 9_500), ("J0178", 95_000),
    ("96413", 14_000), ("J9271", 240_000), ("99214", 13_000), ("96365", 7_000), ("J2505", 130_000), ("85025", 780),
    ("80053", 1_060), ("85025", 780), ("83036", 970), ("80061", 1_340), ("84443", 1_680), ("87086", 810),
)  # fmt: skip
_EQUIPMENT = (
    ("A4253", 1_100),
    ("E0601", 8_500),
    ("A7038", 450),
    ("E1390", 17_500),
    ("K0001", 5_200),
    ("L1851", 62_000),
)


def carrier_rows(member_years: DataFrame, draws: Draws, *, members: int) -> DataFrame:
    """Primary care and specialists in one file.

    Visits go to the own practice, some to others; persons with a tie have two equal ones, half of them on one day.
    """
    key = claim_key()
    person, year, n = key
    has_tie, place, network = F.col("has_tie"), F.col("place"), F.col("network")
    visits = numbered(draws, "visit", F.when(has_tie, F.lit(2.0)).otherwise(VISITS * F.col("need")))
    others = numbered(
        draws, "specialist", SPECIALIST_CLAIMS * F.col("need") * F.col("luck"), after=FIRST_SPECIALIST_CLAIM
    )
    happened = events(member_years, draws, "carrier", F.concat(visits, others), covered=PART_B, carry=("has_tie",))
    by_specialist = n > FIRST_SPECIALIST_CLAIM
    same_day = F.date_add(
        F.make_date(year.cast("int"), F.lit(1), F.lit(1)), draws.below(365, "tie", person, year).cast("int")
    )
    is_on_one_day = has_tie & ~by_specialist & (person % 80 == 21)
    other_place = draws.below(PHYSICIANS, "other physician", *key)
    keeps_physician = has_tie | draws.chance(HOME_PHYSICIAN_SHARE, "own physician", *key)
    weighted = [i for i, (_, weight, _) in enumerate(_PRIMARY_CARE) for _ in range(weight)]
    stays_inside = (network < OUTSIDE) & draws.chance(0.55, "specialist inside", *key)
    claims = happened.select(
        *happened.columns,
        by_specialist.alias("by_specialist"),
        (has_tie & ~by_specialist).alias("is_tied"),
        F.when(is_on_one_day, same_day).otherwise(F.col("happened_on")).alias("service_from"),
        _practice_seen(draws, members).alias("seen_at"),
        F.when(keeps_physician, place).otherwise(other_place).alias("seen_place"),
        F.when(has_tie, 1).otherwise(draws.one_of(weighted, "visit", *key)).alias("visit"),
        F.when(stays_inside, network)
        .when(network < OUTSIDE, draws.below(GROUPS, "group", *key))
        .otherwise(OUTSIDE + draws.below(GROUPS - OUTSIDE, "group", *key)).alias("group"),
        # a tie is no tie with a specialist's visit beside it: laboratory only
        F.when(has_tie, GROUP_PLACES - 1)
        .otherwise(draws.below(GROUP_PLACES, "specialty", *key)).alias("group_place"),
        F.when(by_specialist, draws.below(3, "specialist lines", *key) + 1)
        .when(has_tie, 1)
        .otherwise(draws.one_of((1, 1, 1, 2, 2, 3), "visit lines", *key)).alias("lines"),
    )  # fmt: skip
    by_specialist = F.col("by_specialist")
    visit, group, group_place = F.col("visit"), F.col("group"), F.col("group_place")
    seen_at, seen_place = F.col("seen_at"), F.col("seen_place")

    def line(number: Column) -> Column:
        beside = draws.below(len(_BESIDE_A_VISIT), "beside a visit", *key, number)
        is_visit = number == 1
        at = group_place * 6 + draws.below(6, "procedure", *key, number)
        varied = lookup([a for _, a in _SPECIALIST], at) * draws.lognormal(0.3, "procedure price", *key, number)
        return F.struct(
            F.when(by_specialist, lookup([c for c, _ in _SPECIALIST], at))
            .when(is_visit, lookup([c for c, _, _ in _PRIMARY_CARE], visit))
            .otherwise(lookup([c for c, _ in _BESIDE_A_VISIT], beside))
            .alias("hcpcs"),
            whole(
                F.col("price")
                * F.when(by_specialist, varied)
                .when(is_visit, lookup([a for _, _, a in _PRIMARY_CARE], visit))
                .otherwise(lookup([a for _, a in _BESIDE_A_VISIT], beside))
            ).alias("allowed"),
        )

    hcpcs = F.col("hcpcs")
    specialty = specialty_of(seen_at, seen_place)
    cells: dict[str, Column | str] = {
        "TAX_NUM": F.when(by_specialist, group_tin(group)).otherwise(tin_of(seen_at)),
        "PRF_PHYSN_NPI": F.when(by_specialist, group_npi(group, group_place)).otherwise(npi_of(seen_at, seen_place)),
        "RFR_PHYSN_NPI": npi_of(F.col("practice"), place),
        "PRVDR_SPCLTY": F.when(by_specialist, lookup(GROUP_SPECIALTIES, group_place))
        # a leading zero lost
        .when(seen_at % 10 == 4, F.regexp_replace(specialty, "^0", ""))
        .otherwise(specialty),
        "LINE_PLACE_OF_SRVC_CD": F.when(by_specialist, draws.one_of(("11", "11", "22", "24"), "place of service", *key))
        .when(hcpcs == "99309", "31")
        .when(hcpcs == "99349", "12")
        .otherwise("11"),
        # amounts that are no number, days that do not exist
        "LINE_NCH_PMT_AMT": F.when(has_bad_row(111) & (F.col("line") == 1), "12x.40").otherwise(_payment()),
        "LINE_LAST_EXPNS_DT": F.when(has_bad_row(112) & (F.col("line") == 1), "31-Jun-2021").otherwise(
            _last_day(draws, "carrier")
        ),
    }
    return _line_rows(claims, draws, "carrier", line, cells, can_be_denied=~F.col("is_tied"))


def _practice_seen(draws: Draws, members: int) -> Column:
    """Where a visit is: mostly the own practice; who belongs to none sees practices of no network alone."""
    key = claim_key()
    n = key[2]
    home, has_tie = F.col("practice"), F.col("has_tie")
    is_inside = home % BLOCK < OUTSIDE * NETWORK_PRACTICES
    elsewhere = drawn_practice(draws, members, "other practice", *key)
    outside = F.floor(home / BLOCK) * BLOCK + OUTSIDE * NETWORK_PRACTICES + draws.below(5, "other practice", *key)
    strays = draws.chance(1 - HOME_VISIT_SHARE, "strays", *key)
    return (
        F.when(has_tie & (n == 2), (home + NETWORK_PRACTICES) % practice_count(members))
        .when(has_tie | ~strays, home)
        .when(is_inside, elsewhere)
        .otherwise(outside)
        .cast("bigint")
    )


def dme_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    key = claim_key()
    numbers = numbered(draws, "dme", EQUIPMENT_CLAIMS * F.col("need") * F.col("luck"))
    happened = events(member_years, draws, "dme", numbers, covered=PART_B)
    claims = happened.select(
        *happened.columns,
        draws.below(SUPPLIERS, "supplier", *key).alias("supplier"),
        F.col("happened_on").alias("service_from"),
        (draws.below(3, "dme lines", *key) + 1).alias("lines"),
    )

    def line(number: Column) -> Column:
        at = draws.below(len(_EQUIPMENT), "equipment", *key, number)
        return F.struct(
            lookup([c for c, _ in _EQUIPMENT], at).alias("hcpcs"),
            whole(lookup([a for _, a in _EQUIPMENT], at) * F.col("price")).alias("allowed"),
        )

    supplier = F.col("supplier")
    cells: dict[str, Column | str] = {
        "TAX_NUM": supplier_tin(supplier),
        "PRVDR_NPI": F.concat(F.lit("97"), F.lpad(supplier.cast("string"), 8, "0")),
        "RFR_PHYSN_NPI": npi_of(F.col("practice"), F.col("place")),
        "PRVDR_SPCLTY": "51",
        "LINE_PLACE_OF_SRVC_CD": "12",
        "DMERC_LINE_MTUS_CNT": "1",
    }
    return _line_rows(claims, draws, "dme", line, cells, can_be_denied=F.lit(True))


def pde_rows(member_years: DataFrame, draws: Draws) -> DataFrame:
    """One row per fill. PDE ids are numbered as carrier claims are, and the two overlap."""
    key = claim_key()
    numbers = numbered(draws, "drugs", FILLS * F.col("need"))
    happened = events(member_years.where("has_part_d"), draws, "drugs", numbers, covered=DRUGS)
    total = whole(7_500 * draws.lognormal(1.1, "drug", *key) * F.col("price"))
    filled = happened.select(
        *happened.columns,
        total.alias("total"),
        F.date_add("happened_on", draws.below(15, "paid", *key).cast("int")).alias("processed_on"),
        # the whole amount falls into the deductible of one in twelve
        F.when(draws.chance(0.08, "deductible", *key), 1.0).otherwise(0.2).alias("patient_share"),
        claim_id(6).alias("claim_id"),
    )
    rows = delivered_lines(deliveries(filled, draws, "drugs"), draws, "drugs", F.lit(1))
    cost = whole(F.col("total") * F.col("share"))
    patient = whole(cost * F.col("patient_share"))
    by_npi = draws.chance(0.85, "pharmacy by NPI", *key)
    pharmacy = draws.below(40, "pharmacy", *key)
    cells: dict[str, Column | str] = {
        "DML_IND": F.col("dml"),
        "PDE_ID": F.col("claim_id"),
        "CLM_GRP_ID": F.col("claim_id"),
        "FINAL_ACTION": F.col("final_action"),
        "BENE_ID": F.col("member_id"),
        "SRVC_DT": F.when(has_bad_row(110), "30-Feb-2021").otherwise(rif_day(F.col("happened_on"))),
        "PD_DT": rif_day(F.col("processed_on")),
        "SRVC_PRVDR_ID_QLFYR_CD": F.when(by_npi, "01").otherwise("07"),
        "SRVC_PRVDR_ID": F.when(by_npi, F.concat(F.lit("95"), F.lpad(pharmacy.cast("string"), 8, "0"))).otherwise(
            F.concat(F.lit("41"), F.lpad(pharmacy.cast("string"), 5, "0"))
        ),
        "PRSCRBR_ID_QLFYR_CD": "01",
        "PRSCRBR_ID": npi_of(F.col("practice"), F.col("place")),
        "RX_SRVC_RFRNC_NUM": F.col("claim_id"),
        "PROD_SRVC_ID": F.concat(F.lit("00002"), F.lpad(draws.below(900, "product", *key).cast("string"), 6, "0")),
        "PLAN_CNTRCT_REC_ID": F.concat(F.lit("Z000"), (F.col("person") % 9).cast("string")),
        "PLAN_PBP_REC_NUM": "999",
        "CMPND_CD": "0",
        "QTY_DSPNSD_NUM": "30",
        "DAYS_SUPLY_NUM": draws.one_of(("30", "30", "90"), "days of supply", *key),
        "FILL_NUM": "1",
        "DRUG_CVRG_STUS_CD": "C",
        "ADJSTMT_DLTN_CD": " ",
        "PTNT_PAY_AMT": money(patient, zero="0.00"),
        "OTHR_TROOP_AMT": "0",
        "LICS_AMT": "0",
        "PLRO_AMT": "0.00",
        "CVRD_D_PLAN_PD_AMT": money(cost - patient),
        "NCVRD_PLAN_PD_AMT": "0.00",
        "TOT_RX_CST_AMT": money(cost),
        "BRND_GNRC_CD": draws.one_of(("B", "G", "G", "G"), "brand", *key),
    }
    return rif_rows(rows, "pde", cells, stands=F.col("stands"))


def _line_rows(
    claims: DataFrame,
    draws: Draws,
    kind: str,
    line: Callable[[Column], Column],
    cells: Mapping[str, Column | str],
    *,
    can_be_denied: Column,
) -> DataFrame:
    """The delivered rows of carrier or equipment claims, of `line` for each of the claim's `lines`.

    Denied lines, 2% of the claims and 2% of the lines, keep their payment, so that counting them would show.
    """
    key = claim_key()
    # one claim in 25 has its lines on several days
    apart = F.when(draws.chance(0.04, f"{kind} days", *key), draws.below(20, f"{kind} days apart", *key) + 1).otherwise(
        0
    )
    known = claims.select(
        *claims.columns,
        apart.cast("int").alias("days_apart"),
        (can_be_denied & draws.chance(0.02, f"{kind} denied", *key)).alias("is_denied"),
        diagnosis(draws, f"{kind} diagnosis", *key).alias("principal"),
        diagnosis(draws, f"{kind} second diagnosis", *key).alias("second"),
        claim_id(6 if kind == "carrier" else 7).alias("claim_id"),
        processed_on(draws, kind, F.col("service_from")).alias("processed_on"),
    )
    delivered = deliveries(known, draws, kind)
    numbers = F.sequence(F.lit(1).cast("bigint"), F.col("lines") + F.col("more_lines"))
    priced = delivered.select(
        *[column for column in delivered.columns if column != "lines"],
        F.transform(numbers, line).alias("priced_lines"),
    )
    share = F.col("share")
    with_total = priced.select(
        *priced.columns,
        F.size("priced_lines").alias("lines"),
        F.aggregate(
            F.col("priced_lines"),
            F.lit(0).cast("bigint"),
            lambda total, one: total + whole(one["allowed"] * share * PAID_SHARE),
        ).alias("claim_pay"),
    )
    numbered = delivered_lines(with_total, draws, kind, F.col("lines"))
    number = F.col("line")
    one = F.get("priced_lines", (number - 1).cast("int"))
    rows = numbered.select(
        *[column for column in numbered.columns if column != "priced_lines"],
        one["hcpcs"].alias("hcpcs"),
        whole(one["allowed"] * share).alias("allowed"),
        whole(one["allowed"] * share * PAID_SHARE).alias("pay"),
        F.date_add("service_from", F.col("days_apart") * (number - 1).cast("int")).alias("line_day"),
        F.date_add("service_from", F.col("days_apart") * (F.col("lines") - 1)).alias("service_thru"),
        primary_payer(draws, kind, F.col("service_from")).alias("payer"),
        F.when(can_be_denied & draws.chance(0.02, f"{kind} line denied", *key, number),
               draws.one_of(("N", "B", "C", "Z"), f"{kind} line denial", *key, number))
        .otherwise(draws.weighted({"A": 95, "R": 2, "S": 1, " ": 2}, f"{kind} line paid", *key, number))
        .alias("indicator"),
    )  # fmt: skip
    pay, allowed = F.col("pay"), F.col("allowed")
    is_medicare_first = F.col("payer").isin(" ", "C", "M", "N")
    common: dict[str, Column | str] = {
        "DML_IND": F.col("dml"),
        "BENE_ID": F.col("member_id"),
        "CLM_ID": F.col("claim_id"),
        "CLM_GRP_ID": F.col("claim_id"),
        "FINAL_ACTION": F.col("final_action"),
        "NCH_NEAR_LINE_REC_IDENT_CD": "O" if kind == "carrier" else "M",
        "NCH_CLM_TYPE_CD": "71" if kind == "carrier" else "82",
        "CLM_FROM_DT": rif_day(F.col("service_from")),
        "CLM_THRU_DT": rif_day(F.col("service_thru")),
        "NCH_WKLY_PROC_DT": rif_day(F.col("processed_on")),
        "CARR_CLM_ENTRY_CD": "1",
        "CLM_DISP_CD": "1",
        "CARR_NUM": "00524",
        "CARR_CLM_PMT_DNL_CD": F.when(F.col("is_denied"), "0").otherwise("1"),
        "CLM_PMT_AMT": money(F.col("claim_pay")),
        "CARR_CLM_PRMRY_PYR_PD_AMT": "0",
        "CARR_CLM_PRVDR_ASGNMT_IND_SW": "A",
        "NCH_CLM_PRVDR_PMT_AMT": money(F.col("claim_pay")),
        "NCH_CLM_BENE_PMT_AMT": "0",
        "PRNCPAL_DGNS_CD": F.col("principal"),
        "PRNCPAL_DGNS_VRSN_CD": "0",
        "ICD_DGNS_CD1": F.col("principal"),
        "ICD_DGNS_VRSN_CD1": "0",
        "ICD_DGNS_CD2": F.col("second"),
        "ICD_DGNS_VRSN_CD2": "0",
        "CARR_CLM_CNTL_NUM": F.col("claim_id"),
        "LINE_NUM": number,
        "PRVDR_STATE_CD": "RI" if kind == "carrier" else STATE,
        "LINE_SRVC_CNT": "1",
        "LINE_CMS_TYPE_SRVC_CD": "1" if kind == "carrier" else "P",
        "LINE_1ST_EXPNS_DT": rif_day(F.col("line_day")),
        "LINE_LAST_EXPNS_DT": _last_day(draws, kind),
        "HCPCS_CD": F.col("hcpcs"),
        "LINE_NCH_PMT_AMT": _payment(),
        "LINE_BENE_PMT_AMT": "0",
        "LINE_PRVDR_PMT_AMT": money(pay, zero="0.00"),
        "LINE_BENE_PTB_DDCTBL_AMT": "0.00",
        "LINE_BENE_PRMRY_PYR_CD": F.col("payer"),
        "LINE_BENE_PRMRY_PYR_PD_AMT": money(F.when(is_medicare_first, 0).otherwise(whole(pay / 2))),
        "LINE_COINSRNC_AMT": money(allowed - pay, zero="0.00"),
        "LINE_SBMTD_CHRG_AMT": money(whole(allowed * 2.2), zero="0.00"),
        "LINE_ALOWD_CHRG_AMT": money(allowed, zero="0.00"),
        "LINE_PRCSG_IND_CD": F.col("indicator"),
        "LINE_ICD_DGNS_CD": F.col("principal"),
        "LINE_ICD_DGNS_VRSN_CD": "0",
    }
    return rif_rows(rows, kind, {**common, **cells}, stands=F.col("stands"), place=number)


def _payment() -> Column:
    return money(F.col("pay"), zero="0.00")


def _last_day(draws: Draws, kind: str) -> Column:
    """The line's last day of service; not told on one line in a hundred."""
    is_told = ~draws.chance(0.01, f"{kind} no last day", *claim_key(), F.col("line"))
    return F.when(is_told, rif_day(F.col("line_day"))).otherwise(" ")
