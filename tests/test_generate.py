"""The generated input: same seed, same rows; the layout CMS delivers; every rule has something to do."""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from statistics import mean

import pytest
from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.generate import generate
from pmpm_spark.generate.claims import claim_id
from pmpm_spark.generate.draws import Draws, lognormal_table
from pmpm_spark.generate.enrollment import beneficiary_rows
from pmpm_spark.generate.institutional import inpatient_rows
from pmpm_spark.generate.people import member_years, people
from pmpm_spark.generate.professional import carrier_rows, pde_rows
from pmpm_spark.generate.truth import (
    MEMBERS_OF_150,
    NETWORK_PRACTICES,
    NETWORKS,
    PHYSICIANS,
    physician_npi,
    physician_truth,
    practice_count,
    practice_tin,
)
from pmpm_spark.sources.rif.layout import columns_of

MEMBERS, YEARS, SEED = 1_000, (2020, 2021), 7
KINDS = ("inpatient", "outpatient", "snf", "hha", "hospice", "carrier", "dme", "pde")
INSTITUTIONAL = ("inpatient", "outpatient", "snf", "hha", "hospice")
OTHER_PAYERS = set("ABDEFGHILW")
MONTH_WORDS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
Row = dict[str, str]


def rif_day(text: str) -> date | None:
    try:
        return datetime.strptime(text.strip(), "%d-%b-%Y").date()
    except ValueError:
        return None


class Delivered:
    """The generated files, read without Spark."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self, folder: str) -> list[Path]:
        return sorted(p for p in (self.root / folder).iterdir() if ".csv" in p.name and not p.name.startswith("."))

    def rows(self, folder: str) -> list[Row]:
        found: list[Row] = []
        for path in self.files(folder):
            with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
                mark = "|" if path.suffix == ".gz" else ","
                quoting = csv.QUOTE_NONE if mark == "|" else csv.QUOTE_MINIMAL
                # only the cells that say something: a row has up to 275
                found += [
                    {k: v for k, v in row.items() if v}
                    for row in csv.DictReader(lines, delimiter=mark, quoting=quoting)
                ]
        return found

    def digest(self, folder: str) -> str:
        """Of the lines in an order of their own."""
        lines: list[str] = []
        for path in self.files(folder):
            with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as text:
                lines += text.read().splitlines()[1:]
        return sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]

    @cached_property
    def claims(self) -> dict[str, list[Row]]:
        return {kind: self.rows(kind) for kind in KINDS}

    @cached_property
    def enrollment(self) -> list[Row]:
        return [row for year in range(YEARS[0] - 1, YEARS[1] + 1) for row in self.rows(f"beneficiary_{year}")]

    @cached_property
    def institutional(self) -> list[Row]:
        return [row for kind in INSTITUTIONAL for row in self.claims[kind]]

    @cached_property
    def lines(self) -> list[Row]:
        return self.claims["carrier"] + self.claims["dme"]

    @cached_property
    def medical(self) -> list[Row]:
        return self.institutional + self.lines

    @cached_property
    def deaths(self) -> dict[str, date]:
        told = {row["BENE_ID"]: rif_day(row["DEATH_DT"]) for row in self.enrollment if "DEATH_DT" in row}
        return {member: day for member, day in told.items() if day}

    @cached_property
    def months(self) -> dict[tuple[str, int, int], tuple[str, str]]:
        """Member, year, month: entitlement and Part C codes; of two rows the later one."""
        return {
            (row["BENE_ID"], int(row["RFRNC_YR"]), number): (
                row.get(f"MDCR_ENTLMT_BUYIN_{number}_IND", ""),
                row.get(f"HMO_{number}_IND", ""),
            )
            for row in self.enrollment
            for number in range(1, 13)
        }

    def cover_of(self, row: Row) -> tuple[str, str] | None:
        """The codes of the month that a claim ended in; None where nothing is known of the member or the day."""
        day = rif_day(row.get("CLM_THRU_DT") or row.get("SRVC_DT") or "")
        return self.months.get((row.get("BENE_ID", ""), day.year, day.month)) if day else None

    @cached_property
    def roster(self) -> list[Row]:
        return self.rows("network_roster")

    @cached_property
    def network_tins(self) -> set[str]:
        return {row["tin"] for row in self.roster if "tin" in row}

    @cached_property
    def visits(self) -> dict[tuple[str, int], list[Row]]:
        """Lines of practices by member and year of service."""
        found = defaultdict(list)
        for row in self.claims["carrier"]:
            day = rif_day(row["LINE_1ST_EXPNS_DT"])
            if row["TAX_NUM"][:2] in ("99", "00") and row["LINE_NUM"] == "1" and day:
                found[row["BENE_ID"], day.year].append(row)
        return found


@pytest.fixture(scope="module")
def delivered(spark, tmp_path_factory) -> Delivered:
    root = tmp_path_factory.mktemp("generated") / "out"
    generate(spark, str(root), members=MEMBERS, years=YEARS, seed=SEED)
    return Delivered(root)


def monthly(row: Row, stem: str) -> list[str]:
    """The twelve values of a monthly column; `{}` stands for the month's number, `[]` for its word."""
    names = [stem.replace("{}", str(i)).replace("[]", word) for i, word in enumerate(MONTH_WORDS, start=1)]
    return [row.get(name, "") for name in names]


def enrolled_months(row: Row) -> list[bool]:
    return [code not in ("", "0") for code in monthly(row, "MDCR_ENTLMT_BUYIN_{}_IND")]


def versions(d: Delivered) -> dict[str, dict[str, list[Row]]]:
    """Claims by id, their rows by kind of delivery."""
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in d.medical:
        found[row["CLM_ID"]][row["DML_IND"]].append(row)
    return found


def replaced(d: Delivered) -> list[tuple[list[Row], list[Row]]]:
    return [(v["INSERT"], v["UPDATE"]) for v in versions(d).values() if len(v) == 2]


def interim_bills(d: Delivered) -> int:
    first = {(r["BENE_ID"], r["CLM_ADMSN_DT"]) for r in d.claims["inpatient"] if r["PTNT_DSCHRG_STUS_CD"] == "30"}
    last = {(r["BENE_ID"], r["CLM_ADMSN_DT"]) for r in d.claims["inpatient"] if r["CLM_FREQ_CD"] == "4"}
    return len(first & last)


def ties(d: Delivered, *, same_day: bool) -> int:
    """Member-years whose two visits have equal charges at two TINs."""
    pairs = [rows for rows in d.visits.values() if len(rows) == 2]
    equal = [
        (a, b)
        for a, b in pairs
        if a["LINE_ALOWD_CHRG_AMT"] == b["LINE_ALOWD_CHRG_AMT"] and a["TAX_NUM"] != b["TAX_NUM"]
    ]
    return sum((a["LINE_1ST_EXPNS_DT"] == b["LINE_1ST_EXPNS_DT"]) == same_day for a, b in equal)


def count(rows: list[Row], holds: Callable[[Row], object]) -> int:
    return sum(bool(holds(row)) for row in rows)


def has_gap(row: Row) -> bool:
    months = enrolled_months(row)
    told = [i for i, enrolled in enumerate(months) if enrolled]
    return bool(told) and not all(months[told[0] : told[-1]])


def after_death(d: Delivered, row: Row) -> bool:
    death, day = d.deaths.get(row.get("BENE_ID", "")), rif_day(row["CLM_FROM_DT"])
    return bool(death and day and day > death)


PLANTED: dict[str, Callable[[Delivered], int]] = {
    "deaths": lambda d: len(d.deaths),
    "months still flagged after the month of death": lambda d: count(
        d.enrollment, lambda r: "DEATH_DT" in r and any(enrolled_months(r)[rif_day(r["DEATH_DT"]).month :])
    ),
    "months without enrollment between months with it": lambda d: count(d.enrollment, has_gap),
    "persons who join after the first month": lambda d: count(
        d.enrollment, lambda r: not enrolled_months(r)[0] and enrolled_months(r)[11]
    ),
    "persons who leave": lambda d: count(
        d.enrollment, lambda r: enrolled_months(r)[0] and not enrolled_months(r)[11] and "DEATH_DT" not in r
    ),
    "persons abroad": lambda d: count(d.enrollment, lambda r: r["STATE_CODE"] == "56"),
    "member ids with leading zeros": lambda d: count(d.enrollment, lambda r: r["BENE_ID"].startswith("000")),
    "two enrollment rows for a member and year": lambda d: (
        len(d.enrollment) - len({(r["BENE_ID"], r["RFRNC_YR"]) for r in d.enrollment})
    ),
    "a birth date that is no date": lambda d: count(d.enrollment, lambda r: not rif_day(r["BENE_BIRTH_DT"])),
    "Medicare status that changes in a year": lambda d: count(
        d.enrollment, lambda r: len({s for s in monthly(r, "MDCR_STUS_[]_CD") if s}) > 1
    ),
    "Medicaid that begins or ends in a year": lambda d: count(
        d.enrollment, lambda r: len({s for s in monthly(r, "META_DUAL_ELGBL_STUS_[]_CD") if s}) > 1
    ),
    "claims after death": lambda d: count(d.medical, lambda r: after_death(d, r)),
    "claims of people without enrollment": lambda d: len(
        {r.get("BENE_ID", "") for r in d.medical} - {m for m, _, _ in d.months} - {""}
    ),
    "claims in months without coverage": lambda d: count(d.medical, lambda r: (d.cover_of(r) or "3")[0] in ("", "0")),
    "claims in Medicare Advantage months": lambda d: count(
        d.medical, lambda r: (d.cover_of(r) or ("", "0"))[1] in ("1", "A", "C")
    ),
    "denied institutional claims": lambda d: count(
        d.institutional, lambda r: r["CLM_MDCR_NON_PMT_RSN_CD"].strip() and r["CLM_PMT_AMT"] not in ("0", "N/A")
    ),
    "denied carrier and equipment claims": lambda d: count(d.lines, lambda r: r["CARR_CLM_PMT_DNL_CD"] == "0"),
    "denied lines": lambda d: count(d.lines, lambda r: r["LINE_PRCSG_IND_CD"] in "NBCZ"),
    "lines paid with indicator R, S or blank": lambda d: count(d.lines, lambda r: r["LINE_PRCSG_IND_CD"] in "RS "),
    "institutional claims with another payer first": lambda d: count(
        d.institutional, lambda r: r["NCH_PRMRY_PYR_CD"] in OTHER_PAYERS
    ),
    "lines with another payer first": lambda d: count(d.lines, lambda r: r["LINE_BENE_PRMRY_PYR_CD"] in OTHER_PAYERS),
    "payer codes that mean Medicare is first": lambda d: count(
        d.medical, lambda r: r.get("NCH_PRMRY_PYR_CD", r.get("LINE_BENE_PRMRY_PYR_CD")) in ("C", "M", "N")
    ),
    "claims that are not final": lambda d: count(d.medical, lambda r: r["FINAL_ACTION"] == "N"),
    "claims replaced with another amount": lambda d: sum(
        old[0].get("CLM_PMT_AMT") != new[0].get("CLM_PMT_AMT") for old, new in replaced(d)
    ),
    "claims replaced with fewer lines": lambda d: sum(
        len({r.get("LINE_NUM", r.get("CLM_LINE_NUM")) for r in old})
        > len({r.get("LINE_NUM", r.get("CLM_LINE_NUM")) for r in new})
        for old, new in replaced(d)
    ),
    "rows delivered twice": lambda d: sum(
        n - 1 for kind in KINDS for n in Counter(tuple(r.items()) for r in d.claims[kind]).values()
    ),
    "payments that are no number": lambda d: (
        count(d.medical, lambda r: r["CLM_PMT_AMT"] == "N/A")
        and count(d.lines, lambda r: r["LINE_NCH_PMT_AMT"] == "12x.40")
    ),
    "days that do not exist": lambda d: (
        count(d.lines, lambda r: r["LINE_LAST_EXPNS_DT"].startswith("31-Jun"))
        and count(d.claims["pde"], lambda r: r["SRVC_DT"] == "30-Feb-2021")
    ),
    "a last day before the first": lambda d: count(
        d.medical, lambda r: rif_day(r["CLM_FROM_DT"]) > rif_day(r["CLM_THRU_DT"])
    ),
    "rows without a member id": lambda d: count(d.medical, lambda r: "BENE_ID" not in r),
    "interim bills with their final bill": interim_bills,
    "stays with pass-through": lambda d: count(
        d.claims["inpatient"], lambda r: Decimal(r["CLM_PASS_THRU_PER_DIEM_AMT"]) * int(r["CLM_UTLZTN_DAY_CNT"]) > 0
    ),
    "zero written without cents": lambda d: count(
        d.claims["inpatient"], lambda r: r["CLM_PASS_THRU_PER_DIEM_AMT"] == "0"
    ),
    "teaching and disproportionate share amounts": lambda d: count(
        d.claims["inpatient"],
        lambda r: all(
            Decimal(r[name]) > 0
            for name in (
                "IME_OP_CLM_VAL_AMT",
                "DSH_OP_CLM_VAL_AMT",
                "CLM_PPS_CPTL_IME_AMT",
                "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT",
                "CLM_UNCOMPD_CARE_PMT_AMT",
            )
        ),
    ),
    "emergency visits": lambda d: count(
        d.claims["outpatient"], lambda r: r["REV_CNTR"].startswith("045") or r["REV_CNTR"] == "0981"
    ),
    "stays through the emergency room": lambda d: count(
        d.claims["inpatient"], lambda r: r["REV_CNTR"].startswith("045")
    ),
    "institutional claims over the end of a month": lambda d: count(
        d.institutional, lambda r: r["CLM_FROM_DT"][3:] != r["CLM_THRU_DT"][3:]
    ),
    "health center, hospital of method II and dialysis bills": lambda d: min(
        count(d.claims["outpatient"], lambda r, t=t: r["CLM_FAC_TYPE_CD"] + r["CLM_SRVC_CLSFCTN_TYPE_CD"] == t)
        for t in ("77", "85", "72")
    ),
    "carrier claims with lines in two months": lambda d: count(
        d.claims["carrier"], lambda r: r["CLM_FROM_DT"][3:] != r["LINE_1ST_EXPNS_DT"][3:]
    ),
    "lines without a last day": lambda d: count(d.lines, lambda r: r["LINE_LAST_EXPNS_DT"] == " "),
    "primary care that costs nothing": lambda d: count(
        d.claims["carrier"], lambda r: r["HCPCS_CD"] == "G0444" and Decimal(r["LINE_ALOWD_CHRG_AMT"]) == 0
    ),
    "specialties without their leading zero": lambda d: count(d.claims["carrier"], lambda r: r["PRVDR_SPCLTY"] == "8"),
    "fills that the plan pays nothing of": lambda d: count(
        d.claims["pde"], lambda r: Decimal(r["CVRD_D_PLAN_PD_AMT"]) == 0
    ),
    "pharmacies known by NPI and otherwise": lambda d: min(
        count(d.claims["pde"], lambda r, q=q: r["SRVC_PRVDR_ID_QLFYR_CD"] == q) for q in ("01", "07")
    ),
    "PDE ids that are claim ids as well": lambda d: len(
        {r["PDE_ID"] for r in d.claims["pde"]} & {r["CLM_ID"] for r in d.claims["carrier"]}
    ),
    "member-years with equal charges on two days": lambda d: ties(d, same_day=False),
    "member-years with equal charges on one day": lambda d: ties(d, same_day=True),
    "members without primary care in a year": lambda d: len(
        {(m, y) for m, y, _ in d.months if d.months[m, y, 6][0] in ("3", "C")} - set(d.visits)
    ),
    "members on the lists of two networks": lambda d: sum(
        n > 1 for n in Counter((r["member_id"], r["performance_year"]) for r in d.rows("member_attribution")).values()
    ),
    "members on a list without a physician": lambda d: count(
        d.rows("member_attribution"), lambda r: "physician_npi" not in r
    ),
    "a roster row that names nobody": lambda d: count(d.roster, lambda r: r.get("npi") == "9999999999"),
    "rates by score and plain ones": lambda d: min(
        count(d.rows("contract_rates"), lambda r, word=word: r["risk_adjusted"] == word) for word in ("true", "false")
    ),
    "members that two contracts list": lambda d: sum(
        n > 1 for n in Counter(r["member_id"] for r in d.rows("contract_members")).values()
    ),
    "list rows recorded later than they begin": lambda d: count(
        d.rows("contract_members"), lambda r: r.get("recorded_on", "") > r["start_date"]
    ),
    "list rows that the later delivery ends": lambda d: count(
        d.rows("_later/contract_members"), lambda r: "end_date" in r
    ),
    "rates that the later delivery ends": lambda d: count(
        d.rows("_later/contract_rates"), lambda r: "effective_to" in r
    ),
    "deaths told later": lambda d: count(d.rows("_later/rif"), lambda r: "DEATH_DT" in r),
}
"""Each with how many there are."""


@pytest.mark.parametrize("what", PLANTED)
def test_the_generated_set_has(what, delivered):
    assert PLANTED[what](delivered) > 0


@pytest.mark.parametrize(
    ("stem", "codes"),
    [
        ("MDCR_ENTLMT_BUYIN_{}_IND", {"", "0", "1", "2", "3", "A", "C"}),
        ("HMO_{}_IND", {"", "0", "1", "4", "A", "C"}),
        ("MDCR_STUS_[]_CD", {"", "10", "11", "20", "21", "31"}),
        ("META_DUAL_ELGBL_STUS_[]_CD", {"", "NA", "00", "99", "01", "02", "03", "04", "05", "06", "08", "2"}),
    ],
)
def test_every_monthly_code_is_there(stem, codes, delivered):
    assert codes <= {code for row in delivered.enrollment for code in monthly(row, stem)}


def test_every_month_that_is_enrolled_says_whether_it_is_medicare_advantage(delivered):
    for row in delivered.enrollment:
        for buyin, hmo in zip(monthly(row, "MDCR_ENTLMT_BUYIN_{}_IND"), monthly(row, "HMO_{}_IND"), strict=True):
            assert (buyin in ("", "0")) == (hmo == "")


def test_the_files_have_the_columns_of_the_layout_and_one_file_a_kind(delivered):
    folders = {f"beneficiary_{year}": "beneficiary" for year in range(YEARS[0] - 1, YEARS[1] + 1)}
    for folder, kind in {**folders, **{kind: kind for kind in KINDS}}.items():
        for path in delivered.files(folder):
            with gzip.open(path, "rt") as lines:
                assert next(lines).rstrip("\n").split("|") == list(columns_of(kind))
    assert sum(len(delivered.rows(kind)) for kind in KINDS) > 40_000


@pytest.mark.shared
def test_the_layout_is_that_of_the_real_files(shared_data):
    for kind in ("beneficiary", *KINDS):
        name = "beneficiary_2021" if kind == "beneficiary" else kind
        with gzip.open(shared_data / "rif" / f"{name}.csv.gz", "rt") as lines:
            assert next(lines).rstrip("\n").split("|") == list(columns_of(kind))


def test_the_payment_of_an_institution_is_the_same_on_every_row_of_a_delivery(delivered):
    paid = defaultdict(set)
    for row in delivered.institutional:
        if row["CLM_PMT_AMT"] != "N/A":
            paid[row["CLM_ID"], row["NCH_WKLY_PROC_DT"], row["DML_IND"]].add(row["CLM_PMT_AMT"])
    assert {len(amounts) for amounts in paid.values()} == {1}


def test_the_lines_of_a_carrier_or_equipment_claim_add_up_to_its_header(delivered):
    lines = defaultdict(dict)
    header = {}
    for row in delivered.lines:
        delivery = row["CLM_ID"], row["NCH_WKLY_PROC_DT"], row["DML_IND"]
        lines[delivery][row["LINE_NUM"]] = row["LINE_NCH_PMT_AMT"]
        header[delivery] = Decimal(row["CLM_PMT_AMT"])
    readable = {d: amounts for d, amounts in lines.items() if "12x.40" not in amounts.values()}
    assert all(sum(map(Decimal, amounts.values())) == header[d] for d, amounts in readable.items())


def test_the_amounts_are_skewed(delivered):
    amounts = sorted(
        {r["CLM_ID"]: Decimal(r["CLM_PMT_AMT"]) for r in delivered.claims["outpatient"] if r["CLM_PMT_AMT"] != "N/A"}
        .values()
    )  # fmt: skip
    assert sum(amounts) / len(amounts) > 2 * amounts[len(amounts) // 2]


def test_a_quarter_of_the_members_see_practices_of_no_network_alone(delivered):
    seen = defaultdict(set)
    for (member, _), rows in delivered.visits.items():
        seen[member] |= {row["TAX_NUM"] in delivered.network_tins for row in rows}
    assert 0.18 < mean(inside == {False} for inside in seen.values()) < 0.32


def test_scores_are_given_for_all_but_three_in_a_hundred(delivered):
    enrolled = {
        (m, y) for (m, y, _), (buyin, _) in delivered.months.items() if buyin not in ("", "0") and y >= YEARS[0]
    }
    scored = {(row["member_id"], int(row["performance_year"])) for row in delivered.rows("risk_scores")}
    assert scored <= enrolled
    assert 0.01 < 1 - len(scored) / len(enrolled) < 0.06


def test_the_rosters_name_participants_by_tin_by_tin_and_npi_and_by_ccn(delivered):
    by_ids = Counter((r["network_type"], *(name in r for name in ("tin", "npi", "ccn"))) for r in delivered.roster)
    assert by_ids["MSSP", True, False, False] > 0
    assert by_ids["REACH", True, True, False] > 0
    assert by_ids["MSSP", False, False, True] > 0
    assert by_ids["REACH", False, False, True] > 0
    assert {r["network_id"] for r in delivered.roster} == {n.network_id for n in NETWORKS}


def test_one_practice_moves_at_the_start_of_a_year_and_one_physician_is_in_two_networks(delivered):
    moved = {
        (r["network_id"], r["start_date"], r.get("end_date"))
        for r in delivered.roster
        if r.get("tin") == practice_tin(2)
    }
    assert moved == {("A2001", "2015-01-01", "2020-12-31"), ("A2002", "2021-01-01", None)}
    shared = {(r["network_id"], r.get("npi")) for r in delivered.roster if r.get("tin") == practice_tin(0)}
    assert shared == {("A2001", None), ("D3002", physician_npi(0, 0))}


def test_the_physicians_factors_average_one_in_every_network():
    shares = [n / sum(MEMBERS_OF_150) for n in MEMBERS_OF_150]
    for network in range(len(NETWORKS)):
        factors = [
            (share / PHYSICIANS, *physician_truth(physician_npi(network * NETWORK_PRACTICES + k, place)))
            for k, share in enumerate(shares)
            for place in range(PHYSICIANS)
        ]
        assert sum(share * cost for share, cost, _ in factors) == pytest.approx(1)
        assert sum(share * risk for share, _, risk in factors) == pytest.approx(1)
        assert sum(share * cost * risk for share, cost, risk in factors) == pytest.approx(1)
    assert practice_count(1_000) == 20
    assert practice_count(50_000) == 1_000


def test_heavy_tailed_factors_have_mean_one():
    assert mean(lognormal_table(0.7)) == pytest.approx(1, abs=1e-6)
    assert max(lognormal_table(0.7)) > 5


def test_two_claims_never_have_one_id(spark):
    ids = spark.createDataFrame(
        [(1, 2020, 11), (11, 2020, 1), (1, 2021, 11), (1, 2020, 1)], "person long, year long, n long"
    )
    assert ids.select(claim_id(6)).distinct().count() == 4


def rows_of(spark, seed: int, files: int) -> dict[str, tuple[int, int]]:
    """How many rows of each of four kinds, and the sum of their hashes."""
    draws = Draws(seed)
    everybody = people(spark, draws, members=90, years=YEARS, files=files)
    of_years = member_years(everybody, draws, members=90, years=YEARS)
    frames = {
        "beneficiary": beneficiary_rows(of_years, draws),
        "inpatient": inpatient_rows(of_years, draws),
        "carrier": carrier_rows(of_years, draws, members=90),
        "pde": pde_rows(of_years, draws),
    }
    hashes = [
        frame.select(F.lit(kind).alias("kind"), F.xxhash64(*frame.columns).cast("decimal(38,0)").alias("hash"))
        for kind, frame in frames.items()
    ]
    united = hashes[0].union(hashes[1]).union(hashes[2]).union(hashes[3])
    found = united.groupBy("kind").agg(F.count("hash").alias("rows"), F.sum("hash").alias("hash")).collect()
    return {row["kind"]: (row["rows"], row["hash"]) for row in found}


DIGESTS = {
    "beneficiary_2020": "dd19a6eb68df4c02",
    "carrier": "77ad376d30948685",
    "dme": "9cc07d85ef4b95b8",
    "hha": "09b047ecc9cdc449",
    "hospice": "704b2bfcc26bda15",
    "inpatient": "308c15bf7fac726e",
    "member_attribution": "c64028a94dc5cada",
    "network_roster": "f46b3c8b75fbc3a8",
    "outpatient": "1d44972b20c454b0",
    "pde": "a4c70f0e1f580dcf",
    "providers": "4cf3fc600d2bd49d",
    "risk_scores": "3f79bfe03f425071",
    "snf": "2333f0c49baf7283",
}
"""Of the rows of seed 7, whichever engine made them: they change with the generator alone."""


def test_the_rows_are_those_of_the_seed_whichever_engine_makes_them(spark, tmp_path):
    generate(spark, str(tmp_path / "out"), members=60, years=YEARS, seed=SEED)
    made = Delivered(tmp_path / "out")
    assert {name: made.digest(name) for name in DIGESTS} == DIGESTS


def test_the_same_seed_gives_the_same_rows_whatever_the_partitions_and_another_seed_others(spark):
    once = rows_of(spark, SEED, files=1)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        again = rows_of(spark, SEED, files=5)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert once == again
    assert all(rows > 0 for rows, _ in once.values())
    other = rows_of(spark, SEED + 1, files=1)
    assert all(other[kind][1] != once[kind][1] for kind in once)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 0, "years": YEARS}, "members = 0"),
        ({"members": 5, "years": (2021, 2020)}, "years 2021-2020"),
        ({"members": 5, "years": (1990, 1991)}, "years 1990-1991"),
    ],
)
def test_nobody_or_no_year_to_generate_is_said(settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        generate(None, str(tmp_path / "out"), seed=1, **settings)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        generate(None, str(tmp_path), members=5, years=YEARS, seed=1)
    with pytest.raises(InputError, match="is a file"):
        generate(None, str(tmp_path / "mine.txt"), members=5, years=YEARS, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
