"""A stage ties one table to the tables it is made from and the settings it uses; nothing else decides what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pmpm_spark.errors import ConfigError
from pmpm_spark.policy import Policy
from pmpm_spark.table import Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


CLAIM, MEMBER = "claim_id", "member_id"


def _untold(table: Table) -> Column:
    raise LookupError(f"{table.name}: no column is told to hold the id")


@dataclass(frozen=True)
class Stage:
    """`build` takes the frames of `inputs` by position and the `settings` by keyword, and returns `output`'s rows.

    Reference tables of which expressions are made (`rules`) are given as rows, by the keyword of their short name.
    `asked`: whether a policy of the run wants rows; where none does `build` gives none, and an empty table is left.
    `by`: the id (CLAIM or MEMBER) whose rows are made of the rows with that id alone, of every input that tells it.
    `id_in` tells it in a bronze table. `touched`, by the name of an input that does not tell it, gives the ids that
    rows of it concern, from them and the other inputs.
    """

    output: Table
    inputs: tuple[Table, ...]
    build: Callable[..., DataFrame]
    settings: tuple[str, ...] = ()
    rules: tuple[Table, ...] = ()
    asked: Callable[[Sequence[Policy]], bool] = lambda policies: True
    by: str | None = None
    id_in: Callable[[Table], Column] = _untold
    touched: Mapping[str, Callable[..., DataFrame]] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[Table, ...]:
        return (*self.inputs, *self.rules)


def in_order(stages: Iterable[Stage], given: Iterable[Table] = ()) -> tuple[Stage, ...]:
    """The stages as they stand, after checking that each reads only what is given or made before it.

    Raises:
        ValueError: a stage reads a table that no earlier stage makes, or makes one a second time.
    """
    known = {table.name for table in given}
    checked = []
    for stage in stages:
        for table in stage.reads:
            if table.name not in known:
                raise ValueError(f"stage {stage.output.name} reads {table.name}, which no earlier stage makes")
        if stage.output.name in known:
            raise ValueError(f"{stage.output.name} is made twice")
        known.add(stage.output.name)
        checked.append(stage)
    return tuple(checked)


def chosen(stages: tuple[Stage, ...], only: str | None = None, start: str | None = None) -> tuple[Stage, ...]:
    """The stages that `--only TABLE` or `--from TABLE` asks for.

    Raises:
        ConfigError: the name is no stage's table.
    """
    if only is None and start is None:
        return stages
    wanted = only if only is not None else start
    names = [stage.output.name for stage in stages]
    matches = [i for i, name in enumerate(names) if wanted in (name, name.partition(".")[2])]
    if not matches:
        raise ConfigError(f"no table {wanted}: the stages make {', '.join(names)}")
    at = matches[0]
    return stages[at : at + 1] if only is not None else stages[at:]
