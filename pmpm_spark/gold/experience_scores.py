"""What members say of their care and physicians of their network: mean scores by survey, domain and wave.

An answer is moved to 0 (worst) to 100 (best) of its own scale. A respondent is one value, the weighted mean of the
answers in a domain and wave, with the mean of their weights: two answers of one person are not two people. With n
respondents, weights w and values x,

    mean = sum of w x / sum of w
    variance of the mean = n / (n - 1) x sum of (w (x - mean))^2 / (sum of w)^2
    interval = mean +/- t of n - 1 degrees of freedom (97.5%) x its root, within 0 and 100

A change is the mean less that of the last wave before of the same row's people; its variance is the sum of both, as if
no one had answered twice (who did makes the true interval narrower), its degrees of freedom Welch's, rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import ratio
from pmpm_spark.model.survey_responses import MEMBER, PROVIDER
from pmpm_spark.policy import Policy
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.roster_match import with_roster_networks
from pmpm_spark.silver.union import ids, of_run
from pmpm_spark.table import Table, count, flag, quotient, text, year

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NETWORK, PHYSICIAN = "network", "physician"
_WAVE = ("policy", "performance_year", "survey", "respondent", "domain", "wave")
_KEY = ("policy", "performance_year", "network_id", "physician_npi", "survey", "respondent", "domain", "wave")

EXPERIENCE_SCORES = Table(
    name="gold.experience_scores",
    grain="one row per policy, performance year, network, survey, kind of respondent, domain and wave with an answer; "
    "of members' answers a row of each physician as well",
    key=_KEY,
    columns=(
        text("policy", "policy that made the row"),
        year("performance_year", "calendar year of the wave"),
        text(
            "network_id",
            "network of the year that a member is attributed to, or on whose roster a physician is on the day; "
            "UNATTRIBUTED where there is none",
        ),
        text("physician_npi", "physician whose members answered; empty on the network's own row"),
        text("survey", "name of the survey"),
        text("respondent", f"who answered: {MEMBER} (satisfaction) or {PROVIDER} (engagement)"),
        text("domain", "what is asked about"),
        text("wave", "when it was asked"),
        text("level", f"{NETWORK} or {PHYSICIAN}: whose row it is"),
        count("responses", "answers"),
        count("respondents", "members or physicians who answered"),
        quotient("mean_score", "weighted mean of the respondents on 0 to 100, unrounded"),
        quotient(
            "mean_score_low",
            "lower end of its 95% interval (Student's t); null with one respondent, or where all say the same",
        ),
        quotient("mean_score_high", "upper end"),
        text("prior_wave", "last wave before of the row with an answer, within the run's years; null in the first"),
        year("prior_year", "performance year of prior_wave"),
        quotient("change", "mean_score less that of prior_wave, points"),
        quotient("change_low", "lower end of its 95% interval (Welch's t); null where either wave has none"),
        quotient("change_high", "upper end"),
        flag("is_small_cell", f"fewer than {SMALL_CELL} respondents"),
    ),
    rules={
        "score_in_range": "mean_score BETWEEN 0 AND 100",
        "interval_holds_score": "mean_score BETWEEN mean_score_low AND mean_score_high",
        "respondents_answered": "responses >= respondents",
        "level_has_its_id": f"(level = '{NETWORK}') = (physician_npi = '')",
    },
    partition_by=("policy", "performance_year"),
    slice_by=("policy", "performance_year"),
    key_is_built_in=True,
)

T_975 = (
    12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139, 2.200985,
    2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963, 2.079614, 2.073873,
    2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407, 2.045230, 2.042272,
)  # fmt: skip
"""Student's t, 97.5%, of 1 to 30 degrees of freedom."""
_Z = 1.959963984540054
_PARTS = 1_000_000
"""Sums are of whole millionths, so that they do not depend on the order of rows."""
_WHOLE = T.DecimalType(18, 0)
_WIDE = T.DecimalType(28, 0)


def experience_scores(
    survey_responses: DataFrame,
    attribution: DataFrame,
    network_roster: DataFrame,
    primary_care_services: DataFrame,
    *,
    policies: Sequence[Policy],
    performance_years: Sequence[int],
) -> DataFrame:
    """Respondents by network, and by network and physician; then each wave beside the one before."""
    told = survey_responses.where(F.col("performance_year").isin(*performance_years))
    of_members = told.where(F.col("physician_npi") == "")
    of_physicians = told.where(F.col("member_id") == "")
    rows = _placed_members(_respondents(of_members, "member_id"), attribution, policies, performance_years).unionByName(
        _placed_physicians(of_physicians, network_roster, primary_care_services, policies)
    )
    return _with_changes(_scores(rows))


def _value(score: Column, low: Column, high: Column) -> Column:
    """An answer on 0 to 100, in whole millionths."""
    share = ratio(score - low, high - low)
    return F.floor(share * 100 * _PARTS + 0.5).cast(_WHOLE)


def _respondents(responses: DataFrame, who: str, *also: str) -> DataFrame:
    """One row per wave, domain and person: answers, value and weight, both in whole millionths."""
    value = _value(F.col("score"), F.col("scale_low"), F.col("scale_high"))
    weight = (F.col("weight") * _PARTS).cast(_WHOLE)
    of_person = ("performance_year", "survey", "domain", "wave", who, *also)
    sums = (
        responses.select(*of_person, value.alias("value"), weight.alias("weight"))
        .groupBy(*of_person)
        .agg(
            F.count(F.lit(1)).alias("responses"),
            F.sum(F.col("value") * F.col("weight")).alias("weighted"),
            F.sum("weight").alias("weights"),
        )
    )
    return sums.select(
        F.col("performance_year").cast("int").alias("performance_year"),
        *ids("survey", "domain", "wave", who, *also),
        "responses",
        F.floor(ratio(F.col("weighted"), F.col("weights")) + 0.5).cast(_WHOLE).alias("value"),
        F.floor(ratio(F.col("weights"), F.col("responses")) + 0.5).cast(_WHOLE).alias("weight"),
    )


def _of_each_policy(rows: DataFrame, policies: Sequence[Policy]) -> DataFrame:
    return rows.withColumn("policy", F.explode(F.array(*[F.lit(policy.label) for policy in policies])))


def _placed_members(
    respondents: DataFrame, attribution: DataFrame, policies: Sequence[Policy], performance_years: Sequence[int]
) -> DataFrame:
    """Members with the network and physician that they are attributed to in the year; a row of each."""
    whose = of_run(attribution, policies, performance_years).select(
        "policy", "performance_year", "member_id", "network_id", "physician_npi"
    )
    placed = _of_each_policy(respondents, policies).join(whose, ["policy", "performance_year", "member_id"], how="left")
    network, physician = (
        F.coalesce(F.trim(name), F.lit(UNATTRIBUTED)).alias(name) for name in ("network_id", "physician_npi")
    )
    known = placed.select(*_of_wave(MEMBER), network, physician, "responses", "value", "weight")
    of_both = known.withColumn("physician_npi", F.explode(F.array(F.lit(""), F.col("physician_npi"))))
    return of_both.select(*_PLACED)


def _placed_physicians(
    responses: DataFrame, network_roster: DataFrame, primary_care_services: DataFrame, policies: Sequence[Policy]
) -> DataFrame:
    """Physicians with the network on whose roster they are on the day, the lowest of several.

    A physician who does not tell a tax number is looked for under those of his own roster rows, and of his primary care
    services of the year.
    """
    as_asked = ("performance_year", "physician_npi", "practice_tin", "surveyed_on")
    asked = responses.select(*as_asked).distinct()
    with_own = asked.select(*as_asked, F.col("physician_npi").alias("npi"), F.col("practice_tin").alias("tin"))
    silent = with_own.where(F.col("tin") == "").drop("tin")
    services = primary_care_services.where((F.col("tin") != "") & (F.col("npi") != ""))
    billed = services.select(F.year("service_date").alias("performance_year"), "npi", "tin").distinct()
    listed = network_roster.where((F.col("tin") != "") & (F.col("npi") != "")).select("npi", "tin").distinct()
    looked_up = [
        with_own,
        silent.join(billed, ["performance_year", "npi"], how="inner"),
        silent.join(listed, "npi", how="inner"),
    ]
    named = [
        frame.select(
            F.col("performance_year").cast("int").alias("performance_year"),
            *ids("physician_npi", "practice_tin", "npi", "tin"),
            F.date_add("surveyed_on", 0).alias("surveyed_on"),
            F.lit("").alias("ccn"),
        )
        for frame in looked_up
    ]
    every = named[0].unionByName(named[1]).unionByName(named[2])
    found = (
        with_roster_networks(every, network_roster, "surveyed_on")
        .groupBy(*as_asked)
        .agg(F.min(F.array_min("roster_networks")).alias("network_id"))
    )
    respondents = _respondents(responses.join(found, list(as_asked), how="left"), "physician_npi", "network_id")
    network = F.coalesce("network_id", F.lit(UNATTRIBUTED)).alias("network_id")
    placed = _of_each_policy(respondents, policies)
    own = F.lit("").alias("physician_npi")
    return placed.select(*_of_wave(PROVIDER), network, own, "responses", "value", "weight").select(*_PLACED)


_PLACED = (*_KEY, "responses", "value", "weight")


def _of_wave(respondent: str) -> list[Column | str]:
    return [*[name for name in _WAVE if name != "respondent"], F.lit(respondent).alias("respondent")]


def _scores(placed: DataFrame) -> DataFrame:
    """One row per key: answers, respondents, mean, variance of the mean and the interval."""
    people = F.collect_list(F.struct("value", "weight")).alias("people")
    sums = placed.groupBy(*_KEY).agg(
        F.sum("responses").alias("responses"),
        F.count(F.lit(1)).alias("respondents"),
        F.sum(F.col("value") * F.col("weight")).alias("weighted"),
        F.sum("weight").alias("weights"),
        people,
    )
    told = ("responses", "respondents", "mean_score", "weights")
    with_mean = sums.withColumn("mean_score", ratio(F.col("weighted"), F.col("weights")) / _PARTS)
    each = with_mean.select(*_KEY, *told, F.explode("people").alias("person"))
    # weights of which the mean is 1, whatever they are given in
    relative = ratio(F.col("person.weight").cast("double") * F.col("respondents"), F.col("weights"))
    distance = relative * (F.col("person.value").cast("double") / _PARTS - F.col("mean_score"))
    squares = F.floor(distance * distance * _PARTS + 0.5).cast(_WIDE)
    rows = each.withColumn("squares", squares).groupBy(*_KEY, *told).agg(F.sum("squares").alias("squares"))
    n = F.col("respondents").cast("double")
    variance = ratio(F.col("squares").cast("double") / _PARTS, n * (n - 1))
    with_variance = rows.withColumn("variance", F.when(F.col("squares") > 0, variance))
    half = t_975(F.col("respondents") - 1) * F.sqrt("variance")
    return with_variance.withColumns(
        {
            "mean_score_low": F.greatest(F.col("mean_score") - half, F.when(half.isNotNull(), F.lit(0.0))),
            "mean_score_high": F.least(F.col("mean_score") + half, F.when(half.isNotNull(), F.lit(100.0))),
            "level": F.when(F.col("physician_npi") == "", NETWORK).otherwise(PHYSICIAN),
            "is_small_cell": F.col("respondents") < SMALL_CELL,
        }
    )


def _with_changes(scores: DataFrame) -> DataFrame:
    """Each wave with what has changed since the one before."""
    of_row = [name for name in _KEY if name not in ("performance_year", "wave")]
    in_order = Window.partitionBy(*of_row).orderBy("wave", "performance_year")
    before = {
        name: F.lag(source).over(in_order)
        for name, source in (
            ("prior_wave", "wave"),
            ("prior_year", "performance_year"),
            ("prior_score", "mean_score"),
            ("prior_variance", "variance"),
            ("prior_respondents", "respondents"),
        )
    }
    rows = scores.withColumns(before)
    now, then = F.col("variance"), F.col("prior_variance")
    both = now + then
    parts = ratio(now * now, F.col("respondents") - 1) + ratio(then * then, F.col("prior_respondents") - 1)
    freedom = F.floor(ratio(both * both, parts) + 1e-9)
    half = t_975(freedom) * F.sqrt(both)
    change = F.col("mean_score") - F.col("prior_score")
    return rows.withColumns({"change": change, "change_low": change - half, "change_high": change + half})


def t_975(freedom: Column) -> Column:
    """Student's t, 97.5%: tabulated up to 30 degrees of freedom, then by its expansion around the normal (two parts in
    a million off at most)."""
    n = freedom.cast("double")
    terms = (
        (_Z**3 + _Z) / 4,
        (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96,
        (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / 384,
    )
    far = F.lit(_Z) + terms[0] / n + terms[1] / (n * n) + terms[2] / (n * n * n)
    near = F.get(F.array(*[F.lit(value) for value in T_975]), (freedom - 1).cast("int"))
    return F.when(freedom.between(1, len(T_975)), near).when(freedom > len(T_975), far)
