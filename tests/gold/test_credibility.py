"""How much of a panel's own figure to believe, and what is truly different: by hand, and for generated members in plain
Python with exact fractions."""

import itertools
import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from math import sqrt

import pytest

from pmpm_spark.gold.credibility import STANDARD_ERRORS
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM, network_pmpm
from pmpm_spark.gold.physician_pmpm import PHYSICIAN_PMPM, physician_pmpm
from pmpm_spark.gold.practice_pmpm import PRACTICE_PMPM, practice_pmpm
from pmpm_spark.model import NETWORK_ROSTER, PROVIDERS
from pmpm_spark.policy import Policy, Risk
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.table import conform
from tests.tables import frame

FACTORS = "performance_year | normalization_factor\n2021 | 1.0\n2022 | 1.1127651982"
Z = 8 / 9
"""24 months / (24 + 240,000 / 80,000)."""


def people(policy: str, network: str, physician: str, *costs: float, months: float = 12, score: str = "-") -> list[str]:
    """Members of one physician, one for each of the costs."""
    return [
        f"{policy} | 2021 | {policy}-{network}-{physician}-{place} | ESRD | {network} | {physician} | {physician} "
        f"| {months} | {cost:.2f} | 0 | {cost:.2f} | {score}"
        for place, cost in enumerate(costs)
    ]


HEADING = (
    "policy | performance_year | member_id | enrollment_type | network_id | practice_tin | physician_npi "
    "| member_months | paid_amount | in_network_paid_amount | counted_amount | risk_score"
)
NOBODY = "UNATTRIBUTED"
THREE = {"P1": (1200, 3600), "P2": (4800, 7200), "P3": (8400, 10800)}
"""Means of 200, 500 and 800 a month. Each member's year is 1,200 off the panel's mean, so that within =
6 x 1,200^2 / (3 x 12) = 240,000; between = (24 x 300^2 x 2 - 2 x 240,000) / (72 - 3 x 24^2 / 72) = 80,000."""
PANELS = (
    *[row for panel, costs in THREE.items() for row in people("raw", "A", panel, *costs)],
    *people("raw", "A", "P0", 0, months=0),
    *people("raw", "A", NOBODY, 500, 700),
    *people("raw", NOBODY, NOBODY, 900, 100),
    # twice the cost at twice the risk is the same panel
    *people("scored", "A", "P1", 2400, 7200, score="2"),
    *[row for panel in ("P2", "P3") for row in people("scored", "A", panel, *THREE[panel], score="1")],
    *people("scored", "A", "P4", 1200),
    *[row for n, panel in itertools.product("AB", ("P1", "P3")) for row in people("nested", n, panel, *THREE[panel])],
    *people("alike", "A", "P1", 1200, 3600),
    *people("alike", "A", "P2", 1200, 3600),
    *people("alone", "A", "P1", 1200, 3600),
    *people("single", "A", "P1", 1200),
    *people("single", "A", "P2", 3600),
    *people("far", "A", "P1", 12000, *[10800, 13200] * 5),
    *people("far", "A", "P2", *[10800, 13200] * 5),
    *people("far", "A", "P3", *[0, 2400] * 30),
)
SCENARIOS = ("raw", "scored", "nested", "alike", "alone", "single", "far")


def tables_of(spark, years, policies, performance_years=(2021,)):
    factors, means = frame(spark, NORMALIZATION_FACTORS, FACTORS), frame(spark, RISK_MEANS, "source")
    run = {"policies": policies, "performance_years": performance_years}
    networks = network_pmpm(years, frame(spark, NETWORK_ROSTER, "network_id"), factors, means, **run)
    held = spark.createDataFrame(conform(networks, NETWORK_PMPM).collect(), NETWORK_PMPM.schema)
    physicians = physician_pmpm(years, frame(spark, PROVIDERS, "npi"), factors, means, held, **run)
    practices = practice_pmpm(years, factors, means, held, **run)
    return held, conform(physicians, PHYSICIAN_PMPM), conform(practices, PRACTICE_PMPM)


@pytest.fixture(scope="module")
def by_hand(spark):
    years = frame(spark, MEMBER_YEARS, "\n".join([HEADING, *PANELS]))
    _, physicians, _ = tables_of(spark, years, [Policy(name) for name in SCENARIOS])
    return {(row.policy, row.network_id, row.physician_npi): row for row in physicians.collect()}


def near(*values):
    return pytest.approx(values, rel=1e-9)


def told(row):
    return row.credibility, row.credible_adjusted_pmpm, row.reference_pmpm, row.funnel_lower, row.funnel_upper


def test_in_a_year_without_scores_it_is_the_pmpm_that_is_shrunk_to_the_networks_and_that_is_said(by_hand):
    network = 37_200 / 96  # with the members of no physician
    limit = STANDARD_ERRORS * sqrt(240_000 / 24)
    for panel, own in (("P1", 200), ("P2", 500), ("P3", 800)):
        row = by_hand["raw", "A", panel]
        assert (row.within_variance, row.between_variance) == near(240_000, 80_000)
        lower, upper = network - limit, network + limit
        assert told(row) == near(Z, Z * own + (1 - Z) * network, network, lower, upper)
        assert (row.credibility_basis, row.adjusted_pmpm, row.is_outlier) == ("pmpm", None, False)


def test_who_is_no_panel_or_has_no_month_is_told_nothing(by_hand):
    for at in (("A", NOBODY), (NOBODY, NOBODY), ("A", "P0")):
        row = by_hand["raw", *at]
        assert (*told(row), row.is_outlier, row.credibility_basis) == (None,) * 7


def test_a_panel_is_measured_by_its_adjusted_cost_and_one_without_a_score_has_no_figure(by_hand):
    """The network: 42,000 at a mean score of 4/3, over 84 months."""
    row = by_hand["scored", "A", "P1"]
    assert (row.within_variance, row.between_variance) == near(240_000, 80_000)
    assert told(row)[:3] == near(Z, Z * 200 + (1 - Z) * 375, 375)
    assert row.credibility_basis == "adjusted_pmpm"
    assert told(by_hand["scored", "A", "P4"]) == (None,) * 5


def test_panels_differ_from_their_own_networks_mean(by_hand):
    """Between = (4 x 24 x 300^2 - (4 - 2) x 240,000) / (2 x (48 - 2 x 24^2 / 48))."""
    row = by_hand["nested", "B", "P3"]
    assert (row.within_variance, row.between_variance) == near(240_000, 170_000)
    own = 24 / (24 + 24 / 17)
    assert told(row)[:3] == near(own, own * 800 + (1 - own) * 500, 500)


def test_panels_that_differ_no_more_than_by_chance_have_no_credibility(by_hand):
    row = by_hand["alike", "A", "P1"]
    assert (row.within_variance, row.between_variance) == (240_000, 0)
    assert told(row)[:3] == (0, 200, 200)


def test_one_panel_alone_and_panels_of_one_member_tell_no_credibility(by_hand):
    alone = by_hand["alone", "A", "P1"]
    assert (alone.within_variance, alone.between_variance) == (240_000, None)
    assert told(alone)[:3] == (None, None, 200)
    assert (alone.funnel_upper, alone.is_outlier) == (pytest.approx(200 + STANDARD_ERRORS * 100), False)
    for panel in ("P1", "P2"):
        row = by_hand["single", "A", panel]
        assert (row.within_variance, row.between_variance, row.is_outlier) == (None, None, None)
        assert told(row) == (None, None, 200, None, None)


def test_outside_the_limits_is_different_from_eleven_members_on(by_hand):
    """80 members 1,200 off their mean: within = 80 x 1,200^2 / (12 x 78); the network's 27,000 dollars over 81 x 12."""
    within, network = 80 * 1200**2 / (12 * 78), (21 * 12_000 + 60 * 1200) / (81 * 12)
    for panel, members, is_outlier in (("P1", 11, True), ("P2", 10, False), ("P3", 60, True)):
        row = by_hand["far", "A", panel]
        limit = STANDARD_ERRORS * sqrt(within / (12 * members))
        assert told(row)[2:] == near(network, network - limit, network + limit)
        assert not row.funnel_lower <= row.pmpm <= row.funnel_upper
        assert (row.members, row.is_outlier) == (members, is_outlier)


# --- many members, in plain Python ---

YEARS = (2021, 2022)
POLICIES = (Policy("p"), Policy("q", risk=Risk(weighting="member_months")))


def generated() -> list[dict]:
    """Members of practices that differ, some of two enrollment types, a fraction of a month or without a score."""
    draw = random.Random(41)
    rows = []
    for year, number in itertools.product(YEARS, range(1200)):
        network = draw.choice(("A", "B", "C", NOBODY))
        practice = (
            NOBODY if network == NOBODY or draw.random() < 0.05 else f"{network}{draw.choice((1, 1, 1, 2, 2, 3, 4, 5))}"
        )
        dear = {"A1": 0.4, "B2": 2.5, "C1": 1.5}.get(practice, 1.0)
        score = None if draw.random() < 0.1 else Decimal(draw.randint(300_000, 3_000_000)) / 1_000_000
        for kind in draw.sample(("ESRD", "AGED_DUAL"), draw.choice((1, 1, 1, 2))):
            months = Decimal(draw.choice((12_000_000, 12_000_000, draw.randint(1, 12_000_000)))) / 1_000_000
            cost = Decimal(round(draw.lognormvariate(6, 1.2) * float(months) * dear * 100)) / 100
            rows.append(
                {
                    "performance_year": year,
                    "member_id": f"m{number}",
                    "enrollment_type": kind,
                    "network_id": network,
                    "practice_tin": practice,
                    "physician_npi": practice,
                    "member_months": months,
                    "paid_amount": cost,
                    "counted_amount": cost,
                    "in_network_paid_amount": Decimal(0),
                    "risk_score": score,
                }
            )
    return rows


def figures(
    rows: list[dict], by_months: bool, factor: Fraction
) -> tuple[list[tuple[Fraction, Fraction]], Fraction | None]:
    """Dollars and months of each member, and the normalized risk."""
    members = defaultdict(list)
    for row in rows:
        members[row["member_id"]].append(row)
    parts, scores = [], []
    for of in members.values():
        months = sum(Fraction(row["member_months"]) for row in of)
        parts.append((sum(Fraction(row["counted_amount"]) for row in of), months))
        if of[0]["risk_score"] is not None:
            scores.append((Fraction(of[0]["risk_score"]), months if by_months else Fraction(1)))
    weight = sum(w for _, w in scores)
    return parts, sum(s * w for s, w in scores) / weight / factor if scores else None


def expected(rows: list[dict], policy: Policy, factor: Fraction) -> dict:
    """Columns by network and practice, by the formulas of Bühlmann and Straub, member by member."""
    by_months = policy.risk.weighting == "member_months"
    groups, networks = defaultdict(list), defaultdict(list)
    for row in rows:
        networks[row["network_id"]].append(row)
        if row["practice_tin"] != NOBODY:
            groups[row["network_id"], row["practice_tin"]].append(row)
    panels, of_network = {}, defaultdict(list)
    squares = free = Fraction(0)
    for key, of in groups.items():
        parts, risk = figures(of, by_months, factor)
        dollars, months = (sum(part[place] for part in parts) for place in (0, 1))
        squares += sum(((x - m * dollars / months) / risk) ** 2 for x, m in parts)
        free += months - sum(m * m for _, m in parts) / months
        panels[key] = (dollars / risk / months, months, len(parts))
        of_network[key[0]].append(key)
    within = squares / free
    spread, free = -within * (len(panels) - len(of_network)), Fraction(0)
    for keys in of_network.values():
        months = sum(panels[key][1] for key in keys)
        mean = sum(panels[key][0] * panels[key][1] for key in keys) / months
        spread += sum(panels[key][1] * (panels[key][0] - mean) ** 2 for key in keys)
        free += months - sum(panels[key][1] ** 2 for key in keys) / months
    between = max(spread / free, Fraction(0))
    found = {}
    for (network, practice), (own, months, members) in panels.items():
        parts, risk = figures(networks[network], by_months, factor)
        reference = sum(x for x, _ in parts) / risk / sum(m for _, m in parts)
        weight = months / (months + within / between)
        limit = STANDARD_ERRORS * sqrt(within / months)
        is_outlier = members >= 11 and abs(own - reference) > limit
        credible = weight * own + (1 - weight) * reference
        told = (
            weight,
            credible,
            reference,
            max(float(reference) - limit, 0),
            float(reference) + limit,
            within,
            between,
        )
        found[network, practice] = ([float(value) for value in told], is_outlier)
    return found


def test_every_panel_is_as_recomputed_member_by_member_whatever_the_order_of_the_rows(spark, tmp_path):
    rows = generated()
    written = [
        tuple({**row, "policy": p.name}.get(name) for name in MEMBER_YEARS.column_names)
        for p in POLICIES
        for row in rows
    ]
    tables = []
    for place, ordered in enumerate((written, random.Random(2).sample(written, len(written)))):
        path = str(tmp_path / f"years-{place}")
        spark.createDataFrame(ordered, MEMBER_YEARS.schema).write.parquet(path)
        _, physicians, practices = tables_of(spark, spark.read.parquet(path), POLICIES, YEARS)
        tables.append([{tuple(row[:4]): row for row in table.collect()} for table in (physicians, practices)])
    assert tables[0] == tables[1]
    physicians, practices = tables[0]
    outliers = set()
    for policy, year in itertools.product(POLICIES, YEARS):
        factor = Fraction(1) if year == 2021 else Fraction("1.1127651982")
        hand = expected([row for row in rows if row["performance_year"] == year], policy, factor)
        for table in (physicians, practices):
            found = {k[2:]: row for k, row in table.items() if k[:2] == (policy.name, year) and NOBODY not in k}
            assert set(found) == set(hand)
            for key, row in found.items():
                values = [*told(row), row.within_variance, row.between_variance]
                assert values == pytest.approx(hand[key][0], rel=1e-5)
                assert row.is_outlier == hand[key][1]
                outliers.add(row.is_outlier)
    assert outliers == {True, False}
    assert all(row.credibility is None for key, row in practices.items() if NOBODY in key)
