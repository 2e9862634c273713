"""Two networks, practices or physicians, or one against all others: how sure a difference is and what it comes from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.errors import InputError
from pmpm_spark.gold.network_comparison import ALL_OTHERS, NETWORK_COMPARISON, against_all_others, differences
from pmpm_spark.gold.network_comparison_parts import NETWORK_COMPARISON_PARTS, network_comparison_parts
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_replicates import replicates
from pmpm_spark.gold.physician_pmpm import PHYSICIAN_PMPM
from pmpm_spark.gold.practice_pmpm import PRACTICE_PMPM
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.table import Table
from pmpm_spark.why.rules import Rules
from pmpm_spark.why.section import Section, some_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pmpm_spark.warehouse import Published

KINDS: dict[str, tuple[Table, str]] = {
    "network": (NETWORK_PMPM, "network_id"),
    "practice": (PRACTICE_PMPM, "practice_tin"),
    "physician": (PHYSICIAN_PMPM, "physician_npi"),
}
_OTHERS_OF = {ALL_OTHERS: "all others"}
_SIDE = (
    "members", "member_months", "pmpm", "normalized_risk_score", "figure", "figure_low", "figure_high",
)  # fmt: skip
_DIFFERENCE = (
    "difference", "difference_low", "difference_high", "p_value", "delta_low", "delta_high", "replicates",
    "is_adjusted", "is_small_cell",
)  # fmt: skip
_TURNED = ("difference", "difference_low", "difference_high", "delta_low", "delta_high")
Row = dict[str, Any]


def comparison_sections(
    warehouse: Published, kind: str, one: str, other: str | None, year: int, rules: Rules
) -> tuple[list[Section], list[str]]:
    """Both sides, the difference and its parts under each policy; and a sentence for each policy.

    Raises:
        InputError: the two are one, or one of them has no row in the year.
    """
    other = other or ALL_OTHERS
    if one == other:
        raise InputError(f"compare: {one} is compared with itself; name two, or one alone against all others")
    sides: list[tuple[Any, ...]] = []
    figures: list[tuple[Any, ...]] = []
    parts: list[tuple[Any, ...]] = []
    said = []
    found = _of_networks if kind == "network" else _of_panels
    for label, (policy, _) in rules.items():
        _must_be_there(warehouse, kind, (one, other), year, label)
        row, split = found(warehouse, kind, one, other, year, policy)
        if row is None:
            raise InputError(f"compare: {one} has no other {kind} beside it in {year}, policy {label}")
        sides.append((label, one, *[row[name] for name in _SIDE]))
        sides.append((label, other, *[row[f"other_{name}"] for name in _SIDE]))
        figures.append((label, *[row[name] for name in _DIFFERENCE]))
        parts += [(label, *part) for part in split]
        parts.append((label, "TOTAL", "", sum((amount for *_, amount in split), Decimal(0))))
        said.append(f"Policy {label}, {year}: {sentence(one, other, row)}")
    heading = f"{one} and {_OTHERS_OF.get(other, other)} in {year}"
    sections = [
        Section("sides", heading, ("policy", kind, *_SIDE), sides, policies="apart"),
        Section("difference", "The first less the second", ("policy", *_DIFFERENCE), figures, policies="apart"),
        Section(
            "parts",
            "What the difference comes from, US dollars per member month",
            ("policy", "part", "service_category", "amount"),
            parts,
            policies="apart",
        ),
    ]
    return sections, said


def sentence(one: str, other: str, row: Row) -> str:
    """The difference in words."""
    what = "for members of like risk" if row["is_adjusted"] else "without adjustment, as a side has no risk score,"
    than = _OTHERS_OF.get(other, other)
    difference = row["difference"]
    costs = (
        f"{what} {one} costs {_money(abs(difference))} {'more' if difference >= 0 else 'less'} per member month than "
        f"{than}"
    )
    low, high = row["difference_low"], row["difference_high"]
    if low is None:
        return f"{costs}; there are too few members to say whether that is chance."
    verdict = (
        "the difference is more than chance explains"
        if low > 0 or high < 0
        else "chance alone may explain the difference"
    )
    return f"{costs} (95% interval {_money(low)} to {_money(high)}): {verdict}."


def _money(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def _must_be_there(warehouse: Published, kind: str, ids: tuple[str, str], year: int, label: str) -> None:
    table, key = KINDS[kind]
    rows = warehouse.read(table).where((F.col("performance_year") == year) & (F.col("policy") == label))
    attributed = rows.where((F.col("network_id") != UNATTRIBUTED) & (F.col(key) != UNATTRIBUTED))
    there = {row[key] for row in attributed.select(key).distinct().collect()}
    for one in ids:
        if one not in there and one != ALL_OTHERS:
            raise InputError(f"compare: no {kind} {one} in {year}, policy {label} (one of: {some_of(there)})")


def _of_networks(
    warehouse: Published, kind: str, one: str, other: str, year: int, policy: Policy
) -> tuple[Row | None, list[tuple[Any, ...]]]:
    """What the run has published of the two."""
    is_turned = other != ALL_OTHERS and other < one
    first, second = (other, one) if is_turned else (one, other)
    pair = (
        (F.col("policy") == policy.label)
        & (F.col("performance_year") == year)
        & (F.col("network_id") == first)
        & (F.col("other_network_id") == second)
    )
    rows = warehouse.read(NETWORK_COMPARISON).where(pair).collect()
    if not rows:
        return None, []
    row, parts = rows[0].asDict(), _parts(warehouse.read(NETWORK_COMPARISON_PARTS).where(pair))
    return (turned(row), [(*part, -amount) for *part, amount in parts]) if is_turned else (row, parts)


def turned(row: Row) -> Row:
    """The same comparison from the other side."""
    sides = {name: row[f"other_{name}"] for name in _SIDE} | {f"other_{name}": row[name] for name in _SIDE}
    signs = {name: None if row[name] is None else -row[name] for name in _TURNED}
    ends = {
        f"{of}_{end}": signs[f"{of}_{back}"]
        for of in ("difference", "delta")
        for end, back in (("low", "high"), ("high", "low"))
    }
    return {**row, **sides, **signs, **ends}


def _parts(rows: DataFrame) -> list[tuple[Any, ...]]:
    found = rows.select("part", "service_category", "amount").orderBy("part", "service_category").collect()
    return [tuple(row) for row in found]


def _of_panels(
    warehouse: Published, kind: str, one: str, other: str, year: int, policy: Policy
) -> tuple[Row | None, list[tuple[Any, ...]]]:
    """The same for practices or physicians: computed now, each of the two sides in a network's place."""
    table, key = KINDS[kind]
    slice_of = (F.col("policy") == policy.label) & (F.col("performance_year") == year)
    is_of_one = (F.col("network_id") != UNATTRIBUTED) & (F.col(key) != UNATTRIBUTED)
    of_other = is_of_one if other == ALL_OTHERS else F.col(key) == other
    panel = F.when(F.col(key) == one, F.lit(one)).when(of_other, F.lit(other))
    rows = warehouse.read(table).where(slice_of & is_of_one).withColumn("panel", panel).where("panel IS NOT NULL")
    years = warehouse.read(MEMBER_YEARS).where(slice_of & is_of_one)
    of_panels = replicates(years, rows, ("network_id", key), [policy])
    both = against_all_others(of_panels.where(F.col("panel") == one).withColumnRenamed("panel", "network_id"))
    named = differences(both.withColumn("other_network_id", F.lit(other)))
    found = named.collect()
    if not found:
        return None, []
    sides = years.withColumn("network_id", panel).where("network_id IS NOT NULL")
    whose = sides.select("policy", "performance_year", "member_id", F.col("network_id").alias("panel")).distinct()

    def of_sides(costs: DataFrame) -> DataFrame:
        own = costs.where(slice_of).join(whose, ["policy", "performance_year", "member_id"], how="inner")
        return own.withColumn("network_id", F.col("panel"))

    split = network_comparison_parts(
        named,
        sides,
        of_sides(warehouse.read(MEMBER_MONTH_COSTS)),
        of_sides(warehouse.read(TRUNCATED_COSTS)),
        policies=[policy],
        performance_years=[year],
    )
    return found[0].asDict(), _parts(split)
