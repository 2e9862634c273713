"""Recompute both readmission measures in DuckDB, from the definitions alone (payment and outcomes, section 5) and without
the product's code: stays as connected pairs of claims, episodes walked stay by stay or as runs of days, coverage day by day.

The caller fills these tables:

    hospital_claims  claim_id, member_id, claim_type, bill_type, ccn, admission_date, service_from, discharge_date,
                     service_thru, status, drg, principal (diagnosis), is_observation: undenied claims
    days             member_id, day, has_part_a, is_managed: every covered day, once
    people           member_id, birth_date, death_date
    eligible         performance_year, member_id, member_month
    attributed       performance_year, member_id, network_id, physician_npi
    planned_drgs     drg
    conditions       kind (hwr_like, pcr_like), code
    hospitals        ccn: left out of the HWR-like measure

`judge` leaves `episodes` (kind, member_id, first_day, last_day, reason, is_readmitted) of the years, and `measures` (network_id,
physician_npi, measure, performance_year, numerator, denominator).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

TABLES = {
    "hospital_claims": (
        "claim_id VARCHAR, member_id VARCHAR, claim_type VARCHAR, bill_type VARCHAR, ccn VARCHAR, admission_date DATE, "
        "service_from DATE, discharge_date DATE, service_thru DATE, status VARCHAR, drg VARCHAR, principal VARCHAR, "
        "is_observation BOOLEAN"
    ),
    "days": "member_id VARCHAR, day DATE, has_part_a BOOLEAN, is_managed BOOLEAN",
    "people": "member_id VARCHAR, birth_date DATE, death_date DATE",
    "eligible": "performance_year INTEGER, member_id VARCHAR, member_month DATE",
    "attributed": "performance_year INTEGER, member_id VARCHAR, network_id VARCHAR, physician_npi VARCHAR",
    "planned_drgs": "drg VARCHAR",
    "conditions": "kind VARCHAR, code VARCHAR",
    "hospitals": "ccn VARCHAR",
}


@dataclass(frozen=True)
class Rules:
    """What a policy may choose, with the defaults of the definitions."""

    needs_part_a: bool = True
    managed_is_a_gap: bool = True
    gap_days: int = 45
    max_age: int | None = None


def open_tables(con: duckdb.DuckDBPyConnection) -> None:
    """The tables that the caller fills, empty."""
    for name, columns in TABLES.items():
        con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")


def judge(
    con: duckdb.DuckDBPyConnection, years: Sequence[int], told_until: dt.date, rules: Rules | None = None
) -> None:
    """Make `episodes` and `measures` of the years."""
    _claims(con)
    _stays(con)
    _hwr_episodes(con)
    _pcr_episodes(con)
    _followed(con, years)
    _reasons(con, told_until, rules or Rules())
    _measures(con)


def _claims(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TABLE used AS
        SELECT *, coalesce(admission_date, service_from, service_thru) AS first_day,
            coalesce(discharge_date, service_thru) AS last_day, coalesce(ccn, '') AS hospital
        FROM hospital_claims
        WHERE (claim_type = 'inpatient' AND left(coalesce(bill_type, ''), 2) IN ('', '11', '41')) OR is_observation;
        DELETE FROM used WHERE last_day < first_day""")


def _stays(con: duckdb.DuckDBPyConnection) -> None:
    """Inpatient claims that belong together two by two, and through others."""
    con.execute("""
        CREATE OR REPLACE TABLE pairs AS
        SELECT a.claim_id AS a, b.claim_id AS b
        FROM used a JOIN used b ON a.member_id = b.member_id AND a.hospital = b.hospital
            AND (a.first_day, a.last_day, a.claim_id) < (b.first_day, b.last_day, b.claim_id)
        WHERE a.claim_type = 'inpatient' AND b.claim_type = 'inpatient'
            AND (a.admission_date = b.admission_date OR b.first_day <= a.last_day
                OR (a.status = '30' AND datediff('day', a.last_day, b.first_day) <= 1));
        CREATE OR REPLACE TABLE stays AS
        WITH RECURSIVE edges AS (SELECT a, b FROM pairs UNION ALL SELECT b, a FROM pairs),
        reached(a, b) AS (
            SELECT claim_id, claim_id FROM used WHERE claim_type = 'inpatient'
            UNION
            SELECT r.a, e.b FROM reached r JOIN edges e ON e.a = r.b
        ),
        named AS (SELECT a AS claim_id, min(b) AS stay FROM reached GROUP BY a),
        summed AS (
            SELECT n.stay, any_value(u.member_id) AS member_id, any_value(u.hospital) AS hospital,
                min(u.first_day) AS first_day, max(u.last_day) AS last_day,
                arg_max({'status': u.status, 'drg': u.drg, 'principal': u.principal}, (u.last_day, u.claim_id)) AS last
            FROM named n JOIN used u USING (claim_id) GROUP BY n.stay
        )
        SELECT left(sha256(member_id || '|' || hospital || '|' || first_day), 32) AS stay_id, member_id, hospital,
            first_day, last_day, last.status AS status, last.drg AS drg, last.principal AS principal
        FROM summed
        WHERE hospital = '' OR (regexp_full_match(right(hospital, 4), '[0-9]{4}') AND hospital[3] BETWEEN '0' AND '9'
            AND (right(hospital, 4)::INTEGER BETWEEN 1 AND 879 OR right(hospital, 4)::INTEGER BETWEEN 1300 AND 1399))""")


_LAST = "{'status': status, 'hospital': hospital, 'principal': principal}"


def _hwr_episodes(con: duckdb.DuckDBPyConnection) -> None:
    """From stay to stay: one that begins before the last ends, or by the next day elsewhere, goes on."""
    con.execute(f"""
        CREATE OR REPLACE TABLE hwr AS
        WITH RECURSIVE ordered AS (
            SELECT *, row_number() OVER (PARTITION BY member_id ORDER BY first_day, last_day, stay_id) AS place FROM stays
        ),
        walked AS (
            SELECT o.*, 1 AS episode, o.last_day AS latest FROM ordered o WHERE place = 1
            UNION ALL
            SELECT n.*, CASE
                    WHEN n.first_day <= w.latest THEN w.episode
                    WHEN n.first_day = w.latest + 1 AND n.hospital <> w.hospital THEN w.episode
                    ELSE w.episode + 1 END,
                greatest(w.latest, n.last_day)
            FROM walked w JOIN ordered n ON n.member_id = w.member_id AND n.place = w.place + 1
        )
        SELECT 'hwr_like' AS kind, member_id, min(first_day) AS first_day, max(last_day) AS last_day,
            arg_max({_LAST}, (last_day, first_day, stay_id)) AS last,
            arg_min(struct_pack(drg := drg), (first_day, last_day, stay_id)) AS first_stay
        FROM walked GROUP BY member_id, episode""")


def _pcr_episodes(con: duckdb.DuckDBPyConnection) -> None:
    """Runs of days in an acute or observation stay of any hospital."""
    con.execute(f"""
        CREATE OR REPLACE TABLE parts AS
        SELECT member_id, hospital, first_day, last_day, status, drg, principal, stay_id, 1 AS is_inpatient, '' AS claim_id
        FROM stays
        UNION ALL
        SELECT member_id, hospital, first_day, last_day, status, drg, principal,
            left(sha256(member_id || '|' || hospital || '|' || first_day), 32), 0, claim_id
        FROM used WHERE is_observation AND claim_type <> 'inpatient';
        CREATE OR REPLACE TABLE pcr AS
        WITH in_hospital AS (
            SELECT DISTINCT member_id, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS day FROM parts
        ),
        runs AS (
            SELECT member_id, day,
                day - row_number() OVER (PARTITION BY member_id ORDER BY day)::INTEGER AS run FROM in_hospital
        ),
        spans AS (SELECT member_id, min(day) AS first_day, max(day) AS last_day FROM runs GROUP BY member_id, run)
        SELECT 'pcr_like' AS kind, s.member_id, s.first_day, s.last_day,
            arg_max({_LAST.replace("': ", "': p.")}, (p.last_day, p.first_day, p.is_inpatient, p.stay_id, p.claim_id))
                AS last,
            arg_min(struct_pack(drg := p.drg), (p.first_day, p.last_day, p.stay_id, p.is_inpatient, p.claim_id))
                AS first_stay
        FROM spans s JOIN parts p ON p.member_id = s.member_id AND p.first_day BETWEEN s.first_day AND s.last_day
        GROUP BY s.member_id, s.first_day, s.last_day""")


def _followed(con: duckdb.DuckDBPyConnection, years: Sequence[int]) -> None:
    """Episodes of the years with the next of their kind."""
    con.execute(f"""
        CREATE OR REPLACE TABLE followed AS
        WITH every AS (
            SELECT *, coalesce(first_stay.drg IN (SELECT drg FROM planned_drgs), false) AS is_planned
            FROM (SELECT * FROM hwr UNION ALL SELECT * FROM pcr)
        ),
        next AS (
            SELECT *, lead(first_day) OVER following AS next_first, lead(is_planned) OVER following AS next_is_planned
            FROM every WINDOW following AS (PARTITION BY kind, member_id ORDER BY first_day)
        )
        SELECT kind, member_id, first_day, last_day, last.status AS status, last.hospital AS hospital,
            last.principal AS principal,
            coalesce(datediff('day', last_day, next_first) BETWEEN CASE kind WHEN 'hwr_like' THEN 1 ELSE 2 END AND 30
                AND NOT next_is_planned, false) AS is_readmitted
        FROM next WHERE year(last_day) IN ({", ".join(map(str, years))})""")


def _reasons(con: duckdb.DuckDBPyConnection, told_until: dt.date, rules: Rules) -> None:
    has_hwr = "d.has_part_a AND NOT d.is_managed" if rules.needs_part_a else "true"
    has_pcr = "NOT d.is_managed" if rules.managed_is_a_gap else "true"
    over_age = "false" if rules.max_age is None else f"age_last > {rules.max_age}"
    con.execute(f"""
        CREATE OR REPLACE TABLE placed AS
        SELECT f.*, p.death_date, date_sub('year', p.birth_date, f.first_day) AS age_first,
            date_sub('year', p.birth_date, f.last_day) AS age_last,
            least(f.last_day + 30, coalesce(p.death_date, DATE '9999-12-31')) AS until
        FROM followed f LEFT JOIN people p USING (member_id);
        -- every day that the measures ask about, and whether it is covered
        CREATE OR REPLACE TABLE asked AS
        WITH windows AS (
            SELECT kind, member_id, first_day, last_day, until,
                CASE kind WHEN 'hwr_like' THEN (first_day - INTERVAL 12 MONTH)::DATE ELSE last_day - 365 END AS since
            FROM placed
        ),
        listed AS (
            SELECT *, unnest(generate_series(since, until, INTERVAL 1 DAY))::DATE AS day FROM windows
        )
        SELECT l.kind, l.member_id, l.first_day, l.last_day, l.day,
            d.day IS NOT NULL AND CASE l.kind WHEN 'hwr_like' THEN {has_hwr} ELSE {has_pcr} END AS is_covered
        FROM listed l LEFT JOIN days d ON d.member_id = l.member_id AND d.day = l.day;
        CREATE OR REPLACE TABLE gaps AS
        WITH uncovered AS (
            SELECT *, day - row_number() OVER (PARTITION BY kind, member_id, first_day ORDER BY day)::INTEGER AS run
            FROM asked WHERE NOT is_covered AND day < last_day
        )
        SELECT kind, member_id, first_day, run, count(*) AS days FROM uncovered GROUP BY ALL;
        CREATE OR REPLACE TABLE coverage_found AS
        SELECT a.kind, a.member_id, a.first_day, bool_and(a.is_covered) AS every_day,
            bool_and(a.is_covered OR a.day < a.last_day) AS every_day_after,
            (SELECT count(*) FROM gaps g
             WHERE g.kind = a.kind AND g.member_id = a.member_id AND g.first_day = a.first_day) AS gaps,
            (SELECT coalesce(max(days), 0) FROM gaps g
             WHERE g.kind = a.kind AND g.member_id = a.member_id AND g.first_day = a.first_day) AS longest
        FROM asked a GROUP BY a.kind, a.member_id, a.first_day""")
    con.execute(
        f"""
        CREATE OR REPLACE TABLE episodes AS
        SELECT p.kind, p.member_id, p.first_day, p.last_day, p.is_readmitted, year(p.last_day) AS performance_year,
            e.member_id IS NOT NULL AS is_month_eligible,
            CASE p.kind WHEN 'hwr_like' THEN CASE
                WHEN p.status = '30' THEN 'STILL_PATIENT'
                WHEN p.status IN ('20', '40', '41', '42') OR p.death_date <= p.last_day THEN 'DIED'
                WHEN p.status = '07' THEN 'LEFT_AGAINST_ADVICE'
                WHEN coalesce(p.age_first, 0) < 65 THEN 'UNDER_65'
                WHEN p.last_day + 30 > $told_until THEN 'NOT_TOLD'
                WHEN NOT c.every_day THEN 'NO_PART_A'
                WHEN EXISTS (FROM conditions x WHERE x.kind = p.kind AND x.code = p.principal) THEN 'EXCLUDED_CONDITION'
                WHEN p.hospital IN (SELECT ccn FROM hospitals) THEN 'EXCLUDED_HOSPITAL'
                WHEN e.member_id IS NULL THEN 'MONTH_NOT_ELIGIBLE' END
            ELSE CASE
                WHEN p.last_day > make_date(year(p.last_day), 12, 1) THEN 'AFTER_1_DECEMBER'
                WHEN p.status = '30' THEN 'STILL_PATIENT'
                WHEN p.status IN ('20', '40', '41', '42') OR p.death_date <= p.last_day THEN 'DIED'
                WHEN p.first_day = p.last_day THEN 'SAME_DAY'
                WHEN coalesce(p.age_last, 0) < 18 THEN 'UNDER_18'
                WHEN {over_age} THEN 'OVER_MAX_AGE'
                WHEN p.last_day + 30 > $told_until THEN 'NOT_TOLD'
                WHEN NOT c.every_day_after OR c.gaps > 1 OR c.longest > {rules.gap_days} THEN 'NOT_ENROLLED'
                WHEN EXISTS (FROM conditions x WHERE x.kind = p.kind AND x.code = p.principal) THEN 'EXCLUDED_CONDITION'
                WHEN e.member_id IS NULL THEN 'MONTH_NOT_ELIGIBLE' END
            END AS reason
        FROM placed p
        LEFT JOIN coverage_found c ON c.kind = p.kind AND c.member_id = p.member_id AND c.first_day = p.first_day
        LEFT JOIN eligible e ON e.member_id = p.member_id AND e.performance_year = year(p.last_day)
            AND e.member_month = date_trunc('month', p.last_day)""",
        {"told_until": told_until},
    )


def _measures(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TABLE measures AS
        SELECT e.performance_year, coalesce(a.network_id, 'UNATTRIBUTED') AS network_id,
            CASE WHEN grouping(coalesce(a.physician_npi, 'UNATTRIBUTED')) = 1 THEN ''
                ELSE coalesce(a.physician_npi, 'UNATTRIBUTED') END AS physician_npi,
            'readmissions_' || e.kind AS measure, count(*) FILTER (WHERE e.is_readmitted) AS numerator,
            count(*) AS denominator
        FROM episodes e LEFT JOIN attributed a USING (performance_year, member_id)
        WHERE e.reason IS NULL
        GROUP BY GROUPING SETS (
            (e.performance_year, coalesce(a.network_id, 'UNATTRIBUTED'), e.kind),
            (e.performance_year, coalesce(a.network_id, 'UNATTRIBUTED'), coalesce(a.physician_npi, 'UNATTRIBUTED'), e.kind))
    """)
