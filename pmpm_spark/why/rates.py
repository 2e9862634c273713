"""What a step of a member's dollars rests on: the limit of the truncation, the factor of the completion, the rate of
the sequestration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.months import number_of
from pmpm_spark.policy import Policy
from pmpm_spark.reference import SEQUESTRATION_RATES, reference_rows
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.cost_steps import EFFECTS, PHARMACY
from pmpm_spark.silver.truncation_limits import TRUNCATION_LIMITS
from pmpm_spark.why.dollars import Dollar, Shown
from pmpm_spark.why.member import Member
from pmpm_spark.why.records import as_month, as_range, runs
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pyspark.sql import Row

    from pmpm_spark.warehouse import Published

CENT = Decimal("0.01")
Told = tuple[str, int, str, str, Any, str | None]
"""Policy, performance year, step, what it applies to, value, and what that rests on."""


@dataclass(frozen=True)
class Rates:
    """Rows of silver.truncation_limits, silver.completion_factors and reference.sequestration_rates."""

    limits: Sequence[Row] = ()
    factors: Sequence[Row] = ()
    sequestration: Sequence[Mapping[str, Any]] = ()


def rates_of(warehouse: Published, member: Member, policies: Mapping[str, Policy]) -> Rates:
    """What the member's steps ask for: a table is read only where a step has an effect."""
    months = {row["member_month"] for row in _with(member, "completion_effect")}
    factors: Sequence[Row] = ()
    if months:
        methods = {policy.cost.completion for policy in policies.values()}
        of = F.col("method").isin(*methods) & F.col("incurred_month").isin(*months)
        factors = warehouse.read(COMPLETION_FACTORS).where(of).collect()
    limits: Sequence[Row] = ()
    if any(row["truncated_effect"] for row in member.truncated):
        limits = warehouse.read(TRUNCATION_LIMITS).where(F.col("policy").isin(*policies)).collect()
    rows = reference_rows(SEQUESTRATION_RATES, warehouse.store.reference_path)
    named = [dict(zip(SEQUESTRATION_RATES.column_names, row, strict=True)) for row in rows]
    return Rates(limits, factors, named)


def rates_section(
    member: Member, policies: Mapping[str, Policy], dollars: Sequence[Dollar], rates: Rates, shown: Shown
) -> Section:
    """For each step that has an effect in the months that are asked for, what it goes by."""
    rows = [
        *_truncation(member, policies, rates, shown),
        *_sequestration(member, dollars, rates, shown),
        *_completion(member, policies, rates, shown),
    ]
    names = ("policy", "performance_year", "step", "applies_to", "value", "because")
    return Section("rates", "What the steps go by", names, sorted(rows, key=lambda row: row[:2]))


def _with(member: Member, effect: str) -> list[Row]:
    """The counted rows that the step changes."""
    return [row for row in member.costs if row["in_total"] and row["exclusion_reason"] is None and row[effect]]


def _truncation(member: Member, policies: Mapping[str, Policy], rates: Rates, shown: Shown) -> list[Told]:
    """The limit of each truncated year and enrollment type, with the annualized cost that is above it."""
    limits = {(row["policy"], row["performance_year"], row["enrollment_type"]): row for row in rates.limits}
    truncated = {
        (row["policy"], row["performance_year"], row["enrollment_type"])
        for row in member.truncated
        if row["truncated_effect"] and shown(row["member_month"])
    }
    found: list[Told] = []
    for at in sorted(truncated):
        cost, limit = policies[at[0]].cost, limits[at]
        months = sum(row["exposure"] for row in member.months if row["is_eligible"] and _of_type(row) == at)
        later = [name for step in cost.after_truncation for name in EFFECTS.get(step, ())]
        amount = sum(
            row["counted_amount"] - sum((row[name] for name in later), Decimal(0))
            for row in member.costs
            if row["in_total"] and row["exclusion_reason"] is None and _of_type(row) == at
        )
        annualized = (amount * 12 / months).quantize(CENT, ROUND_HALF_UP)
        kind = "supplied"
        if cost.truncation == "percentile":
            kind = f"percentile {cost.truncation_percentile} of {limit['members']:,} members"
        because = f"limit {kind}; annualized {annualized:,} of {amount:,} in {months:f} months"
        found.append((*at[:2], "TRUNCATED", at[2], limit["truncation_limit"], because))
    return found


def _of_type(row: Row) -> tuple[str, int, str]:
    return row["policy"], row["performance_year"], row["enrollment_type"]


def _sequestration(member: Member, dollars: Sequence[Dollar], rates: Rates, shown: Shown) -> list[Told]:
    """The rates of the months of service whose counted dollars are added back; drugs have none."""
    of_rows = {
        (row["policy"], row["member_month"], row["service_category"])
        for row in _with(member, "sequestration_effect")
        if shown(row["member_month"]) and row["service_category"] != PHARMACY
    }
    months: dict[tuple[str, int, Decimal], set[int]] = defaultdict(set)
    for dollar in dollars:
        at = (dollar.policy, dollar.month, dollar.line["service_category"])
        if dollar.reason is None and dollar.paid_amount and at in of_rows:
            served = dollar.line["service_thru"].replace(day=1)
            rate = _rate(rates, served)
            if rate:
                months[dollar.policy, dollar.month.year, rate].add(number_of(served))
    return [
        (policy, year, "SEQUESTRATION", f"served {_ranges(of)}", rate, "withheld: paid / (1 - rate)")
        for (policy, year, rate), of in months.items()
    ]


def _rate(rates: Rates, month: date) -> Decimal | None:
    """Of two rates for a month the higher."""
    of_month = [
        row["sequestration_rate"] for row in rates.sequestration if row["first_month"] <= month <= row["last_month"]
    ]
    return max(of_month, default=None)


def _completion(member: Member, policies: Mapping[str, Policy], rates: Rates, shown: Shown) -> list[Told]:
    """The factor of each month and category that is completed."""
    factors = {
        (row["method"], row["claim_month"], row["service_category"], row["incurred_month"]): row
        for row in rates.factors
    }
    found: list[Told] = []
    for row in _with(member, "completion_effect"):
        if not shown(row["member_month"]):
            continue
        cost, month, category = policies[row["policy"]].cost, row["member_month"], row["service_category"]
        factor = factors[cost.completion, cost.claim_month, category, month]
        kind = "supplied" if cost.completion == "supplied" else "estimated by chain ladder"
        because = f"{kind}; {factor['runout_months']} months of run-out: amount / factor"
        what = f"{category} {as_month(number_of(month))}"
        found.append((row["policy"], row["performance_year"], "COMPLETION", what, factor["completion_factor"], because))
    return found


def _ranges(numbers: set[int]) -> str:
    return ", ".join(as_range(first, last) for first, last in runs(numbers))
