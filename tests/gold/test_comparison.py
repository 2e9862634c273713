"""Two networks compared: by hand, and for generated members against plain Python and NumPy."""

import math
import random
from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql import functions as F

from pmpm_spark.gold import bootstrap
from pmpm_spark.gold.bootstrap import GROUPS, POISSON_LIMITS, REPLICATES, drawn_number, drawn_units, poisson
from pmpm_spark.gold.network_comparison import ALL_OTHERS, NETWORK_COMPARISON, network_comparison
from pmpm_spark.gold.network_comparison_parts import NETWORK_COMPARISON_PARTS, network_comparison_parts
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM, network_pmpm
from pmpm_spark.gold.network_replicates import NETWORK_REPLICATES, network_replicates
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.policy import Policy, Risk
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.table import conform
from tests.tables import frame

PINNED = [2, 0, 1, 1, 2, 2, 1, 0, 3, 2, 1, 1, 2, 0, 2, 1, 2, 0, 1, 0]
"""How often one member counts in the first replicates."""
PLAIN, WEIGHTED = Policy("plain"), Policy("weighted", risk=Risk(weighting="member_months", normalization="population"))
POLICIES = (PLAIN, WEIGHTED)
COLUMNS = (
    "policy",
    "performance_year",
    "member_id",
    "enrollment_type",
    "network_id",
    "member_months",
    "counted_amount",
)


def years_of(spark, rows):
    """Member years of (policy, year, member, type, network, months, dollars, score)."""
    names = (*COLUMNS, "risk_score")
    filled = [{**dict.fromkeys(MEMBER_YEARS.column_names), **dict(zip(names, row, strict=True))} for row in rows]
    for row in filled:
        row.update(paid_amount=row["counted_amount"], in_network_paid_amount=Decimal(0))
    return spark.createDataFrame([tuple(r[n] for n in MEMBER_YEARS.column_names) for r in filled], MEMBER_YEARS.schema)


def compared(spark, rows, years, policies=POLICIES):
    """The comparison of member years, and what it is made from."""
    of_members = years_of(spark, rows)
    factors = frame(
        spark,
        NORMALIZATION_FACTORS,
        "performance_year | normalization_factor\n" + "\n".join(f"{y} | 1.1" for y in years),
    )
    empty = frame(spark, NETWORK_ROSTER, "network_id"), frame(spark, RISK_MEANS, "performance_year")
    asked = {"policies": policies, "performance_years": years}
    networks = conform(network_pmpm(of_members, empty[0], factors, empty[1], **asked), NETWORK_PMPM)
    of_networks = conform(network_replicates(of_members, networks, **asked), NETWORK_REPLICATES)
    replicates = spark.createDataFrame(of_networks.collect(), NETWORK_REPLICATES.schema)
    pairs = conform(network_comparison(replicates, **asked), NETWORK_COMPARISON)
    return of_members, networks, replicates, spark.createDataFrame(pairs.collect(), NETWORK_COMPARISON.schema)


def by_pair(comparison):
    return {(r.policy, r.performance_year, r.network_id, r.other_network_id): r for r in comparison.collect()}


def twelve(network, *dollars):
    """Twelve members of a month each, without a score."""
    return [
        ("plain", 2021, f"{network}{n}", "ESRD", network, Decimal(1), Decimal(dollars[n % len(dollars)]), None)
        for n in range(12)
    ]


def test_figures_all_others_and_the_delta_method_by_hand(spark):
    rows = [*twelve("A", 100, 300), *twelve("B", 200), *twelve("C", 500)[:3], *twelve("UNATTRIBUTED", 9999)]
    found = by_pair(compared(spark, rows, (2021,), (PLAIN,))[3])
    pairs = {(one, other): row for (_, _, one, other), row in found.items()}
    assert set(pairs) == {("A", "B"), ("A", "C"), ("B", "C"), *[(one, ALL_OTHERS) for one in "ABC"]}
    of_two = pairs["A", "B"]
    assert (of_two.members, of_two.other_members, of_two.figure, of_two.other_figure) == (12, 12, 200, 200)
    assert (of_two.is_adjusted, of_two.difference, of_two.replicates) == (False, 0, REPLICATES)
    # each member is 100 off the mean of 12: 12 x (100 / 12)^2 x 12 / 11
    away = 1.959963984540054 * math.sqrt(12 * (100 / 12) ** 2 * 12 / 11)
    assert [of_two.delta_low, of_two.delta_high] == pytest.approx([-away, away])
    assert of_two.other_figure_low == of_two.other_figure_high == 200, (
        "who all cost the same, cost the same if drawn anew"
    )
    assert of_two.difference_low < -30 and of_two.difference_high > 30 and of_two.p_value > 0.5
    # 12 x 200 + 3 x 500 in 15 months
    others = pairs["A", ALL_OTHERS]
    assert (others.other_members, others.other_member_months, others.other_figure) == (15, 15, 260)
    assert others.difference == -60
    small = pairs["A", "C"]
    assert small.is_small_cell and (small.difference, small.replicates) == (-300, 0)
    assert {small.difference_low, small.p_value, small.delta_high, small.figure_low} == {None}


def drawn_rows(seed, sizes, years, policies=POLICIES):
    """Heavy-tailed dollars, some without score or dollars; some of two enrollment types."""
    draw = random.Random(seed)
    rows = []
    for year in years:
        for network, size in sizes.items():
            for number in range(size):
                member = f"{network}-{number}"
                score = None if draw.random() < 0.1 else Decimal(draw.randint(300_000, 3_000_000)) / 1_000_000
                kinds = draw.choice((("AGED_NON_DUAL",), ("DISABLED",), ("AGED_NON_DUAL", "ESRD")))
                for policy in policies:
                    for kind in kinds:
                        dollars = (
                            Decimal(int(draw.lognormvariate(8, 1.5) * 100)) / 100 if draw.random() < 0.8 else Decimal(0)
                        )
                        months = Decimal(draw.choice((6, 12))) / len(kinds)
                        rows.append((policy.name, year, member, kind, network, months, dollars, score))
    return rows


def test_every_interval_is_that_of_numpy_with_the_same_weights(spark):
    years, sizes = (2021, 2022), {"A": 40, "B": 25, "C": 12, "UNATTRIBUTED": 5}
    rows = drawn_rows(1, sizes, years)
    _, networks, _, comparison = compared(spark, rows, years)
    weights = weights_of(spark, sorted({row[2] for row in rows if row[4] != "UNATTRIBUTED"}))
    gold = {(r.policy, r.performance_year, r.network_id): r for r in networks.collect()}
    found = by_pair(comparison)
    assert len(found) == len(POLICIES) * len(years) * 6
    people = {}
    for policy, year, member, _, network, months, dollars, score in rows:
        of = people.setdefault((policy, year, network), {}).setdefault(member, [0, 0, None])
        of[0], of[1], of[2] = of[0] + dollars, of[1] + months, score
    for (policy, year, network, other), row in found.items():
        sides = []
        for names in ([network], [n for n in "ABC" if n != network] if other == ALL_OTHERS else [other]):
            own = [
                (member, float(dollars), float(months), score, gold[policy, year, name])
                for name in names
                for member, (dollars, months, score) in people[policy, year, name].items()
            ]
            times = np.array([weights[member] for member, *_ in own], dtype=float)
            dollars, months = (np.array([one[k] for one in own]) for k in (1, 2))
            of_each = months if policy == "weighted" else np.ones(len(own))
            weight = of_each * np.array([one[3] is not None for one in own])
            score = weight * np.array(
                [float(one[3] or 0) * one[4].normalized_risk_score / one[4].risk_score for one in own]
            )
            sums = [(values @ times, values.sum()) for values in (dollars, months, score, weight)]
            drawn, observed = (c / m / (s / w) for c, m, s, w in zip(*sums, strict=True))
            share = dollars / sums[0][1] - months / sums[1][1] - score / sums[2][1] + weight / sums[3][1]
            sides.append((drawn, observed, observed**2 * (share**2).sum() * len(own) / (len(own) - 1), len(own)))
        (own, figure, spread, members), (others, other_figure, other_spread, other_members) = sides
        apart, own, others = (np.sort(of[~np.isnan(of)]) for of in (own - others, own, others))
        assert (row.members, row.other_members) == (members, other_members)
        told = [row.figure, row.other_figure, row.difference, row.difference_low, row.difference_high]
        assert told == pytest.approx(
            [figure, other_figure, figure - other_figure, limit(apart), limit(apart, -1)], rel=1e-6
        )
        assert [row.figure_low, row.other_figure_high] == pytest.approx([limit(own), limit(others, -1)], rel=1e-6)
        tails = min((apart <= 0).sum(), (apart >= 0).sum())
        assert row.p_value == pytest.approx(min(1, 2 * (tails + 1) / (len(apart) + 1)))
        away = 1.959963984540054 * math.sqrt(spread + other_spread)
        assert [row.delta_low, row.delta_high] == pytest.approx(
            [figure - other_figure - away, figure - other_figure + away], rel=1e-6
        )
        if other != ALL_OTHERS:
            adjusted = [gold[policy, year, n].adjusted_pmpm for n in (network, other)]
            assert [row.figure, row.other_figure] == pytest.approx(adjusted, rel=1e-7)


def limit(ordered, sign=1):
    """The 26th of 1,039 from either end; where nobody scored is drawn there is no figure."""
    place = math.floor((len(ordered) + 1) * 0.025)
    return ordered[place - 1 if sign > 0 else -place]


def weights_of(spark, units):
    """How often each member counts, replicate by replicate."""
    rows = spark.createDataFrame([(unit,) for unit in units], "unit string")
    places = F.sequence(F.lit(1), F.lit(REPLICATES))
    drawn = rows.select(
        F.col("unit").alias("name"), F.xxhash64("unit").alias("unit"), F.explode(places).alias("replicate")
    )
    drawn = drawn.select(F.col("name").alias("unit"), "replicate", poisson(drawn_number()).alias("times"))
    gathered = drawn.groupBy("unit").agg(F.array_sort(F.collect_list(F.struct("replicate", "times"))).alias("drawn"))
    return {row["unit"]: row["times"] for row in gathered.select("unit", F.col("drawn.times").alias("times")).collect()}


def test_weights_are_poisson_distributed_apart_from_each_other_and_the_same_wherever_they_are_made(spark):
    weights = weights_of(spark, [f"m{n}" for n in range(200)])
    assert weights["m0"][:20] == PINNED
    drawn = np.array([weights[f"m{n}"] for n in range(200)])
    shares = [(drawn == times).mean() for times in range(4)]
    assert shares == pytest.approx([math.exp(-1), math.exp(-1), math.exp(-1) / 2, math.exp(-1) / 6], abs=0.004)
    assert (drawn.mean(), drawn.var()) == pytest.approx((1, 1), abs=0.01)
    for between in (np.corrcoef(drawn), np.corrcoef(drawn.T)):
        apart = between[~np.eye(len(between), dtype=bool)]
        assert abs(apart.mean()) < 0.01
        assert apart.std() == pytest.approx(1 / math.sqrt(drawn.size / len(between)), rel=0.1)
    assert list(POISSON_LIMITS) == sorted(POISSON_LIMITS) and POISSON_LIMITS[0] == round(2**32 / math.e)


def test_the_answer_is_the_same_on_any_partitioning(spark):
    years, sizes = (2021,), {"A": 20, "B": 15}
    rows = drawn_rows(2, sizes, years, (PLAIN,))
    found = [
        sorted(map(tuple, compared(spark, some, years, (PLAIN,))[2].collect()))
        for some in (rows, random.Random(3).sample(rows, len(rows)))
    ]
    assert found[0] == found[1]


def test_a_large_network_is_drawn_in_groups_that_vary_as_its_members_do(spark, monkeypatch):
    monkeypatch.setattr(bootstrap, "GROUPS", 128)
    rows = drawn_rows(4, {"A": 900, "B": 100}, (2021,), (PLAIN,))
    of_members, networks, _, comparison = compared(spark, rows, (2021,), (PLAIN,))
    panels = networks.withColumn("panel", F.col("network_id"))
    drawn = (
        drawn_units(of_members, panels, ("network_id",), (PLAIN,)).groupBy("at").agg(F.count(F.lit(1)).alias("units"))
    )
    assert sorted(row["units"] for row in drawn.collect()) == [100, 128]
    in_groups = by_pair(comparison)["plain", 2021, "A", "B"]
    monkeypatch.setattr(bootstrap, "GROUPS", GROUPS)
    by_member = by_pair(compared(spark, rows, (2021,), (PLAIN,))[3])["plain", 2021, "A", "B"]
    assert in_groups.difference == pytest.approx(by_member.difference, rel=1e-9)
    for low, high in (
        ("figure_low", "figure_high"),
        ("difference_low", "difference_high"),
        ("delta_low", "delta_high"),
    ):
        widths = [row[high] - row[low] for row in (in_groups, by_member)]
        assert widths[0] == pytest.approx(widths[1], rel=0.25)


def test_about_one_interval_in_twenty_misses_the_difference_that_there_is(spark):
    """200 splits of drawn people by chance, each a year: without a difference, and with one of half the cost."""
    splits, of_half = 200, 30
    draw = np.random.default_rng(5)
    costs = np.exp(draw.normal(0, 1.2, (splits, 2 * of_half))) * 1000
    truth = costs.mean(axis=1) / 12 * 0.5
    policies = (Policy("equal"), Policy("dearer"))
    rows = []
    for split in range(splits):
        for place, member in enumerate(draw.permutation(2 * of_half)):
            for policy in policies:
                times = 1.5 if policy.name == "dearer" and place < of_half else 1.0
                dollars = Decimal(round(costs[split, member] * times * 100)) / 100
                network = "A" if place < of_half else "B"
                rows.append((policy.name, split, f"{split}-{member}", "ESRD", network, Decimal(12), dollars, None))
    found = by_pair(compared(spark, rows, range(splits), policies)[3])
    for policy in policies:
        pairs = [found[policy.name, split, "A", "B"] for split in range(splits)]
        told = truth if policy.name == "dearer" else np.zeros(splits)
        for kind in ("difference", "delta"):
            missed = sum(not row[f"{kind}_low"] <= t <= row[f"{kind}_high"] for row, t in zip(pairs, told, strict=True))
            assert 3 <= missed <= 22, (policy.name, kind, missed)
        if policy.name == "equal":
            assert 3 <= sum(row.p_value < 0.05 for row in pairs) <= 22


def test_the_parts_of_a_difference_and_of_that_to_all_others_add_up_to_it(spark):
    """A and B of one type, C of another; one stay a member and month, of 100, 300 and 500 dollars; B has drugs beside it."""
    people = [("A", 100, "AGED_NON_DUAL"), ("B", 300, "AGED_NON_DUAL"), ("C", 500, "ESRD")]
    rows = [
        ("plain", 2021, f"{n}{place}", kind, n, Decimal(1), Decimal(dollars + (60 if n == "B" else 0)), None)
        for n, dollars, kind in people
        for place in range(12)
    ]
    of_members, _, _, comparison = compared(spark, rows, (2021,), (PLAIN,))
    head = (
        "policy | performance_year | member_id | member_month | network_id | enrollment_type | service_category | in_total "
        "| counted_services | counted_amount\n"
    )
    lines = [
        f"plain | 2021 | {n}{place} | 2021-01-01 | {n} | {kind} | inpatient | true | 1 | {dollars}"
        for n, dollars, kind in people
        for place in range(12)
    ]
    lines += [f"plain | 2021 | B{n} | 2021-01-01 | B | AGED_NON_DUAL | pharmacy | true | 2 | 60" for n in range(12)]
    costs = frame(spark, MEMBER_MONTH_COSTS, head + "\n".join(lines))
    truncated = frame(spark, TRUNCATED_COSTS, "policy")
    split = network_comparison_parts(
        comparison, of_members, costs, truncated, policies=(PLAIN,), performance_years=(2021,)
    )
    found = {}
    for row in conform(split, NETWORK_COMPARISON_PARTS).collect():
        of = found.setdefault((row.network_id, row.other_network_id), {})
        of[row.part, row.service_category] = row.amount
    # A less B: a stay costs 200 less, and there are no drugs: all of the 60 is use
    assert {at: amount for at, amount in found["A", "B"].items() if amount} == {
        ("COST_PER_SERVICE", "inpatient"): Decimal("-200.00"),
        ("USE", "pharmacy"): Decimal("-60.00"),
    }
    # A less C: all that differs are the types of the members
    assert {at: amount for at, amount in found["A", "C"].items() if amount} == {
        ("ENROLLMENT_MIX", ""): Decimal("-400.00")
    }
    pairs = by_pair(comparison)
    assert {(one, other) for _, _, one, other in pairs} == set(found)
    assert pairs["plain", 2021, "A", ALL_OTHERS].difference == pytest.approx(100 - (300 + 60 + 500) / 2)
    for (_, _, one, other), row in pairs.items():
        assert float(sum(found[one, other].values())) == pytest.approx(row.difference, abs=0.005)
