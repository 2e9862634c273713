"""A progress bar, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable

WIDTH = 30


def progress() -> Callable[[int, int, str], None] | None:
    """Draws how many stages are done and which one is at work; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        return None

    def draw(done: int, total: int, name: str) -> None:
        filled = WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (WIDTH - filled)
        sys.stderr.write(f"\r\x1b[K[{bar}] {done}/{total} {name}" + ("\n" if done == total else "\r"))
        sys.stderr.flush()

    return draw
