"""Every stage, in order: what is made from what. The lineage in the docs is drawn from here.

The stages of a source stand first; those after them are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pmpm_spark import intake
from pmpm_spark.changed import CHANGED
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED
from pmpm_spark.gold.capitation_ledger_by_reason import CAPITATION_LEDGER_BY_REASON
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE
from pmpm_spark.gold.capitation_variance_split import CAPITATION_VARIANCE_SPLIT
from pmpm_spark.gold.cost_concentration import COST_CONCENTRATION, cost_concentration
from pmpm_spark.gold.excluded import EXCLUDED, excluded
from pmpm_spark.gold.experience_scores import EXPERIENCE_SCORES, experience_scores
from pmpm_spark.gold.financial_performance import FINANCIAL_PERFORMANCE
from pmpm_spark.gold.leakage_destinations import LEAKAGE_DESTINATIONS, leakage_destinations
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION
from pmpm_spark.gold.network_comparison import NETWORK_COMPARISON, network_comparison
from pmpm_spark.gold.network_comparison_parts import NETWORK_COMPARISON_PARTS, network_comparison_parts
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM, network_pmpm
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY, network_pmpm_by_category
from pmpm_spark.gold.network_pmpm_by_month import NETWORK_PMPM_BY_MONTH, network_pmpm_by_month
from pmpm_spark.gold.network_pmpm_by_subcategory import NETWORK_PMPM_BY_SUBCATEGORY, network_pmpm_by_subcategory
from pmpm_spark.gold.network_pmpm_change import NETWORK_PMPM_CHANGE, network_pmpm_change
from pmpm_spark.gold.network_pmpm_rolling import NETWORK_PMPM_ROLLING, network_pmpm_rolling
from pmpm_spark.gold.network_replicates import NETWORK_REPLICATES, network_replicates
from pmpm_spark.gold.network_risk_by_month import NETWORK_RISK_BY_MONTH, network_risk_by_month
from pmpm_spark.gold.outcome_measures import OUTCOME_MEASURES, outcome_measures
from pmpm_spark.gold.physician_pmpm import PHYSICIAN_PMPM, physician_pmpm
from pmpm_spark.gold.pmpm_forecast import PMPM_FORECAST, pmpm_forecast
from pmpm_spark.gold.practice_pmpm import PRACTICE_PMPM, practice_pmpm
from pmpm_spark.gold.restatement import RESTATEMENT
from pmpm_spark.identities import IDENTITIES, identities
from pmpm_spark.lease import LEASES
from pmpm_spark.model import (
    CLAIM_DIAGNOSES,
    CLAIM_LINES,
    CLAIM_PROCEDURES,
    CLAIM_ROWS,
    COVERAGE_RECORDS,
    ENROLLMENT_ROWS,
    FINAL_CLAIM_LINES,
    LIST_ROWS,
    LOAD_AUDIT,
    MEMBER_ATTRIBUTION,
    MEMBER_ID_CHANGES,
    MEMBERS,
    NETWORK_ROSTER,
    OTHER_INITIATIVES,
    PROVIDERS,
    REJECTS,
    SOURCE_FILES,
    SUPPLIED_RISK_SCORES,
    SURVEY_RESPONSES,
)
from pmpm_spark.reference import (
    ALIGNMENT_PERIODS,
    COMPLETION_FACTORS_SUPPLIED,
    ETA_HOSPITALS,
    NORMALIZATION_FACTORS,
    OUTCOME_CODE_SETS,
    PRIMARY_CARE_HCPCS,
    REFERENCE_TABLES,
    RISK_MEANS,
    SEQUESTRATION_RATES,
    SERVICE_CATEGORIES,
    SPECIALTIES,
    TRUNCATION_LIMITS_SUPPLIED,
    reference_rows,
)
from pmpm_spark.reference.hcc import (
    HCC_AGE_CELLS,
    HCC_BILL_TYPES,
    HCC_BLENDS,
    HCC_COEFFICIENTS,
    HCC_EDITS,
    HCC_HIERARCHIES,
    HCC_INTERACTIONS,
    HCC_MAPPINGS,
    HCC_NORMALIZATION,
    HCC_PROCEDURES,
)
from pmpm_spark.runs import CAPITATION_RUNS, RUNS
from pmpm_spark.silver.attribution import ATTRIBUTION, attribution
from pmpm_spark.silver.capitation_cells import CAPITATION_CELLS
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.claim_costs import CLAIM_COSTS, claim_costs
from pmpm_spark.silver.claim_lags import CLAIM_LAGS, claim_lags
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS, completion_factors
from pmpm_spark.silver.contract_month_costs import CONTRACT_MONTH_COSTS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.high_cost_members import HIGH_COST_MEMBERS, high_cost_members
from pmpm_spark.silver.hospital_claims import HOSPITAL_CLAIMS, hospital_claims
from pmpm_spark.silver.hospital_episodes import HOSPITAL_EPISODES, hospital_episodes
from pmpm_spark.silver.hospital_stays import HOSPITAL_STAYS, hospital_stays
from pmpm_spark.silver.member_hccs import MEMBER_HCCS, member_hccs
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS, member_month_costs
from pmpm_spark.silver.member_months import MEMBER_MONTHS, member_months
from pmpm_spark.silver.member_years import MEMBER_YEARS, member_years
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES, primary_care_services
from pmpm_spark.silver.readmissions import READMISSIONS, readmissions
from pmpm_spark.silver.removed_claims import REMOVED_CLAIMS, removed_claims
from pmpm_spark.silver.risk_diagnoses import RISK_DIAGNOSES, risk_diagnoses
from pmpm_spark.silver.risk_factors import RISK_FACTORS, risk_factors
from pmpm_spark.silver.risk_profiles import RISK_PROFILES, computes, risk_profiles
from pmpm_spark.silver.risk_scores import RISK_SCORES, risk_scores
from pmpm_spark.silver.risk_scores_by_month import RISK_SCORES_BY_MONTH, risk_scores_by_month, scores_by_month
from pmpm_spark.silver.roster_matches import ROSTER_MATCHES, members_of_matches, roster_matches
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS, secondary_payer_months
from pmpm_spark.silver.told_months import TOLD_MONTHS, told_months
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS, truncated_costs, truncates
from pmpm_spark.silver.truncation_limits import TRUNCATION_LIMITS, truncation_limits
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.sources.lists import LISTS, list_stages
from pmpm_spark.stage import CLAIM, MEMBER, Stage, in_order
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RUN_SETTINGS = ("policies", "performance_years")

LIST_BRONZE = tuple(the_list.bronze for the_list in LISTS)


def built(
    stage: Stage, read: Callable[[Table], DataFrame], setting: Callable[[str], Any], reference_path: str | None
) -> DataFrame:
    """The stage's rows, from the tables and settings that are given it by name, and its reference rows at the path."""
    rules = {table.short_name: reference_rows(table, reference_path) for table in stage.rules}
    settings = {name: setting(name) for name in stage.settings}
    return stage.build(*[read(table) for table in stage.inputs], **settings, **rules)


def given_to(kind: str) -> tuple[Table, ...]:
    """What the stages of a source do not make themselves."""
    return (*SOURCE_KINDS[kind].bronze, *LIST_BRONZE, SOURCE_FILES, *REFERENCE_TABLES)


STAGES = in_order(
    (
        Stage(MEMBERS, (ENROLLMENT_ROWS,), intake.members),
        Stage(COVERAGE_RECORDS, (ENROLLMENT_ROWS,), intake.coverage_records),
        Stage(CLAIM_LINES, (CLAIM_ROWS,), intake.claim_lines, by=CLAIM),
        Stage(CLAIM_DIAGNOSES, (CLAIM_ROWS,), intake.claim_diagnoses, by=CLAIM),
        Stage(CLAIM_PROCEDURES, (CLAIM_ROWS,), intake.claim_procedures, by=CLAIM),
        Stage(REMOVED_CLAIMS, (CLAIM_LINES,), removed_claims),
        Stage(ELIGIBILITY_SPANS, (COVERAGE_RECORDS,), eligibility_spans, by=MEMBER),
        Stage(TOLD_MONTHS, (COVERAGE_RECORDS,), told_months, settings=("last_told_day",)),
        Stage(
            FINAL_CLAIM_LINES,
            (CLAIM_LINES, REMOVED_CLAIMS),
            final_claim_lines,
            rules=(SERVICE_CATEGORIES,),
            by=CLAIM,
        ),
        Stage(ROSTER_MATCHES, (FINAL_CLAIM_LINES, NETWORK_ROSTER), roster_matches),
        Stage(
            CLAIM_COSTS,
            (FINAL_CLAIM_LINES, ROSTER_MATCHES),
            claim_costs,
            by=MEMBER,
            touched={ROSTER_MATCHES.name: members_of_matches},
        ),
        Stage(CLAIM_LAGS, (FINAL_CLAIM_LINES,), claim_lags),
        Stage(COMPLETION_FACTORS, (CLAIM_LAGS, COMPLETION_FACTORS_SUPPLIED), completion_factors),
        Stage(PRIMARY_CARE_SERVICES, (FINAL_CLAIM_LINES, PRIMARY_CARE_HCPCS), primary_care_services, by=MEMBER),
        Stage(
            SECONDARY_PAYER_MONTHS,
            (FINAL_CLAIM_LINES, ELIGIBILITY_SPANS, TOLD_MONTHS),
            secondary_payer_months,
            by=MEMBER,
        ),
        Stage(
            MEMBER_MONTHS,
            (ELIGIBILITY_SPANS, MEMBERS, SECONDARY_PAYER_MONTHS, TOLD_MONTHS, ALIGNMENT_PERIODS),
            member_months,
            RUN_SETTINGS,
            by=MEMBER,
        ),
        Stage(
            ATTRIBUTION,
            (
                PRIMARY_CARE_SERVICES,
                NETWORK_ROSTER,
                MEMBER_ATTRIBUTION,
                PRIMARY_CARE_HCPCS,
                SPECIALTIES,
                ETA_HOSPITALS,
                ALIGNMENT_PERIODS,
                PROVIDERS,
                ELIGIBILITY_SPANS,
                MEMBERS,
                TOLD_MONTHS,
                SECONDARY_PAYER_MONTHS,
                OTHER_INITIATIVES,
            ),
            attribution,
            RUN_SETTINGS,
            by=MEMBER,
        ),
        Stage(
            MEMBER_MONTH_COSTS,
            (CLAIM_COSTS, MEMBER_MONTHS, ATTRIBUTION, SEQUESTRATION_RATES, COMPLETION_FACTORS),
            member_month_costs,
            RUN_SETTINGS,
            by=MEMBER,
        ),
        Stage(
            TRUNCATION_LIMITS,
            (MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATION_LIMITS_SUPPLIED),
            truncation_limits,
            RUN_SETTINGS,
            asked=truncates,
        ),
        Stage(
            TRUNCATED_COSTS,
            (MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATION_LIMITS),
            truncated_costs,
            RUN_SETTINGS,
            asked=truncates,
            by=MEMBER,
        ),
        Stage(
            RISK_PROFILES,
            (ELIGIBILITY_SPANS, MEMBERS, TOLD_MONTHS),
            risk_profiles,
            RUN_SETTINGS,
            rules=(HCC_BLENDS,),
            asked=computes,
            by=MEMBER,
        ),
        Stage(
            RISK_DIAGNOSES,
            (FINAL_CLAIM_LINES, CLAIM_DIAGNOSES),
            risk_diagnoses,
            RUN_SETTINGS,
            rules=(HCC_PROCEDURES, HCC_BILL_TYPES),
            asked=computes,
            by=MEMBER,
        ),
        Stage(
            MEMBER_HCCS,
            (RISK_DIAGNOSES, RISK_PROFILES),
            member_hccs,
            ("performance_years",),
            rules=(HCC_MAPPINGS, HCC_EDITS, HCC_HIERARCHIES, HCC_BLENDS),
            asked=computes,
            by=MEMBER,
        ),
        Stage(
            RISK_FACTORS,
            (RISK_PROFILES, MEMBER_HCCS),
            risk_factors,
            ("performance_years",),
            rules=(HCC_AGE_CELLS, HCC_INTERACTIONS, HCC_COEFFICIENTS, HCC_BLENDS),
            asked=computes,
            by=MEMBER,
        ),
        Stage(
            RISK_SCORES,
            (SUPPLIED_RISK_SCORES, RISK_PROFILES, RISK_FACTORS),
            risk_scores,
            rules=(HCC_NORMALIZATION,),
            by=MEMBER,
        ),
        Stage(
            RISK_SCORES_BY_MONTH,
            (RISK_PROFILES, MEMBER_HCCS),
            risk_scores_by_month,
            RUN_SETTINGS,
            rules=(HCC_HIERARCHIES, HCC_AGE_CELLS, HCC_INTERACTIONS, HCC_COEFFICIENTS, HCC_BLENDS),
            asked=scores_by_month,
            by=MEMBER,
        ),
        Stage(
            MEMBER_YEARS,
            (MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS, ATTRIBUTION, RISK_SCORES),
            member_years,
            RUN_SETTINGS,
            by=MEMBER,
        ),
        Stage(HIGH_COST_MEMBERS, (MEMBER_YEARS,), high_cost_members, RUN_SETTINGS),
        Stage(
            HOSPITAL_CLAIMS,
            (FINAL_CLAIM_LINES, CLAIM_DIAGNOSES, CLAIM_PROCEDURES, OUTCOME_CODE_SETS),
            hospital_claims,
            rules=(OUTCOME_CODE_SETS,),
            by=CLAIM,
        ),
        Stage(HOSPITAL_STAYS, (HOSPITAL_CLAIMS,), hospital_stays, ("policies",), by=MEMBER),
        Stage(
            HOSPITAL_EPISODES,
            (HOSPITAL_STAYS, HOSPITAL_CLAIMS),
            hospital_episodes,
            ("policies",),
            rules=(OUTCOME_CODE_SETS,),
            by=MEMBER,
        ),
        Stage(
            READMISSIONS,
            (HOSPITAL_EPISODES, ELIGIBILITY_SPANS, MEMBERS, TOLD_MONTHS, MEMBER_MONTHS, ATTRIBUTION),
            readmissions,
            (*RUN_SETTINGS, "last_told_day"),
            by=MEMBER,
        ),
        Stage(
            NETWORK_PMPM, (MEMBER_YEARS, NETWORK_ROSTER, NORMALIZATION_FACTORS, RISK_MEANS), network_pmpm, RUN_SETTINGS
        ),
        Stage(
            PRACTICE_PMPM, (MEMBER_YEARS, NORMALIZATION_FACTORS, RISK_MEANS, NETWORK_PMPM), practice_pmpm, RUN_SETTINGS
        ),
        Stage(
            PHYSICIAN_PMPM,
            (MEMBER_YEARS, PROVIDERS, NORMALIZATION_FACTORS, RISK_MEANS, NETWORK_PMPM),
            physician_pmpm,
            RUN_SETTINGS,
        ),
        Stage(
            NETWORK_PMPM_BY_MONTH,
            (MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS, ATTRIBUTION, COMPLETION_FACTORS),
            network_pmpm_by_month,
            RUN_SETTINGS,
        ),
        Stage(
            NETWORK_PMPM_ROLLING,
            (NETWORK_PMPM_BY_MONTH, NETWORK_PMPM, MEMBER_MONTH_COSTS, FINAL_CLAIM_LINES),
            network_pmpm_rolling,
            RUN_SETTINGS,
        ),
        Stage(
            NETWORK_PMPM_CHANGE,
            (NETWORK_PMPM, MEMBER_YEARS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS),
            network_pmpm_change,
            RUN_SETTINGS,
        ),
        Stage(NETWORK_REPLICATES, (MEMBER_YEARS, NETWORK_PMPM), network_replicates, RUN_SETTINGS),
        Stage(NETWORK_COMPARISON, (NETWORK_REPLICATES,), network_comparison, RUN_SETTINGS),
        Stage(
            NETWORK_COMPARISON_PARTS,
            (NETWORK_COMPARISON, MEMBER_YEARS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS),
            network_comparison_parts,
            RUN_SETTINGS,
        ),
        Stage(PMPM_FORECAST, (NETWORK_PMPM_BY_MONTH,), pmpm_forecast, RUN_SETTINGS),
        Stage(
            NETWORK_PMPM_BY_CATEGORY,
            (NETWORK_PMPM, MEMBER_MONTH_COSTS, TRUNCATED_COSTS),
            network_pmpm_by_category,
            RUN_SETTINGS,
        ),
        Stage(
            NETWORK_PMPM_BY_SUBCATEGORY,
            (NETWORK_PMPM_BY_CATEGORY, CLAIM_COSTS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS),
            network_pmpm_by_subcategory,
            RUN_SETTINGS,
        ),
        Stage(
            COST_CONCENTRATION,
            (HIGH_COST_MEMBERS, NETWORK_PMPM, NETWORK_PMPM_BY_CATEGORY, MEMBER_MONTH_COSTS, TRUNCATED_COSTS),
            cost_concentration,
            RUN_SETTINGS,
        ),
        Stage(LEAKAGE_DESTINATIONS, (CLAIM_COSTS, MEMBER_MONTH_COSTS), leakage_destinations, RUN_SETTINGS),
        Stage(
            NETWORK_RISK_BY_MONTH,
            (MEMBER_YEARS, RISK_SCORES_BY_MONTH),
            network_risk_by_month,
            RUN_SETTINGS,
            asked=scores_by_month,
        ),
        Stage(
            EXPERIENCE_SCORES,
            (SURVEY_RESPONSES, ATTRIBUTION, NETWORK_ROSTER, PRIMARY_CARE_SERVICES),
            experience_scores,
            RUN_SETTINGS,
        ),
        Stage(
            OUTCOME_MEASURES,
            (READMISSIONS, HOSPITAL_EPISODES, HOSPITAL_CLAIMS, PRIMARY_CARE_SERVICES, MEMBER_MONTHS, MEMBER_YEARS),
            outcome_measures,
            RUN_SETTINGS,
            rules=(OUTCOME_CODE_SETS, PRIMARY_CARE_HCPCS),
        ),
        Stage(EXCLUDED, (MEMBER_MONTHS, MEMBER_MONTH_COSTS, TRUNCATED_COSTS), excluded, RUN_SETTINGS),
        Stage(
            IDENTITIES,
            (
                MEMBER_MONTHS,
                CLAIM_COSTS,
                NETWORK_PMPM,
                EXCLUDED,
                LEAKAGE_DESTINATIONS,
                NETWORK_PMPM_BY_CATEGORY,
                NETWORK_PMPM_BY_SUBCATEGORY,
                HIGH_COST_MEMBERS,
                COST_CONCENTRATION,
            ),
            identities,
            RUN_SETTINGS,
        ),
    ),
    given=(ENROLLMENT_ROWS, CLAIM_ROWS, *[the_list.silver for the_list in LISTS], *REFERENCE_TABLES),
)
"""The stages after a source's own."""


@lru_cache
def stages_of(kind: str) -> tuple[Stage, ...]:
    """All stages of a run on one kind of source."""
    source = SOURCE_KINDS[kind]
    has_changes = any(stage.output is MEMBER_ID_CHANGES for stage in source.stages)
    changes = (MEMBER_ID_CHANGES,) if has_changes else ()
    lists = (*LISTS, *source.lists)
    rows = (*source.rows, LIST_ROWS)
    return in_order(
        (
            *source.stages,
            *list_stages(lists, *changes),
            Stage(REJECTS, rows, intake.rejects),
            Stage(LOAD_AUDIT, (SOURCE_FILES, *rows), intake.load_audit),
            *STAGES,
        ),
        given=given_to(kind),
    )


@lru_cache
def groups_of(kind: str) -> dict[str, tuple[Stage, ...]]:
    """What can be submitted by itself: the source's rows and the common model; rules; reported tables."""
    stages = stages_of(kind)
    silver = next(i for i, stage in enumerate(stages) if stage.output is ELIGIBILITY_SPANS)
    gold = next(i for i, stage in enumerate(stages) if stage.output is NETWORK_PMPM)
    return {"load": stages[:silver], "silver": stages[silver:gold], "gold": stages[gold:]}


def stored_by(kind: str) -> tuple[Table, ...]:
    """Every Delta table of a run on one kind of source, but the book of runs."""
    made = [stage.output for stage in stages_of(kind)]
    return (*SOURCE_KINDS[kind].bronze, *LIST_BRONZE, SOURCE_FILES, *made, RESTATEMENT)


GOLD = (*[stage.output for stage in STAGES if stage.output.layer == "gold"], RESTATEMENT)
"""What a run tells; the restatement is made after the stages, from this run and an earlier one."""
CAPITATION = (
    CAPITATION_DUE, CAPITATION_LEDGER, CAPITATION_UNPOSTED, MEMBER_MONTH_CHANGES, MEMBERSHIP_RECONCILIATION,
    CAPITATION_CELLS, CAPITATION_VARIANCE, CAPITATION_VARIANCE_SPLIT, CAPITATION_LEDGER_BY_REASON,
    CONTRACT_MONTH_COSTS, FINANCIAL_PERFORMANCE, CAPITATION_RUNS,
)  # fmt: skip
"""What a payment run makes (`pmpm capitate`), beside the stages."""
STORED: tuple[Table, ...] = (
    *{table.name: table for kind in SOURCE_KINDS for table in stored_by(kind)}.values(),
    *CAPITATION,
    CHANGED,
)
"""Every Delta table of any source, but the book of runs."""
ALL_TABLES = (*REFERENCE_TABLES, *STORED, RUNS, LEASES)
