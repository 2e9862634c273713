"""Membership by hand: what was counted otherwise before, and what the payer lists otherwise."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from pmpm_spark.gold.capitation_ledger import (
    CAPITATION_LEDGER,
    CAPITATION_UNPOSTED,
    posted_so_far,
    under_current_ids,
)
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES, EarlierRun, member_month_changes
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION, membership_reconciliation
from pmpm_spark.model import CONTRACT_MEMBERS, PAYER_MEMBER_MONTHS
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.table import conform
from tests.tables import assert_table, frame

JANUARY, FEBRUARY = date(2023, 1, 1), date(2023, 2, 1)
DUE = "contract_id | member_id | coverage_month | is_due | exposure | not_due_reason\n"
CHANGES = "contract_id | posting_run | member_id | coverage_month | exposure_before | change\n"
LEDGER = "contract_id | posting_run | member_id | coverage_month | reason | amount | withhold_amount\n"
UNPOSTED = "contract_id | posting_run | member_id | coverage_month | reason\n"
LISTED = "contract_id | member_id | start_date | end_date | recorded_on\n"
PAYER = "contract_id | member_id | coverage_month | amount\n"


def changed(spark: SparkSession, before: str, now: str, former: str = "", **told: Any) -> DataFrame:
    """The changes of run 2, where run 1 of C1 could count January."""
    return member_month_changes(
        frame(spark, CAPITATION_DUE, DUE + now),
        frame(spark, CAPITATION_DUE, DUE + before),
        frame(spark, CAPITATION_DUE, DUE + former) if former else None,
        **{"earlier": (EarlierRun("C1", 1, JANUARY),), "is_changed": (), "posting_run": 2, **told},
    )


def test_a_month_that_is_counted_otherwise_is_one_row_and_a_month_that_becomes_payable_is_none(
    spark: SparkSession,
) -> None:
    before = """
        C1 | stays    | 2023-01-01 | true  | 1        | -
        C1 | died     | 2023-01-01 | true  | 1        | -
        C1 | rose     | 2023-01-01 | false | 0        | DECEASED
        C1 | left     | 2023-01-01 | true  | 1        | -
        C1 | came     | 2023-01-01 | false | 0        | NOT_ENROLLED
        C1 | shorter  | 2023-01-01 | true  | 1        | -
        C1 | never    | 2023-01-01 | false | 0        | NOT_ENROLLED
    """
    now = """
        C1 | stays    | 2023-01-01 | true  | 1        | -
        C1 | stays    | 2023-02-01 | true  | 1        | -
        C1 | died     | 2023-01-01 | false | 0        | DECEASED
        C1 | rose     | 2023-01-01 | true  | 1        | -
        C1 | left     | 2023-01-01 | false | 0        | TWO_CONTRACTS
        C1 | came     | 2023-01-01 | true  | 0.5      | -
        C1 | shorter  | 2023-01-01 | true  | 0.161290 | -
        C1 | never    | 2023-01-01 | false | 0        | NOT_LISTED
        C1 | new      | 2023-01-01 | true  | 1        | -
        C1 | new      | 2023-02-01 | true  | 1        | -
        C2 | left     | 2023-01-01 | true  | 1        | -
    """
    assert_table(
        changed(spark, before, now),
        MEMBER_MONTH_CHANGES,
        spark,
        """
        contract_id | posting_run | member_id | coverage_month | exposure_before | exposure_now | reason_before | reason_now    | change
        C1          | 2           | died      | 2023-01-01     | 1               | 0            | -             | DECEASED      | DEATH
        C1          | 2           | rose      | 2023-01-01     | 0               | 1            | DECEASED      | -             | DEATH
        C1          | 2           | left      | 2023-01-01     | 1               | 0            | -             | TWO_CONTRACTS | RETRO_TERMINATION
        C1          | 2           | came      | 2023-01-01     | 0               | 0.5          | NOT_ENROLLED  | -             | RETRO_ENROLLMENT
        C1          | 2           | shorter   | 2023-01-01     | 1               | 0.161290     | -             | -             | RETRO_TERMINATION
        C1          | 2           | new       | 2023-01-01     | 0               | 1            | NOT_LISTED    | -             | RETRO_ENROLLMENT
        """,
    )


def test_what_the_former_terms_would_count_as_before_is_a_change_of_the_contract(spark: SparkSession) -> None:
    """A's month is gone by the new end date; B's enrollment was taken back as well."""
    before = "C1 | A | 2023-01-01 | true | 1 | -\nC1 | B | 2023-01-01 | true | 1 | -"
    now = "C1 | A | 2023-01-01 | false | 0 | OUTSIDE_CONTRACT\nC1 | B | 2023-01-01 | false | 0 | NOT_ENROLLED"
    former = "C1 | A | 2023-01-01 | true | 1 | -\nC1 | B | 2023-01-01 | false | 0 | NOT_ENROLLED"
    found = changed(spark, before, now, former, is_changed=("C1",)).select("member_id", "change").collect()
    assert sorted(map(tuple, found)) == [("A", "CONTRACT_CHANGE"), ("B", "RETRO_TERMINATION")]


RECONCILED_DUE = """
    C1 | agreed   | 2023-01-01 | true  | 1 | -
    C1 | blank    | 2023-01-01 | true  | 1 | -
    C1 | dearer   | 2023-01-01 | true  | 1 | -
    C1 | kept     | 2023-01-01 | true  | 1 | -
    C1 | ours     | 2023-01-01 | true  | 1 | -
    C1 | gone     | 2023-01-01 | false | 0 | NOT_ENROLLED
    C1 | back     | 2023-01-01 | true  | 1 | -
    C1 | unknown  | 2023-01-01 | false | 0 | UNKNOWN_MEMBER
    C1 | unknown  | 2023-02-01 | false | 0 | UNKNOWN_MEMBER
    C1 | nobody   | 2023-01-01 | false | 0 | NOT_ENROLLED
    C2 | apart    | 2023-01-01 | true  | 1 | -
    C2 | left     | 2023-01-01 | false | 0 | NOT_LISTED
"""
RECONCILED_PAYER = """
    C1 | agreed   | 2023-01-01 | 100.00
    C1 | blank    | 2023-01-01 | -
    C1 | dearer   | 2023-01-01 | 101.00
    C1 | kept     | 2023-01-01 | 100.00
    C1 | gone     | 2023-01-01 | 100.00
    C1 | back     | 2023-01-01 | 100.00
    C1 | farther  | 2024-06-01 | -
"""


def reconciled(spark: SparkSession, payer: str, lists: tuple[str, ...]) -> DataFrame:
    """As of run 3 of C1 and C2; what run 2 changed is at hand, and what is posted."""
    changes = """
        C1 | 2 | back | 2023-01-01 | 1 | RETRO_TERMINATION
        C1 | 3 | back | 2023-01-01 | 0 | RETRO_ENROLLMENT
        C2 | 2 | left | 2023-01-01 | 1 | RETRO_TERMINATION
    """
    ledger = """
        C1 | 1 | agreed | 2023-01-01 | NEW_MONTH        | 100.00  | 10.00
        C1 | 1 | blank  | 2023-01-01 | NEW_MONTH        | 100.00  | 10.00
        C1 | 1 | dearer | 2023-01-01 | NEW_MONTH        | 99.00   | 9.90
        C1 | 2 | dearer | 2023-01-01 | RATE_CHANGE      | 1.00    | 0.10
        C1 | 2 | ours   | 2023-01-01 | RETRO_ENROLLMENT | 100.00  | 10.00
        C1 | 1 | back   | 2023-01-01 | NEW_MONTH        | 100.00  | 10.00
        C2 | 1 | left   | 2023-01-01 | NEW_MONTH        | 50.00   | 0.00
        C2 | 2 | left   | 2023-01-01 | RETRO_TERMINATION | -50.00 | 0.00
    """
    posted = posted_so_far(conform(frame(spark, CAPITATION_LEDGER, LEDGER + ledger), CAPITATION_LEDGER), {})
    listed = """
        C1 | unknown | 2023-02-10 | 2023-03-31 | -
        C1 | later   | 2023-01-01 | 2023-03-31 | 2023-09-01
    """
    return membership_reconciliation(
        frame(spark, CAPITATION_DUE, DUE + RECONCILED_DUE),
        frame(spark, MEMBER_MONTH_CHANGES, CHANGES + changes),
        posted,
        frame(spark, CAPITATION_UNPOSTED, UNPOSTED + "C1 | 3 | kept | 2023-01-01 | RETRO_ENROLLMENT"),
        frame(spark, PAYER_MEMBER_MONTHS, PAYER + payer),
        frame(spark, CONTRACT_MEMBERS, LISTED + listed),
        earlier=[EarlierRun(name, run, JANUARY) for name in ("C1", "C2") for run in (1, 2)],
        payer_lists=lists,
        as_of=date(2023, 3, 5),
    )


def test_every_difference_is_one_row_with_its_reason(spark: SparkSession) -> None:
    built = reconciled(spark, RECONCILED_PAYER, ("C1",))
    assert_table(
        built,
        MEMBERSHIP_RECONCILIATION,
        spark,
        """
        contract_id | member_id | coverage_month | exposure_now | payer_listed | payer_amount | ledger_amount | difference | reason
        C1          | gone      | 2023-01-01     | 0            | true         | 100.00       | 0.00          | PAYER_ONLY | NOT_ENROLLED
        C1          | farther   | 2024-06-01     | 0            | true         | -            | 0.00          | PAYER_ONLY | NOT_TOLD
        C1          | unknown   | 2023-02-01     | 0            | false        | -            | 0.00          | PAYER_ONLY | UNKNOWN_MEMBER
        C1          | ours      | 2023-01-01     | 1            | false        | -            | 100.00        | OURS_ONLY  | RETRO_ENROLLMENT
        C1          | dearer    | 2023-01-01     | 1            | true         | 101.00       | 100.00        | AMOUNT     | RATE_CHANGE
        C1          | kept      | 2023-01-01     | 1            | true         | 100.00       | 0.00          | AMOUNT     | RETRO_ENROLLMENT
        C1          | back      | 2023-01-01     | 1            | true         | 100.00       | 100.00        | CHANGED    | RETRO_ENROLLMENT
        C2          | left      | 2023-01-01     | 0            | -            | -            | 0.00          | CHANGED    | RETRO_TERMINATION
        """,
    )
    counted = {row["member_id"]: [tuple(one) for one in row["counted_in_runs"]] for row in built.collect()}
    assert counted["back"] == [(1, 1), (2, 0)]
    assert counted["left"] == [(1, 1), (2, 0)]
    assert counted["ours"] == [(1, 1), (2, 1)]
    assert counted["farther"] == []


def test_without_a_list_of_the_payer_only_changes_and_unknown_members_differ(spark: SparkSession) -> None:
    found = reconciled(spark, "", ()).select("member_id", "payer_listed", "difference", "reason").collect()
    assert sorted(map(tuple, found)) == [
        ("back", None, "CHANGED", "RETRO_ENROLLMENT"),
        ("left", None, "CHANGED", "RETRO_TERMINATION"),
        ("unknown", None, "PAYER_ONLY", "UNKNOWN_MEMBER"),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_changes_and_what_is_counted_now_tell_what_every_run_counted(spark: SparkSession, seed: int) -> None:
    """Drawn months of sixty members in six runs, C1 renamed C2 before the fourth: the runs' own counts come back."""
    draw = random.Random(seed)
    payable = (2, 4, 4, 3, 6, 7)
    counts: list[dict[Any, Decimal]] = []
    rows: list[Any] = []
    names = CAPITATION_DUE.column_names
    due = frame(spark, CAPITATION_DUE, DUE)
    for run, last in enumerate(payable, start=1):
        contract_id, now = ("C1", {}) if run < 4 else ("C2", {"C1": "C2"})
        counted = {(f"M{who:02d}", month): Decimal(0) for who in range(60) for month in range(1, 8)}
        for who, month in counted:
            if month <= last and (who, month) in counted and draw.random() < 0.6:
                counted[who, month] = draw.choice((Decimal(1), Decimal(1), Decimal("0.5")))
        if run > 1 and draw.random() < 0.9:  # most stay as they were
            counted |= {at: counts[-1][at] for at in counted if at[1] <= last and draw.random() < 0.7}
        counts.append(counted)
        told = [
            {
                "contract_id": contract_id, "member_id": who, "coverage_month": date(2023, month, 1),
                "is_due": exposure > 0, "exposure": exposure, "not_due_reason": None if exposure else "NOT_ENROLLED",
            }
            for (who, month), exposure in counted.items()
        ]  # fmt: skip
        due_before = under_current_ids(due, now)
        due = spark.createDataFrame([tuple(row.get(n) for n in names) for row in told], due.schema)
        earlier = [EarlierRun(contract_id, r, date(2023, payable[r - 1], 1)) for r in range(1, run)]
        found = member_month_changes(due, due_before, None, earlier=earlier, is_changed=(), posting_run=run)
        rows += [tuple(row) for row in conform(found, MEMBER_MONTH_CHANGES).collect()]
    changes = under_current_ids(spark.createDataFrame(rows, MEMBER_MONTH_CHANGES.schema), {"C1": "C2"})
    nothing = posted_so_far(frame(spark, CAPITATION_LEDGER, LEDGER), {})
    built = membership_reconciliation(
        due,
        changes,
        nothing,
        frame(spark, CAPITATION_UNPOSTED, UNPOSTED),
        frame(spark, PAYER_MEMBER_MONTHS, PAYER),
        frame(spark, CONTRACT_MEMBERS, LISTED),
        earlier=earlier,
        payer_lists=(),
        as_of=date(2023, 7, 5),
    )
    found_in = {
        (row["member_id"], row["coverage_month"].month): [tuple(one) for one in row["counted_in_runs"]]
        for row in built.collect()
    }
    expected = {}
    for at in counts[-1]:
        could = [(run, counts[run - 1][at]) for run in range(1, 6) if at[1] <= payable[run - 1]]
        first = could[0][0] if could else 6
        if any(counts[run - 1][at] != counts[run][at] for run in range(first, 6)):
            expected[at] = could
    assert len(expected) > 100
    assert found_in == expected
