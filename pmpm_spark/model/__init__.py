"""The common model: contracts of the silver tables that sources fill, the same whatever was delivered."""

from pmpm_spark.model.claim_diagnoses import CLAIM_DIAGNOSES
from pmpm_spark.model.claim_lines import CLAIM_LINES, FINAL_CLAIM_LINES
from pmpm_spark.model.claim_procedures import CLAIM_PROCEDURES
from pmpm_spark.model.contract_budget import CONTRACT_BUDGET
from pmpm_spark.model.contract_finance import CONTRACT_FINANCE, FINANCE_AMOUNTS
from pmpm_spark.model.contract_members import CONTRACT_MEMBERS
from pmpm_spark.model.contract_rates import CONTRACT_RATES
from pmpm_spark.model.contracts import CONTRACTS
from pmpm_spark.model.coverage_records import COVERAGE_RECORDS
from pmpm_spark.model.intake import (
    CLAIM_CODE_ROWS,
    CLAIM_ROWS,
    ENROLLMENT_ROWS,
    LIST_ROWS,
    LOAD_AUDIT,
    OTHER_ROWS,
    REJECTS,
    SOURCE_FILES,
)
from pmpm_spark.model.member_attribution import MEMBER_ATTRIBUTION
from pmpm_spark.model.member_id_changes import MEMBER_ID_CHANGES
from pmpm_spark.model.members import MEMBERS
from pmpm_spark.model.network_roster import NETWORK_ROSTER
from pmpm_spark.model.other_initiatives import OTHER_INITIATIVES
from pmpm_spark.model.payer_member_months import PAYER_MEMBER_MONTHS
from pmpm_spark.model.providers import PROVIDERS
from pmpm_spark.model.supplied_risk_scores import SUPPLIED_RISK_SCORES
from pmpm_spark.model.survey_responses import SURVEY_RESPONSES

__all__ = [
    "CLAIM_CODE_ROWS",
    "CLAIM_DIAGNOSES",
    "CLAIM_LINES",
    "CLAIM_PROCEDURES",
    "CLAIM_ROWS",
    "CONTRACTS",
    "CONTRACT_BUDGET",
    "CONTRACT_FINANCE",
    "CONTRACT_MEMBERS",
    "CONTRACT_RATES",
    "COVERAGE_RECORDS",
    "ENROLLMENT_ROWS",
    "FINAL_CLAIM_LINES",
    "FINANCE_AMOUNTS",
    "LIST_ROWS",
    "LOAD_AUDIT",
    "MEMBERS",
    "MEMBER_ATTRIBUTION",
    "MEMBER_ID_CHANGES",
    "NETWORK_ROSTER",
    "OTHER_INITIATIVES",
    "OTHER_ROWS",
    "PAYER_MEMBER_MONTHS",
    "PROVIDERS",
    "REJECTS",
    "SOURCE_FILES",
    "SUPPLIED_RISK_SCORES",
    "SURVEY_RESPONSES",
]
