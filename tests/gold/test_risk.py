"""Risk of networks and practices under every kind of normalization, for a thousand generated members, and recomputed in
plain Python with exact fractions."""

import itertools
import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial

import pytest

from pmpm_spark.gold.pmpm import pmpm_by
from pmpm_spark.policy import Policy, Risk
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from tests.tables import frame

YEARS = (2021, 2022)
TYPES = ("ESRD", "DISABLED", "AGED_DUAL", "AGED_NON_DUAL")
FACTORS = {2021: "0.9472285591", 2022: "1.1127651982"}
MEANS = {(year, kind): f"1.{place}{year % 10}" for year in YEARS for place, kind in enumerate((*TYPES, "ALL"))}
KINDS = [
    (weighting, normalization, by_type, cap)
    for weighting, normalization, by_type, cap in itertools.product(
        ("members", "member_months"), ("table", "population", "supplied"), (False, True), ("none", "both")
    )
    if not (normalization == "table" and by_type)
]
POLICIES = tuple(
    Policy(
        f"p{place}", risk=Risk("supplied", weighting, normalization, by_type, cap, 2.5, 2021 if cap == "both" else 0)
    )
    for place, (weighting, normalization, by_type, cap) in enumerate(KINDS)
)
GRAINS = {"network": ("network_id",), "practice": ("network_id", "practice_tin")}


@cache
def generated() -> list[dict]:
    """Member years: some of two enrollment types, some without a score."""
    draw = random.Random(23)
    rows = []
    for year, number in itertools.product(YEARS, range(1000)):
        network = draw.choice(("A", "B", "C", "UNATTRIBUTED"))
        practice = f"{network}{draw.randint(1, 3)}"
        score = None if draw.random() < 0.1 else Decimal(draw.randint(200_000, 4_000_000) + 300_000 * (year - 2021))
        for kind in draw.sample(TYPES, draw.choice((1, 1, 1, 2))):
            rows.append(
                {
                    "performance_year": year,
                    "member_id": f"m{number}",
                    "enrollment_type": kind,
                    "network_id": network,
                    "practice_tin": practice,
                    "member_months": Decimal(draw.randint(1, 6_000_000)) / 1_000_000,
                    "risk_score": None if score is None else score / 1_000_000,
                }
            )
    return rows


@pytest.fixture(scope="module")
def built(spark, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("risk") / "member_years")
    amounts = dict.fromkeys(("paid_amount", "counted_amount", "in_network_paid_amount"), Decimal(1))
    told = [{**row, **amounts, "policy": policy.name} for policy in POLICIES for row in generated()]
    written = [tuple(row.get(name) for name in MEMBER_YEARS.column_names) for row in told]
    spark.createDataFrame(written, MEMBER_YEARS.schema).write.parquet(path)
    factors = "performance_year | normalization_factor\n" + "\n".join(f"{y} | {f}" for y, f in FACTORS.items())
    means = "performance_year | enrollment_type | mean_risk_score\n" + "\n".join(
        f"{year} | {kind} | {mean}" for (year, kind), mean in MEANS.items()
    )
    tables = (frame(spark, NORMALIZATION_FACTORS, factors), frame(spark, RISK_MEANS, means))
    found = {}
    for name, keys in GRAINS.items():
        rows = pmpm_by(keys, spark.read.parquet(path), *tables, POLICIES, YEARS).collect()
        found[name] = {(row.policy, row.performance_year, *[row[key] for key in keys]): row for row in rows}
    return found


def weighted(rows: list[tuple[Fraction, Fraction]]) -> Fraction | None:
    """Mean of (score, weight); None of nobody."""
    whole = sum(weight for _, weight in rows)
    return sum(score * weight for score, weight in rows) / whole if whole else None


def scores_of(rows: list[dict], risk: Risk) -> list[tuple[Fraction, Fraction]]:
    """Score and weight of each member with a score."""
    people = defaultdict(list)
    for row in rows:
        if row["risk_score"] is not None:
            people[row["member_id"]].append(row)
    months = {name: sum(Fraction(row["member_months"]) for row in of) for name, of in people.items()}
    by_months = risk.weighting == "member_months"
    return [(Fraction(of[0]["risk_score"]), months[name] if by_months else Fraction(1)) for name, of in people.items()]


def normalized(rows: list[dict], year: int, risk: Risk, population: Callable[[str], Fraction]) -> Fraction:
    """Before the cap; `population` is the mean of everybody of an enrollment type, or of ALL."""

    def divisor(kind: str) -> Fraction:
        return population(kind) if risk.normalization == "population" else Fraction(MEANS[year, kind])

    if not risk.by_enrollment_type:
        by = Fraction(FACTORS[year]) if risk.normalization == "table" else divisor("ALL")
        return weighted(scores_of(rows, risk)) / by
    parts = []
    for kind in TYPES:
        of_type = scores_of([row for row in rows if row["enrollment_type"] == kind], risk)
        mean = divisor(kind)
        parts += [(score / mean, weight) for score, weight in of_type]
    return weighted(parts)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("policy", POLICIES, ids=["-".join(map(str, kind)) for kind in KINDS])
def test_every_score_is_as_recomputed_by_hand(policy, grain, built):
    rows, risk = generated(), policy.risk
    of_year = {year: [row for row in rows if row["performance_year"] == year] for year in YEARS}

    @cache
    def mean(year: int, kind: str) -> Fraction:
        return weighted(scores_of([row for row in of_year[year] if kind in (row["enrollment_type"], "ALL")], risk))

    @cache
    def of(year: int, *key: str) -> Fraction:
        names = GRAINS["network" if len(key) == 1 else "practice"]
        own = [row for row in of_year[year] if tuple(row[name] for name in names) == key]
        return normalized(own, year, risk, partial(mean, year))

    found = {key[1:]: row for key, row in built[grain].items() if key[0] == policy.name}
    assert len(found) == (8 if grain == "network" else 24)
    for (year, *key), row in found.items():
        uncapped = of(year, *key)
        assert row.uncapped_risk_score == pytest.approx(float(uncapped), rel=1e-9)
        share = Fraction(1)
        if risk.cap == "both" and year == 2022:
            reference, now = of(2021, key[0]), of(2022, key[0])
            limit = Fraction("0.025")
            share = max(min(now, reference * (1 + limit)), reference * (1 - limit)) / now
        assert row.normalized_risk_score == pytest.approx(float(uncapped * share), rel=1e-9)
        assert float(row.normalization_factor) == pytest.approx(row.risk_score / row.uncapped_risk_score, rel=1e-9)


def test_normalized_by_the_population_everybody_together_is_one(built):
    for policy in POLICIES:
        if policy.risk.normalization != "population" or policy.risk.cap != "none":
            continue
        rows = generated()
        for year in YEARS:
            of_year = [row for row in rows if row["performance_year"] == year]
            parts = []
            for network in ("A", "B", "C", "UNATTRIBUTED"):
                own = [row for row in of_year if row["network_id"] == network]
                kinds = TYPES if policy.risk.by_enrollment_type else (None,)
                weight = sum(
                    weight
                    for kind in kinds
                    for _, weight in scores_of(
                        [row for row in own if kind in (None, row["enrollment_type"])], policy.risk
                    )
                )
                parts.append((Fraction(built["network"][policy.name, year, network].normalized_risk_score), weight))
            assert float(weighted(parts)) == pytest.approx(1, rel=1e-9)


def test_a_cap_holds_somebody_back(built):
    capped = [row for row in built["network"].values() if row.normalized_risk_score != row.uncapped_risk_score]
    assert {row.performance_year for row in capped} == {2022}
    assert all("capped" in row.normalization for row in capped)
