"""What moved a PMPM between two runs: each part alone and together by hand, and any sequence of changes by definition."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from math import floor
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.gold.restatement import NOT_SPLIT, OF_DATA, PARTS
from pmpm_spark.policy import Cost, Policy, Risk
from pmpm_spark.restate import reached_by_reference, touched_stages
from pmpm_spark.restated_split import (
    GONE,
    NEW,
    NO_SCORE,
    Divisors,
    Figures,
    Published,
    Sums,
    Ways,
    YearSums,
    network_rows,
)
from pmpm_spark.shapley import rounded
from pmpm_spark.stage import Stage
from tests.restatements import YEAR, World, changed, figures_of, restatement, some_world
from tests.test_shapley import by_orders

PLAIN = Policy("plain")
ONE = Decimal(1)


def world() -> World:
    """N: ann and ben, five months each, $100 each, score 1. M: cid, ten months, $300, score 1."""
    months = {(m, n): ("AGED_NON_DUAL", ONE) for m in ("ann", "ben") for n in range(1, 6)}
    months |= {("cid", n): ("AGED_NON_DUAL", ONE) for n in range(1, 11)}
    dollars = {("ann", 1): 100, ("ben", 2): 100, ("cid", 3): 300}
    claims = {(m, n, "professional", "N"): Decimal(f"{paid}.00") for (m, n), paid in dollars.items()}
    return World(months, claims, {"ann": "N", "ben": "N", "cid": "M"}, dict.fromkeys(("ann", "ben", "cid"), ONE))


def parts(rows: list[dict[str, Any]], network: str = "N") -> dict[str, tuple[str, str, int]]:
    """The parts that moved anything or touched anybody: raw, adjusted, members."""
    told = {
        row["part"]: (str(row["pmpm_change"]), str(row["adjusted_pmpm_change"]), row["members"])
        for row in rows
        if row["network_id"] == network
    }
    return {part: moved for part, moved in told.items() if moved != ("0.00", "0.00", 0)}


def test_a_late_claim_alone_is_of_claims(spark: SparkSession) -> None:
    now = world()
    now.claims["ann", 4, "professional", "N"] = Decimal("50.00")
    rows = restatement(spark, world(), now, [PLAIN])
    assert parts(rows) == {"CLAIMS": ("5.00", "5.00", 1)}
    assert parts(rows, "M") == {}
    assert [row["part"] for row in rows if row["network_id"] == "N"] == list(PARTS)
    first = rows[-1]
    assert (first["pmpm_then"], first["pmpm_now"], first["is_small_cell"]) == (Decimal("20.00"), Decimal("25.00"), True)


def test_a_month_that_ends_late_takes_its_dollars_along_and_is_of_enrollment(spark: SparkSession) -> None:
    """200 / 10, then 100 / 9; the claim of the month that counts no more is as it was."""
    now = world()
    del now.months["ann", 1]
    assert parts(restatement(spark, world(), now, [PLAIN])) == {"ENROLLMENT": ("-8.89", "-8.89", 1)}


def test_a_month_that_is_told_late_counts_what_its_claims_said_all_along(spark: SparkSession) -> None:
    """200 / 10, then 260 / 11: the $60 were told then, and counted in no month."""
    then = world()
    then.claims["ann", 6, "professional", "N"] = Decimal("60.00")
    now = deepcopy(then)
    now.months["ann", 6] = ("AGED_NON_DUAL", ONE)
    assert parts(restatement(spark, then, now, [PLAIN])) == {"ENROLLMENT": ("3.64", "3.64", 1)}


def test_a_late_claim_in_a_late_month_is_shared_by_both(spark: SparkSession) -> None:
    """20; the claim alone 20, the month alone 200 / 11, both 260 / 11: (0 + 5.4545) / 2 and (-1.8182 + 3.6364) / 2."""
    now = world()
    now.months["ann", 6] = ("AGED_NON_DUAL", ONE)
    now.claims["ann", 6, "professional", "N"] = Decimal("60.00")
    assert parts(restatement(spark, world(), now, [PLAIN])) == {
        "CLAIMS": ("2.73", "2.73", 1),
        "ENROLLMENT": ("0.91", "0.91", 1),
    }


def test_a_member_who_is_another_networks_moves_both_networks_by_attribution(spark: SparkSession) -> None:
    """N: 200 / 10 to 100 / 5. With $300 of ben's: 400 / 10 to 100 / 5; M: 300 / 10 to 600 / 15."""
    then = world()
    then.claims["ben", 2, "professional", "N"] = Decimal("300.00")
    now = deepcopy(then)
    now.networks["ben"] = "M"
    rows = restatement(spark, then, now, [PLAIN])
    assert parts(rows) == {"ATTRIBUTION": ("-20.00", "-20.00", 1)}
    assert parts(rows, "M") == {"ATTRIBUTION": ("10.00", "10.00", 1)}


def test_a_new_score_moves_the_adjusted_pmpm_alone_and_is_of_risk(spark: SparkSession) -> None:
    """20 / 1 to 20 / 1.5."""
    now = world()
    now.scores["ann"] = Decimal(2)
    assert parts(restatement(spark, world(), now, [PLAIN])) == {"RISK": ("0.00", "-6.67", 1)}


def test_where_the_networks_own_dollars_count_the_attribution_decides_them(spark: SparkSession) -> None:
    """ben's $100 are on N's roster: at M none of his dollars count."""
    own = Policy("own", cost=Cost(basis="reimbursed_to_network"))
    then = world()
    then.claims["cid", 3, "professional", "M"] = then.claims.pop(("cid", 3, "professional", "N"))
    now = deepcopy(then)
    now.networks["ben"] = "M"
    rows = restatement(spark, then, now, [own])
    assert parts(rows) == {"ATTRIBUTION": ("0.00", "0.00", 1)}
    assert parts(rows, "M") == {"ATTRIBUTION": ("-10.00", "-10.00", 1)}


def test_a_shorter_year_has_a_lower_limit_which_is_of_enrollment(spark: SparkSession) -> None:
    """The limit is cid's 360 a year: of ann's $500 in five months 150 count, in three months 90."""
    policy = Policy("cut", cost=Cost(truncation="percentile", truncation_percentile=50.0))
    then = world()
    then.claims["ann", 1, "professional", "N"] = Decimal("500.00")
    then.claims["ben", 2, "professional", "N"] = Decimal("10.00")
    now = deepcopy(then)
    del now.months["ann", 4], now.months["ann", 5]
    rows = restatement(spark, then, now, [policy])
    assert {(row["pmpm_then"], row["pmpm_now"]) for row in rows if row["network_id"] == "N"} == {
        (Decimal("16.00"), Decimal("12.50"))
    }
    assert parts(rows) == {"ENROLLMENT": ("-3.50", "-3.50", 1)}


def test_a_network_of_one_run_alone_is_not_split_and_says_so(spark: SparkSession) -> None:
    now = world()
    now.networks |= {"ben": "L", "cid": "N"}
    rows = restatement(spark, world(), now, [PLAIN])
    alone = {row["network_id"]: row for row in rows if row["part"] == NOT_SPLIT}
    assert {network: row["reason"] for network, row in alone.items()} == {"L": NEW, "M": GONE}
    assert (alone["L"]["pmpm_then"], alone["L"]["pmpm_now"], alone["L"]["pmpm_change"]) == (
        None,
        Decimal("20.00"),
        None,
    )
    assert (alone["M"]["pmpm_then"], alone["M"]["pmpm_now"], alone["M"]["members"]) == (Decimal("30.00"), None, 1)


def test_without_a_score_in_one_run_the_raw_pmpm_is_split_alone(spark: SparkSession) -> None:
    then, now = world(), world()
    then.scores = {"cid": ONE}
    now.claims["ann", 4, "professional", "N"] = Decimal("50.00")
    rows = [row for row in restatement(spark, then, now, [PLAIN]) if row["network_id"] == "N"]
    assert {row["part"]: row["pmpm_change"] for row in rows if row["pmpm_change"]} == {"CLAIMS": Decimal("5.00")}
    assert {(row["adjusted_pmpm_then"], row["adjusted_pmpm_change"], row["reason"]) for row in rows} == {
        (None, None, NO_SCORE)
    }


def year_of(months: int, dollars: int, risk: int = 1) -> Figures:
    return Figures(Fraction(months), Fraction(dollars), Fraction(risk))


def sums_without_a_change(figures: Figures) -> Sums:
    """Whatever is mixed, it is the same."""
    scores = {f"{name}_{e}{r}": 1 for name in ("score", "scored") for e in (0, 1) for r in (0, 1)}
    sides = {f"{name}_{s}": value for s in (0, 1) for name, value in (("months", 10), ("amount", figures.dollars))}
    touched = {f"touched_{part}": 0 for part in OF_DATA}
    row = {**scores, **sides, **touched}
    return Sums(
        PLAIN, {YEAR: YearSums({("N", "N"): row})}, Divisors({YEAR: 1 / figures.risk if figures.risk else Fraction(1)})
    )


def test_the_rules_alone_are_of_reference_tables_and_then_of_settings() -> None:
    """20, by the new tables 21, by the new settings, too, 25 at risk 2: adjusted 20, 21, 12.50."""
    then, now = Published(year_of(10, 200), 20), Published(year_of(10, 250, 2), 30)
    by_reference, by_settings = year_of(10, 210), year_of(10, 250, 2)
    ways = Ways(then, now, by_reference, by_settings)
    rows = network_rows(sums_without_a_change(now.figures), YEAR, "N", ways, "run", PLAIN)
    assert parts(rows) == {"REFERENCE_TABLES": ("1.00", "1.00", 20), "SETTINGS": ("4.00", "-8.50", 20)}


def test_what_cannot_be_split_has_the_whole_difference_in_one_row_with_the_reason() -> None:
    ways = Ways(Published(year_of(10, 200), 20), Published(year_of(10, 250, 2), 30))
    (row,) = network_rows(None, YEAR, "N", ways, "run", PLAIN, "the tables of then are gone")
    assert (row["part"], row["reason"], row["members"]) == (NOT_SPLIT, "the tables of then are gone", 30)
    assert (row["pmpm_change"], row["adjusted_pmpm_change"]) == (Decimal("5.00"), Decimal("-7.50"))
    ways = Ways(None, Published(year_of(10, 250), 30), then_is_read=False)
    (row,) = network_rows(None, YEAR, "N", ways, "run", PLAIN, "the tables of then are gone")
    assert (row["part"], row["reason"], row["pmpm_now"]) == (NOT_SPLIT, "the tables of then are gone", Decimal("25.00"))


def test_only_stages_that_other_tables_or_settings_reach_are_made_anew() -> None:
    reached = reached_by_reference()
    assert {"normalization_factors", "service_categories", "hcc_mappings", "sequestration_rates"} <= reached
    assert not reached & {"outcome_code_sets", "mlr_credibility"}, "no PMPM rests on them"
    assert names(touched_stages({"normalization_factors"})) == ["network_pmpm"]
    by_category = names(touched_stages({"service_categories"}))
    assert by_category[0] == "final_claim_lines" and {"claim_costs", "member_years", "network_pmpm"} < set(by_category)
    assert touched_stages({"outcome_code_sets"}) == ()
    by_settings = names(touched_stages(by_settings=True))
    assert {"member_months", "attribution", "member_month_costs", "network_pmpm"} < set(by_settings)
    assert not {"eligibility_spans", "final_claim_lines", "claim_costs", "readmissions"} & set(by_settings)


def names(stages: tuple[Stage, ...]) -> list[str]:
    return [stage.output.short_name for stage in stages]


POLICIES = (
    PLAIN,
    Policy("own", cost=Cost(basis="reimbursed_to_network"), risk=Risk(weighting="member_months")),
    Policy(
        "cut",
        cost=Cost(truncation="percentile", truncation_percentile=80.0),
        risk=Risk(normalization="population", by_enrollment_type=True),
    ),
    Policy(
        "all",
        cost=Cost(truncation="percentile", truncation_percentile=70.0, basis="reimbursed_to_network"),
        risk=Risk(normalization="population", by_enrollment_type=True, weighting="member_months"),
    ),
)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_changes_the_parts_are_those_of_the_definition_and_add_up_to_the_cent(
    spark: SparkSession, seed: int
) -> None:
    random = Random(seed)
    then = some_world(random, 60)
    now = changed(random, then, (5, 30, 150)[seed])
    rows = restatement(spark, then, now, POLICIES)
    by_network: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_network.setdefault((row["policy"], row["network_id"]), []).append(row)
    assert len(by_network) == 4 * len(POLICIES)
    policies = {policy.label: policy for policy in POLICIES}
    moved = set()
    for (label, network), of_network in by_network.items():
        mixtures = [
            figures_of(policies[label], network, *[(then, now)[made >> at & 1] for at in range(4)])
            for made in range(16)
        ]
        for figure in ("pmpm", "adjusted"):
            values = [getattr(figures, figure) for figures in mixtures]
            first, last = cents(values[0]), cents(values[-1])
            expected = rounded([*[share * 100 for share in by_orders(values)], Fraction(0), Fraction(0)], last - first)
            name = "adjusted_pmpm" if figure == "adjusted" else "pmpm"
            found = [int(row[f"{name}_change"] * 100) for row in of_network]
            assert found == expected, (label, network, figure)
            assert sum(found) == int((of_network[0][f"{name}_now"] - of_network[0][f"{name}_then"]) * 100)
            moved |= {part for part, by in zip(PARTS, found, strict=True) if by}
    assert seed == 0 or moved == set(OF_DATA), "every kind of change is among them"


def cents(dollars: Fraction) -> int:
    return floor(dollars * 100 + Fraction(1, 2))
