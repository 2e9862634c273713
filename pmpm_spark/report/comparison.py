"""What the page's script compares: the figures of every network of the year, and what is known of each two."""

from __future__ import annotations

from typing import Any

from pmpm_spark.gold.network_comparison import ALL_OTHERS
from pmpm_spark.gold.split_difference import ENROLLMENT_MIX, RISK
from pmpm_spark.report.about import PARTS, Row, Year, name_of, number
from pmpm_spark.report.network import said_category


def comparison(year: Year) -> dict[str, Any]:
    networks = {
        row["network_id"]: {
            "name": name_of(row),
            "members": row["members"],
            **{name: number(row[name]) for name in ("member_months", "pmpm", "adjusted_pmpm")},
            "risk": number(row["normalized_risk_score"]),
            "categories": {
                said_category(c): {"pmpm": c["pmpm"], "per_1000": c["services_per_1000"]}
                for c in year.this_year("network_pmpm_by_category", row["network_id"])
                if c["in_total"]
            },
        }
        for row in year.networks()
    }
    categories = sorted({category for told in networks.values() for category in told["categories"]})
    return {"networks": networks, "categories": categories, **_pairs(year)}


def _pairs(year: Year) -> dict[str, Any]:
    """The interval of each difference of two networks, the first less the other, and what it comes from.

    There are many pairs: a part that is not 0 is told as its place among `parts`, and its dollars.
    """
    places: dict[tuple[str, str], int] = {}
    parts: dict[str, list[tuple[int, float | None]]] = {}
    for row in year.rows("network_comparison_parts"):
        if row["amount"] != 0 and row["other_network_id"] != ALL_OTHERS:
            is_whole = row["part"] in (ENROLLMENT_MIX, RISK)
            named = ("", PARTS[row["part"]]) if is_whole else (row["part"], said_category(row))
            place = places.setdefault(named, len(places))
            parts.setdefault(_both(row), []).append((place, number(row["amount"])))
    pairs = {
        _both(row): {
            "low": _in_cents(row["difference_low"]),
            "high": _in_cents(row["difference_high"]),
            "parts": parts.get(_both(row), []),
        }
        for row in year.rows("network_comparison")
        if row["other_network_id"] != ALL_OTHERS
    }
    return {"pairs": pairs, "parts": list(places)}


def _in_cents(amount: Any) -> float | None:
    return None if amount is None else round(float(amount), 2)


def intervals(year: Year) -> dict[str, tuple[float, float]]:
    """The 95% interval of each network's figure, where it is told."""
    found = {}
    for row in year.rows("network_comparison"):
        for of, prefix in (("network_id", ""), ("other_network_id", "other_")):
            low, high = row[f"{prefix}figure_low"], row[f"{prefix}figure_high"]
            if row["is_adjusted"] and low is not None:
                found[row[of]] = (float(low), float(high))
    return found


def _both(row: Row) -> str:
    return f"{row['network_id']}|{row['other_network_id']}"
