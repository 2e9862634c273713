"""The oracle itself, on small hand-made RIF files whose answers were worked out by hand; no Spark.

An oracle that nobody checks proves nothing. Each test writes a few people's files in the real layout, and the
expected figures stand beside them. The last tests hold it against the published totals of the shared data.
"""

from __future__ import annotations

import datetime as dt
import gzip
import os
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.panel import ATTRIBUTION, ATTRIBUTION_ROWS, ROSTER, ROSTER_ROWS, SCORE_ROWS, SCORES, write_files
from tests.rif_files import claim, enrolled, heading, visit, write

from .rif_duckdb import OracleSettings, Result, check_identities, compute, read_inputs, recompute

REPOSITORY = Path(__file__).parents[2]
CUT = REPOSITORY / "tests" / "data" / "rif"
SHARED_DATA = Path(os.environ.get("PMPM_SHARED", REPOSITORY.parent / "shared")) / "data"

FACTORS = {
    2019: Decimal("1.1781502149"),
    2020: Decimal("1.1933586994"),
    2021: Decimal("0.9472285591"),
    2022: Decimal("1.1127651982"),
    2023: Decimal("1.1343580715"),
}

HCPCS = "hcpcs,first_year,last_year,source\n99213,2019,2023,test\nG2211,2022,2023,test\n"

YEAR_2021 = OracleSettings(performance_years=(2021,), part_a_b="current_month")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., duckdb.DuckDBPyConnection]:
    """Reads the folder `rif` of the test's directory with the given side inputs."""

    def read_folder(*, roster: str = "", scores: str = "", attribution: str = "") -> duckdb.DuckDBPyConnection:
        paths = {}
        for name, head, rows in (
            ("network_roster", ROSTER, roster),
            ("risk_scores", SCORES, scores),
            ("member_attribution", ATTRIBUTION, attribution),
        ):
            paths[name] = tmp_path / f"{name}.csv"
            paths[name].write_text(head + rows)
        (tmp_path / "hcpcs.csv").write_text(HCPCS)
        return read_inputs(tmp_path / "rif", primary_care_hcpcs=tmp_path / "hcpcs.csv", **paths)

    return read_folder


def computed(
    con: duckdb.DuckDBPyConnection,
    settings: OracleSettings = YEAR_2021,
    factors: dict[int, Decimal] = FACTORS,
) -> Result:
    result = compute(con, factors=factors, settings=settings)
    check_identities(result)
    return result


def changed(settings: OracleSettings, **changes: Any) -> OracleSettings:
    return OracleSettings(**{**vars(settings), **changes})


def money(text: str) -> Decimal:
    return Decimal(text)


def found(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def paid_lines(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, Decimal, bool]]:
    return con.execute("SELECT claim_id, line_number, paid_amount, is_denied FROM lines ORDER BY ALL").fetchall()


# ------------------------------------------------------------------------------------------
# Eligible months
# ------------------------------------------------------------------------------------------

LETTERS = {
    "DECEASED": "D",
    "NOT_ENROLLED": "N",
    "NOT_IN_PART_A_AND_B": "P",
    "MEDICARE_ADVANTAGE": "A",
    "MEDICARE_SECONDARY": "S",
    "NON_US_RESIDENT": "F",
}


def calendar(result: Result, year: int = 2021) -> dict[str, str]:
    """Every member's months of a year in order, a letter for each reason, `.` for an eligible month."""
    months: dict[str, list[str]] = defaultdict(list)
    for row in result["member_months"]:
        if row["performance_year"] == year:
            reasons = "".join(LETTERS[reason] for reason in row["reasons"])
            assert row["is_eligible"] == (reasons == "")
            months[row["member_id"]].append(reasons or ".")
    return {member: " ".join(letters) for member, letters in months.items()}


@pytest.fixture
def enrollment(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    write(
        tmp_path / "rif",
        "beneficiary_2020.csv",
        "beneficiary",
        enrolled("always", 2020),
        enrolled("dead", 2020),
        enrolled("late", 2020, "      333333"),
        enrolled("gap", 2020),
        enrolled("a_only", 2020),
        enrolled("advantage", 2020, hmo="111111111111"),
        enrolled("secondary", 2020),
        enrolled("abroad", 2020, STATE_CODE="58"),
        enrolled("left", 2020),
    )
    write(
        tmp_path / "rif",
        "beneficiary_2021.csv",
        "beneficiary",
        enrolled("always", 2021),
        enrolled("dead", 2021, "333         ", DEATH_DT="15-Mar-2021"),
        enrolled("late", 2021, "CCCCCCCCCCCC"),
        enrolled("gap", 2021, "3333 3333333"),
        enrolled("a_only", 2021, "3333333333A1"),
        enrolled("advantage", 2021, hmo="     C40    "),
        enrolled("secondary", 2021, "33333333330 "),
        enrolled("abroad", 2021, STATE_CODE="58"),
    )
    write(
        tmp_path / "rif",
        "carrier.csv",
        "carrier",
        # begun in January: the month of the last service date is the one in which another payer is primary
        claim("carrier", "s1", "secondary", "30-Jan-2021", "02-Feb-2021", "1", LINE_BENE_PRMRY_PYR_CD="A"),
        claim(
            "carrier", "s2", "secondary", "05-Apr-2021", "05-Apr-2021", "1",
            LINE_BENE_PRMRY_PYR_CD="B", CARR_CLM_PMT_DNL_CD="0",
        ),
        claim("carrier", "s3", "secondary", "05-May-2021", "05-May-2021", "1", LINE_BENE_PRMRY_PYR_CD="C"),
        claim("carrier", "s4", "secondary", "05-Dec-2021", "05-Dec-2021", "1", LINE_BENE_PRMRY_PYR_CD="W"),
    )  # fmt: skip
    write(
        tmp_path / "rif",
        "hha.csv",
        "hha",
        claim("hha", "s5", "secondary", "05-Jun-2021", "05-Jun-2021", "1"),
        # named on one line, it holds for the claim
        claim("hha", "s5", "secondary", "05-Jun-2021", "05-Jun-2021", "1", number=2, NCH_PRMRY_PYR_CD="L"),
    )
    return read()


def test_months_of_the_current_month_rule(enrollment: duckdb.DuckDBPyConnection) -> None:
    assert calendar(computed(enrollment)) == {
        "always": ". . . . . . . . . . . .",
        "dead": ". . . D D D D D D D D D",
        "late": ". . . . . . . . . . . .",
        "gap": ". . . . NP . . . . . . .",
        "a_only": ". . . . . . . . . . P P",
        "advantage": ". . . . . A . . . . . .",
        "secondary": ". S . . . S . . . . NP NPS",
        "abroad": ". . . . . . . . . . . .",
    }


def test_months_of_the_full_window(enrollment: duckdb.DuckDBPyConnection) -> None:
    assert calendar(computed(enrollment, changed(YEAR_2021, part_a_b="full_window"))) == {
        "always": ". . . . . . . . . . . .",
        # tested up to the month of death
        "dead": ". . . D D D D D D D D D",
        "late": "P P P P P P P P P P P P",
        "gap": "P P P P NP P P P P P P P",
        "a_only": "P P P P P P P P P P P P",
        "advantage": ". . . . . A . . . . . .",
        "secondary": "P PS P P P PS P P P P NP NPS",
        "abroad": ". . . . . . . . . . . .",
    }


def test_months_without_a_test_of_parts_and_with_every_other_switch_turned(
    enrollment: duckdb.DuckDBPyConnection,
) -> None:
    settings = changed(
        YEAR_2021,
        part_a_b="none",
        exclude_medicare_advantage=False,
        exclude_medicare_secondary=False,
        exclude_non_us=True,
    )
    assert calendar(computed(enrollment, settings)) == {
        "always": ". . . . . . . . . . . .",
        "dead": ". . . D D D D D D D D D",
        "late": ". . . . . . . . . . . .",
        "gap": ". . . . N . . . . . . .",
        "a_only": ". . . . . . . . . . . .",
        "advantage": ". . . . . . . . . . . .",
        "secondary": ". . . . . . . . . . N N",
        "abroad": "F F F F F F F F F F F F",
    }


def test_a_window_that_ends_before_the_year_does_asks_for_the_month_itself_too(
    enrollment: duckdb.DuckDBPyConnection,
) -> None:
    # July 2020 to June 2021
    settings = changed(YEAR_2021, part_a_b="full_window", window_months=12, lag_months=6)
    months = calendar(computed(enrollment, settings))
    assert months["secondary"] == ". S . . . S . . . . NP NPS"
    assert months["late"] == ". . . . . . . . . . . ."
    assert months["gap"] == "P P P P NP P P P P P P P"
    assert months["a_only"] == ". . . . . . . . . . P P"


def test_a_month_without_coverage_is_not_in_both_parts_even_outside_the_window(
    enrollment: duckdb.DuckDBPyConnection,
) -> None:
    # July to December 2021: May lies before it
    settings = changed(YEAR_2021, part_a_b="full_window", window_months=6)
    assert calendar(computed(enrollment, settings))["gap"] == ". . . . NP . . . . . . ."


def test_months_are_told_from_the_first_to_the_last_in_which_anybody_is_covered(
    tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    # 2020 tells from March, 2022 tells January alone: neither the months before nor those after exist.
    write(tmp_path / "rif", "b20", "beneficiary", enrolled("one", 2020, "  3333333333"))
    write(tmp_path / "rif", "b21", "beneficiary", enrolled("one", 2021), enrolled("two", 2021))
    write(tmp_path / "rif", "b22", "beneficiary", enrolled("one", 2022, "3           "))
    settings = OracleSettings(performance_years=(2020, 2021, 2022))
    result = computed(read(), settings)
    assert calendar(result, 2020) == {"one": ". . . . . . . . . ."}
    assert calendar(result, 2021) == {
        "one": ". . . . . . . . . . . .",
        "two": "P P P P P P P P P P P P",
    }
    assert calendar(result, 2022) == {"one": "."}


def test_enrollment_types_and_ages(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    write(
        tmp_path / "rif", "b", "beneficiary",
        enrolled("esrd", 2021, status="31", BENE_BIRTH_DT="01-FEB-1950"),
        enrolled("disabled", 2021, status="20", dual="02"),
        enrolled("dual", 2021, status="10", dual="3"),
        enrolled("dual_8", 2021, status="10", dual="08", BENE_BIRTH_DT="29-Feb-1944"),
        enrolled("no_dual", 2021, status="10", dual="09"),
        enrolled("untold", 2021, status=" ", BENE_BIRTH_DT=""),
    )  # fmt: skip
    rows = computed(read())["member_months"]
    assert {row["member_id"]: row["enrollment_type"] for row in rows} == {
        "esrd": "ESRD",
        "disabled": "DISABLED",
        "dual": "AGED_DUAL",
        "dual_8": "AGED_DUAL",
        "no_dual": "AGED_NON_DUAL",
        "untold": "OTHER",
    }
    ages: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        ages[row["member_id"]].append(row["age"])
    assert ages["esrd"] == [70] + [71] * 11
    assert ages["dual_8"] == [76] * 2 + [77] * 10
    assert ages["untold"] == [None] * 12


def test_the_later_enrollment_row_of_a_member_and_year_stands(
    tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    write(tmp_path / "rif", "a.csv", "beneficiary", enrolled("m", 2021), enrolled("n", 2021))
    # The year is in the row, not in the file's name; the last row of the last file wins.
    write(
        tmp_path / "rif", "b_2019.csv", "beneficiary",
        enrolled("m", 2021, "1           "), enrolled("m", 2021, "33          ", DEATH_DT="01-Feb-2021"),
        enrolled("n", 2021),
    )  # fmt: skip
    result = computed(read())
    assert calendar(result) == {"m": ". . D D D D D D D D D D", "n": ". . . . . . . . . . . ."}
    assert found(result["load_counts"], "file", "accepted", "rejected", "duplicate", "superseded") == [
        ("a.csv", 0, 0, 1, 1),
        ("b_2019.csv", 2, 0, 0, 1),
    ]


def test_part_c_by_contract(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    write(
        tmp_path / "rif", "b", "beneficiary",
        enrolled("plan", 2021, contract="H1234"), enrolled("none", 2021, contract="N"),
        enrolled("zero", 2021, contract="0"), enrolled("blank", 2021, hmo="AAAAAAAAAAAA"),
    )  # fmt: skip
    con = read()
    by_contract = calendar(computed(con, changed(YEAR_2021, part_c="part_c_contract")))
    assert {member for member, months in by_contract.items() if "A" in months} == {"plan"}
    by_indicator = calendar(computed(con))
    assert {member for member, months in by_indicator.items() if "A" in months} == {"blank"}


# ------------------------------------------------------------------------------------------
# Which rows stand
# ------------------------------------------------------------------------------------------


def test_of_two_deliveries_the_later_stands_and_only_final_lines_count(
    tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    day = "10-Feb-2021"

    def of(claim_id: str, paid: str, number: int = 1, **more: str) -> str:
        return claim("carrier", claim_id, "m", day, day, paid, number=number, **more)

    january, february = {"NCH_WKLY_PROC_DT": "08-Jan-2021"}, {"NCH_WKLY_PROC_DT": "05-Feb-2021"}
    write(tmp_path / "rif", "beneficiary.csv", "beneficiary", enrolled("m", 2021))
    write(
        tmp_path / "rif", "carrier_1.csv", "carrier",
        of("plain", "10.00"), of("plain", "20", 2), of("plain", "20", 2),
        # the later processing date wins whatever the file: three lines become one
        of("by_date", "1.00", **february),
        # UPDATE after INSERT of one date
        of("updated", "100.00", **january), of("updated", "7.00", 2, **january),
        # INSERT of a later date after an UPDATE of an earlier one
        of("inserted", "8.00", **february),
        of("not_final", "11.00", **january),
        # one delivery in two files: line 1 comes again
        of("in_parts", "5.00", 1, **january), of("in_parts", "6.00", 2, **january),
        of("never_final", "9.00", FINAL_ACTION="N"),
    )  # fmt: skip
    write(
        tmp_path / "rif", "carrier_2.csv", "carrier",
        of("by_date", "2.00", 1, **january), of("by_date", "3.00", 2, **january),
        of("updated", "60.00", DML_IND="UPDATE", **january),
        of("inserted", "4.00", DML_IND="UPDATE", **january),
        of("not_final", "11.00", DML_IND="UPDATE", FINAL_ACTION="N", **january),
        of("in_parts", "5.50", 1, **january), of("in_parts", "0.25", 3, **january),
    )  # fmt: skip
    con = read()
    assert paid_lines(con) == [
        ("by_date", 1, money("1.00"), False),
        ("in_parts", 1, money("5.50"), False),
        ("in_parts", 2, money("6.00"), False),
        ("in_parts", 3, money("0.25"), False),
        ("inserted", 1, money("8.00"), False),
        ("plain", 1, money("10.00"), False),
        ("plain", 2, money("20.00"), False),
        ("updated", 1, money("60.00"), False),
    ]
    counts = found(computed(con)["load_counts"], "file", "rows_read", "accepted", "duplicate", "superseded")
    assert counts == [
        ("beneficiary.csv", 1, 1, 0, 0),
        # duplicate: a line of plain; superseded: updated (2), not_final, in_parts line 1, never_final
        ("carrier_1.csv", 11, 5, 1, 5),
        # superseded: by_date (2), inserted, not_final
        ("carrier_2.csv", 7, 3, 0, 4),
    ]


def test_versions_of_institutional_claims_and_of_drug_events(
    tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    day = "10-Feb-2021"
    write(tmp_path / "rif", "beneficiary.csv", "beneficiary", enrolled("m", 2021))
    first = {"NCH_WKLY_PROC_DT": "08-Jan-2021"}
    write(
        tmp_path / "rif", "snf/part-0.csv", "snf",
        claim("snf", "7", "m", day, day, "500.00", number=1, **first),
        claim("snf", "7", "m", day, day, "500.00", number=2, **first),
        claim("snf", "7", "m", day, day, "450.00", number=2, DML_IND="UPDATE", **first),
        claim("snf", "7", "m", day, day, "450.00", number=3, DML_IND="UPDATE", **first),
    )  # fmt: skip
    write(
        tmp_path / "rif", "pde/part-0.csv", "pde",
        # an id of its own kind: claim 7 and fill 7 are two things
        claim("pde", "7", "m", "", day, "30.00"),
        claim("pde", "8", "m", "", day, "31.00", PD_DT="20-Feb-2021"),
        claim("pde", "8", "m", "", day, "32.00", PD_DT="21-Feb-2021"),
    )  # fmt: skip
    con = read()
    assert paid_lines(con) == [
        ("7", 1, money("30.00"), False),
        ("7", 2, money("450.00"), False),  # the payment stands on the first line that stands
        ("7", 3, money("0.00"), False),
        ("8", 1, money("32.00"), False),
    ]


def test_denied_lines(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    day = "10-Feb-2021"
    write(tmp_path / "rif", "beneficiary.csv", "beneficiary", enrolled("m", 2021))
    write(
        tmp_path / "rif", "carrier.csv", "carrier",
        claim("carrier", "claim_denied", "m", day, day, "1.00", number=1, CARR_CLM_PMT_DNL_CD="0"),
        claim("carrier", "claim_denied", "m", day, day, "2.00", number=2, CARR_CLM_PMT_DNL_CD="0"),
        claim("carrier", "by_line", "m", day, day, "4.00", number=1, LINE_PRCSG_IND_CD="R"),
        claim("carrier", "by_line", "m", day, day, "8.00", number=2, LINE_PRCSG_IND_CD="O"),
        claim("carrier", "by_line", "m", day, day, "16.00", number=3, LINE_PRCSG_IND_CD=" "),
    )  # fmt: skip
    write(
        tmp_path / "rif", "dme.csv", "dme",
        claim("dme", "supply", "m", day, day, "32.00", LINE_PRCSG_IND_CD="D"),
        claim("dme", "supply", "m", day, day, "64.00", number=2, LINE_PRCSG_IND_CD="S"),
    )  # fmt: skip
    write(
        tmp_path / "rif", "hospice.csv", "hospice",
        claim("hospice", "no_payment", "m", day, day, "128.00", CLM_MDCR_NON_PMT_RSN_CD="P"),
        claim("hospice", "no_payment", "m", day, day, "128.00", number=2, CLM_MDCR_NON_PMT_RSN_CD="P"),
    )  # fmt: skip
    result = computed(read())
    assert found(result["network_pmpm"], "paid_amount") == [(money("84.00"),)]
    dollars = [row for row in result["excluded"] if row["kind"] == "dollar"]
    assert found(dollars, "reason", "claim_lines", "paid_amount") == [("DENIED", 6, money("171.00"))]


def test_rows_that_cannot_be_read_are_rejected_and_odd_but_readable_ones_are_not(
    tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]
) -> None:
    day = "10-Feb-2021"

    def of(claim_id: str, paid: str = "1.00", **more: str) -> str:
        return claim("carrier", claim_id, "m", day, day, paid, **more)

    folder = tmp_path / "rif"
    write(
        folder, "carrier.csv", "carrier",
        of("cut").removesuffix("|"),
        of("one_more") + "|0",
        of("two_more") + "||",
        of("no_number", "12,50"),
        of("no_date", LINE_LAST_EXPNS_DT="31-Feb-2021"),
        of("unused_date", CLM_FROM_DT="2021-02-10"),
        of("backwards", LINE_1ST_EXPNS_DT="11-Feb-2021"),
        of("no_member", BENE_ID=" "),
        of(" "),
        of("no_line", LINE_NUM=""),
        of("no_day", LINE_LAST_EXPNS_DT="", CLM_THRU_DT=""),
        "",
        of("closed") + "|",
        of("spaced", " 2.5 ", LINE_LAST_EXPNS_DT=" "),
        of("upper", "-.5", LINE_LAST_EXPNS_DT="10-FEB-2021"),
        of("empty", ""),
        of("quoted", CARR_CLM_CNTL_NUM='"'),
        # no fallback needed where the line has its own dates
        of("own_dates", CLM_THRU_DT="", CLM_FROM_DT=""),
    )  # fmt: skip
    compressed = gzip.compress(("|".join(heading("carrier")) + "\r\n" + of("packed") + "\r\n").encode())
    (folder / "nested").mkdir()
    (folder / "nested" / "more.csv.gz").write_bytes(compressed)
    marked = "\ufeff" + "|".join(heading("beneficiary")) + "\n"
    (folder / "enrollment.csv").write_text(
        marked
        + "\n".join([enrolled("m", 2021), enrolled("m", 0), enrolled("", 2021), enrolled("q", 2021, DEATH_DT="?")]),
        encoding="utf-8",
    )
    (folder / "network_roster.csv").write_text("network_id,tin\n")
    (folder / "_SUCCESS").write_text("")
    write(folder, "hospice.csv", "hospice")
    con = read()
    assert {(claim_id, paid) for claim_id, _, paid, _ in paid_lines(con)} == {
        ("closed", money("1.00")),
        ("spaced", money("2.50")),
        ("upper", money("-0.50")),
        ("empty", money("0.00")),
        ("quoted", money("1.00")),
        ("own_dates", money("1.00")),
        ("packed", money("1.00")),
    }
    counts = found(computed(con)["load_counts"], "kind", "file", "rows_read", "accepted", "rejected")
    assert counts == [
        ("beneficiary", "enrollment.csv", 4, 1, 3),
        ("carrier", "carrier.csv", 17, 6, 11),
        ("carrier", "nested/more.csv.gz", 1, 1, 0),
        ("hospice", "hospice.csv", 0, 0, 0),
    ]


def test_a_heading_of_no_known_kind_is_refused(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    (tmp_path / "rif").mkdir()
    (tmp_path / "rif" / "strange.txt").write_text("ONE|TWO\n1|2\n")
    with pytest.raises(ValueError, match=r"strange\.txt"):
        read()


# ------------------------------------------------------------------------------------------
# Dollars, networks, risk
# ------------------------------------------------------------------------------------------


@pytest.fixture
def panel(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """The people of tests/panel.py, whose figures were worked out by hand."""
    write_files(tmp_path / "rif")
    return read(roster=ROSTER_ROWS, scores=SCORE_ROWS, attribution=ATTRIBUTION_ROWS)


FIGURES = (
    "network_id", "members", "member_months", "paid_amount", "in_network_paid_amount", "scored_members",
    "risk_score", "normalized_risk_score", "adjusted_amount",
)  # fmt: skip


def test_networks_of_the_panel(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel, factors={2021: Decimal("0.8")})
    assert found(result["network_pmpm"], *FIGURES) == [
        ("N1", 1, 12, money("1320.00"), money("1120.00"), 1, 1.2, 1.5, money("880.00")),
        # 40 / 1.125 = 35.555...
        ("N2", 1, 3, money("40.00"), money("40.00"), 1, 0.9, 1.125, money("35.56")),
        ("UNATTRIBUTED", 1, 12, money("799.99"), money("0.00"), 0, None, None, None),
    ]
    first, second, nobody = result["network_pmpm"]
    assert (first["network_name"], first["network_type"]) == ("First", "MSSP")
    assert (first["pmpm"], first["adjusted_pmpm"]) == (110.0, 880.0 / 12)
    assert second["adjusted_pmpm"] == pytest.approx(40 / 1.125 / 3, rel=1e-15)
    assert (nobody["network_name"], nobody["adjusted_pmpm"]) == (None, None)
    assert all(row["counted_amount"] == row["paid_amount"] for row in result["network_pmpm"])
    assert all(row["is_small_cell"] for row in result["network_pmpm"])


def test_practices_and_physicians_of_the_panel(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel)
    assert found(result["practice_pmpm"], "network_id", "practice_tin", "paid_amount") == [
        ("N1", "111", money("1320.00")),
        ("N2", "222", money("40.00")),
        ("UNATTRIBUTED", "UNATTRIBUTED", money("799.99")),
    ]
    assert found(result["physician_pmpm"], "network_id", "physician_npi", "member_months") == [
        ("N1", "9001", 12),
        ("N2", "9002", 3),
        ("UNATTRIBUTED", "UNATTRIBUTED", 12),
    ]


def test_excluded_months_and_dollars_of_the_panel(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel)
    assert found(result["excluded"], "kind", "reason", "member_months", "claim_lines", "paid_amount") == [
        ("dollar", "DECEASED", None, 1, money("70.00")),
        ("dollar", "DENIED", None, 1, money("30.00")),
        ("dollar", "NOT_ENROLLED", None, 1, money("25.00")),
        ("dollar", "PHARMACY", None, 1, money("55.50")),
        ("month", "DECEASED", 9, None, None),
    ]
    assert found(result["totals"], "all_months", "counted_months", "excluded_months") == [(36, 27, 9)]
    assert found(result["totals"], "all_paid_amount", "counted_paid_amount", "excluded_paid_amount") == [
        (money("2340.49"), money("2159.99"), money("180.50"))
    ]


def test_months_and_categories_of_the_panel(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel)
    months = [row for row in result["network_pmpm_by_month"] if row["network_id"] == "N1"]
    assert found(months, "members", "member_months") == [(1, 1)] * 12
    assert {row["member_month"]: row["paid_amount"] for row in months if row["paid_amount"]} == {
        dt.date(2021, 2, 1): money("80.00"),
        dt.date(2021, 4, 1): money("1040.00"),
        dt.date(2021, 5, 1): money("200.00"),
    }
    categories = [row for row in result["network_pmpm_by_category"] if row["network_id"] == "N1"]
    columns = ("service_category", "in_total", "member_months", "claim_lines", "services", "paid_amount")
    assert found(categories, *columns) == [
        ("emergency", True, 12, 2, 1, money("200.00")),
        ("inpatient", True, 12, 3, 1, money("1040.00")),
        ("pharmacy", False, 12, 1, 1, money("55.50")),
        ("professional", True, 12, 1, 1, money("80.00")),
    ]
    # counts a thousand members would have in twelve months
    assert found(categories, "lines_per_1000")[1] == (3000.0,)
    pharmacy = [row for row in result["network_pmpm_by_category"] if row["service_category"] == "pharmacy"]
    assert found(pharmacy, "network_id", "claim_lines") == [("N1", 1), ("N2", 0), ("UNATTRIBUTED", 0)]


def test_the_panel_by_first_dates_with_pharmacy(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel, changed(YEAR_2021, claim_month="from", include_pharmacy=True))
    (first, *_) = result["network_pmpm"]
    # home health began in December, and the drug counts
    assert first["paid_amount"] == money("1408.50")
    paid = {
        row["member_month"].month: row["paid_amount"]
        for row in result["network_pmpm_by_month"]
        if row["network_id"] == "N1" and row["paid_amount"]
    }
    assert paid == {2: money("80.00"), 3: money("1040.00"), 5: money("255.50"), 12: money("33.00")}
    assert "PHARMACY" not in {row["reason"] for row in result["excluded"]}


def test_the_panel_by_what_the_networks_were_paid(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel, changed(YEAR_2021, basis="reimbursed_to_network"))
    assert found(result["network_pmpm"], "network_id", "member_months", "paid_amount") == [
        ("N1", 12, money("1120.00")),
        ("N2", 3, money("40.00")),
        ("UNATTRIBUTED", 12, money("0.00")),
    ]
    (leaked,) = [row for row in result["excluded"] if row["reason"] == "OUT_OF_NETWORK"]
    assert (leaked["claim_lines"], leaked["paid_amount"]) == (4, money("999.99"))


def test_the_panel_by_the_payers_roster(panel: duckdb.DuckDBPyConnection) -> None:
    result = computed(panel, changed(YEAR_2021, method="roster"))
    # Ann stands on two rosters: the lowest network. Ben has a network and no physician. Eve has no months.
    assert found(result["physician_pmpm"], "network_id", "physician_npi", "members", "paid_amount") == [
        ("N1", "9001", 2, money("2119.99")),
        ("N2", "UNATTRIBUTED", 1, money("40.00")),
    ]
    assert found(result["network_pmpm"], "network_id", "in_network_paid_amount") == [
        ("N1", money("1519.99")),
        ("N2", money("40.00")),
    ]


def test_risk_by_the_population_and_by_months(panel: duckdb.DuckDBPyConnection) -> None:
    # Ann 1.2 for 12 months, Ben 0.9 for 3
    by_member = computed(panel, changed(YEAR_2021, normalization="population"), factors={})
    assert found(by_member["network_pmpm"], "normalization_factor", "normalized_risk_score")[:2] == [
        (1.05, pytest.approx(1.2 / 1.05, rel=1e-15)),
        (1.05, pytest.approx(0.9 / 1.05, rel=1e-15)),
    ]
    settings = changed(YEAR_2021, normalization="population", weighting="member_months", method="roster")
    by_month = computed(panel, settings, factors={})
    assert [row["normalization_factor"] for row in by_month["network_pmpm"]] == [1.14, 1.14]


def test_a_year_with_scores_and_no_factor_is_refused(panel: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="2021"):
        computed(panel, factors={2020: Decimal(1)})


# ------------------------------------------------------------------------------------------
# Attribution
# ------------------------------------------------------------------------------------------


def test_plurality_and_its_ties(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    members = (
        "sum", "later", "network_first", "lowest", "zero", "code", "denied", "year", "two_tins",
        "both_networks",
        "no_tin",
    )  # fmt: skip
    write(tmp_path / "rif", "b", "beneficiary", *(enrolled(member, 2021) for member in members))
    numbers = iter(range(100))

    def seen(member: str, day: str, allowed: str, tin: str, npi: str = "", **more: str) -> str:
        return visit(str(next(numbers)), member, day, allowed, tin, npi, **more)

    write(
        tmp_path / "rif", "carrier", "carrier",
        # a network is one candidate with all its TINs; each TIN outside is its own
        seen("sum", "05-Jan-2021", "60", "1", "901"), seen("sum", "05-Feb-2021", "50", "2", "902"),
        seen("sum", "05-Mar-2021", "100", "8"), seen("sum", "06-Mar-2021", "100", "9"),
        # a tie goes to the latest date
        seen("later", "05-Jan-2021", "100", "1", "901"), seen("later", "06-Jan-2021", "100", "3", "903"),
        # then to a network before a TIN
        seen("network_first", "05-Jan-2021", "100", "3", "903"),
        seen("network_first", "05-Jan-2021", "100", "0"),
        # then to the lowest id
        seen("lowest", "05-Jan-2021", "100", "3", "903"), seen("lowest", "05-Jan-2021", "100", "1", "901"),
        # lines of nothing, of another year's code, denied, of another year
        seen("zero", "05-Jan-2021", "0", "1", "901"),
        seen("code", "05-Jan-2021", "100", "1", "901", HCPCS_CD="G2211"),
        seen("denied", "05-Jan-2021", "100", "1", "901", LINE_PRCSG_IND_CD="D"),
        seen("year", "31-Dec-2020", "100", "1", "901"),
        # the physician is found apart from the practice: 904 has most, though each of its practices has less
        seen("two_tins", "05-Jan-2021", "60", "1", "904"), seen("two_tins", "05-Jan-2021", "60", "2", "904"),
        seen("two_tins", "06-Jan-2021", "70", "2", "905"), seen("two_tins", "07-Jan-2021", "100", "2", ""),
        # a provider in two networks at once goes to the lowest
        seen("both_networks", "05-Jan-2021", "100", "4", "901"),
        # no network and no TIN is no candidate
        seen("no_tin", "05-Jan-2021", "100", "", "901"), seen("no_tin", "05-Jan-2021", "1", "3", "903"),
    )  # fmt: skip
    con = read(roster="A,,,1,,,,\nA,,,2,,,,\nB,,,3,,,,\nB,,,4,,,,\nA,,,4,,,,\n")
    rows = computed(con)["attribution"]
    columns = ("member_id", "network_id", "practice_tin", "physician_npi", "measure_amount")
    assert found(rows, *columns) == [
        ("both_networks", "A", "4", "901", money("100.00")),
        ("code", "UNATTRIBUTED", "UNATTRIBUTED", "UNATTRIBUTED", None),
        ("denied", "UNATTRIBUTED", "UNATTRIBUTED", "UNATTRIBUTED", None),
        ("later", "B", "3", "903", money("100.00")),
        ("lowest", "A", "1", "901", money("100.00")),
        ("network_first", "B", "3", "903", money("100.00")),
        ("no_tin", "B", "3", "903", money("1.00")),
        ("sum", "A", "1", "901", money("110.00")),
        ("two_tins", "A", "2", "904", money("290.00")),
        ("year", "UNATTRIBUTED", "UNATTRIBUTED", "UNATTRIBUTED", None),
        ("zero", "UNATTRIBUTED", "UNATTRIBUTED", "UNATTRIBUTED", None),
    ]
    reasons = {row["unattributed_reason"] for row in rows if row["network_id"] == "UNATTRIBUTED"}
    assert reasons == {"NO_PRIMARY_CARE"}
    runners_up = {row["member_id"]: (row["runner_up_network_id"], row["runner_up_amount"]) for row in rows}
    assert runners_up["sum"] == ("TIN:9", money("100.00"))
    assert runners_up["later"] == ("A", money("100.00"))
    assert runners_up["no_tin"] == (None, None)
    # with the alignment window the visit of December 2020 counts
    widened = computed(con, changed(YEAR_2021, attribution_window="alignment_window"))["attribution"]
    with_measure = [{row["member_id"] for row in told if row["measure_amount"]} for told in (widened, rows)]
    assert with_measure[0] - with_measure[1] == {"year"}


# ------------------------------------------------------------------------------------------
# Services
# ------------------------------------------------------------------------------------------


def test_services(tmp_path: Path, read: Callable[..., duckdb.DuckDBPyConnection]) -> None:
    folder = tmp_path / "rif"
    write(folder, "b", "beneficiary", enrolled("m", 2021), enrolled("gap", 2021, "33333 333333"))
    numbers = iter(range(100, 200))

    def stay(member: str, start: str, thru: str, ccn: str, status: str = "01", admitted: str = "") -> str:
        more = {"PRVDR_NUM": ccn, "PTNT_DSCHRG_STUS_CD": status, "CLM_ADMSN_DT": admitted}
        return claim("inpatient", str(next(numbers)), member, f"{start}-2021", f"{thru}-2021", "1", **more)

    write(
        folder, "inpatient", "inpatient",
        # one: 30 means still a patient, the next claim starts the next day, and shares a day with a third
        stay("m", "01-Jan", "10-Jan", "1", "30"), stay("m", "11-Jan", "20-Jan", "1"),
        stay("m", "20-Jan", "22-Jan", "1"),
        # two: discharged, back on the next day
        stay("m", "01-Feb", "10-Feb", "1"), stay("m", "11-Feb", "12-Feb", "1"),
        # two: still a patient, but elsewhere the next day
        stay("m", "01-Mar", "10-Mar", "1", "30"), stay("m", "11-Mar", "12-Mar", "2"),
        # one: the same admission, whatever the days between
        stay("m", "01-Apr", "05-Apr", "1", admitted="01-Apr-2021"),
        stay("m", "20-Apr", "25-Apr", "1", admitted="01-Apr-2021"),
        # two: still a patient, but a day lies between
        stay("m", "01-Jul", "05-Jul", "1", "30"), stay("m", "07-Jul", "08-Jul", "1"),
        # none: the claim that ends last lies in a month that does not count
        stay("gap", "20-May", "31-May", "1", "30"), stay("gap", "01-Jun", "05-Jun", "1"),
    )  # fmt: skip
    emergency, denied = {"HCPCS_CD": "99284"}, {"CLM_MDCR_NON_PMT_RSN_CD": "N"}
    day = "03-Aug-2021"
    write(
        folder, "outpatient", "outpatient",
        # one visit: two claims of a person and day; another by revenue code the day after; one plain claim
        claim("outpatient", "1", "m", day, day, "1", **emergency),
        claim("outpatient", "2", "m", day, day, "1"),
        claim("outpatient", "2", "m", day, day, "1", number=2, **emergency),
        claim("outpatient", "3", "m", "04-Aug-2021", "04-Aug-2021", "1", REV_CNTR="0981"),
        claim("outpatient", "4", "m", day, day, "1", REV_CNTR="0460"),
        # denied: no visit and no claim
        claim("outpatient", "5", "m", day, day, "1", **emergency, **denied),
        claim("outpatient", "6", "m", "05-Aug-2021", "05-Aug-2021", "1", **emergency, **denied),
    )  # fmt: skip
    write(folder, "hha", "hha", *(claim("hha", "7", "m", day, day, "1", number=n) for n in (1, 2)))
    write(folder, "snf", "snf", claim("snf", "8", "m", day, day, "1"), claim("snf", "9", "m", day, day, "1"))
    write(
        folder,
        "carrier",
        "carrier",
        *(claim("carrier", "9", "m", day, day, "1", number=n) for n in (1, 2, 3)),
    )
    write(folder, "pde", "pde", *(claim("pde", n, "m", "", day, "1") for n in ("1", "2")))
    rows = computed(read())["network_pmpm_by_category"]
    assert found(rows, "service_category", "claim_lines", "services") == [
        ("emergency", 4, 2),
        ("home_health", 2, 1),
        ("inpatient", 12, 8),
        ("outpatient", 1, 1),
        ("pharmacy", 2, 2),
        ("professional", 3, 3),
        ("skilled_nursing", 2, 1),
    ]


# ------------------------------------------------------------------------------------------
# The shared data set
# ------------------------------------------------------------------------------------------

needs_shared_data = pytest.mark.skipif(not (SHARED_DATA / "rif").is_dir(), reason="the shared data set is not here")


@cache
def shared_inputs() -> duckdb.DuckDBPyConnection:
    rif = SHARED_DATA / "rif"
    return read_inputs(
        rif,
        network_roster=rif / "network_roster.csv",
        risk_scores=rif / "risk_scores.csv",
        member_attribution=rif / "member_attribution.csv",
        primary_care_hcpcs=SHARED_DATA / "reference" / "primary_care_hcpcs.csv",
    )


FIVE_YEARS = OracleSettings(performance_years=(2019, 2020, 2021, 2022, 2023))


@needs_shared_data
def test_the_published_totals_of_the_shared_data() -> None:
    totals = compute(shared_inputs(), factors=FACTORS, settings=FIVE_YEARS)["claim_totals"]
    assert {row["claim_type"]: (row["claim_lines"], row["claims"], row["paid_amount"]) for row in totals} == {
        "inpatient": (3_685, 808, money("8889669.86") + money("11500.00")),
        "outpatient": (27_004, 12_779, money("12634841.30")),
        "snf": (1_238, 110, money("1626963.93")),
        "home_health": (420, 31, money("240890.29")),
        "hospice": (1_542, 144, money("1464804.18")),
        "professional": (59_817, 4_530, money("4761549.81")),
        "dme": (4_268, 1_856, money("6197.72")),
        "pharmacy": (26_524, 26_524, money("1213408.30")),
    }
    months = dict(
        shared_inputs()
        .execute("SELECT year(member_month), count(*) FILTER (WHERE has_a_and_b) FROM coverage GROUP BY 1")
        .fetchall()
    )
    assert [months[year] for year in FIVE_YEARS.performance_years] == [3_359, 3_406, 3_345, 3_352, 3_359]


def test_reading_and_computing_in_one_call_gives_the_same() -> None:
    lists = {name: CUT / f"{name}.csv" for name in ("network_roster", "risk_scores", "member_attribution")}
    lists["primary_care_hcpcs"] = REPOSITORY / "pmpm_spark" / "reference" / "primary_care_hcpcs.csv"
    result = recompute(CUT, factors=FACTORS, settings=FIVE_YEARS, **lists)
    assert result == compute(read_inputs(CUT, **lists), factors=FACTORS, settings=FIVE_YEARS)
