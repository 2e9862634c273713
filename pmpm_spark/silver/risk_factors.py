"""Risk factors: each variable of a member's year that a model has a coefficient for; their sum is the raw score, but of
new enrollees with a graft, whose sum ESRD V24 divides.

The variables are those of CMS's software, by its names: age and sex cell, categories that count, interactions, the
number of payment categories. One without a coefficient in the member's segment adds nothing and is no row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.silver.risk_profiles import AGED, ANY, DIALYSIS, GRAFT, TRANSPLANT, TRANSPLANT_SEGMENT, models_of
from pmpm_spark.table import SCORE, Table, column, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_KEY = ("member_id", "performance_year", "model")
DIVISOR = "divisor"
KINDS = ("demographic", "condition", "interaction", "count", DIVISOR)
PLACES = 3
"""CMS rounds a score that is divided to so many places, half up, step by step."""

RISK_FACTORS = Table(
    name="silver.risk_factors",
    grain="one row per member, performance year, model and variable that makes the score",
    key=(*_KEY, "variable"),
    columns=(
        text("member_id", "pseudonymous member key"),
        year("performance_year", "payment year"),
        text("model", "model that the score is of"),
        text("variable", "CMS's name of the variable, in capitals"),
        text("kind", f"one of: {', '.join(KINDS)}"),
        column("coefficient", SCORE, "what it adds to the raw score; of a divisor: what divides the sum"),
    ),
    rules={"kind_is_known": f"kind IN ({', '.join(repr(kind) for kind in KINDS)})"},
    cluster_by=("member_id",),
    key_is_built_in=True,
)

ACTUARIAL = "ACTADJ"
"""CMS's name of the divisors: actuarial adjustments, by months since the transplant."""
MOST_COUNTED = 10
"""So many payment categories, or more, are one variable."""
_TEXTS = T.ArrayType(T.StringType())


def risk_factors(
    risk_profiles: DataFrame,
    member_hccs: DataFrame,
    *,
    performance_years: Sequence[int],
    hcc_age_cells: Sequence[Sequence[Any]],
    hcc_interactions: Sequence[Sequence[Any]],
    hcc_coefficients: Sequence[Sequence[Any]],
    hcc_blends: Sequence[Sequence[Any]],
) -> DataFrame:
    people = risk_profiles.join(counted_hccs(member_hccs, _KEY), list(_KEY), how="left")
    return factors(people, _KEY, performance_years, hcc_age_cells, hcc_interactions, hcc_coefficients, hcc_blends)


def counted_hccs(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """`hccs` of each key: the categories that no other drops."""
    standing = rows.where("dropped_by IS NULL")
    return standing.groupBy(*key).agg(F.sort_array(F.collect_set("hcc")).alias("hccs"))


def factors(
    people: DataFrame,
    key: Sequence[str],
    performance_years: Sequence[int],
    age_cells: Sequence[Sequence[Any]],
    interactions: Sequence[Sequence[Any]],
    coefficients: Sequence[Sequence[Any]],
    blends: Sequence[Sequence[Any]],
) -> DataFrame:
    """`key`, variable, kind and coefficient of people with their profile's columns and `hccs` (null: none)."""
    models = set(models_of(blends, performance_years))
    of_models = [row for row in interactions if row[0] in models]
    told = small_frame(
        people.sparkSession, _told_coefficients(coefficients, of_models, models, performance_years), _COEFFICIENTS
    )
    with_hccs = people.withColumn("hccs", F.coalesce("hccs", F.array().cast(_TEXTS)))
    variables = F.concat(
        _demographic(age_cells, models),
        F.transform("hccs", lambda hcc: F.concat(F.lit("HCC"), hcc)),
        _interactions(of_models),
        F.array(_count()),
    )
    return (
        with_hccs.select(*key, "segment", F.explode(F.array_distinct(F.array_compact(variables))).alias("variable"))
        .join(F.broadcast(told), ["performance_year", "model", "segment", "variable"], how="inner")
        .select(*key, "variable", "kind", "coefficient")
    )


def raw_score() -> Column:
    """The sum of a group of factors. A divisor among them divides it, and the quotient is rounded (CMS: E2423T1M)."""
    is_divisor = F.col("kind") == DIVISOR
    total = F.sum(F.when(is_divisor, F.lit(0)).otherwise(F.col("coefficient")))
    divisor = F.max(F.when(is_divisor, F.col("coefficient")))
    return F.coalesce(F.round(total / divisor, PLACES), total).cast(SCORE)


def _told_coefficients(
    coefficients: Sequence[Sequence[Any]],
    interactions: Sequence[Sequence[Any]],
    models: set[str],
    performance_years: Sequence[int],
) -> list[tuple[Any, ...]]:
    """The run's coefficients by year and segment, each with the kind of its variable; those of all stand in each that
    has none of its own."""
    segments: dict[str, set[str]] = defaultdict(set)
    for model, segment, *_ in coefficients:
        segments[model].add(segment)
    own_segments = {model: (own - {ANY}) | {TRANSPLANT_SEGMENT} for model, own in segments.items()}
    named = {(row[0], row[1]) for row in interactions}

    def kind_of(model: str, variable: str) -> str:
        if (model, variable) in named:
            return "interaction"
        if re.fullmatch(r"HCC\d+", variable):
            return "condition"
        if variable.startswith(ACTUARIAL):
            return DIVISOR
        return "count" if re.fullmatch(r"D\d+P?", variable) else "demographic"

    told: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for model, segment, variable, coefficient, first, last, _ in sorted(coefficients, key=lambda row: row[1] != ANY):
        for y in performance_years:
            if model in models and first <= y <= last:
                for of_segment in sorted(own_segments[model]) if segment == ANY else [segment]:
                    told[y, model, of_segment, variable] = (kind_of(model, variable), coefficient)
    return [(*key, *of_variable) for key, of_variable in told.items()]


def _demographic(age_cells: Sequence[Sequence[Any]], models: set[str]) -> Column:
    """The cell of age and sex, and what is said of entitlement, Medicaid and place; null where it does not hold."""
    new = F.col("is_new_enrollee")
    is_aged = F.col("age") >= AGED
    reason, dual, sex = F.col("original_entitlement_reason"), F.col("dual_status"), F.col("sex")
    originally_disabled = is_aged & (reason == "1")
    sex_name = F.when(sex == "F", "FEMALE").otherwise("MALE")
    age_name = F.when(is_aged, "AGED").otherwise("NONAGED")
    has_medicaid = dual != "none"

    def named(holds: Column, *parts: Column | str) -> Column:
        return F.when(holds, F.concat(*[F.lit(part) if isinstance(part, str) else part for part in parts]))

    cell = _cell(age_cells, models)
    was_disabled = F.when(F.col("part") == DIALYSIS, reason == "1").otherwise(originally_disabled)
    entitled = F.when(was_disabled, "ORIGDIS_").otherwise("NORIGDIS_")
    medicaid = F.when(has_medicaid, "MCAID_").otherwise("NMCAID_")
    benefits = F.when(dual == "full", "FBD_").otherwise("ND_PBD_")
    institutional = F.col("is_institutional")
    in_graft = F.col("part") == GRAFT
    since = F.col("graft_months")
    place = F.when(institutional, "FGI").otherwise("FGC")
    new_with_graft = F.col("segment") == "GNE"
    of_cell = F.when(new_with_graft, _age_of_new()).otherwise(F.col("age"))
    ages = F.when(of_cell >= AGED, "GE65").otherwise("LT65")
    duration = F.when(since.between(4, 9), "_DUR4_9").when(since >= 10, "_DUR10PL")
    in_dialysis = F.col("part") == DIALYSIS
    return F.array(
        named(~new, sex, cell),
        named(new, medicaid, entitled, F.when(in_graft, "G_").otherwise(""), "NE", sex, cell),
        named(new, benefits, entitled, F.when(in_graft, "G_").otherwise(""), "NE", sex, cell),
        named(originally_disabled, "ORIGINALLYDISABLED_", sex_name),
        named(originally_disabled, "ORIGDS"),
        named(institutional & has_medicaid, "LTIMCAID"),
        named(in_dialysis & is_aged & reason.isin("2", "3"), "ORIGINALLY_ESRD_", sex_name),
        named(has_medicaid, "MCAID_", sex_name, "_", age_name),
        named(dual == "full", "FBDUAL_", sex_name, "_", age_name),
        named(dual == "partial", "PBDUAL_", sex_name, "_", age_name),
        named(in_dialysis & institutional, "LTI_", age_name),
        named(in_graft & institutional, "LTI_", ages),
        named(in_graft, place, "_", ages, duration, F.when(dual == "full", "_FBD").otherwise("_ND_PBD")),
        named(in_graft, ages, duration),
        named(in_graft & ~new_with_graft & (dual == "partial") & duration.isNotNull(), place, "_PBD_", ages, "_FLAG"),
        named(new_with_graft, ACTUARIAL, duration),
        named(F.col("part") == TRANSPLANT, "TRANSPLANT_KIDNEY_ONLY_", since.cast("string"), "M"),
    )


def _cell(age_cells: Sequence[Sequence[Any]], models: set[str]) -> Column:
    """The ages of the member's cell."""
    age, new, as_new = F.col("age"), F.col("is_new_enrollee"), _age_of_new()
    cells = (
        F.when(~new, "standard")
        .when(F.col("part") == DIALYSIS, "dialysis_new_enrollee")
        .when(F.col("part") == GRAFT, "graft_new_enrollee")
        .otherwise("new_enrollee")
    )
    models_of: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for model, *of_cell, _ in age_cells:
        if model in models:
            models_of[tuple(of_cell)].append(model)
    cell = F.when(F.lit(False), "")
    for (kind, age_from, age_to, name), of in models_of.items():
        looked_at = age if kind == "standard" else as_new
        cell = cell.when(F.col("model").isin(*of) & (cells == kind) & looked_at.between(age_from, age_to), name)
    return cell


def _age_of_new() -> Column:
    """At 64, and entitled by age, a new enrollee is with those of 65 (CMS: AGESEXV2)."""
    is_entitled_by_age = F.col("original_entitlement_reason") == "0"
    return F.when((F.col("age") == AGED - 1) & is_entitled_by_age, F.lit(AGED)).otherwise(F.col("age"))


def _interactions(rows: Sequence[Sequence[Any]]) -> Column:
    """The interactions that hold, by model."""
    is_aged = F.col("age") >= AGED
    who_is = {
        "disabled": ~is_aged & (F.col("original_entitlement_reason") != "0"),
        "nonaged": ~is_aged,
    }

    def any_of(hccs: str) -> Column:
        return F.arrays_overlap("hccs", F.array(*[F.lit(hcc) for hcc in hccs.split()]))

    held = F.array().cast(_TEXTS)
    for model in sorted({row[0] for row in rows}):
        named = []
        for of_model, variable, who, hccs, with_hccs, _ in rows:
            if of_model == model:
                holds = any_of(hccs)
                holds = holds if with_hccs == ANY else holds & any_of(with_hccs)
                named.append(F.when(holds if who == ANY else holds & who_is[who], variable))
        held = F.when(F.col("model") == model, F.array_compact(F.array(*named))).otherwise(held)
    return F.when(F.size("hccs") > 0, held).otherwise(F.array().cast(_TEXTS))


def _count() -> Column:
    """The number of payment categories that count."""
    how_many = F.size("hccs")
    counted = F.when(how_many >= MOST_COUNTED, F.concat(F.lit(f"D{MOST_COUNTED}P")))
    return counted.when(how_many > 0, F.concat(F.lit("D"), how_many.cast("string")))


_COEFFICIENTS = T.StructType(
    [
        T.StructField("performance_year", T.IntegerType()),
        T.StructField("model", T.StringType()),
        T.StructField("segment", T.StringType()),
        T.StructField("variable", T.StringType()),
        T.StructField("kind", T.StringType()),
        T.StructField("coefficient", SCORE),
    ]
)
