"""Work at the same time: results in order, waiting for what comes before, an end at the first error."""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from pmpm_spark.at_once import each, in_turn
from pmpm_spark.logs import RUN_ID


def slow_task(done: list[str], name: str, seconds: float) -> Callable[[], str]:
    """A task that says when it is done, and returns its name."""

    def work() -> str:
        time.sleep(seconds)
        done.append(name)
        return name

    return work


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_results_come_in_the_order_given_whoever_is_done_first(at_once: int) -> None:
    def task(seconds: float):
        return lambda: time.sleep(seconds) or seconds

    assert list(each([task(0.05), task(0.0), task(0.02)], at_once)) == [0.05, 0.0, 0.02]


def test_two_are_at_work_at_the_same_time_and_know_the_run() -> None:
    meeting = threading.Barrier(2, timeout=10)  # one alone would wait in vain
    RUN_ID.set("run-1")
    assert list(each([lambda: (meeting.wait() and None) or RUN_ID.get() for _ in range(2)], 2)) == ["run-1", "run-1"]
    RUN_ID.set("-")


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_task_begins_when_those_it_waits_for_are_done(at_once: int) -> None:
    said: list[str] = []
    task = partial(slow_task, said)
    tasks = {
        "slow": ((), task("slow", 0.1)),
        "after": (("slow", "told elsewhere"), task("after", 0.0)),
        "last": (("after",), task("last", 0.0)),
    }
    assert list(in_turn(tasks, at_once)) == ["slow", "after", "last"]
    assert said == ["slow", "after", "last"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_after_an_error_nothing_more_is_begun_and_nothing_is_at_work(at_once: int) -> None:
    done: list[str] = []

    def fails() -> str:
        raise ValueError("no")

    work = partial(slow_task, done)
    tasks = {
        "fails": ((), fails),
        "waits": (("fails",), work("waits", 0.0)),
        "beside": ((), work("beside", 0.1)),
        **{f"more {n}": ((), work(f"more {n}", 0.05)) for n in range(20)},
    }
    with pytest.raises(ValueError, match="no"):
        list(in_turn(tasks, at_once))
    left = list(done)
    time.sleep(0.2)
    assert done == left
    assert "waits" not in done
    assert len(done) < 20
