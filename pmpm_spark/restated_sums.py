"""The sums that a restatement is valued from: members, months, dollars and scores of two runs, by networks of both.

Everything of a policy, year and member of both runs stands in one row, made by one aggregation. A run tells no dollars
of a month that it did not count: where the runs count different months, those are priced from the claims of either run
as if they counted. Figures of the run then end in 0, those of the run now in 1; docs/decisions/0110 says the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.gold.restatement import ATTRIBUTION as ATTRIBUTION_PART
from pmpm_spark.gold.restatement import CLAIMS, ENROLLMENT, RISK
from pmpm_spark.months import month_of
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import ATTRIBUTION, UNATTRIBUTED
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.cost_steps import ROW_EFFECTS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS, member_month_costs
from pmpm_spark.silver.member_months import ENROLLMENT_TYPES, MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS, chosen_scores
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS, truncated_costs, truncates, truncating
from pmpm_spark.silver.truncation_limits import TRUNCATION_LIMITS, truncation_limits
from pmpm_spark.silver.union import ids, of_run
from pmpm_spark.spark_versions import array_position
from pmpm_spark.table import MONEY, MONTHS, SCORE, TEXTS, Column, Table, column, count, money, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame
    from pyspark.sql import types as T

Read = Callable[[Table], "DataFrame"]
"""The tables of one of the runs."""
SIDES = (0, 1)
"""Then and now."""
BITS_OF_MONTH = 4
"""Of what is said of a month: 0 where it does not count, else 1, or the place of its enrollment type."""
_MONTH_MASK = (1 << BITS_OF_MONTH) - 1
_YEAR = ("policy", "performance_year")
_KEY = (*_YEAR, "member_id")
BY_NETWORKS = (*_YEAR, "network_0", "network_1")


def _columns_of(side: int) -> tuple[Column, ...]:
    run = ("the run then", "the run now")[side]
    return (
        text(f"network_{side}", f"network in {run}"),
        column(f"months_{side}", MONTHS, f"eligible member months in {run}"),
        money(f"amount_{side}", f"counted dollars in {run}"),
        money(f"cut_{side}", f"what the truncation added to them in {run}: 0 or less"),
        column(f"score_{side}", SCORE, f"risk score in {run}"),
        count(f"counts_{side}", f"what {run} says of each month, four bits a month"),
    )


RESTATED_MEMBERS = Table(
    name="silver.restated_members",
    grain="one row per policy, performance year and member with an eligible month in either run",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("member_id", "pseudonymous member key"),
        *[c for side in SIDES for c in _columns_of(side)],
    ),
    key_is_built_in=True,
)
"""Never published: it is kept while a restatement is made."""


def has_types(policy: Policy) -> bool:
    """Whether the enrollment type of a month moves a figure: by limits, or by means of risk."""
    return truncates([policy]) or policy.risk.by_enrollment_type


def depends_on_network(policy: Policy) -> bool:
    """Whether a member's dollars depend on whose member it is."""
    return policy.cost.basis == "reimbursed_to_network"


def _is_of(policies: Sequence[Policy]) -> SparkColumn:
    return F.col("policy").isin(*[policy.label for policy in policies]) if policies else F.lit(False)


def restated_members(then: Read, now: Read, policies: Sequence[Policy], performance_years: Sequence[int]) -> DataFrame:
    """Both runs' months, dollars, network and score of every member whom either counts.

    Whose a member was is told by the attribution, and its score by the scores, also where the run counted no month.
    """
    cut = truncating(policies)
    rows = []
    for side, read in enumerate((then, now)):

        def of(table: Table, read: Read = read, which: Sequence[Policy] = policies) -> DataFrame:
            return of_run(read(table), which, performance_years)

        def told(frame: DataFrame, side: int = side, **values: SparkColumn) -> DataFrame:
            cells = [
                (values[name] if s == side and name in values else F.lit(None)).cast(data_type).alias(f"{name}_{s}")
                for s in SIDES
                for name, data_type in _TYPES.items()
            ]
            return frame.select(*ids("policy"), _year(), *ids("member_id"), *cells)

        rows += [
            told(of(MEMBER_YEARS), months=F.col("member_months"), amount=F.col("counted_amount")),
            told(of(ATTRIBUTION), network=F.col("network_id")),
            told(
                chosen_scores(read(RISK_SCORES), policies).where(F.col("performance_year").isin(*performance_years)),
                score=F.col("risk_score"),
            ),
            told(of(MEMBER_MONTHS).where("is_eligible"), counts=_said_of_month(policies)),
        ]
        if cut:
            rows.append(told(of(TRUNCATED_COSTS, which=cut), cut=F.col("counted_amount")))
    together = reduce(lambda one, more: one.unionByName(more), rows)
    sums = [
        *[F.coalesce(F.max(f"network_{s}"), F.lit(UNATTRIBUTED)).alias(f"network_{s}") for s in SIDES],
        *[_sum_of(f"months_{s}", MONTHS) for s in SIDES],
        *[_sum_of(f"{name}_{s}", MONEY) for name in ("amount", "cut") for s in SIDES],
        *[F.max(f"score_{s}").alias(f"score_{s}") for s in SIDES],
        *[F.coalesce(F.sum(f"counts_{s}"), F.lit(0)).alias(f"counts_{s}") for s in SIDES],
    ]
    return together.groupBy(*_KEY).agg(*sums).where("months_0 > 0 OR months_1 > 0")


_TYPES: dict[str, T.DataType | str] = {
    "network": "string",
    "months": MONTHS,
    "amount": MONEY,
    "cut": MONEY,
    "score": SCORE,
    "counts": "bigint",
}


def _year() -> SparkColumn:
    """Made anew: rows of columns with different comments are not grouped by the embedded engine."""
    return (F.col("performance_year") + F.lit(0)).cast("int").alias("performance_year")


def _sum_of(name: str, data_type: T.DataType) -> SparkColumn:
    return F.coalesce(F.sum(name), F.lit(0)).cast(data_type).alias(name)


def _said_of_month(policies: Sequence[Policy]) -> SparkColumn:
    """At the month's place: 1, or the enrollment type's where that matters."""
    types = F.array(*[F.lit(name) for name in ENROLLMENT_TYPES])
    place = F.coalesce(array_position(types, F.col("enrollment_type")).cast("bigint"), F.lit(0))
    said = F.when(_is_of([p for p in policies if has_types(p)]), place + 1).otherwise(F.lit(1).cast("bigint"))
    weights = F.array(*[F.lit(1 << BITS_OF_MONTH * n).cast("bigint") for n in range(12)])
    return said * F.get(weights, F.month("member_month") - 1)


def _is_moved(policies: Sequence[Policy]) -> SparkColumn:
    """Whether a month of the member has to be priced: the runs count different ones, or the network decides dollars."""
    by_network = [policy for policy in policies if depends_on_network(policy)]
    return (F.col("counts_0") != F.col("counts_1")) | (_is_of(by_network) & (F.col("network_0") != F.col("network_1")))


def network_sums(members: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """One row per policy, year and pair of networks; `score_er` and the like are of the months of run e and the scores
    of run r, and `touched_…` are members."""
    moved = _is_moved(policies)
    differ = {
        ENROLLMENT: (F.col("counts_0") != F.col("counts_1")) | (F.col("months_0") != F.col("months_1")),
        ATTRIBUTION_PART: F.col("network_0") != F.col("network_1"),
        RISK: F.when(F.col("score_0").eqNullSafe(F.col("score_1")), F.lit(False)).otherwise(F.lit(True)),
        CLAIMS: (F.col("amount_0") != F.col("amount_1")) & F.when(moved, F.lit(False)).otherwise(F.lit(True)),
    }
    return members.groupBy(*BY_NETWORKS).agg(
        *[F.sum(f"{name}_{s}").alias(f"{name}_{s}") for name in ("months", "amount", "cut") for s in SIDES],
        *_score_sums(),
        *[F.count_if(where).alias(f"touched_{part}") for part, where in differ.items()],
        F.count_if(moved).alias("moved"),
    )


def _score_sums() -> list[SparkColumn]:
    """As in gold.risk: members with a score, their scores, both by months, and the months."""
    found = []
    for e, r in product(SIDES, SIDES):
        score, months = F.col(f"score_{r}"), F.col(f"months_{e}")
        counts = (months > 0) & score.isNotNull()
        found += [
            F.count_if(counts).alias(f"scored_{e}{r}"),
            F.sum(F.when(counts, score)).alias(f"score_{e}{r}"),
            F.sum(F.when(counts, score * months)).alias(f"score_months_{e}{r}"),
            F.sum(F.when(counts, months)).alias(f"scored_months_{e}{r}"),
        ]
    return found


def typed_sums(
    then: Read, now: Read, members: DataFrame, policies: Sequence[Policy], performance_years: Sequence[int]
) -> DataFrame:
    """The score sums by enrollment type, too: a member of two types is one of each."""
    key = (*_KEY, "enrollment_type")
    rows = []
    for side, read in enumerate((then, now)):
        months = [(F.col("member_months") if s == side else F.lit(0)).cast(MONTHS).alias(f"months_{s}") for s in SIDES]
        years = of_run(read(MEMBER_YEARS), policies, performance_years)
        rows.append(years.select(*ids("policy"), _year(), *ids("member_id", "enrollment_type"), *months))
    typed = rows[0].unionByName(rows[1]).groupBy(*key).agg(*[_sum_of(f"months_{s}", MONTHS) for s in SIDES])
    whose = members.select(*_KEY, "network_0", "network_1", "score_0", "score_1")
    return typed.join(whose, list(_KEY), how="inner").groupBy(*BY_NETWORKS, "enrollment_type").agg(*_score_sums())


@dataclass(frozen=True)
class Mixture:
    """Whose claims, whose months and whose attribution: of the run then (0) or now (1)."""

    claims: int
    months: int
    networks: int

    def __str__(self) -> str:
        return f"{self.claims}{self.months}{self.networks}"

    @property
    def is_published(self) -> bool:
        return self.claims == self.months == self.networks


ALL_MIXTURES = tuple(Mixture(*bits) for bits in product(SIDES, SIDES, SIDES))


def mixture_of(policy: Policy, claims: int, months: int, networks: int) -> Mixture:
    """Where the network decides no dollars, the networks are those of the claims' run."""
    return Mixture(claims, months, networks if depends_on_network(policy) else claims)


def moved_members(members: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    return members.where(_is_moved(policies))


def moved_months(moved: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    """The months of those members that the runs say different things of, or whose dollars the network decides."""
    by_network = _is_of([policy for policy in policies if depends_on_network(policy)])
    month = F.explode(F.array(*[F.lit(n) for n in range(12)])).alias("n")

    def said(side: int) -> SparkColumn:
        shifted = F.call_function("shiftright", F.col(f"counts_{side}"), (F.col("n") * BITS_OF_MONTH).cast("int"))
        return shifted.bitwiseAND(F.lit(_MONTH_MASK).cast("bigint")).alias(f"said_{side}")

    member_month = F.make_date("performance_year", F.col("n") + 1, F.lit(1)).alias("member_month")
    networks = ("network_0", "network_1")
    months = moved.select(*_KEY, *networks, "counts_0", "counts_1", month).select(
        *_KEY, *networks, member_month, said(0), said(1)
    )
    counts = (F.col("said_0") > 0) | (F.col("said_1") > 0)
    differs = (F.col("said_0") != F.col("said_1")) | (by_network & (F.col("network_0") != F.col("network_1")))
    return months.where(counts & differs)


def priced(
    read: Read,
    moved: DataFrame,
    months: DataFrame,
    sequestration_rates: DataFrame,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
    *,
    networks: int,
) -> DataFrame:
    """What the moved months cost by the claims of one run as if they counted, by category.

    `networks` says by which run's attribution a member is a network's.
    """
    claims = read(CLAIM_COSTS).join(moved.select("member_id"), "member_id", how="left_semi")
    # made anew: a stored column keeps its comment
    dated = claims.withColumns({name: month_of(name) for name in ("thru_month", "from_month")})
    counting = months.select(
        *_KEY,
        "member_month",
        F.lit(None).cast("string").alias("enrollment_type"),
        F.array().cast(TEXTS).alias("ineligible_reasons"),
    )
    whose = moved.select(*_KEY, F.col(f"network_{networks}").alias("network_id"))
    costs = member_month_costs(
        dated,
        counting,
        whose,
        sequestration_rates,
        read(COMPLETION_FACTORS),
        policies=policies,
        performance_years=performance_years,
    )
    return costs.where("exclusion_reason IS NULL AND in_total")


Priced = Mapping[tuple[int, int], "DataFrame"]
"""`priced` by the run of the claims and the run of the networks."""


def moved_sums(moved: DataFrame, months: DataFrame, costs: Priced, policies: Sequence[Policy]) -> DataFrame:
    """By pair of networks: dollars of the moved months, and the moved members whom the claims touch.

    `priced_cea` are those by the claims of c, in the months that e counts, of members that are a network's by a.
    """
    said = months.select(*_KEY, "member_month", "said_0", "said_1")
    names = [f"priced_{mixture}" for mixture in ALL_MIXTURES]
    parts = []
    for (claims, networks), rows in costs.items():
        joined = rows.select(*_KEY, "member_month", "counted_amount").join(said, [*_KEY, "member_month"], how="inner")

        def amount(mixture: Mixture, claims: int = claims, networks: int = networks) -> SparkColumn:
            is_here = (mixture.claims, mixture.networks) == (claims, networks)
            counted = F.when(F.col(f"said_{mixture.months}") > 0, F.col("counted_amount"))
            return (counted if is_here else F.lit(None)).cast(MONEY).alias(f"priced_{mixture}")

        parts.append(joined.select(*ids("policy"), _year(), *ids("member_id"), *[amount(m) for m in ALL_MIXTURES]))
    together = reduce(lambda one, more: one.unionByName(more), parts)
    of_member = together.groupBy(*_KEY).agg(*[_sum_of(name, MONEY) for name in names])
    joined = moved.join(of_member, list(_KEY), how="left").fillna(0, names)
    touched = F.lit(False)
    for policy in policies:
        touched = touched | (_is_of([policy]) & _is_touched(policy))
    return joined.groupBy(*BY_NETWORKS).agg(
        *[F.sum(name).alias(name) for name in names], F.count_if(touched).alias(f"touched_{CLAIMS}")
    )


def _is_touched(policy: Policy) -> SparkColumn:
    """The claims move the member's dollars, in the months and for the network of either run."""

    def dollars(claims: int, other: int) -> SparkColumn:
        mixture = mixture_of(policy, claims, other, other)
        own = Mixture(claims, claims, claims)
        whole = F.col(f"amount_{claims}") - F.col(f"cut_{claims}")
        return whole if claims == other else whole + F.col(f"priced_{mixture}") - F.col(f"priced_{own}")

    return (dollars(0, 0) != dollars(1, 0)) | (dollars(0, 1) != dollars(1, 1))


def mixed(policy: Policy, mixture: Mixture) -> Policy:
    """The policy under the name of a mixture."""
    return replace(policy, name=f"{policy.label}{_APART}{mixture}", is_changed=False)


_APART = "~"


def mixed_costs(
    sides: tuple[Read, Read],
    months: DataFrame,
    costs: Priced,
    policy: Policy,
    mixtures: Sequence[Mixture],
    performance_years: Sequence[int],
) -> DataFrame:
    """The counted rows of every mixture, under its name: those of its claims' run where both runs say the same of the
    month, else those that are priced anew, with the type that its months' run has."""
    types = F.array(*[F.lit(name) for name in ENROLLMENT_TYPES])

    def rows_of(mixture: Mixture) -> DataFrame:
        own = of_run(sides[mixture.claims](MEMBER_MONTH_COSTS), [policy], performance_years)
        of_months = months.where(F.col("policy") == policy.label)
        kept = (
            own.where("exclusion_reason IS NULL AND in_total")
            .join(of_months.select(*_KEY, "member_month"), [*_KEY, "member_month"], how="left_anti")
            .select(_year(), *ids("member_id", "enrollment_type"), *_needed())
        )
        said = F.col(f"said_{mixture.months}")
        anew = (
            costs[mixture.claims, mixture.networks]
            .drop("enrollment_type")
            .join(of_months.where(said > 0).select(*_KEY, "member_month", said.alias("said")), [*_KEY, "member_month"])
            .select(_year(), *ids("member_id"), F.get(types, F.col("said") - 2).alias("enrollment_type"), *_needed())
        )
        return kept.unionByName(anew).select(
            F.lit(mixed(policy, mixture).label).alias("policy"),
            "*",
            F.lit(None).cast("string").alias("exclusion_reason"),
            F.lit(True).alias("in_total"),
        )

    return reduce(lambda one, more: one.unionByName(more), [rows_of(mixture) for mixture in mixtures])


def _needed() -> list[SparkColumn]:
    money_columns = ("counted_amount", *ROW_EFFECTS)
    return [
        F.trunc("member_month", "month").alias("member_month"),
        *ids("service_category", "network_id"),
        *[(F.col(name) + F.lit(0)).cast(MONEY).alias(name) for name in money_columns],
    ]


def mixed_months(
    sides: tuple[Read, Read], policy: Policy, mixtures: Sequence[Mixture], performance_years: Sequence[int]
) -> DataFrame:
    """The months of every mixture, under its name."""

    def rows_of(mixture: Mixture) -> DataFrame:
        months = of_run(sides[mixture.months](MEMBER_MONTHS), [policy], performance_years).where("is_eligible")
        return months.select(
            F.lit(mixed(policy, mixture).label).alias("policy"),
            _year(),
            *ids("member_id", "enrollment_type"),
            "is_eligible",
            (F.col("exposure") + F.lit(0)).cast(MONTHS).alias("exposure"),
        )

    return reduce(lambda one, more: one.unionByName(more), [rows_of(mixture) for mixture in mixtures])


def cut_sums(
    months: DataFrame,
    costs: DataFrame,
    supplied: DataFrame,
    members: DataFrame,
    policy: Policy,
    mixtures: Sequence[Mixture],
    performance_years: Sequence[int],
    keep: Callable[[Table, DataFrame], DataFrame],
) -> DataFrame:
    """What the truncation takes in every mixture, by pair of networks: `mixture`, and `cut`."""
    policies = [mixed(policy, mixture) for mixture in mixtures]
    years = performance_years
    limits = truncation_limits(months, costs, supplied, policies=policies, performance_years=years)
    kept = keep(TRUNCATION_LIMITS, limits)
    cuts = truncated_costs(months, costs, kept, policies=policies, performance_years=years)
    whose = members.where(F.col("policy") == policy.label).select(
        "performance_year", "member_id", "network_0", "network_1"
    )
    return (
        cuts.select("policy", "performance_year", "member_id", "counted_amount")
        .join(whose, ["performance_year", "member_id"], how="inner")
        .groupBy("policy", "performance_year", "network_0", "network_1")
        .agg(F.sum("counted_amount").alias("cut"))
        .select(
            F.substring_index("policy", _APART, -1).alias("mixture"),
            "performance_year",
            "network_0",
            "network_1",
            "cut",
        )
    )
