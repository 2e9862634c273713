"""Bad input: reject rows with their reasons, or one line and exit code 2; nothing is lost, nothing half-published.

One run over a delivery in which much is wrong (tests/dirty.py), as a process of its own.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark.checks import (
    check_allowed_amounts,
    check_caps,
    check_factors,
    check_paid_months,
    check_parts_of_payments,
    check_risk_means,
    check_supplied,
)
from pmpm_spark.config import Reference, RunConfig, Source, Warehouse, load_config
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.loading import Loaded, load_sources
from pmpm_spark.model import FINAL_CLAIM_LINES, LOAD_AUDIT, REJECTS
from pmpm_spark.policy import Cost, Policy, Risk
from pmpm_spark.runs import RUNS
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.claim_lags import CLAIM_LAGS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.sources.lists import LISTS, list_files
from pmpm_spark.sources.rif import bronze_loads
from pmpm_spark.stages import stored_by
from pmpm_spark.store import Store, empty
from pmpm_spark.warehouse import Published, published
from tests import dirty as dirty_files
from tests import panel
from tests.dirty import CANARIES, FIELDS, canaries_in
from tests.processes import environment
from tests.rif_files import enrolled, heading, visit, write
from tests.tables import frame

pytestmark = pytest.mark.delta

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Dirty:
    """The run, what it said and left."""

    answer: subprocess.CompletedProcess[str]
    config: RunConfig


@pytest.fixture(scope="module")
def dirty(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Dirty:
    root = tmp_path_factory.mktemp("dirty")
    lists = root / "lists"
    dirty_files.write_delivery(root / "claims")
    dirty_files.write_lists(lists)
    path = panel.write_config(root, lists, root / "warehouse", root / "claims")
    command = [sys.executable, "-m", "pmpm_spark", "run", "--config", str(path), "--engine", engine]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=root, check=False)
    return Dirty(answer, load_config(str(path)))


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, dirty: Dirty) -> Published:
    assert dirty.answer.returncode == 0, dirty.answer.stderr
    return published(spark, dirty.config)


def test_every_row_of_every_file_has_its_fate(warehouse: Published) -> None:
    assert dirty_files.fates(warehouse) == dirty_files.FATES
    assert all(row[0] == sum(row[1:]) for row in dirty_files.FATES.values())
    paid = {r["_source_file"]: str(r["paid_amount_accepted"]) for r in warehouse.read(LOAD_AUDIT).collect()}
    assert (paid["carrier.csv"], paid["outpatient.csv"], paid["inpatient.csv"]) == ("145.00", "200.00", "500.00")


def test_every_rejected_row_stands_with_its_line_and_every_reason(warehouse: Published) -> None:
    found = warehouse.read(REJECTS).collect()
    told = {(row["_source_file"], row["_source_row"]): row["reject_reasons"] for row in found}
    # of a line that could not be parted nothing else is worth telling
    assert {place: [FIELDS] if FIELDS in reasons else reasons for place, reasons in told.items()} == {
        ("beneficiary.csv", 5): ["BENE_BIRTH_DT is not a date"],
        ("beneficiary.csv", 6): ["MDCR_ENTLMT_BUYIN_1_IND is not one of its codes"],
        ("beneficiary.csv", 7): ["RFRNC_YR is no year"],
        ("beneficiary.csv", 9): [FIELDS],
        ("carrier.csv", 5): ["LINE_NCH_PMT_AMT is not an amount"],
        ("carrier.csv", 6): ["LINE_1ST_EXPNS_DT is not a date", "CLM_FROM_DT is not a date",
                             "LINE_LAST_EXPNS_DT is not a date", "CLM_THRU_DT is not a date"],
        ("carrier.csv", 7): ["the last day of service is before the first"],
        ("carrier.csv", 8): ["CLM_ID is missing"],
        ("carrier.csv", 10): ["LINE_NUM is not a whole number", "BENE_ID is missing",
                              "LINE_ALOWD_CHRG_AMT is not an amount"],
        ("carrier.csv", 11): [FIELDS],
        ("outpatient.csv", 3): [FIELDS],
        ("pde.csv", 2): ["SRVC_DT is missing"],
        ("network_roster.csv", 4): ["no tin, npi or ccn is filled in"],
        ("network_roster.csv", 5): ["start_date is not a date"],
        ("providers.csv", 3): ["npi is missing"],
        ("providers.csv", 4): [FIELDS],
        ("risk_scores.csv", 3): ["risk_score is not a number"],
        ("risk_scores.csv", 4): ["risk_score is negative"],
        ("member_attribution.csv", 3): ["member_id is missing"],
    }  # fmt: skip
    assert all("CNRY" in row["rejected_row"] for row in found if row["_source_file"] in ("carrier.csv", "pde.csv"))
    reasons = " ".join(reason for row in found for reason in row["reject_reasons"])
    assert not [canary for canary in CANARIES if canary in reasons]


def test_the_figures_are_those_of_the_good_rows(warehouse: Published) -> None:
    assert dirty_files.figures(warehouse) == dirty_files.NETWORKS
    assert dirty_files.left_out(warehouse) == dirty_files.LEFT_OUT


def test_the_run_says_what_it_passed_over(dirty: Dirty) -> None:
    said = dirty.answer.stderr
    assert "no RIF files, and not read as such: README.txt" in said
    assert "loaded before, nothing new: sent again/stays.csv" in said
    assert "network_roster.csv (network_roster): columns passed over: remark" in said
    assert "19 of 34 delivered rows are rejected; silver.rejects has each with its reasons" in said
    assert "33.3% of the members have a risk score" in said


def test_no_canary_is_seen_in_what_the_run_says(dirty: Dirty) -> None:
    assert dirty.answer.returncode == 0
    assert "gold.network_pmpm" in dirty.answer.stderr
    assert "networks by adjusted PMPM" in dirty.answer.stdout
    assert canaries_in(dirty.answer.stderr) == []
    assert canaries_in(dirty.answer.stdout) == []


def test_no_canary_is_seen_in_the_book_of_runs(warehouse: Published, dirty: Dirty, spark: SparkSession) -> None:
    rows = spark.read.format("delta").load(f"{dirty.config.warehouse.path}/ops/runs").collect()
    assert {row["status"] for row in rows} == {"started", "finished"}
    assert set(rows[0].__fields__) == set(RUNS.column_names)
    assert canaries_in(repr(rows)) == []
    tables = {receipt["table"] for row in rows for receipt in row["receipts"]}
    with_rows = {t.name for t in stored_by("rif")} - {f"bronze.rif_{kind}" for kind in ("snf", "hha", "dme")}
    assert tables == with_rows


def test_the_canaries_stand_in_the_tables(warehouse: Published) -> None:
    """Else the tests above would find nothing whatever was shown."""
    held = " ".join(repr(warehouse.read(t).collect()) for t in stored_by("rif") if t.layer in ("bronze", "silver"))
    assert canaries_in(held.replace("datetime.date(1931, 9, 17)", "1931-09-17")) != []
    assert {"CNRY", "17-Sep-1931", "23-Nov-2021", "19-Oct-2021", "31-Feb-2021"} <= set(canaries_in(held))


# --- what ends a run before anything is published ---


def refused(spark: SparkSession, path: Path) -> str:
    """One line on a folder that cannot be loaded."""
    with pytest.raises(InputError) as caught:
        bronze_loads(spark, str(path), (), "batch", datetime.now(UTC))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def people(folder: Path) -> Path:
    return write(folder, "beneficiary.csv", "beneficiary", enrolled("m", 2021))


def test_a_folder_that_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    assert refused(spark, tmp_path / "nowhere") == f"{tmp_path / 'nowhere'}: there is no such file or folder"


def test_no_enrollment_file(spark: SparkSession, tmp_path: Path) -> None:
    said = f"{tmp_path}: there is no enrollment (beneficiary) file among the RIF files"
    assert refused(spark, tmp_path) == said
    write(tmp_path, "carrier.csv", "carrier", visit("c", "m", "01-Jul-2021", "1", "1", "1"))
    assert refused(spark, tmp_path) == said


def test_an_unknown_column_layout(spark: SparkSession, tmp_path: Path) -> None:
    people(tmp_path)
    (tmp_path / "odd.csv").write_text("CNRYONE|CNRYTWO\n1|2\n")
    said = refused(spark, tmp_path)
    assert said == "odd.csv: unknown column layout: the heading fits no kind of RIF file"


def test_a_file_without_its_heading(spark: SparkSession, tmp_path: Path) -> None:
    people(tmp_path)
    (tmp_path / "bare.csv").write_text(visit("CNRYCLAIM", "CNRYMEMBER", "01-Jul-2021", "1", "1", "1") + "\n")
    assert canaries_in(refused(spark, tmp_path)) == []


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("carrier", "LINE_NCH_PMT_AMT"),
        ("beneficiary", "MDCR_ENTLMT_BUYIN_7_IND"),
        ("pde", "SRVC_DT"),
        ("hha", "CLM_PMT_AMT"),
    ],
)
def test_a_required_column_that_is_missing(spark: SparkSession, tmp_path: Path, kind: str, column: str) -> None:
    people(tmp_path)
    (tmp_path / "odd.csv").write_text("|".join(name for name in heading(kind) if name != column) + "\n")
    assert refused(spark, tmp_path) == f"odd.csv: looks like a {kind} file, but column {column} is missing"


def test_a_column_that_stands_twice(spark: SparkSession, tmp_path: Path) -> None:
    path = people(tmp_path)
    path.write_text("|".join([*heading("beneficiary"), "BENE_ID"]) + "\n")
    assert refused(spark, tmp_path) == "beneficiary.csv: column BENE_ID stands twice in the heading"


def test_a_packed_file_that_is_cut_off(spark: SparkSession, tmp_path: Path) -> None:
    path = people(tmp_path)
    packed = gzip.compress(path.read_bytes())
    (tmp_path / "more.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert "not readable" in refused(spark, tmp_path)


def test_columns_that_are_unknown_are_told_and_passed_over(spark: SparkSession, tmp_path: Path) -> None:
    path = people(tmp_path)
    first, row = path.read_text().splitlines()
    path.write_text(f"{first}|NEW_COLUMN\n{row}|x\n")
    loads, notices = bronze_loads(spark, str(tmp_path), (), "batch", datetime.now(UTC))
    assert notices[0] == "beneficiary.csv: 1 unknown columns passed over: NEW_COLUMN"
    assert loads[0].frame.collect()[0]["BENE_ID"] == "m"


def test_a_file_is_known_by_its_content_whatever_its_name(spark: SparkSession, tmp_path: Path) -> None:
    path = people(tmp_path)
    loads, _ = bronze_loads(spark, str(tmp_path), (), "batch", datetime.now(UTC))
    known = {(load.table.name, file.fingerprint) for load in loads for file in load.files}
    path.rename(tmp_path / "renamed.csv")
    loads, notices = bronze_loads(spark, str(tmp_path), known, "batch", datetime.now(UTC))
    assert loads == []
    assert "loaded before, nothing new: renamed.csv" in notices
    (tmp_path / "renamed.csv").write_text((tmp_path / "renamed.csv").read_text().replace("|41|", "|42|", 1))
    loads, _ = bronze_loads(spark, str(tmp_path), known, "batch", datetime.now(UTC))
    assert [file.name for load in loads for file in load.files] == ["renamed.csv"]


def test_a_list_that_cannot_be_read(spark: SparkSession, tmp_path: Path) -> None:
    roster = LISTS[0]
    with pytest.raises(InputError, match="there is no such file or folder"):
        list_files(spark, roster, str(tmp_path / "nowhere.csv"))
    with pytest.raises(InputError, match=r"there is no file for source\.network_roster"):
        list_files(spark, roster, str(tmp_path))
    (tmp_path / "roster.csv").write_text("network,tin\nCNRY,1\n")
    with pytest.raises(InputError) as caught:
        list_files(spark, roster, str(tmp_path))
    assert str(caught.value) == "roster.csv (network_roster): column network_id is missing from the heading"


def test_nothing_is_written_before_everything_named_was_found(spark: SparkSession, tmp_path: Path) -> None:
    people(tmp_path / "claims")
    (tmp_path / "roster.csv").write_text("network_id,tin\nN1,111\n")
    roster, nowhere = str(tmp_path / "roster.csv"), str(tmp_path / "nowhere.csv")
    store = Store(spark, Warehouse(path=str(tmp_path / "warehouse")))
    for source in (
        Source("rif", str(tmp_path / "nowhere"), network_roster=roster),
        Source("rif", str(tmp_path / "claims"), network_roster=roster, risk_scores=nowhere),
    ):
        with pytest.raises(InputError, match="nowhere"):
            load_sources(store, source, "batch", datetime.now(UTC))
    assert store.versions == {}
    assert not (tmp_path / "warehouse").exists()


def test_a_rebuild_reads_every_file_again_or_none(spark: SparkSession, tmp_path: Path) -> None:
    people(tmp_path / "claims")
    (tmp_path / "roster.csv").write_text("network_id,tin\nN1,111\n")
    source = Source("rif", str(tmp_path / "claims"), network_roster=str(tmp_path / "roster.csv"))
    store = Store(spark, Warehouse(path=str(tmp_path / "warehouse")))
    first = load_sources(store, source, "1", datetime.now(UTC))
    (table,) = {receipt.table for receipt in first.receipts} & {"bronze.rif_beneficiary"}
    (tmp_path / "roster.csv").write_text("network_id,tin\nN2,111\n")
    rows = store.versions.copy()

    def rebuilt() -> Loaded:
        store.versions = {
            name: version for name, version in rows.items() if name not in (table, "bronze.network_roster")
        }
        return load_sources(store, source, "2", datetime.now(UTC))

    again = {receipt.table: receipt.rows for receipt in rebuilt().receipts}
    assert again[table] == next(receipt.rows for receipt in first.receipts if receipt.table == table)
    for file in (tmp_path / "claims").iterdir():
        file.write_text(file.read_text() + "\n")
    with pytest.raises(
        InputError, match=r"^--rebuild bronze\.rif_beneficiary: 1 files .* are not there as they were \("
    ):
        rebuilt()


def test_a_year_with_scores_needs_its_normalization_factor(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, Warehouse(path=str(tmp_path)))
    scores = "member_id | performance_year | origin | risk_score\nm | 2031 | supplied | 1.5\nm | 2021 | supplied | 1.5"
    store.publish(RISK_SCORES, frame(spark, RISK_SCORES, scores))

    def asked(years: tuple[int, ...], normalization: str = "table") -> RunConfig:
        policy = Policy("p", risk=Risk(normalization=normalization))
        return RunConfig(Source("rif", "x"), store.warehouse, years, (policy,))

    with pytest.raises(InputError) as caught:
        check_factors(store, asked((2021, 2031)), {2021})
    assert str(caught.value).startswith("normalization_factors: there is no factor for 2031, which has risk scores")
    check_factors(store, asked((2021,)), {2021})
    check_factors(store, asked((2021, 2030)), {2021})  # no factor, and no score that would need it
    check_factors(store, asked((2031,), "population"), {2021})


def test_a_policy_of_allowed_amounts_needs_them(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, Warehouse(path=str(tmp_path)))
    costs = """
        member_id | claim_type   | thru_month | from_month | service_category | service_category_2 | roster_network_id | is_denied | destination | allowed_amount
        m         | inpatient    | 2021-01-01 | 2021-01-01 | inpatient        | other              | ''                | true      | ''          | -
        m         | pharmacy     | 2021-01-01 | 2021-01-01 | pharmacy         | other              | ''                | false     | ''          | -
        m         | professional | 2021-01-01 | 2021-01-01 | professional     | other              | ''                | false     | ''          | 5
        m         | outpatient   | 2021-01-01 | 2021-01-01 | emergency        | other              | ''                | false     | ''          | 5
    """

    def asked(**cost: Any) -> RunConfig:
        policies = (Policy("p"), Policy("q", cost=Cost(amount="allowed", **cost)))
        return RunConfig(Source("rif", "x"), store.warehouse, (2021,), policies)

    store.publish(CLAIM_COSTS, frame(spark, CLAIM_COSTS, costs))
    check_allowed_amounts(store, asked())
    told = 'policy q: cost.amount is "allowed", but the source carries no allowed amount for '
    with pytest.raises(InputError, match=f"{told}pharmacy$"):
        check_allowed_amounts(store, asked(include_pharmacy=True))
    emergency = costs + "m | outpatient | 2021-02-01 | 2021-02-01 | emergency | other | '' | false | '' | -"
    store.publish(CLAIM_COSTS, frame(spark, CLAIM_COSTS, emergency))
    with pytest.raises(InputError, match=f"{told}outpatient$"):
        check_allowed_amounts(store, asked())
    with pytest.raises(InputError, match=f"{told}outpatient, pharmacy$"):
        check_allowed_amounts(store, asked(include_pharmacy=True))


LEAVES_OUT = {
    "exclude_ime_dsh_uncompensated": (True, "uncompensated_care_amount"),
    "include_pass_through": (False, "pass_through_amount"),
}


@pytest.mark.parametrize("setting", LEAVES_OUT)
def test_a_policy_that_leaves_out_a_part_of_payments_needs_a_source_that_tells_it(
    setting: str, spark: SparkSession, tmp_path: Path
) -> None:
    """Of inpatient claims; that no other type has such a part is no fault, and 0 is told."""
    store = Store(spark, Warehouse(path=str(tmp_path)))
    value, name = LEAVES_OUT[setting]
    lines = """
        claim_id | line_number | claim_version | claim_type | adjustment | service_category | service_category_2 | service_thru | member_id | is_denied | paid_amount | ime_amount | dsh_amount | uncompensated_care_amount | pass_through_amount
        c1       | 1           | 1             | inpatient  | original   | inpatient        | other              | 2021-01-01   | m         | false     | 1           | 0          | 1          | 0                         | 0
        c2       | 1           | 1             | dme        | original   | dme              | other              | 2021-01-01   | m         | false     | 1           | -          | -          | -                         | -
    """

    def asked(*settings: bool) -> RunConfig:
        policies = [Policy("p"), *[Policy("q", cost=Cost(**{setting: told})) for told in settings]]
        return RunConfig(Source("rif", "x"), store.warehouse, (2021,), tuple(policies))

    store.publish(FINAL_CLAIM_LINES, frame(spark, FINAL_CLAIM_LINES, lines))
    check_parts_of_payments(store, asked(value))
    untold = frame(spark, FINAL_CLAIM_LINES, lines).withColumn(name, F.lit(None).cast("decimal(18,2)"))
    store.publish(FINAL_CLAIM_LINES, untold)
    check_parts_of_payments(store, asked(not value))
    with pytest.raises(
        InputError, match=f"policy q: cost.{setting} = .*, but the source carries no {name} for inpatient"
    ):
        check_parts_of_payments(store, asked(value))


def test_what_a_policy_takes_as_supplied_stands_in_the_reference_folder(tmp_path: Path) -> None:
    def check(**cost: Any) -> None:
        policies = (Policy("p"), Policy("q", cost=Cost(**cost)))
        check_supplied(RunConfig(Source("rif", "x"), Warehouse("w"), (2021, 2022), policies, Reference(str(tmp_path))))

    def told(name: str, rows: str) -> None:
        (tmp_path / name).write_text(rows)

    check()
    with pytest.raises(InputError, match="completion_factors: there is no factor for policy q"):
        check(completion="supplied")
    heading = "service_category,runout_months,completion_factor,source"
    for factor in ("0", "1.013", "-0.5"):
        told("completion_factors.csv", f"{heading}\ndme,3,{factor},x\n")
        with pytest.raises(InputError, match=f"completion_factors: dme at 3 months is {factor}: a factor is the share"):
            check(completion="supplied")
    told("completion_factors.csv", f"{heading}\ndme,3,0.9871668312,x\n")
    check(completion="supplied")
    heading = "performance_year,enrollment_type,truncation_limit,source"
    told("truncation_limits.csv", f"{heading}\n2021,ESRD,100,x\n")
    with pytest.raises(InputError, match="truncation_limits: there is no limit of 2022 for policy q"):
        check(truncation="supplied")
    told("truncation_limits.csv", f"{heading}\n2021,ESRD,100,x\n2022,ESRD,-1,x\n")
    with pytest.raises(InputError, match="truncation_limits: ESRD in 2022 is -1, below 0"):
        check(truncation="supplied")


def test_a_cap_on_the_growth_of_risk_needs_its_reference_year_in_the_run() -> None:
    def asked(cap: str) -> RunConfig:
        policies = (Policy("p"), Policy("q", risk=Risk(cap=cap, cap_reference_year=2019)))
        return RunConfig(Source("rif", "x"), Warehouse("w"), (2021,), policies)

    check_caps(asked("none"))
    with pytest.raises(ConfigError, match=r"policy q: risk\.cap_reference_year = 2019 is not among performance_years"):
        check_caps(asked("both"))


def test_a_policy_of_supplied_means_needs_one_of_each_year_and_type_with_scores(
    spark: SparkSession, tmp_path: Path
) -> None:
    store = Store(spark, Warehouse(path=str(tmp_path / "warehouse")))
    years = """
        policy | performance_year | member_id | enrollment_type | member_months | risk_score
        p      | 2021             | m1        | ESRD            | 1             | 1
        p      | 2021             | m2        | OTHER           | 1             | -
        p      | 2022             | m1        | DISABLED        | 1             | 1
        p      | 2020             | m1        | OTHER           | 1             | 1
        q      | 2021             | m1        | OTHER           | 1             | 1
    """
    store.publish(MEMBER_YEARS, frame(spark, MEMBER_YEARS, years))

    def check(means: str, by_type: bool = False, normalization: str = "supplied") -> None:
        (tmp_path / "risk_means.csv").write_text("performance_year,enrollment_type,mean_risk_score,source\n" + means)
        policy = Policy("p", risk=Risk(normalization=normalization, by_enrollment_type=by_type))
        reference = Reference(str(tmp_path))
        check_risk_means(store, RunConfig(Source("rif", "x"), store.warehouse, (2021, 2022), (policy,), reference))

    check("", normalization="population")
    check("2021,ALL,1.1,x\n2022,ALL,1.2,x\n")
    with pytest.raises(InputError, match="risk_means: there is no mean above 0 of ALL in 2022"):
        check("2021,ALL,1.1,x\n2022,ALL,0,x\n")
    check("2021,ESRD,1.1,x\n2022,DISABLED,1.2,x\n", by_type=True)
    with pytest.raises(InputError, match="risk_means: there is no mean above 0 of DISABLED in 2022"):
        check("2021,ESRD,1.1,x\n2022,ALL,1.2,x\n", by_type=True)


def test_a_policy_that_completes_needs_to_know_when_claims_were_paid(spark: SparkSession, tmp_path: Path) -> None:
    store = Store(spark, Warehouse(path=str(tmp_path)))
    store.publish(CLAIM_LAGS, empty(spark, CLAIM_LAGS))

    def asked(completion: str) -> RunConfig:
        return RunConfig(Source("rif", "x"), store.warehouse, (2021,), (Policy("q", cost=Cost(completion=completion)),))

    check_paid_months(store, asked("none"))
    with pytest.raises(InputError, match=r"policy q: cost\.completion counts months of run-out, but the source tells"):
        check_paid_months(store, asked("chain_ladder"))
    row = "service_category | thru_month | from_month | paid_month | paid_amount\ndme | 2021-01-01 | 2021-01-01 | 2021-01-01 | 1"
    store.publish(CLAIM_LAGS, frame(spark, CLAIM_LAGS, row))
    check_paid_months(store, asked("chain_ladder"))


def test_an_error_of_input_is_one_line_of_the_command_with_exit_code_2(
    spark: SparkSession, engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pmpm_spark.cli import main

    panel.write_lists(tmp_path / "lists")
    path = panel.write_config(tmp_path, tmp_path / "lists", tmp_path / "warehouse", tmp_path / "nowhere")
    assert main(["run", "--config", str(path), "--engine", engine]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.splitlines()[-1] == f"pmpm: {tmp_path / 'nowhere'}: there is no such file or folder"
    assert "Traceback" not in out.err
    assert main(["show", "network_pmpm", "--config", str(path), "--engine", engine]) == 2
    said = capsys.readouterr().err
    assert said == f"pmpm: {tmp_path / 'warehouse'}: no run has finished in this warehouse; run `pmpm run` first\n"
