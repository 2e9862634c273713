"""Roster matches: which network's roster rows meet the ids that stand on final claim lines.

A table of its own, though small: whoever asks whose a line is joins the lines with it, and such a join is planned by
its size, where one with the same rows found on the way would be planned by that of all lines, and send every line over
the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmpm_spark.silver.roster_match import IDS, line_ids, matches_of
from pmpm_spark.table import Table, day, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROSTER_MATCHES = Table(
    name="silver.roster_matches",
    grain="one row per ids of a final claim line, network whose roster they meet, and days of it",
    key=(*IDS, "network_id", "start_date", "end_date"),
    columns=(
        text("tin", "tax number of who bills; empty where none is told"),
        text("npi", "NPI of who rendered a professional line, else of who bills; empty where none is told"),
        text("ccn", "CMS certification number of the facility; empty where none is told"),
        text("network_id", "network"),
        day("start_date", "first day on the roster"),
        day("end_date", "last day on the roster"),
    ),
    key_is_built_in=True,
)


def roster_matches(final_claim_lines: DataFrame, network_roster: DataFrame) -> DataFrame:
    """The roster rows that meet each distinct combination of ids, whatever the line's day."""
    return matches_of(final_claim_lines.select(*line_ids()), network_roster).distinct()


def members_of_matches(matches: DataFrame, final_claim_lines: DataFrame) -> DataFrame:
    """Whose lines carry the ids of these matches: `member_id`."""
    lines = final_claim_lines.select("member_id", *line_ids())
    return lines.join(matches.select(*IDS).distinct(), list(IDS), how="left_semi").select("member_id")
