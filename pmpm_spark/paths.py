"""Paths as people write them: of this machine, with or without `file:`, or of a store that only the engine sees."""

import re


def is_local(path: str) -> bool:
    """Whether this machine may open the path: no scheme, or that of a file."""
    return re.match(r"(?!file:)\w+:", path) is None


def plain(path: str) -> str:
    """The path without `file:`."""
    return path.removeprefix("file://").removeprefix("file:")


def is_volume(path: str) -> bool:
    """Whether it is in a Unity Catalog volume: a program may open it, and the engine reads it without `file:`."""
    return path.startswith("/Volumes/")
