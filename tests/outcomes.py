"""The chain from claims to outcome measures over small frames, each table made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pmpm_spark.gold.outcome_measures import OUTCOME_MEASURES, outcome_measures
from pmpm_spark.model import CLAIM_DIAGNOSES, CLAIM_PROCEDURES, FINAL_CLAIM_LINES, MEMBERS
from pmpm_spark.policy import Policy
from pmpm_spark.reference import OUTCOME_CODE_SETS, PRIMARY_CARE_HCPCS, reference_rows
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.hospital_claims import HOSPITAL_CLAIMS, hospital_claims
from pmpm_spark.silver.hospital_episodes import HOSPITAL_EPISODES, hospital_episodes
from pmpm_spark.silver.hospital_stays import HOSPITAL_STAYS, hospital_stays
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.silver.readmissions import READMISSIONS, readmissions
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.table import Table, conform

Row = dict[str, Any]
CLAIM: Row = {
    "line_number": 1, "claim_version": "1", "claim_type": "inpatient", "bill_type": "111", "discharge_status": "01",
    "adjustment": "original", "is_denied": False, "service_category": "inpatient", "service_category_2": "other",
    "facility_ccn": "410001", "paid_amount": Decimal(0),
}  # fmt: skip
"""What a claim line is where a test says nothing else: an acute stay, discharged home."""
H1, H2, PSYCHIATRIC, NURSING = "410001", "410002", "414001", "415001"


def as_frame(spark: SparkSession, table: Table, rows: Sequence[Row]) -> DataFrame:
    unknown = {name for row in rows for name in row} - set(table.column_names)
    assert not unknown, unknown
    schema = T.StructType([T.StructField(c.name, c.type) for c in table.columns])
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], schema)


def stored(spark: SparkSession, table: Table, built: DataFrame) -> DataFrame:
    """The frame as a stage would store it: made once, of the contract's columns, its key told and its rules kept."""
    found = conform(built, table)
    rows = [row.asDict() for row in found.collect()]
    again = as_frame(spark, table, rows)
    for name, rule in table.audit_rules().items():
        assert again.where(f"NOT ({rule})").count() == 0, f"{table.name}: {name}"
    keys = [tuple(row[k] for k in table.key) for row in rows]
    assert len(keys) == len(set(keys)), f"{table.name}: a key stands twice"
    return again


def claim(claim_id: str, member: str, first: str, last: str, **more: Any) -> Row:
    """A claim of one line, from its first to its last day."""
    days = {"service_from": date.fromisoformat(first), "service_thru": date.fromisoformat(last)}
    days |= {"admission_date": days["service_from"], "discharge_date": days["service_thru"]}
    if more.get("claim_type", "inpatient") != "inpatient":
        days |= {"admission_date": None, "discharge_date": None}
    return {**CLAIM, "claim_id": claim_id, "member_id": member, **days, **more}


def observation(claim_id: str, member: str, first: str, last: str, **more: Any) -> Row:
    told = {"claim_type": "outpatient", "bill_type": "131", "revenue_code": "0762", "service_category": "outpatient"}
    return claim(claim_id, member, first, last, **{**told, **more})


def emergency(claim_id: str, member: str, on: str, **more: Any) -> Row:
    told = {"claim_type": "outpatient", "bill_type": "131", "revenue_code": "0450", "service_category": "emergency"}
    return claim(claim_id, member, on, on, **{**told, **more})


@dataclass
class World:
    """What a source tells of some people. Whoever is not told otherwise is covered from 2020 to 2024 by Part A and B."""

    claims: list[Row]
    births: dict[str, date | None] = field(default_factory=dict)
    deaths: dict[str, date] = field(default_factory=dict)
    spans: list[Row] = field(default_factory=list)
    """Instead of the usual span of the members that stand here."""
    uncovered: tuple[str, ...] = ()
    visits: list[Row] = field(default_factory=list)
    diagnoses: list[Row] = field(default_factory=list)
    procedures: list[Row] = field(default_factory=list)
    codes: list[tuple[Any, ...]] = field(default_factory=list)
    """Supplied code sets: name, system, code."""
    not_eligible: set[tuple[str, date]] = field(default_factory=set)
    whose: dict[str, tuple[str, str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    """Members without a claim."""
    told: tuple[date, date] = (date(2020, 1, 1), date(2023, 3, 1))
    last_told_day: date | None = None

    @property
    def members(self) -> list[str]:
        return sorted({row["member_id"] for row in (*self.claims, *self.visits)} | set(self.others))


def together(worlds: Sequence[World]) -> World:
    """The people of several worlds in one, named `place:member`. What is told of all must be the same in each."""
    first = worlds[0]
    alike = {(tuple(w.codes), w.told, w.last_told_day) for w in worlds}
    assert len(alike) == 1, "the worlds differ in what is told of all"
    joined = World([], codes=first.codes, told=first.told, last_told_day=first.last_told_day)
    for place, world in enumerate(worlds):

        def named(row: Row, place: int = place) -> Row:
            of_claim = {"claim_id": f"{place}:{row['claim_id']}"} if "claim_id" in row else {}
            return {**row, "member_id": f"{place}:{row['member_id']}", **of_claim}

        for rows in ("claims", "spans", "visits", "diagnoses", "procedures"):
            getattr(joined, rows).extend(named(row) for row in getattr(world, rows))
        for of_member in ("births", "deaths", "whose"):
            getattr(joined, of_member).update({f"{place}:{m}": v for m, v in getattr(world, of_member).items()})
        joined.uncovered += tuple(f"{place}:{m}" for m in world.uncovered)
        joined.others += tuple(f"{place}:{m}" for m in world.others)
        joined.not_eligible |= {(f"{place}:{m}", month) for m, month in world.not_eligible}
    return joined


@dataclass
class Made:
    claims: DataFrame
    stays: DataFrame
    episodes: DataFrame
    readmissions: DataFrame
    measures: DataFrame

    def reasons(self, kind: str) -> dict[tuple[str, date], tuple[str, bool]]:
        """By member and first day: INDEX or why not, and whether readmitted."""
        rows = self.readmissions.where(f"kind = '{kind}'").collect()
        return {(r["member_id"], r["first_day"]): (r["not_index_reason"] or "INDEX", r["is_readmitted"]) for r in rows}

    def figures(self, level: str = "network") -> dict[tuple[str, str], tuple[int, Decimal]]:
        """Numerator and denominator by network (or physician) and measure."""
        by = "network_id" if level == "network" else "physician_npi"
        rows = self.measures.where(f"level = '{level}'").collect()
        return {(r[by], r["measure"]): (r["numerator"], r["denominator"]) for r in rows}


SPAN: Row = {
    "span_start": date(2020, 1, 1), "span_end": date(2024, 12, 31), "has_part_a": True, "has_part_b": True,
    "in_medicare_advantage": False,
}  # fmt: skip


def make(spark: SparkSession, world: World, policy: Policy | None = None, years: Sequence[int] = (2022,)) -> Made:
    """All tables of the chain, each stored."""
    policies = (policy or Policy("p"),)
    label = policies[0].label
    code_sets = reference_rows(OUTCOME_CODE_SETS)
    code_sets += [(name, system, code, 2000, 2099, "test") for name, system, code in world.codes]
    hcpcs = reference_rows(PRIMARY_CARE_HCPCS)
    people = [
        {"member_id": m, "birth_date": world.births.get(m, date(1940, 6, 15)), "death_date": world.deaths.get(m)}
        for m in world.members
    ]
    other = {row["member_id"] for row in world.spans} | set(world.uncovered)
    spans = [{**SPAN, "member_id": m} for m in world.members if m not in other] + [{**SPAN, **s} for s in world.spans]
    months = [
        {
            "policy": label, "member_id": m, "member_month": date(y, n, 1), "performance_year": y,
            "enrollment_type": "AGED_NON_DUAL", "exposure": Decimal(1), "is_eligible": True, "ineligible_reasons": [],
        }
        for m in world.members for y in years for n in range(1, 13) if (m, date(y, n, 1)) not in world.not_eligible
    ]  # fmt: skip
    whose = {m: world.whose.get(m, ("N1", "P1")) for m in world.members}
    by_year = [(m, y) for m in world.members for y in years]
    attributed = [
        {
            "policy": label,
            "performance_year": y,
            "member_id": m,
            "network_id": whose[m][0],
            "physician_npi": whose[m][1],
        }
        for m, y in by_year
    ]
    member_years = [
        {
            **row, "enrollment_type": "AGED_NON_DUAL",
            "member_months": Decimal(
                sum(1 for r in months if (r["member_id"], r["performance_year"]) == (row["member_id"], row["performance_year"]))
            ),
        }
        for row in attributed
    ]  # fmt: skip
    claims = stored(
        spark,
        HOSPITAL_CLAIMS,
        hospital_claims(
            as_frame(spark, FINAL_CLAIM_LINES, world.claims),
            as_frame(spark, CLAIM_DIAGNOSES, world.diagnoses),
            as_frame(spark, CLAIM_PROCEDURES, world.procedures),
            as_frame(
                spark, OUTCOME_CODE_SETS, [dict(zip(OUTCOME_CODE_SETS.column_names, r, strict=True)) for r in code_sets]
            ),
            outcome_code_sets=code_sets,
        ),
    )
    stays = stored(spark, HOSPITAL_STAYS, hospital_stays(claims, policies=policies))
    episodes = stored(
        spark,
        HOSPITAL_EPISODES,
        hospital_episodes(stays, claims, policies=policies, outcome_code_sets=code_sets),
    )
    member_months = as_frame(spark, MEMBER_MONTHS, months)
    judged = stored(
        spark,
        READMISSIONS,
        readmissions(
            episodes,
            as_frame(spark, ELIGIBILITY_SPANS, spans),
            as_frame(spark, MEMBERS, people),
            as_frame(spark, TOLD_MONTHS, [{"first_month": world.told[0], "last_month": world.told[1]}]),
            member_months,
            as_frame(spark, ATTRIBUTION, attributed),
            policies=policies,
            performance_years=years,
            last_told_day=world.last_told_day,
        ),
    )
    measures = stored(
        spark,
        OUTCOME_MEASURES,
        outcome_measures(
            judged,
            episodes,
            claims,
            as_frame(spark, PRIMARY_CARE_SERVICES, world.visits),
            member_months,
            as_frame(spark, MEMBER_YEARS, member_years),
            policies=policies,
            performance_years=years,
            outcome_code_sets=code_sets,
            primary_care_hcpcs=hcpcs,
        ),
    )
    return Made(claims, stays, episodes, judged, measures)
