"""Payment runs: contracts renamed, gone and in order; no line of a list is lost before money is paid by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pmpm_spark import runs
from pmpm_spark.capitation import capitate
from pmpm_spark.cli.render import as_table
from pmpm_spark.cli.report import write_report
from pmpm_spark.cli.summary import shown_rows
from pmpm_spark.config import load_config
from pmpm_spark.contract_terms import Terms
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER
from pmpm_spark.gold.capitation_variance import CAPITATION_VARIANCE
from pmpm_spark.gold.capitation_variance_split import CAPITATION_VARIANCE_SPLIT
from pmpm_spark.months import number_of
from pmpm_spark.payment_run import PaymentRun, current_contracts, last_payable_month
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Eligibility, Policy
from pmpm_spark.runs import RunBook
from pmpm_spark.sources.lists import LISTS, list_files
from pmpm_spark.warehouse import published
from tests import panel
from tests.loaded import Loads
from tests.partly import run_without_gold

C1 = Terms("C1", "N1", date(2023, 1, 1), date(2023, 12, 31))
EXAMPLES = Path(__file__).resolve().parent.parent / "conf" / "examples" / "capitation"


def paid(contract_id: str, previous: str | None = None) -> dict[str, object]:
    """A row of the payment run before."""
    through, terms = date(2023, 1, 1), "{}"
    told = {"contract_id": contract_id, "previous_contract_id": previous}
    return {**told, "payable_through": through, "terms": terms}


def test_a_contract_under_a_new_id_takes_over_what_was_posted() -> None:
    renamed = replace(C1, contract_id="C2", previous_contract_id="C1")
    assert current_contracts([renamed], [paid("C1")]) == {"C1": "C2"}
    again = replace(C1, contract_id="C3", previous_contract_id="C2")
    now = current_contracts([again], [paid("C1"), paid("C2", "C1")])
    assert now == {"C1": "C3", "C2": "C3"}
    last_run = [paid("C1"), paid("C2", "C1")]
    none: frozenset[str] = frozenset()
    store: Any = None
    payment = PaymentRun(store, date(2023, 2, 1), Policy("p"), "one", [again], [], none, none, last_run, now, 0, 0)
    assert set(payment.former) == {"C3"}


def test_a_paid_contract_that_is_gone_and_two_heirs_of_one_are_errors() -> None:
    with pytest.raises(InputError, match="C1 was paid and is gone"):
        current_contracts([replace(C1, contract_id="C2")], [paid("C1")])
    with pytest.raises(InputError, match="C1 is the previous id of two contracts"):
        current_contracts([replace(C1, contract_id=name, previous_contract_id="C1") for name in ("C2", "C3")], [])
    with pytest.raises(InputError, match="C1 is the previous id of C2, and a contract of its own"):
        current_contracts([C1, replace(C1, contract_id="C2", previous_contract_id="C1")], [])


def test_a_month_is_payable_from_its_first_day_or_after_its_last() -> None:
    march = number_of(date(2023, 3, 1))
    assert last_payable_month(date(2023, 3, 1), "in_advance") == march
    assert last_payable_month(date(2023, 3, 30), "in_arrears") == march - 1
    assert last_payable_month(date(2023, 3, 31), "in_arrears") == march


def test_the_shipped_examples_have_the_columns_of_their_lists(spark: SparkSession) -> None:
    for the_list in LISTS:
        if the_list.setting.startswith("contract"):
            files, notices = list_files(spark, the_list, str(EXAMPLES / f"{the_list.setting}.csv"))
            assert (len(files), notices) == (1, [])


def lists_of_contracts(folder: Path, rates: str) -> None:
    """K1 pays for network N1, K2 for N2."""
    head = "contract_id,contract_name,network_id,line_of_business,start_date,end_date,coverage_rule"
    of = "aco,2021-01-01,2021-12-31,first_of_month"
    (folder / "contracts.csv").write_text(f"{head}\nK1,First,N1,{of}\nK2,Second,N2,{of}\n")
    columns = "contract_id,effective_from,effective_to,enrollment_type,age_band,sex,rate,risk_adjusted"
    (folder / "contract_rates.csv").write_text(f"{columns}\n{rates}")


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panel") / "claims"
    panel.write_files(folder)
    return folder


def test_payment_runs_post_what_changed_and_one_that_dies_posts_nothing(
    spark: SparkSession, loads: Loads, claims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann is N1's all year and costs 100 a month; Ben, N2's, dies in March: three months of 50 are due, and no more."""
    panel.write_lists(tmp_path / "lists")
    first_rates = "K1,2021-01-01,,*,*,*,100.00,false\nK2,2021-01-01,,*,*,*,50.00,false\n"
    lists_of_contracts(tmp_path / "lists", first_rates)
    config = load_config(str(panel.write_config(tmp_path, tmp_path / "lists", tmp_path / "wh", claims)))
    loads.begin(config, but=[the_list.setting for the_list in LISTS])
    run_without_gold(spark, config)

    def posted(as_of: date) -> dict[str, tuple[int, Decimal]]:
        return {one.contract_id: (one.lines, one.amount) for one in capitate(spark, config, as_of).contracts}

    with monkeypatch.context() as dying:
        dying.setattr(runs, "restore_unfinished", lambda *_: [])
        write = RunBook.write

        def dies(book: RunBook, run_id: str, status: str, **told: Any) -> None:
            if status == "finished":
                raise SystemExit("the driver is gone")
            write(book, run_id, status, **told)

        dying.setattr(RunBook, "write", dies)
        with pytest.raises(SystemExit):
            posted(date(2021, 3, 5))
    assert posted(date(2021, 3, 5)) == {"K1": (3, Decimal(300)), "K2": (3, Decimal(150))}
    assert posted(date(2021, 6, 5)) == {"K1": (3, Decimal(300)), "K2": (0, Decimal(0))}
    assert posted(date(2021, 6, 5)) == {"K1": (0, Decimal(0)), "K2": (0, Decimal(0))}
    lists_of_contracts(
        tmp_path / "lists", first_rates.replace("2021-01-01,,*,*,*,100", "2021-01-01,2021-04-30,*,*,*,100")
        + "K1,2021-05-01,,*,*,*,110.00,false\n"
    )  # fmt: skip
    run_without_gold(spark, config)
    assert posted(date(2021, 6, 5)) == {"K1": (2, Decimal(20)), "K2": (0, Decimal(0))}
    ledger = published(spark, config).read(CAPITATION_LEDGER)
    sums = ledger.groupBy("contract_id").agg(F.sum("amount").alias("amount"), F.count(F.lit(1)).alias("lines"))
    assert {row["contract_id"]: (row["lines"], row["amount"]) for row in sums.collect()} == {
        "K1": (8, Decimal("620.00")),
        "K2": (3, Decimal("150.00")),
    }
    lists_of_contracts(tmp_path / "lists", first_rates.replace("2021-01-01,,*,*,*,100", "2021-03-01,,*,*,*,100"))
    run_without_gold(spark, config)
    with pytest.raises(InputError, match=r"K1.*2021-01"):
        posted(date(2021, 7, 5))
    assert published(spark, config).read(CAPITATION_LEDGER).count() == 11
    lists_of_contracts(tmp_path / "lists", first_rates)
    run(spark, config, group="load")
    other = replace(config.policies[0], description="other words", eligibility=Eligibility(exclude_non_us=False))
    with pytest.raises(ConfigError, match="its rules were changed since the last finished run; run `pmpm run` first"):
        capitate(spark, replace(config, policies=(other,)), date(2021, 7, 5))
    roster = tmp_path / "lists" / "network_roster.csv"
    roster.write_text(roster.read_text() + "N1,First,MSSP,333,,,2014-01-01,\n")
    run(spark, config, group="load")
    with pytest.raises(
        InputError, match=r"silver\.network_roster was loaded since silver\.attribution was made; `pmpm run`"
    ):
        capitate(spark, config, date(2021, 7, 5))


def test_a_load_with_too_many_rejects_names_their_lines_and_a_load_alone_is_not_paid_by(
    spark: SparkSession, tmp_path: Path
) -> None:
    panel.write_files(tmp_path / "claims")
    panel.write_lists(tmp_path / "lists")
    lists_of_contracts(tmp_path / "lists", "K1,2021-01-01,,*,*,*,100.00,false\nK2,2021-01-01,,*,*,*,-50.00,false\n")
    path = panel.write_config(tmp_path, tmp_path / "lists", tmp_path / "wh", tmp_path / "claims")
    config = load_config(str(path), ["source.max_reject_share=0.05"])
    told = r"contract_rates\.csv: 1 of 2 rows are rejected, line 3 \(1: rate is negative\), more than "
    with pytest.raises(InputError, match=told):
        run(spark, config, group="load")
    config = load_config(str(path))
    run(spark, config, group="load")
    with pytest.raises(InputError, match="not published yet in this warehouse; run `pmpm run` first") as caught:
        capitate(spark, config, date(2021, 3, 5))
    assert caught.value.exit_code == 2


BUDGET = "contract_id,year,service_category,member_months,services_per_1000,cost_per_service"


def test_payment_runs_tell_allocated_against_actual_and_refuse_a_budget_that_does_not_hold(
    spark: SparkSession, loads: Loads, claims: Path, tmp_path: Path
) -> None:
    """Ann's year costs 1,320 of 1,200 that are due and 1,400 that are expected; Ben's three months 40 of 150."""
    lists, as_of = tmp_path / "lists", date(2021, 12, 5)
    panel.write_lists(lists)
    lists_of_contracts(lists, "K1,2021-01-01,,*,*,*,100.00,false\nK2,2021-01-01,,*,*,*,50.00,false\n")
    budget = f"{BUDGET}\nK1,2021,inpatient,12,1000,1200\nK1,2021,professional,12,2000,100\n"
    (lists / "contract_budget.csv").write_text(budget)
    config = load_config(str(panel.write_config(tmp_path, lists, tmp_path / "wh", claims)))
    loads.begin(config, but=[the_list.setting for the_list in LISTS])
    run(spark, config)
    for posted in (True, False):  # the same day again posts nothing, and tells the same
        result = capitate(spark, config, as_of)
        assert (result.posting_run == 1) == posted
        assert [(one.contract_id, one.actual_amount, one.comparator_amount) for one in result.years] == [
            ("K1", 1320, 1400),
            ("K2", 40, None),
        ]
    assert [one.alert_said for one in result.years] == [
        "K1, 2021: actual is 120.00 (10.0%) above allocated; 12 months out of line",
        "K2, 2021: actual is 110.00 (73.3%) below allocated; 3 months out of line",
    ]
    warehouse = published(spark, config)
    split = warehouse.read(CAPITATION_VARIANCE_SPLIT).where("period_type = 'year' AND amount <> 0").collect()
    assert {(r["contract_id"], r["effect"], r["service_category"], r["services"]): r["amount"] for r in split} == {
        ("K1", "COST_PER_SERVICE", "inpatient", 1): -160,
        ("K1", "USE", "professional", 1): -90,
        ("K1", "COST_PER_SERVICE", "professional", 1): -30,
        ("K1", "USE", "emergency", 1): 200,
    }
    chosen = {"years": [2021], "networks": ["N1"], "policies": ["panel"], "at_most": 60}
    told = as_table(shown_rows(lambda: warehouse, config.warehouse, "capitation_variance", **chosen))
    assert len(told.splitlines()) == 2 + 12 + 1
    of_year = (
        "K1 year 2021-01-01 N1 12 1,200.00 1,200.00 0.00 1,320.00 120.00 10.00 budget 1,400.00 yes 2021 1 yes panel"
    )
    assert told.splitlines()[-1].split() == [*of_year.split(), "2021-12-05"]
    page = write_report(warehouse, tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="contract-2"' in page
    assert "1,320" not in page  # one member: left out
    gaps = {
        "K1,2021,inpatient,13,1000,1200\n": r"contract K1, cell \* x \* x \*, 2021-01: member_months are 13 of inpat",
        "K9,2021,inpatient,12,1000,1200\n": "contract_budget: K9 is not among contracts",
        "K2,2021,dentist,12,1000,1200\n": r"K2, cell \* x \* x \*, 2021-01: no service category dentist",
        "K2,2021,dme,12,-1,1\n": "rows cannot be paid by",
    }
    for row, why in gaps.items():
        first = budget.replace("K1,2021,inpatient,12,1000,1200\n", "") if row.startswith("K1") else budget
        (lists / "contract_budget.csv").write_text(first + row)
        run(spark, config, group="load")
        with pytest.raises(InputError, match=why):
            capitate(spark, config, as_of)
    only_esrd = f"{BUDGET},enrollment_type\nK1,2021,dme,12,1000,1200,ESRD\n"
    (lists / "contract_budget.csv").write_text(only_esrd)
    run(spark, config, group="load")
    with pytest.raises(
        InputError, match="contract K1, cell AGED_NON_DUAL x 80 x U, 2021-01: no cell of the budget holds"
    ):
        capitate(spark, config, as_of)
    again = published(spark, config)
    assert again.read(CAPITATION_LEDGER).count() == 15
    assert again.read(CAPITATION_VARIANCE).where("period_type = 'year'").count() == 2
