"""Which versions of a claim are delivered, when, and in which delivery.

What the other format replaces or never makes final is here an original and a cancel, with a replacement where one
came. More claims are replaced than there: they come first with another amount. So what stands is the same in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.cclf.ids import UNMATCHED, id_at, person_of_claim
from pmpm_spark.generate.cclf.schedule import Schedule
from pmpm_spark.generate.draws import Draws
from pmpm_spark.generate.people import month_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ORIGINAL, CANCEL, ADJUSTMENT = "0", "1", "2"
"""CLM_ADJSMT_TYPE_CD."""
REPLACED, TWINS, NEVER_CAME = 12, 8, 3
"""Of 1,000 claims: replaced here alone; with another original of the same natural key, which is cancelled; a cancel
of something that was never delivered."""
_STEP = "struct<adjustment:string,version:int,effective_on:date,share:double,is_last:boolean,is_twin:boolean>"
_FIRST_SHARE, _TWIN_SHARE = 1.05, 0.9
_WEEKS_TO_REPLACE, _DAYS_TO_CANCEL = 5, 28


def told_versions(rows: DataFrame, facts: Mapping[str, Column], lines: Mapping[str, Column]) -> DataFrame:
    """One row per claim of the readable rows given (claim_id, is_update, is_final, processed_on, line, …).

    `first` and `last` are its first and its last version, each with the facts of its first line and all its lines.
    """
    by_version = rows.groupBy("claim_id", "is_update").agg(
        F.max("is_final").alias("is_final"),
        F.max("processed_on").alias("processed_on"),
        F.min_by(F.struct(*[value.alias(name) for name, value in facts.items()]), "line").alias("facts"),
        F.sort_array(
            F.array_distinct(F.collect_list(F.struct(*[value.alias(name) for name, value in lines.items()])))
        ).alias("lines"),
    )
    version = F.struct("is_final", "processed_on", "facts", "lines")
    return by_version.groupBy("claim_id").agg(
        F.min_by(version, "is_update").alias("first"),
        F.max_by(version, "is_update").alias("last"),
        (F.count(F.lit(1)) > 1).alias("is_replaced"),
    )


def with_steps(
    claims: DataFrame, draws: Draws, kind: str, schedule: Schedule, *, adjustment: str, has_twins: bool
) -> DataFrame:
    """One row per delivered version of a Part A, Part B or equipment claim: `step` and what it carries."""
    number = claim_draw_id()
    planted = draws.below(1_000, f"{kind} deliveries", number)
    is_final = F.col("last.is_final")
    again = is_final & (F.col("is_replaced") | (planted < REPLACED) | _comes_before_new_id(draws, schedule, kind))
    replaced_on = _replaced_on()
    removed_on = F.date_add(replaced_on, draws.one_of((-7, 0, 7), f"{kind} cancelled", number).cast("int"))
    first_on = F.col("first.processed_on")
    lapsed_on = F.date_add(first_on, _DAYS_TO_CANCEL)
    share = F.when(~F.col("is_replaced") & is_final, _FIRST_SHARE).otherwise(1.0)
    top = REPLACED + (TWINS if has_twins else 0)
    has_twin = ~again & (planted >= REPLACED) & (planted < top)
    comes_alone = (planted >= top) & (planted < top + NEVER_CAME) & _is_whole_bill()
    twin_share = F.lit(_TWIN_SHARE)
    steps = [
        _step(ORIGINAL, 0, first_on, share=F.when(again, share).otherwise(1.0)),
        F.when(again, _step(CANCEL, 1, removed_on, share=share)),
        F.when(again, _step(adjustment, 2, replaced_on, is_last=True)),
        F.when(~is_final, _step(CANCEL, 1, lapsed_on)),
        F.when(has_twin, _step(ORIGINAL, 0, first_on, share=twin_share, is_twin=True)),
        F.when(has_twin, _step(CANCEL, 1, lapsed_on, share=twin_share, is_twin=True)),
        F.when(comes_alone, _step(CANCEL, UNMATCHED, lapsed_on)),
    ]
    return _of_steps(claims, steps)


def with_drug_steps(claims: DataFrame, draws: Draws) -> DataFrame:
    """The same of fills, of which the latest record of a key stands: no cancel comes before a change."""
    number = claim_draw_id()
    planted = draws.below(1_000, "drugs deliveries", number)
    is_final = F.col("last.is_final")
    first_on = F.col("first.processed_on")
    again = is_final & (F.col("is_replaced") | (planted < REPLACED))
    comes_alone = (planted >= REPLACED) & (planted < REPLACED + NEVER_CAME)
    deleted_on = F.date_add(first_on, _DAYS_TO_CANCEL)
    steps = [
        _step(ORIGINAL, 0, first_on, share=F.when(again & ~F.col("is_replaced"), _FIRST_SHARE).otherwise(1.0)),
        F.when(again, _step(ADJUSTMENT, 2, _replaced_on(), is_last=True)),
        F.when(~is_final, _step(CANCEL, 1, deleted_on)),
        F.when(comes_alone, _step(CANCEL, UNMATCHED, deleted_on)),
    ]
    return _of_steps(claims, steps)


def delivered(versions: DataFrame, draws: Draws, kind: str, schedule: Schedule) -> DataFrame:
    """The versions with `delivery`, `loaded_on` and `mbi`; one in 200 stands in two deliveries.

    Most are loaded on the Monday after their Friday, three in a hundred up to 20 weeks later. The id is that of the
    month of loading, in the second delivery as in the first.
    """
    ids = (claim_draw_id(), F.col("step.version"), F.col("step.is_twin").cast("int"))
    last_day = F.lit(schedule.last_load_day)
    lag = F.when(draws.chance(0.03, f"{kind} loaded late", *ids), draws.below(138, f"{kind} load lag", *ids) + 3)
    effective_on = F.least(F.col("step.effective_on"), last_day)
    dated = versions.select(
        *versions.columns,
        effective_on.alias("effective_on"),
        F.least(F.date_add(effective_on, F.coalesce(lag, F.lit(3)).cast("int")), last_day).alias("loaded_on"),
    )
    month = month_of(F.col("loaded_on"))
    in_run_out = F.greatest(month, F.lit(schedule.last_regular).cast("bigint")) + 1
    later = F.when(draws.chance(0.4, f"{kind} again in run-out", *ids), in_run_out).otherwise(
        month + draws.below(3, f"{kind} months later", *ids) + 1
    )
    comes_again = draws.chance(0.005, f"{kind} delivered again", *ids) & (later <= schedule.last_month)
    person = person_of_claim(F.col("claim_id"))
    return dated.select(
        *dated.columns,
        id_at(draws, schedule, person, F.col("facts.member_id"), month).alias("mbi"),
        F.explode(F.when(comes_again, F.array(month, later)).otherwise(F.array(month))).alias("delivery"),
    )


def claim_draw_id() -> Column:
    """The claim as a whole number, for draws."""
    return F.substr(F.col("claim_id"), F.lit(2)).cast("bigint")


def is_unmatched() -> Column:
    return F.col("step.version") == UNMATCHED


def _is_whole_bill() -> Column:
    return F.substr(F.col("claim_id"), F.lit(16), F.lit(1)) == "0"


def _comes_before_new_id(draws: Draws, schedule: Schedule, kind: str) -> Column:
    """Half of the claims of the month before a new id: they are replaced under it."""
    person, month = person_of_claim(F.col("claim_id")), month_of(F.col("first.processed_on"))
    ids = [id_at(draws, schedule, person, F.lit(""), m) for m in (month, month + 1)]
    return (ids[0] != ids[1]) & draws.chance(0.5, f"{kind} before a new id", claim_draw_id())


def _replaced_on() -> Column:
    weeks = F.date_add(F.col("first.processed_on"), _WEEKS_TO_REPLACE * 7)
    return F.when(F.col("is_replaced"), F.col("last.processed_on")).otherwise(weeks)


def _step(
    adjustment: str,
    version: int,
    effective_on: Column,
    *,
    share: Column | None = None,
    is_last: bool = False,
    is_twin: bool = False,
) -> Column:
    return F.struct(
        F.lit(adjustment).alias("adjustment"),
        F.lit(version).alias("version"),
        effective_on.alias("effective_on"),
        (F.lit(1.0) if share is None else share).alias("share"),
        F.lit(is_last).alias("is_last"),
        F.lit(is_twin).alias("is_twin"),
    ).cast(_STEP)


def _of_steps(claims: DataFrame, steps: Sequence[Column]) -> DataFrame:
    there = F.array_compact(F.array(*steps))
    exploded = claims.select("claim_id", "first", "last", F.explode(there).alias("step"))
    is_last = F.col("step.is_last")

    def of_version(names: Sequence[str]) -> list[Column]:
        return [F.when(is_last, F.col(f"last.{n}")).otherwise(F.col(f"first.{n}")).alias(n) for n in names]

    return exploded.select("claim_id", "step", *of_version(("facts", "lines")))
