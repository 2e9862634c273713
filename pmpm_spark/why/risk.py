"""A member's computed risk score: who is scored how, each category with its diagnosis and claim, what a more severe one
drops, and the coefficients with their sum.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pmpm_spark.errors import InputError, StageError
from pmpm_spark.silver.member_hccs import MEMBER_HCCS
from pmpm_spark.silver.risk_factors import DIVISOR, KINDS, PLACES, RISK_FACTORS
from pmpm_spark.silver.risk_profiles import RISK_PROFILES
from pmpm_spark.silver.risk_scores import COMPUTED, RISK_SCORES
from pmpm_spark.table import Table
from pmpm_spark.why.section import Section

if TYPE_CHECKING:
    from pyspark.sql import Row

    from pmpm_spark.warehouse import Published

_AT = ("performance_year", "model")
PROFILE = (
    *_AT, "share", "segment", "age", "sex", "original_entitlement_reason", "dual_status", "is_new_enrollee",
    "is_institutional",
)  # fmt: skip
HCC = (*_AT, "hcc", "code", "service_thru", "claim_id", "coefficient", "dropped_by")
FACTOR = (*_AT, "kind", "variable", "coefficient")
SCORE = ("performance_year", "origin", "risk_score", "normalized_score", "payment_score", "model", "source")


def risk_sections(warehouse: Published, member_id: str, year: int | None) -> list[Section]:
    """Profile, categories, factors and scores of a member, as the last finished run has them.

    Raises:
        InputError: the run has no score of the member (in the year).
        StageError: the factors do not add up to the score.
    """

    def of_member(table: Table) -> list[Row]:
        rows = warehouse.read(table).where(F.col("member_id") == member_id)
        return rows.where(F.lit(year is None) | (F.col("performance_year") == (year or 0))).collect()

    scores = sorted(of_member(RISK_SCORES), key=lambda row: (row["performance_year"], row["origin"]))
    if not scores:
        when = "" if year is None else f" in {year}"
        raise InputError(f"explain: the last finished run has no risk score of this member{when}")
    profiles = {(row["performance_year"], row["model"]): row for row in of_member(RISK_PROFILES)}
    factors = sorted(of_member(RISK_FACTORS), key=_in_order)
    coefficient = {(*[row[name] for name in _AT], row["variable"]): row["coefficient"] for row in factors}
    sums = _sums(factors)
    _check(scores, profiles, sums)
    hccs = sorted(of_member(MEMBER_HCCS), key=lambda row: (*[row[name] for name in _AT], int(row["hcc"])))
    told = [
        tuple(
            coefficient.get((*[row[n] for n in _AT], f"HCC{row['hcc']}")) if name == "coefficient" else row[name]
            for name in HCC
        )
        for row in hccs
    ]
    totals = [(*at, "sum", "raw score", total) for at, total in sums.items()]
    return [
        Section("risk_profile", "risk: who is scored, and by what", PROFILE, _cells(profiles.values(), PROFILE), NONE),
        Section("hccs", "condition categories, each with the claim that tells it first", HCC, told, "no category"),
        Section("risk_factors", "what adds to the raw score", FACTOR, [*_cells(factors, FACTOR), *totals], NONE),
        Section("risk_scores", "scores", SCORE, _cells(scores, SCORE)),
    ]


NONE = "none computed: no policy of the run computes scores, or the member is not scored (docs/risk.md says who is)"


def _cells(rows: Any, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def _in_order(row: Row) -> tuple[Any, ...]:
    return (*[row[name] for name in _AT], KINDS.index(row["kind"]), row["variable"])


def _sums(factors: list[Row]) -> dict[tuple[Any, ...], Decimal]:
    """The raw score by year and model."""
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in sorted(factors, key=lambda row: row["kind"] == DIVISOR):
        at = (row["performance_year"], row["model"])
        if row["kind"] == DIVISOR:
            sums[at] = (sums[at] / row["coefficient"]).quantize(Decimal(1).scaleb(-PLACES), ROUND_HALF_UP)
        else:
            sums[at] += row["coefficient"]
    return sums


def _check(scores: list[Row], profiles: dict[Any, Row], sums: dict[tuple[Any, ...], Decimal]) -> None:
    """The parts are the score."""
    for row in scores:
        if row["origin"] == COMPUTED:
            of_year = {at: total for at, total in sums.items() if at[0] == row["performance_year"]}
            blended = sum((total * profiles[at]["share"] for at, total in of_year.items()), Decimal(0))
            if abs(max(blended, Decimal(0)) - row["risk_score"]) > Decimal("0.000001"):
                raise StageError(f"silver.risk_factors: the factors of {row['performance_year']} do not make the score")
