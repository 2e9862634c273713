"""The tests that run on one engine alone, and why. What is not named here runs on both."""

from __future__ import annotations

ONLY_SPARK = {
    "tests/test_hand_over.py": "both engines over one warehouse: once is enough",
    "tests/test_plans.py": "plans of Spark",
    "tests/test_catalog.py": "the embedded engine has no catalog to keep",
    "tests/test_jobs.py": "spark-submit, a driver that is killed, and Spark's event log",
    "tests/test_store.py::test_a_warehouse_may_be_a_schema_of_a_catalog": "the embedded engine has no catalog to keep",
    "tests/test_upgrade.py::test_in_a_schema": "the embedded engine has no catalog to keep",
    "tests/test_store.py::test_a_folder_whose_very_first_commit_was_cut_off_is_named": (
        "the embedded engine makes the table there all the same"
    ),
}
DIRTY = ("every_row", "every_rejected", "the_figures", "the_run_says", "no_canary", "the_canaries")
BY_DAY = ("any_day", "first_of_month", "mid_month", "full_month", "prorated")
NETTING = ("a_", "of_", "the_", "versions_", "denied_")
WHOLE_RUNS = (
    "tests/test_cclf_bad_input.py",
    "tests/test_cclf_order.py",
    "tests/test_dollars.py",
    "tests/sources/test_cclf_shared.py",
    "tests/test_generate_cclf.py",
    "tests/test_one_truth.py",
    "tests/test_policies_run.py",
    "tests/test_programs_run.py",
    "tests/test_risk_run.py",
    "tests/test_new_source.py",
    "tests/sources/test_synpuf.py",
    "tests/sources/test_tuva.py",
    "tests/sources/test_common.py",
    "tests/sources/test_cms_samples.py",
    "tests/test_equality.py",
    "tests/test_capitation.py::test_payment_runs",
    "tests/test_payments.py",
    "tests/test_planted.py",
    "tests/test_planted_outcomes.py",
    "tests/test_restate.py",
    "tests/test_unchanged.py",
    "tests/test_changed.py::test_of_some_ids",
    "tests/test_capitation_guide.py::test_three_runs",
    "tests/test_capitation_guide.py::test_every_figure",
    "tests/test_capitation_recomputed.py",
    "tests/test_outcomes_recomputed.py",
    "tests/test_notebook_example.py::test_the_whole_job",
    *[f"tests/sources/test_cclf_netting.py::test_{word}" for word in NETTING],
)
BOOK = (
    "a_run_replaces",
    "a_stage_alone",
    "a_failed_run_says",
    "a_run_that_fails",
    "a_second_run",
    "one_name",
    "years_that",
    "a_rebuild",
    "what_no_policy",
    "a_run_that_leaves",
)
ROLLBACK = ("what_payment", "a_run_that", "a_table_that", "a_file_that", "a_rollback_that", "the_rules", "files_are")
LEASE = ("a_run_that_fails", "after_ten_minutes", "a_heart_beats", "two_that_begin", "a_run_takes")
UPGRADE = ("a_run_makes", "a_run_leaves", "a_run_before")
BY_ID = ("what_tells_no", "two_stages", "a_changed_row", "what_was_not")
REFUSED = (
    "tests/test_bad_input.py::test_a_policy",
    "tests/test_bad_input.py::test_a_year",
    "tests/silver/test_risk_scores_by_hand.py::test_a_folders_row",
)
FORMS = ("contract_budget", "contract_members", "contract_rates", "contract_finance", "payer_member_months")
SURVEYS = ("one_respondent", "physicians_count", "members_and", "years_outside", "respondents_of", "questions_of")
NOTICES = (
    "tests/test_checks.py::test_without_a_roster",
    "tests/test_checks.py::test_what_no_rule",
    "tests/silver/test_risk_scores_by_hand.py::test_the_run_counts",
)
BY_RULE = ("tests/silver/test_mssp.py", "tests/silver/test_reach.py", "tests/silver/test_attribution_by_hand.py")
OUTCOMES = (
    "each_inclusion",
    "the_pcr_like",
    "without_parts",
    "only_the_next",
    "code_sets_are",
    "the_algorithm",
    "admissions_are",
    "primary_care",
    "physicians_add",
)
RESTATED = (
    "a_late_claim_alone",
    "a_month_that",
    "a_member_who",
    "a_new_score",
    "where_the_networks",
    "a_network_of",
    "without_a_score",
)
SEED = (
    "the_same_seed",
    "the_generated_set_has",
    "every_monthly_code",
    "every_month_that",
    "the_files_have",
    "the_payment_of",
    "the_lines_of",
    "the_amounts_are",
    "a_quarter",
    "scores_are_given",
    "the_rosters_name",
    "one_practice_moves",
)
RISK = ("every_score", "normalized_by", "a_cap_holds")
NO_ENGINE = (
    "tests/oracle/",
    "tests/test_small_cells.py",
    "tests/test_which_engine.py",
    "tests/test_conf_databricks.py",
    "tests/test_conf_emr.py",
    "tests/test_export.py",
    "tests/test_report.py",
    "tests/test_report_contracts.py",
    "tests/test_s3_place.py",
    *[f"tests/test_benchmarks.py::test_{word}" for word in ("a_process", "the_event_log", "a_goal", "the_page")],
)
BENCHMARKS = ("the_tables_of", "what_is_loaded", "something_is_netted", "a_cent", "a_row_that")
STEPS = (
    "every_member_year",
    "second_levels",
    "all_identities",
    "months_and_categories",
    "truncation_never",
    "lines_services",
)
LEDGER = ("a_change_is", "a_score_", "who_is", "two_rates", "a_rate_that")
VARIANCE = (
    "what_one_side",
    "without_a_budget",
    "a_year_without",
    "a_part_of",
    "an_alert_is",
    "only_what",
    "a_cell_with",
    "a_contract_of",
)
DRAWN = (
    "tests/gold/test_experience_scores.py::test_drawn",
    "tests/gold/test_financial_performance.py::test_every_column_of_many",
    "tests/gold/test_membership.py::test_changes_and_what",
)
FINANCE = (
    "every_figure",
    "the_costs_of",
    "the_page_follows",
    "the_result",
    "what_cannot",
    "a_year_outside",
    "more_returned",
    "a_loss_ratio",
)
GENERATED = (
    *[f"tests/gold/test_risk.py::test_{word}" for word in RISK],
    *[f"tests/test_cost_steps.py::test_{word}" for word in STEPS],
    "tests/gold/test_credibility.py::test_every_panel",
    "tests/test_hcc_equality.py",
    "tests/gold/test_rolling.py::test_every_period",
    "tests/gold/test_forecast.py::test_every_forecast",
    "tests/gold/test_change.py::test_generated_changes",
    "tests/gold/test_comparison.py::test_about_one_interval",
    "tests/gold/test_comparison.py::test_a_large_network",
    "tests/gold/test_comparison.py::test_every_interval",
    "tests/gold/test_comparison.py::test_the_answer",
)
ONCE = {
    "tests/test_embedded.py": "the embedded engine's own faults, and the ways around them",
    **dict.fromkeys(NO_ENGINE, "no engine is at work: once is enough"),
    **{
        f"tests/test_runs.py::test_{word}": "the book of runs is the same on both; what rests on Delta is tried on both"
        for word in BOOK
    },
    **{
        f"tests/test_maintenance.py::test_{word}": "the book is the same on both, and ages are those of one engine's log"
        for word in ("what_somebody", "files_are", "the_books")
    },
    **{
        f"tests/test_rollback.py::test_{word}": "the book of runs is the same on both; on Spark there and back"
        for word in ROLLBACK
    },
    **{
        f"tests/test_lease.py::test_{word}": "rows of a table that both engines write alike; on Spark taken, held, broken"
        for word in LEASE
    },
    **dict.fromkeys(
        BY_RULE, "rule by rule; on Spark all rules of the programs at once: tests/silver/test_programs_by_hand.py"
    ),
    **{
        f"tests/gold/test_capitation_ledger.py::test_{word}": "line by line; on Spark three payment runs by hand"
        for word in LEDGER
    },
    **{
        f"tests/gold/test_capitation_variance.py::test_{word}": "part by part; on Spark the worked example, and months and "
        "their year"
        for word in VARIANCE
    },
    **dict.fromkeys(DRAWN, "drawn rows; on Spark by hand, and every table of a payment run in tests/test_catalog.py"),
    **{
        f"tests/gold/test_outcome_measures.py::test_{word}": "rule by rule; on Spark the worked example and each chain"
        for word in OUTCOMES
    },
    **{
        f"tests/test_restated.py::test_{word}": "part by part; on Spark a late claim in a late month, and a truncation"
        for word in RESTATED
    },
    "tests/test_upgrade_payments.py": "payment runs; on Spark what is altered, refused and taken back: tests/test_upgrade.py",
    **{
        f"tests/test_upgrade.py::test_{word}": "run by run; on Spark each alteration, and one that is cut off and taken back"
        for word in UPGRADE
    },
    **{
        f"tests/test_changed.py::test_{word}": "which ids, by plans that are the same on both; on Spark what a stage makes of them"
        for word in BY_ID
    },
    **dict.fromkeys(
        REFUSED, "what is refused and how it is told, before a table is made; the tables are tried on both"
    ),
    **{
        f"tests/sources/test_list_formats.py::test_a_list_is_the_same_table_in_each_of_its_forms[{name}]": "one code for all lists; "
        "on Spark two of them"
        for name in FORMS
    },
    **{
        f"tests/gold/test_experience_scores.py::test_{word}": "case by case; on Spark a network and a physician, waves and what "
        "is drawn from them"
        for word in SURVEYS
    },
    **dict.fromkeys(NOTICES, "what a run says of its tables; the tables are tried on both"),
}
LONG = {
    **dict.fromkeys(
        GENERATED, "a thousand members of many policies; on Spark each rule by hand, and every row in tests/prove.py"
    ),
    **dict.fromkeys(
        WHOLE_RUNS, "a whole run takes Spark minutes: one is in tests/test_jobs.py, many in tests/prove.py"
    ),
    "tests/test_capitation_story.py": "a dozen payment runs; on Spark every table of a payment run by hand",
    "tests/test_capitation.py::test_a_load_with_too_many": "what is refused and how it is told; the tables are tried on both",
    **{
        f"tests/test_finance_guide.py::test_{word}": "a page, and what is told of lists; on Spark each figure by hand, and "
        "every table of a payment run in tests/test_catalog.py"
        for word in FINANCE
    },
    "tests/gold/test_capitation_ledger.py::test_whatever_changes": "six payment runs of forty people; on Spark by hand",
    "tests/gold/test_capitation_variance.py::test_every_split": "two years of 300 contracts; on Spark by hand",
    "tests/silver/test_hospital_stays.py::test_generated": "hundreds of members; on Spark by hand",
    **{
        f"tests/test_benchmarks.py::test_{word}": "a whole run beside others'; on Spark every `make bench` compares"
        for word in BENCHMARKS
    },
    "tests/test_restated.py::test_whatever": "dozens of members under four policies; on Spark by hand",
    "tests/test_impact.py::test_every_mixture": "hundreds of people under dozens of policies; on Spark by hand",
    **{
        f"tests/test_generate.py::test_{word}": "the rows of the seed are the same on both: test_the_rows_are_those"
        for word in SEED
    },
    **{
        f"tests/silver/test_member_months_by_day.py::test_every_month_of_every_generated_person_has_exactly_the_reasons_"
        f"that_its_days_give[{rule}]": "hundreds of people a rule; on Spark with one rule, and by hand with all"
        for rule in BY_DAY
    },
    **{
        f"tests/test_bad_input.py::test_{word}": "on Spark: tests/test_jobs.py, over the same delivery"
        for word in DIRTY
    },
}
"""What Spark would take long for; the quick check leaves it out, too."""
ONLY_EMBEDDED = {**ONCE, **LONG}


def reason_to_leave_out(node_id: str, engine: str) -> str | None:
    """Why a test does not run on the engine; None where it does."""
    others = ONLY_SPARK if engine == "embedded" else ONLY_EMBEDDED
    return next((why for where, why in others.items() if node_id.startswith(where)), None)


def is_long(node_id: str) -> bool:
    return any(node_id.startswith(where) for where in LONG)
