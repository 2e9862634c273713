"""The steps over whole runs equal a recomputation from the same raw files: lines by DuckDB, steps in plain Python.

Two inputs: a cut of 40 people, and generated files, in which every part of a payment and every lag is at work.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.cli.compare import compared as compared_text
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy
from pmpm_spark.warehouse import published
from pmpm_spark.why.dollars import dollars_of, steps_section
from pmpm_spark.why.member import members_of
from pmpm_spark.why.network import network_sections
from pmpm_spark.why.rules import rules_of
from tests.equality import LISTS, Compared, read_for_oracle
from tests.impacts import impact
from tests.loaded import Loads
from tests.oracle.dollars_plain import Dollars, Line, MemberYear, chain_ladder, dollars

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]  # a fixture is a whole run

CUT = Path(__file__).resolve().parent / "data" / "rif"
YEARS = (2021, 2022)
ALL = {"exclude_ime_dsh_uncompensated": True, "include_pass_through": False, "sequestration_add_back": True}
POLICIES = (
    Policy("steps", cost=Cost(completion="chain_ladder", truncation="percentile", truncation_percentile=95.0, **ALL)),
    Policy(
        "truncated-first",
        Eligibility(part_a_b="current_month"),
        Cost(
            basis="reimbursed_to_network",
            claim_month="from",
            include_pharmacy=True,
            completion="supplied",
            truncation="supplied",
            steps=("annualize", "truncate", "sequestration", "exclude", "complete", "weight"),
            **ALL,
        ),
        Attribution(method="roster"),
    ),
)
RUNOUT = {("professional", 4): Decimal("0.9"), ("inpatient", 9): Decimal("0.8"), ("professional", 14): Decimal("0.5")}
LIMITS = {
    (year, kind): limit
    for year in YEARS
    for kind, limit in {"AGED_NON_DUAL": Decimal(9000), "DISABLED": Decimal("4000.05"), "ESRD": Decimal(30000)}.items()
}
PARTS = (
    "IME_OP_CLM_VAL_AMT", "CLM_PPS_CPTL_IME_AMT", "DSH_OP_CLM_VAL_AMT", "CLM_PPS_CPTL_DSPRPRTNT_SHR_AMT",
    "CLM_UNCOMPD_CARE_PMT_AMT",
)  # fmt: skip


def ran(spark: SparkSession, loads: Loads, files: Path, suffix: str, folder: Path) -> Compared:
    reference = folder / "reference"
    reference.mkdir()
    factors = "".join(f"{category},{runout},{share},test\n" for (category, runout), share in RUNOUT.items())
    limits = "".join(f"{year},{kind},{limit},test\n" for (year, kind), limit in LIMITS.items())
    (reference / "completion_factors.csv").write_text(
        "service_category,runout_months,completion_factor,source\n" + factors
    )
    (reference / "truncation_limits.csv").write_text(
        "performance_year,enrollment_type,truncation_limit,source\n" + limits
    )
    lists = {name: files / f"{name}{suffix}" for name in LISTS}
    source = Source("rif", str(files), max_reject_share=1.0, **{name: str(path) for name, path in lists.items()})
    warehouse = Warehouse(str(folder / "warehouse"))
    config = RunConfig(source, warehouse, YEARS, POLICIES, Reference(str(reference)))
    load = loads.begin(config)
    return Compared(config, run(spark, config), read_for_oracle(files, lists), load=load)


@pytest.fixture(scope="module", params=["cut", "generated"])
def compared(
    request: pytest.FixtureRequest, spark: SparkSession, loads: Loads, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Compared]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "cut":
        return "cut", ran(spark, loads, CUT, ".csv", folder)
    return "generated", ran(spark, loads, loads.files(350, YEARS, 11), "", folder)


def rate_of(month: date) -> Decimal:
    """Written here anew, as the law has it."""
    if month <= date(2020, 4, 1):
        return Decimal("0.02")
    if month <= date(2022, 3, 1):
        return Decimal(0)
    return Decimal("0.01") if month <= date(2022, 6, 1) else Decimal("0.02")


def recomputed(compared: Compared, policy: Policy) -> Dollars:
    """The policy's lines as the recomputation judges them, with what their claims tell of payments, step by step."""
    compared.computed.pop(policy.label, None)
    compared.recomputed(policy)  # leaves costed_lines and member_months of this policy
    con, cost = compared.oracle, policy.cost
    parts = " + ".join(f"as_amount({name})" for name in PARTS)
    con.execute(f"""
        CREATE OR REPLACE TABLE payments AS
        SELECT kind, claim_id, line_number, delivered_on, ({parts})::DECIMAL(18, 2) AS parts
        FROM judged_institutional WHERE verdict = 'accepted'
        UNION ALL SELECT kind, claim_id, line_number, delivered_on, 0 FROM judged_professional WHERE verdict = 'accepted'
        UNION ALL SELECT kind, claim_id, line_number, delivered_on, 0 FROM judged_pharmacy WHERE verdict = 'accepted'""")
    lines = con.execute("""
        SELECT l.performance_year, l.member_id, m.enrollment_type, l.member_month, l.service_category,
            date_trunc('month', l.service_thru)::DATE, l.paid_amount, l.pass_through_amount,
            CASE WHEN c.first_line IS NULL OR c.first_line = l.line_number THEN p.parts ELSE 0 END
        FROM costed_lines l
        JOIN member_months m ON m.member_id = l.member_id AND m.member_month = l.member_month
        JOIN payments p ON p.kind = l.kind AND p.claim_id = l.claim_id AND p.line_number = l.line_number
        LEFT JOIN institutional_claims c ON c.kind = l.kind AND c.claim_id = l.claim_id
        WHERE l.reason IS NULL""").fetchall()
    paid = con.execute(f"""
        SELECT service_category, date_trunc('month', service_{cost.claim_month})::DATE,
            date_trunc('month', delivered_on)::DATE, paid_amount
        FROM lines JOIN payments USING (kind, claim_id, line_number)
        WHERE NOT is_denied AND delivered_on IS NOT NULL""").fetchall()
    exposures: dict[MemberYear, Decimal] = defaultdict(Decimal)
    for year, member, kind, number in con.execute("""
            SELECT performance_year, member_id, enrollment_type, count(*) FROM member_months
            WHERE is_eligible GROUP BY ALL""").fetchall():  # fmt: skip
        exposures[year, member, kind] = Decimal(number)
    counted = [
        Line((year, member, kind), month, category, rate_of(thru), amount, amount, passed, left)
        for year, member, kind, month, category, thru, amount, passed, left in lines
    ]
    factors = chain_ladder(paid) if cost.completion == "chain_ladder" else supplied(paid)
    return dollars(cost, counted, exposures, factors, LIMITS)


def supplied(paid: list[tuple[Any, ...]]) -> dict[tuple[str, date], float]:
    newest = max(paid_in.year * 12 + paid_in.month for _, _, paid_in, _ in paid)
    months = {(category, incurred) for category, incurred, _, _ in paid}
    runout = {at: newest - at[1].year * 12 - at[1].month for at in months}
    return {at: float(RUNOUT[at[0], number]) for at, number in runout.items() if (at[0], number) in RUNOUT}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_member_years_steps_and_limits_are_those_recomputed(policy: Policy, compared: tuple[str, Compared]) -> None:
    name, of = compared
    expected = recomputed(of, policy)

    def rows(table: str, *columns: str) -> list[dict[str, Any]]:
        return [row for row in of.table(table, ("policy", *columns)) if row["policy"] == policy.label]

    year = ("performance_year", "member_id", "enrollment_type", "counted_amount")
    counted = {tuple(row[c] for c in year[:3]): row["counted_amount"] for row in rows("silver.member_years", *year)}
    assert counted == expected.counted
    limits = rows("silver.truncation_limits", "performance_year", "enrollment_type", "truncation_limit")
    assert {(r["performance_year"], r["enrollment_type"]): r["truncation_limit"] for r in limits} == expected.limits
    steps = [
        r for r in rows("gold.excluded", *("performance_year", "kind", "reason", "paid_amount")) if r["kind"] == "step"
    ]
    assert {
        (r["performance_year"], r["reason"]): r["paid_amount"] for r in steps if r["paid_amount"]
    } == expected.effects
    if name == "generated":
        told = {"PASS_THROUGH", "IME_DSH_UNCOMPENSATED", "SEQUESTRATION", "COMPLETION", "TRUNCATED"}
        assert {reason for _, reason in expected.effects} == told


def test_the_networks_add_up_and_all_identities_hold(compared: tuple[str, Compared]) -> None:
    _, of = compared
    identities = of.table(
        "ops.identities", ("policy", "performance_year", "identity", "counted", "excluded", "everything")
    )
    assert {row["identity"] for row in identities} == {
        "months", "dollars", "steps", "leakage", "subcategories", "subcategories_counted", "concentration",
    }  # fmt: skip
    assert [row for row in identities if row["counted"] + row["excluded"] != row["everything"]] == []
    sums: dict[str, dict[tuple, Decimal]] = {}
    for table in (
        "network_pmpm",
        "practice_pmpm",
        "physician_pmpm",
        "network_pmpm_by_month",
        "network_pmpm_by_category",
        "network_pmpm_by_subcategory",
    ):
        columns = ("policy", "performance_year", "network_id", "counted_amount")
        more = ("in_total",) if "category" in table else ()
        of_network: dict[tuple, Decimal] = defaultdict(Decimal)
        for row in of.table(f"gold.{table}", (*columns, *more)):
            of_network[tuple(row[c] for c in columns[:3])] += row["counted_amount"] if row.get("in_total", True) else 0
        sums[table] = {at: amount for at, amount in of_network.items() if amount}
    assert all(found == sums["network_pmpm"] for found in sums.values())


def test_the_year_to_date_of_december_is_the_year_and_a_month_completed_already_is_not_completed_again(
    compared: tuple[str, Compared],
) -> None:
    _, of = compared
    figures = ("member_months", "counted_amount", "pmpm", "normalized_risk_score", "adjusted_pmpm")
    grain = ("policy", "performance_year", "network_id")

    def rows(table: str, *more: str) -> list[dict]:
        return of.table(f"gold.{table}", (*grain, *figures, *more))

    periods = [
        row for row in rows("network_pmpm_rolling", "span", "member_month", "prior_cut") if row["policy"] == "steps"
    ]
    assert {row["prior_cut"] for row in periods} == {None, "COMPLETED"}
    for span in ("YEAR_TO_DATE", "ROLLING_12"):
        ends = [row for row in periods if row["span"] == span and row["member_month"].month == 12]
        december = {row["performance_year"]: row for row in ends}
        assert set(december) == set(YEARS)
        found = {tuple(row[name] for name in grain): [row[name] for name in figures] for row in ends}
        years = {tuple(row[name] for name in grain): row for row in rows("network_pmpm") if row["policy"] == "steps"}
        assert set(found) == set(years)
        for at, told in found.items():
            assert told[:2] == [years[at][name] for name in figures[:2]]
            assert told[2:] == pytest.approx([years[at][name] for name in figures[2:]], rel=1e-12)
    names = (*grain, "member_month", "counted_amount", "completed_amount", "completed_pmpm_high", "runout_months")
    months = of.table("gold.network_pmpm_by_month", names)
    assert months and all(row["completed_amount"] == row["counted_amount"] for row in months)
    has_band = {row["policy"] for row in months if row["completed_pmpm_high"] is not None}
    assert has_band == {"steps"} and min(row["runout_months"] for row in months) >= 0


def test_what_the_steps_and_the_truncation_move_adds_up_to_the_figures_of_both(
    spark: SparkSession, compared: tuple[str, Compared]
) -> None:
    name, of = compared
    found = impact(published(spark, of.config), *[policy.name for policy in POLICIES], YEARS[-1])
    moves = {rule for rule, figures in found.items() if any(figures)}
    assert {"cost.truncation, truncation_percentile", "cost.basis"} <= {*moves}, found
    if name == "generated":
        assert moves == set(found), found


def test_explained_dollars_and_steps_of_all_members_add_up_to_those_of_the_run(
    compared: tuple[str, Compared], spark: SparkSession
) -> None:
    """Each member's lines are held to what was counted of them, under another basis and month of claims, too."""
    of = published(spark, compared[1].config)
    rules = rules_of(of)
    policies = {label: policy for label, (policy, _) in rules.items()}
    assert policies == {policy.label: policy for policy in POLICIES}, "the rules are those of the run"
    steps: dict[tuple, Decimal] = defaultdict(Decimal)
    counted: dict[tuple, Decimal] = defaultdict(Decimal)
    for member in members_of(of, list(rules), F.lit(True)).values():
        for dollar in dollars_of(member, rules):
            counted[dollar.policy, dollar.month.year] += dollar.paid_amount if dollar.reason is None else 0
        for policy, year, step, amount in steps_section(member, policies, lambda month: True).rows:
            steps[policy, year, step] += amount
    columns = ("policy", "performance_year", "kind", "reason", "paid_amount")
    rows = [row for row in compared[1].table("gold.excluded", columns) if row["kind"] == "step" and row["paid_amount"]]
    published_steps = {(row["policy"], row["performance_year"], row["reason"]): row["paid_amount"] for row in rows}
    assert {
        at: amount for at, amount in steps.items() if amount and at[2] not in ("PAID", "COUNTED")
    } == published_steps
    networks = compared[1].table("gold.network_pmpm", ("policy", "performance_year", "network_id", "paid_amount"))
    paid: dict[tuple, Decimal] = defaultdict(Decimal)
    for row in networks:
        paid[row["policy"], row["performance_year"]] += row["paid_amount"]
    assert {at: amount for at, amount in counted.items() if amount} == {at: a for at, a in paid.items() if a}
    for network in {row["network_id"] for row in networks if row["performance_year"] == 2021}:
        parts, practices = network_sections(of, network, 2021, rules)
        assert parts.rows and practices.rows


def test_every_pair_of_networks_is_compared_by_its_published_figures_and_the_parts_add_up(
    compared: tuple[str, Compared], spark: SparkSession
) -> None:
    name, of = compared
    grain = ("policy", "performance_year", "network_id")
    gold = {
        tuple(row[k] for k in grain): row
        for row in of.table("gold.network_pmpm", (*grain, "pmpm", "adjusted_pmpm", "members", "is_small_cell"))
    }
    pair = (*grain, "other_network_id")
    parts: dict[tuple, Decimal] = defaultdict(Decimal)
    for row in of.table("gold.network_comparison_parts", (*pair, "part", "service_category", "amount")):
        parts[tuple(row[k] for k in pair)] += row["amount"]
    rows = of.table(
        "gold.network_comparison", (*pair, "figure", "other_figure", "difference", "is_adjusted", "p_value")
    )
    assert rows
    for row in rows:
        assert float(parts[tuple(row[k] for k in pair)]) == pytest.approx(row["difference"], abs=0.00501)
        names = {"figure": row["network_id"], "other_figure": row["other_network_id"]}
        for figure, network in names.items():
            if network != "ALL_OTHERS":
                told = gold[row["policy"], row["performance_year"], network]
                assert row[figure] == pytest.approx(told["adjusted_pmpm" if row["is_adjusted"] else "pmpm"], rel=1e-6)
    if name == "cut":
        return
    at = published(spark, of.config)
    asked = next(row for row in rows if row["other_network_id"] != "ALL_OTHERS" and row["p_value"] is not None)
    one, other, year = asked["network_id"], asked["other_network_id"], asked["performance_year"]
    there, back = (
        json.loads(compared_text(at, "network", *ids, year, policy=asked["policy"], form="json"))
        for ids in ((one, other), (other, one))
    )
    assert there["difference"][0]["difference"] == asked["difference"] == -back["difference"][0]["difference"]
    assert there["difference"][0]["difference_low"] == -back["difference"][0]["difference_high"]
    assert there["parts"][-1]["amount"] == str(-Decimal(back["parts"][-1]["amount"]))
    assert there["sides"] == back["sides"][::-1]
    said = compared_text(at, "network", one, None, year, policy=asked["policy"])
    assert "than all others (95% interval " in said
    with pytest.raises(InputError, match=f"compare: no network X in {year}"):
        compared_text(at, "network", one, "X", year)
    with pytest.raises(InputError, match="is compared with itself"):
        compared_text(at, "network", one, one, year)
    with pytest.raises(InputError, match="compare: no year 1999 is published"):
        compared_text(at, "network", one, other, 1999)
    # the practices of the run, the two with most members; what is computed now is what is published of their members
    practices = of.table("gold.practice_pmpm", (*grain, "practice_tin", "members", "adjusted_pmpm"))
    most = sorted(
        (r for r in practices if r["policy"] == asked["policy"] and r["performance_year"] == year),
        key=lambda r: -r["members"],
    )
    tins = [r["practice_tin"] for r in most if "UNATTRIBUTED" not in (r["practice_tin"], r["network_id"])]
    alone = [tin for tin in tins if tins.count(tin) == 1][:2]
    told = json.loads(compared_text(at, "practice", *alone, year, policy=asked["policy"], form="json"))
    figures = {r["practice_tin"]: r["adjusted_pmpm"] for r in most}
    assert [side["figure"] for side in told["sides"]] == pytest.approx([figures[tin] for tin in alone], rel=1e-6)
    *split, total = [Decimal(part["amount"]) for part in told["parts"]]
    assert sum(split) == total
    assert float(total) == pytest.approx(told["difference"][0]["difference"], abs=0.00501)
