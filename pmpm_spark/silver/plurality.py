"""Plurality: the candidate with most allowed charges for primary care services on professional lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.policy import Policy
from pmpm_spark.silver.candidates import by_provider, ranked
from pmpm_spark.silver.counted_services import in_code_set, in_windows, windows_of, with_candidates

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def plurality(
    primary_care_services: DataFrame,
    primary_care_hcpcs: DataFrame,
    network_roster: DataFrame,
    policy: Policy,
    performance_years: Sequence[int],
) -> DataFrame:
    """Winner and runner-up of each member and year. Ties: latest day of service, then as `ranked` has them."""
    services = primary_care_services.where((F.col("line_kind") == "professional") & (F.col("allowed_amount") > 0))
    placed = in_windows(services, windows_of(policy, performance_years))
    counted = in_code_set(placed, primary_care_hcpcs, policy).where("in_set")
    lines = with_candidates(counted, network_roster, policy)
    found = ranked(by_provider(lines, amount=F.sum("allowed_amount"), latest=F.max("service_date")))
    return found.withColumn("step", F.lit("plurality"))
