"""The lists beside the claims: network roster, providers, risk scores, member attribution, other initiatives,
contracts, surveys.

Comma-separated with a heading, in one file or a folder of them, or a Parquet or Delta table; columns in any order. A
list is what the configuration names now: each run replaces it, where its content has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import CSV
from pmpm_spark.errors import InputError
from pmpm_spark.frames import union_of
from pmpm_spark.intake import accepted, latest_row_fates, with_current_ids
from pmpm_spark.model import (
    CONTRACT_BUDGET,
    CONTRACT_FINANCE,
    CONTRACT_MEMBERS,
    CONTRACT_RATES,
    CONTRACTS,
    FINANCE_AMOUNTS,
    LIST_ROWS,
    MEMBER_ATTRIBUTION,
    NETWORK_ROSTER,
    OTHER_INITIATIVES,
    PAYER_MEMBER_MONTHS,
    PROVIDERS,
    SUPPLIED_RISK_SCORES,
    SURVEY_RESPONSES,
)
from pmpm_spark.months import month_bits, month_number, month_of
from pmpm_spark.policy import COVERAGE_RULES, NETWORK_TYPES
from pmpm_spark.sources.bronze import BronzeLoad, delivered_table
from pmpm_spark.sources.cells import TypedRow, iso_date
from pmpm_spark.sources.comma import comma_rows
from pmpm_spark.sources.files import SourceFile, files_seen_at, scan
from pmpm_spark.sources.tabular import Batch, InputTable, Part, table_at, table_part
from pmpm_spark.spark_versions import try_cast
from pmpm_spark.stage import Stage
from pmpm_spark.table import MONEY, SCORE, Table, small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ALWAYS = "1900-01-01"
OPEN_ENDED = "9999-12-31"


@dataclass(frozen=True)
class List:
    """One list: the setting that names its file, its columns, and how its rows are typed."""

    setting: str
    silver: Table
    required: tuple[str, ...]
    optional: tuple[str, ...]
    typed: Callable[[TypedRow], dict[str, Column]]
    restates: tuple[str, ...] = ()
    """What a list with a later file_date tells anew, for every month that it tells of."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What stands on every row of a list without the column, where a blank cell of the column is a fault."""

    def without(self, heading: Collection[str]) -> dict[str, str]:
        """What stands on every row of a list with this heading."""
        return {name: value for name, value in self.left_out.items() if name not in heading}

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)

    @property
    def bronze(self) -> Table:
        return delivered_table(self.setting, f"row of the {self.setting} list", self.columns)

    def rows(self, bronze: DataFrame, *member_id_changes: DataFrame) -> DataFrame:
        """One typed row per bronze row, with its fate: the last row of a key counts. A member stands under the
        current id, where the source tells changes of ids."""
        row = TypedRow()
        typed = row.rows(bronze, self.bronze, self.silver, self.typed(row))
        for changes in member_id_changes if "member_id" in self.silver.key else ():
            typed = with_current_ids(typed, changes)
        if self.restates:
            settled = latest_row_fates(typed, (*self.silver.key, "file_date", "start_date"))
            return _newest_for_each_month(settled, self.restates)
        return latest_row_fates(typed, self.silver.key)


def list_stages(lists: Sequence[List], *member_id_changes: Table) -> tuple[Stage, ...]:
    """One stage for each table, of every list that tells of it; and one for the fates of all lists' rows."""
    of_table: dict[str, list[List]] = {}
    for the_list in lists:
        of_table.setdefault(the_list.silver.name, []).append(the_list)
    tables = [
        Stage(
            telling[0].silver,
            (*[the_list.bronze for the_list in telling], *member_id_changes),
            partial(accepted_rows, tuple(telling)),
        )
        for telling in of_table.values()
    ]
    every = (*[the_list.bronze for the_list in lists], *member_id_changes)
    return (*tables, Stage(LIST_ROWS, every, partial(fates, tuple(lists))))


def fates(lists: Sequence[List], *frames: DataFrame) -> DataFrame:
    """What became of every row of the lists: of their bronze rows, and then of the changes of ids."""
    return union_of([rows.select(*LIST_ROWS.column_names) for rows in _typed(lists, frames)])


def accepted_rows(lists: Sequence[List], *frames: DataFrame) -> DataFrame:
    """The silver rows of lists of one table: of their bronze rows, and then of the changes of ids."""
    silver = lists[0].silver
    rows = union_of([accepted(rows).select(*silver.column_names) for rows in _typed(lists, frames)])
    return _one_for_the_year(rows, silver) if lists[0].restates else rows


def _typed(lists: Sequence[List], frames: Sequence[DataFrame]) -> list[DataFrame]:
    bronze, changes = frames[: len(lists)], frames[len(lists) :]
    return [the_list.rows(rows, *changes) for the_list, rows in zip(lists, bronze, strict=True)]


def _newest_for_each_month(rows: DataFrame, restates: tuple[str, ...]) -> DataFrame:
    """Leaves each row the months that no newer list tells of; one that is left none is superseded.

    A list tells of every month from the first of any of its rows to the year's end: who is not on it any more, or whom
    it lets end, is not attributed by a former one. A list without a date is older than any.
    """
    bits = [F.lit(1 << month).cast("bigint") for month in range(12)]
    first = F.min(F.col("months").bitwiseAND(-F.col("months"))).alias("first")
    newest_of = [
        F.max(F.when(F.col("first") <= bit, F.col("file_date"))).alias(f"newest_{month}")
        for month, bit in enumerate(bits)
    ]
    newest = accepted(rows).groupBy(*restates, "file_date").agg(first).groupBy(*restates).agg(*newest_of)
    left = F.lit(0).cast("bigint")
    for month, bit in enumerate(bits):
        is_newest = F.col(f"newest_{month}").eqNullSafe(F.col("file_date"))
        left = left + F.when(is_newest, F.col("months").bitwiseAND(bit)).otherwise(F.lit(0).cast("bigint"))
    is_former = (F.col("outcome") == "accepted") & (left == 0)
    found = rows.join(F.broadcast(newest), list(restates), how="left")
    fate = F.when(is_former, "superseded").otherwise(F.col("outcome"))
    return found.withColumns({"outcome": fate, "months": left}).drop(*[f"newest_{month}" for month in range(12)])


def _one_for_the_year(rows: DataFrame, table: Table) -> DataFrame:
    """The rows of a key as one, with all their months; what else they tell, as the newest list has it. Rows that name
    no network attribute nobody."""
    listed_on = F.coalesce("file_date", F.to_date(F.lit(ALWAYS)))
    newest = F.max(F.struct(listed_on.alias("listed_on"), "practice_tin", "file_date")).alias("newest")
    months = F.bit_or("months").alias("months")
    days = [F.min("start_date").alias("start_date"), F.max("end_date").alias("end_date")]
    of_key = rows.where("network_id <> ''").groupBy(*table.key).agg(newest, *days, months)
    return of_key.select("*", "newest.practice_tin", "newest.file_date").select(*table.column_names)


def _network_roster(row: TypedRow) -> dict[str, Column]:
    ids = {name: F.coalesce(row.told(name), F.lit("")) for name in ("tin", "npi", "ccn")}
    row.must(F.concat(*ids.values()) != "", "no tin, npi or ccn is filled in")
    start_date = F.coalesce(row.iso_day("start_date"), F.to_date(F.lit(ALWAYS)))
    end_date = F.coalesce(row.iso_day("end_date"), F.to_date(F.lit(OPEN_ENDED)))
    row.must(end_date >= start_date, "end_date is before start_date")
    network_type = F.coalesce(F.upper(row.told("network_type")), F.lit("OTHER"))
    return {
        "network_id": row.required("network_id"),
        **ids,
        "start_date": start_date,
        "end_date": end_date,
        "network_name": row.told("network_name"),
        "network_type": F.when(network_type.isin(*NETWORK_TYPES), network_type).otherwise("OTHER"),
    }


def _providers(row: TypedRow) -> dict[str, Column]:
    return {
        "npi": row.required("npi"),
        "name": row.told("name"),
        "specialty": row.told("specialty"),
        "taxonomy": row.told("taxonomy"),
    }


def _risk_scores(row: TypedRow) -> dict[str, Column]:
    row.required("performance_year")
    row.required("risk_score")
    score = row.decimal("risk_score", SCORE)
    row.must(score >= 0, "risk_score is negative")
    return {
        "member_id": row.required("member_id"),
        "performance_year": row.whole("performance_year"),
        "risk_score": score,
        "model": row.told("model"),
        "source": row.told("source"),
    }


def _member_attribution(row: TypedRow) -> dict[str, Column]:
    row.required("performance_year")
    start_date, end_date = row.iso_day("start_date"), row.iso_day("end_date")
    runs_backward = F.coalesce(end_date < start_date, F.lit(False))
    row.must(~runs_backward, "end_date is before start_date")
    year = row.whole("performance_year")
    months = months_of_year(year, start_date, end_date)
    row.must((months != 0) | runs_backward, "no month from start_date to end_date is in performance_year")
    return {
        "performance_year": year,
        "months": months,
        "member_id": row.required("member_id"),
        "network_id": row.required("network_id"),
        "file_date": row.iso_day("file_date"),
        "start_date": start_date,
        "end_date": end_date,
        "physician_npi": F.coalesce(row.told("physician_npi"), F.lit("")),
        "practice_tin": F.coalesce(row.told("practice_tin"), F.lit("")),
    }


def _other_initiatives(row: TypedRow) -> dict[str, Column]:
    row.required("performance_year")
    return {
        "performance_year": row.whole("performance_year"),
        "member_id": row.required("member_id"),
        "initiative": row.told("initiative"),
    }


LINES_OF_BUSINESS = ("commercial", "medicare_advantage", "part_d", "medicaid", "aco")
_TYPES = "^([*]|ESRD|DISABLED|AGED_DUAL|AGED_NON_DUAL|OTHER)$"
_AGE_BAND = "^([*]|[0-9]{1,3}[+]|[0-9]{1,3}-[0-9]{1,3})$"
_REASON = "(NOT_IN_PART_A_AND_B|MEDICARE_ADVANTAGE|MEDICARE_SECONDARY|NON_US_RESIDENT)"
SHARES = (
    "minimum_savings_rate", "savings_share", "savings_cap", "minimum_loss_rate", "loss_share", "loss_cap",
)  # fmt: skip


def _from_to(row: TypedRow, first: str, last: str) -> tuple[Column, Column]:
    """The days of a row, open where no last one is told."""
    row.required(first)
    start, end = row.iso_day(first), F.coalesce(row.iso_day(last), F.to_date(F.lit(OPEN_ENDED)))
    row.must(end >= start, f"{last} is before {first}")
    return start, end


def _share(row: TypedRow, name: str) -> Column:
    share = row.decimal(name, SCORE)
    row.must((share >= 0) & (share <= 1), f"{name} is no share from 0 to 1")
    return share


def _contracts(row: TypedRow) -> dict[str, Column]:
    start_date, end_date = _from_to(row, "start_date", "end_date")
    rule = F.coalesce(row.told("coverage_rule"), F.lit("first_of_month"))
    row.must(rule.isin(*COVERAGE_RULES), "coverage_rule is not one of its words")
    line = F.lower(row.told("line_of_business"))
    row.must(line.isin(*LINES_OF_BUSINESS), "line_of_business is not one of its words")
    reasons = row.told("month_reasons")
    row.must(reasons.rlike(f"^{_REASON}( *; *{_REASON})*$"), "month_reasons are not reasons of a month with ; between")
    limit = row.whole("retro_limit_months")
    row.must(limit >= 0, "retro_limit_months is negative")
    benchmark = row.amount_told("benchmark_pmpm")
    row.must(benchmark >= 0, "benchmark_pmpm is negative")
    contract_id = row.required("contract_id")
    previous = row.told("previous_contract_id")
    row.must(previous != contract_id, "previous_contract_id is the contract's own")
    return {
        "contract_id": contract_id,
        "contract_name": row.told("contract_name"),
        "network_id": row.required("network_id"),
        "line_of_business": line,
        "start_date": start_date,
        "end_date": end_date,
        "coverage_rule": rule,
        "month_reasons": F.regexp_replace(reasons, " ", ""),
        "retro_limit_months": limit,
        "withhold_share": F.coalesce(_share(row, "withhold_share"), F.lit(0).cast(SCORE)),
        "benchmark_pmpm": benchmark,
        **{name: _share(row, name) for name in SHARES},
        "previous_contract_id": previous,
    }


def _cell(row: TypedRow) -> dict[str, Column]:
    """A rate cell; a part that is not told is any."""
    any_of_it = F.lit("*")
    kind = F.coalesce(F.upper(row.told("enrollment_type")), any_of_it)
    band = F.coalesce(F.regexp_replace(row.told("age_band"), " ", ""), any_of_it)
    sex = F.coalesce(F.upper(row.told("sex")), any_of_it)
    row.must(kind.rlike(_TYPES), "enrollment_type is not one of its words")
    row.must(band.rlike(_AGE_BAND), "age_band is not written as 65-74, 85+ or *")
    ends = [try_cast(F.regexp_extract(band, "^([0-9]+)-([0-9]+)$", place), "int") for place in (1, 2)]
    row.must(ends[0] <= ends[1], "age_band ends before it begins")
    row.must(sex.isin("F", "M", "U", "*"), "sex is not F, M, U or *")
    return {"enrollment_type": kind, "age_band": band, "sex": sex}


def _contract_rates(row: TypedRow) -> dict[str, Column]:
    effective_from, effective_to = _from_to(row, "effective_from", "effective_to")
    row.required("rate")
    row.required("risk_adjusted")
    rate = row.decimal("rate", MONEY)
    row.must(rate >= 0, "rate is negative")
    return {
        "contract_id": row.required("contract_id"),
        "effective_from": effective_from,
        "effective_to": effective_to,
        **_cell(row),
        "rate": rate,
        "risk_adjusted": row.flag("risk_adjusted"),
    }


def _contract_members(row: TypedRow) -> dict[str, Column]:
    start_date, end_date = _from_to(row, "start_date", "end_date")
    return {
        "contract_id": row.required("contract_id"),
        "member_id": row.required("member_id"),
        "start_date": start_date,
        "end_date": end_date,
        "recorded_on": row.iso_day("recorded_on"),
    }


def _payer_member_months(row: TypedRow) -> dict[str, Column]:
    row.required("coverage_month")
    return {
        "contract_id": row.required("contract_id"),
        "member_id": row.required("member_id"),
        "coverage_month": month_of(row.iso_day("coverage_month")),
        "amount": row.amount_told("amount"),
    }


def _contract_budget(row: TypedRow) -> dict[str, Column]:
    numbers = {
        "member_months": row.decimal("member_months", T.DecimalType(18, 6)),
        "services_per_1000": row.decimal("services_per_1000", SCORE),
        "cost_per_service": row.decimal("cost_per_service", MONEY),
    }
    for name, number in numbers.items():
        row.required(name)
        row.must(number >= 0, f"{name} is negative")
    row.required("year")
    return {
        "contract_id": row.required("contract_id"),
        "year": row.whole("year"),
        **_cell(row),
        "service_category": row.required("service_category"),
        **numbers,
    }


_YEAR = "^(19|20|21)[0-9][0-9]([^0-9].*)?$"


def _survey_responses(row: TypedRow) -> dict[str, Column]:
    """Of one respondent, a member or a physician, on a scale that runs upward; of a year, which the wave begins with or
    `surveyed_on` tells."""
    wave, told_on = row.required("wave"), row.iso_day("surveyed_on")
    for name in ("survey", "domain", "score", "scale_low", "scale_high"):
        row.required(name)
    member_id, physician_npi = (F.coalesce(row.told(name), F.lit("")) for name in ("member_id", "physician_npi"))
    row.must((member_id != "") | (physician_npi != ""), "neither member_id nor physician_npi is filled in")
    row.must((member_id == "") | (physician_npi == ""), "member_id and physician_npi are both filled in")
    score, low, high = (row.decimal(name, SCORE) for name in ("score", "scale_low", "scale_high"))
    row.must(high > low, "scale_high is not above scale_low")
    row.must((score >= low) & (score <= high), "score is off the scale")
    weight = F.coalesce(row.decimal("weight", SCORE), F.lit(1).cast(SCORE))
    row.must(weight > 0, "weight is not above 0")
    of_wave = F.when(wave.rlike(_YEAR), try_cast(F.substring(wave, 1, 4), "int"))
    performance_year = F.coalesce(of_wave, F.year(told_on))
    row.must(wave.isNull() | performance_year.isNotNull(), "wave does not begin with a year and surveyed_on tells none")
    last_day = F.make_date(performance_year, F.lit(12), F.lit(31))
    return {
        "survey": row.told("survey"),
        "wave": wave,
        "member_id": member_id,
        "physician_npi": physician_npi,
        "domain": row.told("domain"),
        "question": F.coalesce(row.told("question"), F.lit("")),
        "performance_year": performance_year,
        "surveyed_on": F.coalesce(told_on, iso_date(wave), last_day),
        "practice_tin": F.coalesce(row.told("practice_tin"), F.lit("")),
        "score": score,
        "scale_low": low,
        "scale_high": high,
        "weight": weight,
    }


def _contract_finance(row: TypedRow) -> dict[str, Column]:
    row.required("year")
    amounts = {name: row.amount_told(name) for name in FINANCE_AMOUNTS}
    for name, amount in amounts.items():
        row.must(amount >= 0, f"{name} is negative")
    return {"contract_id": row.required("contract_id"), "year": row.whole("year"), **amounts}


def months_of_year(year: Column, start_date: Column, end_date: Column) -> Column:
    """The year's months from one day to the other as bits, January the lowest; open where a day is not told."""
    first, last = (F.coalesce(month_number(day) - year * 12, F.lit(n)) for day, n in ((start_date, 0), (end_date, 11)))
    return month_bits(first, F.least(last, F.lit(11)))


OTHER_INITIATIVES_LIST = List(
    "other_initiatives",
    OTHER_INITIATIVES,
    ("performance_year", "member_id"),
    ("initiative",),
    _other_initiatives,
)

LISTS = (
    List(
        "network_roster",
        NETWORK_ROSTER,
        ("network_id",),
        ("network_name", "network_type", "tin", "npi", "ccn", "start_date", "end_date"),
        _network_roster,
    ),
    List("providers", PROVIDERS, ("npi",), ("name", "specialty", "taxonomy"), _providers),
    List(
        "risk_scores",
        SUPPLIED_RISK_SCORES,
        ("member_id", "performance_year", "risk_score"),
        ("model", "source"),
        _risk_scores,
    ),
    List(
        "member_attribution",
        MEMBER_ATTRIBUTION,
        ("performance_year", "member_id", "network_id"),
        ("physician_npi", "practice_tin", "file_date", "start_date", "end_date"),
        _member_attribution,
        restates=("performance_year", "network_id"),
    ),
    OTHER_INITIATIVES_LIST,
    List(
        "contracts",
        CONTRACTS,
        ("contract_id", "network_id", "start_date"),
        (
            "contract_name", "line_of_business", "end_date", "coverage_rule", "month_reasons", "retro_limit_months",
            "withhold_share", "benchmark_pmpm", *SHARES, "previous_contract_id",
        ),
        _contracts,
    ),
    List(
        "contract_rates",
        CONTRACT_RATES,
        ("contract_id", "effective_from", "rate"),
        ("effective_to", "enrollment_type", "age_band", "sex", "risk_adjusted"),
        _contract_rates,
        left_out={"risk_adjusted": "false"},
    ),
    List(
        "contract_members",
        CONTRACT_MEMBERS,
        ("contract_id", "member_id", "start_date"),
        ("end_date", "recorded_on"),
        _contract_members,
    ),
    List(
        "contract_budget",
        CONTRACT_BUDGET,
        ("contract_id", "year", "service_category", "member_months", "services_per_1000", "cost_per_service"),
        ("enrollment_type", "age_band", "sex"),
        _contract_budget,
    ),
    List("contract_finance", CONTRACT_FINANCE, ("contract_id", "year"), FINANCE_AMOUNTS, _contract_finance),
    List(
        "payer_member_months",
        PAYER_MEMBER_MONTHS,
        ("contract_id", "member_id", "coverage_month"),
        ("amount",),
        _payer_member_months,
    ),
    List(
        "survey_responses",
        SURVEY_RESPONSES,
        ("survey", "wave", "domain", "score", "scale_low", "scale_high"),
        ("member_id", "physician_npi", "question", "surveyed_on", "practice_tin", "weight"),
        _survey_responses,
    ),
)  # fmt: skip


CONSTANT = "="
"""Before what is said of every row of a list, where a column's name would stand."""


def list_files(
    spark: SparkSession,
    the_list: List,
    path: str,
    theirs: Mapping[str, str] | None = None,
    file_format: str = CSV,
) -> tuple[tuple[SourceFile, ...], list[str]]:
    """The files of one list, headed by our names, and notices on columns that it does not use. A table is one file.

    `theirs` has the list's own name of a column by ours, or `=` and what stands in it on every row.

    Raises:
        InputError: nothing there, or a required column is missing.
    """
    told = theirs or {}
    ours = {name: our for our, name in told.items()}
    mark = _mark_of(told)
    if file_format == CSV:
        found = scan(spark, path, _format_setting(the_list))
    else:
        found = _stored_part(spark, the_list, path, told, file_format, Batch("", datetime.min)).files
    files = tuple(
        replace(file, heading=heading, fingerprint=f"{file.fingerprint}{mark}{_mark_of(the_list.without(heading))}")
        for file, heading in ((file, tuple(ours.get(name, name) for name in file.heading)) for file in found)
    )
    said = {our for our, name in told.items() if name.startswith(CONSTANT)}
    notices = []
    for file in files:
        missing = [name for name in the_list.required if name not in file.heading and name not in said]
        if missing:
            name = told.get(missing[0], missing[0])
            raise InputError(f"{file.name} ({the_list.setting}): column {name} is missing from the heading")
        unknown = [name for name in file.heading if name not in the_list.columns]
        if unknown:
            notices.append(f"{file.name} ({the_list.setting}): columns passed over: {', '.join(unknown[:5])}")
    if not files and files_seen_at(path):
        raise InputError(f"{path} (source.{the_list.setting}): is empty; the heading must stand in its first line")
    if not files:
        raise InputError(f"{path}: there is no file for source.{the_list.setting}")
    return files, notices


def _mark_of(told: Mapping[str, str]) -> str:
    """What a file's fingerprint ends in: other names, or values that it does not have itself, are another reading."""
    return f"-{crc32(repr(sorted(told.items())).encode()):08x}" if told else ""


def list_load(
    spark: SparkSession,
    the_list: List,
    files: tuple[SourceFile, ...],
    batch_id: str,
    ingested_at: datetime,
    theirs: Mapping[str, str] | None = None,
    file_format: str = CSV,
) -> BronzeLoad:
    """The bronze rows of one list; no row where the configuration names no file."""
    table = the_list.bronze
    told = {our: name[1:] for our, name in (theirs or {}).items() if name.startswith(CONSTANT)}
    batch = Batch(batch_id, ingested_at)
    if file_format == CSV:
        frames = [
            comma_rows(
                spark, (file,), the_list.columns, batch_id, ingested_at, {**the_list.without(file.heading), **told}
            )
            for file in files
        ]
    else:
        frames = [_stored_part(spark, the_list, file.path, theirs or {}, file_format, batch).rows() for file in files]
    frame = small_frame(spark, [], table.schema)
    for part in frames:
        frame = frame.unionByName(part)
    return BronzeLoad(table, frame, files, replaces=True)


def _format_setting(the_list: List) -> str:
    return f"source.formats.{the_list.setting}"


def _stored_part(
    spark: SparkSession, the_list: List, path: str, theirs: Mapping[str, str], file_format: str, batch: Batch
) -> Part:
    """A list that stands as a table: the columns under our names, and those that are one value on every row.

    Raises:
        InputError: it is not there, or cannot be read.
    """
    folder, _, name = path.rstrip("/").rpartition("/")
    folder = folder or ("/" if path.startswith("/") else ".")
    frame = table_at(spark, folder, name, file_format, _format_setting(the_list))
    if frame is None:
        raise InputError(f"{path}: there is no such table for source.{the_list.setting} ({file_format})")
    ours = {theirs_name: our for our, theirs_name in theirs.items()}
    named = frame.select(*[F.col(f"`{column}`").alias(ours.get(column, column)) for column in frame.columns])
    said = {our: value[1:] for our, value in theirs.items() if value.startswith(CONSTANT)}
    on_every_row = {**the_list.without(named.columns), **said}
    constant = {our: F.lit(value) for our, value in on_every_row.items() if our not in named.columns}
    table = InputTable("list", name, the_list.columns, the_list.required)
    return table_part(named.withColumns(constant) if constant else named, table, folder, batch)
