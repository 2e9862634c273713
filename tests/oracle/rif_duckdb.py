"""Recompute the PMPM tables from raw RIF files, without Spark and without the product's code.

This module shares nothing with the package but the design's text and the rules of the service categories' table. It reads the files as lines, splits
them itself, and computes in DuckDB, where a table can be looked at after every step:

    raw_*       the mapped columns of every line of every file, as text (`read_inputs`)
    typed_*     the same with dates and amounts, and whether the row is rejected
    judged_*    the same with a verdict: accepted, rejected, duplicate, superseded
    lines       the accepted claim lines of all kinds in one shape, with category, services and roster network
    coverage    one row per member and covered month
    then, for one set of settings (`compute`): member_months, attribution, costed_lines, member_years,
    and the reports

Money is DECIMAL throughout. Quotients are taken at the very end and exactly (fractions), then turned into
floats; `adjusted_amount` is rounded half up from the exact quotient.

Months in RIF are whole months, so every coverage rule but `prorated` gives the same answer here.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb

from tests.oracle.categories_duckdb import second_levels

SERVICE_CATEGORIES = Path(__file__).resolve().parents[2] / "pmpm_spark" / "reference" / "service_categories.csv"

Row = dict[str, Any]
Result = dict[str, list[Row]]

UNATTRIBUTED = "UNATTRIBUTED"
LINES_AT_ONCE = 20_000

# A file is of the kind whose signature column stands in its heading; the first that fits.
SIGNATURES = {
    "beneficiary": "RFRNC_YR",
    "pde": "PDE_ID",
    "inpatient": "CLM_PASS_THRU_PER_DIEM_AMT",
    "snf": "NCH_QLFYD_STAY_FROM_DT",
    "hha": "CLM_HHA_TOT_VISIT_CNT",
    "hospice": "CLM_HOSPC_START_DT_ID",
    "outpatient": "CLM_OP_PRVDR_PMT_AMT",
    "dme": "DMERC_LINE_SUPPLR_TYPE_CD",
    "carrier": "CARR_CLM_BLG_NPI_NUM",
}
GROUPS = {
    "beneficiary": ("beneficiary",),
    "institutional": ("inpatient", "outpatient", "snf", "hha", "hospice"),
    "professional": ("carrier", "dme"),
    "pharmacy": ("pde",),
}
CLAIM_TYPES = {
    "inpatient": "inpatient",
    "outpatient": "outpatient",
    "snf": "snf",
    "hha": "home_health",
    "hospice": "hospice",
    "carrier": "professional",
    "dme": "dme",
    "pde": "pharmacy",
}

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEPT", "OCT", "NOV", "DEC")
MONTHLY_COLUMNS = tuple(
    column
    for number, name in enumerate(MONTH_NAMES, start=1)
    for column in (
        f"MDCR_ENTLMT_BUYIN_{number}_IND",
        f"HMO_{number}_IND",
        f"PTC_CNTRCT_{name}_ID",
        f"MDCR_STUS_{name}_CD",
        f"META_DUAL_ELGBL_STUS_{name}_CD",
    )
)

# The mapped columns by role. Every one that stands in a kind's heading is checked: a date or an amount that
# is filled in but cannot be typed rejects the row, even where no figure of this module uses it.
IDS_AND_CODES = {
    "beneficiary": ("DML_IND", "BENE_ID", "RFRNC_YR", "STATE_CODE", *MONTHLY_COLUMNS),
    "institutional": (
        "DML_IND", "BENE_ID", "CLM_ID", "FINAL_ACTION", "CLM_LINE_NUM", "CLM_MDCR_NON_PMT_RSN_CD",
        "NCH_PRMRY_PYR_CD", "PRVDR_NUM", "ORG_NPI_NUM", "PTNT_DSCHRG_STUS_CD", "REV_CNTR", "HCPCS_CD",
        "CLM_FAC_TYPE_CD", "CLM_SRVC_CLSFCTN_TYPE_CD", "CLM_FREQ_CD", "CLM_DRG_CD",
    ),
    "professional": (
        "DML_IND", "BENE_ID", "CLM_ID", "FINAL_ACTION", "LINE_NUM", "CARR_CLM_PMT_DNL_CD",
        "LINE_PRCSG_IND_CD", "LINE_BENE_PRMRY_PYR_CD", "TAX_NUM", "PRF_PHYSN_NPI", "PRVDR_NPI", "HCPCS_CD",
        "LINE_PLACE_OF_SRVC_CD",
    ),
    "pharmacy": ("DML_IND", "BENE_ID", "PDE_ID", "FINAL_ACTION", "SRVC_PRVDR_ID_QLFYR_CD", "SRVC_PRVDR_ID"),
}  # fmt: skip
DATES = {
    "beneficiary": ("BENE_BIRTH_DT", "DEATH_DT"),
    "institutional": ("CLM_FROM_DT", "CLM_THRU_DT", "NCH_WKLY_PROC_DT", "CLM_ADMSN_DT", "NCH_BENE_DSCHRG_DT"),
    "professional": (
        "CLM_FROM_DT", "CLM_THRU_DT", "NCH_WKLY_PROC_DT", "LINE_1ST_EXPNS_DT", "LINE_LAST_EXPNS_DT",
    ),
    "pharmacy": ("SRVC_DT", "PD_DT"),
}  # fmt: skip
AMOUNTS = {
    "beneficiary": (),
    "institutional": (
        "CLM_PMT_AMT", "CLM_PASS_THRU_PER_DIEM_AMT", "CLM_UTLZTN_DAY_CNT", "IME_OP_CLM_VAL_AMT",
        "DSH_OP_CLM_VAL_AMT", "CLM_PPS_CPTL_IME_AMT", "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT",
        "CLM_UNCOMPD_CARE_PMT_AMT", "NCH_BENE_IP_DDCTBL_AMT", "NCH_BENE_PTA_COINSRNC_LBLTY_AM",
        "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM", "NCH_BENE_PTB_DDCTBL_AMT", "NCH_BENE_PTB_COINSRNC_AMT",
    ),
    "professional": (
        "LINE_NCH_PMT_AMT", "LINE_ALOWD_CHRG_AMT", "LINE_BENE_PTB_DDCTBL_AMT", "LINE_COINSRNC_AMT",
    ),
    "pharmacy": ("CVRD_D_PLAN_PD_AMT", "TOT_RX_CST_AMT", "PTNT_PAY_AMT"),
}  # fmt: skip
# These stand in the headings of some kinds of their group only; elsewhere they are null.
NOT_IN_EVERY_KIND = {
    "CLM_ADMSN_DT", "NCH_BENE_DSCHRG_DT", "CLM_PASS_THRU_PER_DIEM_AMT", "CLM_UTLZTN_DAY_CNT",
    "IME_OP_CLM_VAL_AMT", "DSH_OP_CLM_VAL_AMT", "CLM_PPS_CPTL_IME_AMT", "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT",
    "CLM_UNCOMPD_CARE_PMT_AMT", "PRF_PHYSN_NPI", "PRVDR_NPI", "NCH_BENE_IP_DDCTBL_AMT",
    "NCH_BENE_PTA_COINSRNC_LBLTY_AM", "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM", "NCH_BENE_PTB_DDCTBL_AMT",
    "NCH_BENE_PTB_COINSRNC_AMT", "CLM_FAC_TYPE_CD", "CLM_SRVC_CLSFCTN_TYPE_CD", "CLM_FREQ_CD", "CLM_DRG_CD",
    "LINE_PLACE_OF_SRVC_CD",
}  # fmt: skip

# Another payer is primary (C, M, N and blank: Medicare is).
OTHER_PAYERS = ("A", "B", "D", "E", "F", "G", "H", "I", "L", "W")
# SSA state codes of places outside the United States and its territories.
FOREIGN_STATES = ("54", "56", "57", "58", "59", "60", "61", "62")
EMERGENCY_REVENUE = ("0450", "0451", "0452", "0453", "0454", "0455", "0456", "0457", "0458", "0459", "0981")
EMERGENCY_HCPCS = (
    "99281", "99282", "99283", "99284", "99285", "G0380", "G0381", "G0382", "G0383", "G0384",
)  # fmt: skip
COVERAGE_RULES = ("first_of_month", "any_day", "mid_month", "last_day", "full_month")


@dataclass(frozen=True)
class OracleSettings:
    """The settings of one policy, with design.md's names and defaults, and the run's performance years."""

    performance_years: tuple[int, ...]
    method: str = "plurality"
    part_a_b: str = "full_window"
    window_months: int = 24
    lag_months: int = 0
    claim_month: str = "thru"
    coverage_rule: str = "first_of_month"
    basis: str = "total_cost_of_care"
    include_pharmacy: bool = False
    exclude_medicare_advantage: bool = True
    exclude_medicare_secondary: bool = True
    exclude_non_us: bool = False
    attribution_window: str = "performance_year"
    weighting: str = "members"
    normalization: str = "table"
    part_c: str = "hmo_indicator"
    amount: str = "paid"

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[str, ...]] = {
            "method": ("plurality", "roster"),
            "part_a_b": ("full_window", "current_month", "none"),
            "claim_month": ("thru", "from"),
            "coverage_rule": COVERAGE_RULES,
            "basis": ("total_cost_of_care", "reimbursed_to_network"),
            "attribution_window": ("performance_year", "alignment_window"),
            "weighting": ("members", "member_months"),
            "normalization": ("table", "population"),
            "part_c": ("hmo_indicator", "part_c_contract"),
            "amount": ("paid",),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} = {getattr(self, name)!r}: not one of {', '.join(values)}")


def recompute(
    rif_path: str | Path,
    *,
    network_roster: str | Path | None,
    risk_scores: str | Path | None,
    member_attribution: str | Path | None,
    factors: dict[int, Decimal],
    primary_care_hcpcs: str | Path,
    settings: OracleSettings,
) -> Result:
    """Read the files and compute every table for one set of settings."""
    con = read_inputs(
        rif_path,
        network_roster=network_roster,
        risk_scores=risk_scores,
        member_attribution=member_attribution,
        primary_care_hcpcs=primary_care_hcpcs,
    )
    try:
        return compute(con, factors=factors, settings=settings)
    finally:
        con.close()


def read_inputs(
    rif_path: str | Path,
    *,
    network_roster: str | Path | None,
    risk_scores: str | Path | None,
    member_attribution: str | Path | None,
    primary_care_hcpcs: str | Path,
) -> duckdb.DuckDBPyConnection:
    """Read all files once: what does not depend on settings. `compute` can then be called many times."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    _create_macros(con)
    _read_rif(con, Path(rif_path))
    ids = ("tin", "npi", "ccn")
    roster_columns = ("network_id", "network_name", "network_type", *ids, "start_date", "end_date")
    _read_side_input(con, "network_roster", network_roster, roster_columns)
    _read_side_input(con, "risk_scores", risk_scores, ("member_id", "performance_year", "risk_score"))
    _read_side_input(
        con,
        "member_attribution",
        member_attribution,
        ("performance_year", "member_id", "network_id", "physician_npi"),
    )
    _read_side_input(con, "primary_care_hcpcs", primary_care_hcpcs, ("hcpcs", "first_year", "last_year"), "plurality")
    _judge_rows(con)
    _coverage(con)
    _lines(con)
    second_levels(con, SERVICE_CATEGORIES)
    return con


def compute(con: duckdb.DuckDBPyConnection, *, factors: dict[int, Decimal], settings: OracleSettings) -> Result:
    """Compute every table for one set of settings from what `read_inputs` has read."""
    _years(con, settings)
    _member_months(con, settings)
    _attribution(con, settings)
    _costed_lines(con, settings)
    _member_years(con)
    norms = _normalization_factors(con, factors, settings)
    result = {
        "network_pmpm": _pmpm(con, ("network_id",), norms, settings),
        "practice_pmpm": _pmpm(con, ("network_id", "practice_tin"), norms, settings),
        "physician_pmpm": _pmpm(con, ("network_id", "physician_npi"), norms, settings),
        "network_pmpm_by_month": _by_month(con),
        "network_pmpm_by_category": _by_category(con, settings),
        "network_pmpm_by_subcategory": _by_subcategory(con, settings),
        "cost_concentration": _concentration(con, settings),
        "excluded": _excluded(con),
        "member_months": _rows(con, """
            SELECT member_id, performance_year, member_month, is_eligible, reasons, enrollment_type, age
            FROM member_months ORDER BY ALL"""),
        "attribution": _whose(con, settings),
        "claim_totals": _rows(con, """
            SELECT claim_type, count(*) AS claim_lines, count(DISTINCT claim_id) AS claims,
                   sum(paid_amount) AS paid_amount, sum(pass_through_amount) AS pass_through_amount
            FROM lines GROUP BY claim_type ORDER BY claim_type"""),
        "load_counts": _rows(con, "SELECT * FROM load_counts ORDER BY kind, file"),
    }  # fmt: skip
    result["totals"] = _totals(con, result)
    return result


def check_identities(result: Result) -> None:
    """Nothing leaks: months and dollars, counted and excluded, add up to all of them, to the cent.

    Raises:
        AssertionError: where a year, or a file's row count, does not add up.
    """
    for row in result["totals"]:
        year = row["performance_year"]
        for part in ("months", "paid_amount", "claim_lines"):
            parts = row[f"counted_{part}"] + row[f"excluded_{part}"]
            assert parts == row[f"all_{part}"], f"{year}: {part} {parts} instead of {row[f'all_{part}']}"
        for table in ("practice_pmpm", "physician_pmpm", "network_pmpm_by_month"):
            rows = [r for r in result[table] if r["performance_year"] == year]
            assert sum(r["member_months"] for r in rows) == row["counted_months"], f"{year}: months of {table}"
            assert sum(r["paid_amount"] for r in rows) == row["counted_paid_amount"], f"{year}: dollars of {table}"
        rows = [r for r in result["network_pmpm_by_category"] if r["performance_year"] == year and r["in_total"]]
        assert sum(r["paid_amount"] for r in rows) == row["counted_paid_amount"], f"{year}: dollars by category"
    for row in result["load_counts"]:
        judged = row["accepted"] + row["rejected"] + row["duplicate"] + row["superseded"]
        assert judged == row["rows_read"], f"{row['file']}: {judged} rows judged of {row['rows_read']}"


# ------------------------------------------------------------------------------------------
# Reading
# ------------------------------------------------------------------------------------------


def _create_macros(con: duckdb.DuckDBPyConnection) -> None:
    # An empty amount is 0; an amount that is no plain decimal number is null, and so is an impossible date.
    con.execute(r"""
        CREATE MACRO cleaned(x) AS nullif(trim(x, E' \t\r'), '');
        CREATE MACRO as_amount(x) AS CASE
            WHEN x IS NULL THEN 0::DECIMAL(18, 2)
            WHEN regexp_full_match(x, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)')
                THEN try_cast(x AS DECIMAL(18, 2)) END;
        CREATE MACRO as_date(x) AS CASE
            WHEN regexp_full_match(x, '[0-9]{2}-[A-Za-z]{3}-[0-9]{4}')
                THEN try_strptime(x, '%d-%b-%Y')::DATE END;
        CREATE MACRO as_number(x) AS CASE WHEN regexp_full_match(x, '[0-9]+') THEN try_cast(x AS BIGINT) END;
    """)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Every file at or below a path, in the order of its name (as text) relative to it.

    Names that start with `_` or `.` are markers and checksums that Spark leaves beside part files.
    """
    if path.is_file():
        yield path.name, path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"no file or folder {path}")
    found = {p.relative_to(path): p for p in path.rglob("*") if p.is_file()}
    visible = {name.as_posix(): p for name, p in found.items() if not any(x[0] in "._" for x in name.parts)}
    yield from sorted(visible.items())


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    return content.decode("utf-8-sig", errors="replace")


def _read_rif(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    for group in GROUPS:
        columns = "".join(f", {name} VARCHAR" for name in _mapped(group))
        con.execute(
            f"CREATE TABLE raw_{group} (kind VARCHAR, file VARCHAR, row BIGINT, line_hash VARCHAR, "
            f"right_number_of_fields BOOLEAN{columns})"
        )
    con.execute("CREATE TABLE files (kind VARCHAR, file VARCHAR)")
    for name, file in _files(path):
        first_line, _, body = _text(file).partition("\n")
        if "|" not in first_line:
            continue  # not a RIF file: a side input, a directory of providers, a note
        heading = [column.strip() for column in first_line.strip().removesuffix("|").split("|")]
        kind = next((kind for kind, signature in SIGNATURES.items() if signature in heading), None)
        if kind is None:
            if "EFCTV_BGN_DT" in heading:
                continue  # beneficiary_history: former ids, which nothing here needs
            raise ValueError(f"{name}: a heading of no known kind")
        con.execute("INSERT INTO files VALUES (?, ?)", [kind, name])
        _load(con, kind, name, heading, body)


def _mapped(group: str) -> tuple[str, ...]:
    return IDS_AND_CODES[group] + DATES[group] + AMOUNTS[group]


def _load(con: duckdb.DuckDBPyConnection, kind: str, file: str, columns: list[str], body: str) -> None:
    """Put one file's lines into its raw table: split at every `|`, no quoting, columns by the heading."""
    group = next(group for group, kinds in GROUPS.items() if kind in kinds)
    position = {column: number for number, column in enumerate(columns, start=1)}
    selected = []
    for column in _mapped(group):
        if column in position:
            selected.append(f"cleaned(fields[{position[column]}]) AS {column}")
        elif column in NOT_IN_EVERY_KIND:
            selected.append(f"NULL AS {column}")
        else:
            raise ValueError(f"{file}: a {kind} file without the column {column}")
    count = len(columns)
    # One empty field too many is a closing separator.
    right_number = f"len(fields) = {count} OR (len(fields) = {count + 1} AND cleaned(fields[{count + 1}]) IS NULL)"
    statement = f"""
        WITH delivered AS (SELECT unnest($numbers) AS row, rtrim(unnest($lines), E'\\r') AS line),
             split AS (SELECT row, line, string_split(line, '|') AS fields FROM delivered)
        INSERT INTO raw_{group}
        SELECT $kind, $file, row, md5(line), {right_number}, {", ".join(selected)} FROM split"""
    # The heading is line 1; a line without a single character is no row.
    numbered = [(number, line) for number, line in enumerate(body.split("\n"), start=2) if line.strip("\r")]
    for start in range(0, len(numbered), LINES_AT_ONCE):
        numbers, lines = zip(*numbered[start : start + LINES_AT_ONCE], strict=True)
        con.execute(statement, {"numbers": list(numbers), "lines": list(lines), "kind": kind, "file": file})


def _read_side_input(
    con: duckdb.DuckDBPyConnection,
    table: str,
    path: str | Path | None,
    columns: tuple[str, ...],
    program: str | None = None,
) -> None:
    """Read a comma separated file, or a folder of its parts, as text; `place` is the order of the rows.

    Where the file has a column `program`, only the rows of that one.
    """
    con.execute(f"CREATE TABLE {table} (place BIGINT, {', '.join(f'{c} VARCHAR' for c in columns)})")
    if path is None:
        return
    rows: list[Row] = []
    for name, file in _files(Path(path)):
        reader = csv.DictReader(io.StringIO(_text(file)))
        if reader.fieldnames is None:
            continue  # an empty part
        missing = [column for column in columns if column not in reader.fieldnames]
        if missing:
            raise ValueError(f"{name}: no column {', '.join(missing)}")
        rows.extend(row for row in reader if row.get("program", program) == program)
    parameters: dict[str, Any] = {column: [row[column] for row in rows] for column in columns}
    parameters["place"] = list(range(len(rows)))
    texts = ", ".join(f"cleaned(unnest(${c}::VARCHAR[])) AS {c}" for c in columns)
    con.execute(f"INSERT INTO {table} SELECT unnest($place::BIGINT[]) AS place, {texts}", parameters)


# ------------------------------------------------------------------------------------------
# From rows to what stands
# ------------------------------------------------------------------------------------------


def _judge_rows(con: duckdb.DuckDBPyConnection) -> None:
    """Type every row, and give it one verdict: rejected, accepted, duplicate or superseded."""
    for group in GROUPS:
        _type_rows(con, group)

    # Enrollment: one row per member and reference year stands, the later file's, then the later row. The same
    # line once more is a duplicate of it; any other row for the member and year is superseded.
    con.execute("""
        CREATE TABLE judged_beneficiary AS
        SELECT *, CASE
            WHEN is_rejected THEN 'rejected'
            WHEN row_number() OVER versions = 1 THEN 'accepted'
            WHEN line_hash = first_value(line_hash) OVER versions THEN 'duplicate'
            ELSE 'superseded' END AS verdict
        FROM typed_beneficiary
        WINDOW versions AS (PARTITION BY is_rejected, BENE_ID, year ORDER BY file DESC, row DESC)""")

    # Claims: of one claim's deliveries (processing date, then UPDATE after INSERT) the latest stands; in it,
    # of two rows with one line number the later row; and nothing where that row is not final. A line that
    # repeats the one that stands for its line number is a duplicate.
    for group in ("institutional", "professional", "pharmacy"):
        con.execute(f"""
            CREATE TABLE judged_{group} AS
            WITH ranked AS (
                SELECT *,
                    rank() OVER (
                        PARTITION BY kind, is_rejected, claim_id
                        ORDER BY delivered_on DESC NULLS LAST, is_update DESC
                    ) AS delivery,
                    row_number() OVER versions_of_line AS version_of_line,
                    first_value(line_hash) OVER versions_of_line AS last_line_hash
                FROM typed_{group}
                WINDOW versions_of_line AS (
                    PARTITION BY kind, is_rejected, claim_id, delivered_on, is_update, line_number
                    ORDER BY file DESC, row DESC)
            )
            SELECT *, CASE
                WHEN is_rejected THEN 'rejected'
                WHEN delivery > 1 THEN 'superseded'
                WHEN version_of_line > 1 AND line_hash = last_line_hash THEN 'duplicate'
                WHEN version_of_line > 1 OR is_not_final THEN 'superseded'
                ELSE 'accepted' END AS verdict
            FROM ranked""")

    judged = " UNION ALL ".join(f"SELECT kind, file, verdict FROM judged_{group}" for group in GROUPS)
    con.execute(f"""
        CREATE TABLE load_counts AS
        SELECT f.kind, f.file, count(verdict) AS rows_read,
            count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
            count(*) FILTER (WHERE verdict = 'rejected') AS rejected,
            count(*) FILTER (WHERE verdict = 'duplicate') AS duplicate,
            count(*) FILTER (WHERE verdict = 'superseded') AS superseded
        FROM files f LEFT JOIN ({judged}) j ON j.kind = f.kind AND j.file = f.file
        GROUP BY f.kind, f.file""")


def _type_rows(con: duckdb.DuckDBPyConnection, group: str) -> None:
    # What each group calls the same thing: typed columns, and the conditions under which a row is rejected.
    typed = {
        "beneficiary": """
            try_cast(regexp_extract(RFRNC_YR, '^(19|20)[0-9]{2}$') AS INTEGER) AS year,
            as_date(BENE_BIRTH_DT) AS birth_date,
            as_date(DEATH_DT) AS death_date""",
        "institutional": """
            CLM_ID AS claim_id,
            as_number(CLM_LINE_NUM) AS line_number,
            as_date(coalesce(CLM_FROM_DT, CLM_THRU_DT)) AS service_from,
            as_date(CLM_THRU_DT) AS service_thru,
            as_date(NCH_WKLY_PROC_DT) AS delivered_on,
            as_date(CLM_ADMSN_DT) AS admission_date,
            as_amount(CLM_PMT_AMT) AS payment,
            (as_amount(CLM_PASS_THRU_PER_DIEM_AMT) * as_amount(CLM_UTLZTN_DAY_CNT))::DECIMAL(18, 2)
                AS pass_through""",
        "professional": """
            CLM_ID AS claim_id,
            as_number(LINE_NUM) AS line_number,
            as_date(coalesce(LINE_1ST_EXPNS_DT, CLM_FROM_DT, LINE_LAST_EXPNS_DT, CLM_THRU_DT)) AS service_from,
            as_date(coalesce(LINE_LAST_EXPNS_DT, CLM_THRU_DT)) AS service_thru,
            as_date(NCH_WKLY_PROC_DT) AS delivered_on,
            as_amount(LINE_NCH_PMT_AMT) AS payment,
            as_amount(LINE_ALOWD_CHRG_AMT) AS allowed""",
        "pharmacy": """
            PDE_ID AS claim_id,
            1 AS line_number,
            as_date(SRVC_DT) AS service_from,
            as_date(SRVC_DT) AS service_thru,
            as_date(PD_DT) AS delivered_on,
            as_amount(CVRD_D_PLAN_PD_AMT) AS payment,
            as_amount(TOT_RX_CST_AMT) AS allowed""",
    }[group]
    refused = ["NOT right_number_of_fields", "BENE_ID IS NULL"]
    refused += [f"({column} IS NOT NULL AND as_date({column}) IS NULL)" for column in DATES[group]]
    refused += [f"as_amount({column}) IS NULL" for column in AMOUNTS[group]]
    if group == "beneficiary":
        refused += ["year IS NULL", "year NOT BETWEEN 1966 AND 2100"]
        refused += [
            f"(MDCR_ENTLMT_BUYIN_{number}_IND NOT IN ('0', '1', '2', '3', 'A', 'B', 'C'))" for number in range(1, 13)
        ]
        versions = ""
    else:
        refused += [
            "claim_id IS NULL", "line_number IS NULL", "service_thru IS NULL", "service_thru < service_from",
        ]  # fmt: skip
        if group == "institutional":
            refused += ["NOT regexp_full_match(CLM_UTLZTN_DAY_CNT, '[+-]?[0-9]+')"]
        versions = """,
            coalesce(upper(DML_IND), '') = 'UPDATE' AS is_update,
            coalesce(upper(FINAL_ACTION), '') = 'N' AS is_not_final"""
    conditions = " OR ".join(f"coalesce({condition}, false)" for condition in refused)
    con.execute(f"""
        CREATE TABLE typed_{group} AS
        WITH typed AS (SELECT *, {typed}{versions} FROM raw_{group})
        SELECT *, ({conditions}) AS is_rejected FROM typed""")


def _coverage(con: duckdb.DuckDBPyConnection) -> None:
    """One row per member and covered month, and one row per member."""
    months = " UNION ALL ".join(
        f"""SELECT BENE_ID AS member_id, make_date(year, {number}, 1) AS member_month,
               upper(MDCR_ENTLMT_BUYIN_{number}_IND) AS buy_in, upper(HMO_{number}_IND) AS hmo,
               upper(PTC_CNTRCT_{name}_ID) AS part_c_contract, MDCR_STUS_{name}_CD AS medicare_status,
               META_DUAL_ELGBL_STUS_{name}_CD AS dual_status, STATE_CODE AS state
            FROM judged_beneficiary WHERE verdict = 'accepted'"""
        for number, name in enumerate(MONTH_NAMES, start=1)
    )
    con.execute(f"""
        CREATE TABLE coverage AS
        WITH months AS ({months})
        SELECT member_id, member_month,
            coalesce(buy_in IN ('3', 'C'), false) AS has_a_and_b,
            coalesce(hmo NOT IN ('0', '4'), false) AS hmo_says_part_c,
            coalesce(regexp_full_match(part_c_contract, '[A-Z9][0-9].*'), false) AS contract_says_part_c,
            medicare_status,
            CASE WHEN regexp_full_match(dual_status, '[0-9]') THEN '0' || dual_status ELSE dual_status END
                AS dual_status,
            coalesce(state IN {FOREIGN_STATES}, false) AS lives_abroad
        FROM months
        WHERE buy_in IN ('3', 'C', '1', 'A', '2', 'B')""")
    # The source tells the months from the first to the last in which anybody is covered.
    con.execute("""
        CREATE TABLE told AS
        SELECT min(member_month) AS first_month, max(member_month) AS last_month FROM coverage""")
    con.execute("""
        CREATE TABLE members AS
        SELECT BENE_ID AS member_id,
            arg_max_null(birth_date, year) AS birth_date,  -- of the latest year's row, filled in or not
            date_trunc('month', arg_max(death_date, year))::DATE AS death_month  -- of the latest filled in
        FROM judged_beneficiary WHERE verdict = 'accepted'
        GROUP BY BENE_ID""")


def _lines(con: duckdb.DuckDBPyConnection) -> None:
    """The claim lines that stand, of all kinds: for what, when, how much, and in whose network."""
    kinds = ", ".join(f"('{kind}', '{claim_type}')" for kind, claim_type in CLAIM_TYPES.items())
    con.execute(f"CREATE TABLE claim_types AS SELECT * FROM (VALUES {kinds}) AS t (kind, claim_type)")

    # An institutional claim is one thing: its header is read from its first line, what makes it denied,
    # secondary or an emergency from all of them, and its payment stands on the first line.
    con.execute(f"""
        CREATE TABLE institutional_claims AS
        SELECT kind, claim_id,
            min(line_number) AS first_line,
            arg_min(BENE_ID, line_number) AS member_id,
            arg_min(service_from, line_number) AS service_from,
            arg_min(service_thru, line_number) AS service_thru,
            arg_min_null(admission_date, line_number) AS admission_date,
            arg_min_null(PTNT_DSCHRG_STUS_CD, line_number) AS discharge_status,
            arg_min_null(PRVDR_NUM, line_number) AS ccn,
            arg_min_null(ORG_NPI_NUM, line_number) AS npi,
            arg_min(payment + pass_through, line_number) AS paid_amount,
            arg_min(pass_through, line_number) AS pass_through_amount,
            bool_or(CLM_MDCR_NON_PMT_RSN_CD IS NOT NULL) AS is_denied,
            bool_or(coalesce(upper(NCH_PRMRY_PYR_CD) IN {OTHER_PAYERS}, false)) AS has_other_payer,
            CASE kind
                WHEN 'snf' THEN 'skilled_nursing'
                WHEN 'hha' THEN 'home_health'
                WHEN 'outpatient' THEN CASE
                    WHEN bool_or(coalesce(lpad(REV_CNTR, 4, '0') IN {EMERGENCY_REVENUE}, false)
                              OR coalesce(upper(HCPCS_CD) IN {EMERGENCY_HCPCS}, false))
                    THEN 'emergency' ELSE 'outpatient' END
                ELSE kind END AS service_category
        FROM judged_institutional WHERE verdict = 'accepted'
        GROUP BY kind, claim_id""")
    _services_of_claims(con)

    con.execute("""
        CREATE TABLE lines_without_network AS
        -- institutional: the header payment once
        SELECT c.kind, c.claim_id, l.line_number, c.member_id, c.service_from, c.service_thru,
            c.service_category,
            CASE WHEN l.line_number = c.first_line THEN c.paid_amount ELSE 0 END::DECIMAL(18, 2)
                AS paid_amount,
            CASE WHEN l.line_number = c.first_line THEN c.pass_through_amount ELSE 0 END::DECIMAL(18, 2)
                AS pass_through_amount,
            NULL::DECIMAL(18, 2) AS allowed_amount, c.is_denied, c.has_other_payer,
            NULL::VARCHAR AS tin, c.npi, c.ccn, l.HCPCS_CD AS hcpcs,
            CASE WHEN l.line_number = c.first_line THEN s.services ELSE 0 END::BIGINT AS services
        FROM judged_institutional l
        JOIN institutional_claims c ON c.kind = l.kind AND c.claim_id = l.claim_id
        JOIN services_of_claims s ON s.kind = c.kind AND s.claim_id = c.claim_id
        WHERE l.verdict = 'accepted'""")
    con.execute(f"""
        INSERT INTO lines_without_network
        -- carrier and DME: every line its own payment; a denied claim denies all its lines
        SELECT kind, claim_id, line_number, BENE_ID, service_from, service_thru,
            CASE kind WHEN 'carrier' THEN 'professional' ELSE 'dme' END, payment, 0, allowed,
            bool_or(coalesce(CARR_CLM_PMT_DNL_CD = '0', false)) OVER (PARTITION BY kind, claim_id)
                OR coalesce(upper(LINE_PRCSG_IND_CD) NOT IN ('A', 'R', 'S'), false),
            coalesce(upper(LINE_BENE_PRMRY_PYR_CD) IN {OTHER_PAYERS}, false),
            TAX_NUM, CASE kind WHEN 'carrier' THEN PRF_PHYSN_NPI ELSE PRVDR_NPI END, NULL, upper(HCPCS_CD), 1
        FROM judged_professional WHERE verdict = 'accepted'
        UNION ALL
        -- Part D: what the plan paid, in the month of the fill
        SELECT kind, claim_id, line_number, BENE_ID, service_from, service_thru, 'pharmacy', payment, 0,
            allowed, false, false,
            NULL, CASE WHEN SRVC_PRVDR_ID_QLFYR_CD = '01' THEN SRVC_PRVDR_ID END, NULL, NULL, 1
        FROM judged_pharmacy WHERE verdict = 'accepted'""")

    # A roster row matches a line on every id that it fills in; one that fills in none matches nothing.
    con.execute("""
        CREATE TABLE roster AS
        SELECT network_id, network_name, network_type, tin, npi, ccn,
            coalesce(try_cast(start_date AS DATE), DATE '0001-01-01') AS start_date,
            coalesce(try_cast(end_date AS DATE), DATE '9999-12-31') AS end_date
        FROM network_roster WHERE network_id IS NOT NULL""")
    matches = []
    all_ids = ("tin", "npi", "ccn")
    for filled_in in (ids for count in (1, 2, 3) for ids in combinations(all_ids, count)):
        filled = [f"r.{x} = l.{x}" for x in filled_in]
        blank = [f"r.{x} IS NULL" for x in all_ids if x not in filled_in]
        matches.append(f"""
            SELECT l.kind, l.claim_id, l.line_number, r.network_id FROM lines_without_network l JOIN roster r
            ON {" AND ".join(filled + blank)} AND l.service_thru BETWEEN r.start_date AND r.end_date""")
    con.execute(f"""
        CREATE TABLE lines AS
        WITH matched AS ({" UNION ALL ".join(matches)}),
             networks AS (
                SELECT kind, claim_id, line_number, min(network_id) AS line_network
                FROM matched GROUP BY kind, claim_id, line_number
             )
        SELECT l.*, t.claim_type, n.line_network
        FROM lines_without_network l
        JOIN claim_types t ON t.kind = l.kind
        LEFT JOIN networks n ON n.kind = l.kind AND n.claim_id = l.claim_id
            AND n.line_number = l.line_number""")


def _services_of_claims(con: duckdb.DuckDBPyConnection) -> None:
    """1 for the undenied institutional claim at which a service is counted, 0 for the others."""
    stays: dict[tuple[str, str, str], list[_Claim]] = defaultdict(list)
    for kind, member_id, ccn, *claim in con.execute("""
            SELECT kind, member_id, coalesce(ccn, ''), claim_id, service_from, service_thru, admission_date,
                coalesce(discharge_status, '')
            FROM institutional_claims WHERE kind IN ('inpatient', 'snf') AND NOT is_denied""").fetchall():
        stays[kind, member_id, ccn].append(_Claim(*claim))
    last_claims = [
        (kind, max(stay, key=lambda claim: (claim.thru, claim.claim_id)).claim_id)
        for (kind, _, _), claims in stays.items()
        for stay in _stays(claims)
    ]
    con.execute("CREATE TABLE last_claims_of_stays (kind VARCHAR, claim_id VARCHAR)")
    con.execute(
        "INSERT INTO last_claims_of_stays SELECT unnest($kinds::VARCHAR[]), unnest($ids::VARCHAR[])",
        {"kinds": [kind for kind, _ in last_claims], "ids": [claim_id for _, claim_id in last_claims]},
    )
    con.execute("""
        CREATE TABLE services_of_claims AS
        SELECT c.kind, c.claim_id, CASE
            WHEN c.is_denied THEN 0
            WHEN c.kind IN ('inpatient', 'snf') THEN (s.claim_id IS NOT NULL)::INTEGER
            WHEN c.service_category = 'emergency' THEN (row_number() OVER (
                PARTITION BY c.service_category, c.is_denied, c.member_id, c.service_thru
                ORDER BY c.claim_id) = 1)::INTEGER
            ELSE 1 END AS services
        FROM institutional_claims c
        LEFT JOIN last_claims_of_stays s ON s.kind = c.kind AND s.claim_id = c.claim_id""")


@dataclass(frozen=True)
class _Claim:
    claim_id: str
    start: dt.date
    thru: dt.date
    admission_date: dt.date | None
    discharge_status: str


def _stays(claims: list[_Claim]) -> list[list[_Claim]]:
    """The claims of one member at one facility, gathered into stays: linked to one is linked to all."""
    stays: list[list[_Claim]] = []
    for claim in claims:
        linked = [stay for stay in stays if any(_one_stay(claim, other) for other in stay)]
        stays = [stay for stay in stays if stay not in linked]
        stays.append([claim, *(other for stay in linked for other in stay)])
    return stays


def _one_stay(one: _Claim, other: _Claim) -> bool:
    if one.admission_date is not None and one.admission_date == other.admission_date:
        return True
    if one.start <= other.thru and other.start <= one.thru:
        return True
    earlier, later = (one, other) if one.thru < other.start else (other, one)
    return earlier.discharge_status == "30" and later.start <= earlier.thru + dt.timedelta(days=1)


# ------------------------------------------------------------------------------------------
# One policy
# ------------------------------------------------------------------------------------------


def _years(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> None:
    """The performance years with their alignment windows (first and last month) and attribution days."""
    rows = []
    for year in sorted(set(settings.performance_years)):
        last = year * 12 + 11 - settings.lag_months
        first = last - settings.window_months + 1
        window_first, window_last = (dt.date(month // 12, month % 12 + 1, 1) for month in (first, last))
        if settings.attribution_window == "performance_year":
            days = (dt.date(year, 1, 1), dt.date(year, 12, 31))
        else:
            after = last + 1
            days = (window_first, dt.date(after // 12, after % 12 + 1, 1) - dt.timedelta(days=1))
        rows.append((year, window_first, window_last, *days))
    con.execute("""
        CREATE OR REPLACE TABLE years (
            performance_year INTEGER, window_first DATE, window_last DATE, first_day DATE, last_day DATE)""")
    con.executemany("INSERT INTO years VALUES (?, ?, ?, ?, ?)", rows)


def _member_months(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> None:
    """All told months of the year, for every member with a covered month in it, and why not eligible."""
    con.execute("""
        CREATE OR REPLACE TABLE secondary_payer_months AS
        SELECT DISTINCT member_id, date_trunc('month', service_thru)::DATE AS member_month
        FROM lines WHERE has_other_payer AND NOT is_denied AND service_category <> 'pharmacy'""")
    # How many months of the window are tested for a member, and in how many of them the member had both.
    con.execute("""
        CREATE OR REPLACE TABLE windows AS
        WITH members_of_years AS (
            SELECT DISTINCT y.performance_year, c.member_id
            FROM coverage c JOIN years y ON y.performance_year = year(c.member_month)
        ),
        tested AS (
            SELECT m.performance_year, m.member_id,
                greatest(y.window_first, t.first_month) AS first_tested,
                least(y.window_last, t.last_month, coalesce(p.death_month, DATE '9999-12-01')) AS last_tested
            FROM members_of_years m
            JOIN years y ON y.performance_year = m.performance_year
            JOIN members p ON p.member_id = m.member_id
            CROSS JOIN told t
        )
        SELECT t.performance_year, t.member_id,
            greatest(0, datediff('month', any_value(t.first_tested), any_value(t.last_tested)) + 1)
                AS months_tested,
            count(c.member_month) AS months_in_both
        FROM tested t
        LEFT JOIN coverage c ON c.member_id = t.member_id AND c.has_a_and_b
            AND c.member_month BETWEEN t.first_tested AND t.last_tested
        GROUP BY t.performance_year, t.member_id""")

    not_in_both = {
        # With a lag the month itself must be in both too: it may lie after the window.
        "full_window": "months_in_both < months_tested OR NOT is_covered"
        + (" OR NOT has_a_and_b" if settings.lag_months > 0 else ""),
        "current_month": "NOT has_a_and_b",
        "none": "false",
    }[settings.part_a_b]
    part_c = {"hmo_indicator": "hmo_says_part_c", "part_c_contract": "contract_says_part_c"}[settings.part_c]
    con.execute(f"""
        CREATE OR REPLACE TABLE member_months AS
        WITH months AS (
            SELECT w.performance_year, w.member_id, m.member_month, w.months_tested, w.months_in_both,
                p.birth_date, p.death_month,
                c.member_id IS NOT NULL AS is_covered,
                coalesce(c.has_a_and_b, false) AS has_a_and_b,
                coalesce(c.{part_c}, false) AS in_part_c,
                coalesce(c.lives_abroad, false) AS lives_abroad,
                c.medicare_status, c.dual_status,
                s.member_id IS NOT NULL AS medicare_is_secondary
            FROM windows w
            CROSS JOIN told t
            CROSS JOIN (SELECT unnest(range(1, 13)) AS number) n
            CROSS JOIN LATERAL (SELECT make_date(w.performance_year, n.number::INTEGER, 1) AS member_month) m
            JOIN members p ON p.member_id = w.member_id
            LEFT JOIN coverage c ON c.member_id = w.member_id AND c.member_month = m.member_month
            LEFT JOIN secondary_payer_months s ON s.member_id = w.member_id
                AND s.member_month = m.member_month
            WHERE m.member_month BETWEEN t.first_month AND t.last_month
        ),
        reasoned AS (
            SELECT *, CASE
                WHEN member_month > death_month THEN ['DECEASED']
                ELSE list_filter([
                    CASE WHEN NOT is_covered THEN 'NOT_ENROLLED' END,
                    CASE WHEN {not_in_both} THEN 'NOT_IN_PART_A_AND_B' END,
                    CASE WHEN {settings.exclude_medicare_advantage} AND in_part_c
                        THEN 'MEDICARE_ADVANTAGE' END,
                    CASE WHEN {settings.exclude_medicare_secondary} AND medicare_is_secondary
                        THEN 'MEDICARE_SECONDARY' END,
                    CASE WHEN {settings.exclude_non_us} AND lives_abroad THEN 'NON_US_RESIDENT' END
                ], lambda reason : reason IS NOT NULL) END AS reasons
            FROM months
        )
        SELECT performance_year, member_id, member_month, len(reasons) = 0 AS is_eligible, reasons,
            CASE
                WHEN medicare_status IS NULL THEN 'OTHER'
                WHEN medicare_status IN ('11', '21', '31') THEN 'ESRD'
                WHEN medicare_status = '20' THEN 'DISABLED'
                WHEN medicare_status = '10' AND dual_status IN ('01', '02', '03', '04', '05', '06', '08')
                    THEN 'AGED_DUAL'
                ELSE 'AGED_NON_DUAL' END AS enrollment_type,
            date_sub('year', birth_date, member_month) AS age
        FROM reasoned""")


def _attribution(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> None:
    if settings.method == "roster":
        # A member on two rosters goes to the lowest network, then to the lowest physician; blanks come last.
        con.execute(f"""
            CREATE OR REPLACE TABLE attribution AS
            SELECT y.performance_year, a.member_id, a.network_id, '{UNATTRIBUTED}' AS practice_tin,
                coalesce(a.physician_npi, '{UNATTRIBUTED}') AS physician_npi,
                NULL::DECIMAL(38, 2) AS measure_amount, NULL::VARCHAR AS runner_up_network_id,
                NULL::DECIMAL(38, 2) AS runner_up_amount
            FROM member_attribution a
            JOIN years y ON y.performance_year = try_cast(a.performance_year AS INTEGER)
            WHERE a.member_id IS NOT NULL AND a.network_id IS NOT NULL
            QUALIFY row_number() OVER (
                PARTITION BY y.performance_year, a.member_id
                ORDER BY a.network_id, a.physician_npi NULLS LAST) = 1""")
        return

    con.execute("""
        CREATE OR REPLACE TABLE primary_care_lines AS
        SELECT y.performance_year, l.member_id, l.service_thru, l.allowed_amount, l.line_network, l.tin,
            l.npi, coalesce(l.line_network, 'TIN:' || l.tin) AS candidate
        FROM lines l
        JOIN years y ON l.service_thru BETWEEN y.first_day AND y.last_day
        WHERE l.service_category = 'professional' AND NOT l.is_denied AND l.allowed_amount > 0
            AND EXISTS (
                FROM primary_care_hcpcs h
                WHERE upper(h.hcpcs) = l.hcpcs
                    AND y.performance_year BETWEEN h.first_year::INTEGER AND h.last_year::INTEGER)""")
    con.execute(f"""
        CREATE OR REPLACE TABLE attribution AS
        WITH candidates AS (
            SELECT performance_year, member_id, candidate, line_network IS NOT NULL AS is_network,
                sum(allowed_amount) AS amount, max(service_thru) AS latest
            FROM primary_care_lines WHERE candidate IS NOT NULL
            GROUP BY ALL
        ),
        ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY performance_year, member_id
                ORDER BY amount DESC, latest DESC, is_network DESC, candidate) AS place
            FROM candidates
        ),
        winners AS (SELECT * FROM ranked WHERE place = 1),
        runners_up AS (SELECT * FROM ranked WHERE place = 2),
        won_lines AS (
            SELECT l.* FROM primary_care_lines l JOIN winners w
            ON w.performance_year = l.performance_year AND w.member_id = l.member_id
                AND w.candidate = l.candidate
            WHERE w.is_network
        ),
        physicians AS (
            SELECT performance_year, member_id, npi FROM won_lines WHERE npi IS NOT NULL
            GROUP BY performance_year, member_id, npi
            QUALIFY row_number() OVER (
                PARTITION BY performance_year, member_id
                ORDER BY sum(allowed_amount) DESC, max(service_thru) DESC, npi) = 1
        ),
        practices AS (
            SELECT performance_year, member_id, tin FROM won_lines WHERE tin IS NOT NULL
            GROUP BY performance_year, member_id, tin
            QUALIFY row_number() OVER (
                PARTITION BY performance_year, member_id
                ORDER BY sum(allowed_amount) DESC, max(service_thru) DESC, tin) = 1
        )
        SELECT w.performance_year, w.member_id,
            CASE WHEN w.is_network THEN w.candidate ELSE '{UNATTRIBUTED}' END AS network_id,
            coalesce(p.tin, '{UNATTRIBUTED}') AS practice_tin,
            coalesce(d.npi, '{UNATTRIBUTED}') AS physician_npi,
            w.amount AS measure_amount, r.candidate AS runner_up_network_id, r.amount AS runner_up_amount
        FROM winners w
        LEFT JOIN runners_up r ON r.performance_year = w.performance_year AND r.member_id = w.member_id
        LEFT JOIN physicians d ON d.performance_year = w.performance_year AND d.member_id = w.member_id
        LEFT JOIN practices p ON p.performance_year = w.performance_year AND p.member_id = w.member_id""")


def _whose(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> list[Row]:
    """Who is attributed, and everybody with a member month who is not, with the reason."""
    not_found = "NOT_ON_ROSTER" if settings.method == "roster" else "NO_PRIMARY_CARE"
    return _rows(
        con,
        f"""
        SELECT performance_year, member_id, coalesce(network_id, '{UNATTRIBUTED}') AS network_id,
            coalesce(practice_tin, '{UNATTRIBUTED}') AS practice_tin,
            coalesce(physician_npi, '{UNATTRIBUTED}') AS physician_npi, measure_amount, runner_up_network_id,
            runner_up_amount, CASE WHEN network_id IS NULL THEN '{not_found}'
                WHEN network_id = '{UNATTRIBUTED}' THEN 'OUTSIDE_PLURALITY' END AS unattributed_reason
        FROM (SELECT DISTINCT performance_year, member_id FROM member_months)
        FULL JOIN attribution USING (performance_year, member_id)
        ORDER BY performance_year, member_id""",
    )


def _costed_lines(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> None:
    """Every line of the performance years, with the member's network and the first reason not to count it."""
    con.execute(f"""
        CREATE OR REPLACE TABLE costed_lines AS
        WITH dated AS (
            SELECT *, date_trunc('month', service_{settings.claim_month})::DATE AS member_month,
                year(service_{settings.claim_month}) AS performance_year
            FROM lines
        ),
        placed AS (
            SELECT d.*, m.member_id IS NOT NULL AS has_member_month, m.is_eligible, m.reasons,
                coalesce(a.network_id, '{UNATTRIBUTED}') AS network_id,
                coalesce(d.line_network = a.network_id, false) AS is_in_network
            FROM dated d
            JOIN years y ON y.performance_year = d.performance_year
            LEFT JOIN member_months m ON m.member_id = d.member_id AND m.member_month = d.member_month
            LEFT JOIN attribution a ON a.member_id = d.member_id AND a.performance_year = d.performance_year
        ),
        judged AS (
            SELECT *, CASE
                WHEN is_denied THEN 'DENIED'
                WHEN NOT has_member_month THEN 'NOT_ENROLLED'
                WHEN NOT is_eligible THEN reasons[1]
                WHEN {settings.basis == "reimbursed_to_network"} AND NOT is_in_network THEN 'OUT_OF_NETWORK'
                END AS reason_but_for_pharmacy
            FROM placed
        )
        SELECT *, CASE
            WHEN service_category = 'pharmacy' AND NOT {settings.include_pharmacy} THEN 'PHARMACY'
            ELSE reason_but_for_pharmacy END AS reason
        FROM judged""")


def _member_years(con: duckdb.DuckDBPyConnection) -> None:
    """One row per member with an eligible month: whose it is, how many months, dollars, and the score."""
    con.execute(f"""
        CREATE OR REPLACE TABLE member_years AS
        WITH months AS (
            SELECT performance_year, member_id, count(*) AS member_months
            FROM member_months WHERE is_eligible GROUP BY performance_year, member_id
        ),
        costs AS (
            SELECT performance_year, member_id, sum(paid_amount) AS paid_amount,
                sum(paid_amount) FILTER (WHERE is_in_network) AS in_network_paid_amount
            FROM costed_lines WHERE reason IS NULL GROUP BY performance_year, member_id
        ),
        scores AS (  -- of two rows for one member-year the later
            SELECT try_cast(performance_year AS INTEGER) AS performance_year, member_id,
                arg_max_null(try_cast(risk_score AS DECIMAL(12, 6)), place) AS risk_score
            FROM risk_scores GROUP BY ALL
        )
        SELECT m.performance_year, m.member_id, m.member_months,
            coalesce(a.network_id, '{UNATTRIBUTED}') AS network_id,
            coalesce(a.practice_tin, '{UNATTRIBUTED}') AS practice_tin,
            coalesce(a.physician_npi, '{UNATTRIBUTED}') AS physician_npi,
            coalesce(c.paid_amount, 0)::DECIMAL(38, 2) AS paid_amount,
            coalesce(c.in_network_paid_amount, 0)::DECIMAL(38, 2) AS in_network_paid_amount,
            s.risk_score
        FROM months m
        LEFT JOIN attribution a ON a.performance_year = m.performance_year AND a.member_id = m.member_id
        LEFT JOIN costs c ON c.performance_year = m.performance_year AND c.member_id = m.member_id
        LEFT JOIN scores s ON s.performance_year = m.performance_year AND s.member_id = m.member_id""")


# ------------------------------------------------------------------------------------------
# Reports
# ------------------------------------------------------------------------------------------


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    found = con.execute(query)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _weight(settings: OracleSettings) -> str:
    return "member_months" if settings.weighting == "member_months" else "1"


def _normalization_factors(
    con: duckdb.DuckDBPyConnection, factors: dict[int, Decimal], settings: OracleSettings
) -> dict[int, Decimal | Fraction]:
    """The year's factor: the table's, or the mean score of everybody who has an eligible month."""
    weight = _weight(settings)
    norms: dict[int, Decimal | Fraction] = {}
    for row in _rows(con, f"""
            SELECT y.performance_year, count(m.risk_score) AS scored,
                sum(m.risk_score * {weight}) AS weighted_scores,
                sum({weight}) FILTER (WHERE m.risk_score IS NOT NULL) AS weights
            FROM years y LEFT JOIN member_years m ON m.performance_year = y.performance_year
            GROUP BY y.performance_year"""):  # fmt: skip
        year = row["performance_year"]
        if settings.normalization == "population":
            if row["scored"]:
                norms[year] = Fraction(row["weighted_scores"]) / Fraction(row["weights"])
        elif year in factors:
            norms[year] = factors[year]
        elif row["scored"]:
            raise ValueError(f"performance year {year} has risk scores but no normalization factor")
    return norms


def _pmpm(
    con: duckdb.DuckDBPyConnection,
    grain: tuple[str, ...],
    norms: dict[int, Decimal | Fraction],
    settings: OracleSettings,
) -> list[Row]:
    """network_pmpm, practice_pmpm and physician_pmpm: they differ in the grain alone."""
    weight = _weight(settings)
    sums = _rows(con, f"""
        WITH names AS (
            SELECT network_id, min(network_name) AS network_name, min(network_type) AS network_type
            FROM roster GROUP BY network_id
        )
        SELECT m.performance_year, {", ".join(f"m.{column}" for column in grain)},
            any_value(n.network_name) AS network_name, any_value(n.network_type) AS network_type,
            count(*) AS members, sum(m.member_months)::BIGINT AS member_months,
            sum(m.paid_amount) AS paid_amount, sum(m.in_network_paid_amount) AS in_network_paid_amount,
            count(m.risk_score) AS scored_members,
            sum(m.risk_score * {weight}) AS weighted_scores,
            sum({weight}) FILTER (WHERE m.risk_score IS NOT NULL) AS weights
        FROM member_years m LEFT JOIN names n ON n.network_id = m.network_id
        GROUP BY m.performance_year, {", ".join(f"m.{column}" for column in grain)}
        ORDER BY m.performance_year, {", ".join(f"m.{column}" for column in grain)}""")  # fmt: skip
    rows = []
    for row in sums:
        counted, months = Fraction(row["paid_amount"]), row["member_months"]
        scores, weights = row.pop("weighted_scores"), row.pop("weights")
        risk = Fraction(scores) / Fraction(weights) if row["scored_members"] else None
        factor = norms.get(row["performance_year"])
        normalized = risk / Fraction(factor) if risk is not None and factor is not None else None
        adjusted = counted / normalized if normalized else None
        row["counted_amount"] = row["paid_amount"]
        row["pmpm"] = float(counted / months)
        row["risk_score"] = None if risk is None else float(risk)
        stored = float(factor) if isinstance(factor, Fraction) else factor
        row["normalization_factor"] = None if risk is None else stored
        row["normalized_risk_score"] = None if normalized is None else float(normalized)
        row["adjusted_amount"] = None if adjusted is None else _cents_half_up(adjusted)
        row["adjusted_pmpm"] = None if adjusted is None else float(adjusted / months)
        row["is_small_cell"] = row["members"] < 11
        rows.append(row)
    return rows


def _cents_half_up(amount: Fraction) -> Decimal:
    cents = int(abs(amount) * 100 + Fraction(1, 2))
    return Decimal(cents if amount >= 0 else -cents).scaleb(-2)


def _by_month(con: duckdb.DuckDBPyConnection) -> list[Row]:
    rows = _rows(con, """
        WITH months AS (
            SELECT m.performance_year, y.network_id, m.member_month, count(*) AS member_months
            FROM member_months m
            JOIN member_years y ON y.performance_year = m.performance_year AND y.member_id = m.member_id
            WHERE m.is_eligible GROUP BY ALL
        ),
        costs AS (
            SELECT network_id, member_month, sum(paid_amount) AS paid_amount
            FROM costed_lines WHERE reason IS NULL GROUP BY ALL
        )
        SELECT m.network_id, m.member_month, m.performance_year, m.member_months AS members, m.member_months,
            coalesce(c.paid_amount, 0)::DECIMAL(38, 2) AS paid_amount
        FROM months m LEFT JOIN costs c ON c.network_id = m.network_id AND c.member_month = m.member_month
        ORDER BY m.network_id, m.member_month""")  # fmt: skip
    for row in rows:
        row["pmpm"] = float(Fraction(row["paid_amount"]) / row["member_months"])
    return rows


def _by_subcategory(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> list[Row]:
    """The counted lines of each category by second level."""
    rows = _rows(
        con,
        f"""
        WITH months AS (
            SELECT performance_year, network_id, sum(member_months)::BIGINT AS member_months
            FROM member_years GROUP BY ALL
        )
        SELECT c.performance_year, c.network_id, c.service_category, s.service_category_2,
            c.service_category <> 'pharmacy' OR {settings.include_pharmacy} AS in_total,
            any_value(m.member_months) AS member_months, count(*) AS claim_lines, sum(c.services)::BIGINT AS services,
            sum(c.paid_amount)::DECIMAL(38, 2) AS paid_amount
        FROM costed_lines c
        JOIN months m ON m.performance_year = c.performance_year AND m.network_id = c.network_id
        JOIN second_levels s ON s.kind = c.kind AND s.claim_id = c.claim_id AND s.line_number = c.line_number
        WHERE c.reason_but_for_pharmacy IS NULL GROUP BY ALL ORDER BY ALL""",
    )
    return [_with_rates(row) for row in rows]


def _by_category(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> list[Row]:
    """A row for every category with a counted line, and always one for pharmacy, in the total or not."""
    rows = _rows(con, f"""
        WITH months AS (
            SELECT performance_year, network_id, sum(member_months)::BIGINT AS member_months
            FROM member_years GROUP BY ALL
        ),
        counted AS (
            SELECT performance_year, network_id, service_category, count(*) AS claim_lines,
                sum(services)::BIGINT AS services, sum(paid_amount) AS paid_amount
            FROM costed_lines WHERE reason_but_for_pharmacy IS NULL GROUP BY ALL
        ),
        categories AS (
            SELECT performance_year, network_id, service_category FROM counted
            UNION SELECT performance_year, network_id, 'pharmacy' FROM months
        )
        SELECT k.performance_year, k.network_id, k.service_category,
            k.service_category <> 'pharmacy' OR {settings.include_pharmacy} AS in_total,
            m.member_months,
            coalesce(c.claim_lines, 0) AS claim_lines, coalesce(c.services, 0) AS services,
            coalesce(c.paid_amount, 0)::DECIMAL(38, 2) AS paid_amount
        FROM categories k
        JOIN months m ON m.performance_year = k.performance_year AND m.network_id = k.network_id
        LEFT JOIN counted c ON c.performance_year = k.performance_year AND c.network_id = k.network_id
            AND c.service_category = k.service_category
        ORDER BY k.performance_year, k.network_id, k.service_category""")  # fmt: skip
    return [_with_rates(row) for row in rows]


def _concentration(con: duckdb.DuckDBPyConnection, settings: OracleSettings) -> list[Row]:
    """The dollars of the dearest 1% and 5% of each network, in every category of its total."""
    rows = _rows(con, f"""
        WITH ranked AS (
            SELECT performance_year, network_id, member_id, paid_amount,
                row_number() OVER (PARTITION BY performance_year, network_id ORDER BY paid_amount DESC, member_id) AS place,
                count(*) OVER (PARTITION BY performance_year, network_id) AS members,
                sum(paid_amount) OVER (PARTITION BY performance_year, network_id) AS total_counted_amount
            FROM member_years
        ),
        tops AS (
            SELECT *, unnest([1, 5]) AS top_percent FROM ranked
        ),
        dearest AS (
            SELECT * FROM tops WHERE place <= (members * top_percent + 99) // 100
        ),
        whole AS (
            SELECT performance_year, network_id, top_percent, count(*) AS members, sum(paid_amount) AS top_counted_amount,
                any_value(total_counted_amount) AS total_counted_amount
            FROM dearest GROUP BY ALL
        ),
        counted AS (
            SELECT performance_year, network_id, service_category, sum(paid_amount) AS network_counted_amount
            FROM costed_lines WHERE reason IS NULL GROUP BY ALL
        ),
        categories AS (
            SELECT performance_year, network_id, service_category FROM counted
            UNION SELECT performance_year, network_id, 'pharmacy' FROM whole WHERE {settings.include_pharmacy}
        ),
        of_top AS (
            SELECT d.performance_year, d.network_id, d.top_percent, c.service_category, sum(c.paid_amount) AS counted_amount
            FROM dearest d
            JOIN costed_lines c ON c.performance_year = d.performance_year AND c.member_id = d.member_id
            WHERE c.reason IS NULL GROUP BY ALL
        )
        SELECT w.performance_year, w.network_id, w.top_percent, k.service_category, w.members,
            coalesce(o.counted_amount, 0)::DECIMAL(38, 2) AS counted_amount,
            coalesce(c.network_counted_amount, 0)::DECIMAL(38, 2) AS network_counted_amount,
            w.top_counted_amount, w.total_counted_amount
        FROM whole w
        JOIN categories k ON k.performance_year = w.performance_year AND k.network_id = w.network_id
        LEFT JOIN counted c ON c.performance_year = w.performance_year AND c.network_id = w.network_id
            AND c.service_category = k.service_category
        LEFT JOIN of_top o ON o.performance_year = w.performance_year AND o.network_id = w.network_id
            AND o.top_percent = w.top_percent AND o.service_category = k.service_category
        ORDER BY ALL""")  # fmt: skip

    def share(part: Decimal, whole: Decimal) -> float | None:
        return float(Fraction(part) / Fraction(whole)) if whole else None

    for row in rows:
        row["share_of_category"] = share(row["counted_amount"], row["network_counted_amount"])
        row["share_of_top"] = share(row["counted_amount"], row["top_counted_amount"])
        row["share_of_network"] = share(row["top_counted_amount"], row["total_counted_amount"])
        row["is_small_cell"] = row["members"] < 11
    return rows


def _with_rates(row: Row) -> Row:
    months = row["member_months"]
    return row | {
        "pmpm": float(Fraction(row["paid_amount"]) / months),
        "lines_per_1000": float(Fraction(row["claim_lines"] * 12_000, months)),
        "services_per_1000": float(Fraction(row["services"] * 12_000, months)),
    }


def _excluded(con: duckdb.DuckDBPyConnection) -> list[Row]:
    return _rows(con, """
        SELECT performance_year, 'month' AS kind, reasons[1] AS reason, count(*) AS member_months,
            NULL::BIGINT AS claim_lines, NULL::DECIMAL(38, 2) AS paid_amount
        FROM member_months WHERE NOT is_eligible GROUP BY ALL
        UNION ALL
        SELECT performance_year, 'dollar', reason, NULL, count(*), sum(paid_amount)
        FROM costed_lines WHERE reason IS NOT NULL GROUP BY ALL
        ORDER BY performance_year, kind, reason""")  # fmt: skip


def _totals(con: duckdb.DuckDBPyConnection, result: Result) -> list[Row]:
    """Per year: all months and net claim dollars, found apart from the reports, and what the reports say."""
    rows = _rows(con, """
        WITH net AS (
            SELECT performance_year, count(*) AS claim_lines, sum(paid_amount) AS paid_amount
            FROM costed_lines GROUP BY performance_year
        ),
        months AS (SELECT performance_year, count(*) AS months FROM member_months GROUP BY performance_year)
        SELECT y.performance_year, coalesce(m.months, 0) AS all_months, coalesce(n.claim_lines,
            0) AS all_claim_lines,
            coalesce(n.paid_amount, 0)::DECIMAL(38, 2) AS all_paid_amount
        FROM years y
        LEFT JOIN months m ON m.performance_year = y.performance_year
        LEFT JOIN net n ON n.performance_year = y.performance_year
        ORDER BY y.performance_year""")  # fmt: skip
    for row in rows:
        year = row["performance_year"]
        counted = [r for r in result["network_pmpm"] if r["performance_year"] == year]
        categories = [r for r in result["network_pmpm_by_category"] if r["performance_year"] == year and r["in_total"]]
        excluded = [r for r in result["excluded"] if r["performance_year"] == year]
        row["counted_months"] = _total(r["member_months"] for r in counted)
        row["excluded_months"] = _total(r["member_months"] for r in excluded if r["kind"] == "month")
        row["counted_paid_amount"] = Decimal("0.00") + _total(r["paid_amount"] for r in counted)
        row["excluded_paid_amount"] = Decimal("0.00") + _total(
            r["paid_amount"] for r in excluded if r["kind"] == "dollar"
        )
        row["counted_claim_lines"] = _total(r["claim_lines"] for r in categories)
        row["excluded_claim_lines"] = _total(r["claim_lines"] for r in excluded if r["kind"] == "dollar")
    return rows


def _total(values: Iterable[Any]) -> Any:
    return sum(values, 0)
