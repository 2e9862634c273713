"""A member written by hand: enrollment records, claim lines and what a run made of them, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import Row

from pmpm_spark.why.member import Member
from pmpm_spark.why.records import Enrollment, Place

UNKNOWN = date(1900, 1, 1)


def day(text: str) -> date:
    return date.fromisoformat(text)


def run(first: str, last: str, parts: str = "AB", **told: Any) -> Row:
    """Covered days with their Parts; `managed`, `secondary`, `us` where they differ."""
    return Row(
        coverage_start=day(first),
        coverage_end=day(last),
        has_part_a="A" in parts,
        has_part_b="B" in parts,
        in_medicare_advantage=told.get("managed", False),
        medicare_is_secondary=told.get("secondary"),
        resides_in_us=told.get("us", True),
    )


def record(at: int, *coverage: Row, year: int | None = None, **told: Any) -> Row:
    """An enrollment row on line `at` of enrollment.csv."""
    return Row(
        plan_id=told.get("plan", "P"),
        recorded_on=day(told["on"]) if "on" in told else UNKNOWN,
        reference_year=year,
        death_date=day(told["death"]) if "death" in told else None,
        coverage=list(coverage),
        _source_file="enrollment.csv",
        _source_row=at,
    )


def line(claim: str, thru: str, paid: str | None, **told: Any) -> Row:
    """A final claim line; a professional one of no roster unless told."""
    return Row(
        claim_id=claim,
        line_number=told.get("number", 1),
        claim_version="1",
        claim_type=told.get("type", "professional"),
        service_category=told.get("category", told.get("type", "professional")),
        service_from=day(told["first"]) if "first" in told else None,
        service_thru=day(thru),
        paid_amount=None if paid is None else Decimal(paid),
        is_denied=told.get("denied", False),
        primary_payer_code=told.get("payer"),
        roster_network_id=told.get("network", ""),
    )


def month(at: str, *reasons: str, policy: str = "p", **told: Any) -> Row:
    first = day(f"{at}-01")
    return Row(
        policy=policy,
        member_month=first,
        performance_year=first.year,
        is_eligible=not reasons,
        ineligible_reasons=list(reasons),
        enrollment_type="AGED_NON_DUAL",
        has_part_a=told.get("a", True),
        has_part_b=told.get("b", True),
        in_medicare_advantage=False,
        exposure=Decimal("1.000000"),
    )


def cost(at: str, category: str, counted: str, policy: str = "p", **effects: str) -> Row:
    """What the run counted of a month and category, with its effects."""
    names = ("allowed", "pass_through", "ime_dsh_uncompensated", "sequestration", "completion")
    told = {f"{name}_effect": Decimal(effects.get(name, "0.00")) for name in names}
    return Row(
        policy=policy,
        member_month=day(f"{at}-01"),
        performance_year=int(at[:4]),
        service_category=category,
        in_total=True,
        exclusion_reason=None,
        counted_paid_amount=Decimal(counted),
        counted_amount=Decimal(counted) + sum(told.values()),
        **told,
    )


def member(
    records: Sequence[Row] = (),
    lines: Sequence[Row] = (),
    months: Iterable[Row] = (),
    *,
    told: tuple[int, int] = (2019 * 12, 2021 * 12 + 11),
    secondary: dict[int, str] | None = None,
    costs: Sequence[Row] = (),
    truncated: Sequence[Row] = (),
    attribution: Sequence[Row] = (),
    claim_costs: str | None = None,
    claim_rows: Sequence[Row] = (),
) -> Member:
    """Line n of the claims stands on line n + 1 of claims.csv."""
    places = {
        (row["claim_id"], row["line_number"], "1"): Place("claims.csv", number)
        for number, row in enumerate(lines, start=2)
    }
    paid = sum((row["paid_amount"] or Decimal(0) for row in lines), Decimal(0))
    return Member(
        member_id="m",
        enrollment=Enrollment(records, True, *told),
        months=list(months),
        secondary=secondary or {},
        lines=lines,
        places=places,
        claim_rows=claim_rows,
        has_lines=True,
        claim_costs=paid if claim_costs is None else Decimal(claim_costs),
        costs=costs,
        truncated=truncated,
        attribution=attribution,
    )
