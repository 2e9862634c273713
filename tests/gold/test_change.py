"""Why a network's PMPM is another one than a year before: exactly additive, free of order, by the rules for what is missing."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest

from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_pmpm_change import NETWORK_PMPM_CHANGE, network_pmpm_change
from pmpm_spark.policy import Policy
from pmpm_spark.shapley import shares
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.table import conform
from tests.tables import frame

Side = tuple[Fraction | None, dict[str, int], dict[tuple[str, str], tuple[int, Decimal]]]
"""Normalized risk, member months by type, services and dollars by type and category."""


def change(spark, networks: dict[str, tuple[Side, Side]]) -> dict[str, dict[tuple[str, str], Decimal]]:
    """Amounts by part and category, of 2021 and 2022 of each network; every cost in two rows, part of it truncated."""
    told: dict[str, list[dict]] = defaultdict(list)
    for network, sides in networks.items():
        for year, (risk, months, costs) in zip((2021, 2022), sides, strict=True):
            at = {"policy": "p", "performance_year": year, "network_id": network}
            total = sum(months.values())
            spent = sum((amount for _, amount in costs.values()), Decimal(0))
            if total:
                told["networks"].append({
                    **at, "member_months": Decimal(total), "pmpm": float(spent) / total, "is_small_cell": False,
                    "normalized_risk_score": None if risk is None else float(risk),
                })  # fmt: skip
            told["years"] += [
                {**at, "enrollment_type": kind, "member_id": "m", "member_months": Decimal(number)}
                for kind, number in months.items()
            ]
            for (kind, category), (services, amount) in costs.items():
                row = {**at, "enrollment_type": kind, "service_category": category, "in_total": True}
                told["costs"] += [
                    {**row, "counted_services": services, "counted_amount": amount + 7},
                    {**row, "counted_services": 99, "counted_amount": Decimal(99), "in_total": False},
                ]
                told["truncated"].append({**row, "counted_amount": Decimal(-7)})
    tables = {
        "networks": NETWORK_PMPM,
        "years": MEMBER_YEARS,
        "costs": MEMBER_MONTH_COSTS,
        "truncated": TRUNCATED_COSTS,
    }
    frames = [
        spark.createDataFrame(
            [tuple(row.get(c.name) for c in table.columns) for row in told[name]],
            frame(spark, table, table.column_names[0]).schema,
        )
        for name, table in tables.items()
    ]
    rows = network_pmpm_change(*frames, policies=[Policy("p")], performance_years=[2021, 2022])
    found: dict[str, dict[tuple[str, str], Decimal]] = defaultdict(dict)
    for row in conform(rows, NETWORK_PMPM_CHANGE).collect():
        assert row["performance_year"] == 2022
        assert (row["part"], row["service_category"]) not in found[row["network_id"]]
        found[row["network_id"]][row["part"], row["service_category"]] = row["amount"]
    return found


def published() -> tuple[Side, Side]:
    """Payment and outcomes, section 7, as 10,000 member months of each side."""

    def side(risk, esrd, use_of_aged, prices_of_aged):
        aged = 10_000 - esrd
        costs = {}
        for kind, months, uses, prices in (
            ("AGED_NON_DUAL", aged, use_of_aged, prices_of_aged),
            ("ESRD", esrd, ("0.1", "3"), (15_000, 250)),
        ):
            for category, use, price in zip(("inpatient", "professional"), uses, prices, strict=True):
                services = int(months * Decimal(use))
                costs[kind, category] = (services, Decimal(services * price))
        return Fraction(risk), {"AGED_NON_DUAL": aged, "ESRD": esrd}, costs

    return side("1", 1_000, ("0.020", "1.0"), (12_000, 200)), side("1.1", 2_000, ("0.018", "1.2"), (12_500, 190))


def test_the_worked_examples_to_the_cent_and_the_other_way_round_every_sign_changes(spark):
    """The second is domain 5.7's: 250 and 240 admissions of 10,000 and 10,500 dollars in 12,000 member months."""
    a, b = published()
    toy = [
        (None, {"OTHER": 12_000}, {("OTHER", "inpatient"): (250, Decimal(2_500_000))}),
        (None, {"OTHER": 12_000}, {("OTHER", "inpatient"): (240, Decimal(2_520_000))}),
    ]
    found = change(spark, {"A": (a, b), "back": (b, a), "toy": (toy[0], toy[1])})
    expected = {
        ("ENROLLMENT_MIX", ""): "172.11",
        ("RISK", ""): "-65.21",
        ("USE", "inpatient"): "-19.88",
        ("USE", "professional"): "31.70",
        ("COST_PER_SERVICE", "inpatient"): "7.73",
        ("COST_PER_SERVICE", "professional"): "-8.90",
    }
    assert found["A"] == {at: Decimal(amount) for at, amount in expected.items()}
    assert sum(found["A"].values()) == Decimal("117.55")
    assert found["back"] == {at: -amount for at, amount in found["A"].items()}
    assert found["toy"] == {
        ("ENROLLMENT_MIX", ""): 0,
        ("RISK", ""): 0,
        ("USE", "inpatient"): Decimal("-8.54"),
        ("COST_PER_SERVICE", "inpatient"): Decimal("10.21"),
    }


def test_what_one_side_lacks_is_mix_or_use_and_dollars_without_services_are_price(spark):
    one = {"OTHER": 100}
    stay = {("OTHER", "inpatient"): (2, Decimal(500))}
    empty: Side = (None, one, {})
    found = change(
        spark,
        {
            "new category": ((None, one, {}), (None, one, stay)),
            "new type": (
                (None, one, stay),
                (None, {"OTHER": 100, "ESRD": 100}, {**stay, ("ESRD", "dme"): (5, Decimal(1000))}),
            ),
            "no services": (empty, (None, one, {("OTHER", "dme"): (0, Decimal(300))})),
            "none counted now": ((None, one, stay), (None, one, {("OTHER", "inpatient"): (0, Decimal(900))})),
            "first year": ((None, {}, {}), (None, one, stay)),
        },
    )
    moved = {network: {at: a for at, a in parts.items() if a} for network, parts in found.items()}
    assert moved == {
        "new category": {("USE", "inpatient"): 5},
        "new type": {("ENROLLMENT_MIX", ""): Decimal("2.50")},
        "no services": {("COST_PER_SERVICE", "dme"): 3},
        "none counted now": {("COST_PER_SERVICE", "inpatient"): 4},
    }


KINDS, CATEGORIES = ("AGED", "ESRD", "OTHER"), ("dme", "inpatient", "professional")


def drawn(draw: random.Random) -> Side:
    months = {kind: draw.randint(1, 4000) for kind in KINDS if draw.random() < 0.8} or {"AGED": 5}
    costs = {}
    for kind in months:
        for category in CATEGORIES:
            if draw.random() < 0.75:
                services = draw.randint(0, 900) * (draw.random() < 0.9)
                costs[kind, category] = (services, Decimal(draw.randint(0, 50_000_000)) / 100 * (draw.random() < 0.95))
    risk = Fraction(draw.randint(500, 2000), 1000) if draw.random() < 0.9 else None
    return risk, months, costs


def in_fractions(sides: tuple[Side, Side]) -> dict[tuple[str, str], Fraction]:
    """Each change's mean over all orders, of the whole sum: 16 figures for each kind of factor moved or not."""
    is_adjusted = all(risk is not None for risk, _, _ in sides)
    lift = [1 / side[0] if is_adjusted else Fraction(1) for side in sides]
    total = [sum(side[1].values()) for side in sides]
    parts: dict[tuple[str, str], Fraction] = defaultdict(
        Fraction, {("ENROLLMENT_MIX", ""): Fraction(0), ("RISK", ""): Fraction(0)}
    )
    cells = {cell for _, _, costs in sides for cell in costs}
    for kind, category in sorted(cells):
        months = [side[1].get(kind, 0) for side in sides]
        services, dollars = zip(*[side[2].get((kind, category), (0, Decimal(0))) for side in sides], strict=True)
        share = [Fraction(m, t) for m, t in zip(months, total, strict=True)]
        use: list[Fraction | None] = [None, None]
        price: list[Fraction | None] = [None, None]
        for s in (0, 1):
            if months[s] and services[s]:
                use[s] = Fraction(services[s], months[s])
                price[s] = Fraction(dollars[s]) / services[s]
        for s in (0, 1):
            if months[s] and not services[s] and dollars[s]:
                use[s] = use[1 - s] or Fraction(1)
                price[s] = Fraction(dollars[s]) / months[s] / use[s]
                if use[1 - s] is None and months[1 - s] and not dollars[1 - s]:
                    use[1 - s], price[1 - s] = Fraction(1), Fraction(0)
        for s in (0, 1):
            if not months[s]:
                use[s], price[s] = use[1 - s], price[1 - s]
            elif use[s] is None:
                use[s], price[s] = Fraction(0), price[1 - s]
        pairs = [share, [u or Fraction(0) for u in use], [p or Fraction(0) for p in price], lift]
        values = []
        for made in range(16):
            value = Fraction(1)
            for bit, pair in enumerate(pairs):
                value *= pair[bool(made & 1 << bit)]
            values.append(value)
        of_cell = shares(values)
        for at, moved in zip(
            (("ENROLLMENT_MIX", ""), ("USE", category), ("COST_PER_SERVICE", category), ("RISK", "")),
            of_cell,
            strict=True,
        ):
            parts[at] += moved
    return parts


def test_generated_changes_are_shapley_values_in_fractions_and_add_up_to_the_difference_to_the_cent(spark):
    draw = random.Random(8)
    networks = {f"n{at}": (drawn(draw), drawn(draw)) for at in range(150)}
    found = change(spark, networks)
    moved = 0
    for network, sides in networks.items():
        expected = in_fractions(sides)
        if len(expected) == 2:
            continue
        got = found[network]
        assert set(got) == set(expected)
        off = {at: abs(float(got[at]) - float(expected[at])) for at in expected}
        assert sum(miss > 0.00501 for miss in off.values()) <= 1, "one part has what rounding leaves"
        assert max(off.values()) <= 0.005 * (len(off) + 1)
        largest = max(expected, key=lambda at: abs(expected[at]))
        assert all(miss < 0.00501 for at, miss in off.items() if at != largest)
        total = float(sum(expected.values()))
        assert float(sum(got.values())) == pytest.approx(total, abs=0.00501)
        moved += off[largest] > 0.00501
    assert moved > 10
