"""Risk-adjusted per member per month (PMPM) cost from claims and enrollment, with PySpark and Delta Lake.

For notebooks: every transformation takes and gives DataFrames, and `run` does the whole job.

    from pmpm_spark import Policy, eligibility_spans, member_months
"""

from pmpm_spark.config import RunConfig, load_config, load_policy
from pmpm_spark.errors import PmpmError
from pmpm_spark.gold.excluded import excluded
from pmpm_spark.gold.network_pmpm import network_pmpm
from pmpm_spark.gold.network_pmpm_by_category import network_pmpm_by_category
from pmpm_spark.gold.network_pmpm_by_month import network_pmpm_by_month
from pmpm_spark.gold.network_pmpm_by_subcategory import network_pmpm_by_subcategory
from pmpm_spark.gold.physician_pmpm import physician_pmpm
from pmpm_spark.gold.practice_pmpm import practice_pmpm
from pmpm_spark.pipeline import RunResult, run
from pmpm_spark.policy import Policy
from pmpm_spark.reference import reference_rows, reference_table
from pmpm_spark.silver.attribution import attribution
from pmpm_spark.silver.claim_costs import claim_costs
from pmpm_spark.silver.eligibility_spans import eligibility_spans
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.member_month_costs import member_month_costs
from pmpm_spark.silver.member_months import member_months
from pmpm_spark.silver.member_years import member_years
from pmpm_spark.silver.primary_care_services import primary_care_services
from pmpm_spark.silver.removed_claims import removed_claims
from pmpm_spark.silver.roster_matches import roster_matches
from pmpm_spark.silver.secondary_payer_months import secondary_payer_months
from pmpm_spark.silver.told_months import told_months
from pmpm_spark.table import Table, conform
from pmpm_spark.version import __version__
from pmpm_spark.warehouse import Published, published

__all__ = [
    "PmpmError",
    "Policy",
    "Published",
    "RunConfig",
    "RunResult",
    "Table",
    "__version__",
    "attribution",
    "claim_costs",
    "conform",
    "eligibility_spans",
    "excluded",
    "final_claim_lines",
    "load_config",
    "load_policy",
    "member_month_costs",
    "member_months",
    "member_years",
    "network_pmpm",
    "network_pmpm_by_category",
    "network_pmpm_by_month",
    "network_pmpm_by_subcategory",
    "physician_pmpm",
    "practice_pmpm",
    "primary_care_services",
    "published",
    "reference_rows",
    "reference_table",
    "removed_claims",
    "roster_matches",
    "run",
    "secondary_payer_months",
    "told_months",
]
