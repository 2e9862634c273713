"""Which network's roster a line matches: on every id that a roster row fills in, on the line's day, both ends
inclusive."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

IDS = ("tin", "npi", "ccn")
NO_NETWORK = ""


def with_roster_network(lines: DataFrame, matches: DataFrame, day: str) -> DataFrame:
    """The lines with `roster_network_id`: the lowest matching network_id, empty where none matches; see
    `with_matches`."""
    network_id = F.coalesce(F.array_min("roster_networks"), F.lit(NO_NETWORK))
    return with_matches(lines, matches, day).withColumn("roster_network_id", network_id).drop("roster_networks")


def with_roster_networks(lines: DataFrame, network_roster: DataFrame, day: str) -> DataFrame:
    """The lines, with tin, npi and ccn (empty where not told), and what of the roster they meet; see `with_matches`."""
    return with_matches(lines, matches_of(lines, network_roster), day)


def with_matches(lines: DataFrame, matches: DataFrame, day: str) -> DataFrame:
    """The lines with `roster_networks`: every network_id of the matches of their ids on the day, once; empty where none
    matches. A combination of ids stands for its lines, so that no line is copied."""
    rosters = F.collect_list(F.struct("network_id", "start_date", "end_date")).alias("rosters")
    of_ids = matches.groupBy(*IDS).agg(rosters)
    in_effect = F.filter("rosters", lambda r: (r["start_date"] <= F.col(day)) & (r["end_date"] >= F.col(day)))
    matching = F.array_distinct(F.transform(in_effect, lambda r: r["network_id"]))
    networks = F.coalesce(matching, F.array().cast("array<string>"))
    return lines.join(of_ids, list(IDS), how="left").withColumn("roster_networks", networks).drop("rosters")


def matches_of(lines: DataFrame, network_roster: DataFrame) -> DataFrame:
    """The distinct combinations of ids on the lines, far fewer than these, with the roster rows that they meet.

    tin, npi, ccn, network_id, start_date, end_date; a row twice where the network names the ids twice. No big roster is
    broadcast.
    """
    filled_in = {name: F.col(name) != "" for name in IDS}
    patterns = [ids for size in range(1, len(IDS) + 1) for ids in combinations(IDS, size)]

    def pattern_key(ids: tuple[str, ...]) -> Column:
        return F.concat_ws("|", F.lit("+".join(ids)), *[F.col(name) for name in ids])

    keys = [F.when(_all([filled_in[name] for name in ids]), pattern_key(ids)) for ids in patterns]
    told = lines.select(*IDS).distinct().select(*IDS, F.explode(F.array_compact(F.array(*keys))).alias("k"))
    row_key = F.concat_ws(
        "|",
        F.array_join(F.array_compact(F.array(*[F.when(filled_in[name], name) for name in IDS])), "+"),
        *[F.when(filled_in[name], F.col(name)) for name in IDS],
    )
    roster = network_roster.select(row_key.alias("k"), "network_id", "start_date", "end_date")
    return told.join(roster, "k", how="inner").drop("k")


def line_ids() -> list[Column]:
    """The ids by which a claim line meets a roster: tin, npi, ccn; empty where not told.

    The billing TIN always; the rendering NPI of a professional line, who bills otherwise (facility, supplier,
    pharmacy); the facility's CCN.
    """
    is_professional = F.col("claim_type") == "professional"
    npi = F.when(is_professional, F.col("rendering_npi")).otherwise(F.col("billing_npi"))
    ids = {"tin": F.col("billing_tin"), "npi": npi, "ccn": F.when(~is_professional, F.col("facility_ccn"))}
    return [F.coalesce(value, F.lit("")).alias(name) for name, value in ids.items()]


def shared_providers(network_roster: DataFrame) -> DataFrame:
    """Combinations of ids that stand on two networks' rosters at once: tin, npi, ccn, networks."""
    left = network_roster.select(*IDS, "network_id", "start_date", "end_date")
    right = left.select(
        *IDS,
        F.col("network_id").alias("other_id"),
        F.col("start_date").alias("other_start"),
        F.col("end_date").alias("other_end"),
    )
    at_once = (
        (F.col("network_id") < F.col("other_id"))
        & (F.col("start_date") <= F.col("other_end"))
        & (F.col("other_start") <= F.col("end_date"))
    )
    pairs = left.join(right, list(IDS), how="inner").where(at_once)
    return pairs.groupBy(*IDS).agg(
        F.array_sort(F.collect_set(F.concat_ws(", ", "network_id", "other_id"))).alias("networks")
    )


def programs_rows(network_roster: DataFrame, method: str) -> DataFrame:
    """The roster as `mssp` and `reach` read it: a row for its tax number, another for its facility, with the NPI under
    `reach` alone. A row with an NPI alone is none."""
    npi = F.col("npi") if method == "reach" else F.lit("")

    def rows(named: str, other: str) -> DataFrame:
        return network_roster.where(F.col(named) != "").withColumns({other: F.lit(""), "npi": npi})

    return rows("tin", "ccn").unionByName(rows("ccn", "tin"))


def shared_participants(rows: DataFrame) -> DataFrame:
    """Ids of `programs_rows` that two networks have at once: tin, npi, ccn, networks.

    A row without an NPI has all of its tax number or facility.
    """
    left = rows.select(*IDS, "network_id", "start_date", "end_date")
    right = left.select(
        "tin",
        "ccn",
        F.col("npi").alias("other_npi"),
        F.col("network_id").alias("other_id"),
        F.col("start_date").alias("other_start"),
        F.col("end_date").alias("other_end"),
    )
    meets = (
        (F.col("network_id") < F.col("other_id"))
        & ((F.col("npi") == "") | (F.col("other_npi") == "") | (F.col("npi") == F.col("other_npi")))
        & (F.col("start_date") <= F.col("other_end"))
        & (F.col("other_start") <= F.col("end_date"))
    )
    pairs = left.join(right, ["tin", "ccn"], how="inner").where(meets)
    return (
        pairs.withColumn("npi", F.greatest("npi", "other_npi"))
        .select(*IDS, F.explode(F.array("network_id", "other_id")).alias("network"))
        .groupBy(*IDS)
        .agg(F.array_sort(F.collect_set("network")).alias("networks"))
    )


def _all(conditions: list[Column]) -> Column:
    holds = F.lit(True)
    for condition in conditions:
        holds = holds & condition
    return holds
