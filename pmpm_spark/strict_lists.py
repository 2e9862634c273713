"""The lists that money is paid by, or compared with: no row of them may be rejected, or give way to another unseen; of
who is listed none may be rejected, who would be taken for one who left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import CSV, ListFormats
from pmpm_spark.errors import InputError
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.sources.lists import LISTS, List

if TYPE_CHECKING:
    from pyspark.sql import Row

    from pmpm_spark.store import Store

NAMES = ("contracts", "contract_rates", "contract_budget", "contract_finance")
COMPLETE = "contract_members"
"""Of two rows of one key there the later one counts."""
BY_NAME = {the_list.bronze.name: the_list for the_list in LISTS if the_list.setting in (*NAMES, COMPLETE)}
MOST_LINES = 5
"""So many lines are named."""
TWO_ROWS = "two rows of one key"


def check_strict_lists(store: Store, formats: ListFormats) -> None:
    """Every row of these lists counts.

    Raises:
        InputError: names file, line, and the contract, cell and month that the row is about.
    """
    is_complete = F.col("_bronze_table") == next(n for n, one in BY_NAME.items() if one.setting == COMPLETE)
    lost = F.col("rejected") + F.when(is_complete, 0).otherwise(F.col("superseded"))
    audit = store.read(LOAD_AUDIT).withColumn("lost", lost).where(F.col("_bronze_table").isin(*BY_NAME) & (lost > 0))
    for row in audit.orderBy("_source_file", "_bronze_table").limit(1).collect():
        the_list, file, lost_rows = BY_NAME[row["_bronze_table"]], row["_source_file"], row["lost"]
        word = "line" if getattr(formats, the_list.setting) == CSV else "row"
        why = "; ".join(
            _lines(store, the_list, file, lost_rows, word) or sorted(row["rejected_by_reason"]) or [TWO_ROWS]
        )
        raise InputError(f"{file}: {lost_rows} rows cannot be paid by ({why}); correct the list")


def _lines(store: Store, the_list: List, file: str, lost: int, word: str) -> list[str]:
    """What is wrong with which lines of the file; nothing where bronze does not have it any more."""
    if the_list.bronze.name not in store.versions:
        return []
    rows = the_list.rows(store.read(the_list.bronze))
    fates = ("rejected",) if the_list.setting == COMPLETE else ("rejected", "superseded")
    names = ("_source_row", "outcome", "reject_reasons", *the_list.silver.key)
    found = (
        rows.where((F.col("_source_file") == file) & F.col("outcome").isin(*fates))
        .select(*names)
        .orderBy("_source_row")
        .limit(MOST_LINES)
        .collect()
    )
    said = [_said(row, the_list.silver.key, word) for row in found]
    return [*said, *(["and others"] if said and lost > len(said) else [])]


def _said(row: Row, key: Sequence[str], word: str) -> str:
    why = ", ".join(row["reject_reasons"]) if row["outcome"] == "rejected" else TWO_ROWS
    where = ", ".join([f"{word} {row['_source_row']}", *_about(row, key)])
    return f"{where}: {why}"


def _about(row: Row, key: Sequence[str]) -> list[str]:
    """What of the row's key could be read: contract, cell, month or year, and what else it has, but for a member."""
    named = key if "member_id" not in key else ("contract_id",)
    told = {name: row[name] for name in named if row[name] is not None}
    cell = [told.pop(name) for name in ("enrollment_type", "age_band", "sex") if name in told]
    words = {"contract_id": "contract {}", "effective_from": "{:%Y-%m}"}
    contract, *others = [words.get(name, "{}").format(told[name]) for name in key if name in told] or [""]
    return [part for part in (contract, f"cell {' x '.join(cell)}" if len(cell) == 3 else "", *others) if part]
