"""The lists beside the claims: roster, providers, risk scores, member attribution."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pmpm_spark.errors import InputError
from pmpm_spark.sources.lists import LISTS, accepted_rows, list_files, list_load
from pmpm_spark.table import conform

pytestmark = pytest.mark.delta  # the embedded engine does not tell the file of a row
NOW = datetime(2024, 1, 1, tzinfo=UTC)
BY_NAME = {the_list.setting: the_list for the_list in LISTS}


def loaded(spark, tmp_path: Path, name: str, *texts: str):
    """The list's bronze frame from a folder of files with these texts."""
    folder = tmp_path / name
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"part-{number}.csv").write_bytes(text.encode())
    the_list = BY_NAME[name]
    files, _ = list_files(spark, the_list, str(folder))
    return the_list, list_load(spark, the_list, files, "b1", NOW).frame


def accepted(spark, tmp_path: Path, name: str, *texts: str) -> list[tuple]:
    the_list, bronze = loaded(spark, tmp_path, name, *texts)
    rows = conform(accepted_rows((the_list,), bronze), the_list.silver).collect()
    return sorted((tuple(row) for row in rows), key=str)


def judged(spark, tmp_path: Path, name: str, *texts: str) -> list[tuple]:
    the_list, bronze = loaded(spark, tmp_path, name, *texts)
    rows = sorted(the_list.rows(bronze).collect(), key=lambda r: (r["_source_file"], r["_source_row"]))
    return [(row["_source_row"], row["outcome"], row["reject_reasons"]) for row in rows]


ROSTER = "network_id,network_name,network_type,tin,npi,ccn,start_date,end_date\n"
ALWAYS, OPEN = date(1900, 1, 1), date(9999, 12, 31)


def test_blanks_and_open_dates_of_the_roster(spark, tmp_path: Path) -> None:
    text = ROSTER + (
        "A1,Harbor,mssp,111,,,2019-01-01,2020-12-31\n"
        "A1,Harbor,MSSP,, ,410001,,\n"
        'A2,"Bay, Sound ""and"" Sea",REACH, 222 ,9001,,2021-01-01,\n'
        "A3,,CLINIC,333,,,,2021-12-31\n"
    )
    assert accepted(spark, tmp_path, "network_roster", text) == [
        ("A1", "", "", "410001", ALWAYS, OPEN, "Harbor", "MSSP"),
        ("A1", "111", "", "", date(2019, 1, 1), date(2020, 12, 31), "Harbor", "MSSP"),
        ("A2", "222", "9001", "", date(2021, 1, 1), OPEN, 'Bay, Sound "and" Sea', "REACH"),
        ("A3", "333", "", "", ALWAYS, date(2021, 12, 31), None, "OTHER"),
    ]


def test_what_rejects_a_roster_row(spark, tmp_path: Path) -> None:
    text = ROSTER + (
        "A1,,,111,,,,\n"
        ",,,111,,,,\n"
        "A1,,,,,,,\n"
        "A1,,,111,,,2021-02-30,\n"
        "A1,,,111,,,2021-02-01,2021-01-31\n"
        "A1,,,111,,,01-Feb-2021,\n"
    )
    assert judged(spark, tmp_path, "network_roster", text) == [
        (2, "accepted", []),
        (3, "rejected", ["network_id is missing"]),
        (4, "rejected", ["no tin, npi or ccn is filled in"]),
        (5, "rejected", ["start_date is not a date"]),
        (6, "rejected", ["end_date is before start_date"]),
        (7, "rejected", ["start_date is not a date"]),
    ]


def test_columns_in_any_order_and_the_optional_ones_left_out(spark, tmp_path: Path) -> None:
    assert accepted(spark, tmp_path, "network_roster", "npi,tin,network_id\n9001,111,A1\n") == [
        ("A1", "111", "9001", "", ALWAYS, OPEN, None, "OTHER")
    ]


def test_the_later_row_of_a_key_wins_and_an_equal_one_is_a_duplicate(spark, tmp_path: Path) -> None:
    first = "member_id,performance_year,risk_score\nm1,2021,1.5\nm1,2021,1.1\nm1,2022,1.1\n"
    second = "risk_score,performance_year,member_id\n0.9,2022,m1\n0.9,2022,m1\n"
    folder = tmp_path / "a"
    folder.mkdir()
    assert judged(spark, folder, "risk_scores", first, second) == [
        (2, "superseded", []),
        (3, "accepted", []),
        (4, "superseded", []),
        (2, "duplicate", []),
        (3, "accepted", []),
    ]
    scores = accepted(spark, tmp_path, "risk_scores", first, second)
    assert [row[:3] for row in scores] == [("m1", 2021, Decimal("1.1")), ("m1", 2022, Decimal("0.9"))]


def test_what_rejects_a_score(spark, tmp_path: Path) -> None:
    rows = (",2021,1", "m1,next,1", "m1,2021,high", "m1,2021,-0.1", "m1,2021,", "m1,2021,0")
    text = "\n".join(["member_id,performance_year,risk_score", *rows])
    assert judged(spark, tmp_path, "risk_scores", text) == [
        (2, "rejected", ["member_id is missing"]),
        (3, "rejected", ["performance_year is not a whole number"]),
        (4, "rejected", ["risk_score is not a number"]),
        (5, "rejected", ["risk_score is negative"]),
        (6, "rejected", ["risk_score is missing"]),
        (7, "accepted", []),
    ]


def test_quotes_commas_marks_and_line_ends(spark, tmp_path: Path) -> None:
    text = '\ufeff"npi","name",specialty,taxonomy\r\n9001,"SMITH, ANN ""B""",01,207Q\r\n9002,,,\r\n'
    assert accepted(spark, tmp_path, "providers", text) == [
        ("9001", 'SMITH, ANN "B"', "01", "207Q"),
        ("9002", None, None, None),
    ]


def test_attribution_without_a_physician(spark, tmp_path: Path) -> None:
    text = "performance_year,member_id,network_id,physician_npi\n2021,m1,A1,9001\n2021,m2,A1,\n2021,m3,,9001\n"
    the_list, bronze = loaded(spark, tmp_path, "member_attribution", text)
    rows = sorted(accepted_rows((the_list,), bronze).collect(), key=lambda r: r["member_id"])
    assert [(r["member_id"], r["network_id"], r["physician_npi"], r["practice_tin"]) for r in rows] == [
        ("m1", "A1", "9001", ""),
        ("m2", "A1", "", ""),
    ]


def test_a_list_must_have_its_columns_and_a_file(spark, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("member_id,year,risk_score,extra\nm1,2021,1\n")
    with pytest.raises(InputError, match=r"scores\.csv \(risk_scores\): column performance_year is missing"):
        list_files(spark, BY_NAME["risk_scores"], str(tmp_path / "scores.csv"))
    (tmp_path / "npi.csv").write_text("npi,fax\n9001,5\n")
    _, notices = list_files(spark, BY_NAME["providers"], str(tmp_path / "npi.csv"))
    assert notices == ["npi.csv (providers): columns passed over: fax"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.csv").write_text("")
    with pytest.raises(InputError, match=r"blank\.csv \(source\.providers\): is empty; the heading must stand"):
        list_files(spark, BY_NAME["providers"], str(tmp_path / "blank.csv"))
    with pytest.raises(InputError, match=r"there is no file for source\.providers"):
        list_files(spark, BY_NAME["providers"], str(tmp_path / "empty"))


def test_a_row_of_another_width_is_kept_whole(spark, tmp_path: Path) -> None:
    text = "npi,name\n9001,ANN\n9002,BOB,more\n"
    the_list, bronze = loaded(spark, tmp_path, "providers", text)
    told = {r["_source_row"]: (r["outcome"], r["rejected_row"]) for r in the_list.rows(bronze).collect()}
    assert told == {2: ("accepted", None), 3: ("rejected", "9002,BOB,more")}


ATTRIBUTION = "performance_year,member_id,network_id,physician_npi,file_date,start_date,end_date\n"


def test_of_several_lists_of_a_network_and_year_the_newest_counts_from_its_first_month_on(
    spark, tmp_path: Path
) -> None:
    """Who is not on it any more is not attributed; other networks and years go by their own lists."""
    first = (
        "2022,m1,A1,,2022-04-30,2022-01-01,2022-12-31\n"
        "2022,m2,A1,,2022-04-30,,\n"
        "2021,m2,A1,,2021-12-31,,\n"
        "2022,m3,A2,,2022-01-31,,\n"
        "2022,m4,A3,,,,\n"
    )
    second = "2022,m1,A1,,2022-07-31,2022-01-01,2022-06-30\n2022,m5,A1,,2022-07-31,2022-07-01,2022-06-30\n"
    rows = accepted(spark, tmp_path, "member_attribution", ATTRIBUTION + first, ATTRIBUTION + second)
    told = [
        (year, member, network, str(on), str(end), f"{months:012b}")
        for year, member, network, _, _, on, _, end, months in rows
    ]
    assert told == [
        (2021, "m2", "A1", "2021-12-31", "None", "111111111111"),
        (2022, "m1", "A1", "2022-07-31", "2022-06-30", "000000111111"),
        (2022, "m3", "A2", "2022-01-31", "None", "111111111111"),
        (2022, "m4", "A3", "None", "None", "111111111111"),
    ]


def test_lists_that_each_tell_a_part_of_the_year_count_each_for_its_months(spark, tmp_path: Path) -> None:
    """m1 stays, m2 leaves in April, m3 comes in April; a row wholly outside its year is rejected."""
    first = "2022,m1,A1,N1,2022-01-05,2022-01-01,2022-03-31\n2022,m2,A1,,2022-01-05,2022-01-01,2022-12-31\n"
    second = "2022,m1,A1,N1,2022-04-05,2022-04-01,2022-06-30\n2022,m3,A1,,2022-04-05,2022-04-01,\n"
    outside = "2022,m4,A1,,2022-04-05,2021-01-01,2021-12-31\n"
    texts = (ATTRIBUTION + first, ATTRIBUTION + second + outside)
    rows = accepted(spark, tmp_path, "member_attribution", *texts)
    told = [
        (member, npi, str(on), str(start), str(end), f"{months:012b}")
        for _, member, _, npi, _, on, start, end, months in rows
    ]
    assert told == [
        ("m1", "N1", "2022-04-05", "2022-01-01", "2022-06-30", "000000111111"),
        ("m2", "", "2022-01-05", "2022-01-01", "2022-12-31", "000000000111"),
        ("m3", "", "2022-04-05", "2022-04-01", "None", "111111111000"),
    ]


def test_days_of_an_attribution_that_run_backward_are_one_fault(spark, tmp_path: Path) -> None:
    """They leave no month of the year, which is not told as well; a first day alone is judged by its year."""
    rows = ("2022,m1,A1,,,2022-06-01,2022-05-31", "2022,m2,A1,,,2023-01-01,", "2022,m3,A1,,,2022-06-01,")
    assert judged(spark, tmp_path, "member_attribution", ATTRIBUTION + "\n".join(rows)) == [
        (2, "rejected", ["end_date is before start_date"]),
        (3, "rejected", ["no month from start_date to end_date is in performance_year"]),
        (4, "accepted", []),
    ]


def test_a_member_of_another_initiative_is_told_with_its_year_and_once(spark, tmp_path: Path) -> None:
    rows = ("2022,m1,PCF", "2022,m1,MCP", "2021,m1,", ",m2,PCF", "2022,,PCF", "MMXXII,m3,PCF")
    assert judged(
        spark, tmp_path, "other_initiatives", "performance_year,member_id,initiative\n" + "\n".join(rows)
    ) == [
        (2, "superseded", []),
        (3, "accepted", []),
        (4, "accepted", []),
        (5, "rejected", ["performance_year is missing"]),
        (6, "rejected", ["member_id is missing"]),
        (7, "rejected", ["performance_year is not a whole number"]),
    ]


def test_a_list_may_have_its_own_names_for_columns_and_say_one_value_for_all_rows(spark, tmp_path: Path) -> None:
    path = tmp_path / "assignment.csv"
    path.write_text("BENE_MBI_ID,PROV_NPI,ALIGNED_ON\nm1,9001,2022-01-01\n")
    theirs = {
        "member_id": "BENE_MBI_ID",
        "physician_npi": "PROV_NPI",
        "start_date": "ALIGNED_ON",
        "network_id": "=A1001",
        "performance_year": "=2022",
        "file_date": "=2022-04-30",
    }
    the_list = BY_NAME["member_attribution"]
    files, notices = list_files(spark, the_list, str(path), theirs)
    assert notices == []
    bronze = list_load(spark, the_list, files, "b1", NOW, theirs).frame
    (row,) = conform(accepted_rows((the_list,), bronze), the_list.silver).collect()
    assert tuple(row) == (2022, "m1", "A1001", "9001", "", date(2022, 4, 30), date(2022, 1, 1), None, 4095)
    with pytest.raises(InputError, match="column MBI is missing from the heading"):
        list_files(spark, the_list, str(path), theirs | {"member_id": "MBI"})


SURVEY = (
    "survey,wave,member_id,physician_npi,domain,question,surveyed_on,practice_tin,score,scale_low,scale_high,weight\n"
)


def test_whose_answers_of_which_year_and_day(spark, tmp_path: Path) -> None:
    text = SURVEY + (
        "CG, 2021-10-05 ,m1,,access,q1,,,4,1,5,\n"
        "CG,2021 autumn,m1,,access,q1,,,4,1,5,0.5\n"
        "CG,2021 autumn,m1,,access,,2021-11-30,,4,1,5,\n"
        "CG,wave 02,,9001,access,,2022-01-15,222,-1.5,-2,2,\n"
    )
    rows = accepted(spark, tmp_path, "survey_responses", text)
    one = Decimal(1)
    low, high = Decimal(1), Decimal(5)
    assert rows == [
        ("CG", "2021 autumn", "m1", "", "access", "", 2021, date(2021, 11, 30), "", Decimal(4), low, high, one),
        ("CG", "2021 autumn", "m1", "", "access", "q1", 2021, date(2021, 12, 31), "", Decimal(4), low, high, one / 2),
        ("CG", "2021-10-05", "m1", "", "access", "q1", 2021, date(2021, 10, 5), "", Decimal(4), low, high, one),
        (
            "CG",
            "wave 02",
            "",
            "9001",
            "access",
            "",
            2022,
            date(2022, 1, 15),
            "222",
            Decimal("-1.5"),
            Decimal(-2),
            Decimal(2),
            one,
        ),
    ]


def test_every_row_of_the_shipped_example_is_accepted(spark, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "conf" / "examples" / "experience" / "survey_responses.csv"
    found = judged(spark, tmp_path, "survey_responses", example.read_text(encoding="utf-8"))
    assert {outcome for _, outcome, _ in found} == {"accepted"}


def test_what_rejects_an_answer_and_which_of_two_counts(spark, tmp_path: Path) -> None:
    text = SURVEY + (
        "CG,2021,m1,,access,,,,11,0,10,\n"
        "CG,2021,m1,,access,,,,-0.1,0,10,\n"
        "CG,2021,,,access,,,,5,0,10,\n"
        "CG,2021,m1,9001,access,,,,5,0,10,\n"
        "CG,,m1,,access,,,,5,0,10,\n"
        "CG,spring,m1,,access,,,,5,0,10,\n"
        "CG,2021,m1,,access,,,,five,0,10,\n"
        ",2021,m1,,,,,,,0,10,\n"
        "CG,2021,m1,,access,,,,5,5,5,\n"
        "CG,2021,m1,,access,,,,5,0,10,0\n"
        "CG,20211,m1,,access,,,,5,0,10,\n"
        "CG,2021,m2,,access,,,,5,0,10,\n"
        "CG,2021,m2,,access,,,,5,0,10,\n"
        "CG,2021,m3,,access,,,,5,0,10,\n"
        "CG,2021,m3,,access,,,,6,0,10,\n"
    )
    no_year = "wave does not begin with a year and surveyed_on tells none"
    assert judged(spark, tmp_path, "survey_responses", text) == [
        (2, "rejected", ["score is off the scale"]),
        (3, "rejected", ["score is off the scale"]),
        (4, "rejected", ["neither member_id nor physician_npi is filled in"]),
        (5, "rejected", ["member_id and physician_npi are both filled in"]),
        (6, "rejected", ["wave is missing"]),
        (7, "rejected", [no_year]),
        (8, "rejected", ["score is not a number"]),
        (9, "rejected", ["survey is missing", "domain is missing", "score is missing"]),
        (10, "rejected", ["scale_high is not above scale_low"]),
        (11, "rejected", ["weight is not above 0"]),
        (12, "rejected", [no_year]),
        (13, "duplicate", []),
        (14, "accepted", []),
        (15, "superseded", []),
        (16, "accepted", []),
    ]
