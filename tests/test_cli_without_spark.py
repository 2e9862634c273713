"""The command line where no engine is needed: it starts none, and says what is wrong in one line with exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pmpm_spark import report, session
from pmpm_spark.cli import guarded, main
from pmpm_spark.cli.summary import SHOWN
from pmpm_spark.errors import AuditError, InputError
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION
from pmpm_spark.model import LOAD_AUDIT
from pmpm_spark.stages import ALL_TABLES
from pmpm_spark.version import __version__
from tests.processes import environment

ROOT = Path(__file__).parent.parent
CONFIG = ("--set", "performance_years=2021", "--set", "source.kind=rif", "--set", "source.path=nowhere")
WITH_WAREHOUSE = (*CONFIG, "--set", "warehouse.path=nowhere")


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an engine was started")

    monkeypatch.setattr(session, "open_session", refuse)
    monkeypatch.delenv("PMPM_DEBUG", raising=False)


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    try:
        code = main(argv)
    except SystemExit as leaves:
        code = int(leaves.code or 0)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--version") == (0, f"pmpm {__version__}\n", "")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "--help")
    assert (code, err) == (0, "")
    for command in (
        "demo",
        "run",
        "load",
        "loads",
        "show",
        "export",
        "report",
        "explain",
        "tables",
        "policies",
        "generate",
        "doctor",
    ):
        assert f"\n    {command} " in out
    for option in ("--only", "--from", "--rebuild", "--config", "--set"):
        assert option in said(capsys, "run", "--help")[1]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("runn",), "invalid choice: 'runn'"),
        (("run", "--colour"), "unrecognized arguments: --colour"),
        (("run", "--only", "a", "--from", "b"), "not allowed with"),
        (("run",), "give --config FILE"),
        (("run", "--config", "no/such.toml"), "no/such.toml: there is no such file"),
        (("run", *WITH_WAREHOUSE, "--set", "source.paht=x"), "unknown key source.paht"),
        (("run", *WITH_WAREHOUSE, "--set", "policy.cost.amount=x"), "cost.amount"),
        (("run", *CONFIG), "warehouse is missing"),
        (("load",), "give --config FILE"),
        (("loads", *WITH_WAREHOUSE, "--format", "xml"), "invalid choice: 'xml'"),
        (("load", *WITH_WAREHOUSE, "--set", "source.max_reject_share=1.5"), "source.max_reject_share: a share from"),
        (("show", "network_pmpmm", *WITH_WAREHOUSE), "no table network_pmpmm to show (one of: network_pmpm,"),
        (("show", "excluded", "--network", "N1", *WITH_WAREHOUSE), "excluded has no network_id to choose by"),
        (("show", "network_pmpm", "--format", "xml"), "invalid choice: 'xml'"),
        (("show", "network_pmpm", "--year", "MMXXI"), "invalid int value"),
        (("export", *WITH_WAREHOUSE), "the following arguments are required: --out"),
        (("export", *WITH_WAREHOUSE, "--out", "x", "--format", "xml"), "invalid choice: 'xml'"),
        (("report", *WITH_WAREHOUSE), "report: name a file with --out, or in the configuration as report.path"),
        (
            ("report", *WITH_WAREHOUSE, "--out", "s3://bucket/pmpm.html"),
            "report: s3://bucket/pmpm.html is in an object store; name a file of this machine, and copy it there",
        ),
        (
            ("export", *WITH_WAREHOUSE, "--out", "s3a://bucket/export"),
            "export: s3a://bucket/export is in an object store; name a folder of this machine, and copy it there",
        ),
        (
            ("demo", "--out", "s3a://bucket/demo"),
            "demo: s3a://bucket/demo is in an object store; name a folder of this machine, and copy it there",
        ),
        (("report", *WITH_WAREHOUSE, "--set", "report.file=x"), "unknown key report.file"),
        (("explain", "m1", "--month", "2021-13", *WITH_WAREHOUSE), "--month: write YYYY-MM"),
        (("policies", "impact", "a", "b", *WITH_WAREHOUSE), "the following arguments are required: --year"),
        (("policies", "impact", "a", "b", "--year", "2021"), "give --config FILE"),
        (("policies", *WITH_WAREHOUSE, "--set", "x.y=1", "impact", "a", "b", "--year", "2021"), "unknown key x"),
        (("explain", *WITH_WAREHOUSE), "explain: give MEMBER_ID, or --network and --year"),
        (("explain", "m1", "--network", "N1", "--year", "2021", *WITH_WAREHOUSE), "explain: give MEMBER_ID, or"),
        (("explain", "--network", "N1", *WITH_WAREHOUSE), "explain: --network goes with --year"),
        (("explain", "--network", "N1", "--year", "2021", "--month", "2021-01", *WITH_WAREHOUSE), "without --month"),
        (("explain", "m1", "--format", "xml", *WITH_WAREHOUSE), "invalid choice: 'xml'"),
        (("generate", "--members", "0", "--years", "2020-2021", "--out", "x"), "--members must be at least 1"),
        (("generate", "--members", "1", "--years", "2022-2021", "--out", "x"), "--years: write FIRST-LAST"),
        (("demo", "--members", "0"), "--members must be at least 1"),
        (("tables", "network_pmpmm"), "no table network_pmpmm"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], told: str
) -> None:
    code, out, err = said(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("pmpm: ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "name", [t.name for t in ALL_TABLES if t.layer in ("bronze", "intake", "silver") and t is not LOAD_AUDIT]
)
def test_a_table_with_members_data_is_not_shown(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, err = said(capsys, "show", name, *WITH_WAREHOUSE)
    assert (code, out) == (2, "")
    folder = Path("nowhere").absolute() / name.replace(".", "/")
    told = f"show: {name} holds members' data and is not shown; read it from the warehouse: {folder} (Delta: delta_scan"
    assert err.startswith(f"pmpm: {told}")
    assert err.count("\n") == 1


def test_who_asks_for_the_ledger_is_told_how_to_read_it_and_what_can_be_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    err = said(capsys, "show", "capitation_ledger", *WITH_WAREHOUSE)[2]
    for told in ("delta_scan", "deltalake.DeltaTable(path).to_pandas()", 'spark.read.format("delta").load(path)'):
        assert told in err
    assert err.endswith("; without members: pmpm show capitation_ledger_by_reason\n")


def test_a_table_that_is_not_shown_is_named_by_its_place_in_a_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    catalog = ("--set", "warehouse.catalog=main", "--set", "warehouse.schema=pmpm")
    err = said(capsys, "show", "rejects", *CONFIG, *catalog)[2]
    assert err.endswith(
        "silver.rejects holds members' data and is not shown; read it from the warehouse: main.pmpm.silver_rejects "
        "(a table of the catalog: spark.table, or SQL)\n"
    )


def test_nothing_that_can_be_shown_has_a_column_of_members_but_what_a_payer_must_be_told() -> None:
    of_members = {"member_id", "claim_id", "birth_date", "death_date"}
    assert [t.name for t in SHOWN if of_members & set(t.column_names)] == ["gold.membership_reconciliation"]
    assert of_members & set(MEMBERSHIP_RECONCILIATION.column_names) == {"member_id"}


def test_tables_prints_the_dictionary(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "tables")
    assert code == 0
    assert "## gold.network_pmpm\n" in out
    assert "## silver.member_months\n" in out
    one = said(capsys, "tables", "network_pmpm")[1]
    assert one.startswith("## gold.network_pmpm\n")
    assert "## gold.practice_pmpm" not in one


def test_tables_says_whether_the_files_are_current(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert said(capsys, "tables", "--check", str(ROOT / "docs")) == (0, "", "")
    code, out, err = said(capsys, "tables", "--check", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.count("is not current; run `pmpm tables --write") == 3
    assert said(capsys, "tables", "--write", str(tmp_path))[0] == 0
    assert said(capsys, "tables", "--check", str(tmp_path))[0] == 0


def fails_with(error: BaseException) -> int:
    def work() -> int:
        raise error

    return guarded(work)


def test_errors_have_their_exit_codes_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails_with(InputError("in.csv: column x is missing")) == 2
    assert fails_with(AuditError("gold.t: rule r broken by 2 rows")) == 1
    assert fails_with(KeyboardInterrupt()) == 130
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.splitlines() == [
        "pmpm: in.csv: column x is missing",
        "pmpm: gold.t: rule r broken by 2 rows",
        "pmpm: stopped; the tables are as the last finished run left them",
    ]


def test_an_unexpected_fault_says_its_kind_and_never_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails_with(ValueError("member 0000012345")) == 1
    err = capsys.readouterr().err
    assert "unexpected fault (ValueError)" in err
    assert "0000012345" not in err
    assert err.count("\n") == 1


def test_an_engines_error_is_shown_by_its_condition_alone(capsys: pytest.CaptureFixture[str]) -> None:
    from pyspark.errors import AnalysisException

    error = AnalysisException("The value '0000012345' cannot be cast")
    assert fails_with(error) == 1
    err = capsys.readouterr().err
    assert "the engine failed (" in err
    assert "0000012345" not in err
    assert err.count("\n") == 1


def test_the_error_itself_is_shown_to_who_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMPM_DEBUG", "1")
    with pytest.raises(ValueError, match="all of it"):
        fails_with(ValueError("all of it"))


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "pmpm_spark", "run", "--set", "source.paht=x"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(
        "pmpm: --set: unknown key source.paht (known here: contract_budget, contract_finance,"
    )
    assert answer.stderr.count("\n") == 1


def test_without_its_extra_the_report_is_one_line_that_names_the_command_to_install_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "NEEDED", ("jinja2", "no_such_package"))
    code, out, err = said(capsys, "report", *WITH_WAREHOUSE, "--out", "x.html")
    assert (code, out) == (2, "")
    assert err == 'pmpm: the report lacks no_such_package: pip install "pmpm-spark[report]"\n'
