"""A roster row matches a line on every id that it fills in, on the line's day, both ends inclusive."""

import random
from datetime import date, timedelta

from pyspark.sql import types as T

from pmpm_spark.model import CLAIM_LINES, FINAL_CLAIM_LINES, NETWORK_ROSTER
from pmpm_spark.silver.roster_match import line_ids, matches_of, shared_providers, with_roster_network
from pmpm_spark.silver.roster_matches import ROSTER_MATCHES, members_of_matches, roster_matches
from tests.tables import assert_table, frame, rows_of

LINES = T.StructType(
    [
        T.StructField("line", T.StringType()),
        T.StructField("tin", T.StringType()),
        T.StructField("npi", T.StringType()),
        T.StructField("ccn", T.StringType()),
        T.StructField("on", T.DateType()),
    ]
)
ROSTER_NAMES = ("network_id", "tin", "npi", "ccn", "start_date", "end_date")


def matched(spark, roster, lines) -> dict[str, str]:
    rows = [
        (line, *["" if cell == "-" else cell for cell in ids], date.fromisoformat(day))
        for line, *ids, day in rows_of(lines)
    ]
    every = spark.createDataFrame(rows, LINES)
    on_lines = with_roster_network(every, matches_of(every, roster), "on")
    found = on_lines.select("line", "roster_network_id").collect()
    assert len(found) == len(rows)
    return {row.line: row.roster_network_id for row in found}


def test_a_roster_row_matches_on_every_id_that_it_fills_in(spark):
    roster = frame(
        spark,
        NETWORK_ROSTER,
        """
        network_id | tin | npi | ccn | start_date | end_date
        by_tin     | T1  | ''  | ''  | 1900-01-01 | 9999-12-31
        by_both    | T2  | N2  | ''  | 1900-01-01 | 9999-12-31
        by_ccn     | ''  | ''  | C3  | 1900-01-01 | 9999-12-31
        by_npi     | ''  | N4  | ''  | 1900-01-01 | 9999-12-31
        by_all     | T5  | N5  | C5  | 1900-01-01 | 9999-12-31
        by_ccn_npi | ''  | N6  | C6  | 1900-01-01 | 9999-12-31
        """,
    )
    found = matched(
        spark,
        roster,
        """
        tin alone             | T1 | -  | -  | 2021-01-01
        tin and any npi       | T1 | N9 | -  | 2021-01-01
        tin and npi           | T2 | N2 | -  | 2021-01-01
        tin without its npi   | T2 | N9 | -  | 2021-01-01
        npi without its tin   | T9 | N2 | -  | 2021-01-01
        tin, npi not told     | T2 | -  | -  | 2021-01-01
        ccn                   | -  | N9 | C3 | 2021-01-01
        npi in any tin        | T9 | N4 | -  | 2021-01-01
        all three             | T5 | N5 | C5 | 2021-01-01
        two of three          | T5 | N5 | -  | 2021-01-01
        ccn and npi           | -  | N6 | C6 | 2021-01-01
        ccn, another npi      | -  | N9 | C6 | 2021-01-01
        npi in the tin's place | N4 | -  | -  | 2021-01-01
        nothing told          | -  | -  | -  | 2021-01-01
        """,
    )
    assert found == {
        "tin alone": "by_tin",
        "tin and any npi": "by_tin",
        "tin and npi": "by_both",
        "tin without its npi": "",
        "npi without its tin": "",
        "tin, npi not told": "",
        "ccn": "by_ccn",
        "npi in any tin": "by_npi",
        "all three": "by_all",
        "two of three": "",
        "ccn and npi": "by_ccn_npi",
        "ccn, another npi": "",
        "npi in the tin's place": "",
        "nothing told": "",
    }


def test_both_ends_of_a_roster_row_are_inclusive_and_of_two_networks_in_effect_the_lowest_id_has_the_line(spark):
    roster = frame(
        spark,
        NETWORK_ROSTER,
        """
        network_id | tin | npi | ccn | start_date | end_date
        NET_2      | T1  | ''  | ''  | 2021-02-01 | 2021-04-30
        NET_1      | T1  | N1  | ''  | 2021-04-01 | 2021-06-30
        NET_10     | T1  | ''  | ''  | 2021-06-30 | 9999-12-31
        """,
    )
    found = matched(
        spark,
        roster,
        """
        day before   | T1 | N1 | - | 2021-01-31
        first day    | T1 | N1 | - | 2021-02-01
        two at once  | T1 | N1 | - | 2021-04-30
        other npi    | T1 | N2 | - | 2021-04-30
        one left     | T1 | N1 | - | 2021-05-01
        text order   | T1 | N1 | - | 2021-06-30
        long after   | T1 | N1 | - | 2023-01-01
        """,
    )
    assert found == {
        "day before": "",
        "first day": "NET_2",
        "two at once": "NET_1",
        "other npi": "NET_2",
        "one left": "NET_1",
        "text order": "NET_1",
        "long after": "NET_10",
    }


def test_the_ids_of_a_line_are_the_rendering_npi_of_a_professional_one_and_who_bills_of_any_other(spark):
    lines = frame(
        spark,
        CLAIM_LINES,
        """
        claim_id | claim_type   | billing_tin | billing_npi | rendering_npi | facility_ccn
        1        | professional | T1          | GROUP       | DOCTOR        | C1
        2        | professional | T1          | GROUP       | -             | -
        3        | inpatient    | -           | HOSPITAL    | SURGEON       | C3
        4        | dme          | T4          | SUPPLIER    | SUPPLIER      | -
        5        | pharmacy     | -           | DRUGSTORE   | PRESCRIBER    | -
        """,
    )
    found = lines.select("claim_id", *line_ids()).collect()
    assert {row.claim_id: (row.tin, row.npi, row.ccn) for row in found} == {
        "1": ("T1", "DOCTOR", ""),
        "2": ("T1", "", ""),
        "3": ("", "HOSPITAL", "C3"),
        "4": ("T4", "SUPPLIER", ""),
        "5": ("", "DRUGSTORE", ""),
    }


def test_each_combination_of_ids_stands_once_with_the_roster_rows_that_it_meets_and_with_whose_lines_it_is(spark):
    """The first two lines carry the same ids; the NPI alone and the tax number alone are the same network's, on the same
    days, once."""
    lines = frame(
        spark,
        FINAL_CLAIM_LINES,
        """
        claim_id | member_id | claim_type   | billing_tin | rendering_npi | billing_npi | facility_ccn
        1        | m1        | professional | T1          | N1            | -           | -
        2        | m2        | professional | T1          | N1            | -           | -
        3        | m3        | professional | T1          | N2            | -           | -
        4        | m4        | inpatient    | T9          | -             | -           | C1
        5        | m5        | dme          | T9          | N1            | -           | -
        """,
    )
    roster = """
        network_id | tin | npi | ccn | start_date | end_date
        A          | T1  | ''  | ''  | 2021-01-01 | 2021-12-31
        A          | ''  | N1  | ''  | 2021-01-01 | 2021-12-31
        B          | T1  | N1  | ''  | 2021-01-01 | 2021-06-30
        B          | ''  | ''  | C1  | 2020-01-01 | 2020-12-31
        C          | T8  | ''  | ''  | 2021-01-01 | 2021-12-31
    """
    matches = roster_matches(lines, frame(spark, NETWORK_ROSTER, roster))
    expected = """
        tin | npi | ccn | network_id | start_date | end_date
        T1  | N1  | ''  | A          | 2021-01-01 | 2021-12-31
        T1  | N1  | ''  | B          | 2021-01-01 | 2021-06-30
        T1  | N2  | ''  | A          | 2021-01-01 | 2021-12-31
        T9  | ''  | C1  | B          | 2020-01-01 | 2020-12-31
    """
    assert_table(matches, ROSTER_MATCHES, spark, expected)
    touched = {n: members_of_matches(matches.where(f"npi = '{n}'"), lines).collect() for n in ("N1", "N2", "")}
    assert {n: {row[0] for row in rows} for n, rows in touched.items()} == {
        "N1": {"m1", "m2"},
        "N2": {"m3"},
        "": {"m4"},
    }


def test_a_provider_on_two_networks_rosters_at_once_is_reported_and_one_that_moved_is_not(spark):
    roster = frame(
        spark,
        NETWORK_ROSTER,
        """
        network_id | tin | npi | ccn | start_date | end_date
        A          | T1  | ''  | ''  | 2021-01-01 | 2021-06-30
        B          | T1  | ''  | ''  | 2021-06-30 | 2021-12-31
        A          | T2  | ''  | ''  | 2021-01-01 | 2021-06-30
        B          | T2  | ''  | ''  | 2021-07-01 | 2021-12-31
        A          | T3  | ''  | ''  | 2021-01-01 | 2021-06-30
        A          | T3  | ''  | ''  | 2021-03-01 | 2021-12-31
        """,
    )
    assert [(row.tin, row.networks) for row in shared_providers(roster).collect()] == [("T1", ["A, B"])]


def test_hundreds_of_random_lines_meet_the_roster_row_by_row(spark):
    draw = random.Random(11)
    day = date(2021, 1, 1)

    def some(stem: str, share: float) -> str:
        return f"{stem}{draw.randint(1, 6)}" if draw.random() < share else ""

    roster = []
    while len(roster) < 60:
        start = day + timedelta(days=draw.choice((0, 100, 200)))
        end = start + timedelta(days=draw.choice((0, 100, 300)))
        ids = (some("T", 0.6), some("N", 0.4), some("C", 0.3))
        if any(ids):
            roster.append((f"NET_{draw.randint(1, 12)}", *ids, start, end))
    near = (0, 99, 100, 101, 200, 300, 400)
    lines = [
        (str(n), some("T", 0.8), some("N", 0.8), some("C", 0.5), day + timedelta(days=draw.choice(near)))
        for n in range(1500)
    ]
    expected = {}
    for line, *ids, on in lines:
        fitting = [
            row[0]
            for row in roster
            if row[4] <= on <= row[5] and all(asked in ("", told) for asked, told in zip(row[1:4], ids, strict=True))
        ]
        expected[line] = min(fitting, default="")
    schema = T.StructType([field for field in NETWORK_ROSTER.schema.fields if field.name in ROSTER_NAMES])
    assert schema.names == list(ROSTER_NAMES)
    every = spark.createDataFrame(lines, LINES)
    on_lines = with_roster_network(every, matches_of(every, spark.createDataFrame(roster, schema)), "on")
    found = [tuple(row) for row in on_lines.select("line", "roster_network_id").collect()]
    assert len(found) == len(lines)
    assert dict(found) == expected
    assert len(set(expected.values())) == 13
