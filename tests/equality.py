"""The pipeline's tables held against the independent recomputation, figure by figure.

What the pipeline published is read from its Delta tables without Spark, at the versions of the run's receipts.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.generate import RIF, generate
from pmpm_spark.pipeline import RunResult, run
from pmpm_spark.policy import Policy
from tests.loaded import Loads
from tests.oracle.rif_duckdb import OracleSettings, Result, check_identities, compute, read_inputs

Row = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parent.parent
HCPCS = REPOSITORY / "pmpm_spark" / "reference" / "primary_care_hcpcs.csv"
FACTORS = {
    2019: Decimal("1.1781502149"),
    2020: Decimal("1.1933586994"),
    2021: Decimal("0.9472285591"),
    2022: Decimal("1.1127651982"),
    2023: Decimal("1.1343580715"),
}
"""As published; written here anew so that a slip in the shipped table shows."""

KEYS: dict[str, tuple[str, ...]] = {
    "network_pmpm": ("performance_year", "network_id"),
    "practice_pmpm": ("performance_year", "network_id", "practice_tin"),
    "physician_pmpm": ("performance_year", "network_id", "physician_npi"),
    "network_pmpm_by_month": ("network_id", "member_month"),
    "network_pmpm_by_category": ("performance_year", "network_id", "service_category"),
    "network_pmpm_by_subcategory": ("performance_year", "network_id", "service_category", "service_category_2"),
    "cost_concentration": ("performance_year", "network_id", "top_percent", "service_category"),
    "excluded": ("performance_year", "kind", "reason"),
    "member_months": ("member_id", "member_month"),
    "attribution": ("performance_year", "member_id"),
}
_PMPM = (
    "members", "member_months", "paid_amount", "in_network_paid_amount", "counted_amount", "pmpm", "scored_members",
    "risk_score", "normalization_factor", "normalized_risk_score", "adjusted_amount", "adjusted_pmpm", "is_small_cell",
)  # fmt: skip
FIGURES: dict[str, tuple[str, ...]] = {
    "network_pmpm": ("network_name", "network_type", *_PMPM),
    "practice_pmpm": _PMPM,
    "physician_pmpm": _PMPM,
    "network_pmpm_by_month": ("performance_year", "members", "member_months", "paid_amount", "pmpm"),
    "network_pmpm_by_category": (
        "in_total", "member_months", "claim_lines", "services", "paid_amount", "pmpm", "lines_per_1000",
        "services_per_1000",
    ),
    "network_pmpm_by_subcategory": (
        "in_total", "member_months", "claim_lines", "services", "paid_amount", "pmpm", "lines_per_1000",
        "services_per_1000",
    ),
    "cost_concentration": (
        "members", "counted_amount", "network_counted_amount", "share_of_category", "top_counted_amount", "share_of_top",
        "total_counted_amount", "share_of_network", "is_small_cell",
    ),
    "excluded": ("member_months", "claim_lines", "paid_amount"),
    "member_months": ("performance_year", "is_eligible", "reasons", "enrollment_type", "age"),
    "attribution": (
        "network_id", "practice_tin", "physician_npi", "measure_amount", "runner_up_network_id", "runner_up_amount",
        "unattributed_reason",
    ),
}  # fmt: skip
LISTS = ("network_roster", "providers", "risk_scores", "member_attribution")
_RENAMED = {"reasons": "ineligible_reasons"}
_QUOTIENTS = 1e-12
"""Largest relative difference of two DOUBLE quotients of equal sums."""


def generate_each(
    loads: Loads, folder: Path, formats: Iterable[str], *, members: int, years: tuple[int, int], seed: int
) -> dict[str, Path]:
    """The folders of one truth in several formats."""
    roots = {name: folder / name for name in formats}
    for name, root in roots.items():
        if name == RIF:
            roots[name] = loads.files(members, years, seed)
        else:
            generate(loads.spark, str(root), members=members, years=years, seed=seed, file_format=name)
    return roots


@dataclass
class Compared:
    """One published run, and the recomputation of the same files for each of its policies."""

    config: RunConfig
    result: RunResult
    oracle: Any
    computed: dict[str, Result] = field(default_factory=dict)
    load: RunResult | None = None
    """The load before the run, where it was one by itself."""

    @cached_property
    def versions(self) -> dict[str, int]:
        receipts = (*(self.load.receipts if self.load else ()), *self.result.receipts)
        return {receipt.table: receipt.version for receipt in receipts}

    def table(self, name: str, columns: Sequence[str]) -> list[Row]:
        """The published rows of a table."""
        layer, _, short_name = name.partition(".")
        published = DeltaTable(f"{self.config.warehouse.path}/{layer}/{short_name}", version=self.versions[name])
        stored = published.to_pyarrow_table(columns=list(columns)).to_pydict()
        return [dict(zip(stored, values, strict=True)) for values in zip(*stored.values(), strict=True)]

    def of_policy(self, name: str, policy: Policy) -> list[Row]:
        """What the pipeline says of one policy, in the recomputation's column names."""
        layer = "silver" if name in ("member_months", "attribution") else "gold"
        columns = {c: _RENAMED.get(c, c) for c in (*KEYS[name], *FIGURES[name])}
        rows = self.table(f"{layer}.{name}", ["policy", *columns.values()])
        of_policy = [row for row in rows if row["policy"] == policy.label]
        return [{told: row[stored] for told, stored in columns.items()} for row in of_policy]

    def recomputed(self, policy: Policy) -> Result:
        if policy.label not in self.computed:
            years, part_c = self.config.performance_years, self.config.source.part_c
            settings = oracle_settings(policy, years, part_c)
            factors = {year: factor for year, factor in FACTORS.items() if year in years}
            self.computed[policy.label] = compute(self.oracle, factors=factors, settings=settings)
            check_identities(self.computed[policy.label])
        return self.computed[policy.label]


def oracle_settings(policy: Policy, years: tuple[int, ...], part_c: str) -> OracleSettings:
    rule, cost, attribution, risk = policy.eligibility, policy.cost, policy.attribution, policy.risk
    return OracleSettings(
        performance_years=years,
        method=attribution.method,
        part_a_b=rule.part_a_b,
        window_months=rule.window_months,
        lag_months=rule.lag_months,
        claim_month=cost.claim_month,
        coverage_rule=rule.coverage_rule,
        basis=cost.basis,
        include_pharmacy=cost.include_pharmacy,
        exclude_medicare_advantage=rule.exclude_medicare_advantage,
        exclude_medicare_secondary=rule.exclude_medicare_secondary,
        exclude_non_us=rule.exclude_non_us,
        attribution_window=attribution.window,
        weighting=risk.weighting,
        normalization=risk.normalization,
        part_c=part_c,
        amount=cost.amount,
    )


def run_and_recompute(
    spark: SparkSession,
    rif: Path,
    lists: dict[str, Path],
    warehouse: Path,
    years: tuple[int, ...],
    policies: tuple[Policy, ...],
    part_c: str = "hmo_indicator",
    loads: Loads | None = None,
) -> Compared:
    """Run the pipeline on the files and have the recomputation read the same ones."""
    named = {name: str(path) for name, path in lists.items()}
    source = Source("rif", str(rif), part_c=part_c, max_reject_share=1.0, **named)
    config = RunConfig(source, Warehouse(str(warehouse)), years, policies)
    load = loads.begin(config) if loads else None
    return Compared(config, run(spark, config), read_for_oracle(rif, lists), load=load)


def read_for_oracle(rif: Path, lists: dict[str, Path]) -> Any:
    return read_inputs(
        rif,
        primary_care_hcpcs=HCPCS,
        **{name: lists[name] for name in LISTS if name != "providers"},
    )


def assert_equal_tables(compared: Compared, name: str, policy: Policy) -> None:
    """Every key of one is a key of the other, and every figure is equal."""
    key = KEYS[name]
    ours = _by_key(compared.of_policy(name, policy), key)
    theirs = _by_key(compared.recomputed(policy)[name], key)
    assert theirs, f"{name}: the recomputation has no row"
    faults = [f"only the pipeline has {k}" for k in sorted(ours.keys() - theirs.keys(), key=str)]
    faults += [f"only the recomputation has {k}" for k in sorted(theirs.keys() - ours.keys(), key=str)]
    for at in ours.keys() & theirs.keys():
        for figure in FIGURES[name]:
            mine, other = ours[at][figure], theirs[at][figure]
            if not is_equal(mine, other):
                faults.append(f"{at}: {figure} is {mine}, recomputed {other}")
    shown = "; ".join(faults[:8])
    assert not faults, f"{policy.label} {name}: {len(faults)} differences in {len(theirs)} rows: {shown}"


def is_equal(mine: Any, other: Any) -> bool:
    """Exactly, but for quotients; a divisor computed from the population is stored with ten places."""
    if mine is None or other is None:
        return mine is other
    if isinstance(mine, Decimal) and isinstance(other, float):
        return mine == Decimal(repr(other)).quantize(Decimal(1).scaleb(mine.as_tuple().exponent), ROUND_HALF_UP)
    if isinstance(mine, float):
        return abs(mine - other) <= _QUOTIENTS * max(abs(mine), abs(other))
    return bool(mine == other)


def load_counts(compared: Compared) -> tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]:
    """What became of the rows of every RIF file: the audit's rows, and the recomputation's."""
    outcomes = ("rows_read", "accepted", "rejected", "duplicate", "superseded")
    audit = compared.table("silver.load_audit", ("_bronze_table", "_source_file", *outcomes))
    rif = [row for row in audit if row["_bronze_table"].startswith("bronze.rif_")]
    ours = Counter(
        (row["_bronze_table"].removeprefix("bronze.rif_"), row["_source_file"], *[row[o] for o in outcomes])
        for row in rif
    )
    counted = compared.recomputed(compared.config.policies[0])["load_counts"]
    theirs = Counter((row["kind"], row["file"], *[row[o] for o in outcomes]) for row in counted)
    return ours, theirs


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _by_key(rows: Iterable[Row], key: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    listed = list(rows)
    found = {tuple(row[name] for name in key): row for row in listed}
    assert len(found) == len(listed), f"a key of {', '.join(key)} stands twice"
    return found
