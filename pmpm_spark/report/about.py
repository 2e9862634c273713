"""What the pages share: the run that they are about, the rows of its year, and how things are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pmpm_spark.policy import Policy
from pmpm_spark.report.views import Column
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.small_cells import Shareable

Row = Mapping[str, Any]
NO_NETWORK = "No network"
NO_FIGURE = "–"
FIGURES = (
    ("members", "Members", "count"),
    ("member_months", "Member months", "count"),
    ("pmpm", "PMPM", "money"),
    ("normalized_risk_score", "Normalized risk", "score"),
    ("adjusted_pmpm", "Adjusted PMPM", "money"),
)
"""Columns of the tables by network, practice and physician, as they are called here."""
PARTS = {
    "ENROLLMENT_MIX": "Kinds of enrollment",
    "RISK": "Risk of the members",
    "USE": "Use of services",
    "COST_PER_SERVICE": "Cost of a service",
}
"""What a difference of two figures comes from, as it is called here."""
LEAKAGE = "gold.network_pmpm, 1 − in_network_paid_amount ÷ paid_amount"
IN_NETWORK = "gold.network_pmpm, in_network_paid_amount ÷ member_months"


@dataclass(frozen=True)
class About:
    """What is told of the run besides its gold tables."""

    policy: Policy
    policy_hash: str
    performance_year: int
    run_id: str
    engine: str
    notices: Sequence[str] = ()
    loads: Sequence[Row] = field(default_factory=tuple)


@dataclass(frozen=True)
class Year:
    """The rows of one policy and year."""

    found: Shareable
    policy: str
    year: int
    _by_network: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        return self.found.rows(table, policy=self.policy, performance_year=self.year, **where)

    def networks(self) -> list[dict[str, Any]]:
        """Lowest adjusted PMPM first, what is left out last."""
        return sorted(self.rows("network_pmpm"), key=rank)

    def other_networks(self, network: str) -> list[dict[str, Any]]:
        """All but one, without members of none."""
        return [row for row in self.networks() if row["network_id"] not in (network, UNATTRIBUTED)]

    def of_network(self, table: str, network: str) -> list[dict[str, Any]]:
        """The rows of a network, of all years of the policy."""
        if table not in self._by_network:
            by_network: dict[str, list[dict[str, Any]]] = {}
            for row in self.found.rows(table, policy=self.policy):
                by_network.setdefault(row["network_id"], []).append(row)
            self._by_network[table] = by_network
        return self._by_network[table].get(network, [])

    def this_year(self, table: str, network: str) -> list[dict[str, Any]]:
        return [row for row in self.of_network(table, network) if row["performance_year"] == self.year]


def name_of(row: Row) -> str:
    if row["network_id"] == UNATTRIBUTED:
        return NO_NETWORK
    return str(row["network_name"] or row["network_id"])


def apart(name: str) -> str:
    """A name inside a sentence, whose direction it does not change."""
    return f"\u2068{name}\u2069"


def page_of(place: int) -> str:
    return f"network-{place + 1}"


def rank(row: Row) -> tuple[Any, ...]:
    figure = row["adjusted_pmpm"] if row["adjusted_pmpm"] is not None else row["pmpm"]
    return figure is None, figure or 0, row["network_id"]


def or_dash(value: Any) -> Any:
    """What cannot be said is a dash; what is left out is told otherwise."""
    return NO_FIGURE if value is None else value


def number(value: Any) -> float | None:
    return None if value is None else float(value)


def listed(labels: Iterable[str], values: Iterable[float | None], is_money: bool = True, *, places: int = 0) -> str:
    """The figures of a chart in words, for those who do not see it."""
    sign = "$" if is_money else ""
    return "; ".join(
        f"{label}: {'−' if value < 0 else ''}{sign}{abs(value):,.{places}f}"
        for label, value in zip(labels, values, strict=True)
        if value is not None
    )


def columns(table: str, names: Sequence[tuple[str, str, str]]) -> list[Column]:
    return [Column(label, kind, f"gold.{table}.{name}") for name, label, kind in names]


def bases(row: Row) -> tuple[Any, Any]:
    """What the network's own roster was paid per member month, and the share that went elsewhere."""
    if row["network_id"] == UNATTRIBUTED:
        return NO_FIGURE, NO_FIGURE
    inside, paid, months = row["in_network_paid_amount"], row["paid_amount"], row["member_months"]
    if inside is None or not months:
        return None, None
    return float(inside) / float(months), float(1 - inside / paid) if paid else NO_FIGURE
