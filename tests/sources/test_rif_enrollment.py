"""Yearly enrollment rows with monthly columns become dated runs of equal statuses."""

from collections.abc import Iterable

from pmpm_spark.intake import coverage_records, members
from pmpm_spark.sources.rif import all_enrollment_rows
from pmpm_spark.sources.rif.enrollment import enrollment_rows
from tests.rif_files import MONTHS, enrolled
from tests.sources.frames import bronze

FLAGS = ("has_part_a", "has_part_b", "in_medicare_advantage")


def runs(spark, *lines: str, part_c: str = "hmo_indicator", also: Iterable[str] = ()) -> list[tuple]:
    """(member, first month, last month, A B C flags as letters, further statuses) in order."""
    rows = all_enrollment_rows(bronze(spark, "beneficiary", *lines), part_c=part_c)
    found = []
    for r in coverage_records(rows).collect():
        letters = "".join(letter for letter, flag in zip("ABC", FLAGS, strict=True) if r[flag])
        assert r["coverage_start"].day == 1
        assert (r["coverage_end"].toordinal() + 1) in {first.toordinal() for first in _firsts(r["coverage_end"])}
        found.append((r["member_id"], f"{r['coverage_start']:%Y-%m}", f"{r['coverage_end']:%Y-%m}", letters,
                      *[r[name] for name in also]))  # fmt: skip
    return sorted(found)


def _firsts(day):
    """The first day of the month after a day's month."""
    following = day.replace(day=28).toordinal() + 4
    return [type(day).fromordinal(following).replace(day=1)]


def reasons(spark, *lines: str) -> list[list[str]]:
    rows = enrollment_rows(bronze(spark, "beneficiary", *lines), part_c="hmo_indicator").collect()
    return [r["reject_reasons"] for r in sorted(rows, key=lambda r: r["_source_row"])]


def with_months(member: str, year: int, column: str, values: dict[int, str], **more: str) -> str:
    """A row in which one monthly column differs in some months."""
    named = {column.format(number=m, name=MONTHS[m - 1]): value for m, value in values.items()}
    line = enrolled(member, year, **more).split("|")
    from tests.rif_files import heading

    for name, value in named.items():
        line[heading("beneficiary").index(name)] = value
    return "|".join(line)


def test_twelve_equal_months_are_one_run(spark) -> None:
    assert runs(spark, enrolled("m1", 2021)) == [("m1", "2021-01", "2021-12", "AB")]


def test_buy_in_codes(spark) -> None:
    # one run for each change: 3 and C are the same status, and so are 1 and A, 2 and B
    assert runs(spark, enrolled("m1", 2020, "3C1A2B0 333C")) == [
        ("m1", "2020-01", "2020-02", "AB"),
        ("m1", "2020-03", "2020-04", "A"),
        ("m1", "2020-05", "2020-06", "B"),
        ("m1", "2020-09", "2020-12", "AB"),
    ]


def test_a_year_without_a_covered_month_has_no_run(spark) -> None:
    assert runs(spark, enrolled("m1", 2021, " " * 12), enrolled("m2", 2021, "0" * 12)) == []


def test_february_of_a_leap_year_ends_on_its_last_day(spark) -> None:
    rows = coverage_records(
        all_enrollment_rows(bronze(spark, "beneficiary", enrolled("m1", 2020, "33          ")), part_c="hmo_indicator")
    ).collect()
    assert [(str(r["coverage_start"]), str(r["coverage_end"])) for r in rows] == [("2020-01-01", "2020-02-29")]


def test_hmo_codes(spark) -> None:
    # 1 and C are Part C; blank, 0 and 4 are not
    assert runs(spark, enrolled("m1", 2021, hmo=" 04 11CC2  0")) == [
        ("m1", "2021-01", "2021-04", "AB"),
        ("m1", "2021-05", "2021-09", "ABC"),
        ("m1", "2021-10", "2021-12", "AB"),
    ]


def test_part_c_by_contract(spark) -> None:
    contracts = {
        "H1234": "ABC", "R0001": "ABC", "E9999": "ABC", "90091": "ABC", "Y0001": "ABC", "9A": "AB", "N": "AB",
        "0": "AB", "*": "AB", "": "AB", " ": "AB",
    }  # fmt: skip
    lines = [enrolled(f"<{contract}>", 2021, hmo="1" * 12, contract=contract) for contract in contracts]
    told = {run[0]: run[3] for run in runs(spark, *lines, part_c="part_c_contract")}
    assert told == {f"<{contract}>": letters for contract, letters in contracts.items()}
    assert {run[3] for run in runs(spark, *lines, part_c="hmo_indicator")} == {"ABC"}


def test_september_is_read_from_its_own_column(spark) -> None:
    line = with_months("m1", 2021, "PTC_CNTRCT_{name}_ID", {9: "H1234"})
    assert runs(spark, line, part_c="part_c_contract") == [
        ("m1", "2021-01", "2021-08", "AB"),
        ("m1", "2021-09", "2021-09", "ABC"),
        ("m1", "2021-10", "2021-12", "AB"),
    ]


def test_a_change_of_any_status_opens_a_run(spark) -> None:
    status = with_months("m1", 2021, "MDCR_STUS_{name}_CD", {7: "11", 8: "11"})
    dual = with_months("m2", 2021, "META_DUAL_ELGBL_STUS_{name}_CD", {12: "02"})
    assert runs(spark, status, dual, also=("medicare_status_code", "dual_status_code")) == [
        ("m1", "2021-01", "2021-06", "AB", "10", "NA"),
        ("m1", "2021-07", "2021-08", "AB", "11", "NA"),
        ("m1", "2021-09", "2021-12", "AB", "10", "NA"),
        ("m2", "2021-01", "2021-11", "AB", "10", "NA"),
        ("m2", "2021-12", "2021-12", "AB", "10", "02"),
    ]


def test_dual_codes_that_lost_their_zero_get_it_back(spark) -> None:
    codes = {1: "3", 2: "03", 3: "10", 4: "NA", 5: " "}
    line = with_months("m1", 2021, "META_DUAL_ELGBL_STUS_{name}_CD", codes, buy_in="33333       ")
    assert [run[4] for run in runs(spark, line, also=("dual_status_code",))] == ["03", "10", "NA", None]


def test_foreign_states(spark) -> None:
    states = {"41": True, "": True, "40": True, "48": True, "54": False, "62": False}
    lines = [enrolled(f"<{state}>", 2021, STATE_CODE=state) for state in states]
    found = {run[0]: run[4] for run in runs(spark, *lines, also=("resides_in_us",))}
    assert found == {f"<{state}>": in_us for state, in_us in states.items()}


def test_an_unknown_buy_in_code_rejects_the_row(spark) -> None:
    assert reasons(spark, enrolled("m1", 2021, "333333X33333"), enrolled("m2", 2021)) == [
        ["MDCR_ENTLMT_BUYIN_7_IND is not one of its codes"],
        [],
    ]
    assert runs(spark, enrolled("m1", 2021, "333333X33333")) == []


def test_what_else_rejects_a_row(spark) -> None:
    assert reasons(
        spark,
        enrolled("", 2021),
        enrolled("m1", 2021, RFRNC_YR=""),
        enrolled("m1", 2021, RFRNC_YR="0"),
        enrolled("m1", 2021, RFRNC_YR="20x1"),
        enrolled("m1", 2021, BENE_BIRTH_DT="31-Feb-1940"),
        enrolled("m1", 2021, DEATH_DT="soon"),
        enrolled("m1", 2021, BENE_BIRTH_DT="", DEATH_DT=" "),
    ) == [
        ["BENE_ID is missing"],
        ["RFRNC_YR is no year"],
        ["RFRNC_YR is no year"],
        ["RFRNC_YR is not a whole number"],
        ["BENE_BIRTH_DT is not a date"],
        ["DEATH_DT is not a date"],
        [],
    ]


def test_the_later_row_of_a_person_and_year_counts(spark) -> None:
    lines = (enrolled("m1", 2021, "111111111111"), enrolled("m1", 2021), enrolled("m1", 2021))
    rows = all_enrollment_rows(bronze(spark, "beneficiary", *lines), part_c="hmo_indicator").collect()
    fates = [r["outcome"] for r in sorted(rows, key=lambda r: r["_source_row"])]
    assert fates == ["superseded", "duplicate", "accepted"]
    assert runs(spark, *lines) == [("m1", "2021-01", "2021-12", "AB")]


def test_the_person_is_told_by_the_latest_year_and_the_death_by_any(spark) -> None:
    rows = all_enrollment_rows(
        bronze(
            spark,
            "beneficiary",
            enrolled("m1", 2022, BENE_SEX_IDENT_CD="2", STATE_CODE="05", BENE_BIRTH_DT="02-Jan-1940"),
            enrolled("m1", 2021, BENE_SEX_IDENT_CD="1", DEATH_DT="05-Dec-2021", BENE_BIRTH_DT="01-Jan-1940"),
            enrolled("m2", 2021, BENE_SEX_IDENT_CD="0"),
        ),
        part_c="hmo_indicator",
    )
    found = {r["member_id"]: r for r in members(rows).collect()}
    told = {
        m: (r["sex"], r["state"], str(r["birth_date"]), r["death_date"] and str(r["death_date"]))
        for m, r in found.items()
    }
    assert told == {"m1": ("F", "05", "1940-01-02", "2021-12-05"), "m2": ("U", "41", "1940-03-15", None)}
