"""The steps from what was paid to the policy's dollars: the order changes the answer, and no cent is lost on the way.

A thousand generated members under policies of random steps and orders, recomputed member by member in plain Python.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark.gold.cost_concentration import cost_concentration
from pmpm_spark.gold.excluded import EXCLUDED, excluded
from pmpm_spark.gold.leakage_destinations import LEAKAGE_DESTINATIONS, leakage_destinations
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM, network_pmpm
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY, network_pmpm_by_category
from pmpm_spark.gold.network_pmpm_by_month import network_pmpm_by_month
from pmpm_spark.gold.network_pmpm_by_subcategory import NETWORK_PMPM_BY_SUBCATEGORY, network_pmpm_by_subcategory
from pmpm_spark.identities import IDENTITIES, identities
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.policy import STEPS, Cost, Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS, SEQUESTRATION_RATES, TRUNCATION_LIMITS_SUPPLIED
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.high_cost_members import HIGH_COST_MEMBERS, high_cost_members
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS, member_month_costs
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS, member_years
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS, truncated_costs
from pmpm_spark.silver.truncation_limits import TRUNCATION_LIMITS, truncation_limits
from pmpm_spark.table import Table, conform
from tests.oracle.dollars_plain import Dollars, Line, MemberYear, cents, dollars
from tests.tables import frame

Tables = dict[str, DataFrame]


def chain(
    spark: SparkSession, folder: Path, given: Tables, policies: tuple[Policy, ...], years: tuple[int, ...]
) -> Tables:
    """From claim costs to the gold tables; what is read again is written once."""
    run: dict[str, Any] = {"policies": policies, "performance_years": years}

    def held(built: DataFrame, table: Table) -> DataFrame:
        path = str(folder / table.short_name)
        conform(built, table).write.parquet(path)
        return spark.read.parquet(path)

    given = {**given, "claim_costs": held(given["claim_costs"], CLAIM_COSTS)}
    given = {**given, "member_months": held(given["member_months"], MEMBER_MONTHS)}
    months, whose = given["member_months"], given["attribution"]
    costs = member_month_costs(given["claim_costs"], months, whose, given["rates"], given["factors"], **run)
    by_row = held(costs, MEMBER_MONTH_COSTS)
    limits = held(truncation_limits(months, by_row, given["limits"], **run), TRUNCATION_LIMITS)
    truncated = held(truncated_costs(months, by_row, limits, **run), TRUNCATED_COSTS)
    scores = frame(spark, RISK_SCORES, "member_id")
    people = held(member_years(months, by_row, truncated, whose, scores, **run), MEMBER_YEARS)
    no_means = frame(spark, RISK_MEANS, "source")
    roster, no_factors = frame(spark, NETWORK_ROSTER, "network_id"), frame(spark, NORMALIZATION_FACTORS, "source")
    networks = held(network_pmpm(people, roster, no_factors, no_means, **run), NETWORK_PMPM)
    left_out = held(excluded(months, by_row, truncated, **run), EXCLUDED)
    by_category = held(network_pmpm_by_category(networks, by_row, truncated, **run), NETWORK_PMPM_BY_CATEGORY)
    by_subcategory = held(
        network_pmpm_by_subcategory(by_category, given["claim_costs"], by_row, truncated, **run),
        NETWORK_PMPM_BY_SUBCATEGORY,
    )
    leakage = held(leakage_destinations(given["claim_costs"], by_row, **run), LEAKAGE_DESTINATIONS)
    dearest = held(high_cost_members(people, **run), HIGH_COST_MEMBERS)
    return {
        "by_row": by_row,
        "limits": limits,
        "truncated": truncated,
        "member_years": people,
        "network_pmpm": networks,
        "excluded": left_out,
        "by_month": network_pmpm_by_month(months, by_row, truncated, whose, given["factors"], **run),
        "by_category": by_category,
        "by_subcategory": by_subcategory,
        "identities": identities(
            months,
            given["claim_costs"],
            networks,
            left_out,
            leakage,
            by_category,
            by_subcategory,
            dearest,
            cost_concentration(dearest, networks, by_category, by_row, truncated, **run),
            **run,
        ),
    }


# --- domain 5.4: three people, a limit of 150,000 a year, and dollars of which 1 / 1.013 is paid ---


@pytest.fixture(scope="module")
def toy(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    people = {"m1": (6, 90_000), "m2": (12, 30_000), "m3": (3, 5_000)}
    months = ["policy | member_id | member_month | performance_year | enrollment_type | exposure | is_eligible"]
    months += [
        f"{policy} | {member} | 2021-{month:02}-01 | 2021 | AGED_NON_DUAL | 1 | true"
        for policy in ("first", "last")
        for member, (number, _) in people.items()
        for month in range(1, number + 1)
    ]
    costs = [
        "member_id | thru_month | from_month | service_category | roster_network_id | is_denied | destination "
        "| claim_lines | services | paid_amount"
    ]
    costs += [
        f"{m} | 2021-01-01 | 2021-01-01 | dme | '' | false | '' | 1 | 1 | {paid}" for m, (_, paid) in people.items()
    ]
    whose = [f"{policy} | 2021 | {member} | N" for policy in ("first", "last") for member in people]
    given = {
        "claim_costs": frame(spark, CLAIM_COSTS, "\n".join(costs)),
        "member_months": frame(spark, MEMBER_MONTHS, "\n".join(months)),
        "attribution": frame(
            spark, ATTRIBUTION, "\n".join(["policy | performance_year | member_id | network_id", *whose])
        ),
        "rates": frame(spark, SEQUESTRATION_RATES, "source"),
        "factors": frame(
            spark,
            COMPLETION_FACTORS,
            "method | claim_month | service_category | incurred_month | completion_factor\n"
            "supplied | thru | dme | 2021-01-01 | 0.9871668312",
        ),
        "limits": frame(
            spark,
            TRUNCATION_LIMITS_SUPPLIED,
            "performance_year | enrollment_type | truncation_limit\n2021 | AGED_NON_DUAL | 150000.00",
        ),
    }
    first = Cost(completion="supplied", truncation="supplied")
    last = replace(first, steps=("exclude", "sequestration", "annualize", "truncate", "complete", "weight"))
    policies = (Policy("first", cost=first), Policy("last", cost=last))
    return chain(spark, tmp_path_factory.mktemp("toy"), given, policies, (2021,))


@pytest.mark.parametrize(
    ("policy", "counted", "per_year", "per_month"),
    [("first", "110455.00", 63117.1429, 5259.7619), ("last", "111430.00", 63674.2857, 63674.2857 / 12)],
)
def test_to_complete_before_the_truncation_or_after_it_gives_two_costs_per_year(
    toy: Tables, policy: str, counted: str, per_year: float, per_month: float
) -> None:
    (row,) = toy["network_pmpm"].where(F.col("policy") == policy).collect()
    assert (row.member_months, row.paid_amount, row.counted_amount) == (21, 125_000, Decimal(counted))
    assert row.pmpm == pytest.approx(per_month, abs=1e-4)
    assert row.pmpm * 12 == pytest.approx(per_year, abs=1e-3)


def test_each_step_of_the_toy_tells_its_effect(toy: Tables) -> None:
    found = {(row.policy, row.reason): row.paid_amount for row in toy["excluded"].collect() if row.kind == "step"}
    assert found == {
        ("first", "COMPLETION"): 1625,
        ("first", "TRUNCATED"): -16_170,
        ("last", "TRUNCATED"): -15_000,
        ("last", "COMPLETION"): 1430,
    }


# --- a thousand members ---

YEARS = (2020, 2021)
CATEGORIES = ("inpatient", "professional", "dme", "pharmacy")
SECOND_LEVEL = ("one", "three", "two")
TYPES = ("ESRD", "AGED_DUAL")
RATES = {2020: (Decimal("0.02"), (1, 4)), 2021: (Decimal("0.01"), (2, 11))}
"""Rate by year, and from which month to which."""


def random_policies() -> tuple[Policy, ...]:
    draw = random.Random(11)
    policies = []
    for number in range(10):
        orders = [list(STEPS)]
        while len(orders) < 60:
            orders.append(draw.sample(STEPS, len(STEPS)))
        lawful = [o for o in orders if o.index("annualize") < o.index("truncate") < o.index("weight")]
        cost = Cost(
            amount=draw.choice(("paid", "paid", "allowed")),
            basis=draw.choice(("total_cost_of_care", "total_cost_of_care", "reimbursed_to_network")),
            claim_month=draw.choice(("thru", "from")),
            include_pharmacy=draw.random() < 0.5,
            exclude_ime_dsh_uncompensated=draw.random() < 0.7,
            include_pass_through=draw.random() < 0.5,
            sequestration_add_back=draw.random() < 0.7,
            completion=draw.choice(("none", "supplied", "chain_ladder")),
            truncation=draw.choice(("none", "percentile", "percentile", "supplied")),
            truncation_percentile=draw.choice((50.0, 90.0, 97.5, 99.0)),
            steps=tuple(draw.choice(lawful)),
        )
        policies.append(Policy(f"p{number}", cost=cost))
    return tuple(policies)


POLICIES = random_policies()
LIMITS = {(2020, "ESRD"): Decimal("60000.00"), (2021, "ESRD"): Decimal("70000.01"), (2021, "AGED_DUAL"): Decimal(0)}


def generated() -> dict[str, dict]:
    draw = random.Random(3)
    members = [f"m{number:04}" for number in range(1000)]
    all_months = [date(year, month, 1) for year in (2019, *YEARS) for month in range(1, 13)]
    costs: dict[tuple, tuple] = {}
    for member in members:
        scale = draw.choice((1, 1, 1, 10, 100))
        for _ in range(draw.randint(0, 7)):
            place = draw.randint(10, len(all_months) - 1)
            category, network = draw.choice(CATEGORIES), draw.choice(("", "A", "B"))
            first = all_months[place - draw.randint(0, 1)]
            levels = (category, draw.choice(SECOND_LEVEL))
            key = (member, all_months[place], first, *levels, network, draw.random() < 0.1, draw.choice(("tin 1", "")))
            paid = Decimal(draw.randint(-2000, 90000) * scale) / 100
            parts = [draw.choice((None, Decimal(draw.randint(0, 3000)) / 100)) for _ in range(4)]
            costs[key] = (draw.randint(1, 3), 1, paid, paid + draw.choice((0, 1, 2)), *parts)
    months, networks = {}, {}
    for policy in POLICIES:
        for member in members:
            for year in YEARS:
                networks[policy.name, year, member] = draw.choice(("A", "A", "B", "UNATTRIBUTED"))
                kind = draw.choice(TYPES)
                for number in range(draw.randint(1, 12), draw.randint(1, 12) + 1):
                    exposure = draw.choice((Decimal(1), Decimal(1), Decimal("0.483871")))
                    kind = draw.choice((*TYPES, kind, kind, kind))
                    reasons = draw.choice(((), (), (), (), ("MEDICARE_SECONDARY",)))
                    months[policy.name, member, date(year, number, 1)] = (kind, exposure, reasons)
    factors = {
        (method, at, category, month): draw.choice((1.0, 0.5, draw.uniform(0.2, 1)))
        for method in ("supplied", "chain_ladder")
        for at in ("thru", "from")
        for category in CATEGORIES
        for month in all_months[-10:]
    }
    return {"costs": costs, "months": months, "networks": networks, "factors": factors}


def _step_and_reason(network: str) -> tuple[str, str | None]:
    return "plurality", "OUTSIDE_PLURALITY" if network == "UNATTRIBUTED" else None


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    told = generated()
    rates = [(date(year, first, 1), date(year, last, 1), rate, "test") for year, (rate, (first, last)) in RATES.items()]
    months = [
        (policy, member, month, month.year, *[None] * 8, kind, None, exposure, not reasons, list(reasons))
        for (policy, member, month), (kind, exposure, reasons) in told["months"].items()
    ]
    whose = [
        (*key, network, "T", "N", "plurality", *[None] * 3, network, *_step_and_reason(network), None)
        for key, network in told["networks"].items()
    ]
    factors = [(*key, 1, factor, *[None] * 6) for key, factor in told["factors"].items()]
    given = {
        "claim_costs": spark.createDataFrame(
            [(member, "professional", *key, *of_key) for (member, *key), of_key in told["costs"].items()],
            CLAIM_COSTS.schema,
        ),
        "member_months": spark.createDataFrame(months, MEMBER_MONTHS.schema),
        "attribution": spark.createDataFrame(whose, ATTRIBUTION.schema),
        "rates": spark.createDataFrame(rates, SEQUESTRATION_RATES.schema),
        "factors": spark.createDataFrame(factors, COMPLETION_FACTORS.schema),
        "limits": spark.createDataFrame(
            [(year, kind, limit, "test") for (year, kind), limit in LIMITS.items()], TRUNCATION_LIMITS_SUPPLIED.schema
        ),
    }
    return chain(spark, tmp_path_factory.mktemp("members"), given, POLICIES, YEARS)


def rate_of(month: date) -> Decimal:
    rate, (first, last) = RATES.get(month.year, (Decimal(0), (1, 0)))
    return rate if first <= month.month <= last else Decimal(0)


def by_hand(policy: Policy, told: dict[str, dict]) -> Dollars:
    """The counted lines, picked one by one, and the months of everybody, through the steps in plain Python."""
    cost, lines = policy.cost, []
    for (member, thru, first, category, _, roster, denied, _), values in told["costs"].items():
        month = thru if cost.claim_month == "thru" else first
        kind, _, reasons = told["months"].get((policy.name, member, month), (None, None, ("NOT_ENROLLED",)))
        counts = month.year in YEARS and not denied and not reasons
        counts = counts and (cost.include_pharmacy or category != "pharmacy")
        if cost.basis == "reimbursed_to_network":
            counts = counts and roster == told["networks"][policy.name, month.year, member]
        if counts:
            _, _, paid, allowed, passed, *parts = values
            amount = paid if cost.amount == "paid" else allowed
            left = sum((part or Decimal(0) for part in parts), Decimal(0))
            of = (month.year, member, kind)
            lines.append(Line(of, month, category, rate_of(thru), paid, amount, passed or Decimal(0), left))
    exposures: dict[MemberYear, Decimal] = defaultdict(Decimal)
    for (name, member, month), (kind, exposure, reasons) in told["months"].items():
        if name == policy.name and not reasons:
            exposures[month.year, member, kind] += exposure
    factors = {
        at[2:]: factor for at, factor in told["factors"].items() if at[:2] == (cost.completion, cost.claim_month)
    }
    return dollars(cost, lines, exposures, factors, LIMITS)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_every_member_year_step_and_limit_is_as_recomputed_by_hand(policy: Policy, tables: Tables) -> None:
    expected = by_hand(policy, generated())
    of_policy = F.col("policy") == policy.name
    years = tables["member_years"].where(of_policy).collect()
    assert {(r.performance_year, r.member_id, r.enrollment_type): r.counted_amount for r in years} == expected.counted
    steps = tables["excluded"].where(of_policy & (F.col("kind") == "step")).collect()
    assert {(r.performance_year, r.reason): r.paid_amount for r in steps if r.paid_amount} == expected.effects
    found = tables["limits"].where(of_policy).collect()
    assert {(r.performance_year, r.enrollment_type): r.truncation_limit for r in found} == expected.limits


def test_the_policies_between_them_take_every_step_and_truncate_before_and_after_others() -> None:
    told = generated()
    reasons = {reason for policy in POLICIES for _, reason in by_hand(policy, told).effects}
    assert reasons == {
        "ALLOWED", "PASS_THROUGH", "IME_DSH_UNCOMPENSATED", "SEQUESTRATION", "COMPLETION", "TRUNCATED",
    }  # fmt: skip
    after = {step for policy in POLICIES for step in policy.cost.after_truncation}
    assert {"exclude", "sequestration", "complete"} <= after
    assert {policy.cost.truncation for policy in POLICIES} == {"none", "percentile", "supplied"}


def test_all_identities_hold_to_the_cent(tables: Tables) -> None:
    rows = conform(tables["identities"], IDENTITIES).collect()
    assert len(rows) == len(POLICIES) * len(YEARS) * 7
    assert [row for row in rows if row.counted + row.excluded != row.everything] == []


def test_months_and_categories_in_total_add_up_to_the_network_after_every_step(tables: Tables) -> None:
    def added(rows: DataFrame) -> dict[tuple, Decimal]:
        sums = rows.groupBy("policy", "performance_year", "network_id").agg(F.sum("counted_amount").alias("counted"))
        return {tuple(row[:3]): row[3] for row in sums.collect() if row[3]}

    networks = added(tables["network_pmpm"])
    assert added(tables["by_month"]) == networks
    assert added(tables["by_category"].where("in_total")) == networks


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_second_levels_share_the_dollars_of_each_row_by_what_is_kept_of_each_line(
    policy: Policy, tables: Tables
) -> None:
    """Each line takes the share of its member, month and category that it is of what the exclusions keep there."""
    cost, told, of_policy = policy.cost, generated(), F.col("policy") == policy.name
    rows = tables["by_row"].where(of_policy & F.expr("exclusion_reason IS NULL AND counted_lines > 0")).collect()
    truncated = {
        (r.member_id, r.member_month, r.service_category): r.counted_amount
        for r in tables["truncated"].where(of_policy).collect()
    }
    counted = {}
    for row in rows:
        at = (row.member_id, row.member_month, row.service_category)
        kept = row.counted_paid_amount + row.allowed_effect + row.pass_through_effect + row.ime_dsh_uncompensated_effect
        counted[at] = (kept, row.counted_amount + truncated.get(at, 0))
    sums: dict[tuple, list] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0)])
    for (member, thru, first, category, second, roster, denied, _), values in told["costs"].items():
        month = thru if cost.claim_month == "thru" else first
        network = told["networks"].get((policy.name, month.year, member))
        at = (member, month, category)
        if denied or at not in counted or (cost.basis == "reimbursed_to_network" and roster != network):
            continue
        lines, services, paid, allowed, passed, *parts = values
        kept = paid if cost.amount == "paid" else allowed
        kept -= (passed or 0) if not cost.include_pass_through else 0
        kept -= sum(part or 0 for part in parts) if cost.exclude_ime_dsh_uncompensated else 0
        all_kept, all_counted = counted[at]
        if all_kept != all_counted:
            kept = cents(float(kept) * float(all_counted) / float(all_kept)) if all_kept else Decimal(0)
        for place, value in enumerate((lines, services, paid, kept)):
            sums[month.year, network, category, second][place] += value
    whole = {
        (r.performance_year, r.network_id, r.service_category): r.counted_amount
        for r in tables["by_category"].where(of_policy).collect()
    }
    for at in {key[:3] for key in sums}:
        seconds = {key: value[3] for key, value in sums.items() if key[:3] == at}
        most = min(seconds, key=lambda key: (-abs(seconds[key]), key[3]))
        sums[most][3] += whole[at] - sum(seconds.values())
    found = tables["by_subcategory"].where(of_policy).collect()
    assert {
        (r.performance_year, r.network_id, r.service_category, r.service_category_2): [
            r.claim_lines, r.services, r.paid_amount, r.counted_amount,
        ]
        for r in found
    } == sums  # fmt: skip
    assert all(r.pmpm == float(r.counted_amount) / float(r.member_months) for r in found)


def test_lines_services_and_dollars_by_second_level_add_up_to_each_category_after_every_step(tables: Tables) -> None:
    names = ("claim_lines", "services", "paid_amount", "counted_amount")

    def added(rows: DataFrame) -> dict[tuple, tuple]:
        sums = rows.groupBy("policy", "performance_year", "network_id", "service_category", "in_total").agg(
            *[F.sum(name) for name in names]
        )
        return {tuple(row[:5]): tuple(row[5:]) for row in sums.collect() if row[5]}

    assert added(tables["by_subcategory"]) == added(tables["by_category"])


def test_truncation_never_raises_a_cost_of_a_year_and_never_changes_what_was_paid(tables: Tables) -> None:
    sums = tables["truncated"].groupBy("policy", "member_id", "performance_year", "enrollment_type")
    highest = sums.agg(F.sum("truncated_effect").alias("effect")).agg(F.max("effect")).collect()[0][0]
    assert highest < 0
