"""The capitation ledger by hand: every line with its reason, and nothing posted twice."""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark.capitation import check_due
from pmpm_spark.contract_terms import Rate, Terms, check_rates
from pmpm_spark.errors import InputError
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, Former, capitation_changes, posted_so_far
from pmpm_spark.gold.capitation_ledger_by_reason import CAPITATION_LEDGER_BY_REASON, capitation_ledger_by_reason
from pmpm_spark.model import CONTRACT_MEMBERS, MEMBERS
from pmpm_spark.months import month_number, number_of
from pmpm_spark.policy import Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.capitation_due import CAPITATION_DUE, capitation_due
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.table import conform
from tests.tables import assert_table, frame

POLICY = Policy("test")
OPEN = date(9999, 12, 31)
C1 = Terms("C1", "N1", date(2023, 1, 1), date(2023, 2, 28), retro_limit_months=3, withhold_share=Decimal("0.10"))
ANYBODY = Rate("C1", date(2023, 1, 1), OPEN, "*", "*", "*", Decimal(100), risk_adjusted=False)
DUAL = replace(ANYBODY, enrollment_type="AGED_DUAL", rate=Decimal(150))
SPANS = """
    member_id | span_start | span_end   | medicare_status_code | dual_status_code
    A         | 2023-01-01 | 2023-12-31 | 10                   | -
    B         | 2023-01-01 | 2023-12-31 | 10                   | -
"""
A_DUAL_FROM_FEBRUARY = """
    member_id | span_start | span_end   | medicare_status_code | dual_status_code
    A         | 2023-01-01 | 2023-01-31 | 10                   | -
    A         | 2023-02-01 | 2023-12-31 | 10                   | 02
    B         | 2023-01-01 | 2023-12-31 | 10                   | -
"""
PEOPLE = """
    member_id | birth_date | sex | death_date
    A         | 1950-01-15 | F   | -
    B         | 1950-01-15 | M   | -
"""
B_DIED = PEOPLE.replace("M   | -", "M   | 2022-12-30")
LISTED = """
    contract_id | member_id | start_date | end_date   | recorded_on
    C1          | A         | 2023-01-01 | 9999-12-31 | -
    C1          | B         | 2023-01-01 | 9999-12-31 | -
"""
FACTORS = """
    performance_year | normalization_factor | source
    2023             | 1.1000000000         | test
"""


class World:
    """A ledger that is posted to, run after run."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.terms: tuple[Terms, ...] = (C1,)
        self.rates: tuple[Rate, ...] = (ANYBODY, DUAL)
        self.spans, self.people, self.listed, self.scores = SPANS, PEOPLE, LISTED, ""
        self.factors = FACTORS
        self.lines: list[Any] = []
        self.unposted: list[Any] = []
        self.former: dict[str, Former] = {}
        self.former_terms: dict[str, str] = {}
        self.run = 0

    def due(self, as_of: date, terms: Sequence[Terms], posted: DataFrame) -> DataFrame:
        spark = self.spark
        scores = self.scores or "member_id | performance_year | origin | risk_score"
        keys = posted.groupBy("contract_id", "member_id").agg(
            F.min(month_number("coverage_month")).alias("posted_first"),
            F.max(month_number("coverage_month")).alias("posted_last"),
        )
        built = capitation_due(
            frame(spark, ELIGIBILITY_SPANS, self.spans),
            frame(spark, MEMBERS, self.people),
            frame(spark, MEMBER_MONTHS, "policy | member_id"),
            frame(spark, ATTRIBUTION, "policy | member_id"),
            frame(spark, RISK_SCORES, scores),
            frame(spark, NORMALIZATION_FACTORS, self.factors),
            frame(spark, CONTRACT_MEMBERS, self.listed),
            keys,
            contracts=terms,
            rates=self.rates,
            listed=("C1",),
            policy=POLICY,
            as_of=as_of,
            first_told=number_of(date(2022, 1, 1)),
            last_payable=number_of(as_of),
        )
        return spark.createDataFrame(
            conform(built, CAPITATION_DUE).collect(), CAPITATION_DUE.schema
        )  # as a stored table

    def post(self, as_of: date) -> list[tuple[str, str, str, str, str]]:
        """The lines that a run posts: member, month, reason, amount, withheld."""
        self.run += 1
        ledger = self.spark.createDataFrame(self.lines, CAPITATION_LEDGER.schema)
        posted = posted_so_far(ledger, {})
        due = self.due(as_of, self.terms, posted)
        changed = {o.contract_id for o in self.terms if self.former_terms.get(o.contract_id, o.told) != o.told}
        before = [o.as_told(self.former_terms[o.contract_id]) for o in self.terms if o.contract_id in changed]
        former: Mapping[str, Former] = {
            key: replace(value, is_changed=key in changed) for key, value in self.former.items()
        }
        changes = capitation_changes(
            due,
            posted,
            self.due(as_of, before, posted) if before else None,
            contracts=self.terms,
            former=former,
            posting_run=self.run,
            as_of=as_of,
            policy="test",
            run_id="r",
        )
        rows = changes.collect()
        names = CAPITATION_LEDGER.column_names
        new = [tuple(row[name] for name in names) for row in rows if row["is_open"]]
        self.lines += new
        self.unposted = [row for row in rows if not row["is_open"]]
        self.former = {o.contract_id: Former(as_of.replace(day=1)) for o in self.terms}
        self.former_terms = {o.contract_id: o.told for o in self.terms}
        self._adds_up(due)
        told = [row for row in rows if row["is_open"]]
        return sorted(
            (r["member_id"], f"{r['coverage_month']:%b}", r["reason"], str(r["amount"]), str(r["withhold_amount"]))
            for r in told
        )

    def _adds_up(self, due: DataFrame) -> None:
        """Ledger so far + what the limit keeps back = what is due now, for every month."""
        names = CAPITATION_LEDGER.column_names
        sums: dict[Any, Decimal] = {}
        for line in self.lines:
            said = dict(zip(names, line, strict=True))
            key = (said["contract_id"], said["member_id"], said["coverage_month"])
            sums[key] = sums.get(key, Decimal(0)) + said["amount"]
        for row in self.unposted:
            key = (row["contract_id"], row["member_id"], row["coverage_month"])
            sums[key] = sums.get(key, Decimal(0)) + row["unposted_amount"]
        now = {(r["contract_id"], r["member_id"], r["coverage_month"]): r["due_amount"] for r in due.collect()}
        self.now = {key: amount for key, amount in now.items() if amount}
        assert {key: amount for key, amount in sums.items() if amount} == self.now


def test_three_payment_runs_and_the_third_again(spark: SparkSession) -> None:
    world = World(spark)
    new = ("NEW_MONTH", "100.00", "10.00")
    assert world.post(date(2023, 1, 5)) == [("A", "Jan", *new), ("B", "Jan", *new)]
    assert world.post(date(2023, 2, 5)) == [("A", "Feb", *new), ("B", "Feb", *new)]
    world.spans, world.people = A_DUAL_FROM_FEBRUARY, B_DIED
    assert world.post(date(2023, 5, 5)) == [
        ("A", "Feb", "RATE_CELL_CHANGE", "50.00", "5.00"),
        ("B", "Feb", "DEATH", "-100.00", "-10.00"),
    ]
    (kept,) = world.unposted
    assert (kept["member_id"], kept["reason"]) == ("B", "DEATH")
    assert (kept["due_amount"], kept["posted_amount"], kept["unposted_amount"]) == (0, 100, -100)
    assert world.post(date(2023, 5, 5)) == []


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            {"spans": SPANS.replace("B         | 2023-01-01 | 2023-12-31", "B         | 2023-01-01 | 2023-01-31")},
            [("B", "Feb", "RETRO_TERMINATION", "-100.00", "-10.00")],
        ),
        (
            {"listed": LISTED.replace("C1          | B         | 2023-01-01 | 9999-12-31 | -", "")},
            [(("B"), month, "RETRO_TERMINATION", "-100.00", "-10.00") for month in ("Feb", "Jan")],
        ),
        (
            {"rates": (replace(ANYBODY, rate=Decimal(110)), DUAL)},
            [(who, month, "RATE_CHANGE", "10.00", "1.00") for who in "AB" for month in ("Feb", "Jan")],
        ),
        (
            {"terms": (replace(C1, withhold_share=Decimal("0.20")),)},
            [(who, month, "CONTRACT_CHANGE", "0.00", "10.00") for who in "AB" for month in ("Feb", "Jan")],
        ),
        (
            {"terms": (replace(C1, end_date=date(2023, 1, 31)),)},
            [(who, "Feb", "CONTRACT_CHANGE", "-100.00", "-10.00") for who in "AB"],
        ),
        ({"terms": (replace(C1, retro_limit_months=12),)}, []),
    ],
)
def test_a_change_is_one_line_a_month_with_its_reason(
    spark: SparkSession, change: Mapping[str, Any], lines: list[tuple[str, ...]]
) -> None:
    world = World(spark)
    world.post(date(2023, 2, 5))
    for name, value in change.items():
        setattr(world, name, value)
    assert world.post(date(2023, 3, 5)) == lines


def test_a_score_moves_a_risk_adjusted_rate_and_one_who_has_none_is_paid_the_rate(spark: SparkSession) -> None:
    world = World(spark)
    world.rates = (replace(ANYBODY, risk_adjusted=True),)
    assert [line[3] for line in world.post(date(2023, 1, 5))] == ["100.00", "100.00"]
    world.scores = "member_id | performance_year | origin | risk_score\nA | 2023 | supplied | 1.21"
    assert world.post(date(2023, 1, 6)) == [("A", "Jan", "RISK_UPDATE", "10.00", "1.00")]


def test_a_score_of_a_year_without_a_factor_is_refused_and_not_paid_as_one(spark: SparkSession) -> None:
    world = World(spark)
    world.factors = FACTORS.replace("2023", "2022")
    nothing = world.spark.createDataFrame([], CAPITATION_LEDGER.schema)
    world.scores = "member_id | performance_year | origin | risk_score\nA | 2023 | supplied | 1.21"
    check_due(world.due(date(2023, 1, 5), (C1,), nothing), "one")  # no rate is risk-adjusted: no factor is needed
    world.rates = (replace(ANYBODY, risk_adjusted=True),)
    due = world.due(date(2023, 1, 5), (C1,), nothing)
    assert {row["member_id"]: row["due_amount"] for row in due.where("is_due").collect()} == {"A": None, "B": 100}
    with pytest.raises(
        InputError, match="contract C1, 2023-01: the rate is risk-adjusted, and there is no factor for 2023"
    ):
        check_due(due, "one")


def test_who_is_enrolled_again_is_paid_again(spark: SparkSession) -> None:
    world = World(spark)
    world.post(date(2023, 1, 5))
    whole, world.spans = (
        world.spans,
        SPANS.replace(
            "2023-01-01 | 2023-12-31 | 10                   | -\n    B", "2023-01-02 | 2023-12-31 | 10 | -\n    B"
        ),
    )
    assert world.post(date(2023, 1, 6)) == [("A", "Jan", "RETRO_TERMINATION", "-100.00", "-10.00")]
    world.spans = whole
    assert world.post(date(2023, 1, 7)) == [("A", "Jan", "RETRO_ENROLLMENT", "100.00", "10.00")]


def test_two_rates_for_one_cell_and_day_are_an_error_that_names_them() -> None:
    check_rates((ANYBODY, DUAL))
    band = replace(ANYBODY, age_band="65-74")
    check_rates((band, replace(band, age_band="75+")))
    with pytest.raises(InputError, match=r"contract C1, cell \* x 65-74 x \*, 2023-03: two rates overlap"):
        check_rates((band, replace(band, age_band="70+", effective_from=date(2023, 3, 10))))


def test_a_rate_that_nobody_pays_is_an_error_that_names_contract_cell_and_month() -> None:
    check_rates((replace(ANYBODY, rate=Decimal(1_000_000)),))
    told = r"^contract_rates: contract C1, cell \* x \* x \*, 2023-01: rate 1000000.01 is above 1,000,000; correct the list$"
    with pytest.raises(InputError, match=told):
        check_rates((replace(ANYBODY, rate=Decimal("1000000.01")),))


def test_whatever_changes_in_whatever_order_the_ledger_adds_up_to_what_plain_python_owes(spark: SparkSession) -> None:
    """Forty members with list rows and spans drawn anew for every run; rates, dates and shares change between them."""
    draw = random.Random(11)
    world = World(spark)
    world.terms = (replace(C1, end_date=date(2023, 12, 31)),)
    people = [f"M{n:02d}" for n in range(40)]
    deaths = {who: date(2023, draw.randint(1, 12), draw.randint(1, 28)) for who in people if draw.random() < 0.2}
    for month in (2, 5, 6, 6, 9, 12):
        spans, listed = _drawn_days(draw, people), _drawn_days(draw, people)
        known = deaths if month > 5 else {}
        rule = draw.choice(("first_of_month", "any_day", "mid_month", "last_day", "full_month", "prorated"))
        share = Decimal(draw.randint(0, 20)) / 100
        limit = draw.choice((None, 0, 2, 12))
        start = date(2023, draw.randint(1, 2), draw.choice((1, 10)))
        world.terms = (
            replace(C1, start_date=start, end_date=date(2023, 12, 31), coverage_rule=rule, withhold_share=share,
                    retro_limit_months=limit),
        )  # fmt: skip
        price = Decimal(draw.randint(10_000, 30_000)) / 100
        world.rates = (replace(ANYBODY, rate=price),)
        world.spans = "member_id | span_start | span_end | medicare_status_code\n" + "\n".join(
            f"{who} | {first} | {last} | 10" for who, first, last in spans
        )
        world.listed = "contract_id | member_id | start_date | end_date\n" + "\n".join(
            f"C1 | {who} | {first} | {last}" for who, first, last in listed
        )
        world.people = "member_id | birth_date | sex | death_date\n" + "\n".join(
            f"{who} | 1950-01-15 | F | {known.get(who, '-')}" for who in people
        )
        as_of = date(2023, month, 15)
        world.post(as_of)  # asserts that ledger + unposted = due
        assert world.now == _owed(people, spans, listed, known, start, rule, price, as_of)


def _drawn_days(draw: random.Random, people: Sequence[str]) -> list[tuple[str, date, date]]:
    found = []
    for who in people:
        cuts = sorted(draw.sample(range(1, 366), draw.choice((2, 4))))
        days = [date(2022, 12, 31) + timedelta(days=cut) for cut in cuts]
        found += [(who, days[n], days[n + 1]) for n in range(0, len(days), 2)]
    return found


def _owed(
    people: Sequence[str],
    spans: Sequence[tuple[str, date, date]],
    listed: Sequence[tuple[str, date, date]],
    deaths: Mapping[str, date],
    start: date,
    rule: str,
    price: Decimal,
    as_of: date,
) -> dict[Any, Decimal]:
    """Day by day, as one would by hand."""
    owed = {}
    for who in people:
        for month in range(1, as_of.month + 1):
            first = date(2023, month, 1)
            days = [first + timedelta(days=n) for n in range(monthrange(2023, month)[1])]
            met = [
                day >= start
                and any(p == who and a <= day <= b for p, a, b in spans)
                and any(p == who and a <= day <= b for p, a, b in listed)
                for day in days
            ]
            holds = {
                "first_of_month": met[0], "mid_month": met[14], "last_day": met[-1], "full_month": all(met),
                "any_day": any(met), "prorated": any(met),
            }[rule]  # fmt: skip
            if not holds or (who in deaths and first > deaths[who]):
                continue
            part = Decimal(sum(met)) / len(days) if rule == "prorated" else Decimal(1)
            exposure = part.quantize(Decimal("0.000001"), ROUND_HALF_UP)
            amount = (price * exposure).quantize(Decimal("0.01"), ROUND_HALF_UP)
            if amount:
                owed["C1", who, first] = amount
    return owed


def test_lines_are_told_by_reason_of_each_month_and_year_under_the_contracts_present_id(spark: SparkSession) -> None:
    ledger = frame(
        spark,
        CAPITATION_LEDGER,
        """
        contract_id | posting_run | member_id | coverage_month | reason    | amount | withhold_amount | net_amount
        C0          | 1           | A         | 2023-01-01     | NEW_MONTH | 100.00 | 10.00           | 90.00
        C0          | 1           | B         | 2023-01-01     | NEW_MONTH | 100.00 | 10.00           | 90.00
        C1          | 2           | A         | 2023-02-01     | NEW_MONTH | 100.00 | 10.00           | 90.00
        C1          | 2           | B         | 2023-01-01     | DEATH     | -100.00| -10.00          | -90.00
        C1          | 3           | B         | 2023-01-01     | DEATH     | 50.00  | 5.00            | 45.00
        C1          | 3           | A         | 2022-12-01     | NEW_MONTH | 7.00   | 0.00            | 7.00
        """,
    )
    built = capitation_ledger_by_reason(ledger, now={"C0": "C1"}, networks={"C1": "N1"}, policy="p")
    assert_table(
        built,
        CAPITATION_LEDGER_BY_REASON,
        spark,
        """
        contract_id | period_type | period     | reason    | network_id | members | lines | amount | withhold_amount | performance_year
        C1          | month       | 2023-01-01 | NEW_MONTH | N1         | 2       | 2     | 200.00 | 20.00           | 2023
        C1          | month       | 2023-01-01 | DEATH     | N1         | 1       | 2     | -50.00 | -5.00           | 2023
        C1          | month       | 2023-02-01 | NEW_MONTH | N1         | 1       | 1     | 100.00 | 10.00           | 2023
        C1          | month       | 2022-12-01 | NEW_MONTH | N1         | 1       | 1     | 7.00   | 0.00            | 2022
        C1          | year        | 2023-01-01 | NEW_MONTH | N1         | 2       | 3     | 300.00 | 30.00           | 2023
        C1          | year        | 2023-01-01 | DEATH     | N1         | 1       | 2     | -50.00 | -5.00           | 2023
        C1          | year        | 2022-01-01 | NEW_MONTH | N1         | 1       | 1     | 7.00   | 0.00            | 2022
        """,
    )
