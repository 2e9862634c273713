"""Two networks, practices or physicians, or one against all others, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmpm_spark.cli.sections import rendered_sections
from pmpm_spark.why.comparison import comparison_sections
from pmpm_spark.why.rules import rules_of

if TYPE_CHECKING:
    from pmpm_spark.warehouse import Published


def compared(
    warehouse: Published,
    kind: str,
    one: str,
    other: str | None,
    year: int,
    *,
    policy: str | None = None,
    form: str = "table",
) -> str:
    """The comparison as the last finished run has it; for people it ends with a sentence.

    Raises:
        InputError: no such network, practice, physician, policy or year.
    """
    sections, said = comparison_sections(
        warehouse, kind, one, other, year, rules_of(warehouse, policy, year, "compare")
    )
    told = rendered_sections(sections, form)
    return told if form != "table" else "\n".join([told, "", *said])
