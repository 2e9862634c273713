"""Payment runs: contracts renamed, gone and in order; no line of a list is lost before money is paid by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.capitation import _current, _former, _last_payable
from pmpm_spark.contract_terms import Terms
from pmpm_spark.errors import InputError
from pmpm_spark.months import number_of
from pmpm_spark.sources.lists import LISTS, list_files

C1 = Terms("C1", "N1", date(2023, 1, 1), date(2023, 12, 31))
EXAMPLES = Path(__file__).resolve().parent.parent / "conf" / "examples" / "capitation"


def paid(contract_id: str, previous: str | None = None) -> dict[str, object]:
    """A row of the payment run before."""
    through, terms = date(2023, 1, 1), "{}"
    told = {"contract_id": contract_id, "previous_contract_id": previous}
    return {**told, "payable_through": through, "terms": terms}


def test_a_contract_under_a_new_id_takes_over_what_was_posted() -> None:
    renamed = replace(C1, contract_id="C2", previous_contract_id="C1")
    assert _current([renamed], [paid("C1")]) == {"C1": "C2"}
    again = replace(C1, contract_id="C3", previous_contract_id="C2")
    now = _current([again], [paid("C1"), paid("C2", "C1")])
    assert now == {"C1": "C3", "C2": "C3"}
    assert set(_former([paid("C1"), paid("C2", "C1")], now)[0]) == {"C3"}


def test_a_paid_contract_that_is_gone_and_two_heirs_of_one_are_errors() -> None:
    with pytest.raises(InputError, match="C1 was paid and is gone"):
        _current([replace(C1, contract_id="C2")], [paid("C1")])
    with pytest.raises(InputError, match="C1 is the previous id of two contracts"):
        _current([replace(C1, contract_id=name, previous_contract_id="C1") for name in ("C2", "C3")], [])
    with pytest.raises(InputError, match="C1 is the previous id of C2, and a contract of its own"):
        _current([C1, replace(C1, contract_id="C2", previous_contract_id="C1")], [])


def test_a_month_is_payable_from_its_first_day_or_after_its_last() -> None:
    march = number_of(date(2023, 3, 1))
    assert _last_payable(date(2023, 3, 1), "in_advance") == march
    assert _last_payable(date(2023, 3, 30), "in_arrears") == march - 1
    assert _last_payable(date(2023, 3, 31), "in_arrears") == march


def test_the_shipped_examples_have_the_columns_of_their_lists(spark: SparkSession) -> None:
    for the_list in LISTS:
        if the_list.setting.startswith("contract"):
            files, notices = list_files(spark, the_list, str(EXAMPLES / f"{the_list.setting}.csv"))
            assert (len(files), notices) == (1, [])
