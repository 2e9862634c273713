"""The common model's claims: of one id the newest version counts, cancels and replacements remove what they name."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import SparkSession

from pmpm_spark.intake import claim_lines
from pmpm_spark.model import CLAIM_CODE_ROWS, CLAIM_ROWS, ENROLLMENT_ROWS
from pmpm_spark.model.intake import UNMATCHED_CANCEL
from pmpm_spark.reference import SERVICE_CATEGORIES, reference_rows
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.removed_claims import removed_claims
from pmpm_spark.sources.common.claims import all_claim_rows
from pmpm_spark.sources.common.layout import BRONZE
from tests.tables import frame

HEADING = (
    "case | claim_id | line_number | claim_version | effective_on | paid_on | paid_amount | adjustment | "
    "cancels_claim_id | counts"
)
CASES = """
    a cancel and a replacement without a group      | a1 | 1 | -  | -          | -          | 100.00 | original    | -  | no
    a cancel and a replacement without a group      | a2 | 1 | -  | -          | -          | 100.00 | cancel      | a1 | no
    a cancel and a replacement without a group      | a3 | 1 | -  | -          | -          | 70.00  | replacement | a1 | yes
    a version that replaces its own id              | b1 | 1 | 1  | -          | -          | 100.00 | original    | -  | no
    a version that replaces its own id              | b1 | 1 | 2  | -          | -          | 70.00  | replacement | b1 | yes
    versions that name nothing, of other lines      | c1 | 1 | 9  | -          | -          | 100.00 | original    | -  | no
    versions that name nothing, of other lines      | c1 | 2 | 9  | -          | -          | 10.00  | original    | -  | no
    versions that name nothing, of other lines      | c1 | 1 | 10 | -          | -          | 70.00  | replacement | -  | yes
    a version that cancels its own id               | d1 | 1 | 1  | -          | -          | 100.00 | original    | -  | no
    a version that cancels its own id               | d1 | 1 | 2  | -          | -          | 100.00 | cancel      | -  | no
    the day of effect goes before the number        | e1 | 1 | 2  | 2021-03-01 | -          | 100.00 | original    | -  | no
    the day of effect goes before the number        | e1 | 1 | 1  | 2021-04-01 | -          | 70.00  | replacement | -  | yes
    lines of one version that were paid apart       | f1 | 1 | -  | -          | 2021-03-01 | 30.00  | original    | -  | yes
    lines of one version that were paid apart       | f1 | 2 | -  | -          | 2021-04-01 | 40.00  | original    | -  | yes
    a cancel of nothing                             | g1 | 1 | -  | -          | -          | 5.00   | cancel      | g0 | rejected
    a cancel that names nothing and has no original | h1 | 1 | -  | -          | -          | 5.00   | cancel      | -  | rejected
    a chain                                         | i1 | 1 | -  | -          | -          | 100.00 | original    | -  | no
    a chain                                         | i2 | 1 | -  | -          | -          | 70.00  | replacement | i1 | no
    a chain                                         | i3 | 1 | -  | -          | -          | 60.00  | replacement | i2 | yes
    a replacement of what was not delivered         | j2 | 1 | -  | -          | -          | 8.00   | replacement | j1 | yes
"""  # fmt: skip


def test_what_counts_of_the_versions_of_a_claim(spark: SparkSession) -> None:
    names = [name.strip() for name in HEADING.split("|")]
    cases = [
        dict(zip(names, [cell.strip() for cell in line.split("|")], strict=True)) for line in CASES.strip().splitlines()
    ]
    told = [name for name in names if name not in ("case", "counts")]
    lines = [
        " | ".join([*[case[n] for n in told], "m", "professional", "2021-02-03", "f", str(row), "b", str(row)])
        for row, case in enumerate(cases)
    ]
    beside = ("member_id", "claim_type", "service_thru", "_source_file", "_source_row", "_batch_id", "_line_hash")
    bronze = frame(spark, BRONZE["claim_lines"], "\n".join([" | ".join([*told, *beside]), *lines]))
    nobody, no_codes = frame(spark, ENROLLMENT_ROWS, "member_id"), frame(spark, CLAIM_CODE_ROWS, "claim_id")
    rows = spark.createDataFrame(all_claim_rows(bronze, no_codes, nobody).collect(), CLAIM_ROWS.schema)
    rejected = {row["_source_row"]: row["reject_reasons"] for row in rows.collect() if row["outcome"] == "rejected"}
    assert rejected == {n: [UNMATCHED_CANCEL] for n, case in enumerate(cases) if case["counts"] == "rejected"}
    every = claim_lines(rows)
    final = final_claim_lines(every, removed_claims(every), service_categories=reference_rows(SERVICE_CATEGORIES))
    counted = sorted((row["claim_id"], row["line_number"], row["paid_amount"]) for row in final.collect())
    assert counted == sorted(
        (case["claim_id"], int(case["line_number"]), Decimal(case["paid_amount"]))
        for case in cases
        if case["counts"] == "yes"
    )
