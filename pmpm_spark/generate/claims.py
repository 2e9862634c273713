"""What all kinds of generated claims share: when something happens, who pays first, and how a claim is delivered.

Something happens on a day of the year, each equally likely, and is kept where the person is covered for it; so the cost
of a covered month does not depend on how many months are covered. A few are kept all the same: claims of months without
coverage and after death.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column
from pyspark.sql import functions as F

from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.people import CONDITIONS, has_month, month_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PART_A, PART_B, DRUGS = "FDA", "FDB", "FDAB"
"""The letters of `cover` in whose months fee-for-service pays."""
UNCOVERED_SHARE = 0.03
"""Of what happens outside coverage or after death, the share that is billed all the same."""
MOST_EVENTS = 300
"""Of a kind in a person's year, so that their numbers keep to three digits."""
BAD_EVERY = 200
"""One person in 200 has rows that cannot be read."""


def claim_key() -> tuple[Column, Column, Column]:
    """The ids that every draw about one event belongs to."""
    return F.col("person"), F.col("year"), F.col("n")


def numbered(draws: Draws, kind: str, expected: Column, *, after: int = 0) -> Column:
    """As many numbers as things happen in a person's year, the first of them `after` + 1."""
    count = draws.count(F.least(expected, F.lit(float(MOST_EVENTS))), f"{kind} count", F.col("person"), F.col("year"))
    numbers = F.sequence(F.lit(after + 1).cast("bigint"), count + after)
    return F.when(count > 0, numbers).otherwise(F.array().cast("array<bigint>"))


def events(
    member_years: DataFrame, draws: Draws, kind: str, numbers: Column, *, covered: str, carry: Sequence[str] = ()
) -> DataFrame:
    """One row per thing that happens: person, year, its number n, happened_on, and what is known of the person."""
    known = (
        "person", "member_id", "year", "cover", "death_date", "conditions", "practice", "place", "network", "price",
        "payer_from", "payer_to", "payer_code", *carry,
    )  # fmt: skip
    each = member_years.select(*known, numbers.alias("numbers")).select(*known, F.explode("numbers").alias("n"))
    day = draws.below(365, f"{kind} day", *claim_key()).cast("int")
    dated = each.select(
        *known, "n", F.date_add(F.make_date(F.col("year").cast("int"), F.lit(1), F.lit(1)), day).alias("happened_on")
    )
    return dated.where(
        is_covered(F.col("happened_on"), covered) | draws.chance(UNCOVERED_SHARE, f"{kind} uncovered", *claim_key())
    )


def is_covered(day: Column, letters: str) -> Column:
    letter = F.substr(F.col("cover"), F.month(day), F.lit(1))
    is_alive = F.col("death_date").isNull() | (day <= F.col("death_date"))
    return letter.isin(*letters) & is_alive


def primary_payer(draws: Draws, kind: str, thru: Column) -> Column:
    """The code of who pays first: another payer in the person's months with one, else Medicare (blank, C, M, N)."""
    has_other = has_month("payer_from", "payer_to", month_of(thru)) & draws.chance(0.9, f"{kind} payer", *claim_key())
    return F.when(has_other, F.col("payer_code")).otherwise(
        draws.weighted({" ": 97, "C": 1, "M": 1, "N": 1}, f"{kind} Medicare first", *claim_key())
    )


def diagnosis(draws: Draws, name: str, *ids: Column) -> Column:
    """One of the person's conditions, or a check-up."""
    conditions = F.col("conditions")
    at = draws.below(F.greatest(F.size(conditions), F.lit(1)), name, *ids)
    return F.coalesce(lookup(list(CONDITIONS), F.get(conditions, at.cast("int"))), F.lit("Z0000"))


def claim_id(digit: int, part: Column | None = None) -> Column:
    """Unique by kind, person, year, event and part of it; a negative number as in CMS's own synthetic files."""
    return F.concat(
        F.lit(f"-{digit}"),
        F.lpad(F.col("person").cast("string"), 8, "0"),
        F.substr(F.col("year").cast("string"), F.lit(3), F.lit(2)),
        F.lpad(F.col("n").cast("string"), 3, "0"),
        (F.lit(0) if part is None else part).cast("string"),
    )


def processed_on(draws: Draws, kind: str, thru: Column) -> Column:
    """The Friday on which the claim was processed: mostly weeks, for some more than half a year after the service."""
    lag = F.when(
        draws.chance(0.05, f"{kind} late", *claim_key()), draws.below(200, f"{kind} very late", *claim_key()) + 90
    ).otherwise(draws.below(40, f"{kind} lag", *claim_key()) + 10)
    return F.next_day(F.date_add(thru, lag.cast("int")), "Fri")


def deliveries(claims: DataFrame, draws: Draws, kind: str) -> DataFrame:
    """One row per delivered version of a claim; `stands` where it is the one that counts.

    Of 1,000 claims 15 come first with 10% more money and one more line and are replaced by an UPDATE, 5 are not final
    and are never replaced, 3 come first as not final and then as final.
    """
    draw = draws.below(1_000, f"{kind} versions", *claim_key())
    last = _version("INSERT", "F", 0, 1.0, 0, stands=True)
    versions = (
        F.when(draw < 15, F.array(_version("INSERT", "F", 0, 1.1, 1), _version("UPDATE", "F", 5, 1.0, 0, stands=True)))
        .when(draw < 20, F.array(_version("INSERT", "N", 0, 1.0, 0)))
        .when(draw < 23, F.array(_version("INSERT", "N", 0, 0.9, 0), _version("UPDATE", "F", 9, 1.0, 0, stands=True)))
        .otherwise(F.array(last))
    )
    exploded = claims.select(*claims.columns, F.explode(versions).alias("version"))
    return exploded.select(
        *[name for name in claims.columns if name != "processed_on"],
        F.col("version.dml").alias("dml"),
        F.col("version.final_action").alias("final_action"),
        F.date_add(F.col("processed_on"), F.col("version.weeks_later") * 7).alias("processed_on"),
        F.col("version.share").alias("share"),
        F.col("version.more_lines").alias("more_lines"),
        F.col("version.stands").alias("version_stands"),
    )


def delivered_lines(versions: DataFrame, draws: Draws, kind: str, count: Column) -> DataFrame:
    """One row per delivered row of a version: `line` from 1 to `count`, and whether the row `stands`.

    Four in a thousand are delivered twice; one of the two stands.
    """
    each = versions.select(
        *versions.columns, F.explode(F.sequence(F.lit(1).cast("bigint"), count.cast("bigint"))).alias("line")
    )
    is_twice = draws.chance(0.004, f"{kind} twice", *claim_key(), F.col("line"))
    copies = F.when(is_twice, F.array(F.lit(False), F.lit(True))).otherwise(F.array(F.lit(True)))
    told = each.select(*each.columns, F.explode(copies).alias("is_last"))
    kept = [name for name in each.columns if name != "version_stands"]
    return told.select(*kept, (F.col("version_stands") & F.col("is_last")).alias("stands"))


def has_bad_row(place: int) -> Column:
    """The first event of a year of one person in 200 has something wrong; `place` tells one fault from another."""
    return (F.col("person") % BAD_EVERY == place) & (F.col("n") == 1)


def whole(amount: Column) -> Column:
    """Whole cents of an amount in cents."""
    return F.floor(amount).cast("bigint")


def _version(
    dml: str, final_action: str, weeks_later: int, share: float, more_lines: int, *, stands: bool = False
) -> Column:
    return F.struct(
        F.lit(dml).alias("dml"),
        F.lit(final_action).alias("final_action"),
        F.lit(weeks_later).alias("weeks_later"),
        F.lit(share).alias("share"),
        F.lit(more_lines).alias("more_lines"),
        F.lit(stands).alias("stands"),
    )
