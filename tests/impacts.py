"""What is shown of the impact of one policy after another, checked against what the run published."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pmpm_spark.cli.impact import impact_rows
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.warehouse import Published

FIGURES = ("member_months", "counted_amount", "pmpm")


def impact(ran: Published, one: str, other: str, year: int, network: str | None = None) -> dict[str, tuple[Any, ...]]:
    """The figures of every row by its first cell: they add up, and the ends are those of gold."""
    found = impact_rows(ran, one, other, performance_year=year, network_id=network)
    assert found.names == ("rule", one, other, *FIGURES)
    first, *moved, last = [row[3:] for row in found.rows]
    for at in range(len(FIGURES)):
        assert first[at] + sum(row[at] for row in moved if row[at] is not None) == last[at]
    gold = ran.read(NETWORK_PMPM).where(f"performance_year = {year}").collect()
    for label, told in ((one, first), (other, last)):
        rows = [row for row in gold if row["policy"] == label and network in (None, row["network_id"])]
        months, dollars = (sum((row[name] for row in rows), Decimal(0)) for name in FIGURES[:2])
        assert told[:2] == (round(months, 2), dollars)
        assert abs(told[2] - (dollars / months if months else 0)) <= Decimal("0.005")
    return {row[0]: row[3:] for row in found.rows}
