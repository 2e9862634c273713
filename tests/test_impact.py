"""What each rule that sets two policies apart moves: by hand, and against whole mixtures of the two, made anew."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from pmpm_spark.impact import (
    ATTRIBUTION,
    COSTS,
    COVERAGE,
    MONTHS_STOP,
    STEPS,
    TESTS,
    TRUNCATION,
    Figures,
    Impact,
    Pair,
    impact_of,
    is_in_pmpm,
    sums_by_bits,
    values_of,
)
from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy, Risk
from pmpm_spark.reference import ALIGNMENT_PERIODS, SEQUESTRATION_RATES, reference_table
from pmpm_spark.silver.attribution import ATTRIBUTION as WHOSE
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import MEMBER_MONTHS, member_months
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from tests.silver.test_member_months_by_day import deaths, named_by_claims, people_spans
from tests.tables import frame

YEAR = 2021
OPEN = Eligibility(part_a_b="none", exclude_medicare_advantage=False, exclude_medicare_secondary=False)
STRICT = replace(OPEN, exclude_medicare_advantage=True, exclude_medicare_secondary=True)
PART_C, SECONDARY = TESTS["MEDICARE_ADVANTAGE"], TESTS["MEDICARE_SECONDARY"]


def figures(months: str, dollars: str, pmpm: str) -> Figures:
    return Figures(Decimal(months), Decimal(dollars), Decimal(pmpm))


@pytest.fixture
def impact(spark):
    """From `member | month | what each policy says of it`, then, where their days differ, each by the other's day."""

    def build(pair: Pair, months: str, *, whose="policy", costs="member_id", truncated="policy", network=None):
        rows: dict[str, list[str]] = defaultdict(list)
        for line in months.strip().splitlines():
            member, month, *verdicts = (cell.strip() for cell in line.split("|"))
            for policy, said in zip((*pair.both, *pair.by_others_day), verdicts, strict=True):
                reasons, _, weighs = said.partition(" x ")
                rows[policy.label].append(
                    f"{policy.label} | {member} | 2021-{month}-01 | 2021 | {weighs or 1} | "
                    f"{str(reasons == 'counts').lower()} | {'[]' if reasons == 'counts' else reasons.replace(' ', ';')}"
                )
        heading = "policy | member_id | member_month | performance_year | exposure | is_eligible | ineligible_reasons"
        judged, others_day = (
            frame(spark, MEMBER_MONTHS, "\n".join([heading, *[row for policy in of for row in rows[policy.label]]]))
            for of in (pair.both, pair.by_others_day)
        )
        sums = sums_by_bits(
            judged,
            frame(spark, WHOSE, whose),
            frame(spark, CLAIM_COSTS, costs),
            frame(spark, TRUNCATED_COSTS, truncated),
            reference_table(spark, SEQUESTRATION_RATES),
            frame(spark, COMPLETION_FACTORS, "method"),
            pair=pair,
            performance_year=YEAR,
            network_id=network,
            by_others_day=others_day if pair.by_others_day else None,
        )
        return impact_of(pair, values_of(pair, [row.asDict() for row in sums.collect()]))

    return build


def adds_up(found: Impact) -> bool:
    first, last, moved = found.first, found.last, found.moved.values()
    return all(
        getattr(first, name) + sum(getattr(part, name) for part in moved) == getattr(last, name)
        for name in [field.name for field in fields(Figures)]
    )


def paid(rows: str) -> str:
    """Undenied rows of claim costs from `member | thru month | paid`, and, where told, category, network, from month."""
    heading = (
        "member_id | thru_month | from_month | service_category | roster_network_id | is_denied | paid_amount | "
        "pass_through_amount | ime_amount | dsh_amount | uncompensated_care_amount | claim_lines | services"
    )
    lines = [heading]
    for line in rows.strip().splitlines():
        member, thru, amount, *told = (cell.strip() for cell in line.split("|"))
        category, network, begins = [*told, *["professional", "''", thru][len(told) :]]
        months = f"2021-{thru}-01 | 2021-{begins}-01"
        lines.append(f"{member} | {months} | {category} | {network} | false | {amount} | 1 | 0 | 0 | 0 | 1 | 1")
    return "\n".join(lines)


def test_a_month_that_two_rules_fail_is_half_of_each_and_one_that_a_rule_fails_alone_is_all_of_it(impact):
    """PMPM: 100 at first; Part C alone 120 / 2, secondary payer alone 100, both 150 / 3. (-40 - 50) / 2 and (0 - 10) / 2."""
    found = impact(
        Pair(Policy("a", STRICT), Policy("b", OPEN)),
        """
        m1 | 01 | counts                                | counts
        m1 | 02 | MEDICARE_ADVANTAGE MEDICARE_SECONDARY | counts
        m1 | 03 | MEDICARE_ADVANTAGE                    | counts
        m1 | 04 | DECEASED                              | DECEASED
        """,
        costs=paid("m1 | 01 | 100\nm1 | 02 | 30\nm1 | 03 | 20\nm1 | 04 | 999\nm1 | 05 | 999"),
    )
    assert found == Impact(
        figures("1.00", "100.00", "100.00"),
        {PART_C: figures("1.50", "35.00", "-45.00"), SECONDARY: figures("0.50", "15.00", "-5.00")},
        figures("3.00", "150.00", "50.00"),
    )


def test_a_month_that_neither_policy_counts_is_what_two_rules_move_against_each_other(impact):
    pair = Pair(
        Policy("a", replace(OPEN, exclude_medicare_advantage=True)),
        Policy("b", replace(OPEN, exclude_medicare_secondary=True)),
    )
    found = impact(
        pair,
        """
        m1 | 01 | counts             | counts
        m1 | 02 | MEDICARE_ADVANTAGE | MEDICARE_SECONDARY
        """,
        costs=paid("m1 | 01 | 10\nm1 | 02 | 30"),
    )
    assert found == Impact(
        figures("1.00", "10.00", "10.00"),
        {PART_C: figures("0.50", "15.00", "5.00"), SECONDARY: figures("-0.50", "-15.00", "-5.00")},
        figures("1.00", "10.00", "10.00"),
    )


def test_a_rule_that_differs_and_moves_nothing_has_zeros(impact):
    pair = Pair(Policy("a", STRICT), Policy("b", OPEN))
    found = impact(pair, "m1 | 01 | MEDICARE_ADVANTAGE | counts", costs=paid("m1 | 01 | 10"))
    assert found.moved == {PART_C: figures("1.00", "10.00", "10.00"), SECONDARY: figures("0.00", "0.00", "0.00")}
    assert found.first == figures("0.00", "0.00", "0.00"), "the PMPM of no month is taken as 0"


WHOSE_TWO = """
    policy | performance_year | member_id | network_id
    a      | 2021             | m1        | N
    b      | 2021             | m1        | N
    a      | 2021             | m2        | UNATTRIBUTED
    b      | 2021             | m2        | N
    a      | 2021             | m3        | N
    b      | 2021             | m3        | M
"""
BY_ROSTER = Pair(Policy("a", STRICT), Policy("b", OPEN, attribution=Attribution(method="roster")))
TWO = """
    m1 | 01 | counts             | counts
    m2 | 01 | counts             | counts
    m2 | 02 | MEDICARE_ADVANTAGE | counts
    m3 | 01 | counts             | counts
    m4 | 01 | counts             | counts
"""


def test_of_a_network_whose_members_change_the_attribution_moves_months_and_dollars(impact):
    """m2's first month and m3's go by the attribution alone, m2's second by both rules. m4 is nobody's."""
    costs = paid("m1 | 01 | 1\nm2 | 01 | 10\nm2 | 02 | 100\nm3 | 01 | 1000\nm4 | 01 | 10000")
    found = impact(BY_ROSTER, TWO, whose=WHOSE_TWO, costs=costs, network="N")
    assert (found.first.member_months, found.first.counted_amount) == (2, 1001)
    assert (found.last.member_months, found.last.counted_amount) == (3, 111)
    months = {rule: (part.member_months, part.counted_amount) for rule, part in found.moved.items()}
    assert months == {PART_C: (Decimal("0.5"), 50), SECONDARY: (0, 0), ATTRIBUTION: (Decimal("0.5"), -940)}
    assert adds_up(found)


def test_of_nobodys_members_who_has_no_attribution_is_one(impact):
    found = impact(BY_ROSTER, TWO, whose=WHOSE_TWO, network="UNATTRIBUTED")
    assert (found.first.member_months, found.last.member_months) == (2, 1)


def test_of_everybody_the_attribution_moves_nothing_but_where_its_networks_own_dollars_count(impact):
    costs = paid("m1 | 01 | 1 | professional | N\nm2 | 01 | 10 | professional | N\nm3 | 01 | 100 | professional | M")
    found = impact(BY_ROSTER, TWO, whose=WHOSE_TWO, costs=costs)
    assert found.moved[ATTRIBUTION] == figures("0.00", "0.00", "0.00")
    own = Cost(basis="reimbursed_to_network")
    pair = Pair(*[replace(policy, cost=own) for policy in BY_ROSTER.both])
    found = impact(pair, TWO, whose=WHOSE_TWO, costs=costs)
    assert found.moved[ATTRIBUTION].counted_amount == 110
    assert (found.first.counted_amount, found.last.counted_amount) == (1, 111)


STOPS = """
    m1 | 01 | NOT_IN_PERFORMANCE_YEAR            | counts
    m1 | 02 | NOT_IN_PERFORMANCE_YEAR MEDICARE_ADVANTAGE | counts
    m1 | 03 | counts                             | counts
    m1 | 04 | MEDICARE_ADVANTAGE                 | counts
    m1 | 05 | ALIGNMENT_ENDED                    | counts
    m1 | 06 | ALIGNMENT_ENDED MEDICARE_SECONDARY | MEDICARE_SECONDARY
    m2 | 05 | counts                             | counts
"""


def test_months_stop_has_the_months_before_the_programs_first_and_its_half_of_those_after_what_ended_them(impact):
    """January: of months_stop. February and May: by both rules. April: of Part C. June fails either way."""
    one = Policy("a", replace(STRICT, months_stop=True))
    other = Policy("b", replace(OPEN, exclude_medicare_secondary=True))
    found = impact(Pair(one, other, (date(2021, 3, 1), None)), STOPS, costs=paid("m1 | 05 | 8\nm1 | 04 | 4"))
    assert {rule: (part.member_months, part.counted_amount) for rule, part in found.moved.items()} == {
        PART_C: (2, 8),
        MONTHS_STOP: (2, 4),
    }
    assert (found.first.member_months, found.last.member_months) == (2, 6)


def test_where_months_stop_for_both_a_later_first_month_is_of_months_stop(impact):
    one, other = Policy("a", replace(OPEN, months_stop=True)), Policy("b", replace(OPEN, months_stop=True))
    pair = Pair(one, other, (date(2021, 2, 1), None))
    found = impact(pair, "m1 | 01 | NOT_IN_PERFORMANCE_YEAR | counts\nm1 | 02 | counts | counts")
    assert {rule: part.member_months for rule, part in found.moved.items()} == {MONTHS_STOP: 1}
    assert Pair(one, other, (date(2021, 2, 1),) * 2).rules == ()


PRORATED = Pair(Policy("a", STRICT), Policy("b", replace(OPEN, coverage_rule="prorated")))


def test_a_reason_that_differs_by_the_day_looked_at_alone_is_of_the_coverage_rule(impact):
    """January weighs a half by days. February: not covered on the first, in Part C later; by days it is Part C's."""
    found = impact(
        PRORATED,
        """
        m1 | 01 | counts       | counts x 0.5 | counts x 0.5             | counts
        m1 | 02 | NOT_ENROLLED | counts x 0.2 | MEDICARE_ADVANTAGE x 0.2 | NOT_ENROLLED
        """,
        costs=paid("m1 | 01 | 10\nm1 | 02 | 100"),
    )
    assert {rule: (part.member_months, part.counted_amount) for rule, part in found.moved.items()} == {
        COVERAGE: (Decimal("-0.4"), 50),
        PART_C: (Decimal("0.1"), 50),
        SECONDARY: (0, 0),
        ATTRIBUTION: (0, 0),
    }
    assert (found.first, found.last) == (figures("1.00", "10.00", "10.00"), figures("0.70", "110.00", "157.14"))
    assert adds_up(found)


COUNTED = "m1 | 01 | counts | counts\nm1 | 02 | counts | counts"


def test_each_setting_of_cost_that_differs_is_a_rule_of_its_own(impact):
    """A drug of 20, a visit of 40, and a stay of 80 whose first day is in no member month; 1 of each is pass-through."""
    cost = Cost(include_pharmacy=True, claim_month="from", include_pass_through=False)
    costs = paid("m1 | 02 | 20 | pharmacy\nm1 | 01 | 40 | professional | '' | 01\nm1 | 02 | 80 | inpatient | '' | 03")
    found = impact(Pair(Policy("a", OPEN), Policy("b", OPEN, cost)), COUNTED, costs=costs)
    assert {rule: part.counted_amount for rule, part in found.moved.items()} == {
        ("cost.claim_month",): Decimal("-79.50"),
        ("cost.include_pharmacy",): Decimal("19.50"),
        ("cost.include_pass_through",): Decimal("-2.00"),
    }
    assert (found.first.counted_amount, found.last.counted_amount) == (120, 58)
    assert adds_up(found)


def test_what_a_truncation_takes_stands_with_its_months_and_changes_by_the_truncation(impact):
    truncated = """
        policy | member_id | member_month | performance_year | counted_amount
        a      | m1        | 2021-01-01   | 2021             | -30.00
        b      | m1        | 2021-02-01   | 2021             | -7.00
    """
    cost = Cost(truncation="percentile")
    pair = Pair(Policy("a", STRICT, cost), Policy("b", OPEN, cost))
    months = "m1 | 01 | counts | counts\nm1 | 02 | MEDICARE_ADVANTAGE | counts"
    found = impact(pair, months, costs=paid("m1 | 01 | 40\nm1 | 02 | 20"), truncated=truncated)
    assert {rule: part.counted_amount for rule, part in found.moved.items()} == {
        PART_C: Decimal("16.50"),
        SECONDARY: 0,
        TRUNCATION: Decimal("26.50"),
    }
    assert (found.first.counted_amount, found.last.counted_amount) == (10, 53)


def test_where_more_than_four_settings_of_cost_differ_the_steps_are_one_rule():
    steps = {"exclude_ime_dsh_uncompensated": True, "include_pass_through": False, "sequestration_add_back": True}
    four = Pair(Policy("a"), Policy("b", cost=Cost(claim_month="from", **steps)))
    assert len(four.rules) == len(four.mixtures).bit_length() - 1 == 4
    five = Pair(Policy("a"), Policy("b", cost=Cost(claim_month="from", include_pharmacy=True, **steps)))
    assert five.rules == (STEPS, ("cost.claim_month",), ("cost.include_pharmacy",))
    assert {cost.claim_month for policy, _ in five.mixtures.values() for cost in [policy.cost]} == {"thru", "from"}


def test_every_setting_is_of_one_rule_or_is_told_to_be_no_part_of_a_pmpm():
    of_rules = [
        key for rule in (COVERAGE, *TESTS.values(), MONTHS_STOP, ATTRIBUTION, *COSTS, TRUNCATION) for key in rule
    ]
    assert sorted(of_rules) == sorted(s.key for s in Policy("a").settings if is_in_pmpm(s.key))
    assert all(key in of_rules for key in STEPS)
    outside = Pair(Policy("a"), Policy("b", Eligibility(dual="full"), risk=Risk(weighting="member_months")))
    assert (outside.rules, set(outside.differing)) == ((), {"eligibility.dual", "risk.weighting"})


KINDS = ("professional", "inpatient", "pharmacy")
NETWORKS = ("N1", "N2", None)
PAIRS = (
    Pair(
        Policy("a", Eligibility()),
        Policy(
            "b",
            Eligibility(coverage_rule="prorated", part_a_b="current_month", exclude_medicare_advantage=False),
            Cost(amount="allowed", claim_month="from", include_pharmacy=True),
            Attribution(method="roster"),
        ),
    ),
    Pair(
        Policy(
            "a",
            Eligibility(coverage_rule="full_month", lag_months=6, exclude_non_us=True, months_stop=True),
            Cost(basis="reimbursed_to_network"),
            Attribution(method="reach"),
        ),
        Policy(
            "b",
            Eligibility(
                coverage_rule="any_day", part_a_b="none", exclude_medicare_secondary=False, exclude_non_us=True
            ),
            Cost(include_pass_through=False),
            Attribution(method="mssp"),
        ),
        (date(YEAR, 4, 1), None),
    ),
    Pair(
        Policy("a", Eligibility(window_months=12, months_stop=True), attribution=Attribution(method="reach")),
        Policy(
            "b",
            Eligibility(window_months=30, lag_months=3, exclude_non_us=True, months_stop=True),
            Cost(basis="reimbursed_to_network", exclude_ime_dsh_uncompensated=True),
            Attribution(method="roster"),
        ),
        (date(YEAR, 4, 1), None),
    ),
)
Claim = tuple[str, date, date, str, str, bool, dict[str, Decimal]]


def mixed(pair: Pair, made: int) -> Policy:
    """The whole policy with the other's settings of the rules that are made; its months begin as its months_stop says."""
    settings = {key for at, rule in enumerate(pair.rules) if made >> at & 1 for key in rule}
    parts = {}
    for section in ("eligibility", "cost", "attribution"):
        one, other = (getattr(policy, section) for policy in pair.both)
        taken = {f.name: getattr(other, f.name) for f in fields(one) if f"{section}.{f.name}" in settings}
        parts[section] = replace(one, **taken)
    return replace(pair.one, name=f"{PAIRS.index(pair)} {made}", **parts)


def judged_by(pair: Pair, made: int) -> int:
    """The rules made that decide which months count."""
    decides = (COVERAGE, *TESTS.values(), MONTHS_STOP)
    return sum(1 << at for at, rule in enumerate(pair.rules) if rule in decides and made >> at & 1)


def rejudged(pair: Pair) -> list[Policy]:
    """Every mixture of the rules of months, to be made anew."""
    found = {}
    for made in range(1 << len(pair.rules)):
        policy = mixed(pair, judged_by(pair, made))
        whose = pair.both[MONTHS_STOP in pair.rules and made >> pair.rules.index(MONTHS_STOP) & 1]
        found[policy.name] = replace(policy, attribution=Attribution(method=whose.attribution.method))
    return list(found.values())


def drawn_claims(draw: random.Random, people: list[str]) -> list[Claim]:
    found = {}
    for _ in range(4000):
        thru = draw.randint(1, 12)
        begins = max(1, thru - draw.choice((0, 0, 1)))
        key = (
            draw.choice(people), date(YEAR, thru, 1), date(YEAR, begins, 1), draw.choice(KINDS),
            draw.choice(NETWORKS) or "", draw.random() < 0.1,
        )  # fmt: skip
        paid = Decimal(draw.randint(-2_000, 90_000)).scaleb(-2)
        more = {name: Decimal(draw.randint(0, 900)).scaleb(-2) for name in ("pass_through", "ime", "dsh")}
        found[key] = {"paid": paid, "allowed": paid + more["ime"], "uncompensated_care": Decimal("0.01"), **more}
    return [(*key, amounts) for key, amounts in found.items()]


def dollars_of(
    claims: Iterable[Claim], policy: Policy, months: dict, networks: dict[str, str], only: str | None
) -> Decimal:
    """Written anew from design section 3.2: undenied lines of counting months, on the policy's basis and amount."""
    total, cost = Decimal(0), policy.cost
    for member, thru, begins, kind, network, is_denied, amount in claims:
        own = networks.get(member, "UNATTRIBUTED")
        if is_denied or only not in (None, own) or (kind == "pharmacy" and not cost.include_pharmacy):
            continue
        if (member, thru if cost.claim_month == "thru" else begins) not in months:
            continue
        if cost.basis == "reimbursed_to_network" and network != own:
            continue
        total += amount[cost.amount] - (0 if cost.include_pass_through else amount["pass_through"])
        if cost.exclude_ime_dsh_uncompensated:
            total -= amount["ime"] + amount["dsh"] + amount["uncompensated_care"]
    return total


@pytest.fixture(scope="module")
def people(spark, tmp_path_factory):
    """Generated people, and a function that makes their months under policies, and stores them."""
    folder = tmp_path_factory.mktemp("months")
    draw = random.Random(20)
    spans, died, named = people_spans(draw), deaths(draw), named_by_claims(draw)
    secondary = [(member, month, "claim") for member, month in sorted(named)]
    members = [(row[0],) for row in {row[0]: row for row in spans}.values()]
    frames = (
        spark.createDataFrame(spans, frame(spark, ELIGIBILITY_SPANS, "member_id").schema),
        spark.createDataFrame(
            [(member, None, died.get(member)) for (member,) in members],
            "member_id string, birth_date date, death_date date",
        ),
        spark.createDataFrame(secondary, frame(spark, SECONDARY_PAYER_MONTHS, "member_id").schema),
        frame(spark, TOLD_MONTHS, "first_month | last_month\n2019-03-01 | 2022-10-01"),
        reference_table(spark, ALIGNMENT_PERIODS),
    )

    def months(policies: Sequence[Policy]):
        where = str(folder / "-".join(policy.name for policy in policies).replace("*", ""))
        member_months(*frames, policies=policies, performance_years=[YEAR]).write.mode("overwrite").parquet(where)
        return spark.read.parquet(where)

    return sorted({row[0] for row in spans}), months


@pytest.mark.parametrize("pair", PAIRS, ids=("days", "stops", "both_stop"))
def test_every_mixture_of_two_policies_is_valued_as_if_it_were_run(spark, people, pair):
    names, months = people
    draw = random.Random(PAIRS.index(pair))
    claims = drawn_claims(draw, names)
    whose = [{name: network for name in names if (network := draw.choice(NETWORKS))} for _ in pair.both]
    counting: dict[str, dict[tuple[str, date], Decimal]] = defaultdict(dict)
    for row in (
        months(rejudged(pair)).where("is_eligible").select("policy", "member_id", "member_month", "exposure").collect()
    ):
        counting[row.policy][row.member_id, row.member_month] = row.exposure

    published = months(pair.both)
    others_day = months(pair.by_others_day) if pair.by_others_day else None
    for only in (None, "N1"):
        expected = []
        for made in range(1 << len(pair.rules)):
            policy, of_mixture = mixed(pair, made), counting[mixed(pair, judged_by(pair, made)).name]
            networks = whose[ATTRIBUTION in pair.rules and made >> pair.rules.index(ATTRIBUTION) & 1]
            inside = [w for (member, _), w in of_mixture.items() if only in (None, networks.get(member))]
            expected.append((Fraction(sum(inside)), Fraction(dollars_of(claims, policy, of_mixture, networks, only))))
        sums = sums_by_bits(
            published,
            spark.createDataFrame(
                [
                    (p.label, YEAR, *row)
                    for p, of_policy in zip(pair.both, whose, strict=True)
                    for row in of_policy.items()
                ],
                "policy string, performance_year int, member_id string, network_id string",
            ),
            claims_frame(spark, claims),
            frame(spark, TRUNCATED_COSTS, "policy"),
            reference_table(spark, SEQUESTRATION_RATES),
            frame(spark, COMPLETION_FACTORS, "method"),
            pair=pair,
            performance_year=YEAR,
            network_id=only,
            by_others_day=others_day,
        )
        found = values_of(pair, [row.asDict() for row in sums.collect()])
        assert found == expected
        assert len({months for months, _ in found}) > 4
        assert adds_up(impact_of(pair, found))


def claims_frame(spark, claims: list[Claim]):
    schema = frame(spark, CLAIM_COSTS, "member_id").schema
    rows = []
    for member, thru, begins, kind, network, is_denied, amount in claims:
        told = dict(
            zip(
                ("member_id", "thru_month", "from_month", "service_category"), (member, thru, begins, kind), strict=True
            )
        )
        told |= {
            "claim_type": "professional",
            "service_category_2": kind,
            "roster_network_id": network,
            "is_denied": is_denied,
            "destination": "",
            "claim_lines": 1,
            "services": 1,
        }
        told |= {f"{name}_amount": value for name, value in amount.items()}
        rows.append(tuple(told[field.name] for field in schema.fields))
    return spark.createDataFrame(rows, schema)
