"""The second level of each line's service category by DuckDB, from the files as `rif_duckdb` has read them.

Every part of a cell becomes two bounds, and a rule is met where the codes lie within as many columns as it asks for.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

COLUMNS = ("bill_type", "revenue_code", "place_of_service", "drg", "hcpcs", "ccn")
LINES = """
    SELECT kind, claim_id, line_number, true AS of_claim,
        concat(CLM_FAC_TYPE_CD, CLM_SRVC_CLSFCTN_TYPE_CD, CLM_FREQ_CD) AS bill_type,
        CASE WHEN length(REV_CNTR) < 4 THEN lpad(REV_CNTR, 4, '0') ELSE REV_CNTR END AS revenue_code,
        NULL::VARCHAR AS place_of_service, CLM_DRG_CD AS drg, HCPCS_CD AS hcpcs, substr(PRVDR_NUM, 3, 4) AS ccn
    FROM judged_institutional WHERE verdict = 'accepted'
    UNION ALL
    SELECT kind, claim_id, line_number, false, NULL, NULL, LINE_PLACE_OF_SRVC_CD, NULL, HCPCS_CD, NULL
    FROM judged_professional WHERE verdict = 'accepted'
    UNION ALL
    SELECT kind, claim_id, line_number, false, NULL, NULL, NULL, NULL, NULL, NULL
    FROM judged_pharmacy WHERE verdict = 'accepted'"""


def second_levels(con: duckdb.DuckDBPyConnection, rules: Path) -> None:
    """Make the table second_levels: kind, claim_id, line_number, service_category_2."""
    con.execute(
        "CREATE OR REPLACE TABLE rules AS SELECT * REPLACE (priority::INTEGER AS priority) "
        "FROM read_csv($path, header = true, all_varchar = true)",
        {"path": str(rules)},
    )
    parts = " UNION ALL ".join(
        f"SELECT claim_type, priority, '{name}' AS asked, unnest(string_split({name}, ' ')) AS part "
        f"FROM rules WHERE {name} <> '*'"
        for name in COLUMNS
    )
    told = " UNION ALL ".join(
        f"SELECT id, claim_type, '{name}' AS asked, {name} AS code FROM codes" for name in COLUMNS
    )
    con.execute(f"""
        CREATE OR REPLACE TABLE second_levels AS
        WITH coded AS (SELECT l.*, t.claim_type FROM ({LINES}) l JOIN claim_types t USING (kind)),
        codes AS (
            SELECT row_number() OVER () AS id, * FROM (SELECT DISTINCT claim_type, {", ".join(COLUMNS)} FROM coded)
        ),
        bounds AS (
            SELECT claim_type, priority, asked,
                CASE WHEN part LIKE '%-%' THEN split_part(part, '-', 1) ELSE rtrim(part, '*') END AS lowest,
                CASE WHEN part LIKE '%-%' THEN split_part(part, '-', 2) WHEN part LIKE '%*' THEN rtrim(part, '*') || '~'
                    ELSE part END AS highest
            FROM ({parts})
        ),
        asks AS (SELECT claim_type, priority, count(DISTINCT asked) AS columns FROM bounds GROUP BY ALL),
        hits AS (
            SELECT DISTINCT t.id, b.claim_type, b.priority, b.asked
            FROM ({told}) t JOIN bounds b ON b.claim_type = t.claim_type AND b.asked = t.asked
                AND t.code >= b.lowest AND t.code <= b.highest
        ),
        met AS (
            SELECT h.id, h.priority FROM hits h JOIN asks a ON a.claim_type = h.claim_type AND a.priority = h.priority
            GROUP BY h.id, h.priority, a.columns HAVING count(*) = a.columns
            UNION ALL
            SELECT c.id, r.priority FROM codes c JOIN rules r ON r.claim_type = c.claim_type
            ANTI JOIN asks a ON a.claim_type = r.claim_type AND a.priority = r.priority
        ),
        best AS (SELECT id, min(priority) AS priority FROM met GROUP BY id),
        of_lines AS (
            SELECT d.kind, d.claim_id, d.line_number, d.claim_type, d.of_claim, b.priority
            FROM coded d
            JOIN codes c ON c.claim_type = d.claim_type
                AND {" AND ".join(f"c.{name} IS NOT DISTINCT FROM d.{name}" for name in COLUMNS)}
            LEFT JOIN best b ON b.id = c.id
        ),
        of_all AS (
            SELECT *, CASE WHEN of_claim THEN min(priority) OVER (PARTITION BY kind, claim_id) ELSE priority END AS rule
            FROM of_lines
        )
        SELECT o.kind, o.claim_id, o.line_number, coalesce(r.service_category_2, 'other') AS service_category_2
        FROM of_all o LEFT JOIN rules r ON r.claim_type = o.claim_type AND r.priority = o.rule""")
