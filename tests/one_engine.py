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
    "tests/test_session_conf.py": "conf/spark is Spark's own",
}
ONLY_EMBEDDED = {
    "tests/test_embedded.py": "the embedded engine's own faults, and the ways around them",
    **{
        f"tests/test_equality.py::test_the_whole_set[{policy}": "both engines are proved equal on the whole set"
        for policy in (
            "plurality-full_window-from",
            "plurality-current_month",
            "roster-full_window",
            "roster-current_month-thru",
        )
    },
}


def reason_to_leave_out(node_id: str, engine: str) -> str | None:
    """Why a test does not run on the engine; None where it does."""
    others = ONLY_SPARK if engine == "embedded" else ONLY_EMBEDDED
    return next((why for where, why in others.items() if node_id.startswith(where)), None)
