"""Why: each month and dollar of one member, counted or not, and whose member it is. It shows member data, to who asks
for it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.cli.render import Rows, as_table
from pmpm_spark.errors import InputError
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.cost_steps import EFFECT_COLUMNS, reason_of
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS

if TYPE_CHECKING:
    from pyspark.sql import Row

    from pmpm_spark.warehouse import Published


def explained(warehouse: Published, member_id: str, month: str | None) -> str:
    """Attribution, months and dollars of one member, as the last finished run has them.

    Raises:
        InputError: the warehouse has no month and no cost of such a member.
    """
    is_member = F.col("member_id") == member_id
    in_month = F.lit(True) if month is None else F.col("member_month") == date.fromisoformat(f"{month}-01")
    months = warehouse.read(MEMBER_MONTHS).where(is_member & in_month).orderBy("policy", "member_month").collect()
    costs = (
        warehouse.read(MEMBER_MONTH_COSTS)
        .where(is_member & in_month)
        .orderBy("policy", "member_month", "service_category")
        .collect()
    )
    if not months and not costs:
        raise InputError(
            "explain: the last finished run has no month and no cost of this member"
            + (" in this month" if month else "")
        )
    whose = warehouse.read(ATTRIBUTION).where(is_member).orderBy("policy", "performance_year").collect()
    changed = {_of(row): row for row in warehouse.read(TRUNCATED_COSTS).where(is_member & in_month).collect()}
    dollars = _dollars(costs, changed, month)
    parts = ["Attribution", _attribution(whose), "", "Months", _months(months), "", "Dollars", dollars]
    return "\n".join(parts)


def _attribution(rows: list[Row]) -> str:
    if not rows:
        return "not covered in any performance year of the run, and no candidate: UNATTRIBUTED"
    names = (
        "policy", "performance_year", "network_id", "practice_tin", "physician_npi", "method", "step", "winner",
        "measure_amount", "runner_up_network_id", "runner_up_amount", "margin", "unattributed_reason",
    )  # fmt: skip
    return as_table(Rows(names, [[row[name] for name in names] for row in rows]))


def _months(rows: list[Row]) -> str:
    """Each month with what it weighs: 1, or its covered share where the policy prorates."""
    names = (
        "policy",
        "member_month",
        "counts",
        "enrollment_type",
        "age",
        "part A",
        "part B",
        "MA",
        "exposure",
        "reasons",
    )
    told = [
        (
            row["policy"],
            f"{row['member_month']:%Y-%m}",
            row["is_eligible"],
            row["enrollment_type"],
            row["age"],
            row["has_part_a"],
            row["has_part_b"],
            row["in_medicare_advantage"],
            row["exposure"],
            ", ".join(row["ineligible_reasons"]) or "-",
        )
        for row in rows
    ]
    return as_table(Rows(names, told)) if told else "no member month: not covered in any performance year of the run"


def _of(row: Row) -> tuple[Any, ...]:
    return row["policy"], row["member_month"], row["service_category"]


def _dollars(rows: list[Row], truncated: dict[tuple[Any, ...], Row], month: str | None) -> str:
    """Each month's category, in parts as `excluded` has them, and the steps to what is counted."""
    names = (
        "policy",
        "member_month",
        "service_category",
        "claim_lines",
        "paid_amount",
        "counted_amount",
        "why not counted",
        "steps",
    )
    told = [
        (
            row["policy"],
            f"{row['member_month']:%Y-%m}",
            row["service_category"],
            row["claim_lines"] + row["denied_lines"],
            row["paid_amount"] + row["denied_paid_amount"],
            _counted(row, truncated.get(_of(row)), "counted_amount"),
            _why_not(row),
            _steps(row, truncated.get(_of(row))),
        )
        for row in rows
    ]
    where = "in any performance year of the run" if month is None else f"in {month}"
    return as_table(Rows(names, told)) if told else f"no claim line {where}"


def _counted(row: Row, truncated: Row | None, name: str) -> Decimal:
    """An amount or effect of a row, with what the truncation changes of it."""
    if not row["in_total"]:
        return Decimal(0)
    parts = [part[name] for part in (row, truncated) if part is not None and name in part]
    return sum(parts, Decimal(0))


def _steps(row: Row, truncated: Row | None) -> str:
    effects = {name: _counted(row, truncated, name) for name in EFFECT_COLUMNS}
    return ", ".join(f"{reason_of(name)} {effect:+,.2f}" for name, effect in effects.items() if effect) or "-"


def _why_not(row: Row) -> str:
    if not row["in_total"]:
        return "PHARMACY"
    parts = []
    if row["denied_lines"]:
        parts.append(f"DENIED {row['denied_paid_amount']:,.2f}")
    if row["exclusion_reason"] and row["claim_lines"]:
        parts.append(row["exclusion_reason"])
    elif row["claim_lines"] > row["counted_lines"]:
        parts.append(f"OUT_OF_NETWORK {row['paid_amount'] - row['counted_paid_amount']:,.2f}")
    return ", ".join(parts) or "-"
