"""Small worlds of members, restated: their tables by the stages' own functions, and their figures in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil
from random import Random
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pmpm_spark.policy import Policy
from pmpm_spark.reference import SEQUESTRATION_RATES, TRUNCATION_LIMITS_SUPPLIED, reference_table
from pmpm_spark.restated import References, sums_of
from pmpm_spark.restated_split import Divisors, Figures, Published, Ways, gives, network_rows
from pmpm_spark.restated_sums import Read
from pmpm_spark.silver.attribution import ATTRIBUTION, UNATTRIBUTED
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS, member_month_costs
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS, member_years
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS, truncated_costs
from pmpm_spark.silver.truncation_limits import TRUNCATION_LIMITS, truncation_limits
from pmpm_spark.table import Table, conform

YEAR = 2021
FACTOR = Fraction(1)
Month = tuple[str, int]


@dataclass
class World:
    """What is known of the year: each month that counts with its type and weight, each claim, network and score."""

    months: dict[Month, tuple[str, Decimal]] = field(default_factory=dict)
    claims: dict[tuple[str, int, str, str], Decimal] = field(default_factory=dict)
    """By member, month, service category and the network whose roster the lines match."""
    networks: dict[str, str] = field(default_factory=dict)
    scores: dict[str, Decimal] = field(default_factory=dict)

    @property
    def members(self) -> set[str]:
        return {member for member, _ in self.months}


def read_of(spark: SparkSession, world: World, policies: Sequence[Policy]) -> Read:
    """The tables that a run would publish of the world; whatever policies count, they count the same months."""
    labels = [policy.label for policy in policies]
    rows: dict[str, list[dict[str, Any]]] = {
        MEMBER_MONTHS.name: [
            {
                "policy": label, "member_id": member, "member_month": date(YEAR, month, 1), "performance_year": YEAR,
                "enrollment_type": kind, "exposure": weight, "is_eligible": True, "ineligible_reasons": [],
            }
            for label in labels for (member, month), (kind, weight) in world.months.items()
        ],
        CLAIM_COSTS.name: [
            {
                "member_id": member, "thru_month": date(YEAR, month, 1), "from_month": date(YEAR, month, 1),
                "service_category": category, "service_category_2": category, "roster_network_id": network,
                "is_denied": False, "destination": "", "claim_lines": 1, "services": 1, "paid_amount": paid,
                "allowed_amount": paid, **dict.fromkeys(_PARTS_OF_PAID, Decimal("0.00")),
            }
            for (member, month, category, network), paid in world.claims.items()
        ],
        ATTRIBUTION.name: [
            {"policy": label, "performance_year": YEAR, "member_id": member, "network_id": network,
             "practice_tin": UNATTRIBUTED, "physician_npi": UNATTRIBUTED}
            for label in labels for member, network in world.networks.items()
        ],
        RISK_SCORES.name: [
            {"member_id": member, "performance_year": YEAR, "origin": "supplied", "risk_score": score}
            for member, score in world.scores.items()
        ],
        COMPLETION_FACTORS.name: [],
    }  # fmt: skip
    frames = {name: _frame(spark, _TABLES[name], told) for name, told in rows.items()}
    asked: dict[str, Any] = {"policies": policies, "performance_years": [YEAR]}

    def settle(table: Table, frame: DataFrame) -> None:
        frames[table.name] = _frame(spark, table, [row.asDict() for row in conform(frame, table).collect()])

    months, claims, whose = (frames[t.name] for t in (MEMBER_MONTHS, CLAIM_COSTS, ATTRIBUTION))
    rates, completion = reference_table(spark, SEQUESTRATION_RATES), frames[COMPLETION_FACTORS.name]
    settle(MEMBER_MONTH_COSTS, member_month_costs(claims, months, whose, rates, completion, **asked))
    costs = frames[MEMBER_MONTH_COSTS.name]
    if any(policy.cost.truncation != "none" for policy in policies):
        supplied = reference_table(spark, TRUNCATION_LIMITS_SUPPLIED)
        settle(TRUNCATION_LIMITS, truncation_limits(months, costs, supplied, **asked))
        settle(TRUNCATED_COSTS, truncated_costs(months, costs, frames[TRUNCATION_LIMITS.name], **asked))
    else:
        frames[TRUNCATED_COSTS.name] = _frame(spark, TRUNCATED_COSTS, [])
    settle(
        MEMBER_YEARS,
        member_years(months, costs, frames[TRUNCATED_COSTS.name], whose, frames[RISK_SCORES.name], **asked),
    )
    return lambda table: frames[table.name]


_PARTS_OF_PAID = ("pass_through_amount", "ime_amount", "dsh_amount", "uncompensated_care_amount")
_TABLES = {t.name: t for t in (MEMBER_MONTHS, CLAIM_COSTS, ATTRIBUTION, RISK_SCORES, COMPLETION_FACTORS)}


def _frame(spark: SparkSession, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    schema = T.StructType([T.StructField(c.name, c.type) for c in table.columns])
    return spark.createDataFrame([tuple(row.get(c.name) for c in table.columns) for row in rows], schema)


def restatement(spark: SparkSession, then: World, now: World, policies: Sequence[Policy]) -> list[dict[str, Any]]:
    """The rows of gold.restatement between two worlds, after asserting that the tables give the figures of both."""
    references = References(
        reference_table(spark, SEQUESTRATION_RATES),
        reference_table(spark, TRUNCATION_LIMITS_SUPPLIED),
        Divisors({YEAR: FACTOR}),
    )
    reads = [read_of(spark, world, policies) for world in (then, now)]

    def keep(table: Table, frame: DataFrame) -> DataFrame:
        return _frame(spark, table, [row.asDict() for row in conform(frame, table).collect()])

    sums = sums_of(*reads, policies, [YEAR], references=references, keep=keep)
    rows = []
    for policy in policies:
        of_policy = sums[policy.label]
        for network in of_policy.years[YEAR].networks:
            published = [_published(world, policy, network) for world in (then, now)]
            for side, one in enumerate(published):
                assert one is None or gives(of_policy, YEAR, network, one.figures, side)
            if any(published):
                rows += network_rows(of_policy, YEAR, network, Ways(*published), "run", policy)
    return rows


def _published(world: World, policy: Policy, network: str) -> Published | None:
    figures = figures_of(policy, network, world, world, world, world)
    members = sum(world.networks.get(member, UNATTRIBUTED) == network for member in world.members)
    return Published(figures, members) if members else None


def figures_of(policy: Policy, network: str, claims: World, months: World, networks: World, scores: World) -> Figures:
    """A network's figures from the definition, each of the four taken from a world."""
    whose = {member: networks.networks.get(member, UNATTRIBUTED) for member in months.members}
    weights: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    amounts: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for (member, _), (kind, weight) in months.months.items():
        weights[member, kind] += Fraction(weight)
    for (member, month, category, of_line), paid in claims.claims.items():
        counts = (member, month) in months.months and category != "pharmacy"
        if counts and (policy.cost.basis == "total_cost_of_care" or of_line == whose[member]):
            amounts[member, months.months[member, month][0]] += Fraction(paid)
    if policy.cost.truncation == "percentile":
        amounts = _truncated(amounts, weights, policy.cost.truncation_percentile)
    own = [key for key in weights if whose[key[0]] == network]
    return Figures(
        sum((weights[key] for key in own), Fraction(0)),
        sum((amounts[key] for key in own), Fraction(0)),
        _risk(policy, weights, scores, {member for member, of in whose.items() if of == network}),
    )


def _truncated(
    amounts: dict[tuple[str, str], Fraction], weights: dict[tuple[str, str], Fraction], percentile: float
) -> dict[tuple[str, str], Fraction]:
    annual = {key: _in_cents(float(amounts[key]) * 12 / float(weight)) for key, weight in weights.items()}
    found: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for kind in {kind for _, kind in weights}:
        of_kind = sorted(annual[key] for key in annual if key[1] == kind)
        limit = max(of_kind[ceil(len(of_kind) * Fraction(str(percentile)) / 100) - 1], Fraction(0))
        for key in annual:
            if key[1] == kind:
                found[key] = _in_cents(float(limit) * float(weights[key]) / 12) if annual[key] > limit else amounts[key]
    return found


def _in_cents(amount: float) -> Fraction:
    """Half up, of the shortest text, as measures.in_cents does."""
    return Fraction(Decimal(repr(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _risk(policy: Policy, weights: dict[tuple[str, str], Fraction], scores: World, own: set[str]) -> Fraction | None:
    by_months = policy.risk.weighting == "member_months"

    def mean(told: dict[str, Fraction]) -> Fraction | None:
        scored = {
            member: weight if by_months else Fraction(1) for member, weight in told.items() if member in scores.scores
        }
        total = sum((Fraction(scores.scores[member]) * weight for member, weight in scored.items()), Fraction(0))
        return total / sum(scored.values()) if scored else None

    def members(kind: str | None = None, of: set[str] | None = None) -> dict[str, Fraction]:
        found: dict[str, Fraction] = defaultdict(Fraction)
        for (member, own_kind), weight in weights.items():
            if kind in (None, own_kind) and (of is None or member in of):
                found[member] += weight
        return found

    if not policy.risk.by_enrollment_type:
        found = mean(members(of=own))
        average = FACTOR if policy.risk.normalization == "table" else mean(members())
        return found / average if found is not None and average else None
    total, weighed = Fraction(0), Fraction(0)
    for kind in {kind for _, kind in weights}:
        for member, weight in members(kind, own).items():
            if member in scores.scores:
                average = mean(members(kind))
                assert average
                weight = weight if by_months else Fraction(1)
                total, weighed = total + Fraction(scores.scores[member]) * weight / average, weighed + weight
    return total / weighed if weighed else None


KINDS = ("AGED_NON_DUAL", "DISABLED", "ESRD")
CATEGORIES = ("professional", "inpatient", "pharmacy")
NETWORKS = ("A", "B", "C", UNATTRIBUTED)


def some_world(random: Random, members: int) -> World:
    world = World()
    for number in range(members):
        member = f"m{number}"
        for month in range(random.randint(1, 4), random.randint(6, 13)):
            world.months[member, month] = (random.choice(KINDS), Decimal(random.choice(("1", "1", "0.5"))))
        if random.random() < 0.9:
            world.networks[member] = random.choice(NETWORKS)
        if random.random() < 0.9:
            world.scores[member] = _score(random)
        for _ in range(random.randint(0, 6)):
            _claim(random, world, member)
    return world


def changed(random: Random, world: World, changes: int) -> World:
    """The world after some changes, each of what is told late or otherwise."""
    after, told = deepcopy(world), sorted(world.members)
    for _ in range(changes):
        member = random.choice(told)
        kind = random.choice(("claim", "adjust", "add", "end", "type", "network", "score", "new"))
        months = sorted(month for whose, month in after.months if whose == member)
        if kind == "claim":
            _claim(random, after, member)
        elif kind == "adjust" and after.claims:
            after.claims[random.choice(sorted(after.claims))] = _amount(random)
        elif kind == "add":
            after.months[member, random.randint(1, 12)] = (random.choice(KINDS), Decimal(random.choice(("1", "0.5"))))
        elif kind == "end" and len(months) > 2:
            for month in months[random.randint(1, len(months) - 1) :]:
                del after.months[member, month]
        elif kind == "type" and months:
            after.months[member, random.choice(months)] = (random.choice(KINDS), Decimal("1"))
        elif kind == "network":
            after.networks[member] = random.choice(NETWORKS)
        elif kind == "score":
            after.scores[member] = _score(random)
        elif kind == "new":
            member = f"n{random.randint(0, 9)}"
            after.months[member, random.randint(1, 12)] = (random.choice(KINDS), Decimal("1"))
            after.networks[member] = random.choice(NETWORKS)
            _claim(random, after, member)
    return after


def _claim(random: Random, world: World, member: str) -> None:
    key = (member, random.randint(1, 12), random.choice(CATEGORIES), random.choice(("A", "B", "C", "")))
    world.claims[key] = _amount(random)


def _amount(random: Random) -> Decimal:
    return Decimal(random.choice((random.randint(0, 30_000), random.randint(0, 900_000)))).scaleb(-2)


def _score(random: Random) -> Decimal:
    return Decimal(random.randint(200, 4000)).scaleb(-3)
