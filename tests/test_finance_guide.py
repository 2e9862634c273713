"""The contract of docs/finance.md has the result that the page prints, and lists that cannot be used are refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.capitation import capitate
from pmpm_spark.cli.render import as_table
from pmpm_spark.cli.summary import shown_rows
from pmpm_spark.config import Finance, Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.finance import check_benchmarks
from pmpm_spark.gold.financial_performance import FINANCIAL_PERFORMANCE
from pmpm_spark.model import CONTRACTS
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.warehouse import published
from tests import test_capitation_guide as guide
from tests.gold.test_financial_performance import Cost, Result, expected
from tests.partly import run_without_gold
from tests.tables import frame

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is several whole runs

PAGE = Path(__file__).resolve().parent.parent / "docs" / "finance.md"
LISTS = ("network_roster", "contracts", "contract_rates", "contract_members", "contract_finance")
LAST_DAY = date(2022, 12, 31)
YEARS = (2021, 2022)


@pytest.fixture(scope="module")
def page() -> Any:
    """The page, read as that of capitation is."""
    with pytest.MonkeyPatch.context() as reading:
        reading.setattr(guide, "PAGE", PAGE)
        yield guide


class Paid:
    """The contract's warehouse after its payment run."""

    def __init__(self, spark: SparkSession, folder: Path, files: dict[str, str]) -> None:
        self.spark, self.folder = spark, folder
        told = folder / "common"
        for place in (told, folder / "reference"):
            place.mkdir()
        for name, text in files.items():
            at = {"claim_lines": told, "completion_factors": folder / "reference"}.get(name, folder)
            (at / f"{name}.csv").write_text(text)
        (told / "members.csv").write_text("member_id,birth_date,sex\nAnn,1985-06-01,F\nBen,1979-02-03,M\n")
        days = "2021-01-01,2022-12-31"
        (told / "coverage_records.csv").write_text(f"member_id,coverage_start,coverage_end\nAnn,{days}\nBen,{days}\n")
        self.config = RunConfig(
            Source("common", str(told), **{name: str(folder / f"{name}.csv") for name in LISTS}),  # type: ignore[arg-type]
            Warehouse(str(folder / "warehouse")),
            YEARS,
            (Policy("guide", Eligibility(part_a_b="none"), attribution=Attribution(method="roster")),),
            Reference(str(folder / "reference")),
            finance=Finance(completion="supplied"),
        )
        run_without_gold(spark, self.config)
        capitate(spark, self.config, LAST_DAY)

    def rows(self, table: str) -> list[dict[str, Any]]:
        return guide.Paid(self.folder / "warehouse", []).table(table)

    def pay_with(self, rows: str) -> None:
        """Another payment run, with these rows of contract_finance."""
        heading = guide.lists()["contract_finance"].splitlines()[0]
        (self.folder / "contract_finance.csv").write_text(f"{heading}\n{rows}\n")
        run(self.spark, self.config, group="load")
        capitate(self.spark, self.config, LAST_DAY)


@pytest.fixture(scope="module")
def paid(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, page: Any) -> Paid:
    return Paid(spark, tmp_path_factory.mktemp("finance"), page.lists())


def test_every_figure_of_the_page_is_what_the_run_makes(paid: Paid, page: Any) -> None:
    rows = {str(row["performance_year"]): row for row in paid.rows("gold.financial_performance")}
    assert set(rows) == {str(year) for year in YEARS}
    told = page.printed("financial_performance")
    made = [{year: page.shown(rows[year][line["column"]]) for year in rows} for line in told]
    assert made == [{year: line[year] for year in rows} for line in told]
    aside = {
        "contract_id",
        "performance_year",
        "network_id",
        "line_of_business",
        "members",
        "is_small_cell",
        "policy",
        "as_of",
    }
    assert {line["column"] for line in told} == set(FINANCIAL_PERFORMANCE.column_names) - aside


def test_the_costs_of_the_page_are_what_the_run_makes(paid: Paid, page: Any) -> None:
    told = page.printed("contract_month_costs")
    made = [{name: page.shown(row[name]) for name in told[0]} for row in paid.rows("silver.contract_month_costs")]
    assert sorted(made, key=str) == sorted(told, key=str)


def test_the_page_follows_from_its_lists_by_the_definitions_alone(page: Any) -> None:
    (contract,) = page.csv_of("contracts")
    rates = {row["effective_from"][:4]: Fraction(row["rate"]) for row in page.csv_of("contract_rates")}
    factors = {row["runout_months"]: row["completion_factor"] for row in page.csv_of("completion_factors")}
    names = ("line_of_business", "benchmark_pmpm", "minimum_savings_rate", "savings_share", "savings_cap")
    before = None
    for finance in page.csv_of("contract_finance"):
        year = finance["year"]
        costs = [
            Cost(
                row["paid_amount"],
                row["paid_amount"] if row["billing_tin"] == "T1" else "0",
                factors.get(str(12 - int(row["service_thru"][5:7])), "1") if year == "2022" else "1",
                int(row["service_thru"][5:7]),
                row["claim_type"],
            )
            for row in page.csv_of("claim_lines")
            if row["service_thru"][:4] == year
        ]
        given = {name: value for name, value in finance.items() if value and name not in ("contract_id", "year")}
        due = rates[year] * 24
        withheld = due * Fraction(contract["withhold_share"])
        terms = {name: contract[name] for name in names}
        one = Result(terms, given, costs, "24", str(due), str(withheld), int(year))
        columns = expected(one, before, Fraction(1), by_earned=True)
        before = columns.pop("_pmpm")
        told = {row["column"]: row[year] for row in page.printed("financial_performance")}
        for name, value in columns.items():
            found = told[name]
            assert (found or None) == value if value is None or isinstance(value, str) else page.number(found) == value
        assert abs(page.number(told["medical_pmpm"]) - before) <= Fraction(1, 200)


def test_the_result_can_be_shown(paid: Paid) -> None:
    warehouse = published(paid.spark, paid.config)
    chosen = {"years": [2022], "networks": ["N1"], "policies": ["guide"], "at_most": 60}
    text = as_table(shown_rows(lambda: warehouse, paid.config.warehouse, "financial_performance", **chosen))
    assert "C1" in text
    assert "3100.00" in text.replace(",", "")


BAD = {
    "C9,2022,,,,,,": "contract_finance: C9 is not among contracts",
    "C1,2022,,,,,-0.01,": "program_spending is negative",
    "C1,2022,,,,,x,": "program_spending is not an amount",
    "C1,2022,,1,,,,\nC1,2022,,2,,,,": "two rows of one key",
    "C1,,,1,,,,": "year is missing",
    "C1,2022,,,,,,9999999999999999.99": "contract_finance: contract C1, 2022: delivery_cost 9999999999999999.99 is above 1,000,000,000,000; correct the list",
}


@pytest.mark.parametrize("rows", BAD)
def test_what_cannot_be_used_is_one_line_and_nothing_is_paid(paid: Paid, rows: str) -> None:
    before = paid.rows("gold.financial_performance")
    with pytest.raises(InputError) as said:
        paid.pay_with(rows)
    assert BAD[rows] in str(said.value)
    assert "\n" not in str(said.value)
    assert paid.rows("gold.financial_performance") == before


def test_a_benchmark_that_no_member_costs_is_an_error_that_names_the_contract(spark: SparkSession) -> None:
    text = "contract_id | benchmark_pmpm\nC1 | 1000000.00\nC2 | {}\nC3 | -"
    check_benchmarks(frame(spark, CONTRACTS, text.format("999999.99")))
    with pytest.raises(InputError, match=r"^contracts: contract C2: benchmark_pmpm 1000000.01 is above 1,000,000; "):
        check_benchmarks(frame(spark, CONTRACTS, text.format("1000000.01")))


def test_a_year_outside_the_contract_is_said_and_not_used(paid: Paid, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        paid.pay_with("C1,2023,,5.00,,,,\nC1,2021,,0,,,,")
    assert "contract_finance: contract C1, 2023: wholly outside the contract, unused" in caplog.text
    rows = {row["performance_year"]: row for row in paid.rows("gold.financial_performance")}
    assert (set(rows), rows[2021]["administrative_cost"], rows[2022]["administrative_cost"]) == ({2021, 2022}, 0, None)


def test_more_returned_than_is_withheld_so_far_counts_up_to_that_and_is_said(
    paid: Paid, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        paid.pay_with("C1,2022,720.01,,,,,\nC1,2021,576.00,,,,,")
    said = [record.getMessage() for record in caplog.records if "withhold_returned" in record.getMessage()]
    assert said == [
        "contract_finance: contract C1, 2022: withhold_returned is 720.01, and 600.00 is withheld so far: "
        "the other 120.01 does not count yet"
    ]
    rows = {row["performance_year"]: row for row in paid.rows("gold.financial_performance")}
    assert [(str(rows[y]["withhold_returned"]), str(rows[y]["revenue_amount"])) for y in YEARS] == [
        ("576.00", "11520.00"),
        ("600.00", "12000.00"),
    ]


def test_a_loss_ratio_by_what_is_allocated_is_a_setting(paid: Paid) -> None:
    paid.config = replace(paid.config, finance=Finance(mlr_revenue="allocated", completion="none"))
    paid.pay_with("C1,2022,400.00,,,,,")
    (row,) = [row for row in paid.rows("gold.financial_performance") if row["performance_year"] == 2022]
    assert str(row["mlr"]) == "0.691667"  # 8,300 / 12,000
