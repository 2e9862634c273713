"""Research files to bronze: every row of a file is a row of bronze, as it was delivered."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pmpm_spark.errors import InputError
from pmpm_spark.sources.rif.bronze import bronze_loads
from tests.rif_files import claim, enrolled, heading, line, write

pytestmark = pytest.mark.delta  # the embedded engine does not tell the file of a row
NOW = datetime(2024, 1, 1, tzinfo=UTC)
DAY = "10-Mar-2021"


def loads(spark, folder: Path, known=frozenset()):
    return bronze_loads(spark, str(folder), known, "b1", NOW)


def rows(spark, folder: Path, kind: str) -> list[dict]:
    found = []
    for load in loads(spark, folder)[0]:
        if load.table.name == f"bronze.rif_{kind}":
            found += [row.asDict() for row in load.frame.collect()]
    return sorted(found, key=lambda row: (row["_source_file"], row["_source_row"]))


def drug(number: int, **more: str) -> str:
    return claim("pde", f"p{number}", "m1", DAY, DAY, f"{number}.00", **more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "beneficiary_2021.csv", "beneficiary", enrolled("m1", 2021), enrolled("m2", 2021))
    return tmp_path


def test_rows_in_the_file_are_rows_in_bronze_as_delivered(spark, folder: Path) -> None:
    write(folder, "pde.csv", "pde", drug(1), drug(1), drug(2, BENE_ID=" m1 ", TOT_RX_CST_AMT="none"))
    [packed, plain, again] = rows(spark, folder, "pde")
    assert [r["_source_row"] for r in (packed, plain, again)] == [2, 3, 4]
    assert packed["_line_hash"] == plain["_line_hash"] != again["_line_hash"]
    assert (again["BENE_ID"], again["TOT_RX_CST_AMT"], again["_unparsed"]) == (" m1 ", "none", None)
    assert (again["_source_file"], again["_batch_id"]) == ("pde.csv", "b1")
    told = dict(zip(heading("pde"), drug(2, BENE_ID=" m1 ", TOT_RX_CST_AMT="none").split("|"), strict=True))
    assert {name: again[name] for name in told} == told


def test_a_closing_separator_is_no_field(spark, folder: Path) -> None:
    write(folder, "pde.csv", "pde", drug(1) + "|", drug(2))
    found = rows(spark, folder, "pde")
    assert [(r["PDE_ID"], r["_unparsed"]) for r in found] == [("p1", None), ("p2", None)]
    assert found[0][heading("pde")[-1]] == drug(1).split("|")[-1]


def test_any_other_number_of_fields_keeps_the_line_whole(spark, folder: Path) -> None:
    short, long, two = drug(1).rpartition("|")[0], drug(2) + "|x", drug(3) + "||"
    path = write(folder, "pde.csv", "pde", short, long, two, "no separator at all")
    path.write_text(path.read_text() + drug(4)[:25])  # the last line was cut while it was written
    found = rows(spark, folder, "pde")
    assert [r["_unparsed"] for r in found] == [short, long, two, "no separator at all", drug(4)[:25]]
    assert {r["PDE_ID"] for r in found} == {None}


def test_a_single_space_at_the_end_is_a_field(spark, folder: Path) -> None:
    """One field too many that holds a space is not empty as delivered: what is more is kept and judged."""
    write(folder, "pde.csv", "pde", drug(1) + "| ")
    assert [r["_unparsed"] for r in rows(spark, folder, "pde")] == [drug(1) + "| "]


def test_columns_may_stand_in_any_order_and_some_be_missing(spark, folder: Path) -> None:
    names = [n for n in reversed(heading("pde")) if n != "RX_SRVC_RFRNC_NUM"]
    assert len(names) == len(heading("pde")) - 1
    told = dict(zip(heading("pde"), drug(7).split("|"), strict=True))
    (folder / "pde.csv").write_text("|".join([*names, "NEW"]) + "\n" + "|".join([*[told[n] for n in names], "?"]))
    frames, notices = loads(spark, folder)
    [pde] = [load for load in frames if load.table.name == "bronze.rif_pde"]
    [row] = pde.frame.collect()
    assert (row["PDE_ID"], row["SRVC_DT"], row["CVRD_D_PLAN_PD_AMT"]) == ("p7", DAY, "7.00")
    assert row["RX_SRVC_RFRNC_NUM"] is None
    assert notices[0] == "pde.csv: 1 unknown columns passed over: NEW"


def test_a_mark_at_the_start_and_line_ends_of_other_systems(spark, folder: Path) -> None:
    text = "|".join(heading("pde")) + "|\r\n" + drug(1) + "\r\n" + drug(2) + "|\r\n" + drug(3)
    (folder / "pde.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = rows(spark, folder, "pde")
    last = heading("pde")[-1]
    assert [(r["PDE_ID"], r["_unparsed"], r[last]) for r in found] == [
        (f"p{n}", None, drug(n).split("|")[-1]) for n in (1, 2, 3)
    ]


def test_files_of_one_kind_with_two_headings(spark, folder: Path) -> None:
    write(folder, "pde_1.csv", "pde", drug(1))
    names = list(reversed(heading("pde")))
    told = dict(zip(heading("pde"), drug(2).split("|"), strict=True))
    body = "|".join(names) + "\n" + "|".join(told[n] for n in names) + "\n"
    (folder / "deep").mkdir()
    (folder / "deep" / "pde_2.csv.gz").write_bytes(gzip.compress(body.encode()))
    found = rows(spark, folder, "pde")
    assert [(r["_source_file"], r["PDE_ID"]) for r in found] == [("deep/pde_2.csv.gz", "p2"), ("pde_1.csv", "p1")]


def test_what_was_loaded_before_is_left_out_by_its_content(spark, folder: Path) -> None:
    write(folder, "pde.csv", "pde", drug(1))
    first, _ = loads(spark, folder)
    known = {(load.table.name, file.fingerprint) for load in first for file in load.files}
    write(folder, "renamed.csv", "pde", drug(1))
    write(folder, "new.csv", "pde", drug(2))
    again, notices = loads(spark, folder, known)
    assert [(load.table.name, [f.name for f in load.files]) for load in again] == [("bronze.rif_pde", ["new.csv"])]
    assert notices[-1] == "loaded before, nothing new: beneficiary_2021.csv, pde.csv, renamed.csv"
    (folder / "pde.csv").unlink()
    assert not [told for told in loads(spark, folder, known)[1] if "not there" in told], "its rows are in another file"
    (folder / "renamed.csv").unlink()
    others = {*known, ("bronze.risk_scores", "a list's file")}
    assert (
        loads(spark, folder, others)[1][-1]
        == "1 files that were loaded before are not there any more; their rows stand"
    )


def test_files_that_are_none_of_these(spark, folder: Path) -> None:
    (folder / "notes.txt").write_text("hello\nworld\n")
    (folder / "history.csv").write_text("BENE_ID|EFCTV_BGN_DT|EFCTV_END_DT\n1|2|3\n")
    _, notices = loads(spark, folder)
    assert notices[0] == "history.csv: former beneficiary records, not used"
    assert notices[-1] == "no RIF files, and not read as such: notes.txt"
    (folder / "odd.csv").write_text("ONE|TWO\n1|2\n")
    with pytest.raises(InputError, match=r"^odd\.csv: unknown column layout"):
        loads(spark, folder)


def test_an_enrollment_file_must_be_there(spark, tmp_path: Path) -> None:
    write(tmp_path, "pde.csv", "pde", drug(1))
    with pytest.raises(InputError, match=r"there is no enrollment \(beneficiary\) file"):
        loads(spark, tmp_path)


def test_a_file_with_a_heading_alone_is_a_load_of_no_row(spark, folder: Path) -> None:
    write(folder, "hospice.csv", "hospice")
    frames, _ = loads(spark, folder)
    [hospice] = [load for load in frames if load.table.name == "bronze.rif_hospice"]
    assert (hospice.frame.count(), [f.rows for f in hospice.files]) == (0, [0])
    assert line("hospice", {}).count("|") == len(heading("hospice")) - 1


def test_a_kind_without_a_file_is_named_and_a_line_of_megabytes_is_no_line_of_it(spark, folder: Path) -> None:
    write(folder, "pde.csv", "pde", drug(1))
    with (folder / "pde.csv").open("a") as file:
        file.write("x" * 10_000_000 + "\n")
    found, notices = loads(spark, folder)
    absent = "inpatient, no outpatient, no snf, no hha, no hospice, no carrier, no dme"
    assert notices == [f"there is no {absent} file: these cost nothing"]
    frame = next(load.frame for load in found if load.table.name == "bronze.rif_pde")
    assert sorted((row["_source_row"], row["_unparsed"] is None) for row in frame.collect()) == [(2, True), (3, False)]
