"""Several pieces of work at the same time, from threads of this process: the engine works, the threads wait for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

CORES = min(4, os.cpu_count() or 1)


def each(tasks: Iterable[Callable[[], T]], at_once: int = CORES) -> Generator[T, None, None]:
    """The result of every task, in the order given; at the first error nothing more is begun."""
    return in_turn({str(place): ((), task) for place, task in enumerate(tasks)}, at_once)


def in_turn(tasks: Mapping[str, tuple[Iterable[str], Callable[[], T]]], at_once: int) -> Generator[T, None, None]:
    """The same for tasks that each wait for others, named before them; what is named nowhere is not waited for.

    When it ends, also by an error or by `close`, no task is at work any more.
    """
    if at_once < 2:
        yield from (task() for _, task in tasks.values())
        return
    begun: dict[str, Future[T]] = {}
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for name, (after, task) in tasks.items():
                # in order, so that whoever is waited for is at work or done
                waits = [begun[other] for other in after if other in begun]
                begun[name] = pool.submit(copy_context().run, _when_done, waits, task)
            for future in begun.values():
                yield future.result()
        finally:
            for future in begun.values():
                future.cancel()


def _when_done(waits: Iterable[Future[T]], task: Callable[[], T]) -> T:
    for other in waits:
        other.result()
    return task()
