"""What is due, the ledger and what the limit keeps back after several payment runs, row for row as the independent
recomputation has them (tests/oracle/capitation_duckdb.py)."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.capitation import capitate
from pmpm_spark.config import Capitation, RunConfig, Source, Warehouse
from pmpm_spark.generate import generate
from pmpm_spark.generate.truth import payment_days
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE
from pmpm_spark.gold.capitation_variance_split import CAPITATION_VARIANCE_SPLIT
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.warehouse import published
from tests.equality import FACTORS, read_for_oracle
from tests.oracle.capitation_duckdb import open_books, post, read_list, rows
from tests.oracle.rif_duckdb import OracleSettings, compute
from tests.oracle.variance_duckdb import read_budget, variance
from tests.partly import run_without_gold

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # several whole runs

Row = Mapping[str, Any]
NOT_OF_MONEY = ("member_cell", "policy", "run_id")
"""Columns that tell of the run and not of money."""
YEARS = (2022, 2023)
TYPES = ("ESRD", "DISABLED", "AGED_DUAL", "AGED_NON_DUAL", "OTHER")
BANDS = ("0-64", "65-74", "75-84", "85+")
REASONS = ("NOT_IN_PART_A_AND_B", "MEDICARE_ADVANTAGE", "MEDICARE_SECONDARY", "NON_US_RESIDENT")
CONTRACT_HEAD = (
    "contract_id", "network_id", "start_date", "end_date", "coverage_rule", "month_reasons", "retro_limit_months",
    "withhold_share", "previous_contract_id",
)  # fmt: skip
RATE_HEAD = (
    "contract_id", "effective_from", "effective_to", "enrollment_type", "age_band", "sex", "rate", "risk_adjusted",
)  # fmt: skip
BUDGET_HEAD = (
    "contract_id", "year", "enrollment_type", "age_band", "sex", "service_category", "member_months",
    "services_per_1000", "cost_per_service",
)  # fmt: skip
LIST_HEAD = ("contract_id", "member_id", "start_date", "end_date", "recorded_on")
COVERAGE_HEAD = (
    "member_id", "coverage_start", "plan_id", "recorded_on", "coverage_end", "has_part_a", "has_part_b",
    "in_medicare_advantage", "medicare_is_secondary", "resides_in_us", "medicare_status_code", "dual_status_code",
)  # fmt: skip


def write_csv(path: Path, head: Iterable[str], lines: Iterable[Iterable[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([["" if cell is None else cell for cell in line] for line in lines])


def differences(spark: SparkSession, config: RunConfig, con: duckdb.DuckDBPyConnection) -> list[str]:
    """Rows that only one of the two has."""
    warehouse = published(spark, config)
    faults = []
    for table, theirs in ((CAPITATION_DUE, "due"), (CAPITATION_LEDGER, "ledger"), (CAPITATION_UNPOSTED, "unposted")):
        names = [name for name in table.column_names if name not in NOT_OF_MONEY]
        ours = as_told([row.asDict() for row in warehouse.read(table).select(*names).collect()], names)
        others = as_told(rows(con, theirs), names)
        if table is CAPITATION_DUE:
            ours -= as_told(_for_membership(warehouse.read(table), con), names)
        assert others or theirs == "unposted", f"the recomputation has no row of {theirs}"
        faults += [f"{table.short_name}: only the product has {row}" for row in sorted(ours - others)[:4]]
        faults += [f"{table.short_name}: only the recomputation has {row}" for row in sorted(others - ours)[:4]]
    return faults


def _for_membership(due: DataFrame, con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Months that are not due and that no line tells: there because a run before counted them, with the reason why not
    now (tests/gold/test_membership.py)."""
    key = ("contract_id", "member_id", "coverage_month")
    told = {tuple(row[name] for name in key) for row in rows(con, "due")}
    found = due.where("NOT is_due AND due_amount = 0 AND forgone_amount = 0").collect()
    return [row.asDict() for row in found if tuple(row[name] for name in key) not in told]


VARIANCE = (
    "contract_id", "period_type", "period", "members", "member_months", "allocated_amount", "posted_amount",
    "unposted_amount", "actual_amount", "deviation_amount", "comparator", "comparator_amount", "is_alert",
)  # fmt: skip
SPLIT = ("contract_id", "period_type", "period", "effect", "service_category", "amount")


def variance_differences(spark: SparkSession, config: RunConfig, con: duckdb.DuckDBPyConnection) -> list[str]:
    """Rows of allocated against actual, and of its split, that only one of the two has; per member month to 1e-9."""
    warehouse = published(spark, config)
    faults = []
    for table, theirs, names in (
        (CAPITATION_VARIANCE, "variance", VARIANCE),
        (CAPITATION_VARIANCE_SPLIT, "variance_split", SPLIT),
    ):
        ours = as_told([row.asDict() for row in warehouse.read(table).collect()], names)
        others = as_told(rows(con, theirs), names)
        assert others, f"the recomputation has no row of {theirs}"
        faults += [f"{table.short_name}: only the product has {row}" for row in sorted(ours - others)[:6]]
        faults += [f"{table.short_name}: only the recomputation has {row}" for row in sorted(others - ours)[:6]]
    key = VARIANCE[:3]
    pmpm = {tuple(row[name] for name in key): row["deviation_pmpm"] for row in rows(con, "variance")}
    for row in warehouse.read(CAPITATION_VARIANCE).collect():
        other = pmpm.get(tuple(row[name] for name in key))
        if row["deviation_pmpm"] != other and abs((row["deviation_pmpm"] or 0) - (other or 0)) > 1e-9:
            faults.append(
                f"{row['contract_id']}, {row['period']}: {row['deviation_pmpm']} per member month, not {other}"
            )
    return faults


def as_told(found: Iterable[Row], names: Iterable[str]) -> set[str]:
    """Each row as text, numbers without zeros at their end."""

    def cell(value: Any) -> str:
        return f"{value.normalize():f}" if hasattr(value, "normalize") else str(value)

    return {" | ".join(cell(row[name]) for name in names) for row in found}


# --- drawn: every rule at once, in days ---


@dataclass
class World:
    """What a payer tells, and changes from run to run."""

    draw: random.Random
    members: tuple[str, ...]
    births: dict[str, date | None] = field(default_factory=dict)
    sexes: dict[str, str] = field(default_factory=dict)
    deaths: dict[str, date] = field(default_factory=dict)
    coverage: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    scores: dict[tuple[str, int], str] = field(default_factory=dict)
    networks: list[tuple[int, str, str]] = field(default_factory=list)
    contracts: dict[str, dict[str, Any]] = field(default_factory=dict)
    rates: list[tuple[Any, ...]] = field(default_factory=list)
    listed: dict[tuple[str, str, date], tuple[Any, Any]] = field(default_factory=dict)

    def day(self, first: date = date(2022, 1, 1), last: date = date(2023, 12, 31)) -> date:
        return first + timedelta(days=self.draw.randint(0, (last - first).days))

    def some(self, share: float) -> list[str]:
        return [who for who in self.members if self.draw.random() < share]

    def begin(self) -> None:
        for who in self.members:
            born = self.day(date(1925, 1, 1), date(1990, 12, 31))
            self.births[who] = None if self.draw.random() < 0.03 else born
            self.sexes[who] = self.draw.choice(("F", "M", "F", "M", ""))
            self.cover(who)
            for year in YEARS:
                if self.draw.random() < 0.85:
                    self.score(who, year)
                if self.draw.random() < 0.7:
                    self.networks.append((year, who, self.draw.choice(("N3", "N6", "N9"))))
        rules = ("first_of_month", "prorated", "any_day", "full_month", "mid_month", "last_day")
        limits = (3, None, 6, 12, 0, 24)
        for place, (rule, limit) in enumerate(zip(rules, limits, strict=True), start=1):
            name = f"C{place}"
            self.contracts[name] = {
                "contract_id": name,
                "network_id": f"N{place}",
                "start_date": date(2022, 1, self.draw.choice((1, 10))),
                "end_date": self.draw.choice((None, date(2023, 10, 20))),
                "coverage_rule": rule,
                "month_reasons": ";".join(self.draw.sample(REASONS, self.draw.randint(0, 3))) or None,
                "retro_limit_months": limit,
                "withhold_share": self.draw.choice(("0", "0.02", "0.105")),
                "previous_contract_id": None,
            }
            if place not in (3, 6):  # these pay for who is attributed
                for who in self.some(0.4):
                    self.list(name, who)
        self.price()

    def cover(self, who: str) -> None:
        found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for _ in range(self.draw.choice((1, 1, 2, 3))):
            first = self.day(date(2021, 11, 1), date(2023, 6, 1))
            first = first.replace(day=1) if self.draw.random() < 0.6 else first
            last = min(first + timedelta(days=self.draw.randint(20, 700)), date(2023, 12, 31))
            recorded = self.draw.choice((None, None, self.day()))
            plan = self.draw.choice("PQ")
            flags = [str(self.draw.random() < share).lower() for share in (0.95, 0.9, 0.1, 0.07, 0.96)]
            status = self.draw.choice(("10", "10", "10", "20", "11", "31", None))
            dual = self.draw.choice((None, "NA", "02", "08"))
            found[first, plan, recorded] = (who, first, plan, recorded, last, *flags, status, dual)
        self.coverage[who] = list(found.values())

    def score(self, who: str, year: int) -> None:
        self.scores[who, year] = f"{self.draw.randint(200, 4000) / 1000:.3f}"

    def list(self, contract: str, who: str) -> None:
        first = self.draw.choice((date(2022, 1, 1), self.day(last=date(2023, 6, 30))))
        last = self.draw.choice((None, first + timedelta(days=self.draw.randint(0, 400))))
        recorded = self.draw.choice((None, None, self.day()))
        self.listed[contract, who, first] = (last, recorded)

    def price(self) -> None:
        """Rates anew: everybody's, in two periods, and some cells of each kind."""
        self.rates = []
        for name in self.contracts:
            self._rate(name, "*", "*", "*", date(2022, 1, 1), date(2022, 8, 31))
            self._rate(name, "*", "*", "*", date(2022, 9, 1), None)
            cells = [(kind, band, sex) for kind in ("*", *TYPES) for band in ("*", *BANDS) for sex in "*FMU"][1:]
            for cell in self.draw.sample(cells, 14):
                self._rate(
                    name, *cell, date(2022, self.draw.randint(1, 12), 1), self.draw.choice((None, date(2023, 5, 31)))
                )

    def _rate(self, name: str, kind: str, band: str, sex: str, first: date, last: date | None) -> None:
        dollars = f"{self.draw.randint(0, 300_000) / 100:.2f}"
        self.rates.append((name, first, last, kind, band, sex, dollars, str(self.draw.random() < 0.5).lower()))

    def write(self, folder: Path) -> None:
        told = folder / "common"
        told.mkdir(parents=True, exist_ok=True)
        people = [(who, self.births[who], self.sexes[who], self.deaths.get(who)) for who in self.members]
        write_csv(told / "members.csv", ("member_id", "birth_date", "sex", "death_date"), people)
        write_csv(
            told / "coverage_records.csv", COVERAGE_HEAD, [row for records in self.coverage.values() for row in records]
        )
        scores = [(who, year, score) for (who, year), score in self.scores.items()]
        write_csv(folder / "risk_scores.csv", ("member_id", "performance_year", "risk_score"), scores)
        write_csv(folder / "member_attribution.csv", ("performance_year", "member_id", "network_id"), self.networks)
        contracts = [[one[name] for name in CONTRACT_HEAD] for one in self.contracts.values()]
        write_csv(folder / "contracts.csv", CONTRACT_HEAD, contracts)
        write_csv(folder / "contract_rates.csv", RATE_HEAD, self.rates)
        listed = [(*key, *value) for key, value in self.listed.items()]
        strangers = [("C2", "nobody", date(2022, 1, 1), None, None)]
        write_csv(folder / "contract_members.csv", LIST_HEAD, listed + strangers)

    # what happens between two runs

    def enroll_anew(self) -> None:
        for who in self.some(0.15):
            self.cover(who)

    def learn_of_deaths(self) -> None:
        for who in self.some(0.08):
            self.deaths[who] = self.day(date(2021, 12, 1), date(2022, 12, 31))

    def some_live(self) -> None:
        for who in list(self.deaths)[::3]:
            del self.deaths[who]

    def score_anew(self) -> None:
        for who, year in list(self.scores)[::5]:
            self.score(who, year)

    def list_anew(self) -> None:
        for key in list(self.listed)[::6]:
            del self.listed[key]
        for name in sorted(self.contracts.keys() - {"C3", "C6"}):
            for who in self.some(0.08):
                self.list(name, who)

    def agree_anew(self) -> None:
        self.contracts["C1"] |= {"withhold_share": "0.07"}
        self.contracts["C2"] |= {"start_date": date(2022, 3, 1)}
        self.contracts["C3"] |= {"month_reasons": ";".join(REASONS), "contract_name": "another"}
        self.contracts["C4"] |= {"coverage_rule": "first_of_month"}
        self.contracts["C6"] |= {"network_id": "N9"}

    def rename(self) -> None:
        self.contracts = {
            ("C7" if name == "C1" else name): one
            | ({"contract_id": "C7", "previous_contract_id": "C1"} if name == "C1" else {})
            for name, one in self.contracts.items()
        }
        self.rates = [("C7" if row[0] == "C1" else row[0], *row[1:]) for row in self.rates]
        self.listed = {("C7" if key[0] == "C1" else key[0], *key[1:]): value for key, value in self.listed.items()}


def tell_drawn(con: duckdb.DuckDBPyConnection, world: World, folder: Path, as_of: date) -> None:
    """Fill the recomputation's tables from the files, as known on a day."""
    con.execute(f"""
        CREATE OR REPLACE TABLE people AS
        SELECT member_id, birth_date::DATE AS birth_date, sex, death_date::DATE AS death_date
        FROM read_csv('{folder}/common/members.csv', all_varchar = true);
        CREATE OR REPLACE TABLE records AS
        SELECT member_id, coverage_start::DATE AS coverage_start, coverage_end::DATE AS coverage_end, plan_id,
            coalesce(recorded_on::DATE, DATE '1900-01-01') AS recorded_on,
            * EXCLUDE (member_id, coverage_start, coverage_end, plan_id, recorded_on)
        FROM read_csv('{folder}/common/coverage_records.csv', all_varchar = true);
        CREATE OR REPLACE TABLE told AS
        SELECT date_trunc('month', min(coverage_start))::DATE AS first_month, DATE '2023-12-01' AS last_month
        FROM records;
        CREATE OR REPLACE TABLE scores AS
        SELECT member_id, performance_year::INTEGER AS performance_year, risk_score::DECIMAL(12, 6) AS risk_score
        FROM read_csv('{folder}/risk_scores.csv', all_varchar = true);
        CREATE OR REPLACE TABLE attributed AS
        SELECT performance_year::INTEGER AS performance_year, member_id, network_id
        FROM read_csv('{folder}/member_attribution.csv', all_varchar = true)""")
    for table, known in (("days", f"recorded_on <= DATE '{as_of}'"), ("all_days", "true")):
        con.execute(f"""
            CREATE OR REPLACE TABLE {table} AS
            SELECT member_id, day, has_part_a, has_part_b, in_medicare_advantage, medicare_is_secondary, resides_in_us,
                CASE WHEN medicare_status_code IN ('11', '21', '31') THEN 'ESRD'
                    WHEN medicare_status_code = '20' THEN 'DISABLED'
                    WHEN medicare_status_code = '10' AND dual_status_code IN ('01', '02', '03', '04', '05', '06', '08')
                        THEN 'AGED_DUAL'
                    WHEN medicare_status_code IS NULL THEN 'OTHER' ELSE 'AGED_NON_DUAL' END AS enrollment_type
            FROM (SELECT *, unnest(generate_series(coverage_start, coverage_end, INTERVAL 1 DAY))::DATE AS day
                FROM records WHERE {known})
            QUALIFY row_number() OVER (
                PARTITION BY member_id, day ORDER BY recorded_on DESC, coverage_start DESC, plan_id) = 1""")
    con.execute("""
        CREATE OR REPLACE TABLE failing AS
        SELECT p.member_id, m.month AS coverage_month, unnest(list_filter([
            CASE WHEN NOT coalesce(has_part_a::BOOLEAN AND has_part_b::BOOLEAN, false) THEN 'NOT_IN_PART_A_AND_B' END,
            CASE WHEN in_medicare_advantage::BOOLEAN THEN 'MEDICARE_ADVANTAGE' END,
            CASE WHEN medicare_is_secondary::BOOLEAN THEN 'MEDICARE_SECONDARY' END,
            CASE WHEN NOT resides_in_us::BOOLEAN THEN 'NON_US_RESIDENT' END], lambda r: r IS NOT NULL)) AS reason
        FROM people p
        CROSS JOIN (SELECT unnest(generate_series(DATE '2022-01-01', DATE '2023-12-01', INTERVAL 1 MONTH))::DATE AS month) m
        LEFT JOIN all_days d ON d.member_id = p.member_id AND d.day = m.month""")


STEPS: tuple[tuple[date, tuple[str, ...]], ...] = (
    (date(2022, 3, 10), ()),
    (date(2022, 6, 30), ("enroll_anew", "learn_of_deaths", "score_anew")),
    (date(2022, 6, 30), ()),
    (date(2022, 6, 30), ("price",)),
    (date(2022, 11, 15), ("list_anew", "agree_anew")),
    (date(2023, 4, 1), ("rename", "some_live", "enroll_anew")),
    (date(2023, 12, 31), ("learn_of_deaths", "score_anew", "list_anew")),
)
"""The day of each run, and what has happened since the one before."""
AT_ONCE: tuple[tuple[date, tuple[str, ...]], ...] = (
    (date(2022, 6, 30), ()),
    (date(2022, 11, 15), ("enroll_anew", "learn_of_deaths", "score_anew", "price", "list_anew", "agree_anew")),
    (date(2023, 12, 31), ("rename", "some_live", "enroll_anew", "learn_of_deaths", "score_anew", "list_anew")),
)
"""All that happens, between three runs."""


@pytest.mark.parametrize(
    ("seed", "pay", "overlap", "steps", "posted"),
    [
        (5, "in_advance", "one", STEPS, [1, 2, None, 3, 4, 5, 6]),
        (6, "in_arrears", "both", AT_ONCE, [1, 2, 3]),
    ],
    ids=["step by step", "at once"],
)
def test_drawn_contracts_are_paid_as_recomputed_run_after_run(
    seed: int,
    pay: str,
    overlap: str,
    steps: tuple[tuple[date, tuple[str, ...]], ...],
    posted: list[int | None],
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    world = World(random.Random(seed), tuple(f"M{n:03d}" for n in range(150)))
    world.begin()
    policy = Policy(
        "drawn",
        Eligibility(part_a_b="current_month", exclude_non_us=True),
        attribution=Attribution(method="roster"),
    )
    files = ("risk_scores", "member_attribution", "contracts", "contract_rates", "contract_members")
    told = {name: str(tmp_path / f"{name}.csv") for name in files}
    source = Source("common", str(tmp_path / "common"), data_through="2023-12-31", max_reject_share=1.0, **told)
    warehouse = Warehouse(str(tmp_path / "warehouse"))
    config = RunConfig(source, warehouse, YEARS, (policy,), capitation=Capitation(pay, overlap))
    con = duckdb.connect()
    begin_books(con)
    numbers = []
    for place, (as_of, events) in enumerate(steps):
        for event in events:
            getattr(world, event)()
        if events or place == 0:
            world.write(tmp_path)
            run_without_gold(spark, config)
        tell_drawn(con, world, tmp_path, as_of)
        read_lists(con, tmp_path)
        number = capitate(spark, config, as_of).posting_run
        assert number == post(con, as_of, pay=pay, overlap=overlap)
        numbers.append(number)
        faults = differences(spark, config, con)
        assert not faults, f"run {place}, as of {as_of}: {len(faults)} differences\n" + "\n".join(faults[:12])
    assert numbers == posted
    found = {row["reason"] for row in rows(con, "ledger")}
    assert found == {
        "NEW_MONTH", "DEATH", "CONTRACT_CHANGE", "RETRO_TERMINATION", "RETRO_ENROLLMENT", "RATE_CELL_CHANGE",
        "RATE_CHANGE", "RISK_UPDATE",
    }  # fmt: skip
    assert len(rows(con, "unposted")) > 100
    not_due = {row["not_due_reason"] for row in rows(con, "due")}
    assert not_due >= {*REASONS, "DECEASED", "NOT_ENROLLED", "NOT_LISTED", "OUTSIDE_CONTRACT", "UNKNOWN_MEMBER", None}
    assert ("TWO_CONTRACTS" in not_due) == (overlap == "one")


def begin_books(con: duckdb.DuckDBPyConnection) -> None:
    """No line yet, and the published factors."""
    open_books(con)
    con.execute("CREATE OR REPLACE TABLE factors (performance_year INTEGER, normalization_factor DECIMAL(14, 10))")
    con.executemany("INSERT INTO factors VALUES (?, ?)", [list(item) for item in FACTORS.items()])


def read_lists(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for name in ("contracts", "contract_rates", "contract_members"):
        read_list(con, name, str(folder / f"{name}.csv"))


# --- claims and enrollment in the real format ---


def write_real(folder: Path, rif: Path, run: int) -> None:
    """R1 pays for whom A1001 has by attribution, R2 for a list: that of A1002, and every fifth of A1001's."""
    withheld, rises = ("0.03", 0) if run < 2 else ("0.04", 37)
    first, ends = date(2022, 1, 1), date(2023, 6, 30)
    contracts = [
        ("R1", "A1001", first, ends, "first_of_month", "NOT_IN_PART_A_AND_B", 6, withheld, None),
        ("R2", "A1002", first, ends, "prorated", None, 3 if run == 0 else 24, "0", None),
    ]
    write_csv(folder / "contracts.csv", CONTRACT_HEAD, contracts)
    rates = [
        ("R1", first, None, "*", "*", "*", f"{612 + rises}.40", "true"),
        ("R1", first, date(2022, 12, 31), "ESRD", "*", "*", "4100.00", "false"),
        ("R1", first, None, "AGED_DUAL", "75+", "*", "990.15", "true"),
        ("R2", first, None, "*", "0-64", "*", "505.55", "false"),
        ("R2", first, None, "*", "65-79", "*", "611.11", "true"),
        ("R2", first, None, "*", "80+", "*", f"{875 + rises}.00", "false"),
        ("R2", first, None, "*", "*", "*", "700.00", "false"),
    ]
    write_csv(folder / "contract_rates.csv", RATE_HEAD, rates)
    budget = [
        ("R1", 2022, *cell, category, months, use, price)
        for cell, months in ((("ESRD", "*", "*"), 40), (("AGED_DUAL", "75+", "*"), "91.5"), (("*", "*", "*"), 380))
        for category, use, price in (("inpatient", 310, 9_800), ("professional", "9100.25", "101.33"), ("dme", 900, 77))
    ]
    write_csv(folder / "contract_budget.csv", BUDGET_HEAD, budget)
    with (rif / "member_attribution.csv").open(encoding="utf-8") as file:
        told = {
            (row["member_id"], row["network_id"]) for row in csv.DictReader(file) if row["performance_year"] == "2022"
        }
    listed = []
    for place, (who, network) in enumerate(sorted(told)):
        if network == "A1002" or (network == "A1001" and place % 5 == 0):
            starts = date(2022, 1 + place % 4, 1 + place % 3 * 9)
            late = date(2022, 8, 20) if place % 7 == 0 else None
            ended = date(2022, 5 + place % 3, 14) if run > 0 and place % 6 == 0 else None
            listed.append(("R2", who, starts, ended, late))
    write_csv(folder / "contract_members.csv", LIST_HEAD, listed)


def tell_real(con: duckdb.DuckDBPyConnection) -> None:
    """The tables of the recomputed PMPM, which whole months of coverage are in, as a contract reads them."""
    con.execute("""
        CREATE OR REPLACE TABLE people AS
        SELECT member_id, birth_date, NULL::VARCHAR AS sex, death_month AS death_date FROM members;
        CREATE OR REPLACE TABLE days AS
        SELECT member_id, unnest(generate_series(member_month, last_day(member_month), INTERVAL 1 DAY))::DATE AS day,
            CASE WHEN medicare_status IN ('11', '21', '31') THEN 'ESRD' WHEN medicare_status = '20' THEN 'DISABLED'
                WHEN medicare_status IS NULL OR medicare_status = '00' THEN 'OTHER'
                WHEN medicare_status = '10' AND dual_status IN ('01', '02', '03', '04', '05', '06', '08')
                    THEN 'AGED_DUAL'
                ELSE 'AGED_NON_DUAL' END AS enrollment_type
        FROM coverage WHERE member_month BETWEEN DATE '2022-01-01' AND DATE '2023-12-01';
        CREATE OR REPLACE TABLE failing AS
        SELECT member_id, member_month AS coverage_month, unnest(reasons) AS reason FROM member_months;
        CREATE OR REPLACE TABLE attributed AS
        SELECT performance_year, member_id, network_id FROM attribution;
        CREATE OR REPLACE TABLE scores AS
        SELECT member_id, performance_year::INTEGER AS performance_year, risk_score::DECIMAL(12, 6) AS risk_score
        FROM risk_scores WHERE risk_score IS NOT NULL;
        CREATE OR REPLACE TABLE costs AS
        SELECT member_id, member_month AS coverage_month, service_category, sum(services) AS services,
            sum(paid_amount)::DECIMAL(18, 2) AS amount
        FROM costed_lines WHERE reason IS NULL GROUP BY ALL""")


@pytest.mark.shared
def test_two_contracts_over_real_files_are_paid_as_recomputed(
    spark: SparkSession, tmp_path: Path, shared_data: Path
) -> None:
    rif = shared_data / "rif"
    lists = {name: rif / f"{name}.csv" for name in ("network_roster", "providers", "risk_scores", "member_attribution")}
    told = {name: str(path) for name, path in lists.items()}
    of_contracts = ("contracts", "contract_rates", "contract_members", "contract_budget")
    told |= {name: str(tmp_path / f"{name}.csv") for name in of_contracts}
    source = Source("rif", str(rif), max_reject_share=1.0, **told)
    config = RunConfig(source, Warehouse(str(tmp_path / "warehouse")), YEARS, (Policy("default"),))
    con = read_for_oracle(rif, lists)
    factors = {year: factor for year, factor in FACTORS.items() if year in YEARS}
    compute(con, factors=factors, settings=OracleSettings(performance_years=YEARS))
    begin_books(con)
    tell_real(con)
    numbers = []
    for place, as_of in enumerate((date(2022, 4, 5), date(2022, 9, 5), date(2023, 3, 5), date(2023, 3, 5))):
        write_real(tmp_path, rif, place)
        if place:
            run(spark, config, group="load")
        else:
            run_without_gold(spark, config)
        read_lists(con, tmp_path)
        read_budget(con, told["contract_budget"])
        number = capitate(spark, config, as_of).posting_run
        assert number == post(con, as_of)
        variance(con, YEARS)
        numbers.append(number)
        faults = differences(spark, config, con) + variance_differences(spark, config, con)
        assert not faults, f"run {place}, as of {as_of}: {len(faults)} differences\n" + "\n".join(faults[:12])
    assert numbers == [1, 2, 3, None]
    assert {(row["contract_id"], row["period"].year, row["comparator"]) for row in rows(con, "variance")} == {
        ("R1", 2022, "budget"), ("R1", 2023, "prior_year"), ("R2", 2022, "none"), ("R2", 2023, "prior_year"),
    }  # fmt: skip
    assert {row["effect"] for row in rows(con, "variance_split") if row["amount"]} == {
        "MEMBERSHIP", "CELL_MIX", "USE", "COST_PER_SERVICE",
    }  # fmt: skip
    found = rows(con, "ledger")
    assert {row["reason"] for row in found} >= {
        "NEW_MONTH", "CONTRACT_CHANGE", "RETRO_TERMINATION", "RETRO_ENROLLMENT", "RATE_CHANGE",
    }  # fmt: skip
    assert {row["contract_id"] for row in found} == {"R1", "R2"}
    assert "TWO_CONTRACTS" in {row["not_due_reason"] for row in rows(con, "due")}


def test_generated_contracts_are_paid_and_compared_as_recomputed(spark: SparkSession, tmp_path: Path) -> None:
    """K1 with a budget, K2 prorated and without; rates by type, age and sex."""
    root = tmp_path / "input"
    generate(spark, str(root), members=800, years=(2021, 2022), seed=11, file_format="rif")
    files = {name: root / name for name in LISTS_GENERATED}
    lists = {name: files[name] for name in ("network_roster", "providers", "risk_scores", "member_attribution")}
    source = Source("rif", str(root), max_reject_share=1.0, **{name: str(path) for name, path in files.items()})
    config = RunConfig(source, Warehouse(str(tmp_path / "warehouse")), (2022,), (Policy("default"),))
    con = read_for_oracle(root, lists)
    compute(con, factors={2022: FACTORS[2022]}, settings=OracleSettings(performance_years=(2022,)))
    begin_books(con)
    tell_real(con)
    con.execute(f"""
        CREATE OR REPLACE TABLE people AS
        SELECT p.* EXCLUDE (sex), CASE s.code WHEN '1' THEN 'M' WHEN '2' THEN 'F' ELSE 'U' END AS sex
        FROM people p JOIN (
            SELECT BENE_ID AS member_id, max(BENE_SEX_IDENT_CD) AS code
            FROM read_csv('{root}/beneficiary_*/*.csv.gz', delim = '|', all_varchar = true, union_by_name = true)
            GROUP BY BENE_ID) s USING (member_id)""")
    for name in ("contracts", "contract_rates", "contract_members"):
        read_list(con, name, f"{files[name]}/*.csv")
    read_budget(con, f"{files['contract_budget']}/*.csv")
    run_without_gold(spark, config)
    for as_of in (payment_days((2021, 2022))[0], date(2022, 11, 3)):
        assert capitate(spark, config, as_of).posting_run == post(con, as_of)
        variance(con, (2022,))
        faults = differences(spark, config, con) + variance_differences(spark, config, con)
        assert not faults, f"as of {as_of}: {len(faults)} differences\n" + "\n".join(faults[:12])
    assert {(row["contract_id"], row["comparator"]) for row in rows(con, "variance")} == {
        ("K1", "budget"), ("K2", "none"),
    }  # fmt: skip


LISTS_GENERATED = (
    "network_roster", "providers", "risk_scores", "member_attribution", "contracts", "contract_rates",
    "contract_members", "contract_budget",
)  # fmt: skip
