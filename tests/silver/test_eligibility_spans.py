"""Spans cover exactly the enrolled days, each day with the statuses of the record that wins it."""

import random
from datetime import date, timedelta

import pytest

from pmpm_spark.model import COVERAGE_RECORDS
from pmpm_spark.model.coverage_records import STATUS_NAMES
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from tests.tables import assert_table, frame


def spans_are(spark, records, expected):
    assert_table(eligibility_spans(frame(spark, COVERAGE_RECORDS, records)), ELIGIBILITY_SPANS, spark, expected)


def test_records_that_touch_become_one_span_and_one_uncovered_day_opens_another(spark):
    spans_are(
        spark,
        """
        member_id | plan_id | recorded_on | coverage_start | coverage_end
        m1        | p1      | 2023-01-01  | 2023-01-01     | 2023-01-31
        m1        | p1      | 2023-01-01  | 2023-02-01     | 2023-03-15
        m1        | p1      | 2023-01-01  | 2023-03-17     | 9999-12-31
        m2        | p1      | 2023-01-01  | 2023-01-01     | 2023-01-31
        """,
        """
        member_id | span_start | span_end
        m1        | 2023-01-01 | 2023-03-15
        m1        | 2023-03-17 | 9999-12-31
        m2        | 2023-01-01 | 2023-01-31
        """,
    )


def test_a_change_of_status_opens_a_new_span_and_so_does_a_status_that_is_no_longer_told(spark):
    spans_are(
        spark,
        """
        member_id | plan_id | recorded_on | coverage_start | coverage_end | has_part_a | has_part_b | dual_status_code
        m1        | p1      | 2023-01-01  | 2023-01-01     | 2023-01-31   | true       | false      | 02
        m1        | p1      | 2023-01-01  | 2023-02-01     | 2023-02-28   | true       | true       | 02
        m1        | p1      | 2023-01-01  | 2023-03-01     | 2023-03-31   | true       | true       | -
        m1        | p1      | 2023-01-01  | 2023-04-01     | 2023-04-30   | true       | true       | -
        """,
        """
        member_id | span_start | span_end   | has_part_a | has_part_b | dual_status_code
        m1        | 2023-01-01 | 2023-01-31 | true       | false      | 02
        m1        | 2023-02-01 | 2023-02-28 | true       | true       | 02
        m1        | 2023-03-01 | 2023-04-30 | true       | true       | -
        """,
    )


def test_records_of_two_plans_that_say_the_same_are_one_span_so_no_month_counts_twice(spark):
    spans_are(
        spark,
        """
        member_id | plan_id | recorded_on | coverage_start | coverage_end | has_part_a
        m1        | p1      | 2023-01-01  | 2023-01-01     | 2023-06-30   | true
        m1        | p2      | 2023-01-01  | 2023-04-10     | 2023-12-31   | true
        """,
        """
        member_id | span_start | span_end   | has_part_a
        m1        | 2023-01-01 | 2023-12-31 | true
        """,
    )


def test_where_records_overlap_the_one_recorded_last_wins_the_day(spark):
    """It wins even against one that starts later, and the earlier record holds what is left on both sides."""
    spans_are(
        spark,
        """
        member_id | plan_id | recorded_on | coverage_start | coverage_end | payer
        m1        | p1      | 2023-02-02  | 2023-03-01     | 2023-03-31   | late
        m1        | p1      | 2023-02-01  | 2023-01-01     | 2023-12-31   | early
        m1        | p1      | 2023-02-01  | 2023-03-15     | 2023-04-15   | between
        """,
        """
        member_id | span_start | span_end   | payer
        m1        | 2023-01-01 | 2023-02-28 | early
        m1        | 2023-03-01 | 2023-03-31 | late
        m1        | 2023-04-01 | 2023-04-15 | between
        m1        | 2023-04-16 | 2023-12-31 | early
        """,
    )


def test_recorded_the_same_day_the_one_starting_last_wins_and_then_the_lowest_plan_id(spark):
    spans_are(
        spark,
        """
        member_id | plan_id | recorded_on | coverage_start | coverage_end | payer
        later     | p1      | 2023-01-01  | 2023-01-01     | 2023-12-31   | long
        later     | p9      | 2023-01-01  | 2023-02-01     | 2023-02-28   | starts last
        lowest    | p10     | 2023-01-01  | 2023-01-01     | 2023-12-31   | p10
        lowest    | p2      | 2023-01-01  | 2023-01-01     | 2023-03-31   | p2
        """,
        """
        member_id | span_start | span_end   | payer
        later     | 2023-01-01 | 2023-01-31 | long
        later     | 2023-02-01 | 2023-02-28 | starts last
        later     | 2023-03-01 | 2023-12-31 | long
        lowest    | 2023-01-01 | 2023-12-31 | p10
        """,
    )


def test_records_that_share_one_day_overlap_and_that_day_has_one_status(spark):
    spans_are(
        spark,
        """
        member_id | plan_id | recorded_on | coverage_start | coverage_end | payer
        m1        | p1      | 2023-01-02  | 2023-01-01     | 2023-01-31   | first
        m1        | p1      | 2023-01-01  | 2023-01-31     | 2023-02-28   | second
        """,
        """
        member_id | span_start | span_end   | payer
        m1        | 2023-01-01 | 2023-01-31 | first
        m1        | 2023-02-01 | 2023-02-28 | second
        """,
    )


FIRST_DAY, HORIZON, OPEN = date(2022, 1, 1), date(2023, 12, 31), date(9999, 12, 31)


def random_records(members: int) -> list[tuple]:
    """Up to seven records a member over two years, so that most members have overlaps, ties, touches and gaps."""
    draw = random.Random(3)
    records = {}
    for number in range(members):
        for _ in range(draw.randint(1, 7)):
            start = FIRST_DAY + timedelta(days=draw.choice((0, 31, 59, 90, draw.randint(0, 600))))
            end = start + timedelta(days=draw.choice((0, 27, 30, 58, draw.randint(0, 400))))
            open_ended = end > HORIZON - timedelta(days=1) or draw.random() < 0.05
            key = (f"m{number:04}", start, draw.choice(("p1", "p2", "p10")), date(2022, 1, draw.randint(1, 3)))
            flags = tuple(draw.choice((True, False, None)) for _ in range(2))
            statuses = (*flags, False, None, True, draw.choice(("10", "20")), None, "payer")
            records[key] = (*key, OPEN if open_ended else end, *statuses)
    return list(records.values())


def spans_by_days(records: list[tuple]) -> set[tuple]:
    """The same answer the slow way: the winner of each single day, then runs of days that say the same."""
    days: dict[tuple[str, date], tuple] = {}
    for member, start, plan, recorded, end, *statuses in records:
        day = start
        while day <= min(end, HORIZON):
            bid = ((recorded, start), plan, tuple(statuses))
            held = days.get((member, day))
            if held is None or bid[0] > held[0] or (bid[0] == held[0] and plan < held[1]):
                days[member, day] = bid
            day += timedelta(days=1)
    spans: list[list] = []
    for (member, day), (_, _, statuses) in sorted(days.items(), key=lambda item: item[0]):
        last = spans[-1] if spans else None
        if last and last[0] == member and last[3] == statuses and last[2] + timedelta(days=1) == day:
            last[2] = day
        else:
            spans.append([member, day, day, statuses])
    return {(member, start, OPEN if end == HORIZON else end, *statuses) for member, start, end, statuses in spans}


@pytest.mark.parametrize("row_order", ["as drawn", "turned round"])
def test_spans_cover_exactly_the_enrolled_days_with_the_winner_of_each_day_whatever_the_row_order(spark, row_order):
    records = random_records(600)
    assert len({record[0] for record in records}) == 600
    given = records if row_order == "as drawn" else records[::-1]
    built = eligibility_spans(spark.createDataFrame(given, COVERAGE_RECORDS.schema))
    rows = [tuple(row) for row in built.select("member_id", "span_start", "span_end", *STATUS_NAMES).collect()]
    assert len(rows) == len(set(rows))
    assert set(rows) == spans_by_days(records)
