"""Recompute allocated against actual and its split in DuckDB, without the product's code, from the definitions alone
(section 4 of payment and outcomes, decision 92).

It reads what `capitation_duckdb.post` leaves (`due`, `ledger`, `unposted`, `runs`, `payable`, `contracts`,
`contract_rates`), and:

    costs             member_id, coverage_month, service_category, services, amount: what the policy counts
    contract_budget   as the list, typed; without a row where there is none

and leaves `variance` and `variance_split`. Contracts are those of the last run, none of them under a former id.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

BUDGET_LIST = """
    SELECT contract_id, year::INTEGER AS year, enrollment_type, age_band, sex, service_category,
        member_months::DECIMAL(18, 6) AS member_months, services_per_1000::DECIMAL(18, 6) AS services_per_1000,
        cost_per_service::DECIMAL(18, 2) AS cost_per_service"""
EFFECTS = ("MEMBERSHIP", "CELL_MIX", "USE", "COST_PER_SERVICE")


def read_budget(con: duckdb.DuckDBPyConnection, path: str | None) -> None:
    if path is None:
        names = [part.rsplit(" ", 1)[-1] for part in BUDGET_LIST.replace("SELECT", "").split(",")]
        con.execute(
            f"CREATE OR REPLACE TABLE contract_budget AS SELECT {', '.join(f'NULL AS {n}' for n in names)} LIMIT 0"
        )
        return
    con.execute(f"CREATE OR REPLACE TABLE contract_budget AS {BUDGET_LIST} FROM read_csv('{path}', all_varchar = true)")


def variance(con: duckdb.DuckDBPyConnection, years_computed: Sequence[int], alert_share: str = "0.05") -> None:
    """Of the last run."""
    con.execute(
        "CREATE OR REPLACE TABLE computed AS SELECT unnest($years::INTEGER[]) AS year", {"years": list(years_computed)}
    )
    _comparators(con)
    _sides(con)
    _amounts(con, alert_share)
    _split(con)


def _fits(cell: str, person: str) -> str:
    """Whether a rate cell holds a person."""
    return f"""({cell}.enrollment_type IN ('*', {person}.person_type) AND {cell}.sex IN ('*', {person}.person_sex)
        AND ({cell}.age_band = '*' OR coalesce(CASE
            WHEN {cell}.age_band LIKE '%+' THEN {person}.age >= rtrim({cell}.age_band, '+')::INTEGER
            ELSE {person}.age BETWEEN split_part({cell}.age_band, '-', 1)::INTEGER
                AND split_part({cell}.age_band, '-', 2)::INTEGER END, false)))"""


def _named(cell: str) -> str:
    return f"{cell}.enrollment_type || ' x ' || {cell}.age_band || ' x ' || {cell}.sex"


def _comparators(con: duckdb.DuckDBPyConnection) -> None:
    """The payable months of each contract, and what each of its years is compared with."""
    con.execute("""
        CREATE OR REPLACE TABLE contract_months AS
        SELECT c.contract_id, p.month, year(p.month) AS year,
            row_number() OVER (PARTITION BY c.contract_id, year(p.month) ORDER BY p.month) AS place
        FROM contracts c JOIN payable p
            ON p.month BETWEEN date_trunc('month', c.start_date) AND date_trunc('month', c.end_date);
        CREATE OR REPLACE TABLE comparators AS
        WITH due_years AS (SELECT DISTINCT contract_id, year(coverage_month) AS year FROM due WHERE is_due)
        SELECT DISTINCT m.contract_id, m.year, CASE
            WHEN EXISTS (FROM contract_budget b WHERE b.contract_id = m.contract_id AND b.year = m.year) THEN 'budget'
            WHEN EXISTS (FROM due_years d WHERE d.contract_id = m.contract_id AND d.year = m.year - 1)
                AND m.year - 1 IN (SELECT year FROM computed) THEN 'prior_year'
            ELSE 'none' END AS comparator
        FROM contract_months m WHERE m.year IN (SELECT year FROM computed)""")


def _sides(con: duckdb.DuckDBPyConnection) -> None:
    """Member months, and services and dollars by category, of each side, month and cell."""
    con.execute(f"""
        CREATE OR REPLACE TABLE placed AS
        WITH own AS (
            SELECT d.*, k.comparator, year(d.coverage_month) AS year
            FROM due d LEFT JOIN comparators k ON k.contract_id = d.contract_id AND k.year = year(d.coverage_month)
            WHERE d.is_due
        ),
        budget_cells AS (SELECT DISTINCT contract_id, year, enrollment_type, age_band, sex FROM contract_budget),
        by_budget AS (
            SELECT o.*, {_named("b")} AS cell
            FROM own o JOIN budget_cells b ON b.contract_id = o.contract_id AND b.year = o.year AND {_fits("b", "o")}
            WHERE o.comparator = 'budget'
            QUALIFY row_number() OVER (
                PARTITION BY o.contract_id, o.member_id, o.coverage_month
                ORDER BY b.enrollment_type = '*', b.age_band = '*', b.sex = '*') = 1
        ),
        a_year_later AS (
            SELECT o.* EXCLUDE (coverage_month), o.coverage_month AS own_month,
                (o.coverage_month + INTERVAL 1 YEAR)::DATE AS coverage_month
            FROM own o
        ),
        later AS (
            SELECT o.*, coalesce({_named("r")}, {_named("o")}) AS cell
            FROM a_year_later o
            JOIN contract_months m ON m.contract_id = o.contract_id AND m.month = o.coverage_month
            JOIN comparators k ON k.contract_id = o.contract_id AND k.year = m.year AND k.comparator = 'prior_year'
            JOIN contracts c ON c.contract_id = o.contract_id
            LEFT JOIN contract_rates r ON r.contract_id = o.contract_id AND {_fits("r", "o")}
                AND greatest(o.coverage_month, c.start_date) BETWEEN r.effective_from AND r.effective_to
            QUALIFY row_number() OVER (
                PARTITION BY o.contract_id, o.member_id, o.coverage_month
                ORDER BY r.enrollment_type = '*', r.age_band = '*', r.sex = '*') = 1
        )
        SELECT 1 AS side, contract_id, member_id, coverage_month AS own_month, coverage_month, exposure,
            {_named("own")} AS cell
        FROM own WHERE comparator <> 'budget'
        UNION ALL BY NAME
        SELECT 1 AS side, contract_id, member_id, coverage_month AS own_month, coverage_month, exposure, cell
        FROM by_budget
        UNION ALL BY NAME
        SELECT 0 AS side, contract_id, member_id, own_month, coverage_month, exposure, cell FROM later;

        CREATE OR REPLACE TABLE cell_months AS
        SELECT side, contract_id, coverage_month, cell, sum(exposure) AS member_months FROM placed GROUP BY ALL;
        CREATE OR REPLACE TABLE cell_costs AS
        SELECT p.side, p.contract_id, p.coverage_month, p.cell, c.service_category,
            sum(c.services * p.exposure) AS services,
            sum(round(c.amount::DECIMAL(30, 2) * p.exposure, 2))::DECIMAL(18, 2) AS amount
        FROM placed p JOIN costs c ON c.member_id = p.member_id AND c.coverage_month = p.own_month GROUP BY ALL""")


def _amounts(con: duckdb.DuckDBPyConnection, alert_share: str) -> None:
    con.execute(f"""
        CREATE OR REPLACE TABLE budget_rows AS
        SELECT b.*, {_named("b")} AS cell,
            member_months::DOUBLE * services_per_1000::DOUBLE / 12000 AS services,
            (member_months * 1000000)::HUGEINT * (services_per_1000 * 1000000)::HUGEINT
                * (cost_per_service * 100)::HUGEINT AS units,  -- 10^-14 dollars x 12,000
            units::DOUBLE / 1.2e18 AS amount
        FROM contract_budget b JOIN comparators k USING (contract_id, year)
        WHERE k.comparator = 'budget' AND service_category <> 'pharmacy';
        CREATE OR REPLACE TABLE budget_months AS
        WITH whole AS (SELECT contract_id, year, sum(units)::HUGEINT AS units FROM budget_rows GROUP BY ALL),
        so_far AS (  -- a cent of so many twelfths is 12 x 12,000 x 10^12 units
            SELECT m.contract_id, m.month, m.place, (2 * w.units * m.place + 144000000000000000) // 288000000000000000 AS cents
            FROM contract_months m JOIN whole w USING (contract_id, year)
        )
        SELECT contract_id, month AS coverage_month, (cents - coalesce(lag(cents) OVER (
            PARTITION BY contract_id, year(month) ORDER BY month), 0))::DECIMAL(18, 0) * 0.01 AS amount
        FROM so_far;

        CREATE OR REPLACE TABLE variance AS
        WITH parts AS (
            SELECT contract_id, coverage_month, member_id, exposure AS member_months, due_amount AS allocated,
                0 AS posted, 0 AS unposted, 0 AS actual, 0 AS expected FROM due WHERE is_due
            UNION ALL SELECT contract_id, coverage_month, NULL, 0, 0, amount, 0, 0, 0 FROM ledger
            UNION ALL SELECT contract_id, coverage_month, NULL, 0, 0, 0, unposted_amount, 0, 0 FROM unposted
                WHERE posting_run = (SELECT max(posting_run) FROM runs)
            UNION ALL SELECT contract_id, coverage_month, NULL, 0, 0, 0, 0, amount, 0 FROM cell_costs WHERE side = 1
            UNION ALL SELECT contract_id, coverage_month, NULL, 0, 0, 0, 0, 0, amount FROM cell_costs WHERE side = 0
            UNION ALL SELECT contract_id, coverage_month, NULL, 0, 0, 0, 0, 0, amount FROM budget_months
        ),
        periods AS (
            SELECT *, 'month' AS period_type, coverage_month AS period FROM parts
            UNION ALL SELECT *, 'year', date_trunc('year', coverage_month)::DATE FROM parts
        ),
        sums AS (
            SELECT contract_id, period_type, period, year(period) AS year, count(DISTINCT member_id) AS members,
                sum(member_months)::DECIMAL(18, 6) AS member_months, sum(allocated)::DECIMAL(18, 2) AS allocated_amount,
                sum(posted)::DECIMAL(18, 2) AS posted_amount, sum(unposted)::DECIMAL(18, 2) AS unposted_amount,
                sum(actual)::DECIMAL(18, 2) AS actual_amount, sum(expected)::DECIMAL(18, 2) AS expected
            FROM periods GROUP BY ALL
            HAVING count(member_id) > 0 OR bool_or(posted <> 0 OR unposted <> 0 OR actual <> 0 OR expected <> 0)
        )
        SELECT s.contract_id, period_type, period, members, member_months, allocated_amount, posted_amount,
            unposted_amount, actual_amount, actual_amount - allocated_amount AS deviation_amount,
            (actual_amount - allocated_amount)::DOUBLE / nullif(member_months, 0)::DOUBLE AS deviation_pmpm,
            coalesce(k.comparator, 'none') AS comparator,
            CASE WHEN k.comparator <> 'none' THEN expected END AS comparator_amount,
            abs(actual_amount - allocated_amount) > allocated_amount * {alert_share}::DECIMAL(6, 4) AS is_alert
        FROM sums s LEFT JOIN comparators k USING (contract_id, year)""")


def _split(con: duckdb.DuckDBPyConnection) -> None:
    """The four effects of every term by the formula of a product of four, and their cents."""

    def moved(one: str) -> str:
        """(x1 - x0) x [1/4 none moved + 1/12 each one moved + 1/12 each two moved + 1/4 all moved]."""
        x, y, z = (name for name in ("n", "s", "u", "p") if name != one)
        return f"""({one}1 - {one}0) * ({x}0 * {y}0 * {z}0 / 4
            + ({x}1 * {y}0 * {z}0 + {x}0 * {y}1 * {z}0 + {x}0 * {y}0 * {z}1) / 12
            + ({x}1 * {y}1 * {z}0 + {x}1 * {y}0 * {z}1 + {x}0 * {y}1 * {z}1) / 12 + {x}1 * {y}1 * {z}1 / 4)"""

    con.execute(f"""
        CREATE OR REPLACE TABLE period_months AS
        SELECT contract_id, month, 'month' AS period_type, month AS period FROM contract_months
        UNION ALL SELECT contract_id, month, 'year', date_trunc('year', month)::DATE FROM contract_months;
        CREATE OR REPLACE TABLE variance_split AS
        WITH told AS (SELECT * FROM variance WHERE comparator <> 'none'),
        twelfths AS (
            SELECT contract_id, period_type, period, year(period) AS year, count(*) AS months
            FROM period_months GROUP BY ALL
        ),
        n_of AS (
            SELECT m.contract_id, p.period_type, p.period, m.cell,
                coalesce(sum(member_months) FILTER (side = 0), 0)::DOUBLE AS n0,
                coalesce(sum(member_months) FILTER (side = 1), 0)::DOUBLE AS n1
            FROM cell_months m
            JOIN period_months p ON p.contract_id = m.contract_id AND p.month = m.coverage_month GROUP BY ALL
            UNION ALL
            SELECT DISTINCT b.contract_id, t.period_type, t.period, b.cell, b.member_months::DOUBLE * t.months / 12, 0
            FROM budget_rows b JOIN twelfths t USING (contract_id, year)
        ),
        n_cells AS (
            SELECT contract_id, period_type, period, cell, sum(n0) AS n0, sum(n1) AS n1 FROM n_of GROUP BY ALL
        ),
        q_of AS (
            SELECT c.contract_id, p.period_type, p.period, c.cell, c.service_category,
                CASE WHEN side = 0 THEN services ELSE 0 END::DOUBLE AS q0,
                CASE WHEN side = 1 THEN services ELSE 0 END::DOUBLE AS q1,
                CASE WHEN side = 0 THEN amount ELSE 0 END::DOUBLE AS d0,
                CASE WHEN side = 1 THEN amount ELSE 0 END::DOUBLE AS d1
            FROM cell_costs c
            JOIN period_months p ON p.contract_id = c.contract_id AND p.month = c.coverage_month
            UNION ALL
            SELECT b.contract_id, t.period_type, t.period, b.cell, b.service_category, b.services * t.months / 12, 0,
                b.amount::DOUBLE * t.months / 12, 0
            FROM budget_rows b JOIN twelfths t USING (contract_id, year)
        ),
        terms AS (
            SELECT contract_id, period_type, period, cell, service_category, sum(q0) AS q0, sum(q1) AS q1,
                sum(d0) AS d0, sum(d1) AS d1 FROM q_of GROUP BY ALL
        ),
        whole AS (
            SELECT *, sum(n0) OVER of_period AS n_all0, sum(n1) OVER of_period AS n_all1 FROM n_cells
            WINDOW of_period AS (PARTITION BY contract_id, period_type, period)
        ),
        joined AS (
            SELECT w.*, t.* EXCLUDE (contract_id, period_type, period, cell)
            FROM whole w JOIN terms t USING (contract_id, period_type, period, cell)
            JOIN told USING (contract_id, period_type, period)
        ),
        used AS (
            SELECT *,
                CASE WHEN q0 > 0 THEN q0 / n0 WHEN d0 <> 0 THEN CASE WHEN q1 > 0 THEN q1 / n1 ELSE 1 END
                    WHEN n0 > 0 AND q1 = 0 AND d1 <> 0 THEN 1 WHEN n0 > 0 THEN 0 END AS u0_own,
                CASE WHEN q1 > 0 THEN q1 / n1 WHEN d1 <> 0 THEN CASE WHEN q0 > 0 THEN q0 / n0 ELSE 1 END
                    WHEN n1 > 0 AND q0 = 0 AND d0 <> 0 THEN 1 WHEN n1 > 0 THEN 0 END AS u1_own
            FROM joined
        ),
        priced AS (
            SELECT *, coalesce(u0_own, u1_own) AS u0, coalesce(u1_own, u0_own) AS u1,
                CASE WHEN q0 > 0 THEN d0 / q0 WHEN d0 <> 0 THEN d0 / n0 / u0_own
                    WHEN n0 > 0 AND q1 = 0 AND d1 <> 0 THEN 0 END AS p0_own,
                CASE WHEN q1 > 0 THEN d1 / q1 WHEN d1 <> 0 THEN d1 / n1 / u1_own
                    WHEN n1 > 0 AND q0 = 0 AND d0 <> 0 THEN 0 END AS p1_own
            FROM used
        ),
        factors AS (
            SELECT * EXCLUDE (n0, n1), n_all0 AS n0, n_all1 AS n1,
                CASE WHEN n_all0 > 0 THEN n0 / n_all0 ELSE n1 / n_all1 END AS s0,
                CASE WHEN n_all1 > 0 THEN n1 / n_all1 ELSE n0 / n_all0 END AS s1,
                coalesce(p0_own, p1_own, 0) AS p0, coalesce(p1_own, p0_own, 0) AS p1
            FROM priced
        ),
        effects AS (
            SELECT contract_id, period_type, period, service_category, unnest([
                {{'place': 0, 'exact': {moved("n")}}}, {{'place': 1, 'exact': {moved("s")}}},
                {{'place': 2, 'exact': {moved("u")}}}, {{'place': 3, 'exact': {moved("p")}}}], recursive := true)
            FROM factors
        ),
        cents AS (
            SELECT contract_id, period_type, period, place,
                CASE WHEN place < 2 THEN '' ELSE service_category END AS service_category,
                round(sum(exact), 9)::DECIMAL(30, 9) AS exact
            FROM effects GROUP BY ALL
        ),
        ranked AS (
            SELECT *, round(exact, 2)::DECIMAL(18, 2) AS rounded, sum(round(exact, 2)::DECIMAL(18, 2)) OVER of_period AS summed,
                row_number() OVER (PARTITION BY contract_id, period_type, period
                    ORDER BY abs(exact) DESC, place, service_category) AS size
            FROM cents WINDOW of_period AS (PARTITION BY contract_id, period_type, period)
        )
        SELECT contract_id, period_type, period, list_extract({list(EFFECTS)}, place + 1) AS effect, service_category,
            rounded + CASE WHEN size = 1 THEN t.actual_amount - t.comparator_amount - summed ELSE 0 END AS amount
        FROM ranked JOIN told t USING (contract_id, period_type, period)""")
