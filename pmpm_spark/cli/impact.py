"""`pmpm policies impact`: from one policy's figures to another's, rule by rule, over what the last run published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.cli.policies import as_said
from pmpm_spark.cli.render import Rows
from pmpm_spark.errors import ConfigError, InputError, StageError
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.impact import Figures, Impact, Pair, Rule, Value, impact_of, is_in_pmpm, sums_by_bits, values_of
from pmpm_spark.model import MEMBERS
from pmpm_spark.policy import Policy, policy_of_run
from pmpm_spark.reference import ALIGNMENT_PERIODS, SEQUESTRATION_RATES, alignment_periods
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import MEMBER_MONTHS, member_months
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.silver.union import of_run
from pmpm_spark.why.attribution import first_months

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from pmpm_spark.table import Table
    from pmpm_spark.warehouse import Published

RULE = "rule"


def impact_rows(
    warehouse: Published, one: str, other: str, *, performance_year: int, network_id: str | None = None
) -> Rows:
    """The first policy's figures, what each rule that differs moves of them, and the other's: they add up as shown.

    A setting that is no part of a PMPM before its risk adjustment has no figures.

    Raises:
        ConfigError: not two policies of the last finished run, or not a year of it.
        InputError: neither policy has an eligible month of the network in the year.
        StageError: the tables do not give the published figures.
    """
    pair = _pair(warehouse, one, other, performance_year)
    published = _published(warehouse, pair, performance_year, network_id)
    values = values_of(pair, _sums(warehouse, pair, performance_year, network_id))
    if (values[0], values[-1]) != published:
        raise StageError(
            f"policies impact: the silver tables do not give the figures of {NETWORK_PMPM.name}; make them anew with "
            "`pmpm run`"
        )
    return _as_rows(pair, impact_of(pair, values))


def _pair(warehouse: Published, one: str, other: str, performance_year: int) -> Pair:
    """The policies with their rules as the run had them."""
    if one == other:
        raise ConfigError(f"policies impact: {one} is named twice; name two policies")
    said = json.loads(warehouse.run.settings)
    policies = dict(zip(warehouse.run.policies, map(policy_of_run, said["policies"]), strict=True))
    for label in (one, other):
        if label not in policies:
            raise ConfigError(
                f"policies impact: no policy {label} in the last finished run ({', '.join(policies)}); run both with "
                f"""`pmpm run --set 'policy=["{one}", "{other}"]'`"""
            )
    if performance_year not in said["performance_years"]:
        raise ConfigError(
            f"policies impact: no year {performance_year} in the last finished run "
            f"({', '.join(map(str, said['performance_years']))}); run it with "
            f"`pmpm run --set performance_years=[{performance_year}]`"
        )
    firsts = first_months(alignment_periods(warehouse.store.reference_path))

    def first_month(policy: Policy) -> date | None:
        return firsts.get((policy.attribution.method, performance_year))

    both = policies[one], policies[other]
    return Pair(*both, (first_month(both[0]), first_month(both[1])))


def _published(warehouse: Published, pair: Pair, performance_year: int, network_id: str | None) -> tuple[Value, Value]:
    """Member months and counted_amount of both policies, as gold has them."""
    rows = of_run(warehouse.read(NETWORK_PMPM), pair.both, [performance_year])
    if network_id is not None:
        rows = rows.where(F.col("network_id") == network_id)
    names = ("member_months", "counted_amount")
    sums = {
        row["policy"]: row for row in rows.groupBy("policy").agg(*[F.sum(name).alias(name) for name in names]).collect()
    }
    if not sums:
        raise InputError(
            f"policies impact: neither policy has an eligible month of network {network_id} in {performance_year}; "
            f"`pmpm show network_pmpm --year {performance_year}` lists the networks"
        )

    def of_policy(policy: Policy) -> Value:
        row = sums.get(policy.label)
        return (Fraction(row[names[0]]), Fraction(row[names[1]])) if row else (Fraction(0), Fraction(0))

    return of_policy(pair.one), of_policy(pair.other)


def _sums(warehouse: Published, pair: Pair, performance_year: int, network_id: str | None) -> list[dict[str, Any]]:
    years = [performance_year]

    def of_year(table: Table) -> DataFrame:
        return of_run(warehouse.read(table), pair.both, years)

    by_others_day = None
    if pair.by_others_day:
        read = (ELIGIBILITY_SPANS, MEMBERS, SECONDARY_PAYER_MONTHS, TOLD_MONTHS, ALIGNMENT_PERIODS)
        frames = [warehouse.read(table) for table in read]
        judged = member_months(*frames, policies=pair.by_others_day, performance_years=years)
        by_others_day = judged.select(*MEMBER_MONTHS.column_names)
    sums = sums_by_bits(
        of_year(MEMBER_MONTHS),
        of_year(ATTRIBUTION),
        warehouse.read(CLAIM_COSTS),
        of_year(TRUNCATED_COSTS),
        warehouse.read(SEQUESTRATION_RATES),
        warehouse.read(COMPLETION_FACTORS),
        pair=pair,
        performance_year=performance_year,
        network_id=network_id,
        by_others_day=by_others_day,
    )
    return [row.asDict() for row in sums.collect()]


def _as_rows(pair: Pair, found: Impact) -> Rows:
    """In the order of the settings; rules that only follow others stand where they move something."""
    differing = pair.differing
    names = (RULE, pair.one.label, pair.other.label, "member_months", "counted_amount", "pmpm")
    moved = [
        (_title(rule, pair), *_values(rule, pair), *_figures(figures))
        for rule, figures in found.moved.items()
        if pair.differs(rule) or any(_figures(figures))
    ]
    outside = [
        (key, *map(as_said, values), None, None, None) for key, values in differing.items() if not is_in_pmpm(key)
    ]
    first = (pair.one.label, None, None, *_figures(found.first))
    last = (pair.other.label, None, None, *_figures(found.last))
    return Rows(names, (first, *moved, *outside, last))


def _figures(figures: Figures) -> tuple[Any, ...]:
    return figures.member_months, figures.counted_amount, figures.pmpm


def _told(rule: Rule, pair: Pair) -> Sequence[str]:
    """The rule's settings that differ; its first one where none does."""
    return [key for key in rule if key in pair.differing] or rule[:1]


def _title(rule: Rule, pair: Pair) -> str:
    """`attribution.method, window`."""
    first, *others = _told(rule, pair)
    return ", ".join([first, *[key.partition(".")[2] for key in others]])


def _values(rule: Rule, pair: Pair) -> tuple[str, str]:
    keys = _told(rule, pair)

    def said(policy: Policy) -> str:
        values = {setting.key: as_said(setting.value) for setting in policy.settings}
        return ", ".join(values[key] for key in keys)

    return said(pair.one), said(pair.other)
