"""The goals, as ratios of what was measured on one machine: target, found, met or not, or not measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.kept import Kept
from benchmarks.subjects import NO_SIZE

Results = Mapping[tuple[int, str], Kept]
GB = 1e9
LINEAR = 3.15
"""Three times the members, and 5% for noise."""
ENGINES = (("spark", "Spark"), ("embedded", "embedded"))


@dataclass(frozen=True)
class Goal:
    """What is asked: `found` at most `target`, or at least where `is_least`; None where something was not measured."""

    title: str
    target: float
    found: float | None
    is_least: bool = False

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        return "met" if (self.found >= self.target if self.is_least else self.found <= self.target) else "not met"


def goals(results: Results) -> list[Goal]:
    """All goals, in the order of the issue."""

    def figure(size: int, subject: str, name: str = "cpu") -> float | None:
        one = results.get((size, subject))
        return one.median(name) if one else None

    def ratio(above: float | None, below: float | None) -> float | None:
        return above / below if above is not None and below else None

    def cpu(size: int, subject: str, other: str) -> float | None:
        return ratio(figure(size, subject), figure(size, other))

    def growth(subject: str, small: int, large: int) -> float | None:
        return ratio(figure(large, subject), figure(small, subject))

    def peak(size: int, subject: str) -> float | None:
        return ratio(figure(size, subject, "peak_memory"), GB)

    def per_table(size: int) -> float | None:
        one = results.get((size, "spark"))
        # a table that no policy asks for is left empty; it has a receipt without rows
        written = sum(receipt["rows"] > 0 for receipt in one.told["receipts"]) if one else 0
        return one.median("jobs") / written if one and written else None

    def per_month(size: int) -> float | None:
        one = results.get((size, "spark"))
        months = sum(r["rows"] for r in one.told["receipts"] if r["table"] == "silver.member_months") if one else 0
        return one.median("shuffle_bytes") / months if one and months else None

    def on_both(title: str, target: float, found: Callable[[str], float | None]) -> list[Goal]:
        return [Goal(title.format(engine), target, found(name)) for name, engine in ENGINES]

    demo = ratio(figure(NO_SIZE, "demo", "wall"), figure(NO_SIZE, "bare", "wall"))
    largest = max((size for size, subject in results if subject == "spark"), default=0)
    of_largest = f"Spark, {largest:,} members" if largest else "Spark"
    plain = cpu(200_000, "plain", "spark")
    return [
        Goal("CPU over DuckDB's, Spark, 200,000 members", 4, cpu(200_000, "spark", "duckdb")),
        Goal("CPU over DuckDB's, Spark, 1,000,000 members", 2, cpu(1_000_000, "spark", "duckdb")),
        Goal("CPU over DuckDB's, embedded, 200,000 members", 2, cpu(200_000, "embedded", "duckdb")),
        Goal("CPU over DuckDB's, embedded, 1,000,000 members", 1.5, cpu(1_000_000, "embedded", "duckdb")),
        Goal("seconds of 1,000 members, embedded", 5, figure(1_000, "embedded", "wall")),
        Goal("CPU of plain PySpark over ours on Spark, 200,000 members", 4, plain, is_least=True),
        *on_both("CPU of 1,000,000 over 200,000 members, {}", 4.5, lambda one: growth(one, 200_000, 1_000_000)),
        *on_both("CPU of 3,000,000 over 1,000,000 members, {}", LINEAR, lambda one: growth(one, 1_000_000, 3_000_000)),
        Goal("bytes spilled, Spark, 1,000,000 members", 0, figure(1_000_000, "spark", "spilled_bytes")),
        *on_both("GB of memory, {}, 1,000,000 members", 8, lambda one: peak(1_000_000, one)),
        Goal(f"jobs a table written, {of_largest}", 5, per_table(largest)),
        Goal(f"bytes shuffled a member month, {of_largest}", 120, per_month(largest)),
        Goal("wall of `make demo` over that of a bare Spark session", 4, demo),
    ]
