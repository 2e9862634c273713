"""The financial result of contracts by hand, each branch once, and many drawn contracts against plain Python."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE
from pmpm_spark.gold.financial_performance import FINANCIAL_PERFORMANCE, financial_performance
from pmpm_spark.model import CONTRACT_FINANCE, CONTRACTS, FINANCE_AMOUNTS
from pmpm_spark.reference import MLR_CREDIBILITY, reference_rows, reference_table
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.contract_month_costs import CONTRACT_MONTH_COSTS
from pmpm_spark.table import Table, conform

Row = dict[str, Any]
TERMS = (
    "line_of_business", "benchmark_pmpm", "minimum_savings_rate", "savings_share", "savings_cap", "minimum_loss_rate",
    "loss_share", "loss_cap",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Dollars of a month and category: all, those inside the network, and the share that is paid so far."""

    amount: str
    inside: str = "0"
    paid: str = "1"
    month: int = 1
    category: str = "inpatient"
    services: str = "0"
    encounters: str = "0"
    is_completed: bool = False


@dataclass(frozen=True)
class Result:
    """A contract's year as it stands before its result."""

    terms: Mapping[str, Any] = field(default_factory=dict)
    finance: Mapping[str, str] | None = None
    costs: Sequence[Cost] | None = ()
    months: str = "45000"
    due: str = "18000000"
    withheld: str = "900000"
    year: int = 2021


PUBLISHED = Result(
    {
        "line_of_business": "commercial", "benchmark_pmpm": "350", "minimum_savings_rate": "0.02",
        "savings_share": "0.5", "savings_cap": "0.1",
    },
    {
        "withhold_returned": "600000", "administrative_cost": "1500000", "quality_improvement_cost": "100000",
        "taxes_and_fees": "200000",
    },
    (Cost("14800000", paid="0.98"),),
)  # fmt: skip
"""The worked example of payment-and-outcomes section 6."""


def frame(spark: SparkSession, table: Table, rows: Sequence[Row]) -> Any:
    schema = table.schema
    for of_column in schema.fields:
        of_column.nullable = True
    return spark.createDataFrame([tuple(row.get(c.name) for c in table.columns) for row in rows], schema)


def number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def results(spark: SparkSession, told: Mapping[str, Sequence[Result]], **settings: Any) -> dict[tuple[str, int], Row]:
    """The rows of contracts by id and year, made at once."""
    variance, due, costs, contracts, finance = [], [], [], [], []
    for contract_id, years in told.items():
        terms = {k: v if k == "line_of_business" else number(v) for k, v in years[0].terms.items()}
        contracts.append({"contract_id": contract_id, **terms})
        for one in years:
            at = {"contract_id": contract_id, "performance_year": one.year}
            actual = None if one.costs is None else sum((Decimal(c.amount) for c in one.costs), Decimal(0))
            variance.append({
                **at, "period_type": "year", "period": date(one.year, 1, 1), "network_id": "N1",
                "member_months": Decimal(one.months), "allocated_amount": Decimal(one.due), "actual_amount": actual,
                "members": 40, "policy": "p", "as_of": date(2022, 3, 5),
            })  # fmt: skip
            variance.append({**variance[-1], "period_type": "month", "allocated_amount": Decimal(7)})
            whole = Decimal(one.withheld)
            first = (whole / 4).quantize(Decimal("0.01"))
            for month, part in ((1, first), (2, whole - first)):
                due.append({
                    "contract_id": contract_id, "member_id": "A", "coverage_month": date(one.year, month, 1),
                    "is_due": True, "withhold_due": part,
                })  # fmt: skip
            due.append({**due[-1], "member_id": "B", "is_due": False, "withhold_due": Decimal(9)})
            for cost in one.costs or ():
                costs.append({
                    "contract_id": contract_id, "coverage_month": date(one.year, cost.month, 1),
                    "service_category": cost.category, "amount": Decimal(cost.amount),
                    "in_network_amount": Decimal(cost.inside), "in_network_services": Decimal(cost.services),
                    "encounter_services": Decimal(cost.encounters), "completion_factor": Decimal(cost.paid),
                    "is_completed": cost.is_completed,
                })  # fmt: skip
            if one.finance is not None:
                given = {name: number(one.finance.get(name)) for name in FINANCE_AMOUNTS}
                finance.append({"contract_id": contract_id, "year": one.year, **given})
    asked = {"mlr_revenue": "earned", "deductible_factor": 1.0, "encounter_share": 0.05, **settings}
    built = financial_performance(
        frame(spark, CAPITATION_VARIANCE, variance),
        frame(spark, CAPITATION_DUE, due),
        frame(spark, CONTRACT_MONTH_COSTS, costs),
        frame(spark, CONTRACTS, contracts),
        frame(spark, CONTRACT_FINANCE, finance),
        reference_table(spark, MLR_CREDIBILITY),
        **asked,
    )
    rows = [row.asDict() for row in conform(built, FINANCIAL_PERFORMANCE).collect()]
    found = {(row["contract_id"], row["performance_year"]): row for row in rows}
    assert len(found) == len(rows) == sum(len(years) for years in told.values())
    return found


def result(spark: SparkSession, one: Result, **settings: Any) -> Row:
    return results(spark, {"C1": [one]}, **settings)["C1", one.year]


def change(one: Result, **changes: Any) -> Result:
    """The same year with other values: of the contract's terms, of what is given, or of the year itself."""
    own = {name: value for name, value in changes.items() if name in Result.__dataclass_fields__}
    terms = {name: value for name, value in changes.items() if name in TERMS}
    given = {name: value for name, value in changes.items() if name in FINANCE_AMOUNTS}
    assert set(changes) == {*own, *terms, *given}
    told = {
        "terms": {**one.terms, **terms}, "finance": {**(one.finance or {}), **given}, "costs": one.costs,
        "months": one.months, "due": one.due, "withheld": one.withheld, "year": one.year,
    }  # fmt: skip
    return Result(**(told | own))


def test_the_worked_example_to_the_cent(spark: SparkSession) -> None:
    row = result(spark, PUBLISHED)
    expected = {
        "network_id": "N1", "line_of_business": "commercial", "member_months": Decimal(45_000),
        "allocated_amount": Decimal("18000000.00"), "withheld_amount": Decimal("900000.00"),
        "withhold_returned": Decimal("600000.00"), "revenue_amount": Decimal("17700000.00"),
        "medical_paid_amount": Decimal("14800000.00"), "medical_amount": Decimal("15102040.82"),
        "margin_amount": Decimal("797959.18"), "margin_share": Decimal("0.045082"), "mlr": Decimal("0.868688"),
        "credibility": "PARTIAL", "mlr_adjustment": Decimal("0.044500"), "mlr_adjusted": Decimal("0.913188"),
        "benchmark_amount": Decimal("15750000.00"), "savings_amount": Decimal("647959.18"),
        "savings_rate": Decimal("0.041140"), "shared_savings_amount": Decimal("323979.59"),
        "shared_losses_amount": Decimal("0.00"), "pmpm_growth": None, "program_spending": None, "program_return": None,
        "ffs_equivalent_amount": Decimal("0.00"), "out_of_network_amount": Decimal("15102040.82"),
        "delivery_cost": None, "margin_ffs_amount": None, "margin_pmpm_amount": None,
        "pmpm_less_ffs_amount": Decimal("2597959.18"), "members": 40, "is_small_cell": False, "policy": "p",
        "as_of": date(2022, 3, 5),
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["medical_pmpm"] == pytest.approx(15_102_040.82 / 45_000)


def test_of_a_policy_that_completes_its_costs_what_was_paid_inside_alone_is_completed(spark: SparkSession) -> None:
    """1,000.00 stand as they are; 400.00 / 0.8 = 500.00 of them inside."""
    row = result(spark, change(PUBLISHED, costs=(Cost("1000", paid="0.8", inside="400", is_completed=True),)))
    told = ("medical_amount", "ffs_equivalent_amount", "out_of_network_amount")
    assert [row[name] for name in told] == [Decimal("1000.00"), Decimal("500.00"), Decimal("500.00")]


SIZES = [
    # commercial by life-years: months / 12; the last point adds nothing and is full itself
    ("commercial", "11999.999999", "NONE", None),
    ("commercial", "12000", "PARTIAL", "0.083000"),
    ("commercial", "21000", "PARTIAL", "0.067500"),
    ("commercial", "30000", "PARTIAL", "0.052000"),
    ("commercial", "899999.999999", "PARTIAL", "0.000000"),
    ("commercial", "900000", "FULL", "0.000000"),
    ("commercial", "900001", "FULL", "0.000000"),
    ("medicare_advantage", "2399", "NONE", None),
    ("medicare_advantage", "2400", "PARTIAL", "0.084000"),
    ("medicare_advantage", "4200", "PARTIAL", "0.068500"),
    ("medicare_advantage", "12000", "PARTIAL", "0.037000"),
    ("medicare_advantage", "180000", "PARTIAL", "0.010000"),
    ("medicare_advantage", "180000.000001", "FULL", "0.000000"),
    ("part_d", "4799.5", "NONE", None),
    ("part_d", "4800", "PARTIAL", "0.084000"),
    ("part_d", "8400", "PARTIAL", "0.068500"),
    ("part_d", "360000", "PARTIAL", "0.010000"),
    ("part_d", "360001", "FULL", "0.000000"),
    ("medicaid", "5399", "NONE", None),
    ("medicaid", "5400", "PARTIAL", "0.084000"),
    ("medicaid", "8700", "PARTIAL", "0.070500"),
    ("medicaid", "12000", "PARTIAL", "0.057000"),
    ("medicaid", "380000", "PARTIAL", "0.010000"),
    ("medicaid", "380001", "FULL", "0.000000"),
    ("aco", "45000", None, None),
    (None, "45000", None, None),
]


def test_every_line_of_business_is_credible_by_its_own_size(spark: SparkSession) -> None:
    told = {
        f"C{n}": [change(PUBLISHED, line_of_business=line, months=size)] for n, (line, size, *_) in enumerate(SIZES)
    }
    rows = results(spark, told)
    for n, (line, size, credibility, adjustment) in enumerate(SIZES):
        row = rows[f"C{n}", 2021]
        assert (row["credibility"], row["mlr_adjustment"]) == (credibility, number(adjustment)), (line, size)
        assert row["mlr"] == Decimal("0.868688")
        adjusted = None if adjustment is None else Decimal("0.868688") + Decimal(adjustment)
        assert row["mlr_adjusted"] == adjusted, (line, size)


def test_a_deductible_makes_a_commercial_line_less_credible_and_no_other(spark: SparkSession) -> None:
    told = {line: [change(PUBLISHED, line_of_business=line)] for line in ("commercial", "medicare_advantage")}
    rows = results(spark, told, deductible_factor=1.164)
    assert rows["commercial", 2021]["mlr_adjustment"] == Decimal("0.051798")  # 0.0445 x 1.164
    assert rows["medicare_advantage", 2021]["mlr_adjustment"] == Decimal("0.020750")  # 2.6% at 24,000, 1.7% at 60,000


BRANCHES: dict[str, tuple[dict[str, Any], dict[str, str | None]]] = {
    "nothing is given: 0 in sums, null in its column": (
        {"finance": None},
        {"withhold_returned": None, "administrative_cost": None, "revenue_amount": "17100000.00",
         "margin_amount": "1997959.18", "mlr": "0.883160"},
    ),
    "a blank beside what is given": (
        {"administrative_cost": None, "taxes_and_fees": None},
        {"administrative_cost": None, "taxes_and_fees": None, "quality_improvement_cost": "100000.00",
         "margin_amount": "2497959.18", "mlr": "0.858872"},
    ),
    "a zero that is given": ({"administrative_cost": "0"}, {"administrative_cost": "0.00", "margin_amount": "2297959.18"}),
    "all of the withhold comes back": ({"withhold_returned": "900000"}, {"revenue_amount": "18000000.00"}),
    "taxes take all of the revenue": (
        {"taxes_and_fees": "17700000"}, {"mlr": None, "mlr_adjusted": None, "credibility": "PARTIAL",
                                         "mlr_adjustment": "0.044500", "margin_amount": "-16702040.82"},
    ),
    "taxes take more": ({"taxes_and_fees": "17700000.01"}, {"mlr": None, "mlr_adjusted": None}),
    "taxes leave a cent": ({"taxes_and_fees": "17699999.99", "quality_improvement_cost": "0", "costs": [Cost("0.01")]},
                           {"mlr": "1.000000"}),
    "nothing was due": (
        {"due": "0", "withheld": "0", "withhold_returned": None, "months": "0", "taxes_and_fees": None},
        {"revenue_amount": "0.00", "margin_share": None, "mlr": None, "credibility": "NONE", "benchmark_amount": "0.00",
         "savings_rate": None, "shared_savings_amount": None, "shared_losses_amount": None, "medical_pmpm": None},
    ),
    "a share that no column holds": ({"due": "900000.01", "withhold_returned": None, "costs": [Cost("99999999.99")]},
                                     {"revenue_amount": "0.01", "margin_share": None}),
    "the policy has no costs of the year": (
        {"costs": None, "delivery_cost": "5"},
        {"medical_paid_amount": None, "medical_amount": None, "margin_amount": None, "margin_share": None, "mlr": None,
         "mlr_adjusted": None, "savings_amount": None, "savings_rate": None, "shared_savings_amount": None,
         "shared_losses_amount": None, "ffs_equivalent_amount": None, "out_of_network_amount": None,
         "margin_ffs_amount": None, "margin_pmpm_amount": None, "pmpm_less_ffs_amount": None,
         "benchmark_amount": "15750000.00", "revenue_amount": "17700000.00"},
    ),
    "there was no cost": ({"costs": []}, {"medical_amount": "0.00", "ffs_equivalent_amount": "0.00", "mlr": "0.005714"}),
    "each month is completed by itself, by category, half up": (
        # 0.02 / 0.8 = 0.025 and 0.01 / 0.3 + 0.01 = 0.0433...
        {"costs": [Cost("0.02", paid="0.8"), Cost("0.01", paid="0.3", month=2), Cost("0.01", month=2, category="dme")]},
        {"medical_paid_amount": "0.04", "medical_amount": "0.07"},
    ),
    "there is no benchmark": (
        {"benchmark_pmpm": None, "program_spending": "10"},
        {"benchmark_amount": None, "savings_amount": None, "savings_rate": None, "shared_savings_amount": None,
         "shared_losses_amount": None, "program_return": None, "program_spending": "10.00"},
    ),
    "savings reach the least rate": (
        # 350 x 45,000 = 15,750,000, less 2% = 315,000
        {"costs": [Cost("15435000")]}, {"savings_rate": "0.020000", "shared_savings_amount": "157500.00"},
    ),
    "savings stay below it": ({"costs": [Cost("15435010")]}, {"savings_rate": "0.019999", "shared_savings_amount": "0.00"}),
    "without a least rate the first dollar is shared": (
        {"minimum_savings_rate": None, "costs": [Cost("15749900")]},
        {"savings_rate": "0.000006", "shared_savings_amount": "50.00"},
    ),
    "savings of nothing": ({"minimum_savings_rate": "0", "costs": [Cost("15750000")]},
                           {"savings_rate": "0.000000", "shared_savings_amount": "0.00", "shared_losses_amount": "0.00"}),
    "savings up to the cap": ({"savings_cap": "0.02"}, {"shared_savings_amount": "315000.00"}),
    "savings without a cap": ({"savings_cap": None, "costs": [Cost("0")]}, {"shared_savings_amount": "7875000.00"}),
    "savings that nobody shares": ({"savings_share": None}, {"shared_savings_amount": "0.00"}),
    "losses without a share": ({"costs": [Cost("16750000")]},
                               {"savings_amount": "-1000000.00", "savings_rate": "-0.063492",
                                "shared_savings_amount": "0.00", "shared_losses_amount": "0.00"}),
    "losses from the first dollar": (
        {"costs": [Cost("16750000")], "loss_share": "0.3"}, {"shared_losses_amount": "300000.00"},
    ),
    "losses below the least rate": (
        {"costs": [Cost("16064990")], "loss_share": "0.3", "minimum_loss_rate": "0.02"},
        {"savings_rate": "-0.019999", "shared_losses_amount": "0.00"},
    ),
    "losses at the least rate": (
        {"costs": [Cost("16065000")], "loss_share": "0.3", "minimum_loss_rate": "0.02"},
        {"savings_rate": "-0.020000", "shared_losses_amount": "94500.00"},
    ),
    "losses up to the cap": (
        {"costs": [Cost("16750000")], "loss_share": "0.3", "loss_cap": "0.01"}, {"shared_losses_amount": "157500.00"},
    ),
    "savings are no loss": ({"loss_share": "1", "loss_cap": "1"}, {"shared_losses_amount": "0.00"}),
    "half a cent is shared up": (
        {"months": "1", "benchmark_pmpm": "1.03", "costs": [Cost("1")], "minimum_savings_rate": None, "savings_cap": None},
        {"savings_amount": "0.03", "shared_savings_amount": "0.02"},
    ),
    "a part of a month": ({"months": "0.322581", "benchmark_pmpm": "100.01"}, {"benchmark_amount": "32.26"}),
    "the program returns": ({"program_spending": "500000"}, {"program_return": "0.295918"}),
    "the program loses": ({"program_spending": "1295918.36"}, {"program_return": "-0.500000"}),
    "a program without spending": ({"program_spending": "0"}, {"program_spending": "0.00", "program_return": None}),
    "the network gave a part of it": (
        {"costs": [Cost("14800000", "9800000", "0.98")], "delivery_cost": "9000000"},
        {"ffs_equivalent_amount": "10000000.00", "out_of_network_amount": "5102040.82", "delivery_cost": "9000000.00",
         "margin_ffs_amount": "1000000.00", "margin_pmpm_amount": "3597959.18", "pmpm_less_ffs_amount": "2597959.18"},
    ),
    "its own cost is not given": (
        {"costs": [Cost("14800000", "9800000", "0.98")]},
        {"ffs_equivalent_amount": "10000000.00", "out_of_network_amount": "5102040.82", "margin_ffs_amount": None,
         "margin_pmpm_amount": None, "pmpm_less_ffs_amount": "2597959.18"},
    ),
    "too many encounters": (
        {"costs": [Cost("14800000", "9800000", services="100", encounters="5.000001")], "delivery_cost": "1"},
        {"ffs_equivalent_amount": None, "out_of_network_amount": None, "margin_ffs_amount": None,
         "margin_pmpm_amount": None, "pmpm_less_ffs_amount": "2900000.00"},
    ),
    "few encounters": (
        {"costs": [Cost("14800000", "9800000", services="100", encounters="5")]}, {"ffs_equivalent_amount": "9800000.00"},
    ),
}  # fmt: skip


def test_every_branch_by_hand(spark: SparkSession) -> None:
    rows = results(spark, {name: [change(PUBLISHED, **told)] for name, (told, _) in BRANCHES.items()})
    found = {
        name: {column: None if (v := rows[name, 2021][column]) is None else str(v) for column in expected}
        for name, (_, expected) in BRANCHES.items()
    }
    assert found == {name: expected for name, (_, expected) in BRANCHES.items()}


def test_by_what_is_allocated_the_withhold_counts_as_revenue(spark: SparkSession) -> None:
    assert result(spark, PUBLISHED, mlr_revenue="allocated")["mlr"] == Decimal("0.854047")  # / 17,800,000
    taxed = change(PUBLISHED, taxes_and_fees="17900000")
    assert result(spark, taxed)["mlr"] is None
    assert result(spark, taxed, mlr_revenue="allocated")["mlr"] == Decimal("152.020408")


def test_growth_is_over_the_year_before_and_no_other(spark: SparkSession) -> None:
    """$100 a month in 2019, $110 in 2020, $99 in 2022: 10% more, and 2022 has no year before."""
    years = [
        change(PUBLISHED, year=year, months="100", costs=[Cost(cost)])
        for year, cost in ((2022, "9900"), (2019, "10000"), (2020, "11000"))
    ]
    free = [change(PUBLISHED, year=year, costs=[Cost(cost)]) for year, cost in ((2020, "0"), (2021, "5"))]
    unknown = [change(PUBLISHED, year=2020, costs=None), change(PUBLISHED, year=2021)]
    rows = results(spark, {"C1": years, "C2": free, "C3": unknown})
    assert {key: row["pmpm_growth"] for key, row in rows.items()} == {
        ("C1", 2019): None, ("C1", 2020): Decimal("0.100000"), ("C1", 2022): None,
        ("C2", 2020): None, ("C2", 2021): None, ("C3", 2020): None, ("C3", 2021): None,
    }  # fmt: skip


def test_the_shipped_points_rise_in_size_and_fall_in_what_they_add_and_say_what_was_not_checked() -> None:
    lines: dict[str, list[tuple[Any, ...]]] = {}
    for row in sorted(reference_rows(MLR_CREDIBILITY), key=lambda r: r[1]):
        lines.setdefault(row[0], []).append(row)
    assert set(lines) == {"commercial", "medicare_advantage", "part_d", "medicaid"}
    for line, points in lines.items():
        adjustments = [row[3] for row in points]
        assert len(points) == 7
        assert adjustments == sorted(adjustments, reverse=True)
        assert {row[2] for row in points} == {"life_years" if line == "commercial" else "member_months"}
        assert all("not checked" in row[4] or "not read" in row[4] for row in points)


# --- many contracts against plain fractions ---

POINTS = {
    "commercial": [(12_000, 83), (30_000, 52), (60_000, 37), (120_000, 26), (300_000, 16), (600_000, 12), (900_000, 0)],
    "medicare_advantage": [(2_400, 84), (6_000, 53), (12_000, 37), (24_000, 26), (60_000, 17), (120_000, 12), (180_000, 10)],
    "part_d": [(4_800, 84), (12_000, 53), (24_000, 37), (48_000, 26), (120_000, 17), (240_000, 12), (360_000, 10)],
    "medicaid": [(5_400, 84), (12_000, 57), (24_000, 40), (48_000, 29), (96_000, 20), (192_000, 15), (380_000, 10)],
}  # fmt: skip
"""Size in member months, and what it adds in thousandths."""


def half_up(value: Fraction, places: int) -> Fraction:
    """Half away from 0, as decimals are rounded."""
    scaled = floor(abs(value) * 10**places + Fraction(1, 2))
    return Fraction(scaled if value >= 0 else -scaled, 10**places)


def over(dividend: Fraction | None, divisor: Fraction | None) -> Fraction | None:
    """A share that fits its column."""
    if dividend is None or not divisor:
        return None
    share = half_up(dividend / divisor, 6)
    return share if abs(share) < 10**6 else None


def expected(one: Result, before: Fraction | None, factor: Fraction, *, by_earned: bool) -> dict[str, Any]:
    """The columns of a year by the definitions alone; `before` is the cost per member month of the year before."""

    def told(name: str) -> Fraction | None:
        text = {**one.terms, **(one.finance or {})}.get(name)
        return None if text is None else Fraction(text)

    def given(name: str) -> Fraction:
        return told(name) or Fraction(0)

    months, due, withheld = (Fraction(text) for text in (one.months, one.due, one.withheld))
    revenue = due - withheld + given("withhold_returned")
    medical = paid = inside = None
    if one.costs is not None:
        paid = sum((Fraction(cost.amount) for cost in one.costs), Fraction(0))
        in_months: dict[int, list[Fraction]] = {}
        for cost in one.costs:
            sums = in_months.setdefault(cost.month, [Fraction(0), Fraction(0)])
            sums[0] += Fraction(cost.amount) / Fraction(cost.paid)
            sums[1] += Fraction(cost.inside) / Fraction(cost.paid)
        medical = sum((half_up(sums[0], 2) for sums in in_months.values()), Fraction(0))
        inside = sum((half_up(sums[1], 2) for sums in in_months.values()), Fraction(0))
        services, encounters = (
            sum((Fraction(getattr(cost, name)) for cost in one.costs), Fraction(0))
            for name in ("services", "encounters")
        )
        if encounters > services / 20:
            inside = None
    taxes, quality = given("taxes_and_fees"), given("quality_improvement_cost")
    margin = None if medical is None else revenue - medical - given("administrative_cost") - quality - taxes
    divisor = (revenue if by_earned else due) - taxes
    mlr = over(medical + quality, divisor) if medical is not None and divisor > 0 else None
    line = one.terms.get("line_of_business")
    credibility, adjustment = None, None
    if line in POINTS:
        points = POINTS[line]
        if months < points[0][0]:
            credibility = "NONE"
        elif months > points[-1][0] or (months == points[-1][0] and points[-1][1] == 0):
            credibility, adjustment = "FULL", Fraction(0)
        else:
            credibility = "PARTIAL"
            for (size, adds), (next_size, next_adds) in zip(points, [*points[1:], (10**9, 0)], strict=True):
                if size <= months < next_size or (size == months == points[-1][0]):
                    slope = Fraction(next_adds - adds, next_size - size) if size != points[-1][0] else Fraction(0)
                    between = (adds + slope * (months - size)) / 1000
                    adjustment = half_up(between * (factor if line == "commercial" else 1), 6)
    adjusted = None if mlr is None or adjustment is None else mlr + adjustment
    per_month = told("benchmark_pmpm")
    benchmark = None if per_month is None else half_up(per_month * months, 2)
    savings = None if benchmark is None or medical is None else benchmark - medical
    rate = over(savings, benchmark)
    gains = losses = None
    if rate is not None and savings is not None and benchmark is not None:
        gains = losses = Fraction(0)
        caps = {name: told(name) for name in ("savings_cap", "loss_cap")}
        if rate >= given("minimum_savings_rate") and rate > 0:
            gains = half_up(savings * given("savings_share"), 2)
            if caps["savings_cap"] is not None:
                gains = min(gains, half_up(benchmark * caps["savings_cap"], 2))
        if -rate >= given("minimum_loss_rate"):
            losses = half_up(-savings * given("loss_share"), 2)
            if caps["loss_cap"] is not None:
                losses = min(losses, half_up(benchmark * caps["loss_cap"], 2))
            losses = max(losses, Fraction(0))
    spent, cost = told("program_spending"), told("delivery_cost")
    pmpm = medical / months if medical is not None and months else None
    outside = None if medical is None or inside is None else medical - inside
    return {
        "revenue_amount": revenue, "medical_paid_amount": paid, "medical_amount": medical, "margin_amount": margin,
        "margin_share": over(margin, revenue), "mlr": mlr, "credibility": credibility, "mlr_adjustment": adjustment,
        "mlr_adjusted": adjusted, "benchmark_amount": benchmark, "savings_amount": savings, "savings_rate": rate,
        "shared_savings_amount": gains, "shared_losses_amount": losses,
        "pmpm_growth": over(pmpm - before, before) if pmpm is not None and before else None,
        "program_return": over(savings - spent, spent) if savings is not None and spent is not None else None,
        "ffs_equivalent_amount": inside, "out_of_network_amount": outside,
        "margin_ffs_amount": None if cost is None or inside is None else inside - cost,
        "margin_pmpm_amount": None if cost is None or outside is None else revenue - outside - cost,
        "pmpm_less_ffs_amount": None if medical is None else revenue - medical,
        **{name: told(name) for name in FINANCE_AMOUNTS},
        "_pmpm": pmpm,
    }  # fmt: skip


def drawn(draw: random.Random) -> list[Result]:
    """One to three years of a contract of any size, with blanks, zeros, losses and full and empty months."""

    def dollars(most: float) -> str:
        return f"{draw.choice((0, 1, 1, 1)) * draw.random() * most:.2f}"

    def maybe(value: str) -> str | None:
        return value if draw.random() < 0.75 else None

    line = draw.choice((*POINTS, "aco", None))
    terms: dict[str, Any] = {
        "line_of_business": line,
        "benchmark_pmpm": maybe(f"{draw.uniform(0, 700):.2f}"),
        **{
            name: maybe(f"{draw.choice((0, 0.02, 0.1, 0.5, 1, draw.random())):.6f}")
            for name in TERMS
            if name not in ("line_of_business", "benchmark_pmpm")
        },
    }
    years = []
    for year in draw.choice(((2021,), (2020, 2021), (2020, 2022), (2019, 2020, 2021))):
        size = draw.choice((0, draw.randint(0, 5_000), draw.randint(0, 60_000), draw.randint(0, 10**6)))
        if line in POINTS and draw.random() < 0.3:
            size = draw.choice(POINTS[line])[0] + draw.choice((-1, 0, 1))
        months = f"{size + draw.choice((0, 0, draw.random())):.6f}"
        due = dollars(size * 700.0)
        withheld = f"{float(due) * draw.choice((0, 0.05, 1)):.2f}"
        finance: dict[str, str] | None = {
            "withhold_returned": draw.choice((withheld, f"{float(withheld) / 2:.2f}")),
            **{name: dollars(size * 40.0) for name in FINANCE_AMOUNTS[1:]},
        }
        given = {name: value for name, value in (finance or {}).items() if draw.random() < 0.8}
        costs = []
        for month in range(1, draw.randint(1, 5)):
            for category in draw.sample(("inpatient", "professional", "dme"), draw.randint(1, 3)):
                amount = dollars(size * 150.0)
                services = draw.randint(0, 200)
                costs.append(
                    Cost(
                        amount, f"{float(amount) * draw.choice((0, 0.5, 1)):.2f}",
                        draw.choice(("1", f"{draw.uniform(0.05, 1):.10f}")), month, category, str(services),
                        str(draw.choice((0, 0, services // 20, services))),
                    )
                )  # fmt: skip
        told = costs if draw.random() < 0.9 else None
        years.append(Result(terms, given if draw.random() < 0.8 else None, told, months, due, withheld, year))
    return years


@pytest.mark.parametrize(("mlr_revenue", "deductible_factor"), [("earned", 1.0), ("allocated", 1.402)])
def test_every_column_of_many_contracts_is_what_fractions_make_of_it(
    spark: SparkSession, mlr_revenue: str, deductible_factor: float
) -> None:
    draw = random.Random(f"finance {mlr_revenue}")
    told = {f"C{n:03}": drawn(draw) for n in range(400)}
    rows = results(spark, told, mlr_revenue=mlr_revenue, deductible_factor=deductible_factor)
    seen: dict[str, int] = {}
    for contract_id, years in told.items():
        pmpm: dict[int, Fraction | None] = {}
        for one in years:
            columns = expected(
                one, pmpm.get(one.year - 1), Fraction(str(deductible_factor)), by_earned=mlr_revenue == "earned"
            )
            pmpm[one.year] = columns.pop("_pmpm")
            row = rows[contract_id, one.year]
            found = {name: Fraction(v) if isinstance(v := row[name], Decimal) else v for name in columns}
            differing = {name: (row[name], columns[name]) for name in columns if found[name] != columns[name]}
            assert str(differing) == "{}", (contract_id, one)
            if pmpm[one.year] is None:
                assert row["medical_pmpm"] is None
            else:
                assert row["medical_pmpm"] == pytest.approx(float(pmpm[one.year] or 0))
            for name, value in columns.items():
                seen[name] = seen.get(name, 0) + bool(value)
            seen[str(row["credibility"])] = seen.get(str(row["credibility"]), 0) + 1
    few = {name for name, times in seen.items() if times < 20}
    assert few == set(), "what is hardly ever drawn is hardly tried"
