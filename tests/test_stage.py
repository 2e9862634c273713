"""Stages: each reads only what stands before it, and a run can choose among them."""

from __future__ import annotations

import pytest

from pmpm_spark.errors import ConfigError
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.stage import Stage, chosen, in_order
from pmpm_spark.stages import ALL_TABLES, GOLD, STAGES, STORED, given_to, groups_of, stages_of, stored_by
from pmpm_spark.table import Table, text


def table(name: str) -> Table:
    return Table(name=name, grain="one row", key=("id",), columns=(text("id", "id"),))


GIVEN_ONE, FIRST, SECOND, THIRD = (table(f"silver.{name}") for name in ("given", "first", "second", "third"))


def stage(output: Table, *inputs: Table) -> Stage:
    return Stage(output, inputs, lambda *frames: frames[0])


def test_stages_that_read_what_stands_before_them_are_in_order() -> None:
    stages = (stage(FIRST, GIVEN_ONE), stage(SECOND, GIVEN_ONE, FIRST))
    assert in_order(stages, given=(GIVEN_ONE,)) == stages


def test_a_stage_before_its_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"silver\.second reads silver\.first, which no earlier stage makes"):
        in_order((stage(SECOND, FIRST), stage(FIRST, GIVEN_ONE)), given=(GIVEN_ONE,))


def test_a_stage_that_reads_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="no earlier stage makes"):
        in_order((stage(FIRST, FIRST),))


def test_a_table_made_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"silver\.first is made twice"):
        in_order((stage(FIRST, GIVEN_ONE), stage(FIRST, GIVEN_ONE)), given=(GIVEN_ONE,))
    with pytest.raises(ValueError, match=r"silver\.given is made twice"):
        in_order((stage(GIVEN_ONE, GIVEN_ONE),), given=(GIVEN_ONE,))


THREE = (stage(FIRST, GIVEN_ONE), stage(SECOND, FIRST), stage(THIRD, SECOND))


def test_only_and_from_choose_by_full_or_short_name() -> None:
    assert chosen(THREE) == THREE
    assert chosen(THREE, only="silver.second") == chosen(THREE, only="second") == THREE[1:2]
    assert chosen(THREE, start="second") == THREE[1:]


def test_a_name_that_no_stage_makes_is_refused_with_those_that_are_made() -> None:
    with pytest.raises(ConfigError, match=r"no table secnd: the stages make silver\.first, silver\.second"):
        chosen(THREE, only="secnd")


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_the_stages_of_each_source_are_in_order(kind: str) -> None:
    stages, given = stages_of(kind), given_to(kind)
    assert in_order(stages, given=given) == stages
    with pytest.raises(ValueError, match="no earlier stage makes"):
        in_order(reversed(stages), given=given)


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_what_follows_a_source_is_the_same_for_all(kind: str) -> None:
    assert stages_of(kind)[-len(STAGES) :] == STAGES


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_the_groups_are_the_stages_in_order(kind: str) -> None:
    groups = groups_of(kind)
    assert (*groups["load"], *groups["silver"], *groups["gold"]) == stages_of(kind)
    assert {stage.output.layer for stage in groups["gold"]} == {"gold", "ops"}
    assert all(stage.output.layer not in ("gold", "ops") for stage in (*groups["load"], *groups["silver"]))


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_stage_makes_a_stored_table_and_every_gold_table_is_made(kind: str) -> None:
    names = [table.name for table in stored_by(kind)]
    assert len(names) == len(set(names))
    assert {stage.output.name for stage in stages_of(kind)} < set(names)
    assert set(names) <= {table.name for table in STORED}
    assert [t.short_name for t in GOLD] == [
        "network_pmpm",
        "practice_pmpm",
        "physician_pmpm",
        "network_pmpm_by_month",
        "network_pmpm_rolling",
        "network_pmpm_change",
        "network_replicates",
        "network_comparison",
        "network_comparison_parts",
        "pmpm_forecast",
        "network_pmpm_by_category",
        "network_pmpm_by_subcategory",
        "cost_concentration",
        "leakage_destinations",
        "network_risk_by_month",
        "experience_scores",
        "outcome_measures",
        "excluded",
        "restatement",
    ]


def test_a_short_name_means_one_table_of_those_made() -> None:
    for kind in SOURCE_KINDS:
        made = [stage.output.short_name for stage in stages_of(kind)]
        assert len(made) == len(set(made))
    assert len({t.name for t in ALL_TABLES}) == len(ALL_TABLES)
