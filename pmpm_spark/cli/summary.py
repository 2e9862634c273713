"""Gold rows for the terminal, and the summary at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.cli.render import Rows, as_table
from pmpm_spark.config import RunConfig, Warehouse
from pmpm_spark.delta_text import place_of
from pmpm_spark.engine import is_embedded
from pmpm_spark.errors import ConfigError
from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.gold.membership_reconciliation import DIFFERENCES, MEMBERSHIP_RECONCILIATION
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.identities import IDENTITIES
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.stages import ALL_TABLES, CAPITATION, GOLD
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pmpm_spark.capitation import Counted
    from pmpm_spark.pipeline import RunResult
    from pmpm_spark.warehouse import Published

SHOWN: tuple[Table, ...] = (
    *GOLD,
    *[table for table in CAPITATION if table.layer == "gold" and not table.has_members],
    IDENTITIES,
    LOAD_AUDIT,
    MEMBERSHIP_RECONCILIATION,
)
"""Tables without members' data, and the one that is of no use without (SECURITY.md)."""
MEMBERS_LAYERS = ("bronze", "intake", "silver")
"""Layers whose rows are members' data (SECURITY.md)."""
WITHOUT_MEMBERS = {
    "capitation_ledger": "capitation_ledger_by_reason",
    "capitation_unposted": "capitation_variance",
    "capitation_due": "capitation_variance",
    "readmissions": "outcome_measures",
}
"""What may be shown in the place of a table with members' data."""
HOW_TO_READ = (
    "Delta: delta_scan in DuckDB, deltalake.DeltaTable(path).to_pandas() in Python, "
    'spark.read.format("delta").load(path) in Spark'
)
COUNTED = "counted"


def shown_rows(
    open_warehouse: Callable[[], Published],
    warehouse: Warehouse,
    name: str,
    *,
    years: Sequence[int],
    networks: Sequence[str],
    policies: Sequence[str],
    at_most: int | None,
) -> Rows:
    """The rows of one table in the order of its key.

    Raises:
        ConfigError: the table is not one of those that can be shown, or has no such column to choose by.
    """
    table = _table_to_show(name, warehouse)
    wanted: dict[str, Sequence[Any]] = {"performance_year": years, "network_id": networks, "policy": policies}
    for column, values in wanted.items():
        if values and column not in table.column_names:
            raise ConfigError(f"show: {table.short_name} has no {column} to choose by")
    rows = open_warehouse().read(table)
    for column, values in wanted.items():
        if values:
            rows = rows.where(F.col(column).isin(*values))
    ordered = rows.orderBy(*table.key)
    found = (ordered if at_most is None else ordered.limit(at_most + 1)).collect()
    shown = found if at_most is None else found[:at_most]
    return Rows(table.column_names, shown, more=len(found) > len(shown))


def _table_to_show(name: str, warehouse: Warehouse) -> Table:
    shown, kept = _by_name(SHOWN), _by_name(t for t in ALL_TABLES if t.layer in MEMBERS_LAYERS or t.has_members)
    if name in shown:
        return shown[name]
    if name in kept:
        table = kept[name]
        place, instead = place_of(table, warehouse), WITHOUT_MEMBERS.get(table.short_name)
        how = HOW_TO_READ if warehouse.path is not None else "a table of the catalog: spark.table, or SQL"
        also = f"; without members: pmpm show {instead}" if instead else ""
        raise ConfigError(
            f"show: {table.name} holds members' data and is not shown; read it from the warehouse: {place} "
            f"({how}){also}"
        )
    raise ConfigError(f"show: no table {name} to show (one of: {', '.join(t.short_name for t in SHOWN)})")


def _by_name(tables: Iterable[Table]) -> dict[str, Table]:
    """Tables by their whole and by their short names; of two of one short name the later layer's."""
    return {name: table for table in tables for name in (table.short_name, table.name)}


def summary(warehouse: Published, config: RunConfig, result: RunResult) -> str:
    """Networks ranked by adjusted PMPM, and what counts and does not, by year."""
    parts = []
    for policy in config.policies:
        for year in config.performance_years:
            parts += _year_summary(warehouse, policy.label, year)
    tables, rows = len(result.receipts), sum(receipt.rows for receipt in result.receipts)
    engine = warehouse.store.engine
    parts.append(
        f"run {result.run_id} is published: {tables} tables, {rows:,} rows written, by {engine}{unchanged_told(result)}"
    )
    if is_embedded(warehouse.store.spark):
        parts.append("(the engine without Java: equal tables, and official figures come from Spark: --engine spark)")
    return "\n".join(parts)


def unchanged_told(result: RunResult) -> str:
    count = len(result.unchanged)
    return f"; {count} tables would come out as they are and stand as they are" if count else ""


def membership_told(one: Counted) -> str:
    """The member months of a contract after a payment run, in one line."""
    differing = [f"{one.differences[name]:,} {name}" for name in DIFFERENCES if name in one.differences]
    told = ", ".join(differing) or "none"
    beside = "" if one.has_payer_list else " (the payer lists no month)"
    return (
        f"{one.contract_id}: {one.member_months.normalize():f} member months due, {one.changed:,} counted otherwise "
        f"than by the run before; differences: {told}{beside}"
    )


def _year_summary(warehouse: Published, policy: str, year: int) -> list[str]:
    where = (F.col("policy") == policy) & (F.col("performance_year") == year)
    order = [F.asc_nulls_last("adjusted_pmpm"), F.asc("pmpm")]
    names = (
        "network_id", "network_name", "members", "member_months", "pmpm", "normalized_risk_score", "adjusted_pmpm",
        "is_small_cell",
    )  # fmt: skip
    networks = warehouse.read(NETWORK_PMPM).where(where).orderBy(*order)
    ranked = networks.select(*names, "paid_amount").collect()
    lines = [f"{year}, policy {policy}: networks by adjusted PMPM, lowest first"]
    lines.append(as_table(Rows(names, [row[: len(names)] for row in ranked])))
    months = sum(row["member_months"] for row in ranked)
    dollars = sum(row["paid_amount"] for row in ranked)
    left_out = warehouse.read(EXCLUDED).where(where & (F.col("kind") != "step")).orderBy("kind", "reason").collect()
    reasons = sorted({row["reason"] for row in left_out})
    by = {(row["kind"], row["reason"]): row for row in left_out}
    told = [(COUNTED, months, dollars)]
    for reason in reasons:
        month, dollar = by.get(("month", reason)), by.get(("dollar", reason))
        told.append((reason, month["member_months"] if month else None, dollar["paid_amount"] if dollar else None))
    lines += ["", as_table(Rows(("months and dollars", "member_months", "paid_amount"), told)), ""]
    return lines
