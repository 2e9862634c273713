"""PMPM by network: sums first, quotients last, risk at the aggregate (design sections 2 and 3.4)."""

from decimal import Decimal

import pytest

from pmpm_spark.gold.network_pmpm import NETWORK_PMPM, network_pmpm
from pmpm_spark.model import NETWORK_ROSTER
from pmpm_spark.policy import Policy, Risk
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.table import conform
from tests.tables import frame, rows_of

ROSTER = """
    network_id | tin | npi | ccn | start_date | end_date   | network_name | network_type
    A          | T1  | ''  | ''  | 2020-01-01 | 2020-12-31 | Old name     | OTHER
    A          | T0  | ''  | ''  | 2021-01-01 | 9999-12-31 | New name     | REACH
    EMPTY      | T9  | ''  | ''  | 2020-01-01 | 9999-12-31 | Nobody's     | MSSP
"""
FACTORS = """
    performance_year | normalization_factor
    2021             | 2.0
    2022             | 0.8
"""
MEANS = """
    performance_year | enrollment_type | mean_risk_score
    2021             | ALL             | 2.5
    2021             | AGED_NON_DUAL   | 2.0
    2021             | ESRD            | 4.0
"""
DEFAULT = Policy("p")


@pytest.fixture
def networks(spark):
    def build(years, policies=(DEFAULT,), performance_years=(2021,)):
        heading, *rows = rows_of(years)
        usual = {
            "policy": "p",
            "performance_year": "2021",
            "enrollment_type": "AGED_NON_DUAL",
            "network_id": "A",
            "paid_amount": "0",
            "in_network_paid_amount": "0",
            "counted_amount": "0",
            "risk_score": "-",
        }
        more = {name: value for name, value in usual.items() if name not in heading}
        written = [[*heading, *more], *[[*row, *more.values()] for row in rows]]
        lines = "\n".join(" | ".join(line) for line in written)
        built = network_pmpm(
            frame(spark, MEMBER_YEARS, lines),
            frame(spark, NETWORK_ROSTER, ROSTER),
            frame(spark, NORMALIZATION_FACTORS, FACTORS),
            frame(spark, RISK_MEANS, MEANS),
            policies=policies,
            performance_years=performance_years,
        )
        rows = conform(built, NETWORK_PMPM).collect()
        keyed = {(row.policy, row.performance_year, row.network_id): row for row in rows}
        assert len(keyed) == len(rows)
        return keyed

    return build


def test_pmpm_is_the_sum_of_dollars_over_the_sum_of_months_and_never_a_mean_of_quotients(networks):
    """(900 + 100) / (1 + 9) = 100; the mean of 900 and 11.11 would be 455.56."""
    row = networks(
        """
        member_id | member_months | paid_amount | counted_amount | in_network_paid_amount
        few       | 1             | 890.00      | 900.00         | 0.50
        many      | 9             | 100.00      | 100.00         | 99.00
        """
    )["p", 2021, "A"]
    assert (row.members, row.member_months, row.pmpm) == (2, 10, 100.0)
    assert row.paid_amount == Decimal("990.00")
    assert row.counted_amount == Decimal("1000.00")
    assert row.in_network_paid_amount == Decimal("99.50")


def test_pmpm_is_not_rounded(networks):
    row = networks("member_id | member_months | counted_amount\nm | 3 | 100.00")["p", 2021, "A"]
    assert row.pmpm == pytest.approx(100 / 3, abs=1e-12)


def test_risk_is_the_plain_mean_of_the_members_scores_over_the_years_factor_and_divides_the_aggregate(networks):
    """Mean of 1 and 4 is 2.5; over 2 it is 1.25; 1,000 dollars become 800, and over 10 months 80."""
    row = networks(
        """
        member_id | member_months | counted_amount | risk_score
        m1        | 1             | 900.00         | 1.000000
        m2        | 9             | 100.00         | 4.000000
        """
    )["p", 2021, "A"]
    assert (row.risk_score, row.normalized_risk_score) == (2.5, 1.25)
    assert row.normalization_factor == 2
    assert row.adjusted_amount == Decimal("800.00")
    assert row.adjusted_pmpm == 80.0


def test_a_member_of_two_enrollment_types_is_one_member_with_one_score(networks):
    row = networks(
        """
        member_id | enrollment_type | member_months | risk_score
        m1        | AGED_NON_DUAL   | 6             | 3.000000
        m1        | ESRD            | 6             | 3.000000
        m2        | AGED_NON_DUAL   | 12            | 1.000000
        """
    )["p", 2021, "A"]
    assert (row.members, row.scored_members, row.member_months, row.risk_score) == (2, 2, 24, 2.0)


def test_a_member_without_a_score_is_left_out_of_the_mean_and_the_scored_are_counted(networks):
    found = networks(
        """
        member_id | network_id | member_months | counted_amount | risk_score
        m1        | A          | 12            | 60.00          | 2.000000
        m2        | A          | 12            | 60.00          | -
        m3        | B          | 12            | 60.00          | -
        """
    )
    scored, unscored = found["p", 2021, "A"], found["p", 2021, "B"]
    assert (scored.members, scored.scored_members, scored.risk_score, scored.adjusted_pmpm) == (2, 1, 2.0, 5.0)
    assert (unscored.members, unscored.scored_members, unscored.pmpm) == (1, 0, 5.0)
    risk = ("risk_score", "normalization_factor", "normalized_risk_score", "adjusted_amount", "adjusted_pmpm")
    assert [unscored[name] for name in risk] == [None] * 5


def test_scores_may_be_weighted_by_member_months(networks):
    """(1 x 9 + 5 x 3) / 12 = 2; without weights the mean is 3. Months without a score weigh nothing."""
    years = """
        policy | member_id | member_months | risk_score
        plain  | m1        | 9             | 1.000000
        plain  | m2        | 3             | 5.000000
        plain  | m3        | 12            | -
        months | m1        | 9             | 1.000000
        months | m2        | 3             | 5.000000
        months | m3        | 12            | -
    """
    found = networks(years, [Policy("plain"), Policy("months", risk=Risk(weighting="member_months"))])
    assert found["plain", 2021, "A"].risk_score == 3.0
    assert found["months", 2021, "A"].risk_score == 2.0


def test_normalized_by_the_population_the_mean_of_all_members_attributed_or_not_is_one(networks):
    """Plain: (1 + 3 + 5) / 3 = 3. By months: (1 x 6 + 3 x 6 + 5 x 12) / 24 = 3.5. Each year has its own."""
    by_population = {"plain": Risk(normalization="population")}
    by_population["months"] = Risk(normalization="population", weighting="member_months")
    years = "policy | performance_year | member_id | network_id | member_months | risk_score\n" + "\n".join(
        f"""
        {name} | 2021 | m1 | A            | 6  | 1.000000
        {name} | 2021 | m2 | A            | 6  | 3.000000
        {name} | 2021 | m3 | UNATTRIBUTED | 12 | 5.000000
        {name} | 2021 | m4 | A            | 12 | -
        {name} | 2022 | m1 | A            | 6  | 7.000000
        """
        for name in by_population
    )
    found = networks(years, [Policy(name, risk=risk) for name, risk in by_population.items()], (2021, 2022))
    told = {key: (float(row.normalization_factor), round(row.normalized_risk_score, 9)) for key, row in found.items()}
    assert told == {
        ("plain", 2021, "A"): (3.0, round(2 / 3, 9)),
        ("plain", 2021, "UNATTRIBUTED"): (3.0, round(5 / 3, 9)),
        ("plain", 2022, "A"): (7.0, 1.0),
        ("months", 2021, "A"): (3.5, round(2 / 3.5, 9)),
        ("months", 2021, "UNATTRIBUTED"): (3.5, round(5 / 3.5, 9)),
        ("months", 2022, "A"): (7.0, 1.0),
    }


BY_TYPE = """
    member_id | network_id   | enrollment_type | member_months | risk_score
    m1        | A            | AGED_NON_DUAL   | 9             | 1.000000
    m1        | A            | ESRD            | 3             | 1.000000
    m2        | A            | ESRD            | 12            | 6.000000
    m3        | UNATTRIBUTED | AGED_NON_DUAL   | 3             | 3.000000
    m4        | A            | AGED_NON_DUAL   | 12            | -
"""


def risk_of(networks, years, risk, **more):
    found = networks(years, [Policy("p", risk=risk)], **more)
    return {key[1:]: (row.risk_score, row.normalized_risk_score, row.normalization) for key, row in found.items()}


def test_by_enrollment_type_each_score_is_divided_by_the_mean_of_its_type_and_the_populations_mean_is_one(networks):
    """Aged: (1 + 3) / 2 = 2; ESRD: (1 + 6) / 2 = 3.5. A: (1/2 + 1/3.5 + 6/3.5) / 3 = 2.5 / 3; the other: 3/2. All four
    member types together: (2.5 + 1.5) / 4 = 1. The mean raw score is that of members."""
    kind = "population by enrollment type"
    found = networks(BY_TYPE, [Policy("p", risk=Risk(normalization="population", by_enrollment_type=True))])
    own = found["p", 2021, "A"]
    assert (own.risk_score, own.normalization, own.scored_members) == (3.5, kind, 2)
    assert own.normalized_risk_score == pytest.approx(2.5 / 3, abs=1e-12)
    assert float(own.normalization_factor) == pytest.approx(3.5 / (2.5 / 3), abs=1e-9)
    assert found["p", 2021, "UNATTRIBUTED"].normalized_risk_score == 1.5


def test_by_enrollment_type_scores_may_be_weighted_by_the_months_of_the_type(networks):
    """Aged: (9 x 1 + 3 x 3) / 12 = 1.5; ESRD: (3 x 1 + 12 x 6) / 15 = 5. A: (9 / 1.5 + 75 / 5) / 24 = 0.875."""
    risk = Risk(normalization="population", by_enrollment_type=True, weighting="member_months")
    found = risk_of(networks, BY_TYPE, risk)
    assert found[2021, "A"][1] == pytest.approx(0.875, abs=1e-12)
    assert found[2021, "UNATTRIBUTED"][1] == pytest.approx(2.0, abs=1e-12)  # (21 + 6) / 27 = 1


def test_supplied_means_stand_in_the_populations_place_for_all_members_or_by_type(networks):
    """3.5 / 2.5; by type (1/2 + 1/4 + 6/4) / 3 = 0.75."""
    assert risk_of(networks, BY_TYPE, Risk(normalization="supplied"))[2021, "A"] == (3.5, 1.4, "supplied")
    told = risk_of(networks, BY_TYPE, Risk(normalization="supplied", by_enrollment_type=True))
    assert told[2021, "A"] == (3.5, 0.75, "supplied by enrollment type")


def test_each_row_names_its_normalization_and_one_without_a_score_none(networks):
    years = "policy | member_id | network_id | member_months | risk_score\n" + "\n".join(
        f"{name} | m1 | A | 1 | 1.000000\n{name} | m2 | B | 1 | -" for name in ("p", "q")
    )
    found = networks(years, [DEFAULT, Policy("q", risk=Risk(normalization="population", by_enrollment_type=True))])
    assert {key[::2]: row.normalization for key, row in found.items()} == {
        ("p", "A"): "table", ("p", "B"): None,
        ("q", "A"): "population by enrollment type", ("q", "B"): None,
    }  # fmt: skip


GROWING = """
    performance_year | member_id | network_id | member_months | counted_amount | risk_score
    2021             | m1        | GROWS      | 1             | 10.00          | 2.000000
    2022             | m1        | GROWS      | 1             | 103.00         | 1.000000
    2021             | m2        | FALLS      | 1             | 10.00          | 2.000000
    2022             | m2        | FALLS      | 1             | 97.00          | 0.400000
    2021             | m3        | STAYS      | 1             | 10.00          | 2.000000
    2022             | m3        | STAYS      | 1             | 10.00          | 0.816000
    2022             | m4        | NEW        | 1             | 10.00          | 4.000000
"""


@pytest.mark.parametrize(
    ("cap", "scores", "kind"),
    [
        ("none", {"GROWS": 1.25, "FALLS": 0.5, "STAYS": 1.02, "NEW": 5.0}, "table"),
        ("growth", {"GROWS": 1.03, "FALLS": 0.5, "STAYS": 1.02, "NEW": 5.0}, "table, growth capped"),
        ("both", {"GROWS": 1.03, "FALLS": 0.97, "STAYS": 1.02, "NEW": 5.0}, "table, growth and decline capped"),
    ],
)
def test_growth_since_the_reference_year_is_capped_and_the_score_before_the_cap_stands_beside(
    networks, cap, scores, kind
):
    """Over factors 2 and 0.8: all had 1 in 2021. A network without that year is not capped."""
    found = networks(GROWING, [Policy("p", risk=Risk(cap=cap, cap_reference_year=2021))], (2021, 2022))
    capped = {key[2]: round(row.normalized_risk_score, 9) for key, row in found.items() if key[1] == 2022}
    assert capped == scores
    uncapped = {key[2]: round(row.uncapped_risk_score, 9) for key, row in found.items() if key[1] == 2022}
    assert uncapped == {"GROWS": 1.25, "FALLS": 0.5, "STAYS": 1.02, "NEW": 5.0}
    assert {row.normalized_risk_score for key, row in found.items() if key[1] == 2021} == {1.0}
    assert {row.normalization for row in found.values()} == {kind}
    if cap == "both":
        assert found["p", 2022, "GROWS"].adjusted_amount == found["p", 2022, "FALLS"].adjusted_amount == 100


def test_the_adjusted_amount_is_rounded_half_up_to_cents_and_the_adjusted_pmpm_is_not(networks):
    row = networks("member_id | member_months | counted_amount | risk_score\nm | 1 | 0.03 | 4.000000")["p", 2021, "A"]
    assert row.normalized_risk_score == 2.0
    assert row.adjusted_amount == Decimal("0.02")
    assert row.adjusted_pmpm == 0.015


def test_a_score_of_zero_leaves_the_adjusted_columns_untold(networks):
    row = networks("member_id | member_months | counted_amount | risk_score\nm | 1 | 5.00 | 0")["p", 2021, "A"]
    assert (row.risk_score, row.normalized_risk_score) == (0.0, 0.0)
    assert (row.adjusted_amount, row.adjusted_pmpm) == (None, None)


def test_ten_members_are_a_small_cell_and_eleven_are_none(networks):
    years = "member_id | network_id | member_months\n"
    years += "\n".join([f"m{n} | TEN | 1" for n in range(10)] + [f"n{n} | ELEVEN | 1" for n in range(11)])
    assert {key[2]: row.is_small_cell for key, row in networks(years).items()} == {"TEN": True, "ELEVEN": False}


def test_a_network_without_an_eligible_month_has_no_row_and_the_latest_roster_row_gives_the_name(networks):
    found = networks("member_id | network_id | member_months\nm1 | A | 1\nm2 | UNATTRIBUTED | 1")
    names = {key[2]: (row.network_name, row.network_type) for key, row in found.items()}
    assert names == {"A": ("New name", "REACH"), "UNATTRIBUTED": (None, None)}


def test_rows_of_other_policies_and_years_stay_out(networks):
    years = """
        policy | performance_year | member_id | member_months
        p      | 2021             | m1        | 1
        p      | 2022             | m1        | 2
        q      | 2021             | m1        | 4
    """
    assert {key: row.member_months for key, row in networks(years).items()} == {("p", 2021, "A"): 1}
