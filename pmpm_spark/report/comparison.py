"""What the page's script compares: the figures of every network of the year, and what is known of each two."""

from __future__ import annotations

from typing import Any

from pmpm_spark.report.about import Year, name_of, number
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
    return {"networks": networks, "categories": categories, "pairs": {}}
