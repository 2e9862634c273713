"""What is compared: eight tables that any of the pipelines can be asked for, each with its key and columns.

Ours are the package's own tables, from which the columns below are chosen; peers write tables of these names and
columns as Parquet.
"""

from __future__ import annotations

from dataclasses import dataclass

POLICY = "default"


@dataclass(frozen=True)
class Compared:
    """One table: its name among the peers' files, ours, and what of ours is compared.

    `columns` are by name, with the expression over our table where that is not the column itself. `quotients` are
    DOUBLE, equal to 1e-9 of their value; all else is equal to the cent and the row.
    """

    name: str
    ours: str
    key: tuple[str, ...]
    columns: dict[str, str | None]
    quotients: tuple[str, ...] = ()
    where: str = "true"
    is_large: bool = False
    """A row or more for each member and year: compared year by year."""

    @property
    def exact(self) -> tuple[str, ...]:
        """Key and columns, without the quotients."""
        return (*self.key, *[name for name in self.columns if name not in self.quotients])

    @property
    def chosen(self) -> str:
        """Key and columns of ours as a SQL select list."""
        told = [f"{expression} AS {name}" if expression else name for name, expression in self.columns.items()]
        return ", ".join([*self.key, *told])


def _columns(*names: str, **expressions: str) -> dict[str, str | None]:
    return {**dict.fromkeys(names), **expressions}


_MONEY = ("members", "member_months", "paid_amount", "in_network_paid_amount", "scored_members")
_QUOTIENTS = ("pmpm", "risk_score", "normalized_risk_score", "adjusted_pmpm")

TABLES = (
    Compared(
        "member_months",
        "silver.member_months",
        ("performance_year", "member_id", "member_month"),
        _columns("is_eligible", exclusion_reason="ineligible_reasons[1]"),
        is_large=True,
    ),
    Compared(
        "attribution",
        "silver.attribution",
        ("performance_year", "member_id"),
        _columns("network_id", "practice_tin", "physician_npi"),
        is_large=True,
    ),
    Compared(
        "member_month_costs",
        "silver.member_month_costs",
        ("performance_year", "member_id", "member_month", "service_category"),
        _columns(
            "claim_lines",
            "paid_amount",
            "allowed_amount",
            "in_network_paid_amount",
            "denied_lines",
            "denied_paid_amount",
            "exclusion_reason",
        ),
        is_large=True,
    ),
    Compared(
        "network_pmpm",
        "gold.network_pmpm",
        ("performance_year", "network_id"),
        _columns("network_name", *_MONEY, *_QUOTIENTS),
        _QUOTIENTS,
    ),
    Compared(
        "physician_pmpm",
        "gold.physician_pmpm",
        ("performance_year", "network_id", "physician_npi"),
        _columns(*_MONEY, *_QUOTIENTS),
        _QUOTIENTS,
    ),
    Compared(
        "network_pmpm_by_month",
        "gold.network_pmpm_by_month",
        ("network_id", "member_month"),
        _columns("members", "member_months", "paid_amount", "pmpm"),
        ("pmpm",),
    ),
    Compared(
        "network_pmpm_by_category",
        "gold.network_pmpm_by_category",
        ("performance_year", "network_id", "service_category"),
        _columns("in_total", "member_months", "claim_lines", "paid_amount", "pmpm"),
        ("pmpm",),
    ),
    Compared(
        "excluded",
        "gold.excluded",
        ("performance_year", "kind", "reason"),
        _columns("member_months", "claim_lines", "paid_amount"),
        where="kind <> 'step'",
    ),
)
