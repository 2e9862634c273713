"""A network's PMPM down to its parts, each with the formula that it enters, so that the arithmetic can be redone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.errors import InputError, StageError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY
from pmpm_spark.gold.practice_pmpm import PRACTICE_PMPM
from pmpm_spark.gold.risk import people_of
from pmpm_spark.policy import Policy
from pmpm_spark.reference import RISK_MEANS, reference_rows
from pmpm_spark.silver.cost_steps import ROW_EFFECTS, in_order_of, reason_of
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.truncated_costs import CHANGED_EFFECTS, TRUNCATED_COSTS
from pmpm_spark.table import Table
from pmpm_spark.why.rules import Rules
from pmpm_spark.why.section import Section, some_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

    from pmpm_spark.warehouse import Published

PRACTICE = (
    "practice_tin", "members", "member_months", "counted_amount", "pmpm", "normalized_risk_score", "adjusted_pmpm",
    "is_small_cell",
)  # fmt: skip
MOST_PRACTICES = 10
"""So many are listed for people."""
Part = tuple[str, Any, str]
"""Name, value, and the formula that makes it or that it enters."""


@dataclass(frozen=True)
class _Slice:
    """The network's rows of one policy and year."""

    warehouse: Published
    policy: Policy
    year: int
    network_id: str

    def of_year(self, table: Table) -> DataFrame:
        of_policy = (F.col("policy") == self.policy.label) & (F.col("performance_year") == self.year)
        return self.warehouse.read(table).where(of_policy)

    def of_network(self, table: Table) -> DataFrame:
        return self.of_year(table).where(F.col("network_id") == self.network_id)


def network_sections(warehouse: Published, network_id: str, year: int, rules: Rules) -> list[Section]:
    """The parts of its PMPM under each policy, and its practices.

    Raises:
        InputError: the network has no row in the year.
        StageError: the parts do not add up to what was published.
    """
    slices = [_Slice(warehouse, policy, year, network_id) for policy, _ in rules.values()]
    gold = {at.policy.label: row for at in slices for row in at.of_network(NETWORK_PMPM).collect()}
    if not gold:
        rows = [row for at in slices for row in at.of_year(NETWORK_PMPM).select("network_id").distinct().collect()]
        there = some_of({row["network_id"] for row in rows})
        raise InputError(f"explain: no network {network_id} is published in {year} (one of: {there})")
    parts: list[tuple[Any, ...]] = []
    practices: list[tuple[Any, ...]] = []
    for at in slices:
        label = at.policy.label
        if label in gold:
            own = (*_months(at, gold[label]), *_dollars(at, gold[label]), *_risk(at, gold[label]))
            parts += [(label, *part) for part in own]
            practices += _practices(at)
    names, heading = ("policy", "part", "value", "formula"), f"PMPM of {network_id} in {year}"
    below = "Its practices, most member months first"
    return [
        Section("parts", heading, names, parts, policies="apart"),
        Section("practices", below, ("policy", *PRACTICE), practices, policies="apart", at_most=MOST_PRACTICES),
    ]


def _months(at: _Slice, gold: Row) -> list[Part]:
    by_type = at.of_network(MEMBER_YEARS).groupBy("enrollment_type").agg(F.sum("member_months").alias("member_months"))
    rows = by_type.orderBy("enrollment_type").collect()
    _must_be(sum(row["member_months"] for row in rows), gold["member_months"], at)
    return [
        ("members", gold["members"], "people with an eligible month" + "; a small cell" * gold["is_small_cell"]),
        *[
            (f"member_months {row['enrollment_type']}", row["member_months"], "eligible months of the type")
            for row in rows
        ],
        ("member_months", gold["member_months"], "sum of the types"),
    ]


def _dollars(at: _Slice, gold: Row) -> list[Part]:
    categories = at.of_network(NETWORK_PMPM_BY_CATEGORY).where("in_total").orderBy("service_category").collect()
    _must_be(sum(row["counted_amount"] for row in categories), gold["counted_amount"], at)
    counted = at.of_network(MEMBER_MONTH_COSTS).where("in_total AND exclusion_reason IS NULL")
    effects = _sums(counted, ROW_EFFECTS)
    for name, amount in _sums(at.of_network(TRUNCATED_COSTS), CHANGED_EFFECTS).items():
        effects[name] = effects.get(name, Decimal(0)) + amount
    steps = [(name, effects[name]) for name in in_order_of(at.policy.cost) if effects[name]]
    _must_be(gold["paid_amount"] + sum(amount for _, amount in steps), gold["counted_amount"], at)
    return [
        ("paid_amount", gold["paid_amount"], "what was paid, of what the policy counts"),
        *[(f"step {reason_of(name)}", amount, "added to paid_amount") for name, amount in steps],
        *[
            (f"counted_amount {row['service_category']}", row["counted_amount"], "after all steps")
            for row in categories
        ],
        ("counted_amount", gold["counted_amount"], "sum of the categories = paid_amount" + " + steps" * bool(steps)),
        ("pmpm", gold["pmpm"], "counted_amount / member_months"),
    ]


def _sums(rows: DataFrame, names: Sequence[str]) -> dict[str, Decimal]:
    found = rows.agg(*[F.sum(name).alias(name) for name in names]).collect()[0]
    return {name: found[name] or Decimal(0) for name in names}


def _risk(at: _Slice, gold: Row) -> list[Part]:
    if gold["risk_score"] is None:
        return [("scored_members", gold["scored_members"], "nobody has a score: nothing is adjusted")]
    risk, by_months = at.policy.risk, at.policy.risk.weighting == "member_months"
    people = people_of(at.of_network(MEMBER_YEARS).where("risk_score IS NOT NULL"), ("network_id",))
    weight = F.col("member_months") if by_months else F.lit(1)
    sums = people.agg(F.sum(F.col("risk_score") * weight).alias("scores"), F.sum(weight).alias("weights")).collect()[0]
    weights = "member months of scored members" if by_months else "scored members"
    parts: list[Part] = [
        ("scored_members", gold["scored_members"], f"of {gold['members']:,} members"),
        ("score_sum", sums["scores"], f"sum of scores{' x member months' if by_months else ''}"),
        ("score_weights", sums["weights"], weights),
        ("risk_score", gold["risk_score"], "score_sum / score_weights"),
    ]
    uncapped = "normalized_risk_score" if risk.cap == "none" else "uncapped_risk_score"
    if risk.by_enrollment_type:
        parts += _by_type(at, by_months)
        parts += [
            (uncapped, gold["uncapped_risk_score"], "sum of the types' normalized_scores / sum of their weights"),
            ("normalization_factor", gold["normalization_factor"], f"risk_score / {uncapped}; {gold['normalization']}"),
        ]
    else:
        kinds = {
            "table": "published for the year (reference.normalization_factors)",
            "supplied": "supplied for the year (reference.risk_means)",
            "population": "mean score of everybody with an eligible month under the policy",
        }
        parts += [
            ("normalization_factor", gold["normalization_factor"], kinds[risk.normalization]),
            (uncapped, gold["uncapped_risk_score"], "risk_score / normalization_factor"),
        ]
    if risk.cap != "none":
        parts += _cap(at, gold)
    return [
        *parts,
        ("adjusted_amount", gold["adjusted_amount"], "counted_amount / normalized_risk_score, half up to cents"),
        ("adjusted_pmpm", gold["adjusted_pmpm"], "counted_amount / normalized_risk_score / member_months"),
    ]


def _by_type(at: _Slice, by_months: bool) -> list[Part]:
    """Scores of each type over the mean of the type."""
    weight = F.col("member_months") if by_months else F.lit(1)

    def sums(rows: DataFrame) -> Mapping[str, Row]:
        scored = rows.where("risk_score IS NOT NULL")
        told: tuple[Column, ...] = (F.sum(F.col("risk_score") * weight).alias("scores"), F.sum(weight).alias("weights"))
        return {row["enrollment_type"]: row for row in scored.groupBy("enrollment_type").agg(*told).collect()}

    own, everybody = sums(at.of_network(MEMBER_YEARS)), sums(at.of_year(MEMBER_YEARS))
    means = {kind: float(row["scores"]) / float(row["weights"]) for kind, row in everybody.items()}
    how = "mean score of the type under the policy"
    if at.policy.risk.normalization == "supplied":
        supplied = reference_rows(RISK_MEANS, at.warehouse.store.reference_path)
        means = {kind: float(mean) for year, kind, mean, _ in supplied if year == at.year}
        how = "supplied for the type (reference.risk_means)"
    parts: list[Part] = []
    for kind in sorted(own):
        parts += [
            (f"score_sum {kind}", own[kind]["scores"], "sum of scores" + " x member months" * by_months),
            (f"score_mean {kind}", means.get(kind), how),
            (
                f"normalized_scores {kind}",
                float(own[kind]["scores"]) / means[kind],
                "score_sum / score_mean",
            ),
            (f"score_weights {kind}", own[kind]["weights"], "weights of the type"),
        ]
    return parts


def _cap(at: _Slice, gold: Row) -> list[Part]:
    risk = at.policy.risk
    reference_year = _Slice(at.warehouse, at.policy, risk.cap_reference_year, at.network_id)
    rows = reference_year.of_network(NETWORK_PMPM).collect() if at.year > risk.cap_reference_year else []
    if not rows or rows[0]["normalized_risk_score"] is None:
        return [("normalized_risk_score", gold["normalized_risk_score"], "uncapped_risk_score: no reference year")]
    limit = f"1 {'±' if risk.cap == 'both' else '+'} {risk.cap_percent:g}%"
    before = f"normalized_risk_score {risk.cap_reference_year}"
    return [
        (before, rows[0]["normalized_risk_score"], f"of the reference year {risk.cap_reference_year}"),
        (
            "normalized_risk_score",
            gold["normalized_risk_score"],
            f"uncapped_risk_score, no further than {before} x ({limit})",
        ),
    ]


def _practices(at: _Slice) -> list[tuple[Any, ...]]:
    rows = at.of_network(PRACTICE_PMPM).orderBy(F.desc("member_months"), "practice_tin").select(*PRACTICE).collect()
    return [(at.policy.label, *row) for row in rows]


def _must_be(found: Any, published: Decimal, at: _Slice) -> None:
    if Decimal(found) != published:
        raise StageError(
            f"explain: the parts of policy {at.policy.label} in {at.year} do not add up to gold.network_pmpm; "
            "run its years anew"
        )
