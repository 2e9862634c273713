"""What becomes of each delivered row, and the proof that none was lost."""

from pyspark.sql import functions as F

from pmpm_spark import intake
from pmpm_spark.model import CLAIM_LINES, ENROLLMENT_ROWS, LOAD_AUDIT, MEMBERS, REJECTS, SOURCE_FILES
from pmpm_spark.model.intake import CODED
from pmpm_spark.table import conform
from tests.intake_rows import TYPED_CLAIMS, TYPED_ENROLLMENT, fates
from tests.tables import assert_table, frame


def outcomes(built) -> list[str]:
    return [row.outcome for row in built.orderBy("_source_row").collect()]


def test_of_two_deliveries_of_a_claim_the_one_processed_later_counts_with_all_its_lines_and_no_others(spark):
    """The day decides, not the order of load; a line that only the earlier delivery has does not stand."""
    built = fates(
        spark,
        """
        claim_id | line_number | paid_on    | _batch_id
        c1       | 1           | 2021-05-02 | b1
        c1       | 1           | 2021-05-01 | b2
        c1       | 2           | 2021-05-01 | b2
        c2       | 1           | 2021-05-01 | b2
        c3       | 1           | -          | b2
        c3       | 1           | 2021-01-01 | b1
        """,
    )
    assert outcomes(built) == ["accepted", "superseded", "superseded", "accepted", "superseded", "accepted"]


def test_on_one_processing_day_an_update_counts_before_an_insert(spark):
    built = fates(
        spark,
        """
        claim_id | paid_on    | is_update
        c1       | 2021-05-02 | true
        c1       | 2021-05-02 | false
        c1       | 2021-05-02 | -
        """,
    )
    assert outcomes(built) == ["accepted", "superseded", "superseded"]


def test_a_delivery_may_be_split_over_files_and_of_two_rows_for_one_line_the_later_counts(spark):
    """Later: the later load, then the later file name, then the later row."""
    built = fates(
        spark,
        """
        claim_id | line_number | paid_on    | _source_file | _batch_id
        split    | 1           | 2021-05-02 | f1           | b1
        split    | 2           | 2021-05-02 | f2           | b2
        row      | 1           | 2021-05-02 | f1           | b1
        row      | 1           | 2021-05-02 | f1           | b1
        file     | 1           | 2021-05-02 | f2           | b1
        file     | 1           | 2021-05-02 | f1           | b1
        load     | 1           | 2021-05-02 | f1           | b2
        load     | 1           | 2021-05-02 | f2           | b1
        """,
    )
    first_of_two, second_of_two = ["accepted", "superseded"], ["superseded", "accepted"]
    assert outcomes(built) == ["accepted", "accepted", *second_of_two, *first_of_two, *first_of_two]


def test_the_same_line_once_more_is_a_duplicate_and_another_one_for_its_place_is_superseded(spark):
    built = fates(
        spark,
        """
        claim_id | line_number | paid_on    | _line_hash
        c1       | 1           | 2021-05-02 | same
        c1       | 1           | 2021-05-02 | other
        c1       | 1           | 2021-05-02 | same
        """,
    )
    assert outcomes(built) == ["duplicate", "superseded", "accepted"]


def test_where_the_delivery_that_counts_is_not_final_action_nothing_of_the_claim_counts(spark):
    built = fates(
        spark,
        """
        claim_id | line_number | paid_on    | is_final_action
        gone     | 1           | 2021-05-01 | true
        gone     | 1           | 2021-05-02 | false
        gone     | 2           | 2021-05-02 | false
        back     | 1           | 2021-05-01 | false
        back     | 1           | 2021-05-02 | true
        """,
    )
    assert outcomes(built) == ["superseded"] * 4 + ["accepted"]


def test_an_institutional_payment_stands_on_the_first_readable_line_and_is_zero_on_the_others(spark):
    """Line 1 is rejected, so line 2 carries it; a line-by-line claim keeps each line's own."""
    built = fates(
        spark,
        """
        claim_id | line_number | paid_on    | amounts_are_claims | paid_amount | pass_through_amount | ime_amount | reject_reasons | rejected_row
        c1       | 1           | 2021-05-02 | true               | 900.00      | 90.00               | 9.00       | bad date       | raw
        c1       | 3           | 2021-05-02 | true               | 900.00      | 90.00               | 9.00       | []             | -
        c1       | 2           | 2021-05-02 | true               | 900.00      | 90.00               | 9.00       | []             | -
        c2       | 1           | 2021-05-02 | false              | 7.00        | 0.00                | 0.00       | []             | -
        c2       | 2           | 2021-05-02 | false              | 8.00        | 0.00                | 0.00       | []             | -
        """,
    )
    assert_table(
        intake.claim_lines(built),
        CLAIM_LINES,
        spark,
        """
        claim_id | line_number | paid_amount | pass_through_amount | ime_amount
        c1       | 2           | 900.00      | 90.00               | 9.00
        c1       | 3           | 0.00        | 0.00                | 0.00
        c2       | 1           | 7.00        | 0.00                | 0.00
        c2       | 2           | 8.00        | 0.00                | 0.00
        """,
    )
    rejected = conform(intake.rejects(built), REJECTS).collect()
    assert [(row._source_row, row.reject_reasons, row.rejected_row) for row in rejected] == [(2, ["bad date"], "raw")]


def test_a_rejected_row_neither_counts_nor_stands_in_the_way_of_another_version(spark):
    """A later delivery that cannot be read does not supersede; rejects without any id do not meet each other."""
    built = fates(
        spark,
        """
        claim_id | paid_on    | reject_reasons | _line_hash
        c1       | 2021-05-01 | []             | a
        c1       | 2021-05-02 | bad amount     | b
        -        | -          | no id          | c
        -        | -          | no id          | c
        """,
    )
    assert outcomes(built) == ["accepted", "rejected", "rejected", "rejected"]


def test_a_claims_diagnoses_come_once_from_its_first_readable_line(spark):
    coded = F.array(
        F.struct(
            F.lit(1).alias("position"),
            F.lit("E119").alias("code"),
            F.lit("ICD-10-CM").alias("code_system"),
            F.lit(None).cast("date").alias("on"),
        )
    ).cast(CODED)
    typed = frame(
        spark,
        TYPED_CLAIMS,
        """
        claim_id | line_number | paid_on    | _source_file | _source_row | _batch_id | _line_hash | is_final_action | amounts_are_claims | reject_reasons
        c1       | 2           | 2021-05-02 | f            | 2           | b         | x          | true            | true               | []
        c1       | 1           | 2021-05-02 | f            | 3           | b         | y          | true            | true               | []
        c1       | 1           | 2021-05-01 | f            | 4           | b         | z          | true            | true               | []
        """,
    )
    settled = intake.claim_fates(typed.withColumn("diagnoses", coded))
    found = intake.claim_diagnoses(settled).select("claim_id", "position", "code").collect()
    assert [tuple(row) for row in found] == [("c1", 1, "E119")]


ENROLLMENT = """
    member_id | reference_year | sex | death_date | state | _source_file | _source_row | _batch_id | _line_hash | reject_reasons
    m1        | 2020           | F   | 2021-03-01 | 05    | f1           | 2           | b1        | a          | []
    m1        | 2021           | F   | -          | 06    | f1           | 3           | b1        | b          | []
    m1        | 2021           | M   | -          | 07    | f1           | 4           | b1        | c          | []
    m2        | 2021           | M   | -          | 08    | f2           | 2           | b1        | d          | []
    m2        | 2021           | M   | -          | 08    | f1           | 5           | b1        | d          | []
    m3        | 2021           | M   | -          | 01    | f1           | 6           | b2        | e          | []
    m3        | 2021           | M   | -          | 02    | f2           | 3           | b1        | f          | []
    m3        | 2021           | M   | -          | 03    | f2           | 4           | b1        | g          | bad buy-in
"""


def test_of_two_enrollment_rows_for_one_member_year_the_later_load_then_file_then_row_counts(spark):
    rows = intake.latest_row_fates(frame(spark, TYPED_ENROLLMENT, ENROLLMENT), ("member_id", "reference_year"))
    found = {(row._source_file, row._source_row): row.outcome for row in rows.collect()}
    assert found == {
        ("f1", 2): "accepted",
        ("f1", 3): "superseded",
        ("f1", 4): "accepted",
        ("f2", 2): "accepted",
        ("f1", 5): "duplicate",
        ("f1", 6): "accepted",
        ("f2", 3): "superseded",
        ("f2", 4): "rejected",
    }


def test_a_member_is_described_by_the_row_of_the_latest_year_and_dies_on_the_latest_day_told_in_any(spark):
    rows = intake.latest_row_fates(frame(spark, TYPED_ENROLLMENT, ENROLLMENT), ("member_id", "reference_year"))
    assert_table(
        intake.members(rows),
        MEMBERS,
        spark,
        """
        member_id | sex | death_date | state
        m1        | M   | 2021-03-01 | 07
        m2        | M   | -          | 08
        m3        | M   | -          | 01
        """,
    )


def test_a_death_before_the_birth_is_not_used_and_its_first_line_is_told(spark):
    rows = frame(
        spark,
        ENROLLMENT_ROWS,
        """
        member_id | reference_year | recorded_on | birth_date | death_date | _source_file | _source_row | outcome
        early     | 2020           | 2021-01-01  | 1950-01-01 | 1949-12-31 | f            | 7           | accepted
        early     | 2021           | 2021-01-02  | 1950-01-01 | 1949-12-31 | f            | 3           | accepted
        same_day  | 2020           | 2021-01-01  | 1950-01-01 | 1950-01-01 | f            | 4           | accepted
        unknown   | 2020           | 2021-01-01  | -          | 1949-12-31 | f            | 5           | accepted
        alive     | 2020           | 2021-01-01  | 1950-01-01 | -          | f            | 6           | accepted
        rejected  | 2020           | 2021-01-01  | 1950-01-01 | 1949-12-31 | f            | 8           | rejected
        other     | 2020           | 2021-01-01  | 1960-01-01 | 1950-12-31 | e            | 2           | accepted
        """,
    )
    assert_table(
        intake.members(rows),
        MEMBERS,
        spark,
        """
        member_id | birth_date | death_date
        early     | 1950-01-01 | -
        same_day  | 1950-01-01 | 1950-01-01
        unknown   | -          | 1949-12-31
        alive     | 1950-01-01 | -
        other     | 1960-01-01 | -
        """,
    )
    assert sorted(tuple(row) for row in intake.deaths_before_birth(rows).collect()) == [("e", 2), ("f", 3)]


def test_the_load_audit_tells_of_each_file_what_became_of_its_rows_and_of_an_empty_file_zeros(spark):
    claims = fates(
        spark,
        """
        claim_id | paid_on    | _source_file | paid_amount | _line_hash | reject_reasons
        c1       | 2021-05-02 | f1           | 10.00       | a          | []
        c1       | 2021-05-02 | f1           | 10.00       | a          | []
        c2       | 2021-05-01 | f1           | 20.00       | b          | []
        c2       | 2021-05-02 | f2           | 40.00       | c          | []
        c3       | 2021-05-02 | f2           | 80.00       | d          | bad
        """,
    )
    files = frame(
        spark,
        SOURCE_FILES,
        """
        _bronze_table | _source_file | _batch_id | rows_read
        bronze.t      | f1           | b1        | 3
        bronze.t      | f2           | b1        | 2
        bronze.t      | empty        | b1        | 0
        """,
    )
    built = intake.load_audit(files, claims)
    assert_table(
        built,
        LOAD_AUDIT,
        spark,
        """
        _source_file | rows_read | accepted | rejected | duplicate | superseded | paid_amount_accepted
        f1           | 3         | 1        | 0        | 1         | 1          | 10.00
        f2           | 2         | 1        | 1        | 0         | 0          | 40.00
        empty        | 0         | 0        | 0        | 0         | 0          | 0.00
        """,
    )
    assert_table(
        built,
        LOAD_AUDIT,
        spark,
        """
        _source_file | amount_read | amount_rejected | amount_duplicate | amount_superseded
        f1           | 40.00       | 0.00            | 10.00            | 20.00
        f2           | 120.00      | 80.00           | 0.00             | 0.00
        empty        | 0.00        | 0.00            | 0.00             | 0.00
        """,
    )
    reasons = {row["_source_file"]: row["rejected_by_reason"] for row in built.collect()}
    assert reasons == {"f1": {}, "f2": {"bad": 1}, "empty": {}}


def test_the_audit_counts_a_row_with_two_reasons_under_each(spark):
    claims = fates(
        spark,
        """
        claim_id | paid_on    | _source_file | reject_reasons
        c1       | 2021-05-02 | f1           | bad;worse
        c2       | 2021-05-02 | f1           | bad
        """,
    )
    files = frame(spark, SOURCE_FILES, "_bronze_table | _source_file | _batch_id | rows_read\nbronze.t | f1 | b1 | 2")
    (row,) = intake.load_audit(files, claims).collect()
    assert (row["rejected"], row["rejected_by_reason"]) == (2, {"bad": 2, "worse": 1})
