"""A year of payment runs over one warehouse: what goes wrong with contracts and lists, each decided, and no dollar lost
or paid twice. Every run asserts that the ledger and what is kept back add up to what is due (tests/payer.py).

| run | as of | what is new |
| --- | --- | --- |
| 1 | 02-15, in arrears | all contracts start on 1 January |
| 2 | 02-15, in advance | |
| - | 02-15 | nothing |
| 3 | 03-15 | `back` lost her coverage from February, `free` is on no list; KN has another name, and KO is called KP |
| 4 | 03-15, overlap both | `back` is covered again from March; the payer's list of months came |
| 5 | 03-15, overlap one | |
| 6 | 09-15 | `in_time` and `too_late` died on 20 January |
| - | 09-15 | nothing |
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.capitation import CapitationResult
from pmpm_spark.errors import InputError
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION
from pmpm_spark.runs import CAPITATION_RUNS
from tests.payer import Payer

YEAR = "2023-01-01,2023-12-31"
CONTRACTS = f"""K1,Lists,N1,{YEAR},,,0.10,
K2,Attributed,N2,{YEAR},,,0,
K3,Later list,N3,{YEAR},,,0,
KR,Reasons,N4,{YEAR},MEDICARE_ADVANTAGE;MEDICARE_SECONDARY,,0,
KL,Far back,N5,{YEAR},,12,0,
KS,Not far,N6,{YEAR},,3,0.05,
KN,Old name,N7,{YEAR},,,0,
KO,Old id,N8,{YEAR},,,0,
KC,Closed,N9,2023-01-01,2023-01-31,,,0,
KZ,For nothing,N10,{YEAR},,,0,
"""
RATES = """K1,2023-01-01,,100.00
K2,2023-01-01,,60.00
K3,2023-01-01,,80.00
KR,2023-01-01,,40.00
KL,2023-01-01,,120.00
KS,2023-01-01,,30.00
KN,2023-01-01,,50.00
KO,2023-01-01,,70.00
KC,2023-01-01,2023-05-31,90.00
KC,2023-06-01,,95.00
KZ,2023-01-01,,0.00
"""
LISTED = """K1,back,2023-01-01,,
K1,both,2023-01-01,,
K1,twice,2023-01-01,,
K3,twice,2023-02-01,,
K1,late_row,2023-01-01,,2023-03-10
K1,late_cover,2023-01-01,,
K1,ghost,2023-02-01,2023-03-31,
KR,managed,2023-01-01,,
KL,in_time,2023-01-01,,
KS,too_late,2023-01-01,,
KN,named,2023-01-01,,
KO,moved,2023-01-01,,
KC,shut,2023-01-01,,
KZ,free,2023-01-01,,
"""
PAYER = """K1,both,2023-01-01,100.00
K1,both,2023-02-03,99.00
K1,both,2023-03-01,
K1,back,2023-01-01,100.00
K1,back,2023-02-01,100.00
K1,stranger,2023-01-01,100.00
K1,plain,2023-01-01,60.00
"""
WHOLE_YEAR = ["back", "both", "twice", "late_row", "in_time", "too_late", "named", "moved", "shut", "plain", "free"]
PEOPLE = [*WHOLE_YEAR, "late_cover", "managed"]
MONTHS = [f"{month:02d}" for month in range(1, 13)]


def coverage(whole: list[str], *more: str) -> str:
    rows = [f"{who} | 2023-01-01 | 2023-12-31 | P | 1900-01-01 | false | 10" for who in whole]
    late = "late_cover | 2023-01-01 | 2023-12-31 | P | 2023-03-10 | false | 10"
    managed = [
        f"managed | 2023-{first} | 2023-{last} | P | 1900-01-01 | {flag} | 10"
        for first, last, flag in (
            ("01-01", "01-31", "false"),
            ("02-01", "02-28", "true"),
            ("03-01", "12-31", "false"),
        )
    ]
    return "\n".join([*rows, late, *managed, *more])


def people(*died: str) -> str:
    return "\n".join(f"{who} | 1950-01-15 | F | {'2023-01-20' if who in died else '-'}" for who in PEOPLE)


def back(last: str) -> str:
    return f"back | 2023-01-01 | {last} | P | 1900-01-01 | false | 10"


Story = tuple[Payer, dict[str, CapitationResult]]


@pytest.fixture(scope="module")
def story(spark: SparkSession, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    payer = Payer(spark, tmp_path_factory.mktemp("payer"), engine, coverage(WHOLE_YEAR), people())
    payer.lists = {"contracts": CONTRACTS, "contract_rates": RATES, "contract_members": LISTED}
    payer.attributed = (("both", "N2"), ("plain", "N2"))
    february, march, september = date(2023, 2, 15), date(2023, 3, 15), date(2023, 9, 15)
    told = {}
    payer.load()
    told["in arrears"] = payer.pay(february, pay="in_arrears")
    told["in advance"] = payer.pay(february)
    told["february again"] = payer.pay(february)
    others = [who for who in WHOLE_YEAR if who != "back"]
    payer.coverage = coverage(others, back("2023-01-31"))
    payer.lists["contracts"] = (
        CONTRACTS.replace("Old name", "New name")
        .replace("KO,Old id", "KP,New id")
        .replace(f"N8,{YEAR},,,0,", f"N8,{YEAR},,,0,KO")
    )
    payer.lists["contract_rates"] = RATES.replace("KO", "KP")
    payer.lists["contract_members"] = LISTED.replace("KO", "KP").replace(
        "KZ,free,2023-01-01,,\n", "KZ,other,2023-01-01,,\n"
    )
    payer.renamed = {"KO": "KP"}
    payer.load()
    told["renamed"] = payer.pay(march)
    again = "back | 2023-03-01 | 2023-12-31 | P | 1900-01-01 | false | 10"
    payer.coverage = coverage(others, back("2023-01-31"), again)
    payer.lists["payer_member_months"] = PAYER
    payer.load()
    told["both"] = payer.pay(march, overlap="both")
    told["one"] = payer.pay(march, overlap="one")
    payer.people = people("in_time", "too_late")
    payer.load()
    told["deaths"] = payer.pay(september)
    told["september again"] = payer.pay(september)
    yield payer, told


def new_months(run: int, *months: str, amount: str) -> list[tuple[int, str, str, str]]:
    return [(run, month, "NEW_MONTH", amount) for month in months]


def test_in_arrears_a_month_is_paid_when_it_is_over_and_in_advance_when_it_begins(story: Story) -> None:
    payer, told = story
    assert told["in arrears"].posting_run == 1
    assert payer.lines("K2", "plain") == [
        *new_months(1, "01", amount="60.00"),
        *new_months(2, "02", amount="60.00"),
        *new_months(3, "03", amount="60.00"),
        *new_months(6, *MONTHS[3:9], amount="60.00"),
    ]


def test_the_same_day_with_nothing_new_adds_nothing_to_any_table(story: Story) -> None:
    payer, told = story
    assert told["february again"].posting_run is None
    assert told["september again"].posting_run is None
    assert told["deaths"].posting_run == 6
    for table in (CAPITATION_LEDGER, CAPITATION_UNPOSTED, MEMBER_MONTH_CHANGES, CAPITATION_RUNS):
        assert payer.read(table).agg(F.max("posting_run").alias("last")).collect()[0]["last"] == 6
    assert told["september again"].membership[0].differences == told["deaths"].membership[0].differences


def test_a_list_row_that_is_recorded_later_is_not_known_before(story: Story) -> None:
    payer, _ = story
    for who in ("late_row", "late_cover"):
        assert payer.lines("K1", who) == [
            (3, "01", "RETRO_ENROLLMENT", "100.00"),
            (3, "02", "RETRO_ENROLLMENT", "100.00"),
            (3, "03", "NEW_MONTH", "100.00"),
            *new_months(6, *MONTHS[3:9], amount="100.00"),
        ]
        assert [row[1:4] for row in payer.changes(who)] == [
            (3, date(2023, 1, 1), "RETRO_ENROLLMENT"),
            (3, date(2023, 2, 1), "RETRO_ENROLLMENT"),
        ]


def test_who_is_enrolled_again_is_paid_for_the_months_that_she_is_and_no_others(story: Story) -> None:
    payer, _ = story
    assert payer.lines("K1", "back") == [
        *new_months(1, "01", amount="100.00"),
        *new_months(2, "02", amount="100.00"),
        (3, "02", "RETRO_TERMINATION", "-100.00"),
        (4, "03", "RETRO_ENROLLMENT", "100.00"),
        *new_months(6, *MONTHS[3:9], amount="100.00"),
    ]
    assert payer.changes("back") == [
        ("K1", 3, date(2023, 2, 1), "RETRO_TERMINATION", "NOT_ENROLLED"),
        ("K1", 4, date(2023, 3, 1), "RETRO_ENROLLMENT", None),
    ]
    row = (
        payer.read(MEMBERSHIP_RECONCILIATION).where("member_id = 'back' AND coverage_month = '2023-02-01'").collect()[0]
    )
    assert [tuple(one) for one in row["counted_in_runs"]] == [(2, 1), (3, 0), (4, 0), (5, 0)]
    assert (row["exposure_now"], row["payer_amount"], row["ledger_amount"]) == (0, 100, 0)


def test_a_month_of_two_contracts_is_paid_by_the_list_then_by_the_later_row_and_by_both_where_it_is_set(
    story: Story,
) -> None:
    """`both` is on K1's list and attributed to K2's network; `twice` is on K3's list from February."""
    payer, _ = story
    retro = [("RETRO_ENROLLMENT", 4, ""), ("RETRO_TERMINATION", 5, "-")]
    flips = {(run, month, reason, sign) for month in ("01", "02", "03") for reason, run, sign in retro}
    assert payer.lines("K2", "both") == sorted(
        (run, month, reason, f"{sign}60.00") for run, month, reason, sign in flips
    )
    assert payer.lines("K1", "both") == [
        *new_months(1, "01", amount="100.00"),
        *new_months(2, "02", amount="100.00"),
        *new_months(3, "03", amount="100.00"),
        *new_months(6, *MONTHS[3:9], amount="100.00"),
    ]
    assert payer.lines("K1", "twice") == [
        *new_months(1, "01", amount="100.00"),
        *sorted((run, month, reason, f"{sign}100.00") for run, month, reason, sign in flips if month != "01"),
    ]
    assert payer.lines("K3", "twice") == [
        *new_months(2, "02", amount="80.00"),
        *new_months(3, "03", amount="80.00"),
        *new_months(6, *MONTHS[3:9], amount="80.00"),
    ]
    assert {row[4] for row in payer.changes("both") if row[1] == 5} == {"TWO_CONTRACTS"}


def test_a_month_of_two_contracts_is_an_error_where_it_is_set_and_nothing_is_posted(story: Story) -> None:
    payer, _ = story
    payer.load()
    before = payer.read(CAPITATION_LEDGER).count()
    with pytest.raises(InputError, match=r"contract K1, 2023-02: a member is in two contracts; correct the lists"):
        payer.pay(date(2023, 9, 15), overlap="error")
    assert payer.read(CAPITATION_LEDGER).count() == before


def test_a_month_in_medicare_advantage_is_not_due_where_the_contract_lists_the_reason(story: Story) -> None:
    payer, _ = story
    assert [line[1] for line in payer.lines("KR", "managed")] == ["01", *MONTHS[2:9]]
    assert {line[3] for line in payer.lines("KR", "managed")} == {"40.00"}


def test_who_is_on_a_list_and_in_no_enrollment_is_not_due_and_told(story: Story) -> None:
    payer, _ = story
    assert payer.lines("K1", "ghost") == []
    assert payer.differences("ghost") == [
        ("K1", "02", "PAYER_ONLY", "UNKNOWN_MEMBER"),
        ("K1", "03", "PAYER_ONLY", "UNKNOWN_MEMBER"),
    ]


def test_a_death_reported_eight_months_late_is_taken_back_within_the_limit_and_listed_beyond_it(story: Story) -> None:
    """February and March are seven and six months back: KS may go back three, KL twelve."""
    payer, _ = story
    paid = [(1, "01"), (2, "02"), (3, "03")]
    assert payer.lines("KL", "in_time") == [
        *[(run, month, "NEW_MONTH", "120.00") for run, month in paid],
        (6, "02", "DEATH", "-120.00"),
        (6, "03", "DEATH", "-120.00"),
    ]
    assert payer.lines("KS", "too_late") == [(run, month, "NEW_MONTH", "30.00") for run, month in paid]
    kept = payer.read(CAPITATION_UNPOSTED).where("posting_run = 6").orderBy("coverage_month").collect()
    names = (
        "contract_id",
        "member_id",
        "reason",
        "due_amount",
        "posted_amount",
        "unposted_amount",
        "unposted_withhold",
    )
    told = ("KS", "too_late", "DEATH", Decimal(0), Decimal(30), Decimal(-30), Decimal("-1.50"))
    assert [tuple(row[name] for name in names) for row in kept] == [told, told]
    for who, contract_id in (("in_time", "KL"), ("too_late", "KS")):
        months = (date(2023, 2, 1), date(2023, 3, 1))
        assert payer.changes(who) == [(contract_id, 6, month, "DEATH", "DECEASED") for month in months]


def test_a_month_that_costs_nothing_is_told_as_changed_in_every_later_run(story: Story) -> None:
    """No line of the ledger tells of it."""
    payer, _ = story
    months = [(date(2023, month, 1), [(1, 1)] if month == 1 else []) for month in (1, 2)]
    assert payer.lines("KZ", "free") == []
    assert payer.changes("free") == [("KZ", 3, month, "RETRO_TERMINATION", "NOT_LISTED") for month, _ in months]
    rows = payer.read(MEMBERSHIP_RECONCILIATION).where("member_id = 'free'").orderBy("coverage_month").collect()
    later = [(3, 0), (4, 0), (5, 0)]
    assert [(row["coverage_month"], [tuple(one) for one in row["counted_in_runs"]]) for row in rows] == [
        (month, [*first, (2, 1), *later]) for month, first in months
    ]


def test_a_new_name_and_a_new_id_pay_nothing_again(story: Story) -> None:
    payer, told = story
    assert payer.lines("KN", "named") == [
        *new_months(1, "01", amount="50.00"),
        *new_months(2, "02", amount="50.00"),
        *new_months(3, "03", amount="50.00"),
        *new_months(6, *MONTHS[3:9], amount="50.00"),
    ]
    assert payer.lines("KO", "moved") == [*new_months(1, "01", amount="70.00"), *new_months(2, "02", amount="70.00")]
    assert payer.lines("KP", "moved") == [
        *new_months(3, "03", amount="70.00"),
        *new_months(6, *MONTHS[3:9], amount="70.00"),
    ]
    assert payer.changes("moved") == payer.differences("moved") == []
    assert [one.changed for one in told["renamed"].membership if one.contract_id in ("KN", "KP")] == [0, 0]


def test_a_closed_contract_pays_to_its_end_and_its_later_rate_is_named_in_a_warning(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    payer, _ = story
    payer.load()
    with caplog.at_level(logging.WARNING, logger="pmpm_spark.capitation"):
        assert payer.pay(date(2023, 9, 15)).posting_run is None
    assert payer.lines("KC", "shut") == new_months(1, "01", amount="90.00")
    assert caplog.messages == ["contract_rates: KC, cell * x * x *: wholly outside the contract, unused"]


def test_the_payers_list_differs_by_member_month_and_reason(story: Story) -> None:
    """K1's months that nobody lists are ours alone; a contract of which the payer lists nothing has no list."""
    payer, told = story
    assert payer.differences("both") == [
        ("K1", "02", "AMOUNT", "NEW_MONTH"),
        *[("K1", month, "OURS_ONLY", "NEW_MONTH") for month in MONTHS[3:9]],
        *[("K2", month, "CHANGED", "RETRO_TERMINATION") for month in MONTHS[:3]],
    ]
    assert payer.differences("back")[:2] == [
        ("K1", "02", "PAYER_ONLY", "NOT_ENROLLED"),
        ("K1", "03", "OURS_ONLY", "RETRO_ENROLLMENT"),
    ]
    assert payer.differences("stranger") == [("K1", "01", "PAYER_ONLY", "UNKNOWN_MEMBER")]
    assert payer.differences("plain") == [("K1", "01", "PAYER_ONLY", "NOT_LISTED")]
    counted = {one.contract_id: one for one in told["deaths"].membership}
    assert [name for name, one in counted.items() if one.has_payer_list] == ["K1"]
    rows = payer.read(MEMBERSHIP_RECONCILIATION).where("contract_id = 'K1'")
    found = {row["difference"]: row["n"] for row in rows.groupBy("difference").agg(F.count("*").alias("n")).collect()}
    assert counted["K1"].differences == found
    assert counted["KL"].differences == {"CHANGED": 2}
    assert (counted["KL"].changed, counted["KL"].member_months) == (2, 1)


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        ("contract_rates", "K1,2023-01-01,,-1.00", r"contract_rates\.csv: 1 rows cannot be paid by \(line 13, contract K1, cell \* x \* x \*, 2023-01: rate is negative\); correct the list$"),
        ("contracts", f"K9,Ninth,N9,{YEAR},,,1.5,", r"contracts\.csv: 1 rows cannot be paid by \(line 12, contract K9: withhold_share is no share from 0 to 1\)"),
        ("contracts", "K9,Ninth,N9,2023-02-01,2023-01-31,,,0,", r"end_date is before start_date"),
        ("contract_rates", "K1,2023-01-01,,101.00", r"contract_rates\.csv: 1 rows cannot be paid by \(line 2, contract K1, cell \* x \* x \*, 2023-01: two rows of one key\)"),
        ("contract_rates", "K1,2022-01-01,2022-12-31,9999999999999999.99", r"contract K1, cell \* x \* x \*, 2022-01: rate 9999999999999999.99 is above 1,000,000; correct the list"),
        ("contract_rates", "K9,2023-01-01,,1.00", "contract_rates: K9 is not among contracts"),
        ("contract_members", "K1,both,2023-99-01,,", r"contract_members\.csv: 1 rows cannot be paid by \(line \d+, contract K1: start_date is not a date\); correct the list$"),
        ("contract_members", "K9,both,2023-01-01,,", "contract_members: K9 is not among contracts"),
        ("payer_member_months", "K9,both,2023-01-01,", "payer_member_months: K9 is not among contracts"),
    ],
)  # fmt: skip
def test_a_row_that_money_cannot_be_paid_by_stops_the_run_before_anything_is_posted(
    story: Story, name: str, row: str, told: str
) -> None:
    payer, _ = story
    before, good = payer.read(CAPITATION_LEDGER).count(), payer.lists
    payer.lists = {**good, name: good[name] + row}
    payer.load()
    payer.lists = good
    with pytest.raises(InputError, match=told) as caught:
        payer.pay(date(2023, 9, 15))
    assert caught.value.exit_code == 2
    assert payer.read(CAPITATION_LEDGER).count() == before


def test_a_contract_that_was_paid_by_its_list_is_not_paid_without_one(story: Story) -> None:
    payer, _ = story
    before, good = payer.read(CAPITATION_LEDGER).count(), payer.lists
    left = good["contract_members"].replace("KL,in_time,2023-01-01,,\n", "")
    payer.lists = {**good, "contract_members": left}
    payer.load()
    payer.lists = good
    with pytest.raises(InputError, match="contract KL was paid by its list, and no row is left of it"):
        payer.pay(date(2023, 9, 15))
    assert payer.read(CAPITATION_LEDGER).count() == before


def test_a_day_that_has_not_come_yet_is_an_error(story: Story) -> None:
    payer, _ = story
    with pytest.raises(InputError, match="a day that has not come yet"):
        payer.pay(date.today() + timedelta(days=1))


def test_the_command_prints_a_line_of_counts_for_each_contract_and_shows_the_differences(
    story: Story, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pmpm_spark.cli import main

    payer, _ = story
    payer.load()
    assert main(["capitate", "--config", str(payer.config_file), "--as-of", "2023-09-15"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert (
        "KL: 1 member months due, 0 counted otherwise than by the run before; differences: 2 CHANGED (the payer lists no month)"
        in out
    )
    assert out[-1].startswith("as of 2023-09-15: nothing changed, nothing is posted; run ")
    assert main(["show", "membership_reconciliation", "--config", str(payer.config_file), "--format", "csv"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("contract_id,member_id,coverage_month,as_of,exposure_now,counted_in_runs,payer_listed,")
    assert len(shown) == 1 + payer.read(MEMBERSHIP_RECONCILIATION).count()
    assert main(["capitate", "--config", str(payer.config_file), "--as-of", "2023-09-14"]) == 2
    assert "a later day was posted already" in capsys.readouterr().err


def test_a_change_that_moves_no_money_takes_a_number_on_the_same_day_and_once(
    spark: SparkSession, engine: str, tmp_path: Path
) -> None:
    payer = Payer(spark, tmp_path / "payer", engine, coverage(["free"]), "free | 1950-01-15 | F | -")
    payer.lists = {
        "contracts": f"KZ,For nothing,N1,{YEAR},,,0,",
        "contract_rates": "KZ,2023-01-01,,0.00",
        "contract_members": "KZ,free,2023-01-01,,",
    }
    payer.load()
    day = date(2023, 2, 15)
    assert payer.pay(day).posting_run == 1
    payer.lists["contract_members"] = "KZ,free,2023-01-01,2023-01-31,"
    payer.load()
    found = payer.pay(day)
    assert (found.posting_run, found.contracts[0].lines, found.membership[0].changed) == (2, 0, 1)
    assert payer.pay(day).posting_run is None
    assert payer.changes("free") == [("KZ", 2, date(2023, 2, 1), "RETRO_TERMINATION", "NOT_LISTED")]
