"""The common model as input: written as text, Parquet, Delta or a catalog's tables, it gives the same figures."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark.cli.explain import explained
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.errors import ConfigError, InputError, StageError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.model import (
    CLAIM_DIAGNOSES,
    CLAIM_LINES,
    CLAIM_PROCEDURES,
    COVERAGE_RECORDS,
    FINAL_CLAIM_LINES,
    LOAD_AUDIT,
    MEMBERS,
    REJECTS,
)
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.sources.births import BEFORE_BIRTH
from pmpm_spark.store import Store
from pmpm_spark.warehouse import Published, published

pytestmark = pytest.mark.delta

COMMERCIAL = Policy(
    "commercial", Eligibility(coverage_rule="prorated", part_a_b="none", exclude_medicare_secondary=False)
)
FILES = {
    "members": """
        member_id,birth_date,sex,death_date
        007,1980-05-01,f,
        8,1990-01-01,M,2021-06-30
        """,
    "coverage_records": """
        payer,member_id,coverage_start,coverage_end,plan_id,shoe_size
        ACME,007,2021-01-15,,"GOLD ""plus"", family",9
        ACME,8,2021-01-01,2021-06-15,SILVER,9
        ACME,nobody,2021-03-01,2021-03-31,,9
        """,
    "claim_lines": """
        claim_id,line_number,claim_version,member_id,claim_type,service_from,service_thru,paid_amount,allowed_amount,hcpcs,modifiers,adjustment,claim_group,effective_on,cancels_claim_id,is_denied
        C1,1,1,007,professional,,2021-02-03,100.10,120,99213,25;59,,,,,
        C2,1,1,007,inpatient,2021-03-01,2021-03-05,5000,,,,original,G2,2021-04-01,,no
        C3,1,1,007,inpatient,2021-03-01,2021-03-05,5000,,,,cancel,G2,2021-05-01,C2,no
        C4,1,1,007,inpatient,2021-03-01,2021-03-05,4000,,,,replacement,G2,2021-05-01,,no
        C5,1,1,8,pharmacy,,2021-04-01,,30,,,,,,,
        C6,1,1,8,professional,,2021-05-01,70.00,,,,,,,,TRUE
        C7,1,1,elsewhere,professional,,2021-05-01,9.00,,,,,,,,
        """,
    "claim_diagnoses": """
        claim_id,position,code
        C1,1,E11.9
        C1,2,I10
        """,
    "claim_procedures": """
        claim_id,position,code,procedure_date
        C4,1,0DTJ4ZZ,2021-03-02
        """,
}  # fmt: skip


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        lines = [line.strip() for line in text.strip().splitlines()]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def ran(
    spark: SparkSession, path: str, warehouse: Path, group: str | None = None, **source: Any
) -> tuple[Published, tuple[str, ...]]:
    told = Source("common", path, **{"max_reject_share": 1.0, "data_through": "2021-12-31", **source})
    config = RunConfig(told, Warehouse(str(warehouse)), (2021,), (COMMERCIAL,))
    notices = run(spark, config, group=group).notices
    return published(spark, config), notices


def loaded_amount(warehouse: Published) -> str:
    return str(warehouse.read(CLAIM_LINES).agg(F.sum("paid_amount")).collect()[0][0])


@pytest.fixture(scope="module")
def by_hand(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Published, tuple[str, ...]]:
    root = tmp_path_factory.mktemp("common")
    write(root / "in", FILES)
    return ran(spark, str(root / "in"), root / "warehouse")


def test_members_and_their_coverage_are_taken_with_defaults_for_what_is_not_told(
    by_hand: tuple[Published, Any],
) -> None:
    told = ("member_id", "birth_date", "sex", "death_date")
    assert sorted(map(tuple, by_hand[0].read(MEMBERS).select(*told).collect())) == [
        ("007", date(1980, 5, 1), "F", None),
        ("8", date(1990, 1, 1), "M", date(2021, 6, 30)),
        ("nobody", None, "U", None),
    ]
    names = ("member_id", "coverage_start", "coverage_end", "plan_id", "payer", "has_part_a")
    assert sorted(map(tuple, by_hand[0].read(COVERAGE_RECORDS).select(*names).collect())) == [
        ("007", date(2021, 1, 15), date(9999, 12, 31), 'GOLD "plus", family', "ACME", None),
        ("8", date(2021, 1, 1), date(2021, 6, 15), "SILVER", "ACME", None),
        ("nobody", date(2021, 3, 1), date(2021, 3, 31), "ACME", "ACME", None),
    ]


def test_claims_are_netted_by_their_groups_and_carry_their_codes(by_hand: tuple[Published, Any]) -> None:
    lines = by_hand[0].read(FINAL_CLAIM_LINES)
    names = ("claim_id", "service_from", "modifiers", "is_denied", "adjustment")
    rows = lines.select(*names, F.col("paid_amount").cast("string")).collect()
    assert sorted(map(tuple, rows)) == [
        ("C1", date(2021, 2, 3), ["25", "59"], False, "original", "100.10"),
        ("C4", date(2021, 3, 1), [], False, "replacement", "4000.00"),
        ("C5", date(2021, 4, 1), [], False, "original", None),
        ("C6", date(2021, 5, 1), [], True, "original", "70.00"),
        ("C7", date(2021, 5, 1), [], False, "original", "9.00"),
    ]
    diagnoses = by_hand[0].read(CLAIM_DIAGNOSES).select("claim_id", "position", "code", "code_system").collect()
    assert sorted(map(tuple, diagnoses)) == [("C1", 1, "E119", "ICD-10-CM"), ("C1", 2, "I10", "ICD-10-CM")]
    procedures = by_hand[0].read(CLAIM_PROCEDURES).select("claim_id", "code", "procedure_date").collect()
    assert list(map(tuple, procedures)) == [("C4", "0DTJ4ZZ", date(2021, 3, 2))]


def test_a_payer_without_parts_has_its_pmpm_over_prorated_months(by_hand: tuple[Published, Any]) -> None:
    """007: 17 of 31 days of January and eleven months; 8: five months and 15 of 30 days; nobody: March."""
    row = by_hand[0].read(NETWORK_PMPM).collect()[0]
    assert (row["network_id"], row["members"]) == ("UNATTRIBUTED", 3)
    assert row["member_months"] == Decimal("11.548387") + Decimal("5.5") + 1
    assert row["paid_amount"] == Decimal("4100.10")


def test_a_members_months_are_explained_with_what_each_weighs(by_hand: tuple[Published, Any]) -> None:
    """007 joins on 15 January: 17 of 31 days."""
    lines = explained(by_hand[0], "007").splitlines()
    months = [" ".join(line.split()) for line in lines if line.startswith("commercial  2021-") and " yes " in line]
    assert [month.split(" OTHER ")[0] for month in months if " OTHER " in month] == [
        "commercial 2021-01 yes",
        "commercial 2021-02 to 2021-12 yes",
    ]
    assert [month.split()[-4] for month in months if " OTHER " in month] == ["0.548387", "1.000000"]
    half = json.loads(explained(by_hand[0], "8", "2021-06", form="json"))["months"]
    assert [(row["member_month"], row["exposure"]) for row in half] == [("2021-06-01", "0.500000")]


def test_every_month_and_dollar_is_explained_with_the_file_and_line_of_its_record(
    by_hand: tuple[Published, Any],
) -> None:
    """The cancelled C2 is no dollar; what nobody has is NOT_ENROLLED; 8 dies in June, in which its cover ends."""
    found = {who: json.loads(explained(by_hand[0], who, form="json")) for who in ("007", "8", "elsewhere")}
    dollars = [
        (row["claim_id"], row["paid_amount"], row["counts"], row["reason"], row["file"], row["row"])
        for of in found.values()
        for row in of["dollars"]
    ]
    assert dollars == [
        ("C1", "100.10", True, None, "claim_lines.csv", 2),
        ("C4", "4000.00", True, None, "claim_lines.csv", 5),
        ("C5", "0", False, "PHARMACY", "claim_lines.csv", 6),
        ("C6", "70.00", False, "DENIED", "claim_lines.csv", 7),
        ("C7", "9.00", False, "NOT_ENROLLED", "claim_lines.csv", 8),
    ]
    reasons = {(row["reason"], row["because"], row["file"], row["row"]) for row in found["8"]["reasons"]}
    assert reasons == {("DECEASED", "died 2021-06-30", "members.csv", 3)}
    assert {(row["file"], row["row"]) for row in found["8"]["months"] if row["counts"]} == {("coverage_records.csv", 3)}
    assert found["elsewhere"]["months"] == []
    gave_way = [tuple(row.values())[-5:] for row in found["007"]["given_way"]]
    assert gave_way == [
        ("5000.00", "CANCELLED", "by claim C3", "claim_lines.csv", 3),
        ("5000.00", "CANCEL", "removes claim C2", "claim_lines.csv", 4),
    ]


def test_reference_tables_that_are_not_those_of_the_run_are_told_in_one_line(
    by_hand: tuple[Published, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explained(by_hand[0], "007")
    assert capsys.readouterr().err == ""
    rows = "first_month,last_month,sequestration_rate,source\n2021-01-01,2021-12-01,0.07,house\n"
    (tmp_path / "sequestration_rates.csv").write_text(rows)
    store = by_hand[0].store
    other = Store(store.spark, store.warehouse, str(tmp_path), store.versions)
    explained(Published(other, by_hand[0].run), "007")
    told = capsys.readouterr().err
    assert told.startswith("pmpm: the reference tables are other than those of the run that made commercial: ")
    assert told.count("\n") == 1


def test_a_table_of_a_former_layout_is_named_with_what_makes_it_anew(by_hand: tuple[Published, Any]) -> None:
    of = by_hand[0]
    former = replace(of.run, contracts={**of.run.contracts, "intake.claim_rows": "another"})
    with pytest.raises(
        StageError, match=r"^intake\.claim_rows: another version of pmpm made it; run `pmpm run` first$"
    ):
        explained(Published(of.store, former), "007")


def test_columns_that_nobody_knows_are_told_and_passed_over(by_hand: tuple[Published, tuple[str, ...]]) -> None:
    assert "coverage_records.csv: 1 unknown columns passed over: shoe_size" in by_hand[1]


@pytest.mark.parametrize("file_format", ["parquet", "delta"])
def test_tables_of_another_form_give_the_same_and_are_what_they_are_now(
    spark: SparkSession, tmp_path: Path, by_hand: tuple[Published, Any], file_format: str
) -> None:
    """Ids as numbers, amounts as doubles and modifiers as a list, as a table may have them."""
    write(tmp_path / "csv", FILES)
    for name in FILES:
        frame = spark.read.option("header", "true").option("escape", '"').csv(str(tmp_path / "csv" / f"{name}.csv"))
        typed = as_typed(frame)
        typed.write.format(file_format).save(str(tmp_path / "in" / name))
    only = None if file_format == "delta" else "load"
    warehouse, _ = ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", group=only, format=file_format)
    for table in (CLAIM_LINES, COVERAGE_RECORDS, CLAIM_DIAGNOSES, CLAIM_PROCEDURES, MEMBERS):
        assert held(warehouse, table) == held(by_hand[0], table), table.name
    if only is None:
        found = json.loads(explained(warehouse, "007", form="json"))
        records = [row for name in ("months", "dollars", "given_way") for row in found[name] if row["file"] is not None]
        assert {row["row"] for row in records} == {None}, "a table has no lines"
        assert {Path(row["file"]).name for row in records} == {"coverage_records", "claim_lines"}
        assert "a table has no lines" in explained(warehouse, "007")
        assert "a table has no lines" not in explained(by_hand[0], "007")

    again, notices = ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", group="load", format=file_format)
    assert any(notice.startswith("loaded before, nothing new: ") for notice in notices)
    assert held(again, CLAIM_LINES) == held(by_hand[0], CLAIM_LINES)

    lines = spark.read.format(file_format).load(str(tmp_path / "in" / "claim_lines")).where("claim_id <> 'C1'")
    lines.write.format(file_format).save(str(tmp_path / "kept"))
    remaining = spark.read.format(file_format).load(str(tmp_path / "kept"))
    (tmp_path / "in" / "claim_lines").rename(tmp_path / "former")
    remaining.write.format(file_format).save(str(tmp_path / "in" / "claim_lines"))
    less, _ = ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", group="load", format=file_format)
    assert loaded_amount(less) == str(Decimal(loaded_amount(warehouse)) - Decimal("100.10")), "without C1"
    assert sum(row["rows_read"] for row in less.read(LOAD_AUDIT).collect()) == 2 + 3 + 6 + 2 + 1


def test_files_are_what_they_are_now_and_none_may_vanish(spark: SparkSession, tmp_path: Path) -> None:
    """A corrected file, the former one again, one beside it and gone again, another format, and a table that is gone."""

    def paid(text: str = "", group: str | None = "load", **source: Any) -> tuple[str, tuple[str, ...]]:
        if text:
            write(tmp_path / "in", {"coverage_records": FILES["coverage_records"], "claim_lines": text})
        found, notices = ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", group=group, **source)
        return loaded_amount(found), notices

    heading = "claim_id,line_number,member_id,claim_type,service_thru,paid_amount\n"
    claim, corrected = "C1,1,007,professional,2021-02-03,100.00\n", "C1,1,007,professional,2021-02-03,200.00\n"
    second = "C2,1,007,professional,2021-02-04,9.00\n"
    assert paid(heading + claim + second)[0] == "109.00"
    assert paid(heading + corrected)[0] == "200.00"
    assert paid(heading + claim)[0] == "100.00"
    write(tmp_path / "in", {"claim_lines_2": heading + corrected + second})
    total, notices = paid(group=None)
    assert total == "209.00"
    assert any(notice.startswith("claim_lines.csv: 1 rows give way to others of the same key") for notice in notices)
    (tmp_path / "in" / "claim_lines_2.csv").unlink()
    total, notices = paid()
    assert total == "100.00"
    assert "gone since the last run, and their rows with them: claim_lines_2.csv" in notices
    for name in ("coverage_records", "claim_lines"):
        frame = spark.read.option("header", "true").csv(str(tmp_path / "in" / f"{name}.csv"))
        frame.write.parquet(str(tmp_path / "as_parquet" / name))
    (tmp_path / "in").rename(tmp_path / "text")
    (tmp_path / "as_parquet").rename(tmp_path / "in")
    assert paid(format="parquet")[0] == "100.00"
    (tmp_path / "in" / "claim_lines").rename(tmp_path / "unmounted")
    with pytest.raises(
        InputError, match=r"there is no claim_lines among the tables \(parquet\), and it was read before"
    ):
        paid(format="parquet")
    held_before = published(
        spark, RunConfig(Source("common", "in"), Warehouse(str(tmp_path / "warehouse")), (2021,), (COMMERCIAL,))
    )
    assert loaded_amount(held_before) == "100.00"


def test_tables_of_a_catalog_are_read_by_their_schema(
    spark: SparkSession, tmp_path: Path, by_hand: tuple[Published, Any]
) -> None:
    write(tmp_path / "csv", FILES)
    spark.sql("CREATE DATABASE IF NOT EXISTS common_in")
    for name in FILES:
        frame = spark.read.option("header", "true").option("escape", '"').csv(str(tmp_path / "csv" / f"{name}.csv"))
        folder = str(tmp_path / "in" / name)
        as_typed(frame).write.format("parquet").option("path", folder).saveAsTable(f"common_in.{name}")
    try:
        warehouse, _ = ran(spark, "common_in", tmp_path / "warehouse", group="load", format="catalog")
    finally:
        for name in FILES:
            spark.sql(f"DROP TABLE common_in.{name}")
    for table in (CLAIM_LINES, COVERAGE_RECORDS):
        assert held(warehouse, table) == held(by_hand[0], table), table.name


def as_typed(frame: DataFrame) -> DataFrame:
    kinds = {"paid_amount": "double", "allowed_amount": "double", "line_number": "bigint", "position": "int"}
    kinds |= dict.fromkeys(("service_thru", "coverage_start", "birth_date"), "date")
    typed = frame.withColumns({n: F.col(n).cast(kinds[n]) for n in frame.columns if n in kinds})
    if "modifiers" in frame.columns:
        typed = typed.withColumn("modifiers", F.split("modifiers", ";"))
    return typed


def held(warehouse: Published, table: Any) -> Counter[str]:
    return Counter(repr(tuple(row)) for row in warehouse.read(table).collect())


# --- what cannot be taken ---

FAULTS = {
    "a quote inside a quote": ("coverage_records", 'ACME,9,2021-01-01,,"GOLD "plus" x",1', "the number of fields is not"),
    "a span that ends before it starts": (
        "coverage_records", "ACME,9,2021-05-01,2021-04-30,G,1", "coverage_end is before coverage_start",
    ),
    "a date in another form": ("coverage_records", "ACME,9,05/01/2021,,G,1", "coverage_start is not a date"),
    "a date in a third form": ("coverage_records", "ACME,9,20210501,,G,1", "coverage_start is not a date"),
    "claims before birth": ("claim_lines", f"X,1,1,007,professional,,1979-12-31,1.00{',' * 8}", BEFORE_BIRTH),
    "an amount with a currency sign": (
        "claim_lines", f"X,1,1,007,professional,,2021-02-03,$5.00{',' * 8}", "paid_amount is not an amount",
    ),
    "no amount": ("claim_lines", f"X,1,1,007,professional,,2021-02-03,{',' * 8}", "paid_amount is missing"),
    "a day in another form": (
        "claim_lines", f"X,1,1,007,professional,,03.02.2021,1.00{',' * 8}", "service_thru is not a date",
    ),
    "a claim type of nobody": (
        "claim_lines", f"X,1,1,007,vision,,2021-02-03,1.00{',' * 8}", "claim_type is not one of its codes",
    ),
    "neither true nor false": (
        "claim_lines", f"X,1,1,007,professional,,2021-02-03,1.00{',' * 8}maybe", "is_denied is neither true nor false",
    ),
    "an id that nobody has": ("claim_diagnoses", ",1,I10", "claim_id is missing"),
}  # fmt: skip


@pytest.fixture(scope="module")
def faulty(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    root = tmp_path_factory.mktemp("faulty")
    files = {name: text.rstrip() + "\n" for name, text in FILES.items()}
    for name, line, _ in FAULTS.values():
        files[name] += f"{line}\n"
    write(root / "in", files)
    return ran(spark, str(root / "in"), root / "warehouse", group="load")[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_rejected_with_its_reason(fault: str, faulty: Published) -> None:
    name, _, reason = FAULTS[fault]
    rows = faulty.read(REJECTS).where(f"_source_file = '{name}.csv'").collect()
    of_line = {row["_source_row"]: row["reject_reasons"] for row in rows}
    place = len(FILES[name].strip().splitlines()) + [f for f in FAULTS if FAULTS[f][0] == name].index(fault) + 1
    [told] = of_line[place]
    assert told.startswith(reason), of_line


def test_bad_rows_change_no_figure_and_none_is_lost(faulty: Published, by_hand: tuple[Published, Any]) -> None:
    for table in (CLAIM_LINES, COVERAGE_RECORDS, CLAIM_DIAGNOSES, MEMBERS):
        assert held(faulty, table) == held(by_hand[0], table), table.name
    counts = faulty.read(LOAD_AUDIT).groupBy().sum("rows_read", "accepted", "rejected").collect()[0]
    assert tuple(counts) == (15 + len(FAULTS), 15, len(FAULTS))


def test_ids_with_leading_zeros_stay_as_they_are_told(spark: SparkSession, tmp_path: Path) -> None:
    text = "member_id,coverage_start\n007,2021-01-01\n7,2021-01-01\n"
    write(tmp_path / "in", {"coverage_records": text})
    warehouse, notices = ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", group="load")
    assert {row["member_id"] for row in warehouse.read(COVERAGE_RECORDS).collect()} == {"007", "7"}
    absent = "there is no members, no claim_lines, no claim_diagnoses, no claim_procedures: what they would tell"
    assert any(notice.startswith(absent) for notice in notices)


def test_a_missing_table_or_column_is_named_before_anything_is_written(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "in", {"members": FILES["members"]})
    with pytest.raises(InputError, match=r"there is no coverage_records among the tables \(csv\)"):
        ran(spark, str(tmp_path / "in"), tmp_path / "warehouse")
    write(tmp_path / "in", {"coverage_records": "member_id,plan_id\n7,G\n"})
    with pytest.raises(InputError, match=r"coverage_records\.csv: .*column coverage_start is missing"):
        ran(spark, str(tmp_path / "in"), tmp_path / "warehouse")
    assert not (tmp_path / "warehouse" / "bronze").exists()


def test_an_empty_optional_table_is_no_fault(spark: SparkSession, tmp_path: Path) -> None:
    headings = {name: text.strip().splitlines()[0] + "\n" for name, text in FILES.items()}
    write(tmp_path / "in", {**headings, "coverage_records": FILES["coverage_records"]})
    warehouse, _ = ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", group="load")
    assert warehouse.read(COVERAGE_RECORDS).count() == 3


def test_a_parquet_column_that_is_no_plain_value_is_named(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.range(1).select(F.lit("7").alias("member_id"), F.struct(F.lit(1).alias("a")).alias("coverage_start"))
    frame.write.parquet(str(tmp_path / "in" / "coverage_records"))
    with pytest.raises(InputError, match="coverage_records: column coverage_start is struct<a:int>; a plain value"):
        ran(spark, str(tmp_path / "in"), tmp_path / "warehouse", format="parquet")


def test_a_format_is_for_the_sources_that_have_tables() -> None:
    with pytest.raises(ConfigError, match=r"source\.format is for source\.kind common and tuva"):
        Source("rif", "in", format="parquet")
