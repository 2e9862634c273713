"""What paying a million members of two contracts takes: `pmpm capitate` for many months at once, then a month later.

    python benchmarks/capitation.py [--members 1000000] [--months 24] [--engine embedded] [--stages]

The tables that a payment run reads are made from drawn enrollment by the package's own stages, untimed. Contract C1 has
a list of members and rates by type, age band and sex, risk-adjusted and prorated; C2 pays for who is attributed to its
network. Before the second run one member in two hundred left late, and the newest month became payable. CPU is that of
the whole process tree.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events import logged, print_stages
from pyspark.sql import functions as F
from tree import cpu_seconds

from pmpm_spark.capitation import READ, capitate
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.model import CONTRACT_MEMBERS, CONTRACT_RATES, CONTRACTS, COVERAGE_RECORDS, LOAD_AUDIT, MEMBERS
from pmpm_spark.policy import Policy
from pmpm_spark.runs import RUNS, RunBook, contract_hashes, new_run_id
from pmpm_spark.session import open_session
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import ENROLLMENT_TYPES, MEMBER_MONTHS, member_months
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.told_months import TOLD_MONTHS
from pmpm_spark.stages import STORED
from pmpm_spark.store import Store
from pmpm_spark.table import small_frame

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from pmpm_spark.table import Table

POLICY = Policy("default")
FIRST = date(2022, 1, 1)
OPEN = date(9999, 12, 31)
AGES = ("0-64", "65-74", "75-84", "85+")
ALIGNED = {"method": "roster", "practice_tin": "T", "physician_npi": "N"}


def chance(salt: int, of: int) -> Column:
    """A number from 0 below `of`, the same for a member in every run."""
    return F.pmod(F.xxhash64("member_id", F.lit(salt)), F.lit(of)).cast("int")


def typed(frame: DataFrame, table: Table, **told: Column) -> DataFrame:
    """The table's columns; those that are not told are null."""
    return frame.select(*[told.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in table.columns])


def contracts(spark: SparkSession) -> tuple[DataFrame, DataFrame]:
    names = CONTRACTS.column_names
    rows = [
        {"contract_id": "C1", "network_id": "A", "coverage_rule": "prorated", "withhold_share": Decimal("0.02")},
        {"contract_id": "C2", "network_id": "B", "coverage_rule": "first_of_month", "withhold_share": Decimal(0)},
    ]
    always = {"start_date": FIRST, "end_date": OPEN, "line_of_business": "aco"}
    told = [[(always | row).get(name) for name in names] for row in rows]
    rates = [
        ("C1", FIRST, OPEN, kind, ages, sex, 500 + 100 * a + 50 * k, True)
        for k, kind in enumerate(ENROLLMENT_TYPES)
        for a, ages in enumerate(AGES)
        for sex in ("F", "M")
    ]
    rates += [("C2", FIRST, OPEN, "*", "*", "*", 700, False)]
    return small_frame(spark, told, CONTRACTS.schema), small_frame(spark, rates, CONTRACT_RATES.schema)


def made(store: Store, members: int, months: int) -> None:
    """Every table that a payment run reads, and the book's row that makes them count."""
    spark = store.spark
    last_month = _month(FIRST, months - 1)
    people = spark.range(members).select(F.format_string("M%010d", "id").alias("member_id"))
    born = F.date_add(F.lit(date(1925, 1, 1)), chance(1, 20_000))
    is_disabled = F.months_between(F.lit(FIRST), born) < 65 * 12
    left = F.when(chance(2, 20) == 0, F.date_add(F.lit(FIRST), chance(3, 30 * months)))
    store.publish(MEMBERS, typed(people, MEMBERS, member_id=F.col("member_id"), birth_date=born, sex=_sex()))
    record = {
        "member_id": F.col("member_id"),
        "coverage_start": F.lit(FIRST),
        "plan_id": F.lit("P"),
        "recorded_on": F.lit(date(1900, 1, 1)),
        "coverage_end": F.coalesce(left, F.lit(OPEN)),
        "has_part_a": F.lit(True),
        "has_part_b": F.lit(True),
        "in_medicare_advantage": F.lit(False),
        "medicare_status_code": F.when(chance(4, 100) == 0, "11").when(is_disabled, "20").otherwise("10"),
        "dual_status_code": F.when(chance(5, 6) == 0, "02").otherwise("NA"),
    }
    store.publish(COVERAGE_RECORDS, typed(people, COVERAGE_RECORDS, **record))
    store.publish(ELIGIBILITY_SPANS, eligibility_spans(store.read(COVERAGE_RECORDS)))
    store.publish(TOLD_MONTHS, small_frame(spark, [(FIRST, last_month)], TOLD_MONTHS.schema))
    years = range(FIRST.year, last_month.year + 1)
    store.publish(
        MEMBER_MONTHS,
        member_months(
            store.read(ELIGIBILITY_SPANS),
            store.read(MEMBERS),
            spark.createDataFrame([], "member_id string, member_month date, basis string"),
            store.read(TOLD_MONTHS),
            spark.createDataFrame([], "policy string, member_id string, first_month date, last_month date"),
            policies=[POLICY],
            performance_years=list(years),
        ),
    )
    of_years = people.withColumn("of_year", F.explode(F.array(*[F.lit(year) for year in years])))
    of_year = {"member_id": F.col("member_id"), "performance_year": F.col("of_year")}
    network = F.when(chance(6, 10) < 6, "A").otherwise("B")
    told = {name: F.lit(value) for name, value in ALIGNED.items()}
    store.publish(
        ATTRIBUTION,
        typed(of_years, ATTRIBUTION, policy=F.lit(POLICY.label), network_id=network, **of_year, **told),
    )
    score = (F.lit(300) + chance(7, 2_000)) / 1000
    store.publish(
        RISK_SCORES,
        typed(of_years, RISK_SCORES, origin=F.lit("supplied"), risk_score=score, **of_year).where(chance(8, 50) > 0),
    )
    listed = people.where(chance(6, 10) < 6)
    store.publish(
        CONTRACT_MEMBERS,
        typed(
            listed,
            CONTRACT_MEMBERS,
            contract_id=F.lit("C1"),
            member_id=F.col("member_id"),
            start_date=F.lit(FIRST),
            end_date=F.lit(OPEN),
        ),
    )
    of_months = people.withColumn("number", F.explode(F.sequence(F.lit(0), F.lit(months - 1), F.lit(3))))
    month = F.add_months(F.lit(FIRST), F.col("number"))
    cents = F.pmod(F.xxhash64("member_id", "number"), F.lit(300_000)) / 100
    cost = {
        "policy": F.lit(POLICY.label),
        "member_id": F.col("member_id"),
        "member_month": month,
        "service_category": F.when(chance(9, 4) == 0, "inpatient").otherwise("professional"),
        "performance_year": F.year(month),
        "network_id": network,
        "in_total": F.lit(True),
        "services": F.lit(1),
        "counted_services": F.lit(1),
        "counted_paid_amount": cents,
        "counted_amount": cents,
    }
    store.publish(MEMBER_MONTH_COSTS, typed(of_months, MEMBER_MONTH_COSTS, **cost))
    for table, frame in zip((CONTRACTS, CONTRACT_RATES), contracts(spark), strict=True):
        store.publish(table, frame)
    for table in (*READ, LOAD_AUDIT):
        if table.name not in store.versions:
            store.create(table)
    _finished(store)


def left_late(store: Store) -> None:
    """One member in two hundred left three months ago."""
    end = F.when(chance(10, 200) == 0, F.least("coverage_end", F.lit(_month(FIRST, 19)))).otherwise(
        F.col("coverage_end")
    )
    records = store.read(COVERAGE_RECORDS).withColumn("coverage_end", end)
    store.publish(COVERAGE_RECORDS, records)
    store.publish(ELIGIBILITY_SPANS, eligibility_spans(store.read(COVERAGE_RECORDS)))
    _finished(store)


def _finished(store: Store) -> None:
    book = RunBook(store.spark, store.warehouse)
    last = book.last_finished()
    versions = {**(last.versions if last else {}), **store.versions}
    told = {"policies": [POLICY.label], "policy_hashes": [POLICY.content_hash], "settings": json.dumps({})}
    book.write(new_run_id(), "finished", versions=versions, contracts=contract_hashes(store, STORED), **told)


def of_last_run(store: Store) -> list[Any]:
    """The receipts of the last payment run."""
    version = store.current_version(RUNS)
    finished = store.delta.at(RUNS, version or 0).where("status = 'finished'")
    return list(finished.orderBy(F.desc("run_id")).limit(1).collect()[0]["receipts"])


def _sex() -> Column:
    return F.when(chance(11, 2) == 0, "F").otherwise("M")


def _month(first: date, after: int) -> date:
    number = first.year * 12 + first.month - 1 + after
    return date(number // 12, number % 12 + 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--runs", type=int, default=2, choices=(1, 2), help="1: without the run a month later")
    parser.add_argument("--engine", default="embedded", choices=("embedded", "spark"))
    parser.add_argument("--conf", default="conf/spark/local.conf", help="Spark properties")
    parser.add_argument("--stages", action="store_true", help="print what Spark's stages took")
    parser.add_argument("--out", type=Path, default=Path("build/capitation"))
    told = parser.parse_args()
    warehouse = told.out.resolve() / "warehouse"
    shutil.rmtree(told.out, ignore_errors=True)
    warehouse.mkdir(parents=True)
    events = told.out.resolve() / "events"
    properties = logged(Path(told.conf), events) if told.stages else told.conf
    spark = open_session(str(properties), "capitation", told.engine)
    place = Warehouse(path=str(warehouse))
    config = RunConfig(Source("common", "none"), place, (FIRST.year,), (POLICY,), engine=told.engine)
    store = Store(spark, place)
    made(store, told.members, told.months)
    last = _month(FIRST, told.months - 1)
    days = (last - timedelta(days=1), last + timedelta(days=4))
    for number, as_of in enumerate(days[: told.runs], 1):
        if number == 2:
            store.versions.update(RunBook(spark, place).last_finished().versions)  # type: ignore[union-attr]
            left_late(store)
        start, cpu = time.monotonic(), cpu_seconds()
        result = capitate(spark, config, as_of)
        seconds, used = time.monotonic() - start, cpu_seconds() - cpu
        lines = sum(one.lines for one in result.contracts)
        print(f"{told.engine}: {told.members:,} members, as of {as_of}: {lines:,} lines", end=", ")
        print(f"{seconds:.1f} s, {used:.1f} s of CPU")
        for table in of_last_run(store):
            print(f"  {table['table']:<34} {table['rows']:>12,} rows {table['seconds']:>7.1f} s")
    spark.stop()
    if told.stages:
        print_stages(events)


if __name__ == "__main__":
    main()
