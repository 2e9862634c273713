"""The floor: every column that the reference job needs is read and decoded once, and nothing else is done.

python -m benchmarks.peers.column_scan INPUT
"""

from __future__ import annotations

import sys

import duckdb

TEXTS = (
    "claim_id",
    "member_id",
    "claim_type",
    "adjustment",
    "cancels_claim_id",
    "revenue_code",
    "hcpcs",
    "billing_tin",
    "billing_npi",
    "rendering_npi",
    "facility_ccn",
    "primary_payer_code",
)
AMOUNTS = ("paid_amount", "allowed_amount", "patient_paid_amount")


def run(source: str) -> None:
    """Sum something of each column, so that none is left out."""
    sums = [f"sum(strlen({name}))" for name in TEXTS]
    sums += [f"sum({name})" for name in AMOUNTS]
    sums += ["sum(service_thru - DATE '2000-01-01')", "count_if(is_denied)"]
    with duckdb.connect() as at:
        at.execute(f"SELECT {', '.join(sums)} FROM read_parquet('{source}/common/claim_lines/*.parquet')").fetchall()
        at.execute(
            "SELECT sum(strlen(member_id)), sum(coverage_start - DATE '2000-01-01'), "
            "sum(coverage_end - DATE '2000-01-01'), count_if(has_part_a), count_if(has_part_b), "
            "count_if(in_medicare_advantage), count_if(medicare_is_secondary), sum(strlen(plan_id)), "
            f"sum(recorded_on - DATE '2000-01-01') FROM read_parquet('{source}/common/coverage_records/*.parquet')"
        ).fetchall()
        at.execute(
            "SELECT sum(strlen(member_id)), sum(death_date - DATE '2000-01-01') "
            f"FROM read_parquet('{source}/common/members/*.parquet')"
        ).fetchall()
        at.execute(
            "SELECT sum(strlen(member_id)), sum(performance_year), sum(risk_score) "
            f"FROM read_parquet('{source}/lists/risk_scores/*.parquet')"
        ).fetchall()


if __name__ == "__main__":
    run(sys.argv[1])
