"""Allocated against actual by hand, every zero rule of the split, and generated contracts against plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import permutations
from math import floor
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.contract_terms import Budget, Rate, Terms, check_budget
from pmpm_spark.errors import InputError
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE, capitation_variance
from pmpm_spark.gold.capitation_variance_split import CAPITATION_VARIANCE_SPLIT, EFFECTS, capitation_variance_split
from pmpm_spark.months import number_of
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.capitation_cells import CAPITATION_CELLS, Compared, capitation_cells, compared_with, without_cell
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.table import Table, conform

POLICY = Policy("p")
START, OPEN = date(2021, 1, 1), date(9999, 12, 31)
C1 = Terms("C1", "N1", START, OPEN)
ANYBODY = Rate("C1", START, OPEN, "*", "*", "*", Decimal(500), risk_adjusted=False)
AGED, ESRD = "AGED_NON_DUAL x 70 x F", "ESRD x 50 x M"
Split = dict[tuple[str, str], Decimal]


@dataclass
class World:
    """Due months and costs of a contract or many, and what the tables make of them."""

    spark: SparkSession
    contracts: Sequence[Terms] = (C1,)
    rates: Sequence[Rate] = (ANYBODY,)
    budget: Sequence[Budget] = ()
    policy: Policy = POLICY
    alert_share: float = 0.05
    last: date = date(2021, 12, 1)
    years: Sequence[int] = (2021,)
    due: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    truncated: list[dict[str, Any]] = field(default_factory=list)
    posted: list[tuple[str, date, Decimal]] = field(default_factory=list)
    unposted: list[tuple[str, date, Decimal]] = field(default_factory=list)
    not_counted: set[tuple[str, date]] = field(default_factory=set)

    def month(self, member: str, month: date, cell: str = AGED, *, contract: str = "C1", rate: Rate = ANYBODY,
              exposure: Decimal = Decimal(1)) -> None:  # fmt: skip
        """A due month."""
        self.due.append({
            "contract_id": contract, "member_id": member, "coverage_month": month, "is_due": True,
            "enrollment_type": rate.enrollment_type, "age_band": rate.age_band, "sex": rate.sex, "member_cell": cell,
            "exposure": exposure, "due_amount": _half_up(rate.rate * exposure),
        })  # fmt: skip

    def cost(self, member: str, month: date, category: str, services: int, dollars: str | Decimal, **more: Any) -> None:
        self.costs.append({
            "policy": "p", "performance_year": month.year, "member_id": member, "member_month": month,
            "service_category": category, "in_total": True, "counted_services": services,
            "counted_amount": Decimal(dollars), **more,
        })  # fmt: skip

    def group(self, name: str, cell: str, months: int, costs: Mapping[str, tuple[int, int]], year: int = 2021) -> None:
        """So many due months of a cell, and services and dollars each, in the first of them."""
        for n in range(months):
            self.month(f"{name}{n // 12}", date(year, n % 12 + 1, 1), cell)
        for category, (services, price) in costs.items():
            self.cost(f"{name}0", date(year, 1, 1), category, services, Decimal(services * price))

    def compared(self) -> Compared:
        return compared_with(
            self.contracts,
            {(row["contract_id"], row["coverage_month"].year) for row in self.due},
            self.budget,
            years_computed=self.years,
            first_told=number_of(START),
            last_payable=number_of(self.last),
        )

    def built(self) -> tuple[dict[tuple[str, str, date], Any], dict[tuple[str, str, date], Split]]:
        """Both tables by contract, type and first day of the period."""
        due = self._frame(CAPITATION_DUE, self.due)
        of_months = [
            {"policy": "p", "performance_year": m.year, "member_id": who, "member_month": m, "is_eligible": True}
            for who, m in {(row["member_id"], row["coverage_month"]) for row in self.due} - self.not_counted
        ]
        told = {"contracts": self.contracts, "budget": self.budget, "compared": self.compared(), "policy": self.policy}
        cells = conform(
            capitation_cells(
                due,
                self._frame(MEMBER_MONTHS, of_months),
                self._frame(MEMBER_MONTH_COSTS, self.costs),
                self._frame(TRUNCATED_COSTS, self.truncated),
                rates=self.rates,
                **told,
            ),
            CAPITATION_CELLS,
        )
        self.cells = cells.collect()
        cells = self.spark.createDataFrame([tuple(row) for row in self.cells], cells.schema)
        schema = "contract_id string, coverage_month date, amount decimal(18,2)"
        posted = self.posted or [(r["contract_id"], r["coverage_month"], r["due_amount"]) for r in self.due]
        rows = conform(
            capitation_variance(
                due,
                self.spark.createDataFrame(posted, schema),
                self.spark.createDataFrame(self.unposted, schema),
                cells,
                as_of=self.last,
                alert_share=self.alert_share,
                **told,
            ),
            CAPITATION_VARIANCE,
        )
        found = rows.collect()
        variance = {(row["contract_id"], row["period_type"], row["period"]): row for row in found}
        assert len(variance) == len(found)
        rows = self.spark.createDataFrame([tuple(row) for row in found], rows.schema)
        splits: dict[tuple[str, str, date], Split] = defaultdict(dict)
        for row in conform(capitation_variance_split(rows, cells, **told), CAPITATION_VARIANCE_SPLIT).collect():
            of_period = splits[row["contract_id"], row["period_type"], row["period"]]
            assert (row["effect"], row["service_category"]) not in of_period
            of_period[row["effect"], row["service_category"]] = row["amount"]
        for key, row in variance.items():
            difference = 0 if row["comparator"] == "none" else row["actual_amount"] - row["comparator_amount"]
            assert sum(splits.get(key, {}).values(), Decimal(0)) == difference
        return variance, dict(splits)

    def of_year(self, year: int = 2021) -> tuple[Any, Split]:
        variance, splits = self.built()
        return variance["C1", "year", date(year, 1, 1)], splits.get(("C1", "year", date(year, 1, 1)), {})

    def _frame(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> Any:
        values = [tuple(row.get(name) for name in table.column_names) for row in rows]
        schema = table.schema
        for of_column in schema.fields:
            of_column.nullable = True
        return self.spark.createDataFrame(values, schema)


def _half_up(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def budget_of(kind: str, months: int, year: int = 2021, **categories: tuple[int, int]) -> list[Budget]:
    """A cell's member months, and services and price of each category."""
    return [
        Budget(
            "C1", year, kind, "*", "*", category, Decimal(months), Decimal(services * 12_000) / months, Decimal(price)
        )
        for category, (services, price) in categories.items()
    ]


def shown(split: Split) -> dict[str, str]:
    """What is not 0, as text."""
    return {" ".join(filter(None, key)): str(amount) for key, amount in split.items() if amount}


def published(spark: SparkSession) -> World:
    """The worked example of payment-and-outcomes section 4."""
    world = World(spark)
    world.budget = [
        *budget_of("AGED_NON_DUAL", 900, inpatient=(18, 12_000), professional=(900, 100)),
        *budget_of("ESRD", 100, inpatient=(10, 15_000), professional=(300, 120)),
    ]
    world.group("A", AGED, 880, {"inpatient": (16, 12_500), "professional": (968, 105)})
    world.group("E", ESRD, 140, {"inpatient": (14, 14_000), "professional": (420, 120), "dme": (7, 500)})
    return world


def test_the_worked_example_to_the_cent(spark: SparkSession) -> None:
    row, split = published(spark).of_year()
    assert (row["actual_amount"], row["comparator"]) == (Decimal("551540.00"), "budget")
    assert row["comparator_amount"] == Decimal("492000.00")
    assert split == {
        ("MEMBERSHIP", ""): Decimal("10338.11"),
        ("CELL_MIX", ""): Decimal("55723.14"),
        ("USE", "inpatient"): Decimal("-19823.98"),
        ("USE", "professional"): Decimal("9122.94"),
        ("USE", "dme"): Decimal("2996.90"),
        ("COST_PER_SERVICE", "inpatient"): Decimal("-3489.43"),
        ("COST_PER_SERVICE", "professional"): Decimal("4672.32"),
        ("COST_PER_SERVICE", "dme"): Decimal("0.00"),
    }
    assert sum(split.values()) == Decimal("59540.00")
    assert (row["member_months"], row["allocated_amount"], row["members"]) == (1020, Decimal("510000.00"), 86)
    assert row["deviation_amount"] == Decimal("41540.00")
    assert row["deviation_pmpm"] == pytest.approx(41_540 / 1_020)
    assert (row["network_id"], row["is_small_cell"], row["policy"]) == ("N1", False, "p")


def test_months_add_up_to_their_year_in_every_amount_and_a_month_of_the_budget_is_a_twelfth(
    spark: SparkSession,
) -> None:
    world = published(spark)
    world.budget = [replace(row, cost_per_service=row.cost_per_service + Decimal("0.01")) for row in world.budget]
    variance, splits = world.built()
    of_year = variance["C1", "year", START]
    months = [row for (_, kind, _), row in variance.items() if kind == "month"]
    assert len(months) == 12
    names = (
        "member_months",
        "allocated_amount",
        "posted_amount",
        "actual_amount",
        "deviation_amount",
        "comparator_amount",
    )
    for name in names:
        assert sum(row[name] for row in months) == of_year[name]
    whole = Decimal(492_000) + Decimal("12.28")
    assert of_year["comparator_amount"] == whole
    assert {row["comparator_amount"] - whole / 12 < Decimal("0.01") for row in months} == {True}
    january = splits["C1", "month", START]
    assert sum(january.values()) == Decimal("551540.00") - variance["C1", "month", START]["comparator_amount"]
    assert sum(sum(splits["C1", "month", date(2021, m, 1)].values()) for m in range(1, 13)) == sum(
        splits["C1", "year", START].values()
    )


ZERO_RULES = [
    # 240 months instead of 120, half of them in the cell: 120 x 1/4 and 180 x 1/2, each x 0.05 x $100
    ("cell is new", {"A": (AGED, 120, {}), "E": (ESRD, 120, {"dme": (6, 100)})}, [("AGED_NON_DUAL", 120, {"other": (0, 0)}),
     ("ESRD", 0, {"dme": (0, 0)})], {"MEMBERSHIP": "150.00", "CELL_MIX": "450.00"}),
    ("cell is gone", {"A": (AGED, 120, {})}, [("AGED_NON_DUAL", 120, {"other": (0, 0)}), ("ESRD", 120, {"dme": (6, 100)})],
     {"MEMBERSHIP": "-150.00", "CELL_MIX": "-450.00"}),
    ("category is new", {"A": (AGED, 120, {"dme": (6, 100)})}, [("AGED_NON_DUAL", 120, {"other": (0, 0)})],
     {"USE dme": "600.00"}),
    ("category is gone", {"A": (AGED, 120, {})}, [("AGED_NON_DUAL", 120, {"dme": (6, 100)})], {"USE dme": "-600.00"}),
    ("dollars without services, other has use", {"A": (AGED, 120, {"dme": (0, 0)}), "dollars": "900.00"},
     [("AGED_NON_DUAL", 120, {"dme": (6, 100)})], {"COST_PER_SERVICE dme": "300.00"}),
    ("dollars without services, other has none", {"A": (AGED, 120, {"dme": (0, 0)}), "dollars": "900.00"},
     [("AGED_NON_DUAL", 120, {"dme": (0, 100)})], {"COST_PER_SERVICE dme": "900.00"}),
    ("nobody expected", {"A": (AGED, 120, {"dme": (6, 100)})}, [("AGED_NON_DUAL", 0, {"dme": (0, 7)})],
     {"MEMBERSHIP": "600.00"}),
    ("nobody there", {}, [("AGED_NON_DUAL", 120, {"dme": (6, 100)})], {"MEMBERSHIP": "-600.00"}),
    ("nothing at all", {"A": (AGED, 120, {})}, [("AGED_NON_DUAL", 120, {"dme": (0, 100)})], {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "cells", "expected"), [case[1:] for case in ZERO_RULES], ids=[c[0] for c in ZERO_RULES]
)
def test_what_one_side_lacks(
    spark: SparkSession, groups: dict[str, Any], cells: list[tuple[Any, ...]], expected: dict[str, str]
) -> None:
    world = World(spark)
    dollars = groups.get("dollars")
    for name, told in groups.items():
        if name != "dollars":
            world.group(name, *told)
    if dollars:
        world.costs = [{**row, "counted_amount": Decimal(dollars)} for row in world.costs]
    world.budget = [
        Budget("C1", 2021, kind, "*", "*", category, Decimal(months),
               Decimal(services * 12_000) / months if months else Decimal(99), Decimal(price))
        for kind, months, categories in cells
        for category, (services, price) in categories.items()
    ]  # fmt: skip
    assert shown(world.of_year()[1]) == expected


def test_without_a_budget_the_same_months_a_year_before_are_the_other_side_in_this_years_cells(
    spark: SparkSession,
) -> None:
    """6 months of 2022 at $300 against 6 of 2021 at $200; the rates name ESRD from 2022 on only."""
    esrd = replace(ANYBODY, enrollment_type="ESRD", effective_from=date(2022, 1, 1), rate=Decimal(900))
    world = World(spark, rates=(ANYBODY, esrd), last=date(2022, 6, 1), years=(2021, 2022))
    for month in range(1, 13):
        world.month("A", date(2021, month, 1), ESRD)
        world.cost("A", date(2021, month, 1), "dme", 1, "200")
    for month in range(1, 7):
        world.month("A", date(2022, month, 1), ESRD, rate=esrd)
        world.cost("A", date(2022, month, 1), "dme", 1, "300")
    variance, splits = world.built()
    row, first = variance["C1", "year", date(2022, 1, 1)], variance["C1", "year", START]
    assert (row["comparator"], row["comparator_amount"], row["actual_amount"]) == ("prior_year", 1200, 1800)
    assert shown(splits["C1", "year", date(2022, 1, 1)]) == {"COST_PER_SERVICE dme": "600.00"}
    assert shown(splits["C1", "month", date(2022, 3, 1)]) == {"COST_PER_SERVICE dme": "100.00"}
    assert {cell["cell"] for cell in world.cells if cell["coverage_month"].year == 2022} == {"ESRD x * x *"}
    assert (first["comparator"], first["comparator_amount"]) == ("none", None)
    assert ("C1", "year", START) not in splits
    assert ("C1", "month", date(2022, 7, 1)) not in variance


def test_a_year_without_costs_of_the_policy_has_no_actual_and_no_alert(spark: SparkSession) -> None:
    world = published(spark)
    world.years = (2020,)
    row, split = world.of_year()
    assert [row[name] for name in ("actual_amount", "deviation_amount", "deviation_pmpm", "comparator_amount")] == [
        None
    ] * 4
    assert (row["allocated_amount"], row["comparator"], row["is_alert"], split) == (510_000, "none", False, {})


def test_a_part_of_a_month_has_the_same_part_of_its_services_and_dollars(spark: SparkSession) -> None:
    """10 of 31 days: 0.322581 of $100.01 is $32.26, and of 2 services 0.645162."""
    world = World(spark, budget=budget_of("*", 12, dme=(12, 100)), last=START)
    world.month("A", START, exposure=Decimal("0.322581"))
    world.cost("A", START, "dme", 2, "100.01")
    row, split = world.of_year()
    assert (row["member_months"], row["allocated_amount"]) == (Decimal("0.322581"), Decimal("161.29"))
    assert (row["actual_amount"], row["comparator_amount"]) == (Decimal("32.26"), Decimal("100.00"))
    (told,) = [cell for cell in world.cells if cell["service_category"] == "dme"]
    assert (told["services"], told["amount"]) == (Decimal("0.645162"), Decimal("32.26"))
    assert sum(split.values()) == Decimal("-67.74")


@pytest.mark.parametrize(
    ("dollars", "share", "is_alert"),
    [
        ("525", 0.05, False),
        ("525.01", 0.05, True),
        ("475", 0.05, False),
        ("474.99", 0.05, True),
        ("474.99", 0.2, False),
    ],
)
def test_an_alert_is_a_deviation_above_the_share_of_what_is_allocated_either_way(
    spark: SparkSession, dollars: str, share: float, is_alert: bool
) -> None:
    world = World(spark, alert_share=share)
    world.month("A", START)
    world.cost("A", START, "dme", 1, dollars)
    variance, _ = world.built()
    assert {row["is_alert"] for row in variance.values()} == {is_alert}


def test_what_is_posted_and_kept_back_adds_up_and_a_month_that_is_due_no_more_stands(spark: SparkSession) -> None:
    world = World(spark)
    world.month("A", START)
    world.posted = [("C1", START, Decimal(400)), ("C1", date(2021, 2, 1), Decimal(500))]
    world.unposted = [("C1", START, Decimal(100)), ("C1", date(2021, 2, 1), Decimal(-500))]
    variance, _ = world.built()
    told = {
        (kind, period.month): (
            row["allocated_amount"],
            row["posted_amount"],
            row["unposted_amount"],
            row["member_months"],
        )
        for (_, kind, period), row in variance.items()
    }
    assert told == {("year", 1): (500, 900, -400, 1), ("month", 1): (500, 400, 100, 1), ("month", 2): (0, 500, -500, 0)}


def test_only_what_the_policy_counts_in_total_is_actual_and_truncated_dollars_are_less(spark: SparkSession) -> None:
    world = World(spark, budget=budget_of("*", 12, dme=(12, 100), pharmacy=(12, 1000)))
    world.policy = replace(POLICY, cost=Cost(truncation="supplied"))
    world.month("A", START)
    world.month("B", START)
    world.not_counted = {("B", START)}
    world.cost("A", START, "dme", 1, "300")
    world.cost("A", START, "pharmacy", 1, "999", in_total=False)
    world.cost("B", START, "dme", 0, "0", exclusion_reason="MEDICARE_SECONDARY")
    world.truncated = [
        {"policy": "p", "performance_year": 2021, "member_id": "A", "member_month": START, "service_category": "dme",
         "counted_amount": Decimal(-100)}
    ]  # fmt: skip
    row, split = world.of_year()
    assert (row["actual_amount"], row["comparator_amount"], row["member_months"]) == (200, 1200, 2)
    assert {category for _, category in split} == {"", "dme"}
    assert sum(cell["uncounted_months"] for cell in world.cells) == 1


def test_a_member_is_in_the_most_specific_cell_and_one_whom_no_cell_holds_is_found(spark: SparkSession) -> None:
    world = World(spark)
    for who, cell in (
        ("A", "AGED_DUAL x 70 x F"),
        ("B", "OTHER x 70 x F"),
        ("C", "OTHER x unknown age x M"),
        ("D", ESRD),
    ):
        world.month(who, START, cell)
    row = Budget("C1", 2021, "*", "*", "*", "dme", Decimal(12), Decimal(1000), Decimal(10))
    women = replace(row, sex="F")
    band = replace(row, age_band="65-70")
    dual = replace(row, enrollment_type="AGED_DUAL")
    world.budget = (row, women, band, dual)
    world.built()
    assert {(c["cell"], c["member_months"]) for c in world.cells} == {
        ("AGED_DUAL x * x *", 1), ("* x 65-70 x *", 1), ("* x * x *", 2),
    }  # fmt: skip
    due = world._frame(CAPITATION_DUE, world.due)
    assert without_cell(due, world.budget).collect() == []
    gaps = without_cell(due, (women, band)).collect()
    assert sorted(gap["member_cell"] for gap in gaps) == [ESRD, "OTHER x unknown age x M"]


def test_a_cell_with_two_numbers_of_months_and_two_cells_that_meet_are_errors_that_name_them() -> None:
    row = Budget("C1", 2021, "ESRD", "65-74", "*", "dme", Decimal(12), Decimal(1000), Decimal(10))
    check_budget((row, replace(row, service_category="other"), replace(row, age_band="75+"), replace(row, year=2022)))
    check_budget((row, replace(row, enrollment_type="*", age_band="70+")))
    where = r"^contract_budget: contract C1, cell ESRD x 65-74 x \*, 2021-01: "
    with pytest.raises(InputError, match=f"{where}member_months are 12 of dme and 13 of other; give a cell one number"):
        check_budget((row, replace(row, service_category="other", member_months=Decimal(13))))
    with pytest.raises(InputError, match=rf"{where}overlaps with cell ESRD x 70\+ x \*; cut one of them"):
        check_budget((row, replace(row, age_band="70+")))
    with pytest.raises(InputError, match=f"{where}dme costs more than 1,000,000,000,000 a year; correct the list"):
        check_budget((replace(row, cost_per_service=Decimal("9999999999999999.99")),))


def test_a_contract_of_a_part_of_the_year_is_compared_with_as_many_twelfths_of_the_budget(spark: SparkSession) -> None:
    world = World(
        spark, contracts=(replace(C1, start_date=date(2021, 7, 15)),), budget=budget_of("*", 12, dme=(12, 100))
    )
    world.month("A", date(2021, 8, 1))
    variance, _ = world.built()
    assert variance["C1", "year", START]["comparator_amount"] == 600
    assert sorted(period.month for _, kind, period in variance if kind == "month") == [7, 8, 9, 10, 11, 12]


TYPES, CATEGORIES = ("AGED_NON_DUAL", "ESRD"), ("dme", "inpatient", "other")
Side = tuple[dict[str, Fraction], dict[tuple[str, str], tuple[Fraction, Fraction]]]
"""Member months by cell, services and dollars by cell and category."""


def test_every_split_of_generated_contracts_is_what_plain_python_finds_over_all_orders(spark: SparkSession) -> None:
    """Two years of 150 contracts with a budget, 150 without; years, and months, whose figures are few and often 0."""
    draw = random.Random(4)
    world = World(spark, last=date(2022, 10, 1), years=(2021, 2022))
    contracts, rates, budget = [], [], []
    for n in range(300):
        name = f"C{n:03d}"
        contracts.append(Terms(name, "N", START, OPEN))
        own = [replace(ANYBODY, contract_id=name, rate=Decimal(draw.randint(0, 900)))]
        if draw.random() < 0.5:
            own.append(replace(own[0], enrollment_type="ESRD", effective_from=date(2022, draw.randint(1, 6), 1)))
        rates += own
        if n % 2:
            for cell in draw.choice((("*",), ("*", "ESRD"), TYPES)):
                months = Decimal(draw.choice((0, 3, 11, 12, 30)))
                budget += [
                    Budget(name, 2022, cell, "*", "*", category, months, Decimal(draw.choice((0, 0, 500, 1234))),
                           Decimal(draw.choice((0, 10, 99.99))).quantize(Decimal("0.01")))
                    for category in draw.sample(CATEGORIES, draw.randint(1, 3))
                ]  # fmt: skip
        _draw_members(draw, world, name, own)
    world.contracts, world.rates, world.budget = contracts, rates, budget
    variance, splits = world.built()
    modes = defaultdict(int)
    for key, row in variance.items():
        if row["comparator"] == "none":
            continue
        before, after = _sides(world, key, row["comparator"])
        expected = _split(before, after, row["actual_amount"] - row["comparator_amount"])
        assert splits.get(key, {}) == expected, key
        modes[row["comparator"], row["period_type"]] += bool(expected)
    assert min(modes.values()) > 80
    assert len(modes) == 4


def _draw_members(draw: random.Random, world: World, contract: str, rates: Sequence[Rate]) -> None:
    for n in range(draw.randint(0, 3)):
        who, kind = f"{contract}-{n}", draw.choice(TYPES)
        for year in (2021, 2022):
            for month in draw.sample(range(1, 11), draw.choice((0, 1, 4))):
                at = date(year, month, 1)
                fits = [r for r in rates if r.enrollment_type in ("*", kind) and r.effective_from <= at]
                rate = min(fits, key=lambda r: r.enrollment_type == "*")
                exposure = Decimal(draw.choice(("1", "1", "0.5")))
                world.month(who, at, f"{kind} x 70 x F", contract=contract, rate=rate, exposure=exposure)
                for category in draw.sample(CATEGORIES, draw.randint(0, 2)):
                    dollars = Decimal(draw.choice((0, 1000, draw.randint(1, 99_999)))) / 100
                    world.cost(who, at, category, draw.choice((0, 1, 2, 5)), dollars)


def _sides(world: World, key: tuple[str, str, date], comparator: str) -> tuple[Side, Side]:
    """Comparator and actual of a period, row by row."""
    contract, kind, period = key
    rates = [r for r in world.rates if r.contract_id == contract]
    cells = {b.enrollment_type for b in world.budget if b.contract_id == contract}
    costs = defaultdict(list)
    for row in world.costs:
        costs[row["member_id"], row["member_month"]].append(row)

    def side(of_year: int) -> Side:
        months: dict[str, Fraction] = defaultdict(Fraction)
        found: dict[tuple[str, str], tuple[Fraction, Fraction]] = {}
        for due in world.due:
            at = due["coverage_month"]
            in_period = kind == "year" or at.month == period.month
            if due["contract_id"] != contract or at.year != of_year or not in_period:
                continue
            person = due["member_cell"].split(" x ")[0]
            now = at.replace(year=period.year)
            told = cells if comparator == "budget" else {r.enrollment_type for r in rates if r.effective_from <= now}
            cell = person if person in told else "*"
            exposure = Fraction(due["exposure"])
            months[cell] += exposure
            for cost in costs[due["member_id"], at]:
                services, dollars = found.get((cell, cost["service_category"]), (Fraction(0), Fraction(0)))
                share = _half_up(cost["counted_amount"] * due["exposure"])
                found[cell, cost["service_category"]] = (
                    services + cost["counted_services"] * exposure, dollars + Fraction(share),
                )  # fmt: skip
        return months, found

    if comparator == "prior_year":
        return side(period.year - 1), side(period.year)
    twelfths = Fraction(1 if kind == "month" else 10, 12)
    own = [b for b in world.budget if b.contract_id == contract]
    expected = {b.enrollment_type: Fraction(b.member_months) * twelfths for b in own}
    of_budget = {}
    for b in own:
        services = Fraction(b.services_per_1000) / 12_000 * Fraction(b.member_months) * twelfths
        of_budget[b.enrollment_type, b.service_category] = (services, services * Fraction(b.cost_per_service))
    return (expected, of_budget), side(period.year)


def _split(before: Side, after: Side, difference: Decimal) -> Split:
    """The mean over all 24 orders of what each player moves when its turn comes, term by term; then cents."""
    totals = [sum(side[0].values(), Fraction(0)) for side in (before, after)]
    exact: dict[tuple[str, str], Fraction] = {}
    for cell, category in before[1].keys() | after[1].keys():
        x = [_factors(side, other, total, other_total, cell, category) for side, other, total, other_total in (
            (before, after, *totals), (after, before, *totals[::-1]),
        )]  # fmt: skip
        for player, effect in enumerate(EFFECTS):
            moved = Fraction(0)
            for order in permutations(range(4)):
                first = order[: order.index(player)]
                rest = Fraction(1)
                for other in range(4):
                    if other != player:
                        rest *= x[other in first][other]
                moved += (x[1][player] - x[0][player]) * rest
            key = (effect, "" if player < 2 else category)
            exact[key] = exact.get(key, Fraction(0)) + moved / 24
    split = {key: _cents(amount) for key, amount in exact.items()}
    if split:
        place = {effect: n for n, effect in enumerate(EFFECTS)}
        largest = min(exact, key=lambda key: (-abs(exact[key]), place[key[0]], key[1]))
        split[largest] += difference - sum(split.values())
    return split


def _factors(
    side: Side, other: Side, total: Fraction, other_total: Fraction, cell: str, category: str
) -> list[Fraction]:
    """N, s, u and p of a term on one side, by the rules for what it lacks."""
    none = (Fraction(0), Fraction(0))
    months, of_other = side[0].get(cell, Fraction(0)), other[0].get(cell, Fraction(0))
    services, dollars = side[1].get((cell, category), none)
    other_services, other_dollars = other[1].get((cell, category), none)
    here, there = (part / whole if whole else None for part, whole in ((months, total), (of_other, other_total)))
    share = here if here is not None else there or Fraction(0)
    both = _use_and_price(months, services, dollars, of_other, other_services, other_dollars)
    if not months:
        both = _use_and_price(of_other, other_services, other_dollars, months, services, dollars)
    return [total, share, *both]


def _use_and_price(
    months: Fraction,
    services: Fraction,
    dollars: Fraction,
    of_other: Fraction,
    other: Fraction,
    other_dollars: Fraction,
) -> tuple[Fraction, Fraction]:
    use_of_other = other / of_other if of_other else Fraction(0)
    if not months:
        return Fraction(0), Fraction(0)
    if services:
        return services / months, dollars / services
    if dollars:
        use = use_of_other or Fraction(1)
        return use, dollars / months / use
    if other_dollars and of_other and not other:  # dollars without services over there: use 1 on both sides
        return Fraction(1), Fraction(0)
    return Fraction(0), other_dollars / other if other and of_other else Fraction(0)


def _cents(amount: Fraction) -> Decimal:
    whole = floor(abs(amount) * 100 + Fraction(1, 2))
    return Decimal(whole if amount > 0 else -whole) / 100
