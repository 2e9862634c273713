"""The fates of hundreds of generated claims at once, equal to a sort in plain Python."""

import random
from collections import Counter
from decimal import Decimal

import pytest

from pmpm_spark import intake
from tests.intake_rows import TYPED_CLAIMS
from tests.tables import frame


@pytest.fixture(scope="module")
def many(spark):
    """Some 2,500 rows of 500 claims: up to three deliveries, copies, bad rows, rows of one line that differ."""
    draw = random.Random(23)
    rows = []
    for number in range(500):
        is_claims = number % 2 == 0
        for _ in range(draw.randint(1, 3)):
            delivery = {
                "claim_id": f"c{number}",
                "paid_on": f"2021-05-0{draw.randint(1, 3)}",
                "is_update": draw.choice(("true", "false", "-")),
                "is_final_action": "true" if draw.random() < 0.9 else "false",
                "amounts_are_claims": str(is_claims).lower(),
            }
            for _ in range(draw.randint(1, 4)):
                line = {
                    **delivery,
                    "line_number": str(draw.randint(1, 3)),
                    "paid_amount": "9.00" if is_claims else str(draw.randint(1, 2)),
                    "reject_reasons": "[]" if draw.random() < 0.9 else "bad",
                }
                rows.append({**line, "_line_hash": " ".join(line.values())})
    draw.shuffle(rows)
    for place, row in enumerate(rows):
        row |= {"_bronze_table": "t", "_source_file": f"f{place % 3}", "_batch_id": f"b{place % 2}"}
        row["_source_row"] = str(place)
    written = "\n".join([" | ".join(rows[0]), *[" | ".join(row.values()) for row in rows]])
    return rows, intake.claim_fates(frame(spark, TYPED_CLAIMS, written)).collect()


def test_every_row_of_hundreds_of_claims_has_the_fate_that_a_sort_by_hand_gives_it(many):
    rows, built = many
    good = [row for row in rows if row["reject_reasons"] == "[]"]

    def delivery(row: dict) -> tuple:
        return row["paid_on"], row["is_update"] == "true"

    def order(row: dict) -> tuple:
        return delivery(row), row["_batch_id"], row["_source_file"], int(row["_source_row"])

    expected = {}
    for row in rows:
        of_claim = [other for other in good if other["claim_id"] == row["claim_id"]]
        of_line = [other for other in of_claim if other["line_number"] == row["line_number"]]
        if row["reject_reasons"] != "[]":
            fate = "rejected"
        elif delivery(row) < max(delivery(other) for other in of_claim):
            fate = "superseded"
        elif row is max(of_line, key=order):
            fate = "accepted" if row["is_final_action"] == "true" else "superseded"
        else:
            same = row["_line_hash"] == max(of_line, key=order)["_line_hash"]
            fate = "duplicate" if same else "superseded"
        expected[int(row["_source_row"])] = fate
    assert {row._source_row: row.outcome for row in built} == expected
    assert len(built) == len(rows)
    assert set(expected.values()) == {"accepted", "rejected", "duplicate", "superseded"}


def test_no_accepted_line_stands_twice_and_an_institutional_claim_is_paid_once(many):
    _, built = many
    accepted = [row for row in built if row.outcome == "accepted"]
    assert max(Counter((row.claim_id, row.line_number) for row in accepted).values()) == 1
    claims = {row.claim_id for row in accepted if int(row.claim_id[1:]) % 2 == 0}
    paid = sum(row.paid_amount for row in accepted if row.claim_id in claims)
    assert paid == Decimal(9) * len(claims)
