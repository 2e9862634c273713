"""Restatement: what a network's PMPM was in the run before, what it is now, and what moved it (decision 110).

A run writes it after its stages, against the last run that made the same policy and year.
"""

from __future__ import annotations

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.table import Table, count, flag, money, text, year

CLAIMS, ENROLLMENT, ATTRIBUTION, RISK = "CLAIMS", "ENROLLMENT", "ATTRIBUTION", "RISK"
REFERENCE_TABLES, SETTINGS = "REFERENCE_TABLES", "SETTINGS"
NOT_SPLIT = "NOT_SPLIT"
OF_DATA = (CLAIMS, ENROLLMENT, ATTRIBUTION, RISK)
PARTS = (*OF_DATA, REFERENCE_TABLES, SETTINGS)
"""In this order a cent left over goes to the first of equal size."""
SAID = {
    CLAIMS: "late and adjusted claims",
    ENROLLMENT: "retroactive enrollment",
    ATTRIBUTION: "attribution",
    RISK: "risk scores",
    REFERENCE_TABLES: "reference tables",
    SETTINGS: "settings",
}
"""Each part in words."""

_YEAR = ("policy", "performance_year")

RESTATEMENT = Table(
    name="gold.restatement",
    grain="one row per policy, performance year, network and part, where an earlier run made the policy and year",
    key=(*_YEAR, "network_id", "part"),
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "performance year"),
        text("network_id", "network of either run; UNATTRIBUTED for members of none"),
        text("part", f"{', '.join(PARTS)}; {NOT_SPLIT} alone where the parts are not known"),
        text("since_run_id", "the run that it is compared with: the last one before that made the policy and year"),
        money("pmpm_then", "PMPM of that run; null where the network had no member month"),
        money("pmpm_now", "PMPM of this run; null where the network has no member month"),
        money("pmpm_change", "what the part adds; all parts add up to pmpm_now - pmpm_then"),
        money("adjusted_pmpm_then", "risk-adjusted PMPM of that run; null where no score was told"),
        money("adjusted_pmpm_now", "risk-adjusted PMPM of this run; null where no score is told"),
        money("adjusted_pmpm_change", "what the part adds; all parts add up to the difference; null where one is"),
        count("members", "members of the network, then or now, whom the part touches"),
        text("reason", "why something is not split; null where all is"),
        flag("is_small_cell", f"fewer than {SMALL_CELL} members in either run"),
    ),
    partition_by=_YEAR,
    slice_by=_YEAR,
    key_is_built_in=True,
)
