"""What sets the figures of two policies apart: months, dollars and PMPM moved by each rule that differs, exactly
additive and free of order (docs/decisions/0067).

A member month carries, as bits, what each policy says of it by each rule, so that one look at the bits tells whether it
counts under any mixture of the two. Months of equal bits are summed on the engine; mixtures are valued from those sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, reduce
from math import floor
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.months import month_of
from pmpm_spark.policy import Attribution, Cost, Policy
from pmpm_spark.shapley import rounded, shares
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.member_month_costs import member_month_costs
from pmpm_spark.silver.truncated_costs import truncates
from pmpm_spark.silver.union import of_policies
from pmpm_spark.table import MONEY, MONTHS, TEXTS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

Rule = tuple[str, ...]
"""The settings that are one rule, by dotted key."""

COVERAGE: Rule = ("eligibility.coverage_rule",)
TESTS: dict[str, Rule] = {
    "NOT_IN_PART_A_AND_B": ("eligibility.part_a_b", "eligibility.window_months", "eligibility.lag_months"),
    "MEDICARE_ADVANTAGE": ("eligibility.exclude_medicare_advantage",),
    "MEDICARE_SECONDARY": ("eligibility.exclude_medicare_secondary",),
    "NON_US_RESIDENT": ("eligibility.exclude_non_us",),
}
"""The rule behind each reason; DECEASED and NOT_ENROLLED fail a month under any (of one coverage rule)."""
MONTHS_STOP: Rule = ("eligibility.months_stop",)
"""With the program's first month of the year: ALIGNMENT_ENDED and NOT_IN_PERFORMANCE_YEAR."""
ATTRIBUTION: Rule = tuple(f"attribution.{part.name}" for part in fields(Attribution))
TRUNCATION: Rule = ("cost.truncation", "cost.truncation_percentile")
COSTS: tuple[Rule, ...] = tuple(
    (key,) for key in [f"cost.{part.name}" for part in fields(Cost)] if key not in TRUNCATION
)
STEPS: Rule = tuple(key for (key,) in COSTS if key not in ("cost.basis", "cost.claim_month", "cost.include_pharmacy"))
"""What is one rule where more than MOST_COSTS rules of cost differ."""
MOST_COSTS = 4
NOT_IN_PMPM = ("eligibility.dual", "risk.", "outcomes.")
"""Settings that tell the enrollment type and the risk: no part of a PMPM before its adjustment."""

ALWAYS = 1
_TESTS_FROM = 1
_OUTSIDE_FROM = _TESTS_FROM + 2 * len(TESTS)
ALWAYS_FAIL = ("DECEASED", "NOT_ENROLLED")
BY_OTHERS_DAY = ("*01", "*10")
"""Names of the policies with each other's coverage rule."""


def is_in_pmpm(key: str) -> bool:
    """Whether the setting can move a PMPM before its risk adjustment."""
    return not key.startswith(NOT_IN_PMPM)


@dataclass(frozen=True)
class Pair:
    """Two policies. `firsts`: the first month of the year of each one's program, null where it has none.

    A rule's `version` is 0 as the first policy has it, 1 as the other has it.
    """

    one: Policy
    other: Policy
    firsts: tuple[date | None, date | None] = (None, None)

    @property
    def both(self) -> tuple[Policy, Policy]:
        return self.one, self.other

    @cached_property
    def differing(self) -> dict[str, tuple[Any, Any]]:
        """The settings that differ, with both values."""
        pairs = zip(self.one.settings, self.other.settings, strict=True)
        return {a.key: (a.value, b.value) for a, b in pairs if a.value != b.value}

    def differs(self, rule: Rule) -> bool:
        return any(key in self.differing for key in rule)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that may move something, in the order of their settings."""
        stops = [policy.eligibility.months_stop for policy in self.both]
        may_move = {
            MONTHS_STOP: all(stops) and self.firsts[0] != self.firsts[1],
            ATTRIBUTION: self.differs(COVERAGE),  # the programs look at months by it
            TRUNCATION: truncates(self.both),  # limits and years change with months and dollars
        }
        rules = (COVERAGE, *TESTS.values(), MONTHS_STOP, *self.cost_rules, TRUNCATION, ATTRIBUTION)
        return tuple(rule for rule in rules if self.differs(rule) or may_move.get(rule, False))

    @property
    def cost_rules(self) -> tuple[Rule, ...]:
        found = tuple(rule for rule in COSTS if self.differs(rule))
        if len(found) <= MOST_COSTS:
            return found
        return (STEPS, *[rule for rule in found if rule[0] not in STEPS])

    @property
    def coverages(self) -> tuple[int, ...]:
        return (0, 1) if self.differs(COVERAGE) else (0,)

    @property
    def stops(self) -> tuple[int, ...]:
        return (0, 1) if MONTHS_STOP in self.rules else (0,)

    def label(self, coverage: int, version: int) -> str:
        """The policy whose months say what the tests of a version find under a coverage rule."""
        is_published = coverage == version or not self.differs(COVERAGE)
        return self.both[version].label if is_published else BY_OTHERS_DAY[version]

    @property
    def by_others_day(self) -> tuple[Policy, ...]:
        """Each policy with the other's coverage rule, where that differs: what no published month tells."""
        if not self.differs(COVERAGE):
            return ()
        days = [policy.eligibility.coverage_rule for policy in self.both]
        return tuple(
            replace(
                self.both[version],
                name=BY_OTHERS_DAY[version],
                is_changed=False,
                eligibility=replace(self.both[version].eligibility, coverage_rule=days[1 - version], months_stop=False),
            )
            for version in (0, 1)
        )

    @property
    def network_decides_amounts(self) -> bool:
        return any(policy.cost.basis == "reimbursed_to_network" for policy in self.both)

    @cached_property
    def mixtures(self) -> dict[str, tuple[Policy, int]]:
        """By name, every mixture of the rules of cost, each with the version of the attribution that it goes by."""
        versions = (0, 1) if self.network_decides_amounts and ATTRIBUTION in self.rules else (0,)
        found = {}
        for version in versions:
            for made in range(1 << len(self.cost_rules)):
                name = self.mixture(made, version)
                found[name] = (replace(self.one, name=name, is_changed=False, cost=self._cost(made)), version)
        return found

    def mixture(self, made: int, version: int) -> str:
        return f"{made}_{version}"

    def _cost(self, made: int) -> Cost:
        taken = [key for place, rule in enumerate(self.cost_rules) if made >> place & 1 for key in rule]
        names = [key.partition(".")[2] for key in taken]
        return replace(self.one.cost, **{name: getattr(self.other.cost, name) for name in names})


def sums_by_bits(
    member_months: DataFrame,
    attribution: DataFrame,
    claim_costs: DataFrame,
    truncated_costs: DataFrame,
    sequestration_rates: DataFrame,
    completion_factors: DataFrame,
    *,
    pair: Pair,
    performance_year: int,
    network_id: str | None = None,
    by_others_day: DataFrame | None = None,
) -> DataFrame:
    """Exposure, dollars under every mixture of the rules of cost, and what truncations take, by the bits of the months.

    All tables hold the year's rows of the two policies alone, `by_others_day` the months of `pair.by_others_day`.
    """
    judged = member_months if by_others_day is None else member_months.unionByName(by_others_day)
    places = [f"fails_{coverage}_{stop}" for coverage in pair.coverages for stop in pair.stops]
    bits = _stopped(_bits(judged, pair), pair)
    if network_id is not None:
        outside = _outside(attribution, pair, network_id)
        bits = bits.join(outside, "member_id", how="left").withColumns(
            {place: F.col(place).bitwiseOR(F.coalesce("outside", F.lit(_all_outside(network_id)))) for place in places}
        )
    months = member_months.where(F.col("policy") == pair.one.label).select("member_id", "member_month")
    costs = _costs(months, attribution, claim_costs, sequestration_rates, completion_factors, pair, performance_year)
    joined = bits.join(costs, ["member_id", "member_month"], how="left").join(
        _truncated(truncated_costs, pair), ["member_id", "member_month"], how="left"
    )
    sums = [
        *[f"exposure_{coverage}" for coverage in pair.coverages],
        *[f"amount_{name}" for name in pair.mixtures],
        *[f"truncated_{version}" for version in (0, 1)],
    ]
    return joined.groupBy(*places).agg(*[F.sum(name).alias(name) for name in sums])


def _test_bit(at: int, version: int) -> int:
    return 1 << (_TESTS_FROM + 2 * at + version)


def _outside_bit(version: int) -> int:
    return 1 << (_OUTSIDE_FROM + version)


def _all_outside(network_id: str) -> int:
    """Of a member without a row of attribution: nobody's."""
    return 0 if network_id == UNATTRIBUTED else _outside_bit(0) | _outside_bit(1)


def _or(bits: Iterable[Column]) -> Column:
    return reduce(lambda left, right: left.bitwiseOR(right), bits)


def _bit_where(where: Column, bit: int) -> Column:
    return F.when(where, F.lit(bit)).otherwise(F.lit(0))


def _bits(member_months: DataFrame, pair: Pair) -> DataFrame:
    """One row per member and month: what fails it, by version, and its exposure; both under each coverage rule."""
    policy, reasons = F.col("policy"), F.col("ineligible_reasons")

    def found(version: int) -> Column:
        always = reduce(lambda left, right: left | right, [F.array_contains(reasons, name) for name in ALWAYS_FAIL])
        tests = [_bit_where(F.array_contains(reasons, name), _test_bit(at, version)) for at, name in enumerate(TESTS)]
        return _or([_bit_where(always, ALWAYS), *tests])

    def fails(coverage: int) -> Column:
        said = [F.when(policy == pair.label(coverage, v), found(v)).otherwise(F.lit(0)) for v in (0, 1)]
        return F.bit_or(_or(said))

    def exposure(coverage: int) -> Column:
        return F.max(F.when(policy == pair.label(coverage, coverage), F.col("exposure"))).cast(MONTHS)

    return member_months.groupBy("member_id", "member_month").agg(
        *[fails(coverage).alias(f"fails_{coverage}") for coverage in pair.coverages],
        *[exposure(coverage).alias(f"exposure_{coverage}") for coverage in pair.coverages],
    )


def _stopped(bits: DataFrame, pair: Pair) -> DataFrame:
    """With what fails a month where months stop as each policy has it: also whatever fails an earlier one."""
    earlier = Window.partitionBy("member_id").orderBy("member_month").rowsBetween(Window.unboundedPreceding, -1)

    def fails(coverage: int, stop: int) -> Column:
        own = F.col(f"fails_{coverage}")
        if not pair.both[stop].eligibility.months_stop:
            return own
        first = pair.firsts[stop]
        is_before = F.lit(False) if first is None else F.col("member_month") < F.lit(first)
        ended = F.bit_or(F.when(is_before, F.lit(0)).otherwise(own)).over(earlier)
        return own.bitwiseOR(F.when(is_before, F.lit(ALWAYS)).otherwise(F.coalesce(ended, F.lit(0))))

    return bits.select(
        "member_id",
        "member_month",
        *[fails(c, stop).alias(f"fails_{c}_{stop}") for c in pair.coverages for stop in pair.stops],
        *[f"exposure_{coverage}" for coverage in pair.coverages],
    )


def _outside(attribution: DataFrame, pair: Pair, network_id: str) -> DataFrame:
    """One row per member: by which of the policies the network does not have them."""

    def network(version: int) -> Column:
        of_policy = F.when(F.col("policy") == pair.both[version].label, F.col("network_id"))
        return F.coalesce(F.max(of_policy), F.lit(UNATTRIBUTED))

    networks = attribution.groupBy("member_id").agg(*[network(v).alias(f"network_{v}") for v in (0, 1)])
    outside = _or(_bit_where(F.col(f"network_{v}") != network_id, _outside_bit(v)) for v in (0, 1))
    return networks.select("member_id", outside.alias("outside"))


def _costs(
    months: DataFrame,
    attribution: DataFrame,
    claim_costs: DataFrame,
    sequestration_rates: DataFrame,
    completion_factors: DataFrame,
    pair: Pair,
    performance_year: int,
) -> DataFrame:
    """One row per member and month with costs: the dollars of each mixture, as if every month counted."""
    counting = months.select(
        "*",
        F.lit(performance_year).alias("performance_year"),
        F.lit(None).cast("string").alias("enrollment_type"),
        F.array().cast(TEXTS).alias("ineligible_reasons"),
    )
    # made anew: a stored column keeps its comment, and the embedded engine groups no rows whose comments differ
    claims = claim_costs.withColumns({name: month_of(name) for name in ("thru_month", "from_month")})

    def of_mixture(mixture: Policy) -> DataFrame:
        is_of_version = F.col("policy") == pair.both[pair.mixtures[mixture.label][1]].label
        named = F.lit(mixture.label)
        costs = member_month_costs(
            claims,
            counting.withColumn("policy", named),
            attribution.where(is_of_version).withColumn("policy", named),
            sequestration_rates,
            completion_factors,
            policies=[mixture],
            performance_years=[performance_year],
        )
        counted = costs.where("exclusion_reason IS NULL AND in_total")
        return counted.select("policy", "member_id", "member_month", "counted_amount")

    mixtures = [policy for policy, _ in pair.mixtures.values()]

    def amount(policy: Policy) -> Column:
        counted = F.when(F.col("policy") == policy.label, F.col("counted_amount"))
        return F.sum(counted).cast(MONEY).alias(f"amount_{policy.label}")

    costs = of_policies(mixtures, of_mixture)
    return costs.groupBy("member_id", "member_month").agg(*[amount(policy) for policy in mixtures])


def _truncated(truncated_costs: DataFrame, pair: Pair) -> DataFrame:
    def of_version(version: int) -> Column:
        is_of_policy = F.col("policy") == pair.both[version].label
        return F.sum(F.when(is_of_policy, F.col("counted_amount"))).cast(MONEY).alias(f"truncated_{version}")

    return truncated_costs.groupBy("member_id", "member_month").agg(*[of_version(version) for version in (0, 1)])


@dataclass(frozen=True)
class Figures:
    """Of a policy, or what a rule moves of them: US dollars, each rounded to hundredths."""

    member_months: Decimal
    counted_amount: Decimal
    pmpm: Decimal


@dataclass(frozen=True)
class Impact:
    """The figures of both policies, and what each rule moves: first + moved = last, to the hundredth."""

    first: Figures
    moved: Mapping[Rule, Figures]
    last: Figures


Value = tuple[Fraction, Fraction]
"""Member months and dollars, not rounded."""


def values_of(pair: Pair, sums: Sequence[Mapping[str, Any]]) -> list[Value]:
    """The value of every mixture, from the rows of `sums_by_bits`: the rules whose bits are set in its place are the
    other policy's."""
    return [_value(pair, sums, made) for made in range(1 << len(pair.rules))]


def impact_of(pair: Pair, values: Sequence[Value]) -> Impact:
    """What each rule moves. A PMPM of no month is taken as 0."""
    months, dollars = zip(*values, strict=True)
    pmpms = [dollar / month if month else Fraction(0) for month, dollar in values]
    split = [_split(of_figure) for of_figure in (months, dollars, pmpms)]
    columns = [_figures(*row) for row in zip(*split, strict=True)]
    return Impact(columns[0], dict(zip(pair.rules, columns[1:-1], strict=True)), columns[-1])


def _value(pair: Pair, sums: Sequence[Mapping[str, Any]], made: int) -> Value:
    version = {rule: made >> at & 1 for at, rule in enumerate(pair.rules)}
    coverage, stop, whose = (version.get(rule, 0) for rule in (COVERAGE, MONTHS_STOP, ATTRIBUTION))
    looks_at = ALWAYS | _outside_bit(whose)
    for at, rule in enumerate(TESTS.values()):
        looks_at |= _test_bit(at, version.get(rule, 0))
    counting = [row for row in sums if not row[f"fails_{coverage}_{stop}"] & looks_at]
    costs = sum(version[rule] << place for place, rule in enumerate(pair.cost_rules))
    mixture = pair.mixture(costs, whose if pair.network_decides_amounts else 0)

    def total(name: str) -> Fraction:
        return Fraction(sum((row[name] or Decimal(0) for row in counting), Decimal(0)))

    dollars = total(f"amount_{mixture}") + total(f"truncated_{version.get(TRUNCATION, 0)}")
    return total(f"exposure_{coverage}"), dollars


def _split(figures: Sequence[Fraction]) -> list[int]:
    """The first figure in hundredths, each rule's share of the difference, and the last figure."""
    first, last = (floor(figure * 100 + Fraction(1, 2)) for figure in (figures[0], figures[-1]))
    return [first, *rounded([share * 100 for share in shares(figures)], last - first), last]


def _figures(*hundredths: int) -> Figures:
    return Figures(*[Decimal(figure).scaleb(-2) for figure in hundredths])
