"""The generated providers: practices, specialist groups, hospitals and other facilities, and who is on whose roster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.truth import (
    BLOCK,
    LEAVING_PRACTICE,
    MEMBERS_OF_150,
    MOVES_TO,
    MOVING_PRACTICE,
    NETWORK_PRACTICES,
    NETWORKS,
    OUTSIDE,
    PARTIAL_PLACE,
    PARTIAL_PRACTICE,
    PHYSICIANS,
    SHARED_PRACTICE,
    SHARED_WITH,
    physician_npi,
    practice_count,
    practice_tin,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROSTER_START = "2015-01-01"
HOSPITALS, NURSING_HOMES, AGENCIES, HOSPICES = 12, 10, 8, 7
"""Of each, every network has its own (hospitals two); the rest are in none."""
GROUPS, GROUP_PLACES = 8, 6
"""Specialist groups, each with a physician of every specialty below; the first five are in the networks in turn."""
GROUP_SPECIALTIES = ("06", "20", "10", "18", "90", "69")
SUPPLIERS = 6
"""Of medical equipment; the first three are in the first three networks."""
PRACTICE_SPECIALTIES = ("08", "11", "11", "38", "50", "97")
_FAMILY_NAMES = (
    "ALDER", "ASH", "ASPEN", "BEECH", "BIRCH", "BUCKEYE", "CEDAR", "CHERRY", "CYPRESS", "DOGWOOD", "ELDER", "ELM",
    "FIR", "HAWTHORN", "HAZEL", "HICKORY", "HOLLY", "JUNIPER", "LARCH", "LAUREL", "LINDEN", "MAPLE", "OAK", "PINE",
    "ROWAN", "SPRUCE", "SYCAMORE", "WALNUT", "WILLOW", "YEW",
)  # fmt: skip
_TAXONOMY = {
    "08": "207Q00000X",
    "11": "207R00000X",
    "38": "207QG0300X",
    "50": "363L00000X",
    "97": "363A00000X",
    "06": "207RC0000X",
    "20": "207X00000X",
    "10": "207RG0100X",
    "18": "207W00000X",
    "90": "207RX0202X",
    "69": "291U00000X",
}


def tin_of(practice: Column) -> Column:
    prefix = F.when(practice % 10 == 3, "00").otherwise("99")
    return F.concat(prefix, F.lpad(practice.cast("string"), 7, "0"))


def npi_of(practice: Column, place: Column) -> Column:
    return F.concat(F.lit("99"), F.lpad((practice * PHYSICIANS + place).cast("string"), 8, "0"))


def specialty_of(practice: Column, place: Column) -> Column:
    return lookup(PRACTICE_SPECIALTIES, (practice * PHYSICIANS + place) % len(PRACTICE_SPECIALTIES))


def group_tin(group: Column) -> Column:
    return F.concat(F.lit("98"), F.lpad(group.cast("string"), 7, "0"))


def group_npi(group: Column, place: Column) -> Column:
    return F.concat(F.lit("98"), F.lpad((group * GROUP_PLACES + place).cast("string"), 8, "0"))


def supplier_tin(supplier: Column) -> Column:
    return F.concat(F.lit("97"), F.lpad(supplier.cast("string"), 7, "0"))


def facility_ccn(stem: str, number: Column) -> Column:
    """Rhode Island's state code 41, the kind of facility, its number: 4100 hospital, 4150 nursing home, …"""
    return F.concat(F.lit(stem), F.lpad((number + 1).cast("string"), 2, "0"))


def facility_npi(stem: str, number: Column) -> Column:
    return F.concat(F.lit(f"96{stem}"), F.lpad((number + 1).cast("string"), 4, "0"))


def drawn_practice(draws: Draws, members: int, name: str, *ids: Column) -> Column:
    """A practice, as likely as the share of members that its place in a block has."""
    blocks = practice_count(members) // BLOCK
    thousandth = draws.below(1_000, name, *ids)
    # 0-749: 150 for each network, shared among its practices; 750-999: 50 for each of the five practices in none
    share = thousandth % 150
    first, second, _ = MEMBERS_OF_150
    inside = (
        F.floor(thousandth / 150) * NETWORK_PRACTICES
        + (share >= first).cast("bigint")
        + (share >= first + second).cast("bigint")
    )
    outside = F.lit(OUTSIDE * NETWORK_PRACTICES) + F.floor((thousandth - 750) / 50)
    place = F.when(thousandth < 750, inside).otherwise(outside)
    return draws.below(blocks, f"{name}, block", *ids) * BLOCK + place


def network_of(practice: Column, place: Column, year: Column, years: tuple[int, int]) -> Column:
    """Place of the network that a physician is in that year, as the roster says it; OUTSIDE for none."""
    in_block = practice % BLOCK
    return (
        F.when((practice == MOVING_PRACTICE) & (year > years[0]), MOVES_TO)
        .when((practice == LEAVING_PRACTICE) & (year >= years[1]), OUTSIDE)
        .when((practice == PARTIAL_PRACTICE) & (place == PARTIAL_PLACE), OUTSIDE)
        .when(in_block < OUTSIDE * NETWORK_PRACTICES, F.floor(in_block / NETWORK_PRACTICES))
        .otherwise(OUTSIDE)
        .cast("bigint")
    )


def network_roster(spark: SparkSession, *, members: int, years: tuple[int, int]) -> DataFrame:
    """One row per participant: a practice by TIN or its physicians by TIN and NPI, a facility by CCN."""
    practice = F.col("id")
    in_block = practice % BLOCK
    is_special = practice.isin(MOVING_PRACTICE, LEAVING_PRACTICE)
    is_reach = lookup([n.network_type for n in NETWORKS], F.floor(in_block / NETWORK_PRACTICES)) == "REACH"
    practices = (
        spark.range(0, practice_count(members), 1, 1)
        .where((in_block < OUTSIDE * NETWORK_PRACTICES) & ~is_special)
        .select(
            F.floor(in_block / NETWORK_PRACTICES).alias("network"),
            practice.alias("practice"),
            F.explode(
                F.when(is_reach, F.array(*[F.lit(place) for place in range(PHYSICIANS)])).otherwise(F.array(F.lit(-1)))
            ).alias("place"),
        )
        .where(~((F.col("practice") == PARTIAL_PRACTICE) & (F.col("place") == PARTIAL_PLACE)))
        .select(
            "network",
            tin_of(F.col("practice")).alias("tin"),
            F.when(F.col("place") >= 0, npi_of(F.col("practice"), F.col("place"))).alias("npi"),
            F.lit(None).cast("string").alias("ccn"),
            F.lit(ROSTER_START).alias("start_date"),
            F.lit(None).cast("string").alias("end_date"),
        )
    )
    others = spark.createDataFrame(
        _other_participants(years),
        "network bigint, tin string, npi string, ccn string, start_date string, end_date string",
    )
    network = F.col("network")
    return practices.unionByName(others).select(
        lookup([n.network_id for n in NETWORKS], network).alias("network_id"),
        lookup([n.name for n in NETWORKS], network).alias("network_name"),
        lookup([n.network_type for n in NETWORKS], network).alias("network_type"),
        "tin",
        "npi",
        "ccn",
        "start_date",
        "end_date",
    )


def _other_participants(
    years: tuple[int, int],
) -> list[tuple[int, str | None, str | None, str | None, str, str | None]]:
    first, last = years
    moving, leaving, shared = (practice_tin(p) for p in (MOVING_PRACTICE, LEAVING_PRACTICE, SHARED_PRACTICE))
    rows: list[tuple[int, str | None, str | None, str | None, str, str | None]] = [
        (MOVING_PRACTICE // NETWORK_PRACTICES, moving, None, None, ROSTER_START, f"{first}-12-31"),
        (MOVES_TO, moving, None, None, f"{first + 1}-01-01", None),
        (LEAVING_PRACTICE // NETWORK_PRACTICES, leaving, None, None, ROSTER_START, f"{last - 1}-12-31"),
        (SHARED_WITH, shared, physician_npi(SHARED_PRACTICE, 0), None, ROSTER_START, None),
        # a participant without a single claim
        (SHARED_WITH, "999999999", "9999999999", None, ROSTER_START, None),
    ]
    for network in range(len(NETWORKS)):
        ccns = [f"4100{2 * network + 1:02d}", f"4100{2 * network + 2:02d}"]
        ccns += [f"{stem}{network + 1:02d}" for stem in ("4150", "4170", "4115")]
        rows += [(network, None, None, ccn, ROSTER_START, None) for ccn in ccns]
        tin = f"98{network:07d}"
        if NETWORKS[network].network_type == "REACH":
            npis = [f"98{network * GROUP_PLACES + place:08d}" for place in range(GROUP_PLACES)]
            rows += [(network, tin, npi, None, ROSTER_START, None) for npi in npis]
        else:
            rows.append((network, tin, None, None, ROSTER_START, None))
        if network < SUPPLIERS // 2:
            rows.append((network, f"97{network:07d}", None, None, ROSTER_START, None))
    return rows


def providers(spark: SparkSession, *, members: int) -> DataFrame:
    """One row per NPI with its name; one physician in fifty is not listed."""
    physician = F.col("id")
    specialty = lookup(PRACTICE_SPECIALTIES, physician % len(PRACTICE_SPECIALTIES))
    family = lookup(_FAMILY_NAMES, (physician * 7) % len(_FAMILY_NAMES))
    initial = F.substr(F.lit("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), ((physician * 11) % 26 + 1).cast("int"), F.lit(1))
    listed = (
        spark.range(0, practice_count(members) * PHYSICIANS, 1, 1)
        .where(physician % 50 != 17)
        .select(
            F.concat(F.lit("99"), F.lpad(physician.cast("string"), 8, "0")).alias("npi"),
            F.concat(F.lit("DR "), initial, F.lit(". "), family).alias("name"),
            specialty.alias("specialty"),
            lookup([_TAXONOMY[s] for s in PRACTICE_SPECIALTIES], physician % len(PRACTICE_SPECIALTIES)).alias(
                "taxonomy"
            ),
        )
    )
    rows: list[tuple[str, str, str | None, str | None]] = []
    for group in range(GROUPS):
        for place, code in enumerate(GROUP_SPECIALTIES):
            npi = f"98{group * GROUP_PLACES + place:08d}"
            rows.append((npi, f"SPECIALIST GROUP {group + 1}, DR {place + 1}", code, _TAXONOMY[code]))
    facilities = (
        ("4100", "HOSPITAL", HOSPITALS),
        ("4150", "NURSING HOME", NURSING_HOMES),
        ("4170", "HOME HEALTH AGENCY", AGENCIES),
        ("4115", "HOSPICE", HOSPICES),
    )
    for stem, word, count in facilities:
        rows += [(f"96{stem}{number + 1:04d}", f"{word} {number + 1}", None, None) for number in range(count)]
    rows += [(f"97{supplier:08d}", f"EQUIPMENT SUPPLIER {supplier + 1}", None, None) for supplier in range(SUPPLIERS)]
    others = spark.createDataFrame(rows, "npi string, name string, specialty string, taxonomy string")
    return listed.unionByName(others)
