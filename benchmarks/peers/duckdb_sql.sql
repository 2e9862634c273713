-- The reference job in DuckDB. Variables: input, out, first_year, last_year.
-- Claims are read four times, each time only the columns and rows that are needed, which is cheaper than keeping them.

SET VARIABLE first_month = getvariable('first_year') * 12;       -- month numbers: year * 12 + month - 1
SET VARIABLE last_month = getvariable('last_year') * 12 + 11;

CREATE VIEW claim_lines AS FROM read_parquet(getvariable('input') || '/common/claim_lines/*.parquet');
CREATE VIEW coverage_records AS FROM read_parquet(getvariable('input') || '/common/coverage_records/*.parquet');
CREATE VIEW members AS FROM read_parquet(getvariable('input') || '/common/members/*.parquet');
CREATE TABLE roster AS
SELECT network_id, network_name, coalesce(tin, '') AS tin, coalesce(npi, '') AS npi, coalesce(ccn, '') AS ccn,
       coalesce(start_date, DATE '1900-01-01') AS start_date, coalesce(end_date, DATE '9999-12-31') AS end_date
FROM read_parquet(getvariable('input') || '/lists/network_roster/*.parquet');
CREATE TABLE years AS SELECT unnest(range(getvariable('first_year'), getvariable('last_year') + 1))::INTEGER AS performance_year;

-- What cancels and replacements remove: few, and a hash table of each scan below.
CREATE TABLE removed AS SELECT DISTINCT cancels_claim_id AS claim_id FROM claim_lines WHERE cancels_claim_id IS NOT NULL;
CREATE VIEW final_lines AS
FROM claim_lines
WHERE adjustment <> 'cancel' AND claim_id NOT IN (FROM removed);

-- Which network's roster a combination of ids matches: combinations are few, lines are many.
-- A roster row matches on every id that it fills in; one join a pattern of ids, so that each is an equality.
CREATE TABLE line_ids AS
SELECT DISTINCT
    coalesce(billing_tin, '') AS tin,
    coalesce(CASE WHEN claim_type = 'professional' THEN rendering_npi ELSE billing_npi END, '') AS npi,
    coalesce(CASE WHEN claim_type <> 'professional' THEN facility_ccn END, '') AS ccn
FROM claim_lines;
CREATE TABLE on_roster AS
SELECT l.tin, l.npi, l.ccn, r.network_id, r.start_date, r.end_date
FROM line_ids l JOIN roster r ON r.tin = l.tin WHERE r.tin <> '' AND r.npi IN ('', l.npi) AND r.ccn IN ('', l.ccn)
UNION ALL
SELECT l.tin, l.npi, l.ccn, r.network_id, r.start_date, r.end_date
FROM line_ids l JOIN roster r ON r.npi = l.npi WHERE r.tin = '' AND r.npi <> '' AND r.ccn IN ('', l.ccn)
UNION ALL
SELECT l.tin, l.npi, l.ccn, r.network_id, r.start_date, r.end_date
FROM line_ids l JOIN roster r ON r.ccn = l.ccn WHERE r.tin = '' AND r.npi = '' AND r.ccn <> '';
-- Days cut where a roster row begins or ends, so that a line meets at most one row and is never copied.
CREATE TABLE roster_pieces AS
WITH cuts AS (
    SELECT tin, npi, ccn, start_date AS first_day FROM on_roster
    UNION
    SELECT tin, npi, ccn, end_date + 1 FROM on_roster WHERE end_date < DATE '9999-12-31'
), pieces AS (
    SELECT *, coalesce(lead(first_day) OVER (PARTITION BY tin, npi, ccn ORDER BY first_day) - 1, DATE '9999-12-31') AS last_day
    FROM cuts
)
SELECT p.tin, p.npi, p.ccn, p.first_day, p.last_day, min(o.network_id) AS network_id
FROM pieces p JOIN on_roster o
  ON o.tin = p.tin AND o.npi = p.npi AND o.ccn = p.ccn AND o.start_date <= p.first_day AND o.end_date >= p.last_day
GROUP BY ALL;

-- An institutional claim has one category, from all its lines.
CREATE TABLE emergency_claims AS
SELECT DISTINCT claim_id FROM final_lines
WHERE claim_type = 'outpatient'
  AND (revenue_code BETWEEN '0450' AND '0459' OR revenue_code = '0981'
       OR hcpcs IN ('99281', '99282', '99283', '99284', '99285', 'G0380', 'G0381', 'G0382', 'G0383', 'G0384'));

CREATE TYPE category AS ENUM ('inpatient', 'outpatient', 'emergency', 'professional', 'skilled_nursing', 'home_health',
                              'hospice', 'dme', 'pharmacy');

-- Costs by member, month, category and roster network: the one pass over all lines.
CREATE TABLE costs AS
SELECT
    l.member_id,
    (year(l.service_thru) * 12 + month(l.service_thru) - 1)::INTEGER AS month_number,
    CASE l.claim_type
        WHEN 'outpatient' THEN if(l.claim_id IN (FROM emergency_claims), 'emergency', 'outpatient')
        WHEN 'snf' THEN 'skilled_nursing'
        ELSE l.claim_type
    END::category AS service_category,
    r.network_id AS roster_network_id,
    count(*) FILTER (NOT l.is_denied) AS claim_lines,
    sum(l.paid_amount) FILTER (NOT l.is_denied) AS paid_amount,
    sum(l.allowed_amount) FILTER (NOT l.is_denied) AS allowed_amount,
    count(*) FILTER (NOT l.is_denied AND l.allowed_amount IS NULL) AS lacks_allowed,
    count(*) FILTER (l.is_denied) AS denied_lines,
    sum(l.paid_amount) FILTER (l.is_denied) AS denied_paid_amount
FROM final_lines l
LEFT JOIN roster_pieces r
  ON r.tin = coalesce(l.billing_tin, '')
 AND r.npi = coalesce(CASE WHEN l.claim_type = 'professional' THEN l.rendering_npi ELSE l.billing_npi END, '')
 AND r.ccn = coalesce(CASE WHEN l.claim_type <> 'professional' THEN l.facility_ccn END, '')
 AND l.service_thru BETWEEN r.first_day AND r.last_day
WHERE year(l.service_thru) BETWEEN getvariable('first_year') AND getvariable('last_year')
GROUP BY ALL;

-- Coverage: the record that wins a month's first day. Most members have no overlap and keep their records as runs of
-- months; the few others are taken apart by month.
CREATE TABLE told AS
SELECT year(min(coverage_start)) * 12 + month(min(coverage_start)) - 1 AS first_month,
       max(if(coalesce(coverage_end, DATE '9999-12-31') < DATE '9999-12-31',
              year(coverage_end) * 12 + month(coverage_end) - 1,
              year(coverage_start) * 12 + month(coverage_start) - 1)) AS last_month
FROM coverage_records;
CREATE TABLE records AS
SELECT
    c.member_id, c.recorded_on, c.coverage_start, c.plan_id,
    greatest(year(c.coverage_start) * 12 + month(c.coverage_start) - 1, t.first_month)::INTEGER AS touch_first,
    greatest(year(c.coverage_start) * 12 + month(c.coverage_start) - 1 + (day(c.coverage_start) > 1)::INTEGER,
             t.first_month)::INTEGER AS look_first,
    least(year(c.coverage_end) * 12 + month(c.coverage_end) - 1, t.last_month)::INTEGER AS look_last,
    coalesce(c.has_part_a AND c.has_part_b, false) AS is_both,
    coalesce(c.in_medicare_advantage, false) AS is_managed,
    c.medicare_is_secondary AS is_secondary,
    coalesce(c.coverage_start <= max(c.coverage_end) OVER (
        PARTITION BY c.member_id ORDER BY c.coverage_start, c.coverage_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), false) AS is_mixed
FROM coverage_records c, told t;
CREATE TABLE runs AS
WITH mixed AS (SELECT DISTINCT member_id FROM records WHERE is_mixed)
SELECT member_id, touch_first, look_first, look_last, is_both, is_managed, is_secondary
FROM records WHERE member_id NOT IN (FROM mixed)
UNION ALL
SELECT member_id, month_number, month_number, month_number, w.is_both, w.is_managed, w.is_secondary
FROM (
    SELECT member_id, month_number,
           arg_max({is_both: is_both, is_managed: is_managed, is_secondary: is_secondary},
                   {a: recorded_on, b: coverage_start, c: -rank}) AS w
    FROM (
        SELECT *, dense_rank() OVER (ORDER BY plan_id) AS rank, unnest(range(look_first, look_last + 1)) AS month_number
        FROM records WHERE member_id IN (FROM mixed)
    )
    GROUP BY member_id, month_number
)
UNION ALL  -- what touches a month without its first day: it only makes a member year
SELECT member_id, touch_first, look_last + 1, look_last, false, false, is_secondary
FROM records WHERE member_id IN (FROM mixed);

-- Months as bits of one integer a member and year: bit 0 is January of the year before, bit 12 of the year itself.
CREATE MACRO bits(a, b) AS if(least(b, 23) >= greatest(a, 0),
    ((1::BIGINT << (least(b, 23) - greatest(a, 0) + 1)::INTEGER) - 1) << greatest(a, 0)::INTEGER, 0::BIGINT);
CREATE TABLE by_claims AS  -- months in which a claim names another payer, for members whose enrollment tells none
SELECT member_id, (year(service_thru) * 12 + month(service_thru) - 1)::INTEGER AS month_number
FROM final_lines
WHERE primary_payer_code IN ('A', 'B', 'D', 'E', 'F', 'G', 'H', 'I', 'L', 'W') AND NOT is_denied AND claim_type <> 'pharmacy'
GROUP BY ALL;
CREATE TABLE member_years AS
WITH masks AS (
    SELECT r.member_id, y.performance_year,
           bit_or(bits(r.touch_first - y.o, r.look_last - y.o)) AS touched,
           bit_or(bits(r.look_first - y.o, r.look_last - y.o)) AS covered,
           bit_or(if(r.is_both, bits(r.look_first - y.o, r.look_last - y.o), 0)) AS has_both,
           bit_or(if(r.is_managed, bits(r.look_first - y.o, r.look_last - y.o), 0)) AS managed,
           bit_or(if(r.is_secondary, bits(r.look_first - y.o, r.look_last - y.o), 0)) AS secondary,
           bool_or(r.is_secondary IS NOT NULL) AS tells_secondary
    FROM runs r JOIN (SELECT performance_year, (performance_year - 1) * 12 AS o FROM years) y
      ON r.look_last >= y.o AND r.touch_first <= y.o + 23
    GROUP BY ALL
), claims AS (
    SELECT b.member_id, y.performance_year,
           bit_or(1::BIGINT << (b.month_number - (y.performance_year - 1) * 12)::INTEGER) AS named
    FROM by_claims b JOIN years y ON b.month_number BETWEEN y.performance_year * 12 AND y.performance_year * 12 + 11
    WHERE b.member_id NOT IN (SELECT member_id FROM runs WHERE is_secondary IS NOT NULL)
    GROUP BY ALL
)
SELECT m.*, (m.performance_year - 1) * 12 AS o, coalesce(c.named, 0) AS named,
       year(p.death_date) * 12 + month(p.death_date) - 1 AS death_month,
       bits(t.first_month - (m.performance_year - 1) * 12,
            least(t.last_month, coalesce(death_month, t.last_month)) - (m.performance_year - 1) * 12) AS needed,
       bits(greatest(t.first_month, m.performance_year * 12) - (m.performance_year - 1) * 12,
            t.last_month - (m.performance_year - 1) * 12) AS year_bits
FROM masks m CROSS JOIN told t
LEFT JOIN claims c ON c.member_id = m.member_id AND c.performance_year = m.performance_year
LEFT JOIN members p ON p.member_id = m.member_id
WHERE touched & year_bits <> 0;

-- Months last.
CREATE TABLE member_months AS
SELECT member_id, performance_year, performance_year * 12 + k AS month_number,
    CASE
        WHEN performance_year * 12 + k > death_month THEN 'DECEASED'
        WHEN covered & bit = 0 THEN 'NOT_ENROLLED'
        WHEN has_both & needed <> needed THEN 'NOT_IN_PART_A_AND_B'
        WHEN managed & bit <> 0 THEN 'MEDICARE_ADVANTAGE'
        WHEN (secondary | named) & bit <> 0 THEN 'MEDICARE_SECONDARY'
    END AS exclusion_reason
FROM (SELECT *, k, 1::BIGINT << (12 + k)::INTEGER AS bit FROM member_years, (SELECT unnest(range(12))::INTEGER AS k))
WHERE year_bits & bit <> 0;

-- Whose member it is: most allowed charges for primary care services on undenied professional lines of the year.
CREATE TABLE attribution AS
WITH codes AS (
    SELECT DISTINCT c.hcpcs, y.performance_year
    FROM read_parquet(getvariable('input') || '/reference/primary_care_hcpcs.parquet') c
    JOIN years y ON y.performance_year BETWEEN c.first_year AND c.last_year
    WHERE c.program = 'plurality'
), services AS (
    SELECT l.member_id, c.performance_year, coalesce(l.billing_tin, '') AS tin, coalesce(l.rendering_npi, '') AS npi,
           l.service_thru,
           sum(coalesce(l.allowed_amount, coalesce(l.paid_amount, 0) + coalesce(l.patient_paid_amount, 0))) AS amount
    FROM (FROM final_lines
          WHERE claim_type = 'professional' AND NOT is_denied
            AND coalesce(allowed_amount, coalesce(paid_amount, 0) + coalesce(patient_paid_amount, 0)) > 0) l
    JOIN codes c ON c.hcpcs = l.hcpcs AND c.performance_year = year(l.service_thru)
    GROUP BY ALL
), placed AS (
    SELECT s.*, coalesce(r.network_id, 'TIN:' || s.tin) AS candidate, r.network_id IS NULL AS is_outside
    FROM services s
    LEFT JOIN roster_pieces r
      ON r.tin = s.tin AND r.npi = s.npi AND r.ccn = '' AND s.service_thru BETWEEN r.first_day AND r.last_day
    WHERE r.network_id IS NOT NULL OR s.tin <> ''
), measured AS (
    SELECT member_id, performance_year, candidate, is_outside, npi, tin, sum(amount) AS amount, max(service_thru) AS latest
    FROM placed GROUP BY ALL
), winners AS (
    SELECT member_id, performance_year,
           arg_min({candidate: candidate, is_outside: is_outside},
                   {a: -amount, b: -epoch_days, c: is_outside, d: candidate}) AS winner
    FROM (SELECT member_id, performance_year, candidate, is_outside, sum(amount) AS amount,
                 max(latest) - DATE '1970-01-01' AS epoch_days
          FROM measured GROUP BY ALL)
    GROUP BY ALL
), inside AS (
    SELECT m.* FROM measured m JOIN winners w
      ON w.member_id = m.member_id AND w.performance_year = m.performance_year AND w.winner.candidate = m.candidate
    WHERE NOT w.winner.is_outside
), physicians AS (
    SELECT member_id, performance_year, arg_min(npi, {a: -amount, b: -epoch_days, c: npi}) AS npi
    FROM (SELECT member_id, performance_year, npi, sum(amount) AS amount, max(latest) - DATE '1970-01-01' AS epoch_days
          FROM inside WHERE npi <> '' GROUP BY ALL)
    GROUP BY ALL
), practices AS (
    SELECT member_id, performance_year, arg_min(tin, {a: -amount, b: -epoch_days, c: tin}) AS tin
    FROM (SELECT member_id, performance_year, tin, sum(amount) AS amount, max(latest) - DATE '1970-01-01' AS epoch_days
          FROM inside WHERE tin <> '' GROUP BY ALL)
    GROUP BY ALL
), found AS (
    SELECT w.member_id, w.performance_year, if(w.winner.is_outside, NULL, w.winner.candidate) AS network_id, p.npi, q.tin
    FROM winners w
    LEFT JOIN physicians p ON p.member_id = w.member_id AND p.performance_year = w.performance_year
    LEFT JOIN practices q ON q.member_id = w.member_id AND q.performance_year = w.performance_year
)
SELECT coalesce(y.member_id, f.member_id) AS member_id, coalesce(y.performance_year, f.performance_year) AS performance_year,
       coalesce(f.network_id, 'UNATTRIBUTED') AS network_id,
       coalesce(f.tin, 'UNATTRIBUTED') AS practice_tin,
       coalesce(f.npi, 'UNATTRIBUTED') AS physician_npi
FROM member_years y FULL JOIN found f ON f.member_id = y.member_id AND f.performance_year = y.performance_year;

CREATE TABLE member_month_costs AS
SELECT
    c.member_id, c.performance_year, c.month_number, c.service_category, c.network_id,
    c.claim_lines, c.paid_amount, c.allowed_amount, c.in_network_paid_amount, c.denied_lines, c.denied_paid_amount,
    if(m.member_id IS NULL, 'NOT_ENROLLED', m.exclusion_reason) AS exclusion_reason,
    c.service_category <> 'pharmacy' AS in_total
FROM (
    SELECT c.member_id, c.month_number // 12 AS performance_year, c.month_number, c.service_category,
           coalesce(any_value(a.network_id), 'UNATTRIBUTED') AS network_id,
           sum(c.claim_lines) AS claim_lines,
           coalesce(sum(c.paid_amount), 0) AS paid_amount,
           if(sum(c.lacks_allowed) = 0, coalesce(sum(c.allowed_amount), 0), NULL) AS allowed_amount,
           coalesce(sum(c.paid_amount) FILTER (c.roster_network_id = a.network_id), 0) AS in_network_paid_amount,
           sum(c.denied_lines) AS denied_lines,
           coalesce(sum(c.denied_paid_amount), 0) AS denied_paid_amount
    FROM costs c
    LEFT JOIN attribution a ON a.member_id = c.member_id AND a.performance_year = c.month_number // 12
    GROUP BY c.member_id, c.month_number, c.service_category
) c
LEFT JOIN member_months m ON m.member_id = c.member_id AND m.month_number = c.month_number;

-- What the reports are made of: one row a member and year with eligible months.
CREATE TABLE member_sums AS
SELECT e.member_id, e.performance_year, e.member_months, a.network_id, a.physician_npi,
       coalesce(c.paid_amount, 0) AS paid_amount, coalesce(c.in_network_paid_amount, 0) AS in_network_paid_amount,
       s.risk_score
FROM (SELECT member_id, performance_year, count(*) AS member_months FROM member_months
      WHERE exclusion_reason IS NULL GROUP BY ALL) e
LEFT JOIN (SELECT member_id, performance_year, sum(paid_amount) AS paid_amount,
                  sum(in_network_paid_amount) AS in_network_paid_amount
           FROM member_month_costs WHERE in_total AND exclusion_reason IS NULL GROUP BY ALL) c
  ON c.member_id = e.member_id AND c.performance_year = e.performance_year
LEFT JOIN attribution a ON a.member_id = e.member_id AND a.performance_year = e.performance_year
LEFT JOIN read_parquet(getvariable('input') || '/lists/risk_scores/*.parquet') s
  ON s.member_id = e.member_id AND s.performance_year = e.performance_year;
CREATE TABLE factors AS FROM read_parquet(getvariable('input') || '/reference/normalization_factors.parquet');
CREATE MACRO month_at(n) AS make_date((n // 12)::BIGINT, (n % 12 + 1)::BIGINT, 1::BIGINT);

CREATE TABLE network_pmpm AS
SELECT s.*, n.network_name, f.normalization_factor
FROM (SELECT performance_year, network_id, count(*) AS members, sum(member_months) AS member_months,
             sum(paid_amount) AS paid_amount, sum(in_network_paid_amount) AS in_network_paid_amount,
             count(risk_score) AS scored_members, sum(risk_score)::DOUBLE / nullif(count(risk_score), 0) AS risk_score
      FROM member_sums GROUP BY ALL) s
LEFT JOIN factors f ON f.performance_year = s.performance_year
LEFT JOIN (SELECT network_id, arg_max(network_name, {a: start_date, b: end_date, c: tin, d: npi, e: ccn}) AS network_name
           FROM roster GROUP BY ALL) n ON n.network_id = s.network_id;
CREATE TABLE physician_pmpm AS
SELECT s.*, f.normalization_factor
FROM (SELECT performance_year, network_id, physician_npi, count(*) AS members, sum(member_months) AS member_months,
             sum(paid_amount) AS paid_amount, sum(in_network_paid_amount) AS in_network_paid_amount,
             count(risk_score) AS scored_members, sum(risk_score)::DOUBLE / nullif(count(risk_score), 0) AS risk_score
      FROM member_sums GROUP BY ALL) s
LEFT JOIN factors f ON f.performance_year = s.performance_year;
CREATE MACRO with_quotients(name) AS TABLE
SELECT * EXCLUDE (normalization_factor), paid_amount::DOUBLE / member_months AS pmpm,
       risk_score / normalization_factor AS normalized_risk_score,
       paid_amount::DOUBLE / (risk_score / normalization_factor) / member_months AS adjusted_pmpm
FROM query_table(name);

COPY (SELECT performance_year, member_id, month_at(month_number) AS member_month, exclusion_reason IS NULL AS is_eligible,
             exclusion_reason FROM member_months)
TO (getvariable('out') || '/member_months.parquet') (FORMAT parquet, COMPRESSION zstd);
COPY attribution TO (getvariable('out') || '/attribution.parquet') (FORMAT parquet, COMPRESSION zstd);
COPY (SELECT * EXCLUDE (month_number), month_at(month_number) AS member_month FROM member_month_costs)
TO (getvariable('out') || '/member_month_costs.parquet') (FORMAT parquet, COMPRESSION zstd);
COPY (FROM with_quotients('network_pmpm')) TO (getvariable('out') || '/network_pmpm.parquet') (FORMAT parquet);
COPY (FROM with_quotients('physician_pmpm')) TO (getvariable('out') || '/physician_pmpm.parquet') (FORMAT parquet);
COPY (
    SELECT m.network_id, month_at(m.month_number) AS member_month, m.members, m.members AS member_months,
           coalesce(c.paid_amount, 0) AS paid_amount, coalesce(c.paid_amount, 0)::DOUBLE / m.members AS pmpm
    FROM (SELECT a.network_id, m.month_number, count(*) AS members
          FROM member_months m JOIN attribution a ON a.member_id = m.member_id AND a.performance_year = m.performance_year
          WHERE m.exclusion_reason IS NULL GROUP BY ALL) m
    LEFT JOIN (SELECT network_id, month_number, sum(paid_amount) AS paid_amount FROM member_month_costs
               WHERE in_total AND exclusion_reason IS NULL GROUP BY ALL) c
      ON c.network_id = m.network_id AND c.month_number = m.month_number
) TO (getvariable('out') || '/network_pmpm_by_month.parquet') (FORMAT parquet);
COPY (
    SELECT n.performance_year, n.network_id, c.service_category, c.service_category <> 'pharmacy' AS in_total,
           n.member_months, sum(c.claim_lines) AS claim_lines, sum(c.paid_amount) AS paid_amount,
           sum(c.paid_amount)::DOUBLE / n.member_months AS pmpm
    FROM network_pmpm n
    JOIN (SELECT performance_year, network_id, service_category, claim_lines, paid_amount FROM member_month_costs
          WHERE exclusion_reason IS NULL AND claim_lines > 0
          UNION ALL SELECT performance_year, network_id, 'pharmacy', 0, 0 FROM network_pmpm) c
      ON c.performance_year = n.performance_year AND c.network_id = n.network_id
    GROUP BY n.performance_year, n.network_id, n.member_months, c.service_category
) TO (getvariable('out') || '/network_pmpm_by_category.parquet') (FORMAT parquet);
COPY (
    SELECT performance_year, 'month' AS kind, exclusion_reason AS reason, count(*) AS member_months,
           NULL::BIGINT AS claim_lines, NULL::DECIMAL(18, 2) AS paid_amount
    FROM member_months WHERE exclusion_reason IS NOT NULL GROUP BY ALL
    UNION ALL
    SELECT performance_year, 'dollar', reason, NULL, sum(lines), sum(paid)
    FROM (
        SELECT performance_year, 'PHARMACY' AS reason, claim_lines + denied_lines AS lines,
               paid_amount + denied_paid_amount AS paid
        FROM member_month_costs WHERE NOT in_total
        UNION ALL
        SELECT performance_year, 'DENIED', denied_lines, denied_paid_amount
        FROM member_month_costs WHERE in_total AND denied_lines > 0
        UNION ALL
        SELECT performance_year, exclusion_reason, claim_lines, paid_amount
        FROM member_month_costs WHERE in_total AND exclusion_reason IS NOT NULL AND claim_lines > 0
    ) GROUP BY ALL
) TO (getvariable('out') || '/excluded.parquet') (FORMAT parquet);
