"""Member HCCs: the hierarchical condition categories of each member and year, with the diagnosis and claim behind each,
and which more severe one drops it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.silver.risk_profiles import ANY, models_of
from pmpm_spark.table import Table, day, small_frame, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_KEY = ("member_id", "performance_year", "model")

MEMBER_HCCS = Table(
    name="silver.member_hccs",
    grain="one row per member, performance year, model and condition category that a diagnosis maps to",
    key=(*_KEY, "hcc"),
    columns=(
        text("member_id", "pseudonymous member key"),
        year("performance_year", "payment year"),
        text("model", "model that the category is of"),
        text("hcc", "condition category"),
        day("service_thru", "last day of service of the first claim that tells it"),
        text("code", "the diagnosis code told there; of several the lowest"),
        text("claim_id", "the claim"),
        text("dropped_by", "the most severe category of the member that drops it; null where it counts"),
    ),
    cluster_by=("member_id",),
    key_is_built_in=True,
)

COUNTS_BESIDE = {("V28", "223"): ("221", "222", "224", "225", "226")}
"""A category that is none without one of others (CMS's V28 software: the heart interaction patch)."""
_TEXTS, _NUMBERS = T.ArrayType(T.StringType()), T.ArrayType(T.IntegerType())


def member_hccs(
    risk_diagnoses: DataFrame,
    risk_profiles: DataFrame,
    *,
    performance_years: Sequence[int],
    hcc_mappings: Sequence[Sequence[Any]],
    hcc_edits: Sequence[Sequence[Any]],
    hcc_hierarchies: Sequence[Sequence[Any]],
    hcc_blends: Sequence[Sequence[Any]],
) -> DataFrame:
    """Codes become categories by a table that is tiny by nature; what is left of them meets its member once.

    The first claim of a category is the lowest text of day, code and claim: engines are slow at the lowest row.
    """
    spark = risk_diagnoses.sparkSession
    models = models_of(hcc_blends, performance_years)
    codes = _codes(spark, hcc_mappings, hcc_edits, models, performance_years)
    told = F.concat_ws(_BETWEEN, F.col("service_thru").cast("string"), "code", "claim_id")
    mapped = (
        risk_diagnoses.join(F.broadcast(codes), ["performance_year", "code"], how="inner")
        .select(
            *_KEY,
            "hcc",
            F.when(F.col("is_edited"), F.col("code")).otherwise("").alias("edited_code"),
            told.alias("told"),
        )
        .repartition(*_KEY)
    )
    edits = small_frame(spark, [row[:6] for row in hcc_edits if row[0] in models], _EDITS)
    is_edit = (
        (F.col("model") == F.col("of_model"))
        & (F.col("edited_code") == F.col("of_code"))
        & F.col("of_sex").isin(F.col("sex"), ANY)
        & F.col("age").between(F.col("age_from"), F.col("age_to"))
    )
    rows = (
        mapped.join(risk_profiles.select(*_KEY, "age", "sex"), list(_KEY), how="inner")
        .join(F.broadcast(edits), is_edit, how="left")
        .withColumn("hcc", F.coalesce("edited_hcc", "hcc"))
        .where(F.col("hcc") != ANY)
        .groupBy(*_KEY, "hcc")
        .agg(F.min("told").alias("told"))
    )
    parts = F.split("told", _BETWEEN)
    return with_drops(rows, _KEY, hcc_hierarchies, models).select(
        *_KEY,
        "hcc",
        F.to_date(parts[0]).alias("service_thru"),
        parts[1].alias("code"),
        parts[2].alias("claim_id"),
        "dropped_by",
    )


def with_drops(
    rows: DataFrame, key: Sequence[str], hierarchies: Sequence[Sequence[Any]], models: Sequence[str]
) -> DataFrame:
    """Rows of categories with `dropped_by`: which other of the same key drops each."""
    others = [name for name in rows.columns if name not in key]
    parents = small_frame(rows.sparkSession, _parents(hierarchies, models), _PARENTS)
    most_severe = F.array_min(F.array_intersect("parents", F.col("all_hccs").cast(_NUMBERS)))
    return (
        rows.groupBy(*key)
        .agg(F.collect_list(F.struct(*others)).alias("rows"))
        .withColumn("all_hccs", _standing(F.transform("rows", lambda row: row["hcc"])))
        .select(*key, "all_hccs", F.inline("rows"))
        .where(F.array_contains("all_hccs", F.col("hcc")))
        .join(F.broadcast(parents), ["model", "hcc"], how="left")
        .withColumn("dropped_by", most_severe.cast("string"))
        .drop("all_hccs", "parents")
    )


def _standing(hccs: Column) -> Column:
    """Without the categories that are none by themselves."""
    for (model, hcc), others in COUNTS_BESIDE.items():
        alone = (F.col("model") == model) & ~F.arrays_overlap(hccs, F.array(*[F.lit(other) for other in others]))
        hccs = F.when(alone, F.array_remove(hccs, hcc)).otherwise(hccs)
    return hccs


_BETWEEN = "\t"
"""Lower than what a code or an id is made of."""
_EDITS = T.StructType(
    [
        T.StructField("of_model", T.StringType()),
        T.StructField("of_code", T.StringType()),
        T.StructField("of_sex", T.StringType()),
        T.StructField("age_from", T.IntegerType()),
        T.StructField("age_to", T.IntegerType()),
        T.StructField("edited_hcc", T.StringType()),
    ]
)
_CODES = T.StructType(
    [
        T.StructField("years", T.ArrayType(T.IntegerType())),
        T.StructField("model", T.StringType()),
        T.StructField("hcc", T.StringType()),
        T.StructField("is_edited", T.BooleanType()),
        T.StructField("codes", _TEXTS),
    ]
)
_PARENTS = T.StructType(
    [
        T.StructField("model", T.StringType()),
        T.StructField("hcc", T.StringType()),
        T.StructField("parents", _NUMBERS),
    ]
)


def _codes(
    spark: SparkSession,
    mappings: Iterable[Sequence[Any]],
    edits: Iterable[Sequence[Any]],
    models: Sequence[str],
    years: Sequence[int],
) -> DataFrame:
    """performance_year, model, code, hcc, is_edited. Codes of a category and of the same years share a literal."""
    edited = {(row[0], row[1]) for row in edits}
    years_of: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for model, code, hcc, first, last, _ in mappings:
        if model in models:
            years_of[model, hcc, code] += [y for y in years if first <= y <= last]
    alike: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for (model, hcc, code), at in years_of.items():
        alike[tuple(sorted(at)), model, hcc, (model, code) in edited].append(code)
    rows = [(*key, sorted(codes)) for key, codes in sorted(alike.items()) if key[0]]
    told = small_frame(spark, rows, _CODES).select(
        F.explode("years").alias("performance_year"), "model", "hcc", "is_edited", "codes"
    )
    return told.select("performance_year", "model", F.explode("codes").alias("code"), "hcc", "is_edited")


def _parents(hierarchies: Iterable[Sequence[Any]], models: Sequence[str]) -> list[tuple[Any, ...]]:
    """Which categories drop each; of several the lowest number is the most severe."""
    above: dict[tuple[str, str], set[int]] = defaultdict(set)
    for model, hcc, dropped, _ in hierarchies:
        if model in models:
            above[model, dropped].add(int(hcc))
    return [(model, hcc, sorted(by)) for (model, hcc), by in sorted(above.items())]
