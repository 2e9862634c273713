"""Code sets of the outcome measures that cannot be used stop a run before it begins, in one line; no engine is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmpm_spark.config import Reference, RunConfig, Source, Warehouse
from pmpm_spark.errors import InputError
from pmpm_spark.outcome_checks import check_outcome_codes
from pmpm_spark.policy import Policy
from pmpm_spark.reference import OUTCOME_CODE_SETS, reference_rows
from pmpm_spark.silver.outcome_codes import ALGORITHM, has_set, lacking

HEAD = "code_set,code_system,code,first_year,last_year,source\n"


def config_of(folder: Path, *rows: str) -> RunConfig:
    (folder / "outcome_code_sets.csv").write_text(HEAD + "".join(f"{row},2015,2030,ours\n" for row in rows))
    source, warehouse = Source("rif", "claims"), Warehouse("tables")
    return RunConfig(source, warehouse, (2022,), (Policy("p"),), reference=Reference(str(folder)))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("planed_drg,MS-DRG,470", "outcome_code_sets: code_set planed_drg is unknown (one of: observation, "),
        ("planned_drg,DRG,470", "outcome_code_sets: planned_drg has code 470 of DRG; it takes MS-DRG"),
        (
            "excluded_condition_hwr,CCS,650",
            "outcome_code_sets: excluded_condition_hwr has code 650 of CCS; it takes ICD",
        ),
        ("acute_diagnosis,ICD-10-CM,I21", "outcome_code_sets: planned_always_procedure has no row; the algorithm "),
    ],
)
def test_a_code_set_that_cannot_be_used_is_named(tmp_path: Path, row: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        check_outcome_codes(config_of(tmp_path, row))
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_supplied_sets_stand_beside_the_shipped_ones_and_count_in_their_years(tmp_path: Path) -> None:
    procedures, diagnoses = "ICD-10-PCS,0FY00Z0", "ICD-10-CM,Z5111"
    algorithm = [f"{name},{procedures if 'procedure' in name else diagnoses}" for name in ALGORITHM]
    config = config_of(tmp_path, *algorithm, "excluded_condition_pcr,ICD-10-CM,O80")
    check_outcome_codes(config)
    rows = reference_rows(OUTCOME_CODE_SETS, config.reference.path)
    assert has_set(rows, "observation", 2022)
    assert lacking(rows, "pcr_like", 2022) == ()
    assert lacking(rows, "pcr_like", 2031) == ("planned", "excluded_condition_pcr")
    assert lacking(rows, "hwr_like", 2022) == ("excluded_condition_hwr", "excluded_hospital_hwr")
    shipped = reference_rows(OUTCOME_CODE_SETS)
    assert lacking(shipped, "hwr_like", 2022) == ("planned", "excluded_condition_hwr", "excluded_hospital_hwr")
