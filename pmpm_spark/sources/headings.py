"""Headings of delivered files: what is missing, what stands twice, what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from pmpm_spark.errors import InputError


def check_heading(
    what: str, heading: Sequence[str], file_name: str, columns: Sequence[str], required: Sequence[str]
) -> tuple[str, ...]:
    """The columns of the heading that the layout does not know.

    A first line that is no heading holds members' values: no error shows what the layout does not know, and that
    every needed column is there is asked first.

    Raises:
        InputError: a column that the mapping needs is missing, or a column stands twice.
    """
    missing = [name for name in required if name not in heading]
    if missing:
        raise InputError(f"{file_name}: looks like a {what} file, but column {missing[0]} is missing")
    twice = sorted({name for name in heading if list(heading).count(name) > 1}, key=lambda name: name not in columns)
    if twice:
        which = f"column {twice[0]}" if twice[0] in columns else "a column"
        raise InputError(f"{file_name}: {which} stands twice in the heading")
    return tuple(name for name in heading if name not in columns)


def some(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
