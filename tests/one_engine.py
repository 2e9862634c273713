"""The tests that run on one engine alone, and why. What is not named here runs on both."""

from __future__ import annotations

ONLY_SPARK = {
    "tests/test_hand_over.py": "both engines over one warehouse: once is enough",
    "tests/test_jobs.py": "spark-submit, and a Spark Connect server",
    "tests/test_bad_input.py::test_no_canary_is_seen_in_the_event_log": "the embedded engine keeps no event log",
    "tests/test_store.py::test_a_warehouse_may_be_a_schema_of_a_catalog": "the embedded engine has no catalog to keep",
    "tests/test_store.py::test_a_folder_whose_very_first_commit_was_cut_off_is_named": (
        "the embedded engine makes the table there all the same"
    ),
}
CCLF_ON_SPARK = (
    "a whole run takes Spark a minute; there hundreds of generated keys are netted, and both "
    "engines are proved equal (tests/prove.py)"
)
CCLF_ON_EMBEDDED = (
    "tests/test_cclf_bad_input.py",
    "tests/test_cclf_order.py",
    "tests/sources/test_cclf_shared.py",
    "tests/test_generate_cclf.py",
    *[f"tests/sources/test_cclf_netting.py::test_{word}" for word in ("a_", "of_", "the_", "versions_", "denied_")],
)
PROVED_EQUAL = (
    *[
        f"tests/sources/test_{source}.py::test_{word}"
        for source, words in {
            "synpuf": ("outpatient", "the_counts", "inpatient"),
            "tuva": ("without", "a_missing", "a_type"),
            "common": ("tables_of_another", "a_bad", "bad_rows", "ids_with", "an_empty", "a_missing"),
        }.items()
        for word in words
    ],
    *[
        f"tests/test_equality.py::test_the_whole_set[{policy}"
        for policy in (
            "plurality-full_window-from",
            "plurality-current_month",
            "roster-full_window",
            "roster-current_month-thru",
        )
    ],
    "tests/test_equality.py::test_the_cut",
    "tests/test_equality.py::test_part_c_by_contract_is_at_work",
    "tests/test_equality.py::test_generated_files",
    "tests/test_equality.py::test_every_row_of_the_cut",
    "tests/test_equality.py::test_every_row_of_generated",
    "tests/test_equality.py::test_every_rule",
    "tests/test_equality.py::test_the_comparison_sees",
    "tests/test_equality.py::test_names_of_physicians",
    "tests/test_notebook_example.py::test_the_whole_job",
    "tests/test_one_truth.py",
)
ONLY_EMBEDDED = {
    "tests/test_embedded.py": "the embedded engine's own faults, and the ways around them",
    **dict.fromkeys(CCLF_ON_EMBEDDED, CCLF_ON_SPARK),
    **dict.fromkeys(PROVED_EQUAL, "a whole run takes Spark minutes; both engines are proved equal (tests/prove.py)"),
}


def reason_to_leave_out(node_id: str, engine: str) -> str | None:
    """Why a test does not run on the engine; None where it does."""
    others = ONLY_SPARK if engine == "embedded" else ONLY_EMBEDDED
    return next((why for where, why in others.items() if node_id.startswith(where)), None)
