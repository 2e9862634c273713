"""What becomes of a delivered row, and the tables that the accepted ones fill.

Fates are settled by windows over the key of what the row tells, in a total order: the answer never depends on the
order of rows or files in a scan. A rejected row stands alone under a key of its own, so that rejects never gather in
one task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pmpm_spark.frames import union_of
from pmpm_spark.model.claim_lines import LINE_COLUMNS
from pmpm_spark.model.coverage_records import COVERAGE_RECORDS
from pmpm_spark.model.intake import COVERED_RUN, LINE, OUTCOMES
from pmpm_spark.model.members import MEMBERS
from pmpm_spark.table import MONEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FIRST_LINE_AMOUNTS = (
    "paid_amount",
    "patient_paid_amount",
    "pass_through_amount",
    "ime_amount",
    "dsh_amount",
    "uncompensated_care_amount",
)
"""Amounts that an institutional claim repeats on each of its rows."""
UNDATED = -1_000_000
RECORDED_UNKNOWN = "1900-01-01"


def own_row_key() -> Column:
    """A key that no other row shares."""
    return F.concat_ws("|", F.lit("rejected"), "_source_file", F.col("_source_row").cast("string"), "_batch_id")


def _loaded_later_first() -> list[Column]:
    return [F.desc("_batch_id"), F.desc("_source_file"), F.desc("_source_row")]


def latest_row_fates(typed: DataFrame, key: tuple[str, ...]) -> DataFrame:
    """The row loaded last counts for its key; an equal line before it is a duplicate, another one superseded."""
    is_rejected = F.size("reject_reasons") > 0
    keyed = typed.withColumn("own_key", F.when(is_rejected, own_row_key()))
    last_first = Window.partitionBy("own_key", *key).orderBy(*_loaded_later_first())
    of_key = (
        Window.partitionBy("own_key", *key)
        .orderBy(*_loaded_later_first())
        .rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    )
    place = F.row_number().over(last_first)
    counted_hash = F.first("_line_hash").over(of_key)
    ranked = keyed.withColumns({"place": place, "counted_hash": counted_hash})
    fate = (
        F.when(is_rejected, "rejected")
        .when(F.col("place") == 1, "accepted")
        .when(F.col("_line_hash") == F.col("counted_hash"), "duplicate")
        .otherwise("superseded")
    )
    return ranked.withColumn("outcome", fate).drop("own_key", "place", "counted_hash", "_line_hash")


def claim_fates(typed: DataFrame) -> DataFrame:
    """Settle versions: the delivery of a claim that was processed last counts, and of its rows the last for a line.

    A delivery is what shares claim, processing day and INSERT or UPDATE, in whatever files it stands. Where the
    delivery that counts is not final action, nothing of the claim counts. An institutional claim's own amounts stay
    on its first readable line and are 0 on the others.
    """
    is_rejected = F.size("reject_reasons") > 0
    claim_key = F.when(is_rejected, own_row_key()).otherwise(F.col("claim_id"))
    # one number orders the deliveries: the day of processing, then an update after an insert; undated is the earliest
    day = F.coalesce(F.unix_date("paid_on"), F.lit(UNDATED))
    delivery = day * 2 + F.coalesce("is_update", F.lit(False)).cast("int")
    keyed = typed.withColumns({"claim_key": claim_key, "delivery": delivery})

    of_claim = Window.partitionBy("claim_key").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    line_order = [F.desc("delivery"), *_loaded_later_first()]
    of_line = Window.partitionBy("claim_key", "line_number").orderBy(*line_order)
    whole_line = of_line.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = keyed.withColumns(
        {
            "last_delivery": F.max("delivery").over(of_claim),
            "place": F.row_number().over(of_line),
            "counted_hash": F.first("_line_hash").over(whole_line),
        }
    )
    is_last = F.col("delivery") == F.col("last_delivery")
    fate = (
        F.when(is_rejected, "rejected")
        .when(is_last & (F.col("place") == 1) & F.col("is_final_action"), "accepted")
        .when(is_last & (F.col("place") > 1) & (F.col("_line_hash") == F.col("counted_hash")), "duplicate")
        .otherwise("superseded")
    )
    settled = ranked.withColumn("outcome", fate)
    accepted_line = F.when(F.col("outcome") == "accepted", F.col("line_number"))
    with_first = settled.withColumn("first_line", F.min(accepted_line).over(of_claim))
    is_first = (F.col("outcome") == "accepted") & (F.col("line_number") == F.col("first_line"))
    repeats_claim = (F.col("outcome") == "accepted") & F.col("amounts_are_claims") & ~is_first
    zero = F.lit(0).cast(MONEY)
    placed = with_first.withColumns(
        {
            **{name: F.when(repeats_claim, zero).otherwise(F.col(name)) for name in FIRST_LINE_AMOUNTS},
            "diagnoses": F.when(is_first, F.col("diagnoses")),
            "procedures": F.when(is_first, F.col("procedures")),
        }
    )
    working = ("claim_key", "delivery", "last_delivery", "place", "counted_hash", "first_line", "_line_hash")
    told = placed.withColumn("told_amount", F.col("paid_amount"))
    return told.drop(*working, "is_update", "is_final_action", "amounts_are_claims")


def accepted(rows: DataFrame) -> DataFrame:
    return rows.where(F.col("outcome") == "accepted")


def with_current_ids(rows: DataFrame, member_id_changes: DataFrame) -> DataFrame:
    """The rows under the current id of their person."""
    changes = member_id_changes.select(F.col("previous_id").alias("member_id"), F.col("member_id").alias("current_id"))
    joined = rows.join(F.broadcast(changes), "member_id", how="left")
    return joined.withColumn("member_id", F.coalesce("current_id", "member_id")).drop("current_id")


def members(enrollment_rows: DataFrame) -> DataFrame:
    """One row a member: the row recorded last, of the latest year told; the death that was recorded last, unless it is
    before the birth (docs/decisions/0112)."""
    described = F.struct(*[F.col(c.name) for c in MEMBERS.columns if c.name not in ("member_id", "death_date")])
    told_last = F.struct("recorded_on", "reference_year", "_source_file", "_source_row")
    death = F.when(F.col("death_date").isNotNull(), F.struct("recorded_on", "death_date"))
    latest = (
        accepted(enrollment_rows)
        .groupBy("member_id")
        .agg(F.max_by(described, told_last).alias("latest"), F.max(death).alias("death"))
    )
    died = F.col("death")["death_date"]
    is_early = F.coalesce(died < F.col("latest")["birth_date"], F.lit(False))
    return latest.select("member_id", "latest.*", F.when(~is_early, died).alias("death_date"))


def deaths_before_birth(enrollment_rows: DataFrame) -> DataFrame:
    """One row a member whose own row tells it: `_source_file` and `_source_row` of the first such row."""
    is_early = F.col("death_date") < F.col("birth_date")
    # a record of coverage may repeat what the row of its person tells
    place = F.struct(F.size(F.coalesce("coverage", F.array().cast(COVERED_RUN))) > 0, "_source_file", "_source_row")
    first = accepted(enrollment_rows).where(is_early).groupBy("member_id").agg(F.min(place).alias("first"))
    return first.select("first._source_file", "first._source_row")


def coverage_records(enrollment_rows: DataFrame) -> DataFrame:
    """The runs of covered days of the accepted enrollment rows."""
    runs = accepted(enrollment_rows).select("member_id", "plan_id", "recorded_on", F.inline("coverage"))
    return runs.select(*COVERAGE_RECORDS.column_names)


def claim_lines(claim_rows: DataFrame) -> DataFrame:
    """The lines of the accepted rows; a header of a claim with lines holds none."""
    rows = accepted(claim_rows).where("line_number IS NOT NULL")
    itself = F.array(F.lit(None).cast(LINE))
    lines = F.when(F.size("lines") > 0, F.col("lines")).otherwise(itself)
    of_row = rows.select(*[c.name for c in LINE_COLUMNS], F.posexplode(lines).alias("place", "line"))
    line, is_first = F.col("line"), F.col("place") == 0
    told = {name: F.coalesce(line[name], F.col(name)) for name in LINE.names}
    amounts = {
        c.name: F.when(is_first, F.col(c.name)).otherwise(F.when(F.col(c.name).isNotNull(), F.lit(0).cast(MONEY)))
        for c in LINE_COLUMNS
        if c.type == MONEY
    }
    own = {name: F.coalesce(line[name], value) for name, value in amounts.items() if name in told}
    values = {**told, **amounts, **own}
    return of_row.select(*[values.get(c.name, F.col(c.name)).alias(c.name) for c in LINE_COLUMNS])


def claim_diagnoses(claim_rows: DataFrame) -> DataFrame:
    return accepted(claim_rows).select("claim_id", "member_id", "service_thru", "claim_type", F.inline("diagnoses"))


def claim_procedures(claim_rows: DataFrame) -> DataFrame:
    return (
        accepted(claim_rows)
        .select("claim_id", "member_id", F.inline("procedures"))
        .withColumnRenamed("on", "procedure_date")
    )


def rejects(*typed: DataFrame) -> DataFrame:
    """The rejected rows of everything that was taken in."""
    names = ("_bronze_table", "_source_file", "_source_row", "_batch_id", "reject_reasons", "rejected_row", "outcome")
    rows = union_of([frame.select(*names) for frame in typed])
    return rows.where(F.col("outcome") == "rejected").drop("outcome")


def load_audit(source_files: DataFrame, *typed: DataFrame) -> DataFrame:
    """Each loaded file with what became of its rows. Files without rows are there, with zeros."""
    file_key = ["_bronze_table", "_source_file", "_batch_id"]

    def narrow(frame: DataFrame) -> DataFrame:
        told = F.coalesce("told_amount", F.lit(0)) if "told_amount" in frame.columns else F.lit(0)
        return frame.select(*file_key, "outcome", "reject_reasons", told.cast(MONEY).alias("told_amount"))

    rows = union_of([narrow(frame) for frame in typed])
    amounts = {outcome: f"amount_{outcome}" for outcome in OUTCOMES} | {"accepted": "paid_amount_accepted"}
    fates = rows.groupBy(*file_key).agg(
        *[F.count_if(F.col("outcome") == outcome).alias(outcome) for outcome in OUTCOMES],
        *[F.sum(F.when(F.col("outcome") == o, F.col("told_amount"))).alias(name) for o, name in amounts.items()],
        F.sum("told_amount").alias("amount_read"),
    )
    reasons = (
        rows.select(*file_key, F.explode("reject_reasons").alias("reason"))
        .groupBy(*file_key, "reason")
        .agg(F.count(F.lit(1)).alias("rows"))
        .groupBy(*file_key)
        .agg(F.sort_array(F.collect_list(F.struct("reason", "rows"))).alias("reasons"))
    )
    zeros = {name: F.coalesce(name, F.lit(0)) for name in OUTCOMES}
    no_money = {name: F.coalesce(name, F.lit(0)).cast(MONEY) for name in (*amounts.values(), "amount_read")}
    by_reason = F.map_from_entries(F.coalesce("reasons", F.array().cast("array<struct<reason:string,rows:bigint>>")))
    counted = source_files.join(fates, file_key, how="left").join(F.broadcast(reasons), file_key, how="left")
    return counted.withColumns({**zeros, **no_money, "rejected_by_reason": by_reason})
