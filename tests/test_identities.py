"""Nothing leaks: every month and every cent is counted or excluded under one reason, for hundreds of generated members.

The figures are recomputed in plain Python, line by line, with design section 2 in hand.
"""

import random
from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.cost_concentration import cost_concentration
from pmpm_spark.gold.excluded import excluded
from pmpm_spark.gold.leakage_destinations import LEAKAGE_DESTINATIONS, leakage_destinations
from pmpm_spark.gold.network_pmpm import network_pmpm
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY, network_pmpm_by_category
from pmpm_spark.gold.network_pmpm_by_month import network_pmpm_by_month
from pmpm_spark.gold.network_pmpm_by_subcategory import network_pmpm_by_subcategory
from pmpm_spark.identities import IDENTITIES, identities
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS, SEQUESTRATION_RATES
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.high_cost_members import HIGH_COST_MEMBERS, high_cost_members
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS, member_month_costs
from pmpm_spark.silver.member_months import MEMBER_MONTHS
from pmpm_spark.silver.member_years import MEMBER_YEARS, member_years
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.table import conform
from tests.tables import frame

YEARS = (2020, 2021)
POLICIES = (
    Policy("default"),
    Policy("own", cost=Cost(basis="reimbursed_to_network", claim_month="from")),
    Policy("allowed", cost=Cost(amount="allowed", include_pharmacy=True)),
)
READ = (
    "member_months", "claim_costs", "network_pmpm", "excluded", "leakage_destinations", "by_category", "by_subcategory",
    "dearest", "concentration",
)  # fmt: skip
CATEGORIES = ("inpatient", "professional", "emergency", "pharmacy")
REASONS = ((), (), (), ("NOT_ENROLLED", "NOT_IN_PART_A_AND_B"), ("MEDICARE_SECONDARY",), ("DECEASED",))


def generated() -> tuple[list[tuple], dict, dict]:
    """Claim costs, months by (policy, member, month), and networks by (policy, year, member)."""
    draw = random.Random(5)
    members = [f"m{number:03}" for number in range(400)]
    all_months = [date(year, month, 1) for year in (2019, *YEARS, 2022) for month in (1, 2, 11, 12)]
    costs = {}
    for member in members:
        for _ in range(draw.randint(0, 9)):
            place = draw.randint(1, len(all_months) - 1)
            first = all_months[place - draw.randint(0, 1)]
            category, network = draw.choice(CATEGORIES), draw.choice(("", "A", "B"))
            denied = category != "pharmacy" and draw.random() < 0.2
            levels = (category, draw.choice(("one", "two")))
            key = (member, all_months[place], first, *levels, network, denied, draw.choice(("tin 1", "tin 2", "")))
            paid = Decimal(draw.randint(-5000, 900000)) / 100
            costs[key] = (draw.randint(1, 3), draw.randint(0, 2), paid, paid + draw.choice((0, 1)), *[Decimal(0)] * 4)
    months, networks = {}, {}
    for policy in POLICIES:
        for member in members:
            for year in YEARS:
                if draw.random() < 0.6:
                    networks[policy.name, year, member] = draw.choice(("A", "B", "UNATTRIBUTED"))
                if draw.random() < 0.1:
                    continue  # no coverage in the year: no member months
                for month in all_months:
                    if month.year == year:
                        kind = draw.choice(("ESRD", "AGED_DUAL"))
                        months[policy.name, member, month] = (draw.choice(REASONS), kind)
    return [(*key, *value) for key, value in costs.items()], months, networks


@pytest.fixture(scope="module")
def tables(spark):
    costs, months, networks = generated()
    typed = [(member, "pharmacy" if cost[2] == "pharmacy" else "professional", *cost) for member, *cost in costs]
    claim_costs = spark.createDataFrame(typed, CLAIM_COSTS.schema)
    month_rows = [
        (policy, member, month, month.year, *[None] * 8, kind, None, Decimal(1), not reasons, list(reasons))
        for (policy, member, month), (reasons, kind) in months.items()
    ]
    member_months = spark.createDataFrame(month_rows, MEMBER_MONTHS.schema)
    whose = [(*key, network) for key, network in networks.items()]
    untold = [F.lit(None).cast(c.type).alias(c.name) for c in ATTRIBUTION.columns[4:]]
    attribution = spark.createDataFrame(whose, T.StructType(ATTRIBUTION.schema.fields[:4])).select("*", *untold)
    run = {"policies": POLICIES, "performance_years": YEARS}
    rates = frame(spark, SEQUESTRATION_RATES, "first_month")
    completion = frame(spark, COMPLETION_FACTORS, "method")
    by_month = member_month_costs(claim_costs, member_months, attribution, rates, completion, **run)
    # collected once, so that what follows is not computed anew for each table
    held = spark.createDataFrame(conform(by_month, MEMBER_MONTH_COSTS).collect(), MEMBER_MONTH_COSTS.schema)
    scores = frame(spark, RISK_SCORES, "member_id | performance_year | risk_score")
    truncated = frame(spark, TRUNCATED_COSTS, "policy")
    years = member_years(member_months, held, truncated, attribution, scores, **run)
    people = spark.createDataFrame(conform(years, MEMBER_YEARS).collect(), MEMBER_YEARS.schema)
    means = frame(spark, RISK_MEANS, "source")
    roster = frame(spark, NETWORK_ROSTER, "network_id | start_date | end_date")
    factors = frame(spark, NORMALIZATION_FACTORS, "performance_year")
    networks_table = network_pmpm(people, roster, factors, means, **run)
    by_category = network_pmpm_by_category(networks_table, held, truncated, **run)
    categories = spark.createDataFrame(
        conform(by_category, NETWORK_PMPM_BY_CATEGORY).collect(), NETWORK_PMPM_BY_CATEGORY.schema
    )
    dearest = spark.createDataFrame(
        conform(high_cost_members(people, **run), HIGH_COST_MEMBERS).collect(), HIGH_COST_MEMBERS.schema
    )
    return {
        "dearest": dearest,
        "concentration": cost_concentration(dearest, networks_table, categories, held, truncated, **run),
        "member_months": member_months,
        "claim_costs": claim_costs,
        "network_pmpm": networks_table,
        "excluded": excluded(member_months, held, truncated, **run),
        "leakage_destinations": spark.createDataFrame(
            conform(leakage_destinations(claim_costs, held, **run), LEAKAGE_DESTINATIONS).collect(),
            LEAKAGE_DESTINATIONS.schema,
        ),
        "by_month": network_pmpm_by_month(member_months, held, truncated, attribution, completion, **run),
        "by_category": categories,
        "by_subcategory": network_pmpm_by_subcategory(categories, claim_costs, held, truncated, **run),
    }


def by_hand() -> tuple[dict, dict]:
    """Counted dollars and months by network, and what is excluded by reason."""
    costs, months, networks = generated()
    counted = defaultdict(lambda: [0, Decimal(0), Decimal(0), Decimal(0)])
    left_out = defaultdict(lambda: [0, Decimal(0)])
    for (policy, member, month), (reasons, _) in months.items():
        if reasons:
            left_out[policy, month.year, "month", reasons[0]][0] += 1
        else:
            counted[policy, month.year, networks.get((policy, month.year, member), "UNATTRIBUTED")][0] += 1
    for policy in POLICIES:
        rule = policy.cost
        for member, thru, first, category, _, roster, denied, _, lines, _, paid, allowed, *_ in costs:
            month = thru if rule.claim_month == "thru" else first
            if month.year not in YEARS:
                continue
            mine = networks.get((policy.name, month.year, member), "UNATTRIBUTED")
            reasons, _ = months.get((policy.name, member, month), (("NOT_ENROLLED",), None))
            if category == "pharmacy" and not rule.include_pharmacy:
                reason = "PHARMACY"
            elif denied:
                reason = "DENIED"
            elif reasons:
                reason = reasons[0]
            elif rule.basis == "reimbursed_to_network" and roster != mine:
                reason = "OUT_OF_NETWORK"
            else:
                sums = counted[policy.name, month.year, mine]
                sums[1] += paid
                sums[2] += paid if rule.amount == "paid" else allowed
                sums[3] += paid if roster == mine else 0
                continue
            sums = left_out[policy.name, month.year, "dollar", reason]
            sums[0] += lines
            sums[1] += paid
    return counted, left_out


def test_each_network_counts_what_a_count_by_hand_gives_it(tables):
    rows = tables["network_pmpm"].collect()
    found = {
        (r.policy, r.performance_year, r.network_id): [
            r.member_months,
            r.paid_amount,
            r.counted_amount,
            r.in_network_paid_amount,
        ]
        for r in rows
    }
    assert found == by_hand()[0]
    assert len(rows) == 18  # three networks, two years, three policies


def test_every_excluded_month_line_and_dollar_stands_under_its_first_reason(tables):
    rows = tables["excluded"].where("kind <> 'step'").collect()
    found = {}
    for row in rows:
        size = row.member_months if row.kind == "month" else row.claim_lines
        assert (row.member_months is None, row.claim_lines is None) == (row.kind == "dollar", row.kind == "month")
        found[row.policy, row.performance_year, row.kind, row.reason] = [size, row.paid_amount or Decimal(0)]
    assert found == by_hand()[1]
    assert {reason for *_, reason in found} == {
        "PHARMACY",
        "DENIED",
        "NOT_ENROLLED",
        "MEDICARE_SECONDARY",
        "DECEASED",
        "OUT_OF_NETWORK",
    }


def test_months_and_categories_in_total_add_up_to_the_network(tables):
    sums = {"member_months": "months", "paid_amount": "paid", "counted_amount": "counted"}

    def added(name: str, *, months: bool) -> dict:
        chosen = [F.sum(column).alias(short) for column, short in sums.items() if months or short != "months"]
        rows = tables[name].groupBy("policy", "performance_year", "network_id").agg(*chosen).collect()
        return {tuple(row[:3]): tuple(row[3:]) for row in rows}

    assert added("by_month", months=True) == added("network_pmpm", months=True)
    tables["in_total"] = tables["by_category"].where("in_total")
    # who is in no network has nothing on its roster: under the basis of one's own there is no category in total
    nothing = {("own", year, "UNATTRIBUTED"): (0, 0) for year in YEARS}
    assert nothing | added("in_total", months=False) == added("network_pmpm", months=False)


def test_every_counted_dollar_paid_outside_a_members_own_network_stands_with_who_was_paid(tables):
    """By network, category and destination, recomputed line by line; nobody leaks who is of no network."""
    costs, months, networks = generated()
    expected = defaultdict(lambda: [0, 0, Decimal(0)])
    for policy in POLICIES:
        rule = policy.cost
        for member, thru, first, category, _, roster, denied, destination, lines, services, paid, *_ in costs:
            month = thru if rule.claim_month == "thru" else first
            mine = networks.get((policy.name, month.year, member), "UNATTRIBUTED")
            reasons, _ = months.get((policy.name, member, month), (("NOT_ENROLLED",), None))
            counts = month.year in YEARS and not reasons and not denied and rule.basis == "total_cost_of_care"
            counts = counts and (category != "pharmacy" or rule.include_pharmacy)
            if counts and mine not in ("UNATTRIBUTED", roster):
                key = (policy.name, month.year, mine, category, destination, roster)
                sums = expected[key]
                expected[key] = [sums[0] + lines, sums[1] + services, sums[2] + paid]
    found = {tuple(row[:6]): list(row[6:]) for row in tables["leakage_destinations"].collect()}
    assert found == expected
    assert {key[0] for key in found} == {"default", "allowed"}


def test_the_seven_identities_hold_to_the_cent_in_every_policy_and_year(spark, tables):
    built = identities(
        *[tables[name] for name in READ],
        policies=POLICIES,
        performance_years=YEARS,
    )
    rows = conform(built, IDENTITIES).collect()
    assert len(rows) == len(POLICIES) * len(YEARS) * 7
    costs, months, _ = generated()
    for row in rows:
        assert row.counted + row.excluded == row.everything
        policy = next(p for p in POLICIES if p.name == row.policy)
        place = 1 if policy.cost.claim_month == "thru" else 2
        if row.identity == "months":
            expected = sum(1 for name, _, month in months if name == policy.name and month.year == row.performance_year)
            assert row.everything == expected
        if row.identity == "dollars":
            assert row.everything == sum(cost[10] for cost in costs if cost[place].year == row.performance_year)
    steps = {row.policy for row in rows if row.identity == "steps" and row.excluded != 0}
    assert steps == {"allowed"}


def test_a_reason_or_a_category_that_is_lost_breaks_the_identity_of_months_of_dollars_of_leakage_of_levels_or_of_the_dearest(
    tables,
):
    built = identities(
        tables["member_months"],
        tables["claim_costs"],
        tables["network_pmpm"],
        tables["excluded"].where("reason <> 'MEDICARE_SECONDARY'"),
        tables["leakage_destinations"].where("service_category <> 'emergency'"),
        tables["by_category"],
        tables["by_subcategory"].where("service_category_2 <> 'two'"),
        tables["dearest"],
        tables["concentration"].where("service_category <> 'inpatient'"),
        policies=POLICIES[:1],
        performance_years=(2021,),
    )
    broken = conform(built, IDENTITIES).where(f"NOT ({IDENTITIES.rules['nothing_leaks']})").collect()
    assert {row.identity for row in broken} == {
        "months",
        "dollars",
        "leakage",
        "subcategories",
        "subcategories_counted",
        "concentration",
    }
