"""Amount columns: quotients of sums, null where there is nothing to divide by, cents half up."""

from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from pmpm_spark.measures import in_cents, per_1000, per_member_month, total
from pmpm_spark.table import MONEY


def test_a_rate_is_unrounded_and_null_where_there_is_no_member_month(spark):
    amounts = [(Decimal("100.00"), Decimal(3)), (Decimal("5.00"), Decimal(0))]
    rows = spark.createDataFrame(amounts, "a decimal(18,2), m decimal(12,6)")
    built = rows.select(
        per_member_month(F.col("a"), F.col("m")).alias("pmpm"), per_1000(F.col("a"), F.col("m")).alias("per_1000")
    )
    assert [tuple(row) for row in built.collect()] == [
        (pytest.approx(100 / 3, abs=1e-12), pytest.approx(400_000, abs=1e-6)),
        (None, None),
    ]


def test_published_pmpm_of_a_thousand_members_and_its_parts(spark):
    """1,000 members x 12 months and $10,000,000: $833.33 (Tuva's page on basic PMPM); the parts add up to the total."""
    parts = {"inpatient": 4.0e6, "office": 2.5e6, "outpatient": 2.5e6, "ancillary": 0.5e6, "other": 0.5e6}
    rows = spark.createDataFrame([*parts.items(), ("all", sum(parts.values()))], "part string, amount double")
    pmpm = per_member_month(F.col("amount"), F.lit(12_000)).alias("pmpm")
    found = {row.part: row.pmpm for row in rows.select("part", pmpm).collect()}
    assert {part: round(value, 2) for part, value in found.items()} == {
        "inpatient": 333.33,
        "office": 208.33,
        "outpatient": 208.33,
        "ancillary": 41.67,
        "other": 41.67,
        "all": 833.33,
    }
    assert sum(found[part] for part in parts) == pytest.approx(found["all"], abs=1e-9)


def test_cents_are_rounded_half_up_away_from_zero(spark):
    quotients = {0.005: "0.01", 0.0049: "0.00", 1.005: "1.01", 2.675: "2.68", -0.005: "-0.01"}
    rows = spark.createDataFrame([(value,) for value in quotients], "q double")
    rows = rows.select("q", in_cents(F.col("q")).alias("c"))
    assert rows.schema["c"].dataType == MONEY
    assert {row.q: row.c for row in rows.collect()} == {q: Decimal(cents) for q, cents in quotients.items()}


def test_a_total_counts_null_as_zero_and_is_zero_where_there_is_no_row(spark):
    rows = spark.createDataFrame([(Decimal("0.10"),), (None,), (Decimal("0.20"),)], "a decimal(18,2)")
    assert rows.agg(total("a").alias("t")).first().t == Decimal("0.30")
    assert rows.where("a > 1").agg(total("a").alias("t")).first().t == Decimal("0.00")
