"""Reference tables: code sets and factors with a year and a source, as files in the package.

A folder named in `[reference] path` adds rows, or replaces shipped ones with the same key; its files are named as here.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import types as T

from pmpm_spark.errors import InputError
from pmpm_spark.reference.hcc import HCC_TABLES
from pmpm_spark.table import FACTOR, SCORE, Table, column, day, money, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NORMALIZATION_FACTORS = Table(
    name="reference.normalization_factors",
    grain="one row per performance year",
    key=("performance_year",),
    columns=(
        year("performance_year", "year that the factor is for"),
        column("normalization_factor", FACTOR, "divisor of raw risk scores"),
        text("source", "document it comes from"),
    ),
    rules={"factor_is_positive": "normalization_factor > 0"},
)
PRIMARY_CARE_HCPCS = Table(
    name="reference.primary_care_hcpcs",
    grain="one row per program, code and first year",
    key=("program", "hcpcs", "first_year"),
    columns=(
        text("program", "method of attribution that uses the code"),
        text("hcpcs", "HCPCS code of a primary care service"),
        year("first_year", "first performance year that it counts for"),
        year("last_year", "last performance year that it counts for"),
        text("source", "document it comes from"),
    ),
)
SPECIALTIES = Table(
    name="reference.specialties",
    grain="one row per program, step and specialty",
    key=("program", "step", "specialty_code"),
    columns=(
        text("program", "method of attribution that uses the specialty"),
        text("step", "kind of clinician that the method takes it for"),
        text("specialty_code", "CMS specialty code, two characters"),
        text("source", "document it comes from"),
    ),
)
ETA_HOSPITALS = Table(
    name="reference.eta_hospitals",
    grain="one row per electing teaching amendment hospital and first year",
    key=("ccn", "first_year"),
    columns=(
        text("ccn", "the hospital's CMS certification number"),
        year("first_year", "first performance year that its lines count for"),
        year("last_year", "last performance year that its lines count for"),
    ),
)
ALIGNMENT_PERIODS = Table(
    name="reference.alignment_periods",
    grain="one row per program and performance year",
    key=("program", "performance_year"),
    columns=(
        text("program", "method of attribution that the period is of"),
        year("performance_year", "performance year"),
        day("earlier_first", "first day of the earlier alignment year, inclusive"),
        day("earlier_last", "last day of the earlier alignment year, inclusive"),
        day("recent_first", "first day of the recent alignment year, inclusive"),
        day("recent_last", "last day of the recent alignment year, inclusive"),
        day("first_month", "first month of the performance year, whose first day's participant list counts"),
        text("source", "document it comes from"),
    ),
)
SERVICE_CATEGORIES = Table(
    name="reference.service_categories",
    grain="one row per claim type and priority: a rule that gives both levels of the service category",
    key=("claim_type", "priority"),
    columns=(
        text("claim_type", "type of the claim"),
        column("priority", T.IntegerType(), "of the rules that a line meets the one with the lowest counts"),
        text("bill_type", "types of bill that the rule asks for; here and up to ccn * asks for nothing"),
        text("revenue_code", "revenue codes, with blanks between them: whole, beginnings as 082*, ranges as 0900-0905"),
        text("place_of_service", "place of service codes"),
        text("drg", "MS-DRGs"),
        text("hcpcs", "HCPCS codes"),
        text("ccn", "the facility's CMS certification number without the two digits of its state"),
        text("service_category", "first level: where the dollar belongs"),
        text("service_category_2", "second level"),
        text("source", "document it comes from"),
    ),
)
SEQUESTRATION_RATES = Table(
    name="reference.sequestration_rates",
    grain="one row per first month",
    key=("first_month",),
    columns=(
        day("first_month", "first month of service that the rate is for"),
        day("last_month", "last month of service that the rate is for"),
        column("sequestration_rate", SCORE, "share of the payment that is withheld; a month without a row has none"),
        text("source", "document it comes from"),
    ),
)
COMPLETION_FACTORS_SUPPLIED = Table(
    name="reference.completion_factors",
    grain="one row per service category and months of run-out",
    key=("service_category", "runout_months"),
    columns=(
        text("service_category", "first-level service category"),
        column("runout_months", T.IntegerType(), "months from the month of service to the newest month of payment"),
        column("completion_factor", FACTOR, "share already paid, above 0 and up to 1; 1 where there is no row"),
        text("source", "document it comes from"),
    ),
)
TRUNCATION_LIMITS_SUPPLIED = Table(
    name="reference.truncation_limits",
    grain="one row per performance year and enrollment type",
    key=("performance_year", "enrollment_type"),
    columns=(
        year("performance_year", "performance year"),
        text("enrollment_type", "enrollment type; one without a row is not truncated"),
        money("truncation_limit", "annualized cost of a member that is counted at most"),
        text("source", "document it comes from"),
    ),
)
RISK_MEANS = Table(
    name="reference.risk_means",
    grain="one row per performance year and enrollment type",
    key=("performance_year", "enrollment_type"),
    columns=(
        year("performance_year", "performance year"),
        text("enrollment_type", "enrollment type; ALL for all members together"),
        column("mean_risk_score", FACTOR, "mean raw score of the reference population"),
        text("source", "document it comes from"),
    ),
)
OUTCOME_CODE_SETS = Table(
    name="reference.outcome_code_sets",
    grain="one row per code set of the outcome measures, code system, code and first year",
    key=("code_set", "code_system", "code", "first_year"),
    columns=(
        text("code_set", "observation, planned_…, acute_diagnosis, excluded_…: docs/outcomes.md lists them"),
        text("code_system", "REVENUE, HCPCS, ICD-10-CM, ICD-9-CM, ICD-10-PCS, ICD-9-PCS, MS-DRG or CCN"),
        text("code", "the code as claims carry it: diagnoses and procedures without a dot"),
        year("first_year", "first calendar year of the claim's last day that it counts for"),
        year("last_year", "last calendar year that it counts for"),
        text("source", "document it comes from"),
    ),
)
MLR_CREDIBILITY = Table(
    name="reference.mlr_credibility",
    grain="one row per line of business and point of size",
    key=("line_of_business", "size"),
    columns=(
        text("line_of_business", "as in contracts"),
        column(
            "size", T.IntegerType(), "in `unit`; smaller than the first point: no credibility; beyond the last: full"
        ),
        text("unit", "life_years (member months / 12) or member_months"),
        column(
            "adjustment",
            SCORE,
            "added to the loss ratio at the point, straight between points; a last point of 0 is itself full",
        ),
        text("source", "document it comes from, and whether it was read there"),
    ),
    rules={
        "adjustment_is_a_share": "adjustment >= 0 AND adjustment <= 1",
        "unit_is_known": "unit IN ('life_years', 'member_months')",
    },
)
REFERENCE_TABLES = (
    NORMALIZATION_FACTORS,
    PRIMARY_CARE_HCPCS,
    SPECIALTIES,
    ETA_HOSPITALS,
    ALIGNMENT_PERIODS,
    SERVICE_CATEGORIES,
    SEQUESTRATION_RATES,
    COMPLETION_FACTORS_SUPPLIED,
    TRUNCATION_LIMITS_SUPPLIED,
    RISK_MEANS,
    OUTCOME_CODE_SETS,
    MLR_CREDIBILITY,
    *HCC_TABLES,
)


def reference_rows(table: Table, folder: str | None = None) -> list[tuple[Any, ...]]:
    """The table's rows: those shipped, with the folder's rows of equal key in their place.

    Raises:
        InputError: a file that cannot be read as the contract says; names file, line and column.
    """
    file_name = f"{table.short_name}.csv"
    rows = dict(_rows(table, _shipped(file_name), file_name))
    own = _own(file_name, folder)
    if own is not None:
        rows.update(_rows(table, own.read_text(encoding="utf-8-sig"), str(own)))
    return [rows[key] for key in sorted(rows, key=str)]


def _shipped(file_name: str) -> str:
    return files("pmpm_spark.reference").joinpath(file_name).read_text(encoding="utf-8")


def _own(file_name: str, folder: str | None) -> Path | None:
    """The folder's file, where there is one."""
    if folder is None:
        return None
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder}: reference.path is no folder")
    own = root / file_name
    return own if own.is_file() else None


def alignment_periods(folder: str | None = None) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows of reference.alignment_periods by program and performance year, each by its columns' names."""
    rows = [
        dict(zip(ALIGNMENT_PERIODS.column_names, row, strict=True)) for row in reference_rows(ALIGNMENT_PERIODS, folder)
    ]
    return {(row["program"], row["performance_year"]): row for row in rows}


def reference_table(spark: SparkSession, table: Table, folder: str | None = None) -> DataFrame:
    return small_frame(spark, reference_rows(table, folder), table.schema)


def reference_fingerprints(folder: str | None) -> dict[str, str]:
    """Hash of each reference table's files, by its short name."""
    found = {}
    for table in REFERENCE_TABLES:
        file_name = f"{table.short_name}.csv"
        own = _own(file_name, folder)
        told = hashlib.sha256(_shipped(file_name).encode())
        told.update(b"" if own is None else own.read_bytes())
        found[table.short_name] = told.hexdigest()[:16]
    return found


def reference_fingerprint(folder: str | None) -> str:
    """Hash of all reference files, for receipts: another table, another hash."""
    told = hashlib.sha256()
    for table in REFERENCE_TABLES:
        file_name = f"{table.short_name}.csv"
        own = _own(file_name, folder)
        told.update(f"{file_name}\n{_shipped(file_name)}\n".encode())
        told.update(b"" if own is None else own.read_bytes())
    return told.hexdigest()[:16]


def _rows(table: Table, content: str, where: str) -> Iterable[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    reader = csv.DictReader(io.StringIO(content))
    missing = [name for name in table.column_names if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{where}: column {missing[0]} is missing")
    for number, row in enumerate(reader, start=2):
        values = {c.name: _typed(row[c.name], c.type, f"{where} line {number}: {c.name}") for c in table.columns}
        yield tuple(values[name] for name in table.key), tuple(values.values())


def _typed(cell: str | None, data_type: T.DataType, where: str) -> Any:
    value = (cell or "").strip()
    if value == "":
        raise InputError(f"{where} is empty")
    try:
        if isinstance(data_type, T.IntegerType):
            return int(value)
        if isinstance(data_type, T.DecimalType):
            number = Decimal(value)
            if not number.is_finite() or abs(number) >= 10 ** (data_type.precision - data_type.scale):
                raise InvalidOperation
            return number
        if isinstance(data_type, T.DateType):
            return date.fromisoformat(value)
    except (ValueError, InvalidOperation):
        what = "date (YYYY-MM-DD)" if isinstance(data_type, T.DateType) else "number"
        raise InputError(f"{where} is no {what}") from None
    return value
