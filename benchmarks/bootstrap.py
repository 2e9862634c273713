"""How long the bootstrap of two networks takes, beside NumPy; and how honest its intervals are.

    python benchmarks/bootstrap.py time [--members 100000] [--engine embedded]
    python benchmarks/bootstrap.py coverage [--members 400] [--splits 200] [--ratio 1.3] [--warehouse DIR --year Y]

`coverage` splits one population in two halves by chance, as often as told, and makes the first half `ratio` times as
dear: how often does the interval hold the true difference (with ratio 1: none)? The people are those of a year of a
warehouse, or drawn: dollars heavy-tailed (lognormal, a fifth of the people without any), months from 1 to 12, risk
lognormal, and dollars follow it.
"""

from __future__ import annotations

import argparse
import resource
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pmpm_spark.gold.bootstrap import REPLICATES
from pmpm_spark.gold.network_comparison import NETWORK_COMPARISON, network_comparison
from pmpm_spark.gold.network_replicates import NETWORK_REPLICATES, network_replicates
from pmpm_spark.policy import Policy
from pmpm_spark.session import open_session
from pmpm_spark.table import conform

SPREAD, NO_COST, AVERAGE = 1.5, 0.2, 400.0
POLICY = Policy("default")


def people(draw: np.random.Generator, members: int) -> dict[str, np.ndarray]:
    """Dollars in cents, months and risk in millionths."""
    months = draw.integers(1, 13, members)
    risk = np.exp(draw.normal(-0.125, 0.5, members))
    noise = np.exp(draw.normal(-(SPREAD**2) / 2, SPREAD, members)) * (draw.random(members) > NO_COST) / (1 - NO_COST)
    dollars = AVERAGE * months * risk * noise
    return {
        "cents": np.rint(dollars * 100).astype(np.int64),
        "months": months,
        "risk": np.maximum(np.rint(risk * 1e6).astype(np.int64), 1),
    }


def people_of(warehouse: Path, year: int) -> dict[str, np.ndarray]:
    """Everybody with an eligible month and a score under the warehouse's only policy."""
    from deltalake import DeltaTable

    table = DeltaTable(str(warehouse / "silver" / "member_years")).to_pyarrow_table()
    rows = [r for r in table.to_pylist() if r["performance_year"] == year and r["risk_score"] is not None]
    return {
        "cents": np.array([int(r["counted_amount"] * 100) for r in rows]),
        "months": np.array([int(r["member_months"]) for r in rows]),
        "risk": np.array([int(r["risk_score"] * 1_000_000) for r in rows]),
    }


def halves(draw: np.random.Generator, of: dict[str, np.ndarray], ratio: float) -> dict[str, dict[str, np.ndarray]]:
    order = draw.permutation(len(of["cents"]))
    sides = {"A": order[: len(order) // 2], "B": order[len(order) // 2 :]}
    found = {network: {name: values[at] for name, values in of.items()} for network, at in sides.items()}
    found["A"]["cents"] = np.rint(found["A"]["cents"] * ratio).astype(np.int64)
    return found


def figure(of: dict[str, np.ndarray]) -> float:
    return float(of["cents"].sum() / 100 / of["months"].sum() / (of["risk"].mean() / 1e6))


def written(folder: Path, splits: list[dict[str, dict[str, np.ndarray]]]) -> None:
    """Member years and the networks' rows of every split (a year each) as Parquet."""
    columns: dict[str, list[Any]] = {name: [] for name in ("year", "network", "member", "cents", "months", "risk")}
    rows = []
    for split, sides in enumerate(splits):
        for network, of in sides.items():
            members = len(of["cents"])
            columns["year"].append(np.full(members, split, dtype=np.int32))
            columns["network"].append(np.full(members, network))
            columns["member"].append(np.char.add(f"{network}{split}-", np.arange(members).astype(str)))
            for name in ("cents", "months", "risk"):
                columns[name].append(of[name])
            rows.append((split, network, members, int(of["months"].sum()), float(of["risk"].mean() / 1e6)))
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    n = len(whole["year"])

    def decimals(values: np.ndarray, scale: int, kind: pa.DataType) -> pa.Array:
        return pa.array([Decimal(int(v)).scaleb(-scale) for v in values], kind)

    years = {
        "policy": ["default"] * n,
        "performance_year": pa.array(whole["year"]),
        "network_id": pa.array(whole["network"]),
        "member_id": pa.array(whole["member"]),
        "counted_amount": decimals(whole["cents"], 2, pa.decimal128(18, 2)),
        "member_months": decimals(whole["months"], 0, pa.decimal128(12, 6)),
        "risk_score": decimals(whole["risk"], 6, pa.decimal128(12, 6)),
    }
    pq.write_table(pa.table(years), folder / "member_years.parquet")
    networks = {
        "policy": ["default"] * len(rows),
        "performance_year": pa.array([r[0] for r in rows], pa.int32()),
        "network_id": [r[1] for r in rows],
        "members": pa.array([r[2] for r in rows], pa.int64()),
        "member_months": pa.array([Decimal(r[3]) for r in rows], pa.decimal128(12, 6)),
        "risk_score": [r[4] for r in rows],
        "normalized_risk_score": [r[4] for r in rows],
    }
    pq.write_table(pa.table(networks), folder / "network_pmpm.parquet")


def compared(spark: Any, folder: Path, splits: int) -> list[Any]:
    asked: dict[str, Any] = {"policies": [POLICY], "performance_years": range(splits)}
    years, networks = (spark.read.parquet(str(folder / f"{n}.parquet")) for n in ("member_years", "network_pmpm"))
    made = conform(network_replicates(years, networks, **asked), NETWORK_REPLICATES)
    made.write.mode("overwrite").parquet(str(folder / "replicates"))
    pairs = conform(network_comparison(spark.read.parquet(str(folder / "replicates")), **asked), NETWORK_COMPARISON)
    return list(pairs.where("network_id = 'A' AND other_network_id = 'B'").collect())


def numpy_interval(of: dict[str, dict[str, np.ndarray]], seed: int) -> tuple[float, float]:
    """The plain way: collected member totals, drawn with replacement, replicate by replicate."""
    draw = np.random.default_rng(seed)
    figures = []
    for _ in range(REPLICATES):
        both = []
        for side in of.values():
            n = len(side["cents"])
            times = np.bincount(draw.integers(0, n, n), minlength=n)
            cents, months, risk = (int((side[name] * times).sum()) for name in ("cents", "months", "risk"))
            both.append(cents / 100 / months / (risk / 1e6 / n))
        figures.append(both[0] - both[1])
    low, high = np.quantile(figures, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=("time", "coverage"))
    parser.add_argument("--members", type=int, help="of each network (100,000), or of a half (400)")
    parser.add_argument("--warehouse", type=Path)
    parser.add_argument("--year", type=int)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--ratio", type=float, default=1.0)
    parser.add_argument("--engine", default="embedded", choices=("embedded", "spark"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/bootstrap"))
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(told.seed)
    is_timed = told.what == "time"
    of_all = (
        people_of(told.warehouse, told.year)
        if told.warehouse
        else people(draw, 2 * (told.members or (100_000 if is_timed else 400)))
    )
    splits = [halves(draw, of_all, told.ratio) for _ in range(1 if is_timed else told.splits)]
    written(told.out, splits)
    spark = open_session("conf/spark/local.conf", "bootstrap", told.engine)
    compared(spark, told.out, 1)  # warm
    start, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    rows = compared(spark, told.out, len(splits))
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
    if is_timed:
        row = rows[0]
        print(f"{told.engine}: {seconds:.1f} s, {used.ru_utime - cpu.ru_utime:.1f} s of CPU in this process")
        print(f"  interval {row['difference_low']:.2f} to {row['difference_high']:.2f}, by the delta method", end=" ")
        print(f"{row['delta_low']:.2f} to {row['delta_high']:.2f}")
        start = time.monotonic()
        low, high = numpy_interval(splits[0], told.seed)
        print(f"NumPy: {time.monotonic() - start:.1f} s, interval {low:.2f} to {high:.2f}")
    else:
        truth = figure(of_all) * (told.ratio - 1)
        print(f"{len(of_all['cents']):,} people in two halves, true difference {truth:.2f}")
        for name in ("difference", "delta"):
            held = sum(row[f"{name}_low"] <= truth <= row[f"{name}_high"] for row in rows)
            print(f"{name}: {held} of {len(rows)} intervals hold it")
        print(f"p below 0.05: {sum(row['p_value'] < 0.05 for row in rows)} of {len(rows)}; {seconds:.1f} s")
    spark.stop()


if __name__ == "__main__":
    main()
