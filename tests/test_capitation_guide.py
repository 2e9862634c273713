"""The contract of docs/capitation.md is paid as the page prints it: its lists are the input, its tables the output."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import shlex
import subprocess
from decimal import Decimal
from fractions import Fraction
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from pmpm_spark.cli import main

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is several whole runs

PAGE = Path(__file__).resolve().parent.parent / "docs" / "capitation.md"
TABLES = (
    "silver.capitation_due", "gold.capitation_ledger", "gold.capitation_unposted", "gold.member_month_changes",
    "gold.membership_reconciliation", "gold.capitation_variance", "gold.capitation_variance_split",
)  # fmt: skip
Row = dict[str, str]


def files() -> dict[str, str]:
    """The files of the page by path."""
    found = re.findall(r"^\*\*([\w/]+\.\w+)\*\*\n\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    return dict(found)


def lists() -> dict[str, str]:
    """The lists and tables of the page by name."""
    return {Path(path).stem: text for path, text in files().items() if path.endswith(".csv")}


def commands() -> list[str]:
    """What the page has one type."""
    return [line.strip() for line in re.findall(r"^    (.*)$", PAGE.read_text(encoding="utf-8"), re.M)]


def printed(table: str) -> list[Row]:
    """The rows of a table of the page, as text."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^\*\*{table}\*\*\n\n((?:\|.*\n)+)", text, re.M)
    assert found, f"the page has no table {table}"
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def shown(value: Any) -> str:
    """A cell as the page prints it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(
            f"{one['posting_run']}: {shown(one['exposure'])}" if isinstance(one, dict) else str(one) for one in value
        )
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, Decimal):
        places = -int(value.as_tuple().exponent)
        return f"{value:,.2f}" if places == 2 else f"{value.normalize():f}"
    return str(value)


@dataclasses.dataclass
class Paid:
    warehouse: Path
    numbers: list[int | None]

    def table(self, name: str) -> list[dict[str, Any]]:
        layer, _, short = name.partition(".")
        return list(DeltaTable(str(self.warehouse / layer / short)).to_pyarrow_table().to_pylist())


@pytest.fixture(scope="module")
def paid(spark: SparkSession, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Paid:
    """The page's files in a folder, and its commands in their order."""
    folder = tmp_path_factory.mktemp("guide")
    for path, text in files().items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    numbers: list[int | None] = []
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        for command in commands():
            if not command.startswith("pmpm "):
                subprocess.run(["/bin/sh", "-c", command], check=True)
                continue
            told = io.StringIO()
            with contextlib.redirect_stdout(told):
                code = main([*shlex.split(command, comments=True)[1:], "--engine", engine])
            assert code == 0, command
            if "capitate" in command:
                found = re.search(r"posting run (\d+);", told.getvalue())
                numbers.append(int(found[1]) if found else None)
    return Paid(folder / "warehouse", numbers)


def test_three_runs_post_and_the_last_again_posts_nothing(paid: Paid) -> None:
    assert paid.numbers == [1, 2, 3, None]


@pytest.mark.parametrize("name", TABLES)
def test_every_figure_of_a_table_of_the_page_is_what_the_run_makes(name: str, paid: Paid) -> None:
    told = printed(name.partition(".")[2])
    columns = list(told[0])
    made = [{column: shown(row[column]) for column in columns} for row in paid.table(name) if _is_shown(name, row)]
    assert sorted(made, key=str) == sorted(told, key=str)


def _is_shown(name: str, row: dict[str, Any]) -> bool:
    """What the page leaves out, and says so."""
    if name == "silver.capitation_due":
        return not (row["member_id"] == "Ben" and row["coverage_month"].month > 2)
    return name != "gold.capitation_variance_split" or row["period_type"] == "year"


# --- the tables of the page against each other, by the definitions alone ---


def csv_of(name: str) -> list[Row]:
    lines = [line.split(",") for line in lists()[name].splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def number(text: str) -> Fraction:
    return Fraction(text.replace(",", "") or "0")


def due_months() -> dict[tuple[str, str], Row]:
    return {
        (row["member_id"], row["coverage_month"]): row for row in printed("capitation_due") if row["is_due"] == "yes"
    }


def month_of(day: str) -> str:
    return day[:8] + "01"


def test_ledger_and_unposted_are_what_is_due() -> None:
    posted: dict[tuple[str, str], Fraction] = {}
    for row in printed("capitation_ledger"):
        key = (row["member_id"], row["coverage_month"])
        assert number(row["posted_before"]) == posted.get(key, 0)
        assert number(row["amount"]) == number(row["due_amount"]) - number(row["posted_before"])
        assert number(row["withhold_amount"]) == number(row["amount"]) / 10
        assert number(row["net_amount"]) == number(row["amount"]) - number(row["withhold_amount"])
        posted[key] = posted.get(key, Fraction(0)) + number(row["amount"])
    for row in printed("capitation_unposted"):
        key = (row["member_id"], row["coverage_month"])
        assert number(row["posted_amount"]) == posted[key]
        posted[key] += number(row["unposted_amount"])
    due = {key: number(row["due_amount"]) for key, row in due_months().items()}
    assert {key: amount for key, amount in posted.items() if amount} == due
    for row in due_months().values():
        assert number(row["due_amount"]) == number(row["rate"]) * number(row["normalized_risk_score"])
        assert number(row["withhold_due"]) == number(row["due_amount"]) / 10


def test_what_is_reconciled_is_where_the_payers_list_differs() -> None:
    payer = {(row["member_id"], row["coverage_month"]): row["amount"] for row in csv_of("payer_member_months")}
    posted: dict[tuple[str, str], Fraction] = {}
    for row in printed("capitation_ledger"):
        key = (row["member_id"], row["coverage_month"])
        posted[key] = posted.get(key, Fraction(0)) + number(row["amount"])
    due, expected = due_months(), {}
    for key in payer.keys() | due.keys():
        if key not in due:
            expected[key] = "PAYER_ONLY"
        elif key not in payer:
            expected[key] = "OURS_ONLY"
        elif number(payer[key]) != posted[key]:
            expected[key] = "AMOUNT"
    told = {(row["member_id"], row["coverage_month"]): row for row in printed("membership_reconciliation")}
    assert {key: row["difference"] for key, row in told.items()} == expected
    for key, row in told.items():
        assert number(row["ledger_amount"]) == posted[key]
        assert number(row["payer_amount"]) == number(payer.get(key, ""))
        assert row["payer_listed"] == ("yes" if key in payer else "no")
    changed = {(row["member_id"], row["coverage_month"]): row["change"] for row in printed("member_month_changes")}
    assert changed == {
        (row["member_id"], row["coverage_month"]): row["reason"]
        for row in printed("capitation_ledger")
        if row["reason"] in ("DEATH", "RETRO_ENROLLMENT", "RETRO_TERMINATION")
    }


def test_the_variance_is_due_less_cost_and_its_split_that_of_the_definition() -> None:
    due = due_months()
    claims = [row for row in csv_of("claim_lines") if (row["member_id"], month_of(row["service_thru"])) in due]
    months = sorted({month for _, month in due})
    kept = {row["coverage_month"]: number(row["unposted_amount"]) for row in printed("capitation_unposted")}
    whole = sum(_budget_amount(row) for row in csv_of("contract_budget"))
    for row in printed("capitation_variance"):
        inside = months if row["period_type"] == "year" else [row["period"]]
        of_period = [one for (_, month), one in due.items() if month in inside]
        actual = sum(number(one["paid_amount"]) for one in claims if month_of(one["service_thru"]) in inside)
        allocated = sum(number(one["due_amount"]) for one in of_period)
        assert number(row["member_months"]) == len(of_period)
        assert number(row["allocated_amount"]) == allocated
        assert number(row["unposted_amount"]) == sum(kept.get(month, 0) for month in inside)
        assert number(row["posted_amount"]) == allocated - number(row["unposted_amount"])
        assert number(row["actual_amount"]) == actual
        assert number(row["deviation_amount"]) == actual - allocated
        assert abs(number(row["deviation_pmpm"]) - (actual - allocated) / len(of_period)) <= Fraction(1, 200)
        assert abs(number(row["comparator_amount"]) - whole * len(inside) / 12) <= Fraction(1, 100)
        assert row["is_alert"] == ("yes" if abs(actual - allocated) > allocated / 20 else "no")
    exact = _shapley(_budget_side(len(months)), _actual_side(due, claims))
    told = {
        (row["effect"], row["service_category"]): number(row["amount"]) for row in printed("capitation_variance_split")
    }
    assert told.keys() == exact.keys()
    assert all(abs(told[key] - exact[key]) <= Fraction(1, 100) for key in exact)
    (year,) = [row for row in printed("capitation_variance") if row["period_type"] == "year"]
    assert sum(told.values()) == number(year["actual_amount"]) - number(year["comparator_amount"])


def _budget_amount(row: Row) -> Fraction:
    return number(row["member_months"]) * number(row["services_per_1000"]) / 12_000 * number(row["cost_per_service"])


Side = dict[tuple[str, str], tuple[Fraction, Fraction, Fraction, Fraction]]
"""By age band and category: members, share of the band, services per member month, dollars per service."""


def _budget_side(months: int) -> Side:
    rows = csv_of("contract_budget")
    members = {row["age_band"]: number(row["member_months"]) * months / 12 for row in rows}
    whole = sum(members.values())
    return {
        (row["age_band"], row["service_category"]): (
            whole,
            members[row["age_band"]] / whole,
            number(row["services_per_1000"]) / 12_000,
            number(row["cost_per_service"]),
        )
        for row in rows
    }


def _actual_side(due: dict[tuple[str, str], Row], claims: list[Row]) -> Side:
    found: Side = {}
    for band, category in product({row["age_band"] for row in due.values()}, {row["claim_type"] for row in claims}):
        months = [key for key, row in due.items() if row["age_band"] == band]
        paid = [
            number(row["paid_amount"])
            for row in claims
            if row["claim_type"] == category and (row["member_id"], month_of(row["service_thru"])) in months
        ]
        share, used = Fraction(len(months), len(due)), Fraction(len(paid), len(months))
        found[band, category] = (Fraction(len(due)), share, used, sum(paid) / len(paid))
    return found


def _shapley(before: Side, after: Side) -> dict[tuple[str, str], Fraction]:
    """The mean over all orders in which members, shares, uses and prices move from one side to the other."""
    effects: dict[tuple[str, str], Fraction] = {}
    orders = list(permutations(range(4)))
    for (band, category), terms in before.items():
        for order in orders:
            now = list(terms)
            for factor in order:
                amount = now[0] * now[1] * now[2] * now[3]
                now[factor] = after[band, category][factor]
                moved = now[0] * now[1] * now[2] * now[3] - amount
                name = ("MEMBERSHIP", "CELL_MIX", "USE", "COST_PER_SERVICE")[factor]
                key = (name, category if factor > 1 else "")
                effects[key] = effects.get(key, Fraction(0)) + moved / len(orders)
    return effects
