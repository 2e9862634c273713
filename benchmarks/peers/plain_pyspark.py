"""The reference job in PySpark as most would write it: months first, then joins, step by step, Parquet to Parquet.

    python -m benchmarks.peers.plain_pyspark INPUT OUT FIRST_YEAR LAST_YEAR [EVENTS]

Nothing here is slow on purpose. Spark has its defaults and as much memory as ours. Small lists are broadcast,
final lines are cached with the columns that are needed, and the tables by member are written and read back.
"""

from __future__ import annotations

import sys
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

UNATTRIBUTED, PHARMACY = "UNATTRIBUTED", "pharmacy"
EMERGENCY_CODES = [f"9928{n}" for n in range(1, 6)] + [f"G038{n}" for n in range(5)]
PAYERS = ["A", "B", "D", "E", "F", "G", "H", "I", "L", "W"]
MEMBER_YEAR = ["member_id", "performance_year"]
IDS = ["tin", "npi", "ccn"]
MONEY = "decimal(18,2)"
NEEDED = [
    *["member_id", "member_month", "performance_year", "service_thru", "claim_type", "service_category"],
    *["hcpcs", "primary_payer_code", "is_denied", "tin", "npi", "roster_network_id"],
    *["paid_amount", "allowed_amount", "patient_paid_amount"],
]
"""What the tables are made of, of the lines that are cached."""


def month_of(day: str) -> Column:
    return F.trunc(day, "month")


def final_lines(claims: DataFrame, roster: DataFrame) -> DataFrame:
    """What cancels and replacements leave, with month, category and roster network."""
    removed = (
        claims.where("cancels_claim_id IS NOT NULL").select(F.col("cancels_claim_id").alias("claim_id")).distinct()
    )
    is_professional = F.col("claim_type") == "professional"
    npi = F.when(is_professional, F.col("rendering_npi")).otherwise(F.col("billing_npi"))
    lines = (
        claims.where("adjustment <> 'cancel'")
        .join(removed, "claim_id", "left_anti")
        .withColumn("tin", F.coalesce("billing_tin", F.lit("")))
        .withColumn("npi", F.coalesce(npi, F.lit("")))
        .withColumn("ccn", F.coalesce(F.when(~is_professional, F.col("facility_ccn")), F.lit("")))
        .withColumn("member_month", month_of("service_thru"))
        .withColumn("performance_year", F.year("service_thru"))
    )
    is_emergency = (
        F.col("revenue_code").between("0450", "0459")
        | (F.col("revenue_code") == "0981")
        | F.col("hcpcs").isin(EMERGENCY_CODES)
    )
    emergency = (
        lines.where(F.col("claim_type") == "outpatient")
        .groupBy("claim_id")
        .agg(F.max(F.coalesce(is_emergency, F.lit(False))).alias("is_emergency"))
    )
    category = (
        F.when(F.col("is_emergency"), "emergency")
        .when(F.col("claim_type") == "snf", "skilled_nursing")
        .otherwise(F.col("claim_type"))
    )
    networks = roster_networks(lines, roster)
    return (
        lines.join(emergency, "claim_id", "left")
        .withColumn("service_category", category)
        .join(networks, ["claim_id", "line_number"], "left")
        .select(*NEEDED)
    )


def roster_networks(lines: DataFrame, roster: DataFrame) -> DataFrame:
    """The lowest network of each claim line: a roster row matches on every id that it fills in, on the line's day."""
    matches = []
    for first, others in (("tin", []), ("npi", ["tin"]), ("ccn", ["tin", "npi"])):
        rows = roster.where(
            (F.col(first) != "") & reduce(lambda a, b: a & b, [F.col(n) == "" for n in others], F.lit(True))
        )
        renamed = rows.select("network_id", "start_date", "end_date", *[F.col(n).alias(f"roster_{n}") for n in IDS])
        same = [(F.col(f"roster_{n}") == "") | (F.col(f"roster_{n}") == F.col(n)) for n in IDS if n != first]
        on = [
            F.col(first) == F.col(f"roster_{first}"),
            F.col("service_thru").between(F.col("start_date"), F.col("end_date")),
            *same,
        ]
        matches.append(lines.join(F.broadcast(renamed), on, "inner").select("claim_id", "line_number", "network_id"))
    return (
        reduce(DataFrame.union, matches)
        .groupBy("claim_id", "line_number")
        .agg(F.min("network_id").alias("roster_network_id"))
    )


def member_months(
    coverage: DataFrame, members: DataFrame, lines: DataFrame, first_year: int, last_year: int
) -> DataFrame:
    """Every month of every member year with coverage, and the reason that excludes it."""
    open_end = F.lit("9999-12-31").cast("date")
    records = coverage.withColumn("coverage_end", F.coalesce("coverage_end", open_end))
    until = F.when(F.col("coverage_end") < open_end, F.col("coverage_end")).otherwise(F.col("coverage_start"))
    told = records.agg(F.min("coverage_start").alias("first"), F.max(until).alias("last")).select(
        month_of("first").alias("told_first"), month_of("last").alias("told_last")
    )
    last_day = F.least("coverage_end", F.last_day("told_last"))
    touched = (
        records.crossJoin(F.broadcast(told))
        .where(F.col("coverage_start") <= last_day)
        .withColumn(
            "member_month",
            F.explode(F.sequence(month_of("coverage_start"), F.trunc(last_day, "month"), F.expr("INTERVAL 1 MONTH"))),
        )
    )
    winner = Window.partitionBy("member_id", "member_month").orderBy(
        F.desc("recorded_on"), F.desc("coverage_start"), "plan_id"
    )
    covered = (
        touched.where(F.col("coverage_start") <= F.col("member_month"))
        .withColumn("place", F.row_number().over(winner))
        .where("place = 1")
        .select(
            "member_id",
            "member_month",
            F.lit(True).alias("is_covered"),
            F.coalesce(F.col("has_part_a") & F.col("has_part_b"), F.lit(False)).alias("is_both"),
            F.coalesce("in_medicare_advantage", F.lit(False)).alias("is_managed"),
            F.coalesce("medicare_is_secondary", F.lit(False)).alias("is_secondary"),
        )
    )
    # twelve months of every year with any coverage, and of the year before for the window
    years = (
        touched.select("member_id", F.year("member_month").alias("performance_year"))
        .where(F.col("performance_year").between(first_year, last_year))
        .distinct()
    )
    window_first, window_last = (
        F.make_date(F.col("performance_year") - 1, F.lit(1), F.lit(1)),
        F.make_date(F.col("performance_year"), F.lit(12), F.lit(1)),
    )
    months = (
        years.crossJoin(F.broadcast(told))
        .withColumn("member_month", F.explode(F.sequence(window_first, window_last, F.expr("INTERVAL 1 MONTH"))))
        .where(F.col("member_month").between(F.col("told_first"), F.col("told_last")))
        .join(covered, ["member_id", "member_month"], "left")
        .join(members.select("member_id", month_of("death_date").alias("death_month")), "member_id", "left")
    )
    is_alive = F.coalesce(F.col("member_month") <= F.col("death_month"), F.lit(True))
    lacks = F.max(F.when(is_alive & ~F.coalesce("is_both", F.lit(False)), 1).otherwise(0))
    tells = coverage.where("medicare_is_secondary IS NOT NULL").select("member_id").distinct()
    named = (
        lines.where(F.col("primary_payer_code").isin(PAYERS) & ~F.col("is_denied") & (F.col("claim_type") != PHARMACY))
        .select("member_id", "member_month", F.lit(True).alias("claims_name_payer"))
        .distinct()
        .join(tells, "member_id", "left_anti")
    )
    reason = (
        F.when(~is_alive, "DECEASED")
        .when(F.col("is_covered").isNull(), "NOT_ENROLLED")
        .when(F.col("lacks_window") == 1, "NOT_IN_PART_A_AND_B")
        .when(F.col("is_managed"), "MEDICARE_ADVANTAGE")
        .when(F.col("is_secondary") | F.coalesce("claims_name_payer", F.lit(False)), "MEDICARE_SECONDARY")
    )
    return (
        months.withColumn("lacks_window", lacks.over(Window.partitionBy(*MEMBER_YEAR)))
        .where(F.year("member_month") == F.col("performance_year"))
        .join(named, ["member_id", "member_month"], "left")
        .withColumn("exclusion_reason", reason)
        .select(
            *MEMBER_YEAR, "member_month", F.col("exclusion_reason").isNull().alias("is_eligible"), "exclusion_reason"
        )
    )


def attribution(lines: DataFrame, codes: DataFrame, months: DataFrame, first_year: int, last_year: int) -> DataFrame:
    """Most allowed charges for primary care services of the year."""
    in_years = F.col("performance_year").between(first_year, last_year)
    counted = codes.where("program = 'plurality'").select("hcpcs", "first_year", "last_year")
    charge = F.coalesce(
        "allowed_amount", F.coalesce("paid_amount", F.lit(0)) + F.coalesce("patient_paid_amount", F.lit(0))
    )
    services = (
        lines.where(in_years & (F.col("claim_type") == "professional") & ~F.col("is_denied"))
        .withColumn("amount", charge)
        .where("amount > 0")
        .join(F.broadcast(counted), "hcpcs", "inner")
        .where(F.col("performance_year").between(F.col("first_year"), F.col("last_year")))
        .withColumn("is_outside", F.col("roster_network_id").isNull())
        .where("NOT is_outside OR tin <> ''")
        .withColumn("candidate", F.coalesce("roster_network_id", F.concat(F.lit("TIN:"), F.col("tin"))))
    )

    def most(rows: DataFrame, *key: str) -> DataFrame:
        best = Window.partitionBy(*MEMBER_YEAR).orderBy(F.desc("amount"), F.desc("latest"), *key)
        return (
            rows.groupBy(*MEMBER_YEAR, *key)
            .agg(F.sum("amount").alias("amount"), F.max("service_thru").alias("latest"))
            .withColumn("place", F.row_number().over(best))
            .where("place = 1")
            .select(*MEMBER_YEAR, *key)
        )

    winners = most(services, "is_outside", "candidate")
    inside = services.where("NOT is_outside").join(
        winners.select(*MEMBER_YEAR, "candidate"), [*MEMBER_YEAR, "candidate"], "inner"
    )
    found = (
        winners.withColumn("network_id", F.when(~F.col("is_outside"), F.col("candidate")))
        .join(most(inside.where("tin <> ''"), "tin"), MEMBER_YEAR, "left")
        .join(most(inside.where("npi <> ''"), "npi"), MEMBER_YEAR, "left")
    )
    return (
        months.select(*MEMBER_YEAR)
        .distinct()
        .join(found, MEMBER_YEAR, "full")
        .select(
            *MEMBER_YEAR,
            F.coalesce("network_id", F.lit(UNATTRIBUTED)).alias("network_id"),
            F.coalesce("tin", F.lit(UNATTRIBUTED)).alias("practice_tin"),
            F.coalesce("npi", F.lit(UNATTRIBUTED)).alias("physician_npi"),
        )
    )


def member_month_costs(
    lines: DataFrame, months: DataFrame, whose: DataFrame, first_year: int, last_year: int
) -> DataFrame:
    """Costs by member, month and category, with the month's reason."""
    undenied, is_own = ~F.col("is_denied"), F.col("roster_network_id") == F.col("network_id")
    lacks_allowed = F.max(F.when(undenied & F.col("allowed_amount").isNull(), 1).otherwise(0)) == 1

    def total(where: Column, name: str) -> Column:
        return F.coalesce(F.sum(F.when(where, F.col(name))), F.lit(0)).cast(MONEY)

    judged = months.select("member_id", "member_month", "exclusion_reason", F.lit(True).alias("is_member_month"))
    reason = F.when(F.col("is_member_month"), F.col("exclusion_reason")).otherwise("NOT_ENROLLED")
    return (
        lines.where(F.col("performance_year").between(first_year, last_year))
        .join(whose.select(*MEMBER_YEAR, "network_id"), MEMBER_YEAR, "left")
        .fillna({"network_id": UNATTRIBUTED})
        .groupBy(*MEMBER_YEAR, "member_month", "service_category", "network_id")
        .agg(
            F.count(F.when(undenied, 1)).alias("claim_lines"),
            total(undenied, "paid_amount").alias("paid_amount"),
            F.when(~lacks_allowed, total(undenied, "allowed_amount")).alias("allowed_amount"),
            total(undenied & is_own, "paid_amount").alias("in_network_paid_amount"),
            F.count(F.when(~undenied, 1)).alias("denied_lines"),
            total(~undenied, "paid_amount").alias("denied_paid_amount"),
        )
        .join(judged, ["member_id", "member_month"], "left")
        .withColumn("exclusion_reason", reason)
        .withColumn("in_total", F.col("service_category") != PHARMACY)
        .drop("is_member_month")
    )


def pmpm_by(
    keys: list[str], months: DataFrame, costs: DataFrame, whose: DataFrame, scores: DataFrame, factors: DataFrame
) -> DataFrame:
    """Members, months, dollars and risk by year and keys."""
    members = months.where("is_eligible").groupBy(*MEMBER_YEAR).agg(F.count("*").alias("member_months"))
    dollars = (
        costs.where("in_total AND exclusion_reason IS NULL")
        .groupBy(*MEMBER_YEAR)
        .agg(F.sum("paid_amount").alias("paid_amount"), F.sum("in_network_paid_amount").alias("in_network_paid_amount"))
    )
    rows = (
        members.join(dollars, MEMBER_YEAR, "left")
        .fillna(0, ["paid_amount", "in_network_paid_amount"])
        .join(whose, MEMBER_YEAR, "left")
        .join(scores.select(*MEMBER_YEAR, "risk_score"), MEMBER_YEAR, "left")
        .groupBy("performance_year", *keys)
        .agg(
            F.count("*").alias("members"),
            F.sum("member_months").alias("member_months"),
            F.sum("paid_amount").cast(MONEY).alias("paid_amount"),
            F.sum("in_network_paid_amount").cast(MONEY).alias("in_network_paid_amount"),
            F.count("risk_score").alias("scored_members"),
            F.sum("risk_score").cast("double").alias("score_sum"),
        )
        .join(F.broadcast(factors), "performance_year", "left")
    )
    paid, months_of_row = F.col("paid_amount").cast("double"), F.col("member_months")
    score = F.when(F.col("scored_members") > 0, F.col("score_sum") / F.col("scored_members"))
    normalized = F.col("risk_score") / F.col("normalization_factor")
    return (
        rows.withColumn("risk_score", score)
        .withColumn("pmpm", paid / months_of_row)
        .withColumn("normalized_risk_score", normalized)
        .withColumn("adjusted_pmpm", paid / normalized / months_of_row)
        .drop("normalization_factor", "score_sum")
    )


def by_month(months: DataFrame, costs: DataFrame, whose: DataFrame) -> DataFrame:
    members = (
        months.where("is_eligible")
        .join(whose, MEMBER_YEAR, "left")
        .groupBy("network_id", "member_month")
        .agg(F.count("*").alias("members"))
    )
    dollars = (
        costs.where("in_total AND exclusion_reason IS NULL")
        .groupBy("network_id", "member_month")
        .agg(F.sum("paid_amount").cast(MONEY).alias("paid_amount"))
    )
    return (
        members.join(dollars, ["network_id", "member_month"], "left")
        .fillna(0, ["paid_amount"])
        .withColumn("member_months", F.col("members"))
        .withColumn("pmpm", F.col("paid_amount").cast("double") / F.col("members"))
    )


def by_category(networks: DataFrame, costs: DataFrame) -> DataFrame:
    key = ["performance_year", "network_id", "service_category"]
    own = networks.select("performance_year", "network_id", "member_months")
    always = own.select(
        "performance_year", "network_id", F.lit(PHARMACY), F.lit(0).cast("bigint"), F.lit(0).cast(MONEY)
    )
    counted = costs.where("exclusion_reason IS NULL AND claim_lines > 0").select(*key, "claim_lines", "paid_amount")
    return (
        counted.union(always)
        .groupBy(*key)
        .agg(F.sum("claim_lines").alias("claim_lines"), F.sum("paid_amount").cast(MONEY).alias("paid_amount"))
        .join(F.broadcast(own), ["performance_year", "network_id"], "inner")
        .withColumn("in_total", F.col("service_category") != PHARMACY)
        .withColumn("pmpm", F.col("paid_amount").cast("double") / F.col("member_months"))
    )


def excluded(months: DataFrame, costs: DataFrame) -> DataFrame:
    of_months = (
        months.where("NOT is_eligible")
        .groupBy("performance_year", F.lit("month").alias("kind"), F.col("exclusion_reason").alias("reason"))
        .agg(F.count("*").alias("member_months"))
    )

    def part(where: str, reason: Column, lines: str, paid: str) -> DataFrame:
        return costs.where(where).select(
            "performance_year",
            reason.alias("reason"),
            F.expr(lines).alias("claim_lines"),
            F.expr(paid).alias("paid_amount"),
        )

    dollars = (
        part("NOT in_total", F.lit("PHARMACY"), "claim_lines + denied_lines", "paid_amount + denied_paid_amount")
        .union(part("in_total AND denied_lines > 0", F.lit("DENIED"), "denied_lines", "denied_paid_amount"))
        .union(
            part(
                "in_total AND exclusion_reason IS NOT NULL AND claim_lines > 0",
                F.col("exclusion_reason"),
                "claim_lines",
                "paid_amount",
            )
        )
        .groupBy("performance_year", F.lit("dollar").alias("kind"), "reason")
        .agg(F.sum("claim_lines").alias("claim_lines"), F.sum("paid_amount").cast(MONEY).alias("paid_amount"))
    )
    return of_months.unionByName(dollars, allowMissingColumns=True)


def session(events: str | None) -> SparkSession:
    """A session of this machine, with Spark's defaults; it keeps its event log in the folder `events`."""
    told = {"spark.driver.memory": "4g", "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1"}
    if events:
        log = {"enabled": "true", "compress": "false", "dir": f"file://{events}"}
        told |= {f"spark.eventLog.{name}": value for name, value in log.items()}
    builder = SparkSession.builder.master("local[*]").appName("plain")
    for name, value in told.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def run(spark: SparkSession, source: str, out: str, first_year: int, last_year: int) -> None:
    """Write the eight tables below `out`."""

    def read(name: str) -> DataFrame:
        return spark.read.parquet(f"{source}/{name}")

    def written(frame: DataFrame, name: str) -> DataFrame:
        frame.write.mode("overwrite").parquet(f"{out}/{name}.parquet")
        return spark.read.parquet(f"{out}/{name}.parquet")

    roster = read("lists/network_roster").fillna("", IDS)
    roster = roster.withColumn("start_date", F.coalesce("start_date", F.lit("1900-01-01").cast("date"))).withColumn(
        "end_date", F.coalesce("end_date", F.lit("9999-12-31").cast("date"))
    )
    lines = final_lines(read("common/claim_lines"), roster).cache()
    months = written(
        member_months(read("common/coverage_records"), read("common/members"), lines, first_year, last_year),
        "member_months",
    )
    codes = read("reference/primary_care_hcpcs.parquet")
    whose = written(attribution(lines, codes, months, first_year, last_year), "attribution")
    costs = written(member_month_costs(lines, months, whose, first_year, last_year), "member_month_costs")
    scores, factors = read("lists/risk_scores"), read("reference/normalization_factors.parquet")
    names = roster.groupBy("network_id").agg(
        F.max_by("network_name", F.struct("start_date", "end_date", *IDS)).alias("network_name")
    )
    networks = pmpm_by(["network_id"], months, costs, whose, scores, factors)
    networks = written(networks.join(F.broadcast(names), "network_id", "left"), "network_pmpm")
    written(pmpm_by(["network_id", "physician_npi"], months, costs, whose, scores, factors), "physician_pmpm")
    written(by_month(months, costs, whose), "network_pmpm_by_month")
    written(by_category(networks, costs), "network_pmpm_by_category")
    written(excluded(months, costs), "excluded")


def main(source: str, out: str, first_year: str, last_year: str, events: str | None = None) -> None:
    spark = session(events)
    run(spark, source, out, int(first_year), int(last_year))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
