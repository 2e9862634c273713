"""Each dollar of a member: its category, the month it falls in, and counted, or the first reason why not.

Lines are judged one by one, by the policy's rules and the reasons of its months; their sums are held against what the
run published. Steps round a month's category, not a line: they are told by year.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pmpm_spark.errors import StageError
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.cost_steps import EFFECT_COLUMNS, PHARMACY, in_order_of, reason_of
from pmpm_spark.silver.member_month_costs import NOT_ENROLLED
from pmpm_spark.why.member import Member
from pmpm_spark.why.months import placed
from pmpm_spark.why.rules import Rules
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pyspark.sql import Row

OUTSIDE_YEARS, OUT_OF_NETWORK, COUNTED = "OUTSIDE_YEARS", "OUT_OF_NETWORK", "COUNTED"
Shown = Callable[[date], bool]
"""Whether a month is asked for."""


@dataclass(frozen=True)
class Dollar:
    """A final claim line under one policy; `reason` is null where it counts."""

    policy: str
    month: date
    line: Row
    reason: str | None
    because: str | None

    @property
    def paid_amount(self) -> Decimal:
        return Decimal(self.line["paid_amount"] or 0)


def dollars_of(member: Member, rules: Rules) -> list[Dollar]:
    """Every final line of the member under every policy.

    Raises:
        StageError: the lines do not add up to what was published.
    """
    if sum((Decimal(line["paid_amount"] or 0) for line in member.lines), Decimal(0)) != member.claim_costs:
        raise StageError("explain: the member's claim lines do not add up to silver.claim_costs; run `pmpm run` again")
    found = []
    for label, (policy, years) in rules.items():
        judged = _judged(member, label, policy, years)
        _check(judged, [row for row in member.costs if row["policy"] == label], label)
        found += judged
    return found


def _judged(member: Member, label: str, policy: Policy, years: Sequence[int]) -> list[Dollar]:
    months = {row["member_month"]: row for row in member.months if row["policy"] == label}
    networks = {row["performance_year"]: row["network_id"] for row in member.attribution if row["policy"] == label}

    def judged(line: Row) -> Dollar:
        day = (
            line["service_thru"] if policy.cost.claim_month == "thru" else line["service_from"] or line["service_thru"]
        )
        month = day.replace(day=1)
        network = networks.get(month.year, UNATTRIBUTED)
        return Dollar(label, month, line, *_verdict(line, month, policy, years, months.get(month), network))

    return [judged(line) for line in member.lines]


def _verdict(
    line: Row, month: date, policy: Policy, years: Sequence[int], told: Row | None, network: str
) -> tuple[str | None, str | None]:
    """The first reason why a line does not count, as gold.excluded has it, with what it rests on."""
    if month.year not in years:
        return OUTSIDE_YEARS, f"{month.year} is not computed"
    if line["service_category"] == PHARMACY and not policy.cost.include_pharmacy:
        return "PHARMACY", "outside the total by cost.include_pharmacy"
    if line["is_denied"]:
        return "DENIED", None
    if told is None:
        return NOT_ENROLLED, "nobody's claim: the person has no such member month"
    if told["ineligible_reasons"]:
        return told["ineligible_reasons"][0], "its month does not count"
    if policy.cost.basis == "reimbursed_to_network" and line["roster_network_id"] != network:
        whose = line["roster_network_id"] or "no network"
        return OUT_OF_NETWORK, f"paid to {whose}, the member's network is {network}"
    return None, None


def _check(judged: Sequence[Dollar], costs: Sequence[Row], label: str) -> None:
    """The counted lines of each month and category are those that the run counted."""
    counted: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for dollar in judged:
        if dollar.reason is None:
            counted[dollar.month, dollar.line["service_category"]] += dollar.paid_amount
    for row in costs:
        if row["in_total"] and row["exclusion_reason"] is None:
            counted[row["member_month"], row["service_category"]] -= row["counted_paid_amount"]
    if any(counted.values()):
        raise StageError(
            f"explain: policy {label} was computed from other claims than those of the last finished run; run its "
            "years anew, or ask for another policy with --policy"
        )


def dollars_section(member: Member, dollars: Sequence[Dollar], shown: Shown) -> Section:
    names = (
        "policy", "member_month", "service_category", "claim_id", "line_number", "service_thru", "paid_amount",
        "counts", "reason", "because", "file", "row",
    )  # fmt: skip
    asked = [dollar for dollar in dollars if shown(dollar.month)]
    told = [dollar for dollar in asked if dollar.paid_amount and dollar.reason != OUTSIDE_YEARS] or asked
    return Section(
        "dollars",
        "Dollars",
        names,
        [_told(member, dollar) for dollar in asked],
        "no claim line in the months that are asked for",
        "merged",
        shown=[_told(member, dollar) for dollar in told],
        left_out=f" (lines of 0.00, and {OUTSIDE_YEARS})",
    )


def _told(member: Member, dollar: Dollar) -> tuple[Any, ...]:
    line = dollar.line
    return (
        dollar.policy,
        dollar.month,
        line["service_category"],
        line["claim_id"],
        line["line_number"],
        line["service_thru"],
        dollar.paid_amount,
        dollar.reason is None,
        dollar.reason,
        dollar.because,
        *placed(member.header(line) if dollar.paid_amount else member.place(line)),
    )


def totals_section(dollars: Sequence[Dollar], shown: Shown) -> Section:
    """What counts and what does not, by reason, and all of it: the sum of both."""
    rows: list[tuple[Any, ...]] = []
    asked = [dollar for dollar in dollars if shown(dollar.month)]
    for label in dict.fromkeys(dollar.policy for dollar in asked):
        of_policy = [dollar for dollar in asked if dollar.policy == label]
        reasons = sorted({dollar.reason for dollar in of_policy if dollar.reason})
        parts = {COUNTED: [d for d in of_policy if d.reason is None]}
        parts |= {reason: [d for d in of_policy if d.reason == reason] for reason in reasons}
        rows += [(label, name, len(part), _sum(part)) for name, part in parts.items()]
        rows.append((label, "ALL", len(of_policy), _sum(of_policy)))
    names = ("policy", "dollars", "claim_lines", "paid_amount")
    return Section("totals", "Counted + not counted = all that silver.claim_costs has", names, rows, "no claim line")


def _sum(dollars: Sequence[Dollar]) -> Decimal:
    return sum((dollar.paid_amount for dollar in dollars), Decimal(0))


def steps_section(member: Member, policies: Mapping[str, Policy], shown: Shown) -> Section:
    """What the policy's steps make of the counted dollars of each year; the years with any effect."""
    sums: dict[tuple[str, int], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    counted = [row for row in member.costs if row["in_total"] and row["exclusion_reason"] is None]
    for row in [*counted, *member.truncated]:
        if not shown(row["member_month"]):
            continue
        of_year = sums[row["policy"], row["performance_year"]]
        for name in (*EFFECT_COLUMNS, "counted_paid_amount", "counted_amount"):
            if name in row:
                of_year[name] += row[name]
    rows: list[tuple[Any, ...]] = []
    for (label, year), of_year in sorted(sums.items()):
        effects = [(reason_of(name), of_year[name]) for name in in_order_of(policies[label].cost) if of_year[name]]
        if effects:
            told = [("PAID", of_year["counted_paid_amount"]), *effects, (COUNTED, of_year["counted_amount"])]
            rows += [(label, year, name, amount) for name, amount in told]
    names = ("policy", "performance_year", "step", "counted_amount")
    return Section("steps", "From what was paid to the policy's dollars", names, rows, "no step changes anything")
