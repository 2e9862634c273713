"""Both readmission measures, episode by episode and rate by rate, as the independent recomputation has them
(tests/oracle/outcomes_duckdb.py): on drawn people and on real files."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.gold.outcome_measures import OUTCOME_MEASURES
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Outcomes, Policy, Risk
from pmpm_spark.silver.readmissions import READMISSIONS, REASONS
from pmpm_spark.warehouse import published
from tests.equality import FACTORS, read_for_oracle
from tests.loaded import Loads
from tests.oracle.outcomes_duckdb import Rules, judge, open_tables
from tests.oracle.rif_duckdb import OracleSettings, compute
from tests.outcomes import H1, H2, PSYCHIATRIC, SPAN, Row, World, claim, make, observation

pytestmark = pytest.mark.timeout(900)
EPISODE = ("kind", "member_id", "first_day", "last_day", "reason", "is_readmitted")
MEASURE = ("performance_year", "network_id", "physician_npi", "measure", "numerator", "denominator")


def differences(con: duckdb.DuckDBPyConnection, readmissions: DataFrame, measures: DataFrame) -> list[str]:
    """Episodes and rows of measures that only one of the two has."""
    ours = {
        tuple(r[n] for n in ("kind", "member_id", "first_day", "last_day", "not_index_reason", "is_readmitted"))
        for r in readmissions.collect()
    }
    rates = measures.where("measure LIKE 'readmissions%'").collect()
    our_rates = {(*[r[n] for n in MEASURE[:-1]], int(r["denominator"])) for r in rates}
    theirs = set(con.execute(f"SELECT {', '.join(EPISODE)} FROM episodes").fetchall())
    their_rates = set(con.execute(f"SELECT {', '.join(MEASURE)} FROM measures").fetchall())
    assert theirs and their_rates
    told = (("the product", ours - theirs), ("the recomputation", theirs - ours))
    told += (("the product", our_rates - their_rates), ("the recomputation", their_rates - our_rates))
    return [f"only {who} has {row}" for who, rows in told for row in sorted(map(str, rows))[:5]]


# --- drawn

MEMBERS, YEARS = 600, (2022, 2023)
CODES = [
    ("planned_drg", "MS-DRG", "470"),
    ("excluded_condition_hwr", "ICD-10-CM", "C50"),
    ("excluded_condition_pcr", "ICD-10-CM", "O80"),
    ("excluded_hospital_hwr", "CCN", "410003"),
]


def drawn(seed: int) -> World:
    """People with stays close to each other, gaps in their coverage, and every status and code that matters."""
    draw = random.Random(seed)
    world = World([], codes=CODES, last_told_day=date(2023, 2, 15))

    def some_day(first: date, last: date) -> date:
        return first + timedelta(days=draw.randint(0, (last - first).days))

    for number in range(MEMBERS):
        member = f"M{number:03}"
        world.births[member] = draw.choice((None, *[some_day(date(1925, 1, 1), date(1958, 12, 31))] * 9))
        if draw.random() < 0.2:
            world.births[member] = some_day(date(1956, 1, 1), date(2006, 12, 31))
        world.whose[member] = draw.choice((("N1", "P1"), ("N1", "P2"), ("N2", "P1"), ("UNATTRIBUTED", "UNATTRIBUTED")))
        at = some_day(date(2021, 10, 1), date(2022, 6, 1))
        for _ in range(draw.randint(1, 8)):
            _draw_stay(draw, world, member, at)
            at += timedelta(days=draw.choice((0, 1, 2, 3, 5, 10, 29, 30, 31, 32, 60, 140)))
        if draw.random() < 0.15:
            world.deaths[member] = some_day(at - timedelta(days=20), at + timedelta(days=40))
        _draw_coverage(draw, world, member, some_day)
        for year in YEARS:
            for month in range(1, 13):
                if draw.random() < 0.04:
                    world.not_eligible.add((member, date(year, month, 1)))
    return world


def _draw_stay(draw: random.Random, world: World, member: str, at: date) -> None:
    last = at + timedelta(days=draw.choice((0, 0, 1, 2, 4, 9, 30, -1)))
    claim_id = f"C{draw.randint(0, 10**9):010}"
    status = draw.choice(("01", "01", "01", "01", "02", "03", "07", "20", "30", None))
    more: Row = {"discharge_status": status, "drg": draw.choice(("470", "291", "291", "871"))}
    if draw.random() < 0.2:
        of = {"facility_ccn": draw.choice((H1, H2, None)), "discharge_status": status}
        world.claims.append(observation(claim_id, member, at.isoformat(), last.isoformat(), **of))
    else:
        more["facility_ccn"] = draw.choice((H1, H1, H1, H2, H2, "410003", PSYCHIATRIC, None))
        more["bill_type"] = draw.choice(("111", "111", "111", "112", "114", "411", None, "121"))
        more["is_denied"] = draw.random() < 0.03
        row = claim(claim_id, member, at.isoformat(), last.isoformat(), **more)
        for name in ("admission_date", "discharge_date"):
            if draw.random() < 0.1:
                row[name] = None
        world.claims.append(row)
    code = draw.choice(("C50", "O80", "I50", "I50", "I50", "J44", "J44"))
    listed = {"claim_id": claim_id, "member_id": member, "code_system": "ICD-10-CM"}
    world.diagnoses.append({**listed, "position": 1, "code": code})
    if draw.random() < 0.2:
        world.diagnoses.append({**listed, "position": draw.choice((0, 2)), "code": draw.choice(("C50", "E11"))})


def _draw_coverage(draw: random.Random, world: World, member: str, some_day: Any) -> None:
    if draw.random() < 0.4:
        return  # the usual span
    cuts = sorted(
        {date(2020, 1, 1), *[some_day(date(2020, 6, 1), date(2023, 12, 1)) for _ in range(draw.randint(1, 4))]}
    )
    found = []
    for first, after in zip(cuts, [*cuts[1:], date(2025, 1, 1)], strict=True):
        lost = draw.choice((0, 0, 0, 1, 10, 44, 45, 46, 80))
        last = after - timedelta(days=1 + lost)
        if last >= first:
            flags = {
                "has_part_a": draw.random() < 0.9,
                "in_medicare_advantage": draw.choice((True, *[False] * 11, None)),
            }
            found.append({"member_id": member, "span_start": first, "span_end": last, **flags})
    if found:
        world.spans.extend(found)
    else:
        world.uncovered = (*world.uncovered, member)


def tell(con: duckdb.DuckDBPyConnection, world: World) -> None:
    """Fill the recomputation's tables with the world's rows."""
    open_tables(con)
    principal: dict[str, tuple[int, str]] = {}
    for row in world.diagnoses:
        told = (row["position"], row["code"])
        principal[row["claim_id"]] = min(principal.get(row["claim_id"], told), told)
    names = (
        "claim_id", "member_id", "claim_type", "bill_type", "facility_ccn", "admission_date", "service_from",
        "discharge_date", "service_thru", "discharge_status", "drg",
    )  # fmt: skip
    insert(
        con,
        "hospital_claims",
        [
            (
                *[row.get(n) for n in names],
                principal[row["claim_id"]][1],
                row.get("revenue_code") == "0762",
            )
            for row in world.claims
            if not row["is_denied"]
        ],
    )
    told_otherwise = {row["member_id"] for row in world.spans} | set(world.uncovered)
    spans = [{**SPAN, "member_id": m} for m in world.members if m not in told_otherwise]
    for row in [*spans, *[{**SPAN, **s} for s in world.spans]]:
        con.execute(
            "INSERT INTO days SELECT $m, unnest(generate_series($a, $b, INTERVAL 1 DAY))::DATE, $p, coalesce($c, false)",
            {
                "m": row["member_id"], "a": row["span_start"], "b": row["span_end"], "p": row["has_part_a"],
                "c": row["in_medicare_advantage"],
            },
        )  # fmt: skip
    insert(con, "people", [(m, world.births.get(m), world.deaths.get(m)) for m in world.members])
    months = [(y, m, date(y, n, 1)) for m in world.members for y in YEARS for n in range(1, 13)]
    insert(con, "eligible", [row for row in months if row[1:] not in world.not_eligible])
    insert(con, "attributed", [(y, m, *world.whose[m]) for m in world.members for y in YEARS])
    by_set: dict[str, list[str]] = {}
    for name, _, code in world.codes:
        by_set.setdefault(name, []).append(code)
    insert(con, "planned_drgs", [(code,) for code in by_set["planned_drg"]])
    for kind, name in (("hwr_like", "excluded_condition_hwr"), ("pcr_like", "excluded_condition_pcr")):
        insert(con, "conditions", [(kind, code) for code in by_set[name]])
    insert(con, "hospitals", [(code,) for code in by_set["excluded_hospital_hwr"]])


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    listed = list(rows)
    con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(listed[0]))})", listed)


CASES = [
    (Policy("p"), Rules()),
    (Policy("p", Eligibility(part_a_b="none")), Rules(needs_part_a=False, managed_is_a_gap=False)),
    (Policy("p", outcomes=Outcomes(pcr_gap_days=10, pcr_max_age=64)), Rules(gap_days=10, max_age=64)),
]


@pytest.mark.parametrize("place", range(len(CASES)))
def test_readmissions_of_drawn_people_are_those_recomputed(spark: SparkSession, place: int) -> None:
    policy, rules = CASES[place]
    world = drawn(20 + place)
    made = make(spark, world, policy, YEARS)
    con = duckdb.connect()
    tell(con, world)
    assert world.last_told_day is not None
    judge(con, YEARS, world.last_told_day, rules)
    assert differences(con, made.readmissions, made.measures) == []
    found = {r["not_index_reason"] for r in made.readmissions.collect()}
    every = {reason for reasons in REASONS.values() for reason in reasons} - {"OUTLIER_MEMBER"}
    assert found == {None, *every} - (set() if rules.max_age else {"OVER_MAX_AGE"})
    assert sum(r["numerator"] for r in made.measures.where("measure LIKE 'readmissions%'").collect()) > 100


# --- real files

DELIVERED = """
    INSERT INTO hospital_claims
    SELECT claim_id, any_value(BENE_ID), CASE kind WHEN 'inpatient' THEN 'inpatient' ELSE kind END,
        nullif(concat(arg_min_null(CLM_FAC_TYPE_CD, line_number), arg_min_null(CLM_SRVC_CLSFCTN_TYPE_CD, line_number),
            arg_min_null(CLM_FREQ_CD, line_number)), ''),
        arg_min_null(PRVDR_NUM, line_number), arg_min_null(admission_date, line_number),
        arg_min_null(service_from, line_number), arg_min_null(as_date(NCH_BENE_DSCHRG_DT), line_number),
        arg_min_null(service_thru, line_number), arg_min_null(PTNT_DSCHRG_STUS_CD, line_number), NULL, NULL,
        kind = 'outpatient' AND bool_or(coalesce(lpad(REV_CNTR, 4, '0') = '0762', false)
            OR coalesce(upper(HCPCS_CD) = 'G0378', false))
    FROM judged_institutional WHERE verdict = 'accepted' AND kind IN ('inpatient', 'outpatient')
    GROUP BY kind, claim_id
    HAVING NOT bool_or(CLM_MDCR_NON_PMT_RSN_CD IS NOT NULL)"""


def tell_real(con: duckdb.DuckDBPyConnection, part_c: str) -> date:
    """Fill the recomputation's tables from what the oracle of the files has read; the last day that is told."""
    open_tables(con)
    con.execute(DELIVERED)
    months = " UNION ALL ".join(
        f"SELECT BENE_ID AS member_id, make_date(year, {n}, 1) AS month, upper(MDCR_ENTLMT_BUYIN_{n}_IND) AS buy_in "
        "FROM judged_beneficiary WHERE verdict = 'accepted'"
        for n in range(1, 13)
    )
    con.execute(f"""
        INSERT INTO days
        SELECT c.member_id, unnest(generate_series(c.member_month, last_day(c.member_month), INTERVAL 1 DAY))::DATE,
            m.buy_in IN ('1', '3', 'A', 'C'), c.{part_c}
        FROM coverage c JOIN ({months}) m ON m.member_id = c.member_id AND m.month = c.member_month;
        INSERT INTO people
        SELECT BENE_ID, arg_max_null(birth_date, year), arg_max(death_date, year)
        FROM judged_beneficiary WHERE verdict = 'accepted' GROUP BY BENE_ID;
        INSERT INTO eligible SELECT performance_year, member_id, member_month FROM member_months WHERE is_eligible;
        INSERT INTO attributed SELECT performance_year, member_id, network_id, physician_npi FROM attribution""")
    found = con.execute("SELECT last_day(last_month) FROM told").fetchone()
    assert found is not None
    told: date = found[0]
    return told


@pytest.mark.shared
@pytest.mark.delta
def test_readmissions_over_real_files_are_those_recomputed(
    spark: SparkSession, loads: Loads, tmp_path: Path, shared_data: Path
) -> None:
    rif, years = shared_data / "rif", (2016, 2017, 2018, 2022)  # with most stays, and with networks
    lists = {name: rif / f"{name}.csv" for name in ("network_roster", "providers", "risk_scores", "member_attribution")}
    source = Source("rif", str(rif), max_reject_share=1.0, **{name: str(path) for name, path in lists.items()})
    policy = Policy("default", Eligibility(part_a_b="current_month"), risk=Risk(normalization="population"))
    config = RunConfig(source, Warehouse(str(tmp_path / "warehouse")), years, (policy,))
    loads.begin(config)
    result = run(spark, config)
    assert any(
        "readmissions_hwr_like 2016, 2017, 2018, 2022: code sets that are not supplied" in said
        for said in result.notices
    )
    con = read_for_oracle(rif, lists)
    factors = {year: factor for year, factor in FACTORS.items() if year in years}
    compute(con, factors=factors, settings=OracleSettings(years, part_a_b="current_month", normalization="population"))
    judge(con, years, tell_real(con, "hmo_says_part_c"))
    tables = published(spark, config)
    assert differences(con, tables.read(READMISSIONS), tables.read(OUTCOME_MEASURES)) == []
    assert (con.execute("SELECT sum(numerator) FROM measures WHERE physician_npi = ''").fetchone() or (0,))[0] > 0
    assert {r["code_sets"] for r in tables.read(OUTCOME_MEASURES).where("unit = 'share'").collect()} == {
        "applied", "not supplied",
    }  # fmt: skip
