"""Cells of text to typed columns: what cannot be typed is a reason, never an error and never the value."""

import json
from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.sources.cells import TypedRow
from pmpm_spark.table import SCORE


def judged(spark, cells: list[str | None], type_it, unparsed: str | None = None) -> list[tuple]:
    """(typed value, reasons, rejected row) of each cell of a column named CELL."""
    row = TypedRow()
    value = type_it(row)
    text = T.StringType()
    schema = T.StructType([T.StructField(n, text) for n in ("_source_file", "_batch_id", "_unparsed", "CELL")])
    bronze = spark.createDataFrame([(str(i), "b", unparsed, cell) for i, cell in enumerate(cells)], schema)
    bronze = bronze.selectExpr("*", "1L AS _source_row", "2L AS _line_hash")
    built = row.over(bronze).select("_source_file", value.alias("typed"), "reject_reasons", "rejected_row").collect()
    by_place = {int(r["_source_file"]): (r["typed"], r["reject_reasons"], r["rejected_row"]) for r in built}
    return [by_place[i] for i in range(len(cells))]


def values(spark, cells, type_it) -> dict[str | None, object]:
    return dict(zip(cells, [typed for typed, _, _ in judged(spark, cells, type_it)], strict=True))


def refused(spark, cells, type_it) -> list[str | None]:
    return [cell for cell, (_, reasons, _) in zip(cells, judged(spark, cells, type_it), strict=True) if reasons]


GOOD_DAYS = {
    "08-Jul-2014": date(2014, 7, 8),
    "27-OCT-1999": date(1999, 10, 27),
    "29-feb-2020": date(2020, 2, 29),
    " 01-Sep-2021 ": date(2021, 9, 1),
    "31-Dec-2023": date(2023, 12, 31),
}
BAD_DAYS = [
    "29-Feb-2021", "31-Apr-2021", "00-Jan-2021", "8-Jul-2014", "08-Jli-2014", "08-Anf-2014", "08-Ulj-2014",
    "2021-07-08", "08-Jul-14", "08-Jul-2014x", "tomorrow",
]  # fmt: skip


def test_days_of_research_files_in_any_case(spark) -> None:
    def day(row):
        return row.rif_day("CELL")

    assert values(spark, [*GOOD_DAYS, "", " ", None], day) == {**GOOD_DAYS, "": None, " ": None, None: None}
    assert refused(spark, [*GOOD_DAYS, "", " ", None], day) == []
    assert refused(spark, BAD_DAYS, day) == BAD_DAYS


def test_every_month_has_its_name(spark) -> None:
    words = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    days = {f"15-{word}-2022": date(2022, number, 15) for number, word in enumerate(words, start=1)}
    assert values(spark, list(days), lambda row: row.rif_day("CELL")) == days


def test_iso_days(spark) -> None:
    def day(row):
        return row.iso_day("CELL")

    bad = ["2021-02-29", "2021-13-01", "2021-7-1", "01-Jul-2021", "2021-07-01T00:00:00", "20210701"]
    assert values(spark, ["2020-02-29", " 2021-07-01 "], day) == {
        "2020-02-29": date(2020, 2, 29),
        " 2021-07-01 ": date(2021, 7, 1),
    }
    assert refused(spark, bad, day) == bad


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("iso_day", ["1850-01-01", "9999-12-31"], ["0000-01-01", "0001-01-01", "1000-01-01", "1849-12-31"]),
        ("compact_day", ["18500101", "99991231"], ["00000101", "00010101", "18491231"]),
        ("rif_day", ["01-Jan-1850", "31-DEC-9999"], ["01-Jan-0000", "01-Jan-0001", "31-Dec-1849"]),
    ],
)
def test_a_day_before_1850_is_no_date_and_an_open_end_is_one(spark, kind: str, good: list, bad: list) -> None:
    def day(row):
        return getattr(row, kind)("CELL")

    assert list(values(spark, good, day).values()) == [date(1850, 1, 1), date(9999, 12, 31)]
    found = judged(spark, bad, day)
    assert [(typed, reasons) for typed, reasons, _ in found] == [(None, ["CELL is not a date"])] * len(bad)


def test_amounts(spark) -> None:
    def amount(row):
        return row.amount("CELL")

    good = {"0": "0.00", "0.00": "0.00", "199.99": "199.99", "-5.5": "-5.50", " 12 ": "12.00", "": "0.00", None: "0.00"}
    assert values(spark, list(good), amount) == {cell: Decimal(value) for cell, value in good.items()}
    assert refused(spark, list(good), amount) == []
    bad = ["1e400", "twelve", "1,200.00", "$5", "12.3.4", "NaN", "Infinity", "99999999999999999999"]
    assert refused(spark, bad, amount) == bad


def test_whole_numbers_and_scores(spark) -> None:
    bad = ["x", "3000000000", "1,0"]
    assert values(spark, ["1", " 007 "], lambda row: row.whole("CELL")) == {"1": 1, " 007 ": 7}
    assert refused(spark, bad, lambda row: row.whole("CELL")) == bad
    scores = values(spark, ["1.293", "0", "1.2345678"], lambda row: row.decimal("CELL", SCORE))
    assert scores == {"1.293": Decimal("1.293000"), "0": Decimal(0), "1.2345678": Decimal("1.234568")}
    assert refused(spark, ["high", "1e400"], lambda row: row.decimal("CELL", SCORE)) == ["high", "1e400"]


def test_text_is_trimmed_and_what_is_required_must_be_told(spark) -> None:
    assert values(spark, [" A B ", "", "   "], lambda row: row.told("CELL")) == {" A B ": "A B", "": None, "   ": None}
    assert refused(spark, ["x", " ", "", None], lambda row: row.required("CELL")) == [" ", "", None]
    assert refused(spark, ["3", " C ", "", "9"], lambda row: row.one_of("CELL", ("3", "C"))) == ["9"]


def test_a_reason_names_the_column_and_never_the_value(spark) -> None:
    def typed(row):
        row.required("CELL")
        return row.amount("CELL")

    [(value, reasons, kept)] = judged(spark, ["secret"], typed)
    assert (value, reasons) == (Decimal(0), ["CELL is not an amount"])
    assert json.loads(kept) == {"CELL": "secret"}
    [(_, reasons, kept)] = judged(spark, ["3"], typed)
    assert (reasons, kept) == ([], None)


def test_a_last_day_of_service_has_one_reason_for_one_fault(spark) -> None:
    """It is missing where nothing is told, or a day that stands for none; what is no date is not missing, too."""

    def last_day(row):
        day = row.iso_day("CELL", beside=("1000-01-01",))
        told = F.when(day != F.lit("1000-01-01").cast("date"), day)  # a day that stands for none
        return row.service_days(told, told, "CELL")["service_thru"]

    cells = ["2021-02-03", "03.02.2021", "", None, "1000-01-01"]
    reasons = dict(zip(cells, [found for _, found, _ in judged(spark, cells, last_day)], strict=True))
    missing = ["CELL is missing"]
    assert reasons == {
        "2021-02-03": [],
        "03.02.2021": ["CELL is not a date"],
        "": missing,
        None: missing,
        "1000-01-01": missing,
    }


def test_a_line_that_could_not_be_parted_is_kept_whole(spark) -> None:
    [(_, reasons, kept)] = judged(spark, [None], lambda row: row.told("CELL"), unparsed="a|b|c")
    assert (reasons, kept) == (["the number of fields is not that of the heading"], "a|b|c")


@pytest.mark.parametrize("cell", ["5.005", "-5.005"])
def test_cents_are_rounded_half_up(spark, cell: str) -> None:
    expected = Decimal("5.01") if cell == "5.005" else Decimal("-5.01")
    assert values(spark, [cell], lambda row: row.amount("CELL")) == {cell: expected}


def test_numbers_are_those_that_people_write(spark) -> None:
    """Engines differ in what else they take for one."""
    good = {"5": "5.00", "+5.": "5.00", "-.5": "-0.50", " 00005.10 ": "5.10", "1.005": "1.01", "-1.005": "-1.01"}
    found = values(spark, list(good), lambda row: row.amount("CELL"))
    assert {cell: str(value) for cell, value in found.items()} == good
    bad = ["1e5", "1e-5", "12\x00", "\xa05", "1,000", "$5", "1e400", "NaN", "--5", "."]
    assert refused(spark, bad, lambda row: row.amount("CELL")) == bad
    assert refused(spark, ["7", "7.0", "1e1", "7x"], lambda row: row.whole("CELL")) == ["7.0", "1e1", "7x"]
