"""What it takes Spark to replace some members' rows in a Delta table: written anew, by deletion vectors, by MERGE.

    python -m benchmarks.replacing TABLE [--shares 0.001 0.01] [--out build/replacing]

TABLE is the folder of a Delta table with `member_id`, such as a large warehouse's `silver/claim_lines`; it is copied,
and stays as it is. Each way is a process of its own: `start` opens the session and picks the members, which every other
way does, too; `read` sums an amount over what a way has left.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.bench import written_bytes
from benchmarks.tree import measured
from pmpm_spark.session import open_session

WAYS = ("start", "rewritten", "vectors", "merged", "read rewritten", "read vectors")
VECTORS = "delta.enableDeletionVectors"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.001, 0.01])
    parser.add_argument("--out", type=Path, default=Path("build/replacing"))
    parser.add_argument("--way", choices=WAYS)
    told = parser.parse_args()
    if told.way:
        _take(told.way, told.table, told.shares[0])
        return
    print("share  way              CPU s  above start  wall s   MB written")
    for share in told.shares:
        base = 0.0
        for way in WAYS:
            copy = (told.out / way.rpartition(" ")[2]).resolve()
            if not way.startswith("read"):
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(told.table, copy)
            before = written_bytes(copy)
            command = [sys.executable, "-m", "benchmarks.replacing", str(copy), "--way", way, "--shares", str(share)]
            run = measured(command, told.out / "log.txt")
            if run.exit_code:
                raise SystemExit(f"error: {way} ended with {run.exit_code}: see {told.out / 'log.txt'}")
            base = run.cpu if way == "start" else base
            written = (written_bytes(copy) - before) / 1e6
            print(
                f"{share:<6.1%} {way:<15} {run.cpu:>6.1f} {run.cpu - base:>12.1f} {run.wall:>7.1f} {written:>12.1f}",
                flush=True,
            )


def _take(way: str, table: Path, share: float) -> None:
    spark = open_session(None, "replacing")
    name = f"delta.`{table}`"
    rows = spark.read.format("delta").load(str(table))
    if way.startswith("read"):
        rows.agg(F.sum("paid_amount")).collect()
    else:
        _replace(way, spark, name, rows, share)
    spark.stop()


def _replace(way: str, spark: SparkSession, name: str, rows: DataFrame, share: float) -> None:
    """The new rows are the old ones of the members, with another amount."""
    picked = F.pmod(F.xxhash64("member_id"), F.lit(1_000_000)) < int(1_000_000 * share)
    ids = rows.where(picked).select("member_id").distinct()
    ids.write.format("noop").mode("overwrite").save()
    if way == "start":
        return
    new = rows.join(F.broadcast(ids), "member_id", "left_semi").withColumn("paid_amount", -F.col("paid_amount"))
    if way == "rewritten":
        stays = rows.join(F.broadcast(ids), "member_id", "left_anti")
        stays.unionByName(new).writeTo(name).overwrite(F.lit(True))
        return
    if way == "vectors":
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('{VECTORS}' = 'true')")
    made = new.localCheckpoint()
    ids.createOrReplaceTempView("ids")
    spark.sql(f"MERGE INTO {name} t USING ids ON t.member_id = ids.member_id WHEN MATCHED THEN DELETE")
    made.writeTo(name).append()


if __name__ == "__main__":
    main()
