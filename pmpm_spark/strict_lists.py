"""The lists that money is paid by, or compared with: no row of them may be rejected, or give way to another unseen.

A row of a contract's members may give way to a later one; who stands in a rejected one would be taken for one who left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import ListFormats, line_or_row
from pmpm_spark.errors import InputError
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.sources.lists import LISTS, List

if TYPE_CHECKING:
    from pyspark.sql import Row

    from pmpm_spark.store import Store

NAMES = ("contracts", "contract_rates", "contract_budget", "contract_finance")
STRICT = {the_list.bronze.name: the_list for the_list in LISTS if the_list.setting in NAMES}
COMPLETE = {the_list.bronze.name: the_list for the_list in LISTS if the_list.setting == "contract_members"}
MOST_LINES = 5
"""So many lines are named. Of a strict list, which has no members, what a line is about is told as well."""
TWO_ROWS = "two rows of one key"


def check_strict_lists(store: Store, formats: ListFormats) -> None:
    """Every row of these lists counts.

    Raises:
        InputError: names file, line, and the contract, cell and month that the row is about.
    """
    of_list, rejected = F.col("_bronze_table"), F.col("rejected")
    audit = store.read(LOAD_AUDIT).where(
        (of_list.isin(*STRICT) & (rejected + F.col("superseded") > 0)) | (of_list.isin(*COMPLETE) & (rejected > 0))
    )
    for row in audit.orderBy("_source_file", "_bronze_table").limit(1).collect():
        the_list, file = {**STRICT, **COMPLETE}[row["_bronze_table"]], row["_source_file"]
        lost = row["rejected"] + (row["superseded"] if row["_bronze_table"] in STRICT else 0)
        word = line_or_row(getattr(formats, the_list.setting))
        why = "; ".join(_lines(store, the_list, file, lost, word) or sorted(row["rejected_by_reason"]) or [TWO_ROWS])
        raise InputError(f"{file}: {lost} rows cannot be paid by ({why}); correct the list")


def _lines(store: Store, the_list: List, file: str, lost: int, word: str) -> list[str]:
    """What is wrong with which lines of the file; nothing where bronze does not have it any more."""
    if the_list.bronze.name not in store.versions:
        return []
    rows = the_list.rows(store.read(the_list.bronze))
    is_strict = the_list.bronze.name in STRICT
    outcomes = ["rejected", *(["superseded"] if is_strict else [])]
    key = the_list.silver.key if is_strict else ("contract_id",)
    found = (
        rows.where((F.col("_source_file") == file) & F.col("outcome").isin(*outcomes))
        .select("_source_row", "outcome", "reject_reasons", *key)
        .orderBy("_source_row")
        .limit(MOST_LINES)
        .collect()
    )
    said = [_said(row, key, word) for row in found]
    return [*said, *(["and others"] if said and lost > len(said) else [])]


def _said(row: Row, key: Sequence[str], word: str) -> str:
    why = ", ".join(row["reject_reasons"]) if row["outcome"] == "rejected" else TWO_ROWS
    where = ", ".join([f"{word} {row['_source_row']}", *_about(row, key)])
    return f"{where}: {why}"


def _about(row: Row, key: Sequence[str]) -> list[str]:
    """What of the row's key could be read: contract, cell, month or year, and what else it has."""
    told = {name: row[name] for name in key if row[name] is not None}
    cell = [told.pop(name) for name in ("enrollment_type", "age_band", "sex") if name in told]
    words = {"contract_id": "contract {}", "effective_from": "{:%Y-%m}"}
    contract, *others = [words.get(name, "{}").format(told[name]) for name in key if name in told] or [""]
    return [part for part in (contract, f"cell {' x '.join(cell)}" if len(cell) == 3 else "", *others) if part]
