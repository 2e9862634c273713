"""A list is the same table as comma-separated text, as Parquet and as Delta: rows, rejects and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark import intake
from pmpm_spark.config import CSV, DELTA, PARQUET
from pmpm_spark.errors import InputError
from pmpm_spark.model import LOAD_AUDIT, SOURCE_FILES
from pmpm_spark.sources.lists import LISTS, List, accepted_rows, list_files, list_load
from pmpm_spark.table import conform, small_frame

NOW = datetime(2024, 1, 1, tzinfo=UTC)
BY_NAME = {the_list.setting: the_list for the_list in LISTS}
OPEN = date(9999, 12, 31)
JANUARY = date(2023, 1, 1)

DELIVERED: Mapping[str, list[dict[str, Any]]] = {
    "contracts": [
        {"contract_id": "007", "network_id": "N1", "start_date": JANUARY, "end_date": None, "withhold_share": Decimal("0.02"), "retro_limit_months": 3},
        {"contract_id": "C2", "network_id": "N2", "start_date": JANUARY, "end_date": OPEN, "withhold_share": Decimal("1.50"), "retro_limit_months": None},
        {"contract_id": "C3", "network_id": None, "start_date": JANUARY, "end_date": date(2022, 1, 1), "withhold_share": None, "retro_limit_months": -1},
    ],
    "contract_rates": [
        {"contract_id": "007", "effective_from": JANUARY, "sex": "F", "rate": Decimal("780.10"), "risk_adjusted": True},
        {"contract_id": "007", "effective_from": JANUARY, "sex": "M", "rate": Decimal("0.00"), "risk_adjusted": None},
        {"contract_id": "007", "effective_from": JANUARY, "sex": "X", "rate": Decimal("-1.00"), "risk_adjusted": False},
    ],
    "contract_members": [
        {"contract_id": "007", "member_id": "m1", "start_date": JANUARY, "end_date": None, "recorded_on": date(2023, 2, 3)},
        {"contract_id": "007", "member_id": "m1", "start_date": JANUARY, "end_date": None, "recorded_on": date(2023, 2, 3)},
        {"contract_id": "007", "member_id": None, "start_date": JANUARY, "end_date": None, "recorded_on": None},
    ],
    "contract_budget": [
        {"contract_id": "007", "year": 2023, "service_category": "inpatient", "member_months": Decimal("1200.5"), "services_per_1000": 240, "cost_per_service": Decimal("12000.00")},
        {"contract_id": "007", "year": 2023, "service_category": "dme", "member_months": None, "services_per_1000": 1, "cost_per_service": Decimal("1.00")},
    ],
    "contract_finance": [
        {"contract_id": "007", "year": 2023, "withhold_returned": Decimal("600.01"), "delivery_cost": None},
        {"contract_id": "007", "year": 2022, "withhold_returned": None, "delivery_cost": Decimal("-0.01")},
    ],
    "payer_member_months": [
        {"contract_id": "007", "member_id": "m1", "coverage_month": date(2023, 1, 15), "amount": Decimal("780.10")},
        {"contract_id": "007", "member_id": "m2", "coverage_month": JANUARY, "amount": None},
        {"contract_id": "007", "member_id": "m3", "coverage_month": None, "amount": Decimal("1.00")},
    ],
    "survey_responses": [
        {"survey": "CG", "wave": date(2023, 3, 31), "member_id": "m1", "physician_npi": None, "domain": "access", "score": 7, "scale_low": 0, "scale_high": 10, "weight": Decimal("1.5")},
        {"survey": "CG", "wave": date(2023, 3, 31), "member_id": "m1", "physician_npi": None, "domain": "access", "score": 7, "scale_low": 0, "scale_high": 10, "weight": Decimal("1.5")},
        {"survey": "CG", "wave": date(2023, 3, 31), "member_id": None, "physician_npi": "1000000001", "domain": "access", "score": 0, "scale_low": 0, "scale_high": 10, "weight": None},
        {"survey": "CG", "wave": None, "member_id": "m2", "physician_npi": None, "domain": "access", "score": 11, "scale_low": 0, "scale_high": 10, "weight": None},
    ],
}  # fmt: skip
TYPES = {
    "retro_limit_months": pa.int32(), "risk_adjusted": pa.bool_(), "year": pa.int64(), "services_per_1000": pa.int32(),
    **dict.fromkeys(("start_date", "end_date", "effective_from", "recorded_on", "coverage_month", "wave"), pa.date32()),
    **dict.fromkeys(("rate", "cost_per_service", "amount", "withhold_share", "withhold_returned", "delivery_cost"), pa.decimal128(12, 2)),
    "member_months": pa.decimal128(12, 1), "weight": pa.decimal128(12, 2),
    **dict.fromkeys(("score", "scale_low", "scale_high"), pa.int32()),
}  # fmt: skip
FATES = {
    "contracts": {"accepted": 1, "rejected": 2},
    "contract_rates": {"accepted": 1, "rejected": 2},
    "contract_members": {"accepted": 1, "rejected": 1, "duplicate": 1},
    "contract_budget": {"accepted": 1, "rejected": 1},
    "contract_finance": {"accepted": 1, "rejected": 1},
    "payer_member_months": {"accepted": 2, "rejected": 1},
    "survey_responses": {"accepted": 2, "rejected": 1, "duplicate": 1},
}


def delivered(spark: SparkSession, folder: Path, name: str, file_format: str) -> str:
    """The list in one form, typed where the form has types."""
    rows = DELIVERED[name]
    if file_format == CSV:
        lines = [",".join("" if cell is None else _text(cell) for cell in row.values()) for row in rows]
        path = folder / f"{name}.csv"
        path.write_text("\n".join([",".join(rows[0]), *lines]) + "\n")
        return str(path)
    schema = pa.schema([(column, TYPES.get(column, pa.string())) for column in rows[0]])
    file = folder / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema), file)
    if file_format == PARQUET:
        return str(file)
    spark.read.parquet(str(file)).write.format(DELTA).save(str(folder / f"{name}_delta"))
    return f"{folder / name}_delta/"


def _text(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def loaded(spark: SparkSession, path: str, the_list: List, file_format: str) -> tuple[Any, ...]:
    """Silver's rows, rejects, counts of fates and the audit of the one file."""
    files, notices = list_files(spark, the_list, path, None, file_format)
    assert notices == []
    (file,) = files
    load = list_load(spark, the_list, files, "b1", NOW, None, file_format)
    rows = the_list.rows(load.frame)
    silver = conform(accepted_rows((the_list,), load.frame), the_list.silver)
    register = small_frame(
        spark, [(load.table.name, file.name, "b1", file.fingerprint, file.rows, file.text_bytes, NOW)],
        SOURCE_FILES.schema,
    )  # fmt: skip
    (audit,) = conform(intake.load_audit(register, rows), LOAD_AUDIT).collect()
    counts = {name: audit[name] for name in ("accepted", "rejected", "duplicate", "superseded") if audit[name]}
    rejects = intake.rejects(rows).select("reject_reasons", "rejected_row").collect()
    told = sorted((str(row["reject_reasons"]), row["rejected_row"]) for row in rejects)
    assert sum(counts.values()) == file.rows == len(DELIVERED[the_list.setting])
    return _rows(silver), told, counts, Counter(audit["rejected_by_reason"])


def _rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


@pytest.mark.parametrize("name", list(DELIVERED))
def test_a_list_is_the_same_table_in_each_of_its_forms(spark: SparkSession, tmp_path: Path, name: str) -> None:
    the_list = BY_NAME[name]
    found = {
        form: loaded(spark, delivered(spark, tmp_path, name, form), the_list, form) for form in (CSV, PARQUET, DELTA)
    }
    assert found[CSV][2] == FATES[name]
    assert found[PARQUET] == found[DELTA] == found[CSV]


def test_columns_of_other_names_and_one_value_on_every_row_hold_for_a_table_too(
    spark: SparkSession, tmp_path: Path
) -> None:
    the_list = BY_NAME["member_attribution"]
    theirs = {"member_id": "bene", "network_id": "=N1", "performance_year": "py"}
    text = tmp_path / "list.csv"
    text.write_text("bene,py\nm1,2023\n")
    pq.write_table(pa.table({"bene": ["m1"], "py": [2023]}), tmp_path / "list.parquet")
    found = []
    for path, file_format in ((text, CSV), (tmp_path / "list.parquet", PARQUET)):
        files, _ = list_files(spark, the_list, str(path), theirs, file_format)
        bronze = list_load(spark, the_list, files, "b1", NOW, theirs, file_format).frame
        found.append(_rows(bronze.select(*the_list.columns)))
    assert found[0] == found[1] != []


@pytest.mark.parametrize("file_format", [PARQUET, DELTA])
def test_a_path_of_one_part_is_seen_from_the_working_folder(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    the_list = BY_NAME["contract_members"]
    absolute = delivered(spark, tmp_path, "contract_members", file_format).rstrip("/")
    monkeypatch.chdir(tmp_path)
    name = Path(absolute).name
    assert loaded(spark, name, the_list, file_format) == loaded(spark, absolute, the_list, file_format)
    with pytest.raises(InputError, match="gone: there is no such table"):
        list_files(spark, the_list, "gone", None, file_format)


def test_a_blank_risk_adjusted_is_a_fault_and_a_list_without_the_column_is_not_risk_adjusted(
    spark: SparkSession, tmp_path: Path
) -> None:
    the_list = BY_NAME["contract_rates"]

    def judged(path: Path, file_format: str) -> list[tuple[Any, ...]]:
        files, notices = list_files(spark, the_list, str(path), None, file_format)
        assert notices == []
        rows = the_list.rows(list_load(spark, the_list, files, "b1", NOW, None, file_format).frame)
        return _rows(rows.select("contract_id", "outcome", "risk_adjusted", "reject_reasons"))

    text, parquet = tmp_path / "rates.csv", tmp_path / "rates.parquet"
    text.write_text("contract_id,effective_from,rate,risk_adjusted\nC1,2023-01-01,1,\nC2,2023-01-01,1,true\n")
    assert judged(text, CSV) == [
        ("C1", "rejected", None, ["risk_adjusted is missing"]),
        ("C2", "accepted", True, []),
    ]
    text.write_text("contract_id,effective_from,rate\nC1,2023-01-01,1\n")
    rows = {"contract_id": ["C1"], "effective_from": [JANUARY], "rate": [Decimal(1)]}
    pq.write_table(pa.table(rows), parquet)
    assert judged(text, CSV) == judged(parquet, PARQUET) == [("C1", "accepted", False, [])]


def test_a_list_of_another_form_is_told_with_the_setting_that_reads_it(spark: SparkSession, tmp_path: Path) -> None:
    the_list = BY_NAME["contract_members"]
    parquet = delivered(spark, tmp_path, "contract_members", PARQUET)
    delta = delivered(spark, tmp_path, "contract_members", DELTA)
    text = delivered(spark, tmp_path, "contract_members", CSV)
    setting = "source.formats.contract_members"
    for path, file_format, told in (
        (parquet, CSV, f'{setting} = "parquet"'),
        (delta, CSV, f'{setting} = "delta"'),
        (delta, PARQUET, f'is a Delta table: read it with {setting} = "delta"'),
        (text, PARQUET, f'{setting} = "csv"'),
        (parquet, DELTA, f'{setting} = "parquet"'),
        (str(tmp_path / "gone"), PARQUET, "there is no such table for source.contract_members (parquet)"),
        (str(tmp_path / "nowhere" / "gone"), DELTA, "there is no such file or folder"),
    ):
        with pytest.raises(InputError) as caught:
            list_files(spark, the_list, path, None, file_format)
        assert told in str(caught.value), (path, file_format)
        assert "\n" not in str(caught.value)


def test_a_table_without_a_needed_column_names_it(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"contract_id": ["C1"], "start_date": [JANUARY]}), tmp_path / "c.parquet")
    with pytest.raises(InputError, match=r"c\.parquet \(contracts\): column network_id is missing from the heading"):
        list_files(spark, BY_NAME["contracts"], str(tmp_path / "c.parquet"), None, PARQUET)


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("contracts", "contract_id,network_id,start_date\nC1,N1,0000-01-01", "start_date is not a date"),
        ("contract_rates", "contract_id,effective_from,rate\nC1,0000-01-01,1", "effective_from is not a date"),
        ("contract_members", "contract_id,member_id,start_date\nC1,m1,0001-01-01", "start_date is not a date"),
    ],
)
def test_a_day_of_the_year_0_rejects_the_row_of_a_list(
    spark: SparkSession, tmp_path: Path, name: str, row: str, reason: str
) -> None:
    (tmp_path / "list.csv").write_text(row + "\n")
    files, _ = list_files(spark, BY_NAME[name], str(tmp_path / "list.csv"))
    judged = BY_NAME[name].rows(list_load(spark, BY_NAME[name], files, "b1", NOW).frame)
    assert [tuple(one) for one in judged.select("outcome", "reject_reasons").collect()] == [("rejected", [reason])]
