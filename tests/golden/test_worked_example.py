"""The worked example published with the method, for 2021 (design section 3.4), through the gold table itself.

What reproduces: the mean scores, the total costs, and adjusted cost = cost / printed normalized score, to the dollar.
The printed normalized scores do not follow from the published factor of 2021; by the rule the answers are others, and
both are tested. The page prints Jones's total as 687,481: two digits changed places.
"""

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.physician_pmpm import PHYSICIAN_PMPM, physician_pmpm
from pmpm_spark.model import PROVIDERS
from pmpm_spark.policy import Policy
from pmpm_spark.reference import NORMALIZATION_FACTORS, RISK_MEANS, reference_table
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.table import conform
from tests.tables import frame

MEMBERS = Path(__file__).parent.parent / "data" / "worked_example" / "members.csv"
JONES, BROWN = "Dr. I. Jones", "Dr. E. Brown"
PRINTED = {
    JONES: {"members": 4, "mean": 1.0225, "normalized": 1.0743, "total": 687_841, "slip": 687_481, "adjusted": 640_269},
    BROWN: {"members": 3, "mean": 1.1987, "normalized": 1.3098, "total": 581_348, "slip": 581_348, "adjusted": 443_845},
}


@pytest.fixture(scope="module")
def physicians(spark):
    """Rows of physician_pmpm by physician, under a table of factors."""
    with MEMBERS.open(newline="") as file:
        people = list(csv.DictReader(file))
    npis = {name: f"N{place}" for place, name in enumerate(sorted({row["physician"] for row in people}))}
    years = "\n".join(
        f"p | {row['performance_year']} | {row['member']} | AGED_NON_DUAL | NET | {npis[row['physician']]} | 12 "
        f"| {row['cost']} | {row['cost']} | {row['risk_score']} | 0"
        for row in people
    )
    heading = (
        "policy | performance_year | member_id | enrollment_type | network_id | physician_npi | member_months "
        "| paid_amount | counted_amount | risk_score | in_network_paid_amount"
    )
    directory = "npi | name\n" + "\n".join(f"{npi} | {name}" for name, npi in npis.items())

    def under(factors):
        rows = physician_pmpm(
            frame(spark, MEMBER_YEARS, f"{heading}\n{years}"),
            frame(spark, PROVIDERS, directory),
            factors,
            frame(spark, RISK_MEANS, "source"),
            frame(spark, NETWORK_PMPM, "policy"),
            policies=[Policy("p")],
            performance_years=[2021],
        )
        return {row.physician_name: row for row in conform(rows, PHYSICIAN_PMPM).collect()}

    return under


def test_the_printed_means_and_totals_reproduce_and_the_printed_normalized_scores_do_not(spark, physicians):
    rows = physicians(reference_table(spark, NORMALIZATION_FACTORS))
    assert set(rows) == {JONES, BROWN}
    for name, printed in PRINTED.items():
        row = rows[name]
        assert row.members == row.scored_members == printed["members"]
        assert round(row.risk_score, 4) == printed["mean"]
        assert row.counted_amount == printed["total"]
        assert round(row.normalized_risk_score, 4) != printed["normalized"]


def test_by_the_rule_the_normalized_scores_and_adjusted_costs_are_these(spark, physicians):
    rows = physicians(reference_table(spark, NORMALIZATION_FACTORS))
    told = {
        name: (round(row.normalized_risk_score, 6), row.adjusted_amount, row.normalization_factor)
        for name, row in rows.items()
    }
    factor = Decimal("0.9472285591")
    assert told == {
        JONES: (1.079465, Decimal("637205.52"), factor),
        BROWN: (1.265446, Decimal("459401.64"), factor),
    }
    for row in rows.values():
        assert row.adjusted_pmpm == pytest.approx(float(row.adjusted_amount) / float(row.member_months), abs=1e-3)


def test_adjusted_cost_is_cost_over_the_printed_normalized_score_to_the_dollar(spark, physicians):
    """With the divisor that each printed score implies; the total that was misprinted does not lead there."""
    found = defaultdict(dict)
    for name, printed in PRINTED.items():
        exact_mean = {JONES: 4.090 / 4, BROWN: 3.596 / 3}[name]
        implied = f"{exact_mean / printed['normalized']:.10f}"
        factors = frame(spark, NORMALIZATION_FACTORS, f"performance_year | normalization_factor\n2021 | {implied}")
        row = physicians(factors)[name]
        found[name] = (round(row.normalized_risk_score, 4), round(row.adjusted_amount))
        if printed["slip"] != printed["total"]:
            assert round(printed["slip"] / printed["normalized"]) != printed["adjusted"]
    assert found == {name: (printed["normalized"], printed["adjusted"]) for name, printed in PRINTED.items()}
