"""Generated CCLF deliveries: the same truth as the RIF files, delivered as CMS delivers it, with its irregularities.

Files are read here in plain Python, with the package's layout and nothing else of it.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.generate import generate
from pmpm_spark.generate.truth import NETWORKS
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy, Risk
from pmpm_spark.silver.attribution import UNATTRIBUTED
from tests.equality import FIGURES, KEYS, LISTS, REPOSITORY, Compared, generate_each, is_equal
from tests.loaded import Loads
from tests.oracle.cclf_plain import figures, read_layout

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is two whole runs

MEMBERS, YEARS, SEED = 200, (2020, 2021), 7
LAYOUT = REPOSITORY / "pmpm_spark" / "sources" / "cclf_layout.csv"
RUN_OUT = "R"
OTHER_PAYERS = set("ABDEFGHILW")
CURRENT = Eligibility(part_a_b="current_month")
POLICIES = (
    Policy("plurality", CURRENT),
    Policy("list", CURRENT, Cost(claim_month="from"), Attribution(method="roster")),
)
COMPUTED = Policy("computed", CURRENT, attribution=Attribution(method="roster"), risk=Risk(scores="computed"))
Record = dict[str, str]
Row = dict[str, Any]

NOT_CARRIED = {
    "in_network_paid_amount": "CCLF6 tells no tax number, so equipment meets no roster that names its supplier",
}
"""Figures that cannot be equal, and why. Beside these: pharmacy, of which CCLF tells what the beneficiary paid alone;
and why a month does not count, as who is not listed is not enrolled."""
NOT_CARRIED_IN_COSTS = {
    "pass_through_amount": "inside CLM_PMT_AMT, and not told apart",
}


@pytest.fixture(scope="module")
def generated(loads: Loads, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("generated")
    return generate_each(loads, folder, ("rif", "cclf"), members=MEMBERS, years=YEARS, seed=SEED)


@pytest.fixture(scope="module")
def published(
    spark: SparkSession, loads: Loads, generated: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Compared]:
    found = {}
    for name, root in generated.items():
        path = root / "cclf" if name == "cclf" else root
        source = Source(name, str(path), **{of: str(root / of) for of in LISTS})
        config = RunConfig(source, Warehouse(str(tmp_path_factory.mktemp(name))), YEARS, (*POLICIES, COMPUTED))
        load = loads.begin(config)
        found[name] = Compared(config, run(spark, config), None, load=load)
    return found


def assert_equal_rows(rif: dict[Any, Row], cclf: dict[Any, Row], but: set[str] | None = None) -> None:
    assert rif, "there is no row"
    faults = [f"only RIF has {k}" for k in sorted(rif.keys() - cclf.keys(), key=str)]
    faults += [f"only CCLF has {k}" for k in sorted(cclf.keys() - rif.keys(), key=str)]
    for at in rif.keys() & cclf.keys():
        for name in rif[at].keys() - (but or set()):
            if not is_equal(rif[at][name], cclf[at][name]):
                faults.append(f"{at}: {name} is {rif[at][name]} of RIF, {cclf[at][name]} of CCLF")
    assert not faults, f"{len(faults)} differences in {len(rif)} rows: {'; '.join(faults[:8])}"


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("name", [name for name in KEYS if name not in ("excluded", "member_months")])
def test_both_formats_give_the_same(name: str, policy: Policy, published: dict[str, Compared]) -> None:
    def by_key(of: Compared) -> dict[tuple[Any, ...], Row]:
        rows = of.of_policy(name, policy)
        if name == "attribution":  # who is not listed is not covered; that nobody has them is told of the covered
            rows = [row for row in rows if row["network_id"] != UNATTRIBUTED]
        return {tuple(row[k] for k in KEYS[name]): row for row in rows if row.get("service_category") != "pharmacy"}

    assert set(NOT_CARRIED) <= {figure for figures_of in FIGURES.values() for figure in figures_of}
    assert_equal_rows(by_key(published["rif"]), by_key(published["cclf"]), set(NOT_CARRIED))


def test_there_is_a_figure_of_every_network_and_money_of_every_kind(published: dict[str, Compared]) -> None:
    """Equal tables of nothing would be equal too."""
    networks = published["cclf"].of_policy("network_pmpm", POLICIES[0])
    assert {row["network_id"] for row in networks} >= {network.network_id for network in NETWORKS}
    assert all(row["paid_amount"] > 0 for row in networks)
    kinds = {row["service_category"] for row in published["cclf"].of_policy("network_pmpm_by_category", POLICIES[0])}
    assert len(kinds) == 9


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_same_months_count(policy: Policy, published: dict[str, Compared]) -> None:
    def by_key(of: Compared) -> dict[tuple[Any, ...], Row]:
        rows = of.of_policy("member_months", policy)
        return {(row["member_id"], row["member_month"]): row for row in rows if row["is_eligible"]}

    assert_equal_rows(by_key(published["rif"]), by_key(published["cclf"]))


def test_the_same_claims_stand_of_listed_and_unlisted_people(published: dict[str, Compared]) -> None:
    """Every dollar, counted or not, by person, month, category, roster network and denial."""
    key = ("member_id", "thru_month", "from_month", "service_category", "roster_network_id", "is_denied")
    amounts = (
        "claim_lines", "services", "paid_amount", "allowed_amount", "ime_amount", "dsh_amount",
        "uncompensated_care_amount", "pass_through_amount",
    )  # fmt: skip

    def sums(
        of: Compared, at: tuple[str, ...], figures: tuple[str, ...], kinds: Callable[[str], bool]
    ) -> dict[Any, Row]:
        found: dict[tuple[Any, ...], Row] = {}
        for row in of.table("silver.claim_costs", (*key, *amounts)):
            if kinds(row["service_category"]):
                told = found.setdefault(tuple(row[k] for k in at), dict.fromkeys(figures, 0))
                for name in figures:
                    told[name] += row[name] or 0
        return found

    def by_key(of: Compared) -> dict[Any, Row]:
        return sums(of, key, amounts, lambda kind: kind not in ("pharmacy", "dme"))

    def equipment(of: Compared) -> dict[Any, Row]:
        """Without the network, which a supplier's tax number would tell."""
        without_network = tuple(k for k in key if k != "roster_network_id")
        of_equipment = ("claim_lines", "services", "paid_amount", "allowed_amount")
        return sums(of, without_network, of_equipment, lambda kind: kind == "dme")

    assert_equal_rows(by_key(published["rif"]), by_key(published["cclf"]), set(NOT_CARRIED_IN_COSTS))
    assert_equal_rows(equipment(published["rif"]), equipment(published["cclf"]))


def test_the_same_fills_stand_with_what_the_patient_paid(published: dict[str, Compared]) -> None:
    def fills(of: Compared) -> Counter[tuple[Any, ...]]:
        names = ("claim_type", "member_id", "service_thru", "rendering_npi", "billing_npi", "patient_paid_amount")
        rows = of.table("silver.final_claim_lines", names)
        return Counter(tuple(row[n] for n in names) for row in rows if row["claim_type"] == "pharmacy")

    assert fills(published["rif"]) == fills(published["cclf"])


def test_the_same_diagnoses_and_procedures_are_told(published: dict[str, Compared]) -> None:
    """By person and day; a claim's id is each format's own. Of versions that a cancel removes CCLF tells them too, of
    equipment (CCLF6) none."""

    def told(of: Compared, name: str, columns: tuple[str, ...]) -> set[tuple[Any, ...]]:
        rows = of.table(name, ("member_id", "code", *columns))
        return {tuple(row.values()) for row in rows if row.get("claim_type") != "dme"}

    tables = {"silver.claim_diagnoses": ("service_thru", "claim_type"), "silver.claim_procedures": ("procedure_date",)}
    for name, columns in tables.items():
        rif, cclf = (told(published[of], name, columns) for of in ("rif", "cclf"))
        assert rif
        assert rif <= cclf


def test_the_scores_computed_from_the_claims_are_the_same(published: dict[str, Compared]) -> None:
    """Of everybody whose collection year both tell alike: who is not listed yet is a new enrollee of CCLF's."""
    key = ("member_id", "performance_year", "model")

    def rows_of(of: Compared, name: str, figures: tuple[str, ...]) -> dict[Any, Row]:
        return {tuple(row[k] for k in key): row for row in of.table(name, (*key, *figures))}

    profile = ("segment", "age", "sex", "dual_status")
    people = {of: rows_of(published[of], "silver.risk_profiles", profile) for of in ("rif", "cclf")}
    alike = {at for at, row in people["rif"].items() if people["cclf"].get(at) == row}
    assert len(alike) > 100
    factors = {of: published[of].table("silver.risk_factors", (*key, "variable", "coefficient")) for of in people}
    told = {
        of: Counter(
            (*at, row["variable"], row["coefficient"]) for row in rows if (at := tuple(row[k] for k in key)) in alike
        )
        for of, rows in factors.items()
    }
    assert any(variable.startswith("HCC") for *_, variable, _ in told["rif"])
    assert told["rif"] == told["cclf"]


def test_the_plain_recomputation_of_the_deliveries_finds_the_same_money(
    generated: dict[str, Path], published: dict[str, Compared], tmp_path: Path
) -> None:
    for delivery in (generated["cclf"] / "cclf").iterdir():
        with zipfile.ZipFile(tmp_path / delivery.name, "w") as packed:
            for file in delivery.iterdir():
                packed.write(file, file.name)
    plain = figures(tmp_path, LAYOUT)
    names = ("claim_type", "service_thru", "is_denied", "paid_amount", "patient_paid_amount")
    net: dict[str, dict[str, Decimal]] = {}
    for row in published["cclf"].table("silver.final_claim_lines", names):
        if not row["is_denied"]:
            months = net.setdefault(row["claim_type"], defaultdict(Decimal))
            amount = "patient_paid_amount" if row["claim_type"] == "pharmacy" else "paid_amount"
            months[f"{row['service_thru']:%Y-%m}"] += row[amount]
    # what a cancel leaves of a month's only claim is 0 there, and no line here
    assert above_zero(net) == above_zero(plain.net_paid)


def above_zero(sums: dict[str, dict[str, Decimal]]) -> dict[str, dict[str, Decimal]]:
    return {kind: {month: amount for month, amount in months.items() if amount} for kind, months in sums.items()}


def day(cell: str) -> date | None:
    return date.fromisoformat(cell) if cell.strip() else None


class Deliveries:
    """The records of all files, each with `delivery` (the file date) and `letter` (Y or R)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        layout = read_layout(LAYOUT)
        self.records: dict[str, list[Record]] = defaultdict(list)
        for path in sorted(folder.rglob("P.*")):
            told = re.fullmatch(r"P\.A1001\.ACO\.ZC(\d)([YR])(\d\d)\.D(\d{6})\.T0000000", path.name)
            if told is None or path.is_dir():
                continue
            kind = f"CCLF{told[1]}"
            for line in path.read_text("ascii").splitlines():
                cells = {name: line[start:end].strip() for name, start, end in layout[kind]}
                self.records[kind].append({**cells, "delivery": told[4], "letter": told[2], "length": str(len(line))})

    def __getitem__(self, number: int) -> list[Record]:
        return self.records[f"CCLF{number}"]

    @cached_property
    def newest(self) -> dict[str, str]:
        """The current id of each former one, by the last delivery."""
        last = max(record["delivery"] for record in self[9])
        steps = {r["PRVS_NUM"]: r["CRNT_NUM"] for r in self[9] if r["delivery"] == last}
        return {previous: steps.get(current, current) for previous, current in steps.items()}

    def person(self, record: Record) -> str:
        return self.newest.get(record["BENE_MBI_ID"], record["BENE_MBI_ID"])

    @cached_property
    def headers(self) -> dict[tuple[str, ...], list[Record]]:
        """Part A versions, each once, by natural key."""
        found: dict[tuple[str, ...], list[Record]] = defaultdict(list)
        for r in {r["CUR_CLM_UNIQ_ID"]: r for r in self[1]}.values():
            found[r["CLM_BLG_PRVDR_OSCAR_NUM"], r["CLM_FROM_DT"], r["CLM_THRU_DT"], self.person(r)].append(r)
        return found

    @cached_property
    def lines(self) -> dict[tuple[str, ...], list[Record]]:
        """Part B and equipment versions, each once, by control and line number."""
        found: dict[tuple[str, ...], list[Record]] = defaultdict(list)
        for r in {(r["CUR_CLM_UNIQ_ID"], r["CLM_LINE_NUM"]): r for r in self[5] + self[6]}.values():
            found[r["CLM_CNTL_NUM"], r["CLM_LINE_NUM"]].append(r)
        return found

    @cached_property
    def fills(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = defaultdict(list)
        for r in {r["CUR_CLM_UNIQ_ID"]: r for r in self[7]}.values():
            found[r["CLM_LINE_RX_SRVC_RFRNC_NUM"]].append(r)
        return found

    @cached_property
    def listed(self) -> set[tuple[str, str]]:
        """Person and file date of regular deliveries."""
        return {(self.person(r), r["delivery"]) for r in self[8] if r["letter"] != RUN_OUT}

    @cached_property
    def ever_listed(self) -> set[str]:
        return {person for person, _ in self.listed}


@pytest.fixture(scope="module")
def delivered(generated: dict[str, Path]) -> Deliveries:
    return Deliveries(generated["cclf"] / "cclf")


def codes(versions: list[Record]) -> str:
    return "".join(sorted(r["CLM_ADJSMT_TYPE_CD"] for r in versions))


def cancels_beside_replacements(d: Deliveries) -> list[timedelta]:
    """How long after the replacement of a Part A claim its cancel takes effect."""
    found = []
    for versions in d.headers.values():
        by_code = {r["CLM_ADJSMT_TYPE_CD"]: day(r["CLM_EFCTV_DT"]) for r in versions}
        if codes(versions) == "012":
            found.append(by_code["1"] - by_code["2"])
    return found


def delivered_again(d: Deliveries) -> list[set[str]]:
    """The letters of the deliveries of claims that came in more than one."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for r in [*d[1], *d[5], *d[6], *d[7]]:
        found[r["CUR_CLM_UNIQ_ID"]].add((r["letter"], r["delivery"]))
    return [{letter for letter, _ in of} | {str(len(of))} for of in found.values() if len(of) > 1]


def chains(d: Deliveries) -> tuple[int, int]:
    """Persons whose two former ids the last delivery tells step by step, and all to the newest."""
    last = max(record["delivery"] for record in d[9])
    steps = {r["PRVS_NUM"]: r["CRNT_NUM"] for r in d[9] if r["delivery"] == last}
    to_newest = Counter(steps.values())
    return sum(current in steps for current in steps.values()), sum(n > 1 for n in to_newest.values())


def month_after(told: str) -> str:
    """The file date of the delivery that tells a day's month."""
    number = int(told[:4]) * 12 + int(told[5:7])
    return f"{number // 12 % 100:02d}{number % 12 + 1:02d}15"


def late_deaths(d: Deliveries) -> int:
    first: dict[tuple[str, str], str] = {}
    for r in sorted(d[8], key=lambda r: r["delivery"]):
        if r["BENE_DEATH_DT"]:
            first.setdefault((d.person(r), r["BENE_DEATH_DT"]), r["delivery"])
    return sum(told > month_after(death) for (_, death), told in first.items())


def claims_of(d: Deliveries, is_listed: Callable[[str, str], bool]) -> int:
    return sum(is_listed(d.person(r), month_after(r["CLM_THRU_DT"])) for r in [*d[1], *d[5]])


PLANTED: dict[str, Callable[[Deliveries], int]] = {
    "institutional claims replaced": lambda d: sum(codes(v) == "012" for v in d.headers.values()),
    "lines replaced": lambda d: sum(codes(v) == "001" for v in d.lines.values()),
    "fills changed": lambda d: sum(codes(v) == "02" for v in d.fills.values()),
    "institutional claims cancelled": lambda d: sum(codes(v) == "01" for v in d.headers.values()),
    "lines cancelled": lambda d: sum(codes(v) == "01" for v in d.lines.values()),
    "fills deleted": lambda d: sum(codes(v) == "01" for v in d.fills.values()),
    "deletions without a drug or an amount": lambda d: sum(
        not r["CLM_LINE_NDC_CD"] and not Decimal(r["CLM_LINE_BENE_PMT_AMT"])
        for r in d[7]
        if r["CLM_ADJSMT_TYPE_CD"] == "1"
    ),
    "cancels in effect before the replacement": lambda d: sum(x < timedelta() for x in cancels_beside_replacements(d)),
    "cancels in effect with the replacement": lambda d: sum(x == timedelta() for x in cancels_beside_replacements(d)),
    "cancels in effect after the replacement": lambda d: sum(x > timedelta() for x in cancels_beside_replacements(d)),
    "cancels of institutional claims that never came": lambda d: sum(codes(v) == "1" for v in d.headers.values()),
    "cancels of lines that never came": lambda d: sum(codes(v) == "1" for v in d.lines.values()),
    "deletions of fills that never came": lambda d: sum(codes(v) == "1" for v in d.fills.values()),
    "two originals of a natural key, one of them cancelled": lambda d: sum(
        codes(v) == "001"
        and {r["CLM_ORG_CNTL_NUM"] for r in v if r["CLM_ADJSMT_TYPE_CD"] == "1"}
        < {r["CLM_CNTL_NUM"] for r in v if r["CLM_ADJSMT_TYPE_CD"] == "0"}
        for v in d.headers.values()
    ),
    "claims delivered twice": lambda d: len(delivered_again(d)),
    "claims in a regular and a run-out delivery": lambda d: sum({"Y", "R"} <= of for of in delivered_again(d)),
    "people with a new id": lambda d: len(set(d.newest.values())),
    "chains of ids, step by step": lambda d: chains(d)[0],
    "chains of ids, all to the newest": lambda d: chains(d)[1],
    "people listed under a former id": lambda d: sum(r["BENE_MBI_ID"] in d.newest for r in d[8]),
    "claims adjusted across a change of id": lambda d: sum(
        len({r["BENE_MBI_ID"] for r in v}) > 1 for v in [*d.headers.values(), *d.lines.values()]
    ),
    "institutional claims unpaid": lambda d: sum(
        bool(r["CLM_MDCR_NPMT_RSN_CD"]) and Decimal(r["CLM_PMT_AMT"]) > 0 for r in d[1]
    ),
    "claims denied": lambda d: sum(r["CLM_CARR_PMT_DNL_CD"] == "0" for r in d[5] + d[6]),
    "lines denied": lambda d: sum(r["CLM_PRCSG_IND_CD"] in tuple("BCNZ") for r in d[5] + d[6]),
    "institutional claims with another payer first": lambda d: sum(
        r["CLM_NCH_PRMRY_PYR_CD"] in OTHER_PAYERS for r in d[1]
    ),
    "lines with another payer first": lambda d: sum(
        r.get("CLM_LINE_PRMRY_PYR_CD", r.get("CLM_PRMRY_PYR_CD")) in OTHER_PAYERS for r in d[5] + d[6]
    ),
    "payer codes that mean Medicare is first": lambda d: sum(r["CLM_NCH_PRMRY_PYR_CD"] in tuple("CMN") for r in d[1]),
    "claims loaded more than ten weeks later": lambda d: sum(
        day(r["CLM_IDR_LD_DT"]) - day(r["CLM_EFCTV_DT"]) > timedelta(70) for r in [*d[1], *d[5], *d[7]]
    ),
    "claims of people never listed": lambda d: claims_of(d, lambda who, _: who not in d.ever_listed),
    "claims of a month in which the person is not listed": lambda d: claims_of(
        d, lambda who, month: who in d.ever_listed and (who, month) not in d.listed
    ),
    "deaths told late": late_deaths,
    "the dead still listed": lambda d: sum(
        bool(r["BENE_DEATH_DT"]) and month_after(r["BENE_DEATH_DT"]) < r["delivery"] for r in d[8]
    ),
    "people listed twice in a delivery": lambda d: len(
        [n for n in Counter((r["BENE_MBI_ID"], r["delivery"]) for r in d[8]).values() if n > 1]
    ),
    "blank counties": lambda d: sum(not r["BENE_FIPS_CNTY_CD"] and r["BENE_ZIP_CD"] == "00000" for r in d[8]),
    "people with Part A alone": lambda d: sum(r["BENE_ENTLMT_BUYIN_IND"] in ("1", "A") for r in d[8]),
    "procedures": lambda d: len(d[3]),
}
"""Each with how many there are."""


@pytest.mark.parametrize("what", PLANTED)
def test_the_deliveries_have(what: str, delivered: Deliveries) -> None:
    assert PLANTED[what](delivered) > 0


def test_three_claims_in_a_hundred_are_replaced_and_half_a_one_cancelled(delivered: Deliveries) -> None:
    claims = [*delivered.headers.values(), *delivered.lines.values(), *delivered.fills.values()]
    replaced = sum(codes(v) in ("012", "02") for v in claims) + sum(codes(v) == "001" for v in delivered.lines.values())
    assert 0.02 < replaced / len(claims) < 0.04
    whole = [*delivered.headers.values(), *delivered.fills.values()]  # of a replaced claim a line may go
    assert 0.002 < sum(codes(v) == "01" for v in whole) / len(whole) < 0.01


def test_no_claim_is_loaded_before_it_takes_effect_or_more_than_20_weeks_later(delivered: Deliveries) -> None:
    claims = [*delivered[1], *delivered[5], *delivered[6], *delivered[7]]
    lags = {day(r["CLM_IDR_LD_DT"]) - day(r["CLM_EFCTV_DT"]) for r in claims}
    assert min(lags) >= timedelta()
    assert max(lags) <= timedelta(weeks=20)
    first = {
        (r["CUR_CLM_UNIQ_ID"], r.get("CLM_LINE_NUM")): r for r in sorted(claims, key=lambda r: r["delivery"])[::-1]
    }
    assert all(month_after(r["CLM_IDR_LD_DT"]) == r["delivery"] for r in first.values())


def test_a_number_is_of_one_claim_version(delivered: Deliveries) -> None:
    for kind in (1, 5, 6, 7):
        told = defaultdict(set)
        for r in delivered[kind]:
            number = r["CUR_CLM_UNIQ_ID"], r.get("CLM_LINE_NUM")
            assert re.fullmatch(r"\d{13}", r["CUR_CLM_UNIQ_ID"])
            told[number].add(tuple(v for k, v in r.items() if k not in ("delivery", "letter")))
        assert {len(records) for records in told.values()} == {1}


def test_there_is_a_delivery_for_each_month_and_three_of_run_out_each_as_its_cclf0_counts_it(
    delivered: Deliveries,
) -> None:
    dates = {(r["letter"], r["delivery"]) for r in delivered[0]}
    regular = {("Y", f"{n // 12:02d}{n % 12 + 1:02d}15") for n in range(19 * 12 + 1, 22 * 12 + 1)}
    assert dates == regular | {("R", "220215"), ("R", "220315"), ("R", "220415")}
    lengths = {1: 437, 2: 199, 3: 114, 4: 112, 5: 388, 6: 247, 7: 195, 8: 549, 9: 55}
    counts = {
        (r["FILE_TYPE"], r["delivery"], r["letter"]): (int(r["NUMBER_OF_RECORDS"]), int(r["LENGTH_OF_RECORD"]))
        for r in delivered[0]
        if r["FILE_TYPE"] != "File Nu"
    }
    assert len(counts) == 9 * len(dates)
    for number, length in lengths.items():
        found = Counter((r["delivery"], r["letter"]) for r in delivered[number])
        assert {r["length"] for r in delivered[number]} == {str(length)}
        for letter, delivery in dates:
            assert counts[f"CCLF{number}", delivery, letter] == (found[delivery, letter], length)


def test_the_same_seed_gives_the_same_bytes(spark: SparkSession, tmp_path: Path) -> None:
    """On any machine, whatever the partitions: those that were made when this was written."""
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "5")
    try:
        generate(spark, str(tmp_path), members=30, years=(2020, 2020), seed=3, file_format="cclf")
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    files = sorted(file for file in (tmp_path / "cclf").rglob("*") if file.is_file())
    assert len(files) == (24 + 3) * 10
    made = sha256(b"".join(file.name.encode() + file.read_bytes() for file in files))
    assert made.hexdigest()[:16] == "ee71013e03db49d9"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"out": "s3a://bucket/folder", "members": 5, "years": YEARS}, "a folder of this machine alone"),
        ({"out": "generated", "members": 10_000_001, "years": YEARS}, "at most 10,000,000 members"),
        ({"out": "generated", "members": 5, "years": (2020, 2029)}, "9 performance years"),
    ],
)
def test_what_cannot_be_delivered_is_said_before_anything_runs(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        generate(None, seed=1, file_format="cclf", **settings)  # type: ignore[arg-type]
