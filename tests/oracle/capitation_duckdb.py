"""Recompute what contracts owe, and the ledger of several payment runs, in DuckDB: day by day and without the product's
code, from the definitions alone (sections 1 and 2 of payment and outcomes, decisions 90 and 91).

What a run knows stands in these tables, which the caller fills before each run:

    days            member_id, day, enrollment_type: every enrolled day as known on the as-of day, overlaps resolved
    people          member_id, birth_date, sex, death_date
    failing         member_id, coverage_month, reason: what a month fails by, under the run's policy
    attributed      performance_year, member_id, network_id
    scores          member_id, performance_year, risk_score
    factors         performance_year, normalization_factor
    told            first_month, last_month
    contracts, contract_rates, contract_members: as the lists, typed

`post` adds a run to `ledger` and `runs`, and leaves what is due in `due` and what the limit keeps back in `unposted`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb

Row = dict[str, Any]

TERMS = ("network_id", "start_date", "end_date", "coverage_rule", "month_reasons", "withhold_share")
LISTS = {
    "contracts": """
        SELECT contract_id, network_id, start_date::DATE AS start_date,
            coalesce(end_date::DATE, DATE '9999-12-31') AS end_date,
            coalesce(coverage_rule, 'first_of_month') AS coverage_rule, coalesce(month_reasons, '') AS month_reasons,
            retro_limit_months::INTEGER AS retro_limit_months,
            coalesce(withhold_share, '0')::DECIMAL(12, 6) AS withhold_share, previous_contract_id""",
    "contract_rates": """
        SELECT contract_id, effective_from::DATE AS effective_from,
            coalesce(effective_to::DATE, DATE '9999-12-31') AS effective_to, enrollment_type, age_band, sex,
            rate::DECIMAL(12, 2) AS rate, risk_adjusted::BOOLEAN AS risk_adjusted""",
    "contract_members": """
        SELECT contract_id, member_id, start_date::DATE AS start_date,
            coalesce(end_date::DATE, DATE '9999-12-31') AS end_date, recorded_on::DATE AS recorded_on""",
}


def read_list(con: duckdb.DuckDBPyConnection, name: str, path: str) -> None:
    """Read one of the lists of contracts from its CSV file."""
    con.execute(f"""
        CREATE OR REPLACE TABLE {name} AS {LISTS[name]}
        FROM (SELECT NULL AS previous_contract_id, NULL AS recorded_on WHERE false
            UNION ALL BY NAME FROM read_csv('{path}', all_varchar = true))""")


def open_books(con: duckdb.DuckDBPyConnection) -> None:
    """The ledger and the list of runs, empty."""
    con.execute("""
        CREATE OR REPLACE TABLE ledger (
            contract_id VARCHAR, posting_run INTEGER, member_id VARCHAR, coverage_month DATE, as_of DATE,
            network_id VARCHAR, reason VARCHAR, also_changed VARCHAR[], enrollment_type VARCHAR, age_band VARCHAR,
            sex VARCHAR, rate DECIMAL(12, 2), risk_adjusted BOOLEAN, normalized_risk_score DECIMAL(12, 6),
            is_scored BOOLEAN, exposure DECIMAL(12, 6), due_amount DECIMAL(18, 2), posted_before DECIMAL(18, 2),
            amount DECIMAL(18, 2), withhold_amount DECIMAL(18, 2), net_amount DECIMAL(18, 2));
        CREATE OR REPLACE TABLE runs (
            posting_run INTEGER, contract_id VARCHAR, as_of DATE, payable_through DATE, network_id VARCHAR,
            start_date DATE, end_date DATE, coverage_rule VARCHAR, month_reasons VARCHAR,
            withhold_share DECIMAL(12, 6), previous_contract_id VARCHAR);
        CREATE OR REPLACE TABLE unposted (
            contract_id VARCHAR, posting_run INTEGER, member_id VARCHAR, coverage_month DATE, as_of DATE,
            reason VARCHAR, due_amount DECIMAL(18, 2), posted_amount DECIMAL(18, 2), unposted_amount DECIMAL(18, 2),
            unposted_withhold DECIMAL(18, 2));""")


def post(
    con: duckdb.DuckDBPyConnection, as_of: dt.date, *, pay: str = "in_advance", overlap: str = "one"
) -> int | None:
    """One payment run; its number, or None where the day is posted already and nothing has changed."""
    run = con.sql("SELECT coalesce(max(posting_run), 0) + 1 FROM runs").fetchall()[0][0]
    is_payable = {"in_advance": "month <= $as_of", "in_arrears": "last_day(month) <= $as_of"}[pay]
    con.execute(
        f"""CREATE OR REPLACE TABLE payable AS
            SELECT month FROM (
                SELECT unnest(generate_series(first_month, last_month, INTERVAL 1 MONTH))::DATE AS month FROM told)
            WHERE {is_payable}""",
        {"as_of": as_of},
    )
    _now_called(con)
    _posted(con)
    _due(con, "due", "contracts", as_of, overlap)
    _former_due(con, as_of, overlap)
    _changes(con, as_of, run)
    lines = con.sql("SELECT count(*) FROM changes WHERE is_open").fetchall()[0][0]
    kept = f"""
        SELECT contract_id, {run} AS posting_run, member_id, coverage_month, DATE '{as_of}' AS as_of, reason,
            due_amount, posted_before, amount, withhold_amount
        FROM changes WHERE NOT is_open"""
    same_day = con.sql(f"SELECT count(*) FROM runs WHERE as_of = DATE '{as_of}' AND posting_run = {run - 1}")
    if lines == 0 and same_day.fetchall()[0][0]:
        figures = "contract_id, member_id, coverage_month, due_amount, posted_amount, unposted_withhold"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE kept_now AS SELECT * FROM unposted WHERE false; INSERT INTO kept_now {kept}"
        )
        before = f"SELECT {figures} FROM unposted WHERE posting_run = {run - 1}"
        now = f"SELECT {figures} FROM kept_now"
        if not con.sql(f"({before} EXCEPT {now}) UNION ALL ({now} EXCEPT {before})").fetchall():
            return None
    con.execute(f"INSERT INTO unposted {kept}")
    con.execute(f"""
        INSERT INTO ledger BY NAME
        SELECT * EXCLUDE (is_open, posted_before, amount), posted_before, amount, amount - withhold_amount AS net_amount,
            {run} AS posting_run, DATE '{as_of}' AS as_of
        FROM changes WHERE is_open""")
    con.execute(f"""
        INSERT INTO runs BY NAME
        SELECT {run} AS posting_run, contract_id, DATE '{as_of}' AS as_of,
            (SELECT max(month) FROM payable) AS payable_through, {", ".join(TERMS)}, previous_contract_id
        FROM contracts""")
    return int(run)


def _now_called(con: duckdb.DuckDBPyConnection) -> None:
    """Each id that was ever paid, with the id that the contract has now: a chain of renamings is followed to its end."""
    con.execute("""
        CREATE OR REPLACE TABLE called AS
        WITH RECURSIVE heirs AS (
            SELECT previous_contract_id AS former, contract_id FROM contracts WHERE previous_contract_id IS NOT NULL
            UNION SELECT previous_contract_id, contract_id FROM runs WHERE previous_contract_id IS NOT NULL),
        chain AS (
            SELECT contract_id AS paid_as, contract_id, 0 AS steps FROM (
                SELECT contract_id FROM runs UNION SELECT contract_id FROM contracts)
            UNION ALL
            SELECT c.paid_as, h.contract_id, steps + 1 FROM chain c JOIN heirs h ON h.former = c.contract_id)
        SELECT paid_as, arg_max(contract_id, steps) AS contract_id FROM chain GROUP BY paid_as""")


def _posted(con: duckdb.DuckDBPyConnection) -> None:
    """What was posted by contract, member and month, with the last line of each."""
    con.execute("""
        CREATE OR REPLACE TABLE posted AS
        SELECT c.contract_id, l.member_id, l.coverage_month, sum(l.amount) AS posted,
            sum(l.withhold_amount) AS withheld,
            arg_max(struct_pack(reason := l.reason, enrollment_type := l.enrollment_type, age_band := l.age_band,
                sex := l.sex, rate := l.rate, risk_adjusted := l.risk_adjusted,
                normalized_risk_score := l.normalized_risk_score, exposure := l.exposure), l.posting_run) AS last
        FROM ledger l JOIN called c ON c.paid_as = l.contract_id
        GROUP BY ALL""")


def _due(con: duckdb.DuckDBPyConnection, name: str, contracts: str, as_of: dt.date, overlap: str) -> None:
    """Every contract, member and month: due, or the first reason why not; with rate, score and amounts."""
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {name} AS
        WITH terms AS (SELECT * FROM {contracts}),
        with_list AS (SELECT DISTINCT contract_id FROM contract_members),
        listings AS (
            SELECT contract_id, member_id, start_date AS first_day, end_date AS last_day, true AS is_list
            FROM contract_members WHERE coalesce(recorded_on <= $as_of, true)
            UNION ALL
            SELECT t.contract_id, a.member_id, make_date(a.performance_year, 1, 1),
                make_date(a.performance_year, 12, 31), false
            FROM terms t JOIN attributed a ON a.network_id = t.network_id
            WHERE t.contract_id NOT IN (SELECT contract_id FROM with_list)
        ),
        ever AS (
            SELECT contract_id, member_id FROM listings UNION SELECT contract_id, member_id FROM posted
        ),
        -- every payable month of the contract, and all up to those that stand in the ledger
        ends AS (
            SELECT e.*, least(greatest(date_trunc('month', any_value(t.start_date)), (SELECT first_month FROM told)),
                    min(p.coverage_month))::DATE AS first_month,
                greatest(least(date_trunc('month', any_value(t.end_date)), (SELECT max(month) FROM payable)),
                    max(p.coverage_month))::DATE AS last_month
            FROM ever e JOIN terms t USING (contract_id) LEFT JOIN posted p USING (contract_id, member_id)
            GROUP BY e.contract_id, e.member_id
        ),
        months AS (
            SELECT contract_id, member_id,
                unnest(generate_series(first_month, last_month, INTERVAL 1 MONTH))::DATE AS month
            FROM ends
        ),
        by_day AS (
            SELECT m.contract_id, m.member_id, m.month, d.day, d.enrollment_type,
                EXISTS (
                    SELECT 1 FROM listings l WHERE l.contract_id = m.contract_id AND l.member_id = m.member_id
                        AND d.day BETWEEN l.first_day AND l.last_day) AS is_listed,
                d.day BETWEEN t.start_date AND t.end_date AS is_in_contract
            FROM months m JOIN terms t USING (contract_id)
            JOIN days d ON d.member_id = m.member_id AND d.day BETWEEN m.month AND last_day(m.month)
        ),
        sets AS (
            SELECT m.contract_id, m.member_id, m.month, t.coverage_rule,
                coalesce(list(day ORDER BY day) FILTER (day IS NOT NULL), []) AS enrolled,
                coalesce(list(day ORDER BY day) FILTER (is_listed), []) AS met,
                coalesce(list(day ORDER BY day) FILTER (is_listed AND is_in_contract), []) AS covered
            FROM months m JOIN terms t USING (contract_id) LEFT JOIN by_day USING (contract_id, member_id, month)
            GROUP BY ALL
        ),
        looked AS (
            SELECT *, day(last_day(month)) AS month_days,
                CASE coverage_rule WHEN 'first_of_month' THEN month WHEN 'mid_month' THEN month + 14
                    WHEN 'last_day' THEN last_day(month) ELSE covered[1] END::DATE AS looked_at
            FROM sets
        ),
        held AS (
            SELECT *, {_holds("enrolled")} AS holds_enrolled, {_holds("met")} AS holds_met,
                {_holds("covered")} AS holds_covered
            FROM looked
        ),
        reasons AS (
            SELECT h.*, t.network_id, t.start_date, t.withhold_share, p.birth_date, coalesce(p.sex, 'U') AS person_sex,
                CASE WHEN p.member_id IS NULL THEN 'UNKNOWN_MEMBER'
                    WHEN h.month NOT IN (SELECT month FROM payable) THEN 'NOT_TOLD'
                    WHEN h.month > p.death_date THEN 'DECEASED'
                    WHEN NOT holds_enrolled THEN 'NOT_ENROLLED'
                    WHEN NOT holds_met THEN 'NOT_LISTED'
                    WHEN NOT holds_covered THEN 'OUTSIDE_CONTRACT'
                    ELSE (
                        SELECT min_by(f.reason, list_position([
                            'NOT_IN_PART_A_AND_B', 'MEDICARE_ADVANTAGE', 'MEDICARE_SECONDARY', 'NON_US_RESIDENT'],
                            f.reason))
                        FROM failing f WHERE f.member_id = h.member_id AND f.coverage_month = h.month
                            AND list_contains(string_split(t.month_reasons, ';'), f.reason)) END AS fails
            FROM held h JOIN terms t USING (contract_id) LEFT JOIN people p USING (member_id)
        ),
        typed AS (
            SELECT r.*, coalesce(d.enrollment_type, 'OTHER') AS person_type,
                date_diff('year', birth_date, month) - CASE
                    WHEN strftime(birth_date, '%m%d') > strftime(month, '%m%d') THEN 1 ELSE 0 END AS age,
                CASE WHEN coverage_rule = 'prorated'
                    THEN ((2 * len(covered)::HUGEINT * 1000000 + month_days) // (2 * month_days))::DECIMAL(30, 0)
                        * 0.000001::DECIMAL(7, 6)
                    ELSE 1 END::DECIMAL(7, 6) AS share
            FROM reasons r LEFT JOIN days d ON d.member_id = r.member_id AND d.day = r.looked_at
        ),
        rated AS (
            SELECT t.*, c.enrollment_type, c.age_band, c.sex, c.rate, c.risk_adjusted
            FROM typed t LEFT JOIN contract_rates c ON c.contract_id = t.contract_id
                AND greatest(t.month, t.start_date) BETWEEN c.effective_from AND c.effective_to
                AND c.enrollment_type IN ('*', t.person_type) AND c.sex IN ('*', t.person_sex)
                AND (c.age_band = '*' OR CASE
                    WHEN c.age_band LIKE '%+' THEN t.age >= rtrim(c.age_band, '+')::INTEGER
                    ELSE t.age BETWEEN split_part(c.age_band, '-', 1)::INTEGER
                        AND split_part(c.age_band, '-', 2)::INTEGER END)
            QUALIFY row_number() OVER (
                PARTITION BY t.contract_id, t.member_id, t.month
                ORDER BY c.enrollment_type = '*', c.age_band = '*', c.sex = '*') = 1
        ),
        scored AS (
            SELECT r.*, s.risk_score IS NOT NULL AS has_score,
                CASE WHEN r.risk_adjusted AND s.risk_score IS NOT NULL THEN (
                    (2 * (s.risk_score * 1000000)::HUGEINT * 10000000000 + (f.normalization_factor * 10000000000)::HUGEINT)
                    // (2 * (f.normalization_factor * 10000000000)::HUGEINT))::DECIMAL(30, 0) * 0.000001::DECIMAL(7, 6)
                    ELSE 1 END::DECIMAL(12, 6) AS score
            FROM rated r LEFT JOIN scores s ON s.member_id = r.member_id AND s.performance_year = year(r.month)
            LEFT JOIN factors f ON f.performance_year = year(r.month)
        ),
        priced AS (
            SELECT *, round(rate::DECIMAL(38, 2) * score * share, 2)::DECIMAL(18, 2) AS would_be,
                (SELECT max(l.first_day) FROM listings l WHERE l.contract_id = scored.contract_id AND l.is_list
                    AND l.member_id = scored.member_id AND l.first_day <= last_day(month) AND l.last_day >= month)
                    AS listed_since
            FROM scored
        ),
        settled AS (
            SELECT *, CASE WHEN fails IS NOT NULL THEN fails
                WHEN '{overlap}' = 'one' AND row_number() OVER (
                    PARTITION BY member_id, month, fails IS NULL
                    ORDER BY listed_since IS NULL, listed_since DESC, contract_id) > 1 THEN 'TWO_CONTRACTS' END AS reason
            FROM priced
        )
        SELECT contract_id, member_id, month AS coverage_month, network_id, reason IS NULL AS is_due,
            reason AS not_due_reason,
            CASE WHEN reason IS NULL THEN enrollment_type END AS enrollment_type,
            CASE WHEN reason IS NULL THEN age_band END AS age_band, CASE WHEN reason IS NULL THEN sex END AS sex,
            CASE WHEN reason IS NULL THEN rate END AS rate,
            CASE WHEN reason IS NULL THEN risk_adjusted END AS risk_adjusted,
            CASE WHEN reason IS NULL THEN score END AS normalized_risk_score,
            CASE WHEN reason IS NULL THEN has_score END AS is_scored,
            CASE WHEN reason IS NULL THEN share ELSE 0 END::DECIMAL(12, 6) AS exposure,
            CASE WHEN reason IS NULL THEN would_be ELSE 0 END::DECIMAL(18, 2) AS due_amount,
            round(CASE WHEN reason IS NULL THEN would_be ELSE 0 END::DECIMAL(38, 2) * withhold_share, 2)::DECIMAL(18, 2) AS withhold_due,
            CASE WHEN reason = 'TWO_CONTRACTS' THEN would_be ELSE 0 END::DECIMAL(18, 2) AS forgone_amount,
            person_type, age, person_sex
        FROM settled""",
        {"as_of": as_of},
    )


def _holds(days: str) -> str:
    """Whether the coverage rule holds on a list of days."""
    return f"""CASE coverage_rule
        WHEN 'full_month' THEN len({days}) = month_days
        WHEN 'first_of_month' THEN list_contains({days}, month)
        WHEN 'mid_month' THEN list_contains({days}, (month + 14)::DATE)
        WHEN 'last_day' THEN list_contains({days}, last_day(month))
        ELSE len({days}) > 0 END"""


def _former_due(con: duckdb.DuckDBPyConnection, as_of: dt.date, overlap: str) -> None:
    """What would be due today under the terms of the run before, all else as it is now; and whose terms have changed."""
    con.execute(f"""
        CREATE OR REPLACE TABLE before AS
        SELECT c.contract_id, max(r.payable_through) AS payable_before,
            {", ".join(f"arg_max(r.{name}, r.posting_run) AS {name}" for name in TERMS)}
        FROM runs r JOIN called c ON c.paid_as = r.contract_id
        WHERE r.posting_run = (SELECT max(posting_run) FROM runs)
        GROUP BY c.contract_id""")
    same = " AND ".join(f"b.{name} IS NOT DISTINCT FROM c.{name}" for name in TERMS)
    con.execute(f"""
        CREATE OR REPLACE TABLE changed_terms AS
        SELECT contract_id FROM contracts c JOIN before b USING (contract_id) WHERE NOT ({same})""")
    former = ", ".join(f"CASE WHEN b.contract_id IS NULL THEN c.{name} ELSE b.{name} END AS {name}" for name in TERMS)
    con.execute(f"""
        CREATE OR REPLACE TABLE put_back AS
        SELECT c.* REPLACE ({former}) FROM contracts c LEFT JOIN before b USING (contract_id)""")
    _due(con, "due_put_back", "put_back", as_of, overlap)
    con.execute("""
        CREATE OR REPLACE TABLE former_due AS
        SELECT contract_id, member_id, coverage_month, due_amount AS former_amount, withhold_due AS former_withhold
        FROM due_put_back""")


def _changes(con: duckdb.DuckDBPyConnection, as_of: dt.date, run: int) -> None:
    """Every month whose due or withhold is not what was posted, with every reason that holds, in their order."""
    con.execute(
        """
        CREATE OR REPLACE TABLE changes AS
        WITH differing AS (
            SELECT d.*, p.last, coalesce(p.posted, 0) AS posted_before, due_amount - coalesce(p.posted, 0) AS amount,
                withhold_due - coalesce(p.withheld, 0) AS withhold_amount, c.retro_limit_months,
                coalesce(p.last.exposure, 0) AS exposure_before, coalesce(p.last.exposure, 0) > 0 AND d.is_due AS both_due,
                p.last IS NULL AND coalesce(d.coverage_month > b.payable_before, true) AS is_new,
                (NOT d.is_due AND d.not_due_reason = 'DECEASED') OR (d.is_due AND coalesce(p.last.reason = 'DEATH', false))
                    AS is_death,
                d.contract_id IN (SELECT contract_id FROM changed_terms)
                    AND coalesce(f.former_amount, 0) = coalesce(p.posted, 0)
                    AND coalesce(f.former_withhold, 0) = coalesce(p.withheld, 0) AS by_terms,
                (d.enrollment_type, d.age_band, d.sex) IS NOT DISTINCT FROM
                    (p.last.enrollment_type, p.last.age_band, p.last.sex) AS same_cell
            FROM due d JOIN contracts c USING (contract_id)
            LEFT JOIN posted p USING (contract_id, member_id, coverage_month)
            LEFT JOIN before b USING (contract_id)
            LEFT JOIN former_due f USING (contract_id, member_id, coverage_month)
            WHERE due_amount <> coalesce(p.posted, 0) OR withhold_due <> coalesce(p.withheld, 0)
        ),
        told AS (
            SELECT *, list_filter([
                CASE WHEN is_new THEN 'NEW_MONTH' END,
                CASE WHEN NOT is_new AND is_death THEN 'DEATH' END,
                CASE WHEN NOT is_new AND NOT is_death AND by_terms THEN 'CONTRACT_CHANGE' END,
                CASE WHEN NOT is_new AND NOT is_death AND exposure < exposure_before THEN 'RETRO_TERMINATION' END,
                CASE WHEN NOT is_new AND NOT is_death AND exposure > exposure_before THEN 'RETRO_ENROLLMENT' END,
                CASE WHEN both_due AND NOT same_cell THEN 'RATE_CELL_CHANGE' END,
                CASE WHEN both_due AND same_cell AND (rate, risk_adjusted)
                    IS DISTINCT FROM (last.rate, last.risk_adjusted) THEN 'RATE_CHANGE' END,
                CASE WHEN both_due AND normalized_risk_score IS DISTINCT FROM last.normalized_risk_score
                    THEN 'RISK_UPDATE' END
                ], lambda r: r IS NOT NULL) AS holds
            FROM differing
        )
        SELECT contract_id, member_id, coverage_month, network_id, coalesce(holds[1], 'CONTRACT_CHANGE') AS reason,
            holds[2:] AS also_changed,
            CASE WHEN is_due THEN enrollment_type ELSE last.enrollment_type END AS enrollment_type,
            CASE WHEN is_due THEN age_band ELSE last.age_band END AS age_band,
            CASE WHEN is_due THEN sex ELSE last.sex END AS sex,
            CASE WHEN is_due THEN rate ELSE last.rate END AS rate,
            CASE WHEN is_due THEN risk_adjusted ELSE last.risk_adjusted END AS risk_adjusted,
            CASE WHEN is_due THEN normalized_risk_score ELSE last.normalized_risk_score END AS normalized_risk_score,
            is_scored, exposure, due_amount, posted_before, amount, withhold_amount,
            coalesce(date_diff('month', coverage_month, $as_of::DATE) <= retro_limit_months, true) AS is_open
        FROM told""",
        {"as_of": as_of},
    )


def rows(con: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    """The rows of a table."""
    found = con.sql(f"SELECT * FROM {table}")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
